"""The doctor: what is wrong with an installation, and the remedy for each finding."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

import psycopg
from alembic.script import ScriptDirectory
from sqlalchemy import Engine

from pyapi.database import call
from pyapi.migrate import scripts
from pyapi.routines import RoutineFile, routine_files, sql_folder

__all__ = ["Finding", "examine"]

# Every routine of one name, so that an overload made by hand shows too.
_DEFINITIONS = """
select array_agg(pg_get_functiondef(procedure.oid) order by procedure.oid::regprocedure::text)
  from pg_catalog.pg_proc as procedure
  join pg_catalog.pg_namespace as namespace on namespace.oid = procedure.pronamespace
 where namespace.nspname || '.' || procedure.proname = %s
"""


@dataclass(frozen=True)
class Finding:
    """One thing that the doctor found: a ``problem`` is to be mended, a ``note`` only to be known."""

    check: str
    severity: Literal["problem", "note"]
    message: str
    remedy: str


def examine(engine: Engine) -> list[Finding]:
    """Look at everything, change nothing.

    The engine should connect as the role that migrates; another one cannot compare routines.
    Raises sqlalchemy.exc.DBAPIError when the database is away or pgreprise is not installed in it.
    """
    [status] = call(engine, "pgreprise.status", columns="status")
    return [
        *_migrations_behind(status["status"]["revisions"]),
        *_edited_routines(engine),
        *_missing_versions(engine),
        *_mismatched_caches(engine),
        *_defects(engine),
    ]


def _known(directory: ScriptDirectory, revision: str) -> bool:
    return revision in {script.revision for script in directory.walk_revisions()}


def _migrations_behind(revisions: list[str]) -> Iterator[Finding]:
    directory = scripts()
    unknown = [revision for revision in revisions if not _known(directory, revision)]
    if unknown:
        yield Finding(
            "migrations",
            "note",
            f"The database is ahead of this pgreprise: it knows revision {', '.join(unknown)}.",
            "Upgrade pgreprise here.",
        )
        return
    behind = (
        [script.revision for script in directory.iterate_revisions("heads", tuple(revisions))] if revisions else ["all"]
    )
    if behind:
        yield Finding(
            "migrations",
            "problem",
            f"Migrations are behind; missing: {', '.join(reversed(behind))}.",
            "pgreprise migrate",
        )


def _edited_routines(engine: Engine) -> Iterator[Finding]:
    files = {(file.name, file.version): file for file in routine_files()}
    connection: Any = engine.raw_connection()
    try:
        database: psycopg.Connection[Any] = connection.driver_connection
        registered = database.execute(
            "select name, version, routine, checksum from pgreprise.routine_version order by name"
        ).fetchall()
        for name, version, routine, checksum in registered:
            file = files.get((name, version))
            if file is None:
                yield Finding(
                    "routines",
                    "note",
                    f"{routine} is version {version}, which this pgreprise does not have, so it was not compared.",
                    "Upgrade pgreprise here.",
                )
            elif file.checksum != checksum:
                yield Finding(
                    "routines",
                    "problem",
                    f"{routine} version {version} was installed from another text than {file.path.name} holds.",
                    "Restore the released file (sql/CHECKSUMS), or add a version: pgreprise routine new.",
                )
            else:
                yield from _compare(database, file)
    finally:
        connection.close()


def _compare(database: psycopg.Connection[Any], file: RoutineFile) -> Iterator[Finding]:
    """Install the file in a transaction that is rolled back, and compare what PostgreSQL made of it."""
    path = f"sql/{file.path.relative_to(sql_folder()).as_posix()}"
    remedy = (
        f"Review the change, keep it as a new version (pgreprise routine new {file.name}) or undo it: psql -f {path}"
    )

    def definitions() -> list[str] | None:
        row = database.execute(_DEFINITIONS, (file.routine,)).fetchone()
        return row[0] if row else None

    standing = definitions()
    if standing is None:
        yield Finding(
            "routines",
            "problem",
            f"{file.routine} is missing.",
            # A definer's routine must neither belong to whoever puts it back nor be open to everybody.
            f"psql -f {path}, then: alter routine {file.routine} owner to pgreprise_owner; "
            f"revoke execute on routine {file.routine} from public",
        )
        return
    try:
        with database.transaction(force_rollback=True):
            database.execute("set local lock_timeout = '5s'")
            database.execute(file.sql.encode())
            installed = definitions()
    except psycopg.errors.InsufficientPrivilege:
        yield Finding(
            "routines",
            "note",
            f"{file.routine} could not be compared with its file: {database.info.user} may not replace it.",
            "Run the doctor as the role that migrates (PGREPRISE_MIGRATION_URL).",
        )
        return
    except psycopg.errors.ProgrammingError:
        # PostgreSQL refuses to replace a routine whose arguments or result were changed.
        installed = None
    if len(standing) > 1:
        yield Finding(
            "routines",
            "problem",
            f"{file.routine} has an overload that was made by hand.",
            f"\\df {file.routine} shows them; drop the one that {path} does not create.",
        )
    if installed != standing:
        yield Finding("routines", "problem", f"{file.routine} was edited by hand.", remedy)


def _missing_versions(engine: Engine) -> Iterator[Finding]:
    countries = call(engine, "public.cache_versions")
    used = {row["country_id"] for row in countries if any((row["economy_impact"], row["report_output"]))}
    for row in countries:
        missing = [name for name in ("economy_impact", "report_output", "package") if row[name] is None]
        if missing:
            yield Finding(
                "cache versions",
                # A country that was never set up is probably not used.
                "problem" if row["country_id"] in used else "note",
                f"Country {row['country_id']} has no current version for {', '.join(missing)}.",
                f"pgreprise cache-version set {row['country_id']} "
                + " ".join(f"--{name.replace('_', '-')} VERSION" for name in missing),
            )


def _mismatched_caches(engine: Engine) -> Iterator[Finding]:
    for row in call(engine, "public.mismatched_cache_versions"):
        rows = f"{row['cache_rows']} cache rows of {row['country_id']} have version {row['api_version']}"
        if row["newer_than_current"]:
            yield Finding(
                "cache rows",
                "problem",
                f"{rows}, newer than every row of the current version {row['current_version']}: "
                "reruns of their reports delete nothing.",
                "Probably a deployment forgot it: "
                f"pgreprise cache-version set {row['country_id']} --economy-impact {row['api_version']}",
            )
        else:
            yield Finding(
                "cache rows",
                "note",
                f"{rows} instead of {row['current_version']} and match a report otherwise; a rerun keeps them.",
                "Nothing to do when they are left from earlier deployments.",
            )


def _defects(engine: Engine) -> Iterator[Finding]:
    counts = Counter(row["errcode"] for row in call(engine, "public.report_defects"))
    for code, count in sorted(counts.items()):
        yield Finding(
            "reports",
            "problem",
            f"{count} report{'s' if count > 1 else ''} cannot be rerun ({code}).",
            "pgreprise defects lists them; docs/errors.md has the remedy for each code.",
        )
