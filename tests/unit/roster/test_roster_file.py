"""What a roster file says, and what it is refused for: the line and the words."""

import pickle

import pytest

from busytime.bookings import OwnerChanges
from busytime.model import Role
from busytime.roster import BookingPage, CalendarRef, Hours, RosterCalendar
from busytime.roster_file import MAX_BYTES, RosterFileError, read_roster

ANA, BO, TEAM = CalendarRef("ana@corp.example"), CalendarRef("bo@corp.example", "Projects"), CalendarRef("team@corp.example")

GOOD = """\
calendars:
  - owner: Ana@corp.example                # her default calendar
  - owner: bo@corp.example
    folder: Projects
    connection: eva@corp.example
    pages: [intro-call]
booking_pages:
  - name: intro-call
    time_zone: Europe/Berlin
    hours: "09:00-17:00"
    main: ana@corp.example
    additional: [team@corp.example]
    busy: [bo@corp.example/projects, ana@corp.example]
"""

PAGE = """\
booking_pages:
  - name: intro
    main: ana@corp.example
"""


@pytest.fixture
def read(tmp_path):
    def read_text(text, name="roster.yaml"):
        path = tmp_path / name
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return read_roster(path)

    return read_text


@pytest.fixture
def faults_of(read):
    def refused(text, name="roster.yaml"):
        with pytest.raises(RosterFileError) as caught:
            read(text, name)
        return caught.value

    return refused


def test_a_page_tells_what_pushing_is_to_do(read):
    [page] = read(PAGE + "    allow_conflicts: true\n    owner_changes: follow\n    recreate: True\n").pages
    assert (page.allow_conflicts, page.owner_changes, page.recreate) == (True, OwnerChanges.FOLLOW, True)
    [page] = read(PAGE).pages
    assert (page.allow_conflicts, page.owner_changes, page.recreate) == (False, OwnerChanges.REPORT, False)


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("allow_conflicts: 7", "neither true nor false"),
        ("recreate: maybe", "neither true nor false"),
        ("recreate: [true]", "one value"),
        ("owner_changes: both", "report or follow"),
        ("owner_changes: true", "not text"),
        ("owner_changes:", "no value"),
    ],
)
def test_a_wrong_wish_of_a_page_is_told_with_its_line(faults_of, line, words):
    [fault] = faults_of(PAGE + f"    {line}\n").faults
    assert fault.line == 4
    assert words in fault.message


def test_yaml_is_read_whole(read):
    roster = read(GOOD)
    assert roster.calendars == (
        RosterCalendar("ana@corp.example"),
        RosterCalendar("bo@corp.example", "Projects", "eva@corp.example", ("intro-call",)),
        RosterCalendar("team@corp.example"),
    )
    assert roster.pages == (BookingPage("intro-call", "Europe/Berlin", Hours(540, 1020), ANA, (TEAM,), (BO, ANA)),)


@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_csv_is_read_whole(read, mark, end):
    rows = [
        "page,role,owner,folder",
        "intro,main,Ana@corp.example,",
        "intro,busy,bo@corp.example,Projects",
        ",,eva@corp.example,",
        ",,,",
    ]
    roster = read(mark + end.join([*rows, "intro,additional,team@corp.example,"]), "roster.CSV")
    assert {calendar.ref for calendar in roster.calendars} == {ANA, BO, TEAM, CalendarRef("eva@corp.example")}
    assert roster.pages == (BookingPage("intro", "UTC", Hours(), ANA, (TEAM,), (BO,)),)


def test_page_has_the_whole_day_in_utc_unless_told_otherwise(read):
    (page,) = read(PAGE).pages
    assert (page.time_zone, str(page.hours)) == ("UTC", "00:00-24:00")


def test_lists_and_folders_may_be_left_empty(read):
    roster = read(PAGE + "    busy:\n    additional: []\ncalendars:\n  - owner: ana@corp.example\n    folder:\n")
    assert roster.calendars == (RosterCalendar("ana@corp.example"),)
    assert list(roster.pages[0].associated()) == [(Role.MAIN, ANA)]


def test_calendar_may_be_limited_to_no_page(read):
    assert read("calendars: [{owner: ana@corp.example, pages: []}]").calendars[0].pages == ()


