"""`busytime resync`: brings everything of one mailbox up to date; or takes over a database that was restored."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Annotated, Any

import typer
from rich.markup import escape

from busytime.connecting import find_connection
from busytime.errors import AuthenticationError, BusyTimeError, ConfigurationError
from busytime.model import RunStatus, Trigger
from busytime.renewing import ask_again, try_again
from busytime.resyncing import ResyncOutcome
from busytime.roster import parse_address
from busytime.store.connections import StoredConnection
from deployments.announcing import announce_here
from deployments.cli.output import ExitStatus, JsonOption, finish, messages, print_json
from deployments.cli.resync_report import as_object, show
from deployments.cli.running import run_flow, tell_outcome, waiting
from flows.options import ResyncOptions
from tasks.announcing import Happening
from tasks.workspace import workspace


def resync(
    email: Annotated[str, typer.Argument(help="Address of a connected mailbox.")],
    same_password: Annotated[
        bool, typer.Option("--same-password", help="Try the stored password once more, after log-ons were stopped.")
    ] = False,
    adopt: Annotated[
        bool, typer.Option("--adopt", help="The database was restored: believe what the calendars hold, and write it down.")
    ] = False,
    force: Annotated[
        bool, typer.Option("--force", help="Try though one more refused log-on may lock the account for everybody.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Validate, harvest and push everything of one mailbox now, and tell what was missed and caught up.

    Example: busytime resync busytime@corp.example --same-password
    """
    address = parse_address(email)
    if adopt and same_password:
        raise ConfigurationError("Give --same-password first, and --adopt once the log-on works; nothing was done.")
    if force and not same_password:
        raise ConfigurationError("--force is for --same-password, which tries a log-on; nothing was done.")
    connection = find_connection(workspace().desk, address)
    if adopt:
        with waiting("Searching the calendars for entries ...", quiet=as_json):
            outcome = run_flow("resync_connection", ResyncOutcome, ResyncOptions(trigger=Trigger.MANUAL, adopt=True))
        tell_outcome(outcome, "re-sync", as_object, show, as_json=as_json)
    elif same_password:
        catch_up_again(connection, force=force, as_json=as_json)
    else:
        ask_again(workspace().desk, connection)
        catch_up(address, Trigger.MANUAL, "The re-sync is written down", as_json=as_json)


def catch_up_again(connection: StoredConnection, *, force: bool, as_json: bool) -> None:
    """Let a person try the stored secret once more, and catch up what was missed."""
    office = workspace()
    if not as_json:
        announce("Trying the stored password once more ...", force=force)
    try:
        try_again(office.desk, connection, lambda secret: office.open_gateway(connection.endpoint, secret), force=force)
    except AuthenticationError:
        announce_here(office, Happening.BREAKER_OPENED, f"connection.{connection.id}")
        raise
    catch_up(connection.email, Trigger.PASSWORD_CHANGE, "The stored password works again", as_json=as_json)


def announce(text: str, *, force: bool) -> None:
    """Say before it is sent that a log-on is tried, and what is risked."""
    messages().print(escape(text), soft_wrap=True)
    if force:
        messages().print(
            "[yellow]--force[/]: if it is refused, the account may be locked for everybody who uses it.", soft_wrap=True
        )


def catch_up(email: str, trigger: Trigger, so_far: str, *, as_json: bool, told: Mapping[str, Any] = MappingProxyType({})) -> None:
    """Run the re-sync that is asked for in the database, and tell what it came to.

    Args:
        email: The account.
        trigger: What asked for it.
        so_far: What is done, and stays so whatever becomes of the rest.
        as_json: Whether to print one JSON object.
        told: What the object holds besides.
    """
    try:
        with waiting("Reading and pushing what was missed ...", quiet=as_json):
            outcome = run_flow("resync_connection", ResyncOutcome, ResyncOptions(trigger=trigger))
    except (BusyTimeError, KeyboardInterrupt):
        text = f"{so_far}, but what was missed is not caught up. `busytime resync {email}` does it."
        messages().print(f"[yellow]{escape(text)}[/]", soft_wrap=True)
        raise
    if outcome.status is RunStatus.SKIPPED:
        text = f"{so_far}. Another re-sync is still at work; what it leaves, `busytime resync {email}` catches up."
        messages().print(f"[yellow]{escape(text)}[/]", soft_wrap=True)
        if as_json:
            print_json({**told, "run_id": outcome.run_id, "status": outcome.status})
        finish(ExitStatus.NEEDS_ATTENTION)
    tell_outcome(outcome, "re-sync", lambda it: {**told, **as_object(it)}, show, as_json=as_json, in_parts=True)
