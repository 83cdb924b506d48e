"""Someone reruns very many reports with the command, stops, goes on, and takes it all back."""

from __future__ import annotations

import io
import json
import re
import signal
import subprocess
import time
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import URL

from pyapi.batches import json_array
from pyapi.cli.batches import _ids_in
from tests.support.command import PROGRAM, Run, environment, run_on_terminal
from tests.support.databases import Connect, Connection, plain
from tests.support.factories import add_report, add_simulation, set_versions
from tests.support.snapshots import snapshot
from tests.support.statements import one

pytestmark = pytest.mark.usefixtures("reports")


@pytest.fixture
def reports(dba: Connection) -> list[int]:
    """Four household reports with simulations of their own, and one whose simulation is missing."""
    set_versions(dba)
    made = [add_report(dba, add_simulation(dba, population_type="household", policy_id=number)) for number in range(4)]
    return [*made, add_report(dba, 999, status="error")]


def statuses(connection: Connection) -> list[str]:
    return [row["status"] for row in snapshot(connection)["report_outputs"]]


def test_a_batch_reruns_what_its_filter_finds_and_lists_what_it_refused(pgreprise: Run, dba: Connection) -> None:
    done = pgreprise("rerun-batch", "--country", "us", "--chunk-size", "2")
    assert done.returncode == 1
    assert "Batch 1: 5 reports, 5 remaining." in done.stderr
    assert "pgreprise rerun-batch --resume 1" in done.stderr
    assert done.stdout.splitlines()[0] == (
        "Batch 1 is finished: 4 reports rerun, 1 refused, 0 remaining; 4 simulations reset, 0 cache rows deleted."
    )
    assert "RR002" in done.stdout
    assert statuses(dba) == ["pending"] * 4 + ["error"]


def test_a_batch_of_good_reports_ends_with_exit_code_0(pgreprise: Run, dba: Connection) -> None:
    done = pgreprise("rerun-batch", "--status", "complete", "--json")
    assert done.returncode == 0
    assert json.loads(done.stdout) == {
        "batch_id": 1,
        "state": "finished",
        "reports": 4,
        "rerun": 4,
        "refused": 0,
        "remaining": 0,
        "simulations_reset": 4,
        "economy_cache_rows_deleted": 0,
        "left": [],
        "refusals": [],
    }
    assert statuses(dba) == ["pending"] * 4 + ["error"]


def test_every_condition_reaches_the_filter(pgreprise: Run, dba: Connection, reports: list[int]) -> None:
    pgreprise(
        *("rerun-batch", "--country", "us", "--country", "uk", "--status", "complete", "--year", "2025"),
        *("--api-version", "r147f26ed1", "--report-type", "household", str(reports[0]), "404"),
    )
    filters = dba.execute("select filter from rerun_batches()").fetchall()
    assert [row["filter"] for row in filters] == [
        {
            "country": ["us", "uk"],
            "status": ["complete"],
            "year": ["2025"],
            "api_version": ["r147f26ed1"],
            "report_type": ["household"],
            "ids": [reports[0], 404],
        }
    ]


