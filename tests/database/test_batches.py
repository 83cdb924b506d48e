"""A DBA reruns many reports: in one transaction, or as a batch that commits in between and can be taken up again."""

from __future__ import annotations

import json
from typing import Any

import psycopg
import pytest

from tests.support.concurrency import at_once, connections, waiting_for_a_lock
from tests.support.databases import Connect, Connection
from tests.support.factories import add_economy_report, add_reform_impact, add_report, add_simulation, set_versions
from tests.support.refusals import refusal
from tests.support.snapshots import changed_tables, everything, put_back, snapshot, without_runs
from tests.support.statements import newest_act, one, rerun, undo

ODD_JSON = ' {"b" : 1,\n "a": [1e2, -0],  "b":2} '
MANY = "call rerun_reports(%s::bigint[])"


def rerun_many(connection: Connection, ids: list[int]) -> dict[str, Any]:
    result: dict[str, Any] = one(connection, MANY, ids)["result"]
    return result


def create(connection: Connection, **conditions: Any) -> int:
    """Create a batch and return its id."""
    return int(one(connection, "select create_rerun_batch(%s::jsonb) as id", json.dumps(conditions))["id"])


def run(connection: Connection, batch: int, chunk_size: int = 1000) -> dict[str, Any]:
    """Run a batch as a DBA types it, and return what it did."""
    result: dict[str, Any] = one(connection, "call run_rerun_batch(%s, %s)", batch, chunk_size)["result"]
    return result


def chunks(connection: Connection, batch: int, chunk_size: int) -> list[dict[str, Any]]:
    """Run a batch chunk by chunk, without a commit in between."""
    done = []
    while True:
        done.append(one(connection, "select rerun_batch_chunk(%s, %s) as did", batch, chunk_size)["did"])
        if done[-1]["reports"] == 0:
            return done


def progress(connection: Connection, batch: int) -> dict[str, Any]:
    row = one(connection, "select * from rerun_batches(%s)", batch)
    return {name: row[name] for name in ("reports", "rerun", "refused", "remaining")}


def listed(connection: Connection, batch: int) -> list[int]:
    found = connection.execute(
        "select report_id from pgreprise.rerun_batch_item where batch_id = %s order by 1", (batch,)
    ).fetchall()
    return [row["report_id"] for row in found]


class World:
    """Reports that share simulations and cache keys, and malformed ones; ``good`` and ``bad`` by id."""

    def __init__(self, connection: Connection) -> None:
        set_versions(connection)
        set_versions(connection, "uk")
        ny = [add_simulation(connection, policy_id=policy, output=ODD_JSON) for policy in (2, 3, 4, 2)]
        uk = [add_simulation(connection, policy_id=policy, population_id="uk", country_id="uk") for policy in (1, 2)]
        homes = [add_simulation(connection, population_type="household", policy_id=policy) for policy in (2, 3)]
        abroad = add_simulation(connection, population_type="household", country_id="zz")
        family = add_simulation(connection, population_type="family")
        unset = add_simulation(connection, country_id="ng")
        self.shared = ny[0]
        links: list[tuple[int, int | None, dict[str, Any]]] = [
            (ny[0], ny[1], {"output": ODD_JSON}),
            (ny[0], ny[1], {"api_version": "r-old", "status": "error", "error_message": "lost"}),
            (ny[0], 999999999, {}),
            (ny[3], ny[1], {}),
            (ny[1], ny[0], {"status": "pending", "output": None}),
            (ny[0], ny[0], {}),
            (ny[2], None, {"year": "2026"}),
            (ny[0], homes[0], {}),
            (homes[0], homes[1], {"year": None}),
            (homes[1], homes[1], {"status": "running"}),
            (abroad, None, {"country_id": "zz"}),
            (uk[0], uk[1], {"country_id": "uk", "api_version": "r13d55aef1"}),
            (family, None, {}),
            (ny[1], None, {"year": " "}),
            (unset, None, {"country_id": "ng"}),
        ]
        ids = [add_report(connection, first, second, **values) for first, second, values in links]
        codes = {2: "RR002", 7: "RR003", 12: "RR004", 13: "RR005", 14: "RR006"}
        self.bad = {ids[place]: code for place, code in codes.items()}
        self.good = [report for report in ids if report not in self.bad]
        self.all = ids
        for baseline, reform in ((2, 3), (3, 2), (2, 2), (4, 4), (3, 3)):
            for status in ("ok", "error"):
                add_reform_impact(connection, baseline_policy_id=baseline, reform_policy_id=reform, status=status)
        add_reform_impact(connection, baseline_policy_id=4, reform_policy_id=4, time_period="2026")
        add_reform_impact(connection, api_version="e-old")
        add_reform_impact(
            connection, baseline_policy_id=1, country_id="uk", region="uk", reform_policy_id=2, api_version="e14ffef0ad"
        )


