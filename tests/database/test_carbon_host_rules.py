"""The calculator has rules of its own: triggers, constraints and foreign keys. None of its rows is lost in silence."""

from __future__ import annotations

import psycopg
import pytest
from psycopg.types.json import Jsonb

from tests.support.carbon import add_entry, add_report, add_unit, module_id, refusal, snapshot
from tests.support.databases import Connection
from tests.support.statements import one

MEMBERS = "1, 2025, 'headcount', 'student'"
FOOD = Jsonb([{"emission_type_id": 10001, "kg_co2eq": 20}, {"emission_type_id": 30004, "kg_co2eq": 30}])
CREATE = f'select create_data_entry({MEMBERS}, \'{{"fte": 2}}\', \'[{{"emission_type_id": 10001, "kg_co2eq": 2}}]\')'
UPDATE = f"select update_data_entry({MEMBERS}, 1, '{{\"fte\": 2}}')"
DELETE = f"select delete_data_entry({MEMBERS}, 1)"
STATUS = "select set_carbon_module_status(1, 1, 2)"
REFRESH = "select refresh_explore_report(1, 2, 2025, '2099-01-01')"
CONVERT = "select convert_explore_report(2)"


@pytest.fixture(autouse=True)
def rows(sandbox: Connection) -> None:
    """Calculator report 1 with entry 1, and explore report 2 with entry 2, each with an emission of its number."""
    sandbox.execute(
        "alter table public.carbon_reports alter id restart 1; alter table public.data_entries alter id restart 1; "
        "alter table public.data_entry_emissions alter id restart 1; alter table public.units alter id restart 1; "
        "alter table public.carbon_report_modules alter id restart 1"
    )
    unit = add_unit(sandbox)
    for report_type in ("Calculator", "Simulator_Explore"):
        add_entry(sandbox, add_report(sandbox, unit, 2025, report_type), 1, 5, fte=1, data_entry_type_id=2)


# --- triggers that return null ---------------------------------------------------------------

KEPT = [
    ("carbon_projects", "insert", "select create_carbon_project(1, 2)"),
    ("carbon_projects", "insert", CONVERT),
    ("carbon_reports", "insert", "select create_carbon_report(1, 2026)"),
    ("carbon_reports", "insert", "select create_explore_report(1, 2026)"),
    ("carbon_reports", "insert", "select get_or_create_explore_report(1, 2026)"),
    ("carbon_reports", "insert", 'select bulk_upsert_carbon_reports(\'[{"unit_id": 1, "year": 2026}]\')'),
    ("carbon_reports", "insert", REFRESH),
    ("carbon_report_modules", "insert", "select create_carbon_report(1, 2026)"),
    ("data_entries", "insert", CREATE),
    ("data_entries", "update", UPDATE),
    ("data_entries", "delete", DELETE),
    ("data_entry_emissions", "insert", CREATE),
    ("data_entry_emissions", "delete", UPDATE),
    ("data_entry_emissions", "delete", DELETE),
    ("carbon_report_modules", "update", CREATE),
    ("carbon_report_modules", "update", STATUS),
    ("carbon_reports", "update", CREATE),
    ("carbon_reports", "update", CONVERT),
    ("data_entries", "delete", REFRESH),
    ("carbon_report_modules", "delete", REFRESH),
    ("carbon_reports", "delete", REFRESH),
]


@pytest.mark.parametrize(("table", "event", "statement"), KEPT)
def test_a_trigger_that_returns_null_is_noticed(sandbox: Connection, table: str, event: str, statement: str) -> None:
    sandbox.execute("create function public.keep() returns trigger language plpgsql as 'begin return null; end'")
    sandbox.execute(
        f"create trigger kept before {event} on public.{table} for each row execute function public.keep()".encode()
    )
    said = refusal(sandbox, statement)
    assert (said.code, said.detail and said.detail["table"]) == ("RC017", table)
    assert said.message is not None
    assert said.message.startswith(f"A trigger on public.{table} kept ")


def test_a_trigger_that_keeps_out_a_roll_up_is_noticed(sandbox: Connection) -> None:
    sandbox.execute("create function public.keep() returns trigger language plpgsql as 'begin return null; end'")
    sandbox.execute(
        "create trigger kept before insert on public.data_entry_emissions for each row "
        "when (new.emission_type_id = 40000) execute function public.keep()"
    )
    said = refusal(sandbox, f"select update_data_entry({MEMBERS}, 1, emissions => %s)", FOOD)
    assert (said.code, said.message) == (
        "RC017",
        "A trigger on public.data_entry_emissions kept a row from being written. Nothing was changed.",
    )


