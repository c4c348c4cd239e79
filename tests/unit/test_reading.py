"""Reading a batch: each calendar gets an answer or a reason, in a bounded number of requests."""

from datetime import timedelta

import pytest

from busytime.errors import (
    AuthenticationError,
    Reason,
    ServerBusyError,
    ServerUnavailableError,
    SpoiltAnswerError,
)
from busytime.model import BusyStatus, BusyTime, Calendar, CalendarKind, Unanswered, Window
from busytime.reading import SPOILT_REQUESTS, read_batch
from tests.fakes.in_memory_gateway import InMemoryCalendarGateway
from tests.unit.moments import MONDAY, HandClock

SIXTY_DAYS = Window(MONDAY, MONDAY + timedelta(days=60))
DEADLINE = timedelta(minutes=5)
HOUR = timedelta(hours=1)


class SlowGateway(InMemoryCalendarGateway):
    """Each of its requests takes a while, told by the clock."""

    def __init__(self, clock, takes, **more):
        super().__init__(**more)
        self.clock, self.takes = clock, takes

    def _request(self, *args):
        super()._request(*args)
        self.clock.time += self.takes


@pytest.fixture
def server():
    return InMemoryCalendarGateway()


@pytest.fixture
def clock():
    return HandClock()


def read(server, calendars, window=SIXTY_DAYS, *, clock=None, window_days=None, deadline=DEADLINE):
    clock = clock or HandClock()
    return read_batch(server, calendars, window, clock=clock, window_days=window_days, deadline=deadline)


def furnish(server, count, **more):
    """Make so many owners with an appointment each, and return their calendars."""
    for number in range(count):
        owner = f"owner{number:03}@corp.example"
        server.add_owner(owner, [(MONDAY + HOUR, MONDAY + 2 * HOUR, BusyStatus.BUSY)], **more)
    return [Calendar(number, f"owner{number:03}@corp.example", "", CalendarKind.DEFAULT) for number in range(count)]


def folder(key, path="Projects", folder_id=None):
    return Calendar(key, "owner000@corp.example", path, CalendarKind.SUB, folder_id)


def answered(reading):
    return {key for key, answer in reading.answers.items() if isinstance(answer, BusyTime)}


def test_a_hundred_calendars_are_one_request(server, clock):
    calendars = furnish(server, 100)
    reading = read(server, calendars, clock=clock)
    assert len(server.requests) == 1
    assert answered(reading) == set(range(100))
    assert (reading.asked_at, reading.window_days, reading.folder_ids) == (MONDAY, None, {})


def test_each_calendar_has_its_own_answer(server):
    calendars = furnish(server, 3)
    server.add("owner001@corp.example", MONDAY + 3 * HOUR, MONDAY + 4 * HOUR)
    reading = read(server, list(reversed(calendars)))
    assert {key: len(answer.intervals) for key, answer in reading.answers.items()} == {0: 1, 1: 2, 2: 1}


@pytest.mark.parametrize("place", [0, 1, 49, 50, 99])
def test_one_ill_mailbox_costs_only_itself(server, place):
    calendars = furnish(server, 100)
    server.owners[f"owner{place:03}@corp.example"].sick = True
    reading = read(server, calendars)
    assert answered(reading) == set(range(100)) - {place}
    assert reading.answers[place] == Unanswered(Reason.SERVER_ERROR)
    assert len(server.requests) <= 15


def test_a_batch_of_ill_mailboxes_ends_after_a_bounded_number_of_requests(server):
    calendars = furnish(server, 100)
    for number in range(0, 100, 2):
        server.owners[f"owner{number:03}@corp.example"].sick = True
    reading = read(server, calendars)
    assert set(reading.answers) == set(range(100))
    assert len(server.requests) <= 2 * SPOILT_REQUESTS


def test_a_server_that_spoils_every_answer_raises_its_error(server):
    calendars = furnish(server, 100)
    server.fail("*", lambda: SpoiltAnswerError("garbled", reason=Reason.MALFORMED_ANSWER), times=None)
    with pytest.raises(SpoiltAnswerError) as raised:
        read(server, calendars)
    assert raised.value.reason is Reason.MALFORMED_ANSWER
    assert len(server.requests) <= SPOILT_REQUESTS + 8


