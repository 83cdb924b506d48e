"""The audit a DBA runs first: every report that cannot be rerun, and why; held against the reruns themselves."""

from __future__ import annotations

from typing import Any
from unittest.mock import ANY

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as some

from tests.support.databases import Connection
from tests.support.factories import add_reform_impact, add_report, add_simulation, set_versions
from tests.support.refusals import refusal
from tests.support.snapshots import snapshot
from tests.support.statements import one, rerun


def defects(connection: Connection) -> dict[int, tuple[str, str]]:
    rows = connection.execute("select * from report_defects()").fetchall()
    assert [row["report_id"] for row in rows] == sorted({row["report_id"] for row in rows})
    assert all(row["hint"] for row in rows)
    return {row["report_id"]: (row["errcode"], row["message"]) for row in rows}


def test_the_audit_lists_every_kind_of_defect_and_no_sound_report(dba: Connection) -> None:
    set_versions(dba)
    state, country = add_simulation(dba), add_simulation(dba, policy_id=3)
    household = add_simulation(dba, population_type="household")
    family = add_simulation(dba, population_type="family")
    uk, uk_household = (
        add_simulation(dba, country_id="uk", population_type=population_type)
        for population_type in ("geography", "household")
    )
    for sound in ((state, None), (state, country), (state, state), (household, None), (household, household)):
        add_report(dba, *sound, status="error")
    add_report(dba, household, year=None)
    add_report(dba, uk_household, country_id="uk")
    expected = {
        add_report(dba, 999): ("RR002", "Report references simulation #999, but it could not be found for country us."),
        add_report(dba, state, 999): (
            "RR002",
            "Report references simulation #999, but it could not be found for country us.",
        ),
        add_report(dba, uk): (
            "RR002",
            f"Report references simulation #{uk}, but it could not be found for country us.",
        ),
    }
    report = add_report(dba, state, household)
    expected[report] = ("RR003", f"Report #{report} links simulations with mismatched population types.")
    report = add_report(dba, family)
    expected[report] = (
        "RR004",
        f'Report #{report} has the population type "family", which is neither household nor geography.',
    )
    for year in (None, "", " "):
        report = add_report(dba, state, year=year)
        expected[report] = ("RR005", f"Report #{report} is an economy report without a year.")
    report = add_report(dba, uk, country_id="uk")
    expected[report] = ("RR006", "Country uk has no current economy cache version.")
    assert defects(dba) == expected


def test_the_audit_of_an_empty_table_is_empty(dba: Connection) -> None:
    assert defects(dba) == {}


def test_setting_the_missing_version_heals_rr006(dba: Connection) -> None:
    report = add_report(dba, add_simulation(dba))
    assert [code for code, _ in defects(dba).values()] == ["RR006"]
    dba.execute("select set_cache_versions('us', 'e1')")
    assert defects(dba) == {}
    assert rerun(dba, report)["report_id"] == report


# --- in pages, and by kind -------------------------------------------------------------------


@pytest.fixture
def many(dba: Connection) -> list[dict[str, Any]]:
    """5,000 reports of us and uk, of which every seventh has one of three defects; and all that the audit says."""
    set_versions(dba)
    sound = add_simulation(dba, population_type="household")
    economy = add_simulation(dba)
    family = add_simulation(dba, population_type="family", country_id="uk")
    dba.execute(
        "insert into public.report_outputs (country_id, simulation_1_id, api_version, status, year)"
        " select case when number % 21 = 0 then 'uk' else 'us' end,"
        " case number % 21 when 0 then %(family)s when 7 then 999 when 14 then %(economy)s else %(sound)s end,"
        " 'r1', 'complete', case when number % 21 = 14 then null else '2025' end"
        " from generate_series(1, 5000) as number".replace(" % 21", " %% 21"),
        {"family": family, "economy": economy, "sound": sound},
    )
    found = dba.execute("select * from report_defects()").fetchall()
    assert len(found) == 5000 // 7
    return found


@pytest.mark.parametrize("max_rows", [1, 7, 100, 1000])
@pytest.mark.parametrize(
    "conditions", [{}, {"country_id": "uk"}, {"errcode": "RR005"}, {"country_id": "us", "errcode": "RR002"}]
)
def test_pages_are_all_of_it_in_its_order(
    dba: Connection, many: list[dict[str, Any]], max_rows: int, conditions: dict[str, str]
) -> None:
    wanted = [row for row in many if all(row[name] == value for name, value in conditions.items())]
    # The pages of one row are too many to read them all.
    wanted = wanted[-20:] if max_rows == 1 else wanted
    given = "".join(f", {name} => %({name})s" for name in conditions)
    read: list[dict[str, Any]] = []
    after = wanted[0]["report_id"] - 1
    while True:
        page = dba.execute(
            f"select * from report_defects(%(after)s, %(max_rows)s{given})".encode(),  # noqa: S608
            {**conditions, "after": after, "max_rows": max_rows},
        ).fetchall()
        read += page
        if len(page) < max_rows:
            break
        after = page[-1]["report_id"]
    assert read == wanted
    # The same conditions without a page.
    whole = dba.execute(
        f"select * from report_defects(after_report_id => %(after)s{given})".encode(),  # noqa: S608
        {**conditions, "after": wanted[0]["report_id"] - 1},
    ).fetchall()
    assert whole == wanted


