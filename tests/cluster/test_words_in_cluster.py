"""In a cluster, too, a script runs once, whatever error it returns."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, TypeAlias

import pytest
from tests.cluster.conftest import Connect
from tests.cluster.support import key_on

from glide_scripts import (
    AllPrimaries,
    ClusterBatch,
    GlideClusterClient,
    GlideError,
    Script,
    ScriptError,
    ServerCredentials,
)
from glide_scripts.testing import ValkeyCluster

_unseen = itertools.count()


def unseen(code: str) -> Script:
    """A script that no server has met."""
    return Script(f"{code} -- {next(_unseen)} of test_words_in_cluster")


Call: TypeAlias = Callable[[GlideClusterClient, Script, list[str], list[str]], Awaitable[object]]


async def alone(
    client: GlideClusterClient, script: Script, keys: list[str], args: list[str]
) -> object:
    return await client.invoke_script(script, keys=keys, args=args)


async def in_pipeline(
    client: GlideClusterClient, script: Script, keys: list[str], args: list[str]
) -> object:
    return await client.exec(
        ClusterBatch(False).invoke_script(script, keys, args), raise_on_error=True
    )


async def in_transaction(
    client: GlideClusterClient, script: Script, keys: list[str], args: list[str]
) -> object:
    return await client.exec(
        ClusterBatch(True).invoke_script(script, keys, args), raise_on_error=True
    )


async def one_of_many(
    client: GlideClusterClient, script: Script, keys: list[str], args: list[str]
) -> object:
    return [reply async for reply in client.invoke_script_many(script, [(keys, args)])]


async def as_custom_command(
    client: GlideClusterClient, script: Script, keys: list[str], args: list[str]
) -> object:
    return await client.custom_command(["EVAL", script.code, str(len(keys)), *keys, *args])


CALLS = [alone, in_pipeline, in_transaction, one_of_many, as_custom_command]


async def failure(call: Awaitable[object]) -> Any:
    """The error that a call ends in."""
    with pytest.raises(GlideError) as caught:
        await call
    return caught.value


def own_words(cluster: ValkeyCluster, key: str) -> list[str]:
    """Errors that a script may return, which begin like a server's."""
    slot = cluster.key_slot(key)
    host, port = next(address for address in cluster.addresses)
    return [
        "MOVED 3 items to the basket",
        f"MOVED {slot} items",
        f"MOVED {slot} {host}:{port} in June",
        f"MOVED {slot} {host}:99999",
        f"MOVED {slot} {host}",
        f"MOVED {slot + 1 if slot < 16383 else 0} {host}:{port}",
        f"MOVED  {slot} {host}:{port}",
        f"MOVED +{slot} {host}:{port}",
        "ASK 5 friends",
        f"ASK {slot} friends",
        f"ASK {slot} {host}:{port} friends",
        "ASK",
        "CLUSTERDOWN Hash slot not served yet, says my app",
        "CLUSTERDOWN The cluster is down today",
        "CLUSTERDOWN The cluster is down and only accepts read commands.",
        "TRYAGAIN Multiple keys request during rehashing of slots",
        "CROSSSLOT Keys in request don't hash to the same slot as mine",
        "CROSSSLOT Keys in request don't hash to the same slot",
        "ERR Number of keys can't be greater than number of args",
        "NOPERM not yours",
        "NOPERM No permissions to access a key of mine",
        "READONLY You can't write against a read only replica, my dear",
    ]


@pytest.fixture(params=["all rights", "no right to load"])
async def script_client(
    request: pytest.FixtureRequest, cluster: ValkeyCluster, connect_cluster: Connect
) -> AsyncIterator[GlideClusterClient]:
    """Of a user who may do all, and of one who may not load a script ahead of its call."""
    rights = ["~*", "&*", "+@all", *(["-script"] if request.param != "all rights" else [])]
    for node in cluster.nodes:
        node.command("ACL", "SETUSER", "app", "on", ">pw", *rights)
    yield await connect_cluster(
        cluster, credentials=ServerCredentials("pw", "app"), request_timeout=1000
    )
    for node in cluster.nodes:
        node.command("ACL", "DELUSER", "app")


