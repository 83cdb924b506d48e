"""Errors of the carbon routes have the application's form, and every code of the domain is met."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg
import pytest
from flask.testing import FlaskClient
from psycopg.types.json import Jsonb
from sqlalchemy import URL
from werkzeug.test import TestResponse

from pyapi.api.app import create_app
from pyapi.api.auth import Authentication, issue_token
from pyapi.api.errors import HTTP_STATUS
from pyapi.database import connect_engine
from pyapi.schema.files import sql_folder
from tests.support.api import NewClient, as_api
from tests.support.carbon import PRINCIPAL, add_entry, add_report, add_unit, claims, role, snapshot
from tests.support.databases import Connect, Connection
from tests.support.tokens import SETTINGS

RULES = {code: status for code, status in HTTP_STATUS.items() if code.startswith("RC")}
# Of the migration alone.
NOT_OVER_HTTP = {"RC007"}


def detail(response: TestResponse, status: int) -> str:
    """The one thing that such an error says."""
    assert response.status_code == status, response.text
    assert response.mimetype == "application/json"
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    said = response.get_json()
    assert list(said) == ["detail"]
    assert ("Retry-After" in response.headers) == (status == 503)
    return str(said["detail"])


def test_the_codes_that_sql_raises_are_the_codes_that_have_a_status() -> None:
    lines = [line for path in sql_folder().rglob("*.sql") for line in path.read_text(encoding="utf-8").splitlines()]
    code_lines = [line for line in lines if not line.lstrip().startswith("--")]
    raised = {code for line in code_lines for code in re.findall(r"'(RC\d{3})'", line)}
    assert raised == RULES.keys() | NOT_OVER_HTTP


def test_the_documentation_has_a_row_for_each_code_with_its_status() -> None:
    page = (Path(__file__).parents[2] / "docs" / "reference" / "errors.md").read_text(encoding="utf-8")
    rows = [line.split("|") for line in page.splitlines() if re.match(r"\| `RC", line)]
    documented = {row[1].strip(" `"): row[3].strip() for row in rows}
    assert documented == {**{code: str(status) for code, status in RULES.items()}, "RC007": "migration only"}


def get(path: str) -> Callable[[FlaskClient], TestResponse]:
    return lambda client: client.get(f"/api/v1{path}")


def post(path: str, body: Any = None) -> Callable[[FlaskClient], TestResponse]:
    return lambda client: client.post(f"/api/v1{path}", json=body)


STATUS = "/api/v1/carbon-reports/1/modules/1/status"
NO_ACCESS = "RC002"

MEMBER = {"name": "A", "sius_code": "51", "fte": 1, "user_institutional_id": "1001"}

REFUSALS: list[tuple[Callable[[FlaskClient], TestResponse], str, str]] = [
    (get("/carbon-reports/unit/7/"), "RC001", "Unit #7 not found."),
    (get("/carbon-reports/unit/2/"), NO_ACCESS, "The caller has no access to unit #2."),
    (get("/carbon-reports/7"), "RC003", "Carbon report not found: carbon_report_id 7."),
    (get("/carbon-reports/unit/1/year/1999/"), "RC003", "Carbon report not found: unit_id 1, year 1999."),
    (
        post("/carbon-reports/", {"unit_id": 1, "year": 2025}),
        "RC004",
        "Unit #1 already has a Calculator report of 2025.",
    ),
    (get("/modules/1/2025/headcount?carbon_project_type=3"), "RC005", "3 is not a carbon project type."),
    (get("/modules/1/2025/teleport"), "RC006", "There is no module teleport."),
    (
        lambda client: client.patch(STATUS, json={"status": 3}),
        "RC006",
        "3 is not a status. A status is 0 (not started), 1 (in progress) or 2 (validated).",
    ),
    (
        lambda client: client.patch(STATUS.replace("modules/1", "modules/9"), json={"status": 1}),
        "RC006",
        "There is no module type 9.",
    ),
    (post("/carbon-reports/", {"unit_id": 1, "year": 7}), "RC008", "7 is not a year."),
    (post("/carbon-reports/bulk", [{}]), "RC008", "Element 1 of the list is not a valid report."),
    (post("/modules/1/2025/headcount/student", {}), "RC013", "fte is missing: fte must be a number of 0 or more."),
    (post("/modules/1/2025/headcount/student", {"fte": "x"}), "RC013", "fte must be a number of 0 or more."),
    (post("/modules/1/2025/headcount/member", MEMBER), "RC014", "DUPLICATE_INSTITUTIONAL_ID"),
    (
        get("/modules/1/2025/headcount/plane"),
        "RC015",
        "The module has no entries of a type plane. Its types are: member, student.",
    ),
    (
        get("/modules/1/2025/headcount/student?sort_by=name"),
        "RC016",
        "Entries of this type have no field name. Their fields are: fte, primary_factor_id.",
    ),
    (
        post("/modules/1/2025/headcount/student", {"fte": 3}),
        "RC019",
        "The next id of table public.data_entries is taken: its sequence is behind, as after a restore. "
        "Nothing was changed.",
    ),
    (
        post("/modules/1/2025/headcount/student", {"fte": 777}),
        "RC017",
        "A trigger on public.data_entries kept a row from being written. Nothing was changed.",
    ),
    (
        lambda client: client.delete("/api/v1/modules/1/2025/headcount/member/1"),
        "RC018",
        'Rows of public.notes refer to rows of public.data_entries that would be deleted, with "on delete cascade" '
        "(constraint noted). They would be lost. Nothing was changed.",
    ),
]

# Rules of the calculator: entries of 777 people vanish, a note is on each entry that there is.
HOST_RULES = """
create function public.keep() returns trigger language plpgsql as 'begin return null; end';
create trigger kept before insert on public.data_entries for each row
  when (new.data ->> 'fte' = '777') execute function public.keep();
