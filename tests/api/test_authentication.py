"""Somebody with a token, a bad token or none: who gets in, as whom, and what the others are told."""

from __future__ import annotations

import json
import re
import time
from base64 import urlsafe_b64encode
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from sqlalchemy import URL, Engine
from werkzeug.test import TestResponse

from pyapi.api.app import create_app
from pyapi.api.auth import LOCAL_OPERATOR, Authentication, issue_token
from pyapi.api.requests import Reply, call, success
from pyapi.database import connect_engine
from pyapi.settings import Settings
from tests.support.api import as_api
from tests.support.databases import Connection
from tests.support.factories import add_report, add_simulation
from tests.support.replies import refused, succeeded
from tests.support.snapshots import snapshot
from tests.support.tokens import AUDIENCE, HOUR, ISSUER, SECRET, authentication, claims, jwk, signed, write_keys

RSA = rsa.generate_private_key(public_exponent=65537, key_size=2048)
OTHER_RSA = rsa.generate_private_key(public_exponent=65537, key_size=2048)
EC = ec.generate_private_key(ec.SECP256R1())
PUBLIC_PEM = RSA.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def by_hand(header: Any, payload: Any, key: Any = None, algorithm: str = "HS256") -> str:
    """A token whose header and payload are whatever is given; signed by a key where there is one."""

    def part(value: Any) -> bytes:
        text = value if isinstance(value, bytes) else json.dumps(value).encode()
        return urlsafe_b64encode(text).rstrip(b"=")

    signing_input = part(header) + b"." + part(payload)
    signer = jwt.get_algorithm_by_name(algorithm)
    signature = b"" if key is None else signer.sign(signing_input, key)
    return (signing_input + b"." + urlsafe_b64encode(signature).rstrip(b"=")).decode()


class Api:
    """An API with authentication, and a route that tells whose request it was."""

    def __init__(self, engine: Engine, verifier: Authentication | None) -> None:
        app = create_app(engine, verifier)

        @app.get("/who")
        def who() -> Reply:
            [row] = call("public.who")
            return success("You", row["claims"])

        @app.get("/who-may-rerun")
        def who_may_rerun() -> Reply:
            call("public.who_may_rerun")
            return success("You may", None)

        self.client = app.test_client()

    def get(self, token: str | None, path: str = "/who") -> TestResponse:
        headers = {} if token is None else {"Authorization": f"Bearer {token}"}
        return self.client.get(path, headers=headers)


@pytest.fixture(scope="module")
def engine(shared_database: URL, shared_connection: Connection) -> Iterator[Engine]:
    """An engine as pgreprise_api, with a routine that hands its claims back, and one that wants a scope."""
    shared_connection.execute(
        "create function public.who() returns table (claims jsonb) language sql security definer as "
        "'select pgreprise.claims() || jsonb_build_object(''actor'', pgreprise.actor())'"
    )
    shared_connection.execute(
        "create function public.who_may_rerun() returns void language plpgsql security definer as "
        "$$ begin perform pgreprise.require_scope('reports:rerun'); end $$"
    )
    made = connect_engine(as_api(shared_database))
    yield made
    made.dispose()


@pytest.fixture
def api(engine: Engine) -> Api:
    """An API that takes tokens signed with SECRET."""
    return Api(engine, authentication(jwt_secret=SECRET))


@pytest.fixture
def key_file(tmp_path: Path) -> Path:
    """A JWKS file with a key for RS256 and one for ES256, and others that an issuer may publish."""
    path = tmp_path / "keys.json"
    write_keys(
        path,
        jwk(RSA, "rsa"),
        jwk(EC, "ec", alg="ES256", use="sig", key_ops=["verify"]),
        jwk(OTHER_RSA, "encryption", use="enc"),
        jwk(OTHER_RSA, "pss", alg="PS256"),
        jwk(OTHER_RSA, None),
        {"kty": "oct", "kid": "oct", "k": "c2VjcmV0"},
        {"kty": "OKP", "crv": "Ed25519", "kid": "ed", "x": "AA"},
    )
    return path


