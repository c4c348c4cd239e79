"""Permits in the database: never more log-ons at once over all processes, in the order asked, whoever dies."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from sqlalchemy import select, update

from busytime.connecting import connect, disconnect
from busytime.errors import AuthenticationError, BreakerOpenError, BusyTimeError
from busytime.model import ConnectionMode, Endpoint, Secret
from busytime.permits import PermitLine
from busytime.probing import check_may_send, note_refusal
from busytime.renewing import renew, try_again
from busytime.store.locks import SILENT_HOLDER, Process
from busytime.store.permit_book import StoredPermitBook
from busytime.store.tables import permits
from busytime.store.unit_of_work import Store
from busytime.vault import Vault
from tests.integration.store.connecting_room import EMAIL, room
from tests.integration.store.processes import running

__all__ = ["room"]

PATIENCE_SECONDS = 30


@pytest.fixture
def workers(url, key, room):  # noqa: ARG001 -- its connection is the one whose line they stand in
    """Start processes that share a line."""

    def start(count, most=1, lease=5.0):
        return running(count, "tests.integration.store.permit_worker", url, key.to_text(), str(most), str(lease))

    return start


@pytest.fixture
def book(store, clock, room):
    return StoredPermitBook(store, clock, room.connection.id, 1, SILENT_HOLDER)


def until(condition):
    end = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        assert time.monotonic() < end, "it never came"
        time.sleep(0.02)


def put_on_another_machine(engine, permit, **values):
    with engine.begin() as connection:
        connection.execute(update(permits).where(permits.c.id == permit).values(host="elsewhere/boot", **values))


@pytest.mark.processes
def test_never_more_at_once_than_the_line_allows(workers, tmp_path, rows):
    inside = tmp_path / "inside"
    inside.mkdir()
    with workers(4, most=2, lease=0.1) as processes:
        for process in processes:
            process.send("hammer", inside, 15)
        assert max(int(process.line()) for process in processes) == 2
    assert rows(permits) == []


@pytest.mark.processes
def test_permits_are_handed_on_in_the_order_asked(workers, rows):
    with workers(3) as [first, second, third]:
        assert first.ask("enter") == "inside"
        second.send("enter")
        until(lambda: len(rows(permits)) == 2)
        third.send("enter")
        until(lambda: len(rows(permits)) == 3)
        assert first.ask("leave") == "left"
        assert second.line() == "inside"
        assert len(rows(permits)) == 2
        assert second.ask("leave") == "left"
        assert third.line() == "inside"


@pytest.mark.processes
def test_the_permit_of_a_killed_process_is_free_at_once(workers, book, rows):
    with workers(1) as [holder]:
        assert holder.ask("enter") == "inside"
        permit = book.ask()
        assert book.granted(permit) is False
        holder.kill()
        assert book.granted(permit) is True
        assert [row["id"] for row in rows(permits)] == [permit]


@pytest.mark.processes
def test_a_frozen_process_keeps_its_permit(workers, book, clock):
    with workers(1) as [holder]:
        assert holder.ask("enter") == "inside"
        holder.freeze()
        permit = book.ask()
        clock.go(minutes=10)
        assert book.granted(permit) is False
        holder.thaw()
        assert holder.ask("leave") == "left"
        assert book.granted(permit) is True


@pytest.mark.processes
def test_a_lease_is_handed_on_while_its_process_goes_on_working(workers, tmp_path):
    seen = tmp_path / "seen"
    with workers(2, lease=0.2) as [busy, other]:
        busy.send("work_until", seen)
        time.sleep(0.1)
        assert other.ask("enter") == "inside"
        seen.touch()
        assert other.ask("leave") == "left"
        assert busy.line() == "done"


@pytest.mark.parametrize("seconds", [59, -59])
def test_a_permit_of_another_machine_is_respected_until_a_minute_of_silence(book, engine, clock, rows, seconds):
    theirs, mine = book.ask(), book.ask()
    put_on_another_machine(engine, theirs)
    clock.go(seconds=seconds)
    assert book.granted(mine) is False
    clock.go(seconds=1 if seconds > 0 else -1)
    assert book.granted(mine) is True
    assert [row["id"] for row in rows(permits)] == [mine]
    assert book.granted(theirs) is None


def test_who_waits_gives_signs_of_life(book, clock, rows):
    first, second = book.ask(), book.ask()
    clock.go(seconds=11)
    assert book.granted(second) is False
    beats = {row["id"]: row["heartbeat_at"] for row in rows(permits)}
    assert beats[second] - beats[first] == timedelta(seconds=11)


def test_who_was_taken_for_dead_stands_in_line_again(book, store, room, rows):
    waits = []

    def sleep(_seconds):
        waits.append(len(rows(permits)))
        if len(waits) == 1:
            with store.write() as unit:
                unit.permits.clear(room.connection.id)

    book.ask()
    with PermitLine(book, 1, sleep).place(lambda: None):
        assert len(rows(permits)) == 1
    assert waits == [2, 1]


def test_a_number_that_was_given_again_is_nobody_elses(book, store, room, engine, key, clock, rows):
    old = book.ask()
    with store.write() as unit:
        unit.permits.clear(room.connection.id)
    other = Store(engine, Vault([key]), clock, Process("elsewhere/boot", 1, "1"))
    new = StoredPermitBook(other, clock, room.connection.id, 1, SILENT_HOLDER).ask()
    assert book.granted(old) is None
    book.give_back([old])
    assert [row["id"] for row in rows(permits)] == [new]


def test_who_waits_sees_an_open_breaker(book, room, rows):
    first, errors = book.ask(), []

    def wait():
        try:
            with PermitLine(book, 1).place(lambda: check_may_send(room.desk, room.connection)):
                pytest.fail("nothing may be sent")
        except BreakerOpenError as error:
            errors.append(error)

    waiting = threading.Thread(target=wait)
    waiting.start()
    until(lambda: len(rows(permits)) == 2)
    note_refusal(room.desk, room.connection, AuthenticationError("no"))
    waiting.join(1 + PATIENCE_SECONDS / 10)
    assert len(errors) == 1
    assert [row["id"] for row in rows(permits)] == [first]


def test_no_smaller_number_is_committed_late(store, room, book):
    asked = []
    with store.write() as unit:
        first = unit.permits.ask(room.connection.id, store.process, room.clock.now())
        other = threading.Thread(target=lambda: asked.append(book.ask()))
        other.start()
        other.join(0.3)
        assert asked == []
    other.join(PATIENCE_SECONDS)
    assert asked[0] > first


def test_what_is_written_at_once_does_not_lock_itself_out(room, book, store, engine):
    """Renewals, refusals, permits, an ended connection and a rotation of keys, each many times, beside each other."""
    works = [
        lambda n: renew(room.desk, room.stored, f"new {n}", lambda _secret: room.beyond, force=True),
        lambda _n: try_again(room.desk, room.stored, lambda _secret: room.beyond, force=True),
        lambda _n: note_refusal(room.desk, room.stored, AuthenticationError("no")),
        lambda _n: book.give_back([book.ask()]),
        lambda n: connect_again(room, f"again {n}"),
        lambda _n: rewrap(store, room),
        lambda n: disconnect(room.desk, room.stored) if n % 5 == 4 else None,
    ]
    with ThreadPoolExecutor(len(works)) as pool:
        done = list(pool.map(repeated, works))
    assert done == [[]] * len(works)
    with engine.connect() as connection:
        assert connection.execute(select(permits)).all() == []


def connect_again(room, password):
    endpoint = Endpoint(EMAIL, "https://mail.corp.example/EWS/Exchange.asmx")
    connect(room.desk, endpoint, Secret("eva", password), ConnectionMode.CORPORATE, lambda: room.beyond, force=True)


def rewrap(store, room):
    with store.write() as unit:
        unit.keys.rewrap(room.desk.vault)


def repeated(work):
    """Work many times; return what went wrong with the database itself."""
    faults = []
    for number in range(20):
        try:
            work(number)
        except (BusyTimeError, AttributeError) as error:
            if "database" in str(error):
                faults.append(error)
        except Exception as error:  # noqa: BLE001 -- the driver's, from whichever database
            faults.append(error)
    return faults
