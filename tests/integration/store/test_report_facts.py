"""What the report's questions answer, on both databases, against what Python finds when it goes through the rows."""

from collections import Counter
from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from psycopg.sql import SQL, Identifier
from sqlalchemy import make_url, select

from busytime.bookings import EntryState
from busytime.errors import Reason
from busytime.model import Breaker, LogonAnswer, RunStatus
from busytime.permissions import Need, Verdict
from busytime.report.facts import Coverage, Place
from busytime.report.period import Period
from busytime.store import tables as t
from busytime.store import tables_booking as b
from busytime.store.reading_views import open_reader, snapshot
from busytime.store.report_facts import gather
from busytime.store.views import VIEWS
from tests.integration.store import report_world
from tests.integration.store.report_world import DAY, HOUR, MINUTE, NOW, PERIOD, START

SAMPLE = 5 * MINUTE


@pytest.fixture
def gathered(engine, url):
    """The facts of a world, and the world."""
    readers = []

    def facts_of(name, period=PERIOD):
        world = getattr(report_world, name)().fill(engine)
        readers.append(open_reader(url))
        with snapshot(readers[-1]) as views:
            return gather(views, period), world

    yield facts_of
    for reader in readers:
        reader.dispose()


def on_roster(world):
    addresses = {row["id"]: row["address"] for row in world.rows[t.owners]}
    return {
        row["id"]: (Place(addresses[row["owner_id"]], row["folder"]), row["added_at"])
        for row in world.rows[t.calendars]
        if row["retired_at"] is None
    }


def samples(world):
    """For each calendar on the roster whether it was known, every five minutes: all that happens does so at one."""
    rows = {}
    for row in world.rows[t.coverage]:
        rows.setdefault(row["calendar_id"], []).append(row)
    for key, (place, added_at) in on_roster(world).items():
        found = {}
        at = max(START, added_at)
        while at < NOW:
            found[at] = any(known_at(row, at + SAMPLE / 2) for row in rows.get(key, ()))
            at += SAMPLE
        yield place, found


def known_at(row, instant):
    held = row["valid_from"] <= instant and (row["valid_to"] is None or instant < row["valid_to"])
    return row["state"] == "covered" and held and instant <= row["as_of"] + PERIOD.max_age


def share(values):
    values = list(values)
    return sum(values) / len(values) if values else None


def by_day(found):
    return [share(known for at, known in found.items() if at.date() == day.date()) for day in PERIOD.columns]


def test_each_share_is_what_was_known_then(gathered):
    facts, world = gathered("troubled")
    truth = dict(samples(world))
    assert len(facts.coverage.worst) == len(truth) == facts.coverage.calendars == 27
    for line in facts.coverage.worst:
        assert line.share == pytest.approx(share(truth[line.place].values()), abs=1e-6), line.place
        assert line.shares == pytest.approx(by_day(truth[line.place]), abs=1e-6), line.place
        assert line.unknown == sum(not known for known in truth[line.place].values()) * SAMPLE
    lengths = [line.unknown for line in facts.coverage.worst]
    assert lengths == sorted(lengths, reverse=True)
    assert lengths[0] > 2 * DAY


def test_shares_over_all_calendars_weigh_each_minute_alike(gathered):
    facts, world = gathered("troubled")
    every = [(at, known) for _, found in samples(world) for at, known in found.items()]
    assert facts.coverage.share == pytest.approx(share(known for _, known in every), abs=1e-6)
    days = [share(known for at, known in every if at.date() == day.date()) for day in PERIOD.columns]
    assert facts.coverage.shares == pytest.approx(days, abs=1e-6)


def test_what_is_unknown_now_is_told_by_reason(gathered):
    facts, _ = gathered("troubled")
    told = {group.reason: (group.count, group.since) for group in facts.unknown}
    assert told == {
        Reason.NO_ACCESS: (2, NOW - 2 * DAY),
        Reason.MAILBOX_NOT_FOUND: (1, NOW - 30 * HOUR),
        Reason.NEVER_HARVESTED: (1, None),
    }
    assert facts.known == 23
    assert facts.unknown[0].examples == (Place("owner0004@corp.example", ""), Place("owner0005@corp.example", ""))
    assert {group.examples for group in facts.unknown[1:]} == {
        (Place("owner0008@corp.example", ""),),
        (Place("owner0003@corp.example", "Team"),),
    }


