"""A Redis, and in it the economy cache of an application as the application reads and writes it.

What the application does here was written from what is known of its cache, not from pgreprise: for each scope a sorted
set with the keys of records, one key for each record, and one sorted set of the newest records of all scopes.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Self, cast
from urllib.parse import quote

import redis

from tests.support.factories import SCOPE
from tests.support.ports import unused_port

ENVIRONMENT, SERVICE = "staging", "policyengine-api"
LIFETIME_SECONDS = 30 * 24 * 3600
# Scopes that differ from SCOPE in one part each.
OTHER_SCOPES = [
    {**SCOPE, name: value}
    for name, value in {
        "country_id": "uk",
        "baseline_policy_id": 3,
        "reform_policy_id": 2,
        "region": "ny",
        "dataset": "enhanced_cps",
        "time_period": "2026",
        "api_version": "e2604ee281",
    }.items()
]


class RedisServer:
    """A server of the test's own, on loopback and on a socket; it keeps its data from one start to the next."""

    def __init__(self, *options: str, password: str = "") -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="pgreprise-redis-"))
        self.port = unused_port()
        self.socket = self.folder / "redis.sock"
        self.password = password
        self._options = options
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        login = f":{quote(self.password, safe='')}@" if self.password else ""
        return f"redis://{login}127.0.0.1:{self.port}/0"

    @property
    def settings(self) -> dict[str, str]:
        """The environment variables for it."""
        return {
            "PGREPRISE_REDIS_URL": self.url,
            "RUNTIME_CACHE_ENVIRONMENT": ENVIRONMENT,
            "RUNTIME_CACHE_SERVICE": SERVICE,
        }

    def client(self) -> redis.Redis:
        return redis.Redis(unix_socket_path=str(self.socket), password=self.password or None, decode_responses=True)

    def start(self) -> None:
        configuration = self.folder / "redis.conf"
        lines = [
            "bind 127.0.0.1",
            f"port {self.port}",
            f"unixsocket {self.socket}",
            f"dir {self.folder}",
            'save ""',
            *self._options,
        ]
        if self.password:
            escaped = self.password.encode().hex()
            lines.append('requirepass "' + "".join(f"\\x{escaped[i : i + 2]}" for i in range(0, len(escaped), 2)) + '"')
        configuration.write_text("\n".join(lines) + "\n")
        self._process = subprocess.Popen(["redis-server", configuration], stdout=subprocess.DEVNULL)
        for _ in range(500):
            try:
                with self.client() as client:
                    client.ping()
                return
            except redis.ConnectionError:
                assert self._process.poll() is None, "redis-server ended"
                time.sleep(0.02)
        raise AssertionError("redis-server does not answer")

    def stop(self) -> None:
        if self._process is not None:
            with self.client() as client:
                client.save()
            self._process.send_signal(signal.SIGCONT)
            self._process.terminate()
            self._process.wait(timeout=30)
            self._process = None

    def freeze(self) -> None:
        """Let it accept connections and answer nothing, until ``thaw``."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, _type: type[BaseException] | None, _error: BaseException | None, _at: TracebackType | None
    ) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait(timeout=30)
        shutil.rmtree(self.folder)


def digest(parts: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(parts, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


class Application:
    """How the application finds and stores its results."""

    def __init__(self, client: redis.Redis) -> None:
        self._client = client
        self._prefix = f"policyengine:{ENVIRONMENT}:{SERVICE}"
        self._jobs = 0

    def _index(self, scope: dict[str, Any]) -> str:
        return f"{self._prefix}:reform-impact-index:v1:{digest(scope)}"

    def store(
        self, scope: dict[str, Any], result: str = "old", *, options_hash: str = "[]", status: str = "ok"
    ) -> None:
        """Store a result of a computation."""
        self._jobs += 1
        record = {**scope, "options_hash": options_hash, "status": status, "result": result}
        key = f"{self._prefix}:reform-impact:v1:{digest({'execution_id': f'job-{self._jobs}'})}"
        with self._client.pipeline() as pipeline:
            pipeline.set(key, json.dumps(record), ex=LIFETIME_SECONDS)
            for index in (self._index(scope), f"{self._prefix}:reform-impact-index:v1:recent"):
                pipeline.zadd(index, {key: self._jobs})
                pipeline.expire(index, LIFETIME_SECONDS)
            pipeline.execute()

    def find(self, scope: dict[str, Any], *, options_hash: str = "[]") -> str | None:
        """The result that the application would answer with; None where it would compute."""
        for key in cast("list[str]", self._client.zrange(self._index(scope), 0, -1, desc=True)):
            record = json.loads(cast("str", self._client.get(key)) or "{}")
            if record.get("options_hash") == options_hash:
                return str(record["result"])
        return None

    def recent(self) -> int:
        """How many records the index of all scopes has."""
        return cast("int", self._client.zcard(f"{self._prefix}:reform-impact-index:v1:recent"))


@contextmanager
def application_over(server: RedisServer) -> Iterator[Application]:
    """The application, with a result in SCOPE for each of two options, and one in each of OTHER_SCOPES."""
    with server.client() as client:
        application = Application(client)
        application.store(SCOPE)
        application.store(SCOPE, options_hash="[max_households=100]")
        for scope in OTHER_SCOPES:
            application.store(scope)
        yield application


def found(application: Application) -> tuple[str | None, str | None, list[str | None]]:
    """What the application finds in SCOPE for each of the two options, and in OTHER_SCOPES."""
    return (
        application.find(SCOPE),
        application.find(SCOPE, options_hash="[max_households=100]"),
        [application.find(scope) for scope in OTHER_SCOPES],
    )


BEFORE = ("old", "old", ["old"] * len(OTHER_SCOPES))
AFTER = (None, None, ["old"] * len(OTHER_SCOPES))
