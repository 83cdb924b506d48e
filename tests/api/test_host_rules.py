"""What the host's triggers and constraints say is a 409 with their words, and never a fault of pgreprise."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest
from flask.testing import FlaskClient
from sqlalchemy import URL

from pyapi.api.reports import Touched
from tests.support.databases import Connection, connect
from tests.support.factories import add_economy_report, add_reform_impact, add_report, add_simulation, set_versions
from tests.support.replies import refused, succeeded
from tests.support.snapshots import snapshot


@pytest.fixture(scope="module")
def hosts_connection(shared_database: URL) -> Iterator[Connection]:
    with connect(shared_database) as connection:
        set_versions(connection)
        add_report(connection, add_simulation(connection, population_type="household"))
        yield connection


@pytest.fixture
def host(hosts_connection: Connection) -> Connection:
    """The host's own connection; report 1 is a household report, which is complete."""
    hosts_connection.execute(
        """update public.report_outputs set status = 'complete', output = '{"secret": 1}' where id = 1"""
    )
    return hosts_connection


def trigger(body: str, kind: str = "before update", rest: str = "", declare: str = "") -> tuple[str, str]:
    """A trigger on report_outputs, and how it goes away."""
    constraint = "constraint " if "deferr" in rest else ""
    return (
        f"create function public.hosts() returns trigger language plpgsql as $$ {declare} begin {body} "
        "return new; end $$; "
        f"create {constraint}trigger hosts {kind} on public.report_outputs {rest} for each row "
        "execute function public.hosts()",
        "drop function public.hosts() cascade",
    )


def raised(code: str) -> tuple[str, str]:
    return trigger(f"raise exception using errcode = '{code}', message = 'not on Sundays', detail = 'secret';")


def constraint(definition: str) -> tuple[str, str]:
    return (
        f"alter table public.report_outputs add constraint kept {definition}",
        "alter table public.report_outputs drop constraint kept",
    )


