"""Someone asks the doctor: what it finds, and that its remedies are ones."""

from __future__ import annotations

import json
import re

import psycopg
import pytest
from sqlalchemy import URL

from pyapi.database import connect_engine
from pyapi.doctor import Finding, claims, privileges
from pyapi.doctor import examine as examine_database
from pyapi.schema.files import sql_folder
from tests.support.claims import age, claim
from tests.support.command import Run, succeeded
from tests.support.databases import Connection, connect
from tests.support.factories import add_economy_report, add_reform_impact, add_report, add_simulation, set_versions
from tests.support.snapshots import snapshot
from tests.support.statements import one, rerun

pytestmark = pytest.mark.needs("time")


def examine(pgreprise: Run, *, problems: bool) -> list[dict[str, str]]:
    """What the doctor finds besides countries that are not used."""
    done = pgreprise("doctor", "--json")
    assert (done.returncode, done.stderr) == (int(problems), "")
    found = json.loads(done.stdout)
    assert any(finding["severity"] == "problem" for finding in found) == problems
    assert all(finding["remedy"] for finding in found)
    return [
        finding
        for finding in found
        if (finding["check"], finding["severity"]) not in (("cache versions", "note"), ("archive", "note"))
    ]


def test_the_doctor_finds_nothing_wrong_with_a_fresh_installation(pgreprise: Run, dba: Connection) -> None:
    assert examine(pgreprise, problems=False) == []
    for country_id in ("uk", "us", "ca", "ng", "il"):
        dba.execute("select set_cache_versions(%s, 'a', 'b', 'c')", (country_id,))
    assert succeeded(pgreprise("doctor")) == "All is well.\n"


def test_the_doctor_finds_the_deployment_that_forgot_its_version(pgreprise: Run, dba: Connection) -> None:
    # The rerun succeeds and deletes nothing: that is the trap.
    set_versions(dba)
    report = add_economy_report(dba)[0]
    add_reform_impact(dba, start_time="2026-04-01 00:00:00")
    forgotten = add_reform_impact(dba, api_version="e999999999", start_time="2026-04-02 00:00:00")
    assert "1 cache row deleted" in succeeded(pgreprise("rerun", "us", str(report)))
    assert [row["reform_impact_id"] for row in snapshot(dba)["reform_impact"]] == [forgotten]

    [finding] = examine(pgreprise, problems=True)
    assert finding["check"] == "cache rows"
    assert "e999999999" in finding["message"]
    assert "reruns of their reports delete nothing" in finding["message"]
    remedy = "pgreprise cache-version set us --economy-impact e999999999"
    assert remedy in finding["remedy"]
    succeeded(pgreprise(*remedy.split()[1:]))
    assert examine(pgreprise, problems=False) == []
    assert "1 cache row deleted" in succeeded(pgreprise("rerun", "us", str(report)))


def test_the_doctor_finds_a_sequence_that_is_behind_its_rows(pgreprise: Run, dba: Connection) -> None:
    set_versions(dba)
    add_simulation(dba)
    add_simulation(dba)
    dba.execute("alter sequence public.simulations_id_seq restart")
    [finding] = examine(pgreprise, problems=True)
    assert finding["check"] == "sequences"
    assert finding["message"] == "The next id of table public.simulations is 1, and its rows go up to 2."
    dba.execute(finding["remedy"].encode())
    assert examine(pgreprise, problems=False) == []


def test_a_rerun_that_empties_the_cache_is_no_forgotten_deployment(pgreprise: Run, dba: Connection) -> None:
    set_versions(dba)
    report = add_economy_report(dba)[0]
    add_reform_impact(dba, start_time="2026-04-02 00:00:00")
    add_reform_impact(dba, api_version="e000000000", start_time="2026-04-01 00:00:00")
    rerun(dba, report)
    # The only row of the current version is in the archive; the older one must not pass for a newer one.
    [finding] = examine(pgreprise, problems=False)
    assert (finding["check"], finding["severity"]) == ("cache rows", "note")


