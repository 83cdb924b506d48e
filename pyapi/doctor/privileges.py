"""Who holds which rights. Callers should hold EXECUTE on entry points, and nothing else."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal

import psycopg

from pyapi.doctor.finding import Finding, ask
from pyapi.schema.files import live_routines

__all__ = ["wrong_rights"]

OWNER = "pgreprise_owner"
GROUPS = ("pgreprise_reader", "pgreprise_api", "pgreprise_dba", "pgreprise_monitor", "pgreprise_worker")
# Of the login of a router. Who holds it may call in anybody's name.
ROUTER = "pgreprise_router"


def wrong_rights(database: psycopg.Connection[Any]) -> Iterator[Finding]:
    """Rights that pgreprise did not give, and rights to call routines that are missing."""
    yield from _attributes(database)
    if missing := _missing_roles(database):
        # Nothing can be asked about a role that does not exist.
        yield from missing
        return
    tables = ask(database, "table_rights")
    yield from _owners(database)
    yield from _on_schemas(database)
    yield from _of_strangers(database)
    yield from _on_tables(tables)
    yield from _on_routines(database)
    yield from _members(database, tables)
    yield from _administrators(database)


def _finding(message: str, remedy: str, severity: Literal["problem", "note"] = "problem") -> Finding:
    return Finding("rights", severity, message, remedy)


def _shown(role: str) -> str:
    return "PUBLIC" if role == "public" else role


def _missing_roles(database: psycopg.Connection[Any]) -> list[Finding]:
    existing = {row["role"] for row in ask(database, "role_attributes")}
    return [
        _finding(
            f"Role {role} does not exist. When it does, the doctor names the rights that it needs.",
            f"create role {role} nologin;",
        )
        for role in (OWNER, *GROUPS, ROUTER)
        if role not in existing
    ]


def _owners(database: psycopg.Connection[Any]) -> Iterator[Finding]:
    for row in ask(database, "owners"):
        yield _finding(
            f"{row['kind'].capitalize()} {row['object']} belongs to {row['owner']}, and most of ours belong to "
            f"{row['wanted_owner']}.",
            row["remedy"],
        )


def _on_schemas(database: psycopg.Connection[Any]) -> Iterator[Finding]:
    for row in ask(database, "schema_rights"):
        schema, role, privilege = row["schema"], row["role"], row["privilege"]
        if row["is_missing"]:
            can = "may not create in" if privilege == "create" else "may not use"
            yield _finding(f"{role} {can} schema {schema}.", f"grant {privilege} on schema {schema} to {role};")
            continue
        if (schema, role) == ("public", "public"):
            message = (
                "Anyone may create functions in schema public. "
                "Such a function may be called by mistake in place of another one."
            )
        else:
            message = f"{_shown(role)} may create in schema {schema}."
        yield _finding(message, f"revoke create on schema {schema} from {role};")


def _of_strangers(database: psycopg.Connection[Any]) -> Iterator[Finding]:
    for row in ask(database, "strange_rights"):
        yield _finding(
            f"{_shown(row['role'])} holds {', '.join(row['privileges'])} on {row['kind']} {row['object']}, which no "
            "migration granted.",
            row["remedy"] + (" unless it is meant to call this routine and no other." if row["may_be_meant"] else ""),
            "note" if row["may_be_meant"] else "problem",
        )


def _on_tables(table_rights: list[dict[str, Any]]) -> Iterator[Finding]:
    for row in table_rights:
        role, tables = row["role"], ", ".join(row["tables"])
        if row["rights"] and role in ("public", *GROUPS):
            yield _finding(
                f"{_shown(role)} may {', '.join(row['rights'])} on {tables} without calling a routine.",
                f"revoke all on table {tables} from {role};"
                if row["is_direct"]
                else f"It comes from a role that {role} is a member of: revoke that membership.",
            )


def _on_routines(database: psycopg.Connection[Any]) -> Iterator[Finding]:
    files = {(file.name, file.version): file for file in live_routines()}
    for row in ask(database, "routine_rights"):
        routine = f"{row['kind']} {row['signature']}"
        if row["owner"] != OWNER:
            yield _finding(
                f"{row['signature']} belongs to {row['owner']}, so it may run with the rights of that role.",
                f"alter {routine} owner to {OWNER};",
            )
        file = files.get((row["name"], row["version"]))
        if file is None:
            continue
        wanted, held = set(file.callers), set(row["callers"])
        # What PUBLIC holds, every group holds.
        for role in sorted(held - wanted) if "public" not in held else ["public"]:
            yield _finding(f"{_shown(role)} may call {row['signature']}.", f"revoke execute on {routine} from {role};")
        for role in sorted(wanted - held):
            yield _finding(f"{role} may not call {row['signature']}.", f"grant execute on {routine} to {role};")


def _attributes(database: psycopg.Connection[Any]) -> Iterator[Finding]:
    for row in ask(database, "role_attributes"):
        role, attributes = row["role"], row["attributes"]
        if attributes:
            yield _finding(
                f"Role {role} has {', '.join(attributes)}. It should only hold rights.",
                f"alter role {role} {' '.join(f'no{attribute}' for attribute in attributes)};",
            )


def _own_tables(role: str, groups: list[str], table_rights: list[dict[str, Any]]) -> Iterator[str]:
    """The tables on which a role holds rights that it has not from one of our groups, where they are told."""
    of_groups: dict[str, set[str]] = {}
    for held in table_rights:
        if held["role"] in groups:
            for table in held["tables"]:
                of_groups.setdefault(table, set()).update(held["rights"])
    for held in table_rights:
        if held["role"] == role:
            yield from (
                table
                for table in held["tables"]
                if held["is_direct"] or held["is_owner"] or not set(held["rights"]) <= of_groups.get(table, set())
            )


def _members(database: psycopg.Connection[Any], table_rights: list[dict[str, Any]]) -> Iterator[Finding]:
    for row in ask(database, "role_members"):
        role, groups = row["role"], row["groups"]
        is_caller = role in GROUPS or any(group in GROUPS for group in groups)
        if row["is_superuser"]:
            if "pgreprise_api" in groups and row["can_login"]:
                yield _finding(
                    f"Role {role} is a member of pgreprise_api and a superuser. The API only needs the membership.",
                    f"alter role {role} nosuperuser; or give the API a login of its own.",
                )
            continue
        if ROUTER in groups and is_caller:
            yield _finding(
                f"Role {role} is a member of {ROUTER}, so it may say that it is anybody. Only the login of a router "
                "needs this, and no other group of ours.",
                f"revoke {ROUTER} from {role};",
            )
        if OWNER in groups and not row["is_me"]:
            yield _finding(
                f"Role {role} may act as {OWNER}. Only the role that migrates needs this.",
                f"revoke {OWNER} from {role}; unless it migrates.",
                "problem" if is_caller else "note",
            )
        elif "pgreprise_api" in groups:
            tables = ", ".join(sorted(_own_tables(role, groups, table_rights)))
            if tables:
                yield _finding(
                    f"Role {role} is a member of pgreprise_api and holds rights of its own on {tables}. "
                    "The API only needs the membership.",
                    f"Give the API a login of its own, or: revoke all on table {tables} from {role};",
                )


def _administrators(database: psycopg.Connection[Any]) -> Iterator[Finding]:
    for row in ask(database, "owner_administrators"):
        yield _finding(
            f"Role {row['role']} holds the ADMIN option on {OWNER}: it may make itself and anybody else "
            "a member, and so act with all rights of the routines.",
            f"revoke admin option for {OWNER} from {row['role']}; unless it migrates.",
            "problem" if row["is_caller"] else "note",
        )
