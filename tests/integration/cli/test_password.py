"""A change of the dedicated mailbox's password, as the admin lives through it: real commands, from the stop to the report."""

from __future__ import annotations

import signal
import subprocess
from datetime import timedelta

import pytest

from tests.flows.harness import MovedClock, book, eventually, finished, spared
from tests.integration.cli.booking_desk import BookingDesk, at, booking

pytestmark = pytest.mark.processes
NEW = "a new one, given by the admin"
WRONG = "a wrong one, typed by hand"


def change_password(exchange, password=NEW):
    exchange.control("POST", "/password", {"email": exchange.email, "password": password})


def refused(exchange, since):
    return sum(entry["refused_logon"] for entry in exchange.log(since))


def open_requests(home):
    return len(home.query("SELECT id FROM requests WHERE kind = 'resync' AND done_at IS NULL"))


def versions(home):
    return [version for (version,) in home.query("SELECT version FROM credentials WHERE ciphertext IS NOT NULL")]


@pytest.fixture
def desk(home, exchange, person):
    """A page with an entry of B1, harvested."""
    desk = BookingDesk(home, person()).open()
    book(exchange, desk.main, at(15))  # what its owner made proves the right to write
    desk.take(booking("B1", at(9)))
    desk.push()
    home.harvest().ended(0)
    desk.since = exchange.log()[-1]["n"]
    return desk


@pytest.fixture
def stopped(desk, exchange):
    """The same after the password was changed: the harvest was refused, and B2 waits."""
    change_password(exchange)
    desk.home.harvest().ended(5)
    desk.take(booking("B2", at(11)))
    desk.push(status=5)
    assert desk.states() == {"B1": "present", "B2": "waiting_for_log_on"}
    return desk


def give(home, password, *args, **more):
    """Run `busytime password` with a password."""
    run = home.call if more else home.run
    return run("password", home.exchange.email, "--password-stdin", *args, stdin=f"{password}\n", **more)


def test_the_new_password_alone_brings_everything_back(stopped, exchange):
    home = stopped.home
    told = give(home, NEW).ended(0)

    report, messages = spared(told.out), spared(told.err)
    assert "Trying the new password once" in messages
    assert "stored encrypted as version 2" in messages
    assert "Nothing could be read from" in report
    assert "Caught up: 1 calendar known, 1 booking pushed that waited." in report
    assert NEW not in told.out + told.err
    assert stopped.states() == {"B1": "present", "B2": "present"}
    assert stopped.held() == [("B1", at(9)), ("B2", at(11))]
    done = home.query('SELECT flow, "trigger", status FROM audit_runs ORDER BY id DESC LIMIT 4')
    flows = ["push_bookings", "harvest_busy_time", "validate_delegation", "resync_connection"]
    assert [tuple(row) for row in done] == [(flow, "password_change", "completed") for flow in flows]
    assert open_requests(home) == 0
    assert versions(home) == [2]
    assert refused(exchange, stopped.since) <= 2
    home.call("status").ended(0)

    same = give(home, NEW, "--json").ended(0)
    assert (same.json["same_secret"], same.json["credential_version"]) == (True, 2)
    assert versions(home) == [2]


def test_what_had_become_unknown_is_counted_and_known_again(stopped):
    clock = MovedClock()
    clock.offset = timedelta(hours=2)
    told = give(stopped.home, NEW, "--json", clock=clock).ended(0).json
    assert told["status"] == "completed"
    assert told["missed"]["calendars"] == 1
    assert told["missed"]["entries"] == 1
    assert told["missed"]["since"] is not None
    assert told["missed"]["stopped"]["from"] < told["missed"]["stopped"]["to"]
    assert told["caught_up"] == {"calendars": 1, "bookings": 1}
    assert told["left"] == {"calendars": [], "entries": 0}
    assert [it["status"] for it in told["parts"].values()] == ["completed"] * 3


def test_wrong_new_passwords_change_nothing_and_the_third_is_not_sent(stopped, exchange):
    home = stopped.home
    before = refused(exchange, stopped.since)
    first, second = give(home, WRONG, clock=None).ended(5), give(home, WRONG + "!", clock=None).ended(5)
    for told in (first, second):
        text = spared(told.err)
        assert "new password was refused and nothing was changed" in text
        assert "the password is wrong, or the account is locked" in text
        assert WRONG not in told.err + told.out
    assert "1 more try is safe now" in spared(first.err)
    assert "No further try is safe before" in spared(second.err)
    assert refused(exchange, stopped.since) == before + 2
    mark = exchange.log()[-1]["n"]
    third = give(home, NEW, clock=None).ended(5)
    assert exchange.log(mark) == []
    assert "Nothing was sent" in third.err
    assert (versions(home), open_requests(home)) == ([1], 0)

    forced = give(home, NEW, "--force", clock=None).ended(0)
    assert "may be locked for everybody" in spared(forced.err)
    assert stopped.states()["B2"] == "present"


