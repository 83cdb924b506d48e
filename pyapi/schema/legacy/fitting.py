"""What a value of the source becomes in its column here, or why the column cannot hold it."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from pyapi.schema.legacy.outcome import Misfit, Replacement
from pyapi.schema.legacy.plan import Column, TablePlan

__all__ = ["Fitter", "Row", "json_null"]

# Says why PostgreSQL does not take a text as a value of a type, None where it does.
Judge = Callable[[str, str], str | None]

_TIME = re.compile(
    r"\s*(\d{4})-(\d\d)-(\d\d)(?:[ T](\d\d):(\d\d)(?::(\d\d)(?:\.\d*)?)?)?(Z|[+-]\d\d(?::?\d\d)?)?\s*",
    re.ASCII,
)
_ZERO_DATE = re.compile(r"\s*0000-00-00(?:[ T]00:00(?::00(?:\.0*)?)?)?\s*")
_INTEGER = re.compile(r"\s*[+-]?\d+\s*", re.ASCII)
# What jsonb does not take although it is JSON: the character NUL, and halves of a pair.
_ESCAPES_TO_JUDGE = re.compile(r"\\u(?:0000|[dD][89a-fA-F])")


class Unfit(Exception):
    """The column cannot hold the value; the message says why."""


@dataclass
class Row:
    """A row of the source: the values to write, its key as text, and a checksum of what was read.

    ``misfits`` say what its columns here cannot hold, ``replacements`` what was put in place of a value.
    """

    values: list[Any]
    row_id: str
    checksum: bytes
    misfits: list[Misfit]
    replacements: list[Replacement]

    @property
    def size(self) -> int:
        """The characters of its texts."""
        return sum(len(value) for value in self.values if isinstance(value, str))


def json_null(column: Column) -> tuple[str | None, str]:
    """What is written for text that is not JSON, and what that is called."""
    if column.is_required:
        return "null", "JSON null, since the column may not be null"
    return None, "null"


def _reject_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


def _require_json(column: Column, text: str, judge: Judge) -> None:
    if "\0" in text:
        raise Unfit("it holds a NUL character")
    reason = None
    try:
        # Numbers stay text: Python limits the digits of an integer, PostgreSQL does not.
        json.loads(text, parse_constant=_reject_constant, parse_int=str, parse_float=str)
    except ValueError as error:
        raise Unfit(str(error)) from None
    except RecursionError:
        # PostgreSQL nests deeper than Python.
        reason = judge(column.base, text)
    else:
        if column.base == "jsonb" and _ESCAPES_TO_JUDGE.search(text):
            reason = judge(column.base, text)
    if reason is not None:
        raise Unfit(reason)


def _integer(column: Column, value: object, size: int) -> int:
    if isinstance(value, float) or not _INTEGER.fullmatch(str(value)):
        raise Unfit(f"{_quoted(value)} is not an integer")
    number = int(str(value))
    if not -(2 ** (8 * size - 1)) <= number < 2 ** (8 * size - 1):
        raise Unfit(f"{number} is out of range for type {column.type}")
    return number


def _time(column: Column, text: str) -> str:
    found = _TIME.fullmatch(text)
    if found is None:
        raise Unfit(f"{_quoted(text)} is not a time like 2026-04-01 00:01:00")
    *numbers, zone = found.groups()
    try:
        datetime(*(int(number or 0) for number in numbers))  # type: ignore[arg-type]
    except ValueError:
        raise Unfit(f"there is no time {text.strip()}") from None
    if zone and column.base == "timestamp" and zone.strip("+-:0Z"):
        raise Unfit(f"{text.strip()} has a time zone, which type {column.type} would drop")
    return text


def _quoted(value: object) -> str:
    text = str(value)
    return repr(text if len(text) <= 40 else f"{text[:40]}...")


class Fitter:
    """Fits the rows of one table. Text that is not JSON becomes null where ``invalid_json_to_null`` says so.

    Once ``has_checked`` is set, rows are ones that were fitted before, and JSON is not read again.
    """

    def __init__(self, plan: TablePlan, judge: Judge, *, invalid_json_to_null: bool) -> None:
        self._plan = plan
        self._judge = judge
        self._invalid_json_to_null = invalid_json_to_null
        self._no_json: dict[tuple[str, str], str] = {}
        self.has_checked = False

    def fit(self, read: Any) -> Row:
        """A row as it is to be written."""
        row = Row([], "", self._checksum(read), [], [])
        missing = len(self._plan.columns) - len(read)
        for column, value in zip(self._plan.columns, (*read, *[None] * missing), strict=True):
            try:
                fitted = self._fit(row, column, value)
            except Unfit as unfit:
                fitted = None
                if column.is_json and self._invalid_json_to_null and value is not None:
                    fitted, written = json_null(column)
                    row.replacements.append(Replacement(self._plan.name, row.row_id, column.name, str(unfit), written))
                else:
                    # Of a key that cannot be written, what was read.
                    row_id = row.row_id if row.values else str(value)
                    is_json = column.is_json and value is not None
                    row.misfits.append(
                        Misfit(self._plan.name, self._plan.key, row_id, column.name, str(unfit), is_json)
                    )
            if not row.values:
                # The key is the first value.
                row.row_id = str(fitted if fitted is not None else value).rstrip()
            row.values.append(fitted)
        return row

    def _checksum(self, read: Any) -> bytes:
        # Without nulls: a column that the source gets later, and that is null, changes nothing.
        digest = hashlib.blake2b(digest_size=16)
        for column, value in zip(self._plan.columns, read, strict=False):
            if value is not None:
                data = value if isinstance(value, bytes) else str(value).encode()
                digest.update(f"{column.name}:{len(data)}:".encode())
                digest.update(data)
        return digest.digest()

    def _fit(self, row: Row, column: Column, value: Any) -> Any:
        if isinstance(value, bytes):
            try:
                value = value.decode()
            except UnicodeDecodeError as error:
                raise Unfit(f"it is not UTF-8: {error.reason} at byte {error.start}") from None
        if value is None:
            return self._null(row, column, "it is null")
        if column.is_json:
            return self._json(row, column, str(value))
        if column.integer_bytes is not None:
            return _integer(column, value, column.integer_bytes)
        text = str(value)
        if "\0" in text:
            raise Unfit("it holds a NUL character, which PostgreSQL's text cannot")
        match column.base:
            case "varchar" | "bpchar" | "text":
                if column.length is not None and len(text) > column.length:
                    raise Unfit(f"it is too long: {len(text)} characters, the column holds {column.length}")
            case "timestamp" | "timestamptz" | "date":
                if _ZERO_DATE.fullmatch(text):
                    return self._null(row, column, f"there is no time {text.strip()}")
                return _time(column, text)
            case "uuid":
                try:
                    return str(UUID(text.strip()))
                except ValueError:
                    raise Unfit(f"{_quoted(text)} is not a UUID") from None
            case _:
                reason = self._judge(column.type, text)
                if reason is not None:
                    raise Unfit(reason)
        return text

    def _null(self, row: Row, column: Column, reason: str) -> str | None:
        """What is written where the source has nothing; a zero date is nothing, too."""
        if column.spelled is None:
            return column.filled_in
        written = column.filled_in if column.is_required else None
        if column.is_required and written is None:
            raise Unfit(f"{reason}, and the column may not be null (not-null)")
        if column.is_required or reason != "it is null":
            shown = "null" if written is None else repr(written)
            row.replacements.append(Replacement(self._plan.name, row.row_id, column.name, reason, shown))
        return written

    def _json(self, row: Row, column: Column, text: str) -> str:
        place = (row.row_id, column.name)
        if self.has_checked:
            if place in self._no_json:
                raise Unfit(self._no_json[place])
            return text
        try:
            _require_json(column, text, self._judge)
        except Unfit as unfit:
            if self._invalid_json_to_null:
                self._no_json[place] = str(unfit)
            raise
        return text
