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


def checksums(dba: Connection, logical_shard: int) -> list[dict[str, Any]]:
    """How many rows of each table belong to a logical shard, and their checksums."""
    return dba.execute("select * from pgreprise.shard_checksums(%s)", (logical_shard,)).fetchall()


def bring(source: Connection, target: Connection, logical_shard: int) -> None:
    """Copy a logical shard that is leaving, or has left, in one transaction of the target."""
    departure = json.dumps(one(source, "select pgreprise.shard_departure(%s) as told", logical_shard)["told"])
    with target.transaction():
        target.execute("select pgreprise.begin_arrival(%s, %s)", (logical_shard, departure))
        for table in source.execute("select * from pgreprise.shard_copies(%s)", (logical_shard,)).fetchall():
            copy(source, target, table["copy_out"], table["copy_in"])
        assert checksums(target, logical_shard) == checksums(source, logical_shard)
        target.execute("select pgreprise.arrive_logical_shard(%s, %s)", (logical_shard, departure))


def move(source: Connection, target: Connection, logical_shard: int) -> None:
    """Freeze, copy, leave."""
    source.execute("select pgreprise.freeze_logical_shard(%s)", (logical_shard,))
    bring(source, target, logical_shard)
    source.execute("select pgreprise.leave_logical_shard(%s)", (logical_shard,))