@pytest.fixture
def key_api(engine: Engine, key_file: Path) -> Api:
    """An API that takes tokens signed with the keys of the file."""
    return Api(engine, authentication(jwt_jwks=key_file))


def unauthorized(response: TestResponse) -> str:
    """The message of a 401; what the header says of the error agrees with it."""
    envelope = refused(response, 401, "UNAUTHORIZED")
    header = response.headers["WWW-Authenticate"]
    assert header.startswith('Bearer realm="pgreprise"')
    message: str = envelope["message"]
    if "error=" in header:
        assert 'error="invalid_token"' in header
        assert f'error_description="{message}"' in header
    return message


# --- good tokens -----------------------------------------------------------------------------


def test_the_claims_of_a_token_arrive_in_the_database_with_its_subject_as_actor(api: Api) -> None:
    given = claims(roles=[{"role": "x", "on": {"kind": "unit", "institutional_id": "0184"}}], name="Aľ€ 'x' \\ %s")
    assert succeeded(api.get(signed(given))) == {**given, "actor": "alice"}


@pytest.mark.parametrize(("key", "algorithm", "kid"), [(RSA, "RS256", "rsa"), (EC, "ES256", "ec")])
def test_a_token_signed_with_a_key_of_the_file_is_taken(key_api: Api, key: Any, algorithm: str, kid: str) -> None:
    assert succeeded(key_api.get(signed(key=key, algorithm=algorithm, kid=kid)))["actor"] == "alice"


def test_a_token_that_is_issued_for_trying_out_is_taken(engine: Engine) -> None:
    settings = Settings(
        database=None, migration_database=None, data_folder=Path(), postgres_version=18,
        jwt_secret=SECRET, jwt_audience=AUDIENCE, jwt_issuer=ISSUER,
    )  # fmt: skip
    token = issue_token(settings, {"sub": "bob"}, lifetime_seconds=60)
    assert succeeded(Api(engine, Authentication.of(settings)).get(token))["actor"] == "bob"


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER", "Bearer  "])
def test_the_scheme_is_bearer_in_any_case(api: Api, scheme: str) -> None:
    succeeded(api.client.get("/who", headers={"Authorization": f"{scheme} {signed()}"}))


def test_a_token_for_several_audiences_is_taken(api: Api) -> None:
    succeeded(api.get(signed(claims(aud=["others", AUDIENCE]))))


@pytest.mark.parametrize(("claim", "seconds"), [("exp", -1), ("nbf", 5), ("iat", 5)])
def test_a_token_of_a_clock_that_is_off_a_little_is_taken(api: Api, claim: str, seconds: int) -> None:
    succeeded(api.get(signed(claims(**{claim: time.time() + seconds}))))


def test_without_audience_and_issuer_in_the_settings_a_token_needs_neither(engine: Engine) -> None:
    api = Api(engine, authentication(jwt_secret=SECRET, jwt_audience=None, jwt_issuer=None))
    succeeded(api.get(signed(claims(aud=None, iss=None))))
    succeeded(api.get(signed(claims(aud=None))))
    assert "audience" in unauthorized(api.get(signed()))


def test_callers_in_turn_are_told_apart(api: Api) -> None:
    for name in ["alice", "bob", "alice", "carol"] * 4:
        assert succeeded(api.get(signed(claims(sub=name))))["actor"] == name
        unauthorized(api.get(None))


# --- no token, bad tokens --------------------------------------------------------------------


def test_a_request_without_a_token_is_told_how_to_send_one(api: Api) -> None:
    response = api.get(None)
    assert "Authorization: Bearer" in unauthorized(response)
    assert "error" not in response.headers["WWW-Authenticate"]


