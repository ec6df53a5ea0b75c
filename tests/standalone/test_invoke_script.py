"""`invoke_script`: what is sent, what is returned, and what is refused."""

from __future__ import annotations

import asyncio
from array import array
from collections import deque
from collections.abc import Callable, Iterable
from typing import Any

import pytest

from glide_scripts import OK, GlideClient, Script, TEncodable

ECHO = Script("return ARGV[1]")
ALL = Script("return {KEYS, ARGV}")
COUNT = Script("return redis.call('INCR', 'calls')")
EVERY_BYTE = bytes(range(256))
MEGABYTE = 1024 * 1024


@pytest.mark.parametrize(
    ("code", "reply"),
    [
        ("return 'hello'", b"hello"),
        ("return 42", 42),
        ("return {1, 2, 3, 'hello'}", [1, 2, 3, b"hello"]),
        ("return nil", None),
        ("return false", None),
        ("return {1, false, {2, {}}}", [1, None, [2, []]]),
        ("return 3.99", 3),
        ("return -9007199254740992", -9007199254740992),
        ("", None),
    ],
)
@pytest.mark.every_server
async def test_a_script_answers(client: GlideClient, code: str, reply: object) -> None:
    assert await client.invoke_script(Script(code)) == reply


async def test_keys_and_arguments_arrive_in_order(client: GlideClient) -> None:
    assert await client.invoke_script(ALL, keys=["k1", "k2"], args=["a1", "a2", "a3"]) == [
        [b"k1", b"k2"],
        [b"a1", b"a2", b"a3"],
    ]


@pytest.mark.parametrize("nothing", [None, [], (), iter(())])
async def test_without_keys_and_arguments_both_are_empty(client: GlideClient, nothing: Any) -> None:
    assert await client.invoke_script(ALL, nothing, nothing) == [[], []]


async def test_a_set_through_a_script_answers_the_constant_ok(client: GlideClient) -> None:
    script = Script("return redis.call('SET', KEYS[1], ARGV[1])")
    reply = await client.invoke_script(script, keys=["k"], args=["v"])
    assert reply is OK
    assert reply == b"OK"
    assert reply == "OK"
    assert await client.get("k") == b"v"


@pytest.mark.every_server
async def test_every_byte_goes_out_and_comes_back(client: GlideClient) -> None:
    items = [bytes([byte]) for byte in EVERY_BYTE] + [EVERY_BYTE, b"", b"\r\n$5\r\nhello\r\n"]
    assert await client.invoke_script(ALL, keys=items, args=items[::-1]) == [items, items[::-1]]


async def test_text_goes_out_as_utf_8(client: GlideClient) -> None:
    text = "grüße, 世界 🎈\x00"
    assert await client.invoke_script(ECHO, args=[text]) == text.encode()


async def test_long_keys_arrive_whole(client: GlideClient) -> None:
    keys: list[TEncodable] = [b"\xff" * 8192, "k" * 8192]
    script = Script("redis.call('SET', KEYS[1], 'v') return {KEYS[1], KEYS[2]}")
    assert await client.invoke_script(script, keys=keys) == [keys[0], b"k" * 8192]
    assert await client.get(keys[0]) == b"v"