@pytest.fixture
def world(sandbox: Connection) -> World:
    return World(sandbox)


# --- rerun_reports ---------------------------------------------------------------------------


def test_many_at_once_leave_what_one_by_one_leaves(sandbox: Connection, world: World) -> None:
    with sandbox.transaction(force_rollback=True):
        deleted, refused = 0, []
        for report in world.all:
            try:
                with sandbox.transaction():
                    deleted += rerun(sandbox, report)["economy_cache_rows_deleted"]
            except psycopg.Error as error:
                said = {"report_id": report, "errcode": error.sqlstate, "message": error.diag.message_primary}
                refused.append(said)
        single = snapshot(sandbox)

    result = rerun_many(sandbox, world.all)

    many = snapshot(sandbox)
    assert without_runs(many) == without_runs(single)
    assert many["report_outputs"] == single["report_outputs"]
    # Each simulation is reset once, however many reports share it.
    assert {row["run_sequence"] for row in many["simulations"]} == {1, 2}
    once = [min(row["run_sequence"], 2) for row in single["simulations"]]
    assert [row["run_sequence"] for row in many["simulations"]] == once
    assert {report["report_id"]: report["errcode"] for report in refused} == world.bad
    assert result == {
        "rerun": len(world.good),
        "refused": refused,
        "simulations_reset": once.count(2),
        "economy_cache_rows_deleted": deleted,
        # They have one key, since both have the current version now.
        "same_key": [{"report_id": first, "shown_report_id": world.good[1]} for first in world.good[:2]],
    }


def test_many_at_once_are_archived_as_one_by_one(sandbox: Connection, world: World) -> None:
    def archive() -> list[list[dict[str, Any]]]:
        return [
            sandbox.execute(query).fetchall()
            for query in (
                "select report_id, run_sequence, api_version, status, output::text, had_output, error_message "
                "from pgreprise.report_run order by 1, 2",
                "select simulation_id, run_sequence, api_version, status, output::text, had_output, error_message "
                "from pgreprise.simulation_run where run_sequence = 1 order by 1, 2",
                "select (to_jsonb(kept) - 'removal_id')::text from pgreprise.reform_impact_archive as kept "
                "order by reform_impact_id",
            )
        ]

    with sandbox.transaction(force_rollback=True):
        for report in world.good:
            rerun(sandbox, report)
        single = archive()
    rerun_many(sandbox, world.all)
    assert archive() == single
    assert all(single)


def test_each_of_many_is_an_act_and_the_first_of_them_did_what_they_share(sandbox: Connection, world: World) -> None:
    before = snapshot(sandbox)
    result = rerun_many(sandbox, [*reversed(world.all), world.good[0]])
    acts = sandbox.execute("select * from pgreprise.rerun order by rerun_id").fetchall()
    assert [act["report_id"] for act in acts] == world.good
    stored = {row["id"]: row for row in before["report_outputs"]}
    types = {row["id"]: row["population_type"] for row in before["simulations"]}
    reset: set[int] = set()
    for act in acts:
        report = stored[act["report_id"]]
        links = list(dict.fromkeys(link for link in (report["simulation_1_id"], report["simulation_2_id"]) if link))
        assert act["simulation_ids"] == links
        assert act["simulation_run_sequences"] == [None if link in reset else 2 for link in links]
        reset.update(links)
        told = tuple(act[name] for name in ("kind", "country_id", "report_type", "run_sequence", "is_archived"))
        assert told == ("rerun", report["country_id"], types[report["simulation_1_id"]], 2, True)
    assert len(reset) == result["simulations_reset"]
    removed = [impact for act in acts for impact in act["reform_impact_ids"]]
    gone = {row["reform_impact_id"] for row in before["reform_impact"]} - {
        row["reform_impact_id"] for row in snapshot(sandbox)["reform_impact"]
    }
    assert (sorted(removed), len(removed)) == (sorted(gone), result["economy_cache_rows_deleted"])
    # Of the reports that share a cache key the first deleted its rows.
    assert [len(act["reform_impact_ids"]) for act in acts if act["report_type"] == "geography"] == [
        2,
        0,
        0,
        2,
        2,
        1,
        1,
    ]


def test_missing_reports_are_listed_with_the_malformed_ones(sandbox: Connection, world: World) -> None:
    result = rerun_many(sandbox, [2**63 - 1, world.good[0], 999999999, 0, -1, *world.bad])
    assert result["rerun"] == 1
    found = {report["report_id"]: report["errcode"] for report in result["refused"]}
    assert found == {**world.bad, **dict.fromkeys((2**63 - 1, 999999999, 0, -1), "RR001")}
    assert [report["report_id"] for report in result["refused"]] == [*world.bad, -1, 0, 999999999, 2**63 - 1]
    assert result["refused"][-1]["message"] == f"Report #{2**63 - 1} not found."


