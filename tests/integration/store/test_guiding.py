"""Guidance with a scripted person and a made-up world: what is asked, in which order, and who sees the password."""

from itertools import pairwise

import pytest

from busytime.claiming import Desk
from busytime.errors import (
    AllowanceUsedUpError,
    AuthenticationError,
    ConfigurationError,
    Reason,
    UnsupportedServerError,
)
from busytime.guiding import Guide, Tools
from busytime.model import AuthType, ConnectionMode, Secret
from busytime.server_finding import LogOnPlace
from busytime.store.tables import logons
from busytime.vault import Vault
from busytime.wishes import EXCHANGE_ONLINE, Wishes
from tests.fakes.in_memory_gateway import InMemoryCalendarGateway
from tests.integration.store.test_connecting import EMAIL, POLICY

URL = "https://mail.corp.example/EWS/Exchange.asmx"
FOREIGN = "https://mail.hoster.example/EWS/Exchange.asmx"
BASIC = frozenset({AuthType.BASIC})


def place(host, email=EMAIL, ways=BASIC):
    return LogOnPlace(f"https://{host}/autodiscover/autodiscover.xml", host, email, ways)


OWN = place("autodiscover.corp.example")
STRANGE = place("autodiscover.hoster.example")


class ScriptedPerson:
    """Answers from a list; what is asked beyond it fails the test."""

    def __init__(self, *answers, present=True):
        self.answers = list(answers)
        self.present = present
        self.told = []

    def say(self, text):
        self.told.append(text)

    def ask(self, question):
        return self._answer(question)

    def confirm(self, question):
        return self._answer(question)

    def secret(self, what):
        return self._answer(what)

    def _answer(self, question):
        assert self.answers, f"nobody expected: {question}"
        expected, answer = self.answers.pop(0)
        assert expected in question
        self.told.append(question)
        return answer

    @property
    def announced(self):
        return [text for text in self.told if text.startswith("Log-on ")]


class World:
    """Places, what they say to a log-on, and who saw which password."""

    def __init__(self):
        self.places = []
        self.says = {}
        self.ways = {}
        self.seen = []
        self.gateway = InMemoryCalendarGateway()

    def look(self, email):  # noqa: ARG002 -- the port's signature
        yield from self.places

    def ask(self, place, secret):
        self.seen.append((place.host, secret.username, secret.password))
        said = self.says[place.host]
        if isinstance(said, Exception):
            raise said
        return said

    def offered(self, ews_url):
        offered = self.ways.get(ews_url, BASIC)
        if isinstance(offered, Exception):
            raise offered
        return offered

    def close(self):
        pass

    def open_gateway(self, endpoint, secret):
        self.seen.append((endpoint.ews_url, secret.username, secret.password))
        self.endpoint = endpoint
        return self.gateway


@pytest.fixture
def world():
    return World()


@pytest.fixture
def connect(store, key, clock, world):
    """Connect with a scripted person."""
    desk = Desk(store, Vault([key]), clock, POLICY, "admin@host")

    def run(person, mode=ConnectionMode.CORPORATE, **wishes):
        tools = Tools(desk, lambda _ca: world, world.open_gateway)
        connected = Guide(tools, person, Wishes(EMAIL, mode, **wishes)).connect()
        assert not person.answers, "it asked for less"
        return connected

    return run


def refusal():
    return AuthenticationError("The log-on was refused.", detail="http_401")


def test_what_is_found_is_not_asked_for(connect, world):
    world.places, world.says = [OWN], {OWN.host: URL}
    person = ScriptedPerson(("Password", "right"))
    assert connect(person).connection.endpoint.ews_url == URL
    assert [(where, who) for where, who, _ in world.seen] == [(OWN.host, EMAIL), (URL, EMAIL)]
    assert len(person.announced) == 2


def test_the_password_is_asked_for_last_and_once(connect, world):
    world.says = {STRANGE.host: FOREIGN}
    world.places = [STRANGE]
    person = ScriptedPerson(
        (f"Send the password to {STRANGE.host}?", True), ("Password", "right"), ("mail.hoster.example?", True)
    )
    connect(person)
    assert person.told.index("Password") < person.told.index(person.announced[0])


