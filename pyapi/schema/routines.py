"""Versioned SQL files, and the Alembic operations that install them.

A routine is one function or procedure. Each version of it is a file
``sql/<domain>/<functions|procedures>/<name>_v<NN>.sql`` that never changes once released
(``sql/CHECKSUMS`` records it). A migration names a version::

    op.create_routine("reports/rerun_report", version=1)
    op.replace_routine("reports/rerun_report", version=2, replaces=1)
    op.drop_routine("reports/rerun_report", version=2)

The convention is the one of the Ruby gems F(x) and Scenic. What has to be checked, kept and
recorded around a file stands in SQL (``sql/core/functions/before_routine_v01.sql`` and its
neighbours), so that offline ``--sql`` output holds all of it.

A file of any other kind (a table, a type, a check) is run by ``op.run_sql("reports/tables/x")``,
and ``op.create_index_concurrently`` and ``op.drop_index_concurrently`` build and drop an index
without blocking writers.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from alembic.operations import MigrateOperation, Operations

__all__ = [
    "MIGRATION_LOCK_TIMEOUT",
    "RoutineFile",
    "changed_files",
    "migrations_folder",
    "record_checksums",
    "routine_file",
    "routine_files",
    "sql_folder",
    "sql_text",
]

# The package, whose folder the wheel carries sql and migrations in.
_PACKAGE = Path(__file__).parent.parent
_FILE_NAME = re.compile(r"(?P<name>[a-z][a-z0-9_]*)_v(?P<version>\d{2,})\.sql")
_HEADER = re.compile(
    r"create or replace (?P<kind>function|procedure)\s+(?P<routine>[a-z_][a-z0-9_]*\.[a-z_][a-z0-9_]*)"
    r"(?P<signature>\s*\(.*?)\nlanguage\b",
    re.DOTALL,
)
_GRANT = re.compile(r"^grant execute on (?:function|procedure)\s[^;]*?\sto\s+(?P<roles>[\w\s,]+);", re.MULTILINE)
# A migration that cannot have its lock soon fails and says so, instead of queueing in front of traffic.
MIGRATION_LOCK_TIMEOUT = "5s"
# What works concurrently waits for every older transaction but blocks nobody meanwhile, so it gets
# more time than a statement that queues in front of other traffic.
_CONCURRENT_LOCK_TIMEOUT = "30min"


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


def sql_text(path: str) -> str:
    """The text of ``sql/<path>.sql``. Raises FileNotFoundError when there is no such file."""
    return (sql_folder() / f"{path}.sql").read_text(encoding="utf-8")


@dataclass(frozen=True)
class RoutineFile:
    """One version of one routine: ``name`` is ``domain/routine``, ``version`` counts from 1."""

    name: str
    version: int
    path: Path

    @cached_property
    def sql(self) -> str:
        """The text of the file."""
        return self.path.read_text(encoding="utf-8")

    @property
    def checksum(self) -> str:
        """SHA-256 of the file, in hexadecimal digits."""
        return hashlib.sha256(self.path.read_bytes()).hexdigest()

    @cached_property
    def _header(self) -> re.Match[str]:
        found = _HEADER.search(self.sql)
        if found is None:
            raise ValueError(
                f"{self.path} does not start a routine as `create or replace function schema.name(...)` "
                "with `language` on a line of its own."
            )
        return found

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


def routine_files() -> list[RoutineFile]:
    """Every version of every routine, sorted by name and version."""
    found = []
    for path in sql_folder().glob("*/*/*.sql"):
        if path.parent.name in ("functions", "procedures"):
            match = _FILE_NAME.fullmatch(path.name)
            if match is None:
                raise ValueError(f"{path} is not named <routine>_v<NN>.sql.")
            domain = path.parent.parent.name
            found.append(RoutineFile(f"{domain}/{match['name']}", int(match["version"]), path))
    return sorted(found, key=lambda file: (file.name, file.version))


def routine_file(name: str, version: int | None = None) -> RoutineFile:
    """One version of a routine, the newest where no version is given.

    Raises LookupError when there is no such file.
    """
    versions = [file for file in routine_files() if file.name == name and version in (None, file.version)]
    if not versions:
        wanted = name if version is None else f"{name} version {version}"
        raise LookupError(f"There is no file for routine {wanted} under {sql_folder()}.")
    return versions[-1]


# --- released files never change -------------------------------------------------------------


def _recorded_checksums() -> dict[str, str]:
    lines = (sql_folder() / "CHECKSUMS").read_text(encoding="utf-8").splitlines()
    return {path: checksum for checksum, path in (line.split("  ", 1) for line in lines)}


def _current_checksums() -> dict[str, str]:
    return {
        path.relative_to(sql_folder()).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(sql_folder().rglob("*.sql"))
    }


def changed_files() -> list[str]:
    """SQL files that were recorded as released and have been changed or removed since."""
    current = _current_checksums()
    return [path for path, checksum in _recorded_checksums().items() if current.get(path) != checksum]


def record_checksums() -> list[str]:
    """Record the SQL files that are new as released, in ``sql/CHECKSUMS`` (the form of sha256sum).

    Returns the paths that were added. Raises ValueError when a recorded file has changed.
    """
    if changed := changed_files():
        raise ValueError(
            f"Released SQL files must not change: {', '.join(changed)}. "
            "Restore them and add a new version with `pgreprise routine new`."
        )
    recorded, current = _recorded_checksums(), _current_checksums()
    text = "".join(f"{checksum}  {path}\n" for path, checksum in sorted(current.items()))
    (sql_folder() / "CHECKSUMS").write_text(text, encoding="utf-8")
    return sorted(current.keys() - recorded.keys())


# --- operations ------------------------------------------------------------------------------


def _execute(operations: Operations, sql: str) -> None:
    """Run SQL text exactly as it is: no bind parameters, no doubled per cent signs."""
    context = operations.get_context()
    if context.as_sql:
        context.impl.static_output(sql.strip())
    else:
        connection = operations.get_bind().execution_options(no_parameters=True)
        connection.exec_driver_sql(sql)


def _execute_concurrently(operations: Operations, sql: str) -> None:
    """Run a statement that cannot run inside a transaction."""
    with operations.get_context().autocommit_block():
        _execute(operations, f"set lock_timeout = '{_CONCURRENT_LOCK_TIMEOUT}';")
        _execute(operations, sql)
        _execute(operations, f"set lock_timeout = '{MIGRATION_LOCK_TIMEOUT}';")


def _literal(value: str | int | bool | None) -> str:
    """An SQL literal of our own names, versions and checksums (never of input)."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    return "'" + value.replace("'", "''") + "'"


