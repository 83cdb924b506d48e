"""Somebody altered what pgreprise made, or what it needs of the application: the doctor names it, and its remedy helps.

Each change is made in a transaction that is rolled back, so that all of them share one database.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import suppress

import psycopg
import pytest

from pyapi.doctor import Finding, host, installation, privileges, tables
from pyapi.schema.files import sql_folder
from tests.support.databases import Connection
from tests.support.factories import add_simulation

pytestmark = pytest.mark.needs("time")

Look = Callable[[], list[Finding]]


@pytest.fixture(scope="module")
def migrations_sql() -> str:
    """The text of the migrations."""
    return installation.migrations_sql(["carbon@head", "reports@head"])


@pytest.fixture
def unsaved(shared_connection: Connection) -> Iterator[Connection]:
    """A superuser's session whose changes, roles included, go with the test."""
    shared_connection.execute("begin")
    shared_connection.execute("create role doctor_s")
    yield shared_connection
    shared_connection.execute("rollback")


@pytest.fixture
def look(unsaved: Connection, migrations_sql: str) -> Look:
    """Looks for what is wrong with the installation, without a look at rows."""

    def altered() -> list[Finding]:
        try:
            return [*tables.altered_tables(unsaved, migrations_sql)]
        except psycopg.errors.UndefinedTable as error:
            # The archive is made after reform_impact. The command tells that it could not compare.
            return [Finding("tables", "problem", str(error), "Solve the other problems first.")]

    return lambda: [
        finding
        for finding in (
            *altered(),
            *installation.missing_indexes(unsaved, migrations_sql),
            *privileges.wrong_rights(unsaved),
            *host.missing_tables(unsaved, "reports"),
            *host.unfit_tables(unsaved, "reports"),
            *host.missing_tables(unsaved, "carbon"),
            *host.unfit_tables(unsaved, "carbon"),
        )
        if finding.severity == "problem"
    ]


def put_right(connection: Connection, remedy: str) -> None:
    """Do what a remedy says."""
    statements = re.sub(r"^Restore [\w ]+\. To [\w ]+: |^Restore [\w ]+ after: |^Drop [\w ]+: ", "", remedy)
    for step in statements.split("then: "):
        if step.startswith("pgreprise psql -f "):
            path = step.removeprefix("pgreprise psql -f ").rstrip(", ")
            connection.execute((sql_folder().parent / path).read_bytes())
        else:
            # A test's transaction cannot build one concurrently.
            connection.execute(step.replace(" concurrently", "").encode())


