"""Anyone calls any entry point with anything: only the errors that docs/reference/errors.md lists come out.

Which entry points there are and what they take, the catalog says, so a new one is fuzzed without being listed here.
PGREPRISE_FUZZ_EXAMPLES says how many calls of each to make instead of a few that are the same in every run.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from pytest_postgresql.janitor import DatabaseJanitor
from sqlalchemy import URL

from pyapi.api.auth import LOCAL_OPERATOR
from pyapi.api.errors import HTTP_STATUS
from tests.support.databases import Connection, connect
from tests.support.samples import load_every_sample

ROLES = ("pgreprise_reader", "pgreprise_worker", "pgreprise_api", "pgreprise_dba")
EXAMPLES = os.environ.get("PGREPRISE_FUZZ_EXAMPLES")
QUICK_EXAMPLES = 8

fuzz = settings(
    max_examples=int(EXAMPLES or QUICK_EXAMPLES),
    # What a change broke is to be told from what was always so.
    derandomize=EXAMPLES is None,
    database=None,
    deadline=None,
    phases=[Phase.generate, Phase.shrink],
    suppress_health_check=list(HealthCheck),
)


# --- values ----------------------------------------------------------------------------------

# NUL and half a character never get as far as the database.
CHARACTERS = st.characters(exclude_characters="\0", exclude_categories=["Cs"])
TEXTS = st.one_of(
    st.sampled_from(
        [
            *("us", "uk", "US", "xx", "2025", "state/ny", "household", "geography", "pending", "complete", "default"),
            *("archive_outputs", "on", "off", "e158e63ef1", "[]", "ok", "headcount", "reports:admin", "U001", "", " "),
            *(
                "'; drop table public.simulations; --",
                "%s %I %L %",
                "{}",
                "\\",
                "NaN",
                "\x01\x1b[31m\x7f",
                "\U0010ffff",
            ),
            *("\u202e\ufeff\u0301", "x" * 256, "x" * 100_000, "é" * 3000),
        ]
    ),
    st.text(CHARACTERS, max_size=40),
)
# Rows of the sample have small ids.
SMALL = st.integers(-1, 12)


def integers(bits: int) -> st.SearchStrategy[int]:
    lowest, highest = -(2 ** (bits - 1)), 2 ** (bits - 1) - 1
    return st.one_of(SMALL, st.sampled_from([lowest, lowest + 1, highest - 1, highest]), st.integers(lowest, highest))


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | integers(64) | st.floats(allow_nan=False, allow_infinity=False) | TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=8,
)
# Keys of filters, claims, carbon reports and entries, which may have any value.
KEYS = st.sampled_from(
    [
        *("country", "status", "year", "api_version", "report_type", "ids"),
        *("sub", "scope", "roles", "role", "on", "kind", "institutional_id"),
        *("unit_id", "reference_year", "carbon_project_id", "fte", "emission_type_id", "kg_co2eq", "is_rollup"),
    ]
)
OBJECTS = st.dictionaries(KEYS, JSON_VALUES | st.lists(SMALL, max_size=5), max_size=3)
JSON_TEXTS = st.one_of(
    JSON_VALUES.map(lambda value: json.dumps(value, ensure_ascii=False)),
    OBJECTS.map(json.dumps),
    st.lists(OBJECTS, max_size=3).map(json.dumps),
    st.sampled_from(
        [
            *("", "nul", "NaN", "Infinity", "{", "[1,]", "'a'", "1e1000000", "-0", "1" * 400, '"\\u0000"', '"\\ud800"'),
            *('{"a":1,"a":2}', "[" * 9000 + "]" * 9000, '{"": ""}', "[[[[]]]]", "[{}]", "[null]", "\ufeff{}"),
            *('{"ids": [1e400]}', '{"ids": [1.5, 2]}', '{"ids": [9223372036854775808]}', '{"ids": [null]}'),
            *('{"country": {"a": []}}', '{"country": [["us"]]}', '[{"unit_id": 1, "year": 2024}]'),
            *('[{"unit_id": "1", "year": 2023, "carbon_project_id": 1e3}]', '[{"unit_id": 1.0, "year": 2022}]'),
            *('[{"emission_type_id": 10001, "kg_co2eq": 1}]', '[{"emission_type_id": 1.5, "kg_co2eq": 1e999}]'),
            *('{"fte": 1e999}', '{"fte": 0.5}'),
        ]
    ),
)
INTERVALS = st.one_of(
    st.sampled_from(
        [
            *("0", "1 second", "-1 microsecond", "30 days", "2147483647 days"),
            *("178000000 years", "-178000000 years", "290000 years", "70000000 months -2099999990 days"),
        ]
    ),
    st.builds(
        "{} months {} days {} microseconds".format, st.integers(-(2**31) + 1, 2**31 - 1), integers(31), integers(62)
    ),
)
TIMES = st.one_of(
    st.sampled_from(["infinity", "-infinity", "epoch", "294276-12-31 23:59:59+00", "4713-01-02 00:00:00+00 BC"]),
    st.datetimes().map("{}+00".format),
)


def arrays(elements: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    with_nulls = st.lists(st.none() | elements, max_size=6)
    # PostgreSQL's arrays have no fixed number of dimensions.
    return st.one_of(with_nulls, st.lists(st.tuples(elements, elements).map(list), min_size=1, max_size=3))


# Claims of the session: one is cancelled, one has failed, one was given back, the others are open.
CLAIM_IDS = [f"00000000-0000-4000-8000-{number:012}" for number in range(1, 6)]

# By type; a routine with an argument of another one fails the test until it has values here.
VALUES: dict[str, st.SearchStrategy[Any]] = {
    "bigint": integers(64),
    "double precision": st.floats(),
    "real": st.one_of(st.sampled_from([0.0, 0.5, 1.0]), st.floats(width=32)),
    "uuid": st.one_of(st.sampled_from(CLAIM_IDS), st.sampled_from(CLAIM_IDS), st.uuids().map(str)),
    "integer": integers(32),
    "text": TEXTS,
    "boolean": st.booleans(),
    "json": JSON_TEXTS,
    "jsonb": JSON_TEXTS,
    "interval": INTERVALS,
    "timestamp with time zone": TIMES,
    "bigint[]": arrays(integers(64)),
    "text[]": arrays(TEXTS),
}
CLAIMS = st.one_of(st.none(), st.just(LOCAL_OPERATOR), JSON_TEXTS)


# --- entry points ----------------------------------------------------------------------------


@dataclass(frozen=True)
class EntryPoint:
    """A routine, and the roles that may call it."""

    name: str
    is_procedure: bool
    # Such a procedure runs with its caller's rights, since no other may commit.
    commits: bool
    roles: tuple[str, ...]
    argument_names: tuple[str, ...]
    argument_types: tuple[str, ...]
    required: int

    @property
    def call(self) -> str:
        """What the entry point is called by, as people write it."""
        return f"{self.name}({', '.join(self.argument_types)})"

    def arguments(self) -> st.SearchStrategy[dict[str, Any]]:
        """Values for its arguments by name; those that have a default may be left out, as may be none."""
        values = {
            name: st.none() | VALUES[kind] if name != "result" else st.none()
            for name, kind in zip(self.argument_names, self.argument_types, strict=True)
        }
        names = list(values)
        return st.fixed_dictionaries(
            {name: values[name] for name in names[: self.required]},
            optional={name: values[name] for name in names[self.required :]},
        )

    def statement(self, given: dict[str, Any]) -> str:
        """The call with placeholders."""
        types = dict(zip(self.argument_names, self.argument_types, strict=True))
        # Arrays go as text, in the form of PostgreSQL, which knows their type.
        arguments = ", ".join(f"{name} => %({name})s::{types[name]}" for name in given)
        return f"{'call' if self.is_procedure else 'select * from'} {self.name}({arguments})"


def entry_points(connection: Connection) -> list[EntryPoint]:
    rows = connection.execute(
        """
        select format('%%I.%%I', namespace.nspname, procedure.proname) as name,
               procedure.prokind = 'p' as is_procedure,
               procedure.prokind = 'p' and not procedure.prosecdef as commits,
               callers.roles,
               (select array_agg(coalesce(procedure.proargnames[argument.position], '') order by argument.position)
                  from unnest(procedure.proargtypes) with ordinality as argument(type, position)) as argument_names,
               (select array_agg(format_type(argument.type, null) order by argument.position)
                  from unnest(procedure.proargtypes) with ordinality as argument(type, position)) as argument_types,
               procedure.pronargs - procedure.pronargdefaults as required
          from pg_proc as procedure
          join pg_namespace as namespace on namespace.oid = procedure.pronamespace
         cross join lateral (
           select array_agg(role.rolname::text order by role.rolname) as roles
             from pg_roles as role
            where role.rolname = any (%s) and has_function_privilege(role.oid, procedure.oid, 'execute')
         ) as callers
         where procedure.proowner = 'pgreprise_owner'::regrole and callers.roles is not null
         order by 1
        """,
        (list(ROLES),),
    ).fetchall()
    return [
        EntryPoint(
            **{**row, **{name: tuple(row[name] or ()) for name in ("roles", "argument_names", "argument_types")}}
        )
        for row in rows
    ]


def documented() -> list[re.Pattern[str]]:
    """The codes that a call may end with: refusals of ours, and what the page on errors says of values."""
    page = (Path(__file__).parents[2] / "docs" / "reference" / "errors.md").read_text(encoding="utf-8")
    conditions = page.partition("## PostgreSQL's own conditions")[2]
    lines = [line for line in conditions.splitlines() if line.startswith("|")]
    rows = [[cell.strip() for cell in line[1:-1].split("|")] for line in lines]
    # Those with another status are of the server or the installation, and are not to come out here.
    of_values = [code for cells in rows for code in cells[0].split(", ") if cells[2] in ("400", "")]
    ours = [code for code in HTTP_STATUS if code.startswith(("RR", "RC"))]
    assert {"22003", "2D000", "class 54"} <= set(of_values)
    return [re.compile(f"{code.removeprefix('class ')}.*" if "class" in code else code) for code in (*of_values, *ours)]


# --- the tests -------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def session(server: URL, new_database: Callable[..., DatabaseJanitor], template: str) -> Iterator[Connection]:
    """A superuser's session in a database with the sample, some reruns, an undo and a batch."""
    with new_database(template) as made, connect(server.set(database=made.dbname)) as connection:
        load_every_sample(connection)
        for report in (2, 4, 4, 6):
            connection.execute("call public.rerun_report(%s::bigint)", (report,))
        connection.execute("call public.undo_rerun(3)")
        connection.execute("""select public.create_rerun_batch('{"country": "us"}')""")
        connection.execute("""select public.create_rerun_batch('{"country": "uk"}')""")
        connection.execute("call public.run_rerun_batch(1, 1)")
        connection.execute("call public.rerun_reports(array[1, 2, 3, 4, 5, 6, 7])")
        claimed = connection.execute("select claim_id, report_id from claim_report('a', '1 day', max_reports => 5)")
        for name, row in zip(CLAIM_IDS, claimed.fetchall(), strict=False):
            for table in ("claim", "claim_simulation"):
                connection.execute(
                    f"update pgreprise.{table} set claim_id = %s where claim_id = %s",  # noqa: S608
                    (name, row["claim_id"]),
                )
        for place, statement in enumerate(
            [
                "select public.cancel_run(report_id) from pgreprise.claim where claim_id = %s",
                "select * from public.fail_report(%s, 'no data', '1 minute')",
                "select public.release_claim(%s)",
            ]
        ):
            connection.execute(statement, (CLAIM_IDS[place],))
        connection.execute("set statement_timeout = '20s'")
        yield connection


