"""A service's primary is found through Sentinels, and followed when another one takes its place."""

from __future__ import annotations

import asyncio
import itertools
import re
import ssl
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from typing import Any

import pytest
import trustme
from tests.ports import refusing
from tests.sentinels import Service, false_sentinel, is_primary
from tests.tls_proxy import tls_proxy
from tests.waiting import block_until, until

import glide_scripts.sync
from glide_scripts import (
    AdvancedGlideClientConfiguration,
    AuthenticationError,
    Batch,
    ClosingError,
    ConfigurationError,
    ConnectionError,
    GlideClient,
    GlideClusterClient,
    NodeAddress,
    ReadFrom,
    Script,
    SentinelConfiguration,
    ServerCredentials,
    TimeoutError,
    TlsAdvancedConfiguration,
)
from glide_scripts.testing import ServerReplyError, ValkeySentinel, ValkeyServer

# It runs once for each call that gives it another name.
ONCE = Script("return redis.call('HINCRBY', KEYS[1], ARGV[1], 1)")


@pytest.fixture
def service() -> Iterator[Service]:
    with Service() as service:
        yield service


@pytest.fixture
def trio() -> Iterator[Service]:
    """With three Sentinels, two of which are needed for a failover."""
    with Service(sentinels=3) as service:
        yield service


async def port_of(client: GlideClient) -> int:
    """Where the client's calls go."""
    info = await client.info()
    found = re.search(rb"tcp_port:(\d+)", info)
    assert found is not None
    return int(found[1])


class Load:
    """Calls one after the other, each of which is to run once at most."""

    def __init__(self, client: GlideClient) -> None:
        self._client = client
        self.done: list[str] = []
        self.failed: Counter[type] = Counter()

    async def run(self) -> None:
        for number in itertools.count():
            try:
                await self._client.invoke_script(ONCE, keys=["calls"], args=[str(number)])
            except (TimeoutError, ConnectionError) as error:
                self.failed[type(error)] += 1
            else:
                self.done.append(str(number))
            await asyncio.sleep(0.001)

    async def goes_on(self, count: int = 20) -> None:
        """Waits for this many more calls that succeed."""
        wanted = len(self.done) + count
        await until(lambda: len(self.done) >= wanted)

    async def check(self) -> None:
        """No call has run twice."""
        runs = await self._client.hgetall("calls")
        assert runs
        assert set(runs.values()) == {b"1"}


@asynccontextmanager
async def load(client: GlideClient) -> AsyncIterator[Load]:
    calls = Load(client)
    running = asyncio.create_task(calls.run())
    try:
        await calls.goes_on()
        yield calls
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


async def open_client(service: Service, *others: NodeAddress, **settings: object) -> GlideClient:
    return await GlideClient.create(service.configuration(*others, **settings))


# How the primary is found


@pytest.mark.every_server
async def test_the_primary_is_found_and_serves_calls(service: Service) -> None:
    async with await open_client(service) as client:
        assert await port_of(client) == service.primary.port
        assert await client.invoke_script(ONCE, keys=["calls"], args=["1"]) == 1


async def test_one_sentinel_that_answers_is_enough(service: Service) -> None:
    with refusing() as nobody:
        async with (
            false_sentinel(None) as silent,
            await open_client(service, silent, nobody) as client,
        ):
            assert await port_of(client) == service.primary.port


async def test_a_sentinel_that_hangs_holds_nobody_up(trio: Service) -> None:
    trio.sentinels[0].pause()
    async with await open_client(trio) as client:
        assert await port_of(client) == trio.primary.port


@pytest.mark.parametrize("epoch", [None, 0, 99])
async def test_a_sentinel_that_names_a_replica_is_not_believed(
    service: Service, epoch: int | None
) -> None:
    async with (
        false_sentinel(service.replica, epoch=epoch) as liar,
        await open_client(service, liar) as client,
    ):
        assert await port_of(client) == service.primary.port


