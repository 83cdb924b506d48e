"""Everything behind PgBouncer in transaction mode, with its default settings and one server connection for all."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator

import pytest
from sqlalchemy import URL, Engine
from sqlalchemy.exc import DBAPIError

from pyapi import pool
from pyapi.api.app import create_app
from pyapi.database import call, connect_engine, sqlstate
from pyapi.settings import database_url
from tests.support.command import Done, run
from tests.support.databases import Connection, connect, plain, rows
from tests.support.factories import add_economy_report, add_reform_impact, add_report, add_simulation, set_versions
from tests.support.replies import refused, succeeded
from tests.support.tokens import SECRET, authentication, claims, signed

pytestmark = [pytest.mark.needs("pgbouncer"), pytest.mark.needs("time")]

# More often than it takes for a driver to prepare a statement.
ROUNDS = 12


@pytest.fixture
def engine(pooled: URL) -> Iterator[Engine]:
    made = connect_engine(pooled, pool_size=4)
    yield made
    made.dispose()


def authorization(subject: str, scope: str = "reports:read reports:write reports:rerun") -> dict[str, str]:
    return {"Authorization": f"Bearer {signed(claims(sub=subject, scope=scope))}"}


def test_clients_work_side_by_side_and_each_act_is_its_callers(engine: Engine, dba: Connection) -> None:
    app = create_app(engine, authentication(jwt_secret=SECRET))
    names = ["alice", "bob", "carol"]
    reports = {name: add_report(dba, add_simulation(dba, population_type="household")) for name in names}
    failures: list[str] = []

    def work(name: str) -> None:
        client, headers, report = app.test_client(), authorization(name), reports[name]
        for _ in range(ROUNDS):
            for response in (
                client.get(f"/us/report/{report}", headers=headers),
                client.post(f"/us/report/{report}/rerun", headers=headers),
                client.get(f"/us/report/{report}/runs", headers=headers),
                client.patch("/us/report", json={"id": report, "status": "running"}, headers=headers),
            ):
                if response.status_code != 200:
                    failures.append(response.text)

    workers = [threading.Thread(target=work, args=(name,)) for name in names]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert failures == []
    for name in names:
        found = dba.execute("select distinct actor from pgreprise.rerun where report_id = %s", (reports[name],))
        assert [row["actor"] for row in found] == [name]


def test_the_claims_of_a_token_reach_no_other_client_of_the_server_connection(engine: Engine, dba: Connection) -> None:
    app = create_app(engine, authentication(jwt_secret=SECRET))
    client = app.test_client()
    report = add_report(dba, add_simulation(dba, population_type="household"))
    for _ in range(ROUNDS):
        succeeded(client.post(f"/us/report/{report}/rerun", headers=authorization("alice")))
        refused(client.post(f"/us/report/{report}/rerun", headers=authorization("bob", "reports:read")), 403, "RR017")
        with engine.connect() as connection:
            left = pool.driver_of(connection).execute("select current_setting('request.jwt.claims', true)").fetchone()
        assert left == ("",)
    processes = {call(engine, "pg_catalog.pg_backend_pid")[0]["pg_backend_pid"] for _ in range(ROUNDS)}
    assert len(processes) == 1


def test_two_tokens_take_turns_on_the_server_connection(engine: Engine, dba: Connection) -> None:
    dba.execute(
        "create function public.seen(number bigint default 0) returns text language plpgsql security definer as "
        "$$ begin perform pg_sleep(0.001); return pgreprise.claims() ->> 'sub'; end $$"
    )
    wrong: list[tuple[str, str]] = []

    def ask(name: str) -> None:
        given = json.dumps({"sub": name})
        for number in range(ROUNDS * 4):
            arguments = {"number": number} if number % 2 else {}
            [row] = call(engine, "public.seen", columns="seen", claims=given, **arguments)
            if row["seen"] != name:
                wrong.append((name, row["seen"]))

    callers = [threading.Thread(target=ask, args=(name,)) for name in ("alice", "bob")]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join()
    assert wrong == []


def test_a_call_that_takes_too_long_is_cancelled_behind_the_pooler(pooled: URL, dba: Connection) -> None:
    report = add_report(dba, add_simulation(dba, population_type="household"))
    dba.execute("create function public.sleep() returns trigger language plpgsql as "
                "$$ begin perform pg_sleep(600); return new; end $$")  # fmt: skip
    dba.execute("create trigger sleep before update on public.report_outputs for each row execute function sleep()")
    impatient = connect_engine(pooled, pool_size=1, call_timeout_seconds=0.5)
    client = create_app(impatient).test_client()
    response = client.post(f"/us/report/{report}/rerun")
    refused(response, 503, "57014")
    assert "Retry-After" in response.headers
    # The one server connection is free again.
    succeeded(client.get(f"/us/report/{report}"))
    impatient.dispose()


def test_nothing_is_prepared_or_set_in_the_server_connection(engine: Engine, pooled: URL) -> None:
    for _ in range(ROUNDS):
        call(engine, "pgreprise.status")
    with connect(pooled) as other:
        assert other.execute("select name from pg_prepared_statements").fetchall() == []
        assert (
            other.execute(
                "select name from pg_settings where source = 'session' and name <> 'application_name'"
            ).fetchall()
            == []
        )


def test_a_pooler_that_keeps_the_servers_numbers_is_found_out_by_its_errors(pooled: URL) -> None:
    # Nobody finds out, as with poolers that pass the server's process number on.
    engines = [connect_engine(pooled, pool_size=1, is_pooled=False) for _ in range(2)]
    for _ in range(ROUNDS):
        for engine in engines:
            assert call(engine, "pgreprise.status")
    thresholds = []
    for engine in engines:
        with engine.connect() as connection:
            thresholds.append(pool.driver_of(connection).prepare_threshold)
        engine.dispose()
    # The second one met the statement that the first one had prepared.
    assert None in thresholds


@pytest.mark.parametrize("mode", ["transaction", "session"])
def test_the_setting_says_what_no_connection_can_find_out(database: URL, mode: str) -> None:
    engine = connect_engine(database, pool_size=1, is_pooled=mode == "transaction")
    for _ in range(ROUNDS):
        call(engine, "pgreprise.status")
    with engine.connect() as connection:
        [count] = pool.driver_of(connection).execute("select count(*) from pg_prepared_statements").fetchall()
    assert count[0] == (mode == "session")
    engine.dispose()


# --- the command ------------------------------------------------------------------------------


@pytest.fixture
def owner(pooled: URL, database: URL) -> str:
    """The database through the pooler, as the role that administers it."""
    return plain(pooled.set(username=database.username))


def done(*arguments: str, url: str) -> Done:
    result = run(*arguments, DATABASE_URL=url)
    assert result.returncode == 0, result.stderr
    return result


def test_the_command_works_behind_the_pooler(owner: str, dba: Connection) -> None:
    set_versions(dba)
    reports = [add_economy_report(dba)[0] for _ in range(3)]
    add_reform_impact(dba)
    found = json.loads(done("status", "--json", url=owner).stdout)
    assert (found["is_read_only"], found["is_behind_pooler"], found["missing"]) == (False, True, [])
    assert found["domains"] == ["carbon", "reports"]
    done("rerun", "us", str(reports[0]), url=owner)
    done("runs", "us", str(reports[0]), url=owner)
    assert done("doctor", url=owner).returncode == 0
    batch = json.loads(done("rerun-batch", "--country", "us", "--json", url=owner).stdout)
    assert batch["rerun"] == len(reports)
    assert {row["status"] for row in rows(database_url(owner), "select status from report_outputs")} == {"pending"}


def test_a_migration_behind_the_pooler_is_refused_and_changes_nothing(owner: str, empty_database: URL) -> None:
    through = plain(database_url(owner).set(database=empty_database.database))
    for arguments in (["migrate"], ["migrate", "--downgrade", "reports@base"]):
        refusal = run(*arguments, DATABASE_URL=through)
        assert refusal.returncode != 0
        assert "PGREPRISE_MIGRATION_URL" in refusal.stderr
        assert "Traceback" not in refusal.stderr
        assert run("status", DATABASE_URL=through).returncode == 1
        assert rows(empty_database, "select from pg_namespace where nspname = 'pgreprise'") == []
    assert run("migrate", DATABASE_URL=through, PGREPRISE_MIGRATION_URL=plain(empty_database)).returncode == 0
    assert rows(empty_database, "select from pg_locks where locktype = 'advisory'") == []


def test_a_refusal_of_a_routine_is_the_same_behind_the_pooler(engine: Engine) -> None:
    with pytest.raises(DBAPIError) as caught:
        call(engine, "public.get_report", report_id=2**62)
    assert sqlstate(caught.value) == "RR001"
