"""Someone works by the documentation: what it names exists, and what it shows is what happens."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from textwrap import indent

import click
import pytest
from sqlalchemy import create_engine

from pyapi.api.app import create_app
from pyapi.api.errors import HTTP_STATUS
from pyapi.cli import cli
from pyapi.schema.files import sql_folder
from tests.support.command import Run
from tests.support.databases import Connection
from tests.support.projects import PROJECT
from tests.support.refusals import refusal
from tests.support.samples import load_sample
from tests.support.statements import one, rerun

PAGES = [*PROJECT.glob("*.md"), *(PROJECT / "docs").glob("*.md")]
# Besides the documentation, hints of errors tell people what to run.
HINTS = [*(PROJECT / "pyapi").rglob("*.py"), *sql_folder().rglob("*.sql")]

every_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)


def text_of(*path: str) -> str:
    return PROJECT.joinpath(*path).read_text(encoding="utf-8")


def code(page: Path) -> Iterator[str]:
    """The code of a page: a line of a block each, and the spans in its prose."""
    for line in page.read_text(encoding="utf-8").splitlines():
        if line.startswith("    "):
            yield line.strip().removeprefix("$ ")
        yield from re.findall(r"`([^`]+)`", line)


def table_rows(page: str) -> Iterator[list[str]]:
    """The cells of each row of a page's tables, without the lines under the headings."""
    for line in page.splitlines():
        if line.startswith("|") and not line.startswith("|---"):
            yield [cell.strip() for cell in line.strip()[1:-1].split("|")]


# --- the command -----------------------------------------------------------------------------


def commands_in(text: str) -> Iterator[list[str]]:
    """The words after each `pgreprise` that stands as a command."""
    for words in re.findall(r"(?:^|&& |=\S* |/)pgreprise ([a-z-]\S*(?: \S+)*)", text):
        # Ends with a full stop: a sentence of the command's output.
        if not words.endswith("."):
            yield words.split("#")[0].split()


def unknown_words(words: list[str]) -> list[str]:
    """The first word that names no command, or the options that the command does not have."""
    command: click.Command = cli
    rest = list(words)
    while isinstance(command, click.Group) and rest and not rest[0].startswith("-"):
        name = rest.pop(0)
        if name not in command.commands:
            return [name]
        command = command.commands[name]
    if command.name == "psql":
        return []
    known = {option for parameter in command.params for option in parameter.opts} | {"--help", "--version"}
    return [word for word in rest if word.startswith("--") and word not in known]


@every_page
def test_every_command_in_the_documentation_exists(page: Path) -> None:
    named = [words for piece in code(page) for words in commands_in(piece)]
    assert {" ".join(words): unknown for words in named if (unknown := unknown_words(words))} == {}


def test_every_command_in_a_hint_exists() -> None:
    spans = [span for path in HINTS for span in re.findall(r"`(pgreprise [^`{]+)`", path.read_text(encoding="utf-8"))]
    named = [words for span in spans for words in commands_in(span)]
    assert named
    assert {" ".join(words): unknown for words in named if (unknown := unknown_words(words))} == {}


def test_the_documentation_names_every_command() -> None:
    named = {words[0] for page in PAGES for piece in code(page) for words in commands_in(piece)}
    assert cli.commands.keys() - named == {"up"}  # which is `make run`


@every_page
def test_every_make_target_in_the_documentation_exists(page: Path) -> None:
    targets = set(re.findall(r"^([a-z-]+):", text_of("Makefile"), re.MULTILINE))
    named = {target for piece in code(page) for target in re.findall(r"(?:^|\S=\S* )make ([a-z-]+)", piece)}
    assert named <= targets


# --- names -----------------------------------------------------------------------------------


def environment_variables(text: str) -> set[str]:
    return set(re.findall(r"\b(?:PGREPRISE_[A-Z_]+|DATABASE_URL|PORT)\b", text))


@every_page
def test_every_environment_variable_in_the_documentation_is_read_somewhere(page: Path) -> None:
    readers = [PROJECT / "hatch_build.py", *(PROJECT / "pyapi").rglob("*.py"), *(PROJECT / "tests").rglob("*.py")]
    read = {
        name
        for path in readers
        if path != Path(__file__)
        for name in re.findall(r"(?:environ(?:\.get\(|\[)|envvar=)\"(\w+)\"", path.read_text(encoding="utf-8"))
    }
    assert environment_variables(page.read_text(encoding="utf-8")) <= read


def test_the_readme_lists_the_settings_and_nothing_else() -> None:
    listed = {cells[0].strip("`") for cells in table_rows(text_of("README.md"))} - {"variable"}
    read = re.findall(r"environ\.get\(\"(\w+)\"", text_of("pyapi", "settings.py"))
    assert listed == {*read, "PORT"}


def anchors(page: Path) -> set[str]:
    headings = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@every_page