def test_a_chain_is_bounded_and_each_of_its_hosts_is_confirmed(connect, world):
    hosts = [place(f"{name}.hoster.example") for name in "abcd"]
    world.places = [OWN]
    world.says = {OWN.host: hosts[0]} | {here.host: there for here, there in pairwise(hosts)}
    agree = [(f"Send the password to {host.host}?", True) for host in hosts[:3]]
    person = ScriptedPerson(("Password", "right"), *agree, ("EWS URL, like", URL), ("User name", ""))
    connect(person)
    assert [where for where, *_ in world.seen] == [OWN.host, hosts[0].host, hosts[1].host, URL]
    assert len(person.announced) == 4


def test_a_host_that_was_not_agreed_to_is_asked_about_once_and_sees_nothing(connect, world):
    world.places = [STRANGE, place(STRANGE.host, ways=BASIC | {AuthType.NTLM})]
    person = ScriptedPerson(("Send the password to", False), ("EWS URL, like", URL), ("User name", ""), ("Password", "right"))
    connect(person)
    assert [where for where, *_ in world.seen] == [URL]


def test_a_place_that_knows_nothing_leads_to_the_next_and_a_refusal_does_not(connect, world):
    other = place("corp.example")
    world.places = [OWN, other]
    world.says = {OWN.host: ConfigurationError("It names no server."), other.host: refusal()}
    with pytest.raises(AuthenticationError, match="was not connected"):
        connect(ScriptedPerson(("Password", "wrong"), ("Try again", False)))
    assert [where for where, *_ in world.seen] == [OWN.host, other.host]
    world.says[OWN.host] = refusal()
    world.seen.clear()
    with pytest.raises(AuthenticationError):
        connect(ScriptedPerson(("Password", "wrong"), present=False))
    assert [where for where, *_ in world.seen] == [OWN.host]


def test_a_further_try_is_asked_for_anew_and_stays_within_the_allowance(connect, world, rows):
    world.places, world.says = [OWN], {OWN.host: refusal()}
    person = ScriptedPerson(
        ("Password", "wrong"),
        ("Try again", True),
        (f"blank for asking {OWN.host} again", ""),
        ("User name", "CORP\\busytime"),
        ("Password", "wrong too"),
    )
    with pytest.raises(AuthenticationError, match="No further try is safe"):
        connect(person)
    assert [who for _, who, _ in world.seen] == [EMAIL, "CORP\\busytime"]
    assert [row["answer"] for row in rows(logons)] == ["refused", "refused"]
    with pytest.raises(AllowanceUsedUpError):
        connect(ScriptedPerson())
    world.says = {OWN.host: URL}
    forced = ScriptedPerson(("Password", "right"))
    connect(forced, force=True)
    assert "can lock the account" in forced.announced[0]


@pytest.mark.parametrize(
    ("offered", "wanted", "chosen"),
    [
        ({AuthType.BASIC, AuthType.NTLM}, None, AuthType.NTLM),
        ({AuthType.BASIC, AuthType.NTLM}, AuthType.BASIC, AuthType.BASIC),
        ({AuthType.BASIC, AuthType.OAUTH}, None, AuthType.BASIC),
    ],
)
def test_the_offer_chooses_how_to_log_on(connect, world, offered, wanted, chosen):
    world.ways[URL] = frozenset(offered)
    connected = connect(ScriptedPerson(("Password", "right")), ews_url=URL, auth_type=wanted)
    assert connected.connection.endpoint.auth_type is chosen


def test_what_was_chosen_by_hand_stays_when_connecting_again(connect, world):
    world.ways[URL] = frozenset({AuthType.BASIC, AuthType.NTLM})
    connect(ScriptedPerson(("Password", "right")), ews_url=URL, auth_type=AuthType.BASIC, username="CORP\\busytime")
    again = connect(ScriptedPerson(("Password", "newer")))
    assert again.again
    assert again.connection.endpoint.auth_type is AuthType.BASIC
    assert world.seen[-1] == (URL, "CORP\\busytime", "newer")


