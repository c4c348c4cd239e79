"""The machine's log-ons on real tables: one probe, the breaker, and the second probe after a refusal under load."""

import pytest

from busytime.connecting import disconnect
from busytime.errors import (
    AllowanceUsedUpError,
    AuthenticationError,
    BreakerOpenError,
    NoConnectionError,
    Reason,
    SecretRenewedError,
    ServerUnavailableError,
)
from busytime.model import Breaker, LogonAnswer, LogonBy
from busytime.probing import check_may_send, note_refusal
from busytime.renewing import renew
from busytime.store.tables import events, logons, permits
from tests.integration.store.connecting_room import EMAIL, room

__all__ = ["room"]


def tags(rows):
    return [row["tag"] for row in rows(events)]


def test_the_machine_logs_on_once_before_anything_else(room, run_id, rows):
    room.probe(run_id)
    row = rows(logons)[-1]
    assert (row["by"], row["answer"], row["run_id"], row["credential_version"]) == ("machine", "accepted", run_id, 1)


def test_a_refused_log_on_opens_the_breaker_and_nothing_more_is_sent(room, run_id, rows):
    room.refuse()
    with pytest.raises(AuthenticationError):
        room.probe(run_id)
    assert room.stored.breaker is Breaker.OPEN
    assert tags(rows) == ["person:connection:opened", "machine:breaker:opened"]
    for _ in range(3):
        with pytest.raises(BreakerOpenError, match=f"busytime password {EMAIL}"):
            room.probe(run_id)
    assert len(room.server.requests) == 1
    assert [row["answer"] for row in rows(logons)].count("refused") == 1


def test_a_refusal_in_the_middle_of_a_run_is_written_down_with_the_open_breaker(room, rows):
    note_refusal(room.desk, room.connection, AuthenticationError("no", detail="http_401"))
    note_refusal(room.desk, room.connection, AuthenticationError("no", detail="http_401"))
    assert (room.left.refused, room.left.machine_left) == (2, 0)
    assert tags(rows).count("machine:breaker:opened") == 1
    assert [(row["answer"], row["reason"]) for row in rows(logons)][1:] == [("refused", "logon_refused")] * 2


@pytest.mark.parametrize(
    ("reason", "words"),
    [
        (Reason.LOGON_REFUSED, f"busytime password {EMAIL}.*--same-password"),
        (Reason.PASSWORD_EXPIRED, f"has expired.*busytime password {EMAIL}"),
        (Reason.ACCOUNT_DISABLED, f"is disabled.*busytime resync {EMAIL} --same-password"),
    ],
)
def test_why_nothing_is_sent_is_told_with_the_next_step(room, reason, words):
    note_refusal(room.desk, room.connection, AuthenticationError("no", reason=reason))
    with pytest.raises(BreakerOpenError, match=words):
        check_may_send(room.desk, room.connection)


def refused_under_load(room, run_id):
    room.probe(run_id)
    room.clock.go(minutes=1)
    note_refusal(room.desk, room.connection, AuthenticationError("no"))


def test_a_version_that_worked_lately_gets_a_second_probe_which_closes_the_breaker(room, run_id, rows):
    refused_under_load(room, run_id)
    room.clock.go(seconds=59)
    with pytest.raises(BreakerOpenError):
        room.probe(run_id)
    assert room.beyond.requests == []
    room.clock.go(seconds=1)
    room.probe(run_id)
    assert len(room.beyond.requests) == 1
    assert room.stored.breaker is Breaker.CLOSED
    assert tags(rows)[-2:] == ["machine:breaker:opened", "machine:breaker:closed"]
    assert room.left.refused == 0


def test_there_is_no_third_probe(room, run_id):
    refused_under_load(room, run_id)
    room.refuse()
    room.clock.go(minutes=2)
    with pytest.raises(AuthenticationError):
        room.probe(run_id)
    for minutes in (2, 40):
        room.clock.go(minutes=minutes)
        with pytest.raises(BreakerOpenError):
            room.probe(run_id)
    assert len(room.beyond.requests) == 1


def test_after_two_refused_requests_there_is_no_second_probe(room, run_id):
    refused_under_load(room, run_id)
    note_refusal(room.desk, room.connection, AuthenticationError("no"))
    room.clock.go(minutes=2)
    with pytest.raises(BreakerOpenError):
        room.probe(run_id)
    assert room.beyond.requests == []


def test_a_version_that_did_not_work_lately_gets_no_second_probe(room, run_id):
    room.probe(run_id)
    room.clock.go(hours=1, minutes=1)
    note_refusal(room.desk, room.connection, AuthenticationError("no"))
    room.clock.go(minutes=2)
    with pytest.raises(BreakerOpenError):
        room.probe(run_id)


