"""The command that lists what was done to all reports, by whom and why."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import click

from pyapi.cli.connections import administrator
from pyapi.cli.options import MOMENT
from pyapi.cli.output import JSON_OPTION, echo, print_json, print_rows, who
from pyapi.database import call

__all__ = ["COMMANDS"]

_KINDS = ("rerun", "reset_report", "reset_simulation", "delete_reform_impacts", "undo", "cancel_run", "release_run")


def _shown(act: dict[str, Any]) -> dict[str, Any]:
    notes = (
        act["reason"],
        f"batch {act['batch_id']}" if act["batch_id"] else None,
        f"undoes #{act['undoes']}" if act["undoes"] else None,
        f"undone by #{act['undone_by']}" if act["undone_by"] else None,
    )
    return {
        "act": act["rerun_id"],
        "at": act["created_at"],
        "what": act["kind"],
        "country": act["country_id"],
        "report": act["report_id"],
        "simulations": act["simulation_ids"],
        "who": who(act),
        "from": act["client_address"],
        "note": "; ".join(note for note in notes if note),
    }


@click.command()
@click.option("--since", type=MOMENT, help="Acts from this time on, or of the last 2d, for example.")
@click.option("--until", type=MOMENT, help="Acts before this time.")
@click.option("--actor", metavar="NAME", help="Acts of this person or role.")
@click.option("--kind", type=click.Choice(_KINDS), help="Acts of this kind.")
@click.option("--country", metavar="ID", help="Acts on rows of this country.")
@click.option("--report", "report_id", metavar="ID", type=int, help="Acts on this report.")
@click.option("--batch", "batch_id", metavar="ID", type=int, help="Reruns of this batch.")
@click.option("--before", metavar="ACT", type=int, help="The next page: acts before this one.")
@click.option("--limit", "max_rows", type=click.IntRange(1, 1000), default=100, show_default=True)
@JSON_OPTION
def history(
    since: datetime | None,
    until: datetime | None,
    actor: str | None,
    kind: str | None,
    country: str | None,
    report_id: int | None,
    batch_id: int | None,
    before: int | None,
    max_rows: int,
    as_json: bool,
) -> None:
    """List what was done to all reports, the newest act first: who, when, and why."""
    conditions: dict[str, Any] = {
        "since": since,
        "until": until,
        "actor": actor,
        "kind": kind,
        "country_id": country,
        "report_id": report_id,
        "batch_id": batch_id,
        "before": before,
        "max_rows": max_rows,
    }
    with administrator() as engine:
        acts = call(engine, "public.rerun_history", **{name: it for name, it in conditions.items() if it is not None})
    if as_json:
        print_json(acts)
        return
    print_rows([_shown(act) for act in acts], False, empty="No act meets these conditions.")
    if len(acts) == max_rows:
        echo(f"Earlier acts: --before {acts[-1]['rerun_id']}", err=True)


COMMANDS = (history,)
