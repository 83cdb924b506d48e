"""Someone lists reports by status, age, type, version and country, a page at a time."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.support.databases import Connection
from tests.support.factories import VERSIONS, add_report, add_simulation, set_versions
from tests.support.refusals import refusal
from tests.support.snapshots import everything
from tests.support.statements import one, rerun

NOON = datetime(2026, 8, 14, 12, tzinfo=UTC)


def found(connection: Connection, **conditions: Any) -> list[int]:
    given = ", ".join(f"{name} => %({name})s" for name in conditions)
    rows = connection.execute(f"select id from find_reports({given})".encode(), conditions).fetchall()  # noqa: S608
    return [row["id"] for row in rows]


@pytest.fixture
def ids(sandbox: Connection) -> dict[str, int]:
    """Reports that differ in one thing from the first."""
    set_versions(sandbox)
    household = add_simulation(sandbox, population_type="household")
    economy = add_simulation(sandbox)
    abroad = add_simulation(sandbox, population_type="household", country_id="uk")
    return {
        "plain": add_report(sandbox, household),
        "economy": add_report(sandbox, economy, household),
        "abroad": add_report(sandbox, abroad, country_id="uk"),
        "old": add_report(sandbox, household, api_version="r-old"),
        "next year": add_report(sandbox, household, year="2026"),
        "failed": add_report(sandbox, household, status="error", output=None, error_message="worker lost"),
        "pending": add_report(sandbox, household, status="pending", output=None),
        "defect": add_report(sandbox, 999),
    }


def test_without_conditions_every_report_is_listed_by_id(sandbox: Connection, ids: dict[str, int]) -> None:
    before = everything(sandbox)
    assert found(sandbox) == list(ids.values())
    listed = one(sandbox, "select * from find_reports(status => 'error')")
    times = ("pending_since", "started_at", "finished_at", "attempt", "since", "wait_seconds", "run_seconds")
    assert listed == {
        "id": ids["failed"],
        "country_id": "us",
        "report_type": "household",
        "year": "2025",
        "api_version": VERSIONS["us"]["report_output"],
        "status": "error",
        "error_message": "worker lost",
        "run_sequence": 1,
        "simulation_1_id": one(sandbox, "select min(id) as id from public.simulations")["id"],
        "simulation_2_id": None,
        **dict.fromkeys(times),
    }
    assert everything(sandbox) == before


@pytest.mark.parametrize(
    ("conditions", "names"),
    [
        ({"country_id": "uk"}, ["abroad"]),
        ({"country_id": "ca"}, []),
        ({"status": "error"}, ["failed"]),
        ({"status": "pending"}, ["pending"]),
        ({"status": "running"}, []),
        ({"report_type": "geography"}, ["economy"]),
        ({"report_type": "household", "country_id": "uk"}, ["abroad"]),
        ({"api_version": "r-old"}, ["old"]),
        ({"api_version": ""}, []),
        ({"year": "2026"}, ["next year"]),
        ({"status": "complete", "year": "2025", "report_type": "household", "country_id": "us",
          "api_version": VERSIONS["us"]["report_output"]}, ["plain"]),
    ],
    ids=str,
)  # fmt: skip
def test_a_report_must_meet_every_condition(
    sandbox: Connection, ids: dict[str, int], conditions: dict[str, str], names: list[str]
) -> None:
    assert found(sandbox, **conditions) == [ids[name] for name in names]


def test_the_type_is_that_of_the_first_simulation_in_the_country_of_the_report(
    sandbox: Connection, ids: dict[str, int]
) -> None:
    other = add_report(sandbox, one(sandbox, "select id from simulations where country_id = 'uk'")["id"])
    odd = add_report(sandbox, add_simulation(sandbox, population_type="planet"))
    rows = sandbox.execute("select id, report_type from find_reports()").fetchall()
    assert {row["id"]: row["report_type"] for row in rows} == {
        **dict.fromkeys(ids.values(), "household"),
        ids["economy"]: "geography",
        **dict.fromkeys((ids["defect"], other, odd)),
    }


def test_pages_go_on_after_the_last_id(sandbox: Connection, ids: dict[str, int]) -> None:
    everyone = list(ids.values())
    for size in (1, 3, 8):
        read: list[int] = []
        while page := found(sandbox, max_rows=size, after_report_id=read[-1] if read else None):
            assert len(page) <= size
            read += page
        assert read == everyone
    assert found(sandbox, status="complete", max_rows=2, after_report_id=everyone[0]) == everyone[1:3]


HOUR = timedelta(hours=1)


@pytest.fixture
def since(sandbox: Connection, ids: dict[str, int]) -> dict[str, int]:
    """Reports by the status that they have since an hour before noon; "later" is pending since an hour after it.

    Nobody knows about the others.
    """
    household = add_simulation(sandbox, population_type="household")
    for status in ("pending", "running", "complete", "error"):
        ids[f"is {status}"] = add_report(sandbox, household)
    ids["later"] = add_report(sandbox, household)
    for name, report in list(ids.items())[-5:]:
        rerun(sandbox, report)
        status = name.removeprefix("is ")
        if status not in ("pending", "later"):
            output = "{}" if status == "complete" else None
            sandbox.execute("select update_report(%s, status => 'running')", (report,))
            sandbox.execute("select update_report(%s, status => %s, output => %s)", (report, status, output))
        # A run began to wait when the one before it ended. What came before its status is longer ago.
        pending = {"pending": NOON - HOUR, "later": NOON + HOUR}.get(status, NOON - 9 * HOUR)
        sandbox.execute("update pgreprise.report_run set ended_at = %s where report_id = %s", (pending, report))
        sandbox.execute(
            "update pgreprise.run_time set started_at = %s, finished_at = case when finished_at is not null then %s end"
            " where row_kind = 'report' and row_id = %s",
            (NOON - HOUR if status == "running" else NOON - 5 * HOUR, NOON - HOUR, report),
        )
    return ids


def test_a_report_is_found_by_its_id_alone(sandbox: Connection, ids: dict[str, int]) -> None:
    for report in ids.values():
        assert found(sandbox, report_id=report) == [report]
    assert found(sandbox, report_id=ids["abroad"], country_id="us") == []
    assert found(sandbox, report_id=ids["failed"], status="error", report_type="household") == [ids["failed"]]
    assert found(sandbox, report_id=999_999) == []


KNOWN = ["is pending", "is running", "is complete", "is error"]


@pytest.mark.parametrize(
    ("as_of", "older_than", "names"),
    [
        (NOON, "1 hour", []),
        (NOON + timedelta(seconds=1), "1 hour", KNOWN),
        (NOON + timedelta(hours=1, seconds=1), "0", [*KNOWN, "later"]),
        (NOON + timedelta(days=1), "1 hour", [*KNOWN, "later"]),
        (NOON + timedelta(days=1), "1 day", KNOWN),
    ],
)
def test_an_age_finds_what_is_known_to_be_older(
    sandbox: Connection, since: dict[str, int], as_of: datetime, older_than: str, names: list[str]
) -> None:
    age = {"older_than": older_than, "as_of": as_of}
    assert found(sandbox, **age) == [since[name] for name in names]
    assert found(sandbox, **age, status="running") == [since[name] for name in names if name == "is running"]
    assert found(sandbox, **age, max_rows=2) == [since[name] for name in names[:2]]


def test_the_times_are_those_of_the_current_run(sandbox: Connection, since: dict[str, int]) -> None:
    wanted = "pending_since, started_at, finished_at, attempt, wait_seconds, run_seconds"
    rows = sandbox.execute(f"select id, since, {wanted} from find_reports(max_rows => 1000)").fetchall()  # noqa: S608
    for row in rows:
        report, began = row.pop("id"), row.pop("since")
        assert row == one(
            sandbox,
            f"select {wanted} from report_outputs as report, "  # noqa: S608
            "pgreprise.run_times('report', report.id, report.run_sequence) where report.id = %s",
            report,
        )
        assert began == next((NOON - HOUR for name in KNOWN if since[name] == report), None) or report == since["later"]
    finished = one(sandbox, "select * from find_reports(status => 'complete', older_than => '0')")
    assert (finished["wait_seconds"], finished["run_seconds"]) == (4 * 3600, 4 * 3600)


@pytest.mark.parametrize(
    ("conditions", "message"),
    [
        ({"max_rows": 0}, "max_rows must be between 1 and 1000."),
        ({"max_rows": 1001}, "max_rows must be between 1 and 1000."),
        ({"max_rows": None}, "max_rows must be between 1 and 1000."),
        ({"older_than": "-1 second"}, "older_than must be an interval from 0 to 1000 years."),
        ({"status": "lost"}, 'Status "lost" is not one of pending, running, complete and error.'),
        ({"report_type": "economy"}, 'Type "economy" is not one of household and geography.'),
    ],
)
def test_what_no_report_can_have_is_rr016(sandbox: Connection, conditions: dict[str, Any], message: str) -> None:
    [(name, value)] = conditions.items()
    said = refusal(sandbox, f"select * from find_reports({name} => %s)", value)  # noqa: S608
    assert said[:2] == ("RR016", message)


def test_a_country_that_does_not_exist_is_rr008(sandbox: Connection) -> None:
    assert refusal(sandbox, "select * from find_reports('zz')").code == "RR008"


def test_a_page_reads_no_more_reports_than_it_lists(dba: Connection) -> None:
    dba.execute(
        "insert into public.report_outputs (country_id, simulation_1_id, api_version, status, year)"
        " select 'us', 1, 'r1', 'complete', '2025' from generate_series(1, 20000)"
    )
    dba.execute("analyze public.report_outputs")
    read = "select sum(seq_scan) as scans, sum(idx_tup_fetch) as rows from pg_stat_xact_user_tables"
    for after in (0, 19_000):
        with dba.transaction():
            before = one(dba, f"{read} where relname = 'report_outputs'")
            assert len(found(dba, status="complete", after_report_id=after, max_rows=10)) == 10
            after_it = one(dba, f"{read} where relname = 'report_outputs'")
        assert after_it["scans"] == before["scans"]
        assert after_it["rows"] - before["rows"] <= 40


@pytest.mark.parametrize(
    ("conditions", "listed"),
    [
        ({"report_id": 15_000}, 1),
        # The failed reports are the last ones, and few are of uk.
        ({"status": "error"}, 100),
        ({"status": "error", "country_id": "uk"}, 10),
        ({"status": "error", "country_id": "ca"}, 0),
        ({"status": "error", "after_report_id": 19_950}, 50),
        ({"status": "error", "report_type": "household"}, 0),
        ({"status": "pending", "country_id": "us"}, 0),
    ],
)
def test_few_reports_among_many_are_read_by_an_index(dba: Connection, conditions: dict[str, Any], listed: int) -> None:
    dba.execute(
        "insert into public.report_outputs (country_id, simulation_1_id, api_version, status, year)"
        " select case when number % 100 = 0 then 'uk' else 'us' end, 1, 'r1',"
        " case when number > 19000 then 'error' else 'complete' end, '2025' from generate_series(1, 20000) as number"
    )
    dba.execute("analyze public.report_outputs")
    read = "select seq_scan as scans, idx_tup_fetch as rows from pg_stat_xact_user_tables where relname = %s"
    with dba.transaction():
        before = one(dba, read, "report_outputs")
        assert len(found(dba, **conditions)) == listed
        after = one(dba, read, "report_outputs")
    assert after["scans"] == before["scans"]
    assert after["rows"] - before["rows"] <= 1_000 + 2 * listed
