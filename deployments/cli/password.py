"""`busytime password`: takes the new password of a mailbox, tries it once, and catches up all that was missed."""

from typing import Annotated

import typer

from busytime.connecting import find_connection, open_secret
from busytime.model import Trigger
from busytime.renewing import renew, secret_word
from busytime.roster import parse_address
from busytime.store.connections import StoredConnection
from deployments.announcing import announce_here
from deployments.cli.output import JsonOption, messages
from deployments.cli.passwords import read_password
from deployments.cli.resync import announce, catch_up
from tasks.announcing import Happening
from tasks.workspace import workspace


def password(
    email: Annotated[str, typer.Argument(help="Address of a connected mailbox.")],
    password_stdin: Annotated[bool, typer.Option("--password-stdin", help="Read the password from standard input.")] = False,
    force: Annotated[
        bool, typer.Option("--force", help="Try though one more refused log-on may lock the account for everybody.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Take a mailbox's new password (or client secret), try it once, store it, and catch up what was missed.

    Example: busytime password busytime@corp.example
    """
    address = parse_address(email)
    office = workspace()
    connection = find_connection(office.desk, address)
    word = secret_word(connection)
    new = read_password(address, password_stdin=password_stdin, what=f"New {word}")
    if not as_json:
        announce(f"Trying the new {word} once, as {open_secret(office.desk, connection).username} ...", force=force)
    renewed = renew(office.desk, connection, new, lambda it: office.open_gateway(connection.endpoint, it), force=force)
    if renewed.same_secret:
        so_far = f"This is the {word} that is stored; it works"
    else:
        so_far = f"The new {word} works, and is stored encrypted as version {renewed.connection.credential_version}"
    if not as_json:
        messages().print(f"{so_far}. Now what was missed ...", soft_wrap=True)
    told = _told(renewed.connection) | {"same_secret": renewed.same_secret}
    try:
        catch_up(address, Trigger.PASSWORD_CHANGE, so_far, as_json=as_json, told=told)
    finally:
        # Only now: the flow that this wakes would otherwise take the request before this command's own run.
        if not renewed.same_secret:
            announce_here(office, Happening.PASSWORD_STORED, f"connection.{connection.id}")


def _told(connection: StoredConnection) -> dict[str, object]:
    return {"email": connection.email, "credential_version": connection.credential_version}
