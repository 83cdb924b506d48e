"""Who may do what: callers hold EXECUTE and nothing else, and nothing that they plant runs with the owner's rights."""

from __future__ import annotations

import os
from typing import Any

import psycopg
import pytest
from psycopg import sql

from tests import carbon
from tests.conftest import Connect
from tests.factories import add_reform_impact, add_report, add_simulation, one, set_versions, snapshot

Connection = psycopg.Connection[dict[str, Any]]

ROLES = ("pgreprise_reader", "pgreprise_api", "pgreprise_dba")
ALL = frozenset(ROLES)
READERS = ALL
API = frozenset({"pgreprise_api", "pgreprise_dba"})
DBA = frozenset({"pgreprise_dba"})
INTERNAL: frozenset[str] = frozenset()

# Every routine, and who may call it.
EXPECTED = {
    "public.cache_versions": READERS,
    "public.get_report": READERS,
    "public.get_simulation": READERS,
    "public.report_defects": READERS,
    "public.example_reports": READERS,
    "public.mismatched_cache_versions": frozenset({"pgreprise_reader", "pgreprise_dba"}),
    "public.update_report": API,
    "public.update_simulation": API,
    "public.get_or_create_report": API,
    "public.get_or_create_simulation": API,
    "public.rerun_report": API,
    "public.reset_report": DBA,
    "public.reset_simulation": DBA,
    "public.delete_reform_impacts": DBA,
    "public.set_cache_versions": DBA,
    "pgreprise.status": READERS,
    "pgreprise.after_routine": INTERNAL,
    "pgreprise.before_routine": INTERNAL,
    "pgreprise.bound_lock_wait": INTERNAL,
    "pgreprise.check_update": INTERNAL,
    "pgreprise.drop_invalid_index": INTERNAL,
    "pgreprise.economy_cache_key": INTERNAL,
    "pgreprise.newest_report": INTERNAL,
    "pgreprise.newest_simulation": INTERNAL,
    "pgreprise.raise_report_not_found": INTERNAL,
    "pgreprise.raise_simulation_not_found": INTERNAL,
    "pgreprise.raise_version_unknown": INTERNAL,
    "pgreprise.remove_routine": INTERNAL,
    "pgreprise.report_defect": INTERNAL,
    "pgreprise.require_country": INTERNAL,
    # The carbon domain.
    "public.bulk_upsert_carbon_reports": API,
    "public.create_carbon_project": API,
    "public.create_carbon_report": API,
    "public.create_data_entry": API,
    "public.create_explore_report": API,
    "public.delete_data_entry": API,
    "public.example_units": DBA,
    "public.get_carbon_module": API,
    "public.get_carbon_project": API,
    "public.get_carbon_report": API,
    "public.get_carbon_report_modules": API,
    "public.get_carbon_report_of_year": API,
    "public.get_carbon_reports": API,
    "public.get_data_entries": API,
    "public.get_explore_report": API,
    "public.get_validated_totals": API,
    "public.pick_role_for_institutional_id": API,
    "public.refresh_explore_report": API,
    "public.require_unit_access": API,
    "public.set_carbon_module_status": API,
    "public.update_data_entry": API,
    "pgreprise.carbon_figures": INTERNAL,
    "pgreprise.carbon_module_type_id": INTERNAL,
    "pgreprise.carbon_report_id": INTERNAL,
    "pgreprise.carbon_report_type": INTERNAL,
    "pgreprise.carbon_totals": INTERNAL,
    "pgreprise.check_data_entry": INTERNAL,
    "pgreprise.delete_data_entries": INTERNAL,
    "pgreprise.ensure_carbon_projects": INTERNAL,
    "pgreprise.epoch_seconds": INTERNAL,
    "pgreprise.explore_report_is_stale": INTERNAL,
    "pgreprise.find_carbon_module": INTERNAL,
    "pgreprise.insert_carbon_reports": INTERNAL,
    "pgreprise.lock_carbon_module": INTERNAL,
    "pgreprise.raise_carbon_report_not_found": INTERNAL,
    "pgreprise.raise_carbon_value": INTERNAL,
    "pgreprise.replace_emissions": INTERNAL,
    "pgreprise.require_carbon_report": INTERNAL,
    "pgreprise.require_carbon_year": INTERNAL,
    "pgreprise.require_data_entry": INTERNAL,
    "pgreprise.stored_carbon_modules": INTERNAL,
    "pgreprise.stored_carbon_reports": INTERNAL,
    "pgreprise.stored_data_entries": INTERNAL,
    "pgreprise.touch_carbon_module": INTERNAL,
}


