"""What reruns are, in plain Python: a small model of the rules, which knows nothing of the SQL.

``test_model.py`` drives it and a database with the same calls and compares everything that both hold.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

STATUSES = ("pending", "running", "complete", "error")


class Refused(Exception):
    """A call that must be refused with this SQLSTATE; its message names each of ``named``."""

    def __init__(self, code: str, *named: str) -> None:
        super().__init__(code, *named)
        self.code, self.named = code, named


class Ended(NamedTuple):
    """A run that ended, as it was then; the output is gone where it was not kept or purged."""

    version: str
    status: str
    output: str | None
    had_output: bool
    error: str | None


@dataclass
class Row:
    """A report or a simulation. ``holds`` is the run whose content this is: an earlier one after an undo."""

    facts: dict[str, Any]
    version: str
    status: str = "pending"
    output: str | None = None
    error: str | None = None
    run: int = 1
    holds: int = 1

    @property
    def has_result(self) -> bool:
        return self.output is not None or self.error is not None or self.status in ("complete", "error")


@dataclass
class Act:
    """One thing that was done to runs; its number is its place among the acts."""

    kind: str
    archived: bool
    report_id: int | None = None
    country: str | None = None
    report_type: str | None = None
    run: int | None = None
    # The run that was cancelled or released; such an act starts none.
    of_run: int | None = None
    # Simulations and the run of each that the act started; none where its batch had done so before.
    started: list[tuple[int, int | None]] = field(default_factory=list)
    removed: list[int] = field(default_factory=list)
    # What is kept of them.
    kept_impacts: dict[int, dict[str, Any]] = field(default_factory=dict)
    # The requests whose cache rows are gone: each a key and a version.
    scopes: list[tuple[Any, ...]] = field(default_factory=list)
    # Cache rows of the same key that stood beside the removed ones and were not asked for.
    spared: set[int] = field(default_factory=set)
    batch: int | None = None
    # The first act of the call that did several at once.
    first_of_set: int | None = None
    key: str | None = None
    undoes: int | None = None
    undone_by: int | None = None
    purged: bool = False
    days: int = 0


@dataclass
class Batch:
    """A frozen list of reports: each pending, rerun, or refused with a SQLSTATE."""

    items: dict[int, str]
    # Each with its version.
    simulations: set[tuple[int, str]] = field(default_factory=set)
    cache_keys: set[tuple[Any, ...]] = field(default_factory=set)
    is_cancelled: bool = False

    def count(self, *states: str) -> int:
        return sum(state in states for state in self.items.values())

    @property
    def refused(self) -> int:
        return len(self.items) - self.count("pending", "rerun")


CACHE_KEY = (
    "country_id",
    "baseline_policy_id",
    "reform_policy_id",
    "region",
    "dataset",
    "time_period",
)


class Model:
    """The tables, the history and the rules."""

    def __init__(self, versions: dict[str, dict[str, str | None]]) -> None:
        self.versions = versions
        self.keeps_outputs = True
        self.allows_unfinish = False
        self.rows: dict[str, dict[int, Row]] = {"report": {}, "simulation": {}}
        self.impacts: dict[int, dict[str, Any]] = {}
        self.ended: dict[tuple[str, int, int], Ended] = {}
        self.restored: dict[tuple[str, int, int], int] = {}
        self.acts: list[Act] = []
        self.keys: dict[str, tuple[int, int]] = {}
        self.batches: dict[int, Batch] = {}

    @property
    def reports(self) -> dict[int, Row]:
        return self.rows["report"]

    @property
    def simulations(self) -> dict[int, Row]:
        return self.rows["simulation"]

    # --- what reports are ---

    def require_country(self, country: str | None) -> None:
        if country is not None and country not in self.versions:
            raise Refused("RR008", country)

    def row(self, kind: str, row_id: int, country: str | None = None) -> Row:
        found = self.rows[kind].get(row_id)
        if found is None or (country is not None and found.facts["country_id"] != country):
            raise Refused("RR001" if kind == "report" else "RR007", f"{kind.capitalize()} #{row_id}")
        return found

    def links(self, report: Row) -> list[int]:
        """The simulations of a report, each once."""
        both = (report.facts["simulation_1_id"], report.facts["simulation_2_id"])
        return list(dict.fromkeys(link for link in both if link is not None))

    def defect(self, report_id: int) -> Refused | None:
        """Why a report cannot be rerun."""
        report = self.reports[report_id]
        country = report.facts["country_id"]
        types = []
        for link in self.links(report):
            simulation = self.simulations.get(link)
            if simulation is None or simulation.facts["country_id"] != country:
                return Refused("RR002", f"simulation #{link}", country)
            types.append(simulation.facts["population_type"])
        if len(set(types)) > 1:
            return Refused("RR003", f"Report #{report_id}")
        if types[0] not in ("household", "geography"):
            return Refused("RR004", f"Report #{report_id}", types[0])
        if types[0] == "geography" and not (report.facts["year"] or "").strip():
            return Refused("RR005", f"Report #{report_id}")
        if types[0] == "geography" and self.versions[country]["economy_impact"] is None:
            return Refused("RR006", country)
        return None

    def report_type(self, report: Row) -> str:
        return str(self.simulations[self.links(report)[0]].facts["population_type"])

    def cache_key(self, report: Row) -> tuple[Any, ...]:
        """The key and version of an economy report's cache rows."""
        first, last = (self.simulations[self.links(report)[place]].facts for place in (0, -1))
        country = report.facts["country_id"]
        key = (country, first["policy_id"], last["policy_id"], first["population_id"], "default", report.facts["year"])
        return (*key, self.versions[country]["economy_impact"])

    def impacts_of(self, key: tuple[Any, ...], version: str | None) -> list[int]:
        """The cache rows that answer a request; without a version those of every version."""
        asked_for = dict(zip(CACHE_KEY, key, strict=True))
        dataset = asked_for.pop("dataset")

        def answers(impact: dict[str, Any]) -> bool:
            text = impact["options_hash"] or ""
            if text == "[]":
                return bool(impact["dataset"] == dataset)
            is_plain = text.startswith(f"[dataset={impact['dataset']}&model_version=")
            return is_plain and (impact["dataset"] == dataset or impact["api_version"].startswith("e1"))

        return [
            impact_id
            for impact_id, impact in sorted(self.impacts.items())
            # A null matches nothing, as ever in SQL.
            if None not in key
            and asked_for.items() <= impact.items()
            and version in (None, impact["api_version"])
            and answers(impact)
        ]

    # --- callers that write ---

    def newest(self, kind: str, version: str | None, **facts: Any) -> int | None:
        """The newest row with these facts, of that version where one is given."""
        found = [
            row_id
            for row_id, row in self.rows[kind].items()
            if row.facts == facts and (version is None or row.version == version)
        ]
        return max(found, default=None)

    def update(
        self,
        kind: str,
        row_id: int,
        country: str | None = None,
        status: str | None = None,
        output: str | None = None,
        error_message: str | None = None,
        run_sequence: int | None = None,
        claim: int | None = None,
    ) -> None:
        self.require_country(country)
        nothing = status is None and output is None and error_message is None
        unknown = status is not None and status not in STATUSES
        if nothing or unknown or (status == "complete" and output in (None, "null")):
            raise Refused("RR016")
        row = self.row(kind, row_id, country)
        if run_sequence is not None and run_sequence != row.run:
            raise Refused("RR011", f"{kind.capitalize()} #{row_id}", f"run {row.run},", f"run {run_sequence}.")
        if claim is not None:
            self.require_claim_of(claim, kind, row_id, status)
        if row.status in ("complete", "error"):
            # What is given is compared with what is there; json equal as text or by its values.
            is_same = status in (None, row.status) and error_message in (None, row.error)
            if output is not None and output != row.output:
                is_same = is_same and row.output is not None and json.loads(output) == json.loads(row.output)
            if is_same:
                return
            if claim is not None:
                self.require_held(claim)
            if claim is not None or not self.allows_unfinish:
                raise Refused("RR020", f"{kind.capitalize()} #{row_id}", row.status)
        elif claim is not None:
            self.require_held(claim)
        if claim is None:
            self.require_run_or_claim(kind, row_id, run_sequence)
        if kind == "simulation" and row.status in ("complete", "error") and status not in ("complete", "error"):
            self.end_claims([], [row_id])
        self.before_write(kind, row_id, status, claim)
        row.status = status or row.status
        row.output = row.output if output is None else output
        row.error = error_message if status == "complete" else row.error if error_message is None else error_message
        if kind == "simulation":
            row.version = self.versions[row.facts["country_id"]]["package"] or row.version
        self.after_write(kind, row_id, status, claim)

    # --- claims, of which this model knows nothing ---

    def require_claim_of(self, claim: int, kind: str, row_id: int, status: str | None) -> None:
        """Refuse a write whose claim is not one of the row's current run."""

    def require_held(self, claim: int) -> None:
        """Refuse a write whose claim is over."""

    def require_run_or_claim(self, kind: str, row_id: int, run: int | None) -> None:
        """Refuse a write that names neither, where the setting asks for it."""

    def before_write(self, kind: str, row_id: int, status: str | None, claim: int | None) -> None:
        """What a write that is accepted does to claims."""

    def after_write(self, kind: str, row_id: int, status: str | None, claim: int | None) -> None:
        """What a write that was done does to claims."""

    def end_claims(self, report_ids: Iterable[int], simulation_ids: Iterable[int] = ()) -> None:
        """End the claims of reports whose run ends, and revoke those that rely on simulations that are reset."""

    # --- what ends runs ---

    def last_archived(self, kind: str, row_id: int) -> int:
        return max((run for of, other, run in self.ended if (of, other) == (kind, row_id)), default=-1)

    def first_run(self, kind: str, row_id: int) -> int:
        """The number that a new row's run begins with: after those of an earlier row with its id."""
        return self.last_archived(kind, row_id) + 2

    def archive(self, kind: str, row_id: int) -> None:
        row = self.rows[kind][row_id]
        if (kind, row_id, row.run) in self.ended:
            row.run = self.first_run(kind, row_id)
        kept = row.output if self.keeps_outputs else None
        self.ended[kind, row_id, row.run] = Ended(row.version, row.status, kept, row.output is not None, row.error)

    def reset(self, kind: str, row_id: int) -> int:
        """End the current run of a row and start the next; returns its number."""
        self.archive(kind, row_id)
        row = self.rows[kind][row_id]
        row.status, row.output, row.error = "pending", None, None
        row.run += 1
        row.holds = row.run
        return row.run

    def reset_simulations(self, report: Row, done: set[tuple[int, str]]) -> list[tuple[int, int | None]]:
        """Reset what a report links, but for what is done."""
        started: list[tuple[int, int | None]] = []
        package = self.versions[report.facts["country_id"]]["package"] or ""
        for link in self.links(report):
            run = None
            if (link, package) not in done:
                done.add((link, package))
                run = self.reset("simulation", link)
                simulation = self.simulations[link]
                simulation.version = package or simulation.version
            started.append((link, run))
        return started

    def remove_impacts(self, impact_ids: Iterable[int], act: Act) -> None:
        for impact_id in impact_ids:
            impact = self.impacts.pop(impact_id)
            act.removed.append(impact_id)
            if self.keeps_outputs:
                act.kept_impacts[impact_id] = impact

    def rerun(self, report_id: int, country: str | None = None, key: str | None = None) -> Act:
        self.require_country(country)
        self.row("report", report_id, country)
        if key is not None:
            if not 1 <= len(key) <= 255:
                raise Refused("RR016")
            if key in self.keys:
                used_for, number = self.keys[key]
                if used_for != report_id:
                    raise Refused("RR012", f"report #{used_for}", f"report #{report_id}")
                if self.acts[number].undone_by is not None:
                    raise Refused("RR014", "undone")
                return self.acts[number]
        defect = self.defect(report_id)
        if defect is not None:
            raise defect
        self.end_claims([report_id], self.links(self.reports[report_id]))
        act = self.rerun_one(report_id, set(), set())
        act.key = key
        if key is not None:
            self.keys[key] = (report_id, len(self.acts) - 1)
        return act

    def rerun_one(self, report_id: int, done: set[tuple[int, str]], emptied: set[tuple[Any, ...]]) -> Act:
        report = self.reports[report_id]
        act = Act("rerun", self.keeps_outputs, report_id, report.facts["country_id"], self.report_type(report))
        act.run = self.reset("report", report_id)
        report.version = self.versions[report.facts["country_id"]]["report_output"] or report.version
        act.started = self.reset_simulations(report, done)
        if act.report_type == "geography":
            key = self.cache_key(report)
            if key not in emptied:
                emptied.add(key)
                act.scopes = [key]
                self.remove_impacts(self.impacts_of(key[:-1], key[-1]), act)
        self.acts.append(act)
        return act

    def rerun_many(self, report_ids: Iterable[int], batch_id: int | None = None) -> tuple[list[Act], dict[int, str]]:
        """Many at once: what was done, and the SQLSTATE of each report that was refused."""
        wanted = sorted(set(report_ids))
        refused = {report_id: "RR001" for report_id in wanted if report_id not in self.reports}
        for report_id in wanted:
            if report_id in self.reports and (defect := self.defect(report_id)) is not None:
                refused[report_id] = defect.code
        batch = Batch({}) if batch_id is None else self.batches[batch_id]
        first = len(self.acts)
        accepted = [report_id for report_id in wanted if report_id not in refused]
        self.end_claims(
            accepted,
            {
                link
                for report_id in accepted
                for link in self.links(self.reports[report_id])
                if (link, self.versions[self.reports[report_id].facts["country_id"]]["package"] or "")
                not in batch.simulations
            },
        )
        acts = [self.rerun_one(report_id, batch.simulations, batch.cache_keys) for report_id in accepted]
        for act in acts:
            act.batch, act.first_of_set = batch_id, first
        return acts, refused

    def batch_chunk(self, batch_id: int, chunk_size: int) -> tuple[list[Act], dict[int, str]]:
        if batch_id not in self.batches:
            raise Refused("RR018", f"#{batch_id}")
        batch = self.batches[batch_id]
        if batch.is_cancelled:
            raise Refused("RR025", f"#{batch_id}")
        taken = sorted(report_id for report_id, state in batch.items.items() if state == "pending")[:chunk_size]
        acts, refused = self.rerun_many(taken, batch_id)
        batch.items.update(dict.fromkeys(taken, "rerun") | refused)
        return acts, refused

    def cancel_batch(self, batch_id: int) -> int:
        """End a batch; returns how many reports are not done. The model has one caller, who may do so again."""
        if batch_id not in self.batches:
            raise Refused("RR018", f"#{batch_id}")
        batch = self.batches[batch_id]
        if not batch.count("pending"):
            raise Refused("RR025", f"#{batch_id}")
        batch.is_cancelled = True
        return batch.count("pending")

    def batch_state(self, batch_id: int) -> str:
        batch = self.batches[batch_id]
        undone = sum(act.batch == batch_id and act.undone_by is not None for act in self.acts)
        if batch.count("pending") and not batch.is_cancelled:
            return "open"
        if undone:
            return "undone" if undone == batch.count("rerun") else "partly undone"
        return "cancelled" if batch.is_cancelled else "finished"

    def reset_alone(self, kind: str, row_id: int) -> None:
        row = self.row(kind, row_id)
        self.end_claims(*(([row_id],) if kind == "report" else ([], [row_id])))
        run = self.reset(kind, row_id)
        act = Act(f"reset_{kind}", self.keeps_outputs, country=row.facts["country_id"])
        if kind == "report":
            act.report_id, act.run = row_id, run
        else:
            act.started = [(row_id, run)]
            row.version = self.versions[row.facts["country_id"]]["package"] or row.version
        self.acts.append(act)

    def delete_impacts(self, key: tuple[Any, ...], version: str | None, statuses: list[str] | None) -> int:
        of_key = self.impacts_of(key, None)
        found = [
            impact_id
            for impact_id in of_key
            if version in (None, self.impacts[impact_id]["api_version"])
            and (statuses is None or self.impacts[impact_id]["status"] in statuses)
        ]
        versions = {self.impacts[impact_id]["api_version"] for impact_id in found}
        if statuses is None:
            versions.add(version or self.versions[key[0]]["economy_impact"])
        if versions - {None}:
            act = Act("delete_reform_impacts", self.keeps_outputs, country=key[0])
            act.scopes = [(*key, emptied) for emptied in sorted(versions - {None})]
            act.spared = set(of_key) - set(found)
            self.remove_impacts(found, act)
            self.acts.append(act)
        return len(found)

    # --- undo ---

    def undoable(self) -> list[int]:
        """The acts that can be undone, if nothing has moved on since."""
        return [
            number
            for number, act in enumerate(self.acts)
            if act.kind != "undo" and act.undone_by is None and act.archived and not act.purged
        ]

    def undo_obstacle(self, kind: str, row_id: int, started: int) -> str | None:
        """What an undo would overwrite of a row that the act put to run ``started``."""
        row = self.rows[kind].get(row_id)
        # At an earlier run it is another row, which has the id.
        if (
            row is None
            or row.run < started
            or row.holds != started
            or (row.has_result and not self.is_void(kind, row_id))
        ):
            return f"{kind} #{row_id}"
        return None

    def is_void(self, kind: str, row_id: int) -> bool:
        """Whether what a row holds is no result: its run was cancelled, or its workers were lost."""
        raise NotImplementedError

    def undo(self, number: int, force: bool = False) -> Act:
        if number >= len(self.acts):
            raise Refused("RR013")
        if number not in self.undoable():
            raise Refused("RR014")
        act = self.acts[number]

        targets = [("report", act.report_id, act.run)] if act.report_id is not None else []
        targets += [("simulation", link, run) for link, run in sorted(act.started) if run is not None]
        moved = [found for target in targets if (found := self.undo_obstacle(*target)) is not None]
        gone = any(row_id not in self.rows[kind] or self.rows[kind][row_id].run < run for kind, row_id, run in targets)
        moved += [f" of report #{later.report_id} uses" for later in self.relying(number)][:3]
        emptied = {found for key in act.scopes for found in self.impacts_of(key[:-1], key[-1])}
        newer = sorted(emptied - act.spared)
        if newer:
            moved.append("economy cache rows (" + ", ".join(f"#{found}" for found in newer) + ")")
        if moved and (gone or not force):
            raise Refused("RR010", *moved)

        undo = Act("undo", self.keeps_outputs, act.report_id, act.country, act.report_type, undoes=number)
        undo.scopes = act.scopes
        self.remove_impacts(newer, undo)
        self.impacts.update(act.kept_impacts)
        self.end_claims(
            [row_id for kind, row_id, _ in targets if kind == "report"],
            [row_id for kind, row_id, _ in targets if kind == "simulation"],
        )
        for kind, row_id, started in targets:
            self.archive(kind, row_id)
            row, kept = self.rows[kind][row_id], self.ended[kind, row_id, started - 1]
            row.version, row.output, row.error = kept.version, kept.output, kept.error
            # Nobody computes it any more.
            row.status = "pending" if kept.status == "running" else kept.status
            row.run += 1
            row.holds = self.restored[kind, row_id, row.run] = self.restored.get(
                (kind, row_id, started - 1), started - 1
            )
            if kind == "report":
                undo.run = row.run
            else:
                undo.started.append((row_id, row.run))
        act.undone_by = len(self.acts)
        self.acts.append(undo)
        if act.batch is not None:
            batch, put_back = self.batches[act.batch], {link for _, link, _ in targets[1:]}
            batch.simulations = {done for done in batch.simulations if done[0] not in put_back}
            batch.cache_keys -= set(act.scopes)
        return undo

    def relying(self, number: int) -> list[Act]:
        """The later acts of the same batch or call for whose reports an act has reset simulations, too."""
        act = self.acts[number]
        reset = {link for link, run in act.started if run is not None}
        return [
            later
            for later in self.acts[number + 1 :]
            if later.kind == "rerun" and later.undone_by is None and later.report_id in self.reports
            if (act.batch is not None and act.batch == later.batch)
            or (act.first_of_set is not None and act.first_of_set == later.first_of_set)
            if any(link in reset and run is None for link, run in later.started)
        ]

    def undo_batch(self, batch_id: int, force: bool) -> dict[str, int]:
        if batch_id not in self.batches:
            raise Refused("RR018", f"#{batch_id}")
        told = {"reruns": 0, "undone": 0, "refused": 0}
        for number in reversed(range(len(self.acts))):
            act = self.acts[number]
            if act.batch == batch_id and act.undone_by is None:
                told["reruns"] += 1
                try:
                    self.undo(number, force)
                    told["undone"] += 1
                except Refused:
                    told["refused"] += 1
        return told

    # --- purge ---

    def purge(self, days: int, keep_last: int) -> int:
        """Free the outputs of acts older than ``days``, but for the newest ``keep_last`` of each report."""
        freed = [act for act in self.acts if act.archived and not act.purged and act.days >= days]
        freed = [act for act in freed if act.report_id is None or self.newer_outputs(act) >= keep_last]
        for act in freed:
            act.purged = True
            act.kept_impacts.clear()
            for kind, row_id, run in self.started_by(act):
                self.ended[kind, row_id, run - 1] = self.ended[kind, row_id, run - 1]._replace(output=None)
        return len(freed)

    def newer_outputs(self, act: Act) -> int:
        """How many outputs of runs that ended later are kept of the act's report."""
        return sum(
            kind == "report" and row_id == act.report_id and act.run is not None and run >= act.run
            for (kind, row_id, run), ended in self.ended.items()
            if ended.output is not None
        )

    def started_by(self, act: Act) -> Iterator[tuple[str, int, int]]:
        if act.report_id is not None and act.run is not None:
            yield "report", act.report_id, act.run
        for link, run in act.started:
            if run is not None:
                yield "simulation", link, run

    # --- what can be asked ---

    def history(self, report_id: int) -> list[tuple[Any, ...]]:
        """The runs of a report, newest first: number, content and what started each."""
        report = self.reports[report_id]
        started = {
            act.run: (number, act)
            for number, act in enumerate(self.acts)
            if act.report_id == report_id and act.run is not None
        }
        cancelled = {act.of_run for act in self.acts if act.report_id == report_id and act.kind == "cancel_run"}
        current = Ended(report.version, report.status, report.output, report.output is not None, report.error)
        runs = {
            run: ended
            for (kind, row_id, run), ended in self.ended.items()
            if (kind, row_id) == ("report", report_id) and run < report.run
        }
        told = []
        for run, ended in sorted((runs | {report.run: current}).items(), reverse=True):
            number, act = started.get(run, (None, Act("", True)))
            restores = self.restored.get(("report", report_id, run))
            # A run may hold the result of an earlier one that was cancelled.
            was_cancelled = restores in cancelled and self.ended["report", report_id, restores].status == "error"
            is_cancelled = ended.status == "error" and (run in cancelled or was_cancelled)
            told.append(
                (
                    *(run, run == report.run, ended.version, "cancelled" if is_cancelled else ended.status),
                    *(ended.output, ended.had_output, ended.error),
                    *(act.kind or None, number, restores, act.undone_by),
                    *(act.purged, act.key, act.batch, len(act.removed) if number is not None else None),
                )
            )
        return told

    def sharing(self, report_id: int, simulation_id: int) -> list[int]:
        return [
            other
            for other, row in sorted(self.reports.items())
            if other != report_id and simulation_id in self.links(row)
        ]

    def sharing_cache(self, report_id: int) -> list[int]:
        key = self.cache_key(self.reports[report_id])
        return [
            other
            for other, row in sorted(self.reports.items())
            if other != report_id
            and self.defect(other) is None
            and self.report_type(row) == "geography"
            and self.cache_key(row) == key
        ]

    def preview(self, report_id: int) -> list[tuple[Any, ...]]:
        """What a rerun would touch: kind, id, status, bytes that it would keep, and who shares it."""
        report = self.row("report", report_id)
        defect = self.defect(report_id)
        if defect is not None:
            return [("report", report_id, report.status, 0, [], defect.code)]

        def size(text: str | None) -> int:
            return len((text or "").encode()) if self.keeps_outputs else 0

        told: list[tuple[Any, ...]] = [("report", report_id, report.status, size(report.output), [], None)]
        for link in sorted(self.links(report)):
            row = self.simulations[link]
            told.append(("simulation", link, row.status, size(row.output), self.sharing(report_id, link), None))
        if self.report_type(report) == "geography":
            key = self.cache_key(report)
            for impact_id in self.impacts_of(key[:-1], key[-1]):
                impact = self.impacts[impact_id]
                told.append(
                    (
                        *("reform_impact", impact_id, impact["status"], size(impact["reform_impact_json"])),
                        *(self.sharing_cache(report_id), None),
                    )
                )
        return told
