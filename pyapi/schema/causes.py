"""Whose error it is: that of a trigger or constraint of the host, of the host's changed tables, or of pgreprise.

PostgreSQL tells in the context of an error which routines it went through, the innermost first. A routine that is not
ours is the host's: a trigger, or what a constraint, a default or a policy calls. A constraint has no routine; it names
itself. The routine ``pgreprise.is_refusal_of_host`` decides the same for batches, which go on after such an error.
"""

from __future__ import annotations

import re
from enum import Enum
from functools import cache

import psycopg
from psycopg.errors import Diagnostic

from pyapi.schema.files import sql_files
from pyapi.schema.migrate import NOT_INSTALLED

__all__ = ["Cause", "cause_of", "has_failed", "host_message", "lost_column"]


class Cause(Enum):
    """Who has to do something about an error."""

    HOST_RULE = "a trigger or constraint of the host"
    HOST_TABLES = "a table of the host that was changed later"
    NOT_INSTALLED = "pgreprise, or a part of it, is not installed"
    OTHER = "none of these"


# The function of the server that raises what a routine wants to be raised.
_RAISE = "exec_stmt_raise"
# Row-level security, and views with check option.
_CHECK_OPTION = "ExecWithCheckOptions"
# Such an error asks to try again, whoever raises it.
_TRY_AGAIN = ("40001", "40P01", "55P03", "25006")
# The server's own troubles: connections, resources, limits, intervention, its system and its bugs.
_TROUBLES = ("08", "53", "54", "57", "58", "XX")
# What only triggers raise, those in C too, which have no line in the context.
_OF_TRIGGERS = ("09", "27", "38", "39", "44", "P0001")
# A statement of ours in which expressions of the host are computed, as of its checks and generated columns. Values of
# the caller may have the other codes of the class.
_WRITES = re.compile(r"\b(?:insert into|update|delete from) public\.\w+")
_OF_VALUES = {"22001", "22003", "22021", "22P02", "22P05"}
# SQL function "f", SQL-Funktion »f«, fonction SQL « f »: one name between quotes. A statement is more than a name.
_SQL_FUNCTION = re.compile(r'(?:\S+ )?SQL[- ]?[^\s"]*\s*[^\s\w:-]\W?(\w+)\W?[^\x01-\x21\x23-\x7f]')
_QUOTED = re.compile(r"[^\w\s,;.:()]\s?(\w+)\s?[^\w\s,;.:()]")
# What statements of ours end in where columns of the host's tables are gone or have other types.
_CHANGED = {"42703", "42804", "42P13", "42883", "42P01", "42704", "42846", "42725"}


@cache
def _entry_points() -> frozenset[str]:
    texts = (path.read_text(encoding="utf-8") for path in sql_files().values())
    return frozenset(
        name for text in texts for name in re.findall(r"^create or replace \w+ public\.(\w+)\(", text, re.M)
    )


@cache
def _internals() -> frozenset[str]:
    return frozenset(name.rpartition("/")[2] for name in sql_files())


def _innermost(context: str) -> tuple[str, bool] | None:
    """The innermost routine, and whether it is ours; None without a routine."""
    for line in context.splitlines():
        # Messages may be in any language; the names of the languages and the parentheses are the same in all.
        if (found := _SQL_FUNCTION.match(line)) and not line.startswith("SQL expression"):
            return found[1], found[1] in _internals()
        if not re.search(r"PL/\w+", line) or re.match("SQL[ -]", line):
            continue
        found = re.search(r"PL/pgSQL.*?([A-Za-z_\"$][^\s(]*)\(", line, re.ASCII)
        if found is None:
            if "inline_code_block" in line:
                return "inline_code_block", True
            # Another language than ours.
            return line, False
        name = found[1]
        return name, name.startswith("pgreprise.") or name.removeprefix("public.") in _entry_points()
    return None


def _is_refusal_of_host(code: str, said: Diagnostic) -> bool:
    innermost = _innermost(said.context or "")
    is_of_host = innermost is not None and not innermost[1]
    if code in _TRY_AGAIN:
        return False
    if code.startswith(_TROUBLES):
        # A routine may raise these codes, too.
        return is_of_host and said.source_function == _RAISE
    if is_of_host or said.source_function == _CHECK_OPTION:
        return True
    if said.source_function == _RAISE:
        return False
    if code.startswith("23"):
        return said.schema_name != "pgreprise" and (said.table_name or said.constraint_name) is not None
    if code.startswith("22") and code not in _OF_VALUES:
        return _WRITES.search((said.context or "").partition("\nPL/pgSQL")[0]) is not None
    return code.startswith(_OF_TRIGGERS) and innermost is not None


def _table_of(alias: str, query: str) -> str | None:
    found = re.search(rf"\b((?:public|pgreprise)\.\w+) as {re.escape(alias)}\b", query)
    return found[1] if found else None


def lost_column(error: psycopg.Error) -> str | None:
    """The column of the host's table that is gone or has another type, as ``public.table.column``, where it is told."""
    said = error.diag
    message, query = said.message_primary or "", said.internal_query or said.context or ""
    # Messages may be in any language, quote in its way, and name the two in its order.
    pair = r"\b(\w+)\W?\.(\w+)"
    # In Japanese there is no space between names and words.
    for found in (*re.finditer(pair, message), *re.finditer(pair, message, re.ASCII)):
        if table := _table_of(found[1], query):
            return f"{table}.{found[2]}"
    match _QUOTED.findall(message), error.sqlstate:
        case [column, relation], "42703":
            if f"public.{column}" in query and f"public.{relation}" not in query:
                column, relation = relation, column
            return f"public.{relation}.{column}"
        case [column], "42703" | "42804":
            tables = set(re.findall(r"\b(?:update|insert into) (public\.\w+)", query))
            return f"{tables.pop()}.{column}" if len(tables) == 1 else None
    return None


def cause_of(error: psycopg.Error) -> Cause:
    """Whose error an error of the database is."""
    said, code = error.diag, error.sqlstate
    if code is None:
        return Cause.OTHER
    if _is_refusal_of_host(code, said):
        return Cause.HOST_RULE
    innermost = _innermost(said.context or "")
    message = said.message_primary or ""
    if code in _CHANGED and innermost is not None and said.source_function != _RAISE:
        is_ours = "pgreprise." in message or (lost_column(error) or "").startswith("pgreprise.")
        return Cause.NOT_INSTALLED if is_ours else Cause.HOST_TABLES
    return Cause.NOT_INSTALLED if code in NOT_INSTALLED else Cause.OTHER


def has_failed(error: psycopg.Error) -> bool:
    """Whether a trigger of the host failed at something of its own, and forbade nothing."""
    return (error.sqlstate or "").startswith(("42", "3F")) and error.diag.source_function != _CHECK_OPTION


def host_message(error: psycopg.Error) -> str:
    """What a rule of the host says, with the name of its constraint, and without the detail, which holds values."""
    said = error.diag
    name, message = said.constraint_name, said.message_primary or ""
    return f"{message} (constraint {name})" if name and name not in message else message
