"""An orchestrator asks whether the API lives and whether it can work with the database as it is."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from flask.testing import FlaskClient
from sqlalchemy import URL

from pyapi.api.app import create_app
from pyapi.database import connect_engine
from pyapi.schema import migrate
from pyapi.schema.files import migrations_folder
from tests.support.api import NewClient, as_api
from tests.support.databases import Connection
from tests.support.replies import refused, succeeded


@pytest.fixture
def client_without_server() -> FlaskClient:
    """A client of an API whose database server does not exist."""
    url = URL.create("postgresql+psycopg", database="x", query={"host": "/nowhere"})
    return create_app(connect_engine(url)).test_client()


def test_the_api_is_alive_with_and_without_its_database(
    client: FlaskClient, client_without_server: FlaskClient
) -> None:
    succeeded(client.get("/liveness-check"))
    succeeded(client_without_server.get("/liveness-check"))


def test_a_migrated_database_is_ready(client: FlaskClient) -> None:
    status = succeeded(client.get("/readiness-check"))
    assert status["routines"]["reports/rerun_report"] >= 1


def test_a_database_that_is_away_is_not_ready(client_without_server: FlaskClient) -> None:
    response = client_without_server.get("/readiness-check")
    assert "reached" in refused(response, 503, "SERVICE_UNAVAILABLE")["message"]
    assert "/nowhere" not in response.text


def test_an_empty_database_is_not_ready(empty_database: URL) -> None:
    engine = connect_engine(empty_database)
    envelope = refused(create_app(engine).test_client().get("/readiness-check"), 503, "3F000")
    assert "pgreprise migrate" in envelope["hint"]
    engine.dispose()


def test_a_role_without_any_right_is_not_ready(client: FlaskClient, dba: Connection) -> None:
    dba.execute("revoke usage on schema pgreprise from pgreprise_api")
    assert "pgreprise_api" in refused(client.get("/readiness-check"), 503, "42501")["hint"]


def test_a_database_one_revision_behind_is_not_ready(client: FlaskClient, dba: Connection) -> None:
    [head] = [head for head in migrate.scripts().get_heads() if head.startswith("reports")]
    below = migrate.scripts().get_revision(head).down_revision
    dba.execute("update pgreprise.alembic_version set version_num = %s where version_num = %s", (below, head))
    assert head in refused(client.get("/readiness-check"), 503, "SERVICE_UNAVAILABLE")["message"]


def test_a_database_with_the_core_only_is_not_ready(empty_database: URL) -> None:
    engine = connect_engine(empty_database)
    migrate.upgrade(engine, "core@head")
    envelope = refused(create_app(engine).test_client().get("/readiness-check"), 503, "SERVICE_UNAVAILABLE")
    assert "reports/rerun_report is not installed" in envelope["message"]
    engine.dispose()


def test_a_database_with_an_older_rerun_report_is_not_ready(client: FlaskClient, dba: Connection) -> None:
    dba.execute("update pgreprise.routine_version set version = version - 1 where name = 'reports/rerun_report'")
    envelope = refused(client.get("/readiness-check"), 503, "SERVICE_UNAVAILABLE")
    assert "reports/rerun_report has version" in envelope["message"]


def test_a_database_ahead_of_the_api_is_ready(client: FlaskClient, dba: Connection) -> None:
    dba.execute("update pgreprise.alembic_version set version_num = 'reports_9999' where version_num ~ '^reports'")
    dba.execute("update pgreprise.routine_version set version = version + 1")
    dba.execute("delete from pgreprise.routine_version where name = 'reports/report_defect'")
    succeeded(client.get("/readiness-check"))


def test_a_database_ahead_of_the_api_needs_its_entry_points_all_the_same(client: FlaskClient, dba: Connection) -> None:
    dba.execute("update pgreprise.alembic_version set version_num = 'reports_9999' where version_num ~ '^reports'")
    dba.execute("delete from pgreprise.routine_version where name = 'reports/rerun_report'")
    refused(client.get("/readiness-check"), 503, "SERVICE_UNAVAILABLE")


def test_a_domain_that_the_api_does_not_use_may_be_there(client: FlaskClient, dba: Connection) -> None:
    dba.execute("insert into pgreprise.alembic_version (version_num) values ('other_0001')")
    dba.execute(
        "insert into pgreprise.routine_version (name, routine, version, checksum) "
        "values ('other/refresh', 'public.refresh', 3, '')"
    )
    succeeded(client.get("/readiness-check"))


def test_a_domain_that_the_api_does_not_use_may_be_absent(
    new_client: NewClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "migrations"
    shutil.copytree(migrations_folder(), folder)
    (folder / "versions" / "unused_0001.py").write_text(
        "revision, down_revision, branch_labels, depends_on = 'unused_0001', None, ('unused',), None\n"
    )
    monkeypatch.setattr(migrate, "migrations_folder", lambda: folder)
    assert "unused_0001" in migrate.scripts().get_heads()
    succeeded(new_client().get("/readiness-check"))


@pytest.mark.needs("time")
@pytest.mark.parametrize(("installed", "absent"), [("reports", "carbon"), ("carbon", "reports")])
def test_one_of_the_domains_is_enough_and_the_routes_of_the_other_say_that_it_is_not_there(
    empty_database: URL, installed: str, absent: str
) -> None:
    migration = connect_engine(empty_database)
    migrate.upgrade(migration, f"{installed}@head")
    migration.dispose()
    engine = connect_engine(as_api(empty_database))
    client = create_app(engine).test_client()
    succeeded(client.get("/readiness-check"))
    paths = {"reports": "/us/report/1", "carbon": "/api/v1/carbon-reports/1"}
    assert client.get(paths[installed]).status_code == 404
    response = client.get(paths[absent])
    assert response.status_code == 503
    assert "Retry-After" in response.headers
    engine.dispose()


def test_a_domain_that_is_installed_in_part_is_not_ready(client: FlaskClient, dba: Connection) -> None:
    dba.execute("update pgreprise.alembic_version set version_num = 'carbon_0002' where version_num ~ '^carbon'")
    dba.execute("delete from pgreprise.routine_version where name ~ '^carbon/'")
    envelope = refused(client.get("/readiness-check"), 503, "SERVICE_UNAVAILABLE")
    assert "carbon/create_explore_report is not installed" in envelope["message"]
