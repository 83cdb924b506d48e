"""Copying the reports of a legacy database (SQLite or MySQL) into PostgreSQL: all of them or, on any error, none.

Rows are read as a stream, first to check them, then to send them by COPY in pieces of a few megabytes, so memory stays
flat whatever the size of the source.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from typing import Any

import psycopg
from psycopg import sql
from sqlalchemy import Connection, Engine

from pyapi.schema.legacy.changes import Changes, imported_checksums, record, require_previous, staged_table
from pyapi.schema.legacy.copying import Copier, pieces, raise_kept_rows
from pyapi.schema.legacy.fitting import Fitter, Judge, Row
from pyapi.schema.legacy.outcome import ImportRefused, ImportResult, Misfit, Progress
from pyapi.schema.legacy.plan import (
    KEYS,
    OPTIONAL_TABLES,
    WRITING_ORDER,
    TablePlan,
    not_copied,
    plans,
    require_tables,
)
from pyapi.schema.legacy.source import Source, opened
from pyapi.schema.run_tables import create_run_tables

__all__ = ["import_legacy"]

# Values that do not fit are counted, and so many are listed.
_LISTED_MISFITS = 20
# Progress is told after so many rows.
_SHOWN_ROWS = 25
_OWNERS = {"report_output_runs": "report_outputs", "simulation_runs": "simulations"}


def import_legacy(
    source: str,
    target: Engine,
    *,
    since_last: bool = False,
    invalid_json_to_null: bool = False,
    progress: Progress | None = None,
) -> ImportResult:
    """Copy the reports of a legacy database, their simulations, runs and economy cache, keeping their ids.

    ``source`` is the path of an SQLite file, ``sqlite:///path`` or ``mysql://user:password@host/database``;
    it is only read, in one snapshot. ``target`` is a migrated database whose tables are empty; it is one transaction
    there, during which nobody else can write to them. With ``since_last`` they were filled by an import, and what is
    new, changed or deleted in the source since then is brought over; rows on which work was done here stay as they
    are. ``invalid_json_to_null`` replaces text that PostgreSQL does not take as JSON by null instead of stopping.
    ``progress`` is called with what is done, its rows done and its rows in all.

    Returns what was copied, replaced, left alone and left behind. Raises ImportRefused when the source cannot be read
    or does not have the tables and columns, when the target holds rows (with ``since_last``: none of an import), and
    for values that the columns here cannot hold, which are looked for before anything is copied; nothing is imported
    then. Raises sqlalchemy.exc.DBAPIError when the target cannot be reached.
    """
    with opened(source, list(KEYS)) as legacy:
        names = require_tables(legacy)
        with target.connect() as pooled:
            connection = pooled.connection.driver_connection
            assert isinstance(connection, psycopg.Connection)
            is_done = False
            try:
                with connection.transaction():
                    work = _Import(pooled, connection, legacy, names, invalid_json_to_null, progress)
                    work.bring_changes() if since_last else work.copy_all()
                    is_done = True
                return work.result
            except psycopg.Error as error:
                if is_done:
                    raise ImportRefused(
                        f"The connection to PostgreSQL was lost while the import was committed: {error}. "
                        "See whether the tables hold the rows; if they do not, import again."
                    ) from error
                raise ImportRefused(f"The import failed in PostgreSQL: {error}. Nothing was imported.") from error
            finally:
                if connection.closed:
                    pooled.invalidate()


class _Import:
    """One import, inside its transaction."""

    def __init__(
        self,
        pooled: Connection,
        connection: psycopg.Connection[Any],
        legacy: Source,
        names: list[str],
        invalid_json_to_null: bool,
        progress: Progress | None,
    ) -> None:
        self.result = ImportResult()
        self._connection = connection
        self._legacy = legacy
        self._names = names
        self._invalid_json_to_null = invalid_json_to_null
        self._progress = progress
        _prepare(connection)
        _require_tables_here(connection)
        _require_no_shard(connection)
        if any(name in OPTIONAL_TABLES for name in names):
            _make_run_tables(pooled, connection)
        self._plans = plans(connection, legacy, names)
        self._in_writing_order = sorted(self._plans, key=lambda plan: WRITING_ORDER.index(plan.name))
        self.result.not_copied = not_copied(legacy, self._plans)
        self.result.changing = legacy.changing
        self.result.filled_in = [
            f"column {plan.name}.{column.name}: {column.filled_in!r}, since the source does not have it"
            for plan in self._plans
            for column in plan.columns
            if column.spelled is None
        ]
        judge = _judge(connection)
        self._fitters = {
            plan.name: Fitter(plan, judge, invalid_json_to_null=invalid_json_to_null) for plan in self._plans
        }
        # The tables are told in the order in which they are read.
        self.result.rows = {plan.name: 0 for plan in self._plans}
        self._misfits: list[Misfit] = []
        self._misfit_count = 0

    def copy_all(self) -> None:
        """Copy everything into empty tables."""
        self._lock()
        self._require_empty()
        # Of tables that were emptied since.
        self._connection.execute("delete from pgreprise.imported_row")
        for plan in self._plans:
            for row in self._read(plan, f"check {plan.name}"):
                self._note_fit(row)
        self._refuse_misfits()
        for plan in self._in_writing_order:
            self._fitters[plan.name].has_checked = True
            copier = self._copier(plan, plan.relation)
            wanted = written = 0
            for piece in pieces(self._read(plan, plan.name)):
                written += copier.send(piece)
                copier.note(piece)
                wanted += len(piece)
            if written < wanted:
                raise_kept_rows(self._connection, plan, wanted, written)
            self.result.rows[plan.name] = written
        self._continue_numbers()
        for plan in self._plans:
            record(self._connection, plan)

    def bring_changes(self) -> None:
        """Bring over what is new, changed or deleted since the last import."""
        connection = self._connection
        # Two imports at once would not know of each other.
        try:
            connection.execute("lock table pgreprise.imported_row in share row exclusive mode")
        except psycopg.errors.LockNotAvailable as error:
            raise ImportRefused(
                "Another import is running. Wait until it has ended, then import again. Nothing was imported."
            ) from error
        require_previous(connection)
        changes = {plan.name: Changes(connection, plan) for plan in self._plans}
        for plan in self._plans:
            changes[plan.name].stage()
            copier = self._copier(plan, staged_table(plan))
            for piece in pieces(self._read(plan, f"compare {plan.name}")):
                known = imported_checksums(connection, plan, [row.row_id for row in piece])
                news = [row for row in piece if known.get(row.row_id) != row.checksum]
                for row in news:
                    self._note_fit(row)
                if self._misfit_count == 0:
                    copier.note(piece)
                    copier.send(news)
        self._refuse_misfits()
        changes["report_outputs"].require_same_source()
        # Only now, since reruns here have to wait for what follows.
        self._lock()
        by_name = {plan.name: plan for plan in self._plans}
        for plan in self._plans:
            changes[plan.name].judge(by_name.get(_OWNERS.get(plan.name, "")), by_name["report_outputs"])
        for plan in reversed(self._in_writing_order):
            changes[plan.name].delete(self.result)
        for plan in self._in_writing_order:
            if plan.name == "reform_impact":
                changes[plan.name].leave_caches_empty()
            changes[plan.name].write(self.result)
        self._continue_numbers()
        for plan in self._plans:
            changes[plan.name].finish(self.result)

    def _copier(self, plan: TablePlan, relation: sql.Identifier) -> Copier:
        return Copier(self._connection, plan, relation, self.result, invalid_json_to_null=self._invalid_json_to_null)

    def _read(self, plan: TablePlan, what: str) -> Iterator[Row]:
        """The rows of a table of the source, with progress."""
        total = self._legacy.count(plan.name)
        fitter = self._fitters[plan.name]
        done = 0
        for read in self._legacy.rows(plan.name, plan.read):
            yield fitter.fit(read)
            done += 1
            if self._progress is not None and (done % _SHOWN_ROWS == 0 or done == total):
                self._progress(what, done, total)
        if self._progress is not None and done == 0:
            self._progress(what, 0, 0)

    def _note_fit(self, row: Row) -> None:
        self._misfit_count += len(row.misfits)
        self._misfits += row.misfits[: _LISTED_MISFITS - len(self._misfits)]
        for replacement in row.replacements:
            self.result.replace(replacement)

    def _refuse_misfits(self) -> None:
        if self._misfits:
            raise ImportRefused.of(self._misfits, self._misfit_count)

    def _lock(self) -> None:
        for plan in self._plans:
            try:
                self._connection.execute(sql.SQL("lock table {} in share row exclusive mode").format(plan.relation))
            except psycopg.errors.LockNotAvailable as error:
                raise ImportRefused(
                    f"Someone else is writing to public.{plan.name} of the target. Stop what writes to it, then "
                    "import again. Nothing was imported.",
                    table=plan.name,
                ) from error

    def _require_empty(self) -> None:
        filled = [
            f"public.{plan.name}"
            for plan in self._plans
            if self._connection.execute(sql.SQL("select from {} limit 1").format(plan.relation)).fetchone() is not None
        ]
        if filled:
            raise ImportRefused(
                f"The target already holds rows in {', '.join(filled)}; importing would mix two databases. "
                "Import into an empty database, or go on from the last import with --since-last. Nothing was imported."
            )

    def _continue_numbers(self) -> None:
        for plan in self._plans:
            if plan.columns[0].integer_bytes is not None:
                _advance_ids(self._connection, plan)
        _continue_runs(self._connection)


# --- the target ------------------------------------------------------------------------------


def _prepare(connection: psycopg.Connection[Any]) -> None:
    # Objects that others planted in the target are not for the administrator who imports.
    connection.execute("set local search_path = pg_catalog, pg_temp")
    connection.execute("set local statement_timeout = 0")
    connection.execute("set local idle_in_transaction_session_timeout = 0")
    connection.execute("select set_config('lock_timeout', '5s', true) where current_setting('lock_timeout') = '0'")
    connection.execute("set local client_encoding = 'UTF8'")
    # The checksums of times are those of their texts.
    connection.execute("set local datestyle = 'ISO, YMD'")
    connection.execute("set local timezone = 'UTC'")


def _require_tables_here(connection: psycopg.Connection[Any]) -> None:
    wanted = [f"public.{name}" for name in KEYS if name not in OPTIONAL_TABLES] + ["pgreprise.imported_row"]
    absent = connection.execute(
        "select wanted.name from unnest(%s::text[]) as wanted(name) where to_regclass(wanted.name) is null", (wanted,)
    ).fetchone()
    if absent is not None:
        raise ImportRefused(
            f"The target has no table {absent[0]}. Run `pgreprise migrate`, then import again.",
            table=str(absent[0]).partition(".")[2],
        )


def _require_no_shard(connection: psycopg.Connection[Any]) -> None:
    [(is_shard,)] = connection.execute("select to_regclass('pgreprise.shard_ids_00') is not null").fetchall()
    if is_shard:
        raise ImportRefused(
            "The target is a shard, whose ids tell where rows lie, and an import keeps the ids of the source. Import "
            "into a database that is no shard yet, then make it one: pgreprise shard prepare. Nothing was imported."
        )


def _make_run_tables(pooled: Connection, connection: psycopg.Connection[Any]) -> None:
    """Create the application's tables of runs where they are missing, and let reruns write them."""
    [(existing,)] = connection.execute(
        "select count(to_regclass('public.' || wanted.name)) from unnest(%s::text[]) as wanted(name)",
        (list(OPTIONAL_TABLES),),
    ).fetchall()
    if existing < len(OPTIONAL_TABLES):
        create_run_tables(pooled)


