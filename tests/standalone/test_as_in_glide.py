"""What a client has beside its calls in GLIDE: its configuration, a text at its end, its types."""

from __future__ import annotations

import asyncio
import inspect
import typing
import warnings
from typing import Any, TypeAlias, cast
from unittest.mock import create_autospec

import pytest
from tests.conftest import Connect
from tests.waiting import until

import glide_scripts.sync
from glide_scripts import (
    Batch,
    ClosingError,
    GlideClient,
    GlideClientConfiguration,
    GlideClusterClient,
    NodeAddress,
    Script,
    ServerCredentials,
    TClusterResponse,
    TGlideClient,
    TimeoutError,
    TSingleNodeRoute,
)
from glide_scripts.testing import ValkeyServer

ONE = Script("return 1")
ClusterInt: TypeAlias = TClusterResponse[int]


async def test_a_client_has_its_configuration(server: ValkeyServer) -> None:
    config = GlideClientConfiguration([NodeAddress(server.host, server.port)], client_name="me")
    async with await GlideClient.create(config) as client:
        assert client.config is config
    async with await GlideClient.from_url(f"{server.url}?client_name=you") as client:
        assert client.config.client_name == "you"
        assert list(client.config.addresses) == [NodeAddress(server.host, server.port)]


def test_a_synchronous_client_has_its_configuration_too(server: ValkeyServer) -> None:
    config = GlideClientConfiguration([NodeAddress(server.host, server.port)], client_name="me")
    with glide_scripts.sync.GlideClient.create(config) as client:
        assert client.config is config
        with pytest.raises(TypeError, match="err_message is int"):
            client.close(5)  # type: ignore[arg-type]
        client.close("the shop closes")


async def test_the_configuration_has_the_password_that_was_set(own_server: ValkeyServer) -> None:
    async with await GlideClient.from_url(own_server.url) as client:
        assert isinstance(client.config, GlideClientConfiguration)
        own_server.command("CONFIG", "SET", "requirepass", "hunter2")
        await client.update_connection_password("hunter2", immediate_auth=True)
        async with await GlideClient.create(client.config) as other:
            assert await other.ping() == b"PONG"
        assert client.config.credentials == ServerCredentials("hunter2")
        await client.update_connection_password(None)
        assert client.config.credentials is None


async def test_calls_in_flight_get_the_text_of_close(
    server: ValkeyServer, connect: Connect
) -> None:
    client = await connect(server)
    plain = asyncio.create_task(client.custom_command(["BLPOP", "nothing", "0"]))
    batch = Batch(is_atomic=False).custom_command(["XREAD", "STREAMS", "s", "0"])
    await client.exec(batch, raise_on_error=True)
    await until(lambda: b"cmd=blpop" in cast("bytes", server.command("CLIENT", "LIST")))
    await client.close("the shop closes")
    with pytest.raises(ClosingError, match=r"^the shop closes$") as caught:
        await plain
    assert caught.value.may_have_executed
    with pytest.raises(ClosingError, match="the client is closed"):
        await client.get("k")


async def test_without_a_text_they_get_one_of_their_own(
    server: ValkeyServer, connect: Connect
) -> None:
    client = await connect(server)
    blocked = asyncio.create_task(client.custom_command(["BLPOP", "nothing", "0"]))
    await until(lambda: b"cmd=blpop" in cast("bytes", server.command("CLIENT", "LIST")))
    await client.close("")
    with pytest.raises(ClosingError, match="was closed while the call was in flight"):
        await blocked


async def test_the_results_of_a_pipeline_get_the_text_too(own_server: ValkeyServer) -> None:
    client = await GlideClient.from_url(own_server.url)
    await client.ping()
    own_server.pause()
    try:
        pipeline = Batch(is_atomic=False).get("a").get("b")
        results = asyncio.create_task(client.exec(pipeline, raise_on_error=False))
        await asyncio.sleep(0)
        await client.close("the shop closes")
        outcome: list[Any] = list(await asyncio.gather(results, return_exceptions=True))
    finally:
        own_server.resume()
    errors = outcome[0] if isinstance(outcome[0], list) else outcome
    assert {(type(error), str(error)) for error in errors} == {(ClosingError, "the shop closes")}


async def test_a_text_of_another_type_is_refused(client: GlideClient) -> None:
    wrong: Any = 5
    for close in (client.close, client.aclose):
        with pytest.raises(TypeError, match="err_message is int; pass str"):
            await close(wrong)


async def test_a_timeout_says_both_words(own_server: ValkeyServer) -> None:
    async with await GlideClient.from_url(own_server.url) as client:
        own_server.pause()
        try:
            with pytest.raises(TimeoutError, match=r"timed out: timeout after 50 ms: no reply"):
                await client.invoke_script(ONE, timeout=50)
        finally:
            own_server.resume()


ASYNC = [
    "create", "close", "aclose", "exec", "watch", "unwatch", "invoke_script", "get", "set", "hset",
    "scan", "copy", "custom_command", "function_stats", "update_connection_password",
]  # fmt: skip


@pytest.mark.parametrize("kind", [GlideClient, GlideClusterClient])
@pytest.mark.parametrize("name", ASYNC)
def test_what_is_awaited_is_a_coroutine_function(kind: type, name: str) -> None:
    assert inspect.iscoroutinefunction(getattr(kind, name))
    with warnings.catch_warnings():
        # From Python 3.14 on, asyncio's function is deprecated.
        warnings.simplefilter("ignore", DeprecationWarning)
        assert asyncio.iscoroutinefunction(getattr(kind, name))


async def test_a_client_can_be_specified_for_a_mock() -> None:
    client = create_autospec(GlideClient, instance=True)
    client.get.return_value = b"v"
    client.exec.return_value = [1]
    client.watch.return_value = "OK"
    assert await client.get("k") == b"v"
    assert await client.exec(Batch(is_atomic=False), raise_on_error=True) == [1]
    assert await client.watch(["k"]) == "OK"
    client.get.assert_awaited_once_with("k")
    with pytest.raises(TypeError):
        await client.get()
    with pytest.raises(AttributeError):
        client.pipeline  # noqa: B018


def test_a_marked_function_still_notes_the_task_that_calls_it() -> None:
    # It is not a real coroutine function: its body runs when it is called.
    assert not inspect.isgeneratorfunction(GlideClient.watch)
    for method in (GlideClient.exec, GlideClient.unwatch, GlideClient.watch):
        assert "caller" in inspect.getsource(method)


def test_types_for_annotations_are_those_of_glide() -> None:
    assert set(typing.get_args(TGlideClient)) == {GlideClient, GlideClusterClient}
    assert set(typing.get_args(glide_scripts.sync.TGlideClient)) == {
        glide_scripts.sync.GlideClient,
        glide_scripts.sync.GlideClusterClient,
    }
    assert typing.get_args(ClusterInt) == (int, dict[bytes, int])
    names = {each.__name__ for each in typing.get_args(TSingleNodeRoute)}
    assert names == {"RandomNode", "SlotKeyRoute", "SlotIdRoute", "ByAddressRoute"}
