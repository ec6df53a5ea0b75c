"""A real server that has TLS, with certificates as people make them at home."""

from __future__ import annotations

import os
import shutil
import ssl
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import trustme
from tests.certificates import (
    Certificate,
    openssl,
    self_signed,
    self_signed_of_version_1,
    signed,
)
from tests.servers.debian import debian_program

from glide_scripts import (
    AdvancedGlideClientConfiguration,
    ClosingError,
    ConfigurationError,
    GlideClient,
    GlideClientConfiguration,
    NodeAddress,
    ProtocolVersion,
    Script,
    TimeoutError,
    TlsAdvancedConfiguration,
)
from glide_scripts.testing import ValkeyServer
from glide_scripts.testing._ports import free_port

pytestmark = pytest.mark.needs_program("redis-7.0")

ECHO = Script("return ARGV[1]")
Start = Callable[..., "TlsServer"]


class TlsServer:
    """Redis 7.0 with a port for TLS."""

    def __init__(self, server: ValkeyServer, port: int) -> None:
        self.server, self.port = server, port

    def url(self, query: str = "", host: str = "localhost") -> str:
        return f"valkeys://{host}:{self.port}/{query}"


@pytest.fixture
def start() -> Iterator[Start]:
    with ExitStack() as stack:

        def start(own: Certificate, ca: Path | None = None, **config: str) -> TlsServer:
            port = free_port()
            settings = {
                "tls-port": str(port),
                "tls-cert-file": str(own.cert),
                "tls-key-file": str(own.key),
                "tls-ca-cert-file": str(ca or own.cert),
                "tls-auth-clients": "no",
            } | {name.replace("_", "-"): value for name, value in config.items()}
            server = ValkeyServer(binary=debian_program("redis-7.0"), config=settings)
            return TlsServer(stack.enter_context(server), port)

        yield start


def configuration(
    server: TlsServer, host: str = "localhost", **tls: object
) -> GlideClientConfiguration:
    details = TlsAdvancedConfiguration(**tls)  # type: ignore[arg-type]
    return GlideClientConfiguration(
        [NodeAddress(host, server.port)],
        use_tls=True,
        advanced_config=AdvancedGlideClientConfiguration(tls_config=details),
    )


async def works(config: GlideClientConfiguration) -> None:
    async with await GlideClient.create(config) as client:
        assert await client.invoke_script(ECHO, args=["a"]) == b"a"


async def refusal(config: GlideClientConfiguration) -> str:
    with pytest.raises(ClosingError) as caught:
        await GlideClient.create(config)
    return str(caught.value)


async def test_a_self_signed_certificate_is_its_own_ca(start: Start, tmp_path: Path) -> None:
    own = self_signed(tmp_path)
    server = start(own)
    for ca in (own.cert, str(own.cert), own.cert.read_bytes()):
        await works(configuration(server, root_pem_cacerts=ca))
    async with await GlideClient.from_url(server.url(f"?ssl_ca_certs={own.cert}")) as client:
        assert await client.ping() == b"PONG"
    other = self_signed(tmp_path, "other")
    text = await refusal(configuration(server, root_pem_cacerts=other.cert))
    assert "not trusted; pass it, or the CA that signed it, as root_pem_cacerts" in text


@pytest.mark.parametrize("kind", ["ec", "rsa:2048"])
@pytest.mark.parametrize("protocols", ["TLSv1.2", "TLSv1.3"])
async def test_so_is_one_of_version_1(
    start: Start, tmp_path: Path, protocols: str, kind: str
) -> None:
    own = self_signed_of_version_1(tmp_path, kind=kind)
    server = start(own, tls_protocols=protocols)
    await works(configuration(server, root_pem_cacerts=own.cert))
    text = await refusal(configuration(server, "127.0.0.1", root_pem_cacerts=own.cert))
    assert "another name" in text
    other = self_signed_of_version_1(tmp_path, "other")
    text = await refusal(configuration(server, root_pem_cacerts=other.cert))
    assert "X.509 version 1" in text


