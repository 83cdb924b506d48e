"""Someone tries carbon reports out from the command line."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
from click.testing import CliRunner
from sqlalchemy import URL

from pyapi.api.app import create_app
from pyapi.api.auth import Authentication
from pyapi.api.background import BACKGROUND
from pyapi.cli import cli
from pyapi.cli.carbon import unit_to_try
from pyapi.database import connect_engine, run_script
from pyapi.schema.files import sql_text
from pyapi.settings import Settings
from tests.support.api import as_api
from tests.support.databases import plain

ADDRESS = "http://127.0.0.1:8000"
SECRET = "a secret that only this test knows, long enough"


@pytest.mark.parametrize("secret", [None, SECRET], ids=["open", "with tokens"])
def test_the_line_that_make_run_prints_works_and_shows_a_refresh(database: URL, secret: str | None) -> None:
    settings = Settings(None, None, Path(), 18, jwt_secret=secret)
    engine = connect_engine(database)
    run_script(engine, sql_text("carbon/load_sample"))
    printed = unit_to_try(engine, ADDRESS, settings)
    engine.dispose()
    token = re.search(r"^  TOKEN=(\S+)$", printed, re.MULTILINE)
    assert (token is not None) == (secret is not None)
    [line] = re.findall(r"^  (curl .*)$", printed, re.MULTILINE)
    *options, url = shlex.split(line.replace("$TOKEN", token[1]) if token else line)
    headers = dict(option.split(": ", 1) for option in options if ": " in option)
    assert ("Authorization" in headers) == (secret is not None)

    api = connect_engine(as_api(database))
    client = create_app(api, Authentication.of(settings)).test_client()
    seen = []
    for _ in range(2):
        response = client.get(url.removeprefix(ADDRESS), headers=headers)
        response.close()
        client.application.extensions[BACKGROUND].wait()
        assert response.status_code == 200, response.text
        seen.append(response.get_json())
    api.dispose()
    assert seen[1]["last_updated"] - seen[0]["last_updated"] > 24 * 3600
    assert seen[0]["id"] != seen[1]["id"]


def test_with_the_keys_of_somebody_else_the_line_has_a_place_for_a_token(database: URL) -> None:
    engine = connect_engine(database)
    run_script(engine, sql_text("carbon/load_sample"))
    printed = unit_to_try(engine, ADDRESS, Settings(None, None, Path(), 18, jwt_jwks=Path("keys.json")))
    engine.dispose()
    assert '  curl -H "Authorization: Bearer TOKEN" http' in printed
    assert "$" not in printed


def test_without_units_nothing_is_said_of_them(database: URL, empty_database: URL) -> None:
    for url in (database, empty_database):
        engine = connect_engine(url)
        assert unit_to_try(engine, ADDRESS, Settings(None, None, Path(), 18)) == ""
        engine.dispose()


def test_the_sample_fills_both_domains_and_each_only_where_it_is_empty(
    database: URL, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_URL", plain(database))
    engine = connect_engine(database)
    run_script(engine, "insert into public.units (name) values ('ours'); select")
    engine.dispose()
    first = CliRunner().invoke(cli, ["sample", "load"])
    assert first.exit_code == 1
    assert "these have rows: units" in first.output
    again = CliRunner().invoke(cli, ["sample", "load"])
    assert "these have rows: report_outputs, simulations, reform_impact" in again.output
