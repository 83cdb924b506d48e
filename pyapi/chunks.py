"""Long work, done chunk by chunk. Each chunk is one call and one transaction."""

from __future__ import annotations

import time
from typing import Any

from sqlalchemy import Engine
from sqlalchemy.exc import DBAPIError

from pyapi.database import call, sqlstate

__all__ = ["do_chunk"]

# Another transaction holds a row. The chunk was rolled back, so it can be tried again.
_RETRIED = {"55P03", "40P01", "40001"}
_PAUSES_SECONDS = (0.5, 1, 2, 4)


def do_chunk(engine: Engine, routine: str, **arguments: Any) -> dict[str, Any]:
    """Call a function that does one chunk, and return the JSON object that it returns.

    After a lock timeout, a deadlock or a serialization failure the call is repeated a few times. The arguments are
    those of ``pyapi.database.call``.
    Raises sqlalchemy.exc.DBAPIError for any other error, and for the last of these.
    """
    for pause in (*_PAUSES_SECONDS, None):
        try:
            [row] = call(engine, routine, **arguments)
            [chunk] = row.values()
            return dict(chunk)
        except DBAPIError as error:
            if sqlstate(error) not in _RETRIED or pause is None:
                raise
            time.sleep(pause)
    raise AssertionError("unreachable: the last attempt returns or raises")
