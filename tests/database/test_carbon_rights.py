"""Who may do what in the carbon domain: each name of a role with each kind, and malformed claims."""

from __future__ import annotations

import json
from typing import Any

import psycopg
import pytest
from psycopg.types.json import Jsonb

from tests.support.carbon import ADMIN, EVERYWHERE, METIER, PRINCIPAL, STANDARD, acting, add_report, add_unit, claims
from tests.support.databases import Connection
from tests.support.statements import one

MODULES = [
    "headcount",
    "professional_travel",
    "buildings",
    "equipment",
    "purchase",
    "research_facilities",
    "external_cloud_and_ai",
    "process_emissions",
]
HERE, ME = "0184", "100002"
# The shape of "on" for each kind; the last three are those of roles before they had a kind.
PLACES: dict[str, dict[str, Any]] = {
    "global": {"kind": "global"},
    "unit": {"kind": "unit", "institutional_id": HERE},
    "own": {"kind": "own", "institutional_id": HERE},
    "affiliation": {"kind": "affiliation", "affiliation": "ENAC", "institutional_id": HERE},
    "old unit": {"institutional_id": HERE},
    "old affiliation": {"affiliation": "ENAC", "institutional_id": None},
    "old global": {"scope": "global"},
}
SEES_REPORTS = {"global", "unit", "own", "old unit", "old global"}
NAMES: list[Any] = [PRINCIPAL, STANDARD, METIER, ADMIN, "calco2.visitor", "", None, 1, "no name"]


def right_of_modules(name: Any, place: str) -> list[str]:
    """The modules that a role may see and change."""
    match name, place:
        case "calco2.user.principal", "unit" | "old unit":
            return MODULES
        case "calco2.user.standard", "own":
            return ["professional_travel", "external_cloud_and_ai"]
        case "calco2.user.standard", "old unit":
            return ["professional_travel"]
    return []


@pytest.fixture
def unit(sandbox: Connection) -> int:
    """A unit with a report of 2025."""
    unit_id = add_unit(sandbox, HERE)
    add_report(sandbox, unit_id)
    return unit_id


def holder(name: Any, on: Any) -> dict[str, Any]:
    """The claims of somebody with one role."""
    given = {"on": on} if name == "no name" else {"role": name, "on": on}
    return {**claims(), "institutional_id": ME, "roles": [given]}


def said(connection: Connection, who: dict[str, Any] | None, statement: str, *arguments: Any) -> str:
    """What the database says to a caller: done, or the SQLSTATE and the message."""
    connection.execute("select set_config('request.jwt.claims', %s, false)", (json.dumps(who),))
    try:
        with connection.transaction():
            connection.execute(statement, arguments)
        return "done"
    except psycopg.Error as error:
        return f"{error.sqlstate} {error.diag.message_primary}"
    finally:
        connection.execute("select set_config('request.jwt.claims', '', false)")


EDITS = [
    "select create_carbon_project({unit}, 2)",
    "select create_carbon_report({unit}, 2030)",
    "select create_explore_report({unit}, 2030)",
    "select get_or_create_explore_report({unit}, 2030)",
    "select get_or_create_explore_report({unit}, 2025)",
    'select bulk_upsert_carbon_reports(\'[{{"unit_id": {unit}, "year": 2031}}]\')',
    "select convert_explore_report({explore})",
]


@pytest.mark.parametrize("edit", EDITS, ids=lambda edit: edit.split("(")[0])
def test_what_creates_or_changes_reports_asks_for_the_right_to_edit(sandbox: Connection, unit: int, edit: str) -> None:
    explore = add_report(sandbox, unit, 2025, "Simulator_Explore")
    who = holder(PRINCIPAL, PLACES["unit"])
    statement = edit.format(unit=unit, explore=explore)
    with sandbox.transaction(force_rollback=True):
        assert said(sandbox, who, statement) == "done"
    sandbox.execute("delete from pgreprise.carbon_role_right where resource = 'reports' and action = 'edit'")
    assert said(sandbox, who, "select get_explore_report(%s, 2025)", unit) == "done"
    assert said(sandbox, who, statement) == f"RC002 The caller has no access to unit #{unit}."


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("name", NAMES, ids=str)
def test_each_name_with_each_kind(sandbox: Connection, unit: int, name: Any, place: str) -> None:
    who = holder(name, PLACES[place])
    report = one(sandbox, "select id from public.carbon_reports where unit_id = %s", unit)["id"]
    sees = name in NAMES[:4] and place in SEES_REPORTS
    refused = f"RC002 The caller has no access to unit #{unit}."
    for action in ("view", "edit"):
        assert said(sandbox, who, "select require_unit_access(%s, %s)", unit, action) == ("done" if sees else refused)
    for number, module in enumerate(MODULES, 1):
        for action in ("view", "edit"):
            may = module in right_of_modules(name, place)
            asked = said(sandbox, who, "select pgreprise.require_module_access(%s, %s, %s)", unit, number, action)
            assert asked == ("done" if may else f"RC002 Permission denied: modules.{module}.{action} required")
    status = said(sandbox, who, "select set_carbon_module_status(%s::bigint, 1, 2)", report)
    sets = name == PRINCIPAL and place in ("unit", "old unit")
    assert status == ("done" if sets else "RC002 Permission denied: module.status.edit required")


