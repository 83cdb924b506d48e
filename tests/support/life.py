"""A little of what happens to reports in a day, on top of the sample: for pages that would be empty without."""

from __future__ import annotations

import json

from tests.support import claims
from tests.support.databases import Connection
from tests.support.factories import add_economy_report, add_report, add_simulation
from tests.support.statements import one

__all__ = ["add_life"]


def _acting_as(connection: Connection, name: str) -> None:
    setting = json.dumps({"sub": name, "scope": "reports:read reports:rerun reports:work"})
    connection.execute("select set_config('request.jwt.claims', %s, false)", (setting,))


def _rerun(connection: Connection, report_id: int, reason: str) -> int:
    result = one(connection, "call rerun_report(%s::bigint, reason => %s)", report_id, reason)["result"]
    return int(result["rerun_id"])


def add_life(connection: Connection) -> None:
    """Let people and workers act on the sample, over a connection of the superuser.

    There are reruns with reasons, one of them undone; runs that were finished, one that failed and one that a worker
    computes; a batch with a refusal; and reports that cannot be rerun. Report 4 stays as it is in the sample: complete,
    with cache rows, and its simulations shared.
    """
    sample = [
        int(row["id"]) for row in connection.execute("select id from public.report_outputs order by id").fetchall()
    ]
    household, household_2, economy, _, _, failed = sample
    lost = add_report(connection, 404404)
    mixed = add_report(
        connection,
        add_simulation(connection),
        add_simulation(connection, population_type="household", population_id="40012"),
    )
    reform, _, _ = add_economy_report(connection, year="2026")
    other, _, _ = add_economy_report(connection, year="2027")

    _acting_as(connection, "alice")
    _rerun(connection, household, "the household had a wrong age")
    claims.finish(connection, claims.claim(connection, household), {"household_net_income": 32012.75})
    mistaken = _rerun(connection, household_2, "wrong report, sorry")
    connection.execute("call undo_rerun(%s, reason => %s)", (mistaken, "it was another one"))
    _rerun(connection, reform, "the parameters of 2025 were corrected")

    _acting_as(connection, "bob")
    _rerun(connection, failed, "there is more memory now")
    held = claims.claim(connection, failed)
    connection.execute(
        "select from fail_report(%s, %s)",
        (held["claim_id"], "MemoryError: cannot allocate 12.1 GiB for microsimulation"),
    )
    chosen = json.dumps({"ids": [economy, other, lost, mixed]})
    batch = one(connection, "select create_rerun_batch(%s::jsonb, reason => %s) as id", chosen, "after the release")[
        "id"
    ]
    connection.execute("call run_rerun_batch(%s)", (batch,))
    waiting = json.dumps({"country": "uk"})
    connection.execute("select create_rerun_batch(%s::jsonb, reason => %s)", (waiting, "the next release"))

    _acting_as(connection, "worker 7")
    held = claims.claim(connection, reform, "worker 7")
    connection.execute(
        "select from heartbeat_claim(%s, '15 min', 0.4, 'microsimulation of New York')", (held["claim_id"],)
    )
    connection.execute("select set_config('request.jwt.claims', '', false)")