def test_a_definite_word_for_one_calendar_is_an_answer_of_the_server(server):
    calendars = furnish(server, 2)
    server.owners["owner000@corp.example"].sick = True
    del server.owners["owner001@corp.example"]
    assert read(server, calendars).answers == {
        0: Unanswered(Reason.SERVER_ERROR),
        1: Unanswered(Reason.MAILBOX_NOT_FOUND, "ErrorMailRecipientNotFound"),
    }


@pytest.mark.parametrize("error", [ServerBusyError, ServerUnavailableError, AuthenticationError])
def test_a_server_that_is_down_or_refuses_ends_the_batch(server, error):
    calendars = furnish(server, 3)
    server.fail("read_availability", lambda: error("no"))
    with pytest.raises(error):
        read(server, calendars)
    assert len(server.requests) == 1


@pytest.mark.parametrize("longest", [62, 61, 60])
def test_a_window_that_is_allowed_teaches_nothing(longest):
    server = InMemoryCalendarGateway(window_days=longest)
    assert read(server, furnish(server, 1)).window_days is None
    assert len(server.requests) == 1


@pytest.mark.parametrize(("longest", "learnt"), [(42, 42), (41, 21), (30, 21), (10, 10), (3, 2), (1, 1)])
def test_a_shorter_window_is_learnt(longest, learnt):
    server = InMemoryCalendarGateway(window_days=longest)
    calendars = furnish(server, 2)
    server.add("owner000@corp.example", MONDAY + timedelta(days=59), MONDAY + timedelta(days=59, hours=1))
    reading = read(server, calendars)
    assert reading.window_days == learnt
    assert {key: len(answer.intervals) for key, answer in reading.answers.items()} == {0: 2, 1: 1}
    assert server.requests[-1][2].length.days <= learnt


def test_a_learnt_window_is_asked_at_once():
    server = InMemoryCalendarGateway(window_days=42)
    assert read(server, furnish(server, 2), window_days=42).window_days is None
    assert [request[2].length.days for request in server.requests] == [42, 18]


def test_an_appointment_over_the_border_of_two_windows_counts_once():
    server = InMemoryCalendarGateway(window_days=42)
    calendars = furnish(server, 1)
    border = MONDAY + timedelta(days=42)
    server.add("owner000@corp.example", border - HOUR, border + HOUR)
    server.add("owner000@corp.example", border - HOUR, border + HOUR)
    answer = read(server, calendars, window_days=42).answers[0]
    assert [interval[0] for interval in sorted(answer.intervals)] == [MONDAY + HOUR, border - HOUR, border - HOUR]


def test_a_server_that_refuses_every_window_is_asked_no_more_after_the_shortest():
    server = InMemoryCalendarGateway(window_days=-1)
    reading = read(server, furnish(server, 2))
    assert reading.answers[0].reason is Reason.WINDOW_TOO_LONG
    assert len(server.requests) < 130


def test_a_calendar_fuller_than_the_server_tells_is_read_in_halves(server):
    calendars = furnish(server, 2)
    for number in range(2500):
        start = MONDAY + number * timedelta(minutes=30)
        server.add("owner001@corp.example", start, start + timedelta(minutes=30))
    reading = read(server, calendars)
    assert len(reading.answers[1].intervals) == 2501
    assert len(reading.answers[0].intervals) == 1
    assert len(server.requests) <= 15
    assert all(request[1] == ("owner001@corp.example",) for request in server.requests[1:])


def test_a_calendar_too_full_for_the_shortest_window_costs_only_itself(server):
    calendars = furnish(server, 2)
    for number in range(1000):
        start = MONDAY + timedelta(days=3, seconds=number)
        server.add("owner001@corp.example", start, start + timedelta(seconds=1))
    reading = read(server, calendars)
    assert reading.answers[1] == Unanswered(Reason.TOO_MANY_APPOINTMENTS)
    assert answered(reading) == {0}
    assert len(server.requests) <= 60


def test_when_the_deadline_is_over_the_rest_goes_without_an_answer(clock):
    server = SlowGateway(clock, timedelta(minutes=2), window_days=10)
    reading = read(server, furnish(server, 1), clock=clock, window_days=10)
    assert reading.answers == {0: Unanswered(Reason.TIMED_OUT)}
    assert len(server.requests) == 3


