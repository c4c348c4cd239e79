"""From the tables to the receivers: told once, at last, and over when it is over; a home that is not set up yet is left alone."""

import shutil
import threading
import time
from datetime import timedelta

import pytest
from prometheus_client.parser import text_string_to_metric_families
from pydantic import SecretStr

from busytime.alarms import AlarmKind
from busytime.errors import ConfigurationError
from busytime.model import Breaker, ConnectionMode, Endpoint, RunStatus, Trigger
from busytime.roster import Roster, RosterCalendar
from config.settings import Settings
from deployments.serving.alarming import Alarms
from deployments.serving.metrics import page_of_figures
from deployments.serving.service import Ports, service
from tasks.receivers import open_receivers
from tasks.telling import gather, look_and_tell
from tasks.workspace import open_workspace
from tests.unit.moments import MONDAY, HandClock

EMAIL = "busytime@corp.example"


@pytest.fixture
def clock():
    return HandClock()


@pytest.fixture(scope="module")
def ready_home(tmp_path_factory):
    """A home that was made ready once."""
    home = tmp_path_factory.mktemp("ready") / "home"
    open_workspace(Settings(home=home), HandClock()).close()
    return home


@pytest.fixture
def open_office(ready_home, tmp_path, hook, clock):
    """Open the home as a process does, with the webhook as its receiver."""
    shutil.copytree(ready_home, tmp_path / "home")
    offices = []

    def open_one():
        settings = Settings(home=tmp_path / "home", alarm_urls=(SecretStr(hook.address()),))
        offices.append(open_workspace(settings, clock))
        return offices[-1]

    yield open_one
    for office in offices:
        office.close()


@pytest.fixture
def office(open_office):
    return open_office()


@pytest.fixture
def connect(office, clock):
    def open_connection():
        with office.store.write() as unit:
            account_id = unit.owners.id(EMAIL)
            return unit.connections.open(account_id, Endpoint(EMAIL, "https://mail/EWS"), ConnectionMode.CORPORATE, clock.now())

    return open_connection


@pytest.fixture
def take_roster(office, clock):
    def replace():
        with office.store.write() as unit:
            unit.roster.replace(Roster((RosterCalendar("ana@corp.example"),)), clock.now())

    return replace


@pytest.fixture
def run(office, clock):
    """Write down a run of a flow that begins now."""

    def of(flow, status=RunStatus.COMPLETED):
        with office.store.write() as unit:
            run_id = unit.runs.open(flow, Trigger.SCHEDULE, unit.owners.id("admin@host"), clock.now())
            unit.runs.close(run_id, status, clock.now())
        return run_id

    return of


def set_breaker(office, breaker):
    with office.store.write() as unit:
        unit.connections.set_breaker(1, breaker, office.clock.now())


def look(office, seconds=10):
    return look_and_tell(office, open_receivers(office.settings), seconds)


def standing(office):
    with office.store.read() as unit:
        return {(it.subject.kind, it.subject.flow): it.text for it in gather(office, unit)}


def test_a_breaker_that_opens_is_told_once_and_when_it_is_over(office, connect, hook, clock):
    connect()
    assert look(office).sent == 0
    set_breaker(office, Breaker.OPEN)
    assert [look(office).sent for _ in range(3)] == [1, 0, 0]
    set_breaker(office, Breaker.CLOSED)
    clock.go(minutes=20)
    assert [look(office).sent for _ in range(3)] == [1, 0, 0]
    opened, over = hook.bodies
    assert opened["title"] == f"busytime: new: Breaker opened, {EMAIL}"
    assert f"Run `busytime password {EMAIL}`" in opened["message"]
    assert over["title"] == f"busytime: over: Breaker opened, {EMAIL}"
    assert "over since 2026-11-23 08:20 UTC" in over["message"]


def test_a_receiver_that_was_away_is_told_later_and_once(office, connect, hook, clock):
    connect()
    set_breaker(office, Breaker.OPEN)
    hook.status = 500
    assert look(office).failed == ("receiver 1 (json): it answered with HTTP status 500",)
    hook.status = 200
    assert look(office).sent == 0, "not yet"
    clock.go(minutes=2)
    assert [look(office).sent for _ in range(3)] == [1, 0, 0]


