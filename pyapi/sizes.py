"""Sizes as people read them."""

from __future__ import annotations

__all__ = ["size"]


def size(byte_count: int) -> str:
    """Bytes as people read them, in powers of 1000."""
    if byte_count < 1000:
        return f"{byte_count} B"
    value = float(byte_count)
    for unit in ("kB", "MB", "GB"):
        value /= 1000
        if value < 999.95:
            return f"{value:.1f} {unit}"
    return f"{value / 1000:.1f} TB"
