"""Every error of the database becomes its HTTP status, and tells the caller no more than it should."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import URL, create_engine

from pyapi.api.app import create_app
from pyapi.api.errors import HTTP_STATUS
from pyapi.database import connect_engine
from pyapi.schema.files import sql_folder
from tests.support.api import NewClient, NewEngine, as_api
from tests.support.claims import claim
from tests.support.databases import Connect, Connection, connect
from tests.support.factories import add_economy_report, add_reform_impact, add_report, add_simulation, set_versions
from tests.support.replies import refused, succeeded
from tests.support.snapshots import snapshot
from tests.support.statements import one

RULES = {code: status for code, status in HTTP_STATUS.items() if code.startswith("RR")}


@pytest.fixture(scope="module")
def broken(shared_database: URL, shared_client: FlaskClient) -> FlaskClient:
    """A client of an API whose get_report() raises the SQLSTATE that it gets as a country, with secrets in the text."""
    with connect(shared_database) as connection:
        connection.execute(
            "create or replace function public.get_report("
            "report_id bigint, country_id text default null, known_tags text[] default null) "
            "returns setof pgreprise.report_row language plpgsql stable security definer as $$ begin "
            "raise exception using errcode = country_id, message = 'secret message', detail = 'secret detail', "
            "hint = 'secret hint'; end $$"
        )
    return shared_client


# --- the rules of the reports domain ---------------------------------------------------------


def test_the_codes_that_sql_raises_are_the_codes_that_have_a_status() -> None:
    texts = [path.read_text(encoding="utf-8") for path in sql_folder().rglob("*.sql")]
    code_lines = [line for text in texts for line in text.splitlines() if not line.lstrip().startswith("--")]
    raised = {code for line in code_lines for code in re.findall(r"'(RR\d{3})'", line)}
    assert raised == RULES.keys()


def test_the_documentation_has_a_row_for_each_code_with_its_status() -> None:
    page = Path(__file__).parents[2] / "docs" / "reference" / "errors.md"
    rows = [line for line in page.read_text(encoding="utf-8").splitlines() if line.startswith("|")]
    documented = {
        code[0]: int(status[-1])
        for row in rows
        if (code := re.findall(r"\bRR\d{3}\b", row.split("|")[1])) and (status := re.findall(r"\b[45]\d\d\b", row))
    }
    assert documented == RULES


def rerun(report_id: int) -> Callable[[FlaskClient], Any]:
    return lambda client: client.post(f"/us/report/{report_id}/rerun")


def missing_report(_: Connection) -> Callable[[FlaskClient], Any]:
    return rerun(42)


def report_of_another_country(dba: Connection) -> Callable[[FlaskClient], Any]:
    return rerun(add_report(dba, add_simulation(dba, country_id="uk"), country_id="uk"))


def missing_simulation(dba: Connection) -> Callable[[FlaskClient], Any]:
    return rerun(add_report(dba, 999))


def simulation_of_another_country(dba: Connection) -> Callable[[FlaskClient], Any]:
    return rerun(add_report(dba, add_simulation(dba, country_id="uk")))


def mismatched_population_types(dba: Connection) -> Callable[[FlaskClient], Any]:
    return rerun(add_report(dba, add_simulation(dba), add_simulation(dba, population_type="household")))


def unknown_population_type(dba: Connection) -> Callable[[FlaskClient], Any]:
    return rerun(add_report(dba, add_simulation(dba, population_type="planet")))


def no_year(dba: Connection) -> Callable[[FlaskClient], Any]:
    set_versions(dba)
    return rerun(add_report(dba, add_simulation(dba), year=None))


def no_economy_version(dba: Connection) -> Callable[[FlaskClient], Any]:
    return rerun(add_report(dba, add_simulation(dba)))


def no_such_simulation(_: Connection) -> Callable[[FlaskClient], Any]:
    return lambda client: client.get("/us/simulation/42")


def no_such_country(_: Connection) -> Callable[[FlaskClient], Any]:
    return lambda client: client.get("/zz/report/1")


def no_report_version(dba: Connection) -> Callable[[FlaskClient], Any]:
    simulation = add_simulation(dba)
    return lambda client: client.post("/us/report", json={"simulation_1_id": simulation})


def no_package_version(_: Connection) -> Callable[[FlaskClient], Any]:
    key = {"population_id": "1", "population_type": "household", "policy_id": 1}
    return lambda client: client.post("/us/simulation", json=key)


def impossible_year(dba: Connection) -> Callable[[FlaskClient], Any]:
    simulation = add_simulation(dba)
    return lambda client: client.post("/us/report", json={"simulation_1_id": simulation, "year": "x" * 256})


def household_report(dba: Connection) -> int:
    return add_report(dba, add_simulation(dba, population_type="household"))


def undo_after(dba: Connection, statement: str) -> Callable[[FlaskClient], Any]:
    """The undo of a rerun after which the statement came."""
    report = household_report(dba)
    act = one(dba, "call rerun_report(%s::bigint)", report)["result"]["rerun_id"]
    dba.execute(statement, {"report": report, "act": act})
    return lambda client: client.post(f"/us/report/{report}/reruns/{act}/undo")


def result_since_the_rerun(dba: Connection) -> Callable[[FlaskClient], Any]:
    return undo_after(dba, "select update_report(%(report)s, status => 'complete', output => '{}')")


def run_that_has_ended(dba: Connection) -> Callable[[FlaskClient], Any]:
    report = household_report(dba)
    dba.execute("call rerun_report(%s::bigint)", (report,))
    return lambda client: client.patch("/us/report", json={"id": report, "status": "running", "run_sequence": 1})


def key_of_another_report(dba: Connection) -> Callable[[FlaskClient], Any]:
    dba.execute("call rerun_report(%s::bigint, idempotency_key => 'once')", (household_report(dba),))
    other = household_report(dba)
    return lambda client: client.post(f"/us/report/{other}/rerun", headers={"Idempotency-Key": "once"})


def no_such_rerun(dba: Connection) -> Callable[[FlaskClient], Any]:
    report = household_report(dba)
    return lambda client: client.post(f"/us/report/{report}/reruns/42/undo")


def undone_rerun(dba: Connection) -> Callable[[FlaskClient], Any]:
    return undo_after(dba, "call undo_rerun(%(act)s::bigint)")


def finished_run(dba: Connection) -> Callable[[FlaskClient], Any]:
    report = household_report(dba)
    return lambda client: client.patch("/us/report", json={"id": report, "status": "running"})


def rows_that_would_be_lost(dba: Connection) -> Callable[[FlaskClient], Any]:
    set_versions(dba)
    report, _, _ = add_economy_report(dba)
    impact = add_reform_impact(dba)
    dba.execute("create table public.note (about integer references public.reform_impact on delete cascade)")
    dba.execute("insert into public.note values (%s)", (impact,))
    dba.execute("grant select on public.note to pgreprise_owner")
    return lambda client: client.post(f"/us/report/{report}/rerun")


def row_that_a_trigger_keeps(dba: Connection) -> Callable[[FlaskClient], Any]:
    report = household_report(dba)
    dba.execute("create function public.keep() returns trigger language plpgsql as 'begin return null; end'")
    dba.execute("create trigger keep before update on public.report_outputs for each row execute function keep()")
    return lambda client: client.post(f"/us/report/{report}/rerun")


def sequence_behind(dba: Connection) -> Callable[[FlaskClient], Any]:
    report = household_report(dba)
    dba.execute("call rerun_report(%s)", (report,))
    dba.execute("alter sequence pgreprise.rerun_rerun_id_seq restart")
    return lambda client: client.post(f"/us/report/{report}/rerun")


def no_such_run(dba: Connection) -> Callable[[FlaskClient], Any]:
    report = household_report(dba)
    return lambda client: client.get(f"/us/report/{report}/runs/9")


def instead_of_get_report(dba: Connection, statement: str) -> Callable[[FlaskClient], Any]:
    """For what no route of the API can provoke: the routine behind one says it."""
    dba.execute(
        "create or replace function public.get_report("
        "report_id bigint, country_id text default null, known_tags text[] default null) "
        "returns setof pgreprise.report_row language plpgsql stable security definer as $$ begin "
        f"perform {statement}; end $$"
    )
    return lambda client: client.get("/us/report/1")


def unusable_filter(dba: Connection) -> Callable[[FlaskClient], Any]:
    return instead_of_get_report(dba, "pgreprise.batch_filter('{}')")


def no_such_batch(dba: Connection) -> Callable[[FlaskClient], Any]:
    return instead_of_get_report(dba, "pgreprise.raise_not_found('batch', 3)")


def batch_of_another_size(dba: Connection) -> Callable[[FlaskClient], Any]:
    return instead_of_get_report(dba, "public.create_rerun_batch('{\"ids\": [1, 2]}', expected_reports => 3)")


def finished_batch(dba: Connection) -> Callable[[FlaskClient], Any]:
    batch = one(dba, "select create_rerun_batch('{\"ids\": [7]}') as id")["id"]
    dba.execute("select rerun_batch_chunk(%s)", (batch,))
    return instead_of_get_report(dba, f"public.cancel_rerun_batch({batch})")


def moved_since_the_preview(dba: Connection) -> Callable[[FlaskClient], Any]:
    report = household_report(dba)
    seen = one(dba, "select seen from rerun_preview(%s)", report)["seen"]
    dba.execute("call rerun_report(%s)", (report,))
    return lambda client: client.post(f"/us/report/{report}/rerun", json={"seen": seen})


def archive_without_retention(dba: Connection) -> Callable[[FlaskClient], Any]:
    return instead_of_get_report(dba, "public.archive_retention(is_required => true)")


def a_claim(dba: Connection) -> str:
    set_versions(dba)
    add_report(dba, add_simulation(dba, status="pending", output=None), status="pending", output=None)
    return str(claim(dba)["claim_id"])


def claim_that_is_over(dba: Connection) -> Callable[[FlaskClient], Any]:
    claim_id = a_claim(dba)
    dba.execute("call rerun_report(1)")
    return instead_of_get_report(dba, f"public.heartbeat_claim('{claim_id}')")


def no_such_claim(dba: Connection) -> Callable[[FlaskClient], Any]:
    return instead_of_get_report(dba, "public.release_claim('00000000-0000-4000-8000-000000000000')")


def write_without_its_claim(dba: Connection) -> Callable[[FlaskClient], Any]:
    a_claim(dba)
    dba.execute("select set_setting('require_claim', 'claim')")
    return lambda client: client.patch("/us/report", json={"id": 1, "status": "running", "run_sequence": 1})


def report_before_its_simulation(dba: Connection) -> Callable[[FlaskClient], Any]:
    return instead_of_get_report(dba, f"public.finish_report('{a_claim(dba)}', '1')")


def run_that_is_not_running(dba: Connection) -> Callable[[FlaskClient], Any]:
    report = add_report(dba, add_simulation(dba))
    return lambda client: client.post(f"/us/report/{report}/release")


def simulations_that_lie_apart(dba: Connection) -> Callable[[FlaskClient], Any]:
    first, second = (add_simulation(dba, population_id=name, population_type="household") for name in ("7", "8"))
    report = add_report(dba, first, second)
    dba.execute("select pgreprise.prepare_shard()")
    return lambda client: client.post(f"/us/report/{report}/rerun")


def logical_shard_that_moves(dba: Connection) -> Callable[[FlaskClient], Any]:
    report = household_report(dba)
    dba.execute("select pgreprise.prepare_shard()")
    dba.execute(
        "select pgreprise.begin_leaving(pgreprise.id_shard('report', %s)), "
        "pgreprise.guard_table('public.report_outputs')",
        (report,),
    )
    return lambda client: client.post(f"/us/report/{report}/rerun")


def missing_scope(dba: Connection) -> Callable[[FlaskClient], Any]:
    return instead_of_get_report(dba, "pgreprise.require_scope('reports:everything')")


# A statement, a call, or an argument by name.
SQL = re.compile(
    r"\b(?:select|call|insert|update|delete|grant|revoke|alter|create|drop)\s+[a-z_.]+[\s(]|=>|;\s*$|\w+\("
)
REFUSALS = [
    (missing_report, "RR001", "Report #42 not found."),
    (report_of_another_country, "RR001", None),
    (missing_simulation, "RR002", "Report references simulation #999, but it could not be found for country us."),
    (simulation_of_another_country, "RR002", None),
    (mismatched_population_types, "RR003", None),
    (unknown_population_type, "RR004", None),
    (no_year, "RR005", None),
    (no_economy_version, "RR006", None),
    (no_such_simulation, "RR007", "Simulation #42 not found."),
    (no_such_country, "RR008", "Country zz not found. Available countries are: uk, us, ca, ng, il"),
    (no_report_version, "RR009", None),
    (no_package_version, "RR009", None),
    (result_since_the_rerun, "RR010", None),
    (run_that_has_ended, "RR011", "Report #1 is at run 2, but this write is for run 1."),
    (key_of_another_report, "RR012", "This idempotency key was used for report #1, not for report #2."),
    (no_such_rerun, "RR013", "Rerun #42 not found."),
    (undone_rerun, "RR014", None),
    (unusable_filter, "RR015", "The filter has no condition."),
    (impossible_year, "RR016", None),
    (missing_scope, "RR017", "The token of operator does not have the scope reports:everything."),
    (no_such_batch, "RR018", "Batch #3 not found."),
    (no_such_run, "RR019", "Report #1 has no run 9."),
    (finished_run, "RR020", "Report #1 is at status complete, and a finished run is not un-finished."),
    (rows_that_would_be_lost, "RR021", None),
    (batch_of_another_size, "RR024", "The filter finds 2 reports, and not 3."),
    (finished_batch, "RR025", None),
    (
        moved_since_the_preview,
        "RR029",
        "Report #1 is not as the preview saw it: run 1 -> 2, simulation #1 run 1 -> 2. Nothing was changed.",
    ),
    (archive_without_retention, "RR026", "Nothing says how long the archive is kept. Nothing was purged."),
    (
        claim_that_is_over,
        "RR027",
        "The claim of report #1, run 1, attempt 1 is over: superseded, report #1 was rerun.",
    ),
    (no_such_claim, "RR028", "There is no claim 00000000-0000-4000-8000-000000000000."),
    (
        write_without_its_claim,
        "RR030",
        "Report #1 is computed by workers that claim it, and this write names no claim.",
    ),
    (report_before_its_simulation, "RR031", "Report #1 cannot be finished before simulation #1."),
    (run_that_is_not_running, "RR032", "Report #1 is at status complete: there is no run to release."),
    (simulations_that_lie_apart, "RR033", "Report #1 links simulations of different logical shards (56 and 22)."),
    (logical_shard_that_moves, "RR034", None),
    (
        row_that_a_trigger_keeps,
        "RR022",
        "A trigger on public.report_outputs kept a row from being written. Nothing was changed.",
    ),
    (sequence_behind, "RR023", None),
]


@pytest.mark.parametrize(("arrange", "code", "message"), REFUSALS, ids=[row[0].__name__ for row in REFUSALS])
def test_a_refusal_is_handed_on_with_code_message_and_hint_and_changes_nothing(
    client: FlaskClient,
    dba: Connection,
    arrange: Callable[[Connection], Callable[[FlaskClient], Any]],
    code: str,
    message: str | None,
) -> None:
    request = arrange(dba)
    before = snapshot(dba)
    envelope = refused(request(client), RULES[code], code)
    assert message in (None, envelope["message"])
    assert envelope["hint"]
    for told in (envelope["message"], envelope["hint"]):
        assert SQL.search(told) is None, told
    assert snapshot(dba) == before


def test_each_code_with_a_status_has_been_met() -> None:
    # Those of a router are met in tests/shards.
    assert {code for _, code, _ in REFUSALS} == RULES.keys() - {"RR035", "RR036"}


# --- conditions of PostgreSQL's own ------------------------------------------------------------


@pytest.mark.parametrize(
    ("errcode", "status"),
    [
        ("55P03", 503),
        ("57014", 503),
        ("40001", 503),
        ("40P01", 503),
        ("08006", 503),
        ("57P01", 503),
        ("57P02", 503),
        ("57P03", 503),
        ("53100", 503),
        ("53200", 503),
        ("53300", 503),
        ("25006", 503),
        ("42883", 503),
        ("42P01", 503),
        ("3F000", 503),
        ("42501", 403),
        ("22001", 400),
        ("22003", 400),
        ("22021", 400),
        ("22P02", 400),
        ("22P05", 400),
        ("54001", 400),
    ],
)
def test_a_condition_of_postgresql_has_its_status_and_a_text_of_ours(
    broken: FlaskClient, errcode: str, status: int
) -> None:
    response = broken.get(f"/{errcode}/report/1")
    assert refused(response, status, errcode)["hint"]
    assert "secret" not in response.text


@pytest.mark.parametrize("errcode", ["P0001", "23505", "22012", "XX000", "RR999"])
def test_an_unforeseen_error_is_opaque_and_the_log_has_it_under_its_id(
    broken: FlaskClient, caplog: pytest.LogCaptureFixture, errcode: str
) -> None:
    with caplog.at_level(logging.ERROR, logger="pyapi.api.errors"):
        response = broken.get(f"/{errcode}/report/1")
    envelope = refused(response, 500, "INTERNAL_SERVER_ERROR")
    assert not re.search("secret|select|Traceback|get_report", response.text)
    [incident] = re.findall(r"[0-9a-f-]{36}", envelope["message"])
    assert incident in caplog.text
    assert "secret message" in caplog.text
    assert "Traceback" in caplog.text


def test_an_error_in_the_program_is_opaque_too(new_engine: NewEngine) -> None:
    app = create_app(new_engine())

    @app.get("/broken")
    def broken() -> str:
        raise LookupError("secret")

    response = app.test_client().get("/broken")
    refused(response, 500, "INTERNAL_SERVER_ERROR")
    assert "secret" not in response.text


def test_the_log_does_not_hold_what_callers_send(
    client: FlaskClient, dba: Connection, caplog: pytest.LogCaptureFixture
) -> None:
    dba.execute(
        "create or replace function pgreprise.check_update(status text, output json, error_message text) returns void "
        "language plpgsql as $$ begin raise exception 'an unforeseen fault'; end $$"
    )
    body = {"id": 1, "error_message": "private words", "output": {"private": "words"}}
    refused(client.patch("/us/report", json=body), 500, "INTERNAL_SERVER_ERROR")
    assert "an unforeseen fault" in caplog.text
    assert "private" not in caplog.text


def test_a_row_that_somebody_else_holds_is_waited_for_briefly(
    new_client: NewClient, dba: Connection, connect: Connect
) -> None:
    report = add_report(dba, add_simulation(dba, population_type="household"))
    holder = connect(autocommit=False)
    holder.execute("select from public.report_outputs where id = %s for update", (report,))
    client = new_client("-c lock_timeout=50ms")
    refused(client.post(f"/us/report/{report}/rerun"), 503, "55P03")
    holder.rollback()
    succeeded(client.post(f"/us/report/{report}/rerun"))


def test_a_statement_that_takes_too_long_is_given_up(new_client: NewClient, dba: Connection, connect: Connect) -> None:
    report = add_report(dba, add_simulation(dba, population_type="household"))
    holder = connect(autocommit=False)
    holder.execute("select from public.report_outputs where id = %s for update", (report,))
    client = new_client("-c statement_timeout=50ms")
    refused(client.post(f"/us/report/{report}/rerun"), 503, "57014")


def test_a_server_that_is_away_is_temporarily_unavailable(port: int) -> None:
    engine = connect_engine(URL.create("postgresql+psycopg", host="127.0.0.1", port=port, database="secret"))
    response = create_app(engine).test_client().get("/us/report/1")
    refused(response, 503, "SERVICE_UNAVAILABLE")
    assert not re.search(f"127.0.0.1|{port}|secret", response.text)


END_SESSIONS = (
    "select pg_terminate_backend(pid, 5000) from pg_stat_activity "
    "where datname = current_database() and pid <> pg_backend_pid()"
)


def test_a_connection_that_was_closed_while_idle_costs_no_request(new_client: NewClient, dba: Connection) -> None:
    report = add_report(dba, add_simulation(dba, population_type="household"))
    client = new_client()
    for act in (lambda: client.get(f"/us/report/{report}"), lambda: client.post(f"/us/report/{report}/rerun")):
        succeeded(act())
        dba.execute(END_SESSIONS)
        succeeded(act())


def test_a_connection_that_is_lost_during_a_call_is_told_where_the_call_writes(
    new_client: NewClient, dba: Connection
) -> None:
    report = add_report(dba, add_simulation(dba, population_type="household"))
    client = new_client()
    # It ends the session that calls it, the first time.
    dba.execute("create sequence public.losses")
    dba.execute("create function public.lose_once() returns boolean language sql security definer as "
                "'select nextval(''public.losses'') = 1 and pg_terminate_backend(pg_backend_pid())'")  # fmt: skip
    lose = "perform public.lose_once();"
    dba.execute(f"create function public.lose() returns trigger language plpgsql as $$ begin {lose} "
                "return new; end $$")  # fmt: skip
    dba.execute("create trigger lose before update on public.report_outputs for each row execute function lose()")
    response = client.post(f"/us/report/{report}/rerun")
    assert response.status_code == 503
    assert "Retry-After" in response.headers
    succeeded(client.post(f"/us/report/{report}/rerun"))

    definition = dba.execute("select pg_get_functiondef('public.get_report'::regproc) as text").fetchone()
    assert definition is not None
    dba.execute("alter sequence public.losses restart")
    dba.execute(definition["text"].replace("begin\n", f"begin\n{lose}\n", 1).replace(" STABLE", ""))
    succeeded(client.get(f"/us/report/{report}"))
    assert dba.execute("select last_value as calls from public.losses").fetchone() == {"calls": 2}


def test_a_pool_without_a_free_connection_is_temporarily_unavailable(database: URL) -> None:
    engine = create_engine(database, pool_size=1, max_overflow=0, pool_timeout=0.05)
    client = create_app(engine).test_client()
    with engine.connect():
        refused(client.get("/us/report/1"), 503, "SERVICE_UNAVAILABLE")
    engine.dispose()


def test_a_routine_that_the_api_may_not_call_is_forbidden(client: FlaskClient, dba: Connection) -> None:
    dba.execute("revoke execute on function public.get_report from pgreprise_api")
    assert "pgreprise_api" in refused(client.get("/us/report/1"), 403, "42501")["hint"]


def test_a_database_that_is_not_migrated_says_so(client: FlaskClient, dba: Connection) -> None:
    dba.execute("drop function public.get_report cascade")
    assert "pgreprise migrate" in refused(client.get("/us/report/1"), 503, "42883")["hint"]


def test_a_character_outside_the_encoding_of_the_connection_is_refused(database: URL) -> None:
    engine = connect_engine(as_api(database).update_query_dict({"client_encoding": "latin1"}))
    refused(create_app(engine).test_client().get("/€/report/1"), 400, "BAD_REQUEST")
    engine.dispose()
