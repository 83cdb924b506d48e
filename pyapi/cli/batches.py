"""Commands for batches: rerun many reports chunk by chunk; list, show, cancel and undo batches."""

from __future__ import annotations

import json
import shlex
import sys
from collections.abc import Iterable, Iterator
from itertools import chain
from typing import Any, TextIO

import click
from sqlalchemy import Engine
from sqlalchemy.exc import DBAPIError

from pyapi.batches import (
    BATCH_ENDED,
    COLUMNS,
    PAGE,
    all_pages,
    filter_of,
    filter_words,
    ids_in,
    json_array,
    rerun_chunks,
    undo_chunks,
)
from pyapi.chunks import do_chunk
from pyapi.cli.chunks import STOPPED, stoppable
from pyapi.cli.connections import administrator
from pyapi.cli.options import REASON_OPTION
from pyapi.cli.output import (
    ERR,
    JSON_OPTION,
    echo,
    explain,
    print_first_rows,
    print_json,
    print_rows,
    progress_bar,
    who,
)
from pyapi.database import call, sqlstate
from pyapi.wording import counted

__all__ = ["COMMANDS", "undo_batch"]

# The batch is so large that the number of its reports has to be given.
_NUMBER_NEEDED = "RR024"


def _batch(engine: Engine, batch_id: int) -> dict[str, Any]:
    [batch] = call(engine, "public.rerun_batches", columns=COLUMNS, batch_id=batch_id)
    return batch


# --- which reports ---------------------------------------------------------------------------


def _decoded(lines: TextIO) -> Iterator[str]:
    try:
        yield from lines
    except UnicodeDecodeError as error:
        raise click.UsageError("The file of --ids-file is not UTF-8. Save it as UTF-8, with one id a line.") from error


def _ids_in(lines: TextIO) -> Iterator[str]:
    try:
        yield from ids_in(_decoded(lines))
    except ValueError as error:
        raise click.UsageError(f"--ids-file, {error}") from error


# --- looking first ---------------------------------------------------------------------------


def _sharing(engine: Engine, filter_json: str) -> Iterator[dict[str, Any]]:
    """The other reports that share a simulation or a cache key with those of the batch."""
    return all_pages(
        lambda last: call(engine, "public.rerun_batch_sharing", filter=filter_json, after_report_id=last, max_rows=PAGE)
    )


def _preview(engine: Engine, filter_json: str, as_json: bool) -> None:
    """Print what a batch would do: the reports by kind, what else it would change, and who shares it."""
    # The token first: what moves while the rest is read is not what it has seen, and it is refused then.
    [effects] = call(engine, "public.rerun_batch_effects", filter=filter_json)
    found = call(engine, "public.rerun_batch_preview", filter=filter_json)
    if as_json:
        print_json({"reports": found, "effects": effects, "sharing": list(_sharing(engine, filter_json))})
        return
    print_rows(found, False, empty="No report meets the conditions.")
    echo(
        f"{counted(effects['reports'], 'report')} would be rerun and {effects['refused']} refused; "
        f"{counted(effects['simulations'], 'simulation')} would be reset and "
        f"{counted(effects['reform_impacts'], 'cache row')} deleted."
    )
    if effects["sharing_reports"]:
        title = "Other reports that share these simulations or cache rows, and are computed anew in part:"
        print_first_rows(_sharing(engine, filter_json), effects["sharing_reports"], title)
    echo("Nothing was changed.")
    if found:
        echo(f"To rerun exactly these: the same command, with --seen {effects['seen']} in place of --dry-run")


def _create(engine: Engine, filter_json: str, reason: str | None, expected: int | None, seen: str | None) -> int:
    """Create a batch and return its id. Where it is large, ask for the number of its reports, if somebody is there."""

    def create(number: int | None) -> int:
        [row] = call(
            engine,
            "public.create_rerun_batch",
            columns="create_rerun_batch as id",
            filter=filter_json,
            reason=reason,
            expected_reports=number,
            seen=seen,
        )
        return int(row["id"])

    try:
        return create(expected)
    except DBAPIError as error:
        if sqlstate(error) != _NUMBER_NEEDED or expected is not None or not sys.stdin.isatty():
            raise
        echo(explain(error)["message"], err=True)
    return create(click.prompt("Type the number to rerun them", type=int, err=True))


# --- running one -----------------------------------------------------------------------------


def _refusals(engine: Engine, batch_id: int, *, are_left: bool = False) -> Iterator[dict[str, Any]]:
    """The reports that were refused, or those that were left because somebody else held their rows."""
    return all_pages(
        lambda last: call(
            engine,
            "public.rerun_batch_refusals",
            batch_id=batch_id,
            after_report_id=last,
            max_rows=PAGE,
            are_left=are_left,
        )
    )


