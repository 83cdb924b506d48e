"""A DBA changes the settings of pgreprise in a database."""

from __future__ import annotations

import pytest

from tests.support.databases import Connection
from tests.support.refusals import refusal
from tests.support.snapshots import changed_tables, everything
from tests.support.statements import one


def test_outputs_are_archived_unless_somebody_says_otherwise(sandbox: Connection) -> None:
    [row] = sandbox.execute("select * from settings()").fetchall()
    assert row.pop("updated_at") is not None
    assert row == {
        "name": "archive_outputs",
        "value": "on",
        "allowed": ["on", "off"],
        "description": "whether reruns keep the outputs that they clear, so that they can be undone",
    }
    assert one(sandbox, "select pgreprise.setting('archive_outputs') as value")["value"] == "on"


@pytest.mark.parametrize("value", ["off", "on"])
def test_a_setting_is_changed_and_read_again(sandbox: Connection, value: str) -> None:
    before = everything(sandbox)
    sandbox.execute("set local role pgreprise_dba")
    sandbox.execute("select set_setting('archive_outputs', %s)", (value,))
    sandbox.execute("reset role")
    assert one(sandbox, "select pgreprise.setting('archive_outputs') as value")["value"] == value
    row = one(sandbox, "select value, updated_at = now() as is_updated from settings()")
    assert row == {"value": value, "is_updated": True}
    assert changed_tables(before, everything(sandbox)) == {"configuration"}


@pytest.mark.parametrize("value", ["ON", "true", "", " on", "on,off", None])
def test_a_value_that_a_setting_cannot_have_is_rr016(sandbox: Connection, value: str | None) -> None:
    said = refusal(sandbox, "select set_setting('archive_outputs', %s)", value)
    shown = "NULL" if value is None else f"'{value}'"
    assert said == (
        "RR016",
        f"Setting archive_outputs cannot be {shown}.",
        {"name": "archive_outputs", "value": value},
        "It is one of: on, off.",
    )


@pytest.mark.parametrize("name", ["archive", "Archive_Outputs", "", None])
@pytest.mark.parametrize("call", ["pgreprise.setting(%s)", "set_setting(%s, 'on')"])
def test_a_name_that_is_no_setting_is_rr016(sandbox: Connection, call: str, name: str | None) -> None:
    said = refusal(sandbox, f"select {call}", name)
    assert said == (
        "RR016",
        f'There is no setting "{"" if name is None else name}".',
        {"name": name},
        "The settings are: archive_outputs",
    )
