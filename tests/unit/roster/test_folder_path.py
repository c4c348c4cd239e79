"""What a folder's path means, and which folder it finds."""

import pytest

from busytime.errors import ConfigurationError
from busytime.folder_path import FolderPath, parse_folder_path, paths_of, resolve
from busytime.model import FoundFolder

FOLDERS = [
    FoundFolder("cal", "root", "Kalender"),
    FoundFolder("f1", "cal", "Projects"),
    FoundFolder("f3", "cal", "Team"),
    FoundFolder("f2", "cal", "Team"),
    FoundFolder("f4", "f2", "North/South"),
    FoundFolder("s1", "root", "Projects"),
    FoundFolder("s2", "s1", ".."),
    FoundFolder("lost", "elsewhere", "Lost"),
]


@pytest.mark.parametrize(
    ("text", "beside", "steps"),
    [
        ("", False, ()),
        ("   ", False, ()),
        ("Projects", False, (("Projects", 1),)),
        ("A/B", False, (("A", 1), ("B", 1))),
        ("../A/B", True, (("A", 1), ("B", 1))),
        ("A?2", False, (("A", 2),)),
        ("A?1", False, (("A", 1),)),
        ("A ?2", False, (("A", 2),)),
        (r"North\/South", False, (("North/South", 1),)),
        (r"A\?2", False, (("A?2", 1),)),
        ("A?2?3", False, (("A?2", 3),)),
        ("What now?", False, (("What now?", 1),)),
        (r"back\\slash", False, (("back\\slash", 1),)),
        (r"\..", False, (("..", 1),)),
        ("...", False, (("...", 1),)),
        (" A / B ", False, (("A", 1), ("B", 1))),
        (r"A\ ", False, (("A ", 1),)),
    ],
)
def test_path_is_read(text, beside, steps):
    assert parse_folder_path(text) == FolderPath(beside, steps)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("/A", "empty name"),
        ("A/", "empty name"),
        ("A//B", "empty name"),
        ("?2", "empty name"),
        ("..", "names no folder"),
        ("../", "empty name"),
        ("../../A", "wrong place"),
        ("A/../B", "wrong place"),
        ("A?0", "counts outside"),
        ("A?" + "9" * 5000, "counts outside"),
        ("A\\", "before nothing it can escape"),
        (r"A\B", "before nothing it can escape"),
        ("A\0", "character"),
        ("A\ud800", "character"),
    ],
)
def test_faulty_path_is_refused(text, complaint):
    with pytest.raises(ConfigurationError, match=complaint):
        parse_folder_path(text)


def test_canonical_spelling_has_no_needless_escape():
    assert str(parse_folder_path(r" A\?b ?1/ C\.d")) == "A?b/C.d"


def test_spellings_that_differ_in_case_or_composition_have_one_key():
    assert parse_folder_path("B\u00fcro").key == parse_folder_path("BU\u0308RO").key


def test_every_reachable_folder_has_a_path():
    assert paths_of(FOLDERS) == {
        "cal": "",
        "f1": "Projects",
        "f2": "Team",
        "f3": "Team?2",
        "f4": r"Team/North\/South",
        "s1": "../Projects",
        "s2": r"../Projects/\..",
    }


@pytest.mark.parametrize(
    ("text", "folder_id"),
    [
        ("", "cal"),
        ("projects", "f1"),
        ("../PROJECTS", "s1"),
        ("Team?2", "f3"),
        ("Team?3", None),
        ("Nothing", None),
        ("Lost", None),
        ("../Kalender", None),
        (r"Team/North\/South", "f4"),
        ("Team?2/North", None),
    ],
)
def test_path_finds_its_folder(text, folder_id):
    found = resolve(parse_folder_path(text), FOLDERS)
    assert (found.folder_id if found else None) == folder_id


def test_exact_spelling_is_preferred():
    folders = [FOLDERS[0], FoundFolder("a", "cal", "TEAM"), FoundFolder("b", "cal", "Team")]
    assert resolve(parse_folder_path("Team"), folders).folder_id == "b"
    assert resolve(parse_folder_path("team"), folders).folder_id == "a"
    assert paths_of(folders) == {"cal": "", "a": "TEAM", "b": "Team?2"}


def test_order_of_the_answer_does_not_change_paths():
    assert paths_of([FOLDERS[0], *reversed(FOLDERS[1:])]) == paths_of(FOLDERS)


def test_no_folders_means_no_paths():
    assert paths_of([]) == {}
    assert resolve(FolderPath(), []) is None


def test_circle_of_parents_ends():
    circle = [FoundFolder("cal", "a", "Kalender"), FoundFolder("a", "cal", "A"), FoundFolder("b", "a", "B")]
    assert paths_of(circle) == {"cal": "", "a": "A", "b": "../B"}