def _call(function: str, *arguments: str | int | bool | None) -> str:
    return f"select pgreprise.{function}({', '.join(_literal(argument) for argument in arguments)});"


@Operations.register_operation("create_routine")
class CreateRoutine(MigrateOperation):
    """Install a routine that is not there yet."""

    def __init__(self, name: str, version: int) -> None:
        self.name, self.version = name, version

    @classmethod
    def create_routine(cls, operations: Operations, name: str, *, version: int) -> None:
        """Install ``version`` of routine ``name``; EXECUTE is revoked from PUBLIC.

        Fails when a routine of that name exists already.
        """
        operations.invoke(cls(name, version))

    def reverse(self) -> DropRoutine:
        return DropRoutine(self.name, self.version)


@Operations.register_operation("replace_routine")
class ReplaceRoutine(MigrateOperation):
    """Replace one version of a routine by another, forward or back."""

    def __init__(self, name: str, version: int, replaces: int) -> None:
        self.name, self.version, self.replaces = name, version, replaces

    @classmethod
    def replace_routine(cls, operations: Operations, name: str, *, version: int, replaces: int) -> None:
        """Replace version ``replaces`` of routine ``name`` by ``version``.

        Grants survive, also where the signature changes and the routine has to be dropped first.
        Fails when another version than ``replaces`` is installed.
        """
        operations.invoke(cls(name, version, replaces))

    def reverse(self) -> ReplaceRoutine:
        return ReplaceRoutine(self.name, version=self.replaces, replaces=self.version)


@Operations.register_operation("drop_routine")
class DropRoutine(MigrateOperation):
    """Remove a routine, never with cascade."""

    def __init__(self, name: str, version: int) -> None:
        self.name, self.version = name, version

    @classmethod
    def drop_routine(cls, operations: Operations, name: str, *, version: int) -> None:
        """Drop routine ``name``. Fails when another version than ``version`` is installed."""
        operations.invoke(cls(name, version))

    def reverse(self) -> CreateRoutine:
        return CreateRoutine(self.name, self.version)


