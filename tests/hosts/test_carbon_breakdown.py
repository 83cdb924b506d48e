"""Breakdowns and summaries of the carbon calculator's rows, as the calculator computes them."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import pytest
from sqlalchemy import URL

from tests.support.carbon_host import expected
from tests.support.databases import Connection, connect
from tests.support.numbers import same
from tests.support.statements import one

pytestmark = pytest.mark.needs("time")

Row = dict[str, Any]
ROLLUPS = (40000, 60100)
CO2_PER_KM_KG = 0.2996


def called(connection: Connection, routine: str, report_id: int, exclude_modules: tuple[int, ...] = ()) -> Any:
    statement = f"select {routine}(%s::bigint, %s::bigint[]) as told"
    return one(connection, statement, report_id, list(exclude_modules))["told"]


def all_rows(connection: Connection, statement: str, *values: object) -> list[Row]:
    return connection.execute(statement.encode(), values).fetchall()


# --- what the calculator computes from the rows, in plain Python -------------------------------


class Report:
    """The rows of a report: its modules by type, their entries, and the emissions that are no roll-ups."""

    def __init__(self, connection: Connection, report_id: int) -> None:
        [self.row] = all_rows(
            connection,
            "select report.unit_id, report.year, carbon_report_type::text as type from public.carbon_reports as report "
            "join public.carbon_projects as project on project.id = carbon_project_id where report.id = %s",
            report_id,
        )
        modules = all_rows(
            connection, "select * from public.carbon_report_modules where carbon_report_id = %s", report_id
        )
        self.status = {module["module_type_id"]: module["status"] for module in modules}
        module_types = {module["id"]: module["module_type_id"] for module in modules}
        entries = all_rows(
            connection, "select * from public.data_entries where carbon_report_module_id = any (%s)", list(module_types)
        )
        self.entries = [{**entry, "module": module_types[entry["carbon_report_module_id"]]} for entry in entries]
        by_id = {entry["id"]: entry for entry in self.entries}
        types = {
            row["emission_type_id"]: row for row in all_rows(connection, "select * from pgreprise.carbon_emission_type")
        }
        self.emissions = [
            {**row, "entry": by_id[row["data_entry_id"]], "type": types[row["emission_type_id"]]}
            for row in all_rows(
                connection,
                "select * from public.data_entry_emissions where data_entry_id = any (%s) order by id",
                list(by_id),
            )
            if row["emission_type_id"] not in ROLLUPS
        ]

    def validated(self) -> set[int]:
        return {module for module, status in self.status.items() if status == 2}

    def shown_validated(self) -> set[int]:
        return set(self.status) if self.row["type"] == "Simulator_Explore" else self.validated()

    def fte(self, modules: set[int]) -> float:
        return float(sum(entry["data"].get("fte") or 0 for entry in self.entries if entry["module"] in modules))

    def kilograms(self, excluded: tuple[int, ...] = ()) -> dict[int, float]:
        found: dict[int, float] = defaultdict(float)
        for emission in self.emissions:
            if emission["entry"]["module"] not in excluded:
                found[emission["entry"]["module"]] += emission["kg_co2eq"]
        return found


CATEGORIES = {
    "process_emissions": 8, "buildings_energy_combustion": 3, "buildings_room": 3, "equipment": 4,
    "external_cloud_and_ai": 7, "purchases": 5, "research_facilities": 6, "professional_travel": 2,
}  # fmt: skip
ADDITIONAL = {"commuting": 1, "food": 1, "waste": 1, "embodied_energy": 3}


def chart_category(category: str, emissions: list[Row]) -> Row:
    kilograms: dict[str, float] = defaultdict(float)
    quantities: dict[str, float] = defaultdict(float)
    types = {}
    for emission in emissions:
        types[emission["type"]["name"]] = emission["type"]
        kilograms[emission["type"]["name"]] += emission["kg_co2eq"]
        if emission["additional_value"] is not None:
            quantities[emission["type"]["name"]] += emission["additional_value"]
    told: Row = {"category": category, "category_key": category}
    listed, bars = [], []
    parents: dict[str, float] = defaultdict(float)
    for name in sorted(kilograms, key=lambda name: types[name]["emission_type_id"]):
        if kilograms[name] <= 0:
            continue
        *above, key = name.split("__")
        value = kilograms[name] / 1000
        item: Row = {"emission_type": name, "key": key, "value": value}
        if len(above) > 1:
            item["parent_key"] = above[-1]
            parents[above[-1]] += value
        if name in quantities and above[0] in ("professional_travel", "commuting", "food", "waste"):
            unit = "km" if above[0] in ("professional_travel", "commuting") else "kg"
            item |= {"quantity": quantities[name], "quantity_unit": unit}
        listed.append(item)
        told[key] = told.get(key, 0.0) + value
        bar = item.get("parent_key", key)
        if bar not in bars:
            bars.append(bar)
    return {**told, **parents, "emissions": listed, "parent_keys_order": bars}


def modelled_breakdown(report: Report, excluded: tuple[int, ...] = ()) -> Row:
    by_category: dict[str, list[Row]] = defaultdict(list)
    for emission in report.emissions:
        if emission["entry"]["module"] not in excluded and emission["type"]["category"]:
            by_category[emission["type"]["category"]].append(emission)

    def kilograms(*categories: str) -> float:
        return float(sum(emission["kg_co2eq"] for name in categories for emission in by_category[name]))

    validated, fte = report.shown_validated(), report.fte(report.validated())
    shown = [category for category, module in CATEGORIES.items() if module not in excluded]
    by_person = {category: kilograms(category) / fte / 1000 if fte else 0.0 for category in shown}
    by_person |= {
        category: kilograms(category) / fte / 1000
        for category, module in ADDITIONAL.items()
        if module in validated and fte
    }
    it = sum(
        emission["kg_co2eq"] for each in by_category.values() for emission in each if emission["type"]["it_category"]
    )
    return {
        "module_breakdown": [chart_category(category, by_category[category]) for category in shown],
        "additional_breakdown": [chart_category(category, by_category[category]) for category in ADDITIONAL],
        "per_person_breakdown": by_person,
        "validated_categories": [
            category for category, module in (CATEGORIES | ADDITIONAL).items() if module in validated
        ],
        "headcount_validated": 1 in validated,
        "buildings_validated": 3 in validated,
        "total_tonnes_co2eq": kilograms(*CATEGORIES, *ADDITIONAL) / 1000,
        "total_fte": fte,
        "embodied_energy_by_building": [],
        "embodied_energy_by_category": [],
        "it_summary": {
            "total_tonnes_co2eq": it / 1000,
            "percentage_of_total": it / kilograms(*CATEGORIES) * 100 if kilograms(*CATEGORIES) else 0.0,
        },
    }


def modelled_summary(report: Report, previous: Report | None, excluded: tuple[int, ...] = ()) -> Row:
    def emitted(one_report: Report | None) -> dict[int, float]:
        if one_report is None:
            return {}
        found = one_report.kilograms(excluded)
        return {module: found[module] for module in sorted(found) if one_report.status[module] == 2}

    now, before = emitted(report), emitted(previous)
    fte = report.fte({1}) if report.status[1] == 2 and any(each["module"] == 1 for each in report.entries) else None

    def figures(kilograms: float | None, earlier: float | None, shown_fte: float | None) -> Row:
        compared = kilograms is not None and earlier is not None and earlier > 0
        return {
            "total_tonnes_co2eq": None if kilograms is None else kilograms / 1000,
            "total_fte": shown_fte,
            "tonnes_co2eq_per_fte": kilograms / 1000 / fte if kilograms is not None and fte else None,
            "equivalent_car_km": None if kilograms is None else kilograms / CO2_PER_KM_KG,
            "previous_year_total_tonnes_co2eq": None if earlier is None else earlier / 1000,
            "year_comparison_percentage": (kilograms - earlier) / earlier * 100 if compared else None,  # type: ignore[operator]
        }

    return {
        "unit_totals": figures(sum(now.values()) if now else None, sum(before.values()) if before else None, fte),
        "co2_per_km_kg": CO2_PER_KM_KG,
        "module_results": [
            {"module_type_id": module, **figures(kilograms, before.get(module), fte if module == 1 else None)}
            for module, kilograms in now.items()
        ],
    }


IT_SOURCES = {"equipment_it": 4, "purchases_it": 5, "external_cloud_and_ai": 7, "research_facilities_it": 6}
IT_CLASSES = {"equipment_it": "equipment_class", "purchases_it": "purchase_institutional_code"}


def top_classes(emissions: list[Row], field: str) -> list[Row]:
    by_class: dict[str, float] = defaultdict(float)
    labels: dict[str, str] = {}
    for emission in emissions:
        data = emission["entry"]["data"]
        name = str(data.get(field) or "unknown")
        by_class[name] += emission["kg_co2eq"] / 1000
        labels[name] = str(data.get("purchase_institutional_description") or labels.get(name) or name)
    ranked = sorted(by_class, key=lambda name: -by_class[name])
    told = [{"name": labels[name], "value": by_class[name]} for name in ranked[:3]]
    return told + ([{"name": "rest", "value": sum(by_class[name] for name in ranked[3:])}] if ranked[3:] else [])


def modelled_it(report: Report, excluded: tuple[int, ...] = ()) -> Row:
    counted = [emission for emission in report.emissions if emission["entry"]["module"] not in excluded]
    by_category: dict[str, list[Row]] = defaultdict(list)
    for emission in counted:
        if emission["type"]["it_category"]:
            by_category[emission["type"]["it_category"]].append(emission)

    def kilograms(emissions: list[Row]) -> float:
        return float(sum(emission["kg_co2eq"] for emission in emissions))

    it = sum(map(kilograms, by_category.values()))
    categories = []
    for category, module in IT_SOURCES.items():
        emissions = by_category[category]
        told: Row = {
            "category_key": category,
            "tonnes_co2eq": kilograms(emissions) / 1000,
            "percentage": kilograms(emissions) / it * 100 if it else 0.0,
        }
        if category in IT_CLASSES and module not in excluded:
            told["top_items"] = top_classes(emissions, IT_CLASSES[category])
        if category == "external_cloud_and_ai" and emissions:
            detail: dict[str, float] = defaultdict(float)
            for emission in emissions:
                _, above, key = emission["type"]["name"].split("__")
                detail["ai" if above == "ai" else key] += emission["kg_co2eq"] / 1000
            told["emissions"] = [{"key": key, "value": detail[key]} for key in sorted(detail)]
            told["top_items"] = [
                {"name": key, "value": detail[key]} for key in sorted(detail, key=lambda key: -detail[key])
            ]
        categories.append(told)
    active = [category for category, module in IT_SOURCES.items() if module not in excluded]
    sources = [category for category in active if IT_SOURCES[category] in report.shown_validated()]
    behind = [each for each in counted if each["entry"]["module"] in [IT_SOURCES[category] for category in sources]]
    fte = report.fte(report.validated())
    return {
        "total_it_tonnes_co2eq": it / 1000,
        "total_it_per_fte": it / 1000 / fte if fte else 0.0,
        "percentage_of_total": it / kilograms(counted) * 100 if kilograms(counted) else 0.0,
        "percentage_of_source_modules": (
            kilograms([each for each in behind if each["type"]["it_category"]]) / kilograms(behind) * 100
            if kilograms(behind)
            else 0.0
        ),
        "categories": categories,
        "scope_breakdown": {
            "scope_2": kilograms(by_category["equipment_it"]) / 1000,
            "scope_3": (it - kilograms(by_category["equipment_it"])) / 1000,
        },
        "validated": bool(active) and sources == active,
        "partially_validated": bool(sources) and sources != active,
        "validated_sources": sources,
    }


# --- the calculator's own figures --------------------------------------------------------------


@pytest.mark.parametrize("carbon_host_name", ["today", "before"])
def test_the_breakdown_and_the_summary_are_those_of_the_calculator(carbon: URL, carbon_host_name: str) -> None:
    with connect(carbon) as connection:
        for report_id, told in expected(carbon_host_name).items():
            found = called(connection, "get_emission_breakdown", int(report_id))
            assert found == same(told["emission_breakdown"]), report_id
            found = called(connection, "get_results_summary", int(report_id))
            assert found["unit_totals"] == same(told["results_summary"]["unit_totals"]), report_id


# --- after writes ------------------------------------------------------------------------------


def previous_year(connection: Connection, report: Row) -> Report | None:
    found = all_rows(
        connection,
        "select report.id from public.carbon_reports as report join public.carbon_projects as project "
        "on project.id = carbon_project_id "
        "where report.unit_id = %s and year = %s and carbon_report_type = 'Calculator'",
        report["unit_id"],
        report["year"] - 1,
    )
    return Report(connection, found[0]["id"]) if found else None


def all_agree(connection: Connection) -> None:
    for row in all_rows(connection, "select id from public.carbon_reports order by id"):
        report = Report(connection, row["id"])
        previous = previous_year(connection, report.row)
        for excluded in ((), (6,), (3, 1, 999), (4, 5, 6, 7)):
            where = (row["id"], excluded)
            found = called(connection, "get_emission_breakdown", *where)
            assert found == same(modelled_breakdown(report, excluded)), where
            found = called(connection, "get_results_summary", *where)
            assert found == same(modelled_summary(report, previous, excluded)), where
            found = called(connection, "get_it_breakdown", *where)
            assert found == same(modelled_it(report, excluded)), where


# As the calculator writes, which knows nothing of pgreprise. Two of the types are in no row of the real databases.
AS_THE_CALCULATOR = """
with entry as (
  insert into public.data_entries (data_entry_type_id, carbon_report_module_id, data, status, created_at, updated_at)
  select given.type, module.id, given.data::json, 'PENDING', now(), now()
    from (values (1, 1, '{"name": "Late", "fte": 0.25}'), (4, 11, '{"equipment_class": "Laptop"}'),
      (4, 11, '{"equipment_class": "Screen"}'), (4, 11, '{"equipment_class": "Server"}'),
      (4, 11, '{"equipment_class": "Switch"}'), (4, 11, '{}'),
      (5, 61, '{"purchase_institutional_code": "43", "purchase_institutional_description": "Computers"}'))
      as given(module, type, data)
    join public.carbon_report_modules as module
      on module.carbon_report_id = %s and module.module_type_id = given.module
  returning id, data_entry_type_id as type
)
insert into public.data_entry_emissions (data_entry_id, emission_type_id, kg_co2eq, additional_value, scope, meta,
  computed_at)
