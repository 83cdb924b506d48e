"""Someone imports a legacy database: what arrives, and what stops it with nothing imported."""

from __future__ import annotations

import json
import sys
import tracemalloc
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from pytest_postgresql.janitor import DatabaseJanitor
from sqlalchemy import URL, Engine
from sqlalchemy.exc import DBAPIError

from pyapi.database import connect_engine
from pyapi.schema import migrate
from pyapi.schema.legacy import ImportRefused, import_legacy
from tests.support import legacy as real
from tests.support.command import Run
from tests.support.databases import Connection
from tests.support.factories import VERSIONS, add_reform_impact, add_report, add_row, add_simulation
from tests.support.legacy_sources import TABLES, Legacy
from tests.support.snapshots import snapshot


@pytest.fixture
def legacy(tmp_path: Path) -> Legacy:
    return Legacy(tmp_path / "legacy.sqlite")


@pytest.fixture(scope="module")
def untouched(server: URL, new_database: Callable[..., DatabaseJanitor], template: str) -> Iterator[Engine]:
    """A target that many tests share, because refusals leave it empty."""
    with new_database(template) as made:
        engine = connect_engine(server.set(database=made.dbname))
        yield engine
        engine.dispose()


def holds_nothing(engine: Engine) -> bool:
    with engine.connect() as connection:
        return not any(connection.exec_driver_sql(f"select from public.{table}").all() for table in TABLES)


def refuse(legacy: Legacy, target: Engine, **options: Any) -> ImportRefused:
    with pytest.raises(ImportRefused) as refused:
        import_legacy(str(legacy.path), target, **options)
    return refused.value


# --- what arrives ----------------------------------------------------------------------------


@pytest.mark.parametrize("form", ["{}", "sqlite:///{}"])
def test_a_path_and_a_url_both_name_a_source(legacy: Legacy, target: Engine, dba: Connection, form: str) -> None:
    result = import_legacy(form.format(legacy.path), target)
    assert result.rows == {"report_outputs": 1, "simulations": 1, "reform_impact": 1}
    assert {table: len(rows) for table, rows in snapshot(dba).items()} == result.rows


@pytest.mark.parametrize(
    "text",
    [
        '{ "b":1,\t"a" : 2,\n "a":3 }',
        '"tab \\t, quote \\", backslash \\\\, \\u00e9, lone surrogate \\ud800, NUL \\u0000"',
        '"snow \u2603, rocket \U0001f680, delete \x7f, line separator \u2028"',
        "1" * 5000,
        "1e400",
        "null",
        "[" * 1500 + "]" * 1500,
    ],
    ids=["white space", "escapes", "unicode", "long number", "large number", "null", "deep nesting"],
)
def test_json_arrives_byte_for_byte(legacy: Legacy, target: Engine, dba: Connection, text: str) -> None:
    legacy.add("simulations", id=2, output=text)
    result = import_legacy(str(legacy.path), target)
    assert result.replaced == []
    stored = dba.execute("select output::text as text from public.simulations where id = 2").fetchone()
    assert stored is not None
    assert stored["text"] == text


def test_text_with_every_character_that_copy_escapes_arrives_as_it_is(
    legacy: Legacy, target: Engine, dba: Connection
) -> None:
    text = "tab\t newline\n return\r backslash\\ \\N \\. quote' \u2603"
    legacy.add("simulations", id=2, error_message=text)
    legacy.add("simulations", id=3, error_message="")
    legacy.add("simulations", id=4, error_message="\\N")
    import_legacy(str(legacy.path), target)
    assert [row["error_message"] for row in snapshot(dba)["simulations"]] == [None, text, "", "\\N"]


@pytest.mark.needs("time")
def test_a_source_of_many_pieces_arrives_whole_and_in_flat_memory(
    legacy: Legacy, target: Engine, dba: Connection
) -> None:
    output = json.dumps({"text": "x" * 200_000})
    for number in range(2, 202):
        legacy.add("simulations", id=number, output=output)
    shown: list[tuple[str, int, int]] = []
    tracemalloc.start()
    import_legacy(str(legacy.path), target, progress=lambda *call: shown.append(call))
    _, peak_bytes = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert peak_bytes < 25_000_000 < 200 * len(output)
    rows = dba.execute("select id from public.simulations where output::text = %s order by id", (output,)).fetchall()
    assert [row["id"] for row in rows] == list(range(2, 202))
    steps = [done for table, done, total in shown if table == "simulations" and total == 201]
    assert steps == sorted(steps)
    assert len(steps) > 5
    assert steps[-1] == 201


