"""What is new, changed or deleted in the source since the last import, and whether it may be brought over.

Each row that the source has changed gets a verdict. A row here that is no longer what the import wrote is kept, and so
is all that belongs to it: work that was done here is never written over.
"""

from __future__ import annotations

from typing import Any

import psycopg
from psycopg import sql

from pyapi.schema.legacy.copying import raise_kept_rows, seen_table
from pyapi.schema.legacy.outcome import LISTED, ImportRefused, ImportResult, Kept
from pyapi.schema.legacy.plan import TablePlan

__all__ = ["Changes", "imported_checksums", "record", "require_previous", "staged_table"]

_USED = "deleted in the source, but a report here uses it"
_PARENTS = {"report_output_runs": ("report_output_id", "report_outputs"),
            "simulation_runs": ("simulation_id", "simulations")}  # fmt: skip


def require_previous(connection: psycopg.Connection[Any]) -> None:
    """Raise ImportRefused where no import was made before."""
    if connection.execute("select from pgreprise.imported_row limit 1").fetchone() is None:
        raise ImportRefused(
            "Nothing was imported into this database before, so there is no last import to go on from. "
            "Import without --since-last first; nothing was imported."
        )


def imported_checksums(connection: psycopg.Connection[Any], plan: TablePlan, row_ids: list[str]) -> dict[str, bytes]:
    """The checksums of those of these rows that an import wrote, as it read them."""
    rows = connection.execute(
        "select imported.row_id, imported.source_checksum from pgreprise.imported_row as imported "
        "where imported.table_name = %s and imported.row_id = any (%s)",
        (plan.name, row_ids),
    )
    return {str(row_id): bytes(checksum) for row_id, checksum in rows}


def staged_table(plan: TablePlan) -> sql.Identifier:
    """The temporary table with the rows that are new or changed."""
    return sql.Identifier("pg_temp", f"staged_{plan.name}")


def _verdicts(plan: TablePlan) -> sql.Identifier:
    return sql.Identifier("pg_temp", f"verdict_{plan.name}")


def record(connection: psycopg.Connection[Any], plan: TablePlan, condition: sql.Composable | None = None) -> None:
    """Note what this import read of the rows that it wrote (those that meet the condition), and what stands here."""
    connection.execute(
        sql.SQL(
            "insert into pgreprise.imported_row as former (table_name, row_id, source_checksum, written_checksum) "
            "select {name}, here.{key}::text, seen.checksum, {checksum} from {seen} as seen "
            "join {relation} as here on here.{key} = seen.row_id where {condition} "
            "on conflict on constraint imported_row_pkey do update "
            "set source_checksum = excluded.source_checksum, written_checksum = excluded.written_checksum"
        ).format(
            name=sql.Literal(plan.name),
            key=sql.Identifier(plan.key),
            checksum=plan.checksum("here"),
            seen=seen_table(plan),
            relation=plan.relation,
            condition=condition or sql.SQL("true"),
        )
    )