@pytest.mark.parametrize("protocols", ["TLSv1.2", "TLSv1.3"])
@pytest.mark.parametrize("make", [self_signed, self_signed_of_version_1])
async def test_so_is_one_of_version_1_that_a_given_authority_signed(
    start: Start, tmp_path: Path, make: Callable[..., Certificate], protocols: str
) -> None:
    authority = make(tmp_path, "ca", "/CN=home")
    own = signed(tmp_path, authority, "own", "/CN=localhost")
    server = start(own, authority.cert, tls_protocols=protocols)
    await works(configuration(server, root_pem_cacerts=authority.cert))
    text = await refusal(configuration(server, "127.0.0.1", root_pem_cacerts=authority.cert))
    assert "another name" in text
    namesake = self_signed(tmp_path, "namesake", "/CN=home")
    for ca in (namesake.cert, None):
        text = await refusal(configuration(server, root_pem_cacerts=ca))
        assert "X.509 version 1, and is not trusted; pass it, or the CA that signed it" in text


async def test_a_certificate_of_version_1_that_was_changed_is_refused(
    start: Start, tmp_path: Path
) -> None:
    authority = self_signed(tmp_path, "ca", "/CN=home")
    own = signed(tmp_path, authority, "own", "/CN=localhost")
    content = bytearray(ssl.PEM_cert_to_DER_cert(own.cert.read_text()))
    content[-1] ^= 1
    own.cert.write_text(ssl.DER_cert_to_PEM_cert(bytes(content)))
    server = start(own, authority.cert)
    assert "not trusted" in await refusal(configuration(server, root_pem_cacerts=authority.cert))


@pytest.mark.parametrize(
    ("more", "text"),
    [
        ("", None),
        ("keyUsage=keyCertSign\n", "is a CA's, and is not trusted"),
        ("extendedKeyUsage=clientAuth\n", "is a CA's, and is not trusted"),
        ("1.2.3.4=critical,ASN1:UTF8String:x\n", "a critical extension that is not known"),
    ],
)
async def test_a_server_s_certificate_may_say_that_it_is_an_authority_s(
    start: Start, tmp_path: Path, more: str, text: str | None
) -> None:
    authority = self_signed(tmp_path, "ca", "/CN=home")
    extensions = f"basicConstraints=CA:TRUE\nsubjectAltName=DNS:localhost\n{more}"
    own = signed(tmp_path, authority, "own", "/CN=localhost", extensions)
    config = configuration(start(own, authority.cert), root_pem_cacerts=authority.cert)
    if text is None:
        await works(config)
    else:
        assert text in await refusal(config)


async def test_kinds_of_keys_that_are_not_supported_are_named(start: Start, tmp_path: Path) -> None:
    curve = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-521", "-nodes")
    large = self_signed(tmp_path, "large", "/CN=localhost", *curve)
    text = await refusal(configuration(start(large), root_pem_cacerts=large.cert))
    assert "P-521" in text
    own = signed(tmp_path, large, "own", "/CN=localhost", "subjectAltName=DNS:localhost\n")
    server = start(own, large.cert)
    text = await refusal(configuration(server, root_pem_cacerts=large.cert))
    assert "signed in a way that is not supported" in text
    assert "P-521" in text
    with pytest.raises(ConfigurationError, match=r"^client_key_pem: .* use RSA of 2048 to 8192"):
        await GlideClient.create(
            configuration(server, client_cert_pem=large.cert, client_key_pem=large.key)
        )


async def test_a_name_that_the_certificate_lacks_may_be_left_unchecked(
    start: Start, tmp_path: Path
) -> None:
    own = self_signed(tmp_path, "own", "/CN=db.example.com")
    server = start(own)
    text = await refusal(configuration(server, root_pem_cacerts=own.cert))
    assert "set server_name" in text
    assert "verify_hostname=False" in text
    await works(configuration(server, root_pem_cacerts=own.cert, verify_hostname=False))
    await works(configuration(server, root_pem_cacerts=own.cert, server_name="DB.example.com"))
    text = await refusal(configuration(server, verify_hostname=False))
    assert "root_pem_cacerts" in text, "everything else is still checked"


