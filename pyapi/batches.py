"""Batches as the command and the console have them: filters in JSON and in words, lists in pages, chunk after chunk."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from pyapi.wording import counted

__all__ = [
    "BATCH_ENDED",
    "COLUMNS",
    "PAGE",
    "all_pages",
    "filter_of",
    "filter_words",
    "ids_in",
    "json_array",
    "rerun_chunks",
    "undo_chunks",
]

# The SQLSTATE of what the batch refuses because it was cancelled.
BATCH_ENDED = "RR025"
# The rows of a page of all_pages.
PAGE = 1000
# A filter may hold a million ids. They are counted in the database, so that they are not sent.
COLUMNS = (
    "id, filter - 'ids' as filter, "
    "case jsonb_typeof(filter -> 'ids') when 'array' then jsonb_array_length(filter -> 'ids') when 'number' then 1 end "
    "as ids, reason, state, reports, rerun, refused, remaining, undone, stands_still, created_at, progressed_at, "
    "finished_at, cancelled_at, cancelled_by, cancel_reason, session_role, role_setting, actor, request_id, "
    "client_address"
)

Chunk = dict[str, Any]


# --- filters ---------------------------------------------------------------------------------


def ids_in(lines: Iterable[str]) -> Iterator[str]:
    """The report ids in lines of text, between commas and spaces. Raises ValueError for a word that is no id."""
    for number, line in enumerate(lines, start=1):
        for word in line.replace(",", " ").split():
            if not (word.isascii() and word.isdigit()):
                raise ValueError(f"line {number}: {word!r} is not a report id.")
            # A number in JSON must not begin with a zero.
            yield word.lstrip("0") or "0"


def json_array(ids: Iterable[str]) -> str | None:
    """The ids as a JSON array, None without ids. A Python list of a million ids would need much more memory."""
    text = io.StringIO()
    for one in ids:
        text.write("," if text.tell() else "[")
        text.write(one)
    return f"{text.getvalue()}]" if text.tell() else None


def filter_of(conditions: Mapping[str, Sequence[str]], ids: str | None) -> str:
    """The filter as JSON. The database checks whether it is valid."""
    members = [f"{json.dumps(name)}: {json.dumps(list(allowed))}" for name, allowed in conditions.items() if allowed]
    if ids is not None:
        members.append(f'"ids": {ids}')
    return f"{{{', '.join(members)}}}"


def filter_words(batch: Mapping[str, Any]) -> str:
    """The filter of a batch in words. The batch is a row with COLUMNS."""
    parts = [f"{name}: {', '.join(v) if isinstance(v, list) else v}" for name, v in batch["filter"].items()]
    if batch["ids"] is not None:
        parts.append(counted(batch["ids"], "id"))
    return "; ".join(parts)


# --- lists -----------------------------------------------------------------------------------


def all_pages(read: Callable[[int], list[dict[str, Any]]]) -> Iterator[dict[str, Any]]:
    """All rows of a routine that lists them by report id. ``read`` returns the next PAGE of them after an id."""
    last = 0
    while True:
        page = read(last)
        yield from page
        if len(page) < PAGE:
            return
        last = page[-1]["report_id"]


# --- chunks ----------------------------------------------------------------------------------


def rerun_chunks(do: Callable[[int | None], Chunk], remaining: Callable[[], int]) -> Iterator[Chunk]:
    """Rerun what remains of a batch, and yield what each chunk did.

    ``do`` calls rerun_batch_chunk for the reports after an id, ``remaining`` tells how many reports remain. It goes
    over them once more for those that were left because their rows were locked, as long as that helps.
    """
    before: int | None = None
    after: int | None = None
    while True:
        chunk = do(after)
        after = chunk["after"]
        yield chunk
        if after is None:
            # Not what the chunks did, because another process may be running the same batch.
            left = remaining()
            if left in (0, before):
                return
            before = left


def undo_chunks(do: Callable[[int | None], Chunk]) -> Iterator[Chunk]:
    """Undo the reruns of a batch, newest first, and yield what each chunk did.

    ``do`` calls undo_batch_chunk for the reruns before an id.
    """
    before: int | None = None
    while (chunk := do(before))["reruns"]:
        yield chunk
        before = chunk["before"]
