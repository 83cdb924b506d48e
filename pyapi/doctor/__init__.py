"""The doctor finds what is wrong with an installation, and gives the remedy for each finding.

Each module checks one subject: what the migrations installed, the rights, the tables of the reports, the batches and
archives that reruns left, and the figures of carbon reports.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import psycopg
from sqlalchemy import Engine
from sqlalchemy.exc import DBAPIError

from pyapi.database import call, sqlstate
from pyapi.doctor import carbon, economy_cache, history, installation, privileges, reports
from pyapi.doctor.finding import Finding
from pyapi.schema.migrate import NOT_INSTALLED

__all__ = ["Finding", "examine"]


def examine(engine: Engine) -> list[Finding]:
    """Check everything and change nothing.

    The engine should connect as the role that migrates, because another role cannot compare routines.
    Raises sqlalchemy.exc.DBAPIError when the database cannot be reached or pgreprise is not installed in it.
    """
    [status] = call(engine, "pgreprise.status", columns="status")
    revisions: list[str] = status["status"]["revisions"]
    connection: Any = engine.raw_connection()
    try:
        database: psycopg.Connection[Any] = connection.driver_connection
        if findings := [*installation.development_version(database)]:
            # Nothing else would say anything about it.
            return findings
        findings = [
            *installation.migrations_behind(revisions),
            *_run("routines", lambda: installation.edited_routines(database)),
            *_run("indexes", lambda: installation.missing_indexes(database, revisions)),
            *_run("rights", lambda: privileges.wrong_rights(database)),
        ]
        # A domain may have revisions without routines (installed halfway), or routines whose revisions are unknown
        # here (installed by a newer pgreprise).
        domains = installation.installed_domains(revisions) | {
            name.split("/")[0] for name in status["status"]["routines"]
        }
        if "carbon" in domains:
            findings += [
                *_run("carbon figures", lambda: carbon.differing_stats(engine)),
                *_run("carbon figures", lambda: carbon.unknown_emission_types(database)),
                *_run("explore reports", lambda: carbon.failing_refreshes(database)),
                *_run("carbon entries", lambda: carbon.unwritten_audit(database)),
            ]
            if "reports" not in domains:
                return findings
        return [
            *findings,
            *_run("cache versions", lambda: reports.missing_versions(engine)),
            *_run("cache rows", lambda: reports.mismatched_caches(engine)),
            *_run("cache rows", lambda: reports.failed_caches(engine)),
            *_run("reports", lambda: reports.defects(engine)),
            *_run("lost runs", lambda: reports.lost_runs(engine)),
            *_run("runs", lambda: reports.run_tables(engine, database)),
            *_run("economy cache", lambda: economy_cache.unread_feed(engine, database)),
            *_run("batches", lambda: history.unfinished_batches(engine)),
            *_run("archive", lambda: history.archive(engine)),
        ]
    finally:
        connection.close()


def _run(name: str, check: Callable[[], Iterable[Finding]]) -> Iterator[Finding]:
    """Run a check. When it lacks a routine or a right, that is a finding, and the other checks still run."""
    try:
        yield from check()
    except (DBAPIError, psycopg.Error) as error:
        code = error.sqlstate if isinstance(error, psycopg.Error) else sqlstate(error)
        reason = str(error.orig if isinstance(error, DBAPIError) else error).splitlines()[0]
        if code in NOT_INSTALLED:
            yield Finding(name, "problem", f"This could not be checked: {reason}.", "pgreprise migrate")
        elif code == "42501":
            yield Finding(
                name,
                "note",
                f"This could not be checked: {reason}.",
                "Run the doctor as the role that migrates (PGREPRISE_MIGRATION_URL).",
            )
        else:
            raise
