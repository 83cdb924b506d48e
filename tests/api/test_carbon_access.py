"""Who may do what to a unit's reports over HTTP: each kind of role on each endpoint."""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import URL
from werkzeug.test import TestResponse

from pyapi.api.auth import Authentication, issue_token
from tests.support.api import api_over
from tests.support.carbon import (
    ADMIN,
    EVERYWHERE,
    METIER,
    PRINCIPAL,
    READ,
    STANDARD,
    TABLES,
    WRITE,
    add_entry,
    add_report,
    add_unit,
    claims,
    role,
    snapshot,
)
from tests.support.databases import Connection
from tests.support.tokens import SETTINGS


@dataclass(frozen=True)
class Place:
    """A unit with a Calculator report and an explore report of 2025, each with an entry in module 2."""

    unit: int
    report: int
    explore: int
    entry: int
    explore_entry: int


@dataclass(frozen=True)
class Endpoint:
    """A request; ``needs`` is what a caller must be able to do, ``done`` the status of one that is done."""

    method: str
    path: str
    needs: str
    done: int = 200
    body: Callable[[Place], Any] | None = None
    query: dict[str, str] = field(default_factory=dict)


EXPLORE = "/api/v1/carbon-reports/simulator/explore/unit/{unit}/reference-year"
TRAVEL = "/api/v1/modules/{unit}/2025/professional-travel"
ENTRIES = f"{TRAVEL}/plane"
ME = "100002"
ENTRY = {
    "data": {
        "user_institutional_id": ME,
        "origin_iata": "GVA",
        "destination_iata": "BOS",
        "cabin_class": "economy",
        "number_of_trips": 12,
    },
    "emissions": [{"emission_type_id": 50203, "kg_co2eq": 1.5}],
}

ENDPOINTS = [
    Endpoint("GET", f"{EXPLORE}/2025/", "read"),
    Endpoint("POST", f"{EXPLORE}/2026/", "write", 201),
    Endpoint("PUT", f"{EXPLORE}/2025/", "write"),
    Endpoint("PUT", f"{EXPLORE}/2026/", "write", 201),
    Endpoint("POST", "/api/v1/carbon-reports/{explore}/convert", "write"),
    Endpoint("GET", "/api/v1/carbon-reports/unit/{unit}/", "read"),
    Endpoint("GET", "/api/v1/carbon-reports/unit/{unit}/year/2025/", "read"),
    Endpoint("POST", "/api/v1/carbon-reports/", "write", 201, lambda place: {"unit_id": place.unit, "year": 2030}),
    Endpoint(
        "POST", "/api/v1/carbon-reports/bulk", "write", 201, lambda place: [{"unit_id": place.unit, "year": 2030}]
    ),
    Endpoint("GET", "/api/v1/carbon-reports/{report}", "read"),
    Endpoint("GET", "/api/v1/carbon-reports/{report}/modules/", "read"),
    Endpoint("PATCH", "/api/v1/carbon-reports/{report}/modules/2/status", "status", 200, lambda _: {"status": 2}),
    Endpoint("GET", "/api/v1/modules/{unit}/2025/headcount", "headcount"),
    Endpoint("GET", ENTRIES, "see travel"),
    Endpoint("POST", ENTRIES, "change travel", 201, lambda _: ENTRY),
    Endpoint("GET", ENTRIES + "/{entry}", "see travel"),
    Endpoint("GET", ENTRIES + "/check-unique", "see travel", query={"field": "note", "value": "x"}),
    Endpoint("GET", f"{TRAVEL}/stats-by-class", "see travel"),
    Endpoint("GET", f"{TRAVEL}/top-class-breakdown", "see travel"),
    Endpoint("GET", f"{TRAVEL}/trips-map", "see travel"),
    Endpoint("GET", "/api/v1/modules/{unit}/2025/headcount/members", "see travel"),
    Endpoint("GET", "/api/v1/modules/{unit}/2025/headcount/member", "headcount"),
    Endpoint("PATCH", ENTRIES + "/{entry}", "change travel", 200, lambda _: ENTRY),
    Endpoint("DELETE", ENTRIES + "/{entry}", "change travel", 204),
    Endpoint("GET", "/api/v1/modules-stats/{report}/validated-totals", "read"),
    Endpoint("GET", "/api/v1/modules-stats/{report}/results-summary", "read"),
    Endpoint("GET", "/api/v1/modules-stats/{report}/emission-breakdown", "read"),
    Endpoint("GET", "/api/v1/modules-stats/{report}/it-breakdown", "read"),
]

