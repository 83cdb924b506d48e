"""``make bench``: run the benchmarks, print one table, write the figures and a plot to benchmarks/results/."""

from __future__ import annotations

import importlib
import tempfile
from pathlib import Path

import click
from rich.console import Console

from benchmarks.harness import Bench, Figure, print_table, write_results
from benchmarks.plot import draw
from benchmarks.server import SETTINGS, running_server

NAMES = ("rerun", "rivals", "claims", "growth", "size", "batch", "http", "outputs", "carbon", "shards", "start")
RESULTS = Path(__file__).parent / "results"


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("names", metavar="[NAME]...", nargs=-1, type=click.Choice(NAMES))
@click.option("--short", is_flag=True, help="Seconds and small data: to see that it works, not how fast it is.")
@click.option("--rounds", type=click.IntRange(1, 100), default=7, show_default=True)
@click.option("--sizes", default="10000,1000000", show_default=True, help="Rows of each table for growth.")
@click.option("--memory-reports", default=1_000_000, show_default=True, help="Reports in the batch that is watched.")
@click.option("--folder", type=click.Path(exists=True, file_okay=False, path_type=Path), help="Where data is built.")
def main(
    names: tuple[str, ...], short: bool, rounds: int, sizes: str, memory_reports: int, folder: Path | None
) -> None:
    """Measure pgreprise: all benchmarks, or those named."""
    console = Console(width=150)
    console.print("Settings of the server: " + ", ".join(f"{name} = {value}" for name, value in SETTINGS.items()))
    figures: list[Figure] = []
    with running_server(folder) as server:
        for name in names or NAMES:

            def progress(text: str, name: str = name) -> None:
                console.print(f"{name}: {text}", style="dim", highlight=False)

            bench = Bench(
                server,
                short,
                2 if short else rounds,
                (200, 400) if short else tuple(int(size) for size in sizes.split(",")),
                memory_reports,
                progress,
            )
            figures += importlib.import_module(f"benchmarks.{name}").run(bench)
    print_table(figures, console)
    # Figures of the short form mean nothing, and do not replace real ones.
    folder_of_results = Path(tempfile.gettempdir()) / "pgreprise-bench-short" if short else RESULTS
    folder_of_results.mkdir(exist_ok=True)
    written = write_results(figures, SETTINGS, folder_of_results / "results.json")
    console.print(f"The figures are in {folder_of_results / 'results.json'}")
    if draw(written, folder_of_results / "plot.svg"):
        console.print(f"The plot is in {folder_of_results / 'plot.svg'}")


if __name__ == "__main__":
    main()
