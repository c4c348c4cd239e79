"""What all tables are made of: their one metadata, and the columns that recur."""

from enum import StrEnum

from sqlalchemy import CheckConstraint, Column, ForeignKey, Index, MetaData, Text, text
from sqlalchemy.sql.schema import SchemaItem

from busytime.store.types import Key, UtcTime

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
        "pk": "pk_%(table_name)s",
    }
)


def surrogate_key() -> Column[int]:
    """Return the column `id`."""
    return Column("id", Key, primary_key=True, comment="Surrogate key.")


def refers(name: str, target: str, comment: str, *, nullable: bool = False) -> Column[int]:
    """Return a column that holds the key of another table's row."""
    return Column(name, Key, ForeignKey(target), nullable=nullable, comment=comment)


def closed(
    name: str, values: type[StrEnum], comment: str, *, nullable: bool = False, default: StrEnum | None = None
) -> tuple[SchemaItem, SchemaItem]:
    """Return a column, which tells its values to exports, and the check that it holds only values of a closed list."""
    allowed = ", ".join(f"'{value}'" for value in values)
    told = {"values": tuple(map(str, values))}
    column: Column[str] = Column(name, Text, nullable=nullable, server_default=default, comment=comment, info=told)
    return column, CheckConstraint(f"{name} IN ({allowed})", name=name)


def history(*identity: str, table: str) -> list[SchemaItem]:
    """Return columns and constraints of a history table: rows are closed, never rewritten."""
    return [
        refers("opened_run_id", "runs.id", "Run that opened the row."),
        refers("closed_run_id", "runs.id", "Run that closed the row; NULL while it is current.", nullable=True),
        Column("valid_from", UtcTime, nullable=False, comment="Instant (UTC) of the batch transaction that opened the row."),
        Column("valid_to", UtcTime, comment="Instant (UTC) of the batch transaction that closed the row; NULL = current."),
        CheckConstraint("valid_to > valid_from", name="validity"),
        Index(
            f"uq_{table}_current",
            *identity,
            unique=True,
            sqlite_where=text("valid_to IS NULL"),
            postgresql_where=text("valid_to IS NULL"),
        ),
    ]
