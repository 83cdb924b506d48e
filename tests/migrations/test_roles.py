"""A DBA who is no superuser migrates a database.

Roles belong to the whole cluster, so these tests have one of their own, where pgreprise's roles do not exist yet.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from sqlalchemy import URL

from pyapi.database import connect_engine
from pyapi.doctor import examine
from pyapi.embedded import embedded
from pyapi.schema import migrate
from pyapi.schema.run_tables import create_run_tables
from pyapi.settings import Settings
from tests.support.databases import FAST, connect, engine, folder_of_a_server, janitor, rows
from tests.support.dumps import dump, public
from tests.support.factories import add_economy_report, add_reform_impact, add_report, add_simulation, set_versions
from tests.support.hosts import LEGACY
from tests.support.refusals import detail, problems, refused_with, remedies

pytestmark = pytest.mark.needs("time")

ROLES = (
    "pgreprise_owner",
    "pgreprise_reader",
    "pgreprise_api",
    "pgreprise_dba",
    "pgreprise_monitor",
    "pgreprise_worker",
    "pgreprise_router",
    "migrator",
    "app_owner",
    "stranger",
)


@pytest.fixture(scope="module")
def own_cluster() -> Iterator[URL]:
    """A cluster beside the one of the other tests."""
    version = Settings.from_environment().postgres_version
    with folder_of_a_server() as folder, embedded(Path(folder), version, settings=FAST) as running:
        yield running.url(database="postgres")


@pytest.fixture
def superuser(own_cluster: URL) -> Iterator[URL]:
    """An empty database of role migrator, in a cluster without pgreprise's roles, as its superuser."""
    with connect(own_cluster) as connection:
        connection.execute("create role migrator login; create role app_owner nologin")
    with janitor(own_cluster, "roles") as made:
        with connect(own_cluster) as connection:
            connection.execute("alter database roles owner to migrator")
        yield own_cluster.set(database=made.dbname)
    with connect(own_cluster) as connection:
        for role in ROLES:
            connection.execute(psycopg.sql.SQL("drop role if exists {}").format(psycopg.sql.Identifier(role)))


@pytest.fixture
def migrator(superuser: URL) -> URL:
    """The same database as its owner, who is no superuser."""
    return superuser.set(username="migrator")


def run_as(database: URL, statements: str) -> None:
    """Run statements by hand."""
    with connect(database) as connection:
        connection.execute(statements)


def assert_works(database: URL) -> None:
    """The API's role reruns a report."""
    with connect(database) as connection:
        set_versions(connection)
        report = add_report(connection, add_simulation(connection))
        connection.execute("set role pgreprise_api")
        connection.execute("call rerun_report(%s::bigint)", (report,))
    [owner] = rows(
        database,
        "select distinct owner.rolname as name, owner.rolsuper, owner.rolcanlogin from pg_proc as procedure "
        "join pg_roles as owner on owner.oid = procedure.proowner where procedure.prosecdef "
        "and procedure.pronamespace in ('public'::regnamespace, 'pgreprise'::regnamespace)",
    )
    assert owner == {"name": "pgreprise_owner", "rolsuper": False, "rolcanlogin": False}


def test_the_owner_of_a_database_who_may_create_roles_can_migrate_it(superuser: URL, migrator: URL) -> None:
    run_as(superuser, "alter role migrator createrole")
    migrate.upgrade(engine(migrator))
    assert_works(superuser)
    migrate.downgrade(engine(migrator), "base", drop_tables_with_rows=True)
    migrate.upgrade(engine(migrator))
    assert_works(superuser)


def everything(database: URL) -> tuple[str, list[dict[str, Any]], list[dict[str, Any]]]:
    """The schema, the roles and their memberships."""
    return (
        dump(database),
        rows(database, "select * from pg_roles order by rolname"),
        rows(database, "select to_jsonb(entry) as entry from pg_auth_members as entry order by 1"),
    )


def mended(superuser: URL, migrator: URL, code: str, message: str) -> tuple[list[str], list[str]]:
    """A migration is refused and changes nothing; the statements that it tells are run, and it goes through."""
    before = everything(superuser)
    with refused_with(code, message) as refused:
        migrate.upgrade(engine(migrator))
    assert everything(superuser) == before
    run_as(superuser, detail(refused.value))
    migrate.upgrade(engine(migrator))
    assert_works(superuser)
    return problems(refused.value), remedies(refused.value)


def has_options(database: URL) -> bool:
    """Whether a membership has options, as from PostgreSQL 16 on."""
    [row] = rows(database, "select current_setting('server_version_num')::integer >= 160000 as has_options")
    return bool(row["has_options"])


