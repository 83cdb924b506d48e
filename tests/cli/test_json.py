"""A program reads what the command prints with --json: one document, of one shape, also when it fails."""

from __future__ import annotations

import json
from collections.abc import Iterator

import click
import pytest
from sqlalchemy import URL

from pyapi.cli import cli
from tests.support.command import Run, run_here
from tests.support.databases import Connection, plain

# They run on, print what has a form of its own, or one sentence.
WITHOUT_JSON = {
    "up",
    "serve",
    "work",
    "psql",
    "migrate",
    "token",
    "sample load",
    "import-legacy",
    "cache-version set",
    "setting set",
    "setting clear",
    "manual",
    "routine new",
    "routine release",
    "shard router",
}


def leaves(group: click.Group, *names: str) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    """The commands that do something by themselves."""
    for name, command in group.commands.items():
        if isinstance(command, click.Group):
            yield from leaves(command, *names, name)
        if not isinstance(command, click.Group) or command.invoke_without_command:
            yield (*names, name), command


def has_json(command: click.Command) -> bool:
    return any("--json" in parameter.opts for parameter in command.params)


WITH_JSON = [names for names, command in leaves(cli) if has_json(command)]
ARGUMENTS = {
    ("rerun",): ("us", "1"),
    ("preview",): ("us", "1"),
    ("undo",): ("1",),
    ("runs",): ("us", "1"),
    ("attempts",): ("us", "1"),
    ("cancel-run",): ("us", "1"),
    ("release-stuck",): ("--older-than", "6h"),
    ("last-good",): ("us", "1"),
    ("compare-runs",): ("us", "1", "1", "1"),
    ("rerun-batch",): ("--country", "us"),
    ("batches", "show"): ("1",),
    ("batches", "cancel"): ("1",),
    ("purge",): ("--older-than", "30d", "--yes"),
    ("shard", "prepare"): ("a",),
    ("shard", "move"): ("17", "--to", "a"),
    ("shard", "check"): ("17",),
    ("shard", "forget"): ("17", "--yes"),
}


def test_every_command_that_prints_results_has_json() -> None:
    assert {" ".join(names) for names, command in leaves(cli) if not has_json(command)} <= WITHOUT_JSON
    assert len(WITH_JSON) > 15


@pytest.mark.parametrize("names", WITH_JSON, ids=" ".join)
def test_a_failure_is_an_object_too(names: tuple[str, ...], empty_database: URL) -> None:
    done = run_here(*names, *ARGUMENTS.get(names, ()), "--json", DATABASE_URL="postgresql://nobody@127.0.0.1:1/none")
    assert done.returncode in (1, 2)
    failed = json.loads(done.stdout)
    assert failed.keys() == {"error"}
    wanted = {"invalidate": "PGREPRISE_REDIS_URL is not set", "shard": "PGREPRISE_SHARDS is not set"}.get(
        names[0], "connection failed"
    )
    assert wanted in failed["error"]["message"]
    assert done.stderr != ""
    assert "Traceback" not in done.stderr
    missing = run_here(*names, *ARGUMENTS.get(names, ()), "--json", DATABASE_URL=plain(empty_database))
    if missing.returncode != 0 and "error" in (told := json.loads(missing.stdout)):
        assert told["error"].get("code") in ("42883", "3F000", None)


@pytest.mark.needs("time")
@pytest.mark.parametrize("names", WITH_JSON, ids=" ".join)
def test_an_answer_is_one_document(names: tuple[str, ...], pgreprise: Run, dba: Connection) -> None:
    dba.execute("select create_rerun_batch('{\"ids\": [1]}')")
    done = pgreprise(*names, *ARGUMENTS.get(names, ()), "--json")
    assert isinstance(json.loads(done.stdout), list | dict)
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("wrong", [("--jsn",), ("--limit", "0"), ("show", "x")])
def test_wrong_usage_is_an_object_too(wrong: tuple[str, ...], pgreprise: Run) -> None:
    done = pgreprise("batches", *wrong, "--json")
    assert done.returncode == 2
    assert json.loads(done.stdout)["error"]["message"]
    assert done.stderr.startswith("Usage: pgreprise batches")


def test_a_refusal_has_code_message_and_hint(pgreprise: Run) -> None:
    done = pgreprise("batches", "cancel", "7", "--json")
    error = json.loads(done.stdout)["error"]
    assert (error["code"], error["message"]) == ("RR018", "Batch #7 not found.")
    assert error["hint"]
    assert done.returncode == 1
