"""What owners do with entries, seen at the harvest: proven before it is believed, and followed only where a page wants it."""

from __future__ import annotations

from datetime import timedelta
from types import SimpleNamespace

import pytest

from busytime.bookings import EntryState
from busytime.planning import plan_following
from tests.flows.harness import MovedClock
from tests.flows.permitting import grant, revoke
from tests.flows.pushing import LATER, WRITES, again, at, booked, booking_page, slot

REPORTING = ("ill", "moved", "back", "removed", "copied", "untouched")
FOLLOWING = ("follows", "vanishes", "overruled", "aside", "revoked", "private", "veiled", "many")
MANY = range(6, 16)
AS_BOOKED = (None, None, "guest")
APPLIED = ("update", "applied", None)


@pytest.fixture(scope="module")
def scene(scene_diary):
    """Push, let owners act, harvest, push; then let guests and owners have their last word, harvest and push once more."""
    diary = scene_diary
    main, other = ({name: diary.person() for name in (*REPORTING, "recreated", *FOLLOWING)} for _ in range(2))
    diary.pages(
        *(booking_page(main[it], [other[it]], name=it) for it in REPORTING),
        *(booking_page(main[it], [other[it]], name=it, owner_changes="follow") for it in FOLLOWING if it != "many"),
        booking_page(main["recreated"], name="recreated", recreate=True),
        booking_page(main["many"], name="many", owner_changes="follow"),
    )
    diary.take(*(booked(it, at(9), page=it) for it in main if it != "many"))
    diary.take(*(booked(f"many-{hour}", at(hour), page="many") for hour in MANY))
    seen = SimpleNamespace(diary=diary, main=main, other=other)
    diary.push()
    owners_act(seen)
    watched(seen, "first", LATER)
    last_words(seen)
    watched(seen, "second", 2 * LATER)
    return seen


def owners_act(scene):
    """Move, remove, copy and hide entries."""
    diary, main, exchange = scene.diary, scene.main, scene.diary.exchange
    for name in ("moved", "back", "follows", "overruled"):
        move(diary, main[name], at(14))
    move(diary, scene.other["aside"], at(14))
    for name in ("removed", "recreated", "vanishes"):
        remove(diary, main[name])
    (item,) = diary.items(main["copied"])
    exchange.control("POST", f"/appointments/{item['id']}/copy", {"start": at(20).isoformat()})
    move(diary, main["copied"], at(14), "copied", item["id"])
    (scene.veiled,) = diary.items(main["veiled"])
    exchange.control("POST", f"/appointments/{scene.veiled['id']}/copy", {"start": at(20).isoformat()})
    for item in (*diary.items(main["private"]), scene.veiled):
        exchange.control("PATCH", f"/appointments/{item['id']}", {"is_private": True})
    revoke(exchange, main["revoked"])
    for hour in (6, 7):
        move(diary, main["many"], at(hour, days=8), f"many-{hour}")
    remove(diary, main["many"], "many-8")
    diary.take(booked("overruled", at(16), page="overruled", revision=2))
    exchange.control("POST", "/faults", {"kind": "sick_mailbox", "operation": "GetItem", "mailbox": main["ill"]})


def last_words(scene):
    """Undo what owners did, or let guests say something new."""
    diary, exchange = scene.diary, scene.diary.exchange
    exchange.control("DELETE", "/faults")
    move(diary, scene.main["back"], at(9))
    grant(exchange, scene.main["revoked"], "Editor")
    for item in (*diary.items(scene.main["private"]), scene.veiled):
        exchange.control("PATCH", f"/appointments/{item['id']}", {"is_private": False})
    diary.take(*(booked(it, at(16), page=it, revision=2) for it in ("moved", "removed", "follows")))


def watched(scene, name, later):
    """Harvest and push, and keep all that is to be seen of it."""
    diary, clock = scene.diary, MovedClock()
    clock.offset = later
    mark = diary.mark()
    seen = SimpleNamespace(harvest=diary.harvest(clock=clock), read=diary.requests(mark, "GetItem", "FindItem"))
    seen.entries, seen.standing = diary.entries(), standing(diary)
    mark = diary.mark()
    seen.push, seen.writes, seen.after = diary.push(), diary.requests(mark, *WRITES), diary.entries()
    setattr(scene, name, seen)


