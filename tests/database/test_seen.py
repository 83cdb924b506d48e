"""A rerun that is given the token of a preview does what the preview said, or is refused and says what has moved."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from typing import Any

import psycopg
import pytest

from tests.support.concurrency import waiting_for_a_lock
from tests.support.databases import Connect, Connection
from tests.support.factories import add_economy_report, add_reform_impact, add_report, add_simulation, set_versions
from tests.support.refusals import Refusal, refusal
from tests.support.snapshots import everything
from tests.support.statements import one, rerun

RERUN = "call rerun_report(%s::bigint, seen => %s)"


def seen_of(connection: Connection, report_id: int) -> str:
    """The token of a preview."""
    rows = connection.execute("select seen from rerun_preview(%s)", (report_id,)).fetchall()
    assert [row["seen"] for row in rows[1:]] == [None] * (len(rows) - 1)
    return str(rows[0]["seen"])


def coded(content: bytes) -> str:
    """A text as a token has it, with the digest of a token."""
    return hashlib.sha256(content).hexdigest()[:12] + base64.urlsafe_b64encode(content).decode().rstrip("=")


def token_of(value: object) -> str:
    """A value as a token has it."""
    return coded(json.dumps(value).encode())


def held(token: str) -> dict[str, Any]:
    """What a token holds."""
    value: dict[str, Any] = json.loads(base64.urlsafe_b64decode(token[12:] + "=="))
    return value


def moved(said: Refusal) -> list[tuple[str, str, str | None, str | None]]:
    assert said.code == "RR029"
    assert said.detail is not None
    return [(thing["kind"], thing["id"], thing["was"], thing["is"]) for thing in said.detail["moved"]]


@pytest.fixture
def ids(dba: Connection) -> tuple[int, int, int]:
    """An economy report and its two simulations."""
    set_versions(dba)
    return add_economy_report(dba)


# --- it holds --------------------------------------------------------------------------------


def test_a_rerun_with_the_token_of_a_preview_does_what_a_rerun_without_it_does(
    dba: Connection, ids: tuple[int, int, int]
) -> None:
    impacts = [add_reform_impact(dba) for _ in range(3)]
    result = one(dba, RERUN, ids[0], seen_of(dba, ids[0]))["result"]
    assert result["run_sequence"] == 2
    assert result["simulation_ids"] == list(ids[1:])
    assert result["economy_cache_rows_deleted"] == len(impacts)
    assert one(dba, RERUN, ids[0], seen_of(dba, ids[0]))["result"]["run_sequence"] == 3


@pytest.mark.parametrize("links", [(0, None), (0, 0), (1, 0), (2, None), (2, 2)])
def test_a_token_holds_for_every_kind_of_report(
    dba: Connection, ids: tuple[int, int, int], links: tuple[int, int | None]
) -> None:
    simulations = [*ids[1:], add_simulation(dba, population_type="household")]
    first, second = (None if link is None else simulations[link] for link in links)
    assert first is not None
    for reform in (2, 3):
        add_reform_impact(dba, reform_policy_id=reform)
    report = add_report(dba, first, second)
    rerun(dba, ids[0])
    assert one(dba, RERUN, report, seen_of(dba, report))["result"]["run_sequence"] == 2


def test_a_token_holds_the_runs_the_versions_and_the_cache_rows_that_would_be_deleted(
    dba: Connection, ids: tuple[int, int, int]
) -> None:
    report, first, second = ids
    dba.execute("select reset_simulation(%s)", (second,))
    impact = add_reform_impact(dba)
    add_reform_impact(dba, options_hash="[cliffs=true]")
    add_reform_impact(dba, api_version="e-old")
    token = held(seen_of(dba, report))
    assert token.pop("cache_key").keys() == {"digest"}
    assert token == {
        "report": {str(report): 1},
        "simulation": {str(first): 1, str(second): 2},
        "version": {"report_output": "r147f26ed1", "package": "1.633.2", "economy_impact": "e158e63ef1"},
        "reform_impact": {str(impact): 1},
    }


def test_a_token_is_one_short_word_for_a_shell_a_url_and_json(dba: Connection, ids: tuple[int, int, int]) -> None:
    dba.execute("""select set_cache_versions('us', package => '1 ~"''%ÿ>')""")
    add_reform_impact(dba)
    token = seen_of(dba, ids[0])
    assert re.fullmatch("[A-Za-z0-9_-]{1,400}", token)
    assert held(token)["version"]["package"] == "1 ~\"'%ÿ>"
    assert one(dba, RERUN, ids[0], token)["result"]["run_sequence"] == 2


def test_what_a_worker_writes_to_the_run_that_was_seen_moves_nothing(
    dba: Connection, ids: tuple[int, int, int]
) -> None:
    report, first, _ = ids
    impact = add_reform_impact(dba, status="computing")
    rerun(dba, report)
    impact = add_reform_impact(dba, status="computing")
    token = seen_of(dba, report)
    dba.execute("select update_simulation(%s, status => 'complete', output => '{}')", (first,))
    dba.execute("select update_report(%s, status => 'error', error_message => 'no')", (report,))
    dba.execute("update public.reform_impact set status = 'ok' where reform_impact_id = %s", (impact,))
    assert one(dba, RERUN, report, token)["result"]["run_sequence"] == 3


def test_a_report_that_cannot_be_rerun_has_no_token(dba: Connection) -> None:
    report = add_report(dba, 999)
    assert one(dba, "select seen from rerun_preview(%s)", report) == {"seen": None}


# --- something has moved ---------------------------------------------------------------------


def test_after_another_rerun_the_refusal_names_each_run_and_cache_row(
    dba: Connection, ids: tuple[int, int, int]
) -> None:
    report, first, second = ids
    gone = add_reform_impact(dba)
    token = seen_of(dba, report)
    rerun(dba, report)
    come = add_reform_impact(dba)
    dba.execute("select set_cache_versions('us', package => '2.0.0')")
    said = refusal(dba, RERUN, report, token)
    assert said.code == "RR029"
    assert said.message == (
        f"Report #{report} is not as the preview saw it: run 1 -> 2, simulation #{first} run 1 -> 2, "
        f"simulation #{second} run 1 -> 2, package version 1.633.2 -> 2.0.0, cache row #{gone} removed, "
        f"cache row #{come} added. Nothing was changed."
    )
    assert said.detail is not None
    assert said.detail["report_id"] == report
    assert moved(said) == [
        ("report", str(report), "1", "2"),
        ("simulation", str(first), "1", "2"),
        ("simulation", str(second), "1", "2"),
        ("version", "package", "1.633.2", "2.0.0"),
        ("reform_impact", str(gone), "1", None),
        ("reform_impact", str(come), None, "1"),
    ]
    assert said.hint is not None


@pytest.mark.parametrize(
    ("statement", "kind", "name"),
    [
        ("select reset_report({report})", "report", "{report}"),
        ("select reset_simulation({second})", "simulation", "{second}"),
        ("call rerun_report({twin})", "simulation", "{first}"),
        ("update public.report_outputs set simulation_2_id = {first} where id = {report}", "simulation", "{second}"),
        ("update public.report_outputs set year = '2031' where id = {report}", "cache_key", "digest"),
        ("update public.simulations set policy_id = 99 where id = {second}", "cache_key", "digest"),
        ("select set_cache_versions('us', economy_impact => 'e2')", "version", "economy_impact"),
        ("select set_cache_versions('us', report_output => 'r2')", "version", "report_output"),
        ("select set_cache_versions('us', package => 'p2')", "version", "package"),
        ("delete from public.reform_impact where reform_impact_id = {impact}", "reform_impact", "{impact}"),
        ("update public.reform_impact set region = 'us'", "reform_impact", "{impact}"),
    ],
)
def test_each_thing_that_moves_is_enough_to_refuse(
    dba: Connection, ids: tuple[int, int, int], statement: str, kind: str, name: str
) -> None:
    report, first, second = ids
    values = {
        "report": report,
        "first": first,
        "second": second,
        "twin": add_report(dba, first, year="2035"),
        "impact": add_reform_impact(dba),
    }
    token = seen_of(dba, report)
    dba.execute(statement.format(**values).encode())
    assert (kind, name.format(**values)) in [thing[:2] for thing in moved(refusal(dba, RERUN, report, token))]
    assert one(dba, RERUN, report, seen_of(dba, report))["result"]["report_id"] == report


def test_an_undo_does_not_bring_a_token_back(dba: Connection, ids: tuple[int, int, int]) -> None:
    token = seen_of(dba, ids[0])
    dba.execute("call undo_rerun(%s::bigint)", (rerun(dba, ids[0])["rerun_id"],))
    assert moved(refusal(dba, RERUN, ids[0], token))[0] == ("report", str(ids[0]), "1", "3")


def test_a_long_list_is_cut_in_the_message_and_whole_in_the_detail(dba: Connection, ids: tuple[int, int, int]) -> None:
    token = seen_of(dba, ids[0])
    impacts = [str(add_reform_impact(dba)) for _ in range(25)]
    said = refusal(dba, RERUN, ids[0], token)
    assert [thing[1] for thing in moved(said)] == impacts
    assert said.message is not None
    assert said.message.count("added") == 10
    assert said.message.endswith(" and 15 more. Nothing was changed.")


# --- somebody else, meanwhile ----------------------------------------------------------------


@pytest.mark.direct
def test_a_rerun_that_waited_for_another_one_finds_that_everything_has_moved(
    dba: Connection, connect: Connect, ids: tuple[int, int, int]
) -> None:
    token = seen_of(dba, ids[0])
    other, waiting = connect(autocommit=False), connect()
    rerun(other, ids[0])
    with (
        pytest.raises(psycopg.Error) as caught,
        waiting_for_a_lock(dba, waiting, RERUN, ids[0], token),
    ):
        other.commit()
    assert caught.value.sqlstate == "RR029"
    assert "run 1 -> 2" in str(caught.value)
    assert one(dba, "select run_sequence from get_report(%s)", ids[0])["run_sequence"] == 2


@pytest.mark.direct
def test_a_cache_row_that_is_deleted_while_the_rerun_waits_for_it_has_moved(
    dba: Connection, connect: Connect, ids: tuple[int, int, int]
) -> None:
    impact = add_reform_impact(dba)
    token = seen_of(dba, ids[0])
    other, waiting = connect(autocommit=False), connect()
    other.execute("delete from public.reform_impact where reform_impact_id = %s", (impact,))
    before = everything(dba)
    with (
        pytest.raises(psycopg.Error) as caught,
        waiting_for_a_lock(dba, waiting, RERUN, ids[0], token),
    ):
        other.commit()
    assert caught.value.sqlstate == "RR029"
    assert f"cache row #{impact} removed" in str(caught.value)
    after = everything(dba)
    assert before.pop("reform_impact") != after.pop("reform_impact")
    assert before == after


@pytest.mark.direct
def test_a_simulation_that_another_report_takes_along_has_moved(
    dba: Connection, connect: Connect, ids: tuple[int, int, int]
) -> None:
    twin = add_report(dba, ids[1], year="2035")
    token = seen_of(dba, ids[0])
    other, waiting = connect(autocommit=False), connect()
    rerun(other, twin)
    with (
        pytest.raises(psycopg.Error) as caught,
        waiting_for_a_lock(dba, waiting, RERUN, ids[0], token),
    ):
        other.commit()
    assert caught.value.sqlstate == "RR029"
    assert f": simulation #{ids[1]} run 1 -> 2. " in str(caught.value)


@pytest.mark.direct
def test_of_two_reruns_with_one_token_one_is_done(dba: Connection, connect: Connect, ids: tuple[int, int, int]) -> None:
    token = seen_of(dba, ids[0])
    other, waiting = connect(autocommit=False), connect()
    one(other, RERUN, ids[0], token)
    with (
        pytest.raises(psycopg.Error) as caught,
        waiting_for_a_lock(dba, waiting, RERUN, ids[0], token),
    ):
        other.commit()
    assert caught.value.sqlstate == "RR029"
    assert one(dba, "select run_sequence from get_report(%s)", ids[0])["run_sequence"] == 2


# --- keys ------------------------------------------------------------------------------------


def test_the_same_key_with_the_same_token_gives_the_first_result_again(
    dba: Connection, ids: tuple[int, int, int]
) -> None:
    add_reform_impact(dba)
    call = "call rerun_report(%s::bigint, idempotency_key => 'k', seen => %s)"
    token = seen_of(dba, ids[0])
    first = one(dba, call, ids[0], token)["result"]
    before = everything(dba)
    assert one(dba, call, ids[0], token)["result"] == first
    assert everything(dba) == before


def test_the_key_of_a_rerun_that_was_refused_is_free(dba: Connection, ids: tuple[int, int, int]) -> None:
    call = "call rerun_report(%s::bigint, idempotency_key => 'k', seen => %s)"
    token = seen_of(dba, ids[0])
    rerun(dba, ids[0])
    assert refusal(dba, call, ids[0], token).code == "RR029"
    assert one(dba, call, ids[0], seen_of(dba, ids[0]))["result"]["run_sequence"] == 3


# --- what is no token ------------------------------------------------------------------------

NO_TOKENS = [
    "",
    " ",
    "no token",
    "=",
    "A",
    "AAAAA",
    "____",
    "e30",
    "null",
    '{"report": {"1": 1}}',
    "ÿ",
    "é" * 300,
    token_of(None),
    token_of([]),
    token_of("text"),
    token_of({"report": 1}),
    token_of({"report": {"1": 1}, "simulation": []}),
    token_of({"batch": {"filter": "x"}}),
    token_of({"report": {"1": "\0"}}),
    token_of(10**400),
    coded(b'{"report": {"1": 1e999999}}'),
    coded(b"[" * 50000),
    coded(b'{"report": {"1": 1}'),
    coded(b"\xff\xfe"),
    coded(b""),
    # Without the digest, and with another one.
    coded(b'{"report": {"1": 1}}')[12:],
    "0" * 12 + coded(b'{"report": {"1": 1}}')[12:],
    "A" * 2_000_000,
]


@pytest.mark.parametrize("token", NO_TOKENS, ids=lambda token: token[:20] or "empty")
def test_a_text_that_is_no_token_of_a_preview_is_rr016(dba: Connection, ids: tuple[int, int, int], token: str) -> None:
    said = refusal(dba, RERUN, ids[0], token)
    assert said.code == "RR016"
    assert said.message == "The value of seen is not the token of a preview of a report. Nothing was changed."
    assert said.detail == {"seen": token[:100]}
    assert said.hint is not None


def test_the_token_of_another_report_is_refused_by_name(dba: Connection, ids: tuple[int, int, int]) -> None:
    other = add_report(dba, *ids[1:], year="2030")
    said = refusal(dba, RERUN, ids[0], seen_of(dba, other))
    assert said.code == "RR016"
    assert said.message == (
        f"The value of seen is the token of a preview of report #{other}, and not of report #{ids[0]}. "
        "Nothing was changed."
    )
    assert said.hint == f"Preview report #{ids[0]}, and pass the token of that preview."


@pytest.mark.parametrize(
    "forged",
    [
        {"report": {"1": 1}},
        {"report": {"1": {"deep": [1, None]}}, "nobody": {"knows": "this"}},
        {"report": {"1": None, "2": 2}, "simulation": {"x": "%s"}, "version": {}, "cache_key": {}, "reform_impact": {}},
    ],
)
def test_a_forged_token_of_the_report_has_moved(
    dba: Connection, ids: tuple[int, int, int], forged: dict[str, Any]
) -> None:
    assert ids[0] == 1
    assert refusal(dba, RERUN, ids[0], token_of(forged)).code == "RR029"