@pytest.mark.parametrize("reason", [Reason.ACCOUNT_DISABLED, Reason.PASSWORD_EXPIRED])
def test_what_is_no_matter_of_load_gets_no_second_probe(room, run_id, reason):
    room.probe(run_id)
    note_refusal(room.desk, room.connection, AuthenticationError("no", reason=reason))
    room.clock.go(minutes=2)
    with pytest.raises(BreakerOpenError):
        room.probe(run_id)


def test_claims_that_died_count_against_the_machine(room, run_id, store, actor_id):
    for _ in range(2):
        with store.write() as unit:
            unit.logons.claim(room.connection.owner_id, LogonBy.MACHINE, actor_id, room.clock.now())
    with pytest.raises(AllowanceUsedUpError):
        room.probe(run_id)
    assert room.stored.breaker is Breaker.CLOSED
    assert room.server.requests == []


def test_a_probe_waits_for_the_answer_of_another_run(room, run_id, store, actor_id, rows):
    with store.write() as unit:
        for _ in range(2):  # without waiting, two of them would use the allowance up
            other = unit.logons.claim(room.connection.owner_id, LogonBy.MACHINE, actor_id, room.clock.now(), run_id=run_id)
        store.take_lock(unit, "harvest_busy_time:1:0", run_id)
    waited = []

    def sleep(_seconds):
        waited.append(len(room.server.requests))
        if len(waited) == 3:
            with store.write() as unit:
                for number in (other - 1, other):
                    unit.logons.answer(number, LogonAnswer.ACCEPTED, room.clock.now())

    room.probe(run_id, sleep=sleep)
    assert waited == [0, 0, 0]
    assert rows(logons)[-1]["answer"] == "accepted"


def test_a_probe_does_not_wait_for_one_whose_process_is_dead(room, run_id, store, actor_id):
    with store.write() as unit:
        unit.logons.claim(room.connection.owner_id, LogonBy.MACHINE, actor_id, room.clock.now(), run_id=run_id)
    room.probe(run_id, sleep=lambda _seconds: pytest.fail("it waits"))


def test_a_refused_probe_counts_once(room, run_id):
    room.refuse()
    with pytest.raises(AuthenticationError):
        room.probe(run_id)
    assert room.left.refused == 1


def test_a_server_that_is_away_costs_nothing(room, run_id):
    room.server.fail("probe", lambda: ServerUnavailableError("down"))
    with pytest.raises(ServerUnavailableError):
        room.probe(run_id)
    assert room.left.refused == 0
    assert room.stored.breaker is Breaker.CLOSED


def test_an_old_secret_is_not_sent_once_there_is_a_new_one(room, run_id):
    renew(room.desk, room.connection, "new", lambda _secret: room.beyond)
    with pytest.raises(SecretRenewedError):
        check_may_send(room.desk, room.connection)
    with pytest.raises(SecretRenewedError):
        room.probe(run_id)
    assert room.server.requests == []


def test_nothing_is_sent_through_a_connection_that_was_ended(room, run_id, rows):
    disconnect(room.desk, room.connection)
    with pytest.raises(NoConnectionError) as raised:
        room.probe(run_id)
    assert raised.value.reason is Reason.DISCONNECTED
    assert rows(permits) == []


def test_a_late_refusal_of_an_old_secret_counts_and_leaves_the_new_one_alone(room):
    renew(room.desk, room.connection, "new", lambda _secret: room.beyond)
    note_refusal(room.desk, room.connection, AuthenticationError("no"))
    assert room.stored.breaker is Breaker.CLOSED
    assert room.left.refused == 1


def test_requests_stop_where_those_under_way_at_once_could_lock_the_account(room, store, actor_id):
    for by in (LogonBy.PERSON, LogonBy.PERSON, LogonBy.MACHINE):
        check_may_send(room.desk, room.connection)
        with store.write() as unit:
            unit.logons.claim(room.connection.owner_id, by, actor_id, room.clock.now())
    with pytest.raises(AllowanceUsedUpError):
        check_may_send(room.desk, room.connection)
    room.probe(None)  # it is claimed, and so limited by itself
    room.clock.go(minutes=3)
    room.probe(None)
    check_may_send(room.desk, room.connection)


def test_a_second_probe_at_the_first_moment_is_the_last_one(room, run_id):
    refused_under_load(room, run_id)
    room.refuse()
    room.clock.go(minutes=1)
    with pytest.raises(AuthenticationError):
        room.probe(run_id)
    room.clock.go(minutes=40)
    with pytest.raises(BreakerOpenError):
        room.probe(run_id)
    assert len(room.beyond.requests) == 1
