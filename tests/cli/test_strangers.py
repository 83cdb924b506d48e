"""Someone types a command where there is no database, or as root in somebody else's folder."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from sqlalchemy import URL

from pyapi.cli import cli
from pyapi.embedded import embedded
from pyapi.settings import Settings
from tests.support.accounts import OTHER, Python, modes
from tests.support.command import environment, run, run_here
from tests.support.databases import connect, folder_of_a_server, plain

pytestmark = pytest.mark.needs("time")

# These make an embedded server where there is none.
MAKE = {"up", "migrate"}
# These need no database.
NEED_NONE = {"token", "manual", "routine new", "routine release"}
# What a command takes, where it is more than its required arguments.
TAKE: dict[str, tuple[str, ...]] = {
    "cache-version set": ("us", "--package", "1"),
    "psql": ("-c", "select 1"),
    "purge": ("--older-than", "30d"),
    "rerun-batch": ("--country", "us"),
    "undo": ("1",),
    "release-stuck": ("--older-than", "6h"),
    "work": ("--once", "--command", "true"),
}
# What a command needs besides.
SETTINGS = {"invalidate": {"PGREPRISE_REDIS_URL": "redis://127.0.0.1:1", "RUNTIME_CACHE_ENVIRONMENT": "e",
                           "RUNTIME_CACHE_SERVICE": "s"}}  # fmt: skip


def commands(command: click.Command, name: str = "") -> Iterator[tuple[str, click.Command]]:
    """The commands below one, by what is typed."""
    if isinstance(command, click.Group):
        for word, below in command.commands.items():
            yield from commands(below, f"{name} {word}".strip())
    else:
        yield name, command


def typed(name: str) -> list[str]:
    """A command with what it takes."""
    required = [
        "1" if parameter.type is click.INT else "us"
        for parameter in dict(commands(cli))[name].params
        if isinstance(parameter, click.Argument) and parameter.required
    ]
    return [*name.split(), *TAKE.get(name, required)]


# Those for several servers go to the servers that PGREPRISE_SHARDS names.
USE = sorted(name for name in dict(commands(cli)).keys() - MAKE - NEED_NONE if not name.startswith("shard "))


# --- where there is no database ---------------------------------------------------------------


@pytest.mark.parametrize("command", USE)
def test_a_command_that_finds_no_database_makes_none_and_says_where_it_looked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, port: int, command: str
) -> None:
    monkeypatch.chdir(tmp_path)
    done = run_here(*typed(command), PORT=str(port), **SETTINGS.get(command, {}))
    assert (done.returncode, done.stdout) == (2, "")
    assert f"in {tmp_path}/.pgreprise is no database" in done.stderr
    assert all(what in done.stderr for what in ("DATABASE_URL", "PGREPRISE_DATA", "make run"))
    assert list(tmp_path.iterdir()) == []


def test_a_database_of_the_other_version_is_named(tmp_path: Path) -> None:
    (tmp_path / "postgresql-16").mkdir()
    done = run_here("doctor", PGREPRISE_DATA=str(tmp_path), PGREPRISE_POSTGRES_VERSION="18")
    assert "PGREPRISE_POSTGRES_VERSION=16 uses it" in done.stderr


def test_a_downgrade_makes_no_database_either(tmp_path: Path) -> None:
    done = run_here("migrate", "--downgrade", "core@base", PGREPRISE_DATA=str(tmp_path / "data"))
    assert done.returncode == 2
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["DATABASE_URL", "PGREPRISE_MIGRATION_URL", "PGREPRISE_DATA"])
@pytest.mark.parametrize("value", ["", "  "])
def test_a_setting_that_is_empty_is_an_error_and_not_the_embedded_server(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.chdir(tmp_path)
    for command in ("migrate", "doctor"):
        done = run_here(command, **{name: value})
        assert (done.returncode, done.stdout) == (2, "")
        assert f"{name} is set but empty" in done.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("arguments", [("--help",), ("doctor",), ("runs", "us", "1")], ids=" ".join)
def test_no_command_that_reads_imports_the_package_of_the_embedded_server(
    tmp_path: Path, database: URL, arguments: tuple[str, ...]
) -> None:
    program = "import atexit, sys; from pyapi.__main__ import main\n"
    program += "atexit.register(lambda: print('imported', [n for n in sys.modules if n.startswith('pixeltable')]))\n"
    command = [sys.executable, "-c", program + "main()", *arguments]
    settings = environment(DATABASE_URL=plain(database))
    said = subprocess.run(
        command, env=settings, cwd=tmp_path, capture_output=True, encoding="utf-8", check=False
    ).stdout
    assert said.endswith("imported []\n")
    assert list(tmp_path.iterdir()) == []


def test_serve_on_an_embedded_database_that_is_not_migrated_is_a_sentence(plain_folder: Path, port: int) -> None:
    version = Settings.from_environment().postgres_version
    settings = {"PGREPRISE_DATA": str(plain_folder), "PORT": str(port), "PGREPRISE_POSTGRES_VERSION": str(version)}
    with embedded(plain_folder, version) as server:
        server.create_database()
        done = run_here("serve", **settings)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == (
        f"Error: pgreprise is not installed in the database in {plain_folder}. Run `pgreprise migrate` first.\n"
    )


def test_a_login_without_any_right_gets_a_sentence_from_every_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, database: URL
) -> None:
    monkeypatch.chdir(tmp_path)
    login = f"pgreprise_test_stranger_{os.getpid()}"
    with connect(database) as dba:
        dba.execute(f"create role {login} login")
        try:
            for command in (*USE, "migrate"):
                # psql and the API speak for themselves.
                if command not in ("psql", "serve"):
                    url = plain(database.set(username=login))
                    done = run_here(*typed(command), DATABASE_URL=url, **SETTINGS.get(command, {}))
                    assert done.returncode in (1, 2), command
                    assert "error: " in done.stderr.lower(), command
        finally:
            dba.execute(f"drop role {login}")


# --- as somebody else -------------------------------------------------------------------------


@pytest.fixture(scope="module")
def python() -> Iterator[Python]:
    """A Python with this project that every account may run."""
    with folder_of_a_server() as folder:
        yield Python(Path(folder))


@pytest.fixture
def theirs() -> Iterator[Path]:
    """A folder of another account, in one that belongs to it too."""
    with folder_of_a_server() as folder:
        home = Path(folder) / "home"
        clone = home / "clone"
        clone.mkdir(parents=True)
        home.chmod(0o700)
        for path in (home, clone):
            shutil.chown(path, OTHER)
        yield clone


@pytest.mark.needs("root")
def test_an_account_without_rights_on_the_installation_works_in_its_own_folder(python: Python, theirs: Path) -> None:
    done = python.run("migrate", folder=theirs)
    assert (done.returncode, done.stderr) == (0, "")
    assert python.run("cache-version", "show", folder=theirs).returncode == 0
    assert {path.owner() for path in theirs.rglob("*")} == {OTHER}


@pytest.mark.needs("root")
def test_root_changes_no_owner_and_no_mode_in_the_folder_of_another_account(
    python: Python, theirs: Path, port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever root types there, before the owner has a database and afterwards."""
    monkeypatch.chdir(theirs)
    tried = [["up"], ["migrate"], *(typed(name) for name in ("doctor", "psql", "runs", "serve"))]
    before = modes(theirs)
    for command in tried:
        done = run_here(*command, PORT=str(port))
        assert done.returncode in (1, 2), command
        assert "Traceback" not in done.stderr
        assert modes(theirs) == before, command

    assert python.run("migrate", folder=theirs).returncode == 0
    before = modes(theirs)
    for command in tried:
        done = run_here(*command, PORT=str(port))
        assert (done.returncode, done.stdout) == (1, ""), command
        assert f"{theirs}/.pgreprise belongs to the account {OTHER}. Run the command as that account" in done.stderr
        assert modes(theirs) == before, command
    assert python.run("cache-version", "show", folder=theirs).returncode == 0


@pytest.mark.needs("root")
def test_the_data_of_root_are_named_as_such_to_another_account(python: Python, theirs: Path) -> None:
    theirs.parent.chmod(0o711)
    data = theirs / "data"
    data.mkdir()
    assert run("migrate", PGREPRISE_DATA=str(data)).returncode == 0
    for command in ("migrate", "doctor"):
        done = python.run(command, folder=theirs, PGREPRISE_DATA=str(data))
        assert (done.returncode, done.stdout) == (1, "")
        assert f"{data} belongs to the account root" in done.stderr


@pytest.mark.needs("root")
def test_a_folder_in_which_an_account_may_not_write_is_a_sentence(python: Python, theirs: Path) -> None:
    theirs.parent.chmod(0o755)
    theirs.chmod(0o555)
    for command in ("migrate", "up"):
        done = python.run(command, folder=theirs)
        assert (done.returncode, done.stdout) == (1, "")
        assert f"Permission denied: {theirs}/.pgreprise. PGREPRISE_DATA names another folder" in done.stderr
