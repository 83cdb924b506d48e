"""What claims are, in plain Python: the model of ``reference.py`` with workers who claim reports.

Time is what the test says: a lease is over where the test has let it be over, and so is the wait of a retry.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from tests.support.reference import Act, Model, Refused, Row

__all__ = ["Claim", "ModelWithClaims", "Retry"]

PAGE = 16
SWEPT = 3
DUE = 4


@dataclass
class Given:
    """A simulation of a claim: the run that it was given, whether it has to compute it, and whether it did."""

    run: int
    computes: bool
    is_open: bool = True
    is_finished: bool = False


@dataclass
class Claim:
    """An attempt of a worker; open until ``ended_as``."""

    report_id: int
    country: str
    run: int
    attempt: int
    worker: str
    simulations: dict[int, Given]
    progress: float | None = None
    message: str | None = None
    is_over: bool = False
    is_cancelled: bool = False
    is_revoked: bool = False
    reason: str | None = None
    ended_as: str | None = None
    counts: bool = True

    @property
    def is_open(self) -> bool:
        return self.ended_as is None

    @property
    def may_write(self) -> bool:
        return self.is_open and not self.is_revoked and not self.is_cancelled


@dataclass
class Retry:
    """A run that may not be claimed before it is due; those that are due come in the order of ``due``."""

    run: int
    due: tuple[int, int] | None = None


@dataclass
class Swept:
    """What became of a claim that was over."""

    report_id: int
    ended_as: str
    status: str | None


class ModelWithClaims(Model):
    """The tables, the history, the rules and the claims."""

    def __init__(self, versions: dict[str, dict[str, str | None]]) -> None:
        super().__init__(versions)
        self.claims: list[Claim] = []
        self.retries: dict[int, Retry] = {}
        self.require_claim = "off"
        self.when_lost = "retry"
        self.lost_attempts = 3
        # Counts what becomes due.
        self.clock = 0

    # --- who holds what ---

    def open_claims(self) -> list[int]:
        return [number for number, claim in enumerate(self.claims) if claim.is_open]

    def holder(self, report_id: int) -> Claim | None:
        """The open claim of a report."""
        return next((claim for claim in self.claims if claim.is_open and claim.report_id == report_id), None)

    def is_computed(self, simulation_id: int) -> bool:
        """Whether an open claim computes a simulation."""
        return any(
            given.is_open and given.computes
            for claim in self.claims
            for other, given in claim.simulations.items()
            if other == simulation_id
        )

    def known_claim(self, number: int) -> Claim:
        if number >= len(self.claims):
            raise Refused("RR028")
        return self.claims[number]

    # --- what a write asks ---

    def require_claim_of(self, claim: int, kind: str, row_id: int, status: str | None) -> None:
        held = self.known_claim(claim)
        if kind == "report":
            claimed_run = held.run if held.report_id == row_id else None
        else:
            claimed_run = held.simulations[row_id].run if row_id in held.simulations else None
        run = self.rows[kind][row_id].run
        if claimed_run is None:
            raise Refused("RR028", f"{kind} #{row_id}")
        if claimed_run != run:
            if not held.is_open or held.is_revoked:
                raise Refused("RR027", f"report #{held.report_id}")
            raise Refused("RR011", f"{kind.capitalize()} #{row_id}", f"run {claimed_run}.")
        if kind == "report" and status == "pending":
            raise Refused("RR016")

    def require_held(self, claim: int) -> None:
        held = self.claims[claim]
        if not held.may_write:
            how = held.ended_as or ("cancelled" if held.is_cancelled else "superseded")
            raise Refused("RR027", f"report #{held.report_id}, run {held.run}, attempt {held.attempt} is over: {how}")

    def require_run_or_claim(self, kind: str, row_id: int, run: int | None) -> None:
        current = self.rows[kind][row_id].run
        if kind == "report":
            was_claimed = any((claim.report_id, claim.run) == (row_id, current) for claim in self.claims)
        else:
            was_claimed = any(
                row_id in claim.simulations
                and claim.simulations[row_id].run == current
                and (claim.simulations[row_id].computes or claim.simulations[row_id].is_finished)
                for claim in self.claims
            )
        if (self.require_claim == "claim" and was_claimed) or (self.require_claim != "off" and run is None):
            raise Refused("RR030", f"eport #{row_id}" if kind == "report" else f"imulation #{row_id}")

    def before_write(self, kind: str, row_id: int, status: str | None, claim: int | None) -> None:
        if kind == "report" and claim is None:
            self.end_claims([row_id])
        elif kind == "report" and claim is not None and status == "complete":
            for link, given in sorted(self.claims[claim].simulations.items()):
                if link not in self.simulations:
                    raise Refused("RR007", f"#{link}")
                if self.simulations[link].run != given.run:
                    raise Refused("RR011", f"Simulation #{link}", f"run {given.run}.")
            if self.is_of_another_row(self.claims[claim]):
                raise Refused("RR027", f"report #{row_id}")
            left = sorted(
                link
                for link, given in self.claims[claim].simulations.items()
                if given.computes
                and link in self.simulations
                and self.simulations[link].status not in ("complete", "error")
            )
            if left:
                raise Refused("RR031", *(f"#{link}" for link in left))

    def after_write(self, kind: str, row_id: int, status: str | None, claim: int | None) -> None:
        if status not in ("complete", "error"):
            return
        if kind == "report" and claim is not None:
            self.end(self.claims[claim], status)
        elif kind == "simulation":
            for number, held in enumerate(self.claims):
                given = held.simulations.get(row_id)
                if given is not None and given.is_open and given.computes:
                    given.computes, given.is_finished = False, number == claim

    def is_void(self, kind: str, row_id: int) -> bool:
        row = self.rows[kind][row_id]
        if kind != "report" or row.status != "error":
            return False
        attempts = [claim for claim in self.claims if (claim.report_id, claim.run) == (row_id, row.run)]
        return any(
            (act.kind, act.report_id, act.of_run) == ("cancel_run", row_id, row.run) for act in self.acts
        ) or bool(attempts and max(attempts, key=lambda claim: claim.attempt).ended_as == "lost")

    def is_of_another_row(self, claim: Claim) -> bool:
        """Whether a claim computes something else than its report links: a deleted row had this id."""
        return bool(set(claim.simulations) - set(self.links(self.reports[claim.report_id])))

    def last_archived(self, kind: str, row_id: int) -> int:
        runs = [claim.run for claim in self.claims if claim.report_id == row_id] if kind == "report" else []
        return max([super().last_archived(kind, row_id), *runs])

    # --- claiming ---

    def defect_message(self, report_id: int) -> str | None:
        """The error of a report that cannot be computed."""
        defect, report = self.defect(report_id), self.reports[report_id]
        if defect is None or defect.code == "RR006":
            return None
        country = report.facts["country_id"]
        return {
            "RR002": lambda: f"Report references {defect.named[0]}, but it could not be found for country {country}.",
            "RR003": lambda: f"Report #{report_id} links simulations with mismatched population types.",
            "RR004": lambda: (
                f'Report #{report_id} has the population type "{defect.named[1]}", which is neither '
                "household nor geography."
            ),
            "RR005": lambda: f"Report #{report_id} is an economy report without a year.",
        }[defect.code]() + f" ({defect.code})"

    def write_state(self, kind: str, row_id: int, status: str, error: str | None = None) -> None:
        """Write the whole state of a run; only the result of a worker has an output."""
        row = self.rows[kind][row_id]
        row.status, row.output, row.error = status, None, error
        if kind == "simulation":
            row.version = self.versions[row.facts["country_id"]]["package"] or row.version

    def looks_free(self, report_id: int) -> bool:
        report, retry = self.reports[report_id], self.retries.get(report_id)
        is_waiting = retry is not None and retry.run == report.run and retry.due is None
        return not is_waiting and not any(self.is_computed(link) for link in self.links(report))

    def claim_one(self, report_id: int, country: str | None, report_type: str | None, worker: str) -> Claim | None:
        report = self.reports.get(report_id)
        if report is None or report.status != "pending" or country not in (None, report.facts["country_id"]):
            return None
        others = [
            claim
            for claim in self.claims
            if (claim.report_id, claim.run) == (report_id, report.run) and self.is_of_another_row(claim)
        ]
        for other in others:
            if other.is_open:
                self.end(other, "superseded", counts=False)
        if others:
            report.run = report.holds = self.first_run("report", report_id)
        if self.holder(report_id) is not None or not self.looks_free(report_id):
            return None
        first = self.simulations.get(report.facts["simulation_1_id"])
        if (
            first is not None
            and first.facts["country_id"] == report.facts["country_id"]
            and report_type not in (None, first.facts["population_type"])
        ):
            return None
        message = self.defect_message(report_id)
        if message is not None:
            self.write_state("report", report_id, "error", message)
            return None
        attempts = [claim.attempt for claim in self.claims if (claim.report_id, claim.run) == (report_id, report.run)]
        simulations = {
            link: Given(self.simulations[link].run, self.simulations[link].status not in ("complete", "error"))
            for link in self.links(report)
        }
        made = Claim(
            report_id, report.facts["country_id"], report.run, 1 + max(attempts, default=0), worker, simulations
        )
        self.claims.append(made)
        self.retries.pop(report_id, None)
        self.write_state("report", report_id, "running")
        for link, given in simulations.items():
            if given.computes:
                self.write_state("simulation", link, "running")
        return made

    def claim(
        self,
        worker: str,
        country: str | None,
        report_type: str | None,
        report_id: int | None,
        max_reports: int,
        lapsed: list[int],
    ) -> list[Claim]:
        """Claim reports; ``lapsed`` are the claims that are over, in the order in which their leases ended."""
        self.require_country(country)
        if report_id is not None:
            self.row("report", report_id, country)
        for number in lapsed[:SWEPT]:
            self.end_lost(self.claims[number])
        if report_id is not None:
            one = self.claim_one(report_id, country, report_type, worker)
            return [] if one is None else [one]

        made: list[Claim] = []
        due = sorted((retry.due, which) for which, retry in self.retries.items() if retry.due is not None)[:DUE]
        for _, which in due:
            run = self.retries[which].run
            found = self.claim_one(which, country, report_type, worker)
            if found is not None:
                made.append(found)
                if len(made) == max_reports:
                    return made
            elif (row := self.reports.get(which)) is None or row.run != run or row.status != "pending":
                del self.retries[which]
        for which in sorted(self.reports):
            first = self.simulations.get(self.reports[which].facts["simulation_1_id"])
            if report_type is not None and first is not None and first.facts["population_type"] != report_type:
                continue
            if not self.looks_free(which):
                continue
            found = self.claim_one(which, country, report_type, worker)
            if found is not None:
                made.append(found)
                if len(made) == max_reports:
                    return made
        return made

    # --- the end of a claim ---

    def end(self, claim: Claim, ended_as: str, *, counts: bool = True, kept: Iterable[int] = ()) -> None:
        claim.ended_as, claim.counts = ended_as, counts
        for link, given in claim.simulations.items():
            row = self.simulations.get(link)
            is_left = given.is_open and given.computes and link not in kept
            if is_left and row is not None and (row.run, row.status) == (given.run, "running"):
                self.write_state("simulation", link, "pending")
            given.is_open = False

    def end_claims(self, report_ids: Iterable[int], simulation_ids: Iterable[int] = ()) -> None:
        reports, reset = set(report_ids), set(simulation_ids)
        for claim in self.claims:
            if not claim.is_open:
                continue
            relies = any(given.is_open and link in reset for link, given in claim.simulations.items())
            if claim.report_id in reports and claim.is_cancelled:
                self.end_lost(claim)
            elif claim.report_id in reports:
                self.end(claim, "superseded", counts=False, kept=reset)
            elif relies:
                if not claim.is_revoked:
                    claim.is_revoked, claim.counts, claim.is_over = True, False, True
                for link in reset & set(claim.simulations):
                    claim.simulations[link].is_open = False

    def make_claimable(self, report_id: int, run: int, *, retries: bool = False, at_once: bool = False) -> None:
        self.write_state("report", report_id, "pending")
        if retries:
            self.clock += 1
            self.retries[report_id] = Retry(run, (1, self.clock) if at_once else None)

    def end_lost(self, claim: Claim) -> Swept:
        report = self.reports.get(claim.report_id)
        if report is None or report.run != claim.run or report.status in ("complete", "error"):
            self.end(claim, "superseded", counts=False)
        elif claim.is_cancelled:
            self.end(claim, "cancelled", counts=False)
            self.cancel_row(claim.report_id, claim.reason)
        elif claim.is_revoked:
            self.end(claim, "superseded", counts=False)
            self.make_claimable(claim.report_id, claim.run)
        else:
            self.end(claim, "lost")
            losses = sum(
                (other.report_id, other.run, other.ended_as, other.counts) == (claim.report_id, claim.run, "lost", True)
                for other in self.claims
            )
            if self.when_lost == "fail" or losses >= self.lost_attempts:
                attempts = f"{losses} attempt" + "s" * (losses != 1)
                self.write_state(
                    "report",
                    claim.report_id,
                    "error",
                    f"The workers that computed this report were lost: {attempts}, the last one was {claim.worker}.",
                )
            else:
                self.make_claimable(claim.report_id, claim.run, retries=losses > 1)
        now = self.reports.get(claim.report_id)
        return Swept(claim.report_id, str(claim.ended_as), None if now is None else now.status)

    # --- what a worker says ---

    def heartbeat(self, number: int, progress: float | None, message: str | None) -> bool:
        """The worker is alive; returns whether it is to stop."""
        if progress is not None and not 0 <= progress <= 1:
            raise Refused("RR016")
        claim = self.known_claim(number)
        if not claim.is_open or claim.is_revoked:
            self.require_held(number)
        claim.is_over = claim.is_over and claim.is_cancelled
        claim.progress = claim.progress if progress is None else progress
        claim.message = claim.message if message is None else message
        return claim.is_cancelled

    def finish_report(self, number: int, output: str) -> None:
        if output == "null":
            raise Refused("RR016")
        self.update("report", self.known_claim(number).report_id, None, "complete", output, None, None, number)

    def fail_report(self, number: int, error_message: str, retry: str | None) -> None:
        if not error_message.strip():
            raise Refused("RR016")
        report_id = self.known_claim(number).report_id
        if retry is None:
            self.update("report", report_id, None, "error", None, error_message, None, number)
        else:
            self.give_back(number, "error", retries=True, at_once=retry == "0")

    def give_back(self, number: int, ended_as: str, *, retries: bool = False, at_once: bool = False) -> None:
        claim = self.known_claim(number)
        self.require_held(number)
        report = self.reports.get(claim.report_id)
        if report is None:
            self.end(claim, "superseded", counts=False)
            return
        if report.run != claim.run:
            raise Refused("RR011")
        self.end(claim, ended_as, counts=ended_as != "released")
        if report.status not in ("complete", "error"):
            self.make_claimable(claim.report_id, claim.run, retries=retries, at_once=at_once)

    def release(self, number: int) -> None:
        claim = self.known_claim(number)
        if claim.ended_as == "released":
            return
        if claim.is_open and claim.is_cancelled:
            self.end_lost(claim)
        else:
            self.give_back(number, "released")

    # --- what an operator says ---

    def cancel_row(self, report_id: int, reason: str | None) -> None:
        text = "The run was cancelled" + (f": {reason.rstrip('.')}" if reason is not None else "") + "."
        self.write_state("report", report_id, "error", text)
        self.retries.pop(report_id, None)

    def cancel_run(self, report_id: int, reason: str | None, country: str | None) -> dict[str, object]:
        self.require_country(country)
        report = self.row("report", report_id, country)
        known = [
            act for act in self.acts if (act.kind, act.report_id, act.of_run) == ("cancel_run", report_id, report.run)
        ]
        if report.status in ("complete", "error"):
            if not known:
                raise Refused("RR020", f"Report #{report_id}", report.status)
        else:
            if not known:
                self.acts.append(Act("cancel_run", False, report_id, report.facts["country_id"], of_run=report.run))
            held = self.holder(report_id)
            if held is None:
                self.cancel_row(report_id, reason)
            else:
                if not held.is_cancelled:
                    held.is_cancelled, held.reason = True, reason
                if held.is_over:
                    self.end_lost(held)
        return {"run_sequence": report.run, "status": report.status}

    def stuck(self, country: str | None) -> set[int]:
        """Reports that are running, and nobody holds them."""
        return {
            report_id
            for report_id, row in self.reports.items()
            if row.status == "running" and self.holder(report_id) is None and country in (None, row.facts["country_id"])
        }

    def release_stuck(self, report_ids: Iterable[int]) -> None:
        for report_id in report_ids:
            report = self.reports[report_id]
            for link in sorted(self.links(report)):
                row = self.simulations.get(link)
                if self.is_waiting_for_nobody(row, report, link):
                    self.write_state("simulation", link, "pending")
            self.make_claimable(report_id, report.run)
            self.acts.append(Act("release_run", False, report_id, report.facts["country_id"], of_run=report.run))

    def is_waiting_for_nobody(self, row: Row | None, report: Row, link: int) -> bool:
        return (
            row is not None
            and row.facts["country_id"] == report.facts["country_id"]
            and row.status == "running"
            and not self.is_computed(link)
        )

    # --- what must hold whatever was called ---

    def check(self) -> None:
        """What can be told of the model without the database."""
        held = [claim.report_id for claim in self.claims if claim.is_open]
        assert len(held) == len(set(held)), "a report is held by two"
        computed = [
            link
            for claim in self.claims
            for link, given in claim.simulations.items()
            if given.is_open and given.computes
        ]
        assert len(computed) == len(set(computed)), "a simulation is computed by two"
        for claim in self.claims:
            assert claim.is_open or not any(given.is_open for given in claim.simulations.values())
