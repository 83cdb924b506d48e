"""The preview of an undo says what the undo does and what stands in its way, and an undo with its token keeps to it."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.claims import claim, finish
from tests.support.databases import Connection
from tests.support.factories import add_economy_report, add_reform_impact, add_report, add_simulation, set_versions
from tests.support.refusals import Refusal, refusal
from tests.support.snapshots import everything
from tests.support.statements import newest_act, one, rerun, undo

UNDO = "call undo_rerun(%s::bigint, force => %s, seen => %s)"
DONE = "select update_report(%s, status => 'complete', output => '7')"
SHOWN = ("kind", "id", "status", "action", "obstacle", "can_be_forced")

Ids = tuple[int, int, int, int]


def preview(connection: Connection, rerun_id: int) -> list[dict[str, Any]]:
    """The rows of a preview of an undo; only the first has the token."""
    rows = connection.execute("select * from undo_preview(%s)", (rerun_id,)).fetchall()
    assert [row["seen"] for row in rows[1:]] == [None] * (len(rows) - 1)
    return rows


def said(rows: list[dict[str, Any]]) -> list[tuple[Any, ...]]:
    return [tuple(row[name] for name in SHOWN) for row in rows]


def seen_of(connection: Connection, rerun_id: int) -> str:
    return str(preview(connection, rerun_id)[0]["seen"])


def moved(refused: Refusal) -> list[tuple[str, str, str | None, str | None]]:
    assert refused.code == "RR029"
    assert refused.detail is not None
    return [(thing["kind"], thing["id"], thing["was"], thing["is"]) for thing in refused.detail["moved"]]


@pytest.fixture
def ids(sandbox: Connection) -> Ids:
    """A computed economy report, its two simulations and a row of its cache."""
    set_versions(sandbox)
    return (*add_economy_report(sandbox), add_reform_impact(sandbox))


def test_nothing_is_in_the_way_right_after_a_rerun(sandbox: Connection, ids: Ids) -> None:
    report, first, second, impact = ids
    act = rerun(sandbox, report)["rerun_id"]
    before = everything(sandbox)
    rows = preview(sandbox, act)
    assert everything(sandbox) == before
    assert said(rows) == [
        ("report", report, "pending", "complete, as run 3: the result of run 1 comes back", None, None),
        ("simulation", first, "pending", "complete, as run 3: the result of run 1 comes back", None, None),
        ("simulation", second, "pending", "complete, as run 3: the result of run 1 comes back", None, None),
        ("reform_impact", impact, None, "put back, status ok", None, None),
    ]
    assert one(sandbox, UNDO, act, False, rows[0]["seen"])["result"]["run_sequence"] == 3


def test_what_is_in_the_way_is_said_in_the_words_of_the_undo(sandbox: Connection, ids: Ids) -> None:
    report, first, second, impact = ids
    act = rerun(sandbox, report)["rerun_id"]
    sandbox.execute(DONE, (report,))
    sandbox.execute("select reset_simulation(%s)", (first,))
    newer = [add_reform_impact(sandbox, status="computing"), add_reform_impact(sandbox)]
    back = "complete, as run {}: the result of run 1 comes back"
    over = "; run {} would be archived and overwritten"
    finished = f"report #{report} has a new result (status complete)"
    later = f"simulation #{first} is at run 3, which is later than run 2"
    rows = preview(sandbox, act)
    assert said(rows) == [
        ("report", report, "complete", back.format(3) + over.format(2), finished, True),
        ("simulation", first, "pending", back.format(4) + over.format(3), later, True),
        ("simulation", second, "pending", back.format(3), None, None),
        *(
            ("reform_impact", row, status, "archived and deleted", f"there are newer economy cache rows (#{row})", True)
            for row, status in zip(newer, ("computing", "ok"), strict=True)
        ),
        ("reform_impact", impact, None, "put back, status ok", None, None),
    ]
    refused = refusal(sandbox, "call undo_rerun(%s)", act)
    assert refused.code == "RR010"
    assert refused.detail is not None
    assert refused.detail["obstacles"] == [
        finished,
        later,
        f"there are newer economy cache rows (#{newer[0]}, #{newer[1]})",
    ]
    # And with force it does what it says.
    undo(sandbox, act, force=True)
    kept = sandbox.execute("select reform_impact_id as id from public.reform_impact").fetchall()
    assert [row["id"] for row in kept] == [impact]
    stored = one(sandbox, "select run_sequence, status from get_simulation(%s)", first)
    assert stored == {"run_sequence": 4, "status": "complete"}


def test_what_cannot_be_forced_is_said(sandbox: Connection, ids: Ids) -> None:
    report, first, _, impact = ids
    act = rerun(sandbox, report)["rerun_id"]
    sandbox.execute("delete from public.simulations where id = %s", (first,))
    add_reform_impact(sandbox, reform_impact_id=impact, region="state/ca")
    rows = {(row["kind"], row["id"]): row for row in preview(sandbox, act)}
    gone, taken = rows["simulation", first], rows["reform_impact", impact]
    assert (gone["status"], gone["action"]) == (None, "nothing: it is gone")
    assert (gone["obstacle"], gone["can_be_forced"]) == (f"simulation #{first} was deleted", False)
    assert taken["obstacle"] == "other economy cache rows have the ids of the deleted ones"
    assert taken["can_be_forced"] is False
    assert refusal(sandbox, "call undo_rerun(%s, force => true)", act).code == "RR010"


def test_an_error_and_a_run_without_a_result_are_told_apart(sandbox: Connection) -> None:
    set_versions(sandbox)
    simulation = add_simulation(sandbox, population_type="household", status="running", output=None)
    report = add_report(sandbox, simulation, status="error", output=None, error_message="no")
    rows = preview(sandbox, rerun(sandbox, report)["rerun_id"])
    assert [row["action"] for row in rows] == [
        "error, as run 3: the error of run 1 comes back",
        "pending, as run 3: run 1 comes back, without a result",
    ]


def test_the_run_whose_result_comes_back_is_named_after_an_undo_too(sandbox: Connection, ids: Ids) -> None:
    undo(sandbox, rerun(sandbox, ids[0])["rerun_id"])
    again = rerun(sandbox, ids[0])["rerun_id"]
    assert preview(sandbox, again)[0]["action"] == "complete, as run 5: the result of run 1 comes back"


def test_a_worker_that_has_begun_stands_in_no_way_and_moves_nothing(sandbox: Connection, ids: Ids) -> None:
    act = rerun(sandbox, ids[0])["rerun_id"]
    token = seen_of(sandbox, act)
    claim(sandbox, ids[0])
    assert {row["obstacle"] for row in preview(sandbox, act)} == {None}
    assert one(sandbox, UNDO, act, False, token)["result"]["run_sequence"] == 3


@pytest.mark.parametrize("kind", ["undo", "undone", "cancelled", "not archived", "purged"])
def test_an_act_that_cannot_be_undone_gives_one_row_with_the_reason(sandbox: Connection, ids: Ids, kind: str) -> None:
    if kind == "not archived":
        sandbox.execute("select set_setting('archive_outputs', 'off')")
    act = rerun(sandbox, ids[0])["rerun_id"]
    if kind in ("undo", "undone"):
        undone = undo(sandbox, act)
        act = undone["undo_id"] if kind == "undo" else act
    elif kind == "cancelled":
        act = one(sandbox, "select cancel_run(%s) as result", ids[0])["result"]["rerun_id"]
    elif kind == "purged":
        sandbox.execute("update pgreprise.rerun set created_at = now() - interval '1 day'")
        sandbox.execute("select purge_chunk(interval '0', 0)")
    refused = refusal(sandbox, "call undo_rerun(%s)", act)
    assert refused.code == "RR014"
    [row] = preview(sandbox, act)
    assert said([row]) == [("rerun", act, None, "nothing: it cannot be undone", None, None)]
    assert (row["errcode"], row["message"], row["hint"]) == ("RR014", refused.message, refused.hint)
    assert row["seen"] is None


@pytest.mark.parametrize("step", ["reset_report", "reset_simulation", "delete_reform_impacts", "nothing deleted"])
def test_single_steps_have_a_preview_and_a_token_too(sandbox: Connection, ids: Ids, step: str) -> None:
    report, first, _, impact = ids
    if step == "nothing deleted":
        sandbox.execute("delete from public.reform_impact")
    deletion = "delete_reform_impacts('us', 2, 3, 'state/ny', 'default', '2025')"
    call, expected = {
        "reset_report": (f"reset_report({report})", ("report", report)),
        "reset_simulation": (f"reset_simulation({first})", ("simulation", first)),
        "delete_reform_impacts": (deletion, ("reform_impact", impact)),
    }.get(step, (deletion, None))
    sandbox.execute(f"select {call}".encode())
    act = newest_act(sandbox)["rerun_id"]
    [row] = preview(sandbox, act)
    assert (row["kind"], row["id"]) == (expected or ("rerun", act))
    assert (row["action"] == "nothing: it cleared nothing") == (expected is None)
    assert one(sandbox, UNDO, act, False, row["seen"])["result"]["rerun_id"] == act


def test_a_preview_is_of_a_rerun_of_that_report_and_country(sandbox: Connection, ids: Ids) -> None:
    report = ids[0]
    act = rerun(sandbox, report)["rerun_id"]
    call = "select * from undo_preview(%s, %s, %s)"
    assert len(sandbox.execute(call, (act, report, "us")).fetchall()) == 4
    assert refusal(sandbox, call, act, report + 1, None).code == "RR013"
    assert refusal(sandbox, call, act, None, "uk").code == "RR013"
    assert refusal(sandbox, call, act + 1, None, None).code == "RR013"
    assert refusal(sandbox, call, act, None, "zz").code == "RR008"


def test_without_an_archive_what_is_overwritten_is_not_said_to_be_archived(sandbox: Connection, ids: Ids) -> None:
    act = rerun(sandbox, ids[0])["rerun_id"]
    sandbox.execute(DONE, (ids[0],))
    add_reform_impact(sandbox)
    sandbox.execute("select set_setting('archive_outputs', 'off')")
    actions = [row["action"] for row in preview(sandbox, act)]
    assert actions[0].endswith("; run 2 would be overwritten")
    assert "deleted" in actions


# --- the token -------------------------------------------------------------------------------


@pytest.mark.parametrize("force", [False, True])
def test_a_result_since_the_preview_refuses_the_undo(sandbox: Connection, ids: Ids, force: bool) -> None:
    report, first, *_ = ids
    act = rerun(sandbox, report)["rerun_id"]
    token = seen_of(sandbox, act)
    finish(sandbox, claim(sandbox, report))
    refused = refusal(sandbox, UNDO, act, force, token)
    assert moved(refused)[:2] == [
        ("result", f"report #{report}", None, "complete"),
        ("result", f"simulation #{first}", None, "complete"),
    ]
    assert refused.message is not None
    assert refused.message.startswith(
        f"The undo of rerun #{act} is not as the preview saw it: report #{report} result none -> complete, "
    )
    assert refused.hint == "Preview it again. If what you see is to be undone, pass the token of that preview."
    assert refused.detail is not None
    assert refused.detail["rerun_id"] == act
    # With the token of a new preview, force overwrites it.
    token = seen_of(sandbox, act)
    if force:
        assert one(sandbox, UNDO, act, force, token)["result"]["run_sequence"] == 3
    else:
        assert refusal(sandbox, UNDO, act, force, token).code == "RR010"


@pytest.mark.parametrize("force", [False, True])
def test_a_later_run_and_other_cache_rows_refuse_the_undo(sandbox: Connection, ids: Ids, force: bool) -> None:
    report, first, second, _ = ids
    act = rerun(sandbox, report)["rerun_id"]
    newer = add_reform_impact(sandbox)
    token = seen_of(sandbox, act)
    sandbox.execute("delete from public.reform_impact")
    rerun(sandbox, report)
    other = add_reform_impact(sandbox)
    refused = refusal(sandbox, UNDO, act, force, token)
    assert moved(refused) == [
        ("report", str(report), "2", "3"),
        ("simulation", str(first), "2", "3"),
        ("simulation", str(second), "2", "3"),
        ("reform_impact", str(newer), "1", None),
        ("reform_impact", str(other), None, "1"),
    ]
    assert refused.message == (
        f"The undo of rerun #{act} is not as the preview saw it: run 2 -> 3, simulation #{first} run 2 -> 3, "
        f"simulation #{second} run 2 -> 3, cache row #{newer} removed, cache row #{other} added. Nothing was changed."
    )


def test_a_row_that_was_deleted_since_refuses_the_undo(sandbox: Connection, ids: Ids) -> None:
    report = ids[0]
    act = rerun(sandbox, report)["rerun_id"]
    token = seen_of(sandbox, act)
    sandbox.execute("delete from public.report_outputs where id = %s", (report,))
    refused = refusal(sandbox, UNDO, act, True, token)
    assert moved(refused) == [("report", str(report), "2", None)]
    assert f"report #{report} removed" in str(refused.message)


def test_an_undo_that_came_in_between_is_told_as_that(sandbox: Connection, ids: Ids) -> None:
    act = rerun(sandbox, ids[0])["rerun_id"]
    token = seen_of(sandbox, act)
    undo(sandbox, act)
    assert refusal(sandbox, UNDO, act, False, token).code == "RR014"


def test_a_token_is_of_one_kind_of_preview(sandbox: Connection, ids: Ids) -> None:
    report = ids[0]
    first = rerun(sandbox, report)["rerun_id"]
    second = rerun(sandbox, report)["rerun_id"]
    of_rerun = one(sandbox, "select seen from rerun_preview(%s)", report)["seen"]
    no_token = "The value of seen is not the token of a preview of {}. Nothing was changed."
    refused = refusal(sandbox, UNDO, second, False, of_rerun)
    assert refused[:2] == ("RR016", no_token.format("an undo"))
    refused = refusal(sandbox, "call rerun_report(%s::bigint, seen => %s)", report, seen_of(sandbox, second))
    assert refused[:2] == ("RR016", no_token.format("a report"))
    refused = refusal(sandbox, UNDO, second, False, seen_of(sandbox, first))
    assert refused[:2] == (
        "RR016",
        f"The value of seen is the token of a preview of the undo of rerun #{first}, and not of the undo of rerun "
        f"#{second}. Nothing was changed.",
    )
    for token in ("x", ""):
        assert refusal(sandbox, UNDO, second, False, token).code == "RR016"


# --- a batch ---------------------------------------------------------------------------------

Batch = tuple[int, list[int], list[int]]


@pytest.fixture
def batch(sandbox: Connection) -> Batch:
    """A batch of three reports that was run, and its reruns by report; the first two share a simulation."""
    set_versions(sandbox)
    shared, other = (add_simulation(sandbox, population_type="household") for _ in range(2))
    reports = [add_report(sandbox, simulation) for simulation in (shared, shared, other)]
    made = int(one(sandbox, 'select create_rerun_batch(\'{"country": "us"}\') as id')["id"])
    sandbox.execute("select rerun_batch_chunk(%s)", (made,))
    acts = sandbox.execute("select rerun_id from pgreprise.rerun where batch_id = %s order by report_id", (made,))
    return made, reports, [row["rerun_id"] for row in acts.fetchall()]


def obstacles(
    connection: Connection, batch_id: int, before: int | None = None, length: int = 100
) -> list[tuple[Any, ...]]:
    rows = connection.execute("select * from rerun_batch_obstacles(%s, %s, %s)", (batch_id, before, length)).fetchall()
    return [tuple(row.values()) for row in rows]


def test_nothing_is_in_the_way_of_a_batch_that_nobody_has_touched(sandbox: Connection, batch: Batch) -> None:
    made, reports, acts = batch
    before = everything(sandbox)
    expected = [(act, report, None, None) for act, report in zip(acts, reports, strict=True)][::-1]
    assert obstacles(sandbox, made) == expected
    assert obstacles(sandbox, made, acts[2], 1) == expected[1:2]
    assert everything(sandbox) == before
    undo(sandbox, acts[2])
    assert obstacles(sandbox, made) == expected[1:]


@pytest.mark.parametrize("page", [100, 1])
def test_what_others_of_the_batch_rely_on_has_their_obstacles(sandbox: Connection, batch: Batch, page: int) -> None:
    made, reports, acts = batch
    sandbox.execute(DONE, (reports[1],))
    relies = f"rerun #{acts[1]} of report #{reports[1]} uses the simulations that it has reset"
    found: list[tuple[Any, ...]] = []
    while rows := obstacles(sandbox, made, found[-1][0] if found else None, page):
        found += rows
    assert found == [
        (acts[2], reports[2], None, None),
        (acts[1], reports[1], f"report #{reports[1]} has a new result (status complete)", True),
        (acts[0], reports[0], relies, True),
    ]
    assert said(preview(sandbox, acts[0])[-1:]) == [("rerun", acts[1], None, "kept: undo it first", relies, True)]
    chunk = one(sandbox, "select undo_batch_chunk(%s) as did", made)["did"]
    assert (chunk["undone"], [each["rerun_id"] for each in chunk["refused"]]) == (1, [acts[1], acts[0]])


def test_the_obstacles_of_a_batch_name_what_cannot_be_forced(sandbox: Connection, batch: Batch) -> None:
    made, reports, acts = batch
    sandbox.execute("delete from public.report_outputs where id = %s", (reports[2],))
    sandbox.execute("update pgreprise.rerun set is_archived = false where rerun_id = %s", (acts[1],))
    assert [row[2:] for row in obstacles(sandbox, made)] == [
        (f"report #{reports[2]} was deleted", False),
        (f"Rerun #{acts[1]} archived no outputs, because archive_outputs was off. It cannot be undone.", False),
        (f"rerun #{acts[1]} of report #{reports[1]} uses the simulations that it has reset", True),
    ]


def test_the_obstacles_are_those_of_a_batch_that_exists(sandbox: Connection) -> None:
    assert refusal(sandbox, "select rerun_batch_obstacles(9)").code == "RR018"
    made = one(sandbox, "select create_rerun_batch('{\"ids\": [1]}') as id")["id"]
    assert refusal(sandbox, "select rerun_batch_obstacles(%s, max_rows => 0)", made).code == "RR016"
    assert obstacles(sandbox, made) == []
