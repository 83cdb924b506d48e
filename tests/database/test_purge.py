"""A DBA frees the space of old outputs, and never what tells what happened."""

from __future__ import annotations

import psycopg
import pytest

from tests.support.databases import Connect, Connection
from tests.support.factories import add_economy_report, add_reform_impact, add_report, add_simulation, set_versions
from tests.support.refusals import refusal
from tests.support.snapshots import changed_tables, everything, snapshot
from tests.support.statements import one, rerun, undo

CHUNK = "select purge_chunk(%s::interval, %s, %s, %s) as did"


def purge(connection: Connection, older_than: str = "1 hour", keep_last: int = 1, chunk_size: int = 1000) -> int:
    """Purge chunk by chunk, without a commit in between; returns how many acts were freed."""
    freed, after = 0, 0
    while True:
        did = one(connection, CHUNK, older_than, keep_last, after, chunk_size)["did"]
        if did["after"] is None:
            assert (did["reruns"], did["bytes"]) == (0, 0)
            return freed
        freed += did["reruns"]
        after = did["after"]


def age(connection: Connection, interval: str, *rerun_ids: int) -> None:
    """Make acts older; all of them where none is named."""
    connection.execute(
        "update pgreprise.rerun set created_at = created_at - %s::interval where rerun_id = any (%s) or %s",
        (interval, list(rerun_ids), not rerun_ids),
    )


def outputs(connection: Connection, report: int) -> dict[int, bool]:
    """Which runs of a report have an output, newest first."""
    rows = connection.execute("select run_sequence, has_output from report_history(%s)", (report,)).fetchall()
    return {row["run_sequence"]: row["has_output"] for row in rows}


def computed(connection: Connection, report: int, times: int) -> list[int]:
    """Rerun a report and compute it again, several times; returns the acts."""
    acts = []
    for number in range(times):
        acts.append(rerun(connection, report)["rerun_id"])
        connection.execute(
            "select update_report(%s, status => 'complete', output => %s)", (report, f'{{"run": {number + 2}}}')
        )
    return acts


@pytest.fixture
def household(sandbox: Connection) -> int:
    return add_report(sandbox, add_simulation(sandbox, population_type="household"))


# --- what is freed ---------------------------------------------------------------------------


@pytest.mark.parametrize("keep_last", [0, 1, 2, 3, 4, 2**31 - 1])
def test_the_newest_runs_that_hold_an_output_are_kept(sandbox: Connection, household: int, keep_last: int) -> None:
    computed(sandbox, household, 4)
    age(sandbox, "1 day")
    freed = max(0, 4 - keep_last)
    assert purge(sandbox, keep_last=keep_last) == freed
    # The current run is not an archived one.
    assert outputs(sandbox, household) == {run: run > freed for run in range(5, 0, -1)}


def test_runs_without_an_output_do_not_count_as_kept(sandbox: Connection, household: int) -> None:
    computed(sandbox, household, 1)
    for _ in range(3):
        rerun(sandbox, household)
    age(sandbox, "1 day")
    # Runs 1 and 2 hold an output, 3 and 4 hold none, and 5 is the current one.
    assert outputs(sandbox, household) == {5: False, 4: False, 3: False, 2: True, 1: True}
    purge(sandbox, keep_last=1)
    assert outputs(sandbox, household) == {5: False, 4: False, 3: False, 2: True, 1: False}


def test_only_what_is_older_is_freed(sandbox: Connection, household: int) -> None:
    acts = computed(sandbox, household, 4)
    for number, act in enumerate(acts):
        age(sandbox, f"{4 - number} days", act)
    assert purge(sandbox, "5 days", keep_last=0) == 0
    assert purge(sandbox, "2 days 12 hours", keep_last=0) == 2
    assert outputs(sandbox, household) == {5: True, 4: True, 3: True, 2: False, 1: False}
    assert purge(sandbox, "2 days 12 hours", keep_last=0) == 0
    assert purge(sandbox, "0", keep_last=0) == 2


