"""An operator looks at the history, the defects and the doctor, and at the overview of them all."""

from __future__ import annotations

import time
from threading import Event
from typing import Any

import pytest

from pyapi.console.remembered import REMEMBERED, Remembered
from tests.support.console import Operator
from tests.support.databases import Connection
from tests.support.factories import add_economy_report, add_reform_impact, add_report, add_simulation, set_versions
from tests.support.snapshots import everything
from tests.support.tokens import claims, signed


def acts(operator: Operator, query: str = "") -> list[int]:
    """The acts that the history lists."""
    page = operator.open(f"/console/history?{query}")
    assert page.status == 200, page.text
    found = [link for link in page.links if link.startswith("/console/acts/") and not link.endswith("/undo")]
    return list(dict.fromkeys(int(link.rsplit("/", 1)[1]) for link in found))


# --- the history -----------------------------------------------------------------------------


@pytest.fixture
def busy(dba: Connection) -> int:
    """60 reruns of a report, the last one undone; returns its id."""
    set_versions(dba)
    report, _, _ = add_economy_report(dba)
    for number in range(60):
        dba.execute("call rerun_report(%s, reason => %s)", [report, f"reason {number}"])
    dba.execute("call undo_rerun(60)")
    return report


def test_the_history_has_pages_from_the_newest_act_on(operator: Operator, busy: int) -> None:
    page = operator.open("/console/history")
    first = acts(operator)
    assert first[0] == 61
    [earlier] = {link for link in page.links if "before=" in link}
    second = acts(operator, earlier.partition("?")[2])
    assert sorted({*first, *second}) == list(range(1, 62))
    assert acts(operator, f"report_id={busy}&before=3") == [2, 1]


def test_the_history_is_narrowed_by_what_who_and_when(operator: Operator, busy: int, dba: Connection) -> None:
    assert acts(operator, "kind=undo") == [61, 60]
    assert acts(operator, "actor=nobody") == []
    assert acts(operator, f"report_id={busy + 1}") == []
    dba.execute("update pgreprise.rerun set created_at = '2026-03-01 12:00:00Z' where rerun_id = 5")
    assert acts(operator, "since=2026-03-01T11:00&until=2026-03-01T12:30:00&kind=&actor=") == [5]
    assert "Since, UTC" in operator.open("/console/history").text


@pytest.mark.parametrize("query", ["kind=everything", "since=yesterday", "report_id=x", "since=1234567890"])
def test_a_condition_of_the_history_that_cannot_be_used_is_told(operator: Operator, query: str) -> None:
    page = operator.open(f"/console/history?{query}")
    assert page.status == 400
    assert query.partition("=")[0] in page.text


def test_an_act_has_its_undo_unless_it_is_undone_or_cleared_nothing(operator: Operator, busy: int) -> None:  # noqa: ARG001
    links = operator.open("/console/history").links
    assert "/console/acts/59/undo" in links
    assert "/console/acts/60/undo" not in links
    assert "/console/acts/61/undo" not in links


# --- defects ---------------------------------------------------------------------------------


@pytest.fixture
def defective(dba: Connection) -> list[int]:
    """Two reports without their simulation, and one of mixed population types."""
    set_versions(dba)
    lost = [add_report(dba, 4711), add_report(dba, 4712)]
    household = add_simulation(dba, population_type="household", population_id="1")
    return [*lost, add_report(dba, add_simulation(dba), household)]


def test_defects_are_counted_by_kind_and_listed_with_what_to_do(operator: Operator, defective: list[int]) -> None:
    page = operator.open("/console/defects")
    assert "A linked simulation is missing, or is of another country (RR002) 2" in page.text
    assert "(RR003) 1" in page.text
    page = operator.open("/console/defects?errcode=RR002")
    assert [link for link in page.links if link.startswith("/console/reports/us/")] == [
        f"/console/reports/us/{report}" for report in defective[:2]
    ]
    assert "2 reports cannot be rerun" in operator.open("/console").text
    assert operator.open("/console/defects?errcode=RR999").status == 400


