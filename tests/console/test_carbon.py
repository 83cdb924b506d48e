"""Somebody looks at carbon units, reports and explore reports: who sees what, figures, a replacement, duplicates."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import URL

from pyapi.console.carbon import MODULES
from pyapi.schema import migrate
from tests.support import carbon
from tests.support.carbon import ADMIN, DAY, PRINCIPAL, add_entry, add_report, add_unit, role, set_status
from tests.support.console import Operator, Page, console_over
from tests.support.databases import Connection, engine
from tests.support.samples import load_sample
from tests.support.snapshots import State, everything
from tests.support.statements import one
from tests.support.tokens import claims, signed

PRESENT = "/console/carbon"


def state(connection: Connection) -> State:
    """Every row of pgreprise and of both domains."""
    return {**everything(connection), **carbon.snapshot(connection)}


def ids(page: Page, kind: str) -> list[int]:
    """The ids of units or reports to which the first column of a page's tables leads, each once, in their order."""
    found = [link for link in page.links if link.startswith(f"{PRESENT}/{kind}/")]
    return list(dict.fromkeys(int(link.rsplit("/", 1)[1]) for link in found))


def signed_in(stranger: Operator, *roles: dict[str, Any], scope: str = "reports:read reports:write") -> Operator:
    stranger.sign_in(signed(claims(scope=scope, roles=list(roles))))
    return stranger


def make_stale(connection: Connection, report_id: int, days: int = 2) -> None:
    carbon.updated_before(connection, report_id, days * DAY)


@pytest.fixture
def here(dba: Connection) -> int:
    return add_unit(dba, "0184", "Laboratory of Photonics")


@pytest.fixture
def there(dba: Connection) -> int:
    return add_unit(dba, "0207", "Institute of Chemistry")


@pytest.fixture
def scratch(dba: Connection, here: int) -> int:
    """A stale explore report of 2025 with two entries."""
    report = add_report(dba, here, 2025, "Simulator_Explore")
    add_entry(dba, report, 2, 9.8)
    add_entry(dba, report, 3, 1500)
    make_stale(dba, report)
    return report


# --- units -----------------------------------------------------------------------------------


def test_the_list_of_units_has_pages_that_do_not_overlap(operator: Operator, dba: Connection) -> None:
    units = [add_unit(dba, f"{n:04}", f"Unit {n}") for n in range(120)]
    found: list[int] = []
    path = f"{PRESENT}?search=unit"
    while True:
        page = operator.open(path)
        found += ids(page, "units")
        following = [link for link in page.links if "after_unit_id" in link]
        if not following:
            break
        path = following[0]
        assert "search=unit" in path
    assert found == units


def test_a_unit_is_found_by_a_part_of_its_name_or_institutional_id(operator: Operator, here: int, there: int) -> None:
    assert ids(operator.open(f"{PRESENT}?search="), "units") == [here, there]
    assert ids(operator.open(f"{PRESENT}?search=PHOTON"), "units") == [here]
    assert ids(operator.open(f"{PRESENT}?search=%20207"), "units") == [there]
    assert "No unit that you may view has this" in operator.open(f"{PRESENT}?search=nowhere").text


def test_a_unit_shows_its_projects_and_its_reports_with_status_and_totals(
    operator: Operator, dba: Connection, here: int
) -> None:
    earlier, later = add_report(dba, here, 2024), add_report(dba, here, 2025, overall_status=1)
    explore = add_report(dba, here, 2025, "Simulator_Explore")
    add_entry(dba, later, 2, 1234567)
    set_status(dba, later, 2, 2)
    page = operator.open(f"{PRESENT}/units/{here}")
    assert page.heading == "Laboratory of Photonics"
    assert ids(page, "reports") == [later, explore, earlier]
    assert f"#{later} 2025 Calculator in progress 0/8 1 1,234.567 0.00" in page.text
    assert f"#{earlier} 2024 Calculator not started 0/8 0 0.000 0.00" in page.text
    assert "Simulator Explore" in page.text


def test_stored_figures_that_are_wrong_are_told_with_what_to_do(operator: Operator, dba: Connection) -> None:
    load_sample(dba, "carbon")
    unit = one(dba, "select min(id) as id from units")["id"]
    assert "Stored figures" not in operator.open(f"{PRESENT}/units/{unit}").text
    dba.execute(
        "update carbon_report_modules set stats = jsonb_set(stats::jsonb, '{total}', '1') where module_type_id = 3 "
        "and (stats ->> 'total')::float > 0"
    )
    page = operator.open(f"{PRESENT}/units/{unit}")
    assert "Stored figures are not what the entries add up to." in page.text
    assert "pgreprise carbon differences" in page.text
    assert "Buildings total 1.000 612.000" in page.text


