"""Nothing that is cleared is lost: runs are numbered, archived bit for bit, listed, and read again."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import psycopg
import pytest
from pytest_postgresql.janitor import DatabaseJanitor
from sqlalchemy import URL

from pyapi.schema import migrate
from tests.support.databases import Connection, engine
from tests.support.databases import connect as connect_to
from tests.support.factories import (
    ODD_JSON,
    SCOPE,
    VERSIONS,
    add_economy_report,
    add_reform_impact,
    add_report,
    add_simulation,
    set_versions,
    without_times,
)
from tests.support.hosts import LEGACY
from tests.support.refusals import refusal
from tests.support.snapshots import changed_tables, everything, snapshot, without_runs
from tests.support.statements import newest_act, one, rerun, undo

DELETE = "select delete_reform_impacts('us', 2, 3, 'state/ny', 'default', '2025', statuses => %s)"


@pytest.fixture
def report(sandbox: Connection) -> int:
    """A computed economy report whose every JSON value is odd, with two rows of its cache."""
    set_versions(sandbox)
    first = add_simulation(sandbox, policy_id=2, output=ODD_JSON, error_message="")
    second = add_simulation(sandbox, policy_id=3, output="null", status="error", error_message="lost\nin space")
    made = add_report(sandbox, first, second, output=ODD_JSON, error_message="warned", api_version="r-old")
    add_reform_impact(sandbox, reform_impact_json=ODD_JSON, options_json=' {"z": 1, "a": 2}', message="slow")
    add_reform_impact(sandbox, reform_impact_json="null", options_json=None, status="computing", end_time=None)
    return made


def archived(connection: Connection) -> dict[str, list[dict[str, Any]]]:
    """The archive, with outputs as their exact text."""
    return {
        "report_run": connection.execute(
            "select run.*, output::text as output from pgreprise.report_run as run order by report_id, run_sequence"
        ).fetchall(),
        "simulation_run": connection.execute(
            "select run.*, output::text as output from pgreprise.simulation_run as run "
            "order by simulation_id, run_sequence"
        ).fetchall(),
        "reform_impact": connection.execute(
            "select entry.*, reform_impact_json::text as reform_impact_json, options_json::text as options_json "
            "from pgreprise.reform_impact_archive as entry order by reform_impact_id"
        ).fetchall(),
    }


# --- the archive -----------------------------------------------------------------------------


def test_a_rerun_archives_what_it_clears_bit_for_bit(sandbox: Connection, report: int) -> None:
    before = snapshot(sandbox)
    result = rerun(sandbox, report)
    after = archived(sandbox)
    for table, key, runs in (("report_outputs", "report_id", "report_run"), ("simulations", "simulation_id", "")):
        for row, run in zip(before[table], after[runs or "simulation_run"], strict=True):
            for name in ("run_sequence", "api_version", "status", "output", "error_message"):
                assert run[name] == row[name]
            assert (run[key], run["had_output"]) == (row["id"], True)
    for row, entry in zip(before["reform_impact"], after["reform_impact"], strict=True):
        assert entry == {**row, "removal_id": result["rerun_id"], "host_columns": None}


def test_a_rerun_is_written_down_with_what_it_did_and_who_did_it(sandbox: Connection, report: int) -> None:
    simulations = [row["id"] for row in snapshot(sandbox)["simulations"]]
    impacts = [row["reform_impact_id"] for row in snapshot(sandbox)["reform_impact"]]
    result = one(sandbox, "call rerun_report(%s, 'us', 'key 1')", report)["result"]
    act = newest_act(sandbox)
    assert act.pop("created_at") == one(sandbox, "select now() as now")["now"]
    assert act == {
        "rerun_id": result["rerun_id"],
        "kind": "rerun",
        "report_id": report,
        "country_id": "us",
        "report_type": "geography",
        "run_sequence": 2,
        "of_run": None,
        "simulation_ids": simulations,
        "simulation_run_sequences": [2, 2],
        "reform_impact_ids": impacts,
        "kept_reform_impact_ids": [],
        "economy_cache_rows_deleted": 2,
        "removal_id": result["rerun_id"],
        "cache_scopes": [SCOPE],
        "same_key_report_ids": [],
        "batch_id": None,
        "idempotency_key": "key 1",
        "is_archived": True,
        "undoes": None,
        "undone_by": None,
        "undone_at": None,
        "purged_at": None,
        "session_role": sandbox.info.user,
        "role_setting": None,
        "actor": None,
        "reason": None,
        "request_id": None,
        "client_address": one(sandbox, "select host(inet_client_addr()) as address")["address"],
        "feed_position": None,
    }


def test_the_role_and_the_person_behind_a_token_are_written_down(sandbox: Connection, report: int) -> None:
    sandbox.execute("set local role pgreprise_api")
    sandbox.execute("""set local request.jwt.claims = '{"sub": "alice", "scope": "reports:rerun"}'""")
    rerun(sandbox, report)
    sandbox.execute("reset role; reset request.jwt.claims")
    act = newest_act(sandbox)
    assert (act["session_role"], act["role_setting"], act["actor"]) == (sandbox.info.user, "pgreprise_api", "alice")


def test_what_has_no_output_is_archived_as_that(sandbox: Connection) -> None:
    simulation = add_simulation(sandbox, population_type="household", output=None, status="running")
    report = add_report(sandbox, simulation, output=None, status="pending")
    rerun(sandbox, report)
    after = archived(sandbox)
    assert [(run["status"], run["output"], run["had_output"]) for run in after["report_run"]] == [
        ("pending", None, False)
    ]
    assert [(run["status"], run["output"], run["had_output"]) for run in after["simulation_run"]] == [
        ("running", None, False)
    ]


# --- the direct helpers ----------------------------------------------------------------------


def test_reset_report_archives_and_numbers(sandbox: Connection, report: int) -> None:
    before = snapshot(sandbox)
    [stored] = before["report_outputs"]
    sandbox.execute("select reset_report(%s)", (report,))
    [run] = archived(sandbox)["report_run"]
    assert {name: run[name] for name in ("run_sequence", "api_version", "status", "output", "error_message")} == {
        name: stored[name] for name in ("run_sequence", "api_version", "status", "output", "error_message")
    }
    assert snapshot(sandbox)["report_outputs"][0]["run_sequence"] == 2
    act = newest_act(sandbox)
    assert (act["kind"], act["report_id"], act["country_id"], act["run_sequence"], act["is_archived"]) == (
        "reset_report",
        report,
        "us",
        2,
        True,
    )
    assert (act["simulation_ids"], act["reform_impact_ids"]) == ([], [])


@pytest.mark.usefixtures("report")
def test_reset_simulation_archives_and_numbers(sandbox: Connection) -> None:
    stored = snapshot(sandbox)["simulations"][0]
    sandbox.execute("select reset_simulation(%s)", (stored["id"],))
    [run] = archived(sandbox)["simulation_run"]
    assert (run["simulation_id"], run["had_output"]) == (stored["id"], True)
    assert {name: run[name] for name in ("run_sequence", "api_version", "status", "output", "error_message")} == {
        name: stored[name] for name in ("run_sequence", "api_version", "status", "output", "error_message")
    }
    assert [row["run_sequence"] for row in snapshot(sandbox)["simulations"]] == [2, 1]
    act = newest_act(sandbox)
    assert (act["kind"], act["report_id"], act["country_id"], act["run_sequence"]) == (
        "reset_simulation",
        None,
        "us",
        None,
    )
    assert (act["simulation_ids"], act["simulation_run_sequences"]) == ([stored["id"]], [2])


@pytest.mark.usefixtures("report")
def test_delete_reform_impacts_archives(sandbox: Connection) -> None:
    deleted, kept = snapshot(sandbox)["reform_impact"]
    assert one(sandbox, DELETE, ["ok"])["delete_reform_impacts"] == 1
    assert snapshot(sandbox)["reform_impact"] == [kept]
    act = newest_act(sandbox)
    assert (act["kind"], act["country_id"], act["reform_impact_ids"]) == (
        "delete_reform_impacts",
        "us",
        [deleted["reform_impact_id"]],
    )
    assert act["kept_reform_impact_ids"] == [kept["reform_impact_id"]]
    assert archived(sandbox)["reform_impact"] == [{**deleted, "removal_id": act["removal_id"], "host_columns": None}]


@pytest.mark.usefixtures("report")
def test_a_deletion_of_nothing_is_no_act(sandbox: Connection) -> None:
    before = everything(sandbox)
    assert one(sandbox, DELETE, ["error"])["delete_reform_impacts"] == 0
    assert everything(sandbox) == before


def test_a_number_is_never_used_twice_and_never_goes_back(sandbox: Connection, report: int) -> None:
    simulation = snapshot(sandbox)["simulations"][0]["id"]
    acts = [
        f"call rerun_report({report})",
        f"select reset_report({report})",
        f"select reset_simulation({simulation})",
        f"call rerun_reports(array[{report}])",
    ]
    seen: list[tuple[int, int]] = []

    def note() -> None:
        state = snapshot(sandbox)
        seen.append((state["report_outputs"][0]["run_sequence"], state["simulations"][0]["run_sequence"]))

    note()
    for act in acts:
        sandbox.execute(act)
        note()
        undo(sandbox, newest_act(sandbox)["rerun_id"])
        note()
        sandbox.execute(act)
        note()
    # Each act numbers what it clears, and nothing else.
    steps = [tuple(after - before for before, after in zip(*pair, strict=True)) for pair in itertools.pairwise(seen)]
    assert steps == [(1, 1)] * 3 + [(1, 0)] * 3 + [(0, 1)] * 3 + [(1, 1)] * 3
    assert [run["run_sequence"] for run in archived(sandbox)["report_run"]] == list(range(1, seen[-1][0]))


# --- the history -----------------------------------------------------------------------------


def history(connection: Connection, report_id: int) -> list[dict[str, Any]]:
    return connection.execute("select * from report_history(%s)", (report_id,)).fetchall()


def test_a_report_that_was_never_rerun_has_one_run(sandbox: Connection, report: int) -> None:
    [only] = history(sandbox, report)
    assert only == {
        **dict.fromkeys(only),
        "run_sequence": 1,
        "is_current": True,
        "status": "complete",
        "had_output": True,
        "has_output": True,
        "error_message": "warned",
        "api_version": "r-old",
    }


def test_the_history_lists_every_run_newest_first_with_what_started_it(sandbox: Connection, report: int) -> None:
    simulations = [row["id"] for row in snapshot(sandbox)["simulations"]]
    sandbox.execute("""set local request.jwt.claims = '{"sub": "bob", "scope": "reports:rerun reports:read"}'""")
    first = one(sandbox, "call rerun_report(%s, idempotency_key => 'k')", report)["result"]["rerun_id"]
    sandbox.execute("reset request.jwt.claims")
    undone = undo(sandbox, first)["undo_id"]
    sandbox.execute("select reset_report(%s)", (report,))
    reset = newest_act(sandbox)["rerun_id"]
    # Other acts and other reports are not of its history.
    sandbox.execute("select reset_simulation(%s)", (simulations[0],))
    rerun(sandbox, add_report(sandbox, simulations[0]))

    now = one(sandbox, "select now() as now")["now"]
    plain = {
        "had_output": True,
        "has_output": True,
        "is_current": False,
        "error_message": "warned",
        "api_version": "r-old",
        "status": "complete",
        "ended_at": now,
        "restores_run": None,
        "undone_by": None,
        "purged_at": None,
        "actor": None,
        "session_role": sandbox.info.user,
        "role_setting": None,
        "idempotency_key": None,
        "simulation_ids": [],
        "economy_cache_rows_deleted": 0,
        "batch_id": None,
        "reason": None,
        "request_id": None,
        "client_address": one(sandbox, "select host(inet_client_addr()) as address")["address"],
        "host_run_id": None,
        "host_run_sequence": None,
    }
    # The rerun gave the report the current version, and the undo the old one again.
    cleared = {
        "api_version": VERSIONS["us"]["report_output"],
        "status": "pending",
        "had_output": False,
        "has_output": False,
        "error_message": None,
    }
    assert [without_times(run) for run in history(sandbox, report)] == [
        {
            **plain,
            **cleared,
            "api_version": "r-old",
            "run_sequence": 4,
            "is_current": True,
            "started_by": "reset_report",
            "rerun_id": reset,
            "ended_at": None,
        },
        {
            **plain,
            "run_sequence": 3,
            "started_by": "undo",
            "rerun_id": undone,
            "restores_run": 1,
            "simulation_ids": simulations,
        },
        {
            **plain,
            **cleared,
            "run_sequence": 2,
            "started_by": "rerun",
            "rerun_id": first,
            "undone_by": undone,
            "actor": "bob",
            "idempotency_key": "k",
            "simulation_ids": simulations,
            "economy_cache_rows_deleted": 2,
        },
        {
            **plain,
            "run_sequence": 1,
            "started_by": None,
            "rerun_id": None,
            "session_role": None,
            "client_address": None,
            "simulation_ids": None,
            "economy_cache_rows_deleted": None,
        },
    ]


@pytest.mark.parametrize("call", ["report_history(%s)", "report_run_output(%s, 1)", "rerun_preview(%s)"])
def test_what_is_no_report_has_no_history(sandbox: Connection, report: int, call: str) -> None:
    said = refusal(sandbox, f"select * from {call}", 999999999)  # noqa: S608
    assert said[:3] == ("RR001", "Report #999999999 not found.", {"report_id": 999999999})
    country = call.replace(")", ", country_id => %s)")
    assert refusal(sandbox, f"select * from {country}", report, "uk").code == "RR001"  # noqa: S608
    assert refusal(sandbox, f"select * from {country}", report, "zz").code == "RR008"  # noqa: S608
    assert one(sandbox, f"select count(*) as found from {country}", report, "us")["found"] > 0  # noqa: S608


# --- an earlier result -----------------------------------------------------------------------


def run_output(connection: Connection, report_id: int, run_sequence: int) -> dict[str, Any]:
    return one(
        connection,
        "select run.*, run.output::text as output from report_run_output(%s, %s) as run",
        report_id,
        run_sequence,
    )


def test_an_earlier_result_is_given_byte_for_byte_while_the_new_one_computes(sandbox: Connection, report: int) -> None:
    rerun(sandbox, report)
    sandbox.execute("select update_report(%s, status => 'running')", (report,))
    earlier = {
        "report_id": report,
        "country_id": "us",
        "run_sequence": 1,
        "is_current": False,
        "api_version": "r-old",
        "status": "complete",
        "had_output": True,
        "output": ODD_JSON,
        "error_message": "warned",
    }
    assert without_times(run_output(sandbox, report, 1)) == earlier
    current = {
        "run_sequence": 2,
        "is_current": True,
        "api_version": VERSIONS["us"]["report_output"],
        "status": "running",
        "had_output": False,
    }
    assert without_times(run_output(sandbox, report, 2)) == {
        **earlier,
        **current,
        "output": None,
        "error_message": None,
    }


@pytest.mark.parametrize("run", [0, 3, -1, 2**31 - 1, None])
def test_a_run_that_never_was_is_rr019(sandbox: Connection, report: int, run: int | None) -> None:
    rerun(sandbox, report)
    said = refusal(sandbox, "select * from report_run_output(%s, %s::integer)", report, run)
    assert said[:3] == (
        "RR019",
        f"Report #{report} has no run {'null' if run is None else run}.",
        {"report_id": report, "run_sequence": run, "current_run_sequence": 2},
    )
    assert said.hint is not None
    assert said.hint.startswith("Its current run is 2. ")
    assert said.hint.endswith(f"report_history({report}) lists all runs.")


def test_what_looks_at_runs_works_in_a_read_only_transaction(sandbox: Connection, report: int) -> None:
    rerun(sandbox, report)
    with sandbox.transaction():
        sandbox.execute("set local transaction_read_only = on")
        for call in (
            f"report_history({report})",
            f"report_run_output({report}, 1)",
            f"rerun_preview({report})",
            "archive_size()",
            "settings()",
            "rerun_batches()",
        ):
            sandbox.execute(f"select * from {call}")  # noqa: S608


# --- without the archive ---------------------------------------------------------------------


@pytest.fixture
def off(sandbox: Connection, report: int) -> int:
    """The report of ``report``, where archive_outputs is off."""
    sandbox.execute("select set_setting('archive_outputs', 'off')")
    return report


def test_with_archive_outputs_off_all_is_told_and_no_output_kept(sandbox: Connection, off: int) -> None:
    before = snapshot(sandbox)
    result = rerun(sandbox, off)
    assert result["economy_cache_rows_deleted"] == 2
    after = archived(sandbox)
    for table, runs in (("report_outputs", "report_run"), ("simulations", "simulation_run")):
        for row, run in zip(before[table], after[runs], strict=True):
            assert (run["output"], run["had_output"]) == (None, True)
            for name in ("run_sequence", "api_version", "status", "error_message"):
                assert run[name] == row[name]
    assert after["reform_impact"] == []
    act = newest_act(sandbox)
    assert (act["is_archived"], act["economy_cache_rows_deleted"]) == (False, 2)
    assert act["reform_impact_ids"] == [row["reform_impact_id"] for row in before["reform_impact"]]
    assert [(run["had_output"], run["has_output"]) for run in history(sandbox, off)] == [(False, False), (True, False)]
    assert (run_output(sandbox, off, 1)["had_output"], run_output(sandbox, off, 1)["output"]) == (True, None)


def test_the_direct_helpers_keep_no_output_either(sandbox: Connection, off: int) -> None:
    sandbox.execute("select reset_report(%s)", (off,))
    for row in snapshot(sandbox)["simulations"]:
        sandbox.execute("select reset_simulation(%s)", (row["id"],))
    sandbox.execute(DELETE, (None,))
    after = archived(sandbox)
    assert [run["output"] for run in (*after["report_run"], *after["simulation_run"])] == [None] * 3
    assert after["reform_impact"] == []
    acts = sandbox.execute("select is_archived from pgreprise.rerun").fetchall()
    assert [act["is_archived"] for act in acts] == [False] * 4


# --- tables of a host ------------------------------------------------------------------------


def run_everything(connection: Connection, report: int) -> None:
    """Every routine that returns, archives or puts back rows of the host's tables."""
    for call in (
        f"report_history({report})",
        f"report_run_output({report}, 1)",
        f"report_run_output({report}, 2)",
        f"last_good_report({report})",
        "find_reports(max_rows => 1)",
        f"rerun_preview({report})",
        "rerun_feed(0)",
        "archive_size(interval '0', 0)",
    ):
        assert connection.execute(f"select * from {call}").fetchall(), call  # noqa: S608


