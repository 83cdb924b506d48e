"""What a connection does at random: everything there is."""

from __future__ import annotations

import http.client
import json
import random
import time
from collections import Counter
from collections.abc import Callable

import psycopg

from benchmarks.server import Connection
from benchmarks.stress.invariants import Violation

__all__ = ["CARBON_ACTIONS", "HTTP_ACTIONS", "SQL_ACTIONS", "Action", "act", "http_act", "work_off"]

Action = Callable[[Connection, random.Random], None]

# What the routines refuse, and what PostgreSQL says where things happen at once. A deadlock is not among them.
_ONCE_MORE = {"40001"}
_ALLOWED = {"55P03", "57014"}
_REPORTS = 100
_SIMULATIONS = 20
_BYTES = (50, 2_000, 9_000)


def _report(chance: random.Random) -> int:
    return chance.randint(1, _REPORTS)


def _rerun(connection: Connection, chance: random.Random) -> None:
    connection.execute("call public.rerun_report(%s::bigint, 'us')", (_report(chance),))


def _rerun_with_key(connection: Connection, chance: random.Random) -> None:
    report = _report(chance)
    # A retry of one of the last, now and then of another report.
    key = f"key {report + (chance.random() < 0.02)} {chance.randint(1, 300)}"
    connection.execute("call public.rerun_report(%s::bigint, 'us', idempotency_key => %s)", (report, key))


def _rerun_and_look(connection: Connection, chance: random.Random) -> None:
    """What stood under the key before is gone: in the snapshot of the rerun nothing is left of it."""
    report = _report(chance)
    with connection.transaction():
        connection.execute("set transaction isolation level repeatable read")
        connection.execute("call public.rerun_report(%s::bigint, 'us')", (report,))
        row = connection.execute("select stress.cache_rows(%s::bigint)", (report,)).fetchone()
        if row != (0,):
            raise Violation(f"cache rows of just rerun report {report} are left: {row}")


def _preview(connection: Connection, chance: random.Random) -> None:
    connection.execute("select * from public.rerun_preview(%s::bigint)", (_report(chance),)).fetchall()


def _look(connection: Connection, chance: random.Random) -> None:
    report = _report(chance)
    connection.execute("select * from public.get_report(%s::bigint, 'us')", (report,))
    connection.execute("select * from public.report_history(%s::bigint)", (report,))


def _earlier_output(connection: Connection, chance: random.Random) -> None:
    connection.execute("select * from public.report_run_output(%s::bigint, %s)", (_report(chance), 1))


def _hand_in(connection: Connection, chance: random.Random) -> None:
    kind, row = chance.choice([("report", _report(chance)), ("simulation", chance.randint(1, _SIMULATIONS))])
    fenced = chance.random() < 0.6
    connection.execute(
        "select stress.hand_in(%s, %s::bigint, %s, %s)", (kind, row, fenced, chance.choice(_BYTES))
    ).fetchone()


def _cache(connection: Connection, chance: random.Random) -> None:
    connection.execute("select stress.cache(%s::bigint, %s)", (chance.randint(1, 60), chance.choice(_BYTES)))


def _create_report(connection: Connection, chance: random.Random) -> None:
    connection.execute(
        "select * from public.get_or_create_report('us', %s::bigint, %s::bigint, year => %s)",
        (chance.randint(1, 4), chance.randint(5, 12), str(chance.randint(2030, 2040))),
    )


def _create_simulation(connection: Connection, chance: random.Random) -> None:
    connection.execute(
        "select * from public.get_or_create_simulation('us', 'state/1', 'geography', %s)", (chance.randint(100, 140),)
    )


def _reset(connection: Connection, chance: random.Random) -> None:
    if chance.random() < 0.5:
        connection.execute("select public.reset_report(%s::bigint)", (_report(chance),))
    else:
        connection.execute("select public.reset_simulation(%s::bigint)", (chance.randint(1, _SIMULATIONS),))


def _undo(connection: Connection, chance: random.Random) -> None:
    force = chance.random() < 0.3
    row = connection.execute(
        "select rerun_id from public.report_history(%s::bigint) where rerun_id is not null limit %s",
        (_report(chance), chance.randint(1, 2)),
    ).fetchall()
    if row:
        connection.execute("call public.undo_rerun(%s::bigint, force => %s)", (row[-1][0], force))


def _many(connection: Connection, chance: random.Random) -> None:
    ids = chance.sample(range(1, _REPORTS + 1), chance.randint(1, 30))
    connection.execute("call public.rerun_reports(%s::bigint[])", (ids,))


def _batch(connection: Connection, chance: random.Random) -> None:
    ids = chance.sample(range(1, _REPORTS + 5), chance.randint(1, 40))
    row = connection.execute("select public.create_rerun_batch(%s::jsonb)", (json.dumps({"ids": ids}),)).fetchone()
    assert row is not None
    connection.execute("call public.run_rerun_batch(%s::bigint, %s)", (row[0], chance.choice((1, 7, 100))))


