"""Other accounts of the machine, as root can be them: what they can run, and what they find changed afterwards."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

from tests.support.command import Done, environment
from tests.support.projects import PROJECT

# An ordinary account that every system has.
OTHER = "nobody"

# What no command of ours loads.
_LEFT_OUT = shutil.ignore_patterns("test", "tests", "idlelib", "site-packages", "config-*")

Modes = dict[str, tuple[int, int, int]]


def modes(*roots: Path) -> Modes:
    """Owner, group and mode of everything in these folders and of all folders above them."""
    found: Modes = {}
    for root in roots:
        for path in (*root.parents, root, *root.rglob("*")):
            status = path.lstat()
            found[str(path)] = (status.st_uid, status.st_gid, status.st_mode)
    return found


def _link(source: str, copy: str) -> None:
    try:
        os.link(source, copy)
    except OSError:
        shutil.copy2(source, copy)


def _is_open(path: Path) -> bool:
    return all(folder.stat().st_mode & 1 for folder in path.resolve().parents)


def _open(path: Path, place: Path) -> Path:
    """The folder itself where every account gets to it, or else a copy of it in a place where that is so."""
    if _is_open(path / "file"):
        return path
    return Path(shutil.copytree(path, place / path.name, ignore=_LEFT_OUT, copy_function=_link, symlinks=True))


class Python:
    """A Python with this project that every account may run. What is closed to them is copied into ``place``."""

    def __init__(self, place: Path) -> None:
        name = f"python{sys.version_info.major}.{sys.version_info.minor}"
        self.program = Path(sys.executable)
        self._variables: dict[str, str] = {}
        if not _is_open(self.program):
            (place / "bin").mkdir()
            (place / "lib").mkdir()
            self.program = place / "bin" / name
            _link(str(Path(sys.executable).resolve()), str(self.program))
            _open(Path(sysconfig.get_path("stdlib", vars={"installed_base": sys.base_prefix})), place / "lib")
            for library in Path(sys.base_prefix, "lib").glob("libpython*"):
                _link(str(library), str(place / "lib" / library.name))
            # The program was built to look where it is closed.
            self._variables["LD_LIBRARY_PATH"] = str(place / "lib")
        copied = place / "project"
        copied.mkdir()
        path = (_open(PROJECT, copied), _open(Path(sysconfig.get_path("purelib")), copied))
        self._variables["PYTHONPATH"] = ":".join(map(str, path))

    def run(self, *arguments: str | Path, folder: Path, **settings: str) -> Done:
        """Run ``pgreprise`` as the other account in a folder."""
        return subprocess.run(
            [self.program, "-m", "pyapi", *arguments],
            env={**environment(**settings), **self._variables, "HOME": str(folder)},
            cwd=folder,
            user=OTHER,
            group=pwd.getpwnam(OTHER).pw_gid,
            extra_groups=[],
            capture_output=True,
            encoding="utf-8",
            check=False,
        )
