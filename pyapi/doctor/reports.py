"""The tables of the reports: current versions, cache rows, reports that cannot be rerun."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from sqlalchemy import Engine

from pyapi.database import call
from pyapi.doctor.finding import Finding
from pyapi.wording import counted

__all__ = ["defects", "mismatched_caches", "missing_versions"]


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
