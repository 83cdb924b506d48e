"""The house: who may know whom. Arrows run one way in pyapi, and no test imports another test."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter

import pytest

from tests.support.projects import PROJECT

# The rooms of pyapi, and the rooms that each may know besides itself and the modules beside the rooms.
ROOMS = {
    "cli": {"api", "console", "doctor", "schema", "shards", "worker"},
    "console": {"api", "doctor", "schema"},
    "api": {"schema"},
    "doctor": {"schema"},
    "worker": {"schema"},
    "shards": {"schema"},
    "schema": set(),
}
BESIDE = {"batches", "chunks", "database", "economy_cache", "embedded", "pool", "postmaster", "settings", "wording"}
# Where the program begins, before it knows anything.
BEGINNING = {"__main__": {"cli"}}

Sources = dict[str, str]


def sources() -> Sources:
    """The text of every module of pyapi and tests, by its name; a package goes by its own."""
    return {
        ".".join(path.relative_to(PROJECT).with_suffix("").parts).removesuffix(".__init__"): path.read_text("utf-8")
        for folder in ("pyapi", "tests")
        for path in sorted((PROJECT / folder).rglob("*.py"))
    }


def imports(module: str, modules: Sources) -> set[str]:
    """What a module imports anywhere in its text, by full names; of a package's names, those that are modules."""
    # A package is known by a module below it.
    is_package = any(name.startswith(f"{module}.") for name in modules)
    found = set()
    for node in ast.walk(ast.parse(modules[module])):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            above = module.split(".")[: -node.level + is_package or None] if node.level else []
            source = ".".join([*above, *([node.module] if node.module else [])])
            below = {f"{source}.{alias.name}" for alias in node.names}
            found |= below & modules.keys() or {source}
    return found


def arrows(modules: Sources, package: str) -> Iterator[tuple[str, str]]:
    """Each module of a package with each that it imports."""
    for module in modules:
        if f"{module}.".startswith(f"{package}."):
            yield from ((module, imported) for imported in sorted(imports(module, modules)))


def room(module: str) -> str:
    """The room of a module of pyapi, or its own name where it stands beside the rooms."""
    return [*module.split("."), ""][1]


def wrong_in_tests(modules: Sources) -> set[tuple[str, str]]:
    """Tests know tests/support only, and that knows no test; nobody else knows tests."""
    return {
        (module, imported)
        for package in ("pyapi", "tests")
        for module, imported in arrows(modules, package)
        if re.match(r"tests\b|(.*\.)?(conftest|test_\w+)$", imported)
        and not (package == "tests" and f"{imported}.".startswith("tests.support."))
    }


def wrong_in_pyapi(modules: Sources) -> set[tuple[str, str]]:
    """The rooms know those of ROOMS, and the modules beside them no room."""
    return {
        (module, imported)
        for module, imported in arrows(modules, "pyapi")
        if f"{imported}.".startswith("pyapi.")
        and room(imported) not in {"", room(module), *BESIDE, *(ROOMS | BEGINNING).get(room(module), set())}
    }


def circle(modules: Sources) -> list[str]:
    """Modules that import each other in a circle, where there are any."""
    graph = {module: imports(module, modules) & modules.keys() for module in modules}
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return list(error.args[1])
    return []


def naming_sql(modules: Sources) -> set[str]:
    """The modules outside pyapi.schema in which a text, but for a docstring, names the folder sql or a file in it."""
    found = set()
    for module, text in modules.items():
        if module.startswith("pyapi") and room(module) != "schema":
            tree = ast.parse(text)
            documentation = {ast.get_docstring(node, clean=False) for node in ast.walk(tree) if hasattr(node, "body")
                             and isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef)}  # fmt: skip
            texts = {node.value for node in ast.walk(tree) if isinstance(node, ast.Constant)} - documentation
            if any(isinstance(value, str) and re.search(r"\.sql$|^sql(/\w|$)", value) for value in texts):
                found.add(module)
    return found


# --- the house as it stands ------------------------------------------------------------------


def test_no_test_imports_another_test() -> None:
    assert wrong_in_tests(sources()) == set()


def test_pyapi_has_these_rooms_and_these_modules_beside_them() -> None:
    folders = {path.parent.name for path in (PROJECT / "pyapi").glob("*/__init__.py")}
    assert folders == ROOMS.keys()
    assert {path.stem for path in (PROJECT / "pyapi").glob("*.py")} == {"__init__", *BESIDE, *BEGINNING}


def test_arrows_run_one_way_between_the_rooms_of_pyapi() -> None:
    assert wrong_in_pyapi(sources()) == set()


def test_no_modules_import_each_other_in_a_circle() -> None:
    assert circle(sources()) == []


def test_only_the_schema_knows_the_sql_files() -> None:
    assert naming_sql(sources()) == set()


# --- a house with something wrong in it ------------------------------------------------------

