"""Who gets into the console: with a token, without, through a proxy, and what other sites can send."""

from __future__ import annotations

import time
from collections.abc import Iterator
from ipaddress import ip_network

import pytest
from sqlalchemy import URL

from tests.support.console import Operator, console_over
from tests.support.databases import Connection
from tests.support.factories import add_economy_report, set_versions
from tests.support.snapshots import everything
from tests.support.tokens import SECRET, authentication, claims, signed

ALL = "reports:read reports:write reports:work reports:rerun reports:admin"


@pytest.fixture
def report(dba: Connection) -> int:
    set_versions(dba)
    return add_economy_report(dba)[0]


def cookie(operator: Operator, name: str) -> str | None:
    found = operator.client.get_cookie(name, path="/console")
    return None if found is None else found.value


# --- at the machine itself -------------------------------------------------------------------


def test_without_a_key_nobody_signs_in(operator: Operator) -> None:
    page = operator.open("/console")
    assert (page.status, page.heading) == (200, "Overview")
    assert "Signed in as operator" in page.text
    assert "Sign out" not in page.text


def test_without_a_key_another_host_name_is_refused(operator: Operator) -> None:
    page = operator.open("/console", headers={"Host": "evil.example.org"})
    assert page.status == 403


def test_a_form_of_another_site_does_nothing(operator: Operator, report: int, dba: Connection) -> None:
    form = operator.open(f"/console/reports/us/{report}/rerun").form("/rerun")
    before = everything(dba)
    for headers in (
        {"Origin": "https://evil.example.org"},
        {"Origin": "null"},
        {"Origin": "http://["},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ):
        page = operator.send(form, headers=headers, reason="why not")
        assert page.status == 403
    assert everything(dba) == before


def test_a_form_without_the_token_of_its_page_does_nothing(operator: Operator, report: int, dba: Connection) -> None:
    form = operator.open(f"/console/reports/us/{report}/rerun").form("/rerun")
    before = everything(dba)
    for token in ("", "0" * 64, "é"):
        assert operator.send(form, form_token=token, reason="why not").status == 403
    operator.client.delete_cookie("pgreprise_form", path="/console")
    page = operator.send(form, reason="why not")
    assert page.status == 403
    assert "was not sent by a page of this console" in page.text
    assert everything(dba) == before


# --- with a token ----------------------------------------------------------------------------


def test_a_stranger_is_asked_for_a_token_and_comes_to_the_page_that_was_wanted(stranger: Operator, report: int) -> None:
    page = stranger.open(f"/console/reports/us/{report}?x=1")
    assert page.heading == "Sign in"
    page = stranger.send(page.form("/sign-in"), token=signed(claims(scope=ALL)))
    assert page.path == f"/console/reports/us/{report}?x=1"
    assert "Signed in as alice" in page.text


def test_a_token_is_kept_where_no_script_and_no_other_site_gets_at_it(stranger: Operator) -> None:
    token = signed(claims())
    page = stranger.sign_in(f"  Bearer {token}\n")
    assert page.heading == "Overview"
    first = page.response.history[0]
    [set_cookie] = [value for value in first.headers.getlist("Set-Cookie") if "pgreprise_console=" in value]
    assert "HttpOnly" in set_cookie
    assert "SameSite=Strict" in set_cookie
    assert "Path=/console" in set_cookie
    assert "Secure" not in set_cookie
    assert cookie(stranger, "pgreprise_console") == token


def test_over_https_the_cookie_is_for_https_only(stranger: Operator) -> None:
    page = stranger.open("/console/sign-in", base_url="https://localhost")
    form = page.form("/sign-in")
    response = stranger.client.post(
        form.action, data={**form.fields, "token": signed(claims())}, base_url="https://localhost"
    )
    assert response.status_code == 303
    assert all("Secure" in value for value in response.headers.getlist("Set-Cookie"))


@pytest.mark.parametrize(
    ("token", "message"),
    [
        ("", "Give a token."),
        ("no.token.this", "The token is malformed."),
        ("x" * 4000, "The token has 4000 characters."),
        (signed(claims(exp=time.time() - 60)), "The token has expired."),
        (signed(claims(), key="another secret of thirty-two bytes!"), "The token is not signed with a key"),
        (signed(claims(aud="elsewhere")), "The token is for another audience."),
    ],
)
def test_a_token_that_the_api_refuses_does_not_sign_in(stranger: Operator, token: str, message: str) -> None:
    page = stranger.sign_in(token)
    assert page.status == 401
    assert message in page.text
    assert cookie(stranger, "pgreprise_console") is None


