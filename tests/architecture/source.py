"""Reads the product's source as trees: what a module imports, and how long its parts are."""

import ast
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("busytime", "config", "tasks", "flows", "deployments", "tests")


@dataclass(frozen=True)
class Module:
    """One module: its dotted name, its text, and whether it is the ``__init__`` of a package."""

    name: str
    text: str
    is_package: bool = False

    @cached_property
    def tree(self):
        return ast.parse(self.text)

    @cached_property
    def imports(self):
        """Every module that it imports, anywhere in it, as dotted names; names out of modules come as ``module.name``."""
        found = set()
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Import):
                found.update(alias.name for alias in node.names)
            elif isinstance(node, ast.ImportFrom):
                base = self._absolute(node)
                found.update(f"{base}.{alias.name}" for alias in node.names)
            elif isinstance(node, ast.Call) and ast.unparse(node.func) in {
                "__import__",
                "import_module",
                "importlib.import_module",
            }:
                first = node.args[0] if node.args else None
                found.add(first.value if isinstance(first, ast.Constant) else "a module chosen at run time")
        return found

    def _absolute(self, node):
        if not node.level:
            return node.module
        parents = self.name.split(".")[: None if self.is_package else -1]
        parents = parents[: len(parents) - node.level + 1]
        return ".".join([*parents, *([node.module] if node.module else [])])

    def imports_of(self, *packages):
        """The imports that are one of these modules or in one of these packages."""
        return sorted(name for name in self.imports if is_in(name, *packages))

    @property
    def lines(self):
        return len(self.text.splitlines())

    @property
    def functions(self):
        return [node for node in ast.walk(self.tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]


def is_in(name, *packages):
    return any(name == package or name.startswith(package + ".") for package in packages)


def length(function):
    """The lines of a function, its decorators left out."""
    return function.end_lineno - function.lineno + 1


def body_length(function):
    """The lines of a function's body, its docstring left out."""
    body = function.body[1:] if ast.get_docstring(function) is not None else function.body
    return body[-1].end_lineno - body[0].lineno + 1 if body else 0


def decorated(module, decorator):
    """The functions under a decorator of this name, called or not."""

    def name(node):
        return ast.unparse(node.func if isinstance(node, ast.Call) else node)

    return [function for function in module.functions if any(name(node) == decorator for node in function.decorator_list)]


@cache
def modules():
    """Every module of the product and its tests."""
    found = []
    for package in PACKAGES:
        for path in sorted((ROOT / package).rglob("*.py")):
            parts = path.relative_to(ROOT).with_suffix("").parts
            is_package = parts[-1] == "__init__"
            found.append(Module(".".join(parts[:-1] if is_package else parts), path.read_text(), is_package))
    return tuple(found)
