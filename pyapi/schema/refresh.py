"""Bring the installed routines to the text of their files, as often as a developer edits them.

A revision installs a version once. As long as that version is not released its file may be edited; what the
database holds then is brought to the file's text here: a routine that is new in the files is created, one that
is gone from them is dropped, an edited one is replaced, and one whose signature changed is dropped and created
again together with the routines that use it. Grants survive. All of it is one transaction.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError

from pyapi.schema.files import (
    RoutineFile,
    TextError,
    is_named,
    live_routines,
    revision_texts,
    shown,
    sql_files,
)
from pyapi.schema.operations import RoutineTextError, after_routine, before_routine, remove_routine

__all__ = ["refresh_routines"]

# What PostgreSQL says where a text cannot replace the routine in place: other names or defaults of arguments, another
# result, another kind; and what after_routine() says where the text made a second routine beside the old one.
# A comment or a grant without arguments then finds both.
_NEW_SIGNATURE = {"42P13", "42809", "55000", "42725"}
# What a text uses may be created later in the same run; what is dropped may still be used.
_LATER = {"42883", "42704", "2BP01"}


class _Refresh:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._run = connection.execution_options(no_parameters=True).exec_driver_sql
        self.done: list[str] = []

    @contextmanager
    def _savepoint(self) -> Iterator[None]:
        self._run("savepoint refresh")
        try:
            yield
        except DBAPIError:
            self._run("rollback to savepoint refresh")
            raise
        finally:
            self._run("release savepoint refresh")

    def _registered(self) -> dict[str, Any]:
        rows = self._run("select name, routine, version, checksum from pgreprise.routine_version").all()
        return {row.name: row for row in rows}

    def _dependents(self, routine: str) -> list[str]:
        dependents = text("select pgreprise.dependent_routines(:routine)")
        return list(self._connection.execute(dependents, {"routine": routine}).scalars())

    def bring_up_to_date(self, domains: set[str]) -> None:
        """Change what differs from the files in these domains."""
        every = {file.name: file for file in live_routines()}
        live = {name: file for name, file in every.items() if file.domain in domains}
        registered = self._registered()
        gone = [name for name in registered if name.split("/")[0] in domains and name not in live]
        waiting = {
            name: file
            for name, file in live.items()
            if name not in registered or registered[name].checksum != file.checksum
        }
        self._require_files_and_revisions_to_agree(waiting, gone, registered)
        dropped: set[str] = set()
        while waiting:
            before = len(waiting)
            failures: list[tuple[RoutineFile, DBAPIError]] = []
            for name in list(waiting):
                try:
                    with self._savepoint():
                        self._install(waiting[name], registered.get(name), name in dropped)
                except DBAPIError as error:
                    failures.append((waiting[name], error))
                    if _sqlstate(error) in _NEW_SIGNATURE and name in registered and name not in dropped:
                        users = self._drop(name, registered, every)
                        dropped |= {name, *users}
                        waiting |= {user: every[user] for user in users if user in every}
                        # It has to be installed before those that use it.
                        waiting = {name: waiting.pop(name), **waiting}
                        gone = [other for other in gone if other not in users]
                        break
                    if _sqlstate(error) not in _LATER:
                        raise _said(waiting[name], error) from error
                else:
                    del waiting[name]
                    verb = "created" if name not in registered else "updated"
                    self.done.append(f"{verb} {name} from {shown(every[name].path)}")
            else:
                if len(waiting) == before:
                    raise _said(*failures[0]) from failures[0][1]
        self._remove(gone, registered)

    def _install(self, file: RoutineFile, registered: Any, is_dropped: bool) -> None:
        if not is_dropped:
            self._run(before_routine(file, registered.version if registered else None))
        self._run(file.sql)
        self._run(after_routine(file))

    def _require_files_and_revisions_to_agree(
        self, waiting: dict[str, RoutineFile], gone: list[str], registered: dict[str, Any]
    ) -> None:
        """A new installation runs the revisions only, so it must come to the same routines as this refresh."""
        revisions = revision_texts()
        for name, file in waiting.items():
            file.require_one_routine()
            if name not in registered and not any(is_named(name, text) for text in revisions.values()):
                domain, short = name.split("/")
                raise TextError(
                    f'No revision names {name}. Nothing was changed. Add "{short}" to the routines of the newest '
                    f"revision of {domain}, if that is not released, or begin with: "
                    f"pgreprise routine new {name} --room ROOM"
                )
        for name in gone:
            if name in sql_files():
                raise TextError(
                    f"{shown(sql_files()[name])} no longer begins a line with `create or replace function` or "
                    f"`create or replace procedure`, and {name} is installed. Nothing was changed. Correct the file."
                )
            for path, revision in revisions.items():
                if is_named(name, revision):
                    raise TextError(
                        f"The file of {name} is gone, and {path.name} still names it. Nothing was changed. Take it "
                        "out of that revision, if that is not released, or restore the file."
                    )

    def _drop(self, name: str, registered: dict[str, Any], live: dict[str, RoutineFile]) -> list[str]:
        """Drop a routine and those that use it, and keep their grants; return the latter."""
        users = self._dependents(registered[name].routine)
        waiting = [name, *users]
        while waiting:
            # One that nothing uses any more.
            dropped = next(
                other for other in waiting if not set(self._dependents(registered[other].routine)) & set(waiting)
            )
            row = registered[dropped]
            if dropped in live:
                self._run(before_routine(live[dropped], row.version, recreate=True))
            else:
                self._run(remove_routine(dropped, row.routine, row.version))
                self.done.append(f"dropped {dropped}, which no file has any more")
            waiting.remove(dropped)
        return users

    def _remove(self, names: list[str], registered: dict[str, Any]) -> None:
        """Drop routines that no file has any more, those first that nothing uses."""
        waiting = sorted(names)
        while waiting:
            name = next((name for name in waiting if not self._dependents(registered[name].routine)), waiting[0])
            self._run(remove_routine(name, registered[name].routine, registered[name].version))
            waiting.remove(name)
            self.done.append(f"dropped {name}, which no file has any more")


def _sqlstate(error: DBAPIError) -> str | None:
    return error.orig.sqlstate if isinstance(error.orig, psycopg.Error) else None


def _said(file: RoutineFile, error: DBAPIError) -> Exception:
    return RoutineTextError(file, error.orig) if isinstance(error.orig, psycopg.Error) else error


def refresh_routines(connection: Connection, domains: set[str]) -> list[str]:
    """Bring the routines of these domains to the text of their files; the caller commits.

    Returns a line for each routine that changed. Raises RoutineTextError for a text that PostgreSQL refuses, and
    DBAPIError for anything else that the database says; the transaction is then to be rolled back.
    """
    refresh = _Refresh(connection)
    refresh.bring_up_to_date(domains)
    return refresh.done
