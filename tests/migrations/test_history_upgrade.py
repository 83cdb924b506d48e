"""A DBA upgrades a database of version 1, with data and callers, to reruns that keep a history, and goes back."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from pytest_postgresql.janitor import DatabaseJanitor
from sqlalchemy import URL

from pyapi.schema import migrate
from tests.support.databases import Connection, connect, engine, plain, rows
from tests.support.dumps import run, run_script, state
from tests.support.factories import add_reform_impact, add_report, add_simulation, set_versions
from tests.support.hosts import LEGACY
from tests.support.refusals import detail, refused_with
from tests.support.snapshots import snapshot, without_runs
from tests.support.statements import one, rerun

BEFORE, AFTER = "reports_0006", "reports@head"
TABLES = ("report_outputs", "simulations", "reform_impact")
# The tables of version 1: pgreprise's own, and adopted ones with serial ids, and with jsonb.
JSONB = LEGACY.replace(" json", " jsonb")
KINDS = {"created": "", "integer ids": LEGACY, "jsonb": JSONB}
GRANTS = """
grant execute on procedure public.rerun_report to pgreprise_reader with grant option;
grant execute on function public.update_report to public;
grant select on public.report_outputs to pgreprise_reader;
grant insert (country_id), update on public.simulations to pgreprise_reader;
"""
RIGHTS = """
  select object.name, coalesce(grantee.rolname, 'public') as grantee, privilege.privilege_type, privilege.is_grantable
    from (
      select proname, proacl from pg_proc where pronamespace = 'public'::regnamespace
      union all
      select relname, relacl from pg_class where relname in ('report_outputs', 'simulations', 'reform_impact')
      union all
      select attname, attacl from pg_attribute where attrelid = 'public.simulations'::regclass
    ) as object(name, acl)
   cross join lateral aclexplode(object.acl) as privilege
    left join pg_roles as grantee on grantee.oid = privilege.grantee
   where coalesce(grantee.rolname, 'public') <> 'postgres'
   order by 1, 2, 3
"""
# How an old API server, a worker and a DBA call version 1.
CALLS = (
    "select * from get_report(report_id => 1::bigint, country_id => 'us')",
    "select * from get_simulation(simulation_id => 2::bigint, country_id => 'us')",
    "select (found.stored).*, found.created from get_or_create_report(country_id => 'us', "
    "simulation_1_id => 1::bigint, simulation_2_id => 2::bigint, year => '2025') as found",
    "select (found.stored).*, found.created from get_or_create_report(country_id => 'us', "
    "simulation_1_id => 1::bigint, simulation_2_id => null, year => '2031') as found",
    "select (found.stored).*, found.created from get_or_create_simulation(country_id => 'us', "
    "population_id => 'state/ny', population_type => 'geography', policy_id => 2::bigint) as found",
    "select (found.stored).*, found.created from get_or_create_simulation(country_id => 'us', "
    "population_id => 'state/ca', population_type => 'geography', policy_id => 2::bigint) as found",
    """select * from update_report(report_id => 1::bigint, country_id => 'us', status => 'complete',
    output => '{"b": 1, "a": 2}', error_message => null)""",
    "select * from update_report(1, 'us', 'error', null, 'it failed')",
    """select * from update_simulation(simulation_id => 1::bigint, country_id => 'us', status => 'complete',
    output => '[1, 2]', error_message => null)""",
    "call rerun_report(report_id => 1::bigint, country_id => 'us', result => null)",
    "call rerun_report(1)",
    "call rerun_report(1, country_id => 'us')",
    "call rerun_report(1, 'us', null)",
    "do $$ declare said jsonb; begin call rerun_report(1, result => said); end; $$",
    "select reset_report(1)",
    "select reset_simulation(simulation_id => 2)",
    "select delete_reform_impacts('us', 2, 3, 'state/ny', 'default', '2025', '[]', api_version => 'e158e63ef1')",
    "select delete_reform_impacts('us', 2, 3, 'state/ny', 'default', '2025', '[]', statuses => array['computing'])",
    "select * from report_defects()",
    "select * from example_reports()",
    "select * from mismatched_cache_versions()",
)


def add_rows(connection: Connection) -> None:
    """Report 1, of simulations 1 and 2 with two cache rows, and report 2, which cannot be rerun."""
    set_versions(connection)
    first = add_simulation(connection, output={"b": 1, "a": [1, 2]}, error_message="a warning")
    second = add_simulation(connection, policy_id=3, status="running", output=None)
    assert add_report(connection, first, second, output={"b": 1, "a": {"c": None}}) == 1
    add_report(connection, 999)
    add_reform_impact(connection, message="first")
    add_reform_impact(connection, status="computing", end_time="2026-04-01 00:02:00.5")


@pytest.fixture(scope="module", params=KINDS)
def template_1(
    server: URL, new_database: Callable[..., DatabaseJanitor], request: pytest.FixtureRequest
) -> Iterator[str]:
    """The name of a database of version 1 with rows, and grants given by hand, for tests to clone."""
    with new_database() as made:
        url = server.set(database=made.dbname)
        with connect(url) as connection:
            connection.execute(KINDS[request.param])
            migrate.upgrade(engine(url), BEFORE)
            add_rows(connection)
            connection.execute(GRANTS)
        yield made.dbname


@pytest.fixture
def version_1(server: URL, new_database: Callable[..., DatabaseJanitor], template_1: str) -> Iterator[URL]:
    """A database of version 1 of the test's own."""
    with new_database(template_1) as made:
        yield server.set(database=made.dbname)


