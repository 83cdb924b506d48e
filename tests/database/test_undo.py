"""A DBA takes a rerun back: everything that it cleared is there again, or the undo says why not."""

from __future__ import annotations

import psycopg
import pytest

from tests.support.databases import Connection
from tests.support.factories import (
    ODD_JSON,
    SCOPE,
    VERSIONS,
    add_economy_report,
    add_reform_impact,
    add_report,
    add_simulation,
    set_versions,
)
from tests.support.refusals import refusal
from tests.support.snapshots import changed_tables, everything, snapshot, without_runs
from tests.support.statements import newest_act, one, rerun, undo

KEY = "'us', 2, 3, 'state/ny', 'default', '2025'"
UNDO = "call undo_rerun(%s::bigint)"


class Rows:
    """The rows that the tests of this module work on; one report of each kind, and neighbours that nothing touches."""

    def __init__(self, connection: Connection) -> None:
        set_versions(connection)
        odd = {"output": ODD_JSON, "error_message": "line 1\nline 2", "api_version": "0.0.1"}
        self.economy, self.first, self.second = add_economy_report(connection, **odd)
        connection.execute("update public.simulations set output = %s, error_message = ''", (ODD_JSON,))
        self.single = add_report(connection, self.first, api_version="r-old", status="error")
        self.household_simulation = add_simulation(connection, population_type="household", output=None)
        self.household = add_report(connection, self.household_simulation, year=None)
        self.impact = add_reform_impact(connection, reform_impact_json=ODD_JSON, options_json=' {"z": 1, "a": 2}')
        self.computing = add_reform_impact(connection, status="computing", options_json=None, message="slow")
        add_reform_impact(connection, reform_policy_id=2)
        for neighbour in ({"api_version": "e-old"}, {"dataset": "enhanced_cps"}, {"time_period": "2026"}):
            add_reform_impact(connection, **neighbour)


@pytest.fixture
def rows(sandbox: Connection) -> Rows:
    return Rows(sandbox)


def moved(connection: Connection, rerun_id: int, *what: str) -> None:
    """Assert that an undo is refused because later results are in the way, and that it names each of them."""
    said = refusal(connection, UNDO, rerun_id)
    report_id = one(connection, "select report_id from pgreprise.rerun where rerun_id = %s", rerun_id)["report_id"]
    assert said[:3] == (
        "RR010",
        f"Rerun #{rerun_id} cannot be undone: {'; '.join(what)}.",
        {"rerun_id": rerun_id, "report_id": report_id, "obstacles": list(what)},
    )
    assert said.hint is not None
    assert said.hint.startswith("Nothing was changed. ")


# --- everything comes back -------------------------------------------------------------------


@pytest.mark.parametrize(
    "act",
    [
        "call rerun_report({rows.economy})",
        "call rerun_report({rows.economy}, 'us', 'a key')",
        "call rerun_report({rows.single})",
        "call rerun_report({rows.household})",
        "call rerun_reports(array[{rows.economy}])",
        "select reset_report({rows.economy})",
        "select reset_simulation({rows.first})",
        f"select delete_reform_impacts({KEY})",
        f"select delete_reform_impacts({KEY}, 'e-old')",
        f"select delete_reform_impacts({KEY}, statuses => array['ok'])",
        f"select delete_reform_impacts({KEY}, statuses => array['computing'])",
    ],
)
def test_an_undo_restores_every_byte_of_everything_but_the_numbers_of_runs(
    sandbox: Connection, rows: Rows, act: str
) -> None:
    before = snapshot(sandbox)
    sandbox.execute(act.format(rows=rows))
    assert without_runs(snapshot(sandbox)) != without_runs(before)
    undo(sandbox, newest_act(sandbox)["rerun_id"])
    after = snapshot(sandbox)
    assert without_runs(after) == without_runs(before)
    # What was restored is a new run, also of the one that was there before.
    for table in ("report_outputs", "simulations"):
        for old, new in zip(before[table], after[table], strict=True):
            assert new["run_sequence"] - old["run_sequence"] in (0, 2)


