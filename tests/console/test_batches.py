"""An operator reruns many reports from a page: looks first, watches, goes on, cancels, and takes it back."""

from __future__ import annotations

import csv
import io
import json
import re
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any
from urllib.parse import urlencode
from urllib.request import HTTPCookieProcessor, OpenerDirector, build_opener

import pytest
from sqlalchemy import URL

from pyapi.console.running import MOST_AT_ONCE, RUNNER, Runner
from tests.support.console import Form, Operator, Page, console_over
from tests.support.databases import Connect, Connection
from tests.support.factories import add_economy_report, add_reform_impact, add_report, add_simulation, set_versions
from tests.support.sites import Site, serving
from tests.support.snapshots import everything
from tests.support.statements import newest_act, one
from tests.support.tokens import SECRET, authentication, claims, signed


@pytest.fixture
def reports(dba: Connection) -> list[int]:
    """Three household reports at error, and one whose simulation is missing."""
    set_versions(dba)
    made = [
        add_report(dba, add_simulation(dba, population_type="household"), status="error", output=None) for _ in range(3)
    ]
    return [*made, add_report(dba, 987654, status="error", output=None)]


ERRORS = "/console/batches/new?country=us&status=error"


def wait(operator: Operator) -> None:
    """Wait until all that was started is done."""
    runner: Runner = operator.client.application.extensions[RUNNER]
    runner.wait()


def create(operator: Operator, path: str = ERRORS, **values: str) -> Page:
    """Make the batch that the preview shows, and wait until it has run."""
    page = operator.send(operator.open(path).form("/batches"), **{"reason": "worker lost", **values})
    wait(operator)
    return page


def batches(dba: Connection) -> list[dict[str, Any]]:
    return dba.execute("select * from rerun_batches() order by id").fetchall()


def made_by(dba: Connection, ids: list[int]) -> int:
    """A batch that nobody runs yet."""
    statement = "select create_rerun_batch(%s::jsonb, expected_reports => %s::bigint) as id"
    return int(one(dba, statement, json.dumps({"ids": ids}), len(ids))["id"])


# --- looking first ---------------------------------------------------------------------------


@pytest.mark.usefixtures("reports")
def test_the_preview_says_in_numbers_what_a_batch_would_do(operator: Operator) -> None:
    page = operator.open(ERRORS)
    assert page.status == 200
    assert "3 reports would be rerun, and 1 refused." in page.text.replace(" ,", ",").replace(" .", ".")
    assert "3 simulations would be reset" in page.text
    assert "No other report shares it." in page.text
    assert "refused: a linked simulation is missing, or is of another country (RR002)" in page.text


def test_the_preview_lists_who_shares_a_page_at_a_time(operator: Operator, dba: Connection) -> None:
    set_versions(dba)
    report, first, second = add_economy_report(dba)
    add_reform_impact(dba)
    others = [add_report(dba, first, second, year=str(2000 + number)) for number in range(51)]
    page = operator.open(f"/console/batches/new?ids={report}")
    assert "51 other reports share" in page.text
    assert f"#{others[49]}" in page.text
    assert f"#{others[50]}" not in page.text
    [further] = [link for link in page.links if "after_sharing=" in link]
    page = operator.open(further)
    assert f"#{others[50]}" in page.text
    assert f"#{others[49]}" not in page.text


def test_a_list_of_reports_leads_to_the_batch_of_all_that_match(operator: Operator, reports: list[int]) -> None:
    page = operator.open("/console/reports?country_id=us&status=error&year=")
    [link] = [link for link in page.links if "/batches/new" in link]
    assert link == ERRORS
    for query in ("", "?country_id=us&older_than_minutes=5", f"?country_id=us&report_id={reports[0]}"):
        assert not [link for link in operator.open(f"/console/reports{query}").links if "/batches/new" in link]


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("country=xx", 'The filter has a value for "country" that no report can have: "xx".'),
        ("ids=1%0Atwo", "Ids, line 2: 'two' is not a report id."),
        ("ids=0", 'The filter has a value for "ids" that no report can have: 0.'),
        ("status=lost&country=us", 'The filter has a value for "status" that no report can have: "lost".'),
    ],
)
@pytest.mark.usefixtures("reports")
def test_conditions_that_no_report_can_meet_are_refused_on_the_form(operator: Operator, query: str, said: str) -> None:
    page = operator.open(f"/console/batches/new?{query}")
    assert page.status == 400
    assert said in page.text
    assert not [form for form in page.forms if form.method == "post" and form.action.endswith("/batches")]


