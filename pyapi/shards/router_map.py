"""The map of a router: how it connects to the server of each logical shard."""

from __future__ import annotations

from collections.abc import Mapping

from psycopg import sql
from psycopg.conninfo import conninfo_to_dict
from sqlalchemy import URL

from pyapi.shards.servers import Server, ShardError, connect, router_connection

__all__ = ["address_for", "connect_router", "partitions_of", "switch"]

_OPTIONS = (
    "select option.option_name as name, option.option_value as value from pg_catalog.pg_foreign_server as server "
    "cross join lateral pg_catalog.pg_options_to_table(server.srvoptions) as option where server.srvname = 'pgreprise'"
)


def connect_router(url: URL) -> Server:
    """The router. Raises ShardError where it cannot be reached."""
    return connect("router", url)


def partitions_of(router: Server) -> dict[int, str]:
    """How the router connects to the server of each logical shard. Raises ShardError where it is no router."""
    partitions = {
        int(row["name"][1:]): row["value"] for row in router.ask(_OPTIONS) if row["name"][:1] == "p"
        and row["name"][1:].isdecimal()
    }  # fmt: skip
    if not partitions:
        raise ShardError("DATABASE_URL is no router: it has no server pgreprise. Make one: pgreprise shard router")
    return partitions


def address_for(name: str, urls: Mapping[str, URL], partitions: Mapping[int, str]) -> str:
    """How the router connects to a server: as it does already, perhaps over a pooler there, or as its URL says."""
    own = router_connection(urls[name])
    if own in partitions.values():
        return own
    others = {router_connection(url) for other, url in urls.items() if other != name}
    # A pooler beside the server has its host and another port.
    known = {way for way in partitions.values() if way not in others and _place(way) == _place(own)}
    return min(known, default=own)


def _place(connection: str) -> tuple[object, object]:
    parts = conninfo_to_dict(connection)
    return parts.get("host"), parts.get("dbname")


def switch(router: Server, shard: int, address: str) -> bool:
    """Let the router send what belongs to the logical shard to this address. Returns whether it did not so before."""
    partitions = partitions_of(router)
    if partitions.get(shard) == address:
        return False
    statement = sql.SQL("alter server pgreprise options ({} {} {})").format(
        sql.SQL("set" if shard in partitions else "add"), sql.Identifier(f"p{shard}"), sql.Literal(address)
    )
    with router.telling():
        router.connection.execute(statement)
    return True