def test_the_doctor_only_notes_what_earlier_deployments_left(pgreprise: Run, dba: Connection) -> None:
    set_versions(dba)
    add_economy_report(dba)
    add_reform_impact(dba, start_time="2026-04-02 00:00:00")
    add_reform_impact(dba, api_version="e000000000", start_time="2026-04-01 00:00:00")
    [finding] = examine(pgreprise, problems=False)
    assert (finding["check"], finding["severity"]) == ("cache rows", "note")


def test_the_doctor_counts_reports_that_cannot_be_rerun_and_misses_versions_of_a_used_country(
    pgreprise: Run, dba: Connection
) -> None:
    dba.execute("select set_cache_versions('us', report_output => 'r1')")
    add_report(dba, 999)
    add_report(dba, 998)
    versions, defects = examine(pgreprise, problems=True)
    assert "Country us has no current version for economy_impact, package." in versions["message"]
    assert versions["severity"] == "problem"
    assert defects["message"].startswith(
        "2 reports cannot be rerun (RR002), for example: Report references simulation #"
    )


def test_the_doctor_finds_routines_that_were_edited_dropped_or_overloaded(pgreprise: Run, dba: Connection) -> None:
    dba.execute(
        "create or replace function public.reset_report(report_id bigint, reason text default null) returns void "
        "language plpgsql as 'begin end'"
    )
    dba.execute("create function public.get_simulation(simulation_id text) returns int return 1")
    dba.execute("drop function public.delete_reform_impacts")
    before = one(dba, "select pg_get_functiondef('public.reset_report'::regproc) as text")
    messages = {finding["message"] for finding in examine(pgreprise, problems=True) if finding["check"] == "routines"}
    assert messages == {
        "public.reset_report was edited by hand.",
        "public.get_simulation has an overload that was made by hand.",
        "public.delete_reform_impacts is missing.",
    }
    # It looked, and changed nothing.
    assert one(dba, "select pg_get_functiondef('public.reset_report'::regproc) as text") == before


def test_an_overload_and_a_changed_signature_are_undone_as_the_doctor_says(pgreprise: Run, dba: Connection) -> None:
    dba.execute("create function public.get_simulation(simulation_id text) returns int return 1")
    dba.execute("drop function public.reset_report")
    dba.execute("create function public.reset_report(wrong text) returns int return 1")
    dba.execute("drop function pgreprise.is_operator")
    dba.execute("create procedure pgreprise.is_operator() language sql as ''")
    remedies = {finding["message"]: finding["remedy"] for finding in examine(pgreprise, problems=True)}
    assert remedies["public.get_simulation has an overload that was made by hand."] == (
        "drop function get_simulation(text);"
    )
    for name in ("public.reset_report", "pgreprise.is_operator"):
        assert remedies[f"{name} was edited by hand."].startswith("Review the change. To undo it: drop ")
    for message, remedy in remedies.items():
        # Whatever else was wrong went with the routine.
        if message.endswith("by hand."):
            for step in re.split(r",? then:? ", remedy.removeprefix("Review the change. To undo it: ")):
                path = step.removeprefix("pgreprise psql -f ")
                dba.execute(step.encode() if path == step else (sql_folder().parent / path).read_bytes())
    assert examine(pgreprise, problems=False) == []


def test_a_missing_routine_that_is_put_back_as_the_doctor_says_is_as_it_was(pgreprise: Run, dba: Connection) -> None:
    rights = (
        "select proowner::regrole::text as owner, array(select acl::text from unnest(proacl) as acl order by 1) as acl"
        " from pg_proc where proname = 'reset_report'"
    )
    before = one(dba, rights)
    dba.execute("drop function public.reset_report")
    [finding] = examine(pgreprise, problems=True)
    path, then = finding["remedy"].removeprefix("pgreprise psql -f ").split(", then: ")
    dba.execute((sql_folder().parent / path).read_bytes())
    dba.execute(then)
    assert examine(pgreprise, problems=False) == []
    assert one(dba, rights) == before


