"""Our own tables without row-level security, also where the host turns it on for every new table."""

from __future__ import annotations

import re
from collections.abc import Iterator

from pyapi.schema.statements import statements

__all__ = ["parts_with_open_rows"]

_CREATES = re.compile(r"create table (?:if not exists )?(?P<name>(?P<schema>\w+)\.(?P<short>\w+))")
# The host's own tables, which `create table if not exists` found, stay as they are.
_OURS = """
and exists (select from pgreprise.created_object as entry where entry.name = '{short}')"""
_OPEN = """
-- An event trigger of the host may have turned row-level security on, which would hide the rows from the routines.
do $$
begin
  if exists (
    select from pg_catalog.pg_class as relation
     where relation.oid = '{name}'::pg_catalog.regclass and (relation.relrowsecurity or relation.relforcerowsecurity)
  ){ours} then
    alter table {name} disable row level security, no force row level security;
  end if;
end;
$$;
"""


def parts_with_open_rows(sql: str) -> Iterator[str]:
    """The text of an SQL file in parts. After each table that it creates, row-level security is turned off for it."""
    position = 0
    for statement in statements(sql) if _CREATES.search(sql) else ():
        table = _CREATES.match(statement.code)
        if table is not None:
            end = sql.index(";", statement.end) + 1
            yield sql[position:end]
            ours = "" if table["schema"] == "pgreprise" else _OURS.format(short=table["short"])
            yield _OPEN.format(name=table["name"], ours=ours)
            position = end
    if sql[position:].strip():
        yield sql[position:]
