"""The application's tables, as the routines need them: that they exist, with their columns, rights, rows and keys."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

import psycopg

from pyapi.doctor.finding import Finding, ask, rights_finding
from pyapi.schema.files import shown, sql_files, sql_text

__all__ = ["missing_tables", "unfit_tables"]

# The files that say which tables these are. No database has to have those of the second kind.
_WANTED = {"reports": "reports/wanted_tables", "carbon": "carbon/wanted_tables"}
_OPTIONAL = {"reports": "reports/wanted_run_tables"}
# `core/check_tables` decides what fits. These are its lines, and the statement that puts each right.
_REMEDIES: list[tuple[str, Callable[[re.Match[str]], str]]] = [
    (
        r"column (?P<column>\S+) is missing \((?P<type>.*)\)",
        lambda of: f"alter table {of['table']} add column {of['column']} {of['type']};",
    ),
    (
        r"column (?P<column>\S+) is .*; usable: (?:.*, )?(?P<type>(?!of length)[^,]+?)(?:, of length .*)?",
        lambda of: (
            f"alter table {of['table']} alter column {of['column']} type {of['type']} "
            f"using {of['column']}::{of['type']};"
        ),
    ),
    (
        r"column (?P<column>\S+) may be null .*",
        lambda of: f"alter table {of['table']} alter column {of['column']} set not null;",
    ),
    (
        r"column (?P<column>\S+) must be given for a new row and has no default",
        lambda of: f"alter table {of['table']} alter column {of['column']} drop not null;",
    ),
    (
        r"no unique index has exactly the columns \((?P<columns>.*)\): .*",
        lambda of: f"alter table {of['table']} add unique ({of['columns']});",
    ),
    (r"type lacks the value (?P<label>.*)", lambda of: f"alter type {of['table']} add value '{of['label']}';"),
]
_HIDDEN_ROWS = "has row level security"


def missing_tables(database: psycopg.Connection[Any], domain: str) -> Iterator[Finding]:
    """Tables that the application, or a migration, made and somebody dropped."""
    with _wanted(database, _WANTED[domain]) as tables:
        missing = [row["name"] for row in tables if not row["exists"]]
    for name in missing:
        yield Finding(
            "tables",
            "problem",
            f"Table public.{name} does not exist. The routines work on it.",
            "Restore it from a backup. To begin with an empty one: "
            f"pgreprise psql -f {shown(sql_files()[f'{domain}/{name}'])}",
        )


def unfit_tables(database: psycopg.Connection[Any], domain: str) -> Iterator[Finding]:
    """Columns and keys that the routines need and that changed, rows that are hidden, missing rights, publications."""
    for wanted in (names[domain] for names in (_WANTED, _OPTIONAL) if domain in names):
        yield from _misfits(database, wanted)
        with _wanted(database, wanted):
            rights = ask(database, "host_rights")
            hidden = ask(database, "row_security")
            published = ask(database, "published_tables")
            refused = [(row, error) for row in published if (error := _refusal(database, row))]
        yield from (rights_finding(row) for row in rights)
        ours = wanted in _WANTED.values()
        for row in hidden:
            # Our own tables are asked about with each list, and told once.
            if ours or not row["is_ours"]:
                yield _hides_rows(row)
        for row, error in refused:
            if ours or not row["table_name"].startswith("pgreprise."):
                yield _refuses(row, error)


class _wanted:
    """The tables of a list, in a transaction that is rolled back, so that its setting stays in no session."""

    def __init__(self, database: psycopg.Connection[Any], wanted: str) -> None:
        self._database, self._wanted = database, wanted
        self._transaction = database.transaction(force_rollback=True)

    def __enter__(self) -> list[dict[str, Any]]:
        self._transaction.__enter__()
        self._database.execute("set local lock_timeout = '5s'")
        self._database.execute(sql_text(self._wanted).encode())
        return ask(self._database, "host_tables")

    def __exit__(self, *error: Any) -> bool | None:
        return self._transaction.__exit__(*error)


def _misfits(database: psycopg.Connection[Any], wanted: str) -> Iterator[Finding]:
    """What keeps a domain from working on a table, by the check that a migration makes."""
    lines: list[str] = []
    with _wanted(database, wanted) as tables:
        keys = {(f"public.{row['name']}", row["key"]) for row in tables}
        ask(database, "without_reserved")
        try:
            with database.transaction(force_rollback=True):
                # The check writes its names without a schema, as it does in a migration.
                database.execute("set local search_path = pg_catalog, pg_temp")
                database.execute(sql_text("core/check_tables").encode())
        except psycopg.errors.ObjectNotInPrerequisiteState as error:
            lines = (error.diag.message_detail or "").splitlines()
    for line in lines:
        if _HIDDEN_ROWS not in line:
            yield Finding("tables", "problem", f"The routines cannot work on {line}.", _put_right(line, keys))


def _put_right(line: str, keys: set[tuple[str, str]]) -> str:
    for pattern, statement in _REMEDIES:
        found = re.fullmatch(rf"(?P<table>[\w.\"]+): {pattern}", line)
        if found:
            lost = "Restore its values from a backup after: " if "is missing" in line else ""
            remedy = statement(found)
            if (found["table"], found.groupdict().get("column")) in keys:
                # Its values are counted, not given.
                remedy = remedy.replace(" bigint;", " bigint generated by default as identity;").replace(
                    "drop not null;", "add generated by default as identity;"
                )
            return lost + remedy
    return "Change the table so, or tell its application to."


def _hides_rows(row: dict[str, Any]) -> Finding:
    table = row["table_name"]
    if row["is_ours"] or row["is_restricted"] or row["has_policy"]:
        remedy = f"alter table {table} disable row level security;"
    else:
        remedy = f"create policy pgreprise_owner on {table} to pgreprise_owner using (true) with check (true);"
    return Finding(
        "tables",
        "problem",
        f"Row-level security of {table} hides rows from pgreprise_owner: routines do not find them, and say nothing.",
        remedy,
    )


def _refusal(database: psycopg.Connection[Any], row: dict[str, Any]) -> str | None:
    """What PostgreSQL says to an update or a deletion, which is only explained."""
    for statement in row["trials"]:
        try:
            with database.transaction(force_rollback=True):
                database.execute(statement.encode())
        except (psycopg.errors.ObjectNotInPrerequisiteState, psycopg.errors.InvalidColumnReference) as error:
            return error.diag.message_detail or error.diag.message_primary or ""
    return None


def _refuses(row: dict[str, Any], error: str) -> Finding:
    table, identity, best = row["table_name"], row["replica_identity"], row["best_identity"]
    publications = ", ".join(row["publications"])
    if (identity == "d" and best == "default") or identity == "f":
        # The identity is there, and a publication leaves out a part of it.
        remedy = " ".join(
            f"alter publication {name} drop table {table}; alter publication {name} add table {table};"
            for name in row["publications"]
        )
    else:
        remedy = f"alter table {table} replica identity {best};"
    return Finding(
        "publications",
        "problem",
        f"Reruns are refused on {table}, because of what publication {publications} publishes: {error.rstrip('.')}.",
        remedy,
    )