@pytest.mark.direct
def test_an_undo_tells_what_it_put_back_and_is_an_act_itself(sandbox: Connection, rows: Rows) -> None:
    done = rerun(sandbox, rows.economy)
    result = undo(sandbox, done["rerun_id"])
    assert result == {
        "rerun_id": done["rerun_id"],
        "undo_id": result["undo_id"],
        "report_id": rows.economy,
        "report_type": "geography",
        "simulation_ids": [rows.first, rows.second],
        "economy_cache_rows_restored": 2,
        "cache_scopes": [SCOPE],
        "run_sequence": 3,
    }
    act = newest_act(sandbox)
    told = {name: act[name] for name in ("rerun_id", "kind", "report_id", "country_id", "report_type", "run_sequence")}
    assert told == {
        "rerun_id": result["undo_id"],
        "kind": "undo",
        "report_id": rows.economy,
        "country_id": "us",
        "report_type": "geography",
        "run_sequence": 3,
    }
    assert (act["undoes"], act["simulation_run_sequences"], act["reform_impact_ids"]) == (done["rerun_id"], [3, 3], [])
    undone = one(sandbox, "select * from pgreprise.rerun where rerun_id = %s", done["rerun_id"])
    now = one(sandbox, "select now() as now")["now"]
    assert (undone["undone_by"], undone["undone_at"]) == (result["undo_id"], now)


def test_the_undo_of_a_reset_simulation_or_a_deletion_has_no_report(sandbox: Connection, rows: Rows) -> None:
    sandbox.execute("select reset_simulation(%s)", (rows.first,))
    act = newest_act(sandbox)["rerun_id"]
    assert undo(sandbox, act) == {
        "rerun_id": act,
        "undo_id": newest_act(sandbox)["rerun_id"],
        "report_id": None,
        "report_type": None,
        "simulation_ids": [rows.first],
        "economy_cache_rows_restored": 0,
        "cache_scopes": [],
        "run_sequence": None,
    }
    sandbox.execute(f"select delete_reform_impacts({KEY})")
    result = undo(sandbox, newest_act(sandbox)["rerun_id"])
    assert (result["simulation_ids"], result["economy_cache_rows_restored"]) == ([], 3)


@pytest.mark.direct
def test_an_undo_by_someone_with_a_token_names_them(sandbox: Connection, rows: Rows) -> None:
    done = rerun(sandbox, rows.economy)
    sandbox.execute("set local role pgreprise_api")
    sandbox.execute("""set local request.jwt.claims = '{"sub": "alice", "scope": "reports:rerun"}'""")
    undo(sandbox, done["rerun_id"])
    sandbox.execute("reset role; reset request.jwt.claims")
    assert (newest_act(sandbox)["actor"], newest_act(sandbox)["role_setting"]) == ("alice", "pgreprise_api")


def test_a_simulation_that_got_a_new_package_version_has_its_old_one_again(sandbox: Connection, rows: Rows) -> None:
    sandbox.execute("select set_cache_versions('us', package => '9.9.9')")
    done = rerun(sandbox, rows.economy)
    assert {row["api_version"] for row in snapshot(sandbox)["simulations"]} == {"9.9.9", "0.0.0"}
    undo(sandbox, done["rerun_id"])
    assert {row["api_version"] for row in snapshot(sandbox)["simulations"]} == {"0.0.0"}


def test_what_a_worker_has_only_begun_is_no_obstacle(sandbox: Connection, rows: Rows) -> None:
    before = snapshot(sandbox)
    done = rerun(sandbox, rows.economy)
    sandbox.execute("select update_report(%s, status => 'running')", (rows.economy,))
    sandbox.execute("update public.simulations set status = 'running' where id = %s", (rows.second,))
    undo(sandbox, done["rerun_id"])
    assert without_runs(snapshot(sandbox)) == without_runs(before)


@pytest.mark.direct
def test_an_undo_in_a_transaction_that_is_rolled_back_has_not_happened(sandbox: Connection, rows: Rows) -> None:
    done = rerun(sandbox, rows.economy)
    before = everything(sandbox)
    with sandbox.transaction(force_rollback=True):
        undo(sandbox, done["rerun_id"])
    assert everything(sandbox) == before
    undo(sandbox, done["rerun_id"])


# --- one on top of the other -----------------------------------------------------------------


