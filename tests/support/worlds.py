"""Reports that share simulations and cache keys heavily, and what must hold after whatever was done to them."""

from __future__ import annotations

import itertools
from typing import Any

from tests.support.databases import Connection
from tests.support.factories import add_reform_impact, add_report, add_simulation, set_versions

POLICIES = (2, 3, 4, 5, 6)
# The reports that cannot be rerun, by SQLSTATE.
DEFECTS = ("RR002", "RR003", "RR005")

Rows = list[dict[str, Any]]


def add_shared_reports(connection: Connection, reports: int) -> list[int]:
    """Reports over five simulations of a geography and two of a household, with cache rows for every key.

    Three of them cannot be rerun: the first, one in the middle and the last. Returns all ids.
    """
    set_versions(connection)
    economy = [
        add_simulation(connection, policy_id=policy, output={"policy": policy, "text": "x" * 5000})
        for policy in POLICIES
    ]
    household = [add_simulation(connection, population_id=name, population_type="household") for name in ("7", "8")]
    pairs = itertools.cycle([*itertools.permutations(economy, 2), tuple(household), (household[0], None)])
    ids = []
    for place in range(reports):
        first, second = next(pairs)
        malformed: dict[int, tuple[int, int | None, str | None]] = {
            0: (999, None, "2025"),
            reports // 2: (economy[0], household[0], "2025"),
            reports - 1: (economy[0], None, None),
        }
        first, second, year = malformed.get(place, (first, second, "2025"))
        ids.append(add_report(connection, first, second, year=year, output={"report": place, "text": "y" * 500}))
    add_cache_rows(connection)
    return ids


def add_cache_rows(connection: Connection) -> None:
    """Two cache rows for each key, and one of another dataset, which stays."""
    for baseline, reform in itertools.permutations(POLICIES, 2):
        for status in ("ok", "computing"):
            add_reform_impact(connection, baseline_policy_id=baseline, reform_policy_id=reform, status=status)
    add_reform_impact(connection, baseline_policy_id=2, reform_policy_id=3, dataset="other")


def contents(connection: Connection) -> dict[str, Rows]:
    """What a rerun clears, each row as text."""
    return {
        "report": connection.execute(
            "select id, run_sequence, status, output::text, error_message, api_version "
            "from public.report_outputs order by id"
        ).fetchall(),
        "simulation": connection.execute(
            "select id, run_sequence, status, output::text, error_message, api_version "
            "from public.simulations order by id"
        ).fetchall(),
        "impact": connection.execute(
            "select reform_impact_id as id, dataset, to_jsonb(impact)::text as row "
            "from public.reform_impact as impact order by 1"
        ).fetchall(),
    }


def assert_batch_did_each_report_once(connection: Connection, batch_id: int, before: dict[str, Rows]) -> None:
    """Every report has one act of the batch, every simulation and cache row one report that cleared it, all of it
    archived as it was before, and malformed reports are untouched."""
    after = contents(connection)
    acts = connection.execute("select * from pgreprise.rerun where batch_id = %s", (batch_id,)).fetchall()
    [batch] = connection.execute("select * from rerun_batches(%s)", (batch_id,)).fetchall()
    refused = connection.execute("select * from rerun_batch_refusals(%s)", (batch_id,)).fetchall()
    assert sorted(row["errcode"] for row in refused) == sorted(DEFECTS)
    untouched = {row["report_id"] for row in refused}
    assert (batch["reports"], batch["rerun"], batch["refused"]) == (len(before["report"]), len(acts), len(DEFECTS))
    assert (batch["remaining"], batch["finished_at"] is not None) == (0, True)
    assert connection.execute("select from pgreprise.rerun_batch_item where state = 'pending'").fetchall() == []

    rerun = [row for row in before["report"] if row["id"] not in untouched]
    assert sorted(act["report_id"] for act in acts) == [row["id"] for row in rerun]
    for old, new in zip(before["report"], after["report"], strict=True):
        assert new == old if new["id"] in untouched else is_reset(old, new)
    for old, new in zip(before["simulation"], after["simulation"], strict=True):
        assert is_reset(old, new)
    started = [
        simulation
        for act in acts
        for simulation, run in zip(act["simulation_ids"], act["simulation_run_sequences"], strict=True)
        if run is not None
    ]
    assert sorted(started) == [row["id"] for row in before["simulation"]]
    assert archived(connection, "report", before["report"]) == {row["id"]: row for row in rerun}
    assert archived(connection, "simulation", before["simulation"]) == {row["id"]: row for row in before["simulation"]}

    removed = [impact_id for act in acts for impact_id in act["reform_impact_ids"]]
    assert after["impact"] == [row for row in before["impact"] if row["dataset"] == "other"]
    assert sorted(removed) == [row["id"] for row in before["impact"] if row["dataset"] == "default"]
    kept = connection.execute(
        "select kept.reform_impact_id as id, kept.dataset, "
        "(to_jsonb(kept) - 'removal_id' - 'host_columns')::text as row "
        "from pgreprise.reform_impact_archive as kept join pgreprise.rerun as act on act.removal_id = kept.removal_id "
        "and kept.reform_impact_id = any (act.reform_impact_ids) where act.batch_id = %s order by 1",
        (batch_id,),
    ).fetchall()
    assert kept == [row for row in before["impact"] if row["dataset"] == "default"]


