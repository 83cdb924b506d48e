"""The pages of the modules show the calculator's rows."""

from __future__ import annotations

import pytest
from sqlalchemy import URL

from tests.support.databases import connect, rows
from tests.support.statements import one

MODULES = (
    "select module.id, module.module_type_id, report.unit_id, report.year, module_type.name as module, "
    "case project.carbon_report_type when 'Calculator' then 0 else 1 end as type "
    "from public.carbon_report_modules as module join public.carbon_reports as report on report.id = carbon_report_id "
    "join public.carbon_projects as project on project.id = report.carbon_project_id "
    "join pgreprise.carbon_module_type as module_type using (module_type_id)"
)


@pytest.mark.needs("time")
def test_lists_and_views_have_every_entry_with_the_kilograms_of_its_rollup_or_leaves(carbon: URL) -> None:
    shown: dict[int, float] = {}
    with connect(carbon) as connection:
        for module in rows(carbon, MODULES):
            view = one(
                connection,
                "select get_module_view(%(unit_id)s, %(year)s, %(module)s, %(type)s) as view".replace(
                    "%(unit_id)s", "%s"
                )
                .replace("%(year)s", "%s")
                .replace("%(module)s", "%s")
                .replace("%(type)s", "%s"),
                module["unit_id"],
                module["year"],
                module["module"],
                module["type"],
            )["view"]
            for entry_type, total in view["data_entry_types_total_items"].items():
                listed = one(
                    connection,
                    "select get_data_entries(%s, %s, %s, %s::text, carbon_project_type => %s) as page",
                    module["unit_id"],
                    module["year"],
                    module["module"],
                    entry_type,
                    module["type"],
                )["page"]
                assert listed["count"] == listed["summary"]["total_items"] == total
                for item in listed["items"]:
                    assert item["carbon_report_module_id"] == module["id"]
                    shown[item["id"]] = item["kg_co2eq"]
    stored = rows(
        carbon,
        "select entry.id, coalesce(sum(kg_co2eq) filter (where emission_type_id in (40000, 60100)), sum(kg_co2eq), 0) "
        "as kg from public.data_entries as entry left join public.data_entry_emissions on data_entry_id = entry.id "
        "group by entry.id",
    )
    assert shown == {row["id"]: pytest.approx(row["kg"]) for row in stored}


def test_what_the_calculator_stored_can_be_sent_again(carbon: URL) -> None:
    """Each stored entry is taken as it is by the check of its type's fields, and nothing of it is lost."""
    with connect(carbon) as connection:
        for entry in rows(carbon, "select id, data_entry_type_id, data from public.data_entries"):
            data = entry["data"]
            if set(data) <= {"building_name", "room_name", "name", "fte", "sius_code", "user_institutional_id"}:
                # Our own small database leaves out what the test there does not need.
                continue
            checked = one(
                connection,
                "select pgreprise.checked_entry_fields(%s, "
                "(select data::jsonb from public.data_entries where id = %s), true) as fields",
                entry["data_entry_type_id"],
                entry["id"],
            )["fields"]
            assert checked == data, entry
