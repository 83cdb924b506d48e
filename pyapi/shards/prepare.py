"""Making a database one of several servers, and bringing all of them to one version."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Engine

from pyapi.schema import migrate
from pyapi.schema.files import sql_text
from pyapi.shards.servers import Server, facts_of, pipe

__all__ = ["install_shard_functions", "is_prepared", "prepare", "prepare_empty", "upgrade"]

_RANGES = "pgreprise.shard_id_range (kind, first_id, last_id, logical_shard)"
_SETTINGS = "select name, value from public.settings()"
_VERSIONS = ("country_id", "economy_impact", "report_output", "package")
_SET_VERSIONS = "select public.set_cache_versions(%s, economy_impact => %s, report_output => %s, package => %s)"


def install_shard_functions(server: Server) -> None:
    """Install, or bring to the entry points of today, the functions that a router calls."""
    server.run(sql_text("reports/install_shard_functions"))


def is_prepared(server: Server) -> bool:
    """Whether the database is one of several servers."""
    [row] = server.ask("select to_regprocedure('pgreprise.shard_facts()') is not null as is_installed")
    return bool(row["is_installed"]) and facts_of(server)["numbering"] is not None


def prepare(server: Server, *, dry_run: bool = False) -> dict[str, Any]:
    """Make a database with all reports the server that holds all logical shards. Returns what prepare_shard says."""
    with server.telling(), server.connection.transaction(force_rollback=dry_run):
        [row] = server.ask("select pgreprise.prepare_shard() as prepared")
        install_shard_functions(server)
    prepared: dict[str, Any] = row["prepared"]
    return prepared


def prepare_empty(server: Server, like: Server, *, dry_run: bool = False) -> dict[str, Any]:
    """Make an empty database a server that holds nothing yet, with numbering and settings like those of another one.

    Returns what prepare_shard says.
    """
    here = {row["name"]: row["value"] for row in server.ask(_SETTINGS)}
    with server.telling(), server.connection.transaction(force_rollback=dry_run):
        [row] = server.ask(
            "select pgreprise.prepare_shard(array[]::integer[], first_id => %s) as prepared",
            facts_of(like)["numbering"]["first_id"],
        )
        pipe(like, f"copy {_RANGES} to stdout", server, f"copy {_RANGES} from stdin")
        for setting in like.ask(_SETTINGS):
            if here.get(setting["name"]) != setting["value"]:
                server.run("select public.set_setting(%s, %s)", setting["name"], setting["value"])
        for country in like.ask("select * from public.cache_versions()"):
            server.run(_SET_VERSIONS, *(country[name] for name in _VERSIONS))
        install_shard_functions(server)
    prepared: dict[str, Any] = row["prepared"]
    return prepared


def upgrade(engine: Engine, server: Server) -> list[str]:
    """Migrate a server and its functions for the router. Returns a line for each routine that was updated."""
    lines = migrate.upgrade(engine)
    if is_prepared(server):
        install_shard_functions(server)
    return lines
