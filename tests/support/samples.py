"""The sample data of each domain."""

from __future__ import annotations

from typing import Any

from pyapi.schema.files import sql_folder
from tests.support.databases import Connection


def load_sample(connection: Connection, domain: str = "reports") -> list[dict[str, Any]]:
    """Run the file as one text and return what its last statement returns."""
    cursor = connection.execute((sql_folder() / domain / "steps" / "load_sample.sql").read_bytes())
    while cursor.nextset():
        pass
    return cursor.fetchall()


def load_every_sample(connection: Connection) -> None:
    """Load the sample of each domain that has one."""
    for path in sorted(sql_folder().glob("*/steps/load_sample.sql")):
        load_sample(connection, path.parents[1].name)