@pytest.mark.usefixtures("many")
def test_a_page_stops_reading_when_it_is_full(dba: Connection) -> None:
    dba.execute(
        "insert into public.report_outputs (country_id, simulation_1_id, api_version, status)"
        " select 'us', 1, 'r1', 'complete' from generate_series(1, 60000)"
    )
    dba.execute("analyze")
    read = "select seq_tup_read + idx_tup_fetch as rows from pg_stat_xact_user_tables where relname = 'report_outputs'"
    with dba.transaction():
        before = one(dba, read)["rows"]
        assert len(dba.execute("select * from report_defects(max_rows => 100)").fetchall()) == 100
        assert one(dba, read)["rows"] - before <= 2_500


def test_defects_are_counted_by_kind_with_an_example(dba: Connection, many: list[dict[str, Any]]) -> None:
    codes = [row["errcode"] for row in many]
    before = snapshot(dba)
    assert dba.execute("select * from defect_counts()").fetchall() == [
        {
            "errcode": code,
            "reports": codes.count(code),
            "example_report_id": many[codes.index(code)]["report_id"],
        }
        for code in ("RR002", "RR004", "RR005")
    ]
    assert snapshot(dba) == before


def test_without_defects_none_is_counted(dba: Connection) -> None:
    assert dba.execute("select * from defect_counts()").fetchall() == []
    assert dba.execute("select * from report_defects(max_rows => 5)").fetchall() == []


@pytest.mark.parametrize(
    ("conditions", "code", "message"),
    [
        ("max_rows => 0", "RR016", "max_rows must be between 1 and 1000."),
        ("max_rows => 1001", "RR016", "max_rows must be between 1 and 1000."),
        ("errcode => 'RR001'", "RR016", '"RR001" is no defect of a report.'),
        ("errcode => ''", "RR016", '"" is no defect of a report.'),
        ("country_id => 'zz'", "RR008", None),
    ],
)
def test_a_condition_that_cannot_be_used_is_refused(
    dba: Connection, conditions: str, code: str, message: str | None
) -> None:
    said = refusal(dba, f"select * from report_defects({conditions})")  # noqa: S608
    assert said.code == code
    assert message in (None, said.message)


def test_a_token_that_may_not_read_gets_no_defects(dba: Connection) -> None:
    dba.execute("""set request.jwt.claims = '{"sub": "bob", "scope": "reports:rerun"}'""")
    for routine in ("report_defects", "defect_counts"):
        assert refusal(dba, f"select * from {routine}()").code == "RR017"  # noqa: S608


# --- against an independent model ------------------------------------------------------------

SIMULATIONS = some.lists(
    some.fixed_dictionaries(
        {
            "country_id": some.sampled_from(["us", "us", "us", "uk", "zz"]),
            "population_id": some.sampled_from(["us", "state/ny"]),
            "population_type": some.sampled_from(["geography", "geography", "geography", "household", "family"]),
            "policy_id": some.sampled_from([2, 3]),
        }
    ),
    min_size=1,
    max_size=4,
)
# Positions in the list of simulations; 9 is one that does not exist.
LINKS = some.sampled_from([0, 1, 2, 3, 9])
REPORTS = some.lists(
    some.fixed_dictionaries(
        {
            "country_id": some.sampled_from(["us", "us", "us", "uk", "zz"]),
            "links": some.tuples(LINKS, some.none() | LINKS),
            "year": some.sampled_from(["2025", "2025", "2026", "", " ", None]),
            "status": some.sampled_from(["pending", "complete", "error"]),
        }
    ),
    min_size=1,
    max_size=6,
)
IMPACTS = some.lists(
    some.fixed_dictionaries(
        {
            "country_id": some.sampled_from(["us", "us", "uk"]),
            "baseline_policy_id": some.sampled_from([2, 3]),
            "reform_policy_id": some.sampled_from([2, 3]),
            "region": some.sampled_from(["us", "state/ny"]),
            "dataset": some.sampled_from(["default", "default", "default", "cps"]),
            "time_period": some.sampled_from(["2025", "2025", "2026", " "]),
            "options_hash": some.sampled_from(["[]", "[]", "[]", "[a]", None]),
            "api_version": some.sampled_from(["e1", "e1", "e1", "e0"]),
            "status": some.sampled_from(["ok", "error", "computing"]),
        }
    ),
    max_size=12,
)
CURRENT = some.fixed_dictionaries(
    {"us": some.sampled_from(["e1", "e1", "e1", None]), "uk": some.sampled_from(["e1", "e0", None])}
)