@pytest.mark.parametrize(
    "header",
    ["", "Bearer", "Bearer ", "Basic YTpi", "Token {}", "{}", "Bearer {} {}", "Bearer {}, Bearer {}", "Bearer,{}"],
)
def test_a_header_that_is_not_one_bearer_token_is_refused(api: Api, header: str) -> None:
    unauthorized(api.client.get("/who", headers={"Authorization": header.replace("{}", signed())}))


def test_a_token_anywhere_but_in_the_header_is_no_token(api: Api) -> None:
    unauthorized(api.client.get(f"/who?access_token={signed()}"))
    unauthorized(api.client.post("/us/report", data={"access_token": signed()}))


NO_KEY = "The token is not signed with a key and an algorithm that this API accepts."
MALFORMED = "The token is malformed."

BAD: dict[str, tuple[Callable[[], str], str]] = {
    "no parts": (lambda: "xyzzy", MALFORMED),
    "two parts": (lambda: signed().rpartition(".")[0], MALFORMED),
    "four parts": (lambda: signed() + ".x", MALFORMED),
    "not base64": (lambda: "!.!.!", MALFORMED),
    "not ascii": (lambda: "é.é.é", MALFORMED),
    "very long": (lambda: "a" * 100_000, MALFORMED),
    "header no json": (lambda: by_hand(b"{", claims(), SECRET.encode()), MALFORMED),
    "header no object": (lambda: by_hand([], claims(), SECRET.encode()), MALFORMED),
    "header nested deeply": (lambda: by_hand(b"[" * 5000, claims(), SECRET.encode()), MALFORMED),
    "payload no json": (lambda: by_hand({"alg": "HS256"}, b"{", SECRET.encode()), MALFORMED),
    "payload no object": (lambda: by_hand({"alg": "HS256"}, ["sub"], SECRET.encode()), MALFORMED),
    "payload null": (lambda: by_hand({"alg": "HS256"}, None, SECRET.encode()), MALFORMED),
    "payload not utf-8": (lambda: by_hand({"alg": "HS256"}, b'{"sub": "\xff"}', SECRET.encode()), MALFORMED),
    "unknown critical header": (lambda: signed(crit=["x"], x=1), MALFORMED),
    "other secret": (lambda: signed(key=SECRET + "!"), NO_KEY),
    "no signature": (lambda: signed().rpartition(".")[0] + ".", NO_KEY),
    "payload replaced": (lambda: ".".join([*signed().split(".")[:1], signed(claims(sub="eve")).split(".")[1],
                                           signed().split(".")[2]]), NO_KEY),
    "no algorithm": (lambda: by_hand({}, claims(), SECRET.encode()), NO_KEY),
    "algorithm none": (lambda: by_hand({"alg": "none"}, claims()), NO_KEY),
    "algorithm none, signed": (lambda: by_hand({"alg": "none"}, claims(), SECRET.encode()), NO_KEY),
    "algorithm None": (lambda: by_hand({"alg": "None"}, claims()), NO_KEY),
    "algorithm null": (lambda: by_hand({"alg": None}, claims()), NO_KEY),
    "algorithm HS512": (lambda: signed(key=SECRET * 2, algorithm="HS512"), NO_KEY),
    "algorithm RS256": (lambda: signed(key=RSA, algorithm="RS256"), NO_KEY),
    "expired": (lambda: signed(claims(exp=time.time() - HOUR)), "The token has expired."),
    "expiry missing": (lambda: signed(claims(exp=None)), "The token lacks the claim exp."),
    "expiry no number": (lambda: signed(claims(exp="soon")), MALFORMED),
    "expiry infinite": (lambda: by_hand({"alg": "HS256"}, b'{"sub": "a", "exp": 1e999}', SECRET.encode()), MALFORMED),
    "not yet valid": (lambda: signed(claims(nbf=time.time() + HOUR)), "The token is not valid yet."),
    "not-before no number": (lambda: signed(claims(nbf={})), MALFORMED),
    "issued in the future": (lambda: signed(claims(iat=time.time() + HOUR)), "The token is not valid yet."),
    "other audience": (lambda: signed(claims(aud="others")), "The token is for another audience."),
    "other audiences": (lambda: signed(claims(aud=["others"])), "The token is for another audience."),
    "audience missing": (lambda: signed(claims(aud=None)), "The token lacks the claim aud."),
    "other issuer": (lambda: signed(claims(iss=ISSUER + "/")), "The token is from another issuer."),
    "issuer missing": (lambda: signed(claims(iss=None)), "The token lacks the claim iss."),
    "subject missing": (lambda: signed(claims(sub=None)), "The token lacks the claim sub."),
    "subject empty": (lambda: signed(claims(sub="")), "The token lacks the claim sub."),
    "subject blank": (lambda: signed(claims(sub=" ")), "The token lacks the claim sub."),
    "subject a number": (lambda: by_hand({"alg": "HS256"}, claims(sub=1), SECRET.encode()), MALFORMED),
    "subject an object": (lambda: by_hand({"alg": "HS256"}, claims(sub={"a": 1}), SECRET.encode()), MALFORMED),
}  # fmt: skip

