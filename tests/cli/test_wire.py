"""What comes over the wire to a real server that wants tokens: paths and headers as they are sent, forged ones too."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from typing import Any

import pytest
from sqlalchemy import URL

from pyapi.api.app import LARGEST_BODY_BYTES
from tests.support.databases import Connection
from tests.support.samples import load_sample
from tests.support.snapshots import everything
from tests.support.statements import one
from tests.support.tokens import SECRET, claims, signed
from tests.support.wire import Server, everything_of, served_api, statuses

pytestmark = pytest.mark.needs("time")

CLIENTS = 48
PATCH = b"PATCH /us/report HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
END = b"Connection: close\r\n\r\n"


def token() -> str:
    return "Bearer " + signed(claims(scope="reports:read reports:write reports:rerun", aud=None, iss=None))


def authorization() -> bytes:
    return f"Authorization: {token()}\r\n".encode()


def post(path: bytes, *headers: bytes) -> bytes:
    """A POST with a token, after which the connection is closed."""
    lines = b"".join(header + b"\r\n" for header in headers)
    return b"POST " + path + b" HTTP/1.1\r\nHost: localhost\r\n" + authorization() + lines + END


def replies(received: bytes) -> list[dict[str, Any]]:
    """The content of each reply, which is JSON of a length that is told."""
    found = []
    while received:
        head, _, rest = received.partition(b"\r\n\r\n")
        assert b"Content-Type: application/json" in head, head
        [length] = re.findall(rb"Content-Length: (\d+)", head)
        found.append(json.loads(rest[: int(length)]))
        received = rest[int(length) :]
    return found


def answer(served: Server, sent: bytes) -> tuple[int, dict[str, Any]]:
    """Status and envelope of the one reply to what is sent."""
    with served.connect(sent) as connection:
        received = everything_of(connection)
    [status], [envelope] = statuses(received), replies(received)
    assert envelope["status"] == ("ok" if status < 400 else "error")
    return status, envelope


@pytest.fixture(scope="module")
def dba(shared_connection: Connection) -> Connection:
    """A superuser's connection to the module's database; report 4 of the sample waits for a result."""
    load_sample(shared_connection)
    shared_connection.execute("call rerun_report(4)")
    return shared_connection


@pytest.fixture(scope="module")
def served(shared_database: URL, dba: Connection) -> Iterator[Server]:  # noqa: ARG001
    """An API with two database connections, which wants tokens and trusts no proxy."""
    with served_api(shared_database, "--connections", "2", PGREPRISE_JWT_SECRET=SECRET) as made:
        yield made


@pytest.fixture(scope="module")
def prefixed(shared_database: URL, dba: Connection) -> Iterator[Server]:  # noqa: ARG001
    """The same below a prefix, behind a proxy that is trusted."""
    settings = {"PGREPRISE_JWT_SECRET": SECRET, "PGREPRISE_PROXIES": "1", "SCRIPT_NAME": "/reports"}
    with served_api(shared_database, **settings) as made:
        yield made


# --- bodies ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "sent",
    [
        b'Content-Length: 1000\r\n\r\n{"id": 4, ',
        b'Content-Length: 1000000\r\n\r\n{"id": 4, ',
        b"Transfer-Encoding: chunked\r\n\r\n5\r\n{",
        b"Transfer-Encoding: chunked\r\n\r\n",
        b"Authorization: Bearer x\r\nContent-Length: 1000\r\n\r\n{",
    ],
    ids=["short", "long", "chunked", "no chunk", "a wrong token"],
)
def test_clients_without_a_token_are_answered_before_their_body_comes_and_hold_nobody_up(
    served: Server, sent: bytes
) -> None:
    with ExitStack() as stack:
        slow = [stack.enter_context(served.connect(PATCH + sent)) for _ in range(CLIENTS)]
        assert served.serves(Authorization=token())
        # None of them has sent its body, and none ever will.
        assert [statuses(everything_of(connection)) for connection in slow] == [[401]] * CLIENTS


def test_clients_with_a_token_whose_body_is_slow_hold_no_connection_of_the_database(served: Server) -> None:
    sent = PATCH + authorization() + b'Content-Length: 1000\r\n\r\n{"id": 4, '
    with ExitStack() as stack:
        slow = [stack.enter_context(served.connect(sent)) for _ in range(CLIENTS)]
        assert served.serves(Authorization=token())
        assert [statuses(everything_of(connection)) for connection in slow] == [[408]] * CLIENTS


@pytest.mark.parametrize(
    "line", [b"PATCH /us/report", b"POST /us/report/4/rerun", b"GET /us/report/4", b"GET /liveness-check", b"GET /x"]
)
@pytest.mark.parametrize("length", [LARGEST_BODY_BYTES + 1, 10**30])
def test_a_body_that_says_it_is_too_long_is_refused_before_it_comes(
    served: Server, dba: Connection, line: bytes, length: int
) -> None:
    before = everything(dba)
    head = line + b" HTTP/1.1\r\nHost: localhost\r\n" + authorization() + f"Content-Length: {length}\r\n".encode()
    status, envelope = answer(served, head + END)
    assert (status, envelope["code"]) in ((413, "REQUEST_ENTITY_TOO_LARGE"), (404, "NOT_FOUND"))
    assert status == 413 or line == b"GET /x"
    assert everything(dba) == before


def test_a_body_in_chunks_may_be_as_long_as_any_and_not_a_byte_longer(served: Server, dba: Connection) -> None:
    update = b'{"id": 4, "status": "running", "error_message": "long"}'
    for more, status in ((0, 200), (1, 413)):
        text = update + b" " * (LARGEST_BODY_BYTES + more - len(update))
        with served.connect(PATCH + authorization() + b"Transfer-Encoding: chunked\r\n" + END) as connection:
            with suppress(OSError):
                for at in range(0, len(text), 2**20):
                    piece = text[at : at + 2**20]
                    connection.sendall(f"{len(piece):x}\r\n".encode() + piece + b"\r\n")
                connection.sendall(b"0\r\n\r\n")
            # The reply may be lost where the server closes a connection on which more is coming.
            assert statuses(everything_of(connection)) in ([status], [] if status == 413 else [status])
        stored = one(dba, "select error_message from public.report_outputs where id = 4")
        assert stored == {"error_message": "long"}
        update = update.replace(b"long", b"too long")


# --- paths -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "path",
    [
        *(b"//us/report/4/rerun", b"///us/report/4/rerun", b"/us//report/4/rerun", b"/us/report/4/rerun/"),
        *(b"/us/report/04/rerun", b"/us/report/+4/rerun", b"/us/report/4_0/rerun", b"/us/report/4./rerun"),
        *(b"/us/report/%D9%A4/rerun", b"/us/report/%34/rerun", b"/us/report/4%20/rerun", b"/us/report/4%0a/rerun"),
        *(b"/us/report/4%2Frerun", b"/us%2freport/4/rerun", b"/us/report/4/rerun%00", b"/us/report/4/rerun;x"),
        *(b"/us/report/4/rerun#x", b"/us/report/4/rerun#", b"/us/report/4/x/../rerun", b"/us/report/4/./rerun"),
        *(b"http://localhost//us/report/4/rerun", b"http:///us/report/4/rerun/", b"/us/report/\xd9\xa4/rerun"),
        *(b"*", b"us/report/4/rerun", b"?/us/report/4/rerun", b"/us/report/4\\rerun", b"/\\us/report/4/rerun"),
    ],
)
def test_a_path_in_another_spelling_does_nothing(served: Server, dba: Connection, path: bytes) -> None:
    before = everything(dba)
    status, _ = answer(served, post(path))
    assert status in (400, 404)
    assert everything(dba) == before


# --- headers ---------------------------------------------------------------------------------


def test_headers_that_are_sent_twice_do_nothing(served: Server, dba: Connection) -> None:
    before = everything(dba)
    path = b"/us/report/4/rerun"
    # The helper sends one token already.
    assert answer(served, post(path, authorization().strip()))[1]["code"] == "UNAUTHORIZED"
    assert answer(served, post(path, b"Idempotency-Key: a", b"Idempotency-Key: a"))[1]["code"] == "BAD_REQUEST"
    assert answer(served, post(path, b"Content-Length: 0", b"Content-Length: 0"))[0] == 400
    assert everything(dba) == before


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"GET /" + b"x" * 10_000 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n", 414),
        (b"GET / HTTP/1.1\r\nHost: localhost\r\nX: " + b"x" * 20_000 + b"\r\n\r\n", 431),
        (b"GET / HTTP/1.1\r\nHost: localhost\r\n" + b"X: x\r\n" * 200 + b"\r\n", 431),
        (b"nonsense\r\n\r\n", 400),
        (b"get / HTTP/1.1\r\nHost: localhost\r\n\r\n", 400),
        (b"GET / HTTP/9.9\r\nHost: localhost\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost : localhost\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nContent-Length: -1\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nTransfer-Encoding: x\r\n\r\n", 501),
    ],
)
def test_what_is_no_request_is_answered_in_the_envelope(served: Server, sent: bytes, status: int) -> None:
    found, envelope = answer(served, sent)
    assert found == status
    assert envelope["message"].startswith(f"{status} ")
    assert envelope["result"] is None


@pytest.mark.parametrize(
    ("path", "headers"),
    [
        # Gunicorn takes this header from who is on this machine, as a proxy there is.
        (b"/us/us/report/4/rerun", [b"SCRIPT_NAME: /us"]),
        (b"/x/us/report/4/rerun", [b"SCRIPT_NAME: /x", b"SCRIPT-NAME: /x", b"X-Script-Name: /x"]),
        (b"/x/us/report/4/rerun", [b"X-Forwarded-Prefix: /x"]),
        (b"/x", [b"PATH_INFO: /us/report/4/rerun", b"X-Original-URL: /us/report/4/rerun"]),
    ],
)
def test_a_forged_header_changes_no_path(served: Server, dba: Connection, path: bytes, headers: list[bytes]) -> None:
    before = everything(dba)
    assert answer(served, post(path, *headers))[0] in (400, 404)
    assert everything(dba) == before


def recorded(dba: Connection) -> str:
    """The address that the last act came from."""
    newest = "select client_address from pgreprise.rerun order by rerun_id desc limit 1"
    return str(one(dba, newest)["client_address"])


def test_a_forged_address_is_not_recorded_and_that_of_a_trusted_proxy_is(
    served: Server, prefixed: Server, dba: Connection
) -> None:
    forged = (b"X-Forwarded-For: 203.0.113.9", b"X-Real-IP: 203.0.113.9", b"Forwarded: for=203.0.113.9")
    assert answer(served, post(b"/us/report/4/rerun", *forged))[0] == 200
    assert recorded(dba) == "127.0.0.1"
    assert answer(prefixed, post(b"/reports/us/report/4/rerun", b"X-Forwarded-For: x, 203.0.113.9"))[0] == 200
    assert recorded(dba) == "203.0.113.9"


# --- a prefix --------------------------------------------------------------------------------


def get(path: bytes, *headers: bytes) -> bytes:
    return post(path, *headers).replace(b"POST", b"GET", 1)


def test_below_a_prefix_the_server_serves_and_says_so(prefixed: Server) -> None:
    assert prefixed.said.endswith("/reports/console\n")
    assert prefixed.serves("/reports/us/report/4", Authorization=token())
    assert prefixed.serves("/reports/liveness-check")
    assert prefixed.serves("/reports/docs", Authorization=token())
    with prefixed.connect(get(b"/reports/openapi.json", b"X-Forwarded-Prefix: /outer")) as connection:
        [document] = replies(everything_of(connection))
    assert document["servers"] == [{"url": "/outer/reports"}]


@pytest.mark.parametrize("path", [b"/us/report/4", b"/reportsus/report/4", b"/reports", b"//reports/us/report/4", b"/"])
def test_what_is_not_below_the_prefix_is_not_there(prefixed: Server, path: bytes) -> None:
    status, envelope = answer(prefixed, get(path))
    assert (status, envelope["code"]) == (404, "NOT_FOUND")
