"""A batch that is given the token of its preview is what the preview counted, or is refused and says what has moved."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from tests.support.databases import Connect, Connection
from tests.support.factories import add_reform_impact, add_report, add_simulation, set_versions
from tests.support.refusals import Refusal, refusal
from tests.support.statements import one, rerun

CREATE = "select create_rerun_batch(%s, seen => %s) as id"
ERRORS = json.dumps({"status": "error"})


def seen_of(connection: Connection, wanted: str = ERRORS) -> str:
    """The token of a preview of a batch."""
    token: str = one(connection, "select seen from rerun_batch_effects(%s)", wanted)["seen"]
    return token


def refused(connection: Connection, token: str, wanted: str = ERRORS) -> Refusal:
    said = refusal(connection, CREATE, wanted, token)
    assert said.code == "RR029"
    assert said.message is not None
    assert said.message.startswith("The batch is not as the preview saw it: ")
    assert said.message.endswith(" Nothing was changed.")
    assert said.hint is not None
    return said


def detail(said: Refusal) -> dict[str, Any]:
    assert said.detail is not None
    return said.detail


@pytest.fixture
def reports(dba: Connection) -> list[int]:
    """Three failed economy reports, each with a simulation of its own and one that they share, and one that is done."""
    set_versions(dba)
    shared = add_simulation(dba, policy_id=3)
    for policy in (2, 4, 5):
        add_reform_impact(dba, baseline_policy_id=policy)
    made = [add_report(dba, add_simulation(dba, policy_id=policy), shared, status="error") for policy in (2, 4, 5)]
    return [*made, add_report(dba, add_simulation(dba, policy_id=6))]


# --- it holds --------------------------------------------------------------------------------


def test_a_batch_with_the_token_of_its_preview_reruns_what_was_counted(dba: Connection, reports: list[int]) -> None:
    add_report(dba, 999, status="error")
    counted = one(dba, "select * from rerun_batch_effects(%s)", ERRORS)
    assert (counted["reports"], counted["refused"], counted["simulations"], counted["reform_impacts"]) == (3, 1, 4, 3)
    batch = one(dba, CREATE, ERRORS, counted["seen"])["id"]
    dba.execute("call run_rerun_batch(%s)", (batch,))
    assert one(dba, "select rerun, refused from rerun_batches(%s)", batch) == {"rerun": 3, "refused": 1}
    assert one(dba, "select run_sequence from get_report(%s)", reports[0])["run_sequence"] == 2


@pytest.mark.parametrize(
    "wanted", [{"country": "us"}, {"ids": [1, 99, 2]}, {"ids": [99]}, {"country": "il"}, {"report_type": "household"}]
)
@pytest.mark.usefixtures("reports")
def test_a_token_holds_for_every_filter_also_for_one_that_finds_nothing(
    dba: Connection, wanted: dict[str, Any]
) -> None:
    text = json.dumps(wanted)
    assert one(dba, CREATE, text, seen_of(dba, text))["id"] == 1


@pytest.mark.usefixtures("reports")
def test_what_is_done_to_other_reports_moves_nothing(dba: Connection, reports: list[int]) -> None:
    token = seen_of(dba)
    rerun(dba, reports[3])
    add_reform_impact(dba, options_hash="[cliffs=true]")
    assert one(dba, CREATE, ERRORS, token)["id"] == 1


@pytest.mark.usefixtures("reports")
def test_a_token_says_how_many_are_wanted(dba: Connection) -> None:
    dba.execute("select set_setting('largest_batch', '2')")
    assert refusal(dba, "select create_rerun_batch(%s)", ERRORS).code == "RR024"
    assert refusal(dba, "select create_rerun_batch(%s, null, 4, %s)", ERRORS, seen_of(dba)).code == "RR024"
    assert one(dba, CREATE, ERRORS, seen_of(dba))["id"]


def test_a_token_of_very_many_reports_is_short(dba: Connection) -> None:
    dba.execute(
        "insert into public.report_outputs (country_id, simulation_1_id, api_version, status, year) "
        "select 'us', number, 'v', 'error', '2025' from generate_series(1, 20000) as number"
    )
    token = seen_of(dba)
    assert re.fullmatch("[A-Za-z0-9_-]{1,1000}", token)
    assert one(dba, CREATE, ERRORS, token)["id"] == 1


# --- something has moved ---------------------------------------------------------------------


def test_a_report_that_was_rerun_is_named_with_the_act_and_who_did_it(dba: Connection, reports: list[int]) -> None:
    token = seen_of(dba)
    act = rerun(dba, reports[1])["rerun_id"]
    said = refused(dba, token)
    assert said.message == (
        "The batch is not as the preview saw it: reports 3 -> 2, simulations 4 -> 3, cache rows 3 -> 2, "
        f"other reports or runs in 1 of 3 ranges, first report #{reports[1]}. "
        f"1 act there since, first rerun #{act} of report #{reports[1]} by postgres. Nothing was changed."
    )
    assert detail(said)["moved"] == [
        {"kind": "count", "id": "reports", "was": "3", "is": "2"},
        {"kind": "count", "id": "simulations", "was": "4", "is": "3"},
        {"kind": "count", "id": "reform_impacts", "was": "3", "is": "2"},
    ]
    assert detail(said)["parts"] == [{"first_id": reports[1], "last_id": reports[2] - 1, "was": 1, "is": 0}]
    [told] = detail(said)["acts"]
    assert (told["rerun_id"], told["kind"], told["report_id"]) == (act, "rerun", reports[1])


@pytest.mark.parametrize(
    ("statement", "said"),
    [
        (
            "select reset_report(2)",
            "other reports or runs in 1 of 3 ranges, first report #2. 1 act there since, first reset_report #1",
        ),
        (
            "select reset_simulation(1)",
            "simulations have other runs. 1 act there since, first reset_simulation #1 of simulation #1 by postgres.",
        ),
        ("call rerun_report(5)", "simulations have other runs. 1 act there since, first rerun #1 of report #5"),
        ("delete from public.reform_impact where reform_impact_id = 1", "cache rows 3 -> 2. Nothing"),
        (
            "update public.reform_impact set reform_impact_id = 99 where reform_impact_id = 1",
            "saw it: other cache rows. Nothing",
        ),
        ("select set_cache_versions('us', package => 'p2')", "us package version 1.633.2 -> p2. Nothing"),
        ("select set_cache_versions('us', report_output => 'r2')", "us report_output version r147f26ed1 -> r2"),
        ("update public.report_outputs set status = 'complete' where id = 1", "reports 3 -> 2, simulations 4 -> 3"),
        ("update public.report_outputs set status = 'complete' where id = 3", "first report #3. Nothing"),
        ("update public.report_outputs set simulation_1_id = 999 where id = 2", "refused 0 -> 1"),
        ("update public.report_outputs set simulation_1_id = simulation_2_id where id = 2", "first report #2. Nothing"),
        ("update public.report_outputs set status = 'error' where id = 4", "reports 3 -> 4"),
        (
            "insert into public.report_outputs (country_id, simulation_1_id, api_version, status, year) "
            "values ('us', 1, 'v', 'error', '2044')",
            "other reports or runs in 1 of 3 ranges, first reports from #3 on, 1 new, first #6. Nothing",
        ),
    ],
)
@pytest.mark.usefixtures("reports")
def test_each_thing_that_moves_is_enough_to_refuse(dba: Connection, statement: str, said: str) -> None:
    # Another report that shares a simulation.
    assert add_report(dba, 1, year="2040") == 5
    token = seen_of(dba)
    dba.execute(statement.encode())
    message = refused(dba, token).message
    assert message is not None
    assert said in message
    assert one(dba, CREATE, ERRORS, seen_of(dba))["id"]


def test_among_many_reports_the_range_is_told_and_the_acts_name_each(dba: Connection) -> None:
    household = add_simulation(dba, population_type="household")
    reports = [add_report(dba, household, year=str(number)) for number in range(40)]
    wanted = json.dumps({"country": "us"})
    token = seen_of(dba, wanted)
    for report in (reports[21], reports[33]):
        dba.execute("select reset_report(%s)", (report,))
    said = refused(dba, token, wanted)
    assert said.message is not None
    assert f"in 2 of 10 ranges, first reports from #{reports[20]} to #{reports[23]}. 2 acts there" in said.message
    assert [part["first_id"] for part in detail(said)["parts"]] == [reports[20], reports[32]]
    assert [act["report_id"] for act in detail(said)["acts"]] == [reports[21], reports[33]]


def test_a_hundred_acts_are_listed_and_all_are_counted(dba: Connection) -> None:
    household = add_simulation(dba, population_type="household")
    reports = [add_report(dba, household, year=str(number)) for number in range(120)]
    wanted = json.dumps({"country": "us"})
    token = seen_of(dba, wanted)
    dba.execute("select reset_report(id) from unnest(%s::bigint[]) as id", (reports,))
    said = refused(dba, token, wanted)
    assert said.message is not None
    assert "120 acts there since" in said.message
    assert len(detail(said)["acts"]) == 100


def test_what_is_done_between_the_preview_and_the_batch_by_somebody_else_is_found(
    dba: Connection, connect: Connect, reports: list[int]
) -> None:
    other = connect(autocommit=False)
    rerun(other, reports[0])
    # The preview does not see what is not committed yet.
    token = seen_of(dba)
    other.commit()
    assert f"first report #{reports[0]}" in str(refused(dba, token).message)


# --- what is no token ------------------------------------------------------------------------


@pytest.mark.usefixtures("reports")
def test_the_token_of_another_filter_is_refused_by_name(dba: Connection) -> None:
    said = refusal(dba, CREATE, json.dumps({"status": "error", "country": "us"}), seen_of(dba))
    assert said.code == "RR016"
    assert said.message == "The value of seen is the token of a preview with another filter. Nothing was changed."


def test_the_token_of_one_report_and_any_other_text_are_refused(dba: Connection, reports: list[int]) -> None:
    of_a_report = one(dba, "select seen from rerun_preview(%s)", reports[0])["seen"]
    token = seen_of(dba)
    for text in (of_a_report, "", "text", token[:-1], token[1:], token + "A", token.swapcase()):
        said = refusal(dba, CREATE, ERRORS, text)
        assert said.code == "RR016"
        assert said.message == "The value of seen is not the token of a preview of a batch. Nothing was changed."
    said = refusal(dba, "call rerun_report(%s::bigint, seen => %s)", reports[0], token)
    assert said.message == "The value of seen is not the token of a preview of a report. Nothing was changed."