def _print_json_with_refusals(result: dict[str, Any], refusals: Iterable[dict[str, Any]]) -> None:
    """Print one JSON object. Its last member is the list of refusals, which is written row by row."""
    click.echo(json.dumps(result, default=str)[:-1] + ', "refusals": [', nl=False)
    for number, row in enumerate(refusals):
        click.echo((", " if number else "") + json.dumps(row), nl=False)
    click.echo("]}")


def _run_chunks(engine: Engine, batch: dict[str, Any], chunk_size: int) -> tuple[dict[str, int], bool]:
    """Rerun the remaining reports of a batch. Return what was done, and whether Ctrl-C stopped it."""
    done = {"simulations_reset": 0, "economy_cache_rows_deleted": 0}
    with progress_bar() as progress, stoppable(progress) as is_stopped:
        before = batch["reports"] - batch["remaining"]
        task = progress.add_task(f"batch {batch['id']}", total=batch["reports"], completed=before, before=before)

        def do(after: int | None) -> dict[str, Any]:
            return do_chunk(
                engine,
                "public.rerun_batch_chunk",
                batch_id=batch["id"],
                # The size is sent as text: a number would be sent as a bigint, and the parameter is an integer.
                chunk_size=str(chunk_size),
                after_report_id=after,
            )

        def remaining() -> int:
            return int(_batch(engine, batch["id"])["remaining"])

        for chunk in rerun_chunks(do, remaining):
            for name in done:
                done[name] += chunk[name]
            # Not the size of this chunk, because another process may be running the same batch.
            progress.update(task, completed=batch["reports"] - remaining())
            if is_stopped():
                return done, True
    return done, False


def _run(engine: Engine, batch_id: int, chunk_size: int, as_json: bool) -> int:
    """Run a batch and print what was done. Return the exit code."""
    batch = _batch(engine, batch_id)
    resume = f"pgreprise rerun-batch --resume {batch_id}"
    # Its state may be undone by now.
    if batch["cancelled_at"] is not None:
        # The database says who cancelled it, and when.
        call(engine, "public.rerun_batch_chunk", batch_id=batch_id)
    ERR.print(
        f"Batch {batch_id}: {counted(batch['reports'], 'report')}, {batch['remaining']} remaining. It may be stopped "
        f"at any time. To continue: {resume}",
        highlight=False,
        soft_wrap=True,
    )
    try:
        done, stopped = _run_chunks(engine, batch, chunk_size)
    except (DBAPIError, KeyboardInterrupt, SystemExit) as error:
        is_over = isinstance(error, DBAPIError) and sqlstate(error) == BATCH_ENDED
        echo(f"The finished chunks are kept.{'' if is_over else f' To continue: {resume}'}", err=True)
        raise

    batch = _batch(engine, batch_id)
    state = "stopped" if stopped and batch["remaining"] else "unfinished" if batch["remaining"] else "finished"
    left = list(_refusals(engine, batch_id, are_left=True)) if batch["remaining"] else []
    if as_json:
        result = {
            "batch_id": batch_id,
            "state": state,
            **{name: batch[name] for name in ("reports", "rerun", "refused", "remaining")},
            **done,
            "left": left,
        }
        _print_json_with_refusals(result, _refusals(engine, batch_id))
    else:
        echo(
            f"Batch {batch_id} is {state}: {counted(batch['rerun'], 'report')} rerun, {batch['refused']} refused, "
            f"{batch['remaining']} remaining; {counted(done['simulations_reset'], 'simulation')} reset, "
            f"{counted(done['economy_cache_rows_deleted'], 'cache row')} deleted."
        )
        if batch["refused"]:
            print_first_rows(_refusals(engine, batch_id), batch["refused"], "Refused:")
        if left:
            print_first_rows(iter(left), len(left), "Left for later, because their rows were locked:")
    if state == "stopped":
        echo(f"To continue: {resume}", err=True)
        return STOPPED
    if state == "unfinished":
        reason = "" if left else "Another process is rerunning the remaining reports. If it stops: "
        echo(f"{reason or 'For the remaining reports: '}{resume}", err=True)
        return 1
    return 1 if batch["refused"] else 0


@click.command("rerun-batch")
@click.argument("report_ids", metavar="[ID]...", type=click.IntRange(min=1), nargs=-1)
@click.option("--country", "country", metavar="COUNTRY", multiple=True, help="Reports of this country.")
@click.option("--status", metavar="STATUS", multiple=True, help="pending, running, complete or error.")
@click.option("--year", metavar="YEAR", multiple=True, help="Reports of this year.")
@click.option("--api-version", metavar="VERSION", multiple=True, help="Reports that this version computed.")
@click.option("--report-type", metavar="TYPE", multiple=True, help="household or geography.")
@click.option("--ids-file", metavar="FILE", type=click.File(encoding="utf-8-sig"),
              help="Reports whose ids are in this file; - is stdin.")  # fmt: skip
