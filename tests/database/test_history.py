"""A DBA asks what was done to all reports: each act tells who, when, why and from where."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.databases import Connection
from tests.support.factories import add_reform_impact, add_report, add_simulation, set_versions
from tests.support.refusals import refusal
from tests.support.snapshots import everything
from tests.support.statements import newest_act, one, rerun

KEY = "'us', 2, 3, 'state/ny', 'default', '2025'"
# Each way to act, with a place for its reason. The undo comes last and undoes the rerun.
ACTS = {
    "rerun": "call rerun_report({report}, reason => {reason})",
    "many": "call rerun_reports(array[{report}], reason => {reason})",
    "reset_report": "select reset_report({report}, {reason})",
    "reset_simulation": "select reset_simulation({simulation}, reason => {reason})",
    "delete_reform_impacts": f"select delete_reform_impacts({KEY}, reason => {{reason}})",
    "undo": "call undo_rerun({act}, reason => {reason})",
}


@pytest.fixture
def rows(sandbox: Connection) -> dict[str, int]:
    """An economy report with a row of cache, and a rerun of another report."""
    set_versions(sandbox)
    simulation = add_simulation(sandbox, policy_id=2)
    report = add_report(sandbox, simulation, add_simulation(sandbox, policy_id=3))
    add_reform_impact(sandbox)
    act = rerun(sandbox, add_report(sandbox, add_simulation(sandbox, policy_id=7, population_type="household")))
    return {"report": report, "simulation": simulation, "act": act["rerun_id"]}


def history(connection: Connection, conditions: str = "", *values: object) -> list[dict[str, Any]]:
    return connection.execute(f"select * from rerun_history({conditions})", values).fetchall()  # noqa: S608


@pytest.mark.parametrize("act", ACTS.values(), ids=ACTS)
def test_every_act_keeps_its_reason(sandbox: Connection, rows: dict[str, int], act: str) -> None:
    sandbox.execute(act.format(**rows, reason="e'  the model was \\'fixed\\'\\n'"))
    assert newest_act(sandbox)["reason"] == "the model was 'fixed'"
    assert history(sandbox)[0]["reason"] == "the model was 'fixed'"


@pytest.mark.parametrize("act", ACTS.values(), ids=ACTS)
def test_a_reason_of_white_space_is_none_and_one_of_a_thousand_characters_fits(
    sandbox: Connection, rows: dict[str, int], act: str
) -> None:
    sandbox.execute("savepoint before_it")
    sandbox.execute(act.format(**rows, reason="e' \\t\\n'"))
    assert newest_act(sandbox)["reason"] is None
    sandbox.execute("rollback to before_it")
    sandbox.execute(act.format(**rows, reason="repeat('é', 1000)"))
    assert newest_act(sandbox)["reason"] == "é" * 1000


@pytest.mark.parametrize("act", ACTS.values(), ids=ACTS)
def test_a_reason_that_is_too_long_is_refused_and_nothing_is_changed(
    sandbox: Connection, rows: dict[str, int], act: str
) -> None:
    before = everything(sandbox)
    said = refusal(sandbox, act.format(**rows, reason="repeat('x', 1001)"))
    assert (said.code, said.message) == ("RR016", "The reason has 1001 characters. It has at most 1000.")
    assert everything(sandbox) == before


def test_the_request_that_an_api_names_is_kept_with_the_act_and_ends_with_the_call(
    sandbox: Connection, rows: dict[str, int]
) -> None:
    sandbox.execute(
        "call rerun_report(pgreprise.called_by(%s, %s::bigint, %s, %s))",
        ('{"sub": "alice", "scope": "reports:rerun"}', rows["report"], "r-1", "192.0.2.7"),
    )
    act = newest_act(sandbox)
    assert (act["actor"], act["request_id"], act["client_address"]) == ("alice", "r-1", "192.0.2.7")
    # A call without a request, in the same transaction, does not get that of the other.
    sandbox.execute("call rerun_report(pgreprise.called_by(null, %s::bigint))", (rows["report"],))
    act = newest_act(sandbox)
    of_session = one(sandbox, "select host(inet_client_addr()) as address")["address"]
    assert (act["actor"], act["request_id"], act["client_address"]) == (None, None, of_session)


def test_a_request_id_and_an_address_of_any_length_are_cut(sandbox: Connection, rows: dict[str, int]) -> None:
    sandbox.execute("call rerun_report(pgreprise.called_by(null, %s::bigint, repeat('i', 9999), repeat('a', 9999)))",
                    (rows["report"],))  # fmt: skip
    act = newest_act(sandbox)
    assert (act["request_id"], act["client_address"]) == ("i" * 200, "a" * 200)


def test_the_reruns_of_a_batch_have_the_reason_of_the_batch(sandbox: Connection, rows: dict[str, int]) -> None:
    batch = one(sandbox, "select create_rerun_batch(%s) as id", f'{{"ids": [{rows["report"]}]}}')["id"]
    sandbox.execute("update pgreprise.rerun_batch set reason = 'new model' where batch_id = %s", (batch,))
    sandbox.execute("select rerun_batch_chunk(%s)", (batch,))
    assert [act["reason"] for act in history(sandbox, "batch_id => %s", batch)] == ["new model"]
    assert one(sandbox, "select reason from report_history(%s)", rows["report"])["reason"] == "new model"


def test_each_condition_leaves_out_the_other_acts(sandbox: Connection, rows: dict[str, int]) -> None:
    report, first = rows["report"], rows["act"]
    sandbox.execute("""set local request.jwt.claims = '{"sub": "alice", "scope": "reports:rerun reports:read"}'""")
    second = rerun(sandbox, report)["rerun_id"]
    sandbox.execute("set local request.jwt.claims = ''")
    sandbox.execute("call undo_rerun(%s)", (second,))
    third = newest_act(sandbox)["rerun_id"]
    sandbox.execute(
        "update pgreprise.rerun set created_at = created_at - interval '2 days' where rerun_id = %s", (first,)
    )
    found = {
        conditions: [act["rerun_id"] for act in history(sandbox, conditions)]
        for conditions in (
            "",
            "since => now() - interval '1 day'",
            "until => now() - interval '1 day'",
            "actor => 'alice'",
            "actor => session_user",
            "kind => 'undo'",
            "country_id => 'us'",
            "country_id => 'uk'",
            f"report_id => {report}",
            f"before => {third}",
            f"before => {third}, max_rows => 1",
            "batch_id => 1",
        )
    }
    assert list(found.values()) == [
        [third, second, first],
        [third, second],
        [first],
        [second],
        [third, first],
        [third],
        [third, second, first],
        [],
        [third, second],
        [second, first],
        [second],
        [],
    ]
    newest, undone, _ = history(sandbox)
    assert (newest["undoes"], undone["undone_by"]) == (second, third)


@pytest.mark.parametrize(
    ("conditions", "code", "message"),
    [
        ("max_rows => 0", "RR016", "max_rows must be between 1 and 1000."),
        ("max_rows => 1001", "RR016", "max_rows must be between 1 and 1000."),
        ("max_rows => null", "RR016", "max_rows must be between 1 and 1000."),
        ("kind => 'purge'", "RR016", 'There is no kind of act "purge".'),
        ("country_id => 'zz'", "RR008", None),
    ],
)
def test_a_condition_that_cannot_be_used_is_refused(
    sandbox: Connection, conditions: str, code: str, message: str | None
) -> None:
    said = refusal(sandbox, f"select * from rerun_history({conditions})")  # noqa: S608
    assert said.code == code
    assert message in (None, said.message)


def test_one_act_is_found_by_its_id(sandbox: Connection, rows: dict[str, int]) -> None:
    rerun(sandbox, rows["report"])
    everything_done = history(sandbox)
    assert len(everything_done) > 1
    for act in everything_done:
        assert history(sandbox, "rerun_id => %s", act["rerun_id"]) == [act]
    assert history(sandbox, "rerun_id => %s, kind => 'undo'", rows["act"]) == []
    assert history(sandbox, "rerun_id => 999999") == []


def test_a_token_that_may_not_read_gets_no_history(sandbox: Connection) -> None:
    sandbox.execute("""set local request.jwt.claims = '{"sub": "bob", "scope": "reports:rerun"}'""")
    assert refusal(sandbox, "select * from rerun_history()").code == "RR017"
