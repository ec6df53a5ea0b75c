"""What the error of a failed script shows, for each client method."""

from __future__ import annotations

import asyncio
import inspect
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.conftest import Connect
from tests.waiting import timed_out

from glide_scripts import (
    Batch,
    GlideClient,
    Key,
    ProtocolVersion,
    RequestError,
    Script,
    ScriptError,
    ScriptLibrary,
    ScriptSyntaxError,
    Secret,
    typed_script,
)
from glide_scripts.testing import ValkeyServer


async def failure(call: Any) -> Any:
    with pytest.raises(RequestError) as caught:
        await call
    return caught.value


FAILING = Script("local a = 1\n\nerror('boom')\nreturn a", name="failing")


async def test_a_plain_call_shows_its_place_keys_and_arguments(client: GlideClient) -> None:
    error = await failure(
        client.invoke_script(FAILING, ["k1", b"\xff"], ["x" * 61, "é", b"y" * 70, ""])
    )
    first, rest = str(error).split("\n", 1)
    assert first.startswith(f"{Path(__file__).name}:")
    assert first.endswith(": boom")
    assert rest == (
        "  --> failing, line 3\n"
        "   |\n"
        " 1 | local a = 1\n"
        " 2 |\n"
        " 3 | error('boom')\n"
        "   | ^^^^^^^^^^^^^\n"
        " 4 | return a\n"
        "   |\n"
        "   = keys: 'k1', b'\\xff'\n"
        f"   = args: {'x' * 60!r}… (61 bytes), 'é', {'y' * 60!r}… (70 bytes), ''"
    )
    assert error.keys == ("k1", "\\xff")
    assert error.message == "boom"
    assert error.file is None


async def test_the_script_of_an_error_is_the_one_that_was_passed(client: GlideClient) -> None:
    error = await failure(client.invoke_script(FAILING))
    assert error.script is FAILING


async def test_a_script_without_a_name_is_shown_by_its_hash(client: GlideClient) -> None:
    script = Script("error('boom')")
    error = await failure(client.invoke_script(script))
    assert f"\n  --> script {script.hash[:8]}, line 1\n" in str(error)


async def test_what_can_be_read_once_is_not_shown(client: GlideClient) -> None:
    error = await failure(client.invoke_script(FAILING, iter(["k"]), iter(["a"])))
    assert "keys:" not in str(error)
    assert error.keys == ()


async def test_of_many_keys_the_first_are_shown(client: GlideClient) -> None:
    error = await failure(client.invoke_script(FAILING, [f"k{i}" for i in range(1000)]))
    assert "'k7', and 992 more" in str(error)
    assert len(error.keys) == 8


async def test_long_lines_and_many_lines_are_cut(client: GlideClient) -> None:
    code = "\n" * 500 + f"error('boom') -- {'x' * 1000}" + "\n" * 500
    error = await failure(client.invoke_script(Script(code)))
    assert max(map(len, str(error).splitlines())) < 200
    assert len(str(error).splitlines()) < 10
    assert " 501 | error('boom')" in str(error)


@pytest.mark.parametrize(
    ("code", "note", "help_"),
    [
        ("return ARGV[2] + 1", "ARGV[2] is nil: the call has 1 argument", "pass this argument"),
        ("return 'a' .. KEYS[3]", "KEYS[3] is nil: the call has 2 keys", "pass this key"),
        ("return redis.call('SET', KEYS[1], ARGV[2])", "ARGV[2] is nil", "pass this argument"),
        ("return redis.call('SET', KEYS[1], ARGV[2], 'NX')", "ARGV[2] is nil", "correct the index"),
        ("return ARGV[0] < 1", "ARGV[0] is nil: Lua counts from 1", "the first one is ARGV[1]"),
        ("return ARGV[1].x.y", "'x' is nil", "if x then"),
        ("local a\nreturn a + ARGV[2]", "'a' is nil", "tonumber(a or 0)"),
        ("return (ARGV[2] or KEYS[1]) .. nil", "a value beside '..' is nil", "tostring(...)"),
    ],
)
async def test_a_key_or_argument_that_was_not_passed_is_named(
    client: GlideClient, code: str, note: str, help_: str
) -> None:
    error = await failure(client.invoke_script(Script(code), ["k1", "k2"], ["7"]))
    shown_note, shown_help = str(error).splitlines()[-2:]
    assert shown_note.startswith(f"   = note: {note}")
    assert shown_help.startswith("   = help: ")
    assert help_ in shown_help


