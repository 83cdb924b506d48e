"""The SQL of a router: a database whose entry points call those of the servers."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from typing import Any

import psycopg
from psycopg import sql
from psycopg.conninfo import make_conninfo
from sqlalchemy import URL

from pyapi.schema.files import router_text, sql_text

__all__ = ["LOGIN", "Conflict", "connection_of", "held_by", "router_of", "router_sql"]

# The role as which a router logs in to its servers, unless another is named.
LOGIN = "pgreprise_router_login"

Connection = psycopg.Connection[tuple[Any, ...]]

# What a router has as a plain database has it.
_BEFORE = ("core/roles",)
_SHARED = (
    "reports/shard_numbering",
    "reports/shard_id_range",
    "core/called_by",
    "core/wal_position",
    "core/add_counts",
    "core/refuse_transaction_block",
    "reports/batch_state",
    "reports/population_region",
    "reports/population_shard",
    "reports/id_shard",
    "reports/claim_shard",
)
_OWN = (
    "routed",
    "server_name",
    "servers",
    "server_of",
    "send_shard",
    "facts",
    "server_facts",
    "router_findings",
    "caller",
    "rule_of_host",
    "is_answer",
    "is_away",
    "raise_server_away",
    "shard_of",
)
# One server after another.
_EACH = (
    "claim_report",
    "release_stuck_runs",
    "batch_filter_of",
    "batch_tokens",
    "rerun_batch_effects",
    "create_rerun_batch",
    "rerun_batches",
    "chunk_turn",
    "rerun_batch_chunk",
    "cancel_rerun_batch",
    "undo_batch_chunk",
    "purge_chunk",
    "feeds",
    "rerun_feed",
    "feed_position",
    "keep_feed_position",
    "raise_half_done",
    "set_everywhere",
    "set_cache_versions",
    "set_setting",
    "routed_rerun_reports",
    "rerun_reports",
    "status",
)
# They commit between chunks, which other entry points do, and so they are the same on a router.
_DRIVERS = (
    "reports/run_rerun_batch",
    "reports/undo_rerun_batch",
    "reports/purge_in_chunks",
    "reports/purge_runs",
    "reports/purge_by_retention",
)


class Conflict(ValueError):
    """The servers do not hold each logical shard once; the message says which."""


def connection_of(url: URL) -> str:
    """How PL/Proxy connects to a server. Who logs in, and the password, is a user mapping on the router."""
    given = {name: str(value) for name, value in url.query.items()}
    for name, value in (("host", url.host), ("port", url.port), ("dbname", url.database)):
        if value is not None:
            given[name] = str(value)
    # A server that does not answer at all is given up soon, so that the calls to the others go on.
    return make_conninfo(**({"connect_timeout": "5"} | given))


def held_by(shards: Mapping[str, Connection]) -> dict[int, str]:
    """Which server holds each logical shard. Raises Conflict."""
    found: dict[int, list[str]] = {number: [] for number in range(64)}
    for name, shard in shards.items():
        for (number,) in shard.execute(router_text("held_shards").encode()):
            found[number].append(name)
    wrong = [
        f"{number} is held by {' and '.join(names)}" if names else f"{number} is held by no server"
        for number, names in found.items()
        if len(names) != 1
    ]
    if wrong:
        raise Conflict(f"Each logical shard has to be on one server. Logical shard {'; '.join(wrong)}.")
    return {number: names[0] for number, names in found.items()}


def router_of(shards: Mapping[str, Connection], urls: Mapping[str, URL], login: str = LOGIN) -> str:
    """The SQL of a router for servers of these names: connections to them, and their URLs. Raises Conflict."""
    held = held_by(shards)
    return router_sql(next(iter(shards.values())), {name: connection_of(urls[name]) for name in shards}, held, login)


def _statements(shard: Connection, name: str) -> list[str]:
    # The statement is the last column.
    return [row[-1] for row in shard.execute(router_text(name).encode()).fetchall()]


def _copied(shard: Connection, table: str, columns: Sequence[str], order: Sequence[str]) -> str:
    """The rows of a table as psql reads them."""
    names = sql.SQL(", ").join(map(sql.Identifier, columns))
    rows = io.BytesIO()
    query = sql.SQL("copy (select {} from {} order by {}) to stdout").format(
        names, sql.Identifier("pgreprise", table), sql.SQL(", ").join(map(sql.Identifier, order))
    )
    with shard.cursor() as cursor, cursor.copy(query) as copy:
        for block in copy:
            rows.write(block)
    listed = ", ".join(columns)
    return f"copy pgreprise.{table} ({listed}) from stdin;\n{rows.getvalue().decode()}\\.\n"


def _server_names(shard: Connection, connections: Mapping[str, str]) -> str:
    return "".join(
        sql.SQL("insert into pgreprise.server_name (name, connection) values ({}, {});\n")
        .format(sql.Literal(name), sql.Literal(connection))
        .as_string(shard)
        for name, connection in connections.items()
    )


def _foreign_server(shard: Connection, connections: Mapping[str, str], held: Mapping[int, str], login: str) -> str:
    """Where the logical shards are. PL/Proxy wants as many as a power of two; 64 are one."""
    given, set_to = (
        sql.SQL(", ")
        .join(
            sql.SQL("{}{} {}").format(
                sql.SQL(verb), sql.Identifier(f"p{number}"), sql.Literal(connections[held[number]])
            )
            for number in sorted(held)
        )
        .as_string(shard)
        for verb in ("", "set ")
    )
    return (
        "do $$ begin\n"
        "  if not exists (select from pg_foreign_server as server where server.srvname = 'pgreprise') then\n"
        f"    create server pgreprise foreign data wrapper plproxy options ({given});\n"
        "  end if;\n"
        f"  alter server pgreprise options ({set_to});\n"
        "end $$;\n"
        "create user mapping if not exists for pgreprise_owner server pgreprise options "
        f"(user {sql.Literal(login).as_string(shard)});\n"
    )


def router_sql(shard: Connection, connections: Mapping[str, str], held: Mapping[int, str], login: str) -> str:
    """The SQL of a router, for psql, run by a superuser.

    shard: one of the servers; the router is made from its catalog.
    connections: how PL/Proxy connects to each server, by its name, as libpq reads it, without a password.
    held: the name of the server of each logical shard.
    login: the role as which it connects, a member of pgreprise_router on each server.
    """
    parts = [
        # A savepoint for each statement would hide from `end` what this transaction makes.
        "\\set ON_ERROR_STOP on\n\\set ON_ERROR_ROLLBACK off\nbegin;\n",
        "set client_min_messages = warning;\nset search_path = pg_catalog;\n",
        *(sql_text(name) for name in _BEFORE),
        router_text("begin"),
        _foreign_server(shard, connections, held, login),
        *(f"{statement}\n" for statement in _statements(shard, "router_types")),
        *(sql_text(name) for name in _SHARED[:2]),
        _copied(shard, "shard_numbering", ("first_id", "hash_version"), ("first_id",)),
        _copied(shard, "shard_id_range", ("kind", "first_id", "last_id", "logical_shard"), ("kind", "first_id")),
        *(sql_text(name) for name in _SHARED[2:]),
        *(router_text(name) for name in _OWN),
        _server_names(shard, connections),
        *(f"{statement}\n" for statement in _statements(shard, "router_functions")),
        *(router_text(name) for name in _EACH),
        *(sql_text(name) for name in _DRIVERS),
        *(f"{statement}\n" for statement in _statements(shard, "router_rights")),
        router_text("end"),
        "commit;\n",
    ]
    return "\n".join(parts)
