"""PostgreSQL servers and a PgBouncer of the tests' own, with the programs of the server under test."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import psycopg
from sqlalchemy import URL

from pyapi.schema import migrate
from tests.support.databases import FAST, engine, rows
from tests.support.ports import unused_port

DEBIAN_FOLDER = Path("/usr/lib/postgresql/15/bin")
DEBIAN_EXTENSIONS = Path("/usr/share/postgresql/15/extension")
_PGBOUNCER_PATH = os.pathsep.join((os.environ.get("PATH", ""), "/usr/sbin", "/usr/local/sbin"))
_ATTEMPTS, _PAUSE_SECONDS = 200, 0.05


@dataclass(frozen=True)
class Programs:
    """PostgreSQL's programs, and the account of the operating system that runs them, where it is not this one."""

    folder: Path
    user: int | None
    group: int | None

    @classmethod
    def of(cls, server: URL) -> Programs:
        """Those that the server runs with."""
        [found] = rows(
            server,
            "select setting as folder, current_setting('data_directory') as data from pg_config where name = 'BINDIR'",
        )
        owner = Path(found["data"]).stat()
        is_other = owner.st_uid != os.geteuid()
        return cls(Path(found["folder"]), owner.st_uid if is_other else None, owner.st_gid if is_other else None)

    @classmethod
    def of_debian(cls) -> Programs:
        """Those of Debian's package postgresql-15, which can encrypt; the embedded ones cannot."""
        if os.geteuid() != 0:
            return cls(DEBIAN_FOLDER, None, None)
        account = pwd.getpwnam("postgres")
        return cls(DEBIAN_FOLDER, account.pw_uid, account.pw_gid)

    def run(self, *command: str | Path) -> None:
        """Run a program to its end. Raises CalledProcessError."""
        name, *arguments = map(str, command)
        subprocess.run(
            [self.folder / name, *arguments],
            user=self.user, group=self.group, extra_groups=None if self.user is None else [],
            cwd="/", stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=True,
        )  # fmt: skip

    def run_psql(self, port: int, database: str, script: str) -> None:
        """Run a script with psql as the superuser. Raises CalledProcessError, with what psql says."""
        subprocess.run(
            [self.folder / "psql", "--no-psqlrc", "--quiet", "--host=127.0.0.1", f"--port={port}",
             "--username=postgres", f"--dbname={database}", "--file=-"],
            input=script.encode(), capture_output=True, cwd="/", check=True,
        )  # fmt: skip

    def own(self, path: Path) -> Path:
        """The path, given to the account that runs the programs."""
        if self.user is not None and self.group is not None:
            os.chown(path, self.user, self.group)
        return path


@dataclass
class Server:
    """A server on a port of 127.0.0.1, which trusts everybody there."""

    programs: Programs
    folder: Path
    port: int = field(default_factory=unused_port)
    is_running: bool = False

    def start(self) -> None:
        """Start it and wait for it."""
        options = f"-p {self.port} -c listen_addresses=127.0.0.1 -c unix_socket_directories="
        self._control("start", "--wait", "--log", self.folder.with_suffix(".log"), "--options", options)
        self.is_running = True

    def stop(self) -> None:
        """Stop it at once, as a crash would."""
        self._control("stop", "--mode=immediate")
        self.is_running = False

    def promote(self) -> None:
        """Let a standby become the primary."""
        self._control("promote", "--wait")

    def _control(self, action: str, *options: str | Path) -> None:
        self.programs.run("pg_ctl", action, "--pgdata", self.folder, "--silent", *options)

    def url(self, database: str = "postgres", user: str = "postgres") -> URL:
        """A URL of it."""
        return URL.create("postgresql+psycopg", user, host="127.0.0.1", port=self.port, database=database)

    def execute(self, statement: str, database: str = "postgres") -> None:
        """Run a statement as the superuser."""
        with psycopg.connect(host="127.0.0.1", port=self.port, user="postgres", dbname=database, autocommit=True) as on:
            on.execute(statement.encode())


