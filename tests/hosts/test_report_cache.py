"""Each report of the report application, rerun at the age of the cache that it was made in."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import URL

from pyapi.api.app import create_app
from pyapi.database import connect_engine
from tests.support.databases import Connection, connect
from tests.support.report_host import CASES, Case, real_cases
from tests.support.statements import one, undo

HOST_TABLES = (
    *("household", "policy", "simulations", "report_outputs", "report_output_runs", "simulation_runs"),
    *("legacy_report_output_aliases", "reform_impact", "alembic_version"),
)


def contents(connection: Connection, *tables: str) -> dict[str, list[str]]:
    """Every row as text, without our number of its run."""
    found = {}
    for table in tables:
        rows = connection.execute(f"select entry::text as entry from public.{table} as entry").fetchall()  # noqa: S608
        texts = sorted(row["entry"] for row in rows)
        # Our column is the last one.
        has_number = table in ("simulations", "report_outputs")
        found[table] = [text.rsplit(",", 1)[0] for text in texts] if has_number else texts
    return found


def cache_rows(connection: Connection) -> dict[int, str]:
    rows = connection.execute("select reform_impact_id, impact::text as entry from public.reform_impact as impact")
    return {row["reform_impact_id"]: row["entry"] for row in rows.fetchall()}


def by_procedure(connection: Connection, case: Case, _: URL) -> None:
    result = one(connection, "call rerun_report(%s::bigint, %s)", case.report_id, case.country_id)["result"]
    assert (result["report_type"], result["simulation_ids"]) == (case.report_type, case.simulation_ids)


def set_based(connection: Connection, case: Case, _: URL) -> None:
    assert one(connection, "call rerun_reports(array[%s]::bigint[])", case.report_id)["result"]["rerun"] == 1


def by_batch(connection: Connection, case: Case, _: URL) -> None:
    made = one(connection, "select create_rerun_batch(jsonb_build_object('ids', %s::bigint)) as id", case.report_id)
    assert one(connection, "call run_rerun_batch(%s::bigint)", made["id"])["result"]["rerun"] == 1


def over_http(_: Connection, case: Case, url: URL) -> None:
    engine = connect_engine(url)
    try:
        response = create_app(engine).test_client().post(f"/{case.country_id}/report/{case.report_id}/rerun")
    finally:
        engine.dispose()
    assert response.status_code == 200, response.text
    result = response.get_json()["result"]
    assert (result["report_type"], result["simulation_ids"]) == (case.report_type, case.simulation_ids)


ALL = [("ours", case) for case in CASES] + [("real", case) for case in real_cases() or [None]]


@pytest.fixture
def case_and_url(request: pytest.FixtureRequest, adopted: Callable[[str], URL]) -> tuple[Case, URL]:
    name, case = request.param
    url = adopted(name)
    with connect(url) as connection:
        for country, versions in case.versions.items():
            connection.execute(
                "select set_cache_versions(%s, economy_impact => %s, report_output => %s, package => %s)",
                (country, *versions.values()),
            )
    return case, url


each_case = pytest.mark.parametrize("case_and_url", ALL, ids=lambda pair: f"{pair[0]}-{pair[1]}", indirect=True)


@pytest.mark.parametrize(
    "way",
    [by_procedure, *(pytest.param(way, marks=pytest.mark.needs("time")) for way in (set_based, by_batch, over_http))],
    ids=lambda way: way.__name__,
)
@each_case
def test_a_rerun_deletes_what_the_application_would_find_and_an_undo_gives_all_of_it_back(
    case_and_url: tuple[Case, URL], way: Callable[[Connection, Case, URL], None]
) -> None:
    case, url = case_and_url
    with connect(url) as connection:
        before, everything = cache_rows(connection), contents(connection, *HOST_TABLES)
        way(connection, case, url)
        after = cache_rows(connection)
        gone = before.keys() - after.keys()
        assert case.gone <= gone <= case.gone | case.free
        assert after.items() <= before.items()
        act = one(connection, "select max(rerun_id) as id from pgreprise.rerun")["id"]
        undo(connection, act)
        put_back = contents(connection, *HOST_TABLES)
    for table, rows in everything.items():
        # What was running is pending again, since nobody computes it any more.
        lost, made = (
            sorted(set(one) - set(other)) for one, other in ((rows, put_back[table]), (put_back[table], rows))
        )
        assert len(lost) == len(made)
        assert all(",running," in row for row in lost)
        assert all(",pending," in row for row in made)


@each_case
def test_the_preview_says_what_the_rerun_does(case_and_url: tuple[Case, URL]) -> None:
    case, url = case_and_url
    with connect(url) as connection:
        said = connection.execute(
            "select id, action from rerun_preview(%s) where kind = 'reform_impact'", (case.report_id,)
        ).fetchall()
        before = cache_rows(connection)
        by_procedure(connection, case, url)
        gone = before.keys() - cache_rows(connection).keys()
    assert {row["id"] for row in said if row["action"] == "deleted"} == gone
    # The near misses: same policies, region and year.
    assert all(row["action"].startswith("kept: ") for row in said if row["id"] not in gone)


@each_case
def test_the_next_run_is_in_the_applications_tables(case_and_url: tuple[Case, URL]) -> None:
    case, url = case_and_url
    with connect(url) as connection:

        def runs() -> list[dict[str, Any]]:
            return connection.execute(
                "select *, output::text as output, report_spec_snapshot_json::text as report_spec_snapshot_json "
                "from public.report_output_runs where report_output_id = %s order by run_sequence",
                (case.report_id,),
            ).fetchall()

        before = runs()
        by_procedure(connection, case, url)
        *kept, added = runs()
        report = one(connection, "select * from public.report_outputs where id = %s", case.report_id)
        simulations = connection.execute(
            "select run.* from public.simulations as simulation join public.simulation_runs as run "
            "on run.id = simulation.active_run_id where simulation.id = any (%s) order by run.input_position",
            (case.simulation_ids,),
        ).fetchall()
    assert kept == before
    assert (added["status"], added["trigger_type"], added["run_sequence"]) == ("pending", "rerun", len(before) + 1)
    assert added["source_run_id"] == (before[-1]["id"] if before else None)
    assert report["active_run_id"] == added["id"]
    assert report["api_version"] == case.versions[case.country_id]["report_output"]
    assert [run["simulation_id"] for run in simulations] == case.simulation_ids
    assert {run["report_output_run_id"] for run in simulations} == {added["id"]}
    assert {run["country_package_version"] for run in simulations} == {case.versions[case.country_id]["package"]}
