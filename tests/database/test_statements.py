"""A rerun is few statements, whatever the report is like: the server counts those that run inside the call."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from tests.support.databases import Connection, connect, folder_of_a_server
from tests.support.factories import add_economy_report, add_reform_impact, add_report, add_simulation, set_versions
from tests.support.servers import Programs, migrated_server

# Debian's PostgreSQL has auto_explain; the embedded ones have no such module.
pytestmark = pytest.mark.needs("postgresql_15")

AT_MOST = 14


@pytest.fixture(scope="module")
def counted() -> Iterator[Connection]:
    """A database whose server sends the plan of each statement that it has executed, also those inside routines."""
    programs = Programs.of_debian()
    with (
        folder_of_a_server() as name,
        migrated_server(programs, programs.own(Path(name)) / "counted") as server,
        connect(server.url()) as connection,
    ):
        set_versions(connection)
        connection.execute("load 'auto_explain'")
        connection.execute("set auto_explain.log_min_duration = 0")
        connection.execute("set auto_explain.log_nested_statements = on")
        connection.execute("set auto_explain.log_level = 'notice'")
        yield connection


def statements_of(connection: Connection, report_id: int, **others: str) -> list[str]:
    """The texts of the statements that a rerun of the report has executed."""
    found: list[str] = []

    def keep(notice: psycopg.errors.Diagnostic) -> None:
        _, is_plan, text = (notice.message_primary or "").partition("Query Text: ")
        if is_plan:
            found.append(text)

    connection.add_notice_handler(keep)
    try:
        arguments = "".join(f", {name} => %({name})s" for name in others)
        connection.execute(f"call rerun_report(%(id)s::bigint{arguments})".encode(), {"id": report_id, **others})
    finally:
        connection.remove_notice_handler(keep)
    return found


def test_a_rerun_of_an_economy_report_is_at_most_14_statements(counted: Connection) -> None:
    report_id, _, _ = add_economy_report(counted)
    add_reform_impact(counted)
    found = statements_of(counted, report_id)
    assert any("public.report_outputs" in text for text in found)
    assert any("pgreprise.reform_impact_archive" in text for text in found)
    assert len(found) <= AT_MOST, found


def test_so_it_is_with_a_country_several_cache_rows_and_a_reason(counted: Connection) -> None:
    report_id, _, _ = add_economy_report(counted)
    for _ in range(3):
        add_reform_impact(counted)
    assert len(found := statements_of(counted, report_id, country_id="us", reason="new data")) <= AT_MOST, found


def test_the_second_rerun_in_a_session_is_no_more_than_the_first(counted: Connection) -> None:
    report_id, _, _ = add_economy_report(counted)
    add_reform_impact(counted)
    first, second = (statements_of(counted, report_id) for _ in range(2))
    # The second finds no cache row to archive.
    assert len(second) <= len(first) <= AT_MOST


def test_a_household_report_needs_fewer(counted: Connection) -> None:
    household = add_report(counted, add_simulation(counted, population_type="household", population_id="7"))
    economy, _, _ = add_economy_report(counted)
    assert len(statements_of(counted, household)) < len(statements_of(counted, economy))