def _go_on_with_a_batch(connection: Connection, chance: random.Random) -> None:
    row = connection.execute(
        "select id from public.rerun_batches() where remaining > 0 order by random() limit 1"
    ).fetchone()
    if row is not None:
        connection.execute("call public.run_rerun_batch(%s::bigint, %s)", (row[0], chance.choice((3, 50))))


def _undo_batch(connection: Connection, _: random.Random) -> None:
    row = connection.execute("select max(id) from public.rerun_batches()").fetchone()
    if row is not None and row[0] is not None:
        connection.execute("call public.undo_rerun_batch(%s::bigint)", (row[0],))


def _purge(connection: Connection, chance: random.Random) -> None:
    connection.execute("call public.purge_runs('1 second', %s)", (chance.randint(1, 3),))


def _feed(connection: Connection, chance: random.Random) -> None:
    connection.execute("select * from public.rerun_feed(%s::bigint)", (chance.randint(0, 2_000),)).fetchall()


def _claimed(connection: Connection, chance: random.Random, lease: str, most: int) -> list[tuple[str, list[int]]]:
    """Claims, each with the simulations that it has to compute."""
    rows = connection.execute(
        "select claim_id::text, array_to_string(array(select item ->> 'simulation_id' "
        "from jsonb_array_elements(simulations) as item where (item -> 'computes')::boolean), ' ') "
        "from public.claim_report(%s, %s::interval, max_reports => %s)",
        (f"worker {chance.randint(1, 99)}", lease, chance.randint(1, most)),
    ).fetchall()
    return [(str(claim_id), [int(simulation) for simulation in str(computed).split()]) for claim_id, computed in rows]


def _finish(connection: Connection, chance: random.Random, claim_id: str, computed: list[int]) -> None:
    for simulation in computed:
        if chance.random() < 0.3:
            connection.execute(
                "select * from public.heartbeat_claim(%s, progress => %s::real)", (claim_id, chance.random())
            )
        connection.execute("select stress.finish(%s, %s::bigint, %s)", (claim_id, simulation, chance.choice(_BYTES)))
    connection.execute("select stress.finish(%s, null, %s)", (claim_id, chance.choice(_BYTES)))


def _work(connection: Connection, chance: random.Random) -> None:
    """A worker claims, and finishes, fails or gives back; now and then it is never heard of again."""
    for claim_id, computed in _claimed(connection, chance, "2 s", 3):
        match chance.choice(["finish"] * 7 + ["fail", "try later", "simulation", "release", "die"]):
            case "finish":
                _finish(connection, chance, claim_id, computed)
            case "fail":
                connection.execute("select * from public.fail_report(%s, 'no data')", (claim_id,))
            case "try later":
                connection.execute("select * from public.fail_report(%s, 'no data', '0.3 s')", (claim_id,))
            case "simulation":
                for simulation in computed[:1]:
                    connection.execute(
                        "select * from public.fail_simulation(%s, %s::bigint, 'no data')", (claim_id, simulation)
                    )
            case "release":
                connection.execute("select public.release_claim(%s)", (claim_id,))


def work_off(connection: Connection, chance: random.Random) -> int:
    """Claim what can be claimed, and finish it; returns how many reports that were."""
    claims = _claimed(connection, chance, "1 day", 100)
    for claim_id, computed in claims:
        _finish(connection, chance, claim_id, computed)
    return len(claims)


def _oversleep(connection: Connection, chance: random.Random) -> None:
    """A worker is silent for longer than its lease, and then hands in what it has."""
    claims = _claimed(connection, chance, "1 s", 1)
    time.sleep(1.1)
    for claim_id, computed in claims:
        _finish(connection, chance, claim_id, computed)


def _begin(connection: Connection, chance: random.Random) -> None:
    """A worker that does not claim says that it computes, and is never heard of again."""
    connection.execute("select * from public.update_report(%s::bigint, 'us', status => 'running')", (_report(chance),))


def _cancel(connection: Connection, chance: random.Random) -> None:
    connection.execute("select public.cancel_run(%s::bigint, 'enough')", (_report(chance),))


def _release_stuck(connection: Connection, chance: random.Random) -> None:
    connection.execute(
        "select * from public.release_stuck_runs('2 s', %s, dry_run => %s)",
        (chance.randint(1, 50), chance.random() < 0.2),
    ).fetchall()


def _explore(connection: Connection, chance: random.Random) -> None:
    unit, year = chance.randint(1, 3), chance.randint(2023, 2025)
    connection.execute("select * from public.create_explore_report(%s::bigint, %s::bigint)", (unit, year))


def _explore_get(connection: Connection, chance: random.Random) -> None:
    row = connection.execute(
        "select (stored).id, is_stale from public.get_explore_report(%s::bigint, %s::bigint)",
        (chance.randint(1, 3), chance.randint(2023, 2025)),
    ).fetchone()
    assert row is None or row[0] is not None


