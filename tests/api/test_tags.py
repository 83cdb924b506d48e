"""An application that has a result asks whether it is still right, and gets it again only where it is not."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from flask.testing import FlaskClient

from tests.support.databases import Connection
from tests.support.factories import add_report, add_simulation, set_versions
from tests.support.replies import refused, succeeded
from tests.support.snapshots import everything
from tests.support.statements import one, rerun

# Larger than what PostgreSQL keeps in the row itself, and no shorter when it is compressed.
LARGE = "(select json_agg(md5(number::text)) from generate_series(1, 3000) as number)"
PATHS = ("/us/report/{}", "/us/report/{}/runs/1", "/us/report/{}/runs/2", "/us/report/{}/runs/last-good")


@pytest.fixture
def report(dba: Connection) -> int:
    """A household report with large outputs, at its run 2."""
    set_versions(dba)
    made = add_report(dba, add_simulation(dba, population_type="household"), output="{}")
    dba.execute(f"update public.report_outputs set output = {LARGE} where id = %s", (made,))  # noqa: S608
    rerun(dba, made)
    dba.execute(f"select update_report(%s, status => 'complete', output => {LARGE})", (made,))
    return made


@pytest.mark.parametrize("path", PATHS)
def test_who_has_a_result_is_told_that_it_is_still_right(
    client: FlaskClient, dba: Connection, report: int, path: str
) -> None:
    path = path.format(report)
    first = client.get(path)
    tag = first.headers["ETag"]
    assert "tag" not in succeeded(first)
    before = everything(dba)
    for sent in (tag, f'"other" , {tag}', tag.removeprefix("W/"), "*"):
        for method in ("GET", "HEAD"):
            same = client.open(path, method=method, headers={"If-None-Match": sent})
            assert (same.status_code, same.data, same.headers["ETag"]) == (304, b"", tag), sent
            assert "Accept-Encoding" in same.headers["Vary"]
    for sent in ('"other"', 'W/"other"', f'"{"0" * 32}"', "", "nonsense", '"\xff"', f'"{tag}"'):
        again = client.get(path, headers={"If-None-Match": sent})
        assert (again.status_code, again.data, again.headers["ETag"]) == (200, first.data, tag), sent
    assert everything(dba) == before


def by_a_rerun(dba: Connection, report: int) -> None:
    rerun(dba, report)


def by_the_application(dba: Connection, report: int) -> None:
    dba.execute("update public.report_outputs set output = '[]' where id = %s", (report,))


def by_the_same_value(dba: Connection, report: int) -> None:
    dba.execute("update public.report_outputs set status = status where id = %s", (report,))


def by_an_undo(dba: Connection, report: int) -> None:
    act = one(dba, "select max(rerun_id) as id from rerun_history(report_id => %s)", report)["id"]
    dba.execute("call undo_rerun(%s::bigint, force => true)", (act,))


@pytest.mark.parametrize("change", [by_a_rerun, by_the_application, by_the_same_value, by_an_undo])
@pytest.mark.parametrize("path", [PATHS[0], PATHS[2], PATHS[3]])
def test_a_write_makes_another_tag(
    client: FlaskClient, dba: Connection, report: int, path: str, change: Callable[[Connection, int], None]
) -> None:
    path = path.format(report)
    tag = client.get(path).headers["ETag"]
    change(dba, report)
    reply = client.get(path, headers={"If-None-Match": tag})
    assert reply.status_code == 200
    assert reply.headers["ETag"] != tag


def test_a_claim_makes_another_tag(client: FlaskClient, dba: Connection, report: int) -> None:
    rerun(dba, report)
    dba.execute("update public.simulations set status = 'complete', output = '{}'")
    path = f"/us/report/{report}"
    tag = client.get(path).headers["ETag"]
    assert one(dba, "select count(*) from claim_report('w', report_id => %s)", report)["count"] == 1
    reply = client.get(path, headers={"If-None-Match": tag})
    assert succeeded(reply)["claimed_at"] is not None
    assert reply.headers["ETag"] != tag


def test_an_output_that_is_purged_makes_another_tag(client: FlaskClient, dba: Connection, report: int) -> None:
    path = f"/us/report/{report}/runs/1"
    tag = client.get(path).headers["ETag"]
    dba.execute("update pgreprise.report_run set output = null where report_id = %s", (report,))
    assert succeeded(client.get(path, headers={"If-None-Match": tag}))["output"] is None


def test_a_refusal_has_no_etag_even_for_who_has_any(client: FlaskClient, report: int) -> None:
    for path in (f"/uk/report/{report}", "/us/report/999", f"/us/report/{report}/runs/9"):
        reply = client.get(path, headers={"If-None-Match": "*"})
        refused(reply, 404, "RR019" if "runs" in path else "RR001")
        assert "ETag" not in reply.headers
