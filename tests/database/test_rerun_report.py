"""A DBA reruns a report with `call rerun_report(...)`."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest

from tests.support.databases import Connect, Connection
from tests.support.factories import SCOPE, VERSIONS, add_reform_impact, add_report, add_simulation, set_versions
from tests.support.snapshots import changed_tables, everything, snapshot
from tests.support.statements import one, rerun


def economy_report(connection: Connection) -> tuple[int, int, int]:
    """A report of us for 2025 on state/ny, policies 2 and 3: add_reform_impact's key."""
    first, second = add_simulation(connection, policy_id=2), add_simulation(connection, policy_id=3)
    return add_report(connection, first, second), first, second


def impact_ids(connection: Connection) -> list[int]:
    rows = connection.execute("select reform_impact_id from public.reform_impact order by 1").fetchall()
    return [row["reform_impact_id"] for row in rows]


def assert_pending(connection: Connection, table: str, *ids: int) -> None:
    rows = {row["id"]: row for row in snapshot(connection)[table]}
    for row in (rows[row_id] for row_id in ids):
        assert (row["status"], row["output"], row["error_message"]) == ("pending", None, None)


def test_a_household_report_of_one_simulation_goes_back_to_pending(sandbox: Connection) -> None:
    simulation = add_simulation(sandbox, population_type="household", population_id="40000", error_message="lost")
    report = add_report(sandbox, simulation, error_message="worker lost")
    assert rerun(sandbox, report) == {
        "report_id": report,
        "report_type": "household",
        "simulation_ids": [simulation],
        "economy_cache_rows_deleted": 0,
        "cache_scopes": [],
        "run_sequence": 2,
        "rerun_id": one(sandbox, "select max(rerun_id) as id from pgreprise.rerun")["id"],
        "same_key_report_ids": [],
        "shown_report_id": report,
    }
    assert_pending(sandbox, "report_outputs", report)
    assert_pending(sandbox, "simulations", simulation)


def test_a_household_report_of_two_simulations_resets_both_and_keeps_every_cache_row(dba: Connection) -> None:
    set_versions(dba)
    first = add_simulation(dba, population_type="household", policy_id=2)
    second = add_simulation(dba, population_type="household", policy_id=3)
    report = add_report(dba, first, second)
    # The keys of a household and of a geography may look the same.
    impact = add_reform_impact(dba)
    assert rerun(dba, report, "us") == {
        "report_id": report,
        "report_type": "household",
        "simulation_ids": [first, second],
        "economy_cache_rows_deleted": 0,
        "cache_scopes": [],
        "run_sequence": 2,
        "rerun_id": 1,
        "same_key_report_ids": [],
        "shown_report_id": report,
    }
    assert_pending(dba, "report_outputs", report)
    assert_pending(dba, "simulations", first, second)
    assert impact_ids(dba) == [impact]


def test_a_household_report_needs_neither_a_year_nor_any_current_version(sandbox: Connection) -> None:
    simulation = add_simulation(sandbox, population_type="household")
    report = add_report(sandbox, simulation, year=None)
    assert rerun(sandbox, report)["simulation_ids"] == [simulation]
    assert_pending(sandbox, "report_outputs", report)


def test_an_economy_report_of_two_simulations_deletes_its_cache(dba: Connection) -> None:
    set_versions(dba)
    report, first, second = economy_report(dba)
    add_reform_impact(dba)
    assert rerun(dba, report, "us") == {
        "report_id": report,
        "report_type": "geography",
        "simulation_ids": [first, second],
        "economy_cache_rows_deleted": 1,
        "cache_scopes": [SCOPE],
        "run_sequence": 2,
        "rerun_id": 1,
        "same_key_report_ids": [],
        "shown_report_id": report,
    }
    assert_pending(dba, "report_outputs", report)
    assert_pending(dba, "simulations", first, second)
    assert impact_ids(dba) == []


