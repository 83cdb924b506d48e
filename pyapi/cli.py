"""The ``pgreprise`` command.

Exit codes: 0 done, 1 refused by the database (or something found), 2 wrong usage.
"""

from __future__ import annotations

import json
import logging
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click
import psycopg
from alembic.util import CommandError
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table
from sqlalchemy import URL, Engine
from sqlalchemy.exc import DBAPIError

from pyapi import doctor, migrate, routines, scaffold
from pyapi.auth import Authentication, issue_token
from pyapi.database import call, call_procedure, connect_engine, run_script, sqlstate
from pyapi.embedded import API_LOGIN, Embedded, EmbeddedUnavailableError, embedded
from pyapi.legacy_import import ImportRefused, import_legacy
from pyapi.settings import Settings

__all__ = ["main"]

_OUT = Console()
_ERR = Console(stderr=True)
_EXAMPLE_TOKEN_SECONDS = 24 * 3600
_NOT_INSTALLED = {"42883", "42P01", "3F000", "42704"}
JSON_OPTION = click.option("--json", "as_json", is_flag=True, help="Print JSON instead of a table.")


# --- databases -------------------------------------------------------------------------------


class _SettingsError(click.ClickException):
    """Something in the environment cannot be used; one line says what."""

    exit_code = 2


def _settings() -> Settings:
    try:
        return Settings.from_environment()
    except ValueError as error:
        raise _SettingsError(str(error)) from error


def _authentication(settings: Settings) -> Authentication | None:
    try:
        return Authentication.of(settings)
    except ValueError as error:
        raise _SettingsError(str(error)) from error


@contextmanager
def _embedded(settings: Settings) -> Iterator[Embedded]:
    with embedded(settings.data_folder, settings.postgres_version) as server:
        server.create_database()
        yield server


@contextmanager
def _administrator_url() -> Iterator[tuple[URL, Embedded | None]]:
    """The database as the role that migrates and administers it."""
    settings = _settings()
    if settings.migration_database is not None:
        yield settings.migration_database, None
    else:
        with _embedded(settings) as server:
            yield server.url(), server


@contextmanager
def _administrator() -> Iterator[Engine]:
    with _administrator_url() as (url, _):
        engine = connect_engine(url, statement_timeout_seconds=0)
        try:
            yield engine
        finally:
            engine.dispose()


# --- the command -----------------------------------------------------------------------------


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="pgreprise")
def cli() -> None:
    """Rerun stored reports safely, by stored procedures in PostgreSQL.

    DATABASE_URL names the database; without it an embedded PostgreSQL in ./.pgreprise is used.
    PGREPRISE_MIGRATION_URL names the same database as a role that may migrate it.
    """


def _announcement(
    database: URL, server: Embedded | None, address_url: str, engine: Engine, *, wants_token: bool
) -> str:
    """Where things are, and a line to try."""
    psql = shutil.which("psql") or (str(server.programs / "psql") if server else "psql")
    # Without the password: psql asks for it.
    plain = database.set(drivername="postgresql")._replace(password=None).render_as_string()
    examples = call(engine, "public.example_reports")
    header = "-H 'Authorization: Bearer TOKEN' " if wants_token else ""
    lines = [
        "",
        "pgreprise is ready. Ctrl-C stops it.",
        "",
        f"  API    {address_url}",
        f"  psql   {psql} '{plain}'",
        "         or: .venv/bin/pgreprise psql"
        if Path(".venv/bin/pgreprise").exists()
        else "         or: pgreprise psql",
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
        ]
    return "\n".join(lines) + "\n"


def _units_announcement(address_url: str, engine: Engine, settings: Settings) -> str:
    """A unit of the carbon domain to try, with a token for its principal where the API wants one; or nothing."""
    units = call(engine, "public.example_units") if "carbon" in _domains(engine) else []
    if not units:
        return ""
    unit = units[0]
    lines = ["", f"  unit #{unit['unit_id']}, {unit['name']} ({unit['institutional_id']})", ""]
    lines.append("Get its explore report:")
    if settings.jwt_secret is not None:
        on = {"kind": "unit", "institutional_id": unit["institutional_id"]}
        claims = {
            "sub": "tester",
            "scope": "reports:read reports:write",
            "roles": [{"role": "calco2.user.principal", "on": on}],
        }
        lines.append(f"  TOKEN={issue_token(settings, claims, lifetime_seconds=_EXAMPLE_TOKEN_SECONDS)}")
    lines.append(
        f'  curl -H "Authorization: Bearer $TOKEN" {address_url}/api/v1/carbon-reports/simulator/explore'
        f"/unit/{unit['unit_id']}/reference-year/{unit['reference_year']}/"
    )
    return "\n".join(lines) + "\n"


