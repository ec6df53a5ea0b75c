"""The clients that are measured, each as a function that makes one call."""

from __future__ import annotations

import asyncio
import importlib
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from typing import Any, cast

from bench.cells import GLIDE, OURS, RAW, UNIX, Cell, Reply, Topology
from bench.scripts import CODE, sha1_of

HOST = "127.0.0.1"
TIMEOUT_SECS = 30

Value = str | bytes
Call = Callable[[str, Value], Awaitable[object]]
"""Calls the script with a key and an argument; for a batch, as many times as that has, each with a
key of its own that begins with the given one."""


@dataclass(frozen=True)
class Target:
    """Where the server of a cell is."""

    port: int
    ca: str | None = None
    """The file of the authority that signed the server's certificate, where it speaks TLS."""
    socket: str | None = None
    """The path of its Unix socket."""


@dataclass(frozen=True)
class Adapter:
    """One client."""

    distribution: str | None
    """The requirement that installs it; None: it comes with Python."""
    module: str
    connect: Callable[[Target, Cell], AbstractAsyncContextManager[Call]]
    parser: str | None = None
    """The distribution of the parser that it is measured with, where it does not need it."""


def glide_like(
    module_name: str, *, over_socket: bool = False
) -> Callable[[Target, Cell], AbstractAsyncContextManager[Call]]:
    """valkey-glide, and this project with the same API."""

    @asynccontextmanager
    async def connect(target: Target, cell: Cell) -> AsyncIterator[Call]:
        module: Any = importlib.import_module(module_name)
        in_cluster = cell.topology is Topology.CLUSTER
        kind = "GlideClusterClient" if in_cluster else "GlideClient"
        settings: dict[str, Any] = {
            "request_timeout": TIMEOUT_SECS * 1000,
            # valkey-glide's default is 1,000.
            "inflight_requests_limit": max(1000, 2 * cell.in_flight),
        }
        if target.ca is not None:
            with open(target.ca, "rb") as file:
                tls = module.TlsAdvancedConfiguration(root_pem_cacerts=file.read())
            advanced = getattr(module, f"Advanced{kind}Configuration")
            settings |= {"use_tls": True, "advanced_config": advanced(tls_config=tls)}
        address = (
            module.UnixSocketAddress(target.socket)
            if over_socket
            else module.NodeAddress(HOST, target.port)
        )
        configuration = getattr(module, f"{kind}Configuration")([address], **settings)
        client = await getattr(module, kind).create(configuration)
        code = CODE[cell.reply]
        script = module.Script(code)
        sha1 = script.get_hash()

        def call(key: str, value: Value) -> Awaitable[object]:
            reply: Awaitable[object] = client.invoke_script(script, keys=[key], args=[value])
            return reply

        batch_type = getattr(module, "ClusterBatch" if in_cluster else "Batch")

        def call_batch(key: str, value: Value) -> Awaitable[object]:
            commands = batch_type(is_atomic=False)
            if hasattr(commands, "invoke_script"):
                for number in range(cell.batch):
                    commands.invoke_script(script, [f"{key}{number}"], [value])
            else:
                # GLIDE's batches have no scripts, so this script is loaded below.
                for number in range(cell.batch):
                    commands.custom_command(["EVALSHA", sha1, "1", f"{key}{number}", value])
            replies: Awaitable[object] = client.exec(commands, raise_on_error=True)
            return replies

        if cell.batch > 1:
            await client.custom_command(["SCRIPT", "LOAD", code])
        try:
            yield call if cell.batch == 1 else call_batch
        finally:
            await client.close()

    return connect


def redis_like(
    module_name: str, client_name: str
) -> Callable[[Target, Cell], AbstractAsyncContextManager[Call]]:
    """redis-py and its descendant valkey-py: a connection for each call in flight."""

    @asynccontextmanager
    async def connect(target: Target, cell: Cell) -> AsyncIterator[Call]:
        module: Any = importlib.import_module(module_name)
        in_cluster = cell.topology is Topology.CLUSTER
        settings: dict[str, Any] = {
            "host": HOST,
            "port": target.port,
            "protocol": 3,
            "max_connections": 2000,
            "socket_timeout": TIMEOUT_SECS,
        }
        if target.ca is not None:
            settings |= {"ssl": True, "ssl_ca_certs": target.ca, "ssl_check_hostname": True}
        name = f"{client_name}Cluster" if in_cluster else client_name
        client = getattr(module, name)(**settings)
        code = CODE[cell.reply]
        sha1 = sha1_of(code)
        script = None if in_cluster else client.register_script(code)

        def call(key: str, value: Value) -> Awaitable[object]:
            # The cluster client has no scripts that load themselves.
            reply: Awaitable[object] = (
                client.evalsha(sha1, 1, key, value)
                if script is None
                else script(keys=[key], args=[value])
            )
            return reply

        async def call_batch(key: str, value: Value) -> object:
            pipeline = client.pipeline(transaction=False)
            for number in range(cell.batch):
                pipeline.evalsha(sha1, 1, f"{key}{number}", value)
            return await pipeline.execute()

        if cell.batch > 1 or in_cluster:
            await client.script_load(code)
        try:
            yield call if cell.batch == 1 else call_batch
        finally:
            await client.aclose()

    return connect