def test_a_list_that_names_nothing_to_rerun_changes_nothing(sandbox: Connection, world: World) -> None:
    before = everything(sandbox)
    nothing = {"rerun": 0, "refused": [], "simulations_reset": 0, "economy_cache_rows_deleted": 0, "same_key": []}
    assert rerun_many(sandbox, []) == nothing
    assert len(rerun_many(sandbox, list(world.bad))["refused"]) == len(world.bad)
    result = one(sandbox, "call rerun_reports(array[null, 999999999]::bigint[])")["result"]
    assert [report["message"] for report in result["refused"]] == [
        "Report #999999999 not found.",
        "Report #null not found.",
    ]
    assert everything(sandbox) == before


def test_no_list_at_all_is_rr016(sandbox: Connection, world: World) -> None:
    assert world.good
    said = refusal(sandbox, MANY, None)
    assert said == (
        "RR016",
        "report_ids is null. It must be an array of report ids.",
        {"report_ids": None},
        "call rerun_reports(array[2, 6, 10])",
    )


def test_without_the_archive_many_keep_no_output_either(sandbox: Connection, world: World) -> None:
    sandbox.execute("select set_setting('archive_outputs', 'off')")
    rerun_many(sandbox, world.good)
    kept = one(
        sandbox,
        "select count(*) as outputs from (select output from pgreprise.report_run union all "
        "select output from pgreprise.simulation_run) as run(output) where run.output is not null",
    )
    assert kept["outputs"] == 0
    assert sandbox.execute("select from pgreprise.reform_impact_archive").fetchall() == []
    assert {row["is_archived"] for row in sandbox.execute("select is_archived from pgreprise.rerun")} == {False}
    assert refusal(sandbox, "call undo_rerun(%s)", newest_act(sandbox)["rerun_id"]).code == "RR014"


def test_many_are_undone_newest_first(sandbox: Connection, world: World) -> None:
    before = put_back(snapshot(sandbox))
    rerun_many(sandbox, world.all)
    for act in sandbox.execute("select rerun_id from pgreprise.rerun order by rerun_id desc").fetchall():
        undo(sandbox, act["rerun_id"])
    assert without_runs(snapshot(sandbox)) == before


def test_a_report_that_the_host_refuses_is_listed_and_the_others_are_done(sandbox: Connection, world: World) -> None:
    [last] = sandbox.execute("select max(id) as id from public.report_outputs where id = any (%s)", (world.good,))
    sandbox.execute(
        f"alter table public.report_outputs add check (id <> {last['id']} or status <> 'pending') not valid"
    )
    before = one(sandbox, "select * from public.report_outputs where id = %s", last["id"])
    done = rerun_many(sandbox, world.good)
    [refused] = done["refused"]
    assert (refused["report_id"], refused["errcode"]) == (last["id"], "23514")
    assert "violates check constraint" in refused["message"]
    assert "Failing row" not in str(refused)
    assert done["rerun"] == len(world.good) - 1
    assert one(sandbox, "select * from public.report_outputs where id = %s", last["id"]) == before


def test_a_failure_in_the_middle_leaves_nothing_of_any(sandbox: Connection, world: World) -> None:
    # No rule of the host's, but a trouble of the server.
    [last] = sandbox.execute("select max(id) as id from public.report_outputs where id = any (%s)", (world.good,))
    fail_at(sandbox, last["id"])
    before = everything(sandbox)
    with pytest.raises(psycopg.errors.DiskFull), sandbox.transaction():
        rerun_many(sandbox, world.good)
    assert everything(sandbox) == before


def fail_at(connection: Connection, report: int) -> None:
    """Let every write of a report fail as on a full disk."""
    connection.execute("create function public.fail() returns trigger language plpgsql as "
                       "'begin raise exception using errcode = ''disk_full''; end'")  # fmt: skip
    connection.execute(
        f"create trigger fail before update on public.report_outputs for each row when (old.id = {report}) "
        "execute function public.fail()"
    )


# --- which reports a batch lists -------------------------------------------------------------


@pytest.fixture
def variety(sandbox: Connection) -> dict[str, int]:
    """A report for each condition of a filter, by name."""
    set_versions(sandbox)
    us, uk = add_simulation(sandbox), add_simulation(sandbox, country_id="uk", population_id="uk")
    home = add_simulation(sandbox, population_type="household")
    return {
        "plain": add_report(sandbox, us),
        "uk": add_report(sandbox, uk, country_id="uk"),
        "household": add_report(sandbox, home),
        "pending": add_report(sandbox, us, status="pending"),
        "running": add_report(sandbox, us, status="running"),
        "error": add_report(sandbox, us, status="error"),
        "odd": add_report(sandbox, us, status="odd"),
        "2026": add_report(sandbox, us, year="2026"),
        "no year": add_report(sandbox, home, year=None),
        "r-old": add_report(sandbox, us, api_version="r-old"),
        "missing": add_report(sandbox, 999999999),
        "foreign": add_report(sandbox, uk),
    }


