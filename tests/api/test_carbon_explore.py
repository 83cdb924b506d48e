"""The simulator's front end: it gets explore reports, creates them, and finds stale ones refreshed the next time."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import URL

from pyapi.api.app import create_app
from pyapi.api.auth import Authentication, issue_token
from pyapi.api.background import BACKGROUND
from pyapi.database import connect_engine
from pyapi.doctor.carbon import failing_refreshes
from tests.support.api import api_over, as_api
from tests.support.carbon import (
    DAY,
    READ,
    STANDARD,
    add_entry,
    add_report,
    add_unit,
    claims,
    role,
    snapshot,
    updated_before,
)
from tests.support.concurrency import at_once
from tests.support.databases import Connect, Connection
from tests.support.statements import one
from tests.support.tokens import SETTINGS


def path(unit_id: int, year: int = 2025) -> str:
    return f"/api/v1/carbon-reports/simulator/explore/unit/{unit_id}/reference-year/{year}/"


@pytest.fixture
def unit(dba: Connection) -> int:
    """A unit."""
    return add_unit(dba)


@pytest.fixture
def stale(dba: Connection, unit: int) -> int:
    """An explore report in use that was updated a second more than 24 hours ago."""
    report = add_report(dba, unit, 2025, "Simulator_Explore")
    add_entry(dba, report, 2, 1500)
    updated_before(dba, report, DAY + 1)
    return report


def settle(client: FlaskClient | Flask) -> None:
    """Wait for what was left to be done after the replies."""
    app = client if isinstance(client, Flask) else client.application
    app.extensions[BACKGROUND].wait()


def reports(connection: Connection) -> list[int]:
    return [row["id"] for row in connection.execute("select id from public.carbon_reports order by id").fetchall()]


def test_get_simulator_explore_found_fresh_no_refresh(client: FlaskClient, dba: Connection, unit: int) -> None:
    report = add_report(dba, unit, 2025, "Simulator_Explore")
    # Not to the second: it must still be fresh when the request arrives.
    updated_before(dba, report, DAY - 60)
    before = snapshot(dba)
    response = client.get(path(unit))
    response.close()
    assert response.status_code == 200
    assert snapshot(dba) == before
    assert response.get_json() == {
        "id": report,
        "year": 2025,
        "reference_year": None,
        "unit_id": unit,
        "carbon_project_id": one(dba, "select id from public.carbon_projects")["id"],
        "stats": None,
        "last_updated": one(dba, "select last_updated from public.carbon_reports")["last_updated"],
        "completion_progress": "0/8",
        "overall_status": 0,
    }


def test_the_refresh_is_called_for_a_stale_report_and_not_for_a_fresh_one(
    client: FlaskClient, dba: Connection, unit: int, caplog: pytest.LogCaptureFixture
) -> None:
    report = add_report(dba, unit, 2025, "Simulator_Explore")
    # A call leaves a line in the log, since it is refused.
    dba.execute("revoke execute on function public.refresh_explore_report from pgreprise_api")
    for age, calls in ((DAY - 60, 0), (DAY + 60, 1)):
        updated_before(dba, report, age)
        client.get(path(unit)).close()
        settle(client)
        assert len(caplog.records) == calls


def test_get_simulator_explore_not_found_raises_404(client: FlaskClient, dba: Connection, unit: int) -> None:
    add_report(dba, unit, 2025, "Calculator")
    before = snapshot(dba)
    response = client.get(path(unit))
    response.close()
    assert response.status_code == 404
    assert response.get_json() == {
        "detail": f"Carbon report not found: carbon_project_type 1, unit_id {unit}, year 2025."
    }
    assert snapshot(dba) == before


def test_get_simulator_explore_expired_schedules_background_refresh(
    client: FlaskClient, dba: Connection, unit: int, stale: int
) -> None:
    # Neighbours in which only one argument differs, as stale as it is.
    neighbours = [
        add_report(dba, unit, 2024, "Simulator_Explore", last_updated=None),
        add_report(dba, add_unit(dba, "0207"), 2025, "Simulator_Explore", last_updated=None),
        add_report(dba, unit, 2025, "Simulator_Plan", last_updated=None),
    ]
    before = snapshot(dba)
    response = client.get(path(unit))
    # The stale one, at once; nothing has happened yet.
    assert (response.status_code, response.get_json()["id"]) == (200, stale)
    assert snapshot(dba) == before
    # The server closes a response when it has sent it.
    response.close()
    settle(client)
    [fresh] = set(reports(dba)) - set(neighbours)
    assert fresh != stale
    assert snapshot(dba)["data_entries"] == []
    again = client.get(path(unit))
    again.close()
    assert again.get_json()["id"] == fresh
    assert again.get_json()["last_updated"] > response.get_json()["last_updated"] + DAY
    assert sorted(reports(dba)) == sorted([fresh, *neighbours])


def test_get_simulator_explore_null_last_updated_schedules_refresh(
    client: FlaskClient, dba: Connection, unit: int
) -> None:
    report = add_report(dba, unit, 2025, "Simulator_Explore", last_updated=None)
    response = client.get(path(unit))
    assert (response.get_json()["id"], response.get_json()["last_updated"]) == (report, None)
    assert reports(dba) == [report]
    response.close()
    settle(client)
    [fresh] = reports(dba)
    assert fresh != report
    assert one(dba, "select last_updated from public.carbon_reports")["last_updated"] is not None


def test_create_simulator_explore_commits_and_returns(client: FlaskClient, dba: Connection, unit: int) -> None:
    response = client.post(path(unit))
    assert response.status_code == 201
    # Committed: another connection sees it.
    stored = one(dba, "select * from get_carbon_report(%s::bigint)", response.get_json()["id"])
    assert response.get_json() == stored
    assert len(snapshot(dba)["carbon_report_modules"]) == 8
    assert client.get(path(unit)).get_json() == stored


def test_a_put_creates_the_report_once(client: FlaskClient, dba: Connection, unit: int) -> None:
    created = client.put(path(unit))
    before = snapshot(dba)
    again = client.put(path(unit))
    assert (created.status_code, again.status_code) == (201, 200)
    assert created.get_json() == again.get_json() == client.get(path(unit)).get_json()
    assert snapshot(dba) == before


def test_a_put_of_a_stale_report_answers_with_it_and_has_it_refreshed(
    client: FlaskClient, dba: Connection, unit: int, stale: int
) -> None:
    response = client.put(path(unit))
    assert (response.status_code, response.get_json()["id"]) == (200, stale)
    response.close()
    settle(client)
    assert reports(dba) != [stale]


def test_a_refresh_that_fails_is_kept_for_the_doctor_until_one_succeeds(
    client: FlaskClient, dba: Connection, unit: int, stale: int
) -> None:
    kept = "select report_id, failures, message from pgreprise.failed_refresh"
    dba.execute("create table public.bookmark (report_id bigint references public.carbon_reports (id))")
    dba.execute("insert into public.bookmark values (%s)", (stale,))
    for failures in (1, 2):
        client.get(path(unit)).close()
        settle(client)
        assert one(dba, kept) == {
            "report_id": stale,
            "failures": failures,
            "message": 'update or delete on table "carbon_reports" violates foreign key constraint '
            '"bookmark_report_id_fkey" on table "bookmark"',
        }
        found = [finding.message for finding in failing_refreshes(dba)]
        assert len(found) == failures - 1
    assert f"The refresh of explore report #{stale} of unit #{unit} failed 2 times" in found[0]

    dba.execute("drop table public.bookmark")
    client.get(path(unit)).close()
    settle(client)
    assert dba.execute(kept).fetchall() == []
    assert list(failing_refreshes(dba)) == []


def test_a_second_post_is_a_conflict(client: FlaskClient, dba: Connection, unit: int) -> None:
    client.post(path(unit))
    before = snapshot(dba)
    response = client.post(path(unit))
    assert response.status_code == 409
    assert response.get_json() == {"detail": f"Unit #{unit} already has a Simulator_Explore report of 2025."}
    assert snapshot(dba) == before


def test_the_path_is_the_same_with_and_without_its_last_slash(client: FlaskClient, unit: int) -> None:
    assert client.post(path(unit).rstrip("/")).status_code == 201
    assert client.get(path(unit).rstrip("/")).status_code == 200


def test_what_a_head_request_asks_for_is_not_refreshed_before_it_is_read(
    client: FlaskClient, dba: Connection, unit: int, stale: int
) -> None:
    response = client.head(path(unit))
    response.close()
    settle(client)
    assert response.status_code == 200
    assert len(reports(dba)) == 1
    assert stale


# --- a refresh that fails ---------------------------------------------------------------------


def test_a_failed_refresh_is_logged_and_the_next_get_tries_again(
    client: FlaskClient, dba: Connection, unit: int, stale: int, caplog: pytest.LogCaptureFixture
) -> None:
    dba.execute("create table public.bookmark (report_id bigint references public.carbon_reports (id))")
    dba.execute("insert into public.bookmark values (%s)", (stale,))
    before = snapshot(dba)
    with caplog.at_level(logging.ERROR):
        response = client.get(path(unit))
        response.close()
        settle(client)
    assert response.status_code == 200
    assert f"The refresh of explore report #{stale} of unit #{unit} failed." in caplog.text
    assert "ForeignKeyViolation" in caplog.text
    assert snapshot(dba) == before

    dba.execute("drop table public.bookmark")
    client.get(path(unit)).close()
    settle(client)
    assert reports(dba) != [stale]


def test_a_refresh_that_has_to_wait_too_long_is_logged_and_harmless(
    database: URL, dba: Connection, connect: Connect, unit: int, stale: int, caplog: pytest.LogCaptureFixture
) -> None:
    holder = connect(autocommit=False)
    holder.execute("select from public.carbon_reports for update")
    engine = connect_engine(as_api(database, "-c lock_timeout=20ms"))
    app = create_app(engine)
    response = app.test_client().get(path(unit))
    response.close()
    settle(app)
    engine.dispose()
    holder.rollback()
    assert response.status_code == 200
    assert f"#{stale}" in caplog.text
    assert reports(dba) == [stale]


# --- who refreshes ----------------------------------------------------------------------------


@pytest.fixture
def guarded(database: URL) -> Iterator[Flask]:
    """An API that wants tokens."""
    with api_over(database, Authentication.of(SETTINGS)) as api:
        yield api


def test_the_claims_of_the_reader_travel_with_the_refresh(
    guarded: Flask, dba: Connection, unit: int, stale: int
) -> None:
    dba.execute("create table public.seen (claims jsonb)")
    dba.execute("grant insert on public.seen to pgreprise_owner")
    dba.execute(
        "create function public.note() returns trigger language plpgsql security definer as $$ begin "
        "insert into public.seen values (current_setting('request.jwt.claims')::jsonb); return null; end $$"
    )
    dba.execute("create trigger note after delete on public.carbon_reports execute function public.note()")
    token = issue_token(SETTINGS, claims(role(STANDARD, "own", "0184"), scope=READ), lifetime_seconds=60)
    response = guarded.test_client().get(path(unit), headers={"Authorization": f"Bearer {token}"})
    response.close()
    settle(guarded)
    assert reports(dba) != [stale]
    seen = one(dba, "select claims from public.seen")["claims"]
    assert (seen["sub"], seen["scope"]) == ("alice", READ)


def test_a_reader_who_has_lost_access_meanwhile_refreshes_nothing(
    guarded: Flask, dba: Connection, unit: int, stale: int, caplog: pytest.LogCaptureFixture
) -> None:
    token = issue_token(SETTINGS, claims(role(STANDARD, "own", "0184"), scope=READ), lifetime_seconds=60)
    response = guarded.test_client().get(path(unit), headers={"Authorization": f"Bearer {token}"})
    dba.execute("update public.units set institutional_id = '0999'")
    before = snapshot(dba)
    response.close()
    settle(guarded)
    assert response.status_code == 200
    assert snapshot(dba) == before
    assert f"#{stale}" in caplog.text


# --- many at once -----------------------------------------------------------------------------

READERS = 100


def test_a_hundred_gets_of_a_stale_report_refresh_it_once(
    database: URL, dba: Connection, unit: int, stale: int, caplog: pytest.LogCaptureFixture
) -> None:
    dba.execute("create table public.deleted (id bigint)")
    dba.execute("grant insert on public.deleted to pgreprise_owner")
    dba.execute(
        "create function public.note() returns trigger language plpgsql security definer as $$ begin "
        "insert into public.deleted values (old.id); return null; end $$"
    )
    dba.execute("create trigger note after delete on public.carbon_reports for each row execute function public.note()")
    engine = connect_engine(as_api(database), pool_size=READERS)
    app = create_app(engine)

    def read(_: int) -> int:
        response = app.test_client().get(path(unit))
        found: int = response.get_json()["id"]
        response.close()
        assert response.status_code == 200
        return found

    started = time.perf_counter()
    seen = at_once(READERS, read)
    settle(app)
    print(f"{READERS} GETs and one refresh: {time.perf_counter() - started:.2f} s")
    engine.dispose()
    [fresh] = reports(dba)
    assert fresh != stale
    assert set(seen) <= {stale, fresh}
    assert [row["id"] for row in dba.execute("select id from public.deleted").fetchall()] == [stale]
    assert caplog.text == ""


def test_two_posts_at_once_give_one_201_and_one_409(database: URL, dba: Connection, unit: int) -> None:
    engine = connect_engine(as_api(database), pool_size=2)
    app = create_app(engine)
    for year in range(2010, 2030):
        codes = at_once(2, lambda _, year=year: app.test_client().post(path(unit, year)).status_code)
        assert sorted(codes) == [201, 409]
    engine.dispose()
    assert len(snapshot(dba)["carbon_projects"]) == 1
