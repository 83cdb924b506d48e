"""An operator lets the connection to the database be encrypted, and the server prove who it is."""

from __future__ import annotations

import datetime
import ipaddress
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from pyapi.api.app import create_app
from pyapi.database import connect_engine
from pyapi.settings import database_url
from tests.support.command import run
from tests.support.databases import folder_of_a_server
from tests.support.replies import succeeded
from tests.support.servers import Programs, Server, migrated_server

pytestmark = [pytest.mark.needs("postgresql_15"), pytest.mark.needs("time")]


@dataclass(frozen=True)
class Authority:
    """A certificate authority of the test's own."""

    name: x509.Name
    key: ec.EllipticCurvePrivateKey
    certificate: x509.Certificate

    @classmethod
    def new(cls, name: str) -> Authority:
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        key = ec.generate_private_key(ec.SECP256R1())
        made = signed(subject, subject, key, key, x509.BasicConstraints(ca=True, path_length=None))
        return cls(subject, key, made)

    def write(self, path: Path) -> Path:
        path.write_bytes(self.certificate.public_bytes(serialization.Encoding.PEM))
        return path


def signed(
    subject: x509.Name,
    issuer: x509.Name,
    key: ec.EllipticCurvePrivateKey,
    issuer_key: ec.EllipticCurvePrivateKey,
    *extensions: x509.ExtensionType,
) -> x509.Certificate:
    now = datetime.datetime.now(datetime.UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
    )
    for extension in extensions:
        builder = builder.add_extension(extension, critical=isinstance(extension, x509.BasicConstraints))
    return builder.sign(issuer_key, hashes.SHA256())


@pytest.fixture(scope="module")
def authority() -> Authority:
    return Authority.new("the authority of the test")


@pytest.fixture(scope="module")
def encrypted(authority: Authority) -> Iterator[Server]:
    """A migrated server with a certificate for 127.0.0.1, which lets in nobody without TLS."""
    programs = Programs.of_debian()
    with folder_of_a_server() as name, migrated_server(programs, programs.own(Path(name)) / "encrypted") as made:
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "database")])
        address = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
        certificate = signed(subject, authority.name, key, authority.key, address)
        for name, content in (
            ("server.crt", certificate.public_bytes(serialization.Encoding.PEM)),
            (
                "server.key",
                key.private_bytes(
                    serialization.Encoding.PEM,
                    serialization.PrivateFormat.PKCS8,
                    serialization.NoEncryption(),
                ),
            ),
        ):
            path = made.folder / name
            path.write_bytes(content)
            path.chmod(0o600)
            programs.own(path)
        with (made.folder / "postgresql.conf").open("a") as configuration:
            configuration.write("\nssl = on\n")
        (made.folder / "pg_hba.conf").write_text("hostssl all all 127.0.0.1/32 trust\n")
        made.stop()
        made.start()
        yield made


def url_of(server: Server, root: Path, mode: str = "verify-full", host: str = "127.0.0.1") -> str:
    return f"postgresql://postgres:hidden@{host}:{server.port}/postgres?sslmode={mode}&sslrootcert={root}"


def test_the_command_and_the_api_trust_a_server_that_proves_its_name(
    encrypted: Server, authority: Authority, tmp_path: Path
) -> None:
    url = url_of(encrypted, authority.write(tmp_path / "ca.pem"))
    assert run("status", DATABASE_URL=url).returncode == 0
    engine = connect_engine(database_url(url))
    succeeded(create_app(engine).test_client().get("/readiness-check"))
    engine.dispose()


def test_a_server_of_another_authority_is_refused_with_a_sentence(encrypted: Server, tmp_path: Path) -> None:
    other = Authority.new("another authority").write(tmp_path / "other.pem")
    done = run("status", DATABASE_URL=url_of(encrypted, other))
    assert done.returncode == 1
    assert "certificate verify failed" in done.stderr
    assert "Traceback" not in done.stderr
    assert "hidden" not in done.stderr


def test_a_server_with_another_name_is_refused_with_a_sentence(
    encrypted: Server, authority: Authority, tmp_path: Path
) -> None:
    root = authority.write(tmp_path / "ca.pem")
    done = run("status", DATABASE_URL=url_of(encrypted, root, host="localhost"))
    assert done.returncode == 1
    assert "does not match host name" in done.stderr
    assert "hidden" not in done.stderr


def test_a_file_of_authorities_that_is_not_there_is_named(encrypted: Server, tmp_path: Path) -> None:
    done = run("status", DATABASE_URL=url_of(encrypted, tmp_path / "missing.pem"))
    assert done.returncode == 1
    assert "missing.pem" in done.stderr
    assert "Traceback" not in done.stderr
