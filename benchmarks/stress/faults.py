"""What is broken, one after the other, while the crew goes on."""

from __future__ import annotations

import os
import random
import shlex
import shutil
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import psutil
import psycopg
from sqlalchemy import URL

from benchmarks.proxy import Proxy
from benchmarks.server import Connection, connect
from benchmarks.stress.actions import act
from benchmarks.stress.crew import Crew, World
from benchmarks.stress.invariants import Violation
from pyapi.embedded import API_LOGIN, Embedded

__all__ = ["FAULTS", "Api", "Broken", "break_it", "stop_at_once", "wait_for"]

_PROGRAM = str(Path(sys.executable).parent / "pgreprise")
_PATIENCE_SECONDS = 60


class Api:
    """``pgreprise serve``, as a process of its own."""

    def __init__(self, database: URL, port: int) -> None:
        url = database.set(drivername="postgresql").render_as_string(hide_password=False)
        self.port = port
        # Its warnings are the faults; a violation quotes the reply.
        self._process = psutil.Popen(
            [_PROGRAM, "serve", "--port", str(port)],
            env={**os.environ, "DATABASE_URL": url},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    def workers(self) -> list[psutil.Process]:
        """Its worker processes."""
        found: list[psutil.Process] = self._process.children()
        return found

    @property
    def is_running(self) -> bool:
        """Whether the process that was started is the one that still runs."""
        return bool(self._process.poll() is None)

    def ask(self, path: str = "/us/report/1", method: str = "GET") -> tuple[int, str | None]:
        """The status of a reply and its Retry-After."""
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}{path}", method=method)
        try:
            with urllib.request.urlopen(request, timeout=60) as reply:
                return reply.status, None
        except urllib.error.HTTPError as error:
            return error.code, error.headers.get("Retry-After")

    def stop(self) -> None:
        """End it."""
        for process in [*self._process.children(recursive=True), self._process]:
            with suppress(psutil.NoSuchProcess):
                process.kill()
        self._process.wait()


@dataclass
class Broken:
    """What a fault may lay its hands on."""

    world: World
    crew: Crew
    server: Embedded
    api: Api
    proxy: Proxy
    folder: Path
    chance: random.Random

    @property
    def data(self) -> Path:
        """The data folder of the server."""
        return next(self.folder.glob("*/*/PG_VERSION")).parent


def wait_for(what: str, is_so: Callable[[], bool]) -> None:
    """Wait until something is so. Raises Violation when it takes a minute."""
    end = time.monotonic() + _PATIENCE_SECONDS
    while time.monotonic() < end:
        with suppress(OSError, psycopg.OperationalError):
            if is_so():
                return
        time.sleep(0.2)
    raise Violation(f"not within {_PATIENCE_SECONDS} seconds: {what}")


def _is_up(database: URL) -> bool:
    connect(database).close()
    return True


def _api_is_back(broken: Broken) -> None:
    wait_for("the API answers 200 again", lambda: broken.api.ask()[0] == 200)
    if not broken.api.is_running:
        raise Violation("the API ended")


def _refused_for_now(broken: Broken, why: str) -> None:
    status, retry_after = broken.api.ask()
    if status != 503 or not (retry_after or "").isdigit():
        raise Violation(f"{why}: the API answered {status}, Retry-After {retry_after}")
    broken.world.counts[f"503 with Retry-After: {why}"] += 1


def _control(broken: Broken, *arguments: str) -> None:
    data = broken.data
    owner = data.stat()
    is_root = os.geteuid() == 0
    command = [str(broken.server.programs / "pg_ctl"), "--silent", "--wait", f"--pgdata={data}", *arguments]
    subprocess.run(
        command,
        check=True,
        timeout=120,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        cwd="/",
        user=owner.st_uid if is_root else None,
        group=owner.st_gid if is_root else None,
    )


def _start(broken: Broken, options: str) -> None:
    _control(broken, f"--log={broken.data / 'log'}", f"--options={options}", "start")
    wait_for("the server is up", lambda: _is_up(broken.server.url("postgres")))


def _options(broken: Broken) -> str:
    _, *options = shlex.split((broken.data / "postmaster.opts").read_text(encoding="utf-8"))
    at = options.index("-D") if "-D" in options else None
    return shlex.join(options if at is None else options[:at] + options[at + 2 :])


def _postmaster(broken: Broken) -> psutil.Process:
    return psutil.Process(int((broken.data / "postmaster.pid").read_text(encoding="utf-8").split()[0]))


