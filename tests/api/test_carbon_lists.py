"""The front end asks for what the pages of a module show."""

from __future__ import annotations

import pytest
from flask.testing import FlaskClient
from psycopg.types.json import Jsonb

from tests.support.carbon import add_entry, add_report, add_unit
from tests.support.databases import Connection

ADA = {"name": "Ada", "fte": 0.5, "sius_code": "51", "user_institutional_id": "1"}


@pytest.fixture
def path(dba: Connection) -> str:
    """The modules of a unit whose Calculator report has a member, a journey and a device."""
    unit = add_unit(dba)
    report = add_report(dba, unit)
    for module_type_id, data in ((1, ADA), (2, {"cabin_class": "economy"}), (4, {"equipment_class": "Server"})):
        entry = add_entry(dba, report, module_type_id, 10)
        dba.execute("update public.data_entries set data = %s where id = %s", (Jsonb(data), entry))
    return f"/api/v1/modules/{unit}/2025"


@pytest.mark.parametrize("slash", ["", "/"])
def test_what_a_form_asks_before_it_sends(client: FlaskClient, path: str, slash: str) -> None:
    check = f"{path}/headcount/member/check-unique{slash}?field=user_institutional_id"
    assert client.get(f"{check}&value=1").get_json() == {"unique": False}
    assert client.get(f"{check}&value=2").get_json() == {"unique": True}
    assert client.get(f"{check}&value=1&exclude_id=1").get_json() == {"unique": True}
    assert client.get(f"{path}/headcount/members{slash}").get_json() == [{"institutional_id": "1", "name": "Ada"}]


def test_the_classes_of_a_module(client: FlaskClient, path: str) -> None:
    for name in ("stats-by-class", "top-class-breakdown"):
        assert client.get(f"{path}/equipment/{name}").get_json() == [
            {
                "name": "scientific",
                "value": 10,
                "children": [{"name": "Server", "value": 10, "percentage": 100}],
            }
        ]
        assert client.get(f"{path}/headcount/{name}").status_code == 422
    assert client.get(f"{path}/professional-travel/stats-by-class").get_json()[0]["children"][0]["name"] == "economy"
    assert client.get(f"{path}/professional-travel/trips-map").get_json() == {"legs": [], "dropped_count": 1}


@pytest.mark.parametrize(
    ("query", "count"),
    [
        ("page=1&page=2", 0),
        ("page=2&page=1", 1),
        ("limit=0&limit=1", 1),
        ("filter=nobody&filter=ADA", 1),
        ("carbon_project_type=1&carbon_project_type=0", 1),
        ("sort_by=nothing&sort_by=name&sort_order=desc", 1),
        # What is not known is ignored, as the calculator does.
        ("preview_limit=0&nothing=1", 1),
    ],
)
def test_of_a_repeated_parameter_the_last_counts(client: FlaskClient, path: str, query: str, count: int) -> None:
    response = client.get(f"{path}/headcount/member?{query}")
    assert (response.status_code, response.get_json()["count"]) == (200, count)


def test_of_a_repeated_type_the_last_counts_for_a_write_too(client: FlaskClient, path: str) -> None:
    wanted = f"{path}/headcount/student?carbon_project_type=0&carbon_project_type=1"
    assert client.post(wanted, json={"fte": 1}).status_code == 404
    wanted = f"{path}/headcount/student?carbon_project_type=1&carbon_project_type=0"
    assert client.post(wanted, json={"fte": 1}).status_code == 201


@pytest.mark.parametrize(
    "query",
    [
        *("page=0", "page=-1", "page=", "page=one", "page=1.5", "page=99999999999999999999", "limit=0", "limit=1001"),
        *("limit=", "sort_order=up", "sort_order=", "sort_by=nothing", "sort_by="),
        *("carbon_project_type=", "carbon_project_type=3"),
    ],
)
def test_a_page_that_there_cannot_be_is_told_in_words(client: FlaskClient, path: str, query: str) -> None:
    response = client.get(f"{path}/headcount/member?{query}")
    assert response.status_code == 422
    assert isinstance(response.get_json()["detail"], str)
    assert client.get(f"{path}/headcount/member/check-unique?field=name").status_code == 422
