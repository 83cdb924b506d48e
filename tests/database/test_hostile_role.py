"""A database role that may connect, and nothing else, tries everything."""

from __future__ import annotations

import os
from collections.abc import Iterator

import psycopg
import pytest
from psycopg import sql
from sqlalchemy import URL

from tests.support.databases import Connect, Connection
from tests.support.databases import connect as connect_to
from tests.support.factories import add_report, add_simulation, set_versions
from tests.support.snapshots import everything
from tests.support.statements import one

GROUPS = ("pgreprise_owner", "pgreprise_reader", "pgreprise_api", "pgreprise_dba")
# No right to do that, or to grant that.
REFUSED = {"42501", "0LP01"}

STATEMENTS = [
    # Tables, by every way that there is to them.
    "table public.report_outputs",
    "select count(*) from public.simulations",
    "select 1 from public.reform_impact limit 0",
    "copy public.report_outputs to stdout",
    "copy (select output from public.report_outputs) to stdout",
    "insert into public.report_outputs (country_id, simulation_1_id, api_version) values ('us', 1, 'x')",
    "update public.report_outputs set status = 'complete'",
    "delete from public.simulations",
    "truncate public.reform_impact",
    "do $$begin lock table public.report_outputs in access exclusive mode; end$$",
    "do $$begin lock table pgreprise.rerun_feed_counter in row share mode; end$$",
    "select nextval('public.report_outputs_id_seq')",
    "select setval('public.simulations_id_seq', 1)",
    "select last_value from public.report_outputs_id_seq",
    "alter table public.report_outputs add column planted text",
    "alter table public.report_outputs disable trigger all",
    "alter table public.report_outputs owner to current_user",
    "create index planted on public.report_outputs (status)",
    "create trigger planted before update on public.report_outputs for each row "
    "execute function pg_catalog.suppress_redundant_updates_trigger()",
    "create rule planted as on select to public.report_outputs do instead nothing",
    "create policy planted on public.report_outputs using (true)",
    "create statistics public.planted on status, country_id from public.report_outputs",
    "comment on table public.report_outputs is 'planted'",
    "drop table public.report_outputs cascade",
    "grant all on public.report_outputs to public",
    "cluster public.report_outputs using report_outputs_pkey",
    "refresh materialized view public.report_outputs",
    # Things of its own in our schemas.
    "create table public.planted (id bigint)",
    "create table pgreprise.planted (id bigint)",
    "create view public.planted as select 1 as one",
    "create function public.planted() returns int language sql return 1",
    "create procedure pgreprise.planted() language sql begin atomic select 1; end",
    "create operator public.= (leftarg = text, rightarg = bigint, function = texteq)",
    "create type public.planted as (id bigint)",
    "create domain public.planted as text",
    "create sequence pgreprise.planted",
    'create collation public.planted from "C"',
    "create schema planted",
    "create event trigger planted on ddl_command_start execute function public.planted()",
    "create publication planted for all tables",
    # Our schema and routines.
    "select * from pgreprise.rerun",
    "select pgreprise.status()",
    "select pgreprise.claims()",
    "call pgreprise.refuse_transaction_block()",
    "alter function public.get_report(bigint, text, text[]) security invoker",
    "alter procedure public.rerun_report set search_path = planted",
    "alter schema pgreprise rename to planted",
    "alter schema pgreprise owner to current_user",
    "drop schema pgreprise cascade",
    "drop function public.get_report(bigint, text, text[])",
    "drop owned by pgreprise_owner",
    "reassign owned by pgreprise_owner to current_user",
    "grant usage on schema pgreprise to public",
    "comment on schema pgreprise is 'planted'",
    "alter default privileges for role pgreprise_owner grant execute on functions to public",
    # Roles and settings.
    *(f"set role {group}" for group in GROUPS),
    *(f"grant {group} to current_user" for group in GROUPS),
    "set session authorization pgreprise_owner",
    "alter role pgreprise_owner login",
    "alter role pgreprise_dba set search_path = planted",
    "create role planted",
    "alter system set session_preload_libraries = 'planted'",
    "set session_preload_libraries = 'planted'",
    "alter database {database} set search_path = planted",
    "set session_replication_role = replica",
    # The server.
    "copy (select 1) to program 'id'",
    "copy (select 1) to '/tmp/planted'",
    "select pg_read_file('/etc/passwd')",
    "select pg_ls_dir('.')",
    "select lo_import('/etc/passwd')",
    "select pg_reload_conf()",
    "select pg_terminate_backend(pid) from pg_stat_activity where usename <> current_user",
    "select pg_stat_reset()",
    "load '/tmp/planted.so'",
    "create function pg_temp.planted() returns int language c as '/tmp/planted.so'",
    "checkpoint",
]


