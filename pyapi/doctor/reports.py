"""The tables of the reports: current versions, cache rows, reports that cannot be rerun."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

import psycopg
from sqlalchemy import Engine

from pyapi.database import call
from pyapi.doctor.finding import Finding, ask
from pyapi.wording import counted

__all__ = ["defects", "failed_caches", "lost_runs", "mismatched_caches", "missing_versions", "run_tables"]

# A run that nobody has finished for so long is worth a look.
_LOST_AGE = "1 day"


def missing_versions(engine: Engine) -> Iterator[Finding]:
    """Countries that lack a current version."""
    countries = call(engine, "public.cache_versions")
    used = {row["country_id"] for row in countries if any((row["economy_impact"], row["report_output"]))}
    for row in countries:
        missing = [name for name in ("economy_impact", "report_output", "package") if row[name] is None]
        if missing:
            yield Finding(
                "cache versions",
                # Probably nobody uses a country without any version.
                "problem" if row["country_id"] in used else "note",
                f"Country {row['country_id']} has no current version for {', '.join(missing)}.",
                f"pgreprise cache-version set {row['country_id']} "
                + " ".join(f"--{name.replace('_', '-')} VERSION" for name in missing),
            )


def mismatched_caches(engine: Engine) -> Iterator[Finding]:
    """Economy cache rows that match a report except for the version. Probably a deployment did not set the version."""
    for row in call(engine, "public.mismatched_cache_versions"):
        have = "has" if row["cache_rows"] == 1 else "have"
        rows = f"{counted(row['cache_rows'], 'cache row')} of {row['country_id']} {have} version {row['api_version']}"
        if row["newer_than_current"]:
            yield Finding(
                "cache rows",
                "problem",
                f"{rows}, which is newer than every row of the current version {row['current_version']}: "
                "reruns of their reports delete nothing.",
                "Probably a deployment did not set its version: "
                f"pgreprise cache-version set {row['country_id']} --economy-impact {row['api_version']}",
            )
        else:
            yield Finding(
                "cache rows",
                "note",
                f"{rows} and not {row['current_version']}. Otherwise they match a report. A rerun keeps them.",
                "Nothing to do when earlier deployments left them.",
            )


def defects(engine: Engine) -> Iterator[Finding]:
    """Reports that cannot be rerun, counted by reason."""
    found = call(engine, "public.report_defects", columns="errcode, message")
    counts = Counter(row["errcode"] for row in found)
    for code, count in sorted(counts.items()):
        example = next(row["message"] for row in found if row["errcode"] == code)
        yield Finding(
            "reports",
            "problem",
            f"{counted(count, 'report')} cannot be rerun ({code}), for example: {example}",
            "pgreprise defects lists them; docs/reference/errors.md has the remedy for each code.",
        )


def failed_caches(engine: Engine) -> Iterator[Finding]:
    """Cache rows of reports that hold no result."""
    found = call(engine, "public.failed_cache_rows", columns="report_id, country_id")
    if found:
        first = found[0]
        yield Finding(
            "cache rows",
            "note",
            f"{counted(len(found), 'cache row')} of reports failed or {'is' if len(found) == 1 else 'are'} empty: the "
            f"application answers them with ok and nothing in it, for example for report #{first['report_id']}.",
            "pgreprise failed-caches lists them. Rerun the reports, for example: "
            f"pgreprise rerun {first['country_id']} {first['report_id']}",
        )


def lost_runs(engine: Engine) -> Iterator[Finding]:
    """Reports that nobody has finished for long."""
    found = call(engine, "public.lost_runs", columns="report_id, since", older_than=_LOST_AGE)
    if found:
        oldest = found[0]
        since = f"since {oldest['since']:%Y-%m-%d}" if oldest["since"] else "since when is not known"
        yield Finding(
            "lost runs",
            "note",
            f"{counted(len(found), 'report')} {'has' if len(found) == 1 else 'have'} been pending or running for more "
            f"than {_LOST_AGE}, first report #{oldest['report_id']} ({since}).",
            f"pgreprise lost --older-than '{_LOST_AGE}' lists them. If their workers are gone, rerun the reports.",
        )


# What does not agree, in one row and in several, and the remedy.
_DIFFERENCES = {
    "pointer": (
        "points to a run that does not exist (active_run_id)",
        "point to a run that does not exist (active_run_id)",
        "Somebody deleted runs. Rerun the reports, or set active_run_id to null.",
    ),
    "newer_run": (
        "has a newer run than the active one (active_run_id)",
        "have a newer run than the active one (active_run_id)",
        "The application and pgreprise both started a run. Start runs in one place, and rerun the reports there.",
    ),
    "status": (
        "has another status than its run in the application's tables",
        "have another status than their run in the application's tables",
        "Something writes reports or simulations without their runs. Let all writers go through the application or "
        "through pgreprise.",
    ),
    "same_key": (
        "has the key and version of a newer report, which the application shows",
        "have the key and version of a newer report, which the application shows",
        "The preview of a rerun names the newer report. Rerun that one.",
    ),
}


def run_tables(engine: Engine, database: psycopg.Connection[Any]) -> Iterator[Finding]:
    """The application's own tables of runs: whether reruns write them, and what does not agree there."""
    [tables] = ask(database, "run_tables")
    if tables["exist"] != tables["are_attached"]:
        has = "has tables of runs (report_output_runs, simulation_runs), and reruns do not write them"
        had = "has no tables of runs any more, and reruns still write them"
        yield Finding("runs", "problem", f"The application {has if tables['exist'] else had}.", "pgreprise migrate")
        return
    if not tables["are_attached"]:
        return
    yield Finding(
        "runs",
        "note",
        "The application writes reports and runs too. It does not know run_sequence, so a late result of a worker that "
        "reports to the application is not refused.",
        "Let workers send their results to pgreprise, with run_sequence. Or rerun a report when no worker computes it. "
        "Start reruns here or in the application, not in both.",
    )
    found = call(engine, "public.run_table_differences")
    for difference, (one, several, remedy) in _DIFFERENCES.items():
        rows = [row for row in found if row["difference"] == difference]
        if rows:
            yield Finding(
                "runs",
                "note",
                f"{counted(len(rows), 'row')} {one if len(rows) == 1 else several}, for example "
                f"{rows[0]['row_kind']} #{rows[0]['row_id']}.",
                remedy,
            )
