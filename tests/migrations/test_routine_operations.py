"""A migration creates, replaces and drops routines."""

from __future__ import annotations

import io
import itertools
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from alembic.migration import MigrationContext
from alembic.operations import MigrateOperation, Operations
from sqlalchemy import URL

from pyapi.schema.files import TextError, routine_file
from pyapi.schema.operations import CreateRoutine, DropRoutine, ReplaceRoutine
from tests.support.databases import connect, engine, rows
from tests.support.refusals import refused_with

FIRST = """-- double(value): twice the value, 200% :sure.
create or replace function public.double(value integer)
returns integer
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
begin
  return 2 * double.value;
end;
$$;
"""
SAME_SIGNATURE = FIRST.replace("2 * double.value", "double.value + double.value")
NEW_SIGNATURE = FIRST.replace("(value integer)", "(value integer, offset_by integer default 0)").replace(
    "2 * double.value", "2 * double.value + double.offset_by"
)
GRANTS = """
  select coalesce(grantee.rolname, 'PUBLIC') as grantee, privilege.is_grantable as grantable
    from pg_proc as procedure
   cross join lateral aclexplode(coalesce(procedure.proacl, acldefault('f', procedure.proowner))) as privilege
    left join pg_roles as grantee on grantee.oid = privilege.grantee
   where procedure.oid = 'public.double'::regproc
   order by 1
"""
STANDING = """
  select procedure.oid::regprocedure::text as signature, procedure.proowner::regrole::text as owner, procedure.prosrc,
      obj_description(procedure.oid) as comment, procedure.proacl::text as grants
    from pg_proc as procedure
   where procedure.proname = 'double' and procedure.pronamespace = 'public'::regnamespace
   order by 1
"""
REGISTERED = "select name, routine, version, checksum from pgreprise.routine_version where name = 'reports/double'"


def write(project: Path, version: int, text: str) -> None:
    """Write a version of routine reports/double."""
    path = project / "sql" / "released" / "reports" / f"double_v{version:02}.sql"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def run(database: URL, *operations: MigrateOperation) -> None:
    """Run operations in one transaction, as a revision does."""
    with engine(database).begin() as connection:
        migration = Operations(MigrationContext.configure(connection))
        for operation in operations:
            migration.invoke(operation)


def standing(database: URL) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """The routines called double, and what the registry says."""
    return rows(database, STANDING), rows(database, REGISTERED)


@pytest.fixture
def versions(project: Path) -> Path:
    """A project in which reports/double has three versions."""
    write(project, 1, FIRST)
    write(project, 2, SAME_SIGNATURE)
    write(project, 3, NEW_SIGNATURE)
    return project


@pytest.fixture
def make_role(database: URL, worker: str) -> Iterator[Callable[[], str]]:
    """Makes roles that are dropped after the test, together with what was granted to them."""
    made: list[str] = []
    numbers = itertools.count(1)

    def make() -> str:
        name = f"Test role {worker} {next(numbers)}"
        with connect(database) as connection:
            connection.execute(psycopg.sql.SQL("create role {}").format(psycopg.sql.Identifier(name)))
        made.append(name)
        return name

    yield make
    with connect(database) as connection:
        for name in made:
            role = psycopg.sql.Identifier(name)
            connection.execute(psycopg.sql.SQL("drop owned by {}").format(role))
            connection.execute(psycopg.sql.SQL("drop role {}").format(role))


@pytest.mark.usefixtures("versions")
def test_a_created_routine_belongs_to_pgreprise_owner_and_nobody_else_may_execute_it(
    database: URL, make_role: Callable[[], str]
) -> None:
    run(database, CreateRoutine("reports/double", 1))
    assert rows(database, STANDING)[0]["owner"] == "pgreprise_owner"
    assert rows(database, GRANTS) == [{"grantee": "pgreprise_owner", "grantable": False}]
    with connect(database) as connection:
        connection.execute(psycopg.sql.SQL("set role {}").format(psycopg.sql.Identifier(make_role())))
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute("select public.double(21)")


@pytest.mark.usefixtures("versions")
def test_the_registry_tells_version_checksum_who_and_when(database: URL) -> None:
    with engine(database).begin() as connection:
        Operations(MigrationContext.configure(connection)).invoke(CreateRoutine("reports/double", 1))
        [row] = connection.exec_driver_sql(
            "select name, routine, version, checksum, installed_by = session_user as by_us, installed_at = now() "
            "as now from pgreprise.routine_version where name = 'reports/double'"
        ).mappings()
    assert dict(row) == {
        "name": "reports/double",
        "routine": "public.double",
        "version": 1,
        "checksum": routine_file("reports/double", 1).checksum,
        "by_us": True,
        "now": True,
    }


@pytest.mark.usefixtures("versions")
def test_a_routine_of_the_host_is_never_replaced(database: URL) -> None:
    with connect(database) as connection:
        connection.execute("create function public.double(value integer) returns integer language sql return $1")
    before = standing(database)
    with refused_with("42723", "exists already and is not a routine of pgreprise"):
        run(database, CreateRoutine("reports/double", 1))
    assert standing(database) == before


