"""TLS through the transport: the same options do the same as over the libraries' connections."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest
import trustme
from tests.records import Records
from tests.tls_proxy import tls_proxy
from tests.transport.kinds import Kind, closed, done

from glide_scripts.testing import ValkeyServer

HOST = "127.0.0.1"


class Place:
    """Servers with TLS, and the files for them."""

    def __init__(self, folder: Path) -> None:
        authority = trustme.CA()
        self.authority = authority
        self.ca = folder / "ca.pem"
        authority.cert_pem.write_to_path(self.ca)
        self.pem = authority.cert_pem.bytes().decode()
        identity = authority.issue_cert("client.example")
        self.cert, self.key, self.both = (
            folder / f"{name}.pem" for name in ("cert", "key", "both")
        )
        identity.cert_chain_pems[0].write_to_path(self.cert)
        identity.private_key_pem.write_to_path(self.key)
        self.both.write_bytes(identity.private_key_and_cert_chain_pem.bytes())
        self.ports: dict[str, int] = {}

    def context(self, name: str, *, asks: bool = False) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.authority.issue_cert(name).configure_cert(context)
        if asks:
            context.verify_mode = ssl.CERT_REQUIRED
            self.authority.configure_trust(context)
        return context


@pytest.fixture
async def place(server: ValkeyServer, tmp_path: Path) -> AsyncIterator[Place]:
    place = Place(tmp_path)
    contexts = {
        "address": place.context(HOST),
        "name": place.context("valkey.example"),
        "mutual": place.context(HOST, asks=True),
    }
    async with AsyncExitStack() as stack:
        for name, context in contexts.items():
            place.ports[name] = await stack.enter_async_context(tls_proxy(server, context))
        yield place


OPTIONS: dict[str, Callable[[Place], dict[str, Any]]] = {
    "authority's file": lambda place: {"ssl_ca_certs": str(place.ca)},
    "authority's text": lambda place: {"ssl_ca_data": place.pem},
    "file and text": lambda place: {"ssl_ca_certs": str(place.ca), "ssl_ca_data": place.pem},
    "nothing": lambda _: {},
    "no certificate": lambda _: {"ssl_cert_reqs": "none", "ssl_check_hostname": False},
    "optional": lambda place: {"ssl_cert_reqs": "optional", "ssl_ca_certs": str(place.ca)},
    "any name": lambda place: {"ssl_ca_certs": str(place.ca), "ssl_check_hostname": False},
    "its name": lambda place: {"ssl_ca_certs": str(place.ca), "ssl_check_hostname": True},
    "client's certificate": lambda place: {
        "ssl_ca_certs": str(place.ca),
        "ssl_certfile": str(place.cert),
        "ssl_keyfile": str(place.key),
        "ssl_check_hostname": False,
    },
    "TLS 1.2": lambda place: {
        "ssl_ca_certs": str(place.ca),
        "ssl_min_version": ssl.TLSVersion.TLSv1_2,
    },
    "TLS 1.3": lambda place: {
        "ssl_ca_certs": str(place.ca),
        "ssl_min_version": ssl.TLSVersion.TLSv1_3,
    },
    "ciphers": lambda place: {"ssl_ca_certs": str(place.ca), "ssl_ciphers": "HIGH"},
    "no such file": lambda place: {"ssl_ca_certs": str(place.ca / "none")},
}


async def outcome(kind: Kind, port: int, options: dict[str, Any], *, own: bool) -> Any:
    url = f"{kind.library}s://{HOST}:{port}"

    async def call() -> Any:
        client = kind.client(
            url,
            own=own,
            socket_timeout=20,
            socket_connect_timeout=20,
            retry=kind.retries(0),
            **options,
        )
        try:
            script = client.register_script("return redis.call('INCRBY', KEYS[1], ARGV[1])")
            await done(client.delete("count"))
            return await done(script(["count"], [3]))
        except Exception as error:
            return type(error)
        finally:
            await closed(client)

    # The proxy runs on this thread's loop.
    return await (asyncio.to_thread(asyncio.run, call()) if kind.is_sync else call())


# redis-py 5.0 leaves its socket open if TLS fails.
@pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning")
@pytest.mark.parametrize("name", ["address", "name", "mutual"])
async def test_options_do_the_same(kind: Kind, place: Place, name: str) -> None:
    for title, options in OPTIONS.items():
        port, given = place.ports[name], options(place)
        own = await outcome(kind, port, given, own=True)
        if own is TypeError:
            # An older library does not know the option.
            continue
        here = await outcome(kind, port, given, own=False)
        assert here == own, (title, name)


async def test_tls_uses_the_shared_connection(
    kind: Kind, server: ValkeyServer, place: Place, log: Records
) -> None:
    options = OPTIONS["client's certificate"](place)
    assert await outcome(kind, place.ports["mutual"], options, own=False) == 3
    assert not [text for text in log.all() if "own connections carry" in text]


async def test_key_in_the_certificates_file(kind: Kind, place: Place) -> None:
    options = {
        "ssl_ca_certs": str(place.ca),
        "ssl_certfile": str(place.both),
        "ssl_keyfile": str(place.both),
    }
    assert await outcome(kind, place.ports["mutual"], options, own=False) == 3


async def test_ssl_is_an_argument_too(kind: Kind, place: Place) -> None:
    async def call() -> Any:
        client = getattr(kind.here, kind.name)(
            host=HOST, port=place.ports["address"], ssl=True, ssl_ca_certs=str(place.ca)
        )
        try:
            return await done(client.ping())
        finally:
            await closed(client)

    assert await (asyncio.to_thread(asyncio.run, call()) if kind.is_sync else call()) is True
