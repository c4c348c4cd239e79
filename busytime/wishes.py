"""What a person wants connected, and what is known already of an account that was connected before."""

from dataclasses import dataclass, replace

from busytime.claiming import Desk
from busytime.connecting import open_secret
from busytime.diagnoses import OAUTH
from busytime.errors import ConfigurationError
from busytime.model import AuthType, ConnectionMode

EXCHANGE_ONLINE = "https://outlook.office365.com/EWS/Exchange.asmx"


@dataclass(frozen=True, slots=True)
class Wishes:
    """What the person has said.

    Args:
        email: The account.
        mode: Whom the connection shall serve.
        ews_url: Where the server is; ``None`` to find it.
        auth_type: How to log on; ``None`` to let the server's offer choose.
        preferred: How to log on if the server offers it.
        username: Under which name; under OAuth the application's id. ``None`` for the address.
        ca_pem: The private authority that signed the server's certificate.
        token_url: Where tokens are asked for.
        force: Try even if one more refused log-on could lock the account.
    """

    email: str
    mode: ConnectionMode
    ews_url: str | None = None
    auth_type: AuthType | None = None
    preferred: AuthType = AuthType.NTLM
    username: str | None = None
    ca_pem: str | None = None
    token_url: str | None = None
    force: bool = False

    @property
    def by_token(self) -> bool:
        """Whether an application logs on, and no password."""
        return self.auth_type is AuthType.OAUTH


def complete(desk: Desk, wishes: Wishes) -> Wishes:
    """Add what is known of an account that is connected, unless another server is named, and what tokens need.

    Raises:
        ConfigurationError: Tokens are wanted, and what they need is not known.
    """
    if wishes.ews_url is None:
        wishes = _as_before(desk, wishes)
    if not wishes.by_token:
        return wishes
    missing = [
        *([] if wishes.username else ["--client-id ID, the application's id"]),
        *([] if wishes.token_url else ["--tenant TENANT, the tenant's name or id"]),
    ]
    if missing:
        raise ConfigurationError(f"OAuth needs {' and '.join(missing)}; nothing was tried. See {OAUTH}.")
    return replace(wishes, ews_url=wishes.ews_url or EXCHANGE_ONLINE)


def _as_before(desk: Desk, wishes: Wishes) -> Wishes:
    with desk.store.read() as unit:
        connection = next((it for it in unit.connections.all_open() if it.email == wishes.email), None)
    if connection is None:
        return wishes
    before = connection.endpoint
    tokens_before = before.auth_type is AuthType.OAUTH
    auth_type = wishes.auth_type or (AuthType.OAUTH if tokens_before else None)
    # The name of an application and that of an account have nothing to do with each other.
    known_as = open_secret(desk, connection).username if tokens_before == (auth_type is AuthType.OAUTH) else None
    return replace(
        wishes,
        ews_url=before.ews_url,
        auth_type=auth_type,
        preferred=before.auth_type,
        username=wishes.username or known_as,
        ca_pem=wishes.ca_pem or before.ca_pem,
        token_url=wishes.token_url or before.token_url,
    )
