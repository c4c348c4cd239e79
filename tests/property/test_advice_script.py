"""Whatever people name their folders, the script holds it as data, and the mail as one line."""

from hypothesis import given
from hypothesis import strategies as st

from busytime.advice import owner_sentence
from busytime.folder_path import FolderPath
from busytime.granting import UNSHOWABLE
from busytime.permissions import Need
from busytime.powershell import admin_script, rows_of, script_bytes, script_fault
from tests.unit.advice.findings import finding
from tests.unit.advice.powershell_reader import parse_script_rows, skeleton

_QUOTES = "'\u2018\u2019\u201a\u201b\"\u201c\u201d\u201e`"
_MARKS = ["$(", "@'", "'@", "#>", "<#", "-f", "COUNT", "\uf8ff", "\u05d0", "\U0001f600"]
pieces = st.sampled_from([*_QUOTES, *"$(){}@#;,|&<>\\/?. ", *_MARKS])
names = st.one_of(
    st.lists(pieces, min_size=1, max_size=12).map("".join),
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), min_size=1, max_size=12),
)
paths = st.builds(
    FolderPath,
    st.booleans(),
    st.lists(st.tuples(names, st.integers(1, 3)), min_size=1, max_size=3).map(tuple),
)
tame = names.filter(lambda name: not UNSHOWABLE.search(name))
tame_paths = st.builds(
    FolderPath,
    st.booleans(),
    st.lists(st.tuples(tame, st.integers(1, 3)), min_size=1, max_size=3).map(tuple),
)
needs = st.sampled_from(Need)


@given(st.lists(st.tuples(tame_paths, needs), max_size=4))
def test_every_calendar_grantee_and_level_is_read_back(wanted):
    findings = [finding(None, folder=str(path), need=need) for path, need in wanted]
    script = script_bytes(admin_script(findings)).decode("utf-8-sig")
    rows = parse_script_rows(script)
    assert rows == rows_of(findings)
    places = {(row.owner, FolderPath(row.beside, row.steps).key, row.grantee) for row in rows}
    assert places == {one.place for one in findings}


@given(tame_paths)
def test_a_name_changes_nothing_of_what_is_run(path):
    plain = FolderPath(path.beside, tuple(("Plain", 1) for _ in path.steps))
    script, expected = (admin_script([finding(None, folder=str(one))]) for one in (path, plain))
    assert skeleton(script) == skeleton(expected)
    assert len(script.splitlines()) == len(expected.splitlines())


@given(paths)
def test_a_name_is_refused_exactly_when_it_holds_a_control_character(path):
    bad = any(UNSHOWABLE.search(name) for name, _ in path.steps)
    assert (script_fault(finding(None, folder=str(path))) is not None) == bad


@given(paths, needs)
def test_advice_is_one_line_whatever_the_folder_is_called(path, need):
    assert len(owner_sentence(finding(None, folder=str(path), need=need)).splitlines()) == 1
