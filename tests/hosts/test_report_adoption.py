"""A DBA installs pgreprise in the report application's database, and takes it out again."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import URL

from pyapi.schema import migrate
from pyapi.schema.files import sql_text
from tests.support.databases import connect, engine, rows
from tests.support.dumps import dump, public
from tests.support.report_host import CASES, load_host
from tests.support.statements import one, undo

pytestmark = pytest.mark.needs("time")

RUN_TABLES = "select has_run_tables from pgreprise.setting"


def test_a_downgrade_gives_the_tables_back_to_the_byte(untouched: URL) -> None:
    before = public(untouched)
    migrate.upgrade(engine(untouched))
    assert public(untouched) != before
    migrate.downgrade(engine(untouched), "base")
    assert public(untouched) == before


def test_no_column_of_the_application_changes_and_one_is_added(untouched: URL) -> None:
    columns = (
        "select attrelid::regclass::text || '.' || attname as name, format_type(atttypid, atttypmod) as type, "
        "attnotnull, pg_get_expr(adbin, adrelid) as given from pg_attribute "
        "join pg_class on pg_class.oid = attrelid and relkind = 'r' and relnamespace = 'public'::regnamespace "
        "left join pg_attrdef on adrelid = attrelid and adnum = attnum "
        "where attnum > 0 and attrelid::regclass::text not like '%carbon%' "
        "and attrelid::regclass::text not like 'data_%' and attrelid::regclass::text <> 'units'"
    )
    before = {row["name"]: row for row in rows(untouched, columns)}
    content = public(untouched)[1]
    migrate.upgrade(engine(untouched), "reports@head")
    after = {row["name"]: row for row in rows(untouched, columns)}
    assert after.keys() - before.keys() == {"report_outputs.run_sequence", "simulations.run_sequence"}
    assert {name: after[name] for name in before} == before
    for table in ("report_output_runs", "reform_impact", "policy", "household", "alembic_version"):
        assert [line for line in content.splitlines() if f"public.{table} " in line] == [
            line for line in public(untouched)[1].splitlines() if f"public.{table} " in line
        ]


def test_the_indexes_are_valid_and_those_of_the_application_stay(untouched: URL) -> None:
    indexes = (
        "select indexrelid::regclass::text as name, indisvalid from pg_index "
        "join pg_class on pg_class.oid = indrelid and relnamespace = 'public'::regnamespace"
    )
    before = {row["name"] for row in rows(untouched, indexes)}
    migrate.upgrade(engine(untouched), "reports@head")
    after = rows(untouched, indexes)
    assert all(row["indisvalid"] for row in after)
    assert {row["name"] for row in after} - before == {
        "pgreprise_reform_impact_key",
        "pgreprise_report_outputs_key",
        "pgreprise_report_outputs_simulation_2",
        "pgreprise_report_outputs_pending",
        "pgreprise_report_outputs_error",
        "pgreprise_simulations_key",
    }


# The application's own migrations: where it is now, and a step further.
THEIR_ENV = """
from alembic import context
connection = context.config.attributes["connection"]
context.configure(connection=connection)
with context.begin_transaction():
    context.run_migrations()
"""
THEIR_REVISION = """
import sqlalchemy as sa
from alembic import op
revision, down_revision, branch_labels, depends_on = {revision!r}, {before!r}, None, None
def upgrade():
    {up}
def downgrade():
    {down}
"""
THEIR_STEP = """op.add_column("report_outputs", sa.Column("owner_id", sa.Integer))
    op.alter_column("reform_impact", "region", type_=sa.String(64))
    op.create_index("their_index", "simulations", ["policy_id"])"""
THEIR_STEP_BACK = """op.drop_index("their_index", "simulations")
    op.alter_column("reform_impact", "region", type_=sa.String(32))
    op.drop_column("report_outputs", "owner_id")"""
THEIR_VERSION = "select version_num from public.alembic_version"


@pytest.fixture
def theirs(untouched: URL, tmp_path: Path) -> Callable[..., None]:
    """Runs Alembic on the application's own migrations: ``theirs(command.upgrade, "feedface0001")``."""
    [now] = rows(untouched, THEIR_VERSION)
    versions = tmp_path / "versions"
    versions.mkdir()
    (tmp_path / "env.py").write_text(THEIR_ENV, encoding="utf-8")
    for revision, before, up, down in (
        (now["version_num"], None, "pass", "pass"),
        ("feedface0001", now["version_num"], THEIR_STEP, THEIR_STEP_BACK),
    ):
        text = THEIR_REVISION.format(revision=revision, before=before, up=up, down=down)
        (versions / f"{revision}.py").write_text(text, encoding="utf-8")

    def migrate_theirs(move: Callable[[Config, str], None], revision: str) -> None:
        config = Config()
        config.set_main_option("script_location", str(tmp_path))
        config.set_main_option("path_separator", "os")
        with engine(untouched).begin() as connection:
            config.attributes["connection"] = connection
            move(config, revision)

    return migrate_theirs


