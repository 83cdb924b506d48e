"""The plot of the figures: every ratio that has an aim, beside its aim."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

__all__ = ["draw"]

_MET, _MISSED = "#2a7f62", "#b5483a"


def draw(figures: Sequence[Mapping[str, Any]], path: Path) -> bool:
    """Write an SVG; returns False where matplotlib is not installed.

    A ratio is divided by its aim, upside down where the aim is a limit from above: beyond 1 it is met.
    """
    try:
        import matplotlib
    except ImportError:
        return False
    matplotlib.use("svg")
    from matplotlib import pyplot

    # The same figures give the same file, and its text stays text.
    matplotlib.rcParams.update({"svg.hashsalt": "pgreprise", "svg.fonttype": "none", "font.size": 8})
    aimed = [figure for figure in figures if figure["at_least"] is not None or figure["at_most"] is not None]

    def against_aim(figure: Mapping[str, Any], value: float) -> float:
        return float(value / figure["at_least"] if figure["at_least"] is not None else figure["at_most"] / value)

    drawing, axes = pyplot.subplots(figsize=(9, 0.28 * len(aimed) + 1.2), layout="constrained")
    for row, figure in enumerate(reversed(aimed)):
        median = against_aim(figure, figure["value"]["median"])
        ends = sorted(against_aim(figure, figure["value"][end]) for end in ("low", "high"))
        axes.barh(row, median, color=_MET if median >= 1 else _MISSED, height=0.6)
        axes.plot(ends, [row, row], color="black", linewidth=0.8)
    axes.axvline(1, color="black", linewidth=0.8, linestyle="--")
    axes.set_xscale("log")
    axes.set_yticks(range(len(aimed)), [f"{figure['benchmark']}: {figure['name']}" for figure in reversed(aimed)])
    axes.set_xlabel("median against the aim (1 is the aim; the line is the lowest and the highest round)")
    drawing.savefig(path, metadata={"Date": None})
    return True
