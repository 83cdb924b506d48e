"""JSON that one reader takes otherwise than the next, or that nobody can read afterwards, is refused and not stored."""

from __future__ import annotations

import json
from typing import Any

import psycopg
import pytest
from flask.testing import FlaskClient
from hypothesis import given, settings
from hypothesis import strategies as st

from pyapi.api import requests, rows
from pyapi.api.requests import Body, json_text
from tests.support.databases import Connection
from tests.support.factories import add_report, add_simulation, set_versions
from tests.support.replies import refused, succeeded
from tests.support.samples import load_every_sample
from tests.support.snapshots import everything
from tests.support.statements import one

DEEP = "[" * 300 + "]" * 300
# What stands where a value is expected.
UNREADABLE = {
    "half a pair": '"\\ud800"',
    "the other half": '"x\\udc00y"',
    "halves in the wrong order": '"\\udc00\\ud800"',
    "half a pair as a key": '{"\\ud800": 1}',
    "half a pair far inside": '[{"a": [{"b": "\\uD83D"}]}]',
    "NUL": '"\\u0000"',
    "NUL as a key": '{"a\\u0000": 1}',
    "NUL after backslashes": '"\\\\\\\\\\u0000"',
    "deep lists": DEEP,
    "deep objects": '{"a":' * 300 + "1" + "}" * 300,
    "a raw NUL": '"\0"',
    "a raw line end": '"\n"',
    "not a number": "NaN",
    "a number without end": "Infinity",
    "two values": "1 2",
    "no UTF-8": b'"\xff"',
    "UTF-8 of half a pair": b'"\xed\xa0\x80"',
    "a key twice": '{"a": 1, "a": 1}',
    "a key twice, spelled otherwise": '{"a": 1, "\\u0061": 2}',
    "a key twice far inside": '[{"x": {"a": 1, "b": 2, "a": 1}}]',
    "a number of 5000 digits": "1" * 5000,
}
STORED_AS_SENT = ("a key twice", "a key twice, spelled otherwise", "a key twice far inside")

ROUTES = {
    "create a report": ("POST", "/us/report", '{{"simulation_1_id": 1, {}}}'),
    "update a report": ("PATCH", "/us/report", '{{"id": 4, "status": "running", {}}}'),
    "create a simulation": (
        "POST", "/us/simulation", '{{"population_id": "1", "population_type": "household", "policy_id": 1, {}}}'
    ),
    "update a simulation": ("PATCH", "/us/simulation", '{{"id": 5, "status": "running", {}}}'),
    "rerun": ("POST", "/us/report/4/rerun", "{{{}}}"),
    "undo": ("POST", "/us/report/4/reruns/1/undo", "{{{}}}"),
    "create a carbon report": ("POST", "/api/v1/carbon-reports/", '{{"unit_id": 1, "year": 2033, {}}}'),
    "create carbon reports": ("POST", "/api/v1/carbon-reports/bulk", '[{{"unit_id": 1, "year": 2033, {}}}]'),
    "create an entry": ("POST", "/api/v1/modules/1/2025/headcount/member", "{{{}}}"),
    "set a status": ("PATCH", "/api/v1/carbon-reports/1/modules/1/status", '{{"status": 1, {}}}'),
}  # fmt: skip


@pytest.fixture(scope="module")
def sample(shared_connection: Connection) -> Connection:
    """A superuser's connection to the module's database, which holds the sample of each domain."""
    load_every_sample(shared_connection)
    shared_connection.execute("call rerun_report(4)")
    return shared_connection


def sent(client: FlaskClient, method: str, path: str, body: str | bytes) -> Any:
    return client.open(path, method=method, data=body, content_type="application/json")