async def test_values_that_can_be_read_once_are_not_counted(client: GlideClient) -> None:
    error = await failure(client.invoke_script(Script("return 'a' .. ARGV[2]"), [], iter("a")))
    assert "a value beside '..' is nil" in str(error)


async def test_an_error_can_be_pickled(client: GlideClient) -> None:
    error = await failure(client.invoke_script(FAILING, ["k"]))
    again = pickle.loads(pickle.dumps(error))
    assert (str(again), vars(again)) == (str(error), vars(error))


# Files


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


async def test_the_place_is_that_of_the_included_file(client: GlideClient, folder: Path) -> None:
    (folder / "main.lua").write_text('local a = 1\n--@include "lib/util.lua"\nreturn sum(nil)\n')
    (folder / "lib").mkdir()
    (folder / "lib/util.lua").write_text("local function sum(t)\n  return t[1]\nend\n")
    error = await failure(client.invoke_script(Script.from_file("main.lua"), ["k"]))
    assert (error.file, error.line, error.source_line) == ("lib/util.lua", 2, "  return t[1]")
    assert "\n  --> lib/util.lua:2, in main, included at main.lua:2\n" in str(error)
    assert "\n   = sent as: line 4, the number in the server's own messages\n" in str(error)


async def test_lines_around_are_of_the_same_file(client: GlideClient, folder: Path) -> None:
    (folder / "main.lua").write_text('local a = 1\n--@include "util.lua"\nerror("boom")\nreturn a')
    (folder / "util.lua").write_text("local u1\nlocal u2\nlocal u3\n")
    error = await failure(client.invoke_script(Script.from_file("main.lua")))
    assert str(error).splitlines()[2:9] == [
        "   |",
        " 1 | local a = 1",
        ' 2 | --@include "util.lua"',
        ' 3 | error("boom")',
        "   | ^^^^^^^^^^^^^",
        " 4 | return a",
        "   |",
    ]


async def test_an_error_at_the_end_of_a_file_is_placed_there(
    client: GlideClient, folder: Path
) -> None:
    (folder / "main.lua").write_text('if true then\n--@include "util.lua"')
    (folder / "util.lua").write_text("local u1\n")
    error = await failure(client.invoke_script(Script.from_file("main.lua")))
    assert isinstance(error, ScriptSyntaxError)
    assert error.file == "main.lua"
    assert "= note: the 'if' of main.lua:1 has no 'end'" in str(error)


# Secrets


SECRET = "hunter2 is\nmy pass"


@typed_script(Script("return redis.error_reply(ARGV[1] .. ' is wrong')", name="says_it"))
def says_it(token: Secret[str], other: str) -> None: ...


@typed_script(Script("error(ARGV[1])", name="raises_it"))
def raises_it(token: Secret[str]) -> None: ...


@typed_script(Script("return ARGV[1]", name="returns_it"))
def returns_it(token: Secret[str]) -> int:
    raise NotImplementedError


@typed_script(Script("error(KEYS[1] .. ARGV[2])", name="several"))
def several(user: Secret[Key], tokens: Secret[list[str]]) -> None: ...


def everything(error: BaseException) -> str:
    """All that an error, and what it came from, might show."""
    shown = []
    each: BaseException | None = error
    while each is not None:
        shown += [str(each), repr(each), repr(each.args), repr(vars(each))]
        each = each.__cause__ or each.__context__
    return "\n".join(shown)


@pytest.mark.every_server
async def test_a_secret_is_shown_nowhere(client: GlideClient) -> None:
    calls: list[Callable[[], Any]] = [
        lambda: says_it(client, SECRET, "other"),
        lambda: raises_it(client, SECRET),
        lambda: returns_it(client, SECRET),
        lambda: client.invoke_script(says_it, [], [SECRET, "other"]),
        lambda: client.invoke_script(says_it, [], iter([SECRET, "other"])),
        # More than was declared: what is secret cannot be known, so nothing is shown.
        lambda: client.invoke_script(raises_it, [], ["x", SECRET]),
        lambda: several(client, SECRET, ["a", SECRET]),
    ]
    for call in calls:
        shown = everything(await failure(call()))
        assert "hunter2" not in shown
        assert "my pass" not in shown
        assert "<secret>" in shown


