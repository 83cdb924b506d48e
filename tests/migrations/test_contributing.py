"""A new contributor follows CONTRIBUTING.md: the change loop that it shows is run in a checkout of their own."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from sqlalchemy import URL

from tests.support.databases import plain
from tests.support.projects import PROJECT
from tests.support.transcripts import Step, agrees, blocks

PROGRAMS = Path(sys.executable).parent


def steps() -> list[Step]:
    """The commands of the section that shows the whole loop."""
    text = (PROJECT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    [section] = [part for part in text.split("\n## ") if part.startswith("The whole loop")]
    return [step for block in blocks(section) for step in block]


@pytest.fixture
def checkout(tmp_path: Path, empty_database: URL) -> tuple[Path, dict[str, str]]:
    """A checkout whose texts are all released and committed, and the environment of a shell in it."""
    for name in ("pyapi", "sql", "migrations"):
        shutil.copytree(PROJECT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md"):
        shutil.copy(PROJECT / name, tmp_path / name)
    variables = os.environ | {
        "PATH": f"{PROGRAMS}:{os.environ['PATH']}",
        # Goes before the checkout of this test.
        "PYTHONPATH": str(tmp_path),
        "DATABASE_URL": plain(empty_database),
        "GIT_CONFIG_GLOBAL": os.devnull,
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    variables.pop("PGREPRISE_MIGRATION_URL", None)
    for command in (
        "pgreprise routine release",
        "pgreprise migrate",
        "git init --quiet",
        "git add .",
        "git -c user.name=A -c user.email=a@example.org commit --quiet --message=released",
    ):
        done = run(tmp_path, variables, command)
        assert done.returncode == 0, done.stdout
    return tmp_path, variables


def run(folder: Path, variables: dict[str, str], command: str) -> subprocess.CompletedProcess[str]:
    """Run a command of the shell; what it complains about stands among what it prints."""
    return subprocess.run(
        command, shell=True, cwd=folder, env=variables, encoding="utf-8", check=False,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip


@pytest.mark.needs("time")
def test_the_loop_that_contributing_shows_is_what_happens(checkout: tuple[Path, dict[str, str]]) -> None:
    folder, variables = checkout
    shown = steps()
    assert [step.command.split()[:3] for step in shown if step.command.startswith("pgreprise routine")] == [
        ["pgreprise", "routine", "new"],
        ["pgreprise", "routine", "release"],
    ]
    assert sum(step.command.startswith("sed ") for step in shown) == 2
    for step in shown:
        done = run(folder, variables, step.command)
        assert agrees(step.output, done.stdout.splitlines()), f"line {step.line}, {step.command}: {done.stdout}"
        refused = any("ERROR:" in line for line in step.output)
        assert (done.returncode == 0) != refused, done.stdout