def outcome(
    connection: Connection, entry_point: EntryPoint, role: str, given: dict[str, Any], claims: str | None
) -> str | None:
    """The SQLSTATE that a call as the role ends with, None where it succeeds; nothing of it stays unless it commits."""
    connection.execute("select set_config('role', %s, false)", (role,))
    try:
        if claims is not None:
            connection.execute("select set_config('request.jwt.claims', %s, false)", (claims,))
        if entry_point.commits:
            connection.execute(entry_point.statement(given), given)
        else:
            with connection.transaction(force_rollback=True):
                connection.execute(entry_point.statement(given), given)
    except psycopg.Error as error:
        if error.sqlstate is None:
            raise
        return error.sqlstate
    finally:
        connection.execute("reset role; reset request.jwt.claims")
    return None


def undocumented(connection: Connection, entry_point: EntryPoint, codes: list[re.Pattern[str]]) -> str | None:
    """The simplest call found that ends with a code of no pattern, None where there is none."""

    @fuzz
    @given(st.sampled_from(entry_point.roles), entry_point.arguments(), CLAIMS)
    def call(role: str, given: dict[str, Any], claims: str | None) -> None:
        code = outcome(connection, entry_point, role, given, claims)
        assert code is None or any(pattern.fullmatch(code) for pattern in codes), (code, role, given, claims)

    try:
        call()
    except AssertionError as found:
        return str(found).splitlines()[0]
    return None


