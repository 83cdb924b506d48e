"""An operator types `pgreprise` with a router as DATABASE_URL, and makes a router."""

from __future__ import annotations

import json

import pytest

from tests.support.command import Done, run_here, succeeded
from tests.support.databases import Connection, connect, plain
from tests.support.fleets import Shards, run_script
from tests.support.statements import one

pytestmark = pytest.mark.needs("plproxy")


def typed(shards: Shards, *arguments: str) -> Done:
    """A command at the router; the servers are known to it."""
    servers = " ".join(f"{name}={plain(shards.url(name))}" for name in shards.fleet.servers)
    return run_here(*arguments, DATABASE_URL=plain(shards.router), PGREPRISE_SHARDS=servers)


def problems(shards: Shards) -> list[str]:
    """What the doctor finds between the router and the servers."""
    found = json.loads(typed(shards, "doctor", "--json").stdout)
    return [finding["message"] for finding in found if finding["check"] == "router"]


def test_a_report_is_rerun_looked_at_and_undone(shards: Shards) -> None:
    report = shards.add_report("ca")
    [result] = json.loads(succeeded(typed(shards, "rerun", "us", str(report), "--json")))
    assert result["report_id"] == report
    assert str(result["rerun_id"]) in succeeded(typed(shards, "history"))
    succeeded(typed(shards, "undo", str(result["rerun_id"])))
    assert typed(shards, "rerun", "us", "6399936").returncode == 1


def test_a_batch_is_run(shards: Shards, psql: Connection) -> None:
    shards.reports(2)
    assert typed(shards, "rerun-batch", "--country", "us").returncode == 0
    assert one(psql, "select state, rerun from rerun_batches()") == {"state": "finished", "rerun": 4}


def test_the_command_prints_the_router_that_there_is(shards: Shards, psql: Connection) -> None:
    text = succeeded(typed(shards, "shard", "router"))
    run_script(shards.fleet.of_routers, shards.database, text)
    report = shards.add_report("ca")
    assert one(psql, "call rerun_report(%s)", report)["result"]["report_id"] == report


def test_the_doctor_finds_nothing_between_a_router_and_its_servers_that_agree(shards: Shards) -> None:
    assert problems(shards) == []


def test_the_doctor_names_what_differs_between_the_servers(shards: Shards) -> None:
    with connect(shards.url("b")) as server:
        server.execute("select set_setting('largest_batch', '7')")
        server.execute("select set_cache_versions('uk', package => 'other')")
        server.execute("update pgreprise.logical_shard set state = 'absent' where logical_shard = 5")
        server.execute("update pgreprise.routine_version set checksum = 'edited' where name = 'reports/get_report'")
    assert problems(shards) == [
        "Logical shards 5 are sent to server b, which does not hold them.",
        'Routine reports/get_report differs between the servers: a has "'
        + shards.row("select checksum from pgreprise.routine_version where name = 'reports/get_report'", name="a")[
            "checksum"
        ]
        + '", b has "edited".',
        "Setting largest_batch differs between the servers: a has 1000, b has 7.",
        'The current versions of uk differs between the servers: a has [null, null, null], b has [null, null, "other"].',
        "The router is older than its servers: get_report.",
    ]


def test_the_doctor_names_a_server_that_is_away(shards: Shards) -> None:
    shards.fleet.servers["b"].stop()
    try:
        assert problems(shards) == ["Server b cannot be reached. Nothing of it could be compared."]
    finally:
        shards.fleet.servers["b"].start()
