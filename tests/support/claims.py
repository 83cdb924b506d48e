"""What a worker types: it claims a report, computes its simulations, and finishes it."""

from __future__ import annotations

import json
from typing import Any

from tests.support.databases import Connection
from tests.support.statements import one

__all__ = ["FROZEN", "age", "claim", "claim_row", "claims", "finish", "lose", "status_of"]

# A rule of the application: a report that it does not let anybody change.
FROZEN = """
  create function public.frozen() returns trigger language plpgsql as
  $$begin if new.id = {id} then raise exception 'it is frozen' using errcode = '23514'; end if; return new; end$$;
  create trigger frozen before update on public.report_outputs for each row execute function public.frozen();
"""


def claims(connection: Connection, worker: str = "worker 1", **arguments: Any) -> list[dict[str, Any]]:
    """Claim reports; the keyword arguments are those of claim_report."""
    named = "".join(f", {name} => %({name})s" for name in arguments)
    statement = f"select * from claim_report(%(worker)s{named})"  # noqa: S608
    return list(connection.execute(statement, {"worker": worker, **arguments}).fetchall())


def claim(connection: Connection, report_id: int | None = None, worker: str = "worker 1") -> dict[str, Any]:
    """Claim one report, which must be there to be claimed."""
    [claimed] = claims(connection, worker, report_id=report_id)
    return claimed


def finish(connection: Connection, claimed: dict[str, Any], output: Any = None) -> None:
    """Compute what a claim has to compute, and finish its report."""
    text = json.dumps({"budget": 7} if output is None else output)
    for simulation in claimed["simulations"]:
        if simulation["computes"]:
            connection.execute(
                "select * from finish_simulation(%s, %s, %s)", (claimed["claim_id"], simulation["simulation_id"], text)
            )
    connection.execute("select * from finish_report(%s, %s)", (claimed["claim_id"], text))


def age(connection: Connection, claimed: dict[str, Any], interval: str = "2 minutes") -> None:
    """Let the lease of a claim be over since some time, as if that time had passed."""
    connection.execute(
        "update pgreprise.claim set lease_until = clock_timestamp() - %s::interval where claim_id = %s",
        (interval, claimed["claim_id"]),
    )


def lose(connection: Connection, claimed: dict[str, Any]) -> None:
    """Let the worker of a claim be lost, and the next claim or sweep notice it."""
    age(connection, claimed)
    connection.execute("select from pgreprise.sweep_claims(10, clock_timestamp())")


def claim_row(connection: Connection, claimed: dict[str, Any]) -> dict[str, Any]:
    """The stored row of a claim."""
    return one(connection, "select * from pgreprise.claim where claim_id = %s", claimed["claim_id"])


def status_of(connection: Connection, table: str, row_id: int) -> str:
    """The status of a report or a simulation."""
    return str(one(connection, f"select status from public.{table} where id = %s", row_id)["status"])  # noqa: S608
