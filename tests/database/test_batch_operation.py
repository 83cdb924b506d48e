"""An operator lives with batches: says why, is asked about large ones, cancels one, and sees a state that is true."""

from __future__ import annotations

import json
from typing import Any

import psycopg
import pytest

from tests.support.concurrency import waiting_for_a_lock
from tests.support.databases import Connect, Connection
from tests.support.factories import add_economy_report, add_reform_impact, add_report, add_simulation, set_versions
from tests.support.refusals import refusal
from tests.support.snapshots import everything, snapshot
from tests.support.statements import newest_act, one, undo


def reports_of(connection: Connection, count: int = 3) -> list[int]:
    set_versions(connection)
    return [add_report(connection, add_simulation(connection, population_type="household")) for _ in range(count)]


@pytest.fixture
def reports(sandbox: Connection) -> list[int]:
    """Three household reports that can be rerun."""
    return reports_of(sandbox)


def create(connection: Connection, ids: list[int], *, reason: str | None = None, expected: int | None = None) -> int:
    statement = "select create_rerun_batch(%s::jsonb, %s, %s::bigint) as id"
    return int(one(connection, statement, json.dumps({"ids": ids}), reason, expected)["id"])


def chunk(connection: Connection, batch: int, size: int = 1000) -> dict[str, Any]:
    did: dict[str, Any] = one(connection, "select rerun_batch_chunk(%s, %s) as did", batch, size)["did"]
    return did


def shown(connection: Connection, batch: int, *names: str) -> tuple[Any, ...]:
    row = one(connection, "select * from rerun_batches(%s)", batch)
    return tuple(row[name] for name in names)


# --- who, why, from where --------------------------------------------------------------------


def test_a_batch_keeps_who_made_it_why_and_from_where(sandbox: Connection, reports: list[int]) -> None:
    claims = '{"sub": "alice", "scope": "reports:rerun"}'
    made = one(
        sandbox,
        "select create_rerun_batch('{\"country\": \"us\"}', '  new model ', "
        "expected_reports => pgreprise.called_by(%s, 3, 'r-1', '192.0.2.7')) as id",
        claims,
    )["id"]
    sandbox.execute("set local request.jwt.claims = ''")
    names = ("reports", "reason", "actor", "request_id", "client_address")
    assert shown(sandbox, made, *names) == (len(reports), "new model", "alice", "r-1", "192.0.2.7")


def test_the_undo_of_a_batch_keeps_its_own_reason(sandbox: Connection, reports: list[int]) -> None:
    batch = create(sandbox, reports, reason="new model")
    chunk(sandbox, batch)
    sandbox.execute("select undo_batch_chunk(%s, reason => 'it was wrong')", (batch,))
    acts = sandbox.execute("select kind, reason from rerun_history() order by rerun_id").fetchall()
    assert [(act["kind"], act["reason"]) for act in acts] == [
        *[("rerun", "new model")] * 3,
        *[("undo", "it was wrong")] * 3,
    ]


def test_an_undo_of_a_batch_may_expect_a_number_of_reruns(sandbox: Connection, reports: list[int]) -> None:
    batch = create(sandbox, reports)
    chunk(sandbox, batch)
    undo = "select undo_batch_chunk(%s::bigint, chunk_size => 2, expected_reruns => %s, idempotency_key => %s) as did"
    said = refusal(sandbox, undo, batch, 2, "k1")
    assert (said.code, said.detail) == ("RR029", {"batch_id": batch, "expected_reruns": 2, "reruns": 3})
    assert one(sandbox, undo, batch, 3, "k1")["did"]["undone"] == 2
    # A second click on the same form is the same undo; another form has not seen what is left.
    assert refusal(sandbox, undo, batch, 3, "k2").code == "RR029"
    assert one(sandbox, undo, batch, 3, "k1")["did"]["undone"] == 1
    other = create(sandbox, reports)
    assert refusal(sandbox, "select undo_batch_chunk(%s::bigint, idempotency_key => 'k1')", other).code == "RR012"