async def test_a_slow_sentinel_is_waited_for_where_the_others_are_not_believed(
    service: Service,
) -> None:
    primary, replica = service.primary, service.replica

    def asked() -> bool:
        return "cmdstat_role" in str(replica.command("INFO", "commandstats"))

    replica.command("CONFIG", "RESETSTAT")
    async with false_sentinel(replica) as liar:
        service.sentinels[0].pause()
        opening = asyncio.create_task(open_client(service, liar))
        # The replica says that it is a replica, so the first Sentinel is wrong.
        await until(asked)
        service.sentinels[0].resume()
        async with await opening as client:
            assert await port_of(client) == primary.port


async def test_where_all_name_a_replica_the_error_says_so(service: Service) -> None:
    async with false_sentinel(service.replica) as liar:
        port = service.replica.port
        service.sentinels.clear()
        with pytest.raises(
            ClosingError, match=rf":{port}: it is a replica; the Sentinel at .* names it"
        ):
            await open_client(service, liar)


async def test_a_sentinel_that_missed_the_failover_is_not_believed(service: Service) -> None:
    before = service.primary
    async with false_sentinel(before) as late:
        service.sentinels[0].failover()
        # It remains a primary for a while, until its Sentinel makes it a replica.
        assert is_primary(before)
        async with await open_client(service, late) as client:
            assert await port_of(client) == service.primary.port != before.port


async def test_an_old_primary_is_no_substitute_for_one_that_cannot_be_reached(
    service: Service,
) -> None:
    with refusing() as unreachable:
        async with false_sentinel(unreachable, epoch=99) as ahead:
            with pytest.raises(ClosingError, match=f":{unreachable.port}: .*refused"):
                await open_client(service, ahead)


async def test_a_service_that_nobody_knows_is_named_beside_those_that_are(service: Service) -> None:
    with pytest.raises(ClosingError, match='it knows no service "other", only "main"'):
        await open_client(service, service_name="other")


async def test_where_no_sentinel_can_be_reached_the_error_names_each(service: Service) -> None:
    service.sentinels.clear()
    with (
        refusing() as first,
        refusing() as second,
        pytest.raises(ClosingError, match='no Sentinel names a primary of "main"') as raised,
    ):
        await open_client(service, first, second)
    refused = re.findall(r":(\d+): .*?refused", str(raised.value))
    assert {str(first.port), str(second.port)} == set(refused)


async def test_a_server_that_is_no_sentinel_is_said_to_be_none(service: Service) -> None:
    place = NodeAddress(service.primary.host, service.primary.port)
    service.sentinels.clear()
    with pytest.raises(ClosingError, match="it is not a Sentinel"):
        await open_client(service, place)


async def test_sentinels_that_do_not_answer_cost_the_connection_timeout(service: Service) -> None:
    async with false_sentinel(None) as silent:
        service.sentinels.clear()
        settings = AdvancedGlideClientConfiguration(connection_timeout=300)
        with pytest.raises(ClosingError, match="300 ms"):
            await open_client(service, silent, advanced_config=settings)


async def test_a_lazy_client_asks_at_its_first_call(service: Service) -> None:
    found = service.sentinels.pop()
    with refusing() as nobody:
        settings: dict[str, Any] = {"lazy_connect": True, "request_timeout": 300}
        async with await open_client(service, nobody, **settings) as client:
            with pytest.raises(TimeoutError, match="no Sentinel names a primary") as raised:
                await client.set("k", "v")
            assert not raised.value.may_have_executed
    service.sentinels.append(found)
    async with await open_client(service, lazy_connect=True) as client:
        assert await port_of(client) == service.primary.port


# Failover


@pytest.mark.every_server
async def test_calls_go_on_after_a_failover_that_was_asked_for(service: Service) -> None:
    before = service.primary
    async with await open_client(service) as client, load(client) as calls:
        await asyncio.to_thread(service.sentinels[0].failover)
        await until(lambda: port_is_not(client, before.port))
        await calls.goes_on()
        await calls.check()
        assert not calls.failed


