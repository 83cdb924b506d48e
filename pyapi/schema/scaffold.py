"""Starting the next version of a routine: its SQL file, and the revision that installs it."""

from __future__ import annotations

from pathlib import Path

from pyapi.schema import migrate
from pyapi.schema.routines import RoutineFile, migrations_folder, routine_file, routine_files

__all__ = ["new_version"]


def _newest(name: str) -> RoutineFile:
    """The newest file of ``rerun_report`` or ``reports/rerun_report``."""
    if "/" in name:
        return routine_file(name)
    names = sorted({file.name for file in routine_files() if file.name.split("/")[1] == name})
    if len(names) > 1:
        raise ValueError(f"Several domains have a routine {name}; say which: {' or '.join(names)}.")
    return routine_file(names[0] if names else name)


def _next_revision(head: str) -> str:
    """The id that follows ``reports_0006``."""
    domain, number = head.rsplit("_", 1)
    return f"{domain}_{int(number) + 1:04}"


def new_version(name: str) -> tuple[Path, Path]:
    """Copy the newest SQL file of a routine to its next version, and write the revision that installs it.

    ``name`` is ``rerun_report``, or ``reports/rerun_report`` where several domains have one.
    Returns the paths of the SQL file and of the revision. Raises LookupError when there is no
    such routine, ValueError when several domains have it, or when pgreprise is an installed
    package, whose files are not to be changed.
    """
    if migrations_folder().parent == Path(__file__).parent.parent:
        raise ValueError(
            f"{migrations_folder()} belongs to an installed package. Make new versions in a checkout of the project."
        )
    newest = _newest(name)
    domain, routine = newest.name.split("/")
    version = newest.version + 1
    sql_path = newest.path.with_name(f"{routine}_v{version:02}.sql")

    scripts = migrate.scripts()
    scripts.messaging_opts = {"quiet": True}
    scripts.file_template = f"%(rev)s_{routine}_v{version:02}"
    head = f"{domain}@head"
    revision = scripts.generate_revision(
        _next_revision(scripts.get_revision(head).revision),
        f"Version {version} of {routine}.",
        head=head,
        upgrades=f'op.replace_routine("{newest.name}", version={version}, replaces={newest.version})',
        downgrades=f'op.replace_routine("{newest.name}", version={newest.version}, replaces={version})',
    )
    assert revision is not None
    sql_path.write_bytes(newest.path.read_bytes())
    return sql_path, Path(revision.path)