def move(diary, owner, start, key=None, item_id=None):
    """Let an owner move an entry; without a key the only one."""
    item_id = item_id or next(item["id"] for item in diary.items(owner) if key in {None, item["booking_key"]})
    times = {"start": start.isoformat(), "end": (start + timedelta(minutes=30)).isoformat()}
    diary.exchange.control("PATCH", f"/appointments/{item_id}", times)


def remove(diary, owner, key=None):
    """Let an owner remove an entry; without a key the only one."""
    item_id = next(item["id"] for item in diary.items(owner) if key in {None, item["booking_key"]})
    diary.exchange.control("DELETE", f"/appointments/{item_id}")


def standing(diary):
    """Return each booking's first revision as it stands: effective start and state, and who set them."""
    columns = "booking_key, effective_starts_at, effective_state, changed_by"
    rows = diary.home.query(f"SELECT {columns} FROM bookings WHERE revision = 1")  # noqa: S608 -- our own words
    return {key: tuple(rest) for key, *rest in rows}


def both(scene, name):
    return [scene.diary.ours(calendars[name]) for calendars in (scene.main, scene.other)]


def test_moved_entry_is_reported_and_left_alone_until_a_later_revision(scene):
    main, other = scene.main["moved"], scene.other["moved"]
    assert scene.first.entries["moved", main] == ("moved_by_owner", None)
    assert scene.first.standing["moved"] == AS_BOOKED
    assert not {("moved", main), ("moved", other)} & scene.first.push.changes.keys()
    assert [scene.second.push.changes["moved", calendar] for calendar in (main, other)] == [APPLIED] * 2
    assert both(scene, "moved") == [{"moved": slot(at(16))}] * 2


def test_entry_that_its_owner_moves_back_is_as_it_was(scene):
    assert scene.first.entries["back", scene.main["back"]] == ("moved_by_owner", None)
    assert scene.second.entries["back", scene.main["back"]] == ("present", None)


def test_removed_entry_is_proven_by_a_search_in_the_same_run_and_left_alone_until_a_later_revision(scene):
    main, other = scene.main["removed"], scene.other["removed"]
    assert [operation for operation, mailbox in scene.first.read if mailbox == main][:2] == ["GetItem", "FindItem"]
    assert scene.first.entries["removed", main] == ("removed_by_owner", "gone")
    assert scene.first.entries["removed", other] == ("present", None)
    assert scene.first.standing["removed"] == AS_BOOKED
    assert not {("removed", main), ("removed", other)} & scene.first.push.changes.keys()
    assert scene.second.push.changes["removed", main] == ("create", "applied", None)
    assert both(scene, "removed") == [{"removed": slot(at(16))}] * 2


def test_removed_entry_is_made_again_on_a_page_that_wants_that(scene):
    main = scene.main["recreated"]
    assert scene.first.push.changes["recreated", main] == ("create", "applied", None)
    assert scene.diary.ours(main) == {"recreated": slot(at(9))}


def test_right_that_was_taken_away_is_no_deletion(scene):
    main = scene.main["revoked"]
    assert scene.first.entries["revoked", main] == ("unknown", "folder_not_found")
    assert scene.first.standing["revoked"] == scene.second.standing["revoked"] == AS_BOOKED
    assert scene.first.push.changes["revoked", main] == ("update", "failed", "folder_not_found")
    assert scene.second.push.changes["revoked", main] == ("update", "already_applied", None)
    assert scene.second.after["revoked", main] == ("present", None)
    assert both(scene, "revoked") == [{"revoked": slot(at(9))}] * 2


def test_entry_that_its_owner_made_private_is_no_deletion(scene):
    main = scene.main["private"]
    assert scene.first.entries["private", main] == ("unknown", "foreign_item")
    assert scene.first.standing["private"] == scene.second.standing["private"] == AS_BOOKED
    assert scene.first.push.changes["private", main] == ("update", "failed", "foreign_item")
    assert scene.second.push.changes["private", main] == ("update", "already_applied", None)
    assert both(scene, "private") == [{"private": slot(at(9))}] * 2


def test_copy_of_an_entry_that_its_owner_made_private_is_not_taken_for_it(scene):
    key, main = "veiled", scene.main["veiled"]
    assert scene.first.entries[key, main] == ("unknown", "foreign_item")
    assert scene.first.standing[key] == scene.second.standing[key] == AS_BOOKED
    assert scene.first.push.changes[key, main] == ("update", "failed", "foreign_item")
    assert scene.second.push.changes[key, main] == ("update", "already_applied", None)
    assert scene.second.after[key, main] == ("present", "copied_by_owner")
    starts = {it["id"] == scene.veiled["id"]: it["start"] for it in scene.diary.items(main)}
    assert starts == {True: at(9).isoformat(), False: at(20).isoformat()}