@pytest.mark.every_server
@pytest.mark.parametrize("end", ["\0", "\r\n"])
async def test_the_beginning_of_a_secret_that_a_server_cuts_is_not_shown(
    client: GlideClient, end: str
) -> None:
    shown = everything(await failure(raises_it(client, f"hunter2{end}+OK")))
    assert "hunter2" not in shown
    assert "<secret>" in shown


@typed_script(Script("return {string.rep('x', 290) .. ARGV[1], ARGV[1], KEYS[1]}", name="long"))
def long(user: Key, token: Secret[bytes]) -> int:
    raise NotImplementedError


async def test_no_part_of_a_secret_is_shown_either(client: GlideClient) -> None:
    for secret in ("hunter2" * 10, "pâss\twörd\n", "'\"\\"):
        error = await failure(long(client, "u1", secret.encode()))
        shown = everything(error)
        for part in ("hun", "p\\xc3", "wörd", "rd\\n", "\\'"):
            assert part not in shown


async def test_what_is_not_secret_is_shown_beside_it(client: GlideClient) -> None:
    error = await failure(says_it(client, SECRET, "other"))
    assert "= args: token = <secret>, other = 'other'" in str(error)
    assert "is wrong" in error.message


def test_a_wrong_argument_does_not_show_the_others() -> None:
    with pytest.raises(TypeError) as caught:
        says_it.pack(SECRET, 3)  # type: ignore[arg-type]
    assert "hunter2" not in str(caught.value)


@typed_script(Script("return 1", name="deep"))
def deep(about: Secret[dict[str, int]], token: Secret[str] = "hunter2") -> None: ...


def test_a_secret_that_does_not_fit_is_not_shown() -> None:
    with pytest.raises(TypeError) as caught:
        deep.pack({"hunter2": "x"})  # type: ignore[dict-item]
    assert "about is dict and cannot be sent as dict[str, int]" in str(caught.value)
    assert "hunter2" not in everything(caught.value)
    with pytest.raises(ValueError, match="token is str and cannot be sent") as refused:
        deep.pack({}, "hunter2 \ud800")
    assert "hunter2" not in everything(refused.value)
    assert "hunter2" not in f"{deep!r} {inspect.signature(deep)}"


# Codes of one's own


class OutOfStock(ScriptError):
    def __init__(self, nothing: int) -> None:
        raise AssertionError("an error of a script is not made by its class")


@pytest.fixture
def shop(folder: Path) -> ScriptLibrary:
    (folder / "shop" / "deep").mkdir(parents=True)
    (folder / "shop/take.lua").write_text(
        "--@key sku\nreturn redis.error_reply('OUT_OF_STOCK sku ' .. KEYS[1])"
    )
    (folder / "shop/burst.lua").write_text("error({err='OUT_OF_STOCK sku 9'})")
    (folder / "shop/deep/other.lua").write_text("return redis.error_reply('OTHER words')")
    shop = ScriptLibrary.from_directory("shop")
    shop.error("OUT_OF_STOCK")(OutOfStock)
    return shop


async def test_a_code_raises_its_class_with_its_message(
    client: GlideClient, shop: ScriptLibrary
) -> None:
    error = await failure(shop.take(client, "7"))
    assert type(error) is OutOfStock
    assert str(error).splitlines()[0] == "OUT_OF_STOCK sku 7"
    assert (error.message, error.code) == ("sku 7", "OUT_OF_STOCK")
    assert error.script is shop.take
    assert error.may_have_executed is True
    assert error.keys == ("7",)


@pytest.mark.needs("error codes")
async def test_a_code_may_also_be_raised(client: GlideClient, shop: ScriptLibrary) -> None:
    error = await failure(shop.burst(client))
    assert type(error) is OutOfStock
    assert (error.message, error.line) == ("sku 9", 1)