@pytest.mark.needs("time")
@pytest.mark.parametrize(("method", "path", "form"), ROUTES.values(), ids=ROUTES.keys())
@pytest.mark.parametrize("value", UNREADABLE.values(), ids=UNREADABLE.keys())
def test_what_readers_would_take_in_different_ways_is_refused_in_any_field(
    shared_client: FlaskClient, sample: Connection, method: str, path: str, form: str, value: str | bytes
) -> None:
    before = everything(sample)
    value = value if isinstance(value, bytes) else value.encode("utf-8", "surrogatepass")
    body = form.format('"ignored": VALUE').encode().replace(b"VALUE", value)
    reply = sent(shared_client, method, path, body)
    assert reply.status_code in (400, 422), reply.text
    assert everything(sample) == before


@pytest.mark.parametrize(
    "form", ['{"id": 4, "id": 4, "status": "running"}', '{"id": 4, "status": "running", "i\\u0064": 5}']
)
def test_a_key_of_the_body_that_stands_twice_is_named(
    shared_client: FlaskClient, sample: Connection, form: str
) -> None:
    before = everything(sample)
    message = refused(sent(shared_client, "PATCH", "/us/report", form), 400, "BAD_REQUEST")["message"]
    assert message == "The body cannot be used: the key 'id' stands twice in one object."
    assert everything(sample) == before


@pytest.mark.parametrize("name", [name for name in UNREADABLE if name not in STORED_AS_SENT])
@pytest.mark.parametrize("path", ["/us/report", "/us/simulation"])
def test_an_output_that_nobody_can_read_is_refused(
    shared_client: FlaskClient, sample: Connection, path: str, name: str
) -> None:
    before = everything(sample)
    value = UNREADABLE[name]
    value = value if isinstance(value, bytes) else value.encode("utf-8", "surrogatepass")
    row = "4" if "report" in path else "5"
    body = f'{{"id": {row}, "status": "complete", "output": VALUE}}'.encode().replace(b"VALUE", value)
    reply = sent(shared_client, "PATCH", path, body)
    assert reply.status_code == 400, reply.text
    assert everything(sample) == before


OUTPUTS_AS_TEXT = {
    "half a pair": '{"a": "\\ud800"}',
    "the other half": '"\\udfff"',
    "half a pair before text": '["\\uD83D\\\\uDE00"]',
    "half a pair as a key": '{"\\ud800": 1}',
    "NUL": '"\\u0000"',
    "a number that is too large": '{"a": 1e999999}',
    "a number with too many digits": "1" * 200_000,
    "deep": "[" * 200_000 + "]" * 200_000,
    "no JSON": '{"a": }',
    "two values": "1 2",
    "a raw line end": '"\n"',
}


@pytest.mark.parametrize("output", OUTPUTS_AS_TEXT.values(), ids=OUTPUTS_AS_TEXT.keys())
@pytest.mark.parametrize("path", ["/us/report", "/us/simulation"])
def test_an_output_given_as_text_that_nobody_can_read_is_refused(
    shared_client: FlaskClient, sample: Connection, path: str, output: str
) -> None:
    before = everything(sample)
    row = 4 if "report" in path else 5
    reply = shared_client.patch(path, json={"id": row, "status": "complete", "output": output})
    refused(reply, 400, reply.get_json()["code"])
    assert reply.get_json()["code"] in ("BAD_REQUEST", "RR016", "22P02", "54001")
    assert everything(sample) == before


@pytest.mark.parametrize("output", ['{"a": "\\ud800"}', '"\\u0000"', '{"a": 1e999999}'])
def test_sql_refuses_such_an_output_too(sample: Connection, output: str) -> None:
    before = everything(sample)
    for statement in (
        "select * from update_report(4, status => 'complete', output => %s::json)",
        "select * from update_simulation(5, status => 'complete', output => %s::json)",
    ):
        with pytest.raises(psycopg.Error, match=r"The output cannot be read as JSON") as caught:
            sample.execute(statement, [output])
        assert caught.value.sqlstate == "RR016"
    assert everything(sample) == before


