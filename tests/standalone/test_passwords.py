"""Passwords that change while a client runs."""

from __future__ import annotations

import asyncio
import gc
import logging
import traceback
import weakref
from collections.abc import Iterator
from contextlib import ExitStack

import pytest
from tests.conftest import Connect
from tests.waiting import until

from glide_scripts import (
    BackoffStrategy,
    ClosingError,
    GlideClient,
    GlideClientConfiguration,
    NodeAddress,
    ProtocolVersion,
    ReadFrom,
    RequestError,
    Script,
    ServerCredentials,
    TimeoutError,
)
from glide_scripts.testing import ValkeyServer

OLD, NEW = "0ld-s3cret", "n3w-s3cret"
INCR = Script("return redis.call('INCR', KEYS[1])")


@pytest.fixture
def guarded() -> Iterator[ValkeyServer]:
    with ValkeyServer(password=OLD) as server:
        yield server


def change_password(server: ValkeyServer, old: str, new: str, *, user: str = "default") -> None:
    with server.connect() as connection:
        connection.command("AUTH", old) if user == "default" else None
        connection.command("ACL", "SETUSER", user, "resetpass", f">{new}")


def drop_connections(server: ValkeyServer, password: str) -> None:
    with server.connect() as connection:
        connection.command("AUTH", password)
        connection.command("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")


async def test_a_new_password_serves_the_connections_to_come(
    guarded: ValkeyServer, protocol: ProtocolVersion, connect: Connect
) -> None:
    client = await connect(guarded, credentials=ServerCredentials(OLD), protocol=protocol)
    assert await client.update_connection_password(NEW) == b"OK"
    assert await client.invoke_script(INCR, keys=["k"]) == 1
    await client.custom_command(["CONFIG", "SET", "requirepass", NEW])
    await client.custom_command(["CLIENT", "KILL", "TYPE", "normal", "SKIPME", "no"])
    await until(lambda: client.stats().reconnects == 1)
    assert await client.invoke_script(INCR, keys=["k"]) == 2


async def test_the_connections_that_there_are_log_in_at_once_if_asked(
    own_server: ValkeyServer, protocol: ProtocolVersion, connect: Connect
) -> None:
    client = await connect(own_server, protocol=protocol)
    await client.custom_command(["CONFIG", "SET", "requirepass", NEW])
    with pytest.raises(RequestError, match="AUTH was refused: WRONGPASS") as caught:
        await client.update_connection_password(OLD, immediate_auth=True)
    assert OLD not in str(caught.value)
    assert await client.update_connection_password(NEW, immediate_auth=True) == b"OK"
    assert await client.ping() == b"PONG"


async def test_a_server_that_is_silent_keeps_no_other_from_the_new_password() -> None:
    with ExitStack() as stack:
        servers = [stack.enter_context(ValkeyServer()) for _ in range(4)]
        primary, silent = servers[:2]
        for replica in servers[1:]:
            replica.command("REPLICAOF", primary.host, str(primary.port))
        addresses = [NodeAddress(server.host, server.port) for server in servers]
        config = GlideClientConfiguration(
            addresses, request_timeout=500, read_from=ReadFrom.PREFER_REPLICA
        )
        async with await GlideClient.create(config) as client:
            for server in servers:
                server.command("CONFIG", "SET", "requirepass", NEW)
            silent.pause()
            try:
                with pytest.raises(TimeoutError, match="not all connections have logged in"):
                    await client.update_connection_password(NEW, immediate_auth=True)
            finally:
                silent.resume()
            for server in (primary, *servers[2:]):
                with server.connect() as connection:
                    connection.command("AUTH", NEW)
                    stats = connection.command("INFO", "commandstats")
                assert isinstance(stats, bytes)
                # The client's, and the one that asks.
                assert b"cmdstat_auth:calls=2," in stats


