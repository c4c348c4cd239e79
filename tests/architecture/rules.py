"""The rules of the house: each takes modules and yields a sentence for every breach."""

import ast
import sys

from tests.architecture.source import PACKAGES, body_length, decorated, is_in, length

#: Modules directly in ``busytime`` that may know a library or the store; every other one holds pure rules.
IMPURE = frozenset(
    {
        "busytime.claiming",
        "busytime.connecting",
        "busytime.forgetting",
        "busytime.guiding",
        "busytime.wishes",
        "busytime.probing",
        "busytime.renewing",
        "busytime.vault",
        "busytime.roster_file",
        "busytime.roster_models",
        "busytime.reporting",
    }
)

#: Packages in ``busytime``, which stand around the pure rules.
PARTS = ("ews", "store", "export", "report")
#: Modules in them that hold pure rules all the same.
PURE = frozenset({f"busytime.report.{name}" for name in ("period", "facts", "words", "attention", "svg")})

#: What each part of the house may import of the others, and ``tests`` all of it.
MAY_IMPORT = {
    "busytime": ("busytime",),
    "busytime.reporting": ("busytime", "config"),  # a front door: readers import it and name nothing
    "config": ("config", "busytime.errors", "busytime.model"),
    "tasks": ("tasks", "config", "busytime"),
    "flows": ("flows", "tasks", "config", "busytime"),
    "deployments": ("deployments", "flows", "tasks", "config", "busytime"),
    "deployments.sandbox": ("deployments.sandbox",),
    "tests": PACKAGES,
}

#: Libraries that these packages alone know.
HOMES = {
    "exchangelib": ("busytime.ews",),
    "sqlalchemy": ("busytime.store",),
    "alembic": ("busytime.store",),
    "pandas": ("busytime.reporting",),
    "pyarrow": ("busytime.export", "busytime.reporting"),
    "matplotlib": ("busytime.report.sheet",),
    "jinja2": ("busytime.report.page",),
    "markupsafe": ("busytime.report.page",),
}

MOST_LINES_OF_A_FILE = 400
MOST_LINES_OF_A_FUNCTION = 60
MOST_LINES_OF_A_FLOW = 40
MOST_LINES_OF_A_TASK = 20


def part_of(name):
    """Which part of the house a module belongs to: the most specific one."""
    return max((part for part in MAY_IMPORT if is_in(name, part)), key=len)


def wrong_directions(modules):
    for module in modules:
        allowed = MAY_IMPORT[part_of(module.name)]
        for name in module.imports_of(*PACKAGES):
            if not is_in(name, *allowed):
                yield f"{module.name} imports {name}"


def doors_into_the_sandbox(modules):
    for module in modules:
        if not is_in(module.name, "deployments.sandbox", "deployments.cli.sandbox", "tests"):
            for name in module.imports_of("deployments.sandbox"):
                yield f"{module.name} imports {name}"


def strayed_libraries(modules):
    for module in modules:
        for library, homes in HOMES.items():
            if not is_in(module.name, *homes, "tests"):
                for name in module.imports_of(library):
                    yield f"{module.name} imports {name}, which only {' and '.join(homes)} may know"


def is_pure(name):
    """Whether a dotted name is of a module of pure rules, or of something in one."""
    package, _, module = name.partition(".")
    if is_in(name, *PURE):
        return True
    return package == "busytime" and f"{package}.{module.partition('.')[0]}" not in IMPURE | {
        f"busytime.{part}" for part in PARTS
    }


def impure_imports(modules):
    for module in modules:
        if is_pure(module.name):
            for name in sorted(module.imports):
                if name.partition(".")[0] not in sys.stdlib_module_names and not is_pure(name):
                    yield f"{module.name} imports {name}"


def knowledge_of_prefect(modules):
    for module in modules:
        if is_in(module.name, "busytime", "config", "deployments.sandbox", "tasks.workspace"):
            for name in module.imports_of("prefect"):
                yield f"{module.name} imports {name}"


def knowledge_of_the_environment(modules):
    names = ("environ", "environb", "getenv", "putenv")
    for module in modules:
        if is_in(module.name, "busytime"):
            for name in module.imports_of(*(f"os.{name}" for name in names)):
                yield f"{module.name} imports {name}"
            for node in ast.walk(module.tree):
                if isinstance(node, ast.Attribute) and node.attr in names:
                    yield f"{module.name} uses {ast.unparse(node)}"


def long_files(modules):
    for module in modules:
        if module.lines > MOST_LINES_OF_A_FILE and not is_in(module.name, "busytime.store.migrations.versions"):
            yield f"{module.name} has {module.lines} lines"


def long_functions(modules):
    for module in modules:
        if is_in(module.name, "busytime.store.migrations.versions"):
            continue
        for function in module.functions:
            if length(function) > MOST_LINES_OF_A_FUNCTION:
                yield f"{module.name}.{function.name} has {length(function)} lines"


def long_bodies(modules, decorator, most):
    for module in modules:
        for function in decorated(module, decorator):
            if body_length(function) > most:
                yield f"{module.name}.{function.name} has a body of {body_length(function)} lines"
