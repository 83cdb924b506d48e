"""The route of the session: who calls, and what the caller may do."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from flask import Blueprint, jsonify

from pyapi.api.openapi import Stored, describes
from pyapi.api.requests import Reply, call

__all__ = ["session"]

session = Blueprint("session", __name__, url_prefix="/session")


class Session(Stored):
    """The caller as the token says, and the actions by permission, such as modules.headcount/0184."""

    sub: Any
    institutional_id: Any
    roles: list[Any]
    permissions: dict[str, list[str]]


@session.get("", strict_slashes=False)
@describes(Session)
def get_session() -> Reply:
    """The caller's roles and permissions."""
    [row] = call("public.carbon_permissions", columns="carbon_permissions as session")
    return jsonify(row["session"]), HTTPStatus.OK
