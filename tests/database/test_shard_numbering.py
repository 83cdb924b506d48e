"""A database becomes a shard: from then on the ids of new rows tell where they lie, whoever inserts them."""

from __future__ import annotations

import json

import psycopg
import pytest
from sqlalchemy import URL

from pyapi.database import call
from pyapi.schema import migrate
from tests.support.claims import claim, finish
from tests.support.concurrency import at_once
from tests.support.databases import Connect, Connection, engine
from tests.support.factories import (
    add_economy_report,
    add_reform_impact,
    add_report,
    add_simulation,
    set_versions,
)
from tests.support.refusals import refusal, refuses
from tests.support.shards import prepare
from tests.support.snapshots import everything, snapshot, without_runs
from tests.support.statements import newest_act, one, rerun, undo

# Where they lie, by hashlib; see test_shards.
NEW_YORK = 51
US = 33


def shard_of(dba: Connection, kind: str, number: int) -> int:
    shard = one(dba, "select pgreprise.id_shard(%s, %s) as shard", kind, number)["shard"]
    assert isinstance(shard, int)
    return shard


def some_rows(dba: Connection) -> list[int]:
    """Reports of three populations, with cache rows and a history; returns their ids."""
    set_versions(dba)
    economy, _, _ = add_economy_report(dba)
    add_reform_impact(dba)
    whole = add_report(dba, add_simulation(dba, population_id="us"))
    household = add_report(dba, add_simulation(dba, population_id="7", population_type="household"))
    rerun(dba, economy)
    add_reform_impact(dba)
    return [economy, whole, household]


def test_rows_of_before_keep_their_ids_and_are_looked_up_by_ranges(dba: Connection) -> None:
    reports = some_rows(dba)
    before = snapshot(dba)
    told = prepare(dba)
    assert snapshot(dba) == before
    assert told["first_id"] % 64 == 0
    assert told["first_id"] > max(reports)
    assert [shard_of(dba, "report", report) for report in reports] == [NEW_YORK, US, 56]
    assert {shard_of(dba, "reform_impact", number) for number in (1, 2)} == {NEW_YORK}
    assert shard_of(dba, "rerun", newest_act(dba)["rerun_id"]) == NEW_YORK
    covered = dba.execute(
        "select kind, min(first_id) as first, max(last_id) as last, sum(last_id - first_id + 1) as ids"
        " from pgreprise.shard_id_range group by kind"
    ).fetchall()
    assert {row["kind"] for row in covered} == {"report", "simulation", "reform_impact", "rerun"}
    for row in covered:
        assert (row["first"], row["last"], row["ids"]) == (0, told["first_id"] - 1, told["first_id"]), row


@pytest.mark.parametrize("with_rows", [True, False])
def test_new_rows_of_the_application_get_ids_that_tell_their_logical_shard(dba: Connection, with_rows: bool) -> None:
    if with_rows:
        some_rows(dba)
    first_id = prepare(dba)["first_id"]
    first, second = add_simulation(dba), add_simulation(dba, population_id="us")
    ids = [first, second, add_report(dba, first), add_report(dba, second), add_reform_impact(dba)]
    assert [number & 63 for number in ids] == [NEW_YORK, US, NEW_YORK, US, NEW_YORK]
    assert len(set(ids)) == len(ids)
    assert min(ids) >= first_id


def test_a_report_whose_simulation_is_missing_gets_an_id_too(dba: Connection) -> None:
    prepare(dba)
    report = add_report(dba, 999)
    assert one(dba, "select count(*) as reports from report_outputs where id = %s", report)["reports"] == 1


def test_a_report_cannot_link_simulations_that_lie_apart(dba: Connection) -> None:
    set_versions(dba)
    prepare(dba)
    first = add_simulation(dba, population_id="7", population_type="household")
    second = add_simulation(dba, population_id="8", population_type="household")
    said = refusal(dba, "select get_or_create_report('us', %s, %s)", first, second)
    assert said.code == "RR033"
    assert said.message == "The report links simulations of different logical shards (56 and 22)."
    assert said.detail == {"report_id": None, "simulation_ids": [first, second], "logical_shards": [56, 22]}
    with refuses(dba, "RR033", said.message):
        add_report(dba, first, second)