def test_roster_written_out_again_is_the_same(read):
    roster = read(GOOD)
    lines = ["calendars:"]
    for calendar in roster.calendars:
        lines += [f"- owner: {calendar.owner}", f"  folder: '{calendar.folder}'"]
        lines += [f"  connection: {calendar.connection}"] if calendar.connection else []
        lines += [f"  pages: [{', '.join(calendar.pages)}]"] if calendar.pages else []
    lines.append("booking_pages:")
    for page in roster.pages:
        lines += [f"- {{name: {page.name}, time_zone: {page.time_zone}, hours: '{page.hours}', main: {page.main},"]
        lines += [f"   additional: [{', '.join(map(str, page.additional))}], busy: [{', '.join(map(str, page.busy))}]}}"]
    assert read("\n".join(lines)) == roster


ONE_FAULT = {
    "empty": ("", 1, "names no calendar"),
    "only a comment": ("# nothing\n", 1, "names no calendar"),
    "empty lists": ("calendars: []\n", 1, "names no calendar"),
    "a list at the top": ("- owner: ana@corp.example\n", 1, "known keys are calendars, booking_pages"),
    "a word": ("hello\n", 1, "known keys are calendars, booking_pages"),
    "unknown top key": (PAGE + "pages: []\n", 4, "unknown key 'pages'; known are calendars, booking_pages"),
    "unknown calendar key": ("calendars:\n- owner: a@b.example\n  foldr: X\n", 3, "unknown key 'foldr'; known are owner, folder"),
    "unknown page key": (PAGE + "    zone: UTC\n", 4, "unknown key 'zone'"),
    "key that is a number": (PAGE + "7: x\n", 4, "unknown key '7'"),
    "key that is a list": (PAGE + "? [a]\n: x\n", 4, "a key must be one word"),
    "merge key": (PAGE + "    <<: {busy: []}\n", 4, "unknown key '<<'"),
    "calendar that is a text": ("calendars:\n- ana@corp.example\n", 2, "known keys are owner, folder, connection, pages"),
    "calendars that are a text": ("calendars: ana@corp.example\n", 1, "calendars must be a list"),
    "no owner": ("calendars:\n- folder: X\n", 2, "owner is missing; add it, for example owner: ana@corp.example"),
    "bad owner": ("calendars:\n- folder: X\n  owner: ana\n", 3, "owner: 'ana' is not one e-mail address"),
    "owner that is a number": ("calendars:\n- owner: 5\n", 2, "owner: '5' is a number, not text; write it in quotes: \"5\""),
    "owner without a value": ("calendars:\n- owner:\n", 2, "owner: has no value"),
    "owner with a folder": ("calendars:\n- owner: a@b.example/X\n", 2, "names a folder too"),
    "folder that is a yes": ("calendars:\n- owner: a@b.example\n  folder: No\n", 3, "folder: 'No' is a yes or no, not text"),
    "folder that is a date": ("calendars:\n- {owner: a@b.example, folder: 2026-01-01}\n", 2, "is a date, not text"),
    "bad folder": ("calendars:\n- owner: a@b.example\n  folder: A//B\n", 3, "has an empty name"),
    "bad connection": ("calendars:\n- owner: a@b.example\n  connection: eva\n", 3, "connection: 'eva' is not one e-mail address"),
    "limit without a value": ("calendars:\n- owner: a@b.example\n  pages:\n", 3, "pages must be a list"),
    "limit to an unknown page": ("calendars:\n- owner: a@b.example\n  pages:\n  - x\n", 4, "page 'x' in pages is not among"),
    "limit named twice": (PAGE + "calendars:\n- {owner: a@b.example, pages: [intro, intro]}\n", 5, "stands twice in pages"),
    "limit violated": (PAGE + "calendars:\n- {owner: ana@corp.example, pages: []}\n", 3, "does not allow page 'intro'"),
    "calendar twice": (
        "calendars:\n- owner: a@b.example\n- owner: A@b.example\n",
        3,
        "calendar a@b.example is already on line 2",
    ),
    "calendar twice on a line": ("calendars: [{owner: a@b.example}, {owner: a@b.example}]\n", 1, "is already on line 1"),
    "page twice": (PAGE + "  - name: intro\n    main: a@b.example\n", 4, "page 'intro' is already on line 2"),
    "page without a name": ("booking_pages:\n- main: a@b.example\n", 2, "name is missing; add it, for example name: intro-call"),
    "page with an empty name": ("booking_pages:\n- main: a@b.example\n  name: ''\n", 3, "name: '' cannot name a page"),
    "no main": ("booking_pages:\n- name: x\n  busy: [a@b.example]\n", 2, "main is missing"),
    "two mains as a list": ("booking_pages:\n- name: x\n  main: [a@b.example, b@b.example]\n", 3, "takes one value, not a list"),
    "two mains as keys": (PAGE + "    main: bo@corp.example\n", 4, "'main' stands here again, first on line 3"),
    "main without a value": ("booking_pages:\n- name: x\n  main:\n", 3, "main: has no value"),
    "additional that is a text": (PAGE + "    additional: a@b.example\n", 4, "additional must be a list"),
    "bad busy calendar": (PAGE + "    busy:\n    - a@b.example\n    - bo\n", 6, "busy: 'bo' is not one e-mail address"),
    "busy twice": (
        PAGE + "    busy:\n    - a@b.example\n    - a@b.example\n",
        6,
        "a@b.example is busy on page 'intro' already on line 5",
    ),
    "main and additional": (PAGE + "    additional: [ana@corp.example]\n", 4, "is main on page 'intro' already on line 3"),
    "unknown zone": (PAGE + "    time_zone: Berlin\n", 4, "'Berlin' is no time zone; write an IANA name like Europe/Berlin"),
    "zone in lower case": (PAGE + "    time_zone: america/new_york\n", 4, "write an IANA name like America/New_York"),
    "zone that is a folder": (PAGE + "    time_zone: Europe\n", 4, "is no time zone"),
    "zone that is a path": (PAGE + "    time_zone: ../../etc/passwd\n", 4, "is no time zone"),
    "hours that end early": (PAGE + "    hours: '17:00-09:00'\n", 4, "end before they start"),
    "hours that are a number": (PAGE + "    hours: 9\n", 4, "hours: '9' is a number, not text"),
    "alias": ("calendars:\n- &a {owner: a@b.example}\n- *a\n", 3, "*a is an alias; write the value out here"),
    "alias to itself": ("calendars: &a\n- *a\n", 2, "*a is an alias"),
    "tag": ("calendars:\n- !!python/object:os.system {}\n", 2, "a tag (a word after !) stands here"),
    "two documents": (PAGE + "---\n" + PAGE, 4, "a second document"),
    "deep": ("calendars:\n  " + "[" * 100_000, 2, "too deep"),
    "tab": ("calendars:\n\t- owner: a@b.example\n", 2, "a tab stands before the text; indent with blanks"),
    "open quote": ("calendars:\n- owner: 'a\n", 2, "this is not YAML"),
    "no YAML": ("calendars:\n- owner: a: b\n", 2, "this is not YAML: mapping values are not allowed"),
    "control character": ("calendars:\n- owner: a\x07@b.example\n", 2, "a control character ('\\x07') stands here"),
    "not a character": ("calendars:\n- owner: a\ufffe\n", 1, "this is not YAML"),
    "not UTF-8": (b"calendars:\n- owner: J\xf6rg\n", 2, "this is not UTF-8"),
    "UTF-16": (PAGE.encode("utf-16"), 1, "this is not UTF-8"),
}