async def port_is_not(client: GlideClient, port: int) -> bool:
    return await port_of(client) != port


async def test_calls_go_on_after_the_primary_was_killed(trio: Service) -> None:
    async with await open_client(trio) as client, load(client) as calls:
        replica = trio.replica
        await asyncio.to_thread(trio.primary.kill)
        await until(lambda: is_primary(replica))
        await calls.goes_on()
        assert await port_of(client) == replica.port
        await calls.check()


async def test_calls_go_on_after_the_primary_hung(trio: Service) -> None:
    async with await open_client(trio, request_timeout=500) as client, load(client) as calls:
        primary, replica = trio.primary, trio.replica
        primary.pause()
        await until(lambda: is_primary(replica))
        await calls.goes_on()
        await calls.check()


async def test_the_machine_of_the_primary_may_take_a_sentinel_along(trio: Service) -> None:
    async with await open_client(trio) as client, load(client) as calls:
        replica = trio.replica
        trio.sentinels[0].pause()
        trio.primary.pause()
        await until(lambda: is_primary(replica))
        await calls.goes_on()
        trio.sentinels[0].resume()


async def test_whatever_kind_a_call_is_it_follows(service: Service) -> None:
    async def all_kinds(client: GlideClient) -> None:
        await client.set("k", "v")
        await client.invoke_script(ONCE, keys=["calls"], args=["1"])
        for is_atomic in (False, True):
            batch = Batch(is_atomic).set("k", "v").invoke_script(ONCE, ["calls"], ["2"])
            await client.exec(batch, raise_on_error=True)
        await client.watch(["k"])
        assert await client.exec(Batch(is_atomic=True).get("k"), raise_on_error=True) == [b"v"]

    before = service.primary
    async with await open_client(service) as client:
        await all_kinds(client)
        await asyncio.to_thread(service.sentinels[0].failover)
        await until(lambda: port_is_not(client, before.port))
        await all_kinds(client)


async def test_a_client_without_calls_follows_what_the_sentinel_tells(service: Service) -> None:
    before = service.primary
    async with await open_client(service, client_name="idle"):
        await until(lambda: listens(service.sentinels[0], "idle"))
        await asyncio.to_thread(service.sentinels[0].failover)
        await until(lambda: b"name=idle" in clients_of(service.primary))
        assert service.primary is not before


async def test_a_sentinel_that_comes_back_is_listened_to_again(service: Service) -> None:
    sentinel = service.sentinels[0]
    async with await open_client(service, client_name="idle"):
        await until(lambda: listens(sentinel, "idle"))
        await asyncio.to_thread(sentinel.restart)
        await until(lambda: listens(sentinel, "idle"))
        await asyncio.to_thread(sentinel.wait_until_ready)
        await asyncio.to_thread(sentinel.failover)
        await until(lambda: b"name=idle" in clients_of(service.primary))


async def test_a_failover_while_nobody_listened_is_noticed_at_the_next_subscription(
    trio: Service,
) -> None:
    first, *others = trio.sentinels
    trio.sentinels[:] = [first]
    async with await open_client(trio, client_name="idle"):
        await until(lambda: listens(first, "idle"))
        await asyncio.to_thread(first.kill)
        await asyncio.to_thread(others[0].failover)
        after = trio.at(others[0].primary)
        await asyncio.to_thread(first.restart)
        await until(lambda: b"name=idle" in clients_of(after))


def clients_of(server: ValkeyServer) -> bytes:
    clients = server.command("CLIENT", "LIST")
    assert isinstance(clients, bytes)
    return clients


def listens(sentinel: ValkeySentinel, name: str) -> bool:
    """Whether a client of that name listens to the Sentinel."""
    lines = clients_of(sentinel).splitlines() if sentinel.running else []
    return any(b"name=" + name.encode() in line and b" sub=0 " not in line for line in lines)


