"""A pytest plugin: what a test needs besides Python and the packages, told by ``@pytest.mark.needs("plpgsql_check")``.

Where a thing is absent, the test is skipped and says why. ``--without plpgsql_check`` leaves out the tests that need
it, for a run that is known not to have it. With PGREPRISE_NO_SKIPS=1 a skip is a failure, whatever caused it, so that
a run cannot miss tests in silence.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Generator
from functools import cache
from importlib.util import find_spec
from typing import TypeVar

import pytest

from pyapi.settings import Settings
from tests.support.browser import AXE, absent
from tests.support.databases import rows
from tests.support.mariadb import PROGRAMS, program
from tests.support.servers import DEBIAN_EXTENSIONS, DEBIAN_FOLDER, pgbouncer_program

Report = TypeVar("Report", pytest.TestReport, pytest.CollectReport)


def plpgsql_check() -> str | None:
    """The extension, on the server of the tests."""
    server = Settings.from_environment().migration_database
    if server is None:
        return "the embedded servers have no plpgsql_check; DATABASE_URL names another server"
    available = rows(server, "select from pg_available_extensions where name = 'plpgsql_check'")
    return None if available else "the server of DATABASE_URL has no plpgsql_check"


def time() -> str | None:
    """Time: the tests that take longest, of things that seldom break. .ci/run has it."""
    return None if os.environ.get("PGREPRISE_ALL_TESTS") == "1" else "it takes long; PGREPRISE_ALL_TESTS=1 runs it too"


def root() -> str | None:
    """The rights of root."""
    return None if os.geteuid() == 0 else "only root can be somebody else"


def redis() -> str | None:
    """The server of Redis, as Debian's package redis-server has it."""
    return None if shutil.which("redis-server") else "there is no redis-server on the PATH"


def pgbouncer() -> str | None:
    """Debian's PgBouncer; the tests start one of their own."""
    return None if pgbouncer_program() else "there is no pgbouncer; Debian's package pgbouncer has it"


def mariadb() -> str | None:
    """Debian's MariaDB server; the tests start one of their own."""
    absent = [name for name in PROGRAMS if program(name) is None]
    return f"{' and '.join(absent)} not found; Debian's package mariadb-server has them" if absent else None


def man() -> str | None:
    """The program that shows manual pages."""
    return None if shutil.which("man") else "there is no man; Debian's package man-db has it"


def postgresql_15() -> str | None:
    """Debian's PostgreSQL 15; the tests start servers of their own."""
    present = (DEBIAN_FOLDER / "initdb").exists()
    return None if present else "there is no PostgreSQL 15 of Debian; its package is postgresql-15"


def plproxy() -> str | None:
    """Debian's PostgreSQL 15 with PL/Proxy; the tests start servers of their own."""
    present = (DEBIAN_FOLDER / "initdb").exists() and (DEBIAN_EXTENSIONS / "plproxy.control").exists()
    return None if present else "there is no PL/Proxy of Debian; its package is postgresql-15-plproxy"


def plpgsql_check_15() -> str | None:
    """The extension for Debian's PostgreSQL 15, which servers of the tests' own have."""
    present = (DEBIAN_EXTENSIONS / "plpgsql_check.control").exists()
    return None if present else "Debian's package postgresql-15-plpgsql-check is not there"


def browser() -> str | None:
    """Debian's Chromium, and Playwright, which drives it."""
    return absent()


def axe() -> str | None:
    """axe-core from npm, which checks pages for accessibility."""
    return None if AXE.exists() else "axe-core is not installed; `make browser` does it"


def procrastinate() -> str | None:
    """The job queue that the benchmarks compare with."""
    return (
        None if find_spec("procrastinate") else "the package procrastinate is not installed; `make .venv/bench` does it"
    )


def promtool() -> str | None:
    """Prometheus's checker of rules."""
    return None if shutil.which("promtool") else "there is no promtool; Debian's package prometheus has it"


# Each gives the reason why it is absent, or None where it is there. A new thing is one more function here.
THINGS: dict[str, Callable[[], str | None]] = {
    function.__name__: cache(function)
    for function in (
        axe,
        browser,
        man,
        mariadb,
        pgbouncer,
        plpgsql_check,
        plpgsql_check_15,
        plproxy,
        postgresql_15,
        procrastinate,
        promtool,
        redis,
        root,
        time,
    )
}


def needed(item: pytest.Item) -> set[str]:
    """What a test needs. Raises UsageError where it needs a thing of which nothing is known."""
    things = {thing for marker in item.iter_markers("needs") for thing in marker.args}
    if unknown := things - THINGS.keys():
        raise pytest.UsageError(f"{item.nodeid} needs {', '.join(unknown)}; tests/support/needs.py knows no such thing")
    return things


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--without", action="append", choices=sorted(THINGS), default=[], help="leave out the tests that need this"
    )


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "needs(thing, ...): what the test needs; it is skipped where one is absent")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    left_out = [item for item in items if needed(item) & set(config.getoption("without"))]
    if left_out:
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if item not in left_out]


def pytest_runtest_setup(item: pytest.Item) -> None:
    for thing in sorted(needed(item)):
        if (reason := THINGS[thing]()) is not None:
            pytest.skip(reason)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    return failed_if_skipped((yield))


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_make_collect_report() -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    return failed_if_skipped((yield))


def failed_if_skipped(report: Report) -> Report:
    """The report, as a failure with the reason where it tells of a skip and none is allowed."""
    expected_to_fail = hasattr(report, "wasxfail")
    if report.skipped and not expected_to_fail and os.environ.get("PGREPRISE_NO_SKIPS") == "1":
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr
        report.outcome = "failed"
        report.longrepr = f"PGREPRISE_NO_SKIPS=1 allows no skip. {reason}"
    return report