@cli.command()
@click.option("--port", type=click.IntRange(1, 65535), default=8000, envvar="PORT", show_default=True)
def up(port: int) -> None:
    """Start everything for trying out: database, migrations, sample data the first time, API."""
    from pyapi.server import Address, serve

    settings = _settings()
    authentication = _authentication(settings)
    address = Address(port=port)
    address.require_free()
    with _administrator_url() as (administrator, server):
        engine = connect_engine(administrator, statement_timeout_seconds=0)
        before = _domains(engine)
        migrate.upgrade(engine)
        if server is not None:
            server.create_api_login()
        for domain in sorted(_domains(engine) - before):
            _load_sample_where_empty(engine, domain)
        api = server.url(user=API_LOGIN) if server is not None else settings.database or administrator
        text = _announcement(administrator, server, address.url, engine, wants_token=authentication is not None)
        text += _units_announcement(address.url, engine, settings)
        engine.dispose()
        serve(api, address, authentication, workers=2, threads=8, when_ready=lambda: click.echo(text))


@cli.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="The address to listen on.")
@click.option("--port", type=click.IntRange(1, 65535), default=8000, envvar="PORT", show_default=True)
@click.option("--workers", type=click.IntRange(1, 64), default=2, show_default=True, help="Processes.")
@click.option("--threads", type=click.IntRange(1, 64), default=8, show_default=True, help="Threads a process.")
def serve(host: str, port: int, workers: int, threads: int) -> None:
    """Serve the API; SIGTERM lets requests under way finish.

    Connects as DATABASE_URL says; that role needs to be a member of pgreprise_api and nothing more.
    With PGREPRISE_JWT_SECRET or PGREPRISE_JWT_JWKS every request needs a token; without either the
    API listens on loopback only.
    """
    from pyapi.server import Address
    from pyapi.server import serve as serve_api

    settings = _settings()
    authentication = _authentication(settings)
    address = Address(host, port)
    if authentication is None:
        address.require_loopback()
    address.require_free()

    def ready() -> None:
        click.echo(f"pgreprise serves on {address.url}")

    if settings.database is not None:
        serve_api(settings.database, address, authentication, workers=workers, threads=threads, when_ready=ready)
    else:
        with _embedded(settings) as server:
            server.create_api_login()
            api = server.url(user=API_LOGIN)
            serve_api(api, address, authentication, workers=workers, threads=threads, when_ready=ready)


class _Lifetime(click.ParamType[int]):
    """A number of seconds, or of minutes, hours or days: 90, 90s, 15m, 1h, 7d."""

    name = "duration"
    _SECONDS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400}

    def convert(self, value: Any, parameter: click.Parameter | None, context: click.Context | None) -> int:
        found = re.fullmatch(r"0*([1-9][0-9]{0,8})([smhd]?)", str(value), re.ASCII)
        if found is None:
            self.fail(f"{value!r} is no duration. It looks like 90s, 15m, 1h or 7d.", parameter, context)
        return int(found[1]) * self._SECONDS[found[2]]


@cli.command()
@click.option("--sub", "subject", default="tester", show_default=True, help="Who the token is for; the audit says so.")
@click.option("--scope", "scopes", multiple=True, default=["reports:read"], show_default=True, help="May be repeated.")
@click.option("--role", help="A role; with --unit or --global.")
@click.option("--unit", "units", metavar="ID", multiple=True, help="A unit that the role is for; may be repeated.")
@click.option("--global", "everywhere", is_flag=True, help="The role is for everything.")
@click.option("--expires-in", type=_Lifetime(), default="1h", show_default=True, help="Seconds, or like 15m, 1h, 7d.")
def token(
    subject: str, scopes: tuple[str, ...], role: str | None, units: tuple[str, ...], everywhere: bool, expires_in: int
) -> None:
    """Print a token for trying out, signed with PGREPRISE_JWT_SECRET.

    Scopes are reports:read, reports:write, reports:rerun and reports:admin. Audience and issuer
    are those of PGREPRISE_JWT_AUDIENCE and PGREPRISE_JWT_ISSUER.
    """
    if not subject.strip():
        raise click.UsageError("--sub is empty.")
    for scope in scopes:
        if not scope or any(character.isspace() for character in scope):
            raise click.UsageError(f"--scope {scope!r} is no scope; repeat --scope for several.")
    if role is None and (units or everywhere):
        raise click.UsageError("--unit and --global go with --role.")
    if role is not None and bool(units) == everywhere:
        raise click.UsageError("--role goes with --unit or with --global.")
    on = [{"kind": "unit", "institutional_id": unit} for unit in units] or [{"kind": "global"}]
    claims: dict[str, Any] = {"sub": subject, "scope": " ".join(scopes)}
    if role is not None:
        claims["roles"] = [{"role": role, "on": place} for place in on]
    try:
        click.echo(issue_token(_settings(), claims, lifetime_seconds=expires_in))
    except ValueError as error:
        raise _SettingsError(str(error)) from error