EVERY = {"plain", "uk", "household", "pending", "running", "error", "odd", "2026", "no year", "r-old", "missing"} | {
    "foreign"
}


@pytest.mark.parametrize(
    ("conditions", "names"),
    [
        ({"country": "uk"}, {"uk"}),
        ({"country": ["uk", "us"]}, EVERY),
        ({"country": "ng"}, set()),
        ({"status": "error"}, {"error"}),
        ({"status": ["pending", "running", "error"]}, {"pending", "running", "error"}),
        ({"status": ["pending", "running", "error", "complete"]}, EVERY - {"odd"}),
        ({"year": "2026"}, {"2026"}),
        ({"year": ["2025", "2026"]}, EVERY - {"no year"}),
        ({"year": "1999"}, set()),
        ({"api_version": "r-old"}, {"r-old"}),
        ({"api_version": ["r-old", "r-none", ""]}, {"r-old"}),
        ({"report_type": "household"}, {"household", "no year"}),
        ({"report_type": "geography"}, EVERY - {"household", "no year", "missing", "foreign"}),
        ({"report_type": ["household", "geography"]}, EVERY - {"missing", "foreign"}),
        ({"country": "us", "status": "complete", "report_type": "geography"}, {"plain", "2026", "r-old"}),
        ({"country": "uk", "report_type": "household"}, set()),
    ],
    ids=lambda value: "" if isinstance(value, set) else str(value),
)
def test_a_filter_finds_the_reports_that_meet_every_condition(
    sandbox: Connection, variety: dict[str, int], conditions: dict[str, Any], names: set[str]
) -> None:
    batch = create(sandbox, **conditions)
    wanted = sorted(variety[name] for name in names)
    assert listed(sandbox, batch) == wanted
    assert progress(sandbox, batch) == {
        "reports": len(wanted),
        "rerun": 0,
        "refused": 0,
        "remaining": len(wanted),
    }
    row = one(sandbox, "select filter, finished_at is not null as is_finished from rerun_batches(%s)", batch)
    assert row == {"filter": conditions, "is_finished": not wanted}


def test_ids_are_listed_once_each_and_those_without_a_report_too(sandbox: Connection, variety: dict[str, int]) -> None:
    batch = create(sandbox, ids=[variety["uk"], 2**63 - 1, variety["plain"], variety["uk"], 2**63 - 1, 10**9])
    assert listed(sandbox, batch) == [variety["plain"], variety["uk"], 10**9, 2**63 - 1]
    assert progress(sandbox, batch)["reports"] == 4
    assert listed(sandbox, create(sandbox, ids=variety["uk"])) == [variety["uk"]]
    # Further conditions leave out the reports that do not meet them.
    assert listed(sandbox, create(sandbox, ids=[variety["uk"], variety["plain"]], country="us")) == [variety["plain"]]


def test_to_create_a_batch_reruns_nothing(sandbox: Connection, variety: dict[str, int]) -> None:
    assert variety
    before = everything(sandbox)
    create(sandbox, country="us")
    assert changed_tables(before, everything(sandbox)) == {"rerun_batch", "rerun_batch_item"}


KEYS = (
    'Nothing was changed. Keys are country, status (pending, running, complete, error), year ("2025"), '
    "api_version, report_type (household, geography) and ids. Each has one value or an array of values."
)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (None, "The filter is not a JSON object."),
        ("null", "The filter is not a JSON object."),
        ("[]", "The filter is not a JSON object."),
        ('"us"', "The filter is not a JSON object."),
        ("{}", "The filter has no condition."),
        ('{"county": "us"}', 'The filter has an unknown key "county".'),
        ('{"country": "us", "Status": "error"}', 'The filter has an unknown key "Status".'),
        ('{"": "us"}', 'The filter has an unknown key "".'),
        ('{"status": []}', 'The filter allows no value for "status".'),
        ('{"country": "zz"}', 'The filter has a value for "country" that no report can have: "zz".'),
        ('{"country": "US"}', 'The filter has a value for "country" that no report can have: "US".'),
        ('{"country": null}', 'The filter has a value for "country" that no report can have: null.'),
        ('{"country": ["us", 7]}', 'The filter has a value for "country" that no report can have: 7.'),
        ('{"country": [["us"]]}', 'The filter has a value for "country" that no report can have: ["us"].'),
        ('{"status": "ok"}', 'The filter has a value for "status" that no report can have: "ok".'),
        ('{"status": {"a": 1}}', 'The filter has a value for "status" that no report can have: {"a": 1}.'),
        ('{"year": 2025}', 'The filter has a value for "year" that no report can have: 2025.'),
        ('{"year": ""}', 'The filter has a value for "year" that no report can have: "".'),
        ('{"api_version": 1}', 'The filter has a value for "api_version" that no report can have: 1.'),
        ('{"report_type": "economy"}', 'The filter has a value for "report_type" that no report can have: "economy".'),
        ('{"ids": "1"}', 'The filter has a value for "ids" that no report can have: "1".'),
        ('{"ids": [1, 0]}', 'The filter has a value for "ids" that no report can have: 0.'),
        ('{"ids": [-1]}', 'The filter has a value for "ids" that no report can have: -1.'),
        ('{"ids": [1.5]}', 'The filter has a value for "ids" that no report can have: 1.5.'),
        (
            '{"ids": [9223372036854775808]}',
            'The filter has a value for "ids" that no report can have: 9223372036854775808.',
        ),
        ('{"ids": [null]}', 'The filter has a value for "ids" that no report can have: null.'),
        ('{"ids": []}', 'The filter allows no value for "ids".'),
    ],
)
def test_a_filter_that_cannot_be_used_is_rr015(sandbox: Connection, text: str | None, message: str) -> None:
    said = refusal(sandbox, "select create_rerun_batch(%s::jsonb)", text)
    assert said == ("RR015", message, {"filter": None if text is None else json.loads(text)}, KEYS)