def test_reruns_are_undone_newest_first_however_many(sandbox: Connection, rows: Rows) -> None:
    states = [snapshot(sandbox)]
    acts = []
    for number in range(4):
        sandbox.execute("select set_cache_versions('us', package => %s)", (f"9.9.{number}",))
        acts.append(rerun(sandbox, rows.economy)["rerun_id"])
        states.append(snapshot(sandbox))
    for older in acts[:-1]:
        assert refusal(sandbox, UNDO, older).code == "RR010"
    for act, state in zip(reversed(acts), reversed(states[:-1]), strict=True):
        undo(sandbox, act)
        assert without_runs(snapshot(sandbox)) == without_runs(state)


def test_a_rerun_after_an_undo_is_undone_too(sandbox: Connection, rows: Rows) -> None:
    before = without_runs(snapshot(sandbox))
    for _ in range(3):
        undo(sandbox, rerun(sandbox, rows.economy)["rerun_id"])
        assert without_runs(snapshot(sandbox)) == before
    assert {row["run_sequence"] for row in snapshot(sandbox)["report_outputs"]} == {7, 1}


def test_the_undo_of_the_newest_of_mixed_acts_uncovers_the_one_before(sandbox: Connection, rows: Rows) -> None:
    states, acts = [without_runs(snapshot(sandbox))], []
    for act in (
        f"select delete_reform_impacts({KEY}, statuses => array['computing'])",
        f"call rerun_report({rows.economy})",
        f"select reset_report({rows.economy})",
        f"select reset_simulation({rows.second})",
        f"call rerun_report({rows.single})",
        f"call rerun_reports(array[{rows.single}, {rows.household}])",
    ):
        sandbox.execute(act)
        acts.append(newest_act(sandbox)["rerun_id"])
        states.append(without_runs(snapshot(sandbox)))
    # The last one was two reruns, of which the later is the household's.
    undo(sandbox, acts[-1])
    acts[-1] -= 1
    for rerun_id, state in zip(reversed(acts), reversed(states[:-1]), strict=True):
        undo(sandbox, rerun_id)
        assert without_runs(snapshot(sandbox)) == state


def test_two_reports_that_share_a_simulation_are_undone_newest_first(sandbox: Connection, rows: Rows) -> None:
    before = without_runs(snapshot(sandbox))
    first = rerun(sandbox, rows.economy)["rerun_id"]
    between = without_runs(snapshot(sandbox))
    second = rerun(sandbox, rows.single)["rerun_id"]
    moved(sandbox, first, f"simulation #{rows.first} is at run 3, which is later than run 2")
    undo(sandbox, second)
    assert without_runs(snapshot(sandbox)) == between
    undo(sandbox, first)
    assert without_runs(snapshot(sandbox)) == before


def test_an_undo_of_one_report_of_many_gives_back_what_was_reset_for_it(sandbox: Connection, rows: Rows) -> None:
    before = without_runs(snapshot(sandbox))
    sandbox.execute("call rerun_reports(array[%s, %s])", (rows.single, rows.economy))
    newer = newest_act(sandbox)
    older = one(sandbox, "select * from pgreprise.rerun where rerun_id = %s", newer["rerun_id"] - 1)
    assert (older["report_id"], newer["report_id"]) == (rows.economy, rows.single)
    # The simulation that both use went down under the first of them.
    assert (older["simulation_run_sequences"], newer["simulation_run_sequences"]) == ([2, 2], [None])
    result = undo(sandbox, newer["rerun_id"])
    assert (result["simulation_ids"], result["run_sequence"]) == ([], 3)
    undo(sandbox, older["rerun_id"])
    assert without_runs(snapshot(sandbox)) == before


# --- later results are in the way: RR010 ------------------------------------------------------


def test_a_newer_run_of_the_report_is_in_the_way(sandbox: Connection, rows: Rows) -> None:
    done = rerun(sandbox, rows.household)
    sandbox.execute("select reset_report(%s)", (rows.household,))
    moved(sandbox, done["rerun_id"], f"report #{rows.household} is at run 3, which is later than run 2")


def test_a_newer_run_of_a_simulation_is_in_the_way(sandbox: Connection, rows: Rows) -> None:
    done = rerun(sandbox, rows.economy)
    sandbox.execute("select reset_simulation(%s)", (rows.second,))
    moved(sandbox, done["rerun_id"], f"simulation #{rows.second} is at run 3, which is later than run 2")


