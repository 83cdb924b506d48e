"""A router is used like one database: psql, the API with tokens, roles and their rights."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from tests.support import tokens
from tests.support.api import api_over
from tests.support.databases import Connection, connect
from tests.support.factories import VERSIONS, add_economy_report, add_reform_impact
from tests.support.fleets import Shards, router_text, run_script
from tests.support.replies import refused, succeeded
from tests.support.statements import one, rerun

pytestmark = pytest.mark.needs("plproxy")


def said(on: Connection, statement: str, *values: Any) -> tuple[str | None, str | None, str | None, str | None]:
    """Code, message, detail and hint with which a statement is refused."""
    with pytest.raises(psycopg.Error) as caught:
        on.execute(statement.encode(), values or None)
    told = caught.value.diag
    return told.sqlstate, told.message_primary, told.message_detail, told.message_hint


def bearer(scope: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {tokens.signed(tokens.claims(scope=scope))}"}


# --- psql ------------------------------------------------------------------------------------


@pytest.mark.parametrize("server", ["a", "b"])
def test_a_report_is_created_and_rerun_on_the_server_of_its_population(
    shards: Shards, psql: Connection, server: str
) -> None:
    [population] = shards.populations(server, 1)
    simulation = one(
        psql, "select (stored).id, created from get_or_create_simulation('us', %s, 'geography', 2)", population
    )
    report = one(
        psql, "select (stored).id, created from get_or_create_report('us', %s, null, '2025')", simulation["id"]
    )
    again = one(psql, "select (stored).id, created from get_or_create_report('us', %s, null, '2025')", simulation["id"])
    assert (report["created"], again) == (True, {"id": report["id"], "created": False})

    result = rerun(psql, report["id"])

    assert (result["report_id"], result["simulation_ids"]) == (report["id"], [simulation["id"]])
    assert shards.row("select run_sequence from report_outputs where id = %s", report["id"], name=server) == {
        "run_sequence": 2
    }
    # The ids that a caller hands back tell where the row is.
    numbers = {
        shards.home(shards.row("select pgreprise.id_shard(%s, %s) as n", kind, number)["n"])
        for kind, number in (("simulation", simulation["id"]), ("report", report["id"]), ("rerun", result["rerun_id"]))
    }
    assert numbers == {server}
    undone = one(psql, "call undo_rerun(%s)", result["rerun_id"])["result"]
    assert undone["rerun_id"] == result["rerun_id"]


def test_a_refusal_has_the_words_of_a_database_without_a_router(shards: Shards, psql: Connection) -> None:
    report = shards.add_report(shards.populations("a", 1)[0], year=None)
    acts: tuple[tuple[str, tuple[Any, ...]], ...] = (
        ("call rerun_report(%s)", (report,)),
        ("call rerun_report(%s)", (64 * 999,)),
        ("call rerun_report(%s, country_id => 'atlantis')", (report,)),
        ("call undo_rerun(%s)", (64 * 777,)),
        ("select * from get_or_create_simulation('atlantis', 'ca', 'geography', 1)", ()),
        ("select * from find_reports(max_rows => 0)", ()),
    )
    with connect(shards.url("a")) as plain:
        for statement, values in acts:
            told = [said(on, statement, *values) for on in (plain, psql)]
            assert told[0] == told[1], statement


def test_a_procedure_is_refused_in_a_transaction_block_before_anything_is_done(
    shards: Shards, psql: Connection
) -> None:
    report = shards.add_report("ca")
    act = rerun(psql, report)["rerun_id"]
    for statement in ("call rerun_report(%s)", "call undo_rerun(%s)"):
        number = report if "report" in statement else act
        with connect(shards.router, autocommit=False) as block:
            block.execute("select 1")
            assert said(block, statement, number)[0] == "2D000"
            block.rollback()
    assert one(psql, "select count(*) from rerun_history()") == {"count": 1}


def test_a_session_that_may_only_read_changes_nothing_on_a_server(shards: Shards, psql: Connection) -> None:
    report = shards.add_report("ca")
    psql.execute("set default_transaction_read_only = on")
    assert said(psql, "call rerun_report(%s)", report)[0] == "25006"
    assert one(psql, "select id from get_report(%s)", report) == {"id": report}
    psql.execute("set default_transaction_read_only = off")
    assert rerun(psql, report)["run_sequence"] == 2


def test_the_history_names_the_role_at_the_router(shards: Shards, psql: Connection) -> None:
    report = shards.add_report("ca")
    psql.execute("set role pgreprise_api")
    rerun(psql, report)
    psql.execute("reset role")
    row = one(psql, "select session_role, role_setting, actor from rerun_history()")
    assert row == {"session_role": "postgres", "role_setting": "pgreprise_api", "actor": None}


def test_an_output_of_five_megabytes_comes_byte_for_byte(shards: Shards, psql: Connection) -> None:
    text = ' {"z":1.0, "a" : "' + "é" * 2_600_000 + '",\t"a": 1e2}'
    report = shards.add_report("ca", output=None, status="pending")
    psql.execute("select update_report(%s, status => 'complete', output => %s::json)", (report, text))
    assert one(psql, "select output::text from get_report(%s)", report) == {"output": text}
    stored = shards.row("select output::text from report_outputs where id = %s", report, name=shards.home_of("ca"))
    assert stored == {"output": text}


def test_an_idempotency_key_counts_once_for_its_report_and_is_free_on_another_server(
    shards: Shards, psql: Connection
) -> None:
    reports = shards.reports(1)
    call = "call rerun_report(%s, idempotency_key => 'k')"
    first = one(psql, call, reports["a"][0])["result"]
    assert one(psql, call, reports["a"][0])["result"] == first
    assert one(psql, call, reports["b"][0])["result"]["run_sequence"] == 2
    assert one(psql, "select count(*) from rerun_history()") == {"count": 2}


def test_a_rerun_with_the_token_of_its_preview_is_refused_once_something_moved(
    shards: Shards, psql: Connection
) -> None:
    report = shards.add_report("ca")
    seen = one(psql, "select seen from rerun_preview(%s) where seen is not null", report)["seen"]
    assert one(psql, "call rerun_report(%s, seen => %s)", report, seen)["result"]["run_sequence"] == 2
    assert said(psql, "call rerun_report(%s, seen => %s)", report, seen)[0] == "RR029"


def test_values_do_not_depend_on_how_the_router_writes_dates(shards: Shards, psql: Connection) -> None:
    report = shards.add_report("ca", status="running")
    rerun(psql, report)
    query = "select extract(epoch from pending_since) as since from get_report(%s)"
    plain = one(psql, query, report)
    psql.execute("set datestyle = 'SQL, DMY'; set intervalstyle = 'sql_standard'; set timezone = 'Asia/Kolkata'")
    assert one(psql, query, report) == plain
    assert one(psql, "select count(*) from lost_runs(interval '1-2')") == {"count": 0}
    assert one(psql, "select count(*) from lost_runs(interval '0')") == {"count": 1}


# --- the API ---------------------------------------------------------------------------------


def test_a_token_does_what_its_scopes_allow_and_no_more(shards: Shards, psql: Connection) -> None:
    report = shards.add_report("ca")
    with api_over(shards.router, tokens.authentication(jwt_secret=tokens.SECRET)) as api:
        client = api.test_client()
        path = f"/us/report/{report}/rerun"
        told = refused(client.post(path, headers=bearer("reports:read")), 403, "RR017")
        assert told["message"] == "The token of alice does not have the scope reports:rerun."
        assert client.post(path).status_code == 401
        assert one(psql, "select count(*) from rerun_history()") == {"count": 0}
        result = succeeded(client.post(path, headers=bearer("reports:rerun")))
        assert succeeded(client.get(f"/us/report/{report}", headers=bearer("reports:read")))["run_sequence"] == 2
        assert succeeded(
            client.post(f"/us/report/{report}/reruns/{result['rerun_id']}/undo", headers=bearer("reports:rerun"))
        )["rerun_id"] == result["rerun_id"]  # fmt: skip
    rows = psql.execute("select actor, client_address, request_id is not null as has from rerun_history()").fetchall()
    assert rows == [{"actor": "alice", "client_address": "127.0.0.1", "has": True}] * 2


def test_what_a_rule_of_the_application_says_is_a_conflict_over_http(shards: Shards) -> None:
    report = shards.add_report("ca")
    shards.everywhere(
        "create function keep() returns trigger language plpgsql as $$ begin raise exception 'Ask Bob.'; end $$; "
        "create trigger keep before update on public.report_outputs for each row execute function keep()"
    )
    with api_over(shards.router) as api:
        told = refused(api.test_client().post(f"/us/report/{report}/rerun"), 409, "P0001")
    assert told["message"] == "The database has a rule against this: Ask Bob. Nothing was changed."


def test_the_api_is_ready_and_lists_reports_of_all_servers(shards: Shards) -> None:
    reports = shards.reports(3)
    with api_over(shards.router) as api:
        client = api.test_client()
        assert client.get("/readiness-check").status_code == 200
        listed = succeeded(client.get("/reports"))
    assert [row["id"] for row in listed] == sorted(reports["a"] + reports["b"])


# --- who may ---------------------------------------------------------------------------------


def test_a_role_that_may_only_read_is_refused_by_the_router(shards: Shards, psql: Connection) -> None:
    report = shards.add_report("ca")
    psql.execute("set role pgreprise_reader")
    assert one(psql, "select id from get_report(%s)", report) == {"id": report}
    assert said(psql, "call rerun_report(%s)", report)[0] == "42501"
    caller = json.dumps({"role": "postgres", "is_operator": True})
    inner = "select pgreprise.routed_rerun_report(%s::jsonb, %s::bigint, null, null, null, null)"
    assert said(psql, inner, caller, report)[0] == "42501"
    remote = "select * from pgreprise_remote.rerun_report(0, %s::jsonb, %s::bigint, null, null, null, null)"
    assert said(psql, remote, caller, report)[0] == "42501"


def test_nobody_says_to_a_server_that_he_is_somebody_else(shards: Shards) -> None:
    report = shards.add_report("ca")
    with connect(shards.url(shards.home_of("ca"))) as server:
        caller = json.dumps({"session_role": "postgres", "is_operator": True})
        for role in ("pgreprise_api", "pgreprise_dba", "pgreprise_reader"):
            server.execute(f"set role {role}".encode())
            forged = "select * from pgreprise_shard.get_report(%s::jsonb, %s::bigint, null)"
            assert said(server, forged, caller, report)[0] == "42501"
            assert said(server, "select pgreprise.act_for(%s::jsonb)", caller)[0] == "42501"
            server.execute("reset role")
        server.execute("create role mallory login in role pgreprise_api")
    try:
        url = shards.url(shards.home_of("ca")).set(username="mallory")
        with connect(url) as mallory:
            mallory.execute("select set_config('pgreprise.router_session_role', 'postgres', false), "
                            "set_config('pgreprise.router_operator', 'true', false)")  # fmt: skip
            rerun(mallory, report)
            assert one(mallory, "select session_role from rerun_history()") == {"session_role": "mallory"}
            assert said(mallory, "select * from purge_chunk(interval '1 day')")[0] == "42501"
            act = one(mallory, "select rerun_id from rerun_history()")["rerun_id"]
            assert said(mallory, "call undo_rerun(%s, force => true)", act)[0] == "RR017"
    finally:
        with connect(shards.url(shards.home_of("ca"))) as server:
            server.execute("drop role mallory")


def test_only_an_operator_at_the_router_may_force(shards: Shards, psql: Connection) -> None:
    report = shards.add_report("ca")
    act = rerun(psql, report)["rerun_id"]
    psql.execute("set role pgreprise_api")
    assert said(psql, "call undo_rerun(%s, force => true)", act)[:2] == (
        "RR017",
        "Role pgreprise_api may not do this. Only members of pgreprise_dba may.",
    )
    psql.execute("set role pgreprise_dba")
    assert one(psql, "call undo_rerun(%s, force => true)", act)["result"]["rerun_id"] == act


@pytest.fixture
def guest(shards: Shards) -> Iterator[str]:
    """A role of the host at the router, which may connect and no more."""
    with connect(shards.router) as router:
        router.execute("create role guest login")
        yield "guest"
        router.execute("drop owned by guest; drop role guest")


@pytest.mark.parametrize("earlier", ["[]", "[1]", '"text"', "1", "null", "{}"])
def test_a_caller_that_is_no_object_hides_no_role(shards: Shards, psql: Connection, guest: str, earlier: str) -> None:
    report = shards.add_report("ca")
    psql.execute(f"grant pgreprise_api to {guest}".encode())
    with connect(shards.router.set(username=guest)) as own:
        done = one(own, "select pgreprise.routed_rerun_report(%s::jsonb, %s, null, null, null, null) as result",
                   earlier, report)["result"]  # fmt: skip
        told = said(own, "select pgreprise.routed_undo_rerun(%s::jsonb, %s, true, null, null, null, null, null)",
                    earlier, done["rerun_id"])  # fmt: skip
    assert told[0] == "RR017"
    assert one(psql, "select session_role from rerun_history()") == {"session_role": guest}


@pytest.mark.parametrize(("scope", "code"), [("reports:rerun", None), ("reports:read", "RR017")])
def test_a_token_that_may_rerun_and_not_read_creates_a_batch(
    shards: Shards, psql: Connection, scope: str, code: str | None
) -> None:
    reports = shards.reports(1)
    filtered = json.dumps({"ids": reports["a"] + reports["b"]})
    create = "select create_rerun_batch(%s, expected_reports => 2) as id"
    psql.execute("select set_config('request.jwt.claims', %s, false)", (json.dumps({"sub": "x", "scope": scope}),))
    if code is None:
        assert one(psql, create, filtered)["id"] > 0
    else:
        assert said(psql, create, filtered)[0] == code
    psql.execute("select set_config('request.jwt.claims', '', false)")
    assert one(psql, "select count(*) from rerun_batches()") == {"count": int(code is None)}


@pytest.mark.parametrize("act", ["rerun", "undo", "reset"])
def test_a_deferred_rule_of_the_application_is_a_refusal(shards: Shards, psql: Connection, act: str) -> None:
    report = shards.add_report("ca")
    rerun_id = rerun(psql, report)["rerun_id"]
    shards.everywhere(
        "create function late() returns trigger language plpgsql as $$ begin raise exception 'Ask Bob.'; end $$; "
        "create constraint trigger late after update on public.report_outputs deferrable initially deferred "
        "for each row execute function late()"
    )
    before = one(psql, "select status, run_sequence from get_report(%s)", report)
    statement, number = {
        "rerun": ("call rerun_report(%s)", report),
        "undo": ("call undo_rerun(%s)", rerun_id),
        "reset": ("select reset_report(%s)", report),
    }[act]
    assert said(psql, statement, number)[:2] == ("P0001", "Ask Bob.")
    assert one(psql, "select status, run_sequence from get_report(%s)", report) == before
    shards.everywhere("drop trigger late on public.report_outputs")
    psql.execute(statement.encode(), (number,))


# --- what a router is made of ----------------------------------------------------------------


def test_every_entry_point_has_a_route_and_the_rights_that_it_has_on_a_server(shards: Shards) -> None:
    query = """
        select routine.proname::text, pg_get_function_arguments(routine.oid) as arguments,
            pg_get_function_result(routine.oid) as result, routine.prokind::text,
            obj_description(routine.oid, 'pg_proc') is not null as is_told,
            array(
              select pg_get_userbyid(given.grantee)::text
                from aclexplode(coalesce(routine.proacl, acldefault('f', routine.proowner))) as given
               where given.grantee <> routine.proowner
               order by 1
            ) as callers
          from pg_proc as routine
         where routine.pronamespace = 'public'::regnamespace and routine.proowner = 'pgreprise_owner'::regrole
         order by 1
    """
    with connect(shards.router) as router, connect(shards.url("a")) as server:
        assert router.execute(query).fetchall() == server.execute(query).fetchall()
        routes = {row["route"] for row in router.execute("select route from pgreprise.routed")}
        assert "none" not in routes
        open_to_all = """
            select routine.oid::regprocedure::text as name
              from pg_proc as routine
             cross join lateral aclexplode(coalesce(routine.proacl, acldefault('f', routine.proowner))) as given
             where routine.pronamespace::regnamespace::text in ('pgreprise', 'pgreprise_remote') and given.grantee = 0
        """
        assert router.execute(open_to_all).fetchall() == []


def test_the_router_is_made_again_over_itself_and_its_text_is_the_same(shards: Shards, psql: Connection) -> None:
    report = shards.add_report("ca")
    text = router_text(shards.fleet, shards.database)
    assert router_text(shards.fleet, shards.database) == text
    psql.execute("alter default privileges in schema public grant execute on functions to public, pgreprise_monitor")
    run_script(shards.fleet.of_routers, shards.database, text)
    run_script(shards.fleet.of_routers, shards.database, text)
    assert rerun(psql, report)["run_sequence"] == 2
    psql.execute("set role pgreprise_monitor")
    assert said(psql, "select * from get_report(%s)", report)[0] == "42501"


OWNERS = """
    select distinct pg_get_userbyid(routine.proowner)::text as owner
      from pg_proc as routine
     where routine.pronamespace::regnamespace::text in ('public', 'pgreprise', 'pgreprise_remote')
       and not exists (
         select from pg_depend as needed
          where needed.classid = 'pg_proc'::regclass and needed.objid = routine.oid and needed.deptype = 'e'
       )
