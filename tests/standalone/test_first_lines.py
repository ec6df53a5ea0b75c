"""The first line of a script's error, which logs show: it begins with the place."""

from __future__ import annotations

import asyncio
import inspect
import textwrap
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from tests.servers.table import has

from glide_scripts import (
    Batch,
    FunctionLibrary,
    GlideClient,
    RequestError,
    Script,
    ScriptError,
    ScriptLibrary,
    ScriptSyntaxError,
    sync,
)
from glide_scripts.testing import ValkeyServer

pytestmark = pytest.mark.every_server

NIL = "attempt to perform arithmetic on a nil value"
HERE = Path(__file__).name


async def failure(call: Awaitable[Any]) -> ScriptError:
    with pytest.raises(ScriptError) as caught:
        await call
    return caught.value


def first(error: object) -> str:
    return str(error).split("\n", 1)[0]


def line_of(text: str) -> int:
    """The line of this file that is this text, without its indentation."""
    lines = [line.strip() for line in Path(__file__).read_text().splitlines()]
    assert lines.count(text) == 1, text
    return lines.index(text) + 1


# Files


@pytest.fixture
def scripts(tmp_path: Path) -> ScriptLibrary:
    (tmp_path / "stock/lib").mkdir(parents=True)
    (tmp_path / "count.lua").write_text("--@key k\nreturn nil + 1")
    (tmp_path / "stock/take.lua").write_text('--@include "lib/sum.lua"\nreturn sum()')
    (tmp_path / "stock/lib/sum.lua").write_text("local function sum()\n\n  return nil + 1\nend")
    (tmp_path / "own.lua").write_text("return redis.error_reply('SOLD_OUT sku 7')")
    (tmp_path / "broken.lua").write_text("local x = 1\nif x = 1 then\nend")
    (tmp_path / "typo.lua").write_text("\nreturn redis.call('GETT', 'k')")
    return ScriptLibrary.from_directory(tmp_path)


async def test_it_has_the_path_below_the_library_s_folder(
    client: GlideClient, scripts: ScriptLibrary, tmp_path: Path
) -> None:
    error = await failure(scripts.count(client, "k"))
    assert first(error) == f"count.lua:2: {NIL}"
    assert (error.message, error.line) == (NIL, 2)
    error = await failure(scripts.stock.take(client))
    assert first(error) == f"stock/lib/sum.lua:3: {NIL}"
    assert f"\n  --> {tmp_path}/stock/lib/sum.lua:3, in stock.take, included at " in str(error)
    alone = Script.from_file(tmp_path / "stock/take.lua")
    assert first(await failure(client.invoke_script(alone))) == f"lib/sum.lua:3: {NIL}"


async def test_an_error_that_a_script_returns_begins_with_its_code(
    client: GlideClient, scripts: ScriptLibrary
) -> None:
    assert first(await failure(scripts.own(client))) == "SOLD_OUT sku 7"


async def test_it_has_the_words_that_people_search_for(
    client: GlideClient, scripts: ScriptLibrary
) -> None:
    error = await failure(scripts.broken(client))
    assert isinstance(error, ScriptSyntaxError)
    assert first(error) == "broken.lua:2: Lua syntax error: 'then' expected near '='"
    error = await failure(scripts.typo(client))
    assert first(error).startswith("typo.lua:2: Unknown ")
    assert "unknown command" in first(error)


@pytest.mark.needs("script flags")
@pytest.mark.parametrize(
    ("line", "said", "help_"),
    [
        ("#!lua flags=nope", "Unexpected flag in script shebang: nope", "flags are no-writes"),
        ("#!nope", "", "begin the script with #!lua"),
        ("#!lua nope=1", "Unknown lua shebang option: nope=1", "begin the script with #!lua"),
    ],
)
async def test_a_first_line_that_the_server_refuses(
    client: GlideClient, line: str, said: str, help_: str
) -> None:
    script = Script(f"{line}\nreturn 1\n", name="flags.lua")
    with pytest.raises(ScriptSyntaxError) as raised:
        await client.invoke_script(script)
    assert first(raised.value).startswith(f"flags.lua:1: Lua syntax error: {said}")
    assert raised.value.line == 1
    assert f" 1 | {line}" in str(raised.value)
    assert f"= help: {help_}" in str(raised.value)


