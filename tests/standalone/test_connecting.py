"""From a configuration or a URL to a client that works; connections lost and found again."""

import asyncio
import builtins
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import closing
from typing import TYPE_CHECKING

import pytest
from tests.waiting import until

import glide_scripts
from glide_scripts import (
    OK,
    AdvancedGlideClientConfiguration,
    ClosingError,
    ConnectionError,
    GlideClient,
    GlideClientConfiguration,
    GlideError,
    NodeAddress,
    ProtocolVersion,
    ReadFrom,
    RequestError,
    Script,
    ServerCredentials,
    TimeoutError,
)
from glide_scripts.testing import ValkeyServer

if TYPE_CHECKING:
    from tests.conftest import Connect

ECHO = Script("return ARGV[1]")
SPIN = Script("while true do end")
PORT = "return tonumber(string.match(redis.call('INFO', 'server'), 'tcp_port:(%d+)'))"
PASSWORD = "p@ss/w:rd?#%&é"
QUOTED = "p%40ss%2Fw%3Ard%3F%23%25%26%C3%A9"


def configuration(
    *servers: ValkeyServer | NodeAddress, **settings: object
) -> GlideClientConfiguration:
    addresses = [NodeAddress(server.host, server.port) for server in servers]
    return GlideClientConfiguration(addresses, **settings)  # type: ignore[arg-type]


def within(milliseconds: int) -> AdvancedGlideClientConfiguration:
    return AdvancedGlideClientConfiguration(connection_timeout=milliseconds)


async def info(client: GlideClient) -> dict[str, str]:
    """What the server says of the client's connection."""
    reply = await client.custom_command(["CLIENT", "INFO"])
    assert isinstance(reply, bytes)
    return dict(field.split("=", 1) for field in reply.decode().split())


def connections(server: ValkeyServer) -> int:
    clients = server.command("CLIENT", "LIST")
    assert isinstance(clients, bytes)
    return clients.count(b"lib-name=glide_scripts")


@pytest.fixture
def dead(own_server: ValkeyServer) -> NodeAddress:
    """Where nothing listens."""
    own_server.kill()
    return NodeAddress(own_server.host, own_server.port)


