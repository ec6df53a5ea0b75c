"""Users who may not call EVAL, or not EVALSHA: no call fails for a missing script."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Coroutine
from typing import Any

import pytest
from tests.batches import invoked_in_batch
from tests.conftest import Connect

from glide_scripts import (
    Batch,
    ExecAbortError,
    GlideClient,
    NoPermissionError,
    NoScriptError,
    Script,
    ScriptSyntaxError,
    ServerCredentials,
)
from glide_scripts.testing import ValkeyServer

Call = Callable[[GlideClient, Script], Coroutine[Any, Any, object]]


async def single(client: GlideClient, script: Script) -> object:
    return await client.invoke_script(script, ["runs"])


async def once(client: GlideClient, script: Script) -> object:
    return await client.invoke_script(script, ["runs"], once=True)


async def killable(client: GlideClient, script: Script) -> object:
    return await client.invoke_script(script, ["runs"], on_timeout="kill")


async def many(client: GlideClient, script: Script) -> object:
    (reply,) = [reply async for reply in client.invoke_script_many(script, [(["runs"], [])])]
    return reply


async def pipeline(client: GlideClient, script: Script) -> object:
    return await invoked_in_batch(client, script, key="runs", is_atomic=False)


async def transaction(client: GlideClient, script: Script) -> object:
    return await invoked_in_batch(client, script, key="runs", is_atomic=True)


CALLS: list[Call] = [single, once, many, pipeline, transaction]


def counting() -> Script:
    return Script(f"return redis.call('INCR', KEYS[1]) -- {uuid.uuid4()}")


async def login(server: ValkeyServer, connect: Connect, *rights: str) -> GlideClient:
    return await login_with(server, connect, "-eval", *rights)


async def login_with(server: ValkeyServer, connect: Connect, *rights: str) -> GlideClient:
    server.command("ACL", "SETUSER", "app", "on", ">pw", "~*", "+@all", *rights)
    credentials = ServerCredentials(username="app", password="pw")
    return await connect(server, credentials=credentials)


@pytest.mark.every_server
@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("right", ["-eval", "-evalsha"])
async def test_a_missing_script_is_sent_as_the_user_may(
    own_server: ValkeyServer, connect: Connect, call: Call, right: str
) -> None:
    client = await login_with(own_server, connect, right)
    script = counting()
    assert await call(client, script) == 1
    own_server.command("SCRIPT", "FLUSH")
    assert await call(client, script) == 2
    assert await call(client, counting()) == 3


@pytest.mark.every_server
async def test_more_scripts_than_a_client_keeps_on_its_server_are_loaded(
    own_server: ValkeyServer, connect: Connect
) -> None:
    client = await login(own_server, connect)
    scripts = [counting() for _ in range(260)]
    for call in (pipeline, single, transaction):
        for number, script in enumerate(scripts, 1):
            assert await call(client, script) == number
        own_server.command("SCRIPT", "FLUSH")
        own_server.command("DEL", "runs")


@pytest.mark.needs("read-only forms")
@pytest.mark.parametrize("call", [single, killable, pipeline, transaction])
async def test_a_missing_read_only_script_is_loaded(
    own_server: ValkeyServer, connect: Connect, call: Call
) -> None:
    client = await login(own_server, connect, "-eval_ro")
    script = Script(f"return redis.call('GET', KEYS[1]) -- {uuid.uuid4()}", read_only=True)
    own_server.command("SET", "runs", "7")
    assert await call(client, script) == b"7"


@pytest.mark.parametrize("call", CALLS)
async def test_code_that_does_not_compile_says_so(
    own_server: ValkeyServer, connect: Connect, call: Call
) -> None:
    client = await login(own_server, connect)
    with pytest.raises(ScriptSyntaxError, match="Lua syntax error: ") as caught:
        await call(client, Script(f"this is nonsense -- {uuid.uuid4()}"))
    assert not caught.value.may_have_executed


@pytest.mark.every_server
@pytest.mark.parametrize("call", [single, once, many, pipeline])
async def test_who_may_send_no_code_at_all_hears_of_eval(
    own_server: ValkeyServer, connect: Connect, call: Call
) -> None:
    client = await login(own_server, connect, "-script")
    with pytest.raises(NoPermissionError, match="no permissions to run the 'eval'") as caught:
        await call(client, counting())
    assert not caught.value.may_have_executed


@pytest.mark.every_server
@pytest.mark.parametrize("right", ["+eval", "+script"])
async def test_a_transaction_sends_missing_code_once_its_user_may(
    own_server: ValkeyServer, connect: Connect, right: str
) -> None:
    client = await login(own_server, connect, "-script")
    with pytest.raises(NoScriptError) as caught:
        await transaction(client, counting())
    assert not caught.value.may_have_executed
    own_server.command("ACL", "SETUSER", "app", right)
    assert await transaction(client, counting()) == 1


@pytest.mark.every_server
@pytest.mark.parametrize("call", [*CALLS, killable])
async def test_a_server_without_evalsha_gets_the_code(connect: Connect, call: Call) -> None:
    read_only = Script("return #KEYS", read_only=True)
    script = read_only if call is killable else counting()
    with ValkeyServer(config={"rename-command": 'EVALSHA ""'}) as server:
        client = await connect(server)
        for _ in range(2):
            await client.delete(["runs"])
            assert await call(client, script) == 1


@pytest.mark.parametrize("call", CALLS)
async def test_who_may_call_neither_hears_so(
    own_server: ValkeyServer, connect: Connect, call: Call
) -> None:
    client = await login(own_server, connect, "-evalsha")
    for _ in range(2):
        with pytest.raises((NoPermissionError, ExecAbortError), match="'evalsha'") as caught:
            await call(client, counting())
        assert not caught.value.may_have_executed


@pytest.mark.every_server
@pytest.mark.parametrize("rights", [["-eval"], ["-eval", "-script"], ["-evalsha"]], ids=" ".join)
async def test_a_watched_transaction_that_is_refused_its_code_is_not_sent_without_its_watch(
    own_server: ValkeyServer, connect: Connect, rights: list[str]
) -> None:
    client = await login_with(own_server, connect, *rights)
    script = counting()
    own_server.command("SCRIPT", "LOAD", script.code)
    batch = Batch(is_atomic=True)
    batch.invoke_script(script, ["runs"]).invoke_script(script, ["runs"])
    await client.watch(["runs"])
    own_server.command("SET", "runs", "5")
    assert await client.exec(batch, raise_on_error=True) is None
    assert own_server.command("GET", "runs") == b"5"
    replies = None
    for _ in range(3):
        await client.watch(["runs"])
        replies = replies or await client.exec(batch, raise_on_error=True)
    assert replies == [6, 7]