@click.option("--chunk-size", type=click.IntRange(1, 100_000), default=1000, show_default=True,
              help="How many reports one transaction reruns.")  # fmt: skip
@click.option("--dry-run", is_flag=True, help="Show what would be changed, and who shares it. Change nothing.")
@click.option("--expect", "expected", metavar="N", type=click.IntRange(min=0),
              help="The number of reports that must be found; needed where there are many.")  # fmt: skip
@click.option("--seen", metavar="TOKEN", help="Only if nothing has moved since the --dry-run that printed this token.")
@REASON_OPTION
@click.option("--resume", "resumed_id", metavar="ID", type=int, help="Continue a batch that was stopped.")
@JSON_OPTION
def rerun_batch(
    report_ids: tuple[int, ...],
    country: tuple[str, ...],
    status: tuple[str, ...],
    year: tuple[str, ...],
    api_version: tuple[str, ...],
    report_type: tuple[str, ...],
    ids_file: TextIO | None,
    chunk_size: int,
    dry_run: bool,
    expected: int | None,
    seen: str | None,
    reason: str | None,
    resumed_id: int | None,
    as_json: bool,
) -> None:
    """Rerun many reports, chunk by chunk: those that meet all conditions when the batch begins.

    A condition may be repeated: --status error --status pending finds both. Each chunk is one transaction.
    Ctrl-C stops after the current chunk; --resume continues. Several processes may run the same batch.
    The exit code is 1 when a report was refused.
    """
    conditions = {
        "country": country,
        "status": status,
        "year": year,
        "api_version": api_version,
        "report_type": report_type,
    }
    is_filtered = any(conditions.values()) or bool(report_ids) or ids_file is not None
    is_new = is_filtered or dry_run or any(given is not None for given in (expected, seen, reason))
    if resumed_id is not None and is_new:
        raise click.UsageError(
            "--resume continues with the reports that the batch has listed. It cannot be combined with ids, "
            "conditions, --dry-run, --expect, --seen or --reason."
        )
    if dry_run and seen is not None:
        raise click.UsageError("--dry-run prints a new token. It cannot be combined with --seen.")
    if resumed_id is None and not is_filtered:
        raise click.UsageError("Give report ids, --ids-file, or a condition such as --country us.")

    wanted = json_array(chain(map(str, report_ids), _ids_in(ids_file) if ids_file is not None else ()))
    if ids_file is not None and wanted is None:
        raise click.UsageError("The file of --ids-file holds no report id.")
    with administrator() as engine:
        if dry_run:
            _preview(engine, filter_of(conditions, wanted), as_json)
            return
        if resumed_id is None:
            resumed_id = _create(engine, filter_of(conditions, wanted), reason, expected, seen)
        code = _run(engine, resumed_id, chunk_size, as_json)
    raise SystemExit(code)


# --- looking at them, cancelling one ---------------------------------------------------------


@click.group(invoke_without_command=True)
@click.option("--before", metavar="ID", type=int, help="The next page: batches before this one.")
@click.option("--limit", "max_rows", type=click.IntRange(1, 1000), default=100, show_default=True)
@JSON_OPTION
@click.pass_context
def batches(context: click.Context, before: int | None, max_rows: int, as_json: bool) -> None:
    """List the batches, newest first: who, why, when, and how far they are. Or show or cancel one."""
    if context.invoked_subcommand is not None:
        return
    with administrator() as engine:
        rows = call(engine, "public.rerun_batches", columns=COLUMNS, before=before, max_rows=max_rows)
    if as_json:
        print_json(rows)
        return
    shown = [
        {
            "id": row["id"],
            "filter": filter_words(row),
            "state": "stands still" if row["stands_still"] else row["state"],
            "done": f"{row['reports'] - row['remaining']}/{row['reports']}",
            **{name: row[name] for name in ("refused", "undone")},
            "created": row["created_at"],
            "who": who(row),
            "why": row["reason"],
        }
        for row in rows
    ]
    print_rows(shown, False, empty="There are no batches.")
    if len(rows) == max_rows:
        echo(f"Earlier batches: --before {rows[-1]['id']}", err=True)