HOUSE = {
    "pyapi": "",
    "pyapi.settings": "import os",
    "pyapi.wording": "",
    "pyapi.embedded": "from pyapi.settings import Settings",
    "pyapi.database": "from pyapi import settings",
    "pyapi.schema": "",
    "pyapi.schema.migrate": "from pyapi.database import call",
    "pyapi.doctor": "from pyapi.doctor import history",
    "pyapi.doctor.history": "from pyapi.schema.migrate import upgrade",
    "pyapi.api": "",
    "pyapi.api.requests": "from pyapi import database",
    "pyapi.api.errors": "from pyapi.api.requests import Reply\nfrom pyapi.schema import migrate",
    "pyapi.cli": "from pyapi.cli import output",
    "pyapi.cli.output": "from pyapi import doctor\nfrom pyapi.api.errors import CODES\nimport pyapi.schema.migrate",
    "tests": "",
    "tests.conftest": "from tests.support import databases",
    "tests.support": "",
    "tests.support.databases": "",
    "tests.support.worlds": "from .databases import rows",
    "tests.api": "",
    "tests.api.conftest": "from tests.support.databases import rows",
    "tests.api.test_errors": "from tests.support import worlds\nfrom pyapi.api import errors",
    "tests.cli": "",
    "tests.cli.test_doctor": "from ..support.worlds import World",
    "tests.database": "",
    "tests.database.conftest": "",
}


def test_nothing_is_wrong_with_the_house_without_what_follows() -> None:
    assert (wrong_in_tests(HOUSE), wrong_in_pyapi(HOUSE), circle(HOUSE)) == (set(), set(), [])


@pytest.mark.parametrize(
    ("module", "text", "imported"),
    [
        ("tests.api.test_new", "from tests.api.test_errors import RULES", "tests.api.test_errors"),
        ("tests.api.test_new", "from tests.api import test_errors", "tests.api.test_errors"),
        ("tests.api.test_new", "from .test_errors import RULES", "tests.api.test_errors"),
        ("tests.api.test_new", "def helper():\n  from ..cli import test_doctor", "tests.cli.test_doctor"),
        ("tests.api.test_new", "import tests.conftest", "tests.conftest"),
        ("tests.api.test_new", "from . import conftest", "tests.api.conftest"),
        ("tests.api.test_new", "from test_errors import RULES", "test_errors"),
        ("tests.api.test_new", "from tests.api.helpers import helper", "tests.api.helpers"),
        ("tests.api.conftest", "from tests.database.conftest import sandbox", "tests.database.conftest"),
        ("tests.support.new", "from tests.api import test_errors", "tests.api.test_errors"),
        ("tests.support", "from .databases import rows\nfrom ..api import conftest", "tests.api.conftest"),
        ("pyapi.database", "from tests.support.factories import insert", "tests.support.factories"),
    ],
)
def test_a_wrong_import_of_a_test_is_found(module: str, text: str, imported: str) -> None:
    assert wrong_in_tests({**HOUSE, module: text}) == {(module, imported)}


@pytest.mark.parametrize(
    ("module", "text", "imported"),
    [
        ("pyapi.database", "from pyapi.schema import migrate", "pyapi.schema.migrate"),
        ("pyapi.settings", "from pyapi import api", "pyapi.api"),
        ("pyapi.schema.new", "import pyapi.doctor", "pyapi.doctor"),
        ("pyapi.schema.new", "def late():\n  from ..api.errors import HTTP_STATUS", "pyapi.api.errors"),
        ("pyapi.doctor.new", "from pyapi.api import errors", "pyapi.api.errors"),
        ("pyapi.doctor", "from ..cli import output", "pyapi.cli.output"),
        ("pyapi.api.new", "from pyapi.cli import main", "pyapi.cli"),
        ("pyapi.cli.new", "from pyapi.unheard_of.thing import it", "pyapi.unheard_of.thing"),
        ("pyapi.unheard_of.new", "from pyapi.schema import migrate", "pyapi.schema.migrate"),
    ],
)
def test_a_wrong_arrow_in_pyapi_is_found(module: str, text: str, imported: str) -> None:
    assert wrong_in_pyapi({**HOUSE, module: text}) == {(module, imported)}


@pytest.mark.parametrize(
    ("module", "text"),
    [
        ("pyapi.wording", "from pyapi import wording"),
        ("pyapi.settings", "def late():\n  from pyapi.embedded import Embedded\n  from pyapi import database"),
        ("pyapi.api.requests", "from pyapi.api.errors import HTTP_STATUS"),
        ("tests.support.databases", "from tests.support.worlds import Rows"),
    ],
)
def test_a_circle_is_found(module: str, text: str) -> None:
    assert module in circle({**HOUSE, module: text})


@pytest.mark.parametrize("text", ['PATH = ROOT / "sql"', 'open(f"{name}.sql")', 'read("sql/core/kit/x")'])
def test_a_module_that_names_the_sql_files_is_found(text: str) -> None:
    assert naming_sql({"pyapi.cli.new": text, "pyapi.schema.new": text, "pyapi.api.new": f"'''{text}'''"}) == {
        "pyapi.cli.new"
    }