@pytest.mark.parametrize(
    "roles",
    [
        None,
        1,
        "global",
        {"role": ADMIN, "on": {"kind": "global"}},
        [None, 1, "x", [], {}],
        *(
            [{"role": PRINCIPAL, "on": on}]
            for on in (
                None,
                "global",
                [],
                {},
                {"kind": None, "institutional_id": HERE},
                {"kind": "", "institutional_id": HERE},
                {"kind": "units", "institutional_id": HERE},
                {"kind": "unlabelled", "institutional_id": HERE},
                {"kind": "unit"},
                {"kind": "unit", "institutional_id": ""},
                {"kind": "unit", "institutional_id": None},
                {"kind": "unit", "institutional_id": 184},
                {"kind": "unit", "institutional_id": [HERE]},
                {"scope": "everything"},
            )
        ),
    ],
    ids=str,
)
@pytest.mark.parametrize("institutional_id", [HERE, "", None, "184"])
def test_malformed_claims_give_no_right(sandbox: Connection, roles: Any, institutional_id: str | None) -> None:
    unit = add_unit(sandbox, institutional_id)
    who = {**claims(), "roles": roles}
    refused = f"RC002 The caller has no access to unit #{unit}."
    assert said(sandbox, who, "select require_unit_access(%s)", unit) == refused
    assert said(sandbox, who, "select pgreprise.require_module_access(%s, 1, 'view')", unit).startswith("RC002")


@pytest.mark.parametrize("name", [STANDARD, PRINCIPAL, METIER, ADMIN])
@pytest.mark.parametrize("institutional_id", ["", None], ids=["empty", "null"])
def test_a_unit_without_an_institutional_id_is_open_to_global_roles_only(
    sandbox: Connection, name: str, institutional_id: str | None
) -> None:
    unit = add_unit(sandbox, institutional_id)
    ask = "select require_unit_access(%s)"
    for on in ({"kind": "unit", "institutional_id": institutional_id}, {"institutional_id": institutional_id}):
        assert said(sandbox, holder(name, on), ask, unit).startswith("RC002")
    assert said(sandbox, holder(name, {"kind": "global"}), ask, unit) == "done"


def test_the_role_of_a_unit_is_one_with_a_known_name(sandbox: Connection) -> None:
    def picked(*names: Any, on: Any = None, institutional_id: str = HERE) -> Any:
        roles = [holder(name, on or PLACES["unit"])["roles"][0] for name in names]
        ask = "select pick_role_for_institutional_id(%s, %s) as role"
        return one(sandbox, ask, Jsonb(roles), institutional_id)["role"]

    assert picked("no name", None, "calco2.visitor") is None
    assert picked(METIER, STANDARD, PRINCIPAL) == PRINCIPAL
    assert picked(METIER, STANDARD) == STANDARD
    assert picked(PRINCIPAL, on={"kind": "unit", "institutional_id": ""}, institutional_id="") is None
    assert picked(ADMIN, on={"kind": "global"}) is None


def test_a_role_for_own_entries_says_whose(sandbox: Connection, unit: int) -> None:
    ask = "select pgreprise.require_module_access(%s, %s, 'view') as own"
    own = holder(STANDARD, PLACES["own"])
    both = {**own, "roles": [*own["roles"], {"role": PRINCIPAL, "on": PLACES["unit"]}]}
    for who, travel, cloud in ((own, ME, None), (both, None, None), (EVERYWHERE, None, None)):
        sandbox.execute("select set_config('request.jwt.claims', %s, false)", (json.dumps(who),))
        assert one(sandbox, ask, unit, 2)["own"] == travel
        assert one(sandbox, ask, unit, 7)["own"] == cloud
    sandbox.execute("select set_config('request.jwt.claims', '', false)")


