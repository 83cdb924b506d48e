"""What the tables of the reports hold: versions, cache rows, reports that cannot be rerun."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from sqlalchemy import Engine

from pyapi.database import call
from pyapi.doctor.finding import Finding

__all__ = ["defects", "mismatched_caches", "missing_versions"]


def missing_versions(engine: Engine) -> Iterator[Finding]:
    """Countries whose current versions are not all known."""
    countries = call(engine, "public.cache_versions")
    used = {row["country_id"] for row in countries if any((row["economy_impact"], row["report_output"]))}
    for row in countries:
        missing = [name for name in ("economy_impact", "report_output", "package") if row[name] is None]
        if missing:
            yield Finding(
                "cache versions",
                # A country that was never set up is probably not used.
                "problem" if row["country_id"] in used else "note",
                f"Country {row['country_id']} has no current version for {', '.join(missing)}.",
                f"pgreprise cache-version set {row['country_id']} "
                + " ".join(f"--{name.replace('_', '-')} VERSION" for name in missing),
            )


def mismatched_caches(engine: Engine) -> Iterator[Finding]:
    """Economy cache rows that match a report in everything but the version: the forgotten deployment."""
    for row in call(engine, "public.mismatched_cache_versions"):
        rows = f"{row['cache_rows']} cache rows of {row['country_id']} have version {row['api_version']}"
        if row["newer_than_current"]:
            yield Finding(
                "cache rows",
                "problem",
                f"{rows}, newer than every row of the current version {row['current_version']}: "
                "reruns of their reports delete nothing.",
                "Probably a deployment forgot it: "
                f"pgreprise cache-version set {row['country_id']} --economy-impact {row['api_version']}",
            )
        else:
            yield Finding(
                "cache rows",
                "note",
                f"{rows} instead of {row['current_version']} and match a report otherwise; a rerun keeps them.",
                "Nothing to do when they are left from earlier deployments.",
            )


def defects(engine: Engine) -> Iterator[Finding]:
    """Reports that cannot be rerun, counted by why."""
    found = call(engine, "public.report_defects", columns="errcode, message")
    counts = Counter(row["errcode"] for row in found)
    for code, count in sorted(counts.items()):
        example = next(row["message"] for row in found if row["errcode"] == code)
        yield Finding(
            "reports",
            "problem",
            f"{count} report{'s' if count > 1 else ''} cannot be rerun ({code}), for example: {example}",
            "pgreprise defects lists them; docs/reference/errors.md has the remedy for each code.",
        )