@pytest.mark.parametrize("where", ["place", "url"])
def test_where_passwords_ended_none_is_asked_for(connect, world, where):
    tokens = frozenset({AuthType.OAUTH})
    world.places, world.ways = [place(OWN.host, ways=tokens)], {URL: tokens}
    with pytest.raises(UnsupportedServerError, match="--auth oauth") as caught:
        connect(ScriptedPerson(), ews_url=URL if where == "url" else None)
    assert caught.value.reason is Reason.PASSWORDS_ENDED
    assert world.seen == []


def test_an_application_needs_no_search(connect, world):
    world.ways[EXCHANGE_ONLINE] = frozenset({AuthType.OAUTH})
    tokens = {"auth_type": AuthType.OAUTH, "username": "an-id", "token_url": "https://login.example/token"}
    connected = connect(ScriptedPerson(("Client secret", "right")), **tokens)
    assert connected.connection.endpoint.ews_url == EXCHANGE_ONLINE
    connect(ScriptedPerson(("Client secret", "newer")))
    assert world.endpoint.token_url == "https://login.example/token"
    assert world.seen[-1] == (EXCHANGE_ONLINE, "an-id", "newer")


@pytest.mark.parametrize("missing", ["username", "token_url"])
def test_what_an_application_lacks_is_named(connect, missing):
    tokens = {"auth_type": AuthType.OAUTH, "username": "an-id", "token_url": "https://login.example/token"}
    with pytest.raises(ConfigurationError, match="--client-id" if missing == "username" else "--tenant"):
        connect(ScriptedPerson(), **{name: value for name, value in tokens.items() if name != missing})


def test_without_a_person_nothing_is_asked_and_the_option_is_named(connect, world):
    nobody = ScriptedPerson(("Password", "right"), present=False)
    with pytest.raises(ConfigurationError, match="--ews-url"):
        connect(nobody)
    world.places = [STRANGE]
    with pytest.raises(ConfigurationError, match=r"autodiscover\.hoster\.example, outside"):
        connect(ScriptedPerson(("Password", "right"), present=False))
    assert world.seen == []


def test_a_wrong_url_is_told_and_asked_for_again_until_the_person_gives_up(connect, world):
    wrong = "https://mail.corp.example/owa/"
    world.ways = {wrong: UnsupportedServerError("No EWS.", reason=Reason.NOT_AN_EWS_SERVER)}
    world.ways["https://gone.corp.example/EWS/Exchange.asmx"] = UnsupportedServerError("Elsewhere.", reason=Reason.REDIRECTED)
    with pytest.raises(ConfigurationError, match="without the EWS URL"):
        connect(
            ScriptedPerson(
                (f"Take {URL} instead?", False),
                ("EWS URL, like", "https://gone.corp.example/EWS/Exchange.asmx"),
                ("EWS URL, like", " "),
            ),
            ews_url=wrong,
        )
    connect(ScriptedPerson((f"Take {URL} instead?", True), ("Password", "right")), ews_url=wrong)


def test_an_interrupted_log_on_counts_as_one_and_stores_nothing(connect, world, rows):
    world.places, world.says = [OWN], {OWN.host: URL}

    def stop(_place, _secret):
        raise KeyboardInterrupt

    world.ask = stop
    with pytest.raises(KeyboardInterrupt):
        connect(ScriptedPerson(("Password", "right")))
    assert [row["answer"] for row in rows(logons)] == ["unknown"]


def test_a_secret_shows_in_nothing_that_was_said(connect, world):
    world.places, world.says = [OWN], {OWN.host: URL}
    person = ScriptedPerson(("Password", "correct-horse"))
    connect(person)
    assert "correct-horse" not in " ".join(person.told)
    assert "correct-horse" not in repr(Secret(EMAIL, "correct-horse"))
