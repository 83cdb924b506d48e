"""Someone sets where the application's economy cache is."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from pyapi.economy_cache import EconomyCache, EconomyCacheAwayError
from pyapi.settings import Settings
from tests.support.command import Run, environment, run_here
from tests.support.factories import SCOPE

NAMES = {"RUNTIME_CACHE_ENVIRONMENT": "staging", "RUNTIME_CACHE_SERVICE": "policyengine-api"}


def index_key(scope: str) -> str:
    """The key of a scope that is written as the application writes it."""
    return f"policyengine:staging:policyengine-api:reform-impact-index:v1:{hashlib.sha256(scope.encode()).hexdigest()}"


@pytest.mark.parametrize(
    ("scope", "written"),
    [
        (
            SCOPE,
            '{"api_version":"e158e63ef1","baseline_policy_id":2,"country_id":"us","dataset":"default",'
            '"reform_policy_id":3,"region":"state/ny","time_period":"2025"}',
        ),
        (
            {**SCOPE, "region": 'constituency/Ynys Môn "x"', "country_id": "uk", "baseline_policy_id": 1},
            '{"api_version":"e158e63ef1","baseline_policy_id":1,"country_id":"uk","dataset":"default",'
            '"reform_policy_id":3,"region":"constituency/Ynys M\\u00f4n \\"x\\"","time_period":"2025"}',
        ),
        (
            {**SCOPE, "dataset": "hf://a/b.h5@1.2", "region": "\U0001f600", "a_part_to_come": 1},
            '{"api_version":"e158e63ef1","baseline_policy_id":2,"country_id":"us","dataset":"hf://a/b.h5@1.2",'
            '"reform_policy_id":3,"region":"\\ud83d\\ude00","time_period":"2025"}',
        ),
    ],
)
def test_the_key_of_a_scope_is_the_one_that_the_application_has(scope: dict[str, object], written: str) -> None:
    cache = EconomyCache("redis://127.0.0.1:1", "staging", "policyengine-api")
    assert cache.key(scope) == index_key(written)


def test_a_key_that_was_computed_once_stays() -> None:
    cache = EconomyCache("redis://127.0.0.1:1", "e", "s")
    digest = "956548a34fe2b7e100f6087bb6e21c2108ab98ebf32d0fadb7fe72fdb6115127"
    assert cache.key(SCOPE) == f"policyengine:e:s:reform-impact-index:v1:{digest}"


@pytest.mark.parametrize(
    "url",
    [
        "redis://redis.example.org",
        "redis://:pass@redis.example.org:6380/3",
        "redis://user:p%40ss%3A%2F%3F%23%25w@redis.example.org:6380",
        "redis://[::1]:6379/0?socket_timeout=3",
        "rediss://user:pass@redis.example.org:6380/0?ssl_ca_certs=/etc/ca.pem",
        "unix:///run/redis/redis.sock?db=1",
        "unix://user@/run/redis/redis.sock?password=x",
    ],
)
def test_each_form_of_a_url_is_taken(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    for name, value in {**NAMES, "PGREPRISE_REDIS_URL": url}.items():
        monkeypatch.setenv(name, value)
    settings = Settings.from_environment()
    assert EconomyCache.of(settings) is not None
    assert url not in repr(settings)


@pytest.mark.parametrize(
    "url",
    [
        "s3cret",
        "http://:s3cret@host",
        "redis://",
        "redis://:s3cret@",
        "redis:///0",
        "redis://:s3c/ret@host:6379/0",
        "redis://:s3c#ret@host:6379/0",
        "redis://:s3c?ret@host:6379/0",
        "redis://host:0",
        "redis://host:s3cret/0",
        "redis://:s3cret@host/zero",
        "redis://host/0#s3cret",
        "redis://:s3cret@ho\nst",
        "redis://:s3c ret@host",
        "unix://",
        "unix://host/run/redis.sock",
        "redis://:s3cret@host?socket_timeout=long",
        "redis://:s3cret@host?s3cret=1",
        "redis://:s3cret@host?s3cret",
        "redis://[:s3cret@host",
        " ",
    ],
)
@pytest.mark.parametrize("command", [["serve"], ["invalidate", "--once"]])
def test_what_is_no_url_of_a_redis_is_refused_in_one_line_without_a_part_of_it(
    pgreprise: Run, url: str, command: list[str]
) -> None:
    done = pgreprise(*command, **NAMES, PGREPRISE_REDIS_URL=url)
    assert (done.returncode, done.stdout) == (2, "")
    [line] = done.stderr.splitlines()
    assert line.startswith("Error: PGREPRISE_REDIS_URL ")
    assert not {"s3c", "ret@", "zero", "long"} & {line[i : i + n] for n in (3, 4) for i in range(len(line))}


@pytest.mark.parametrize("missing", [["RUNTIME_CACHE_ENVIRONMENT"], ["RUNTIME_CACHE_SERVICE"], [*NAMES]])
def test_a_url_without_the_names_in_its_keys_is_refused(missing: list[str]) -> None:
    names = {name: value for name, value in NAMES.items() if name not in missing}
    done = run_here("invalidate", **names, PGREPRISE_REDIS_URL="redis://:s3cret@host")
    assert (done.returncode, "s3cret" in done.stderr) == (2, False)
    assert done.stderr.startswith(f"Error: PGREPRISE_REDIS_URL needs {' and '.join(missing)} too")


def test_the_names_alone_are_no_mistake(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in environment():
        monkeypatch.delenv(name, raising=False)
    for name, value in NAMES.items():
        monkeypatch.setenv(name, value)
    assert EconomyCache.of(Settings.from_environment()) is None


def test_a_follower_without_a_url_says_what_to_set(pgreprise: Run) -> None:
    done = pgreprise("invalidate")
    assert (done.returncode, done.stderr) == (
        2,
        "Error: PGREPRISE_REDIS_URL is not set. It names the Redis with the economy cache.\n",
    )


@pytest.mark.parametrize("command", [["serve"], ["invalidate"], ["up"]])
def test_where_the_package_is_missing_it_says_how_to_install_it(
    pgreprise: Run, monkeypatch: pytest.MonkeyPatch, command: list[str], tmp_path: Path
) -> None:
    monkeypatch.setattr("pyapi.economy_cache.find_spec", lambda _name: None)
    monkeypatch.chdir(tmp_path)
    done = pgreprise(*command, **NAMES, PGREPRISE_REDIS_URL="redis://:s3cret@host")
    assert done.returncode == 2
    [line] = done.stderr.splitlines()
    assert line.endswith("the package redis is not installed. Install it with: pip install 'pgreprise[redis]'")


def test_the_reason_why_redis_is_away_is_one_line_without_the_password() -> None:
    # The host is part of the reason, and here it has the password in it.
    cache = EconomyCache("redis://:s3cr%2Bet@s3cr+et.invalid:1", "e", "s")
    with pytest.raises(EconomyCacheAwayError) as caught:
        cache.delete(["key"])
    assert "s3cr" not in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1
