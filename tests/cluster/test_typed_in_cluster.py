"""Typed calls and scripts' errors in a cluster."""

from __future__ import annotations

import re

import pytest
from tests.cluster.support import a_key_each

from glide_scripts import (
    AllPrimaries,
    ClusterBatch,
    CrossSlotError,
    GlideClusterClient,
    Key,
    Script,
    ScriptError,
    Secret,
    typed_script,
)
from glide_scripts.testing import ValkeyCluster


@typed_script(Script("return redis.call('MSET', KEYS[1], ARGV[1], KEYS[2], ARGV[1])", name="both"))
def both(one: Key, other: Key, value: str) -> str:
    raise NotImplementedError


@typed_script(Script("return #KEYS", name="count"))
def count(items: list[Key]) -> int:
    raise NotImplementedError


async def test_a_typed_call_goes_to_the_shard_of_its_keys(client: GlideClusterClient) -> None:
    for user in range(20):
        assert await both(client, f"{{u{user}}}:a", f"{{u{user}}}:b", "v") == "OK"
        assert await client.get(f"{{u{user}}}:b") == b"v"


async def test_keys_of_several_slots_are_refused_with_the_signature(
    resp3_client: GlideClusterClient,
) -> None:
    with pytest.raises(CrossSlotError) as caught:
        await both(resp3_client, "a", "b", value="v")
    assert caught.value.may_have_executed is False
    assert 'key "a" is in slot' in str(caught.value)
    assert str(caught.value).endswith("\n  both(client, one: Key, other: Key, value: str) -> str")
    with pytest.raises(CrossSlotError, match=r"count\(client, items: list\[Key\]\) -> int"):
        await count(resp3_client, ["a", "b", "c"])
    assert await count(resp3_client, ["{x}a", "{x}b", "{x}c"]) == 3


async def test_an_error_says_what_to_do_about_a_key_of_another_node(
    cluster: ValkeyCluster, client: GlideClusterClient
) -> None:
    one, other, *_ = a_key_each(cluster)
    script = Script("return redis.call('GET', ARGV[1])", name="sneak")
    with pytest.raises(ScriptError) as caught:
        await client.invoke_script(script, [one], [other])
    assert f"= keys: '{one}'" in str(caught.value)
    assert "= help: pass every key in keys, and give them one {hash tag}" in str(caught.value)


async def test_a_call_by_route_shows_the_node_and_all_else(client: GlideClusterClient) -> None:
    script = Script("return nope", name="failing")
    with pytest.raises(ScriptError) as caught:
        await client.invoke_script_route(script, args=["x"], route=AllPrimaries())
    first, rest = str(caught.value).split("\n", 1)
    assert re.fullmatch(
        r"test_typed_in_cluster\.py:\d+: Script attempted to access nonexistent global variable "
        r"'nope' \(on 127\.0\.0\.1:\d+\)",
        first,
    )
    assert "return nope" in rest
    assert "= args: 'x'" in rest
    assert caught.value.script is script
    assert caught.value.message == ("Script attempted to access nonexistent global variable 'nope'")


async def test_typed_calls_in_a_batch_are_split_by_nodes(
    cluster: ValkeyCluster, client: GlideClusterClient
) -> None:
    batch = ClusterBatch(is_atomic=False)
    keys = a_key_each(cluster)
    for key in keys:
        both.add_to(batch, f"{{{key}}}a", f"{{{key}}}b", value=key)
    results: object = await client.exec(batch, raise_on_error=True)
    assert results == ["OK"] * len(keys)
    assert [await client.get(f"{{{key}}}b") for key in keys] == [key.encode() for key in keys]


def test_keys_of_several_slots_are_not_added_to_a_batch() -> None:
    batch = ClusterBatch(is_atomic=False)
    with pytest.raises(CrossSlotError, match=r"both\(client, one: Key, other: Key, value: str\)"):
        both.add_to(batch, "a", "b", "v")
    assert len(batch) == 0


@typed_script(Script("return redis.error_reply('NO ' .. KEYS[1])", name="guarded"))
def guarded(one: Secret[Key], other: Secret[Key]) -> None: ...


def refused(caught: pytest.ExceptionInfo[CrossSlotError]) -> str:
    text = f"{caught.value} {caught.value!r} {vars(caught.value)}"
    assert "hunter2" not in text
    assert "swordfish" not in text
    assert "CROSSSLOT" in text
    return text


async def test_keys_of_several_slots_are_not_shown_if_they_are_secret(
    resp3_client: GlideClusterClient,
) -> None:
    client, keys = resp3_client, ["hunter2", "swordfish"]
    with pytest.raises(CrossSlotError) as caught:
        await guarded(client, *keys)
    assert "the keys (one, other) are in several slots" in refused(caught)
    with pytest.raises(CrossSlotError) as caught:
        await client.invoke_script(guarded, keys)
    assert "(one, other)" in refused(caught)
    with pytest.raises(CrossSlotError) as caught:
        await client.invoke_script_route(guarded, keys=keys, route=AllPrimaries())
    assert "(one, other)" in refused(caught)
    with pytest.raises(CrossSlotError) as caught:
        await client.invoke_script_many(guarded, [(keys, [])])
    assert "calls[0]: CROSSSLOT (CrossSlot): the keys (one, other)" in refused(caught)
    batch = ClusterBatch(is_atomic=True)
    with pytest.raises(CrossSlotError) as caught:
        guarded.add_to(batch, *keys)
    assert "(one, other)" in refused(caught)
    with pytest.raises(CrossSlotError) as caught:
        batch.invoke_script(guarded, keys)
    assert "(one, other)" in refused(caught)


async def test_a_transaction_of_several_slots_does_not_show_secret_keys(
    client: GlideClusterClient,
) -> None:
    batch = ClusterBatch(is_atomic=True).set('sword"fish', "1")
    guarded.add_to(batch, "{hunter2}", "{hunter2}x")
    batch.get('swordfish; give the keys a common hash tag "hunter2')
    with pytest.raises(CrossSlotError) as caught:
        await client.exec(batch, raise_on_error=True)
    assert "not shown because some are secret; give the keys a common hash tag" in refused(caught)


async def test_a_call_by_route_in_a_batch_shows_no_secret(client: GlideClusterClient) -> None:
    batch = ClusterBatch(is_atomic=False)
    batch.invoke_script_route(guarded, keys=["{hunter2}a", "{hunter2}b"])
    (error,) = await client.exec(batch, raise_on_error=False) or []
    assert isinstance(error, ScriptError)
    assert "hunter2" not in f"{error} {vars(error)}"
    assert error.message == "<secret>"
