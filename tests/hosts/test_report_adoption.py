"""A DBA installs pgreprise in the report application's database, and takes it out again."""

from __future__ import annotations

import pytest
from sqlalchemy import URL

from pyapi.schema import migrate
from tests.support.databases import connect, engine, plain, rows
from tests.support.dumps import dump, run
from tests.support.report_host import CASES, load_host
from tests.support.statements import one

RUN_TABLES = "select has_run_tables from pgreprise.setting"


def public(url: URL, part: str) -> str:
    """The schema or the rows of the host's tables, as pg_dump writes them (part is schema-only or data-only)."""
    text = run("pg_dump", f"--{part}", "--schema", "public", "--inserts", plain(url))
    return "\n".join(line for line in text.splitlines() if not line.startswith(("\\restrict", "\\unrestrict")))


def test_a_downgrade_gives_the_tables_back_to_the_byte(untouched: URL) -> None:
    before = [public(untouched, part) for part in ("schema-only", "data-only")]
    migrate.upgrade(engine(untouched))
    assert [public(untouched, part) for part in ("schema-only", "data-only")] != before
    migrate.downgrade(engine(untouched), "base")
    assert [public(untouched, part) for part in ("schema-only", "data-only")] == before


def test_no_column_of_the_application_changes_and_one_is_added(untouched: URL) -> None:
    columns = (
        "select attrelid::regclass::text || '.' || attname as name, format_type(atttypid, atttypmod) as type, "
        "attnotnull, pg_get_expr(adbin, adrelid) as given from pg_attribute "
        "join pg_class on pg_class.oid = attrelid and relkind = 'r' and relnamespace = 'public'::regnamespace "
        "left join pg_attrdef on adrelid = attrelid and adnum = attnum "
        "where attnum > 0 and attrelid::regclass::text not like '%carbon%' "
        "and attrelid::regclass::text not like 'data_%' and attrelid::regclass::text <> 'units'"
    )
    before = {row["name"]: row for row in rows(untouched, columns)}
    content = public(untouched, "data-only")
    migrate.upgrade(engine(untouched), "reports@head")
    after = {row["name"]: row for row in rows(untouched, columns)}
    assert after.keys() - before.keys() == {"report_outputs.run_sequence", "simulations.run_sequence"}
    assert {name: after[name] for name in before} == before
    for table in ("report_output_runs", "reform_impact", "policy", "household", "alembic_version"):
        assert [line for line in content.splitlines() if f"public.{table} " in line] == [
            line for line in public(untouched, "data-only").splitlines() if f"public.{table} " in line
        ]


def test_the_indexes_are_valid_and_those_of_the_application_stay(untouched: URL) -> None:
    indexes = (
        "select indexrelid::regclass::text as name, indisvalid from pg_index "
        "join pg_class on pg_class.oid = indrelid and relnamespace = 'public'::regnamespace"
    )
    before = {row["name"] for row in rows(untouched, indexes)}
    migrate.upgrade(engine(untouched), "reports@head")
    after = rows(untouched, indexes)
    assert all(row["indisvalid"] for row in after)
    assert {row["name"] for row in after} - before == {
        "pgreprise_reform_impact_key",
        "pgreprise_report_outputs_key",
        "pgreprise_report_outputs_simulation_2",
        "pgreprise_simulations_key",
    }


def test_their_migrations_and_ours_live_side_by_side(untouched: URL) -> None:
    version = "select version_num from public.alembic_version"
    before = rows(untouched, version)
    migrate.upgrade(engine(untouched))
    assert rows(untouched, version) == before
    # Theirs go on: a column more, in any of their tables, before and after ours.
    with connect(untouched) as connection:
        connection.execute("alter table report_outputs add column owner_id integer")
        connection.execute("alter table reform_impact add column note text, alter column region type varchar(64)")
        connection.execute("delete from alembic_version")
        connection.execute("insert into alembic_version values ('feedface0001')")
    migrate.upgrade(engine(untouched))
    assert rows(untouched, version) == [{"version_num": "feedface0001"}]
    migrate.downgrade(engine(untouched), "reports@base")
    assert rows(untouched, version) == [{"version_num": "feedface0001"}]
    migrate.upgrade(engine(untouched))
    with connect(untouched) as connection:
        report = one(connection, "select min(id) as id from public.report_outputs where report_kind like 'household%%'")
        assert one(connection, "call rerun_report(%s::bigint)", report["id"])["result"]["run_sequence"] == 2


def test_run_tables_that_appear_later_are_attached_by_the_next_migration(empty_database: URL) -> None:
    load_host("ours", empty_database)
    with connect(empty_database) as connection:
        # As they were before the application had runs of its own.
        connection.execute("alter table report_output_runs rename to later_1")
        connection.execute("alter table simulation_runs rename to later_2")
    migrate.upgrade(engine(empty_database))
    assert rows(empty_database, RUN_TABLES) == [{"has_run_tables": False}]
    with connect(empty_database) as connection:
        for country, versions in CASES[2].versions.items():
            connection.execute("select set_cache_versions(%s, %s, %s, %s)", (country, *versions.values()))
        connection.execute("call rerun_report(103)")
        connection.execute("alter table later_1 rename to report_output_runs")
        connection.execute("alter table later_2 rename to simulation_runs")
    migrate.upgrade(engine(empty_database))
    assert rows(empty_database, RUN_TABLES) == [{"has_run_tables": True}]
    with connect(empty_database) as connection:
        connection.execute("call rerun_report(103)")
        runs = one(connection, "select count(*) as found from report_output_runs where report_output_id = 103")
        assert runs["found"] == 2
        # And when they are gone, reruns work without them.
        connection.execute("drop table report_output_runs")
    migrate.upgrade(engine(empty_database))
    assert rows(empty_database, RUN_TABLES) == [{"has_run_tables": False}]
    with connect(empty_database) as connection:
        connection.execute("call rerun_report(103)")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("alter table report_output_runs alter column status type varchar(8)", "report_output_runs: column status is"),
        ("alter table simulation_runs drop constraint simulation_run_sequence_idx", "simulation_runs: no unique index"),
        ("alter table simulation_runs enable row level security", "simulation_runs: has row level security"),
        ("alter table report_output_runs add tenant text not null", "report_output_runs: column tenant must be given"),
    ],
)
def test_run_tables_that_do_not_fit_are_named_before_anything_is_changed(
    empty_database: URL, change: str, said: str
) -> None:
    load_host("ours", empty_database)
    with connect(empty_database) as connection:
        if "tenant" in change:
            connection.execute("delete from report_output_runs")
        connection.execute(change.encode())
    before = dump(empty_database)
    with pytest.raises(
        Exception, match="pgreprise cannot work on the tables of this database: 1 difference"
    ) as refused:
        migrate.upgrade(engine(empty_database))
    assert said in str(refused.value.orig.diag.message_detail)
    assert dump(empty_database) == before
