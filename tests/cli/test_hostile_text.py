"""Someone types SQL into every argument and option that takes text: it stays text."""

from __future__ import annotations

from collections.abc import Iterator

import click
import pytest
from sqlalchemy import URL

from pyapi.cli import cli
from tests.support.command import Run
from tests.support.databases import Connection
from tests.support.samples import load_sample
from tests.support.statements import one

# Their text goes to no routine: it names addresses, files, revisions, or is SQL that somebody means.
ELSEWHERE = {"serve", "token", "migrate", "import-legacy", "routine new", "psql"}
VALID = {
    "country": "us",
    "report_id": "4",
    "report_ids": "4",
    "name": "archive_outputs",
    "value": "on",
    "older_than": "30 days",
}
HOSTILE = [
    "x'; drop table public.simulations; --",
    '"; drop schema pgreprise cascade; --',
    "$$; drop owned by pgreprise_owner; $$",
    "%s%(country)s %I :name \\'; select 1/0; --",
    "30 days'; select pg_sleep(600); --",
]


@pytest.fixture(scope="module")
def database(shared_database: URL, shared_connection: Connection) -> URL:
    """The module's database, with the sample."""
    load_sample(shared_connection)
    return shared_database


def commands(group: click.Group, name: str = "") -> Iterator[tuple[str, click.Command]]:
    for word, command in group.commands.items():
        full = f"{name} {word}".strip()
        if isinstance(command, click.Group):
            yield from commands(command, full)
        else:
            yield full, command


def taking_text() -> list[tuple[str, click.Command, click.Parameter]]:
    """Each argument and option that takes any text, with its command."""
    return [
        (name, command, parameter)
        for name, command in commands(cli)
        for parameter in command.params
        if isinstance(parameter.type, click.types.StringParamType) or name == "psql"
    ]


def words(name: str, command: click.Command, tried: click.Parameter, hostile: str) -> list[str]:
    """The words of a command that is in order but for one parameter."""
    options, arguments = [], []
    for parameter in command.params:
        value = hostile if parameter is tried else VALID.get(str(parameter.name), "")
        if isinstance(parameter, click.Argument) and (parameter.required or parameter is tried):
            arguments.append(value)
        elif isinstance(parameter, click.Option) and (parameter.required or parameter is tried):
            options.append(f"{parameter.opts[0]}={value}")
    return [*name.split(), *options, "--", *arguments]


@pytest.mark.parametrize(
    ("name", "command", "parameter"),
    [found for found in taking_text() if found[0] not in ELSEWHERE],
    ids=lambda part: part if isinstance(part, str) else getattr(part, "name", "?"),
)
def test_sql_in_any_argument_is_only_text(
    pgreprise: Run, dba: Connection, name: str, command: click.Command, parameter: click.Parameter
) -> None:
    ours = (
        "select (select count(*) from pg_class where relnamespace = any (array['public', 'pgreprise']::regnamespace[]))"
        "     , (select count(*) from pg_proc where proowner = 'pgreprise_owner'::regrole) as routines"
    )
    before = one(dba, ours)
    for hostile in HOSTILE:
        done = pgreprise(*words(name, command, parameter, hostile))
        assert done.returncode in (0, 1, 2)
        assert "Traceback" not in done.stdout + done.stderr
    assert one(dba, ours) == before


def test_what_takes_text_elsewhere_is_known() -> None:
    assert {name for name, _, _ in taking_text()} >= ELSEWHERE
