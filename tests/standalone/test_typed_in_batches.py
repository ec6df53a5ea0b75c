"""Typed calls in batches: checked when they are added, decoded in the results."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest

from glide_scripts import (
    Batch,
    GlideClient,
    Key,
    ReplyTypeError,
    Script,
    ScriptError,
    ScriptLibrary,
    Secret,
    typed_script,
)


@typed_script(
    Script("redis.call('HSET', KEYS[1], ARGV[1], ARGV[2]) return redis.call('HGETALL', KEYS[1])")
)
def put(table: Key, field: str, value: int) -> dict[str, int]:
    raise NotImplementedError


@typed_script(Script("return redis.call('EXISTS', KEYS[1])"))
def exists(table: Key) -> bool:
    raise NotImplementedError


@typed_script(Script("return 'text'", name="lies"))
def lies() -> int:
    raise NotImplementedError


@pytest.mark.parametrize("is_atomic", [True, False], ids=["atomic", "pipeline"])
async def test_results_are_of_the_declared_types(client: GlideClient, *, is_atomic: bool) -> None:
    batch = Batch(is_atomic)
    exists.add_to(batch, "h")
    put.add_to(batch, "h", field="a", value=1)
    batch.get("other")
    put.add_to(batch, "h", "b", 2).invoke_script(put, ["h"], ["c", "3"])
    exists.add_to(batch, table="h")
    results = await client.exec(batch, raise_on_error=True)
    assert results is not None
    assert results[:4] == [False, {"a": 1}, None, {"a": 1, "b": 2}]
    assert results[5] is True


@dataclass
class Stock:
    count: int

    def __post_init__(self) -> None:
        if self.count < 0:
            raise ValueError("negative")


@typed_script(Script("return cjson.encode({count=tonumber(ARGV[1])})", name="stock"))
def stock(count: int) -> Stock:
    raise NotImplementedError


@pytest.mark.parametrize("is_atomic", [True, False], ids=["atomic", "pipeline"])
async def test_a_class_that_refuses_its_reply_loses_no_other(
    client: GlideClient, *, is_atomic: bool
) -> None:
    batch = Batch(is_atomic)
    for count in (1, -1, 2):
        stock.add_to(batch, count)
    results = await client.exec(batch, raise_on_error=False)
    assert results is not None
    error = results.pop(1)
    expected: list[object] = [Stock(1), Stock(2)]
    assert results == expected
    assert isinstance(error, ReplyTypeError)
    assert "reply is not a valid Stock: ValueError: neg" in str(error)


@pytest.mark.parametrize("is_atomic", [True, False], ids=["atomic", "pipeline"])
async def test_a_reply_that_does_not_fit_stands_in_its_place(
    client: GlideClient, *, is_atomic: bool
) -> None:
    batch = Batch(is_atomic)
    lies.add_to(exists.add_to(batch, "h"))
    exists.add_to(batch, "h")
    results = await client.exec(batch, raise_on_error=False)
    assert results is not None
    assert (results[0], results[2]) == (False, False)
    assert isinstance(results[1], ReplyTypeError)
    with pytest.raises(ReplyTypeError) as caught:
        await client.exec(batch, raise_on_error=True)
    for error in (results[1], caught.value):
        first = str(error).splitlines()[0]
        assert first.startswith("the reply of lies does not fit int: ")
        assert first.endswith(" (batch[1]: EVALSHA lies)")


async def test_an_error_of_a_script_is_that_of_a_call(client: GlideClient) -> None:
    await client.set("h", "text")
    batch = Batch(False)
    put.add_to(batch, "h", "a", 1)
    results = await client.exec(batch, raise_on_error=False)
    assert results is not None
    with pytest.raises(ScriptError) as caught:
        await client.exec(batch, raise_on_error=True)
    for error in (results[0], caught.value):
        assert isinstance(error, ScriptError)
        assert error.script is put
        assert "WRONGTYPE" in str(error)
        assert "= keys: table = 'h'" in str(error)
        assert str(error).splitlines()[0].endswith("(batch[0]: EVALSHA put)")
        assert error.message == "Operation against a key holding the wrong kind of value"


class OutOfStock(ScriptError):
    pass


async def test_a_code_of_one_s_own_is_its_class_there(client: GlideClient, tmp_path: Path) -> None:
    (tmp_path / "take.lua").write_text("return redis.error_reply('OUT_OF_STOCK sku 7')")
    scripts = ScriptLibrary.from_directory(tmp_path)
    scripts.error("OUT_OF_STOCK")(OutOfStock)
    batch = Batch(False)
    lies.add_to(scripts.take.add_to(exists.add_to(batch, "h")))
    results = await client.exec(batch, raise_on_error=False)
    assert results is not None
    assert isinstance(results[1], OutOfStock)
    assert results[1].message == "sku 7"
    # The first command that failed, in either way.
    with pytest.raises(OutOfStock):
        await client.exec(batch, raise_on_error=True)


@typed_script(Script("return redis.error_reply('NO ' .. ARGV[1])", name="tells"))
def tells(token: Secret[str]) -> int:
    raise NotImplementedError


async def test_no_result_shows_a_secret(client: GlideClient) -> None:
    batch = Batch(False)
    tells.add_to(batch, token="hunter2")
    batch.invoke_script(tells, [], ["hunter2"])
    results = await client.exec(batch, raise_on_error=False)
    assert results is not None
    for error in results:
        assert isinstance(error, ScriptError)
        assert "hunter2" not in f"{error!r} {vars(error)}"
        assert "= args: token = <secret>" in str(error)
    # The reply of an untyped call is not converted.
    assert await client.exec(Batch(False).invoke_script(lies), raise_on_error=True) == [b"text"]


async def test_a_library_s_script_goes_into_a_batch(client: GlideClient, tmp_path: Path) -> None:
    (tmp_path / "add.lua").write_text(
        "--@key total\n--@arg by: int\n--@returns int\n"
        "return redis.call('INCRBY', KEYS[1], ARGV[1])"
    )
    scripts = ScriptLibrary.from_directory(tmp_path)
    batch = Batch(True)
    scripts.add.add_to(batch, "t", by=2)
    scripts.add.add_to(batch, "t", by=3)
    assert await client.exec(batch, raise_on_error=True) == [2, 5]


def test_a_call_that_does_not_fit_is_not_added() -> None:
    batch = Batch(False)
    with pytest.raises(TypeError, match="value is str; pass int"):
        put.add_to(batch, "h", "a", "1")  # type: ignore[arg-type]
    assert len(batch) == 0
