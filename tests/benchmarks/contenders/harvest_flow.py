"""The harvest as users run it: the whole flow through Prefect, whose server runs already."""

from importlib import import_module

from deployments.cli.harvest import run_harvest
from tasks.workspace import workspace
from tests.benchmarks.contender import Facts, measure
from tests.benchmarks.contenders.harvest_steps import checked


def main() -> None:
    facts = Facts.read()
    import_module("flows.harvest_busy_time")  # measured is what follows the imports, as with all contenders
    workspace()
    measure(len(facts.owners), run_harvest, lambda outcome: checked(outcome, facts))
    workspace().close()


if __name__ == "__main__":
    main()
