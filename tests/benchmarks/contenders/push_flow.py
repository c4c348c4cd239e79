"""The push as users run it: the whole flow through Prefect, whose server runs already."""

from importlib import import_module

from busytime.model import Outcome, RunStatus
from busytime.outcomes import PushOutcome
from deployments.cli.push import run_push
from tasks.workspace import workspace
from tests.benchmarks.contender import Facts, measure


def main() -> None:
    facts = Facts.read()
    import_module("flows.push_bookings")  # measured is what follows the imports, as with all contenders
    workspace()
    measure(len(facts.owners), run_push, applied)
    workspace().close()


def applied(outcome: PushOutcome) -> int:
    """Count the entries that were written; anything that went otherwise spoils the measurement."""
    if outcome.status is not RunStatus.COMPLETED or set(outcome.counts) != {Outcome.APPLIED}:
        raise RuntimeError(f"the push came to {outcome.status}, {outcome.counts}")
    return len(outcome.changes)


if __name__ == "__main__":
    main()