create table public.notes (entry_id bigint constraint noted references public.data_entries (id) on delete cascade);
insert into public.notes select id from public.data_entries;
grant select on public.notes to pgreprise_owner;
select setval('public.data_entries_id_seq', min(id), false) from public.data_entries;
"""


@pytest.fixture
def principal(database: URL, dba: Connection) -> FlaskClient:
    """A client whose token is for the principal of unit 1, which has a report of 2025; unit 2 is another's."""
    report = add_report(dba, add_unit(dba, "0184"))
    entry = add_entry(dba, report, 1)
    dba.execute("update public.data_entries set data = %s where id = %s", (Jsonb(MEMBER), entry))
    add_unit(dba, "0207")
    dba.execute(HOST_RULES)
    client = create_app(connect_engine(as_api(database)), Authentication.of(SETTINGS)).test_client()
    token = issue_token(SETTINGS, claims(role(PRINCIPAL, "unit", "0184")), lifetime_seconds=60)
    client.environ_base["HTTP_AUTHORIZATION"] = f"Bearer {token}"
    return client


def test_a_refusal_says_what_the_database_said_and_changes_nothing(principal: FlaskClient, dba: Connection) -> None:
    before = snapshot(dba)
    for request, code, message in REFUSALS:
        assert detail(request(principal), RULES[code]) == message
    assert snapshot(dba) == before
    principal.application.extensions["pgreprise.engine"].dispose()


def test_each_code_with_a_status_has_been_met() -> None:
    assert {code for _, code, _ in REFUSALS} == RULES.keys()


BODIES = [
    ("/carbon-reports/", b""),
    ("/carbon-reports/", b"{"),
    ("/carbon-reports/", b"[]"),
    ("/carbon-reports/", b"{}"),
    ("/carbon-reports/", b'{"unit_id": "one", "year": 2025}'),
    ("/carbon-reports/", b'{"unit_id": 1, "year": null}'),
    ("/carbon-reports/bulk", b"{}"),
    ("/carbon-reports/bulk", b"[1]"),
    ("/carbon-reports/bulk", b"NaN"),
    ("/modules/1/2025/headcount/1", b'{"data": {"fte": NaN}}'),
    ("/modules/1/2025/headcount/1", b"[]"),
]


@pytest.mark.parametrize(("path", "body"), BODIES, ids=str)
def test_a_body_that_cannot_be_used_is_unprocessable(shared_client: FlaskClient, path: str, body: bytes) -> None:
    response = shared_client.post(f"/api/v1{path}", data=body, content_type="application/json")
    assert "body" in detail(response, 422)


@pytest.mark.parametrize(
    "body",
    [
        {"emissions": [{"emission_type_id": 10001, "kg_co2eq": 9}], "fte": 7},
        {"data": {"fte": 7}, "fte": 7},
        {"data": {"fte": 7}, "emissions": [], "note": "n"},
        {"data": None, "status": 1},
    ],
    ids=str,
)
@pytest.mark.parametrize("method", ["POST", "PATCH"])
def test_fields_beside_data_or_emissions_are_refused_and_nothing_is_lost(
    client: FlaskClient, dba: Connection, method: str, body: dict[str, Any]
) -> None:
    entry = add_entry(dba, add_report(dba, add_unit(dba)), 1, 5, fte=1, data_entry_type_id=2)
    before = snapshot(dba)
    path = "/api/v1/modules/1/2025/headcount/student" + (f"/{entry}" if method == "PATCH" else "")
    said = detail(client.open(path, method=method, json=body), 422)
    beside = next(name for name in body if name not in ("data", "emissions"))
    assert f"the fields belong into data, and not beside it: {beside}" in said
    assert snapshot(dba) == before


def test_fields_that_the_front_end_sends_besides_do_not_matter(client: FlaskClient, dba: Connection) -> None:
    body = {"unit_id": add_unit(dba), "year": 2025, "completion_progress": "8/8", "id": 7, "modules": []}
    response = client.post("/api/v1/carbon-reports/", json=body)
    assert response.status_code == 201
    assert response.get_json()["completion_progress"] is None


