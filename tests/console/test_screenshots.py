"""A developer draws the pictures of the documentation anew."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.browser import PHONE, SCREEN
from tests.support.command import environment
from tests.support.projects import PROJECT


def size(picture: Path) -> tuple[int, int]:
    """The size of a PNG in pixels, which its header begins with."""
    header = picture.read_bytes()[16:24]
    return int.from_bytes(header[:4], "big"), int.from_bytes(header[4:], "big")


@pytest.mark.needs("browser", "time")
def test_the_pictures_that_were_asked_for_have_the_size_of_their_visitor(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tests.console.screenshots", "--folder", tmp_path, "report"],
        cwd=PROJECT, env=environment(), capture_output=True, encoding="utf-8", check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    assert {path.stem: size(path) for path in tmp_path.iterdir()} == {
        "report": SCREEN, "report-dark": SCREEN, "report-phone": PHONE,
    }  # fmt: skip