@pytest.mark.parametrize(
    ("update", "status"),
    [
        ("status => 'complete', output => '{}'", "complete"),
        ("status => 'error', error_message => 'lost'", "error"),
        ("status => 'error'", "error"),
        ("output => 'null'", "pending"),
        ("error_message => ''", "pending"),
        ("status => 'running', output => '1'", "running"),
    ],
)
@pytest.mark.parametrize("kind", ["report", "simulation"])
def test_a_result_that_was_written_since_is_in_the_way(
    sandbox: Connection, rows: Rows, kind: str, update: str, status: str
) -> None:
    done = rerun(sandbox, rows.economy)
    row_id = rows.economy if kind == "report" else rows.first
    sandbox.execute(f"select update_{kind}({row_id}, {update})".encode())
    moved(sandbox, done["rerun_id"], f"{kind} #{row_id} has a new result (status {status})")


def test_a_cache_row_that_was_computed_since_is_in_the_way(sandbox: Connection, rows: Rows) -> None:
    done = rerun(sandbox, rows.economy)
    # Those of other keys and versions are not.
    add_reform_impact(sandbox, api_version="e-new")
    add_reform_impact(sandbox, options_hash="[x=1]")
    newer = [add_reform_impact(sandbox, status=status) for status in ("computing", "ok")]
    moved(sandbox, done["rerun_id"], f"there are newer economy cache rows (#{newer[0]}, #{newer[1]})")


def test_everything_that_is_in_the_way_is_named_at_once(sandbox: Connection, rows: Rows) -> None:
    done = rerun(sandbox, rows.economy)
    rerun(sandbox, rows.single)
    sandbox.execute("select update_report(%s, error_message => 'x')", (rows.economy,))
    sandbox.execute("select update_simulation(%s, output => '1')", (rows.second,))
    newer = add_reform_impact(sandbox)
    moved(
        sandbox,
        done["rerun_id"],
        f"report #{rows.economy} has a new result (status pending)",
        f"simulation #{rows.first} is at run 3, which is later than run 2",
        f"simulation #{rows.second} has a new result (status pending)",
        f"there are newer economy cache rows (#{newer})",
    )


def test_after_a_deletion_only_newer_cache_rows_are_in_the_way(sandbox: Connection, rows: Rows) -> None:
    sandbox.execute(f"select delete_reform_impacts({KEY}, statuses => array['ok'])")
    act = newest_act(sandbox)["rerun_id"]
    # The row of status computing stayed, and its id is greater.
    assert rows.computing > rows.impact
    newer = add_reform_impact(sandbox, status="error")
    moved(sandbox, act, f"there are newer economy cache rows (#{newer})")
    sandbox.execute("delete from public.reform_impact where reform_impact_id = %s", (newer,))
    undo(sandbox, act)
    assert {rows.impact, rows.computing} < {row["reform_impact_id"] for row in snapshot(sandbox)["reform_impact"]}


@pytest.mark.parametrize("force", [False, True])
def test_an_id_that_another_cache_row_has_taken_cannot_be_given_back(
    sandbox: Connection, rows: Rows, force: bool
) -> None:
    done = rerun(sandbox, rows.economy)
    add_reform_impact(sandbox, reform_impact_id=rows.impact, dataset="another")
    said = refusal(sandbox, "call undo_rerun(%s, %s)", done["rerun_id"], force)
    what = "other economy cache rows have the ids of the deleted ones"
    assert (said.code, said.detail) == (
        "RR010",
        {"rerun_id": done["rerun_id"], "report_id": rows.economy, "obstacles": [what]},
    )
    assert said.hint == "Nothing was changed. Rerun the report instead, so that it is computed again."


@pytest.mark.parametrize("force", [False, True])
@pytest.mark.parametrize("gone", ["report", "simulation"])
def test_a_row_that_is_gone_cannot_be_put_back(sandbox: Connection, rows: Rows, gone: str, force: bool) -> None:
    done = rerun(sandbox, rows.economy)
    table, row_id = ("report_outputs", rows.economy) if gone == "report" else ("simulations", rows.second)
    sandbox.execute(f"delete from public.{table} where id = %s", (row_id,))  # noqa: S608
    said = refusal(sandbox, "call undo_rerun(%s, %s)", done["rerun_id"], force)
    assert said[:2] == (
        "RR010",
        f"Rerun #{done['rerun_id']} cannot be undone: {gone} #{row_id} was deleted.",
    )
    assert said.hint == "Nothing was changed. Rerun the report instead, so that it is computed again."