def test_an_economy_report_of_one_simulation_has_its_policy_on_both_sides_of_the_cache_key(dba: Connection) -> None:
    set_versions(dba)
    simulation = add_simulation(dba, policy_id=2)
    report = add_report(dba, simulation)
    add_reform_impact(dba, baseline_policy_id=2, reform_policy_id=2)
    neighbour = add_reform_impact(dba, baseline_policy_id=2, reform_policy_id=3)
    assert rerun(dba, report) == {
        "report_id": report,
        "report_type": "geography",
        "simulation_ids": [simulation],
        "economy_cache_rows_deleted": 1,
        "cache_scopes": [{**SCOPE, "reform_policy_id": 2}],
        "run_sequence": 2,
        "rerun_id": 1,
        "same_key_report_ids": [],
        "shown_report_id": report,
    }
    assert impact_ids(dba) == [neighbour]


def test_a_simulation_that_is_linked_twice_is_listed_once(sandbox: Connection) -> None:
    set_versions(sandbox)
    simulation = add_simulation(sandbox, policy_id=2)
    report = add_report(sandbox, simulation, simulation)
    add_reform_impact(sandbox, reform_policy_id=2)
    result = rerun(sandbox, report)
    assert (result["simulation_ids"], result["economy_cache_rows_deleted"]) == ([simulation], 1)


def test_simulation_ids_are_listed_as_the_report_links_them_and_not_by_id(sandbox: Connection) -> None:
    set_versions(sandbox)
    older, newer = add_simulation(sandbox, policy_id=3, population_id="us"), add_simulation(sandbox, policy_id=2)
    report = add_report(sandbox, newer, older)
    add_reform_impact(sandbox)
    # The region and the baseline are those of simulation 1, whichever row is older.
    result = rerun(sandbox, report)
    assert (result["simulation_ids"], result["economy_cache_rows_deleted"]) == ([newer, older], 1)


@pytest.mark.parametrize("status", ["pending", "running", "complete", "error", "something else"])
def test_a_report_of_any_status_may_be_rerun(sandbox: Connection, status: str) -> None:
    simulation = add_simulation(sandbox, population_type="household", status=status)
    report = add_report(sandbox, simulation, status=status)
    rerun(sandbox, report)
    rerun(sandbox, report)
    assert_pending(sandbox, "report_outputs", report)
    assert_pending(sandbox, "simulations", simulation)


def test_cache_rows_of_the_key_are_deleted_whatever_their_status(sandbox: Connection) -> None:
    set_versions(sandbox)
    report, _, _ = economy_report(sandbox)
    for status in ("ok", "error", "computing"):
        add_reform_impact(sandbox, status=status)
        add_reform_impact(sandbox, status=status)
    assert rerun(sandbox, report)["economy_cache_rows_deleted"] == 6
    assert impact_ids(sandbox) == []


@pytest.mark.parametrize(
    "difference",
    [
        {"dataset": "enhanced_cps"},
        {"options_hash": "[option=1]"},
        {"options_hash": None},
        {"options_hash": ""},
        {"api_version": "e000000000"},
        {"time_period": "2026"},
        {"region": "state/nyc"},
        {"region": "us"},
        {"country_id": "uk"},
        {"baseline_policy_id": 4},
        {"reform_policy_id": 4},
        {"baseline_policy_id": 3, "reform_policy_id": 2},
        {"reform_policy_id": 2},
    ],
    ids=lambda difference: ",".join(f"{name}={value}" for name, value in difference.items()),
)
def test_a_cache_row_that_differs_in_one_part_of_the_key_stays(sandbox: Connection, difference: dict[str, Any]) -> None:
    set_versions(sandbox)
    report, _, _ = economy_report(sandbox)
    add_reform_impact(sandbox)
    neighbours = [add_reform_impact(sandbox, status=status, **difference) for status in ("ok", "error", "computing")]
    assert rerun(sandbox, report)["economy_cache_rows_deleted"] == 1
    assert impact_ids(sandbox) == neighbours


def test_a_report_of_another_cache_version_deletes_the_cache_of_the_current_one(sandbox: Connection) -> None:
    set_versions(sandbox)
    simulation = add_simulation(sandbox, policy_id=2)
    report = add_report(sandbox, simulation, api_version="r-old")
    add_reform_impact(sandbox, reform_policy_id=2)
    stale = add_reform_impact(sandbox, reform_policy_id=2, api_version="r-old")
    assert rerun(sandbox, report)["economy_cache_rows_deleted"] == 1
    assert impact_ids(sandbox) == [stale]


