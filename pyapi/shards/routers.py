"""The routers before the servers: where each sends calls, and telling all of them of a move."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from sqlalchemy import URL

from pyapi.shards.router import connection_of
from pyapi.shards.servers import PoolerError, Server, ShardError, connect
from pyapi.wording import counted

__all__ = ["Router", "RouterAway", "Telling", "require_known_servers", "routers_of"]


class RouterAway(ShardError):
    """A router that cannot be reached."""


class Router:
    """A router, which is connected when it is asked, and again where the connection was lost."""

    def __init__(self, name: str, label: str, url: URL) -> None:
        """label: how messages name it, as ``the router`` or ``router r2``."""
        self.name = name
        self.label = label
        self._url = url
        self._server: Server | None = None

    @property
    def title(self) -> str:
        """The label where a sentence begins."""
        return self.label[0].upper() + self.label[1:]

    def close(self) -> None:
        """End the connection."""
        if self._server is not None:
            self._server.connection.close()
            self._server = None

    def _ask(self, statement: str, *values: object) -> list[dict[str, Any]]:
        is_new = self._server is None
        try:
            self._server = self._server or connect(self.name, self._url, title=self.title)
            return self._server.ask(statement, *values)
        except PoolerError:
            raise
        except ShardError as error:
            if self._server is not None and not self._server.connection.closed:
                raise
            self.close()
            if is_new:
                raise RouterAway(str(error)) from error
        return self._ask(statement, *values)

    def sent_to(self) -> dict[int, str]:
        """The names of the servers to which it sends each logical shard. Raises ShardError, RouterAway."""
        return {
            number: row["name"]
            for row in self._ask("select * from pgreprise.servers()") for number in row["logical_shards"]
        }  # fmt: skip

    def send(self, shard: int, name: str, url: URL) -> bool:
        """Let it send what belongs to a logical shard to a server. Returns whether it did not do so before.

        Raises ShardError, RouterAway.
        """
        [row] = self._ask("select pgreprise.send_shard(%s, %s, %s) as is_done", shard, name, connection_of(url))
        return bool(row["is_done"])


@contextmanager
def routers_of(urls: Mapping[str, URL], only: URL | None) -> Iterator[list[Router]]:
    """The routers by name; where none is named, the only one."""
    routers = [Router(name, f"router {name}", url) for name, url in urls.items()]
    if not routers and only is not None:
        routers = [Router("router", "the router", only)]
    try:
        yield routers
    finally:
        for router in routers:
            router.close()


def require_known_servers(routers: Sequence[Router], known: Mapping[str, URL]) -> None:
    """Raise ShardError where a router sends calls to a server that is not known, or where no router answers."""
    away: list[RouterAway] = []
    for router in routers:
        try:
            unknown = set(router.sent_to().values()) - set(known)
        except RouterAway as error:
            away.append(error)
            continue
        if unknown:
            raise ShardError(
                f"{router.title} sends calls to {', '.join(sorted(unknown))}. PGREPRISE_SHARDS must name all servers. "
                "Nothing was changed."
            )
    if away and len(away) == len(routers):
        raise ShardError(f"{away[0]} Nothing was changed.")


class Telling:
    """Telling all routers what was moved to a server, and who was not told of what.

    ``with Telling(...) as telling`` ends with a ShardError where a router was not told.
    """

    def __init__(self, routers: Sequence[Router], target: Server, say: Callable[[str], None]) -> None:
        self._routers = routers
        self._target = target
        self._say = say
        self._untold: dict[str, tuple[list[int], str]] = {}

    def __enter__(self) -> Telling:
        return self

    def __exit__(self, _: object, error: BaseException | None, __: object) -> None:
        if not self._untold:
            return
        said = " ".join(
            f"{title} was not told that {counted(len(shards), 'logical shard')} "
            f"({', '.join(map(str, shards))}) moved to {self._target.name}: {reason.rstrip('.')}."
            for title, (shards, reason) in self._untold.items()
        )
        if error is None or isinstance(error, _NotTold):
            raise ShardError(
                f"{said} The move is done. Calls that such a router sends to the old server are refused (RR034). Give "
                "the same command again: it tells the router."
            ) from None
        if isinstance(error, ShardError):
            raise ShardError(f"{error} And {said} Give the same command again.") from error

    def tell(self, shard: int, switched: list[str]) -> None:
        """Tell them of a logical shard. Adds to ``switched`` the names of those that have sent it elsewhere before.

        A router that is away is passed over as long as another one answers: who works through it is refused (RR034)
        until it is told. Ends the block, once all were asked, where one that answers cannot be told.
        """
        goes_on = not self._routers
        cannot = False
        for router in self._routers:
            try:
                if router.send(shard, self._target.name, self._target.url):
                    self._say(f"logical shard {shard}: {router.label} sends it to {self._target.name}")
                    switched.append(router.name)
                goes_on = True
            except ShardError as error:
                cannot = cannot or not isinstance(error, RouterAway)
                self._untold.setdefault(router.title, ([], str(error)))[0].append(shard)
        if cannot or not goes_on:
            raise _NotTold


class _NotTold(ShardError):
    """No further logical shard may be moved, since a router was not told."""
