"""Options that several commands have, and the types of their values."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import click

__all__ = ["AGE", "DURATION", "LIFETIME", "MOMENT", "REASON_OPTION"]

REASON_OPTION = click.option("--reason", metavar="TEXT", help="Why you do it, for the history.")

_UNITS = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_SECONDS = re.compile(r"([0-9]{1,8})s?")
_FRACTION = re.compile(r"([0-9]{1,8}(?:\.[0-9]{1,3})?)s?")
_DURATION = re.compile(r"([0-9]{1,8}) ?(?:([mhdw])|(minute|hour|day|week)s?)")
# Nobody means more, and a time that long ago has a year that Python and PostgreSQL know.
_LONGEST = timedelta(days=365_000)
_AGES = "30m, 12h, 30d or 4w (minutes, hours, days, weeks)"


def _duration(text: str) -> timedelta | None:
    found = _DURATION.fullmatch(text.strip())
    if found is None:
        return None
    duration = timedelta(**{_UNITS[found[2] or found[3][0]]: int(found[1])})
    return duration if duration <= _LONGEST else None


class _Age(click.ParamType[timedelta]):
    """A number with a unit, as a timedelta. A number alone is refused: nobody knows whether it means days."""

    name = "age"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> timedelta:
        if isinstance(value, timedelta):
            return value
        age = _duration(value)
        if age is None:
            unit = f" {value} has no unit: did you mean {value}d?" if value.strip().isdecimal() else ""
            self.fail(f"Give a number with a unit, as {_AGES}.{unit}", param, ctx)
        return age


class _Lifetime(click.ParamType[timedelta]):
    """How long something is valid, as a timedelta above zero. A number alone means seconds, as in OAuth."""

    name = "duration"
    seconds = _SECONDS

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> timedelta:
        if isinstance(value, timedelta):
            return value
        seconds = self.seconds.fullmatch(value)
        lifetime = timedelta(seconds=float(seconds[1])) if seconds else _duration(value)
        if not lifetime:  # Nor zero.
            self.fail(f"{value!r} is not a duration. Write it as 90s, 15m, 1h or 7d.", param, ctx)
        return lifetime


class _Duration(_Lifetime):
    """How long something takes; also a part of a second."""

    seconds = _FRACTION


class _Moment(click.ParamType[datetime]):
    """A time, or how long ago it is, as a datetime with a zone. Without a zone it is the local one."""

    name = "time"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> datetime:
        if isinstance(value, datetime):
            return value
        age = _duration(value)
        if age is not None:
            return datetime.now(UTC) - age
        try:
            return datetime.fromisoformat(value.strip()).astimezone()
        except (ValueError, OverflowError):
            self.fail(f"Give a time, as 2026-01-31 or 2026-01-31T17:00, or how long ago it is, as {_AGES}.", param, ctx)


AGE = _Age()
DURATION = _Duration()
LIFETIME = _Lifetime()
MOMENT = _Moment()