def test_folders_after_the_deadline_go_without_an_answer(clock):
    server = SlowGateway(clock, timedelta(minutes=6))
    calendars = [*furnish(server, 1), folder(7, folder_id="folder-0001")]
    reading = read(server, calendars, clock=clock)
    assert answered(reading) == {0}
    assert reading.answers[7] == Unanswered(Reason.TIMED_OUT)
    assert len(server.requests) == 1


def test_a_folder_is_looked_up_by_its_path_once_and_its_id_learnt(server):
    furnish(server, 1)
    made = server.add_folder("owner000@corp.example", "Projects", [(MONDAY, MONDAY + HOUR, BusyStatus.TENTATIVE)])
    reading = read(server, [folder(7)])
    assert reading.answers[7] == BusyTime(((MONDAY, MONDAY + HOUR, BusyStatus.TENTATIVE),))
    assert reading.folder_ids == {7: made.folder_id}
    server.requests.clear()
    assert read(server, [folder(7, folder_id=made.folder_id)]).folder_ids == {}
    assert [request[0] for request in server.requests] == ["read_calendar_view"]


def test_a_folder_that_was_made_anew_is_found_by_its_path(server):
    furnish(server, 1)
    made = server.add_folder("owner000@corp.example", "Projects")
    reading = read(server, [folder(7, folder_id="folder-gone")])
    assert answered(reading) == {7}
    assert reading.folder_ids == {7: made.folder_id}


def test_a_folder_that_is_not_there_costs_only_itself(server):
    calendars = [*furnish(server, 1), folder(7, "Nowhere")]
    reading = read(server, calendars)
    assert answered(reading) == {0}
    assert reading.answers[7] == Unanswered(Reason.FOLDER_NOT_FOUND)
    assert reading.folder_ids == {}


def test_a_folder_that_may_not_be_read_costs_only_itself(server):
    furnish(server, 1)
    made = server.add_folder("owner000@corp.example", "Projects", level="FreeBusyTimeOnly")
    assert read(server, [folder(7, folder_id=made.folder_id)]).answers[7] == Unanswered(Reason.NO_ACCESS)


def test_an_ill_folder_costs_only_itself(server):
    calendars = [*furnish(server, 1), folder(7, folder_id="folder-0001")]
    server.fail("read_calendar_view", lambda: SpoiltAnswerError("garbled"), times=None)
    reading = read(server, calendars)
    assert answered(reading) == {0}
    assert reading.answers[7] == Unanswered(Reason.SERVER_ERROR)


def test_folders_alone_on_a_server_that_spoils_every_answer_raise_its_error(server):
    server.fail("*", lambda: SpoiltAnswerError("garbled"), times=None)
    with pytest.raises(SpoiltAnswerError):
        read(server, [folder(7), folder(8, "Other")])


def test_a_folder_fuller_than_the_server_tells_is_read_in_halves(server):
    furnish(server, 1)
    intervals = [(MONDAY + number * HOUR / 2, MONDAY + (number + 1) * HOUR / 2, BusyStatus.BUSY) for number in range(2500)]
    made = server.add_folder("owner000@corp.example", "Projects", intervals)
    answer = read(server, [folder(7, folder_id=made.folder_id)]).answers[7]
    assert sorted(answer.intervals) == intervals
    assert len(server.requests) <= 15


def test_a_folder_too_full_for_the_shortest_window_ends_after_a_bounded_number_of_requests(server):
    furnish(server, 1)
    moment = MONDAY + timedelta(days=3)
    made = server.add_folder("owner000@corp.example", "Projects", [(moment, moment + HOUR, BusyStatus.BUSY)] * 1001)
    reading = read(server, [folder(7, folder_id=made.folder_id)])
    assert reading.answers[7] == Unanswered(Reason.TOO_MANY_APPOINTMENTS)
    assert len(server.requests) <= 40


def test_a_calendar_whose_appointment_ends_before_it_starts_is_unknown_with_its_start(server):
    furnish(server, 1)
    server.add("owner000@corp.example", MONDAY + 2 * HOUR, MONDAY + HOUR)
    reading = read(server, [Calendar(0, "owner000@corp.example", "", CalendarKind.DEFAULT)])
    assert reading.answers[0] == Unanswered(Reason.ENDS_BEFORE_START, (MONDAY + 2 * HOUR).isoformat())
