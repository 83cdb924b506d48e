"""Someone works with the command: what it says, and its exit codes 0, 1 (refused, or found something) and 2 (usage)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import psycopg
import pytest
from sqlalchemy import URL

from pyapi.cli import cli
from pyapi.schema.files import live_routines
from tests.support.command import Done, Run, run, run_here, succeeded
from tests.support.databases import Connection, plain
from tests.support.factories import (
    VERSIONS,
    add_economy_report,
    add_reform_impact,
    add_report,
    add_simulation,
    set_versions,
)
from tests.support.snapshots import snapshot
from tests.support.statements import one

COMMANDS = [
    *([name] for name in cli.commands if name != "psql"),
    *(["cache-version", name] for name in ("show", "set")),
    *(["routine", name] for name in ("new", "release", "list")),
    *(["setting", name] for name in ("show", "set")),
    ["sample", "load"],
]


@pytest.fixture
def nowhere(tmp_path: Path) -> dict[str, str]:
    """Settings of a server that is away."""
    return {"DATABASE_URL": f"postgresql://postgres@127.0.0.1:1/{tmp_path.name}"}


def refused(done: Done, code: int = 1) -> str:
    """What a command complained of."""
    assert done.returncode == code, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    return done.stderr


# --- help and usage --------------------------------------------------------------------------


def test_the_help_names_every_command_and_what_it_is_for() -> None:
    text = succeeded(run("--help"))
    for name, command in cli.commands.items():
        assert f"  {name}  " in text
        assert command.get_short_help_str(40).rstrip(".") in " ".join(text.split())


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_every_command_has_help_of_its_own(command: list[str]) -> None:
    assert succeeded(run_here(*command, "--help")).startswith(f"Usage: pgreprise {' '.join(command)} ")


@pytest.mark.parametrize(
    "arguments",
    [
        ["rerum"],
        ["rerun"],
        ["rerun", "us"],
        ["rerun", "us", "one"],
        ["rerun", "us", "1", "--jsn"],
        ["cache-version", "set"],
        ["cache-version", "set", "us"],
        ["import-legacy"],
        ["import-legacy", "x.sqlite", "--invalid-json", "keep"],
        ["migrate", "--drop-tables-with-rows"],
        ["migrate", "--sql", "--downgrade", "base"],
        ["migrate", "--sql", "--to", "nonsense"],
        ["migrate", "--to", "reports_0001", "--downgrade", "base"],
        ["migrate", "--to", "heads", "--downgrade", "reports_0001"],
        ["serve", "--port", "0"],
        ["serve", "--port", "65536"],
        ["up", "--port", "http"],
    ],
    ids=" ".join,
)
def test_wrong_usage_is_told_with_exit_code_2(arguments: list[str], nowhere: dict[str, str]) -> None:
    assert "rror: " in refused(run_here(*arguments, **nowhere), 2)


@pytest.mark.parametrize(
    "settings",
    [
        {"DATABASE_URL": "mysql://root@localhost/reports"},
        {"DATABASE_URL": "reports"},
        {"DATABASE_URL": "postgresql://localhost:port/reports"},
        {"PGREPRISE_MIGRATION_URL": "sqlite:///reports"},
        {"PGREPRISE_POSTGRES_VERSION": "15"},
    ],
    ids=str,
)
def test_a_setting_that_cannot_be_used_is_wrong_usage(settings: dict[str, str]) -> None:
    assert "Error: " in refused(run_here("defects", **settings), 2)


def test_a_revision_that_is_not_there_is_wrong_usage(pgreprise: Run) -> None:
    assert "error: Can't locate revision identified by 'nonsense'." in refused(
        pgreprise("migrate", "--to", "nonsense"), 2
    )
    assert "'nonsense'" in refused(pgreprise("migrate", "--downgrade", "nonsense"), 2)


@pytest.mark.parametrize("revision", ["", " ", "@", "reports@", ":"])
@pytest.mark.parametrize("options", [["--to"], ["--downgrade"], ["--sql", "--to"]], ids=" ".join)
def test_a_text_that_names_no_revision_is_wrong_usage(
    options: list[str], revision: str, nowhere: dict[str, str]
) -> None:
    said = refused(run_here("migrate", *options, revision, **nowhere), 2)
    assert f"{revision!r} names no revision. Give one, as reports_0001 or reports@head." in said


# --- the database ----------------------------------------------------------------------------

ASKING = [
    ["rerun", "us", "1"],
    ["preview", "us", "1"],
    ["undo", "1"],
    ["rerun-batch", "1"],
    ["purge", "--older-than", "1 day"],
    ["defects"],
    ["doctor"],
    ["cache-version", "show"],
    ["sample", "load"],
]


@pytest.mark.parametrize("command", ASKING, ids=" ".join)
def test_a_server_that_is_away_is_one_clear_message(command: list[str], nowhere: dict[str, str]) -> None:
    assert refused(run_here(*command, **nowhere)).lower().startswith("error: connection failed")


@pytest.mark.parametrize("command", ASKING, ids=" ".join)
def test_a_database_without_pgreprise_is_told_with_the_remedy(command: list[str], empty_database: URL) -> None:
    said = refused(run_here(*command, DATABASE_URL=plain(empty_database)))
    assert "hint: pgreprise is not installed in this database, or it is older. Run `pgreprise migrate`." in said


@pytest.mark.needs("time")
def test_migrate_installs_says_where_it_got_to_and_goes_back(empty_database: URL) -> None:
    url = plain(empty_database)
    assert "The database is at " in succeeded(run("migrate", DATABASE_URL=url))
    succeeded(run_here("sample", "load", DATABASE_URL=url))
    # A role that may migrate stands beside one that may not.
    settings = {"DATABASE_URL": "postgresql://nobody@127.0.0.1:1/none", "PGREPRISE_MIGRATION_URL": url}
    assert "The database is at " in succeeded(run_here("migrate", **settings))
    assert "reports_" not in succeeded(run_here("migrate", "--downgrade", "reports@base", **settings)).splitlines()[-1]
    with psycopg.connect(url) as connection:
        assert connection.execute("select count(*) from public.simulations").fetchone() == (8,)
    succeeded(run_here("migrate", **settings))
    assert "no revision" in succeeded(run_here("migrate", "--downgrade", "base", "--drop-tables-with-rows", **settings))


def test_migrate_prints_its_sql_without_a_database(nowhere: dict[str, str]) -> None:
    printed = succeeded(run("migrate", "--sql", **nowhere))
    assert printed.startswith("-- Run it with: psql")
    assert "create or replace procedure public.rerun_report" in printed


# --- rerun -----------------------------------------------------------------------------------


def test_several_reports_are_rerun_and_one_that_is_refused_does_not_stop_the_others(
    pgreprise: Run, dba: Connection
) -> None:
    set_versions(dba)
    first = add_economy_report(dba)[0]
    add_reform_impact(dba)
    second = add_report(dba, add_simulation(dba, population_type="household"))
    done = pgreprise("rerun", "us", str(first), "999", str(second))
    assert refused(done).startswith("error: Report #999 not found. (RR001)\nhint: ")
    assert done.stdout.splitlines() == [
        f"Report #{first} (geography) is pending again as run 2; simulations #1, #2; 1 cache row deleted; rerun #1.",
        f"Report #{second} (household) is pending again as run 2; simulation #3; 0 cache rows deleted; rerun #2.",
    ]
    assert {row["status"] for row in snapshot(dba)["report_outputs"]} == {"pending"}
    assert snapshot(dba)["reform_impact"] == []


def test_rerun_in_json_is_one_array_with_a_result_for_each_report(pgreprise: Run, dba: Connection) -> None:
    report = add_report(dba, add_simulation(dba, population_type="household"))
    done = pgreprise("rerun", "us", str(report), "999", str(2**63), "--json")
    assert refused(done) == ""
    good, missing, too_large = json.loads(done.stdout)
    assert good == good | {
        "status": "ok", "report_id": report, "report_type": "household", "simulation_ids": [1],
        "economy_cache_rows_deleted": 0, "run_sequence": 2, "rerun_id": 1,
    }  # fmt: skip
    assert (missing["status"], missing["report_id"], missing["code"]) == ("error", 999, "RR001")
    assert missing["message"] == "Report #999 not found."
    assert missing["hint"]
    assert (too_large["status"], too_large["code"]) == ("error", "22003")


def unknown_country(_: Connection) -> tuple[str, int]:
    return "zz", 1


def other_country(dba: Connection) -> tuple[str, int]:
    return "us", add_report(dba, add_simulation(dba, country_id="uk"), country_id="uk")


def missing_simulation(dba: Connection) -> tuple[str, int]:
    return "us", add_report(dba, 999)


def mixed_types(dba: Connection) -> tuple[str, int]:
    return "us", add_report(dba, add_simulation(dba), add_simulation(dba, population_type="household"))


def unknown_type(dba: Connection) -> tuple[str, int]:
    return "us", add_report(dba, add_simulation(dba, population_type="planet"))


def no_year(dba: Connection) -> tuple[str, int]:
    set_versions(dba)
    return "us", add_report(dba, add_simulation(dba), year=None)


def no_version(dba: Connection) -> tuple[str, int]:
    return "us", add_report(dba, add_simulation(dba))


@pytest.mark.parametrize(
    ("arrange", "code"),
    [
        (other_country, "RR001"),
        (missing_simulation, "RR002"),
        (mixed_types, "RR003"),
        (unknown_type, "RR004"),
        (no_year, "RR005"),
        (no_version, "RR006"),
        (unknown_country, "RR008"),
    ],
)  # fmt: skip
def test_a_refused_rerun_is_told_with_code_and_hint_and_changes_nothing(
    pgreprise: Run, dba: Connection, arrange: Any, code: str
) -> None:
    add_reform_impact(dba)
    country, report = arrange(dba)
    before = snapshot(dba)
    said = refused(pgreprise("rerun", country, str(report)))
    assert f"({code})\nhint: " in said
    assert snapshot(dba) == before


# --- defects, versions, the sample, routines -------------------------------------------------


def test_defects_lists_what_cannot_be_rerun_with_exit_code_1(pgreprise: Run, dba: Connection) -> None:
    assert succeeded(pgreprise("defects")) == "Every report can be rerun.\n"
    assert json.loads(succeeded(pgreprise("defects", "--json"))) == []
    report = add_report(dba, 999)
    done = pgreprise("defects", "--json")
    assert refused(done) == ""
    [defect] = json.loads(done.stdout)
    assert (defect["report_id"], defect["errcode"]) == (report, "RR002")
    done = pgreprise("defects")
    assert refused(done) == ""
    assert "RR002" in done.stdout


def test_versions_are_set_and_shown(pgreprise: Run) -> None:
    versions = VERSIONS["us"]
    options = [f"--{name.replace('_', '-')}={version}" for name, version in versions.items()]
    assert succeeded(pgreprise("cache-version", "set", "us", *options)) == "The versions of us are set.\n"
    succeeded(pgreprise("cache-version", "set", "us", "--package", "2.0.0"))
    shown = {row["country_id"]: row for row in json.loads(succeeded(pgreprise("cache-version", "show", "--json")))}
    assert shown.keys() == {"uk", "us", "ca", "ng", "il"}
    assert shown["us"].items() >= {**versions, "package": "2.0.0"}.items()
    assert shown["uk"]["package"] is None
    assert versions["economy_impact"] in succeeded(pgreprise("cache-version", "show"))


def test_versions_that_no_row_can_have_are_refused(pgreprise: Run, dba: Connection) -> None:
    before = one(dba, "select array_agg(country::text) as all from pgreprise.country as country")
    assert "(RR008)" in refused(pgreprise("cache-version", "set", "zz", "--package", "1"))
    assert "(RR016)" in refused(pgreprise("cache-version", "set", "us", "--package", "12345678901"))
    assert one(dba, "select array_agg(country::text) as all from pgreprise.country as country") == before


def test_the_sample_goes_into_empty_tables_only(pgreprise: Run, dba: Connection) -> None:
    assert "household" in succeeded(pgreprise("sample", "load"))
    before = snapshot(dba)
    assert len(before["report_outputs"]) == 6
    assert "The sample needs empty tables" in refused(pgreprise("sample", "load"))
    assert snapshot(dba) == before


def test_routines_are_listed_with_the_version_here_and_the_one_installed(pgreprise: Run, dba: Connection) -> None:
    dba.execute("update pgreprise.routine_version set version = 7 where name = 'reports/rerun_report'")
    listed = {row["name"]: row for row in json.loads(succeeded(pgreprise("routine", "list", "--json")))}
    assert listed.keys() == {file.name for file in live_routines()}
    assert listed["reports/rerun_report"]["installed"] == 7
    assert listed["reports/reset_report"]["installed"] == listed["reports/reset_report"]["newest"]


@pytest.mark.needs("time")
def test_psql_gets_its_arguments_and_gives_its_exit_code(database: URL) -> None:
    assert succeeded(run("psql", "-At", "-c", "select current_database() <> ''", DATABASE_URL=plain(database))) == "t\n"
    assert "syntax error" in refused(run("psql", "-c", "rerun", DATABASE_URL=plain(database)))
