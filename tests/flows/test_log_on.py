"""Log-on safety: a wrong password is tried as seldom as can be, and never by the machine again."""

from __future__ import annotations

import threading
from datetime import timedelta

import pytest

from tests.flows.harness import MovedClock, book, eventually, spared, truth, usual_window

WRONG = "a wrong one, typed by hand"
NEW = "a new one, given by the admin"


def refused(exchange, since):
    return sum(entry["refused_logon"] for entry in exchange.log(since))


@pytest.fixture
def since(exchange):
    entries = exchange.log()
    return entries[-1]["n"] if entries else 0


@pytest.fixture
def harvested(home, exchange, person):
    owner = person()
    book(exchange, owner, usual_window()[1].replace(hour=0) - (usual_window()[1] - usual_window()[0]) / 2)
    home.take_roster(owner).ended(0)
    home.connect().ended(0)
    home.harvest().ended(0)
    return owner


def change_password(exchange, password=NEW):
    exchange.control("POST", "/password", {"email": exchange.email, "password": password})


def test_a_wrong_password_is_one_message_one_refused_log_on_and_nothing_stored(home, exchange, since):
    result = home.connect(WRONG).ended(5)
    assert result.out == ""
    message = " ".join(result.err.split())
    assert message.count("busytime: ") == 1
    assert "the server refused the log-on: the user name or the password" in message
    assert "Nothing was stored" in message
    assert WRONG not in result.err
    assert refused(exchange, since) == 1
    assert home.query("SELECT * FROM connections") == []
    assert home.query("SELECT * FROM credentials") == []
    assert home.query('SELECT "by", answer FROM logons') == [("person", "refused")]


def test_a_second_wrong_password_may_be_tried_and_a_third_is_not_sent(home, exchange, since):
    home.connect(WRONG).ended(5)
    second = home.connect(WRONG + "!").ended(5)
    assert "No further try is safe before" in second.err
    assert refused(exchange, since) == 2
    before = exchange.log()[-1]["n"]
    third = home.connect(WRONG + "?").ended(5)
    assert "Nothing was sent" in third.err
    assert "safe again from" in third.err
    assert home.connect().ended(5).out == "", "the right one may be wrong as well, for all that is known"
    assert exchange.log(before) == []


def test_after_the_lock_out_window_a_person_may_try_again(home, exchange, clock: MovedClock):
    for _ in range(2):
        home.connect(WRONG).ended(5)
    args = ("connect", exchange.email, "--ews-url", exchange.ews_url, "--ca-file", exchange.ca_file, "--password-stdin")
    clock.offset = usual_window()[1] - usual_window()[0]
    home.call(*args, stdin=exchange.password + "\n", clock=clock).ended(0)


def test_a_good_log_on_sets_the_count_back(home):
    home.connect(WRONG).ended(5)
    home.connect().ended(0)
    again = home.connect(WRONG).ended(5)
    assert "1 more try is safe now" in again.err
    status = home.call("status", "--json").json
    assert status["connections"][0]["refused_logons"] == 1
    assert status["connections"][0]["breaker"] == "closed"


@pytest.mark.usefixtures("harvested")
def test_a_password_changed_behind_a_connection_is_tried_once_and_then_nothing_is_sent(home, exchange, since):
    change_password(exchange)

    first = home.harvest().ended(5).json

    assert (first["status"], first["reason"]) == ("refused", "logon_refused")
    assert 1 <= refused(exchange, since) <= 2
    before = exchange.log()[-1]["n"]
    second = home.harvest().ended(5).json
    assert second["reason"] == "breaker_open"
    assert exchange.log(before) == []
    status = home.call("status", "--json").ended(3).json
    assert status["connections"][0]["breaker"] == "open"
    assert status["coverage"] == {"known": 1, "unknown": 0}, "what was answered counts until it is too old"
    shown = home.call("status").ended(3)
    assert "STOPPED" in shown.out
    assert "1 known, 1 not read" in spared(shown.out)
    assert home.run_statuses()[-2:] == ["refused", "refused"]


def test_a_new_password_closes_the_breaker_and_the_harvest_works(home, exchange, harvested):
    change_password(exchange)
    home.harvest().ended(5)
    book(exchange, harvested, usual_window()[1] - (usual_window()[1] - usual_window()[0]) / 3)

    assert home.connect(NEW).ended(0).json["credential_version"] == 2

    status = home.call("status", "--json").json
    assert status["connections"][0]["breaker"] == "closed"
    assert status["connections"][0]["refused_logons"] == 0
    home.harvest().ended(0)
    assert home.stored(harvested) == truth(exchange, harvested)
    assert home.query("SELECT version FROM credentials WHERE ciphertext IS NOT NULL") == [(2,)]


@pytest.mark.usefixtures("harvested")
def test_a_wrong_new_password_leaves_the_breaker_open_and_the_old_secret_in_place(home, exchange):
    change_password(exchange)
    home.harvest().ended(5)
    home.connect(WRONG).ended(5)
    before = exchange.log()[-1]["n"]
    home.harvest().ended(5)
    assert exchange.log(before) == []
    assert home.query("SELECT version FROM credentials WHERE ciphertext IS NOT NULL") == [(1,)]


def test_a_password_changed_in_the_middle_of_a_run_is_refused_twice_at_most(home, exchange):
    owners = [f"owner{number:04}@corp.example" for number in range(1, 31)]
    home.more["BUSYTIME_BATCH_SIZE"] = "1"
    home.take_roster(*owners).ended(0)
    home.connect().ended(0)
    exchange.control("POST", "/limits", {"latency_ms": 60})
    start = exchange.log()[-1]["n"]

    def change_soon():
        eventually(lambda: len(exchange.log(start)) >= 5, "some batches were read")
        change_password(exchange)

    changer = threading.Thread(target=change_soon)
    changer.start()
    printed = home.harvest().ended(5).json
    changer.join()

    assert printed["status"] == "refused"
    assert 1 <= refused(exchange, start) <= 2
    read = home.query("SELECT owner FROM audit_coverage WHERE state = 'covered'")
    assert 0 < len(read) < 30, "what was answered before is kept"
    assert home.call("status", "--json").json["connections"][0]["refused_logons"] == refused(exchange, start)
    before = exchange.log()[-1]["n"]
    home.harvest().ended(5)
    assert exchange.log(before) == []
    home.connect(NEW).ended(0)
    assert home.harvest().ended(0).json["calendars"] == {"known": 30, "unknown": 0}


@pytest.mark.usefixtures("harvested")
def test_a_refusal_under_load_is_looked_at_again_by_the_next_run_a_minute_later(home, exchange, clock, since):
    exchange.control("POST", "/faults", {"kind": "http_401", "operation": "GetUserAvailability", "share": 1, "count": 1})
    assert home.harvest().ended(5).json["reason"] == "logon_refused"
    assert home.call("status", "--json").ended(3).json["connections"][0]["breaker"] == "open"
    before = exchange.log()[-1]["n"]
    assert home.harvest().ended(5).json["reason"] == "breaker_open"
    assert exchange.log(before) == []

    clock.offset = timedelta(seconds=61)
    assert home.harvest(clock=clock).ended(0).json["calendars"] == {"known": 1, "unknown": 0}

    look = home.call("status", "--json", clock=clock).ended(0).json["connections"][0]
    assert (look["breaker"], look["refused_logons"]) == ("closed", 0)
    assert refused(exchange, since) == 0, "the server refused nobody: it was busy"