# What each caller may do to the unit; {id} is its institutional_id.
REPORTS = {"read", "write"}
ALL = {*REPORTS, "status", "headcount", "see travel", "change travel"}
USER = {*REPORTS, "see travel", "change travel"}
CALLERS: dict[str, tuple[list[tuple[Any, str, str | None]], str, set[str]]] = {
    "operator": ([("pgreprise.operator", "global", None)], WRITE, ALL),
    "admin everywhere": ([(ADMIN, "global", None)], WRITE, REPORTS),
    "metier everywhere": ([(METIER, "global", None)], WRITE, REPORTS),
    "standard everywhere": ([(STANDARD, "global", None)], WRITE, REPORTS),
    "principal everywhere": ([(PRINCIPAL, "global", None)], WRITE, REPORTS),
    "a global role of another name": ([("anything", "global", None)], WRITE, set()),
    "a global role without a name": ([(None, "global", None)], WRITE, set()),
    "principal of the unit": ([(PRINCIPAL, "unit", "{id}")], WRITE, ALL),
    "principal with own scope": ([(PRINCIPAL, "own", "{id}")], WRITE, REPORTS),
    "standard on the unit": ([(STANDARD, "unit", "{id}")], WRITE, REPORTS),
    "standard with own scope": ([(STANDARD, "own", "{id}")], WRITE, USER),
    "metier on the unit": ([(METIER, "unit", "{id}")], WRITE, REPORTS),
    "metier of the affiliation": ([(METIER, "affiliation", "{id}")], WRITE, set()),
    "another role on the unit": ([("calco2.visitor", "unit", "{id}")], WRITE, set()),
    "a role on the unit without a name": ([(None, "unit", "{id}")], WRITE, set()),
    "standard first, principal second": ([(STANDARD, "own", "{id}"), (PRINCIPAL, "unit", "{id}")], WRITE, ALL),
    "principal of another unit": ([(PRINCIPAL, "unit", "0999")], WRITE, set()),
    "principal there, standard here": ([(PRINCIPAL, "unit", "0999"), (STANDARD, "own", "{id}")], WRITE, USER),
    "principal there, admin everywhere": ([(PRINCIPAL, "unit", "0999"), (ADMIN, "global", None)], WRITE, REPORTS),
    "affiliation": ([(PRINCIPAL, "affiliation", "{id}")], WRITE, set()),
    "no role": ([], WRITE, set()),
    "principal who may only read": ([(PRINCIPAL, "unit", "{id}")], READ, {"read", "headcount", "see travel"}),
    "principal who may only write": (
        [(PRINCIPAL, "unit", "{id}")],
        "reports:write",
        {"write", "status", "change travel"},
    ),
    "global without a scope": ([("pgreprise.operator", "global", None)], "", set()),
}

# In the path or in the body; the unit of a report's path is the report's.
NAMING_A_UNIT = [each for each in ENDPOINTS if ("{unit}" in each.path or each.body) and "{report}" not in each.path]

numbers = itertools.count(1000)


@pytest.fixture(scope="module")
def guarded(shared_database: URL) -> Iterator[FlaskClient]:
    """A client of an API that wants tokens."""
    with api_over(shared_database, Authentication.of(SETTINGS)) as api:
        yield api.test_client()


