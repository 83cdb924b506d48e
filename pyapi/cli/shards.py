"""Commands for several servers: which logical shard is on which, moving one, and what each server needs."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import Any

import click
import psycopg
from sqlalchemy import URL

from pyapi.cli.connections import SettingsError, read_settings
from pyapi.cli.failures import one_document
from pyapi.cli.output import JSON_OPTION, echo, print_json, print_rows
from pyapi.database import connect_engine
from pyapi.shards import move as moving
from pyapi.shards import prepare as preparing
from pyapi.shards.router import LOGIN, Conflict, router_of
from pyapi.shards.routers import Router, Telling, require_known_servers, routers_of
from pyapi.shards.servers import Server, ShardError, connected, only_mover, places_of
from pyapi.wording import counted

__all__ = ["COMMANDS"]

_SHARDS = 64
_DRY_RUN = click.option("--dry-run", is_flag=True, help="Show what would be done, and change nothing.")
_NO_ROUTER = click.option("--no-router", is_flag=True, help="There is no router yet: only the servers are changed.")


class _LogicalShards(click.ParamType[list[int]]):
    """Logical shards as 17, 0-20 or 1,5,40-63; in order, each once."""

    name = "logical shards"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> list[int]:
        if isinstance(value, list):
            return value
        shards: set[int] = set()
        for part in value.split(","):
            found = re.fullmatch(r"([0-9]{1,2})(?:-([0-9]{1,2}))?", part.strip(), re.ASCII)
            first, last = (int(found[1]), int(found[2] or found[1])) if found else (1, 0)
            if not first <= last < _SHARDS:
                self.fail(f"{value!r} is not a list of logical shards. Write 17, 0-20 or 1,5,40-63.", param, ctx)
            shards.update(range(first, last + 1))
        return sorted(shards)


_WHICH = click.argument("shards", metavar="SHARDS", type=_LogicalShards())


def _urls() -> Mapping[str, URL]:
    urls = read_settings().shards
    if not urls:
        raise SettingsError(
            "PGREPRISE_SHARDS is not set. It lists the servers: a=postgresql://user@host1/reports "
            "b=postgresql://user@host2/reports"
        )
    return urls


def _require_name(name: str, urls: Mapping[str, URL]) -> None:
    if name not in urls:
        raise click.UsageError(f"There is no server {name} in PGREPRISE_SHARDS. It has {', '.join(urls)}.")


@contextmanager
def _servers() -> Iterator[dict[str, Server]]:
    """All servers; each is connected."""
    with connected(_urls()) as servers:
        yield {name: server for name, server in servers.items() if isinstance(server, Server)}


@contextmanager
def _routers(no_router: bool) -> Iterator[list[Router]]:
    """Those of PGREPRISE_ROUTERS; or DATABASE_URL, or for a role that may alter its servers PGREPRISE_MIGRATION_URL."""
    settings = read_settings()
    if no_router:
        if settings.routers:
            raise SettingsError("PGREPRISE_ROUTERS is set, and --no-router says that there is none. Leave one out.")
        yield []
        return
    if not settings.routers and settings.migration_database is None:
        raise SettingsError("DATABASE_URL is not set. It names the router; without one, give --no-router.")
    with routers_of(settings.routers, settings.migration_database) as routers:
        yield routers


@click.group()
def shard() -> None:
    """Several servers behind a router. PGREPRISE_SHARDS names the servers, DATABASE_URL the router.

    Where there are several routers, PGREPRISE_ROUTERS names all of them. Each of the 64 logical shards is on one
    server.
    """


# --- preparing -------------------------------------------------------------------------------


@shard.command()
@click.argument("name")
@click.option("--empty", is_flag=True, help="A new server, without reports. It holds nothing until something is moved.")
@_DRY_RUN
@JSON_OPTION
def prepare(name: str, empty: bool, dry_run: bool, as_json: bool) -> None:
    """Make the database NAME one of several servers: the one that has all reports, or a new one that is empty.

    Both are migrated already (pgreprise migrate). A new one gets the settings and the versions of the countries.
    """
    urls = _urls()
    _require_name(name, urls)
    with connected(urls, need=False) as servers:
        server = servers[name]
        if isinstance(server, ShardError):
            raise server
        only_mover(server)
        if not empty:
            done = preparing.prepare(server, dry_run=dry_run)
        else:
            like = next((other for other in servers.values() if isinstance(other, Server) and other is not server
                         and preparing.is_prepared(other)), None)  # fmt: skip
            if like is None:
                raise ShardError("No other server in PGREPRISE_SHARDS is prepared. Prepare the one with the reports.")
            done = preparing.prepare_empty(server, like, dry_run=dry_run)
    if as_json:
        print_json({"server": name, "dry_run": dry_run, **done})
        return
    verb = "would hold" if dry_run else "holds"
    echo(
        f"Server {name} {verb} {counted(done['logical_shards'], 'logical shard')}. "
        f"Ids from {done['first_id']} on tell theirs."
    )
    if done["lying_apart"]:
        echo(f"{counted(done['lying_apart'], 'report')} can no longer be rerun: their simulations lie in different "
             "logical shards (RR033). Type: pgreprise defects")  # fmt: skip
    if done["ids_left"] is not None:
        echo(f"The application's ids are of type integer: {done['ids_left']} more numbers for each logical shard.")
    if dry_run:
        echo("Nothing was changed.")


# --- where everything is ---------------------------------------------------------------------


def _elsewhere(sent: Mapping[str, dict[int, str]], number: int, name: str) -> str | None:
    """Which routers do not send a logical shard to the server that has it."""
    wrong = [label for label, servers in sent.items() if servers.get(number) != name]
    if not wrong:
        return None
    if len(wrong) == 1:
        return f"{wrong[0]} looks elsewhere"
    return f"routers {', '.join(label.removeprefix('router ') for label in wrong)} look elsewhere"


def _together(sent: Mapping[str, dict[int, str]], number: int) -> str | None:
    """The server to which all routers send a logical shard, or that of each."""
    names = {label.removeprefix("router "): servers.get(number) for label, servers in sent.items()}
    if len(set(names.values())) <= 1:
        return next(iter(names.values()), None)
    return ", ".join(f"{router}: {name}" for router, name in names.items())


@shard.command("map")
@_NO_ROUTER
@JSON_OPTION
def map_command(no_router: bool, as_json: bool) -> None:
    """Show which server has each logical shard, and where each router looks for it.

    The exit code is 1 where a logical shard is on no server or on two, is being moved, or is looked for elsewhere, and
    where a server or a router is away.
    """
    urls = _urls()
    found: list[dict[str, Any]] = []
    sent: dict[str, dict[int, str]] = {}
    routers_away: dict[str, str] = {}
    with connected(urls, need=False) as servers, _routers(no_router) as routers:
        away = {name: str(server) for name, server in servers.items() if isinstance(server, ShardError)}
        places = {name: places_of(server) for name, server in servers.items() if isinstance(server, Server)}
        sizes = {
            name: {row["logical_shard"]: row for row in server.ask("select * from pgreprise.shard_sizes()")}
            for name, server in servers.items()
            if isinstance(server, Server)
        }
        for router in routers:
            try:
                sent[router.label] = router.sent_to()
            except ShardError as error:
                routers_away[router.name] = str(error)
    for number in range(_SHARDS):
        states = {name: place[number]["state"] for name, place in places.items()}
        live = [name for name, state in states.items() if state in ("held", "leaving")]
        kept = [name for name, state in states.items() if state == "left"]
        newer = moving.kept_newer({name: place[number] for name, place in places.items()})
        wrong = (
            "on no server that answers" if not live
            else "on more than one server" if len(live) > 1
            else f"older than what {newer} keeps" if newer
            else "being moved" if states[live[0]] == "leaving"
            else _elsewhere(sent, number, live[0])
        )  # fmt: skip
        here = sizes[live[0]].get(number, {"reports": 0, "simulations": 0}) if len(live) == 1 else {}
        found.append({
            "logical_shard": number, "server": ", ".join(live) or None, "router": _together(sent, number),
            "reports": here.get("reports"), "simulations": here.get("simulations"), "kept_by": ", ".join(kept) or None,
            "wrong": wrong,
        })  # fmt: skip
    if as_json:
        print_json({"logical_shards": found, "away": away, "routers_away": routers_away})
    else:
        for message in (*away.values(), *routers_away.values()):
            echo(message, err=True)
        print_rows(found, False, empty="")
        for name, place in places.items():
            numbers = [number for number in range(_SHARDS) if place[number]["state"] in ("held", "leaving")]
            reports = sum(row["reports"] for number, row in sizes[name].items() if number in numbers)
            echo(f"{name}: {counted(len(numbers), 'logical shard')}, {counted(reports, 'report')}")
            # A move that is under way is not given up by telling of it.
            stale = [str(number) for number in numbers if place[number]["state"] == "held"
                     and found[number]["server"] == name and _elsewhere(sent, number, name)]  # fmt: skip
            if stale:
                echo(f"To tell the routers: pgreprise shard move {','.join(stale)} --to {name}")
    if away or routers_away or any(row["wrong"] for row in found):
        raise SystemExit(1)


@shard.command("router")
@click.option(
    "--login",
    default=LOGIN,
    show_default=True,
    metavar="ROLE",
    help="The role as which the router logs in to the servers, a member of pgreprise_router there.",
)
def router_command(login: str) -> None:
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
        for name, url in _urls().items():
            text = url.set(drivername="postgresql").render_as_string(hide_password=False)
            connections[name] = opened.enter_context(psycopg.connect(text))
        try:
            click.echo(router_of(connections, _urls(), login), nl=False)
        except Conflict as error:
            raise click.ClickException(str(error)) from error


# --- moving ----------------------------------------------------------------------------------


@shard.command()
@_WHICH
@click.option("--to", "target", required=True, metavar="NAME", help="The server that they are moved to.")
@_NO_ROUTER
@_DRY_RUN
@JSON_OPTION
def move(shards: list[int], target: str, no_router: bool, dry_run: bool, as_json: bool) -> None:
    """Move logical shards to a server, one after the other: 17, 0-20 or 1,5,40-63.

    While one is copied, its reports can be read, and what writes them is refused (RR034). The server that had it keeps
    a copy until `pgreprise shard forget`. A move that was stopped goes on when the command is given again; given with
    the name of the server that it was to leave, it is given up. All routers are told. Those that are away are named at
    the end, and the same command tells them.
    """
    urls = _urls()
    _require_name(target, urls)
    done: list[dict[str, Any]] = []
    with _servers() as servers, _routers(no_router) as routers:
        require_known_servers(routers, urls)
        if not dry_run:
            for server in servers.values():
                only_mover(server)
        moving.require_all(servers)
        if dry_run:
            for number in shards:
                source, rows = moving.rehearse(number, servers[target], servers)
                done.append({"logical_shard": number, "from": source.name, "to": target, "rows": rows})
            print_rows(done, as_json, empty="")
            if not as_json:
                echo("Nothing was changed.")
            return
        say = (lambda _: None) if as_json else echo
        with one_document(done, as_json), Telling(routers, servers[target], say) as telling:
            for number in shards:
                before = moving.move(number, servers[target], servers, say).name
                switched: list[str] = []
                done.append({
                    "status": "ok", "logical_shard": number, "from": before, "to": target, "routers_switched": switched,
                })  # fmt: skip
                telling.tell(number, switched)


@shard.command()
@_WHICH
@JSON_OPTION
def check(shards: list[int], as_json: bool) -> None:
    """Compare logical shards with the copies that stayed where they were before: rows and sums of each table.

    What was done since the move differs, of course. The exit code is 1 where anything differs.
    """
    found: list[dict[str, Any]] = []
    with _servers() as servers:
        for number in shards:
            here = moving.find(number, servers)
            live = moving.fingerprints(here.server, number, kept=here.state == "left")
            copies = [server for server in servers.values()
                      if server is not here.server and places_of(server)[number]["state"] == "left"]  # fmt: skip
            if not copies:
                raise ShardError(f"No server keeps a copy of logical shard {number}; {here.server.name} has it.")
            for server in copies:
                kept = moving.fingerprints(server, number, kept=True)
                found += [
                    {"logical_shard": number, "table": name, "server": here.server.name, "rows": count,
                     "kept_by": server.name, "rows_kept": kept[name][0], "equal": (count, total) == kept[name]}
                    for name, (count, total) in live.items()
                ]  # fmt: skip
    print_rows(found, as_json, empty="")
    if not all(row["equal"] for row in found):
        raise SystemExit(1)


@shard.command()
@_WHICH
@_DRY_RUN
@click.option("--yes", "-y", is_flag=True, help="Do not ask.")
@JSON_OPTION
def forget(shards: list[int], dry_run: bool, yes: bool, as_json: bool) -> None:
    """Drop the copies of logical shards that stayed where they were before they were moved."""
    with _servers() as servers:
        kept = [
            (number, server.name) for server in servers.values()
            for number, place in places_of(server).items() if number in shards and place["state"] == "left"
        ]  # fmt: skip
        numbers = sorted({number for number, _ in kept})
        moving.require_live(numbers, servers)
        found = [{"logical_shard": number, "kept_by": name} for number, name in sorted(kept)]
        print_rows(found, as_json, empty="No server keeps a copy of them.")
        if dry_run and not as_json:
            echo("Nothing was changed.")
        if dry_run or not kept:
            return
        if not yes and not click.confirm("Drop these copies?", err=True):
            echo("Nothing was dropped.", err=True)
            raise SystemExit(1)
        for server in servers.values():
            only_mover(server)
        moving.forget(numbers, servers, (lambda _: None) if as_json else echo)


@shard.command()
@JSON_OPTION
def migrate(as_json: bool) -> None:
    """Migrate every server, one after the other. The router is made anew after that."""
    done: list[dict[str, Any]] = []
    with _servers() as servers, one_document(done, as_json):
        for server in servers.values():
            only_mover(server)
        for name, server in servers.items():
            engine = connect_engine(server.url, call_timeout_seconds=0)
            try:
                lines = preparing.upgrade(engine, server)
            finally:
                engine.dispose()
            [status] = server.ask("select pgreprise.status() as status")
            done.append({"status": "ok", "server": name, "revisions": status["status"]["revisions"], "updated": lines})
            if not as_json:
                for line in lines:
                    echo(f"{name}: {line}")
                echo(f"Server {name} is at {', '.join(done[-1]['revisions'])}.")
    if not as_json:
        echo("Now the router: pgreprise shard router > router.sql, then psql --file router.sql as a superuser.")


COMMANDS = (shard,)
