"""Servers and proxies that accept fewer commands than a client sends."""

from __future__ import annotations

import asyncio
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, closing, suppress
from pathlib import Path
from socket import create_connection, create_server

import pytest
from tests.filter_proxy import OWN_COMMANDS, REFUSALS, filter_proxy, naming
from tests.servers.debian import debian_program
from tests.waiting import until

from glide_scripts import (
    AdvancedGlideClientConfiguration,
    AuthenticationError,
    Batch,
    BatchOptions,
    ClosingError,
    ConfigurationError,
    ConnectionError,
    GlideClient,
    GlideClientConfiguration,
    NodeAddress,
    ProtocolVersion,
    ReadFrom,
    Script,
    ServerCredentials,
    TimeoutError,
)
from glide_scripts.testing import ValkeyServer

ECHO = Script("return ARGV[1]")
SET = Script("return redis.call('SET', KEYS[1], ARGV[1])")
HOST = "127.0.0.1"


async def works(client: GlideClient) -> None:
    """Calls of every kind have their replies."""
    assert await client.invoke_script(ECHO, ["key"], ["a"]) == b"a"
    script = Script("return 'new to the server'")
    assert await client.invoke_script(script, ["key"]) == b"new to the server"
    assert await client.invoke_script(SET, ["key"], ["value"]) == b"OK"
    batch = Batch(is_atomic=False).get("key")
    batch.invoke_script(Script("return {KEYS[1], 1}"), ["key"])
    assert await client.exec(batch, raise_on_error=True) == [b"value", [b"key", 1]]


def configuration(port: int, **settings: object) -> GlideClientConfiguration:
    return GlideClientConfiguration([NodeAddress(HOST, port)], **settings)  # type: ignore[arg-type]


COMMANDS = [*OWN_COMMANDS, "CLUSTER"]


@pytest.mark.parametrize(
    ("name", "words"),
    [(name, words) for name in COMMANDS for words in REFUSALS]
    # SCRIPT LOAD has a test of its own.
    + [(name, None) for name in COMMANDS if not name.startswith("SCRIPT")],
)
@pytest.mark.parametrize("with_password", [False, True])
@pytest.mark.needs("client details")
async def test_a_client_does_without_any_one_command_of_its_own(
    server: ValkeyServer,
    protocol: ProtocolVersion,
    name: str,
    words: str | None,
    with_password: bool,
) -> None:
    if with_password:
        server.command("ACL", "SETUSER", "ann", "on", ">secret", "~*", "&*", "+@all")
    settings: dict[str, object] = {"protocol": protocol, "client_name": "a-name"}
    if with_password:
        settings["credentials"] = ServerCredentials("secret", "ann")
    try:
        async with (
            filter_proxy(server, naming(name), words) as filtering,
            await GlideClient.create(configuration(filtering.port, **settings)) as client,
        ):
            await works(client)
    finally:
        if with_password:
            server.command("ACL", "DELUSER", "ann")


async def test_a_connection_ends_over_script_load_only_once(
    server: ValkeyServer, protocol: ProtocolVersion
) -> None:
    async with filter_proxy(server, naming("SCRIPT LOAD"), None) as filtering:
        config = configuration(filtering.port, protocol=protocol)
        async with await GlideClient.create(config) as client:
            # A call that was sent after the load may be lost with the connection.
            with suppress(ConnectionError):
                await client.invoke_script(Script("return 'not on the server'"), ["key"])
            await until(lambda: filtering.refused)
            await until(lambda: answers(client))
            await works(client)
            assert filtering.refused == [b"SCRIPT"]


async def answers(client: GlideClient) -> bool:
    try:
        await client.get("key")
    except ConnectionError:
        return False
    return True