def test_the_defects_have_pages(operator: Operator, dba: Connection) -> None:
    set_versions(dba)
    dba.execute(
        "insert into report_outputs (country_id, simulation_1_id, api_version, status, year) "
        "select 'us', 4711, 'r1', 'complete', n::text from generate_series(1, 70) as n"
    )
    page = operator.open("/console/defects?errcode=RR002")
    [following] = {link for link in page.links if "after_report_id" in link}
    assert "#70" in operator.open(following).text
    assert "Next page" not in operator.open(following).text


def test_lost_runs_and_cache_rows_that_hide_a_failure_are_listed(operator: Operator, dba: Connection) -> None:
    set_versions(dba)
    report, _, _ = add_economy_report(dba, status="complete")
    add_reform_impact(dba, reform_impact_json="{}", status="ok")
    lost, _, _ = add_economy_report(dba, status="running", output=None, year="2027")
    add_reform_impact(dba, api_version="e0", time_period="2025")
    page = operator.open("/console/defects")
    assert f"us #{lost}" in page.text
    assert f"us #{report}" in page.text
    assert "e0" in page.text


# --- the doctor ------------------------------------------------------------------------------


def test_the_doctor_tells_what_is_wrong_and_the_remedy(operator: Operator, defective: list[int]) -> None:  # noqa: ARG001
    page = operator.open("/console/doctor")
    while "in a moment" in page.text:
        page = operator.open("/console/doctor")
    assert "cannot be rerun" in page.text
    assert "What to do about reports:" in page.text
    # The API's role is not the one that migrates, and should own no table.
    assert "owner to" not in page.text
    assert "need another role" in page.text
    # The API's role has no business to own the application's tables.
    assert "owner to" not in page.text


def test_the_doctor_is_for_administrators(stranger: Operator) -> None:
    stranger.sign_in(signed(claims(scope="reports:read reports:rerun")))
    assert "/console/doctor" not in stranger.open("/console").links
    page = stranger.open("/console/doctor")
    assert page.status == 403
    assert "reports:admin" in page.text


def test_looking_at_everything_changes_nothing(operator: Operator, busy: int, dba: Connection) -> None:  # noqa: ARG001
    before = everything(dba)
    for path in ("/console", "/console/history", "/console/defects?anew=1", "/console/doctor?anew=1"):
        assert operator.open(path).status == 200
    while "in a moment" in operator.open("/console/doctor").text:
        pass
    assert everything(dba) == before


def test_what_one_caller_made_the_process_remember_is_not_shown_to_who_may_not_read(
    stranger: Operator, defective: list[int]
) -> None:
    assert defective
    stranger.sign_in(signed(claims(scope="reports:read reports:admin")))
    assert "(RR002) 2" in stranger.open("/console/defects").text
    assert stranger.open("/console/doctor").status == 200
    stranger.sign_in(signed(claims(scope="reports:rerun")))
    for path in ("/console", "/console/defects", "/console/doctor"):
        page = stranger.open(path)
        assert page.status == 403
        assert "RR002" not in page.text


# --- what is remembered ----------------------------------------------------------------------


def test_an_answer_is_asked_once_until_it_is_wanted_anew() -> None:
    asked: list[int] = []

    def ask() -> int:
        asked.append(1)
        return len(asked)

    kept = Remembered(wait_seconds=10)
    answers: list[Any] = [kept.get("question", ask) for _ in range(3)]
    assert [answer.value for answer in answers] == [1, 1, 1]
    anew = kept.get("question", ask, anew=True)
    assert anew is not None
    assert anew.value == 2


def test_a_slow_answer_keeps_nobody_waiting_and_is_asked_once() -> None:
    may_end, asked = Event(), []

    def ask() -> str:
        asked.append(1)
        may_end.wait(10)
        return "at last"

    kept = Remembered(wait_seconds=0.01)
    assert [kept.get("question", ask) for _ in range(3)] == [None, None, None]
    may_end.set()
    while (answer := kept.get("question", ask)) is None:
        pass
    assert answer.value == "at last"
    assert len(asked) == 1


def test_an_error_is_told_and_asked_again_and_an_old_answer_outlives_it() -> None:
    replies: list[Any] = [RuntimeError("away"), "here", RuntimeError("away again")]

    def ask() -> Any:
        reply = replies.pop(0)
        if isinstance(reply, Exception):
            raise reply
        return reply

    kept = Remembered(wait_seconds=10)
    with pytest.raises(RuntimeError, match="away"):
        kept.get("question", ask)
    answer = kept.get("question", ask)
    assert answer is not None
    assert answer.value == "here"
    answer = kept.get("question", ask, anew=True)
    assert answer is not None
    assert answer.value == "here"


