"""Carbon: the explore report, validated totals over many entries, and the bulk upsert against COPY of the same rows."""

from __future__ import annotations

import json
import statistics
import time

from benchmarks.harness import Bench, Figure, Spread, in_turn, ratios
from benchmarks.server import Connection, connect, create_database

__all__ = ["run"]

ENTRIES = 1_000_000
UNITS, YEARS = 1_000, 100
_EMPTY = "truncate public.carbon_report_modules, public.carbon_reports, public.carbon_projects cascade"
_COPIED = {
    "public.carbon_projects": "id, unit_id, carbon_report_type",
    "public.carbon_reports": (
        "id, unit_id, carbon_project_id, year, reference_year, last_updated, completion_progress, overall_status"
    ),
    "public.carbon_report_modules": "id, carbon_report_id, module_type_id, status",
}


def _median_ms(connection: Connection, statement: str, calls: int) -> float:
    times = []
    for _ in range(calls):
        began = time.perf_counter()
        connection.execute(statement.encode(), prepare=True).fetchall()
        times.append((time.perf_counter() - began) * 1000)
    return statistics.median(times)


def _explore_and_totals(bench: Bench, connection: Connection) -> list[Figure]:
    entries = 2_000 if bench.short else ENTRIES
    bench.progress(f"{entries:,} entries in one report, with an emission each")
    connection.execute("select from public.create_explore_report(1, 2025)")
    connection.execute("select from public.create_carbon_report(1, 2025)")
    connection.execute(
        """
        with module as (
          update public.carbon_report_modules as module set status = 2
            from public.carbon_reports as report join public.carbon_projects as project
              on project.id = report.carbon_project_id and project.carbon_report_type = 'Calculator'
           where module.carbon_report_id = report.id
          returning module.id, module.module_type_id
        ),
        entry as (
          insert into public.data_entries (carbon_report_module_id, data_entry_type_id, data)
          select module.id, 1, '{}' from module, generate_series(1, %(entries)s / 7) where module.module_type_id > 1
          returning id
        )
        insert into public.data_entry_emissions (data_entry_id, emission_type_id, scope, kg_co2eq)
        select entry.id, 50203, 3, 12.5 from entry
        """,
        {"entries": entries},
    )
    connection.execute("vacuum analyze")
    row = connection.execute(
        "select report.id from public.carbon_reports as report join public.carbon_projects as project "
        "on project.id = report.carbon_project_id where project.carbon_report_type = 'Calculator'"
    ).fetchone()
    assert row is not None
    explore = "select * from public.get_explore_report(1, 2025)"
    totals = f"select public.get_validated_totals({row[0]})"
    bare = (
        "select sum(emission.kg_co2eq) from public.data_entry_emissions as emission "
        "join public.data_entries as entry on entry.id = emission.data_entry_id "
        "join public.carbon_report_modules as module on module.id = entry.carbon_report_module_id "
        "where module.status = 2 and emission.emission_type_id not in (40000, 60100)"
    )
    explored, totalled, summed = in_turn(
        bench.rounds,
        lambda: _median_ms(connection, explore, 50),
        lambda: _median_ms(connection, totals, 1),
        lambda: _median_ms(connection, bare, 1),
    )
    return [
        Figure("carbon", "explore GET in SQL", Spread.of(explored), "ms"),
        Figure("carbon", f"validated totals over {entries:,} entries", Spread.of(totalled), "ms"),
        Figure("carbon", "validated totals: time against one bare sum", ratios(totalled, summed)),
    ]


def _bulk(bench: Bench, connection: Connection) -> list[Figure]:
    units, years = (20, 10) if bench.short else (UNITS, YEARS)
    bench.progress(f"{units * years:,} reports")
    connection.execute("insert into public.units (name) select 'unit' from generate_series(1, %s)", (units,))
    ids = [row[0] for row in connection.execute("select id from public.units order by id limit %s", (units,))]
    wanted = json.dumps([{"unit_id": unit, "year": 2000 + year} for unit in ids for year in range(years)])

    def upsert() -> float:
        connection.execute(_EMPTY.encode())
        began = time.perf_counter()
        connection.execute("select count(*) from public.bulk_upsert_carbon_reports(%s::jsonb)", (wanted,))
        return units * years / (time.perf_counter() - began)

    upsert()
    rows: dict[str, list[bytes]] = {}
    for table, columns in _COPIED.items():
        with connection.cursor().copy(f"copy {table} ({columns}) to stdout".encode()) as source:
            rows[table] = [bytes(block) for block in source]

    def copy() -> float:
        connection.execute(_EMPTY.encode())
        began = time.perf_counter()
        with connection.transaction():
            for table, columns in _COPIED.items():
                with connection.cursor().copy(f"copy {table} ({columns}) from stdin".encode()) as target:
                    target.write(b"".join(rows[table]))
        return units * years / (time.perf_counter() - began)

    upserted, copied = in_turn(bench.rounds, upsert, copy)
    return [
        Figure("carbon", f"bulk upsert of {units * years:,} reports, each with its modules", Spread.of(upserted),
               "reports/s"),
        Figure("carbon", "bulk upsert against COPY of the same rows", ratios(upserted, copied), at_least=0.3),
    ]  # fmt: skip


def run(bench: Bench) -> list[Figure]:
    """All in one database."""
    database = create_database(bench.server, "bench_carbon")
    with connect(database) as connection:
        if connection.execute("select to_regclass('public.carbon_reports')").fetchone() == (None,):
            bench.progress("left out: this version has no carbon domain")
            return []
        connection.execute("insert into public.units (name) values ('one')")
        return _explore_and_totals(bench, connection) + _bulk(bench, connection)
