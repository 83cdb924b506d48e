"""Databases that are shards."""

from __future__ import annotations

from typing import Any

from tests.support.databases import Connection
from tests.support.statements import one


def prepare(dba: Connection, *, first_id: int | None = None, is_empty: bool = False) -> dict[str, Any]:
    """Make a database a shard that holds all logical shards, or none of them; returns what was told."""
    held = [] if is_empty else None
    told = one(dba, "select pgreprise.prepare_shard(%s, %s) as told", held, first_id)["told"]
    assert isinstance(told, dict)
    return told
