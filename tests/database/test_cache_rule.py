"""Which economy cache rows are a report's, at each age of the application that writes them."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.databases import Connection
from tests.support.factories import (
    SCOPE,
    add_economy_report,
    add_reform_impact,
    add_report,
    add_simulation,
    set_versions,
)
from tests.support.snapshots import snapshot
from tests.support.statements import newest_act, one, rerun, undo

CURRENT = SCOPE["api_version"]
OTHER_DATASET = "gs://data/states/NY.h5"


def plain(dataset: str, *parts: str) -> str:
    """The hash of a request without options."""
    return f"[{'&'.join((f'dataset={dataset}', 'model_version=1.7', *parts))}]"


@pytest.mark.parametrize(
    ("row", "is_the_reports"),
    [
        # At first: the dataset as it was asked for, and no options.
        ({"dataset": "default", "options_hash": "[]"}, True),
        ({"dataset": "enhanced_cps", "options_hash": "[]"}, False),
        ({"dataset": "default", "options_hash": "[include_cliffs=true]"}, False),
        ({"dataset": "default", "options_hash": None}, False),
        # Then: the dataset that was found for the region, in versions that begin with e1.
        ({"dataset": OTHER_DATASET, "options_hash": plain(OTHER_DATASET, "runtime_app_name=a")}, True),
        ({"dataset": OTHER_DATASET, "options_hash": plain(OTHER_DATASET, "data_version=2")}, True),
        ({"dataset": OTHER_DATASET, "options_hash": plain("another")}, False),
        ({"dataset": OTHER_DATASET, "options_hash": f"[include_cliffs=true&{plain(OTHER_DATASET)[1:]}"}, False),
        # Since then: the dataset as it was asked for, with the same hash.
        ({"dataset": "default", "options_hash": plain("default", "policyengine_version=4.2")}, True),
        ({"dataset": "default", "options_hash": "[dataset=default]"}, False),
        ({"dataset": "default", "options_hash": "dataset=default&model_version=1"}, False),
        ({"dataset": "", "options_hash": plain("")}, True),
    ],
)
def test_a_row_is_deleted_where_it_answers_the_reports_request(
    sandbox: Connection, row: dict[str, Any], is_the_reports: bool
) -> None:
    set_versions(sandbox)
    report = add_economy_report(sandbox)[0]
    assert CURRENT.startswith("e1")
    stored = add_reform_impact(sandbox, **row)
    before = one(
        sandbox, "select action from rerun_preview(%s) where kind = 'reform_impact' and id = %s", report, stored
    )
    assert rerun(sandbox, report)["economy_cache_rows_deleted"] == is_the_reports
    assert (before["action"] == "deleted") == is_the_reports
    assert (snapshot(sandbox)["reform_impact"] == []) == is_the_reports


@pytest.mark.parametrize(("version", "deleted"), [("e158e63ef1", 1), ("e2604ee281", 0), ("1.633.1", 0)])
def test_another_dataset_counts_only_in_the_versions_that_stored_the_one_of_the_region(
    sandbox: Connection, version: str, deleted: int
) -> None:
    set_versions(sandbox)
    sandbox.execute("select set_cache_versions('us', economy_impact => %s)", (version,))
    report = add_economy_report(sandbox)[0]
    add_reform_impact(sandbox, dataset=OTHER_DATASET, options_hash=plain(OTHER_DATASET), api_version=version)
    assert rerun(sandbox, report)["economy_cache_rows_deleted"] == deleted


@pytest.mark.parametrize("status", ["ok", "error", "computing", "odd"])
def test_every_status_is_deleted(sandbox: Connection, status: str) -> None:
    set_versions(sandbox)
    report = add_economy_report(sandbox)[0]
    add_reform_impact(sandbox, status=status, options_hash=plain("default"))
    assert rerun(sandbox, report)["economy_cache_rows_deleted"] == 1


@pytest.mark.parametrize(
    ("specification", "dataset"),
    [
        ({"dataset": "enhanced_cps"}, "enhanced_cps"),
        ({"dataset": ""}, "default"),
        ({"dataset": None}, "default"),
        ({}, "default"),
        (None, "default"),
    ],
)
def test_the_dataset_is_that_of_the_reports_specification(
    sandbox: Connection, specification: dict[str, Any] | None, dataset: str
) -> None:
    set_versions(sandbox)
    sandbox.execute("select set_cache_versions('us', economy_impact => 'e2')")
    report = add_economy_report(sandbox, report_spec_json=specification)[0]
    rows = {
        name: add_reform_impact(sandbox, dataset=name, options_hash=plain(name), api_version="e2")
        for name in ("default", "enhanced_cps")
    }
    result = one(sandbox, "call rerun_reports(array[%s]::bigint[])", report)["result"]
    assert result["economy_cache_rows_deleted"] == 1
    undo(sandbox, newest_act(sandbox)["rerun_id"])
    assert [scope["dataset"] for scope in rerun(sandbox, report)["cache_scopes"]] == [dataset]
    assert [row["reform_impact_id"] for row in snapshot(sandbox)["reform_impact"]] == [
        row for name, row in rows.items() if name != dataset
    ]


def test_a_table_without_a_specification_has_the_default_dataset_and_one_that_gets_it_later_its_own(
    dba: Connection,
) -> None:
    set_versions(dba)
    dba.execute("alter table public.report_outputs drop column report_spec_json")
    report = add_economy_report(dba)[0]
    for name in ("default", "enhanced_cps"):
        add_reform_impact(dba, dataset=name)
    assert [scope["dataset"] for scope in rerun(dba, report)["cache_scopes"]] == ["default"]
    assert one(dba, "call rerun_reports(array[%s]::bigint[])", report)["result"]["economy_cache_rows_deleted"] == 0
    dba.execute('alter table public.report_outputs add report_spec_json jsonb default \'{"dataset": "enhanced_cps"}\'')
    # In the same session, whose plans were made without the column.
    assert [scope["dataset"] for scope in rerun(dba, report)["cache_scopes"]] == ["enhanced_cps"]
    assert snapshot(dba)["reform_impact"] == []


@pytest.mark.parametrize(
    ("country", "population", "region"),
    [
        ("us", "ny", "state/ny"),
        ("us", "NY", "state/NY"),
        ("us", "dc", "state/dc"),
        ("us", "state/ny", "state/ny"),
        ("us", "us", "us"),
        ("us", "pr", "pr"),
        ("us", "place/NJ-57000", "place/NJ-57000"),
        ("uk", "ny", "ny"),
        ("uk", "constituency/Ynys Môn", "constituency/Ynys Môn"),
    ],
)
def test_a_bare_code_of_a_us_state_is_a_region(sandbox: Connection, country: str, population: str, region: str) -> None:
    set_versions(sandbox, country)
    simulation = add_simulation(sandbox, country_id=country, population_id=population)
    report = add_report(sandbox, simulation, country_id=country)
    [scope] = rerun(sandbox, report)["cache_scopes"]
    assert scope["region"] == region


def test_a_state_with_and_without_its_prefix_shares_its_rows_in_the_preview(sandbox: Connection) -> None:
    set_versions(sandbox)
    bare, prefixed, upper = (
        add_report(sandbox, add_simulation(sandbox, population_id=name)) for name in ("ny", "state/ny", "NY")
    )
    add_reform_impact(sandbox, reform_policy_id=2)
    found = {
        report: one(sandbox, "select shared_with from rerun_preview(%s) where kind = 'reform_impact'", report)
        for report in (bare, prefixed)
    }
    assert found == {bare: {"shared_with": [prefixed]}, prefixed: {"shared_with": [bare]}}
    assert upper not in found


def test_a_row_of_two_requests_goes_with_the_first_of_a_batch_and_comes_back_with_it(sandbox: Connection) -> None:
    # The dataset of an old row cannot be known, so it answers both.
    set_versions(sandbox)
    first = add_economy_report(sandbox)[0]
    second = add_report(sandbox, 1, 2, report_spec_json={"dataset": "enhanced_cps"}, year="2025")
    sandbox.execute(
        "update public.report_outputs set (simulation_1_id, simulation_2_id) = "
        "(select simulation_1_id, simulation_2_id from public.report_outputs where id = %s) where id = %s",
        (first, second),
    )
    shared = add_reform_impact(sandbox, dataset=OTHER_DATASET, options_hash=plain(OTHER_DATASET))
    before = snapshot(sandbox)["reform_impact"]
    result = one(sandbox, "call rerun_reports(array[%s, %s]::bigint[])", first, second)["result"]
    assert result["economy_cache_rows_deleted"] == 1
    acts = sandbox.execute(
        "select rerun_id, reform_impact_ids, cache_scopes from pgreprise.rerun order by rerun_id"
    ).fetchall()
    assert [act["reform_impact_ids"] for act in acts] == [[shared], []]
    assert [scope["dataset"] for act in acts for scope in act["cache_scopes"]] == ["default", "enhanced_cps"]
    for act in reversed(acts):
        undo(sandbox, act["rerun_id"])
    assert snapshot(sandbox)["reform_impact"] == before


# --- what a cache outside the database has to forget ----------------------------------------


def test_each_act_names_the_scopes_that_it_emptied_in_the_feed(sandbox: Connection) -> None:
    set_versions(sandbox)
    report, first, _ = add_economy_report(sandbox)
    household = add_report(sandbox, add_simulation(sandbox, population_type="household"))
    done = rerun(sandbox, report)
    assert done["cache_scopes"] == [SCOPE]
    rerun(sandbox, household)
    assert undo(sandbox, done["rerun_id"])["cache_scopes"] == [SCOPE]
    sandbox.execute("select reset_report(%s), reset_simulation(%s)", (report, first))
    add_reform_impact(sandbox, api_version="e0")
    key = "'us', 2, 3, 'state/ny', 'default', '2025'"
    # Of each version that had rows, and of the current one.
    sandbox.execute(f"select delete_reform_impacts({key})")
    sandbox.execute(f"select delete_reform_impacts({key}, 'e7')")
    read = sandbox.execute("select kind, cache_scopes from rerun_feed()").fetchall()
    assert [(row["kind"], row["cache_scopes"]) for row in read] == [
        ("rerun", [SCOPE]),
        ("rerun", []),
        ("undo", [SCOPE]),
        ("reset_report", []),
        ("reset_simulation", []),
        ("delete_reform_impacts", [{**SCOPE, "api_version": "e0"}, SCOPE]),
        ("delete_reform_impacts", [{**SCOPE, "api_version": "e7"}]),
    ]


def test_a_batch_names_each_scope_once(sandbox: Connection) -> None:
    set_versions(sandbox)
    report, first, second = add_economy_report(sandbox)
    twin = add_report(sandbox, first, second)
    batch = one(sandbox, "select create_rerun_batch(jsonb_build_object('year', '2025')) as id")["id"]
    for _ in range(2):
        sandbox.execute("select rerun_batch_chunk(%s, 1)", (batch,))
    read = sandbox.execute("select report_id, cache_scopes from rerun_feed()").fetchall()
    assert [(row["report_id"], row["cache_scopes"]) for row in read] == [(report, [SCOPE]), (twin, [])]


# --- the version of the report ---------------------------------------------------------------


def test_a_stale_report_gets_the_current_version_and_its_run_keeps_the_old_one(sandbox: Connection) -> None:
    set_versions(sandbox)
    report = add_economy_report(sandbox, api_version="r-old")[0]
    before = one(sandbox, "select action from rerun_preview(%s) where kind = 'report'", report)
    assert before["action"] == "pending, as run 2, as version r147f26ed1 (now r-old)"
    done = rerun(sandbox, report)
    versions = sandbox.execute("select api_version from report_history(%s)", (report,)).fetchall()
    assert [row["api_version"] for row in versions] == ["r147f26ed1", "r-old"]
    undo(sandbox, done["rerun_id"])
    assert one(sandbox, "select api_version from get_report(%s)", report)["api_version"] == "r-old"


def test_without_a_current_version_a_report_keeps_its_own(sandbox: Connection) -> None:
    report = add_report(sandbox, add_simulation(sandbox, population_type="household"), api_version="r-old")
    rerun(sandbox, report)
    assert one(sandbox, "select api_version from get_report(%s)", report)["api_version"] == "r-old"


@pytest.mark.parametrize("has_two", [False, True])
def test_a_rerun_says_which_report_of_the_same_key_the_application_shows(sandbox: Connection, has_two: bool) -> None:
    set_versions(sandbox)
    stale, first, second = add_economy_report(sandbox, api_version="r-old")
    second_id = second if has_two else None
    sandbox.execute("update public.report_outputs set simulation_2_id = %s where id = %s", (second_id, stale))
    current = add_report(sandbox, first, second_id)
    for other in ({"year": "2026"}, {"api_version": "r-older"}, {"simulation_2_id": second if not has_two else None}):
        add_report(sandbox, **{"simulation_1_id": first, "simulation_2_id": second_id, **other})
    said = sandbox.execute(
        "select id, action from rerun_preview(%s) where kind = 'report' and id <> %s", (stale, stale)
    ).fetchall()
    action = f"kept: it has the same key and version; the application shows report #{current}"
    assert said == [{"id": current, "action": action}]
    done = rerun(sandbox, stale)
    assert (done["same_key_report_ids"], done["shown_report_id"]) == ([current], current)
    # The newer one is the one that is shown, also when it is rerun itself.
    done = rerun(sandbox, current)
    assert (done["same_key_report_ids"], done["shown_report_id"]) == ([stale], current)
    many = one(sandbox, "call rerun_reports(array[%s, %s]::bigint[])", stale, current)["result"]
    assert many["same_key"] == [{"report_id": report, "shown_report_id": current} for report in (stale, current)]


def test_the_same_idempotency_key_gives_the_same_answer_about_other_reports(sandbox: Connection) -> None:
    set_versions(sandbox)
    stale, first, second = add_economy_report(sandbox, api_version="r-old")
    add_report(sandbox, first, second)
    results = [one(sandbox, "call rerun_report(%s, null, 'key')", stale)["result"] for _ in range(2)]
    assert results[0] == results[1]
    assert results[0]["cache_scopes"] == [SCOPE]
