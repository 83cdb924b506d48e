"""Real databases that are read where they are, and are no part of the project."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

__all__ = ["DATA", "need"]

DATA = Path(os.environ.get("PGREPRISE_SHARED") or Path(__file__).parents[3] / "shared") / "data"


def need(path: Path) -> Path:
    """The file, or a skip that says where it was looked for."""
    if not path.is_file():
        pytest.skip(f"a real database is absent: {path} (PGREPRISE_SHARED names the folder that holds data/)")
    return path
