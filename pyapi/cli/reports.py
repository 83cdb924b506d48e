"""Commands for single reports: rerun, preview, runs, undo, defects."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import timedelta
from typing import Any

import click
from sqlalchemy import Engine
from sqlalchemy.exc import DBAPIError

from pyapi.cli.batches import undo_batch
from pyapi.cli.connections import administrator
from pyapi.cli.failures import one_document
from pyapi.cli.options import AGE, REASON_OPTION
from pyapi.cli.output import JSON_OPTION, echo, explain, print_document, print_error, print_json, print_rows, took, who
from pyapi.database import call, call_procedure, sqlstate
from pyapi.wording import counted

__all__ = ["COMMANDS"]

# Errors that concern one report only, as the beginnings of their SQLSTATEs: the next report is still tried.
_ERRORS_OF_ONE_ROW = ("RR", "22", "55P03", "40")


def _one_by_one(
    ids: Iterable[int],
    name: str,
    act: Callable[[int], dict[str, Any]],
    describe: Callable[[dict[str, Any]], str],
    as_json: bool,
) -> None:
    """Act on each id in a transaction of its own and print each result. Exit code 1 when one was refused."""
    results: list[dict[str, Any]] = []
    with one_document(results, as_json):
        for one in ids:
            try:
                results.append({"status": "ok", **act(one)})
            except DBAPIError as error:
                is_of_one_row = str(sqlstate(error)).startswith(_ERRORS_OF_ONE_ROW)
                if not is_of_one_row and not (as_json and results):
                    raise
                results.append({"status": "error", name: one, **explain(error)})
                if not is_of_one_row:
                    print_error(results[-1])
                    break
            if not as_json:
                if results[-1]["status"] == "ok":
                    echo(describe(results[-1]))
                else:
                    print_error(results[-1])
    if any(result["status"] == "error" for result in results):
        raise SystemExit(1)


def _simulations(ids: list[int]) -> str:
    return f"simulation{'' if len(ids) == 1 else 's'} {', '.join(f'#{number}' for number in ids)}"


@click.command()
@click.argument("country")
@click.argument("report_ids", metavar="ID...", type=int, nargs=-1, required=True)
@REASON_OPTION
@click.option("--idempotency-key", metavar="KEY", help="Rerun once; the same key again returns the first result.")
@click.option("--seen", metavar="TOKEN", help="Only if nothing has moved since the preview that printed this token.")
@JSON_OPTION
def rerun(
    country: str,
    report_ids: tuple[int, ...],
    idempotency_key: str | None,
    reason: str | None,
    seen: str | None,
    as_json: bool,
) -> None:
    """Rerun reports of a country, each in a transaction of its own.

    When a report is refused, the others are still tried. The exit code is then 1.
    """
    if seen is not None and len(report_ids) > 1:
        raise click.UsageError("--seen belongs to the preview of one report. Give one report id.")
    if idempotency_key is not None and len(report_ids) > 1:
        raise click.UsageError("--idempotency-key belongs to one rerun. Give one report id.")

    def describe(result: dict[str, Any]) -> str:
        return (
            f"Report #{result['report_id']} ({result['report_type']}) is pending again as run "
            f"{result['run_sequence']}; {_simulations(result['simulation_ids'])}; "
            f"{counted(result['economy_cache_rows_deleted'], 'cache row')} deleted; rerun #{result['rerun_id']}."
        )

    with administrator() as engine:

        def act(report_id: int) -> dict[str, Any]:
            result: dict[str, Any] = call_procedure(
                engine,
                "public.rerun_report",
                report_id=report_id,
                country_id=country,
                idempotency_key=idempotency_key,
                reason=reason,
                seen=seen,
            )
            return result

        _one_by_one(report_ids, "report_id", act, describe, as_json)


@click.command()
@click.argument("country")
@click.argument("report_id", metavar="ID", type=int)
@JSON_OPTION
def preview(country: str, report_id: int, as_json: bool) -> None:
    """Show which rows a rerun of a report would touch, and which reports share them. Change nothing.

    The exit code is 1 when the report cannot be rerun.
    """
    with administrator() as engine:
        rows = call(engine, "public.rerun_preview", report_id=report_id, country_id=country)
    defect = next((row for row in rows if row["errcode"] is not None), None)
    if as_json:
        print_json(rows)
    elif defect is not None:
        print_error({"code": defect["errcode"], "message": defect["message"], "hint": defect["hint"]})
    else:
        shown = ("kind", "id", "status", "action", "output_bytes", "shared_with")
        print_rows([{name: row[name] for name in shown} for row in rows], False, empty="")
        echo(f"To rerun exactly this: pgreprise rerun {country} {report_id} --seen {rows[0]['seen']}")
    if defect is not None:
        raise SystemExit(1)


def _output_state(row: dict[str, Any]) -> str:
    if row["has_output"]:
        return "yes"
    return "not kept" if row["had_output"] else "none"


def _print_runs(engine: Engine, country: str, report_id: int, as_json: bool) -> None:
    rows = call(engine, "public.report_history", report_id=report_id, country_id=country)
    if as_json:
        print_json(rows)
        return
    shown = [
        {
            "run": row["run_sequence"],
            "status": row["status"],
            "output": _output_state(row),
            "started_by": f"{row['started_by']} #{row['rerun_id']}" if row["rerun_id"] else None,
            "pending_since": row["pending_since"],
            "waited": took(row["wait_seconds"]),
            "started": row["started_at"],
            "ran": took(row["run_seconds"]),
            "attempt": row["attempt"],
            "who": who(row),
            "note": "; ".join(
                part
                for part in (
                    "current" if row["is_current"] else "",
                    f"restores run {row['restores_run']}" if row["restores_run"] else "",
                    f"undone by #{row['undone_by']}" if row["undone_by"] else "",
                    row["reason"] or "",
                )
                if part
            ),
        }
        for row in rows
    ]
    print_rows(shown, False, empty="")


def _print_run_output(engine: Engine, country: str, report_id: int, run_sequence: int) -> None:
    [run] = call(
        engine,
        "public.report_run_output",
        report_id=report_id,
        run_sequence=run_sequence,
        country_id=country,
    )
    if run["output"] is not None:
        print_document(run["output"])
        return
    if run["had_output"]:
        raise click.ClickException(
            f"The output of run {run_sequence} was purged, or it was never kept because archive_outputs was off."
        )
    end = f": {run['error_message']}" if run["error_message"] else "."
    raise click.ClickException(f"Run {run_sequence} has no output. Its status is {run['status']}{end}")


@click.command()
@click.argument("country")
@click.argument("report_id", metavar="ID", type=int)
@click.option("--run", "run_sequence", metavar="N", type=int, help="Print only the output of this run.")
@JSON_OPTION
def runs(country: str, report_id: int, run_sequence: int | None, as_json: bool) -> None:
    """List the runs of a report, newest first, or print the output of one run."""
    if run_sequence is not None and as_json:
        raise click.UsageError("--run cannot be combined with --json: an output is JSON already.")
    with administrator() as engine:
        if run_sequence is None:
            _print_runs(engine, country, report_id, as_json)
        else:
            _print_run_output(engine, country, report_id, run_sequence)


def _print_undo_preview(engine: Engine, rerun_id: int, as_json: bool) -> None:
    rows = call(engine, "public.undo_preview", rerun_id=rerun_id)
    defect = next((row for row in rows if row["errcode"] is not None), None)
    is_stopped = any(row["obstacle"] for row in rows)
    if as_json:
        print_json(rows)
    elif defect is not None:
        print_error({"code": defect["errcode"], "message": defect["message"], "hint": defect["hint"]})
    else:
        shown = ("kind", "id", "status", "action", "obstacle")
        print_rows([{name: row[name] for name in shown} for row in rows], False, empty="")
        if all(row["can_be_forced"] is not False for row in rows):
            force = " --force" if is_stopped else ""
            echo(f"To undo exactly this: pgreprise undo {rerun_id}{force} --seen {rows[0]['seen']}")
    if defect is not None or is_stopped:
        raise SystemExit(1)


@click.command()
@click.argument("rerun_ids", metavar="[RERUN_ID]...", type=int, nargs=-1)
@click.option("--batch", "batch_id", metavar="ID", type=int, help="Undo all reruns of this batch, newest first.")
@REASON_OPTION
@click.option("--force", is_flag=True, help="Undo even when rows have changed since; they are archived first.")
@click.option("--dry-run", is_flag=True, help="Only show what the undo of one rerun would do, and what is in its way.")
@click.option("--seen", metavar="TOKEN", help="Only if nothing has moved since --dry-run; for one rerun.")
@JSON_OPTION
def undo(
    rerun_ids: tuple[int, ...],
    batch_id: int | None,
    force: bool,
    dry_run: bool,
    seen: str | None,
    reason: str | None,
    as_json: bool,
) -> None:
    """Undo reruns: put back what they cleared. Each undo is a transaction of its own, in the given order.

    When an undo is refused, the others are still tried. The exit code is then 1. `pgreprise runs` shows rerun ids.
    """
    if bool(rerun_ids) == (batch_id is not None):
        raise click.UsageError("Give rerun ids or --batch, not both.")
    if (dry_run or seen is not None) and len(rerun_ids) != 1:
        raise click.UsageError("--dry-run and --seen are for one rerun.")

    def describe(result: dict[str, Any]) -> str:
        report = (
            f"report #{result['report_id']} is at run {result['run_sequence']}; "
            if result["report_id"] is not None
            else ""
        )
        simulations = f"{_simulations(result['simulation_ids'])}; " if result["simulation_ids"] else ""
        return (
            f"Rerun #{result['rerun_id']} is undone: {report}{simulations}"
            f"{counted(result['economy_cache_rows_restored'], 'cache row')} restored; undo #{result['undo_id']}."
        )

    with administrator() as engine:
        if dry_run:
            _print_undo_preview(engine, rerun_ids[0], as_json)
            return
        if batch_id is not None:
            undo_batch(engine, batch_id, force=force, reason=reason, as_json=as_json)
            return

        def act(rerun_id: int) -> dict[str, Any]:
            result: dict[str, Any] = call_procedure(
                engine, "public.undo_rerun", rerun_id=rerun_id, force=force, reason=reason, seen=seen
            )
            return result

        _one_by_one(rerun_ids, "rerun_id", act, describe, as_json)


@click.command()
@JSON_OPTION
def defects(as_json: bool) -> None:
    """List every report that cannot be rerun, with the reason. The exit code is 1 when there is one."""
    with administrator() as engine:
        rows = call(engine, "public.report_defects")
    print_rows(rows, as_json, empty="Every report can be rerun.")
    if rows:
        raise SystemExit(1)


@click.command("failed-caches")
@JSON_OPTION
def failed_caches(as_json: bool) -> None:
    """List economy cache rows of reports that hold no result. A rerun of the report deletes them."""
    with administrator() as engine:
        rows = call(engine, "public.failed_cache_rows")
    print_rows(rows, as_json, empty="No cache row of a report failed.")
    if rows:
        raise SystemExit(1)


@click.command()
@click.option("--older-than", metavar="AGE", type=AGE, default="1h", show_default=True,
              help="A number with a unit: 30m, 12h, 2d.")  # fmt: skip
@JSON_OPTION
def lost(older_than: timedelta, as_json: bool) -> None:
    """List reports that have been pending or running for long, the oldest first. The exit code is 1 when there is one.

    Probably the worker that computed them is gone. Rerun them, when no worker computes them any more.
    """
    with administrator() as engine:
        rows = call(engine, "public.lost_runs", older_than=older_than)
    print_rows(rows, as_json, empty="No report has been pending or running for so long.")
    if rows:
        raise SystemExit(1)


COMMANDS = (rerun, preview, runs, undo, defects, failed_caches, lost)
