"""The log of the API, as lines of text or of JSON, on stderr; and one line for each request, where that is wanted.

Values never make lines of their own: JSON escapes line breaks, and the lines of text show them escaped.
"""

from __future__ import annotations

import json
import logging
import logging.config
import time
from typing import Any

from flask import Flask, Response, g, has_request_context, request
from pythonjsonlogger.json import JsonFormatter

from pyapi.api.context import request_id, request_seconds, route

__all__ = ["configure_logs", "log_configuration", "register_access_log"]

access = logging.getLogger("pgreprise.access")

_TEXT = "%(asctime)s %(levelname)s %(name)s %(request_id)s %(message)s"
_RENAMED = {"asctime": "time", "levelname": "level", "name": "logger"}
_ESCAPED = str.maketrans(
    {character: repr(chr(character))[1:-1] for character in (*range(32), 0x7F, 0x85, 0x2028, 0x2029)}
)


class _WithRequest(logging.Filter):
    """Adds the id of the request, and none where no request is answered."""

    def filter(self, record: logging.LogRecord) -> bool:
        record.request_id = request_id() if has_request_context() else "-"
        return True


class _Json(JsonFormatter):
    """Times are UTC in ISO 8601."""

    def formatTime(self, record: logging.LogRecord, datefmt: str | None = None) -> str:  # noqa: ARG002
        return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created)) + f".{int(record.msecs):03d}Z"


class _Text(logging.Formatter):
    """One line a message; a traceback comes after it, in lines that begin with a blank."""

    def formatMessage(self, record: logging.LogRecord) -> str:
        return super().formatMessage(record).translate(_ESCAPED)

    def formatException(self, ei: Any) -> str:
        return "".join(f"  {line}\n" for line in super().formatException(ei).splitlines()).rstrip()


def log_configuration(*, as_json: bool, access_log: bool) -> dict[str, Any]:
    """For logging.config.dictConfig, and for gunicorn's own log: everything goes to stderr in one format."""
    formatter: dict[str, Any] = {"()": _Text, "fmt": _TEXT}
    if as_json:
        formatter = {"()": _Json, "fmt": _TEXT, "rename_fields": _RENAMED}
    levels = {"gunicorn.error": "WARNING", "gunicorn.access": "WARNING", "pgreprise.access": "INFO"}
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "filters": {"request": {"()": _WithRequest}},
        "formatters": {"one": formatter},
        "handlers": {
            "stderr": {
                "class": "logging.StreamHandler",
                "stream": "ext://sys.stderr",
                "formatter": "one",
                "filters": ["request"],
            }
        },
        "root": {"handlers": ["stderr"], "level": "WARNING"},
        "loggers": {
            name: {
                "handlers": ["stderr"],
                "level": level if name != access.name or access_log else "WARNING",
                "propagate": False,
            }
            for name, level in levels.items()
        },
    }


def _actor() -> str | None:
    claims = g.get("claims")
    sub = json.loads(claims).get("sub") if claims else None
    return str(sub) if sub is not None else None


def register_access_log(app: Flask) -> None:
    """Write one line for each request: what was asked, by whom, and the status.

    Not the query, which may hold secrets.
    """

    @app.after_request
    def write(response: Response) -> Response:
        if access.isEnabledFor(logging.INFO):
            access.info(
                "%s %s %s",
                request.method,
                request.path,
                response.status_code,
                extra={
                    "method": request.method,
                    "path": request.path,
                    "route": route(),
                    "status": response.status_code,
                    "code": g.get("failure_code"),
                    "seconds": round(request_seconds(), 6),
                    "actor": _actor(),
                    "client": request.remote_addr,
                },
            )
        return response


def configure_logs(*, as_json: bool, access_log: bool) -> None:
    """Log in one format from now on."""
    logging.config.dictConfig(log_configuration(as_json=as_json, access_log=access_log))