def expected_defect(
    report: dict[str, Any], simulations: dict[int, dict[str, Any]], current: dict[str, str | None]
) -> tuple[str, str] | None:
    """The rules once more, in other words."""
    linked = [link for link in (report["simulation_1_id"], report["simulation_2_id"]) if link is not None]
    country_id = report["country_id"]
    for link in linked:
        if link not in simulations or simulations[link]["country_id"] != country_id:
            return "RR002", f"Report references simulation #{link}, but it could not be found for country {country_id}."
    types = [simulations[link]["population_type"] for link in linked]
    subject = f"Report #{report['id']}"
    if len(set(types)) > 1:
        return "RR003", f"{subject} links simulations with mismatched population types."
    match types[0]:
        case "household":
            return None
        case "geography":
            if report["year"] is None or not report["year"].strip():
                return "RR005", f"{subject} is an economy report without a year."
            if current.get(country_id) is None:
                return "RR006", f"Country {country_id} has no current economy cache version."
            return None
        case other:
            return "RR004", f'{subject} has the population type "{other}", which is neither household nor geography.'


def expected_state(before: dict[str, Any], report: dict[str, Any], current: dict[str, str | None]) -> dict[str, Any]:
    """The three tables after a rerun that succeeds."""
    simulations = {row["id"]: row for row in before["simulations"]}
    links = [link for link in (report["simulation_1_id"], report["simulation_2_id"]) if link is not None]
    cleared = {"status": "pending", "output": None, "error_message": None, "run_sequence": 2}
    key = {
        "country_id": report["country_id"],
        "region": simulations[links[0]]["population_id"],
        "baseline_policy_id": simulations[links[0]]["policy_id"],
        "reform_policy_id": simulations[links[-1]]["policy_id"],
        "dataset": "default",
        "options_hash": "[]",
        "time_period": report["year"],
        "api_version": current.get(report["country_id"]),
    }
    package = {"us": {"api_version": "p1"}}.get(report["country_id"], {})
    is_economy = simulations[links[0]]["population_type"] == "geography"
    return {
        "report_outputs": [
            {**row, **cleared} if row["id"] == report["id"] else row for row in before["report_outputs"]
        ],
        "simulations": [{**row, **cleared, **package} if row["id"] in links else row for row in before["simulations"]],
        "reform_impact": [
            row
            for row in before["reform_impact"]
            if not (is_economy and all(row[name] == value for name, value in key.items()))
        ],
    }


@pytest.mark.needs("time")
@settings(max_examples=250, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(simulations=SIMULATIONS, reports=REPORTS, impacts=IMPACTS, current=CURRENT)
def test_audit_and_rerun_agree_with_the_rules_on_any_database(
    dba: Connection,
    simulations: list[dict[str, Any]],
    reports: list[dict[str, Any]],
    impacts: list[dict[str, Any]],
    current: dict[str, str | None],
) -> None:
    with dba.transaction(force_rollback=True):
        dba.execute("update pgreprise.country set package_version = 'p1' where country_id = 'us'")
        for country_id, version in current.items():
            dba.execute(
                "update pgreprise.country set economy_impact_version = %s where country_id = %s", (version, country_id)
            )
        ids = dict(enumerate(add_simulation(dba, **values) for values in simulations))
        for values in reports:
            first, second = (None if link is None else ids.get(link, 10**9) for link in values["links"])
            add_report(dba, first, second, **{name: value for name, value in values.items() if name != "links"})
        for values in impacts:
            add_reform_impact(dba, **values)

        before = snapshot(dba)
        found = defects(dba)
        by_id = {row["id"]: row for row in before["simulations"]}
        for report in before["report_outputs"]:
            expected = expected_defect(report, by_id, current)
            assert found.get(report["id"]) == expected
            if expected is not None:
                with pytest.raises(psycopg.Error) as refused, dba.transaction():
                    rerun(dba, report["id"])
                assert (refused.value.diag.sqlstate, refused.value.diag.message_primary) == expected
                assert snapshot(dba) == before
                continue
            with dba.transaction(force_rollback=True):
                result = rerun(dba, report["id"])
                after = snapshot(dba)
            assert after == expected_state(before, report, current)
            links = dict.fromkeys([report["simulation_1_id"], report["simulation_2_id"]])
            assert result == {
                "report_id": report["id"],
                "report_type": by_id[report["simulation_1_id"]]["population_type"],
                "simulation_ids": [link for link in links if link is not None],
                "economy_cache_rows_deleted": len(before["reform_impact"]) - len(after["reform_impact"]),
                "cache_scopes": ANY,
                "same_key_report_ids": ANY,
                "shown_report_id": ANY,
                "run_sequence": 2,
                "rerun_id": result["rerun_id"],
            }
