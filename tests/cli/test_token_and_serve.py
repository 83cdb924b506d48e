"""Someone sets up authentication: the settings, the tokens for trying out, and where the API dares to listen."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import click
import jwt
import pytest
from sqlalchemy import URL

from pyapi.api.address import Address, UnprotectedAddressError
from pyapi.api.server import serve
from pyapi.cli import cli, main
from pyapi.settings import Settings
from tests.support.api import as_api
from tests.support.databases import plain
from tests.support.tokens import HOUR, SECRET

WITH_SECRET = {"PGREPRISE_JWT_SECRET": SECRET}


@pytest.fixture(autouse=True)
def no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith("PGREPRISE_JWT_"):
            monkeypatch.delenv(name)


class Output(NamedTuple):
    code: object
    out: str
    err: str


Run = Callable[..., Output]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Runs the command: ``run("token", "--sub", "alice", **environment)``."""

    def command(*arguments: str, **environment: str) -> Output:
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setattr(sys, "argv", ["pgreprise", *arguments])
        with pytest.raises(SystemExit) as ended:
            main()
        return Output(ended.value.code, *capsys.readouterr())

    return command


# --- settings --------------------------------------------------------------------------------


def test_authentication_is_read_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = Settings.from_environment()
    assert (settings.jwt_secret, settings.jwt_jwks, settings.jwt_audience, settings.jwt_issuer) == (None,) * 4

    monkeypatch.setenv("PGREPRISE_JWT_AUDIENCE", "reports")
    monkeypatch.setenv("PGREPRISE_JWT_ISSUER", "https://issuer.example.org")
    monkeypatch.setenv("PGREPRISE_JWT_JWKS", "keys.json")
    settings = Settings.from_environment()
    assert settings.jwt_jwks == Path("keys.json").absolute()
    assert (settings.jwt_audience, settings.jwt_issuer) == ("reports", "https://issuer.example.org")


def test_settings_do_not_show_their_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PGREPRISE_JWT_SECRET", SECRET)
    settings = Settings.from_environment()
    assert settings.jwt_secret == SECRET
    assert SECRET not in repr(settings)


UNUSABLE = {
    "short secret": ({"PGREPRISE_JWT_SECRET": "s" * 31}, "PGREPRISE_JWT_SECRET is too short. HS256 needs 32 bytes"),
    "empty secret": ({"PGREPRISE_JWT_SECRET": ""}, "PGREPRISE_JWT_SECRET is set but empty"),
    "blank secret": ({"PGREPRISE_JWT_SECRET": " " * 40}, "PGREPRISE_JWT_SECRET is set but empty"),
    "empty file": ({"PGREPRISE_JWT_JWKS": ""}, "PGREPRISE_JWT_JWKS is set but empty"),
    "empty audience": ({**WITH_SECRET, "PGREPRISE_JWT_AUDIENCE": ""}, "PGREPRISE_JWT_AUDIENCE is set but empty"),
    "empty issuer": ({**WITH_SECRET, "PGREPRISE_JWT_ISSUER": ""}, "PGREPRISE_JWT_ISSUER is set but empty"),
    "both keys": ({**WITH_SECRET, "PGREPRISE_JWT_JWKS": "keys.json"}, "are both set"),
    "audience alone": ({"PGREPRISE_JWT_AUDIENCE": "reports"}, "no key to verify tokens with"),
    "issuer alone": ({"PGREPRISE_JWT_ISSUER": "https://issuer.example.org"}, "no key to verify tokens with"),
    "absent file": ({"PGREPRISE_JWT_JWKS": "absent.json"}, "PGREPRISE_JWT_JWKS: cannot read"),
    "file that is none": ({"PGREPRISE_JWT_JWKS": "/dev/null"}, "PGREPRISE_JWT_JWKS: /dev/null cannot be used"),
    "a key pair's key": (
        {"PGREPRISE_JWT_SECRET": "-----BEGIN PUBLIC KEY-----\nMFk\n-----END PUBLIC KEY-----"},
        "cannot be used as a secret",
    ),
}