async def test_a_server_that_does_not_know_flags_is_named(client: GlideClient) -> None:
    script = Script("#!lua\nreturn 1\n")
    if has("script flags"):
        assert await client.invoke_script(script) == 1
    else:
        error = await failure(client.invoke_script(script))
        assert "Lua syntax error: unexpected symbol near '#'" in first(error)
        assert "= note: servers before Redis 7.0 do not know a first line" in str(error)


async def test_a_command_s_code_follows_the_place(
    client: GlideClient, scripts: ScriptLibrary, tmp_path: Path
) -> None:
    (tmp_path / "push.lua").write_text("\n\nreturn redis.call('LPUSH', 'k', 1)")
    await client.set("k", "text")
    error = await failure(ScriptLibrary.from_directory(tmp_path).push(client))
    words = "Operation against a key holding the wrong kind of value"
    assert first(error) == f"push.lua:3: WRONGTYPE {words}"
    assert error.message == words


async def test_it_is_the_same_however_the_script_is_called(
    client: GlideClient, server: ValkeyServer, scripts: ScriptLibrary
) -> None:
    expected = f"count.lua:2: {NIL}"
    count = scripts.count
    assert first(await failure(client.invoke_script(count, ["k"], once=True))) == expected
    for is_atomic in (False, True):
        batch = Batch(is_atomic=is_atomic).set("k", "v").invoke_script(count, ["k"])
        count.add_to(batch, "k")
        results = await client.exec(batch, raise_on_error=False)
        assert results is not None
        for index in (1, 2):
            assert first(results[index]) == f"{expected} (batch[{index}]: EVALSHA count)"
        assert first(await failure(client.exec(batch, raise_on_error=True))).startswith(expected)
    (error,) = await client.invoke_script_many(count, [(["k"], [])], raise_on_error=False)
    assert isinstance(error, ScriptError)
    assert first(error) == f"{expected} (calls[0]: EVALSHA count)"

    def call() -> str:
        with sync.GlideClient.from_url(server.url) as other, pytest.raises(ScriptError) as caught:
            count(other, "k")
        return first(caught.value)

    assert await asyncio.to_thread(call) == expected


# Strings


INDENTED = Script(
    """
    local a = 1
    return a + nil -- indented
    """,
    name="indented",
)
DEDENTED = Script(
    textwrap.dedent("""\
    local a = 1
    return a + nil -- dedented
""").strip()
)
ONE_LINE = Script("return 1 + nil -- one line")
ESCAPED = Script("local a = 1\nreturn a + nil -- escaped")


async def test_of_a_string_it_has_the_line_of_the_python_file(client: GlideClient) -> None:
    for script, text in (
        (INDENTED, "return a + nil -- indented"),
        (DEDENTED, "return a + nil -- dedented"),
        (ONE_LINE, 'ONE_LINE = Script("return 1 + nil -- one line")'),
        (ESCAPED, r'ESCAPED = Script("local a = 1\nreturn a + nil -- escaped")'),
    ):
        assert (
            first(await failure(client.invoke_script(script))) == f"{HERE}:{line_of(text)}: {NIL}"
        )
    batch = Batch(is_atomic=False).invoke_script(INDENTED)
    (error,) = await client.exec(batch, raise_on_error=False) or []
    place = f"{HERE}:{line_of('return a + nil -- indented')}"
    assert first(error) == f"{place}: {NIL} (batch[0]: EVALSHA indented)"


async def test_of_equal_strings_it_has_the_nearest(client: GlideClient) -> None:
    one = Script("return nil + 1 -- twice")
    here = inspect.currentframe()
    assert here is not None
    other = Script("return nil + 1 -- twice")
    near = here.f_lineno - 1
    for script, line in ((one, near - 3), (other, near)):
        assert first(await failure(client.invoke_script(script))) == f"{HERE}:{line}: {NIL}"