def kill_a_backend(broken: Broken) -> None:
    """SIGKILL of a backend at work: PostgreSQL ends all sessions and recovers."""
    with connect(broken.world.database) as witness:
        pids = witness.execute(
            "select pid from pg_stat_activity where backend_type = 'client backend' and state = 'active' "
            "and datname = current_database()"
        ).fetchall()
        os.kill(int(str(broken.chance.choice(pids)[0])), signal.SIGKILL)

        def has_ended() -> bool:
            try:
                witness.execute("select 1")
            except psycopg.OperationalError:
                return True
            return False

        wait_for("all sessions ended", has_ended)
    wait_for("the server is up", lambda: _is_up(broken.world.database))


def kill_the_server(broken: Broken) -> None:
    """SIGKILL of every process of the server at once, and a new start."""
    options = _options(broken)
    postmaster = _postmaster(broken)
    family = [postmaster, *postmaster.children(recursive=True)]
    for process in family:
        with suppress(psutil.NoSuchProcess):
            process.kill()
    psutil.wait_procs(family, timeout=10)
    _refused_for_now(broken, "the server is killed")
    (broken.data / "postmaster.pid").unlink(missing_ok=True)
    _start(broken, options)


def restart_the_server(broken: Broken) -> None:
    """A restart as a DBA does it, under load."""
    options = _options(broken)
    _control(broken, "--mode=fast", "stop")
    _refused_for_now(broken, "the server is restarted")
    _start(broken, options)


def kill_an_api_worker(broken: Broken) -> None:
    """SIGKILL of one of the API's processes; gunicorn starts another."""
    workers = broken.api.workers()
    broken.chance.choice(workers).kill()
    wait_for("a new worker", lambda: len(broken.api.workers()) == len(workers))


def kill_the_cli(broken: Broken) -> None:
    """SIGKILL of ``pgreprise rerun`` and ``pgreprise rerun-batch`` at work; the batch is resumed and finishes."""
    url = broken.world.database.set(drivername="postgresql").render_as_string(hide_password=False)
    environment = {**os.environ, "DATABASE_URL": url}
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "env": environment}
    with connect(broken.world.database) as connection:
        ids = [str(number) for number in range(1, 101)]
        singly = subprocess.Popen([_PROGRAM, "rerun", "us", *ids], **quiet)  # type: ignore[call-overload]
        last = _count(connection, "select coalesce(max(batch_id), 0) from pgreprise.rerun_batch")
        batch = subprocess.Popen(  # type: ignore[call-overload]
            [_PROGRAM, "rerun-batch", "--country", "us", "--chunk-size", "1"], **quiet
        )
        # In the middle of its work, as the batch's own count tells.
        mine = (
            'select count(*) from pgreprise.rerun_batch where batch_id > %s and filter = \'{"country": ["us"]}\' '
            "and rerun > 3"
        )
        with suppress(Violation):
            wait_for("the batch is at work", lambda: batch.poll() is not None or _count(connection, mine, last) > 0)
        for process in (singly, batch):
            process.kill()
            process.wait()
        rows = connection.execute(
            "select batch_id from pgreprise.rerun_batch where finished_at is null and batch_id > %s", (last,)
        ).fetchall()
    for (batch_id,) in rows[:1]:
        resumed = subprocess.run(
            [_PROGRAM, "rerun-batch", "--resume", str(batch_id)],
            env=environment, capture_output=True, text=True, check=False, timeout=120,
        )  # fmt: skip
        # 1 tells of reports that were refused.
        if resumed.returncode not in (0, 1):
            raise Violation(f"rerun-batch --resume ended with {resumed.returncode}: {resumed.stderr[-500:]}")
        broken.world.counts["a killed batch was resumed"] += 1


def _count(connection: Connection, query: str, *arguments: object) -> int:
    row = connection.execute(query.encode(), arguments or None).fetchone()
    return int(str(row[0])) if row else 0


def cut_the_connections(broken: Broken) -> None:
    """Every connection of the API is closed under it, several times."""
    for _ in range(3):
        broken.proxy.cut()
        time.sleep(0.5)


def time_out(broken: Broken) -> None:
    """statement_timeout and lock_timeout fire in the middle of every kind of call."""
    world = broken.world
    names = list(world.actions)
    with connect(world.database) as hurried:
        for number in range(300):
            with suppress(psycopg.errors.QueryCanceled):
                hurried.execute(f"set statement_timeout = '{1 + number % 12}ms'".encode())
            name = broken.chance.choice(names)
            act(name, world.actions[name][1], hurried, broken.chance, world.counts)
    with connect(world.database) as holder, connect(world.database) as waiter:
        waiter.execute("set lock_timeout = '20ms'")
        with holder.transaction():
            holder.execute("select from public.simulations where id between 1 and 12 order by id for update")
            for _ in range(20):
                act("rerun", world.actions["rerun"][1], waiter, broken.chance, world.counts)
            status, retry_after = broken.api.ask("/us/report/1/rerun", "POST")
            if status != 503 or not (retry_after or "").isdigit():
                raise Violation(f"a locked simulation: the API answered {status}")
    for code in ("57014", "55P03"):
        if not any(name.endswith(code) for name in world.counts):
            raise Violation(f"no {code} was seen, so nothing was proved")


