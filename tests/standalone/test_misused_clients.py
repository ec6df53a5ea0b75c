"""What is said of clients that are made, kept, copied or run in a wrong way."""

from __future__ import annotations

import asyncio
import copy
import gc
import pickle
import subprocess
import sys
import warnings
from typing import Any

import pytest

from glide_scripts import (
    Batch,
    GlideClient,
    GlideClientConfiguration,
    GlideClusterClient,
    NodeAddress,
    Script,
    ScriptSyntaxError,
    typed_script,
)
from glide_scripts.testing import ValkeyServer

ONE = Script("return 1")


@pytest.mark.parametrize("kind", [GlideClient, GlideClusterClient])
@pytest.mark.parametrize(
    ("args", "settings"),
    [
        ((), {}),
        (("localhost",), {}),
        (("localhost", 6379), {}),
        ((), {"host": "localhost"}),
        ((GlideClientConfiguration([NodeAddress()]),), {}),
    ],
    ids=str,
)
def test_a_client_made_by_hand_says_how_to_make_one(kind: Any, args: Any, settings: Any) -> None:
    name = kind.__name__
    with pytest.raises(TypeError) as caught:
        kind(*args, **settings)
    assert f"await {name}.create(config) or await {name}.from_url(url)" in str(caught.value)


async def test_a_client_is_neither_pickled_nor_copied(client: GlideClient) -> None:
    for attempt in (pickle.dumps, copy.copy, copy.deepcopy):
        with pytest.raises(TypeError) as caught:
            attempt(client)
        assert "GlideClient holds connections" in str(caught.value)
        assert "pass its configuration or URL" in str(caught.value)


async def test_the_replies_of_many_calls_are_neither_pickled_nor_copied(
    client: GlideClient,
) -> None:
    replies = client.invoke_script_many(Script("return 1"), [([], [])])
    for each in (pickle.dumps, copy.copy, copy.deepcopy):
        with pytest.raises(TypeError, match="neither pickled nor copied; await them"):
            each(replies)
    assert await replies == [1]


def test_a_batch_is_copied_and_not_pickled() -> None:
    batch = Batch(is_atomic=False).incr("n")
    copied = copy.deepcopy(batch).incr("n")
    assert (len(batch), len(copied)) == (1, 2)
    with pytest.raises(TypeError, match="Batch is not pickled; make the batch in the process"):
        pickle.dumps(batch)


def test_a_server_is_neither_pickled_nor_copied(server: ValkeyServer) -> None:
    for attempt in (pickle.dumps, copy.copy, copy.deepcopy):
        with pytest.raises(
            TypeError, match=r"ValkeyServer belongs to this process .* pass its url"
        ):
            attempt(server)


async def test_a_typed_call_of_no_client_says_what_is_missing(server: ValkeyServer) -> None:
    @typed_script(ONE)
    def one() -> int: ...

    given: list[tuple[Any, str]] = [
        (GlideClient.from_url(server.url), "client is a coroutine; await the call that makes"),
        (GlideClient, "client is the class GlideClient; make a client with create or from_url"),
        (Batch(is_atomic=True), r"client is a Batch; add the call to it with add_to\(batch, "),
        (server, "client is ValkeyServer; pass a GlideClient or a GlideClusterClient"),
    ]
    for client, words in given:
        with pytest.raises(TypeError, match=words):
            await one(client)


async def test_a_path_in_the_place_of_code_is_named(client: GlideClient) -> None:
    with pytest.raises(ScriptSyntaxError) as caught:
        await client.invoke_script(Script("scripts/limit.lua"))
    assert "help: read the file: Script.from_file('scripts/limit.lua')" in str(caught.value)
    with pytest.raises(ScriptSyntaxError) as caught:
        await client.invoke_script(Script("return limit.lua ="))
    assert "from_file" not in str(caught.value)


async def dropped(url: str) -> None:
    await GlideClient.from_url(url)
    gc.collect()


async def closed(url: str) -> None:
    async with await GlideClient.from_url(url):
        pass


async def test_a_client_that_was_never_closed_says_so(server: ValkeyServer) -> None:
    with pytest.warns(ResourceWarning, match="<GlideClient open> was never closed; use async with"):
        await dropped(server.url)


async def test_one_that_was_closed_or_could_not_be_made_says_nothing(
    server: ValkeyServer, own_server: ValkeyServer
) -> None:
    gone = own_server.url
    own_server.stop()
    with warnings.catch_warnings():
        warnings.simplefilter("error", ResourceWarning)
        await closed(server.url)
        with pytest.raises(Exception, match="refused"):
            await dropped(gone)
        gc.collect()


PROGRAM = """
import asyncio, sys
from glide_scripts import GlideClient
async def main():
    global client
    client = await GlideClient.from_url(sys.argv[1])
asyncio.run(main())
"""


@pytest.mark.parametrize("keeps", [True, False])
def test_a_program_that_forgets_it_is_warned_once(server: ValkeyServer, keeps: bool) -> None:
    program = PROGRAM if keeps else PROGRAM.replace("    global client\n", "")
    done = subprocess.run(
        [sys.executable, "-W", "default", "-c", program, server.url],
        capture_output=True,
        text=True,
        check=True,
        timeout=300,
    )
    assert done.stderr.count("was never closed") == 1
    assert "Exception ignored" not in done.stderr


async def test_replies_that_were_taken_are_not_iterated_over(client: GlideClient) -> None:
    calls: list[Any] = [([], [])] * 3
    replies = client.invoke_script_many(ONE, calls)
    assert await replies == [1, 1, 1]
    with pytest.raises(RuntimeError, match="the replies were taken already"):
        async for _ in replies:
            pass
    with pytest.raises(RuntimeError, match="the replies were taken already"):
        await replies
    iterated = client.invoke_script_many(ONE, calls)
    assert [reply async for reply in iterated] == [1, 1, 1]
    with pytest.raises(RuntimeError, match="the replies were taken already"):
        [reply async for reply in iterated]
    with pytest.raises(RuntimeError, match="the replies were taken already"):
        await iterated
    stopped = client.invoke_script_many(ONE, calls)
    await stopped.aclose()
    with pytest.raises(RuntimeError, match="the replies were taken already"):
        [reply async for reply in stopped]


async def test_iteration_may_go_on_where_it_was_left(client: GlideClient) -> None:
    calls: list[Any] = [([], [])] * 5
    replies = client.invoke_script_many(ONE, calls)
    assert await anext(replies) == 1
    async for _ in replies:
        break
    assert [reply async for reply in replies] == [1, 1, 1]
    with pytest.raises(StopAsyncIteration):
        await anext(replies)


def test_without_a_loop_a_call_says_what_it_needs(server: ValkeyServer) -> None:
    async def make() -> GlideClient:
        return await GlideClient.from_url(server.url)

    client = asyncio.run(make())
    call = client.get("k")
    with pytest.raises(RuntimeError, match="no running event loop: call it in a coroutine that"):
        call.send(None)
    with pytest.raises(RuntimeError, match="no running event loop: call it in a coroutine that"):
        GlideClient.from_url(server.url).send(None)
    asyncio.run(client.close())
