"""A host has something of our names, tables that cannot be adopted, or does something with each new table."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from alembic import command
from sqlalchemy import URL
from sqlalchemy.exc import DBAPIError

from pyapi.schema import migrate
from tests.support.databases import connect, engine, rows
from tests.support.dumps import dump, run_script
from tests.support.factories import add_economy_report, add_reform_impact, set_versions
from tests.support.hosts import LEGACY
from tests.support.refusals import detail, problems, refused_with, remedies

pytestmark = pytest.mark.needs("time")


def prepare(database: URL, *scripts: str) -> None:
    """Run statements of the host."""
    with connect(database) as connection:
        for script in scripts:
            connection.execute(script.encode())


def refusal(database: URL) -> DBAPIError:
    """A migration is refused, and nothing is changed."""
    before = dump(database)
    with refused_with("55000", "Nothing was changed") as refused:
        migrate.upgrade(engine(database))
    assert dump(database) == before
    return refused.value


def assert_works(database: URL) -> None:
    with connect(database) as connection:
        set_versions(connection)
        report, _, _ = add_economy_report(connection)
        add_reform_impact(connection)
        connection.execute("set role pgreprise_api")
        connection.execute("call rerun_report(%s::bigint)", (report,))


OF_OUR_NAMES = {
    "create function public.get_report(integer, text) returns integer language sql as 'select 1'": (
        "public.get_report(integer,text): a routine of this name exists",
        "alter routine public.get_report(integer, text) rename to host_get_report;",
    ),
    "create procedure public.rerun_report() language sql as 'select 1'": (
        "public.rerun_report(): a routine of this name exists",
        "alter routine public.rerun_report() rename to host_rerun_report;",
    ),
    "create aggregate public.settings(integer) (sfunc = int4pl, stype = integer)": (
        "public.settings(integer): a routine of this name exists",
        "alter routine public.settings(integer) rename to host_settings;",
    ),
    "create index pgreprise_reform_impact_key on public.reform_impact (country_id)": (
        "public.pgreprise_reform_impact_key: exists already, and pgreprise builds another index of this name",
        "alter table public.pgreprise_reform_impact_key rename to host_pgreprise_reform_impact_key;",
    ),
    "create table public.pgreprise_simulations_key ()": (
        "public.pgreprise_simulations_key: exists already, and pgreprise builds another index of this name",
        "alter table public.pgreprise_simulations_key rename to host_pgreprise_simulations_key;",
    ),
    "create sequence public.carbon_projects_pkey": (
        "public.carbon_projects_pkey: exists already, and pgreprise creates an index of this name",
        "alter table public.carbon_projects_pkey rename to host_carbon_projects_pkey;",
    ),
    "create domain public.units as text": (
        "public.units: a type of this name exists, and pgreprise creates a table or type of this name",
        "alter type public.units rename to host_units;",
    ),
    "create domain public.carbon_report_type_enum as text": (
        "public.carbon_report_type_enum: exists and is not an enum",
        "alter type public.carbon_report_type_enum rename to host_carbon_report_type_enum;",
    ),
    "create table public.dataentrystatusenum ()": (
        "public.dataentrystatusenum: exists and is not an enum",
        "alter table public.dataentrystatusenum rename to host_dataentrystatusenum;",
    ),
}


def test_everything_of_our_names_is_told_at_once_and_the_statements_mend_it(empty_database: URL) -> None:
    prepare(empty_database, LEGACY, *OF_OUR_NAMES)
    error = refusal(empty_database)
    told = "\n".join(problems(error))
    for problem, remedy in OF_OUR_NAMES.values():
        assert problem.replace(",text", ", text") in told.replace(",text", ", text")
        assert remedy.replace(", ", ",") in [line.replace(", ", ",") for line in remedies(error)]
    assert len(problems(error)) == len(OF_OUR_NAMES)
    prepare(empty_database, detail(error))
    migrate.upgrade(engine(empty_database))
    assert_works(empty_database)
    kept = "select public.host_get_report(1, 'x') as kept"
    assert rows(empty_database, kept) == [{"kept": 1}]


def test_a_schema_of_our_name_that_is_the_hosts_is_refused(empty_database: URL) -> None:
    prepare(empty_database, "create schema pgreprise", "create table pgreprise.status (id int)")
    error = refusal(empty_database)
    assert problems(error) == ["Schema pgreprise exists, and what is in it is not of pgreprise"]
    prepare(empty_database, detail(error))
    migrate.upgrade(engine(empty_database), "reports@head")
    assert_works(empty_database)


def test_a_database_without_schema_public_is_told(empty_database: URL) -> None:
    prepare(empty_database, "drop schema public cascade")
    error = refusal(empty_database)
    assert problems(error) == ["Schema public does not exist; pgreprise works on its tables"]
    prepare(empty_database, detail(error))
    migrate.upgrade(engine(empty_database), "reports@head")
    assert_works(empty_database)


def test_the_written_sql_and_alembic_itself_find_the_same(empty_database: URL, tmp_path: Path) -> None:
    prepare(empty_database, LEGACY, *OF_OUR_NAMES)
    told = problems(refusal(empty_database))
    before = dump(empty_database)
    script = tmp_path / "migrations.sql"
    with script.open("w", encoding="utf-8") as output:
        migrate.write_sql(output)
    with pytest.raises(AssertionError) as stopped:
        run_script(empty_database, script)
    for line in told:
        assert line in str(stopped.value)
    config = migrate.alembic_config(io.StringIO())
    with engine(empty_database).connect() as connection, refused_with("55000") as refused:
        config.attributes["connection"] = connection
        command.upgrade(config, "heads")
    assert problems(refused.value) == told
    assert dump(empty_database) == before


# --- tables that cannot be adopted -----------------------------------------------------------

PARTITIONED = """
alter table public.reform_impact rename to plain;
create table public.reform_impact (like public.plain including defaults) partition by hash (reform_impact_id);
alter table public.reform_impact add primary key (reform_impact_id);
create table public.reform_impact_0 partition of public.reform_impact for values with (modulus 2, remainder 0);
create table public.reform_impact_1 partition of public.reform_impact for values with (modulus 2, remainder 1);
"""
FOREIGN = """
create foreign data wrapper elsewhere;
create server far foreign data wrapper elsewhere;
alter table public.reform_impact rename to plain;
create foreign table public.reform_impact (reform_impact_id integer not null) server far;
"""
UNFIT = {
    PARTITIONED: "public.reform_impact: is partitioned",
    FOREIGN: "public.reform_impact: is not a table here, but a foreign table",
    "create table public.older () inherits (public.report_outputs)": (
        "public.report_outputs: table public.older inherits"
    ),
    "alter table public.report_outputs alter output set default '{}', alter output set not null": (
        "public.report_outputs: column output must not be null, and pgreprise writes null there"
    ),
    "alter table public.simulations alter error_message set default '', alter error_message set not null": (
        "public.simulations: column error_message must not be null, and pgreprise writes null there"
    ),
    "alter table public.simulations add constraint told check (error_message is not null)": (
        "public.simulations: constraint told refuses null in column error_message"
    ),
    "create domain public.result as json check (value is not null); "
    "alter table public.report_outputs alter output type public.result": (
        "public.report_outputs: column output is public.result; usable: json, jsonb"
    ),
    "alter table public.report_outputs add run_sequence text": (
        "public.report_outputs: column run_sequence exists already, and pgreprise adds one of that name"
    ),
}


@pytest.mark.parametrize(("script", "problem"), UNFIT.items(), ids=[str(number) for number in range(len(UNFIT))])
def test_a_table_that_cannot_be_adopted_is_refused_with_what_mends_it(
    empty_database: URL, script: str, problem: str
) -> None:
    prepare(empty_database, LEGACY, script)
    error = refusal(empty_database)
    assert problems(error)[-1].startswith(problem)
    prepare(empty_database, detail(error))
    migrate.upgrade(engine(empty_database), "reports@head")
    assert_works(empty_database)


def test_a_constraint_that_allows_null_where_a_report_is_pending_is_no_obstacle(empty_database: URL) -> None:
    prepare(
        empty_database,
        LEGACY,
        "alter table public.report_outputs add check (status <> 'complete' or output is not null)",
        "alter table public.simulations add check (error_message is not null or error_message is null)",
    )
    migrate.upgrade(engine(empty_database), "reports@head")
    assert_works(empty_database)


def test_rows_of_a_partitioned_table_are_kept_by_the_statements(empty_database: URL) -> None:
    prepare(empty_database, LEGACY, PARTITIONED)
    with connect(empty_database) as connection:
        impact = add_reform_impact(connection)
    prepare(empty_database, detail(refusal(empty_database)))
    migrate.upgrade(engine(empty_database), "reports@head")
    assert rows(empty_database, "select reform_impact_id as id from public.reform_impact") == [{"id": impact}]


# --- tables in another schema ----------------------------------------------------------------


def test_tables_in_another_schema_are_named_and_no_second_set_is_made(empty_database: URL) -> None:
    prepare(empty_database, "create schema app", LEGACY.replace("public.", "app."))
    error = refusal(empty_database)
    assert [line.split(". pgreprise")[0] for line in problems(error)] == [
        f"public.{table}: there is none, but schema app has a table {table} with these columns"
        for table in ("reform_impact", "report_outputs", "simulations")
    ]
    prepare(empty_database, detail(error))
    migrate.upgrade(engine(empty_database), "reports@head")
    assert rows(empty_database, "select from pgreprise.created_object where domain = 'reports'") == []
    assert_works(empty_database)


def test_new_tables_beside_those_of_another_schema_are_made_when_that_is_said(empty_database: URL) -> None:
    prepare(empty_database, "create schema copy", LEGACY.replace("public.", "copy."))
    prepare(empty_database, f"alter database {empty_database.database} set pgreprise.create_tables = 'yes'")
    migrate.upgrade(engine(empty_database), "reports@head")
    assert_works(empty_database)


def test_a_table_elsewhere_that_only_has_the_name_is_none_of_ours(empty_database: URL) -> None:
    prepare(empty_database, "create schema physics", "create table physics.units (id int, symbol text)")
    migrate.upgrade(engine(empty_database))


# --- event triggers --------------------------------------------------------------------------

SECURE = """
create function public.secure() returns event_trigger language plpgsql as $f$
declare made record;
begin
  for made in select * from pg_event_trigger_ddl_commands() where object_type = 'table' loop
    if made.schema_name <> 'pg_temp' then
      execute format('alter table %s enable row level security, {force} row level security', made.object_identity);
    end if;
  end loop;
