"""Libraries that load themselves where they are missing."""

from __future__ import annotations

import asyncio
import copy
import itertools
import pickle
from typing import Any

import pytest
from tests.conftest import Connect
from tests.repeating import repeating

from glide_scripts import (
    OK,
    Batch,
    Function,
    FunctionLibrary,
    GlideClient,
    NoPermissionError,
    RequestError,
    ScriptError,
    ScriptSyntaxError,
    ServerCredentials,
)
from glide_scripts.testing import ValkeyServer

pytestmark = [pytest.mark.every_server, pytest.mark.needs("functions")]

CODE = """#!lua name=counters
redis.register_function('bump', function(keys, args)
  return redis.call('INCRBY', keys[1], args[1])
end)
redis.register_function{
  function_name = 'peek',
  callback = function(keys) return redis.call('GET', keys[1]) end,
  flags = {'no-writes'},
}
"""
COUNTERS = FunctionLibrary(CODE)
BUMP, PEEK = COUNTERS.function("bump"), COUNTERS.function("peek", read_only=True)


async def test_it_loads_itself_at_its_first_call(client: GlideClient) -> None:
    assert await client.fcall(BUMP, ["n"], ["5"]) == 5
    assert await client.fcall(PEEK, ["n"]) == b"5"
    (library,) = await client.function_list(with_code=True)
    assert library[b"library_code"] == COUNTERS.code


async def test_it_loads_itself_after_every_flush(client: GlideClient) -> None:
    for number in range(1, 21):
        await client.function_flush()
        assert await client.fcall(function=BUMP, keys=["n"], arguments=["1"]) == number
        await client.function_delete("counters")
        assert await client.fcall_ro(PEEK, keys=["n"]) == b"%d" % number


async def test_it_is_loaded_and_deleted_by_hand(client: GlideClient) -> None:
    assert await client.function_load(COUNTERS) == b"counters"
    with pytest.raises(ScriptError, match="already exists"):
        await client.function_load(COUNTERS)
    assert await client.function_load(COUNTERS, replace=True) == b"counters"
    assert await client.fcall("bump", ["n"], ["1"]) == 1
    assert await client.function_delete(COUNTERS.name) is OK


async def test_many_callers_of_a_missing_one_each_run_once(
    server: ValkeyServer, client: GlideClient, connect: Connect
) -> None:
    flusher = await connect(server)

    async def caller() -> list[object]:
        return [await client.fcall(BUMP, ["n"], ["1"]) for _ in range(50)]

    async with repeating(flusher.function_flush, pause=0.001):
        replies = await asyncio.gather(*(caller() for _ in range(20)))
    assert sorted(itertools.chain(*replies)) == list(range(1, 1001))  # type: ignore[type-var]


@pytest.mark.parametrize("is_atomic", [True, False])
async def test_it_loads_itself_in_a_batch(client: GlideClient, is_atomic: bool) -> None:
    batch = Batch(is_atomic).set("n", "1").fcall(BUMP, ["n"], ["2"]).get("n")
    batch.fcall(PEEK, ["n"]).incr("n").fcall_ro(PEEK, ["n"]).fcall(BUMP, ["n"], ["1"])
    for _ in range(3):
        assert await client.exec(batch, True) == [OK, 3, b"3", b"3", 4, b"4", 5]
    if is_atomic:
        await client.function_flush()
        assert await client.exec(batch, True) == [OK, 3, b"3", b"3", 4, b"4", 5]


async def test_in_a_pipeline_after_a_flush_it_is_called_once(client: GlideClient) -> None:
    batch = Batch(False)
    for _ in range(10):
        batch.fcall(BUMP, ["n"], ["1"])
    for number in range(5):
        results: Any = await client.exec(batch, True)
        assert sorted(results) == list(range(number * 10 + 1, number * 10 + 11))
        await client.function_flush()


async def test_between_flushes_transactions_are_whole(
    server: ValkeyServer, client: GlideClient, connect: Connect
) -> None:
    flusher = await connect(server)
    async with repeating(flusher.function_flush, pause=0.001):
        for number in range(1, 301):
            transaction = Batch(True).incr("a").fcall(BUMP, ["b"], ["1"])
            assert await client.exec(transaction, True) == [number, number]
    assert await client.mget(["a", "b"]) == [b"300", b"300"]


async def test_a_function_that_is_not_in_it_is_an_error(client: GlideClient) -> None:
    with pytest.raises(ScriptError, match="Function not found"):
        await client.fcall(COUNTERS.function("none"))
    assert await client.fcall(BUMP, ["n"], ["1"]) == 1


async def test_one_that_does_not_compile_is_an_error(client: GlideClient) -> None:
    broken = FunctionLibrary("#!lua name=broken\nreturn return")
    with pytest.raises(ScriptSyntaxError, match="unexpected symbol"):
        await client.fcall(broken.function("f"))
    assert await client.fcall(BUMP, ["n"], ["1"]) == 1


async def test_a_newer_one_takes_the_place_of_one_that_lacks_the_function(
    client: GlideClient,
) -> None:
    newer = FunctionLibrary(CODE + "redis.register_function('new', function() return 'new' end)")
    await client.fcall(BUMP, ["n"], ["1"])
    assert await client.fcall(newer.function("new")) == b"new"
    assert await client.fcall(BUMP, ["n"], ["1"]) == 2


async def test_one_not_read_only_is_refused_as_read_only(client: GlideClient) -> None:
    with pytest.raises(RequestError, match="write flag"):
        await client.fcall(COUNTERS.function("bump", read_only=True), ["n"], ["1"])
    assert await client.get("n") is None