def test_an_answer_that_is_due_and_comes_quickly_is_waited_for() -> None:
    replies = iter(["old", "new"])
    kept = Remembered(wait_seconds=10)
    values = []
    for _ in range(2):
        answer = kept.get("question", lambda: next(replies))
        assert answer is not None
        values.append(answer.value)
        # As if much time had passed.
        kept._due.clear()
    assert values == ["old", "new"]


def test_what_fails_slowly_is_not_asked_again_by_every_page() -> None:
    asked: list[int] = []

    def ask() -> None:
        asked.append(1)
        Event().wait(0.5)
        raise RuntimeError("too slow")

    kept = Remembered(wait_seconds=10)
    for _ in range(3):
        with pytest.raises(RuntimeError, match="too slow"):
            kept.get("question", ask)
    assert len(asked) == 1


def test_a_page_that_waits_for_several_answers_waits_once(operator: Operator) -> None:
    may_end = Event()
    kept = operator.client.application.extensions[REMEMBERED]
    kept.wait_seconds = 0.01
    for question in ("defect_counts", "failed_cache_rows", "mismatched_cache_versions", "lost_runs"):
        assert kept.get(question, lambda: may_end.wait(60)) is None
    page = operator.open("/console/defects")
    assert page.text.count("in a moment") == 4
    may_end.set()


def test_defects_are_not_counted_again_by_the_next_page_but_when_asked(
    operator: Operator, dba: Connection, defective: list[int]
) -> None:
    assert defective
    kept = operator.client.application.extensions[REMEMBERED]
    assert "(RR002) 2" in operator.open("/console/defects").text
    # However long this test takes.
    kept._due = dict.fromkeys(kept._due, float("inf"))
    add_report(dba, 4713)
    assert "(RR002) 2" in operator.open("/console/defects").text
    assert "(RR002) 3" in operator.open("/console/defects?anew=1").text


def test_a_database_that_is_away_is_a_page(operator: Operator, dba: Connection) -> None:
    dba.execute("alter function public.caller_scopes() rename to hidden")
    page = operator.open("/console/defects")
    assert page.status == 503
    assert page.heading == "Try again in a moment"


def test_the_doctor_advises_no_right_for_the_role_of_the_api(operator: Operator) -> None:
    page = operator.open("/console/doctor")
    while "in a moment" in page.text:
        page = operator.open("/console/doctor")
    assert "need another role" in page.text
    assert "would be refused" not in page.text
    assert "owner to" not in page.text


def test_few_questions_are_asked_at_once_so_that_requests_find_a_connection() -> None:
    may_end, asked = Event(), []

    def ask() -> str:
        asked.append(1)
        may_end.wait(10)
        return "at last"

    kept = Remembered(wait_seconds=0.01)
    names = [str(number) for number in range(6)]
    assert [kept.get(name, ask) for name in names] == [None] * 6
    assert len(asked) == 2
    may_end.set()
    while not all(kept.get(name, ask) for name in names):
        pass
    assert len(asked) == 6


def test_a_question_that_fails_after_a_long_time_takes_no_page_along_and_rests() -> None:
    may_end, asked = Event(), []

    def ask() -> str:
        asked.append(1)
        may_end.wait(10)
        raise RuntimeError("it took too long")

    kept = Remembered(wait_seconds=0.05)
    assert kept.get("question", ask) is None
    time.sleep(0.1)
    may_end.set()
    for _ in range(3):
        assert kept.get("question", ask) is None
        time.sleep(0.1)
    assert len(asked) == 1


def test_an_error_of_before_is_not_told_while_the_question_is_asked_again() -> None:
    may_end, asked = Event(), []

    def ask() -> str:
        asked.append(1)
        if len(asked) == 1:
            raise RuntimeError("the database was away")
        may_end.wait(10)
        return "here"

    kept = Remembered(wait_seconds=0.2)
    with pytest.raises(RuntimeError, match="away"):
        kept.get("question", ask)
    assert kept.get("question", ask) is None
    may_end.set()
    while (answer := kept.get("question", ask)) is None:
        pass
    assert answer.value == "here"
