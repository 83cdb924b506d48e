"""A frontend works with simulations over HTTP."""

from __future__ import annotations

import json

from flask.testing import FlaskClient

from tests.support.databases import Connection
from tests.support.factories import SIMULATION_OF_HOST, VERSIONS, add_simulation, set_versions, without_times
from tests.support.replies import refused, succeeded
from tests.support.snapshots import snapshot

KEY = {"population_id": "state/ca", "population_type": "geography", "policy_id": 7}


def test_a_simulation_is_created_once_and_then_found(client: FlaskClient, dba: Connection) -> None:
    set_versions(dba)

    created = succeeded(client.post("/us/simulation", json=KEY), 201)

    assert without_times(created) == {
        "id": created["id"],
        "country_id": "us",
        "api_version": VERSIONS["us"]["package"],
        **KEY,
        "status": "pending",
        "output": None,
        "error_message": None,
        "run_sequence": 1,
        **SIMULATION_OF_HOST,
    }
    assert succeeded(client.post("/us/simulation", json=KEY), 200) == created
    assert succeeded(client.get(f"/us/simulation/{created['id']}")) == created
    assert len(snapshot(dba)["simulations"]) == 1


def test_output_is_read_as_the_json_text_that_is_stored(client: FlaskClient, dba: Connection) -> None:
    simulation = add_simulation(dba, output='{"a" :1.0}')
    assert succeeded(client.get(f"/us/simulation/{simulation}"))["output"] == '{"a" :1.0}'


def test_an_update_writes_what_is_given_and_leaves_the_rest(client: FlaskClient, dba: Connection) -> None:
    simulation = add_simulation(dba, status="running", output=None, error_message="old")
    update = {"id": simulation, "status": "complete", "output": {"budget": 4}}
    updated = succeeded(client.patch("/us/simulation", json=update))
    assert (updated["id"], updated["status"], updated["error_message"]) == (simulation, "complete", None)
    assert json.loads(updated["output"]) == {"budget": 4}
    assert succeeded(client.get(f"/us/simulation/{simulation}")) == updated


def test_a_simulation_of_another_country_is_neither_read_nor_updated(client: FlaskClient, dba: Connection) -> None:
    simulation = add_simulation(dba, country_id="us")
    before = snapshot(dba)
    refused(client.get(f"/uk/simulation/{simulation}"), 404, "RR007")
    refused(client.patch("/uk/simulation", json={"id": simulation, "status": "running"}), 404, "RR007")
    assert snapshot(dba) == before


def test_an_update_that_cannot_be_written_is_refused(client: FlaskClient, dba: Connection) -> None:
    simulation = add_simulation(dba)
    before = snapshot(dba)
    refused(client.patch("/us/simulation", json={"id": simulation, "status": "complete"}), 400, "RR016")
    assert snapshot(dba) == before