@cli.command("migrate")
@click.option("--sql", "as_sql", is_flag=True, help="Print the SQL of a new installation and change nothing.")
@click.option("--to", "revision", default="heads", show_default=True, help="A revision, or core@head, reports@head.")
@click.option("--downgrade", metavar="REVISION", help="Go back to a revision, for example reports@base.")
@click.option("--drop-tables-with-rows", is_flag=True, help="Let a downgrade drop tables of ours that hold rows.")
def migrate_command(as_sql: bool, revision: str, downgrade: str | None, drop_tables_with_rows: bool) -> None:
    """Install pgreprise in a database, or bring it up to date.

    A database that already has the report tables keeps them, with all rows; what does not fit
    is listed and nothing is changed.
    """
    if downgrade is None and drop_tables_with_rows:
        raise click.UsageError("--drop-tables-with-rows goes with --downgrade.")
    if as_sql:
        if downgrade is not None:
            raise click.UsageError("--sql prints an upgrade; it does not go with --downgrade.")
        migrate.write_sql(sys.stdout, revision)
        return
    logging.basicConfig(stream=sys.stdout, format="%(message)s")
    logging.getLogger("alembic.runtime.migration").setLevel(logging.INFO)
    with _administrator() as engine:
        if downgrade is not None:
            migrate.downgrade(engine, downgrade, drop_tables_with_rows=drop_tables_with_rows)
        else:
            migrate.upgrade(engine, revision)
        revisions = _status(engine)["revisions"] if _installed(engine) else []
    click.echo(f"The database is at {', '.join(revisions) or 'no revision'}.")


@cli.command()
@click.argument("country")
@click.argument("report_ids", metavar="ID...", type=int, nargs=-1, required=True)
@JSON_OPTION
def rerun(country: str, report_ids: tuple[int, ...], as_json: bool) -> None:
    """Rerun reports of a country, each in a transaction of its own.

    All are tried; the exit code is 1 when one was refused.
    """
    results: list[dict[str, Any]] = []
    with _administrator() as engine:
        for report_id in report_ids:
            try:
                result = call_procedure(engine, "public.rerun_report", report_id=report_id, country_id=country)
                results.append({"status": "ok", **result})
            except DBAPIError as error:
                if not str(sqlstate(error)).startswith(("RR", "22")):
                    raise
                results.append({"status": "error", "report_id": report_id, **_explain(error)})
    if as_json:
        click.echo(json.dumps(results))
    else:
        for result in results:
            if result["status"] == "ok":
                click.echo(
                    f"Report #{result['report_id']} ({result['report_type']}) is pending again; simulations "
                    f"{', '.join(f'#{simulation}' for simulation in result['simulation_ids'])}; "
                    f"{result['economy_cache_rows_deleted']} cache rows deleted."
                )
            else:
                _print_error(result)
    if any(result["status"] == "error" for result in results):
        raise SystemExit(1)


@cli.command()
@JSON_OPTION
def defects(as_json: bool) -> None:
    """List every report that cannot be rerun, and why; exit code 1 when there is one."""
    with _administrator() as engine:
        rows = call(engine, "public.report_defects")
    _print_rows(rows, as_json, empty="Every report can be rerun.")
    if rows:
        raise SystemExit(1)


@cli.group("cache-version")
def cache_version() -> None:
    """The versions that are current for each country; a deployment sets them."""


@cache_version.command("show")
@JSON_OPTION
def cache_version_show(as_json: bool) -> None:
    """Show the current versions of every country."""
    with _administrator() as engine:
        _print_rows(call(engine, "public.cache_versions"), as_json, empty="There are no countries.")


