"""Log-ons on real tables: claimed before they are sent, counted over processes, and secrets that nobody can read."""

from datetime import timedelta

import pytest
from sqlalchemy import LargeBinary, inspect, select, text

from busytime.claiming import Desk
from busytime.connecting import connect, disconnect, open_secret
from busytime.errors import (
    AllowanceUsedUpError,
    AuthenticationError,
    ConfigurationError,
    KeyMissingError,
    Reason,
    ServerUnavailableError,
    SpoiltAnswerError,
)
from busytime.model import ConnectionMode, Endpoint, LogonAnswer, Secret
from busytime.signing_in import LockoutPolicy
from busytime.store.tables import connections, credentials, events, logons, metadata, requests
from busytime.vault import MasterKey, Vault
from tests.fakes.in_memory_gateway import InMemoryCalendarGateway

EMAIL = "busytime@corp.example"
ENDPOINT = Endpoint(EMAIL, "https://mail.corp.example/EWS/Exchange.asmx")
PASSWORD = "correct-horse-battery-staple"
SECRET = Secret("CORP\\busytime-account", PASSWORD)
POLICY = LockoutPolicy(5, timedelta(minutes=30))


@pytest.fixture
def desk(store, key, clock):
    return Desk(store, Vault([key]), clock, POLICY, "admin@host")


@pytest.fixture
def server():
    return InMemoryCalendarGateway()


def refuse(server):
    server.fail("probe", lambda: AuthenticationError("The log-on was refused.", detail="http_401"), times=None)


@pytest.fixture
def join(desk, server):
    """Connect, or try to."""

    def connect_with(secret=SECRET, mode=ConnectionMode.CORPORATE, endpoint=ENDPOINT, **how):
        return connect(desk, endpoint, secret, mode, lambda: server, **how).connection

    return connect_with


def test_a_good_secret_is_tried_once_and_stored(join, server, desk, rows):
    stored = join()
    assert (stored.email, stored.mode, stored.breaker, stored.credential_version) == (EMAIL, "corporate", "closed", 1)
    assert [request[0] for request in server.requests] == ["probe", "find_items"]
    assert server.closed
    assert open_secret(desk, stored) == SECRET
    assert [(row["by"], row["answer"]) for row in rows(logons)] == [("person", "accepted")]
    assert [row["tag"] for row in rows(events)] == ["person:connection:opened"]


def test_a_refused_secret_is_tried_once_and_nothing_is_stored_but_the_attempt(join, server, rows):
    refuse(server)
    with pytest.raises(AuthenticationError, match="1 more try is safe now"):
        join()
    assert len(server.requests) == 1
    assert server.closed
    assert rows(connections) == rows(credentials) == rows(events) == []
    assert [(row["by"], row["answer"], row["error_code"]) for row in rows(logons)] == [("person", "refused", "http_401")]


def test_a_person_may_be_refused_twice_and_then_nothing_is_sent(join, server, clock):
    refuse(server)
    for words in ("1 more try is safe now", "No further try is safe before 2026-11-23 08:30"):
        with pytest.raises(AuthenticationError, match=words):
            join()
    server.closed = False
    with pytest.raises(AllowanceUsedUpError, match="safe again from 2026-11-23 08:30 UTC"):
        join()
    assert len(server.requests) == 2
    assert server.closed
    clock.go(minutes=30)
    with pytest.raises(AuthenticationError):
        join()


def test_a_claim_stands_before_anything_is_sent(join, server, rows):
    seen = []

    def look():
        seen.extend(row["answer"] for row in rows(logons))
        return ServerUnavailableError("down")

    server.fail("probe", look)
    with pytest.raises(ServerUnavailableError):
        join()
    assert seen == [None]


@pytest.mark.parametrize(
    ("error", "answer"),
    [
        (ServerUnavailableError("down"), LogonAnswer.NOT_SENT),
        (SpoiltAnswerError("cut off", reason=Reason.CONNECTION_LOST), LogonAnswer.UNKNOWN),
        (KeyboardInterrupt(), LogonAnswer.UNKNOWN),
        (ValueError("a bug"), LogonAnswer.UNKNOWN),
    ],
)
def test_what_became_of_an_attempt_is_written_down_once(join, server, rows, error, answer):
    server.fail("probe", lambda: error)
    with pytest.raises(type(error)):
        join()
    assert [row["answer"] for row in rows(logons)] == [answer]
    assert rows(connections) == []


def test_a_second_corporate_connection_is_refused_before_anything_is_sent(join, server, rows):
    join()
    server.closed = False
    sent = len(server.requests)
    with pytest.raises(ConfigurationError, match=f"{EMAIL} is the corporate connection already"):
        join(endpoint=Endpoint("other@corp.example", ENDPOINT.ews_url))
    assert len(server.requests) == sent
    assert server.closed
    assert len(rows(logons)) == 1
    join(endpoint=Endpoint("other@corp.example", ENDPOINT.ews_url), mode=ConnectionMode.PERSONAL)


def test_a_new_secret_replaces_the_old_one_whose_ciphertext_is_destroyed(join, desk, rows):
    join()
    second = join(Secret("eva", "new"))
    assert second.credential_version == 2
    assert open_secret(desk, second) == Secret("eva", "new")
    old, new = rows(credentials)
    assert (old["ciphertext"], old["wrapped_key"], old["key_id"]) == (None, None, None)
    assert old["retired_at"] is not None
    assert new["retired_at"] is None


