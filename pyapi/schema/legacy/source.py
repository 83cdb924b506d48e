"""The source of an import: an SQLite file, or a database of MySQL or MariaDB. It is read in one snapshot."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.parse import quote

import psycopg
from sqlalchemy import URL, Connection, NullPool, column, create_engine, func, inspect, make_url, select, table, text
from sqlalchemy.exc import ArgumentError, DBAPIError, SAWarning

from pyapi.schema.legacy.outcome import ImportRefused
from pyapi.wording import counted

__all__ = ["Source", "opened"]

# Rows that the driver hands over at once; one may be megabytes long.
_FETCHED_ROWS = 16
# How long each side waits for the other while rows are read.
_PATIENCE_SECONDS = 3600
_FORM = "It looks like sqlite:///legacy.sqlite or mysql://user:password@host/name."
_ENCODING = (
    "In a user name or password write %40 for @, %3A for :, %2F for /, %3F for ?, %23 for #, %5B for [ and %25 for %."
)
_ACCESS_DENIED = {1044, 1045, 1698}
_CONNECTION_LOST = {0, 1053, 1927, 2006, 2013, 2055}


def _mysql_url(source: str) -> URL:
    """The URL of a MySQL server. No error of it may show a password, so none is chained and none quotes the URL."""
    rest = source.partition("://")[2]
    if rest.count("@") > 1:
        raise ImportRefused(f"The source's URL has more than one @. {_ENCODING} Nothing was imported.")
    try:
        url = make_url(source)
    except (ArgumentError, ValueError):
        raise ImportRefused(f"The source is not a database URL. {_FORM} {_ENCODING} Nothing was imported.") from None
    if not url.database:
        raise ImportRefused(f"The source's URL names no database. {_FORM} Nothing was imported.")
    # Emoji need utf8mb4; the older utf8 of MySQL cannot hold them.
    return url.set(drivername="mysql+pymysql").update_query_dict({"charset": "utf8mb4"})


def _sqlite_url(database: str) -> URL:
    path = Path(database).absolute()
    if not path.is_file():
        raise ImportRefused(f"There is no SQLite file {path}. Check the path; nothing was imported.")
    return URL.create("sqlite+pysqlite", database=f"file:{quote(str(path))}", query={"mode": "ro", "uri": "true"})


def _url(source: str) -> URL:
    if "://" not in source:
        return _sqlite_url(source)
    match source.partition("://")[0].partition("+")[0].lower():
        case "sqlite":
            try:
                return _sqlite_url(make_url(source).database or "")
            except ArgumentError:
                raise ImportRefused(f"The source is not a database URL. {_FORM}") from None
        case "mysql" | "mariadb":
            return _mysql_url(source)
        case other if other.isalnum():
            raise ImportRefused(f"pgreprise imports from SQLite and MySQL, not from {other}. {_FORM}")
        case _:
            raise ImportRefused(f"The source is not a database URL. {_FORM}")


class Source:
    """A legacy database that is read in one snapshot.

    ``others`` are its tables that are not in ``names``; ``columns`` are the columns of those that are and that it
    has, by their names in lower case, as both kinds of source compare them; ``changing`` are those of them that are
    not read in one snapshot. ``reading`` tells where it is, for a message.
    """

    def __init__(self, connection: Connection, names: Sequence[str]) -> None:
        self._connection = connection
        self.reading = ""
        inspector = inspect(connection)
        self.others = [name for name in inspector.get_table_names() if name not in names]
        with warnings.catch_warnings():
            # Of types that SQLAlchemy does not know; only the names are needed.
            warnings.simplefilter("ignore", SAWarning)
            self.columns: dict[str, dict[str, str]] = {
                name: {str(found["name"]).lower(): str(found["name"]) for found in inspector.get_columns(name)}
                for name in names
                if inspector.has_table(name)
            }
        self.changing: list[str] = []
        if connection.dialect.name != "sqlite":
            engines = text("select table_name, engine from information_schema.tables where table_schema = database()")
            self.changing = [name for name, engine in connection.execute(engines)
                             if name in self.columns and engine != "InnoDB"]  # fmt: skip
        # From here on values are read as they are stored: text that is not UTF-8 and dates that do not exist are to
        # be met in their row, not in the driver.
        driver: Any = connection.connection.driver_connection
        if connection.dialect.name == "sqlite":
            driver.text_factory = bytes
        else:
            driver.use_unicode, driver.decoders = False, {}
        self._driver = driver

    def count(self, name: str) -> int:
        """How many rows a table has."""
        return int(self._connection.execute(select(func.count()).select_from(table(name))).scalar_one())

    def rows(self, name: str, columns: Sequence[str]) -> Iterator[Any]:
        """The rows of a table in the order of the first column: null, integers, floats, and bytes for all else."""
        wanted = table(name, *map(column, columns))
        statement = select(wanted).order_by(wanted.c[0])
        self.reading = f" in table {name}"
        found = self._connection.execute(statement, execution_options={"yield_per": _FETCHED_ROWS})
        for done, row in enumerate(found, 1):
            yield row
            self.reading = f" in table {name} after {counted(done, 'row')}"
        self.reading = ""

    def give_up(self) -> None:
        """End in the middle of the rows, without waiting for what the server still wants to send."""
        # PyMySQL would read on to the end of the rows, on a connection that may be lost.
        if (pending := getattr(self._driver, "_result", None)) is not None:
            pending.unbuffered_active = False
        with suppress(Exception):
            self._connection.invalidate()


def _explained(error: DBAPIError, source: Source | None, url: URL) -> str:
    original = error.orig
    arguments = getattr(original, "args", ())
    code = arguments[0] if arguments and url.get_backend_name() == "mysql" else None
    place = source.reading if source else ""
    if source is not None and code in _CONNECTION_LOST:
        return (
            f"The connection to the source was lost{place}: {original}. Nothing was imported. "
            "See whether the source runs, then import again."
        )
    if code in _ACCESS_DENIED:
        return f"The source refuses access: {original}. {_ENCODING} Nothing was imported."
    return f"The source cannot be read{place}: {original}. Nothing was imported."


@contextmanager
def opened(address: str, names: Sequence[str]) -> Iterator[Source]:
    """The source of a path or URL with its tables ``names``, read in one snapshot.

    Raises ImportRefused when it cannot be read.
    """
    url = _url(address)
    is_sqlite = url.get_backend_name() == "sqlite"
    # The driver would encode a password that is text as latin1.
    arguments: dict[str, Any] = {} if is_sqlite else {"read_timeout": _PATIENCE_SECONDS}
    if url.password is not None:
        arguments["password"] = str(url.password).encode()
    try:
        engine = create_engine(
            url,
            poolclass=NullPool,
            isolation_level="SERIALIZABLE" if is_sqlite else "REPEATABLE READ",
            connect_args=arguments,
        )
    except ModuleNotFoundError as error:
        raise ImportRefused(
            f"Reading MySQL needs the module {error.name}: pip install 'pgreprise[mysql]'. Nothing was imported."
        ) from error
    except (ArgumentError, TypeError):
        raise ImportRefused(f"The source is not a database URL. {_FORM} Nothing was imported.") from None
    source = None
    try:
        try:
            connection = engine.connect()
        except (TypeError, ValueError, RuntimeError, OSError) as error:
            # The driver cannot use a parameter of the URL, or lacks what it needs; no such message has the password.
            raise ImportRefused(
                f"The source's URL has a parameter that cannot be used: {error}. Nothing was imported."
            ) from None
        with connection:
            if is_sqlite:
                # SQLite's driver begins no transaction for a select.
                connection.exec_driver_sql("begin")
            else:
                connection.exec_driver_sql(f"set session net_write_timeout = {_PATIENCE_SECONDS}")
                connection.exec_driver_sql("start transaction with consistent snapshot, read only")
            source = Source(connection, names)
            try:
                yield source
            except BaseException:
                source.give_up()
                raise
    except DBAPIError as error:
        # The target's connection fails in here too, and speaks for itself.
        if isinstance(error.orig, psycopg.Error):
            raise
        raise ImportRefused(_explained(error, source, url)) from None
