"""What a database holds, to compare before and after."""

from __future__ import annotations

from typing import Any

import psycopg

from tests.support.databases import Connection

State = dict[str, list[Any]]


def snapshot(connection: Connection) -> State:
    """Every row of the three tables of reports, outputs as their exact text."""
    return {
        "report_outputs": connection.execute(
            "select report.*, output::text as output from public.report_outputs as report order by id"
        ).fetchall(),
        "simulations": connection.execute(
            "select simulation.*, output::text as output from public.simulations as simulation order by id"
        ).fetchall(),
        "reform_impact": connection.execute(
            "select impact.*, reform_impact_json::text as reform_impact_json, options_json::text as options_json "
            "from public.reform_impact as impact order by reform_impact_id"
        ).fetchall(),
    }


def texts(connection: Connection, schema: str, *tables: str) -> State:
    """Every row of tables, each as one text."""
    one_array = 'select array(select entry::text from {} as entry order by entry::text collate "C") as entries'
    return {
        table: row["entries"]
        for table in tables
        for row in connection.execute(psycopg.sql.SQL(one_array).format(psycopg.sql.Identifier(schema, table)))
    }


def everything(connection: Connection) -> State:
    """The snapshot, and every row of the routines' own tables, but for the counters of what the API refused."""
    own = connection.execute(
        "select relname as name from pg_class "
        "where relnamespace = 'pgreprise'::regnamespace and relkind in ('r', 'f') and relname <> 'refusal'"
    ).fetchall()
    return {**snapshot(connection), **texts(connection, "pgreprise", *(table["name"] for table in own))}


def changed_tables(before: State, after: State) -> set[str]:
    """The tables that are not in ``after`` as they were in ``before``, two results of ``everything``."""
    return {table for table in before.keys() | after.keys() if before.get(table) != after.get(table)}


def without_runs(state: State) -> State:
    """A snapshot without the numbers of runs, which never go back."""
    return {
        table: [{name: value for name, value in row.items() if name != "run_sequence"} for row in rows]
        for table, rows in state.items()
    }


def put_back(state: State) -> State:
    """What an undo makes of a snapshot: without the numbers of runs, and what was running is pending again."""
    return {
        table: [{**row, **({"status": "pending"} if row.get("status") == "running" else {})} for row in rows]
        for table, rows in without_runs(state).items()
    }