@pytest.mark.parametrize(
    "statement",
    [
        "select create_rerun_batch('{{\"country\": \"us\"}}', repeat('x', 1001))",
        "select cancel_rerun_batch({batch}, repeat('x', 1001))",
        "select undo_batch_chunk({batch}, reason => repeat('x', 1001))",
    ],
)
def test_a_reason_that_is_too_long_is_refused(sandbox: Connection, reports: list[int], statement: str) -> None:
    batch = create(sandbox, reports)
    before = everything(sandbox)
    assert refusal(sandbox, statement.format(batch=batch)).code == "RR016"
    assert everything(sandbox) == before


# --- the size --------------------------------------------------------------------------------


def test_a_large_batch_needs_the_number_of_its_reports(sandbox: Connection, reports: list[int]) -> None:
    sandbox.execute("select set_setting('largest_batch', '2')")
    before = everything(sandbox)
    said = refusal(sandbox, 'select create_rerun_batch(\'{"country": "us"}\')')
    assert (said.code, said.message) == ("RR024", "The filter finds 3 reports. Above 2 their number has to be given.")
    assert said.detail == {"reports": 3, "expected_reports": None, "largest_batch": 2}
    assert "expected_reports => 3" in said.hint
    assert everything(sandbox) == before
    assert shown(sandbox, create(sandbox, reports, expected=3), "reports") == (3,)


@pytest.mark.parametrize("expected", [0, 2, 4])
def test_another_number_than_the_expected_one_is_refused_whatever_the_limit(
    sandbox: Connection, reports: list[int], expected: int
) -> None:
    before = everything(sandbox)
    said = refusal(
        sandbox, "select create_rerun_batch(%s, expected_reports => %s)", json.dumps({"ids": reports}), expected
    )
    assert (said.code, said.message) == ("RR024", f"The filter finds 3 reports, and not {expected}.")
    assert everything(sandbox) == before


def test_a_batch_at_the_limit_needs_no_number(sandbox: Connection, reports: list[int]) -> None:
    sandbox.execute("select set_setting('largest_batch', '3')")
    assert shown(sandbox, create(sandbox, reports), "reports") == (3,)
    assert refusal(sandbox, "select set_setting('largest_batch', '-1')").code == "RR016"


def test_a_preview_tells_where_the_number_should_be_given(sandbox: Connection, reports: list[int]) -> None:
    effects = "select is_large from rerun_batch_effects(%s)"
    wanted = json.dumps({"ids": [*reports, 7001]})
    sandbox.execute("select set_setting('largest_batch', '4')")
    assert one(sandbox, effects, wanted)["is_large"] is False
    sandbox.execute("select set_setting('largest_batch', '3')")
    assert one(sandbox, effects, wanted)["is_large"] is True


# --- cancelling ------------------------------------------------------------------------------


def test_a_cancelled_batch_keeps_what_is_done_and_does_no_more(sandbox: Connection, reports: list[int]) -> None:
    batch = create(sandbox, reports)
    chunk(sandbox, batch, 1)
    done = snapshot(sandbox)
    left = one(sandbox, "select cancel_rerun_batch(%s, ' enough ') as left", batch)["left"]
    assert left == 2
    said = refusal(sandbox, "select rerun_batch_chunk(%s)", batch)
    assert said.code == "RR025"
    assert said.message.startswith(f"Batch #{batch} was cancelled at ")
    assert said.message.endswith(f" by {sandbox.info.user}.")
    assert snapshot(sandbox) == done
    names = ("state", "rerun", "remaining", "cancelled_by", "cancel_reason", "finished_at", "stands_still")
    assert shown(sandbox, batch, *names) == ("cancelled", 1, 2, sandbox.info.user, "enough", None, False)


def test_what_a_cancelled_batch_has_done_can_be_undone(sandbox: Connection, reports: list[int]) -> None:
    batch = create(sandbox, reports)
    chunk(sandbox, batch, 1)
    sandbox.execute("select cancel_rerun_batch(%s)", (batch,))
    did = one(sandbox, "select undo_batch_chunk(%s) as did", batch)["did"]
    assert did["undone"] == 1
    assert shown(sandbox, batch, "state", "undone") == ("undone", 1)