def test_reports_are_counted_each_for_itself(sandbox: Connection, household: int) -> None:
    other = add_report(sandbox, add_simulation(sandbox, population_type="household"))
    computed(sandbox, household, 3)
    computed(sandbox, other, 1)
    age(sandbox, "1 day")
    assert purge(sandbox, keep_last=1) == 2
    assert outputs(sandbox, other) == {2: True, 1: True}


def test_what_has_no_report_goes_by_age_alone(sandbox: Connection, household: int) -> None:
    assert household
    set_versions(sandbox)
    add_reform_impact(sandbox)
    simulation = snapshot(sandbox)["simulations"][0]["id"]
    sandbox.execute("select reset_simulation(%s)", (simulation,))
    sandbox.execute("select delete_reform_impacts('us', 2, 3, 'state/ny', 'default', '2025')")
    assert purge(sandbox, keep_last=5) == 0
    age(sandbox, "1 day")
    assert purge(sandbox, keep_last=5) == 2


def test_outputs_of_report_simulations_and_cache_are_freed_and_nothing_else(
    sandbox: Connection, household: int
) -> None:
    set_versions(sandbox)
    report = add_economy_report(sandbox, error_message="warned")[0]
    add_reform_impact(sandbox)
    kept = computed(sandbox, household, 1)[0]
    [act] = computed(sandbox, report, 1)
    age(sandbox, "1 day", act)
    before = everything(sandbox)
    history = sandbox.execute("select * from report_history(%s)", (report,)).fetchall()

    assert purge(sandbox, keep_last=0) == 1

    after = everything(sandbox)
    assert changed_tables(before, after) == {"rerun", "report_run", "simulation_run", "reform_impact_archive"}
    now = one(sandbox, "select now() as now")["now"]
    freed = {1: {"has_output": False}, 2: {"purged_at": now}}
    expected = [{**run, **freed[run["run_sequence"]]} for run in history]
    assert sandbox.execute("select * from report_history(%s)", (report,)).fetchall() == expected
    act_row = one(sandbox, "select * from pgreprise.rerun where rerun_id = %s", act)
    assert (act_row["purged_at"], act_row["economy_cache_rows_deleted"], act_row["is_archived"]) == (now, 1, True)
    assert after["reform_impact_archive"] == []
    left = sandbox.execute(
        "select output is null as freed, had_output, status, error_message from pgreprise.report_run "
        "where report_id = %s union all select output is null, had_output, status, error_message "
        "from pgreprise.simulation_run where run_sequence = 1 and simulation_id <> "
        "(select simulation_1_id from get_report(%s))",
        (report, household),
    ).fetchall()
    assert [tuple(run.values()) for run in left] == [
        (True, True, "complete", "warned"),
        (True, True, "complete", None),
        (True, True, "complete", None),
    ]
    undo_of_the_other = one(sandbox, "select purged_at from pgreprise.rerun where rerun_id = %s", kept)
    assert undo_of_the_other["purged_at"] is None


def test_each_act_of_a_batch_frees_its_own(sandbox: Connection) -> None:
    set_versions(sandbox)
    report, first, _ = add_economy_report(sandbox)
    sharing = add_report(sandbox, first)
    add_reform_impact(sandbox)
    add_reform_impact(sandbox, reform_policy_id=2)
    sandbox.execute("call rerun_reports(array[%s, %s])", (report, sharing))
    acts = sandbox.execute("select rerun_id, report_id from pgreprise.rerun order by 1").fetchall()
    assert [act["report_id"] for act in acts] == [report, sharing]
    age(sandbox, "1 day", acts[1]["rerun_id"])
    assert purge(sandbox, keep_last=0) == 1
    assert refusal(sandbox, "call undo_rerun(%s)", acts[1]["rerun_id"]).code == "RR014"
    # The first holds the simulations that they share, and its own cache row.
    result = undo(sandbox, acts[0]["rerun_id"])
    assert (len(result["simulation_ids"]), result["economy_cache_rows_restored"]) == (2, 1)


