"""A caller's reason or message holds what a terminal obeys: the command shows it, and the terminal does nothing."""

from __future__ import annotations

import json
import re

import pytest
from sqlalchemy import URL

from tests.support.command import Run, shown_on_terminal
from tests.support.databases import Connection, plain
from tests.support.factories import add_report, add_simulation, set_versions

# It names the window, clears the screen and goes back to the line's beginning; the last clears it with one character.
OBEYED = "\x1b]0;pwned\x07\x1b[2J\r\x7f\x9b2J hi"
SHOWN = r"\x1b]0;pwned\x07\x1b[2J\x0d\x7f\x9b2J hi"
CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")
# What the command itself says to a terminal: colours, and the ends of its lines.
OWN = re.compile(r"\x1b\[[0-9;]*m|\r\n")

COMMANDS = [
    ("history",),
    ("batches",),
    ("batches", "show", "1"),
    ("runs", "us", "1"),
    ("runs", "us", "1", "--run", "2"),
    ("rerun", "us", "1"),
    ("setting", "set", "archive_outputs", OBEYED),
    ("migrate", "--to", OBEYED),
    (OBEYED,),
]
every_command = pytest.mark.parametrize(
    "arguments", COMMANDS, ids=lambda words: " ".join(words).replace(OBEYED, "OBEYED")
)


@pytest.fixture(autouse=True)
def report(dba: Connection) -> None:
    """Report 1, which a batch with such a reason reran; its run failed so, and a trigger stops it so."""
    set_versions(dba)
    number = add_report(dba, add_simulation(dba, population_type="household"))
    dba.execute('select create_rerun_batch(\'{"country": "us"}\', %s)', (OBEYED,))
    dba.execute("select rerun_batch_chunk(1)")
    dba.execute("update report_outputs set status = 'error', error_message = %s where id = %s", (OBEYED, number))
    dba.execute(
        "create function stop() returns trigger language plpgsql as "
        f"$$ begin raise exception using message = E'{OBEYED}\\nof two lines', hint = '{OBEYED}'; end $$"
    )
    dba.execute("create trigger stop before update on report_outputs for each row execute function stop()")


@every_command
def test_what_a_terminal_obeys_is_shown_in_a_pipe(pgreprise: Run, arguments: tuple[str, ...]) -> None:
    done = pgreprise(*arguments)
    said = done.stdout + done.stderr
    assert CONTROLS.search(said) is None
    # Click writes what was typed as Python would.
    assert SHOWN in said or repr(OBEYED) in said


@pytest.mark.needs("time")
@every_command
def test_what_a_terminal_obeys_is_shown_on_one(database: URL, arguments: tuple[str, ...]) -> None:
    said = OWN.sub("", shown_on_terminal(*arguments, DATABASE_URL=plain(database)))
    assert CONTROLS.search(said) is None
    assert r"\x1b" in said


def test_the_lines_of_a_message_stay_lines(pgreprise: Run) -> None:
    assert f"{SHOWN}\nof two lines" in pgreprise("rerun", "us", "1").stderr


@pytest.mark.parametrize(
    "arguments", [("history", "--json"), ("batches", "--json"), ("batches", "show", "1", "--json")]
)
def test_json_has_the_reason_to_the_letter(pgreprise: Run, arguments: tuple[str, ...]) -> None:
    document = json.loads(pgreprise(*arguments, "--json").stdout)
    assert (document[0] if isinstance(document, list) else document)["reason"] == OBEYED


def test_an_output_is_exact_in_a_pipe_and_the_same_document_on_a_terminal(
    pgreprise: Run, database: URL, dba: Connection
) -> None:
    dba.execute("drop trigger stop on report_outputs")
    stored = json.dumps({"title": "\x9b2J\x7f hi"}, ensure_ascii=False)
    dba.execute("update report_outputs set status = 'complete', output = %s, error_message = null", (stored,))
    assert pgreprise("runs", "us", "1", "--run", "2").stdout == f"{stored}\n"
    shown = shown_on_terminal("runs", "us", "1", "--run", "2", DATABASE_URL=plain(database))
    assert CONTROLS.search(OWN.sub("", shown)) is None
    assert json.loads(shown) == json.loads(stored)
