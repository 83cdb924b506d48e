"""A developer edits a routine that is not released and types `pgreprise migrate`, as often as they like."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from sqlalchemy import URL, Engine

from pyapi.schema import files, migrate
from tests.support.databases import engine, rows
from tests.support.dumps import dump, state
from tests.support.projects import add_revision

pytestmark = pytest.mark.needs("time")

CHECK = "reports/states/check_update"
DEFINITION = "select pg_get_functiondef('pgreprise.{}'::regproc) as text"


def text_of(url: URL, routine: str) -> str:
    """The text of a routine as the database has it."""
    [row] = rows(url, DEFINITION.format(routine))
    return str(row["text"])


def edit(project: Path, name: str, old: str, new: str) -> None:
    """Replace a part of a file of the project's copy; the part must be there."""
    path = project / "sql" / f"{name}.sql"
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")


def join(project: Path, revision: str, *names: str) -> None:
    """Add routines at the end of a revision's list in the project's copy."""
    path = project / "migrations" / "versions" / f"{revision}.py"
    before, listed, after = path.read_text(encoding="utf-8").partition("ROUTINES = (\n")
    assert listed
    added = "".join(f'    "{name}",\n' for name in names)
    path.write_text(before + listed + after.replace("\n)\n", f"\n{added})\n", 1), encoding="utf-8")


@pytest.fixture
def migrated(database: URL) -> Engine:
    """The engine of a database that has every migration."""
    return engine(database)


def test_edits_arrive_one_after_the_other_and_nothing_else_changes(
    project: Path, migrated: Engine, database: URL
) -> None:
    before = state(database)
    first = "No fields to update"
    for old, new in ((first, "Nothing was given."), ("Nothing was given.", "Give a value."), ("Give a value.", first)):
        edit(project, CHECK, old, new)
        assert migrate.upgrade(migrated) == [f"updated reports/check_update from sql/{CHECK}.sql"]
        assert new in text_of(database, "check_update")
        assert rows(
            database, "select version, checksum from pgreprise.routine_version where name = 'reports/check_update'"
        ) == [{"version": 1, "checksum": files.routine_file("reports/check_update").checksum}]
    assert state(database) == before
    assert migrate.upgrade(migrated) == []


def test_a_changed_signature_keeps_grants_and_leaves_no_overload(
    project: Path, migrated: Engine, database: URL
) -> None:
    with migrated.begin() as connection:
        connection.exec_driver_sql("grant execute on function public.archive_size to pgreprise_api with grant option")
    grants = (
        "select array(select format('%s %s', grantee::regrole, is_grantable) from aclexplode(proacl) order by 1) "
        "as grants, proowner::regrole::text as owner, pg_get_function_identity_arguments(oid) as arguments "
        "from pg_proc where proname = 'archive_size'"
    )
    [before] = rows(database, grants)
    edit(project, "reports/retention/archive_size", "keep_last integer default 1)", "keep_last bigint default 1)")
    edit(project, "reports/retention/archive_size", "archive_size.keep_last", "archive_size.keep_last::integer")
    edit(project, "reports/retention/archive_size", "archive_size(interval, integer)", "archive_size(interval, bigint)")
    assert migrate.upgrade(migrated) == ["updated reports/archive_size from sql/reports/retention/archive_size.sql"]
    [after] = rows(database, grants)
    assert after["arguments"] == "older_than interval, keep_last bigint"
    assert (after["grants"], after["owner"]) == (before["grants"], before["owner"])


@pytest.fixture
def atomic(project: Path, migrated: Engine) -> Path:
    """A project in which one routine uses another in its definition, and a third uses that one."""
    for name, body, arguments in (
        ("one", "select 1", ""),
        ("two", "select pgreprise.one() + 1", ""),
        ("three", "select pgreprise.two() + 1", ""),
    ):
        (project / "sql" / "reports" / "rerun" / f"{name}.sql").write_text(
            f"-- {name}(): a number.\ncreate or replace function pgreprise.{name}({arguments})\nreturns integer\n"
            f"language sql\nbegin atomic\n  {body};\nend;\n"
        )
    join(project, "reports_0009_routines", "one", "two", "three")
    migrate.upgrade(migrated)
    return project


