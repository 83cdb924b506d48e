"""What reruns left behind: unfinished batches, and the archive."""

from __future__ import annotations

from collections.abc import Iterator

from sqlalchemy import Engine

from pyapi.database import call
from pyapi.doctor.finding import Finding
from pyapi.wording import counted, size

__all__ = ["archive", "unfinished_batches"]

# The finding says what a purge of runs older than this would free.
_PURGE_AGE = "30 days"


def unfinished_batches(engine: Engine) -> Iterator[Finding]:
    """Batches that were started and not finished. Those that stand still are a problem."""
    for batch in call(engine, "public.rerun_batches", columns="id, reports, remaining, stands_still", is_open=True):
        remaining = f"{batch['remaining']} of {counted(batch['reports'], 'report')} " + (
            "remains" if batch["remaining"] == 1 else "remain"
        )
        resume = f"pgreprise rerun-batch --resume {batch['id']}"
        if batch["stands_still"]:
            yield Finding(
                "batches",
                "problem",
                f"Batch {batch['id']} stands still: {remaining}, and none was done for an hour.",
                f"{resume}, or to end it: pgreprise batches cancel {batch['id']}",
            )
        else:
            yield Finding(
                "batches",
                "note",
                f"Batch {batch['id']} is not finished: {remaining}.",
                f"Nothing, if a process is running it. Otherwise: {resume}",
            )


def archive(engine: Engine) -> Iterator[Finding]:
    """How large the archive of earlier runs is, and what of it the settings do not keep any more."""
    [retention] = call(engine, "public.archive_retention")
    is_limited = retention["older_than"] is not None
    wanted = {"older_than": retention["older_than"], "keep_last": str(retention["keep_last"])} if is_limited else {}
    [held] = call(engine, "public.archive_size", **(wanted or {"older_than": _PURGE_AGE}))
    if held["archived_reruns"] > 0:
        goes = f"{counted(held['purgeable_reruns'], 'rerun')}, {size(held['purgeable_bytes'])}"
        if is_limited:
            after = f"By the retention settings the outputs of {goes} would be deleted now."
            remedy = "pgreprise purge --by-retention, from a timer."
        else:
            after = f"A purge of everything older than {_PURGE_AGE} would delete the outputs of {goes}."
            remedy = (
                "pgreprise purge --older-than 30d, or say how long to keep them: pgreprise setting set archive_keep"
            )
        yield Finding(
            "archive",
            "note",
            f"The archive holds the outputs of {counted(held['archived_reruns'], 'rerun')} since "
            f"{held['archived_since'].astimezone():%Y-%m-%d}, {size(held['archived_bytes'])}, and takes "
            f"{size(held['archive_bytes'])} of disk. {after}",
            remedy if held["purgeable_reruns"] > 0 else "Nothing to do.",
        )
    if any(row["name"] == "archive_outputs" and row["value"] == "off" for row in call(engine, "public.settings")):
        yield Finding(
            "archive",
            "note",
            "Reruns keep no outputs and cannot be undone, because archive_outputs is off.",
            "pgreprise setting set archive_outputs on",
        )
