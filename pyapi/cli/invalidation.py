"""The command that follows the feed of reruns and lets the application's economy cache in Redis forget the same."""

from __future__ import annotations

import random
import signal
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import FrameType
from typing import Any

import click
from sqlalchemy import Engine
from sqlalchemy.exc import DBAPIError

from pyapi.cli.chunks import STOPPED
from pyapi.cli.connections import SettingsError, administrator, economy_cache_of, read_settings
from pyapi.cli.output import echo, explain, print_json
from pyapi.database import call, is_passing
from pyapi.economy_cache import READER, EconomyCache, EconomyCacheAwayError
from pyapi.wording import counted

__all__ = ["COMMANDS"]

# One transaction of the feed, and one round trip to Redis.
_PAGE = 500
# How many tries --once makes, and the pauses between tries.
_ATTEMPTS = 4
_FIRST_PAUSE_SECONDS = 0.5
_LONGEST_PAUSE_SECONDS = 30.0
# How soon a signal is noticed.
_SLICE_SECONDS = 0.1


class _Stop:
    """Whether SIGTERM or Ctrl-C has asked to stop, and which of them."""

    def __init__(self) -> None:
        self.signal: int | None = None

    def ask(self, number: int, frame: FrameType | None) -> None:
        if self.signal is not None:
            signal.default_int_handler(number, frame)
        self.signal = number

    def wait(self, seconds: float) -> bool:
        """Wait, but no longer than until somebody asks to stop. Returns whether somebody has."""
        until = time.monotonic() + seconds
        while self.signal is None and (left := until - time.monotonic()) > 0:
            time.sleep(min(left, _SLICE_SECONDS))
        return self.signal is not None


