"""Health checks: whether the process is alive, and whether it can work with the database."""

from __future__ import annotations

from collections.abc import Set
from dataclasses import dataclass
from functools import cache
from http import HTTPStatus
from typing import Any

from flask import Blueprint, current_app
from sqlalchemy import Engine
from sqlalchemy.exc import DBAPIError

from pyapi import database
from pyapi.api.invalidation import INVALIDATION, Invalidation
from pyapi.api.openapi import Stored, describes
from pyapi.api.replica import REPLICA, Replica
from pyapi.api.requests import Reply, call, caller, failure, success
from pyapi.database import READ_ONLY, READ_ONLY_HINT, sqlstate
from pyapi.economy_cache import READER
from pyapi.pool import drop_connections
from pyapi.schema import migrate
from pyapi.schema.files import live_routines

__all__ = ["NEEDS", "Needs", "health"]

health = Blueprint("health", __name__)

# The key of Needs in app.extensions.
NEEDS = "pgreprise.needs"
_CORE = "core"
_DOMAINS = ("reports", "carbon")
# A database without any domain is reported to lack this one.
_DEFAULT = "reports"
_INSUFFICIENT_PRIVILEGE = "42501"
_STATUS = "status, pg_catalog.current_setting('transaction_read_only') = 'on' as is_read_only"
# The follower of the feed looks every few seconds, and a large batch keeps it busy for a while.
_BEHIND_SECONDS = 60
_FEED_POSITION = "feed_position"
_MIGRATE = "Run `pgreprise migrate` with this version of pgreprise."


@dataclass(frozen=True)
class Needs:
    """What the API needs from a database.

    heads: each head revision of the domains, with the known revisions that include it.
    domains: each revision that this version of pgreprise knows, with its domain. A database that has another revision
    is ahead.
    entry_points: the oldest usable version of each routine that callers may use.
    """

    heads: dict[str, Set[str]]
    domains: dict[str, str]
    entry_points: dict[str, int]

    @classmethod
    @cache
    def of_this_version(cls) -> Needs:
        """What the migrations and SQL files of this version of pgreprise install."""
        scripts = migrate.scripts()
        contained = {
            revision.revision: {below.revision for below in scripts.iterate_revisions(revision.revision, "base")}
            for revision in scripts.walk_revisions()
        }
        domains = {name: next(iter(scripts.get_revision(name).branch_labels)) for name in contained}
        heads = [head for head in scripts.get_heads() if domains[head] in (_CORE, *_DOMAINS)]
        return cls(
            heads={head: {above for above, below in contained.items() if head in below} for head in heads},
            domains=domains,
            # Sorted by version, so the newest one stays.
            entry_points={
                file.name: file.version
                for file in live_routines()
                if file.name.split("/")[0] in (_CORE, *_DOMAINS) and file.routine.startswith("public.")
            },
        )

    def missing_from(self, revisions: Set[str], routines: dict[str, int]) -> list[str]:
        """What a database with these revisions and routine versions lacks, in words; empty when it lacks nothing.

        A domain without anything installed is not needed; its routes answer that it is not installed. A database that
        is ahead is accepted, because in a deployment the migration runs before the new API starts. It is not known
        what an unknown revision includes, so then only the routines are compared.
        """
        is_ahead = not revisions <= self.domains.keys()
        found = {self.domains.get(revision) for revision in revisions} | {name.split("/")[0] for name in routines}
        wanted = {_CORE, *(found.intersection(_DOMAINS) or {_DEFAULT})}
        missing = [
            f"migration {head} is not installed"
            for head, containing in self.heads.items()
            if self.domains[head] in wanted and not is_ahead and revisions.isdisjoint(containing)
        ]
        for name, needed in self.entry_points.items():
            if name.split("/")[0] not in wanted:
                continue
            installed = routines.get(name)
            if installed is None:
                missing.append(f"routine {name} is not installed")
            elif installed < needed:
                missing.append(f"routine {name} has version {installed}, but version {needed} is needed")
        return missing


class Installed(Stored):
    """The migration revisions and routine versions of the database. Warnings do not keep the API from working."""

    revisions: list[str]
    routines: dict[str, int]
    warnings: list[str]


def _warnings(routines: dict[str, int]) -> list[str]:
    """What is wrong with the read replica, the economy cache in Redis and `pgreprise invalidate`."""
    replica: Replica | None = current_app.extensions[REPLICA]
    away = replica.reason if replica is not None else None
    warnings = [] if away is None else [f"PGREPRISE_READ_URL: the replica cannot be used, so the primary reads. {away}"]
    invalidation: Invalidation = current_app.extensions[INVALIDATION]
    if not invalidation.is_configured or f"reports/{_FEED_POSITION}" not in routines:
        return warnings
    warnings += invalidation.warnings()
    [reader] = call(f"public.{_FEED_POSITION}", reader=READER)
    if reader["waiting_since"] is not None and reader["waiting_seconds"] > _BEHIND_SECONDS:
        has = "has never run" if reader["feed_position"] is None else "is behind"
        since = reader["waiting_since"].isoformat(timespec="seconds")
        warnings.append(f"Redis: `pgreprise invalidate` {has}. An act has been waiting for it since {since}.")
    return warnings


def _status(engine: Engine) -> dict[str, Any]:
    """What is installed, and whether anything can be written there: asked of the primary, not of a replica."""
    [row] = database.call(engine, "pgreprise.status", columns=_STATUS, is_reading=True)
    return row


@health.get("/liveness-check")
@describes(None, asks_database=False, is_open=True)
def liveness() -> Reply:
    """200 when the process can answer. The database is not checked."""
    return success("Alive", None)


@health.get("/readiness-check")
@describes(Installed, is_open=True)
def readiness() -> Reply:
    """200 when the API can work with the database, else 503 with the reason. Warnings tell of Redis."""
    needs: Needs = current_app.extensions[NEEDS]
    engine, _ = caller()
    try:
        row = _status(engine)
        if row["is_read_only"] and drop_connections(engine):
            # Perhaps another server of the URL has become the primary.
            row = _status(engine)
    except DBAPIError as error:
        if sqlstate(error) != _INSUFFICIENT_PRIVILEGE:
            raise
        return failure(
            HTTPStatus.SERVICE_UNAVAILABLE,
            "Not ready: this API's database role may not use pgreprise, or pgreprise is not installed.",
            code=_INSUFFICIENT_PRIVILEGE,
            hint=f"{_MIGRATE} Then make the role of this API a member of pgreprise_api.",
        )

    if row["is_read_only"]:
        return failure(
            HTTPStatus.SERVICE_UNAVAILABLE,
            "Not ready: the database is read only.",
            code=READ_ONLY,
            hint=READ_ONLY_HINT,
        )
    status: dict[str, Any] = row["status"]
    if missing := needs.missing_from(set(status["revisions"]), status["routines"]):
        return failure(
            HTTPStatus.SERVICE_UNAVAILABLE,
            f"Not ready: the database is not migrated to this version: {'; '.join(missing)}.",
            hint=_MIGRATE,
        )
    return success("Ready", {**status, "warnings": _warnings(status["routines"])})
