"""A monitor asks the database for figures, with a role that may do nothing else."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest

from tests.support.claims import age, claims
from tests.support.databases import Connect, Connection
from tests.support.factories import add_report, add_simulation, set_versions
from tests.support.refusals import refusal
from tests.support.snapshots import everything
from tests.support.statements import one, rerun, undo


def figures(connection: Connection) -> dict[tuple[str, ...], float]:
    """The value of each sample by its name and the values of its labels."""
    rows = connection.execute("select * from rerun_metrics()").fetchall()
    found = {(row["metric"], *(value for _, value in sorted(row["labels"].items()))): row["value"] for row in rows}
    assert len(found) == len(rows)
    return found


def household(connection: Connection, **values: object) -> int:
    return add_report(connection, add_simulation(connection, population_type="household"), **values)


def test_the_figures_are_those_of_the_database(sandbox: Connection) -> None:
    set_versions(sandbox)
    reports = [household(sandbox) for _ in range(3)]
    household(sandbox, status="error")
    household(sandbox, country_id="uk", status="running")
    acts = [rerun(sandbox, report)["rerun_id"] for report in reports]
    undo(sandbox, acts[0])
    sandbox.execute(
        "update pgreprise.report_run set ended_at = now() - interval '90 seconds' where report_id = %s", (reports[1],)
    )
    for claimed in claims(sandbox, report_id=reports[2]):
        age(sandbox, claimed)
    sandbox.execute('select create_rerun_batch(\'{"country": "us"}\'), create_rerun_batch(\'{"country": "uk"}\')')
    sandbox.execute(
        "update pgreprise.rerun_batch set created_at = now() - interval '2 hours' where filter ->> 'country' = 'uk'"
    )
    before = everything(sandbox)
    found = figures(sandbox)
    assert everything(sandbox) == before
    assert found.pop(("pgreprise_archive_bytes",)) > 0
    wanted = {
        ("pgreprise_reports", "us", "pending"): 1,
        ("pgreprise_reports", "us", "running"): 1,
        ("pgreprise_claims_open",): 1,
        ("pgreprise_claims_lapsed",): 1,
        ("pgreprise_reports", "us", "error"): 1,
        ("pgreprise_reports", "uk", "running"): 1,
        ("pgreprise_oldest_pending_seconds", "us"): 90,
        ("pgreprise_acts_total", "rerun"): 3,
        ("pgreprise_acts_total", "undo"): 1,
        ("pgreprise_batches_unfinished",): 2,
        ("pgreprise_batches_standing_still",): 1,
        ("pgreprise_feed_unread",): 4,
    }
    assert {name: value for name, value in found.items() if value} == wanted
    # What does not exist is told as 0.
    for name in (("pgreprise_reports", "uk", "error"), ("pgreprise_acts_total", "reset_report")):
        assert found[name] == 0
    sandbox.execute("select from rerun_feed()")
    assert figures(sandbox)["pgreprise_feed_unread",] == 0


def counted(connection: Connection, country_id: str | None = None) -> dict[tuple[str, str], tuple[int, Any]]:
    """The number of reports and the oldest, by country and status, where there are any; all rows are there."""
    rows = connection.execute("select * from report_counts(%s)", (country_id,)).fetchall()
    keys = [(row["country_id"], row["status"]) for row in rows]
    countries = sorted({country for country, _ in keys})
    assert keys == [
        (country, status) for country in countries for status in ("pending", "running", "complete", "error")
    ]
    assert all(row["oldest_since"] is None for row in rows if row["status"] in ("complete", "error"))
    return {(row["country_id"], row["status"]): (row["reports"], row["oldest_since"]) for row in rows if row["reports"]}


def test_reports_are_counted_by_country_and_status_with_the_oldest_that_waits(sandbox: Connection) -> None:
    set_versions(sandbox)
    old, older, _ = (rerun(sandbox, household(sandbox))["report_id"] for _ in range(3))
    for report, age_of in ((old, "90 seconds"), (older, "2 hours")):
        sandbox.execute(
            "update pgreprise.report_run set ended_at = now() - %s::interval where report_id = %s", (age_of, report)
        )
    claims(sandbox, report_id=old)
    for status in ("complete", "complete", "error"):
        household(sandbox, status=status)
    household(sandbox, country_id="uk", status="running")
    # Of a country that nobody has told of.
    household(sandbox, country_id="zz")
    before = everything(sandbox)
    found = counted(sandbox)
    assert everything(sandbox) == before
    waiting = one(sandbox, "select now() - interval '2 hours' as since")["since"]
    running = one(sandbox, "select since from lost_runs('0', 'infinity') where report_id = %s", old)["since"]
    assert found == {
        ("us", "pending"): (2, waiting),
        ("us", "running"): (1, running),
        ("us", "complete"): (2, None),
        ("us", "error"): (1, None),
        # The application has set it; nobody knows when.
        ("uk", "running"): (1, None),
        ("zz", "complete"): (1, None),
    }
    assert counted(sandbox, "us") == {key: value for key, value in found.items() if key[0] == "us"}
    assert counted(sandbox, "ca") == {}
    assert len(sandbox.execute("select from report_counts('ca')").fetchall()) == 4


def test_the_counts_of_a_country_that_does_not_exist_are_rr008(sandbox: Connection) -> None:
    assert refusal(sandbox, "select * from report_counts('zz')").code == "RR008"


def test_an_empty_database_has_figures_too(sandbox: Connection) -> None:
    found = figures(sandbox)
    assert set(found.values()) - {found["pgreprise_archive_bytes",]} == {0}
    assert ("pgreprise_reports", "us", "pending") in found


def test_a_monitor_gets_the_figures_and_nothing_else(connect: Connect, dba: Connection) -> None:
    dba.execute("create role watcher login in role pgreprise_monitor")
    try:
        watcher = connect(role="watcher")
        assert one(watcher, "select count(*) as samples from rerun_metrics()")["samples"] > 0
        assert one(watcher, "select pgreprise.status() as status")["status"]
        for statement in (
            "select * from report_outputs",
            "select * from pgreprise.rerun",
            "select * from rerun_history()",
            "select * from get_report(1)",
            "select * from lost_runs()",
            "select * from settings()",
            "call rerun_report(1)",
            "create table public.mine (id int)",
            "create table pgreprise.mine (id int)",
        ):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                watcher.execute(statement)
    finally:
        dba.execute("drop role watcher")


def test_a_token_that_may_not_read_gets_no_figures(sandbox: Connection) -> None:
    sandbox.execute("""set local request.jwt.claims = '{"sub": "bob", "scope": "reports:rerun"}'""")
    assert refusal(sandbox, "select * from rerun_metrics()").code == "RR017"
    assert refusal(sandbox, "select * from report_counts()").code == "RR017"
