"""The re-sync: driven by rows, beside other runs, and a renewal in the middle of a harvest."""

from __future__ import annotations

import threading
from contextlib import closing, contextmanager
from datetime import timedelta

import pytest

from busytime.connecting import find_connection
from busytime.model import RequestKind, RunStatus, Trigger
from busytime.renewing import renew
from config.settings import load_settings
from flows.options import ResyncOptions
from tests.flows.harness import book, eventually
from tests.flows.pushing import at, booked, booking_page


@pytest.fixture
def main(diary, exchange, person):
    """The one calendar of the page `talk`, in which a right to write can be proven."""
    main = person()
    book(exchange, main, at(15))
    diary.pages(booking_page(main))
    return main


def this_office():
    from tasks.workspace import workspace

    return workspace()


def ask(home, *, connection_id=1):
    """Write a request, as a new password does."""
    with home.inside():
        office = this_office()
        with office.store.write() as unit:
            unit.requests.ask(RequestKind.RESYNC, unit.owners.id("eva@corp.example"), office.clock.now(), connection_id)


def resync(home, trigger=Trigger.REQUEST):
    """Run the flow, and return its final state's outcome."""
    from flows.resync_connection import resync_connection

    with home.inside():
        ended = resync_connection(ResyncOptions(trigger=trigger), return_state=True).result(raise_on_failure=False)
    if isinstance(ended, BaseException):
        raise ended
    return ended


def open_requests(home):
    return len(home.query("SELECT id FROM requests WHERE kind = 'resync' AND done_at IS NULL"))


def end_once_skipped(home, end):
    """End a run that is at work as soon as another one was skipped for it."""

    def watch():
        eventually(lambda: "skipped" in home.run_statuses(), "another run was skipped")
        end()

    threading.Thread(target=watch).start()


@contextmanager
def at_work(home, flow):
    """Let a living run of a flow be at work; calling what is yielded ends it."""
    with home.inside():
        office = this_office()
        with office.store.write() as unit:
            run_id = unit.runs.open(flow, Trigger.SCHEDULE, unit.owners.id("eva@corp.example"), office.clock.now())
            name = f"{flow}:1:0"
            holder, _ = office.store.take_lock(unit, name, run_id)

        def end():
            with office.store.write() as unit:
                unit.runs.close(run_id, RunStatus.COMPLETED, office.clock.now())
            office.store.release_lock(name, holder)

        yield end


@pytest.mark.usefixtures("main")
def test_without_a_row_nothing_is_done_and_no_run_is_written(diary):
    mark = diary.mark()
    outcome = resync(diary.home)
    assert (outcome.run_id, outcome.status) == (None, "completed")
    assert diary.home.run_statuses() == []
    assert diary.requests(mark) == []


def test_a_row_is_one_re_sync_of_validation_harvest_and_push(diary, main):
    diary.take(booked("BK-1", at(9)))
    ask(diary.home)
    outcome = resync(diary.home)
    assert (outcome.status, outcome.caught_up.again, outcome.caught_up.known) == ("completed", 1, 1)
    assert outcome.missed.stopped is None
    flows = [tuple(row) for row in diary.home.query('SELECT flow, "trigger" FROM runs ORDER BY id')]
    parts = ["resync_connection", "validate_delegation", "harvest_busy_time", "push_bookings"]
    assert flows == [(flow, "request") for flow in parts]
    assert list(diary.ours(main)) == ["BK-1"]
    assert open_requests(diary.home) == 0


@pytest.mark.usefixtures("main")
def test_several_rows_are_one_re_sync_and_one_of_an_ended_connection_is_none(diary):
    ask(diary.home)
    ask(diary.home)
    resync(diary.home)
    assert (open_requests(diary.home), len(diary.home.run_statuses())) == (0, 3), "a push with nothing to do leaves no row"
    ask(diary.home)
    diary.change("UPDATE connections SET closed_at = opened_at")
    assert resync(diary.home).run_id is None
    assert (open_requests(diary.home), len(diary.home.run_statuses())) == (0, 3)


@pytest.mark.usefixtures("main")
def test_a_row_that_a_living_run_works_on_is_left_to_it(diary):
    ask(diary.home)
    with at_work(diary.home, "resync_connection"):
        assert _run_here(Trigger.REQUEST).status == "skipped"
        assert open_requests(diary.home) == 1


@pytest.mark.usefixtures("main")
def test_a_person_waits_for_a_re_sync_at_work_and_has_all_that_is_asked_for_since(diary):
    ask(diary.home)
    with at_work(diary.home, "resync_connection") as end:
        end_once_skipped(diary.home, end)
        assert _run_here(Trigger.MANUAL).status == "completed"
    assert open_requests(diary.home) == 0


