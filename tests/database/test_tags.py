"""Who has a row of a report gives its tag back, and nothing of a large output is read where it is still right."""

from __future__ import annotations

import pytest

from tests.support.databases import Connection
from tests.support.factories import add_report, add_simulation, set_versions
from tests.support.statements import one, rerun

LARGE = "(select json_agg(md5(number::text)) from generate_series(1, 3000) as number)"
ASKED = {
    "the report": "select * from get_report(%(report)s, known_tags => %(tags)s)",
    "its run": "select * from report_run_output(%(report)s, 2, known_tags => %(tags)s)",
    "an earlier run": "select * from report_run_output(%(report)s, 1, known_tags => %(tags)s)",
    "the last good one": "select * from last_good_report(%(report)s, known_tags => %(tags)s)",
}


@pytest.fixture
def report(sandbox: Connection) -> int:
    """A household report with large outputs, at its run 2."""
    set_versions(sandbox)
    made = add_report(sandbox, add_simulation(sandbox, population_type="household"), output="{}")
    sandbox.execute(f"update public.report_outputs set output = {LARGE} where id = %s", (made,))  # noqa: S608
    rerun(sandbox, made)
    sandbox.execute(f"select update_report(%s, status => 'complete', output => {LARGE})", (made,))
    return made


def parts_read(connection: Connection) -> int:
    """How often this transaction has looked for the parts of a large value."""
    found = one(
        connection,
        """
        select coalesce(sum(scans.idx_scan), 0)::integer as number
          from pg_class as large
          join pg_stat_xact_all_tables as scans on scans.relid = large.reltoastrelid
         where large.oid in ('public.report_outputs'::regclass, 'pgreprise.report_run'::regclass)
        """,
    )
    return int(found["number"])


@pytest.mark.parametrize("asked", ASKED)
def test_nothing_of_an_output_is_read_for_who_has_it(sandbox: Connection, report: int, asked: str) -> None:
    before = parts_read(sandbox)
    [row] = sandbox.execute(ASKED[asked], {"report": report, "tags": None}).fetchall()
    after = parts_read(sandbox)
    assert len(row["output"]) == 3000
    assert after > before
    for tags in ([row["tag"]], ["another", row["tag"]], ["*"]):
        [again] = sandbox.execute(ASKED[asked], {"report": report, "tags": tags}).fetchall()
        assert again == {**row, "output": None}
        assert parts_read(sandbox) == after
    for tags in ([], ["another"], ["another", None], [row["tag"].upper()]):
        assert sandbox.execute(ASKED[asked], {"report": report, "tags": tags}).fetchall() == [row]


@pytest.mark.parametrize(
    ("output", "is_output"),
    [("{}", True), ("0", True), ('"null"', True), ("null", False), (" null ", False), (f"{' ' * 5000}null", False)],
)
def test_a_null_is_no_output_however_it_is_written(sandbox: Connection, output: str, is_output: bool) -> None:
    sandbox.execute("create temporary table kept as select %s::json as output", (output,))
    assert one(sandbox, "select pgreprise.is_output(kept.output) as found from kept")["found"] is is_output


def test_no_value_is_no_output(sandbox: Connection) -> None:
    assert one(sandbox, "select pgreprise.is_output(null) as found")["found"] is False