def test_a_batch_is_cancelled_once_and_not_when_it_is_finished(sandbox: Connection, reports: list[int]) -> None:
    finished, cancelled = create(sandbox, reports[:1]), create(sandbox, reports[1:])
    chunk(sandbox, finished)
    sandbox.execute("select cancel_rerun_batch(%s)", (cancelled,))
    before = everything(sandbox)
    # A second click of the same person.
    assert one(sandbox, "select cancel_rerun_batch(%s) as left", cancelled)["left"] == 2
    assert everything(sandbox) == before
    sandbox.execute("""set local request.jwt.claims = '{"sub": "bob", "scope": "reports:read reports:rerun"}'""")
    for batch, words in ((finished, "is finished since"), (cancelled, "was cancelled at")):
        before = everything(sandbox)
        said = refusal(sandbox, "select cancel_rerun_batch(%s)", batch)
        assert said.code == "RR025"
        assert words in said.message
        assert f"undo_rerun_batch({batch})" in said.hint
        assert everything(sandbox) == before
    assert refusal(sandbox, "select cancel_rerun_batch(999)").code == "RR018"


def test_a_token_that_may_not_rerun_cancels_nothing(sandbox: Connection, reports: list[int]) -> None:
    batch = create(sandbox, reports)
    sandbox.execute("""set local request.jwt.claims = '{"sub": "bob", "scope": "reports:read"}'""")
    assert refusal(sandbox, "select cancel_rerun_batch(%s)", batch).code == "RR017"


def test_a_batch_that_is_cancelled_while_a_chunk_is_at_work_ends_after_the_chunk(
    dba: Connection, connect: Connect
) -> None:
    batch = create(dba, reports_of(dba))
    runner, other = connect(), connect()
    runner.execute("begin")
    chunk(runner, batch, 1)
    # The chunk has counted itself in the row of the batch, so the cancellation waits for it.
    with waiting_for_a_lock(dba, other, "select cancel_rerun_batch(%s) as left", batch) as cancelling:
        runner.execute("commit")
    assert cancelling.result().fetchone() == {"left": 2}
    assert shown(dba, batch, "state", "rerun", "remaining") == ("cancelled", 1, 2)
    with pytest.raises(psycopg.Error) as error:
        runner.execute("call run_rerun_batch(%s)", (batch,))
    assert error.value.sqlstate == "RR025"


def test_an_undo_after_a_cancellation_undoes_the_chunk_that_was_still_at_work(
    dba: Connection, connect: Connect
) -> None:
    reports = reports_of(dba)
    batch = create(dba, reports)
    holder, runner, other = connect(autocommit=False), connect(), connect()
    holder.execute("select from report_outputs where id = %s for update", (reports[0],))
    # The chunk waits for a report, long before it counts itself in the row of the batch.
    runner.execute("set lock_timeout = '60s'")
    other.execute("set lock_timeout = '60s'")
    with waiting_for_a_lock(dba, runner, "select rerun_batch_chunk(%s)", batch):
        # The cancellation does not wait, and nothing that it says is wrong afterwards.
        assert one(other, "select cancel_rerun_batch(%s) as left", batch)["left"] == 3
        with waiting_for_a_lock(dba, other, "select undo_batch_chunk(%s) as did", batch) as undoing:
            holder.rollback()
    did = undoing.result().fetchone()
    assert did is not None
    assert did["did"]["undone"] == 3
    assert shown(dba, batch, "state", "rerun", "undone") == ("undone", 3, 3)
    assert {row["status"] for row in snapshot(dba)["report_outputs"]} == {"complete"}


@pytest.mark.needs("time")
def test_an_undo_waits_for_a_chunk_longer_than_for_a_row(dba: Connection, connect: Connect) -> None:
    batch = create(dba, reports_of(dba))
    runner, other = connect(autocommit=False), connect()
    chunk(runner, batch)
    with waiting_for_a_lock(dba, other, "select undo_batch_chunk(%s) as did", batch) as undoing:
        dba.execute("select pg_sleep(1.5)")
        runner.commit()
    did = undoing.result().fetchone()
    assert did is not None
    assert did["did"]["undone"] == 3


def test_a_batch_whose_last_chunk_was_at_work_when_it_was_cancelled_is_finished(
    sandbox: Connection, reports: list[int]
) -> None:
    batch = create(sandbox, reports)
    chunk(sandbox, batch)
    sandbox.execute("update pgreprise.rerun_batch set cancelled_at = now(), cancelled_by = 'ann'")
    assert shown(sandbox, batch, "state") == ("finished",)
    assert chunk(sandbox, batch)["reports"] == 0
    assert "is finished since" in refusal(sandbox, "select cancel_rerun_batch(%s)", batch).message


