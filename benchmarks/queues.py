"""The queues that claims are measured on: ours, and others that keep their jobs in PostgreSQL, each in a database of
its own on the same server."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Sequence

from psycopg import sql
from sqlalchemy import URL

from benchmarks.data import fill
from benchmarks.pgbench import SCRIPTS, transactions_per_second
from benchmarks.server import Connection, connect, create_database
from pyapi.embedded import Embedded

__all__ = ["OUTPUT", "PROCRASTINATE", "RIVALS", "AbsentError", "Queue", "Rival", "pgreprise"]

GRAPHILE_WORKER = "graphile-worker@0.18.0"

# The result of a job: 1 KB of digits, as bench.output() of fill.sql makes them.
OUTPUT = json.dumps(
    {"number": 1, "values": "".join(hashlib.md5(f"1 {part}".encode()).hexdigest() for part in range(32))}
)


_FINISHED_REPORTS = "select count(*) from public.report_outputs where status = 'complete' and id > "


class AbsentError(Exception):
    """A queue cannot be installed here; it says why."""


class Queue:
    """Jobs in a database.

    The scripts ``benchmarks/sql/claims/NAME*.sql`` do with them what a worker does. NAME.sql claims one and finishes
    it, in two transactions; the first line of each of the others says what it does.
    """

    def __init__(self, server: Embedded, name: str, database: URL, count_finished: str) -> None:
        #: What it is called.
        self.name = name
        #: Where its jobs are.
        self.database = database
        self._server = server
        self._count_finished = count_finished

    def script(self, what: str = "") -> str:
        """The name of one of its scripts: "" for a job, or "_heartbeat", "_retry", ..."""
        return f"claims/{self.name.replace('-', '_')}{what}"

    def finished(self) -> int:
        """How many jobs are finished."""
        with connect(self.database) as connection:
            found = connection.execute(self._count_finished.encode()).fetchone()
        assert found is not None
        return int(str(found[0]))

    def rate(self, script: str, clients: int, transactions: int, options: str = "") -> float:
        """Run a script so many times in all, and return how many times a second."""
        return transactions_per_second(
            self._server,
            self.database,
            script,
            clients=clients,
            transactions=transactions,
            variables={"output": OUTPUT},
            options=options,
        )


def pgreprise(
    server: Embedded, database: str, finished: int, pending: int, *, shared: int = 0, simulations: str = "complete"
) -> Queue:
    """Our queue: reports that are finished, and behind them those that wait.

    shared: how many of those that wait share one baseline.
    simulations: the status of the simulations of those that wait.
    """
    url = create_database(server, database)
    values: dict[str, int | str] = {
        "finished": finished,
        "pending": pending,
        "shared": shared,
        "simulations": simulations,
    }
    fill(url, (SCRIPTS / "claims" / "pgreprise_fill.sql").read_text(encoding="utf-8"), values)
    return Queue(
        server,
        "pgreprise",
        url,
        f"{_FINISHED_REPORTS}{finished}",
    )


# --- others ---------------------------------------------------------------------------------


class Rival:
    """A queue that others made."""

    def __init__(self, name: str, install: Callable[[Connection], None], count_finished: str) -> None:
        #: What it is called.
        self.name = name
        #: Makes its tables and routines in a database. Raises AbsentError.
        self.install = install
        self._count_finished = count_finished

    def database(self, server: Embedded, name: str, scripts: Sequence[str], finished: int, pending: int) -> URL:
        """A new database with it, filled by these scripts of ``benchmarks/sql``. Raises AbsentError."""
        with connect(server.url("postgres")) as connection:
            connection.execute(sql.SQL("drop database if exists {} with (force)").format(sql.Identifier(name)))
            connection.execute(sql.SQL("create database {}").format(sql.Identifier(name)))
        url = server.url(name)
        statements = "".join((SCRIPTS / f"{script}.sql").read_text(encoding="utf-8") for script in scripts)
        statements = statements.replace(":finished", str(finished)).replace(":pending", str(pending))
        with connect(url) as connection:
            self.install(connection)
            connection.execute("set synchronous_commit = off")
            connection.execute(statements.encode())
            connection.execute("vacuum analyze")
            connection.execute("checkpoint")
        return url

    def queue(self, server: Embedded, database: str, finished: int, pending: int) -> Queue:
        """A new database with it: jobs that are finished, and those that wait. Raises AbsentError."""
        count_finished = self._count_finished.replace(":finished", str(finished))
        queue = Queue(server, self.name, server.url(database), count_finished)
        self.database(server, database, ("claims/request", queue.script("_fill")), finished, pending)
        return queue


def _install_procrastinate(connection: Connection) -> None:
    try:
        from procrastinate.schema import SchemaManager
    except ImportError as error:
        raise AbsentError("the package procrastinate is not installed") from error
    connection.execute(SchemaManager.get_schema().encode())


def _install_pgmq(connection: Connection) -> None:
    # As SQL: the extension is in no package that is installed here, and is nothing but this SQL.
    try:
        from pgmq import get_embedded_install_sql
    except ImportError as error:
        raise AbsentError("the package pgmq is not installed") from error
    with connection.transaction():
        connection.execute(get_embedded_install_sql().encode())


def _run(*command: str) -> None:
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
    except subprocess.TimeoutExpired as error:
        raise AbsentError(f"{command[0]} did not end in 5 minutes") from error
    if done.returncode != 0:
        said = (done.stderr.strip() or done.stdout.strip()).splitlines()
        raise AbsentError(f"{command[0]} failed: {said[0] if said else 'it said nothing'}")


def _install_graphile_worker(connection: Connection) -> None:
    for program in ("node", "npm"):
        if shutil.which(program) is None:
            raise AbsentError(f"there is no {program} on the PATH")
    info = connection.info
    url = f"postgresql://{info.user}@/{info.dbname}?host={info.host}&port={info.port}"
    with tempfile.TemporaryDirectory(prefix="pgreprise-bench-npm-") as made:
        _run("npm", "install", "--prefix", made, "--no-save", "--no-audit", "--no-fund", "--loglevel=error",
             GRAPHILE_WORKER)  # fmt: skip
        _run(f"{made}/node_modules/.bin/graphile-worker", "--schema-only", "--connection", url)


PROCRASTINATE = Rival(
    "procrastinate",
    _install_procrastinate,
    "select count(*) from procrastinate_jobs where status = 'succeeded' and id > :finished",
)

RIVALS = (
    PROCRASTINATE,
    Rival("pgmq", _install_pgmq, "select count(*) from pgmq.a_reports where msg_id > :finished"),
    # It deletes what is done: all that were there, less those that are left.
    Rival(
        "graphile-worker",
        _install_graphile_worker,
        "select pg_sequence_last_value('graphile_worker.jobs_id_seq1') - count(*) from graphile_worker._private_jobs",
    ),
)