UNSTORABLE = {
    "NUL in the subject": {"sub": "al\0ice"},
    "NUL in a name": {"a\0": 1},
    "NUL deep inside": {"a": [{"b": "\0"}]},
    "half a character": {"a": "\ud800"},
    "not a number": {"a": float("nan")},
    "infinite": {"a": float("inf")},
}


@pytest.mark.parametrize(("make", "message"), BAD.values(), ids=BAD.keys())
def test_a_bad_token_is_refused_with_what_is_wrong_with_it(api: Api, make: Callable[[], str], message: str) -> None:
    token = make()
    response = api.get(token)
    assert unauthorized(response) == message
    for secret in (SECRET, AUDIENCE + '"', ISSUER, "Traceback", token):
        assert secret not in response.text + response.headers["WWW-Authenticate"]


@pytest.mark.parametrize("changed", UNSTORABLE.values(), ids=UNSTORABLE.keys())
def test_a_claim_that_the_database_cannot_store_is_refused(api: Api, changed: dict[str, Any]) -> None:
    assert "cannot store" in unauthorized(api.get(signed(claims(**changed))))


BAD_KEYS: dict[str, Callable[[], str]] = {
    "unknown kid": lambda: signed(key=RSA, algorithm="RS256", kid="other"),
    "no kid": lambda: signed(key=RSA, algorithm="RS256"),
    "empty kid": lambda: signed(key=RSA, algorithm="RS256", kid=""),
    "kid of another key": lambda: signed(key=OTHER_RSA, algorithm="RS256", kid="rsa"),
    "kid of a key of another kind": lambda: signed(key=RSA, algorithm="RS256", kid="ec"),
    "algorithm of another kind": lambda: signed(key=EC, algorithm="ES256", kid="rsa"),
    "key for encryption": lambda: signed(key=OTHER_RSA, algorithm="RS256", kid="encryption"),
    "key for another algorithm": lambda: signed(key=OTHER_RSA, algorithm="PS256", kid="pss"),
    "RS512": lambda: signed(key=RSA, algorithm="RS512", kid="rsa"),
    "none": lambda: by_hand({"alg": "none", "kid": "rsa"}, claims()),
    "public key as secret": lambda: by_hand({"alg": "HS256", "kid": "rsa"}, claims(), PUBLIC_PEM),
    "secret of the file": lambda: signed(key="secret" * 6, kid="oct"),
    "key inside the token": lambda: signed(key=OTHER_RSA, algorithm="RS256", jwk=jwk(OTHER_RSA, None)),
}


