"""The rules for one value of a roster, and between its values."""

import pytest

from busytime.errors import ConfigurationError
from busytime.model import Role
from busytime.roster import (
    BookingPage,
    CalendarRef,
    Hours,
    RosterCalendar,
    parse_address,
    parse_calendar_ref,
    parse_folder,
    parse_hours,
    retirement_gate,
)
from busytime.roster_checks import CalendarLine, PageLine, RoleLine, build_roster, check_roster

ANA, BO = CalendarRef("ana@corp.example"), CalendarRef("bo@corp.example", "Projects")


def page(*roles, name="intro"):
    return PageLine(10, name, tuple(RoleLine(11 + at, role, ref) for at, (role, ref) in enumerate(roles)))


@pytest.mark.parametrize(
    ("existing", "retired", "refused"),
    [(10, 2, False), (10, 3, True), (9, 9, False), (100, 20, False), (100, 21, True), (11, 2, False), (0, 0, False)],
)
def test_retiring_more_than_a_fifth_of_ten_needs_force(existing, retired, refused):
    assert retirement_gate(existing, retired) is refused


@pytest.mark.parametrize(
    ("text", "address"),
    [
        (" Ana@Corp.Example ", "ana@corp.example"),
        ("o'brien+x@mail.corp.example", "o'brien+x@mail.corp.example"),
        ("jörg@münchen.example", "jörg@münchen.example"),
        ("room/1@corp.example", "room/1@corp.example"),
    ],
)
def test_address_compares_in_lower_case(text, address):
    assert parse_address(text) == address


@pytest.mark.parametrize(
    "text",
    [
        "",
        "ana",
        "ana@corp",
        "@corp.example",
        "ana@",
        "a@b@corp.example",
        "a b@corp.example",
        "ana@corp..example",
        "ana@-corp.example",
        "Ana <ana@corp.example>",
        "ana@corp.example, bo@corp.example",
        "a\0@corp.example",
        "a\u200b@corp.example",
        "a\tb@corp.example",
        "a" * 65 + "@corp.example",
        "a@" + "b" * 60 + ("." + "c" * 60) * 4,
    ],
)
def test_what_is_not_one_address_is_refused(text):
    with pytest.raises(ConfigurationError, match="is not one e-mail address"):
        parse_address(text)


def test_address_with_a_folder_is_told_where_the_folder_goes():
    with pytest.raises(ConfigurationError, match="under folder"):
        parse_address("bo@corp.example/Projects")


@pytest.mark.parametrize(
    ("text", "ref"),
    [
        ("Ana@corp.example", ANA),
        ("bo@corp.example/Projects", BO),
        ("room/1@corp.example/A/B", CalendarRef("room/1@corp.example", "A/B")),
        ("bo@corp.example/../Beside", CalendarRef("bo@corp.example", "../Beside")),
        ("bo@corp.example/a@b", CalendarRef("bo@corp.example", "a@b")),
    ],
)
def test_calendar_is_an_address_and_a_path(text, ref):
    assert parse_calendar_ref(text) == ref
    assert parse_calendar_ref(str(ref)) == ref


def test_calendar_that_ends_with_a_slash_is_refused():
    with pytest.raises(ConfigurationError, match="names no folder after the slash"):
        parse_calendar_ref("bo@corp.example/")


@pytest.mark.parametrize("length", [501, 100_000])
def test_folder_too_long_to_store_is_refused(length):
    with pytest.raises(ConfigurationError, match=f"has {length} characters"):
        parse_folder("x" * length)


@pytest.mark.parametrize(
    ("text", "hours"),
    [("09:00-17:00", Hours(540, 1020)), ("00:00-24:00", Hours()), (" 9:00 - 17:30 ", Hours(540, 1050))],
)
def test_hours_are_two_times_of_a_day(text, hours):
    assert parse_hours(text) == hours
    assert parse_hours(str(hours)) == hours


@pytest.mark.parametrize(
    "text", ["", "9-17", "09:00", "09:00-24:01", "09:60-17:00", "09:00-17:00-18:00", "\u0660\u0669:00-17:00"]
)
def test_what_is_not_two_times_is_refused(text):
    with pytest.raises(ConfigurationError, match="are not hours"):
        parse_hours(text)


@pytest.mark.parametrize("text", ["17:00-09:00", "09:00-09:00", "24:00-24:00"])
def test_hours_end_after_they_start(text):
    with pytest.raises(ConfigurationError, match="end before they start"):
        parse_hours(text)


def test_calendar_may_be_written_and_also_read_on_one_page():
    roles = [(Role.MAIN, ANA), (Role.BUSY, ANA), (Role.ADDITIONAL, BO), (Role.BUSY, BO)]
    assert check_roster([], [page(*roles)]) == []


@pytest.mark.parametrize("roles", [(Role.BUSY, Role.BUSY), (Role.ADDITIONAL, Role.ADDITIONAL)])
def test_calendar_twice_in_one_role_is_a_fault(roles):
    (fault,) = check_roster([], [page((Role.MAIN, ANA), *((role, BO) for role in roles))])
    assert (fault.line, "already on line 12" in fault.message) == (13, True)


def test_calendar_both_main_and_additional_is_a_fault():
    (fault,) = check_roster([], [page((Role.MAIN, ANA), (Role.ADDITIONAL, ANA))])
    assert fault.message == "ana@corp.example is main on page 'intro' already on line 11; keep one of the two"


def test_spelling_in_another_case_is_the_same_calendar():
    shouted = CalendarRef("bo@corp.example", "PROJECTS")
    lines = [CalendarLine(1, RosterCalendar(BO.owner, BO.folder))]
    roster = build_roster(lines, [page((Role.MAIN, shouted))])
    assert roster.calendars == (RosterCalendar(BO.owner, BO.folder),)
    assert roster.pages[0].main == BO
    assert len(check_roster([*lines, CalendarLine(2, RosterCalendar(shouted.owner, shouted.folder))], [])) == 1


def test_calendar_that_a_page_names_is_added():
    roster = build_roster([], [page((Role.MAIN, ANA), (Role.BUSY, BO)), page((Role.MAIN, BO), name="other")])
    assert [calendar.ref for calendar in roster.calendars] == [ANA, BO]


def test_page_tells_its_calendars_with_their_roles():
    built = BookingPage("intro", "UTC", Hours(), ANA, (BO,), (ANA,))
    assert list(built.associated()) == [(Role.MAIN, ANA), (Role.ADDITIONAL, BO), (Role.BUSY, ANA)]


def test_page_read_in_part_is_not_blamed_for_what_is_missing():
    assert check_roster([], [page((Role.BUSY, ANA))], {"intro"}) == []
    assert len(check_roster([], [page((Role.BUSY, ANA))])) == 1