def test_flasks_own_errors_have_the_form_too(shared_client: FlaskClient) -> None:
    detail(shared_client.get("/api/v1/nothing"), 404)
    detail(shared_client.get("/api/v1/carbon-reports/one"), 404)
    response = shared_client.put("/api/v1/carbon-reports/1")
    detail(response, 405)
    assert "GET" in response.headers["Allow"]
    detail(shared_client.post("/api/v1/carbon-reports/", data="x", content_type="text/plain"), 415)


def test_other_paths_keep_the_envelope(shared_client: FlaskClient) -> None:
    for path in ("/nothing", "/us/report/1", "/api/v1"):
        assert "message" in shared_client.get(path).get_json()


def test_conditions_of_postgresql_have_the_form_too(new_client: NewClient, dba: Connection, connect: Connect) -> None:
    add_report(dba, add_unit(dba))
    holder = connect(autocommit=False)
    holder.execute("select from public.carbon_reports for update")
    client = new_client("-c lock_timeout=20ms")
    assert "Row 1 of carbon_reports is locked" in detail(client.patch(STATUS, json={"status": 1}), 503)
    holder.rollback()
    dba.execute("revoke execute on function public.get_carbon_report from pgreprise_api")
    detail(client.get("/api/v1/carbon-reports/1"), 403)
    detail(client.get("/api/v1/carbon-reports/99999999999999999999"), 400)
    dba.execute("drop function public.get_carbon_reports")
    detail(client.get("/api/v1/carbon-reports/unit/1/"), 503)


def test_an_unforeseen_error_is_opaque(client: FlaskClient, dba: Connection) -> None:
    dba.execute(
        "create or replace function public.get_carbon_report(report_id bigint) returns setof "
        "pgreprise.carbon_report_row language plpgsql as $$ begin raise exception 'secret'; end $$"
    )
    said = detail(client.get("/api/v1/carbon-reports/1"), 500)
    assert "secret" not in said


STUDENT = "/api/v1/modules/1/2025/headcount/student"
REFUSING = [
    (
        "create table public.factors (id bigint primary key); alter table public.data_entry_emissions add constraint "
        "factor foreign key (primary_factor_id) references public.factors (id)",
        'insert or update on table "data_entry_emissions" violates foreign key constraint "factor".',
    ),
    (
        "create function public.refuse() returns trigger language plpgsql as $$ begin "
        "raise exception 'The year is closed'; end $$; "
        "create trigger refuses before insert on public.data_entries for each row execute function public.refuse()",
        "The year is closed.",
    ),
    (
        "create function public.refuse() returns trigger language plpgsql as $$ begin "
        "raise exception 'The year is closed' using errcode = 'XY001', constraint = 'closing'; end $$; "
        "create trigger refuses after update on public.carbon_reports for each row execute function public.refuse()",
        "The year is closed (constraint closing).",
    ),
    (
        "alter table public.data_entries add reviewer text not null default 'x'; "
        "alter table public.data_entries alter reviewer drop default",
        'null value in column "reviewer" of relation "data_entries" violates not-null constraint.',
    ),
    (
        "create table public.factors (id bigint primary key); alter table public.data_entry_emissions add constraint "
        "factor foreign key (primary_factor_id) references public.factors (id) deferrable initially deferred",
        'insert or update on table "data_entry_emissions" violates foreign key constraint "factor".',
    ),
]


@pytest.mark.parametrize(("rule", "message"), REFUSING, ids=["factor", "raise", "code", "not null", "deferred"])
def test_what_the_calculators_own_rules_say_is_a_conflict_and_nothing_is_changed(
    client: FlaskClient, dba: Connection, rule: str, message: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "pyapi.api.errors")
    add_report(dba, add_unit(dba))
    dba.execute(rule.encode())
    before = snapshot(dba)
    emission = {"emission_type_id": 10001, "kg_co2eq": 1, "primary_factor_id": 77}
    said = detail(client.post(STUDENT, json={"data": {"fte": 1}, "emissions": [emission]}), 409)
    assert said == f"The database has a rule against this: {message} Nothing was changed."
    assert snapshot(dba) == before
    # Its detail has values of rows, and goes to the log only.
    assert ("(77)" in caplog.text) == ("foreign key" in message)


def test_a_session_without_claims_has_access_only_as_a_dba(dba: Connection, connect: Connect) -> None:
    unit = add_unit(dba)
    with pytest.raises(psycopg.Error) as caught:
        connect(role="pgreprise_api").execute("select * from get_carbon_reports(%s)", (unit,))
    assert caught.value.sqlstate == NO_ACCESS
    assert connect(role="pgreprise_dba").execute("select * from get_carbon_reports(%s)", (unit,)).fetchall() == []
