"""An operator lets a monitor watch `pgreprise serve`, and a program read its log."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy import URL

from tests.support.command import PROGRAM, Run, environment
from tests.support.databases import Connection, plain
from tests.support.projects import PROJECT

pytestmark = pytest.mark.needs("time")

TOKEN = "a-token-of-monitors"
MONITORING = PROJECT / "docs" / "monitoring"
Ask = Callable[..., tuple[int, str]]


@pytest.fixture
def served(database: URL, port: int, dba: Connection) -> Iterator[tuple[subprocess.Popen[str], Ask]]:
    """`serve` with two processes, metrics, and a log of JSON with a line for each request."""
    assert dba
    with subprocess.Popen(
        [PROGRAM, "serve", "--port", str(port), "--workers", "2"],
        env=environment(
            DATABASE_URL=plain(database),
            PGREPRISE_METRICS_TOKEN=TOKEN,
            PGREPRISE_LOG_FORMAT="json",
            PGREPRISE_ACCESS_LOG="on",
        ),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert "serves on" in process.stdout.readline()

        def ask(path: str, method: str = "GET", **headers: str) -> tuple[int, str]:
            # One connection a request, so that both processes get some.
            wanted = urllib.request.Request(f"http://127.0.0.1:{port}{path}", method=method, headers=headers)
            try:
                with urllib.request.urlopen(wanted, timeout=30) as reply:
                    return reply.status, reply.read().decode()
            except urllib.error.HTTPError as error:
                return error.code, error.read().decode()

        yield process, ask
        if process.poll() is None:
            process.terminate()


def scraped(ask: Ask) -> dict[tuple[str, ...], float]:
    status, text = ask("/metrics", Authorization=f"Bearer {TOKEN}")
    assert status == 200
    return {
        (sample.name, *(value for _, value in sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def workers(process: subprocess.Popen[str]) -> list[psutil.Process]:
    return psutil.Process(process.pid).children()


def test_the_processes_count_together_and_one_that_was_killed_takes_nothing_away(
    served: tuple[subprocess.Popen[str], Ask],
) -> None:
    process, ask = served
    while scraped(ask)["pgreprise_pool_connections", "most"] < 16:
        # The second process has not begun.
        time.sleep(0.05)
    asked = 40
    for _ in range(asked):
        assert ask("/liveness-check")[0] == 200
    total = ("pgreprise_http_requests_total", "GET", "/liveness-check", "200")
    found = [scraped(ask) for _ in range(6)]
    assert {one[total] for one in found} == {asked}

    victim = workers(process)[0]
    victim.kill()
    victim.wait()
    # Another process takes its place; what the first one counted stays counted.
    assert ask("/liveness-check")[0] == 200
    assert scraped(ask)[total] == asked + 1


def test_the_folder_of_the_figures_goes_with_the_server(served: tuple[subprocess.Popen[str], Ask]) -> None:
    process, ask = served
    scraped(ask)
    [folder] = {
        Path(file.path).parent
        for worker in workers(process)
        for file in worker.open_files()
        if file.path.endswith(".db")
    }
    assert folder.is_dir()
    process.send_signal(signal.SIGTERM)
    process.communicate()
    assert not folder.exists()


def test_every_line_of_the_log_is_json_and_names_its_request(served: tuple[subprocess.Popen[str], Ask]) -> None:
    process, ask = served
    ask("/us/report/999?token=hidden", **{"X-Request-Id": "r7"})
    process.terminate()
    _, written = process.communicate()
    lines: list[dict[str, Any]] = [json.loads(line) for line in written.splitlines()]
    [line] = [line for line in lines if line["request_id"] == "r7"]
    assert (line["method"], line["path"], line["status"], line["actor"]) == ("GET", "/us/report/999", 404, "operator")
    assert "hidden" not in written


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("PGREPRISE_METRICS_TOKEN", ""),
        ("PGREPRISE_METRICS_TOKEN", "short"),
        ("PGREPRISE_METRICS_TOKEN", "with blanks in between"),
        ("PGREPRISE_LOG_FORMAT", "xml"),
        ("PGREPRISE_LOG_FORMAT", ""),
        ("PGREPRISE_ACCESS_LOG", "yes"),
    ],
)
def test_a_setting_that_cannot_be_used_is_explained(pgreprise: Run, port: int, setting: str, value: str) -> None:
    done = pgreprise("serve", "--port", str(port), **{setting: value})
    assert done.returncode == 2
    assert setting in done.stderr
    assert len(done.stderr.splitlines()) <= 4


def test_the_dashboard_and_the_alerts_ask_for_what_is_there(served: tuple[subprocess.Popen[str], Ask]) -> None:
    _, ask = served
    ask("/nowhere")
    ask("/us/report/999")
    names = {name for name, *_ in scraped(ask)}
    dashboard = json.loads((MONITORING / "grafana-dashboard.json").read_text(encoding="utf-8"))
    asked = [target["expr"] for panel in dashboard["panels"] for target in panel["targets"]]
    rules = (MONITORING / "alerts.yml").read_text(encoding="utf-8")
    asked += re.findall(r"^ +expr: (.+)$", rules, re.MULTILINE)
    assert len(asked) > 15
    for expression in asked:
        wanted = set(re.findall(r"pgreprise_\w+", expression))
        assert wanted
        assert wanted <= names, expression
        assert expression.count("(") == expression.count(")")
    page = (PROJECT / "docs" / "how-to" / "monitor.md").read_text(encoding="utf-8")
    told = {name for name in names if not name.endswith(("_created", "_bucket", "_sum", "_count"))}
    assert {name for name in told if name not in page} == set()


@pytest.mark.needs("promtool")
def test_prometheus_reads_the_rules() -> None:
    checked = subprocess.run(
        ["promtool", "check", "rules", MONITORING / "alerts.yml"], capture_output=True, text=True, check=False
    )
    assert checked.returncode == 0, checked.stderr
    assert "SUCCESS: 10 rules found" in checked.stdout


def test_the_rules_are_rules() -> None:
    text = (MONITORING / "alerts.yml").read_text(encoding="utf-8")
    alerts = re.findall(r"^      - alert: (\w+)$", text, re.MULTILINE)
    assert len(alerts) == len(set(alerts)) == text.count("        expr: ")
    for part in ("labels:", "annotations:", "summary:", "description:", "for:"):
        assert text.count(f"  {part}") == len(alerts), part
