"""The SQL files read as DESIGN asks: they say first what they are for, what they return and what they raise."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from pyapi.schema.files import RoutineFile, live_routines, sql_folder

FILES = sorted(sql_folder().rglob("*.sql"))
ROUTINES = live_routines()


def name_of(file: Path | RoutineFile) -> str:
    return (file if isinstance(file, Path) else file.path).relative_to(sql_folder()).as_posix()


def header(text: str) -> list[str]:
    """The comment lines that a file begins with."""
    lines = text.splitlines()
    return lines[: next((number for number, line in enumerate(lines) if not line.startswith("--")), len(lines))]


def without_comments(text: str) -> str:
    return re.sub(r"--[^\n]*", "", text)


def without_text(text: str) -> str:
    """The code alone: no comments and no string literals."""
    return re.sub(r"'(?:[^']|'')*'", "''", without_comments(text))


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_a_file_begins_by_saying_what_it_is_for(path: Path) -> None:
    lines = header(path.read_text(encoding="utf-8"))
    subject = re.sub(r"_v\d+$", "", path.stem)
    # A table says the rest in its own comments.
    assert len(lines) >= (2 if path.parent.name in ("functions", "procedures", "steps") else 1)
    assert lines[0].startswith((f"-- {subject}(", f"-- {subject}: "))
    assert all(len(line) > len("-- ") or line == "--" for line in lines)


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_a_file_is_plain_text_that_ends_with_one_line_feed(path: Path) -> None:
    content = path.read_bytes()
    assert content.isascii()
    assert content.endswith(b"\n")
    assert not content.endswith(b"\n\n")
    for forbidden in (b"\t", b"\r", b" \n"):
        assert forbidden not in content
    assert max(map(len, content.splitlines())) <= 120


@pytest.mark.parametrize("file", ROUTINES, ids=name_of)
def test_a_routine_is_named_like_its_file_and_carries_a_comment(file: RoutineFile) -> None:
    assert file.routine.split(".")[1] == file.name.split("/")[1]
    assert file.sql.count("create or replace ") == 1
    kind = file.signature.split()[0]
    assert re.search(rf"^comment on {kind} {re.escape(file.routine)}[( ]", file.sql, re.MULTILINE)


@pytest.mark.parametrize("file", ROUTINES, ids=name_of)
def test_a_routine_names_the_conditions_that_it_raises(file: RoutineFile) -> None:
    said = "\n".join(header(file.sql))
    raised = set(re.findall(r"\b(?:errcode = |then )'(R[RC]\d{3})'", without_comments(file.sql)))
    assert raised <= set(re.findall(r"R[RC]\d{3}", said))


@pytest.mark.parametrize("file", ROUTINES, ids=name_of)
def test_a_condition_comes_with_message_detail_and_hint(file: RoutineFile) -> None:
    code = without_text(file.sql)
    for statement in re.findall(r"raise exception[^;]*;", code):
        for part in ("errcode =", "message =", "hint ="):
            assert part in statement
        if re.search("'R[RC]", file.sql):
            assert "detail =" in statement


# Three commit after each chunk, and the function that does a chunk enters. Two are asked inside other entry points,
# about units, whatever the scope.
WITHOUT_ENTER = {
    "public.caller_scopes",
    "public.run_rerun_batch",
    "public.undo_rerun_batch",
    "public.purge_runs",
    "public.purge_by_retention",
    "public.require_unit_access",
    "public.pick_role_for_institutional_id",
}
ENTRY_POINTS = [file for file in ROUTINES if file.routine.startswith("public.") and file.routine not in WITHOUT_ENTER]


@pytest.mark.parametrize("file", ENTRY_POINTS, ids=name_of)
def test_an_entry_point_enters_first(file: RoutineFile) -> None:
    before, _, body = without_comments(file.sql).partition("\nbegin\n")
    assert re.match(r"  perform pgreprise\.enter\('reports:(read|write|work|rerun|admin)'", body)
    # Values of variables are computed before the first statement.
    assert not re.search(r":=.*\b(pgreprise|public)\.", before)


def test_every_exception_is_an_entry_point() -> None:
    assert {file.routine for file in ROUTINES} >= WITHOUT_ENTER


def test_a_single_rerun_never_joins() -> None:
    # Each statement on its path touches one table by its key, so that it is cheap in tables of any size.
    newest = {file.routine: without_text(file.sql) for file in ROUTINES}
    on_the_path = {"public.rerun_report"}
    while (
        called := {
            name
            for routine in on_the_path
            for name in re.findall(r"\b\w+\.\w+(?=\()", newest[routine])
            if name in newest
        }
        - on_the_path
    ):
        on_the_path |= called
    assert {
        "pgreprise.use_idempotency_key",
        "pgreprise.report_defect",
        "pgreprise.lock_linked_simulations",
        "pgreprise.start_report_runs",
        "pgreprise.start_simulation_runs",
        "pgreprise.report_cache_rows",
        "pgreprise.remove_reform_impacts",
    } < on_the_path
    # Only where the application has tables of runs of its own, and then among the rows of this report.
    on_the_path -= {"pgreprise.add_host_runs"}
    # Only where the host has triggers or foreign keys at the table, and then in the catalog.
    on_the_path -= {"pgreprise.losing_keys"}
    # Only for the words of an error: who holds a row, or which sequence is behind.
    on_the_path -= {"pgreprise.linked_reports", "pgreprise.needed_rows", "pgreprise.sequences_behind"}
    on_the_path -= {"pgreprise.shard_sequences_behind"}
    # The settings are one row of pgreprise's own, read together with the versions of the country.
    newest["public.rerun_report"] = newest["public.rerun_report"].replace("left join pgreprise.country", "", 1)
    # And what has moved since a preview.
    on_the_path -= {"pgreprise.moved_things", "pgreprise.require_seen"}
    assert [routine for routine in on_the_path if re.search(r"\bjoin\b", newest[routine])] == []


@pytest.mark.parametrize(
    ("rule", "place"),
    [
        # Which cache rows are a report's.
        (r"\b(dataset|options_hash)\s*(=|<>|is\b|in\b|like\b)", "reports/answers_request"),
        (r"\bimpact\.(region|time_period)\s*(=|<>|is\b|in\b|like\b)", "reports/scope_cache_rows"),
        # Which simulations a report links.
        (
            r"\bsimulation_2\.id\b|\.id = (lock_)?linked_simulations\.simulation_2_id",
            ("reports/linked_", "reports/lock_linked_"),
        ),
        # What stands in the way of a rerun.
        (r"\bthen 'RR00[2-6]'\n", "reports/report_defect_code"),
        # Which claims a new run ends or revokes.
        (r"\bgiven\.open and given\.simulation_id\b", "reports/claims_on"),
        (
            r"\bupdate public\.report_outputs\b[^;]*\brun_sequence = report\.run_sequence \+",
            "reports/start_report_runs",
        ),
        (
            r"\bupdate public\.simulations\b[^;]*\brun_sequence = simulation\.run_sequence \+",
            "reports/start_simulation_runs",
        ),
        # What stands in the way of an undo, and what cannot be undone at all.
        (r"\bpgreprise\.undo_obstacle\(|\bpgreprise\.host_run_obstacle\(", ("reports/undo_ob", "reports/host_run_obs")),
        (r"(errcode =|select) 'RR014'", ("reports/undo_defect", "reports/use_idempotency_key")),
        # A chunk of a batch waits less long for a row than others do, and the words of an error for none.
        (
            r"\bset_config\('lock_timeout'",
            (
                "core/enter",
                "core/limit_lock_wait",
                "reports/rerun_batch_chunk",
                "reports/count_batch_refusals",
                "reports/record_refusal",
                "reports/rerun_unlocked",
                "reports/undo_batch_chunk",
                "reports/claim_report",
                "reports/release_stuck_runs",
                "reports/raise_report_wait",
                # The caller's own, whom a router has sent on.
                "reports/act_for",
            ),
        ),
    ],
)
def test_a_rule_has_one_place(rule: str, place: str | tuple[str, ...]) -> None:
    found = {file.name for file in ROUTINES if re.search(rule, without_comments(file.sql))}
    assert found
    assert all(name.startswith(place) for name in found), found


def test_a_routine_that_forbids_a_kind_of_scan_forbids_jit_too() -> None:
    # Where no other scan is possible the plan costs 10,000,000,000, and JIT would compile it for a second or more.
    careless = {
        file.name
        for file in ROUTINES
        if re.search(r"^set enable_\w+ = 'off'", file.sql, re.MULTILINE) and "\nset jit = 'off'\n" not in file.sql
    }
    # They read by key only.
    assert careless == {"reports/original_run", "reports/skip_used_run_numbers"}


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_keywords_are_lower_case(path: Path) -> None:
    code = without_text(path.read_text(encoding="utf-8"))
    assert re.findall(r"\b(?:SELECT|FROM|WHERE|UPDATE|INSERT|DELETE|BEGIN|END|CREATE|NULL|AND|OR|NOT)\b", code) == []