def routines(connection: Connection) -> list[dict[str, Any]]:
    """Every routine of schemas public and pgreprise that no extension brought."""
    return connection.execute(
        """
        select format('%s.%s', namespace.nspname, procedure.proname) as name,
               procedure.oid::regprocedure::text as signature,
               procedure.prokind as kind,
               procedure.prosecdef as is_definer,
               procedure.proconfig as settings,
               procedure.prosqlbody is not null as is_parsed_early,
               procedure.provolatile as volatility,
               pg_get_userbyid(procedure.proowner) as owner,
               coalesce(obj_description(procedure.oid, 'pg_proc'), '') as comment,
               (select count(*)
                  from aclexplode(coalesce(procedure.proacl, acldefault('f', procedure.proowner))) as privilege
                 where privilege.grantee = 0) as granted_to_public,
               array(select format('null::%s', format_type(argument.type, null))
                       from unnest(procedure.proargtypes) with ordinality as argument(type, position)
                      order by argument.position) as arguments
          from pg_proc as procedure
          join pg_namespace as namespace on namespace.oid = procedure.pronamespace
         where namespace.nspname in ('public', 'pgreprise')
           and not exists (select from pg_depend where objid = procedure.oid and deptype = 'e')
         order by 1
        """
    ).fetchall()


def tables(connection: Connection) -> list[str]:
    found = connection.execute(
        """
        select format('%I.%I', namespace.nspname, relation.relname) as name
          from pg_class as relation
          join pg_namespace as namespace on namespace.oid = relation.relnamespace
         where namespace.nspname in ('public', 'pgreprise') and relation.relkind in ('r', 'p', 'v', 'm', 'f')
         order by 1
        """
    ).fetchall()
    return [row["name"] for row in found]


@pytest.fixture
def nobody(dba: Connection) -> str:
    """A role that was given nothing. It lives in the transaction that this opens, and goes with it."""
    name = f"pgreprise_test_nobody_{os.getpid()}"
    dba.execute("begin")
    dba.execute(f"create role {name}")
    return name


def may(connection: Connection, role: str, statement: str) -> bool:
    """Whether PostgreSQL lets a role run a statement, whatever else becomes of it."""
    try:
        with connection.transaction(force_rollback=True):
            connection.execute(sql.SQL("set local role {}").format(sql.Identifier(role)))
            connection.execute(statement)
    except psycopg.errors.InsufficientPrivilege:
        return False
    except psycopg.Error as error:
        # Called with nulls, a routine refuses in its own words, which means that it was called.
        return error.sqlstate is not None
    return True


def test_each_role_may_call_what_the_table_says_and_nothing_else(dba: Connection, nobody: str) -> None:
    actual = {}
    for routine in routines(dba):
        verb = "call" if routine["kind"] == "p" else "select"
        call = f"{verb} {routine['name']}({', '.join(routine['arguments'])})"
        actual[routine["name"]] = frozenset(role for role in (*ROLES, nobody) if may(dba, role, call))
    assert actual == EXPECTED


def test_no_role_holds_execute_on_what_it_cannot_reach(dba: Connection, nobody: str) -> None:
    # The schema's USAGE must not be all that stands between a role and an internal.
    for routine in routines(dba):
        holders = {
            role
            for role in (*ROLES, nobody)
            if one(dba, "select has_function_privilege(%s, %s, 'execute') as held", role, routine["signature"])["held"]
        }
        assert holders == EXPECTED[routine["name"]], routine["name"]


def test_public_may_execute_none_of_ours(dba: Connection) -> None:
    assert [routine["name"] for routine in routines(dba) if routine["granted_to_public"]] == []


def test_no_caller_has_any_right_on_any_table(dba: Connection, nobody: str) -> None:
    found = tables(dba)
    assert {"public.report_outputs", "pgreprise.country", "pgreprise.routine_version"} <= set(found)
    for table in found:
        for role in (*ROLES, nobody):
            for right in ("select", "insert", "update", "delete", "truncate", "references", "trigger"):
                held = one(dba, "select has_table_privilege(%s, %s, %s) as held", role, table, right)["held"]
                assert not held, (role, table, right)
            assert not may(dba, role, f"table {table}")
            assert not may(dba, role, f"truncate {table}")


