"""``bind``: the same calls as ``invoke_script``, of one script."""

from __future__ import annotations

import asyncio
import gc
import inspect

import pytest
from tests.conftest import Connect

from glide_scripts import (
    ClosingError,
    GlideClient,
    ObservedCall,
    Observer,
    Script,
    ScriptError,
    TimeoutError,
    sync,
)
from glide_scripts.testing import ValkeyServer

ADD = Script("return redis.call('INCRBY', KEYS[1], ARGV[1])", name="add")


async def test_a_bound_script_runs_with_its_keys_and_arguments(client: GlideClient) -> None:
    add = client.bind(ADD)
    assert await add(["n"], ["2"]) == 2
    assert await asyncio.create_task(add(["n"], [b"3"])) == 5
    assert await asyncio.gather(*(add(["n"], ["1"]) for _ in range(100))) == list(range(6, 106))
    hello = client.bind(Script("return 'hello'"))
    assert await hello() == b"hello"
    assert inspect.iscoroutinefunction(hello)


async def test_its_errors_are_those_of_invoke_script(client: GlideClient) -> None:
    fails = Script("return redis.call('INCR', KEYS[1], ARGV[1])", name="fails")
    with pytest.raises(ScriptError) as expected:
        await client.invoke_script(fails, ["n"], ["x"])
    with pytest.raises(ScriptError) as bound:
        await client.bind(fails)(["n"], ["x"])
    assert str(bound.value) == str(expected.value)
    with pytest.raises(TypeError, match="keys"):
        await client.bind(ADD)("n", ["1"])


async def test_its_timeout_holds_for_each_call(own_server: ValkeyServer, connect: Connect) -> None:
    client = await connect(own_server)
    add = client.bind(ADD, timeout=50)
    assert await add(["n"], ["1"]) == 1
    own_server.pause()
    try:
        with pytest.raises(TimeoutError):
            await add(["n"], ["1"])
    finally:
        own_server.resume()


async def test_wrong_arguments_are_refused_at_once(client: GlideClient) -> None:
    with pytest.raises(TypeError, match="script"):
        client.bind("return 1")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="timeout"):
        client.bind(ADD, timeout=0)
    with pytest.raises(ValueError, match="on_timeout"):
        client.bind(ADD, on_timeout="kill")


async def test_it_keeps_its_client_and_ends_with_it(server: ValkeyServer, connect: Connect) -> None:
    client = await connect(server)
    add = client.bind(ADD)
    await client.close()
    del client
    gc.collect()
    with pytest.raises(ClosingError):
        await add(["n"], ["1"])


async def test_an_observer_sees_its_calls(server: ValkeyServer, connect: Connect) -> None:
    seen: list[str | None] = []

    class Seeing(Observer):
        def call_ended(self, call: ObservedCall) -> None:
            seen.append(call.name)

    client = await connect(server, observer=Seeing())
    await client.bind(ADD)(["n"], ["1"])
    assert seen == ["add"]


def test_that_of_a_synchronous_client_blocks(server: ValkeyServer) -> None:
    address = sync.NodeAddress(server.host, server.port)
    with sync.GlideClient.create(sync.GlideClientConfiguration([address])) as client:
        add = client.bind(ADD)
        assert add(["n"], ["2"]) == 2
        with pytest.raises(ScriptError):
            add(["n"], ["x"])
