"""`busytime db`: the database's tables."""

import typer

from busytime.store.database import head_version
from deployments.cli.output import JsonOption, output, print_json, show_help
from tasks.workspace import open_workspace

commands = typer.Typer(help="The database.", invoke_without_command=True, callback=show_help)


@commands.command("upgrade")
def upgrade(as_json: JsonOption = False) -> None:
    """Bring the tables to the version that this busytime works with, in one transaction.

    Example: busytime db upgrade
    """
    open_workspace(upgrading=True).close()
    if as_json:
        print_json({"schema_version": head_version()})
    else:
        output().print(f"The tables are at version {head_version()}.")