def test_the_list_is_frozen(sandbox: Connection, variety: dict[str, int]) -> None:
    batch = create(sandbox, status="error", country="us")
    add_report(sandbox, add_simulation(sandbox), status="error")
    sandbox.execute("update public.report_outputs set status = 'complete' where id = %s", (variety["error"],))
    sandbox.execute("update public.report_outputs set status = 'error' where id = %s", (variety["plain"],))
    chunks(sandbox, batch, 10)
    reruns = sandbox.execute("select report_id, batch_id from pgreprise.rerun").fetchall()
    assert reruns == [{"report_id": variety["error"], "batch_id": batch}]


# --- chunk by chunk --------------------------------------------------------------------------


@pytest.mark.parametrize("chunk_size", [1, 2, 4, 1000])
def test_a_batch_leaves_what_one_call_for_all_leaves_whatever_its_chunks(
    sandbox: Connection, world: World, chunk_size: int
) -> None:
    ids = [*world.all, 10**9]
    with sandbox.transaction(force_rollback=True):
        expected = rerun_many(sandbox, ids)
        at_once_state = snapshot(sandbox)
        acts = sandbox.execute(
            "select report_id, simulation_ids, simulation_run_sequences, reform_impact_ids, run_sequence "
            "from pgreprise.rerun order by rerun_id"
        ).fetchall()
    batch = create(sandbox, ids=ids)
    done = chunks(sandbox, batch, chunk_size)
    assert snapshot(sandbox) == at_once_state
    # What is shared was done once in the whole batch, by the first that shares it.
    assert (
        sandbox.execute(
            "select report_id, simulation_ids, simulation_run_sequences, reform_impact_ids, run_sequence "
            "from pgreprise.rerun order by rerun_id"
        ).fetchall()
        == acts
    )
    for chunk in done:
        assert (chunk.pop("left"), chunk.pop("after") is None) == ([], chunk["reports"] == 0)
    # A smaller chunk does not know yet that a later one makes a report current too.
    assert [same for chunk in done for same in chunk.pop("same_key")][-1:] == expected.pop("same_key")[-1:]
    totals = {name: sum(chunk[name] for chunk in done) for name in done[0]}
    assert totals == {**expected, "refused": len(expected["refused"]), "reports": len(ids)}
    assert [chunk["reports"] for chunk in done[:-2]] == [chunk_size] * (len(done) - 2)
    assert progress(sandbox, batch) == {
        "reports": len(ids),
        "rerun": len(world.good),
        "refused": len(world.bad) + 1,
        "remaining": 0,
    }
    refusals = sandbox.execute("select * from rerun_batch_refusals(%s)", (batch,)).fetchall()
    assert refusals == expected["refused"]


def test_a_later_chunk_neither_fences_off_a_worker_nor_deletes_what_it_computed(
    sandbox: Connection, world: World
) -> None:
    first, second = world.good[:2]
    batch = create(sandbox, ids=[first, second])
    one(sandbox, "select rerun_batch_chunk(%s, 1)", batch)
    run_now = one(sandbox, "select run_sequence from get_simulation(%s)", world.shared)["run_sequence"]
    sandbox.execute("select update_simulation(%s, status => 'running', run_sequence => %s)", (world.shared, run_now))
    computed = add_reform_impact(sandbox, status="computing")
    one(sandbox, "select rerun_batch_chunk(%s, 1)", batch)
    assert computed in [row["reform_impact_id"] for row in snapshot(sandbox)["reform_impact"]]
    row = one(
        sandbox,
        "select status from update_simulation(%s, status => 'complete', output => '1', run_sequence => %s)",
        world.shared,
        run_now,
    )
    assert row["status"] == "complete"
    # Another batch is another matter.
    chunks(sandbox, create(sandbox, ids=second), 1)
    assert computed not in [row["reform_impact_id"] for row in snapshot(sandbox)["reform_impact"]]
    assert one(sandbox, "select status from get_simulation(%s)", world.shared)["status"] == "pending"