def with_options(database: URL) -> str:
    return " with inherit true, set true" if has_options(database) else ""


def test_without_that_right_one_error_tells_what_a_superuser_has_to_run(superuser: URL, migrator: URL) -> None:
    _, statements = mended(superuser, migrator, "42501", "8 obstacles. Nothing was changed")
    assert statements == [
        "create role pgreprise_owner nologin;",
        "create role pgreprise_reader nologin;",
        "create role pgreprise_api nologin;",
        "create role pgreprise_dba nologin;",
        "create role pgreprise_monitor nologin;",
        "create role pgreprise_worker nologin;",
        "create role pgreprise_router nologin;",
        f"grant pgreprise_owner to migrator{with_options(superuser)};",
    ]


def test_a_role_that_owns_nothing_is_told_all_that_it_lacks_at_once(superuser: URL, migrator: URL) -> None:
    run_as(superuser, "alter database roles owner to postgres; revoke usage on schema public from public")
    run_as(superuser, f"grant usage, create on schema public to app_owner; set role app_owner; {LEGACY}")
    told, statements = mended(superuser, migrator, "42501", "14 obstacles")
    assert told[8:11] == [
        "Schema public: role migrator may not create in it",
        "Schema public: role migrator may not let the roles of pgreprise use it",
        "Database roles: role migrator may not create schema pgreprise",
    ]
    assert statements[8:16] == [
        "grant usage, create on schema public to migrator;",
        "grant usage, create on schema public to pgreprise_owner;",
        "grant usage on schema public to pgreprise_reader;",
        "grant usage on schema public to pgreprise_api;",
        "grant usage on schema public to pgreprise_dba;",
        "grant usage on schema public to pgreprise_monitor;",
        "grant usage on schema public to pgreprise_worker;",
        "grant create on database roles to migrator;",
    ]


def test_roles_that_exist_need_only_the_membership(superuser: URL, migrator: URL) -> None:
    run_as(superuser, "".join(f"create role {role} nologin;" for role in ROLES[:7]))
    _, statements = mended(superuser, migrator, "42501", "1 obstacle")
    assert statements == [f"grant pgreprise_owner to migrator{with_options(superuser)};"]


@pytest.mark.parametrize("option", ["inherit false", "set false", "inherit false, set false", "noinherit"])
def test_a_membership_without_an_option_gets_a_remedy_that_works(superuser: URL, migrator: URL, option: str) -> None:
    run_as(superuser, "".join(f"create role {role} nologin;" for role in ROLES[:7]))
    if option == "noinherit" or not has_options(superuser):
        option = "noinherit"
        run_as(superuser, "alter role migrator noinherit; grant pgreprise_owner, app_owner to migrator")
    else:
        run_as(superuser, f"grant pgreprise_owner, app_owner to migrator with {option}")
    run_as(superuser, f"grant create on schema public to app_owner; set role app_owner; {LEGACY}")
    mended(superuser, migrator, "42501", "1 obstacle" if option == "set false" else "4 obstacles")


def test_a_role_that_may_create_roles_and_does_not_inherit_is_told_what_it_needs(superuser: URL, migrator: URL) -> None:
    run_as(superuser, "alter role migrator createrole noinherit")
    if has_options(superuser):
        # It may give itself a membership that inherits.
        migrate.upgrade(engine(migrator))
        assert_works(superuser)
    else:
        mended(superuser, migrator, "42501", "1 obstacle")


@pytest.mark.parametrize(
    ("role", "right"),
    [
        ("pgreprise_owner", "superuser"),
        ("pgreprise_owner", "login"),
        ("pgreprise_api", "createdb bypassrls"),
        ("pgreprise_dba", "login"),
    ],
)
def test_a_role_of_our_name_with_rights_of_its_own_is_refused(superuser: URL, role: str, right: str) -> None:
    run_as(superuser, f"create role {role} {right}")
    told, statements = mended(superuser, superuser, "55000", "1 obstacle")
    assert told[0].startswith(f"{role}: the role has {right.replace(' ', ', ')}. It must only hold rights")
    assert statements == [f"alter role {role} no{right.replace(' ', ' no')};"]


@pytest.mark.parametrize("owner", ["app_owner", "postgres"])
def test_adopted_tables_of_someone_else_are_named_with_what_is_to_be_granted(
    superuser: URL, migrator: URL, owner: str
) -> None:
    run_as(superuser, "alter role migrator createrole; grant create on schema public to app_owner")
    run_as(superuser, f"set role {owner}; {LEGACY}")
    told, statements = mended(superuser, migrator, "42501", "3 obstacles")
    tables = ("reform_impact", "report_outputs", "simulations")
    assert told == [
        f"public.{table}: role migrator does not own the table, which pgreprise is to index and grant on"
        for table in tables
    ]
    # Nobody should become a member of a superuser.
    assert statements == (
        [f"alter table public.{table} owner to migrator;" for table in tables]
        if owner == "postgres"
        else [f"grant app_owner to migrator{with_options(superuser)};"]
    )


