"""Anyone sends anything that the OpenAPI document allows, and what it does not: no 5xx, and replies as it says.

PGREPRISE_FUZZ_EXAMPLES says how many requests to make to each route instead of a few that are the same in every run.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, settings
from pytest_postgresql.janitor import DatabaseJanitor
from schemathesis.specs.openapi import checks
from sqlalchemy import URL, create_engine

from pyapi.api.app import create_app
from pyapi.api.auth import LOCAL_OPERATOR
from pyapi.api.requests import ENGINE
from pyapi.database import connect_engine
from tests.support.api import as_api
from tests.support.databases import connect
from tests.support.samples import load_every_sample
from tests.support.tokens import SECRET, authentication, claims, signed

pytestmark = pytest.mark.needs("time")

EXAMPLES = os.environ.get("PGREPRISE_FUZZ_EXAMPLES")
QUICK_EXAMPLES = 8

# Routes and schemas are known without a database; what is called has one.
app = create_app(create_engine("postgresql+psycopg://"), authentication(jwt_secret=SECRET))
AUTHORIZATION = {"Authorization": f"Bearer {signed(claims(**json.loads(LOCAL_OPERATOR), exp=2**33))}"}
api = schemathesis.openapi.from_wsgi("/openapi.json", app, headers=AUTHORIZATION)

# Whether a value that a schema allows is accepted is not among them: the database judges that.
RELIED_UPON = [
    schemathesis.checks.not_a_server_error,
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_headers_conformance,
    checks.response_schema_conformance,
    checks.negative_data_rejection,
    checks.unsupported_method,
    checks.ignored_auth,
]


@pytest.fixture(scope="module", autouse=True)
def database_of_the_app(server: URL, new_database: Callable[..., DatabaseJanitor], template: str) -> Iterator[None]:
    """A database with the sample, in which some reports were rerun."""
    with new_database(template) as made:
        url = server.set(database=made.dbname)
        with connect(url) as connection:
            load_every_sample(connection)
            for report in (2, 4, 4):
                connection.execute("call public.rerun_report(%s::bigint)", (report,))
        engine = connect_engine(as_api(url))
        app.extensions[ENGINE] = engine
        yield
        engine.dispose()


@api.hook
def map_path_parameters(_: Any, path_parameters: dict[str, Any] | None) -> dict[str, Any] | None:
    """Of the values that are allowed, make some the id of a row that there is, or the name of a country."""
    texts = {"country_id": ("us", "uk", "us"), "module": ("headcount", "buildings", "equipment")}
    for name, value in (path_parameters or {}).items():
        if name in texts and isinstance(value, str) and value and "/" not in value and len(value) % 4:
            path_parameters[name] = texts[name][len(value) % 3]
        elif name not in texts and type(value) is int and 0 <= value < 2**63 and value % 4:
            path_parameters[name] = 2025 if name == "year" else value % 9 + 1
    return path_parameters


@api.parametrize()
@settings(
    max_examples=int(EXAMPLES or QUICK_EXAMPLES),
    derandomize=EXAMPLES is None,
    database=None,
    deadline=None,
    phases=[Phase.explicit, Phase.generate, Phase.shrink],
    suppress_health_check=list(HealthCheck),
)
def test_replies_are_as_the_document_says(case: schemathesis.Case) -> None:
    # A list ignores parameters that it does not know, and takes any text for max_results, as the application does.
    ignored = [checks.negative_data_rejection] if case.path.endswith("/simulations") else []
    # Nobody unpacks a compressed reply here, where no connection is.
    headers = AUTHORIZATION | {"Accept-Encoding": "identity"}
    case.call_and_validate(headers=headers, checks=RELIED_UPON, excluded_checks=ignored)
