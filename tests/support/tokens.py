"""Tokens that an API accepts, the files of keys that verify them, and the APIs' settings."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from pyapi.api.auth import Authentication
from pyapi.settings import Settings

SECRET = "a secret of thirty-two bytes or more"
AUDIENCE, ISSUER = "reports", "https://issuer.example.org"
HOUR = 3600
# Of an API that takes tokens of any issuer and audience.
SETTINGS = Settings(None, None, Path(), 18, jwt_secret=SECRET)


def claims(**changed: Any) -> dict[str, Any]:
    """The claims of a good token; a claim that is None is left out."""
    good = {"sub": "alice", "scope": "reports:read", "aud": AUDIENCE, "iss": ISSUER, "exp": time.time() + HOUR}
    return {name: value for name, value in {**good, **changed}.items() if value is not None}


def signed(payload: Any = None, key: Any = SECRET, algorithm: str = "HS256", **headers: Any) -> str:
    return jwt.encode(claims() if payload is None else payload, key, algorithm, headers)


def authentication(**settings: Any) -> Authentication:
    made = Authentication.of(
        Settings(
            database=None,
            migration_database=None,
            data_folder=Path(),
            postgres_version=18,
            **{"jwt_audience": AUDIENCE, "jwt_issuer": ISSUER, **settings},
        )
    )
    assert made is not None
    return made


def jwk(key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey, kid: str | None, **more: Any) -> dict[str, Any]:
    """The public key as an entry of a JWKS file."""
    maker = jwt.algorithms.RSAAlgorithm if isinstance(key, rsa.RSAPrivateKey) else jwt.algorithms.ECAlgorithm
    public: dict[str, Any] = json.loads(maker.to_jwk(key.public_key()))  # type: ignore[arg-type]
    public.pop("key_ops", None)
    return {**public, **({} if kid is None else {"kid": kid}), **more}


def write_keys(path: Path, *keys: dict[str, Any]) -> None:
    """Replace the file as a deployment does: the time of its change is another one, whatever the clock's steps."""
    before = path.stat().st_mtime_ns if path.exists() else 0
    path.write_text(json.dumps({"keys": keys}))
    os.utime(path, ns=(before + 10**9, before + 10**9))
