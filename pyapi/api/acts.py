"""Acts on reports, for the routes and for the console. Redis forgets what a rerun or an undo has emptied."""

from __future__ import annotations

from typing import Any

from flask import current_app

from pyapi.api.invalidation import INVALIDATION
from pyapi.api.requests import call, call_procedure

__all__ = ["act_on_run", "rerun_report", "undo_rerun"]


def rerun_report(**arguments: Any) -> dict[str, Any]:
    """Rerun a report. The arguments and the result are those of the procedure rerun_report."""
    return _emptied(call_procedure("public.rerun_report", **arguments), "rerun_id")


def undo_rerun(**arguments: Any) -> dict[str, Any]:
    """Undo an act. The arguments and the result are those of the procedure undo_rerun."""
    return _emptied(call_procedure("public.undo_rerun", **arguments), "undo_id")


def act_on_run(routine: str, **arguments: Any) -> dict[str, Any]:
    """Cancel or release the run of a report. The arguments and the result are those of the function ``routine``."""
    [row] = call(f"public.{routine}", columns=f"{routine} as result", **arguments)
    result: dict[str, Any] = row["result"]
    return result


def _emptied(result: dict[str, Any], act: str) -> dict[str, Any]:
    current_app.extensions[INVALIDATION].forget(result["cache_scopes"], result[act])
    return result
