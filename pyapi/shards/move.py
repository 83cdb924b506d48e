"""Moving a logical shard from one server to another.

Each step is a transaction, and says what is there when the next one begins; so a command that was stopped anywhere is
given again, and goes on from what it finds. The rows are live on one server at any time, or, between two commits, on
none, with a copy that is kept:

1. The server that has them takes no new rows of the logical shard (``begin_leaving``), and then no changes of those
   that it has, one table after the other (``guard_table``).
2. They are copied into a transaction of the other server, and compared there.
3. The first server takes them out of its tables, and keeps them elsewhere (``leave_shard``).
4. The other server commits.
5. The router is told.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg.types.json import Jsonb

from pyapi.shards.servers import Server, ShardError, connect, facts_of, pipe, places_of
from pyapi.wording import counted

__all__ = ["Found", "find", "fingerprints", "forget", "kept_newer", "move", "rehearse", "require_all", "require_live"]

Say = Callable[[str], None]


@dataclass(frozen=True)
class Found:
    """Where a logical shard is: the server that has it, whether its rows are live there, and how often it was moved."""

    server: Server
    state: str
    move_number: int
    last_number: int
    kept_newer: str | None
    """The server that keeps newer rows than those that are live, None where there is none."""


_ALL = "PGREPRISE_SHARDS must name all servers. Nothing was changed."


def find(shard: int, servers: dict[str, Server]) -> Found:
    """Where the logical shard is. Raises ShardError where none of these servers has it, or a newer one must be."""
    return _find(shard, servers, {name: places_of(server)[shard] for name, server in servers.items()})


def require_all(servers: dict[str, Server]) -> None:
    """Raise ShardError where a logical shard must be on a server that is not among these.

    A server that holds nothing is not missed.
    """
    places = {name: places_of(server) for name, server in servers.items()}
    problems = []
    for shard in range(64):
        try:
            _find(shard, servers, {name: known[shard] for name, known in places.items()})
        except ShardError as error:
            problems.append(str(error))
    if problems:
        more = f"Of {counted(len(problems) - 1, 'more logical shard')} it is the same. " if len(problems) > 1 else ""
        raise ShardError(f"{problems[0].removesuffix(_ALL)}{more}{_ALL}")


def _live(places: Mapping[str, dict[str, Any]]) -> str | None:
    """The server that has a logical shard live; the one to which it moved last, where a backup was restored."""
    live = [name for name, place in places.items() if place["state"] in ("held", "leaving")]
    return max(live, key=lambda name: places[name]["move_number"], default=None)


def kept_newer(places: Mapping[str, dict[str, Any]]) -> str | None:
    """The server that keeps the newest rows of a logical shard, where older ones are live; else None.

    places: what each server knows of it.
    """
    live = _live(places)
    if live is None:
        return None
    kept = [
        name for name, place in places.items()
        if place["state"] == "left" and place["move_number"] > places[live]["move_number"]
    ]  # fmt: skip
    return max(kept, key=lambda name: places[name]["move_number"], default=None)


def _find(shard: int, servers: dict[str, Server], places: dict[str, dict[str, Any]]) -> Found:
    order = {"held": 2, "leaving": 2, "left": 1, "absent": 0}
    # What a server says that had it later is newer than what is live on another one, which was perhaps restored.
    newest = max(places, key=lambda name: (places[name]["move_number"], order[places[name]["state"]]))
    where, went_to = newest, places[newest]["went_to"]
    if order[places[newest]["state"]] < 2:
        if went_to is not None and went_to not in places:
            raise ShardError(f"Logical shard {shard} left {newest} for {went_to}, which is not named. {_ALL}")
        where = _live(places) or newest
    place = places[where]
    if place["state"] == "absent":
        raise ShardError(f"No server has logical shard {shard}. {_ALL}")
    last = max(known["last_number"] or 0 for known in places.values())
    return Found(servers[where], place["state"], places[newest]["move_number"], last, kept_newer(places))


def _require_newest(found: Found, shard: int) -> None:
    """Raise ShardError where a backup was restored, and only the server that had the rows after it keeps them."""
    if found.kept_newer is not None:
        raise ShardError(
            f"Logical shard {shard} is live on {found.server.name} as it was before it moved to {found.kept_newer}, "
            f"perhaps from a backup, and {found.kept_newer} keeps newer rows of it. Nothing was changed. "
            'Decide which ones stay: "Backups" in docs/how-to/scale.md has the commands for either.'
        )


def fingerprints(server: Server, shard: int, *, kept: bool = False) -> dict[str, tuple[int, str]]:
    """The number of rows and their sum, by table."""
    return {
        row["table_name"]: (row["rows"], row["checksum"])
        for row in server.ask("select * from pgreprise.shard_fingerprint(%s, %s)", shard, kept)
    }


def require_alike(source: Server, target: Server) -> None:
    """Raise ShardError where rows of one server would not be the same on the other."""
    here, there = facts_of(source), facts_of(target)
    for what, name in (("ids, or the ranges of older ids,", "numbering"), ("routines", "routines")):
        if here[name] != there[name]:
            raise ShardError(
                f"The {what} of servers {source.name} and {target.name} differ. Nothing was changed. "
                "Type: pgreprise shard migrate, and for a new server: pgreprise shard prepare NAME --empty"
            )
    tables = [
        {row["table_name"]: list(zip(row["columns"] or [], row["types"] or [], strict=True)) for row in found}
        for found in (server.ask("select * from pgreprise.shard_tables()") for server in (source, target))
    ]
    for name in tables[0] | tables[1]:
        if tables[0].get(name) != tables[1].get(name):
            raise ShardError(
                f"Table {name} of servers {source.name} and {target.name} has other columns. Nothing was changed. "
                "Bring both to the same tables: pg_dump --schema-only shows them."
            )


def rehearse(shard: int, target: Server, servers: dict[str, Server]) -> tuple[Server, int]:
    """The server that has the logical shard, and how many rows would be moved. Raises what would stop the move."""
    found = find(shard, servers)
    _require_newest(found, shard)
    source = found.server
    rows = sum(count for count, _ in fingerprints(source, shard, kept=found.state == "left").values())
    if source is not target:
        require_alike(source, target)
        if found.state != "left":
            with source.telling(), source.connection.transaction(force_rollback=True):
                source.run("select pgreprise.begin_leaving(%s)", shard)
    return source, rows


def move(shard: int, target: Server, servers: dict[str, Server], say: Say) -> Server:
    """Bring the logical shard to the target, from whatever an earlier command has left. Returns where it was.

    servers: all of them by name. Raises ShardError; what was begun and can be given up is given up.
    """
    found = find(shard, servers)
    _require_newest(found, shard)
    source = found.server
    if source is target:
        _stay(found, shard, say)
        return source
    require_alike(source, target)
    if places_of(target)[shard]["state"] == "left":
        # An older copy.
        _forget(target, shard)
    if found.state == "left":
        say(f"logical shard {shard}: {source.name} has kept it, and it has not arrived; it goes on to {target.name}")
        # Before it can arrive there, so that whoever does not name that server is told.
        source.run("select pgreprise.redirect_shard(%s, %s)", shard, target.name)
        _copy(found, shard, target)
        _arrive(source, shard, target)
    else:
        _leave(found, shard, target)
    say(f"logical shard {shard}: moved from {source.name} to {target.name}")
    return source


def _tables(server: Server) -> list[str]:
    return [row["table_name"] for row in server.ask("select table_name from pgreprise.shard_tables()")]


def _guard(server: Server) -> None:
    for table in _tables(server):
        server.run("select pgreprise.guard_table(%s)", table)


def _forget(server: Server, shard: int) -> bool:
    [row] = server.ask("select pgreprise.forget_shard(%s) as is_done", shard)
    _guard(server)
    return bool(row["is_done"])


def _stay(found: Found, shard: int, say: Say) -> None:
    """Give a move up that had begun, or had taken the rows out of the tables without arriving."""
    server = found.server
    if found.state == "left":
        server.run("select pgreprise.take_back_shard(%s)", shard)
        say(f"logical shard {shard}: taken back by {server.name}")
    elif found.state == "leaving":
        server.run("select pgreprise.end_leaving(%s)", shard)
        say(f"logical shard {shard}: stays on {server.name}; the move was given up")
    else:
        say(f"logical shard {shard}: is on {server.name}")
    _guard(server)


def _leave(found: Found, shard: int, target: Server) -> None:
    """Steps 1 to 4."""
    source = found.server
    try:
        source.run("select pgreprise.begin_leaving(%s)", shard)
        for table in _tables(source):
            if table != "pgreprise.rerun":
                source.run("select pgreprise.guard_table(%s)", table)
        source.run("select pgreprise.number_leaving_acts(%s)", shard)
        copied = _copy(found, shard, target)
        with source.telling(), source.connection.transaction():
            source.run("select pgreprise.leave_shard(%s, %s)", shard, target.name)
            if fingerprints(source, shard, kept=True) != copied:
                raise ShardError(f"Rows of logical shard {shard} were changed on {source.name} while they were copied.")
    except BaseException as error:
        with suppress(psycopg.Error):
            target.connection.execute("rollback")
        _give_up(source, shard, error)
        raise
    _arrive(source, shard, target)


def _arrive(source: Server, shard: int, target: Server) -> None:
    """Step 4. Until this, the rows are kept where they were."""
    try:
        target.run("commit")
    except ShardError as error:
        raise ShardError(
            f"{error} Logical shard {shard} has left {source.name}, which keeps it, and it is not known whether it has "
            f"arrived. Give the command again, or --to {source.name} to take it back."
        ) from error


def _copy(found: Found, shard: int, target: Server) -> dict[str, tuple[int, str]]:
    """Copy the rows into a transaction of the target, which stays open, and compare them there. Returns the sums."""
    source = found.server
    [batches] = source.ask("select pgreprise.shard_batches(%s) as batches", shard)
    last = max(found.last_number, places_of(source)[shard]["last_number"] or 0)
    target.run("begin")
    try:
        target.run("select pgreprise.begin_arriving(%s, %s, %s)", shard, found.move_number + 1, last)
        target.run("select pgreprise.add_batches(%s)", Jsonb(batches["batches"]))
        for table in source.ask("select * from pgreprise.shard_copies(%s)", shard):
            pipe(source, table["taken"], target, table["given"])
        # Its commit comes when the source has let go, and must not fail.
        target.run("set constraints all immediate")
        taken = fingerprints(source, shard, kept=found.state == "left")
        given = fingerprints(target, shard)
        for name in taken:
            if taken[name] != given[name]:
                raise ShardError(
                    f"Table {name}: {source.name} has {taken[name][0]} rows of logical shard {shard} with the sum "
                    f"{taken[name][1]}, and {target.name} got {given[name][0]} with the sum {given[name][1]}. "
                    f"A trigger of the application may change rows on {target.name}."
                )
        return taken
    except BaseException:
        with suppress(psycopg.Error):
            target.connection.execute("rollback")
        raise


def _give_up(source: Server, shard: int, error: BaseException) -> None:
    """Let the rows be written again, on a new connection: the old one may be in the middle of a copy."""
    source.connection.close()
    try:
        again = connect(source.name, source.url)
        try:
            again.run("select pgreprise.end_leaving(%s)", shard)
            _guard(again)
            state = places_of(again)[shard]["state"]
        finally:
            again.connection.close()
    except ShardError as also:
        raise ShardError(
            f"{error} Logical shard {shard} is on {source.name} and may refuse writes, as the move could not be given "
            f"up ({also}). Give the command again, or --to {source.name} to stay there."
        ) from error
    if isinstance(error, ShardError):
        if state == "held":
            raise ShardError(f"{error} Logical shard {shard} is on {source.name} as before.") from error
        raise ShardError(f"{error} Logical shard {shard} has not arrived. Give the command again.") from error


def require_live(shards: Iterable[int], servers: dict[str, Server]) -> dict[int, Server]:
    """The servers that have these logical shards. Raises ShardError where one has not arrived, or is newer as kept."""
    found = {shard: find(shard, servers) for shard in shards}
    for shard, here in found.items():
        _require_newest(here, shard)
        if here.state == "left":
            raise ShardError(
                f"Logical shard {shard} has left {here.server.name} and has not arrived. That copy is the only one. "
                "Nothing was changed. Type: pgreprise shard move, to the same server as before."
            )
    return {shard: here.server for shard, here in found.items()}


def forget(shards: Iterable[int], servers: dict[str, Server], say: Say) -> None:
    """Drop the copies of logical shards that stayed where they were before. Raises ShardError as ``require_live``."""
    for shard, live in require_live(shards, servers).items():
        for server in servers.values():
            if places_of(server)[shard]["state"] == "left":
                _forget(server, shard)
                say(f"logical shard {shard}: {server.name} has forgotten it; it is on {live.name}")