# Changes that do not get into each other's way, made together.
TOGETHER: dict[str, list[tuple[str, str]]] = {
    "what is beside ours": [
        ("create table pgreprise.mine (id int generated always as identity)", "The table pgreprise.mine is in the sch"),
        ("create table pgreprise.parts (id int) partition by list (id)", "The table pgreprise.parts is in the schema"),
        ("create view pgreprise.seen as select 1 as one", "The view pgreprise.seen is in the schema of pgreprise"),
        ("create materialized view pgreprise.kept as select 1 as one", "The materialized view pgreprise.kept is in"),
        ("create sequence pgreprise.count", "The sequence pgreprise.count is in the schema of pgreprise"),
        ("create type pgreprise.pair as (a int, b int)", "The type pgreprise.pair is in the schema of pgreprise"),
        ("create type pgreprise.mood as enum ('good')", "The type pgreprise.mood is in the schema of pgreprise"),
        ("create domain pgreprise.small as int", "The type pgreprise.small is in the schema of pgreprise"),
        ("create type pgreprise.span as range (subtype = int)", "The type pgreprise.span is in the schema"),
        (
            "create function pgreprise.door(text) returns int language sql security definer as 'select 1'",
            "The function pgreprise.door(pg_catalog.text) is in the schema of pgreprise, which did not make it.",
        ),
        (
            "create procedure pgreprise.step() language sql as 'select 1'",
            "The procedure pgreprise.step() is in the schema of pgreprise, which did not make it.",
        ),
        (
            "create aggregate pgreprise.total(int) (sfunc = int4pl, stype = int)",
            "The aggregate pgreprise.total(integer) is in the schema of pgreprise, which did not make it.",
        ),
    ],
    "tables and types of ours": [
        ("alter table pgreprise.rerun add column mine text", "Table pgreprise.rerun has a column mine"),
        ("alter table pgreprise.rerun drop column role_setting", "Table pgreprise.rerun lacks column role_setting"),
        (
            "alter table pgreprise.report_run alter column output type jsonb using output::jsonb",
            "Table pgreprise.report_run has column output of type jsonb, and it must be json",
        ),
        (
            "alter table pgreprise.report_run alter column status drop not null",
            "Table pgreprise.report_run has column status that may be null",
        ),
        (
            "alter table pgreprise.report_run alter column error_message set not null",
            "Table pgreprise.report_run has column error_message that must not be null",
        ),
        (
            "alter table pgreprise.rerun alter column actor set default 'me'",
            "Table pgreprise.rerun has the default 'me'::text of column actor, and it must be pgreprise.actor()",
        ),
        (
            "alter table pgreprise.rerun alter column created_at drop default",
            "Table pgreprise.rerun has the default null of column created_at, and it must be now()",
        ),
        ("alter table pgreprise.rerun drop constraint rerun_kind_check", "lacks constraint rerun_kind_check"),
        ("alter table pgreprise.rerun add constraint mine check (rerun_id > 0)", "has a constraint mine"),
        (
            "alter table pgreprise.carbon_emission_category drop constraint carbon_emission_category_module",
            "lacks constraint carbon_emission_category_module",
        ),
        (
            "alter table pgreprise.rerun_key drop constraint rerun_key_pkey",
            "Index rerun_key_pkey on pgreprise.rerun_key is missing",
        ),
        ("create unique index mine on pgreprise.rerun (actor)", "has a unique index mine"),
        (
            "drop index pgreprise.rerun_batch_id; create index rerun_batch_id on pgreprise.rerun (batch_id)",
            "Index rerun_batch_id on pgreprise.rerun has another definition",
        ),
        ("alter table pgreprise.imported_row set unlogged", "Table pgreprise.imported_row is unlogged"),
        ("drop table pgreprise.host_run", "Table pgreprise.host_run is missing"),
        ("drop table pgreprise.carbon_role_right", "Table pgreprise.carbon_role_right is missing"),
        (
            "alter table pgreprise.carbon_emission_type disable trigger all",
            "Table pgreprise.carbon_emission_type has a disabled trigger of a foreign key",
        ),
        (
            "create trigger mine after update on pgreprise.rerun execute function suppress_redundant_updates_trigger()",
            "Table pgreprise.rerun has a trigger mine",
        ),
        (
            "create rule mine as on delete to pgreprise.rerun do instead nothing",
            "Table pgreprise.rerun has a rule mine",
        ),
        ("alter type pgreprise.cache_key add attribute mine text", "Type pgreprise.cache_key has other attributes"),
        (
            "alter table public.simulations drop column run_sequence",
            "Table public.simulations lacks column run_sequence",
        ),
        (
            "alter table public.report_outputs alter column run_sequence type text",
            "Table public.report_outputs has column run_sequence of type text, and it must be integer",
        ),
    ],
    "tables of the application": [
        (
            "alter table report_outputs alter column status type varchar(5)",
            "public.report_outputs: column status is character varying(5); usable",
        ),
        (
            "alter table reform_impact alter column region type integer using 1",
            "public.reform_impact: column region is integer; usable: character varying, text",
        ),
        ("alter table simulations alter column status drop not null", "public.simulations: column status may be null"),
        (
            "alter table simulations add column mine text not null",
            "public.simulations: column mine must be given for a new row and has no default",
        ),
        (
            "alter table simulations drop constraint simulations_pkey",
            "public.simulations: no unique index has exactly the columns (id)",
        ),
        ("alter table data_entries drop column data", "public.data_entries: column data is missing"),
    ],
    "row-level security": [
        ("alter table simulations enable row level security", "Row-level security of public.simulations hides rows"),
        (
            "alter table carbon_reports enable row level security",
            "Row-level security of public.carbon_reports hides rows",
        ),
        ("alter table pgreprise.rerun enable row level security", "Row-level security of pgreprise.rerun hides rows"),
        (
            "alter table simulations enable row level security, force row level security;"
            "create policy a_few on simulations to pgreprise_owner using (id < 5)",
            "Row-level security of public.simulations hides rows",
        ),
    ],
    "rights of ours": [
        ("revoke usage on schema pgreprise from pgreprise_owner", "pgreprise_owner may not use schema pgreprise"),
        ("revoke create on schema public from pgreprise_owner", "pgreprise_owner may not create in schema public"),
        ("revoke usage on schema pgreprise from pgreprise_api", "pgreprise_api may not use schema pgreprise"),
        (
            "revoke select, update on simulations from pgreprise_owner",
            "pgreprise_owner lacks select, update on table public.simulations",
        ),
        (
            "revoke all on sequence simulations_id_seq from pgreprise_owner",
            "pgreprise_owner lacks usage on sequence public.simulations_id_seq",
        ),
        (
            "revoke insert on carbon_reports from pgreprise_owner",
            "pgreprise_owner lacks insert on table public.carbon_reports",
        ),
        (
            "revoke update on pgreprise.rerun from pgreprise_owner",
            "pgreprise_owner lacks update on table pgreprise.rerun",
        ),
        (
            "revoke all on sequence pgreprise.rerun_rerun_id_seq from pgreprise_owner",
            "pgreprise_owner lacks usage on sequence pgreprise.rerun_rerun_id_seq",
        ),
        ("grant delete on pgreprise.rerun to pgreprise_owner", "pgreprise_owner holds delete on table pgreprise.rerun"),
        (
            "grant truncate on simulations to pgreprise_owner",
            "pgreprise_owner holds references (id), truncate on table public.simulations",
        ),
        (
            "grant references (id) on simulations to pgreprise_owner",
            "pgreprise_owner holds references (id), truncate on table public.simulations",
        ),
    ],
    "rights of others": [
        (
            "grant select on pgreprise.report_run to doctor_s",
            "doctor_s holds select, select (output) on table pgreprise.report_run",
        ),
        (
            "grant select (output) on pgreprise.report_run to doctor_s",
            "doctor_s holds select, select (output) on table pgreprise.report_run",
        ),
        ("grant usage on schema pgreprise to doctor_s", "doctor_s holds usage on schema pgreprise"),
        (
            "grant usage on sequence pgreprise.rerun_rerun_id_seq to pgreprise_dba",
            "pgreprise_dba holds usage on sequence pgreprise.rerun_rerun_id_seq",
        ),
        ("grant usage on type pgreprise.report_row to public", "PUBLIC holds usage on type pgreprise.report_row"),
        (
            "grant execute on procedure rerun_report to doctor_s with grant option; create role doctor_t;"
            "set role doctor_s; grant execute on procedure rerun_report to doctor_t; reset role",
            "doctor_s holds execute on procedure rerun_report(bigint,text,text,text,text,jsonb)",
        ),
    ],
    "owners": [
        ("alter table pgreprise.rerun owner to doctor_s", "Table pgreprise.rerun belongs to doctor_s"),
        ("alter schema pgreprise owner to doctor_s", "Schema pgreprise belongs to doctor_s"),
        ("alter type pgreprise.cache_key owner to doctor_s", "Type pgreprise.cache_key belongs to doctor_s"),
        ("alter function get_report owner to doctor_s", "get_report(bigint,text,text[]) belongs to doctor_s"),
    ],
    "publications": [
        (
            "create unique index mine on report_outputs (id);"
            "alter table report_outputs replica identity using index mine;"
            "drop index mine; create publication mine_1 for table report_outputs",
            "Reruns are refused on public.report_outputs",
        ),
        (
            "alter table pgreprise.rerun replica identity nothing; create publication mine_2 for table pgreprise.rerun",
            "Reruns are refused on pgreprise.rerun",
        ),
        (
            "create publication mine_3 for table reform_impact (country_id)",
            "Reruns are refused on public.reform_impact",
        ),
    ],
}
# Those that would hide others.
ALONE = [
    ("alter table pgreprise.rerun drop column kind", "Table pgreprise.rerun lacks column kind"),
    (
        "alter table pgreprise.rerun alter column economy_cache_rows_deleted drop expression",
        "Table pgreprise.rerun has column economy_cache_rows_deleted generated in another way",
    ),
    ("alter table pgreprise.rerun drop column rerun_id cascade", "Table pgreprise.rerun lacks column rerun_id"),
    (
        "alter table pgreprise.rerun rename column actor to who",
        "Table pgreprise.rerun has a column who that pgreprise did not make",
    ),
    (
        "alter table pgreprise.country alter column position drop identity",
        "Table pgreprise.country has column position generated in another way",
    ),
    (
        "alter table pgreprise.rerun drop constraint rerun_kind_check, add constraint rerun_kind_check check (true)",
        "has constraint rerun_kind_check with another definition: CHECK (true)",
    ),
    ("alter table simulations drop column error_message", "public.simulations: column error_message is missing (text)"),
    (
        "alter table report_outputs drop column id cascade",
        "The routines cannot work on public.report_outputs: column id is missing",
    ),
    ("drop table reform_impact", "Table public.reform_impact does not exist"),
    ("drop table reform_impact, simulations, report_outputs", "Table public.simulations does not exist"),
    ("drop table units cascade", "Table public.units does not exist"),
    (
        "alter table simulations enable row level security; create policy every on simulations using (true);"
        "create policy fewer on simulations as restrictive using (id < 5)",
        "Row-level security of public.simulations hides rows",
    ),
    ("grant usage on schema pgreprise to public", "PUBLIC holds usage on schema pgreprise"),
    ("alter role pgreprise_reader rename to doctor_r", "Role pgreprise_reader does not exist"),
    (
        "alter table simulations drop constraint simulations_pkey; create publication mine for all tables",
        "Reruns are refused on public.simulations, because of what publication mine publishes",
    ),
    (
        "create publication mine_4 for table reform_impact where (country_id = 'us')",
        "Reruns are refused on public.reform_impact",
    ),
]


