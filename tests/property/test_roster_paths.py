"""Paths lead back to where they came from, whatever folders are called."""

from hypothesis import given
from hypothesis import strategies as st

from busytime.errors import ConfigurationError
from busytime.folder_path import FolderPath, parse_folder_path, paths_of, resolve
from busytime.model import FoundFolder

storable = st.characters(blacklist_categories=["Cs"], blacklist_characters="\0")
names = st.one_of(st.text(st.sampled_from("aA/\\?.2 \n"), min_size=1, max_size=5), st.text(storable, min_size=1, max_size=8))
paths = st.lists(st.tuples(names, st.integers(1, 9999)), max_size=4).flatmap(
    lambda steps: st.builds(FolderPath, st.booleans() if steps else st.just(value=False), st.just(tuple(steps)))
)


@st.composite
def folder_trees(draw):
    """A default calendar and folders below and beside it, in any order."""
    places = ["root", "calendar"]
    folders = []
    for number, name in enumerate(draw(st.lists(names, max_size=12))):
        folders.append(FoundFolder(f"id{number}", draw(st.sampled_from(places)), name))
        places.append(f"id{number}")
    return [FoundFolder("calendar", "root", "Calendar"), *draw(st.permutations(folders))]


@given(paths)
def test_written_path_is_read_back(path):
    assert parse_folder_path(str(path)) == path


@given(st.text(st.sampled_from("aA/\\?.2 ")))
def test_any_text_is_a_path_or_refused(text):
    try:
        path = parse_folder_path(text)
    except ConfigurationError:
        return
    assert parse_folder_path(str(path)) == path


@given(folder_trees())
def test_every_folder_is_found_by_its_path(folders):
    found = paths_of(folders)
    assert set(found) == {folder.folder_id for folder in folders}
    for folder_id, text in found.items():
        assert resolve(parse_folder_path(text), folders).folder_id == folder_id


@given(folder_trees())
def test_no_two_paths_differ_only_in_case(folders):
    found = paths_of(folders)
    assert len({parse_folder_path(text).key for text in found.values()}) == len(found)
