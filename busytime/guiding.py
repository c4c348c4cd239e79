"""Connecting with guidance: from an e-mail address to a connection, with a person who is asked for what is missing.

It knows no terminal. Before a password is asked for, everything is found that can be found without one. The password
travels only in log-ons that were announced, to hosts under the mail's own domain and to those that the person named. A
refusal ends what goes on by itself: each further try is the person's own.
"""

from collections.abc import Callable, Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass
from itertools import dropwhile
from typing import Protocol
from urllib.parse import urlsplit

from busytime.claiming import Desk, a_persons_logon, check_allowance
from busytime.connecting import Connected, connect, refuse_a_second
from busytime.diagnoses import AUTODISCOVER, EWS_URL, SAFE_TRIES, USER_NAME, with_section
from busytime.errors import (
    AuthenticationError,
    BusyTimeError,
    ConfigurationError,
    FatalError,
    Reason,
    UnsupportedServerError,
)
from busytime.model import AUTH_NAMES, AuthType, ConnectionMode, Endpoint, LogonBy, Secret
from busytime.ports import CalendarGateway, ServerFinder
from busytime.server_finding import LogOnPlace, is_own_host
from busytime.signing_in import Allowance, allowance
from busytime.wishes import Wishes, complete

#: Log-ons that one search for the server takes at most.
_MOST_ASKED = 3
#: By which passwords travel, the better one first: NTLM logs on once a connection, Basic once a request.
_BY_PASSWORD = (AuthType.NTLM, AuthType.BASIC)
#: What another EWS URL may mend.
_WRONG_URL = frozenset({Reason.NOT_AN_EWS_SERVER, Reason.REDIRECTED, Reason.SERVER_UNREACHABLE})


class Person(Protocol):
    """Whoever connects the account."""

    @property
    def present(self) -> bool:
        """Whether anybody can be asked; if not, ``ask`` and ``confirm`` are not called."""

    def say(self, text: str) -> None:
        """Tell something."""

    def ask(self, question: str) -> str:
        """Ask for a line; nothing is an answer, too."""

    def confirm(self, question: str) -> bool:
        """Ask for a yes or a no; nothing means no."""

    def secret(self, what: str) -> str:
        """Ask for a password, or read it where a program gave it.

        Raises:
            ConfigurationError: There is none.
        """


@dataclass(frozen=True, slots=True)
class Tools:
    """What a guide works with.

    Args:
        desk: The database and what belongs to it.
        find_servers: Returns a finder that trusts an authority.
        open_gateway: Returns a server as a secret sees it, for a log-on that was claimed.
    """

    desk: Desk
    find_servers: Callable[[str | None], ServerFinder]
    open_gateway: Callable[[Endpoint, Secret], CalendarGateway]


