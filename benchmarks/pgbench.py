"""pgbench: the load generator that comes with PostgreSQL."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Mapping
from pathlib import Path

from sqlalchemy import URL

from pyapi.embedded import Embedded

__all__ = ["SCRIPTS", "PgbenchError", "statements", "transactions_per_second"]

SCRIPTS = Path(__file__).parent / "sql"


class PgbenchError(Exception):
    """pgbench said something else than a figure."""


def statements(script: str) -> list[tuple[str, bool]]:
    """The statements of a script of ``benchmarks/sql`` for psycopg, and whether each gives values to those after it."""
    lines = (SCRIPTS / f"{script}.sql").read_text(encoding="utf-8").splitlines(keepends=True)
    text = "".join(line for line in lines if not line.startswith(("--", "\\set ")))
    # A statement ends with a semicolon, or with \gset where its columns become variables.
    parts = re.split(r"(;\n|\\gset\n)", text)
    found = []
    for statement, end in zip(parts[::2], parts[1::2], strict=False):
        named = re.sub(r"(?<!:):([a-z]\w*)", r"%(\1)s", statement.replace("%", "%%"))
        found.append((named.strip(), end.startswith("\\gset")))
    return found


def transactions_per_second(
    server: Embedded,
    database: URL,
    script: str,
    *,
    clients: int,
    transactions: int,
    variables: Mapping[str, int | str],
    options: str = "",
) -> float:
    """Run a script of ``benchmarks/sql`` this many times in all and return how many a second.

    Each client prepares its statements once. The time to connect is left out.
    """
    host = database.host or str(database.query["host"])
    arguments = [
        str(server.programs / "pgbench"),
        "--no-vacuum",
        "--protocol=prepared",
        f"--file={SCRIPTS / f'{script}.sql'}",
        f"--client={clients}",
        f"--jobs={min(clients, 2)}",
        f"--transactions={max(1, transactions // clients)}",
        f"--host={host}",
        f"--username={database.username}",
        *([f"--port={database.port}"] if database.port else []),
        *(f"--define={name}={value}" for name, value in {"n": 0, "clients": clients, **variables}.items()),
        str(database.database),
    ]
    done = subprocess.run(arguments, capture_output=True, text=True, check=False, env={"PGOPTIONS": options})
    found = re.search(r"^tps = ([\d.]+)", done.stdout, re.MULTILINE)
    failed = re.search(r"number of failed transactions: (\d+)", done.stdout)
    if done.returncode != 0 or found is None or (failed is not None and failed[1] != "0"):
        raise PgbenchError(f"{script}: {done.stderr.strip() or done.stdout.strip()}")
    return float(found[1])
