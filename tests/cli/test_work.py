"""A worker that is a command of the user: it computes what is pending, and nothing is lost whatever happens to it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import URL

from tests.support.claims import age, claim, claims, status_of
from tests.support.command import Run, run_here
from tests.support.databases import Connection, plain
from tests.support.factories import ODD_JSON, add_economy_report, add_report, add_simulation, set_versions
from tests.support.projects import PROJECT
from tests.support.statements import one, rerun
from tests.support.workers import WAITS, WHOLE, Worker, begun, is_gone, started, until, write_command

EXAMPLE = str(PROJECT / "examples" / "compute")
long = pytest.mark.needs("time")
NewCommand = Callable[[str], str]
Start = Callable[..., Worker]


@pytest.fixture
def report(dba: Connection) -> int:
    """An economy report that was rerun, and so waits with both simulations."""
    set_versions(dba)
    made, _, _ = add_economy_report(dba)
    rerun(dba, made)
    return made


@pytest.fixture
def command(tmp_path: Path) -> NewCommand:
    """Makes a command of lines of Python; see write_command."""
    return partial(write_command, tmp_path)


@pytest.fixture
def once(pgreprise: Run) -> Run:
    """Runs `pgreprise work --once` with a command."""
    return lambda command, *options: pgreprise("work", "--once", "--poll", "0.05s", "--command", command, *options)


@pytest.fixture
def start(database: URL) -> Iterator[Start]:
    """Starts `pgreprise work` with a command, as a process; what a test leaves running is ended."""
    with started() as start_on:
        yield partial(start_on, database)


def run_on(database: URL, command: str) -> subprocess.CompletedProcess[str]:
    """Run `pgreprise work --once` on another database."""
    return run_here("work", "--once", "--command", command, DATABASE_URL=plain(database))


def stored(dba: Connection, report: int) -> dict[str, Any]:
    return one(dba, "select status, error_message, output::text as output from report_outputs where id = %s", report)


def attempts(dba: Connection, report: int) -> list[tuple[Any, ...]]:
    """How each attempt ended, the first one first."""
    found = dba.execute("select * from report_attempts(%s)", (report,)).fetchall()
    return [(row["attempt"], row["ended_as"], row["counts"]) for row in reversed(found)]


# --- what is computed ------------------------------------------------------------------------


def test_the_example_computes_what_is_pending(
    once: Run, dba: Connection, report: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COMPUTE_SECONDS", "0")
    done = once(EXAMPLE, "--name", "worker 7")
    assert (done.returncode, done.stderr) == (0, "")
    first, last = done.stdout.splitlines()
    assert first == f"Report #{report} of us, run 2, attempt 1: claimed."
    assert last.startswith(f"Report #{report} of us, run 2: complete after ")
    assert stored(dba, report) == {
        "status": "complete",
        "error_message": None,
        "output": '{"budget": {"budgetary_impact": 1000000}}',
    }
    [attempt] = dba.execute("select * from report_attempts(%s)", (report,)).fetchall()
    assert (attempt["worker"], attempt["ended_as"]) == ("worker 7", "complete")
    assert one(dba, "select count(*) as n from simulations where status = 'complete'")["n"] == 2


def test_a_command_reads_what_is_to_be_computed(
    once: Run, command: NewCommand, dba: Connection, tmp_path: Path
) -> None:
    set_versions(dba)
    done = add_simulation(dba, output=ODD_JSON)
    waits = add_simulation(dba, policy_id=3, status="pending", output=None)
    report = add_report(dba, done, waits, status="pending", output=None, report_spec_json={"kind": [1.50]})
    assert once(command(f"(here / 'work').write_text(json.dumps(work))\n{WHOLE}")).returncode == 0
    work = json.loads((tmp_path / "work").read_text())
    claim_id = one(dba, "select claim_id::text as id from pgreprise.claim")["id"]
    shared = {"run_sequence": 1, "population_id": "state/ny", "population_type": "geography"}
    assert work == {
        "claim_id": claim_id,
        "report_id": report,
        "country_id": "us",
        "run_sequence": 1,
        "attempt": 1,
        "report_type": "geography",
        "year": "2025",
        "region": "state/ny",
        "report_spec_json": {"kind": [1.5]},
        "simulations": [
            {
                **shared,
                "simulation_id": done,
                "policy_id": 2,
                "status": "complete",
                "computes": False,
                "output": json.loads(ODD_JSON),
                "error_message": None,
            },
            {**shared, "simulation_id": waits, "policy_id": 3, "status": "running", "computes": True},
        ],
    }


LINES = """
for s in work["simulations"]:
    print('{"output": ' + odd + ', "simulation_id": ' + str(s["simulation_id"]) + '}')