def test_the_cookie_is_no_token_for_the_api(stranger: Operator) -> None:
    stranger.sign_in(signed(claims(scope=ALL)))
    assert stranger.client.get("/us/report/1").status_code == 401
    stranger.client.set_cookie("pgreprise_console", signed(claims(scope=ALL)), path="/")
    assert stranger.client.get("/us/report/1").status_code == 401


def test_whoever_signs_out_is_asked_again(stranger: Operator) -> None:
    page = stranger.sign_in(signed(claims()))
    page = stranger.send(page.form("/sign-out"))
    assert page.heading == "Sign in"
    assert cookie(stranger, "pgreprise_console") is None
    assert stranger.open("/console").heading == "Sign in"


def test_whoever_signs_out_with_an_expired_token_comes_back_to_the_overview(stranger: Operator) -> None:
    form = stranger.sign_in(signed(claims())).form("/sign-out")
    stranger.client.set_cookie("pgreprise_console", signed(claims(exp=time.time() - 60)), path="/console")
    page = stranger.send(form)
    assert page.heading == "Sign in"
    page = stranger.send(page.form("/sign-in"), token=signed(claims()))
    assert (page.status, page.heading) == (200, "Overview")


def test_an_expired_token_leads_to_the_sign_in_and_back(stranger: Operator, report: int) -> None:
    stranger.client.set_cookie("pgreprise_console", signed(claims(exp=time.time() - 60)), path="/console")
    page = stranger.open(f"/console/reports/us/{report}")
    assert page.heading == "Sign in"
    assert "has expired" in page.text
    page = stranger.send(page.form("/sign-in"), token=signed(claims()))
    assert page.path == f"/console/reports/us/{report}"


def test_a_form_that_was_sent_with_an_expired_token_does_nothing_and_its_page_comes_back(
    stranger: Operator, report: int, dba: Connection
) -> None:
    stranger.sign_in(signed(claims(scope=ALL)))
    form = stranger.open(f"/console/reports/us/{report}/rerun").form("/rerun")
    stranger.client.set_cookie("pgreprise_console", signed(claims(exp=time.time() - 60)), path="/console")
    before = everything(dba)
    page = stranger.send(form, reason="late")
    assert page.heading == "Sign in"
    assert everything(dba) == before
    page = stranger.send(page.form("/sign-in"), token=signed(claims(scope=ALL)))
    assert page.path == f"/console/reports/us/{report}/rerun"


@pytest.mark.parametrize(
    "wanted",
    [
        "https://evil.example.org/",
        "//evil.example.org/console",
        "/\\evil.example.org",
        "/console\\..\\x",
        "/us/report/1",
        "/console//evil",
        "/console/../us/report/1",
        "/console/%2E./x",
        "/consoles",
        "javascript:alert(1)",
        "/console\r\nX-Evil: 1",
    ],
)
def test_signing_in_leads_to_pages_of_the_console_only(stranger: Operator, wanted: str) -> None:
    form = stranger.open("/console/sign-in").form("/sign-in")
    page = stranger.send(form, token=signed(claims()), next=wanted)
    assert page.path == "/console"


def test_a_link_of_another_site_leads_in_without_a_second_sign_in(stranger: Operator, report: int) -> None:
    stranger.sign_in(signed(claims()))
    token = cookie(stranger, "pgreprise_console") or ""
    wanted = f"/console/reports/us/{report}?x=1"
    # A browser sends no strict cookie along.
    stranger.client.delete_cookie("pgreprise_console", path="/console")
    page = stranger.open(wanted, headers={"Sec-Fetch-Site": "cross-site"})
    assert page.status == 200
    [onward] = page.links
    assert f'content="0; url={onward.replace("&", "&amp;")}"' in page.response.text
    stranger.client.set_cookie("pgreprise_console", token, path="/console")
    assert stranger.open(onward, headers={"Sec-Fetch-Site": "same-origin"}).path == wanted


def test_a_link_of_another_site_asks_a_stranger_to_sign_in(stranger: Operator, report: int) -> None:
    [onward] = stranger.open(f"/console/reports/us/{report}", headers={"Sec-Fetch-Site": "cross-site"}).links
    page = stranger.open(onward, headers={"Sec-Fetch-Site": "same-origin"})
    assert page.heading == "Sign in"
    page = stranger.send(page.form("/sign-in"), token=signed(claims()))
    assert page.path == f"/console/reports/us/{report}"