@contextmanager
def server(programs: Programs, folder: Path) -> Iterator[Server]:
    """A new server; it ends with the block."""
    made = Server(programs, folder)
    programs.run("initdb", "--auth=trust", "--username=postgres", "--encoding=UTF8", "--locale=C", "--no-sync",
                 "--pgdata", folder)  # fmt: skip
    with (folder / "postgresql.conf").open("a") as configuration:
        # A commit is there for the standby when it returns, as on servers of production.
        configuration.write(FAST.replace("synchronous_commit = off", "synchronous_commit = local"))
    yield from _while_running(made)


@contextmanager
def migrated_server(programs: Programs, folder: Path) -> Iterator[Server]:
    """A new server with every migration in database postgres."""
    with server(programs, folder) as made:
        migrated = engine(made.url())
        migrate.upgrade(migrated)
        migrated.dispose()
        yield made


@contextmanager
def standby(primary: Server, folder: Path) -> Iterator[Server]:
    """A standby that streams from the primary; it ends with the block."""
    primary.programs.run(
        "pg_basebackup", "--pgdata", folder, "--write-recovery-conf", "--checkpoint=fast", "--wal-method=stream",
        "--no-sync", "--host=127.0.0.1", f"--port={primary.port}", "--username=postgres",
    )  # fmt: skip
    yield from _while_running(Server(primary.programs, folder))


def _while_running(made: Server) -> Iterator[Server]:
    made.start()
    try:
        yield made
    finally:
        if made.is_running:
            made.stop()


def wait_for_replay(primary: Server, follower: Server) -> None:
    """Wait until the standby has replayed what the primary has written."""
    wanted = _position(primary)
    for _ in range(_ATTEMPTS):
        with suppress(psycopg.Error):
            if _position(follower) >= wanted:
                return
        time.sleep(_PAUSE_SECONDS)
    raise AssertionError("the standby does not follow")


def _position(server: Server) -> int:
    [row] = rows(server.url(), "select pgreprise.wal_position() as position")
    return int(row["position"])


def pgbouncer_program() -> str | None:
    """Where PgBouncer is; Debian keeps it where only root looks."""
    return shutil.which("pgbouncer", path=_PGBOUNCER_PATH)


@dataclass
class Pooler:
    """PgBouncer in transaction mode before a server, otherwise as it comes.

    It has at most ``connections`` to the server for each of the ``users`` of a database. ``options`` are lines of its
    configuration.
    """

    programs: Programs
    folder: Path
    target: URL
    users: tuple[str, ...]
    connections: int = 1
    options: tuple[str, ...] = ()
    port: int = field(default_factory=unused_port)
    _process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> URL:
        """The database of the target through it."""
        return self.target.set(host="127.0.0.1", port=self.port, query={})

    def start(self) -> None:
        """Start it and wait for it."""
        program = pgbouncer_program()
        assert program is not None
        host = self.target.host or self.target.query.get("host", "127.0.0.1")
        (self.folder / "users").write_text("".join(f'"{user}" ""\n' for user in self.users))
        (self.folder / "pgbouncer.ini").write_text(
            f"[databases]\n* = host={host} port={self.target.port or 5432}\n"
            f"[pgbouncer]\npool_mode = transaction\ndefault_pool_size = {self.connections}\n"
            f"listen_addr = 127.0.0.1\nlisten_port = {self.port}\nunix_socket_dir =\n"
            f"auth_type = trust\nauth_file = {self.folder / 'users'}\nlogfile = {self.folder / 'log'}\n"
            + "".join(f"{option}\n" for option in self.options)
        )
        programs = self.programs
        self._process = subprocess.Popen(
            [program, "--quiet", self.folder / "pgbouncer.ini"],
            user=programs.user, group=programs.group, extra_groups=None if programs.user is None else [],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        try:
            _wait_for(self.url)
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """Kill it, as a crash would."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None


@contextmanager
def pgbouncer(programs: Programs, folder: Path, target: URL, *users: str, connections: int = 1) -> Iterator[URL]:
    """A PgBouncer of its own before a server; the URL of the same database through it."""
    made = Pooler(programs, folder, target, users, connections)
    made.start()
    try:
        yield made.url
    finally:
        made.stop()


def _wait_for(url: URL) -> None:
    for _ in range(_ATTEMPTS):
        try:
            rows(url, "select")
        except psycopg.OperationalError:
            time.sleep(_PAUSE_SECONDS)
        else:
            return
    raise AssertionError(f"nothing answers at {url}")