@pytest.mark.parametrize(("text", "line", "words"), ONE_FAULT.values(), ids=ONE_FAULT)
def test_faulty_yaml_is_refused_with_its_line(faults_of, text, line, words):
    (fault,) = faults_of(text).faults
    assert fault.line == line
    assert words in fault.message


HEAD = "page,role,owner,folder\n"
ONE_CSV_FAULT = {
    "empty": ("", 1, "the first line must be page,role,owner,folder"),
    "header alone": (HEAD, 1, "names no calendar"),
    "semicolons": (HEAD.replace(",", ";"), 1, "with commas between"),
    "unknown column": ("page,role,owner,folder,zone\n", 1, "the first line must be"),
    "missing column": ("page,role,owner\n", 1, "the first line must be"),
    "unknown role": (
        HEAD + "x,main,a@b.example,\nx,boss,b@b.example,\n",
        3,
        "role: 'boss' is no role; write main, additional, busy",
    ),
    "role without a page": (HEAD + ",main,a@b.example,\n", 2, "page and role belong together"),
    "page without a role": (HEAD + "x,,a@b.example,\n", 2, "page and role belong together"),
    "two mains": (HEAD + "x,main,a@b.example,\nx,main,b@b.example,\n", 3, "has a main calendar already on line 2"),
    "one main twice": (HEAD + "x,main,a@b.example,\nx,main,a@b.example,\n", 3, "has a main calendar already on line 2"),
    "no main": (HEAD + "x,busy,a@b.example,\n", 2, "page 'x' has no main calendar"),
    "bad address": (HEAD + ",,a,\n", 2, "owner: 'a' is not one e-mail address"),
    "bad folder": (HEAD + ',,a@b.example,"A\n/"\n', 2, "has an empty name"),
    "too few cells": (HEAD + ",,a@b.example\n", 2, "3 cells instead of 4"),
    "comma in a folder": (HEAD + ",,a@b.example,A,B\n", 2, "quote a cell that holds a comma"),
    "calendar twice": (HEAD + ',,a@b.example,"A\nB"\n,,b@b.example,\n,,b@b.example,\n', 5, "is already on line 4"),
    "open quote": (HEAD + ',,b@b.example,\n,,"a@b.example,\n\n\n', 3, "this is not CSV"),
    "huge cell": (HEAD + ",,a@b.example," + "x" * 200_000 + "\n", 2, "this is not CSV"),
    "not UTF-8": (HEAD.encode() + b",,j\xf6rg@b.example,\n", 2, "this is not UTF-8"),
}