def test_no_caller_may_create_in_our_schemas(dba: Connection, nobody: str) -> None:
    for schema in ("public", "pgreprise"):
        for role in (*ROLES, nobody):
            held = one(dba, "select has_schema_privilege(%s, %s, 'create') as held", role, schema)["held"]
            assert not held, (role, schema)
    assert not one(dba, "select has_schema_privilege(%s, 'pgreprise', 'usage') as held", nobody)["held"]


def test_the_owner_of_the_routines_cannot_log_in_and_is_no_superuser(dba: Connection) -> None:
    owner = one(
        dba,
        "select rolcanlogin, rolsuper, rolcreaterole, rolcreatedb, rolreplication, rolbypassrls "
        "from pg_roles where rolname = 'pgreprise_owner'",
    )
    assert not any(owner.values())
    assert {routine["owner"] for routine in routines(dba)} == {"pgreprise_owner"}


def test_callers_are_not_members_of_the_owner(dba: Connection) -> None:
    for role in ROLES:
        assert not one(dba, "select pg_has_role(%s, 'pgreprise_owner', 'member') as is_member", role)["is_member"]


def test_the_owner_holds_no_more_on_the_hosts_tables_than_its_routines_need(dba: Connection) -> None:
    held = dba.execute(
        """
        select relation.relname as name, string_agg(lower(privilege.privilege_type), ' '
                 order by privilege.privilege_type) as rights
          from pg_class as relation
         cross join lateral aclexplode(relation.relacl) as privilege
         where relation.relnamespace = 'public'::regnamespace and relation.relkind = 'r'
           and privilege.grantee = 'pgreprise_owner'::regrole
         group by relation.relname
        """
    ).fetchall()
    assert {row["name"]: row["rights"] for row in held} == {
        "report_outputs": "insert select update",
        "simulations": "insert select update",
        "reform_impact": "delete select update",
        "units": "select",
        "carbon_projects": "insert select",
        "carbon_reports": "delete insert select update",
        "carbon_report_modules": "delete insert select update",
        "data_entries": "delete insert select update",
        "data_entry_emissions": "delete insert select",
    }


def test_entry_points_run_as_their_owner_with_a_safe_search_path(dba: Connection) -> None:
    for routine in routines(dba):
        is_entry_point = bool(EXPECTED[routine["name"]])
        assert routine["is_definer"] == is_entry_point, routine["name"]
        # What was parsed when it was created has no names left to resolve.
        if is_entry_point or not routine["is_parsed_early"]:
            assert routine["settings"] == ["search_path=pg_catalog, pg_temp"], routine["name"]


def test_what_only_looks_is_stable(dba: Connection) -> None:
    looking = {
        "public.cache_versions",
        "public.get_report",
        "public.get_simulation",
        "public.report_defects",
        "public.example_reports",
        "public.mismatched_cache_versions",
        "pgreprise.status",
        "public.example_units",
        "public.get_carbon_module",
        "public.get_carbon_project",
        "public.get_carbon_report",
        "public.get_carbon_report_modules",
        "public.get_carbon_report_of_year",
        "public.get_carbon_reports",
        "public.get_data_entries",
        "public.get_explore_report",
        "public.get_validated_totals",
        "public.require_unit_access",
    }
    stable = {routine["name"] for routine in routines(dba) if routine["volatility"] == "s" and routine["is_definer"]}
    assert stable == looking


def test_every_routine_carries_a_comment(dba: Connection) -> None:
    assert [routine["name"] for routine in routines(dba) if not routine["comment"]] == []


# --- an attacker -----------------------------------------------------------------------------

