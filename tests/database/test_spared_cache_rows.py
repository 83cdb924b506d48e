"""A DBA undoes a deletion of cache rows that had left others of the same key standing."""

from __future__ import annotations

import pytest

from tests.support.databases import Connection
from tests.support.factories import add_reform_impact, set_versions
from tests.support.refusals import refusal
from tests.support.snapshots import snapshot
from tests.support.statements import one

DELETE = "select delete_reform_impacts('us', 2, 3, 'state/ny', 'default', '2025', statuses => array['computing'])"


def newest_act(connection: Connection) -> int:
    return int(one(connection, "select max(rerun_id) as id from pgreprise.rerun")["id"])


@pytest.fixture
def rows(dba: Connection) -> Connection:
    """Rows of one key: the legacy helper's deletion takes the second and leaves an older and a newer one."""
    set_versions(dba)
    for status in ("ok", "computing", "error"):
        add_reform_impact(dba, status=status)
    return dba


def test_rows_that_the_deletion_left_standing_are_not_in_the_way_of_its_undo(rows: Connection) -> None:
    before = snapshot(rows)
    rows.execute(DELETE)
    assert len(snapshot(rows)["reform_impact"]) == 2
    rows.execute("call undo_rerun(%s::bigint)", (newest_act(rows),))
    assert snapshot(rows) == before


def test_a_row_that_came_after_the_deletion_is_in_its_way(rows: Connection) -> None:
    rows.execute(DELETE)
    newer = add_reform_impact(rows, status="computing")
    said = refusal(rows, "call undo_rerun(%s::bigint)", newest_act(rows))
    assert said.code == "RR010"
    assert f"there are newer economy cache rows (#{newer})" in str(said.message)