def content(database: URL) -> str:
    """Everything that a database holds, schema and rows."""
    text = run("pg_dump", "--inserts", plain(database))
    return "\n".join(line for line in text.splitlines() if not line.startswith(("\\restrict", "\\unrestrict")))


def files(database: URL) -> list[dict[str, Any]]:
    """The files of the tables and their indexes; a table that is rewritten gets others."""
    return rows(
        database,
        "select relname::text, pg_relation_filenode(oid) as file from pg_class where relnamespace = "
        "'public'::regnamespace and relkind in ('r', 'i') and split_part(relname, '_', 1) <> 'pg' order by 1",
    )


def answers(database: URL) -> dict[str, list[dict[str, Any]]]:
    """What version 1's callers are told, each call on the same rows."""
    told = {}
    with connect(database) as connection:
        for statement in CALLS:
            with connection.transaction(force_rollback=True):
                cursor = connection.execute(statement)
                told[statement] = cursor.fetchall() if cursor.description else []
    return told


def same_as_before(new: Any, old: Any) -> Any:
    """What a caller of before looks at, of an answer that may tell more."""
    match old:
        case dict():
            return {name: same_as_before(new[name], value) for name, value in old.items()}
        case list() if len(old) == len(new):
            return [same_as_before(*pair) for pair in zip(new, old, strict=True)]
    return new


def test_an_upgrade_numbers_every_run_1_without_touching_a_row(version_1: URL) -> None:
    with connect(version_1) as connection:
        kept, kept_files = snapshot(connection), files(version_1)
        migrate.upgrade(engine(version_1), AFTER)
        found = snapshot(connection)
        assert files(version_1) == kept_files
    assert without_runs(found) == kept
    for table in ("report_outputs", "simulations"):
        assert [row["run_sequence"] for row in found[table]] == [1] * len(kept[table])
    assert rows(version_1, "select from pgreprise.rerun") == []


def test_an_upgrade_keeps_the_rights_that_were_given_by_hand(version_1: URL) -> None:
    before = rows(version_1, RIGHTS)
    migrate.upgrade(engine(version_1), AFTER)
    after = rows(version_1, RIGHTS)
    known = {row["name"] for row in before}
    needed = {"name": "reform_impact", "grantee": "pgreprise_owner", "privilege_type": "INSERT", "is_grantable": False}
    assert [row for row in after if row["name"] in known and row != needed] == before
    assert needed in after


def test_callers_of_version_1_go_on_as_before(version_1: URL) -> None:
    before = answers(version_1)
    migrate.upgrade(engine(version_1), AFTER)
    after = answers(version_1)
    # Rows that a call created have got the next id since: a sequence does not go back.
    created = [statement for statement in CALLS if before[statement] and before[statement][0].get("created")]
    assert len(created) == 2
    for statement in created:
        before[statement][0]["id"] = after[statement][0]["id"]
    assert same_as_before(after, before) == before


def test_what_callers_of_version_1_did_is_told_and_undone(version_1: URL) -> None:
    migrate.upgrade(engine(version_1), AFTER)
    with connect(version_1) as connection:
        before = snapshot(connection)
        result = rerun(connection, 1, "us")
        assert result["economy_cache_rows_deleted"] == 2
        connection.execute("set role pgreprise_dba")
        connection.execute("call undo_rerun(%s::bigint)", (result["rerun_id"],))
        connection.execute("reset role")
        assert without_runs(snapshot(connection)) == without_runs(before)
        assert one(connection, "select array_agg(run_sequence) as runs from report_history(1)") == {"runs": [3, 2, 1]}
        # New rows begin at run 1.
        assert one(connection, "select (stored).run_sequence from get_or_create_report('us', 1, year => '2031')") == {
            "run_sequence": 1
        }


def test_a_downgrade_without_a_history_restores_version_1(version_1: URL) -> None:
    # The claims that the history asks for stay: they are of another domain.
    migrate.upgrade(engine(version_1), "core@head")
    before, told = state(version_1), answers(version_1)
    with connect(version_1) as connection:
        kept, kept_files = snapshot(connection), files(version_1)
        migrate.upgrade(engine(version_1), AFTER)
        answers(version_1)
        migrate.downgrade(engine(version_1), BEFORE)
        assert snapshot(connection) == kept
        # What the callers did between was rolled back; the rows they made have got later ids.
        again = answers(version_1)
    assert files(version_1) == kept_files
    assert state(version_1) == before
    for statement in CALLS:
        if told[statement] and told[statement][0].get("created"):
            told[statement][0]["id"] = again[statement][0]["id"]
    assert again == told
    migrate.upgrade(engine(version_1), AFTER)
    assert (
        same_as_before(answers(version_1)["call rerun_report(1)"], told["call rerun_report(1)"])
        == (told["call rerun_report(1)"])
    )


