"""The legacy import: the one room that writes a domain's tables itself.

``importing`` is the whole story; ``source`` reads, ``plan`` decides which column goes where, ``fitting`` tells what a
column cannot hold, ``copying`` sends rows, ``changes`` brings over what is new since the last import.
"""

from pyapi.schema.legacy.importing import import_legacy
from pyapi.schema.legacy.outcome import ImportRefused, ImportResult, Kept, Misfit, Replacement

__all__ = ["ImportRefused", "ImportResult", "Kept", "Misfit", "Replacement", "import_legacy"]
