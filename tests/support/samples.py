"""The sample data of each domain."""

from __future__ import annotations

from typing import Any

from pyapi.schema.files import sql_files, sql_text
from tests.support.databases import Connection


def load_sample(connection: Connection, domain: str = "reports") -> list[dict[str, Any]]:
    """Run the file as one text and return what its last statement returns."""
    cursor = connection.execute(sql_text(f"{domain}/load_sample").encode())
    while cursor.nextset():
        pass
    return cursor.fetchall()


def load_every_sample(connection: Connection) -> None:
    """Load the sample of each domain that has one."""
    for name in sql_files():
        if name.endswith("/load_sample"):
            load_sample(connection, name.split("/")[0])