@pytest.fixture
def black_hole() -> Iterator[socket.socket]:
    """It accepts connections and never sends anything."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.setblocking(False)
        yield listening


def address_of(listening: socket.socket) -> NodeAddress:
    return NodeAddress("127.0.0.1", listening.getsockname()[1])


# Configurations and URLs


@pytest.mark.needs("client details")
@pytest.mark.every_server
async def test_a_configuration_makes_a_client(
    server: ValkeyServer, protocol: ProtocolVersion
) -> None:
    async with await GlideClient.create(configuration(server, protocol=protocol)) as client:
        assert await client.invoke_script(ECHO, args=["a"]) == b"a"
        assert (await info(client))["resp"] == str(protocol.value)


@pytest.mark.parametrize("scheme", ["valkey", "redis"])
@pytest.mark.needs("client details")
async def test_a_url_makes_a_client(server: ValkeyServer, scheme: str) -> None:
    url = f"{scheme}://{server.host}:{server.port}"
    async with await GlideClient.from_url(url) as client:
        assert await client.invoke_script(ECHO, args=["a"]) == b"a"
        assert (await info(client))["resp"] == "3"


@pytest.mark.needs("client details")
async def test_a_url_has_settings(server: ValkeyServer) -> None:
    url = f"{server.url}/3?protocol=2&client_name=from-url&timeout=70"
    async with await GlideClient.from_url(url) as client:
        about = await info(client)
        assert (about["db"], about["resp"], about["name"]) == ("3", "2", "from-url")
        with pytest.raises(TimeoutError, match="70 ms"):
            await client.custom_command(["DEBUG", "SLEEP", "0.3"])


async def test_a_name_of_the_server_will_do(server: ValkeyServer) -> None:
    async with await GlideClient.from_url(f"valkey://localhost:{server.port}") as client:
        assert await client.ping() == b"PONG"


@pytest.mark.every_server
async def test_a_client_works_on_the_database_it_was_made_for(
    server: ValkeyServer, connect: "Connect", protocol: ProtocolVersion
) -> None:
    client = await connect(server, database_id=5, protocol=protocol)
    script = Script("return redis.call('SET', KEYS[1], ARGV[1])")
    assert await client.invoke_script(script, ["key"], ["value"]) is OK
    with server.connect() as connection:
        connection.command("SELECT", 5)
        assert connection.command("GET", "key") == b"value"


async def test_a_database_that_there_is_not_is_refused(server: ValkeyServer) -> None:
    with pytest.raises(ClosingError, match=f"127.0.0.1:{server.port}.*SELECT.*out of range"):
        await GlideClient.create(configuration(server, database_id=1_000))


@pytest.mark.needs("client details")
async def test_the_server_knows_the_client_by_name_and_library(
    server: ValkeyServer, connect: "Connect", protocol: ProtocolVersion
) -> None:
    client = await connect(server, client_name="a-name", protocol=protocol)
    assert await client.custom_command(["CLIENT", "GETNAME"]) == b"a-name"
    about = await info(client)
    assert (about["lib-name"], about["lib-ver"]) == ("glide_scripts", glide_scripts.__version__)


# Credentials


@pytest.mark.every_server
async def test_a_password_lets_the_client_in(protocol: ProtocolVersion) -> None:
    with ValkeyServer(password=PASSWORD) as server:
        credentials = ServerCredentials(PASSWORD)
        config = configuration(server, credentials=credentials, protocol=protocol)
        async with await GlideClient.create(config) as client:
            assert await client.ping() == b"PONG"
        url = f"valkey://:{QUOTED}@{server.host}:{server.port}?protocol={protocol.value}"
        async with await GlideClient.from_url(url) as client:
            assert await client.ping() == b"PONG"


async def test_a_user_is_let_in_by_password(
    own_server: ValkeyServer, protocol: ProtocolVersion
) -> None:
    own_server.command("ACL", "SETUSER", "alice", "on", f">{PASSWORD}", "~*", "+@all")
    credentials = ServerCredentials(PASSWORD, "alice")
    config = configuration(own_server, credentials=credentials, protocol=protocol)
    async with await GlideClient.create(config) as client:
        assert (await info(client))["user"] == "alice"
    url = f"valkey://alice:{QUOTED}@{own_server.host}:{own_server.port}?protocol={protocol.value}"
    async with await GlideClient.from_url(url) as client:
        assert (await info(client))["user"] == "alice"


@pytest.mark.parametrize("username", [None, "alice"])
@pytest.mark.every_server
async def test_a_wrong_password_is_refused_and_not_shown(
    username: str | None, protocol: ProtocolVersion
) -> None:
    with ValkeyServer(password=PASSWORD) as server:
        credentials = ServerCredentials("not-the-right-one", username)
        with pytest.raises(ClosingError, match="WRONGPASS") as caught:
            await GlideClient.create(
                configuration(server, credentials=credentials, protocol=protocol)
            )
        assert f"127.0.0.1:{server.port}" in str(caught.value)
        assert "not-the-right-one" not in f"{caught.value} {caught.value!r}"


async def test_a_server_that_wants_a_password_says_so(protocol: ProtocolVersion) -> None:
    with ValkeyServer(password=PASSWORD) as server:
        with pytest.raises(GlideError, match=r"credentials|NOAUTH") as caught:
            async with await GlideClient.create(configuration(server, protocol=protocol)) as client:
                # Redis 7.0 accepts the first commands over RESP2, and answers NOAUTH only to this
                # one.
                await client.ping()
        assert f"127.0.0.1:{server.port}" in str(caught.value) or "NOAUTH" in str(caught.value)


# No server


async def test_a_port_that_refuses_is_named_with_the_reason(dead: NodeAddress) -> None:
    with pytest.raises(ClosingError, match=f"127.0.0.1:{dead.port}.*[Rr]efused"):
        await GlideClient.create(configuration(dead))
    with pytest.raises(ClosingError, match=f"127.0.0.1:{dead.port}.*[Rr]efused"):
        await GlideClient.from_url(f"valkey://:secret@127.0.0.1:{dead.port}")


async def test_a_host_that_there_is_not_is_named() -> None:
    with pytest.raises(ClosingError, match=r"no-such-host.invalid:6379"):
        await GlideClient.from_url("valkey://no-such-host.invalid")


async def test_the_loop_goes_on_while_a_client_waits_for_a_server_that_never_answers(
    black_hole: socket.socket,
) -> None:
    ticks = 0

    async def tick() -> None:
        nonlocal ticks
        while True:
            await asyncio.sleep(0.001)
            ticks += 1

    ticking = asyncio.create_task(tick())
    address = address_of(black_hole)
    with pytest.raises(ClosingError, match=f"127.0.0.1:{address.port}.*300 ms"):
        await GlideClient.create(configuration(address, advanced_config=within(300)))
    ticking.cancel()
    assert ticks >= 10


async def test_a_client_whose_making_is_cancelled_stops_connecting(
    black_hole: socket.socket,
) -> None:
    loop = asyncio.get_running_loop()
    config = configuration(address_of(black_hole), advanced_config=within(60_000))
    creating = asyncio.create_task(GlideClient.create(config))
    connection, _ = await loop.sock_accept(black_hole)
    creating.cancel()
    with pytest.raises(asyncio.CancelledError):
        await creating
    with closing(connection):
        async with asyncio.timeout(5):
            while await loop.sock_recv(connection, 1024):
                pass


# Several addresses


@pytest.fixture
async def primary_and_replica() -> AsyncIterator[tuple[ValkeyServer, ValkeyServer]]:
    # Its configuration makes it a replica, so it is still one after a restart.
    with (
        ValkeyServer() as primary,
        ValkeyServer(config={"replicaof": f"{primary.host} {primary.port}"}) as replica,
    ):
        await follow(replica, primary)
        yield primary, replica


async def follow(replica: ValkeyServer, primary: ValkeyServer) -> None:
    replica.command("REPLICAOF", primary.host, primary.port)

    def is_linked() -> bool:
        about = replica.command("INFO", "replication")
        return isinstance(about, bytes) and b"master_link_status:up" in about

    await until(is_linked, within=30)


@pytest.mark.parametrize("order", [1, -1])
@pytest.mark.parametrize("read_from", [ReadFrom.PRIMARY, ReadFrom.PREFER_REPLICA])
@pytest.mark.needs("read-only forms")
@pytest.mark.every_server
async def test_of_several_addresses_the_primary_gets_what_writes_and_replicas_get_what_reads(
    primary_and_replica: tuple[ValkeyServer, ValkeyServer], order: int, read_from: ReadFrom
) -> None:
    primary, replica = primary_and_replica
    where, where_read_only = Script(PORT), Script(PORT, read_only=True)
    reader = replica if read_from is ReadFrom.PREFER_REPLICA else primary
    config = configuration(*primary_and_replica[::order], read_from=read_from)
    async with await GlideClient.create(config) as client:

        async def is_read_there() -> bool:
            return await client.invoke_script(where_read_only) == reader.port

        # Until the replica is connected, reads go to the primary.
        await until(is_read_there)
        for _ in range(20):
            assert await is_read_there()
            assert await client.invoke_script(where) == primary.port


@pytest.mark.parametrize("read_from", [ReadFrom.PRIMARY, ReadFrom.PREFER_REPLICA])
async def test_an_address_that_is_given_twice_is_one_server(
    server: ValkeyServer, read_from: ReadFrom
) -> None:
    place = NodeAddress(server.host, server.port)
    for addresses in ([place] * 2, [place, NodeAddress("localhost", server.port), place]):
        config = GlideClientConfiguration(addresses, read_from=read_from)
        async with await GlideClient.create(config) as client:
            assert await client.set("k", "v") == b"OK"
            assert await client.get("k") == b"v"


@pytest.mark.needs("read-only forms")
@pytest.mark.every_server
async def test_the_primary_stands_in_for_a_replica_that_is_gone(
    primary_and_replica: tuple[ValkeyServer, ValkeyServer],
) -> None:
    primary, replica = primary_and_replica
    where = Script(PORT, read_only=True)
    config = configuration(primary, replica, read_from=ReadFrom.PREFER_REPLICA)
    async with await GlideClient.create(config) as client:

        async def is_read_at(server: ValkeyServer) -> bool:
            return await client.invoke_script(where) == server.port

        await until(lambda: is_read_at(replica))
        replica.kill()
        for _ in range(20):
            assert await is_read_at(primary)
        await asyncio.to_thread(replica.restart)
        await until(lambda: is_read_at(replica))


@pytest.mark.every_server
async def test_the_client_finds_the_primary_anew_after_the_roles_were_changed(
    primary_and_replica: tuple[ValkeyServer, ValkeyServer],
) -> None:
    primary, replica = primary_and_replica
    script = Script("redis.call('INCR', KEYS[1]) " + PORT)
    async with await GlideClient.create(configuration(primary, replica)) as client:
        assert await client.invoke_script(script, ["counter"]) == primary.port
        # Data that was not replicated would be lost.
        await until(lambda: replica.command("GET", "counter") == b"1")
        replica.command("REPLICAOF", "NO", "ONE")
        await follow(primary, replica)
        for _ in range(20):
            assert await client.invoke_script(script, ["counter"]) == replica.port
        assert await client.get("counter") == b"21"


async def test_without_a_primary_among_the_addresses_there_is_no_client(
    primary_and_replica: tuple[ValkeyServer, ValkeyServer], dead: NodeAddress
) -> None:
    _, replica = primary_and_replica
    with pytest.raises(ClosingError, match="none of the addresses is a primary") as caught:
        await GlideClient.create(configuration(replica, dead))
    assert f"127.0.0.1:{replica.port}: it is a replica" in str(caught.value)
    assert f"127.0.0.1:{dead.port}: " in str(caught.value)


@pytest.mark.parametrize("order", [1, -1])
async def test_dead_addresses_among_several_do_no_harm(
    server: ValkeyServer, dead: NodeAddress, black_hole: socket.socket, order: int
) -> None:
    addresses = (dead, address_of(black_hole), server)[::order]
    async with await GlideClient.create(configuration(*addresses)) as client:
        assert await client.invoke_script(ECHO, args=["a"]) == b"a"


# Lazy clients


async def test_a_lazy_client_connects_at_its_first_call(own_server: ValkeyServer) -> None:
    own_server.kill()
    async with await GlideClient.create(configuration(own_server, lazy_connect=True)) as client:
        call = asyncio.create_task(client.invoke_script(ECHO, args=["a"], timeout=30_000))
        await asyncio.to_thread(own_server.restart)
        assert await call == b"a"


@pytest.mark.needs("client details")
async def test_a_lazy_client_that_was_not_used_has_no_connection(own_server: ValkeyServer) -> None:
    async with await GlideClient.create(configuration(own_server, lazy_connect=True)) as client:
        assert connections(own_server) == 0
        await client.ping()
        assert connections(own_server) == 1


async def test_a_call_of_a_lazy_client_without_a_server_times_out(dead: NodeAddress) -> None:
    async with await GlideClient.create(configuration(dead, lazy_connect=True)) as client:

        async def is_refused() -> bool:
            with pytest.raises(TimeoutError, match=r"100 ms.*no connection") as caught:
                await client.invoke_script(ECHO, args=["a"], timeout=100)
            assert not caught.value.may_have_executed
            return "refused" in str(caught.value)

        # On a busy machine the first call may end before the client has tried to connect.
        await until(is_refused)


# The limit of calls in flight


async def test_calls_over_the_limit_fail_at_once_and_later_ones_work(
    own_server: ValkeyServer, connect: "Connect"
) -> None:
    client = await connect(own_server, inflight_requests_limit=2)
    own_server.pause()
    two = [asyncio.create_task(client.invoke_script(ECHO, args=["a"])) for _ in range(2)]
    await asyncio.sleep(0)
    for _ in range(2):
        with pytest.raises(RequestError, match="inflight_requests_limit") as caught:
            await client.invoke_script(ECHO, args=["b"])
        assert not caught.value.may_have_executed
    own_server.resume()
    assert await asyncio.gather(*two) == [b"a", b"a"]
    again = (client.invoke_script(ECHO, args=["c"]) for _ in range(2))
    assert await asyncio.gather(*again) == [b"c", b"c"]


async def test_calls_that_were_cancelled_count_no_more(
    own_server: ValkeyServer, connect: "Connect"
) -> None:
    client = await connect(own_server, inflight_requests_limit=2)
    own_server.pause()
    two = [asyncio.create_task(client.invoke_script(ECHO, args=["a"])) for _ in range(2)]
    await asyncio.sleep(0)
    for task in two:
        task.cancel()

    async def is_taken() -> bool:
        try:
            await client.invoke_script(ECHO, args=["b"], timeout=20)
        except TimeoutError:
            return True
        except RequestError:
            return False
        raise AssertionError("a server that stands still answered")

    await until(is_taken)
    own_server.resume()


# Closing


@pytest.mark.parametrize("close", [GlideClient.close, GlideClient.aclose])
@pytest.mark.needs("client details")
async def test_closing_ends_the_connection(own_server: ValkeyServer, close: object) -> None:
    client = await GlideClient.from_url(own_server.url)
    assert connections(own_server) == 1
    assert callable(close)
    await close(client)
    await until(lambda: connections(own_server) == 0)


@pytest.mark.needs("client details")
async def test_a_block_closes_its_client(own_server: ValkeyServer) -> None:
    async with await GlideClient.from_url(own_server.url) as client:
        assert "open" in repr(client)
    assert "closed" in repr(client)
    await until(lambda: connections(own_server) == 0)


async def test_closing_twice_is_harmless(server: ValkeyServer) -> None:
    client = await GlideClient.from_url(server.url)
    await client.close()
    await client.close()


async def test_closing_from_several_tasks_at_once_is_harmless(server: ValkeyServer) -> None:
    for _ in range(20):
        client = await GlideClient.from_url(server.url)
        await asyncio.gather(client.close(), client.close(), client.aclose())


async def test_a_closed_client_refuses_calls(server: ValkeyServer) -> None:
    client = await GlideClient.from_url(server.url)
    await client.close()
    for call in (client.get("key"), client.invoke_script(ECHO, args=["a"])):
        with pytest.raises(ClosingError, match="closed") as caught:
            await call
        assert not caught.value.may_have_executed


async def test_calls_under_way_end_when_the_client_is_closed(own_server: ValkeyServer) -> None:
    client = await GlideClient.from_url(own_server.url)
    own_server.pause()
    calls = [asyncio.create_task(client.invoke_script(ECHO, args=["a"])) for _ in range(100)]
    await asyncio.sleep(0)
    await client.close()
    results = await asyncio.gather(*calls, return_exceptions=True)
    assert {type(result) for result in results} == {ClosingError}


# Servers that go and come back


async def is_down(client: GlideClient) -> bool:
    """Whether the client has noticed that its server is gone."""
    try:
        await client.custom_command(["PING"])
    except ConnectionError:
        return False
    except TimeoutError as error:
        return not error.may_have_executed
    return False


@pytest.mark.needs("client details")
async def test_a_client_works_again_after_its_server_was_restarted(
    own_server: ValkeyServer, connect: "Connect"
) -> None:
    client = await connect(own_server, request_timeout=100)
    assert await client.invoke_script(ECHO, args=["a"], timeout=30_000) == b"a"
    own_server.kill()
    await until(lambda: is_down(client))
    await asyncio.to_thread(own_server.restart)
    assert await client.invoke_script(ECHO, args=["b"], timeout=30_000) == b"b"
    await until(lambda: connections(own_server) == 1)


async def test_calls_made_while_the_server_is_down_wait_for_it(
    own_server: ValkeyServer, connect: "Connect"
) -> None:
    client = await connect(own_server, request_timeout=100)
    own_server.kill()
    await until(lambda: is_down(client))
    counting = Script("return redis.call('INCR', KEYS[1])")
    calls = [
        asyncio.create_task(client.invoke_script(counting, ["counter"], timeout=30_000))
        for _ in range(100)
    ]
    await asyncio.sleep(0)
    await asyncio.to_thread(own_server.restart)
    assert set(await asyncio.gather(*calls)) == set(range(1, 101))


async def test_calls_made_while_the_server_is_down_time_out_and_did_not_run(
    own_server: ValkeyServer, connect: "Connect"
) -> None:
    client = await connect(own_server, request_timeout=100)
    own_server.kill()
    await until(lambda: is_down(client))
    with pytest.raises(TimeoutError, match=r"50 ms.*no connection") as caught:
        await client.invoke_script(ECHO, args=["a"], timeout=50)
    assert not caught.value.may_have_executed


OWN_CONNECTION: dict[str, Callable[[GlideClient], Awaitable[object]]] = {
    "killable": lambda client: client.invoke_script(
        Script("return 1", read_only=True), on_timeout="kill"
    ),
    "waiting": lambda client: client.custom_command(["BLPOP", "k", "0.1"]),
    "watching": lambda client: client.watch(["k"]),
}


@pytest.mark.every_server
@pytest.mark.parametrize("kind", OWN_CONNECTION)
async def test_a_call_that_gets_no_connection_of_its_own_says_why(
    own_server: ValkeyServer, connect: "Connect", kind: str
) -> None:
    client = await connect(own_server, request_timeout=2000)
    with own_server.connect() as connection:
        await client.get("k")
        connection.command("CONFIG", "SET", "maxclients", "2")
        with pytest.raises(TimeoutError, match=r"no connection to .*: .*max number of") as caught:
            await OWN_CONNECTION[kind](client)
    assert not caught.value.may_have_executed


@pytest.mark.every_server
async def test_a_script_that_ran_when_the_server_was_killed_may_have_executed(
    own_server: ValkeyServer, connect: "Connect"
) -> None:
    client = await connect(own_server)
    call = asyncio.create_task(client.invoke_script(SPIN, timeout=30_000))

    def is_running() -> bool:
        try:
            own_server.command("PING", timeout=0.1)
        except builtins.TimeoutError:
            return True
        return False

    await until(lambda: asyncio.to_thread(is_running))
    own_server.kill()
    with pytest.raises(ConnectionError, match="lost") as caught:
        await call
    assert caught.value.may_have_executed
    assert isinstance(caught.value, builtins.ConnectionError)


@pytest.mark.parametrize("flag", ["read_only", "idempotent"])
async def test_a_script_that_may_run_twice_survives_the_death_of_its_server(
    own_server: ValkeyServer, connect: "Connect", flag: str
) -> None:
    client = await connect(own_server)
    script = Script("return ARGV[1]", **{flag: True})  # type: ignore[arg-type]
    own_server.pause()
    calls = [
        asyncio.create_task(client.invoke_script(script, args=[str(number)], timeout=30_000))
        for number in range(100)
    ]
    await asyncio.sleep(0)
    own_server.kill()
    await asyncio.to_thread(own_server.restart)
    assert await asyncio.gather(*calls) == [b"%d" % number for number in range(100)]