class TestObject:
    def test_it_knows_its_name_and_its_code(self) -> None:
        assert COUNTERS.name == "counters"
        assert COUNTERS.code == CODE.encode()
        assert FunctionLibrary(bytearray(b"#!LUA  name=a_1 \r\n")).name == "a_1"
        assert repr(COUNTERS) == "<FunctionLibrary counters>"

    def test_equal_code_is_equal(self) -> None:
        same = FunctionLibrary(CODE.encode())
        assert same == COUNTERS
        assert hash(same) == hash(COUNTERS)
        assert same.function("bump") == BUMP
        assert len({BUMP, same.function("bump"), PEEK}) == 2
        assert FunctionLibrary(CODE + " ") != COUNTERS
        assert COUNTERS != CODE

    @pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
    def test_it_is_pickled_and_copied(self, protocol: int) -> None:
        for value in (COUNTERS, PEEK):
            assert pickle.loads(pickle.dumps(value, protocol)) == value
            assert copy.deepcopy(value) == value

    @pytest.mark.parametrize(
        ("code", "text"),
        [
            ("", "code does not say the library's name; begin it with"),
            ("redis.register_function('f', f)", "code does not say the library's name"),
            ("\n#!lua name=late", "code does not say the library's name"),
            ("#!lua\n", "code's first line says no name; begin it with a line such as"),
            ("#!lua\n-- name=x", "code's first line says no name"),
            ("#!lua name=a name=b\n", "code's first line says more than one name"),
            ("#!lua name=\n", "code's first line says the name ''; a library's name has only"),
            ("#!lua name=a-b\n", "code's first line says the name 'a-b'"),
            (b"#!lua name=\xff\n", "code's first line says the name '\ufffd'"),
        ],
    )
    def test_code_without_a_name_is_refused(self, code: Any, text: str) -> None:
        with pytest.raises(ValueError, match="name") as caught:
            FunctionLibrary(code)
        assert str(caught.value).startswith(text)

    def test_wrong_types_are_named(self) -> None:
        wrong: Any = 1
        with pytest.raises(TypeError, match=r"^code is int; pass str or bytes$"):
            FunctionLibrary(wrong)
        with pytest.raises(TypeError, match=r"^name is int; pass str$"):
            COUNTERS.function(wrong)
        with pytest.raises(ValueError, match=r"^name is 'a b'; pass letters, digits"):
            COUNTERS.function("a b")
        with pytest.raises(TypeError, match=r"^read_only is int; pass bool$"):
            COUNTERS.function("f", read_only=wrong)
        with pytest.raises(TypeError, match=r"^library is int; pass a FunctionLibrary$"):
            Function(wrong, "f")


async def test_a_transaction_has_its_functions_also_where_an_older_library_is(
    client: GlideClient,
) -> None:
    older = CODE.replace("'bump'", "'bump_before'")
    await client.function_load(older)
    batch = Batch(is_atomic=True).fcall(BUMP, ["n"], ["1"]).set("x", "1")
    assert await client.exec(batch, raise_on_error=True) == [1, OK]
    # A library that has the function is not replaced.
    newer = CODE + "-- newer"
    await client.function_load(newer, replace=True)
    assert await client.exec(batch, raise_on_error=True) == [2, OK]
    (library,) = await client.function_list(with_code=True)
    assert library[b"library_code"] == newer.encode()


async def test_a_transaction_has_its_functions_again_after_another_client_replaced_the_library(
    client: GlideClient,
) -> None:
    """One transaction misses them: its other commands run all the same."""
    batch = Batch(is_atomic=True).fcall(BUMP, ["n"], ["1"])
    assert await client.exec(batch, raise_on_error=True) == [1]
    await client.function_load(CODE.replace("'bump'", "'bump_before'"), replace=True)
    with pytest.raises(RequestError, match="Function not found") as caught:
        await client.exec(batch, raise_on_error=True)
    assert not caught.value.may_have_executed
    assert await client.exec(batch, raise_on_error=True) == [2]


async def test_a_library_that_a_server_without_memory_refuses_has_not_run(
    own_server: ValkeyServer, connect: Connect
) -> None:
    client = await connect(own_server)
    own_server.command("CONFIG", "SET", "maxmemory", "1")
    batch = Batch(is_atomic=False).fcall(BUMP, ["n"], ["1"])
    for call in (client.fcall(BUMP, ["n"], ["1"]), client.exec(batch, raise_on_error=True)):
        with pytest.raises(RequestError, match="OOM") as caught:
            await call
        assert not caught.value.may_have_executed


async def test_a_user_who_may_not_load_hears_why_a_function_is_missing(
    own_server: ValkeyServer, connect: Connect
) -> None:
    own_server.command("ACL", "SETUSER", "app", "on", ">pw", "~*", "+@all", "-function|load")
    client = await connect(own_server, credentials=ServerCredentials("pw", "app"))
    batches = [Batch(is_atomic).fcall(BUMP, ["n"], ["1"]) for is_atomic in (False, True)]
    calls = [client.exec(batch, raise_on_error=True) for batch in batches]
    for call in (client.fcall(BUMP, ["n"], ["1"]), *calls):
        with pytest.raises(NoPermissionError, match=r"function\|load") as caught:
            await call
        assert not caught.value.may_have_executed
    own_server.command("FUNCTION", "LOAD", CODE)
    for is_atomic in (True, False):
        batch = Batch(is_atomic).fcall(BUMP, ["n"], ["1"]).delete(["n"])
        assert await client.exec(batch, raise_on_error=True) == [1, 1]
