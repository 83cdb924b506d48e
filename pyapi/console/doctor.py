"""The page of the doctor: what is wrong with the installation, each finding with its remedy."""

from __future__ import annotations

from flask import Blueprint, request

from pyapi.api.requests import caller
from pyapi.console.pages import Page, page
from pyapi.console.remembered import Answer, remembered
from pyapi.doctor import examine

__all__ = ["doctor", "findings"]

doctor = Blueprint("doctor", __name__, url_prefix="/doctor")


def findings(*, anew: bool = False) -> Answer | None:
    """What the doctor finds with the rights of the API, as remembered. Raises Forbidden but for administrators.

    The doctor asks without the caller's claims, so it is the scope reports:admin that lets somebody see it.
    """
    engine, _ = caller()
    return remembered("doctor", lambda: examine(engine, is_migrating=False), scope="admin", anew=anew)


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
