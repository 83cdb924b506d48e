"""A DBA migrates forward, back and forward again, online or by a script."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from alembic.script import Script
from pytest_postgresql.janitor import DatabaseJanitor
from sqlalchemy import URL, create_engine

from pyapi.database import connect_engine
from pyapi.schema import migrate
from pyapi.schema.files import routine_file
from tests.support.databases import engine, rows
from tests.support.dumps import dump, run_script, state
from tests.support.projects import add_revision

pytestmark = pytest.mark.needs("time")

OURS = """
  select format('%s %s', kind, name) as found
    from (
      select 'relation', relation.oid::regclass::text, relation.relnamespace from pg_class as relation
      union all
      select 'routine', procedure.oid::regprocedure::text, procedure.pronamespace from pg_proc as procedure
      union all
      select 'type', type.oid::regtype::text, type.typnamespace from pg_type as type where type.typrelid = 0
    ) as object (kind, name, namespace)
   where namespace in ('public'::regnamespace, 'pgreprise'::regnamespace)
   order by 1
"""


def revisions() -> list[Script]:
    """Every revision, in the order in which they are installed."""
    return list(reversed(list(migrate.scripts().walk_revisions())))


def one_back(revision: Script) -> str:
    """What to downgrade to in order to undo one revision."""
    if revision.down_revision is None:
        [label] = revision.branch_labels
        return f"{label}@base"
    assert isinstance(revision.down_revision, str)
    return revision.down_revision


def test_going_back_to_nothing_and_forward_again_gives_the_same_schema(empty_database: URL) -> None:
    database = engine(empty_database)
    migrate.upgrade(database)
    before = state(empty_database)
    migrate.downgrade(database, "base")
    # Alembic keeps its table, and an array of it is a type.
    assert [row["found"] for row in rows(empty_database, OURS)] == [
        "relation pgreprise.alembic_version",
        "relation pgreprise.alembic_version_pkc",
        "type pgreprise.alembic_version[]",
    ]
    assert rows(empty_database, "select version_num from pgreprise.alembic_version") == []
    migrate.upgrade(database)
    assert state(empty_database) == before


@pytest.mark.needs("time")
def test_every_revision_alone_goes_back_and_forward_again(empty_database: URL) -> None:
    database = engine(empty_database)
    before = None
    for revision in revisions():
        migrate.upgrade(database, revision.revision)
        installed = state(empty_database)
        migrate.downgrade(database, one_back(revision))
        # Before the first one there was no schema; it stays, for Alembic's table.
        assert before is None or state(empty_database) == before, f"downgrade of {revision.revision}"
        migrate.upgrade(database, revision.revision)
        assert state(empty_database) == installed, f"second upgrade to {revision.revision}"
        before = installed
    assert before is not None


def test_one_domain_can_be_installed_and_removed_without_the_other(empty_database: URL) -> None:
    database = engine(empty_database)
    migrate.upgrade(database, "core@head")
    core = state(empty_database)
    migrate.upgrade(database, "reports@head")
    migrate.downgrade(database, "reports@base")
    assert state(empty_database) == core
    assert rows(empty_database, "select version_num from pgreprise.alembic_version") == [
        {"version_num": migrate.scripts().get_revision("core@head").revision}
    ]


def test_the_written_sql_installs_the_same_schema_as_the_migration(
    empty_database: URL, database: URL, tmp_path: Path
) -> None:
    script = tmp_path / "migrations.sql"
    with script.open("w", encoding="utf-8") as output:
        migrate.write_sql(output)
    run_script(empty_database, script)
    assert state(empty_database) == state(database)
    versions = "select version_num from pgreprise.alembic_version"
    assert rows(empty_database, versions) == rows(database, versions)


TRAP = (
    """-- 100% :sure, %(name)s, %%, $1
create or replace function public.trap(value integer default 1)
returns text
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
  json_text text := '{"a": ":x", "b": [1, "%s"], "c": "\\\\u00e9 \\n"}';
  tabbed    text := 'a\tb';
  quoted    text := $inner$ it's "quoted" \\ $1 :y ${z} %%(z)s $inner$;
  other     text := 'ü 漢 € ';
  pattern   text := E'\\\\d+\\t%';
begin
  -- :comment % 'unbalanced
  return json_text || tabbed || quoted || other || pattern || trap.value::text || (7 % 4)::text;
end;
$$;

