"""Finding an account's server behind the port: ``ServerFinder`` over Autodiscover and plain looks.

A password travels in one place of this module alone, in one log-on, to the host of the place that it was meant for.
"""

from collections.abc import Callable, Iterator

import requests

from busytime.errors import (
    BusyTimeError,
    ConfigurationError,
    Reason,
    SpoiltAnswerError,
    UnsupportedServerError,
)
from busytime.ews.asking import Asker, Question
from busytime.ews.autodiscover_answers import Said, read_answer, settings_request
from busytime.ews.body import Unreadable, parse_xml, read_body
from busytime.ews.clouds import is_exchange_online
from busytime.ews.failures import Request, bare, make_error
from busytime.ews.http_statuses import REDIRECTS, not_ews_error, status_error
from busytime.ews.logging_on import BasicLogOn, Challenged, LogOn, NTLMLogOn, Way
from busytime.ews.looking import Lookout, offers_of
from busytime.ews.session import check_url, tls_context
from busytime.ews.web_addresses import WebAddress, https_address
from busytime.model import AuthType, Secret
from busytime.roster import domain_of, parse_address
from busytime.server_finding import LogOnPlace

_GIVE_URL = "give --ews-url https://HOST/EWS/Exchange.asmx (docs/connecting.md#ews-url says where it stands)"
_NOBODY = frozenset({500, 501})  # MS-OXDSCLI, 2.2.4.1.1.3.2: no such address, or one without a mailbox
#: Statuses that say here what they say at EWS, beside those above 500.
_USUAL = frozenset({401, 408, 429})


class EWSServerFinder:
    """Finds servers. Safe to use from several threads; nothing is kept from one call to the next."""

    def __init__(self, ca_pem: str | None, *, request_deadline_seconds: float, max_answer_bytes: int = 2**20) -> None:
        """Prepare; nothing is sent.

        Args:
            ca_pem: The private authority that is trusted in the public ones' stead.
            request_deadline_seconds: From the first step of connecting to the last byte of an answer; looking up a
                host's name comes before it and has the resolver's own limit. A look at a place takes 5 s at most.
            max_answer_bytes: After unpacking.

        Raises:
            ConfigurationError: The private authority is none.
        """
        self._asker = Asker(tls_context(ca_pem))
        self._lookout = Lookout(self._asker, request_deadline_seconds)
        self._seconds = request_deadline_seconds
        self._max_answer_bytes = max_answer_bytes

    def look(self, email: str) -> Iterator[LogOnPlace]:
        """Look at the well-known places of Autodiscover, all at once; those under the mail's own domain come first.

        Raises:
            ConfigurationError: It is not one e-mail address.
            BusyTimeError: As the port says. Of several places, that under ``autodiscover.`` speaks: the domain itself
                mostly is a web site.
        """
        places, failures = self._lookout.look_around(email)
        yield from places
        if failures and not places:
            raise bare(failures[-1])

    def ask(self, place: LogOnPlace, secret: Secret) -> str | LogOnPlace:
        """Log on at a place, once, and return the EWS URL, or the place that it leads to.

        NTLM is taken where it is offered: it proves the password without showing it, not even to a host that should
        not have been trusted; otherwise Basic.

        Raises:
            ConfigurationError: The answer names no server for this account; or, before anything is sent, the place is
                not what it says.
            UnsupportedServerError: It offers neither NTLM nor Basic; nothing was sent.
            AuthenticationError, BusyTimeError: As the port says.
        """
        request = Request(place.email, place.url, f"Asking for the server of {place.email}", _STEPS)
        address = https_address(place.url)
        if address is None or address.host != place.host.lower():
            raise ConfigurationError(f"{request.what}: the place is not one https address; {_GIVE_URL}.")
        question = Question(request, self._seconds, body=settings_request(place.email))
        auth_type = _auth_type(place, request)

        def read(response: requests.Response) -> Said | WebAddress | BusyTimeError:
            return self._read(response, request, auth_type)

        said: Said | WebAddress | BusyTimeError = self._asker.ask(question, read, _WAYS[auth_type](secret).send(_Once()))
        end: str | LogOnPlace | WebAddress | BusyTimeError
        end = self._conclude(said, place, request) if isinstance(said, Said) else said
        if isinstance(end, WebAddress):
            end = self._next(end, place, request)
        if isinstance(end, BusyTimeError):
            raise bare(end)
        return end

    def offered(self, ews_url: str) -> frozenset[AuthType]:
        """Tell which ways of logging on an EWS URL offers: one request without a log-on, and with nothing in it.

        Raises:
            ConfigurationError: It is not an https address.
            UnsupportedServerError, BusyTimeError: As the port says.
        """
        host = check_url(ews_url)
        request = Request("EMAIL", ews_url, "Looking at the EWS URL")

        def read(response: requests.Response) -> frozenset[AuthType] | BusyTimeError:
            if response.status_code == 401:  # noqa: PLR2004 -- an HTTP status
                return offers_of(response, host) or make_error(UnsupportedServerError, Reason.NO_LOGON_METHOD, request)
            if response.status_code == 500:  # noqa: PLR2004
                return make_error(SpoiltAnswerError, Reason.SERVER_ERROR, request, detail="http_500")
            # Who answers without a log-on shows a page for people; no EWS server does.
            return status_error(response, request) or not_ews_error(request)

        offers = self._asker.ask(Question(request, self._seconds), read)
        if isinstance(offers, BusyTimeError):
            raise bare(offers)
        return offers

    def close(self) -> None:
        """Do nothing: no connection stays open from one call to the next."""

    def _read(self, response: requests.Response, request: Request, auth_type: AuthType) -> Said | WebAddress | BusyTimeError:
        """Read the answer to a log-on."""
        status = response.status_code
        if status in REDIRECTS:
            return https_address(response.headers.get("Location"), response.url) or _nowhere(request)
        if status in _USUAL or status > 500:  # noqa: PLR2004 -- an HTTP status
            return status_error(response, request, auth_type) or _no_server(request)
        if status != 200:  # noqa: PLR2004
            return _no_server(request, detail=f"http_{status}")
        try:
            return read_answer(parse_xml(read_body(response, self._max_answer_bytes)))
        except Unreadable as unreadable:
            return _no_server(request, reason=unreadable.reason)

    def _conclude(self, said: Said, place: LogOnPlace, request: Request) -> str | LogOnPlace | WebAddress | BusyTimeError:
        """Find in an answer the EWS URL, or whom to ask next."""
        if said.error_code is not None:
            reason = Reason.MAILBOX_NOT_FOUND if said.error_code in _NOBODY else Reason.SERVER_ERROR
            return _no_server(request, reason=reason, detail=f"autodiscover_{said.error_code}")
        if said.redirect_address is not None:
            return self._other_address(said.redirect_address, place, request)
        if said.redirect_url is not None:
            return https_address(said.redirect_url) or _nowhere(request)
        found = next(filter(None, map(https_address, said.ews_urls)), None)
        return _no_server(request) if found is None else found.url

    def _next(self, address: WebAddress, place: LogOnPlace, request: Request) -> LogOnPlace | BusyTimeError:
        """Look at where a place leads to, without a log-on."""
        sighting = self._lookout.look_at(address, place.email)
        if sighting.failure is not None:
            return sighting.failure
        if sighting.place is None or sighting.place == place:
            return _nowhere(request)
        return sighting.place

    def _other_address(self, text: str, place: LogOnPlace, request: Request) -> LogOnPlace | BusyTimeError:
        """Find where to ask for another address of the same account."""
        try:
            email = parse_address(text)
        except ConfigurationError:
            email = place.email
        if email == place.email.lower():
            return _nowhere(request)
        if domain_of(email) == domain_of(place.email):
            return LogOnPlace(place.url, place.host, email, place.auth_types)
        places, failures = self._lookout.look_around(email)
        return next(iter(places), None) or next(reversed(failures), None) or _nowhere(request)


