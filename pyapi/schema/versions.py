"""Versions of routines: starting the next one, starting a new routine, and releasing what is there."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from pyapi.schema import files, migrate
from pyapi.schema.files import ReleasedText, RoutineFile

__all__ = ["live_file", "new_routine", "new_version", "release"]

_NAME = re.compile(r"[a-z][a-z0-9_]*")

_NEW_ROUTINE = """\
-- {routine}(): what it is for.
-- What it returns, and which SQLSTATEs it raises.
create or replace function pgreprise.{routine}()
returns void
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
begin
end;
$$;

comment on function pgreprise.{routine}() is 'What it is for.';
"""


def _require_checkout() -> None:
    if files.migrations_folder().parent == Path(files.__file__).parent.parent:
        raise ValueError(
            f"{files.migrations_folder()} belongs to an installed package. "
            "Change routines in a checkout of the project."
        )


def live_file(name: str) -> RoutineFile:
    """The live file of ``rerun_report``, or of ``reports/rerun_report`` where several domains have one.

    Raises LookupError when there is no such routine, ValueError when several domains have it.
    """
    if "/" in name:
        return files.routine_file(name)
    names = [file.name for file in files.live_routines() if file.name.split("/")[1] == name]
    if len(names) > 1:
        raise ValueError(f"Several domains have a routine {name}; say which: {' or '.join(names)}.")
    return files.routine_file(names[0] if names else name)


def _next_revision(head: str) -> str:
    """The id that follows ``reports_0007``."""
    domain, number = head.rsplit("_", 1)
    return f"{domain}_{int(number) + 1:04}"


def _write_revision(domain: str, slug: str, message: str, upgrades: str, downgrades: str) -> Path:
    scripts = migrate.scripts()
    scripts.messaging_opts = {"quiet": True}
    scripts.file_template = f"%(rev)s_{slug}"
    head = f"{domain}@head"
    folder = files.migrations_folder() / "versions"
    before = set(folder.iterdir())
    try:
        revision = scripts.generate_revision(
            _next_revision(scripts.get_revision(head).revision),
            message,
            head=head,
            upgrades=upgrades,
            downgrades=downgrades,
        )
    except BaseException:
        for path in set(folder.iterdir()) - before:
            if path.suffix == ".py":
                path.unlink()
        raise
    assert revision is not None
    return Path(revision.path)


@contextmanager
def _new_file(path: Path, text: str) -> Iterator[None]:
    """A new file for the body; where it, or the body, fails, neither the file nor a folder for it is left.

    Half of it would look like a routine without a revision that installs it.
    """
    made = [folder for folder in path.parents if not folder.exists()]
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8", newline="\n")
        yield
    except BaseException:
        path.unlink(missing_ok=True)
        for folder in made:
            with suppress(OSError):
                folder.rmdir()
        raise


def new_version(name: str) -> tuple[Path, Path]:
    """Start the next version of a released routine: keep the released text, and write the revision that replaces it.

    ``name`` is ``rerun_report``, or ``reports/rerun_report`` where several domains have one. The live file is
    not touched and is open for editing from now on. Returns the path of the kept text and that of the revision.
    Raises LookupError when there is no such routine; ValueError when several domains have it, when its newest
    version is not released yet, or when pgreprise is an installed package; files.TextError when a released text was
    edited.
    """
    _require_checkout()
    live = live_file(name)
    if not files.is_released(live):
        raise ValueError(
            f"Version {live.version} of {live.name} is not released yet. Edit {files.shown(live.path)} and type: "
            "pgreprise migrate"
        )
    files.require_unchanged()
    domain, routine = live.name.split("/")
    version = live.version + 1
    kept = files.released_path(live)
    with _new_file(kept, live.sql):
        revision = _write_revision(
            domain,
            f"{routine}_v{version:02}",
            f"Version {version} of {routine}.",
            f'op.replace_routine("{live.name}", version={version}, replaces={live.version})',
            f'op.replace_routine("{live.name}", version={live.version}, replaces={version})',
        )
    return kept, revision


def new_routine(name: str, room: str) -> tuple[Path, Path]:
    """Start a new routine ``domain/name`` in a room: its file, and the revision that creates it.

    Returns the paths of the file and of the revision. Raises ValueError when the name or room cannot be used or
    is taken, or when pgreprise is an installed package.
    """
    _require_checkout()
    domain, _, routine = name.partition("/")
    if domain not in files.domains() or not _NAME.fullmatch(routine) or not _NAME.fullmatch(room):
        raise ValueError(
            f"A new routine is named domain/name and stands in a room, both in lower case; domains are "
            f"{', '.join(files.domains())}. For example: pgreprise routine new reports/my_routine --room rerun"
        )
    if name in files.sql_files():
        raise ValueError(f"{files.shown(files.sql_files()[name])} exists already.")
    path = files.sql_folder() / domain / room / f"{routine}.sql"
    with _new_file(path, _NEW_ROUTINE.format(routine=routine)):
        revision = _write_revision(
            domain,
            routine,
            f"The routine {routine}.",
            f'op.create_routine("{name}", version=1)',
            f'op.drop_routine("{name}", version=1)',
        )
    return path, revision


def release(names: Iterable[str] = ()) -> list[ReleasedText]:
    """Record texts as released in ``sql/RELEASED``: those of ``names``, or all that are not released yet.

    Returns the texts that it added. Raises files.TextError when a released text was edited, ValueError when
    pgreprise is an installed package, LookupError for a name that no unreleased text has.
    """
    _require_checkout()
    files.require_unchanged()
    unreleased = files.unreleased_texts()
    wanted = [name if "/" in name else live_file(name).name for name in names]
    for name in wanted:
        if name not in {text.name for text in unreleased}:
            raise LookupError(f"There is no unreleased text {name}; pgreprise routine list shows what is released.")
    added = [text for text in unreleased if not wanted or text.name in wanted]
    files.write_released([*files.read_released(), *added])
    return added
