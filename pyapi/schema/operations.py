"""The Alembic operations that install the SQL files.

A migration names a version of a routine::

    op.create_routine("reports/rerun_report", version=1)
    op.replace_routine("reports/rerun_report", version=2, replaces=1)
    op.drop_routine("reports/rerun_report", version=2)

The names are those of the Ruby gems F(x) and Scenic. What has to be checked, kept and recorded around a file
is SQL too (``sql/core/kit/before_routine.sql`` and ``after_routine.sql``), so that offline ``--sql`` output holds
all of it.

``op.run_sql("reports/simulations")`` runs a file of any other kind (a table, a type, a check), and
``op.create_index_concurrently`` and ``op.drop_index_concurrently`` build and drop an index without blocking writers.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

import psycopg
from alembic.operations import MigrateOperation, Operations
from sqlalchemy.exc import DBAPIError

from pyapi.schema.files import RoutineFile, TextError, routine_file, shown, sql_text
from pyapi.schema.row_security import parts_with_open_rows

__all__ = ["MIGRATION_LOCK_TIMEOUT", "RoutineTextError", "after_routine", "before_routine", "remove_routine"]

# A migration that does not get its lock soon fails and says so. Otherwise all traffic would queue behind it.
MIGRATION_LOCK_TIMEOUT = "5s"
# A concurrent build waits for every older transaction but blocks nobody meanwhile, so it gets more time.
_CONCURRENT_LOCK_TIMEOUT = "30min"
# What default privileges of the host may add rights to; a file may create it in a block too.
_CREATES = re.compile(r"\bcreate (?:table|type|sequence|view)\b", re.IGNORECASE)
_GRANT = re.compile(r"^grant [^;]*;", re.MULTILINE)


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


class RoutineTextError(TextError):
    """PostgreSQL refuses the text of a routine's file; the message says which file, where, and why."""

    def __init__(self, file: RoutineFile, error: psycopg.Error) -> None:
        diagnostic = error.diag
        place = shown(file.path)
        if diagnostic.statement_position is not None:
            place += f", line {file.sql[: int(diagnostic.statement_position)].count(chr(10)) + 1}"
        message = f"{place}: {diagnostic.message_primary} ({error.sqlstate})"
        for further in (diagnostic.message_detail, diagnostic.message_hint, diagnostic.context):
            if further:
                message += f"\n{further}"
        super().__init__(f"{message}\nThis step changed nothing. Correct the file, then type: pgreprise migrate")


def _install(operations: Operations, file: RoutineFile) -> None:
    """Run the text of a routine, and record it."""
    file.require_one_routine()
    try:
        _execute(operations, file.sql)
    except DBAPIError as error:
        if isinstance(error.orig, psycopg.Error) and error.orig.diag.message_primary:
            raise RoutineTextError(file, error.orig) from error
        raise
    _execute(operations, after_routine(file))


def before_routine(file: RoutineFile, installed_version: int | None, *, recreate: bool = False) -> str:
    """The statement that goes before a routine's text (``sql/core/kit/before_routine.sql``)."""
    return _call("before_routine", file.name, file.routine, installed_version, recreate)


def after_routine(file: RoutineFile) -> str:
    """The statements that go after a routine's text (``sql/core/kit/after_routine.sql``).

    The grants of the text run again, because everything that a new routine was created with is revoked: nobody can
    tell a grant of the file from one that the host's default privileges gave to the same role.
    """
    statement = _call("after_routine", file.name, file.routine, file.version, file.checksum)
    return "\n".join((statement, *_GRANT.findall(file.sql)))


def remove_routine(name: str, routine: str, version: int) -> str:
    """The statement that drops a routine (``sql/core/kit/remove_routine.sql``)."""
    return _call("remove_routine", name, routine, version)


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

    def __init__(
        self, name: str, version: int, replaces: int, dependents: Mapping[str, tuple[int, int]] | None = None
    ) -> None:
        self.name, self.version, self.replaces = name, version, replaces
        self.dependents = dict(dependents or {})

    @classmethod
    def replace_routine(
        cls,
        operations: Operations,
        name: str,
        *,
        version: int,
        replaces: int,
        dependents: Mapping[str, tuple[int, int]] | None = None,
    ) -> None:
        """Replace version ``replaces`` of routine ``name`` by ``version``.

        Grants and comment survive, also where the signature changes and the routine has to be dropped first.
        PostgreSQL does not drop a routine that the body of another one uses (``begin atomic``): name such routines
        in ``dependents``, in the order in which they are to be created again, each with the version to install
        and the version that is installed: ``{"reports/rerun_result": (1, 1)}``.
        Fails when another version than ``replaces`` is installed.
        """
        operations.invoke(cls(name, version, replaces, dependents))

    def reverse(self) -> ReplaceRoutine:
        back = {name: (replaces, version) for name, (version, replaces) in self.dependents.items()}
        return ReplaceRoutine(self.name, version=self.replaces, replaces=self.version, dependents=back)


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

    def __init__(self, name: str) -> None:
        self.name = name

    @classmethod
    def run_sql(cls, operations: Operations, name: str) -> None:
        """Run the file ``domain/name`` as it is."""
        operations.invoke(cls(name))


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
    _execute(operations, before_routine(file, None))
    _install(operations, file)


@Operations.implementation_for(ReplaceRoutine)
def _replace_routine(operations: Operations, operation: ReplaceRoutine) -> None:
    replacements = [
        (routine_file(name, version), routine_file(name, replaces))
        for name, (version, replaces) in (
            (operation.name, (operation.version, operation.replaces)),
            *operation.dependents.items(),
        )
    ]
    new, old = replacements[0]
    recreate = old.signature != new.signature
    if recreate:
        for _, dropped in reversed(replacements):
            _execute(operations, before_routine(dropped, dropped.version, recreate=True))
    for installed, replaced in replacements:
        if not recreate:
            changes = installed.signature != replaced.signature
            _execute(operations, before_routine(replaced, replaced.version, recreate=changes))
        _install(operations, installed)


@Operations.implementation_for(DropRoutine)
def _drop_routine(operations: Operations, operation: DropRoutine) -> None:
    file = routine_file(operation.name, operation.version)
    _execute(operations, remove_routine(file.name, file.routine, file.version))


@Operations.implementation_for(BootstrapRoutine)
def _bootstrap_routine(operations: Operations, operation: BootstrapRoutine) -> None:
    file = routine_file(operation.name, operation.version)
    _execute(operations, f"select set_config('pgreprise.kept', '{{\"{file.name}\": {{}}}}', true);")
    _install(operations, file)


@Operations.implementation_for(RunSql)
def _run_sql(operations: Operations, operation: RunSql) -> None:
    text = sql_text(operation.name)
    for part in parts_with_open_rows(text):
        _execute(operations, part)
    if _CREATES.search(text):
        # The same as for a routine: everything is revoked, then the grants of the file run again.
        _execute(operations, "\n".join((sql_text("core/revoke_defaults"), *_GRANT.findall(text))))


@Operations.implementation_for(CreateIndexConcurrently)
def _create_index_concurrently(operations: Operations, operation: CreateIndexConcurrently) -> None:
    _execute(operations, _call("drop_invalid_index", operation.name))
    _execute_concurrently(
        operations, f"create index concurrently if not exists {operation.name} {operation.definition};"
    )


@Operations.implementation_for(DropIndexConcurrently)
def _drop_index_concurrently(operations: Operations, operation: DropIndexConcurrently) -> None:
    _execute_concurrently(operations, f"drop index concurrently if exists public.{operation.name};")
