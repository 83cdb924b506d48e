"""A host replicates its database logically: pgreprise goes on working under a publication for all tables."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import URL

from pyapi.embedded import embedded
from pyapi.schema import migrate
from pyapi.settings import Settings
from tests.support import carbon
from tests.support.databases import FAST, Connection, connect, engine, folder_of_a_server, janitor, rows
from tests.support.report_host import CASES, load_host
from tests.support.statements import one

pytestmark = pytest.mark.needs("time")

# A subscriber gets what is in the log, so a commit waits until it is there.
LOGICAL = "wal_level = logical\nsynchronous_commit = on\n"
WITHOUT_IDENTITY = """
select relation.oid::regclass::text as name from pg_class as relation
 where relation.relkind in ('r', 'p') and relation.relnamespace in ('pgreprise'::regnamespace, 'public'::regnamespace)
   and (
     relation.relreplident = 'n'
     or relation.relreplident = 'd'
     and not exists (select from pg_index as key where key.indrelid = relation.oid and key.indisprimary)
   )
"""


def test_every_table_of_ours_has_a_primary_key(shared_database: URL) -> None:
    assert rows(shared_database, WITHOUT_IDENTITY) == []


@pytest.fixture(scope="module")
def publishing() -> Iterator[URL]:
    """A host on a server with wal_level logical: all of it is published, and a slot keeps it for a subscriber."""
    version = Settings.from_environment().postgres_version
    with (
        folder_of_a_server() as folder,
        embedded(Path(folder), version, settings=f"{FAST}{LOGICAL}") as running,
        janitor(running.url(database="postgres"), "published") as made,
    ):
        url = running.url(database=made.dbname)
        load_host("ours", url)
        with connect(url) as connection:
            connection.execute("create publication everything for all tables")
            connection.execute("select pg_create_logical_replication_slot('kept', 'pgoutput')")
        yield url
        with connect(url) as connection:
            connection.execute("select pg_drop_replication_slot('kept')")


def sent(connection: Connection) -> int:
    """How much a subscriber would get now; reading it moves the slot on."""
    return int(
        one(
            connection,
            "select count(*) as messages from pg_logical_slot_get_binary_changes('kept', null, null, "
            "'proto_version', '1', 'publication_names', 'everything')",
        )["messages"]
    )


def test_a_host_that_publishes_all_its_tables_migrates_reruns_undoes_batches_purges_and_writes_carbon(
    publishing: URL,
) -> None:
    migrate.upgrade(engine(publishing))
    with connect(publishing) as connection:
        for country, versions in CASES[2].versions.items():
            connection.execute("select set_cache_versions(%s, %s, %s, %s)", (country, *versions.values()))
        assert sent(connection) > 0

        done = one(connection, "call rerun_report(103)")["result"]
        assert done["economy_cache_rows_deleted"] == 2
        assert sent(connection) > 0
        connection.execute("call undo_rerun(%s::bigint)", (done["rerun_id"],))
        assert sent(connection) > 0

        batch = one(connection, 'select create_rerun_batch(\'{"country": "us"}\'::jsonb) as id')["id"]
        assert one(connection, "call run_rerun_batch(%s::bigint)", batch)["result"]["reports"] > 0
        connection.execute("call undo_rerun_batch(%s::bigint)", (batch,))
        connection.execute("call rerun_reports(array[104, 105])")
        assert one(connection, "call purge_runs(interval '0', keep_last => 0)")["result"]["reruns"] > 0
        connection.execute("select update_report(104, status => 'error', error_message => 'lost')")
        assert sent(connection) > 0

        unit = carbon.add_unit(connection)
        connection.execute("select create_carbon_report(%s, 2025)", (unit,))
        report = one(connection, "select max(id) as id from public.carbon_reports")["id"]
        with carbon.acting(connection, None, "pgreprise_dba"):
            entry = one(
                connection,
                "select * from create_data_entry(%s, 2025, 'headcount', 'member', "
                """'{"name": "Somebody", "sius_code": "51", "fte": 0.5}')""",
                unit,
            )["id"]
            connection.execute(
                """select update_data_entry(%s, 2025, 'headcount', 'member', %s, '{"fte": 0.25}')""", (unit, entry)
            )
            connection.execute("select set_carbon_module_status(%s, 1, 2)", (report,))
            connection.execute("select delete_data_entry(%s, 2025, 'headcount', 'member', %s)", (unit, entry))
            stale = one(connection, "select id from create_explore_report(%s, 2025, '2026-01-01')", unit)["id"]
            connection.execute("select refresh_explore_report(%s, %s, 2025, '2026-01-05')", (unit, stale))
        assert sent(connection) > 0
        assert rows(publishing, WITHOUT_IDENTITY) == []

        # The working tables of an import are temporary, and those are in no publication.
        connection.execute("create temporary table working as select 1 as id")
        connection.execute("update working set id = 2")
    migrate.downgrade(engine(publishing), "base", drop_tables_with_rows=True)