@cache_version.command("set")
@click.argument("country")
@click.option("--economy-impact", metavar="VERSION", help="api_version of current economy cache rows.")
@click.option("--report-output", metavar="VERSION", help="api_version of current reports.")
@click.option("--package", metavar="VERSION", help="api_version of current simulations.")
def cache_version_set(country: str, economy_impact: str | None, report_output: str | None, package: str | None) -> None:
    """Set the current versions of a country; what is not given stays as it is."""
    if economy_impact is report_output is package is None:
        raise click.UsageError("Give at least one of --economy-impact, --report-output and --package.")
    with _administrator() as engine:
        call(
            engine,
            "public.set_cache_versions",
            country_id=country,
            economy_impact=economy_impact,
            report_output=report_output,
            package=package,
        )
    click.echo(f"Versions of {country} are set.")


@cli.command("import-legacy")
@click.argument("url")
@click.option("--invalid-json", type=click.Choice(["stop", "null"]), default="stop", show_default=True,
              help="What to do with text that is not JSON.")  # fmt: skip
def import_command(url: str, invalid_json: str) -> None:
    """Copy the reports of a legacy database (sqlite:///FILE or mysql://USER:PASSWORD@HOST/NAME) here.

    All or nothing, ids kept; refused where the tables here already hold rows.
    """
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with _administrator() as engine, Progress(*columns, console=_ERR) as progress:
        tasks: dict[str, Any] = {}

        def show(table: str, done: int, total: int) -> None:
            if table not in tasks:
                tasks[table] = progress.add_task(table, total=total)
            progress.update(tasks[table], completed=done)

        result = import_legacy(url, engine, invalid_json_to_null=invalid_json == "null", progress=show)
    for table, count in result.rows.items():
        click.echo(f"{table}: {count} rows imported")
    for replacement in result.replaced:
        click.echo(f"replaced: {replacement}")
    for left in result.not_copied:
        click.echo(f"not copied: {left}")
    click.echo("Say which cache versions are current: pgreprise cache-version set COUNTRY ...")


@cli.group()
def carbon() -> None:
    """Carbon reports."""


@carbon.command("duplicates")
@JSON_OPTION
def carbon_duplicates(as_json: bool) -> None:
    """List projects and reports that exist more than once, which stop the migration; exit code 1 when there are any.

    Each comes with the SQL that would resolve it, for someone who knows the data to look at.
    """
    with _administrator() as engine:
        rows = run_script(engine, routines.sql_text("carbon/steps/find_duplicates"))
    _print_rows(rows, as_json, empty="No carbon project or report exists more than once.")
    if rows:
        raise SystemExit(1)


@cli.group()
def sample() -> None:
    """A small sample to try things out with."""


@sample.command("load")
def sample_load() -> None:
    """Fill empty tables with a few reports of each kind, and a few units with carbon reports."""
    with _administrator() as engine:
        refused = False
        for domain in sorted(_domains(engine), reverse=True):
            try:
                _print_rows(_load_sample(engine, domain), False, empty="There are no reports.")
            except DBAPIError as error:
                if sqlstate(error) != "55000":
                    raise
                _print_error(_explain(error))
                refused = True
    if refused:
        raise SystemExit(1)


@cli.group()
def routine() -> None:
    """The versioned SQL files, for those who change routines."""


@routine.command("new")
@click.argument("name")
def routine_new(name: str) -> None:
    """Start the next version of a routine: copy its newest file and write the revision that installs it."""
    try:
        created = scaffold.new_version(name)
    except (LookupError, ValueError) as error:
        raise click.ClickException(str(error)) from error
    for path in created:
        click.echo(f"created {os.path.relpath(path)}")


@routine.command("record")
def routine_record() -> None:
    """Record new SQL files as released in sql/CHECKSUMS; from then on they must not change."""
    try:
        added = routines.record_checksums()
    except ValueError as error:
        raise click.ClickException(str(error)) from error
    for path in added:
        click.echo(f"recorded {path}")


@routine.command("list")
@JSON_OPTION
def routine_list(as_json: bool) -> None:
    """List the routines: the newest version here and the one that is installed in the database."""
    newest = {file.name: file for file in routines.routine_files()}
    with _administrator() as engine:
        installed = _status(engine)["routines"] if _installed(engine) else {}
    rows = [
        {"name": name, "routine": file.routine, "newest": file.version, "installed": installed.get(name)}
        for name, file in newest.items()
    ]
    _print_rows(rows, as_json, empty="There are no routines.")


@cli.command("doctor")
@JSON_OPTION
def doctor_command(as_json: bool) -> None:
    """Look for what is wrong and say what to do; exit code 1 when there is a problem."""
    with _administrator() as engine:
        findings = doctor.examine(engine)
    _print_rows([asdict(finding) for finding in findings], as_json, empty="All is well.")
    if any(finding.severity == "problem" for finding in findings):
        raise SystemExit(1)


