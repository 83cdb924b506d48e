"""plpgsql_check reads every PL/pgSQL routine and finds nothing."""

from __future__ import annotations

import pytest
from sqlalchemy import URL

from pyapi.schema.run_tables import create_run_tables
from tests.support.databases import connect, engine, rows

pytestmark = pytest.mark.needs("plpgsql_check")

# Left out: performance warnings, which count a cast of one value from the host's type to ours and advise
# `stable` where each call must see what has committed since; and one extra warning, as (stored, created)
# is what get_or_create_* return on purpose. Two routines put the host's own columns into a statement: their
# names by %I and %L, their types as PostgreSQL prints them, which plpgsql_check does not follow.
# locked_rows and raise_lock_wait write how strong a lock is, lost_rows the host's own columns by %I and tables by
# regclass, after_routine roles by quote_ident. locked_rows returns the rows of a statement.
# used_ids has a list of tables of its own, and what moves with a logical shard is a list of ours, too (shard_tables).
# A variable stands for the column report_spec_json where the application's table has none.
FINDINGS = """
  select procedure.oid::regprocedure::text as routine, finding.lineno, finding.level, finding.sqlstate,
      finding.message, finding.detail, finding.hint
    from pg_proc as procedure
    join pg_language as language on language.oid = procedure.prolang and language.lanname = 'plpgsql'
   cross join lateral plpgsql_check_function_tb(
     procedure.oid,
     case procedure.proname
       when 'number_simulation' then 'public.simulations'::regclass
       when 'number_reform_impact' then 'public.reform_impact'::regclass
       else case procedure.prorettype when 'trigger'::regtype then 'public.report_outputs'::regclass else 0 end
     end, fatal_errors => false, other_warnings => true, extra_warnings => true,
     security_warnings => true, compatibility_warnings => true
   ) as finding
   where procedure.pronamespace in ('public'::regnamespace, 'pgreprise'::regnamespace)
     and finding.message <> 'never read variable "report_spec_json"'
     and finding.message <> 'composite OUT variable "stored" is not single argument'
     and not (finding.level = 'security'
       and procedure.proname in ('after_routine', 'archive_host_columns', 'restore_reform_impacts', 'raise_lock_wait',
         'locked_rows', 'lost_rows', 'used_ids', 'shard_problems', 'shard_sequences_behind', 'forget_shard',
         'guard_table', 'leave_shard', 'shard_batches', 'shard_fingerprint', 'take_back_shard'))
     and not (procedure.proname in ('locked_rows', 'shard_fingerprint', 'shard_sequences_behind')
       and finding.message like 'OUT variable % is maybe unmodified')
   order by 1, 2
"""
PLPGSQL = """
  select count(*) as routines
    from pg_proc as procedure
    join pg_language as language on language.oid = procedure.prolang and language.lanname = 'plpgsql'
   where procedure.pronamespace in ('public'::regnamespace, 'pgreprise'::regnamespace)
"""


@pytest.fixture
def checked(database: URL) -> URL:
    """A migrated database that has plpgsql_check, and the application's own tables of runs, which routines name."""
    with engine(database).begin() as migrating:
        create_run_tables(migrating)
    with connect(database) as connection:
        connection.execute("create schema checker; create extension plpgsql_check schema checker")
    return database.update_query_dict({"options": "-csearch_path=public,checker"})


def test_plpgsql_check_finds_nothing_in_any_routine(checked: URL) -> None:
    assert rows(checked, PLPGSQL)[0]["routines"] > 0
    assert rows(checked, FINDINGS) == []


def test_plpgsql_check_would_find_a_mistake(checked: URL) -> None:
    with connect(checked) as connection:
        connection.execute(
            "create function pgreprise.mistaken() returns void language plpgsql "
            "as 'begin perform missing.id from public.simulations as missing where missing.nothing = 1; end'"
        )
    [found] = rows(checked, FINDINGS)
    assert found["message"] == "column missing.nothing does not exist"