"""
OPEN = """
    select routine.oid::regprocedure::text as name
      from pg_proc as routine
     cross join lateral aclexplode(coalesce(routine.proacl, acldefault('f', routine.proowner))) as given
     where routine.pronamespace::regnamespace::text in ('public', 'pgreprise', 'pgreprise_remote')
       and given.grantee = 0
       and not exists (
         select from pg_depend as needed
          where needed.classid = 'pg_proc'::regclass and needed.objid = routine.oid and needed.deptype = 'e'
       )
"""


def test_a_dba_whose_psql_sets_savepoints_makes_the_same_router(shards: Shards, psql: Connection) -> None:
    report = shards.add_report("ca")
    text = router_text(shards.fleet, shards.database)
    run_script(shards.fleet.of_routers, shards.database, f"\\set ON_ERROR_ROLLBACK on\n{text}")
    assert psql.execute(OWNERS).fetchall() == [{"owner": "pgreprise_owner"}]
    assert psql.execute(OPEN).fetchall() == []
    assert rerun(psql, report)["run_sequence"] == 2


def test_what_the_host_has_granted_is_granted_after_the_router_is_made_again(
    shards: Shards, psql: Connection, guest: str
) -> None:
    report = shards.add_report("ca")
    psql.execute(
        f"grant usage on schema pgreprise to {guest}; grant execute on procedure rerun_report to {guest}; "
        f"grant execute on procedure pgreprise.refuse_transaction_block to {guest}; "
        f"grant execute on function find_reports, pgreprise.routed_rerun_report, pgreprise.caller to {guest}".encode()
    )
    run_script(shards.fleet.of_routers, shards.database, router_text(shards.fleet, shards.database))
    with connect(shards.router.set(username=guest)) as own:
        assert one(own, "select id from find_reports()") == {"id": report}
        assert rerun(own, report)["run_sequence"] == 2
        # It was given no more.
        assert said(own, "select * from get_report(%s)", report)[0] == "42501"
        assert said(own, "select * from pgreprise.servers()")[0] == "42501"


@pytest.mark.needs("plpgsql_check_15")
def test_plpgsql_check_finds_nothing_in_the_routines_of_a_router(psql: Connection) -> None:
    psql.execute("create extension plpgsql_check")
    found = psql.execute(
        """
        select routine.oid::regprocedure::text as name, checked.message
          from pg_proc as routine
          join pg_language as language on language.oid = routine.prolang and language.lanname = 'plpgsql'
         cross join lateral plpgsql_check_function_tb(routine.oid, fatal_errors => false, other_warnings => true,
           extra_warnings => true, security_warnings => true) as checked
         where routine.pronamespace::regnamespace::text in ('public', 'pgreprise', 'pgreprise_remote')
           and routine.proowner = 'pgreprise_owner'::regrole
           -- (stored, created) is what the servers return, too.
           and checked.message <> 'composite OUT variable "stored" is not single argument'
        """
    ).fetchall()
    assert found == []


def test_cache_rows_of_a_population_are_rerun_with_its_report(shards: Shards, psql: Connection) -> None:
    name = shards.home_of("state/ny")
    with connect(shards.url(name)) as server:
        report, *_ = add_economy_report(server)
        add_reform_impact(server)
    assert rerun(psql, report)["economy_cache_rows_deleted"] == 1
    with connect(shards.url(name)) as server:
        add_reform_impact(server)
    deleted = one(
        psql,
        "select delete_reform_impacts('us', 2, 3, 'state/ny', 'default', '2025', %s) as number",
        VERSIONS["us"]["economy_impact"],
    )
    assert deleted == {"number": 1}
