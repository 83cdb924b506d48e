"""The SQL of a router: a database whose entry points call those of the servers."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from typing import Any

import psycopg
from psycopg import sql

from pyapi.schema.files import sql_folder, sql_text

__all__ = ["router_sql"]

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
    "reports/population_region",
    "reports/population_shard",
    "reports/id_shard",
    "reports/claim_shard",
)
_OWN = ("routed", "servers", "caller", "is_answer", "raise_server_away", "shard_of")
# One server after another.
_EACH: tuple[str, ...] = ()
# They commit between chunks, which other entry points do, and so they are the same on a router.
_DRIVERS: tuple[str, ...] = ()


def _router_text(name: str) -> str:
    return (sql_folder() / "router" / f"{name}.sql").read_text(encoding="utf-8")


def _statements(shard: Connection, name: str) -> list[str]:
    # The statement is the last column.
    return [row[-1] for row in shard.execute(_router_text(name).encode()).fetchall()]


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


def _foreign_server(shard: Connection, connections: Mapping[int, str], login: str) -> str:
    """Where the logical shards are. PL/Proxy takes the server of a number that is a power of two."""
    given = sql.SQL(", ").join(
        sql.SQL("{} {}").format(sql.Identifier(f"p{number}"), sql.Literal(connections[number]))
        for number in sorted(connections)
    )
    return (
        "drop server if exists pgreprise_before;\n"
        "do $$ begin\n"
        "  if not exists (select from pg_foreign_server as server where server.srvname = 'pgreprise') then\n"
        f"    create server pgreprise foreign data wrapper plproxy options ({given.as_string(shard)});\n"
        "  end if;\n"
        "end $$;\n"
        "create user mapping if not exists for pgreprise_owner server pgreprise options "
        f"(user {sql.Literal(login).as_string(shard)});\n"
    )


def router_sql(shard: Connection, connections: Mapping[int, str], login: str) -> str:
    """The SQL of a router, for psql, run by a superuser.

    shard: one of the servers; the router is made from its catalog.
    connections: how PL/Proxy connects to the server of each logical shard, as libpq reads it, without a password.
    login: the role as which it connects, a member of pgreprise_router on each server.
    """
    parts = [
        "\\set ON_ERROR_STOP on\nbegin;\nset client_min_messages = warning;\nset search_path = pg_catalog;\n",
        *(sql_text(name) for name in _BEFORE),
        _router_text("begin"),
        _foreign_server(shard, connections, login),
        *(f"{statement}\n" for statement in _statements(shard, "router_types")),
        *(sql_text(name) for name in _SHARED[:2]),
        _copied(shard, "shard_numbering", ("first_id", "hash_version"), ("first_id",)),
        _copied(shard, "shard_id_range", ("kind", "first_id", "last_id", "logical_shard"), ("kind", "first_id")),
        *(sql_text(name) for name in _SHARED[2:]),
        *(_router_text(name) for name in _OWN),
        *(f"{statement}\n" for statement in _statements(shard, "router_functions")),
        *(_router_text(name) for name in _EACH),
        *(sql_text(name) for name in _DRIVERS),
        *(f"{statement}\n" for statement in _statements(shard, "router_rights")),
        _router_text("end"),
        "commit;\n",
    ]
    return "\n".join(parts)
