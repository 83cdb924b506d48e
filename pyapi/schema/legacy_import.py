"""Copying the reports of a legacy database (SQLite or MySQL) into PostgreSQL: all of them or, on any error, none.

The one module that writes a domain's tables itself. Rows are read as a stream and sent by COPY in
pieces of a few megabytes, so memory stays flat whatever the size of the source.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

import psycopg
from psycopg import sql
from sqlalchemy import (
    URL,
    Connection,
    Engine,
    NullPool,
    column,
    create_engine,
    func,
    inspect,
    make_url,
    select,
    table,
)
from sqlalchemy.exc import ArgumentError, DBAPIError

__all__ = ["ImportRefused", "ImportResult", "Replacement", "import_legacy"]

Progress = Callable[[str, int, int], None]

# What is copied, in the order in which routines lock these tables. The first column is the key.
_TABLES = {
    "report_outputs": (
        "id",
        "country_id",
        "simulation_1_id",
        "simulation_2_id",
        "api_version",
        "status",
        "output",
        "error_message",
        "year",
    ),
    "simulations": (
        "id",
        "country_id",
        "api_version",
        "population_id",
        "population_type",
        "policy_id",
        "status",
        "output",
        "error_message",
    ),
    "reform_impact": (
        "reform_impact_id",
        "baseline_policy_id",
        "reform_policy_id",
        "country_id",
        "region",
        "dataset",
        "time_period",
        "options_json",
        "options_hash",
        "api_version",
        "reform_impact_json",
        "status",
        "message",
        "start_time",
        "end_time",
        "execution_id",
    ),
}
_JSON_COLUMNS = frozenset({"output", "options_json", "reform_impact_json"})

# A COPY is that much text or that many rows, whichever comes first: an error shows after one piece.
_PIECE_CHARACTERS = 4 * 1024 * 1024
_PIECE_ROWS = 10_000
# Rows that the driver hands over at once; one may be megabytes long.
_FETCHED_ROWS = 16


class ImportRefused(Exception):
    """The import stopped and nothing was imported; the message tells why, where, and what to do.

    ``table``, ``row_id`` and ``column`` tell where, as far as the reason has a place.
    """

    def __init__(
        self, message: str, *, table: str | None = None, row_id: str | None = None, column: str | None = None
    ) -> None:
        super().__init__(message)
        self.table, self.row_id, self.column = table, row_id, column


@dataclass(frozen=True)
class Replacement:
    """A value that was replaced, because it is not JSON; ``written`` is what stands there now."""

    table: str
    row_id: str
    column: str
    reason: str
    written: str

    def __str__(self) -> str:
        return f"{self.table}, row {self.row_id}, column {self.column}: {self.reason} (now {self.written})"


@dataclass
class ImportResult:
    """What an import did: rows copied by table, values replaced, tables and columns of the source left behind."""

    rows: dict[str, int] = field(default_factory=dict)
    replaced: list[Replacement] = field(default_factory=list)
    not_copied: list[str] = field(default_factory=list)


def import_legacy(
    source: str, target: Engine, *, invalid_json_to_null: bool = False, progress: Progress | None = None
) -> ImportResult:
    """Copy simulations, report_outputs and reform_impact of a legacy database, keeping their ids.

    ``source`` is the path of an SQLite file, ``sqlite:///path`` or ``mysql://user:password@host/database``;
    it is only read. ``target`` is a migrated database whose three tables are empty; it is one transaction
    there, during which nobody else can write to them. ``invalid_json_to_null`` replaces text that
    PostgreSQL does not take as JSON by null instead of stopping. ``progress`` is called with a table, its
    rows done and its rows in all.

    Returns what was copied, replaced and left behind. Raises ImportRefused when the source cannot be read
    or does not have the tables and columns, when the target holds rows, and for the first row that
    PostgreSQL does not take; nothing is imported then. Raises sqlalchemy.exc.DBAPIError when the target
    cannot be reached.
    """
    with _opened(source) as legacy:
        result = ImportResult(not_copied=_compare_tables(legacy))
        with target.connect() as pooled:
            connection = pooled.connection.driver_connection
            assert isinstance(connection, psycopg.Connection)
            try:
                with connection.transaction():
                    required = _prepare_target(connection)
                    for name in _TABLES:
                        _Copier(connection, name, required, invalid_json_to_null, result).copy(legacy, progress)
                    _advance_ids(connection)
                    _continue_runs(connection)
            except psycopg.Error as error:
                raise ImportRefused(f"The import failed in PostgreSQL: {error}. Nothing was imported.") from error
    return result


# --- the source ------------------------------------------------------------------------------


def _source_url(source: str) -> URL:
    try:
        url = make_url(source) if "://" in source else URL.create("sqlite", database=source)
    except ArgumentError as error:
        raise ImportRefused(
            "The source is not a database URL. It looks like sqlite:///legacy.sqlite or mysql://user:password@host/name."
        ) from error
    match url.get_backend_name():
        case "sqlite":
            path = Path(url.database or "").absolute()
            if not path.is_file():
                raise ImportRefused(f"There is no SQLite file {path}. Check the path; nothing was imported.")
            return URL.create(
                "sqlite+pysqlite", database=f"file:{quote(str(path))}", query={"mode": "ro", "uri": "true"}
            )
        case "mysql" | "mariadb":
            return url.set(drivername="mysql+pymysql")
        case other:
            raise ImportRefused(f"pgreprise imports from SQLite and MySQL, not from {other}.")


@contextmanager
def _opened(source: str) -> Iterator[Connection]:
    """The source, read in one snapshot."""
    url = _source_url(source)
    is_sqlite = url.get_backend_name() == "sqlite"
    try:
        engine = create_engine(
            url, poolclass=NullPool, isolation_level="SERIALIZABLE" if is_sqlite else "REPEATABLE READ"
        )
    except ModuleNotFoundError as error:
        raise ImportRefused(
            f"Reading MySQL needs the module {error.name}: pip install 'pgreprise[mysql]'. Nothing was imported."
        ) from error
    try:
        with engine.connect() as connection:
            # SQLite's driver begins no transaction for a select.
            connection.exec_driver_sql("begin")
            yield connection
    except DBAPIError as error:
        # The target's connection fails in here too, and speaks for itself.
        if isinstance(error.orig, psycopg.Error):
            raise
        raise ImportRefused(f"The source cannot be read: {error.orig}. Nothing was imported.") from error


def _compare_tables(legacy: Connection) -> list[str]:
    """What of the source is not copied; refuses a source that lacks something."""
    inspector = inspect(legacy)
    missing, not_copied = [], []
    for name in inspector.get_table_names():
        if name not in _TABLES:
            not_copied.append(f"table {name}")
    for name, needed in _TABLES.items():
        if not inspector.has_table(name):
            missing.append(f"table {name}")
            continue
        found = {str(description["name"]).lower(): description["name"] for description in inspector.get_columns(name)}
        missing += [f"column {name}.{wanted}" for wanted in needed if wanted not in found]
        not_copied += [f"column {name}.{spelled}" for lower, spelled in found.items() if lower not in needed]
    if missing:
        raise ImportRefused(
            f"The source is not a legacy report database, it lacks: {', '.join(missing)}. "
            "Add what is missing to a copy of it; nothing was imported."
        )
    return not_copied


def _rows(legacy: Connection, name: str) -> Iterator[Any]:
    if legacy.dialect.name == "sqlite":
        # Text as it is stored: one that is not UTF-8 is to be met in its row, not in the driver.
        legacy.connection.driver_connection.text_factory = bytes  # type: ignore[union-attr]
    wanted = table(name, *map(column, _TABLES[name]))
    statement = select(wanted).order_by(wanted.c[0])
    yield from legacy.execute(statement, execution_options={"yield_per": _FETCHED_ROWS})


# --- the target ------------------------------------------------------------------------------


def _prepare_target(connection: psycopg.Connection[Any]) -> frozenset[tuple[str, str]]:
    """Lock the tables, refuse them when they hold rows; returns which JSON columns may not be null."""
    # Objects that others planted in the target are not for the administrator who imports.
    connection.execute("set local search_path = pg_catalog, pg_temp")
    connection.execute("set local statement_timeout = 0")
    connection.execute("select set_config('lock_timeout', '5s', true) where current_setting('lock_timeout') = '0'")
    connection.execute("set local client_encoding = 'UTF8'")
    filled = []
    for name in _TABLES:
        relation = sql.Identifier("public", name)
        try:
            connection.execute(sql.SQL("lock table {} in share row exclusive mode").format(relation))
        except psycopg.errors.UndefinedTable as error:
            raise ImportRefused(
                f"The target has no table public.{name}. Run `pgreprise migrate`, then import again.", table=name
            ) from error
        except psycopg.errors.LockNotAvailable as error:
            raise ImportRefused(
                f"Someone else is writing to public.{name} of the target. Stop what writes to it, then import again.",
                table=name,
            ) from error
        if connection.execute(sql.SQL("select from {} limit 1").format(relation)).fetchone() is not None:
            filled.append(f"public.{name}")
    if filled:
        raise ImportRefused(
            f"The target already holds rows in {', '.join(filled)}; importing would mix two databases. "
            "Import into an empty database; nothing was imported."
        )
    required = connection.execute(
        "select relation.relname, attribute.attname "
        "from pg_catalog.pg_attribute as attribute "
        "join pg_catalog.pg_class as relation on relation.oid = attribute.attrelid "
        "where relation.relnamespace = 'public'::regnamespace and relation.relname = any (%s) "
        "and attribute.attname = any (%s) and attribute.attnotnull",
        (list(_TABLES), list(_JSON_COLUMNS)),
    )
    return frozenset((str(row[0]), str(row[1])) for row in required)


def _advance_ids(connection: psycopg.Connection[Any]) -> None:
    """Let the next generated id of each table be one that the import has not used."""
    for name, (key, *_) in _TABLES.items():
        # An adopted table may take its ids from a sequence that it does not own.
        row = connection.execute(
            "select coalesce(pg_get_serial_sequence(%(relation)s, %(key)s), min(used.refobjid::regclass::text)) "
            "from pg_catalog.pg_attribute as attribute "
            "left join pg_catalog.pg_attrdef as given "
            "on given.adrelid = attribute.attrelid and given.adnum = attribute.attnum "
            "left join pg_catalog.pg_depend as used "
            "on used.classid = 'pg_attrdef'::regclass and used.objid = given.oid "
            "and used.refobjid in (select sequence.oid from pg_catalog.pg_class as sequence where relkind = 'S') "
            "where attribute.attrelid = %(relation)s::regclass and attribute.attname = %(key)s",
            {"relation": f"public.{name}", "key": key},
        ).fetchone()
        # Without a sequence pgreprise's routines never insert there (steps/adopt_tables has checked it).
        if row is not None and row[0] is not None:
            connection.execute(
                # Never back: a sequence may be ahead of a table whose rows were deleted.
                sql.SQL(
                    "select setval(%(sequence)s, greatest(max({key})::bigint + 1, nextval(%(sequence)s)), false) "
                    "from {relation} having max({key}) is not null"
                ).format(key=sql.Identifier(key), relation=sql.Identifier("public", name)),
                {"sequence": row[0]},
            )


def _continue_runs(connection: psycopg.Connection[Any]) -> None:
    """Let the rows' runs go on where an earlier history of their ids ends; version 1 of the routines keeps none."""
    routine = "pgreprise.skip_used_run_numbers(bigint[], bigint[])"
    row = connection.execute("select to_regprocedure(%s)", (routine,)).fetchone()
    if row is not None and row[0] is not None:
        connection.execute("select pgreprise.skip_used_run_numbers()")