CALLS = [
    "call public.rerun_report({report}, 'us')",
    "select * from public.get_report({report}, 'us')",
    "select * from public.get_simulation({simulation}, 'us')",
    "select * from public.update_report({report}, 'us', status => 'complete', output => '{{}}')",
    "select * from public.update_simulation({simulation}, 'us', status => 'complete', output => '{{}}')",
    "select * from public.get_or_create_simulation('us', 'state/tx', 'geography', 77)",
    "select * from public.get_or_create_report('us', {simulation}, year => '2035')",
    "select public.reset_report({report})",
    "select public.reset_simulation({simulation})",
    "select public.delete_reform_impacts('us', 2, 3, 'state/ny', 'default', '2025', '[]', 'x', array['ok'])",
    "select public.set_cache_versions('us', package => '9.9.9')",
    "select * from public.cache_versions()",
    "select * from public.report_defects()",
    "select * from public.example_reports()",
    "select * from public.mismatched_cache_versions()",
    "select pgreprise.status()",
    "select * from public.get_carbon_project({unit})",
    "select * from public.create_carbon_project({unit}, 2)",
    "select * from public.get_explore_report({unit}, 2025)",
    "select * from public.create_explore_report({unit}, 2030)",
    "select * from public.refresh_explore_report({unit}, {explore}, 2025)",
    "select * from public.create_carbon_report({unit}, 2030)",
    'select * from public.bulk_upsert_carbon_reports(\'[{{"unit_id": {unit}, "year": 2031}}]\')',
    "select * from public.get_carbon_reports({unit})",
    "select * from public.get_carbon_report_of_year({unit}, 2025)",
    "select * from public.get_carbon_report({carbon})",
    "select * from public.get_carbon_report_modules({carbon})",
    "select * from public.set_carbon_module_status({carbon}, 1, 2)",
    "select * from public.get_carbon_module({unit}, 2025, 'headcount')",
    "select * from public.get_data_entries({unit}, 2025, 'headcount', 1)",
    "select * from public.create_data_entry({unit}, 2025, 'headcount', 1, '{{\"fte\": 1}}')",
    "select * from public.update_data_entry({unit}, 2025, 'headcount', 1, {entry}, '{{\"fte\": 1}}')",
    "select public.delete_data_entry({unit}, 2025, 'headcount', 1, {entry})",
    "select public.get_validated_totals({carbon})",
    "select * from public.example_units()",
    "select public.require_unit_access({unit})",
    "select public.pick_role_for_institutional_id('[]', 'x')",
]


# What a careless routine would resolve by its search_path: name, operator, operands, value.
OPERATORS = {
    "trap_equal_1": ("=", "varchar", "text", "true"),
    "trap_equal_2": ("=", "varchar", "varchar", "true"),
    "trap_equal_3": ("=", "integer", "bigint", "true"),
    "trap_equal_4": ("=", "bigint", "bigint", "true"),
    "trap_unequal": ("<>", "varchar", "varchar", "true"),
    "trap_append": ("||", "text", "varchar", "'x'::text"),
    "trap_field": ("->>", "jsonb", "text", "'x'::text"),
    "trap_less": ("<", "bigint", "integer", "true"),
}
FUNCTIONS = {
    "format(text, varchar)": "'x'::text",
    "format(text, bigint)": "'x'::text",
    "to_jsonb(bigint[])": "null::jsonb",
    "now()": "null::timestamptz",
    "length(varchar)": "1",
    "cardinality(bigint[])": "1",
    "current_setting(text)": "'x'::text",
    "json_typeof(json)": "'null'::text",
    "btrim(varchar)": "'x'::text",
    "replace(text, text, text)": "'headcount'::text",
    "jsonb_typeof(jsonb)": "'array'::text",
    "floor(numeric)": "1",
    "reset_report(bigint)": "1",
    "reset_simulation(bigint)": "1",
    "bound_lock_wait()": "1",
    "require_country(text)": "1",
}


def plant(connection: Connection, schema: str, signature: str, value: str) -> None:
    """Create a function that writes down as whom it ran; in schema public beside the one it mimics."""
    kind = {"true": "bool", "1": "integer"}.get(value) or value.split("::")[1]
    body = f"begin perform planted.write_down(current_user); return {value}; end"
    if schema != "public" or not signature.startswith("reset_"):
        connection.execute(f"create function {schema}.{signature} returns {kind} language plpgsql as $${body}$$")