def test_progress_is_shown_of_an_empty_table_too(legacy: Legacy, target: Engine) -> None:
    legacy.execute("delete from reform_impact")
    shown: list[tuple[str, int, int]] = []
    import_legacy(str(legacy.path), target, progress=lambda *call: shown.append(call))
    assert shown == [
        ("check report_outputs", 1, 1),
        ("check simulations", 1, 1),
        ("check reform_impact", 0, 0),
        ("simulations", 1, 1),
        ("report_outputs", 1, 1),
        ("reform_impact", 0, 0),
    ]


def test_what_is_not_copied_is_told(legacy: Legacy, target: Engine) -> None:
    legacy.execute("create table household (id integer primary key)")
    legacy.execute("alter table simulations add column note text")
    assert import_legacy(str(legacy.path), target).not_copied == ["table household", "column simulations.note"]


def test_the_source_is_only_read(legacy: Legacy, target: Engine) -> None:
    legacy.path.chmod(0o444)
    before = legacy.path.read_bytes()
    import_legacy(str(legacy.path), target)
    assert legacy.path.read_bytes() == before
    assert [path.name for path in legacy.path.parent.iterdir()] == [legacy.path.name]


@pytest.mark.needs("time")
def test_an_import_is_not_cut_short_by_the_statement_timeout_of_the_connection(
    legacy: Legacy, new_engine: Callable[..., Engine], dba: Connection
) -> None:
    dba.execute(
        "create function public.linger() returns trigger language plpgsql as "
        "$$ begin perform pg_sleep(1.2); return new; end $$"
    )
    dba.execute("create trigger linger before insert on public.simulations for each row execute function linger()")
    import_legacy(str(legacy.path), new_engine(call_timeout_seconds=1))
    assert len(snapshot(dba)["simulations"]) == 1


def test_the_encoding_of_the_connection_does_not_matter(
    legacy: Legacy, new_engine: Callable[..., Engine], dba: Connection
) -> None:
    legacy.add("simulations", id=2, error_message="snow \u2603")
    import_legacy(str(legacy.path), new_engine("-c client_encoding=latin1"))
    assert snapshot(dba)["simulations"][1]["error_message"] == "snow \u2603"


def test_what_others_planted_in_schema_public_is_not_run(legacy: Legacy, target: Engine, dba: Connection) -> None:
    # With public on the path this one fits better than PostgreSQL's own setval(regclass, ...).
    dba.execute(
        "create function public.setval(text, bigint, boolean) returns bigint language plpgsql as "
        "$$ begin raise 'planted'; end $$"
    )
    import_legacy(str(legacy.path), target)
    assert add_simulation(dba) == 2


def test_reports_come_after_the_simulations_that_a_foreign_key_of_the_host_asks_for(
    legacy: Legacy, target: Engine, dba: Connection
) -> None:
    dba.execute("alter table report_outputs add foreign key (simulation_1_id) references simulations")
    result = import_legacy(str(legacy.path), target)
    assert list(result.rows.items()) == [("report_outputs", 1), ("simulations", 1), ("reform_impact", 1)]


# --- ids -------------------------------------------------------------------------------------


def test_generated_ids_never_go_back(legacy: Legacy, target: Engine, dba: Connection) -> None:
    dba.execute("select setval('public.simulations_id_seq', 5000)")
    legacy.add("report_outputs", id=700)
    import_legacy(str(legacy.path), target)
    assert add_simulation(dba) > 5000
    assert add_report(dba, 1) == 701
    assert add_reform_impact(dba) == 2


def test_the_greatest_of_all_ids_arrives_and_no_other_can_follow(
    legacy: Legacy, target: Engine, dba: Connection
) -> None:
    legacy.execute("update reform_impact set reform_impact_id = 9223372036854775807")
    dba.execute("alter table reform_impact alter column reform_impact_id type bigint")
    dba.execute("alter sequence reform_impact_reform_impact_id_seq as bigint")
    import_legacy(str(legacy.path), target)
    assert [row["reform_impact_id"] for row in snapshot(dba)["reform_impact"]] == [2**63 - 1]
    # Nor does a second import stumble over a sequence that has come to its end.
    import_legacy(str(legacy.path), target, since_last=True)
    with pytest.raises(psycopg.errors.SequenceGeneratorLimitExceeded):
        add_reform_impact(dba)