async def test_other_codes_stay_what_they_are(client: GlideClient, shop: ScriptLibrary) -> None:
    error = await failure(shop.deep.other(client))
    assert type(error) is ScriptError
    assert (error.code, error.message) == ("OTHER", "words")


async def test_a_plain_call_of_a_library_s_script_raises_it_too(
    client: GlideClient, shop: ScriptLibrary
) -> None:
    with pytest.raises(OutOfStock):
        await client.invoke_script(shop.take, ["7"])


async def test_one_of_many_calls_raises_it_too(client: GlideClient, shop: ScriptLibrary) -> None:
    calls: list[Any] = [([str(sku)], []) for sku in range(3)]
    replies = await client.invoke_script_many(shop.take, calls, raise_on_error=False)
    assert [type(reply) for reply in replies] == [OutOfStock] * 3
    assert [reply.message for reply in replies] == ["sku 0", "sku 1", "sku 2"]  # type: ignore[union-attr]
    with pytest.raises(OutOfStock, match="sku 0"):
        await client.invoke_script_many(shop.take, calls)


@pytest.mark.every_server
async def test_none_of_many_calls_shows_a_secret(client: GlideClient) -> None:
    calls: list[Any] = [([], [SECRET]), ([], ["hunter2"])]
    for error in await client.invoke_script_many(raises_it, calls, raise_on_error=False):
        assert isinstance(error, ScriptError)
        assert "hunter2" not in everything(error)
        assert " 1 | error(ARGV[1])" in str(error)


async def test_a_code_of_one_s_own_gets_no_advice(client: GlideClient) -> None:
    script = Script("return redis.error_reply('WRONGTYPE of mine')")
    assert "note:" not in str(await failure(client.invoke_script(script)))


# Secrets in other words


HIDDEN = "(not shown: it may contain a secret)"


@typed_script(Script("return redis.error_reply('MY ' .. cjson.encode({t = ARGV[1]}))", name="json"))
def as_json(token: Secret[str]) -> None: ...


@typed_script(Script("error('MY ' .. ARGV[1]:sub(1, 40))", name="cut"))
def as_a_part(token: Secret[str]) -> None: ...


@typed_script(Script("error(ARGV[1]:upper())", name="upper"))
def as_capitals(token: Secret[str]) -> None: ...


@typed_script(Script("return redis.call('OBJECT', ARGV[1])", name="server_cuts"))
def as_the_server_cuts_it(token: Secret[str]) -> None: ...


@typed_script(Script("error(cjson.decode(ARGV[1]).users[1].pin .. ' is wrong')", name="leaf"))
def as_a_leaf(about: Secret[dict[str, Any]]) -> None: ...


@typed_script(Script("error('pin ' .. tonumber(ARGV[1]))", name="number"))
def as_a_number(pin: Secret[float]) -> None: ...


@pytest.mark.parametrize(
    ("script", "secret", "leak"),
    [
        *((as_json, f"hunter2{sign}abc", "hunter2") for sign in '/"\\\té'),
        (as_a_part, "hunter2" * 30, "hunter2"),
        (as_capitals, "hunter2", "HUNTER2"),
        pytest.param(
            *(as_the_server_cuts_it, "hunter2" * 30, "hunter2"),
            marks=pytest.mark.needs("quoted subcommands"),
        ),
        (as_a_leaf, {"users": [{"pin": "hunter2"}]}, "hunter2"),
        (as_a_leaf, {"users": [{"pin": 903}]}, "903"),
        (as_a_number, 987654.0, "987654"),
        (as_a_number, 123456789012345678.0, "1.2345678"),
    ],
)
async def test_a_secret_is_not_shown_in_other_words_either(
    client: GlideClient, script: Any, secret: Any, leak: str
) -> None:
    error = await failure(script(client, secret))
    assert leak not in everything(error)
    assert "<secret>" in error.message or error.message == HIDDEN
    assert error.code in ("ERR", "MY")
    assert f"in {script.name}" in str(error) or f"--> {script.name}" in str(error)


