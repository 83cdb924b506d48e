"""Databases that are shards, and moving a logical shard between two of them, as the command does."""

from __future__ import annotations

import json
from typing import Any

from tests.support.databases import Connection
from tests.support.statements import one


def prepare(dba: Connection, *, first_id: int | None = None, is_empty: bool = False) -> dict[str, Any]:
    """Make a database a shard that holds all logical shards, or none of them; returns what was told."""
    held = [] if is_empty else None
    told = one(dba, "select pgreprise.prepare_shard(%s, %s) as told", held, first_id)["told"]
    assert isinstance(told, dict)
    return told


def join(first: Connection, second: Connection) -> None:
    """Make the second database a shard that holds nothing, which numbers as the first one does."""
    prepare(second, first_id=one(first, "select first_id from pgreprise.shard_numbering")["first_id"], is_empty=True)
    copy(first, second, "copy pgreprise.shard_id_range to stdout", "copy pgreprise.shard_id_range from stdin")


def copy(source: Connection, target: Connection, copy_out: str, copy_in: str) -> None:
    """The rows of one statement into the table of another."""
    with source.cursor().copy(copy_out.encode()) as reading, target.cursor().copy(copy_in.encode()) as writing:
        for block in reading:
            writing.write(block)


def checksums(dba: Connection, logical_shard: int, *, kept: bool = False) -> list[dict[str, Any]]:
    """How many rows of each table belong to a logical shard, and their checksums."""
    return dba.execute("select * from pgreprise.shard_fingerprint(%s, %s)", (logical_shard, kept)).fetchall()


def guard(dba: Connection) -> None:
    """Let every table refuse rows that leave or have left, and only those."""
    dba.execute("select pgreprise.guard_table(listed.table_name) from pgreprise.shard_tables() as listed")


def freeze(dba: Connection, logical_shard: int) -> None:
    """The first step of a move."""
    dba.execute("select pgreprise.begin_leaving(%s)", (logical_shard,))
    guard(dba)
    dba.execute("select pgreprise.number_leaving_acts(%s)", (logical_shard,))


def thaw(dba: Connection, logical_shard: int) -> None:
    """Give a move up."""
    dba.execute("select pgreprise.end_leaving(%s)", (logical_shard,))
    guard(dba)


def bring(source: Connection, target: Connection, logical_shard: int) -> None:
    """Copy a logical shard that is leaving, or has left, in one transaction of the target."""
    place = "select * from pgreprise.shard_places() where logical_shard = %s"
    known = one(source, place, logical_shard)
    batches = json.dumps(one(source, "select pgreprise.shard_batches(%s) as told", logical_shard)["told"])
    with target.transaction():
        target.execute(
            "select pgreprise.begin_arriving(%s, %s, %s)",
            (logical_shard, known["move_number"] + 1, known["last_number"]),
        )
        target.execute("select pgreprise.add_batches(%s)", (batches,))
        for table in source.execute("select * from pgreprise.shard_copies(%s)", (logical_shard,)).fetchall():
            copy(source, target, table["taken"], table["given"])
        has_left = known["state"] == "left"
        assert checksums(target, logical_shard) == checksums(source, logical_shard, kept=has_left)


def move(source: Connection, target: Connection, logical_shard: int) -> None:
    """Freeze, copy, leave."""
    freeze(source, logical_shard)
    bring(source, target, logical_shard)
    source.execute("select pgreprise.leave_shard(%s, 'other')", (logical_shard,))


def forget(dba: Connection, logical_shard: int) -> None:
    """Drop what is kept."""
    dba.execute("select pgreprise.forget_shard(%s)", (logical_shard,))
    guard(dba)
