"""The application's economy cache where it is not in the database but in Redis: which key a scope has, and deleting it.

The application finds its cached results by one index key for each scope. Without this key it computes again, so
nothing else of the cache is touched: the records expire by themselves. Beside the cache there is a short-lived note for
each act whose scopes the API has deleted.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, unquote, urlsplit

from pyapi.settings import Settings

if TYPE_CHECKING:
    from redis import Redis

__all__ = ["READER", "EconomyCache", "EconomyCacheAwayError"]

# The name under which `pgreprise invalidate` keeps its position in the feed.
READER = "economy-cache"

_PARTS = (
    "api_version",
    "baseline_policy_id",
    "country_id",
    "dataset",
    "reform_policy_id",
    "region",
    "time_period",
)
_CONNECTIONS = 8
# How many commands are sent at once.
_BATCH = 1000
# How long a note lives that the scopes of an act are deleted. `pgreprise invalidate` has read the act long before.
_NOTE_SECONDS = 600


class EconomyCacheAwayError(Exception):
    """Redis cannot be reached, or it refuses. The message is one line without a password."""


class EconomyCache:
    """The economy cache in Redis.

    It connects with the first deletion, so it may be made before a process forks. Each wait for Redis ends after
    ``timeout_seconds``, unless the URL says otherwise (``?socket_timeout=3``).
    Raises ValueError, in one line, where the package redis is missing or does not take the URL.
    """

    def __init__(self, url: str, environment: str, service: str, *, timeout_seconds: float = 1) -> None:
        if find_spec("redis") is None:
            raise ValueError(
                "PGREPRISE_REDIS_URL is set, but the package redis is not installed. "
                "Install it with: pip install 'pgreprise[redis]'"
            )
        self._prefix = f"policyengine:{environment}:{service}:reform-impact-index:v1:"
        self._notes = f"pgreprise:{environment}:{service}:forgotten:"
        self._secrets = _passwords(url)
        self._redis = self._client(url, timeout_seconds)

    @classmethod
    def of(cls, settings: Settings, *, timeout_seconds: float = 1) -> EconomyCache | None:
        """The cache of the settings, None where they name none. Raises ValueError as the constructor does."""
        if settings.redis_url is None:
            return None
        assert settings.cache_environment is not None
        assert settings.cache_service is not None
        return cls(
            settings.redis_url, settings.cache_environment, settings.cache_service, timeout_seconds=timeout_seconds
        )

    @staticmethod
    def _client(url: str, timeout_seconds: float) -> Redis:
        from redis import BlockingConnectionPool, Redis
        from redis.backoff import NoBackoff
        from redis.retry import Retry

        try:
            pool = BlockingConnectionPool.from_url(
                url,
                max_connections=_CONNECTIONS,
                timeout=timeout_seconds,
                socket_timeout=timeout_seconds,
                socket_connect_timeout=timeout_seconds,
                # Whoever calls tries again later. Here it would only multiply the wait.
                retry=Retry(NoBackoff(), 0),
                # The older protocol needs no right but those to authenticate, to choose a database and to delete.
                protocol=2,
            )
            # Options that no connection has are noticed only here; nothing is sent yet.
            pool.connection_class(**pool.connection_kwargs)
        except (TypeError, ValueError):
            # The cause may show parts of the URL.
            raise ValueError(
                "PGREPRISE_REDIS_URL has an option that the package redis does not know, or a value that it does not "
                "take."
            ) from None
        return Redis(connection_pool=pool)

    def key(self, scope: Mapping[str, Any]) -> str:
        """The index key of a cache scope, as results of reruns and the feed give scopes. More than its parts may be in
        it."""
        # This is the application's own way to write it, byte for byte: it escapes what is not ASCII.
        parts = json.dumps({name: scope[name] for name in _PARTS}, sort_keys=True, separators=(",", ":"))
        return f"{self._prefix}{hashlib.sha256(parts.encode()).hexdigest()}"

    def delete(self, keys: Iterable[str]) -> int:
        """Delete keys, each once. Returns how many of them existed. Raises EconomyCacheAwayError."""
        # One command a key, since in a cluster they are on different servers.
        return sum(self._ask([("DEL", key) for key in dict.fromkeys(keys)]))

    def note_forgotten(self, act_id: int) -> None:
        """Note that the scopes of an act are deleted, so that ``forgotten`` finds it. Raises EconomyCacheAwayError."""
        self._ask([("SET", self._note(act_id), "1", "EX", str(_NOTE_SECONDS))])

    def forgotten(self, act_ids: Iterable[int]) -> set[int]:
        """Those of the acts whose scopes the API has deleted not long ago. Raises EconomyCacheAwayError.

        Deleted again, their results would be computed once more for nothing.
        """
        asked = list(act_ids)
        answers = self._ask([("EXISTS", self._note(act_id)) for act_id in asked])
        return {act_id for act_id, exists in zip(asked, answers, strict=True) if exists}

    def require_there(self) -> None:
        """Raises EconomyCacheAwayError where Redis does not answer."""
        self._ask([("PING",)])

    def _note(self, act_id: int) -> str:
        return f"{self._notes}{act_id}"

    def _ask(self, commands: list[tuple[str, ...]]) -> list[Any]:
        from redis.exceptions import RedisError

        answers: list[Any] = []
        try:
            for first in range(0, len(commands), _BATCH):
                with self._redis.pipeline(transaction=False) as pipeline:
                    for command in commands[first : first + _BATCH]:
                        pipeline.execute_command(*command)  # type: ignore[no-untyped-call]
                    answers += pipeline.execute()
        except (RedisError, OSError, ValueError) as error:
            raise EconomyCacheAwayError(self._reason(error)) from None
        return answers

    def _reason(self, error: Exception) -> str:
        text = " ".join(str(error).split())
        for secret in self._secrets:
            text = text.replace(secret, "***")
        return f"{type(error).__name__}: {text}" if text else type(error).__name__


def _passwords(url: str) -> set[str]:
    """The passwords in a URL, as they are written and as they are."""
    parts = urlsplit(url)
    written = [parts.password, *parse_qs(parts.query).get("password", [])]
    return {text for given in written if given for text in (given, unquote(given))}