async def test_a_first_word_that_is_secret_is_no_code(client: GlideClient) -> None:
    @typed_script(Script("return redis.error_reply(ARGV[1])", name="says_only_it"))
    def says_only_it(token: Secret[str]) -> None: ...

    for secret in ("HUNTER2 abc", "AB cdef", "HUNTER2"):
        error = await failure(says_only_it(client, secret))
        shown = everything(error)
        for part in ("HUNTER2", "abc", "AB", "cdef"):
            assert part not in shown
        assert error.message == "<secret>"


@typed_script(Script("return {cjson.encode({t = ARGV[1]})}", name="in_reply"))
def in_reply(token: Secret[str]) -> int:
    raise NotImplementedError


@typed_script(Script("return {ARGV[1]:sub(1, 40), 1}", name="part_in_reply"))
def part_in_reply(token: Secret[str]) -> dict[str, str]:
    raise NotImplementedError


async def test_a_reply_does_not_show_it_either(client: GlideClient) -> None:
    for secret in ("hunter2/abc", 'hunter2"abc', "hunter2\\abc", "hunter2" * 30):
        for script in (in_reply, part_in_reply):
            error = await failure(script(client, secret))
            assert "hunter2" not in everything(error)


@pytest.mark.parametrize("secret", ["a", "1", "e", "MY", "ERR", "value", "WRONGTYPE", " ", ":", ""])
@pytest.mark.needs("error codes")
async def test_a_short_secret_does_not_shred_the_text(client: GlideClient, secret: str) -> None:
    await client.set("k", "x")

    @typed_script(Script("return redis.call('LPUSH', KEYS[1], 1)", name="push"))
    def push(key: Key, token: Secret[str]) -> None: ...

    error = await failure(push(client, "k", secret))
    assert error.code == "WRONGTYPE"
    assert error.message == "Operation against a key holding the wrong kind of value"
    assert "= help: check the key with TYPE" in str(error)

    @typed_script(Script("local x = nil\nreturn x.y", name="index"))
    def index(token: Secret[str]) -> None: ...

    error = await failure(index(client, secret))
    assert error.message == "attempt to index local 'x' (a nil value)"
    assert "= help: test it before it is used: if x then" in str(error)

    @typed_script(Script("return redis.error_reply('MY name is ' .. ARGV[1])", name="own"))
    def own(token: Secret[str]) -> None: ...

    error = await failure(own(client, secret))
    assert error.code == "MY"
    assert error.message in ("name is " + secret, HIDDEN, "name is <secret>")


@pytest.mark.needs("error codes")
async def test_many_calls_keep_the_code_the_hint_and_the_place_of_each(client: GlideClient) -> None:
    await client.set("k", "x")

    @typed_script(Script("return redis.call('LPUSH', KEYS[1], ARGV[1])", name="push"))
    def push(key: Key, token: Secret[str]) -> None: ...

    calls: list[Any] = [(["k"], ["hunter2"])] * 2
    for index, error in enumerate(
        await client.invoke_script_many(push, calls, raise_on_error=False)
    ):
        assert isinstance(error, ScriptError)
        assert error.code == "WRONGTYPE"
        assert error.message == "Operation against a key holding the wrong kind of value"
        assert f"(calls[{index}]: EVALSHA push)" in str(error).splitlines()[0]
        assert "= args: token = <secret>" in str(error)
        assert "= help: check the key with TYPE" in str(error)


async def test_many_calls_that_can_be_read_once_keep_code_and_class(
    client: GlideClient, folder: Path
) -> None:
    (folder / "lib").mkdir()
    (folder / "lib/take.lua").write_text(
        "--@arg token: str\n--@secret token\nreturn redis.error_reply('OUT_OF_STOCK ' .. ARGV[1])"
    )
    library = ScriptLibrary.from_directory("lib")
    library.error("OUT_OF_STOCK")(OutOfStock)
    for arguments in (["hunter2"], iter(["hunter2"])):
        (error,) = await client.invoke_script_many(
            library.take, [([], arguments)], raise_on_error=False
        )
        assert isinstance(error, OutOfStock)
        assert error.code == "OUT_OF_STOCK"
        assert error.message in ("<secret>", HIDDEN)
        assert "(calls[0]: EVALSHA take)" in str(error)
        assert "hunter2" not in everything(error)


