"""The embedded PostgreSQL: a server of our own in a folder, for trials, development and tests.

It listens on a Unix socket only. Every process that uses the server holds a shared lock, and the last process that
ends stops it. So a command works alone and beside ``pgreprise up``.
"""

from __future__ import annotations

import fcntl
import os
import pwd
import signal
import stat
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path

import psutil
import psycopg
from psycopg import sql
from sqlalchemy import URL

from pyapi import postmaster
from pyapi.postmaster import PORT, SUPERUSER, EmbeddedUnavailableError

__all__ = ["API_LOGIN", "DATABASE", "VERSIONS", "Embedded", "EmbeddedUnavailableError", "embedded", "has_cluster"]

DATABASE = "pgreprise"
# `serve` logs in as this role. It has the rights that the API needs and no others.
API_LOGIN = "pgreprise_serve"

# Another process created the object after this one found it missing. The error depends on the exact moment.
_CREATED_MEANWHILE = (psycopg.errors.DuplicateDatabase, psycopg.errors.DuplicateObject, psycopg.errors.UniqueViolation)

# What would interrupt the end of a command and leave its server running.
_ENDS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

VERSIONS = (16, 18)


class Embedded:
    """A running embedded server."""

    def __init__(self, socket_folder: Path, programs: Path) -> None:
        #: The folder of the server's programs, such as psql.
        self.programs = programs
        #: The folder of the server's socket. Clients use it as the host.
        self.socket_folder = str(socket_folder)

    def url(self, database: str = DATABASE, user: str = SUPERUSER) -> URL:
        """The URL of a database of this server."""
        address = {"host": self.socket_folder, "port": str(PORT)}
        return URL.create("postgresql+psycopg", username=user, database=database, query=address)

    @contextmanager
    def _connected(self, database: str) -> Iterator[psycopg.Connection]:
        try:
            with psycopg.connect(
                host=self.socket_folder, port=PORT, user=SUPERUSER, dbname=database, autocommit=True
            ) as connection:
                yield connection
        except _CREATED_MEANWHILE:
            pass
        except psycopg.Error as error:
            raise EmbeddedUnavailableError(f"the embedded PostgreSQL: {str(error).strip()}") from error

    def has_database(self) -> bool:
        """Whether the database exists."""
        with self._connected("postgres") as connection:
            found = connection.execute("select from pg_database where datname = %s", (DATABASE,)).fetchone()
        return found is not None

    def create_database(self) -> bool:
        """Create the database when it does not exist. Return whether it was created."""
        if self.has_database():
            return False
        with self._connected("postgres") as connection:
            connection.execute(sql.SQL("create database {}").format(sql.Identifier(DATABASE)))
            return True
        return False

    def create_api_login(self) -> None:
        """Create the role that the API logs in as. Its group must exist, so the migrations must have run."""
        with self._connected(DATABASE) as connection:
            if connection.execute("select from pg_roles where rolname = %s", (API_LOGIN,)).fetchone() is None:
                connection.execute(
                    sql.SQL("create role {} login in role pgreprise_api").format(sql.Identifier(API_LOGIN))
                )


def _cluster(data_folder: Path, postgres_version: int) -> Path:
    return data_folder / f"postgresql-{postgres_version}"


def has_cluster(data_folder: Path, postgres_version: int) -> bool:
    """Whether the folder holds an embedded server of this version. Raises EmbeddedUnavailableError if it is closed."""
    cluster = _cluster(data_folder, postgres_version)
    try:
        # It is complete or absent. Its inside is for the account of the server only.
        return cluster.exists()
    except OSError as error:
        raise EmbeddedUnavailableError(_reason(error, cluster)) from error


def _reason(error: Exception, cluster: Path) -> str:
    why = str(error)
    if isinstance(error, OSError) and error.strerror:
        why = error.strerror + (f": {os.fsdecode(error.filename)}" if error.filename is not None else "")
        if isinstance(error, PermissionError):
            why += ". PGREPRISE_DATA names another folder for its data"
    return f"the embedded PostgreSQL in {cluster} cannot be used: {why.removesuffix('.')}."


# --- whose folder it is -----------------------------------------------------------------------


def _require_own(data_folder: Path, cluster: Path) -> None:
    """Raise EmbeddedUnavailableError where the folder, or the one that it would be made in, is another account's.

    Root may do everything, and would leave files in it that the owner of the folder could not use.
    """
    is_root = os.geteuid() == 0
    own = {os.geteuid(), *postmaster.accounts_of_root()} if is_root else {os.geteuid()}
    for place in (data_folder, cluster):
        if is_root:
            place = next(path for path in (place, *place.parents) if path.exists())
        elif not place.exists():
            # The operating system knows best who may create it.
            continue
        if place.stat().st_uid not in own:
            owner = postmaster.name_of_owner(place)
            remedy = (
                "Run the command as the account that made it (root's server runs as the account pgserver), or set "
                "PGREPRISE_DATA to another folder"
                if not is_root
                else f"Run the command as that account, for example with `runuser -u {owner} --` before it, or set "
                "PGREPRISE_DATA to a folder of root's"
            )
            raise EmbeddedUnavailableError(f"{place} belongs to the account {owner}. {remedy}")