async def test_alternative_names_go_before_the_common_name(start: Start, tmp_path: Path) -> None:
    own = self_signed(
        tmp_path, "own", "/CN=localhost", "-addext", "subjectAltName=DNS:db,IP:127.0.0.1"
    )
    server = start(own)
    assert "another name" in await refusal(configuration(server, root_pem_cacerts=own.cert))
    await works(configuration(server, "127.0.0.1", root_pem_cacerts=own.cert))
    await works(configuration(server, root_pem_cacerts=own.cert, server_name="db"))


async def test_insecure_tls_accepts_any_certificate(start: Start, tmp_path: Path) -> None:
    authority = self_signed(tmp_path, "ca", "/CN=home")
    old = signed(tmp_path, authority, "old", "/CN=elsewhere")
    for own in (old, self_signed(tmp_path, "own", "/CN=elsewhere", "-days", "1")):
        server = start(own, authority.cert)
        await works(configuration(server, use_insecure_tls=True))
        for protocols in ("TLSv1.2", "TLSv1.3"):
            server.server.command("CONFIG", "SET", "tls-protocols", protocols)
            await works(configuration(server, use_insecure_tls=True))
            async with await GlideClient.from_url(server.url("?ssl_cert_reqs=none")) as client:
                assert await client.ping() == b"PONG"
    text = await refusal(configuration(start(old, authority.cert), root_pem_cacerts=authority.cert))
    assert "another name" in text


async def test_an_old_certificate_is_called_that(start: Start, tmp_path: Path) -> None:
    authority = trustme.CA()
    yesterday = datetime.now(UTC) - timedelta(days=1)
    made = authority.issue_cert(
        "localhost", not_before=yesterday - timedelta(days=1), not_after=yesterday
    )
    own = Certificate(tmp_path / "own.crt", tmp_path / "own.key")
    made.cert_chain_pems[0].write_to_path(own.cert)
    made.private_key_pem.write_to_path(own.key)
    server = start(own)
    for ca in (authority.cert_pem.bytes(), own.cert):
        text = await refusal(configuration(server, root_pem_cacerts=ca))
        assert "the server's certificate has expired; renew it" in text, text


@pytest.mark.parametrize("protocol", list(ProtocolVersion))
async def test_a_server_may_want_a_certificate(
    start: Start, tmp_path: Path, protocol: ProtocolVersion
) -> None:
    authority = self_signed(tmp_path, "ca", "/CN=home")
    own = signed(tmp_path, authority, "own", "/CN=localhost", "basicConstraints=CA:FALSE\n")
    ann = signed(tmp_path, authority, "ann", "/CN=ann", "basicConstraints=CA:FALSE\n")
    old = signed(tmp_path, authority, "old", "/CN=old")
    server = start(own, authority.cert, tls_auth_clients="yes")
    text = await refusal(configuration(server, root_pem_cacerts=authority.cert))
    assert "pass client_cert_pem and client_key_pem" in text, text
    for cert, key in (
        (ann.cert, ann.key),
        (ann.cert.read_bytes(), ann.key.read_bytes()),
        (old.cert, old.key),
    ):
        await works(
            configuration(
                server,
                root_pem_cacerts=authority.cert,
                client_cert_pem=cert,
                client_key_pem=key,
            )
        )
    query = f"?protocol={protocol.value}&ssl_ca_certs={authority.cert}"
    with pytest.raises(ClosingError, match="pass ssl_certfile and ssl_keyfile"):
        await GlideClient.from_url(server.url(query))
    query += f"&ssl_certfile={ann.cert}&ssl_keyfile={ann.key}"
    async with await GlideClient.from_url(server.url(query)) as client:
        assert await client.ping() == b"PONG"


