"""Our tables and types: whether somebody altered them, and what the owner of the routines may do with them.

What they must be is not written down a second time. The statements of the migrations that make them run again, in the
temporary schema and in a transaction that is rolled back, and the catalog tells how the two differ. A record made at
migration time would take over whatever somebody had altered before, and could be altered itself; the text of the
migrations is what made the tables, and what made them cannot drift from itself. Routines are compared the same way.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import psycopg

from pyapi.doctor.finding import Finding, ask, rights_finding
from pyapi.schema.files import shown, sql_files

__all__ = ["altered_tables", "taken_ids"]

_STATEMENT = re.compile(r"^(?:create|alter|drop|grant)\s[^;]*;", re.MULTILINE | re.IGNORECASE)
# What is made, and what is said about a thing by its name.
_MADE = re.compile(r"create (?:table|type|sequence) (?:if not exists )?pgreprise\.(?P<name>\w+)", re.IGNORECASE)
_ABOUT = re.compile(
    r"(?:(?:create|alter|drop) (?:table|type|sequence) (?:if (?:not )?exists )?(?:only )?"
    r"|create (?:unique )?index (?:concurrently )?(?:if not exists )?\w+\s+on (?:only )?"
    r"|create (?:constraint )?trigger \w+\s[^;]*?\son "
    r"|grant [\w\s,]+? on (?:table |sequence |type )?)pgreprise\.\w+",
    re.IGNORECASE,
)
_COLUMN_OF_HOST = re.compile(r"alter table public\.(?P<table>\w+)\s+add column ", re.IGNORECASE)


def _rehearsal(sql: str) -> Iterator[str]:
    """The statements of the migrations about our tables and types, turned to the temporary schema, grants last."""
    statements = [found[0] for found in _STATEMENT.finditer(sql)]
    names = {made["name"] for statement in statements if (made := _MADE.match(statement))}
    if not names:
        return
    # A function that is called keeps its schema; a sequence of a column is named after its table.
    ours = re.compile(rf"\bpgreprise\.((?:{'|'.join(sorted(names, key=len, reverse=True))})\w*)\b(?!\()")
    grants: list[str] = []
    of_host: set[str] = set()
    for statement in statements:
        if added := _COLUMN_OF_HOST.match(statement):
            table = f'pg_temp."public.{added["table"]}"'
            if table not in of_host:
                of_host.add(table)
                yield f"create table {table} ();"
            yield statement.replace(f"public.{added['table']}", table, 1)
        elif _ABOUT.match(statement):
            # No transaction could build it concurrently.
            moved = ours.sub(r"pg_temp.\1", statement).replace("index concurrently ", "index ")
            if moved.lower().startswith("grant"):
                grants.append(moved)
            else:
                yield moved
    # Default privileges of the host may have given him more.
    yield "revoke all on all tables in schema pg_temp from pgreprise_owner;"
    yield "revoke all on all sequences in schema pg_temp from pgreprise_owner;"
    yield from grants


def altered_tables(database: psycopg.Connection[Any], sql: str, *, is_whole: bool = True) -> Iterator[Finding]:
    """What differs from the tables and types that ``sql``, the migrations' own text, makes.

    And what is beside them, where that text is the whole of what may be there (``is_whole``).
    """
    with database.transaction(force_rollback=True):
        # No name means a thing of the host; its triggers on commands may write messages; nobody waits long.
        database.execute(
            "set local search_path = pg_catalog; set local client_min_messages = error; set local lock_timeout = '5s'"
        )
        for statement in _rehearsal(sql):
            database.execute(statement.encode())
        differences = ask(database, "table_differences")
        rights = ask(database, "own_rights")
        strange = ask(database, "strange_objects") if is_whole else []
    for row in differences:
        yield Finding("tables", "problem", row["message"], row["remedy"] or _made_by_its_file(row["object"]))
    for row in rights:
        yield rights_finding(row)
    for row in strange:
        yield Finding(
            "tables",
            "problem",
            f"The {row['object']} is in the schema of pgreprise, which did not make it.",
            f"Drop it where nobody needs it: {row['remedy']}",
        )


def taken_ids(database: psycopg.Connection[Any]) -> Iterator[Finding]:
    """Sequences that are behind their rows, as after a restore: the next row gets an id that is taken."""
    for row in ask(database, "taken_ids"):
        yield Finding(
            "sequences",
            "problem",
            f"The next id of table {row['table_name']} is {row['next_id']}, "
            f"and its rows go up to {row['greatest_id']}.",
            row["remedy"],
        )


def _made_by_its_file(name: str) -> str:
    short = name.split(".")[1]
    path = next(path for file, path in sql_files().items() if file.split("/")[1] == short)
    return f"Restore it from a backup. To make an empty one: pgreprise psql -f {shown(path)}"