def test_a_schema_of_our_name_that_another_role_owns_is_named(superuser: URL, migrator: URL) -> None:
    run_as(superuser, "create schema pgreprise; alter role migrator createrole")
    _, statements = mended(superuser, migrator, "42501", "1 obstacle")
    assert statements == ["alter schema pgreprise owner to migrator;"]


def test_an_upgrade_by_another_role_is_refused_before_its_first_revision(superuser: URL, migrator: URL) -> None:
    migrate.upgrade(engine(superuser), "reports_0005")
    mended(superuser, migrator, "42501", "obstacle")


HOST_DEFAULTS = """
create sequence public.tickets;
create schema app;
create type app.mood as enum ('good', 'bad');
create function app.token() returns text language sql as $f$ select 't' $f$;
revoke execute on function app.token() from public;
revoke usage on type app.mood from public;
alter table public.report_outputs add ticket bigint default nextval('public.tickets');
alter table public.simulations add token text default app.token();
alter table public.reform_impact add mood app.mood default 'good', add moods app.mood[];
alter role migrator createrole;
"""


def test_defaults_and_types_that_pgreprise_may_not_use_are_named_and_then_used(superuser: URL, migrator: URL) -> None:
    run_as(superuser, f"set role migrator; {LEGACY}")
    run_as(superuser, HOST_DEFAULTS)
    _, statements = mended(superuser, migrator, "42501", "obstacles")
    assert statements == [
        "grant usage on schema app to migrator with grant option;",
        "grant usage on sequence public.tickets to migrator with grant option;",
        "grant execute on routine app.token() to migrator with grant option;",
    ]
    with connect(superuser) as connection:
        connection.execute("set role pgreprise_api")
        made = connection.execute(
            "select (m.stored).id as id from get_or_create_simulation('us', 'ca', 'geography', 3) m"
        )
        first = made.fetchone()
        assert first is not None
        connection.execute("select from get_or_create_report('us', %s, null, '2026')", (first["id"],))
        connection.execute("reset role")
        report, _, _ = add_economy_report(connection)
        impact = add_reform_impact(connection)
        connection.execute("update public.reform_impact set mood = 'bad', moods = '{bad,good}'")
        connection.execute("set role pgreprise_dba")
        done = connection.execute("call rerun_report(%s::bigint)", (report,)).fetchone()
        assert done is not None
        assert done["result"]["economy_cache_rows_deleted"] == 1
        connection.execute("call undo_rerun(%s::bigint)", (done["result"]["rerun_id"],))
        connection.execute("reset role")
        kept = connection.execute(
            "select reform_impact_id as id, mood::text as mood, moods::text as moods from public.reform_impact"
        )
        assert kept.fetchall() == [{"id": impact, "mood": "bad", "moods": "{bad,good}"}]
    migrate.downgrade(engine(migrator), "base", drop_tables_with_rows=True)
    assert "pgreprise_owner" not in public(superuser)[0]


# --- default privileges of the host ----------------------------------------------------------

OPEN = """
alter default privileges {of} grant all on tables to stranger with grant option;
alter default privileges {of} grant all on tables to public, pgreprise_api;
alter default privileges {of} grant all on sequences to stranger, public, pgreprise_dba;
alter default privileges {of} grant all on functions to stranger with grant option;
alter default privileges {of} grant all on functions to public, pgreprise_reader;
alter default privileges {of} grant all on types to stranger, pgreprise_api;
alter default privileges {of} grant all on tables to pgreprise_owner;
alter default privileges {of} grant all on sequences to pgreprise_owner;
"""
# What somebody holds on an object of ours, but for the owner of it and of the routines, and for EXECUTE of the groups.
HELD = """
with object as (
  select 'schema pgreprise' as name, nspowner as owner_id, nspacl as acl
    from pg_namespace where nspname = 'pgreprise'
  union all
  select 'table or sequence ' || oid::regclass, relowner, relacl
    from pg_class
   where relnamespace = 'pgreprise'::regnamespace
      or relnamespace = 'public'::regnamespace and relname ~ %(created)s
  union all
  select 'column ' || attname || ' of ' || attrelid::regclass, relowner, attacl
    from pg_attribute join pg_class on pg_class.oid = attrelid
   where relnamespace = 'pgreprise'::regnamespace
  union all
  select 'type ' || pg_type.oid::regtype, typowner, coalesce(typacl, acldefault('T', typowner))
    from pg_type left join pg_class on pg_class.oid = typrelid
   where typnamespace in ('pgreprise'::regnamespace, 'public'::regnamespace)
     and (typtype = 'e' or pg_class.relkind = 'c')
  union all
  select 'routine ' || pg_proc.oid::regprocedure, proowner, coalesce(proacl, acldefault('f', proowner))
    from pg_proc join pg_namespace on pg_namespace.oid = pronamespace
    join pgreprise.routine_version on routine = nspname || '.' || proname
)
select object.name, coalesce(pg_roles.rolname, 'public') as role, entry.privilege_type as privilege
  from object
 cross join lateral aclexplode(object.acl) as entry
  left join pg_roles on pg_roles.oid = entry.grantee
 where entry.grantee <> object.owner_id
   and (entry.is_grantable or coalesce(pg_roles.rolname, 'public') not in (
     'pgreprise_owner', 'pgreprise_reader', 'pgreprise_api', 'pgreprise_dba', 'pgreprise_monitor',
     'pgreprise_worker'
   ))
"""
CARBON = "^(units|carbon_|data_entr)"