@pytest.fixture
def place(shared_connection: Connection) -> Iterator[tuple[Place, str]]:
    """A unit of the test's own, with its institutional_id. It goes again: each snapshot reads all rows."""
    institutional_id = str(next(numbers))
    unit = add_unit(shared_connection, institutional_id)
    report, explore = (add_report(shared_connection, unit, 2025, kind) for kind in ("Calculator", "Simulator_Explore"))
    entry, explore_entry = (
        add_entry(shared_connection, each, 2, 10, data_entry_type_id=20) for each in (report, explore)
    )
    own_by(shared_connection, ME, entry, explore_entry)
    yield Place(unit, report, explore, entry, explore_entry), institutional_id
    for table in reversed(TABLES):
        shared_connection.execute(f"delete from public.{table}".encode())  # noqa: S608


def own_by(connection: Connection, institutional_id: str, *entries: int) -> None:
    """Let entries be of that person."""
    connection.execute(
        "update public.data_entries set data = %s where id = any (%s)",
        (json.dumps({"user_institutional_id": institutional_id}), list(entries)),
    )


def send(client: FlaskClient, endpoint: Endpoint, place: Place, token: str | None, **arguments: Any) -> TestResponse:
    headers = arguments.pop("headers", {})
    if token is not None:
        headers = {**headers, "Authorization": f"Bearer {token}"}
    return client.open(
        endpoint.path.format(**vars(place)),
        method=endpoint.method,
        json=endpoint.body(place) if endpoint.body else None,
        headers=headers,
        query_string={**endpoint.query, **arguments.pop("query_string", {})},
        **arguments,
    )


def token_of(who: dict[str, Any]) -> str:
    return issue_token(SETTINGS, {"institutional_id": ME, **who}, lifetime_seconds=60)


def each_endpoint(endpoint: Endpoint) -> str:
    return f"{endpoint.method} {endpoint.path.removeprefix('/api/v1')}"


@pytest.mark.needs("time")
@pytest.mark.parametrize("endpoint", ENDPOINTS, ids=each_endpoint)
@pytest.mark.parametrize("caller", CALLERS)
def test_each_kind_of_role_on_each_endpoint(
    guarded: FlaskClient, shared_connection: Connection, place: tuple[Place, str], caller: str, endpoint: Endpoint
) -> None:
    where, institutional_id = place
    roles, scope, may = CALLERS[caller]
    who = claims(*(role(name, kind, on and on.format(id=institutional_id)) for name, kind, on in roles), scope=scope)
    if endpoint.needs in may:
        response = send(guarded, endpoint, where, token_of(who))
        assert response.status_code == endpoint.done, response.text
        return
    before = snapshot(shared_connection)
    response = send(guarded, endpoint, where, token_of(who))
    assert response.status_code == 403, response.text
    assert list(response.get_json()) == ["detail"]
    assert snapshot(shared_connection) == before


def test_the_table_has_every_route(guarded: FlaskClient) -> None:
    place = Place(unit=1, report=1, explore=1, entry=1, explore_entry=1)
    routes = guarded.application.url_map
    asked = {
        routes.bind("").match(each.path.format(**vars(place)), method=each.method, return_rule=True)[0].endpoint
        for each in ENDPOINTS
    }
    all_routes = {rule.endpoint for rule in routes.iter_rules() if rule.rule.startswith("/api/v1/")}
    assert asked == {route for route in all_routes if not route.startswith("carbon.session.")}


@pytest.mark.parametrize("endpoint", ENDPOINTS, ids=each_endpoint)
def test_without_a_token_no_endpoint_does_anything(
    guarded: FlaskClient, shared_connection: Connection, place: tuple[Place, str], endpoint: Endpoint
) -> None:
    before = snapshot(shared_connection)
    response = send(guarded, endpoint, place[0], None)
    assert response.status_code == 401
    assert list(response.get_json()) == ["detail"]
    assert "WWW-Authenticate" in response.headers
    assert snapshot(shared_connection) == before


