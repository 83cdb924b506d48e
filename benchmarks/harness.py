"""What the benchmarks share: rounds in turn, medians with their spread, the figures and their table."""

from __future__ import annotations

import json
import os
import platform
import statistics
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import psutil
from rich.console import Console
from rich.table import Table

from pyapi.embedded import Embedded

__all__ = ["Bench", "Figure", "Measure", "Spread", "in_turn", "print_table", "ratios", "write_results"]

Measure = Callable[[], float]


@dataclass(frozen=True)
class Spread:
    """The median of some measurements, and the lowest and highest."""

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Spread:
        """The spread of at least one value."""
        return cls(statistics.median(values), min(values), max(values))


@dataclass(frozen=True)
class Figure:
    """One line of the table.

    ``unit`` is "x" for a ratio of two things that were measured in turn. ``at_least`` and ``at_most``
    are the aims, where there is one.
    """

    benchmark: str
    name: str
    value: Spread
    unit: str = "x"
    at_least: float | None = None
    at_most: float | None = None
    note: str = ""

    @property
    def aim(self) -> str:
        """The aim as people read it."""
        if self.at_least is not None:
            return f">= {self.at_least:g}"
        return f"<= {self.at_most:g}" if self.at_most is not None else ""

    @property
    def is_met(self) -> bool | None:
        """Whether the median meets the aim; None where there is none."""
        if self.at_least is not None:
            return self.value.median >= self.at_least
        return self.value.median <= self.at_most if self.at_most is not None else None


@dataclass(frozen=True)
class Bench:
    """What a benchmark is given.

    server: the server that it makes its databases on.
    short: the form for CI: seconds, small data, no figure that means anything.
    rounds: how often each of two things is measured, in turn.
    sizes: rows of each table for the benchmark of growth.
    memory_reports: reports in the batch whose memory is watched.
    progress: tells the user what is being done.
    """

    server: Embedded
    short: bool
    rounds: int
    sizes: tuple[int, ...]
    memory_reports: int
    progress: Callable[[str], None]


def in_turn(rounds: int, *measures: Measure) -> list[list[float]]:
    """Measure A, B, A, B, ...: what disturbs the machine for a while disturbs all of them alike.

    Returns the measurements of each, round by round.
    """
    measured: list[list[float]] = [[] for _ in measures]
    for _ in range(rounds):
        for measure, values in zip(measures, measured, strict=True):
            values.append(measure())
    return measured


def ratios(above: Sequence[float], below: Sequence[float]) -> Spread:
    """The spread of the ratios of the rounds."""
    return Spread.of([one / other for one, other in zip(above, below, strict=True)])


def _number(value: float) -> str:
    if abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{value:.0f}" if abs(value) >= 100 else f"{value:.2f}"


def print_table(figures: Sequence[Figure], console: Console) -> None:
    """One table of all figures; the spread is the lowest and highest round."""
    table = Table("benchmark", "what", "median", "spread", "unit", "aim", "met", title="pgreprise benchmarks")
    for column in (2, 3):
        table.columns[column].justify = "right"
    for figure in figures:
        table.add_row(
            figure.benchmark,
            f"{figure.name} ({figure.note})" if figure.note else figure.name,
            _number(figure.value.median),
            f"{_number(figure.value.low)} to {_number(figure.value.high)}",
            figure.unit,
            figure.aim,
            {True: "yes", False: "no", None: ""}[figure.is_met],
        )
    console.print(table)


def machine() -> dict[str, object]:
    """What the figures were measured on."""
    return {
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
        "processors": os.cpu_count(),
        "memory_gb": round(psutil.virtual_memory().total / 2**30),
    }


def write_results(figures: Sequence[Figure], settings: dict[str, str], path: Path) -> list[dict[str, Any]]:
    """Write all figures as JSON, those of benchmarks that were not run this time kept from last time; return them."""
    new = [{**asdict(figure), "met": figure.is_met} for figure in figures]
    ran = {figure.benchmark for figure in figures}
    kept = []
    if path.exists():
        kept = [figure for figure in json.loads(path.read_text())["figures"] if figure["benchmark"] not in ran]
    results = {"machine": machine(), "settings": settings, "figures": [*kept, *new]}
    path.write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")
    return [*kept, *new]
