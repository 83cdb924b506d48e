"""Someone reruns reports with the command, looks first and afterwards, and takes a rerun back."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.support.command import Run
from tests.support.databases import Connection
from tests.support.factories import add_reform_impact, add_report, add_simulation, set_versions
from tests.support.snapshots import snapshot
from tests.support.statements import one, rerun


@pytest.fixture
def report(dba: Connection) -> int:
    """A complete economy report that shares its first simulation, with one cache row."""
    set_versions(dba)
    shared = add_simulation(dba, policy_id=2)
    made = add_report(dba, shared, add_simulation(dba, policy_id=3))
    add_report(dba, shared, add_simulation(dba, policy_id=4))
    add_reform_impact(dba)
    return made


def test_a_rerun_tells_its_run_and_its_id(pgreprise: Run, report: int) -> None:
    done = pgreprise("rerun", "us", str(report))
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == (
        f"Report #{report} (geography) is pending again as run 2; simulations #1, #2; 1 cache row deleted; rerun #1.\n"
    )


def test_a_key_reruns_once_and_gives_the_first_result_again(pgreprise: Run, dba: Connection, report: int) -> None:
    first = pgreprise("rerun", "us", str(report), "--idempotency-key", "monday", "--json")
    after = snapshot(dba)
    again = pgreprise("rerun", "us", str(report), "--idempotency-key", "monday", "--json")
    assert (first.returncode, again.returncode) == (0, 0)
    assert first.stdout == again.stdout
    assert snapshot(dba) == after
    other = pgreprise("rerun", "us", "2", "--idempotency-key", "monday")
    assert (other.returncode, snapshot(dba)) == (1, after)
    assert "(RR012)" in other.stderr


def test_a_key_goes_with_one_report_only(pgreprise: Run, dba: Connection, report: int) -> None:
    before = snapshot(dba)
    done = pgreprise("rerun", "us", str(report), "2", "--idempotency-key", "monday")
    assert done.returncode == 2
    assert "--idempotency-key belongs to one rerun" in done.stderr
    assert snapshot(dba) == before


def test_what_was_done_is_told_when_the_next_one_cannot_be_tried(pgreprise: Run, dba: Connection, report: int) -> None:
    # A routine that it needs goes away in between, as in a database that another version is being installed in.
    dba.execute(
        "create function gone() returns trigger language plpgsql as "
        "$$begin alter function pgreprise.enter rename to entered; return new; end$$;"
        "create trigger gone after update on report_outputs for each row execute function gone()"
    )
    done = pgreprise("rerun", "us", str(report), "2", "--json")
    assert done.returncode == 1
    assert [(result["status"], result["report_id"]) for result in json.loads(done.stdout)] == [
        ("ok", report),
        ("error", 2),
    ]
    assert "pgreprise migrate" in done.stderr


def test_a_preview_shows_what_would_be_touched_and_who_shares_it(pgreprise: Run, dba: Connection, report: int) -> None:
    before = snapshot(dba)
    rows = json.loads(pgreprise("preview", "us", str(report), "--json").stdout)
    assert [(row["kind"], row["id"], row["action"], row["shared_with"]) for row in rows] == [
        ("report", report, "pending, as run 2", []),
        ("simulation", 1, "pending, as run 2", [2]),
        ("simulation", 2, "pending, as run 2", []),
        ("reform_impact", 1, "deleted", []),
    ]
    shown = pgreprise("preview", "us", str(report))
    assert (shown.returncode, shown.stderr) == (0, "")
    assert "reform_impact" in shown.stdout
    assert snapshot(dba) == before


def test_a_preview_prints_the_rerun_that_does_exactly_this(pgreprise: Run, dba: Connection, report: int) -> None:
    last = pgreprise("preview", "us", str(report)).stdout.splitlines()[-1]
    assert last.startswith(f"To rerun exactly this: pgreprise rerun us {report} --seen ")
    words = last.rpartition(": pgreprise ")[2].split()
    assert words[-1] == json.loads(pgreprise("preview", "us", str(report), "--json").stdout)[0]["seen"]
    assert pgreprise(*words).returncode == 0
    before = snapshot(dba)
    done = pgreprise(*words)
    assert (done.returncode, done.stdout) == (1, "")
    assert f"error: Report #{report} is not as the preview saw it: run 1 -> 2, " in done.stderr
    assert "(RR029)\nhint: " in done.stderr
    [told] = json.loads(pgreprise(*words, "--json").stdout)
    assert json.loads(told["detail"])["moved"][0] == {"kind": "report", "id": str(report), "was": "1", "is": "2"}
    assert "(RR016)" in pgreprise("rerun", "us", str(report), "--seen", "x").stderr
    assert pgreprise("rerun", "us", str(report), "2", "--seen", "x").returncode == 2
    assert snapshot(dba) == before


def test_a_dry_run_of_an_undo_prints_the_undo_that_does_exactly_this(
    pgreprise: Run, dba: Connection, report: int
) -> None:
    act = json.loads(pgreprise("rerun", "us", str(report), "--json").stdout)[0]["rerun_id"]
    before = snapshot(dba)
    shown = pgreprise("undo", str(act), "--dry-run")
    assert (shown.returncode, shown.stderr) == (0, "")
    words = shown.stdout.splitlines()[-1].rpartition(": pgreprise ")[2].split()
    assert words[:-1] == ["undo", str(act), "--seen"]
    rows = json.loads(pgreprise("undo", str(act), "--dry-run", "--json").stdout)
    assert words[-1] == rows[0]["seen"]
    assert snapshot(dba) == before
    dba.execute("select update_report(%s, status => 'complete', output => '1')", (report,))
    refused = pgreprise(*words)
    assert refused.returncode == 1
    assert f"report #{report} result none -> complete" in refused.stderr
    shown = pgreprise("undo", str(act), "--dry-run")
    assert shown.returncode == 1
    assert "has a new result" in " ".join(shown.stdout.split())
    words = shown.stdout.splitlines()[-1].rpartition(": pgreprise ")[2].split()
    assert words[:-1] == ["undo", str(act), "--force", "--seen"]
    assert pgreprise(*words).returncode == 0
    again = pgreprise("undo", str(act), "--dry-run")
    assert (again.returncode, again.stdout) == (1, "")
    assert "(RR014)" in again.stderr
    for wrong in (("1", "2", "--dry-run"), ("--batch", "1", "--dry-run"), ("1", "2", "--seen", "x")):
        assert pgreprise("undo", *wrong).returncode == 2


def test_a_preview_of_a_report_that_cannot_be_rerun_gives_its_defect(pgreprise: Run, dba: Connection) -> None:
    malformed = add_report(dba, 999)
    done = pgreprise("preview", "us", str(malformed))
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("error: Report references simulation #999, but it could not be found")
    assert "(RR002)\nhint: " in done.stderr
    done = pgreprise("preview", "us", str(malformed), "--json")
    assert (done.returncode, json.loads(done.stdout)[0]["errcode"]) == (1, "RR002")
    assert "(RR001)" in pgreprise("preview", "us", "404").stderr


def test_runs_are_listed_newest_first(pgreprise: Run, report: int) -> None:
    pgreprise("rerun", "us", str(report))
    pgreprise("undo", "1")
    rows = json.loads(pgreprise("runs", "us", str(report), "--json").stdout)
    assert [(row["run_sequence"], row["status"], row["started_by"], row["restores_run"]) for row in rows] == [
        (3, "complete", "undo", 1),
        (2, "pending", "rerun", None),
        (1, "complete", None, None),
    ]
    shown = " ".join(pgreprise("runs", "us", str(report)).stdout.split())
    assert "rerun #1" in shown
    assert "current" in shown


def test_the_output_of_an_earlier_run_is_printed_as_it_was(pgreprise: Run, dba: Connection, report: int) -> None:
    text = '{ "b": 1,  "a": [1.0, "ü"] }'
    dba.execute("update report_outputs set output = %s where id = %s", (text, report))
    pgreprise("rerun", "us", str(report))
    assert pgreprise("runs", "us", str(report), "--run", "1").stdout == f"{text}\n"


def test_a_run_without_an_output_says_why(pgreprise: Run, dba: Connection, report: int) -> None:
    dba.execute("select set_setting('archive_outputs', 'off')")
    rerun(dba, report)
    dba.execute("update report_outputs set status = 'error', error_message = 'no data' where id = %s", (report,))
    not_kept = pgreprise("runs", "us", str(report), "--run", "1")
    assert (not_kept.returncode, not_kept.stdout) == (1, "")
    assert "was purged, or it was never kept" in not_kept.stderr
    failed = pgreprise("runs", "us", str(report), "--run", "2")
    assert (failed.returncode, failed.stdout) == (1, "")
    assert "Run 2 has no output. Its status is error: no data" in failed.stderr
    assert "(RR019)" in pgreprise("runs", "us", str(report), "--run", "9").stderr
    assert pgreprise("runs", "us", str(report), "--run", "1", "--json").returncode == 2


def test_an_undo_puts_back_what_the_rerun_cleared(pgreprise: Run, dba: Connection, report: int) -> None:
    def without_run(rows: dict[str, list[dict[str, Any]]]) -> dict[str, list[dict[str, Any]]]:
        return {name: [{**row, "run_sequence": 0} for row in table] for name, table in rows.items()}

    before = snapshot(dba)
    pgreprise("rerun", "us", str(report))
    done = pgreprise("undo", "1")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == (
        f"Rerun #1 is undone: report #{report} is at run 3; simulations #1, #2; 1 cache row restored; undo #2.\n"
    )
    assert without_run(snapshot(dba)) == without_run(before)


def test_an_undo_that_is_refused_does_not_stop_the_others_and_force_overwrites(
    pgreprise: Run, dba: Connection, report: int
) -> None:
    rerun(dba, report)
    rerun(dba, 2)
    dba.execute("update report_outputs set status = 'complete', output = '{}' where id = %s", (report,))
    done = pgreprise("undo", "1", "77", "2", "--json")
    assert done.returncode == 1
    results = json.loads(done.stdout)
    # Report 2 put its second run of the shared simulation behind the first.
    assert [result.get("code", result["status"]) for result in results] == ["RR010", "RR013", "ok"]
    told = pgreprise("undo", "1")
    assert (told.returncode, told.stdout) == (1, "")
    assert "cannot be undone: " in told.stderr
    forced = pgreprise("undo", "1", "--force")
    assert (forced.returncode, forced.stderr) == (0, "")
    assert one(dba, "select output::text as output from get_report(%s::bigint)", report)["output"] == '{"budget": 2}'


@pytest.mark.parametrize("arguments", [[], ["1", "--batch", "2"], ["one"]], ids=str)
def test_an_undo_needs_either_reruns_or_a_batch(pgreprise: Run, arguments: list[str]) -> None:
    assert pgreprise("undo", *arguments).returncode == 2
