"""`busytime resync`: takes over what the calendars hold, after the database was restored from a backup."""

from contextlib import closing
from typing import Annotated, Any

import typer

from busytime.errors import ConfigurationError, NoConnectionError
from busytime.model import RunStatus
from busytime.outcomes import ResyncOutcome
from busytime.roster import parse_address
from deployments.cli.output import JsonOption, output, several, shown
from deployments.cli.running import run_flow, tell_outcome, waiting
from tasks.workspace import open_workspace

_SHOWN = 20


def resync(
    email: Annotated[str, typer.Argument(help="Address of a connected mailbox.")],
    adopt: Annotated[
        bool, typer.Option("--adopt", help="The database was restored: believe what the calendars hold, and write it down.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Take over the entries that the calendars hold and a restored database has forgotten.

    Example: busytime resync busytime@corp.example --adopt
    """
    address = parse_address(email)
    if not adopt:
        raise ConfigurationError(
            f"Add --adopt: `busytime resync {address} --adopt` takes over a restored database. To bring everything up to date, "
            "run `busytime harvest`, `busytime validate` and `busytime push`."
        )
    _check_connected(address)
    with waiting("Searching the calendars for entries ...", quiet=as_json):
        outcome = run_flow("resync_connection", ResyncOutcome)
    tell_outcome(outcome, "re-sync", _as_object, _show, as_json=as_json)


def _check_connected(address: str) -> None:
    with closing(open_workspace()) as office, office.store.read() as unit:
        known = [connection.email for connection in unit.connections.all_open()]
    if address not in known:
        raise NoConnectionError(f"{address} is not connected: run `busytime connect {address} --ews-url URL` first.")


def _as_object(outcome: ResyncOutcome) -> dict[str, Any]:
    silent = [{"owner": calendar.owner, "folder": calendar.folder} for calendar in outcome.silent]
    return {"adopted": outcome.adopted, "silent": silent}


def _show(outcome: ResyncOutcome) -> None:
    screen = output()
    colour = "green" if outcome.status is RunStatus.COMPLETED else "yellow"
    screen.print(f"[{colour}]Run {outcome.run_id}[/]: {outcome.adopted} entries taken over from the calendars.")
    if outcome.silent:
        silent = several(len(outcome.silent), "calendar")
        screen.print(f"[bold red]{silent} did not tell[/] what they hold; until they do, nothing is pushed:", soft_wrap=True)
        for calendar in outcome.silent[:_SHOWN]:
            screen.print(f"  {shown(calendar.label)}", soft_wrap=True)
        if len(outcome.silent) > _SHOWN:
            screen.print(f"  ... and {len(outcome.silent) - _SHOWN} more; `--json` names all of them.")
        screen.print("Next: [bold]busytime validate[/] tells why; then run this command again.")
    elif outcome.status is RunStatus.COMPLETED:
        screen.print(
            "Next: import the bookings again that came after the backup, see [bold]busytime push --dry-run[/], and push."
        )
