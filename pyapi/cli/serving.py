"""Commands that start something: everything at once, the API, psql. And tokens for the API."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from functools import partial
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import TYPE_CHECKING, Any

import click
from psycopg.conninfo import make_conninfo
from sqlalchemy import URL, Engine
from sqlalchemy.exc import DBAPIError

from pyapi.api.address import Address, is_loopback
from pyapi.cli.carbon import unit_to_try
from pyapi.cli.connections import (
    SettingsError,
    administrator_url,
    authentication_of,
    economy_cache_of,
    embedded_server,
    installed_domains,
    is_installed,
    read_settings,
)
from pyapi.cli.installation import load_sample_where_empty
from pyapi.cli.options import LIFETIME
from pyapi.cli.output import echo
from pyapi.database import call, connect_engine
from pyapi.embedded import API_LOGIN, Embedded
from pyapi.schema import migrate
from pyapi.settings import Settings

if TYPE_CHECKING:
    from flask import Flask

    from pyapi.api.auth import Authentication

__all__ = ["COMMANDS"]

# The parameters of libpq that nobody may see.
_SECRETS = ("password", "sslpassword")


def _without_secrets(database: URL) -> str:
    """The URL for psql between single quotes in a shell, without a password: psql asks for it."""
    plain = database.set(drivername="postgresql")._replace(password=None)
    address, mark, query = plain.difference_update_query(_SECRETS).render_as_string().partition("?")
    # SQLAlchemy writes a space as a plus there, which libpq takes as it is.
    return (address + mark + query.replace("+", "%20")).replace("'", "%27")


def _announcement(
    database: URL, server: Embedded | None, address_url: str, engine: Engine, *, wants_token: bool, has_console: bool
) -> str:
    """Text that says where the API and the database are, and shows a command to try."""
    psql = shutil.which("psql") or (str(server.programs / "psql") if server else "psql")
    plain = _without_secrets(database)
    examples = call(engine, "public.example_reports")
    header = "-H 'Authorization: Bearer TOKEN' " if wants_token else ""
    command = ".venv/bin/pgreprise" if Path(".venv/bin/pgreprise").exists() else "pgreprise"
    lines = [
        "",
        "pgreprise is ready. Ctrl-C stops it.",
        "",
        f"  API      {address_url}",
        *([f"  console  {address_url}/console"] if has_console else []),
        f"  psql     {psql} '{plain}'",
        f"           or: {command} psql",
    ]
    for row in examples:
        kind = "economy" if row["report_type"] == "geography" else row["report_type"]
        lines.append(f"  report #{row['report_id']} of {row['country_id']}, {kind}")
    for row in examples[:1]:
        lines += [
            "",
            "Rerun one:",
            f"  curl -X POST {header}{address_url}/{row['country_id']}/report/{row['report_id']}/rerun",
            f"  psql> call rerun_report({row['report_id']});",
            "",
            "Compute what is pending:",
            f"  {command} work --command examples/compute",
        ]
    return "\n".join(lines) + "\n"


def _has_console(settings: Settings, address: Address) -> bool:
    return is_loopback(address.host) if settings.console is None else settings.console


def _console(
    settings: Settings, address: Address, authentication: Authentication | None
) -> Callable[[Flask], None] | None:
    """What registers the console, None where it is off."""
    from pyapi.console import SignIn, register_console

    if not _has_console(settings, address):
        return None
    sign_in = SignIn(authentication, settings.console_user_header, settings.console_claims, settings.console_proxies)
    return partial(register_console, sign_in=sign_in)


@click.command()
@click.option("--port", type=click.IntRange(1, 65535), default=8000, envvar="PORT", show_default=True)
def up(port: int) -> None:
    """Start the database and the API to try things out. The first time, migrate and load sample data."""
    # Imported here because the other commands start faster without the web server.
    from pyapi.api.server import serve

    settings = read_settings()
    authentication = authentication_of(settings)
    economy_cache = economy_cache_of(settings)
    address = Address(port=port)
    address.require_free()
    with administrator_url(create=True) as (administrator, server):
        engine = connect_engine(administrator, call_timeout_seconds=0, is_pooled=settings.is_pooled)
        before = installed_domains(engine)
        migrate.upgrade(engine)
        if server is not None:
            server.create_api_login()
        for domain in sorted(installed_domains(engine) - before):
            load_sample_where_empty(engine, domain)
        api = server.url(user=API_LOGIN) if server is not None else settings.database or administrator
        _require_no_router(settings, api)
        api_url = address.url + settings.prefix
        text = _announcement(
            administrator,
            server,
            api_url,
            engine,
            wants_token=authentication is not None,
            has_console=_has_console(settings, address),
        )
        text += unit_to_try(engine, api_url, settings)
        engine.dispose()
        serve(
            api,
            address,
            authentication,
            settings,
            economy_cache=economy_cache,
            console=_console(settings, address, authentication),
            when_ready=lambda: echo(text),
        )


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="The address to listen on.")
@click.option("--port", type=click.IntRange(1, 65535), default=8000, envvar="PORT", show_default=True)
@click.option("--workers", type=click.IntRange(1, 64), default=2, show_default=True, help="Processes.")
@click.option(
    "--connections",
    type=click.IntRange(1, 64),
    default=8,
    show_default=True,
    help="Database connections of each process. Requests wait for one.",
)
@click.option(
    "--clients",
    type=click.IntRange(1, 10_000),
    default=1000,
    show_default=True,
    help="Client connections of each process. More clients wait.",
)
def serve(host: str, port: int, workers: int, connections: int, clients: int) -> None:
    """Serve the API. After SIGTERM, current requests are finished first.

    The API connects to DATABASE_URL. Its role needs to be a member of pgreprise_api and nothing more.
    With PGREPRISE_JWT_SECRET or PGREPRISE_JWT_JWKS every request needs a token. Without a key the API
    listens only on an address that no other machine can reach, such as 127.0.0.1. With PGREPRISE_REDIS_URL
    the application's economy cache in Redis forgets what reruns empty.
    """
    from pyapi.api.server import serve as serve_api

    settings = read_settings()
    authentication = authentication_of(settings)
    economy_cache = economy_cache_of(settings)
    address = Address(host, port)
    if authentication is None:
        address.require_loopback()
    address.require_free()

    def start(database: URL) -> None:
        _require_no_router(settings, database)
        serve_api(
            database,
            address,
            authentication,
            settings,
            economy_cache=economy_cache,
            workers=workers,
            connections=connections,
            clients=clients,
            console=_console(settings, address, authentication),
            when_ready=lambda: echo(_serves(settings, address)),
        )

    if settings.database is not None:
        start(settings.database)
    else:
        with embedded_server(settings) as server:
            _require_installed(server, settings)
            server.create_api_login()
            start(server.url(user=API_LOGIN))


def _require_no_router(settings: Settings, database: URL) -> None:
    """Raise SettingsError for a read replica beside a router. What does not answer yet is asked again by the API."""
    from pyapi.api.replica import router_among

    if settings.read_database is None:
        return
    primary, replica = (
        connect_engine(url, pool_size=1, is_pooled=settings.is_pooled, wants_writer=False)
        for url in (database, settings.read_database)
    )
    try:
        found = router_among(primary, replica)
    except DBAPIError:
        return
    finally:
        primary.dispose()
        replica.dispose()
    if found is not None:
        raise SettingsError(f"{found} Unset PGREPRISE_READ_URL; DATABASE_URL answers GETs then.")


def _serves(settings: Settings, address: Address) -> str:
    url = address.url + settings.prefix
    console = f", and its console on {url}/console" if _has_console(settings, address) else ""
    return f"pgreprise serves on {url}{console}"


def _require_installed(server: Embedded, settings: Settings) -> None:
    """Raise an error where the embedded database has nothing to serve, and no role for the API to log in as."""
    engine = connect_engine(server.url())
    try:
        if not is_installed(engine):
            raise click.ClickException(
                f"pgreprise is not installed in the database in {settings.data_folder}. Run `pgreprise migrate` first."
            )
    finally:
        engine.dispose()


@click.command()
@click.option(
    "--sub", "subject", default="tester", show_default=True, help="Who the token is for; the history names this actor."
)
@click.option("--scope", "scopes", multiple=True, default=["reports:read"], show_default=True, help="May be repeated.")
@click.option("--role", help="A role. It needs --unit, --own or --global.")
@click.option("--unit", "units", metavar="ID", multiple=True, help="A unit that the role is for. May be repeated.")
@click.option(
    "--own",
    "own_units",
    metavar="ID",
    multiple=True,
    help="A unit in which the role is for the person's own entries. May be repeated.",
)
@click.option("--global", "everywhere", is_flag=True, help="The role is for all units.")
@click.option("--institutional-id", metavar="ID", help="The institutional id of the person, whose entries are own.")
@click.option("--expires-in", type=LIFETIME, default="1h", show_default=True,
              help="How long the token is valid, as 90s, 15m, 1h or 7d.")  # fmt: skip
def token(
    subject: str,
    scopes: tuple[str, ...],
    role: str | None,
    units: tuple[str, ...],
    own_units: tuple[str, ...],
    everywhere: bool,
    institutional_id: str | None,
    expires_in: timedelta,
) -> None:
    """Print a token to try the API with. It is signed with PGREPRISE_JWT_SECRET.

    The scopes are reports:read, reports:write, reports:work, reports:rerun and reports:admin. Audience and issuer are
    taken from PGREPRISE_JWT_AUDIENCE and PGREPRISE_JWT_ISSUER.
    """
    if not subject.strip():
        raise click.UsageError("--sub is empty.")
    for scope in scopes:
        if not scope or any(character.isspace() for character in scope):
            raise click.UsageError(f"--scope {scope!r} is not one scope. Repeat --scope for several.")
    if role is None and (units or own_units or everywhere):
        raise click.UsageError("--unit, --own and --global need --role.")
    if role is not None and bool(units or own_units) == everywhere:
        raise click.UsageError("--role needs either --global, or --unit or --own.")
    for option, ids in (("--unit", units), ("--own", own_units), ("--institutional-id", (institutional_id,))):
        if any(given is not None and not given.strip() for given in ids):
            raise click.UsageError(f"{option} is empty.")
    places = [{"kind": "unit", "institutional_id": unit} for unit in units]
    places += [{"kind": "own", "institutional_id": unit} for unit in own_units]
    claims: dict[str, Any] = {"sub": subject, "scope": " ".join(scopes)}
    if institutional_id is not None:
        claims["institutional_id"] = institutional_id
    if role is not None:
        claims["roles"] = [{"role": role, "on": place} for place in places or [{"kind": "global"}]]
    from pyapi.api.auth import issue_token

    try:
        echo(issue_token(read_settings(), claims, lifetime_seconds=int(expires_in.total_seconds())))
    except ValueError as error:
        raise SettingsError(str(error)) from error


@click.command(context_settings={"ignore_unknown_options": True, "help_option_names": []})
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def psql(arguments: tuple[str, ...]) -> None:
    """Open psql on the database. ARGUMENTS are passed to psql, for example -c 'call rerun_report(1)'."""
    with administrator_url() as (url, server):
        program = shutil.which("psql") or (str(server.programs / "psql") if server else None)
        if program is None:
            raise click.ClickException("There is no psql on the PATH; install PostgreSQL's client programs.")
        # psql handles Ctrl-C itself.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        with _connection_of_psql(url) as (connection, environment):
            code = subprocess.call([program, connection, *arguments], env={**os.environ, **environment})
    raise SystemExit(code)


@contextmanager
def _connection_of_psql(url: URL) -> Iterator[tuple[str, dict[str, str]]]:
    """The connection string and the environment with which psql connects to a database.

    Everybody on the machine sees the arguments of a process, so no password is one of them.
    """
    [], parameters = url.get_dialect()().create_connect_args(url)
    password = parameters.pop("password", None)
    environment = {} if password is None else {"PGPASSWORD": str(password)}
    if "sslpassword" not in parameters:
        yield make_conninfo(**parameters), environment
        return
    # No variable holds this one. The file of a service is for its owner only.
    with NamedTemporaryFile("w", prefix="pgreprise-", suffix=".conf") as file:
        file.write(f"[pgreprise]\nsslpassword={parameters.pop('sslpassword')}\n")
        file.flush()
        yield make_conninfo(service="pgreprise", **parameters), {**environment, "PGSERVICEFILE": file.name}


COMMANDS = (up, serve, psql, token)
