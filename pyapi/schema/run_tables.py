"""The application's own tables of runs: reruns write them where they exist. A migration or an import finds out."""

from __future__ import annotations

from sqlalchemy import Connection

from pyapi.schema.files import sql_text
from pyapi.schema.row_security import parts_with_open_rows

__all__ = ["CHECK_RUN_TABLES", "attach_run_tables", "create_run_tables"]

# Between core/begin_check and core/refuse_obstacles.
CHECK_RUN_TABLES = ("reports/wanted_run_tables", "core/check_tables")
_ATTACH = (
    "core/begin_check",
    *CHECK_RUN_TABLES,
    "core/refuse_obstacles",
    "core/grant_tables",
    "reports/attach_run_tables",
)
_CREATE = (
    "reports/wanted_run_tables",
    "core/record_created",
    "reports/report_output_runs",
    "reports/simulation_runs",
    "core/revoke_defaults",
)


def _run(connection: Connection, names: tuple[str, ...]) -> None:
    for name in names:
        for text in parts_with_open_rows(sql_text(name)):
            connection.execution_options(no_parameters=True).exec_driver_sql(text)


def attach_run_tables(connection: Connection) -> None:
    """Let reruns write these tables where they exist, and leave them alone where they do not. The caller commits.

    Raises sqlalchemy.exc.DBAPIError when the tables do not fit, or belong to somebody else.
    """
    _run(connection, _ATTACH)


def create_run_tables(connection: Connection) -> None:
    """Create the tables that are missing, and let reruns write them. The caller commits."""
    _run(connection, _CREATE + _ATTACH)