@pytest.mark.usefixtures("main")
def test_a_harvest_at_work_is_awaited_and_all_is_read_after_it(diary):
    ask(diary.home)
    with at_work(diary.home, "harvest_busy_time") as end:
        end_once_skipped(diary.home, end)
        outcome = _run_here(Trigger.REQUEST)
    assert (outcome.status, outcome.caught_up.known) == ("completed", 1)
    assert diary.home.run_statuses().count("skipped") == 1


def test_what_a_harvest_at_work_does_not_end_in_time_is_not_claimed(diary, main, monkeypatch):
    monkeypatch.setattr("tasks.resync._PATIENCE", timedelta(seconds=1))
    ask(diary.home)
    with at_work(diary.home, "harvest_busy_time"):
        outcome = _run_here(Trigger.REQUEST)
    assert outcome.status == "completed_with_failures"
    assert (outcome.caught_up.known, outcome.caught_up.again) == (0, 0)
    assert [it.owner for it in outcome.caught_up.unknown] == [main]
    assert {it.name: it.status for it in outcome.parts}["harvest"] == "skipped"


@pytest.mark.usefixtures("main")
def test_a_log_on_that_is_refused_again_ends_it_and_the_row_is_done(diary, exchange):
    diary.take(booked("BK-1", at(9)))
    ask(diary.home)
    exchange.control("POST", "/password", {"email": exchange.email, "password": "another one"})
    mark = diary.mark()
    outcome = resync(diary.home)
    assert (outcome.status, outcome.reason) == ("refused", "logon_refused")
    assert [(it.status, it.reason) for it in outcome.parts][1:] == [("refused", "breaker_open")] * 2
    assert outcome.caught_up.waiting == 1
    assert sum(entry["refused_logon"] for entry in exchange.log(mark)) == 1
    assert open_requests(diary.home) == 0


@pytest.mark.usefixtures("main")
def test_a_run_that_broke_off_leaves_its_row_to_the_next(diary, monkeypatch):
    ask(diary.home)
    with monkeypatch.context() as patch:
        patch.setattr("flows.resync_connection.judge_resync", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            resync(diary.home)
    assert open_requests(diary.home) == 1
    assert diary.home.query("SELECT status FROM runs WHERE flow = 'resync_connection'") == [("failed",)]
    assert resync(diary.home).status == "completed"
    assert open_requests(diary.home) == 0


def test_a_harvest_under_way_goes_on_with_a_secret_that_is_renewed_meanwhile(home, exchange):
    other = "the second password, which is good beside the first"
    owners = [f"owner{number:04}@corp.example" for number in range(1, 25)]
    home.more["BUSYTIME_BATCH_SIZE"] = "1"
    home.take_roster(*owners).ended(0)
    home.connect().ended(0)
    exchange.control("POST", "/account", {"email": exchange.email, "app_password": other})
    exchange.control("POST", "/limits", {"latency_ms": 300})
    start = exchange.log()[-1]["n"]
    renewed = []
    from tasks.workspace import open_workspace

    office = open_workspace(load_settings(home=home.path))  # beside the harvest's, as another process has it

    def renew_soon():
        with closing(office):
            eventually(lambda: len(exchange.log(start)) >= 3, "some batches were read")
            connection = find_connection(office.desk, exchange.email)
            renewed.append(renew(office.desk, connection, other, lambda it: office.open_gateway(connection.endpoint, it)))

    renewer = threading.Thread(target=renew_soon)
    renewer.start()
    try:
        harvested = home.harvest()
        renewer.join()
        exchange.control("POST", "/limits", {"latency_ms": 0})
        caught = resync(home)
    finally:
        renewer.join()
        exchange.control("POST", "/account", {"email": exchange.email, "app_password": ""})
    assert harvested.ended(0).json["calendars"] == {"known": 24, "unknown": 0}
    assert renewed[0].connection.credential_version == 2
    assert home.query("SELECT count(*) FROM steps WHERE outcome = 'failed' AND attempt = 1") != [(0,)], "some ran again"
    assert sum(entry["refused_logon"] for entry in exchange.log(start)) == 0
    assert (caught.status, caught.caught_up.known) == ("completed", 24)


def _run_here(trigger):
    """Run the flow where this process sees the home already."""
    from flows.resync_connection import resync_connection

    return resync_connection(ResyncOptions(trigger=trigger), return_state=True).result(raise_on_failure=False)