# --- the state -------------------------------------------------------------------------------


def test_the_state_of_a_batch_is_true_after_single_undos(sandbox: Connection, reports: list[int]) -> None:
    batch = create(sandbox, reports)
    assert shown(sandbox, batch, "state", "undone") == ("open", 0)
    acts = []
    for _ in reports:
        chunk(sandbox, batch, 1)
        acts.append(newest_act(sandbox)["rerun_id"])
    assert shown(sandbox, batch, "state", "undone") == ("finished", 0)
    undo(sandbox, acts[1])
    assert shown(sandbox, batch, "state", "undone") == ("partly undone", 1)
    sandbox.execute("select undo_batch_chunk(%s)", (batch,))
    assert shown(sandbox, batch, "state", "undone", "rerun") == ("undone", 3, 3)


# --- what reports share ----------------------------------------------------------------------


@pytest.fixture
def sharing(sandbox: Connection) -> list[int]:
    """Two reports of one request and two years, each with both simulations and a result, and a cache row of each."""
    set_versions(sandbox)
    report, first, second = add_economy_report(sandbox)
    other = add_report(sandbox, first, second, year="2026")
    for year in ("2025", "2026"):
        add_reform_impact(sandbox, time_period=year)
    return [report, other]


def test_what_is_left_of_a_batch_resets_again_what_an_undo_has_put_back(
    sandbox: Connection, sharing: list[int]
) -> None:
    batch = create(sandbox, sharing)
    assert chunk(sandbox, batch, 1)["simulations_reset"] == 2
    assert one(sandbox, "select undo_batch_chunk(%s) as did", batch)["did"]["undone"] == 1
    assert {row["status"] for row in snapshot(sandbox)["simulations"]} == {"complete"}
    assert chunk(sandbox, batch)["simulations_reset"] == 2
    assert {row["status"] for row in snapshot(sandbox)["simulations"]} == {"pending"}


def test_what_an_undo_has_put_back_into_the_cache_is_deleted_again(sandbox: Connection, sharing: list[int]) -> None:
    twin = add_report(sandbox, *one(sandbox, "select simulation_1_id, simulation_2_id from report_outputs").values())
    batch = create(sandbox, [sharing[0], twin])
    assert chunk(sandbox, batch, 1)["economy_cache_rows_deleted"] == 1
    sandbox.execute("select undo_batch_chunk(%s)", (batch,))
    assert chunk(sandbox, batch)["economy_cache_rows_deleted"] == 1


@pytest.mark.parametrize("many", ["batch", "set"])
def test_what_a_rerun_has_reset_for_others_is_put_back_after_theirs_only(
    sandbox: Connection, sharing: list[int], many: str
) -> None:
    if many == "batch":
        chunk(sandbox, create(sandbox, sharing))
    else:
        sandbox.execute("call rerun_reports(%s::bigint[])", (sharing,))
    acts = [
        row["rerun_id"] for row in sandbox.execute("select rerun_id from pgreprise.rerun order by rerun_id").fetchall()
    ]
    said = refusal(sandbox, "call undo_rerun(%s::bigint)", acts[0])
    assert said.code == "RR010"
    assert f"rerun #{acts[1]} of report #{sharing[1]} uses the simulations that it has reset" in said.message
    undo(sandbox, acts[1])
    undo(sandbox, acts[0])


def test_a_version_that_changes_in_the_middle_of_a_batch_reaches_what_its_reports_share(
    sandbox: Connection, sharing: list[int]
) -> None:
    batch = create(sandbox, sharing)
    chunk(sandbox, batch, 1)
    sandbox.execute("select set_cache_versions('us', package => 'newer')")
    assert chunk(sandbox, batch)["simulations_reset"] == 2
    assert {row["api_version"] for row in snapshot(sandbox)["simulations"]} == {"newer"}


def test_a_batch_of_refused_reports_is_finished(sandbox: Connection) -> None:
    batch = create(sandbox, [7001, 7002])
    chunk(sandbox, batch)
    assert shown(sandbox, batch, "state", "refused", "undone") == ("finished", 2, 0)


