"""Long replies are compressed for those who accept it."""

from __future__ import annotations

import gzip

import pytest
from flask.testing import FlaskClient

from pyapi.api.compression import SHORTEST_BYTES
from tests.support.databases import Connection
from tests.support.factories import add_report, add_simulation, set_versions

OUTPUT = '{"label": "' + "a label, " * 400 + '"}'


@pytest.fixture
def path(dba: Connection) -> str:
    set_versions(dba)
    return f"/us/report/{add_report(dba, add_simulation(dba, population_type='household'), output=OUTPUT)}"


@pytest.mark.parametrize(
    "accepted", ["gzip", "deflate, gzip;q=0.5", "GZIP", "br;q=1.0, *;q=0.1", "gzip, deflate, br, zstd"]
)
def test_a_long_reply_is_compressed_for_those_who_accept_it(client: FlaskClient, path: str, accepted: str) -> None:
    plain = client.get(path)
    packed = client.get(path, headers={"Accept-Encoding": accepted})
    assert packed.headers["Content-Encoding"] == "gzip"
    assert gzip.decompress(packed.data) == plain.data
    assert int(packed.headers["Content-Length"]) == len(packed.data) < len(plain.data) / 4
    for reply in (plain, packed):
        assert "Accept-Encoding" in reply.headers["Vary"]
    # Both are the same row.
    assert packed.headers["ETag"] == plain.headers["ETag"]
    head = client.head(path, headers={"Accept-Encoding": accepted})
    assert (head.headers["Content-Length"], head.data) == (packed.headers["Content-Length"], b"")
    same = client.get(path, headers={"Accept-Encoding": accepted, "If-None-Match": packed.headers["ETag"]})
    assert (same.status_code, same.data) == (304, b"")
    assert "Content-Encoding" not in same.headers


@pytest.mark.parametrize(
    "accepted", [None, "", "identity", "br", "gzip;q=0", "*;q=0", "gzip;q=0.2, identity;q=0.8", "gzip;q=0, *"]
)
def test_others_get_it_as_it_is(client: FlaskClient, path: str, accepted: str | None) -> None:
    reply = client.get(path, headers={} if accepted is None else {"Accept-Encoding": accepted})
    assert reply.get_json()["result"]["output"] == OUTPUT
    assert "Content-Encoding" not in reply.headers
    assert "Accept-Encoding" in reply.headers["Vary"]


def test_a_short_reply_is_not_compressed(client: FlaskClient) -> None:
    reply = client.get("/us/report/999", headers={"Accept-Encoding": "gzip"})
    assert len(reply.data) < SHORTEST_BYTES
    assert "Content-Encoding" not in reply.headers
    assert reply.get_json()["code"] == "RR001"