@contextmanager
def _stoppable() -> Iterator[_Stop]:
    """Let SIGTERM and Ctrl-C stop the work after the current page. The second one ends it at once."""
    stop = _Stop()
    before = {number: signal.signal(number, stop.ask) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@dataclass
class _Done:
    """What was done since the command began; positions are where the next page of each feed begins."""

    positions: dict[str | None, int] = field(default_factory=dict)
    acts: int = 0
    scopes: int = 0
    deleted: int = 0

    @property
    def figures(self) -> dict[str, Any]:
        """For programs. The feed of one database has no name."""
        counted_so_far = {"acts": self.acts, "scopes": self.scopes, "deleted": self.deleted}
        if self.positions.keys() <= {None}:
            return {"position": self.positions.get(None), **counted_so_far}
        return {"positions": self.positions, **counted_so_far}

    def __str__(self) -> str:
        read = " and ".join(
            f"position {position}{f' of {shard}' if shard else ''}" for shard, position in self.positions.items()
        )
        return (
            f"{counted(self.acts, 'act')} read up to {read or 'position 0'}, with "
            f"{counted(self.scopes, 'cache scope')}; {counted(self.deleted, 'key')} deleted."
        )


def _feeds(engine: Engine) -> list[str | None]:
    """The feeds that there are: one, without a name, or behind a router that of each server."""
    return [row["shard"] for row in call(engine, "pgreprise.feeds")]


def _kept_position(engine: Engine, shard: str | None) -> int | None:
    [reader] = call(engine, "public.feed_position", reader=READER, shard=shard)
    position: int | None = reader["feed_position"]
    return position


def _keep(engine: Engine, shard: str | None, position: int, deleted: int) -> int:
    [row] = call(
        engine,
        "public.keep_feed_position",
        columns="keep_feed_position as kept",
        reader=READER,
        feed_position=position,
        handled=deleted,
        shard=shard,
    )
    kept: int = row["kept"]
    return kept


def _end_of_feed(engine: Engine, shard: str | None) -> int:
    """The position of the newest act. Reading the feed gives each act its position."""
    position = 0
    while True:
        [page] = call(
            engine,
            "public.rerun_feed",
            columns="max(feed_position) as last",
            after=position,
            max_rows="10000",
            shard=shard,
        )
        if page["last"] is None:
            return position
        position = page["last"]


def _begin(engine: Engine, shard: str | None, *, from_now: bool) -> int:
    """Where to begin: at the position that is kept, else at the beginning, so that no act is missed."""
    kept = _kept_position(engine, shard)
    if kept is not None:
        return kept
    return _keep(engine, shard, _end_of_feed(engine, shard), 0) if from_now else 0


def _forgotten(cache: EconomyCache, act_ids: Iterable[int]) -> set[int]:
    """The acts whose scopes the API has deleted already; none where Redis does not say it."""
    try:
        return cache.forgotten(act_ids)
    except EconomyCacheAwayError:
        # Perhaps the user of the URL may only delete. Where Redis is away, the deletion fails too.
        return set()


def _do_page(engine: Engine, cache: EconomyCache, done: _Done, shard: str | None) -> int:
    """Delete the keys of the next page of a feed, then keep the position. Returns the number of acts.

    A crash in between repeats the deletions, which costs a computation at most.
    """
    page = call(
        engine,
        "public.rerun_feed",
        columns="feed_position, rerun_id, cache_scopes",
        after=done.positions[shard],
        max_rows=str(_PAGE),
        shard=shard,
    )
    if page:
        acts = {act["rerun_id"]: act["cache_scopes"] for act in page if act["cache_scopes"]}
        scopes = [scope for act_id in acts.keys() - _forgotten(cache, acts) for scope in acts[act_id]]
        deleted = cache.delete(cache.key(scope) for scope in scopes)
        # Another process with the same position may be further on.
        done.positions[shard] = _keep(engine, shard, page[-1]["feed_position"], deleted)
        done.acts += len(page)
        done.scopes += len(scopes)
        done.deleted += deleted
    return len(page)


def _do_pages(engine: Engine, cache: EconomyCache, done: _Done, *, from_now: bool) -> int:
    """A page of each feed. Returns the most acts that one of them had. Where one fails, the others come before that."""
    most, failed = 0, None
    for shard in _feeds(engine):
        try:
            if shard not in done.positions:
                done.positions[shard] = _begin(engine, shard, from_now=from_now)
            most = max(most, _do_page(engine, cache, done, shard))
        except (DBAPIError, EconomyCacheAwayError) as error:
            failed = failed or error
    if failed is not None:
        raise failed
    return most


def _passing(error: DBAPIError | EconomyCacheAwayError) -> str | None:
    """Why it failed, where it may go by itself; else None."""
    if isinstance(error, EconomyCacheAwayError):
        return f"Redis: {error}"
    if is_passing(error):
        return f"The database: {' '.join(str(explain(error)['message']).split())}"
    return None


def _follow(
    engine: Engine, cache: EconomyCache, stop: _Stop, *, once: bool, from_now: bool, interval: float, as_json: bool
) -> _Done:
    """Do page after page until the end of the feed, or until somebody asks to stop."""
    done = _Done()
    failures = 0
    while not stop.signal:
        try:
            acts = _do_pages(engine, cache, done, from_now=from_now)
        except (DBAPIError, EconomyCacheAwayError) as error:
            reason = _passing(error)
            if reason is None:
                raise
            failures += 1
            if once and failures == _ATTEMPTS:
                raise click.ClickException(f"{reason}. The position is kept: run the command again.") from error
            # Several followers do not come back all at once.
            pause = min(_FIRST_PAUSE_SECONDS * 2 ** min(failures - 1, 10), _LONGEST_PAUSE_SECONDS)
            pause *= 0.5 + random.random() / 2
            echo(f"{reason}. Trying again in {pause:.1f} s.", err=True)
            # A pool may hold connections to a server that has become read only.
            engine.dispose()
            stop.wait(pause)
            continue
        failures = 0
        if acts and not once:
            _print(done, as_json, state="following")
        if acts < _PAGE and (once or stop.wait(interval)):
            break
    return done


def _print(done: _Done, as_json: bool, *, state: str) -> None:
    if as_json:
        print_json({"state": state, **done.figures})
    else:
        echo(str(done))


@click.command()
@click.option("--once", is_flag=True, help="Stop at the end of the feed.")
@click.option("--from-now", is_flag=True, help="Skip the acts so far, if this is the first run.")
@click.option("--interval", type=click.FloatRange(0.1, 3600), default=5, show_default=True,
              help="Seconds between two looks at the feed.")  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of sentences.")
def invalidate(once: bool, from_now: bool, interval: float, as_json: bool) -> None:
    """Let the application's economy cache in Redis (PGREPRISE_REDIS_URL) forget what reruns emptied.

    Follows the feed of all reruns, also of those made in psql and by batches, and goes on where it stopped. SIGTERM and
    Ctrl-C stop it after the current page. While Redis or the database is away it tries again, ever less often.
    """
    cache = economy_cache_of(read_settings())
    if cache is None:
        raise SettingsError("PGREPRISE_REDIS_URL is not set. It names the Redis with the economy cache.")
    with administrator() as engine, _stoppable() as stop:
        done = _follow(engine, cache, stop, once=once, from_now=from_now, interval=interval, as_json=as_json)
    _print(done, as_json, state="stopped" if stop.signal else "finished")
    if stop.signal == signal.SIGINT:
        raise SystemExit(STOPPED)


COMMANDS = (invalidate,)
