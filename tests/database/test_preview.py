"""A DBA looks at what a rerun would touch, and nothing is touched by the look."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.databases import Connect, Connection
from tests.support.factories import add_economy_report, add_reform_impact, add_report, add_simulation, set_versions
from tests.support.refusals import refusal
from tests.support.snapshots import changed_tables, everything, snapshot
from tests.support.statements import newest_act, one, rerun

COLUMNS = ("kind", "id", "status", "action", "output_bytes", "shared_with", "errcode", "message", "hint", "seen")


def preview(connection: Connection, report_id: int) -> list[tuple[Any, ...]]:
    rows = connection.execute("select * from rerun_preview(%s)", (report_id,)).fetchall()
    assert all(tuple(row) == COLUMNS for row in rows)
    # The token is tested in test_seen.
    return [tuple(row.values())[:-1] for row in rows]


def shared(connection: Connection, report_id: int) -> dict[tuple[str, int], list[int]]:
    return {(row[0], row[1]): row[5] for row in preview(connection, report_id)}


@pytest.fixture
def ids(sandbox: Connection) -> tuple[int, int, int]:
    """An economy report and its two simulations."""
    set_versions(sandbox)
    return add_economy_report(sandbox, output='{"é": 1}', status="error")


def test_one_row_for_each_thing_that_a_rerun_would_touch(sandbox: Connection, ids: tuple[int, int, int]) -> None:
    report, first, second = ids
    sandbox.execute("update public.simulations set output = null, status = 'running' where id = %s", (second,))
    impacts = [add_reform_impact(sandbox, reform_impact_json="[ 1 ]", status=status) for status in ("ok", "computing")]
    add_reform_impact(sandbox, reform_policy_id=2)
    other_dataset = add_reform_impact(sandbox, dataset="enhanced_cps")
    other_version = add_reform_impact(sandbox, api_version="e-old", options_hash="[cliffs=true]")
    twin = add_report(sandbox, first, second, status="running")
    sandbox.execute("select reset_simulation(%s)", (second,))
    plain = ([], None, None, None)
    assert preview(sandbox, report) == [
        # Bytes, not characters.
        ("report", report, "error", "pending, as run 2", 9, *plain),
        ("simulation", first, "complete", "pending, as run 2", 13, [twin], None, None, None),
        ("simulation", second, "pending", "pending, as run 3", 0, [twin], None, None, None),
        (
            "report",
            twin,
            "running",
            f"kept: it has the same key and version; the application shows report #{twin}",
            0,
            *plain,
        ),
        ("reform_impact", impacts[0], "ok", "deleted", 5, [twin], None, None, None),
        ("reform_impact", impacts[1], "computing", "deleted", 5, [twin], None, None, None),
        ("reform_impact", other_dataset, "ok", "kept: dataset enhanced_cps, options []", 0, *plain),
        (
            "reform_impact",
            other_version,
            "ok",
            "kept: version e-old, dataset default, options [cliffs=true]",
            0,
            *plain,
        ),
    ]


@pytest.mark.usefixtures("ids")
def test_a_household_report_has_no_cache(sandbox: Connection) -> None:
    simulation = add_simulation(sandbox, population_type="household")
    report = add_report(sandbox, simulation, simulation, year=None)
    add_reform_impact(sandbox, reform_policy_id=2)
    assert [row[:2] for row in preview(sandbox, report)] == [("report", report), ("simulation", simulation)]


def test_without_the_archive_no_byte_would_be_archived(sandbox: Connection, ids: tuple[int, int, int]) -> None:
    add_reform_impact(sandbox)
    sandbox.execute("select set_setting('archive_outputs', 'off')")
    assert [row[4] for row in preview(sandbox, ids[0])] == [0, 0, 0, 0]


def test_it_changes_nothing_and_works_in_a_read_only_transaction(
    sandbox: Connection, ids: tuple[int, int, int]
) -> None:
    add_reform_impact(sandbox)
    before = everything(sandbox)
    with sandbox.transaction():
        sandbox.execute("set local transaction_read_only = on")
        assert len(preview(sandbox, ids[0])) == 4
    assert everything(sandbox) == before


# --- shared_with -----------------------------------------------------------------------------


def test_the_other_reports_of_a_simulation_are_named(sandbox: Connection, ids: tuple[int, int, int]) -> None:
    report, first, second = ids
    as_first = add_report(sandbox, first, year="2030")
    as_second = add_report(sandbox, add_simulation(sandbox, policy_id=9), first, year="2030")
    twice = add_report(sandbox, second, second, year="2030")
    both = add_report(sandbox, second, first, year="2031")
    assert shared(sandbox, report) == {
        ("report", report): [],
        ("simulation", first): [as_first, as_second, both],
        ("simulation", second): [twice, both],
    }
    assert shared(sandbox, twice) == {("report", twice): [], ("simulation", second): [report, both]}


def test_the_other_reports_of_a_cache_key_are_named_whatever_their_simulations(
    sandbox: Connection, ids: tuple[int, int, int]
) -> None:
    report, first, second = ids
    set_versions(sandbox, "uk")
    impact = add_reform_impact(sandbox)
    # Other rows of the same population and policies, and a report of another report version.
    again = (add_simulation(sandbox, policy_id=2), add_simulation(sandbox, policy_id=3))
    same_key = add_report(sandbox, *again)
    stale = add_report(sandbox, first, second, api_version="r-old")
    elsewhere = add_simulation(sandbox, policy_id=2, population_id="state/ca")
    abroad = [add_simulation(sandbox, policy_id=policy, country_id="uk") for policy in (2, 3)]
    household = [add_simulation(sandbox, policy_id=policy, population_type="household") for policy in (2, 3)]
    others = [
        add_report(sandbox, *again, year="2026"),
        add_report(sandbox, again[0]),
        add_report(sandbox, *reversed(again)),
        add_report(sandbox, elsewhere, again[1]),
        add_report(sandbox, *abroad, country_id="uk"),
        add_report(sandbox, *household),
        # Malformed ones delete no cache row.
        add_report(sandbox, again[0], 999999999),
        add_report(sandbox, again[0], household[1]),
    ]
    assert shared(sandbox, report)["reform_impact", impact] == [same_key, stale]
    assert shared(sandbox, same_key)["reform_impact", impact] == [report, stale]
    # The region is that of the first simulation alone.
    mixed = add_report(sandbox, again[0], add_simulation(sandbox, policy_id=3, population_id="us"))
    assert shared(sandbox, report)["reform_impact", impact] == [same_key, stale, mixed]
    for other in others[:6]:
        assert ("reform_impact", impact) not in shared(sandbox, other)


@pytest.mark.usefixtures("ids")
def test_who_shares_is_who_is_touched(sandbox: Connection) -> None:
    # The reports that are named for a cache row are those whose own preview names the row, and the same for
    # simulations: told by every report of a small world.
    set_versions(sandbox, "uk")
    made = [
        add_simulation(sandbox, policy_id=policy, population_id=region, country_id=country)
        for country, region, policy in (
            ("us", "state/ny", 2),
            ("us", "state/ny", 3),
            ("us", "state/ny", 2),
            ("us", "us", 2),
            ("uk", "state/ny", 2),
        )
    ]
    for first in made:
        for second in (None, *made):
            country = "uk" if first == made[-1] else "us"
            add_report(sandbox, first, second, country_id=country)
    for reform in (2, 3):
        add_reform_impact(sandbox, reform_policy_id=reform)
    reports = [row["id"] for row in snapshot(sandbox)["report_outputs"]]
    previews = {report: preview(sandbox, report) for report in reports}
    valid = {report for report, rows in previews.items() if rows[0][6] is None}
    assert 20 < len(valid) < len(reports)
    users: dict[tuple[str, int], set[int]] = {}
    for report in valid:
        for kind, row_id, *_ in previews[report]:
            users.setdefault((kind, row_id), set()).add(report)
    for report in valid:
        for kind, row_id, _, _, _, named, *_ in previews[report]:
            others = {other for other in named if other in valid}
            assert others == users[kind, row_id] - {report}, (report, kind, row_id)


# --- defects ---------------------------------------------------------------------------------


@pytest.mark.parametrize("code", ["RR002", "RR003", "RR004", "RR005", "RR006"])
def test_a_report_that_cannot_be_rerun_gives_its_defect(
    sandbox: Connection, ids: tuple[int, int, int], code: str
) -> None:
    report = {
        "RR002": lambda: add_report(sandbox, ids[1], 999999999),
        "RR003": lambda: add_report(sandbox, ids[1], add_simulation(sandbox, population_type="household")),
        "RR004": lambda: add_report(sandbox, add_simulation(sandbox, population_type="family"), status="pending"),
        "RR005": lambda: add_report(sandbox, ids[1], year=" "),
        "RR006": lambda: add_report(sandbox, add_simulation(sandbox, country_id="ng"), country_id="ng"),
    }[code]()
    add_reform_impact(sandbox)
    [row] = preview(sandbox, report)
    said = refusal(sandbox, "call rerun_report(%s)", report)
    status = one(sandbox, "select status from get_report(%s)", report)["status"]
    nothing = "nothing: the report cannot be rerun"
    assert row == ("report", report, status, nothing, 0, [], said.code, said.message, said.hint)
    assert said.code == code


# --- agreement -------------------------------------------------------------------------------


@pytest.mark.parametrize("links", [(0, 1), (1, 0), (0, 0), (0, None), (2, None), (2, 2)])
def test_a_rerun_then_does_what_was_said(
    sandbox: Connection, ids: tuple[int, int, int], links: tuple[int, int | None]
) -> None:
    simulations = [*ids[1:], add_simulation(sandbox, population_type="household")]
    first, second = (None if link is None else simulations[link] for link in links)
    assert first is not None
    report = add_report(sandbox, first, second, output="[1,  2]")
    for baseline in (2, 3):
        for reform in (2, 3):
            add_reform_impact(sandbox, baseline_policy_id=baseline, reform_policy_id=reform)
    rerun(sandbox, report)
    add_reform_impact(sandbox, reform_policy_id=2)
    add_reform_impact(sandbox)
    said = preview(sandbox, report)
    before = everything(sandbox)
    result = rerun(sandbox, report)
    after = everything(sandbox)

    touched: dict[str, set[int]] = {"report": set(), "simulation": set(), "reform_impact": set()}
    said = [row for row in said if not row[3].startswith("kept: ")]
    for kind, row_id, *_ in said:
        touched[kind].add(row_id)
    tables = {"report": "report_outputs", "simulation": "simulations", "reform_impact": "reform_impact"}
    for kind, table in tables.items():
        key = "reform_impact_id" if kind == "reform_impact" else "id"
        now = {row[key]: row for row in after[table]}
        for row in before[table]:
            changed = now.get(row[key]) != row
            assert changed == (row[key] in touched[kind])
    for kind, row_id, _, action, *_ in said:
        if kind == "reform_impact":
            assert action == "deleted"
        else:
            table = tables[kind]
            [row] = [row for row in after[table] if row["id"] == row_id]
            assert action == f"{row['status']}, as run {row['run_sequence']}"
    assert touched["report"] == {result["report_id"]}
    assert touched["simulation"] == set(result["simulation_ids"])
    assert len(touched["reform_impact"]) == result["economy_cache_rows_deleted"]
    archived = one(
        sandbox,
        "select coalesce(sum(octet_length(output)), 0)::bigint as bytes from ("
        " select output::text from pgreprise.report_run where report_id = %(report)s and run_sequence = 2"
        " union all select run.output::text from pgreprise.simulation_run as run, pgreprise.rerun as act,"
        " unnest(act.simulation_ids, act.simulation_run_sequences) as started(id, sequence)"
        " where act.rerun_id = %(act)s and run.simulation_id = started.id and run.run_sequence = started.sequence - 1"
        " union all select reform_impact_json::text from pgreprise.reform_impact_archive where removal_id = %(act)s"
        ") as kept(output)".replace("%(report)s", str(report)).replace("%(act)s", str(newest_act(sandbox)["rerun_id"])),
    )
    assert sum(row[4] for row in said) == archived["bytes"]
    assert changed_tables(before, after) >= {"report_outputs", "simulations", "rerun"}


# --- locks -----------------------------------------------------------------------------------


def test_it_waits_for_nobody_and_holds_no_lock_on_any_row(dba: Connection, connect: Connect) -> None:
    set_versions(dba)
    report = add_economy_report(dba)[0]
    add_reform_impact(dba)
    looking = connect(role="pgreprise_reader", autocommit=False)
    looking.execute("set local statement_timeout = '10s'")
    dba.execute("begin")
    for table in ("public.report_outputs", "public.simulations", "public.reform_impact", "pgreprise.country"):
        dba.execute(f"select from {table} for update")
    assert len(preview(looking, report)) == 4
    dba.execute("commit")
    modes = dba.execute(
        "select distinct mode from pg_locks where pid = %s and locktype in ('relation', 'tuple', 'transactionid')",
        (looking.info.backend_pid,),
    ).fetchall()
    assert [row["mode"] for row in modes] == ["AccessShareLock"]
    looking.rollback()