# --- making one ------------------------------------------------------------------------------


def test_a_batch_runs_to_its_end_and_its_page_tells_what_was_done(
    operator: Operator, dba: Connection, reports: list[int]
) -> None:
    page = create(operator)
    assert page.path == "/console/batches/1"
    page = operator.open(page.path)
    assert page.heading == "Batch #1"
    assert "finished" in page.text
    assert "4 of 4 reports done" in page.text
    assert "worker lost" in page.text
    assert "status: error; country: us" in page.text or "country: us; status: error" in page.text
    [batch] = batches(dba)
    assert (batch["rerun"], batch["refused"], batch["reason"], batch["state"]) == (3, 1, "worker lost", "finished")
    [act] = dba.execute("select * from rerun_history(report_id => %s)", (reports[0],)).fetchall()
    assert (act["reason"], act["client_address"]) == ("worker lost", "127.0.0.1")


@pytest.mark.usefixtures("reports")
def test_a_double_click_makes_one_batch(operator: Operator, dba: Connection) -> None:
    form = operator.open(ERRORS).form("/batches")
    first = operator.send(form, reason="twice")
    again = operator.send(form, reason="twice")
    wait(operator)
    assert (first.path, again.path) == ("/console/batches/1", "/console/batches/1")
    assert [(batch["rerun"], batch["refused"]) for batch in batches(dba)] == [(3, 1)]


def test_a_batch_is_refused_when_something_has_moved_since_its_preview(
    operator: Operator, dba: Connection, reports: list[int]
) -> None:
    form = operator.open(ERRORS).form("/batches")
    dba.execute("call rerun_report(%s::bigint)", (reports[1],))
    before = everything(dba)
    page = operator.send(form, reason="too late")
    assert page.status == 409
    assert "RR029" in page.text
    assert f"#{reports[1]}" in page.text
    assert everything(dba) == before
    # It leads to the preview as it is now, and the reason is still there.
    [again] = [link for link in page.links if "/batches/new" in link]
    form = operator.open(again).form("/batches")
    assert form.fields["reason"] == "too late"
    operator.send(form)
    wait(operator)
    assert [(batch["rerun"], batch["reason"]) for batch in batches(dba)] == [(2, "too late")]


@pytest.mark.usefixtures("reports")
def test_the_number_of_a_large_batch_is_to_be_typed(operator: Operator, dba: Connection) -> None:
    assert "expected_reports" not in operator.open(ERRORS).form("/batches").fields
    dba.execute("select set_setting('largest_batch', '3')")
    page = operator.open(ERRORS)
    assert "Type their number, 4" in page.text
    refused = operator.send(page.form("/batches"), reason="all", expected_reports="5")
    assert refused.status == 409
    assert "The filter finds 4 reports, and not 5." in refused.text
    assert batches(dba) == []
    operator.send(page.form("/batches"), reason="all", expected_reports="4")
    wait(operator)
    assert [batch["reports"] for batch in batches(dba)] == [4]


@pytest.mark.usefixtures("reports")
@pytest.mark.parametrize(
    ("changed", "status"),
    [({"seen": ""}, 400), ({"filter": "{"}, 400), ({"filter": '{"country": "uk"}'}, 400), ({"key": ""}, 400)],
)
def test_a_form_that_was_changed_makes_no_batch(
    operator: Operator, dba: Connection, changed: dict[str, str], status: int
) -> None:
    set_versions(dba, "uk")
    before = everything(dba)
    page = operator.send(operator.open(ERRORS).form("/batches"), **{"reason": "forged", **changed})
    assert page.status == status
    assert everything(dba) == before