def test_a_report_of_before_whose_simulations_lie_apart_is_told_and_listed_as_a_defect(dba: Connection) -> None:
    set_versions(dba)
    first = add_simulation(dba, population_id="7", population_type="household")
    report = add_report(dba, first, add_simulation(dba, population_id="8", population_type="household"))
    assert dba.execute("select * from report_defects()").fetchall() == []
    assert prepare(dba)["lying_apart"] == 1
    assert [row["errcode"] for row in dba.execute("select * from report_defects()")] == ["RR033"]
    assert refusal(dba, "call rerun_report(%s::bigint)", report).code == "RR033"
    result = one(dba, "call rerun_reports(array[%s::bigint])", report)["result"]
    assert [refused["errcode"] for refused in result["refused"]] == ["RR033"]


def test_rerun_and_undo_do_the_same_as_in_a_plain_database(dba: Connection) -> None:
    economy, _, household = some_rows(dba)
    prepare(dba)
    before = snapshot(dba)
    for report in (economy, household):
        act = rerun(dba, report)["rerun_id"]
        assert shard_of(dba, "rerun", act) == shard_of(dba, "report", report)
        assert undo(dba, act)["undo_id"] & 63 == shard_of(dba, "report", report)
    assert without_runs(snapshot(dba)) == without_runs(before)


def test_every_kind_of_act_has_a_number_of_its_logical_shard(dba: Connection) -> None:
    set_versions(dba)
    prepare(dba)
    report, simulation, _ = add_economy_report(dba)
    add_reform_impact(dba)
    rerun(dba, report)
    dba.execute("select reset_report(%s)", (report,))
    dba.execute("select reset_simulation(%s)", (simulation,))
    add_reform_impact(dba)
    dba.execute("select delete_reform_impacts('us', 2, 3, 'state/ny', 'default', '2025')")
    undo(dba, newest_act(dba)["rerun_id"])
    dba.execute("call rerun_reports(array[%s::bigint])", (report,))
    dba.execute("select cancel_run(%s)", (report,))
    acts = dba.execute("select kind, rerun_id from pgreprise.rerun").fetchall()
    assert {act["kind"] for act in acts} == {
        "rerun", "reset_report", "reset_simulation", "delete_reform_impacts", "undo", "cancel_run",
    }  # fmt: skip
    assert {act["rerun_id"] & 63 for act in acts} == {NEW_YORK}


def test_a_claim_tells_its_logical_shard_and_works_as_ever(dba: Connection) -> None:
    set_versions(dba)
    prepare(dba)
    report = add_report(dba, add_simulation(dba, status="pending", output=None), status="pending", output=None)
    claimed = claim(dba, report)
    assert one(dba, "select pgreprise.claim_shard(%s) as shard", claimed["claim_id"])["shard"] == NEW_YORK
    finish(dba, claimed)
    assert one(dba, "select status from report_outputs where id = %s", report)["status"] == "complete"


def test_a_batch_and_its_undo_work_as_ever(dba: Connection) -> None:
    reports = some_rows(dba)
    prepare(dba)
    before = snapshot(dba)
    batch = one(dba, "select create_rerun_batch(%s, expected_reports => 3) as id", json.dumps({"ids": reports}))["id"]
    assert one(dba, "call run_rerun_batch(%s)", batch)["result"]["rerun"] == 3
    acts = dba.execute("select rerun_id, report_id from pgreprise.rerun where batch_id = %s", (batch,)).fetchall()
    for act in acts:
        assert shard_of(dba, "rerun", act["rerun_id"]) == shard_of(dba, "report", act["report_id"])
    dba.execute("call undo_rerun_batch(%s)", (batch,))
    assert without_runs(snapshot(dba)) == without_runs(before)