DEFERRED = "deferrable initially deferred"
CHILD = "create table public.notes (code varchar(255) references public.report_outputs (status))"
RULES: dict[str, tuple[tuple[str, str], str, str]] = {
    **{
        f"a trigger that raises {code}": (raised(code), code, "The database has a rule against this: not on Sundays")
        for code in (
            "P0001",
            "23502",
            "23503",
            "23505",
            "23514",
            "23P01",
            "HO001",
            "RR001",
            "RC002",
            "22001",
            "22P02",
            "57014",
            "53100",
            "08006",
            "XX000",
            "P0004",
            "22012",
        )
    },
    **{
        f"a trigger that raises {code}": (raised(code), code, "A trigger of the database failed: not on Sundays")
        for code in ("42883", "42P01", "42703", "42501")
    },
    "a function that a trigger lacks": (
        trigger("perform public.lost(1);"),
        "42883",
        "A trigger of the database failed: function public.lost(integer) does not exist",
    ),
    "a table that a trigger lacks": (
        trigger("perform from public.lost;"),
        "42P01",
        'A trigger of the database failed: relation "public.lost" does not exist',
    ),
    "a schema that a trigger lacks": (
        trigger("perform lost.lost();"),
        "3F000",
        'A trigger of the database failed: schema "lost" does not exist',
    ),
    "a type that a trigger lacks": (
        trigger("perform null::public.lost;"),
        "42704",
        'A trigger of the database failed: type "public.lost" does not exist',
    ),
    "a field that a trigger lacks": (
        trigger("new.lost := 1;"),
        "42703",
        'A trigger of the database failed: record "new" has no field "lost"',
    ),
    "a table that a trigger may not read": (
        (
            f"create table public.audit (id int); {trigger('insert into public.audit values (1);')[0]}",  # noqa: S608
            f"{trigger('')[1]}; drop table public.audit",
        ),
        "42501",
        "A trigger of the database failed: permission denied for table audit",
    ),
    "a text that is too long for the host's own table": (
        (
            "create table public.audit (word varchar(2)); grant insert on public.audit to public; "  # noqa: S608
            + trigger("insert into public.audit values ('secret');")[0],
            f"{trigger('')[1]}; drop table public.audit",
        ),
        "22001",
        "The database has a rule against this: value too long for type character varying(2)",
    ),
    "a constraint trigger at the end of the transaction": (
        trigger("raise 'not on Sundays';", "after update", DEFERRED),
        "P0001",
        "The database has a rule against this: not on Sundays",
    ),
    "a table that a trigger at the end of the transaction lacks": (
        trigger("perform from public.lost;", "after update", DEFERRED),
        "42P01",
        'A trigger of the database failed: relation "public.lost" does not exist',
    ),
    "a statement trigger": (
        (
            trigger("raise 'not on Sundays';")[0].replace("for each row", "for each statement"),
            trigger("")[1],
        ),
        "P0001",
        "The database has a rule against this: not on Sundays",
    ),
    "a check": (
        constraint("check (status <> 'pending')"),
        "23514",
        'The database has a rule against this: new row for relation "report_outputs" violates check constraint "kept"',
    ),
    "a check of a function in SQL": (
        (
            "create function public.checked(text) returns boolean language sql volatile as "
            "$$ select case $1 when 'pending' then 1 / (length($1) - 7) = 0 else true end $$; "
            + constraint("check (public.checked(status))")[0],
            f"{constraint('')[1]}; drop function public.checked",
        ),
        "22012",
        "The database has a rule against this: division by zero",
    ),
    "a not null": (
        (
            "alter table public.report_outputs alter output set not null",
            "alter table public.report_outputs alter output drop not null",
        ),
        "23502",
        'The database has a rule against this: null value in column "output" of relation "report_outputs" violates '
        "not-null constraint",
    ),
    "a unique": (
        (
            "insert into public.report_outputs (country_id, simulation_1_id, api_version, status, year) "
            "values ('us', 7, '1', 'pending', '2025'); " + constraint("unique (status)")[0],
            f"{constraint('')[1]}; delete from public.report_outputs where simulation_1_id = 7",  # noqa: S608
        ),
        "23505",
        'The database has a rule against this: duplicate key value violates unique constraint "kept"',
    ),
    "a foreign key": (
        (
            "create table public.states (name varchar(255) primary key); "  # noqa: S608
            "insert into public.states values ('complete'), ('error'); "
            + constraint("foreign key (status) references public.states (name)")[0],
            f"{constraint('')[1]}; drop table public.states",
        ),
        "23503",
        'The database has a rule against this: insert or update on table "report_outputs" violates foreign key '
        'constraint "kept"',
    ),
    "a foreign key at the end of the transaction": (
        (
            "create table public.states (name varchar(255) primary key); "  # noqa: S608
            "insert into public.states values ('complete'), ('error'); "
            + constraint(f"foreign key (status) references public.states (name) {DEFERRED}")[0],
            f"{constraint('')[1]}; drop table public.states",
        ),
        "23503",
        'The database has a rule against this: insert or update on table "report_outputs" violates foreign key '
        'constraint "kept"',
    ),
    "an exclusion": (
        (
            "insert into public.report_outputs (country_id, simulation_1_id, api_version, status, year) "
            "values ('us', 7, '1', 'pending', '2025'); " + constraint("exclude using btree (status with =)")[0],
            f"{constraint('')[1]}; delete from public.report_outputs where simulation_1_id = 7",  # noqa: S608
        ),
        "23P01",
        'The database has a rule against this: conflicting key value violates exclusion constraint "kept"',
    ),
    "a row that refers to it": (
        (
            "alter table public.report_outputs add constraint named unique (status); "  # noqa: S608
            f"{CHILD}; insert into public.notes values ('complete')",
            "drop table public.notes; alter table public.report_outputs drop constraint named",
        ),
        "23503",
        'The database has a rule against this: update or delete on table "report_outputs" violates foreign key '
        'constraint "notes_code_fkey" on table "notes"',
    ),
    "a domain": (
        (
            "create domain public.state as varchar(255) constraint kept check (value <> 'pending'); "
            "alter table public.report_outputs alter status type public.state",
            "alter table public.report_outputs alter status type varchar(32); drop domain public.state",
        ),
        "23514",
        'The database has a rule against this: value for domain public.state violates check constraint "kept"',
    ),
    "a policy": (
        (
            "alter table public.report_outputs enable row level security; create policy see on public.report_outputs "
            "for select using (true); create policy kept on public.report_outputs for update using (true) "
            "with check (status <> 'pending')",
            "drop policy see on public.report_outputs; drop policy kept on public.report_outputs; "
            "alter table public.report_outputs disable row level security",
        ),
        "42501",
        "The database has a rule against this: new row violates row-level security policy for table",
    ),
}