def test_numbers_that_are_no_unit_and_no_report_are_not_found(operator: Operator) -> None:
    for path in ("units/4711", "units/0", "reports/4711", "explore/4711/2025/refresh"):
        page = operator.open(f"{PRESENT}/{path}")
        assert page.status == 404, path
        assert "select " not in page.text
    assert operator.open(f"{PRESENT}/units/{10**30}").status == 400


# --- reports ---------------------------------------------------------------------------------


def test_reports_are_found_by_year_and_type_a_page_at_a_time(
    operator: Operator, dba: Connection, here: int, there: int
) -> None:
    of_2025 = [add_report(dba, here), add_report(dba, there), add_report(dba, here, 2025, "Simulator_Plan")]
    years = [add_report(dba, there, year) for year in range(1960, 2020)]
    assert ids(operator.open(f"{PRESENT}/reports?year=2025&carbon_project_type="), "reports") == of_2025
    assert ids(operator.open(f"{PRESENT}/reports?year=2025&carbon_project_type=2"), "reports") == of_2025[2:]
    first = operator.open(f"{PRESENT}/reports?carbon_project_type=0")
    [following] = [link for link in first.links if "after_report_id" in link]
    assert "carbon_project_type=0" in following
    second = operator.open(following)
    assert ids(first, "reports") + ids(second, "reports") == of_2025[:2] + years
    assert any(link == f"{PRESENT}/reports?carbon_project_type=0" for link in second.links)
    assert "meets these conditions" in operator.open(f"{PRESENT}/reports?year=1900").text


@pytest.mark.parametrize("query", ["year=last", "carbon_project_type=3", "after_report_id=-1", "year=1e3"])
def test_a_condition_that_cannot_be_used_is_named(operator: Operator, query: str) -> None:
    page = operator.open(f"{PRESENT}/reports?{query}")
    assert page.status == 400
    assert query.partition("=")[0] in page.text


def test_one_report_shows_its_modules_totals_results_and_emissions(operator: Operator, dba: Connection) -> None:
    load_sample(dba, "carbon")
    report = one(dba, "select id from carbon_reports where overall_status = 1")["id"]
    page = operator.open(f"{PRESENT}/reports/{report}")
    assert page.heading == f"Carbon report #{report}"
    assert "Calculator, 2025" in page.text
    assert "2/8, 2 validated modules" in page.text
    assert "5.044 t CO2eq, 7.50 FTE, of the validated modules" in page.text
    assert "Headcount validated 2 3.154" in page.text
    assert "7.50 FTE" in page.text
    # Not validated, so it does not count; its stored total is shown all the same.
    assert "Buildings in progress 1 0.612" in page.text
    assert "Results of the validated modules" in page.text
    assert "Professional travel 1.890 0.252" in page.text


def test_every_module_and_every_odd_stats_makes_a_page(operator: Operator, dba: Connection, here: int) -> None:
    report = add_report(dba, here, 2025, "Simulator_Explore", stats='"none"')
    dba.execute("update carbon_report_modules set stats = 'null', status = 7 where module_type_id = 1")
    dba.execute(
        """update carbon_report_modules set stats = '{"total": "much", "entry_count": null}' where id % 2 = 0"""
    )
    page = operator.open(f"{PRESENT}/reports/{report}")
    assert page.status == 200
    for name in MODULES.values():
        assert name in page.text
    assert "Headcount status 7" in page.text
    assert operator.open(f"{PRESENT}/explore/{here}/2025/refresh").status == 200
    # Of reports from before there were projects.
    dba.execute("alter table carbon_reports alter carbon_project_id drop not null")
    dba.execute("update carbon_reports set carbon_project_id = null, last_updated = null, completion_progress = null")
    assert "no project, 2025" in operator.open(f"{PRESENT}/reports/{report}").text
    assert operator.open(f"{PRESENT}/units/{here}").status == 200


def test_the_names_of_modules_are_those_of_the_database(dba: Connection) -> None:
    known = dba.execute("select module_type_id, name from pgreprise.carbon_module_type order by 1").fetchall()
    assert {number: name.lower().replace(" ", "_") for number, name in MODULES.items()} == {
        row["module_type_id"]: row["name"] for row in known
    }