@pytest.mark.needs("time")
def test_only_documented_errors_come_out_of_any_entry_point(session: Connection) -> None:
    codes = documented()
    found = entry_points(session)
    assert {role for entry_point in found for role in entry_point.roles} == set(ROLES)
    calls = {entry_point.call: undocumented(session, entry_point, codes) for entry_point in found}
    assert {call: example for call, example in calls.items() if example is not None} == {}


# --- what it found ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    "age", ["178000000 years", "70000000 months -2099999990 days", "-70000000 months 2100000010 days"]
)
def test_an_age_that_no_time_goes_back_by_is_refused(session: Connection, age: str) -> None:
    for statement in ("call public.purge_runs(%s::interval)", "select * from public.archive_size(%s::interval)"):
        with pytest.raises(psycopg.Error) as caught:
            session.execute(statement, (age,))
        assert caught.value.sqlstate == "RR016"


@pytest.mark.parametrize(
    "statement",
    [
        *(
            f"select * from public.{routine}(interval '{age}')"  # noqa: S608
            for routine in ("lost_runs", "release_stuck_runs")
            for age in ("178000000 years", "70000000 months -2099999990 days", "-70000000 months 2100000010 days")
        ),
        "select * from public.lost_runs('-1 s')",
    ],
)
def test_an_age_that_no_run_has_is_refused(session: Connection, statement: str) -> None:
    with session.transaction(force_rollback=True):
        session.execute("update public.report_outputs set status = 'running'")
        session.execute(
            "insert into pgreprise.run_time select 'report', id, run_sequence, now(), now() "
            "from public.report_outputs on conflict on constraint run_time_pkey do update set started_at = now()"
        )
        with pytest.raises(psycopg.Error) as caught:
            session.execute(statement.encode())
        assert caught.value.sqlstate == "RR016"


def test_what_was_lost_can_be_asked_for_any_time(session: Connection) -> None:
    for as_of in ("infinity", "-infinity", "4713-01-02 00:00:00+00 BC", "294276-12-31 23:59:59+00"):
        session.execute("select * from public.lost_runs('1000 years', %s)", (as_of,))


@pytest.mark.parametrize("chunk", ["null", "[1]", '{"reruns": "many"}', '{"bytes": 1}', '{"reruns": null}'])
def test_what_is_no_count_adds_nothing(session: Connection, chunk: str) -> None:
    statement = """select pgreprise.add_counts('{"reruns": 1}', %s::jsonb) ->> 'reruns' as reruns"""
    assert session.execute(statement, (chunk,)).fetchall() == [{"reruns": "1"}]