def test_simulations_get_the_package_version_of_their_country_where_it_is_known(sandbox: Connection) -> None:
    set_versions(sandbox, "uk")
    simulation = add_simulation(sandbox, country_id="uk", population_type="household", api_version="1.0.0")
    rerun(sandbox, add_report(sandbox, simulation, country_id="uk"))
    assert snapshot(sandbox)["simulations"][0]["api_version"] == VERSIONS["uk"]["package"]


def test_simulations_keep_their_version_where_the_package_version_is_unknown(sandbox: Connection) -> None:
    set_versions(sandbox, "uk")
    simulation = add_simulation(sandbox, country_id="us", population_type="household", api_version="1.0.0")
    rerun(sandbox, add_report(sandbox, simulation, country_id="us"))
    assert snapshot(sandbox)["simulations"][0]["api_version"] == "1.0.0"


def test_nothing_but_status_output_error_run_and_package_version_changes(sandbox: Connection) -> None:
    set_versions(sandbox)
    report, first, second = economy_report(sandbox)
    other_report = add_report(sandbox, first, api_version="r-old")
    add_simulation(sandbox, policy_id=3)
    before = everything(sandbox)
    rerun(sandbox, report)
    after = everything(sandbox)
    reset = {"status": "pending", "output": None, "error_message": None, "run_sequence": 2}
    for row in before["report_outputs"]:
        if row["id"] == report:
            row.update(reset)
    for row in before["simulations"]:
        if row["id"] in (first, second):
            row.update(reset, api_version=VERSIONS["us"]["package"])
    # What was there stands in the history now.
    assert changed_tables(before, after) == {"rerun", "report_run", "simulation_run"}
    assert other_report in [row["id"] for row in after["report_outputs"] if row["status"] == "complete"]


def test_a_report_of_a_country_that_pgreprise_does_not_know_can_be_rerun_when_it_is_a_household_one(
    sandbox: Connection,
) -> None:
    simulation = add_simulation(sandbox, country_id="zz", population_type="household")
    assert rerun(sandbox, add_report(sandbox, simulation, country_id="zz"))["simulation_ids"] == [simulation]


def test_ids_beyond_four_bytes_are_ids_like_any_other(dba: Connection) -> None:
    largest = 2**63 - 1
    add_simulation(dba, id=largest, population_type="household")
    add_report(dba, largest, id=largest)
    assert rerun(dba, largest) == {
        "report_id": largest,
        "report_type": "household",
        "simulation_ids": [largest],
        "economy_cache_rows_deleted": 0,
        "cache_scopes": [],
        "run_sequence": 2,
        "rerun_id": 1,
        "same_key_report_ids": [],
        "shown_report_id": largest,
    }


def test_result_is_what_the_rerun_did_and_never_what_the_caller_passed_in(sandbox: Connection) -> None:
    report = add_report(sandbox, add_simulation(sandbox, population_type="household"))
    called = one(sandbox, 'call rerun_report(%s, result => \'{"report_id": 0, "more": 1}\')', report)
    assert set(called["result"]) == {
        "report_id",
        "report_type",
        "simulation_ids",
        "economy_cache_rows_deleted",
        "cache_scopes",
        "run_sequence",
        "rerun_id",
        "same_key_report_ids",
        "shown_report_id",
    }
    assert called["result"]["report_id"] == report


@pytest.mark.direct
def test_a_rollback_of_the_callers_transaction_undoes_all_of_it(sandbox: Connection) -> None:
    set_versions(sandbox)
    report, _, _ = economy_report(sandbox)
    add_reform_impact(sandbox)
    before = snapshot(sandbox)
    with sandbox.transaction(force_rollback=True):
        assert rerun(sandbox, report)["economy_cache_rows_deleted"] == 1
        assert snapshot(sandbox) != before
    assert snapshot(sandbox) == before


@pytest.mark.direct
def test_a_read_only_transaction_cannot_rerun(dba: Connection) -> None:
    report = add_report(dba, add_simulation(dba, population_type="household"))
    before = snapshot(dba)
    dba.execute("set default_transaction_read_only = on")
    with pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
        rerun(dba, report)
    assert snapshot(dba) == before


