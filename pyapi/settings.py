"""Settings from the environment: which database, and how the API checks tokens."""

from __future__ import annotations

import json
import os
import re
from dataclasses import dataclass, field
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

import psycopg
from psycopg.conninfo import conninfo_to_dict
from sqlalchemy import URL

__all__ = ["PREFIX", "Settings", "database_url"]

_URL_FORM = (
    "Write it as postgresql://user:password@host:5432/database, with several hosts as host1:5432,host2:5432. "
    "In a password, write : / ? # @ and % as %3A %2F %3F %23 %40 and %25."
)
# RFC 7518, section 3.2: at least as long as the hash.
_SHORTEST_SECRET_BYTES = 32


def database_url(text: str, name: str = "DATABASE_URL") -> URL:
    """The URL that SQLAlchemy and psycopg 3 need, from a PostgreSQL URL as libpq knows it: several hosts, too.

    ``name`` is the setting. With several hosts and no target_session_attrs the one that can be written to is wanted,
    and for PGREPRISE_READ_URL preferably a standby.
    Raises ValueError, without any part of the text but a scheme: it may hold a password.
    """
    scheme, separator, rest = text.strip().partition("://")
    kind = scheme.partition("+")[0]
    if separator and kind not in ("postgresql", "postgres") and re.fullmatch(r"[a-z]+[a-z0-9+.-]{0,20}", scheme):
        raise ValueError(f"{name} is a {scheme} URL, but pgreprise needs PostgreSQL. {_URL_FORM}")
    if not separator or kind not in ("postgresql", "postgres"):
        raise ValueError(f"{name} is not the URL of a database. {_URL_FORM}")
    try:
        given = conninfo_to_dict(f"postgresql://{rest}")
    except psycopg.ProgrammingError:
        raise ValueError(f"{name} is not a URL that PostgreSQL's clients can read. {_URL_FORM}") from None
    hosts, ports = str(given.get("host", "")), str(given.get("port", ""))
    if not all(
        not port or (port.isdecimal() and port.isascii() and 0 < int(port) < 65536) for port in ports.split(",")
    ):
        raise ValueError(f"{name} has a port that is no number between 1 and 65535. {_URL_FORM}")
    several = "," in hosts
    if several:
        given.setdefault("target_session_attrs", "prefer-standby" if name == "PGREPRISE_READ_URL" else "read-write")
    # Several hosts, and the folder of a socket, are no part of SQLAlchemy's own form of an address.
    is_address = bool(hosts) and not several and not hosts.startswith(("/", "@"))
    own = {"user", "password", "dbname"} | ({"host", "port"} if is_address else set())
    return URL.create(
        "postgresql+psycopg",
        username=_text(given.get("user")),
        password=_text(given.get("password")),
        host=hosts if is_address else None,
        port=int(ports) if is_address and ports else None,
        database=_text(given.get("dbname")),
        query={key: str(value) for key, value in given.items() if key not in own},
    )


def _database(name: str, text: str | None) -> URL | None:
    return None if text is None else database_url(text, name)


# One word, which is in tokens of previews and in messages.
_SERVER = re.compile(r"(?P<name>[a-z][a-z0-9_]{0,29})=(?P<url>\S+)")


def _named_urls(setting: str, what: str, text: str | None) -> dict[str, URL]:
    """Servers or routers by name, in the order given. Raises ValueError."""
    found: dict[str, URL] = {}
    for part in (text or "").split():
        match = _SERVER.fullmatch(part)
        # A comma between two would be a part of the first one's database.
        if match is None or match["name"] in found or match["url"].count("://") > 1:
            raise ValueError(
                f"{setting} names each {what} once, as a=postgresql://user@host/database "
                "b=postgresql://user@otherhost/database. A name has small letters, digits and underscores."
            )
        found[match["name"]] = database_url(match["url"], setting)
    return found


def _is_pooled(text: str | None) -> bool | None:
    match text:
        case None:
            return None
        case "transaction" | "session" as mode:
            return mode == "transaction"
    raise ValueError("PGREPRISE_POOLER is transaction or session. Unset it, and each connection finds out.")


