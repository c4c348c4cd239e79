"""`busytime disconnect`: ends a connection and destroys its secret."""

from contextlib import closing
from typing import Annotated, Any

import typer

from busytime.connecting import Affected, affected, find_connection
from busytime.connecting import disconnect as end
from busytime.counting import several
from busytime.errors import ConfigurationError
from busytime.roster import parse_address
from deployments.cli.connect_questions import confirmed
from deployments.cli.output import JsonOption, output, print_json, shown
from deployments.cli.passwords import has_terminal
from tasks.workspace import open_workspace


def disconnect(
    email: Annotated[str, typer.Argument(help="Address of a connected mailbox.")],
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask whether it is meant.")] = False,
    as_json: JsonOption = False,
) -> None:
    """End a connection: its secret is destroyed, and nothing is read or written through it any more.

    Example: busytime disconnect busytime@corp.example
    """
    address = parse_address(email)
    with closing(open_workspace()) as office:
        connection = find_connection(office.desk, address)
        touched = affected(office.desk, connection)
        if not yes and not _is_meant(address, touched):
            output().print(f"{shown(address)} stays connected; nothing was changed.")
            return
        passed_on = end(office.desk, connection)
    if as_json:
        print_json(_as_object(address, touched, passed_on))
    else:
        _show(address, touched, passed_on)


def _is_meant(address: str, touched: Affected) -> bool:
    """Ask the person.

    Raises:
        ConfigurationError: There is nobody.
    """
    if not has_terminal():
        raise ConfigurationError(f"There is no terminal to ask on whether {address} is to be disconnected: add --yes.")
    text = f"End the connection of {address}? It serves {several(touched.calendars, 'calendar')}"
    if touched.waiting:
        text += f", and {several(touched.waiting, 'entry', 'entries')} of bookings wait for its next log-on"
    return confirmed(f"{text}.")


def _as_object(address: str, touched: Affected, passed_on: int) -> dict[str, Any]:
    return {
        "email": address,
        "calendars": touched.calendars,
        "served_by_another": passed_on,
        "waiting_entries": touched.waiting,
    }


def _show(address: str, touched: Affected, passed_on: int) -> None:
    screen, unserved = output(), touched.calendars - passed_on
    lines = [f"[green]Disconnected[/] {shown(address)}. Its secret is destroyed; nothing is harvested or pushed through it."]
    if passed_on:
        lines.append(f"{several(passed_on, 'calendar')} of it pass on to another connection.")
    if unserved:
        lines.append(f"[yellow]{several(unserved, 'calendar')}[/] have no connection now, and become unknown.")
    if touched.waiting:
        lines.append(f"{several(touched.waiting, 'entry', 'entries')} of bookings waited for its next log-on, and wait on.")
    lines += [
        "What stays: the audit, and the entries that are in the calendars already.",
        f"Next: [bold]busytime connect {shown(address)}[/] opens it again; bookings made until then are not pushed unasked.",
    ]
    for line in lines:
        screen.print(line, soft_wrap=True)