@pytest.mark.parametrize("command", [("serve", "--port", "1"), ("serve", "--host", "0.0.0.0"), ("up",)])
@pytest.mark.parametrize(("environment", "reason"), UNUSABLE.values(), ids=UNUSABLE.keys())
def test_a_setting_that_cannot_be_used_stops_the_api_from_starting(
    run: Run, command: tuple[str, ...], environment: dict[str, str], reason: str
) -> None:
    ended = run(*command, **environment)
    assert (ended.code, ended.out) == (2, "")
    assert reason in ended.err
    assert re.fullmatch(r"Error: [^\n]+\n", ended.err)
    assert environment.get("PGREPRISE_JWT_SECRET") in (None, "") or environment["PGREPRISE_JWT_SECRET"] not in ended.err


# --- where the API listens -------------------------------------------------------------------


@pytest.mark.parametrize(
    "host",
    ["0.0.0.0", "::", "", "*", "192.0.2.1", "169.254.1.1", "fe80::1", "::ffff:192.0.2.1", "example.org",
     "localhost.example.org", "127.0.0.1.example.org", "127.1", "0177.0.0.1", "128.0.0.1"],
)  # fmt: skip
def test_without_authentication_only_loopback_is_listened_on(run: Run, host: str) -> None:
    ended = run("serve", "--host", host, DATABASE_URL="postgresql://nobody@192.0.2.1/nothing")
    assert (ended.code, ended.out) == (2, "")
    assert re.fullmatch(
        r"error: refusing to listen on [^\n]*without authentication; set PGREPRISE_JWT[^\n]+\n", ended.err
    )
    with pytest.raises(UnprotectedAddressError):
        serve(URL.create("postgresql"), Address(host), None, Settings.from_environment())


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.2", "::1", "localhost"])
def test_loopback_is_listened_on_without_authentication(host: str) -> None:
    Address(host).require_loopback()


@contextmanager
def serving(port: int, database: URL, *arguments: str, **environment: str) -> Iterator[str]:
    """The URL of a served API, once it serves."""
    environment = {**os.environ, **environment, "DATABASE_URL": plain(as_api(database))}
    command = [sys.executable, "-m", "pyapi"]
    with subprocess.Popen(
        [*command, "serve", "--port", str(port), "--workers", "1", *arguments],
        env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, encoding="utf-8",
    ) as process:  # fmt: skip
        assert process.stdout is not None
        line = process.stdout.readline()
        try:
            assert line.startswith("pgreprise serves on "), line + process.stdout.read()
            yield f"http://127.0.0.1:{port}"
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait()


def status(url: str, token: str | None = None, method: str = "GET") -> int:
    headers = {} if token is None else {"Authorization": f"Bearer {token.strip()}"}
    try:
        with urllib.request.urlopen(urllib.request.Request(url, headers=headers, method=method)) as response:
            return int(response.status)
    except urllib.error.HTTPError as error:
        with error:
            return error.code


def test_a_served_api_takes_the_tokens_that_the_command_prints(run: Run, database: URL, port: int) -> None:
    token = run("token", **WITH_SECRET).out
    with serving(port, database, "--host", "0.0.0.0", **WITH_SECRET) as url:
        assert status(f"{url}/liveness-check") == 200
        assert status(f"{url}/readiness-check") == 200
        assert status(f"{url}/us/report/1") == 401
        assert status(f"{url}/us/report/1", token) == 404
        assert status(f"{url}/us/report/1", token.upper()) == 401


@pytest.mark.needs("time")
def test_a_served_api_without_authentication_needs_no_token(database: URL, port: int) -> None:
    with serving(port, database) as url:
        assert status(f"{url}/us/report/1") == 404
        assert status(f"{url}/us/report/1/rerun", method="POST") == 404


# --- tokens ----------------------------------------------------------------------------------


def read(token: str, **expected: Any) -> dict[str, Any]:
    read: dict[str, Any] = jwt.decode(token.removesuffix("\n"), SECRET, ["HS256"], **expected)
    return read


def test_a_token_is_printed_alone_and_may_read_for_an_hour(run: Run) -> None:
    ended = run("token", **WITH_SECRET)
    assert (ended.code or 0, ended.err) == (0, "")
    assert re.fullmatch(r"[\w-]+\.[\w-]+\.[\w-]+\n", ended.out)
    claims = read(ended.out)
    assert claims.keys() == {"sub", "scope", "iat", "exp"}
    assert (claims["sub"], claims["scope"]) == ("tester", "reports:read")
    assert claims["exp"] - claims["iat"] == HOUR