end;
$f$;
create event trigger secure on ddl_command_end when tag in ({tags}) execute function public.secure();
"""
HIDDEN = (
    "select oid::regclass::text as name from pg_class where (relrowsecurity or relforcerowsecurity) "
    "and relnamespace in (select oid from pg_namespace where nspname in ('public', 'pgreprise'))"
)


@pytest.mark.parametrize("force", ["no force", "force"])
def test_row_level_security_that_the_host_turns_on_for_new_tables_is_turned_off_on_ours(
    empty_database: URL, force: str
) -> None:
    prepare(empty_database, SECURE.format(force=force, tags="'CREATE TABLE', 'CREATE TABLE AS'"))
    migrate.upgrade(engine(empty_database))
    assert rows(empty_database, HIDDEN) == []
    assert_works(empty_database)


def test_an_event_trigger_that_turns_it_on_again_is_refused_by_name(empty_database: URL) -> None:
    prepare(
        empty_database,
        SECURE.format(force="force", tags="'CREATE TABLE', 'ALTER TABLE', 'CREATE TABLE AS'")
        .replace(
            "loop\n    if",
            "loop\n    if pg_trigger_depth() = 0 and current_setting('my.depth', true) is distinct from 'x' and",
        )
        .replace("execute format", "perform set_config('my.depth', 'x', true); execute format")
        .replace("made.object_identity);", "made.object_identity); perform set_config('my.depth', '', true);"),
    )
    error = refusal(empty_database)
    assert problems(error)[0].startswith("An event trigger turns row-level security on for every table, and on again")
    assert remedies(error) == ["alter event trigger secure disable;"]
    prepare(empty_database, detail(error))
    migrate.upgrade(engine(empty_database), "reports@head")
    prepare(empty_database, "alter event trigger secure enable")
    assert_works(empty_database)


def test_an_event_trigger_that_stops_new_tables_is_refused_by_name(empty_database: URL) -> None:
    prepare(
        empty_database,
        "create function public.frozen() returns event_trigger language plpgsql as "
        "$f$ begin raise exception 'no new tables before Monday'; end $f$",
        "create event trigger frozen on ddl_command_start when tag in ('CREATE TABLE') "
        "execute function public.frozen()",
    )
    error = refusal(empty_database)
    assert "no new tables before Monday" in problems(error)[0]
    prepare(empty_database, detail(error))
    migrate.upgrade(engine(empty_database), "reports@head")
    assert_works(empty_database)
