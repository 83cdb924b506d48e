"""Numbers as people read them."""

from __future__ import annotations

__all__ = ["counted", "size"]


def counted(count: int, noun: str) -> str:
    """A count with its noun, which takes an s for the plural: 1 cache row, 2 cache rows."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


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
