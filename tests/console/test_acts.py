"""An operator reruns, cancels, releases and undoes: what is shown first, what is done, and what a second click does."""

from __future__ import annotations

import pytest

from tests.support.console import Operator, Page
from tests.support.databases import Connect, Connection
from tests.support.factories import add_economy_report, add_reform_impact, add_report, set_versions
from tests.support.snapshots import everything


@pytest.fixture
def report(dba: Connection) -> int:
    """An economy report that failed, with a cache row; another report shares its baseline."""
    set_versions(dba)
    report, first, _ = add_economy_report(dba, status="error", output=None, error_message="Worker 7 ran out of memory.")
    add_reform_impact(dba)
    add_report(dba, first, year="2026")
    return report


def acts(dba: Connection) -> list[dict[str, object]]:
    return dba.execute("select kind, actor, reason from rerun_history() order by rerun_id").fetchall()


def status(dba: Connection, report: int) -> tuple[str, int]:
    row = dba.execute("select status, run_sequence from report_outputs where id = %s", [report]).fetchone()
    assert row is not None
    return row["status"], row["run_sequence"]


def link(page: Page, end: str) -> str:
    [found] = {link for link in page.links if link.endswith(end)}
    return found


def test_an_operator_finds_a_failed_report_sees_why_reruns_it_and_takes_it_back(
    operator: Operator, report: int, dba: Connection
) -> None:
    before = dba.execute("select * from report_outputs where id = %s", [report]).fetchone()
    page = operator.open(link(operator.open("/console"), "country_id=us&status=error"))
    assert "Worker 7 ran out of memory." in page.text
    page = operator.open(link(page, f"/us/{report}"))
    assert "It failed with this message Worker 7 ran out of memory." in page.text

    page = operator.open(link(page, "/rerun"))
    assert "2 simulations are reset" in page.text
    assert "1 economy cache row is deleted" in page.text
    assert "1 other report shares what is reset or deleted" in page.text
    page = operator.send(page.form("/rerun"), reason="more memory now")
    assert page.heading == "Rerun #1"
    assert "went back to pending, as run 2, with 2 simulations; 1 economy cache row was deleted." in page.text
    assert status(dba, report) == ("pending", 2)
    assert acts(dba) == [{"kind": "rerun", "actor": "operator", "reason": "more memory now"}]

    page = operator.open(link(page, "/undo"))
    assert "Nothing stands in the way." in page.text
    page = operator.send(page.form("/undo"), reason="not yet")
    assert page.heading == "Undo #2"
    after = dba.execute("select * from report_outputs where id = %s", [report]).fetchone()
    assert before is not None
    assert after == {**before, "run_sequence": 3}
    assert "undone" in operator.open("/console/acts/1").text


def test_looking_changes_nothing(operator: Operator, report: int, dba: Connection) -> None:
    operator.send(operator.open(f"/console/reports/us/{report}/rerun").form("/rerun"), reason="so that there is an act")
    dba.execute("update report_outputs set status = 'running' where id = %s", [report])
    before = everything(dba)
    of = f"/console/reports/us/{report}"
    for path in (
        "/console",
        "/console/reports",
        f"/console/reports?report_id={report}",
        of,
        f"{of}/rerun",
        f"{of}/cancel",
        f"{of}/release",
        f"{of}/runs/1",
        f"{of}/compare?run_sequence=1&other_run_sequence=2",
        "/console/acts/1",
        "/console/acts/1/undo",
    ):
        assert operator.open(path).status in (200, 404)
        operator.client.head(path)
    assert everything(dba) == before


def test_a_double_click_reruns_once_and_both_end_on_the_same_page(
    operator: Operator, report: int, dba: Connection
) -> None:
    form = operator.open(f"/console/reports/us/{report}/rerun").form("/rerun")
    first, second = (operator.send(form, reason="twice") for _ in range(2))
    assert first.path == second.path == "/console/acts/1"
    assert len(acts(dba)) == 1


