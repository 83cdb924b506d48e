"""Random sequences of everything that one can do, on a database and on a model of it in Python.

After each step the whole state of both is compared: the three tables, the history, the archive byte for byte, run
numbers, who has claimed what, what can be asked, and what a refused call said. PGREPRISE_MODEL_EXAMPLES=5000 tries
more, and other ones each time; PGREPRISE_MODEL_STEPS makes them longer.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable
from typing import Any
from unittest.mock import ANY
from uuid import UUID

import psycopg
import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as some
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule, run_state_machine_as_test
from psycopg.rows import tuple_row
from psycopg.types.json import Jsonb

from tests.support.databases import Connection
from tests.support.factories import add_reform_impact, add_report, add_simulation
from tests.support.reference import CACHE_KEY, STATUSES, Act, Batch, Refused, Row
from tests.support.reference_claims import Claim, ModelWithClaims

EXAMPLES = os.environ.get("PGREPRISE_MODEL_EXAMPLES")
STEPS = int(os.environ.get("PGREPRISE_MODEL_STEPS", "40"))

# ca has no current versions at all.
VERSIONS: dict[str, dict[str, str | None]] = {
    "us": {"economy_impact": "e1", "report_output": "r1", "package": "p1"},
    "uk": {"economy_impact": "e1", "report_output": "r1", "package": None},
    "ca": {"economy_impact": None, "report_output": None, "package": None},
}
# What a copy of JSON would lose: spaces, the order of keys, keys given twice, digits, escapes; one is too large for its
# row.
OUTPUTS = (
    '{"b": 1,  "a":[1,2 ,3]}',
    '{"a":1,"a":2}',
    ' "\\u00e9 \u2603"\n',
    "[1.10, 1e3, -0]",
    "null",
    json.dumps({"large": [place * place for place in range(4000)]}),
)


def output(number: int) -> str:
    return OUTPUTS[number]


# By number, so that a failing example stays readable.
SOME_OUTPUT = some.integers(0, len(OUTPUTS) - 1).map(output)

FROM_EMPTY = """
  truncate public.report_outputs, public.simulations, public.reform_impact, pgreprise.simulation_key,
    pgreprise.report_key, pgreprise.rerun, pgreprise.rerun_key, pgreprise.report_run, pgreprise.simulation_run,
    pgreprise.reform_impact_archive, pgreprise.restored_run, pgreprise.rerun_batch, pgreprise.rerun_batch_item,
    pgreprise.rerun_batch_simulation, pgreprise.rerun_batch_cache_key, pgreprise.claim, pgreprise.claim_simulation,
    pgreprise.retry, pgreprise.claim_position, pgreprise.run_time restart identity;
  update pgreprise.rerun_feed_counter set last_position = 0;
  update pgreprise.setting set archive_outputs = true, allow_unfinish = false, require_claim = 'off',
    when_lost = 'retry', lost_attempts = 3, retry_wait = '1 hour';
  delete from pgreprise.country where country_id not in ('us', 'uk', 'ca');
  update pgreprise.country
     set economy_impact_version = case when country_id <> 'ca' then 'e1' end,
         report_output_version = case when country_id <> 'ca' then 'r1' end,
         package_version = case when country_id = 'us' then 'p1' end;
