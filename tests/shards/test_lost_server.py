"""A server is lost with its backups: what another one keeps comes back, the rest begins anew, as the page says."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from tests.support.databases import connect
from tests.support.factories import add_simulation, set_versions
from tests.support.moving import Fleet, named, type_as_the_page
from tests.support.statements import rerun

pytestmark = pytest.mark.needs("time")

# state/ca and all of us, as the test vectors of population_shard say.
CALIFORNIA, US = 31, 33
# Of California.
REPORT = 102


@pytest.fixture
def servers(new_fleet: Callable[[str, str], Fleet]) -> Fleet:
    """Server a with the reports of our host, and b, c and d, which are empty."""
    return new_fleet("ours", "abcd")


def those(servers: Fleet, b: str) -> Fleet:
    """Server a, and this one, of the name b."""
    urls = {"a": servers.urls["a"], "b": servers.urls[b]}
    return Fleet(urls, servers.settings | {"PGREPRISE_SHARDS": named(urls)})


@pytest.fixture
def before(servers: Fleet) -> Fleet:
    """California is on b."""
    found = those(servers, "b")
    found.did("prepare", "a")
    found.did("prepare", "b", "--empty")
    assert found.move(str(CALIFORNIA), "b").returncode == 0
    return found


def test_what_another_server_keeps_comes_back(servers: Fleet, before: Fleet) -> None:
    rows = before.contents()
    with connect(before.urls["b"]) as lost:
        given = add_simulation(lost, population_id="ca", policy_id=1)
        set_versions(lost)
        rerun(lost, REPORT)
        [seen] = lost.execute("select * from rerun_feed(0)").fetchall()
    after = those(servers, "c")
    after.did("prepare", "b", "--empty")
    with connect(after.urls["b"]) as new:
        type_as_the_page(new, CALIFORNIA, "rerun_feed_counter")
        type_as_the_page(new, CALIFORNIA, "shard_ids_19")
    told = json.loads(after.do("map", "--no-router", "--json").stdout)["logical_shards"][CALIFORNIA]
    assert (told["wrong"], told["kept_by"]) == ("on no server that answers", "a")
    assert after.move(str(CALIFORNIA), "b").returncode == 0
    assert (after.contents(), after.holders()[CALIFORNIA]) == (rows, ["b"])
    with connect(after.urls["b"]) as new:
        assert add_simulation(new, population_id="ca", policy_id=1) > given
        set_versions(new)
        done = rerun(new, REPORT)
        [act] = new.execute("select * from rerun_feed(%s)", (seen["feed_position"],)).fetchall()
    assert act["rerun_id"] == done["rerun_id"]


def test_what_nobody_keeps_begins_anew_and_no_number_comes_twice(servers: Fleet, before: Fleet) -> None:
    with connect(before.urls["b"]) as lost:
        given = add_simulation(lost, population_id="ca", policy_id=1)
    before.did("forget", str(CALIFORNIA), "--yes")
    after = those(servers, "c")
    after.did("prepare", "b", "--empty")
    refused = after.move(str(US), "b")
    assert (refused.returncode, f"No server has logical shard {CALIFORNIA}." in refused.stderr) == (1, True)
    with connect(after.urls["b"]) as new:
        type_as_the_page(new, CALIFORNIA, "begin_arriving")
        assert add_simulation(new, population_id="ca", policy_id=1) > given
    assert json.loads(after.did("map", "--no-router", "--json"))["logical_shards"][CALIFORNIA]["server"] == "b"
    assert after.move(str(US), "b").returncode == 0
    assert after.move(str(CALIFORNIA), "a").returncode == 0
    assert after.holders()[CALIFORNIA] == ["a"]