def test_a_process_that_dies_while_it_sends_is_made_up_for(office, open_office, connect, hook, clock, monkeypatch):
    connect()
    set_breaker(office, Breaker.OPEN)
    with monkeypatch.context() as patch:
        patch.setattr("tasks.telling.send", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            look(office)
    clock.go(minutes=2)
    assert look(open_office()).sent == 1
    assert len(hook.bodies) == 1


def test_of_several_machines_one_tells(office, open_office, connect, hook):
    connect()
    set_breaker(office, Breaker.OPEN)
    others, ready = [open_office() for _ in range(3)], threading.Barrier(3)

    def look_together(other):
        ready.wait()
        look(other)

    threads = [threading.Thread(target=look_together, args=(other,)) for other in others]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(hook.bodies) == 1


def test_no_transaction_is_open_while_a_receiver_does_not_answer(office, open_office, connect, hook):
    connect()
    set_breaker(office, Breaker.OPEN)
    hook.may_answer.clear()
    looking = threading.Thread(target=look, args=(office,))
    looking.start()
    other, began = open_office(), time.monotonic()
    while not other_has_claimed(other):
        time.sleep(0.02)
    with other.store.write() as unit:
        unit.owners.id("eva@corp.example")
    assert looking.is_alive()
    assert time.monotonic() - began < 5
    hook.may_answer.set()
    looking.join()
    assert len(hook.bodies) == 1


def other_has_claimed(office):
    with office.store.read() as unit:
        return any(it.claimed_at for it in unit.alarms.told(1, [1]).values())


def test_a_home_without_connection_or_roster_has_no_alarm(office, connect, take_roster, clock):
    clock.go(days=10)
    assert standing(office) == {}
    connect()
    assert standing(office) == {}
    clock.go(hours=1)
    take_roster()
    assert standing(office) == {}, "nothing could be done yet"
    clock.go(minutes=16)
    assert standing(office) != {}


def test_a_harvest_that_does_not_begin_is_missing(office, connect, take_roster, run, clock):
    connect()
    take_roster()
    run("harvest_busy_time", RunStatus.REFUSED)
    clock.go(minutes=15)
    assert standing(office) == {}
    clock.go(seconds=1)
    [(about, text)] = standing(office).items()
    assert about == (AlarmKind.RUN_MISSING, "harvest_busy_time")
    assert "No harvest has begun since 2026-11-23 08:00 UTC." in text
    run("harvest_busy_time", RunStatus.RUNNING)
    assert standing(office) == {}


def test_a_harvest_that_is_not_scheduled_at_night_is_not_missing_then(office, connect, take_roster, run, clock):
    hours = {"harvest_schedule": "*/5 8-18 * * 1-5", "schedule_time_zone": "Europe/Berlin"}
    office.settings = office.settings.model_copy(update=hours)
    connect()
    take_roster()
    clock.time = MONDAY.replace(hour=17, minute=56)
    run("harvest_busy_time")
    clock.time = MONDAY.replace(day=24, hour=7, minute=8)  # 08:08 in Berlin: it came round at 18:55, 08:00 and 08:05
    assert standing(office) == {}
    clock.go(minutes=3)
    assert (AlarmKind.RUN_MISSING, "harvest_busy_time") in standing(office)


def test_daily_runs_that_come_to_no_end_are_missing_after_a_day_and_two_hours(office, connect, take_roster, run, clock):
    connect()
    take_roster()
    for flow in ("validate_delegation", "maintain"):
        run(flow)
    for hours, missing in ((26, set()), (27, {"validate_delegation", "maintain"})):
        clock.time = MONDAY + timedelta(hours=hours)
        run("harvest_busy_time")
        run("maintain", RunStatus.FAILED)
        assert {flow for _, flow in standing(office)} == missing
    run("maintain")
    run("validate_delegation", RunStatus.COMPLETED_WITH_FAILURES)
    assert standing(office) == {}


def test_a_run_of_which_nothing_holds_a_lock_shows_no_sign_of_life(office, clock):
    with office.store.write() as unit:
        run_id = unit.runs.open("push_bookings", Trigger.SCHEDULE, unit.owners.id("admin@host"), clock.now())
    clock.go(minutes=16)
    [(about, text)] = standing(office).items()
    assert about == (AlarmKind.RUN_MISSING, "push_bookings")
    assert f"Run {run_id}" in text
    with office.store.write() as unit:
        office.store.take_lock(unit, "push_bookings:1:0", run_id)
    assert standing(office) == {}


def test_a_service_does_not_start_with_an_address_that_is_none(office):
    office.settings = office.settings.model_copy(update={"alarm_urls": (SecretStr("json://hunter2@"),)})
    with (
        pytest.raises(ConfigurationError, match="address 1 is none"),
        service(office, Ports("127.0.0.1", 1, 2), threading.Event()),
    ):
        pytest.fail("it has started")


def test_the_service_tells_by_itself_and_counts_what_stands(office, connect, hook):
    connect()
    set_breaker(office, Breaker.OPEN)
    stopping = threading.Event()
    looking = threading.Thread(target=Alarms(office).run, args=(stopping,))
    looking.start()
    deadline = time.monotonic() + 20
    while not hook.bodies and time.monotonic() < deadline:
        time.sleep(0.02)
    stopping.set()
    looking.join(5)
    assert not looking.is_alive()
    assert len(hook.bodies) == 1
    figures = page_of_figures(office).decode()
    assert 'busytime_alarms_open{kind="breaker_opened"} 1.0' in figures
    assert 'busytime_alarms_open{kind="run_missing"} 0.0' in figures


def test_figures_name_a_connection_by_its_address_whatever_is_in_it(office, connect):
    connect()
    odd = 'o"\\neill@corp.example'
    with office.store.write() as unit:
        personal = Endpoint(odd, "https://mail/EWS")
        unit.connections.open(unit.owners.id(odd), personal, ConnectionMode.PERSONAL, office.clock.now())
    set_breaker(office, Breaker.OPEN)
    told = {
        sample.labels["connection"]: sample.value
        for family in text_string_to_metric_families(page_of_figures(office).decode())
        for sample in family.samples
        if sample.name == "busytime_breaker_open"
    }
    assert told == {EMAIL: 1.0, odd: 0.0}