class Changes:
    """What is to be done with one table. The tables are locked before; all are judged before one is changed."""

    def __init__(self, connection: psycopg.Connection[Any], plan: TablePlan) -> None:
        self._connection = connection
        self._plan = plan

    def _run(self, statement: str, **parts: sql.Composable) -> psycopg.Cursor[Any]:
        plan = self._plan
        return self._connection.execute(
            sql.SQL(statement).format(
                name=sql.Literal(plan.name),
                key=sql.Identifier(plan.key),
                relation=plan.relation,
                staged=staged_table(plan),
                verdict=_verdicts(plan),
                seen=seen_table(plan),
                written=plan.checksum("here"),
                **parts,
            )
        )

    def _count_written(self, act: str, statement: str, **parts: sql.Composable) -> int:
        """Run a statement for all rows with this verdict; one that a trigger of the host keeps is an error (RR022)."""
        written = self._run(statement, **parts).rowcount
        [(wanted,)] = self._run(
            "select count(*) from {verdict} as verdict where verdict.act = {act}", act=sql.Literal(act)
        )
        if written < wanted:
            raise_kept_rows(self._connection, self._plan, wanted, written)
        return written

    def stage(self) -> None:
        """Make the table for the rows that are new or changed."""
        columns = sql.SQL(", ").join(sql.Identifier("entry", name) for name in self._plan.names)
        made = sql.Identifier(f"staged_{self._plan.name}")
        self._run(
            "create temporary table {made} on commit drop as select {columns} from {relation} as entry with no data",
            made=made,
            columns=columns,
        )
        self._run("alter table {staged} add primary key ({key})")

    def judge(self, parent: TablePlan | None, reports: TablePlan) -> None:
        """Decide about each row; a run goes with its report or simulation, the ``parent``, which is judged before."""
        self._run("analyze {seen}")
        self._run(
            "create temporary table {made} on commit drop as "
            # New or changed.
            "select staged.{key} as row_id, case "
            "when imported.row_id is null and here.{key} is null then 'insert' "
            "when imported.row_id is null then 'new in the source, but a row with this id was made here' "
            "when here.{key} is null then 'changed in the source, but deleted here' "
            "when {written} <> imported.written_checksum then 'changed in the source and here' "
            "else 'update' end as act "
            "from {staged} as staged "
            "left join pgreprise.imported_row as imported "
            "on imported.table_name = {name} and imported.row_id = staged.{key}::text "
            "left join {relation} as here on here.{key} = staged.{key} "
            "union all "
            # Deleted.
            "select gone.row_id, case "
            "when here.{key} is null then 'forget' "
            "when {written} <> gone.written_checksum then 'deleted in the source, but changed here' "
            "else 'delete' end "
            "from (select imported.row_id::{type} as row_id, imported.written_checksum "
            "from pgreprise.imported_row as imported where imported.table_name = {name} and not exists ("
            "select from {seen} as seen where seen.row_id = imported.row_id::{type})) as gone "
            "left join {relation} as here on here.{key} = gone.row_id",
            made=sql.Identifier(f"verdict_{self._plan.name}"),
            type=sql.SQL(self._plan.columns[0].type),
        )
        self._run("alter table {verdict} add primary key (row_id)")
        if self._plan.name == "simulations":
            self._keep_used(reports)
        if parent is not None:
            column, noun = _PARENTS[self._plan.name][0], parent.name
            self._run(
                "update {verdict} as verdict set act = case parent_verdict.act when {used} then {used_reason} "
                "else {reason} end "
                "from (select staged.{key} as row_id, staged.{column} as parent_id from {staged} as staged "
                "union select here.{key}, here.{column} from {verdict} as gone "
                "join {relation} as here on here.{key} = gone.row_id where gone.act = 'delete') as run "
                "left join {parents} as owner on owner.{parent_key} = run.parent_id "
                "left join pgreprise.imported_row as imported "
                "on imported.table_name = {parent_name} and imported.row_id = run.parent_id::text "
                "left join {parent_verdict} as parent_verdict on parent_verdict.row_id = run.parent_id "
                "where verdict.row_id = run.row_id and verdict.act in ('insert', 'update', 'delete') "
                # Neither what the import wrote and goes on with, nor a row that it is about to write.
                "and case when parent_verdict.act = {used} then true "
                "when owner.{parent_key} is null then imported.row_id is not null "
                "else imported.row_id is null or imported.written_checksum <> {parent_written} end",
                column=sql.Identifier(column),
                reason=sql.Literal(f"its row of {noun} was changed here"),
                parents=parent.relation,
                parent_key=sql.Identifier(parent.key),
                parent_name=sql.Literal(parent.name),
                parent_verdict=_verdicts(parent),
                used=sql.Literal(_USED),
                used_reason=sql.Literal(f"a report here uses its row of {noun}"),
                parent_written=parent.checksum("owner"),
            )

    def _keep_used(self, reports: TablePlan) -> None:
        """Keep simulations that the source has deleted where a report uses them that was made or changed here."""
        self._run(
            "update {verdict} as verdict set act = {used} where verdict.act = 'delete' and verdict.row_id in ("
            "select used.simulation_id from {reports} as report "
            "cross join lateral (values (report.simulation_1_id), (report.simulation_2_id)) as used (simulation_id) "
            "join {verdict} as gone on gone.row_id = used.simulation_id and gone.act = 'delete' "
            "left join pgreprise.imported_row as imported "
            "on imported.table_name = {reports_name} and imported.row_id = report.{reports_key}::text "
            "where imported.row_id is null or imported.written_checksum <> {reports_written})",
            used=sql.Literal(_USED),
            reports=reports.relation,
            reports_name=sql.Literal(reports.name),
            reports_key=sql.Identifier(reports.key),
            reports_written=reports.checksum("report"),
        )

    def require_same_source(self) -> None:
        """Raise ImportRefused where the source has none of the rows that the last import wrote."""
        [(imported, known)] = self._run(
            "select count(*), count(seen.row_id) from pgreprise.imported_row as imported "
            "left join {seen} as seen on seen.row_id::text = imported.row_id where imported.table_name = {name}"
        )
        if imported and not known:
            raise ImportRefused(
                f"The source has none of the {imported} rows of {self._plan.name} that were imported before, so it "
                "seems to be another database. Check the source; nothing was imported."
            )

    def delete(self, result: ImportResult) -> None:
        """Delete the rows that the source has deleted. No rows of other tables may be lost with them (RR021)."""
        self._run(
            "select pgreprise.raise_lost_rows('RR021', {name}, {key_name}, array("
            "select verdict.row_id::text from {verdict} as verdict where verdict.act = 'delete'))",
            key_name=sql.Literal(self._plan.key),
        )
        result.deleted[self._plan.name] = self._count_written(
            "delete",
            "delete from {relation} as here using {verdict} as verdict "
            "where verdict.act = 'delete' and here.{key} = verdict.row_id",
        )
        self._run(
            "delete from pgreprise.imported_row as imported using {verdict} as verdict where verdict.act in "
            "('delete', 'forget') and imported.table_name = {name} and imported.row_id = verdict.row_id::text"
        )

    def write(self, result: ImportResult) -> None:
        """Update the rows that the source has changed, insert those that it has got."""
        changed = [name for name in self._plan.names if name != self._plan.key]
        result.updated[self._plan.name] = self._count_written(
            "update",
            "update {relation} as here set {assigned} from {staged} as staged join {verdict} as verdict "
            "on verdict.row_id = staged.{key} where verdict.act = 'update' and here.{key} = staged.{key}",
            assigned=sql.SQL(", ").join(
                sql.SQL("{} = {}").format(sql.Identifier(name), sql.Identifier("staged", name)) for name in changed
            ),
        )
        result.rows[self._plan.name] = self._insert()

    def _insert(self) -> int:
        """Insert the rows that the source has got; a run of the same number, which was made here, stays."""
        statement = (
            "insert into {relation} ({columns}) overriding system value "
            "select {staged_columns} from {staged} as staged join {verdict} as verdict "
            "on verdict.row_id = staged.{key} where verdict.act = 'insert' {condition}"
        )
        parts = {
            "columns": sql.SQL(", ").join(map(sql.Identifier, self._plan.names)),
            "staged_columns": sql.SQL(", ").join(sql.Identifier("staged", name) for name in self._plan.names),
        }
        condition = sql.SQL("order by staged.{key} on conflict do nothing").format(key=sql.Identifier(self._plan.key))
        written = self._run(statement, condition=condition, **parts).rowcount
        absent = self._run(
            "select verdict.row_id from {verdict} as verdict where verdict.act = 'insert' "
            "and not exists (select from {relation} as here where here.{key} = verdict.row_id)"
        ).fetchall()
        made_here = []
        for (row_id,) in absent:
            # Only PostgreSQL knows whether another row is in the way, or a trigger of the host keeps this one.
            condition = sql.SQL("and verdict.row_id = {}").format(sql.Literal(row_id))
            try:
                with self._connection.transaction(force_rollback=True):
                    self._run(statement, condition=condition, **parts)
            except (psycopg.errors.UniqueViolation, psycopg.errors.ExclusionViolation):
                made_here.append(row_id)
        if len(made_here) < len(absent):
            raise_kept_rows(self._connection, self._plan, written + len(absent) - len(made_here), written)
        self._run(
            "update {verdict} as verdict set act = 'new in the source, but a row with its values was made here' "
            "where verdict.row_id = any ({made_here})",
            made_here=sql.Literal(made_here),
        )
        return written

    def leave_caches_empty(self) -> None:
        """Leave cache rows of reports that were rerun here: their reruns would find the old result.

        The database's own rule says which cache rows are a report's. It looks at rows that are written, so they are
        written once to ask it. The reports and simulations are written before.
        """
        [(has_rerun,)] = self._run(
            "select exists (select from public.report_outputs as report where report.run_sequence > 1) "
            "and exists (select from {verdict} as verdict where verdict.act in ('insert', 'update'))"
        )
        if not has_rerun:
            return
        with self._connection.transaction(force_rollback=True):
            self.write(ImportResult())
            unwanted = self._run(
                "with rerun as materialized (select linked.* from pgreprise.linked_reports(array("
                "select report.id::bigint from public.report_outputs as report where report.run_sequence > 1)) "
                "as linked where linked.cache_key is not null) "
                "select distinct verdict.row_id from rerun cross join lateral "
                "pgreprise.report_cache_rows(rerun.cache_key, rerun.economy_impact_version) as cached "
                "join {verdict} as verdict on verdict.row_id = cached.reform_impact_id "
                "and verdict.act in ('insert', 'update')"
            ).fetchall()
        self._run(
            "update {verdict} as verdict set act = case verdict.act when 'insert' then 'new' else 'changed' end "
            "|| ' in the source, but its report was rerun here' where verdict.row_id = any ({unwanted})",
            unwanted=sql.Literal([row_id for (row_id,) in unwanted]),
        )

    def finish(self, result: ImportResult) -> None:
        """Note what was written, and tell what was left alone."""
        record(
            self._connection,
            self._plan,
            sql.SQL(
                "seen.row_id in (select verdict.row_id from {} as verdict where verdict.act in ('insert', 'update'))"
            ).format(_verdicts(self._plan)),
        )
        [(kept,)] = self._run(
            "select count(*) from {verdict} as verdict "
            "where verdict.act not in ('insert', 'update', 'delete', 'forget')"
        )
        result.kept_count += kept
        rows = self._run(
            "select verdict.row_id::text, verdict.act from {verdict} as verdict "
            "where verdict.act not in ('insert', 'update', 'delete', 'forget') order by verdict.row_id limit {limit}",
            limit=sql.Literal(max(0, LISTED - len(result.kept))),
        )
        result.kept += [Kept(self._plan.name, str(row_id), str(act)) for row_id, act in rows]