def test_an_answer_that_grew_old_is_unknown_since_it_did(gathered):
    facts, _ = gathered("stopped")
    assert [(it.reason, it.count, it.since) for it in facts.unknown] == [(Reason.OUTDATED, 12, NOW - 65 * MINUTE)]
    assert [(it.breaker, it.refused) for it in facts.connections] == [(Breaker.OPEN, Reason.LOGON_REFUSED)]


def test_the_worst_calendars_say_why(gathered):
    facts, _ = gathered("troubled")
    told = {it.line.place.owner[5:9] + it.line.place.folder: (it.lost, it.reason, it.since, it.until) for it in facts.worst}
    assert len(told) == 10
    assert told["0004"] == (1, Reason.NO_ACCESS, NOW - 2 * DAY, None)
    assert told["0003Team"] == (0, Reason.NEVER_HARVESTED, None, None)
    assert told["0001"] == (0, Reason.OUTDATED, None, None)
    lost, reason, since, until = told["0011"]
    assert (lost, reason) == (14, Reason.TIMED_OUT)
    assert until - since == 3 * HOUR


def test_permissions_tell_what_was_lost_and_what_was_won(gathered):
    facts, world = gathered("troubled")
    current = [row for row in world.rows[t.permissions] if row["valid_to"] is None]
    assert facts.permissions.counts == Counter((Need(row["need"]), Verdict(row["verdict"])) for row in current)
    told = [(it.place.owner[5:9], it.need, it.verdict, it.before, it.since, it.changed) for it in facts.permissions.rows]
    assert told == [
        ("0004", Need.READ, Verdict.MISSING, Verdict.GRANTED, NOW - 2 * DAY, True),
        ("0005", Need.READ, Verdict.MISSING, Verdict.GRANTED, NOW - 2 * DAY, True),
        ("0006", Need.WRITE, Verdict.INSUFFICIENT, Verdict.GRANTED, NOW - 3 * DAY, True),
        ("0009", Need.WRITE, Verdict.PENDING, None, report_world.LONG_AGO, False),
        ("0007", Need.WRITE, Verdict.GRANTED, Verdict.MISSING, NOW - DAY, True),
    ]
    assert (facts.permissions.lost, facts.permissions.lost_since) == (3, NOW - 2 * DAY)


def test_bookings_are_counted_by_state(gathered, engine):
    facts, world = gathered("troubled")
    entries, ends = world.rows[b.entries], {row["booking_key"]: row["ends_at"] for row in world.rows[b.bookings]}
    coming = Counter(EntryState(row["state"]) for row in entries if ends[row["booking_key"]] > NOW)
    assert facts.bookings.coming == coming
    assert facts.bookings.over == Counter(EntryState(row["state"]) for row in entries) - coming
    assert (facts.bookings.absent, facts.bookings.refused, facts.bookings.more) == (1, 1, 0)
    assert [it.booking_key for it in facts.bookings.troubled] == ["BK-70", "BK-71", "BK-72", "BK-74"]
    with engine.connect() as connection:
        assert connection.execute(select(b.bookings.c.title)).first() == ("SECRET-TITLE",)
    assert "SECRET" not in repr(facts)


def test_runs_and_log_ons_of_the_span_are_counted(gathered):
    facts, world = gathered("troubled")
    inside = [row for row in world.rows[t.runs] if START <= row["started_at"] < NOW]
    counted = Counter()
    for (flow, _, status), count in facts.runs.slots.items():
        counted[flow, status] += count
    assert counted == Counter((row["flow"], RunStatus(row["status"])) for row in inside)
    assert (facts.runs.total, facts.runs.bad_count, facts.runs.crashed) == (len(inside), 4, 1)
    assert [run.status for run in facts.runs.last] == ["completed_with_failures", "refused", "completed"]
    assert facts.runs.harvested_at == NOW - 5 * MINUTE
    answers = Counter()
    for (_, _, answer), count in facts.logons.slots.items():
        answers[answer] += count
    assert answers == Counter(LogonAnswer(row["answer"]) for row in world.rows[t.logons] if START <= row["at"] < NOW)
    assert [(it.version, it.at) for it in facts.logons.secrets] == [(2, NOW - 99 * HOUR)]
    assert (facts.waiting.count, facts.waiting.since) == (1, NOW - 5 * HOUR)


def test_a_mark_stands_where_its_run_began(gathered):
    facts, _ = gathered("troubled")
    (slot,) = [slot for _, slot, status in facts.runs.slots if status is RunStatus.CRASHED]
    begins = PERIOD.columns[0] + slot * facts.runs.slot
    assert begins <= NOW - 20 * HOUR + 11 * MINUTE < begins + facts.runs.slot


