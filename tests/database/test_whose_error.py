"""Whose error it is, SQL decides where a batch goes on after it, and Python where it ends a call: they agree."""

from __future__ import annotations

import psycopg
import pytest

from pyapi.schema.causes import Cause, cause_of
from tests.support.databases import Connection
from tests.support.factories import add_report, add_simulation, set_versions
from tests.support.snapshots import snapshot
from tests.support.statements import one

# As a routine that goes on after some errors, such as rerun_each.
ASKING = """
create function public.asking(statement text) returns boolean language plpgsql as $$
declare
  context_of text; schema_of text; constraint_of text; table_of text;
begin
  execute statement;
  return null;
exception
  when others then
    get stacked diagnostics context_of = pg_exception_context, schema_of = schema_name,
      constraint_of = constraint_name, table_of = table_name;
    return pgreprise.is_refusal_of_host(sqlstate, context_of, schema_of, constraint_of, table_of);
end $$
"""


def trigger(body: str, language: str = "plpgsql", returns: str = "return new;") -> str:
    return (
        f"create function public.hosts() returns trigger language {language} as $$ begin {body} {returns} end $$; "
        "create trigger hosts before update on public.report_outputs for each row execute function public.hosts()"
    )


def raised(code: str) -> str:
    return trigger(f"raise exception using errcode = '{code}', message = 'not on Sundays';")


# What the application has, and whether it is the one that refuses.
RULES: dict[str, tuple[str, bool]] = {
    **{f"a trigger that raises {code}": (raised(code), True) for code in ("P0001", "22023", "23514", "42501", "RR001")},
    **{f"a trigger that raises {code}": (raised(code), False) for code in ("40001", "40P01", "55P03", "25006")},
    "a trigger that divides by zero": (trigger("perform 1 / 0;"), True),
    "a trigger that calls what is gone": (trigger("perform public.gone();"), True),
    "a trigger that reads what is gone": (trigger("perform from public.gone;"), True),
    "a trigger that uses a type that is gone": (trigger("perform null::public.gone;"), True),
    "a check": ("alter table public.report_outputs add constraint kept check (status <> 'pending')", True),
    "a check that divides by zero": (
        "alter table public.report_outputs add constraint kept check (1 / (length(status) - 7) > -100)",
        True,
    ),
    "a check that calls a function in SQL": (
        "create function public.hosts(text) returns boolean language sql as $$ select 1 / (length($1) - 7) > -100 $$; "
        "alter table public.report_outputs add constraint kept check (public.hosts(status))",
        True,
    ),
    "a unique key": (
        "create unique index kept on public.report_outputs (status) where status = 'pending'; "
        "insert into public.report_outputs (country_id, simulation_1_id, api_version, status) "
        "values ('us', 1, 'x', 'pending')",
        True,
    ),
    "a column that must not be null": ("alter table public.report_outputs alter error_message set not null", True),
    "a constraint of ours": (
        "alter table pgreprise.rerun add constraint kept check (kind <> 'rerun')",
        False,
    ),
}


@pytest.mark.parametrize(("rule", "is_of_host"), RULES.values(), ids=RULES)
def test_both_say_the_same(sandbox: Connection, rule: str, is_of_host: bool) -> None:
    set_versions(sandbox)
    report = add_report(sandbox, add_simulation(sandbox, population_type="household"), error_message="warned")
    with_rule = rule.split("; ") if rule.startswith(("alter", "create unique")) else [rule]
    for statement in with_rule:
        sandbox.execute(statement.encode())
    sandbox.execute(ASKING)
    call = f"select pgreprise.rerun_many(array[{report}])"
    before = snapshot(sandbox)
    assert one(sandbox, "select asking(%s) as is_of_host", call)["is_of_host"] is is_of_host
    with pytest.raises(psycopg.Error) as refused, sandbox.transaction():
        sandbox.execute(call)
    assert (cause_of(refused.value) is Cause.HOST_RULE) is is_of_host
    assert snapshot(sandbox) == before


def test_a_trouble_that_a_trigger_pretends_ends_a_call_as_its_refusal_and_stops_a_batch(sandbox: Connection) -> None:
    # In SQL nobody can tell it from the trouble itself, and a batch had better stop then.
    set_versions(sandbox)
    report = add_report(sandbox, add_simulation(sandbox, population_type="household"))
    sandbox.execute(raised("53100").encode())
    sandbox.execute(ASKING)
    call = f"select pgreprise.rerun_many(array[{report}])"
    assert one(sandbox, "select asking(%s) as is_of_host", call)["is_of_host"] is False
    with pytest.raises(psycopg.Error) as refused, sandbox.transaction():
        sandbox.execute(call)
    assert cause_of(refused.value) is Cause.HOST_RULE