def test_a_purged_act_is_not_purged_again_nor_one_that_kept_nothing(sandbox: Connection, household: int) -> None:
    computed(sandbox, household, 2)
    sandbox.execute("select set_setting('archive_outputs', 'off')")
    computed(sandbox, household, 2)
    age(sandbox, "1 day")
    assert purge(sandbox, keep_last=0) == 2
    before = everything(sandbox)
    assert purge(sandbox, keep_last=0) == 0
    assert everything(sandbox) == before


def test_undone_acts_and_undos_are_purged_too(sandbox: Connection, household: int) -> None:
    undo(sandbox, computed(sandbox, household, 1)[0], force=True)
    age(sandbox, "1 day")
    assert purge(sandbox, keep_last=0) == 2
    assert outputs(sandbox, household) == {3: True, 2: False, 1: False}


def test_after_a_purge_newer_acts_are_undone_and_older_ones_refused(sandbox: Connection, household: int) -> None:
    older = rerun(sandbox, household)["rerun_id"]
    newer = rerun(sandbox, household)["rerun_id"]
    age(sandbox, "1 day", older)
    assert purge(sandbox, keep_last=0) == 1
    undo(sandbox, newer)
    assert refusal(sandbox, "call undo_rerun(%s)", older).code == "RR014"


# --- chunks ----------------------------------------------------------------------------------


@pytest.mark.parametrize("chunk_size", [1, 2, 1000])
def test_chunks_free_what_one_purge_frees(sandbox: Connection, household: int, chunk_size: int) -> None:
    computed(sandbox, household, 5)
    age(sandbox, "1 day")
    with sandbox.transaction(force_rollback=True):
        purge(sandbox, keep_last=2)
        at_once = everything(sandbox)
    assert purge(sandbox, keep_last=2, chunk_size=chunk_size) == 3
    assert everything(sandbox) == at_once


def test_the_bytes_are_those_of_the_stored_outputs(sandbox: Connection, household: int) -> None:
    computed(sandbox, household, 3)
    age(sandbox, "1 day")
    stored = one(
        sandbox,
        "select sum(pg_column_size(output))::bigint as bytes from (select output from pgreprise.report_run "
        "union all select output from pgreprise.simulation_run) as run",
    )["bytes"]
    size = one(sandbox, "select * from archive_size(interval '1 hour', 0)")
    assert (size["archived_reruns"], size["purgeable_reruns"], size["purgeable_bytes"]) == (3, 3, stored)
    assert size["archive_bytes"] > stored
    did = one(sandbox, CHUNK, "1 hour", 0, 0, 1000)["did"]
    assert (did["reruns"], did["bytes"]) == (3, stored)
    after = one(sandbox, "select * from archive_size(interval '1 hour', 0)")
    assert (after["archived_reruns"], after["purgeable_reruns"], after["purgeable_bytes"]) == (0, 0, 0)


@pytest.mark.parametrize("keep_last", [0, 1, 2, 9])
def test_what_a_purge_would_free_is_what_it_then_frees(sandbox: Connection, household: int, keep_last: int) -> None:
    set_versions(sandbox)
    add_reform_impact(sandbox)
    computed(sandbox, add_economy_report(sandbox)[0], 2)
    computed(sandbox, household, 3)
    age(sandbox, "1 day")
    said = one(sandbox, "select * from archive_size(interval '1 hour', %s)", keep_last)
    did = one(sandbox, CHUNK, "1 hour", keep_last, 0, 1000)["did"]
    assert (said["purgeable_reruns"], said["purgeable_bytes"]) == (did["reruns"], did["bytes"])


