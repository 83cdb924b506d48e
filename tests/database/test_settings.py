"""A DBA changes the settings of pgreprise in a database."""

from __future__ import annotations

import pytest

from tests.support.databases import Connection
from tests.support.refusals import refusal
from tests.support.snapshots import changed_tables, everything
from tests.support.statements import one


def test_outputs_are_archived_unless_somebody_says_otherwise(sandbox: Connection) -> None:
    rows = {row["name"]: row for row in sandbox.execute("select * from settings()").fetchall()}
    assert {name: row["value"] for name, row in rows.items()} == {
        "allow_unfinish": "off",
        "archive_keep": None,
        "archive_keep_bytes": None,
        "archive_keep_last": "1",
        "archive_outputs": "on",
        "co2_per_km_kg": "0.2996",
        "largest_batch": "1000",
        "lost_attempts": "3",
        "notify_workers": "off",
        "require_claim": "off",
        "retry_wait": "00:00:30",
        "when_lost": "retry",
    }
    row = rows["archive_outputs"]
    assert row.pop("updated_at") is not None
    assert row == {
        "name": "archive_outputs",
        "value": "on",
        "type": "boolean",
        "description": "whether reruns keep the outputs that they clear, so that they can be undone",
    }


@pytest.mark.parametrize("value", ["off", "on"])
def test_a_setting_is_changed_and_read_again(sandbox: Connection, value: str) -> None:
    before = everything(sandbox)
    sandbox.execute("set local role pgreprise_dba")
    sandbox.execute("select set_setting('archive_outputs', %s)", (value,))
    sandbox.execute("reset role")
    assert one(sandbox, "select archive_outputs from pgreprise.setting")["archive_outputs"] == (value == "on")
    row = one(sandbox, "select value, updated_at = now() as is_updated from settings() where name = 'archive_outputs'")
    assert row == {"value": value, "is_updated": True}
    assert changed_tables(before, everything(sandbox)) == {"setting"}


@pytest.mark.parametrize("value", ["", "maybe", "on,off", "o", "2", None])
def test_a_value_that_a_setting_cannot_have_is_rr016(sandbox: Connection, value: str | None) -> None:
    said = refusal(sandbox, "select set_setting('archive_outputs', %s)", value)
    shown = "NULL" if value is None else f"'{value}'"
    assert said == (
        "RR016",
        f"Setting archive_outputs cannot be {shown}.",
        {"name": "archive_outputs", "value": value},
        "Its type is boolean (on or off).",
    )


@pytest.mark.parametrize("name", ["archive", "Archive_Outputs", "only_row", "updated_at", "ctid", "", None])
def test_a_name_that_is_no_setting_is_rr016(sandbox: Connection, name: str | None) -> None:
    said = refusal(sandbox, "select set_setting(%s, 'on')", name)
    assert said == (
        "RR016",
        f'There is no setting "{"" if name is None else name}".',
        {"name": name},
        "The settings are: allow_unfinish, archive_keep, archive_keep_bytes, archive_keep_last, archive_outputs, "
        "co2_per_km_kg, largest_batch, lost_attempts, notify_workers, require_claim, retry_wait, when_lost",
    )


@pytest.fixture
def later(sandbox: Connection) -> Connection:
    """A later version, with two settings more."""
    sandbox.execute(
        """
        alter table pgreprise.setting
          add keep_last integer not null default 1 constraint setting_keep_last_check check (keep_last between 0 and 9),
          add "claim time%" interval not null default '5 minutes'
        """
    )
    sandbox.execute("comment on column pgreprise.setting.keep_last is 'how many'")
    sandbox.execute("comment on column pgreprise.setting.\"claim time%\" is 'how long'")
    return sandbox


def test_a_later_setting_is_only_a_column(later: Connection) -> None:
    later.execute("select set_setting('keep_last', '7'), set_setting('claim time%', '1 hour')")
    rows = later.execute("select name, value, type, description from settings()").fetchall()
    assert [tuple(row.values()) for row in rows if row["name"] in ("claim time%", "keep_last")] == [
        ("claim time%", "01:00:00", "interval", "how long"),
        ("keep_last", "7", "integer", "how many"),
    ]


@pytest.mark.parametrize("value", ["ten", "-1", "10", "1.5", "99999999999", None])
def test_type_and_checks_of_the_column_say_what_a_setting_can_be(later: Connection, value: str | None) -> None:
    said = refusal(later, "select set_setting('keep_last', %s)", value)
    shown = "NULL" if value is None else f"'{value}'"
    assert said == (
        "RR016",
        f"Setting keep_last cannot be {shown}.",
        {"name": "keep_last", "value": value},
        "Its type is integer, CHECK (((keep_last >= 0) AND (keep_last <= 9))).",
    )