comment on function public.trap(integer) is 'Traps: % :x \t é';
""",
    "select public.trap() as answer, pg_get_functiondef('public.trap'::regproc) as definition, "
    "obj_description('public.trap'::regproc) as comment, prosrc from pg_proc where oid = 'public.trap'::regproc",
)


def test_a_body_full_of_traps_is_installed_to_the_letter_online_and_by_script(
    project: Path, empty_database: URL, new_database: Callable[[], DatabaseJanitor]
) -> None:
    text, question = TRAP
    (project / "sql" / "reports" / "rerun" / "trap.sql").write_text(text, encoding="utf-8")
    head = migrate.scripts().get_revision("reports@head").revision
    add_revision(project, "reports_0999", upgrade="op.create_routine('reports/trap', version=1)", after=head)
    migrate.upgrade(engine(empty_database))
    online = rows(empty_database, question)
    script = project / "migrations.sql"
    with script.open("w", encoding="utf-8") as output:
        migrate.write_sql(output)
    with new_database() as made:
        other = empty_database.set(database=made.dbname)
        run_script(other, script)
        assert rows(other, question) == online
    assert online[0]["prosrc"] == text.split("$$")[1]
    assert online[0]["comment"] == "Traps: % :x \t é"


def test_an_engine_with_autocommit_gets_the_same_rights_as_any_other(empty_database: URL, database: URL) -> None:
    with_autocommit = connect_engine(empty_database)
    migrate.upgrade(with_autocommit)
    with_autocommit.dispose()
    assert dump(empty_database) == dump(database)


def test_what_one_migration_sets_does_not_reach_the_next_user_of_the_connection(empty_database: URL) -> None:
    pooled = create_engine(empty_database, pool_size=1, max_overflow=0)
    settings = "select current_setting('search_path'), current_setting('lock_timeout')"
    with pooled.connect() as connection:
        before = connection.exec_driver_sql(settings).all()
    migrate.upgrade(pooled)
    migrate.downgrade(pooled, "reports@base", drop_tables_with_rows=True)
    with pooled.connect() as connection:
        assert connection.exec_driver_sql(settings).all() == before
    migrate.upgrade(pooled)
    with pooled.begin() as connection:
        connection.exec_driver_sql(
            "insert into public.simulations (country_id, api_version, population_id, population_type, policy_id) "
            "values ('us', '1', '1', 'household', 1)"
        )
    migrate.downgrade(pooled, "reports@base")
    pooled.dispose()
    assert rows(empty_database, "select count(*) as kept from public.simulations") == [{"kept": 1}]


# An exact match of the arguments' types beats a built-in function, and here public even comes first.
PLANTED = """
create function public.planted() returns void language plpgsql as 'begin raise exception ''planted''; end';
create function public.format(text, text) returns text language sql as 'select public.planted()::text';
create function public.split_part(text, text, integer) returns text language sql as 'select public.planted()::text';
create function public.array_to_string(text[], text) returns text language sql as 'select public.planted()::text';
create function public.set_config(text, text, boolean) returns text language sql as 'select public.planted()::text';
create function public.current_setting(text, boolean) returns text language sql as 'select public.planted()::text';
create function public.to_regclass(text) returns regclass language sql as 'select public.planted()::text::regclass';
create function public.pg_get_serial_sequence(text, text) returns text
language sql as 'select public.planted()::text';
create function public.has_schema_privilege(name, text, text) returns boolean
language sql as 'select public.planted()::text::boolean';
create function public.planted(text, text) returns text language sql as 'select public.planted()::text';
create function public.planted(name, text) returns boolean language sql as 'select public.planted()::text::boolean';
create operator public.|| (function = public.planted, leftarg = text, rightarg = text);
create operator public.= (function = public.planted, leftarg = name, rightarg = text);
"""


@pytest.mark.parametrize("how", ["online", "by script"])
def test_what_others_planted_in_public_does_not_run_in_a_migration(
    empty_database: URL, tmp_path: Path, how: str
) -> None:
    with engine(empty_database).begin() as connection:
        connection.exec_driver_sql(PLANTED)
        name = connection.dialect.identifier_preparer.quote(str(empty_database.database))
        connection.exec_driver_sql(f"alter database {name} set search_path = public, pg_catalog")
    if how == "online":
        migrate.upgrade(engine(empty_database))
    else:
        script = tmp_path / "migrations.sql"
        with script.open("w", encoding="utf-8") as output:
            migrate.write_sql(output)
        run_script(empty_database, script)
    assert rows(empty_database, "select pgreprise.status() -> 'routines' ->> 'reports/rerun_report' as version") == [
        {"version": str(routine_file("reports/rerun_report").version)}
    ]
