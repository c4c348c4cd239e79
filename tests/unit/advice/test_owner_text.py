"""The mail for one owner, and what a roster needs before anyone has granted."""

from busytime.advice import owner_sentence, owner_text
from busytime.errors import Reason
from busytime.granting import roster_findings, strongest
from busytime.model import CalendarKind
from busytime.permissions import Need, PermissionLevel, Verdict
from busytime.roster import BookingPage, CalendarRef, Hours, Roster, RosterCalendar
from tests.unit.advice.findings import GRANTEE, OWNER, finding


def unwrapped(text):
    return " ".join(text.split())


def test_a_mail_holds_the_sentence_of_each_calendar_of_its_owner_alone():
    mine = [finding(None), finding(None, need=Need.READ, folder="Projects")]
    text = unwrapped(owner_text(OWNER, [*mine, finding(None, owner="bo@corp.example", folder="Secret")]))
    assert all(owner_sentence(one) in text for one in mine)
    assert "Secret" not in text
    assert "bo@corp.example" not in text


def test_two_needs_in_one_calendar_are_one_item_at_the_higher_level_for_all_pages():
    read = finding(Verdict.MISSING, Reason.NO_ACCESS, need=Need.READ, pages=("lunch", "intro-call"))
    text = unwrapped(owner_text(OWNER, [read, finding(Verdict.MISSING, Reason.NO_ACCESS)]))
    assert "1. Your calendar (booking page: lunch, intro-call)" in text
    assert "2." not in text
    assert "Can edit" in text
    assert "Can view when" not in text


def test_what_is_granted_is_not_asked_for_again():
    (kept,) = strongest(
        [
            finding(Verdict.GRANTED, pages=("main",)),
            finding(Verdict.MISSING, Reason.NO_ACCESS, need=Need.READ, pages=("busy",)),
        ]
    )
    assert (kept.need, kept.pages) == (Need.READ, ("busy",))


def test_the_same_calendar_for_two_connections_stays_two():
    assert len(strongest([finding(None), finding(None, grantee="eva@corp.example")])) == 2


def test_what_the_owner_can_do_comes_first():
    waiting = finding(Verdict.UNREACHABLE, Reason.TIMED_OUT)
    text = owner_text(OWNER, [waiting, finding(None, folder="Zoo")])
    assert text.index("Zoo") < text.index("Nothing to do now")
    assert "right in one calendar" in unwrapped(text)


def test_a_mail_without_anything_to_do_says_so():
    text = owner_text(OWNER, [finding(Verdict.GRANTED)])
    assert "There is nothing for you to do" in text
    assert "48 hours" not in text


def test_a_mail_says_what_is_read_what_is_written_and_how_long_it_takes():
    text = unwrapped(owner_text(OWNER, [finding(None)]))
    assert "start, end and status" in text
    assert "does not read subjects" in text
    assert "changes only what it has written itself" in text
    assert "does not ask for private items" in text
    assert "48 hours" in text


def test_lines_are_short_and_addresses_whole():
    long = f"{'a' * 60}@{'b' * 60}.example"
    text = owner_text(OWNER, [finding(None, grantee=long)])
    assert long in text
    assert all(len(line) <= 78 or long in line for line in text.splitlines())


def page(name, main, busy=()):
    return BookingPage(name, "UTC", Hours(), CalendarRef(main), (), tuple(busy))


def test_a_roster_that_nobody_granted_needs_editor_for_main_and_the_least_for_busy():
    sub = CalendarRef("bo@corp.example", "Projects")
    roster = Roster(
        (RosterCalendar(OWNER), RosterCalendar(sub.owner, sub.folder), RosterCalendar("cy@corp.example")),
        (page("intro-call", OWNER, [sub]),),
    )
    found = {(one.owner, one.need): one for one in roster_findings(roster, GRANTEE)}
    assert {key: one.required for key, one in found.items()} == {
        (OWNER, Need.READ): PermissionLevel.FREE_BUSY_TIME_ONLY,
        (OWNER, Need.WRITE): PermissionLevel.EDITOR,
        (sub.owner, Need.READ): PermissionLevel.REVIEWER,
        ("cy@corp.example", Need.READ): PermissionLevel.FREE_BUSY_TIME_ONLY,
    }
    assert found[OWNER, Need.WRITE].pages == found[sub.owner, Need.READ].pages == ("intro-call",)
    assert found["cy@corp.example", Need.READ].pages == ()
    assert {one.verdict for one in found.values()} == {None}


def test_a_roster_asks_for_the_connection_that_a_calendar_names_and_nobody_for_its_own():
    roster = Roster((RosterCalendar(OWNER, connection="eva@corp.example"), RosterCalendar(GRANTEE)))
    assert [one.grantee for one in roster_findings(roster, GRANTEE)] == ["eva@corp.example"]


def test_a_kind_that_is_known_overrules_what_the_path_suggests():
    ref = CalendarRef("eva@partner.example")
    (one,) = roster_findings(Roster((RosterCalendar(ref.owner),)), GRANTEE, {ref: CalendarKind.EXTERNAL})
    assert (one.kind, one.required) == (CalendarKind.EXTERNAL, PermissionLevel.REVIEWER)


def test_each_role_leads_to_its_page():
    roster = Roster((RosterCalendar(OWNER),), (page("one", OWNER), page("two", "bo@corp.example", [CalendarRef(OWNER)])))
    pages = {one.need: one.pages for one in roster_findings(roster, GRANTEE)}
    assert pages == {Need.READ: ("one", "two"), Need.WRITE: ("one",)}