print('{"report":' + odd + '}')
"""
DOCUMENT = """
each = ", ".join('"' + str(s["simulation_id"]) + '": ' + odd for s in work["simulations"])
print('{' + space + '"simulations" :{' + each + '}, "report": ' + odd + space + '}', end=space)
"""


@pytest.mark.parametrize(
    ("program", "odd", "space"),
    [(LINES, ODD_JSON.replace("\n", ""), ""), (DOCUMENT, ODD_JSON, ""), (DOCUMENT, ODD_JSON, "\n\n")],
    ids=["lines", "document", "document of several lines"],
)
def test_what_a_command_prints_is_stored_byte_for_byte(
    once: Run, command: NewCommand, dba: Connection, report: int, program: str, odd: str, space: str
) -> None:
    done = once(command(f"odd, space = {odd.strip()!r}, {space!r}{program}"))
    assert done.returncode == 0, done.stdout
    assert stored(dba, report)["output"] == odd.strip()
    found = dba.execute("select output::text as output from simulations").fetchall()
    assert [row["output"] for row in found] == [odd.strip()] * 2


@long
def test_a_simulation_that_is_printed_is_free_for_others_at_once(
    start: Start, command: NewCommand, dba: Connection, tmp_path: Path
) -> None:
    set_versions(dba)
    shared = add_simulation(dba, status="pending", output=None)
    first, second = (add_report(dba, shared, status="pending", output=None) for _ in range(2))
    waits = "if any(s['computes'] for s in work['simulations']): wait_for('go')"
    of_each = (
        "for s in work['simulations']:\n"
        "    if s['computes']: print(json.dumps({'simulation_id': s['simulation_id'], 'output': 1}), flush=True)\n"
    )
    start(command(f"{of_each}\n{waits}\nprint('{{\"report\": 1}}')"), "--jobs", "2")
    until(lambda: status_of(dba, "report_outputs", second) == "complete")
    assert status_of(dba, "report_outputs", first) == "running"
    (tmp_path / "go").touch()
    until(lambda: status_of(dba, "report_outputs", first) == "complete")


@long
def test_several_reports_are_computed_at_once(start: Start, command: NewCommand, dba: Connection) -> None:
    set_versions(dba)
    reports = [add_report(dba, add_simulation(dba), status="pending", output=None) for _ in range(4)]
    meet = f"(here / str(work['report_id'])).touch()\nwait_for(*{reports[:3]})"
    start(command(f"{meet}\nprint('{{\"report\": 1}}')"), "--jobs", "3")
    until(lambda: {status_of(dba, "report_outputs", report) for report in reports} == {"complete"})


def test_a_worker_keeps_to_a_country_and_a_type(once: Run, command: NewCommand, dba: Connection) -> None:
    set_versions(dba)
    household = add_report(dba, add_simulation(dba, population_type="household"), status="pending", output=None)
    economy = add_report(dba, add_simulation(dba), status="pending", output=None)
    prints = command("print('{\"report\": 1}')")
    assert once(prints, "--country", "us", "--report-type", "geography").returncode == 0
    assert [status_of(dba, "report_outputs", each) for each in (household, economy)] == ["pending", "complete"]
    refused = once(prints, "--country", "zz")
    assert (refused.returncode, "RR008" in refused.stderr) == (1, True)


@long
def test_progress_and_messages_are_shown_while_a_command_works(
    start: Start, command: NewCommand, dba: Connection, report: int, tmp_path: Path
) -> None:
    def shown() -> tuple[Any, ...]:
        [row] = dba.execute("select progress::text, message from open_claims()").fetchall() or [{"progress": None}]
        return tuple(row.values())

    start(
        command(
            "say = lambda text: print(text, file=sys.stderr, flush=True)\n"
            "say('progress 0.4 reading'); wait_for(1)\n"
            "say('a warning'); wait_for(2)\n"
            'say(\'{"progress": 0.75, "message": "adding \\\\u0000 up"}\'); wait_for(3)\n'
            f"say('progress 1'); {WHOLE}"
        )
    )
    for number, news in enumerate((("0.4", "reading"), ("0.4", "a warning"), ("0.75", "adding \ufffd up")), start=1):
        until(lambda news=news: shown() == news)
        (tmp_path / str(number)).touch()
    until(lambda: status_of(dba, "report_outputs", report) == "complete")


@long
def test_a_hint_lets_a_worker_look_at_once(start: Start, command: NewCommand, dba: Connection) -> None:
    set_versions(dba)
    dba.execute("select set_setting('notify_workers', 'on')")
    report = add_report(dba, add_simulation(dba, population_type="household"))
    start(command(WHOLE), "--poll", "1h")
    until(
        lambda: dba.execute("select 1 as found from pg_stat_activity where query ilike 'listen pgreprise%'").fetchone()
    )
    rerun(dba, report)
    until(lambda: status_of(dba, "report_outputs", report) == "complete")


# --- what fails ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ("sys.exit(3)", "The command ended with exit code 3."),
        ("sys.exit('no data for 2031')", "The command ended with exit code 1: no data for 2031"),
        ("print('a\\nb\\0', file=sys.stderr); sys.exit(2)", "The command ended with exit code 2: a\nb\ufffd"),
        ("os.kill(os.getpid(), signal.SIGKILL)", "The command was ended by signal 9."),
        ("pass", "The command printed no result of the report."),
        ("print('done')", "The command printed what is no result: 'done'. What is not a JSON object belongs on its "),
        ("print('{\"report\": ')", "The command printed what is not JSON: Expecting value: line"),
        ("print('{\"report\": NaN}')", "The command printed NaN, which is not JSON."),
        ('print(\'{"report": 1, "x": 2}\')', "The command printed an object with report, x. A result has "),
        ('print(\'{"report": 1, "report": 2}\')', "The command printed the name 'report' twice in one object."),
        ('print(\'{"report": 1}\\n{"report": 2}\')', "The command printed two results of the same."),
        ('print(\'{"simulation_id": "5", "output": 2}\')', 'The command printed "5" where the id of a '),
        ('print(\'{"simulation_id": 999, "output": 2}\')', "Simulation #999 not found. (RR007)"),
        ("print('{\"report\": 1}')", "Report #1 cannot be finished before simulations #1 and #2. (RR031)"),
        ('print(\'{"report": "\\\\u0000"}\')', ""),
        ("print('[' * 100000)", "The command printed what is no result: '[[["),
        ("print('{\"report\": ' + '[' * 100000)", "The command printed a value that is nested too deep."),
        ("sys.stdout.buffer.write(b'\\xff\\n')", "The command printed bytes that are not UTF-8."),
        ("print('{\"report\": \"' + 'x' * 2**21)", "The command printed a result of more than 1048576 bytes."),
    ],
    ids=lambda value: value[:30],
)
def test_a_report_whose_command_fails_is_an_error_that_says_why(
    once: Run, command: NewCommand, dba: Connection, report: int, lines: str, message: str
) -> None:
    done = once(command(lines), "--max-output", "1")
    assert (done.returncode, done.stderr) == (1, "")
    found = stored(dba, report)
    assert found["status"] == "error"
    assert found["error_message"].startswith(message)
    assert "failed after" in done.stdout.splitlines()[-1]
    assert attempts(dba, report) == [(1, "error", True)]
    # They are for the next run, and for others.
    assert {row["status"] for row in dba.execute("select status from simulations")} == {"pending"}


def test_after_a_report_that_fails_the_next_ones_are_computed(once: Run, command: NewCommand, dba: Connection) -> None:
    set_versions(dba)
    reports = [add_report(dba, add_simulation(dba), status="pending", output=None) for _ in range(3)]
    done = once(command(f"if work['report_id'] == {reports[1]}: sys.exit(1)\nprint('{{\"report\": 1}}')"))
    assert done.returncode == 1
    assert [status_of(dba, "report_outputs", each) for each in reports] == ["complete", "error", "complete"]


def test_a_simulation_may_fail_alone(once: Run, command: NewCommand, dba: Connection, report: int) -> None:
    lines = (
        "a, b = (s['simulation_id'] for s in work['simulations'])\n"
        "print(json.dumps({'simulation_id': a, 'error_message': 'no data \\ud800'}))\n"
        "print(json.dumps({'simulations': {b: 1}}))\n"
        "print(json.dumps({'report': {'left_out': a}}))"
    )
    assert once(command(lines)).returncode == 0
    found = dba.execute("select status, error_message from simulations order by id").fetchall()
    assert [tuple(row.values()) for row in found] == [("error", "no data ?"), ("complete", None)]
    assert status_of(dba, "report_outputs", report) == "complete"


def test_exit_code_75_means_later(once: Run, command: NewCommand, dba: Connection, report: int) -> None:
    done = once(command("print('no licence', file=sys.stderr); sys.exit(75)"), "--retry-after", "1h")
    assert done.returncode == 0
    assert "put off after" in done.stdout
    assert stored(dba, report) == {"status": "pending", "error_message": None, "output": None}
    assert attempts(dba, report) == [(1, "error", True)]
    assert claims(dba) == []


def test_a_command_that_does_not_read_its_input_is_no_fault(once: Run, dba: Connection) -> None:
    set_versions(dba)
    computed = add_simulation(dba, output={"budget": "x" * 2**20})
    report = add_report(dba, computed, status="pending", output=None)
    assert once("""sh -c 'exec 0<&-; echo "{\\"report\\": 1}"'""").returncode == 0
    assert stored(dba, report)["output"] == "1"


def test_what_a_trigger_of_the_application_refuses_is_left_alone(
    once: Run, command: NewCommand, dba: Connection, report: int
) -> None:
    dba.execute("create function public.no() returns trigger language plpgsql as "
                "$$ begin raise exception 'not on a Sunday'; end $$")  # fmt: skip
    dba.execute("create trigger no before update on report_outputs for each row "
                "when (new.status in ('complete', 'error')) execute function no()")  # fmt: skip
    done = once(command(WHOLE))
    assert "left alone after" in done.stdout
    assert "not on a Sunday" in done.stdout
    # It counts as lost when its lease is over, so it does not come back for ever.
    assert attempts(dba, report) == [(1, None, True)]


@pytest.mark.parametrize(
    ("typed", "said"),
    [("./nothing", "there is no program './nothing'"), ("", "it is empty"), ("'x", "cannot be read")],
)
@pytest.mark.usefixtures("report")
def test_a_command_that_is_none_is_wrong_usage_and_claims_nothing(
    once: Run, dba: Connection, typed: str, said: str
) -> None:
    done = once(typed)
    assert done.returncode == 2
    assert said in done.stderr
    assert one(dba, "select count(*) as n from pgreprise.claim")["n"] == 0


def test_a_command_that_cannot_be_started_ends_the_worker_and_no_report(
    once: Run, dba: Connection, report: int, tmp_path: Path
) -> None:
    made = tmp_path / "compute"
    made.write_text("no program")
    made.chmod(0o700)
    done = once(str(made))
    assert (done.returncode, "Exec format error" in done.stderr) == (1, True)
    assert "given back" in done.stdout
    assert status_of(dba, "report_outputs", report) == "pending"
    assert attempts(dba, report) == [(1, "released", False)]


def test_a_worker_without_a_database_of_ours_says_so(command: NewCommand, empty_database: URL) -> None:
    refused = run_on(empty_database, command(WHOLE))
    assert (refused.returncode, "pgreprise migrate" in refused.stderr) == (1, True)


@pytest.mark.usefixtures("report")
@pytest.mark.parametrize("option", [("--lease", "0.5s"), ("--lease", "25h"), ("--name", "x" * 201)], ids=" ".join)
def test_a_claim_that_cannot_be_is_refused_by_the_database(
    once: Run, command: NewCommand, dba: Connection, option: tuple[str, str]
) -> None:
    done = once(command(WHOLE), *option)
    assert (done.returncode, "(RR016)" in done.stderr) == (1, True)
    assert one(dba, "select count(*) as n from pgreprise.claim")["n"] == 0


# --- what happens meanwhile ------------------------------------------------------------------


@pytest.mark.parametrize(
    "number", [signal.SIGTERM, pytest.param(signal.SIGINT, marks=long), pytest.param(signal.SIGHUP, marks=long)]
)
def test_a_worker_that_is_to_stop_gives_its_report_back_at_once(
    start: Start, command: NewCommand, dba: Connection, report: int, tmp_path: Path, number: signal.Signals
) -> None:
    worker = start(command(WAITS), "--lease", "1h")
    processes = begun(tmp_path)
    worker.send_signal(number)
    out, err = worker.communicate(timeout=60)
    assert (worker.returncode, err) == (0, "")
    assert out.splitlines()[-1].startswith(f"Report #{report} of us, run 2: given back after ")
    assert all(map(is_gone, processes))
    assert attempts(dba, report) == [(1, "released", False)]
    assert claim(dba)["report_id"] == report


@long
def test_a_command_that_does_not_want_to_end_is_killed(
    start: Start, command: NewCommand, dba: Connection, report: int, tmp_path: Path
) -> None:
    worker = start(command(f"signal.signal(signal.SIGTERM, signal.SIG_IGN)\n{WAITS}"), "--grace", "0.2s")
    processes = begun(tmp_path)
    worker.terminate()
    assert worker.wait(timeout=60) == 0
    assert all(map(is_gone, processes))
    assert status_of(dba, "report_outputs", report) == "pending"


@long
def test_a_command_that_ends_well_when_it_is_asked_to_is_given_back_too(
    start: Start, command: NewCommand, dba: Connection, report: int, tmp_path: Path
) -> None:
    worker = start(command(f"signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))\n{WAITS}"))
    begun(tmp_path)
    worker.terminate()
    assert worker.wait(timeout=60) == 0
    assert status_of(dba, "report_outputs", report) == "pending"
    assert attempts(dba, report) == [(1, "released", False)]


@long
def test_a_worker_whose_output_nobody_reads_gives_back_and_ends(
    start: Start, command: NewCommand, dba: Connection, tmp_path: Path
) -> None:
    set_versions(dba)
    reports = [add_report(dba, add_simulation(dba), status="pending", output=None) for _ in range(2)]
    worker = start(command(f"(here / 'begun').touch()\nwait_for('go')\n{WHOLE}"))
    until((tmp_path / "begun").exists)
    assert worker.stdout is not None
    worker.stdout.close()
    (tmp_path / "go").touch()
    assert worker.wait(timeout=60) == 1
    assert worker.stderr is not None
    assert "Traceback" not in worker.stderr.read()
    assert [status_of(dba, "report_outputs", each) for each in reports] == ["complete", "pending"]
    worker.stdout = None


@long
def test_a_worker_that_is_ended_together_with_its_command_gives_back(
    start: Start, command: NewCommand, dba: Connection, report: int, tmp_path: Path
) -> None:
    # As a service manager ends both.
    worker = start(command(WAITS))
    process, _ = begun(tmp_path)
    os.kill(process, signal.SIGTERM)
    worker.terminate()
    assert worker.wait(timeout=60) == 0
    assert attempts(dba, report) == [(1, "released", False)]


def test_the_next_worker_takes_over_from_one_that_was_killed(
    start: Start, command: NewCommand, dba: Connection, report: int, tmp_path: Path
) -> None:
    killed = start(command(WAITS), "--lease", "1s", "--name", "worker 1")
    processes = begun(tmp_path)
    killed.kill()
    killed.wait(timeout=60)
    for process in processes:
        os.kill(process, signal.SIGKILL)
    (tmp_path / "go").touch()
    start(command(WAITS), "--name", "worker 2")
    until(lambda: status_of(dba, "report_outputs", report) == "complete")
    assert attempts(dba, report) == [(1, "lost", True), (2, "complete", True)]


@long
def test_a_heartbeat_keeps_the_claim_of_a_command_that_takes_longer_than_the_lease(
    start: Start, command: NewCommand, dba: Connection, report: int, tmp_path: Path
) -> None:
    start(command(WAITS), "--lease", "1s")
    begun(tmp_path)
    first = one(dba, "select lease_until from pgreprise.claim")["lease_until"]
    until(lambda: one(dba, "select clock_timestamp() > %s as is_later", first)["is_later"])
    assert claims(dba, "worker 2") == []
    (tmp_path / "go").touch()
    until(lambda: status_of(dba, "report_outputs", report) == "complete")
    assert attempts(dba, report) == [(1, "complete", True)]


@long
def test_a_run_that_is_cancelled_ends_its_command(
    start: Start, command: NewCommand, pgreprise: Run, dba: Connection, report: int, tmp_path: Path
) -> None:
    worker = start(command(WAITS), "--lease", "1s", "--once")
    processes = begun(tmp_path)
    done = pgreprise("cancel-run", "us", str(report), "--reason", "wrong year")
    assert done.stdout.startswith(f"Run 2 of report #{report} ends when its worker hears of it")
    out, _ = worker.communicate(timeout=60)
    assert worker.returncode == 0
    assert "given up after" in out
    assert all(map(is_gone, processes))
    assert stored(dba, report)["error_message"] == "The run was cancelled: wrong year."
    assert attempts(dba, report) == [(1, "cancelled", False)]


@long
def test_a_claim_that_is_over_ends_its_command(
    start: Start, command: NewCommand, dba: Connection, report: int, tmp_path: Path
) -> None:
    worker = start(command(WAITS), "--lease", "1s", "--once")
    processes = begun(tmp_path)
    rerun(dba, report)
    # The next run is taken before the worker looks for it.
    claim(dba, report, "worker 2")
    out, _ = worker.communicate(timeout=60)
    assert worker.returncode == 0
    assert "given up after" in out
    assert all(map(is_gone, processes))
    assert attempts(dba, report) == [(1, "superseded", False), (1, None, True)]


@long
def test_a_late_worker_does_not_finish_what_another_one_holds(
    start: Start, command: NewCommand, dba: Connection, report: int, tmp_path: Path
) -> None:
    worker = start(command(f"(here / 'begun').touch()\nwait_for('go')\n{WHOLE}"), "--lease", "1h", "--once")
    until((tmp_path / "begun").exists)
    lost = one(dba, "select claim_id from pgreprise.claim")
    age(dba, lost)
    taken = claim(dba, report, "worker 2")
    (tmp_path / "go").touch()
    out, _ = worker.communicate(timeout=60)
    assert "is over: lost" in out
    assert status_of(dba, "report_outputs", report) == "running"
    assert one(dba, "select ended_as from pgreprise.claim where claim_id = %s", taken["claim_id"])["ended_as"] is None
