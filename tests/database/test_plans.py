"""Calls about one report stay cheap when the tables are large: every look-up goes by an index, to a few rows."""

from __future__ import annotations

from typing import Any

import pytest
from psycopg import sql

from tests.support.databases import Connection
from tests.support.factories import set_versions
from tests.support.statements import one

ROWS = 20_000


@pytest.fixture
def large(dba: Connection) -> Connection:
    """Tables of 20,000 rows of one country and year, the cache all of one baseline, as they are in life."""
    set_versions(dba)
    dba.execute(
        """
        insert into public.simulations (country_id, api_version, population_id, population_type, policy_id, status)
        select 'us', '1.0.0', 'state/' || number %% 50, 'geography', number / 50, 'complete'
          from generate_series(0, %(rows)s - 1) as number
        """,
        {"rows": ROWS},
    )
    dba.execute(
        """
        insert into public.report_outputs (country_id, simulation_1_id, simulation_2_id, api_version, status, year)
        select 'us', 1 + number %% 50, number, 'r147f26ed1', 'complete', '2025'
          from generate_series(51, 50 + %(rows)s) as number
        """,
        {"rows": ROWS},
    )
    dba.execute(
        """
        insert into public.reform_impact (baseline_policy_id, reform_policy_id, country_id, region, dataset,
          time_period, options_hash, api_version, reform_impact_json, status, execution_id)
        select 0, number / 50, 'us', 'state/' || number %% 50, 'default', '2025', '[]', 'e158e63ef1', '{}', 'ok', 'job'
          from generate_series(0, %(rows)s - 1) as number
        """,
        {"rows": ROWS},
    )
    dba.execute("select set_setting('allow_unfinish', 'on')")
    dba.execute("analyze public.simulations, public.report_outputs, public.reform_impact")
    return dba


CALLS = [
    "call rerun_report({n}, 'us')",
    "call rerun_report({n})",
    "select get_report({n}, 'us')",
    "select get_simulation({n}, 'us')",
    "select update_report({n}, 'us', status => 'running')",
    "select update_simulation({n}, 'us', status => 'running')",
    "select reset_report({n})",
    "select reset_simulation({n})",
    "select delete_reform_impacts('us', 0, {n}, 'state/7', 'default', '2025', 'e158e63ef1')",
    "select delete_reform_impacts('us', 0, {n}, 'state/7', 'default', '2025', statuses => array['ok'])",
    "select get_or_create_simulation('us', 'state/7', 'geography', {n})",
    "select get_or_create_simulation('us', 'state/7', 'geography', {n} + 1000000)",
    "select get_or_create_report('us', 1 + (50 + {n}) % 50, 50 + {n}, year => '2025')",
    "select get_or_create_report('us', {n}, 50 + {n}, year => '2026')",
    "select get_or_create_report('us', {n}, year => '2026')",
]


def scans(connection: Connection) -> dict[str, Any]:
    """What this transaction has read so far of the three tables."""
    return one(
        connection,
        """
        select sum(seq_scan) as sequential, sum(idx_scan) as by_index, sum(idx_tup_fetch) + sum(seq_tup_read) as rows
          from pg_stat_xact_user_tables
         where schemaname = 'public' and relname in ('report_outputs', 'simulations', 'reform_impact')
        """,
    )


@pytest.mark.parametrize("plans", ["auto", "force_generic_plan"])
def test_a_call_reads_a_few_rows_and_each_by_an_index(large: Connection, plans: str) -> None:
    # One after the other in one session, so that plans are made once for all values, too.
    large.execute(f"set plan_cache_mode = {plans}")
    for call in CALLS:
        with large.transaction():
            before = scans(large)
            for number in range(100, 110):
                large.execute(call.replace("{n}", str(number)).encode())
            after = scans(large)
        read = {name: after[name] - before[name] for name in after}
        assert read["sequential"] == 0, call
        assert read["by_index"] > 0, call
        # A rerun locks, archives and writes each row, reads the two simulations and the cache row before, and looks for
        # the dataset and for reports of the same key: 16 rows.
        assert read["rows"] <= 10 * 16, (call, read)


def test_looking_for_the_reports_of_a_simulation_goes_by_an_index(large: Connection) -> None:
    for column in ("simulation_1_id", "simulation_2_id"):
        reports = sql.SQL("select id from public.report_outputs where {} = 19999").format(sql.Identifier(column))
        with large.transaction():
            before = scans(large)
            large.execute(reports)
            after = scans(large)
        assert after["sequential"] == before["sequential"], column
        assert after["by_index"] > before["by_index"], column
