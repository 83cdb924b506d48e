"""A reader of the feed keeps its position in the database."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.concurrency import waiting_for_a_lock
from tests.support.databases import Connect, Connection
from tests.support.factories import add_report, add_simulation, set_versions
from tests.support.refusals import refusal
from tests.support.statements import one, rerun


@pytest.fixture(autouse=True)
def report(dba: Connection) -> int:
    """A household report that was rerun twice."""
    set_versions(dba)
    report_id = add_report(dba, add_simulation(dba, population_type="household"))
    rerun(dba, report_id)
    rerun(dba, report_id)
    return report_id


def position(connection: Connection, reader: str = "mine") -> dict[str, Any]:
    return one(connection, "select * from feed_position(%s)", reader)


def keep(connection: Connection, kept: int, handled: int = 0, reader: str = "mine") -> int:
    row = one(connection, "select keep_feed_position(%s, %s::bigint, %s::bigint) as kept", reader, kept, handled)
    return int(row["kept"])


def test_a_reader_that_never_kept_a_position_has_none_and_everything_waits_for_it(dba: Connection, report: int) -> None:
    found = position(dba)
    assert (found["feed_position"], found["handled"], found["updated_at"]) == (None, None, None)
    oldest = one(dba, "select min(created_at) as at from pgreprise.rerun where report_id = %s", report)["at"]
    assert found["waiting_since"] == oldest
    assert found["waiting_seconds"] >= 0


def test_a_position_is_kept_for_each_reader_and_what_it_handled_is_added_up(dba: Connection, report: int) -> None:
    dba.execute("select * from rerun_feed(0)")
    assert keep(dba, 1, handled=3) == 1
    assert keep(dba, 2, handled=4) == 2
    assert keep(dba, 1, reader="another") == 1
    found = position(dba)
    assert (found["feed_position"], found["handled"], found["waiting_since"]) == (2, 7, None)
    assert position(dba, "another")["waiting_since"] is not None
    # An act without a position waits too.
    rerun(dba, report)
    assert position(dba)["waiting_since"] is not None


def test_a_position_never_goes_back(dba: Connection) -> None:
    dba.execute("select * from rerun_feed(0)")
    keep(dba, 2)
    assert keep(dba, 1, handled=5) == 2
    found = position(dba)
    assert (found["feed_position"], found["handled"]) == (2, 5)


def test_two_that_keep_a_position_at_once_keep_the_larger_one(connect: Connect, dba: Connection) -> None:
    dba.execute("select * from rerun_feed(0)")
    first, second = connect(autocommit=False), connect()
    second.execute("set lock_timeout = '60s'")
    keep(first, 2, handled=1)
    keeps = "select keep_feed_position('mine', 1, 1) as kept"
    with waiting_for_a_lock(dba, second, keeps) as waiting:
        first.commit()
    assert waiting.result().fetchall() == [{"kept": 2}]
    assert (position(dba)["feed_position"], position(dba)["handled"]) == (2, 2)


@pytest.mark.parametrize(
    ("reader", "kept", "handled"),
    [
        ("", 0, 0),
        (None, 0, 0),
        ("x" * 256, 0, 0),
        ("mine", -1, 0),
        ("mine", None, 0),
        # A position that the feed has not given would skip acts to come.
        ("mine", 3, 0),
        ("mine", 1, -1),
        ("mine", 1, None),
    ],
)
def test_a_reader_a_position_or_a_count_that_cannot_be_is_refused(
    dba: Connection, reader: str | None, kept: int | None, handled: int | None
) -> None:
    dba.execute("select * from rerun_feed(0)")
    said = refusal(dba, "select keep_feed_position(%s, %s::bigint, %s::bigint)", reader, kept, handled)
    assert said.code == "RR016"
    assert said.detail is not None
    assert (said.detail["reader"], said.detail["last_position"]) == (reader, 2)
