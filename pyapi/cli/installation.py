"""Commands that install pgreprise and load data: migrations, import, sample, files of the routines."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import click
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from sqlalchemy import Engine
from sqlalchemy.exc import DBAPIError

from pyapi.cli.connections import administrator, domains_of, installed_domains, installed_status, status_of
from pyapi.cli.output import ERR, JSON_OPTION, echo, explain, print_error, print_json, print_rows
from pyapi.database import run_script, sqlstate
from pyapi.pool import driver_of, is_behind_pooler, is_read_only
from pyapi.schema import files, migrate, operations, versions
from pyapi.schema.legacy import import_legacy
from pyapi.wording import counted

__all__ = ["COMMANDS", "load_sample_where_empty"]

_NOT_EMPTY = "55000"
_LOCK_TIMEOUT = "55P03"
# The exit code of a command that Ctrl-C stopped.
_STOPPED = 130


_HALF_DONE = (
    "The revision that ran has changed nothing; those before it stay. An index that was not finished is built anew by "
    "the next migration."
)


@contextmanager
def _waits_and_stops_told(engine: Engine) -> Iterator[None]:
    """Tell what a lock timeout or Ctrl-C has left, and who held the lock."""
    try:
        yield
    except KeyboardInterrupt:
        echo(f"Stopped. {_HALF_DONE} Go on with the same command.", err=True)
        raise SystemExit(_STOPPED) from None
    except DBAPIError as error:
        # Our own message, that another migration is running, has a hint.
        if sqlstate(error) != _LOCK_TIMEOUT or "hint" in explain(error):
            raise
        holders = "".join(f"\n  {line}" for line in migrate.lock_holders(engine))
        raise click.ClickException(
            f"The migration waited {operations.MIGRATION_LOCK_TIMEOUT} for a lock that another session holds, and gave "
            f"up so that your traffic does not queue behind it (55P03). {_HALF_DONE} Try again when there is less "
            f"traffic, or end the transactions that are open for long." + (f" Now:{holders}" if holders else "")
        ) from error


def _revision(_context: click.Context, _parameter: click.Parameter, value: str | None) -> str | None:
    """Refuse a text that names no revision, of which Alembic makes an assertion that fails."""
    # With --sql it may be two, from:to.
    if value is not None and not all(part.rpartition("@")[2].strip() for part in value.split(":")):
        raise click.BadParameter(f"{value!r} names no revision. Give one, as reports_0001 or reports@head.")
    return value


@click.command("migrate")
@click.option("--sql", "as_sql", is_flag=True, help="Print the SQL of a new installation and change nothing.")
@click.option("--to", "revision", callback=_revision,
              help="A revision, or reports@head, carbon@head; everything by default.")  # fmt: skip
@click.option("--downgrade", metavar="REVISION", callback=_revision,
              help="Go back to a revision, for example reports@base.")  # fmt: skip
@click.option("--drop-tables-with-rows", is_flag=True, help="Let a downgrade drop tables of ours that hold rows.")
def migrate_command(as_sql: bool, revision: str | None, downgrade: str | None, drop_tables_with_rows: bool) -> None:
    """Install pgreprise in a database, or bring it up to date.

    A database that already has the report tables keeps them, with all rows; what does not fit
    is listed and nothing is changed. A routine whose text was edited before its release is brought to that text.
    """
    if downgrade is None and drop_tables_with_rows:
        raise click.UsageError("--drop-tables-with-rows goes with --downgrade.")
    if revision is not None and downgrade is not None:
        raise click.UsageError("Give either --to, which goes forward, or --downgrade, which goes back.")
    target = "heads" if revision is None else revision
    if as_sql:
        if downgrade is not None:
            raise click.UsageError("--sql prints an upgrade; it does not go with --downgrade.")
        migrate.write_sql(sys.stdout, target)
        return
    logging.basicConfig(stream=sys.stdout, format="%(message)s")
    alembic = logging.getLogger("alembic.runtime.migration")
    alembic.setLevel(logging.INFO)
    # What it says about itself helps nobody.
    alembic.addFilter(lambda record: record.getMessage().startswith("Running "))
    with administrator(create=downgrade is None) as engine:
        with _waits_and_stops_told(engine):
            if downgrade is not None:
                migrate.downgrade(engine, downgrade, drop_tables_with_rows=drop_tables_with_rows)
            else:
                for line in migrate.upgrade(engine, target):
                    echo(line)
        revisions = installed_status(engine)["revisions"]
    echo(f"The database is at {', '.join(revisions) or 'no revision'}.")


@click.command()
@JSON_OPTION
def status(as_json: bool) -> None:
    """Show what is installed in the database and how it is reached. The exit code is 1 when a migration is needed."""
    # Imported here because the other commands start faster without the web framework.
    from pyapi.api.health import Needs

    with administrator() as engine:
        installed = installed_status(engine)
        missing = Needs.of_this_version().missing_from(set(installed["revisions"]), installed["routines"])
        with engine.connect() as connection:
            found = {
                "revisions": installed["revisions"],
                "domains": sorted(domains_of(installed)),
                "missing": missing,
                "server_version": driver_of(connection).info.parameter_status("server_version"),
                "is_read_only": is_read_only(connection),
                "is_behind_pooler": is_behind_pooler(connection),
            }
    if as_json:
        print_json(found)
    else:
        echo(f"The database is at {', '.join(found['revisions']) or 'no revision'}.")
        echo(f"Domains: {', '.join(found['domains']) or 'none'}.")
        written = "cannot be written to: it is read only" if found["is_read_only"] else "can be written to"
        echo(f"The server is PostgreSQL {found['server_version']}, and {written}.")
        if found["is_behind_pooler"]:
            echo("The connection goes through a transaction pooler; a migration needs one of its own.")
        for line in missing:
            echo(f"Missing: {line}.")
        echo("Type: pgreprise migrate" if missing else "This version of pgreprise needs no migration.")
    raise SystemExit(1 if missing else 0)


@click.command("import-legacy")
@click.argument("url")
@click.option("--since-last", is_flag=True, help="Bring over what is new, changed or deleted since the last import.")
@click.option("--invalid-json", type=click.Choice(["stop", "null"]), default="stop", show_default=True,
              help="What to do with text that is not JSON.")  # fmt: skip
def import_command(url: str, since_last: bool, invalid_json: str) -> None:
    """Copy the reports of a legacy database (sqlite:///FILE or mysql://USER:PASSWORD@HOST/NAME) into this one.

    Everything is copied, with the same ids, or nothing. The import is refused when a table here already holds rows,
    but for --since-last, which leaves alone and lists the rows that were worked on here.
    """
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with administrator() as engine, Progress(*columns, console=ERR) as progress:
        tasks: dict[str, Any] = {}

        def show(what: str, done: int, total: int) -> None:
            if what not in tasks:
                tasks[what] = progress.add_task(what, total=total)
            progress.update(tasks[what], completed=done)

        result = import_legacy(
            url, engine, since_last=since_last, invalid_json_to_null=invalid_json == "null", progress=show
        )
    for table, count in result.rows.items():
        if since_last:
            updated, deleted = result.updated[table], result.deleted[table]
            echo(f"{table}: {counted(count, 'row')} imported, {updated} updated, {deleted} deleted")
        else:
            echo(f"{table}: {counted(count, 'row')} imported")
    for table in result.changing:
        echo(f"not in one snapshot: table {table} is not InnoDB; nobody should have written to it meanwhile")
    for line in result.filled_in:
        echo(f"filled in: {line}")
    for replacement in result.replaced:
        echo(f"replaced: {replacement}")
    if result.replaced_count > len(result.replaced):
        echo(f"and {result.replaced_count - len(result.replaced)} more replaced")
    for kept in result.kept:
        echo(f"left alone: {kept}")
    if result.kept_count > len(result.kept):
        echo(f"and {result.kept_count - len(result.kept)} more left alone")
    for left in result.not_copied:
        echo(f"not copied: {left}")
    if not since_last:
        echo("Say which cache versions are current: pgreprise cache-version set COUNTRY ...")


@click.group()
def sample() -> None:
    """Sample data to try pgreprise with."""


@sample.command("load")
def sample_load() -> None:
    """Fill empty tables with a few reports of each kind and a few units with carbon reports."""
    refused = False
    with administrator() as engine:
        # Raises an error when pgreprise is not installed.
        status_of(engine)
        for domain in sorted(installed_domains(engine), reverse=True):
            try:
                print_rows(load_sample(engine, domain), False, empty="There are no reports.")
            except DBAPIError as error:
                if sqlstate(error) != _NOT_EMPTY:
                    raise
                print_error(explain(error))
                refused = True
    if refused:
        raise SystemExit(1)


@click.group()
def routine() -> None:
    """The versioned SQL files, for those who change routines."""


@routine.command("new")
@click.argument("name")
@click.option("--room", help="The folder for a routine that does not exist yet, for example rerun.")
def routine_new(name: str, room: str | None) -> None:
    """Start the next version of a released routine, or with --room a new routine.

    The released text is kept in sql/released, a revision that installs the next version is written, and the
    routine's file is open for editing.
    """
    try:
        written = versions.new_version(name) if room is None else versions.new_routine(name, room)
    except (LookupError, ValueError, OSError) as error:
        raise click.ClickException(str(error)) from error
    for path in written:
        echo(f"created {os.path.relpath(path)}")
    if room is None:
        echo(f"edit    {os.path.relpath(versions.live_file(name).path)}, then: pgreprise migrate")


@routine.command("release")
@click.argument("names", nargs=-1, metavar="[NAME]...")
def routine_release(names: tuple[str, ...]) -> None:
    """Record texts as released in sql/RELEASED (all, or those of NAME); from then on they must not change."""
    try:
        released = versions.release(names)
    except (LookupError, ValueError) as error:
        raise click.ClickException(str(error)) from error
    for text in released:
        echo(f"released {text}")
    if not released:
        echo("Everything is released already.")


@routine.command("list")
@JSON_OPTION
def routine_list(as_json: bool) -> None:
    """List the routines: the newest version here, whether it is released, and the version in the database."""
    with administrator() as engine:
        installed = installed_status(engine)["routines"]
    rows = [
        {
            "name": file.name,
            "routine": file.routine,
            "newest": file.version,
            "released": files.is_released(file),
            "installed": installed.get(file.name),
        }
        for file in files.live_routines()
    ]
    print_rows(rows, as_json, empty="There are no routines.")


def load_sample(engine: Engine, domain: str) -> list[dict[str, Any]]:
    return run_script(engine, files.sql_text(f"{domain}/load_sample"))


def load_sample_where_empty(engine: Engine, domain: str) -> None:
    try:
        load_sample(engine, domain)
    except DBAPIError as error:
        # The host's own reports are there already.
        if sqlstate(error) != _NOT_EMPTY:
            raise


COMMANDS = (migrate_command, status, import_command, sample, routine)
