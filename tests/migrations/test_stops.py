"""A migration is stopped, has to wait, or would be refused half-way: it tells so, and can be repeated."""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from sqlalchemy import URL

from pyapi.schema import migrate, operations
from tests.support.command import PROGRAM, environment, run_here, succeeded
from tests.support.databases import connect, engine, plain, rows
from tests.support.dumps import dump
from tests.support.factories import add_report, add_simulation, set_versions
from tests.support.hosts import LEGACY
from tests.support.refusals import detail, problems, refused_with, remedies

pytestmark = pytest.mark.needs("time")

Waiting = tuple[URL, subprocess.Popen[str], psycopg.Connection[Any]]
WAITING = (
    "select count(*) as waiting from pg_locks where not granted and relation = 'public.simulations'::regclass "
    "and database = (select oid from pg_database where datname = current_database())"
)


@pytest.fixture
def host(empty_database: URL) -> URL:
    """A database with the tables of a host."""
    with connect(empty_database) as connection:
        connection.execute(LEGACY)
    return empty_database


def test_a_lock_that_is_not_got_is_told_with_who_holds_it(host: URL, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(operations, "MIGRATION_LOCK_TIMEOUT", "50ms")
    with psycopg.connect(plain(host)) as traffic:
        traffic.execute("select from public.simulations")
        holder = traffic.info.backend_pid
        said = run_here("migrate", "--to", "reports@head", DATABASE_URL=plain(host))
    assert said.returncode == 1
    assert "The migration waited 50ms for a lock that another session holds" in said.stderr
    assert f"process {holder} of {host.username} holds a lock on " in said.stderr
    assert "Traceback" not in said.stderr
    succeeded(run_here("migrate", "--to", "reports@head", DATABASE_URL=plain(host)))


@pytest.fixture
def waiting(host: URL) -> Iterator[Waiting]:
    """A migration that waits for a lock of another session, which is the last of the three."""
    with psycopg.connect(plain(host), autocommit=True) as watch, psycopg.connect(plain(host)) as traffic:
        traffic.execute("lock table public.simulations in access share mode")
        with subprocess.Popen(
            [PROGRAM, "migrate", "--to", "reports@head"],
            env=environment(DATABASE_URL=plain(host)),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            encoding="utf-8",
        ) as process:
            while watch.execute(WAITING).fetchone() == (0,):
                assert process.poll() is None, process.communicate()
            yield host, process, traffic


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_migration_that_is_stopped_says_what_stays_and_goes_on_later(
    waiting: Waiting, number: signal.Signals, code: int
) -> None:
    database, process, _ = waiting
    process.send_signal(number)
    _, said = process.communicate()
    assert process.returncode == code, said
    assert "Traceback" not in said
    if number == signal.SIGINT:
        assert said.strip().splitlines()[-1].startswith("Stopped. The revision that ran has changed nothing")
    at = "select version_num from pgreprise.alembic_version order by 1"
    assert [row["version_num"] for row in rows(database, at)] == ["reports_0001"]


def test_after_a_stop_the_same_command_goes_through(waiting: Waiting) -> None:
    database, process, traffic = waiting
    process.send_signal(signal.SIGINT)
    process.communicate()
    traffic.rollback()
    succeeded(run_here("migrate", "--to", "reports@head", DATABASE_URL=plain(database)))


# --- downgrades ------------------------------------------------------------------------------

# What a host may have made of ours, with what it uses.
USERS = {
    "create view public.seen as select * from public.report_history(1)": "view public.seen uses",
    "create function public.mine() returns jsonb language sql begin atomic select pgreprise.status(); end": (
        "function public.mine() uses pgreprise.status()"
    ),
    "create view public.numbers as select id, run_sequence from public.report_outputs": (
        "view public.numbers uses column run_sequence of public.report_outputs"
    ),
    "create table public.notes (id int, rerun_id bigint references pgreprise.rerun)": (
        "constraint notes_rerun_id_fkey on table public.notes uses "
    ),
    "create table public.labs (id int, unit bigint references public.units)": (
        "constraint labs_unit_fkey on table public.labs uses public.units"
    ),
    "create table public.kept (shown pgreprise.report_row)": "column shown of table public.kept uses ",
    "create table public.numbered (status jsonb default pgreprise.status())": (
        "default value for column status of table public.numbered uses pgreprise.status()"
    ),
}


def test_a_downgrade_that_will_be_refused_is_refused_before_it_drops_anything(database: URL) -> None:
    with connect(database) as connection:
        for statement in USERS:
            connection.execute(statement.encode())
    before = dump(database)
    with refused_with("55000", "Nothing was changed") as refused:
        migrate.downgrade(engine(database), "base")
    assert dump(database) == before
    told = "\n".join(problems(refused.value))
    for problem in USERS.values():
        assert problem in told
    assert len(remedies(refused.value)) == len(USERS)
    with connect(database) as connection:
        connection.execute(detail(refused.value).encode())
    migrate.downgrade(engine(database), "base")


def test_a_downgrade_that_would_delete_the_history_drops_nothing_of_the_other_domain(database: URL) -> None:
    with connect(database) as connection:
        set_versions(connection)
        report = add_report(connection, add_simulation(connection))
        connection.execute("call rerun_report(%s::bigint)", (report,))
    before = dump(database)
    for revision in ("base", "reports@base", "reports_0001"):
        with refused_with("55000", "would delete the history of reruns"):
            migrate.downgrade(engine(database), revision)
        assert dump(database) == before


def test_a_downgrade_to_a_revision_is_not_stopped_by_what_it_does_not_drop(database: URL) -> None:
    with connect(database) as connection:
        connection.execute("create view public.numbers as select id, run_sequence from public.report_outputs")
        connection.execute("create view public.mine as select pgreprise.status() as status")
    migrate.downgrade(engine(database), "reports_0002")
    migrate.downgrade(engine(database), "carbon@base")
    migrate.upgrade(engine(database))