async def test_without_a_quorum_calls_end_at_their_deadline_and_go_on_with_the_primary(
    trio: Service,
) -> None:
    primary = trio.primary
    async with await open_client(trio, request_timeout=300) as client:
        await client.set("k", "v")
        for sentinel in trio.sentinels[1:]:
            sentinel.kill()
        primary.kill()
        for _ in range(3):
            with pytest.raises(TimeoutError) as raised:
                await client.set("k", "v")
            assert not raised.value.may_have_executed
        primary.restart()
        await until(lambda: answers(client))


async def answers(client: GlideClient) -> bool:
    try:
        await client.set("k", "v")
    except (TimeoutError, ConnectionError):
        return False
    return True


async def test_sentinels_are_not_needed_while_the_primary_stays(service: Service) -> None:
    async with await open_client(service, client_name="app") as client:
        await until(lambda: listens(service.sentinels[0], "app"))
        service.sentinels[0].kill()
        for _ in range(100):
            await client.set("k", "v")


# Replicas


async def test_reads_go_to_replicas_and_follow_a_failover(service: Service) -> None:
    replica = service.replica
    async with await open_client(service, read_from=ReadFrom.PREFER_REPLICA) as client:
        await client.get("k")
        assert calls(replica, "get") == 1
        before = service.primary
        await asyncio.to_thread(service.sentinels[0].failover)
        make_quick(service.sentinels[0])
        await until(lambda: wrote_to(client, service.primary))
        # The client reads from the old primary when this has become a replica.
        seen = calls(before, "get")
        await until(lambda: not is_primary(before))
        await until(lambda: read_from(client, before, seen))


def make_quick(sentinel: ValkeySentinel) -> None:
    """Has it look at its servers more often, if it can: it gives them their new roles sooner."""
    with suppress(ServerReplyError):
        sentinel.command("SENTINEL", "DEBUG", "info-period", "200", "publish-period", "200")


async def wrote_to(client: GlideClient, server: ValkeyServer) -> bool:
    seen = calls(server, "set")
    # A Sentinel closes the connections of a server whose role it changes.
    with suppress(ConnectionError):
        await client.set("k", "v")
    return calls(server, "set") > seen


async def read_from(client: GlideClient, server: ValkeyServer, seen: int) -> bool:
    with suppress(ConnectionError):
        await client.get("k")
    return calls(server, "get") > seen


def calls(server: ValkeyServer, command: str) -> int:
    """How many calls of a command the server has had."""
    info = server.command("INFO", "commandstats")
    assert isinstance(info, bytes)
    found = re.search(rf"cmdstat_{command}:calls=(\d+)".encode(), info)
    return int(found[1]) if found else 0


async def test_a_replica_that_is_down_holds_up_no_reads(service: Service) -> None:
    service.replica.kill()
    async with await open_client(service, read_from=ReadFrom.PREFER_REPLICA) as client:
        assert await client.get("k") is None


# Credentials


async def test_sentinels_and_servers_may_want_passwords_of_their_own() -> None:
    with Service(password="inner secret", sentinel_password="outer secret") as service:
        inner, outer = ServerCredentials("inner secret"), ServerCredentials("outer secret")
        with pytest.raises(AuthenticationError, match="sentinel_credentials"):
            await open_client(service, credentials=inner)
        with pytest.raises(
            AuthenticationError, match=r"WRONGPASS.*\(sentinel_credentials\)"
        ) as raised:
            await open_client(service, credentials=inner, sentinel_credentials=inner)
        assert "secret" not in str(raised.value)
        with pytest.raises(AuthenticationError, match="NOAUTH"):
            await open_client(service, sentinel_credentials=outer)
        both = {"credentials": inner, "sentinel_credentials": outer}
        async with await open_client(service, **both) as client:
            assert await port_of(client) == service.primary.port


async def test_a_callback_may_give_the_password_of_the_sentinels() -> None:
    asked = []

    async def password() -> str:
        asked.append(True)
        return "outer secret"

    with Service(sentinel_password="outer secret") as service:
        credentials = ServerCredentials(password_callback=password)
        async with await open_client(service, sentinel_credentials=credentials) as client:
            assert await port_of(client) == service.primary.port
            assert asked


