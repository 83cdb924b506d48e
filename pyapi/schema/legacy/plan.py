"""Which column of the source goes into which column here."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg import sql

from pyapi.schema.legacy.outcome import ImportRefused
from pyapi.schema.legacy.source import Source

__all__ = ["KEYS", "OPTIONAL_TABLES", "WRITING_ORDER", "Column", "TablePlan", "not_copied", "plans", "require_tables"]

# What is copied, in the order in which routines lock these tables, with the key of each.
KEYS = {
    "report_outputs": "id",
    "simulations": "id",
    "report_output_runs": "id",
    "simulation_runs": "id",
    "reform_impact": "reform_impact_id",
}
# A foreign key of the host may go from a report to its simulations: these are written first, and deleted last.
WRITING_ORDER = ("simulations", "report_outputs", "report_output_runs", "simulation_runs", "reform_impact")
OPTIONAL_TABLES = ("report_output_runs", "simulation_runs")
# What every legacy database has. All other columns are copied where both sides have them.
_REQUIRED = {
    "report_outputs": (
        "id",
        "country_id",
        "simulation_1_id",
        "simulation_2_id",
        "api_version",
        "status",
        "output",
        "error_message",
        "year",
    ),
    "simulations": (
        "id",
        "country_id",
        "api_version",
        "population_id",
        "population_type",
        "policy_id",
        "status",
        "output",
        "error_message",
    ),
    "report_output_runs": ("id", "report_output_id", "run_sequence", "status", "trigger_type"),
    "simulation_runs": ("id", "simulation_id", "run_sequence", "status", "trigger_type"),
    "reform_impact": (
        "reform_impact_id",
        "baseline_policy_id",
        "reform_policy_id",
        "country_id",
        "region",
        "time_period",
        "options_json",
        "options_hash",
        "api_version",
        "reform_impact_json",
        "status",
        "message",
        "start_time",
        "end_time",
    ),
}
# What very old sources lack, or have null: all their rows were of the default dataset, and of no job.
_FILLED_IN = {("reform_impact", "dataset"): "default", ("reform_impact", "execution_id"): ""}
# The run number of a report or simulation here is ours.
_OURS = {("report_outputs", "run_sequence"), ("simulations", "run_sequence")}
_INTEGER_BYTES = {"int2": 2, "int4": 4, "int8": 8}


@dataclass(frozen=True)
class Column:
    """A column here and what fills it: ``spelled`` is its name in the source, None where the source has no such one.

    ``type`` is its type as PostgreSQL writes it, ``base`` the short name of it, ``length`` the number of characters
    that it holds. ``filled_in`` is what is written for a null or where the source has no such column.
    """

    name: str
    spelled: str | None
    type: str
    base: str
    length: int | None
    is_required: bool
    filled_in: str | None

    @property
    def is_json(self) -> bool:
        """Whether it holds JSON."""
        return self.base in ("json", "jsonb")

    @property
    def integer_bytes(self) -> int | None:
        """The size of an integer column."""
        return _INTEGER_BYTES.get(self.base)


@dataclass(frozen=True)
class TablePlan:
    """A table that is copied; ``columns`` begin with its key, and those that the source does not have come last."""

    name: str
    key: str
    columns: tuple[Column, ...]
    has_run_sequence: bool

    @property
    def relation(self) -> sql.Identifier:
        """The table here."""
        return sql.Identifier("public", self.name)

    @property
    def read(self) -> list[str]:
        """The columns to read, as the source spells them."""
        return [column.spelled for column in self.columns if column.spelled is not None]

    @property
    def names(self) -> list[str]:
        """The columns to write."""
        return [column.name for column in self.columns]

    def checksum(self, alias: str) -> sql.Composed:
        """An expression for the checksum of a row here: of what the import wrote, and of its run.

        Nulls are left out, so that a column that either side adds later, and that is null, changes nothing.
        """
        names = [*sorted(self.names), *(["run_sequence"] if self.has_run_sequence else [])]
        values = [
            sql.SQL("{} || {}::text").format(sql.Literal(f"{name}="), sql.Identifier(alias, name)) for name in names
        ]
        return sql.SQL("sha256(convert_to(concat_ws(E'\\x1f', {}), 'UTF8'))").format(sql.SQL(", ").join(values))


def require_tables(source: Source) -> list[str]:
    """The tables to copy. Raises ImportRefused for a source that lacks something."""
    missing = []
    for name, needed in _REQUIRED.items():
        if name in source.columns:
            missing += [f"column {name}.{wanted}" for wanted in needed if wanted not in source.columns[name]]
        elif name not in OPTIONAL_TABLES:
            missing.append(f"table {name}")
    if missing:
        raise ImportRefused(
            f"The source is not a legacy report database, it lacks: {', '.join(missing)}. "
            "Add what is missing to a copy of it; nothing was imported."
        )
    return [name for name in KEYS if name in source.columns]


def plans(connection: psycopg.Connection[Any], source: Source, names: list[str]) -> list[TablePlan]:
    """How each of these tables is copied. Raises ImportRefused where a column here must be filled and cannot be."""
    found: dict[str, list[tuple[Any, ...]]] = {name: [] for name in names}
    rows = connection.execute(
        "select relation.relname, attribute.attname, format_type(attribute.atttypid, attribute.atttypmod), "
        "type.typname, case when type.typname in ('varchar', 'bpchar') and attribute.atttypmod > 4 "
        "then attribute.atttypmod - 4 end, attribute.attnotnull or type.typnotnull, "
        "attribute.atthasdef or attribute.attidentity <> '', attribute.attgenerated <> '' "
        "from pg_attribute as attribute join pg_class as relation on relation.oid = attribute.attrelid "
        "join pg_type as type on type.oid = attribute.atttypid "
        "where relation.relnamespace = 'public'::regnamespace and relation.relname = any (%s) "
        "and attribute.attnum > 0 and not attribute.attisdropped order by attribute.attnum",
        (names,),
    )
    for relation, *rest in rows.fetchall():
        found[str(relation)].append(tuple(rest))
    made, unfilled = [], []
    for name in names:
        columns = []
        for column, kind, base, length, is_required, has_default, is_generated in found[name]:
            spelled = source.columns[name].get(column)
            filled_in = _FILLED_IN.get((name, column))
            if is_generated or (name, column) in _OURS:
                continue
            if spelled is None and filled_in is None:
                if is_required and not has_default:
                    unfilled.append(f"{name}.{column}")
                continue
            columns.append(Column(column, spelled, kind, base, length, is_required, filled_in))
        key = KEYS[name]
        columns.sort(key=lambda column: (column.name != key, column.spelled is None))
        has_run_sequence = any((name, column[0]) in _OURS for column in found[name])
        made.append(TablePlan(name, key, tuple(columns), has_run_sequence))
        lacking = [f"{name}.{needed}" for needed in _REQUIRED[name] if needed not in made[-1].names]
        if lacking:
            raise ImportRefused(
                f"The tables here lack {', '.join(lacking)}, which every source has. Add the columns, or run "
                "`pgreprise migrate` in a database without these tables; nothing was imported."
            )
    if unfilled:
        raise ImportRefused(
            f"These columns here must not be null, have no default, and are not in the source: {', '.join(unfilled)}. "
            "Give them a default, then import again; nothing was imported."
        )
    return made


def not_copied(source: Source, made: list[TablePlan]) -> list[str]:
    """The tables and columns of the source that stay behind."""
    left = [f"table {name}" for name in source.others]
    for plan in made:
        left += [f"column {plan.name}.{spelled}" for spelled in source.columns[plan.name].values()
                 if spelled not in plan.read]  # fmt: skip
    return left