def test_a_cache_version_that_changes_between_chunks_is_another_key(sandbox: Connection, world: World) -> None:
    batch = create(sandbox, ids=world.good[:2])
    one(sandbox, "select rerun_batch_chunk(%s, 1)", batch)
    sandbox.execute("select set_cache_versions('us', economy_impact => 'e-old')")
    assert one(sandbox, "select rerun_batch_chunk(%s, 1) as did", batch)["did"]["economy_cache_rows_deleted"] == 1


def test_a_batch_that_is_through_does_nothing_more(sandbox: Connection, world: World) -> None:
    batch = create(sandbox, ids=world.good[:2])
    chunks(sandbox, batch, 10)
    before = everything(sandbox)
    nothing = {
        "rerun": 0,
        "reports": 0,
        "refused": 0,
        "simulations_reset": 0,
        "economy_cache_rows_deleted": 0,
        "same_key": [],
        "left": [],
        "after": None,
    }
    assert chunks(sandbox, batch, 10) == [nothing]
    assert everything(sandbox) == before


NO_BATCH = [
    "select rerun_batch_chunk(%s::bigint)",
    "select undo_batch_chunk(%s::bigint)",
    "select * from rerun_batch_refusals(%s::bigint)",
]


@pytest.mark.parametrize("call", [*NO_BATCH, "select * from rerun_batches(%s::bigint)"])
@pytest.mark.parametrize("batch", [-1, 999999999, 2**63 - 1])
def test_a_batch_that_never_was_is_rr018(sandbox: Connection, call: str, batch: int) -> None:
    said = refusal(sandbox, call, batch)
    hint = "select * from rerun_batches() lists the batches that exist."
    assert said == ("RR018", f"Batch #{batch} not found.", {"batch_id": batch}, hint)


@pytest.mark.parametrize("call", NO_BATCH)
def test_a_null_batch_is_rr018(sandbox: Connection, call: str) -> None:
    said = refusal(sandbox, call, None)
    assert said[:3] == ("RR018", "Batch #null not found.", {"batch_id": None})


@pytest.mark.parametrize(
    "call", ["rerun_batch_chunk(1, %s::integer)", "undo_batch_chunk(1, chunk_size => %s::integer)"]
)
@pytest.mark.parametrize("size", [0, -1, 100001, None])
def test_a_chunk_of_nothing_or_of_too_much_is_rr016(sandbox: Connection, call: str, size: int | None) -> None:
    said = refusal(sandbox, f"select {call}", size)
    assert said[:3] == ("RR016", "chunk_size must be between 1 and 100000.", {"chunk_size": size})


def test_batches_are_listed_newest_first_with_who_made_them(sandbox: Connection, world: World) -> None:
    sandbox.execute("set local role pgreprise_dba")
    older = create(sandbox, ids=world.all)
    sandbox.execute("""set local request.jwt.claims = '{"sub": "alice", "scope": "reports:rerun"}'""")
    newer = create(sandbox, country="uk")
    chunks(sandbox, newer, 1)
    sandbox.execute("reset role; reset request.jwt.claims")
    rows = sandbox.execute("select * from rerun_batches()").fetchall()
    now = one(sandbox, "select now() as now")["now"]
    common = {
        "session_role": sandbox.info.user,
        "role_setting": "pgreprise_dba",
        "created_at": now,
        "refused": 0,
        "undone": 0,
        "stands_still": False,
        "reason": None,
        "request_id": None,
        "client_address": one(sandbox, "select host(inet_client_addr()) as address")["address"],
        **dict.fromkeys(("cancelled_at", "cancelled_by", "cancel_reason")),
    }
    assert rows == [
        {
            **common,
            "id": newer,
            "filter": {"country": "uk"},
            "reports": 1,
            "rerun": 1,
            "remaining": 0,
            "state": "finished",
            "progressed_at": now,
            "finished_at": now,
            "actor": "alice",
        },
        {
            **common,
            "id": older,
            "filter": {"ids": world.all},
            "reports": len(world.all),
            "rerun": 0,
            "remaining": len(world.all),
            "state": "open",
            "progressed_at": None,
            "finished_at": None,
            "actor": None,
        },
    ]


# --- the procedure ---------------------------------------------------------------------------


