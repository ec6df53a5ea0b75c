"""`once`: a script takes effect at most once for an id, however often it is called."""

from __future__ import annotations

import asyncio
import sys
from typing import Any

import pytest
from tests.conftest import Connect
from tests.waiting import until

from glide_scripts import (
    Batch,
    GlideClient,
    Key,
    ObservedCall,
    Observer,
    OnceConflictError,
    RequestError,
    Script,
    ScriptError,
    typed_script,
)
from glide_scripts.testing import FaultProxy, ValkeyServer

ADD = Script("return redis.call('INCRBY', KEYS[1], ARGV[1])", name="add")


@typed_script(ADD)
def add_to_account(account: Key, cents: int) -> int:
    raise NotImplementedError


FAIL = Script("redis.call('INCR', KEYS[1]) return redis.error_reply('OUT_OF_STOCK sku 7')")


@pytest.mark.every_server
async def test_a_call_is_repeated_and_runs_once(client: GlideClient) -> None:
    replies = [await client.invoke_script(ADD, ["n"], ["5"], once="order-7731") for _ in range(3)]
    assert replies == [5, 5, 5]
    assert await client.get("n") == b"5"
    assert client.stats().answered_from_records == 2


@pytest.mark.every_server
async def test_calls_of_several_ids_run_each(client: GlideClient) -> None:
    ids: list[Any] = ["a", "b", b"\x00\xff}", bytearray(b"c"), memoryview(b"d"), "é", "x" * 512]
    replies = [await client.invoke_script(ADD, ["n"], ["1"], once=each) for each in ids]
    assert replies == list(range(1, len(ids) + 1))
    again = [await client.invoke_script(ADD, ["n"], ["1"], once=each) for each in ids]
    assert again == replies


async def test_an_id_is_the_same_as_text_and_as_bytes(client: GlideClient) -> None:
    assert await client.invoke_script(ADD, ["n"], ["1"], once="é") == 1
    assert await client.invoke_script(ADD, ["n"], ["1"], once="é".encode()) == 1


@pytest.mark.every_server
async def test_the_script_s_own_error_is_that_of_its_one_run(client: GlideClient) -> None:
    for _ in range(2):
        with pytest.raises(ScriptError, match="sku 7") as caught:
            await client.invoke_script(FAIL, ["n"], once="order")
        assert caught.value.code == "OUT_OF_STOCK"
    assert await client.get("n") == b"1"


@pytest.mark.every_server
async def test_another_call_under_the_same_id_is_refused(client: GlideClient) -> None:
    await client.invoke_script(ADD, ["{n}", "{n}2"], ["1"], once="order")
    others: list[tuple[Script, list[str], list[str]]] = [
        (ADD, ["{n}", "{n}2"], ["2"]),
        (ADD, ["{n}", "{n}2"], ["1", "1"]),
        (ADD, ["{n}", "{n}3"], ["1"]),
        (ADD, ["{n}"], ["1"]),
        (ADD, ["{n}"], ["{n}2", "1"]),
        (FAIL, ["{n}", "{n}2"], ["1"]),
    ]
    for script, keys, args in others:
        with pytest.raises(OnceConflictError, match='"order" was used before') as caught:
            await client.invoke_script(script, keys, args, once="order")
        assert not caught.value.may_have_executed
    assert await client.get("{n}") == b"1"
    assert client.stats().answered_from_records == 0


async def test_a_foreign_value_under_the_record_s_name_is_refused(client: GlideClient) -> None:
    await client.set("once:{n}:order", "what somebody else keeps there")
    with pytest.raises(OnceConflictError):
        await client.invoke_script(ADD, ["n"], ["1"], once="order")
    await client.delete(["once:{n}:order"])
    await client.lpush("once:{n}:order", ["1"])
    with pytest.raises(RequestError, match="WRONGTYPE") as caught:
        await client.invoke_script(ADD, ["n"], ["1"], once="order")
    assert not caught.value.may_have_executed
    assert await client.get("n") is None


@pytest.mark.every_server
async def test_a_script_without_keys_has_a_record_of_its_own(client: GlideClient) -> None:
    script = Script("return {#KEYS, #ARGV, redis.call('INCR', 'n')}")
    for _ in range(2):
        assert await client.invoke_script(script, None, ["x"], once="order") == [0, 1, 1]


