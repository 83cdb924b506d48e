"""A MariaDB server of the tests' own, in a temporary folder, and legacy databases on it."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pymysql

from tests.support.legacy_sources import TABLES, TODAY
from tests.support.ports import unused_port

PROGRAMS = ("mariadbd", "mariadb-install-db")
_PATH = os.pathsep.join((os.environ.get("PATH", ""), "/usr/sbin", "/usr/local/sbin"))
_START_SECONDS = 60


def program(name: str) -> str | None:
    """The path of a program of MariaDB; Debian keeps the server where only root looks."""
    return shutil.which(name, path=_PATH)


class MariaDB:
    """A running server; ``root`` has no password there."""

    def __init__(self, port: int, socket: Path, process: subprocess.Popen[bytes]) -> None:
        self.port, self.socket = port, socket
        self.process = process

    def connect(self, database: str | None = None) -> pymysql.Connection[Any]:
        """A connection that takes what old servers took: zero dates, dates that do not exist, text that is cut."""
        return pymysql.connect(
            host="127.0.0.1",
            port=self.port,
            user="root",
            database=database,
            charset="utf8mb4",
            autocommit=True,
            init_command="set sql_mode = 'ALLOW_INVALID_DATES'",
        )

    def execute(self, statement: str, *values: Any, database: str | None = None) -> list[Any]:
        """Run one statement and return its rows."""
        with closing(self.connect(database)) as connection, connection.cursor() as cursor:
            cursor.execute(statement, values or None)
            return list(cursor.fetchall())


@contextmanager
def running(folder: Path) -> Iterator[MariaDB]:
    """A server with its data in a folder; it ends with the block."""
    data, port = folder / "data", unused_port()
    # The server does not run as root; Debian's package has an account for it.
    account = ["--user=mysql"] if os.geteuid() == 0 else []
    if account:
        shutil.chown(folder, "mysql")
    install, server = program("mariadb-install-db"), program("mariadbd")
    assert install is not None
    assert server is not None
    subprocess.run(
        [install, "--no-defaults", f"--datadir={data}", "--auth-root-authentication-method=normal", "--skip-test-db",
         *account],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=True,
    )  # fmt: skip
    # Without the options of Debian's own service, which this one has nothing to do with.
    process = subprocess.Popen(
        [server, "--no-defaults", f"--datadir={data}", f"--socket={folder / 'socket'}", f"--port={port}",
         "--bind-address=127.0.0.1", "--innodb-flush-log-at-trx-commit=0", "--innodb-buffer-pool-size=64M",
         f"--pid-file={folder / 'pid'}", f"--log-error={folder / 'log'}", *account],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    made = MariaDB(port, folder / "socket", process)
    try:
        deadline = time.monotonic() + _START_SECONDS
        while True:
            try:
                made.execute("select 1")
                break
            except pymysql.err.OperationalError:
                if process.poll() is not None or time.monotonic() > deadline:
                    raise
                time.sleep(0.1)
        yield made
    finally:
        process.kill()
        process.wait()


_COLUMNS = {
    "report_outputs": """
        id int not null auto_increment primary key, country_id varchar(3) not null, simulation_1_id int not null,
        simulation_2_id int, api_version varchar(10) not null, status varchar(32) not null default 'pending',
        output json, error_message text, year varchar(255) default '2025', report_kind varchar(64),
        report_spec_json json, report_spec_schema_version int, report_spec_status varchar(32), active_run_id char(36),
        latest_successful_run_id char(36)""",
    "simulations": """
        id int not null auto_increment primary key, country_id varchar(3) not null, api_version varchar(10) not null,
        population_id varchar(255) not null, population_type varchar(50) not null, policy_id int not null,
        status varchar(32) not null default 'pending', output json, error_message text, simulation_spec_json json,
        simulation_spec_schema_version int, active_run_id char(36), latest_successful_run_id char(36)""",
    "report_output_runs": """
        id char(36) not null primary key, report_output_id int not null, run_sequence int not null,
        status varchar(32) not null, output json, error_message text, trigger_type varchar(32) not null,
        requested_at datetime(6), started_at datetime, finished_at datetime, source_run_id char(36),
        report_spec_snapshot_json json, resolved_dataset varchar(255), unique (report_output_id, run_sequence)""",
    "simulation_runs": """
        id char(36) not null primary key, simulation_id int not null, report_output_run_id char(36),
        input_position int, run_sequence int not null, status varchar(32) not null, output json, error_message text,
        trigger_type varchar(32) not null, requested_at datetime, started_at datetime, finished_at datetime,
        source_run_id char(36), simulation_spec_snapshot_json json, country_package_version varchar(255),
        unique (simulation_id, run_sequence)""",
    "reform_impact": """
        reform_impact_id int not null auto_increment primary key, baseline_policy_id int not null,
        reform_policy_id int not null, country_id varchar(3) not null, region varchar(64) not null,
        dataset varchar(255) not null, time_period varchar(32) not null, options_json json, options_hash varchar(512),
        api_version varchar(10) not null, reform_impact_json json not null, status varchar(32) not null,
        message varchar(255), start_time datetime, end_time datetime, execution_id varchar(255) not null""",
}


class LegacyInMariaDB:
    """A legacy database with the columns of today and one valid row a table, to which a test adds others."""

    def __init__(self, server: MariaDB, name: str) -> None:
        self.server, self.name = server, name
        server.execute(f"drop database if exists `{name}`")
        server.execute(f"create database `{name}` character set utf8mb4")
        for table, columns in _COLUMNS.items():
            # Its json is text with a check, which texts that are not JSON have not met.
            self.execute(f"create table {table} ({columns.replace(' json', ' longtext')})")
            self.add(table)

    def url(self, user: str = "root", password: str = "") -> str:
        """The URL of the source."""
        secret = f":{quote(password, safe='')}" if password else ""
        return f"mysql://{quote(user, safe='')}{secret}@127.0.0.1:{self.server.port}/{self.name}"

    @property
    def source(self) -> str:
        """What an import is given."""
        return self.url()

    def execute(self, statement: str, values: tuple[Any, ...] = ()) -> None:
        """Run one statement, with ``?`` for its values."""
        self.server.execute(statement.replace("?", "%s"), *values, database=self.name)

    def add(self, table: str, **values: Any) -> None:
        """Add a row; what is not given is that of the first row."""
        row = {**(TABLES | TODAY)[table], **values}
        places = ", ".join("?" * len(row))
        self.execute(f"insert into {table} ({', '.join(row)}) values ({places})", tuple(row.values()))  # noqa: S608
