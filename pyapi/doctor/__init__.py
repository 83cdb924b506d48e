"""The doctor finds what is wrong with an installation, and gives the remedy for each finding.

Each module checks one subject: what the migrations installed, our tables, the application's tables, the rights, what is
in the tables of the reports, the batches and archives that reruns left, and the figures of carbon reports.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import Any, Literal

import psycopg
from sqlalchemy import Engine
from sqlalchemy.exc import DBAPIError

from pyapi.database import call, sqlstate
from pyapi.doctor import (
    carbon,
    claims,
    economy_cache,
    history,
    host,
    installation,
    privileges,
    reports,
    router,
    shards,
    tables,
)
from pyapi.doctor.finding import UNCHECKED, Finding, ask
from pyapi.schema.migrate import NOT_INSTALLED

__all__ = ["Finding", "examine"]

_AS_MIGRATOR = "Run the doctor as the role that migrates (PGREPRISE_MIGRATION_URL)."
_NOT_COMPARED = Finding(
    "database",
    "note",
    f"{UNCHECKED}: whether the routines and tables of pgreprise are as their files say, and whether the "
    "next migration may do its work. Only the role that migrates can find that out.",
    _AS_MIGRATOR,
)


def examine(engine: Engine, *, migrates: bool = True) -> list[Finding]:
    """Check everything and change nothing.

    The engine should connect as the role that migrates, because another role cannot compare routines. With another
    role, and where nobody ``migrates`` over this engine, that is not tried, and a note says so; of rights that only a
    migration needs nothing is said. On a standby, and in a database that is read only, what would have to be installed
    to be compared is left out, and one note says so.
    Raises sqlalchemy.exc.DBAPIError when the database cannot be reached or pgreprise is not installed in it.
    """
    connection: Any = engine.raw_connection()
    try:
        database: psycopg.Connection[Any] = connection.driver_connection
        if router.is_router(database):
            return list(_of_router(engine, database))
        revisions, registered = _installed(engine, database)
        if findings := [*installation.development_version(database)]:
            # Nothing else would say anything about it.
            return findings
        findings = [*installation.migrations_behind(revisions)]
        is_ahead = any(finding.severity == "note" for finding in findings)
        check = _Check(database, is_behind=bool(findings) and not is_ahead)
        # A domain may have revisions without routines (installed halfway), or routines whose revisions are unknown
        # here (installed by a newer pgreprise).
        domains = installation.installed_domains(revisions) | {name.split("/")[0] for name in registered}
        [state] = ask(database, "database_state")
        migrates = migrates and state["may_migrate"]
        compare = migrates and not state["is_read_only"]
        if state["is_read_only"]:
            findings.append(_read_only(is_standby=state["is_standby"]))
        elif not migrates:
            findings.append(_NOT_COMPARED)
        findings += check(
            "routines", lambda: installation.edited_routines(database, is_ahead=is_ahead, compare=compare)
        )
        if not findings or not (is_ahead or check.is_behind):
            findings += check("routines", lambda: installation.missing_routines(database, domains | {"core"}))
        # Only the texts that this pgreprise has say what must be.
        sql = "" if is_ahead else installation.migrations_sql(revisions)
        is_whole = not is_ahead and not check.is_behind
        asked = domains & {"reports", "carbon"} or {"reports"}
        examined = sorted(asked & domains)
        for domain in examined:
            missing = [*check("tables", partial(host.missing_tables, database, domain))]
            findings += missing
            if missing:
                # What its rows say cannot be asked, and each question would name the same table again.
                asked.discard(domain)
        if compare:
            findings += check("tables", lambda: tables.altered_tables(database, sql, is_whole=is_whole))
        findings += check("indexes", lambda: installation.missing_indexes(database, sql))
        findings += check("rights", lambda: privileges.wrong_rights(database))
        for domain in examined:
            findings += check("tables", partial(host.unfit_tables, database, domain, migrates=migrates))
        if asked:
            findings += check("sequences", lambda: tables.taken_ids(database))
        if "carbon" in asked:
            findings += check("carbon figures", lambda: carbon.differing_stats(engine))
            findings += check("carbon figures", lambda: carbon.unknown_emission_types(database))
            findings += check("explore reports", lambda: carbon.failing_refreshes(database))
            findings += check("carbon entries", lambda: carbon.unwritten_audit(database))
        if "reports" in asked:
            findings += check("cache versions", lambda: reports.missing_versions(engine))
            findings += check("cache rows", lambda: reports.mismatched_caches(engine))
            findings += check("cache rows", lambda: reports.failed_caches(engine))
            findings += check("reports", lambda: reports.defects(engine))
            findings += check("lost runs", lambda: reports.lost_runs(engine))
            findings += check("runs", lambda: reports.run_tables(engine, database))
            findings += check("runs", lambda: claims.unfinishing(engine))
            findings += check("claims", lambda: claims.stuck_runs(engine))
            findings += check("claims", lambda: claims.refused_claims(database))
            findings += check("claims", lambda: claims.crowded_index(database))
            findings += check("economy cache", lambda: economy_cache.unread_feed(engine, database))
            findings += check("batches", lambda: history.unfinished_batches(engine))
            findings += check("archive", lambda: history.archive(engine))
            if state["is_shard"]:
                findings += check("shard", lambda: shards.problems(database))
        # A table may be asked about for two reasons.
        return list(dict.fromkeys(findings))
    finally:
        connection.close()


def _of_router(engine: Engine, database: psycopg.Connection[Any]) -> Iterator[Finding]:
    """What the servers have in common, and what their entry points tell. Each server has a doctor of its own."""
    check = _Check(database, is_behind=False)
    yield from check("servers", lambda: router.servers(database))
    yield from check("cache versions", lambda: reports.missing_versions(engine))
    yield from check("cache rows", lambda: reports.mismatched_caches(engine))
    yield from check("cache rows", lambda: reports.failed_caches(engine))
    yield from check("reports", lambda: reports.defects(engine))
    yield from check("lost runs", lambda: reports.lost_runs(engine))
    yield from check("claims", lambda: claims.stuck_runs(engine))
    yield from check("batches", lambda: history.unfinished_batches(engine))
    yield from check("archive", lambda: history.archive(engine))


def _installed(engine: Engine, database: psycopg.Connection[Any]) -> tuple[list[str], set[str]]:
    """The revisions and the names of the routines that the database has."""
    try:
        # The tables tell it even if somebody dropped the routine, or row-level security hides their rows from it.
        revisions = [row["revision"] for row in ask(database, "installed_revisions")]
        return revisions, {row["name"] for row in ask(database, "registered_routines")}
    except (psycopg.errors.InsufficientPrivilege, psycopg.errors.UndefinedTable):
        # A caller may ask the routine only. Where pgreprise is not installed, this raises the error that tells it.
        [status] = call(engine, "pgreprise.status", columns="status")
        return status["status"]["revisions"], set(status["status"]["routines"])


def _read_only(*, is_standby: bool) -> Finding:
    what = "a standby" if is_standby else "read only"
    return Finding(
        "database",
        "note",
        f"The database is {what}, so the routines and the tables of pgreprise could not be compared with their files.",
        "Run the doctor on the primary."
        if is_standby
        else "Run the doctor where default_transaction_read_only is off.",
    )


class _Check:
    """Runs a check. When it fails, that is a finding, and the other checks still run."""

    def __init__(self, database: psycopg.Connection[Any], *, is_behind: bool) -> None:
        self._database = database
        self.is_behind = is_behind

    def __call__(self, name: str, check: Callable[[], Iterable[Finding]]) -> Iterator[Finding]:
        try:
            yield from check()
        except (DBAPIError, psycopg.Error) as error:
            code = error.sqlstate if isinstance(error, psycopg.Error) else sqlstate(error)
            if code is None or code[:2] in ("08", "57") or self._database.closed:
                # The connection is lost, or somebody ended the query.
                raise
            reason = str(error.orig if isinstance(error, DBAPIError) else error).splitlines()[0]
            severity: Literal["problem", "note"] = "note"
            if code == "42501":
                remedy = _AS_MIGRATOR
            elif code == "55P03":
                remedy = "Somebody else holds a lock. Run the doctor again."
            elif code == "25006":
                remedy = "Run the doctor where the database may be written to."
            else:
                severity = "problem"
                is_behind = code in NOT_INSTALLED and self.is_behind
                remedy = (
                    "pgreprise migrate" if is_behind else "Solve the other problems first. Then run the doctor again."
                )
            yield Finding(name, severity, f"{UNCHECKED}: {reason}.", remedy)
