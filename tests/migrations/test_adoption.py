"""A DBA migrates a database that already has the report tables."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from sqlalchemy import URL
from sqlalchemy.exc import DBAPIError

from pyapi.schema import migrate
from tests.support.databases import Connection, connect, engine, rows
from tests.support.dumps import dump, run_script
from tests.support.factories import add_reform_impact, add_report, add_simulation, set_versions
from tests.support.hosts import LEGACY
from tests.support.refusals import detail, problems, refused_with
from tests.support.snapshots import snapshot

COLUMNS = """
  select attribute.attrelid::regclass::text as table_name, attribute.attname as column_name, attribute.attnotnull,
      format_type(attribute.atttypid, attribute.atttypmod) as type,
      pg_get_expr(value.adbin, value.adrelid) as default_value
    from pg_attribute as attribute
    left join pg_attrdef as value on value.adrelid = attribute.attrelid and value.adnum = attribute.attnum
   where attribute.attrelid in
         ('public.simulations'::regclass, 'public.report_outputs'::regclass, 'public.reform_impact'::regclass)
     and attribute.attnum > 0
   order by attribute.attrelid::regclass::text, attribute.attnum
"""
TABLES = """
  select table_name::text from information_schema.tables
   where table_schema = 'public' and table_name in ('simulations', 'report_outputs', 'reform_impact')
   order by 1
"""


def tables(database: URL) -> list[str]:
    """Which of the three tables exist."""
    return [row["table_name"] for row in rows(database, TABLES)]


def add_legacy_rows(connection: Connection) -> int:
    """An economy report of two simulations with a cache row; returns the report's id."""
    first = add_simulation(connection, policy_id=2)
    second = add_simulation(connection, policy_id=3)
    report = add_report(connection, first, second)
    add_reform_impact(connection)
    return report


@pytest.fixture
def legacy(empty_database: URL) -> URL:
    """A database with the legacy tables."""
    with connect(empty_database) as connection:
        connection.execute(LEGACY)
    return empty_database


def test_legacy_tables_keep_their_columns_rows_and_ids(legacy: URL) -> None:
    with connect(legacy) as connection:
        add_legacy_rows(connection)
        kept, columns = snapshot(connection), rows(legacy, COLUMNS)
        migrate.upgrade(engine(legacy))
        # One column is added, and every row is at its first run.
        for table in ("report_outputs", "simulations"):
            for row in kept[table]:
                row["run_sequence"] = 1
        assert snapshot(connection) == kept
        added = [column for column in rows(legacy, COLUMNS) if column not in columns]
        assert added == [
            {
                "table_name": table,
                "column_name": "run_sequence",
                "attnotnull": True,
                "type": "integer",
                "default_value": "1",
            }
            for table in ("report_outputs", "simulations")
        ]
        assert [column for column in rows(legacy, COLUMNS) if column not in added] == columns


def test_the_routines_work_on_legacy_tables(legacy: URL) -> None:
    with connect(legacy) as connection:
        report = add_legacy_rows(connection)
        migrate.upgrade(engine(legacy))
        set_versions(connection)
        connection.execute("set role pgreprise_api")
        row = connection.execute("call rerun_report(%s::bigint)", (report,)).fetchone()
        assert row is not None
        assert row["result"]["economy_cache_rows_deleted"] == 1
        made = connection.execute(
            "select (simulation.stored).id as id, simulation.created "
            "from get_or_create_simulation('us', 'state/ca', 'geography', 2) as simulation"
        ).fetchone()
        assert made == {"id": 3, "created": True}
        made = connection.execute(
            "select (report.stored).id as id, report.created from get_or_create_report('us', 1, null, '2026') as report"
        ).fetchone()
        assert made == {"id": report + 1, "created": True}


def test_only_what_is_missing_is_added(empty_database: URL) -> None:
    with connect(empty_database) as connection:
        connection.execute(LEGACY)
        connection.execute("drop table public.reform_impact")
        connection.execute("create index host_own on public.simulations (policy_id)")
    migrate.upgrade(engine(empty_database))
    assert tables(empty_database) == ["reform_impact", "report_outputs", "simulations"]
    assert rows(empty_database, "select domain, name from pgreprise.created_object where domain = 'reports'") == [
        {"domain": "reports", "name": "reform_impact"}
    ]
    assert rows(empty_database, "select to_regclass('public.host_own')::text as kept") == [{"kept": "host_own"}]


DIFFERENT = """
alter table public.simulations drop constraint simulations_pkey;
alter table public.simulations alter column id drop default;
alter table public.simulations drop column error_message;
alter table public.simulations alter column policy_id type text;
alter table public.simulations alter column population_id type varchar(50);
alter table public.simulations alter column status drop not null;
alter table public.simulations add column tenant_id int;
update public.simulations set tenant_id = 1;
alter table public.simulations alter column tenant_id set not null;
alter table public.report_outputs enable row level security;
alter table public.report_outputs alter column output type text;
alter table public.report_outputs drop column year;
alter table public.reform_impact rename to cache;
create view public.reform_impact as select * from public.cache;
"""


@pytest.fixture
def different(legacy: URL) -> URL:
    """A database whose tables differ in every way that matters, with rows."""
    with connect(legacy) as connection:
        add_legacy_rows(connection)
        connection.execute(DIFFERENT)
    return legacy