@pytest.mark.parametrize(("start", "is_called", "following"), [(1, False, 41), (50, False, 50), (50, True, 51)])
def test_the_sequences_say_what_they_gave_last(
    legacy: Legacy, target: Engine, dba: Connection, start: int, is_called: bool, following: int
) -> None:
    dba.execute("select setval('simulations_id_seq', %s, %s)", (start, is_called))
    legacy.add("simulations", id=40)
    import_legacy(str(legacy.path), target)
    assert dba.execute("select * from pgreprise.sequences_behind()").fetchall() == []
    assert add_simulation(dba) == following


def test_an_id_below_the_first_number_of_its_sequence_leaves_the_sequence_as_it_is(
    legacy: Legacy, target: Engine, dba: Connection
) -> None:
    legacy.execute("update simulations set id = 0")
    import_legacy(str(legacy.path), target)
    assert add_simulation(dba) == 1


ADOPTED = """
    create sequence public.impact_ids;
    create table public.simulations (
      id serial primary key, country_id varchar(3) not null, api_version varchar(10) not null,
      population_id varchar(255) not null, population_type varchar(50) not null, policy_id int not null,
      status varchar(32) not null default 'pending', output jsonb, error_message text
    );
    create table public.report_outputs (
      id integer generated always as identity primary key, country_id varchar(3) not null,
      simulation_1_id int not null, simulation_2_id int, api_version varchar(10) not null,
      status varchar(32) not null default 'pending', output json, error_message text, year varchar(255)
    );
    create table public.reform_impact (
      reform_impact_id integer primary key default nextval('public.impact_ids'), baseline_policy_id int not null,
      reform_policy_id int not null, country_id varchar(3) not null, region varchar(32) not null,
      dataset varchar(255) not null, time_period varchar(32) not null, options_json json not null,
      options_hash varchar(255) not null, api_version varchar(10) not null, reform_impact_json json not null,
      status varchar(32) not null, message varchar(255), start_time timestamp not null, end_time timestamp,
      execution_id varchar(255) not null
    );
"""


@pytest.fixture
def adopted(empty_database: URL) -> Iterator[Engine]:
    """A database whose tables pgreprise found: ids are serial, an identity, and a sequence of nobody."""
    engine = connect_engine(empty_database)
    with engine.connect() as connection:
        connection.exec_driver_sql(ADOPTED)
    migrate.upgrade(engine)
    yield engine
    engine.dispose()


def test_adopted_tables_keep_generating_ids_past_the_imported_ones(legacy: Legacy, adopted: Engine) -> None:
    legacy.add("simulations", id=40)
    legacy.add("report_outputs", id=50)
    legacy.add("reform_impact", reform_impact_id=60)
    import_legacy(str(legacy.path), adopted)
    with adopted.connect() as connection:
        for sequence, expected in (("simulations_id_seq", 41), ("report_outputs_id_seq", 51), ("impact_ids", 61)):
            assert connection.exec_driver_sql(f"select nextval('public.{sequence}')").scalar_one() == expected


def test_what_only_postgresql_can_refuse_is_replaced_as_well(legacy: Legacy, adopted: Engine) -> None:
    # jsonb, as this adopted table has it, takes neither; Python takes both.
    legacy.add("simulations", id=2, output='"\\u0000"')
    legacy.add("simulations", id=3, output='"\\ud800"')
    legacy.add("simulations", id=4, output='"kept"')
    legacy.add("reform_impact", reform_impact_id=2, options_json="NaN")
    refused = refuse(legacy, adopted)
    assert (refused.table, refused.row_id, refused.column) == ("simulations", "2", "output")
    assert "\\u0000 cannot be converted to text" in str(refused)

    result = import_legacy(str(legacy.path), adopted, invalid_json_to_null=True)
    assert [(item.table, item.row_id, item.column) for item in result.replaced] == [
        ("simulations", "2", "output"),
        ("simulations", "3", "output"),
        ("reform_impact", "2", "options_json"),
    ]
    with adopted.connect() as connection:
        rows = connection.exec_driver_sql("select output is null from public.simulations order by id").scalars()
        assert list(rows) == [False, True, True, False]
        options = "select options_json::text from public.reform_impact where reform_impact_id = 2"
        assert connection.exec_driver_sql(options).scalar_one() == "null"


