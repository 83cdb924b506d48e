"""The list over a million reports: a page reads as much of the table as an index leads it to."""

from __future__ import annotations

import pytest
from sqlalchemy import URL

from tests.support.console import console_over
from tests.support.databases import Connection
from tests.support.factories import set_versions
from tests.support.statements import one

pytestmark = pytest.mark.needs("time")

REPORTS = 1_000_000
# A page has 50 reports; each is found by its key, with its simulation and its times.
MOST_PAGES = 2_000


def pages_read(connection: Connection) -> int:
    """How many pages of report_outputs and its indexes have been read, by sessions that have ended."""
    row = one(
        connection,
        "select heap_blks_read + heap_blks_hit + idx_blks_read + idx_blks_hit as pages "
        "from pg_statio_user_tables where relid = 'public.report_outputs'::regclass",
    )
    return int(row["pages"])


def others(connection: Connection) -> int:
    row = one(
        connection,
        "select count(*) as others from pg_stat_activity "
        "where datname = current_database() and pid <> pg_backend_pid() and backend_type = 'client backend'",
    )
    return int(row["others"])


def test_a_page_of_the_list_reads_what_an_index_leads_to(database: URL, dba: Connection) -> None:
    set_versions(dba)
    dba.execute("alter table report_outputs set (autovacuum_enabled = off)")
    dba.execute(
        "insert into report_outputs (country_id, simulation_1_id, simulation_2_id, api_version, status, year) "
        "select 'us', n, n + 1, 'r147f26ed1', case when n %% 500 = 0 then 'error' when n %% 1000 = 1 then 'pending' "
        "else 'complete' end, '2025' from generate_series(1, %s) as n",
        [REPORTS],
    )
    dba.execute("analyze report_outputs")
    # What this session itself has read is counted now, and not with one of the pages below.
    dba.execute("select pg_stat_force_next_flush()")
    whole = int(one(dba, "select pg_relation_size('report_outputs') / 8192 as pages")["pages"])
    assert whole > 5 * MOST_PAGES
    for query in (
        "",
        "after_report_id=500000",
        "status=error",
        "status=error&country_id=us&after_report_id=500000",
        "status=pending",
        "country_id=us",
        "report_id=700001",
    ):
        before = pages_read(dba)
        with console_over(database) as operator:
            assert operator.open(f"/console/reports?{query}").status == 200
        while others(dba):
            dba.execute("select pg_sleep(0.01)")
        dba.execute("select pg_stat_clear_snapshot()")
        assert 0 < pages_read(dba) - before < MOST_PAGES, query