@pytest.mark.parametrize("endpoint", NAMING_A_UNIT, ids=each_endpoint)
@pytest.mark.parametrize("kind", ["global", "unit"])
def test_a_unit_that_does_not_exist_is_not_found_whoever_asks(
    guarded: FlaskClient, place: tuple[Place, str], kind: str, endpoint: Endpoint
) -> None:
    nowhere = Place(**{**vars(place[0]), "unit": 999_999_999})
    response = send(guarded, endpoint, nowhere, token_of(claims(role(PRINCIPAL, kind, place[1]))))
    assert (response.status_code, list(response.get_json())) == (404, ["detail"])


@pytest.mark.parametrize("endpoint", [each for each in ENDPOINTS if "{report}" in each.path], ids=each_endpoint)
def test_a_report_that_does_not_exist_is_not_found_except_by_the_totals(
    guarded: FlaskClient, place: tuple[Place, str], endpoint: Endpoint
) -> None:
    nowhere = Place(**{**vars(place[0]), "report": 999_999_999})
    response = send(guarded, endpoint, nowhere, token_of(claims(role(PRINCIPAL, "unit", place[1]))))
    assert response.status_code == (200 if endpoint.path.endswith("validated-totals") else 404)


@pytest.mark.parametrize("endpoint", ENDPOINTS, ids=each_endpoint)
def test_a_unit_without_an_institutional_id_admits_nobody_but_global_roles(
    guarded: FlaskClient, shared_connection: Connection, endpoint: Endpoint
) -> None:
    unit = add_unit(shared_connection, None)
    report = add_report(shared_connection, unit, 2025)
    explore = add_report(shared_connection, unit, 2025, "Simulator_Explore")
    where = Place(unit, report, explore, add_entry(shared_connection, report, 2, 10, data_entry_type_id=20), 0)
    for on in ({"kind": "unit"}, {"kind": "unit", "institutional_id": None}, {"kind": "own", "institutional_id": ""}):
        who = {**claims(), "roles": [{"role": PRINCIPAL, "on": on}]}
        assert send(guarded, endpoint, where, token_of(who)).status_code == 403
    assert send(guarded, endpoint, where, token_of(EVERYWHERE)).status_code == endpoint.done


@pytest.mark.parametrize(
    "roles",
    [None, "global", {"on": {"kind": "global"}}, [None, 1, "x", [], {}], [{"role": PRINCIPAL, "on": "global"}]],
    ids=str,
)
def test_a_claim_that_is_no_list_of_roles_gives_none(
    guarded: FlaskClient, place: tuple[Place, str], roles: Any
) -> None:
    response = send(guarded, ENDPOINTS[0], place[0], token_of({**claims(), "roles": roles}))
    assert response.status_code == 403, response.text


# --- modules and own entries -----------------------------------------------------------------

MODULES = [
    "headcount",
    "professional-travel",
    "buildings",
    "equipment",
    "purchase",
    "research-facilities",
    "external-cloud-and-ai",
    "process-emissions",
]


@pytest.mark.parametrize("module", MODULES)
@pytest.mark.parametrize(
    ("name", "on", "may"),
    [
        (PRINCIPAL, {"kind": "unit"}, MODULES),
        (PRINCIPAL, {}, MODULES),
        (PRINCIPAL, {"kind": "own"}, []),
        (STANDARD, {"kind": "own"}, ["professional-travel", "external-cloud-and-ai"]),
        (STANDARD, {}, ["professional-travel"]),
        (STANDARD, {"kind": "unit"}, []),
        (METIER, {"kind": "unit"}, []),
        (METIER, {"kind": "affiliation"}, []),
        (ADMIN, {"kind": "global"}, []),
        (ADMIN, {"scope": "global"}, []),
    ],
    ids=str,
)
def test_each_module_for_each_kind_of_role(
    guarded: FlaskClient, place: tuple[Place, str], name: str, on: dict[str, Any], may: list[str], module: str
) -> None:
    who = {**claims(), "roles": [{"role": name, "on": {**on, "institutional_id": place[1]}}]}
    response = send(guarded, Endpoint("GET", f"/api/v1/modules/{{unit}}/2025/{module}", ""), place[0], token_of(who))
    if module in may:
        assert response.status_code == 200, response.text
    else:
        path = f"modules.{module.replace('-', '_')}.view"
        assert response.status_code == 403, response.text
        assert response.get_json() == {"detail": f"Permission denied: {path} required"}


