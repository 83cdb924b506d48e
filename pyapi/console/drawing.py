"""Where things are in the pictures: the bars of the chart of acts, and the boxes and lines of a report's linkage."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

__all__ = ["Chart", "Linkage", "acts_chart", "linkage"]

# --- acts by the hour ------------------------------------------------------------------------

_BAR, _GAP, _HEIGHT = 18, 6, 120
# From the foot of a bar up.
_SERIES = ("rerun", "other", "refusal")


@dataclass(frozen=True)
class Bar:
    """The part of an hour's bar that is of one series."""

    x: int
    y: float
    height: float
    series: str


@dataclass(frozen=True)
class Chart:
    """Acts by the hour. The numbers are those of an SVG's units; ``hours`` has the same as a table."""

    width: int
    height: int
    highest: int
    bars: Sequence[Bar]
    hours: Sequence[tuple[datetime, Mapping[str, int]]]
    bar: int = _BAR


def acts_chart(counts: Iterable[Mapping[str, Any]], until: datetime, hours: int = 24) -> Chart:
    """The chart of the rows of act_counts: reruns, refusals and other acts of the last hours."""
    last = until.replace(minute=0, second=0, microsecond=0)
    starts = [last - timedelta(hours=back) for back in range(hours - 1, -1, -1)]
    by_hour: dict[datetime, Counter[str]] = {start: Counter() for start in starts}
    for row in counts:
        if (hour := row["starts_at"]) in by_hour:
            kind = row["kind"] if row["kind"] in ("rerun", "refusal") else "other"
            by_hour[hour][kind] += row["acts"]
    highest = max(1, *(sum(found.values()) for found in by_hour.values()))
    bars = []
    for place, start in enumerate(starts):
        top = float(_HEIGHT)
        for name in _SERIES:
            if number := by_hour[start][name]:
                height = max(2.0, _HEIGHT * number / highest)
                top -= height
                bars.append(Bar(place * (_BAR + _GAP), top, height, name))
    return Chart(hours * (_BAR + _GAP), _HEIGHT, highest, bars, [(start, by_hour[start]) for start in starts])


# --- what belongs to a report ----------------------------------------------------------------

_BOX, _ROW, _COLUMN, _MOST = 190, 62, 250, 6


@dataclass(frozen=True)
class Box:
    """A row of the database in the picture: ``kind`` is report, simulation, reform_impact, other or more."""

    kind: str
    id: int | None
    x: int
    y: int
    lines: Sequence[str]


@dataclass
class Linkage:
    """A report, what a rerun would touch, and the other reports that share it."""

    boxes: list[Box] = field(default_factory=list)
    lines: list[tuple[int, int, int, int]] = field(default_factory=list)
    width: int = 3 * _COLUMN - (_COLUMN - _BOX)
    height: int = 0
    box: int = _BOX
    row: int = _ROW - 14


def linkage(report_id: int, touched: Sequence[Mapping[str, Any]]) -> Linkage:
    """The picture of the rows of rerun_preview."""
    picture = Linkage()
    linked = [row for row in touched if row["kind"] in ("simulation", "reform_impact")]
    shown, left = linked[:_MOST], linked[_MOST:]
    others: dict[int, list[int]] = {}
    for place, row in enumerate(shown):
        for other in row["shared_with"]:
            others.setdefault(other, []).append(place)
    named = list(others)[:_MOST]
    rows = max(1, len(shown) + bool(left), len(named) + (len(others) > len(named)))
    picture.height = rows * _ROW
    middle = (picture.height - _ROW) // 2

    def join(from_column: int, from_y: int, to_y: int) -> None:
        half = picture.row // 2
        x = from_column * _COLUMN + _BOX
        picture.lines.append((x, from_y + half, (from_column + 1) * _COLUMN, to_y + half))

    own = next((row for row in touched if row["kind"] == "report" and row["id"] == report_id), None)
    picture.boxes.append(Box("report", report_id, 0, middle, (f"report #{report_id}", own["status"] if own else "")))
    for place, row in enumerate(shown):
        y = place * _ROW
        name = "cache row" if row["kind"] == "reform_impact" else row["kind"]
        is_kept = row["action"].startswith("kept")
        told = f"{row['status']}, kept by a rerun" if is_kept else row["status"] or ""
        kind = f"{row['kind']} kept" if is_kept else row["kind"]
        picture.boxes.append(Box(kind, row["id"], _COLUMN, y, (f"{name} #{row['id']}", told)))
        join(0, middle, y)
    if left:
        picture.boxes.append(Box("more", None, _COLUMN, len(shown) * _ROW, (f"{len(left):,} more", "")))
    for place, other in enumerate(named):
        y = place * _ROW
        picture.boxes.append(Box("other", other, 2 * _COLUMN, y, (f"report #{other}", "shares it")))
        for linked_place in others[other]:
            join(1, linked_place * _ROW, y)
    if len(others) > len(named):
        y = len(named) * _ROW
        picture.boxes.append(Box("more", None, 2 * _COLUMN, y, (f"{len(others) - len(named):,} more reports", "")))
    return picture
