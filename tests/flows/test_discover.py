"""Discovery by the command: what owners share, what became of it, and calendars of other organisations."""

from __future__ import annotations

import pytest

from tests.flows.harness import book, truth
from tests.flows.permitting import free, grant, page, revoke, tomorrow, validate, verdicts

FOREIGN = "partner.example"


def discover(home, status, *args):
    return home.call("discover", "--json", *args).ended(status).json


def told(printed, owner):
    return {it["folder"]: (it["state"], it["seen_as"]) for it in printed["calendars"] if it["owner"] == owner}


def make(exchange, owner, folder):
    exchange.control("POST", "/calendars", {"owner": owner, "folder": folder})
    if folder.startswith(".."):  # one beside the calendar inherits nothing from it
        grant(exchange, owner, "Reviewer", folder)


@pytest.fixture
def owner(home, exchange, person):
    """One person with a calendar below the default one and one beside it; connected."""
    owner = person()
    for folder in ("Projects", "Projects/Deep", "../Beside"):
        make(exchange, owner, folder)
    home.take_roster(owner).ended(0)
    home.connect().ended(0)
    return owner


def test_calendars_below_and_beside_are_found_with_their_own_rights_and_pages_may_name_them(home, exchange, owner):
    grant(exchange, owner, "Author", "Projects")
    printed = discover(home, 0)
    assert told(printed, owner) == {
        "": ("known", ""),
        "Projects": ("found", "Projects"),
        "Projects/Deep": ("found", "Projects/Deep"),
        "../Beside": ("found", "../Beside"),
    }
    levels = {it["folder"]: it["level"] for it in printed["calendars"]}
    assert (levels["Projects"], levels["../Beside"]) == ("NoneditingAuthor", "Reviewer")
    assert [it["folder"] for it in printed["calendars"] if it["in_use"]] == [""]
    assert printed["root_closed"] == []
    before = dict(home.query("SELECT folder, folder_id FROM calendars"))
    home.take_roster(pages=page("talk", owner, f"{owner}/../Beside")).ended(0)
    assert dict(home.query("SELECT folder, folder_id FROM calendars")) == before
    home.harvest().ended(0)
    assert [it["folder"] for it in discover(home, 0)["calendars"] if it["in_use"]] == ["", "../Beside"]


def test_closed_root_is_said_and_costs_nothing_below(home, exchange, owner):
    exchange.control("POST", "/limits", {"root_visible": False})
    printed = discover(home, 0)
    assert printed["root_closed"] == [owner]
    assert set(told(printed, owner)) == {"", "Projects", "Projects/Deep"}
    assert "root of 1 mailboxes is closed" in home.call("discover").ended(0).out
    exchange.control("POST", "/limits", {"root_visible": True})
    assert told(discover(home, 0), owner)["../Beside"] == ("found", "../Beside")
    # What cannot be looked for is not gone.
    exchange.control("POST", "/limits", {"root_visible": False})
    assert "../Beside" not in told(discover(home, 0), owner)
    assert home.query("SELECT folder FROM calendars WHERE missing_since IS NOT NULL") == []


def test_calendars_are_found_without_the_default_one_of_which_nothing_is_concluded(home, exchange, owner):
    before = told(discover(home, 0), owner)
    revoke(exchange, owner)
    for _ in range(2):
        seen = told(discover(home, 0), owner)
        assert seen == {folder: ("known", folder) for folder in before if folder}
    exchange.control("DELETE", "/calendars", {"owner": owner, "folder": "../Beside"})
    assert told(discover(home, 0), owner)["../Beside"] == ("missing", None)
    # What lies below a calendar that hides itself may be hidden as well.
    revoke(exchange, owner, "Projects")
    exchange.control("POST", "/calendars", {"owner": owner, "folder": "Team"})
    grant(exchange, owner, "Reviewer", "Team")
    assert discover(home, 3)["failed"] == [{"owner": owner, "reason": "folder_not_found", "detail": "ErrorItemNotFound"}]
    grant(exchange, owner, "Reviewer")
    seen = told(discover(home, 0), owner)
    assert (seen[""], seen["Team"]) == (("known", ""), ("found", "Team"))


def test_renamed_calendar_is_the_same_and_a_new_one_may_take_its_name(home, exchange, owner):
    discover(home, 0)
    exchange.control("PATCH", "/calendars", {"owner": owner, "folder": "Projects", "name": "Plans"})
    make(exchange, owner, "Projects")
    seen = told(discover(home, 0), owner)
    assert seen["Projects"] == ("renamed", "Plans")
    assert seen["Projects/Deep"] == ("renamed", "Plans/Deep")
    assert seen["Projects?2"] == ("found", "Projects")
    assert told(discover(home, 0), owner)["Projects?2"] == ("renamed", "Projects")


