"""The roster in the database: replaced as a whole, with history kept, and each calendar served by one connection."""

from dataclasses import replace as replace_values

import pytest
from sqlalchemy.exc import IntegrityError

from busytime.bookings import OwnerChanges
from busytime.model import CalendarKind, ConnectionMode, Endpoint, Role
from busytime.roster import BookingPage, CalendarRef, Hours, Roster, RosterCalendar
from busytime.store.tables import associated_calendars, calendars, owners
from tests.unit.moments import at

ANA, BO, CY = (CalendarRef(f"{name}@corp.example") for name in ("ana", "bo", "cy"))
PROJECTS = CalendarRef("bo@corp.example", "Projects")


def page(name, main, *, additional=(), busy=(), hours=Hours(540, 1020)):  # noqa: B008 -- a frozen value
    return BookingPage(name, "Europe/Berlin", hours, main, tuple(additional), tuple(busy))


def roster(*pages, refs=(), calendars=()):
    named = {ref for one in pages for _, ref in one.associated()} | set(refs)
    own = {calendar.ref for calendar in calendars}
    return Roster((*calendars, *(RosterCalendar(ref.owner, ref.folder) for ref in sorted(named - own, key=str))), pages)


@pytest.fixture
def replace(store, clock):
    def replace_with(*args, **more):
        with store.write() as unit:
            changes = unit.roster.replace(roster(*args, **more), clock.now())
        clock.go(minutes=1)
        return changes.added, changes.kept, changes.retired, changes.pages

    return replace_with


@pytest.fixture
def in_use(store):
    def labels():
        with store.read() as unit:
            return [calendar.label for calendar in unit.roster.calendars()]

    return labels


@pytest.fixture
def pages(store):
    def all_pages():
        with store.read() as unit:
            return unit.roster.pages()

    return all_pages


@pytest.fixture
def connect(store, clock):
    def open_connection(email, mode=ConnectionMode.CORPORATE):
        with store.write() as unit:
            found = unit.connections.open(unit.owners.id(email), Endpoint(email, "https://mail/EWS"), mode, clock.now())
            unit.roster.assign_connections()
        return found

    return open_connection


def serving(store):
    with store.read() as unit:
        served = unit.roster.serving()
        return {calendar.label: served[calendar.id] for calendar in unit.roster.calendars()}


def test_first_roster_is_stored_as_it_is(replace, pages, in_use, rows):
    intro = page("intro-call", ANA, additional=[CY], busy=[PROJECTS, ANA])
    assert replace(intro) == (3, 0, 0, 1)
    assert pages() == [page("intro-call", ANA, additional=[CY], busy=[ANA, PROJECTS])]
    assert in_use() == ["ana@corp.example", "bo@corp.example/Projects", "cy@corp.example"]
    assert {row["kind"] for row in rows(calendars) if row["folder"]} == {CalendarKind.SUB}


def test_the_same_roster_again_changes_nothing(replace, rows):
    intro = page("intro-call", ANA, busy=[BO])
    replace(intro)
    before = rows(calendars), rows(associated_calendars)
    assert replace(intro) == (0, 2, 0, 1)
    assert (rows(calendars), rows(associated_calendars)) == before


def test_what_the_roster_lacks_is_retired_and_comes_back_as_the_same_calendar(replace, in_use, rows):
    replace(refs=[ANA, BO])
    assert replace(refs=[ANA]) == (0, 1, 1, 0)
    assert in_use() == ["ana@corp.example"]
    assert [row["retired_at"] is None for row in rows(calendars)] == [True, False]
    assert replace(refs=[ANA, BO]) == (1, 1, 0, 0)
    assert [row["retired_at"] for row in rows(calendars)] == [None, None]
    assert [row["added_at"] for row in rows(calendars)] == [at(0), at(2)]


def test_a_retired_calendar_keeps_when_it_was_retired(replace, rows):
    replace(refs=[ANA, BO])
    replace(refs=[ANA])
    retired = rows(calendars)[1]["retired_at"]
    replace(refs=[ANA])
    assert rows(calendars)[1]["retired_at"] == retired is not None


def test_a_page_that_is_gone_takes_its_roles_with_it_and_comes_back(replace, pages, rows):
    intro, other = page("intro-call", ANA, busy=[BO]), page("other", CY)
    replace(intro, other)
    replace(other, refs=[ANA, BO])
    assert pages() == [other]
    assert sum(row["retired_at"] is None for row in rows(associated_calendars)) == 1
    replace(intro, other)
    assert pages() == [intro, other]


def test_a_changed_page_is_changed_in_place(replace, pages):
    replace(page("intro-call", ANA))
    replace(page("intro-call", ANA, hours=Hours(0, 1440)))
    assert pages() == [page("intro-call", ANA, hours=Hours(0, 1440))]


def test_what_a_page_wants_of_pushing_is_kept(replace, pages):
    wishes = {"require_proof": True, "allow_conflicts": True, "owner_changes": OwnerChanges.FOLLOW, "recreate": True}
    replace(replace_values(page("intro-call", ANA), **wishes))
    assert pages() == [replace_values(page("intro-call", ANA), **wishes)]
    replace(page("intro-call", ANA))
    assert pages() == [page("intro-call", ANA)]


