"""An operator looks for reports and at one: the list and its pages, runs, outputs to the byte, what differs."""

from __future__ import annotations

import json

import pytest

from tests.support.console import Operator
from tests.support.databases import Connection
from tests.support.factories import ODD_JSON, add_economy_report, add_report, add_simulation, set_versions


def listed(operator: Operator, query: str) -> list[int]:
    """The ids of the reports that the list shows."""
    page = operator.open(f"/console/reports?{query}")
    assert page.status == 200
    return [
        int(link.rsplit("/", 1)[1])
        for link in page.links
        if link.startswith("/console/reports/us/") or link.startswith("/console/reports/uk/")
    ]


@pytest.fixture
def reports(dba: Connection) -> list[int]:
    """120 reports of us, every tenth at error, one pending; the first is of uk."""
    set_versions(dba)
    set_versions(dba, "uk")
    simulation = add_simulation(dba)
    british = add_report(dba, add_simulation(dba, country_id="uk"), country_id="uk")
    dba.execute(
        "insert into report_outputs (country_id, simulation_1_id, api_version, status, error_message, year) "
        "select 'us', %s, 'r1', case when n %% 10 = 0 then 'error' when n = 5 then 'pending' else 'complete' end, "
        "case when n %% 10 = 0 then 'it failed' end, (2000 + n)::text from generate_series(1, 119) as n",
        [simulation],
    )
    return [british, *range(british + 1, british + 120)]


def test_the_list_has_pages_that_do_not_overlap(operator: Operator, reports: list[int]) -> None:
    found: list[int] = []
    path = "/console/reports"
    while True:
        page = operator.open(path)
        found += [int(link.rsplit("/", 1)[1]) for link in page.links if link.split("/")[3:4] in (["us"], ["uk"])]
        following = [link for link in page.links if "after_report_id" in link]
        if not following:
            break
        path = following[0]
    assert found == reports


def test_conditions_narrow_the_list(operator: Operator, reports: list[int]) -> None:
    first = reports[0]
    assert listed(operator, "country_id=uk") == [first]
    assert listed(operator, "status=error&country_id=us") == [first + n for n in range(10, 120, 10)]
    assert listed(operator, "status=pending") == [first + 5]
    assert listed(operator, "year=2007") == [first + 7]
    assert listed(operator, "api_version=r2&status=") == []
    assert listed(operator, "report_type=geography&status=error&country_id=us&year=2020") == [first + 20]


def test_the_next_page_keeps_the_conditions(operator: Operator, reports: list[int]) -> None:  # noqa: ARG001
    page = operator.open("/console/reports?status=complete&country_id=us&year=")
    [following] = {link for link in page.links if "after_report_id" in link}
    assert "status=complete" in following
    assert "country_id=us" in following
    assert "year" not in following


def test_an_id_leads_to_its_report_whatever_its_country(operator: Operator, reports: list[int]) -> None:
    page = operator.open(f"/console/reports?report_id={reports[0]}")
    assert page.heading.startswith(f"Report #{reports[0]}")
    assert page.path == f"/console/reports/uk/{reports[0]}"
    assert "No report meets these conditions." in operator.open("/console/reports?report_id=4711").text


@pytest.mark.parametrize("query", ["report_id=four", "status=done", "report_id=-1", "older_than_minutes=1e3"])
def test_a_condition_that_cannot_be_used_is_a_page_that_says_which(operator: Operator, query: str) -> None:
    page = operator.open(f"/console/reports?{query}")
    assert page.status == 400
    assert query.partition("=")[0] in page.text


def test_an_unknown_country_is_named(operator: Operator) -> None:
    page = operator.open("/console/reports?country_id=atlantis")
    assert page.status == 400
    assert "atlantis" in page.text


def test_a_report_of_another_country_is_not_found(operator: Operator, reports: list[int]) -> None:
    assert operator.open(f"/console/reports/us/{reports[0]}").status == 404


def test_the_output_of_each_run_is_downloaded_to_the_byte(operator: Operator, dba: Connection) -> None:
    set_versions(dba)
    report, _, _ = add_economy_report(dba, output=ODD_JSON)
    dba.execute("call rerun_report(%s)", [report])
    dba.execute("""update report_outputs set status = 'complete', output = '{"b": 3}' where id = %s""", [report])
    of = f"/console/reports/us/{report}"
    response = operator.client.get(f"{of}/runs/1/output.json")
    assert response.data == ODD_JSON.encode()
    assert response.headers["Content-Disposition"] == f'attachment; filename="report-{report}-run-1.json"'
    assert response.mimetype == "application/json"
    page = operator.open(f"{of}/runs/1")
    # Every key and number as it is written, also a key that stands twice.
    assert '"b": 1, "a": [ 1.0, 1e2, 1E+2, -0 ], "b": 2, "\\u0061": "\\/é", "b": null' in page.text

    page = operator.open(f"{of}/compare?run_sequence=1&other_run_sequence=2")
    assert "/b changed null 3" in page.text
    assert "/a removed" in page.text
    assert operator.open(f"{of}/runs/7").status == 404
    assert operator.client.get(f"{of}/runs/7/output.json").status_code == 404


def test_the_latest_good_result_is_an_earlier_run_while_a_newer_one_waits(operator: Operator, dba: Connection) -> None:
    set_versions(dba)
    report, _, _ = add_economy_report(dba)
    dba.execute("call rerun_report(%s)", [report])
    page = operator.open(f"/console/reports/us/{report}")
    assert "The latest good result is from run 1" in page.text
    failed, _, _ = add_economy_report(dba, status="error", output=None, year="2027")
    assert "No run has a good result." in operator.open(f"/console/reports/us/{failed}").text


def test_an_output_of_five_megabytes_is_shown_from_its_beginning_and_downloaded_whole(
    operator: Operator, dba: Connection
) -> None:
    set_versions(dba)
    output = json.dumps({f"household {n}": {"net income": n * 1.25, "label": "x" * 40} for n in range(56_000)})
    assert len(output) > 5_000_000
    report, _, _ = add_economy_report(dba, output=output)
    of = f"/console/reports/us/{report}"
    assert len(operator.open(of).response.data) < 50_000
    page = operator.open(f"{of}/runs/1")
    assert "This is the beginning of a long output." in page.text
    assert len(page.response.data) < 400_000
    assert operator.client.get(f"{of}/runs/1/output.json").data == output.encode()


def test_a_report_that_very_many_share_is_still_a_page(operator: Operator, dba: Connection) -> None:
    set_versions(dba)
    report, baseline, _ = add_economy_report(dba)
    dba.execute(
        "insert into report_outputs (country_id, simulation_1_id, api_version, status, year) "
        "select 'us', %s, 'r1', 'complete', n::text from generate_series(1, 3000) as n",
        [baseline],
    )
    page = operator.open(f"/console/reports/us/{report}")
    assert "2,994 more reports" in page.text
    page = operator.open(f"/console/reports/us/{report}/rerun")
    assert "3,000 other reports share" in page.text
    assert len(page.response.data) < 50_000