@pytest.mark.direct
@pytest.mark.parametrize("force", [False, True])
@pytest.mark.parametrize(
    "change",
    [
        "alter table public.reform_impact add check (message is distinct from 'slow')",
        "alter table public.reform_impact add needed text not null",
        "create unique index on public.reform_impact (execution_id)",
        "alter table public.reform_impact alter message type varchar(3)",
    ],
)
def test_cache_rows_that_no_longer_fit_into_the_hosts_table_are_named(
    sandbox: Connection, rows: Rows, change: str, force: bool
) -> None:
    sandbox.execute(
        "delete from public.reform_impact where reform_impact_id not in (%s, %s)", (rows.impact, rows.computing)
    )
    done = rerun(sandbox, rows.economy)
    sandbox.execute(change.encode())
    said = refusal(sandbox, "call undo_rerun(%s, %s)", done["rerun_id"], force)
    assert said.code == "RR010"
    assert said.message is not None
    assert f"Rerun #{done['rerun_id']} cannot be undone: " in said.message
    assert "the economy cache rows no longer fit into their table (" in said.message
    assert said.hint == "Nothing was changed. Rerun the report instead, so that it is computed again."


# --- no such rerun, and those that cannot be undone: RR013, RR014 ----------------------------


@pytest.mark.usefixtures("rows")
@pytest.mark.parametrize("rerun_id", [0, -1, 2**63 - 1, None])
def test_a_rerun_that_never_was_is_rr013(sandbox: Connection, rerun_id: int | None) -> None:
    said = refusal(sandbox, UNDO, rerun_id)
    name = "null" if rerun_id is None else rerun_id
    assert said[:3] == ("RR013", f"Rerun #{name} not found.", {"rerun_id": rerun_id})
    assert said.hint == "select * from report_history(<report_id>) lists the reruns of a report."


def test_a_rerun_of_another_report_or_country_is_rr013(sandbox: Connection, rows: Rows) -> None:
    done = rerun(sandbox, rows.economy)["rerun_id"]
    call = "call undo_rerun(%s, report_id => %s, country_id => %s)"
    for report_id, country_id in ((rows.single, "us"), (rows.economy, "uk"), (rows.single, None)):
        assert refusal(sandbox, call, done, report_id, country_id).code == "RR013"
    said = refusal(sandbox, call, done, rows.economy, "zz")
    assert (said.code, said.detail) == ("RR008", {"country_id": "zz"})
    assert one(sandbox, call, done, rows.economy, "us")["result"]["report_id"] == rows.economy


def cannot(connection: Connection, rerun_id: int, why: str) -> None:
    for force in (False, True):
        said = refusal(connection, "call undo_rerun(%s, %s)", rerun_id, force)
        report_id = one(connection, "select report_id from pgreprise.rerun where rerun_id = %s", rerun_id)["report_id"]
        assert said[:3] == (
            "RR014",
            f"{why} It cannot be undone.",
            {"rerun_id": rerun_id, "report_id": report_id},
        )
        assert said.hint == ("Nothing was changed. select * from report_history(<report_id>) shows what can be undone.")


@pytest.mark.direct
def test_a_rerun_that_was_undone_is_rr014(sandbox: Connection, rows: Rows) -> None:
    done = rerun(sandbox, rows.economy)["rerun_id"]
    undo_id = undo(sandbox, done)["undo_id"]
    now = one(sandbox, "select now()::text as now")["now"]
    cannot(sandbox, done, f"Rerun #{done} was already undone at {now} by undo #{undo_id}.")


def test_an_undo_is_not_undone_but_rerun(sandbox: Connection, rows: Rows) -> None:
    undo_id = undo(sandbox, rerun(sandbox, rows.economy)["rerun_id"])["undo_id"]
    cannot(sandbox, undo_id, f"Rerun #{undo_id} is an undo.")


def test_what_was_not_archived_is_rr014(sandbox: Connection, rows: Rows) -> None:
    kept = rerun(sandbox, rows.household)["rerun_id"]
    sandbox.execute("select set_setting('archive_outputs', 'off')")
    lost = rerun(sandbox, rows.economy)["rerun_id"]
    sandbox.execute("select set_setting('archive_outputs', 'on')")
    cannot(sandbox, lost, f"Rerun #{lost} archived no outputs, because archive_outputs was off.")
    # What was archived before it was turned off can be undone.
    undo(sandbox, kept)


