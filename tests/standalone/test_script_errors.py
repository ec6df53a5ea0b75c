"""What the error of a failed script shows, of whichever client method it was."""

from __future__ import annotations

import inspect
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from glide_scripts import (
    GlideClient,
    Key,
    RequestError,
    Script,
    ScriptError,
    ScriptLibrary,
    ScriptSyntaxError,
    Secret,
    typed_script,
)


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
    assert first == "ERR user_script:3: boom script: on @user_script:3."
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
    assert "\n   = sent as: line 4, which the server names\n" in str(error)


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
    assert "about is dict that cannot be sent as dict[str, int]" in str(caught.value)
    assert "hunter2" not in everything(caught.value)
    with pytest.raises(ValueError, match="token is str that cannot be sent") as refused:
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


async def test_none_of_many_calls_shows_a_secret(client: GlideClient) -> None:
    calls: list[Any] = [([], [SECRET]), ([], ["hunter2"])]
    for error in await client.invoke_script_many(raises_it, calls, raise_on_error=False):
        assert isinstance(error, ScriptError)
        assert "hunter2" not in everything(error)
        assert " 1 | error(ARGV[1])" in str(error)


async def test_a_code_of_one_s_own_gets_no_advice(client: GlideClient) -> None:
    script = Script("return redis.error_reply('WRONGTYPE of mine')")
    assert "note:" not in str(await failure(client.invoke_script(script)))