"""
IMPACT = (
    *("reform_impact_id", *CACHE_KEY, "options_hash", "api_version", "status", "message", "execution_id"),
    *("options_json", "reform_impact_json", "start_time", "end_time"),
)
IMPACT_COLUMNS = ", ".join(
    f"{{0}}.{name}::text" if name in ("options_json", "reform_impact_json", "start_time") else f"{{0}}.{name}"
    for name in IMPACT
)

# Names of queries and what they read; a row is keyed by its first column.
STATE = {
    "report": "select id, country_id, simulation_1_id, simulation_2_id, year, api_version, status, "
    "output::text, error_message, run_sequence from public.report_outputs",
    "simulation": "select id, country_id, population_id, population_type, policy_id, api_version, status, "
    "output::text, error_message, run_sequence from public.simulations",
    "impacts": f"select {IMPACT_COLUMNS.format('impact')} from public.reform_impact as impact",  # noqa: S608
    "report runs": "select report_id, run_sequence, api_version, status, output::text, had_output, error_message "
    "from pgreprise.report_run",
    "simulation runs": "select simulation_id, run_sequence, api_version, status, output::text, had_output, "
    "error_message from pgreprise.simulation_run",
    "archived impacts": f"select act.rerun_id, {IMPACT_COLUMNS.format('kept')} "  # noqa: S608
    "from pgreprise.reform_impact_archive as kept left join pgreprise.rerun as act "
    "on act.removal_id = kept.removal_id and kept.reform_impact_id = any (act.reform_impact_ids)",
    "acts": "select rerun_id, kind, report_id, country_id, report_type, run_sequence, of_run, simulation_ids, "
    "simulation_run_sequences, reform_impact_ids, batch_id, idempotency_key, is_archived, undoes, undone_by, "
    "undone_at is not null, purged_at is not null, array(select concat_ws('|', scope ->> 'country_id', "
    "scope ->> 'baseline_policy_id', scope ->> 'reform_policy_id', scope ->> 'region', scope ->> 'dataset', "
    "scope ->> 'time_period', scope ->> 'api_version') from jsonb_array_elements(cache_scopes) as scope) "
    "from pgreprise.rerun",
    "restored": "select row_kind, row_id, run_sequence, restores_run from pgreprise.restored_run",
    "keys": "select idempotency_key, target_id as report_id, made_id as rerun_id from pgreprise.rerun_key",
    "batches": "select id, reports, rerun, refused, remaining, finished_at is not null, state from rerun_batches()",
    "items": "select batch_id, report_id, case state when 'refused' then errcode else state end "
    "from pgreprise.rerun_batch_item",
    "batch simulations": "select batch_id, simulation_id, api_version from pgreprise.rerun_batch_simulation",
    "batch keys": "select batch_id, country_id, baseline_policy_id, reform_policy_id, region, dataset, time_period, "
    "api_version from pgreprise.rerun_batch_cache_key",
    "history": "select report.id, run.run_sequence, run.is_current, run.api_version, run.status, output.output::text, "
    "run.had_output, run.error_message, run.started_by, run.rerun_id, run.restores_run, run.undone_by, "
    "run.purged_at is not null, run.idempotency_key, run.batch_id, run.economy_cache_rows_deleted, "
    "run.has_output = (output.output is not null) and output.had_output = run.had_output "
    "and output.status in (run.status, case run.status when 'cancelled' then 'error' end) "
    "and output.error_message is not distinct from run.error_message "
    "and output.is_current = run.is_current "
    "from public.report_outputs as report, report_history(report.id) as run, "
    "report_run_output(report.id, run.run_sequence) as output",
    "settings": "select value from settings() where name = 'archive_outputs'",
    "claims": "select claim_id, report_id, country_id, run_sequence, attempt, worker, progress, message, "
    "ended_at is null and lease_until < clock_timestamp(), cancel_requested_at is not null, revoked_at is not null, "
    "ended_as, ended_at is not null, counts from pgreprise.claim",
    "claimed simulations": "select claim_id, simulation_id, run_sequence, computes, open, finished_at is not null "
    "from pgreprise.claim_simulation",
    "retries": "select report_id, run_sequence, retry_at <= clock_timestamp() from pgreprise.retry",
}


class Calls(RuleBasedStateMachine):
    """Each rule is a call; ``both`` makes it on the model and on the database."""

    connection: Connection

    def __init__(self) -> None:
        super().__init__()
        self.connection.execute(FROM_EMPTY)
        self.model = ModelWithClaims({country: dict(versions) for country, versions in VERSIONS.items()})
        # The database's id of each of the model's acts, and of its claims.
        self.act_ids: list[int] = []
        self.claim_ids: list[UUID] = []
        self.fed: list[int] = []
        self.fed_until = 0

    # --- the whole state of both ---

    def expected(self) -> dict[str, list[tuple[Any, ...]]]:
        model, ids = self.model, self.act_ids

        def act_id(number: int | None) -> int | None:
            return None if number is None else ids[number]

        def runs(kind: str) -> list[tuple[Any, ...]]:
            return [(row_id, run, *ended) for (of, row_id, run), ended in model.ended.items() if of == kind]

        def stored(rows: dict[int, Row]) -> list[tuple[Any, ...]]:
            return [
                (row_id, *row.facts.values(), row.version, row.status, row.output, row.error, row.run)
                for row_id, row in rows.items()
            ]

        return {
            "report": stored(model.reports),
            "simulation": stored(model.simulations),
            "impacts": [tuple(impact.values()) for impact in model.impacts.values()],
            "report runs": runs("report"),
            "simulation runs": runs("simulation"),
            "archived impacts": [
                (ids[number], *impact.values())
                for number, act in enumerate(model.acts)
                for impact in act.kept_impacts.values()
            ],
            "acts": [
                (
                    *(ids[number], act.kind, act.report_id, act.country, act.report_type, act.run, act.of_run),
                    *([link for link, _ in act.started], [run for _, run in act.started], act.removed),
                    *(act.batch, act.key, act.archived, act_id(act.undoes), act_id(act.undone_by)),
                    *(act.undone_by is not None, act.purged),
                    ["|".join(map(str, scope)) for scope in act.scopes],
                )
                for number, act in enumerate(model.acts)
            ],
            "restored": [(*which, run) for which, run in model.restored.items()],
            "keys": [(key, report_id, ids[number]) for key, (report_id, number) in model.keys.items()],
            "batches": [
                (
                    *(batch_id, len(batch.items), batch.count("rerun"), batch.refused, batch.count("pending")),
                    *(batch.count("pending") == 0, model.batch_state(batch_id)),
                )
                for batch_id, batch in model.batches.items()
            ],
            "items": [(batch_id, *item) for batch_id, batch in model.batches.items() for item in batch.items.items()],
            "batch simulations": [
                (batch_id, *done) for batch_id, batch in model.batches.items() for done in batch.simulations
            ],
            "batch keys": [(batch_id, *key) for batch_id, batch in model.batches.items() for key in batch.cache_keys],
            "history": [
                (report_id, *run[:8], act_id(run[8]), run[9], act_id(run[10]), *run[11:], True)
                for report_id in model.reports
                for run in model.history(report_id)
            ],
            "settings": [("on" if model.keeps_outputs else "off",)],
            "claims": [
                (
                    *(self.claim_ids[number], claim.report_id, claim.country, claim.run, claim.attempt, claim.worker),
                    *(claim.progress, claim.message, claim.is_open and claim.is_over),
                    *(claim.is_cancelled, claim.is_revoked, claim.ended_as, not claim.is_open, claim.counts),
                )
                for number, claim in enumerate(model.claims)
            ],
            "claimed simulations": [
                (self.claim_ids[number], link, given.run, given.computes, given.is_open, given.is_finished)
                for number, claim in enumerate(model.claims)
                for link, given in claim.simulations.items()
            ],
            "retries": [(report_id, retry.run, retry.due is not None) for report_id, retry in model.retries.items()],
        }

    def state(self) -> dict[str, list[tuple[Any, ...]]]:
        with self.connection.pipeline():
            cursors = {
                name: self.connection.cursor(row_factory=tuple_row).execute(query) for name, query in STATE.items()
            }
            return {name: cursor.fetchall() for name, cursor in cursors.items()}

    def compare(self) -> None:
        found = {name: sorted(rows, key=repr) for name, rows in self.state().items()}
        self.act_ids = sorted(row[0] for row in found["acts"])
        assert len(self.act_ids) == len(self.model.acts)
        expected = {name: sorted(rows, key=repr) for name, rows in self.expected().items()}
        for name in STATE:
            assert found[name] == expected[name], name
        self.model.check()

    def both(
        self,
        model: Callable[[], Any],
        statement: str,
        *arguments: Any,
        learns: Callable[[Any], None] = lambda _: None,
    ) -> tuple[Any, Any]:
        """What a call gives on the model and in the database; both refuse it or neither.

        ``learns`` takes from what the database gives what the model cannot know.
        """
        try:
            expected, refused = model(), None
        except Refused as refusal:
            expected, refused = None, refusal
        try:
            row = self.connection.execute(statement, arguments).fetchone()
            given, said = row and next(iter(row.values())), None
        except psycopg.Error as error:
            given, said = None, error.diag
        assert (said and said.sqlstate) == (refused and refused.code), said and said.message_primary
        if refused is not None and said is not None:
            for named in refused.named:
                assert named in str(said.message_primary)
            if refused.code == "RR010":
                assert str(said.message_primary).count(";") == len(refused.named) - 1
        if refused is None:
            learns(given)
        self.compare()
        return expected, given

    # --- rows ---

    def simulation(self, country: str, population: str, kind: str, policy: int, by_host: bool) -> int:
        """A simulation of a key, made by the routine or, where that would refuse, by the host."""
        facts = {"country_id": country, "population_id": population, "population_type": kind, "policy_id": policy}
        newest = self.model.newest("simulation", None, **facts)
        if by_host:
            made = add_simulation(self.connection, **facts, api_version="0", status="pending", output=None)
            self.model.simulations[made] = Row(facts, "0")
        else:
            package = self.model.versions[country]["package"]
            row = self.connection.execute(
                "select (found.stored).id, found.created from get_or_create_simulation(%s, %s, %s, %s) as found",
                (country, population, kind, policy),
            ).fetchone()
            assert row is not None
            assert row["created"] == (newest is None)
            made = row["id"]
            if newest is None:
                run = self.model.first_run("simulation", made)
                self.model.simulations[made] = Row(facts, str(package), run=run, holds=run)
            else:
                assert made == newest
        return made

    def report(self, first: int, second: int | None, year: str) -> int:
        country = self.model.simulations[first].facts["country_id"]
        facts = {"country_id": country, "simulation_1_id": first, "simulation_2_id": second, "year": year}
        version = str(self.model.versions[country]["report_output"])
        newest = self.model.newest("report", version, **facts)
        row = self.connection.execute(
            "select (found.stored).id, found.created "
            "from get_or_create_report(%s, %s::bigint, %s::bigint, %s) as found",
            (country, first, second, year),
        ).fetchone()
        assert row is not None
        assert row["created"] == (newest is None)
        if newest is None:
            run = self.model.first_run("report", row["id"])
            self.model.reports[row["id"]] = Row(facts, version, run=run, holds=run)
        else:
            assert row["id"] == newest
        return int(row["id"])

    @initialize()
    def some_reports(self) -> None:
        first, second, third = (self.simulation("us", "state/ny", "geography", policy, False) for policy in (1, 2, 3))
        household = self.simulation("us", "7", "household", 1, False)
        for links in ((first, second), (second, first), (first, None), (second, third), (household, None)):
            self.report(*links, "2025")
        for policies, status in (((1, 2), "ok"), ((2, 1), "ok"), ((1, 2), "computing"), ((2, 1), "error")):
            self.cache_row("us", *policies, "state/ny", "default", "2025", "[]", "e1", status, OUTPUTS[0])
        # Everything has been computed once.
        for kind, table in (("report", "report_outputs"), ("simulation", "simulations")):
            for row_id, row in self.model.rows[kind].items():
                row.status, row.output = "complete", OUTPUTS[row_id % len(OUTPUTS)]
                self.connection.execute(
                    f"update public.{table} set status = 'complete', output = %s where id = %s",  # noqa: S608
                    (row.output, row_id),
                )
        self.batch({"year": "2025"}, list(self.model.reports))
        self.compare()

    def batch(self, condition: dict[str, Any], found: list[int]) -> None:
        row = self.connection.execute("select create_rerun_batch(%s) as id", (Jsonb(condition),)).fetchone()
        assert row is not None
        self.model.batches[row["id"]] = Batch(dict.fromkeys(found, "pending"))

    def cache_row(self, *values: Any) -> None:
        *key, options_hash, version, status, output = values
        impact = dict(zip(CACHE_KEY, key, strict=True))
        impact |= {"options_hash": options_hash, "api_version": version, "status": status}
        further = {"message": None, "execution_id": "job", "options_json": '{ "a":1}', "reform_impact_json": output}
        made = add_reform_impact(self.connection, **impact, **further, start_time="2026-04-01 00:01:00.25")
        row = impact | further | {"start_time": "2026-04-01 00:01:00.25", "end_time": None, "reform_impact_id": made}
        self.model.impacts[made] = {name: row[name] for name in IMPACT}

    def known(self, data: some.DataObject, ids: Iterable[int], label: str) -> int:
        """One of these ids, now and then one that does not exist."""
        return data.draw(some.sampled_from([*list(ids) * 3, 999]), label)

    def any_row(self, data: some.DataObject, kind: str) -> int:
        return self.known(data, self.model.rows[kind], kind)

    # --- rules: who creates and computes ---

    @rule(
        data=some.data(),
        key=some.tuples(
            some.sampled_from(["us", "us", "uk"]),
            some.sampled_from(["state/ny", "state/ca"]),
            some.sampled_from(["geography", "geography", "household"]),
            some.integers(1, 3),
        ),
        year=some.sampled_from(["2025", "2025", "2026"]),
    )
    def somebody_asks_for_a_report(self, data: some.DataObject, key: tuple[str, str, str, int], year: str) -> None:
        self.create_simulation(key)
        self.create_report(data, year)

    def create_simulation(self, key: tuple[str, str, str, int]) -> None:
        self.simulation(*key, by_host=self.model.versions[key[0]]["package"] is None)
        self.compare()

    def create_report(self, data: some.DataObject, year: str) -> None:
        known = self.model.simulations
        first = data.draw(some.sampled_from([link for link in known if known[link].facts["country_id"] != "ca"]))
        like = known[first].facts
        fitting = [
            link
            for link in known
            if all(known[link].facts[name] == like[name] for name in ("country_id", "population_type"))
        ]
        if like["population_type"] in ("household", "geography"):
            self.report(first, data.draw(some.sampled_from([None, *fitting])), year)
            self.compare()

    @rule(
        data=some.data(),
        defect=some.sampled_from(["missing", "country", "mismatch", "type", "year", "version"]),
    )
    def the_host_inserts_a_report_that_cannot_be_rerun(self, data: some.DataObject, defect: str) -> None:
        first: int = data.draw(some.sampled_from(sorted(self.model.simulations)))
        second, year, country = None, "2025", self.model.simulations[first].facts["country_id"]
        match defect:
            case "missing":
                first, second = data.draw(some.sampled_from([(first, 998), (998, first), (998, None)]))
            case "country":
                country = "uk"
            case "mismatch":
                second = self.simulation(country, "8", "household", 2, by_host=True)
            case "type":
                first = self.simulation(country, "9", "city", 2, by_host=True)
            case "year":
                year = data.draw(some.sampled_from([None, "", " "]))
            case "version":
                country = "ca"
                first = self.simulation(country, "state/ny", "geography", 1, by_host=True)
        facts = {"country_id": country, "simulation_1_id": first, "simulation_2_id": second, "year": year}
        made = add_report(
            self.connection,
            first,
            second,
            country_id=country,
            year=year,
            api_version="r0",
            status="pending",
            output=None,
        )
        self.model.reports[made] = Row(facts, "r0")
        self.compare()

    @rule(data=some.data(), dataset=some.sampled_from(["default", "default", "other"]))
    def the_economy_service_stores_a_result(self, data: some.DataObject, dataset: str) -> None:
        economy = [
            report
            for report_id, report in self.model.reports.items()
            if self.model.defect(report_id) is None and self.model.report_type(report) == "geography"
        ]
        if not economy:
            return
        report = data.draw(some.sampled_from(range(len(economy))), "report")
        country, baseline, reform, region, _, year, version = self.model.cache_key(economy[report])
        plain = f"[dataset={dataset}&model_version=1&runtime_app_name=a]"
        self.cache_row(
            *(country, baseline, reform, region, dataset, year),
            data.draw(some.sampled_from(["[]", "[]", "[]", None, plain, "[cliffs=true]"]), "options_hash"),
            data.draw(some.sampled_from([version, version, "e0"]), "api_version"),
            data.draw(some.sampled_from(["ok", "computing", "error"]), "status"),
            data.draw(SOME_OUTPUT, "result"),
        )
        self.compare()

    def write(
        self,
        kind: str,
        row_id: int,
        run: int | None,
        country: str | None,
        *values: str | None,
        claim: int | None = None,
    ) -> None:
        self.both(
            lambda: self.model.update(kind, row_id, country, *values, run, claim),
            f"select from update_{kind}(%s, country_id => %s, status => %s, output => %s::json, error_message => %s, "
            "run_sequence => %s::integer, claim_id => %s)",
            *(row_id, country, *values, run, None if claim is None else self.claim_id(claim)),
        )

    @rule(
        data=some.data(),
        kind=some.sampled_from(["report", "simulation"]),
        values=some.one_of(
            some.just(("running", None, None)),
            some.tuples(some.just("complete"), SOME_OUTPUT, some.none()),
            some.just(("error", None, "it failed")),
        ),
        behind=some.sampled_from([None, 0, 0, 1]),
    )
    def a_worker_writes(
        self, data: some.DataObject, kind: str, values: tuple[str | None, ...], behind: int | None
    ) -> None:
        row_id = data.draw(some.sampled_from(sorted(self.model.rows[kind])), kind)
        run = None if behind is None else self.model.rows[kind][row_id].run - behind
        self.write(kind, row_id, run, None, *values)

    @rule(
        data=some.data(),
        kind=some.sampled_from(["report", "simulation"]),
        values=some.tuples(
            some.sampled_from([None, *STATUSES, "done"]),
            some.one_of(some.none(), SOME_OUTPUT),
            some.sampled_from([None, "it failed"]),
        ),
        run=some.one_of(some.none(), some.integers(1, 4)),
        country=some.sampled_from([None, "us", "uk", "zz"]),
        is_claimed=some.booleans(),
    )
    def anybody_writes_anything(
        self,
        data: some.DataObject,
        kind: str,
        values: tuple[str | None, ...],
        run: int | None,
        country: str | None,
        is_claimed: bool,
    ) -> None:
        claim = self.any_claim(data) if is_claimed and self.model.claims else None
        row_id = self.any_row(data, kind)
        if claim is not None and claim < len(self.model.claims) and data.draw(some.booleans(), "its own row"):
            held = self.model.claims[claim]
            links = sorted(held.simulations)
            row_id = held.report_id if kind == "report" else data.draw(some.sampled_from(links), "simulation")
        self.write(kind, row_id, run, country, *values, claim=claim)

    # --- rules: workers that claim ---

    def claim_id(self, number: int) -> UUID:
        return self.claim_ids[number] if number < len(self.claim_ids) else UUID(int=number)

    def any_claim(self, data: some.DataObject) -> int:
        """Most often one that is open."""
        known = range(len(self.model.claims) + 1)
        return data.draw(some.sampled_from([*self.model.open_claims() * 4, *known]), "claim")

    def lapsed(self, country: str | None = None) -> list[int]:
        """The open claims whose lease is over, in the order in which it ended."""
        rows = self.connection.execute(
            "select claim_id from pgreprise.claim where ended_at is null and lease_until < clock_timestamp() "
            "and (%s::text is null or country_id = %s) order by lease_until, claim_id",
            (country, country),
        ).fetchall()
        return [self.claim_ids.index(row["claim_id"]) for row in rows]

    def claim(self, arguments: dict[str, Any]) -> None:
        lapsed = self.lapsed()

        def learn(given: list[list[Any]]) -> None:
            self.claim_ids += [UUID(row[0]) for row in given]

        made, given = self.both(
            lambda: self.model.claim(**{"country": None, "report_type": None, **arguments}, lapsed=lapsed),
            "select coalesce(jsonb_agg(jsonb_build_array(claim_id, report_id, country_id, run_sequence, attempt, "
            "report_type, simulations) order by place), '[]') from claim_report(%s, interval '1 day', country_id => "
            "%s, report_type => %s, report_id => %s, max_reports => %s) with ordinality as made(claim_id, report_id, "
            "country_id, run_sequence, attempt, worker, lease_until, lease_seconds_left, report_type, year, region, "
            "report_spec_json, simulations, place)",
            *(arguments["worker"], arguments.get("country"), arguments.get("report_type")),
            *(arguments["report_id"], arguments["max_reports"]),
            learns=learn,
        )
        if made is not None:
            assert [row[1:6] for row in given] == [
                [claim.report_id, claim.country, claim.run, claim.attempt, self.type_of(claim)] for claim in made
            ]
            for claim, row in zip(made, given, strict=True):
                assert [
                    (item["simulation_id"], item["run_sequence"], item["computes"], item["status"]) for item in row[6]
                ] == [
                    (link, given.run, given.computes, self.model.simulations[link].status)
                    for link, given in claim.simulations.items()
                ]

    def type_of(self, claim: Claim) -> str:
        return self.model.report_type(self.model.reports[claim.report_id])

    @rule(worker=some.sampled_from(["worker 1", "worker 2"]), max_reports=some.integers(1, 3))
    def a_worker_claims(self, worker: str, max_reports: int) -> None:
        self.claim({"worker": worker, "report_id": None, "max_reports": max_reports})

    @rule(
        data=some.data(),
        country=some.sampled_from([None, "us", "uk", "zz"]),
        report_type=some.sampled_from([None, None, "geography", "household"]),
        is_one=some.booleans(),
    )
    def a_worker_claims_what_it_wants(
        self, data: some.DataObject, country: str | None, report_type: str | None, is_one: bool
    ) -> None:
        pending = [report_id for report_id, row in self.model.reports.items() if row.status == "pending"]
        one = data.draw(some.sampled_from([*pending * 3, *self.model.reports, 999]), "report") if is_one else None
        self.claim(
            {
                "worker": "worker 3",
                "country": country,
                "report_type": report_type,
                "report_id": one,
                "max_reports": 2,
            }
        )

    @precondition(lambda self: self.model.claims)
    @rule(data=some.data(), output=SOME_OUTPUT)
    def a_worker_finishes_what_it_has_claimed(self, data: some.DataObject, output: str) -> None:
        number = self.any_claim(data)
        claim = self.model.claims[number] if number < len(self.model.claims) else None
        for link in [] if claim is None else sorted(claim.simulations):
            if claim is not None and claim.simulations[link].computes and data.draw(some.integers(0, 7), "forgets"):
                self.finish_simulation(number, link, output)
        self.finish_report(number, output)

    def finish_simulation(self, number: int, link: int, output: str) -> None:
        def finish() -> None:
            if output == "null":
                raise Refused("RR016")
            self.model.update("simulation", link, None, "complete", output, None, None, number)

        self.both(finish, "select from finish_simulation(%s, %s, %s::json)", self.claim_id(number), link, output)

    def finish_report(self, number: int, output: str) -> None:
        self.both(
            lambda: self.model.finish_report(number, output),
            "select from finish_report(%s, %s::json)",
            *(self.claim_id(number), output),
        )

    @precondition(lambda self: self.model.claims)
    @rule(
        data=some.data(),
        what=some.sampled_from(
            ["heartbeat", "simulation", "fails simulation", "fails", "tries later", "tries at once", "gives back"]
        ),
        text=some.sampled_from(["no data", "no data", "out of memory", " "]),
        progress=some.sampled_from([None, 0.0, 0.5, 1.0, 1.5]),
    )
    def a_worker_says_something(self, data: some.DataObject, what: str, text: str, progress: float | None) -> None:
        number = self.any_claim(data)
        claim_id, model = self.claim_id(number), self.model
        match what:
            case "heartbeat":
                expected, told = self.both(
                    lambda: model.heartbeat(number, progress, text),
                    "select cancel_requested from heartbeat_claim(%s, progress => %s::real, message => %s)",
                    *(claim_id, progress, text),
                )
                assert expected == told
            case "simulation" | "fails simulation":
                known = list(model.claims[number].simulations) if number < len(model.claims) else []
                link = data.draw(some.sampled_from([*known * 4, *model.simulations, 999]), "simulation")
                if what == "simulation":
                    self.finish_simulation(number, link, OUTPUTS[0])
                    return

                def fail() -> None:
                    if not text.strip():
                        raise Refused("RR016")
                    model.update("simulation", link, None, "error", None, text, None, number)

                self.both(fail, "select from fail_simulation(%s, %s, %s)", claim_id, link, text)
            case "gives back":
                self.both(lambda: model.release(number), "select from release_claim(%s)", claim_id)
            case _:
                after = {"fails": None, "tries later": "1 hour", "tries at once": "0"}[what]
                self.both(
                    lambda: model.fail_report(number, text, after),
                    "select from fail_report(%s, %s, %s::interval)",
                    *(claim_id, text, after),
                )

    @precondition(lambda self: self.model.open_claims() or self.model.retries)
    @rule(data=some.data())
    def time_passes(self, data: some.DataObject) -> None:
        """The lease of a claim is over, or the wait of a retry."""
        waiting = sorted(report_id for report_id, retry in self.model.retries.items() if retry.due is None)
        running = [number for number in self.model.open_claims() if not self.model.claims[number].is_over]
        what = data.draw(
            some.sampled_from([*(("claim", number) for number in running), *(("retry", which) for which in waiting)])
            if running or waiting
            else some.none(),
            "what",
        )
        if what is None:
            return
        self.model.clock += 1
        then = "timestamptz '2000-01-01' + %s * interval '1 s'"
        if what[0] == "claim":
            self.connection.execute(
                f"update pgreprise.claim set lease_until = {then} where claim_id = %s",  # noqa: S608
                (self.model.clock, self.claim_id(what[1])),
            )
            self.model.claims[what[1]].is_over = True
        else:
            self.connection.execute(
                f"update pgreprise.retry set retry_at = {then} where report_id = %s",  # noqa: S608
                (self.model.clock, what[1]),
            )
            self.model.retries[what[1]].due = (0, self.model.clock)
        self.compare()

    @rule(
        data=some.data(),
        reason=some.sampled_from([None, "wrong year.", "wrong year"]),
        country=some.sampled_from([None, None, None, "us", "uk", "zz"]),
    )
    def somebody_cancels_a_run(self, data: some.DataObject, reason: str | None, country: str | None) -> None:
        unfinished = [
            report_id for report_id, row in self.model.reports.items() if row.status in ("pending", "running")
        ]
        report_id = data.draw(some.sampled_from([*unfinished * 2, *self.model.reports, 999]), "report")
        expected, told = self.both(
            lambda: self.model.cancel_run(report_id, reason, country),
            "select cancel_run(%s::bigint, %s, %s)",
            *(report_id, reason, country),
        )
        if expected is not None:
            assert expected.items() <= told.items()
            assert told["cancel_requested"] == (expected["status"] not in ("complete", "error"))

    @rule(country=some.sampled_from([None, None, "us", "uk"]), dry_run=some.booleans())
    def the_dba_releases_stuck_runs(self, country: str | None, dry_run: bool) -> None:
        over = [self.model.claims[number] for number in self.lapsed(country)]
        found = self.connection.execute(
            "select report_id, worker, result from release_stuck_runs(interval '0', country_id => %s, dry_run => %s)",
            (country, dry_run),
        ).fetchall()
        expected = []
        for claim in over:
            result = "lease over"
            if not dry_run:
                swept = self.model.end_lost(claim)
                result = swept.ended_as + (f", {swept.status}" if swept.status is not None else "")
            expected.append({"report_id": claim.report_id, "worker": claim.worker, "result": result})
        assert found[: len(over)] == expected
        rest = found[len(over) :]
        assert {row["report_id"] for row in rest} == self.model.stuck(country)
        assert {row["result"] for row in rest} <= {"to be released" if dry_run else "released"}
        if not dry_run:
            self.model.release_stuck(row["report_id"] for row in rest)
        self.compare()

    # --- rules: reruns ---

    @rule(
        data=some.data(),
        country=some.sampled_from([None, None, None, None, "us", "uk", "zz"]),
        key=some.sampled_from([None, None, "a", "b", "c", "d", "e", ""]),
    )
    def rerun(self, data: some.DataObject, country: str | None, key: str | None) -> None:
        report_id = self.any_row(data, "report")
        act, result = self.both(
            lambda: self.model.rerun(report_id, country, key),
            "call rerun_report(%s::bigint, %s, %s)",
            *(report_id, country, key),
        )
        if act is not None:
            assert result == {
                "report_id": act.report_id,
                "report_type": act.report_type,
                "simulation_ids": [link for link, _ in act.started],
                "economy_cache_rows_deleted": len(act.removed),
                "cache_scopes": ANY,
                "run_sequence": act.run,
                "rerun_id": self.act_ids[self.model.acts.index(act)],
                "same_key_report_ids": ANY,
                "shown_report_id": ANY,
            }

    def check_chunk(self, acts: list[Act], refused: dict[int, str], result: dict[str, Any]) -> None:
        result.pop("same_key", None)
        # Nobody locks a row.
        assert result.pop("left", []) == []
        assert result.pop("remaining", 0) == 0
        result.pop("after", None)
        assert result == {
            "rerun": len(acts),
            "refused": len(refused),
            "simulations_reset": sum(run is not None for act in acts for _, run in act.started),
            "economy_cache_rows_deleted": sum(len(act.removed) for act in acts),
        }

    @rule(data=some.data())
    def rerun_many(self, data: some.DataObject) -> None:
        wanted = data.draw(some.lists(some.sampled_from([*self.model.reports, 999]), max_size=5), "reports")
        (acts, refused), result = self.both(
            lambda: self.model.rerun_many(wanted), "call rerun_reports(%s::bigint[])", wanted
        )
        assert {told["report_id"]: told["errcode"] for told in result["refused"]} == refused
        self.check_chunk(acts, refused, result | {"refused": len(result["refused"])})

    @rule(data=some.data())
    def create_batch(self, data: some.DataObject) -> None:
        models = self.model.reports
        condition: dict[str, Any] = data.draw(
            some.sampled_from([{"country": "us"}, {"status": ["complete", "error"]}, {"year": "2025"}, {"ids": None}])
        )
        if "ids" in condition:
            wanted = data.draw(some.lists(some.sampled_from([*models, 999]), min_size=1, max_size=6), "reports")
            condition, found = {"ids": wanted}, wanted
        elif "country" in condition:
            found = [report_id for report_id, row in models.items() if row.facts["country_id"] == "us"]
        elif "status" in condition:
            found = [report_id for report_id, row in models.items() if row.status in ("complete", "error")]
        else:
            found = [report_id for report_id, row in models.items() if row.facts["year"] == "2025"]
        self.batch(condition, found)
        self.compare()

    @precondition(lambda self: self.model.batches)
    @rule(data=some.data(), chunk_size=some.integers(1, 3))
    def run_a_chunk(self, data: some.DataObject, chunk_size: int) -> None:
        batch_id = self.known(data, self.model.batches, "batch")
        done, result = self.both(
            lambda: self.model.batch_chunk(batch_id, chunk_size),
            "select rerun_batch_chunk(%s::bigint, %s)",
            *(batch_id, chunk_size),
        )
        if done is not None:
            assert result.pop("reports") == len(done[0]) + len(done[1])
            self.check_chunk(*done, result)

    @precondition(lambda self: self.model.batches)
    @rule(data=some.data(), chunk_size=some.integers(1, 3))
    def finish_a_batch(self, data: some.DataObject, chunk_size: int) -> None:
        batch_id = self.known(data, self.model.batches, "batch")

        def finish() -> tuple[list[Act], dict[int, str]]:
            acts, refused = self.model.batch_chunk(batch_id, chunk_size)
            while self.model.batches[batch_id].count("pending"):
                more, others = self.model.batch_chunk(batch_id, chunk_size)
                acts += more
                refused |= others
            return acts, refused

        done, result = self.both(finish, "call run_rerun_batch(%s::bigint, %s)", batch_id, chunk_size)
        if done is not None:
            assert (result.pop("batch_id"), result.pop("reports")) == (batch_id, len(done[0]) + len(done[1]))
            self.check_chunk(*done, result)

    @precondition(lambda self: self.model.batches)
    @rule(data=some.data())
    def cancel_a_batch(self, data: some.DataObject) -> None:
        batch_id = self.known(data, self.model.batches, "batch")
        remaining, told = self.both(
            lambda: self.model.cancel_batch(batch_id), "select cancel_rerun_batch(%s::bigint)", batch_id
        )
        assert remaining == told

    @rule(data=some.data(), kind=some.sampled_from(["report", "simulation"]))
    def reset_alone(self, data: some.DataObject, kind: str) -> None:
        row_id = self.any_row(data, kind)
        self.both(lambda: self.model.reset_alone(kind, row_id), f"select reset_{kind}(%s)", row_id)

    @precondition(lambda self: self.model.impacts)
    @rule(
        data=some.data(),
        version=some.sampled_from([None, "e0", "e1", "e2"]),
        statuses=some.sampled_from([None, ["computing"], ["ok", "error"]]),
    )
    def delete_cache_rows(self, data: some.DataObject, version: str | None, statuses: list[str] | None) -> None:
        like = self.model.impacts[data.draw(some.sampled_from(sorted(self.model.impacts)), "like")]
        key = tuple(like[name] for name in CACHE_KEY)
        deleted, told = self.both(
            lambda: self.model.delete_impacts(key, version, statuses),
            "select delete_reform_impacts(%s, %s, %s, %s, %s, %s, api_version => %s, statuses => %s)",
            *(*key, version, statuses),
        )
        assert deleted == told

    # --- rules: undo, purge and what else happens ---

    def undo_act(self, number: int, force: bool) -> None:
        rerun_id = self.act_ids[number] if number < len(self.act_ids) else 99999
        undo, result = self.both(
            lambda: self.model.undo(number, force), "call undo_rerun(%s::bigint, force => %s)", rerun_id, force
        )
        if undo is not None:
            assert result == {
                "rerun_id": rerun_id,
                "undo_id": self.act_ids[-1],
                "report_id": undo.report_id,
                "report_type": undo.report_type,
                "simulation_ids": [link for link, _ in undo.started],
                "economy_cache_rows_restored": len(self.model.acts[number].removed),
                "cache_scopes": ANY,
                "run_sequence": undo.run,
            }

    @precondition(lambda self: self.model.undoable())
    @rule(back=some.integers(0, 2))
    def undo_one_of_the_newest(self, back: int) -> None:
        undoable = self.model.undoable()
        self.undo_act(undoable[-1 - back % len(undoable)], force=False)

    @precondition(lambda self: self.model.undoable())
    @rule(data=some.data())
    def undo_with_force(self, data: some.DataObject) -> None:
        self.undo_act(data.draw(some.sampled_from(self.model.undoable()), "act"), force=True)

    @precondition(lambda self: self.model.acts)
    @rule(data=some.data(), force=some.booleans())
    def undo_anything(self, data: some.DataObject, force: bool) -> None:
        self.undo_act(data.draw(some.integers(0, len(self.model.acts)), "act"), force)

    @precondition(lambda self: self.model.batches)
    @rule(data=some.data(), force=some.booleans(), chunk_size=some.integers(1, 3))
    def undo_a_batch(self, data: some.DataObject, force: bool, chunk_size: int) -> None:
        batch_id = self.known(data, self.model.batches, "batch")
        told, result = self.both(
            lambda: self.model.undo_batch(batch_id, force),
            "call undo_rerun_batch(%s::bigint, force => %s, chunk_size => %s)",
            *(batch_id, force, chunk_size),
        )
        assert told is None or result == {"batch_id": batch_id, "left": 0, **told}

    @rule(
        older_than=some.sampled_from(["0 days", "0 days", "1 day"]),
        keep_last=some.sampled_from([1, 1, 2, 0]),
        chunk_size=some.integers(1, 3),
    )
    def purge(self, older_than: str, keep_last: int, chunk_size: int) -> None:
        size = self.connection.execute(
            "select archived_reruns, purgeable_reruns from archive_size(%s::interval, %s)", (older_than, keep_last)
        ).fetchone()
        assert size is not None
        assert size["archived_reruns"] == sum(act.archived and not act.purged for act in self.model.acts)
        freed, result = self.both(
            lambda: self.model.purge(int(older_than[0]), keep_last),
            "call purge_runs(%s::interval, keep_last => %s, chunk_size => %s)",
            *(older_than, keep_last, chunk_size),
        )
        assert freed == result["reruns"] == size["purgeable_reruns"]

    @rule(
        data=some.data(),
        what=some.sampled_from(
            [
                *("day", "day", "archive", "unfinish", "version", "version", "report", "simulation", "impact", "empty"),
                *("claims", "claims", "lost"),
            ]
        ),
    )
    def something_else_happens(self, data: some.DataObject, what: str) -> None:
        match what:
            case "day":
                self.a_day_passes()
            case "archive":
                self.the_dba_turns_the_archive_on_or_off()
            case "unfinish":
                self.the_dba_lets_finished_runs_be_written_or_not()
            case "claims":
                self.model.require_claim = data.draw(some.sampled_from(["off", "run", "claim"]), "require_claim")
                self.set("require_claim", self.model.require_claim)
            case "lost":
                self.model.when_lost = data.draw(some.sampled_from(["retry", "retry", "fail"]), "when_lost")
                self.model.lost_attempts = data.draw(some.integers(1, 3), "lost_attempts")
                self.set("when_lost", self.model.when_lost)
                self.set("lost_attempts", str(self.model.lost_attempts))
            case "version":
                names = ["economy_impact", "economy_impact", "report_output", "package"]
                self.a_deployment_sets_a_version(
                    data.draw(some.sampled_from(names), "name"), data.draw(some.integers(1, 2), "number")
                )
            case "empty":
                self.the_host_empties_its_tables_and_ids_begin_again()
            case _:
                self.the_host_deletes_a_row(data, what)

    def set(self, name: str, value: str) -> None:
        self.connection.execute("select set_setting(%s, %s)", (name, value))
        self.compare()

    def a_day_passes(self) -> None:
        self.connection.execute("update pgreprise.rerun set created_at = created_at - interval '25 hours'")
        for act in self.model.acts:
            act.days += 1

    def the_dba_turns_the_archive_on_or_off(self) -> None:
        self.model.keeps_outputs = not self.model.keeps_outputs
        value = "on" if self.model.keeps_outputs else "off"
        self.connection.execute("select set_setting('archive_outputs', %s)", (value,))
        self.compare()

    def the_dba_lets_finished_runs_be_written_or_not(self) -> None:
        self.model.allows_unfinish = not self.model.allows_unfinish
        value = "on" if self.model.allows_unfinish else "off"
        self.connection.execute("select set_setting('allow_unfinish', %s)", (value,))
        self.compare()

    def a_deployment_sets_a_version(self, name: str, number: int) -> None:
        version = f"{name[0]}{number}"
        self.model.versions["us"][name] = version
        self.connection.execute(f"select set_cache_versions('us', {name} => %s)", (version,))
        self.compare()

    def the_host_deletes_a_row(self, data: some.DataObject, kind: str) -> None:
        known: dict[int, Any] = self.model.impacts if kind == "impact" else self.model.rows[kind]
        if len(known) < 4:
            return
        row_id = data.draw(some.sampled_from(sorted(known)), "id")
        del known[row_id]
        table, key = {
            "report": ("report_outputs", "id"),
            "simulation": ("simulations", "id"),
            "impact": ("reform_impact", "reform_impact_id"),
        }[kind]
        self.connection.execute(f"delete from public.{table} where {key} = %s", (row_id,))  # noqa: S608
        self.compare()

    def the_host_empties_its_tables_and_ids_begin_again(self) -> None:
        self.connection.execute(
            "truncate public.report_outputs, public.simulations restart identity; delete from public.reform_impact"
        )
        for known in (self.model.reports, self.model.simulations, self.model.impacts):
            known.clear()
        self.some_reports()

    # --- rules: who only looks ---

    @rule(data=some.data(), max_rows=some.integers(1, 4))
    def somebody_looks(self, data: some.DataObject, max_rows: int) -> None:
        self.preview(data)
        self.a_consumer_reads_the_feed(max_rows)

    def preview(self, data: some.DataObject) -> None:
        report_id = self.any_row(data, "report")
        expected, told = self.both(
            lambda: self.model.preview(report_id),
            "select array_agg(jsonb_build_array(kind, id, status, output_bytes, shared_with, errcode)) "
            "from rerun_preview(%s) where action not like 'kept: %%'",
            report_id,
        )
        assert expected is None or [list(row) for row in expected] == told

    def a_consumer_reads_the_feed(self, max_rows: int) -> None:
        read = self.connection.execute("select * from rerun_feed(%s, %s)", (self.fed_until, max_rows)).fetchall()
        assert len(read) == min(max_rows, len(self.act_ids) - len(self.fed))
        for row in read:
            act = self.model.acts[self.act_ids.index(row["rerun_id"])]
            assert (row["kind"], row["report_id"], row["run_sequence"]) == (
                *(act.kind, act.report_id),
                act.run if act.of_run is None else act.of_run,
            )
            assert list(zip(row["simulation_ids"], row["simulation_run_sequences"], strict=True)) == act.started
            assert row["undone"] == (act.undone_by is not None)
        self.fed += [row["rerun_id"] for row in read]
        self.fed_until = read[-1]["feed_position"] if read else self.fed_until
        assert self.fed == self.act_ids[: len(self.fed)]
        self.compare()


@pytest.mark.parametrize("part", [0, pytest.param(1, marks=pytest.mark.needs("time"))])
def test_any_sequence_of_calls_does_what_the_model_says(dba: Connection, part: int) -> None:
    chosen = settings(
        max_examples=int(EXAMPLES or 25),
        stateful_step_count=STEPS,
        deadline=None,
        database=None,
        derandomize=EXAMPLES is None,
        phases=[Phase.generate, Phase.shrink],
        suppress_health_check=list(HealthCheck),
    )
    # Another class has another seed.
    machine = type(f"Calls{part}", (Calls,), {"connection": dba})
    run_state_machine_as_test(machine, settings=chosen)