# --- JSON that PostgreSQL does not take ------------------------------------------------------

INVALID = {
    "NaN": '{"a": NaN}',
    "Infinity": '{"a": -Infinity}',
    "control character": '{"a": "b\x01c"}',
    "truncated": '{"a": [1, 2',
    "empty": "",
    "NUL": '{"a": "\0"}',
    "not UTF-8": b'{"a": "\xff"}',
    "too deep": "[" * 200_000 + "]" * 200_000,
    "not a number": float("inf"),
}


@pytest.mark.parametrize("value", INVALID.values(), ids=INVALID.keys())
def test_text_that_is_not_json_stops_the_import_with_its_place_and_reason(
    legacy: Legacy, untouched: Engine, value: object
) -> None:
    legacy.add("report_outputs", id=77, output=value)
    refused = refuse(legacy, untouched)
    assert (refused.table, refused.row_id, refused.column) == ("report_outputs", "77", "output")
    assert str(refused).startswith("report_outputs, row id = 77, column output: ")
    assert "--invalid-json null" in str(refused)
    assert holds_nothing(untouched)


@pytest.mark.parametrize("value", INVALID.values(), ids=INVALID.keys())
def test_text_that_is_not_json_is_replaced_by_null_where_that_is_asked_for(
    legacy: Legacy, target: Engine, dba: Connection, value: object
) -> None:
    legacy.add("simulations", id=2, output=value)
    legacy.add("simulations", id=3)
    legacy.add("reform_impact", reform_impact_id=9, options_json=value, reform_impact_json=value)
    result = import_legacy(str(legacy.path), target, invalid_json_to_null=True)

    after = snapshot(dba)
    assert [row["output"] for row in after["simulations"]] == ['{"budget": 1}', None, '{"budget": 1}']
    # The cache's result may not be null: the JSON value null stands there.
    assert [row["options_json"] for row in after["reform_impact"]] == ["{}", None]
    assert [row["reform_impact_json"] for row in after["reform_impact"]] == ['{"budget": 3}', "null"]
    assert {(item.table, item.row_id, item.column, item.written) for item in result.replaced} == {
        ("simulations", "2", "output", "null"),
        ("reform_impact", "9", "options_json", "null"),
        ("reform_impact", "9", "reform_impact_json", "JSON null, since the column may not be null"),
    }
    assert all(item.reason for item in result.replaced)


# --- other values that do not fit ------------------------------------------------------------


@pytest.mark.parametrize(
    ("table", "column", "value", "reason"),
    [
        ("simulations", "country_id", "usa-west", "too long"),
        ("simulations", "policy_id", "many", "'many' is not an integer"),
        ("simulations", "policy_id", 2.5, "'2.5' is not an integer"),
        ("simulations", "policy_id", 2**40, "out of range for type integer"),
        ("simulations", "status", None, "not-null"),
        ("simulations", "error_message", "a\0b", "NUL"),
        ("simulations", "error_message", b"\xff\xfe", "not UTF-8"),
        ("report_outputs", "year", "2" * 300, "too long"),
        ("reform_impact", "start_time", "2026-02-30 00:01:00", "there is no time 2026-02-30 00:01:00"),
        ("reform_impact", "start_time", "2026-00-15", "there is no time 2026-00-15"),
        ("reform_impact", "start_time", "now", "'now' is not a time like"),
        ("reform_impact", "start_time", "2026-04-01 00:01:00+02:00", "has a time zone"),
        ("reform_impact", "reform_impact_json", None, "not-null"),
    ],
)
@pytest.mark.parametrize("invalid_json_to_null", [False, True])
def test_a_value_that_does_not_fit_stops_the_import_with_its_place_and_reason(
    legacy: Legacy, untouched: Engine, table: str, column: str, value: object, reason: str, invalid_json_to_null: bool
) -> None:  # fmt: skip
    key = next(iter(TABLES[table]))
    for number in range(2, 50):
        legacy.add(table, **{key: number})
    legacy.add(table, **{key: 77, column: value})
    legacy.add(table, **{key: 78})
    refused = refuse(legacy, untouched, invalid_json_to_null=invalid_json_to_null)
    assert (refused.table, refused.row_id, refused.column) == (table, "77", column)
    assert f"{table}, row {key} = 77, column {column}: " in str(refused)
    assert reason in str(refused)
    assert holds_nothing(untouched)