def test_ids_come_from_a_file_or_from_stdin(
    pgreprise: Run, database: URL, dba: Connection, reports: list[int], tmp_path: Path
) -> None:
    file = tmp_path / "ids"
    file.write_text(f"00{reports[0]}\n{reports[1]}, {reports[2]}\n\n")
    assert pgreprise("rerun-batch", "--ids-file", str(file)).returncode == 0
    assert statuses(dba)[:4] == ["pending"] * 3 + ["complete"]
    piped = subprocess.run(
        [PROGRAM, "rerun-batch", "--ids-file", "-"],
        input=str(reports[3]),
        env=environment(DATABASE_URL=plain(database)),
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
    assert piped.returncode == 0, piped.stderr
    assert statuses(dba)[:4] == ["pending"] * 4


@pytest.mark.parametrize("content", ["1\ntwo\n", "-5", "1.5", "", "²"], ids=repr)
def test_a_file_that_holds_something_else_is_wrong_usage(
    pgreprise: Run, dba: Connection, tmp_path: Path, content: str
) -> None:
    file = tmp_path / "ids"
    file.write_text(content)
    assert pgreprise("rerun-batch", "--ids-file", str(file)).returncode == 2
    assert dba.execute("select from rerun_batches()").fetchall() == []


def test_very_many_ids_weigh_little() -> None:
    lines = io.StringIO("".join(f"{number}\n" for number in range(1_000_000, 1_200_000)))
    tracemalloc.start()
    text = json_array(_ids_in(lines))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert text is not None
    assert len(text) == 8 * 200_000 + 1
    # A list of them would need ten times the text.
    assert peak < 4 * len(text)


@pytest.mark.parametrize(
    "arguments",
    [[], ["--resume", "1", "--country", "us"], ["--resume", "1", "--dry-run"], ["0"], ["--chunk-size", "0"]],
    ids=" ".join,
)
def test_wrong_usage_of_a_batch_is_told(pgreprise: Run, arguments: list[str]) -> None:
    assert pgreprise("rerun-batch", *arguments).returncode == 2


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["--country", "zz"], "RR015"),
        (["--status", "done"], "RR015"),
        (["--year", "", "--dry-run"], "RR015"),
        (["--resume", "77"], "RR018"),
    ],
    ids=str,
)
def test_a_batch_that_cannot_be_is_refused_by_the_database(
    pgreprise: Run, dba: Connection, arguments: list[str], code: str
) -> None:
    done = pgreprise("rerun-batch", *arguments)
    assert (done.returncode, done.stdout) == (1, "")
    assert f"({code})\n" in done.stderr
    assert dba.execute("select from rerun_batches()").fetchall() == []


def test_a_dry_run_counts_and_changes_nothing(pgreprise: Run, dba: Connection, reports: list[int]) -> None:
    before = snapshot(dba)
    looked = json.loads(pgreprise("rerun-batch", "--country", "us", "--dry-run", "--json").stdout)
    assert looked["effects"]["refused"] == 1
    assert looked["reports"] == [
        {
            "country_id": "us",
            "report_type": "household",
            "status": "complete",
            "errcode": None,
            "reports": 4,
            "first_report_id": reports[0],
        },
        {
            "country_id": "us",
            "report_type": None,
            "status": "error",
            "errcode": "RR002",
            "reports": 1,
            "first_report_id": reports[4],
        },
    ]
    done = pgreprise("rerun-batch", "--country", "us", "--dry-run", "404")
    assert done.returncode == 0
    assert done.stdout.splitlines()[-3:-1] == [
        "0 reports would be rerun and 1 refused; 0 simulations would be reset and 0 cache rows deleted.",
        "Nothing was changed.",
    ]
    assert snapshot(dba) == before
    assert dba.execute("select from rerun_batches()").fetchall() == []


# --- stopped and resumed ---------------------------------------------------------------------


@pytest.fixture
def stuck(database: URL, dba: Connection, reports: list[int]) -> Callable[..., subprocess.Popen[str]]:
    """Starts a batch, a report a chunk, that waits for the second report, which a transaction of ``holder`` holds."""

    def start(holder: Connection) -> subprocess.Popen[str]:
        holder.execute("select from report_outputs where id = %s for update", (reports[1],))
        process = subprocess.Popen(
            [PROGRAM, "rerun-batch", "--country", "us", "--chunk-size", "1", "--json"],
            env=environment(DATABASE_URL=f"{plain(database)}&options=-c%20lock_timeout%3D60s"),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            encoding="utf-8",
        )
        while (
            process.poll() is None
            and not one(
                dba,
                "select exists (select from pg_stat_activity where %s = any (pg_blocking_pids(pid))) as is_waiting",
                holder.info.backend_pid,
            )["is_waiting"]
        ):
            time.sleep(0.01)
        return process

    return start