# --- the copy --------------------------------------------------------------------------------


def _reject_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


def _json_defect(text: str) -> str | None:
    """Why PostgreSQL would not take a text as json, where Python can tell; PostgreSQL has the last word."""
    if "\0" in text:
        return "it holds a NUL character"
    try:
        # Numbers stay text: Python limits the digits of an integer, PostgreSQL does not.
        json.loads(text, parse_constant=_reject_constant, parse_int=str, parse_float=str)
    except ValueError as error:
        return str(error)
    except RecursionError:
        # PostgreSQL nests deeper than Python.
        return None
    return None


class _Copier:
    """Copies one table, and turns whatever is wrong with a row into its place and reason."""

    def __init__(
        self,
        connection: psycopg.Connection[Any],
        name: str,
        required: frozenset[tuple[str, str]],
        invalid_json_to_null: bool,
        result: ImportResult,
    ) -> None:
        self._connection = connection
        self._name = name
        self._columns = _TABLES[name]
        self._required = required
        self._invalid_json_to_null = invalid_json_to_null
        self._result = result
        self._statement = sql.SQL("copy {} ({}) from stdin").format(
            sql.Identifier("public", name), sql.SQL(", ").join(map(sql.Identifier, self._columns))
        )

    def copy(self, legacy: Connection, progress: Progress | None) -> None:
        """Copy the table, piece by piece."""
        total = legacy.execute(select(func.count()).select_from(table(self._name))).scalar_one()
        done = 0
        for piece in self._pieces(_rows(legacy, self._name)):
            self._send(piece)
            done += len(piece)
            if progress is not None:
                progress(self._name, done, total)
        if progress is not None and done == 0:
            progress(self._name, 0, 0)
        self._result.rows[self._name] = done

    def _pieces(self, rows: Iterator[Any]) -> Iterator[list[list[Any]]]:
        piece: list[list[Any]] = []
        characters = 0
        for row in rows:
            values = self._checked(row)
            piece.append(values)
            characters += sum(len(value) for value in values if isinstance(value, str))
            if characters >= _PIECE_CHARACTERS or len(piece) >= _PIECE_ROWS:
                yield piece
                piece, characters = [], 0
        if piece:
            yield piece

    def _checked(self, row: Any) -> list[Any]:
        """The row as it is sent: texts decoded, JSON checked."""
        values: list[Any] = []
        for name, value in zip(self._columns, row, strict=True):
            # The key is the first value.
            row_id = str(values[0]) if values else str(value)
            defect = None
            if isinstance(value, bytes):
                try:
                    value = value.decode()
                except UnicodeDecodeError as error:
                    defect = f"it is not UTF-8: {error.reason} at byte {error.start}"
            if name in _JSON_COLUMNS:
                if defect is None and value is not None:
                    value = str(value)
                    defect = _json_defect(value)
                if defect is not None:
                    value = self._replacement(row_id, name, defect)
            elif defect is not None:
                raise self._refusal(row_id, name, defect)
            elif isinstance(value, str) and "\0" in value:
                raise self._refusal(row_id, name, "it holds a NUL character, which PostgreSQL's text cannot")
            values.append(value)
        return values

    def _send(self, piece: list[list[Any]]) -> None:
        while True:
            try:
                with (
                    self._connection.transaction(),
                    self._connection.cursor() as cursor,
                    cursor.copy(self._statement) as copy,
                ):
                    for row in piece:
                        copy.write_row(row)
                return
            except psycopg.Error as error:
                # What PostgreSQL refused as JSON and Python did not is replaced, and the piece sent again.
                refused, name = self._place(error, piece)
                diagnosis = error.diag
                reason = diagnosis.message_primary or str(error)
                state = error.sqlstate or ""
                if state.startswith("22") and diagnosis.message_detail:
                    reason = f"{reason}: {diagnosis.message_detail.rstrip('.')}"
                if refused is None:
                    raise self._refusal(None, name, reason) from error
                row_id = str(refused[0])
                if name not in _JSON_COLUMNS or state[:2] not in ("22", "54"):
                    raise self._refusal(row_id, name, reason) from error
                refused[self._columns.index(name)] = self._replacement(row_id, name, reason)

    def _place(self, error: psycopg.Error, piece: list[list[Any]]) -> tuple[list[Any] | None, str | None]:
        """The row and the column that PostgreSQL did not take: `COPY simulations, line 3, column output: ...`."""
        found = re.search(
            rf"^COPY {self._name}\W+\w+\W+(\d+)(?:\W+\w+\W+(\w+))?", error.diag.context or "", re.MULTILINE
        )
        if found is None:
            return None, error.diag.column_name
        line, name = found.groups()
        return piece[int(line) - 1], error.diag.column_name or (name if name in self._columns else None)

    def _replacement(self, row_id: str, name: str, reason: str) -> str | None:
        if not self._invalid_json_to_null:
            raise self._refusal(
                row_id, name, reason, "Correct it in the source, or import with --invalid-json null to write null."
            )
        required = (self._name, name) in self._required
        written = "JSON null, since the column may not be null" if required else "null"
        self._result.replaced.append(Replacement(self._name, row_id, name, reason, written))
        return "null" if required else None

    def _refusal(
        self, row_id: str | None, name: str | None, reason: str, remedy: str = "Correct it in the source."
    ) -> ImportRefused:
        place = self._name
        if row_id is not None:
            place += f", row {self._columns[0]} = {row_id}"
        if name is not None:
            place += f", column {name}"
        return ImportRefused(
            f"{place}: {reason}. {remedy} Nothing was imported.", table=self._name, row_id=row_id, column=name
        )