def test_a_dba_runs_a_batch_and_takes_it_back(dba: Connection, connect: Connect) -> None:
    world = World(dba)
    before = put_back(snapshot(dba))
    someone = connect(role="pgreprise_dba")
    batch = create(someone, ids=world.all)
    result = run(someone, batch, 4)
    assert result == {
        "batch_id": batch,
        "reports": len(world.all),
        "rerun": len(world.good),
        "refused": len(world.bad),
        "simulations_reset": result["simulations_reset"],
        "economy_cache_rows_deleted": result["economy_cache_rows_deleted"],
        "remaining": 0,
    }
    assert (result["simulations_reset"], result["economy_cache_rows_deleted"]) == (9, 8)
    again = run(someone, batch)
    assert again == {**dict.fromkeys(result, 0), "batch_id": batch}
    assert one(dba, "show search_path")["search_path"] == one(someone, "show search_path")["search_path"]

    taken = one(someone, "call undo_rerun_batch(%s, chunk_size => 3)", batch)["result"]
    good = len(world.good)
    assert taken == {"batch_id": batch, "reruns": good, "undone": good, "refused": 0, "left": 0}
    assert without_runs(snapshot(dba)) == before
    nothing = {"batch_id": batch, "reruns": 0, "undone": 0, "refused": 0, "left": 0}
    assert one(someone, "call undo_rerun_batch(%s)", batch)["result"] == nothing


def test_a_batch_of_which_something_has_moved_on_is_undone_but_for_that(dba: Connection) -> None:
    world = World(dba)
    before = snapshot(dba)
    batch = create(dba, ids=world.good)
    run(dba, batch)
    computed = world.good[-1]
    dba.execute("select update_report(%s, status => 'complete', output => '{\"new\" :1}')", (computed,))
    taken = one(dba, "call undo_rerun_batch(%s, chunk_size => 2)", batch)["result"]
    assert taken == {"batch_id": batch, "reruns": 10, "undone": 9, "refused": 1, "left": 0}
    assert one(dba, "select output::text as output from get_report(%s)", computed)["output"] == '{"new" :1}'
    taken = one(dba, "call undo_rerun_batch(%s, force => true)", batch)["result"]
    assert taken == {"batch_id": batch, "reruns": 1, "undone": 1, "refused": 0, "left": 0}
    assert without_runs(snapshot(dba)) == put_back(before)


def test_an_undo_chunk_lists_what_it_left_alone(sandbox: Connection, world: World) -> None:
    batch = create(sandbox, ids=world.good[:3])
    chunks(sandbox, batch, 10)
    acts = [act["rerun_id"] for act in sandbox.execute("select rerun_id from pgreprise.rerun order by 1").fetchall()]
    sandbox.execute("select update_report(%s, error_message => 'x')", (world.good[2],))
    did = one(sandbox, "select undo_batch_chunk(%s, chunk_size => 2) as did", batch)["did"]
    message = f"Rerun #{acts[2]} cannot be undone: report #{world.good[2]} has a new result (status pending)."
    assert did == {
        "reruns": 2,
        "undone": 1,
        "refused": [{"rerun_id": acts[2], "report_id": world.good[2], "errcode": "RR010", "message": message}],
        "left": [],
        "before": acts[1],
    }


@pytest.mark.parametrize("claims", [None, '{"sub": "a", "scope": "reports:rerun"}'])
def test_to_force_the_undo_of_a_batch_takes_an_operator(sandbox: Connection, world: World, claims: str | None) -> None:
    batch = create(sandbox, ids=world.good[:1])
    sandbox.execute("select set_config('request.jwt.claims', %s, true)", (claims or "",))
    if claims is None:
        assert one(sandbox, "select undo_batch_chunk(%s, force => true) as did", batch)["did"]["reruns"] == 0
    else:
        assert refusal(sandbox, "select undo_batch_chunk(%s, force => true)", batch).code == "RR017"


def test_a_chunk_that_fails_leaves_those_before_it_and_the_batch_goes_on_later(
    dba: Connection, connect: Connect
) -> None:
    world = World(dba)
    with_all = create(dba, ids=world.good)
    stopped_at = world.good[5]
    fail_at(dba, stopped_at)
    runner = connect(role="pgreprise_dba")
    with pytest.raises(psycopg.errors.DiskFull):
        run(runner, with_all, 2)
    assert progress(dba, with_all) == {"reports": 10, "rerun": 4, "refused": 0, "remaining": 6}
    done = [row["report_id"] for row in dba.execute("select report_id from pgreprise.rerun order by 1").fetchall()]
    assert done == world.good[:4]
    dba.execute("drop trigger fail on public.report_outputs")
    assert run(runner, with_all, 2)["rerun"] == 6
    done = [row["report_id"] for row in dba.execute("select report_id from pgreprise.rerun order by 1").fetchall()]
    assert done == world.good
    assert one(dba, "select finished_at is not null as is_finished from rerun_batches(%s)", with_all)["is_finished"]