@pytest.mark.needs("time")
@pytest.mark.parametrize("json_type", ["json", "jsonb"])
def test_adopted_tables_give_back_what_they_held(
    server: URL, new_database: Callable[..., DatabaseJanitor], json_type: str
) -> None:
    with new_database() as made:
        database = server.set(database=made.dbname)
        with connect_to(database) as connection:
            connection.execute(LEGACY.replace(" json", f" {json_type}"))
            connection.execute(
                "alter table public.reform_impact alter baseline_policy_id type smallint, "
                "alter start_time type timestamptz"
            )
            migrate.upgrade(engine(database))
            set_versions(connection)
            odd = '{"b": 1.10, "a": [1e2, null]}' if json_type == "json" else '{"a": [100, null], "b": 1.10}'
            first = add_simulation(connection, policy_id=2, output=odd)
            second = add_simulation(connection, policy_id=3, output=odd)
            report = add_report(connection, first, second, output=odd)
            batched = add_report(connection, second, first, output=odd)
            add_reform_impact(connection, reform_impact_json=odd, start_time="2026-04-01 00:01:00+05:30")
            add_reform_impact(connection, baseline_policy_id=3, reform_policy_id=2, end_time="2026-04-01 00:01:00.5")
            before = without_runs(snapshot(connection))

            result = rerun(connection, report, "us")
            assert (result["simulation_ids"], result["economy_cache_rows_deleted"]) == ([first, second], 1)
            run_everything(connection, report)
            undo(connection, result["rerun_id"])
            assert without_runs(snapshot(connection)) == before

            many = one(connection, "call rerun_reports(array[%s, %s, 99])", report, batched)["result"]
            assert (many["rerun"], many["simulations_reset"], many["economy_cache_rows_deleted"]) == (2, 2, 2)
            batch = one(
                connection, 'select create_rerun_batch(\'{"year": "2025", "report_type": "geography"}\') as id'
            )["id"]
            connection.execute("call run_rerun_batch(%s, 1)", (batch,))
            assert one(connection, "call undo_rerun_batch(%s)", batch)["result"]["undone"] == 2
            for act in connection.execute(
                "select rerun_id from pgreprise.rerun where kind = 'rerun' and undone_by is null order by rerun_id desc"
            ).fetchall():
                undo(connection, act["rerun_id"])
            assert without_runs(snapshot(connection)) == before

            connection.execute("select reset_report(%s), reset_simulation(%s)", (report, first))
            connection.execute(DELETE, (None,))
            for act in connection.execute(
                "select rerun_id from pgreprise.rerun where kind like 'reset%' or kind like 'delete%'"
            ).fetchall():
                undo(connection, act["rerun_id"])
            assert without_runs(snapshot(connection)) == before
            connection.execute("select set_setting('allow_unfinish', 'on')")
            connection.execute(
                "select update_report(%s, run_sequence => run_sequence, status => 'running') from get_report(%s)",
                (report, report),
            )
            connection.execute("call purge_runs(interval '0', 0)")