def test_the_api_role_reruns_without_any_right_on_the_tables(dba: Connection, connect: Connect) -> None:
    report = add_report(dba, add_simulation(dba, population_type="household"))
    api = connect(role="pgreprise_api")
    assert rerun(api, report, "us")["report_id"] == report
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        api.execute("select from public.report_outputs")


@pytest.mark.direct
@pytest.mark.parametrize("column", ["smallint", "integer"])
def test_tables_that_were_adopted_with_narrow_policies_jsonb_outputs_and_text_columns_work(
    dba: Connection, column: str
) -> None:
    dba.execute(f"alter table public.simulations alter policy_id type {column}")
    dba.execute(f"alter table public.reform_impact alter baseline_policy_id type {column}")
    dba.execute("alter table public.report_outputs alter simulation_1_id type integer, alter id type integer")
    dba.execute("alter table public.simulations alter output type jsonb using output::jsonb, alter id type integer")
    dba.execute("alter table public.report_outputs alter output type jsonb using output::jsonb, alter year type text")
    set_versions(dba)
    report, first, second = economy_report(dba)
    add_reform_impact(dba)
    assert rerun(dba, report)["simulation_ids"] == [first, second]
    dba.execute(
        "select update_report(%s, error_message => 'slow', output => '{\"a\": 1}', status => 'complete')", (report,)
    )
    # The same again, of other types than the columns have.
    dba.execute("select update_report(%s, error_message => 'slow', output => '{\"a\":1}')", (report,))
    dba.execute("select update_simulation(%s, output => '{\"a\": 1}', status => 'complete')", (first,))
    for call in (f"get_report({report})", f"get_simulation({first})"):
        assert one(dba, f"select ({call}).output::text as output")["output"] == '{"a": 1}'
    create = "select (get_or_create_simulation('us', 'state/ny', 'geography', %s)).created"
    assert [one(dba, create, policy)["created"] for policy in (2, 9)] == [False, True]
    assert one(dba, "select (get_or_create_report('us', %s, year => '2030')).created", first)["created"]


@pytest.mark.direct
def test_columns_of_the_host_named_like_variables_of_the_routines_disturb_nothing(sandbox: Connection) -> None:
    variables = one(
        sandbox,
        """
        select array_agg(distinct word[1]) as names
          from pg_proc as procedure
          join pg_namespace as namespace on namespace.oid = procedure.pronamespace
         cross join lateral regexp_matches(
           split_part(split_part(procedure.prosrc, 'declare', 2), 'begin', 1), '(?n)^  ([a-z_0-9]+) ', 'g') as word
         where namespace.nspname in ('public', 'pgreprise')
        """,
    )["names"]
    parameters = one(
        sandbox,
        """
        select array_agg(distinct name) as names
          from pg_proc as procedure
          join pg_namespace as namespace on namespace.oid = procedure.pronamespace
         cross join lateral unnest(procedure.proargnames) as name
         where namespace.nspname in ('public', 'pgreprise')
        """,
    )["names"]
    assert {"linked", "removed_ids", "package_version"} <= set(variables)
    for table in ("report_outputs", "simulations", "reform_impact"):
        for name in {*variables, *parameters}:
            sandbox.execute(
                psycopg.sql.SQL("alter table public.{} add column if not exists {} text").format(
                    psycopg.sql.Identifier(table), psycopg.sql.Identifier(name)
                )
            )
    set_versions(sandbox)
    report, first, _ = economy_report(sandbox)
    add_reform_impact(sandbox)
    assert rerun(sandbox, report, "us")["economy_cache_rows_deleted"] == 1
    for call in (
        f"get_report({report}, 'us')",
        f"get_simulation({first}, 'us')",
        f"update_report({report}, 'us', status => 'running')",
        f"update_simulation({first}, 'us', status => 'running')",
        f"get_or_create_report('us', {first}, year => '2031')",
        "get_or_create_simulation('us', 'state/ca', 'geography', 7)",
        f"reset_report({report})",
        f"reset_simulation({first})",
        "report_defects()",
        "mismatched_cache_versions()",
        "delete_reform_impacts('us', 2, 3, 'state/ny', 'default', '2025')",
    ):
        sandbox.execute(f"select {call}")
