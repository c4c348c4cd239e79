"""Advice by the command: a text for each owner and one script, which turn every verdict to granted when followed."""

from __future__ import annotations

import pytest

from busytime.folder_path import FolderPath
from busytime.powershell import FOLDER_VISIBLE
from tests.flows.harness import book
from tests.flows.permitting import grant, revoke, tomorrow, validate, verdicts
from tests.unit.advice.powershell_reader import parse_script_rows


@pytest.fixture
def crowd(home, exchange, person):
    """Calendars that nobody granted yet: as `main`, as `additional` and as `busy`, below and beside."""
    exchange.control("POST", "/limits", {"permission_set": "shown"})
    main, team, bo = person(), person(), person()
    for owner in (main, team, bo):
        book(exchange, owner, tomorrow(8))
        revoke(exchange, owner)
    places = [(bo, "Projects"), (bo, "../O'Brien"), (bo, "../Club"), (bo, "../Club/Board"), (team, "Projects")]
    for owner, folder in places:
        exchange.control("POST", "/calendars", {"owner": owner, "folder": folder})
        revoke(exchange, owner, folder)
    wanted = {(main, ""): "Editor", (team, "Projects"): "Editor", (bo, "Projects"): "Reviewer", (bo, "../O'Brien"): "Reviewer"}
    wanted |= {(bo, ""): "FreeBusyTimeOnly", (bo, "../Club/Board"): "Reviewer"}
    pages = [
        "  - name: talk",
        f"    main: {main}",
        f"    additional: [{team}/Projects]",
        f'    busy: [{bo}, {bo}/Projects, "{bo}/../O\'Brien", {bo}/../Club/Board]',
    ]
    home.take_roster(pages=pages).ended(0)
    home.connect().ended(0)
    return wanted


def shown_for(crowd):
    """What only has to be shown, so that the calendars that are wanted can be found."""
    return {(owner, ".."): FOLDER_VISIBLE for owner, folder in crowd if folder} | {
        (owner, "../Club"): FOLDER_VISIBLE for owner, folder in crowd if folder == "../Club/Board"
    }


def advise(home, status=0):
    """Return the rows of the script that the command writes, and its owners' texts."""
    out = home.directory / "advice"
    printed = home.call("advise", "--out", str(out), "--json").ended(status).json
    script = (out / "grant-permissions.ps1").read_bytes().decode("utf-8-sig")
    texts = {owner: (out / f"{owner}.txt").read_text(encoding="utf-8") for owner in printed["owners"]}
    return parse_script_rows(script), texts


def place_of(row):
    return row.owner, str(FolderPath(row.beside, row.steps))


def test_script_before_anyone_has_granted_names_the_whole_roster(home, exchange, crowd):
    rows, texts = advise(home)
    assert {place_of(row): row.level for row in rows} == crowd | shown_for(crowd)
    assert {row.grantee for row in rows} == {exchange.email}
    assert set(texts) == {owner for owner, _ in crowd}
    assert all(exchange.email in text for text in texts.values())
    hidden = {owner for owner, _ in shown_for(crowd)}
    assert {owner for owner, text in texts.items() if '"Folder visible"' in " ".join(text.split())} == hidden


@pytest.mark.parametrize("root_visible", [True, False])
def test_following_the_script_turns_every_verdict_to_granted(home, exchange, crowd, root_visible):
    exchange.control("POST", "/limits", {"root_visible": root_visible})
    before = validate(home, 3)
    assert {it["verdict"] for it in before.values()} == {"pending"}
    rows, _ = advise(home)
    needed = {(it["owner"], it["folder"]) for it in before.values()}
    assert needed == set(crowd)
    assert {place_of(row) for row in rows} == needed | set(shown_for(crowd))
    for row in rows:
        owner, folder = place_of(row)
        grant(exchange, owner, row.level, folder)
    assert {it["verdict"] for it in validate(home, 0).values()} == {"granted"}
    rows, texts = advise(home)
    assert (rows, texts) == ([], {})
    assert "Nothing is to be granted" in home.call("advise", "--out", str(home.directory / "advice")).ended(0).out


def test_every_finding_of_a_validation_is_one_row_at_the_level_it_requires(home, exchange, crowd):
    (owner, folder), *_ = [place for place, level in crowd.items() if level == "Editor" and not place[1]]
    grant(exchange, owner, "Reviewer", folder)
    found = validate(home, 3)
    assert verdicts(found)[owner, folder, "read"] == ("granted", None)
    rows, texts = advise(home)
    levels = {place_of(row): row.level for row in rows}
    for (its_owner, its_folder, _), it in found.items():
        if it["verdict"] != "granted":
            assert levels[its_owner, its_folder] == crowd[its_owner, its_folder]
            assert its_owner in texts
    assert 'from "Reviewer" to "Editor"' in " ".join(texts[owner].split())


def test_advice_without_a_connection_says_what_to_do_first(home, person):
    home.take_roster(person()).ended(0)
    assert "busytime connect" in home.call("advise", "--out", str(home.directory)).ended(2).err