@pytest.mark.parametrize("mine", [None, "", 100002, [ME], "left out"], ids=str)
def test_own_entries_need_an_institutional_id_in_the_token(sandbox: Connection, unit: int, mine: Any) -> None:
    who = {**holder(STANDARD, PLACES["own"]), "institutional_id": mine}
    if mine == "left out":
        del who["institutional_id"]
    asked = said(sandbox, who, "select pgreprise.require_module_access(%s, 2, 'view')", unit)
    assert asked == "RC002 Permission denied: modules.professional_travel.view required"


@pytest.mark.parametrize(
    ("data", "own", "expected"),
    [
        ({"user_institutional_id": ME}, ME, True),
        ({"user_institutional_id": "100003"}, ME, False),
        ({"user_institutional_id": ""}, "", False),
        ({"user_institutional_id": None}, ME, False),
        ({}, ME, False),
        (None, ME, False),
        ([], ME, False),
        ({}, None, True),
        (None, None, True),
    ],
)
def test_an_entry_is_the_callers_own_when_it_carries_the_id(
    sandbox: Connection, data: Any, own: str | None, expected: bool
) -> None:
    value = None if data is None else Jsonb(data)
    assert one(sandbox, "select pgreprise.is_own_entry(%s, %s) as own", value, own)["own"] is expected


def test_a_member_of_dba_without_a_token_may_do_everything_and_nobody_else(sandbox: Connection, unit: int) -> None:
    report = one(sandbox, "select id from public.carbon_reports where unit_id = %s", unit)["id"]
    statements = (
        ("select require_unit_access(%s)", unit),
        ("select get_carbon_module(%s, 2025, 'headcount')", unit),
        ("select set_carbon_module_status(%s::bigint, 1, 2)", report),
    )
    for statement, argument in statements:
        with acting(sandbox, None, "pgreprise_dba"):
            sandbox.execute(statement, (argument,))
        with acting(sandbox, None), pytest.raises(psycopg.Error) as caught, sandbox.transaction():
            sandbox.execute(statement, (argument,))
        assert caught.value.sqlstate == "RC002"


def test_the_permissions_of_the_caller_are_those_that_are_asked_for(sandbox: Connection, unit: int) -> None:
    other = add_unit(sandbox, "0207")
    who = {
        **claims(),
        "institutional_id": ME,
        "roles": [
            {"role": STANDARD, "on": {"kind": "own", "institutional_id": "0207"}},
            {"role": PRINCIPAL, "on": {"kind": "unit", "institutional_id": HERE}},
            {"role": ADMIN, "on": {"kind": "global"}},
        ],
    }
    at_0207 = {
        "reports/0207": ["edit", "view"],
        "modules.professional_travel/0207/own": ["edit", "view"],
        "modules.external_cloud_and_ai/0207/own": ["edit", "view"],
    }
    at_0184 = {
        "reports/0184": ["edit", "view"],
        "module.status/0184": ["edit"],
        **{f"modules.{module}/0184": ["edit", "sync", "view"] for module in MODULES},
    }
    everywhere = {"reports": ["edit", "view"]}
    ask = "select carbon_permissions(%s) as found"
    with acting(sandbox, who):
        found = one(sandbox, ask, None)["found"]
        assert found == {
            "sub": "alice",
            "institutional_id": ME,
            "roles": who["roles"],
            "permissions": {**at_0207, **at_0184, **everywhere},
        }
        assert one(sandbox, ask, [other])["found"]["permissions"] == {**at_0207, **everywhere}
        assert one(sandbox, ask, [unit])["found"]["permissions"] == {**at_0184, **everywhere}
        assert one(sandbox, ask, [])["found"]["permissions"] == everywhere
    with acting(sandbox, {**who, "roles": "none"}):
        assert one(sandbox, ask, None)["found"]["permissions"] == {}


# --- scratch reports -------------------------------------------------------------------------


def test_a_new_explore_report_takes_nothing_from_the_calculator(sandbox: Connection, unit: int) -> None:
    report = one(sandbox, "select id from public.carbon_reports where unit_id = %s", unit)["id"]
    sandbox.execute(
        "insert into public.data_entries (carbon_report_module_id, data_entry_type_id, data) select id, 70, '{}'"
        " from public.carbon_report_modules where carbon_report_id = %s",
        (report,),
    )
    made = one(sandbox, "select * from create_explore_report(%s, 2025)", unit)["id"]
    found = sandbox.execute(
        "select module.module_type_id, count(entry.id) as entries, max(module.status) as status"
        " from public.carbon_report_modules as module"
        " left join public.data_entries as entry on entry.carbon_report_module_id = module.id"
        " where module.carbon_report_id = %s group by 1 order by 1",
        (made,),
    ).fetchall()
    assert [tuple(row.values()) for row in found] == [(number, 0, 0) for number in range(1, 9)]
