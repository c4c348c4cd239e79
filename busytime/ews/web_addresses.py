"""Addresses that a server or a directory gave us, read so strictly that everybody reads them alike.

Two readers of one odd address may see two hosts in it: the one that is checked, and the one that gets the password.
So an address is taken apart by one narrow pattern and put together again from its parts, or not used at all.
"""

import re
from dataclasses import dataclass
from urllib.parse import urldefrag, urljoin

from busytime.errors import ConfigurationError
from busytime.roster import domain_of, parse_address

_LONGEST = 2048
_HIGHEST_PORT = 65535
# Neither user names nor backslashes, blanks or letters outside ASCII have a place in it.
_HTTPS = re.compile(
    r"https://(?P<host>[a-z0-9_](?:[a-z0-9._-]{0,251}[a-z0-9_])?)\.?(?::(?P<port>[0-9]{1,5}))?(?P<rest>[/?][!-\[\]-~]*)?",
    re.IGNORECASE | re.ASCII,
)


@dataclass(frozen=True, slots=True)
class WebAddress:
    """An https address whose host is beyond doubt.

    Args:
        url: The whole address.
        host: Its host, in lower case.
    """

    url: str
    host: str


def https_address(text: str | None, base: str = "") -> WebAddress | None:
    """Read an https address; ``None`` for anything else.

    Args:
        text: What a server sent.
        base: The address that it sent it from, where a relative one is allowed.
    """
    if not text or len(text) > _LONGEST:
        return None
    try:
        found = _HTTPS.fullmatch(urldefrag(urljoin(base, text.strip())).url)
    except ValueError:  # urllib's own reading of brackets and ports
        return None
    if found is None or not 0 < int(found["port"] or 443) <= _HIGHEST_PORT:
        return None
    host = found["host"].lower()
    port = f":{int(found['port'])}" if found["port"] else ""
    rest = found["rest"] or "/"
    return WebAddress(f"https://{host}{port}{rest if rest.startswith('/') else '/' + rest}", host)


def mail_domain(email: str) -> str:
    """Return the domain of an address as the domain name system knows it.

    Raises:
        ConfigurationError: It is not one e-mail address.
    """
    domain = domain_of(parse_address(email))
    if domain.isascii():
        return domain
    try:
        return domain.encode("idna").decode("ascii")
    except UnicodeError as error:
        raise ConfigurationError(f"The domain of {email[:80]!r} is no name of the domain name system; check it.") from error
