"""Where populations, ids and claims lie, once a database is one of several servers."""

from __future__ import annotations

import uuid

import pytest

from tests.support.databases import Connection
from tests.support.statements import one

# Computed by hashlib: sha256("us\x1fus")[0] & 63, and so on.
POPULATIONS = (
    ("us", "us", 33),
    ("us", "state/ca", 31),
    ("us", "ca", 31),
    ("uk", "uk", 55),
    ("us", "household-1", 6),
    ("uk", "42", 28),
)


@pytest.mark.parametrize(("country_id", "population_id", "logical_shard"), POPULATIONS)
def test_a_population_lies_where_the_test_vectors_say(
    dba: Connection, country_id: str, population_id: str, logical_shard: int
) -> None:
    found = one(dba, "select pgreprise.population_shard(%s, %s) as shard", country_id, population_id)
    assert found["shard"] == logical_shard


def test_populations_spread_over_all_logical_shards(dba: Connection) -> None:
    counted = one(
        dba,
        "select count(distinct shard) as shards, min(populations) as fewest, max(populations) as most from ("
        " select pgreprise.population_shard('us', number::text) as shard, count(*) over ("
        "  partition by pgreprise.population_shard('us', number::text)) as populations"
        " from generate_series(1, 6400) as number) as counted",
    )
    assert counted["shards"] == 64
    # 100 each; by chance alone it is hardly ever outside of 60 and 140.
    assert 60 <= counted["fewest"] <= counted["most"] <= 140


def test_a_plain_database_has_no_logical_shards(dba: Connection) -> None:
    assert one(dba, "select pgreprise.id_shard('report', 4) as shard")["shard"] is None


def test_an_id_tells_its_logical_shard_and_one_of_before_is_looked_up(dba: Connection) -> None:
    dba.execute("insert into pgreprise.shard_numbering (first_id, hash_version) values (6400, 1)")
    dba.execute(
        "insert into pgreprise.shard_id_range (kind, first_id, last_id, logical_shard)"
        " values ('report', 0, 4, 7), ('report', 5, 6399, 9), ('simulation', 0, 6399, 63)"
    )
    told = {
        ("report", 0): 7,
        ("report", 4): 7,
        ("report", 5): 9,
        ("report", 6399): 9,
        ("simulation", 2): 63,
        ("report", 6400): 0,
        ("report", 6463): 63,
        ("rerun", 6400 + 64 * 5 + 17): 17,
        ("report", None): None,
    }
    for (kind, number), shard in told.items():
        assert one(dba, "select pgreprise.id_shard(%s, %s) as shard", kind, number)["shard"] == shard, (kind, number)


def test_a_claim_tells_its_logical_shard(dba: Connection) -> None:
    claim_id = uuid.UUID("7e57d004-2b97-4e7a-b45f-5387367791d1")
    assert one(dba, "select pgreprise.claim_shard(%s) as shard", claim_id)["shard"] == 0xD1 & 63