def test_a_report_that_exists_is_told_as_that_beside_a_trigger_too(sandbox: Connection) -> None:
    sandbox.execute("create function public.let() returns trigger language plpgsql as 'begin return new; end'")
    sandbox.execute(
        "create trigger lets before insert on public.carbon_reports for each row execute function public.let()"
    )
    assert refusal(sandbox, "select create_carbon_report(1, 2025)").code == "RC004"
    assert one(sandbox, "select is_new from get_or_create_explore_report(1, 2025)")["is_new"] is False


# --- triggers and constraints that raise -----------------------------------------------------

RAISES = [
    ("alter table public.data_entry_emissions add constraint known check (kg_co2eq < 2) not valid", "known", CREATE),
    (
        "create table public.factors (id bigint primary key); alter table public.data_entry_emissions "
        "add constraint factor foreign key (primary_factor_id) references public.factors (id)",
        "factor",
        f"select update_data_entry({MEMBERS}, 1, emissions => "
        '\'[{"emission_type_id": 10001, "kg_co2eq": 1, "primary_factor_id": 77}]\')',
    ),
    (
        "create table public.notes (id bigint constraint noted references public.data_entries (id)); "
        "insert into public.notes values (1)",
        "noted",
        DELETE,
    ),
    (
        "create table public.notes (id bigint constraint noted references public.carbon_reports (id)); "
        "insert into public.notes values (2)",
        "noted",
        REFRESH,
    ),
]


@pytest.mark.parametrize(("rule", "constraint", "statement"), RAISES, ids=lambda value: str(value)[:20])
def test_a_rule_of_the_calculator_refuses_a_write_and_nothing_is_changed(
    sandbox: Connection, rule: str, constraint: str, statement: str
) -> None:
    sandbox.execute(rule.encode())
    before = snapshot(sandbox)
    with pytest.raises(psycopg.errors.IntegrityError) as caught, sandbox.transaction():
        sandbox.execute(statement.encode())
    assert caught.value.diag.constraint_name == constraint
    assert snapshot(sandbox) == before


def test_a_name_that_is_longer_than_the_calculators_column_is_refused_by_name(sandbox: Connection) -> None:
    sandbox.execute("alter table public.carbon_projects alter name type varchar(5)")
    said = refusal(sandbox, "select create_carbon_project(1, 2, name => 'Lab\u00f6ra')")
    assert (said.code, said.message) == (
        "RC008",
        "name has 6 characters, and the column public.carbon_projects.name takes 5.",
    )
    sandbox.execute("select create_carbon_project(1, 2, name => 'Lab\u00f6r')")


# --- rows that would go with ours ------------------------------------------------------------

REFERRED = [
    ("data_entries", 1, UPDATE, None),
    ("data_entries", 1, DELETE, "data_entries"),
    ("data_entry_emissions", 1, DELETE, "data_entry_emissions"),
    ("data_entry_emissions", 1, UPDATE, "data_entry_emissions"),
    ("data_entries", 2, REFRESH, "data_entries"),
    ("data_entry_emissions", 2, REFRESH, "data_entry_emissions"),
    ("carbon_report_modules", None, REFRESH, "carbon_report_modules"),
    ("carbon_reports", 2, REFRESH, "carbon_reports"),
]


@pytest.mark.parametrize("action", ["cascade", "set null", "set default"])
@pytest.mark.parametrize(("table", "number", "statement", "refused"), REFERRED)
def test_rows_that_would_be_lost_with_ours_stop_the_deletion(
    sandbox: Connection, table: str, number: int | None, statement: str, refused: str | None, action: str
) -> None:
    sandbox.execute(
        f"create table public.notes (row_id bigint constraint noted references public.{table} (id) "
        f"on delete {action}); grant select on public.notes to pgreprise_owner".encode()
    )
    number = number or module_id(sandbox, 2, 4)
    sandbox.execute("insert into public.notes values (%s)", (number,))
    if refused is None:
        sandbox.execute(statement.encode())
        assert one(sandbox, "select row_id from public.notes")["row_id"] == number
        return

    said = refusal(sandbox, statement)
    assert said.message == (
        f'Rows of public.notes refer to rows of public.{table} that would be deleted, with "on delete {action}" '
        "(constraint noted). They would be lost. Nothing was changed."
    )
    assert (said.code, said.detail) == (
        "RC018",
        {
            "table": "public.notes",
            "constraint": "noted",
            "on_delete": action,
            "deleted_from": f"public.{table}",
        },
    )
    # Rows that refer to others do not matter.
    sandbox.execute("delete from public.notes")
    sandbox.execute(statement.encode())


