"""The server speaks another language (lc_messages): whose error it is, and what it names, is found all the same.

The texts are those of PostgreSQL 15.
"""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from pyapi.schema.causes import Cause, cause_of, lost_column
from tests.support.databases import Connection
from tests.support.statements import one

# For each language: a function in SQL, a statement, a function in PL/pgSQL, a column of a relation, a column of a row,
# a column and an expression of two types.
LANGUAGES = {
    "en": (
        'SQL function "{}" statement 1',
        'SQL statement "select public.kept(0)"',
        "PL/pgSQL function {}(text) line 1 at EXECUTE",
        'column "{}" of relation "{}" does not exist',
        "column {}.{} does not exist",
        'column "{}" is of type integer but expression is of type text',
    ),
    "de": (
        "SQL-Funktion »{}« Anweisung 1",
        "SQL-Anweisung »select public.kept(0)«",
        "PL/pgSQL-Funktion {}(text) Zeile 1 bei EXECUTE",
        "Spalte »{}« von Relation »{}« existiert nicht",
        "Spalte {}.{} existiert nicht",
        "Spalte »{}« hat Typ integer, aber der Ausdruck hat Typ text",
    ),
    "fr": (
        "fonction SQL « {} », instruction 1",
        "instruction SQL « select public.kept(0) »",
        "fonction PL/pgSQL {}(text), ligne 1 à EXECUTE",
        "la colonne « {} » de la relation « {} » n'existe pas",
        "la colonne {}.{} n'existe pas",
        "la colonne « {} » est de type integer mais l'expression est de type text",
    ),
    "ja": (
        'SQL関数"{}"の行番号 1',
        'SQL文 "select public.kept(0)"',
        "PL/pgSQL関数{}(text)の1行目 - EXECUTE",
        'リレーション"{1}"の列"{0}"は存在しません',
        "列{}.{}は存在しません",
        '列"{}"は型integerですが、式は型textでした',
    ),
    "ru": (
        'SQL-функция "{}", оператор 1',
        'SQL-оператор: "select public.kept(0)"',
        "функция PL/pgSQL {}(text), строка 1",
        'столбец "{}" в таблице "{}" не',
        "столбец {}.{} не существует",
        'столбец "{}" имеет тип integer',
    ),
}
each_language = pytest.mark.parametrize("texts", LANGUAGES.values(), ids=LANGUAGES)
QUERY = "update public.report_outputs as report set status = 'pending' where report.id = 1"


def error(code: str, message: str, context: str) -> Any:
    """What of an error of psycopg is looked at."""
    said = SimpleNamespace(
        message_primary=message, context=context, internal_query=QUERY, source_function="ExecEvalExpr",
        schema_name=None, table_name=None, constraint_name=None,
    )  # fmt: skip
    return SimpleNamespace(sqlstate=code, diag=said)


@each_language
@pytest.mark.parametrize(
    ("in_sql", "in_plpgsql", "is_of_host"),
    [
        ("kept", "pgreprise.start", True),
        ("batch_state", "public.hosts", False),
        (None, "hosts", True),
        (None, "pgreprise.start", False),
    ],
)
def test_whose_error_it_is(
    sandbox: Connection, texts: tuple[str, ...], in_sql: str | None, in_plpgsql: str, is_of_host: bool
) -> None:
    context = [texts[0].format(in_sql), texts[1]] if in_sql else [texts[1]]
    context.append(texts[2].format(in_plpgsql))
    called = "select pgreprise.is_refusal_of_host('42501', %s, null, null, null) as found"
    assert one(sandbox, called, "\n".join(context))["found"] is is_of_host
    assert (cause_of(error("42501", "", "\n".join(context))) == Cause.HOST_RULE) is is_of_host


@each_language
def test_which_column_was_changed(texts: tuple[str, ...]) -> None:
    context = texts[2].format("public.rerun_report")
    column = "public.report_outputs.status"
    assert lost_column(error("42703", texts[3].format("status", "report_outputs"), context)) == column
    assert lost_column(error("42703", texts[4].format("report", "status"), context)) == column
    assert lost_column(error("42804", texts[5].format("status"), context)) == column