async def test_of_code_that_is_no_string_of_the_file_it_has_the_name_or_the_hash(
    client: GlideClient,
) -> None:
    code = "\n".join(["", "return nil + " + str(7)])
    named, unnamed = Script(code, name="made"), Script(code)
    assert first(await failure(client.invoke_script(named))) == f"made:2: {NIL}"
    expected = f"script {unnamed.hash[:8]}:2: {NIL}"
    assert first(await failure(client.invoke_script(unnamed))) == expected


def test_where_it_was_made_does_not_make_a_script_another_one() -> None:
    one = Script("return 1")
    other = Script("return 1")
    assert one == other
    assert hash(one) == hash(other)


# Code that is not in a Script


@pytest.mark.needs("functions")
async def test_of_a_function_it_has_the_library_s_name(client: GlideClient) -> None:
    code = "#!lua name=mylib\nredis.register_function('boom', function()\n  return nil + 1\nend)"
    library = FunctionLibrary(code)
    error = await failure(client.fcall(library.function("boom")))
    assert str(error) == f"mylib:3: {NIL}\n  mylib, line 3: return nil + 1"
    assert error.source_line == "  return nil + 1"
    assert first(await failure(client.fcall("boom"))) == f"user_function:3: {NIL}"
    broken = code.replace("nil + 1", "nil +")
    error = await failure(client.function_load(broken, replace=True))
    assert first(error).startswith("mylib:4: Lua syntax error: ")


async def test_of_plain_eval_it_has_the_hash(client: GlideClient) -> None:
    code = "\nreturn nil + 1"
    expected = f"script {Script(code).hash[:8]}:2: {NIL}"
    for call in (client.eval(code), client.custom_command(["EVAL", code, "0"])):
        error = await failure(call)
        assert first(error) == expected
        assert " 2 | return nil + 1" in str(error)
    sha = await client.script_load(code)
    assert first(await failure(client.evalsha(sha))) == f"user_script:2: {NIL}"


# Text that scripts return


LONG = "x" * 2_000_000
CALLS: list[Callable[[GlideClient, str], Awaitable[Any]]] = [
    lambda client, words: client.invoke_script(
        Script("return redis.error_reply('MINE ' .. ARGV[1])", name="own"), [], [words]
    ),
    lambda client, words: client.eval("return redis.error_reply('MINE ' .. ARGV[1])", [], [words]),
    lambda client, words: client.exec(
        Batch(is_atomic=True).custom_command(
            ["EVAL", "return redis.error_reply('MINE ' .. ARGV[1])", "0", words]
        ),
        raise_on_error=True,
    ),
]


@pytest.mark.parametrize("call", CALLS, ids=["script", "eval", "transaction"])
async def test_long_words_are_cut_and_control_characters_escaped(
    client: GlideClient, call: Callable[[GlideClient, str], Awaitable[Any]]
) -> None:
    with pytest.raises(RequestError) as caught:
        await call(client, LONG)
    assert len(first(caught.value)) < 2500
    assert "xxx…" in first(caught.value)
    with pytest.raises(RequestError) as caught:
        await call(client, "\x1b[31mred\x9b\u2028\u202eé")
    assert r"MINE \x1b[31mred\x9b\u2028\u202eé" in first(caught.value)
    assert str(caught.value).isprintable() or "\n" in str(caught.value)


async def test_a_message_keeps_its_control_characters(client: GlideClient) -> None:
    error = await failure(
        client.invoke_script(Script("return redis.error_reply('MINE ' .. ARGV[1])"), [], ["a\tb"])
    )
    assert error.message == "a\tb"
    assert first(error).endswith(r"MINE a\x09b")


async def test_a_line_of_the_script_is_shown_escaped_too(client: GlideClient) -> None:
    error = await failure(client.invoke_script(Script("error('boom') -- \x1b[2J\u202e", name="s")))
    assert r" 1 | error('boom') -- \x1b[2J\u202e" in str(error)


async def test_bytes_of_a_line_that_are_not_text_are_shown_escaped_too(client: GlideClient) -> None:
    error = await failure(
        client.invoke_script(Script(b"error('boom') -- \xff\x01\xc3\xa9"), [], [])
    )
    assert r" 1 | error('boom') -- \xff\x01" + "\u00e9" in str(error)
