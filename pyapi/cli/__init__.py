"""The ``pgreprise`` command. Each module here holds a group of commands.

Exit codes: 0 done, 1 refused by the database or a problem found, 2 wrong usage, 130 stopped by Ctrl-C.
"""

from __future__ import annotations

import signal
import sys

import click
from alembic.util import CommandError
from sqlalchemy.exc import DBAPIError

from pyapi.api.address import AddressTakenError, UnprotectedAddressError
from pyapi.cli import batches, carbon, installation, invalidation, reports, serving, upkeep
from pyapi.cli.output import explain, print_error
from pyapi.embedded import EmbeddedUnavailableError
from pyapi.schema.files import TextError
from pyapi.schema.legacy import ImportRefused

__all__ = ["cli", "main"]


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="pgreprise")
def cli() -> None:
    """Rerun stored reports safely, by stored procedures in PostgreSQL.

    DATABASE_URL is the URL of the database. Without it an embedded PostgreSQL in ./.pgreprise is used.
    PGREPRISE_MIGRATION_URL is the URL of the same database for a role that may migrate it.
    """


for group in (serving, installation, reports, batches, invalidation, carbon, upkeep):
    for command in group.COMMANDS:
        cli.add_command(command)


def _stop(_signal: int, _frame: object) -> None:
    raise SystemExit(128 + signal.SIGTERM)


def main() -> None:
    """Run the command. An error of the database or of usage becomes one clear message and an exit code."""
    # Without a handler the process would end at once and leave the embedded server running.
    signal.signal(signal.SIGTERM, _stop)
    try:
        code = cli.main(standalone_mode=False)
    except click.ClickException as error:
        error.show()
        code = error.exit_code
    except click.Abort:
        click.echo("Stopped.", err=True)
        code = 130
    except CommandError as error:
        # Alembic raises it for a revision that does not exist, for example.
        click.echo(f"error: {error}.", err=True)
        code = 2
    except DBAPIError as error:
        print_error(explain(error))
        code = 1
    except UnprotectedAddressError as error:
        click.echo(f"error: {error}", err=True)
        code = 2
    except (AddressTakenError, EmbeddedUnavailableError, ImportRefused, TextError) as error:
        click.echo(f"error: {error}", err=True)
        code = 1
    sys.exit(code)