def test_every_link_leads_somewhere(page: Path) -> None:
    broken = []
    for link in re.findall(r"\]\(([^)\s]+)\)", page.read_text(encoding="utf-8")):
        path, _, anchor = link.partition("#")
        target = page.parent / path if path else page
        if "://" not in link and not (target.is_file() and (not anchor or anchor in anchors(target))):
            broken.append(link)
    assert broken == []


@every_page
def test_every_file_that_is_named_exists(page: Path) -> None:
    named = [span for span in code(page) if re.fullmatch(r"(?:\.ci|docs|migrations|pyapi|sql|tests)/[\w./]*", span)]
    # A change of a routine is explained with a version that is to be written.
    assert [path for path in named if "_v02" not in path and not (PROJECT / path).exists()] == []


# --- errors, routes, rights ------------------------------------------------------------------


def test_every_code_has_a_section_with_what_happened_a_remedy_and_an_example() -> None:
    sections = re.split(r"^#+ ", text_of("docs", "errors.md"), flags=re.MULTILINE)
    complete = {
        section.splitlines()[0]
        for section in sections
        if all(part in section for part in ("**What happened.**", "**What to do.**", "\n\n    "))
    }
    assert complete == {status for status in HTTP_STATUS if status.startswith(("RR", "RC"))} | {"RC007"}


def test_the_conditions_of_postgresql_are_documented_with_their_status() -> None:
    documented = {
        condition.removeprefix("class "): int(cells[2])
        for cells in table_rows(text_of("docs", "errors.md"))
        for condition in cells[0].split(", ")
        if cells[2].isdigit() and "`" not in condition
    }
    assert documented == {status: http for status, http in HTTP_STATUS.items() if not status.startswith(("RR", "RC"))}


def test_every_route_is_documented_and_every_documented_route_exists() -> None:
    app = create_app(create_engine("postgresql+psycopg://"))
    routes = {
        (method, re.sub(r"<int:", "<", rule.rule))
        for rule in app.url_map.iter_rules()
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
    }
    pages = text_of("docs", "http.md") + text_of("docs", "carbon.md")
    documented = re.findall(r"^### (GET|POST|PATCH|PUT|DELETE) (\S+)$", pages, re.MULTILINE)
    assert set(documented) == routes


def test_the_runbook_says_who_may_call_what(dba: Connection) -> None:
    heading, *rows = (cells for cells in table_rows(text_of("docs", "dba.md")) if len(cells) == 4)
    groups = [cell.strip("`") for cell in heading[1:]]
    documented = {
        name if "." in name else f"public.{name}": {group for group, cell in zip(groups, allowed, strict=True) if cell}
        for names, *allowed in rows
        for name in re.findall(r"`([\w.]+)`", names)
    }

    granted: dict[str, set[str]] = {}
    for row in dba.execute(
        "select procedure.pronamespace::regnamespace || '.' || procedure.proname as routine, grantee.rolname as role"
        "  from pg_proc as procedure"
        "  join pg_roles as grantee on grantee.rolname = any (%s)"
        " where procedure.pronamespace in ('public'::regnamespace, 'pgreprise'::regnamespace)"
        "   and has_function_privilege(grantee.oid, procedure.oid, 'execute')"
        "   and procedure.proowner = 'pgreprise_owner'::regrole",
        (groups,),
    ):
        granted.setdefault(str(row["routine"]), set()).add(str(row["role"]))
    assert documented == granted


# --- what is shown ---------------------------------------------------------------------------


def test_the_reruns_that_the_readme_shows_are_what_happens(pgreprise: Run, dba: Connection) -> None:
    load_sample(dba)
    readme = text_of("README.md")

    def shown(*arguments: str) -> None:
        """What the command prints stands in the readme, under the command."""
        done = pgreprise(*arguments)
        assert f"    $ pgreprise {' '.join(arguments)}\n{indent(done.stdout, '    ')}" in readme

    before = one(dba, "select id, status, output::text as output from get_report(4)")
    assert f"{before['id']} | {before['status']} | {before['output']}" in re.sub(" +", " ", readme)
    assert json.dumps(rerun(dba, 4)) in readme
    assert json.dumps(rerun(dba, 3, "uk"), separators=(",", ":")) in readme
    shown("rerun", "us", "2", "6", "999")
    shown("runs", "us", "4", "--run", "1")
    shown("undo", "1")
    late = "select from update_report(2, 'us', status => 'complete', output => '{}', run_sequence => 1)"
    assert (refused := refusal(dba, late)).code == "RR011"
    assert f"    ERROR:  {refused.message}\n    HINT:  {refused.hint}\n" in readme
    shown("preview", "us", "4")
    for _ in range(2):
        result = one(dba, "call rerun_report(4, idempotency_key => 'fix-812')")["result"]
        assert json.dumps(result) in readme
    # Between the command and these lines stands the progress, which tells of time.
    for arguments in (["rerun-batch", "--country", "us", "--report-type", "geography"], ["undo", "--batch", "1"]):
        assert indent(pgreprise(*arguments).stdout, "    ") in readme
