"""What the routines refuse: each SQLSTATE with its exact words, and nothing changed after it."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.databases import Connection
from tests.support.factories import add_economy_report, add_reform_impact, add_report, add_simulation, set_versions
from tests.support.refusals import Refusal, refusal
from tests.support.snapshots import everything
from tests.support.statements import one, rerun

RERUN = "call rerun_report(%s::bigint, country_id => %s)"
COUNTRIES = "Available countries are: uk, us, ca, ng, il"
LARGEST = 2**63 - 1
# No sequence comes so far, however many tests have taken ids of it before.
MISSING = 42_000_000


@pytest.fixture
def full(sandbox: Connection) -> Connection:
    """A database with rows that a careless routine could change: a good report with its cache."""
    set_versions(sandbox)
    add_economy_report(sandbox)
    add_reform_impact(sandbox)
    return sandbox


def assert_refused(said: Refusal, code: str, message: str, detail: dict[str, Any]) -> None:
    assert said[:3] == (code, message, detail)
    assert said.hint


# --- rerun_report ----------------------------------------------------------------------------


@pytest.mark.parametrize("report_id", [MISSING, 0, -1, LARGEST, -LARGEST - 1])
def test_a_report_that_does_not_exist_is_rr001(full: Connection, report_id: int) -> None:
    said = refusal(full, RERUN, report_id, None)
    assert_refused(said, "RR001", f"Report #{report_id} not found.", {"report_id": report_id})


def test_a_null_report_is_rr001(full: Connection) -> None:
    assert_refused(refusal(full, RERUN, None, None), "RR001", "Report #null not found.", {"report_id": None})


def test_a_report_of_another_country_is_rr001(full: Connection) -> None:
    report = one(full, "select min(id) as id from public.report_outputs")["id"]
    said = refusal(full, RERUN, report, "uk")
    assert_refused(said, "RR001", f"Report #{report} not found.", {"report_id": report, "country_id": "uk"})
    assert rerun(full, report, "us")["report_id"] == report


@pytest.mark.parametrize("position", [1, 2])
def test_a_missing_simulation_is_rr002(full: Connection, position: int) -> None:
    present = add_simulation(full)
    report = add_report(full, *((999, present) if position == 1 else (present, 999)))
    assert_refused(
        refusal(full, RERUN, report, None),
        "RR002",
        "Report references simulation #999, but it could not be found for country us.",
        {"report_id": report, "simulation_id": 999, "country_id": "us"},
    )


@pytest.mark.parametrize("position", [1, 2])
def test_a_simulation_of_another_country_is_rr002(full: Connection, position: int) -> None:
    ours, theirs = add_simulation(full), add_simulation(full, country_id="uk")
    report = add_report(full, *((theirs, ours) if position == 1 else (ours, theirs)))
    assert_refused(
        refusal(full, RERUN, report, "us"),
        "RR002",
        f"Report references simulation #{theirs}, but it could not be found for country us.",
        {"report_id": report, "simulation_id": theirs, "country_id": "us"},
    )


def test_of_two_missing_simulations_the_first_is_named(full: Connection) -> None:
    said = refusal(full, RERUN, add_report(full, 998, 997), None)
    assert said.message == "Report references simulation #998, but it could not be found for country us."


@pytest.mark.parametrize("types", [("household", "geography"), ("geography", "household"), ("geography", "family")])
def test_mismatched_population_types_are_rr003(full: Connection, types: tuple[str, str]) -> None:
    report = add_report(full, *(add_simulation(full, population_type=population_type) for population_type in types))
    assert_refused(
        refusal(full, RERUN, report, None),
        "RR003",
        f"Report #{report} links simulations with mismatched population types.",
        {"report_id": report, "population_types": list(types)},
    )


@pytest.mark.parametrize("population_type", ["family", "", "Geography", "geography "])
def test_an_unknown_population_type_is_rr004(full: Connection, population_type: str) -> None:
    report = add_report(full, add_simulation(full, population_type=population_type))
    assert_refused(
        refusal(full, RERUN, report, None),
        "RR004",
        f'Report #{report} has the population type "{population_type}", which is neither household nor geography.',
        {"report_id": report, "population_type": population_type},
    )


@pytest.mark.parametrize("year", [None, "", "  "])
def test_an_economy_report_without_a_year_is_rr005(full: Connection, year: str | None) -> None:
    report = add_report(full, add_simulation(full), year=year)
    assert_refused(
        refusal(full, RERUN, report, None),
        "RR005",
        f"Report #{report} is an economy report without a year.",
        {"report_id": report, "year": year},
    )


@pytest.mark.parametrize("country_id", ["uk", "zz"])
def test_an_economy_report_of_a_country_without_a_cache_version_is_rr006(full: Connection, country_id: str) -> None:
    # The other versions do not stand in for it.
    full.execute("select set_cache_versions('uk', report_output => 'r1', package => '1')")
    report = add_report(full, add_simulation(full, country_id=country_id), country_id=country_id)
    said = refusal(full, RERUN, report, None)
    assert_refused(
        said,
        "RR006",
        f"Country {country_id} has no current economy cache version.",
        {"report_id": report, "country_id": country_id},
    )
    assert said.hint == f"Set it: select set_cache_versions('{country_id}', economy_impact => '<version>')"


@pytest.mark.parametrize("country_id", ["zz", "US", "", "us ", "'; drop table public.report_outputs; --"])
def test_an_unknown_country_is_rr008(full: Connection, country_id: str) -> None:
    report = one(full, "select min(id) as id from public.report_outputs")["id"]
    said = refusal(full, RERUN, report, country_id)
    assert_refused(said, "RR008", f"Country {country_id} not found. {COUNTRIES}", {"country_id": country_id})


def test_a_defect_in_the_second_simulation_is_found_before_anything_is_reset(full: Connection) -> None:
    # A transaction that goes on after the refusal must see nothing half done either.
    report = add_report(full, add_simulation(full), 999)
    with full.transaction():
        refusal(full, RERUN, report, None)
        assert one(full, "select status from get_report(%s)", report)["status"] == "complete"


# --- the other routines ----------------------------------------------------------------------


@pytest.mark.parametrize(
    "call",
    ["get_report(%s::bigint)", "update_report(%s::bigint, status => 'running')", "reset_report(%s::bigint)"],
)
@pytest.mark.parametrize("report_id", [MISSING, LARGEST])
def test_every_routine_about_a_report_says_rr001_alike(full: Connection, call: str, report_id: int) -> None:
    said = refusal(full, f"select {call}", report_id)
    assert_refused(said, "RR001", f"Report #{report_id} not found.", {"report_id": report_id})


@pytest.mark.parametrize(
    "call",
    [
        "get_simulation(%s::bigint)",
        "update_simulation(%s::bigint, status => 'running')",
        "reset_simulation(%s::bigint)",
    ],
)
@pytest.mark.parametrize("simulation_id", [MISSING, LARGEST])
def test_every_routine_about_a_simulation_says_rr007_alike(full: Connection, call: str, simulation_id: int) -> None:
    said = refusal(full, f"select {call}", simulation_id)
    assert_refused(said, "RR007", f"Simulation #{simulation_id} not found.", {"simulation_id": simulation_id})


def test_a_null_simulation_is_rr007(full: Connection) -> None:
    assert_refused(
        refusal(full, "select reset_simulation(null)"), "RR007", "Simulation #null not found.", {"simulation_id": None}
    )


@pytest.mark.parametrize("call", ["get_report(%s, 'uk')", "update_report(%s, 'uk', status => 'running')"])
def test_a_report_is_found_in_its_own_country_only(full: Connection, call: str) -> None:
    report = add_report(full, add_simulation(full))
    said = refusal(full, f"select {call}", report)
    assert_refused(said, "RR001", f"Report #{report} not found.", {"report_id": report, "country_id": "uk"})


@pytest.mark.parametrize("call", ["get_simulation(%s, 'uk')", "update_simulation(%s, 'uk', status => 'running')"])
def test_a_simulation_is_found_in_its_own_country_only(full: Connection, call: str) -> None:
    simulation = add_simulation(full)
    said = refusal(full, f"select {call}", simulation)
    assert_refused(
        said, "RR007", f"Simulation #{simulation} not found.", {"simulation_id": simulation, "country_id": "uk"}
    )


@pytest.mark.parametrize(
    "call",
    [
        "get_report(1, 'zz')",
        "get_simulation(1, 'zz')",
        "update_report(1, 'zz', status => 'running')",
        "update_simulation(1, 'zz', status => 'running')",
        "get_or_create_report('zz', 1)",
        "get_or_create_simulation('zz', 'us', 'geography', 1)",
        "set_cache_versions('zz', 'e1')",
    ],
)
def test_every_routine_says_rr008_alike(full: Connection, call: str) -> None:
    said = refusal(full, f"select {call}")
    assert_refused(said, "RR008", f"Country zz not found. {COUNTRIES}", {"country_id": "zz"})


@pytest.mark.parametrize(
    "call",
    [
        "get_or_create_report(null, 1)",
        "get_or_create_simulation(null, 'us', 'geography', 1)",
        "set_cache_versions(null)",
    ],
)
def test_a_null_country_is_rr008_where_a_country_is_needed(full: Connection, call: str) -> None:
    said = refusal(full, f"select {call}")
    assert_refused(said, "RR008", f"Country null not found. {COUNTRIES}", {"country_id": None})


def test_a_simulation_is_not_created_before_the_package_version_is_known(full: Connection) -> None:
    full.execute("select set_cache_versions('uk', 'e1', 'r1')")
    said = refusal(full, "select get_or_create_simulation('uk', 'uk', 'geography', 1)")
    message = "Country uk has no current package version. A new row needs one."
    assert_refused(said, "RR009", message, {"country_id": "uk", "version": "package"})
    assert said.hint == "Set it: select set_cache_versions('uk', package => '<version>')"


def test_a_report_is_not_created_before_the_report_version_is_known(full: Connection) -> None:
    full.execute("select set_cache_versions('uk', economy_impact => 'e1', package => '1')")
    simulation = add_simulation(full, country_id="uk")
    said = refusal(full, "select get_or_create_report('uk', %s)", simulation)
    message = "Country uk has no current report_output version. A new row needs one."
    assert_refused(said, "RR009", message, {"country_id": "uk", "version": "report_output"})
    assert said.hint == "Set it: select set_cache_versions('uk', report_output => '<version>')"


def test_a_simulation_of_an_unknown_population_type_is_not_created(full: Connection) -> None:
    said = refusal(full, "select get_or_create_simulation('us', '1', 'family', 2)")
    message = 'Population type "family" is neither household nor geography.'
    assert_refused(said, "RR004", message, {"population_type": "family"})


@pytest.mark.parametrize(
    "arguments",
    [
        (None, "geography", 2),
        ("", "geography", 2),
        ("x" * 256, "geography", 2),
        ("us", None, 2),
        ("us", "geography", None),
        ("us", "geography", 2**31),
        ("us", "geography", -(2**31) - 1),
    ],
    ids=["null id", "empty id", "long id", "null type", "null policy", "large policy", "small policy"],
)
def test_a_simulation_that_no_row_could_hold_is_rr016(full: Connection, arguments: tuple[Any, ...]) -> None:
    said = refusal(full, "select get_or_create_simulation('us', %s, %s, %s::bigint)", *arguments)
    assert_refused(
        said,
        "RR016",
        "A simulation needs a population_id of 1 to 255 characters, a population_type and a 32-bit policy_id.",
        {"population_type": arguments[1], "policy_id": arguments[2]},
    )


@pytest.mark.parametrize(
    ("simulation_id", "year"),
    [(None, "2025"), (1, ""), (1, "x" * 256)],
)
def test_a_report_that_no_row_could_hold_is_rr016(full: Connection, simulation_id: int | None, year: str) -> None:
    said = refusal(full, "select get_or_create_report('us', %s::bigint, year => %s)", simulation_id, year)
    message = "A report needs a simulation_1_id and a year of 1 to 255 characters."
    assert_refused(said, "RR016", message, {"simulation_1_id": simulation_id, "year": year})


def test_a_report_of_a_missing_simulation_is_not_created(full: Connection) -> None:
    simulation = add_simulation(full)
    for links in ((999, None), (simulation, 999), (999, simulation)):
        said = refusal(full, "select get_or_create_report('us', %s::bigint, %s::bigint)", *links)
        assert_refused(
            said,
            "RR002",
            "Report references simulation #999, but it could not be found for country us.",
            {"report_id": None, "simulation_id": 999, "country_id": "us"},
        )


def test_a_report_of_a_simulation_of_another_country_is_not_created(full: Connection) -> None:
    theirs = add_simulation(full, country_id="uk")
    said = refusal(full, "select get_or_create_report('us', %s)", theirs)
    assert said.code == "RR002"


def test_a_report_of_mismatched_simulations_is_not_created(full: Connection) -> None:
    first, second = add_simulation(full), add_simulation(full, population_type="household")
    said = refusal(full, "select get_or_create_report('us', %s, %s)", first, second)
    assert_refused(
        said,
        "RR003",
        "The report links simulations with mismatched population types.",
        {"report_id": None, "population_types": ["geography", "household"]},
    )


def test_a_report_of_an_unknown_population_type_is_not_created(full: Connection) -> None:
    said = refusal(full, "select get_or_create_report('us', %s)", add_simulation(full, population_type="family"))
    message = 'The report has the population type "family", which is neither household nor geography.'
    assert_refused(said, "RR004", message, {"report_id": None, "population_type": "family"})


@pytest.mark.parametrize("kind", ["report", "simulation"])
@pytest.mark.parametrize(
    ("values", "message", "detail"),
    [
        ("", "No fields to update", {}),
        (", status => 'done'", 'Status "done" is not one of pending, running, complete and error.', {"status": "done"}),
        (", status => ''", 'Status "" is not one of pending, running, complete and error.', {"status": ""}),
        (", status => 'complete'", "Status complete needs an output.", {"status": "complete"}),
        (", status => 'complete', output => 'null'", "Status complete needs an output.", {"status": "complete"}),
    ],
)
def test_an_update_that_makes_no_sense_is_rr016(
    full: Connection, kind: str, values: str, message: str, detail: dict[str, Any]
) -> None:
    simulation = add_simulation(full)
    row_id = simulation if kind == "simulation" else add_report(full, simulation)
    said = refusal(full, f"select update_{kind}(%s{values})", row_id)
    assert_refused(said, "RR016", message, detail)


@pytest.mark.parametrize("argument", ["economy_impact", "report_output", "package"])
@pytest.mark.parametrize("version", ["", "12345678901"])
def test_a_version_that_no_column_could_hold_is_rr016(full: Connection, argument: str, version: str) -> None:
    said = refusal(full, f"select set_cache_versions('us', {argument} => %s)", version)
    message = f"{argument} => '{version}' is not a version: a version has 1 to 10 characters."
    assert_refused(said, "RR016", message, {"country_id": "us"})


def test_a_refused_version_leaves_the_good_ones_beside_it_unwritten(full: Connection) -> None:
    before = everything(full)
    refusal(full, "select set_cache_versions('us', economy_impact => 'e2', package => '')")
    assert everything(full) == before