def is_reset(old: dict[str, Any], new: dict[str, Any]) -> bool:
    """The new row is the old one's next run, pending and empty."""
    cleared = {"run_sequence": old["run_sequence"] + 1, "status": "pending", "output": None, "error_message": None}
    return {**old, **cleared, "api_version": new["api_version"]} == new


def archived(connection: Connection, kind: str, of: Rows) -> dict[int, dict[str, Any]]:
    """The archived runs of rows, those that were current in ``of``."""
    runs = connection.execute(
        f"select {kind}_id as id, run_sequence, status, output::text, error_message, api_version "  # noqa: S608
        f"from pgreprise.{kind}_run"
    ).fetchall()
    current = {(row["id"], row["run_sequence"]) for row in of}
    return {run["id"]: run for run in runs if (run["id"], run["run_sequence"]) in current}


def assert_history_is_whole(connection: Connection) -> None:
    """After anything: runs are numbered without a gap, each but the current archived, each act's archive complete."""
    for kind, table in (("report", "report_outputs"), ("simulation", "simulations")):
        wrong = connection.execute(
            f"select stored.id, stored.run_sequence, runs.numbers from public.{table} as stored "  # noqa: S608
            f"cross join lateral (select coalesce(array_agg(run.run_sequence order by run.run_sequence), '{{}}') "
            f"as numbers from pgreprise.{kind}_run as run where run.{kind}_id = stored.id) as runs "
            "where runs.numbers <> array(select generate_series(1, stored.run_sequence - 1))"
        ).fetchall()
        assert wrong == [], kind
    started = connection.execute(
        "select 'report' as kind, report_id as id, run_sequence as run from pgreprise.rerun "
        "where report_id is not null "
        "union all select 'simulation', started.* from pgreprise.rerun as act, "
        "unnest(act.simulation_ids, act.simulation_run_sequences) as started(id, run)"
    )
    runs = sorted((row["kind"], row["id"], row["run"]) for row in started if row["run"] is not None)
    assert len(runs) == len(set(runs))
    expected = connection.execute(
        "select 'report' as kind, id, generate_series(2, run_sequence) as run from public.report_outputs "
        "union all select 'simulation', id, generate_series(2, run_sequence) from public.simulations"
    )
    assert runs == sorted((row["kind"], row["id"], row["run"]) for row in expected)
    # What was removed is there or archived, unless it was purged.
    lost = connection.execute(
        "select act.rerun_id, removed.id from pgreprise.rerun as act, unnest(act.reform_impact_ids) as removed(id) "
        "where act.is_archived and act.purged_at is null and not exists ("
        "select from pgreprise.reform_impact_archive as kept "
        "where kept.removal_id = act.removal_id and kept.reform_impact_id = removed.id)"
    ).fetchall()
    assert lost == []
    half = connection.execute(
        "select id from public.report_outputs "
        "where status = 'pending' and (output is not null or error_message is not null)"
    ).fetchall()
    assert half == []