class Guide:
    """Connects one account."""

    def __init__(self, tools: Tools, person: Person, wishes: Wishes) -> None:
        """Look up what is known of the account; nothing is sent.

        Raises:
            ConfigurationError: It would be a second connection; or something is missing.
            AllowanceUsedUpError: One more refused log-on could lock the account.
        """
        self._tools, self._desk, self._person = tools, tools.desk, person
        self._email = wishes.email
        with self._desk.store.read() as unit:
            refuse_a_second(unit.connections.all_open(), wishes.email, wishes.mode)
        if not wishes.force:
            check_allowance(self._allowance(), LogonBy.PERSON, wishes.email)
        self._wishes = complete(self._desk, wishes)
        self._finder = tools.find_servers(self._wishes.ca_pem)
        self._username = self._wishes.username or self._email
        self._agreed: dict[str, bool] = {}
        self._log_ons = 0

    def connect(self) -> Connected:
        """Find the server, ask for the password, and open the connection.

        Raises:
            ConfigurationError: Something is missing, and nobody can be asked for it.
            AuthenticationError: It was refused, and the person wants no further try.
            BusyTimeError: The server cannot be used, or could not be asked.
        """
        with closing(self._finder):
            # A person types nothing in vain; what a program gave is looked at before anything is sent.
            given = None if self._person.present else self._read_secret()
            place = self._prepare()
            password = given or self._read_secret()
            while True:
                try:
                    place = self._ask_around(place, password) if isinstance(place, list) else place
                    return self._log_on(place, password)
                except AuthenticationError as error:
                    self._offer_another_try(error)
                place, password = self._choose_again(place), self._read_secret()

    def _prepare(self) -> Endpoint | list[LogOnPlace]:
        """Find without a password where to log on, or whom to ask for it."""
        if self._wishes.ews_url is not None:
            return self._usable(self._wishes.ews_url)
        self._person.say(f"Looking for the server of {self._email}, without a password ...")
        try:
            seen = list(self._finder.look(self._email))
        except BusyTimeError as error:
            return self._asked_for(error)
        places = self._first_agreed(self._wanting_passwords(seen))
        return places or self._asked_for(ConfigurationError(self._nothing_found()))

    def _wanting_passwords(self, places: Sequence[LogOnPlace]) -> list[LogOnPlace]:
        """Choose the places that want a password.

        Raises:
            UnsupportedServerError: There are places, and none of them does.
        """
        wanted = [place for place in places if place.auth_types.intersection(_BY_PASSWORD)]
        if places and not wanted:
            raise _no_passwords(places[0].host, self._email, places[0].auth_types)
        return wanted

    def _first_agreed(self, places: Iterable[LogOnPlace]) -> list[LogOnPlace]:
        return list(dropwhile(lambda place: not self._may_see(place.host), places))

    def _may_see(self, host: str) -> bool:
        """Tell whether a host may see the password: one under the mail's own domain, or one that the person agreed to."""
        if host not in self._agreed and not is_own_host(self._email, host):
            question = f"{host} is outside of the domain of {self._email} ({AUTODISCOVER}). Send the password to {host}?"
            self._agreed[host] = self._person.present and self._person.confirm(question)
        return self._agreed.get(host, True)

    def _nothing_found(self) -> str:
        give = "give --ews-url https://HOST/EWS/Exchange.asmx"
        strangers = [host for host, agreed in self._agreed.items() if not agreed]
        if not strangers:
            return f"Autodiscover tells nothing of {self._email}: {give} ({EWS_URL} says where it stands)."
        return (
            f"Autodiscover leads to {strangers[0]}, outside of the domain of {self._email}, and no password went there:"
            f" nobody confirmed that host. If it is right, {give} ({AUTODISCOVER})."
        )

    def _usable(self, url: str) -> Endpoint:
        """Return how to log on at an EWS URL; where that is none, ask the person for another."""
        while True:
            try:
                return self._endpoint(url)
            except BusyTimeError as error:
                if not self._person.present or not (isinstance(error, ConfigurationError) or error.reason in _WRONG_URL):
                    raise
                self._tell(error)
                url = self._other_url(url, error)

    def _other_url(self, url: str, error: BusyTimeError) -> str:
        parts = urlsplit(url) if error.reason is Reason.NOT_AN_EWS_SERVER else None
        usual = f"{parts.scheme}://{parts.netloc}/EWS/Exchange.asmx" if parts else url
        if usual.lower() != url.lower() and self._person.confirm(f"Take {usual} instead?"):
            return usual
        return self._ask_url()

    def _ask_url(self) -> str:
        url = self._person.ask(f"EWS URL, like https://HOST/EWS/Exchange.asmx ({EWS_URL})").strip()
        if not url:
            raise ConfigurationError(f"{self._email} cannot be connected without the EWS URL. {EWS_URL} says where it stands.")
        return url

    def _ask_username(self) -> None:
        question = f"User name: blank for {self._email}, or an e-mail address, or DOMAIN\\user ({USER_NAME})"
        self._username = self._person.ask(question).strip() or self._email

    def _asked_for(self, error: BusyTimeError) -> Endpoint:
        """Ask the person for what could not be found.

        Raises:
            BusyTimeError: The one given, if nobody can be asked.
        """
        if not self._person.present:
            raise error
        self._tell(error)
        endpoint = self._usable(self._ask_url())
        if self._wishes.username is None:
            self._ask_username()
        return endpoint

    def _endpoint(self, url: str) -> Endpoint:
        """Look at an EWS URL without a password, and choose how to log on there."""
        offered = self._finder.offered(url)
        host, wanted = urlsplit(url).hostname or "", self._wishes.auth_type
        if wanted is not None and wanted not in offered:
            ways = " and ".join(f"{AUTH_NAMES[way]} (--auth {way})" for way in AuthType if way in offered)
            text = f"{host} does not offer {AUTH_NAMES[wanted]}, only {ways}; no password was sent. Name one of these."
            raise UnsupportedServerError(text, reason=Reason.NO_LOGON_METHOD)
        chosen = wanted or next((way for way in (self._wishes.preferred, *_BY_PASSWORD) if way in offered), None)
        if chosen is None:
            raise _no_passwords(host, self._email, offered)
        token_url = self._wishes.token_url if chosen is AuthType.OAUTH else None
        return Endpoint(self._email, url, chosen, self._wishes.ca_pem, token_url)

    def _ask_around(self, places: Sequence[LogOnPlace], password: str) -> Endpoint:
        """Ask places with a password where the mailbox is, one after the other, until one tells or refuses it."""
        waiting, failure = self._first_agreed(places), None
        for _ in range(_MOST_ASKED):
            if not waiting:
                break
            try:
                found = self._ask(waiting.pop(0), password)
            except BusyTimeError as error:
                if isinstance(error, FatalError) and not isinstance(error, UnsupportedServerError):
                    raise
                failure = error
            else:
                if not isinstance(found, LogOnPlace):
                    return self._found(found)
                waiting.insert(0, found)
            waiting = self._first_agreed(waiting)
        return self._asked_for(failure or ConfigurationError(self._nothing_found()))

    def _found(self, url: str) -> Endpoint:
        if self._may_see(urlsplit(url).hostname or ""):
            return self._usable(url)
        return self._asked_for(ConfigurationError(self._nothing_found()))

    def _ask(self, place: LogOnPlace, password: str) -> str | LogOnPlace:
        self._wanting_passwords([place])
        self._announce(f"asking {place.host} where the mailbox of {place.email} is, as {self._username}")
        with a_persons_logon(self._desk, self._email, force=self._wishes.force):
            return self._finder.ask(place, Secret(self._username, password))

    def _log_on(self, endpoint: Endpoint, password: str) -> Connected:
        host, secret = urlsplit(endpoint.ews_url).hostname, Secret(self._username, password)
        open_gateway, mode, force = self._tools.open_gateway, self._wishes.mode, self._wishes.force
        then = ", and if it is let in, looking whether its own calendar is empty" if mode is ConnectionMode.CORPORATE else ""
        self._announce(f"logging on to {host} as {self._username}, by {AUTH_NAMES[endpoint.auth_type]}{then}")
        return connect(self._desk, endpoint, secret, mode, lambda: open_gateway(endpoint, secret), force=force)

    def _read_secret(self) -> str:
        return self._person.secret("Client secret" if self._wishes.by_token else "Password")

    def _announce(self, what: str) -> None:
        left = self._allowance().person_left
        safe = (
            f"{left} {'try is' if left == 1 else 'tries are'} safe now" if left else "one more refused one can lock the account"
        )
        self._log_ons += 1
        self._person.say(f"Log-on {self._log_ons} ({safe}): {what} ...")

    def _allowance(self) -> Allowance:
        with self._desk.store.read() as unit:
            account_id = unit.owners.find(self._email)
            if account_id is not None:
                return self._desk.allowance(unit, account_id)
        return allowance([], self._desk.clock.now(), self._desk.policy)

    def _tell(self, error: BusyTimeError) -> None:
        self._person.say(with_section(str(error), error.reason))

    def _offer_another_try(self, error: AuthenticationError) -> None:
        """Let the person decide whether to try again.

        Raises:
            AuthenticationError: It ends here.
        """
        left = self._allowance().person_left
        if not self._person.present or error.reason is not Reason.LOGON_REFUSED or not (left or self._wishes.force):
            raise error
        self._tell(error)
        if not self._person.confirm(f"Try again now ({SAFE_TRIES})?"):
            text = f"{self._email} was not connected, and nothing of the password was stored."
            raise AuthenticationError(text, detail=error.detail)

    def _choose_again(self, place: Endpoint | list[LogOnPlace]) -> Endpoint | list[LogOnPlace]:
        if self._wishes.by_token:
            return place
        before = f"asking {place[0].host} again" if isinstance(place, list) else place.ews_url
        url = self._person.ask(f"EWS URL: blank for {before}, or another one ({EWS_URL})").strip()
        chosen = self._usable(url) if url else place
        self._ask_username()
        return chosen


def _no_passwords(host: str, email: str, offered: frozenset[AuthType]) -> UnsupportedServerError:
    """Say that a host takes no passwords, and what to do."""
    if AuthType.OAUTH not in offered:
        return UnsupportedServerError(f"{host} offers no way of logging on that busytime knows.", reason=Reason.NO_LOGON_METHOD)
    step = f"run `busytime connect {email} --auth oauth --tenant TENANT --client-id ID`"
    text = f"{host} takes no passwords, only tokens (OAuth); no password was sent: {step}."
    return UnsupportedServerError(text, reason=Reason.PASSWORDS_ENDED)