def test_the_doctor_finds_migrations_that_are_behind_or_unknown(pgreprise: Run, dba: Connection) -> None:
    dba.execute("update pgreprise.alembic_version set version_num = 'reports_0006' where version_num like 'reports%%'")
    [finding] = examine(pgreprise, problems=True)
    assert finding["check"] == "migrations"
    assert "reports_0007" in finding["message"]
    dba.execute("update pgreprise.alembic_version set version_num = 'reports_9999' where version_num like 'reports%%'")
    [finding] = examine(pgreprise, problems=False)
    assert "ahead of this pgreprise" in finding["message"]


# --- indexes ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "drop",
    [
        "drop index public.pgreprise_reform_impact_key",
        "drop index pgreprise.rerun_batch_id",
        "alter table pgreprise.rerun_key drop constraint rerun_key_pkey",
    ],
)
def test_an_index_that_is_missing_is_made_again_by_the_remedy(pgreprise: Run, dba: Connection, drop: str) -> None:
    dba.execute(drop.encode())
    [finding] = examine(pgreprise, problems=True)
    assert finding["check"] == "indexes"
    assert drop.split()[-1].removeprefix("public.").removeprefix("pgreprise.") in finding["message"]
    dba.execute(finding["remedy"])
    assert examine(pgreprise, problems=False) == []


def test_an_invalid_index_is_built_anew_by_the_remedy(pgreprise: Run, dba: Connection) -> None:
    dba.execute(
        "update pg_index set indisvalid = false where indexrelid = 'public.pgreprise_simulations_key'::regclass"
    )
    [finding] = examine(pgreprise, problems=True)
    assert "is invalid" in finding["message"]
    dba.execute(finding["remedy"])
    assert examine(pgreprise, problems=False) == []


# --- rights ----------------------------------------------------------------------------------

# What is wrong, whom and what the finding names, how it begins to be put right.
WIDER = [
    ("grant create on schema public to public", "Anyone may create functions in schema public", "revoke create on"),
    ("grant create on schema pgreprise to pgreprise_dba", "pgreprise_dba may create in schema pgreprise", "revoke"),
    ("grant select on report_outputs to public", "PUBLIC may select", "revoke all on table report_outputs"),
    (
        "grant insert (id) on simulations to pgreprise_api",
        "pgreprise_api may insert",
        "revoke all on table simulations",
    ),
    ("grant delete, update on pgreprise.rerun to pgreprise_dba", "pgreprise_dba may update, delete", "revoke all"),
    ("grant pg_write_all_data to pgreprise_api", "pgreprise_api may insert, update, delete", "It comes from a role"),
    ("grant execute on function pgreprise.report_defect to public", "PUBLIC may call", "revoke execute on function"),
    (
        "grant execute on function reset_report to pgreprise_api",
        "pgreprise_api may call reset_report",
        "revoke execute",
    ),
    ("revoke execute on function get_report from pgreprise_api", "pgreprise_api may not call get_report", "grant"),
    (
        "alter procedure rerun_report owner to {me}",
        "rerun_report(bigint,text,text,text,text,jsonb) belongs to",
        "alter procedure",
    ),
    ("alter role pgreprise_owner login createrole", "Role pgreprise_owner has login, createrole", "alter role"),
    ("alter role pgreprise_dba bypassrls", "Role pgreprise_dba has bypassrls", "alter role pgreprise_dba nobypassrls"),
    ("grant pgreprise_owner to pgreprise_reader", "Role pgreprise_reader may act as pgreprise_owner", "revoke"),
    ("grant pgreprise_api to doctor_s; grant pgreprise_owner to doctor_s", "Role doctor_s may act as", "revoke"),
    (
        "grant pgreprise_reader, pgreprise_router to doctor_s",
        "Role doctor_s is a member of pgreprise_router, so it may say that it is anybody",
        "revoke pgreprise_router from doctor_s",
    ),
    (
        "grant pgreprise_router to pgreprise_worker",
        "Role pgreprise_worker is a member of pgreprise_router",
        "revoke pgreprise_router from pgreprise_worker",
    ),
    ("alter role pgreprise_router login", "Role pgreprise_router has login", "alter role pgreprise_router nologin"),
    (
        "grant pgreprise_api to doctor_s; grant update on reform_impact to doctor_s",
        "Role doctor_s is a member of pgreprise_api and holds rights of its own on reform_impact",
        "Give the API a login of its own",
    ),
    (
        "grant pgreprise_api to doctor_s; alter table simulations owner to doctor_s",
        "Role doctor_s is a member of pgreprise_api and holds rights of its own on simulations",
        "Give the API a login of its own",
    ),
    (
        "grant pgreprise_api to doctor_s; alter role doctor_s superuser",
        "Role doctor_s is a member of pgreprise_api and a superuser",
        "alter role doctor_s nosuperuser",
    ),
]