@pytest.mark.parametrize("is_theirs_first", [True, False])
def test_their_migrations_and_ours_live_side_by_side(
    untouched: URL, theirs: Callable[..., None], *, is_theirs_first: bool
) -> None:
    [now] = rows(untouched, THEIR_VERSION)
    before = public(untouched)
    if is_theirs_first:
        theirs(command.upgrade, "head")
        migrate.upgrade(engine(untouched))
    else:
        migrate.upgrade(engine(untouched))
        theirs(command.upgrade, "head")
        migrate.upgrade(engine(untouched))
    assert rows(untouched, THEIR_VERSION) == [{"version_num": "feedface0001"}]
    with connect(untouched) as connection:
        report = one(connection, "select min(id) as id from public.report_outputs where report_kind like 'household%%'")
        assert one(connection, "call rerun_report(%s::bigint)", report["id"])["result"]["run_sequence"] == 2
        undo(connection, one(connection, "select max(rerun_id) as id from pgreprise.rerun")["id"])
    # And back, in the order in which they came.
    steps = [
        lambda: theirs(command.downgrade, "-1"),
        lambda: migrate.downgrade(engine(untouched), "base", drop_tables_with_rows=True),
    ]
    for step in reversed(steps) if is_theirs_first else steps:
        step()
    assert rows(untouched, THEIR_VERSION) == [now]
    for is_now, was in zip(public(untouched), before, strict=True):
        # The rerun and its undo have moved rows within their tables.
        assert sorted(is_now.splitlines()) == sorted(was.splitlines())


def test_a_downgrade_after_reruns_and_their_undo_gives_every_row_back(untouched: URL) -> None:
    before = sorted(public(untouched)[1].splitlines())
    migrate.upgrade(engine(untouched))
    with connect(untouched) as connection:
        for country in ("us", "uk"):
            connection.execute("select set_cache_versions(%s, 'e2604ee281', 'r1b01baee2', '1.764.6')", (country,))
        ids = [row["id"] for row in connection.execute("select id from public.report_outputs").fetchall()]
        assert one(connection, "call rerun_reports(%s::bigint[])", ids)["result"]["rerun"] == len(ids)
        for act in connection.execute("select rerun_id from pgreprise.rerun order by rerun_id desc").fetchall():
            undo(connection, act["rerun_id"])
    migrate.downgrade(engine(untouched), "base", drop_tables_with_rows=True)
    after = sorted(public(untouched)[1].splitlines())
    # What was running is pending again, since nobody computes it any more.
    lost, made = sorted(set(before) - set(after)), sorted(set(after) - set(before))
    assert len(lost) == len(made)
    assert all("running" in line for line in lost)
    assert all("pending" in line for line in made)


@pytest.fixture
def host_role(empty_database: URL) -> Iterator[str]:
    """The application's role, which owns its tables and is no superuser; its name is that of the database."""
    name = f"{empty_database.database}_app"
    role = psycopg.sql.Identifier(name)
    with connect(empty_database) as connection:
        # The roles belong to the cluster and may be there or not.
        connection.execute(sql_text("core/roles").encode())
        for statement in (
            "create role {} login",
            "grant pgreprise_owner to {}",
            f"grant create on database {empty_database.database} to {{}}",
            "alter schema public owner to {}",
        ):
            connection.execute(psycopg.sql.SQL(statement).format(role))
        yield name
        connection.execute(psycopg.sql.SQL("drop owned by {} cascade").format(role))
        connection.execute(psycopg.sql.SQL("drop role {}").format(role))