@pytest.fixture
def attacker(dba: Connection) -> Connection:
    """A session of a role that may call everything, create in schemas, and put them first in its search_path.

    It has planted look-alikes of the operators, functions and tables that the routines use. Each planted
    function writes down as whom it ran. All in one transaction, which ends with the test.
    """
    set_versions(dba)
    add_report(dba, add_simulation(dba, policy_id=2), add_simulation(dba, policy_id=3))
    add_reform_impact(dba)
    calculator = carbon.add_report(dba, carbon.add_unit(dba))
    carbon.add_report(dba, 1, report_type="Simulator_Explore", last_updated=None)
    carbon.add_entry(dba, calculator, 1, 5, fte=1)
    name = f"pgreprise_test_attacker_{os.getpid()}"
    dba.execute("begin")
    dba.execute(f"create role {name} in role pgreprise_reader, pgreprise_api, pgreprise_dba")
    dba.execute(f"create schema planted authorization {name}")
    # As on a host that came from PostgreSQL 14 or older, where everyone may create in public.
    dba.execute("grant create on schema public to public")
    dba.execute(f"set local role {name}")
    dba.execute("create table planted.caught (ran_as name)")
    dba.execute("grant usage on schema planted to public")
    dba.execute("grant insert, select on planted.caught to public")
    dba.execute(
        "create function planted.write_down(name) returns void language plpgsql as "
        "$$begin insert into planted.caught values ($1); end$$"
    )
    for schema in ("planted", "public", "pg_temp"):
        for name, (operator, left, right, value) in OPERATORS.items():
            plant(dba, schema, f"{name}({left}, {right})", value)
            operands = f"leftarg = {left}, rightarg = {right}"
            dba.execute(f"create operator {schema}.{operator} ({operands}, function = {schema}.{name})")
        for signature, value in FUNCTIONS.items():
            plant(dba, schema, signature, value)
    for schema in ("planted", "pg_temp"):
        for table in (
            "report_outputs",
            "simulations",
            "reform_impact",
            "country",
            "report_key",
            "routine_version",
            *carbon.TABLES,
        ):
            dba.execute(f"create table {schema}.{table} (id bigint, country_id varchar, report_id bigint, status text)")
    dba.execute("set local search_path = planted, pg_temp, public, pg_catalog")
    return dba


def test_the_attack_is_tried_on_every_entry_point() -> None:
    entry_points = {name for name, callers in EXPECTED.items() if callers}
    assert {call.split("(")[0].split(" ")[-1] for call in CALLS} == entry_points


def caught(connection: Connection) -> set[str]:
    return {row["ran_as"] for row in connection.execute("select distinct ran_as::text from planted.caught").fetchall()}


@pytest.mark.parametrize("call", CALLS, ids=lambda call: call.split("(")[0].split(".")[-1])
def test_nothing_planted_runs_with_the_owners_rights(attacker: Connection, call: str) -> None:
    attacker.execute("delete from planted.caught")
    attacker.execute(call.format(report=1, simulation=1, unit=1, carbon=1, explore=2, entry=1).encode())
    assert "pgreprise_owner" not in caught(attacker)


def test_the_calls_of_an_attacker_do_what_they_do_for_anyone(attacker: Connection) -> None:
    result = one(attacker, "call public.rerun_report(1, 'us')")["result"]
    assert result["economy_cache_rows_deleted"] == 1
    attacker.execute("reset role; set local search_path = pg_catalog")
    after = snapshot(attacker)
    assert {row["status"] for row in (*after["report_outputs"], *after["simulations"])} == {"pending"}
    assert after["reform_impact"] == []


def test_the_trap_catches_a_routine_without_a_safe_search_path(attacker: Connection) -> None:
    # The same attack on a careless routine succeeds; otherwise the tests above would prove nothing.
    attacker.execute("reset role")
    attacker.execute(
        """
        create function public.careless(country varchar) returns bigint language plpgsql security definer
        as 'begin return (select count(*) from public.report_outputs as r where r.country_id = careless.country); end'
        """
    )
    attacker.execute("alter function public.careless owner to pgreprise_owner")
    attacker.execute("select public.careless('us')")
    assert caught(attacker) == {"pgreprise_owner"}


def test_text_that_looks_like_sql_is_only_text(dba: Connection, connect: Connect) -> None:
    set_versions(dba)
    simulation = add_simulation(dba, population_type="household")
    add_report(dba, simulation)
    api = connect(role="pgreprise_api")
    hostile = "x'); delete from public.simulations; --%s %I {} :name $1"
    row = one(api, "select error_message from update_report(1, 'us', error_message => %s)", hostile)
    assert row["error_message"] == hostile
    found = one(
        api,
        "select (found.stored).population_id from get_or_create_simulation('us', %s, 'household', 1) as found",
        hostile,
    )
    assert found["population_id"] == hostile
    assert len(snapshot(dba)["simulations"]) == 2