def test_status_says_first_of_all_who_cannot_log_on_why_and_what_helps(stopped, exchange):
    text = spared(stopped.home.call("status").ended(3).out)
    assert text.startswith(f"STOPPED {exchange.email}: The server refuses the log-on since")
    for words in (exchange.email, f"busytime password {exchange.email}", "tries are safe now", "1 entry waits for a log-on"):
        assert words in text
    refusal = stopped.home.call("resync", exchange.email).ended(5)
    assert f"busytime password {exchange.email}" in refusal.err
    assert open_requests(stopped.home) == 0


@pytest.mark.parametrize(("state", "words"), [("expired", "has expired"), ("disabled", "is disabled")])
@pytest.mark.long(state="disabled")
def test_an_account_that_the_admin_puts_right_needs_no_new_password(desk, exchange, state, words):
    home = desk.home
    exchange.control("POST", "/account", {"email": exchange.email, "state": state})
    try:
        home.harvest().ended(5)
        assert words in spared(home.call("status").ended(3).out)
        told = home.call("resync", exchange.email, "--same-password").ended(5)
        assert "the password is wrong" not in told.err
    finally:
        exchange.control("POST", "/account", {"email": exchange.email, "state": "normal"})
    told = home.call("resync", exchange.email, "--same-password").ended(0)
    assert "Nothing could be read from" in spared(told.out)
    assert (versions(home), open_requests(home)) == ([1], 0)


STORED = "SELECT 1 FROM credentials WHERE version = 2"
HARVESTING = "SELECT 1 FROM runs WHERE flow = 'harvest_busy_time' AND \"trigger\" = 'password_change'"


def end_at(home, moment, sent):
    """Give the new password, and send the command a signal at a moment that the database shows."""
    process = home.start("password", home.exchange.email, "--password-stdin", stdin=subprocess.PIPE)
    process.stdin.write(f"{NEW}\n")
    process.stdin.close()
    process.stdin = None
    eventually(lambda: home.query(moment), "the moment to end it has come")
    process.send_signal(sent)
    return finished(process)


@pytest.mark.long
def test_a_command_that_is_stopped_says_what_is_stored_and_what_does_the_rest(stopped, exchange):
    told = end_at(stopped.home, HARVESTING, signal.SIGINT).ended(130)
    assert "stored encrypted as version 2, but what was missed is not caught up" in spared(told.err)
    assert f"`busytime resync {exchange.email}`" in told.err
    assert (versions(stopped.home), open_requests(stopped.home)) == ([2], 1)


@pytest.mark.parametrize("moment", [STORED, HARVESTING])
@pytest.mark.long(moment=HARVESTING)
def test_what_a_killed_command_stored_is_caught_up_by_the_next_flow(stopped, moment):
    home = stopped.home
    end_at(home, moment, signal.SIGKILL)
    assert open_requests(home) == 1

    with home.inside():
        from flows.resync_connection import resync_connection

        outcome = resync_connection(return_state=True).result(raise_on_failure=False)

    assert (outcome.status, outcome.caught_up.pushed) == ("completed", 1)
    assert open_requests(home) == 0
    assert stopped.states() == {"B1": "present", "B2": "present"}
    with home.inside():
        assert resync_connection(return_state=True).message == "nothing is asked for"


@pytest.mark.long
def test_the_same_new_password_given_twice_at_once_is_one_version_and_both_say_what_is_so(stopped):
    home = stopped.home
    args = ("password", home.exchange.email, "--password-stdin", "--json")
    both = [home.start(*args, stdin=subprocess.PIPE) for _ in range(2)]
    for process in both:
        process.stdin.write(f"{NEW}\n")
        process.stdin.flush()
    for told in [finished(process) for process in both]:
        told.ended(0)
    assert (versions(home), open_requests(home)) == ([2], 0)
    assert stopped.held() == [("B1", at(9)), ("B2", at(11))]


def test_without_prefect_the_password_is_stored_all_the_same_and_the_re_sync_waits(stopped, exchange):
    home = stopped.home
    api, home.prefect_api = home.prefect_api, "http://127.0.0.1:9/api"
    told = give(home, NEW).ended(1)
    home.prefect_api = api
    assert f"stored encrypted as version 2, but what was missed is not caught up. `busytime resync {exchange.email}`" in spared(
        told.err
    )
    assert (versions(home), open_requests(home)) == ([2], 1)
    caught = home.call("resync", exchange.email, "--json").ended(0).json
    assert caught["caught_up"]["bookings"] == 1
    assert open_requests(home) == 0


def test_options_that_mean_nothing_together_are_refused_before_anything_is_done(desk, exchange):
    assert "--same-password" in desk.home.call("resync", exchange.email, "--force").ended(2).err
    assert "--adopt" in desk.home.call("resync", exchange.email, "--adopt", "--same-password").ended(2).err
    assert "empty" in give(desk.home, "", clock=None).ended(2).err
    assert exchange.log(desk.since) == []