@Operations.register_operation("bootstrap_routine")
class BootstrapRoutine(MigrateOperation):
    """Install a routine of the kit itself, before the kit's checks exist."""

    def __init__(self, name: str, version: int) -> None:
        self.name, self.version = name, version

    @classmethod
    def bootstrap_routine(cls, operations: Operations, name: str, *, version: int) -> None:
        """Install a routine that `create_routine` itself relies on."""
        operations.invoke(cls(name, version))


@Operations.register_operation("run_sql")
class RunSql(MigrateOperation):
    """Run one file of ``sql/`` that is not a routine."""

    def __init__(self, path: str) -> None:
        self.path = path

    @classmethod
    def run_sql(cls, operations: Operations, path: str) -> None:
        """Run ``sql/<path>.sql`` as it is."""
        operations.invoke(cls(path))


@Operations.register_operation("create_index_concurrently")
class CreateIndexConcurrently(MigrateOperation):
    """Build an index on a table that may hold data, without blocking writers."""

    def __init__(self, name: str, definition: str) -> None:
        self.name, self.definition = name, definition

    @classmethod
    def create_index_concurrently(cls, operations: Operations, name: str, definition: str) -> None:
        """Build index ``name`` as ``definition`` says (``on public.table (column, ...)``).

        An index of that name that a failed build left invalid is dropped first. Use one
        revision an index: the build cannot run inside a transaction.
        """
        operations.invoke(cls(name, definition))


@Operations.register_operation("drop_index_concurrently")
class DropIndexConcurrently(MigrateOperation):
    """Drop an index without blocking writers."""

    def __init__(self, name: str) -> None:
        self.name = name

    @classmethod
    def drop_index_concurrently(cls, operations: Operations, name: str) -> None:
        """Drop index ``name`` of schema public, where it exists."""
        operations.invoke(cls(name))


@Operations.implementation_for(CreateRoutine)
def _create_routine(operations: Operations, operation: CreateRoutine) -> None:
    file = routine_file(operation.name, operation.version)
    _execute(operations, _call("before_routine", file.name, file.routine))
    _execute(operations, file.sql)
    _execute(operations, _call("after_routine", file.name, file.routine, file.version, file.checksum))


@Operations.implementation_for(ReplaceRoutine)
def _replace_routine(operations: Operations, operation: ReplaceRoutine) -> None:
    old = routine_file(operation.name, operation.replaces)
    new = routine_file(operation.name, operation.version)
    recreate = old.signature != new.signature
    _execute(operations, _call("before_routine", old.name, old.routine, old.version, recreate))
    _execute(operations, new.sql)
    _execute(operations, _call("after_routine", new.name, new.routine, new.version, new.checksum))


@Operations.implementation_for(DropRoutine)
def _drop_routine(operations: Operations, operation: DropRoutine) -> None:
    file = routine_file(operation.name, operation.version)
    _execute(operations, _call("remove_routine", file.name, file.routine, file.version))


@Operations.implementation_for(BootstrapRoutine)
def _bootstrap_routine(operations: Operations, operation: BootstrapRoutine) -> None:
    file = routine_file(operation.name, operation.version)
    _execute(operations, file.sql)
    _execute(operations, "select set_config('pgreprise.kept', '{}', true);")
    _execute(operations, _call("after_routine", file.name, file.routine, file.version, file.checksum))


@Operations.implementation_for(RunSql)
def _run_sql(operations: Operations, operation: RunSql) -> None:
    _execute(operations, sql_text(operation.path))


@Operations.implementation_for(CreateIndexConcurrently)
def _create_index_concurrently(operations: Operations, operation: CreateIndexConcurrently) -> None:
    _execute(operations, _call("drop_invalid_index", operation.name))
    _execute_concurrently(
        operations, f"create index concurrently if not exists {operation.name} {operation.definition};"
    )


@Operations.implementation_for(DropIndexConcurrently)
def _drop_index_concurrently(operations: Operations, operation: DropIndexConcurrently) -> None:
    _execute_concurrently(operations, f"drop index concurrently if exists public.{operation.name};")