def test_a_dba_purges_and_each_chunk_commits(dba: Connection, connect: Connect) -> None:
    report = add_report(dba, add_simulation(dba, population_type="household"))
    acts = computed(dba, report, 5)
    someone = connect(role="pgreprise_dba")
    # What somebody is undoing at the moment is left to the next purge.
    holder = connect(autocommit=False)
    holder.execute("select from pgreprise.rerun where rerun_id = %s for update", (acts[1],))
    result = one(someone, "call purge_runs(interval '0', 0, 2)")["result"]
    assert result["reruns"] == 4
    assert result["bytes"] > 0
    holder.rollback()
    assert outputs(dba, report) == {6: True, 5: False, 4: False, 3: False, 2: True, 1: False}
    assert one(someone, "call purge_runs(interval '0', keep_last => 0)")["result"]["reruns"] == 1
    assert one(someone, "call purge_runs(interval '0')")["result"] == {"reruns": 0, "bytes": 0}


# --- by retention ----------------------------------------------------------------------------


def keep(connection: Connection, **values: str) -> None:
    for name, value in values.items():
        connection.execute("select set_setting(%s, %s)", (f"archive_{name}", value))


def by_retention(connection: Connection) -> int:
    """Purge what the settings do not keep, without a commit in between; returns how many acts were freed."""
    settings = one(connection, "select older_than, keep_last from archive_retention()")
    return purge(connection, settings["older_than"], settings["keep_last"])


@pytest.mark.parametrize(("days", "freed"), [("1 day", 4), ("3 days", 2), ("30 days", 0)])
def test_the_retention_keeps_what_is_young_enough(sandbox: Connection, household: int, days: str, freed: int) -> None:
    for number, act in enumerate(computed(sandbox, household, 4), start=1):
        age(sandbox, f"{5 - number} days 1 minute", act)
    keep(sandbox, keep=days, keep_last="0")
    assert by_retention(sandbox) == freed
    assert by_retention(sandbox) == 0


@pytest.mark.parametrize("kept", [0, 1, 3, 4])
def test_the_retention_deletes_the_oldest_until_the_rest_fits(sandbox: Connection, household: int, kept: int) -> None:
    acts = computed(sandbox, household, 4)
    for number, act in enumerate(acts, start=1):
        age(sandbox, f"{5 - number} minutes", act)
    sizes = [
        one(sandbox, "select sum(bytes)::bigint as bytes from pgreprise.archived_outputs(%s)", [act])["bytes"]
        for act in acts
    ]
    keep(sandbox, keep_bytes=str(sum(sizes[len(sizes) - kept :])), keep_last="0")
    assert by_retention(sandbox) == 4 - kept
    assert one(sandbox, "select archived_bytes from archive_size()")["archived_bytes"] == sum(
        sizes[len(sizes) - kept :]
    )
    assert by_retention(sandbox) == 0


# Their clocks were moved since, in opposite directions.
@pytest.mark.parametrize("zone", ["UTC", "Europe/Zurich", "Australia/Sydney"])
def test_what_fits_does_not_depend_on_the_time_zone(sandbox: Connection, household: int, zone: str) -> None:
    for number, act in enumerate(computed(sandbox, household, 4), start=1):
        age(sandbox, f"{182 * 24} hours {5 - number} minutes", act)
    [held] = sandbox.execute("select archived_bytes / 2 as half from archive_size()").fetchall()
    keep(sandbox, keep_bytes=str(held["half"]), keep_last="0")
    sandbox.execute(f"set local timezone = '{zone}'".encode())
    assert by_retention(sandbox) == 2


def test_the_newest_runs_are_kept_even_where_they_do_not_fit(sandbox: Connection, household: int) -> None:
    computed(sandbox, household, 3)
    age(sandbox, "1 day")
    keep(sandbox, keep_bytes="0", keep_last="2")
    assert by_retention(sandbox) == 1


