"""The push without Prefect: the flow's own body on bare tasks."""

from busytime.outcomes import PushOutcome
from flows import push_bookings as flow_module
from tasks.workspace import workspace
from tests.benchmarks.contender import Facts, measure
from tests.benchmarks.contenders.bare import bare_tasks
from tests.benchmarks.contenders.push_flow import applied


def main() -> None:
    facts = Facts.read()
    workspace()
    with bare_tasks(flow_module):
        measure(len(facts.owners), push, applied)
    workspace().close()


def push() -> PushOutcome:
    outcome: PushOutcome = flow_module.push_bookings.fn().result()
    return outcome


if __name__ == "__main__":
    main()
