"""Connections over TLS: whom the client trusts, and how it says that it does not."""

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator

import pytest
import trustme
from tests.tls_proxy import tls_proxy

from glide_scripts import (
    AdvancedGlideClientConfiguration,
    ClosingError,
    ConfigurationError,
    GlideClient,
    GlideClientConfiguration,
    NodeAddress,
    ProtocolVersion,
    Script,
    TlsAdvancedConfiguration,
)
from glide_scripts.testing import ValkeyServer

ECHO = Script("return ARGV[1]")
HOST = "127.0.0.1"
NAME = "valkey.example"


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


def server_side(authority: trustme.CA, name: str) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(name).configure_cert(context)
    return context


@pytest.fixture
async def port(server: ValkeyServer, authority: trustme.CA) -> AsyncIterator[int]:
    """Where the server is reached over TLS; its certificate is for its address."""
    async with tls_proxy(server, server_side(authority, HOST)) as port:
        yield port


@pytest.fixture
async def named_port(server: ValkeyServer, authority: trustme.CA) -> AsyncIterator[int]:
    """The same with a certificate for a name."""
    async with tls_proxy(server, server_side(authority, NAME)) as port:
        yield port


@pytest.fixture
async def mutual_port(server: ValkeyServer, authority: trustme.CA) -> AsyncIterator[int]:
    """The same with a server that asks for a client's certificate."""
    context = server_side(authority, HOST)
    context.verify_mode = ssl.CERT_REQUIRED
    authority.configure_trust(context)
    async with tls_proxy(server, context) as port:
        yield port


def pem(authority: trustme.CA) -> bytes:
    return authority.cert_pem.bytes()


async def connect(
    port: int,
    *,
    ca: bytes | None = None,
    identity: trustme.LeafCert | None = None,
    server_name: str | None = None,
    insecure: bool = False,
    protocol: ProtocolVersion = ProtocolVersion.RESP3,
    connection_timeout: int = 10_000,
) -> GlideClient:
    tls = TlsAdvancedConfiguration(
        insecure,
        ca,
        b"".join(blob.bytes() for blob in identity.cert_chain_pems) if identity else None,
        identity.private_key_pem.bytes() if identity else None,
        server_name=server_name,
    )
    return await GlideClient.create(
        GlideClientConfiguration(
            [NodeAddress(HOST, port)],
            use_tls=True,
            protocol=protocol,
            advanced_config=AdvancedGlideClientConfiguration(connection_timeout, tls),
        )
    )


async def test_a_certificate_of_a_known_authority_is_accepted(
    port: int, authority: trustme.CA, protocol: ProtocolVersion
) -> None:
    async with await connect(port, ca=pem(authority), protocol=protocol) as client:
        assert await client.invoke_script(ECHO, args=["a"]) == b"a"


async def test_one_of_several_authorities_is_enough(port: int, authority: trustme.CA) -> None:
    async with await connect(port, ca=pem(trustme.CA()) + pem(authority)) as client:
        assert await client.ping() == b"PONG"


async def test_a_certificate_of_an_unknown_authority_is_refused_with_advice(port: int) -> None:
    with pytest.raises(ClosingError, match=f"{HOST}:{port}.*root_pem_cacerts"):
        await connect(port, ca=pem(trustme.CA()))


async def test_a_certificate_that_the_system_does_not_trust_is_refused(port: int) -> None:
    # A system without any authorities says so before it connects.
    with pytest.raises((ClosingError, ConfigurationError), match=r"pass .*ssl_ca_certs"):
        await GlideClient.from_url(f"valkeys://{HOST}:{port}")
    with pytest.raises((ClosingError, ConfigurationError), match=r"pass .*ssl_ca_certs"):
        await GlideClient.from_url(f"rediss://{HOST}:{port}")


async def test_a_certificate_for_another_name_is_refused_with_advice(
    named_port: int, authority: trustme.CA
) -> None:
    with pytest.raises(ClosingError, match=f"{HOST}:{named_port}.*server_name"):
        await connect(named_port, ca=pem(authority))
    with pytest.raises(ClosingError, match="server_name"):
        await connect(named_port, ca=pem(authority), server_name="other.example")


