"""Numbers that two programs computed."""

from __future__ import annotations

from typing import Any

import pytest


def same(value: Any) -> Any:
    """As the value, a JSON document, with numbers that are compared to 1e-9."""
    if isinstance(value, dict):
        return {key: same(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [same(inner) for inner in value]
    if isinstance(value, float):
        return pytest.approx(value, rel=1e-9, abs=1e-9)
    return value