async def test_a_pipeline_ends_a_connection_over_script_load_only_once(
    server: ValkeyServer,
) -> None:
    async with (
        filter_proxy(server, naming("SCRIPT LOAD"), None) as filtering,
        await GlideClient.create(configuration(filtering.port)) as client,
    ):
        batch = Batch(is_atomic=False).invoke_script(Script("return 'in a batch'"), ["key"])
        with pytest.raises(ConnectionError):
            await client.exec(batch, raise_on_error=True)
        assert await client.exec(batch, raise_on_error=True) == [b"in a batch"]
        assert filtering.refused == [b"SCRIPT"]


@pytest.mark.parametrize("read_from", [ReadFrom.PRIMARY, ReadFrom.PREFER_REPLICA])
async def test_a_role_is_asked_of_info_where_a_connection_ends_over_role(
    server: ValkeyServer, read_from: ReadFrom
) -> None:
    with ValkeyServer() as replica:
        replica.command("REPLICAOF", server.host, server.port)
        async with (
            filter_proxy(replica, naming("ROLE"), None) as first,
            filter_proxy(server, naming("ROLE"), None) as second,
        ):
            addresses = [NodeAddress(HOST, first.port), NodeAddress(HOST, second.port)]
            config = GlideClientConfiguration(addresses, read_from=read_from)
            async with await GlideClient.create(config) as client:
                assert await client.invoke_script(SET, ["key"], ["value"]) == b"OK"


@pytest.mark.parametrize("names", [("ROLE",), ("INFO",), ("ROLE", "INFO")])
@pytest.mark.parametrize("words", ["ERR unknown command 'it'", "forbidden by policy"])
async def test_of_several_servers_the_first_is_the_primary_where_none_says_its_role(
    server: ValkeyServer, names: tuple[str, ...], words: str
) -> None:
    with ValkeyServer() as replica:
        replica.command("REPLICAOF", server.host, server.port)
        async with (
            filter_proxy(server, naming(*names), words) as first,
            filter_proxy(replica, naming(*names), words) as second,
        ):
            addresses = [NodeAddress(HOST, first.port), NodeAddress(HOST, second.port)]
            config = GlideClientConfiguration(addresses, read_from=ReadFrom.PREFER_REPLICA)
            async with await GlideClient.create(config) as client:
                assert await client.invoke_script(SET, ["key"], ["value"]) == b"OK"


async def test_a_setting_leaves_out_what_tells_the_server_of_the_client(
    server: ValkeyServer, protocol: ProtocolVersion
) -> None:
    advanced = AdvancedGlideClientConfiguration(send_client_info=False)
    async with filter_proxy(server, naming("NOTHING"), None) as filtering:
        config = configuration(filtering.port, protocol=protocol, advanced_config=advanced)
        async with await GlideClient.create(config) as client:
            await works(client)
        assert not any(command[0] == b"CLIENT" for command in filtering.seen)
    with pytest.raises(ConfigurationError, match="client_name is set and send_client_info"):
        configuration(1, client_name="a", advanced_config=advanced)


@pytest.mark.parametrize("protocol", list(ProtocolVersion))
async def test_a_server_that_wants_a_password_says_so_in_create(
    own_server: ValkeyServer, protocol: ProtocolVersion
) -> None:
    own_server.command("CONFIG", "SET", "requirepass", "secret")
    for credentials in (None, ServerCredentials("wrong"), ServerCredentials("secret", "nobody")):
        config = configuration(own_server.port, protocol=protocol, credentials=credentials)
        with pytest.raises(AuthenticationError) as caught:
            await GlideClient.create(config)
        assert isinstance(caught.value, ClosingError)
        assert "secret" not in str(caught.value)
    config = configuration(
        own_server.port, protocol=protocol, credentials=ServerCredentials("secret")
    )
    async with await GlideClient.create(config) as client:
        await works(client)


@pytest.mark.parametrize("form", ["ann@", "ann:@"])
async def test_a_user_without_a_password_needs_none(server: ValkeyServer, form: str) -> None:
    server.command("ACL", "SETUSER", "ann", "on", "nopass", "~*", "&*", "+@all")
    try:
        for query in ("", "?protocol=2"):
            url = f"valkey://{form}{server.host}:{server.port}/{query}"
            async with await GlideClient.from_url(url) as client:
                assert await client.custom_command(["ACL", "WHOAMI"]) == b"ann"
    finally:
        server.command("ACL", "DELUSER", "ann")


