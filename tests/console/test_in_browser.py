"""An operator at a real browser: from a failed report to a good one and back, whatever browser and habits he has."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from tests.support import claims
from tests.support.browser import PHONE, SCREEN, Page, Visitor, expect
from tests.support.databases import Connection, connect
from tests.support.factories import add_economy_report
from tests.support.life import add_life
from tests.support.sites import Site
from tests.support.statements import one

pytestmark = pytest.mark.needs("browser")

NewSite = Callable[..., Site]
NewVisitor = Callable[..., Visitor]
ALL = ("reports:read", "reports:rerun", "reports:admin")

# SCREEN at 200 %.
ZOOMED = (600, 400)

BROWSERS = pytest.mark.parametrize(
    "options",
    [{}, {"javascript": False}, {"size": PHONE, "dark": True}],
    ids=["script", "no script", "phone"],
)


def acts(site: Site) -> list[tuple[str, str | None, str | None]]:
    with connect(site.database) as connection:
        return [
            (row["kind"], row["actor"], row["reason"])
            for row in connection.execute("select kind, actor, reason from rerun_history()").fetchall()[::-1]
        ]


def new_failed_report(site: Site) -> int:
    """A report that failed, of two simulations of its own; returns its id."""
    with connect(site.database) as connection:
        report, _, _ = add_economy_report(
            connection, status="error", output=None, error_message="Worker 7 ran out of memory.", year="2031"
        )
        return report


def sign_in(page: Page, token: str) -> None:
    page.get_by_label("Token of the API").fill(token)
    page.get_by_role("button", name="Sign in").click()


def confirm(page: Page, button: str, reason: str) -> None:
    page.get_by_label("Reason, for the history").fill(reason)
    page.get_by_role("button", name=button).click()


# --- what it is for --------------------------------------------------------------------------


@BROWSERS
def test_an_operator_finds_a_failed_report_reruns_it_sees_it_done_and_takes_it_back(
    site: Site, new_visitor: NewVisitor, options: dict[str, object]
) -> None:
    report = new_failed_report(site)
    before = len(acts(site))
    page = new_visitor(**options).page
    page.goto("/console")
    page.get_by_role("region", name="Reports by country and status").locator("a.error").last.click()
    page.get_by_role("link", name=f"#{report}", exact=True).click()
    expect(page.get_by_text("Worker 7 ran out of memory.").first).to_be_visible()

    page.get_by_role("link", name="Rerun…").click()
    expect(page.get_by_role("heading", level=1)).to_have_text(f"Rerun report #{report}?")
    expect(page.get_by_text("2 simulations are reset")).to_be_visible()
    confirm(page, f"Rerun report #{report}", "there is more memory now")
    expect(page.get_by_text("went back to pending, as run 2")).to_be_visible()
    assert acts(site)[before:] == [("rerun", "operator", "there is more memory now")]

    with connect(site.database) as connection:
        claims.finish(connection, claims.claim(connection, report), {"budget": 4})
    page.get_by_role("link", name=f"To report #{report}").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("complete")
    page.get_by_role("link", name="Output of run 2").click()
    expect(page.get_by_role("region", name="Output of run 2")).to_contain_text('"budget": 4')

    page.go_back()
    page.get_by_role("region", name="Runs, newest first").get_by_role("link", name=re.compile("^#")).first.click()
    page.get_by_role("link", name="Undo…").click()
    page.get_by_label("Overwrite the later results").check()
    confirm(page, "Undo rerun", "the old one was right")
    expect(page.get_by_text("was undone: what it had cleared")).to_be_visible()
    assert [kind for kind, *_ in acts(site)[before:]] == ["rerun", "undo"]


@BROWSERS
def test_an_operator_cancels_a_run_and_releases_one_that_nobody_computes(
    site: Site, new_visitor: NewVisitor, options: dict[str, object]
) -> None:
    report = new_failed_report(site)
    before = len(acts(site))
    page = new_visitor(**options).page
    with connect(site.database) as connection:
        connection.execute("update report_outputs set status = 'running' where id = %s", [report])
    page.goto(f"/console/reports/us/{report}")
    page.get_by_role("link", name="Release…").click()
    confirm(page, "Release run 1", "its worker is gone")
    expect(page.get_by_text("was put back to pending")).to_be_visible()
    page.get_by_role("link", name=f"To report #{report}").click()
    page.get_by_role("link", name="Cancel the run…").click()
    confirm(page, "Cancel run 1", "not needed any more")
    page.get_by_role("link", name=f"To report #{report}").click()
    expect(page.get_by_text("The run was cancelled: not needed any more.").first).to_be_visible()
    assert acts(site)[before:] == [
        ("release_run", "operator", "its worker is gone"),
        ("cancel_run", "operator", "not needed any more"),
    ]


@BROWSERS
def test_an_operator_replaces_a_stale_explore_report(
    new_site: NewSite, new_visitor: NewVisitor, options: dict[str, object]
) -> None:
    page = new_visitor(new_site(), **options).page
    page.goto("/console/carbon/explore")
    page.get_by_role("link", name=re.compile("^Replace explore report")).click()
    expect(page.get_by_text("Nothing can bring them back.")).to_be_visible()
    page.get_by_role("button", name=re.compile("^Replace report")).click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("is not there any more")
    expect(page.get_by_text("has its place")).to_be_visible()


# --- habits ----------------------------------------------------------------------------------


@pytest.mark.parametrize("javascript", [True, False], ids=["script", "no script"])
def test_a_double_click_does_one_rerun(site: Site, new_visitor: NewVisitor, javascript: bool) -> None:
    report = new_failed_report(site)
    before = len(acts(site))
    page = new_visitor(javascript=javascript).page
    page.goto(f"/console/reports/us/{report}/rerun")
    page.get_by_label("Reason, for the history").fill("twice")
    page.get_by_role("button", name=f"Rerun report #{report}").dblclick()
    expect(page.get_by_text("went back to pending, as run 2")).to_be_visible()
    assert acts(site)[before:] == [("rerun", "operator", "twice")]


def test_whoever_goes_back_sees_the_page_anew_and_reruns_nothing_by_mistake(
    site: Site, new_visitor: NewVisitor
) -> None:
    report = new_failed_report(site)
    page = new_visitor().page
    page.goto(f"/console/reports/us/{report}/rerun")
    confirm(page, f"Rerun report #{report}", "once")
    expect(page.get_by_text("went back to pending, as run 2")).to_be_visible()
    before = len(acts(site))
    page.go_back()
    # Not the page as it was: the next rerun would be run 3.
    expect(page.get_by_text("pending, as run 3").first).to_be_visible()
    page.reload()
    assert len(acts(site)) == before


def test_a_reload_of_the_page_that_tells_what_was_done_does_nothing_more(site: Site, new_visitor: NewVisitor) -> None:
    report = new_failed_report(site)
    page = new_visitor().page
    page.goto(f"/console/reports/us/{report}/rerun")
    confirm(page, f"Rerun report #{report}", "once")
    expect(page.get_by_text("went back to pending, as run 2")).to_be_visible()
    before = len(acts(site))
    page.reload()
    expect(page.get_by_text("went back to pending, as run 2")).to_be_visible()
    assert len(acts(site)) == before


def test_of_two_operators_at_once_one_reruns_and_the_other_is_told_what_moved(
    site: Site, new_visitor: NewVisitor
) -> None:
    report = new_failed_report(site)
    before = len(acts(site))
    first, second = new_visitor(), new_visitor()
    for visitor in (first, second):
        visitor.page.goto(f"/console/reports/us/{report}/rerun")
    confirm(first.page, f"Rerun report #{report}", "I was first")
    expect(first.page.get_by_text("went back to pending, as run 2")).to_be_visible()
    second.expects(409)
    confirm(second.page, f"Rerun report #{report}", "so was I")
    expect(second.page.get_by_text("is not as the preview saw it")).to_be_visible()
    second.page.get_by_role("link", name="Look again").click()
    expect(second.page.get_by_text("pending, as run 3").first).to_be_visible()
    assert len(acts(site)) == before + 1


# --- signing in ------------------------------------------------------------------------------


def test_an_operator_signs_in_works_and_signs_out(site_with_tokens: Site, new_visitor: NewVisitor) -> None:
    report = new_failed_report(site_with_tokens)
    page = new_visitor(site_with_tokens).page
    page.goto(f"/console/reports/us/{report}")
    expect(page).to_have_title("Sign in · pgreprise")
    sign_in(page, site_with_tokens.token(*ALL))
    expect(page.get_by_role("heading", level=1)).to_contain_text(f"Report #{report}")
    page.get_by_role("link", name="Rerun…").click()
    confirm(page, f"Rerun report #{report}", "as alice")
    expect(page.get_by_text("went back to pending, as run 2")).to_be_visible()
    assert acts(site_with_tokens)[-1] == ("rerun", "alice", "as alice")
    page.get_by_role("button", name="Sign out").click()
    expect(page).to_have_title("Sign in · pgreprise")
    page.go_back()
    expect(page).to_have_title("Sign in · pgreprise")


def test_a_wrong_token_is_told_and_asked_again(site_with_tokens: Site, new_visitor: NewVisitor) -> None:
    visitor = new_visitor(site_with_tokens)
    visitor.page.goto("/console")
    visitor.expects(401)
    sign_in(visitor.page, "a.b.c")
    expect(visitor.page.get_by_text("The token is malformed.")).to_be_visible()
    sign_in(visitor.page, site_with_tokens.token(*ALL))
    expect(visitor.page).to_have_title("Overview · pgreprise")


def test_a_token_that_expires_over_a_form_leads_to_the_sign_in_and_back_to_the_form(
    site_with_tokens: Site, new_visitor: NewVisitor
) -> None:
    report = new_failed_report(site_with_tokens)
    before = len(acts(site_with_tokens))
    visitor = new_visitor(site_with_tokens)
    page = visitor.page
    page.goto(f"/console/reports/us/{report}/rerun")
    sign_in(page, site_with_tokens.token(*ALL))
    page.get_by_label("Reason, for the history").fill("late")
    # As when its time is over: the browser forgets the cookie.
    visitor.context.clear_cookies(name="pgreprise_console")
    page.get_by_role("button", name=f"Rerun report #{report}").click()
    expect(page).to_have_title("Sign in · pgreprise")
    assert len(acts(site_with_tokens)) == before
    sign_in(page, site_with_tokens.token(*ALL))
    confirm(page, f"Rerun report #{report}", "in time")
    expect(page.get_by_text("went back to pending, as run 2")).to_be_visible()


def test_the_cookie_ends_with_the_token(site_with_tokens: Site, new_visitor: NewVisitor) -> None:
    visitor = new_visitor(site_with_tokens)
    visitor.page.goto("/console")
    sign_in(visitor.page, site_with_tokens.token(*ALL, exp=time.time() + 100))
    expect(visitor.page).to_have_title("Overview · pgreprise")
    [cookie] = [found for found in visitor.context.cookies() if found["name"] == "pgreprise_console"]
    assert cookie["httpOnly"]
    assert cookie["sameSite"] == "Strict"
    assert 0 < cookie["expires"] - time.time() <= 100
    assert visitor.page.evaluate("document.cookie") == ""


def test_a_link_in_a_chat_leads_to_the_page_although_the_cookie_is_strict(
    site_with_tokens: Site, new_visitor: NewVisitor
) -> None:
    page = new_visitor(site_with_tokens).page
    page.goto("/console")
    sign_in(page, site_with_tokens.token("reports:read"))
    expect(page).to_have_title("Overview · pgreprise")
    # Another site, to the browser.
    page.goto("about:blank")
    page.set_content(f'<a href="{site_with_tokens.url}/console/reports/us/4">look at this</a>')
    page.get_by_role("link", name="look at this").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("Report #4")


def test_who_may_only_look_is_offered_nothing_else(site_with_tokens: Site, new_visitor: NewVisitor) -> None:
    page = new_visitor(site_with_tokens).page
    page.goto("/console/reports/us/4")
    sign_in(page, site_with_tokens.token("reports:read"))
    expect(page.get_by_role("heading", level=1)).to_contain_text("Report #4")
    expect(page.get_by_role("link", name="Rerun…")).to_have_count(0)


# --- what the script adds --------------------------------------------------------------------


def test_a_page_follows_what_happens_and_keeps_what_the_operator_has_open(site: Site, new_visitor: NewVisitor) -> None:
    report = new_failed_report(site)
    page = new_visitor().page
    page.clock.install()
    page.goto(f"/console/reports/us/{report}")
    page.get_by_text("As a table: what a rerun would touch").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("error")
    with connect(site.database) as connection:
        connection.execute("call rerun_report(%s)", [report])
    page.clock.run_for(11_000)
    expect(page.get_by_role("heading", level=1)).to_contain_text("pending")
    expect(page.get_by_role("region", name="What a rerun would touch")).to_be_visible()
    page.get_by_role("button", name="Stop following").click()
    with connect(site.database) as connection:
        claims.finish(connection, claims.claim(connection, report), {"budget": 4})
    page.clock.run_for(30_000)
    expect(page.get_by_role("heading", level=1)).to_contain_text("pending")


def test_a_screen_reader_is_told_of_a_status_once_and_when_it_changes(site: Site, new_visitor: NewVisitor) -> None:
    report = new_failed_report(site)
    page = new_visitor().page
    page.clock.install()
    page.goto(f"/console/reports/us/{report}")
    state = page.get_by_role("status")
    expect(state).to_have_text("error")
    page.evaluate(
        "window.told = 0; new MutationObserver(() => told++).observe("
        "document.getElementById('state'), {childList: true, subtree: true})"
    )
    page.clock.run_for(25_000)
    assert page.evaluate("told") == 0
    with connect(site.database) as connection:
        connection.execute("call rerun_report(%s)", [report])
    page.clock.run_for(11_000)
    expect(state).to_have_text("pending")
    assert page.evaluate("told") == 1


def test_a_page_that_cannot_follow_any_more_says_so(site_with_tokens: Site, new_visitor: NewVisitor) -> None:
    visitor = new_visitor(site_with_tokens)
    page = visitor.page
    page.clock.install()
    page.goto("/console")
    sign_in(page, site_with_tokens.token("reports:read"))
    expect(page).to_have_title("Overview · pgreprise")
    page.clock.run_for(11_000)
    expect(page.get_by_text("could not be refreshed")).to_be_hidden()
    kept = visitor.context.cookies()
    visitor.context.clear_cookies()
    page.clock.run_for(21_000)
    expect(page.get_by_text("This page could not be refreshed since")).to_be_visible()
    visitor.context.add_cookies(kept)
    page.clock.run_for(11_000)
    expect(page.get_by_text("could not be refreshed")).to_be_hidden()


def test_times_are_those_of_the_browsers_zone_with_the_zones_name(site: Site, new_visitor: NewVisitor) -> None:
    with connect(site.database) as connection:
        connection.execute("call rerun_report(4, reason => 'for its time')")
        act = one(connection, "select max(rerun_id) as id from rerun_history()")["id"]
    path = f"/console/acts/{act}"
    page = new_visitor(timezone_id="Asia/Tokyo", locale="en-GB").page
    page.goto(path)
    expect(page.locator("dl.facts time").first).to_contain_text("GMT+9")
    page = new_visitor(javascript=False).page
    page.goto(path)
    expect(page.locator("dl.facts time").first).to_contain_text("UTC")


def test_a_long_id_is_copied_by_a_click(site: Site, new_visitor: NewVisitor) -> None:
    new_failed = new_failed_report(site)
    visitor = new_visitor()
    visitor.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page = visitor.page
    page.goto(f"/console/reports/us/{new_failed}/rerun")
    confirm(page, f"Rerun report #{new_failed}", "for its request id")
    page.get_by_role("button", name="Copy").first.click()
    expect(page.get_by_role("button", name="Copied")).to_be_visible()
    assert page.evaluate("navigator.clipboard.readText()") == page.locator("[data-copy]").first.inner_text()


def test_everything_is_reached_with_the_keyboard(site: Site, new_visitor: NewVisitor) -> None:
    report = new_failed_report(site)
    page = new_visitor().page
    page.goto(f"/console/reports/us/{report}/rerun")
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    page.keyboard.press("Enter")
    for _ in range(40):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.id") == "reason":
            break
    page.keyboard.type("by hand")
    page.keyboard.press("Enter")
    expect(page.get_by_text("went back to pending, as run 2")).to_be_visible()


# --- many at once ----------------------------------------------------------------------------


@BROWSERS
def test_many_reports_are_rerun_together_and_taken_back(
    new_site: NewSite, new_visitor: NewVisitor, options: dict[str, Any]
) -> None:
    site = new_site()
    page = new_visitor(site, **options).page
    page.goto("/console/reports?country_id=us&status=complete")
    page.get_by_role("link", name="Rerun all that match…").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Rerun these reports?")
    expect(page.get_by_role("checkbox", name="complete")).to_be_checked()
    with connect(site.database) as connection:
        count = one(connection, "select count(*) as found from find_reports('us', 'complete')")["found"]
    confirm(page, f"Rerun {count} reports", "new model")
    expect(page.get_by_role("heading", level=1)).to_contain_text("finished")
    expect(page.get_by_text(f"{count} of {count} reports done")).to_be_visible()
    page.get_by_role("link", name="Undo…").click()
    confirm(page, f"Undo {count} reruns", "old model")
    expect(page.get_by_text("Everything that it had rerun is undone")).to_be_visible()
    assert acts(site) == [("rerun", "operator", "new model")] * count + [("undo", "operator", "old model")] * count


# --- large things ----------------------------------------------------------------------------


def test_an_output_of_five_megabytes_is_read_downloaded_and_compared(site: Site, new_visitor: NewVisitor) -> None:
    output = json.dumps({f"household {n}": {"net income": n * 1.25, "label": "x" * 40} for n in range(56_000)})
    with connect(site.database) as connection:
        report, _, _ = add_economy_report(connection, output=output, year="2033")
        connection.execute("call rerun_report(%s)", [report])
        changed = output.replace('"net income": 12.5,', '"net income": 13,')
        claims.finish(connection, claims.claim(connection, report), json.loads(changed))
    page = new_visitor().page
    page.goto(f"/console/reports/us/{report}/runs/1")
    expect(page.get_by_text("This is the beginning of a long output.")).to_be_visible()
    with page.expect_download() as download:
        page.get_by_role("link", name="Download, byte for byte").click()
    assert download.value.path().read_text() == output
    page.goto(f"/console/reports/us/{report}")
    page.get_by_role("button", name="Show what differs").click()
    expect(page.get_by_role("row").nth(1)).to_contain_text("/household 10/net income")
    expect(page.get_by_role("row")).to_have_count(2)


# --- for everybody ---------------------------------------------------------------------------


@pytest.fixture(scope="module")
def lively(serve_sample: Callable[..., Site]) -> Iterator[Site]:
    """A site with what happens in a day."""
    with ExitStack() as until:
        found = serve_sample(until)
        with connect(found.database) as connection:
            add_life(connection)
        yield found


def paths(connection: Connection) -> list[str]:
    """Every kind of page of the sample and its life."""
    act = one(connection, "select max(rerun_id) as id from rerun_history(kind => 'rerun')")["id"]
    batch = one(connection, "select max(id) as id from rerun_batches()")["id"]
    return [
        "/console",
        "/console/reports",
        "/console/reports?status=error",
        "/console/reports?year=1066",
        "/console/reports/us/5",
        "/console/reports/us/6",
        "/console/reports/us/7",
        "/console/reports/us/9",
        "/console/reports/us/4/rerun",
        "/console/reports/us/9/cancel",
        "/console/reports/us/9/release",
        "/console/reports/us/7/rerun",
        "/console/reports/us/2/runs/1",
        "/console/reports/us/6/runs/1",
        "/console/reports/us/2/compare?run_sequence=1&other_run_sequence=1",
        f"/console/acts/{act}",
        f"/console/acts/{act}/undo",
        "/console/batches",
        "/console/batches/new",
        "/console/batches/new?country=us&ids=2%204%206%204711",
        f"/console/batches/{batch}?undo=yes",
        f"/console/batches/{batch}/cancel",
        f"/console/batches/{batch}/undo",
        "/console/batches/1",
        "/console/batches/1/undo",
        "/console/history",
        "/console/history?actor=nobody",
        "/console/acts/3",
        "/console/defects",
        "/console/defects?errcode=RR002",
        "/console/doctor",
        "/console/carbon",
        "/console/carbon?search=nothing",
        "/console/carbon/units/1",
        "/console/carbon/reports",
        "/console/carbon/reports/1",
        "/console/carbon/reports/3",
        "/console/carbon/explore",
        "/console/carbon/explore/1/2025/refresh",
        "/console/carbon/explore/1/2025/refreshed/1",
        "/console/carbon/duplicates",
    ]


def refused_paths() -> dict[str, int]:
    """Every kind of refusal, with its status."""
    return {
        "/console/nothing": 404,
        "/console/reports/us/4711": 404,
        "/console/reports?country_id=zz": 400,
        "/console/history?since=yesterday": 400,
        "/console/batches/new?ids=many": 400,
        "/console/acts/4711/undo": 404,
    }


@pytest.mark.needs("axe", "time")
@pytest.mark.parametrize("size", [SCREEN, ZOOMED, PHONE], ids=["screen", "zoomed", "phone"])
@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_every_page_is_accessible_and_fits(
    lively: Site, new_visitor: NewVisitor, size: tuple[int, int], dark: bool
) -> None:
    visitor = new_visitor(lively, size=size, dark=dark)
    with connect(lively.database) as connection:
        every = paths(connection)
    visitor.expects(*refused_paths().values())
    for path in [*every, *refused_paths()]:
        visitor.page.goto(path)
        visitor.check_accessibility()
        width = visitor.page.evaluate("document.documentElement.scrollWidth")
        assert width <= size[0], f"{path} is {width} wide"


@pytest.mark.needs("axe")
def test_the_pages_of_strangers_and_of_errors_are_accessible(site_with_tokens: Site, new_visitor: NewVisitor) -> None:
    visitor = new_visitor(site_with_tokens)
    visitor.page.goto("/console")
    visitor.check_accessibility()
    visitor.expects(401)
    sign_in(visitor.page, "a.b.c")
    expect(visitor.page).to_have_title("Refused: sign in · pgreprise")
    visitor.check_accessibility()
    sign_in(visitor.page, site_with_tokens.token("reports:read"))
    visitor.expects(404)
    visitor.page.goto("/console/reports/us/4711")
    visitor.check_accessibility()
