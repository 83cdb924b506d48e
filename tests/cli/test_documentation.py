"""Someone works by the documentation: what it names exists, and what it shows is what happens."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from sqlalchemy import URL, create_engine

from pyapi.api.app import create_app
from pyapi.api.errors import HTTP_STATUS
from pyapi.cli import cli
from pyapi.schema.files import sql_folder
from tests.support import transcripts
from tests.support.command import Run
from tests.support.databases import Connection, connect
from tests.support.projects import PROJECT

PAGES = [*PROJECT.glob("*.md"), *(PROJECT / "docs").rglob("*.md"), *(PROJECT / "sql").glob("*.md")]
# Besides the documentation, hints of errors tell people what to run.
HINTS = [*(PROJECT / "pyapi").rglob("*.py"), *sql_folder().rglob("*.sql")]

every_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(PROJECT)))


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
    assert cli.commands.keys() - named == set()


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


def test_the_reference_lists_the_environment_variables_and_nothing_else() -> None:
    tables = text_of("docs", "reference", "settings.md").partition("## Settings in the database")[0]
    listed = {cells[0].strip("`") for cells in table_rows(tables)} - {"variable"}
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
    sections = re.split(r"^#+ ", text_of("docs", "reference", "errors.md"), flags=re.MULTILINE)
    complete = {
        section.splitlines()[0]
        for section in sections
        if all(part in section for part in ("**What happened.**", "**What to do.**", "\n\n    "))
    }
    assert complete == {status for status in HTTP_STATUS if status.startswith(("RR", "RC"))} | {"RC007"}


def test_the_conditions_of_postgresql_are_documented_with_their_status() -> None:
    documented = {
        condition.removeprefix("class "): int(cells[2])
        for cells in table_rows(text_of("docs", "reference", "errors.md"))
        for condition in cells[0].split(", ")
        if cells[2].isdigit() and "`" not in condition
    }
    assert documented == {status: http for status, http in HTTP_STATUS.items() if not status.startswith(("RR", "RC"))}


def test_every_route_is_documented_and_every_documented_route_exists() -> None:
    app = create_app(create_engine("postgresql+psycopg://"))
    routes = {
        (method, re.sub(r"<(?:int|uuid):", "<", rule.rule))
        for rule in app.url_map.iter_rules()
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
    }
    pages = text_of("docs", "reference", "http.md") + text_of("docs", "reference", "carbon-http.md")
    documented = re.findall(r"^### `(GET|POST|PATCH|PUT|DELETE) (\S+)`$", pages, re.MULTILINE)
    assert set(documented) == routes


def test_the_reference_says_who_may_call_what(dba: Connection) -> None:
    heading, *rows = (
        cells for cells in table_rows(text_of("docs", "reference", "roles-and-rights.md")) if len(cells) == 6
    )
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


# --- the reference ---------------------------------------------------------------------------


def test_the_reference_lists_every_command_with_its_options() -> None:
    page = text_of("docs", "reference", "command.md")
    sections = re.findall(
        r"^### `pgreprise ([a-z -]+?)(?: [A-Z\[][^`]*)?`$(.*?)(?=^##)", page + "\n## ", re.MULTILINE | re.DOTALL
    )
    documented = {name: set(re.findall(r"^\| `(--[a-z-]+)", text, re.MULTILINE)) for name, text in sections}
    assert documented == dict(leaves(cli))


def leaves(group: click.Group, *names: str) -> Iterator[tuple[str, set[str]]]:
    """The commands that do something by themselves, with their options."""
    for name, command in group.commands.items():
        if isinstance(command, click.Group):
            yield from leaves(command, *names, name)
        if not isinstance(command, click.Group) or command.invoke_without_command:
            options = (parameter for parameter in command.params if isinstance(parameter, click.Option))
            yield " ".join([*names, name]), {option.opts[0] for option in options}


def test_the_reference_lists_every_entry_point_with_its_arguments(dba: Connection) -> None:
    page = text_of("docs", "reference", "routines.md")
    routines = dba.execute(
        "select proname as name, pronargdefaults as optional,"
        "   array(select argument.name"
        "           from unnest(proargnames) with ordinality as argument (name, position)"
        "          where coalesce(proargmodes[argument.position], 'i') in ('i', 'b')"
        "          order by argument.position) as arguments"
        "  from pg_proc"
        " where pronamespace = 'public'::regnamespace and proowner = 'pgreprise_owner'::regrole"
    ).fetchall()
    assert routines
    assert set(re.findall(r"^\| `(\w+\(.*\))` \|", page, re.MULTILINE)) == {signature(**row) for row in routines}


def signature(name: str, arguments: list[str], optional: int) -> str:
    """A routine as the reference shows it: `name(required [, optional])`. The result is no argument of a caller."""
    required = len(arguments) - optional
    rest = ", ".join(argument for argument in arguments[required:] if argument != "result")
    given = ", ".join(arguments[:required])
    return f"{name}({given}{f' [, {rest}]' if given and rest else f'[{rest}]' if rest else ''})"


def test_the_reference_lists_what_is_added_to_the_tables_and_every_table_of_ours(dba: Connection) -> None:
    ours, added = (
        table_rows(part) for part in reversed(text_of("docs", "reference", "database.md").split("## Schema"))
    )
    found = dba.execute(
        "select relname as name, relnamespace::regnamespace::text as schema from pg_class"
        " where relkind in ('r', 'i') and (relnamespace = 'pgreprise'::regnamespace and relkind = 'r'"
        "    or relnamespace = 'public'::regnamespace and relname ~ '^(pgreprise_|uq_)')"
    ).fetchall()
    assert {span for row in ours for span in re.findall(r"`(\w+)`", row[0])} == names_in(found, "pgreprise")
    listed = {span for row in added for span in re.findall(r"`((?:pgreprise|uq)_\w+)`", row[1])}
    assert listed == names_in(found, "public")


def names_in(rows: list[dict[str, object]], schema: str) -> set[object]:
    """The names of the rows that are of a schema."""
    return {row["name"] for row in rows if row["schema"] == schema}


# --- what is shown ---------------------------------------------------------------------------

# It brings its own tables.
ADOPTER = PROJECT / "docs" / "how-to" / "adopt-a-report-service.md"
# What CONTRIBUTING.md shows needs a checkout of its own; tests/migrations/test_contributing.py runs it.
SHOWN = [page for page in PAGES if page.name != "CONTRIBUTING.md" and page != ADOPTER and transcripts.blocks_of(page)]


def differences(page: Path, database: URL) -> list[str]:
    """Where a page shows something else than what happens on a database."""
    with transcripts.Session(database) as session:
        return [
            "\n".join([f"line {step.line}: {step.command}", "--- shown", *step.output, "--- happened", *happened])
            for block in transcripts.blocks_of(page)
            for step, happened in session.run(block)
            if not transcripts.agrees(step.output, happened)
        ]


@pytest.mark.parametrize("page", SHOWN, ids=lambda page: str(page.relative_to(PROJECT)))
def test_what_a_page_shows_is_what_happens(
    page: Path, database: URL, pgreprise: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The example of a program that computes takes some time, as others do.
    monkeypatch.setenv("COMPUTE_SECONDS", "0")
    assert pgreprise("sample", "load").returncode == 0
    assert differences(page, database) == []


def test_an_adopter_who_follows_the_page_gets_a_new_result(empty_database: URL) -> None:
    try:
        assert differences(ADOPTER, empty_database) == []
    finally:
        # A role belongs to the whole cluster.
        with connect(empty_database) as connection:
            connection.execute("drop role if exists report_service_api")


def test_the_readme_and_the_pages_to_do_things_by_show_transcripts() -> None:
    shown = {str(page.relative_to(PROJECT)) for page in SHOWN}
    assert {"README.md", "docs/start/first-rerun.md", "docs/how-to/undo.md", "docs/reference/http.md"} <= shown


def test_a_transcript_that_differs_is_noticed() -> None:
    shown = ["one", "...", "at 2026-01-01 10:00:00: ... rows", "end"]
    assert transcripts.agrees(shown, ["one", "two", "three", "at 2027-12-31 23:59:59: 7 rows", "end"])
    assert not transcripts.agrees(shown, ["one", "at 2027-12-31 23:59:59: 7 rows", "end", "more"])
    assert not transcripts.agrees(shown, ["one", "at 2027-12-31 23:59:59: 7 columns", "end"])
    assert transcripts.agrees([], [" set_config", "------------", " x"])
    assert not transcripts.agrees([], ["ERROR:  The caller has no access to unit #1."])