@pytest.fixture
def unsaved(dba: Connection) -> Connection:
    """A session whose changes go with the test: roles belong to the whole cluster."""
    dba.execute("begin")
    dba.execute("create role doctor_s login")
    return dba


def rights(connection: Connection) -> list[Finding]:
    return list(privileges.wrong_rights(connection))


def test_the_rights_that_pgreprise_gives_are_right(unsaved: Connection) -> None:
    unsaved.execute("grant pgreprise_api to doctor_s")
    assert rights(unsaved) == []


def test_what_a_login_has_from_the_group_is_told_of_the_group_only(unsaved: Connection) -> None:
    unsaved.execute("grant pgreprise_api to doctor_s; grant select on reform_impact to pgreprise_api")
    [finding] = rights(unsaved)
    assert finding.message.startswith("pgreprise_api may select on ")
    unsaved.execute("grant update on reform_impact to doctor_s")
    assert len(rights(unsaved)) == 2


@pytest.mark.parametrize(("group", "severity"), [("", "note"), ("grant pgreprise_api to doctor_s", "problem")])
def test_a_login_with_the_admin_option_on_our_owner_is_named(unsaved: Connection, group: str, severity: str) -> None:
    version = one(unsaved, "select current_setting('server_version_num')::integer as number")["number"]
    option = "admin true, inherit false, set false" if version >= 160000 else "admin option"
    unsaved.execute(f"grant pgreprise_owner to doctor_s with {option}".encode())
    if group:
        unsaved.execute(group.encode())
    [found] = [finding for finding in rights(unsaved) if "ADMIN option" in finding.message]
    assert found.message.startswith("Role doctor_s holds the ADMIN option on pgreprise_owner")
    assert found.severity == severity
    unsaved.execute(found.remedy.split(";")[0].encode())
    assert not [finding for finding in rights(unsaved) if "ADMIN option" in finding.message]


@pytest.mark.parametrize(("change", "message", "remedy"), WIDER, ids=[change for change, *_ in WIDER])
def test_rights_that_are_wider_or_narrower_are_found(
    unsaved: Connection, change: str, message: str, remedy: str
) -> None:
    me = one(unsaved, "select quote_ident(current_user) as name")["name"]
    unsaved.execute(change.format(me=me).encode())
    found = [finding for finding in rights(unsaved) if finding.message.startswith(message)]
    assert [(finding.check, finding.severity) for finding in found] == [("rights", "problem")]
    assert found[0].remedy.startswith(remedy)


@pytest.mark.parametrize(
    "change",
    [
        change
        for change, _, remedy in WIDER
        if remedy not in ("It comes from a role", "Give the API a login of its own")
    ],
)
def test_the_remedy_puts_the_rights_right(unsaved: Connection, change: str) -> None:
    me = one(unsaved, "select quote_ident(current_user) as name")["name"]
    unsaved.execute(change.format(me=me).encode())
    for finding in rights(unsaved):
        # What follows from a membership goes with it.
        if not finding.remedy.startswith("It comes from a role"):
            unsaved.execute(finding.remedy.split(";")[0].encode())
    assert rights(unsaved) == []


def test_the_login_of_a_router_is_right(unsaved: Connection) -> None:
    unsaved.execute("grant pgreprise_router to doctor_s")
    assert not rights(unsaved)


def test_another_role_that_may_migrate_is_only_noted(unsaved: Connection) -> None:
    unsaved.execute("grant pgreprise_owner to doctor_s")
    [finding] = rights(unsaved)
    assert (finding.severity, "doctor_s" in finding.message) == ("note", True)


# --- what reruns left behind -------------------------------------------------------------------


