"""A person's new password on real tables: tried once, stored if it is good, and a re-sync asked for."""

import pytest

from busytime.connecting import connect, disconnect, open_secret
from busytime.errors import AllowanceUsedUpError, AuthenticationError, NoConnectionError, ServerUnavailableError
from busytime.model import Breaker, ConnectionMode, Secret
from busytime.probing import note_refusal
from busytime.renewing import renew, try_again
from busytime.store.tables import credentials, events, logons, requests
from tests.integration.store.connecting_room import room

__all__ = ["room"]


@pytest.fixture
def stopped(room):
    note_refusal(room.desk, room.connection, AuthenticationError("no"))
    note_refusal(room.desk, room.connection, AuthenticationError("no"))
    return room


def opener(room, seen=None):
    def open_gateway(secret):
        if seen is not None:
            seen.append(secret)
        return room.beyond

    return open_gateway


def test_a_good_password_is_stored_closes_the_breaker_and_asks_for_a_re_sync(stopped, rows):
    seen = []
    renewed = renew(stopped.desk, stopped.connection, "new", opener(stopped, seen))
    assert (renewed.same_secret, renewed.connection.credential_version) == (False, 2)
    assert seen == [Secret("eva", "new")]
    assert len(stopped.beyond.requests) == 1
    assert open_secret(stopped.desk, stopped.stored) == Secret("eva", "new")
    assert stopped.stored.breaker is Breaker.CLOSED
    assert [row["ciphertext"] is None for row in rows(credentials)] == [True, False]
    assert [row["tag"] for row in rows(events)][-1] == "person:password:renewed"
    assert [(it["kind"], it["connection_id"], it["done_at"]) for it in rows(requests)] == [
        ("resync", stopped.connection.id, None)
    ]
    assert stopped.left.refused == 0


def test_a_refused_password_changes_nothing_and_says_how_many_tries_are_left(stopped, rows):
    stopped.refuse()
    with pytest.raises(AuthenticationError, match=r"new password was refused and nothing was changed.*1 more try is safe now"):
        renew(stopped.desk, stopped.connection, "wrong", opener(stopped))
    with pytest.raises(AuthenticationError, match="No further try is safe before"):
        renew(stopped.desk, stopped.connection, "wrong", opener(stopped))
    with pytest.raises(AllowanceUsedUpError):
        renew(stopped.desk, stopped.connection, "wrong", opener(stopped))
    assert len(stopped.beyond.requests) == 2
    assert open_secret(stopped.desk, stopped.stored) == Secret("eva", "old")
    assert stopped.stored.breaker is Breaker.OPEN
    assert rows(requests) == []


def test_the_stored_password_is_tried_as_such(stopped, rows):
    renewed = renew(stopped.desk, stopped.connection, "old", opener(stopped))
    assert (renewed.same_secret, renewed.connection.credential_version) == (True, 1)
    assert rows(logons)[-1]["credential_version"] == 1
    assert stopped.stored.breaker is Breaker.CLOSED
    assert [row["tag"] for row in rows(events)][-1] == "person:breaker:closed"
    assert len(rows(requests)) == 1


def test_the_stored_password_refused_to_a_person_stops_the_machine_too(room, rows):
    room.refuse()
    with pytest.raises(AuthenticationError):
        try_again(room.desk, room.connection, opener(room))
    assert room.stored.breaker is Breaker.OPEN
    assert [row["tag"] for row in rows(events)][-1] == "person:breaker:opened"


def test_a_server_that_is_away_changes_nothing_and_costs_no_try(stopped):
    before = stopped.left.person_left
    stopped.beyond.fail("probe", lambda: ServerUnavailableError("down"))
    with pytest.raises(ServerUnavailableError):
        renew(stopped.desk, stopped.connection, "new", opener(stopped))
    assert stopped.left.person_left == before
    assert stopped.stored.credential_version == 1


def test_the_new_password_stored_on_two_machines_at_once_is_one_version(stopped, rows):
    def meanwhile(_secret):
        renew(stopped.desk, stopped.connection, "new", opener(stopped))
        return stopped.beyond

    renewed = renew(stopped.desk, stopped.connection, "new", meanwhile)
    assert renewed.connection.credential_version == 2
    assert len(rows(credentials)) == 2
    assert len(rows(requests)) == 2


def test_a_connection_ended_meanwhile_stays_ended(stopped, rows):
    def meanwhile(_secret):
        disconnect(stopped.desk, stopped.connection)
        return stopped.beyond

    with pytest.raises(NoConnectionError, match="busytime connect"):
        renew(stopped.desk, stopped.connection, "new", meanwhile)
    assert all(row["ciphertext"] is None for row in rows(credentials))


def test_connecting_again_closes_the_breaker(stopped):
    told = connect(
        stopped.desk, stopped.connection.endpoint, Secret("eva", "new"), ConnectionMode.CORPORATE, lambda: stopped.beyond
    )
    assert (told.again, told.connection.breaker) == (True, Breaker.CLOSED)


def test_whoever_insists_is_tried_beyond_the_allowance(stopped):
    stopped.refuse()
    for _ in range(2):
        with pytest.raises(AuthenticationError):
            renew(stopped.desk, stopped.connection, "wrong", opener(stopped))
    stopped.mend()
    assert renew(stopped.desk, stopped.connection, "new", opener(stopped), force=True).connection.credential_version == 2
