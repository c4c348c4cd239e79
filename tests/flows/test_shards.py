"""Shards: what is cut, which runs go beside each other, and a shard that is followed until it is read, whatever is lost."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from busytime.errors import FatalError, RetriableError
from busytime.harvesting import BatchResult
from busytime.model import RunStatus, Trigger, harvest_window
from busytime.scope import EVERYTHING, Scope, Shard
from flows.options import HarvestOptions

HARVEST = "harvest_busy_time"


@pytest.fixture
def office(diary, clock):
    """The workspace of a home with five calendars, of which a run reads two at most."""
    from tasks.workspace import workspace

    diary.home.take_roster(*(diary.person() for _ in range(5))).ended(0)
    diary.home.more["BUSYTIME_SHARD_SIZE"] = "2"
    with diary.home.inside(clock):
        yield workspace()


def begin(shard=None, cut_by=None, trigger=Trigger.MANUAL):
    from tasks.runs import open_run

    return open_run.fn(HARVEST, trigger, scope=Scope(shard=shard, cut_by=cut_by))


def end(office, run, status=RunStatus.COMPLETED, **counts):
    from tasks.runs import finish_run

    finish_run(office, run, status, counts=counts or None)


def cut(office, scope=EVERYTHING):
    from tasks.runs import HeldLock
    from tasks.shards import list_shards

    with office.store.read() as unit:
        [connection] = unit.connections.all_open()
    return [str(it.shard) for it in list_shards.fn([HeldLock("name", "holder", connection.id)], scope)]


def test_a_run_of_a_deployment_cuts_more_calendars_than_it_reads(office, monkeypatch):
    assert cut(office) == [], "a run by hand reads all by itself"
    monkeypatch.setenv("PREFECT__RUNTIME__DEPLOYMENT__ID", "some")
    assert cut(office) == ["0/3", "1/3", "2/3"]
    assert cut(office, Scope(shard=Shard(0, 3), cut_by=1)) == [], "a shard is not cut again"
    with office.store.read() as unit:
        few = frozenset(it.id for it in unit.roster.calendars()[:2])
    assert cut(office, Scope(calendar_ids=few)) == []


def test_shards_of_one_cut_go_beside_the_run_that_cut_them_and_nothing_else_does(office):
    whole = begin()
    first = begin(Shard(0, 3), whole.run_id)
    assert first.locks
    assert begin(Shard(1, 3), whole.run_id).locks, "another one of the same cut"
    assert not begin(Shard(0, 3), whole.run_id).locks, "given twice"
    assert not begin(Shard(1, 2), whole.run_id).locks, "another cut has calendars in common"
    assert not begin(Shard(2, 3), whole.run_id + 1).locks, "cut by a run that is over"
    assert not begin().locks
    end(office, whole)
    assert not begin(Shard(2, 3), whole.run_id).locks, "nobody waits for it any more"
    assert not begin().locks, "shards of the run before are at work yet"


def test_of_late_runs_that_piled_up_one_fires(office, monkeypatch):
    from prefect.runtime import flow_run

    from flows.harvest_busy_time import harvest_busy_time

    due = datetime.now(UTC) - timedelta(hours=1)
    monkeypatch.setitem(flow_run.FIELDS, "scheduled_start_time", lambda: due)
    late = HarvestOptions(trigger=Trigger.SCHEDULE)
    # None of these did the work of a late run.
    end(office, begin(trigger=Trigger.REQUEST))
    end(office, begin(trigger=Trigger.MANUAL))
    end(office, begin(trigger=Trigger.SCHEDULE), RunStatus.CRASHED)
    end(office, begin(trigger=Trigger.SCHEDULE), RunStatus.SKIPPED)
    outcomes = [harvest_busy_time(late, return_state=True).result() for _ in range(3)]
    assert [it.status for it in outcomes] == ["completed", "skipped", "skipped"]
    assert "a later run was here first" in outcomes[1].message


@pytest.fixture(scope="session")
def shard_deployment(prefect_api):  # noqa: ARG001 -- it runs
    """The deployment of shards on the Prefect server, which no worker looks at."""
    from prefect.client.orchestration import get_client
    from prefect.client.schemas.actions import WorkPoolCreate

    with get_client(sync_client=True) as client:
        client.create_work_pool(WorkPoolCreate(name="busytime", type="process"), overwrite=True)
        flow_id = client.create_flow_from_name(HARVEST)
        return client.create_deployment(flow_id, "harvest-shard", work_pool_name="busytime", entrypoint="x:y")


@pytest.fixture
def given(office, shard_deployment):  # noqa: ARG001 -- it is there
    """A shard that was given once, and the run that cut it."""
    from tasks.given_shard import GivenShard, ShardOrder

    with office.store.read() as unit:
        [connection] = unit.connections.all_open()
    run = begin()
    shard = GivenShard(run.run_id, ShardOrder(connection.email, connection.id, Shard(1, 3)), {"trigger": "request"})
    shard.look()
    return shard


def prefects(flow_run_id):
    from prefect.client.orchestration import get_client

    with get_client(sync_client=True) as client:
        return client.read_flow_run(flow_run_id)


def take(flow_run_id):
    """Take a run as a worker does, and begin nothing."""
    from prefect.client.orchestration import get_client
    from prefect.states import Pending

    with get_client(sync_client=True) as client:
        client.set_flow_run_state(flow_run_id, Pending())


def finish_in_prefect(flow_run_id):
    from prefect.client.orchestration import get_client
    from prefect.states import Completed

    with get_client(sync_client=True) as client:
        client.set_flow_run_state(flow_run_id, Completed(), force=True)


def begin_given(given, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setenv("PREFECT__RUNTIME__FLOW_RUN__ID", str(given._flow_run_id))
        return begin(given.order.shard, given.run_id)


def test_a_shard_is_followed_until_it_is_read(office, given, monkeypatch):
    flow_run = prefects(given._flow_run_id)
    said = {"trigger": "request", "connections": [given.order.email]}
    assert flow_run.parameters == {"options": said | {"shard": {"index": 1, "count": 3, "parent_run_id": given.run_id}}}
    run = begin_given(given, monkeypatch)
    given.look()
    assert (given.result, given._flow_run_id) == (None, flow_run.id)
    end(office, run, RunStatus.COMPLETED_WITH_FAILURES, known=5, unknown=1, opened=3, closed=2, failed=4)
    given.look()
    assert given.result == BatchResult(5, 1, 3, 2, failed_elsewhere=4)


def test_a_run_that_a_worker_took_and_never_began_is_given_again_within_a_minute(given, clock):
    lost = given._flow_run_id
    take(lost)
    given.look()
    clock.offset += timedelta(seconds=59)
    given.look()
    assert given._flow_run_id == lost
    clock.offset += timedelta(seconds=2)
    given.look()
    assert given._flow_run_id != lost
    assert prefects(lost).state.is_crashed(), "it cannot begin beside the new one"
    assert prefects(given._flow_run_id).state.is_scheduled()


def test_a_run_that_died_is_given_again_at_once_and_not_for_ever(office, given, monkeypatch):
    seen: list[UUID] = []
    while given.result is None:
        seen.append(given._flow_run_id)
        end(office, begin_given(given, monkeypatch), RunStatus.CRASHED)
        given.look()
    assert len(set(seen)) == len(seen) == 5
    assert isinstance(given.result, RetriableError)
    assert "shard 1/3" in str(given.result)
    assert all(prefects(it).state.is_crashed() for it in seen), "Prefect's page says so, too"


def test_a_shard_that_was_refused_is_not_given_again(office, given, monkeypatch):
    end(office, begin_given(given, monkeypatch), RunStatus.REFUSED)
    given.look()
    assert isinstance(given.result, FatalError)
    assert given._tries == 1


def test_without_a_worker_nobody_waits_for_ever_and_nothing_fires_later(given, clock):
    from tasks.given_shard import NOBODY_TAKES

    clock.offset += timedelta(minutes=4)
    given.look()
    assert given.result is None
    clock.offset += timedelta(minutes=2)
    given.look()
    assert given.result is NOBODY_TAKES
    assert prefects(given._flow_run_id).state.is_final()


def test_a_run_that_was_deleted_on_prefects_page_is_given_again(given):
    from prefect.client.orchestration import get_client

    lost = given._flow_run_id
    with get_client(sync_client=True) as client:
        client.delete_flow_run(lost)
    given.look()
    assert given._flow_run_id != lost


def test_while_prefects_server_is_away_nothing_is_given_up(given, prefect_api):
    from prefect.settings import PREFECT_API_URL, PREFECT_CLIENT_MAX_RETRIES, temporary_settings

    from tasks.given_shard import count_workers

    flow_run = given._flow_run_id
    take(flow_run)
    with temporary_settings({PREFECT_API_URL: prefect_api.replace("127.0.0.1", "127.0.0.2"), PREFECT_CLIENT_MAX_RETRIES: 0}):
        given.look()
        assert count_workers() == 1
    assert (given.result, given._flow_run_id, given._tries) == (None, flow_run, 1)


def test_a_run_that_was_taken_for_dead_gives_no_more_shards(office, given):
    from busytime.errors import LockLostError
    from tasks.shards import run_shards

    run = begin(Shard(2, 3), given.run_id)
    with office.store.write() as unit:
        for lock in run.locks:
            unit.locks.release(lock.name, lock.holder)
    with pytest.raises(LockLostError):
        run_shards.fn(run, [given.order], harvest_window(office.clock.now(), 60), EVERYTHING, {})


@pytest.fixture
def run_all(office, shard_deployment, monkeypatch):  # noqa: ARG001 -- it is there
    """Have three shards read; between two looks something happens."""
    from tasks import shards
    from tasks.given_shard import ShardOrder

    whole = begin()
    connection = office.connection(whole.locks[0].connection_id)
    orders = [ShardOrder(connection.email, connection.id, Shard(index, 3)) for index in range(3)]
    window = harvest_window(office.clock.now(), 60)

    def run_them(happens):
        monkeypatch.setattr(shards, "pause", lambda _: happens(whole))
        return shards.run_shards.fn(whole, orders, window, EVERYTHING, {"trigger": "request"})

    return run_them


def scheduled():
    from prefect.client.orchestration import get_client
    from prefect.client.schemas.filters import FlowRunFilter

    with get_client(sync_client=True) as client:
        found = client.read_flow_runs(flow_run_filter=FlowRunFilter(state={"type": {"any_": ["SCHEDULED"]}}))
    return [it for it in found if it.parameters]


def test_calendars_of_shards_that_nobody_takes_are_told_of(run_all, clock):
    from tasks.given_shard import NOBODY_TAKES

    results = run_all(lambda _: setattr(clock, "offset", clock.offset + timedelta(minutes=6)))
    assert results[:3] == [NOBODY_TAKES] * 3
    assert (results[3].known, results[3].unknown, {it.reason for it in results[3].failed}) == (0, 5, {"timed_out"})


def test_no_more_shards_are_out_than_workers_take_and_who_waits_long_is_not_given_up(office, run_all, clock, monkeypatch):
    seen, others = [], {it.id for it in scheduled()}

    def happens(whole):
        """Read what is out as a worker would, each shard for ten minutes."""
        given = [it for it in scheduled() if it.id not in others]
        seen.append(len(given))
        for it in given:
            with monkeypatch.context() as patch:
                patch.setenv("PREFECT__RUNTIME__FLOW_RUN__ID", str(it.id))
                run = begin(Shard(it.parameters["options"]["shard"]["index"], 3), whole.run_id)
            clock.offset += timedelta(minutes=10)
            end(office, run, known=1)
            finish_in_prefect(it.id)

    assert [it.known for it in run_all(happens)] == [1, 1, 1, 0]
    assert seen == [2, 1, 0]