# --- who sees what ---------------------------------------------------------------------------


def test_the_principal_of_a_unit_sees_that_unit_only(
    stranger: Operator, dba: Connection, here: int, there: int, scratch: int
) -> None:
    other = add_report(dba, there, 2025, "Simulator_Explore")
    make_stale(dba, other)
    alice = signed_in(stranger, role(PRINCIPAL, "unit", "0184"))
    page = alice.open(PRESENT)
    assert ids(page, "units") == [here]
    assert "calco2.user.principal of unit 0184" in page.text
    assert "modules.headcount/0184 edit, sync, view" in page.text
    assert ids(alice.open(f"{PRESENT}/reports"), "reports") == [scratch]
    assert ids(alice.open(f"{PRESENT}/explore"), "reports") == [scratch]
    assert alice.open(f"{PRESENT}/units/{here}").status == 200
    for path in (
        f"units/{there}",
        f"reports/{other}",
        f"explore/{there}/2025/refresh",
        f"explore/{there}/2025/refreshed/{scratch}",
        f"explore/{here}/2025/refreshed/{other}",
    ):
        page = alice.open(f"{PRESENT}/{path}")
        assert page.status == 403, path
        assert "Ask for a role on this unit." in page.text
        assert "Chemistry" not in page.text


def test_a_forged_refresh_of_another_unit_does_nothing(
    stranger: Operator, dba: Connection, here: int, there: int, scratch: int
) -> None:
    other = add_report(dba, there, 2025, "Simulator_Explore")
    make_stale(dba, other)
    alice = signed_in(stranger, role(PRINCIPAL, "unit", "0184"))
    form = alice.open(f"{PRESENT}/explore/{here}/2025/refresh").form("/refresh")
    before = state(dba)
    form.action = form.action.replace(f"/explore/{here}/", f"/explore/{there}/")
    assert alice.send(form, old_report_id=str(other)).status == 403
    form.action = form.action.replace(f"/explore/{there}/", f"/explore/{here}/")
    # It is an explore report of another unit, so there is nothing to do, and its state is nobody's business here.
    assert alice.send(form, old_report_id=str(other)).status == 403
    assert alice.send(form, old_report_id=str(scratch), form_token="0").status == 403
    assert state(dba) == before


def test_without_roles_there_is_nothing_to_see(stranger: Operator, here: int, scratch: int) -> None:
    bob = signed_in(stranger)
    page = bob.open(PRESENT)
    assert page.status == 200
    assert "You may view no unit." in page.text
    assert "Your token has no role." in page.text
    for path in ("reports", "explore", "duplicates"):
        page = bob.open(f"{PRESENT}/{path}")
        assert page.status == 200
        assert "Photonics" not in page.text
    assert bob.open(f"{PRESENT}/units/{here}").status == 403
    assert bob.open(f"{PRESENT}/reports/{scratch}").status == 403


def test_odd_roles_are_shown_as_they_are_and_give_nothing(stranger: Operator, here: int) -> None:  # noqa: ARG001
    page = signed_in(
        stranger,
        {"role": PRINCIPAL, "on": {"affiliation": "ENAC"}},
        {"role": ADMIN, "on": {"scope": "global"}},
        role("calco2.user.standard", "own", "0207"),
        {"role": "<b>"},
    ).open(PRESENT)
    assert 'calco2.user.principal on {"affiliation": "ENAC"}' in page.text
    assert "calco2.backoffice.admin everywhere" in page.text
    assert "calco2.user.standard of unit 0207, for what is their own" in page.text
    assert '{"role": "<b>"}' in page.text
    assert "&lt;b&gt;" in page.response.text


def test_a_token_without_the_scope_to_read_is_refused(stranger: Operator) -> None:
    page = signed_in(stranger, role(ADMIN, "global"), scope="reports:work").open(PRESENT)
    assert page.status == 403
    assert "reports:read" in page.text


# --- explore reports -------------------------------------------------------------------------


