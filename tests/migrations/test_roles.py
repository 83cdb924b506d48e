"""A DBA who is no superuser migrates a database.

Roles belong to the whole cluster, so these tests have one of their own, where pgreprise's roles do not exist yet.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import URL
from sqlalchemy.exc import DBAPIError

from pyapi.database import connect_engine
from pyapi.doctor import examine
from pyapi.embedded import embedded
from pyapi.schema import migrate
from pyapi.schema.run_tables import create_run_tables
from pyapi.settings import Settings
from tests.support.databases import FAST, connect, engine, folder_of_a_server, janitor, rows
from tests.support.factories import add_report, add_simulation, set_versions
from tests.support.hosts import LEGACY
from tests.support.refusals import detail, refused_with

ROLES = ("pgreprise_owner", "pgreprise_reader", "pgreprise_api", "pgreprise_dba", "migrator", "app_owner", "stranger")


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


def test_without_that_right_one_error_tells_what_a_superuser_has_to_run(superuser: URL, migrator: URL) -> None:
    with refused_with("42501", "may not prepare the roles that pgreprise needs") as refused:
        migrate.upgrade(engine(migrator))
    assert detail(refused.value).splitlines() == [
        "create role pgreprise_owner nologin;",
        "create role pgreprise_reader nologin;",
        "create role pgreprise_api nologin;",
        "create role pgreprise_dba nologin;",
        "grant pgreprise_owner to migrator;",
    ]
    run_as(superuser, detail(refused.value))
    migrate.upgrade(engine(migrator))
    assert_works(superuser)


def test_roles_that_exist_need_only_the_membership(superuser: URL, migrator: URL) -> None:
    run_as(superuser, "".join(f"create role {role} nologin;" for role in ROLES[:4]))
    with pytest.raises(DBAPIError) as refused:
        migrate.upgrade(engine(migrator))
    assert detail(refused.value) == "grant pgreprise_owner to migrator;"
    run_as(superuser, detail(refused.value))
    migrate.upgrade(engine(migrator))
    assert_works(superuser)


@pytest.mark.parametrize("right", ["superuser", "login"])
def test_an_owner_with_too_many_rights_is_refused(superuser: URL, right: str) -> None:
    run_as(superuser, f"create role pgreprise_owner {right}")
    with refused_with("55000", "is a superuser or may log in"):
        migrate.upgrade(engine(superuser))


@pytest.mark.parametrize(
    ("owner", "statements"),
    [
        ("app_owner", ["grant app_owner to migrator;"]),
        (
            "postgres",
            [
                "alter table public.reform_impact owner to migrator;",
                "alter table public.report_outputs owner to migrator;",
                "alter table public.simulations owner to migrator;",
            ],
        ),
    ],
    ids=["another role", "a superuser"],
)
def test_adopted_tables_of_someone_else_are_named_with_what_is_to_be_granted(
    superuser: URL, migrator: URL, owner: str, statements: list[str]
) -> None:
    run_as(superuser, "alter role migrator createrole; grant create on schema public to app_owner")
    run_as(superuser, f"set role {owner}; {LEGACY}")
    with refused_with("42501", "does not own the tables") as refused:
        migrate.upgrade(engine(migrator))
    assert detail(refused.value).splitlines() == statements
    assert rows(superuser, "select pgreprise.status() -> 'revisions' as revisions") == [{"revisions": ["core_0001"]}]
    run_as(superuser, detail(refused.value))
    migrate.upgrade(engine(migrator))
    assert_works(superuser)


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
     'pgreprise_owner', 'pgreprise_reader', 'pgreprise_api', 'pgreprise_dba'
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
        superuser, "".join(f"create role {role} nologin;" for role in ROLES[:4]) + "grant pgreprise_owner to migrator"
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
        superuser, "".join(f"create role {role} nologin;" for role in ROLES[:4]) + "grant pgreprise_owner to migrator"
    )
    allow(migrator, "")
    migrate.upgrade(engine(migrator), "reports@head")
    assert held(superuser, migrator, created="^(reform_impact|report_outputs|simulations)") == []
    with engine(migrator).begin() as connection:
        # As an import does where the legacy database has these tables.
        create_run_tables(connection)
    assert held(superuser, migrator, created="^(reform_impact|report_output|simulation)") == []
