"""Someone looks at the results of the application's reports: the last good one, lists, and two runs compared."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import URL

from tests.support.databases import Connection, connect
from tests.support.report_host import CASES
from tests.support.statements import one, rerun

STARTED = datetime(2026, 8, 14, 15, 17, 37, tzinfo=UTC)
VERSION = CASES[2].versions["us"]["report_output"]
FINISHED = datetime(2026, 8, 14, 15, 18, 51, tzinfo=UTC)


def listed(connection: Connection, **conditions: Any) -> list[int]:
    given = ", ".join(f"{name} => %({name})s" for name in conditions)
    rows = connection.execute(f"select id from find_reports({given})".encode(), conditions).fetchall()  # noqa: S608
    return [row["id"] for row in rows]


def test_the_times_are_those_of_the_applications_runs(adopted: Callable[[str], URL]) -> None:
    with connect(adopted("ours")) as connection:
        connection.execute("set timezone = 'Pacific/Apia'")
        connection.execute(
            "select set_cache_versions('us', report_output => %s)", (CASES[2].versions["us"]["report_output"],)
        )
        good = one(connection, "select * from last_good_report(103)")
        assert (good["started_at"], good["finished_at"], good["is_stale"]) == (STARTED, FINISHED, False)
        assert one(connection, "select is_stale from last_good_report(102)")["is_stale"] is True
        for status, since in (("running", STARTED), ("error", FINISHED)):
            found = connection.execute("select since from find_reports(status => %s)", (status,)).fetchall()
            assert {row["since"] for row in found} == {since}
        later = STARTED + timedelta(minutes=1)
        for age, expected in ((timedelta(seconds=50), [106]), (timedelta(seconds=90), [])):
            assert listed(connection, status="running", older_than=age, as_of=later) == expected


def test_a_rerun_leaves_the_last_good_result_and_the_new_one_is_compared_with_it(adopted: Callable[[str], URL]) -> None:
    with connect(adopted("ours")) as connection:
        set_versions = "select set_cache_versions('us', %s, %s, %s)"
        connection.execute(set_versions, tuple(CASES[2].versions["us"].values()))
        rerun(connection, 103)
        good = one(connection, "select * from last_good_report(103, 'us')")
        assert (good["run_sequence"], good["finished_at"], good["newer_status"]) == (1, FINISHED, "pending")
        connection.execute("select update_report(103, status => 'complete', output => '{\"budget\": 104}')")
        assert one(connection, "select * from compare_runs(103, 1, 2)") == {
            "path": "/budget", "change": "changed", "old_value": 103, "new_value": 104
        }  # fmt: skip


@pytest.mark.parametrize("name", ["ours", "real"])
def test_every_report_is_listed_once_and_what_is_complete_has_a_good_result(
    adopted: Callable[[str], URL], name: str
) -> None:
    with connect(adopted(name)) as connection:
        stored = connection.execute("select id::bigint, status::text from report_outputs order by id").fetchall()
        read: list[int] = []
        while page := listed(connection, max_rows=7, after_report_id=read[-1] if read else None):
            read += page
        assert read == [row["id"] for row in stored]
        for row in stored:
            if row["status"] == "complete":
                found = one(
                    connection,
                    "select good.run_sequence, good.output::text = report.output::text as is_same"
                    "  from last_good_report(%s::bigint) as good, report_outputs as report"
                    " where report.id = good.report_id",
                    row["id"],
                )
                assert found == {"run_sequence": 1, "is_same": True}