def test_calendar_that_is_gone_is_missing_never_deleted_and_may_come_back(home, exchange, owner):
    discover(home, 0)
    exchange.control("DELETE", "/calendars", {"owner": owner, "folder": "../Beside"})
    assert told(discover(home, 0), owner)["../Beside"] == ("missing", None)
    ((since,),) = home.query("SELECT missing_since FROM calendars WHERE folder = '../Beside'")
    assert since is not None
    discover(home, 0)
    assert home.query("SELECT missing_since FROM calendars WHERE folder = '../Beside'") == [(since,)]
    make(exchange, owner, "../Beside")
    assert told(discover(home, 0), owner)["../Beside"] == ("back", "../Beside")


def test_owner_who_shows_nothing_is_said_and_costs_nobody_else_anything(home, exchange, owner, person):
    closed = person()
    revoke(exchange, closed)
    home.take_roster(owner, closed, "nobody@corp.example").ended(0)
    printed = discover(home, 3)
    assert {it["owner"] for it in printed["failed"]} == {closed, "nobody@corp.example"}
    assert told(printed, owner)["Projects"] == ("found", "Projects")
    assert discover(home, 0, "--owner", owner)["failed"] == []
    assert "not in the roster" in home.call("discover", "--owner", "else@corp.example").ended(2).err


def invite(exchange, sender, folder="Calendar", **more):
    exchange.control("POST", "/invitations", {"from": sender, "folder": folder, **more})


def test_invitation_is_listed_accepted_harvested_and_validated_as_read_only(home, exchange, owner, person):
    ida, eve, main = f"ida.{owner}".replace("corp.example", FOREIGN), "eve@other.example", person()
    book(exchange, main, tomorrow(8))
    invite(exchange, ida)
    invite(exchange, eve)
    asked = {it["from"]: it["accepted"] for it in discover(home, 0)["invitations"]}
    assert (asked[ida], asked[eve]) == (False, False)
    accepted = discover(home, 0, "--accept-from", FOREIGN)
    said = {it["from"]: it["accepted"] for it in accepted["invitations"]}
    assert (said[ida], said[eve]) == (True, False)
    assert told(accepted, ida) == {"": ("found", "")}
    book(exchange, ida, tomorrow(10), folder="Calendar")
    home.take_roster(pages=page("talk", main, ida) + page("theirs", ida)).ended(0)
    home.harvest().ended(0)
    assert home.stored(ida) == truth(exchange, ida, "Calendar")
    assert home.stored(ida)
    found = verdicts(validate(home, 3))
    assert found[ida, "", "read"] == ("granted", None)
    assert found[ida, "", "write"] == ("insufficient", "external_is_read_only")
    assert len(free(home, "talk", 0)["slots"]) == 22
    assert free(home, "theirs", 3)["blocked"][0]["reason"] == "external_is_read_only"
    again = discover(home, 0)
    assert told(again, ida) == {"": ("known", "")}
    exchange.control("DELETE", "/calendars", {"owner": ida, "folder": "Calendar"})
    assert told(discover(home, 0), ida) == {"": ("missing", None)}
    assert verdicts(validate(home, 3))[ida, "", "read"] == ("missing", "folder_not_found")


def test_several_calendars_of_one_foreign_owner_keep_their_names(home, exchange, owner):
    kim = f"kim.{owner}".replace("corp.example", FOREIGN)
    for folder in ("Calendar", "A/B", "Plans"):
        invite(exchange, kim, folder)
    seen = told(discover(home, 0, "--accept-from", FOREIGN), kim)
    assert len(seen) == 3
    assert "" in seen
    assert told(discover(home, 0), kim) == {folder: ("known", folder) for folder in seen}


def test_calendar_that_takes_its_time_to_appear_is_looked_for(home, exchange, owner):
    lou = f"lou.{owner}".replace("corp.example", FOREIGN)
    exchange.control("POST", "/limits", {"invitation_delay_s": 3})
    invite(exchange, lou)
    assert told(discover(home, 0, "--accept-from", FOREIGN), lou) == {"": ("found", "")}


def test_group_on_a_page_offers_nothing_even_after_a_harvest(home, exchange, person):
    main, group = person(), person()
    home.take_roster(main, group, pages=page("talk", main, group)).ended(0)
    home.connect().ended(0)
    exchange.control("POST", "/mailbox", {"owner": group, "kind": "group", "members": [main]})
    validate(home, 3)
    home.harvest()
    offered = free(home, "talk", 3)
    assert offered["slots"] == []
    assert [(it["owner"], it["reason"]) for it in offered["unknown"]] == [(group, "is_a_group")]