@cli.command(context_settings={"ignore_unknown_options": True, "help_option_names": []})
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def psql(arguments: tuple[str, ...]) -> None:
    """Open psql on the database; ARGUMENTS are psql's own, for example -c 'call rerun_report(1)'."""
    with _administrator_url() as (url, server):
        program = shutil.which("psql") or (str(server.programs / "psql") if server else None)
        if program is None:
            raise click.ClickException("There is no psql on the PATH; install PostgreSQL's client programs.")
        # Ctrl-C belongs to psql.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        plain = url.set(drivername="postgresql").render_as_string(hide_password=False)
        code = subprocess.call([program, plain, *arguments])
    raise SystemExit(code)


# --- helpers ---------------------------------------------------------------------------------


def _installed(engine: Engine) -> bool:
    try:
        return bool(_status(engine)["revisions"])
    except DBAPIError as error:
        if sqlstate(error) in _NOT_INSTALLED:
            return False
        raise


def _status(engine: Engine) -> dict[str, Any]:
    [row] = call(engine, "pgreprise.status", columns="status")
    status: dict[str, Any] = row["status"]
    return status


def _domains(engine: Engine) -> set[str]:
    """The domains with a sample that are installed."""
    installed = _status(engine)["routines"] if _installed(engine) else {}
    return {name.split("/")[0] for name in installed} & {"reports", "carbon"}


def _load_sample(engine: Engine, domain: str) -> list[dict[str, Any]]:
    return run_script(engine, routines.sql_text(f"{domain}/steps/load_sample"))


def _load_sample_where_empty(engine: Engine, domain: str) -> None:
    try:
        _load_sample(engine, domain)
    except DBAPIError as error:
        # An adopted database has its own reports.
        if sqlstate(error) != "55000":
            raise


def _print_rows(rows: list[dict[str, Any]], as_json: bool, *, empty: str) -> None:
    if as_json:
        click.echo(json.dumps(rows, default=str))
    elif not rows:
        click.echo(empty)
    else:
        table = Table()
        for name in rows[0]:
            table.add_column(name.replace("_", " "), overflow="fold")
        for row in rows:
            table.add_row(*("" if value is None else str(value) for value in row.values()))
        _OUT.print(table)


def _explain(error: DBAPIError) -> dict[str, Any]:
    """What the database said, as code, message, detail and hint."""
    original = error.orig
    if not isinstance(original, psycopg.Error) or original.sqlstate is None:
        return {"message": str(original).strip()}
    diagnostic = original.diag
    explained = {
        "code": original.sqlstate,
        "message": diagnostic.message_primary,
        "detail": diagnostic.message_detail,
        "hint": diagnostic.message_hint,
    }
    if original.sqlstate in _NOT_INSTALLED:
        explained["hint"] = "pgreprise is not installed in this database, or is older: run `pgreprise migrate`."
    return {name: value for name, value in explained.items() if value is not None}


def _print_error(explained: dict[str, Any]) -> None:
    code = f" ({explained['code']})" if "code" in explained else ""
    click.echo(f"error: {explained['message']}{code}", err=True)
    for name in ("detail", "hint"):
        if name in explained and not str(explained[name]).startswith("{"):
            click.echo(f"{name}: {explained[name]}", err=True)


def _stop(_signal: int, _frame: object) -> None:
    raise SystemExit(128 + signal.SIGTERM)


def main() -> None:
    """Run the command; errors of the database and of usage become one clear message and an exit code."""
    from pyapi.server import AddressTakenError, UnprotectedAddressError

    # Otherwise nobody would stop the embedded server.
    signal.signal(signal.SIGTERM, _stop)
    try:
        code = cli.main(standalone_mode=False)
    except click.ClickException as error:
        error.show()
        code = error.exit_code
    except click.Abort:
        click.echo("Stopped.", err=True)
        code = 130
    except CommandError as error:
        # Alembic's, about a revision.
        click.echo(f"error: {error}.", err=True)
        code = 2
    except DBAPIError as error:
        _print_error(_explain(error))
        code = 1
    except UnprotectedAddressError as error:
        click.echo(f"error: {error}", err=True)
        code = 2
    except (AddressTakenError, EmbeddedUnavailableError, ImportRefused) as error:
        click.echo(f"error: {error}", err=True)
        code = 1
    sys.exit(code)