@pytest.mark.parametrize("name", ["ours", "real"])
def test_the_applications_own_role_adopts_its_tables_and_goes_on_writing_them(
    empty_database: URL, host_role: str, name: str
) -> None:
    as_host = empty_database.set(username=host_role)
    load_host(name, as_host)
    migrate.upgrade(engine(as_host), "reports@head")
    assert rows(empty_database, RUN_TABLES) == [{"has_run_tables": True}]
    with connect(empty_database) as connection:
        for country in ("us", "uk"):
            connection.execute("select set_cache_versions(%s, 'e2604ee281', 'r1b01baee2', '1.764.6')", (country,))
        connection.execute("set role pgreprise_api")
        report = one(connection, "select min(report_id) as id from lost_runs()")["id"]
        assert one(connection, "call rerun_report(%s::bigint)", report)["result"]["run_sequence"] == 2
        undo(connection, 1)
        connection.execute("call rerun_report(%s::bigint)", (report,))
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute("select * from public.report_output_runs")
    with connect(as_host) as connection:
        run = "select id, status from report_output_runs where report_output_id = %s order by run_sequence desc limit 1"
        assert one(connection, run, report)["status"] == "pending"
        run_id = one(connection, run, report)["id"]
        connection.execute("update report_output_runs set status = 'running' where id = %s", (run_id,))
        connection.execute("update report_outputs set status = 'running' where active_run_id = %s", (run_id,))
        connection.execute(
            "insert into reform_impact (baseline_policy_id, reform_policy_id, country_id, region, dataset, "
            "time_period, options_hash, api_version, reform_impact_json, status, execution_id) "
            "values (2, 3, 'us', 'us', 'default', '2026', '[]', 'e2', '{}', 'computing', 'job')"
        )


def test_run_tables_that_appear_later_are_attached_by_the_next_migration(empty_database: URL) -> None:
    load_host("ours", empty_database)
    with connect(empty_database) as connection:
        # As they were before the application had runs of its own.
        connection.execute("alter table report_output_runs rename to later_1")
        connection.execute("alter table simulation_runs rename to later_2")
    migrate.upgrade(engine(empty_database))
    assert rows(empty_database, RUN_TABLES) == [{"has_run_tables": False}]
    with connect(empty_database) as connection:
        for country, versions in CASES[2].versions.items():
            connection.execute("select set_cache_versions(%s, %s, %s, %s)", (country, *versions.values()))
        connection.execute("call rerun_report(103)")
        connection.execute("alter table later_1 rename to report_output_runs")
        connection.execute("alter table later_2 rename to simulation_runs")
    migrate.upgrade(engine(empty_database))
    assert rows(empty_database, RUN_TABLES) == [{"has_run_tables": True}]
    with connect(empty_database) as connection:
        connection.execute("call rerun_report(103)")
        runs = one(connection, "select count(*) as found from report_output_runs where report_output_id = 103")
        assert runs["found"] == 2
        # And when they are gone, reruns work without them.
        connection.execute("drop table report_output_runs")
    migrate.upgrade(engine(empty_database))
    assert rows(empty_database, RUN_TABLES) == [{"has_run_tables": False}]
    with connect(empty_database) as connection:
        connection.execute("call rerun_report(103)")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("alter table report_output_runs alter column status type varchar(8)", "report_output_runs: column status is"),
        ("alter table simulation_runs drop constraint simulation_run_sequence_idx", "simulation_runs: no unique index"),
        ("alter table simulation_runs enable row level security", "simulation_runs: has row level security"),
        ("alter table report_output_runs add tenant text not null", "report_output_runs: column tenant must be given"),
    ],
)
def test_run_tables_that_do_not_fit_are_named_before_anything_is_changed(
    empty_database: URL, change: str, said: str
) -> None:
    load_host("ours", empty_database)
    with connect(empty_database) as connection:
        if "tenant" in change:
            connection.execute("delete from report_output_runs")
        connection.execute(change.encode())
    before = dump(empty_database)
    with pytest.raises(Exception, match=r"pgreprise cannot migrate this database as role \w+: 1 obstacle\.") as refused:
        migrate.upgrade(engine(empty_database))
    assert said in str(refused.value.orig.diag.message_detail)
    assert dump(empty_database) == before