@pytest.mark.parametrize(
    "output",
    [
        '{"a":1,"a":2}',
        '[{"a":{"b":1,"c":2,"b":3},"a":[]}]',
        '{"a":"\\ud83d\\ude00 \\\\ud800"}',
        '["\\\\u0000"]',
        '{"a":1e300,"b":12345678901234567890,"":null}',
        "[" * 100 + "]" * 100,
    ],
)
@pytest.mark.parametrize("is_text", [False, True])
def test_an_output_is_stored_with_all_of_its_keys_in_their_order(
    client: FlaskClient, dba: Connection, output: str, is_text: bool
) -> None:
    set_versions(dba)
    report = add_report(dba, add_simulation(dba), status="pending", output=None)
    given = json.dumps(output) if is_text else output
    body = f'{{"id": {report}, "status": "complete", "output": {given}}}'
    succeeded(sent(client, "PATCH", "/us/report", body))
    stored = one(dba, "select output::text as output from public.report_outputs where id = %s", report)["output"]
    # An object is written without spaces and escapes; what it holds is the same.
    pairs = lambda text: json.loads(text, object_pairs_hook=list)  # noqa: E731
    assert pairs(stored) == pairs(output)
    assert stored == output or not is_text


def test_an_unknown_field_may_hold_anything_that_can_be_read(client: FlaskClient, dba: Connection) -> None:
    set_versions(dba)
    body = f'{{"simulation_1_id": {add_simulation(dba)}, "more": {{"a": [{{"b": "\\\\u0000"}}], "c": "a"}}}}'
    succeeded(sent(client, "POST", "/us/report", body), 201)


def test_fields_keep_repeated_keys_only_where_their_model_says_so() -> None:
    assert not hasattr(Body, "stored_as_sent")
    assert json_text({"a": 1}) == '{"a":1}'


# --- a body is read once where that is enough --------------------------------------------------

TEXTS = st.lists(
    st.sampled_from(
        [
            "a",
            ":",
            "é",
            "NaN",
            "Infinity",
            r"\u003a",
            r"\u003A",
            r"\u0000",
            r"\\u0000",
            r"\"",
            r"\\",
            r"\ud83d\ude00",
            r"\ud800",
        ]
    ),
    max_size=3,
).map(lambda parts: f'"{"".join(parts)}"')
SCALARS = TEXTS | st.sampled_from(
    [
        "1",
        "-0",
        "-0.0",
        "1.5",
        "1e5",
        "1e400",
        "12345678901234567890123",
        "NaN",
        "-Infinity",
        "true",
        "null",
        "[]",
        "{}",
    ]
)


def written(pairs: list[tuple[str, str]]) -> str:
    return "{" + ", ".join(f"{name}: {value}" for name, value in pairs) + "}"


VALUES = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=3).map(lambda items: f"[{', '.join(items)}]")
        | st.lists(st.tuples(TEXTS | st.just('"a"'), inner), max_size=3).map(written)
    ),
    max_leaves=8,
)
NAMES = st.sampled_from(
    ['"output"', '"status"', '"id"', '"run_sequence"', '"more"', '"error_message"', '"err\\u003aor"']
)


def meaning(text: str | None) -> str | None:
    try:
        return None if text is None else repr(json.loads(text))
    except ValueError:
        return text


@given(st.lists(st.tuples(NAMES, VALUES), max_size=5))
@settings(max_examples=400, deadline=None)
def test_a_body_that_is_read_once_is_what_reading_it_twice_finds(pairs: list[tuple[str, str]]) -> None:
    data = written([('"id"', "7"), *pairs]).encode("utf-8", "surrogatepass")
    once = requests._read_once(rows.Update, data)
    if once is None:
        return
    twice = requests._with_all_keys(rows.Update, data) or rows.Update.model_validate_json(data)
    assert once.model_dump(exclude={"output"}) == twice.model_dump(exclude={"output"})
    # Only the spelling of numbers may differ.
    assert meaning(once.output) == meaning(twice.output)
