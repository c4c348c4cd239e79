"""Closed lists that grow: a longer list for a column that is there, and a column with a list for a table that is."""

import re
from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op


def lengthen(table: str, column: str, values: Sequence[str]) -> None:
    """Let a column hold more values than before.

    Args:
        table: Its table.
        column: The column; its check has the house's name for it.
        values: The whole list, as it is from now on.
    """
    name, allowed, connection = f"ck_{table}_{column}", listed(values), op.get_bind()
    if connection.dialect.name == "postgresql":
        op.drop_constraint(name, table)
        op.create_check_constraint(op.f(name), table, f"{column} IN ({allowed})")
        return
    # Other tables refer to it, so it cannot be copied and dropped inside a transaction. What its rows look like stays the
    # same: for that SQLite's manual lets the definition itself be edited (ALTER TABLE, section 7).
    found = sa.text("SELECT sql FROM sqlite_master WHERE type = 'table' AND name = :table")
    before = connection.execute(found, {"table": table}).scalar_one()
    after, count = re.subn(rf"(CONSTRAINT {name} CHECK \({column} IN )\([^)]*\)", rf"\1({allowed})", before)
    version = connection.exec_driver_sql("PRAGMA schema_version").scalar_one()
    connection.exec_driver_sql("PRAGMA writable_schema = ON")
    edit = sa.text("UPDATE sqlite_master SET sql = :sql WHERE type = 'table' AND name = :table")
    connection.execute(edit, {"sql": after, "table": table})
    connection.exec_driver_sql(f"PRAGMA schema_version = {version + 1}")
    connection.exec_driver_sql("PRAGMA writable_schema = OFF")
    if count != 1 or connection.execute(found, {"table": table}).scalar_one() != after:
        msg = f"the definition of {table} could not be edited"
        raise RuntimeError(msg)


def add_column(table: str, column: str, values: Sequence[str], comment: str, *, default: str | None = None) -> None:
    """Add a column with its closed list; in one statement, because SQLite adds no check to a table that is there."""
    filled = f"DEFAULT '{default}' NOT NULL " if default else ""
    check = f"CONSTRAINT ck_{table}_{column} CHECK ({column} IN ({listed(values)}))"
    op.execute(f"ALTER TABLE {table} ADD COLUMN {column} TEXT {filled}{check}")
    if op.get_bind().dialect.name == "postgresql":
        op.execute(f"COMMENT ON COLUMN {table}.{column} IS '{comment}'")


def listed(values: Sequence[str]) -> str:
    """Return values as SQL wants them."""
    return ", ".join(f"'{value}'" for value in values)