def test_new_routines_are_created_in_the_order_in_which_they_use_each_other(
    atomic: Path, migrated: Engine, database: URL
) -> None:
    assert rows(database, "select pgreprise.three() as result") == [{"result": 3}]
    assert migrate.upgrade(migrated) == []
    assert atomic.is_dir()


def test_routines_that_use_a_changed_signature_are_created_again(atomic: Path, migrated: Engine, database: URL) -> None:
    edit(atomic, "reports/rerun/one", "pgreprise.one()", "pgreprise.one(value integer default 10)")
    edit(atomic, "reports/rerun/one", "select 1", "select one.value")
    assert len(migrate.upgrade(migrated)) == 3
    assert rows(database, "select pgreprise.three() as result") == [{"result": 12}]
    assert rows(database, "select count(*) as count from pg_proc where proname in ('one', 'two', 'three')") == [
        {"count": 3}
    ]
    # Those that use it may change in the same step.
    edit(atomic, "reports/rerun/one", "value integer default 10", "amount bigint")
    edit(atomic, "reports/rerun/one", "one.value", "one.amount::integer")
    edit(atomic, "reports/rerun/two", "pgreprise.one()", "pgreprise.one(5)")
    migrate.upgrade(migrated)
    assert rows(database, "select pgreprise.three() as result") == [{"result": 7}]


def test_a_routine_without_a_file_is_dropped_with_what_used_it_first(
    atomic: Path, migrated: Engine, database: URL
) -> None:
    for name in ("one", "two", "three"):
        (atomic / "sql" / "reports" / "rerun" / f"{name}.sql").unlink()
    revision = atomic / "migrations" / "versions" / "reports_0009_routines.py"
    revision.write_text(re.sub(r'    "(one|two|three)",\n', "", revision.read_text()))
    assert migrate.upgrade(migrated) == [
        f"dropped reports/{name}, which no file has any more" for name in ("three", "two", "one")
    ]
    assert rows(database, "select from pgreprise.routine_version where name in ('reports/one', 'reports/two')") == []
    assert rows(database, "select from pg_proc where proname in ('one', 'two', 'three')") == []


def test_what_the_host_made_of_a_routine_is_never_dropped(project: Path, migrated: Engine, database: URL) -> None:
    with migrated.begin() as connection:
        connection.exec_driver_sql("create view public.versions as select * from public.cache_versions()")
    before = state(database)
    edit(project, "reports/settings/cache_versions", "cache_versions()\n", "cache_versions(of text default null)\n")
    edit(project, "reports/settings/cache_versions", "cache_versions() ", "cache_versions(text) ")
    with pytest.raises(Exception, match="cannot be dropped, since other objects depend on it"):
        migrate.upgrade(migrated)
    assert state(database) == before


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("\nbegin\n", "\nbegin\n  perfrm 1;\n", r'line \d+: syntax error at or near "perfrm" \(42601\)'),
        ("pgreprise.check_update(status", "pgreprise.check_updates(status", r"creates pgreprise\.check_updates"),
        ("returns void", "returns nothing", r'type "nothing" does not exist'),
    ],
)
def test_a_text_that_postgresql_refuses_is_named_and_nothing_is_changed(
    project: Path, migrated: Engine, database: URL, old: str, new: str, said: str
) -> None:
    before = state(database)
    # This one comes first and would do.
    edit(project, "core/kit/status", "'revisions', (", "'revisions',  (")
    edit(project, CHECK, old, new)
    with pytest.raises(files.TextError, match=rf"(?s)^sql/{CHECK}\.sql.*{said}.*(changed nothing|Nothing was changed)"):
        migrate.upgrade(migrated)
    assert state(database) == before


def test_a_database_that_is_not_at_the_head_keeps_its_texts(project: Path, empty_database: URL) -> None:
    migrate.upgrade(engine(empty_database), "reports@head")
    edit(project, "carbon/explore/explore_report_is_stale", "24 hours", "a day")
    edit(project, CHECK, "No fields to update", "nothing at all to update")
    assert migrate.upgrade(engine(empty_database), "reports@head") == [
        f"updated reports/check_update from sql/{CHECK}.sql"
    ]
    migrate.downgrade(engine(empty_database), "reports_0006")
    edit(project, CHECK, "nothing at all to update", "No fields to update")
    assert migrate.upgrade(engine(empty_database), "reports_0006") == []
    assert rows(empty_database, "select from pgreprise.routine_version where name like 'reports/%'") == []


