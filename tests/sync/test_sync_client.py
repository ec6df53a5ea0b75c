"""The synchronous clients: the names, the methods and the errors of the asynchronous ones."""

from __future__ import annotations

import inspect
import subprocess
import sys
import typing
from typing import Any

import pytest
from tests.waiting import block_until

import glide_scripts
from glide_scripts import GlideClientConfiguration, NodeAddress, sync
from glide_scripts.testing import ValkeyServer

OWN = {"GlideClient", "GlideClusterClient", "ScriptReplies", "TGlideClient"}
CLIENTS = [
    (sync.GlideClient, glide_scripts.GlideClient),
    (sync.GlideClusterClient, glide_scripts.GlideClusterClient),
]


@pytest.fixture
def client(valkey_sync_client: sync.GlideClient) -> sync.GlideClient:
    return valkey_sync_client


def connected(server: ValkeyServer, **settings: Any) -> sync.GlideClient:
    addresses = [NodeAddress(server.host, server.port)]
    return sync.GlideClient.create(GlideClientConfiguration(addresses, **settings))


def test_the_names_are_those_of_the_package() -> None:
    assert sorted(vars(sync)["__all__"]) == sorted(glide_scripts.__all__)
    for name in vars(sync)["__all__"]:
        is_same = getattr(sync, name) is getattr(glide_scripts, name)
        assert is_same == (name not in OWN), name
    with pytest.raises(AttributeError, match="no attribute 'Scripts'"):
        sync.Scripts  # type: ignore[attr-defined]  # noqa: B018


def test_a_cluster_is_imported_when_it_is_asked_for() -> None:
    program = """
import sys, glide_scripts.sync
assert "glide_scripts.client.cluster" not in sys.modules
from glide_scripts.sync import GlideClusterClient, ScriptReplies
assert GlideClusterClient.__module__ == ScriptReplies.__module__ == "glide_scripts.sync"
"""
    subprocess.run([sys.executable, "-c", program], check=True, timeout=300)


@pytest.mark.parametrize(("client", "other"), CLIENTS)
def test_each_method_takes_the_same_and_awaits_nothing(client: type, other: type) -> None:
    names = {name for name in dir(other) if not name.startswith("_")} - {"aclose"}
    assert {name for name in dir(client) if not name.startswith("_")} == names
    for name in names:
        method, model = getattr(client, name), getattr(other, name)
        parameters = inspect.signature(method).parameters.values()
        assert [*parameters] == [*inspect.signature(model).parameters.values()], name
        assert not inspect.iscoroutinefunction(method), name
        assert method.__name__ == name
        hints = typing.get_type_hints(method)
        assert "Coroutine" not in str(hints["return"]), name
        documented = inspect.getdoc(method)
        assert documented, name
        assert "await" not in documented, name


def test_commands_scripts_and_batches(client: sync.GlideClient) -> None:
    assert client.set("k", "v") is sync.OK
    assert client.get("k") == b"v"
    script = sync.Script("return {KEYS[1], ARGV[1]}")
    assert client.invoke_script(script, keys=["a"], args=["b"]) == [b"a", b"b"]
    batch = sync.Batch(is_atomic=True).set("n", "1").incr("n").invoke_script(script, ["n"], ["x"])
    assert client.exec(batch, raise_on_error=True) == [sync.OK, 2, [b"n", b"x"]]
    library = "#!lua name=lib\nredis.register_function('one', function() return 1 end)"
    assert client.function_load(library) == b"lib"
    assert client.fcall("one") == 1
    assert client.custom_command(["ECHO", "word"]) == b"word"


def test_a_cluster_has_its_routes(valkey_sync_cluster_client: sync.GlideClusterClient) -> None:
    client = valkey_sync_cluster_client
    assert client.mset({f"k{index}": str(index) for index in range(20)}) is sync.OK
    assert client.mget([f"k{index}" for index in range(20)]) == [b"%d" % n for n in range(20)]
    replies = client.invoke_script_route(sync.Script("return 7"), route=sync.AllPrimaries())
    assert isinstance(replies, dict)
    assert list(replies.values()) == [7, 7, 7]
    with pytest.raises(sync.CrossSlotError):
        client.invoke_script(sync.Script("return 1"), keys=["a", "b"])


def test_an_error_of_a_script_shows_its_line(client: sync.GlideClient) -> None:
    script = sync.Script("local n = 1\nreturn redis.error_reply('OUT no more')")
    with pytest.raises(sync.ScriptError) as caught:
        client.invoke_script(script, keys=["k"])
    assert caught.value.code == "OUT"
    with pytest.raises(sync.ScriptError, match=r"2 \| error"):
        client.invoke_script(sync.Script("local n = 1\nerror('no')"))