@pytest.mark.every_server
async def test_records_expire(client: GlideClient) -> None:
    assert await client.invoke_script(ADD, ["n"], ["1"], once="order", once_ttl=0.001) == 1

    async def is_expired() -> bool:
        return not await client.exists(["once:{n}:order"])

    await until(is_expired)
    assert await client.invoke_script(ADD, ["n"], ["1"], once="order", once_ttl=30) == 2
    assert 20 < await client.ttl("once:{n}:order") <= 30
    assert await client.invoke_script(ADD, ["n"], ["1"], once="another") == 3
    assert 86_000 < await client.ttl("once:{n}:another") <= 86_400
    assert await client.invoke_script(ADD, ["n"], ["1"], once=True) == 4
    [own] = await client.custom_command(["KEYS", "once:{n}:" + "[0-9a-f]" * 40])  # type: ignore[misc]
    assert 500 < await client.ttl(own) <= 600  # type: ignore[arg-type]


@pytest.mark.every_server
async def test_an_own_id_is_of_one_call(client: GlideClient) -> None:
    assert [await client.invoke_script(ADD, ["n"], ["1"], once=True) for _ in range(3)] == [1, 2, 3]
    assert client.stats().answered_from_records == 0


@pytest.mark.every_server
async def test_two_processes_race_with_one_id(server: ValkeyServer, client: GlideClient) -> None:
    program = (
        "import asyncio, sys\n"
        "from glide_scripts import GlideClient, Script\n"
        "add = Script(\"return redis.call('INCRBY', KEYS[1], ARGV[1])\")\n"
        "async def main():\n"
        "    async with await GlideClient.from_url(sys.argv[1]) as client:\n"
        "        calls = (client.invoke_script(add, [f'n{i % 50}'], ['1'], once=f'order-{i % 50}')"
        " for i in range(500))\n"
        "        assert set(await asyncio.gather(*calls)) == {1}\n"
        "asyncio.run(main())\n"
    )
    url = f"valkey://{server.host}:{server.port}"
    both = [await asyncio.create_subprocess_exec(sys.executable, "-c", program, url) for _ in "ab"]
    assert [await process.wait() for process in both] == [0, 0]
    assert [await client.get(f"n{number}") for number in range(50)] == [b"1"] * 50


@pytest.mark.parametrize("is_atomic", [False, True])
@pytest.mark.every_server
async def test_in_a_batch_each_call_has_its_record(client: GlideClient, is_atomic: bool) -> None:
    batch = (
        Batch(is_atomic=is_atomic)
        .invoke_script(ADD, ["n"], ["1"], once="order")
        .invoke_script(ADD, ["n"], ["1"], once="order")
        .invoke_script(ADD, ["n"], ["2"], once="order")
        .invoke_script(FAIL, ["m"], once="failed")
        .get("n")
    )
    for _ in range(2):
        results = await client.exec(batch, raise_on_error=False)
        assert results is not None
        assert results[:2] == [1, 1]
        assert isinstance(results[2], OnceConflictError)
        assert results[2].batch_index == 2
        assert isinstance(results[3], ScriptError)
        assert results[3].code == "OUT_OF_STOCK"
        assert results[4] == b"1"
    assert await client.get("m") == b"1"


@pytest.mark.parametrize("is_atomic", [False, True])
async def test_a_batch_that_is_sent_again_has_new_ids_of_its_client(
    client: GlideClient, is_atomic: bool
) -> None:
    batch = Batch(is_atomic=is_atomic).invoke_script(ADD, ["n"], ["1"], once=True)
    assert [await client.exec(batch, raise_on_error=True) for _ in range(3)] == [[1], [2], [3]]


@pytest.mark.every_server
async def test_many_calls_have_ids_each(client: GlideClient) -> None:
    calls = [([f"n{number % 7}"], ["1"]) for number in range(2000)]
    for _ in range(2):
        replies = await client.invoke_script_many(ADD, calls, once="import")
        assert sorted(replies)[-1] == 286  # type: ignore[type-var]
    assert client.stats().answered_from_records == 2000
    for _ in range(2):
        replies = await client.invoke_script_many(ADD, calls[:7], once=lambda keys, _: keys[0])
        assert len(replies) == 7
    assert client.stats().answered_from_records == 2007
    first = await client.invoke_script_many(ADD, calls[:7], once=True)
    second = await client.invoke_script_many(ADD, calls[:7], once=True)
    assert first != second


async def test_what_gives_the_ids_of_many_may_fail(client: GlideClient) -> None:
    def fails(keys: Any, _: Any) -> str:
        if keys == ["b"]:
            raise LookupError("no id for b")
        return "x"

    replies = client.invoke_script_many(ADD, [(["a"], ["1"]), (["b"], ["1"])], once=fails)
    with pytest.raises(LookupError, match="no id for b"):
        await replies
    with pytest.raises(TypeError, match=r"calls\[0\]: once is float"):
        await client.invoke_script_many(ADD, [(["a"], ["1"])], once=lambda *_: 1.5)  # type: ignore[arg-type]


