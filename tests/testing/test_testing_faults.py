"""`lose_replies` loses as many replies as it was asked to, whatever else is in flight."""

from __future__ import annotations

import asyncio
import gc
import socket
import sys
import warnings

import pytest
from tests.waiting import until

from glide_scripts import OK, Batch, ConnectionError, GlideClient, Script
from glide_scripts.testing import FaultProxy, ServerFaults, ValkeyServer

ADD = Script("return redis.call('INCRBY', KEYS[1], ARGV[1])")


@pytest.mark.parametrize("loaded", [False, True])
@pytest.mark.parametrize("gathered", [2, 5, 50])
async def test_of_calls_that_are_gathered_two_get_no_reply(
    server: ValkeyServer, gathered: int, loaded: bool
) -> None:
    with ServerFaults(server) as faults:
        async with await GlideClient.from_url(faults.url) as client:
            if loaded:
                await client.invoke_script(ADD, ["n"], ["0"])
            faults.lose_replies(2)
            calls = [client.invoke_script(ADD, ["n"], ["1"]) for _ in range(gathered)]
            replies = await asyncio.gather(*calls, return_exceptions=True)
            lost = [reply for reply in replies if isinstance(reply, BaseException)]
            assert len(lost) == 2
            for error in lost:
                assert isinstance(error, ConnectionError)
                assert error.may_have_executed
            # All of them have run.
            await until(lambda: server.command("GET", "n") == b"%d" % gathered)
            assert await client.invoke_script(ADD, ["n"], ["1"]) == gathered + 1


async def test_a_reply_that_is_due_before_is_not_taken_for_the_lost_one(
    server: ValkeyServer,
) -> None:
    with ServerFaults(server) as faults:
        async with await GlideClient.from_url(faults.url) as client:
            await client.script_load(ADD)
            faults.lose_replies()
            before, call = await asyncio.gather(
                client.get("none"), client.invoke_script(ADD, ["n"], ["1"]), return_exceptions=True
            )
            assert before is None
            assert isinstance(call, ConnectionError)
    assert server.command("GET", "n") == b"1"


def test_a_count_that_is_none_is_refused(server: ValkeyServer) -> None:
    with ServerFaults(server) as faults:
        with pytest.raises(ValueError, match="count is 0; pass how many replies are to be lost"):
            faults.lose_replies(0)
        with pytest.raises(TypeError, match="count is str"):
            faults.lose_replies("2")  # type: ignore[arg-type]
        with pytest.raises(TypeError, match="matching is int; pass str or bytes"):
            faults.lose_replies(matching=2)  # type: ignore[arg-type]


@pytest.mark.parametrize("atomic", [False, True])
async def test_a_batch_loses_the_reply_of_its_script(server: ValkeyServer, atomic: bool) -> None:
    batch = Batch(is_atomic=atomic)
    batch.set("k", "v")
    batch.invoke_script(ADD, ["n"], ["1"])
    with ServerFaults(server) as faults:
        async with await GlideClient.from_url(faults.url) as client:
            await client.script_load(ADD)
            faults.lose_replies()
            if atomic:
                with pytest.raises(ConnectionError):
                    await client.exec(batch, raise_on_error=False)
            else:
                replies = await client.exec(batch, raise_on_error=False)
                assert replies is not None
                assert replies[0] == OK
                assert isinstance(replies[1], ConnectionError)
            assert await client.invoke_script(ADD, ["n"], ["1"]) == 2


async def test_replies_to_other_commands_are_lost_by_their_text(server: ValkeyServer) -> None:
    with ServerFaults(server) as faults:
        async with await GlideClient.from_url(faults.url) as client:
            faults.lose_replies(matching="\r\nINCR\r\n")
            assert await client.set("n", "1") == OK
            with pytest.raises(ConnectionError):
                await client.incr("n")
            assert await client.get("n") == b"2"


def test_a_proxy_that_stops_leaves_no_connection_open(
    server: ValkeyServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also none that it has just accepted."""
    left: list[object] = []
    monkeypatch.setattr(sys, "unraisablehook", left.append)
    with warnings.catch_warnings():
        warnings.simplefilter("error", ResourceWarning)
        for _ in range(10):
            with FaultProxy(server.host, server.port) as proxy:
                for _ in range(5):
                    socket.create_connection((proxy.host, proxy.port)).close()
            gc.collect()
    assert left == []