def test_an_open_batch_of_which_nothing_was_done_for_an_hour_stands_still(
    sandbox: Connection, reports: list[int]
) -> None:
    batch = create(sandbox, reports)
    sandbox.execute("update pgreprise.rerun_batch set created_at = now() - interval '59 minutes'")
    assert shown(sandbox, batch, "stands_still") == (False,)
    sandbox.execute("update pgreprise.rerun_batch set created_at = now() - interval '61 minutes'")
    assert shown(sandbox, batch, "stands_still") == (True,)
    chunk(sandbox, batch, 1)
    assert shown(sandbox, batch, "stands_still") == (False,)
    sandbox.execute("update pgreprise.rerun_batch set progressed_at = now() - interval '61 minutes'")
    assert shown(sandbox, batch, "stands_still") == (True,)
    chunk(sandbox, batch)
    sandbox.execute("update pgreprise.rerun_batch set progressed_at = now() - interval '61 minutes'")
    assert shown(sandbox, batch, "state", "stands_still") == ("finished", False)


def test_batches_are_listed_in_pages(sandbox: Connection, reports: list[int]) -> None:
    made = [create(sandbox, reports) for _ in range(3)]

    def page(conditions: str) -> list[int]:
        return [row["id"] for row in sandbox.execute(f"select id from rerun_batches({conditions})").fetchall()]  # noqa: S608

    assert page("max_rows => 2") == made[:0:-1]
    assert page(f"before => {made[1]}") == [made[0]]


# --- looking first ---------------------------------------------------------------------------


def test_a_preview_says_what_would_be_changed_and_the_run_changes_that(sandbox: Connection) -> None:
    set_versions(sandbox)
    shared = add_simulation(sandbox, policy_id=2)
    own = add_simulation(sandbox, policy_id=3)
    first = add_report(sandbox, shared, own)
    second = add_report(sandbox, shared, add_simulation(sandbox, policy_id=4))
    broken = add_report(sandbox, 987654)
    add_reform_impact(sandbox)
    # One shares a simulation, one the cache key, one nothing.
    by_simulation = add_report(sandbox, add_simulation(sandbox, policy_id=9), own)
    twin = add_simulation(sandbox, policy_id=2)
    by_key = add_report(sandbox, twin, add_simulation(sandbox, policy_id=3))
    add_economy_report(sandbox, country_id="uk")
    wanted = json.dumps({"ids": [first, second, broken, 5555]})
    before = everything(sandbox)
    effects = one(sandbox, "select * from rerun_batch_effects(%s)", wanted)
    sharing = sandbox.execute("select * from rerun_batch_sharing(%s)", (wanted,)).fetchall()
    assert everything(sandbox) == before
    del effects["seen"]
    assert effects == {
        "reports": 2,
        "refused": 2,
        "simulations": 3,
        "reform_impacts": 1,
        "sharing_reports": 2,
        "is_large": False,
    }
    assert [(row["report_id"], row["shares_simulation"], row["shares_cache_key"]) for row in sharing] == [
        (by_simulation, True, False),
        (by_key, False, True),
    ]
    page = "select report_id from rerun_batch_sharing(%s, %s, 1)"
    assert one(sandbox, page, wanted, by_simulation)["report_id"] == by_key

    batch = int(one(sandbox, "select create_rerun_batch(%s) as id", wanted)["id"])
    did = chunk(sandbox, batch)
    assert {name: did[name] for name in ("rerun", "refused", "simulations_reset", "economy_cache_rows_deleted")} == {
        "rerun": effects["reports"],
        "refused": effects["refused"],
        "simulations_reset": effects["simulations"],
        "economy_cache_rows_deleted": effects["reform_impacts"],
    }


@pytest.mark.parametrize("routine", ["rerun_batch_effects", "rerun_batch_sharing"])
def test_a_preview_needs_a_usable_filter_and_the_right_to_read(sandbox: Connection, routine: str) -> None:
    assert refusal(sandbox, f"select * from {routine}('{{}}')").code == "RR015"  # noqa: S608
    sandbox.execute("""set local request.jwt.claims = '{"sub": "bob", "scope": "reports:rerun"}'""")
    assert refusal(sandbox, f"""select * from {routine}('{{"country": "us"}}')""").code == "RR017"  # noqa: S608
