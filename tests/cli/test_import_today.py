"""Someone imports a legacy database of today: more columns, tables of runs, and values that do not fit everywhere."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import pytest
from sqlalchemy import URL, Engine

from pyapi.database import connect_engine
from pyapi.schema import migrate
from pyapi.schema.legacy import ImportRefused, Misfit, import_legacy
from tests.support.command import Run
from tests.support.databases import Connection
from tests.support.factories import set_versions
from tests.support.hosts import LEGACY
from tests.support.legacy_sources import RUN_1, TABLES, TODAY, Legacy
from tests.support.mariadb import LegacyInMariaDB
from tests.support.snapshots import snapshot

pytestmark = pytest.mark.needs("time")

Source = Legacy | LegacyInMariaDB
EVERY_TABLE = {"report_outputs": 1, "simulations": 1, "report_output_runs": 1, "simulation_runs": 1, "reform_impact": 1}
# As many real ones are: longer than the 32 characters of the application's own table.
LONG_REGION = "constituency/Altrincham and Sale West"
LONG_HASH = "[dataset=gs://somewhere/" + "x" * 300 + "&model_version=1]"


@pytest.fixture
def legacy(tmp_path: Path) -> Legacy:
    return Legacy(tmp_path / "legacy.sqlite", today=True)


@pytest.fixture
def adopted(empty_database: URL) -> Iterator[Engine]:
    """A database whose tables are the application's own, with narrow columns and without tables of runs."""
    engine = connect_engine(empty_database)
    with engine.connect() as connection:
        connection.exec_driver_sql(LEGACY)
    migrate.upgrade(engine)
    yield engine
    engine.dispose()


# --- columns and tables ----------------------------------------------------------------------


def test_all_columns_and_the_tables_of_runs_arrive(legacy_of_today: Source, target: Engine, dba: Connection) -> None:
    result = import_legacy(legacy_of_today.source, target)
    assert result.rows == EVERY_TABLE
    assert (result.not_copied, result.replaced, result.filled_in) == ([], [], [])
    for table, values in (TABLES | TODAY).items():
        key = next(iter(values))
        found = dba.execute(f"select to_jsonb(entry) as entry from public.{table} as entry").fetchall()  # noqa: S608
        assert len(found) == 1
        stored = dba.execute(
            f"select {', '.join(f'{name}::text' for name in values)} from public.{table} where {key} = %s",  # noqa: S608
            (values[key],),
        ).fetchone()
        assert stored == {name: value if value is None else str(value) for name, value in values.items()}


def test_reruns_write_the_imported_tables_of_runs(legacy: Legacy, target: Engine, dba: Connection) -> None:
    import_legacy(legacy.source, target)
    set_versions(dba)
    dba.execute("call rerun_report(1)")
    runs = dba.execute("select id, run_sequence, status from report_output_runs order by run_sequence").fetchall()
    assert [(run["run_sequence"], run["status"]) for run in runs] == [(1, "complete"), (2, "pending")]
    report = dba.execute("select active_run_id, latest_successful_run_id from report_outputs").fetchone()
    assert report == {"active_run_id": runs[1]["id"], "latest_successful_run_id": RUN_1}


def test_tables_of_runs_are_not_made_where_the_source_has_none(tmp_path: Path, target: Engine, dba: Connection) -> None:
    import_legacy(Legacy(tmp_path / "old.sqlite").source, target)
    assert dba.execute("select to_regclass('public.report_output_runs') as made").fetchone() == {"made": None}


def test_a_refusal_leaves_no_tables_of_runs(legacy: Legacy, target: Engine, dba: Connection) -> None:
    legacy.add("simulations", id=2, country_id="too long")
    with pytest.raises(ImportRefused):
        import_legacy(legacy.source, target)
    assert dba.execute("select to_regclass('public.report_output_runs') as made").fetchone() == {"made": None}


def test_tables_of_runs_that_hold_rows_are_refused(legacy: Legacy, target: Engine, dba: Connection) -> None:
    import_legacy(legacy.source, target)
    dba.execute("truncate report_outputs, simulations, reform_impact")
    with pytest.raises(ImportRefused, match=r"holds rows in public\.report_output_runs, public\.simulation_runs;"):
        import_legacy(legacy.source, target)


def test_columns_that_adopted_tables_do_not_have_are_named(legacy: Legacy, adopted: Engine) -> None:
    result = import_legacy(legacy.source, adopted)
    assert result.rows == EVERY_TABLE
    assert [name for name in result.not_copied if name.startswith("column simulations.")] == [
        "column simulations.simulation_spec_json",
        "column simulations.simulation_spec_schema_version",
        "column simulations.active_run_id",
        "column simulations.latest_successful_run_id",
    ]
    assert "column report_outputs.report_kind" in result.not_copied