select entry.id, emission.type, emission.kg + mod(entry.id, 100), emission.quantity, null, emission.meta::json, now()
  from entry
  join (values (1, 2000411, 11.5, 3.5, '{}'), (1, 30005, 20.25, 80, '{}'),
    (1, 40000, 31.75, null, '{"is_rollup": true}'), (11, 80200, 10, null, '{}'), (61, 90300, 7.5, null, '{}'))
    as emission(entry_type, type, kg, quantity, meta) on emission.entry_type = entry.type
"""


def test_breakdowns_and_summaries_stay_right_while_both_write(carbon: URL) -> None:
    with connect(carbon) as connection:
        all_agree(connection)
        report = one(
            connection,
            "select report.id, report.unit_id, report.year from public.carbon_reports as report "
            "join public.carbon_projects as project on project.id = carbon_project_id "
            "where carbon_report_type = 'Calculator' order by report.year, report.id limit 1",
        )
        connection.execute(AS_THE_CALCULATOR.encode(), (report["id"],))
        all_agree(connection)
        top = called(connection, "get_it_breakdown", report["id"])["categories"][0]["top_items"]
        assert [item["name"] for item in top][3:] == ["rest"]

        entry = one(
            connection,
            "select entry.id, data_entry_type_id as type from public.data_entries as entry "
            "join public.carbon_report_modules as module on module.id = carbon_report_module_id "
            "where carbon_report_id = %s and module_type_id = 1 order by id limit 1",
            report["id"],
        )
        connection.execute(
            "select delete_data_entry(%s, %s, 'headcount', %s::text, %s)",
            (report["unit_id"], report["year"], entry["type"], entry["id"]),
        )
        # Headcount is in progress now: no FTE.
        assert called(connection, "get_emission_breakdown", report["id"])["total_fte"] == 0
        all_agree(connection)
        for module_type_id, status in ((4, 2), (1, 2), (3, 0)):
            connection.execute("select set_carbon_module_status(%s, %s, %s)", (report["id"], module_type_id, status))
            all_agree(connection)
        assert called(connection, "get_emission_breakdown", report["id"])["total_fte"] > 0


def test_embodied_energy_is_told_by_building_where_buildings_are_validated(carbon: URL) -> None:
    with connect(carbon) as connection:
        report = one(connection, "select min(id) as id from public.carbon_reports")["id"]
        connection.execute(
            "with entry as (insert into public.data_entries "
            "(data_entry_type_id, carbon_report_module_id, data, status, created_at, updated_at) "
            "select 32, module.id, given.data::json, 'PENDING', now(), now() "
            "from public.carbon_report_modules as module, "
            '(values (\'{"building_name": "CE"}\'), (\'{"building_name": "AA"}\'), '
            '(\'{"building_name": "CE"}\'), (\'{"building_name": ""}\'), (\'{}\')) as given(data) '
            "where carbon_report_id = %s and module_type_id = 3 returning id) "
            "insert into public.data_entry_emissions (data_entry_id, emission_type_id, kg_co2eq, computed_at) "
            "select id, 60300, 250, now() from entry",
            (report,),
        )
        buildings = [
            {"building_name": "AA", "kg_co2eq": 250, "tonnes_co2eq": 0.25},
            {"building_name": "CE", "kg_co2eq": 500, "tonnes_co2eq": 0.5},
        ]
        for status, shown in ((1, []), (2, buildings)):
            connection.execute("select set_carbon_module_status(%s, 3, %s)", (report, status))
            found = called(connection, "get_emission_breakdown", report)
            assert found["embodied_energy_by_building"] == shown
            assert found["embodied_energy_by_category"] == []
            [energy] = [each for each in found["additional_breakdown"] if each["category"] == "embodied_energy"]
            assert energy["embodied_energy"] == 1.25