def _call_timeout(text: str | None) -> float:
    found = re.fullmatch(r"[0-9]{1,4}(?:\.[0-9]{1,3})?", text or "30", re.ASCII)
    if found is None or not 1 <= float(found[0]) <= 3600:
        raise ValueError(f"PGREPRISE_CALL_TIMEOUT is {text!r}. It is a number of seconds between 1 and 3600.")
    return float(found[0])


def _metrics_token(token: str | None) -> str | None:
    if token is None:
        return None
    if len(token) < _SHORTEST_METRICS_TOKEN or not token.isascii() or not token.isprintable() or " " in token:
        raise ValueError(
            f"PGREPRISE_METRICS_TOKEN must have {_SHORTEST_METRICS_TOKEN} characters or more, of ASCII and without "
            "blanks. For example the output of `openssl rand -hex 16`."
        )
    return token


def _one_of(name: str, text: str | None, *words: str) -> str:
    """The value of a setting that is one of some words; the first one is the default."""
    if text is not None and text not in words:
        raise ValueError(f"{name} is {text!r}. It is {' or '.join(words)}.")
    return text or words[0]


def _proxies(text: str | None, *, has_key: bool) -> int:
    name = "PGREPRISE_PROXIES"
    given = text or "0"
    if re.fullmatch(r"[0-9]|10", given, re.ASCII) is None:
        raise ValueError(f"{name} is {text!r}. It is the number of proxies that are trusted, 0 to 10.")
    if given != "0" and not has_key:
        raise ValueError(
            f"{name} is set, but there is no key, so everybody who reaches the proxy could act as the operator. "
            "Set PGREPRISE_JWT_SECRET or PGREPRISE_JWT_JWKS too."
        )
    return int(given)


# No prefix can be taken for a host, another folder or a part of a header.
PREFIX = re.compile(r"(?:/(?!\.{1,2}(?:/|\Z))[A-Za-z0-9._~-]+)+")


def _prefix(text: str | None) -> str:
    given = (text or "").rstrip("/")
    if given and PREFIX.fullmatch(given) is None:
        raise ValueError(f"SCRIPT_NAME is {text!r}. It is the path that the API is below, such as /reports.")
    return given


def _console(text: str | None) -> bool | None:
    return None if text is None else _one_of("PGREPRISE_CONSOLE", text, "off", "on") == "on"


# The name of a header, as RFC 9110 has it, without the underscores that WSGI takes for hyphens.
_HEADER = re.compile(r"[A-Za-z][A-Za-z0-9-]{0,63}")
# What programs of this machine only can come from.
_OWN_ADDRESSES = "127.0.0.0/8 ::1/128"


def _user_header(name: str | None, *, has_key: bool) -> str | None:
    setting = "PGREPRISE_CONSOLE_USER_HEADER"
    if name is None:
        return None
    if _HEADER.fullmatch(name) is None or name.lower() in ("authorization", "cookie", "host"):
        raise ValueError(f"{setting} is {name!r}. It is the name of the header in which the proxy names the user.")
    if not has_key:
        raise ValueError(
            f"{setting} is set, but there is no key, so everybody who reaches the proxy could act as the operator. "
            "Set PGREPRISE_JWT_SECRET or PGREPRISE_JWT_JWKS too."
        )
    return name


def _user_claims(text: str | None) -> dict[str, Any]:
    name = "PGREPRISE_CONSOLE_CLAIMS"
    try:
        claims = json.loads(text or '{"scope": "reports:read"}')
    except ValueError:
        claims = None
    if not isinstance(claims, dict) or not isinstance(claims.get("scope"), str) or "sub" in claims:
        raise ValueError(
            f"{name} must be a JSON object with the scopes of those whom the proxy lets in, without sub, such as "
            '{"scope": "reports:read reports:rerun"}.'
        )
    return claims


def _networks(text: str | None) -> tuple[IPv4Network | IPv6Network, ...]:
    try:
        return tuple(ip_network(part) for part in (text or _OWN_ADDRESSES).replace(",", " ").split())
    except ValueError as error:
        raise ValueError(
            f"PGREPRISE_CONSOLE_PROXY lists the addresses or networks of the proxy, such as 10.0.0.0/8: {error}."
        ) from error


