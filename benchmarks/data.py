"""The data of the benchmarks, made by set-based SQL."""

from __future__ import annotations

from collections.abc import Mapping

from sqlalchemy import URL

from benchmarks.pgbench import SCRIPTS
from benchmarks.server import connect, create_database
from pyapi.embedded import Embedded

__all__ = ["fill", "filled_database"]

_SMALL = "('{\"number\": ' || number || '}')::json"
_KEY_INDEXES = """
select indexrelid::regclass::text, pg_get_indexdef(indexrelid)
  from pg_index
 where indrelid in ('public.simulations'::regclass, 'public.report_outputs'::regclass, 'public.reform_impact'::regclass)
   and not indisprimary
"""


def filled_database(server: Embedded, name: str, reports: int, output_bytes: int) -> URL:
    """A new database of economy reports, each with two simulations and a cache row of its own.

    output_bytes: the size of each output, about.
    """
    database = create_database(server, name)
    statements = (SCRIPTS / "fill.sql").read_text(encoding="utf-8")
    if output_bytes == 0:
        # Many rows: a call less for each.
        for end in (",", "\n"):
            statements = statements.replace(f"bench.output(number){end}", f"{_SMALL}{end}")
    fill(database, statements, {"reports": reports, "bytes": output_bytes})
    return database


def fill(database: URL, statements: str, values: Mapping[str, int | str]) -> None:
    """Run the statements that make rows of reports, with values for ``:name``."""
    for name, value in values.items():
        statements = statements.replace(f":{name}", str(value))
    with connect(database) as connection:
        connection.execute("set synchronous_commit = off")
        # Large tables are filled faster without them.
        indexes = connection.execute(_KEY_INDEXES).fetchall()
        for index, _ in indexes:
            connection.execute(f"drop index {index}")
        connection.execute(statements.encode())
        for _, definition in indexes:
            connection.execute(str(definition).encode())
        connection.execute("vacuum analyze")
        connection.execute("checkpoint")
