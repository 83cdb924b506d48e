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

from alembic.operations import MigrateOperation, Operations

from pyapi.schema.files import routine_file, sql_text

__all__ = ["MIGRATION_LOCK_TIMEOUT"]

# A migration that does not get its lock soon fails and says so. Otherwise all traffic would queue behind it.
MIGRATION_LOCK_TIMEOUT = "5s"
# A concurrent build waits for every older transaction but blocks nobody meanwhile, so it gets more time.
_CONCURRENT_LOCK_TIMEOUT = "30min"


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
    _execute(operations, sql_text(operation.name))


@Operations.implementation_for(CreateIndexConcurrently)
def _create_index_concurrently(operations: Operations, operation: CreateIndexConcurrently) -> None:
    _execute(operations, _call("drop_invalid_index", operation.name))
    _execute_concurrently(
        operations, f"create index concurrently if not exists {operation.name} {operation.definition};"
    )


@Operations.implementation_for(DropIndexConcurrently)
def _drop_index_concurrently(operations: Operations, operation: DropIndexConcurrently) -> None:
    _execute_concurrently(operations, f"drop index concurrently if exists public.{operation.name};")