@pytest.mark.parametrize("make", BAD_KEYS.values(), ids=BAD_KEYS.keys())
@pytest.mark.filterwarnings("ignore::jwt.warnings.InsecureKeyLengthWarning")
def test_a_token_signed_otherwise_than_its_key_says_is_refused(key_api: Api, make: Callable[[], str]) -> None:
    assert unauthorized(key_api.get(make())) == NO_KEY


def test_a_kid_that_is_no_text_is_refused(key_api: Api) -> None:
    algorithm = jwt.get_algorithm_by_name("RS256")
    assert algorithm
    unauthorized(key_api.get(by_hand({"alg": "RS256", "kid": ["rsa"]}, claims(), RSA, "RS256")))


# --- what wants a token ----------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/liveness-check", "/readiness-check"])
@pytest.mark.parametrize("token", [None, "no token"])
def test_health_checks_need_no_token(api: Api, path: str, token: str | None) -> None:
    succeeded(api.get(token, path))


def test_every_other_route_wants_a_token_before_anything_else(api: Api) -> None:
    rules = [rule for rule in api.client.application.url_map.iter_rules() if not rule.rule.endswith("-check")]
    assert len(rules) > 5
    for rule in rules:
        path = re.sub("<int:[^>]+>", "1", rule.rule).replace("<country_id>", "us")
        for method in (rule.methods or set()) - {"HEAD"}:
            response = api.client.open(path, method=method, data=b"no json")
            if path.startswith("/api/v1/"):
                assert (response.status_code, list(response.json or {})) == (401, ["detail"])
            else:
                unauthorized(response)


@pytest.mark.parametrize("path", ["/", "/unknown", "/us/report/one", "/us/report/1/", "/liveness-check/", "//who"])
def test_an_unknown_path_tells_nobody_without_a_token_that_it_is_unknown(api: Api, path: str) -> None:
    unauthorized(api.get(None, path))
    refused(api.get(signed(), path), 404, "NOT_FOUND")


def test_an_unknown_method_tells_nobody_without_a_token_which_there_are(api: Api) -> None:
    for method in ("DELETE", "OPTIONS", "TRACE"):
        assert "Allow" not in api.client.open("/us/report", method=method).headers
    unauthorized(api.client.post("/liveness-check"))


def test_a_request_without_a_token_changes_nothing(api: Api, shared_connection: Connection) -> None:
    report = add_report(shared_connection, add_simulation(shared_connection, population_type="household"))
    before = snapshot(shared_connection)
    unauthorized(api.client.post(f"/us/report/{report}/rerun"))
    assert snapshot(shared_connection) == before


# --- scopes ----------------------------------------------------------------------------------


def test_a_token_without_the_scope_is_forbidden_by_the_database(api: Api) -> None:
    succeeded(api.get(signed(claims(scope="reports:read reports:rerun")), "/who-may-rerun"))
    for scope in ("reports:read", "", "reports:reruns", "reports:rerun,reports:read", ["reports:rerun"], None):
        envelope = refused(api.get(signed(claims(scope=scope)), "/who-may-rerun"), 403, "RR017")
        assert envelope["message"] == "The token of alice does not have the scope reports:rerun."
        assert "reports:rerun" in envelope["hint"]


def test_a_token_that_may_read_a_report_may_not_rerun_it_and_one_that_may_is_remembered(
    api: Api, shared_connection: Connection
) -> None:
    report = add_report(shared_connection, add_simulation(shared_connection, population_type="household"))
    reader = signed(claims(scope="reports:read"))
    succeeded(api.get(reader, f"/us/report/{report}"))
    before = snapshot(shared_connection)
    rerun = f"/us/report/{report}/rerun"
    refused(api.client.post(rerun, headers={"Authorization": f"Bearer {reader}"}), 403, "RR017")
    assert snapshot(shared_connection) == before

    bob = signed(claims(sub="bob", scope="reports:rerun"))
    succeeded(api.client.post(rerun, headers={"Authorization": f"Bearer {bob}"}))
    done = shared_connection.execute("select actor from pgreprise.rerun where report_id = %s", (report,)).fetchall()
    assert done == [{"actor": "bob"}]