@pytest.mark.direct
def test_what_was_purged_is_rr014(sandbox: Connection, rows: Rows) -> None:
    done = rerun(sandbox, rows.economy)["rerun_id"]
    sandbox.execute("update pgreprise.rerun set created_at = now() - interval '1 day'")
    sandbox.execute("select purge_chunk(interval '1 hour', 0)")
    now = one(sandbox, "select now()::text as now")["now"]
    cannot(sandbox, done, f"The outputs that rerun #{done} archived were purged at {now}.")


# --- force -----------------------------------------------------------------------------------


def test_force_overwrites_what_has_moved_on_and_archives_it_first(sandbox: Connection, rows: Rows) -> None:
    before = snapshot(sandbox)
    done = rerun(sandbox, rows.economy)
    newer = add_reform_impact(sandbox, reform_impact_json='{"newer" :1}', status="error")
    sandbox.execute("select update_report(%s, status => 'complete', output => '{\"newer\" :2}')", (rows.economy,))
    sandbox.execute("select update_simulation(%s, status => 'complete', output => '{\"newer\" :3}')", (rows.first,))
    sandbox.execute("select reset_simulation(%s)", (rows.second,))
    overwritten = snapshot(sandbox)

    result = undo(sandbox, done["rerun_id"], force=True)

    after = snapshot(sandbox)
    assert without_runs(after) == without_runs(before)
    assert result["run_sequence"] == 3
    assert [row["run_sequence"] for row in after["simulations"][:2]] == [3, 4]
    act = newest_act(sandbox)
    assert act["reform_impact_ids"] == [newer]
    kept = one(sandbox, "select output::text as output, status from report_run_output(%s, 2)", rows.economy)
    assert kept == {"output": '{"newer" :2}', "status": "complete"}
    runs = sandbox.execute(
        "select simulation_id, run_sequence, output::text as output from pgreprise.simulation_run "
        "where run_sequence > 1 order by 1, 2"
    ).fetchall()
    assert [tuple(run.values()) for run in runs] == [
        (rows.first, 2, '{"newer" :3}'),
        (rows.second, 2, None),
        (rows.second, 3, None),
    ]
    [archived] = sandbox.execute(
        "select entry.*, reform_impact_json::text as reform_impact_json, options_json::text as options_json "
        "from pgreprise.reform_impact_archive as entry where removal_id = %s",
        (result["undo_id"],),
    ).fetchall()
    [lost] = [row for row in overwritten["reform_impact"] if row["reform_impact_id"] == newer]
    assert archived == {**lost, "removal_id": result["undo_id"], "host_columns": None}


def test_force_overwrites_a_row_of_the_key_that_has_the_very_id(sandbox: Connection, rows: Rows) -> None:
    before = without_runs(snapshot(sandbox))
    done = rerun(sandbox, rows.economy)
    add_reform_impact(sandbox, reform_impact_id=rows.impact, reform_impact_json="{}")
    moved(sandbox, done["rerun_id"], f"there are newer economy cache rows (#{rows.impact})")
    undo(sandbox, done["rerun_id"], force=True)
    assert without_runs(snapshot(sandbox)) == before


def test_force_where_nothing_has_moved_on_is_an_undo_like_any_other(sandbox: Connection, rows: Rows) -> None:
    before = without_runs(snapshot(sandbox))
    undo(sandbox, rerun(sandbox, rows.economy)["rerun_id"], force=True)
    assert without_runs(snapshot(sandbox)) == before


def test_a_forced_undo_below_a_newer_rerun_leaves_that_one_in_the_past(sandbox: Connection, rows: Rows) -> None:
    before = without_runs(snapshot(sandbox))
    older, newer = (rerun(sandbox, rows.economy)["rerun_id"] for _ in range(2))
    undo(sandbox, older, force=True)
    assert without_runs(snapshot(sandbox)) == before
    moved(
        sandbox,
        newer,
        f"report #{rows.economy} is at run 4, which is later than run 3",
        f"simulation #{rows.first} is at run 4, which is later than run 3",
        f"simulation #{rows.second} is at run 4, which is later than run 3",
        # Those that the undo has put back.
        f"there are newer economy cache rows (#{rows.impact}, #{rows.computing})",
    )