async def test_a_certificate_for_the_name_that_was_set_is_accepted(
    named_port: int, authority: trustme.CA
) -> None:
    async with await connect(named_port, ca=pem(authority), server_name=NAME) as client:
        assert await client.ping() == b"PONG"


async def test_a_client_may_accept_any_certificate(named_port: int) -> None:
    async with await connect(named_port, insecure=True) as client:
        assert await client.ping() == b"PONG"


async def test_a_server_gets_the_certificate_that_it_asks_for(
    mutual_port: int, authority: trustme.CA
) -> None:
    identity = authority.issue_cert("client.example")
    async with await connect(mutual_port, ca=pem(authority), identity=identity) as client:
        assert await client.invoke_script(ECHO, args=["a"]) == b"a"


async def test_a_client_without_the_certificate_that_is_asked_for_is_refused_with_the_reason(
    authority: trustme.CA,
) -> None:
    context = server_side(authority, HOST)
    context.verify_mode = ssl.CERT_REQUIRED

    def serve_one(listening: socket.socket) -> None:
        connection, _ = listening.accept()
        # Not asyncio's server, which closes the connection before it sends the reason.
        with connection, pytest.raises(ssl.SSLError):
            context.wrap_socket(connection, server_side=True)

    with socket.create_server((HOST, 0)) as listening:
        port = listening.getsockname()[1]
        serving = asyncio.create_task(asyncio.to_thread(serve_one, listening))
        with pytest.raises(ClosingError, match=f"{HOST}:{port}.*[Cc]ertificate"):
            await connect(port, ca=pem(authority))
        await serving


async def test_a_client_with_a_certificate_of_another_authority_is_refused(
    mutual_port: int, authority: trustme.CA
) -> None:
    identity = trustme.CA().issue_cert("client.example")
    with pytest.raises(ClosingError, match=f"{HOST}:{mutual_port}"):
        await connect(mutual_port, ca=pem(authority), identity=identity)


async def test_certificates_that_cannot_be_read_are_named(authority: trustme.CA) -> None:
    garbage = b"-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----\n"
    with pytest.raises(ConfigurationError, match="root_pem_cacerts"):
        await connect(6379, ca=garbage)


async def test_a_plain_client_fails_at_a_port_with_tls(port: int) -> None:
    advanced = AdvancedGlideClientConfiguration(2_000)
    config = GlideClientConfiguration([NodeAddress(HOST, port)], advanced_config=advanced)
    async with asyncio.timeout(30):
        with pytest.raises(ClosingError, match=f"{HOST}:{port}: .+"):
            await GlideClient.create(config)


async def test_a_client_with_tls_fails_at_a_plain_port(
    server: ValkeyServer, authority: trustme.CA
) -> None:
    async with asyncio.timeout(30):
        with pytest.raises(ClosingError, match=f"{HOST}:{server.port}: .+"):
            await connect(server.port, ca=pem(authority), connection_timeout=1_000)


async def test_a_client_reconnects_over_tls(
    own_server: ValkeyServer, authority: trustme.CA
) -> None:
    async with (
        tls_proxy(own_server, server_side(authority, HOST)) as port,
        await connect(port, ca=pem(authority)) as client,
    ):
        assert await client.ping() == b"PONG"
        await asyncio.to_thread(own_server.restart)
        read = Script("return ARGV[1]", read_only=True)
        assert await client.invoke_script(read, args=["a"], timeout=30_000) == b"a"


async def test_large_values_pass_over_tls(
    port: int, authority: trustme.CA, protocol: ProtocolVersion
) -> None:
    value = bytes(range(256)) * 4096
    async with await connect(port, ca=pem(authority), protocol=protocol) as client:
        calls = (client.invoke_script(ECHO, args=[value]) for _ in range(10))
        assert await asyncio.gather(*calls) == [value] * 10


async def test_a_thousand_calls_at_once_pass_over_tls(port: int, authority: trustme.CA) -> None:
    async with await connect(port, ca=pem(authority)) as client:
        calls = (client.invoke_script(ECHO, args=[str(number)]) for number in range(1000))
        assert await asyncio.gather(*calls) == [b"%d" % number for number in range(1000)]