def test_a_batch_that_was_left_unfinished_is_a_problem_until_it_is_resumed(pgreprise: Run, dba: Connection) -> None:
    set_versions(dba)
    add_report(dba, add_simulation(dba, population_type="household"))
    one(dba, """select create_rerun_batch('{"country": "us"}')""")
    [note] = examine(pgreprise, problems=False)
    assert note["message"] == "Batch 1 is not finished: 1 of 1 report remains."
    dba.execute("update pgreprise.rerun_batch set created_at = now() - interval '61 minutes'")
    [finding] = examine(pgreprise, problems=True)
    assert finding["check"] == "batches"
    assert finding["message"] == "Batch 1 stands still: 1 of 1 report remains, and none was done for an hour."
    succeeded_with_progress = pgreprise("rerun-batch", "--resume", "1")
    assert succeeded_with_progress.returncode == 0
    assert examine(pgreprise, problems=False) == []


def test_a_batch_that_was_cancelled_is_no_problem(pgreprise: Run, dba: Connection) -> None:
    set_versions(dba)
    add_report(dba, add_simulation(dba, population_type="household"))
    one(dba, """select create_rerun_batch('{"country": "us"}')""")
    dba.execute("update pgreprise.rerun_batch set created_at = now() - interval '61 minutes'")
    assert pgreprise("batches", "cancel", "1").returncode == 0
    assert examine(pgreprise, problems=False) == []


def test_claims_that_nobody_took_over_and_reports_that_run_for_long_are_notes(pgreprise: Run, dba: Connection) -> None:
    set_versions(dba)
    claimed, running = (add_report(dba, add_simulation(dba), status="pending", output=None) for _ in range(2))
    lapsed = claim(dba, claimed)
    assert "claims" not in {finding["check"] for finding in examine(pgreprise, problems=False)}
    age(dba, lapsed)
    dba.execute("select update_report(%s, status => 'running')", (running,))
    dba.execute("update pgreprise.run_time set started_at = now() - interval '2 days' where row_id = %s", (running,))

    told = {finding["message"] for finding in examine(pgreprise, problems=False) if finding["check"] == "claims"}

    assert told == {
        "The lease of 1 claim is over and nobody has taken the report over, for example report "
        f"#{claimed} of worker worker 1.",
        f"1 report has been running for more than 1 day without a claim, for example report #{running}.",
    }


def test_a_report_that_the_application_lets_nobody_compute_is_a_problem(pgreprise: Run, dba: Connection) -> None:
    report = add_report(dba, add_simulation(dba), status="pending", output=None)
    dba.execute("alter table report_outputs add constraint never_running check (status <> 'running')")
    assert dba.execute("select * from claim_report('worker 1')").fetchall() == []

    [told] = [finding["message"] for finding in examine(pgreprise, problems=True) if finding["check"] == "claims"]

    assert told.startswith(f"The application refuses that 1 pending report is computed, for example report #{report}: ")
    assert "never_running" in told


def test_finished_runs_that_may_be_written_again_are_a_note(pgreprise: Run, dba: Connection) -> None:
    dba.execute("select set_setting('allow_unfinish', 'on')")
    [finding] = examine(pgreprise, problems=False)
    assert finding["message"].startswith("Finished reports and simulations may be written again")


def test_dead_entries_at_the_head_of_the_pending_reports_are_a_note(dba: Connection, database: URL) -> None:
    dba.execute("alter table report_outputs set (autovacuum_enabled = off)")
    dba.execute(
        "insert into report_outputs (country_id, simulation_1_id, api_version, status) "
        "select 'us', 1, 'v', 'pending' from generate_series(1, 100000)"
    )
    dba.execute("insert into report_outputs (country_id, simulation_1_id, api_version) values ('us', 1, 'v')")
    dba.execute("analyze report_outputs")
    # An old snapshot sees them still, so the index must keep them.
    with dba.transaction(), connect(database) as other, connect(database) as doctor:
        dba.execute("set transaction isolation level repeatable read")
        dba.execute("select from report_outputs limit 1")
        other.execute("update report_outputs set status = 'complete' where id < 100001")
        told = [finding.message for finding in claims.crowded_index(doctor)]
    assert len(told) == 1
    assert re.fullmatch(r"A claim reads \d{3,} pages before it finds the first pending report, .*", told[0])


