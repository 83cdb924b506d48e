"""What an import says: what it did, what it replaced or left alone, and why it stopped."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

__all__ = ["ImportRefused", "ImportResult", "Kept", "Misfit", "Progress", "Replacement"]

# Called with what is done (a table, or "check" and a table), its rows done and its rows in all.
Progress = Callable[[str, int, int], None]

# Longer lists help nobody, and would fill the memory.
LISTED = 10_000


@dataclass(frozen=True)
class Misfit:
    """A value of the source that its column here cannot hold."""

    table: str
    key: str
    row_id: str
    column: str
    reason: str
    is_json: bool = False

    def __str__(self) -> str:
        return f"{self.table}, row {self.key} = {self.row_id}, column {self.column}: {self.reason}"


class ImportRefused(Exception):
    """The import stopped and nothing was imported; the message tells why, where, and what to do.

    ``table``, ``row_id`` and ``column`` tell where, as far as the reason has a place; ``misfits`` are the first
    values that do not fit, and ``misfit_count`` says how many there are.
    """

    def __init__(
        self, message: str, *, table: str | None = None, row_id: str | None = None, column: str | None = None
    ) -> None:
        super().__init__(message)
        self.table, self.row_id, self.column = table, row_id, column
        self.misfits: tuple[Misfit, ...] = ()
        self.misfit_count = 0

    @classmethod
    def of(cls, misfits: Sequence[Misfit], count: int) -> ImportRefused:
        """The refusal of a source with values that do not fit."""
        remedy = "Correct it in the source." if count == 1 else "Correct them in the source."
        if any(misfit.is_json for misfit in misfits):
            remedy = f"{remedy[:-1]}, or import with --invalid-json null to write null for text that is not JSON."
        if count == 1:
            message = f"{misfits[0]}. {remedy} Nothing was imported."
        else:
            lines = [f"{count} values of the source do not fit here. Nothing was imported.", *map(str, misfits)]
            lines += [f"and {count - len(misfits)} more"] if count > len(misfits) else []
            message = "\n".join([*lines, remedy])
        first = misfits[0]
        refused = cls(message, table=first.table, row_id=first.row_id, column=first.column)
        refused.misfits, refused.misfit_count = tuple(misfits), count
        return refused


@dataclass(frozen=True)
class Replacement:
    """A value that was replaced, because its column cannot hold it; ``written`` is what stands there now."""

    table: str
    row_id: str
    column: str
    reason: str
    written: str

    def __str__(self) -> str:
        return f"{self.table}, row {self.row_id}, column {self.column}: {self.reason} (now {self.written})"


@dataclass(frozen=True)
class Kept:
    """A row that is new, changed or deleted in the source, but was left alone, because work was done on it here."""

    table: str
    row_id: str
    reason: str

    def __str__(self) -> str:
        return f"{self.table}, row {self.row_id}: {self.reason}"


@dataclass
class ImportResult:
    """What an import did.

    ``rows`` counts the inserted rows by table; ``updated`` and ``deleted`` are filled by an import of what is new.
    ``changing`` are tables that other writers could change while they were read.
    ``replaced`` and ``kept`` list at most 10,000 each; ``replaced_count`` and ``kept_count`` count all.
    """

    rows: dict[str, int] = field(default_factory=dict)
    updated: dict[str, int] = field(default_factory=dict)
    deleted: dict[str, int] = field(default_factory=dict)
    replaced: list[Replacement] = field(default_factory=list)
    replaced_count: int = 0
    kept: list[Kept] = field(default_factory=list)
    kept_count: int = 0
    not_copied: list[str] = field(default_factory=list)
    changing: list[str] = field(default_factory=list)
    filled_in: list[str] = field(default_factory=list)

    def replace(self, replacement: Replacement) -> None:
        """Note a replacement."""
        self.replaced_count += 1
        if len(self.replaced) < LISTED:
            self.replaced.append(replacement)