# --- without authentication ------------------------------------------------------------------


def test_without_authentication_every_request_is_the_local_operators(engine: Engine) -> None:
    api = Api(engine, None)
    expected = {**json.loads(LOCAL_OPERATOR), "actor": "operator"}
    assert succeeded(api.get(None)) == expected
    assert succeeded(api.get(signed(claims(sub="eve", scope="")))) == expected
    assert set(expected["scope"].split()) == {
        "reports:read",
        "reports:write",
        "reports:work",
        "reports:rerun",
        "reports:admin",
    }
    refused(api.get(None, "/unknown"), 404, "NOT_FOUND")


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://localhost:81"},
        {"Host": "evil.example", "Origin": "http://evil.example"},
        {"Host": "evil.example"},
        {"Host": "localhost.evil.example"},
        {"Host": "127.0.0.1.evil.example:8000"},
        {"Host": "192.0.2.1"},
        {"Host": "[2001:db8::1]:8000"},
        {"Host": ""},
    ],
    ids=str,
)
def test_without_authentication_a_web_page_is_no_operator(
    engine: Engine, shared_connection: Connection, headers: dict[str, str]
) -> None:
    before = snapshot(shared_connection)
    client = create_app(engine).test_client()
    for method, path in (("POST", "/us/report/1/rerun"), ("GET", "/us/report/1"), ("GET", "/openapi.json")):
        error = refused(client.open(path, method=method, headers=headers), 403, "FORBIDDEN")
        assert "answers only requests to 127.0.0.1 or localhost" in error["message"]
    assert snapshot(shared_connection) == before


@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "localhost:8000", "Origin": "http://localhost:8000"},
        {"Host": "127.0.0.1:8000"},
        {"Host": "127.5.5.5"},
        {"Host": "[::1]:8000", "Origin": "http://[::1]:8000"},
    ],
    ids=str,
)
def test_without_authentication_this_machine_may_ask_under_each_of_its_names(
    engine: Engine, headers: dict[str, str]
) -> None:
    client = create_app(engine).test_client()
    assert client.get("/openapi.json", headers=headers).status_code == 200


def test_with_authentication_the_token_decides_and_not_the_host(api: Api) -> None:
    headers = {"Host": "reports.example", "Origin": "https://evil.example", "Authorization": f"Bearer {signed()}"}
    assert succeeded(api.client.get("/who", headers=headers))["sub"] == "alice"


# --- the file of keys ------------------------------------------------------------------------


def with_key(key: rsa.RSAPrivateKey, kid: str) -> str:
    return signed(key=key, algorithm="RS256", kid=kid)


def test_a_token_that_was_accepted_is_refused_once_it_has_expired(api: Api) -> None:
    # Two seconds are left of the ten that clocks may differ by.
    expires_at = int(time.time()) - 8
    token = signed(claims(exp=expires_at))
    succeeded(api.get(token))
    while time.time() <= expires_at + 10:
        time.sleep(0.1)
    for _ in range(2):
        assert "expired" in unauthorized(api.get(token))


def test_a_token_that_was_accepted_is_refused_once_its_key_is_gone(key_api: Api, key_file: Path) -> None:
    token = with_key(RSA, "rsa")
    for _ in range(2):
        succeeded(key_api.get(token))
    write_keys(key_file, jwk(OTHER_RSA, "rsa"))
    for _ in range(2):
        unauthorized(key_api.get(token))
    write_keys(key_file, jwk(RSA, "rsa"))
    succeeded(key_api.get(token))


def test_tokens_that_were_accepted_are_told_apart_to_the_last_letter(api: Api) -> None:
    token = signed()
    for _ in range(2):
        succeeded(api.get(token))
    changed = "A" if token[-1] != "A" else "Q"
    for other in (token[:-1] + changed, token + "A", token[:-1], token.swapcase()):
        unauthorized(api.get(other))


