"""The doctor and the audit compare the figures that the calculator stored with its rows."""

from __future__ import annotations

import pytest
from sqlalchemy import URL

from pyapi.database import connect_engine
from pyapi.doctor import Finding, carbon
from tests.support.databases import connect, rows
from tests.support.statements import one

pytestmark = pytest.mark.needs("time")

DIFFERENCES = "select * from carbon_stats_differences()"


def findings(url: URL) -> list[Finding]:
    pooled = connect_engine(url)
    try:
        with connect(url) as connection:
            return [
                *carbon.differing_stats(pooled),
                *carbon.unknown_emission_types(connection),
                *carbon.unwritten_audit(connection),
            ]
    finally:
        pooled.dispose()


def test_only_what_the_calculator_never_computed_differs(carbon: URL, carbon_host_name: str) -> None:
    found = [
        (row["carbon_report_id"], row["module_type_id"], row["figure"], row["stored"])
        for row in rows(carbon, DIFFERENCES)
    ]
    # Until May 2026 it did not compute research facilities.
    never = [(1, 6, "stats", None), (2, 6, "stats", None)] if carbon_host_name == "before" else []
    assert found == never
    assert [finding.message for finding in findings(carbon)] == [
        "The stats of 2 modules and 0 carbon reports are not what their rows add up to, for example stats of module 6 "
        "of carbon report #1: stored None, computed 97.5."
    ] * bool(never)


def test_what_somebody_changed_is_named_with_both_figures(carbon: URL) -> None:
    with connect(carbon) as connection:
        before = connection.execute(DIFFERENCES).fetchall()
        entry = one(
            connection,
            "select module.carbon_report_id, module.module_type_id, emission.id, emission.kg_co2eq, "
            "module.stats -> 'total' as total, emission.emission_type_id from public.data_entry_emissions as emission "
            "join public.data_entries as entry on entry.id = data_entry_id "
            "join public.carbon_report_modules as module on module.id = carbon_report_module_id "
            "where emission_type_id not in (40000, 60100) and module.module_type_id = 1 order by emission.id limit 1",
        )
        connection.execute(
            "update public.data_entry_emissions set kg_co2eq = kg_co2eq + 1 where id = %s", (entry["id"],)
        )
        [new] = [row for row in connection.execute(DIFFERENCES).fetchall() if row not in before]
        assert new == {
            "carbon_report_id": entry["carbon_report_id"],
            "module_type_id": 1,
            "figure": "total",
            "stored": entry["total"],
            "computed": pytest.approx(entry["total"] + 1),
        }
        connection.execute(
            "update public.data_entry_emissions set kg_co2eq = kg_co2eq - 1 where id = %s", (entry["id"],)
        )
        # A roll-up counts nowhere, and a difference in the tenth digit is none.
        connection.execute("update public.data_entry_emissions set kg_co2eq = 1 where emission_type_id = 40000")
        connection.execute("update public.data_entry_emissions set kg_co2eq = kg_co2eq * (1 + 1e-12)")
        after = connection.execute(DIFFERENCES).fetchall()
        assert [row["figure"] for row in after] == [row["figure"] for row in before]


def test_the_stats_of_a_report_are_compared_with_those_of_its_modules(carbon: URL) -> None:
    with connect(carbon) as connection:
        before = connection.execute(DIFFERENCES).fetchall()
        report = one(
            connection,
            "update public.carbon_reports set stats = jsonb_set(stats::jsonb, '{by_emission_type,10001}', '1') "
            "where id = (select min(id) from public.carbon_reports) returning id, stats",
        )
        [new] = [row for row in connection.execute(DIFFERENCES).fetchall() if row not in before]
        assert (new["carbon_report_id"], new["module_type_id"], new["figure"], new["stored"]) == (
            report["id"],
            None,
            "by_emission_type.10001",
            1.0,
        )


def test_emission_types_that_are_not_known_and_an_audit_are_told(carbon: URL) -> None:
    with connect(carbon) as connection:
        connection.execute(
            "insert into public.data_entry_emissions (data_entry_id, emission_type_id, kg_co2eq, computed_at) "
            "select min(id), type, 1, now() from public.data_entries, unnest(array[5, 120000]) as type group by type"
        )
        connection.execute("create table public.audit_documents (id int)")
    messages = [finding.message for finding in findings(carbon)]
    assert messages[-2:] == [
        "Emissions have types that pgreprise does not know: 5, 120000. They count in totals, and not in stats, scopes "
        "and breakdowns.",
        "The calculator keeps an audit of entries (public.audit_documents). What is written through pgreprise is not "
        "in it.",
    ]
