"""What is done over several servers, and what a server that is away means for the others."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psycopg
import pytest

from pyapi.database import call, connect_engine
from tests.support.api import api_over, as_api
from tests.support.databases import Connection, connect, rows
from tests.support.fleets import Shards, away
from tests.support.refusals import refused_with
from tests.support.replies import refused, succeeded
from tests.support.statements import one, rerun

pytestmark = pytest.mark.needs("plproxy", "time")

ALL = '{"country": "us"}'


def code_of(on: Connection, statement: str, *values: Any) -> str | None:
    """The SQLSTATE with which a statement is refused."""
    with pytest.raises(psycopg.Error) as caught:
        on.execute(statement.encode(), values or None)
    return caught.value.diag.sqlstate


def states(shards: Shards, reports: dict[str, list[int]]) -> dict[str, set[str]]:
    """The states of the reports on each server."""
    found = {}
    for name, ids in reports.items():
        with connect(shards.url(name)) as on:
            found[name] = {
                row["status"]
                for row in on.execute("select status from report_outputs where id = any (%s)", (ids,)).fetchall()
            }
    return found


# --- batches ---------------------------------------------------------------------------------


def test_a_batch_runs_over_all_servers_under_one_number_and_is_undone(shards: Shards, psql: Connection) -> None:
    reports = shards.reports(5)
    effects = one(psql, "select * from rerun_batch_effects(%s)", ALL)
    assert (effects["reports"], effects["simulations"]) == (10, 10)
    batch = one(psql, "select create_rerun_batch(%s, reason => 'why', seen => %s) as id", ALL, effects["seen"])["id"]

    result = one(psql, "call run_rerun_batch(%s, chunk_size => 2)", batch)["result"]

    assert (result["reports"], result["rerun"], result["remaining"]) == (10, 10, 0)
    assert states(shards, reports) == {"a": {"pending"}, "b": {"pending"}}
    told = one(psql, "select * from rerun_batches(%s)", batch)
    assert (told["state"], told["reports"], told["rerun"], told["reason"]) == ("finished", 10, 10, "why")
    acts = psql.execute("select distinct batch_id from rerun_history()").fetchall()
    assert acts == [{"batch_id": batch}]
    undone = one(psql, "call undo_rerun_batch(%s)", batch)["result"]
    assert undone["undone"] == 10
    assert one(psql, "select state from rerun_batches(%s)", batch) == {"state": "undone"}


def test_a_batch_is_refused_where_a_preview_saw_other_reports(shards: Shards, psql: Connection) -> None:
    reports = shards.reports(2)
    seen = one(psql, "select seen from rerun_batch_effects(%s)", ALL)["seen"]
    rerun(psql, reports["b"][0])
    assert code_of(psql, "select create_rerun_batch(%s, seen => %s)", ALL, seen) == "RR029"
    assert code_of(psql, "select create_rerun_batch(%s, expected_reports => 3)", ALL) == "RR024"
    assert psql.execute("select * from rerun_batches(is_open => true)").fetchall() == []
    assert one(psql, "select create_rerun_batch(%s, expected_reports => 4) as id", ALL)["id"] > 0


def test_a_batch_goes_on_without_a_server_that_is_killed_and_finishes_when_it_is_back(
    shards: Shards, psql: Connection
) -> None:
    reports = shards.reports(6)
    batch = one(psql, "select create_rerun_batch(%s) as id", ALL)["id"]
    first = one(psql, "select rerun_batch_chunk(%s, 2) as chunk", batch)["chunk"]
    assert first["rerun"] == 2
    # Of the server that has its turn last, nothing is done yet.
    with away(shards, "b"):
        after, done, passed_over = first["after"], first["rerun"], set()
        while after is not None:
            chunk = one(psql, "select rerun_batch_chunk(%s, 2, %s) as chunk", batch, after)["chunk"]
            after, done = chunk["after"], done + chunk["rerun"]
            passed_over |= set(chunk["away"])
        assert (done, passed_over) == (6, {"b"})
        assert code_of(psql, "select * from rerun_batches(%s)", batch) == "RR035"
    assert states(shards, reports) == {"a": {"pending"}, "b": {"complete"}}
    assert one(psql, "select remaining, state from rerun_batches(%s)", batch) == {"remaining": 6, "state": "open"}
    result = one(psql, "call run_rerun_batch(%s)", batch)["result"]
    assert (result["rerun"], result["remaining"]) == (6, 0)
    assert states(shards, reports) == {"a": {"pending"}, "b": {"pending"}}


def test_no_batch_is_created_while_a_server_is_away(shards: Shards, psql: Connection) -> None:
    shards.reports(1)
    with away(shards, "a"):
        assert code_of(psql, "select create_rerun_batch(%s)", ALL) == "RR035"
    assert psql.execute("select * from rerun_batches()").fetchall() == []


def test_a_batch_that_is_cancelled_ends_on_all_servers(shards: Shards, psql: Connection) -> None:
    shards.reports(2)
    batch = one(psql, "select create_rerun_batch(%s) as id", ALL)["id"]
    assert one(psql, "select cancel_rerun_batch(%s) as left", batch) == {"left": 4}
    assert code_of(psql, "select rerun_batch_chunk(%s)", batch) == "RR025"


# --- a server is away ------------------------------------------------------------------------


def test_reports_of_a_server_that_is_away_are_503_and_the_others_are_read(shards: Shards) -> None:
    reports = shards.reports(1)
    with api_over(shards.router) as api, away(shards, "b"):
        client = api.test_client()
        for method, path in (("get", ""), ("post", "/rerun")):
            told = refused(getattr(client, method)(f"/us/report/{reports['b'][0]}{path}"), 503, "RR035")
            assert "127.0.0.1" not in told["message"] + told.get("hint", "")
        assert succeeded(client.get(f"/us/report/{reports['a'][0]}"))["status"] == "complete"
        succeeded(client.post(f"/us/report/{reports['a'][0]}/rerun"))
        refused(client.get("/reports"), 503, "RR035")
        assert client.get("/readiness-check").status_code == 503
    with api_over(shards.router) as api:
        assert succeeded(api.test_client().get(f"/us/report/{reports['b'][0]}"))["status"] == "complete"


def test_a_router_that_was_connected_to_a_killed_server_finds_it_again(shards: Shards, psql: Connection) -> None:
    reports = shards.reports(1)
    assert one(psql, "select id from get_report(%s)", reports["b"][0]) == {"id": reports["b"][0]}
    with away(shards, "b"):
        assert code_of(psql, "call rerun_report(%s)", reports["b"][0]) == "RR035"
        assert rerun(psql, reports["a"][0])["run_sequence"] == 2
    assert rerun(psql, reports["b"][0])["run_sequence"] == 2


@pytest.mark.parametrize("is_killed", [False, True], ids=["its connection is ended", "it is killed"])
def test_a_server_that_is_lost_during_a_call_is_away(shards: Shards, psql: Connection, *, is_killed: bool) -> None:
    report = shards.add_report(shards.populations("b", 1)[0])
    server = shards.fleet.servers["b"]
    mine = "select pid from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'"
    holder = connect(shards.url("b"), autocommit=False)
    holder.execute("select from report_outputs where id = %s for update", (report,))
    with ThreadPoolExecutor(1) as pool:
        waits = pool.submit(code_of, psql, "call rerun_report(%s)", report)
        while not (found := rows(shards.url("b"), mine)):
            assert not waits.done()
        if is_killed:
            server.stop()
            server.start()
        else:
            rows(shards.url("b"), "select pg_terminate_backend(%s)", found[0]["pid"])
        assert waits.result() == "RR035"
    holder.close()
    assert rerun(psql, report)["run_sequence"] == 2


def test_versions_are_set_on_all_servers_or_none(shards: Shards, psql: Connection) -> None:
    psql.execute("select set_cache_versions('us', package => 'new')")
    versions = "select package_version from pgreprise.country where country_id = 'us'"
    assert [shards.row(versions, name=name)["package_version"] for name in "ab"] == ["new", "new"]
    with away(shards, "b"):
        assert code_of(psql, "select set_cache_versions('us', package => 'later')") == "RR035"
    assert code_of(psql, "select set_cache_versions('atlantis', package => 'later')") == "RR008"
    assert [shards.row(versions, name=name)["package_version"] for name in "ab"] == ["new", "new"]


def test_a_server_that_fails_between_trial_and_change_is_named_with_those_that_are_done(
    shards: Shards, psql: Connection
) -> None:
    with connect(shards.url("b")) as server:
        # It lets the trial pass, which is the first update.
        server.execute("create sequence tries; grant usage on sequence tries to public")
        server.execute(
            "create function fail_later() returns trigger language plpgsql as $$ begin "
            "if nextval('public.tries') > 1 then raise exception 'The disk is full.'; end if; return new; end $$; "
            "create trigger fail_later before update on pgreprise.country for each row execute function fail_later()"
        )
    with pytest.raises(psycopg.Error) as caught:
        psql.execute("select set_cache_versions('us', package => 'new')")
    said = caught.value.diag
    assert said.sqlstate == "RR035"
    assert said.message_primary == ("The versions of us: b has not got it (The disk is full.). These have: a.")
    with connect(shards.url("b")) as server:
        server.execute("drop trigger fail_later on pgreprise.country")
    psql.execute("select set_cache_versions('us', package => 'new')")
    versions = "select package_version from pgreprise.country where country_id = 'us'"
    assert [shards.row(versions, name=name)["package_version"] for name in "ab"] == ["new", "new"]


# --- over all --------------------------------------------------------------------------------


def test_workers_find_the_reports_of_every_server_and_claims_go_back_to_theirs(
    shards: Shards, psql: Connection
) -> None:
    reports = shards.reports(3)
    expected = {number for ids in reports.values() for number in ids}
    for number in expected:
        rerun(psql, number)
    claims = {}
    while found := psql.execute("select * from claim_report('worker')").fetchall():
        claims[found[0]["report_id"]] = (found[0]["claim_id"], found[0]["simulations"])
    assert claims.keys() == expected
    for claim, simulations in claims.values():
        assert one(psql, "select lease_seconds_left > 0 as has from heartbeat_claim(%s)", claim) == {"has": True}
        psql.execute("select finish_simulation(%s, %s, '{}')", (claim, simulations[0]["simulation_id"]))
        psql.execute("select finish_report(%s, '{}')", (claim,))
    assert states(shards, reports) == {"a": {"complete"}, "b": {"complete"}}


def test_each_server_has_a_feed_and_readers_say_which(shards: Shards, psql: Connection) -> None:
    reports = shards.reports(2)
    for ids in reports.values():
        for number in ids:
            rerun(psql, number)
    assert code_of(psql, "select * from rerun_feed()") == "RR036"
    assert code_of(psql, "select * from rerun_feed(shard => 'z')") == "RR036"
    for name, ids in reports.items():
        rows = psql.execute("select report_id, feed_position from rerun_feed(shard => %s)", (name,)).fetchall()
        assert {row["report_id"] for row in rows} == set(ids)
        kept = one(psql, "select keep_feed_position('reader', 1, shard => %s) as kept", name)
        assert kept == {"kept": 1}
        told = one(psql, "select feed_position, waiting_since is not null as waits from feed_position('reader', %s)",
                   name)  # fmt: skip
        assert told == {"feed_position": 1, "waits": True}


def test_figures_are_those_of_all_servers(shards: Shards, psql: Connection) -> None:
    reports = shards.reports(2)
    for ids in reports.values():
        rerun(psql, ids[0])
    counts = "select reports from report_counts('us') where status = 'pending'"
    assert one(psql, counts) == {"reports": 2}
    acts = "select value from rerun_metrics() where metric = 'pgreprise_acts_total' and labels ->> 'kind' = 'rerun'"
    assert one(psql, acts) == {"value": 2}
    assert one(psql, "select archived_reruns from archive_size()") == {"archived_reruns": 2}
    page = psql.execute("select id from find_reports(max_rows => 3)").fetchall()
    rest = psql.execute("select id from find_reports(after_report_id => %s)", (page[-1]["id"],)).fetchall()
    assert [row["id"] for row in page + rest] == sorted(number for ids in reports.values() for number in ids)


def test_a_purge_goes_over_all_servers(shards: Shards, psql: Connection) -> None:
    for ids in shards.reports(2).values():
        rerun(psql, ids[0])
    result = one(psql, "call purge_runs(interval '0', keep_last => 0, chunk_size => 1)")["result"]
    assert result["reruns"] == 2


def lose_workers(shards: Shards, psql: Connection, each: int) -> dict[str, list[int]]:
    """So many reports on each server whose workers were lost two hours ago."""
    reports = shards.reports(each)
    for ids in reports.values():
        for number in ids:
            rerun(psql, number)
            one(psql, "select claim_id from claim_report('worker', report_id => %s)", number)
    shards.everywhere(
        "update pgreprise.claim set claimed_at = now() - interval '2 hours', lease_until = now() - interval '1 hour'"
    )
    return reports


def test_stuck_runs_are_released_up_to_so_many_over_all_servers(shards: Shards, psql: Connection) -> None:
    reports = lose_workers(shards, psql, 2)
    release = "select report_id from release_stuck_runs(interval '1 hour', %s)"
    first = [row["report_id"] for row in psql.execute(release, (3,)).fetchall()]
    assert len(first) == 3
    rest = [row["report_id"] for row in psql.execute(release, (3,)).fetchall()]
    assert sorted(first + rest) == sorted(reports["a"] + reports["b"])
    with connect(shards.url("a")) as server:
        assert code_of(psql, release, 0) == code_of(server, release, 0) == "RR016"


def test_stuck_runs_that_are_released_are_told_also_while_a_server_is_away(shards: Shards, psql: Connection) -> None:
    reports = lose_workers(shards, psql, 1)
    notices: list[tuple[str | None, str | None]] = []
    psql.add_notice_handler(lambda said: notices.append((said.sqlstate, said.message_primary)))
    release = "select report_id from release_stuck_runs(interval '1 hour')"
    for gone, there in (("a", "b"), ("b", "a")):
        notices.clear()
        with away(shards, gone):
            released = psql.execute(release.encode()).fetchall()
        assert released == [{"report_id": number} for number in reports[there]]
        told = [message for code, message in notices if code == "RR035"]
        assert told == [f"Server {gone} cannot be reached. Its runs are as they were."]
    assert psql.execute(release.encode()).fetchall() == []
    with away(shards, "a"), away(shards, "b"):
        assert code_of(psql, release) == "RR035"


# --- many callers ----------------------------------------------------------------------------


def test_a_call_that_takes_too_long_is_cancelled_on_the_server_too(shards: Shards) -> None:
    report = shards.add_report("ca")
    name = shards.home_of("ca")
    engine = connect_engine(as_api(shards.router, "-c lock_timeout=60s"), call_timeout_seconds=1)
    with connect(shards.url(name), autocommit=False) as holder:
        holder.execute("select from report_outputs where id = %s for update", (report,))
        with refused_with("57014"):
            call(engine, "public.update_report", report_id=report, error_message="late")
        waiting = (
            "select count(*) from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'"
        )
        assert shards.row(waiting, name=name) == {"count": 0}
        holder.rollback()
    engine.dispose()
    assert shards.row("select status from report_outputs where id = %s", report, name=name) == {"status": "complete"}


def test_many_callers_at_once_lose_nothing_and_have_a_connection_each_to_a_server(shards: Shards) -> None:
    reports = shards.reports(4)
    numbers = [number for ids in reports.values() for number in ids]
    failures: list[BaseException] = []

    def work() -> None:
        try:
            with connect(shards.router) as own:
                for number in numbers:
                    rerun(own, number)
                barrier.wait()
                barrier.wait()
        except BaseException as error:
            failures.append(error)
            barrier.abort()

    barrier = threading.Barrier(7)
    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    barrier.wait()
    counted = "select count(*) from pg_stat_activity where usename = 'pgreprise_router_login' and datname = %s"
    connections = [shards.row(counted, shards.database, name=name)["count"] for name in "ab"]
    barrier.wait()
    for thread in threads:
        thread.join()
    assert failures == []
    assert connections == [6, 6]
    assert shards.row("select count(*) from rerun_history(max_rows => 1000)") == {"count": 48}
    for name, ids in reports.items():
        with connect(shards.url(name)) as on:
            runs = on.execute("select run_sequence from report_outputs where id = any (%s)", (ids,)).fetchall()
        assert {row["run_sequence"] for row in runs} == {7}
