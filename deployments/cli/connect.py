"""`busytime connect`: opens a connection with one claimed try."""

import ssl
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from busytime.connecting import connect as connect_account
from busytime.connecting import open_secret
from busytime.errors import ConfigurationError
from busytime.model import ConnectionMode, Endpoint, Secret
from busytime.roster import parse_address
from deployments.cli.output import JsonOption, messages, output, print_json
from deployments.cli.passwords import read_password
from tasks.workspace import Workspace, open_workspace


def connect(
    email: Annotated[str, typer.Argument(help="Address of the dedicated mailbox.")],
    ews_url: Annotated[
        str | None, typer.Option("--ews-url", help="https://HOST/EWS/Exchange.asmx; needed the first time only.")
    ] = None,
    username: Annotated[
        str | None, typer.Option("--username", help="User name, where it is not the address: name@corp.example or DOMAIN\\name.")
    ] = None,
    ca_file: Annotated[
        Path | None, typer.Option("--ca-file", help="PEM file of the private authority that signed the server's certificate.")
    ] = None,
    password_stdin: Annotated[bool, typer.Option("--password-stdin", help="Read the password from standard input.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Connect the dedicated mailbox: asks for the password, tries it once, stores it encrypted.

    Example: busytime connect busytime@corp.example --ews-url https://mail.corp.example/EWS/Exchange.asmx
    """
    address = parse_address(email)
    authority = _read_authority(ca_file) if ca_file else None
    office = open_workspace()
    endpoint, known_as = _as_before(office, address) if ews_url is None else (Endpoint(address, ews_url), address)
    endpoint = replace(endpoint, ca_pem=authority or endpoint.ca_pem)
    secret = Secret(username or known_as, read_password(address, password_stdin=password_stdin))
    if not as_json:
        messages().print(f"Trying the password once, as {escape(secret.username)} ...")
    stored = connect_account(
        office.desk, endpoint, secret, ConnectionMode.CORPORATE, lambda: office.open_gateway(endpoint, secret)
    ).connection
    office.close()
    if as_json:
        print_json(
            {
                "email": stored.email,
                "mode": stored.mode,
                "ews_url": endpoint.ews_url,
                "credential_version": stored.credential_version,
                "opened_at": stored.opened_at,
            }
        )
        return
    screen = output()
    screen.print(f"[green]Connected[/] as [bold]{stored.email}[/], by Basic authentication over a checked TLS connection.")
    screen.print("The password is stored encrypted, as version", stored.credential_version, "of this connection's secret.")
    screen.print("Every booking page may use every calendar that is shared with this mailbox.")
    screen.print("Next: [bold]busytime roster import FILE[/] to name the calendars, then [bold]busytime harvest[/].")


def _as_before(office: Workspace, address: str) -> tuple[Endpoint, str]:
    """Return where and under which user name an account is connected, for its new password."""
    with office.store.read() as unit:
        connection = next((it for it in unit.connections.all_open() if it.email == address), None)
    if connection is None:
        raise ConfigurationError(f"{address} is not connected yet: add --ews-url https://HOST/EWS/Exchange.asmx.")
    return connection.endpoint, open_secret(office.desk, connection).username


def _read_authority(path: Path) -> str:
    try:
        text = path.read_text(encoding="ascii")
        ssl.create_default_context(cadata=text)
    except OSError as error:
        raise ConfigurationError(f"--ca-file {path} cannot be read: {error.strerror}.") from None
    except (ValueError, ssl.SSLError):
        raise ConfigurationError(f"--ca-file {path} holds no certificate; give the authority's one in PEM form.") from None
    return text
