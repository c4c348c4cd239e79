"""The climb: interrupted and gone on with, and one bad mailbox among many."""

from datetime import timedelta

import pytest

from busytime.errors import Reason, ServerBusyError, ServerUnavailableError, SpoiltAnswerError
from busytime.model import Calendar, CalendarKind
from busytime.permissions import Need, Verdict
from busytime.validating import Candidate, Ladder
from tests.fakes.folders import CONNECTION
from tests.fakes.in_memory_gateway import InMemoryCalendarGateway
from tests.unit.moments import HandClock

ONE = "one"
OPERATIONS = ["read_folder_rights", "find_items", "read_item_rights", "read_own_level", "read_availability", "is_group"]


class Climb:
    """A ladder over calendars in memory, which are named by the level that they are shared with."""

    def __init__(self, *levels, own=()):
        self.clock = HandClock()
        self.gateway = InMemoryCalendarGateway()
        self.candidates = []
        for number, level in enumerate(levels, start=1):
            owner = f"p{number}@corp.example"
            self.gateway.add_owner(owner, level=level)
            if number in own:
                self.gateway.add_item(owner, maker=CONNECTION, marker_key=f"{ONE}/BK-1")
            else:
                self.gateway.add_item(owner)
            calendar = Calendar(number, owner, "", CalendarKind.DEFAULT)
            self.candidates.append(Candidate(calendar, tuple(Need), self.clock.now() - timedelta(days=9)))
        self.ladder = Ladder(self.gateway, self.candidates, ONE, self.clock, timedelta(hours=48))

    def verdicts(self):
        return {place: it.verdict for place, it in self.ladder.climb().items()}

    def asked(self, operation):
        return [names for name, names, _ in self.gateway.requests if name == operation]


@pytest.mark.parametrize("operation", OPERATIONS)
def test_climb_that_a_busy_server_interrupts_goes_on_and_asks_nothing_twice(operation):
    calm = Climb("Editor", "Author", "NoneditingAuthor", "FreeBusyTimeOnly", own=(2, 3))
    expected = calm.verdicts()
    climb = Climb("Editor", "Author", "NoneditingAuthor", "FreeBusyTimeOnly", own=(2, 3))
    climb.gateway.fail(operation, lambda: ServerBusyError("busy"))
    with pytest.raises(ServerBusyError):
        climb.ladder.climb()
    assert climb.verdicts() == expected
    for name in OPERATIONS:
        # The one that was refused is asked again, and nothing else.
        assert len(climb.asked(name)) == len(calm.asked(name)) + (name == operation)


def test_interrupted_search_for_own_items_is_gone_on_with():
    climb = Climb("NoneditingAuthor", "NoneditingAuthor", own=(1, 2))
    calls = []

    def busy_at_the_third():
        calls.append(1)
        return ServerBusyError("busy")

    find = climb.gateway.find_items

    def find_items(owner, folder_id, **more):
        if len(climb.asked("find_items")) == 3 and not calls:
            raise busy_at_the_third()
        return find(owner, folder_id, **more)

    climb.gateway.find_items = find_items
    with pytest.raises(ServerBusyError):
        climb.ladder.climb()
    assert climb.verdicts()[2, Need.WRITE] is Verdict.INSUFFICIENT
    assert len(climb.asked("find_items")) == 4


def test_one_mailbox_that_spoils_the_answer_costs_the_others_nothing():
    climb = Climb("Editor", "Editor", "Editor")
    ask = climb.gateway.read_item_rights
    bad = set(climb.gateway.owners["p2@corp.example"].calendar.items)

    def read_item_rights(item_ids, installation_id):
        if bad & set(item_ids):
            climb.gateway.requests.append(("spoilt", tuple(item_ids), None))
            raise SpoiltAnswerError("spoilt", reason=Reason.TIMED_OUT)
        return ask(item_ids, installation_id)

    climb.gateway.read_item_rights = read_item_rights
    told = climb.verdicts()
    assert [told[key, Need.WRITE] for key in (1, 2, 3)] == [Verdict.GRANTED, Verdict.UNREACHABLE, Verdict.GRANTED]
    assert told[2, Need.READ] is Verdict.GRANTED
    assert len(climb.asked("spoilt")) == 2


def test_server_that_is_gone_is_not_asked_for_each_mailbox():
    climb = Climb(*["FreeBusyTimeOnly"] * 20)
    climb.gateway.fail("read_availability", lambda: ServerUnavailableError("gone"), None)
    with pytest.raises(ServerUnavailableError):
        climb.ladder.climb()
    assert len(climb.asked("read_availability")) == 1


def test_items_of_many_calendars_share_their_requests():
    climb = Climb(*["Editor"] * 45)
    for candidate in climb.candidates:
        for _ in range(9):
            climb.gateway.add_item(candidate.calendar.owner)
    assert set(climb.verdicts().values()) == {Verdict.GRANTED}
    assert len(climb.asked("find_items")) == 45
    assert len(climb.asked("read_item_rights")) == 3


def test_author_whose_unmarked_item_is_its_own_is_not_granted():
    climb = Climb("Author")
    climb.gateway.add_item("p1@corp.example", maker=CONNECTION)
    assert climb.verdicts()[1, Need.WRITE] is Verdict.UNPROVEN


def test_folder_that_is_not_there_is_looked_up_once():
    climb = Climb("Editor")
    calendar = Calendar(7, "p1@corp.example", "Nowhere", CalendarKind.SUB)
    candidate = Candidate(calendar, tuple(Need), climb.clock.now() - timedelta(days=9))
    ladder = Ladder(climb.gateway, [candidate], ONE, climb.clock, timedelta(hours=48))
    told = ladder.climb()
    assert {(it.verdict, it.reason) for it in told.values()} == {(Verdict.MISSING, Reason.FOLDER_NOT_FOUND)}
    assert len(climb.asked("list_folders")) == 1