SECOND = "create or replace function public.second()\nreturns integer\nlanguage sql\nbegin atomic\n  select 1;\nend;"
# Each with the word that the refused statement begins with. What stands before it hides nothing from PostgreSQL.
MORE = {
    "a second routine": (SECOND, "create"),
    "a second routine in capitals": (
        "CREATE FUNCTION public.second() RETURNS int LANGUAGE sql AS 'select 1';",
        "CREATE",
    ),
    "an end of the transaction": ("commit;", "commit"),
    "another statement": ("drop table public.simulations;", "drop"),
    "another owner": ("alter function pgreprise.check_update owner to postgres;", "alter"),
    "a comment on another routine": ("comment on function pgreprise.status() is 'Mine';", "comment"),
    "a grant on a table": ("grant select on table public.simulations to pgreprise_api;", "grant"),
    "a grant on another routine": ("grant execute on function pgreprise.status() to public;", "grant"),
    "after a quote within a comment": ("-- don't;\n/* nor /* 'this' */ ' */\ncommit;", "commit"),
    "after an escaped quote": ("comment on function {} is E'it\\'s; here';\ncommit;", "commit"),
    "after a dollar quote": ("comment on function {} is $a$ ' $$ ; -- $a$;\ncommit;", "commit"),
    "after a name with a quote": ('/* " */ create table "a;\'b" ();', "create table"),
}


@pytest.mark.parametrize(("added", "begins"), MORE.values(), ids=MORE)
def test_a_file_that_holds_more_than_its_routine_is_refused_with_its_line(
    project: Path, migrated: Engine, database: URL, added: str, begins: str
) -> None:
    before = state(database)
    edit(project, "core/kit/status", "'revisions', (", "'revisions',  (")
    path = project / "sql" / f"{CHECK}.sql"
    text = f"{path.read_text()}\n{added.format('pgreprise.check_update(text, json, text)')}\n"
    path.write_text(text)
    line = text.count("\n", 0, text.rindex(begins)) + 1
    with pytest.raises(files.TextError, match=rf"^sql/{CHECK}\.sql, line {line}: .*Nothing was changed"):
        migrate.upgrade(migrated)
    assert state(database) == before


def test_such_a_file_is_refused_before_anything_is_installed(project: Path, empty_database: URL) -> None:
    before = dump(empty_database)
    path = project / "sql" / f"{CHECK}.sql"
    path.write_text(f"{path.read_text()}\n{SECOND}\n")
    with pytest.raises(files.TextError, match=rf"^sql/{CHECK}\.sql, line \d+: a second routine is created here"):
        migrate.upgrade(engine(empty_database))
    assert dump(empty_database) == before


@pytest.mark.parametrize("added", ["comment on function x is 'it", "/* and /* so */ on", "$body$ select 1; $bodi$"])
def test_a_quote_or_a_comment_without_an_end_is_named_with_its_line(
    project: Path, migrated: Engine, database: URL, added: str
) -> None:
    before = state(database)
    path = project / "sql" / f"{CHECK}.sql"
    lines = path.read_text().count("\n")
    path.write_text(f"{path.read_text()}\n{added}\n")
    with pytest.raises(files.TextError, match=rf"line {lines + 2}: a .* that begins here does not end"):
        migrate.upgrade(migrated)
    assert state(database) == before


def test_what_looks_like_a_statement_in_a_comment_or_a_text_is_none(
    project: Path, migrated: Engine, database: URL
) -> None:
    path = project / "sql" / f"{CHECK}.sql"
    added = "-- create or replace function public.second(); commit;\n/* drop table x; /* ; */ commit; */"
    path.write_text(
        path.read_text().replace("\nbegin\n", "\nbegin\n  perform 'commit; $x$ -- ', $x$;'$x$;\n", 1) + added
    )
    migrate.upgrade(migrated)
    assert state(database)[0]


@pytest.mark.parametrize(
    "header", ["create function", "CREATE OR REPLACE FUNCTION", " create or replace function"], ids=str.strip
)
def test_an_installed_routine_whose_file_is_no_longer_one_is_not_dropped(
    project: Path, migrated: Engine, database: URL, header: str
) -> None:
    before = state(database)
    edit(project, CHECK, "create or replace function", header)
    with pytest.raises(files.TextError, match=rf"sql/{CHECK}\.sql no longer begins a line with"):
        migrate.upgrade(migrated)
    assert state(database) == before


