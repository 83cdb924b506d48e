"""Commands for several servers behind a router."""

from __future__ import annotations

from contextlib import ExitStack

import click
import psycopg
from sqlalchemy import URL

from pyapi.cli.connections import SettingsError, read_settings
from pyapi.shards.router import LOGIN, Conflict, router_of

__all__ = ["COMMANDS"]


@click.group("shard")
def shard() -> None:
    """Several servers behind a router. PGREPRISE_SHARDS names them.

    Each server is a complete database, which holds some of 64 logical shards: whole populations with their
    reports, simulations and cache rows. The router is a database without reports: its routines have the same names,
    and send each call to the server. It needs PostgreSQL 15 and the extension plproxy.
    """


def servers() -> dict[str, URL]:
    """The servers of PGREPRISE_SHARDS by name. Raises SettingsError where there are none."""
    found = read_settings().shards
    if not found:
        raise SettingsError(
            "PGREPRISE_SHARDS is not set. It names the servers, as a=postgresql://user@host/database "
            "b=postgresql://user@otherhost/database."
        )
    return found


@shard.command("router")
@click.option(
    "--login",
    default=LOGIN,
    show_default=True,
    metavar="ROLE",
    help="The role as which the router logs in to the servers, a member of pgreprise_router there.",
)
def router(login: str) -> None:
    """Print the SQL that makes the router, or brings it to what the servers have now.

    Run it as a superuser in a database of its own:

    \b
      createdb router
      pgreprise shard router > router.sql
      psql --dbname router --file router.sql

    The servers have to be migrated before. Run it again after each migration of them.
    """
    with ExitStack() as opened:
        connections = {}
        for name, url in servers().items():
            text = url.set(drivername="postgresql").render_as_string(hide_password=False)
            connections[name] = opened.enter_context(psycopg.connect(text))
        try:
            click.echo(router_of(connections, servers(), login), nl=False)
        except Conflict as error:
            raise click.ClickException(str(error)) from error


COMMANDS = (shard,)
