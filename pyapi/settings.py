"""Settings from the environment: which database, and how the API checks tokens."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import parse_qsl, unquote, urlsplit

from sqlalchemy import URL, make_url

__all__ = ["Settings", "database_url"]

# RFC 7518, section 3.2: at least as long as the hash.
_SHORTEST_SECRET_BYTES = 32


def database_url(text: str) -> URL:
    """The URL that SQLAlchemy and psycopg 3 need, from a PostgreSQL URL as people write it.

    Raises ValueError when ``text`` is not the URL of a PostgreSQL database.
    """
    try:
        url = make_url(text)
    except Exception as error:
        raise ValueError(f"{text!r} is not a database URL. Write it as postgresql://user@host/database.") from error
    if url.get_backend_name() not in ("postgresql", "postgres"):
        raise ValueError(f"pgreprise needs PostgreSQL, not {url.get_backend_name()}.")
    return url.set(drivername="postgresql+psycopg")


def _is_redis_url(text: str) -> bool:
    if any(character.isspace() or not character.isprintable() for character in text):
        return False
    try:
        url = urlsplit(text)
        parse_qsl(url.query, strict_parsing=bool(url.query))
        # Reading the port checks it. A password that is not percent-encoded often ends up there.
        port = url.port
    except ValueError:
        return False
    if url.fragment:
        return False
    if url.scheme == "unix":
        return url.path not in ("", "/") and not url.hostname
    path = unquote(url.path).removeprefix("/")
    return url.scheme in ("redis", "rediss") and bool(url.hostname) and port != 0 and (not path or path.isdecimal())


def _redis_url(text: str | None) -> str | None:
    """The URL of a Redis. Raises ValueError, without any part of the text: it may hold a password."""
    url = _given("PGREPRISE_REDIS_URL", text)
    if url is not None and not _is_redis_url(url):
        raise ValueError(
            "PGREPRISE_REDIS_URL is not the URL of a Redis. Write it as redis://user:password@host:6379/0, as "
            "rediss://... for TLS or as unix:///path/to/socket?db=0. In a password, write : / ? # @ and % as %3A %2F "
            "%3F %23 %40 and %25."
        )
    return url


def _given(name: str, value: str | None) -> str | None:
    # An empty secret is probably a mistake. Without this check the API would run without authentication.
    if value is not None and not value.strip():
        raise ValueError(f"{name} is set but empty. Give it a value, or unset it.")
    return value


_ORIGIN = re.compile(
    r"(?P<scheme>[a-z][a-z0-9+.-]*)://(?P<host>[a-z0-9_-]+(?:\.[a-z0-9_-]+)*|\[[0-9a-f:.]+\])(?::(?P<port>[0-9]{1,5}))?"
)
_DEFAULT_PORTS = {"http": 80, "https": 443}


def _origins(text: str, *, has_key: bool) -> tuple[str, ...]:
    """The web origins of a list, each as a browser writes it. Raises ValueError for anything else."""
    name = "PGREPRISE_CORS_ORIGINS"
    given = text.lower().replace(",", " ").split()
    if "*" in given:
        if given != ["*"]:
            raise ValueError(f"{name} names * and others. Set only *, or only the others.")
        if not has_key:
            raise ValueError(
                f"{name} is *, but there is no key, so every web page could act as the operator. "
                "Set PGREPRISE_JWT_SECRET or PGREPRISE_JWT_JWKS too, or name the origins."
            )
        return ("*",)
    found: dict[str, None] = {}
    for origin in given:
        match = _ORIGIN.fullmatch(origin)
        port = int(match["port"]) if match and match["port"] else None
        if match is None or not 0 < (port or 1) < 65536:
            raise ValueError(f"{name}: {origin!r} is not an origin. Write it as scheme://host or scheme://host:port.")
        # A browser leaves out the port that its scheme has anyway.
        suffix = "" if port in (None, _DEFAULT_PORTS.get(match["scheme"])) else f":{port}"
        found[f"{match['scheme']}://{match['host']}{suffix}"] = None
    return tuple(found)


@dataclass(frozen=True)
class Settings:
    """Settings from environment variables. Where ``database`` is None, the embedded server is used.

    DATABASE_URL: the URL of the database.
    PGREPRISE_MIGRATION_URL: the URL of the same database for a role that may migrate and administer it;
    DATABASE_URL by default.
    PGREPRISE_DATA: the folder of the embedded server, ``.pgreprise`` in the current folder by default.
    PGREPRISE_POSTGRES_VERSION: the major version of the embedded server, 16 or 18.
    PGREPRISE_JWT_SECRET: the secret that tokens are signed with (HS256), or
    PGREPRISE_JWT_JWKS: the file with the public keys of the issuer of the tokens (RS256, ES256).
    PGREPRISE_JWT_AUDIENCE, PGREPRISE_JWT_ISSUER: the claims aud and iss that tokens must have.
    PGREPRISE_REDIS_URL: the Redis in which the application keeps its economy cache, if it does.
    RUNTIME_CACHE_ENVIRONMENT, RUNTIME_CACHE_SERVICE: names in the keys of that cache. They have the names and the
    values that the application has them under; without the URL they are not read.
    PGREPRISE_CORS_ORIGINS: the origins of the web pages that may call the API, or ``*``.
    """

    database: URL | None
    migration_database: URL | None
    data_folder: Path
    postgres_version: int
    jwt_secret: str | None = field(default=None, repr=False)
    jwt_jwks: Path | None = None
    jwt_audience: str | None = None
    jwt_issuer: str | None = None
    redis_url: str | None = field(default=None, repr=False)
    cache_environment: str | None = None
    cache_service: str | None = None
    cors_origins: tuple[str, ...] = ()

    @classmethod
    def from_environment(cls) -> Settings:
        """Read the settings. Raises ValueError for a value that cannot be used."""
        # Without a database the embedded server is used. Nobody who sets an empty URL means that.
        database = _given("DATABASE_URL", os.environ.get("DATABASE_URL"))
        migration = _given("PGREPRISE_MIGRATION_URL", os.environ.get("PGREPRISE_MIGRATION_URL")) or database
        data_folder = _given("PGREPRISE_DATA", os.environ.get("PGREPRISE_DATA")) or ".pgreprise"
        version = os.environ.get("PGREPRISE_POSTGRES_VERSION", "18")
        if version not in ("16", "18"):
            raise ValueError(f"PGREPRISE_POSTGRES_VERSION is {version!r}. The embedded server has version 16 or 18.")
        secret = _given("PGREPRISE_JWT_SECRET", os.environ.get("PGREPRISE_JWT_SECRET"))
        key_file = _given("PGREPRISE_JWT_JWKS", os.environ.get("PGREPRISE_JWT_JWKS"))
        audience = _given("PGREPRISE_JWT_AUDIENCE", os.environ.get("PGREPRISE_JWT_AUDIENCE"))
        issuer = _given("PGREPRISE_JWT_ISSUER", os.environ.get("PGREPRISE_JWT_ISSUER"))
        if secret is not None and key_file is not None:
            raise ValueError("PGREPRISE_JWT_SECRET and PGREPRISE_JWT_JWKS are both set. Set only one of them.")
        if secret is None and key_file is None and not audience is issuer is None:
            raise ValueError(
                "PGREPRISE_JWT_AUDIENCE or PGREPRISE_JWT_ISSUER is set, but there is no key to verify tokens with. "
                "Set PGREPRISE_JWT_SECRET or PGREPRISE_JWT_JWKS too."
            )
        if secret is not None and len(secret.encode()) < _SHORTEST_SECRET_BYTES:
            raise ValueError(
                f"PGREPRISE_JWT_SECRET is too short. HS256 needs {_SHORTEST_SECRET_BYTES} bytes or more, "
                "for example the output of `openssl rand -base64 32`."
            )
        redis_url = _redis_url(os.environ.get("PGREPRISE_REDIS_URL"))
        names = {
            "RUNTIME_CACHE_ENVIRONMENT": os.environ.get("RUNTIME_CACHE_ENVIRONMENT"),
            "RUNTIME_CACHE_SERVICE": os.environ.get("RUNTIME_CACHE_SERVICE"),
        }
        if redis_url is not None and (missing := [name for name, value in names.items() if not (value or "").strip()]):
            raise ValueError(
                f"PGREPRISE_REDIS_URL needs {' and '.join(missing)} too: the values that the application itself has."
            )
        return cls(
            database=database_url(database) if database else None,
            migration_database=database_url(migration) if migration else None,
            data_folder=Path(data_folder).absolute(),
            postgres_version=int(version),
            jwt_secret=secret,
            jwt_jwks=Path(key_file).absolute() if key_file is not None else None,
            jwt_audience=audience,
            jwt_issuer=issuer,
            redis_url=redis_url,
            cache_environment=names["RUNTIME_CACHE_ENVIRONMENT"],
            cache_service=names["RUNTIME_CACHE_SERVICE"],
            cors_origins=_origins(os.environ.get("PGREPRISE_CORS_ORIGINS", ""), has_key=not secret is key_file is None),
        )
