"""The application's own tables of runs: what reruns, resets, undos and updates write there."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from pytest_postgresql.janitor import DatabaseJanitor
from sqlalchemy import URL

from pyapi.schema.run_tables import attach_run_tables, create_run_tables
from tests.support.claims import age, claim, claims, finish
from tests.support.databases import Connection, engine
from tests.support.databases import connect as connect_to
from tests.support.factories import VERSIONS, add_reform_impact, add_report, add_simulation, set_versions
from tests.support.refusals import refusal
from tests.support.snapshots import everything, snapshot, texts, without_runs
from tests.support.statements import newest_act, one, rerun, undo

OLD = "2026-08-14 15:17:37"
TABLES = ("report_outputs", "simulations", "report_output_runs", "simulation_runs", "reform_impact")


@pytest.fixture(scope="module")
def with_run_tables(server: URL, new_database: Callable[..., DatabaseJanitor], template: str) -> Iterator[str]:
    """The name of a database whose application has tables of runs."""
    with new_database(template) as made:
        with engine(server.set(database=made.dbname)).begin() as connection:
            create_run_tables(connection)
        yield made.dbname


@pytest.fixture
def host(server: URL, new_database: Callable[..., DatabaseJanitor], with_run_tables: str) -> Iterator[Connection]:
    """Such a database of the test's own."""
    with new_database(with_run_tables) as made, connect_to(server.set(database=made.dbname)) as connection:
        set_versions(connection)
        yield connection