async def test_a_huge_argument_and_a_huge_reply_pass(client: GlideClient) -> None:
    huge = EVERY_BYTE * (32 * MEGABYTE // 256)
    reply = await client.invoke_script(ECHO, args=[huge], timeout=60_000)
    # A plain assert would show both where they differ.
    assert (reply == huge) is True


async def test_several_huge_arguments_do_not_mix_with_other_calls(client: GlideClient) -> None:
    length = Script("return {#ARGV[1], string.byte(ARGV[1], -1)}")
    calls = [
        client.invoke_script(length, args=[bytes([i]) * (4 * MEGABYTE + i)], timeout=60_000)
        for i in range(8)
    ]
    small = [client.invoke_script(ECHO, args=[str(i)], timeout=60_000) for i in range(100)]
    sizes, echoes = await asyncio.gather(asyncio.gather(*calls), asyncio.gather(*small))
    assert sizes == [[4 * MEGABYTE + i, i] for i in range(8)]
    assert echoes == [b"%d" % i for i in range(100)]


@pytest.mark.every_server
async def test_many_keys_and_arguments_arrive(client: GlideClient) -> None:
    # Lua's own stack ends unpack() there, not KEYS.
    script = Script("return {#KEYS, #ARGV, KEYS[#KEYS], ARGV[#ARGV]}")
    many = [str(i) for i in range(50_000)]
    reply = await client.invoke_script(script, keys=many, args=many)
    assert reply == [50_000, 50_000, b"49999", b"49999"]


VIEWS = [
    memoryview(b"whole"),
    memoryview(EVERY_BYTE)[::2],
    memoryview(EVERY_BYTE)[::-3],
    memoryview(EVERY_BYTE)[7:7],
    memoryview(EVERY_BYTE).cast("B", (16, 16)),
    memoryview(EVERY_BYTE).cast("b"),
    memoryview(EVERY_BYTE).cast("c")[::5],
    memoryview(array("d", [1.5, -2.0])),
    memoryview(array("i", [1, 2, 3]))[::-1],
    memoryview(bytearray(EVERY_BYTE)).toreadonly(),
]


@pytest.mark.parametrize("view", VIEWS, ids=lambda v: f"{v.format}{v.shape}{v.strides}")
async def test_a_memoryview_goes_out_as_bytes_of_it(client: GlideClient, view: Any) -> None:
    assert await client.invoke_script(ALL, [view], [view]) == [[bytes(view)]] * 2


@pytest.mark.parametrize("kind", [str, bytes, bytearray, memoryview])
async def test_every_kind_of_bytes_is_taken(client: GlideClient, kind: type) -> None:
    value = "text" if kind is str else kind(b"text")
    assert await client.invoke_script(ALL, [value], [value]) == [[b"text"], [b"text"]]
    subclassed = type("Sub", (kind,), {})("text") if kind is str else value
    assert await client.invoke_script(ECHO, args=[subclassed]) == b"text"


@pytest.mark.parametrize(
    "made",
    [tuple, iter, deque, lambda items: (item for item in items), lambda items: {*items[:1]}],
    ids=["tuple", "iterator", "deque", "generator", "set"],
)
async def test_keys_and_arguments_come_from_any_iterable(
    client: GlideClient, made: Callable[[list[str]], Iterable[str]]
) -> None:
    expected = [item.encode() for item in made(["a", "b"])]
    assert await client.invoke_script(ALL, made(["a", "b"]), made(["a", "b"])) == [expected] * 2


async def test_an_argument_that_changes_after_the_call_began_goes_out_as_it_was(
    client: GlideClient,
) -> None:
    # The script is missing: the argument is sent twice, the second time after the change.
    argument, view = bytearray(b"before"), bytearray(b"seen before")
    args: list[TEncodable] = [argument, memoryview(view)]
    task = asyncio.create_task(client.invoke_script(ALL, args=args))
    await asyncio.sleep(0)
    argument.clear()
    view[:] = b"after, long"
    args.append(bytearray(b"more"))
    assert await task == [[], [b"before", b"seen before"]]


LIST = "a list of str or bytes"
BAD_LISTS = [
    ([1], "{}[0] is int; pass str or bytes"),
    (["a", 2.5], "{}[1] is float; pass str or bytes"),
    (["a", b"b", None], "{}[2] is NoneType; pass str or bytes"),
    ([True], "{}[0] is bool; pass str or bytes"),
    ([["a"]], "{}[0] is list; pass str or bytes"),
    ([array("b", [1])], "{}[0] is array; pass str or bytes"),
    (("a", object()), "{}[1] is object; pass str or bytes"),
    (deque(["a", 1]), "{}[1] is int; pass str or bytes"),
    ("abc", "{} is str; pass " + LIST),
    ("", "{} is str; pass " + LIST),
    (b"abc", "{} is bytes; pass " + LIST),
    (bytearray(b"abc"), "{} is bytearray; pass " + LIST),
    (memoryview(b"abc"), "{} is memoryview; pass " + LIST),
    ({"a": "b"}, "{} is dict; pass " + LIST),
    (7, "{} is int; pass " + LIST),
    (False, "{} is bool; pass " + LIST),
]


@pytest.mark.parametrize("name", ["keys", "args"])
@pytest.mark.parametrize(("values", "text"), BAD_LISTS, ids=[text for _, text in BAD_LISTS])
async def test_what_is_no_list_of_bytes_is_refused(
    client: GlideClient, name: str, values: Any, text: str
) -> None:
    with pytest.raises(TypeError) as caught:
        await client.invoke_script(COUNT, **{name: values})
    assert str(caught.value) == text.format(name)
    assert await client.invoke_script(COUNT) == 1


@pytest.mark.parametrize("name", ["keys", "args"])
async def test_text_with_a_lone_surrogate_is_refused(client: GlideClient, name: str) -> None:
    arguments: Any = {name: ["fine", "\ud800"]}
    with pytest.raises(ValueError, match=rf"^{name}\[1\] is text that cannot be encoded as UTF-8"):
        await client.invoke_script(COUNT, **arguments)
    assert await client.invoke_script(COUNT) == 1


async def test_a_memoryview_that_was_released_is_refused(client: GlideClient) -> None:
    view = memoryview(b"gone")
    view.release()
    with pytest.raises(ValueError, match=r"^args\[0\]"):
        await client.invoke_script(COUNT, args=[view])
    assert await client.invoke_script(COUNT) == 1


async def test_an_error_of_the_callers_iterable_is_the_callers(client: GlideClient) -> None:
    def failing() -> Iterable[str]:
        yield "a"
        raise LookupError("mine")

    with pytest.raises(LookupError, match="mine"):
        await client.invoke_script(COUNT, keys=failing())
    assert await client.invoke_script(COUNT) == 1


MORE_THAN_0 = "pass milliseconds, more than 0 and at most 1e12"


@pytest.mark.parametrize(
    ("timeout", "error", "text"),
    [
        (0, ValueError, f"timeout is 0; {MORE_THAN_0}"),
        (-5, ValueError, f"timeout is -5; {MORE_THAN_0}"),
        (float("nan"), ValueError, f"timeout is nan; {MORE_THAN_0}"),
        (float("inf"), ValueError, f"timeout is inf; {MORE_THAN_0}"),
        (10**400, ValueError, MORE_THAN_0),
        (0.25, TypeError, "pass milliseconds as an int: 250 for 0.25 seconds"),
        (5.0, TypeError, "pass milliseconds as an int: 5000 for 5.0 seconds"),
        (True, TypeError, "timeout is bool; pass milliseconds as an int"),
        ("100", TypeError, "timeout is str; pass milliseconds as an int"),
        ([], TypeError, "timeout is list; pass milliseconds as an int"),
    ],
    ids=repr,
)
async def test_a_wrong_timeout_is_refused(
    client: GlideClient, timeout: Any, error: type[Exception], text: str
) -> None:
    with pytest.raises(error) as caught:
        await client.invoke_script(COUNT, timeout=timeout)
    assert str(caught.value).endswith(text)
    assert await client.invoke_script(COUNT) == 1


@pytest.mark.parametrize("script", ["return 1", b"return 1", None, Script], ids=repr)
async def test_what_is_no_script_is_refused(client: GlideClient, script: Any) -> None:
    with pytest.raises(TypeError) as caught:
        await client.invoke_script(script)
    assert str(caught.value) == f"script is {type(script).__name__}; pass a Script"
    assert await client.invoke_script(COUNT) == 1
