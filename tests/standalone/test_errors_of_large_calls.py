"""An error of a call that was large is made about as quickly as that of a small one.

It is made on the event loop. Of the thread's own CPU time a hundred times as large a call may take
twenty times as much, as it has to be sent, too.
"""

from __future__ import annotations

import functools
import time
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest

from glide_scripts import Batch, GlideClient, Key, RequestError, Script, Secret, typed_script

SMALL, LARGE = 50_000, 5_000_000
# Seconds. Smaller differences are noise.
MOMENT = 0.01
HIDDEN = r"^MINE \(not shown: it may contain a secret\)\n"


@typed_script(Script("return redis.error_reply('MINE it is not ' .. ARGV[2])", name="own_words"))
def own_words(token: Secret[str], other: str) -> None: ...


@typed_script(Script("return redis.error_reply('MINE ' .. ARGV[2] .. ARGV[1])", name="long_words"))
def long_words(token: Secret[str], other: str) -> None: ...


@typed_script(Script("return redis.error_reply(ARGV[2])", name="one_word"))
def one_word(token: Secret[str], other: str) -> None: ...


@typed_script(Script("return redis.error_reply('MINE ' .. ARGV[1])", name="many"))
def many(tokens: list[Secret[str]]) -> None: ...


@typed_script(Script("return ARGV[2] .. ARGV[1]", name="reply"))
def reply(token: Secret[str], other: str) -> int:
    raise NotImplementedError


@typed_script(Script("return redis.error_reply('MINE no')", name="shown"))
def shown(key: Key, other: str) -> None: ...


@functools.cache
def numbered(size: int) -> str:
    return "".join(f"{number:09x} " for number in range(size // 10))


async def large_code(client: GlideClient, size: int) -> None:
    code = "local a = 1\n" * (size // 12) + "error('boom')"
    await client.invoke_script(Script(code, name="code"), ["key"], ["argument"])


CALLS: dict[str, Callable[[GlideClient, int], Coroutine[Any, Any, Any]]] = {
    "a secret": lambda client, size: own_words(client, numbered(size), "right"),
    "a script's words": lambda client, size: long_words(client, "hunter2", numbered(size)),
    "words that many patterns begin like": lambda client, size: long_words(
        client, "hunter2", "attempt to index local 'Unknown  (batch[0]: script: " * (size // 50)
    ),
    "a word in place of a code": lambda client, size: one_word(client, "hunter2", "A" * size + "-"),
    "many secrets": lambda client, size: many(client, ["hunter2"] * (size // 10)),
    "a reply": lambda client, size: reply(client, "hunter2", numbered(size)),
    "a key and an argument": lambda client, size: shown(client, "é" * size, "é" * size),
    "code": large_code,
}


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
async def test_an_error_takes_no_longer_for_more(
    client: GlideClient, call: Callable[[GlideClient, int], Coroutine[Any, Any, Any]]
) -> None:
    took = {}
    for size in (SMALL, LARGE):
        numbered(size)
        started = time.thread_time()
        with pytest.raises(RequestError) as caught:
            await call(client, size)
        took[size] = time.thread_time() - started
        assert "hunter2" not in str(caught.value)
        assert "hunter2" not in (caught.value.code or "")
        assert len(str(caught.value)) < 5000
    assert took[LARGE] < 20 * max(took[SMALL], MOMENT)


async def test_a_script_s_long_words_are_cut_and_keep_their_place(client: GlideClient) -> None:
    script = Script("\nerror('MINE ' .. ARGV[1])", name="long")
    with pytest.raises(RequestError) as caught:
        await client.invoke_script(script, [], ["x" * 100_000])
    first, rest = str(caught.value).split("\n", 1)
    assert "xxx…" in first
    assert first.startswith(f"{Path(__file__).name}:")
    assert len(first) < 2500
    assert rest.startswith("  --> long, line 2\n")
    assert getattr(caught.value, "message", "").endswith("xxx…")


async def test_of_a_large_secret_and_of_many_no_part_is_shown(client: GlideClient) -> None:
    with pytest.raises(RequestError, match=HIDDEN) as caught:
        await own_words(client, "s" * 100_000, "sss")
    assert "ssss" not in str(caught.value)
    with pytest.raises(RequestError, match=HIDDEN) as caught:
        await many(client, [f"{number:04}" for number in range(1000, 9000)])
    assert "1000" not in str(caught.value)


async def test_what_looks_like_the_server_s_own_end_is_searched_for_secrets(
    client: GlideClient,
) -> None:
    @typed_script(Script("return redis.error_reply(ARGV[2] .. ARGV[1] .. ARGV[3])", name="end"))
    def end(token: Secret[str], before: str, after: str) -> None: ...

    for before, after in (
        ("MINE no script: ", ", on @user_script:1."),
        ("MINE no (batch[0]: ", ""),
    ):
        with pytest.raises(RequestError) as caught:
            await end(client, "hunter2", before, after)
        assert "hunter2" not in str(caught.value)
        batch = Batch(is_atomic=False)
        end.add_to(batch, "hunter2", before, after)
        results = await client.exec(batch, raise_on_error=False)
        assert results is not None
        assert "hunter2" not in str(results[0])
        assert "(batch[0]: " in str(results[0])