HOSTS_COLUMNS = """
alter table public.reform_impact
  add note text not null default 'default',
  add seen_at timestamptz,
  add seen_on date,
  add took interval,
  add amount double precision,
  add exact numeric(10, 3),
  add tags text[],
  add raw bytea,
  add "Odd, ""name'%" text default 'odd',
  add removal_id text,
  add host_columns jsonb,
  add doubled double precision generated always as (amount * 2) stored,
  add counted bigint generated by default as identity,
  add dropped_later text,
  add dropped_before text
"""
HOSTS_VALUES: dict[str, Any] = {
    "note": "x'); drop table y; -- \n\t \\ ü",
    "seen_at": "2026-10-25 01:30:00.123456+00",
    "seen_on": "0044-03-15 BC",
    "took": "1 mon 3 days 04:05:06.789",
    "amount": "0.1",
    "exact": "1.100",
    "tags": '{a,"b c",NULL,"{}"}',
    "raw": "\\x00ff",
    "removal_id": "7",
    "host_columns": '{"a": 1}',
}


def hosts_rows(connection: Connection) -> list[dict[str, Any]]:
    """The cache rows as text, which shows every digit, in one style whatever the session's."""
    with connection.transaction(force_rollback=True):
        connection.execute("set local datestyle = 'ISO'")
        connection.execute("set local timezone = 'UTC'")
        connection.execute("set local intervalstyle = 'postgres'")
        connection.execute("set local bytea_output = 'hex'")
        connection.execute("set local extra_float_digits = 3")
        return connection.execute(
            "select to_jsonb(impact)::text as row from public.reform_impact as impact order by reform_impact_id"
        ).fetchall()