@pytest.fixture
def intruder(dba: Connection, database: URL) -> Iterator[Connection]:
    """A session of a role with a login, and with CONNECT as its only right."""
    name, password = f"pgreprise_test_intruder_{os.getpid()}", "only-to-connect"
    dba.execute(sql.SQL("create role {} login password {}").format(sql.Identifier(name), sql.Literal(password)))
    dba.execute(sql.SQL("revoke all on database {} from public").format(sql.Identifier(str(database.database))))
    dba.execute(
        sql.SQL("grant connect on database {} to {}").format(
            sql.Identifier(str(database.database)), sql.Identifier(name)
        )
    )
    try:
        with connect_to(database.set(username=name, password=password)) as connection:
            yield connection
    finally:
        dba.execute(sql.SQL("drop owned by {0}; drop role {0}").format(sql.Identifier(name)))


@pytest.fixture
def report(dba: Connection) -> int:
    """A report that can be rerun."""
    set_versions(dba)
    return add_report(dba, add_simulation(dba, population_type="household"))


@pytest.mark.usefixtures("report")
def test_whatever_it_tries_is_refused(intruder: Connection, dba: Connection, database: URL) -> None:
    before = everything(dba)
    allowed = {}
    for statement in STATEMENTS:
        try:
            intruder.execute(statement.replace("{database}", str(database.database)).encode())
        except psycopg.Error as error:
            if error.sqlstate not in REFUSED:
                allowed[statement] = str(error)
        else:
            allowed[statement] = "done"
        intruder.execute("reset all")
    assert allowed == {}
    assert everything(dba) == before


def test_it_may_call_no_routine_and_read_no_table_of_ours(intruder: Connection, dba: Connection) -> None:
    routines = dba.execute(
        "select procedure.oid::regprocedure::text as signature, procedure.prokind, array(select format('null::%s', "
        "format_type(argument.type, null)) from unnest(procedure.proargtypes) as argument(type)) as arguments, "
        "procedure.pronamespace::regnamespace || '.' || procedure.proname as name "
        "from pg_proc as procedure where procedure.proowner = 'pgreprise_owner'::regrole"
    ).fetchall()
    assert len(routines) > 50
    for routine in routines:
        verb = "call" if routine["prokind"] == "p" else "select"
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            intruder.execute(f"{verb} {routine['name']}({', '.join(routine['arguments'])})".encode())

    tables = dba.execute(
        "select schemaname || '.' || tablename as name from pg_tables where schemaname in ('public', 'pgreprise')"
    ).fetchall()
    assert len(tables) > 10
    for table in tables:
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            intruder.execute(f"table {table['name']}".encode())


def test_claims_that_it_makes_up_open_nothing(intruder: Connection, report: int) -> None:
    intruder.execute(
        "select set_config('request.jwt.claims', %s, false)", ('{"sub": "root", "scope": "reports:admin"}',)
    )
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        intruder.execute("call public.rerun_report(%s::bigint)", (report,))


def test_the_same_calls_work_for_who_has_the_right(connect: Connect, report: int) -> None:
    # Otherwise the refusals above would prove nothing.
    result = one(connect(role="pgreprise_api"), "call public.rerun_report(%s::bigint)", report)["result"]
    assert result["report_id"] == report
