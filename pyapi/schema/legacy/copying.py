"""Sending rows to PostgreSQL by COPY, in pieces of a few megabytes, so that memory stays flat."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any

import psycopg
from psycopg import sql

from pyapi.schema.legacy.fitting import Row, json_null
from pyapi.schema.legacy.outcome import ImportRefused, ImportResult, Replacement
from pyapi.schema.legacy.plan import TablePlan

__all__ = ["Copier", "pieces", "raise_kept_rows", "seen_table"]

# A COPY is that much text or that many rows, whichever comes first: an error shows after one piece.
_PIECE_CHARACTERS = 4 * 1024 * 1024
_PIECE_ROWS = 10_000


def pieces(rows: Iterable[Row]) -> Iterator[list[Row]]:
    """Rows, a few megabytes at a time."""
    piece: list[Row] = []
    characters = 0
    for row in rows:
        piece.append(row)
        characters += row.size
        if characters >= _PIECE_CHARACTERS or len(piece) >= _PIECE_ROWS:
            yield piece
            piece, characters = [], 0
    if piece:
        yield piece


def seen_table(plan: TablePlan) -> sql.Identifier:
    """The temporary table with the id and the checksum of each row that was read."""
    return sql.Identifier("pg_temp", f"seen_{plan.name}")


def raise_kept_rows(connection: psycopg.Connection[Any], plan: TablePlan, wanted: int, written: int) -> None:
    """Raise RR022: a trigger of the host kept rows from being written."""
    connection.execute("select pgreprise.raise_kept_rows('RR022', %s, %s, %s)", (plan.name, wanted, written))


class Copier:
    """Sends the rows of one table, into it or into another relation with its columns.

    What PostgreSQL refuses stops the import with its place and reason.
    """

    def __init__(
        self,
        connection: psycopg.Connection[Any],
        plan: TablePlan,
        relation: sql.Identifier,
        result: ImportResult,
        *,
        invalid_json_to_null: bool,
    ) -> None:
        self._connection = connection
        self._plan = plan
        self._result = result
        self._invalid_json_to_null = invalid_json_to_null
        # COPY names the relation without its schema.
        self._written = relation.as_string().split(".")[-1].strip('"')
        self._statement = sql.SQL("copy {} ({}) from stdin").format(
            relation, sql.SQL(", ").join(map(sql.Identifier, plan.names))
        )
        connection.execute(
            # A null of the key's own type, to compare ids as what they are.
            sql.SQL(
                "create temporary table {} on commit drop as "
                "select entry.{} as row_id, null::bytea as checksum from {} as entry with no data"
            ).format(sql.Identifier(f"seen_{plan.name}"), sql.Identifier(plan.key), plan.relation)
        )
        self._note = sql.SQL("copy {} (row_id, checksum) from stdin").format(seen_table(plan))

    def note(self, piece: list[Row]) -> None:
        """Note that these rows were read, with their checksums."""
        with self._connection.cursor() as cursor, cursor.copy(self._note) as copy:
            for row in piece:
                copy.write_row((row.values[0], row.checksum))

    def send(self, piece: list[Row]) -> int:
        """Send these rows. Returns how many were written: a trigger of the host may keep some."""
        while True:
            try:
                with self._connection.transaction(), self._connection.cursor() as cursor:
                    with cursor.copy(self._statement) as copy:
                        for row in piece:
                            copy.write_row(row.values)
                    return cursor.rowcount
            except psycopg.Error as error:
                if self._connection.broken:
                    raise
                # What PostgreSQL refused as JSON and Python did not is replaced, and the piece sent again.
                self._meet(error, piece)

    def _meet(self, error: psycopg.Error, piece: list[Row]) -> None:
        refused, name = self._place(error, piece)
        diagnosis = error.diag
        reason = diagnosis.message_primary or str(error)
        state = error.sqlstate or ""
        if state.startswith("22") and diagnosis.message_detail:
            reason = f"{reason}: {diagnosis.message_detail.rstrip('.')}"
        column = next((column for column in self._plan.columns if column.name == name), None)
        is_json = column is not None and column.is_json and state[:2] in ("22", "54")
        remedy = "Correct it in the source."
        if is_json and not self._invalid_json_to_null:
            remedy = "Correct it in the source, or import with --invalid-json null to write null."
        if refused is None or column is None or not is_json or not self._invalid_json_to_null:
            place = self._plan.name
            row_id = None if refused is None else refused.row_id
            if row_id is not None:
                place += f", row {self._plan.key} = {row_id}"
            if name is not None:
                place += f", column {name}"
            raise ImportRefused(
                f"{place}: {reason}. {remedy} Nothing was imported.",
                table=self._plan.name,
                row_id=row_id,
                column=name,
            ) from error
        value, written = json_null(column)
        refused.values[self._plan.columns.index(column)] = value
        self._result.replace(Replacement(self._plan.name, refused.row_id, column.name, reason, written))

    def _place(self, error: psycopg.Error, piece: list[Row]) -> tuple[Row | None, str | None]:
        """The row and the column that PostgreSQL did not take: `COPY simulations, line 3, column output: ...`."""
        found = re.search(
            rf"^COPY {self._written}\W+\w+\W+(\d+)(?:\W+\w+\W+(\w+))?", error.diag.context or "", re.MULTILINE
        )
        if found is None:
            return None, error.diag.column_name
        line, name = found.groups()
        return piece[int(line) - 1], error.diag.column_name or (name if name in self._plan.names else None)