async def test_sentinels_may_speak_tls_beside_servers_that_do_not(service: Service) -> None:
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    trust = TlsAdvancedConfiguration(root_pem_cacerts=authority.cert_pem.bytes())
    async with tls_proxy(service.sentinels[0], context) as port:
        place = NodeAddress("127.0.0.1", port)
        service.sentinels.clear()
        tls = {"sentinel_use_tls": True, "sentinel_tls_config": trust}
        async with await open_client(service, place, **tls) as client:
            assert await port_of(client) == service.servers[0].port
        with pytest.raises(
            ClosingError, match="speaks TLS on this port; pass sentinel_use_tls=True"
        ):
            await open_client(service, place)
        with pytest.raises(ClosingError, match="pass sentinel_use_tls=true"):
            await GlideClient.from_url(f"valkey+sentinel://127.0.0.1:{port}/main")


async def test_an_error_names_the_setting_of_sentinels_or_of_servers(service: Service) -> None:
    sentinel = service.sentinels[0]
    url = f"valkeys+sentinel://{sentinel.host}:{sentinel.port}/main"
    for settings, query, setting, parameter in (
        ({}, "", "sentinel_use_tls=False", "sentinel_use_tls=false"),
        (
            {"sentinel_use_tls": False},
            "?sentinel_use_tls=false",
            "use_tls=False",
            r"valkey\+sentinel:// as the scheme",
        ),
    ):
        with pytest.raises(ClosingError, match=f"does not speak TLS on this port; pass {setting}"):
            await open_client(service, use_tls=True, **settings)
        with pytest.raises(ClosingError, match=f"pass {parameter}"):
            await GlideClient.from_url(url + query)


# URLs


async def test_a_url_has_all_that_it_takes() -> None:
    with Service(password="a/b", sentinel_password="c d") as service:
        url = service.sentinels[0].url
        async with await GlideClient.from_url(f"{url}&client_name=by_url") as client:
            assert await port_of(client) == service.primary.port
            assert b"name=by_url" in clients_of(service.primary)


def test_a_synchronous_client_finds_the_primary_and_follows_it(service: Service) -> None:
    with glide_scripts.sync.GlideClient.create(service.configuration()) as client:
        client.set("k", "v")
        service.sentinels[0].failover()
        after = service.primary
        block_until(lambda: f"tcp_port:{after.port}".encode() in client.info())


# Settings


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"service_name": ""}, "service_name is ''"),
        ({"service_name": "a b"}, "service_name is 'a b'"),
        ({"service_name": 1}, "service_name is int"),
        ({"sentinel_credentials": "secret"}, "sentinel_credentials is str"),
        ({"sentinel_use_tls": "yes"}, "sentinel_use_tls is str"),
        ({"sentinel_tls_config": True}, "sentinel_tls_config is bool"),
        ({"sentinel_tls_config": TlsAdvancedConfiguration()}, "pass sentinel_use_tls=True"),
        ({"addresses": []}, "addresses is empty"),
    ],
)
def test_a_wrong_setting_is_named(settings: dict[str, object], words: str) -> None:
    right = {"addresses": [NodeAddress("h", 26379)], "service_name": "main"}
    with pytest.raises(ConfigurationError, match=re.escape(words)):
        SentinelConfiguration(**(right | settings))  # type: ignore[arg-type]


async def test_a_cluster_client_takes_no_sentinels() -> None:
    config = SentinelConfiguration([NodeAddress("h", 26379)], service_name="main")
    with pytest.raises(ConfigurationError, match="config is SentinelConfiguration"):
        await GlideClusterClient.create(config)  # type: ignore[arg-type]


async def test_a_closed_client_leaves_the_sentinels(service: Service) -> None:
    sentinel = service.sentinels[0]
    async with await open_client(service, client_name="gone"):
        await until(lambda: listens(sentinel, "gone"))
    await until(lambda: b"name=gone" not in clients_of(sentinel))
