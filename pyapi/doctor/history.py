"""What reruns have left: batches that are not through, and the archive."""

from __future__ import annotations

from collections.abc import Iterator

from sqlalchemy import Engine

from pyapi.database import call
from pyapi.doctor.finding import Finding
from pyapi.sizes import size

__all__ = ["archive", "unfinished_batches"]

# What a purge would free is told for this age.
_PURGE_AGE = "30 days"


def unfinished_batches(engine: Engine) -> Iterator[Finding]:
    """Batches that somebody began and nobody finished."""
    for batch in call(engine, "public.rerun_batches", columns="id, reports, remaining, finished_at"):
        if batch["finished_at"] is None:
            yield Finding(
                "batches",
                "problem",
                f"Batch {batch['id']} is unfinished: {batch['remaining']} of its {batch['reports']} reports are left.",
                f"pgreprise rerun-batch --resume {batch['id']}, unless a runner is at work.",
            )


def archive(engine: Engine) -> Iterator[Finding]:
    """How much the archive of earlier runs holds, and what a purge would free."""
    [held] = call(engine, "public.archive_size", older_than=_PURGE_AGE)
    if held["archived_reruns"] > 0:
        yield Finding(
            "archive",
            "note",
            f"The archive holds the outputs of {held['archived_reruns']} reruns in {size(held['archive_bytes'])} of "
            f"disk. A purge of those older than {_PURGE_AGE} would free {held['purgeable_reruns']} of them, "
            f"{size(held['purgeable_bytes'])}.",
            f"pgreprise purge --older-than '{_PURGE_AGE}'" if held["purgeable_reruns"] > 0 else "Nothing to do.",
        )
    if any(row["name"] == "archive_outputs" and row["value"] == "off" for row in call(engine, "public.settings")):
        yield Finding(
            "archive",
            "note",
            "Reruns keep no outputs, so that they cannot be undone: archive_outputs is off.",
            "pgreprise setting set archive_outputs on",
        )
