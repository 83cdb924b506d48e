"""Numbers as people read them."""

from __future__ import annotations

__all__ = ["counted", "duration", "size"]


def counted(count: int, noun: str) -> str:
    """A count with its noun, which takes an s for the plural: 1 cache row, 2 cache rows."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def duration(seconds: float) -> str:
    """A time as people read it, in its two largest units: 1.8 s, 4 min 12 s, 3 h 5 min, 2 d 7 h."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(int(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours < 24 else f"{hours // 24} d {hours % 24} h"


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