def test_subject_scopes_audience_and_issuer_of_a_token_are_those_that_were_asked_for(run: Run) -> None:
    ended = run(
        "token", "--sub", "alice", "--scope", "reports:rerun", "--scope", "reports:read",
        **WITH_SECRET, PGREPRISE_JWT_AUDIENCE="reports", PGREPRISE_JWT_ISSUER="https://issuer.example.org",
    )  # fmt: skip
    claims = read(ended.out, audience="reports", issuer="https://issuer.example.org")
    assert (claims["sub"], claims["scope"]) == ("alice", "reports:rerun reports:read")


@pytest.mark.parametrize(
    ("options", "places"),
    [
        (["--unit", "0184"], [{"kind": "unit", "institutional_id": "0184"}]),
        (["--unit", "0184", "--unit", "7"], [{"kind": "unit", "institutional_id": unit} for unit in ("0184", "7")]),
        (["--own", "0184"], [{"kind": "own", "institutional_id": "0184"}]),
        (
            ["--own", "7", "--unit", "0184"],
            [{"kind": "unit", "institutional_id": "0184"}, {"kind": "own", "institutional_id": "7"}],
        ),
        (["--global"], [{"kind": "global"}]),
    ],
)
def test_a_role_is_for_units_or_for_everything(run: Run, options: list[str], places: list[dict[str, str]]) -> None:
    ended = run("token", "--role", "calco2.user.principal", *options, **WITH_SECRET)
    assert read(ended.out)["roles"] == [{"role": "calco2.user.principal", "on": place} for place in places]


def test_the_person_of_a_token_may_have_an_institutional_id(run: Run) -> None:
    assert read(run("token", "--institutional-id", "100002", **WITH_SECRET).out)["institutional_id"] == "100002"
    assert "institutional_id" not in read(run("token", **WITH_SECRET).out)


@pytest.mark.parametrize(
    ("given", "seconds"),
    [("90", 90), ("90s", 90), ("15m", 15 * 60), ("2h", 2 * HOUR), ("7d", 168 * HOUR), ("1w", 168 * HOUR), ("07m", 420)],
)
def test_a_token_lasts_as_long_as_was_asked_for(run: Run, given: str, seconds: int) -> None:
    claims = read(run("token", "--expires-in", given, **WITH_SECRET).out)
    assert claims["exp"] - claims["iat"] == seconds


@pytest.mark.parametrize(
    ("options", "named"),
    [
        *(
            (["--expires-in", value], value)
            for value in ("0", "0d", "-1", "1.5h", "h", "1y", "", "1 1h", "٣h", "999999999", "99999999w")
        ),
        (["--sub", ""], "--sub"),
        (["--scope", ""], "--scope"),
        (["--scope", "reports:read reports:write"], "--scope"),
        (["--role", "x"], "--role"),
        (["--unit", "0184"], "--role"),
        (["--global"], "--role"),
        (["--own", "0184"], "--role"),
        (["--role", "x", "--unit", "0184", "--global"], "--role"),
        (["--role", "x", "--own", "0184", "--global"], "--role"),
        (["--role", "x", "--unit", ""], "--unit"),
        (["--role", "x", "--own", " "], "--own"),
        (["--institutional-id", ""], "--institutional-id"),
    ],
)
def test_a_token_that_makes_no_sense_is_refused(run: Run, options: list[str], named: str) -> None:
    ended = run("token", *options, **WITH_SECRET)
    assert (ended.code, ended.out) == (2, "")
    assert named in ended.err


@pytest.mark.parametrize("environment", [{}, {"PGREPRISE_JWT_JWKS": "keys.json"}], ids=["nothing", "JWKS"])
def test_a_token_needs_the_secret(run: Run, environment: dict[str, str]) -> None:
    ended = run("token", **environment)
    assert (ended.code, ended.out) == (2, "")
    assert re.fullmatch(r"Error: PGREPRISE_JWT_SECRET is not set, [^\n]+\n", ended.err)


def test_the_help_names_every_scope_that_the_local_operator_has() -> None:
    from pyapi.api.auth import LOCAL_OPERATOR

    command = cli.commands["token"]
    text = command.get_help(click.Context(command))
    assert all(scope in text for scope in json.loads(LOCAL_OPERATOR)["scope"].split())
