"""Someone sets where the database is: URLs as libpq knows them, and sentences that hold no password."""

from __future__ import annotations

from pathlib import Path

import pytest
from psycopg.conninfo import conninfo_to_dict

from pyapi.database import connect_engine
from pyapi.settings import Settings, database_url
from tests.support.command import environment, run_here

URL_SETTINGS = ("DATABASE_URL", "PGREPRISE_MIGRATION_URL", "PGREPRISE_READ_URL")


@pytest.mark.parametrize(
    ("text", "extra"),
    [
        ("postgresql://u:p%40@db.example.org:5433/reports", {}),
        ("postgres://db.example.org", {}),
        ("postgresql+psycopg://u@db.example.org/reports", {}),
        ("postgresql:///reports?host=/run/postgresql&port=5433", {}),
        ("postgresql://u@%2Frun%2Fpostgresql/reports", {}),
        ("postgresql://u@[::1]:5433/reports?sslmode=require", {}),
        ("postgresql://u:p@h1:5432,h2:5433/db?target_session_attrs=any", {}),
        ("postgresql://u@h1,h2:5433/db", {"target_session_attrs": "read-write"}),
        ("postgresql://u@[::1]:5432,[::2]:5433/db", {"target_session_attrs": "read-write"}),
        ("postgresql:///db?host=h1,h2&port=5432,5433", {"target_session_attrs": "read-write"}),
        (" postgresql://u@db.example.org/reports\n", {}),
    ],
)
def test_the_driver_gets_what_libpq_reads_in_the_url(text: str, extra: dict[str, str]) -> None:
    engine = connect_engine(database_url(text))
    _, given = engine.dialect.create_connect_args(engine.url)
    expected = {**conninfo_to_dict(text.strip().replace("+psycopg", "")), **extra}
    assert {name: str(given[name]) for name in expected} == expected


@pytest.mark.parametrize(("name", "wanted"), [("DATABASE_URL", "read-write"), ("PGREPRISE_READ_URL", "prefer-standby")])
def test_of_several_hosts_the_one_for_the_purpose_is_wanted(name: str, wanted: str) -> None:
    assert database_url("postgresql://h1,h2/db", name).query["target_session_attrs"] == wanted
    assert "target_session_attrs" not in database_url("postgresql://h1/db", name).query


