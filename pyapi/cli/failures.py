"""How a command fails: which errors are told in a sentence, what is said of one, and the exit code."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import click
import psycopg
from alembic.util import CommandError
from sqlalchemy.exc import DBAPIError

from pyapi.api.address import AddressTakenError, UnprotectedAddressError
from pyapi.cli.output import explain, print_error, print_json
from pyapi.embedded import EmbeddedUnavailableError
from pyapi.schema.files import TextError
from pyapi.schema.legacy import ImportRefused
from pyapi.shards.servers import ShardError

__all__ = ["FAILURES", "failure", "one_document"]

FAILURES = (
    click.ClickException,
    click.Abort,
    CommandError,
    DBAPIError,
    UnprotectedAddressError,
    AddressTakenError,
    EmbeddedUnavailableError,
    ImportRefused,
    ShardError,
    TextError,
    psycopg.Error,
    OSError,
)


def failure(error: BaseException) -> tuple[dict[str, Any], int]:
    """What to say about an error that ends a command, as ``explain`` returns it, and the exit code."""
    match error:
        case click.Abort() | KeyboardInterrupt():
            return {"message": "Stopped."}, 130
        case click.ClickException():
            return {"message": error.format_message()}, error.exit_code
        case CommandError():
            # Alembic raises it for a revision that does not exist, for example.
            return {"message": f"{error}."}, 2
        case DBAPIError():
            return explain(error), 1
        case UnprotectedAddressError():
            return {"message": str(error)}, 2
        case OSError():
            # A full disk, a file that may not be written, a terminal that was closed meanwhile.
            name = f": {os.fsdecode(error.filename)}" if isinstance(error.filename, str | bytes) else ""
            return {"message": f"{error.strerror or error}{name}"}, 1
    return {"message": str(error)}, 1


@contextmanager
def one_document(done: list[dict[str, Any]], as_json: bool) -> Iterator[None]:
    """Print with --json what a command has done one by one, as an array; its last object is the error that ended it.

    done: filled by the block. What ends the block before anything was done is raised as it is.
    """
    try:
        yield
    except (*FAILURES, KeyboardInterrupt) as error:
        if not (as_json and done):
            raise
        said, code = failure(error)
        done.append({"status": "error", **said})
        print_json(done)
        print_error(said)
        raise SystemExit(code) from error
    except BaseException:
        if as_json and done:
            print_json(done)
        raise
    if as_json:
        print_json(done)
