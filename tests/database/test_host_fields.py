"""What today's application keeps in a report or a simulation is shown, and is null where its tables are older."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import URL

from pyapi.schema.run_tables import create_run_tables
from tests.support.databases import Connection, engine
from tests.support.factories import (
    REPORT_OF_HOST,
    SIMULATION_OF_HOST,
    add_report,
    add_simulation,
    insert,
    set_versions,
)
from tests.support.statements import one

FIELDS = {
    "report": {
        "report_kind": "economy_single",
        "report_spec_json": {"dataset": "default"},
        "report_spec_schema_version": 1,
        "report_spec_status": "explicit",
        "active_run_id": "a" * 36,
        "latest_successful_run_id": "short",
    },
    "simulation": {
        "simulation_spec_json": {"policy_id": 2},
        "simulation_spec_schema_version": 1,
        "active_run_id": "a" * 36,
        "latest_successful_run_id": "short",
    },
}
TABLES = {"report": "report_outputs", "simulation": "simulations"}
ABSENT: dict[str, dict[str, Any]] = {"report": REPORT_OF_HOST, "simulation": SIMULATION_OF_HOST}


def shown(connection: Connection, kind: str, row_id: int, call: str) -> dict[str, Any]:
    row = one(connection, f"select * from {call.format(kind=kind)}", row_id)  # noqa: S608
    return {name: row[name] for name in ABSENT[kind]}


CALLS = ["get_{kind}(%s, 'us')", "update_{kind}(%s, 'us', status => 'running')"]


@pytest.mark.parametrize("kind", ABSENT)
@pytest.mark.parametrize("call", CALLS)
def test_what_the_application_has_written_is_shown(sandbox: Connection, kind: str, call: str) -> None:
    set_versions(sandbox)
    fields = FIELDS[kind]
    row_id = (
        add_simulation(sandbox, status="pending", **fields)
        if kind == "simulation"
        else add_report(sandbox, 1, status="pending", **fields)
    )
    assert shown(sandbox, kind, row_id, call) == {**ABSENT[kind], **fields}


@pytest.mark.parametrize("kind", ABSENT)
@pytest.mark.parametrize("call", CALLS)
def test_columns_that_the_table_lacks_are_null_until_the_application_adds_them(
    sandbox: Connection, kind: str, call: str
) -> None:
    set_versions(sandbox)
    row_id = add_simulation(sandbox, status="pending")
    if kind == "report":
        row_id = add_report(sandbox, row_id, status="pending")
    for name in FIELDS[kind]:
        sandbox.execute(f"alter table public.{TABLES[kind]} drop column {name}")
        assert shown(sandbox, kind, row_id, call) == ABSENT[kind]
    found = dict(ABSENT[kind])
    for name, value in FIELDS[kind].items():
        # In the same session, whose plans are made already; the types differ from those of before.
        types = {int: ("smallint", value), str: ("char(40)", value), dict: ("jsonb", '{"policy_id": 2}')}
        of_type, text = types[type(value)]
        sandbox.execute(f"alter table public.{TABLES[kind]} add column {name} {of_type} default '{text}'")
        found[name] = value if isinstance(value, int | str) else {"policy_id": 2}
        assert shown(sandbox, kind, row_id, call) == found


def test_rows_are_made_and_found_in_tables_without_these_columns(sandbox: Connection) -> None:
    set_versions(sandbox)
    for kind in FIELDS:
        for name in FIELDS[kind]:
            sandbox.execute(f"alter table public.{TABLES[kind]} drop column {name}")
    made = one(
        sandbox,
        "select (found.stored).*, found.created from get_or_create_simulation('us', '1', 'household', 2) as found",
    )
    assert {name: made[name] for name in SIMULATION_OF_HOST} == SIMULATION_OF_HOST
    for created in (True, False):
        found = one(
            sandbox, "select (found.stored).*, found.created from get_or_create_report('us', %s) as found", made["id"]
        )
        assert {name: found[name] for name in REPORT_OF_HOST} == REPORT_OF_HOST
        assert found["created"] == created


# --- the times of the shown run ---------------------------------------------------------------


@pytest.fixture
def host(database: URL, dba: Connection) -> Connection:
    """A database whose application has tables of runs."""
    with engine(database).begin() as connection:
        create_run_tables(connection)
    set_versions(dba)
    return dba


def add_run(connection: Connection, report: int, number: int, status: str) -> str:
    run_id = f"run {number}"
    connection.execute(
        "insert into public.report_output_runs "
        "(id, report_output_id, run_sequence, status, trigger_type, requested_at, started_at, finished_at) "
        "values (%s, %s, %s, %s, 'initial', %s::timestamp, null, %s::timestamp)",
        (run_id, report, number, status, f"2026-08-14 15:00:0{number}", f"2026-08-14 16:00:0{number}"),
    )
    return run_id


@pytest.mark.parametrize(
    ("status", "runs", "active", "latest", "expected"),
    [
        ("pending", ["complete", "pending", "error"], 2, 1, 2),
        ("error", ["complete", "pending", "error"], 2, 1, 2),
        ("error", ["error", "error", "complete"], None, 3, 2),
        ("error", ["complete", "pending"], None, 1, 1),
        ("complete", ["complete", "complete", "error"], None, 1, 1),
        ("complete", ["complete", "complete", "error"], None, None, 3),
        ("pending", ["complete", "error"], 9, 9, 2),
        ("pending", [], None, None, None),
    ],
)
@pytest.mark.parametrize("of_type", ["timestamp", "timestamptz"])
def test_the_times_are_those_of_the_run_that_the_application_shows(
    host: Connection,
    status: str,
    runs: list[str],
    active: int | None,
    latest: int | None,
    expected: int | None,
    of_type: str,
) -> None:
    report, other = add_report(host, 1, status=status), add_report(host, 1, status=status)
    host.execute("set timezone = 'UTC'")
    for number, of_run in enumerate(runs, start=1):
        add_run(host, report, number, of_run)
    if of_type == "timestamptz":
        host.execute("alter table public.report_output_runs alter column requested_at type timestamptz")
    host.execute(
        "update public.report_outputs set active_run_id = %s, latest_successful_run_id = %s where id = %s",
        (active and f"run {active}", latest and f"run {latest}", report),
    )
    host.execute("set timezone = 'Asia/Tokyo'")
    shown = one(host, "select requested_at, started_at, finished_at from get_report(%s)", report)
    at = None if expected is None else datetime(2026, 8, 14, 15, 0, expected, tzinfo=UTC)
    assert (shown["requested_at"], shown["started_at"]) == (at, None)
    assert shown["finished_at"] == (at and at.replace(hour=16))
    nothing = one(host, "select requested_at, started_at, finished_at from get_report(%s)", other)
    assert set(nothing.values()) == {None}


def test_tables_of_runs_that_no_migration_has_found_are_not_read(host: Connection) -> None:
    report = add_report(host, 1)
    add_run(host, report, 1, "complete")
    host.execute("update pgreprise.setting set has_run_tables = false")
    assert one(host, "select requested_at from get_report(%s)", report)["requested_at"] is None


@pytest.mark.parametrize("kind", ABSENT)
def test_a_result_is_written_to_the_shown_run_too(host: Connection, kind: str) -> None:
    fields = {"status": "running", "output": None, "active_run_id": "run 1"}
    row_id = add_simulation(host, **fields) if kind == "simulation" else add_report(host, 1, **fields)
    table, link = (
        ("simulation_runs", "simulation_id") if kind == "simulation" else ("report_output_runs", "report_output_id")
    )
    insert(host, table, "run_sequence", {"id": "run 1", link: row_id, "run_sequence": 1, "status": "running",
                                         "trigger_type": "initial"})  # fmt: skip
    write = f"select * from update_{kind}(%s, 'us', status => 'complete', output => '1')"  # noqa: S608
    done = one(host, write, row_id)
    assert (done["active_run_id"], done["latest_successful_run_id"]) == (None, "run 1")
    run = one(host, f"select status, output, finished_at from public.{table}")  # noqa: S608
    assert (run["status"], run["output"], run["finished_at"] is None) == ("complete", 1, False)
    if kind == "report":
        assert done["finished_at"] is not None
    # The same again leaves the application's run alone, too.
    one(host, write, row_id)
    assert one(host, f"select status, output, finished_at from public.{table}") == run  # noqa: S608
