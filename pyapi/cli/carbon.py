"""Commands for carbon reports: find duplicates that stop the migration. And a unit to try things with."""

from __future__ import annotations

import click
from sqlalchemy import Engine

from pyapi.cli.connections import administrator, installed_domains
from pyapi.cli.output import JSON_OPTION, print_rows
from pyapi.database import call, run_script
from pyapi.schema import files
from pyapi.settings import Settings

__all__ = ["COMMANDS", "unit_to_try"]

_TOKEN_SECONDS = 24 * 3600


@click.group()
def carbon() -> None:
    """Carbon reports."""


@carbon.command("duplicates")
@JSON_OPTION
def duplicates(as_json: bool) -> None:
    """List projects and reports that exist more than once. They stop the migration.

    Each is listed with SQL that would resolve it. Somebody who knows the data should check that SQL before running
    it. The exit code is 1 when there are any.
    """
    with administrator() as engine:
        rows = run_script(engine, files.sql_text("carbon/find_duplicates"))
    print_rows(rows, as_json, empty="No carbon project or report exists more than once.")
    if rows:
        raise SystemExit(1)


@carbon.command("differences")
@click.option("--max-rows", type=click.IntRange(1), default=100, show_default=True, help="List so many at most.")
@JSON_OPTION
def differences(max_rows: int, as_json: bool) -> None:
    """List modules and reports whose stored stats are not what their rows add up to.

    Each is listed with one figure that differs, in kilograms. The exit code is 1 when there are any.
    """
    with administrator() as engine:
        rows = call(engine, "public.carbon_stats_differences", max_rows=max_rows)
    print_rows(rows, as_json, empty="The stats of every carbon module and report are what their rows add up to.")
    if rows:
        raise SystemExit(1)


def unit_to_try(engine: Engine, address_url: str, settings: Settings) -> str:
    """Text that names a unit and a command that gets its explore report, with a token where the API needs one.

    Empty when there is no such unit, or when the carbon domain is not installed.
    """
    units = call(engine, "public.example_units") if "carbon" in installed_domains(engine) else []
    if not units:
        return ""
    unit = units[0]
    lines = [f"  unit #{unit['unit_id']}, {unit['name']} ({unit['institutional_id']})", "", "Get its explore report:"]
    token = None
    if settings.jwt_secret is not None:
        from pyapi.api.auth import issue_token

        on = {"kind": "unit", "institutional_id": unit["institutional_id"]}
        claims = {
            "sub": "tester",
            "scope": "reports:read reports:write",
            "roles": [{"role": "calco2.user.principal", "on": on}],
        }
        lines.append(f"  TOKEN={issue_token(settings, claims, lifetime_seconds=_TOKEN_SECONDS)}")
        token = "$TOKEN"
    elif settings.jwt_jwks is not None:
        token = "TOKEN"
    header = f'-H "Authorization: Bearer {token}" ' if token else ""
    lines.append(
        f"  curl {header}{address_url}/api/v1/carbon-reports/simulator/explore"
        f"/unit/{unit['unit_id']}/reference-year/{unit['reference_year']}/"
    )
    return "\n".join(["", *lines, ""])


COMMANDS = (carbon,)
