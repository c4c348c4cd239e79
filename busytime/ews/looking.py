"""Looking at places of Autodiscover without a log-on: which of them want one, and where they lead to.

No password is at hand here, so redirects are followed, and any host may be asked.
"""

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import requests

from busytime.errors import BusyTimeError, Reason
from busytime.ews.asking import Asker, Question
from busytime.ews.autodiscover_answers import PATH, settings_request
from busytime.ews.clouds import is_exchange_online
from busytime.ews.failures import Request
from busytime.ews.http_statuses import REDIRECTS, SCHEMES, offered_schemes
from busytime.ews.srv_records import srv_places
from busytime.ews.web_addresses import WebAddress, https_address, mail_domain
from busytime.model import AuthType
from busytime.server_finding import LogOnPlace, is_own_host

_MOST_REDIRECTS = 5
#: The longest that one well-known place may take, its redirects included; the domain name system comes on top.
_LOOK_SECONDS = 5.0
_SRV_SECONDS = 3.0

#: What is worth telling of a place under the mail's own domain: it is there, and something is to be mended.
_TELLING = frozenset({Reason.CERTIFICATE_NOT_TRUSTED, Reason.TLS_TOO_OLD})


@dataclass(frozen=True, slots=True)
class Sighting:
    """What was seen at a place, or where it led to: one that wants a log-on, or a failure, or neither.

    Args:
        host: Where the last answer came from, or did not.
        place: What wants a log-on.
        failure: Why nothing could be seen.
    """

    host: str
    place: LogOnPlace | None = None
    failure: BusyTimeError | None = None


@dataclass(frozen=True, slots=True)
class _Glance:
    """The head of one answer: what it offers, and where it leads to."""

    offers: frozenset[AuthType] = frozenset()
    leads_to: WebAddress | None = None


class Lookout:
    """Looks at places. Safe to use from several threads."""

    def __init__(self, asker: Asker, request_deadline_seconds: float) -> None:
        """Take what sends."""
        self._asker = asker
        self._seconds = min(_LOOK_SECONDS, request_deadline_seconds)

    def look_around(self, email: str) -> tuple[list[LogOnPlace], list[BusyTimeError]]:
        """Look at all well-known places of a mail domain, at once (MS-OXDISCO, 3.1.5).

        Returns:
            The places that want a log-on, those under the mail's own domain first; and what is wrong with places
            under it that could not be seen, in the order of the places.

        Raises:
            ConfigurationError: It is not one e-mail address.
        """
        domain = mail_domain(email)
        looks: list[Callable[[], Sighting | None]] = [
            lambda: self.look_at(WebAddress(f"https://{domain}{PATH}", domain), email),
            lambda: self.look_at(WebAddress(f"https://autodiscover.{domain}{PATH}", f"autodiscover.{domain}"), email),
            lambda: self._look_over_http(f"http://autodiscover.{domain}{PATH}", email),
            lambda: self._look_by_srv(domain, email),
        ]
        with ThreadPoolExecutor(len(looks)) as pool:
            seen = [sighting for sighting in pool.map(lambda look: look(), looks) if sighting is not None]
        return _in_order(email, seen), list(_telling(email, seen))

    def look_at(self, address: WebAddress, email: str) -> Sighting:
        """Look at a place and follow where it leads to, as far as it is https."""
        ends_at = time.monotonic() + self._seconds
        seen: set[str] = set()
        here: WebAddress | None = address
        while here is not None and here.url not in seen and len(seen) <= _MOST_REDIRECTS:
            seen.add(here.url)
            address = here
            glance = self._glance("POST", address.url, email, settings_request(email), ends_at)
            if isinstance(glance, BusyTimeError):
                return Sighting(address.host, failure=glance)
            if glance.offers:
                return Sighting(address.host, LogOnPlace(address.url, address.host, email, glance.offers))
            here = glance.leads_to
        return Sighting(address.host)

    def _look_over_http(self, url: str, email: str) -> Sighting | None:
        """Read where a bare request without anything in it is led to; nothing else is ever believed over http."""
        glance = self._glance("GET", url, email, b"", time.monotonic() + self._seconds)
        if isinstance(glance, BusyTimeError) or glance.leads_to is None:
            return None
        return self.look_at(glance.leads_to, email)

    def _look_by_srv(self, domain: str, email: str) -> Sighting | None:
        sighting = None
        for address in srv_places(domain, min(_SRV_SECONDS, self._seconds)):
            sighting = self.look_at(address, email)
            if sighting.place is not None:
                break
        return sighting

    def _glance(self, method: str, url: str, email: str, body: bytes, ends_at: float) -> _Glance | BusyTimeError:
        request = Request(email, url, f"Asking for the server of {email}")
        # What is over is told by the first operation of a socket: an exchange of no length is one that failed.
        seconds = max(ends_at - time.monotonic(), 0.001)
        return self._asker.ask(Question(request, seconds, method, body), _read)


def offers_of(response: requests.Response, host: str) -> frozenset[AuthType]:
    """Return the ways of logging on that an answer with the status 401 offers, as far as busytime knows them.

    Args:
        response: The answer.
        host: Who gave it; Exchange Online still offers what it does not take any more.
    """
    if is_exchange_online(host):
        return frozenset({AuthType.OAUTH})
    offered = offered_schemes(response)
    return frozenset(way for way, scheme in SCHEMES.items() if scheme in offered)


def _read(response: requests.Response) -> _Glance:
    address = https_address(response.url)
    if response.status_code in REDIRECTS:
        return _Glance(leads_to=https_address(response.headers.get("Location"), response.url))
    if response.status_code == 401 and address is not None:  # noqa: PLR2004 -- an HTTP status
        return _Glance(offers_of(response, address.host))
    return _Glance()


def _in_order(email: str, seen: list[Sighting]) -> list[LogOnPlace]:
    """Return each place once, those under the mail's own domain first."""
    places: dict[str, LogOnPlace] = {}
    for sighting in seen:
        if sighting.place is not None:
            places.setdefault(sighting.place.url.lower(), sighting.place)
    return sorted(places.values(), key=lambda place: not is_own_host(email, place.host))


def _telling(email: str, seen: list[Sighting]) -> Iterator[BusyTimeError]:
    for sighting in seen:
        if sighting.failure is not None and sighting.failure.reason in _TELLING and is_own_host(email, sighting.host):
            yield sighting.failure
