"""`busytime connect`: opens a connection, and asks for what is missing."""

import re
import ssl
from contextlib import closing
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlsplit

import typer

from busytime.connecting import Connected
from busytime.errors import ConfigurationError
from busytime.guiding import Guide, Tools
from busytime.model import AUTH_NAMES, AuthType, ConnectionMode
from busytime.roster import parse_address
from busytime.wishes import Wishes
from deployments.announcing import announce_here
from deployments.cli.connect_questions import TerminalPerson
from deployments.cli.output import JsonOption, output, print_json, shown
from tasks.announcing import Happening
from tasks.workspace import open_workspace

#: A domain name or an id: nothing that could lead an address elsewhere.
_TENANT = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9.-]{0,126}[A-Za-z0-9])?", re.ASCII)


def connect(
    email: Annotated[str, typer.Argument(help="Address of the dedicated mailbox, or with --personal of your own.")],
    ews_url: Annotated[
        str | None, typer.Option("--ews-url", help="https://HOST/EWS/Exchange.asmx; default: found from the address.")
    ] = None,
    username: Annotated[
        str | None, typer.Option("--username", help="User name, where it is not the address: name@corp.example or DOMAIN\\name.")
    ] = None,
    auth: Annotated[
        AuthType | None, typer.Option("--auth", help="How to log on; default: NTLM where it is offered, else Basic.")
    ] = None,
    tenant: Annotated[str | None, typer.Option("--tenant", help="With --auth oauth: the tenant's name or id.")] = None,
    client_id: Annotated[str | None, typer.Option("--client-id", help="With --auth oauth: the application's id.")] = None,
    ca_file: Annotated[
        Path | None, typer.Option("--ca-file", help="PEM file of the private authority that signed the server's certificate.")
    ] = None,
    personal: Annotated[
        bool, typer.Option("--personal/--corporate", help="A person's own account; default: the dedicated mailbox for everybody.")
    ] = False,
    force: Annotated[bool, typer.Option("--force", help="Try even if one more refused log-on could lock the account.")] = False,
    password_stdin: Annotated[
        bool, typer.Option("--password-stdin", help="Read the password, or the client secret, from standard input; ask nothing.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Connect a mailbox: finds its server, asks for the password, tries it, and stores it encrypted.

    Example: busytime connect busytime@corp.example
    """
    address = parse_address(email)
    _check_combination(auth, username, tenant, client_id)
    authority = _read_authority(ca_file) if ca_file else None
    with closing(open_workspace()) as office:
        wishes = Wishes(
            address,
            ConnectionMode.PERSONAL if personal else ConnectionMode.CORPORATE,
            ews_url=ews_url,
            auth_type=auth,
            username=client_id or username,
            ca_pem=authority,
            token_url=_token_url(office.settings.oauth_token_url, tenant) if auth is AuthType.OAUTH else None,
            force=force,
        )
        tools = Tools(office.desk, office.find_servers, office.open_gateway)
        connected = Guide(tools, TerminalPerson(address, password_stdin=password_stdin), wishes).connect()
        announce_here(office, Happening.PASSWORD_STORED, f"connection.{connected.connection.id}")
    if as_json:
        print_json(_as_object(connected))
    else:
        _show(connected)


def _check_combination(auth: AuthType | None, username: str | None, tenant: str | None, client_id: str | None) -> None:
    """Refuse options that do not go together.

    Raises:
        ConfigurationError: It names them.
    """
    if auth is AuthType.OAUTH and username is not None:
        raise ConfigurationError("--username is for passwords; with --auth oauth, --client-id names the application.")
    if auth is not AuthType.OAUTH and (tenant is not None or client_id is not None):
        raise ConfigurationError("--tenant and --client-id go with --auth oauth; add it.")


def _token_url(pattern: str, tenant: str | None) -> str | None:
    """Return where tokens are asked for; ``None`` where that depends on a tenant who is not named."""
    if tenant is not None and not _TENANT.fullmatch(tenant):
        raise ConfigurationError("--tenant is a name like corp.onmicrosoft.com, or the tenant's id, and nothing else.")
    if "{tenant}" not in pattern:
        return pattern
    return pattern.replace("{tenant}", tenant) if tenant else None


def _read_authority(path: Path) -> str:
    try:
        text = path.read_text(encoding="ascii")
        ssl.create_default_context(cadata=text)
    except OSError as error:
        raise ConfigurationError(f"--ca-file {path} cannot be read: {error.strerror}.") from None
    except (ValueError, ssl.SSLError):
        raise ConfigurationError(f"--ca-file {path} holds no certificate; give the authority's one in PEM form.") from None
    return text


def _as_object(connected: Connected) -> dict[str, Any]:
    stored = connected.connection
    return {
        "email": stored.email,
        "mode": stored.mode,
        "ews_url": stored.endpoint.ews_url,
        "auth_type": stored.endpoint.auth_type,
        "credential_version": stored.credential_version,
        "opened_at": stored.opened_at,
        "again": connected.again,
        "holds_items": connected.holds_items,
    }


def _show(connected: Connected) -> None:
    stored, screen = connected.connection, output()
    parts = urlsplit(stored.endpoint.ews_url)
    over = "over a checked TLS connection" if parts.scheme == "https" else "inside this machine, without TLS"
    way = AUTH_NAMES[stored.endpoint.auth_type]
    lines = [
        f"[green]Connected[/] as [bold]{shown(stored.email)}[/] to {shown(parts.hostname or '')}, by {way} {over}.",
        f"The secret is stored encrypted, as version {stored.credential_version} of this connection's.",
        _SERVES[stored.mode],
    ]
    if connected.holds_items:
        lines.append("[yellow]Its own calendar is not empty[/]: a dedicated mailbox should be one that nobody uses.")
    lines += _again(stored.email) if connected.again else _first_time()
    for line in lines:
        screen.print(line, soft_wrap=True)


_SERVES = {
    ConnectionMode.CORPORATE: "Every booking page may use every calendar that is shared with this mailbox.",
    ConnectionMode.PERSONAL: "It serves this person: the own calendars, and those shared with this account that the roster"
    " gives it (`connection`).",
}


def _first_time() -> list[str]:
    return [
        "Bookings that were made before now are not pushed, unless [bold]busytime push --backfill[/] says so.",
        "Next: [bold]busytime roster import FILE[/] to name the calendars, then [bold]busytime harvest[/].",
    ]


def _again(email: str) -> list[str]:
    return [
        "It was connected already: its history goes on, and bookings made since then are pushed as before.",
        f"Next: [bold]busytime resync {shown(email)}[/] catches up, with bookings that waited for a log-on too.",
    ]
