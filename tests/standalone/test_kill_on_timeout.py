"""Scripts that are killed once their deadline has passed."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from tests.conftest import Connect
from tests.waiting import timed_out, until

from glide_scripts import (
    ClosingError,
    GlideClient,
    NotBusyError,
    Script,
    ScriptBusyError,
    ScriptKilledError,
    TimeoutError,
)
from glide_scripts.testing import ValkeyServer

ENDLESS = Script("while true do end", read_only=True)
# It ends by itself, so it never stays behind. On a busy machine, that may take long.
LONG = Script("for i = 1, 3e8 do end return 'done'", read_only=True)
LONGEST = 120.0


@pytest.fixture
async def client(own_server: ValkeyServer, connect: Connect) -> GlideClient:
    client = await connect(own_server, request_timeout=30_000)
    await client.config_set({"lua-time-limit": "100"})
    return client


async def answers(client: GlideClient) -> bool:
    """Whether no script keeps the server busy."""
    try:
        return await client.ping() == b"PONG"
    except ScriptBusyError:
        return False


@pytest.mark.parametrize("known", [True, False])
@pytest.mark.every_server
async def test_a_script_whose_deadline_passed_is_killed_if_that_was_asked(
    client: GlideClient, known: bool
) -> None:
    if known:
        await client.script_load(ENDLESS)

    async def was_sent() -> bool:
        """On a busy machine, the deadline may pass before."""
        with pytest.raises(TimeoutError) as caught:
            await client.invoke_script(ENDLESS, timeout=300, on_timeout="kill")
        assert ("will try to kill it" in str(caught.value)) is caught.value.may_have_executed
        return caught.value.may_have_executed

    await until(was_sent)
    await until(lambda: answers(client))


async def test_a_script_that_ends_in_time_is_not_killed(client: GlideClient) -> None:
    short = Script("return 7", read_only=True)
    assert await client.invoke_script(short, timeout=5000, on_timeout="kill") == 7


async def test_a_script_is_left_alone_unless_asked(client: GlideClient) -> None:
    late = await timed_out(client, LONG, timeout=200)
    assert "may have run, or may still be running" in str(late)
    # The script had time to end by itself.
    assert await client.ping() == b"PONG"


async def test_scripts_that_were_called_without_it_are_not_killed(
    client: GlideClient, own_server: ValkeyServer, connect: Connect
) -> None:
    other = await connect(own_server, request_timeout=30_000)
    short = Script("return 1", read_only=True)
    running = asyncio.ensure_future(client.invoke_script(LONG))
    await until(lambda: client.stats().in_flight == 1)
    for caller in (client, other):
        # It has a connection of its own, which hears that the server is busy.
        with pytest.raises((TimeoutError, ScriptBusyError)):
            await caller.invoke_script(short, timeout=200, on_timeout="kill")
    assert await running == b"done"


@pytest.mark.every_server
async def test_the_connection_serves_the_next_one(client: GlideClient) -> None:
    short = Script("return 7", read_only=True)
    for _ in range(5):
        assert await client.invoke_script(short, on_timeout="kill") == 7
    (node,) = client.stats().nodes.values()
    assert node.connects == 2


async def test_a_cancelled_call_leaves_no_connection_behind(
    client: GlideClient, own_server: ValkeyServer
) -> None:
    with pytest.raises(asyncio.TimeoutError):
        await asyncio.wait_for(client.invoke_script(LONG, on_timeout="kill"), 0.2)
    await until(lambda: answers(client), LONGEST)

    def has_left() -> bool:
        listed = own_server.command("CLIENT", "LIST")
        assert isinstance(listed, bytes)
        # At most the client's connection, its second one for kills, and the one that asks.
        return len(listed.splitlines()) <= 3

    await until(has_left)


async def test_a_kill_that_was_promised_comes_also_after_the_client_was_closed(
    client: GlideClient, own_server: ValkeyServer, connect: Connect
) -> None:
    # So long that the client is closed well before the server allows a kill.
    await client.config_set({"lua-time-limit": "1000"})
    closing = await connect(own_server)
    # The deadline leaves no time to connect.
    await closing.invoke_script(Script("return 1", read_only=True), on_timeout="kill")
    late = await timed_out(closing, ENDLESS, timeout=300, on_timeout="kill")
    assert "will try to kill it" in str(late)
    await closing.close()
    await until(lambda: answers(client))

    def has_left() -> bool:
        listed = own_server.command("CLIENT", "LIST")
        assert isinstance(listed, bytes)
        # The other client and the one that asks.
        return len(listed.splitlines()) == 2

    await until(has_left)


async def test_a_client_that_is_closed_before_the_deadline_kills_nothing(
    client: GlideClient, own_server: ValkeyServer, connect: Connect
) -> None:
    closing = await connect(own_server)
    calling = asyncio.ensure_future(closing.invoke_script(LONG, timeout=5000, on_timeout="kill"))
    await until(lambda: closing.stats().in_flight == 1)
    await closing.close()
    with pytest.raises(ClosingError):
        await calling
    # It ends by itself: no one has sent SCRIPT KILL.
    await until(lambda: answers(client), LONGEST)
    stats = own_server.command("INFO", "commandstats")
    assert isinstance(stats, bytes)
    assert b"cmdstat_script|kill" not in stats


@pytest.mark.every_server
async def test_who_still_waits_hears_of_the_kill(client: GlideClient) -> None:
    waiting = asyncio.ensure_future(client.invoke_script(ENDLESS))
    await asyncio.sleep(0)

    async def kill() -> bool:
        try:
            await client.script_kill()
        except NotBusyError:
            return False
        return True

    await until(kill)
    with pytest.raises(ScriptKilledError):
        await waiting


@pytest.mark.parametrize(
    ("script", "on_timeout", "error"),
    [
        (Script("return 1"), "kill", "the script is not read-only"),
        (ENDLESS, "stop", "on_timeout is 'stop'"),
        (ENDLESS, None, "on_timeout is None"),
    ],
)
async def test_what_cannot_be_asked_is_named(
    client: GlideClient, script: Script, on_timeout: Any, error: str
) -> None:
    with pytest.raises(ValueError, match=error):
        await client.invoke_script(script, on_timeout=on_timeout)
