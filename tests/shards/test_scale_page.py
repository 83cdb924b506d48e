"""A DBA follows docs/how-to/scale.md, from one database to three servers and to a fourth, without losing a row."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from sqlalchemy import URL

from pyapi.schema import migrate
from tests.support.command import PROGRAM, environment
from tests.support.databases import connect, engine, folder_of_a_server, rows
from tests.support.factories import set_versions
from tests.support.moving import Fleet, emptied
from tests.support.projects import PROJECT
from tests.support.report_host import load_host
from tests.support.servers import DEBIAN_FOLDER, Programs, Server, server
from tests.support.statements import rerun, undo

pytestmark = pytest.mark.needs("plproxy", "time")

PAGE = PROJECT / "docs" / "how-to" / "scale.md"
HOSTS = {"db1": "a", "db2": "b", "db3": "c", "db4": "d", "router": "router", "router2": "router2"}


@pytest.fixture(scope="module")
def machines() -> Iterator[dict[str, Server]]:
    """The servers of the page by their hosts' names; nothing is on them."""
    programs = Programs.of_debian()
    with folder_of_a_server() as folder, ExitStack() as running:
        programs.own(Path(folder))
        yield {host: running.enter_context(server(programs, Path(folder) / host)) for host in HOSTS}


class Dba:
    """Somebody who types the commands of the page in one shell."""

    def __init__(self, machines: dict[str, Server], folder: Path) -> None:
        self.machines = machines
        self.folder = folder
        self.exports: list[str] = []

    def types(self, command: str) -> str:
        """Type a command; it has to succeed. What it printed."""
        for host, machine in self.machines.items():
            command = command.replace(f"{host}.example.org", f"127.0.0.1:{machine.port}")
        script = "\n".join(["set -e -o pipefail", *self.exports, command])
        done = subprocess.run(
            ["bash", "-c", script],
            env=environment(PATH=f"{PROGRAM.parent}:{DEBIAN_FOLDER}:{os.environ['PATH']}"),
            cwd=self.folder, stdin=subprocess.DEVNULL, capture_output=True, encoding="utf-8", check=False,
        )  # fmt: skip
        assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
        if command.startswith("export "):
            self.exports.append(command)
        return done.stdout

    @property
    def shards(self) -> str:
        """What PGREPRISE_SHARDS is by now."""
        script = "\n".join([*self.exports, 'printf %s "$PGREPRISE_SHARDS"'])
        return subprocess.run(["bash", "-c", script], capture_output=True, encoding="utf-8", check=True).stdout


def commands() -> Iterator[str]:
    """What the page shows to be typed in a shell, from one database to four servers."""
    walk = PAGE.read_text(encoding="utf-8").partition("### From one database")[2].partition("### When it stops")[0]
    yield from re.findall(r"^    ((?:export |pgreprise |psql |DATABASE_URL=).*)$", walk, re.MULTILINE)


@pytest.fixture
def reports(machines: dict[str, Server]) -> URL:
    """The one database with reports, in which people have worked."""
    machines["db1"].execute("create database reports")
    url = machines["db1"].url("reports")
    load_host("ours", url)
    migrate.upgrade(engine(url))
    with connect(url) as connection:
        set_versions(connection)
        rerun(connection, 102)
        undo(connection, rerun(connection, 103)["rerun_id"])
    return url


def test_a_dba_follows_the_page_without_losing_a_row(machines: dict[str, Server], reports: URL, tmp_path: Path) -> None:
    # The application's own empty tables.
    machines["db1"].execute("create database application")
    application = machines["db1"].url("application")
    load_host("ours", application)
    with connect(application) as connection:
        emptied(connection)
    (tmp_path / "application.sql").write_bytes(
        subprocess.run(
            [DEBIAN_FOLDER / "pg_dump", "--schema-only", f"--port={machines['db1'].port}", "--host=127.0.0.1",
             "--username=postgres", "application"],
            capture_output=True, check=True,
        ).stdout
    )  # fmt: skip
    dba = Dba(machines, tmp_path)
    before: dict[str, list[str]] = {}
    for command in commands():
        said = dba.types(command)
        if command == "pgreprise shard prepare a":
            before = Fleet({"a": reports}, {}).contents()
        if "shard move" in command or "shard forget" in command:
            assert _over_all(dba).contents() == before
        if command == "pgreprise doctor":
            assert "problem" not in said
            with connect(machines["router"].url("router")) as router:
                # Somebody works through the router, and takes it back.
                undo(router, rerun(router, 102)["rerun_id"])
            before = _over_all(dba).contents()
    held = _over_all(dba).holders()
    assert {tuple(names) for names in held.values()} == {("a",), ("b",), ("c",), ("d",)}
    on_d = [number for number, names in held.items() if names == ["d"]]
    assert on_d == [*range(1, 6), *range(22, 27), *range(43, 48)]
    for host in ("router", "router2"):
        known = rows(machines[host].url("router"), "select logical_shards from pgreprise.servers() where name = 'd'")
        assert known == [{"logical_shards": on_d}]
    assert before


def _over_all(dba: Dba) -> Fleet:
    urls = {}
    for host, name in HOSTS.items():
        if re.search(rf"(^| ){name}=", dba.shards):
            with connect(dba.machines[host].url("postgres")) as connection:
                is_there = connection.execute("select from pg_database where datname = 'reports'").fetchall()
            if is_there:
                urls[name] = dba.machines[host].url("reports")
    return Fleet(urls, {})