def _text(value: object) -> str | None:
    return None if value is None else str(value)


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


def _redis_url(url: str | None) -> str | None:
    """The URL of a Redis. Raises ValueError, without any part of the text: it may hold a password."""
    if url is not None and not _is_redis_url(url):
        raise ValueError(
            "PGREPRISE_REDIS_URL is not the URL of a Redis. Write it as redis://user:password@host:6379/0, as "
            "rediss://... for TLS or as unix:///path/to/socket?db=0. In a password, write : / ? # @ and % as %3A %2F "
            "%3F %23 %40 and %25."
        )
    return url


def _given(name: str, value: str) -> str:
    """The value without the white space at its ends, as a file or a here-document adds it."""
    # An empty secret is probably a mistake. Without this check the API would run without authentication.
    if not value.strip():
        raise ValueError(f"{name} is set but empty. Give it a value, or unset it.")
    return value.strip()


_SHORTEST_METRICS_TOKEN = 16
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
    PGREPRISE_READ_URL: the URL of a read replica of that database, which answers GETs.
    PGREPRISE_SHARDS: the servers behind a router, by name, for the commands that go to each of them.
    PGREPRISE_ROUTERS: the routers before those servers, by name, where there are several; the commands tell each of
    them.
    PGREPRISE_POOLER: ``transaction`` where a transaction pooler is in between, ``session`` where none or a session
    pooler is; by default each connection finds out.
    PGREPRISE_CALL_TIMEOUT: how many seconds a call of the API may take in the database.
    PGREPRISE_DATA: the folder of the embedded server, ``.pgreprise`` in the current folder by default.
    PGREPRISE_POSTGRES_VERSION: the major version of the embedded server, 16 or 18.
    PGREPRISE_JWT_SECRET: the secret that tokens are signed with (HS256), or
    PGREPRISE_JWT_JWKS: the file with the public keys of the issuer of the tokens (RS256, ES256).
    PGREPRISE_JWT_AUDIENCE, PGREPRISE_JWT_ISSUER: the claims aud and iss that tokens must have.
    PGREPRISE_REDIS_URL: the Redis in which the application keeps its economy cache, if it does.
    RUNTIME_CACHE_ENVIRONMENT, RUNTIME_CACHE_SERVICE: names in the keys of that cache. They have the names and the
    values that the application has them under; without the URL they are not read.
    PGREPRISE_METRICS_TOKEN: the token of those who may read the metrics; without it there are none.
    PGREPRISE_LOG_FORMAT: ``text`` or ``json``.
    PGREPRISE_ACCESS_LOG: ``on`` to log each request.
    PGREPRISE_CORS_ORIGINS: the origins of the web pages that may call the API, or ``*``.
    PGREPRISE_PROXIES: how many proxies before the API are believed what they say of a client.
    PGREPRISE_CONSOLE: ``on`` or ``off``; by default the console is on where only this machine reaches the API.
    PGREPRISE_CONSOLE_USER_HEADER: the header in which a proxy that authenticates names who uses the console.
    PGREPRISE_CONSOLE_CLAIMS: what those may do, as the claims of a token without sub; reading, by default.
    PGREPRISE_CONSOLE_PROXY: the addresses or networks from which that header is believed; this machine, by default.
    SCRIPT_NAME: the path below which the API serves, by the name that WSGI servers have for it.
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
    read_database: URL | None = None
    shards: dict[str, URL] = field(default_factory=dict)
    routers: dict[str, URL] = field(default_factory=dict)
    is_pooled: bool | None = None
    call_timeout_seconds: float = 30
    metrics_token: str | None = field(default=None, repr=False)
    logs_json: bool = False
    access_log: bool = False
    proxies: int = 0
    prefix: str = ""
    console: bool | None = None
    console_user_header: str | None = None
    console_claims: dict[str, Any] = field(default_factory=dict)
    console_proxies: tuple[IPv4Network | IPv6Network, ...] = ()

    @classmethod
    def from_environment(cls) -> Settings:
        """Read the settings. Raises ValueError for a value that cannot be used."""
        environ = {
            name: _given(name, value)
            for name, value in os.environ.items()
            if name.startswith("PGREPRISE_") or name == "DATABASE_URL"
        }
        # Without a database the embedded server is used. Nobody who sets an empty URL means that.
        database = environ.get("DATABASE_URL")
        own_migration = environ.get("PGREPRISE_MIGRATION_URL")
        migration = own_migration or database
        data_folder = environ.get("PGREPRISE_DATA") or ".pgreprise"
        version = environ.get("PGREPRISE_POSTGRES_VERSION") or "18"
        if version not in ("16", "18"):
            raise ValueError(f"PGREPRISE_POSTGRES_VERSION is {version!r}. The embedded server has version 16 or 18.")
        secret = environ.get("PGREPRISE_JWT_SECRET")
        key_file = environ.get("PGREPRISE_JWT_JWKS")
        audience = environ.get("PGREPRISE_JWT_AUDIENCE")
        issuer = environ.get("PGREPRISE_JWT_ISSUER")
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
        redis_url = _redis_url(environ.get("PGREPRISE_REDIS_URL"))
        names = {
            "RUNTIME_CACHE_ENVIRONMENT": os.environ.get("RUNTIME_CACHE_ENVIRONMENT", "").strip() or None,
            "RUNTIME_CACHE_SERVICE": os.environ.get("RUNTIME_CACHE_SERVICE", "").strip() or None,
        }
        if redis_url is not None and (missing := [name for name, value in names.items() if value is None]):
            raise ValueError(
                f"PGREPRISE_REDIS_URL needs {' and '.join(missing)} too: the values that the application itself has."
            )
        return cls(
            database=_database("DATABASE_URL", database),
            migration_database=_database("PGREPRISE_MIGRATION_URL" if own_migration else "DATABASE_URL", migration),
            read_database=_database("PGREPRISE_READ_URL", environ.get("PGREPRISE_READ_URL")),
            shards=_named_urls("PGREPRISE_SHARDS", "server", environ.get("PGREPRISE_SHARDS")),
            routers=_named_urls("PGREPRISE_ROUTERS", "router", environ.get("PGREPRISE_ROUTERS")),
            call_timeout_seconds=_call_timeout(environ.get("PGREPRISE_CALL_TIMEOUT")),
            metrics_token=_metrics_token(environ.get("PGREPRISE_METRICS_TOKEN")),
            logs_json=_one_of(
                "PGREPRISE_LOG_FORMAT",
                environ.get("PGREPRISE_LOG_FORMAT"),
                "text",
                "json",
            )
            == "json",
            access_log=_one_of(
                "PGREPRISE_ACCESS_LOG",
                environ.get("PGREPRISE_ACCESS_LOG"),
                "off",
                "on",
            )
            == "on",
            is_pooled=_is_pooled(environ.get("PGREPRISE_POOLER")),
            data_folder=Path(data_folder).absolute(),
            postgres_version=int(version),
            jwt_secret=secret,
            jwt_jwks=Path(key_file).absolute() if key_file is not None else None,
            jwt_audience=audience,
            jwt_issuer=issuer,
            redis_url=redis_url,
            cache_environment=names["RUNTIME_CACHE_ENVIRONMENT"],
            cache_service=names["RUNTIME_CACHE_SERVICE"],
            proxies=_proxies(environ.get("PGREPRISE_PROXIES"), has_key=not secret is key_file is None),
            console=_console(environ.get("PGREPRISE_CONSOLE")),
            console_user_header=_user_header(
                environ.get("PGREPRISE_CONSOLE_USER_HEADER"),
                has_key=not secret is key_file is None,
            ),
            console_claims=_user_claims(environ.get("PGREPRISE_CONSOLE_CLAIMS")),
            console_proxies=_networks(environ.get("PGREPRISE_CONSOLE_PROXY")),
            prefix=_prefix(os.environ.get("SCRIPT_NAME")),
            cors_origins=_origins(
                environ.get("PGREPRISE_CORS_ORIGINS") or "",
                has_key=not secret is key_file is None,
            ),
        )
