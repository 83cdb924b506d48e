"""The product as a site: `pgreprise serve` in a process of its own, over a database of the tests."""

from __future__ import annotations

import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from sqlalchemy import URL

from tests.support.api import as_api
from tests.support.command import PROGRAM, environment
from tests.support.databases import plain
from tests.support.ports import unused_port
from tests.support.tokens import SECRET, claims, signed

__all__ = ["WITH_TOKENS", "Site", "serving"]

# Settings of a site where every request needs a token.
WITH_TOKENS = {"PGREPRISE_JWT_SECRET": SECRET}
_SECONDS, _PAUSE_SECONDS = 30, 0.02


@dataclass(frozen=True)
class Site:
    """Where it is, and the database below it, as its superuser."""

    url: str
    database: URL

    def token(self, *scopes: str, **changed: Any) -> str:
        """A token of alice with these scopes, for an hour; ``sub="bob"``, ``exp=time.time() + 2`` change its claims."""
        return signed(claims(**{"scope": " ".join(scopes), "aud": None, "iss": None, **changed}))


@contextmanager
def serving(database: URL, *arguments: str, **settings: str) -> Iterator[Site]:
    """A site over a database, with these arguments and settings of pgreprise; it ends with the block."""
    port = unused_port()
    # A file takes all that the server logs; a pipe that nobody reads would stop it.
    with (
        tempfile.TemporaryFile("w+", encoding="utf-8") as log,
        subprocess.Popen(
            [PROGRAM, "serve", "--port", str(port), *arguments],
            env=environment(DATABASE_URL=plain(as_api(database)), **settings),
            stdout=log,
            stderr=subprocess.STDOUT,
        ) as process,
    ):
        try:
            until = time.monotonic() + _SECONDS
            while "pgreprise serves on " not in (said := _text(log)):
                assert process.poll() is None, said
                assert time.monotonic() < until, said
                time.sleep(_PAUSE_SECONDS)
            yield Site(f"http://127.0.0.1:{port}", database)
        finally:
            process.terminate()


def _text(log: Any) -> str:
    log.seek(0)
    return str(log.read())
