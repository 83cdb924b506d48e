"""What a claim and its end read stays small, whatever the tables were like when they were analyzed or planned for."""

from __future__ import annotations

import pytest

from tests.support.claims import claim, claims, finish
from tests.support.databases import Connection
from tests.support.factories import add_report, add_simulation, set_versions
from tests.support.statements import one

REPORTS = 20_000
# A call needs less than a hundred; reading a table, or the index of all reports, takes five hundred and more.
MOST_PAGES = 250
# The driver prepares a statement, and PL/pgSQL settles on its plans, within some calls.
SETTLED = 8


@pytest.fixture
def pending(dba: Connection) -> Connection:
    """Reports that all waited when the tables were analyzed, each with a simulation that is finished."""
    set_versions(dba)
    dba.execute(
        """
        insert into public.simulations
          (country_id, api_version, population_id, population_type, policy_id, status, output)
        select 'us', '1.0.0', number::text, 'household', 1, 'complete', '{}' from generate_series(1, %s) as number
        """,
        (REPORTS,),
    )
    dba.execute(
        """
        insert into public.report_outputs (country_id, simulation_1_id, api_version, status, year)
        select 'us', id, 'r147f26ed1', 'pending', '2025' from public.simulations order by id
        """
    )
    dba.execute("analyze public.simulations, public.report_outputs")
    return dba


def pages(connection: Connection, call: str, *values: object) -> int:
    """How many pages a call has read."""
    plan = one(connection, f"explain (analyze, buffers, format json) {call}", *values)["QUERY PLAN"][0]["Plan"]
    return int(plan["Shared Hit Blocks"]) + int(plan["Shared Read Blocks"])


@pytest.mark.parametrize("country", [None, "us"])
def test_a_claim_does_not_read_what_was_finished_since_the_tables_were_analyzed(
    pending: Connection, country: str | None
) -> None:
    pending.execute(
        "update public.report_outputs set status = 'complete', output = '{}' where id <= %s", (REPORTS - 100,)
    )
    pending.execute("vacuum (analyze off) public.report_outputs")
    call = "select * from claim_report('w', country_id => %s::text)"
    pages(pending, call, country)  # the first call of a session reads the catalog
    for _ in range(SETTLED):
        assert pages(pending, call, country) < MOST_PAGES


def test_a_session_that_began_without_claims_reads_no_table_of_them(pending: Connection) -> None:
    pending.execute("vacuum (analyze) pgreprise.claim, pgreprise.claim_simulation, pgreprise.retry")
    for _ in range(SETTLED):
        finish(pending, claim(pending))
    pending.execute(
        """
        insert into pgreprise.claim (report_id, run_sequence, attempt, country_id, worker, lease, claimed_at,
          heartbeat_at, lease_until, ended_at, ended_as)
        select 1000000 + number, 1, 1, 'us', 'w', '1 min', now(), now(), now(), now(), 'complete'
          from generate_series(1, 40000) as number
        """
    )
    pending.execute(
        """
        insert into pgreprise.claim_simulation (claim_id, simulation_id, run_sequence, computes, open, claimed_at)
        select claim_id, report_id, 1, false, false, now() from pgreprise.claim where report_id > 1000000
        """
    )
    claim_id = claim(pending)["claim_id"]
    for call in (
        "select * from heartbeat_claim(%s)",
        "select * from finish_report(%s, '{}')",
        "select * from finish_report(%s, '{}')",
    ):
        assert pages(pending, call, claim_id) < MOST_PAGES, call
    for _ in range(2):
        assert pages(pending, "select * from claim_report('w')") < MOST_PAGES


def test_a_claim_does_not_read_the_retries_that_are_not_due(pending: Connection) -> None:
    pending.execute("vacuum (analyze) pgreprise.claim, pgreprise.claim_simulation, pgreprise.retry")
    for _ in range(SETTLED):
        finish(pending, claim(pending))
    pending.execute(
        """
        insert into pgreprise.retry (report_id, run_sequence, retry_at)
        select id, 1, now() + interval '1 hour' from public.report_outputs where status = 'pending' and id > 100
        """
    )
    for _ in range(2):
        assert pages(pending, "select * from claim_report('w')") < MOST_PAGES


@pytest.mark.parametrize("country", [None, "ca", "uk", "us"])
def test_pages_over_countries_give_each_pending_report_once_in_the_order_of_ids(
    dba: Connection, country: str | None
) -> None:
    countries = ("us", "uk", "us", "ca", "uk", "uk", "us")
    for name in ("us", "uk", "ca"):
        dba.execute(
            "select set_cache_versions(%s, economy_impact => 'e1', report_output => 'r1', package => '1')", (name,)
        )
    made = []
    for number in range(70):
        name = countries[number % len(countries)]
        simulation = add_simulation(dba, country_id=name, population_id=str(number), status="complete", output="{}")
        status = "complete" if number % 5 == 0 else "pending"
        output = "{}" if status == "complete" else None
        report = add_report(dba, simulation, country_id=name, year=str(2000 + number), status=status, output=output)
        if status == "pending" and country in (None, name):
            made.append(report)
    read: list[int] = []
    while page := dba.execute(
        "select report_id from pgreprise.pending_reports(%s::text, %s, 16)", (country, read[-1] if read else 0)
    ).fetchall():
        read += [row["report_id"] for row in page]
    assert read == made
    claimed = []
    while found := claims(dba, **({} if country is None else {"country_id": country})):
        claimed += [row["report_id"] for row in found]
    assert claimed == made
