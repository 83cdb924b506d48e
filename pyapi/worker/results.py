"""What a command prints on its standard output: results, as JSON.

One document, or one a line; a result of a line is there as soon as the line is complete:

    {"simulations": {"5": OUTPUT, "6": OUTPUT}, "report": OUTPUT}
    {"simulation_id": 5, "output": OUTPUT}
    {"simulation_id": 6, "error_message": "no data"}
    {"report": OUTPUT}

An OUTPUT is any JSON value, and is kept as it was printed.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass

__all__ = ["Result", "ResultError", "Results", "storable"]

_SPACE = re.compile(r"[ \t\r\n]*")
_ID = re.compile(r"[1-9][0-9]{0,18}")
_SHOWN = 60


class ResultError(Exception):
    """The command printed what is no result. The message says what is wrong with it."""


@dataclass(frozen=True)
class Result:
    """A result of a simulation, or where simulation_id is None of the report: its output as JSON text, or an error."""

    simulation_id: int | None
    output: str | None
    error_message: str | None = None


def storable(text: str) -> str:
    """A text without what PostgreSQL does not store: NUL, and half of a surrogate pair."""
    return text.replace("\0", "\ufffd").encode(errors="replace").decode()


def _refuse_constant(name: str) -> None:
    raise ResultError(f"The command printed {name}, which is not JSON.")


# Numbers stay text: only where a value ends is wanted.
_DECODER = json.JSONDecoder(parse_int=str, parse_float=str, parse_constant=_refuse_constant)


def _after_space(text: str, at: int) -> int:
    found = _SPACE.match(text, at)
    return found.end() if found else at


def _members(text: str, at: int) -> tuple[dict[str, str], int]:
    """The object that begins at a position: the text of each value by its name; and where the object ends.

    Raises ValueError where there is no whole object.
    """
    if not text.startswith("{", at):
        raise json.JSONDecodeError("Expecting an object", text, at)
    found: dict[str, str] = {}
    at = _after_space(text, at + 1)
    if text.startswith("}", at):
        return found, at + 1
    while True:
        name, at = _DECODER.raw_decode(text, at)
        at = _after_space(text, at)
        if not isinstance(name, str) or not text.startswith(":", at):
            raise json.JSONDecodeError("Expecting a name and a colon", text, at)
        begin = _after_space(text, at + 1)
        _, end = _DECODER.raw_decode(text, begin)
        if name in found:
            raise ResultError(f"The command printed the name {name[:_SHOWN]!r} twice in one object.")
        found[name] = text[begin:end]
        at = _after_space(text, end)
        if text.startswith("}", at):
            return found, at + 1
        if not text.startswith(",", at):
            raise json.JSONDecodeError("Expecting a comma", text, at)
        at = _after_space(text, at + 1)


def _simulation_id(text: str) -> int:
    if _ID.fullmatch(text) is None:
        raise ResultError(f"The command printed {text[:_SHOWN]} where the id of a simulation belongs.")
    return int(text)


def _meant(members: dict[str, str]) -> Iterator[Result]:
    """The results that an object is, or holds."""
    match sorted(members):
        case ["output", "simulation_id"]:
            yield Result(_simulation_id(members["simulation_id"]), members["output"])
        case ["error_message", "simulation_id"]:
            message = json.loads(members["error_message"])
            if not isinstance(message, str):
                raise ResultError("The command printed an error_message that is no text.")
            yield Result(_simulation_id(members["simulation_id"]), None, storable(message))
        case ["report"] | ["report", "simulations"] | ["simulations"]:
            outputs, _ = _members(members.get("simulations", "{}"), 0)
            yield from (Result(_simulation_id(name), output) for name, output in outputs.items())
            if "report" in members:
                yield Result(None, members["report"])
        case names:
            raise ResultError(
                f"The command printed an object with {', '.join(names)[:_SHOWN] or 'nothing in it'}. A result has "
                "simulations and report, or simulation_id with output or error_message."
            )


class Results:
    """Reads what a command prints. It keeps at most ``largest`` bytes that are no whole result yet."""

    def __init__(self, largest: int) -> None:
        self._largest = largest
        self._printed = bytearray()
        self._looked_at = 0
        # A document of several lines is read when all of it is there.
        self._is_one_document = False

    def feed(self, printed: bytes) -> list[Result]:
        """Take what was printed, and give the results of complete lines. Raises ResultError."""
        self._printed += printed
        found: list[Result] = []
        while not self._is_one_document and (end := self._printed.find(b"\n", self._looked_at)) >= 0:
            line = _text(self._printed[: end + 1])
            try:
                found += list(_all(line))
            except ValueError:
                self._is_one_document = True
                break
            del self._printed[: end + 1]
            self._looked_at = 0
        self._looked_at = len(self._printed)
        if len(self._printed) > self._largest:
            raise ResultError(f"The command printed a result of more than {self._largest} bytes.")
        return found

    def end(self) -> list[Result]:
        """The results that are left when the command has ended. Raises ResultError."""
        text = _text(self._printed)
        try:
            return list(_all(text))
        except ValueError as error:
            raise ResultError(f"The command printed what is not JSON: {error}: {text[:_SHOWN]!r}.") from error


def _text(printed: bytearray) -> str:
    try:
        return printed.decode()
    except UnicodeDecodeError as error:
        raise ResultError("The command printed bytes that are not UTF-8.") from error


def _all(text: str) -> Iterator[Result]:
    """The results of all objects in a text. Raises ResultError; ValueError where the last object is not whole."""
    at = _after_space(text, 0)
    while at < len(text):
        if not text.startswith("{", at):
            raise ResultError(
                f"The command printed what is no result: {text[at : at + _SHOWN].strip()!r}. What is not a JSON object "
                "belongs on its standard error."
            )
        try:
            members, at = _members(text, at)
            yield from _meant(members)
        except RecursionError as error:
            raise ResultError("The command printed a value that is nested too deep.") from error
        at = _after_space(text, at)