# Proxies


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def free_port() -> int:
    with closing(create_server((HOST, 0))) as listening:
        port: int = listening.getsockname()[1]
        return port


async def started(stack: ExitStack, command: list[str], port: int) -> None:
    """Starts a program, and waits until it listens."""
    process = stack.enter_context(
        subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    )
    stack.callback(process.kill)
    async with asyncio.timeout(20):
        while True:
            assert process.poll() is None, "it has ended"
            with suppress(OSError), create_connection((HOST, port), 1):
                return
            await asyncio.sleep(0.02)


@pytest.mark.needs_program("nutcracker")
async def test_twemproxy_runs_scripts(
    own_server: ValkeyServer, stack: ExitStack, tmp_path: Path, protocol: ProtocolVersion
) -> None:
    port = free_port()
    settings = tmp_path / "nutcracker.yml"
    settings.write_text(
        f"pool:\n  listen: {HOST}:{port}\n  redis: true\n  hash: fnv1a_64\n"
        f"  servers:\n   - {HOST}:{own_server.port}:1\n"
    )
    program = str(debian_program("nutcracker"))
    own = ["--stats-port", str(free_port()), "--stats-addr", HOST]
    own += ["--output", str(tmp_path / "log"), "--pid-file", str(tmp_path / "pid")]
    await started(stack, [program, "--conf-file", str(settings), *own], port)
    config = configuration(port, protocol=protocol, client_name="a-name")
    async with await GlideClient.create(config) as client:
        await works(client)
        count = Script("return redis.call('INCR', KEYS[1])")
        assert [await client.invoke_script(count, ["n"], once="id") for _ in "ab"] == [1, 1]
        # twemproxy knows no transactions and no functions.
        batch = Batch(is_atomic=True).invoke_script(count, ["n"])
        with pytest.raises(TimeoutError, match="not executed"):
            await client.exec(batch, raise_on_error=True, options=BatchOptions(timeout=300))
        with pytest.raises(ConnectionError):
            await client.fcall("f", ["n"])
        assert await client.invoke_script(count, ["n"]) == 2


@pytest.mark.needs_program("haproxy")
async def test_haproxy_leads_to_the_primary_of_a_pair(
    own_server: ValkeyServer, stack: ExitStack, tmp_path: Path, protocol: ProtocolVersion
) -> None:
    with ValkeyServer() as replica:
        replica.command("REPLICAOF", own_server.host, own_server.port)
        port = free_port()
        settings = tmp_path / "haproxy.cfg"
        settings.write_text(
            "defaults\n  mode tcp\n  timeout connect 1s\n  timeout client 1m\n  timeout server 1m\n"
            f"listen pair\n  bind {HOST}:{port}\n  option tcp-check\n"
            "  tcp-check send info\\ replication\\r\\n\n  tcp-check expect string role:master\n"
            f"  server a {HOST}:{own_server.port} check inter 100ms\n"
            f"  server b {HOST}:{replica.port} check inter 100ms\n"
        )
        await started(stack, [str(debian_program("haproxy")), "-f", str(settings)], port)
        config = configuration(port, protocol=protocol, request_timeout=20_000)
        async with await connected(config) as client:
            await works(client)
            replica.command("REPLICAOF", "NO", "ONE")
            own_server.command("REPLICAOF", replica.host, replica.port)
            # HAProxy sees the change within some checks; until then the old primary refuses.
            assert await client.invoke_script(SET, ["key"], ["after"]) == b"OK"
            assert replica.command("GET", "key") == b"after"


async def connected(config: GlideClientConfiguration) -> GlideClient:
    """Until HAProxy has checked its servers, it ends each connection."""
    async with asyncio.timeout(20):
        while True:
            with suppress(ClosingError):
                return await GlideClient.create(config)
            await asyncio.sleep(0.02)
