"""A user installs the wheel and migrates with it."""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

import pytest
from sqlalchemy import URL

from pyapi.schema import migrate
from tests.support.databases import plain
from tests.support.dumps import state
from tests.support.projects import PROJECT


def run(*command: str | Path, cwd: Path, **environment: str) -> str:
    """What a command prints, run with nothing of this process's Python settings."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "PGREPRISE_"))}
    done = subprocess.run(command, cwd=cwd, env=kept | environment, capture_output=True, encoding="utf-8", check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout.strip()


@pytest.fixture
def installed(tmp_path: Path) -> Path:
    """The programs of a clean environment that holds the wheel instead of the checkout."""
    run(
        sys.executable,
        "-m",
        "build",
        "--wheel",
        "--no-isolation",
        "--outdir",
        tmp_path / "dist",
        PROJECT,
        cwd=tmp_path,
        PGREPRISE_UNRELEASED="1",
    )
    [wheel] = (tmp_path / "dist").glob("*.whl")
    environment = tmp_path / "venv"
    venv.create(environment, with_pip=False)
    programs = environment / "bin"
    run(
        sys.executable, "-m", "pip", "--python", programs / "python", "install", "--quiet", "--no-index", "--no-deps",
        "--disable-pip-version-check", wheel, cwd=tmp_path,
    )  # fmt: skip
    # The dependencies are those of this process; a path file does not carry over an editable checkout.
    packages = next((environment / "lib").glob("python*")) / "site-packages"
    (packages / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return programs


@pytest.mark.needs("time")
def test_the_installed_wheel_migrates_as_the_checkout_does(
    installed: Path, tmp_path: Path, empty_database: URL, database: URL
) -> None:
    imported = run(installed / "python", "-c", "import pyapi; print(pyapi.__file__)", cwd=tmp_path)
    assert Path(imported).is_relative_to(installed.parent)
    printed = run(installed / "pgreprise", "migrate", cwd=tmp_path, DATABASE_URL=plain(empty_database))
    assert migrate.scripts().get_revision("reports@head").revision in printed
    assert state(empty_database) == state(database)


def test_a_wheel_with_unreleased_texts_is_not_built_by_accident(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", tmp_path / "dist", PROJECT],
        cwd=tmp_path,
        env={**os.environ, "PGREPRISE_UNRELEASED": ""},
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
    assert done.returncode != 0
    assert "SQL texts that are not released yet" in done.stdout + done.stderr
    assert "pgreprise routine release" in done.stdout + done.stderr
    assert not (tmp_path / "dist").exists() or list((tmp_path / "dist").iterdir()) == []
