"""The statements of an SQL text, told apart as PostgreSQL does: quotes, comments and bodies hide what is in them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

__all__ = ["Statement", "UnendedError", "statements"]

_TOKEN = re.compile(
    r"""(?P<comment>--[^\n]*)
    |(?P<open>/\*)
    |(?P<escaped>[eE]'(?:[^'\\]|\\.|'')*')
    |(?P<text>'(?:[^']|'')*')
    |(?P<name>"(?:[^"]|"")*")
    |\$(?P<tag>(?:[^\W\d]\w*)?)\$
    |(?P<word>[^\W\d][\w$]*)
    |(?P<number>\d[\w.]*)
    |(?P<space>\s+)
    |(?P<quote>['"])
    |(?P<other>.)""",
    re.DOTALL | re.VERBOSE,
)
_COMMENT_EDGE = re.compile(r"/\*|\*/")


class UnendedError(ValueError):
    """A quote or comment that begins at ``position`` does not end."""

    def __init__(self, what: str, position: int) -> None:
        super().__init__(what)
        self.position = position


@dataclass(frozen=True)
class Statement:
    """A statement without its semicolon.

    ``code`` is its text with one space between its parts, without comments, and with ``''`` for each quoted text;
    ``start`` and ``end`` are where it stands in the whole text, without comments before it.
    """

    code: str
    start: int
    end: int


def _after_comment(sql: str, start: int) -> int:
    depth = 0
    for edge in _COMMENT_EDGE.finditer(sql, start):
        depth += 1 if edge[0] == "/*" else -1
        if depth == 0:
            return edge.end()
    raise UnendedError("a comment", start)


def _parts(sql: str) -> Iterator[tuple[str, str, int, int]]:
    """Kind, text, start and end of each part that is no comment."""
    position = 0
    while position < len(sql):
        match = _TOKEN.match(sql, position)
        assert match is not None  # the last alternative takes anything
        kind, end = match.lastgroup or "", match.end()
        if kind == "open":
            end = _after_comment(sql, position)
        elif kind == "tag":
            closing = sql.find(match[0], end)
            if closing < 0:
                raise UnendedError("a quoted text", position)
            end = closing + len(match[0])
        elif kind == "quote":
            raise UnendedError("a quoted text", position)
        if kind in ("open", "comment", "space"):
            yield "space", " ", position, end
        elif kind in ("escaped", "text", "tag"):
            yield "text", "''", position, end
        else:
            yield kind, match[0], position, end
        position = end


# A migration asks twice for each of its texts: what will it make, and then to run it.
@lru_cache(maxsize=1024)
def statements(sql: str) -> tuple[Statement, ...]:
    """The statements of a text. Raises UnendedError where a quote or a comment has no end."""
    found: list[Statement] = []
    code: list[str] = []
    start = end = 0
    # How deep within `begin atomic ... end`, where a semicolon ends no statement of the file.
    depth, last_word = 0, ""
    for kind, text, begins, ends in _parts(sql):
        if kind == "other" and text == ";" and depth == 0:
            if any(part != " " for part in code):
                found.append(Statement(" ".join("".join(code).split()), start, end))
            code, last_word = [], ""
            continue
        if kind == "word":
            word = text.lower()
            if depth == 0 and (last_word, word) == ("begin", "atomic"):
                depth = 1
            elif depth and word == "case":
                depth += 1
            elif depth and word == "end":
                depth -= 1
            last_word = word
        if kind != "space":
            if not any(part != " " for part in code):
                start = begins
            end = ends
        code.append(text)
    if any(part != " " for part in code):
        found.append(Statement(" ".join("".join(code).split()), start, end))
    return tuple(found)