def test_the_last_tokens_that_were_accepted_are_kept_and_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pyapi.api.auth._REMEMBERED_TOKENS", 2)
    verifier = authentication(jwt_secret=SECRET)
    for number in (1, 2, 3, 1, 1):
        said = json.loads(verifier.verify(signed(claims(sub=f"person {number}"))))
        assert said["sub"] == f"person {number}"
    assert len(verifier._verified) == 2


def test_keys_are_rotated_without_a_restart(key_api: Api, key_file: Path) -> None:
    unauthorized(key_api.get(with_key(OTHER_RSA, "next")))
    write_keys(key_file, jwk(RSA, "rsa"), jwk(OTHER_RSA, "next"))
    succeeded(key_api.get(with_key(OTHER_RSA, "next")))
    write_keys(key_file, jwk(OTHER_RSA, "next"))
    unauthorized(key_api.get(with_key(RSA, "rsa")))
    succeeded(key_api.get(with_key(OTHER_RSA, "next")))


@pytest.mark.parametrize("broken", [lambda path: path.unlink(), lambda path: path.write_text("{"), write_keys])
def test_a_file_that_breaks_leaves_the_keys_as_they_were_and_is_logged_once(
    key_api: Api, key_file: Path, caplog: pytest.LogCaptureFixture, broken: Callable[[Path], None]
) -> None:
    broken(key_file)
    for _ in range(3):
        succeeded(key_api.get(with_key(RSA, "rsa")))
    assert len([record for record in caplog.records if str(key_file) in record.getMessage()]) == 1
    write_keys(key_file, jwk(OTHER_RSA, "next"))
    succeeded(key_api.get(with_key(OTHER_RSA, "next")))


SHORT_RSA = rsa.generate_private_key(public_exponent=65537, key_size=1024)
PRIVATE_JWK = {**json.loads(jwt.algorithms.ECAlgorithm.to_jwk(EC)), "kid": "private"}

UNUSABLE: dict[str, tuple[str | bytes, str]] = {
    "not json": ("{", "Expecting"),
    "not text": (b"\xff\xfe\xff", "cannot be used"),
    "nested deeply": ("[" * 100_000, "cannot be used"),
    "one key": (json.dumps(jwk(RSA, "rsa")), '"keys"'),
    "a list": ("[]", '"keys"'),
    "keys no list": ('{"keys": {}}', '"keys"'),
    "no keys": ('{"keys": []}', "no public key"),
    "only others": (json.dumps({"keys": [1, None, {}, {"kty": "oct", "kid": "a", "k": "AA"}]}), "no public key"),
    "no kid": (json.dumps({"keys": [jwk(RSA, None)]}), "with a kid"),
    "kid twice": (json.dumps({"keys": [jwk(RSA, "a"), jwk(EC, "a")]}), "two keys have the kid 'a'"),
    "private key": (json.dumps({"keys": [PRIVATE_JWK]}), "'private' is a private key"),
    "short key": (json.dumps({"keys": [jwk(SHORT_RSA, "short")]}), "'short' is shorter than 2048 bits"),
    "not a point": (json.dumps({"keys": [jwk(EC, "ec", x="AA")]}), "cannot be used"),
    "no modulus": (json.dumps({"keys": [{"kty": "RSA", "kid": "a"}]}), "cannot be used"),
}


@pytest.mark.parametrize(("content", "reason"), UNUSABLE.values(), ids=UNUSABLE.keys())
def test_a_file_that_cannot_be_used_is_told_at_the_start(tmp_path: Path, content: str | bytes, reason: str) -> None:
    path = tmp_path / "keys.json"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(ValueError, match=re.escape(reason)) as caught:
        authentication(jwt_jwks=path)
    message = str(caught.value)
    assert message.startswith("PGREPRISE_JWT_JWKS")
    assert str(path) in message
    assert "\n" not in message
    assert PRIVATE_JWK["d"] not in message