def held(database: URL, migrator: URL, *, created: str) -> list[dict[str, object]]:
    """What strangers hold on objects of ours; ``created`` is the pattern of the tables that we made in schema public.

    What our own roles hold is compared with the files, by the doctor, which the one who migrates runs.
    """
    with connect(database) as connection:
        strangers = connection.execute(HELD, {"created": created}).fetchall()
    examined = connect_engine(migrator)
    findings = [finding.message for finding in examine(examined) if finding.severity == "problem"]
    examined.dispose()
    return [*strangers, *({"finding": message} for message in findings)]


def allow(database: URL, *scopes: str) -> None:
    run_as(database, "".join(OPEN.format(of=scope) for scope in scopes))


def test_default_privileges_of_the_host_give_nobody_anything_on_our_objects(superuser: URL, migrator: URL) -> None:
    run_as(superuser, "alter role migrator createrole; create role stranger")
    run_as(
        superuser, "".join(f"create role {role} nologin;" for role in ROLES[:7]) + "grant pgreprise_owner to migrator"
    )
    run_as(migrator, LEGACY)
    # The host's own grants on its own tables.
    run_as(migrator, "grant select, insert on reform_impact to stranger; grant update on simulations to stranger")
    acls = (
        "select relname, relacl::text[] from pg_class where relname in ('reform_impact', 'report_outputs',"
        " 'simulations', 'simulations_id_seq') order by 1"
    )
    allow(migrator, "", "in schema public")
    run_as(migrator, "alter default privileges grant all on schemas to stranger, public, pgreprise_api")
    migrate.upgrade(engine(migrator), "core_0001")
    allow(migrator, "in schema pgreprise")
    migrate.upgrade(engine(migrator))
    assert held(superuser, migrator, created=CARBON) == []

    # Between one migration and the next.
    allow(superuser, "for role migrator", "for role pgreprise_owner", "for role migrator in schema pgreprise, public")
    migrate.downgrade(engine(migrator), "carbon@base", drop_tables_with_rows=True)
    run_as(migrator, "select pgreprise.remove_routine('reports/rerun_report', 'public.rerun_report', 1)")
    migrate.upgrade(engine(migrator))
    assert held(superuser, migrator, created=CARBON) == []

    [impact, *_] = rows(superuser, acls)
    assert {"stranger=ar/migrator", "pgreprise_owner=arwd/migrator"} < set(impact["relacl"])
    with connect(superuser) as connection:
        set_versions(connection)
        report = add_report(connection, add_simulation(connection))
        connection.execute("set role stranger")
        for statement in (f"call rerun_report({report})", "select from pgreprise.report_run"):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                connection.execute(statement.encode())
        # Its own grants are as they were.
        connection.execute("select from reform_impact")
        connection.execute("update simulations set status = 'pending'")
    assert_works(superuser)


def test_default_privileges_of_the_host_give_nothing_on_report_tables_that_we_make(
    superuser: URL, migrator: URL
) -> None:
    run_as(superuser, "alter role migrator createrole; create role stranger")
    run_as(
        superuser, "".join(f"create role {role} nologin;" for role in ROLES[:7]) + "grant pgreprise_owner to migrator"
    )
    allow(migrator, "")
    migrate.upgrade(engine(migrator), "reports@head")
    assert held(superuser, migrator, created="^(reform_impact|report_outputs|simulations)") == []
    with engine(migrator).begin() as connection:
        # As an import does where the legacy database has these tables.
        create_run_tables(connection)
    assert held(superuser, migrator, created="^(reform_impact|report_output|simulation)") == []
