"""Someone starts the API, with everything (`up`, which is `make run`) or alone (`serve`), uses it and stops it."""

from __future__ import annotations

import configparser
import json
import os
import re
import shlex
import signal
import socket
import subprocess
import textwrap
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import psutil
import pytest
from sqlalchemy import URL

from pyapi.api import server
from pyapi.api.address import Address
from pyapi.cli import cli
from pyapi.settings import Settings
from tests.support.command import PROGRAM, Run, environment, run
from tests.support.databases import Connect, Connection, plain
from tests.support.databases import connect as connect_to
from tests.support.factories import add_report, add_simulation
from tests.support.hosts import LEGACY
from tests.support.projects import PROJECT
from tests.support.snapshots import snapshot

pytestmark = pytest.mark.needs("time")

Start = Callable[..., subprocess.Popen[str]]

READY = "pgreprise is ready. Ctrl-C stops it."


@pytest.fixture
def start() -> Iterator[Start]:
    """Starts the command as a shell does; what a test leaves running is stopped."""
    started: list[subprocess.Popen[str]] = []

    def start_command(*arguments: str, program: Path = PROGRAM, **settings: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [program, *arguments],
            env=environment(**settings),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            encoding="utf-8",
            # A group of its own, to which a terminal's Ctrl-C goes.
            start_new_session=True,
        )
        started.append(process)
        return process

    yield start_command
    for process in started:
        if process.poll() is None:
            process.terminate()
            process.communicate(timeout=60)


def said_until(process: subprocess.Popen[str], line: str) -> str:
    """What the command printed up to a line; fails where it ended before."""
    assert process.stdout is not None
    said = []
    for printed in process.stdout:
        said.append(printed)
        if line in printed:
            return "".join(said)
    pytest.fail(f"it ended: {''.join(said)}{process.communicate()[1]}")


def answer(url: str, method: str = "GET") -> tuple[int, dict[str, Any]]:
    """Status and envelope of a reply, asked for until somebody listens."""
    for _ in range(200):
        try:
            with urllib.request.urlopen(urllib.request.Request(url, method=method), timeout=30) as reply:
                return reply.status, json.load(reply)
        except urllib.error.HTTPError as error:
            return error.code, json.load(error)
        except urllib.error.URLError:
            time.sleep(0.05)
    pytest.fail(f"nobody listens on {url}")


def ended(process: subprocess.Popen[str]) -> tuple[int, str]:
    """Exit code and complaints of a command that is to end."""
    _, complaints = process.communicate(timeout=60)
    return process.returncode, complaints


def is_free(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) != 0


# --- everything ------------------------------------------------------------------------------


def test_up_starts_everything_prints_lines_that_work_stops_cleanly_and_keeps_the_data(
    start: Start, port: int, plain_folder: Path
) -> None:
    version = str(Settings.from_environment().postgres_version)
    settings = {"PGREPRISE_DATA": str(plain_folder), "PORT": str(port), "PGREPRISE_POSTGRES_VERSION": version}
    process = start("up", **settings)
    said = said_until(process, "psql> call")
    assert READY in said
    api = f"http://127.0.0.1:{port}"
    assert f"API      {api}\n  console  {api}/console\n" in said
    assert re.search(r"report #\d+ of \w\w, household\n", said)
    assert re.search(r"report #\d+ of \w\w, economy\n", said)

    [path] = re.findall(rf"curl -X POST {api}(/\S+/rerun)\n", said)
    status, envelope = answer(api + path, "POST")
    assert (status, envelope["message"]) == (200, "Report rerun reset successfully")
    [report] = re.findall(r"/report/(\d+)/", path)
    [line] = re.findall(r"psql   (.*)\n", said)
    query = f"select status from get_report({report})"  # noqa: S608
    psql = [*shlex.split(line), "-Atc", query]
    assert subprocess.check_output(psql, encoding="utf-8") == "pending\n"
    # The API's role may call routines and read no table.
    sessions = (
        "select string_agg(distinct usename, ','), bool_or(has_table_privilege(usename, 'simulations', 'select'))"
        " from pg_stat_activity where application_name = 'pgreprise'"
    )
    assert run("psql", "-Atc", sessions, **settings).stdout == "pgreprise_serve|f\n"
    # Another command works beside it, and does not stop the server as it leaves.
    assert run("psql", "-Atc", query, **settings).stdout == "pending\n"
    assert answer(f"{api}/readiness-check")[0] == 200

    taken = run("up", **settings)
    assert (taken.returncode, taken.stdout) == (1, "")
    assert taken.stderr == f"error: port {port} on 127.0.0.1 is taken; choose another, for example PORT={port + 1}\n"

    os.killpg(process.pid, signal.SIGINT)
    assert ended(process) == (0, "")
    assert is_free(port)
    assert not (plain_folder / f"postgresql-{version}" / "postmaster.pid").exists()

    again = start("up", **settings)
    said_until(again, "psql> call")
    assert answer(f"{api}/{path.split('/')[1]}/report/{report}")[1]["result"]["status"] == "pending"
    again.terminate()
    assert ended(again) == (0, "")
    assert not (plain_folder / f"postgresql-{version}" / "postmaster.pid").exists()


