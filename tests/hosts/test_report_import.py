"""Someone moves the report application's rows from an SQLite file, as the application writes them, into PostgreSQL."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import URL

from pyapi.schema.legacy import import_legacy
from tests.support.databases import connect, engine, rows

TABLES = ("report_outputs", "simulations", "report_output_runs", "simulation_runs", "reform_impact")


def columns(url: URL, table: str) -> list[str]:
    """The columns of a table, the one of ours left out."""
    found = rows(
        url,
        "select attname from pg_attribute where attrelid = to_regclass(%s) and attnum > 0 and not attisdropped "
        "and (attname <> 'run_sequence' or attrelid::regclass::text like '%%runs') order by attnum",
        f"public.{table}",
    )
    return [row["attname"] for row in found]


def content(url: URL, table: str, names: list[str]) -> list[tuple[str | None, ...]]:
    """The rows of a table, each value as its text."""
    statement = psycopg.sql.SQL("select {} from {} order by 1").format(
        psycopg.sql.SQL(", ").join(psycopg.sql.SQL("{}::text").format(psycopg.sql.Identifier(name)) for name in names),
        psycopg.sql.Identifier("public", table),
    )
    with connect(url) as connection:
        return [tuple(row.values()) for row in connection.execute(statement)]


@pytest.fixture
def legacy(untouched: URL, tmp_path: Path) -> Path:
    """The host's tables in an SQLite file."""
    path = tmp_path / "host.sqlite"
    with closing(sqlite3.connect(path)) as source, source:
        for table in (*TABLES, "policy", "alembic_version"):
            names = columns(untouched, table)
            source.execute(f"create table {table} ({', '.join(names)})")
            source.executemany(
                f"insert into {table} values ({', '.join('?' * len(names))})",  # noqa: S608
                content(untouched, table, names),
            )
    return path


@pytest.fixture(params=["made", "adopted"])
def moved(request: pytest.FixtureRequest, database: URL, adopted: Callable[[str], URL]) -> Iterator[URL]:
    """An empty target: tables that we made, and the application's own."""
    if request.param == "made":
        yield database
    else:
        url = adopted("ours")
        with connect(url) as connection:
            connection.execute(f"truncate {', '.join(TABLES)}")
        yield url


def test_every_value_arrives_as_it_is(untouched: URL, legacy: Path, moved: URL) -> None:
    result = import_legacy(str(legacy), engine(moved))
    assert result.not_copied == ["table alembic_version", "table policy"]
    assert result.replaced == []
    for table in TABLES:
        before = content(untouched, table, columns(untouched, table))
        assert before
        assert content(moved, table, columns(untouched, table)) == before
        assert result.rows[table] == len(before)


def test_reruns_start_runs_of_the_application_after_the_import(legacy: Path, moved: URL) -> None:
    import_legacy(str(legacy), engine(moved))
    with connect(moved) as connection:
        [report] = connection.execute(
            "select report.id, count(*) as runs from report_outputs as report join report_output_runs as run "
            "on run.report_output_id = report.id join simulations as simulation "
            "on simulation.id = report.simulation_1_id and simulation.population_type = 'household' "
            "group by report.id order by report.id limit 1"
        ).fetchall()
        for country_id in ("us", "uk"):
            connection.execute(
                "select set_cache_versions(%s, economy_impact => 'e1', report_output => 'r1', package => '1')",
                (country_id,),
            )
        connection.execute("call rerun_report(%s::bigint)", (report["id"],))
        runs = connection.execute(
            "select trigger_type from report_output_runs where report_output_id = %s order by run_sequence",
            (report["id"],),
        ).fetchall()
    assert [run["trigger_type"] for run in runs] == ["initial"] * report["runs"] + ["rerun"]
