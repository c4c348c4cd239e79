"""A person is forgotten by one row alone: every other row stays as it is, and nobody who is in use can be forgotten."""

import threading

import pytest
from sqlalchemy import select

from busytime.chain import verify_chain
from busytime.claiming import Desk
from busytime.errors import ConfigurationError
from busytime.forgetting import find_person, forget_person, names_address
from busytime.model import ConnectionMode, Endpoint
from busytime.roster import Roster, RosterCalendar
from busytime.signing_in import LockoutPolicy
from busytime.store.columns import metadata
from busytime.store.tables import events, owners
from tests.integration.store.push_steps import make_page
from tests.unit.moments import MONDAY

ANA = "ana@corp.example"


@pytest.fixture
def desk(store, clock):
    return Desk(store, None, clock, LockoutPolicy(5, None), "admin@host")


@pytest.fixture
def ana(furnish, store):
    """A person who was on the roster."""
    furnish(ANA)
    furnish("bo@corp.example")
    with store.write() as unit:
        return unit.owners.find(ANA)


def forget(desk, address=ANA):
    return forget_person(desk, address, find_person(desk, address), 2)


def test_the_address_goes_and_every_other_row_stays(desk, ana, rows, store):
    before = {table.name: rows(table) for table in metadata.sorted_tables if table.name not in {"owners", "events"}}
    others = [row for row in rows(owners) if row["id"] != ana]
    assert forget(desk) == f"forgotten-{ana}"
    assert {name: rows(metadata.tables[name]) for name in before} == before
    [row] = [row for row in rows(owners) if row["id"] == ana]
    assert row == {"id": ana, "address": f"forgotten-{ana}", "name": None}
    assert [it for it in rows(owners) if it["id"] != ana and it["address"] != "admin@host"] == others
    [event] = rows(events)
    assert (event["tag"], event["details"]) == ("person:owner:forgotten", f'{{"artifacts": 2, "owner_id": {ana}}}')
    with store.read() as unit:
        assert verify_chain(store.audit_key, unit.events.chain()).whole


def test_an_address_that_comes_back_is_another_person(desk, ana, furnish, store):
    forget(desk)
    [calendar] = furnish(ANA)
    with store.read() as unit:
        assert unit.owners.find(ANA) not in {None, ana}
        assert [it.id for it in unit.roster.calendars()] == [calendar.id]


def test_two_people_can_be_forgotten_one_after_the_other(desk, ana, furnish, rows):
    forget(desk)
    furnish()
    forget(desk, "bo@corp.example")
    assert [row["address"] for row in rows(owners)][:2] == ["forgotten-1", "forgotten-2"]
    assert ana == 1


def test_who_is_on_the_roster_stays(desk, furnish, rows):
    furnish(ANA)
    with pytest.raises(ConfigurationError, match=r"1 calendar of it names it\): take it out of the file"):
        find_person(desk, ANA)
    assert rows(events) == []


def test_who_has_a_page_stays(desk, open_pages):
    open_pages(make_page())
    with pytest.raises(ConfigurationError, match="so do the booking pages intro-call"):
        find_person(desk, ANA)


def test_who_has_left_a_page_that_is_still_in_use_can_be_forgotten(desk, open_pages, store):
    open_pages(make_page(additional=("bo",)))
    open_pages(make_page(additional=()))
    with store.read() as unit:
        bo = unit.owners.find("bo@corp.example")
    assert forget(desk, "bo@corp.example") == f"forgotten-{bo}"


def test_whose_account_a_calendar_is_read_through_stays(desk, store, clock):
    with store.write() as unit:
        unit.roster.replace(Roster((RosterCalendar("bo@corp.example", "Projects", connection=ANA),)), clock.now())
    with pytest.raises(ConfigurationError, match="roster import"):
        find_person(desk, ANA)