FORCE = "call undo_rerun(%s, force => true)"


@pytest.mark.direct
@pytest.mark.parametrize(
    ("role", "claims"),
    [
        ("pgreprise_api", None),
        ("pgreprise_api", '{"sub": "alice", "scope": "reports:read reports:write reports:rerun"}'),
        # With claims the token decides, whoever the role is.
        ("pgreprise_dba", '{"sub": "alice", "scope": "reports:rerun"}'),
        ("pgreprise_dba", '{"sub": "alice", "scope": "reports:administrator reports:rerun"}'),
    ],
)
def test_force_is_refused_to_others(sandbox: Connection, rows: Rows, role: str, claims: str | None) -> None:
    done = rerun(sandbox, rows.economy)
    before = everything(sandbox)
    with sandbox.transaction(force_rollback=True):
        sandbox.execute(f"set local role {role}")
        sandbox.execute("select set_config('request.jwt.claims', %s, true)", (claims or "",))
        with pytest.raises(psycopg.Error) as caught, sandbox.transaction():
            sandbox.execute(FORCE, (done["rerun_id"],))
        assert caught.value.sqlstate == "RR017"
        sandbox.execute("reset role")
        assert everything(sandbox) == before


@pytest.mark.parametrize(
    ("role", "claims"),
    [
        ("pgreprise_dba", None),
        ("pgreprise_api", '{"sub": "root", "scope": "reports:rerun reports:admin"}'),
    ],
)
def test_force_is_for_a_dba_and_for_a_token_that_says_so(
    sandbox: Connection, rows: Rows, role: str, claims: str | None
) -> None:
    done = rerun(sandbox, rows.economy)
    sandbox.execute("select update_report(%s, error_message => 'x')", (rows.economy,))
    sandbox.execute(f"set local role {role}")
    sandbox.execute("select set_config('request.jwt.claims', %s, true)", (claims or "",))
    assert undo(sandbox, done["rerun_id"], force=True)["report_id"] == rows.economy
    sandbox.execute("reset role")


@pytest.mark.direct
def test_a_token_without_the_scope_undoes_nothing(sandbox: Connection, rows: Rows) -> None:
    done = rerun(sandbox, rows.economy)
    sandbox.execute("""set local request.jwt.claims = '{"sub": "alice", "scope": "reports:read reports:write"}'""")
    said = refusal(sandbox, UNDO, done["rerun_id"])
    assert said[:2] == ("RR017", "The token of alice does not have the scope reports:rerun.")
    assert said.detail == {"scope": "reports:rerun"}


def test_an_undo_touches_no_table_that_it_need_not(sandbox: Connection, rows: Rows) -> None:
    done = rerun(sandbox, rows.household)
    before = everything(sandbox)
    undo(sandbox, done["rerun_id"])
    assert changed_tables(before, everything(sandbox)) == {
        "report_outputs",
        "simulations",
        "rerun",
        "report_run",
        "simulation_run",
        "restored_run",
    }
    assert VERSIONS["us"]["package"] not in {row["api_version"] for row in snapshot(sandbox)["simulations"]}


@pytest.mark.parametrize("act", ["call rerun_report({report})", "call rerun_reports(array[{report}])"])
def test_simulations_that_are_linked_in_another_order_and_at_different_runs_get_back_each_its_own(
    sandbox: Connection, rows: Rows, act: str
) -> None:
    report = add_report(sandbox, rows.second, rows.first, year="2031")
    for _ in range(3):
        sandbox.execute("select reset_simulation(%s)", (rows.first,))
    sandbox.execute("select set_setting('allow_unfinish', 'on')")
    for simulation in (rows.first, rows.second):
        sandbox.execute("select update_simulation(%s, output => %s)", (simulation, f'{{"of": {simulation}}}'))
    before = snapshot(sandbox)
    sandbox.execute(act.format(report=report))
    started = newest_act(sandbox)
    assert (started["simulation_ids"], started["simulation_run_sequences"]) == ([rows.second, rows.first], [2, 5])
    undo(sandbox, started["rerun_id"])
    assert without_runs(snapshot(sandbox)) == without_runs(before)
    assert [row["run_sequence"] for row in snapshot(sandbox)["simulations"][:2]] == [6, 3]