def test_a_role_that_may_call_one_entry_point_is_a_note_and_one_that_may_call_an_internal_a_problem(
    unsaved: Connection,
) -> None:
    unsaved.execute("grant execute on function set_cache_versions, pgreprise.report_defect to doctor_s")
    found = {finding.message.split("(")[0]: finding for finding in privileges.wrong_rights(unsaved)}
    assert {message: finding.severity for message, finding in found.items()} == {
        "doctor_s holds execute on function set_cache_versions": "note",
        "doctor_s holds execute on function pgreprise.report_defect": "problem",
    }


def test_nothing_differs_in_an_installation_that_nobody_touched(look: Look) -> None:
    assert look() == []


def test_a_missing_column_comes_back_though_the_table_has_rows(unsaved: Connection, look: Look) -> None:
    add_simulation(unsaved)
    unsaved.execute("alter table simulations drop column status")
    [finding] = look()
    put_right(unsaved, finding.remedy)
    unsaved.execute("update simulations set status = 'complete'")
    [finding] = look()
    assert "public.simulations: column status may be null" in finding.message
    put_right(unsaved, finding.remedy)
    assert look() == []


def test_who_does_not_own_the_applications_tables_is_told_that_the_next_migration_is_refused(
    unsaved: Connection,
) -> None:
    unsaved.execute("alter table simulations owner to doctor_s; grant pgreprise_owner to doctor_s; set role doctor_s")
    found = [finding for finding in host.unfit_tables(unsaved, "reports") if "simulations" not in finding.message]
    assert {finding.severity for finding in found} == {"note"}
    assert found[0].message.startswith(
        "The next migration would be refused: public.reform_impact: role doctor_s does not own the table"
    )


def test_a_publication_that_refuses_nothing_is_no_difference(unsaved: Connection, look: Look) -> None:
    unsaved.execute("create publication mine for all tables")
    unsaved.execute("create publication inserted for table simulations (country_id) with (publish = 'insert')")
    assert look() == []


@pytest.mark.parametrize("changes", [*TOGETHER.values(), *([alone] for alone in ALONE)], ids=[*TOGETHER, *dict(ALONE)])
def test_what_somebody_changed_is_named_and_the_remedies_put_it_right(
    unsaved: Connection, look: Look, changes: list[tuple[str, str]]
) -> None:
    for change, _ in changes:
        unsaved.execute(change.encode())
    found = look()
    messages = [finding.message for finding in found]
    assert [message for _, message in changes if not any(message in named for named in messages)] == []
    # A remedy may bring up the next problem: a column that is back lacks its index.
    for _ in range(6):
        for finding in found:
            # One may have been done by another, or have to wait for it.
            with suppress(psycopg.Error), unsaved.transaction():
                put_right(unsaved, finding.remedy)
        if not (found := look()):
            break
    assert found == []
