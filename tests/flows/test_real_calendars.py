"""Calendars that people really exported, harvested, against an independent reading of the same files."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from tests.contract.sandbox.test_real_calendars import FILES, FOLDER, NAMES, expected, years
from tests.flows.harness import Home
from tests.sandbox_fixture import running_sandbox

pytestmark = pytest.mark.skipif(not FILES, reason=f"there are no calendars in {FOLDER}")
STATUSES = {"Busy": "busy", "Tentative": "tentative"}


@pytest.fixture(scope="module")
def loaded():
    args = [part for owner, file in NAMES.items() for part in ("--ics", f"{file}={owner}")]
    with running_sandbox("--owners", "0", *args) as sandbox:
        yield sandbox


@pytest.fixture(scope="module", params=[62, 42], ids=["at_most_62_days_a_request", "at_most_42_days_a_request"])
def office(request, loaded, tmp_path_factory, prefect_api):
    """A home whose server answers so many days in one request."""
    loaded.control("POST", "/limits", {"window_days": request.param})
    home = Home(tmp_path_factory.mktemp("real") / "home", loaded, prefect_api)
    home.connect().ended(0)
    return home, request.param


def independent(owner: str) -> tuple[datetime, datetime, set[tuple[datetime, datetime, str]]]:
    """Return a file's own years, and what is busy in them."""
    first, last = years(NAMES[owner])
    start, end = datetime(first, 1, 1, tzinfo=UTC), datetime(last + 1, 1, 1, tzinfo=UTC)
    told = expected(NAMES[owner], first, last)
    return start, end, {(a, b, STATUSES[status]) for a, b, status in told if status != "Free" and a < end and b > start}


@pytest.mark.parametrize("owner", NAMES, ids=lambda owner: NAMES[owner].stem)
def test_a_harvest_over_a_files_own_years_equals_the_independent_reading(office, owner):
    home, _ = office
    start, end, busy = independent(owner)
    home.take_roster(owner).ended(0)

    printed = home.harvest("--from", f"{start:%Y-%m-%d}", "--to", f"{end:%Y-%m-%d}").ended(0).json

    assert printed["calendars"] == {"known": 1, "unknown": 0}
    assert set(home.stored(owner)) == busy
    assert home.coverage(owner) == ("covered", None, None)


def test_the_longest_window_that_the_server_answers_is_learnt_and_kept(office):
    home, days = office
    owner = next(iter(NAMES))
    start, end, _ = independent(owner)
    home.take_roster(owner).ended(0)
    arguments = ("--from", f"{start:%Y-%m-%d}", "--to", f"{end:%Y-%m-%d}")
    home.harvest(*arguments).ended(0)
    ((learnt,),) = home.query("SELECT window_days FROM connections")
    before = home.exchange.log()[-1]["n"]

    home.harvest(*arguments).ended(0)

    assert learnt == days
    codes = {entry["code"] for entry in home.exchange.log(before)}
    assert codes == {"NoError"}, "a longer window was tried again"