def test_every_difference_is_listed_at_once_and_nothing_is_changed(different: URL) -> None:
    before = dump(different)
    with refused_with("55000", r"cannot migrate this database as role \w+: 12 obstacles") as refused:
        migrate.upgrade(engine(different))
    assert problems(refused.value) == [
        "public.reform_impact_pkey: exists already, and pgreprise creates an index of this name",
        "public.reform_impact: is not a table, but a view",
        "public.report_outputs: has row level security, which would hide rows from the routines",
        "public.report_outputs: column year is missing (text)",
        "public.report_outputs: column output is text; usable: json, jsonb",
        "public.simulations: column error_message is missing (text)",
        "public.simulations: column policy_id is text; usable: smallint, integer, bigint",
        "public.simulations: column population_id is character varying(50); "
        "usable: character varying, text, of length 255 or more",
        "public.simulations: column status may be null (alter column status set not null)",
        "public.simulations: no unique index has exactly the columns (id): add unique (id)",
        "public.simulations: column id must be given for a new row and has no default",
        "public.simulations: column tenant_id must be given for a new row and has no default",
    ]
    assert dump(different) == before


@pytest.mark.needs("time")
def test_the_statements_that_are_told_mend_every_difference(different: URL) -> None:
    with pytest.raises(DBAPIError) as refused:
        migrate.upgrade(engine(different))
    with connect(different) as connection:
        connection.execute(detail(refused.value).encode())
        kept = connection.execute("select id, policy_id, population_id from public.simulations order by id").fetchall()
        assert [row["policy_id"] for row in kept] == [2, 3]
        migrate.upgrade(engine(different))
        set_versions(connection)
        connection.execute("update public.report_outputs set year = '2026'")
        connection.execute("set role pgreprise_api")
        connection.execute("call rerun_report(1)")
        made = connection.execute("select (m.stored).id from get_or_create_simulation('us', 'ca', 'geography', 9) as m")
        assert made.fetchone() == {"id": 3}


def test_the_written_sql_stops_before_the_first_change_too(different: URL, tmp_path: Path) -> None:
    script = tmp_path / "migrations.sql"
    with script.open("w", encoding="utf-8") as output:
        migrate.write_sql(output)
    before = dump(different)
    with pytest.raises(AssertionError, match=r"public\.simulations: column error_message is missing"):
        run_script(different, script)
    assert dump(different) == before


def test_core_alone_asks_nothing_of_the_report_tables(different: URL) -> None:
    migrate.upgrade(engine(different), "core@head")
    head = migrate.scripts().get_revision("core@head").revision
    assert rows(different, "select pgreprise.status() -> 'revisions' as revisions") == [{"revisions": [head]}]


def test_the_check_of_an_installed_domain_is_not_asked_again(database: URL) -> None:
    with connect(database) as connection:
        connection.execute("alter table public.report_outputs enable row level security")
    migrate.upgrade(engine(database))


@pytest.mark.needs("time")
@pytest.mark.parametrize("drop_tables_with_rows", [False, True])
@pytest.mark.parametrize("with_rows", [False, True])
def test_a_downgrade_never_drops_a_table_that_it_found(
    legacy: URL, with_rows: bool, drop_tables_with_rows: bool
) -> None:
    with connect(legacy) as connection:
        if with_rows:
            add_legacy_rows(connection)
        before = snapshot(connection)
        migrate.upgrade(engine(legacy))
        migrate.downgrade(engine(legacy), "base", drop_tables_with_rows=drop_tables_with_rows)
        assert snapshot(connection) == before
    rights = "select has_table_privilege('pgreprise_owner', 'public.simulations', 'select') as kept"
    assert rows(legacy, rights) == [{"kept": False}]


@pytest.mark.needs("time")
def test_a_created_table_goes_when_it_is_empty_and_stays_when_it_holds_rows(database: URL) -> None:
    with connect(database) as connection:
        add_simulation(connection)
        migrate.downgrade(engine(database), "reports@base")
        assert tables(database) == ["simulations"]
        kept = connection.execute("select * from public.simulations").fetchall()
        migrate.upgrade(engine(database))
        now = connection.execute("select * from public.simulations").fetchall()
        assert now == [{**row, "run_sequence": 1} for row in kept]
        # It was found this time, so that it is not pgreprise's to drop any more.
        migrate.downgrade(engine(database), "reports@base", drop_tables_with_rows=True)
        assert tables(database) == ["simulations"]


def test_a_created_table_with_rows_goes_when_told_so_in_so_many_words(database: URL) -> None:
    with connect(database) as connection:
        add_legacy_rows(connection)
    migrate.downgrade(engine(database), "reports@base", drop_tables_with_rows=True)
    assert tables(database) == []


def test_the_written_sql_tells_how_to_run_it_and_begins_with_the_check() -> None:
    script = io.StringIO()
    migrate.write_sql(script)
    text = script.getvalue()
    assert text.startswith("-- Run it with: psql --no-psqlrc --set ON_ERROR_STOP=1")
    assert text.index("-- check_tables:") < text.index("\ncreate schema if not exists pgreprise")