def test_ctrl_c_finishes_the_chunk_under_way_and_says_how_to_go_on(
    stuck: Callable[..., subprocess.Popen[str]], pgreprise: Run, dba: Connection, connect: Connect
) -> None:
    holder = connect(autocommit=False)
    process = stuck(holder)
    process.send_signal(signal.SIGINT)
    holder.rollback()
    out, err = process.communicate()
    assert process.returncode == 130
    assert "To continue: pgreprise rerun-batch --resume 1" in err
    assert "Traceback" not in err
    result = json.loads(out)
    assert (result["state"], result["rerun"], result["remaining"]) == ("stopped", 2, 3)
    assert statuses(dba) == ["pending", "pending", "complete", "complete", "error"]

    resumed = pgreprise("rerun-batch", "--resume", "1", "--json")
    assert resumed.returncode == 1
    result = json.loads(resumed.stdout)
    assert (result["state"], result["rerun"], result["refused"]) == ("finished", 4, 1)
    assert [row["errcode"] for row in result["refusals"]] == ["RR002"]
    # Nothing twice.
    assert {row["run_sequence"] for row in snapshot(dba)["report_outputs"][:4]} == {2}


@pytest.mark.needs("time")
def test_a_second_ctrl_c_ends_it_at_once_and_the_chunk_has_not_happened(
    stuck: Callable[..., subprocess.Popen[str]], dba: Connection, connect: Connect
) -> None:
    holder = connect(autocommit=False)
    process = stuck(holder)
    process.send_signal(signal.SIGINT)
    assert process.stderr is not None
    assert any("Ctrl-C again stops at once" in line for line in process.stderr)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate()
    assert process.returncode == 130
    assert "To continue: pgreprise rerun-batch --resume 1" in err
    holder.rollback()
    assert statuses(dba) == ["pending", "complete", "complete", "complete", "error"]


def test_a_killed_runner_is_resumed_and_a_second_one_helps(
    stuck: Callable[..., subprocess.Popen[str]], pgreprise: Run, dba: Connection, connect: Connect
) -> None:
    holder = connect(autocommit=False)
    process = stuck(holder)
    # The second one leaves the report that the first has in hand.
    helped = pgreprise("rerun-batch", "--resume", "1", "--json")
    assert (helped.returncode, json.loads(helped.stdout)["state"]) == (1, "unfinished")
    assert json.loads(helped.stdout)["remaining"] == 1
    assert "Another process is rerunning the remaining reports" in helped.stderr
    process.kill()
    process.communicate()
    holder.rollback()
    # Its session ends when PostgreSQL notices, and the locks with it.
    dba.execute(
        "select pg_terminate_backend(pid, 10000) from pg_stat_activity "
        "where datname = current_database() and pid not in (pg_backend_pid(), %s)",
        (holder.info.backend_pid,),
    )
    resumed = pgreprise("rerun-batch", "--resume", "1", "--json")
    assert json.loads(resumed.stdout)["state"] == "finished"
    assert {row["run_sequence"] for row in snapshot(dba)["report_outputs"][:4]} == {2}


# --- afterwards ------------------------------------------------------------------------------


def test_batches_are_listed_without_their_ids(pgreprise: Run, reports: list[int]) -> None:
    assert pgreprise("batches").stdout == "There are no batches.\n"
    pgreprise("rerun-batch", *map(str, reports))
    pgreprise("rerun-batch", "--status", "pending")
    rows = json.loads(pgreprise("batches", "--json").stdout)
    assert [(row["id"], row["filter"], row["ids"], row["rerun"], row["refused"]) for row in rows] == [
        (2, {"status": ["pending"]}, None, 4, 0),
        (1, {}, 5, 4, 1),
    ]
    assert "5 ids" in pgreprise("batches").stdout


def test_a_batch_is_undone_as_a_whole_but_for_what_has_moved_on(
    pgreprise: Run, dba: Connection, reports: list[int]
) -> None:
    pgreprise("rerun-batch", "--country", "us")
    dba.execute("update report_outputs set status = 'complete', output = '{}' where id = %s", (reports[2],))
    done = pgreprise("undo", "--batch", "1")
    assert done.returncode == 1
    assert done.stdout.splitlines()[0] == "Batch 1: 3 reruns undone, 1 could not be undone."
    assert "RR010" in done.stdout
    assert {row["output"] for row in snapshot(dba)["report_outputs"]} == {'{"budget": 2}', "{}"}
    again = json.loads(pgreprise("undo", "--batch", "1", "--json").stdout)
    assert [(row["report_id"], row["errcode"]) for row in again["refusals"]] == [(reports[2], "RR010")]
    forced = pgreprise("undo", "--batch", "1", "--force", "--json")
    assert forced.returncode == 0
    assert json.loads(forced.stdout)["undone"] == 1
    assert {row["output"] for row in snapshot(dba)["report_outputs"]} == {'{"budget": 2}'}
    assert "(RR018)" in pgreprise("undo", "--batch", "77").stderr