def _judge(connection: psycopg.Connection[Any]) -> Judge:
    """Asks PostgreSQL whether it takes a text as a value of a type; the answers for short texts are kept."""

    def ask(kind: str, text: str) -> str | None:
        try:
            with connection.transaction():
                connection.execute(sql.SQL("select {}::{}").format(sql.Literal(text), sql.SQL(kind)))
        except psycopg.DatabaseError as error:
            if connection.broken:
                raise
            detail = f": {error.diag.message_detail.rstrip('.')}" if error.diag.message_detail else ""
            return f"{error.diag.message_primary or error}{detail}"
        return None

    remembering = lru_cache(1000)(ask)
    return lambda kind, text: remembering(kind, text) if len(text) < 100 else ask(kind, text)


def _advance_ids(connection: psycopg.Connection[Any], plan: TablePlan) -> None:
    """Let the next generated id of the table be one that the import has not used."""
    [(sequence,)] = connection.execute(
        "select pgreprise.id_sequence(%s::regclass, %s)::text", (f"public.{plan.name}", plan.key)
    ).fetchall()
    # Without a sequence pgreprise's routines never insert there (core/adoption/check_tables has checked it).
    if sequence is None:
        return
    connection.execute(
        # Never back: a sequence may be ahead of a table whose rows were deleted. And not further than it can count.
        sql.SQL(
            "select setval(%(sequence)s::regclass, least(used.largest, limits.seqmax), true) "
            "from (select max({key})::bigint as largest from {relation}) as used, {sequence} as given, "
            "pg_catalog.pg_sequence as limits where limits.seqrelid = %(sequence)s::regclass and "
            "(used.largest > given.last_value or (used.largest = given.last_value and not given.is_called))"
        ).format(key=sql.Identifier(plan.key), relation=plan.relation, sequence=sql.SQL(sequence)),
        {"sequence": sequence},
    )


def _continue_runs(connection: psycopg.Connection[Any]) -> None:
    """Let the rows' runs go on where an earlier history of their ids ends; version 1 of the routines keeps none."""
    routine = "pgreprise.skip_used_run_numbers(bigint[], bigint[])"
    row = connection.execute("select to_regprocedure(%s)", (routine,)).fetchone()
    if row is not None and row[0] is not None:
        connection.execute("select pgreprise.skip_used_run_numbers()")