def _make_folder(folder: Path, account: pwd.struct_passwd | None) -> None:
    """Make the data folder, and those above it that are missing."""
    missing = [path for path in (folder, *folder.parents) if not path.exists()]
    for path in reversed(missing):
        with suppress(FileExistsError):
            path.mkdir()
            if account is not None:
                # Whatever the umask is, the account of the server has to get through.
                path.chmod(path.stat().st_mode | stat.S_IXOTH)
    if account is not None and not missing and not any(folder.iterdir()):
        # An empty folder was made for this.
        folder.chmod(folder.stat().st_mode | stat.S_IXOTH)


def _place(cluster: Path, account: pwd.struct_passwd | None) -> Path:
    """Where the files of the server are. For root they are elsewhere, behind a link, if its account cannot get here.

    For example, a clone in /root stands in a folder that is open to nobody else, and stays so.
    """
    if account is None:
        return cluster
    if cluster.is_symlink():
        target = cluster.resolve()
        if not target.parent.exists():
            target.parent.mkdir(mode=0o711)
        return target
    if postmaster.can_reach(cluster.parent):
        return cluster
    if cluster.exists():
        raise EmbeddedUnavailableError(
            f"the account {account.pw_name}, which runs PostgreSQL for root, cannot get into {cluster.parent}. "
            f"Let it through the folders above (chmod o+x), or move {cluster} to where it can and leave a link"
        )
    target = postmaster.own_place("data") / cluster.name
    cluster.symlink_to(target)
    return target


# --- using it ---------------------------------------------------------------------------------


@contextmanager
def _undisturbed() -> Iterator[None]:
    """Let no signal interrupt this. A closed terminal and an impatient Ctrl-C send several."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _ENDS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _is_last(users: int) -> bool:
    """Whether no other process uses the server."""
    try:
        fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _leave(lock: Path, users: int, cluster: Path, process: psutil.Process | None) -> None:
    """Stop the server where nobody else uses it."""
    try:
        # Somebody may have deleted the data folder.
        with postmaster.alone(lock) if lock.exists() else nullcontext():
            if _is_last(users):
                if process is None or not process.is_running():
                    # Perhaps another process has started it again after a crash.
                    process = postmaster.running(cluster)
                if process is not None:
                    postmaster.stop(process, cluster)
    finally:
        os.close(users)


def _running(cluster: Path) -> psutil.Process | None:
    """The server that runs already, as soon as it takes connections."""
    process = postmaster.running(cluster)
    with suppress(psutil.NoSuchProcess):
        if process is not None:
            postmaster.wait_until_ready(process, cluster)
            return process
    return None


@contextmanager
def embedded(data_folder: Path, postgres_version: int, *, settings: str = "") -> Iterator[Embedded]:
    """The embedded server of a folder. It is made when it does not exist and started when it does not run yet.

    ``settings`` are lines for postgresql.conf, which are written when the folder is new. Several processes may do this
    at the same time: a lock lets only one of them start or stop the server.
    Raises EmbeddedUnavailableError when the server cannot be started there.
    """
    data_folder = data_folder.absolute()
    lock = data_folder / "lock"
    cluster = _cluster(data_folder, postgres_version)
    users = process = None
    owner = os.getpid()
    try:
        try:
            _require_own(data_folder, cluster)
            account = postmaster.account_of_the_server()
            _make_folder(data_folder, account)
            with postmaster.alone(lock):
                cluster = _place(cluster, account)
                programs = postmaster.programs_folder(postgres_version, account)
                users = postmaster.lock_file(data_folder / f"users-{postgres_version}")
                fcntl.flock(users, fcntl.LOCK_SH)
                if not cluster.exists():
                    postmaster.create_cluster(cluster, programs, account, settings)
                process = _running(cluster) or postmaster.start(cluster, programs, account)
                server = Embedded(postmaster.socket_folder(cluster), programs)
        except (OSError, EmbeddedUnavailableError) as error:
            raise EmbeddedUnavailableError(_reason(error, cluster)) from error
        yield server
    finally:
        # A process that was forked from this one has no part in it.
        if users is not None and os.getpid() == owner:
            with _undisturbed():
                _leave(lock, users, cluster, process)