async def test_certificates_are_read_again_when_they_have_changed(
    start: Start, tmp_path: Path
) -> None:
    first = self_signed(tmp_path, "first")
    used = Certificate(tmp_path / "used.crt", tmp_path / "used.key")
    shutil.copy(first.cert, used.cert)
    shutil.copy(first.key, used.key)
    server = start(used)
    ca = tmp_path / "ca.pem"
    shutil.copy(first.cert, ca)
    config = configuration(server, root_pem_cacerts=ca)
    async with await GlideClient.create(config) as client:
        assert await client.invoke_script(ECHO, args=["a"]) == b"a"
        second = self_signed(tmp_path, "second")
        shutil.copy(second.cert, used.cert)
        shutil.copy(second.key, used.key)
        # A file that is no certificate does not take away the one before.
        ca.write_text("no certificate yet")
        server.server.restart()
        os.replace(second.cert, ca)
        assert await client.invoke_script(ECHO, args=["b"], timeout=20_000) == b"b"


async def test_a_changed_file_that_cannot_be_used_is_named(
    start: Start, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    own = self_signed(tmp_path)
    used = Certificate(tmp_path / "used.crt", tmp_path / "used.key")
    ca = tmp_path / "ca.pem"
    for source, copy in ((own.cert, used.cert), (own.key, used.key), (own.cert, ca)):
        shutil.copy(source, copy)
    server = start(used)
    async with await GlideClient.from_url(server.url(f"?ssl_ca_certs={ca}")) as client:
        other = self_signed(tmp_path, "other")
        shutil.copy(other.cert, used.cert)
        shutil.copy(other.key, used.key)
        ca.write_text("no certificate yet")
        server.server.restart()
        with pytest.raises(
            TimeoutError, match="cannot be used: ssl_ca_certs: it contains no certificate"
        ):
            await client.invoke_script(ECHO, args=["a"], timeout=3000)
        os.replace(other.cert, ca)
        assert await client.invoke_script(ECHO, args=["b"], timeout=20_000) == b"b"
    warnings = [each for each in caplog.records if "cannot be used" in each.getMessage()]
    assert len(warnings) == 1


@pytest.mark.parametrize("cipher", ["aes-256-cbc", "aes-128-cbc"])
async def test_the_key_of_the_client_may_be_encrypted(
    start: Start, tmp_path: Path, cipher: str
) -> None:
    authority = self_signed(tmp_path, "authority", "/CN=our authority")
    client = signed(tmp_path, authority, "client", "/CN=app", "subjectAltName=DNS:app")
    server = start(self_signed(tmp_path), authority.cert, tls_auth_clients="yes")
    encrypted = encrypt(client.key, "-v2", cipher)
    tls: dict[str, Any] = {"root_pem_cacerts": tmp_path / "own.crt"}
    for key in (encrypted, encrypted.read_bytes()):
        own = tls | {"client_cert_pem": client.cert, "client_key_pem": key}
        await works(configuration(server, **own, key_password="hunter2"))
        with pytest.raises(ConfigurationError, match=r"^key_password: it does not decrypt"):
            await GlideClient.create(configuration(server, **own, key_password="guess"))
    files = f"ssl_certfile={client.cert}&ssl_keyfile={encrypted}"
    url = server.url(f"?ssl_ca_certs={tmp_path / 'own.crt'}&{files}")
    async with await GlideClient.from_url(f"{url}&ssl_password=hunter2") as by_url:
        assert await by_url.invoke_script(ECHO, args=["a"]) == b"a"
    with pytest.raises(ConfigurationError, match=r"^ssl_password: it does not decrypt ssl_keyfile"):
        await GlideClient.from_url(f"{url}&ssl_password=guess")


def encrypt(key: Path, *options: str) -> Path:
    encrypted = key.with_suffix(".encrypted")
    openssl("pkcs8", "-topk8", "-in", key, "-out", encrypted, "-passout", "pass:hunter2", *options)
    return encrypted


async def test_files_that_cannot_be_used_are_named_in_the_callers_terms(tmp_path: Path) -> None:
    own = self_signed(tmp_path)
    encrypted, plain = encrypt(own.key), own.key
    old = tmp_path / "old.key"
    openssl("ec", "-in", own.key, "-out", old, "-aes256", "-passout", "pass:hunter2")
    missing, broken = tmp_path / "missing.pem", tmp_path / "broken.pem"
    broken.write_text(ssl.DER_cert_to_PEM_cert(b"no certificate"))
    other = self_signed(tmp_path, "other")
    for tls, setting, term, text in (
        ({"root_pem_cacerts": missing}, "root_pem_cacerts", "ssl_ca_certs", "No such file"),
        ({"root_pem_cacerts": own.key}, "root_pem_cacerts", "ssl_ca_certs", "no certificate"),
        (
            {"client_cert_pem": own.cert, "client_key_pem": encrypted},
            "client_key_pem",
            "ssl_keyfile",
            "the key is encrypted; pass ",
        ),
        (
            {"client_cert_pem": own.cert, "client_key_pem": old},
            "client_key_pem",
            "ssl_keyfile",
            "the key is encrypted in the traditional format",
        ),
        (
            {"client_cert_pem": own.cert, "client_key_pem": other.key},
            "client_key_pem",
            "ssl_keyfile",
            "does not belong to the certificate in ",
        ),
        ({"root_pem_cacerts": broken}, "root_pem_cacerts", "ssl_ca_certs", "cannot be read"),
        (
            {"client_cert_pem": broken, "client_key_pem": plain},
            "client_cert_pem",
            "ssl_certfile",
            "cannot be read",
        ),
        (
            {"client_cert_pem": own.cert, "client_key_pem": plain, "key_password": "hunter2"},
            "key_password",
            "ssl_password",
            "is not encrypted",
        ),
    ):
        address = NodeAddress("localhost", 1)
        details = TlsAdvancedConfiguration(**tls)
        advanced = AdvancedGlideClientConfiguration(tls_config=details)
        config = GlideClientConfiguration([address], use_tls=True, advanced_config=advanced)
        with pytest.raises(ConfigurationError, match=f"^{setting}: .*{text}"):
            await GlideClient.create(config)
        names = {
            "root_pem_cacerts": "ssl_ca_certs",
            "client_cert_pem": "ssl_certfile",
            "client_key_pem": "ssl_keyfile",
            "key_password": "ssl_password",
        }
        query = "&".join(f"{names[name]}={value}" for name, value in tls.items())
        with pytest.raises(ConfigurationError, match=f"^{term}: .*{text}"):
            await GlideClient.from_url(f"valkeys://localhost:1?{query}")


@pytest.mark.parametrize("protocol", list(ProtocolVersion))
async def test_tls_and_none_at_the_wrong_port_are_told_apart(
    start: Start, tmp_path: Path, protocol: ProtocolVersion
) -> None:
    server = start(self_signed(tmp_path))
    plain = GlideClientConfiguration([NodeAddress("localhost", server.port)], protocol=protocol)
    assert "the server speaks TLS on this port; pass use_tls=True" in await refusal(plain)
    with pytest.raises(ClosingError, match=r"pass valkeys:// as the scheme"):
        await GlideClient.from_url(f"valkey://localhost:{server.port}?protocol={protocol.value}")
    port = server.server.port
    secure = GlideClientConfiguration([NodeAddress("localhost", port)], use_tls=True)
    assert "does not speak TLS on this port; pass use_tls=False" in await refusal(secure)
    with pytest.raises(ClosingError, match=r"pass valkey:// as the scheme"):
        await GlideClient.from_url(f"valkeys://localhost:{port}")