@pytest.mark.parametrize("rule", RULES)
def test_a_rule_of_the_host_is_a_409_with_its_words_and_nothing_is_changed(
    host: Connection, shared_client: FlaskClient, caplog: pytest.LogCaptureFixture, rule: str
) -> None:
    (install, remove), code, message = RULES[rule]
    host.execute(install.encode())
    before = snapshot(host)
    try:
        with caplog.at_level(logging.INFO, logger="pyapi.api.errors"):
            response = shared_client.post("/us/report/1/rerun")
        envelope = refused(response, 409, code)
        assert envelope["message"].startswith(message)
        assert envelope["message"].endswith(". Nothing was changed.")
        assert "secret" not in response.text
        assert code in caplog.text
        assert snapshot(host) == before
    finally:
        host.execute(remove.encode())


def test_an_error_of_ours_within_a_trigger_of_the_host_is_ours(host: Connection, shared_client: FlaskClient) -> None:
    install, remove = trigger("perform pgreprise.raise_not_found('report', 42);")
    host.execute(install.encode())
    host.execute("grant execute on all functions in schema pgreprise to pgreprise_owner")
    refused(shared_client.post("/us/report/1/rerun"), 404, "RR001")
    host.execute(remove.encode())


CHANGES = [
    (
        "alter table public.report_outputs rename error_message to message",
        "alter table public.report_outputs rename message to error_message",
        "42703",
        "public.report_outputs.error_message",
    ),
    (
        "alter table public.simulations rename population_type to kind",
        "alter table public.simulations rename kind to population_type",
        "42703",
        "public.simulations.population_type",
    ),
    (
        "alter table public.report_outputs alter status drop default, alter status type integer using 1",
        "alter table public.report_outputs alter status type varchar(32) using 'complete', "
        "alter status set default 'pending'",
        "42804",
        "public.report_outputs.status",
    ),
]


@pytest.mark.parametrize(("change", "back", "code", "column"), CHANGES)
def test_a_column_of_the_host_that_was_changed_later_is_named(
    host: Connection, shared_client: FlaskClient, change: str, back: str, code: str, column: str
) -> None:
    host.execute(change.encode())
    response = shared_client.post("/us/report/1/rerun")
    host.execute(back.encode())
    envelope = refused(response, 503, code)
    assert envelope["message"] == (
        f"A table of the application was changed: the column {column} is missing or has another type. "
        "Nothing was changed."
    )
    assert "pgreprise doctor" in envelope["hint"]
    succeeded(shared_client.post("/us/report/1/rerun"))


def test_a_routine_of_ours_that_another_one_lacks_is_not_the_hosts(
    host: Connection, shared_client: FlaskClient
) -> None:
    host.execute("alter function pgreprise.same_key_reports rename to away")
    envelope = refused(shared_client.post("/us/report/1/rerun"), 503, "42883")
    host.execute("alter function pgreprise.away rename to same_key_reports")
    assert "pgreprise migrate" in envelope["hint"]


def test_a_preview_names_the_rows_that_would_be_lost_as_the_document_says(client: FlaskClient, dba: Connection) -> None:
    set_versions(dba)
    report = add_economy_report(dba)[0]
    impact = add_reform_impact(dba)
    dba.execute("create table public.note (about integer references public.reform_impact on delete cascade)")
    dba.execute("insert into public.note values (%s)", (impact,))
    dba.execute("grant select on public.note to pgreprise_owner")
    rows = succeeded(client.get(f"/us/report/{report}/rerun"))
    assert [Touched.model_validate(row).kind for row in rows] == ["report", "reference"]
