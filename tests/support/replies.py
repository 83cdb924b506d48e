"""What every reply has, checked wherever one is read."""

from __future__ import annotations

import json
from typing import Any

from werkzeug.http import HTTP_STATUS_CODES
from werkzeug.test import TestResponse


def _envelope(response: TestResponse) -> dict[str, Any]:
    assert response.mimetype == "application/json"
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    read = json.loads(response.data)
    assert isinstance(read, dict)
    return read


def succeeded(response: TestResponse, status: int = 200) -> Any:
    """The result of a request that was done."""
    assert response.status_code == status, response.text
    envelope = _envelope(response)
    assert list(envelope) == ["status", "message", "result"]
    assert envelope["status"] == "ok"
    return envelope["result"]


def refused(response: TestResponse, status: int, code: str) -> dict[str, Any]:
    """The envelope of a request that was not done; its message without the status that it begins with."""
    assert response.status_code == status, response.text
    envelope = _envelope(response)
    assert envelope.keys() - {"hint"} == {"status", "message", "result", "code"}
    assert (envelope["status"], envelope["result"], envelope["code"]) == ("error", None, code)
    if code != "RR008":
        prefix = f"{status} {HTTP_STATUS_CODES[status]}: "
        assert envelope["message"].startswith(prefix)
        envelope["message"] = envelope["message"].removeprefix(prefix)
    assert envelope["message"]
    assert envelope.get("hint", "given") is not None
    assert ("Retry-After" in response.headers) == (status == 503)
    return envelope