def test_rows_that_refer_by_several_columns_stop_a_refresh_too(sandbox: Connection) -> None:
    sandbox.execute(
        "create table public.notes (project bigint, year integer, constraint noted foreign key (project, year) "
        "references public.carbon_reports (carbon_project_id, year) on delete cascade); "
        "grant select on public.notes to pgreprise_owner; insert into public.notes "
        "select carbon_project_id, year from public.carbon_reports where id = 1"
    )
    sandbox.execute(REFRESH)
    sandbox.execute("insert into public.notes select carbon_project_id, year from public.carbon_reports where id > 1")
    fresh = one(sandbox, "select max(id) as id from public.carbon_reports")["id"]
    again = f"select refresh_explore_report(1, {fresh}, 2025, '2199-01-01')"
    assert refusal(sandbox, again).code == "RC018"


def test_entries_that_refer_to_entries_stop_the_deletion_unless_both_go(sandbox: Connection) -> None:
    sandbox.execute(
        "alter table public.data_entries add copy_of bigint references public.data_entries (id) on delete cascade"
    )
    copy = add_entry(sandbox, 2, 1)
    sandbox.execute("update public.data_entries set copy_of = 2 where id = %s", (copy,))
    with sandbox.transaction(force_rollback=True):
        assert len(sandbox.execute(REFRESH).fetchall()) == 1
    sandbox.execute("update public.data_entries set copy_of = 2 where id = 1")
    assert refusal(sandbox, REFRESH).code == "RC018"


def test_rows_that_cannot_be_seen_stop_the_deletion_and_the_hint_says_how_they_can(sandbox: Connection) -> None:
    sandbox.execute(
        "create table public.notes (row_id bigint constraint noted references public.data_entries (id) "
        "on delete cascade)"
    )
    said = refusal(sandbox, DELETE)
    assert (said.code, said.hint) == (
        "RC018",
        "Let its owner run: grant select on public.notes to pgreprise_owner;",
    )
    sandbox.execute("grant select on public.notes to pgreprise_owner")
    sandbox.execute("alter table public.notes enable row level security")
    assert refusal(sandbox, DELETE).code == "RC018"
    sandbox.execute("alter table public.notes disable row level security")
    sandbox.execute(DELETE)


def test_the_calculators_own_cascade_from_entries_to_emissions_does_not_stop_a_deletion(sandbox: Connection) -> None:
    sandbox.execute(
        "alter table public.data_entry_emissions drop constraint data_entry_emissions_data_entry_id_fkey, "
        "add foreign key (data_entry_id) references public.data_entries (id) on delete cascade"
    )
    sandbox.execute(DELETE)
    assert len(sandbox.execute(REFRESH).fetchall()) == 1
    assert snapshot(sandbox)["data_entry_emissions"] == []


# --- sequences -------------------------------------------------------------------------------

EMIT = f'select update_data_entry({MEMBERS}, 1, emissions => \'[{{"emission_type_id": 10001, "kg_co2eq": 2}}]\')'
TAKEN = [
    ("carbon_projects", "select create_carbon_project(1, 2)"),
    ("carbon_projects", CONVERT),
    ("carbon_reports", "select create_carbon_report(1, 2026)"),
    ("carbon_reports", "select create_explore_report(1, 2026)"),
    ("carbon_reports", "select get_or_create_explore_report(1, 2026)"),
    ("carbon_reports", 'select bulk_upsert_carbon_reports(\'[{"unit_id": 1, "year": 2026}]\')'),
    ("carbon_reports", REFRESH),
    ("carbon_report_modules", "select create_carbon_report(1, 2026)"),
    ("data_entries", CREATE),
    ("data_entry_emissions", CREATE),
    ("data_entry_emissions", EMIT),
]


@pytest.mark.parametrize(("table", "call"), TAKEN)
def test_a_sequence_that_is_behind_is_told_with_the_statement_to_type(
    sandbox: Connection, table: str, call: str
) -> None:
    sequence = f"public.{table}_id_seq"
    # An update of the entry deletes the first emission before.
    number = "max(id)" if call == EMIT else "min(id)"
    sandbox.execute(f"select setval('{sequence}', {number}, false) from public.{table}".encode())  # noqa: S608
    before = snapshot(sandbox)
    said = refusal(sandbox, call)
    assert (said.code, said.message) == (
        "RC019",
        f"The next id of table public.{table} is taken: its sequence is behind, as after a restore. "
        "Nothing was changed.",
    )
    statement = f"select setval('{sequence}', (select max(id) from public.{table}));"  # noqa: S608
    assert said.hint == f"The owner of the table types: {statement}"
    assert snapshot(sandbox) == before


def test_another_key_that_is_taken_is_told_as_it_is(sandbox: Connection) -> None:
    sandbox.execute("create unique index one_entry on public.data_entries (carbon_report_module_id)")
    with pytest.raises(psycopg.errors.UniqueViolation, match="one_entry"):
        sandbox.execute(CREATE.encode())
