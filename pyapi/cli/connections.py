"""What every command needs: the settings, a connection to the database, and what is installed in it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import click
from sqlalchemy import URL, Engine
from sqlalchemy.exc import DBAPIError

from pyapi.database import call, connect_engine, sqlstate
from pyapi.economy_cache import EconomyCache
from pyapi.embedded import VERSIONS, Embedded, embedded, has_cluster
from pyapi.schema.migrate import NOT_INSTALLED
from pyapi.settings import Settings

if TYPE_CHECKING:
    from pyapi.api.auth import Authentication

__all__ = [
    "SettingsError",
    "administrator",
    "administrator_url",
    "authentication_of",
    "domains_of",
    "economy_cache_of",
    "embedded_server",
    "installed_domains",
    "installed_status",
    "is_installed",
    "read_settings",
    "status_of",
]


class SettingsError(click.ClickException):
    """A setting in the environment cannot be used. The message is one line that says which and why."""

    exit_code = 2


def read_settings() -> Settings:
    """Read the settings from the environment. Raises SettingsError for a value that cannot be used."""
    try:
        return Settings.from_environment()
    except ValueError as error:
        raise SettingsError(str(error)) from error


def authentication_of(settings: Settings) -> Authentication | None:
    """How the API checks tokens, None without a key. Raises SettingsError for keys that cannot be used."""
    from pyapi.api.auth import Authentication

    try:
        return Authentication.of(settings)
    except ValueError as error:
        raise SettingsError(str(error)) from error


def economy_cache_of(settings: Settings) -> EconomyCache | None:
    """The application's economy cache in Redis, None where no setting names one. Raises SettingsError."""
    try:
        return EconomyCache.of(settings)
    except ValueError as error:
        raise SettingsError(str(error)) from error


# libpq reads them where a connection string does not say it. They are about another server.
_OF_ANOTHER_SERVER = ("PGHOSTADDR", "PGSERVICE", "PGREQUIREAUTH", "PGCHANNELBINDING", "PGTARGETSESSIONATTRS")


def _no_database(settings: Settings) -> SettingsError:
    """That there is no database: where it was looked for, and what to type."""
    others = [
        version
        for version in VERSIONS
        if version != settings.postgres_version and has_cluster(settings.data_folder, version)
    ]
    found = f"in {settings.data_folder} is no database of PostgreSQL {settings.postgres_version}"
    if others:
        found += f" but one of PostgreSQL {others[0]} (PGREPRISE_POSTGRES_VERSION={others[0]} uses it)"
    return SettingsError(
        f"There is no database: DATABASE_URL is not set, and {found}. Set DATABASE_URL, change to the folder in which "
        "`make run` was typed, or let PGREPRISE_DATA name its data folder. To make a new database here, type "
        "`make run` or `pgreprise migrate`."
    )


@contextmanager
def embedded_server(settings: Settings, *, create: bool = False) -> Iterator[Embedded]:
    """The embedded server in the folder of the settings, with its database.

    Raises SettingsError where there is none and ``create`` does not say to make it.
    """
    if not create and not has_cluster(settings.data_folder, settings.postgres_version):
        raise _no_database(settings)
    for name in _OF_ANOTHER_SERVER:
        os.environ.pop(name, None)
    with embedded(settings.data_folder, settings.postgres_version) as server:
        if create:
            server.create_database()
        elif not server.has_database():
            raise _no_database(settings)
        yield server


@contextmanager
def administrator_url(*, create: bool = False) -> Iterator[tuple[URL, Embedded | None]]:
    """The URL of the database for the role that migrates and administers it, and the embedded server if it is one.

    Only ``create`` makes an embedded server and its database where there is none.
    """
    settings = read_settings()
    if settings.migration_database is not None:
        yield settings.migration_database, None
    else:
        with embedded_server(settings, create=create) as server:
            yield server.url(), server


@contextmanager
def administrator(*, create: bool = False) -> Iterator[Engine]:
    """An engine for the role that administers the database. Its calls may take any time."""
    is_pooled = read_settings().is_pooled
    with administrator_url(create=create) as (url, _):
        engine = connect_engine(url, call_timeout_seconds=0, is_pooled=is_pooled)
        try:
            yield engine
        finally:
            engine.dispose()


def status_of(engine: Engine) -> dict[str, Any]:
    """The revisions and the routine versions that the database has."""
    [row] = call(engine, "pgreprise.status", columns="status")
    status: dict[str, Any] = row["status"]
    return status


def installed_status(engine: Engine) -> dict[str, Any]:
    """As ``status_of``, with nothing in it where pgreprise is not installed."""
    nothing: dict[str, Any] = {"revisions": [], "routines": {}}
    try:
        status = status_of(engine)
    except DBAPIError as error:
        if sqlstate(error) in NOT_INSTALLED:
            return nothing
        raise
    return status if status["revisions"] else nothing


def is_installed(engine: Engine) -> bool:
    """Whether pgreprise is installed in the database."""
    return bool(installed_status(engine)["revisions"])


def domains_of(status: dict[str, Any]) -> set[str]:
    """The domains, of reports and carbon, that have routines in a database with this status."""
    return {name.split("/")[0] for name in status["routines"]} & {"reports", "carbon"}


def installed_domains(engine: Engine) -> set[str]:
    """The domains, of reports and carbon, that have routines in the database."""
    return domains_of(installed_status(engine))