@pytest.mark.parametrize(("text", "line", "words"), ONE_CSV_FAULT.values(), ids=ONE_CSV_FAULT)
def test_faulty_csv_is_refused_with_its_line(faults_of, text, line, words):
    (fault,) = faults_of(text, "roster.csv").faults
    assert fault.line == line
    assert words in fault.message


def test_all_faults_are_told_at_once(faults_of):
    text = (
        "calendars:\n- owner: ana\n  colour: red\n- owner: bo@corp.example\n- owner: bo@corp.example\n"
        "booking_pages:\n- name: x\n  hours: 1\n  time_zone: Mars\n  main: y\nmore: 1\n"
    )
    assert [fault.line for fault in faults_of(text).faults] == [2, 3, 5, 8, 9, 10, 11]


def test_faulty_page_is_not_called_unknown(faults_of):
    text = "calendars:\n- {owner: ana@corp.example, pages: [x]}\nbooking_pages:\n- {name: x, main: y}\n"
    assert [fault.line for fault in faults_of(text).faults] == [4]


def test_message_names_file_line_and_next_step(faults_of):
    summary, fault = str(faults_of("calendars:\n- owner: ana\n")).splitlines()
    assert "roster.yaml has 1 fault; nothing was changed. Correct the file and import it again." in summary
    assert fault.endswith("roster.yaml:2: owner: 'ana' is not one e-mail address; write one like ana@corp.example")


def test_message_shows_fifty_faults_and_counts_the_rest(faults_of):
    error = faults_of("calendars:\n" + "- owner: x\n" * 60)
    assert len(error.faults) == 60
    assert len(str(error).splitlines()) == 52
    assert str(error).endswith("and 10 more")


def test_hostile_text_stays_on_one_line(faults_of):
    error = faults_of('calendars:\n- owner: "a\\nb\\e[31m"\n  "k\\ney": 1\n')
    assert len(str(error).splitlines()) == 3
    assert "\x1b" not in str(error)


def test_refusal_survives_pickling(faults_of):
    error = faults_of("calendars:\n- owner: ana\n")
    copy = pickle.loads(pickle.dumps(error))  # noqa: S301 -- our own bytes
    assert (str(copy), copy.faults) == (str(error), error.faults)


def test_missing_file_is_refused(tmp_path):
    with pytest.raises(RosterFileError, match="cannot be read"):
        read_roster(tmp_path / "roster.yaml")


def test_directory_is_refused(tmp_path):
    (tmp_path / "roster.yaml").mkdir()
    with pytest.raises(RosterFileError, match="is a directory"):
        read_roster(tmp_path / "roster.yaml")


@pytest.mark.parametrize("name", ["roster.json", "roster", "roster.yaml.bak"])
def test_other_kind_of_file_is_refused(faults_of, name):
    assert "neither YAML nor CSV" in str(faults_of(GOOD, name))


def test_file_that_is_too_large_is_refused_unread(tmp_path):
    path = tmp_path / "roster.csv"
    with path.open("wb") as file:
        file.truncate(MAX_BYTES + 1)
    with pytest.raises(RosterFileError, match="larger than 50 MiB"):
        read_roster(path)