def test_columns_that_only_the_host_knows_come_back_too(sandbox: Connection, report: int) -> None:
    sandbox.execute(HOSTS_COLUMNS)
    sandbox.execute("alter table public.reform_impact drop dropped_before")
    add_reform_impact(sandbox, **HOSTS_VALUES)
    add_reform_impact(sandbox, amount="1e-300", seen_at="infinity")
    before = hosts_rows(sandbox)
    # Sessions that write and read differently.
    sandbox.execute("set local datestyle = 'German'; set local timezone = 'Asia/Kolkata'")
    sandbox.execute("set local intervalstyle = 'sql_standard'; set local extra_float_digits = -10")
    result = rerun(sandbox, report)
    assert result["economy_cache_rows_deleted"] == 4
    sandbox.execute("set local datestyle = 'SQL, DMY'; set local timezone = 'America/New_York'")
    sandbox.execute("set local intervalstyle = 'iso_8601'; set local bytea_output = 'escape'")
    undo(sandbox, result["rerun_id"])
    assert hosts_rows(sandbox) == before


def test_columns_that_come_and_go_between_a_rerun_and_its_undo_are_no_obstacle(
    sandbox: Connection, report: int
) -> None:
    sandbox.execute("alter table public.reform_impact add kept text default 'k', add dropped text default 'd'")
    before = hosts_rows(sandbox)
    result = rerun(sandbox, report)
    sandbox.execute(
        "alter table public.reform_impact drop dropped, add added text not null default 'a', add empty text, "
        "add doubled text generated always as (kept || kept) stored"
    )
    undo(sandbox, result["rerun_id"])
    added = {"added": "a", "empty": None, "doubled": "kk"}
    expected = sandbox.execute(
        "select jsonb_agg((entry.value::jsonb - 'dropped') || %s::jsonb) as rows "
        "from unnest(%s::text[]) as entry(value)",
        (psycopg.types.json.Json(added), [row["row"] for row in before]),
    ).fetchone()
    actual = one(
        sandbox,
        "select jsonb_agg(to_jsonb(impact) order by reform_impact_id) as rows from public.reform_impact as impact",
    )
    assert actual == expected