async def test_a_client_with_as_many_calls_as_allowed_takes_up_a_new_password(
    own_server: ValkeyServer, connect: Connect
) -> None:
    client = await connect(own_server, inflight_requests_limit=1)
    waits = asyncio.ensure_future(client.custom_command(["BLPOP", "jobs", "0"]))
    await until(lambda: b"blocked_clients:1" in info_of_clients(own_server))
    with pytest.raises(RequestError, match="inflight_requests_limit"):
        await client.ping()
    own_server.command("CONFIG", "SET", "requirepass", NEW)
    assert await client.update_connection_password(NEW, immediate_auth=True) == b"OK"
    waits.cancel()
    await asyncio.wait([waits])


async def test_a_command_that_waits_for_others_does_not_delay_a_new_password(
    own_server: ValkeyServer, protocol: ProtocolVersion, connect: Connect
) -> None:
    client = await connect(own_server, protocol=protocol)
    pop = ["BLPOP", "jobs", "0"]
    waits = asyncio.ensure_future(client.custom_command(pop))
    await until(lambda: b"blocked_clients:1" in info_of_clients(own_server))
    await client.custom_command(["CONFIG", "SET", "requirepass", NEW])
    assert await client.update_connection_password(NEW, immediate_auth=True) == b"OK"
    for number in range(2):
        await client.rpush("jobs", [str(number)])
        assert await waits == [b"jobs", str(number).encode()]
        waits = asyncio.ensure_future(client.custom_command(pop))
    waits.cancel()
    await asyncio.wait([waits])


def info_of_clients(server: ValkeyServer) -> bytes:
    reply = server.command("INFO", "clients")
    assert isinstance(reply, bytes)
    return reply


async def test_a_user_keeps_their_name(own_server: ValkeyServer, connect: Connect) -> None:
    own_server.command("ACL", "SETUSER", "app", "on", f">{OLD}", "~*", "+@all")
    client = await connect(own_server, credentials=ServerCredentials(OLD, "app"))
    own_server.command("ACL", "SETUSER", "app", f">{NEW}", f"<{OLD}")
    await client.update_connection_password(NEW, immediate_auth=True)
    assert await client.custom_command(["ACL", "WHOAMI"]) == b"app"


@pytest.mark.parametrize(
    ("password", "immediate", "error"),
    [
        ("", False, "password is empty"),
        (None, True, "password is None and immediate_auth is True"),
        (b"x", False, "password is bytes; pass a str, or None"),
        ("x", 1, "immediate_auth is int; pass"),
    ],
)
async def test_what_cannot_be_a_password_is_named(
    server: ValkeyServer, connect: Connect, password: object, immediate: object, error: str
) -> None:
    client = await connect(server)
    with pytest.raises((TypeError, ValueError), match=error):
        await client.update_connection_password(password, immediate)  # type: ignore[arg-type]
    assert await client.ping() == b"PONG"


# Callbacks


class Vault:
    """Gives the password of the hour."""

    def __init__(self, password: object) -> None:
        self.password, self.asked = password, 0

    async def __call__(self) -> str:
        self.asked += 1
        if isinstance(self.password, Exception):
            raise self.password
        return self.password  # type: ignore[return-value]


async def test_a_callback_is_asked_for_each_connection(
    guarded: ValkeyServer, protocol: ProtocolVersion, connect: Connect
) -> None:
    vault = Vault(OLD)
    credentials = ServerCredentials(password_callback=vault)
    client = await connect(guarded, credentials=credentials, protocol=protocol)
    assert await client.invoke_script(INCR, keys=["k"]) == 1
    assert vault.asked == 1
    vault.password = NEW
    await client.custom_command(["CONFIG", "SET", "requirepass", NEW])
    await client.custom_command(["CLIENT", "KILL", "TYPE", "normal", "SKIPME", "no"])
    await until(lambda: client.stats().reconnects == 1)
    assert await client.invoke_script(INCR, keys=["k"]) == 2
    assert vault.asked >= 2
    with pytest.raises(RequestError, match="password_callback"):
        await client.update_connection_password("other")