def test_a_routine_whose_file_is_gone_while_a_revision_names_it_is_not_dropped(
    project: Path, migrated: Engine, database: URL
) -> None:
    before = state(database)
    (project / "sql" / f"{CHECK}.sql").unlink()
    with pytest.raises(files.TextError, match=r"file of reports/check_update is gone, and reports_0009_routines\.py"):
        migrate.upgrade(migrated)
    assert state(database) == before


def test_a_new_routine_that_no_revision_names_is_not_installed(project: Path, migrated: Engine, database: URL) -> None:
    before = state(database)
    text = (project / "sql" / f"{CHECK}.sql").read_text().replace("check_update", "check_nothing")
    (project / "sql" / "reports" / "rows" / "check_nothing.sql").write_text(text)
    with pytest.raises(files.TextError, match=r'(?s)No revision names reports/check_nothing.*Add "check_nothing"'):
        migrate.upgrade(migrated)
    assert state(database) == before


def test_a_routine_of_another_domain_that_uses_a_changed_signature_is_created_again(
    project: Path, migrated: Engine, database: URL
) -> None:
    for name, body in (("core/kit/low", "select 1"), ("carbon/units/high", "select pgreprise.low() + 1")):
        short = name.split("/")[2]
        (project / "sql" / f"{name}.sql").write_text(
            f"-- {short}(): a number.\ncreate or replace function pgreprise.{short}()\nreturns integer\n"
            f"language sql\nbegin atomic\n  {body};\nend;\n"
        )
    join(project, "core_0001_kit", "low")
    join(project, "carbon_0005_routines", "high")
    migrate.upgrade(migrated)
    # One domain is not at its newest revision, so it is not brought to its texts.
    add_revision(project, "carbon_0999", upgrade="pass", after=migrate.scripts().get_revision("carbon@head").revision)
    edit(project, "core/kit/low", "pgreprise.low()", "pgreprise.low(value integer default 5)")
    edit(project, "core/kit/low", "select 1", "select low.value")
    migrate.upgrade(migrated, "reports@head")
    assert rows(database, "select pgreprise.high() as result") == [{"result": 6}]


def test_two_revisions_of_one_number_are_refused(project: Path, migrated: Engine, database: URL) -> None:
    before = state(database)
    text = (project / "migrations" / "versions" / "reports_0009_routines.py").read_text()
    (project / "migrations" / "versions" / "reports_0008_another.py").write_text(text)
    with pytest.raises(
        files.TextError, match=r"reports_0008_another\.py and reports_0009_routines\.py are both revision"
    ):
        migrate.upgrade(migrated)
    assert state(database) == before


def test_a_text_that_a_revision_installs_is_named_with_its_line_when_it_is_refused(
    project: Path, empty_database: URL
) -> None:
    edit(project, CHECK, "\nbegin\n", "\nbegin\n  perfrm 1;\n")
    with pytest.raises(files.TextError, match=rf'^sql/{CHECK}\.sql, line \d+: syntax error at or near "perfrm"'):
        migrate.upgrade(engine(empty_database))


@pytest.mark.parametrize("made", ["created_table", "carbon_created"])
def test_a_database_of_a_development_version_is_told_what_to_do(empty_database: URL, made: str) -> None:
    with engine(empty_database).begin() as connection:
        connection.exec_driver_sql("create schema pgreprise")
        connection.exec_driver_sql(f"create table pgreprise.{made} (name text)")
        connection.exec_driver_sql("create table pgreprise.alembic_version (version_num text)")
        connection.exec_driver_sql("insert into pgreprise.alembic_version values ('reports_0010'), ('core_0002')")
    with pytest.raises(Exception, match="made by a development version of pgreprise from before its first release"):
        migrate.upgrade(engine(empty_database))


def test_a_database_that_a_newer_version_has_migrated_is_left_alone(migrated: Engine, database: URL) -> None:
    with migrated.begin() as connection:
        connection.exec_driver_sql(
            "update pgreprise.alembic_version set version_num = 'reports_9999' where version_num like 'reports_%%'"
        )
    before = state(database)
    with pytest.raises(Exception, match=r"is at revision reports_9999, which this version of pgreprise does not know"):
        migrate.upgrade(migrated)
    assert state(database) == before
