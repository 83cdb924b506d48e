"""The doctor and the audits on the report application's database."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from sqlalchemy import URL

from pyapi.database import connect_engine
from pyapi.doctor import Finding, examine, reports
from pyapi.schema import migrate
from tests.support.databases import Connection, connect, engine, rows
from tests.support.report_host import CASES, load_host
from tests.support.statements import one

pytestmark = pytest.mark.needs("time")


def findings(url: URL) -> list[Finding]:
    """What the doctor finds in the tables of the reports; it has other checks too."""
    pooled = connect_engine(url)
    try:
        with connect(url) as connection:
            return [
                *reports.mismatched_caches(pooled),
                *reports.failed_caches(pooled),
                *reports.lost_runs(pooled),
                *reports.run_tables(pooled, connection),
            ]
    finally:
        pooled.dispose()


def of(url: URL, check: str) -> list[str]:
    return [finding.message for finding in findings(url) if finding.check == check]


def set_current(connection: Connection, place: int) -> None:
    for country, versions in CASES[place].versions.items():
        connection.execute("select set_cache_versions(%s, %s, %s, %s)", (country, *versions.values()))


@pytest.fixture
def host(adopted: Callable[[str], URL]) -> URL:
    """Our small host, with the versions of its newest cache rows in SQL."""
    url = adopted("ours")
    with connect(url) as connection:
        set_current(connection, 2)
    return url


@pytest.mark.parametrize("name", ["ours", "real"])
def test_the_doctor_does_not_advise_an_older_version(adopted: Callable[[str], URL], name: str) -> None:
    url = adopted(name)
    with connect(url) as connection:
        if name == "ours":
            set_current(connection, 2)
        else:
            connection.execute("select set_cache_versions('us', 'e2604ee281', 'r1b01baee2', '1.764.6')")
            connection.execute("select set_cache_versions('uk', 'e25843f7a8', 'r194bae189', '2.89.2')")
    pooled = connect_engine(url)
    found = examine(pooled)
    pooled.dispose()
    assert {finding.check for finding in findings(url)} <= {finding.check for finding in found}
    assert not any("cache-version set" in finding.remedy for finding in found if finding.check == "cache rows")
    assert not [finding for finding in found if finding.severity == "problem"]


def test_rows_that_the_cache_left_behind_when_it_moved_elsewhere_are_no_forgotten_version(host: URL) -> None:
    with connect(host) as connection:
        connection.execute("select set_cache_versions('us', economy_impact => 'e2ffffffff')")
    assert not any("cache-version set" in finding.remedy for finding in findings(host) if finding.check == "cache rows")


def test_cache_rows_that_failed_are_found(host: URL) -> None:
    assert rows(host, "select report_id, reform_impact_id, status, message from failed_cache_rows()") == [
        {"report_id": 104, "reform_impact_id": 27, "status": "error", "message": "worker lost"}
    ]
    [message] = [message for message in of(host, "cache rows") if "answers" in message]
    assert message.startswith("1 cache row of reports failed or is empty")


def test_a_report_of_a_lost_worker_is_listed_with_the_time_when_its_run_was_started(host: URL) -> None:
    assert rows(host, "select report_id, status, since, run_sequence from lost_runs()") == [
        {
            "report_id": 106,
            "status": "running",
            "since": datetime(2026, 8, 14, 15, 17, 37, tzinfo=UTC),
            "run_sequence": 1,
        }
    ]
    with connect(host) as connection:
        connection.execute("call rerun_report(104)")
        later = "select report_id from lost_runs(interval '1 hour', now() + interval '2 hours')"
        assert [row["report_id"] for row in connection.execute(later).fetchall()] == [106, 104]
        early = "select report_id from lost_runs(interval '1 hour', '2026-08-14 16:00:00+00')"
        assert connection.execute(early).fetchall() == []
    assert of(host, "lost runs") == [
        "1 report has been pending or running for more than 1 day, first report #106 (since 2026-08-14)."
    ]


DIFFERENCES = {
    "update report_outputs set active_run_id = 'gone' where id = 103": ("pointer", "report", 103, None),
    "delete from simulation_runs where simulation_id = 9": ("pointer", "simulation", 9, None),
    "insert into report_output_runs (id, report_output_id, run_sequence, status, trigger_type) "
    "values ('newer', 106, 2, 'running', 'initial')": ("newer_run", "report", 106, None),
    "insert into simulation_runs (id, simulation_id, run_sequence, status, trigger_type) "
    "values ('newer', 9, 2, 'running', 'initial')": ("newer_run", "simulation", 9, None),
    "update report_output_runs set status = 'pending' where report_output_id = 103": ("status", "report", 103, None),
    "update simulations set status = 'complete' where id = 8": ("status", "simulation", 8, None),
    "insert into report_outputs (country_id, simulation_1_id, simulation_2_id, api_version, year) "
    "values ('us', 1, 2, 'r1cccccccc', '2026')": ("same_key", "report", 103, 108),
}


@pytest.mark.parametrize("change", DIFFERENCES)
def test_what_the_application_and_its_tables_of_runs_do_not_agree_about_is_found(host: URL, change: str) -> None:
    query = "select difference, row_kind, row_id, other_id from run_table_differences()"
    assert rows(host, query) == []
    assert len(of(host, "runs")) == 1
    with connect(host) as connection:
        connection.execute(change.encode())
    assert [tuple(row.values()) for row in rows(host, query)] == [DIFFERENCES[change]]
    [_, message] = of(host, "runs")
    assert f"{DIFFERENCES[change][1]} #{DIFFERENCES[change][2]}" in message


def test_only_a_run_that_is_not_over_tells_since_when_a_report_waits(host: URL) -> None:
    since = "select since, host_run_id from lost_runs() where report_id = 106"
    run = "update report_output_runs set {} where report_output_id = 106"
    with connect(host) as connection:
        # As the application leaves it where it has no active run: the newest one counts.
        connection.execute("update report_outputs set active_run_id = null where id = 106")
        assert one(connection, since)["since"] == datetime(2026, 8, 14, 15, 17, 37, tzinfo=UTC)
        # A worker has not taken it yet.
        connection.execute(run.format("started_at = null, requested_at = '2026-08-14 12:00:00'").encode())
        assert one(connection, since)["since"] == datetime(2026, 8, 14, 12, tzinfo=UTC)
        connection.execute(run.format("status = 'complete'").encode())
        assert one(connection, since) == {"since": None, "host_run_id": None}


def test_the_doctor_is_silent_where_reports_have_no_pointers_to_tables_of_runs(empty_database: URL) -> None:
    load_host("ours", empty_database)
    with connect(empty_database) as connection:
        connection.execute("alter table report_outputs drop column latest_successful_run_id")
    migrate.upgrade(engine(empty_database))
    assert rows(empty_database, "select has_run_tables from pgreprise.setting") == [{"has_run_tables": False}]
    assert of(empty_database, "runs") == []


@pytest.mark.parametrize("name", ["ours", "real"])
def test_reruns_undos_and_updates_leave_no_difference(adopted: Callable[[str], URL], name: str) -> None:
    url = adopted(name)
    with connect(url) as connection:
        for country in ("us", "uk"):
            connection.execute("select set_cache_versions(%s, 'e2604ee281', 'r9', '9')", (country,))
        reports = [row["id"] for row in connection.execute("select id from report_outputs order by id").fetchall()]
        connection.execute("call rerun_reports(%s)", (reports,))
        for report in reports[::2]:
            connection.execute("call rerun_report(%s::bigint)", (report,))
        act = connection.execute("select max(rerun_id) as id from pgreprise.rerun").fetchone()
        assert act is not None
        connection.execute("call undo_rerun(%s::bigint)", (act["id"],))
        found = connection.execute("select * from run_table_differences() where difference <> 'same_key'").fetchall()
    assert found == []


def test_the_doctor_says_to_migrate_when_run_tables_have_appeared_or_vanished(host: URL) -> None:
    with connect(host) as connection:
        connection.execute("update pgreprise.setting set has_run_tables = false")
    [finding] = [finding for finding in findings(host) if finding.check == "runs"]
    assert (finding.severity, finding.remedy) == ("problem", "pgreprise migrate")
    with connect(host) as connection:
        connection.execute("update pgreprise.setting set has_run_tables = true; drop table simulation_runs")
    [finding] = [finding for finding in findings(host) if finding.check == "runs"]
    assert (finding.severity, finding.remedy) == ("problem", "pgreprise migrate")


# --- its cache in Redis ------------------------------------------------------------------------


def cache_findings(url: URL) -> list[Finding]:
    """What the doctor says of the economy cache outside the database."""
    engine = connect_engine(url)
    try:
        return [finding for finding in examine(engine) if finding.check == "economy cache"]
    finally:
        engine.dispose()


def test_a_host_of_that_age_is_told_that_its_cache_is_in_redis(host: URL) -> None:
    [finding] = cache_findings(host)
    assert (finding.severity, "for up to 30 days" in finding.message) == ("note", True)
    for needed in ("PGREPRISE_REDIS_URL", "RUNTIME_CACHE_ENVIRONMENT", "RUNTIME_CACHE_SERVICE", "pgreprise invalidate"):
        assert needed in finding.remedy
    report_id = rows(host, "select report_id from example_reports() limit 1")[0]["report_id"]
    rows(host, "call rerun_report(%s)", report_id)
    [finding] = cache_findings(host)
    assert (finding.severity, "has never run" in finding.message) == ("problem", True)


def test_a_follower_that_is_far_behind_is_a_problem_and_one_that_is_not_is_none(host: URL) -> None:
    report_id = rows(host, "select report_id from example_reports() limit 1")[0]["report_id"]
    rows(host, "call rerun_report(%s)", report_id)
    rows(host, "select keep_feed_position('economy-cache', 0)")
    assert cache_findings(host) == []
    with connect(host) as connection:
        connection.execute("update pgreprise.rerun set created_at = now() - interval '11 minutes'")
    [finding] = cache_findings(host)
    assert (finding.severity, "for 11 minutes" in finding.message) == ("problem", True)
    rows(host, "select * from rerun_feed(0)")
    rows(host, "select keep_feed_position('economy-cache', 1)")
    assert cache_findings(host) == []


def test_a_host_without_tables_of_runs_is_told_nothing_of_redis(database: URL) -> None:
    assert cache_findings(database) == []
