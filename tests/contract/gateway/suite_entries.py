"""What every calendar gateway does with entries: writes them where they belong, and finds them again."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from busytime.bookings import CalendarItem, Draft, ItemName, marker_key
from busytime.errors import (
    AmbiguousWriteError,
    ConfigurationError,
    ConflictError,
    FolderNotFoundError,
    MailboxNotFoundError,
    PermissionMissingError,
    Reason,
    ServerBusyError,
    SkippableError,
    TooManyMailboxesError,
    WindowTooLargeError,
)
from busytime.model import BusyStatus, Window
from tests.contract.gateway.suite_rights import HIDDEN
from tests.contract.gateway.worlds import NINE, TEN, WEEK, at

ONE = "one"
MARKER = marker_key(ONE, "BK-1")
DRAFT = Draft(MARKER, 1, Window(NINE, TEN), "Europe/Berlin", "Intro <call>", "Room 1 & 2", "First line\n\tsecond: o'hara & co\n")
LATER = replace(DRAFT, revision=12, window=Window(at(2, 14), at(2, 16)), title="Outro", location="Room 3", body="Other text")

#: Whether a level lets the connection create, and change and remove what it created itself, and what the owner copied.
WRITING = {
    "Reviewer": (False, False, False, False, False),
    "NoneditingAuthor": (True, False, True, False, False),
    "Author": (True, True, True, False, False),
    "PublishingAuthor": (True, True, True, False, False),
    "Editor": (True, True, True, True, True),
    "PublishingEditor": (True, True, True, True, True),
    "Owner": (True, True, True, True, True),
    "Custom": (False, True, False, True, False),
    "delegate": (True, True, True, True, True),
}


def keys(items):
    return [item.marker_key for item in items]


def allowed(do):
    try:
        do()
    except PermissionMissingError:
        return False
    return True


class EntryContract:
    """Inherited by a class for each gateway, which brings the fixture ``world``."""

    # Creating

    def test_entry_lands_in_its_owners_calendar_and_nowhere_else(self, world):
        owner, own_before = world.owner(), world.own_items()
        before = datetime.now(UTC).replace(microsecond=0)
        name = world.gateway.create_entry(owner, None, DRAFT)
        assert world.guard.taken == 1
        assert (NINE, TEN, BusyStatus.BUSY, MARKER, 1, True) in world.truth(owner)
        assert world.own_items() == own_before
        (found,) = world.gateway.find_entries(owner, None, MARKER)
        assert found == CalendarItem(name, NINE, TEN, None, MARKER, 1, found.created_at)
        assert before <= found.created_at <= datetime.now(UTC)
        assert world.gateway.read_entries([name.item_id]) == [found]
        assert world.guard.taken == 3

    def test_entry_lands_in_the_sub_calendar(self, world):
        owner = world.owner()
        folder_id = world.sub_calendar(owner, "Editor")
        name = world.gateway.create_entry(owner, folder_id, DRAFT)
        assert world.truth(owner, "Projects") == [(NINE, TEN, BusyStatus.BUSY, MARKER, 1, True)]
        assert MARKER not in world.markers(owner, "")
        assert [item.name for item in world.gateway.find_entries(owner, folder_id, MARKER)] == [name]
        assert world.gateway.find_entries(owner, None, MARKER) == []

    def test_texts_arrive_as_they_are(self, world):
        name = world.gateway.create_entry(world.owner(), None, DRAFT)
        assert world.texts(name.item_id) == (DRAFT.title, DRAFT.location, DRAFT.body)

    def test_entry_without_place_and_text(self, world):
        name = world.gateway.create_entry(world.owner(), None, replace(DRAFT, location="", body=""))
        assert world.texts(name.item_id) == (DRAFT.title, "", "")

    @pytest.mark.parametrize(
        "zone",
        [
            "UTC",
            "Europe/Berlin",
            "America/New_York",
            "Australia/Sydney",
            "Asia/Kolkata",
            "Pacific/Chatham",
            "EST",
            "No/Where",
            "",
        ],
    )
    @pytest.mark.parametrize("start", [datetime(2031, *day, tzinfo=UTC) for day in [(1, 7, 9), (3, 30, 0, 30), (10, 26, 0, 30)]])
    def test_instants_are_kept_in_every_zone(self, world, zone, start):
        owner = world.owner()
        draft = replace(DRAFT, time_zone=zone, window=Window(start, start + timedelta(hours=2)))
        name = world.gateway.create_entry(owner, None, draft)
        assert (start, start + timedelta(hours=2)) in [fact[:2] for fact in world.truth(owner)]
        (item,) = world.gateway.read_entries([name.item_id])
        assert (item.start, item.end) == (draft.window.start, draft.window.end)
        changed = replace(draft, window=Window(start + timedelta(hours=1), start + timedelta(hours=4)))
        world.gateway.change_entry(owner, name, changed)
        (item,) = world.gateway.read_entries([name.item_id])
        assert (item.start, item.end) == (changed.window.start, changed.window.end)

    @pytest.mark.parametrize("key", ["BK/1", "ключ-1", "a b", "a\u00a0b", "<&>\"'", "x" * 200])
    def test_keys_of_every_kind_are_found_again(self, world, key):
        owner, marker = world.owner(), marker_key(ONE, key)
        name = world.gateway.create_entry(owner, None, replace(DRAFT, marker_key=marker))
        assert [(item.name, item.marker_key) for item in world.gateway.find_entries(owner, None, marker)] == [(name, marker)]

    # Changing

    def test_changed_entry_is_as_its_draft_and_has_a_new_version(self, world):
        owner = world.owner()
        name = world.gateway.create_entry(owner, None, DRAFT)
        changed = world.gateway.change_entry(owner, name, LATER)
        assert world.guard.taken == 2
        assert changed.item_id == name.item_id
        assert changed.change_key != name.change_key
        assert world.texts(name.item_id) == ("Outro", "Room 3", "Other text")
        (item,) = world.gateway.read_entries([name.item_id])
        assert (item.name, item.start, item.end, item.revision) == (changed, at(2, 14), at(2, 16), 12)
        assert item.marker_key == MARKER

    def test_emptied_texts_are_empty(self, world):
        owner = world.owner()
        name = world.gateway.create_entry(owner, None, DRAFT)
        world.gateway.change_entry(owner, name, replace(DRAFT, location="", body=""))
        assert world.texts(name.item_id) == (DRAFT.title, "", "")

    def test_change_to_a_stale_version_changes_nothing(self, world):
        owner = world.owner()
        name = world.gateway.create_entry(owner, None, DRAFT)
        world.change(name.item_id, BusyStatus.TENTATIVE)
        with pytest.raises(ConflictError) as caught:
            world.gateway.change_entry(owner, name, LATER)
        assert caught.value.reason is Reason.CHANGED_MEANWHILE
        assert world.texts(name.item_id) == (DRAFT.title, DRAFT.location, DRAFT.body)
        assert (NINE, TEN, BusyStatus.TENTATIVE, MARKER, 1, True) in world.truth(owner)

    def test_what_the_owner_set_is_left(self, world):
        owner = world.owner()
        name = world.gateway.create_entry(owner, None, DRAFT)
        world.change(name.item_id, BusyStatus.OUT_OF_OFFICE)
        (item,) = world.gateway.read_entries([name.item_id])
        world.gateway.change_entry(owner, item.name, LATER)
        assert (at(2, 14), at(2, 16), BusyStatus.OUT_OF_OFFICE, MARKER, 12, True) in world.truth(owner)

    def test_what_is_gone_cannot_be_changed(self, world):
        owner = world.owner()
        name = world.gateway.create_entry(owner, None, DRAFT)
        world.remove(name.item_id)
        with pytest.raises(FolderNotFoundError):
            world.gateway.change_entry(owner, name, LATER)

    # Removing

    def test_removed_entry_is_gone_and_can_be_removed_again(self, world):
        owner = world.owner()
        folder_id = world.sub_calendar(owner, "Editor")
        name, other = (world.gateway.create_entry(owner, folder_id, DRAFT) for _ in range(2))
        world.gateway.remove_entry(owner, name.item_id)
        assert world.markers(owner, "Projects") == [MARKER]
        assert world.gateway.read_entries([name.item_id, other.item_id])[0] is None
        world.gateway.remove_entry(owner, name.item_id)
        assert world.guard.taken == 5

    # Rights

    @pytest.mark.parametrize("level", WRITING)
    def test_rights_are_kept_to(self, world, level):
        owner = world.owner()
        folder_id = world.sub_calendar(owner, level)
        mine = world.put(owner, "Projects", own=True, marker_key=MARKER)
        (seen,) = world.gateway.read_entries([mine])
        (copied,) = world.gateway.read_entries([world.copy(mine)])
        gateway = world.gateway
        done = (
            allowed(lambda: gateway.create_entry(owner, folder_id, replace(DRAFT, marker_key=f"{ONE}/new"))),
            allowed(lambda: gateway.change_entry(owner, seen.name, LATER)),
            allowed(lambda: gateway.remove_entry(owner, seen.item_id)),
            allowed(lambda: gateway.change_entry(owner, copied.name, LATER)),
            allowed(lambda: gateway.remove_entry(owner, copied.item_id)),
        )
        assert done == WRITING[level]
        left = [MARKER] * (2 - done[2] - done[4]) + [f"{ONE}/new"] * done[0]
        assert sorted(world.markers(owner, "Projects")) == sorted(left)

    @pytest.mark.parametrize("level", [*HIDDEN, "Contributor"])
    def test_nothing_is_told_of_what_may_not_be_read(self, world, level):
        owner = world.owner()
        folder_id = world.sub_calendar(owner, level)
        item_id = world.put(owner, "Projects", own=True, marker_key=MARKER)
        with pytest.raises((FolderNotFoundError, PermissionMissingError)):
            world.gateway.find_entries(owner, folder_id, MARKER)
        with pytest.raises((FolderNotFoundError, PermissionMissingError)):
            world.gateway.read_items(owner, folder_id, WEEK)
        with pytest.raises((FolderNotFoundError, PermissionMissingError)):
            world.gateway.change_entry(owner, ItemName(item_id, "AAAAABYAAAAAAAQwAQ=="), LATER)
        assert world.gateway.read_entries([item_id]) == [None]
        assert world.markers(owner, "Projects") == [MARKER]

    @pytest.mark.parametrize("level", HIDDEN)
    def test_nothing_is_created_in_a_calendar_that_is_not_shown(self, world, level):
        owner = world.owner()
        folder_id = world.sub_calendar(owner, level)
        with pytest.raises((FolderNotFoundError, PermissionMissingError)):
            world.gateway.create_entry(owner, folder_id, DRAFT)
        assert world.markers(owner, "Projects") == []
        assert world.guard.taken == 1

    def test_nothing_is_created_for_an_unknown_mailbox(self, world):
        with pytest.raises((MailboxNotFoundError, FolderNotFoundError)):
            world.gateway.create_entry("nobody@corp.example", None, DRAFT)

    # Finding

    def test_copy_of_the_owner_is_a_second_item(self, world):
        owner = world.owner()
        name = world.gateway.create_entry(owner, None, DRAFT)
        copy_id = world.copy(name.item_id, at(3, 9))
        found = world.gateway.find_entries(owner, None, MARKER)
        assert {(item.item_id, item.start, item.revision) for item in found} == {(name.item_id, NINE, 1), (copy_id, at(3, 9), 1)}
        viewed = [item for item in world.gateway.read_items(owner, None, WEEK) if item.marker_key == MARKER]
        assert {item.item_id for item in viewed} == {name.item_id, copy_id}

    def test_only_exactly_this_marker_is_found(self, world):
        owner = world.owner()
        folder_id = world.sub_calendar(owner, "Editor")
        for key in ("ONE/BK-1", "one/bk-1", "one/BK-10", "one/BK-1 ", "two/BK-1", "one/", None):
            world.put(owner, "Projects", marker_key=key)
        assert world.gateway.find_entries(owner, folder_id, MARKER) == []
        mine = world.put(owner, "Projects", marker_key=MARKER)
        assert [item.item_id for item in world.gateway.find_entries(owner, folder_id, MARKER)] == [mine]

    def test_all_entries_of_an_installation_are_found_page_by_page(self, world):
        owner = world.owner()
        folder_id = world.sub_calendar(owner, "Editor")
        wanted = [f"one/BK-{number}" for number in range(8)]
        for key in (*wanted[:4], "two/BK-1", "ONE/BK-1", "one", "oneself/BK-1", None, *wanted[4:]):
            world.put(owner, "Projects", marker_key=key)
        world.limit_pages(3)
        found = world.gateway.find_entries(owner, folder_id, "one/")
        assert sorted(keys(found)) == wanted
        assert all((item.start, item.end, item.status, item.revision) == (NINE, TEN, None, None) for item in found)

    def test_nothing_is_found_in_an_empty_calendar(self, world):
        owner = world.owner()
        folder_id = world.sub_calendar(owner, "Reviewer")
        assert world.gateway.find_entries(owner, folder_id, "one/") == []

    # Reading

    def test_items_that_are_gone_or_hidden_are_none_in_their_places_too(self, world):
        owner, closed = world.owner(), world.owner()
        world.sub_calendar(closed, "None")
        here, gone = (world.gateway.create_entry(owner, None, DRAFT).item_id for _ in range(2))
        hidden = world.put(closed, "Projects", marker_key=MARKER)
        world.remove(gone)
        answers = world.gateway.read_entries([gone, here, hidden, "AAAA"])
        assert [None if answer is None else answer.item_id for answer in answers] == [None, here, None, None]
        assert world.gateway.read_entries([gone]) == [None]

    def test_no_entry_is_no_request_and_too_many_are_refused(self, world):
        assert world.gateway.read_entries([]) == []
        with pytest.raises(ConfigurationError):
            world.gateway.read_entries(["AAAA"] * 101)
        assert world.guard.taken == 0

    def test_hundred_entries_are_one_request(self, world):
        item_id = world.put(world.owner(), "", marker_key=MARKER)
        assert keys(world.gateway.read_entries([item_id] * 100)) == [MARKER] * 100
        assert world.guard.taken == 1

    # Viewing

    def test_view_shows_times_status_and_marker(self, world):
        owner = world.owner()
        folder_id = world.sub_calendar(owner, "Editor")
        name = world.gateway.create_entry(owner, folder_id, DRAFT)
        busy = world.add(owner, at(1, 9), at(1, 10), BusyStatus.WORKING_ELSEWHERE, "Projects")
        free = world.add(owner, at(2, 9), at(2, 10), None, "Projects")
        world.cancel(world.add(owner, at(3, 9), at(3, 10), BusyStatus.BUSY, "Projects"))
        taken = world.guard.taken
        items = {item.item_id: item for item in world.gateway.read_items(owner, folder_id, WEEK)}
        assert world.guard.taken == taken + 1
        entry = items[name.item_id]
        assert entry == CalendarItem(name, NINE, TEN, BusyStatus.BUSY, MARKER, 1, entry.created_at)
        assert entry.created_at is not None
        told = {item.item_id: (item.start, item.end, item.status, item.marker_key, item.revision) for item in items.values()}
        del told[name.item_id]
        assert told == {
            busy: (at(1, 9), at(1, 10), BusyStatus.WORKING_ELSEWHERE, None, None),
            free: (at(2, 9), at(2, 10), None, None, None),
        }

    def test_view_of_the_default_calendar(self, world):
        owner = world.owner()
        name = world.gateway.create_entry(owner, None, DRAFT)
        assert name in [item.name for item in world.gateway.read_items(owner, None, WEEK)]

    def test_view_has_what_overlaps_the_window_whole(self, world):
        owner = world.owner()
        folder_id = world.sub_calendar(owner, "Editor")
        window = Window(at(1, 9), at(1, 17))
        inside = [(at(1, 8), at(1, 10)), (at(1, 16), at(1, 18)), (at(0, 0), at(3, 0))]
        for start, end in [*inside, (at(1, 8), at(1, 9)), (at(1, 17), at(1, 18))]:
            world.put(owner, "Projects", start=start, end=end)
        found = world.gateway.read_items(owner, folder_id, window)
        assert sorted((item.start, item.end) for item in found) == sorted(inside)

    def test_item_of_no_length_is_shown_only_with_a_marker(self, world):
        owner = world.owner()
        folder_id = world.sub_calendar(owner, "Editor")
        for hour in (9, 12, 17):
            for key in (MARKER, None):
                world.put(owner, "Projects", marker_key=key, start=at(1, hour), end=at(1, hour))
        found = world.gateway.read_items(owner, folder_id, Window(at(1, 9), at(1, 17)))
        assert [(item.start, item.marker_key) for item in found] == [(at(1, 9), MARKER), (at(1, 12), MARKER)]

    def test_view_that_is_too_long_is_refused(self, world):
        with pytest.raises(WindowTooLargeError):
            world.gateway.read_items(world.owner(), None, Window(WEEK.start, WEEK.start + timedelta(days=800)))

    def test_view_of_a_folder_that_is_not_there(self, world):
        with pytest.raises(FolderNotFoundError):
            world.gateway.read_items(world.owner(), "AAAA", WEEK)

    # Answers that do not come

    def test_lost_answer_to_a_creation(self, world):
        owner = world.owner()
        folder_id = world.sub_calendar(owner, "Editor")
        world.lose_answer("CreateItem")
        with pytest.raises(AmbiguousWriteError):
            world.gateway.create_entry(owner, folder_id, DRAFT)
        assert world.guard.taken == 1
        assert keys(world.gateway.find_entries(owner, folder_id, MARKER)) == [MARKER]

    def test_lost_answers_to_a_change_and_a_removal(self, world):
        owner = world.owner()
        name = world.gateway.create_entry(owner, None, DRAFT)
        world.lose_answer("UpdateItem")
        with pytest.raises(AmbiguousWriteError):
            world.gateway.change_entry(owner, name, LATER)
        (item,) = world.gateway.read_entries([name.item_id])
        assert (item.start, item.revision) == (LATER.window.start, 12)
        world.lose_answer("DeleteItem")
        with pytest.raises(AmbiguousWriteError):
            world.gateway.remove_entry(owner, name.item_id)
        assert world.gateway.read_entries([name.item_id]) == [None]

    def test_busy_server_took_nothing(self, world):
        owner = world.owner()
        world.make_busy(2.5)
        with pytest.raises(ServerBusyError) as caught:
            world.gateway.create_entry(owner, None, DRAFT)
        assert caught.value.back_off_seconds == 2.5
        world.refuse_more_mailboxes()
        with pytest.raises(TooManyMailboxesError) as caught:
            world.gateway.create_entry(owner, None, DRAFT)
        assert caught.value.reason is Reason.TOO_MANY_MAILBOXES
        assert MARKER not in world.markers(owner, "")

    def test_refusal_is_not_taken_for_an_empty_answer(self, world):
        owner = world.owner()
        world.forbid(owner)
        with pytest.raises(SkippableError):
            world.gateway.find_entries(owner, None, MARKER)