def test_both_limits_count(sandbox: Connection, household: int) -> None:
    first, second, third = computed(sandbox, household, 3)
    age(sandbox, "3 days", first)
    age(sandbox, "2 days", second)
    age(sandbox, "1 minute", third)
    keep(sandbox, keep="60 hours", keep_bytes="1000000", keep_last="0")
    assert by_retention(sandbox) == 1
    keep(sandbox, keep_bytes="1")
    assert by_retention(sandbox) == 2


def test_without_a_retention_nothing_is_purged(dba: Connection, connect: Connect) -> None:
    computed(dba, add_report(dba, add_simulation(dba, population_type="household")), 2)
    before = everything(dba)
    with pytest.raises(psycopg.Error, match="Nothing says how long the archive is kept") as error:
        connect(role="pgreprise_dba").execute("call purge_by_retention()")
    assert error.value.sqlstate == "RR026"
    assert everything(dba) == before


def test_a_timer_calls_the_procedure(dba: Connection, connect: Connect) -> None:
    computed(dba, add_report(dba, add_simulation(dba, population_type="household")), 5)
    age(dba, "31 days")
    keep(dba, keep="30 days", keep_last="2")
    assert one(connect(role="pgreprise_dba"), "call purge_by_retention(2)")["result"]["reruns"] == 3


def test_a_retention_that_cannot_be_meant_is_refused(sandbox: Connection) -> None:
    for name, value in (("keep", "30"), ("keep", "-1 days"), ("keep_bytes", "-1"), ("keep_last", "-1")):
        assert refusal(sandbox, "select set_setting(%s, %s)", f"archive_{name}", value).code == "RR016"


# --- refusals --------------------------------------------------------------------------------


@pytest.mark.parametrize("older_than", ["30", "59 minutes", "1 second"])
def test_a_number_without_a_unit_purges_nothing(dba: Connection, connect: Connect, older_than: str) -> None:
    computed(dba, add_report(dba, add_simulation(dba, population_type="household")), 3)
    age(dba, "2 hours")
    before = everything(dba)
    with pytest.raises(psycopg.Error, match="which is less than an hour") as error:
        connect(role="pgreprise_dba").execute("call purge_runs(%s::interval, 0)", (older_than,))
    assert error.value.sqlstate == "RR016"
    assert "Write the unit" in (error.value.diag.message_hint or "")
    assert everything(dba) == before


@pytest.mark.parametrize(
    ("older_than", "keep_last"),
    [
        (None, 1),
        ("-1 second", 1),
        ("1 hour", None),
        ("1 hour", -1),
        ("1001 years", 1),
        ("100000 years", 1),
    ],
)
@pytest.mark.parametrize("call", ["purge_chunk(%s::interval, %s::integer)", "archive_size(%s::interval, %s::integer)"])
def test_what_no_purge_can_mean_is_rr016(
    sandbox: Connection, household: int, call: str, older_than: str | None, keep_last: int | None
) -> None:
    computed(sandbox, household, 1)
    age(sandbox, "1 day")
    said = refusal(sandbox, f"select {call}", older_than, keep_last)
    message = "A purge needs older_than, an interval from 0 to 1000 years, and keep_last, a number from 0."
    assert said[:2] == ("RR016", message)
    assert said.detail is not None
    assert said.detail["keep_last"] == keep_last
    assert said.hint == "Nothing was changed. For example: call purge_runs(interval '30 days', keep_last => 1)"


@pytest.mark.parametrize("chunk_size", [0, 100001, None])
def test_a_chunk_of_nothing_or_of_too_much_is_rr016(sandbox: Connection, chunk_size: int | None) -> None:
    said = refusal(sandbox, "select purge_chunk(interval '0', chunk_size => %s::integer)", chunk_size)
    assert said[:3] == ("RR016", "chunk_size must be between 1 and 100000.", {"chunk_size": chunk_size})


def test_an_age_of_a_thousand_years_frees_nothing(sandbox: Connection, household: int) -> None:
    computed(sandbox, household, 1)
    assert purge(sandbox, "1000 years", keep_last=0) == 0