def test_two_rows_with_one_id_stop_the_import(legacy: Legacy, untouched: Engine) -> None:
    legacy.add("simulations", id=5)
    legacy.add("simulations", id=5)
    refused = refuse(legacy, untouched)
    assert (refused.table, refused.row_id) == ("simulations", "5")
    assert "duplicate key" in str(refused)
    assert holds_nothing(untouched)


# --- sources ---------------------------------------------------------------------------------


def test_a_source_that_lacks_tables_or_columns_is_refused_with_all_of_them(legacy: Legacy, untouched: Engine) -> None:
    legacy.execute("drop table reform_impact")
    legacy.execute("alter table report_outputs drop column year")
    legacy.execute("alter table simulations drop column output")
    message = str(refuse(legacy, untouched))
    for lacking in ("table reform_impact", "column report_outputs.year", "column simulations.output"):
        assert lacking in message


def test_a_missing_file_is_refused_and_not_created(tmp_path: Path, untouched: Engine) -> None:
    with pytest.raises(ImportRefused, match=r"no SQLite file .*absent\.sqlite"):
        import_legacy(f"sqlite:///{tmp_path}/absent.sqlite", untouched)
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_is_no_database_is_refused(tmp_path: Path, untouched: Engine) -> None:
    (tmp_path / "notes.txt").write_text("not a database\n" * 100)
    with pytest.raises(ImportRefused, match="cannot be read: file is not a database"):
        import_legacy(str(tmp_path / "notes.txt"), untouched)


