"""pgreprise in a database whose encoding is not UTF-8."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest
from sqlalchemy import URL

from tests.support.command import run_here, succeeded
from tests.support.databases import connect, plain
from tests.support.hosts import LEGACY

pytestmark = pytest.mark.needs("time")


@pytest.fixture(params=["SQL_ASCII", "LATIN1", "EUC_JP"])
def encoded(request: pytest.FixtureRequest, server: URL, worker: str) -> Iterator[URL]:
    """A database of this encoding with a host's tables, in which a text has a letter that ASCII lacks."""
    name = psycopg.sql.Identifier(f"pgreprise_encoding_{worker}")
    with connect(server) as connection:
        connection.execute(psycopg.sql.SQL("drop database if exists {}").format(name))
        connection.execute(
            psycopg.sql.SQL("create database {} template template0 locale 'C' encoding {}").format(name, request.param)
        )
        url = server.set(database=f"pgreprise_encoding_{worker}")
        with psycopg.connect(plain(url), client_encoding="utf8", autocommit=True) as host:
            host.execute(LEGACY)
            host.execute(
                "insert into public.simulations (country_id, api_version, population_id, population_type, policy_id) "
                "values ('us', '1.0', 'us', 'geography', 1)"
            )
            host.execute(
                "insert into public.report_outputs (country_id, simulation_1_id, api_version, status, output) "
                """values ('us', 1, '1.0', 'complete', '{"name": "°"}')"""
            )
        yield url
        connection.execute(psycopg.sql.SQL("drop database {}").format(name))


def test_it_installs_and_reruns_and_keeps_every_letter(encoded: URL) -> None:
    url = plain(encoded)
    assert "The database is at" in succeeded(run_here("migrate", "--to", "reports@head", DATABASE_URL=url))
    for arguments in (
        ("cache-version", "set", "us", "--economy-impact", "e1", "--report-output", "r1", "--package", "1.0"),
        ("rerun", "us", "1"),
        ("undo", "1"),
    ):
        succeeded(run_here(*arguments, DATABASE_URL=url))
    assert "Traceback" not in run_here("doctor", DATABASE_URL=url).stderr
    with psycopg.connect(url, client_encoding="utf8") as host:
        [kept] = host.execute("select output::text from public.report_outputs").fetchall()
    assert kept == ('{"name": "°"}',)
