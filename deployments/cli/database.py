"""`busytime db`: the database's tables."""

from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from busytime.errors import ConfigurationError
from busytime.store.database import head_version, open_engine
from busytime.store.moving import move
from config.settings import load_settings
from deployments.cli.output import JsonOption, output, print_json, show_help
from tasks.workspace import open_workspace

commands = typer.Typer(help="The database.", invoke_without_command=True, callback=show_help)


@commands.command("upgrade")
def upgrade(as_json: JsonOption = False) -> None:
    """Bring the tables to the version that this busytime works with, in one transaction; on SQLite a copy is made before.

    It is refused while runs are at work: stop the scheduler first.

    Example: busytime db upgrade
    """
    office = open_workspace(upgrading=True)
    office.close()
    done, head = office.upgrade, head_version()
    before = done.before if done is not None and done.before != head else None
    backup = done.backup if done is not None else None
    if as_json:
        print_json({"schema_version": head, "upgraded_from": before, "backup": backup})
        return
    output().print(f"The tables are at version {head}." + (f" They were at version {before}." if before else ""))
    if backup is not None:
        output().print(f"As they were before: {backup}. Remove it when you are content.", soft_wrap=True)


@commands.command("move")
def move_database(
    file: Annotated[Path, typer.Argument(help="The SQLite database, like /var/lib/busytime/busytime.db.")],
    as_json: JsonOption = False,
) -> None:
    """Move an SQLite database into the empty one on PostgreSQL that BUSYTIME_DATABASE_URL names: every row, in one transaction.

    It is refused while runs are at work. The file stays as it is, but nothing is pushed from it any more.

    Example: busytime db move /var/lib/busytime/busytime.db
    """
    if not file.is_file():
        raise ConfigurationError(f"{file} is not a file: name the SQLite database that is to be moved.")
    source, target = (open_engine(it) for it in (f"sqlite:///{file}", load_settings().database_address))
    try:
        counts = move(source, target, datetime.now(UTC))
    finally:
        source.dispose()
        target.dispose()
    rows = sum(counts.values())
    with closing(open_workspace()) as office:  # proves that the master key is there, too
        with office.store.write() as unit:
            actor_id = unit.owners.id(office.desk.actor)
        office.store.append_event("person:database:moved", actor_id, {"rows": rows})
    if as_json:
        print_json({"rows": rows, "tables": counts})
    else:
        output().print(f"{rows:,} rows of {len(counts)} tables were moved. Next: run roles.sql, and start everything again.")
