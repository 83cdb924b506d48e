"""A DBA installs pgreprise in the carbon calculator's database, works beside the calculator, and takes it out again."""

from __future__ import annotations

import pytest
from sqlalchemy import URL

from pyapi.schema import migrate
from tests.support.databases import connect, engine, rows
from tests.support.dumps import dump, public
from tests.support.refusals import detail, problems, refused_with
from tests.support.statements import one

pytestmark = pytest.mark.needs("time")

COLUMNS = (
    "select attrelid::regclass::text || '.' || attname as name, format_type(atttypid, atttypmod) as type, attnotnull, "
    "pg_get_expr(adbin, adrelid) as given from pg_attribute "
    "join pg_class on pg_class.oid = attrelid and relkind = 'r' and relnamespace = 'public'::regnamespace "
    "left join pg_attrdef on adrelid = attrelid and adnum = attnum where attnum > 0 and not attisdropped order by 1"
)
CONSTRAINTS = (
    "select conname as name, pg_get_constraintdef(oid) as definition from pg_constraint "
    "where conrelid in (select oid from pg_class where relnamespace = 'public'::regnamespace) order by 1, 2"
)


@pytest.mark.parametrize("revision", ["carbon@head", "heads"])
def test_a_downgrade_gives_the_tables_back_to_the_byte(untouched_carbon: URL, revision: str) -> None:
    before = public(untouched_carbon)
    migrate.upgrade(engine(untouched_carbon), revision)
    assert public(untouched_carbon)[0] != before[0]
    migrate.downgrade(engine(untouched_carbon), "base")
    assert public(untouched_carbon) == before


def test_adoption_changes_no_row_no_column_and_no_constraint(untouched_carbon: URL) -> None:
    columns, constraints = (rows(untouched_carbon, query) for query in (COLUMNS, CONSTRAINTS))
    content = public(untouched_carbon)[1]
    migrate.upgrade(engine(untouched_carbon), "carbon@head")
    assert public(untouched_carbon)[1] == content
    assert rows(untouched_carbon, COLUMNS) == columns
    assert rows(untouched_carbon, CONSTRAINTS) == constraints


def test_reading_changes_no_row(carbon: URL) -> None:
    content = public(carbon)[1]
    with connect(carbon) as connection:
        for report in rows(carbon, "select id, unit_id, year from public.carbon_reports"):
            for statement in (
                "select get_carbon_report(%(id)s)",
                "select get_carbon_report_modules(%(id)s)",
                "select get_validated_totals(%(id)s)",
                "select get_carbon_reports(%(unit_id)s)",
                "select get_explore_report(report.unit_id, report.year) from public.carbon_reports as report "
                "join public.carbon_projects as project on project.id = report.carbon_project_id "
                "and project.carbon_report_type = 'Simulator_Explore' where report.id = %(id)s",
                "select get_carbon_module(%(unit_id)s, %(year)s, 'headcount')",
            ):
                connection.execute(statement.encode(), report)
    assert public(carbon)[1] == content


@pytest.fixture
def unit(carbon: URL) -> int:
    """A unit that has neither projects nor reports yet."""
    [last] = rows(carbon, "select max(id) as id from public.units")
    with connect(carbon) as connection:
        connection.execute(
            "insert into public.units (id, provider, institutional_code, institutional_id, name, level, is_active) "
            "values (%s, 'DEFAULT', '999', '0999', 'NEW', 4, true)",
            (last["id"] + 1,),
        )
    return int(last["id"]) + 1


def test_every_kind_of_report_of_a_new_unit_can_be_created(carbon: URL, unit: int) -> None:
    with connect(carbon) as connection:
        for statement in (
            "select create_carbon_report(%(unit)s, 2025)",
            "select create_explore_report(%(unit)s, 2025, '2026-01-01')",
            "select create_carbon_project(%(unit)s, 2)",
            "select bulk_upsert_carbon_reports(jsonb_build_array(jsonb_build_object('unit_id', %(unit)s::int, "
            "'year', 2026)))",
        ):
            assert connection.execute(statement.encode(), {"unit": unit}).rowcount == 1, statement
        # As the calculator leaves them: the JSON value null.
        assert one(
            connection,
            "select count(*) filter (where stats::text = 'null') as nulls, count(*) as rows "
            "from public.carbon_report_modules where carbon_report_id in "
            "(select id from public.carbon_reports where unit_id = %s)",
            unit,
        ) == {"nulls": 24, "rows": 24}
        stale = one(
            connection,
            "select (found.stored).id as id, is_stale from get_explore_report(%s, 2025, '2026-01-03') as found",
            unit,
        )
        assert stale["is_stale"]
        fresh = one(connection, "select * from refresh_explore_report(%s, %s, 2025, '2026-01-03')", unit, stale["id"])
        assert fresh["id"] != stale["id"]