@pytest.mark.usefixtures("versions")
def test_a_routine_is_not_created_twice(database: URL) -> None:
    run(database, CreateRoutine("reports/double", 1))
    before = standing(database)
    with refused_with("55000", r"installed as version 1; this migration expects none"):
        run(database, CreateRoutine("reports/double", 1))
    assert standing(database) == before


@pytest.mark.usefixtures("versions")
@pytest.mark.parametrize("version", [2, 3], ids=["the same signature", "a new signature"])
def test_grants_and_comment_survive_a_replacement_forward_and_back(
    database: URL, make_role: Callable[[], str], version: int
) -> None:
    run(database, CreateRoutine("reports/double", 1))
    plain, granting = make_role(), make_role()
    with connect(database) as connection:
        connection.execute(f'grant execute on function public.double to public, pgreprise_api, "{plain}"')
        connection.execute(f'grant execute on function public.double to "{granting}" with grant option')
        connection.execute("comment on function public.double is 'The DBA''s own: 100%'")
    grants = rows(database, GRANTS)
    assert {row["grantee"] for row in grants} == {"PUBLIC", "pgreprise_owner", "pgreprise_api", plain, granting}
    operation = ReplaceRoutine("reports/double", version, replaces=1)
    for step, installed in ((operation, version), (operation.reverse(), 1)):
        run(database, step)
        assert rows(database, GRANTS) == grants
        [routine], [registered] = standing(database)
        assert (routine["owner"], routine["comment"]) == ("pgreprise_owner", "The DBA's own: 100%")
        file = routine_file("reports/double", installed)
        assert routine["prosrc"] == file.sql.split("$$")[1]
        assert (registered["version"], registered["checksum"]) == (installed, file.checksum)


@pytest.mark.usefixtures("versions")
def test_a_new_signature_leaves_no_old_overload_and_stays_closed_to_public(database: URL) -> None:
    run(database, CreateRoutine("reports/double", 1), ReplaceRoutine("reports/double", 3, replaces=1))
    assert [row["signature"] for row in rows(database, STANDING)] == ["double(integer,integer)"]
    assert rows(database, GRANTS) == [{"grantee": "pgreprise_owner", "grantable": False}]


def test_the_comment_of_a_new_version_replaces_the_old_one(database: URL, versions: Path) -> None:
    write(versions, 3, NEW_SIGNATURE + "\ncomment on function public.double is 'of version 3';\n")
    write(versions, 1, FIRST + "\ncomment on function public.double is 'of version 1';\n")
    run(database, CreateRoutine("reports/double", 1), ReplaceRoutine("reports/double", 3, replaces=1))
    assert rows(database, STANDING)[0]["comment"] == "of version 3"


@pytest.mark.usefixtures("versions")
@pytest.mark.parametrize(
    "operation",
    [ReplaceRoutine("reports/double", 3, replaces=2), DropRoutine("reports/double", 2)],
    ids=["replace", "drop"],
)
def test_another_version_than_the_migration_expects_is_not_touched(database: URL, operation: MigrateOperation) -> None:
    run(database, CreateRoutine("reports/double", 1))
    before = standing(database)
    with refused_with("55000", "installed as version 1; this migration expects 2"):
        run(database, operation)
    assert standing(database) == before


@pytest.mark.usefixtures("versions")
@pytest.mark.parametrize(
    ("by_hand", "found"),
    [
        ("drop function public.double", "found: none"),
        (
            "create function public.double(text) returns text language sql return $1",
            r"found: public\.double\(integer\), public\.double\(text\)",
        ),
    ],
    ids=["dropped", "overloaded"],
)
def test_a_routine_that_someone_dropped_or_overloaded_by_hand_stops_the_migration(
    database: URL, by_hand: str, found: str
) -> None:
    run(database, CreateRoutine("reports/double", 1))
    with connect(database) as connection:
        connection.execute(by_hand)
    before = standing(database)
    with refused_with("55000", found):
        run(database, ReplaceRoutine("reports/double", 2, replaces=1))
    assert standing(database) == before


@pytest.mark.parametrize("installed", [None, 1], ids=["create", "replace"])
def test_a_file_that_creates_another_routine_than_its_own_is_refused(
    database: URL, versions: Path, installed: int | None
) -> None:
    write(versions, 4, NEW_SIGNATURE.replace("public.double(", "public.triple("))
    write(versions, 5, NEW_SIGNATURE + "\nalter function public.double rename to triple;\n")
    if installed is not None:
        run(database, CreateRoutine("reports/double", installed))
    before = standing(database)
    for version, reason in (
        (4, r"named like the file, and creates public\.triple"),
        (5, "does not belong here .alter function"),
    ):
        operation = (
            CreateRoutine("reports/double", version)
            if installed is None
            else ReplaceRoutine("reports/double", version, replaces=installed)
        )
        with pytest.raises(TextError, match=reason):
            run(database, operation)
        assert standing(database) == before