def test_a_standard_user_sees_and_writes_own_travel_only(
    guarded: FlaskClient, shared_connection: Connection, place: tuple[Place, str]
) -> None:
    where, institutional_id = place
    other = add_entry(shared_connection, where.report, 2, 20, data_entry_type_id=20)
    nobodys = add_entry(shared_connection, where.report, 2, 30, data_entry_type_id=20)
    own_by(shared_connection, "100003", other)
    token = token_of(claims(role(STANDARD, "own", institutional_id)))

    def shown(path: str) -> str:
        return send(guarded, Endpoint("GET", path, ""), where, token).text

    listed = shown(ENTRIES)
    assert ME in listed
    assert "100003" not in listed
    assert "100003" not in shown("/api/v1/modules/{unit}/2025/professional-travel")
    before = snapshot(shared_connection)
    theirs = {**ENTRY, "data": {**ENTRY["data"], "user_institutional_id": "100003"}}
    for entry in (other, nobodys):
        at = Place(**{**vars(where), "entry": entry})
        for method, body in (("GET", None), ("PATCH", ENTRY), ("DELETE", None)):
            asked = Endpoint(method, ENTRIES + "/{entry}", "", body=body and (lambda _: ENTRY))
            assert send(guarded, asked, at, token).status_code == 404
    for method, path in (("POST", ENTRIES), ("PATCH", ENTRIES + "/{entry}")):
        response = send(guarded, Endpoint(method, path, "", body=lambda _: theirs), where, token)
        assert response.status_code == 403, response.text
        assert response.get_json() == {"detail": "Permission denied: modules.professional_travel.edit required"}
        nobodys_trip = {"data": {**ENTRY["data"], "user_institutional_id": None}}
        response = send(guarded, Endpoint(method, path, "", body=lambda _, sent=nobodys_trip: sent), where, token)
        assert response.status_code == 400, response.text
    assert snapshot(shared_connection) == before


def test_nobody_but_the_principal_sets_a_status_and_the_reply_says_so(
    guarded: FlaskClient, place: tuple[Place, str]
) -> None:
    [status] = [endpoint for endpoint in ENDPOINTS if endpoint.needs == "status"]
    for name, kind in ((STANDARD, "own"), (STANDARD, "unit"), (ADMIN, "global"), (METIER, "unit")):
        response = send(guarded, status, place[0], token_of(claims(role(name, kind, place[1]))))
        assert response.status_code == 403
        assert response.get_json() == {"detail": "Permission denied: module.status.edit required"}


def test_an_application_can_ask_what_the_caller_may_do(guarded: FlaskClient) -> None:
    roles = [role(STANDARD, "own", "0184")]
    token = token_of(claims(*roles))
    response = guarded.get("/api/v1/session", headers={"Authorization": f"Bearer {token}"})
    assert response.status_code == 200
    assert response.get_json() == {
        "sub": "alice",
        "institutional_id": ME,
        "roles": roles,
        "permissions": {
            "reports/0184": ["edit", "view"],
            "modules.professional_travel/0184/own": ["edit", "view"],
            "modules.external_cloud_and_ai/0184/own": ["edit", "view"],
        },
    }
    assert guarded.get("/api/v1/session").status_code == 401


# --- the type of report ----------------------------------------------------------------------

MODULE_ENDPOINTS = [each for each in ENDPOINTS if re.search(r"/modules(/|$)", each.path)]


def everyone(place: tuple[Place, str]) -> str:
    return token_of(claims(role(PRINCIPAL, "unit", place[1])))


