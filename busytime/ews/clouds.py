"""What is known of Microsoft's clouds by their hosts' names: who takes no passwords, and whom tokens are asked for.

Pure: addresses in, answers out.
"""

import re
from urllib.parse import urlsplit

#: Hosts of Exchange Online, the national clouds included ("Microsoft 365 U.S. Government GCC High / DoD endpoints",
#: "Office 365 operated by 21Vianet").
_ONLINE = re.compile(r"(?:.+\.)?(?:outlook\.com|office365\.(?:com|us)|webmail\.apps\.mil|partner\.outlook\.cn)")
#: Hosts of Entra ID ("National clouds": Microsoft Entra authentication endpoints), today's names and former ones.
_SIGN_IN = re.compile(
    r"(?:.+\.)?(?:microsoftonline\.(?:com|us)|microsoftonline-p\.com|login\.microsoft\.com|(?:login|sts)\.windows\.net"
    r"|partner\.microsoftonline\.cn|login\.chinacloudapi\.cn)"
)
#: National clouds whose tokens are for their own host.
_NATIONAL = frozenset({"outlook.office365.us", "webmail.apps.mil", "partner.outlook.cn"})
_WORLDWIDE = "outlook.office365.com"


def is_exchange_online(host: str) -> bool:
    """Tell whether a host is one of Exchange Online, which ended passwords in January 2023."""
    return _ONLINE.fullmatch(host.lower().rstrip(".")) is not None


def is_cloud_sign_in(host: str) -> bool:
    """Tell whether a host gives out tokens for Microsoft's clouds."""
    return _SIGN_IN.fullmatch(host.lower().rstrip(".")) is not None


def token_scope(ews_url: str, token_url: str) -> str:
    """Return the scope that a token for EWS is asked with.

    Entra ID gives tokens for its cloud's Exchange, whatever host of it is used ("Authenticate an EWS application by
    using OAuth": ``https://outlook.office365.com/.default``). Any other sign-in, like an AD FS, knows a server under
    its own address.

    Args:
        ews_url: The server's.
        token_url: The sign-in's; one of Entra ID ends in ``/oauth2/v2.0/token``.
    """
    host = (urlsplit(ews_url).hostname or "").rstrip(".")
    if host not in _NATIONAL and urlsplit(token_url).path.lower().endswith("/oauth2/v2.0/token"):
        host = _WORLDWIDE
    return f"https://{host}/.default"