# --- watching, going on, cancelling ----------------------------------------------------------


def test_the_list_pages_through_the_batches_newest_first(
    operator: Operator, dba: Connection, reports: list[int]
) -> None:
    for _ in range(52):
        made_by(dba, reports[:1])
    dba.execute("update pgreprise.rerun_batch set created_at = now() - interval '2 hours' where batch_id = 52")
    page = operator.open("/console/batches")
    assert "#52" in page.text
    assert "stands still" in page.text
    assert "1 id" in page.text
    assert "/console/batches/2" not in page.links
    [earlier] = [link for link in page.links if "before=" in link]
    page = operator.open(earlier)
    assert {"/console/batches/2", "/console/batches/1"} <= set(page.links)
    assert "/console/batches/3" not in page.links


def test_a_filter_with_very_many_ids_is_not_sent_to_the_pages(operator: Operator, dba: Connection) -> None:
    set_versions(dba)
    made_by(dba, list(range(1, 20_001)))
    for path in ("/console/batches", "/console/batches/1", "/console/batches/1/cancel", "/console/batches/1/undo"):
        page = operator.open(path)
        assert page.status == 200
        assert len(page.response.data) < 20_000
    assert "20000 ids" in operator.open("/console/batches/1").text


def test_an_open_batch_goes_on_after_a_click(operator: Operator, dba: Connection, reports: list[int]) -> None:
    batch = made_by(dba, reports)
    dba.execute("select rerun_batch_chunk(%s, 1)", (batch,))
    dba.execute("update pgreprise.rerun_batch set progressed_at = now() - interval '2 hours'")
    page = operator.open(f"/console/batches/{batch}")
    assert "Nothing was done for an hour" in page.text
    assert "1 of 4 reports done" in page.text
    page = operator.send(page.form("/run"))
    assert page.path == f"/console/batches/{batch}"
    wait(operator)
    page = operator.open(page.path)
    assert "4 of 4 reports done" in page.text
    assert not [form for form in page.forms if form.action.endswith("/run")]


def test_many_chunks_go_on_in_a_thread(operator: Operator, dba: Connection) -> None:
    set_versions(dba)
    made = [add_report(dba, add_simulation(dba, population_type="household")) for _ in range(250)]
    batch = made_by(dba, made)
    operator.send(operator.open(f"/console/batches/{batch}").form("/run"))
    wait(operator)
    [shown] = batches(dba)
    assert (shown["state"], shown["rerun"]) == ("finished", 250)


def test_a_batch_goes_on_after_its_connection_was_lost(operator: Operator, dba: Connection, connect: Connect) -> None:
    set_versions(dba)
    made = [add_report(dba, add_simulation(dba, population_type="household")) for _ in range(250)]
    batch = made_by(dba, made)
    holder = connect(autocommit=False)
    holder.execute("select from report_outputs where id = %s for update", (made[150],))
    operator.send(operator.open(f"/console/batches/{batch}").form("/run"))
    ended = "select pg_terminate_backend(pid) from pg_locks where not granted and pid <> pg_backend_pid()"
    while not dba.execute(ended).fetchall():
        time.sleep(0.02)
    holder.rollback()
    wait(operator)
    [shown] = batches(dba)
    assert (shown["state"], shown["rerun"]) == ("finished", 250)


def test_a_report_whose_row_is_locked_is_left_and_its_page_says_so(
    operator: Operator, dba: Connection, connect: Connect, reports: list[int]
) -> None:
    holder = connect(autocommit=False)
    holder.execute("select from report_outputs where id = %s for update", (reports[0],))
    page = operator.open(create(operator).path)
    holder.rollback()
    assert "Left, because their rows were locked" in page.text
    assert "3 of 4 reports done" in page.text
    operator.send(page.form("/run"))
    wait(operator)
    assert [batch["state"] for batch in batches(dba)] == ["finished"]