def test_a_changed_role_retires_the_old_one(replace, rows, store):
    replace(page("intro-call", ANA, busy=[BO]))
    replace(page("intro-call", ANA, additional=[BO]))
    with store.read() as unit:
        assert [(use.calendar.label, use.role) for use in unit.roster.page_calendars("intro-call")] == [
            ("ana@corp.example", Role.MAIN),
            ("bo@corp.example", Role.ADDITIONAL),
        ]
    assert [(row["role"], row["retired_at"] is None) for row in rows(associated_calendars)] == [
        ("main", True),
        ("busy", False),
        ("additional", True),
    ]


def test_main_calendars_swap_between_pages_in_one_import(replace, pages):
    replace(page("a", ANA), page("b", BO))
    replace(page("a", BO), page("b", ANA))
    assert [one.main for one in pages()] == [BO, ANA]


def test_main_and_busy_swap_on_one_page(replace, pages):
    replace(page("a", ANA, busy=[BO]))
    replace(page("a", BO, busy=[ANA]))
    assert pages() == [page("a", BO, busy=[ANA])]


def test_a_page_has_one_main_calendar(replace, engine, rows):
    replace(page("a", ANA, busy=[BO]))
    row = rows(associated_calendars)[1] | {"role": "main", "id": 99}
    with engine.connect() as connection, connection.begin(), pytest.raises(IntegrityError):
        connection.execute(associated_calendars.insert().values(row))


def test_a_folder_written_in_another_case_is_the_same_calendar(replace, in_use, rows):
    replace(refs=[PROJECTS])
    assert replace(refs=[CalendarRef("bo@corp.example", "PROJECTS")]) == (0, 1, 0, 0)
    assert len(rows(calendars)) == 1
    replace(refs=[ANA])
    replace(refs=[CalendarRef("bo@corp.example", "projects")])
    assert in_use() == ["bo@corp.example/Projects"]


def test_a_page_may_name_a_folder_in_another_case(store, clock, pages):
    with store.write() as unit:
        listed = (RosterCalendar("bo@corp.example", "Projects"),)
        unit.roster.replace(Roster(listed, (page("a", CalendarRef("bo@corp.example", "projects")),)), clock.now())
    assert pages() == [page("a", PROJECTS)]


def test_limits_to_pages_and_their_absence_are_kept_apart(replace, rows):
    listed = [
        RosterCalendar("ana@corp.example", pages=()),
        RosterCalendar("bo@corp.example", pages=("a",)),
        RosterCalendar("cy@corp.example"),
    ]
    replace(page("a", BO), calendars=listed)
    assert [row["pages"] for row in rows(calendars)] == [[], ["a"], None]


def test_a_learnt_folder_id_outlasts_imports(replace, store):
    replace(refs=[PROJECTS])
    with store.write() as unit:
        unit.roster.learn_folder_ids({unit.roster.calendars()[0].id: "AAMk-one"})
    replace(refs=[PROJECTS, ANA])
    with store.read() as unit:
        assert [calendar.folder_id for calendar in unit.roster.calendars()] == [None, "AAMk-one"]


def test_without_a_connection_nobody_serves(replace, store):
    replace(refs=[ANA])
    assert serving(store) == {"ana@corp.example": None}
    with store.read() as unit:
        assert [calendar.label for calendar in unit.roster.unserved()] == ["ana@corp.example"]


def test_the_corporate_connection_serves_everybody(replace, store, connect):
    replace(refs=[ANA, PROJECTS])
    corporate = connect("busytime@corp.example")
    assert set(serving(store).values()) == {corporate}
    with store.read() as unit:
        assert len(unit.roster.calendars(connection_id=corporate)) == 2
        assert unit.roster.unserved() == []


def test_a_calendar_is_served_by_the_named_connection_else_its_owners_own_else_the_corporate_one(replace, store, connect):
    corporate = connect("busytime@corp.example")
    own = connect("bo@corp.example", ConnectionMode.PERSONAL)
    eva = connect("eva@corp.example", ConnectionMode.PERSONAL)
    replace(calendars=[RosterCalendar("cy@corp.example", connection="eva@corp.example")], refs=[ANA, BO, PROJECTS])
    assert serving(store) == {
        "ana@corp.example": corporate,
        "bo@corp.example": own,
        "bo@corp.example/Projects": own,
        "cy@corp.example": eva,
    }


def test_a_calendar_whose_named_connection_is_not_there_waits_for_it(replace, store, connect):
    connect("busytime@corp.example")
    replace(calendars=[RosterCalendar("cy@corp.example", connection="eva@corp.example")])
    assert serving(store) == {"cy@corp.example": None}
    eva = connect("eva@corp.example", ConnectionMode.PERSONAL)
    assert serving(store) == {"cy@corp.example": eva}


def test_a_roster_larger_than_one_statement_may_name(store, clock):
    listed = tuple(RosterCalendar(f"owner{number:04}@corp.example") for number in range(1201))
    with store.write() as unit:
        unit.roster.replace(Roster(listed), clock.now())
        assert len(unit.roster.by_id(unit.roster.serving())) == 1201
        changes = unit.roster.replace(Roster(), clock.now())
    assert changes.retired == 1201


def test_addresses_have_one_row_in_lower_case(store, rows):
    with store.write() as unit:
        first = unit.owners.id("Ana@Corp.Example")
        assert unit.owners.ids(["ana@corp.example", "ANA@corp.example"]) == {"ana@corp.example": first}
        assert unit.owners.find("aNa@corp.example") == first
        assert unit.owners.ids([]) == {}
    assert [row["address"] for row in rows(owners)] == ["ana@corp.example"]