BAD_ENTRIES: dict[str, tuple[Any, str]] = {
    "not a point": (lambda: jwk(EC, "bad", x="AA"), "'bad' cannot be read"),
    "no modulus": (lambda: {"kty": "RSA", "kid": "bad"}, "'bad' cannot be read"),
    "a modulus that is none": (lambda: jwk(OTHER_RSA, "bad", n="\u0661"), "'bad' cannot be read"),
    "a modulus that is no text": (lambda: jwk(OTHER_RSA, "bad", n=[1]), "'bad' cannot be read"),
    "an exponent of nothing": (lambda: jwk(OTHER_RSA, "bad", e=""), "'bad' cannot be read"),
    "operations that are none": (lambda: jwk(OTHER_RSA, "bad", key_ops=1), "'bad' cannot be read"),
    "short": (lambda: jwk(SHORT_RSA, "bad"), "'bad' is shorter than 2048 bits"),
    "private": (lambda: {**PRIVATE_JWK, "kid": "bad"}, "'bad' is a private key"),
    "twice": (lambda: jwk(OTHER_RSA, "bad"), "two keys have the kid 'bad'"),
}


@pytest.mark.parametrize(("make", "reason"), BAD_ENTRIES.values(), ids=BAD_ENTRIES.keys())
@pytest.mark.parametrize("is_rotated", [False, True])
def test_a_key_that_cannot_be_used_costs_itself_a_warning_and_not_the_others(
    engine: Engine,
    key_file: Path,
    caplog: pytest.LogCaptureFixture,
    make: Callable[[], dict[str, Any]],
    reason: str,
    is_rotated: bool,
) -> None:
    bad = make()
    keys = [jwk(RSA, "first"), bad, *([bad] if "two keys" in reason else []), jwk(EC, "last")]
    if is_rotated:
        key_api = Api(engine, authentication(jwt_jwks=key_file))
        unauthorized(key_api.get(with_key(RSA, "first")))
        assert not caplog.records
        write_keys(key_file, *keys)
    else:
        write_keys(key_file, *keys)
        key_api = Api(engine, authentication(jwt_jwks=key_file))
    succeeded(key_api.get(with_key(RSA, "first")))
    succeeded(key_api.get(signed(key=EC, algorithm="ES256", kid="last")))
    unauthorized(key_api.get(with_key(OTHER_RSA, "bad")))
    [warning] = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert reason in warning
    assert str(key_file) in warning
    assert PRIVATE_JWK["d"] not in warning


def test_a_file_of_keys_may_begin_with_a_byte_order_mark(engine: Engine, key_file: Path) -> None:
    key_file.write_bytes(b"\xef\xbb\xbf" + key_file.read_bytes())
    succeeded(Api(engine, authentication(jwt_jwks=key_file)).get(with_key(RSA, "rsa")))


def test_a_rotation_to_keys_of_which_none_can_be_used_leaves_the_earlier_ones(
    key_api: Api, key_file: Path, caplog: pytest.LogCaptureFixture
) -> None:
    write_keys(key_file, jwk(EC, "ec", x="AA"))
    succeeded(key_api.get(with_key(RSA, "rsa")))
    assert "The earlier keys stay in use" in caplog.text


def test_a_file_that_is_not_there_is_told_at_the_start(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"cannot read .*No such file"):
        authentication(jwt_jwks=tmp_path / "absent.json")


@pytest.mark.parametrize("secret", [PUBLIC_PEM.decode(), json.dumps(jwk(RSA, "rsa"))], ids=["PEM", "JWK"])
def test_a_public_key_is_no_secret(secret: str) -> None:
    with pytest.raises(ValueError, match="PGREPRISE_JWT_SECRET") as caught:
        authentication(jwt_secret=secret)
    assert secret not in str(caught.value)