def test_a_batch_is_cancelled_after_its_numbers_were_shown(
    operator: Operator, dba: Connection, reports: list[int]
) -> None:
    batch = made_by(dba, reports)
    dba.execute("select rerun_batch_chunk(%s, 1)", (batch,))
    page = operator.open(f"/console/batches/{batch}/cancel")
    assert "3 reports remain as they are" in page.text
    assert "1 report stays rerun" in page.text
    form = page.form("/cancel")
    page = operator.send(form, reason="enough")
    assert page.path == f"/console/batches/{batch}"
    assert "cancelled" in page.text
    assert "enough" in page.text
    # The second click does no harm, and going on is refused.
    assert operator.send(form, reason="enough").path == f"/console/batches/{batch}"
    refused = operator.send(Form(f"/console/batches/{batch}/run", "post", form.fields))
    assert (refused.status, "RR025" in refused.text) == (409, True)
    assert operator.open(f"/console/batches/{batch}/cancel").forms == []


def test_a_process_runs_few_batches_at_once(operator: Operator, dba: Connection, reports: list[int]) -> None:
    runner: Runner = operator.client.application.extensions[RUNNER]
    gate = threading.Event()
    for number in range(MOST_AT_ONCE):
        runner.start(("rerun", 1000 + number), (step if step == "first" else gate.wait() for step in ("first", "last")))
    batch = made_by(dba, reports)
    page = operator.send(operator.open(f"/console/batches/{batch}").form("/run"))
    assert page.status == 503
    assert page.response.headers["Retry-After"] == "60"
    assert f"{MOST_AT_ONCE} batches are at work in this process" in page.text
    # A new one is made, and waits for a click.
    page = operator.send(operator.open(ERRORS).form("/batches"), reason="later")
    assert page.path == "/console/batches/2?waits=yes"
    assert "The batch is made, and waits" in page.text
    assert [shown["rerun"] for shown in batches(dba)] == [0, 0]
    gate.set()
    wait(operator)
    operator.send(page.form("/run"))
    wait(operator)
    assert [shown["rerun"] for shown in batches(dba)] == [0, 3]


# --- undoing ---------------------------------------------------------------------------------


def test_a_batch_is_undone_but_for_what_is_in_the_way(operator: Operator, dba: Connection, reports: list[int]) -> None:
    batch = create(operator).path
    dba.execute("call rerun_report(%s::bigint)", (reports[0],))
    later = newest_act(dba)["rerun_id"]
    page = operator.open(f"{batch}/undo")
    assert "3 reruns of the batch are undone" in page.text
    assert "Of the 3 reruns on this page, 1 has something in the way" in page.text
    page = operator.send(page.form("/undo"), reason="it was wrong")
    wait(operator)
    assert page.path == f"{batch}?undo=yes"
    page = operator.open(page.path)
    assert "The undo was started: 2 of 3 reruns undone" in page.text
    assert "Not undone" in page.text
    assert "partly undone" in page.text
    acts = dba.execute("select kind, reason from rerun_history() where kind = 'undo'").fetchall()
    assert [act["reason"] for act in acts] == ["it was wrong"] * 2
    # With the later rerun undone, the rest follows.
    dba.execute("call undo_rerun(%s::bigint)", (later,))
    operator.send(operator.open(f"{batch}/undo").form("/undo"), reason="the rest")
    wait(operator)
    page = operator.open(f"{batch}?undo=yes")
    assert "Everything that it had rerun is undone" in page.text
    assert [form for form in operator.open(f"{batch}/undo").forms if form.action.endswith("/undo")] == []


def test_an_undo_of_a_batch_is_refused_when_it_is_not_as_its_page_has_shown(
    operator: Operator, dba: Connection, reports: list[int]
) -> None:
    assert reports
    batch = create(operator).path
    form = operator.open(f"{batch}/undo").form("/undo")
    dba.execute("call undo_rerun(%s::bigint)", (newest_act(dba)["rerun_id"],))
    before = everything(dba)
    page = operator.send(form, reason="late")
    assert page.status == 409
    assert "it had 3 reruns to be undone, and has 2 now" in page.text
    assert operator.send(form, reason="blind", expected_reruns="").status == 409
    assert everything(dba) == before