def test_the_size_of_the_archive_is_a_note(pgreprise: Run, dba: Connection) -> None:
    set_versions(dba)
    report = add_report(dba, add_simulation(dba, population_type="household"))
    rerun(dba, report)
    rerun(dba, report)
    dba.execute("update pgreprise.rerun set created_at = now() - interval '31 days'")
    dba.execute("select set_setting('archive_outputs', 'off')")
    notes = [finding for finding in json.loads(pgreprise("doctor", "--json").stdout) if finding["check"] == "archive"]
    assert [note["severity"] for note in notes] == ["note", "note"]
    assert notes[0]["message"].startswith("The archive holds the outputs of 2 reruns since ")
    assert "A purge of everything older than 30 days would delete the outputs of " in notes[0]["message"]
    dba.execute("select set_setting('archive_keep', '20 days')")
    [note, _] = [row for row in json.loads(pgreprise("doctor", "--json").stdout) if row["check"] == "archive"]
    assert "By the retention settings the outputs of " in note["message"]
    assert "archive_outputs is off" in notes[1]["message"]


def test_the_doctor_names_a_database_of_a_development_version_and_nothing_else(pgreprise: Run, dba: Connection) -> None:
    dba.execute("create table pgreprise.created_table (table_name text)")
    dba.execute("update pgreprise.alembic_version set version_num = 'reports_0010' where version_num like 'reports%%'")
    [finding] = examine(pgreprise, problems=True)
    assert "made by a development version of pgreprise from before its first release" in finding["message"]
    assert "Use a new database" in finding["remedy"]


# --- a package and a database of different versions -------------------------------------------


def test_a_routine_of_another_version_gets_the_advice_of_its_direction(pgreprise: Run, dba: Connection) -> None:
    def remedies(check: str) -> dict[str, str]:
        found = json.loads(pgreprise("doctor", "--json").stdout)
        return {finding["message"]: finding["remedy"] for finding in found if finding["check"] == check}

    dba.execute("update pgreprise.routine_version set version = 2 where name = 'reports/get_report'")
    [(message, remedy)] = remedies("routines").items()
    assert message.startswith("public.get_report has version 2. This pgreprise does not have that version")
    assert remedy == "Upgrade pgreprise on this machine."
    dba.execute("update pgreprise.routine_version set version = 0 where name = 'reports/get_report'")
    older = "public.get_report has version 0, and this pgreprise has version 1."
    assert remedies("routines") == {older: "pgreprise migrate"}
    dba.execute("update pgreprise.routine_version set version = 1 where name = 'reports/get_report'")

    dba.execute("create function public.unheard_of() returns int return 1")
    dba.execute("insert into pgreprise.routine_version values ('reports/unheard_of', 'public.unheard_of', 1, 'x')")
    assert remedies("routines")["public.unheard_of is installed, and this pgreprise has it no longer."] == (
        "pgreprise migrate"
    )
    dba.execute("update pgreprise.alembic_version set version_num = 'reports_9999' where version_num like 'reports%%'")
    assert set(remedies("routines").values()) == {"Upgrade pgreprise on this machine."}
    assert set(remedies("migrations").values()) == {"Upgrade pgreprise on this machine."}


def test_a_migration_puts_right_what_is_older_than_the_package(pgreprise: Run, dba: Connection) -> None:
    dba.execute("select pgreprise.remove_routine('reports/rerun_batches', 'public.rerun_batches', 1)")
    dba.execute("create function public.unheard_of() returns int return 1")
    dba.execute("insert into pgreprise.routine_version values ('reports/unheard_of', 'public.unheard_of', 1, 'x')")
    found = {finding["message"]: finding["remedy"] for finding in examine(pgreprise, problems=True)}
    assert found["public.rerun_batches is not installed."] == "pgreprise migrate"
    assert "created reports/rerun_batches" in succeeded(pgreprise("migrate"))
    assert examine(pgreprise, problems=False) == []


# --- what it cannot look at ------------------------------------------------------------------


