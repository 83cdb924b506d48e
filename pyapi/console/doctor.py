"""The page of the doctor: what is wrong with the installation, each finding with its remedy."""

from __future__ import annotations

import psycopg
from flask import Blueprint, request
from sqlalchemy import Engine
from sqlalchemy.exc import DBAPIError

from pyapi.api.requests import caller
from pyapi.console.pages import Page, page
from pyapi.console.remembered import Answer, remembered
from pyapi.doctor import Finding, examine

__all__ = ["doctor", "findings"]

doctor = Blueprint("doctor", __name__, url_prefix="/doctor")

# It asks much, and what it looks for changes seldom.
_SHORTEST_SECONDS = 60


def findings(*, anew: bool = False) -> Answer | None:
    """What the doctor finds with the rights of the API, as remembered. Raises Forbidden but for administrators.

    The doctor asks without the caller's claims, so it is the scope reports:admin that lets somebody see it.
    """
    engine, _ = caller()
    return remembered("doctor", lambda: _examine(engine), scope="admin", anew=anew, shortest_seconds=_SHORTEST_SECONDS)


def _examine(engine: Engine) -> list[Finding]:
    try:
        return examine(engine, migrates=False)
    except psycopg.Error as error:
        # The pages of errors know what SQLAlchemy makes of it.
        raise DBAPIError.instance("doctor", None, error, psycopg.Error, hide_parameters=True) from error


@doctor.get("")
def show() -> Page:
    """The findings: problems first, then what is worth knowing, then what this role cannot check."""
    answer = findings(anew=request.args.get("anew") == "1")
    found = answer.value if answer is not None else []
    return page(
        "doctor",
        answer=answer,
        checked=[finding for finding in found if not finding.is_unchecked],
        unchecked=[finding for finding in found if finding.is_unchecked],
    )