def test_a_second_click_on_the_undo_of_a_batch_ends_where_the_first_one_does(
    operator: Operator, dba: Connection, reports: list[int]
) -> None:
    assert reports
    batch = create(operator).path
    form = operator.open(f"{batch}/undo").form("/undo")
    first = operator.send(form, reason="twice")
    # Another process than that of the first click, or the first click is done with.
    wait(operator)
    second = operator.send(form, reason="twice")
    assert (first.status, first.path) == (second.status, second.path) == (200, f"{batch}?undo=yes")
    assert len(dba.execute("select from rerun_history() where kind = 'undo'").fetchall()) == 3
    # The key is of this batch.
    other = create(operator).path
    page = operator.send(operator.open(f"{other}/undo").form("/undo"), reason="the other", key=form.fields["key"])
    assert page.status == 409
    assert "was used for batch #" in page.text


# --- refusals --------------------------------------------------------------------------------


def test_all_refusals_are_a_csv_file_without_formulas(operator: Operator, dba: Connection) -> None:
    set_versions(dba)
    batch = made_by(dba, list(range(5001, 6202)))
    dba.execute("call run_rerun_batch(%s)", (batch,))
    dba.execute("update pgreprise.rerun_batch_item set message = %s where report_id = 5001", ('=cmd|"/c calc",\nü',))
    page = operator.open(f"/console/batches/{batch}/refusals.csv")
    assert page.response.mimetype == "text/csv"
    assert page.response.headers["Content-Disposition"] == f'attachment; filename="batch-{batch}-refusals.csv"'
    lines = list(csv.reader(io.StringIO(page.response.data.decode("utf-8"), newline="")))
    assert lines[0] == ["report_id", "errcode", "message"]
    assert lines[1] == ["5001", "RR001", '\'=cmd|"/c calc",\nü']
    assert [line[0] for line in lines[1:]] == [str(number) for number in range(5001, 6202)]
    assert operator.open("/console/batches/77/refusals.csv").status == 404
    page = operator.open(f"/console/batches/{batch}")
    assert "All 1,201 as CSV" in page.text
    [further] = [link for link in page.links if "after_refused=" in link]
    assert "#5051" in operator.open(further).text


# --- who may ---------------------------------------------------------------------------------


@pytest.fixture
def reader(database: URL) -> Iterator[Operator]:
    """Somebody whose token may only read."""
    with console_over(database, authentication(jwt_secret=SECRET)) as found:
        found.sign_in(signed(claims(scope="reports:read")))
        yield found


def test_a_token_that_may_only_read_is_offered_nothing_and_refused_when_it_forges(
    reader: Operator, dba: Connection, reports: list[int]
) -> None:
    batch = made_by(dba, reports)
    dba.execute("select rerun_batch_chunk(%s, 1)", (batch,))
    seen = one(dba, 'select seen from rerun_batch_effects(\'{"country": "us"}\')')["seen"]
    for path in (
        "/console/batches", ERRORS, f"/console/batches/{batch}", f"/console/batches/{batch}/cancel",
        f"/console/batches/{batch}/undo", "/console/reports?country_id=us",
    ):  # fmt: skip
        page = reader.open(path)
        assert page.status == 200
        posts = [form.action for form in page.forms if form.method == "post"]
        assert posts == ["/console/sign-out"]
        assert not [link for link in page.links if link.endswith(("/undo", "/cancel")) or "?country=us&status" in link]
    token = page.form("/sign-out").fields["form_token"]
    before = everything(dba)
    fields = {"form_token": token, "key": "k", "reason": "mine", "filter": '{"country": "us"}', "seen": seen}
    for path in ("", f"/{batch}/run", f"/{batch}/cancel", f"/{batch}/undo"):
        refused = reader.send(Form(f"/console/batches{path}", "post", fields))
        assert (refused.status, "reports:rerun" in refused.text) == (403, True)
    wait(reader)
    assert everything(dba) == before