@pytest.mark.parametrize("call", CALLS)
async def test_a_script_of_its_own_words_runs_once_and_says_so(
    script_client: GlideClusterClient, cluster: ValkeyCluster, call: Call
) -> None:
    for primary in cluster.primaries():
        key = key_on(cluster, primary)
        for count, words in enumerate(own_words(cluster, key), 1):
            script = unseen("redis.call('INCR', KEYS[1]) return redis.error_reply(ARGV[1])")
            error = await failure(call(script_client, script, [key], [words]))
            assert await script_client.get(key) == b"%d" % count, words
            assert error.may_have_executed is True, words


@pytest.mark.parametrize("call", CALLS)
async def test_a_script_that_makes_up_a_server_s_line_runs_once_and_says_so(
    client: GlideClusterClient, cluster: ValkeyCluster, call: Call
) -> None:
    key = "{made up}"
    slot = cluster.key_slot(key)
    lines = [
        "CLUSTERDOWN Hash slot not served",
        "CLUSTERDOWN The cluster is down",
        "TRYAGAIN Multiple keys request during rehashing of slot",
        "LOADING Redis is loading the dataset in memory",
        "READONLY You can't write against a read only replica. script: 1, on @user_script:1.",
        f"MOVED {slot} ?:1",
    ]
    for host, port in cluster.addresses:
        lines += [f"{code} {slot} {host}:{port}" for code in ("MOVED", "ASK")]
    await client.delete([key])
    for count, words in enumerate(lines, 1):
        script = unseen("redis.call('INCR', KEYS[1]) return redis.error_reply(ARGV[1])")
        error = await failure(call(client, script, [key, f"{key}2"], [words]))
        assert await client.get(key) == b"%d" % count, words
        assert error.may_have_executed is True, words


@pytest.mark.needs("script flags")
async def test_so_does_one_that_runs_on_every_primary(
    client: GlideClusterClient, cluster: ValkeyCluster
) -> None:
    count = (
        "for number = 0, 1000 do"
        " if type(redis.pcall('INCR', 'n:' .. number)) == 'number' then break end end"
        " return redis.error_reply(ARGV[1])"
    )
    words = own_words(cluster, "n")
    for text in words:
        for primary in cluster.primaries():
            primary.command("FLUSHALL")
        script = unseen("#!lua flags=allow-cross-slot-keys\n" + count)
        error = await failure(client.invoke_script_route(script, args=[text], route=AllPrimaries()))
        assert error.may_have_executed is True
        for primary in cluster.primaries():
            (key,) = primary.command("KEYS", "*")  # type: ignore[misc]
            assert primary.command("GET", key) == b"1", text  # type: ignore[arg-type]


@pytest.mark.parametrize("call", CALLS)
async def test_a_key_of_another_node_is_refused_within_the_script(
    client: GlideClusterClient, cluster: ValkeyCluster, call: Call
) -> None:
    here, there = (key_on(cluster, primary) for primary in cluster.primaries()[:2])
    script = unseen("redis.call('INCR', KEYS[1]) return redis.pcall('GET', ARGV[1])")
    error = await failure(call(client, script, [here], [there]))
    assert await client.get(here) == b"1"
    assert error.may_have_executed is True


@pytest.mark.parametrize("call", CALLS)
async def test_a_script_that_declares_to_run_in_no_cluster_has_not_run(
    client: GlideClusterClient, call: Call
) -> None:
    script = unseen("#!lua flags=no-cluster\nreturn redis.call('INCR', KEYS[1])")
    error = await failure(call(client, script, ["n"], []))
    assert error.may_have_executed is False
    assert type(error) is not ScriptError
    assert await client.get("n") is None