def test_runners_of_one_batch_share_the_work_and_do_no_report_twice(dba: Connection, connect: Connect) -> None:
    set_versions(dba)
    simulations = [add_simulation(dba, policy_id=policy) for policy in range(20)]
    reports = [add_report(dba, simulations[n % 20], simulations[(n * 7 + 1) % 20]) for n in range(400)]
    for policy in range(20):
        add_reform_impact(dba, baseline_policy_id=policy, reform_policy_id=(policy * 7 + 1) % 20)
    batch = create(dba, ids=[*reports, 10**9])
    runners = connections(connect, 4)
    results = at_once(4, lambda number: run(runners[number], batch, 7))
    assert sum(result["reports"] for result in results) == 401
    assert sum(result["rerun"] for result in results) == 400
    assert sum(result["refused"] for result in results) == 1
    assert sum(result["simulations_reset"] for result in results) == 20
    assert progress(dba, batch) == {"reports": 401, "rerun": 400, "refused": 1, "remaining": 0}
    after = snapshot(dba)
    assert {row["run_sequence"] for row in (*after["report_outputs"], *after["simulations"])} == {2}
    acts = dba.execute("select report_id from pgreprise.rerun order by 1").fetchall()
    assert [act["report_id"] for act in acts] == reports
    deleted = one(dba, "select count(*) as rows from pgreprise.reform_impact_archive")["rows"]
    assert (
        deleted == sum(result["economy_cache_rows_deleted"] for result in results) == 20 - len(after["reform_impact"])
    )


def test_what_a_runner_has_in_hand_is_left_to_it(dba: Connection, connect: Connect) -> None:
    set_versions(dba)
    reports = [add_report(dba, add_simulation(dba, population_type="household")) for _ in range(4)]
    batch = create(dba, ids=reports)
    dba.execute("begin")
    one(dba, "select rerun_batch_chunk(%s, 2)", batch)
    other = connect(role="pgreprise_dba")
    other.execute("set lock_timeout = '2s'")
    # The other two are done, up to the batch's own row, where runners wait for each other.
    other.autocommit = False
    with waiting_for_a_lock(connect(), other, "select rerun_batch_chunk(%s, 10) as did", batch) as chunk:
        dba.execute("rollback")
    assert [row["did"]["reports"] for row in chunk.result().fetchall()] == [2]
    other.commit()
    assert progress(dba, batch) == {"reports": 4, "rerun": 2, "refused": 0, "remaining": 2}
    assert run(dba, batch)["reports"] == 2


COMMITTING = [
    "call run_rerun_batch(1)",
    "call undo_rerun_batch(1)",
    "call purge_runs(interval '0')",
    "call purge_by_retention(100)",
]


@pytest.mark.parametrize("call", COMMITTING)
def test_a_procedure_that_commits_refuses_a_transaction_block_before_it_does_anything(
    sandbox: Connection, world: World, call: str
) -> None:
    sandbox.execute("call rerun_reports(%s::bigint[])", (world.good,))
    create(sandbox, ids=world.good)
    before = everything(sandbox)
    nested = call.replace(")", ", result => result)")
    for statement in (call, f"do $$declare result jsonb; begin {nested}; end$$"):
        with pytest.raises(psycopg.Error) as caught, sandbox.transaction():
            sandbox.execute(statement.encode())
        assert caught.value.sqlstate == "2D000"
        assert caught.value.diag.message_primary == "invalid transaction termination"
        assert "refuse_transaction_block" in str(caught.value.diag.context)
    assert everything(sandbox) == before


@pytest.mark.parametrize("call", ["run_rerun_batch(999999999)", "undo_rerun_batch(999999999)"])
def test_a_procedure_says_of_a_batch_that_never_was_what_the_routines_say(dba: Connection, call: str) -> None:
    before = everything(dba)
    with pytest.raises(psycopg.Error) as caught:
        dba.execute(f"call {call}")
    assert (caught.value.sqlstate, caught.value.diag.message_primary) == ("RR018", "Batch #999999999 not found.")
    assert everything(dba) == before


def test_economy_and_household_reports_of_a_batch_are_told_apart(sandbox: Connection) -> None:
    set_versions(sandbox)
    report, first, second = add_economy_report(sandbox)
    homes = [add_simulation(sandbox, population_type="household", policy_id=policy) for policy in (2, 3)]
    household = add_report(sandbox, *homes)
    impact = add_reform_impact(sandbox)
    # The keys of a household and of a geography may look the same.
    rerun_many(sandbox, [household])
    assert [row["reform_impact_id"] for row in snapshot(sandbox)["reform_impact"]] == [impact]
    rerun_many(sandbox, [household, report])
    acts = sandbox.execute(
        "select report_type, simulation_ids, reform_impact_ids from pgreprise.rerun order by rerun_id desc limit 2"
    ).fetchall()
    assert [tuple(act.values()) for act in acts] == [
        ("household", homes, []),
        ("geography", [first, second], [impact]),
    ]