async def test_lists_that_change_after_they_were_added_hide_what_was_sent(
    client: GlideClient,
) -> None:
    arguments: list[Any] = ["hunter2"]
    batch = Batch(is_atomic=False).invoke_script(raises_it, [], arguments)
    arguments[:] = ["x"]
    (error,) = await client.exec(batch, raise_on_error=False) or []
    assert isinstance(error, ScriptError)
    assert "hunter2" not in everything(error)


# Codes


async def test_a_code_without_words_raises_its_class(
    client: GlideClient, shop: ScriptLibrary
) -> None:
    script: Any = shop.take
    (Path("shop") / "bare.lua").write_text("return redis.error_reply('OUT_OF_STOCK')")
    again = ScriptLibrary.from_directory("shop")
    again.error("OUT_OF_STOCK")(OutOfStock)
    error = await failure(again.bare(client))
    assert type(error) is OutOfStock
    assert (error.code, error.message) == ("OUT_OF_STOCK", "")
    assert script is not None


async def test_a_code_may_have_small_letters(client: GlideClient, folder: Path) -> None:
    (folder / "shop").mkdir()
    (folder / "shop/a.lua").write_text("return redis.error_reply('OutOfStock sku 7')")
    (folder / "shop/b.lua").write_text("return redis.error_reply('gone sku 7')")
    (folder / "shop/c.lua").write_text("return redis.error_reply('Stock is low')")
    shop = ScriptLibrary.from_directory("shop")
    shop.error("gone")(OutOfStock)
    assert (await failure(shop.a(client))).message == "sku 7"
    error = await failure(shop.b(client))
    assert (type(error), error.message) == (OutOfStock, "sku 7")
    assert (await failure(shop.c(client))).message == "Stock is low"


# In batches, of scripts that are not typed


async def test_a_plain_script_in_a_batch_shows_where_it_failed(client: GlideClient) -> None:
    for is_atomic in (False, True):
        batch = Batch(is_atomic).set("k", "v").invoke_script(FAILING, ["k1"], ["a1"])
        _, error = await client.exec(batch, raise_on_error=False) or []
        assert isinstance(error, ScriptError)
        first, rest = str(error).split("\n", 1)
        assert first.endswith("(batch[1]: EVALSHA failing)")
        assert rest.startswith("  --> failing, line 3\n")
        assert " 3 | error('boom')\n   | ^^^^^^^^^^^^^\n" in rest
        # They are not kept.
        assert "keys:" not in rest
        assert (error.message, error.script, error.keys) == ("boom", FAILING, ())
        with pytest.raises(ScriptError, match="--> failing, line 3"):
            await client.exec(batch, raise_on_error=True)


async def test_a_plain_script_of_many_calls_shows_it_too(client: GlideClient) -> None:
    calls: list[Any] = [([f"k{index}"], ["a"]) for index in range(3)]
    replies = await client.invoke_script_many(FAILING, calls, raise_on_error=False)
    for index, error in enumerate(replies):
        assert isinstance(error, ScriptError)
        assert error.message == "boom"
        assert f"= keys: 'k{index}'" in str(error)
        assert f"(calls[{index}]: EVALSHA failing)" in str(error)


# No server answered


async def test_a_timeout_names_the_script_and_its_file(
    own_server: ValkeyServer, protocol: ProtocolVersion, connect: Connect, folder: Path
) -> None:
    own_server.command("CONFIG", "SET", "lua-time-limit", "20")
    client = await connect(own_server, protocol=protocol)
    (folder / "slow.lua").write_text("--@readonly\nwhile true do end")
    script = Script.from_file("slow.lua")
    try:
        late = await timed_out(client, script, timeout=50)
    finally:
        assert await stopped(client)
    assert str(late).endswith("\n  --> slow.lua, in slow")
    try:
        late = await timed_out(client, Script("while true do end"), timeout=50)
    finally:
        assert await stopped(client)
    assert "-->" not in str(late)


async def stopped(client: GlideClient) -> bool:
    """Stops the script that runs, once the server takes that."""
    for _ in range(2000):
        try:
            await client.script_kill()
        except RequestError:
            await asyncio.sleep(0.005)
        else:
            return True
    return False