class Host:
    """A complete report of two simulations as the application has stored it, each at its run 1."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        first, second = (add_simulation(connection, policy_id=policy) for policy in (2, 3))
        self.report = add_report(
            connection, first, second, api_version="r-old", report_kind="economy_comparison",
            report_spec_json={"dataset": "default", "region": "state/ny"}, report_spec_schema_version=1,
        )  # fmt: skip
        self.simulations = [first, second]
        self.impact = add_reform_impact(connection)
        self.run = self.add_run("report_output", self.report)
        for simulation in self.simulations:
            self.add_run("simulation", simulation)

    def add_run(self, kind: str, row_id: int, sequence: int = 1, status: str = "complete") -> str:
        run = f"{kind[:6]:-<8}-{row_id:04}-{sequence:04}".ljust(36, "0")
        parent = "report_outputs" if kind == "report_output" else "simulations"
        finished = status in ("complete", "error")
        self.connection.execute(
            f"insert into public.{kind}_runs (id, {kind}_id, run_sequence, status, output, trigger_type, "  # noqa: S608
            f"requested_at, started_at, finished_at) select %s, id, %s, %s, output, 'initial', %s, %s, %s "
            f"from public.{parent} where id = %s",
            (run, sequence, status, OLD, OLD, OLD if finished else None, row_id),
        )
        pointer = "latest_successful_run_id" if status == "complete" else "active_run_id"
        self.connection.execute(
            f"update public.{parent} set {pointer} = %s where id = %s",  # noqa: S608
            (run, row_id),
        )
        return run

    def runs(self, kind: str = "report_output", row_id: int | None = None) -> list[dict[str, Any]]:
        return self.connection.execute(
            f"select *, output::text as output from public.{kind}_runs where {kind}_id = %s "  # noqa: S608
            "order by run_sequence",
            (self.report if row_id is None else row_id,),
        ).fetchall()

    def stored(self) -> dict[str, Any]:
        return one(self.connection, "select * from public.report_outputs where id = %s", self.report)

    def state(self) -> dict[str, Any]:
        return without_run_numbers(self.connection)


def without_run_numbers(connection: Connection) -> dict[str, Any]:
    """Every row of the host, without our numbers of its runs."""
    found = {}
    for table in TABLES:
        rows = connection.execute(f"select to_jsonb(entry) as entry from public.{table} as entry").fetchall()  # noqa: S608
        entries = [row["entry"] for row in rows]
        if table in ("report_outputs", "simulations"):
            for entry in entries:
                del entry["run_sequence"]
        found[table] = sorted(entries, key=str)
    return found


@pytest.fixture
def stored(host: Connection) -> Host:
    return Host(host)


ACTS = {
    "one": "call rerun_report({report})",
    "many": "call rerun_reports(array[{report}])",
    "reset": "select reset_report({report})",
}


# --- the next run ----------------------------------------------------------------------------


@pytest.mark.parametrize("act", ["one", "many"])
def test_a_rerun_adds_the_next_run_and_keeps_the_finished_one_with_its_output(
    host: Connection, stored: Host, act: str
) -> None:
    [finished] = stored.runs()
    host.execute(ACTS[act].format(report=stored.report).encode())
    kept, added = stored.runs()
    assert kept == finished
    assert kept["output"] == '{"budget": 2}'
    assert len(added["id"]) == 36
    # In UTC, without fractions, as the application writes it.
    assert added.pop("requested_at").microsecond == 0
    assert added == {
        **dict.fromkeys(added),
        "id": added["id"],
        "report_output_id": stored.report,
        "run_sequence": 2,
        "status": "pending",
        "trigger_type": "rerun",
        "source_run_id": finished["id"],
        "report_spec_snapshot_json": {"dataset": "default", "region": "state/ny"},
        "country_package_version": VERSIONS["us"]["package"],
        "report_cache_version": VERSIONS["us"]["report_output"],
        "resolved_dataset": "default",
    }
    report = stored.stored()
    assert (report["active_run_id"], report["latest_successful_run_id"]) == (added["id"], finished["id"])
    for position, simulation in enumerate(stored.simulations, 1):
        kept, run = stored.runs("simulation", simulation)
        assert (run["run_sequence"], run["status"], run["trigger_type"]) == (2, "pending", "rerun")
        assert (run["report_output_run_id"], run["input_position"]) == (added["id"], position)
        assert (run["source_run_id"], run["country_package_version"]) == (kept["id"], VERSIONS["us"]["package"])
        row = one(host, "select * from public.simulations where id = %s", simulation)
        assert (row["active_run_id"], row["latest_successful_run_id"]) == (run["id"], kept["id"])


def test_a_report_without_runs_gets_its_first(host: Connection) -> None:
    simulation = add_simulation(host, population_type="household")
    report = add_report(host, simulation)
    rerun(host, report)
    added = one(host, "select * from public.report_output_runs where report_output_id = %s", report)
    assert (added["run_sequence"], added["source_run_id"], added["trigger_type"]) == (1, None, "rerun")
    # The same simulation in both places is one run, in the first.
    twice = add_report(host, simulation, simulation, year="2031")
    rerun(host, twice)
    runs = host.execute("select run_sequence, input_position from public.simulation_runs order by 1").fetchall()
    assert runs == [{"run_sequence": 1, "input_position": 1}, {"run_sequence": 2, "input_position": 1}]


def test_a_batch_gives_a_shared_simulation_one_run_for_the_first_report_that_uses_it(
    host: Connection, stored: Host
) -> None:
    first, second = stored.simulations
    other = add_report(host, second, first)
    batch = one(host, 'select create_rerun_batch(\'{"year": "2025"}\') as id')["id"]
    for _ in range(2):
        host.execute("select rerun_batch_chunk(%s, 1)", (batch,))
    runs = host.execute(
        "select run.simulation_id, run.input_position, parent.report_output_id "
        "from public.simulation_runs as run "
        "join public.report_output_runs as parent on parent.id = run.report_output_run_id order by run.simulation_id"
    ).fetchall()
    assert [tuple(run.values()) for run in runs] == [(first, 1, stored.report), (second, 2, stored.report)]
    assert len(stored.runs()) == 2
    assert len(stored.runs(row_id=other)) == 1


def test_a_reset_starts_a_run_of_its_row_alone(host: Connection, stored: Host) -> None:
    first, second = stored.simulations
    host.execute("select reset_simulation(%s)", (first,))
    assert [len(stored.runs("simulation", row)) for row in (first, second)] == [2, 1]
    assert stored.runs("simulation", first)[1]["report_output_run_id"] is None
    host.execute("select reset_report(%s)", (stored.report,))
    assert [run["status"] for run in stored.runs()] == ["complete", "pending"]
    assert [len(stored.runs("simulation", row)) for row in (first, second)] == [2, 1]


def test_a_refused_rerun_adds_no_run(host: Connection, stored: Host) -> None:
    host.execute("update public.report_outputs set year = null")
    before = everything(host) | texts(host, "public", "report_output_runs", "simulation_runs")
    assert refusal(host, "call rerun_report(%s)", stored.report).code == "RR005"
    host.execute(ACTS["many"].format(report=stored.report).encode())
    assert everything(host) | texts(host, "public", "report_output_runs", "simulation_runs") == before


def test_a_run_that_the_application_adds_at_the_same_moment_is_40001(host: Connection, stored: Host) -> None:
    # As if its number were taken between the look and the insert.
    host.execute(
        "create function public.race() returns trigger language plpgsql as "
        "$$begin new.run_sequence := 1; return new; end$$; "
        "create trigger race before insert on public.report_output_runs for each row execute function public.race()"
    )
    before = without_run_numbers(host)
    assert refusal(host, "call rerun_report(%s)", stored.report).code == "40001"
    assert without_run_numbers(host) == before


# --- undo ------------------------------------------------------------------------------------


@pytest.mark.parametrize("act", ACTS)
def test_an_undo_removes_the_added_runs_and_puts_the_pointers_back(host: Connection, stored: Host, act: str) -> None:
    before = stored.state()
    for _ in range(2):
        host.execute(ACTS[act].format(report=stored.report).encode())
        assert stored.state() != before
        undo(host, newest_act(host)["rerun_id"])
        assert stored.state() == before
    removed = host.execute("select removed from pgreprise.host_run where row_kind = 'report'").fetchall()
    assert {row["removed"].get("trigger_type") for row in removed} == {"rerun", None}


def test_reruns_on_top_of_each_other_are_undone_newest_first(host: Connection, stored: Host) -> None:
    states, acts = [stored.state()], []
    for act in ("one", "reset", "many", "one"):
        host.execute(ACTS[act].format(report=stored.report).encode())
        acts.append(newest_act(host)["rerun_id"])
        states.append(stored.state())
    assert [run["run_sequence"] for run in stored.runs()] == [1, 2, 3, 4, 5]
    for act_id, state in zip(reversed(acts), reversed(states[:-1]), strict=True):
        undo(host, act_id)
        assert stored.state() == state


WRITTEN = {
    "has been written (status running)": "update public.report_output_runs set status = 'running', "
    "started_at = now() where status = 'pending'",
    "has been written (status pending)": "update public.report_output_runs set output = '1' where status = 'pending'",
    "has a later run": "insert into public.report_output_runs "
    "(id, report_output_id, run_sequence, status, trigger_type) select 'later', report_output_id, 7, 'pending', "
    "'manual' from public.report_output_runs where run_sequence = 1",
    "has deleted its run": "delete from public.report_output_runs where status = 'pending'",
}


@pytest.mark.parametrize("said", WRITTEN)
def test_an_undo_is_refused_once_the_application_has_written_to_the_run(
    host: Connection, stored: Host, said: str
) -> None:
    done = rerun(host, stored.report)
    host.execute(WRITTEN[said].encode())
    before = stored.state()
    refused = refusal(host, "call undo_rerun(%s)", done["rerun_id"])
    assert refused.code == "RR010"
    assert said in " ".join(refused.detail["obstacles"])
    assert stored.state() == before


@pytest.mark.parametrize("said", WRITTEN)
def test_the_preview_of_an_undo_says_what_the_application_has_written(
    host: Connection, stored: Host, said: str
) -> None:
    act = rerun(host, stored.report)["rerun_id"]
    seen = one(host, "select seen, obstacle from undo_preview(%s)", act)
    assert seen["obstacle"] is None
    host.execute(WRITTEN[said].encode())
    before = stored.state()
    found = one(host, "select obstacle, can_be_forced from undo_preview(%s)", act)
    assert said in found["obstacle"]
    assert found["can_be_forced"]
    refused = refusal(host, "call undo_rerun(%s, force => true, seen => %s)", act, seen["seen"])
    assert refused.code == "RR029"
    assert said in str(refused.message)
    assert stored.state() == before


def test_a_forced_undo_removes_a_run_that_was_written_and_keeps_what_it_was(host: Connection, stored: Host) -> None:
    before = stored.state()
    done = rerun(host, stored.report)
    host.execute(WRITTEN["has been written (status running)"].encode())
    host.execute("call undo_rerun(%s, force => true)", (done["rerun_id"],))
    assert stored.state() == before
    kept = one(host, "select removed from pgreprise.host_run where row_kind = 'report' and run_sequence = 2")["removed"]
    assert (kept["status"], kept["run_sequence"]) == ("running", 2)


# --- the history -----------------------------------------------------------------------------


def history(stored: Host) -> list[tuple[Any, ...]]:
    rows = stored.connection.execute(
        "select run_sequence, host_run_sequence, started_by, status, is_current from report_history(%s)",
        (stored.report,),
    ).fetchall()
    return [tuple(row.values()) for row in rows]


def test_the_history_names_the_applications_run_of_each_run(host: Connection, stored: Host) -> None:
    assert history(stored) == [(1, 1, None, "complete", True)]
    done = rerun(host, stored.report)
    assert history(stored) == [(2, 2, "rerun", "pending", True), (1, 1, None, "complete", False)]
    undo(host, done["rerun_id"])
    assert history(stored) == [
        (3, 1, "undo", "complete", True),
        # Its run is removed.
        (2, None, "rerun", "pending", False),
        (1, 1, None, "complete", False),
    ]


def test_runs_that_the_application_made_itself_come_last(host: Connection, stored: Host) -> None:
    stored.add_run("report_output", stored.report, 2, "error")
    stored.add_run("report_output", stored.report, 3, "running")
    rerun(host, stored.report)
    assert history(stored) == [
        (2, 4, "rerun", "pending", True),
        (1, 3, None, "complete", False),
        (None, 2, "initial", "error", False),
        (None, 1, "initial", "complete", False),
    ]
    made = one(host, "select * from report_history(%s) where run_sequence is null", stored.report)
    assert made["started_at"].isoformat() == "2026-08-14T15:17:37+00:00"


# --- whether there are such tables -----------------------------------------------------------


def test_nothing_of_it_runs_where_the_tables_are_not_attached(host: Connection, stored: Host) -> None:
    host.execute("update pgreprise.setting set has_run_tables = false")
    runs = texts(host, "public", "report_output_runs", "simulation_runs")
    done = rerun(host, stored.report)
    assert texts(host, "public", "report_output_runs", "simulation_runs") == runs
    assert one(host, "select count(*) as found from pgreprise.host_run")["found"] == 0
    undo(host, done["rerun_id"])
    assert one(host, "select host_run_id from report_history(%s)", stored.report)["host_run_id"] is None


def test_the_tables_are_attached_while_they_exist(host: Connection, stored: Host) -> None:
    def attached() -> bool:
        found: bool = one(host, "select has_run_tables from pgreprise.setting")["has_run_tables"]
        return found

    assert attached()
    assert "has_run_tables" not in {row["name"] for row in host.execute("select name from settings()").fetchall()}
    assert refusal(host, "select set_setting('has_run_tables', 'off')").code == "RR016"
    host.execute("drop table public.simulation_runs")
    attach(host)
    assert not attached()
    rerun(host, stored.report)
    assert len(stored.runs()) == 1


def attach(connection: Connection) -> None:
    info = connection.info
    url = URL.create(
        "postgresql+psycopg", username=info.user, database=info.dbname, port=info.port,
        query={"host": info.host}, password=info.password or None,
    )  # fmt: skip
    with engine(url).begin() as migrating:
        attach_run_tables(migrating)


def test_numbers_of_runs_are_the_only_thing_that_an_undo_leaves(host: Connection, stored: Host) -> None:
    before = without_runs(snapshot(host))
    undo(host, rerun(host, stored.report)["rerun_id"])
    assert without_runs(snapshot(host)) == before


# --- what was found by others ----------------------------------------------------------------


def test_a_report_with_the_id_of_a_deleted_one_gets_its_first_run(host: Connection, stored: Host) -> None:
    create = "select (found.stored).id, found.created from get_or_create_report('us', %s, null, '2031') as found"
    made = one(host, create, stored.simulations[0])
    host.execute("delete from public.report_output_runs where report_output_id = %s", (made["id"],))
    host.execute("delete from public.report_outputs where id = %s", (made["id"],))
    host.execute("select setval(pg_get_serial_sequence('public.report_outputs', 'id'), %s)", (made["id"] - 1,))
    assert one(host, create, stored.simulations[0]) == made
    assert [run["trigger_type"] for run in stored.runs(row_id=made["id"])] == ["initial"]


def test_a_result_is_not_written_to_the_finished_run_of_an_earlier_one(host: Connection, stored: Host) -> None:
    # The tables were attached after the rerun.
    host.execute("update pgreprise.setting set has_run_tables = false")
    rerun(host, stored.report)
    host.execute("update pgreprise.setting set has_run_tables = true")
    before = stored.runs()
    host.execute("select update_report(%s, status => 'complete', output => '{}')", (stored.report,))
    assert stored.runs() == before


def test_no_pointer_is_put_back_to_a_run_that_is_gone(host: Connection, stored: Host) -> None:
    older, newer = (rerun(host, stored.report)["rerun_id"] for _ in range(2))
    undo(host, older, force=True)
    undo(host, newer, force=True)
    assert stored.stored()["active_run_id"] is None
    found = host.execute("select * from run_table_differences() where difference = 'pointer'").fetchall()
    assert found == []


def test_an_undo_waits_for_an_application_that_is_writing_to_the_run(host: Connection, stored: Host) -> None:
    done = rerun(host, stored.report)
    info = host.info
    with connect_to(
        URL.create(
            "postgresql+psycopg", username=info.user, database=info.dbname, port=info.port, query={"host": info.host}
        ),
        autocommit=False,
    ) as application:
        application.execute(WRITTEN["has been written (status running)"].encode())
        host.execute("set lock_timeout = '100ms'")
        assert refusal(host, "call undo_rerun(%s)", done["rerun_id"]).code == "55P03"
        application.commit()
    assert refusal(host, "call undo_rerun(%s)", done["rerun_id"]).code == "RR010"


# --- workers that claim ----------------------------------------------------------------------


def test_a_claim_and_its_end_are_written_to_the_applications_runs(host: Connection) -> None:
    made = Host(host)
    rerun(host, made.report)
    claimed = claim(host, made.report)
    [run] = [each for each in made.runs() if each["run_sequence"] == 2]
    assert (run["status"], run["finished_at"]) == ("running", None)
    assert run["started_at"] is not None

    host.execute("select release_claim(%s)", (claimed["claim_id"],))
    [run] = [each for each in made.runs() if each["run_sequence"] == 2]
    assert (run["status"], run["started_at"]) == ("pending", None)

    finish(host, claim(host, made.report), {"budget": 9})
    [run] = [each for each in made.runs() if each["run_sequence"] == 2]
    assert run["status"] == "complete"
    times = one(host, "select * from get_report(%s)", made.report)
    assert times["attempt"] == 2
    assert times["wait_seconds"] >= 0
    assert times["finished_at"] is not None


@pytest.mark.parametrize("is_claimed", [False, True])
def test_a_claim_does_not_wait_for_a_run_of_the_application_that_somebody_holds(
    host: Connection, server: URL, *, is_claimed: bool
) -> None:
    made = Host(host)
    rerun(host, made.report)
    free = add_report(host, add_simulation(host), status="pending", output=None)
    if is_claimed:
        age(host, claim(host, made.report))
    with connect_to(server.set(database=host.info.dbname)) as other, other.transaction(force_rollback=True):
        other.execute("select from report_output_runs where report_output_id = %s for update", (made.report,))
        # It would not wait so long.
        host.execute("set lock_timeout = '1ms'")
        assert [each["report_id"] for each in claims(host, max_reports=5)] == [free]
    host.execute("reset lock_timeout")
    assert [each["report_id"] for each in claims(host)] == [made.report]


def test_the_rerun_of_a_run_that_a_worker_has_begun_can_be_undone(host: Connection) -> None:
    made = Host(host)
    act = rerun(host, made.report)["rerun_id"]
    claim(host, made.report)

    undo(host, act)

    assert one(host, "select status from report_outputs where id = %s", made.report)["status"] == "complete"
    assert [run["run_sequence"] for run in made.runs()] == [1]