@pytest.mark.usefixtures("versions")
def test_a_dropped_routine_is_gone_and_forgotten(database: URL) -> None:
    run(database, CreateRoutine("reports/double", 1), DropRoutine("reports/double", 1))
    assert standing(database) == ([], [])


@pytest.mark.usefixtures("versions")
@pytest.mark.parametrize(
    "operation",
    [ReplaceRoutine("reports/double", 3, replaces=1), DropRoutine("reports/double", 1)],
    ids=["replace", "drop"],
)
def test_what_depends_on_a_routine_is_never_dropped_with_it(database: URL, operation: MigrateOperation) -> None:
    run(database, CreateRoutine("reports/double", 1))
    with connect(database) as connection:
        connection.execute("create view public.doubled as select public.double(21)")
    before = standing(database)
    with refused_with("2BP01", "other objects depend on it"):
        run(database, operation)
    assert standing(database) == before


@pytest.fixture
def used(versions: Path) -> Path:
    """A project in which reports/quadruple uses reports/double in its definition; version 2 knows the new signature."""
    first = """-- quadruple(value): four times the value.
create or replace function public.quadruple(value integer)
returns integer
language sql
begin atomic
  select public.double(public.double(quadruple.value));
end;

grant execute on function public.quadruple(integer) to pgreprise_api;
"""
    for version, text in ((1, first), (2, first.replace("quadruple.value))", "quadruple.value, 0), 0)"))):
        path = versions / "sql" / "released" / "reports" / f"quadruple_v{version:02}.sql"
        path.write_text(text, encoding="utf-8")
    return versions


USER = """
  select pg_get_functiondef(procedure.oid) as definition, procedure.proowner::regrole::text as owner,
      procedure.proacl::text as grants
    from pg_proc as procedure
   where procedure.proname = 'quadruple'
"""


@pytest.mark.usefixtures("used")
def test_a_new_signature_is_refused_while_another_routine_uses_the_old_one(database: URL) -> None:
    run(database, CreateRoutine("reports/double", 1), CreateRoutine("reports/quadruple", 1))
    before = standing(database), rows(database, USER)
    with refused_with("2BP01", r"has to be dropped, and other routines use it: reports/quadruple"):
        run(database, ReplaceRoutine("reports/double", 3, replaces=1))
    assert (standing(database), rows(database, USER)) == before


@pytest.mark.usefixtures("used")
@pytest.mark.parametrize("version", [1, 2], ids=["as it is", "replaced too"])
def test_a_new_signature_takes_the_routines_that_use_it_along_forward_and_back(
    database: URL, make_role: Callable[[], str], version: int
) -> None:
    run(database, CreateRoutine("reports/double", 1), CreateRoutine("reports/quadruple", 1))
    with connect(database) as connection:
        connection.execute(f'grant execute on function public.quadruple to "{make_role()}"')
    before = standing(database), rows(database, USER)
    operation = ReplaceRoutine("reports/double", 3, replaces=1, dependents={"reports/quadruple": (version, 1)})
    run(database, operation)
    [after] = rows(database, USER)
    assert ("0), 0)" in after["definition"]) == (version == 2)
    assert (after["owner"], after["grants"]) == (before[1][0]["owner"], before[1][0]["grants"])
    assert rows(database, "select public.quadruple(3) as result") == [{"result": 12}]
    run(database, operation.reverse())
    assert (standing(database), rows(database, USER)) == before


@pytest.mark.usefixtures("versions")
def test_every_operation_can_be_reversed(database: URL) -> None:
    nothing = standing(database)
    create, replace, drop = (
        CreateRoutine("reports/double", 1),
        ReplaceRoutine("reports/double", 3, replaces=1),
        DropRoutine("reports/double", 3),
    )
    run(database, create)
    first = standing(database)
    run(database, replace)
    third = standing(database)
    run(database, drop)
    assert standing(database) == nothing
    run(database, drop.reverse())
    assert standing(database) == third
    run(database, replace.reverse())
    assert standing(database) == first
    run(database, create.reverse())
    assert standing(database) == nothing


@pytest.mark.usefixtures("versions")
def test_the_operations_write_the_same_work_as_sql(database: URL) -> None:
    script = io.StringIO()
    migration = MigrationContext.configure(dialect_name="postgresql", opts={"as_sql": True, "output_buffer": script})
    for operation in (
        CreateRoutine("reports/double", 1),
        ReplaceRoutine("reports/double", 2, replaces=1),
        ReplaceRoutine("reports/double", 3, replaces=2),
    ):
        Operations(migration).invoke(operation)
    with connect(database) as connection, connection.transaction():
        connection.execute(script.getvalue())
    by_script = standing(database)
    run(database, DropRoutine("reports/double", 3), CreateRoutine("reports/double", 3))
    assert by_script == standing(database)


def test_a_version_without_a_file_is_named(database: URL) -> None:
    with pytest.raises(LookupError, match=r"no file for routine reports/rerun_report version 99"):
        run(database, ReplaceRoutine("reports/rerun_report", 99, replaces=1))