def test_up_on_a_server_of_ones_own_migrates_it_and_fills_empty_tables_only(
    start: Start, port: int, empty_database: URL
) -> None:
    settings = {"DATABASE_URL": plain(empty_database), "PORT": str(port)}
    process = start("up", **settings)
    said = said_until(process, "psql> call")
    assert f"'{plain(empty_database)}'" in said
    assert answer(f"http://127.0.0.1:{port}/uk/report/1")[0] == 200
    process.terminate()
    assert ended(process) == (0, "")


def test_up_leaves_the_rows_of_an_adopted_database_alone(start: Start, port: int, empty_database: URL) -> None:
    settings = {"DATABASE_URL": plain(empty_database), "PORT": str(port)}
    with connect_to(empty_database) as connection:
        connection.execute(LEGACY)
        if not connection.execute("select from public.report_outputs").fetchall():
            add_report(connection, add_simulation(connection, population_type="household"))
        before = snapshot(connection)
        assert before["report_outputs"]
        process = start("up", **settings)
        said_until(process, READY)
        # The migration may have added columns.
        for table, rows in snapshot(connection).items():
            assert [{name: row[name] for name in was} for row, was in zip(rows, before[table], strict=True)] == before[
                table
            ]
    process.terminate()
    assert ended(process) == (0, "")


def test_a_password_is_not_printed(start: Start, port: int, database: URL) -> None:
    # The tests' servers ask for none, so any will do.
    url = database.set(password="secret").update_query_dict({"sslpassword": "secret", "passfile": "/dev/null"})
    settings = {"DATABASE_URL": plain(url), "PORT": str(port)}
    process = start("up", **settings)
    said = said_until(process, READY) + said_until(process, "pgreprise psql")
    assert "secret" not in said
    assert "***" not in said


def test_a_command_that_is_terminated_stops_the_embedded_server(plain_folder: Path) -> None:
    program = "import os, signal; from pyapi import cli; from pyapi.schema import migrate; from pathlib import Path\n"
    program += "migrate.upgrade = lambda *_: os.kill(os.getpid(), signal.SIGTERM)\ncli.main()"
    command = [PROGRAM.with_name("python"), "-c", program, "migrate"]
    assert subprocess.run(command, env=environment(PGREPRISE_DATA=str(plain_folder)), check=False).returncode == 143
    [cluster] = plain_folder.glob("postgresql-*")
    assert not (cluster / "postmaster.pid").exists()


# --- the API alone ---------------------------------------------------------------------------


def test_serve_logs_in_as_its_own_role_and_says_where_it_listens(start: Start, port: int, database: URL) -> None:
    url = database.update_query_dict({"options": "-c role=pgreprise_api"})
    process = start("serve", "--port", str(port), DATABASE_URL=plain(url))
    url = f"http://127.0.0.1:{port}"
    assert said_until(process, "serves") == f"pgreprise serves on {url}, and its console on {url}/console\n"
    assert answer(f"http://127.0.0.1:{port}/readiness-check")[0] == 200
    assert answer(f"http://127.0.0.1:{port}/us/report/1/rerun", "POST")[1]["code"] == "RR001"
    process.terminate()
    assert ended(process) == (0, "")


def test_serve_listens_on_loopback_only(start: Start, port: int, database: URL) -> None:
    said_until(start("serve", PORT=str(port), DATABASE_URL=plain(database)), "serves")
    addresses = {
        address[4][0] for address in socket.getaddrinfo(socket.gethostname(), None, socket.AF_INET, socket.SOCK_STREAM)
    }
    for address in addresses - {"127.0.0.1"}:
        with socket.socket() as probe:
            assert probe.connect_ex((address, port)) != 0


def test_serve_starts_without_its_database_and_is_not_ready(start: Start, port: int) -> None:
    process = start("serve", PORT=str(port), DATABASE_URL="postgresql://postgres@127.0.0.1:1/none")
    said_until(process, "serves")
    assert answer(f"http://127.0.0.1:{port}/liveness-check")[0] == 200
    assert answer(f"http://127.0.0.1:{port}/readiness-check")[0] == 503