@asynccontextmanager
async def coredis(target: Target, cell: Cell) -> AsyncIterator[Call]:
    module: Any = importlib.import_module("coredis")
    async with module.Redis(host=HOST, port=target.port, max_connections=2000) as client:
        script = client.register_script(CODE[cell.reply])

        async def call(key: str, value: Value) -> object:
            return await script(keys=[key], args=[value])

        yield call


@asynccontextmanager
async def redis_rs(target: Target, cell: Cell) -> AsyncIterator[Call]:
    module: Any = importlib.import_module("redis_rs")
    code = CODE[cell.reply]
    # Each of its connections pipelines.
    async with module.create_client(f"redis://{HOST}:{target.port}", max_size=4) as client:
        await client.execute("SCRIPT", "LOAD", code)
        sha1 = sha1_of(code)

        def call(key: str, value: Value) -> Awaitable[object]:
            reply: Awaitable[object] = client.execute("EVALSHA", sha1, 1, key, value)
            return reply

        yield call


@asynccontextmanager
async def raw(target: Target, cell: Cell) -> AsyncIterator[Call]:
    """The floor: what asyncio takes for the bytes alone."""
    assert cell.reply is Reply.BULK, "it reads nothing but bulk strings"
    loop = asyncio.get_running_loop()
    one_at_a_time = cell.in_flight * cell.batch == 1
    transport, protocol = await loop.create_connection(
        lambda: RawProtocol(one_at_a_time), HOST, target.port
    )
    code = CODE[cell.reply].encode()
    await protocol.call(b"*3\r\n$6\r\nSCRIPT\r\n$4\r\nLOAD\r\n$%d\r\n%b\r\n" % (len(code), code))
    head = b"*5\r\n$7\r\nEVALSHA\r\n$40\r\n%b\r\n$1\r\n1\r\n" % sha1_of(CODE[cell.reply]).encode()

    def call(key: str, value: Value) -> asyncio.Future[bytes]:
        k = key.encode()
        v = value.encode() if isinstance(value, str) else value
        return protocol.call(b"%b$%d\r\n%b\r\n$%d\r\n%b\r\n" % (head, len(k), k, len(v), v))

    async def call_batch(key: str, value: Value) -> object:
        replies = [call(f"{key}{number}", value) for number in range(cell.batch)]
        # Replies come in the order of the calls.
        await replies[-1]
        return [reply.result() for reply in replies]

    try:
        yield call if cell.batch == 1 else call_batch
    finally:
        transport.close()


class RawProtocol(asyncio.Protocol):
    """One socket, one write for all calls of a turn of the loop, bulk strings for replies.

    If there is only one call at a time, it is written immediately.

    No errors, no timeouts, no reconnect: not a client.
    """

    def __init__(self, one_at_a_time: bool) -> None:
        self._one_at_a_time = one_at_a_time
        self._loop = asyncio.get_running_loop()
        self._waiting: deque[asyncio.Future[bytes]] = deque()
        self._out: list[bytes] = []
        self._rest = bytearray()
        self._needed = 0
        self._transport: asyncio.WriteTransport | None = None

    def call(self, request: bytes) -> asyncio.Future[bytes]:
        future = self._loop.create_future()
        self._waiting.append(future)
        self._out.append(request)
        if self._one_at_a_time:
            self._flush()
        elif len(self._out) == 1:
            self._loop.call_soon(self._flush)
        return future

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports are not subclasses of asyncio's.
        self._transport = cast(asyncio.WriteTransport, transport)

    def data_received(self, data: bytes) -> None:
        if self._rest:
            # The parts of a large reply are collected, and parsed when it is complete.
            self._rest += data
            if len(self._rest) < self._needed:
                return
            data = bytes(self._rest)
        start = 0
        self._needed = 0
        while (line_end := data.find(b"\r\n", start)) >= 0:
            if data[start : start + 1] != b"$":
                raise RuntimeError(f"unexpected reply {data[start:line_end]!r}")
            first = line_end + 2
            end = first + int(data[start + 1 : line_end])
            if end + 2 > len(data):
                self._needed = end + 2 - start
                break
            self._waiting.popleft().set_result(data[first:end])
            start = end + 2
        self._rest = bytearray(memoryview(data)[start:])

    def _flush(self) -> None:
        assert self._transport is not None
        self._transport.write(b"".join(self._out))
        self._out.clear()


ADAPTERS = {
    OURS: Adapter("glide-scripts", "glide_scripts", glide_like("glide_scripts")),
    UNIX: Adapter("glide-scripts", "glide_scripts", glide_like("glide_scripts", over_socket=True)),
    GLIDE: Adapter("valkey-glide", "glide", glide_like("glide")),
    "redispy": Adapter("redis", "redis.asyncio", redis_like("redis.asyncio", "Redis"), "hiredis"),
    "valkeypy": Adapter(
        "valkey", "valkey.asyncio", redis_like("valkey.asyncio", "Valkey"), "libvalkey"
    ),
    "coredis": Adapter("coredis", "coredis", coredis),
    "redisrs": Adapter("redis-rs", "redis_rs", redis_rs),
    RAW: Adapter(None, "asyncio", raw),
}
