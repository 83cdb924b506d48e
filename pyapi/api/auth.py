"""Who calls the API. A token is verified here, and its claims are sent to the database with every call.

The database decides what a token may do, by its scopes. Without authentication every request acts as the local
operator, and the server listens only on an address that no other machine can reach.
"""

from __future__ import annotations

import json
import logging
import re
import time
from collections import OrderedDict
from collections.abc import Collection, Mapping
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from typing import Any, NamedTuple, Protocol
from urllib.parse import urlsplit

import jwt
from flask import Flask, request
from werkzeug.datastructures import WWWAuthenticate
from werkzeug.exceptions import Forbidden, Unauthorized

from pyapi.api.address import is_loopback
from pyapi.api.browsers import is_allowed
from pyapi.api.health import health
from pyapi.api.paths import CONSOLE
from pyapi.api.requests import act_as
from pyapi.settings import Settings

__all__ = [
    "LOCAL_OPERATOR",
    "Authentication",
    "TokenRefusedError",
    "is_from_another_origin",
    "issue_token",
    "register_authentication",
    "require_local_operator",
]

logger = logging.getLogger(__name__)

# The claims of every request where no authentication is configured.
LOCAL_OPERATOR = json.dumps(
    {
        "sub": "operator",
        "scope": "reports:read reports:write reports:work reports:rerun reports:admin",
        "roles": [{"role": "pgreprise.operator", "on": {"kind": "global"}}],
    }
)

# Health checks; and the metrics have a token of their own.
_WITHOUT_TOKEN = (health.name, "metrics")
# The clocks of issuer and API may differ by this much.
_LEEWAY_SECONDS = 10
_SHORTEST_RSA_BITS = 2048
_REMEMBERED_TOKENS = 1000
_BEARER = re.compile(r"bearer +(?P<token>\S+)", re.IGNORECASE)


class TokenRefusedError(Exception):
    """The token is refused. The message is for its sender, so it says nothing about the keys."""


# --- keys ------------------------------------------------------------------------------------


class _Keys(Protocol):
    def find(self, token: str) -> tuple[bytes | jwt.PyJWK, str]:
        """The key that must have signed the token, and the algorithm. Raises jwt.PyJWTError when there is none."""

    def current(self) -> object:
        """What stands for the keys that are in use now: another object when they are others."""


class _Secret:
    """All tokens are signed with one secret."""

    def __init__(self, secret: str) -> None:
        try:
            self._secret: bytes = jwt.get_algorithm_by_name("HS256").prepare_key(secret)
        except jwt.InvalidKeyError as error:
            raise ValueError(
                "PGREPRISE_JWT_SECRET is a key of a key pair and cannot be used as a secret. "
                "Set PGREPRISE_JWT_JWKS to a file of public keys instead."
            ) from error

    def find(self, token: str) -> tuple[bytes, str]:  # noqa: ARG002
        return self._secret, "HS256"

    def current(self) -> object:
        return self._secret


def _usable(entry: Any) -> jwt.PyJWK | None:
    """The key of an entry, None when it is of a kind that verifies no tokens.

    Raises ValueError, or what pyjwt raises, for a private key and for one that is short or cannot be read.
    """
    match entry:
        case {"kty": "RSA", "kid": str()}:
            algorithm = "RS256"
        case {"kty": "EC", "crv": "P-256", "kid": str()}:
            algorithm = "ES256"
        case _:
            return None
    if "d" in entry:
        raise ValueError(f"key {entry['kid']!r} is a private key, and the API needs public keys only")
    operations = entry.get("key_ops", ["verify"])
    if entry.get("alg", algorithm) != algorithm or entry.get("use", "sig") != "sig" or "verify" not in operations:
        return None
    key = jwt.PyJWK(entry, algorithm)
    if algorithm == "RS256" and key.key.key_size < _SHORTEST_RSA_BITS:
        raise ValueError(f"key {entry['kid']!r} is shorter than {_SHORTEST_RSA_BITS} bits")
    return key


def _read_keys(path: Path) -> dict[str, jwt.PyJWK]:
    """The keys of a JWKS file by their kid. A key that cannot be used is left out and logged, and the others are used.

    Raises ValueError, with the reason, when the file holds no key that can be used.
    """
    try:
        # With or without a byte order mark.
        content = json.loads(path.read_bytes())
        entries = content["keys"] if isinstance(content, dict) else None
        if not isinstance(entries, list):
            raise ValueError('it is not an object with a list "keys"')
        keys, left_out = _sorted_out(entries)
        if not keys:
            raise ValueError("; ".join(left_out) or "it holds no public key for RS256 or ES256 with a kid")
    except OSError as error:
        raise ValueError(f"PGREPRISE_JWT_JWKS: cannot read {path}: {error.strerror}.") from error
    except KeyError as error:
        raise ValueError(f'PGREPRISE_JWT_JWKS: {path} cannot be used: it has no "keys".') from error
    except (ValueError, TypeError, RecursionError, jwt.PyJWTError) as error:
        raise ValueError(f"PGREPRISE_JWT_JWKS: {path} cannot be used: {error}.") from error
    for reason in left_out:
        logger.warning("PGREPRISE_JWT_JWKS: a key of %s is not used: %s.", path, reason)
    return keys