def test_a_column_here_that_nothing_fills_is_named_before_anything_is_read(
    legacy: Legacy, target: Engine, dba: Connection
) -> None:
    dba.execute("alter table simulations add column owner text not null, add column made int not null default 7")
    with pytest.raises(ImportRefused, match=r"not in the source: simulations\.owner\. Give them a default"):
        import_legacy(legacy.source, target)
    dba.execute("alter table simulations alter column owner drop not null")
    import_legacy(legacy.source, target)
    assert [(row["owner"], row["made"]) for row in snapshot(dba)["simulations"]] == [(None, 7)]


def test_a_run_number_of_the_source_is_not_ours(legacy: Legacy, target: Engine, dba: Connection) -> None:
    legacy.execute("alter table report_outputs add column run_sequence integer default 9")
    assert import_legacy(legacy.source, target).not_copied == ["column report_outputs.run_sequence"]
    assert [row["run_sequence"] for row in snapshot(dba)["report_outputs"]] == [1]


def test_what_very_old_sources_lack_is_filled_in_and_told(legacy: Legacy, target: Engine, dba: Connection) -> None:
    legacy.execute("alter table reform_impact drop column dataset")
    legacy.execute("update reform_impact set execution_id = null")
    result = import_legacy(legacy.source, target)
    assert result.filled_in == ["column reform_impact.dataset: 'default', since the source does not have it"]
    assert [str(item) for item in result.replaced] == ["reform_impact, row 1, column execution_id: it is null (now '')"]
    [row] = snapshot(dba)["reform_impact"]
    assert (row["dataset"], row["execution_id"]) == ("default", "")


# --- what a column cannot hold ---------------------------------------------------------------


def test_long_regions_and_hashes_fit_into_the_tables_that_we_make(
    legacy_of_today: Source, target: Engine, dba: Connection
) -> None:
    legacy_of_today.add("reform_impact", reform_impact_id=2, region=LONG_REGION, options_hash=LONG_HASH)
    import_legacy(legacy_of_today.source, target)
    row = snapshot(dba)["reform_impact"][1]
    assert (row["region"], row["options_hash"]) == (LONG_REGION, LONG_HASH)


def test_all_that_adopted_columns_cannot_hold_is_named_by_row_before_anything_is_copied(
    legacy: Legacy, adopted: Engine
) -> None:
    for number in range(101, 131):
        legacy.add("reform_impact", reform_impact_id=number, region=LONG_REGION)
    legacy.add("report_outputs", id=7, api_version=None, year="x" * 300)
    legacy.add("simulations", id=8, policy_id=2**31)
    copied = []
    with pytest.raises(ImportRefused) as refused:
        import_legacy(legacy.source, adopted, progress=lambda what, _done, _total: copied.append(what))
    assert refused.value.misfit_count == 33
    assert refused.value.misfits[:4] == (
        Misfit("report_outputs", "id", "7", "api_version", "it is null, and the column may not be null (not-null)"),
        Misfit("report_outputs", "id", "7", "year", "it is too long: 300 characters, the column holds 255"),
        Misfit("simulations", "id", "8", "policy_id", "2147483648 is out of range for type integer"),
        Misfit("reform_impact", "reform_impact_id", "101", "region",
               "it is too long: 37 characters, the column holds 32"),
    )  # fmt: skip
    lines = str(refused.value).splitlines()
    assert lines[0] == "33 values of the source do not fit here. Nothing was imported."
    assert lines[1].startswith("report_outputs, row id = 7, column api_version: ")
    assert (len(lines), lines[21:]) == (23, ["and 13 more", "Correct them in the source."])
    assert all(what.startswith("check ") for what in copied)
    with adopted.connect() as connection:
        for table in TABLES:
            assert connection.exec_driver_sql(f"select from public.{table}").all() == []


def test_spaces_at_the_end_are_not_cut_in_silence(legacy: Legacy, target: Engine) -> None:
    legacy.add("simulations", id=2, api_version="1.2.3" + " " * 20)
    with pytest.raises(ImportRefused, match="too long: 25 characters, the column holds 10"):
        import_legacy(legacy.source, target)


def test_types_of_the_host_decide_what_fits(legacy: Legacy, adopted: Engine) -> None:
    with adopted.connect() as connection:
        connection.exec_driver_sql("create type public.outcome as enum ('pending', 'complete', 'ok')")
        connection.exec_driver_sql("alter table public.reform_impact alter column status type public.outcome "
                                   "using status::public.outcome")  # fmt: skip
    legacy.add("reform_impact", reform_impact_id=2, status="lost")
    with pytest.raises(ImportRefused, match=r"column status: invalid input value for enum .*outcome: \"lost\""):
        import_legacy(legacy.source, adopted)
    legacy.execute("update reform_impact set status = 'ok'")
    assert import_legacy(legacy.source, adopted).rows["reform_impact"] == 2


