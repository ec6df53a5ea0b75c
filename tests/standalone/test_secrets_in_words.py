"""A server's words are shown unless they hold a secret in one of the documented forms."""

from __future__ import annotations

import json
from typing import Any

import pytest

from glide_scripts import (
    GlideClient,
    Key,
    ReplyTypeError,
    Script,
    ScriptError,
    Secret,
    typed_script,
)

HIDDEN = "(not shown: it may contain a secret)"


def says(code: str) -> Any:
    @typed_script(Script(code, name="says"))
    def script(token: Secret[str | int | float | dict[str, Any]]) -> int:
        raise NotImplementedError

    return script


async def failure(call: Any) -> ScriptError:
    with pytest.raises(ScriptError) as caught:
        await call
    return caught.value


HONEST = "value of the integer counter: 15.5 is out of range, code 7-b/x"


@pytest.mark.parametrize(
    "secret",
    [
        "integer7",
        "counters",
        "out of rang3",
        "valueless",
        "valu3 of the integer counter",
        "co",
        "55",
        155,
        0.5,
        {"qa": "integers", "qb": [77]},
    ],
    ids=str,
)
async def test_words_that_hold_no_secret_are_shown_whole(client: GlideClient, secret: Any) -> None:
    script = says(f"return redis.error_reply('MY {HONEST}')")
    error = await failure(script(client, secret))
    assert (error.code, error.message) == ("MY", HONEST)


FORMS: list[tuple[str, Any]] = [
    ("ARGV[1]", "hunter2"),
    ("ARGV[1]:upper()", "hunter2"),
    ("ARGV[1]", "hunter2\r\nhunter2"),
    ("cjson.encode({ARGV[1]})", 'hun"ter2'),
    ("string.format('%q', ARGV[1])", 'hun"ter2'),
    ("cjson.decode(ARGV[1]).a", {"a": "hunter2"}),
    ("cjson.decode(ARGV[1]).a[1]", {"a": [987654]}),
    ("next(cjson.decode(ARGV[1]))", {"hunter2": 1}),
    ("tonumber(ARGV[1])", 123456789),
    ("tonumber(ARGV[1])", 0.1),
    ("tonumber(ARGV[1])", "1e5"),
    ("ARGV[1]:sub(1, 100)", "hunter2 " * 20),
    ("'pin=' .. ARGV[1] .. ','", "x7"),
    ("'pin: ' .. ARGV[1] .. '.'", 7),
]


@pytest.mark.parametrize(("expression", "secret"), FORMS)
async def test_words_that_hold_one_do_not_show_it(
    client: GlideClient, expression: str, secret: Any
) -> None:
    script = says(f"return redis.error_reply('MY it is ' .. {expression} .. ' here')")
    plain = says("return redis.error_reply('MY it is x here')")
    assert (await failure(plain(client, secret))).message == "it is x here"
    error = await failure(script(client, secret))
    assert error.message == HIDDEN or "<secret>" in (error.message or "")
    for leak in ("hunter2", "HUNTER2", "987654", "123456789", "100000", "x7", 'hun\\"ter2'):
        assert leak not in str(error)


async def test_a_secret_that_words_are_cut_in_is_not_shown(client: GlideClient) -> None:
    secret = "hunter2-hunter2-hunter2-hunter2-hunter2"
    for size in (2000, 2010, 2020, 2030, 2037):
        long = says(f"return redis.error_reply('MY ' .. string.rep('x', {size}) .. ARGV[1])")
        assert "hunt" not in str(await failure(long(client, secret)))


@pytest.mark.parametrize("before", [0, 270, 290, 299, 1900, 2040])
async def test_a_reply_that_is_cut_does_not_show_the_beginning(
    client: GlideClient, before: int
) -> None:
    @typed_script(Script(f"return {{string.rep('x', {before}), ARGV[1]}}", name="long"))
    def long(user: Key, token: Secret[bytes]) -> int:
        raise NotImplementedError

    with pytest.raises(ReplyTypeError) as caught:
        await long(client, "u", b"hunter2-" * 10)
    assert "hunt" not in str(caught.value)


async def test_of_a_secret_of_too_many_parts_no_words_are_shown(client: GlideClient) -> None:
    script = says("return redis.error_reply('MY words')")
    many = {str(number): "x" for number in range(1000)}
    assert len(json.dumps(many)) < 16 * 1024
    assert (await failure(script(client, many))).message == HIDDEN
    assert (await failure(script(client, "y" * 17_000))).message == HIDDEN