def test_a_batch_takes_the_id_that_a_router_has_taken_and_no_other_caller_may_say_one(
    dba: Connection, connect: Connect
) -> None:
    reports = some_rows(dba)
    prepare(dba)
    create = "select create_rerun_batch(%s, expected_reports => 3) as id"
    with dba.transaction():
        dba.execute("set local pgreprise.batch_id = '6400000'")
        assert one(dba, create, json.dumps({"ids": reports}))["id"] == 6400000
    dba.execute("create role shard_caller login")
    try:
        dba.execute("grant pgreprise_dba to shard_caller")
        other = connect()
        other.execute("set session authorization shard_caller")
        other.execute("set pgreprise.batch_id = '6400064'")
        assert one(other, create, json.dumps({"ids": reports}))["id"] != 6400064
        other.execute("reset session authorization")
    finally:
        dba.execute("drop role shard_caller")


def test_two_callers_at_the_same_moment_create_one_row_of_the_right_logical_shard(
    dba: Connection, connect: Connect
) -> None:
    set_versions(dba)
    prepare(dba)
    callers = [connect() for _ in range(4)]
    statement = (
        "select (found.stored).id, found.created from get_or_create_simulation('us', 'us', 'geography', 9) as found"
    )
    found = at_once(4, lambda number: one(callers[number], statement))
    assert {row["id"] & 63 for row in found} == {US}
    assert len({row["id"] for row in found}) == 1
    assert sum(row["created"] for row in found) == 1


@pytest.mark.parametrize(
    ("arrange", "message"),
    [
        ("select pgreprise.prepare_shard()", "This database is a shard already."),
        ("select create_rerun_batch('{\"ids\": [1]}')", "A batch is not finished."),
        (
            "create table public.note (report_id bigint constraint note_report references public.report_outputs)",
            "Foreign keys to tables that are moved stand in the way: note_report of public.note refers to "
            "public.report_outputs.",
        ),
    ],
)
def test_what_stands_in_the_way_is_told_and_nothing_is_changed(dba: Connection, arrange: str, message: str) -> None:
    some_rows(dba)
    dba.execute(arrange.encode())
    said = refusal(dba, "select pgreprise.prepare_shard()")
    assert (said.code, said.message) == ("55000", message)
    assert said.hint


def test_an_open_claim_stands_in_the_way(dba: Connection) -> None:
    add_report(dba, add_simulation(dba, status="pending", output=None), status="pending", output=None)
    set_versions(dba)
    claim(dba)
    assert refusal(dba, "select pgreprise.prepare_shard()").code == "55000"


@pytest.mark.parametrize("arguments", ["array[64]", "array[-1]", "array[null::integer]", "first_id => 6401"])
def test_logical_shards_and_first_ids_that_cannot_be_are_refused(dba: Connection, arguments: str) -> None:
    assert refusal(dba, f"select pgreprise.prepare_shard({arguments})").code == "22023"


def test_a_first_id_that_is_taken_or_a_part_of_rows_is_refused(dba: Connection) -> None:
    dba.execute("select setval(pg_get_serial_sequence('public.report_outputs', 'id'), 6400)")
    assert refusal(dba, "select pgreprise.prepare_shard(first_id => 6400)").code == "55000"
    some_rows(dba)
    assert refusal(dba, "select pgreprise.prepare_shard(array[1, 2])").code == "55000"


def test_a_new_row_of_a_logical_shard_that_is_not_here_is_refused(dba: Connection) -> None:
    set_versions(dba)
    dba.execute("select pgreprise.prepare_shard(array[%s])", (NEW_YORK,))
    add_simulation(dba)
    said = refusal(dba, "select get_or_create_simulation('us', 'us', 'geography', 9)")
    assert said.code == "RR034"
    assert said.detail == {"logical_shard": US, "state": "absent"}
    with refuses(dba, "RR034"):
        add_reform_impact(dba, region="us")


def test_integer_ids_are_told_how_far_they_go_and_refused_when_they_end_soon(dba: Connection) -> None:
    dba.execute("alter table public.report_outputs alter column id type integer")
    with dba.transaction() as trial:
        assert prepare(dba)["ids_left"] == (2**31 - 1 - 64) // 64
        raise psycopg.Rollback(trial)
    dba.execute("select setval(pg_get_serial_sequence('public.simulations', 'id'), 2147480000)")
    assert refusal(dba, "select pgreprise.prepare_shard()").message == "Ids of type integer end soon after 2147480064."