@batches.command("show")
@click.argument("batch_id", metavar="ID", type=int)
@JSON_OPTION
def show_batch(batch_id: int, as_json: bool) -> None:
    """Show one batch, and the reports that it refused or left for later."""
    with administrator() as engine:
        batch = _batch(engine, batch_id)
        left = _refusals(engine, batch_id, are_left=True)
        if as_json:
            _print_json_with_refusals({**batch, "left": list(left)}, _refusals(engine, batch_id))
            return
        lines = {
            "state": f"{batch['state']}, and stands still" if batch["stands_still"] else batch["state"],
            "filter": filter_words(batch),
            "why": batch["reason"],
            "who": who(batch),
            "from": batch["client_address"],
            "reports": f"{batch['reports']}: {batch['rerun']} rerun, {batch['refused']} refused, "
            f"{batch['remaining']} remaining; {batch['undone']} undone since",
            "created": batch["created_at"],
            "last progress": batch["progressed_at"],
            "finished": batch["finished_at"],
            "cancelled": batch["cancelled_at"],
            "cancelled by": batch["cancelled_by"],
            "cancelled why": batch["cancel_reason"],
        }
        print_rows([{"batch": k, str(batch_id): v} for k, v in lines.items() if v is not None], False, empty="")
        if batch["refused"]:
            print_first_rows(_refusals(engine, batch_id), batch["refused"], "Refused:")
        rows = list(left)
        print_first_rows(iter(rows), len(rows), "Left for later, because their rows were locked:")
        if batch["state"] == "open":
            resume = f"pgreprise rerun-batch --resume {batch_id}"
            echo(f"To continue: {resume}. To end it: pgreprise batches cancel {batch_id}")


@batches.command("cancel")
@click.argument("batch_id", metavar="ID", type=int)
@REASON_OPTION
@JSON_OPTION
def cancel_batch(batch_id: int, reason: str | None, as_json: bool) -> None:
    """End a batch for ever: what it has rerun stays, the rest is not done."""
    with administrator() as engine:
        call(engine, "public.cancel_rerun_batch", batch_id=batch_id, reason=reason)
        batch = _batch(engine, batch_id)
    if as_json:
        print_json(
            {"batch_id": batch_id, "state": batch["state"], "rerun": batch["rerun"], "not_done": batch["remaining"]}
        )
        return
    echo(
        f"Batch {batch_id} is cancelled: {counted(batch['rerun'], 'report')} rerun, {batch['remaining']} not done. "
        f"To take back what it has done: pgreprise undo --batch {batch_id}"
    )


# --- undoing one -----------------------------------------------------------------------------


def undo_batch(engine: Engine, batch_id: int, *, force: bool, reason: str | None, as_json: bool) -> None:
    """Undo the reruns of a batch, newest first, and print what was done. Exit code 1 when one could not be undone."""
    batch = _batch(engine, batch_id)
    seen, undone = 0, 0
    refused: list[dict[str, Any]] = []
    left: list[dict[str, Any]] = []
    stopped = False

    def do(before: int | None) -> dict[str, Any]:
        return do_chunk(
            engine, "public.undo_batch_chunk", batch_id=batch_id, before_rerun_id=before, force=force, reason=reason
        )

    with progress_bar() as progress, stoppable(progress) as is_stopped:
        task = progress.add_task(f"undo of batch {batch_id}", total=batch["rerun"])
        for chunk in undo_chunks(do):
            seen += chunk["reruns"]
            undone += chunk["undone"]
            refused += chunk["refused"]
            left += chunk["left"]
            progress.update(task, completed=seen)
            if stopped := is_stopped():
                break
        # Reruns that were undone before are not counted by the chunks.
        progress.update(task, total=seen if not stopped else batch["rerun"])

    if as_json:
        print_json(
            {
                "batch_id": batch_id,
                "state": "stopped" if stopped else "unfinished" if left else "finished",
                "undone": undone,
                "refused": len(refused),
                "refusals": refused,
                "left": left,
            }
        )
    else:
        echo(f"Batch {batch_id}: {counted(undone, 'rerun')} undone, {len(refused)} could not be undone.")
        columns = ("rerun_id", "report_id", "errcode", "message")
        for rows, title in ((refused, "Not undone:"), (left, "Left for later, because their rows were locked:")):
            print_first_rows(({name: row[name] for name in columns} for row in rows), len(rows), title)
    resume = f"pgreprise undo --batch {batch_id}{' --force' if force else ''}"
    if reason is not None:
        resume += f" --reason {shlex.quote(reason)}"
    batch = _batch(engine, batch_id)
    if batch["state"] == "open":
        echo(
            f"Batch {batch_id} is still open: {counted(batch['remaining'], 'report')} "
            f"{'remains' if batch['remaining'] == 1 else 'remain'}. So that nothing goes on with it: "
            f"pgreprise batches cancel {batch_id}",
            err=True,
        )
    if stopped:
        echo(f"Stopped. To continue: {resume}", err=True)
        raise SystemExit(STOPPED)
    if left:
        echo(f"For those that are left: {resume}", err=True)
    if refused or left:
        raise SystemExit(1)


COMMANDS = (rerun_batch, batches)