def test_a_secret_moved_to_another_row_does_not_open(join, desk, engine, store):
    first = join()
    other = join(endpoint=Endpoint("eva@corp.example", ENDPOINT.ews_url), mode=ConnectionMode.PERSONAL)
    with engine.connect().execution_options(writer=True) as connection, connection.begin():
        row = connection.execute(select(credentials).where(credentials.c.connection_id == first.id)).one()
        moved = {"key_id": row.key_id, "wrapped_key": row.wrapped_key, "ciphertext": row.ciphertext}
        connection.execute(credentials.update().where(credentials.c.connection_id == other.id).values(moved))
    with pytest.raises(KeyMissingError):
        open_secret(desk, other)
    with store.read() as unit:
        assert unit.connections.sealed_secret(first.id, 2) is None


def test_another_key_does_not_open_a_stored_secret(join, desk):
    stored = join()
    stranger = Desk(desk.store, Vault([MasterKey.generate()]), desk.clock, POLICY, "admin@host")
    with pytest.raises(KeyMissingError, match="Nothing was changed"):
        open_secret(stranger, stored)


@pytest.mark.parametrize("backend", ["sqlite"], indirect=True)
def test_nothing_of_the_secret_is_in_any_byte_of_the_database(join, server, tmp_path):
    join()
    refuse(server)
    with pytest.raises(AuthenticationError):
        join(Secret("CORP\\other-account", "another-password-that-is-wrong"))
    files = list(tmp_path.glob("busytime.db*"))
    assert files
    for path in files:
        content = path.read_bytes()
        for part in (PASSWORD, "busytime-account", "other-account", "another-password"):
            assert part.encode() not in content
            assert part.encode("utf-16-le") not in content


def test_nothing_of_the_secret_is_in_any_column(join, engine):
    join()
    with engine.connect() as connection:
        for table in metadata.sorted_tables:
            binary = [column.name for column in table.columns if isinstance(column.type, LargeBinary)]
            for row in connection.execute(select(table)):
                assert PASSWORD not in str(row)
                assert not any(PASSWORD.encode() in (row._mapping[name] or b"") for name in binary)
        for view in inspect(engine).get_view_names():
            for row in connection.execute(text(f"SELECT * FROM {view}")):  # noqa: S608 -- names from the database
                assert PASSWORD not in str(row)


def test_an_answer_is_written_once(join, store, clock, rows):
    join()
    with store.write() as unit:
        unit.logons.answer(rows(logons)[0]["id"], LogonAnswer.REFUSED, clock.now())
    assert rows(logons)[0]["answer"] == "accepted"


def test_a_longer_back_off_stays(join, store, clock):
    stored = join()
    later = clock.now() + timedelta(minutes=5)
    with store.write() as unit:
        unit.connections.back_off(stored.id, later)
        unit.connections.back_off(stored.id, later - timedelta(minutes=1))
        assert unit.connections.back_off_until(stored.id) == later
        unit.connections.learn_window(stored.id, 42)
    with store.read() as unit:
        assert unit.connections.all_open()[0].window_days == 42


def test_an_account_has_one_connection_in_one_mode(join, rows):
    join()
    with pytest.raises(ConfigurationError, match=f"busytime disconnect {EMAIL}"):
        join(mode=ConnectionMode.PERSONAL)
    assert len(rows(logons)) == 1


def test_a_person_who_insists_is_tried_beyond_the_allowance(join, server):
    refuse(server)
    for _ in range(2):
        with pytest.raises(AuthenticationError):
            join()
    with pytest.raises(AllowanceUsedUpError, match="--force"):
        join()
    with pytest.raises(AuthenticationError):
        join(force=True)
    assert len(server.requests) == 3


def test_connecting_again_keeps_since_when_and_asks_for_a_re_sync(join, clock, rows):
    first = join()
    assert rows(requests) == []
    clock.go(minutes=5)
    second = join(Secret("eva", "new"))
    assert (second.id, second.opened_at) == (first.id, first.opened_at)
    assert [(it["kind"], it["connection_id"], it["done_at"]) for it in rows(requests)] == [("resync", first.id, None)]


def test_whether_the_mailbox_is_empty_is_told_and_stops_nobody(desk, server):
    server.fail("find_items", lambda: SpoiltAnswerError("garbled"))
    told = connect(desk, ENDPOINT, SECRET, ConnectionMode.CORPORATE, lambda: server)
    assert (told.holds_items, told.again) == (None, False)


def test_disconnecting_destroys_the_secret_and_keeps_the_audit(join, desk, rows, clock):
    stored = join()
    disconnect(desk, stored)
    assert rows(connections)[0]["closed_at"] == clock.now()
    row = rows(credentials)[0]
    assert (row["ciphertext"], row["wrapped_key"], row["key_id"], row["retired_at"]) == (None, None, None, clock.now())
    assert [it["tag"] for it in rows(events)] == ["person:connection:opened", "person:connection:closed"]
    with pytest.raises(KeyMissingError, match="busytime connect"):
        open_secret(desk, stored)


def test_connecting_after_a_disconnect_continues_the_history_from_now(join, desk, clock, rows):
    first = join()
    disconnect(desk, first)
    clock.go(hours=1)
    again = join(mode=ConnectionMode.PERSONAL)
    assert (again.id, again.opened_at, again.mode, again.credential_version) == (first.id, clock.now(), "personal", 2)
    assert [it["version"] for it in rows(credentials)] == [1, 2]
