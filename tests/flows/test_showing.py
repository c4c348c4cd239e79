"""What runs show on Prefect's page: what came out, what is not as it should be, and what to do; nothing that may not be told."""

from __future__ import annotations

import logging

from busytime.errors import Reason
from busytime.harvesting import BatchResult, FailedCalendar
from busytime.model import RunStatus
from busytime.outcomes import HarvestOutcome
from flows.options import HarvestOptions, MaintainOptions, PushOptions, ValidateOptions
from tests.flows.harness import book
from tests.flows.permitting import revoke
from tests.flows.pushing import at, booked, booking_page


def shown(key):
    """Return the artifacts of a key, the oldest first."""
    from prefect.client.orchestration import get_client
    from prefect.client.schemas.filters import ArtifactFilter, ArtifactFilterKey
    from prefect.client.schemas.sorting import ArtifactSort

    with get_client(sync_client=True) as client:
        chosen = ArtifactFilter(key=ArtifactFilterKey(any_=[key]))
        return client.read_artifacts(artifact_filter=chosen, sort=ArtifactSort.CREATED_DESC)[::-1]


def run(diary, flow_name, options):
    import importlib

    return diary._run(getattr(importlib.import_module(f"flows.{flow_name}"), flow_name), None, options)


def test_a_harvest_names_the_calendars_without_an_answer_and_what_helps(diary, person):
    ana, bo = person(), person()
    book(diary.exchange, ana, at(9))
    revoke(diary.exchange, bo)
    diary.home.take_roster(ana, bo, "nobody@corp.example").ended(0)
    run_id = run(diary, "harvest_busy_time", HarvestOptions()).run_id
    told = shown("harvest")[-1]
    assert told.type == "markdown"
    assert told.description == "1 calendars known, 2 unknown"
    assert told.flow_run_id is not None
    lines = told.data.splitlines()
    assert lines[0] == "**1 calendars known, 2 unknown.**"
    assert f"Run {run_id} in the audit tables." in lines
    (of_bo,) = [line for line in lines if bo in line]
    assert "may not see this calendar's busy time" in of_bo
    assert "`busytime advise --out DIR` writes what its owner has to grant" in of_bo
    (of_nobody,) = [line for line in lines if "nobody@corp.example" in line]
    assert "`busytime roster import FILE`" in of_nobody
    assert ana not in told.data, "who answered is not named"
    assert "Zanderfall" not in told.data
    assert diary.exchange.password not in told.data


def test_a_validation_says_what_owners_can_do_and_a_push_why_it_did_not(diary, person):
    ana, bo = person(), person()
    book(diary.exchange, ana, at(15))  # an item of her own shows what may be changed
    revoke(diary.exchange, bo)
    diary.pages(booking_page(ana, name="talk"), booking_page(bo, name="visit"))
    diary.take(booked("BK-1", at(9), page="talk"), booked("BK-2", at(9), page="visit"))
    run(diary, "validate_delegation", ValidateOptions())
    told = shown("validate")[-1].data
    assert f"| `{bo}` | pending: asked for" in told
    assert f'find or enter `{diary.exchange.email}` \\> "Can edit"' in told
    assert ana not in told
    run(diary, "push_bookings", PushOptions(dry_run=True))
    plan = shown("push-plan")[-1].data
    assert f"| `BK-1` | `{ana}` | create |" in plan
    run(diary, "push_bookings", PushOptions())
    told = shown("push")[-1].data
    assert told.startswith("**1 applied, 1 ")
    assert f"| `BK-2` | `{bo}` | " in told
    assert "- `busytime validate` shows the rights" in told
    assert "Intro call" not in plan + told, "no title"


def test_runs_with_nothing_to_do_show_nothing(diary, person):
    diary.pages(booking_page(person()))
    before = len(shown("push")), len(shown("maintain"))
    run(diary, "push_bookings", PushOptions())
    run(diary, "maintain", MaintainOptions())
    assert (len(shown("push")), len(shown("maintain"))) == before


def test_of_very_many_calendars_so_many_are_shown_as_a_person_looks_through(prefect_api):  # noqa: ARG001 -- Prefect needs its settings
    from prefect import flow

    from flows.showing import MOST_ROWS, show_harvest

    failed = tuple(FailedCalendar(f"lost{number}@corp.example", "", Reason.TIMED_OUT) for number in range(MOST_ROWS + 50))
    outcome = HarvestOutcome(1, RunStatus.COMPLETED_WITH_FAILURES, BatchResult(0, len(failed), failed=failed))
    flow(lambda: show_harvest(outcome, "said"), name="shows_very_many")()
    told = shown("harvest")[-1].data
    assert told.count("lost") == MOST_ROWS
    assert "50 more: `busytime harvest --json`" in told


def test_a_page_that_cannot_be_written_to_costs_a_run_nothing(diary, person, caplog, monkeypatch):
    import httpx

    def not_there(*_, **__):
        raise httpx.ConnectError("All connection attempts failed")

    monkeypatch.setattr("tasks.artifacts.create_markdown_artifact", not_there)
    diary.home.take_roster(person()).ended(0)
    before = len(shown("harvest"))
    with caplog.at_level(logging.WARNING, "busytime.artifacts"):
        assert run(diary, "harvest_busy_time", HarvestOptions()).status is RunStatus.COMPLETED
    assert len(shown("harvest")) == before
    assert "Prefect's page does not show what the harvest came to (ConnectError)" in caplog.text
    assert diary.home.run_statuses() == ["completed"]
