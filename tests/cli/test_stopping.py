"""Someone stops a command: by a signal, by Ctrl-C, by closing the terminal. And the disk is full, or has no right."""

from __future__ import annotations

import json
import os
import pty
import resource
import select
import signal
import subprocess
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import URL

from pyapi.settings import Settings
from tests.support.command import PROGRAM, Run, environment, run
from tests.support.databases import Connect, Connection, folder_of_a_server, plain
from tests.support.factories import add_report, add_simulation, set_versions
from tests.support.ports import unused_port
from tests.support.statements import one
from tests.support.workers import until

pytestmark = pytest.mark.needs("time")

READY = b"Ctrl-C stops it"


class Terminal:
    """A terminal in which a command runs, as a shell starts it there."""

    def __init__(self, *command: str | Path, **settings: str) -> None:
        self.said = b""
        self.process_id, self._file = pty.fork()
        if self.process_id == 0:
            os.execve(command[0], [str(word) for word in command], environment(**settings))
        self._is_open = True
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self) -> None:
        while self._is_open:
            if select.select([self._file], [], [], 0.05)[0]:
                try:
                    self.said += os.read(self._file, 4096)
                except OSError:
                    # Nobody has the terminal any more.
                    return

    def until(self, text: bytes) -> None:
        """Wait until the command has said something."""
        while text not in self.said:
            assert self._reader.is_alive(), self.said.decode()
            time.sleep(0.02)

    def type(self, keys: bytes) -> None:
        os.write(self._file, keys)

    def close(self) -> None:
        """Close the window."""
        self._is_open = False
        self._reader.join()
        os.close(self._file)

    def ended(self) -> int:
        """The exit code, as a shell tells it."""
        _, status = os.waitpid(self.process_id, 0)
        if self._is_open:
            self.close()
        return os.waitstatus_to_exitcode(status)


@pytest.fixture(scope="module")
def data() -> Iterator[dict[str, str]]:
    """The settings of a data folder whose name needs quotes everywhere, which the tests use one after the other."""
    with folder_of_a_server() as folder:
        version = Settings.from_environment().postgres_version
        settings = {
            "PGREPRISE_DATA": str(Path(folder) / "it's Übung + 100%"),
            "PGREPRISE_POSTGRES_VERSION": str(version),
        }
        assert run("migrate", **settings).returncode == 0
        assert run("sample", "load", **settings).returncode == 0
        yield settings


def is_stopped(data: dict[str, str]) -> bool:
    [cluster] = Path(data["PGREPRISE_DATA"]).glob("postgresql-*")
    return not (cluster / "postmaster.pid").exists()


def serves(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/readiness-check", timeout=30) as reply:
            return bool(reply.status == 200)
    except urllib.error.URLError:
        return False


def start(*command: str | Path, **settings: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        command, env=environment(**settings), stdout=subprocess.PIPE, stderr=subprocess.PIPE, encoding="utf-8"
    )


def until_ready(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    said = ""
    for line in process.stdout:
        said += line
        if "psql> call" in line:
            return said
    pytest.fail(said + process.communicate()[1])


# --- both servers -----------------------------------------------------------------------------


def test_two_runs_in_one_folder_share_the_database_until_the_second_one_ends(data: dict[str, str]) -> None:
    ports = unused_port(), unused_port()
    first = start(PROGRAM, "up", **data, PORT=str(ports[0]))
    said = until_ready(first)
    second = start(PROGRAM, "up", **data, PORT=str(ports[1]))
    until_ready(second)
    [line] = [line.split("psql   ")[1] for line in said.splitlines() if "psql   " in line]
    # As somebody copies it into a shell.
    shown = subprocess.run(
        f"{line} -Atc 'call rerun_report(1)'",
        shell=True,
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
    assert (shown.returncode, shown.stderr) == (0, "")

    first.terminate()
    assert first.communicate(timeout=60) == ("", "")
    assert first.returncode == 0
    assert serves(ports[1])
    assert not serves(ports[0])
    second.send_signal(signal.SIGHUP)
    assert second.communicate(timeout=60) == ("", "")
    assert second.returncode == 0
    assert is_stopped(data)


@pytest.mark.parametrize("how", ["closed", pytest.param("Ctrl-C", marks=pytest.mark.needs("time"))])
def test_up_ends_with_its_terminal_and_both_servers_stop(data: dict[str, str], port: int, how: str) -> None:
    terminal = Terminal(PROGRAM, "up", **data, PORT=str(port))
    terminal.until(READY)
    assert serves(port)
    if how == "closed":
        terminal.close()
    else:
        terminal.type(b"\x03")
    terminal.ended()
    assert b"Traceback" not in terminal.said
    assert not serves(port)
    assert is_stopped(data)


@pytest.mark.needs("time")
def test_up_under_nohup_outlives_its_terminal(data: dict[str, str], port: int) -> None:
    process = start("/bin/sh", "-c", 'trap "" HUP; exec "$0" up', PROGRAM, **data, PORT=str(port))
    until_ready(process)
    process.send_signal(signal.SIGHUP)
    assert serves(port)
    process.send_signal(signal.SIGINT)
    assert process.communicate(timeout=60) == ("", "")
    assert is_stopped(data)


def test_a_command_at_work_ends_with_its_terminal_and_stops_the_database(data: dict[str, str]) -> None:
    terminal = Terminal(PROGRAM, "psql", **data, TERM="dumb", PAGER="cat")
    terminal.until(b"pgreprise=# ")
    terminal.close()
    terminal.ended()
    assert is_stopped(data)


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_stopped_command_says_in_one_document_what_it_has_done(
    database: URL, dba: Connection, connect: Connect, number: int, code: int
) -> None:
    set_versions(dba)
    reports = [add_report(dba, add_simulation(dba, population_type="household")) for _ in range(2)]
    holder = connect(autocommit=False)
    holder.execute("select from public.report_outputs where id = %s for update", (reports[1],))
    process = start(PROGRAM, "rerun", "us", *map(str, reports), "--json", DATABASE_URL=plain(database))
    waits = "select from pg_stat_activity where %s = any (pg_blocking_pids(pid))"
    until(lambda: dba.execute(waits, (holder.info.backend_pid,)).fetchall())
    process.send_signal(number)
    out, _ = process.communicate(timeout=60)
    done = json.loads(out)
    assert (process.returncode, done[0]["report_id"], done[0]["status"]) == (code, reports[0], "ok")
    assert [row["message"] for row in done[1:]] == (["Stopped."] if number == signal.SIGINT else [])


# --- a disk that is full ----------------------------------------------------------------------


@pytest.mark.parametrize("arguments", [("--help",), ("migrate", "--sql"), ("setting", "show", "--json")], ids=" ".join)
def test_an_output_that_cannot_be_written_is_a_sentence(database: URL, arguments: tuple[str, ...]) -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [PROGRAM, *arguments],
            env=environment(DATABASE_URL=plain(database)),
            stdout=full,
            stderr=subprocess.PIPE,
            encoding="utf-8",
            check=False,
        )
    assert (done.returncode, done.stderr) == (1, "error: No space left on device\n")


def with_closed(closed: str, *arguments: str, database: URL) -> subprocess.CompletedProcess[str]:
    """Run the command with a stream that is closed, as a shell does for ``>&-``."""
    return subprocess.run(
        ["sh", "-c", f'"$@" {closed}', "sh", PROGRAM, *arguments],
        env=environment(DATABASE_URL=plain(database)),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        encoding="utf-8",
        check=False,
    )


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_a_command_whose_streams_are_closed_does_its_work_and_ends_well(
    database: URL, dba: Connection, closed: str
) -> None:
    set_versions(dba)
    report = add_report(dba, add_simulation(dba, population_type="household"))
    done = with_closed(closed, "rerun", "us", str(report), database=database)
    assert (done.returncode, done.stderr) == (0, "")
    assert one(dba, "select status from report_outputs where id = %s", report)["status"] == "pending"


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("rerun-batch", "--ids-file", "-"), "Error: The file of --ids-file holds no report id.\n"),
        (("migrate", "--to", "nonsense"), "error: Can't locate revision identified by 'nonsense'.\n"),
    ],
    ids=lambda given: " ".join(given) if isinstance(given, tuple) else "",
)
def test_without_an_input_a_command_says_what_it_lacks(database: URL, arguments: tuple[str, ...], told: str) -> None:
    done = with_closed("<&- >&-", *arguments, database=database)
    assert done.returncode == 2
    assert done.stderr.endswith(told)


