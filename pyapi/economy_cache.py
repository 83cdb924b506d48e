"""The application's economy cache where it is not in the database but in Redis: which key a scope has, and deleting it.

The application finds its cached results by one index key for each scope. Without this key it computes again, so
nothing else of the cache is touched: the records expire by themselves.
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
# How many deletions are sent at once.
_BATCH = 1000


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
        each = list(dict.fromkeys(keys))
        return sum(sum(self._delete(each[first : first + _BATCH])) for first in range(0, len(each), _BATCH))

    def _delete(self, keys: list[str]) -> list[int]:
        from redis.exceptions import RedisError

        try:
            # One command a key, since in a cluster they are on different servers.
            with self._redis.pipeline(transaction=False) as pipeline:
                for key in keys:
                    pipeline.delete(key)
                deleted: list[int] = pipeline.execute()
                return deleted
        except (RedisError, OSError, ValueError) as error:
            raise EconomyCacheAwayError(self._reason(error)) from None

    def require_there(self) -> None:
        """Raises EconomyCacheAwayError where Redis does not answer."""
        from redis.exceptions import RedisError

        try:
            self._redis.ping()
        except (RedisError, OSError, ValueError) as error:
            raise EconomyCacheAwayError(self._reason(error)) from None

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