def test_copy_is_told_when_its_original_was_moved_and_left(scene):
    main = scene.main["copied"]
    assert scene.first.entries["copied", main] == ("moved_by_owner", "copied_by_owner")
    assert [item["start"] for item in scene.diary.items(main)] == [at(14).isoformat(), at(20).isoformat()]


def test_ill_mailbox_changes_its_entries_not_and_keeps_no_other_one_from_being_read(scene):
    assert scene.first.entries["ill", scene.main["ill"]] == ("present", None)
    assert scene.first.harvest.status == "completed_with_failures"
    assert ("GetItem", scene.main["untouched"]) in scene.first.read


def test_booking_follows_a_moved_entry_and_the_additional_calendar_comes_after_it(scene):
    start, state, changed_by = scene.first.standing["follows"]
    assert (start, state, changed_by) == (f"{at(14):%Y-%m-%dT%H:%M:%S.000000+00:00}", None, "owner")
    assert scene.first.push.changes["follows", scene.other["follows"]] == APPLIED
    assert ("follows", scene.main["follows"]) not in scene.first.push.changes
    assert scene.first.entries["follows", scene.main["follows"]] == ("present", None)


def test_guest_moves_a_booking_again_that_has_followed_its_owner(scene):
    assert both(scene, "follows") == [{"follows": slot(at(16))}] * 2


def test_booking_follows_a_removed_entry_and_the_additional_calendar_loses_it(scene):
    assert scene.first.standing["vanishes"] == (None, "cancelled", "owner")
    assert scene.first.push.changes["vanishes", scene.other["vanishes"]] == ("cancel", "applied", None)
    assert both(scene, "vanishes") == [{}, {}]


def test_booking_does_not_follow_its_additional_calendar(scene):
    assert scene.first.entries["aside", scene.other["aside"]] == ("moved_by_owner", None)
    assert scene.first.standing["aside"] == AS_BOOKED


def test_guests_later_revision_overrules_what_the_owner_did(scene):
    assert scene.first.standing["overruled"] == AS_BOOKED
    assert both(scene, "overruled") == [{"overruled": slot(at(16))}] * 2


def test_too_many_changes_at_once_are_followed_by_none(scene):
    main = scene.main["many"]
    refused = [(it.page, it.disturbed, it.future) for it in scene.first.harvest.entries.refused_pages]
    assert refused == [("many", 3, 10)]
    assert {scene.first.standing[f"many-{hour}"] for hour in MANY} == {AS_BOOKED}
    assert main not in {mailbox for _, mailbox in scene.first.writes + scene.second.writes}


def test_harvest_counts_what_owners_did(scene):
    counted = scene.first.harvest.entries
    assert counted.followed == 2
    moved, removed, unknown = (EntryState.MOVED_BY_OWNER, EntryState.REMOVED_BY_OWNER, EntryState.UNKNOWN)
    assert counted.changed == {moved: 8, removed: 4, unknown: 3}


def test_entries_verified_within_the_hour_are_not_read_again(diary, person):
    main, other = person(), person()
    diary.pages(booking_page(main, [other]))
    diary.take(booked("BK-1", at(9)))
    diary.push()
    mark = diary.mark()
    diary.harvest(clock=MovedClock())
    assert diary.requests(mark, "GetItem") == []
    diary.harvest()
    assert sorted(diary.requests(mark, "GetItem")) == sorted([("GetItem", main), ("GetItem", other)])


def test_booking_that_its_guest_moves_at_the_last_moment_follows_nobody(diary, person):
    main = person()
    diary.pages(booking_page(main, owner_changes="follow"))
    booking = booked("BK-1", at(9))
    diary.take(booking)
    diary.push()
    move(diary, main, at(14))

    def plan_late(snapshot):
        from tasks.workspace import workspace

        planned, office = plan_following(snapshot), workspace()
        with office.store.write() as unit:
            unit.bookings.take([again(booking, at(16))], office.clock.now())
        return planned

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("tasks.read_back.plan_following", plan_late)
        assert diary.harvest().entries.followed == 0
    assert diary.entries() == {("BK-1", main): ("moved_by_owner", None)}
    assert diary.push().changes == {("BK-1", main): APPLIED}
    assert diary.ours(main) == {"BK-1": slot(at(16))}
