"""How an operator reads the values of a page."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from pyapi.console import formats


@pytest.mark.parametrize(
    ("count", "told"), [(0, "0 reports"), (1, "1 report"), (2, "2 reports"), (12_000, "12,000 reports")]
)
def test_a_count_has_separators_and_the_plural(count: int, told: str) -> None:
    assert formats.counted(count, "report") == told


@pytest.mark.parametrize(
    ("seconds", "told"),
    [(0.4, "(now)"), (12.5, "(12 s ago)"), (-30.5, "(in 30 s)"), (250.5, "(4 min 10 s ago)")],
)
def test_an_age_has_no_tenths(seconds: float, told: str) -> None:
    assert told in formats.moment(datetime.now(UTC) - timedelta(seconds=seconds))


def test_a_time_that_is_not_known_is_a_dash() -> None:
    assert "-" in formats.moment(None)
    assert formats.age(None) == ""


def test_a_defect_is_told_in_words_with_its_code() -> None:
    assert formats.sentence(formats.defect("RR005")) == "An economy report without a year (RR005)"
    assert formats.defect("ZZ999") == "ZZ999"