async def test_a_callback_that_fails_once_is_asked_again(
    guarded: ValkeyServer, connect: Connect
) -> None:
    vault = Vault(OLD)
    client = await connect(
        guarded,
        credentials=ServerCredentials(password_callback=vault),
        reconnect_strategy=BackoffStrategy(1, 10, 1),
    )
    vault.password = OSError("no vault")
    drop_connections(guarded, OLD)
    await until(lambda: vault.asked >= 3)
    vault.password = OLD
    assert await client.ping() == b"PONG"


@pytest.mark.parametrize(
    ("password", "error"),
    [
        (OSError(f"no vault for {OLD}"), "password_callback raised OSError"),
        (b"bytes", "password_callback returned bytes; it must return the password as a str"),
        ("", "password_callback returned an empty str"),
    ],
)
async def test_a_callback_without_a_password_is_named_and_its_secrets_are_not(
    guarded: ValkeyServer, password: object, error: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, "glide_scripts")
    config = GlideClientConfiguration(
        [NodeAddress(guarded.host, guarded.port)],
        credentials=ServerCredentials(password_callback=Vault(password)),
    )
    with pytest.raises(ClosingError, match=error) as caught:
        await GlideClient.create(config)
    assert OLD not in str(caught.value) + caplog.text


async def test_a_callback_that_never_answers_ends_with_the_connection_timeout(
    guarded: ValkeyServer,
) -> None:
    async def never() -> str:
        await asyncio.Event().wait()
        return OLD

    config = GlideClientConfiguration(
        [NodeAddress(guarded.host, guarded.port)],
        credentials=ServerCredentials(password_callback=never),
    )
    with pytest.raises(ClosingError, match="password_callback has not answered within the 2000 ms"):
        await GlideClient.create(config)


async def test_connections_made_at_once_share_a_question_and_closing_ends_it(
    guarded: ValkeyServer, connect: Connect
) -> None:
    hanging = asyncio.Event()
    asked = 0

    async def ask() -> str:
        nonlocal asked
        asked += 1
        if asked > 1:
            try:
                await asyncio.Event().wait()
            finally:
                hanging.set()
        return OLD

    client = await connect(guarded, credentials=ServerCredentials(password_callback=ask))
    drop_connections(guarded, OLD)
    await until(lambda: asked == 2)
    await client.close()
    await asyncio.wait_for(hanging.wait(), 10)


async def test_a_refusal_that_quotes_the_password_does_not_show_it(connect: Connect) -> None:
    with ValkeyServer(config={"rename-command": 'AUTH ""'}) as server:
        client = await connect(server)
        with pytest.raises(RequestError, match="AUTH was refused") as caught:
            await client.update_connection_password(NEW, immediate_auth=True)
        assert NEW not in str(caught.value)


async def test_no_traceback_shows_a_password_among_the_variables(own_server: ValkeyServer) -> None:
    port = own_server.port
    own_server.stop()
    url = f"valkey://user:{OLD}@127.0.0.1:{port}"
    with pytest.raises(ClosingError) as caught:
        await GlideClient.from_url(url)
    frames = traceback.TracebackException.from_exception(caught.value, capture_locals=True)
    ours = [frame for frame in frames.stack if "glide_scripts" in frame.filename]
    assert ours
    assert all(OLD not in str(frame.locals) for frame in ours if "test_" not in frame.filename)


@pytest.mark.filterwarnings("ignore:.*was never closed:ResourceWarning")
async def test_a_client_whose_callback_refers_to_it_is_collected(
    guarded: ValkeyServer, connect: Connect
) -> None:
    class Application:
        client: GlideClient

        async def password(self) -> str:
            return OLD

    async def start() -> weakref.ref[Application]:
        application = Application()
        credentials = ServerCredentials(password_callback=application.password)
        configuration = GlideClientConfiguration(
            [NodeAddress(guarded.host, guarded.port)], credentials=credentials
        )
        application.client = await GlideClient.create(configuration)
        assert await application.client.ping() == b"PONG"
        return weakref.ref(application)

    applications = [await start() for _ in range(3)]
    gc.collect()
    assert [application() for application in applications] == [None] * 3