def exhaust_the_connections(broken: Broken) -> None:
    """The server takes no more connections, and the API has lost its own."""
    held: list[Connection] = []
    login = broken.server.url(str(broken.world.database.database), user=API_LOGIN)
    try:
        broken.proxy.cut()
        with suppress(psycopg.OperationalError):
            for _ in range(500):
                held.append(connect(login))
        for _ in range(20):
            broken.proxy.cut()
            with suppress(psycopg.OperationalError):
                for _ in range(500):
                    held.append(connect(login))
            status, retry_after = broken.api.ask()
            if status == 503 and (retry_after or "").isdigit():
                broken.world.counts["503 with Retry-After: no connection is free"] += 1
                break
        else:
            raise Violation("the API never met a server without free connections")
    finally:
        for connection in held:
            connection.close()


@contextmanager
def _small_disk(broken: Broken) -> Iterator[Path | None]:
    """A disk of 16 MB that belongs to the server; None where mounting is not allowed."""
    place = broken.folder / "small"
    place.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=16m", "tmpfs", str(place)], capture_output=True, check=False
    )
    if mounted.returncode != 0:
        yield None
        return
    try:
        owner = broken.data.stat()
        os.chown(place, owner.st_uid, owner.st_gid)
        yield place
    finally:
        subprocess.run(["umount", "--lazy", str(place)], check=False)
        shutil.rmtree(place, ignore_errors=True)


def fill_the_disk(broken: Broken) -> None:
    """The disk of the archive is full: reruns are refused whole, and go on when there is room again."""
    if os.geteuid() != 0 or shutil.which("mount") is None:
        broken.world.counts["full disk: left out, only root may mount a small one"] += 1
        return
    with _small_disk(broken) as place, connect(broken.world.database) as connection:
        if place is None:
            broken.world.counts["full disk: left out, mounting is not allowed here"] += 1
            return
        connection.execute(f"create tablespace small location '{place}'".encode())
        connection.execute("alter table pgreprise.report_run set tablespace small")
        try:
            for _ in range(400):
                try:
                    connection.execute("select stress.fill(1, 300000)")
                    connection.execute("call public.rerun_report(1)")
                except psycopg.errors.DiskFull:
                    broken.world.counts["full disk: rerun refused whole (53100)"] += 1
                    break
            else:
                raise Violation("the small disk never filled up")
            connection.execute("select stress.fill(1, 300000)")
            status, retry_after = broken.api.ask("/us/report/1/rerun", "POST")
            if status != 503 or not (retry_after or "").isdigit():
                raise Violation(f"full disk: the API answered {status}, Retry-After {retry_after}")
            broken.world.counts["503 with Retry-After: the disk is full"] += 1
        finally:
            connection.execute("alter table pgreprise.report_run set tablespace pg_default")
            connection.execute("drop tablespace small")
        connection.execute("call public.rerun_report(1)")


FAULTS: dict[str, Callable[[Broken], None]] = {
    "timeouts": time_out,
    "connections cut": cut_the_connections,
    "SIGKILL of an API worker": kill_an_api_worker,
    "no free connection": exhaust_the_connections,
    "SIGKILL of the command": kill_the_cli,
    "SIGKILL of a backend": kill_a_backend,
    "a full disk": fill_the_disk,
    "restart of the server": restart_the_server,
    "SIGKILL of the server": kill_the_server,
}


def stop_at_once(broken: Broken) -> None:
    """End the server without a checkpoint: its data is thrown away."""
    with suppress(subprocess.SubprocessError, OSError):
        _control(broken, "--mode=immediate", "stop")


def break_it(broken: Broken, name: str) -> None:
    """Break one thing while the crew works, and see that service resumes."""
    broken.world.faults.set()
    try:
        FAULTS[name](broken)
        _api_is_back(broken)
        # Whoever lost a connection finds out now.
        time.sleep(1)
    finally:
        broken.world.faults.clear()
    broken.world.counts[f"fault: {name}"] += 1
    broken.crew.raise_broken()