def test_the_doctor_looks_at_a_read_only_database_and_says_what_it_cannot(
    pgreprise: Run, dba: Connection, database: URL
) -> None:
    dba.execute(f'alter database "{database.database}" set default_transaction_read_only = on')
    dba.execute("drop index public.pgreprise_reform_impact_key")
    dba.execute("drop function public.reset_report")
    note, *problems = examine(pgreprise, problems=True)
    assert note == {
        "check": "database",
        "severity": "note",
        "message": "The database is read only, so the routines and the tables of pgreprise could not be compared with "
        "their files.",
        "remedy": "Run the doctor where default_transaction_read_only is off.",
    }
    assert [finding["message"] for finding in problems] == [
        "public.reset_report is missing.",
        "Index pgreprise_reform_impact_key on public.reform_impact is missing.",
    ]


def test_a_database_that_lacks_newer_routines_is_still_looked_at(pgreprise: Run, dba: Connection) -> None:
    dba.execute("select pgreprise.remove_routine('reports/rerun_batches', 'public.rerun_batches', 1)")
    dba.execute("update pgreprise.alembic_version set version_num = 'reports_0006' where version_num like 'reports%%'")
    add_report(dba, 999)
    found = {finding["check"]: finding["remedy"] for finding in examine(pgreprise, problems=True)}
    assert found["migrations"] == found["batches"] == "pgreprise migrate"
    assert "reports" in found


def test_the_doctor_names_what_hides_the_rows_of_all_tables(pgreprise: Run, dba: Connection) -> None:
    # As the event trigger of a hosted server does.
    for row in dba.execute("select oid::regclass::text as name from pg_class where relkind = 'r' and relnamespace in "
                           "('public'::regnamespace, 'pgreprise'::regnamespace)").fetchall():  # fmt: skip
        dba.execute(f"alter table {row['name']} enable row level security".encode())
    found = examine(pgreprise, problems=True)
    hidden = [finding for finding in found if "hides rows from pgreprise_owner" in finding["message"]]
    assert len(hidden) > 30
    set_up = "select public.set_cache_versions('us', 'a', 'b', 'c')"
    with pytest.raises(psycopg.Error, match="Country us not found"):
        dba.execute(set_up)
    for finding in hidden:
        dba.execute(finding["remedy"].encode())
    dba.execute(set_up)
    report = add_report(dba, add_simulation(dba, population_type="household"))
    rerun(dba, report)
    assert examine(pgreprise, problems=False) == []


def test_no_damage_to_the_applications_tables_ends_in_a_traceback(pgreprise: Run, dba: Connection) -> None:
    for damage in (
        "alter table report_outputs drop column status",
        "alter table simulations alter column population_type type integer using 1",
        "drop table reform_impact, units cascade",
        "drop function pgreprise.status",
        "drop table pgreprise.setting cascade",
    ):
        dba.execute(damage.encode())
    found = examine(pgreprise, problems=True)
    messages = "\n".join(finding["message"] for finding in found)
    for named in (
        "public.report_outputs: column status is missing",
        "public.simulations: column population_type is integer",
        "Table public.reform_impact does not exist",
        "Table public.units does not exist",
        "pgreprise.status is missing",
    ):
        assert named in messages


def test_a_role_that_may_not_look_is_told_so(database: URL) -> None:
    engine = connect_engine(database.update_query_dict({"options": "-c role=pgreprise_dba"}))
    try:
        found = examine_database(engine)
    finally:
        engine.dispose()
    assert {finding.severity for finding in found} == {"note"}
    assert any("PGREPRISE_MIGRATION_URL" in finding.remedy for finding in found)


def test_the_doctor_prints_each_finding_with_its_remedy_on_a_line_to_copy(pgreprise: Run, dba: Connection) -> None:
    dba.execute("drop index public.pgreprise_reform_impact_key")
    done = pgreprise("doctor")
    assert done.returncode == 1
    lines = done.stdout.splitlines()
    place = lines.index("problem, indexes: Index pgreprise_reform_impact_key on public.reform_impact is missing.")
    dba.execute(lines[place + 1].strip().encode())
    assert pgreprise("doctor").returncode == 0
