"""`busytime db`: the database's tables."""

import typer

from busytime.store.database import head_version
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