def test_a_request_under_way_is_finished_when_the_api_is_stopped(
    start: Start, port: int, database: URL, dba: Connection, connect: Connect
) -> None:
    report = add_report(dba, add_simulation(dba, population_type="household"))
    holder = connect(autocommit=False)
    holder.execute("select from public.report_outputs where id = %s for update", (report,))
    url = plain(database.update_query_dict({"options": "-c lock_timeout=50s"}))
    process = start("serve", "--workers", "1", PORT=str(port), DATABASE_URL=url)
    said_until(process, "serves")
    answer(f"http://127.0.0.1:{port}/liveness-check")
    address = f"http://127.0.0.1:{port}/us/report/{report}/rerun"
    program = f"import urllib.request as r; print(r.urlopen(r.Request({address!r}, method='POST')).status)"
    client = subprocess.Popen([PROGRAM.with_name("python"), "-c", program], stdout=subprocess.PIPE, encoding="utf-8")
    waiting = "select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'"
    while not dba.execute(waiting).fetchall():
        assert client.poll() is None
        time.sleep(0.01)
    process.terminate()
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(timeout=1)
    holder.rollback()
    assert client.communicate(timeout=60)[0] == "200\n"
    assert ended(process) == (0, "")
    assert snapshot(dba)["report_outputs"][0]["status"] == "pending"


def children_of(process: subprocess.Popen[str]) -> list[psutil.Process]:
    """The workers of an API, as soon as there is one."""
    parent = psutil.Process(process.pid)
    while not (workers := parent.children()):
        assert process.poll() is None
    return workers


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGQUIT])
def test_an_api_that_is_stopped_while_its_workers_are_born_waits_for_none(
    start: Start, port: int, database: URL, number: signal.Signals
) -> None:
    # The sleep that gevent does not replace.
    program = "import os; from time import sleep; from pyapi.__main__ import main\n"
    program += "os.register_at_fork(after_in_child=lambda: sleep(0.5))\nmain()"
    process = start("-c", program, "serve", program=PROGRAM.with_name("python"), PORT=str(port),
                    DATABASE_URL=plain(database))  # fmt: skip
    said_until(process, "serves")
    children_of(process)
    process.send_signal(number)
    # A worker that does not hear it is killed half a minute later, and gunicorn says so.
    assert ended(process) == (0, "")


@pytest.mark.needs("time")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_many_starts_and_stops_in_a_row_all_end_without_a_word(
    start: Start, port: int, database: URL, number: signal.Signals
) -> None:
    # A stop by SIGTERM takes seconds, so it is done twice only.
    for times in range(4) if number == signal.SIGINT else (0, 3):
        process = start("serve", PORT=str(port), DATABASE_URL=plain(database))
        said_until(process, "serves")
        if times % 2:
            assert answer(f"http://127.0.0.1:{port}/us/report/1")[0] == 404
        # By a signal, and as a terminal does: it reaches the workers twice.
        (os.kill if times < 2 else os.killpg)(process.pid, number)
        # A worker that does not hear it is killed half a minute later, and gunicorn says so.
        assert ended(process) == (0, "")


def test_a_statement_that_waits_holds_nobody_up_and_ends(
    start: Start, port: int, database: URL, dba: Connection, connect: Connect
) -> None:
    report = add_report(dba, add_simulation(dba, population_type="household"))
    holder = connect(autocommit=False)
    holder.execute("select from public.report_outputs where id = %s for update", (report,))
    url = plain(database.update_query_dict({"options": "-c lock_timeout=50s -c statement_timeout=2s"}))
    process = start("serve", "--workers", "1", "--connections", "2", PORT=str(port), DATABASE_URL=url)
    said_until(process, "serves")
    address = f"http://127.0.0.1:{port}/us/report/{report}"
    with ThreadPoolExecutor() as clients:
        waits = clients.submit(answer, f"{address}/rerun", "POST")
        waiting = "select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'"
        while not dba.execute(waiting).fetchall():
            assert not waits.done()
        assert answer(address)[0] == 200
        assert not waits.done()
        assert (waits.result()[0], waits.result()[1]["code"]) == (503, "57014")
    holder.rollback()
    assert answer(f"{address}/rerun", "POST")[0] == 200