# --- living with them ------------------------------------------------------------------------


def test_a_batch_is_shown_with_its_reason_and_cancelled_with_another(pgreprise: Run, reports: list[int]) -> None:
    pgreprise("rerun-batch", *map(str, reports), "404", "--reason", "new model")
    shown = pgreprise("batches", "show", "1").stdout
    assert "new model" in shown
    assert "6: 4 rerun, 2 refused, 0 remaining; 0 undone since" in shown
    assert "RR001" in shown
    assert "new model" in pgreprise("batches").stdout
    details = json.loads(pgreprise("batches", "show", "1", "--json").stdout)
    assert (details["state"], details["reason"], details["left"]) == ("finished", "new model", [])
    assert [refusal["errcode"] for refusal in details["refusals"]] == ["RR002", "RR001"]
    refused = pgreprise("batches", "cancel", "1")
    assert refused.returncode == 1
    assert "(RR025)" in refused.stderr
    assert pgreprise("batches", "show", "9").returncode == 1


def test_a_cancelled_batch_is_not_resumed(pgreprise: Run, dba: Connection, reports: list[int]) -> None:
    dba.execute('select create_rerun_batch(\'{"country": "us"}\')')
    assert "To continue: pgreprise rerun-batch --resume 1" in pgreprise("batches", "show", "1").stdout
    done = pgreprise("batches", "cancel", "1", "--reason", "too much")
    assert done.stdout == (
        "Batch 1 is cancelled: 0 reports rerun, 5 not done. To take back what it has done: pgreprise undo --batch 1\n"
    )
    before = snapshot(dba)
    resumed = pgreprise("rerun-batch", "--resume", "1")
    assert resumed.returncode == 1
    assert "(RR025)" in resumed.stderr
    assert snapshot(dba) == before
    [row] = json.loads(pgreprise("batches", "--json").stdout)
    assert (row["state"], row["cancel_reason"], row["remaining"]) == ("cancelled", "too much", len(reports))


def test_a_cancelled_batch_whose_reruns_were_undone_is_refused_before_anything_else_is_said(
    pgreprise: Run, dba: Connection
) -> None:
    dba.execute('select create_rerun_batch(\'{"country": "us"}\')')
    dba.execute("select rerun_batch_chunk(1, chunk_size => 2)")
    pgreprise("batches", "cancel", "1")
    pgreprise("undo", "--batch", "1")
    assert json.loads(pgreprise("batches", "show", "1", "--json").stdout)["state"] == "undone"
    resumed = pgreprise("rerun-batch", "--resume", "1")
    assert (resumed.returncode, resumed.stdout) == (1, "")
    assert resumed.stderr.startswith("error: ")
    assert "(RR025)" in resumed.stderr


@pytest.mark.parametrize(
    ("done_before", "left"), [(2, "3 reports remain"), (4, "1 report remains")], ids=["several", "one"]
)
def test_an_undo_of_a_batch_that_may_go_on_says_how_to_end_it(
    pgreprise: Run, dba: Connection, done_before: int, left: str
) -> None:
    dba.execute('select create_rerun_batch(\'{"country": "us"}\')')
    dba.execute("select rerun_batch_chunk(1, chunk_size => %s)", (done_before,))
    told = f"Batch 1 is still open: {left}. So that nothing goes on with it: pgreprise batches cancel 1\n"
    assert told in pgreprise("undo", "--batch", "1").stderr
    document = pgreprise("undo", "--batch", "1", "--json")
    assert told in document.stderr
    assert json.loads(document.stdout)["state"] == "finished"
    pgreprise("batches", "cancel", "1")
    assert "still open" not in pgreprise("undo", "--batch", "1").stderr