_STEPS = {
    Reason.NOT_AN_EWS_SERVER: _GIVE_URL,
    Reason.MAILBOX_NOT_FOUND: f"check the address; if it is right, {_GIVE_URL}",
    Reason.NO_LOGON_METHOD: _GIVE_URL,
}


def _no_server(request: Request, *, reason: Reason = Reason.NOT_AN_EWS_SERVER, detail: str | None = None) -> BusyTimeError:
    said = "the answer names no EWS server for this account" if reason is Reason.NOT_AN_EWS_SERVER else None
    return make_error(ConfigurationError, reason, request, said=said, detail=detail, step=request.steps.get(reason, _GIVE_URL))


def _nowhere(request: Request) -> BusyTimeError:
    said = "it leads to another place, where nobody asks for a log-on over https"
    return make_error(ConfigurationError, Reason.REDIRECTED, request, said=said, step=_GIVE_URL)


class _Once:
    """The one log-on of a question. Nobody knocks: the place has said already that it wants one."""

    def knock(self, way: Way) -> Way | Challenged:  # noqa: ARG002 -- the protocol's signature
        return Challenged()

    def enter(self, way: Way, *, log_on: bool) -> Way:  # noqa: ARG002 -- as above
        return way


#: By which a password may travel, the better one first.
_WAYS: dict[AuthType, Callable[[Secret], LogOn]] = {AuthType.NTLM: NTLMLogOn, AuthType.BASIC: BasicLogOn}


def _auth_type(place: LogOnPlace, request: Request) -> AuthType:
    """Return how to log on at a place.

    Raises:
        UnsupportedServerError: With no password.
    """
    online = is_exchange_online(place.host)
    for auth_type in _WAYS:
        if auth_type in place.auth_types and not online:
            return auth_type
    ended = online or AuthType.OAUTH in place.auth_types
    reason = Reason.PASSWORDS_ENDED if ended else Reason.NO_LOGON_METHOD
    raise make_error(UnsupportedServerError, reason, request)