def test_more_requests_than_database_connections_wait_for_one(
    start: Start, port: int, database: URL, dba: Connection, connect: Connect
) -> None:
    report = add_report(dba, add_simulation(dba, population_type="household"))
    holder = connect(autocommit=False)
    holder.execute("select from public.report_outputs where id = %s for update", (report,))
    url = plain(database.update_query_dict({"options": "-c lock_timeout=50s"}))
    process = start("serve", "--workers", "1", "--connections", "1", PORT=str(port), DATABASE_URL=url)
    said_until(process, "serves")
    api = f"http://127.0.0.1:{port}"
    with ThreadPoolExecutor(max_workers=9) as clients:
        first = clients.submit(answer, f"{api}/us/report/{report}/rerun", "POST")
        waiting = "select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'"
        while not dba.execute(waiting).fetchall():
            assert not first.done()
        others = [clients.submit(answer, f"{api}/us/report/{report}") for _ in range(8)]
        # Somebody who needs no connection does not wait.
        assert answer(f"{api}/liveness-check")[0] == 200
        assert not any(other.done() for other in others)
        holder.rollback()
        assert [one.result()[0] for one in (first, *others)] == [200] * 9
    [sessions] = dba.execute(
        "select count(*) from pg_stat_activity where datname = current_database() and application_name = 'pgreprise'"
    ).fetchall()
    assert sessions["count"] == 1


def test_a_request_does_not_wait_for_a_database_connection_for_ever(
    start: Start, port: int, database: URL, dba: Connection, connect: Connect
) -> None:
    report = add_report(dba, add_simulation(dba, population_type="household"))
    holder = connect(autocommit=False)
    holder.execute("select from public.report_outputs where id = %s for update", (report,))
    url = plain(database.update_query_dict({"options": "-c lock_timeout=50s"}))
    program = "from gevent import monkey; monkey.patch_all()\nfrom pyapi import cli; from pyapi.api import server\n"
    program += "server._POOL_SECONDS = 1\ncli.main()"
    process = start("-c", program, "serve", "--workers", "1", "--connections", "1", PORT=str(port), DATABASE_URL=url,
                    program=PROGRAM.with_name("python"))  # fmt: skip
    said_until(process, "serves")
    api = f"http://127.0.0.1:{port}"
    with ThreadPoolExecutor() as clients:
        first = clients.submit(answer, f"{api}/us/report/{report}/rerun", "POST")
        waiting = "select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'"
        while not dba.execute(waiting).fetchall():
            assert not first.done()
        status, envelope = answer(f"{api}/us/report/{report}")
        assert (status, envelope["code"]) == (503, "SERVICE_UNAVAILABLE")
        holder.rollback()
        assert first.result()[0] == 200
    assert answer(f"{api}/us/report/{report}")[0] == 200


def test_a_process_that_gevent_has_not_patched_does_not_serve(database: URL) -> None:
    with pytest.raises(RuntimeError, match="gevent"):
        server.serve(database, Address(), None, Settings.from_environment())


@pytest.mark.parametrize("command", ["up", "serve"])
def test_a_taken_port_is_one_line_before_any_other_work(pgreprise: Run, port: int, command: str) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", port))
        other.listen()
        done = pgreprise(command, "--port", str(port), DATABASE_URL="postgresql://postgres@127.0.0.1:1/none")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == f"error: port {port} on 127.0.0.1 is taken; choose another, for example PORT={port + 1}\n"


def test_an_address_of_another_machine_is_one_line(pgreprise: Run, port: int) -> None:
    done = pgreprise("serve", "--host", "203.0.113.1", "--port", str(port), PGREPRISE_JWT_SECRET="s" * 32)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith(f"error: cannot listen on 203.0.113.1 port {port}: ")


def test_systemd_is_told_when_the_port_answers_and_when_it_stops(start: Start, port: int, database: URL) -> None:
    address = f"@pgreprise-{os.getpid()}-{port}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as told:
        told.settimeout(60)
        told.bind(address.replace("@", "\0", 1))
        process = start("serve", "--port", str(port), DATABASE_URL=plain(database), NOTIFY_SOCKET=address)
        assert "READY=1" in told.recv(1000).decode().splitlines()
        assert not is_free(port)
        process.terminate()
        assert told.recv(1000).decode() == "STOPPING=1"
        assert ended(process)[0] == 0


def test_the_unit_of_the_documentation_is_one_for_systemd() -> None:
    page = (PROJECT / "docs" / "how-to" / "install.md").read_text(encoding="utf-8")
    unit = configparser.RawConfigParser(strict=True, interpolation=None)
    # Names in a unit have capitals.
    unit.optionxform = str  # type: ignore[assignment, method-assign]
    [text] = re.findall(r"^    \[Unit\]\n(?:(?:    .*)?\n)+?(?=Then:)", page, re.MULTILINE)
    unit.read_string(textwrap.dedent(text))
    assert unit.sections() == ["Unit", "Service", "Install"]
    service = unit["Service"]
    assert (service["Type"], service["KillMode"], service["ProtectSystem"]) == ("notify", "mixed", "strict")
    program, *arguments = shlex.split(service["ExecStart"])
    assert program.endswith("/bin/pgreprise")
    assert cli.commands[arguments[0]].make_context(arguments[0], arguments[1:], resilient_parsing=False)
