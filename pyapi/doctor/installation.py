"""What the migrations installed: revisions, routines and indexes."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from typing import Any

import psycopg
from alembic.script import ScriptDirectory

from pyapi.doctor.finding import Finding, ask
from pyapi.schema.files import RoutineFile, live_routines, sql_folder, sql_text
from pyapi.schema.migrate import scripts, write_sql

__all__ = [
    "development_version",
    "edited_routines",
    "installed_domains",
    "migrations_behind",
    "migrations_sql",
    "missing_indexes",
    "missing_routines",
]


def _known(directory: ScriptDirectory, revision: str) -> bool:
    return revision in {script.revision for script in directory.walk_revisions()}


def installed_domains(revisions: list[str]) -> set[str]:
    """The domains that these revisions belong to; a revision that this pgreprise does not know is left out."""
    directory = scripts()
    known = [revision for revision in revisions if _known(directory, revision)]
    return {label for revision in known for label in directory.get_revision(revision).branch_labels}


def development_version(database: psycopg.Connection[Any]) -> Iterator[Finding]:
    """A database of a development version from before the first release, which no version can migrate."""
    try:
        database.execute(sql_text("core/refuse_development_version").encode())
    except psycopg.errors.ObjectNotInPrerequisiteState as error:
        diagnostic = error.diag
        yield Finding("migrations", "problem", diagnostic.message_primary or "", diagnostic.message_hint or "")


def migrations_behind(revisions: list[str]) -> Iterator[Finding]:
    """Revisions that the database lacks, or that this pgreprise does not know.

    A domain without any revision in the database is not reported: users install the domains that they need.
    """
    directory = scripts()
    unknown = [revision for revision in revisions if not _known(directory, revision)]
    if unknown:
        yield Finding(
            "migrations",
            "note",
            f"The database is ahead of this pgreprise: it has revision {', '.join(unknown)}.",
            "Upgrade pgreprise on this machine.",
        )
        return
    labels = installed_domains(revisions)
    if labels == {"core"}:
        labels.add("reports")
    behind = (
        [
            script.revision
            for script in directory.iterate_revisions("heads", tuple(revisions))
            if script.branch_labels & labels
        ]
        if revisions
        else ["all"]
    )
    if behind:
        yield Finding(
            "migrations",
            "problem",
            f"The database lacks these migrations: {', '.join(reversed(behind))}.",
            "pgreprise migrate",
        )


def edited_routines(database: psycopg.Connection[Any], *, is_ahead: bool, compare: bool) -> Iterator[Finding]:
    """Routines that differ from their files: they were edited, overloaded or dropped by hand, or have another version.

    ``is_ahead``: the database has revisions that this pgreprise does not know. Without ``compare`` nothing is installed
    to compare it, and only what is missing or overloaded is found, as on a standby.
    """
    files = {file.name: file for file in live_routines()}
    for row in ask(database, "registered_routines"):
        file = files.get(row["name"])
        if (file is None and is_ahead) or (file is not None and row["version"] > file.version):
            yield Finding(
                "routines",
                "note",
                f"{row['routine']} has version {row['version']}. This pgreprise does not have that version, "
                "so the routine was not compared.",
                "Upgrade pgreprise on this machine.",
            )
        elif file is None:
            yield Finding(
                "routines",
                "problem",
                f"{row['routine']} is installed, and this pgreprise has it no longer.",
                "pgreprise migrate",
            )
        elif row["version"] < file.version:
            yield Finding(
                "routines",
                "problem",
                f"{row['routine']} has version {row['version']}, and this pgreprise has version {file.version}.",
                "pgreprise migrate",
            )
        elif file.checksum != row["checksum"]:
            yield Finding(
                "routines",
                "problem",
                f"{row['routine']} version {row['version']} was installed from a text that differs from "
                f"{file.path.name}.",
                "Run pgreprise migrate. It installs the text of the file, or says how to restore a released file.",
            )
        else:
            yield from _compare(database, file, compare=compare)


def missing_routines(database: psycopg.Connection[Any], domains: set[str]) -> Iterator[Finding]:
    """Routines of domains with every revision that no migration has installed: their files are newer."""
    registered = {row["name"] for row in ask(database, "registered_routines")}
    for file in live_routines():
        if file.domain in domains and file.name not in registered:
            yield Finding("routines", "problem", f"{file.routine} is not installed.", "pgreprise migrate")


def _compare(database: psycopg.Connection[Any], file: RoutineFile, *, compare: bool) -> Iterator[Finding]:
    """Install the file in a transaction that is rolled back, and compare the definitions before and after."""
    path = f"sql/{file.path.relative_to(sql_folder()).as_posix()}"
    # A `security definer` routine must not belong to the person who restores it, and not everybody may call it.
    restored = (
        f"pgreprise psql -f {path}, then: alter routine {file.routine} owner to pgreprise_owner; "
        f"revoke execute on routine {file.routine} from public"
    )

    def definitions() -> list[str] | None:
        [row] = ask(database, "routine_definitions", {"routine": file.routine})
        found: list[str] | None = row["definitions"]
        return found

    before = definitions()
    if before is None:
        yield Finding("routines", "problem", f"{file.routine} is missing.", restored)
        return
    overloads: list[dict[str, Any]] = []
    after: list[str] | None = before
    if compare:
        try:
            with database.transaction(force_rollback=True):
                database.execute("set local lock_timeout = '5s'")
                database.execute(file.sql.encode())
                after = definitions()
                found = ask(database, "routine_signatures", {"routine": file.routine})
                overloads = [row for row in found if not row["is_of_file"]]
        except psycopg.errors.InsufficientPrivilege:
            yield Finding(
                "routines",
                "note",
                f"{file.routine} could not be compared with its file: {database.info.user} may not replace it.",
                "Run the doctor as the role that migrates (PGREPRISE_MIGRATION_URL).",
            )
            return
        except psycopg.errors.LockNotAvailable:
            yield Finding(
                "routines",
                "note",
                f"{file.routine} could not be compared with its file: somebody else holds a lock on it.",
                "Run the doctor again.",
            )
            return
        except psycopg.errors.ProgrammingError:
            # PostgreSQL refuses to replace a routine whose arguments or result were changed.
            after = None
    if after == before and len(before) > 1:
        yield Finding(
            "routines",
            "problem",
            f"{file.routine} has an overload that was made by hand.",
            " ".join(f"drop {row['kind']} {row['signature']};" for row in overloads)
            or f"\\df {file.routine} shows both. Drop the one that {path} does not create.",
        )
    elif (after is not None and len(after) > len(before)) or after is None:
        # Its arguments, its result or its kind are others, so that the file cannot replace it.
        if overloads:
            dropped = " ".join(f"drop {row['kind']} {row['signature']};" for row in overloads)
        else:
            dropped = f"drop routine {file.routine};"
        yield Finding(
            "routines",
            "problem",
            f"{file.routine} was edited by hand.",
            f"Review the change. To undo it: {dropped} then {restored}",
        )
    elif after != before:
        yield Finding(
            "routines",
            "problem",
            f"{file.routine} was edited by hand.",
            f"Review the change. To undo it: pgreprise psql -f {path}. To keep it, write it into that file; "
            f"when the file is released, run pgreprise routine new {file.name} first.",
        )


# --- indexes ---------------------------------------------------------------------------------

_CREATE_INDEX = re.compile(
    r"^(?P<statement>create (?:unique )?index (?:concurrently )?(?:if not exists )?(?P<name>\w+)\s+"
    r"on (?P<table>\w+\.\w+)[^;]*;)",
    re.MULTILINE,
)
_DROP_INDEX = re.compile(r"^drop index (?:concurrently )?(?:if exists )?(?:\w+\.)?(?P<name>\w+);", re.MULTILINE)
# Only our own tables: the keys of an adopted table have other names.
_OWN_TABLE = re.compile(
    r"^create table (?P<table>pgreprise\.\w+) \((?P<body>.*?)^\)(?:\s+with \([^)]*\))?;", re.MULTILINE | re.DOTALL
)
_ADDED_KEY = re.compile(r"^alter table (?P<table>pgreprise\.\w+)\s+add (?P<body>constraint [^;]*);", re.MULTILINE)
_KEY = re.compile(r"constraint (?P<name>\w+) (?P<definition>(?:primary key|unique) \([^)]*\))")


def migrations_sql(revisions: list[str]) -> str:
    """The SQL of the migrations up to these revisions. What must be is read from it; there is no second list."""
    sql = io.StringIO()
    done: set[str] = set()
    for revision in revisions:
        # What two domains depend on is written with each of them.
        part = io.StringIO()
        write_sql(part, revision)
        for step in re.split(r"(?m)^(?=-- Running upgrade )", part.getvalue()):
            title = step.splitlines()[0] if step else ""
            if title not in done:
                done.add(title)
                sql.write(step)
    return sql.getvalue()


def _wanted_indexes(text: str) -> dict[str, tuple[str, str]]:
    """The indexes that the migrations made, by name: the table and the statement that makes it."""
    wanted = {found["name"]: (found["table"], found["statement"]) for found in _CREATE_INDEX.finditer(text)}
    for pattern in (_OWN_TABLE, _ADDED_KEY):
        for table in pattern.finditer(text):
            for key in _KEY.finditer(table["body"]):
                statement = f"alter table {table['table']} add constraint {key['name']} {key['definition']};"
                wanted[key["name"]] = (table["table"], statement)
    for dropped in _DROP_INDEX.finditer(text):
        wanted.pop(dropped["name"], None)
    return wanted


def missing_indexes(database: psycopg.Connection[Any], sql: str) -> Iterator[Finding]:
    """Indexes and keys of ours, of the migrations' text ``sql``, that are missing, or invalid as their build failed."""
    existing = {(row["full_table_name"], row["name"]): row["is_valid"] for row in ask(database, "existing_indexes")}
    for name, (table, statement) in _wanted_indexes(sql).items():
        is_valid = existing.get((table, name))
        if is_valid is None:
            yield Finding("indexes", "problem", f"Index {name} on {table} is missing.", " ".join(statement.split()))
        elif not is_valid:
            yield Finding(
                "indexes",
                "problem",
                f"Index {name} on {table} is invalid. This is normal only while the index is being built.",
                f"reindex index concurrently {table.split('.')[0]}.{name};",
            )