@pytest.mark.every_server
async def test_a_script_declares_it_for_all_its_calls(client: GlideClient) -> None:
    own = Script(ADD.code, once=True)
    by_argument = Script(ADD.code, once=("args", 0), once_ttl=60)
    assert [await client.invoke_script(own, ["n"], ["1"]) for _ in range(2)] == [1, 2]
    assert [await client.invoke_script(own, ["n"], ["1"], once="id") for _ in range(2)] == [3, 3]
    assert await client.invoke_script(own, ["n"], ["1"], once=False) == 4
    assert [await client.invoke_script(by_argument, ["n"], ["1"]) for _ in range(2)] == [5, 5]
    assert 0 < await client.ttl("once:{n}:1") <= 60
    batch = Batch(is_atomic=False).invoke_script(by_argument, ["n"], ["1"])
    assert await client.exec(batch, raise_on_error=True) == [5]


@pytest.mark.every_server
async def test_typed_calls_take_it_and_declare_it(client: GlideClient, tmp_path: Any) -> None:
    file = tmp_path / "charge.lua"
    file.write_text(
        "--@once order\n--@once_ttl 60\n--@key account\n--@arg order: str\n--@arg cents: int\n"
        "--@returns int\nreturn redis.call('INCRBY', KEYS[1], ARGV[2])\n"
    )
    charge = Script.from_file(file)
    assert [await charge(client, "a", "o1", 5) for _ in range(2)] == [5, 5]
    assert [await charge(client, account="a", order="o2", cents=5) for _ in range(2)] == [10, 10]
    with pytest.raises(OnceConflictError):
        await charge(client, "a", "o1", 6)
    assert await charge(client, "a", "o1", 5, once=False) == 15
    assert [await charge(client, "a", "o1", 5, once="mine") for _ in range(2)] == [20, 20]
    batch = charge.add_to(Batch(is_atomic=False), "a", "o1", 5)
    charge.add_to(batch, "a", "o1", 5, once="mine", once_ttl=5)
    assert await client.exec(batch, raise_on_error=True) == [5, 20]

    @typed_script(ADD, once="cents")
    def add(account: str, cents: int) -> int:
        raise NotImplementedError

    with pytest.raises(TypeError, match="names the parameter that is the id"):

        @typed_script(ADD, once="order")
        def other(account: str, cents: int) -> int:
            raise NotImplementedError


@pytest.mark.every_server
async def test_a_lost_reply_is_asked_for_again(server: ValkeyServer, connect: Connect) -> None:
    with FaultProxy(server.host, server.port) as proxy:
        client = await connect(proxy)
        await client.invoke_script(ADD, ["n"], ["0"], once="warm-up")
        for once in (True, "order"):
            proxy.drop_replies(1)
            before = client.stats().answered_from_records
            assert await client.invoke_script(ADD, ["n"], ["1"], once=once) == (
                1 if once is True else 2
            )
            assert client.stats().answered_from_records == before + 1
        # The record may be gone by then, so the client does not repeat the call: the caller
        # decides.
        proxy.drop_replies(1)
        with pytest.raises(RequestError) as caught:
            await client.invoke_script(ADD, ["n"], ["1"], once="short", once_ttl=1)
        assert caught.value.may_have_executed
        proxy.drop_replies(1)
        batch = Batch(is_atomic=False)
        for number in range(5):
            batch.invoke_script(ADD, ["m"], ["1"], once=True if number % 2 else f"{number}")
        assert await client.exec(batch, raise_on_error=True) == [1, 2, 3, 4, 5]
        assert await client.get("m") == b"5"


async def test_an_observer_sees_what_came_from_a_record(
    server: ValkeyServer, connect: Connect
) -> None:
    seen: list[ObservedCall] = []

    class Watcher(Observer):
        def call_ended(self, call: ObservedCall) -> None:
            seen.append(call)

    client = await connect(server, observer=Watcher())
    for _ in range(2):
        await client.invoke_script(ADD, ["n"], ["1"], once="order")
    for _ in range(2):
        with pytest.raises(ScriptError):
            await client.invoke_script(FAIL, ["n"], once="failed")
    with pytest.raises(OnceConflictError):
        await client.invoke_script(ADD, ["n"], ["2"], once="order")
    assert [call.from_record for call in seen] == [False, True, False, True, False]
    assert [await add_to_account(client, "t", 1, once="order") for _ in range(2)] == [1, 1]  # type: ignore[call-arg]
    assert [call.from_record for call in seen[5:]] == [False, True]
    assert {call.sha1 for call in seen} == {ADD.hash, FAIL.hash}
