"""A migration meets a broken index, or a lock that somebody else holds."""

from __future__ import annotations

from pathlib import Path

import psycopg
import pytest
from sqlalchemy import URL, Engine

from pyapi.schema import migrate, operations
from tests.support.databases import connect, engine, plain, rows
from tests.support.dumps import dump
from tests.support.factories import add_simulation
from tests.support.projects import add_revision
from tests.support.refusals import refused_with

pytestmark = pytest.mark.needs("time")

INDEX = """
  select index_entry.indisvalid as valid, index_entry.indisunique as is_unique,
      pg_get_indexdef(index_entry.indexrelid) as definition
    from pg_index as index_entry
   where index_entry.indexrelid = to_regclass('public.pgreprise_simulations_key')
"""
REVISIONS = "select version_num from pgreprise.alembic_version order by version_num"


def test_an_index_that_a_failed_build_left_invalid_is_built_anew(empty_database: URL, database: URL) -> None:
    migrate.upgrade(engine(empty_database), "reports_0003")
    with connect(empty_database) as connection:
        add_simulation(connection)
        add_simulation(connection)
        with pytest.raises(psycopg.errors.UniqueViolation):
            connection.execute(
                "create unique index concurrently pgreprise_simulations_key on public.simulations (country_id)"
            )
    [broken] = rows(empty_database, INDEX)
    assert not broken["valid"]
    migrate.upgrade(engine(empty_database))
    assert rows(empty_database, INDEX) == rows(database, INDEX)
    assert rows(database, INDEX)[0]["valid"]


def test_a_valid_index_of_that_name_is_kept(empty_database: URL) -> None:
    migrate.upgrade(engine(empty_database), "reports_0003")
    with connect(empty_database) as connection:
        connection.execute(
            "create index concurrently pgreprise_simulations_key "
            "on public.simulations (country_id, population_id, population_type, policy_id, id)"
        )
    oid = "select 'public.pgreprise_simulations_key'::regclass::oid::bigint as oid"
    before = rows(empty_database, oid)
    migrate.upgrade(engine(empty_database))
    assert rows(empty_database, oid) == before


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Migrations that give up soon."""
    monkeypatch.setattr(operations, "MIGRATION_LOCK_TIMEOUT", "50ms")
    monkeypatch.setattr(operations, "_CONCURRENT_LOCK_TIMEOUT", "50ms")


REPORTS_AT = "select version_num from pgreprise.alembic_version where version_num ~ '^reports_'"


def bounded(database: URL) -> Engine:
    """An engine on which a migration that waits for ever fails with 57014."""
    return engine(database.update_query_dict({"options": "-cstatement_timeout=20s"}))


@pytest.mark.usefixtures("impatient")
def test_an_upgrade_that_cannot_have_its_lock_fails_and_leaves_nothing_of_its_revision(
    project: Path, database: URL
) -> None:
    head = migrate.scripts().get_revision("reports@head").revision
    add_revision(
        project,
        "reports_0999",
        upgrade="op.execute('create table pgreprise.added ()')\n"
        "    op.execute('alter table public.simulations add column added integer')",
        after=head,
    )
    before = dump(database)
    with psycopg.connect(plain(database)) as traffic:
        traffic.execute("select from public.simulations")
        with refused_with("55P03"):
            migrate.upgrade(bounded(database))
    assert dump(database) == before
    assert rows(database, REPORTS_AT) == [{"version_num": head}]


@pytest.mark.usefixtures("impatient")
def test_a_downgrade_that_cannot_have_its_lock_fails_and_leaves_everything(database: URL) -> None:
    migrate.downgrade(engine(database), "reports_0001")
    before = dump(database)
    with psycopg.connect(plain(database)) as traffic:
        traffic.execute("select from public.report_outputs")
        with refused_with("55P03"):
            migrate.downgrade(bounded(database), "reports@base")
    assert dump(database) == before
    migrate.downgrade(engine(database), "reports@base")


@pytest.mark.usefixtures("impatient")
def test_an_index_that_cannot_be_dropped_now_is_dropped_by_the_next_downgrade(database: URL) -> None:
    migrate.downgrade(engine(database), "reports_0004")
    with psycopg.connect(plain(database)) as traffic:
        traffic.execute("select from public.simulations")
        with refused_with("55P03"):
            migrate.downgrade(bounded(database), "reports_0003")
    assert rows(database, REPORTS_AT) == [{"version_num": "reports_0004"}]
    migrate.downgrade(engine(database), "reports_0003")
    assert rows(database, INDEX) == []


@pytest.mark.usefixtures("impatient")
def test_an_index_that_cannot_be_built_fails_and_is_built_by_the_next_migration(
    empty_database: URL, database: URL
) -> None:
    migrate.upgrade(engine(empty_database), "reports_0003")
    with psycopg.connect(plain(empty_database)) as traffic:
        # Concurrent builds wait for those who write.
        traffic.execute("lock table public.simulations in row exclusive mode")
        with refused_with("55P03"):
            migrate.upgrade(bounded(empty_database))
    assert rows(empty_database, REPORTS_AT) == [{"version_num": "reports_0003"}]
    assert not rows(empty_database, INDEX)[0]["valid"]
    migrate.upgrade(engine(empty_database))
    assert rows(empty_database, INDEX) == rows(database, INDEX)


def test_what_follows_a_concurrent_build_waits_no_longer_than_any_statement(
    project: Path, database: URL, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(operations, "MIGRATION_LOCK_TIMEOUT", "50ms")
    add_revision(
        project,
        "reports_0999",
        upgrade="op.create_index_concurrently('added', 'on public.simulations (status)')\n"
        "    op.execute('alter table public.report_outputs add column added integer')",
        after=migrate.scripts().get_revision("reports@head").revision,
    )
    with psycopg.connect(plain(database)) as traffic:
        traffic.execute("lock table public.report_outputs in access share mode")
        with refused_with("55P03"):
            migrate.upgrade(bounded(database))


def test_a_second_migration_at_the_same_time_is_refused_and_changes_nothing(empty_database: URL) -> None:
    before = dump(empty_database)
    with connect(empty_database) as other:
        other.execute("select pg_advisory_lock(hashtextextended('pgreprise.migration', 0))")
        with refused_with("55P03", "Another migration of pgreprise is running in this database"):
            migrate.upgrade(bounded(empty_database))
    assert dump(empty_database) == before
    migrate.upgrade(engine(empty_database))