def test_the_application_can_still_widen_its_ids(dba: Connection) -> None:
    dba.execute("alter table public.report_outputs alter column id type integer")
    prepare(dba)
    dba.execute("alter table public.report_outputs alter column id type bigint")
    assert add_report(dba, add_simulation(dba)) & 63 == NEW_YORK


def test_a_row_with_an_id_that_the_sequence_has_not_given_is_told(dba: Connection) -> None:
    prepare(dba)
    first = add_simulation(dba)
    add_simulation(dba, id=first + 64)
    [behind] = dba.execute("select * from pgreprise.sequences_behind()").fetchall()
    assert (behind["table_name"], behind["greatest_id"]) == ("public.simulations", first + 64)
    dba.execute(behind["remedy"].encode())
    assert dba.execute("select * from pgreprise.sequences_behind()").fetchall() == []
    assert add_simulation(dba) > first + 64
    set_versions(dba)
    add_simulation(dba, id=one(dba, "select max(id) + 64 as next from simulations")["next"])
    created = "select get_or_create_simulation('us', 'state/ny', 'geography', 77)"
    assert refusal(dba, created).code == "RR023"


def test_a_shard_is_migrated_again_and_given_back_as_it_was_found(database: URL, dba: Connection) -> None:
    some_rows(dba)
    columns = (
        "select table_name, column_name, is_identity, identity_generation, column_default"
        " from information_schema.columns where table_schema = 'public'"
        " and table_name in ('simulations', 'report_outputs', 'reform_impact')"
        " and column_name in ('id', 'reform_impact_id') order by 1"
    )
    dba.execute(
        "alter table public.simulations alter id drop identity; create sequence public.own_ids;"
        "select setval('public.own_ids', 1000);"
        "alter table public.simulations alter id set default nextval('public.own_ids')"
    )
    before = dba.execute(columns.encode()).fetchall()
    prepare(dba)
    migrate.upgrade(engine(database))
    largest = add_simulation(dba)
    kept = snapshot(dba)
    dba.execute("truncate pgreprise.rerun")
    migrate.downgrade(engine(database), "reports@base")
    assert dba.execute(columns.encode()).fetchall() == before
    assert [row["id"] for row in kept["simulations"]] == [
        row["id"] for row in dba.execute("select id from public.simulations order by id")
    ]
    assert add_simulation(dba) > largest


def test_a_shard_that_has_given_rows_away_is_not_given_back(database: URL, dba: Connection) -> None:
    dba.execute("select pgreprise.prepare_shard(array[1])")
    before = everything(dba)
    with pytest.raises(Exception, match="one of several servers"):
        migrate.downgrade(engine(database), "reports@base")
    assert everything(dba) == before


def test_the_doctor_of_a_shard_names_what_is_wrong(database: URL, dba: Connection) -> None:
    some_rows(dba)
    prepare(dba)
    assert call(engine(database), "pgreprise.shard_problems") == []
    dba.execute("alter table public.simulations alter id add generated by default as identity")
    dba.execute("alter table public.report_outputs disable trigger pgreprise_assign_id")
    dba.execute("update pgreprise.logical_shard set state = 'absent' where logical_shard = %s", (US,))
    add_reform_impact(dba, reform_impact_id=64 * 1000 + 7)
    found = dba.execute("select * from pgreprise.shard_problems()").fetchall()
    assert [row["problem"] for row in found] == [
        "New rows of public.simulations get ids that do not tell their logical shard: column id has an identity again.",
        "1 row of public.simulations belongs to logical shard 33, which this server does not hold.",
        "Table public.report_outputs lacks the trigger pgreprise_assign_id, or it is disabled: new rows get no id.",
        "1 row of public.report_outputs belongs to logical shard 33, which this server does not hold.",
        "1 row of public.reform_impact has an id that tells another logical shard than the population, for example "
        "64007.",
    ]
    for row in (found[0], found[2]):
        dba.execute(row["remedy"].encode())
    assert len(dba.execute("select * from pgreprise.shard_problems()").fetchall()) == 3
