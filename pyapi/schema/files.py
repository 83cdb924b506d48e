"""The SQL files: where each one is, which of them are routines, and which texts are released.

A file is named by domain and name, not by room, so that rooms can be rearranged: ``reports/rerun_report`` is
``sql/reports/rerun/rerun_report.sql``. A file that creates a routine is the newest version of it. Superseded
versions are ``sql/released/<domain>/<name>_v<NN>.sql``.

``sql/RELEASED`` records the checksum of each released text, one a line: ``<sha256>  <domain>/<name>  <version>`` for
a routine, without a version for any other file. A released text never changes.

Nothing but the standard library is imported here: the build of the wheel uses it too.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from pyapi.schema.statements import Statement, UnendedError, statements

__all__ = [
    "NoTextError",
    "ReleasedText",
    "RoutineFile",
    "TextError",
    "changed_texts",
    "domains",
    "is_named",
    "is_released",
    "live_routines",
    "migrations_folder",
    "read_released",
    "released_folder",
    "released_path",
    "require_released",
    "require_unchanged",
    "revision_texts",
    "router_text",
    "routine_file",
    "shown",
    "sql_files",
    "sql_folder",
    "sql_text",
    "unreleased_texts",
    "write_released",
]

# The package, whose folder the wheel carries sql and migrations in.
_PACKAGE = Path(__file__).parent.parent
_RELEASED = "released"
# What `pgreprise shard router` prints; no migration installs it.
_ROUTER = "router"
_RELEASED_NAME = re.compile(r"(?P<name>[a-z][a-z0-9_]*)_v(?P<version>\d{2,})\.sql")
_RELEASED_LINE = re.compile(r"(?P<checksum>[0-9a-f]{64})  (?P<name>[a-z0-9_]+/[a-z0-9_]+)(?:  (?P<version>\d+))?")
_IS_ROUTINE = re.compile(r"^create or replace (?:function|procedure)\b", re.MULTILINE)
_HEADER = re.compile(
    r"create or replace (?P<kind>function|procedure)\s+(?P<routine>[a-z_][a-z0-9_]*\.[a-z_][a-z0-9_]*)"
    r"(?P<signature>\s*\(.*?)\nlanguage\b",
    re.DOTALL,
)
_CREATES = re.compile(r"create (?:or replace )?(?:function|procedure)\b", re.IGNORECASE)
# A comment or a grant, and the routine that it is about.
_BELONGS = re.compile(
    r"(?:comment on|(?:grant|revoke) execute on) (?:function|procedure|routine) "
    r"(?P<routine>[\w.]+) ?(?:\(|is\b|to\b|from\b)"
)
_GRANT = re.compile(r"^grant execute on (?:function|procedure)\s[^;]*?\sto\s+(?P<roles>[\w\s,]+);", re.MULTILINE)


class TextError(ValueError):
    """The text of an SQL file cannot be used; the message says which, why, and what to do."""


class NoTextError(TextError, LookupError):
    """There is no SQL file of that name."""


def _project_folder(name: str) -> Path:
    """A folder that the wheel carries inside the package and a checkout beside it."""
    inside = _PACKAGE / name
    return inside if inside.is_dir() else _PACKAGE.parent / name


def sql_folder() -> Path:
    """The folder of the SQL files, in a checkout and in an installed wheel alike."""
    return _project_folder("sql")


def migrations_folder() -> Path:
    """The folder of the Alembic migrations, in a checkout and in an installed wheel alike."""
    return _project_folder("migrations")


def released_folder() -> Path:
    """The folder of the superseded versions."""
    return sql_folder() / _RELEASED


def _checksum(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _read(path: Path) -> str:
    # Text mode, without a byte order mark: neither the line ends of Windows nor an editor there change a checksum.
    try:
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise TextError(f"{path} is not UTF-8: {error.reason} at byte {error.start}.") from error


def sql_files() -> dict[str, Path]:
    """Every live file by ``domain/name``. Raises TextError when two files have one name."""
    found: dict[str, Path] = {}
    for path in sorted(sql_folder().glob("*/*/*.sql"), key=str):
        domain = path.parent.parent.name
        if domain in {_RELEASED, _ROUTER}:
            continue
        name = f"{domain}/{path.stem}"
        if name in found:
            raise _one_name(path, found[name])
        found[name] = path
    return found


def _one_name(path: Path, other: Path) -> TextError:
    return TextError(f"{path} and {other} have one name; a name is used once in a domain. Rename one.")


def _live_file(name: str) -> Path | None:
    """The live file ``domain/name``, without a look at the others: a migration asks for each of them."""
    domain, _, short = name.partition("/")
    folder = sql_folder() / domain
    rooms = os.scandir(folder) if folder.is_dir() else ()
    # Not with paths: there are many rooms, and a migration looks into each of them a thousand times.
    found = sorted(Path(path) for room in rooms if os.path.isfile(path := f"{room.path}/{short}.sql"))  # noqa: PTH113
    if len(found) > 1:
        raise _one_name(found[1], found[0])
    return found[0] if found else None


def router_text(name: str) -> str:
    """The text of a file of ``sql/router/``, what a router is made of; no migration installs it.

    Raises NoTextError when there is no such file.
    """
    found = list((sql_folder() / _ROUTER).glob(f"*/{name}.sql"))
    if len(found) != 1:
        raise NoTextError(f"There is no file {name} under {sql_folder() / _ROUTER}.")
    return _read(found[0])


def domains() -> list[str]:
    """The domains that have SQL files, sorted by name."""
    return sorted({name.split("/")[0] for name in sql_files()})


def sql_text(name: str) -> str:
    """The text of the live file ``domain/name``. Raises NoTextError when there is no such file."""
    path = _live_file(name)
    if path is None:
        raise NoTextError(f"There is no file {name} under {sql_folder()}.")
    return _read(path)


@dataclass(frozen=True)
class RoutineFile:
    """One version of one routine: ``name`` is ``domain/routine``, ``version`` counts from 1."""

    name: str
    version: int
    path: Path

    @property
    def domain(self) -> str:
        """The domain that the routine belongs to."""
        return self.name.split("/")[0]

    @cached_property
    def sql(self) -> str:
        """The text of the file."""
        return _read(self.path)

    @cached_property
    def checksum(self) -> str:
        """SHA-256 of the text, in hexadecimal digits."""
        return _checksum(self.sql)

    @cached_property
    def _statements(self) -> tuple[Statement, ...]:
        try:
            return statements(self.sql)
        except UnendedError as error:
            raise self._refused(error.position, f"{error} that begins here does not end") from error

    def _refused(self, position: int, reason: str) -> TextError:
        line = self.sql.count("\n", 0, position) + 1
        return TextError(f"{shown(self.path)}, line {line}: {reason}. Nothing was changed. Correct the file.")

    @cached_property
    def _header(self) -> re.Match[str]:
        for statement in self._statements:
            found = _HEADER.match(self.sql, statement.start)
            if found is not None:
                return found
        raise TextError(
            f"{shown(self.path)} does not begin a routine with `create or replace function schema.name(...)` "
            "and `language` at the beginning of a line. Nothing was changed. Correct the file."
        )

    def require_one_routine(self) -> None:
        """Raise TextError unless the file is its routine and what belongs to it: comments and grants.

        A second routine would keep the owner and the open rights that it is created with, and a ``commit`` would end
        the transaction of the migration.
        """
        rule = "a file holds one routine, its comments and its grants"
        creates = [statement for statement in self._statements if _CREATES.match(statement.code)]
        for second in creates[1:]:
            raise self._refused(second.start, f"a second routine is created here, and {rule}")
        if self.routine.split(".")[1] != self.name.split("/")[1]:
            raise TextError(
                f"{shown(self.path)} should create a routine named like the file, and creates {self.routine}. "
                "Nothing was changed. Rename one of the two."
            )
        for statement in self._statements:
            belongs = _BELONGS.match(statement.code)
            if statement not in creates and (belongs is None or belongs["routine"] != self.routine):
                raise self._refused(
                    statement.start, f"a statement that does not belong here ({statement.code[:60]}): {rule}"
                )

    @property
    def routine(self) -> str:
        """The routine that the file creates, as ``schema.name``."""
        return self._header["routine"]

    @property
    def signature(self) -> str:
        """Kind, arguments and result, with white space folded: a change of it needs a new routine."""
        return " ".join(f"{self._header['kind']} {self._header['signature']}".split())

    @property
    def callers(self) -> frozenset[str]:
        """The roles that the file lets call the routine."""
        return frozenset(role for grant in _GRANT.finditer(self.sql) for role in re.findall(r"\w+", grant["roles"]))


def _superseded() -> dict[str, list[RoutineFile]]:
    """The superseded versions of each routine, oldest first."""
    found: dict[str, list[RoutineFile]] = {}
    for path in sorted(released_folder().glob("*/*.sql")):
        match = _RELEASED_NAME.fullmatch(path.name)
        if match is None:
            raise TextError(f"{path} is not named <routine>_v<NN>.sql.")
        name = f"{path.parent.name}/{match['name']}"
        found.setdefault(name, []).append(RoutineFile(name, int(match["version"]), path))
    return found


def _live_routine(name: str, path: Path, superseded: dict[str, list[RoutineFile]]) -> RoutineFile | None:
    if not _IS_ROUTINE.search(_read(path)):
        return None
    return RoutineFile(name, superseded[name][-1].version + 1 if name in superseded else 1, path)


def live_routines() -> list[RoutineFile]:
    """The newest version of every routine, sorted by name."""
    superseded = _superseded()
    found = [_live_routine(name, path, superseded) for name, path in sorted(sql_files().items())]
    return [file for file in found if file is not None]


def routine_file(name: str, version: int | None = None) -> RoutineFile:
    """One version of a routine, the newest where no version is given.

    Raises NoTextError when there is no such file.
    """
    superseded, path = _superseded(), _live_file(name)
    live = None if path is None else _live_routine(name, path, superseded)
    versions = [*superseded.get(name, []), *([live] if live is not None else [])]
    found = [file for file in versions if version in (None, file.version)]
    if not found:
        wanted = name if version is None else f"{name} version {version}"
        raise NoTextError(f"There is no file for routine {wanted} under {sql_folder()}.")
    return found[-1]


def released_path(file: RoutineFile) -> Path:
    """Where a version is kept once another one supersedes it."""
    domain, routine = file.name.split("/")
    return released_folder() / domain / f"{routine}_v{file.version:02}.sql"


# --- released texts never change -------------------------------------------------------------


@dataclass(frozen=True, order=True)
class ReleasedText:
    """A line of ``sql/RELEASED``; ``version`` is None for a file that is not a routine."""

    name: str
    version: int | None
    checksum: str

    def __str__(self) -> str:
        return self.name if self.version is None else f"{self.name} version {self.version}"


def _record() -> Path:
    return sql_folder() / "RELEASED"


def _current_texts() -> dict[tuple[str, int | None], str]:
    """The checksum of every text that there is now."""
    routines = {file.name: file for file in live_routines()}
    current: dict[tuple[str, int | None], str] = {
        (file.name, file.version): file.checksum
        for file in (*routines.values(), *(file for files in _superseded().values() for file in files))
    }
    revisions = revision_texts()
    for name, path in sql_files().items():
        # A query of the doctor, or a sample, is installed by no revision and may change at any time.
        if name not in routines and any(is_named(name, text) for text in revisions.values()):
            current[name, None] = _checksum(_read(path))
    return current


def revision_texts() -> dict[Path, str]:
    """The text of each revision, and of what runs before them all, by its path."""
    folder = migrations_folder()
    return {path: _read(path) for path in (folder / "env.py", *sorted((folder / "versions").glob("*.py")))}


def is_named(name: str, revision: str) -> bool:
    """Whether the text of a revision names the file ``domain/name``, whole or within its domain."""
    domain, short = name.split("/")
    return f'"{name}"' in revision or (f'"{short}"' in revision and f"{domain}/{{" in revision)


def read_released() -> list[ReleasedText]:
    """What ``sql/RELEASED`` records, sorted by name and version."""
    texts = []
    for number, line in enumerate(_read(_record()).splitlines(), 1):
        match = _RELEASED_LINE.fullmatch(line)
        if match is None:
            raise TextError(f"{shown(_record())}, line {number}, is not a released text: {line}")
        texts.append(
            ReleasedText(match["name"], int(match["version"]) if match["version"] else None, match["checksum"])
        )
    return texts


def write_released(texts: Iterable[ReleasedText]) -> None:
    """Write ``sql/RELEASED``."""
    lines = sorted(texts, key=lambda text: (text.name, text.version or 0))
    # Written beside it first: a disk that is full then leaves the record as it was.
    written = _record().with_name(f"{_record().name}.new")
    try:
        written.write_text(
            "".join(f"{text.checksum}  {text.name}{f'  {text.version}' if text.version else ''}\n" for text in lines),
            encoding="utf-8",
            newline="\n",
        )
        written.replace(_record())
    finally:
        written.unlink(missing_ok=True)


def changed_texts() -> list[ReleasedText]:
    """Released texts that were edited or removed since."""
    current = _current_texts()
    return [text for text in read_released() if current.get((text.name, text.version)) != text.checksum]


def unreleased_texts() -> list[ReleasedText]:
    """Texts that are not released yet, with their checksums, sorted by name."""
    released = {(text.name, text.version) for text in read_released()}
    return [
        ReleasedText(name, version, checksum)
        for (name, version), checksum in sorted(_current_texts().items(), key=lambda item: item[0][0])
        if (name, version) not in released
    ]


def shown(path: Path) -> str:
    """A file of ``sql/`` as people type it, ``sql/reports/rerun/rerun_report.sql``."""
    return f"sql/{path.relative_to(sql_folder()).as_posix()}"


def require_unchanged() -> None:
    """Raise TextError when a released text was edited or removed; the message says what to type."""
    changed = changed_texts()
    if not changed:
        return
    live, newest = sql_files(), {file.name: file.version for file in live_routines()}
    remedies = []
    for text in changed:
        if text.version is not None and newest.get(text.name, 0) > text.version:
            domain, routine = text.name.split("/")
            remedies.append(f"  git checkout sql/{_RELEASED}/{domain}/{routine}_v{text.version:02}.sql")
        elif text.name not in live:
            remedies.append(f"  {text}: git checkout its file")
        elif text.version is None or text.name not in newest:
            remedies.append(f"  git checkout {shown(live[text.name])}   # a table or a type is changed by a revision")
        else:
            remedies.append(f"  git stash && pgreprise routine new {text.name} && git stash pop")
    raise TextError(
        f"A released text never changes, but {', '.join(map(str, changed))} "
        f"{'was' if len(changed) == 1 else 'were'} edited or removed. Nothing was done. Type:\n"
        + "\n".join(remedies)
        + "\nWhere the edit is committed, restore the released text first: git checkout COMMIT -- FILE"
    )


def require_released() -> None:
    """Raise TextError when a text is not released yet, or was edited since; a wheel holds released texts only."""
    require_unchanged()
    unreleased = unreleased_texts()
    if unreleased:
        raise TextError(
            f"SQL texts that are not released yet: {len(unreleased)} ({unreleased[0].name}, ...). A wheel with them "
            "could be installed, and its texts could still change. Release them first: pgreprise routine release. "
            "For a wheel to try out: PGREPRISE_UNRELEASED=1 python -m build --wheel"
        )


def is_released(file: RoutineFile) -> bool:
    """Whether this version of the routine is released."""
    return any((text.name, text.version) == (file.name, file.version) for text in read_released())