def _sorted_out(entries: list[Any]) -> tuple[dict[str, jwt.PyJWK], list[str]]:
    """The keys that can be used, by their kid, and why others cannot."""
    found: dict[str, list[jwt.PyJWK]] = {}
    left_out: list[str] = []
    for entry in entries:
        try:
            key = _usable(entry)
        except (ValueError, TypeError, RecursionError, OverflowError, jwt.PyJWTError) as error:
            reason = str(error)
            left_out.append(reason if reason.startswith("key ") else f"key {entry['kid']!r} cannot be read: {reason}")
            continue
        if key is not None:
            found.setdefault(str(key.key_id), []).append(key)
    # Nobody can tell which of two is meant.
    left_out += [f"two keys have the kid {kid!r}" for kid, keys in found.items() if len(keys) > 1]
    return {kid: keys[0] for kid, keys in found.items() if len(keys) == 1}, left_out


class _KeyFile:
    """The public keys of a JWKS file. The file is read again when it changes, so that keys can be rotated.

    When the changed file cannot be used, this is logged and the earlier keys stay in use.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._stamp = self._stamp_now()
        self._keys = _read_keys(path)

    def find(self, token: str) -> tuple[jwt.PyJWK, str]:
        kid = jwt.get_unverified_header(token).get("kid", "")
        try:
            key = self.current()[kid]
        except KeyError:
            raise jwt.InvalidKeyError("no such kid") from None
        return key, key.algorithm_name

    def current(self) -> dict[str, jwt.PyJWK]:
        stamp = self._stamp_now()
        if stamp != self._stamp:
            self._stamp = stamp
            try:
                self._keys = _read_keys(self._path)
            except ValueError as error:
                logger.warning("The earlier keys stay in use. %s", error)
        return self._keys

    def _stamp_now(self) -> tuple[int, ...] | None:
        # Taken before the file is read, so that a later change is seen the next time.
        try:
            status = self._path.stat()
        except OSError:
            return None
        return status.st_mtime_ns, status.st_size, status.st_ino


# --- tokens ----------------------------------------------------------------------------------


def _reason(error: jwt.PyJWTError) -> str:
    match error:
        case jwt.ExpiredSignatureError():
            return "The token has expired."
        case jwt.ImmatureSignatureError():
            return "The token is not valid yet."
        case jwt.InvalidAudienceError():
            return "The token is for another audience."
        case jwt.InvalidIssuerError():
            return "The token is from another issuer."
        case jwt.MissingRequiredClaimError():
            return f"The token lacks the claim {error.claim}."
        case jwt.InvalidSignatureError() | jwt.InvalidAlgorithmError() | jwt.InvalidKeyError():
            return "The token is not signed with a key and an algorithm that this API accepts."
    return "The token is malformed."


def _text_for_postgresql(claims: Mapping[str, Any]) -> str:
    """The claims as JSON text. Raises ValueError when the database could not read them."""
    text = json.dumps(claims, ensure_ascii=False, allow_nan=False)
    # Raises UnicodeEncodeError, which is a ValueError, for half of a surrogate pair.
    text.encode()
    if any("\0" in part for part in _texts(claims)):
        raise ValueError("NUL")
    return text


def _texts(value: object) -> list[str]:
    match value:
        case str():
            return [value]
        case dict():
            return [text for pair in value.items() for part in pair for text in _texts(part)]
        case list():
            return [text for item in value for text in _texts(item)]
    return []


class _Verified(NamedTuple):
    """A token that was accepted: its claims as JSON text, until when it is valid, and the keys of that time."""

    claims: str
    expires_at: int
    keys: object


class Authentication:
    """Verifies tokens with the keys, the audience and the issuer of the settings.

    A client sends one token many times, and verifying it costs as much as a short call. So the last tokens that were
    accepted are remembered, by their hash: until they expire, and as long as the keys are the same.
    """

    def __init__(self, keys: _Keys, *, audience: str | None = None, issuer: str | None = None) -> None:
        self._keys = keys
        self._audience = audience
        self._issuer = issuer
        self._jwt = jwt.PyJWT({"require": ["exp", "sub"], "enforce_minimum_key_length": True})
        self._verified: OrderedDict[bytes, _Verified] = OrderedDict()

    @classmethod
    def of(cls, settings: Settings) -> Authentication | None:
        """From the settings; None when they have no key. Raises ValueError for a key that cannot be used."""
        keys: _Keys
        if settings.jwt_secret is not None:
            keys = _Secret(settings.jwt_secret)
        elif settings.jwt_jwks is not None:
            keys = _KeyFile(settings.jwt_jwks)
        else:
            return None
        return cls(keys, audience=settings.jwt_audience, issuer=settings.jwt_issuer)

    def verify(self, token: str) -> str:
        """The claims of a token as JSON text. Raises TokenRefusedError unless the token is valid."""
        name = sha256(token.encode()).digest()
        keys = self._keys.current()
        known = self._verified.get(name)
        if known is not None and known.keys is keys and time.time() - _LEEWAY_SECONDS < known.expires_at:
            return known.claims
        claims, expires_at = self._read(token)
        # Keys that changed meanwhile are others, and the token is verified anew with them.
        self._verified[name] = _Verified(claims, expires_at, keys)
        while len(self._verified) > _REMEMBERED_TOKENS:
            # Another thread may take it first.
            with suppress(KeyError):
                self._verified.popitem(last=False)
        return claims

    def _read(self, token: str) -> tuple[str, int]:
        """The claims of a valid token, and when it expires, in seconds since 1970."""
        try:
            key, algorithm = self._keys.find(token)
            claims = self._jwt.decode(
                token,
                key,
                [algorithm],
                audience=self._audience,
                issuer=self._issuer,
                leeway=_LEEWAY_SECONDS,
            )
        except jwt.PyJWTError as error:
            raise TokenRefusedError(_reason(error)) from error
        except ValueError as error:
            raise TokenRefusedError("The token is malformed.") from error
        if not claims["sub"].strip():
            raise TokenRefusedError("The token lacks the claim sub.")
        try:
            return _text_for_postgresql(claims), int(claims["exp"])
        except (ValueError, RecursionError) as error:
            raise TokenRefusedError("The token holds a claim that the database cannot store.") from error


def issue_token(settings: Settings, claims: Mapping[str, Any], *, lifetime_seconds: int) -> str:
    """A token with these claims, to try the API with.

    Raises ValueError when there is no PGREPRISE_JWT_SECRET to sign it with.
    """
    if settings.jwt_secret is None:
        raise ValueError(
            "PGREPRISE_JWT_SECRET is not set, and tokens are signed with it. (With PGREPRISE_JWT_JWKS, tokens come "
            "from the owner of the private keys. Without either setting the API needs no token.)"
        )
    key, algorithm = _Secret(settings.jwt_secret).find("")
    now = int(time.time())
    expected = {"aud": settings.jwt_audience, "iss": settings.jwt_issuer}
    payload = {
        **claims,
        **{name: value for name, value in expected.items() if value is not None},
        "iat": now,
        "exp": now + lifetime_seconds,
    }
    return jwt.encode(payload, key, algorithm)


# --- requests --------------------------------------------------------------------------------


def _unauthorized(message: str, **error: str) -> Unauthorized:
    # Written by hand, because the realm must be quoted, and werkzeug quotes a value only when it must.
    parameters = ", ".join(f'{name}="{value}"' for name, value in {"realm": "pgreprise", **error}.items())
    return Unauthorized(message, www_authenticate=WWWAuthenticate("bearer", token=parameters))


def _claims_of_request(authentication: Authentication) -> str:
    header = request.headers.get("Authorization")
    if header is None:
        # RFC 6750: a request without a token gets no error code.
        raise _unauthorized("This API needs a token. Send it in the header: Authorization: Bearer TOKEN.")
    try:
        found = _BEARER.fullmatch(header)
        if found is None:
            raise TokenRefusedError("The header Authorization is malformed. Write it as: Bearer TOKEN.")
        return authentication.verify(found["token"])
    except TokenRefusedError as refused:
        raise _unauthorized(str(refused), error="invalid_token", error_description=str(refused)) from refused


def is_from_another_origin() -> bool:
    """Whether the browser says that a page of another origin sends the request."""
    origin = request.headers.get("Origin")
    if origin is None:
        return False
    try:
        return urlsplit(origin).netloc != request.host
    except ValueError:
        # It is no origin.
        return True


def require_local_operator(origins: Collection[str] = ()) -> None:
    """Refuse requests that a foreign web page sends through a browser on this machine.

    Such a request has the page's origin; those of ``origins`` are let in. If the page's host name was changed to
    lead here, it has that host name.
    """
    host = urlsplit(f"//{request.host}").hostname or ""
    is_foreign = is_from_another_origin() and not is_allowed(request.headers.get("Origin"), origins)
    if not is_loopback(host) or is_foreign:
        raise Forbidden(
            "Without a key the API answers only requests to 127.0.0.1 or localhost, and none from a web page of "
            "another origin. To allow others, set PGREPRISE_JWT_SECRET or PGREPRISE_JWT_JWKS, or name the origin of "
            "the page in PGREPRISE_CORS_ORIGINS."
        )


def register_authentication(app: Flask, authentication: Authentication | None, origins: Collection[str] = ()) -> None:
    """Let every request act with the claims of its token, or as the local operator without ``authentication``.

    Health checks need no token. All other paths need one. This includes unknown paths, so that nobody without a token
    learns which paths exist. The pages of the console find out by themselves who signed in.
    """

    @app.before_request
    def authenticate() -> None:
        if CONSOLE in request.blueprints:
            return
        if authentication is None:
            require_local_operator(origins)
            act_as(LOCAL_OPERATOR)
        elif request.blueprint in _WITHOUT_TOKEN:
            act_as(None)
        else:
            act_as(_claims_of_request(authentication))
