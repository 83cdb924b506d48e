"""How values look on the pages: times with their age, numbers with separators, sizes, JSON with indents."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from markupsafe import Markup

from pyapi.wording import duration, size

__all__ = ["FILTERS", "Readable", "readable_json", "span"]


def span(seconds: float | timedelta | None) -> str:
    """A length of time; nothing where it is not known."""
    if seconds is None:
        return ""
    return duration(seconds.total_seconds() if isinstance(seconds, timedelta) else float(seconds))


def _whole(seconds: float) -> str:
    """A length of time without tenths: of an age they say nothing."""
    return f"{int(seconds)} s" if 0 <= seconds < 60 else duration(seconds)


def moment(value: datetime | None) -> Markup:
    """A time with its zone and age. The console's script shows it in the zone of the browser."""
    if value is None:
        return Markup('<span class="none">-</span>')
    at = (value if value.tzinfo else value.replace(tzinfo=UTC)).astimezone(UTC)
    age = (datetime.now(UTC) - at).total_seconds()
    told = f"{_whole(age)} ago" if age >= 1 else f"in {_whole(-age)}" if age <= -1 else "now"
    return Markup('<time datetime="{}">{}</time> <span class="age">({})</span>').format(
        at.isoformat(timespec="milliseconds").replace("+00:00", "Z"), at.strftime("%Y-%m-%d %H:%M:%S UTC"), told
    )


def age(value: datetime | None) -> str:
    """How long ago a time is."""
    return "" if value is None else _whole((datetime.now(UTC) - value).total_seconds())


def number(value: float | None) -> str:
    """A number with separators between thousands."""
    return "-" if value is None else f"{value:,}"


def counted(count: int, noun: str) -> str:
    """A count with its noun: 1 report, 2,000 reports."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def figure(value: float | None, places: int = 3) -> str:
    """A figure with so many decimal places: with three, tonnes to the kilogram."""
    return "-" if value is None else f"{value:,.{places}f}"


def percent(share: float | None) -> str:
    """A share between 0 and 1."""
    return "" if share is None else f"{share:.0%}"


def words(name: str | None) -> str:
    """A name of the database as words: reform_impact becomes reform impact."""
    return (name or "").replace("_", " ")


# Why a stored report cannot be rerun; docs/reference/errors.md has all codes.
_DEFECTS: Mapping[str, str] = {
    "RR002": "a linked simulation is missing, or is of another country",
    "RR003": "the two simulations have different population types",
    "RR004": "a population type that is neither household nor geography",
    "RR005": "an economy report without a year",
    "RR006": "the country has no current economy cache version",
    "RR033": "the two simulations lie in different logical shards",
}


def defect(errcode: str) -> str:
    """What a defect of a report is, and its code."""
    return f"{_DEFECTS[errcode]} ({errcode})" if errcode in _DEFECTS else errcode


def sentence(text: str) -> str:
    """A text with a capital letter at its beginning, and the others as they are."""
    return text[:1].upper() + text[1:]


def listed(values: Iterable[Any] | None, most: int = 10) -> str:
    """Ids as people write them: #4, #5 and 12 more."""
    found = list(values or ())
    text = ", ".join(f"#{value}" for value in found[:most])
    return f"{text} and {len(found) - most:,} more" if len(found) > most else text


# --- JSON ------------------------------------------------------------------------------------

# What JSON is made of. The text is known to be JSON.
_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|[\[\]{},:]|[^\s\[\]{},:"]+', re.DOTALL)


class Readable(NamedTuple):
    """JSON with indents, as far as it is shown, and whether that is all of it."""

    text: str
    is_whole: bool


def readable_json(text: str, longest: int = 200_000) -> Readable:
    """JSON text in lines with indents. Every key and number stays as it is written, also where it stands twice."""
    parts: list[str] = []
    depth, length = 0, 0
    previous = ""
    for found in _TOKEN.finditer(text):
        token = found[0]
        if token in "]}":
            depth -= 1
            part = token if previous in ("[", "{") else "\n" + "  " * depth + token
        elif token == ",":
            part = ","
        elif token == ":":
            part = ": "
        else:
            starts_line = previous in ("[", "{", ",")
            part = ("\n" + "  " * depth if starts_line else "") + token
            depth += token in ("[", "{")
        parts.append(part)
        previous = token
        length += len(part)
        if length > longest:
            return Readable("".join(parts)[:longest], is_whole=False)
    return Readable("".join(parts), is_whole=True)


def compact(value: Any) -> str:
    """A value as JSON on one line."""
    return json.dumps(value, ensure_ascii=False, default=str)


FILTERS: Mapping[str, Callable[..., Any]] = {
    "age": age,
    "counted": counted,
    "defect": defect,
    "figure": figure,
    "listed": listed,
    "moment": moment,
    "number": number,
    "percent": percent,
    "sentence": sentence,
    "size": size,
    "span": span,
    "words": words,
}
