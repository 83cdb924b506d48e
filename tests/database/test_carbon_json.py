"""What the calculator has stored as JSON is read, whatever it is; what people send is stored as it should be."""

from __future__ import annotations

from typing import Any

import pytest
from psycopg.types.json import Jsonb

from tests.support.carbon import add_entry, add_report, add_unit, refusal
from tests.support.databases import Connection
from tests.support.statements import one

REPLACED = "\ufffd"
READS = [
    "select get_module_view({unit}, 2025, 'headcount')",
    "select get_module_view({unit}, 2025, 'purchase')",
    "select get_data_entries({unit}, 2025, 'headcount', 'member', filter => 'x')",
    "select get_data_entries({unit}, 2025, 'purchase', 'services', sort_by => 'name')",
    "select get_headcount_members({unit}, 2025)",
    "select get_module_classes({unit}, 2025, 'purchase')",
    "select is_unique_in_module({unit}, 2025, 'headcount', 'member', 'name', 'x')",
    "select get_carbon_module({unit}, 2025, 'headcount')",
    "select get_carbon_reports({unit})",
    "select get_carbon_report_modules({report})",
    "select get_validated_totals({report})",
    "select get_results_summary({report})",
    "select get_emission_breakdown({report})",
    "select get_it_breakdown({report})",
    "select carbon_stats_differences()",
    "select set_carbon_module_status({report}, 1, 2)",
    "select create_data_entry({unit}, 2025, 'headcount', 'student', '{{\"fte\": 1}}')",
]


@pytest.fixture
def report(sandbox: Connection) -> int:
    """A Calculator report of 2025 with a member and a service."""
    report_id = add_report(sandbox, add_unit(sandbox), 2025)
    add_entry(sandbox, report_id, 1, 1, fte=1)
    add_entry(sandbox, report_id, 5, 1, data_entry_type_id=64)
    return report_id


def unit_of(connection: Connection, report: int) -> int:
    return int(one(connection, "select unit_id from public.carbon_reports where id = %s", report)["unit_id"])


HOSTILE = [
    r'{"name": "a\u0000b", "fte": 1}',
    r'{"name": "\ud83d", "fte": 1}',
    r'{"name": "\uDE00x", "fte": 1}',
    '{"name": "x", "fte": 1e400, "scope1": 1e400, "total": 1e-400}',
    '{"name": "x", "fte": "NaN", "total": "NaN", "scope1": "Infinity", "by_emission_type": {"10001": "x", "1": null}}',
    '{"name": 1, "fte": [1], "total": {}, "by_emission_type": []}',
    '[{"fte": 1}]',
    '"x"',
    "null",
]


@pytest.mark.parametrize("stored", HOSTILE)
@pytest.mark.parametrize("read", READS, ids=lambda read: read.removeprefix("select ").split(",")[0])
def test_no_read_fails_for_what_the_calculator_has_stored(
    sandbox: Connection, report: int, stored: str, read: str
) -> None:
    for table in ("carbon_reports", "carbon_report_modules"):
        sandbox.execute(f"update public.{table} set stats = %s".encode(), (stored,))  # noqa: S608
    sandbox.execute("update public.data_entries set data = %s", (stored,))
    sandbox.execute(read.format(unit=unit_of(sandbox, report), report=report).encode())


def test_escapes_that_cannot_be_shown_are_replaced_and_others_are_kept(sandbox: Connection, report: int) -> None:
    told = {
        r"a\u0000b": f"a{REPLACED}b",
        r"\\u0000": r"\u0000",
        r"\\\u0000": f"\\{REPLACED}",
        r"\ud83d\ude00": "\U0001f600",
        r"\ud83d\ud83d\ude00": f"{REPLACED}\U0001f600",
        r"\ude00\ud83d": REPLACED * 2,
        r"\uD83Dx": f"{REPLACED}x",
        r"\\ud83d": r"\ud83d",
        r"\u00e9\"\n": 'é"\n',
    }
    for escaped, shown in told.items():
        found = one(sandbox, "select pgreprise.as_jsonb(%s) as value", f'{{"a": "{escaped}"}}')["value"]
        assert found == {"a": shown}, escaped
    sandbox.execute(r"""update public.data_entries set data = '{"name": "a\u0000b", "fte": 2}'""")
    [members] = sandbox.execute(
        "select get_data_entries(%s, 2025, 'headcount', 'member') as list", (unit_of(sandbox, report),)
    ).fetchall()
    assert members["list"]["items"][0]["name"] == f"a{REPLACED}b"
    assert one(sandbox, "select get_validated_totals(%s) as totals", report)["totals"]["total_fte"] == 0


def test_a_size_that_is_no_number_does_not_stop_a_read(sandbox: Connection, report: int) -> None:
    """A column of type double precision may hold NaN and Infinity."""
    for size in ("NaN", "Infinity", "-Infinity"):
        sandbox.execute("update public.data_entry_emissions set kg_co2eq = %s, additional_value = %s", (size, size))
        for read in READS:
            sandbox.execute(read.format(unit=unit_of(sandbox, report), report=report).encode())


# --- what people send ------------------------------------------------------------------------

TRIP = {
    "user_institutional_id": "1001",
    "origin_iata": "GVA",
    "destination_iata": "BOS",
    "cabin_class": "economy",
    "number_of_trips": 1,
}
CREATE = "select data from create_data_entry(%s, 2025, 'professional-travel', 'plane', %s)"


@pytest.mark.parametrize(
    ("sent", "stored"),
    [
        ("2025-03-04", "2025-03-04"),
        ("2025/03/04", "2025-03-04"),
        ("\t2025-03-04\r\n", "2025-03-04"),
        ("2025-03-04T23:59:59.999Z", "2025-03-04"),
        ("2025-03-04 10:00", "2025-03-04"),
        ("2025-03-04T10:00:00+02:00", "2025-03-04"),
        ("0001-01-01", "0001-01-01"),
        ("0000-01-01", None),
        ("2025-03-04 and more", None),
        ("2025-03-0400", None),
        ("2025-03-04T", None),
        ("2025-13-04", None),
        ("2025-02-29", None),
        ("20250304", None),
    ],
)
def test_a_date_is_taken_or_refused_as_a_whole(sandbox: Connection, report: int, sent: str, stored: str | None) -> None:
    arguments: tuple[Any, ...] = (unit_of(sandbox, report), Jsonb({**TRIP, "departure_date": sent}))
    if stored is None:
        said = refusal(sandbox, CREATE, *arguments)
        assert (said.code, said.message) == ("RC013", "departure_date must be a date such as 2026-05-31.")
    else:
        assert one(sandbox, CREATE, *arguments)["data"]["departure_date"] == stored


def test_white_space_around_a_text_is_taken_away_whatever_it_is(sandbox: Connection, report: int) -> None:
    unit = unit_of(sandbox, report)
    data = {
        **TRIP,
        "origin_iata": "\t GVA\n",
        "cabin_class": "\r\nEconomy ",
        "number_of_trips": "\t2\n",
        "note": "\t\n",
    }
    stored = one(sandbox, CREATE, unit, Jsonb(data))["data"]
    assert [stored[name] for name in ("origin_iata", "cabin_class", "number_of_trips", "note")] == [
        "GVA",
        "economy",
        2,
        None,
    ]
    unique = "select is_unique_in_module(%s, 2025, 'professional-travel', 'plane', 'origin_iata', %s) as unique"
    assert one(sandbox, unique, unit, "\tGVA\n")["unique"] is False