def test_stale_explore_reports_are_marked_by_their_age(operator: Operator, dba: Connection, here: int) -> None:
    ages = {2020: DAY - 60, 2021: DAY + 60, 2022: None, 2023: 3 * DAY + 2 * 3600}
    reports = {year: add_report(dba, here, year, "Simulator_Explore") for year in ages}
    for year, seconds in ages.items():
        carbon.updated_before(dba, reports[year], seconds)
    dba.execute(
        "insert into pgreprise.failed_refresh (report_id, failures, first_failed_at, last_failed_at, message) "
        "values (%s, 3, now() - interval '2 hours', now(), 'canceling statement due to lock timeout')",
        [reports[2023]],
    )
    page = operator.open(f"{PRESENT}/explore")
    text = page.text
    assert "2020 in use" in text
    assert "23 h 59 min" in text
    assert "2021 stale" in text
    assert "2022 stale nobody recorded it" in text
    assert "3 d 2 h" in text
    assert "3 failures since" in text
    assert "canceling statement due to lock timeout" in text
    assert [link for link in page.links if link.endswith("/refresh")] == [
        f"{PRESENT}/explore/{here}/{year}/refresh" for year in (2021, 2022, 2023)
    ]
    assert "It is in use: nothing can replace it now." in operator.open(f"{PRESENT}/explore/{here}/2020/refresh").text


def test_explore_reports_have_pages(operator: Operator, dba: Connection, here: int) -> None:
    reports = [add_report(dba, here, year, "Simulator_Explore") for year in range(1960, 2020)]
    first = operator.open(f"{PRESENT}/explore")
    [following] = [link for link in first.links if "after_report_id" in link]
    assert ids(first, "reports") + ids(operator.open(following), "reports") == reports


def test_a_refresh_says_what_it_deletes_and_a_double_click_does_it_once(
    operator: Operator, dba: Connection, here: int, scratch: int
) -> None:
    dba.execute(
        "update carbon_report_modules as module set stats = pgreprise.carbon_module_stats(carbon_report_id, "
        "module_type_id, now())"
    )
    preview = operator.open(f"{PRESENT}/explore/{here}/2025/refresh")
    assert preview.heading == f"Replace explore report #{scratch} of 2025?"
    assert "8 modules and 2 entries" in preview.text
    assert "1.510 t CO2eq" in preview.text
    form = preview.form("/refresh")
    done = operator.send(form)
    fresh = one(dba, "select id from carbon_reports")["id"]
    assert fresh != scratch
    assert done.heading == f"Explore report #{scratch} is not there any more"
    assert f"Explore report #{fresh} of 2025 has its place." in done.text
    assert one(dba, "select count(*) as entries from data_entries")["entries"] == 0
    assert one(dba, "select count(*) as modules from carbon_report_modules")["modules"] == 8

    after = state(dba)
    again = operator.send(form)
    assert (again.status, again.heading, again.path) == (200, done.heading, done.path)
    assert state(dba) == after
    # The page can be sent to a colleague, and the preview has no form any more.
    assert operator.open(done.path).heading == done.heading
    assert not [found for found in operator.open(preview.path).forms if found.action.endswith("/refresh")]


def test_who_may_only_view_a_unit_is_not_offered_a_replacement(
    stranger: Operator, dba: Connection, here: int, scratch: int
) -> None:
    dba.execute("delete from pgreprise.carbon_role_right where resource = 'reports' and action = 'edit'")
    alice = signed_in(stranger, role(PRINCIPAL, "unit", "0184"))
    page = alice.open(f"{PRESENT}/explore")
    assert ids(page, "reports") == [scratch]
    assert not [link for link in page.links if link.endswith("/refresh")]
    page = alice.open(f"{PRESENT}/explore/{here}/2025/refresh")
    assert "Your roles let you view the reports of this unit, not edit them." in page.text
    assert not [form for form in page.forms if form.action.endswith("/refresh")]


def test_a_report_that_is_used_after_it_was_shown_is_kept(
    operator: Operator, dba: Connection, here: int, scratch: int
) -> None:
    form = operator.open(f"{PRESENT}/explore/{here}/2025/refresh").form("/refresh")
    carbon.updated_before(dba, scratch, 5)
    before = state(dba)
    page = operator.send(form)
    assert page.heading == f"Explore report #{scratch} was not replaced"
    assert "It has changed and is in use." in page.text
    assert state(dba) == before


def test_a_report_that_was_made_a_plan_after_it_was_shown_is_kept(
    operator: Operator, dba: Connection, here: int, scratch: int
) -> None:
    form = operator.open(f"{PRESENT}/explore/{here}/2025/refresh").form("/refresh")
    dba.execute("select convert_explore_report(%s)", [scratch])
    page = operator.send(form)
    assert page.heading == f"Explore report #{scratch} was not replaced"
    assert "It is not the explore report of this unit and year." in page.text