def test_a_large_batch_wants_its_number_where_nobody_can_be_asked(pgreprise: Run, dba: Connection) -> None:
    dba.execute("select set_setting('largest_batch', '4')")
    before = snapshot(dba)
    asked = pgreprise("rerun-batch", "--country", "us")
    assert asked.returncode == 1
    assert "The filter finds 5 reports. Above 4 their number has to be given. (RR024)" in asked.stderr
    assert "--expect 5" in asked.stderr
    assert pgreprise("rerun-batch", "--country", "us", "--expect", "4").returncode == 1
    assert snapshot(dba) == before
    assert pgreprise("rerun-batch", "--country", "us", "--expect", "5").returncode == 1
    assert snapshot(dba) != before


@pytest.mark.needs("time")
@pytest.mark.parametrize(("typed", "is_done"), [("5", True), ("4", False), ("", False)])
def test_a_large_batch_asks_for_its_number_on_a_terminal(
    database: URL, dba: Connection, typed: str, is_done: bool
) -> None:
    dba.execute("select set_setting('largest_batch', '4')")
    before = snapshot(dba)
    done = run_on_terminal(typed, "rerun-batch", "--country", "us", DATABASE_URL=plain(database))
    assert "The filter finds 5 reports. Above 4 their number has to be given." in done.stdout
    assert (snapshot(dba) != before) is is_done
    assert ("(RR024)" in done.stdout) is (typed == "4")


def test_a_dry_run_prints_the_token_of_exactly_this_batch(pgreprise: Run, dba: Connection, reports: list[int]) -> None:
    wanted = ("rerun-batch", "--country", "us")
    last = pgreprise(*wanted, "--dry-run").stdout.splitlines()[-1]
    printed = re.fullmatch("To rerun exactly these: the same command, with --seen (\\S+) in place of --dry-run", last)
    assert printed is not None
    looked = json.loads(pgreprise(*wanted, "--dry-run", "--json").stdout)
    assert looked["effects"]["seen"] == printed[1]
    dba.execute("select set_setting('largest_batch', '1')")
    assert pgreprise(*wanted, "--seen", printed[1]).returncode == 1
    assert dba.execute("select rerun, refused from rerun_batches()").fetchall() == [{"rerun": 4, "refused": 1}]
    done = pgreprise(*wanted, "--seen", printed[1])
    assert (done.returncode, done.stdout) == (1, "")
    told = (
        f"in 4 of 5 ranges, first report #{reports[0]}. 4 acts there since, first rerun #\\d+ of report #{reports[0]} "
    )
    assert re.search(told, done.stderr)
    assert "(RR029)\nhint: " in done.stderr
    assert len(dba.execute("select from rerun_batches()").fetchall()) == 1
    for wrong in (("--dry-run",), ("--resume", "1")):
        assert pgreprise(*(wanted if wrong == ("--dry-run",) else wanted[:1]), "--seen", "x", *wrong).returncode == 2
    assert "--seen" not in pgreprise("rerun-batch", "--country", "il", "--dry-run").stdout


def test_a_dry_run_names_the_other_reports_that_share_something(pgreprise: Run, dba: Connection) -> None:
    set_versions(dba)
    shared = add_simulation(dba, population_type="household")
    first, other = add_report(dba, shared), add_report(dba, shared, year="2031")
    done = pgreprise("rerun-batch", str(first), "--dry-run").stdout
    assert "1 report would be rerun and 0 refused; 1 simulation would be reset and 0 cache rows deleted." in done
    assert "Other reports that share these simulations or cache rows" in done
    looked = json.loads(pgreprise("rerun-batch", str(first), "--dry-run", "--json").stdout)
    assert looked["sharing"] == [
        {
            "report_id": other,
            "country_id": "us",
            "status": "complete",
            "shares_simulation": True,
            "shares_cache_key": False,
        }
    ]


def test_batches_are_listed_in_pages(pgreprise: Run, reports: list[int]) -> None:
    for report in reports[:3]:
        pgreprise("rerun-batch", str(report))
    page = pgreprise("batches", "--limit", "2")
    assert page.stderr == "Earlier batches: --before 2\n"
    [row] = json.loads(pgreprise("batches", "--before", "2", "--json").stdout)
    assert row["id"] == 1
