"""What the environment says: which database, and on which address the API listens."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import URL, make_url

__all__ = ["Settings", "database_url"]


def database_url(text: str) -> URL:
    """A PostgreSQL URL, as people write it, as SQLAlchemy and psycopg 3 take it.

    Raises ValueError when it is not the URL of a PostgreSQL database.
    """
    try:
        url = make_url(text)
    except Exception as error:
        raise ValueError(f"Not a database URL: {text!r}. It looks like postgresql://user@host/database.") from error
    if url.get_backend_name() not in ("postgresql", "postgres"):
        raise ValueError(f"pgreprise needs PostgreSQL, not {url.get_backend_name()}.")
    return url.set(drivername="postgresql+psycopg")


@dataclass(frozen=True)
class Settings:
    """Settings from environment variables; a database that is None is the embedded one.

    DATABASE_URL: the server that everything uses.
    PGREPRISE_MIGRATION_URL: the same database as a role that may migrate and administer it;
    DATABASE_URL where it is not set.
    PGREPRISE_DATA: the folder of the embedded server, ``.pgreprise`` in the current folder by default.
    PGREPRISE_POSTGRES_VERSION: the embedded server's major version, 16 or 18.
    """

    database: URL | None
    migration_database: URL | None
    data_folder: Path
    postgres_version: int

    @classmethod
    def from_environment(cls) -> Settings:
        """Read them. Raises ValueError for a value that cannot be used."""
        database = os.environ.get("DATABASE_URL") or None
        migration = os.environ.get("PGREPRISE_MIGRATION_URL") or database
        version = os.environ.get("PGREPRISE_POSTGRES_VERSION", "18")
        if version not in ("16", "18"):
            raise ValueError(f"PGREPRISE_POSTGRES_VERSION is {version!r}; the embedded server is 16 or 18.")
        return cls(
            database=database_url(database) if database else None,
            migration_database=database_url(migration) if migration else None,
            data_folder=Path(os.environ.get("PGREPRISE_DATA", ".pgreprise")).absolute(),
            postgres_version=int(version),
        )