def test_a_refresh_that_the_database_refuses_is_a_page_and_changes_nothing(
    operator: Operator, dba: Connection, here: int, scratch: int
) -> None:
    dba.execute("create table notes (report_id int references carbon_reports on delete cascade)")
    dba.execute("insert into notes values (%s)", [scratch])
    before = state(dba)
    page = operator.send(operator.open(f"{PRESENT}/explore/{here}/2025/refresh").form("/refresh"))
    assert page.status == 409
    assert f"{PRESENT}/explore/{here}/2025/refresh" in page.links
    assert state(dba) == before


# --- duplicates ------------------------------------------------------------------------------


def test_duplicates_are_listed_with_their_remedy(operator: Operator, dba: Connection, here: int, there: int) -> None:
    page = operator.open(f"{PRESENT}/duplicates")
    assert "Nothing can exist twice" in page.text
    assert "not enforced" not in page.text
    dba.execute("alter table carbon_projects drop constraint uq_carbon_projects_unit_type")
    page = operator.open(f"{PRESENT}/duplicates")
    assert "the database would let it happen" in page.text
    assert "not enforced Constraint uq_carbon_projects_unit_type" in page.text
    twice = [
        one(
            dba,
            "insert into carbon_projects (unit_id, carbon_report_type) values (%s, 'Calculator') returning id",
            here,
        )["id"]
        for _ in range(2)
    ]
    page = operator.open(f"{PRESENT}/duplicates")
    assert "pgreprise carbon duplicates" in page.text
    assert f"#{here} Calculator #{twice[0]}, #{twice[1]}" in page.text
    assert there not in ids(page, "units")


# --- all pages -------------------------------------------------------------------------------


def test_looking_changes_nothing(operator: Operator, dba: Connection) -> None:
    load_sample(dba, "carbon")
    unit = one(dba, "select min(id) as id from units")["id"]
    report, scratch = (
        one(dba, "select id from carbon_reports where overall_status = %s and unit_id = %s and year = 2025", kind, unit)
        for kind in (1, 0)
    )
    before = state(dba)
    for path in (
        "",
        f"/units/{unit}",
        "/reports",
        f"/reports/{report['id']}",
        f"/reports/{scratch['id']}",
        "/explore",
        f"/explore/{unit}/2025/refresh",
        f"/explore/{unit}/2025/refreshed/{scratch['id']}",
        "/duplicates",
    ):
        page = operator.open(PRESENT + path)
        assert page.status == 200, path
        assert page.heading, path
        assert "style=" not in page.response.text
        assert "<script>" not in page.response.text
    assert state(dba) == before


# --- databases with one of the domains -------------------------------------------------------


@pytest.fixture
def only(empty_database: URL, request: pytest.FixtureRequest) -> Iterator[Operator]:
    """The console over a database with one domain."""
    migrate.upgrade(engine(empty_database), f"{request.param}@head")
    with console_over(empty_database) as found:
        yield found


@pytest.mark.parametrize("only", ["reports"], indirect=True)
def test_without_carbon_no_page_leads_there(only: Operator) -> None:
    page = only.open("/console")
    assert page.status == 200
    assert PRESENT not in page.links
    assert "/console/reports" in page.links
    for path in (PRESENT, f"{PRESENT}/units/1"):
        page = only.open(path)
        assert (page.status, page.heading) == (404, "Not installed")
        assert "pgreprise migrate --to carbon@head" in page.text
        assert PRESENT not in page.links


@pytest.mark.parametrize("only", ["carbon"], indirect=True)
def test_without_reports_carbon_is_the_first_page(only: Operator) -> None:
    for path in ("/console", "/console/"):
        page = only.open(path)
        assert (page.status, page.path, page.heading) == (200, PRESENT, "Carbon")
        assert "/console/reports" not in page.links
        assert PRESENT in page.links
    for path in ("/console/reports", "/console/reports/us/1", "/console/acts/1"):
        page = only.open(path)
        assert (page.status, page.heading) == (404, "Not installed")
        assert "pgreprise migrate --to reports@head" in page.text


def test_a_domain_that_comes_is_seen_without_a_restart(empty_database: URL, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pyapi.console.pages._REMEMBERED_SECONDS", 0)
    migrate.upgrade(engine(empty_database), "reports@head")
    with console_over(empty_database) as operator:
        assert operator.open(PRESENT).status == 404
        migrate.upgrade(engine(empty_database))
        assert operator.open(PRESENT).status == 200
        assert PRESENT in operator.open("/console").links
