"""The program ``pgreprise``, also as ``python -m pyapi``."""

from __future__ import annotations

import sys
from contextlib import suppress

__all__ = ["main"]

_COMMANDS_THAT_SERVE = ("up", "serve")


def main() -> None:
    """Run the command, with gevent's functions in the standard library where it serves the API."""
    # A Ctrl-C that comes while the modules are loaded.
    with suppress(KeyboardInterrupt):
        _run()
        return
    sys.exit(130)


def _run() -> None:
    if sys.argv[1:2] and sys.argv[1] in _COMMANDS_THAT_SERVE:
        # Modules that are imported earlier keep functions that stop the whole process while they wait.
        # psycopg looks once, as it is imported.
        from gevent import monkey

        monkey.patch_all()
    from pyapi.cli import main as run

    run()


if __name__ == "__main__":
    main()