@pytest.mark.parametrize("given", ["3", "-1", "", "one", "1.0", "0x1", " 1", "99999999999999999999", "Calculator"])
@pytest.mark.parametrize("endpoint", MODULE_ENDPOINTS, ids=each_endpoint)
def test_every_module_endpoint_takes_a_type_and_refuses_one_that_is_none(
    guarded: FlaskClient, shared_connection: Connection, place: tuple[Place, str], endpoint: Endpoint, given: str
) -> None:
    before = snapshot(shared_connection)
    response = send(guarded, endpoint, place[0], everyone(place), query_string={"carbon_project_type": given})
    assert (response.status_code, list(response.get_json())) == (422, ["detail"])
    assert snapshot(shared_connection) == before


@pytest.mark.parametrize("endpoint", [each for each in MODULE_ENDPOINTS if "{unit}" in each.path], ids=each_endpoint)
def test_the_type_in_the_query_says_which_report_is_meant_and_0_is_the_default(
    guarded: FlaskClient, shared_connection: Connection, place: tuple[Place, str], endpoint: Endpoint
) -> None:
    def reports_that_changed(before: dict[str, Any]) -> set[int]:
        changed = set(snapshot(shared_connection)["carbon_reports"]) - set(before["carbon_reports"])
        return {int(entry.strip("()").split(",")[0]) for entry in changed}

    where = place[0]
    in_explore = Place(**{**vars(where), "entry": where.explore_entry})
    for query, target, report in (
        ({}, where, where.report),
        ({"carbon_project_type": "0"}, where, where.report),
        ({"carbon_project_type": "1"}, in_explore, where.explore),
        ({"carbon_project_type": "2"}, where, None),
    ):
        if endpoint.method == "DELETE" and query == {"carbon_project_type": "0"}:
            continue
        shared_connection.execute(
            "update public.carbon_reports set last_updated = null where unit_id = %s", (where.unit,)
        )
        before = snapshot(shared_connection)
        response = send(guarded, endpoint, target, everyone(place), query_string=query)
        assert response.status_code == (endpoint.done if report else 404), response.text
        assert reports_that_changed(before) == ({report} if report and endpoint.method != "GET" else set())
        if report and endpoint.path.endswith("headcount"):
            module = response.get_json()["carbon_report_module_id"]
            [module_row] = [
                row for row in snapshot(shared_connection)["carbon_report_modules"] if row.startswith(f"({module},")
            ]
            assert module_row.startswith(f"({module},{report},")


@pytest.mark.parametrize("endpoint", [each for each in ENDPOINTS if "{explore}" not in each.path], ids=each_endpoint)
@pytest.mark.parametrize("simulation", ["1", "true", "explore"])
def test_the_header_of_old_clients_changes_nothing(
    guarded: FlaskClient, shared_connection: Connection, place: tuple[Place, str], endpoint: Endpoint, simulation: str
) -> None:
    before = snapshot(shared_connection)
    response = send(guarded, endpoint, place[0], everyone(place), headers={"X-Co2-Simulation": simulation})
    assert response.status_code == endpoint.done
    if endpoint.path.startswith(EXPLORE):
        return
    # The explore report was neither shown nor touched.
    explore = f"({place[0].explore},"
    stands = [
        [row for row in rows["carbon_reports"] if row.startswith(explore)]
        for rows in (before, snapshot(shared_connection))
    ]
    assert stands[0] == stands[1] != []
    shown = response.get_json(silent=True) or []
    for row in shown if isinstance(shown, list) else [shown]:
        assert row.get("carbon_report_id", place[0].report) == place[0].report
        assert "year" not in row or row["id"] != place[0].explore


@pytest.mark.parametrize("given", ["0", "1", "2"])
def test_where_a_report_id_is_given_the_type_of_the_query_does_not_matter(
    guarded: FlaskClient, place: tuple[Place, str], given: str
) -> None:
    for endpoint in (each for each in MODULE_ENDPOINTS if "{report}" in each.path):
        replies = [
            send(guarded, endpoint, place[0], everyone(place), query_string=query).get_json()
            for query in ({}, {"carbon_project_type": given})
        ]
        assert replies[0] == replies[1]
