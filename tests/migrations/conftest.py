"""A copy of the project's SQL and migrations, which a test may add to."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from pyapi.schema import files


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with copies of ``sql`` and ``migrations``, used in place of the project's own."""
    for source in (files.sql_folder(), files.migrations_folder()):
        shutil.copytree(source, tmp_path / source.name, ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.setattr(files, "_project_folder", lambda name: tmp_path / name)
    return tmp_path
