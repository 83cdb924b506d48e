"""The same tests through a router: ``--through-router`` puts one before the database that each test gets.

Behind the router is one server, an unprepared database, so that rows have the numbers that the tests expect. Tests
look at tables and write rows where they call routines: the router of a test has the tables of the server as foreign
tables. Calls go the way that they go with many servers.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg
from pytest_postgresql.janitor import DatabaseJanitor
from sqlalchemy import URL

from pyapi.schema import migrate
from pyapi.schema.files import sql_text
from pyapi.shards.router import LOGIN, connection_of, router_of
from tests.support.databases import connect, engine, janitor
from tests.support.servers import Programs, Server, server

TEMPLATE = "template_routed"
# What a router has under the same names as a server.
_OWN_TABLES = "pgreprise.shard_numbering, pgreprise.shard_id_range, pgreprise.routed, pgreprise.server_name"

# A row that is written through a foreign table without an id comes with null.
_NUMBERING = """
    create function number_of_tests() returns trigger language plpgsql as $$
    begin
      if tg_table_name = 'reform_impact' then
        new.reform_impact_id := nextval(pg_get_serial_sequence('public.reform_impact', 'reform_impact_id'));
      else
        new.id := nextval(pg_get_serial_sequence(format('public.%I', tg_table_name), 'id'));
      end if;
      return new;
    end;
    $$;
    create trigger number_of_tests before insert on public.simulations
      for each row when (new.id is null) execute function number_of_tests();
    create trigger number_of_tests before insert on public.report_outputs
      for each row when (new.id is null) execute function number_of_tests();
    create trigger number_of_tests before insert on public.reform_impact
      for each row when (new.reform_impact_id is null) execute function number_of_tests();
"""


@dataclass
class Routed:
    """A server, and one with the routers before it."""

    behind: Server
    of_routers: Server

    @property
    def server(self) -> URL:
        """Where the routers are."""
        return self.of_routers.url()

    def new_database(self, name: str, template: str | None) -> DatabaseJanitor:
        """A database; of the template a router, with a database of its own behind it."""
        if template is None:
            return janitor(self.server, name)
        return _RoutedJanitor(self, name, template)


class _RoutedJanitor(DatabaseJanitor):
    def __init__(self, routed: Routed, name: str, template: str) -> None:
        self.routed, self.template = routed, template
        super().__init__(user="postgres", host="127.0.0.1", port=routed.of_routers.port, dbname=name,
                         template_dbname=template, maintenance_dbname="postgres")  # fmt: skip

    def init(self) -> None:
        for made in (self.routed.behind, self.routed.of_routers):
            made.execute(f"create database {self.dbname} template {self.template} strategy file_copy")
        target = connection_of(self.routed.behind.url(self.dbname))
        options = ", ".join(f"set p{number} '{target}'" for number in range(64))
        with connect(self.routed.of_routers.url(self.dbname)) as router:
            router.execute(f"alter server pgreprise options ({options})".encode())
            router.execute(f"alter server behind options (set dbname '{self.dbname}')".encode())
            router.execute("update pgreprise.server_name set connection = %s", (target,))

    def drop(self) -> None:
        for made in (self.routed.of_routers, self.routed.behind):
            made.execute(f"drop database {self.dbname} with (force)")


def _make_templates(routed: Routed) -> None:
    behind, of_routers = routed.behind, routed.of_routers
    behind.execute(f"create database {TEMPLATE}")
    migrated = engine(behind.url(TEMPLATE))
    migrate.upgrade(migrated)
    migrated.dispose()
    with connect(behind.url(TEMPLATE)) as on:
        on.execute(f"create role {LOGIN} login in role pgreprise_router".encode())
        on.execute("insert into pgreprise.logical_shard (logical_shard, state) "
                   "select number, 'held' from generate_series(0, 63) as listed(number)")  # fmt: skip
        on.execute(sql_text("reports/install_shard_functions").encode())
        on.execute(_NUMBERING.encode())
    of_routers.execute(f"create database {TEMPLATE}")
    of_routers.programs.run_psql(of_routers.port, TEMPLATE, router_text(behind, TEMPLATE))
    with connect(of_routers.url(TEMPLATE)) as on:
        on.execute(
            f"""
            create extension postgres_fdw;
            create server behind foreign data wrapper postgres_fdw
              options (host '127.0.0.1', port '{behind.port}', dbname '{TEMPLATE}');
            create user mapping for public server behind options (user 'postgres', password_required 'false');
            create type pgreprise.cache_key as (
              country_id text, baseline_policy_id bigint, reform_policy_id bigint, region text, dataset text,
              time_period text
            );
            import foreign schema public limit to (report_outputs, simulations, reform_impact)
              from server behind into public options (import_default 'true');
            import foreign schema pgreprise except ({_OWN_TABLES.replace("pgreprise.", "")})
              from server behind into pgreprise;
        """.encode()
        )


def router_text(behind: Server, database: str) -> str:
    """The SQL of a router before one server."""
    with psycopg.connect(host="127.0.0.1", port=behind.port, user="postgres", dbname=database) as shard:
        return router_of({"a": shard}, {"a": behind.url(database)})


@contextmanager
def routed_servers(folder: Path) -> Iterator[Routed]:
    """Two servers with templates of databases and of routers."""
    programs = Programs.of_debian()
    programs.own(folder)
    with server(programs, folder / "behind") as behind, server(programs, folder / "routers") as of_routers:
        routed = Routed(behind, of_routers)
        _make_templates(routed)
        yield routed