def test_zero_dates_become_null_and_are_listed(legacy_of_today: Source, target: Engine, dba: Connection) -> None:
    legacy_of_today.add("reform_impact", reform_impact_id=2, start_time="0000-00-00 00:00:00")
    legacy_of_today.add("reform_impact", reform_impact_id=3, start_time="2026-04-01 00:01:00", end_time=None)
    result = import_legacy(legacy_of_today.source, target)
    assert [str(item) for item in result.replaced] == [
        "reform_impact, row 2, column start_time: there is no time 0000-00-00 00:00:00 (now null)"
    ]
    assert [row["start_time"] for row in snapshot(dba)["reform_impact"]] == [
        datetime(2026, 4, 1, 0, 1), None, datetime(2026, 4, 1, 0, 1)
    ]  # fmt: skip


def test_a_zero_date_is_refused_where_the_column_may_not_be_null(
    legacy_of_today: Source, target: Engine, dba: Connection
) -> None:
    dba.execute("alter table reform_impact alter column start_time set not null")
    legacy_of_today.add("reform_impact", reform_impact_id=2, start_time="0000-00-00 00:00:00")
    with pytest.raises(ImportRefused, match="row reform_impact_id = 2, column start_time: there is no time 0000-00-00"):
        import_legacy(legacy_of_today.source, target)


def test_emoji_arrive(legacy_of_today: Source, target: Engine, dba: Connection) -> None:
    legacy_of_today.add("simulations", id=2, error_message="lost \U0001f680", output='"\U0001f680"')
    import_legacy(legacy_of_today.source, target)
    row = snapshot(dba)["simulations"][1]
    assert (row["error_message"], row["output"]) == ("lost \U0001f680", '"\U0001f680"')


def test_a_source_that_changes_meanwhile_is_read_as_it_was(
    legacy_of_today: Source, target: Engine, dba: Connection
) -> None:
    if isinstance(legacy_of_today, Legacy):
        # Else nobody can write to the file while it is read.
        legacy_of_today.execute("pragma journal_mode = wal")

    def write(what: str, _done: int, _total: int) -> None:
        if what == "check report_outputs":
            legacy_of_today.add("simulations", id=2, policy_id=7)
            legacy_of_today.execute("update report_outputs set status = 'pending'")
            legacy_of_today.execute("delete from reform_impact")

    result = import_legacy(legacy_of_today.source, target, progress=write)
    assert set(result.rows.values()) == {1}
    assert [row["status"] for row in snapshot(dba)["report_outputs"]] == ["complete"]
    # What changed meanwhile comes with the next import.
    changed = import_legacy(legacy_of_today.source, target, since_last=True)
    assert (changed.rows["simulations"], changed.deleted["reform_impact"]) == (1, 1)


def test_a_listing_of_replacements_ends_somewhere(
    legacy: Legacy, target: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pyapi.schema.legacy.outcome.LISTED", 3)
    for number in range(2, 7):
        legacy.add("reform_impact", reform_impact_id=number, end_time="0000-00-00")
    result = import_legacy(legacy.source, target)
    assert (len(result.replaced), result.replaced_count) == (3, 5)


# --- the command -----------------------------------------------------------------------------


def test_the_command_lists_all_that_does_not_fit(pgreprise: Run, legacy: Legacy) -> None:
    legacy.add("simulations", id=2, country_id="usa-west")
    legacy.add("simulations", id=3, output="NaN")
    stopped = pgreprise("import-legacy", legacy.source)
    assert (stopped.returncode, stopped.stdout) == (1, "")
    assert stopped.stderr.splitlines()[-4:] == [
        "error: 2 values of the source do not fit here. Nothing was imported.",
        "simulations, row id = 2, column country_id: it is too long: 8 characters, the column holds 3",
        "simulations, row id = 3, column output: NaN is not JSON",
        "Correct them in the source, or import with --invalid-json null to write null for text that is not JSON.",
    ]


def test_the_command_tells_what_it_filled_in_replaced_and_left_behind(pgreprise: Run, tmp_path: Path) -> None:
    source = Legacy(tmp_path / "old.sqlite")
    source.execute("alter table reform_impact drop column execution_id")
    source.execute("alter table simulations add column note text")
    source.execute("update reform_impact set end_time = '0000-00-00 00:00:00'")
    done = pgreprise("import-legacy", source.source)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[3:] == [
        "filled in: column reform_impact.execution_id: '', since the source does not have it",
        "replaced: reform_impact, row 1, column end_time: there is no time 0000-00-00 00:00:00 (now null)",
        "not copied: column simulations.note",
        "Say which cache versions are current: pgreprise cache-version set COUNTRY ...",
    ]
