"""Tokens that an API accepts, and the APIs' settings that accept them."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import jwt

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
