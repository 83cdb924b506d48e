"""The build of the wheel: refuses SQL texts that are not released, so that what users install never changes."""

from __future__ import annotations

import os
import sys
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class RequireReleasedTexts(BuildHookInterface):  # type: ignore[type-arg]
    """Runs before a wheel is built; an editable install is a checkout and is let through."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:  # noqa: ARG002
        """Stop the build with one message where a text is not released or was edited since."""
        if version == "editable":
            return
        sys.path.insert(0, self.root)
        from pyapi.schema import files

        try:
            if os.environ.get("PGREPRISE_UNRELEASED") == "1":
                files.require_unchanged()
            else:
                files.require_released()
        except files.TextError as error:
            self.app.abort(str(error))