def test_an_earlier_span_tells_of_itself_alone(gathered):
    earlier = replace(PERIOD, start=START, end=START + 3 * DAY)
    facts, world = gathered("troubled", earlier)
    assert len(facts.coverage.shares) == 3
    assert facts.coverage.share == pytest.approx(1)
    assert (facts.worst, facts.logons.refused, facts.runs.bad) == ((), (), ())
    assert facts.runs.total == sum(START <= row["started_at"] < earlier.end for row in world.rows[t.runs])
    assert facts.known == 23  # what needs attention does so now


def test_of_many_calendars_the_worst_are_told_and_the_others_counted(gathered):
    facts, _ = gathered("crowd")
    assert (facts.coverage.calendars, len(facts.coverage.worst), facts.coverage.others) == (200, 30, 170)
    assert facts.coverage.others_whole == 160
    assert min(line.unknown for line in facts.coverage.worst) >= DAY
    assert [len(group.examples) for group in facts.unknown] == [3]


def test_a_window_that_does_not_reach_an_instant_does_not_make_it_known(gathered):
    facts, _ = gathered("windows")
    shares = {line.place.owner: [round(share, 6) for share in line.shares[-3:]] for line in facts.coverage.worst}
    assert shares == {
        "ahead@corp.example": [0, 0, 0],  # it speaks of next week alone
        "ended@corp.example": [1, 0, 0],  # it spoke of what was before yesterday
        "slid@corp.example": [1, 1, 1],  # it speaks of today, and spoke of earlier days when they were there
    }
    assert {group.reason: group.count for group in facts.unknown} == {Reason.NEVER_HARVESTED: 2}
    assert facts.known == 1


def test_a_server_that_could_not_be_asked_meanwhile_does_not_hide_a_lost_right(gathered):
    facts, _ = gathered("unreachable")
    told = {it.place.owner: (it.verdict, it.before, it.since, it.lost) for it in facts.permissions.rows}
    assert told == {
        "lost@corp.example": (Verdict.MISSING, Verdict.GRANTED, NOW - 3 * DAY, True),
        "away@corp.example": (Verdict.UNREACHABLE, Verdict.GRANTED, NOW - DAY, False),
    }
    assert facts.permissions.lost == 1


@pytest.mark.parametrize("backend", ["postgresql"], indirect=True)
def test_a_role_that_may_see_the_views_alone_is_told_the_same(gathered, engine, url):
    everything, _ = gathered("troubled")
    role = f"looker_{make_url(url).database}"
    with engine.connect() as connection, connection.begin():
        run = connection.connection.cursor().execute
        run(SQL("CREATE ROLE {} LOGIN").format(Identifier(role)))
        for view in VIEWS:
            run(SQL("GRANT SELECT ON {} TO {}").format(Identifier(view), Identifier(role)))
    reader = open_reader(make_url(url).set(username=role).render_as_string(hide_password=False))
    try:
        with snapshot(reader) as views:
            assert gather(views, PERIOD) == everything
    finally:
        reader.dispose()
        with engine.connect() as connection, connection.begin():
            run = connection.connection.cursor().execute
            run(SQL("DROP OWNED BY {}").format(Identifier(role)))
            run(SQL("DROP ROLE {}").format(Identifier(role)))


def test_an_empty_database_has_nothing_to_tell(gathered):
    facts, _ = gathered("World")
    assert facts.coverage == Coverage(0, (None,) * 14, None, (), 0, 0)
    assert (facts.connections, facts.unknown, facts.known, facts.worst) == ((), (), 0, ())


@pytest.mark.parametrize(
    ("days", "step", "columns"), [(1, 1, 1), (31, 1, 31), (32, 7, 5), (217, 7, 31), (400, 28, 15), (20_000, 646, 31)]
)
def test_a_long_span_has_columns_that_stay_readable(days, step, columns):
    period = Period(START, START + days * DAY, START + days * DAY, PERIOD.max_age)
    assert (len(period.columns), period.step // DAY) == (columns, step)
    assert period.columns[-1] + period.step >= period.end


def test_columns_begin_at_midnight_where_the_span_does_not():
    period = Period(START + 7 * HOUR, START + DAY + timedelta(minutes=1), NOW, PERIOD.max_age)
    assert period.columns == (START, START + DAY)
    assert all(isinstance(column, datetime) for column in period.columns)
