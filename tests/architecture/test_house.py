"""The house stands as the design says: who imports whom, and how long things are."""

import pytest

from tests.architecture import rules
from tests.architecture.source import Module, modules

LONG_FUNCTION = "def much():\n" + "    x = 1\n" * 60


def long_task(decorator, lines):
    return f"@{decorator}\ndef work():\n    '''Do it.'''\n" + "    x = 1\n" * lines


#: Each rule with a module that breaks it.
RULES = {
    "imports go inwards only": (rules.wrong_directions, Module("busytime.planning", "from flows.harvest import harvest")),
    "tasks know no flow": (rules.wrong_directions, Module("tasks.push", "def f():\n    import flows.push")),
    "config knows of busytime only errors and model": (
        rules.wrong_directions,
        Module("config.keys", "from busytime import vault"),
    ),
    "the sandbox knows nothing of the rest": (
        rules.wrong_directions,
        Module("deployments.sandbox.server", "from busytime.model import Window"),
    ),
    "the sandbox knows no other front door": (
        rules.wrong_directions,
        Module("deployments.sandbox", "from ..cli import output", is_package=True),
    ),
    "the sandbox has one door": (rules.doors_into_the_sandbox, Module("deployments.cli.demo", "from deployments import sandbox")),
    "each library has one home": (rules.strayed_libraries, Module("busytime.coverage", "import sqlalchemy.orm")),
    "only the adapter knows EWS": (rules.strayed_libraries, Module("tasks.harvest", "from exchangelib import Account")),
    "pure rules import no library": (rules.impure_imports, Module("busytime.intervals", "import requests")),
    "pure rules import pure rules only": (rules.impure_imports, Module("busytime.coverage", "from busytime import store")),
    "pure rules import relatively pure rules only": (rules.impure_imports, Module("busytime.ports", "from .ews import gateway")),
    "the core knows no Prefect": (rules.knowledge_of_prefect, Module("busytime.outcomes", "import prefect")),
    "the workspace knows no Prefect": (rules.knowledge_of_prefect, Module("tasks.workspace", "from prefect import task")),
    "the core reads no environment": (rules.knowledge_of_the_environment, Module("busytime.vault", "import os\nos.environ['K']")),
    "the core imports no environment": (rules.knowledge_of_the_environment, Module("busytime.vault", "from os import getenv")),
    "no file is two things": (rules.long_files, Module("flows.harvest", "x = 1\n" * 401)),
    "no function is two things": (rules.long_functions, Module("flows.harvest", LONG_FUNCTION)),
    "flow bodies are thin": (
        lambda found: rules.long_bodies(found, "flow", 40),
        Module("flows.a", long_task("flow(name='a')", 41)),
    ),
    "task bodies are thin": (lambda found: rules.long_bodies(found, "task", 20), Module("tasks.a", long_task("task", 21))),
}


@pytest.mark.parametrize("rule", [rule for rule, _ in RULES.values()], ids=RULES)
def test_the_house_keeps(rule):
    assert list(rule(modules())) == []


@pytest.mark.parametrize(("rule", "bad"), RULES.values(), ids=RULES)
def test_a_breach_is_seen(rule, bad):
    assert len(list(rule([bad]))) == 1


def test_every_part_of_the_house_is_read():
    names = {module.name for module in modules()}
    assert {"busytime.model", "config.settings", "tasks.workspace", "flows.harvest_busy_time", "deployments.cli.main"} <= names
    assert {"deployments.sandbox.server", "busytime.store.migrations.env", "tests.architecture.rules"} <= names


def test_flows_and_tasks_are_found_by_their_decorators():
    assert list(rules.long_bodies(modules(), "flow", 0))
    assert len(list(rules.long_bodies(modules(), "task", 0))) >= 6


def test_imports_inside_functions_and_by_name_count():
    module = Module("busytime.x", "def f():\n    importlib.import_module('pandas')\n    __import__(name)")
    assert module.imports == {"pandas", "a module chosen at run time"}