def _explore_refresh(connection: Connection, chance: random.Random) -> None:
    unit, year = chance.randint(1, 3), chance.randint(2023, 2025)
    row = connection.execute(
        "select (stored).id from public.get_explore_report(%s::bigint, %s::bigint, now() + interval '2 days')",
        (unit, year),
    ).fetchone()
    if row is not None and row[0] is not None:
        connection.execute(
            "select * from public.refresh_explore_report(%s::bigint, %s::bigint, %s::bigint, "
            "now() + interval '2 days')",
            (unit, row[0], year),
        )


# How often each is done.
SQL_ACTIONS: dict[str, tuple[int, Action]] = {
    "rerun": (20, _rerun),
    "rerun with a key": (8, _rerun_with_key),
    "rerun, then look for old cache rows": (6, _rerun_and_look),
    "preview": (5, _preview),
    "get, history": (5, _look),
    "earlier output": (2, _earlier_output),
    "hand in a result": (25, _hand_in),
    "write a cache row": (12, _cache),
    "get or create a report": (4, _create_report),
    "get or create a simulation": (4, _create_simulation),
    "reset": (3, _reset),
    "undo": (8, _undo),
    "rerun many": (3, _many),
    "batch": (3, _batch),
    "go on with a batch": (1, _go_on_with_a_batch),
    "undo a batch": (1, _undo_batch),
    "purge": (1, _purge),
    "read the feed": (3, _feed),
    "claim and work": (25, _work),
    "oversleep a lease": (1, _oversleep),
    "begin without a claim": (2, _begin),
    "cancel a run": (2, _cancel),
    "release stuck runs": (1, _release_stuck),
}
CARBON_ACTIONS: dict[str, tuple[int, Action]] = {
    "explore: create": (3, _explore),
    "explore: get": (3, _explore_get),
    "explore: refresh": (2, _explore_refresh),
}


def act(
    name: str, action: Action, connection: Connection, chance: random.Random, counts: Counter[str], attempts: int = 20
) -> None:
    """Do one thing and count how it ended.

    Serialization failures are tried again, as a client must. Raises Violation for what no client may ever
    see: a deadlock, a SQLSTATE that is not documented.
    """
    for _ in range(attempts):
        try:
            action(connection, chance)
        except psycopg.Error as error:
            code = error.sqlstate
            if code in _ONCE_MORE:
                counts[f"{name}: tried again after {code}"] += 1
                continue
            if code is None or code.startswith(("08", "57P", "53")):
                raise
            if code.startswith(("RR", "RC")) or code in _ALLOWED:
                counts[f"{name}: refused {code}"] += 1
                return
            raise Violation(f"{name}: {code} {error}") from error
        counts[name] += 1
        return
    counts[f"{name}: given up after {attempts} serialization failures"] += 1


def _post(client: http.client.HTTPConnection, path: str, chance: random.Random) -> http.client.HTTPResponse:
    headers = {"Idempotency-Key": f"http {chance.randint(1, 500)} {path}"} if chance.random() < 0.3 else {}
    client.request("POST", path, headers=headers)
    return client.getresponse()


def _http_rerun(client: http.client.HTTPConnection, chance: random.Random) -> http.client.HTTPResponse:
    return _post(client, f"/us/report/{_report(chance)}/rerun", chance)


def _http_get(client: http.client.HTTPConnection, chance: random.Random) -> http.client.HTTPResponse:
    client.request("GET", f"/us/report/{_report(chance)}{chance.choice(['', '/runs', '/rerun'])}")
    return client.getresponse()


def _http_patch(client: http.client.HTTPConnection, chance: random.Random) -> http.client.HTTPResponse:
    report = _report(chance)
    output = {"owner": f"report {report}", "via": "http", "values": "x" * chance.choice(_BYTES)}
    body: dict[str, object] = {"id": report, "status": "complete", "output": output}
    if chance.random() < 0.3:
        body["run_sequence"] = chance.randint(1, 20)
    client.request("PATCH", "/us/report", json.dumps(body), {"Content-Type": "application/json"})
    return client.getresponse()


HTTP_ACTIONS = {"HTTP rerun": _http_rerun, "HTTP get": _http_get, "HTTP patch": _http_patch}


def http_act(client: http.client.HTTPConnection, chance: random.Random, counts: Counter[str]) -> int:
    """Send one request and count its status. Raises Violation for a 500, and for a 503 without Retry-After."""
    name = chance.choice(list(HTTP_ACTIONS))
    response = HTTP_ACTIONS[name](client, chance)
    body = response.read()
    counts[f"{name}: {response.status}"] += 1
    if response.status >= 500 and response.status != 503:
        raise Violation(f"{name} answered {response.status}: {body[:500]!r}")
    if response.status == 503 and not (response.getheader("Retry-After") or "").isdigit():
        raise Violation(f"{name} answered 503 without Retry-After: {body[:500]!r}")
    return response.status