@pytest.mark.parametrize("name", URL_SETTINGS)
@pytest.mark.parametrize(
    "text",
    [
        "postgresql://u:s3cret@db.example.org:port/reports",
        "postgresql://u:s3cret@[::1/reports",
        "postgresql//u:s3cret@db.example.org/reports",
        "postgresql://u:s3cret@db.example.org:54 32/reports",
        "postgresql://u:s3cret@db.example.org:0/reports",
        "postgresql://u:s3cret@db.example.org:70000/reports",
        "postgresql://u:s3cret@h1:5432,h2:\u0665/reports",
        "postgresql://u:s3cret@db.example.org/reports?no_such_parameter=s3cret",
        "u:s3cret@db.example.org/reports",
        "u:s3cret://db.example.org/reports",
        "host=db.example.org password=s3cret",
        "mysql://u:s3cret@db.example.org/reports",
        "s3cret",
        "",
        "  ",
    ],
)
def test_a_url_that_cannot_be_used_is_one_sentence_that_names_the_setting_and_shows_no_password(
    name: str, text: str
) -> None:
    settings = {"DATABASE_URL": "postgresql://db.example.org/reports", name: text}
    refusal = run_here("serve", **settings)
    assert refusal.returncode == 2
    assert name in refusal.stderr
    assert "s3cret" not in refusal.stderr + refusal.stdout
    assert refusal.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("PGREPRISE_SHARDS", "postgresql://h1/reports"),
        ("PGREPRISE_SHARDS", "a=postgresql://h1/reports a=postgresql://h2/reports"),
        ("PGREPRISE_ROUTERS", "postgresql://h1/router"),
        ("PGREPRISE_ROUTERS", "r1=postgresql://h1/router,r2=postgresql://h2/router"),
        ("PGREPRISE_ROUTERS", "r1=postgresql://h1/router r1=postgresql://h2/router"),
        ("PGREPRISE_ROUTERS", "R1=postgresql://h1/router"),
        ("PGREPRISE_ROUTERS", "r1="),
        ("PGREPRISE_POOLER", "pgbouncer"),
        ("PGREPRISE_CALL_TIMEOUT", "0"),
        ("PGREPRISE_CALL_TIMEOUT", "30s"),
        ("PGREPRISE_CALL_TIMEOUT", "-1"),
        ("PGREPRISE_CALL_TIMEOUT", "nan"),
        ("PGREPRISE_CALL_TIMEOUT", "99999"),
        ("PGREPRISE_CALL_TIMEOUT", "٣٠"),
        ("PGREPRISE_PROXIES", "1"),
        ("PGREPRISE_PROXIES", "-1"),
        ("PGREPRISE_PROXIES", "11"),
        ("PGREPRISE_PROXIES", "yes"),
        ("PGREPRISE_PROXIES", "\u0661"),
        ("PGREPRISE_CONSOLE", "yes"),
        ("PGREPRISE_CONSOLE_USER_HEADER", "X-Forwarded-User"),
        ("PGREPRISE_CONSOLE_USER_HEADER", "X_Forwarded_User"),
        ("PGREPRISE_CONSOLE_USER_HEADER", "Authorization"),
        ("PGREPRISE_CONSOLE_CLAIMS", "reports:read"),
        ("PGREPRISE_CONSOLE_CLAIMS", "[]"),
        ("PGREPRISE_CONSOLE_CLAIMS", '{"sub": "everybody", "scope": "reports:read"}'),
        ("PGREPRISE_CONSOLE_CLAIMS", '{"scope": ["reports:read"]}'),
        ("PGREPRISE_CONSOLE_PROXY", "proxy.example.org"),
        ("PGREPRISE_CONSOLE_PROXY", "10.0.0.1/8"),
        ("SCRIPT_NAME", "reports"),
        ("SCRIPT_NAME", "//reports"),
        ("SCRIPT_NAME", "/a/../b"),
        ("SCRIPT_NAME", "/a b"),
        ("SCRIPT_NAME", "https://reports.example.org/"),
    ],
)
def test_a_setting_that_cannot_be_used_is_one_sentence(name: str, text: str) -> None:
    refusal = run_here("serve", DATABASE_URL="postgresql://db.example.org/reports", **{name: text})
    assert refusal.returncode == 2
    assert name in refusal.stderr
    assert refusal.stderr.count("\n") == 1


def test_the_settings_of_production_are_read(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    for name, value in environment(
        DATABASE_URL="postgresql://h1/db",
        PGREPRISE_READ_URL="postgresql://h2/db",
        PGREPRISE_SHARDS="a=postgresql://h3/reports b=postgresql://h4/reports",
        PGREPRISE_ROUTERS=" r1=postgresql://h5/router\nr2=postgresql://h6/router ",
        PGREPRISE_POOLER="transaction",
        PGREPRISE_CALL_TIMEOUT="2.5",
        PGREPRISE_JWT_SECRET="x" * 32,
        PGREPRISE_PROXIES=" 2\n",
        PGREPRISE_CONSOLE="on",
        PGREPRISE_CONSOLE_USER_HEADER="X-Forwarded-User",
        PGREPRISE_CONSOLE_CLAIMS='{"scope": "reports:read reports:rerun"}',
        PGREPRISE_CONSOLE_PROXY="10.0.0.0/8, ::1",
        SCRIPT_NAME="/tools/reports/",
    ).items():
        monkeypatch.setenv(name, value)
    settings = Settings.from_environment()
    assert settings.read_database is not None
    assert (settings.read_database.host, settings.is_pooled, settings.call_timeout_seconds) == ("h2", True, 2.5)
    assert (settings.proxies, settings.prefix) == (2, "/tools/reports")
    assert (settings.console, settings.console_user_header) == (True, "X-Forwarded-User")
    assert settings.console_claims == {"scope": "reports:read reports:rerun"}
    assert [str(network) for network in settings.console_proxies] == ["10.0.0.0/8", "::1/128"]
