"""Whatever a file holds, it is a roster or it is refused with lines."""

import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from busytime.roster import Roster
from busytime.roster_file import RosterFileError, read_roster

WORDS = ["calendars", "booking_pages", "owner", "folder", "connection", "pages", "name", "time_zone", "hours", "main", "busy"]
PIECES = ["additional", "page,role,owner,folder", "ana@corp.example", "/A?2", "UTC", "09:00-17:00", "7", "no", "~", "2026-01-01"]
SIGNS = [
    ": ",
    "- ",
    "\n",
    "\n  ",
    "\n    ",
    "[",
    "]",
    "{",
    "}",
    ", ",
    "? ",
    "&a ",
    "*a ",
    "!x ",
    "<<",
    '"',
    "'",
    "|",
    ">",
    "#",
    "\t",
]
SIGNS += ["---\n", "...\n", "%YAML 1.1\n", "\\", "\0", "\ufeff", "\u2028", "\x85", "\r"]

texts = st.one_of(st.lists(st.sampled_from(WORDS + PIECES + SIGNS), max_size=40).map("".join), st.text(max_size=60))
scalars = st.sampled_from(
    ["true", "follow", "ana@corp.example", "bo@corp.example/A", "UTC", "x", "~", "7", "'9:00-10:00'", "[x]", "{x: y}", ""]
)
keys = st.sampled_from([*WORDS, "additional", "allow_conflicts", "owner_changes", "recreate", "1", "''"])
entries = st.lists(st.tuples(keys, scalars), max_size=6).map(lambda pairs: "\n  ".join(f"{key}: {value}" for key, value in pairs))
documents = st.lists(st.tuples(st.sampled_from(WORDS[:2]), st.lists(entries, max_size=3)), max_size=3).map(
    lambda parts: "\n".join(f"{key}:\n" + "".join(f"- {entry}\n" for entry in items) for key, items in parts)
)


def read_or_refuse(path: Path) -> Roster | RosterFileError:
    try:
        return read_roster(path)
    except RosterFileError as error:
        return error


def check(raw: bytes, suffix: str) -> None:
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory, f"roster{suffix}")
        path.write_bytes(raw)
        outcome = read_or_refuse(path)
    if isinstance(outcome, Roster):
        assert outcome.calendars
        return
    # What is missing from a document without content stands on the line after it.
    last = len(raw.decode("utf-8", "replace").splitlines()) + 1
    assert outcome.faults
    assert all(1 <= fault.line <= last for fault in outcome.faults)


@pytest.mark.parametrize("suffix", [".yaml", ".csv"])
@given(text=texts)
def test_any_text_is_a_roster_or_refused(suffix, text):
    check(text.encode(), suffix)


@given(documents)
def test_any_document_is_a_roster_or_refused(text):
    check(text.encode(), ".yml")


@pytest.mark.parametrize("suffix", [".yaml", ".csv"])
@given(raw=st.binary(max_size=60))
def test_any_bytes_are_a_roster_or_refused(suffix, raw):
    check(raw, suffix)