def test_an_entry_is_written_as_the_calculator_writes_it(carbon: URL, unit: int) -> None:
    with connect(carbon) as connection:
        connection.execute("set time zone 'Asia/Tokyo'")
        connection.execute("select create_carbon_report(%s, 2025)", (unit,))
        created = one(
            connection,
            """select * from create_data_entry(%s, 2025, 'headcount', 'member',
               '{"name": "Somebody", "sius_code": "51", "fte": 0.5}',
               '[{"emission_type_id": 10001, "kg_co2eq": 20, "additional_value": 16, "primary_factor_id": 1},
                 {"emission_type_id": 30004, "kg_co2eq": 30.5}]',
               as_of => '2026-02-03 04:05:06+00')""",
            unit,
        )
        entry = one(connection, "select * from public.data_entries where id = %s", created["id"])
        assert (entry["status"], str(entry["created_at"]), str(entry["updated_at"])) == (
            "PENDING",
            "2026-02-03 04:05:06",
            "2026-02-03 04:05:06",
        )
        emissions = connection.execute(
            "select emission_type_id, kg_co2eq, additional_value, primary_factor_id, scope, meta::text as meta, "
            "computed_at = '2026-02-03 04:05:06+00' as is_now from public.data_entry_emissions "
            "where data_entry_id = %s order by id",
            (created["id"],),
        ).fetchall()
        assert [tuple(row.values()) for row in emissions] == [
            (10001, 20.0, 16.0, 1, 3, "{}", True),
            (30004, 30.5, None, None, 3, "{}", True),
            (40000, 50.5, None, 1, None, '{"is_rollup": true}', True),
        ]
        module = one(
            connection,
            "select status, stats from public.carbon_report_modules where id = %s",
            entry["carbon_report_module_id"],
        )
        assert module["status"] == 1
        assert module["stats"] == {
            "scope1": 0,
            "scope2": 0,
            "scope3": 50.5,
            "total": 50.5,
            "by_emission_type": {"10001": 20, "30004": 30.5, "10000": 20, "30000": 30.5},
            "by_additional_value": {"10001": 16, "10000": 16},
            "computed_at": "2026-02-03T04:05:06.000000+00:00",
            "entry_count": 1,
        }


DIFFERENT = """
alter table public.units enable row level security;
alter table public.units drop column institutional_id;
alter table public.carbon_projects add column tenant int;
update public.carbon_projects set tenant = 1;
alter table public.carbon_projects alter column tenant set not null;
alter table public.carbon_reports alter column year type text;
alter table public.carbon_reports alter column unit_id drop not null;
alter table public.carbon_reports alter column completion_progress type varchar(2) using null;
alter table public.carbon_report_modules drop constraint uq_carbon_report_module;
alter table public.data_entries alter column created_at type timestamptz;
alter table public.data_entry_emissions alter column kg_co2eq type numeric;
alter table public.data_entry_emissions add column checked_by text not null default '';
alter table public.data_entry_emissions alter column checked_by drop default;
alter type public.carbon_report_type_enum rename value 'Simulator_Plan' to 'Plan';
"""


def test_every_difference_is_listed_at_once_and_nothing_is_changed(untouched_carbon: URL) -> None:
    with connect(untouched_carbon) as connection:
        connection.execute(DIFFERENT)
    before = dump(untouched_carbon)
    with refused_with("55000", ": 11 obstacles") as refused:
        migrate.upgrade(engine(untouched_carbon))
    assert problems(refused.value) == [
        "public.carbon_projects: column tenant must be given for a new row and has no default",
        "public.carbon_report_modules: no unique index has exactly the columns "
        "(carbon_report_id, module_type_id): add unique (carbon_report_id, module_type_id)",
        "public.carbon_report_type_enum: type lacks the value Simulator_Plan",
        "public.carbon_reports: column completion_progress is character varying(2); usable: character varying, text, "
        "of length 3 or more",
        "public.carbon_reports: column year is text; usable: smallint, integer, bigint",
        "public.carbon_reports: column unit_id may be null (alter column unit_id set not null)",
        "public.data_entries: column created_at is timestamp with time zone; usable: timestamp without time zone",
        "public.data_entry_emissions: column kg_co2eq is numeric; usable: double precision",
        "public.data_entry_emissions: column checked_by must be given for a new row and has no default",
        "public.units: has row level security, which would hide rows from the routines",
        "public.units: column institutional_id is missing (text)",
    ]
    assert dump(untouched_carbon) == before
    with connect(untouched_carbon) as connection:
        connection.execute(detail(refused.value).encode())
    migrate.upgrade(engine(untouched_carbon), "carbon@head")