def test_only_an_admin_overwrites_later_results(database: URL, dba: Connection, reports: list[int]) -> None:
    batch = made_by(dba, reports)
    dba.execute("call run_rerun_batch(%s)", (batch,))
    before = everything(dba)
    with console_over(database, authentication(jwt_secret=SECRET)) as operator:
        operator.sign_in(signed(claims(scope="reports:read reports:rerun")))
        page = operator.open(f"/console/batches/{batch}/undo")
        assert "Overwrite" not in page.text
        refused = operator.send(page.form("/undo"), reason="mine", force="yes")
        assert (refused.status, "reports:admin" in refused.text) == (403, True)
        assert everything(dba) == before
        operator.sign_in(signed(claims(scope="reports:read reports:rerun reports:admin")))
        assert "Overwrite" in operator.open(f"/console/batches/{batch}/undo").text


def test_forms_without_their_token_do_nothing(operator: Operator, dba: Connection, reports: list[int]) -> None:
    batch = made_by(dba, reports)
    form = operator.open(ERRORS).form("/batches")
    before = everything(dba)
    for path in ("", f"/{batch}/run", f"/{batch}/cancel", f"/{batch}/undo"):
        page = operator.send(Form(f"/console/batches{path}", "post", form.fields), form_token="")
        assert page.status == 403
    wait(operator)
    assert everything(dba) == before


def test_looking_changes_nothing(operator: Operator, dba: Connection, reports: list[int]) -> None:
    first, second = made_by(dba, reports), made_by(dba, reports)
    dba.execute("call run_rerun_batch(%s)", (first,))
    before = everything(dba)
    for path in (
        "", "/new", "/new?country=us", *(f"/{batch}{page}" for batch in (first, second) for page in
        ("", "?undo=yes", "/cancel", "/undo", "/run", "/refusals.csv")),
    ):  # fmt: skip
        assert operator.open(f"/console/batches{path}").status == 200
    assert everything(dba) == before


# --- the server ------------------------------------------------------------------------------


def sent(site: Site, browser: OpenerDirector, path: str, fields: dict[str, str] | None = None) -> str:
    data = None if fields is None else urlencode(fields).encode()
    with browser.open(site.url + path, data, timeout=30) as response:
        return str(response.read().decode())


@pytest.mark.needs("time")
def test_the_end_of_the_server_does_not_wait_for_a_batch_which_goes_on_after_a_click(
    database: URL, dba: Connection
) -> None:
    set_versions(dba)
    dba.execute(
        "with made as (insert into simulations (country_id, api_version, population_id, population_type, policy_id, "
        "status) select 'us', '0', 'h' || number, 'household', 2, 'complete' from generate_series(1, 20000) as number "
        "returning id) insert into report_outputs (country_id, simulation_1_id, api_version, status, year) "
        "select 'us', id, '0', 'error', '2025' from made"
    )
    batch = int(one(dba, 'select create_rerun_batch(\'{"country": "us"}\', expected_reports => 20000) as id')["id"])
    for is_first in (True, False):
        with ExitStack() as server:
            site = server.enter_context(serving(database, "--workers", "1"))
            browser = build_opener(HTTPCookieProcessor())
            token = re.findall('name="form_token" value="([^"]+)"', sent(site, browser, f"/console/batches/{batch}"))
            sent(site, browser, f"/console/batches/{batch}/run", {"form_token": token[0]})
            before = one(dba, "select remaining from rerun_batches(%s)", batch)["remaining"]
            for _ in range(100):
                time.sleep(0.1)
                remaining = one(dba, "select remaining from rerun_batches(%s)", batch)["remaining"]
                if remaining < before:
                    break
            assert 0 < remaining < before
            began = time.monotonic()
            if is_first:
                server.close()
                assert time.monotonic() - began < 5
    # A chunk that was at work at the end is whole, or was not done.
    shown = one(dba, "select state, rerun, remaining from rerun_batches(%s)", batch)
    acts = one(dba, "select count(*) as acts from pgreprise.rerun")["acts"]
    assert (shown["state"], shown["rerun"]) == ("open", acts)
    assert shown["remaining"] == 20000 - acts