ACTS = (
    "call rerun_report(1)",
    "select reset_report(1)",
    "select reset_simulation(1)",
    "select delete_reform_impacts('us', 2, 3, 'state/ny', 'default', '2025', '[]')",
)


@pytest.mark.parametrize("act", ACTS)
def test_a_downgrade_that_would_lose_a_history_is_refused_and_changes_nothing(empty_database: URL, act: str) -> None:
    migrate.upgrade(engine(empty_database))
    with connect(empty_database) as connection:
        add_rows(connection)
        connection.execute(act)
    before = content(empty_database)
    with refused_with("55000", "would drop the history of reruns") as refused:
        migrate.downgrade(engine(empty_database), BEFORE)
    assert detail(refused.value) == "pgreprise.rerun holds 1 rows."
    assert content(empty_database) == before


def test_a_downgrade_that_is_told_to_drop_the_history_keeps_the_rows_as_they_are_now(version_1: URL) -> None:
    migrate.upgrade(engine(version_1), "core@head")
    before = state(version_1)
    migrate.upgrade(engine(version_1), AFTER)
    with connect(version_1) as connection:
        rerun(connection, 1)
        connection.execute("select update_report(1, status => 'complete', output => '{\"new\": true}')")
        kept = without_runs(snapshot(connection))
        migrate.downgrade(engine(version_1), BEFORE, drop_tables_with_rows=True)
        assert state(version_1) == before
        assert snapshot(connection) == kept
        assert rerun(connection, 1)["simulation_ids"] == [1, 2]
        # And forward again: a history of its own.
        migrate.upgrade(engine(version_1), AFTER)
        assert rerun(connection, 1)["run_sequence"] == 2


def script(tmp_path: Path, revisions: str | None = None) -> Path:
    """The SQL of the migrations, of all or of some."""
    written = tmp_path / "migrations.sql"
    text = io.StringIO()
    if revisions is None:
        migrate.write_sql(text)
    else:
        command.upgrade(migrate.alembic_config(text), revisions, sql=True)
    written.write_text(text.getvalue(), encoding="utf-8")
    return written


@pytest.mark.parametrize("kind", KINDS)
def test_the_written_sql_gives_the_same_database_as_the_migration(
    empty_database: URL, tmp_path: Path, kind: str
) -> None:
    with connect(empty_database) as connection:
        connection.execute(KINDS[kind])
    run_script(empty_database, script(tmp_path))
    written = state(empty_database)
    migrate.downgrade(engine(empty_database), "base")
    migrate.upgrade(engine(empty_database))
    assert state(empty_database) == written


def test_the_written_sql_of_the_upgrade_alone_upgrades_a_database_with_rows(version_1: URL, tmp_path: Path) -> None:
    with connect(version_1) as connection:
        kept, kept_files = snapshot(connection), files(version_1)
        run_script(version_1, script(tmp_path, f"{BEFORE}:reports@head"))
        assert without_runs(snapshot(connection)) == kept
        assert files(version_1) == kept_files
        rerun(connection, 1)
    migrate.upgrade(engine(version_1), AFTER)


OWN_COLUMN = """
alter table public.report_outputs add column run_sequence text;
alter table public.simulations add column run_sequence bigint;
"""


def refused_upgrade(database: URL, written: Path | None) -> None:
    """The upgrade stops at the host's columns, online or by script, and has changed nothing."""
    before = content(database)
    if written is None:
        with refused_with("55000", "cannot number the runs of reports and simulations") as refused:
            migrate.upgrade(engine(database))
        assert detail(refused.value).splitlines() == [
            "public.report_outputs: column run_sequence exists already",
            "public.simulations: column run_sequence exists already",
        ]
    else:
        with pytest.raises(AssertionError, match=r"public\.simulations: column run_sequence exists already"):
            run_script(database, written)
    assert content(database) == before


@pytest.mark.parametrize("by_script", [False, True], ids=["online", "by script"])
def test_a_column_of_the_hosts_own_stops_the_upgrade_of_version_1_before_anything_changes(
    version_1: URL, tmp_path: Path, by_script: bool
) -> None:
    with connect(version_1) as connection:
        connection.execute(OWN_COLUMN)
    refused_upgrade(version_1, script(tmp_path, f"{BEFORE}:reports@head") if by_script else None)


@pytest.mark.parametrize("by_script", [False, True], ids=["online", "by script"])
def test_a_column_of_the_hosts_own_stops_the_installation_before_anything_changes(
    empty_database: URL, tmp_path: Path, by_script: bool
) -> None:
    with connect(empty_database) as connection:
        connection.execute(LEGACY + OWN_COLUMN)
    refused_upgrade(empty_database, script(tmp_path) if by_script else None)
