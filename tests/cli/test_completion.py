"""A shell completes commands and options, and man(1) shows the manual page."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator

import click
import pytest

from pyapi.cli import cli
from tests.support.command import PROGRAM, environment, run_here, succeeded

pytestmark = pytest.mark.needs("time")


def completed(*words: str) -> list[str]:
    """What a shell offers for the last word."""
    done = subprocess.run(
        [PROGRAM],
        env=environment(
            _PGREPRISE_COMPLETE="bash_complete", COMP_WORDS=" ".join(["pgreprise", *words]), COMP_CWORD=str(len(words))
        ),
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stderr == ""
    return [line.partition(",")[2] for line in done.stdout.splitlines()]


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_each_shell_gets_its_script(shell: str) -> None:
    done = subprocess.run(
        [PROGRAM],
        env=environment(_PGREPRISE_COMPLETE=f"{shell}_source"),
        capture_output=True,
        text=True,
        check=True,
    )
    assert f"_PGREPRISE_COMPLETE={shell}_complete" in done.stdout.replace("env ", "")


def test_commands_options_and_choices_are_completed_without_a_database() -> None:
    assert {"batches", "purge", "rerun-batch"} <= set(completed(""))
    assert completed("batches", "c") == ["cancel"]
    assert completed("purge", "--by") == ["--by-retention"]
    assert completed("history", "--kind", "und") == ["undo"]


def paths(group: click.Group, *names: str) -> Iterator[str]:
    for name, command in group.commands.items():
        yield " ".join([*names, name])
        if isinstance(command, click.Group):
            yield from paths(command, *names, name)


def test_the_manual_page_has_every_command_and_every_option() -> None:
    page = succeeded(run_here("manual"))
    assert page.startswith('.TH PGREPRISE 1 "" "pgreprise ')
    titles = {
        match.replace("\\-", "-")
        for match in re.findall(r'^\.SS "pgreprise ([a-z\\ -]+?)(?: [A-Z\[].*)?"$', page, re.M)
    }
    assert titles == set(paths(cli))
    for option in ("--older-than", "--by-retention", "--expect", "--reason", "--nagios"):
        assert option.replace("-", "\\-") in page


@pytest.mark.needs("man")
def test_man_reads_the_page_without_a_complaint() -> None:
    page = succeeded(run_here("manual"))
    shown = subprocess.run(
        ["man", "--warnings", "-l", "-"],
        input=page,
        env={"PATH": "/usr/bin:/bin", "MANWIDTH": "100", "LC_ALL": "C.UTF-8"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (shown.returncode, shown.stderr) == (0, "")
    assert "purge [OPTIONS]" in shown.stdout
