"""Settings of the database or the role, as an administrator makes them: no reply depends on them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import URL

from pyapi.database import call, call_procedure, connect_engine
from tests.support.databases import Connection, connect
from tests.support.factories import add_economy_report, add_reform_impact, set_versions

SETTINGS = {
    "datestyle": "SQL, DMY",
    "intervalstyle": "sql_standard",
    "timezone": "Pacific/Apia",
    "bytea_output": "escape",
    "extra_float_digits": "-10",
    "standard_conforming_strings": "off",
    "search_path": "pg_temp, information_schema",
    "default_transaction_isolation": "serializable",
    "default_transaction_deferrable": "on",
    "client_min_messages": "debug1",
    "lc_messages": "C",
}


@pytest.fixture(scope="module")
def rows(shared_database: URL) -> Iterator[tuple[URL, Connection]]:
    with connect(shared_database) as connection:
        set_versions(connection)
        add_economy_report(connection, output={"a": 1.2345678901234567, "b": [1e-7, 123456789.123456789]})
        add_reform_impact(connection)
        connection.execute("call rerun_report(1)")
        connection.execute('select create_rerun_batch(\'{"country": "us"}\')')
        yield shared_database, connection


READS: dict[str, dict[str, Any]] = {
    "public.get_report": {"report_id": 1},
    "public.get_simulation": {"simulation_id": 1},
    "public.report_history": {"report_id": 1},
    "public.rerun_preview": {"report_id": 1},
    "public.rerun_feed": {},
    "public.rerun_batches": {},
    "public.rerun_batch_preview": {"filter": '{"country": "us"}'},
    "public.cache_versions": {},
    "public.archive_size": {},
    "public.lost_runs": {"older_than": "0 days"},
    "public.settings": {},
}


def answers(url: URL) -> dict[str, str]:
    """What the routines say to a client that connects now."""
    client = connect_engine(url)
    try:
        said = {name: str(call(client, name, **arguments)) for name, arguments in READS.items()}
        act = call_procedure(client, "public.rerun_report", report_id=1)["rerun_id"]
        call_procedure(client, "public.undo_rerun", rerun_id=act)
        return said
    finally:
        client.dispose()


@pytest.mark.parametrize("name", SETTINGS)
def test_no_setting_of_the_database_changes_what_a_call_returns(rows: tuple[URL, Connection], name: str) -> None:
    url, connection = rows
    client = connect_engine(url)
    told = {routine: str(call(client, routine, **arguments)) for routine, arguments in READS.items()}
    client.dispose()
    connection.execute(f'alter database "{url.database}" set {name} = {literal(name)}'.encode())
    try:
        assert answers(url) == told
    finally:
        connection.execute(f'alter database "{url.database}" reset {name}'.encode())


def literal(name: str) -> str:
    """The value as it is typed after `=`; a list of schemas is no single text."""
    return SETTINGS[name] if name == "search_path" else f"'{SETTINGS[name]}'"
