"""The checkout, and what a test adds to a copy of it."""

from __future__ import annotations

from pathlib import Path

PROJECT = Path(__file__).parents[2]


def add_revision(project: Path, name: str, *, upgrade: str, downgrade: str = "pass", after: str) -> str:
    """Add a revision to the project's copy; its id is ``name``."""
    (project / "migrations" / "versions" / f"{name}.py").write_text(
        "from alembic import op\n"
        f"revision = {name!r}\ndown_revision = {after!r}\nbranch_labels = None\ndepends_on = None\n"
        f"def upgrade():\n    {upgrade}\n"
        f"def downgrade():\n    {downgrade}\n",
        encoding="utf-8",
    )
    return name
