"""The data of the benchmarks: rows, made by set-based SQL, and outputs in the shape of real ones."""

from __future__ import annotations

import json
import random
from collections.abc import Mapping
from typing import Any

from sqlalchemy import URL

from benchmarks.pgbench import SCRIPTS
from benchmarks.server import connect, create_database
from pyapi.embedded import Embedded

__all__ = ["fill", "filled_database", "report_output"]

_SMALL = "('{\"number\": ' || number || '}')::json"
_REAL_OUTPUTS = 4
_KEY_INDEXES = """
select indexrelid::regclass::text, pg_get_indexdef(indexrelid)
  from pg_index
 where indrelid in ('public.simulations'::regclass, 'public.report_outputs'::regclass, 'public.reform_impact'::regclass)
   and not indisprimary
"""


def filled_database(server: Embedded, name: str, reports: int, output_bytes: int, *, is_real: bool = False) -> URL:
    """A new database of economy reports, each with two simulations and a cache row of its own.

    output_bytes: the size of each output, about.
    is_real: whether they have the shape of real ones; else they are digits, which PostgreSQL cannot compress.
    """
    database = create_database(server, name)
    statements = (SCRIPTS / "fill.sql").read_text(encoding="utf-8")
    if output_bytes == 0:
        # Many rows: a call less for each.
        for end in (",", "\n"):
            statements = statements.replace(f"bench.output(number){end}", f"{_SMALL}{end}")
    if is_real:
        with connect(database) as connection:
            connection.execute((SCRIPTS / "real_output.sql").read_text(encoding="utf-8").encode())
            for number in range(_REAL_OUTPUTS):
                row = (number, report_output(output_bytes, number))
                connection.execute("insert into bench.real_output values (%s, %s::json)", row)
        statements = statements.replace("create schema bench;\n", "")
        statements = statements.replace("bench.output(number)", "bench.real_output(number)")
    fill(database, statements, {"reports": reports, "bytes": output_bytes})
    return database


def fill(database: URL, statements: str, values: Mapping[str, int | str]) -> None:
    """Run the statements that make rows of reports, with values for ``:name``."""
    for name, value in values.items():
        statements = statements.replace(f":{name}", str(value))
    with connect(database) as connection:
        connection.execute("set synchronous_commit = off")
        # Large tables are filled faster without them.
        indexes = connection.execute(_KEY_INDEXES).fetchall()
        for index, _ in indexes:
            connection.execute(f"drop index {index}")
        connection.execute(statements.encode())
        for _, definition in indexes:
            connection.execute(str(definition).encode())
        connection.execute("vacuum analyze")
        connection.execute("checkpoint")


def _impact(numbers: random.Random) -> dict[str, Any]:
    """What a reform does to all households: amounts and shares, as floating point computes them."""
    average = {str(decile): round(numbers.gauss(0, 400), 4) for decile in range(1, 11)}
    return {
        "budget": {
            "baseline_net_income": numbers.uniform(1e9, 4e12),
            "benefit_spending_impact": numbers.gauss(0, 4e9),
            "budgetary_impact": numbers.gauss(0, 4e10),
            "households": float(numbers.randrange(10**5, 10**8)),
        },
        "decile": {"average": average, "relative": {decile: value / 5e4 for decile, value in average.items()}},
        "inequality": {"gini": {"baseline": numbers.uniform(0.3, 0.5), "reform": numbers.uniform(0.3, 0.5)}},
    }


def _area(number: int, numbers: random.Random) -> dict[str, Any]:
    """What it does to those of one area."""
    income = round(numbers.gauss(0, 400), 4)
    poverty = numbers.uniform(0.05, 0.2)
    return {
        "area": f"district {number}",
        "income": {"average": income, "relative": income / 5e4},
        "poverty": {"baseline": poverty, "reform": poverty * numbers.uniform(0.9, 1.1)},
    }


def report_output(size_bytes: int, seed: int = 0) -> str:
    """The output of an economy report as JSON text: labels that come again and again, and numbers that do not.

    It has at most ``size_bytes`` bytes, of at least 1,000, and as many of them as whole areas fill. Each seed gives
    other numbers.
    """
    numbers = random.Random(seed)
    head, tail = json.dumps(_impact(numbers))[:-1] + ', "areas": [', "]}"
    areas: list[str] = []
    left = size_bytes - len(head) - len(tail)
    while True:
        area = json.dumps(_area(len(areas) + 1, numbers))
        left -= len(area) + len(", ")
        if left < 0:
            return head + ", ".join(areas) + tail
        areas.append(area)