def test_a_double_click_undoes_once(operator: Operator, report: int, dba: Connection) -> None:
    operator.send(operator.open(f"/console/reports/us/{report}/rerun").form("/rerun"), reason="once")
    form = operator.open("/console/acts/1/undo").form("/undo")
    first, second = (operator.send(form, reason="twice") for _ in range(2))
    assert first.path == second.path == "/console/acts/2"
    assert [act["kind"] for act in acts(dba)] == ["rerun", "undo"]


def test_a_double_click_cancels_once_and_releases_once(operator: Operator, report: int, dba: Connection) -> None:
    of = f"/console/reports/us/{report}"
    for name, kind in (("release", "release_run"), ("cancel", "cancel_run")):
        dba.execute("update report_outputs set status = 'running' where id = %s", [report])
        form = operator.open(f"{of}/{name}").form(f"/{name}")
        first, second = (operator.send(form, reason="twice") for _ in range(2))
        assert first.status == second.status == 200
        assert first.path == second.path
        assert acts(dba)[-1] == {"kind": kind, "actor": "operator", "reason": "twice"}
    assert len(acts(dba)) == 2


def test_a_report_leads_to_its_undo_and_its_history_and_an_obstacle_to_the_act_in_the_way(
    operator: Operator, report: int, dba: Connection
) -> None:
    for reason in ("first", "second"):
        dba.execute("call rerun_report(%s, reason => %s)", [report, reason])
    page = operator.open(f"/console/reports/us/{report}")
    assert link(page, "/undo") == "/console/acts/2/undo"
    history = operator.open(link(page, f"/history?report_id={report}"))
    assert "first" in history.text
    assert "second" in history.text
    page = operator.open("/console/acts/1/undo")
    assert "Undo the later acts first, the newest first: Rerun #2 ." in page.text
    assert link(page, "/2/undo") == "/console/acts/2/undo"
    dba.execute("call undo_rerun(2)")
    assert not [link for link in operator.open(f"/console/reports/us/{report}").links if link.endswith("/undo")]


def test_the_picture_and_the_table_of_a_report_lead_to_the_reports_that_share(
    operator: Operator, report: int, dba: Connection
) -> None:
    other = dba.execute("select max(id) as id from report_outputs").fetchone()
    assert other is not None
    page = operator.open(f"/console/reports/us/{report}")
    assert page.links.count(f"/console/reports/us/{other['id']}") == 2


def test_a_rerun_is_refused_when_what_the_page_has_shown_moved_on(
    operator: Operator, report: int, dba: Connection
) -> None:
    form = operator.open(f"/console/reports/us/{report}/rerun").form("/rerun")
    impact = add_reform_impact(dba)
    before = everything(dba)
    page = operator.send(form, reason="late")
    assert page.status == 409
    assert f"cache row #{impact}" in page.text
    assert "Look at the preview again." in page.text
    [again] = [link for link in page.links if link.startswith(f"/console/reports/us/{report}/rerun")]
    assert operator.open(again).form("/rerun").fields["reason"] == "late"
    assert everything(dba) == before


def test_a_rerun_without_a_preview_is_refused(operator: Operator, report: int, dba: Connection) -> None:
    form = operator.open(f"/console/reports/us/{report}/rerun").form("/rerun")
    before = everything(dba)
    assert operator.send(form, seen="", reason="blind").status == 400
    assert operator.send(form, seen="made up", reason="blind").status == 400
    assert everything(dba) == before


def test_two_operators_at_once_rerun_once(operator: Operator, report: int, dba: Connection) -> None:
    first, second = (operator.open(f"/console/reports/us/{report}/rerun").form("/rerun") for _ in range(2))
    assert operator.send(first, reason="I was first").status == 200
    page = operator.send(second, reason="so was I")
    assert page.status == 409
    assert "is not as the preview saw it" in page.text
    assert len(acts(dba)) == 1


def test_a_cancellation_is_of_the_run_that_the_page_has_shown(operator: Operator, report: int, dba: Connection) -> None:
    dba.execute("update report_outputs set status = 'running' where id = %s", [report])
    form = operator.open(f"/console/reports/us/{report}/cancel").form("/cancel")
    dba.execute("call rerun_report(%s)", [report])
    before = everything(dba)
    page = operator.send(form, reason="the old run")
    assert page.status == 409
    assert everything(dba) == before


