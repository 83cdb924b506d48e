"""The feed and whoever changes acts meanwhile: an undo, the undo of a batch, a purge."""

from __future__ import annotations

from tests.support.databases import Connect, Connection
from tests.support.factories import add_report, add_simulation, set_versions
from tests.support.statements import one, rerun


def feed(connection: Connection) -> list[int]:
    """The acts that the feed gives from the beginning."""
    return [row["rerun_id"] for row in connection.execute("select rerun_id from rerun_feed(0)").fetchall()]


def test_the_feed_does_not_wait_for_an_act_that_is_being_undone_and_gives_it_later(
    dba: Connection, connect: Connect
) -> None:
    # The undo of a batch takes acts newest first, the feed oldest first: waiting for each other was a deadlock.
    set_versions(dba)
    acts = [
        rerun(dba, add_report(dba, add_simulation(dba, population_type="household", policy_id=number)))["rerun_id"]
        for number in (1, 2, 3)
    ]
    undoing = connect(autocommit=False)
    undo = one(undoing, "call undo_rerun(%s::bigint)", acts[2])["result"]["undo_id"]

    dba.execute("set lock_timeout = '2s'")
    assert feed(dba) == acts[:2]

    # The undo takes an act that the feed has numbered, as the undo of a batch does.
    undone_too = one(undoing, "call undo_rerun(%s::bigint)", acts[1])["result"]["undo_id"]
    undoing.commit()
    assert feed(dba) == [*acts[:2], acts[2], undo, undone_too]