def test_a_program_that_a_command_starts_has_its_streams_too(database: URL) -> None:
    done = with_closed(">&-", "psql", "-c", "select 1", database=database)
    assert (done.returncode, done.stderr) == (0, "")


def test_an_embedded_server_that_finds_no_room_is_a_sentence_and_leaves_nothing_half_made(plain_folder: Path) -> None:
    def leave_no_room() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (1024**2, 1024**2))

    done = subprocess.run(
        [PROGRAM, "migrate"],
        env=environment(PGREPRISE_DATA=str(plain_folder)),
        preexec_fn=leave_no_room,
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith(f"error: the embedded PostgreSQL in {plain_folder}/postgresql-")
    assert len(done.stderr.splitlines()) == 1
    assert not list(plain_folder.glob("postgresql-*"))


# --- psql -------------------------------------------------------------------------------------


@pytest.fixture
def arguments_and_environment(pgreprise: Run, tmp_path: Path) -> Callable[[str], tuple[str, str]]:
    """What `pgreprise psql` gives to psql for a URL: its arguments, and its environment with the file of services."""
    (tmp_path / "psql").write_text(
        '#!/bin/sh\ncd "$(dirname "$0")"\nprintf "%s\\n" "$@" >arguments\nenv >environment\n'
        '[ -z "$PGSERVICEFILE" ] || cat "$PGSERVICEFILE" >>environment\n'
    )
    (tmp_path / "psql").chmod(0o755)

    def ask(url: str) -> tuple[str, str]:
        done = pgreprise("psql", "-c", "select 1", DATABASE_URL=url, PATH=f"{tmp_path}:{os.environ['PATH']}")
        assert (done.returncode, done.stderr) == (0, "")
        environment = (tmp_path / "environment").read_text()
        return (tmp_path / "arguments").read_text(), environment.replace(url, "")

    return ask


def test_psql_gets_passwords_by_the_environment_and_never_as_an_argument(
    arguments_and_environment: Callable[[str], tuple[str, str]],
) -> None:
    given, variables = arguments_and_environment(
        "postgresql://u:s3cret%20%27x@db.example.org:6432/reports?sslmode=require"
    )
    assert given == "host=db.example.org dbname=reports user=u port=6432 sslmode=require\n-c\nselect 1\n"
    assert "PGPASSWORD=s3cret 'x\n" in variables

    given, variables = arguments_and_environment("postgresql://u@db/reports?password=s3cret&sslpassword=al%20so")
    assert "s3cret" not in given
    assert "al" not in given
    assert "PGPASSWORD=s3cret\n" in variables
    assert "sslpassword=al so\n" in variables
