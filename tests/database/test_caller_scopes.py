"""Somebody asks who he is for the database, and what he may do."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.support.databases import Connect, Connection
from tests.support.refusals import refusal
from tests.support.statements import one

SCOPES = ["reports:read", "reports:write", "reports:work", "reports:rerun", "reports:admin"]
# What needs each scope, with arguments that are refused after the scope.
NEEDS = {
    "reports:read": "select * from find_reports(max_rows => 0)",
    "reports:write": "select * from update_report(999)",
    "reports:work": "select * from claim_report('', interval '-1')",
    "reports:rerun": "call rerun_report(999)",
    "reports:admin": "select purge_chunk(interval '-1 day')",
}


def asked(connection: Connection) -> list[dict[str, Any]]:
    return connection.execute("select * from caller_scopes()").fetchall()


def act_as(connection: Connection, **claims: object) -> None:
    connection.execute("select set_config('request.jwt.claims', %s, true)", (json.dumps(claims),))


def held(connection: Connection) -> list[str]:
    rows = asked(connection)
    assert [row["scope"] for row in rows] == SCOPES
    return [row["scope"] for row in rows if row["is_held"]]


@pytest.mark.parametrize(
    ("scope", "expected"),
    [
        ("", []),
        (None, []),
        ("reports:read", ["reports:read"]),
        ("carbon:x reports:rerun reports:read", ["reports:read", "reports:rerun"]),
        ("reports:admin", ["reports:admin"]),
        ("reports:readers reports", []),
        (" ".join(SCOPES), SCOPES),
    ],
)
def test_a_token_has_the_scopes_that_it_lists(sandbox: Connection, scope: str | None, expected: list[str]) -> None:
    act_as(sandbox, sub="ann", scope=scope)
    assert held(sandbox) == expected
    assert {row["actor"] for row in asked(sandbox)} == {"ann"}


@pytest.mark.parametrize("scope", SCOPES)
@pytest.mark.parametrize("token", ["", *SCOPES])
def test_a_scope_that_is_held_is_one_that_is_not_refused(sandbox: Connection, scope: str, token: str) -> None:
    act_as(sandbox, sub="ann", scope=token)
    said = refusal(sandbox, NEEDS[scope])
    assert (said.code != "RR017") == (scope in held(sandbox))


def test_without_a_token_only_operators_have_every_scope(connect: Connect) -> None:
    for role in ("pgreprise_api", "pgreprise_reader", "pgreprise_worker", "pgreprise_monitor"):
        caller = connect(role=role)
        assert held(caller) == SCOPES[:-1]
        assert {row["actor"] for row in asked(caller)} == {role}
    assert held(connect(role="pgreprise_dba")) == SCOPES
    psql = connect()
    assert held(psql) == SCOPES
    assert one(psql, "select session_user as name")["name"] == asked(psql)[0]["actor"]


def test_an_operator_with_a_token_has_what_the_token_allows(connect: Connect) -> None:
    operator = connect(role="pgreprise_dba", autocommit=False)
    act_as(operator, scope="reports:read")
    assert held(operator) == ["reports:read"]
    # A token that names nobody.
    assert asked(operator)[0]["actor"] == "pgreprise_dba"


def test_claims_that_are_no_object_are_refused(sandbox: Connection) -> None:
    sandbox.execute("set local request.jwt.claims = '[]'")
    assert refusal(sandbox, "select * from caller_scopes()").code == "RR017"