def test_a_host_may_have_more_columns_than_a_function_takes_arguments(sandbox: Connection, report: int) -> None:
    for number in range(120):
        sandbox.execute(f"alter table public.reform_impact add column further_{number} integer default {number}")
    before = hosts_rows(sandbox)
    undo(sandbox, rerun(sandbox, report)["rerun_id"])
    assert hosts_rows(sandbox) == before


@pytest.mark.usefixtures("report")
def test_a_host_may_widen_its_columns_after_the_archive_was_made(sandbox: Connection) -> None:
    sandbox.execute(
        "alter table public.reform_impact alter region type text, alter baseline_policy_id type bigint, "
        "alter message type text, alter reform_impact_json type jsonb using reform_impact_json::jsonb"
    )
    simulation = add_simulation(sandbox, population_id="r" * 255)
    other = add_report(sandbox, simulation)
    add_reform_impact(sandbox, region="r" * 255, reform_policy_id=2, message="m" * 5000)
    add_reform_impact(sandbox, region="r" * 255, reform_policy_id=2, baseline_policy_id=2**40)
    before = snapshot(sandbox)["reform_impact"]
    result = rerun(sandbox, other)
    assert result["economy_cache_rows_deleted"] == 1
    sandbox.execute("select delete_reform_impacts('us', %s, 2, %s, 'default', '2025')", (2**40, "r" * 255))
    for act in (newest_act(sandbox)["rerun_id"], result["rerun_id"]):
        undo(sandbox, act)
    assert snapshot(sandbox)["reform_impact"] == before


def test_columns_of_the_hosts_own_in_the_other_tables_are_left_alone(sandbox: Connection, report: int) -> None:
    for table in ("report_outputs", "simulations"):
        sandbox.execute(f"alter table public.{table} add note text, add twice integer generated always as (7) stored")
        sandbox.execute(f"update public.{table} set note = 'kept'")  # noqa: S608
    before = snapshot(sandbox)
    result = rerun(sandbox, report)
    for table in ("report_outputs", "simulations"):
        assert {(row["note"], row["twice"]) for row in snapshot(sandbox)[table]} == {("kept", 7)}
    undo(sandbox, result["rerun_id"])
    assert without_runs(snapshot(sandbox)) == without_runs(before)


def test_what_is_archived_says_nothing_to_the_tables_that_are_not_touched(sandbox: Connection) -> None:
    report, _, _ = add_economy_report(sandbox, api_version=VERSIONS["us"]["report_output"])
    set_versions(sandbox)
    before = everything(sandbox)
    rerun(sandbox, report)
    assert changed_tables(before, everything(sandbox)) == {
        "report_outputs",
        "simulations",
        "rerun",
        "report_run",
        "simulation_run",
    }
