"""Terminals that have few characters, pipes that end, and monitors that read one line."""

from __future__ import annotations

import json
import re
import subprocess

import pytest
from sqlalchemy import URL

from tests.support.command import PROGRAM, Run, environment
from tests.support.databases import Connection, plain
from tests.support.factories import add_report, add_simulation, set_versions

pytestmark = pytest.mark.needs("time")

POOR = [
    {"PYTHONIOENCODING": "latin-1"},
    {"PYTHONIOENCODING": "ascii"},
    {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
]


@pytest.mark.parametrize("terminal", POOR, ids=str)
@pytest.mark.parametrize("arguments", [("history",), ("history", "--json"), ("--help",), ("batches", "show", "1")])
def test_a_terminal_with_few_characters_shows_what_it_can(
    database: URL, dba: Connection, terminal: dict[str, str], arguments: tuple[str, ...]
) -> None:
    set_versions(dba)
    report = add_report(dba, add_simulation(dba, population_type="household"))
    reason = "\N{SNOWMAN} naïve model"
    dba.execute("call rerun_report(%s, reason => %s)", (report, reason))
    dba.execute("select create_rerun_batch('{\"ids\": [1]}', %s)", (reason,))
    done = subprocess.run(
        [PROGRAM, *arguments],
        env=environment(DATABASE_URL=plain(database), **terminal),
        capture_output=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, b"")
    if arguments != ("--help",):
        assert b"model" in done.stdout


@pytest.mark.parametrize("terminal", POOR, ids=str)
def test_an_error_is_told_there_too(terminal: dict[str, str]) -> None:
    done = subprocess.run(
        [PROGRAM, "rerun", "us", "\N{SNOWMAN}"], env=environment(**terminal), capture_output=True, check=False
    )
    assert done.returncode == 2
    assert b"is not a valid integer" in done.stderr
    assert b"Traceback" not in done.stderr


def test_a_monitor_reads_one_line_and_the_exit_code(pgreprise: Run, dba: Connection) -> None:
    set_versions(dba)
    well = pgreprise("doctor", "--nagios")
    assert (well.returncode, well.stderr) == (0, "")
    assert re.match(r"PGREPRISE OK - 0 problems, (\d+) notes? \| problems=0;;0 notes=\1\n", well.stdout)
    add_report(dba, 999)
    ill = pgreprise("doctor", "--nagios")
    assert ill.returncode == 2
    first, *found = ill.stdout.splitlines()
    assert first.startswith("PGREPRISE CRITICAL - 1 problem, ")
    assert [line for line in found if line.startswith("problem, reports: ")]


@pytest.mark.parametrize(
    "settings",
    [{"DATABASE_URL": "postgresql://nobody:hidden@127.0.0.1:1/none"}, {"DATABASE_URL": "mysql://u:hidden@h/d"}],
    ids=str,
)
def test_what_a_monitor_cannot_know_is_unknown(settings: dict[str, str]) -> None:
    done = subprocess.run(
        [PROGRAM, "doctor", "--nagios"], env=environment(**settings), capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (3, "")
    assert done.stdout.startswith("PGREPRISE UNKNOWN - ")
    assert done.stdout.count("\n") == 1
    assert "hidden" not in done.stdout


def test_what_libpq_reads_of_the_environment_holds(pgreprise: Run, dba: Connection) -> None:
    set_versions(dba)
    report = add_report(dba, add_simulation(dba, population_type="household"))
    done = pgreprise("rerun", "us", str(report), "--json", PGOPTIONS="-c default_transaction_read_only=on")
    assert done.returncode == 1
    assert json.loads(done.stdout)["error"]["code"] == "25006"


EMPTY = (
    "DATABASE_URL",
    "PGREPRISE_MIGRATION_URL",
    "PGREPRISE_READ_URL",
    "PGREPRISE_SHARDS",
    "PGREPRISE_ROUTERS",
    "PGREPRISE_POOLER",
    "PGREPRISE_CALL_TIMEOUT",
    "PGREPRISE_DATA",
    "PGREPRISE_POSTGRES_VERSION",
    "PGREPRISE_JWT_SECRET",
    "PGREPRISE_JWT_JWKS",
    "PGREPRISE_JWT_AUDIENCE",
    "PGREPRISE_JWT_ISSUER",
    "PGREPRISE_REDIS_URL",
    "PGREPRISE_CORS_ORIGINS",
    "PGREPRISE_PROXIES",
    "PGREPRISE_CONSOLE",
    "PGREPRISE_CONSOLE_USER_HEADER",
    "PGREPRISE_CONSOLE_CLAIMS",
    "PGREPRISE_CONSOLE_PROXY",
    "PGREPRISE_METRICS_TOKEN",
    "PGREPRISE_LOG_FORMAT",
    "PGREPRISE_ACCESS_LOG",
)


@pytest.mark.parametrize("setting", EMPTY)
@pytest.mark.parametrize("value", ["", " \n"])
def test_a_setting_that_is_set_but_empty_is_told(pgreprise: Run, setting: str, value: str) -> None:
    done = pgreprise("status", **{setting: value})
    assert done.returncode == 2
    assert done.stderr == f"Error: {setting} is set but empty. Give it a value, or unset it.\n"


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("PGREPRISE_POOLER", "session\n"),
        ("PGREPRISE_CALL_TIMEOUT", "20 \r\n"),
        ("PGREPRISE_POSTGRES_VERSION", "18\n"),
        ("PGREPRISE_LOG_FORMAT", "json\n"),
        ("PGREPRISE_JWT_SECRET", f"{'x' * 40}\n"),
    ],
)
def test_white_space_at_the_end_of_a_setting_is_no_part_of_it(pgreprise: Run, setting: str, value: str) -> None:
    assert pgreprise("status", **{setting: value}).returncode == 0


@pytest.mark.parametrize(
    ("content", "found"),
    [
        (b"\xef\xbb\xbf1\n2\n", ["1", "2"]),
        ("1\n2\n".encode("utf-16"), None),
        ("1 \N{LATIN SMALL LETTER E WITH ACUTE}".encode("latin-1"), None),
    ],
)
def test_a_file_of_ids_may_have_a_byte_order_mark_and_no_other_encoding(
    pgreprise: Run, tmp_path_factory: pytest.TempPathFactory, content: bytes, found: list[str] | None
) -> None:
    file = tmp_path_factory.mktemp("ids") / "ids.txt"
    file.write_bytes(content)
    done = pgreprise("rerun-batch", "--ids-file", str(file), "--dry-run", "--json")
    if found is None:
        assert done.returncode == 2
        assert "The file of --ids-file is not UTF-8" in done.stderr
    else:
        assert json.loads(done.stdout)["effects"]["refused"] == len(found)