def test_what_cannot_be_sent_is_refused(client: sync.GlideClient) -> None:
    with pytest.raises(TypeError, match="key is int"):
        client.get(1)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match=r"ClusterBatch.*pass a Batch"):
        client.exec(sync.ClusterBatch(is_atomic=False), True)  # type: ignore[arg-type]
    with pytest.raises(sync.ConfigurationError, match="config is GlideClientConfiguration"):
        sync.GlideClusterClient.create(GlideClientConfiguration([NodeAddress()]))  # type: ignore[arg-type]
    with pytest.raises(TypeError, match=r"make a client with GlideClient\.create"):
        sync.GlideClient(GlideClientConfiguration([NodeAddress()]))
    assert client.ping() == b"PONG"


def test_a_deadline_passes(client: sync.GlideClient) -> None:
    with pytest.raises(sync.TimeoutError) as caught:
        client.exec(
            sync.Batch(is_atomic=True).custom_command(["DEBUG", "SLEEP", "0.3"]),
            True,
            sync.BatchOptions(timeout=20),
        )
    assert caught.value.may_have_executed
    assert client.ping() == b"PONG"


def test_a_closed_client_says_so(client: sync.GlideClient) -> None:
    client.close()
    client.close()
    with pytest.raises(sync.ClosingError, match="closed"):
        client.get("k")
    assert repr(client) == "<GlideClient closed>"


def test_a_server_that_is_not_there_is_named() -> None:
    with pytest.raises(sync.ClosingError, match=r"127\.0\.0\.1:1\b"):
        sync.GlideClient.from_url("valkey://127.0.0.1:1")


def test_the_observer_is_told_of_the_client_and_its_calls(server: ValkeyServer) -> None:
    seen: list[object] = []

    class Seen(sync.Observer):
        def client_opened(self, client: Any) -> None:
            seen.append(type(client))

        def client_closed(self, client: Any) -> None:
            seen.append("closed")

        def call_ended(self, call: sync.ObservedCall) -> None:
            seen.append((call.operation, call.error, call.node))

    node = (server.host, server.port)
    with connected(server, observer=Seen()) as client:
        client.set("k", "v")
        with pytest.raises(sync.RequestError):
            client.incr("k")
    ended = [("SET", None, node), ("INCR", sync.RequestError, node)]
    assert seen == [sync.GlideClient, *ended, "closed"]


async def test_a_running_event_loop_is_warned_of_once(server: ValkeyServer) -> None:
    with pytest.warns(RuntimeWarning, match=r"use the asynchronous glide_scripts\.GlideClient"):
        made = connected(server)
    with made:
        with pytest.warns(RuntimeWarning, match="blocks the event loop") as caught:
            made.get("k")
        assert [warning.filename for warning in caught] == [__file__]
        # Warnings are errors here.
        made.get("k")
        list(made.invoke_script_many(sync.Script("return 1"), [([], [])]))


async def test_where_warnings_are_errors_nothing_is_sent(
    client: sync.GlideClient, server: ValkeyServer
) -> None:
    with pytest.raises(RuntimeWarning):
        client.incr("n")
    with pytest.raises(RuntimeWarning):
        connected(server)
    assert client.get("n") is None


def test_a_password_is_asked_for_each_connection(own_server: ValkeyServer) -> None:
    own_server.command("CONFIG", "SET", "requirepass", "first")
    asked: list[str] = []

    def callback() -> str:
        asked.append("asked")
        return "first" if len(asked) == 1 else "second"

    credentials = sync.ServerCredentials(password_callback=callback)
    with connected(own_server, credentials=credentials) as client:
        assert client.ping() == b"PONG"
        client.custom_command(["CONFIG", "SET", "requirepass", "second"])
        # The connection is lost, and made again while nobody waits for a call.
        client.custom_command(["CLIENT", "KILL", "TYPE", "normal", "SKIPME", "no"])
        block_until(lambda: len(asked) == 2)
        assert client.ping() == b"PONG"
        assert len(asked) == 2


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (RuntimeError("secret"), "password_callback raised RuntimeError"),
        ("", "returned an empty str"),
        (7, "returned int"),
    ],
)
def test_a_callback_without_a_password_is_named(
    own_server: ValkeyServer, answer: object, reason: str
) -> None:
    own_server.command("CONFIG", "SET", "requirepass", "password")

    def callback() -> Any:
        if isinstance(answer, Exception):
            raise answer
        return answer

    with pytest.raises(sync.ClosingError, match=reason) as caught:
        connected(own_server, credentials=sync.ServerCredentials(password_callback=callback))
    assert "secret" not in str(caught.value)


def test_an_async_callback_is_refused(server: ValkeyServer) -> None:
    async def callback() -> str:
        return "password"

    credentials = sync.ServerCredentials(password_callback=callback)
    with pytest.raises(sync.ConfigurationError, match="password_callback is an async function"):
        connected(server, credentials=credentials)


def test_what_the_client_logs_comes_with_a_call(
    own_server: ValkeyServer, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level("DEBUG", logger="glide_scripts"), connected(own_server) as client:
        own_server.kill()
        with pytest.raises(sync.RequestError):
            client.custom_command(["INCR", "k"])
        own_server.start()
        client.ping()
    assert any("lost" in record.getMessage() for record in caplog.records)