def test_who_is_connected_stays_until_the_connection_was_ended(desk, ana, store):
    with store.write() as unit:
        connection_id = unit.connections.open(ana, Endpoint(ANA, "https://mail/EWS"), ConnectionMode.PERSONAL, MONDAY)
    with pytest.raises(ConfigurationError, match=f"busytime disconnect {ANA}"):
        find_person(desk, ANA)
    with store.write() as unit:
        unit.connections.close(connection_id, MONDAY)
    assert forget(desk) == f"forgotten-{ana}"


def test_who_came_back_before_it_was_done_stays(desk, ana, furnish, rows):
    owner_id = find_person(desk, ANA)
    furnish(ANA)
    with pytest.raises(ConfigurationError, match="still in use"):
        forget_person(desk, ANA, owner_id, 0)
    assert ana in {row["id"] for row in rows(owners) if row["address"] == ANA}


def test_who_runs_the_command_stays(desk, actor_id, rows):
    assert actor_id
    with pytest.raises(ConfigurationError, match="let somebody else run it"):
        find_person(desk, "admin@host")
    assert [row["address"] for row in rows(owners)] == ["admin@host"]


def test_somebody_else_who_ran_commands_can_be_forgotten_and_the_audit_stays_whole(desk, store, rows, clock):
    with store.write() as unit:
        eva = unit.owners.id("eva@host")
        unit.events.append(store.audit_key, "person:test:done", clock.now(), eva, {})
    assert forget(desk, "eva@host") == f"forgotten-{eva}"
    assert [row["actor_id"] for row in rows(events)] == [eva, eva + 1]
    with store.read() as unit:
        assert verify_chain(store.audit_key, unit.events.chain()).whole


def test_who_is_not_known_is_nobody(desk):
    assert find_person(desk, "nobody@corp.example") is None


@pytest.fixture
def named(engine):
    """Return whom the roster names."""

    def addresses():
        calendars = metadata.tables["calendars"]
        query = select(owners.c.address).join(calendars, calendars.c.owner_id == owners.c.id)
        with engine.connect() as connection:
            return connection.execute(query.where(calendars.c.retired_at.is_(None))).scalars().all()

    return addresses


def take(unit, clock):
    unit.roster.replace(Roster((RosterCalendar(ANA),)), clock.now())


@pytest.mark.parametrize("backend", ["postgresql"], indirect=True)
def test_whose_id_an_import_has_looked_up_is_not_forgotten_under_its_hands(desk, ana, store, clock, named):
    said = []

    def forget_her():
        with pytest.raises(ConfigurationError, match="still in use"):
            forget_person(desk, ANA, ana, 0)
        said.append("refused")

    forgetting = threading.Thread(target=forget_her)
    with store.write() as unit:
        unit.owners.ids([ANA])
        forgetting.start()
        forgetting.join(0.3)
        assert forgetting.is_alive()
        take(unit, clock)
    forgetting.join()
    assert (said, named()) == (["refused"], [ANA])


@pytest.mark.parametrize("backend", ["postgresql"], indirect=True)
def test_an_import_that_comes_while_she_is_forgotten_makes_her_anew(ana, store, clock, named):
    def import_her():
        with store.write() as unit:
            take(unit, clock)

    importing = threading.Thread(target=import_her)
    with store.write() as unit:
        unit.forgetting.seize(ana)
        importing.start()
        importing.join(0.3)
        assert importing.is_alive()
        unit.forgetting.overwrite(ana)
    importing.join()
    assert named() == [ANA]


@pytest.mark.parametrize(
    ("text", "named"),
    [
        (ANA, True),
        ("calendar ana@corp.example/Projects", True),
        ("ANA@Corp.Example.", True),
        ('{"calendar": "ana@corp.example"}', True),
        ("<ana@corp.example>, bo", True),
        ("joana@corp.example", False),
        ("jo.ana@corp.example", False),
        ("jo-ana@corp.example", False),
        ("jo+ana@corp.example", False),
        ("ana@corp.example.org", False),
        ("ana@corp.example-more", False),
        ("ana@corpXexample", False),
        ("", False),
    ],
)
def test_an_address_is_named_as_a_whole(text, named):
    assert names_address(text, ANA) is named
