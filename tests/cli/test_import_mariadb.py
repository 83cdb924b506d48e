"""Someone imports from a real MariaDB: passwords, lost connections, and writers that go on meanwhile."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine

from pyapi.schema.legacy import ImportRefused, import_legacy
from tests.support import mariadb
from tests.support.command import Run
from tests.support.databases import Connection, folder_of_a_server
from tests.support.mariadb import LegacyInMariaDB, MariaDB
from tests.support.snapshots import snapshot

pytestmark = [pytest.mark.needs("mariadb"), pytest.mark.needs("time")]


@pytest.fixture
def legacy(legacy_in_mariadb: LegacyInMariaDB) -> LegacyInMariaDB:
    return legacy_in_mariadb


@pytest.fixture
def add_user(mariadb_server: MariaDB) -> Iterator[Callable[[str], None]]:
    """Makes the account reader with a password."""

    def add(password: str) -> None:
        mariadb_server.execute("create or replace user reader@'%%' identified by %s", password)
        mariadb_server.execute("grant select on legacy.* to reader@'%'")

    yield add
    mariadb_server.execute("drop user if exists reader@'%'")


# --- passwords -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "password",
    ["p@ss:w/rd", "100%41", "a b+c", "#?&=;", "[x]", "'\"`\\", "\u00e9\u20ac\u2603", "\U0001f680"],
)
def test_odd_passwords_work_in_the_url(
    legacy: LegacyInMariaDB, target: Engine, add_user: Callable[[str], None], password: str
) -> None:
    add_user(password)
    assert import_legacy(legacy.url("reader", password), target).rows["simulations"] == 1


def test_a_server_is_found_by_its_socket(legacy: LegacyInMariaDB, target: Engine) -> None:
    url = f"mysql://root@localhost/legacy?unix_socket={legacy.server.socket}"
    assert import_legacy(url, target).rows["simulations"] == 1


@pytest.mark.parametrize(
    ("written", "reason"),
    [
        ("sec@ret", r"more than one @.*write %40 for @"),
        ("sec%72et", r"refuses access: .*Access denied for user 'reader'.*%25 for %"),
        ("wrong-secret", r"refuses access: .*Access denied for user 'reader'"),
    ],
)
def test_a_password_that_is_refused_is_not_shown(
    legacy: LegacyInMariaDB,
    pgreprise: Run,
    add_user: Callable[[str], None],
    written: str,
    reason: str,
) -> None:
    add_user("sec%72et")
    url = legacy.url("reader", "PASSWORD").replace("PASSWORD", written)
    stopped = pgreprise("import-legacy", url)
    assert stopped.returncode == 1
    assert re.search(reason, stopped.stderr, re.DOTALL)
    for shown in (stopped.stdout, stopped.stderr):
        assert not any(secret in shown for secret in (written, "secret", "@ret", "ret@"))


@pytest.mark.parametrize(
    ("ending", "reason"),
    [
        (":port/legacy", "not a database URL"),
        ("", "names no database"),
        ("/legacy?luck=1", "has a parameter that cannot be used: .*luck"),
        ("/legacy?ssl_ca=/absent", "has a parameter that cannot be used: .*No such file"),
        ("/legacy?plugin=luck", "not a database URL"),
    ],
)
def test_a_url_that_cannot_be_used_is_refused_without_its_password(pgreprise: Run, ending: str, reason: str) -> None:
    stopped = pgreprise("import-legacy", f"mysql://reader:secret@127.0.0.1{ending}")
    assert stopped.returncode == 1
    assert re.search(reason, stopped.stderr)
    assert "secret" not in stopped.stderr
    assert "Traceback" not in stopped.stderr


def test_a_database_that_is_absent_is_told(legacy: LegacyInMariaDB, target: Engine) -> None:
    with pytest.raises(ImportRefused, match=r"cannot be read: .*Unknown database 'absent'"):
        import_legacy(legacy.source.replace("/legacy", "/absent"), target)


# --- a source that goes away, and one that changes -------------------------------------------


def fill(legacy: LegacyInMariaDB) -> None:
    """Many megabytes, which no buffer on the way holds."""
    legacy.execute(
        "insert into simulations (country_id, api_version, population_id, population_type, policy_id, status, output) "
        "select 'us', '0.0.0', 'state/ny', 'geography', 2, 'complete', concat('\"', repeat('x', 100000), '\"') "
        "from seq_1_to_400"
    )


def kill_connections(server: MariaDB) -> None:
    for (number,) in server.execute(
        "select id from information_schema.processlist where db = 'legacy' and id <> connection_id()"
    ):
        server.execute(f"kill {number}")


@pytest.mark.parametrize("moment", ["check simulations", "simulations"])
def test_a_connection_that_is_lost_in_the_middle_imports_nothing(
    legacy: LegacyInMariaDB, target: Engine, dba: Connection, moment: str
) -> None:
    fill(legacy)

    def kill(what: str, done: int, total: int) -> None:
        if (what, done) == (moment, 100):
            assert total == 401
            kill_connections(legacy.server)

    with pytest.raises(ImportRefused) as refused:
        import_legacy(legacy.source, target, progress=kill)
    assert str(refused.value).startswith("The connection to the source was lost in table simulations after ")
    assert str(refused.value).endswith("Nothing was imported. See whether the source runs, then import again.")
    assert not any(snapshot(dba).values())
    assert import_legacy(legacy.source, target).rows["simulations"] == 401


def test_a_server_that_is_killed_in_the_middle_imports_nothing(target: Engine, dba: Connection) -> None:
    with folder_of_a_server() as folder, mariadb.running(Path(folder)) as server:
        legacy = LegacyInMariaDB(server, "legacy")
        fill(legacy)

        def kill(what: str, done: int, _total: int) -> None:
            if (what, done) == ("simulations", 100):
                server.process.kill()

        with pytest.raises(ImportRefused, match="connection to the source was lost in table simulations after"):
            import_legacy(legacy.source, target, progress=kill)
    assert not any(snapshot(dba).values())


def test_a_target_that_is_lost_in_the_middle_imports_nothing(
    legacy: LegacyInMariaDB, target: Engine, dba: Connection
) -> None:
    fill(legacy)

    def kill(what: str, done: int, _total: int) -> None:
        if (what, done) == ("simulations", 100):
            dba.execute(
                "select pg_terminate_backend(pid) from pg_stat_activity "
                "where datname = current_database() and pid <> pg_backend_pid()"
            )

    with pytest.raises(ImportRefused, match=r"The import failed in PostgreSQL: .*Nothing was imported"):
        import_legacy(legacy.source, target, progress=kill)
    assert not any(snapshot(dba).values())
    assert import_legacy(legacy.source, target).rows["simulations"] == 401


def test_a_table_that_has_no_snapshots_is_named(legacy: LegacyInMariaDB, pgreprise: Run) -> None:
    legacy.execute("alter table simulations engine = MyISAM")
    done = pgreprise("import-legacy", legacy.source)
    assert done.returncode == 0, done.stderr
    assert (
        "not in one snapshot: table simulations is not InnoDB; nobody should have written to it meanwhile"
        in done.stdout.splitlines()
    )
