"""The application's tables, as the routines need them: that they exist, with their columns, rights, rows and keys."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg

from pyapi.doctor.finding import Finding, ask, rights_finding
from pyapi.schema.files import shown, sql_files, sql_text

__all__ = ["missing_tables", "unfit_tables"]

# The files that say which tables these are. No database has to have those of the second kind.
_WANTED = {"reports": "reports/wanted_tables", "carbon": "carbon/wanted_tables"}
_OPTIONAL = {"reports": "reports/wanted_run_tables"}
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


def unfit_tables(database: psycopg.Connection[Any], domain: str, *, migrates: bool = True) -> Iterator[Finding]:
    """Columns and keys that the routines need and that changed, rows that are hidden, missing rights, publications.

    What only the next migration needs is left out where this role is not one that migrates (``migrates``): it lacks
    that for good reasons.
    """
    for wanted in (names[domain] for names in (_WANTED, _OPTIONAL) if domain in names):
        yield from _misfits(database, wanted, migrates=migrates)
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


@contextmanager
def _wanted(database: psycopg.Connection[Any], wanted: str) -> Iterator[list[dict[str, Any]]]:
    """The tables of a list, in a transaction that is rolled back, so that its setting stays in no session."""
    with database.transaction(force_rollback=True):
        database.execute("set local lock_timeout = '5s'")
        database.execute(sql_text(wanted).encode())
        yield ask(database, "host_tables")


def _misfits(database: psycopg.Connection[Any], wanted: str, *, migrates: bool) -> Iterator[Finding]:
    """What keeps a domain from working on a table, by the check that a migration makes, with its statements."""
    with _wanted(database, wanted):
        ask(database, "without_reserved")
        # The checks write their names without a schema, as they do in a migration.
        database.execute("set local search_path = pg_catalog, pg_temp")
        for check in ("core/begin_check", "core/check_tables", "core/check_table_rights"):
            database.execute(sql_text(check).encode())
        obstacles = ask(database, "obstacles")
    for row in obstacles:
        problem, remedy = row["problem"], " ".join(row["statements"]) or "Tell its application to change it."
        if _HIDDEN_ROWS in problem:
            # It is asked there whether it hides them from the routines: row_security.
            continue
        if row["is_right"]:
            # Routines need no such right, and the next migration does.
            if migrates:
                yield Finding("rights", "note", f"The next migration would be refused: {problem}.", remedy)
            continue
        if " is missing (" in problem:
            # It comes back empty, so that rows which are there cannot have a value at once.
            remedy = "Restore its values from a backup after: " + remedy.replace(" not null;", ";")
        yield Finding("tables", "problem", f"The routines cannot work on {problem}.", remedy)


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
