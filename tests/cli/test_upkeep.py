"""Someone purges the archive, by hand or from a timer, and changes settings."""

from __future__ import annotations

import json

import pytest
from sqlalchemy import URL

from tests.support.command import Run, run_on_terminal, succeeded
from tests.support.databases import Connection, plain
from tests.support.factories import add_reform_impact, add_report, add_simulation, set_versions
from tests.support.snapshots import everything
from tests.support.statements import one

ALL = ("purge", "--older-than", "0d", "--keep-last", "0")


@pytest.fixture
def reports(pgreprise: Run, dba: Connection) -> list[int]:
    """Four household reports that were rerun."""
    set_versions(dba)
    add_reform_impact(dba)
    made = [add_report(dba, add_simulation(dba, population_type="household", policy_id=number)) for number in range(4)]
    assert pgreprise("rerun", "us", *map(str, made)).returncode == 0
    return made


def test_a_purge_frees_outputs_and_only_tells_in_a_dry_run(pgreprise: Run, dba: Connection, reports: list[int]) -> None:
    before = everything(dba)
    dry = json.loads(pgreprise(*ALL, "--dry-run", "--json").stdout)
    assert (dry["archived_reruns"], dry["purgeable_reruns"], dry["purgeable_outputs"]) == (4, 4, 8)
    shown = pgreprise(*ALL, "--dry-run").stdout
    assert "The outputs of 4 reruns would be deleted: 8 outputs, " in shown
    assert "Nothing was changed." in shown
    assert "No outputs are that old." in pgreprise("purge", "--older-than", "30 days", "--dry-run").stdout
    kept = pgreprise("purge", "--older-than", "0d", "--json")
    assert json.loads(kept.stdout) == {"state": "finished", "reruns": 0, "bytes": 0}
    assert everything(dba) == before
    done = pgreprise(*ALL, "--yes")
    assert done.returncode == 0
    assert done.stdout.startswith("The outputs of 4 reruns were deleted, ")
    freed = one(dba, "select rerun_id from report_history(%s::bigint) limit 1", reports[0])["rerun_id"]
    assert "(RR014)" in pgreprise("undo", str(freed)).stderr


@pytest.mark.usefixtures("reports")
@pytest.mark.parametrize("more", [(), ("--json",)])
def test_without_a_terminal_and_without_yes_nothing_is_purged(
    pgreprise: Run, dba: Connection, more: tuple[str, ...]
) -> None:
    before = everything(dba)
    done = pgreprise(*ALL, *more)
    assert done.returncode == 1
    assert "Give --yes" in done.stderr
    assert "The outputs of 4 reruns would be deleted" in done.stderr
    assert done.stdout == ""
    assert everything(dba) == before


@pytest.mark.needs("time")
@pytest.mark.usefixtures("reports")
@pytest.mark.parametrize(("typed", "is_done"), [("y", True), ("n", False), ("", False)])
def test_on_a_terminal_a_purge_shows_what_would_go_and_asks(
    database: URL, dba: Connection, typed: str, is_done: bool
) -> None:
    before = everything(dba)
    done = run_on_terminal(typed, *ALL, DATABASE_URL=plain(database))
    assert "The outputs of 4 reruns would be deleted: 8 outputs, " in done.stdout
    assert (everything(dba) != before) is is_done
    assert done.returncode == (0 if is_done else 1 if typed else 130)


@pytest.mark.usefixtures("reports")
@pytest.mark.parametrize("age", ["30", "0", "-1d", "soon", "1 month", "1.5d", "d", "", "30s", "30 d d", "\u0661d"])
def test_an_age_without_a_unit_is_refused_and_nothing_is_purged(pgreprise: Run, dba: Connection, age: str) -> None:
    before = everything(dba)
    done = pgreprise("purge", f"--older-than={age}", "--keep-last", "0", "--yes")
    assert done.returncode == 2
    assert "Give a number with a unit, as 30m, 12h, 30d or 4w" in done.stderr
    assert ("did you mean 30d?" in done.stderr) == (age == "30")
    assert everything(dba) == before


def test_a_run_is_lost_after_an_age_with_a_unit(pgreprise: Run, dba: Connection) -> None:
    set_versions(dba)
    report = add_report(dba, add_simulation(dba), status="running")
    refusal = pgreprise("lost", "--older-than", "30")
    assert refusal.returncode == 2
    assert "did you mean 30d?" in refusal.stderr
    found = pgreprise("lost", "--older-than", "0m", "--json")
    assert (found.returncode, [row["report_id"] for row in json.loads(found.stdout)]) == (1, [report])
    dba.execute("call public.rerun_report(%s::bigint)", (report,))
    assert succeeded(pgreprise("lost", "--older-than", "1d")) == "No report has been pending or running for so long.\n"


@pytest.mark.parametrize(
    "arguments", [(), ("--older-than", "1d", "--by-retention"), ("--by-retention", "--keep-last", "0")]
)
def test_a_purge_needs_one_rule(pgreprise: Run, arguments: tuple[str, ...]) -> None:
    assert pgreprise("purge", *arguments).returncode == 2


def test_a_timer_purges_what_the_settings_do_not_keep(pgreprise: Run, dba: Connection, reports: list[int]) -> None:
    unset = pgreprise("purge", "--by-retention")
    assert unset.returncode == 1
    assert "Nothing says how long the archive is kept." in unset.stderr
    pgreprise("setting", "set", "archive_keep", "30 days")
    pgreprise("setting", "set", "archive_keep_last", "0")
    assert json.loads(pgreprise("purge", "--by-retention", "--json").stdout)["reruns"] == 0
    dba.execute(
        "update pgreprise.rerun set created_at = created_at - interval '31 days' where report_id = %s", (reports[0],)
    )
    assert json.loads(pgreprise("purge", "--by-retention", "--json").stdout)["reruns"] == 1
    pgreprise("setting", "set", "archive_keep_bytes", "0")
    assert json.loads(pgreprise("purge", "--by-retention", "--dry-run", "--json").stdout)["purgeable_reruns"] == 3
    assert json.loads(pgreprise("purge", "--by-retention", "--json").stdout)["reruns"] == 3


def test_a_value_that_a_setting_may_be_without_is_taken_away(pgreprise: Run, dba: Connection) -> None:
    pgreprise("setting", "set", "archive_keep", "90 days")
    assert pgreprise("setting", "clear", "archive_keep").stdout == "Setting archive_keep has no value.\n"
    assert one(dba, "select archive_keep from pgreprise.setting")["archive_keep"] is None
    refused = pgreprise("setting", "clear", "archive_outputs")
    assert refused.returncode == 1
    assert "(RR016)" in refused.stderr


def test_settings_are_shown_and_changed(pgreprise: Run) -> None:
    done = pgreprise("setting", "set", "archive_outputs", "off")
    assert (done.returncode, done.stdout) == (0, "Setting archive_outputs is off.\n")
    [row] = [
        row for row in json.loads(pgreprise("setting", "show", "--json").stdout) if row["name"] == "archive_outputs"
    ]
    assert (row["name"], row["value"], row["type"]) == ("archive_outputs", "off", "boolean")
    for wrong in (["archive_outputs", "maybe"], ["archive", "on"]):
        refused = pgreprise("setting", "set", *wrong)
        assert refused.returncode == 1
        assert "(RR016)" in refused.stderr