def test_a_form_of_one_person_is_none_of_another(stranger: Operator, report: int, dba: Connection) -> None:
    stranger.sign_in(signed(claims(scope=ALL)))
    form = stranger.open(f"/console/reports/us/{report}/rerun").form("/rerun")
    stranger.sign_in(signed(claims(scope=ALL, sub="bob")))
    before = everything(dba)
    assert stranger.send(form, reason="as somebody else").status == 403
    assert everything(dba) == before


def test_what_a_token_may_not_do_is_not_offered_and_refused_when_forged(
    stranger: Operator, report: int, dba: Connection
) -> None:
    stranger.sign_in(signed(claims(scope="reports:read")))
    page = stranger.open(f"/console/reports/us/{report}")
    assert not [link for link in page.links if link.endswith(("/rerun", "/cancel", "/release"))]
    page = stranger.open(f"/console/reports/us/{report}/rerun")
    assert [form.action for form in page.forms] == ["/console/sign-out"]
    before = everything(dba)
    sign_out = page.forms[0]
    sign_out.action = f"/console/reports/us/{report}/rerun"
    page = stranger.send(sign_out, key="k", reason="forged")
    assert page.status == 403
    assert "reports:rerun" in page.text
    assert everything(dba) == before


def test_a_token_without_any_scope_sees_nothing(stranger: Operator, report: int) -> None:
    stranger.sign_in(signed(claims(scope="")))
    for path in ("/console", "/console/reports", f"/console/reports/us/{report}"):
        assert stranger.open(path).status == 403


# --- through a proxy -------------------------------------------------------------------------

HEADER = "X-Forwarded-User"


@pytest.fixture
def proxied(database: URL) -> Iterator[Operator]:
    """A console behind a proxy that authenticates, on the same machine."""
    with console_over(
        database,
        authentication(jwt_secret=SECRET),
        user_header=HEADER,
        user_claims={"scope": "reports:read reports:rerun"},
        proxies=(ip_network("127.0.0.0/8"),),
    ) as found:
        yield found


def test_whom_the_proxy_names_is_signed_in_with_the_claims_of_the_setting(
    proxied: Operator, report: int, dba: Connection
) -> None:
    page = proxied.open(f"/console/reports/us/{report}/rerun", headers={HEADER: "carol@example.org"})
    assert "Signed in as carol@example.org" in page.text
    assert "Sign out" not in page.text
    page = proxied.send(page.form("/rerun"), headers={HEADER: "carol@example.org"}, reason="by proxy")
    [act] = dba.execute("select actor, reason from rerun_history()").fetchall()
    assert act == {"actor": "carol@example.org", "reason": "by proxy"}


def test_the_header_counts_from_the_proxy_only(proxied: Operator) -> None:
    page = proxied.open("/console", headers={HEADER: "carol"}, environ_base={"REMOTE_ADDR": "192.0.2.7"})
    assert page.heading == "Sign in"


@pytest.mark.parametrize("name", ["", "carol,mallory", "carol, mallory", "\xff"])
def test_a_header_that_names_nobody_or_two_is_refused(proxied: Operator, name: str) -> None:
    assert proxied.open("/console", headers={HEADER: name}).status == 400


def test_the_header_is_nothing_to_the_api(proxied: Operator) -> None:
    assert proxied.client.get("/us/report/1", headers={HEADER: "carol"}).status_code == 401


def test_without_the_setting_the_header_is_nothing(stranger: Operator) -> None:
    assert stranger.open("/console", headers={HEADER: "carol"}).heading == "Sign in"


# --- every page ------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/console", "/console/reports", "/console/nothing", "/console/sign-in"])
def test_every_page_forbids_what_it_does_not_need_and_is_kept_nowhere(stranger: Operator, path: str) -> None:
    stranger.sign_in(signed(claims()))
    headers = stranger.client.get(path).headers
    policy = headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert headers["Cache-Control"] == "no-store"
    assert headers["X-Frame-Options"] == "DENY"
    assert headers["X-Content-Type-Options"] == "nosniff"


def test_what_is_no_page_is_a_page_that_says_so(operator: Operator) -> None:
    for path in ("/console/nothing", "/console/reports/us/none", "/console/acts/99"):
        page = operator.open(path)
        assert page.status == 404
        assert page.response.mimetype == "text/html"
