"""The harvest without Prefect: the flow's own body on bare tasks."""

from busytime.outcomes import HarvestOutcome
from flows import harvest_busy_time as flow_module
from tasks.workspace import workspace
from tests.benchmarks.contender import Facts, measure
from tests.benchmarks.contenders.bare import bare_tasks
from tests.benchmarks.contenders.stored import stored_intervals


def main() -> None:
    facts = Facts.read()
    workspace()
    with bare_tasks(flow_module):
        measure(len(facts.owners), harvest, lambda outcome: checked(outcome, facts))
    workspace().close()


def harvest() -> HarvestOutcome:
    outcome: HarvestOutcome = flow_module.harvest_busy_time.fn().result()
    return outcome


def checked(outcome: HarvestOutcome, facts: Facts) -> int:
    """Refuse what was no good harvest, or changed something the second time; return how many intervals are stored."""
    result = outcome.result
    is_first = outcome.run_id == 1
    if result.known != len(facts.owners) or bool(result.opened) is not is_first or result.closed:
        raise RuntimeError(f"the harvest came to {result}")
    return stored_intervals()


if __name__ == "__main__":
    main()