def test_a_damaged_source_is_refused_with_nothing_imported(legacy: Legacy, untouched: Engine) -> None:
    for number in range(2, 400):
        legacy.add("reform_impact", reform_impact_id=number, reform_impact_json=json.dumps("x" * 3000))
    content = bytearray(legacy.path.read_bytes())
    content[len(content) // 2 :] = b"\xff" * (len(content) - len(content) // 2)
    legacy.path.write_bytes(content)
    assert "cannot be read" in str(refuse(legacy, untouched))
    assert holds_nothing(untouched)


@pytest.mark.parametrize("source", ["postgresql://u:secret@h/d", "oracle://u:secret@h/d", "my sql://u:secret@h/d"])
def test_other_sources_are_refused_without_showing_the_password(untouched: Engine, source: str) -> None:
    with pytest.raises(ImportRefused) as refused:
        import_legacy(source, untouched)
    assert "mysql" in str(refused.value).lower()
    assert "secret" not in str(refused.value)


@pytest.mark.parametrize("scheme", ["mysql", "mysql+pymysql", "mariadb"])
def test_a_mysql_server_that_is_away_is_one_clear_message(untouched: Engine, scheme: str) -> None:
    with pytest.raises(ImportRefused, match=r"cannot be read: .*Can't connect to MySQL server on '127\.0\.0\.1'"):
        import_legacy(f"{scheme}://legacy:secret@127.0.0.1:1/reports", untouched)


def test_mysql_without_its_extra_says_what_to_install(untouched: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pymysql", None)
    with pytest.raises(ImportRefused, match=r"pip install 'pgreprise\[mysql\]'"):
        import_legacy("mysql://legacy@127.0.0.1/reports", untouched)


# --- targets ---------------------------------------------------------------------------------


@pytest.mark.parametrize("table", ["simulations", "report_outputs", "reform_impact"])
def test_a_target_that_holds_rows_is_refused(legacy: Legacy, target: Engine, dba: Connection, table: str) -> None:
    add_row(dba, table)
    before = snapshot(dba)
    assert f"already holds rows in public.{table}" in str(refuse(legacy, target))
    assert snapshot(dba) == before


def test_a_target_that_is_away_is_told_from_a_source_that_is(legacy: Legacy) -> None:
    engine = connect_engine(URL.create("postgresql+psycopg", "nobody", host="127.0.0.1", port=1, database="none"))
    with pytest.raises(DBAPIError, match=r"(?i)connection refused"):
        import_legacy(str(legacy.path), engine)


def test_a_target_that_is_not_migrated_is_refused(legacy: Legacy, empty_database: URL) -> None:
    engine = connect_engine(empty_database)
    assert "Run `pgreprise migrate`" in str(refuse(legacy, engine))
    engine.dispose()


def test_a_target_to_which_someone_is_writing_is_refused(
    legacy: Legacy, new_engine: Callable[..., Engine], connect: Any, dba: Connection
) -> None:
    writer = connect(autocommit=False)
    add_simulation(writer)
    assert "Someone else is writing to public.simulations" in str(refuse(legacy, new_engine("-c lock_timeout=100ms")))
    writer.rollback()
    assert not any(snapshot(dba).values())


def test_nobody_writes_to_the_target_while_an_import_runs(
    legacy: Legacy, target: Engine, connect: Any, dba: Connection
) -> None:
    other = connect()
    other.execute("set lock_timeout = '50ms'")
    refused = []

    def write(table: str, done: int, total: int) -> None:
        assert (done, total) == (1, 1)
        try:
            add_simulation(other)
        except psycopg.errors.LockNotAvailable:
            refused.append(table)

    import_legacy(str(legacy.path), target, progress=write)
    # While it checks and while it copies.
    assert len(refused) == 6
    assert len(snapshot(dba)["simulations"]) == 1


@pytest.mark.parametrize("table", ["simulations", "report_outputs", "reform_impact"])
def test_a_trigger_that_keeps_a_row_from_being_written_stops_the_import(
    legacy: Legacy, target: Engine, dba: Connection, table: str
) -> None:
    key = next(iter(TABLES[table]))
    for number in (2, 3):
        legacy.add(table, **{key: number})
    dba.execute(
        "create function keep() returns trigger language plpgsql as 'begin return null; end';"
        f"create trigger keep before insert on {table} for each row when (new.{key} > 1) "
        "execute function keep()".encode()
    )
    refused = refuse(legacy, target)
    assert f"A trigger on public.{table} kept 2 rows from being written" in str(refused)
    assert holds_nothing(target)


def test_after_a_refusal_the_engine_works_and_a_second_import_succeeds(legacy: Legacy, target: Engine) -> None:
    legacy.add("simulations", id=2, output="NaN")
    refuse(legacy, target)
    legacy.execute("update simulations set output = '1' where id = 2")
    assert import_legacy(str(legacy.path), target).rows["simulations"] == 2
    with target.connect() as connection:
        assert connection.exec_driver_sql("show statement_timeout").scalar_one() == "0"


# --- the command -----------------------------------------------------------------------------


def test_the_command_imports_the_real_data_and_its_reports_rerun_as_required(
    pgreprise: Run, legacy_database: Path
) -> None:
    imported = pgreprise("import-legacy", f"sqlite:///{legacy_database}")
    assert imported.returncode == 0, imported.stderr
    lines = imported.stdout.splitlines()
    # As the README shows it.
    assert lines[:4] == [
        "report_outputs: 159 rows imported",
        "simulations: 176 rows imported",
        "reform_impact: 371 rows imported",
        "not copied: table analysis",
    ]
    assert "not copied: table household" in lines
    assert lines[-1] == "Say which cache versions are current: pgreprise cache-version set COUNTRY ..."
    for country_id, versions in VERSIONS.items():
        economy, report = versions["economy_impact"], versions["report_output"]
        options = ("--economy-impact", economy, "--report-output", report)
        assert pgreprise("cache-version", "set", country_id, *options).returncode == 0

    # They share neither simulations nor cache rows, so one import serves all.
    for country_id in ("uk", "us", "zz"):
        examples = [example for example in real.EXAMPLES if example.country_id == country_id]
        done = pgreprise("rerun", country_id, *(str(example.report_id) for example in examples), "--json")
        assert done.returncode == any(example.sqlstate for example in examples)
        for example, result in zip(examples, json.loads(done.stdout), strict=True):
            if example.sqlstate is None:
                # Each is a later act than the one before.
                expected = {**example.result, "rerun_id": result["rerun_id"], "status": "ok"}
                assert result == expected
            else:
                assert (result["status"], result["code"]) == ("error", example.sqlstate)


def test_the_command_says_where_it_stopped_and_lists_what_it_replaced(pgreprise: Run, legacy: Legacy) -> None:
    legacy.add("simulations", id=2, output="NaN")
    stopped = pgreprise("import-legacy", str(legacy.path))
    assert stopped.returncode == 1
    assert "simulations, row id = 2, column output: NaN is not JSON" in stopped.stderr
    assert "Traceback" not in stopped.stderr

    done = pgreprise("import-legacy", str(legacy.path), "--invalid-json", "null")
    assert done.returncode == 0, done.stderr
    assert "simulations, row 2, column output: NaN is not JSON (now null)" in done.stdout