def test_a_cancellation_or_a_release_of_no_run_in_particular_is_refused(
    operator: Operator, report: int, dba: Connection
) -> None:
    dba.execute("update report_outputs set status = 'running' where id = %s", [report])
    before = everything(dba)
    for name in ("cancel", "release"):
        form = operator.open(f"/console/reports/us/{report}/{name}").form(f"/{name}")
        page = operator.send(form, reason="whatever runs", run_sequence="")
        assert page.status == 400
        assert "run_sequence" in page.text
    assert everything(dba) == before


def test_a_run_whose_worker_is_alive_is_not_released(operator: Operator, report: int, dba: Connection) -> None:
    dba.execute("call rerun_report(%s)", [report])
    dba.execute("select from claim_report('worker 8', lease => interval '10 minutes', report_id => %s)", [report])
    page = operator.open(f"/console/reports/us/{report}")
    assert "worker 8, attempt 1" in page.text
    page = operator.open(f"/console/reports/us/{report}/release")
    assert "worker 8 holds it" in page.text
    page = operator.send(page.form("/release"), reason="impatient")
    assert page.status == 409
    assert "worker 8" in page.text
    assert status(dba, report) == ("running", 2)


def test_what_stands_in_the_way_of_an_undo_is_named_and_can_be_overwritten(
    operator: Operator, report: int, dba: Connection
) -> None:
    dba.execute("call rerun_report(%s)", [report])
    dba.execute("update report_outputs set status = 'complete', output = '{\"late\": 1}' where id = %s", [report])
    page = operator.open("/console/acts/1/undo")
    assert "Something stands in the way" in page.text
    page = operator.send(page.form("/undo"), reason="the first was right", force="yes")
    assert page.heading == "Undo #2"
    assert status(dba, report) == ("error", 3)


def test_an_undo_that_overwrites_is_refused_when_a_later_result_came_after_the_page(
    operator: Operator, report: int, dba: Connection
) -> None:
    dba.execute("call rerun_report(%s)", [report])
    dba.execute("update report_outputs set status = 'complete', output = '1' where id = %s", [report])
    form = operator.open("/console/acts/1/undo").form("/undo")
    dba.execute("call rerun_report(%s)", [report])
    before = everything(dba)
    page = operator.send(form, reason="the first was right", force="yes")
    assert page.status == 409
    assert everything(dba) == before


def test_a_report_that_cannot_be_rerun_says_why_and_offers_nothing(operator: Operator, dba: Connection) -> None:
    set_versions(dba)
    report = add_report(dba, 4711)
    page = operator.open(f"/console/reports/us/{report}/rerun")
    assert "simulation #4711" in page.text.lower()
    assert page.forms == []


def test_a_form_that_was_made_by_hand_is_refused_with_a_sentence(
    operator: Operator, report: int, dba: Connection
) -> None:
    form = operator.open(f"/console/reports/us/{report}/rerun").form("/rerun")
    before = everything(dba)
    assert operator.send(form, key="").status == 400
    assert operator.send(form, key="x" * 300, reason="long key").status == 400
    page = operator.send(form, force="perhaps")
    assert page.status == 400
    assert "force" in page.text
    assert operator.send(form, reason="x" * 1001).status == 400
    assert everything(dba) == before


def test_text_of_the_database_is_text_on_the_page(operator: Operator, report: int, dba: Connection) -> None:
    evil = '<script>alert("x")</script>'
    dba.execute("update report_outputs set error_message = %s where id = %s", [evil, report])
    page = operator.open(f"/console/reports/us/{report}")
    assert evil not in page.response.text
    assert "&lt;script&gt;" in page.response.text


@pytest.mark.needs("time")
def test_what_is_locked_is_to_be_tried_again_and_the_page_speaks_to_a_person(
    operator: Operator, report: int, connect: Connect
) -> None:
    form = operator.open(f"/console/reports/us/{report}/rerun").form("/rerun")
    holder = connect(autocommit=False)
    holder.execute("select from report_outputs where id = %s for update", (report,))
    page = operator.send(form, reason="busy")
    holder.rollback()
    assert page.status == 503
    assert page.response.headers["Retry-After"] == "5"
    assert "header" not in page.text
