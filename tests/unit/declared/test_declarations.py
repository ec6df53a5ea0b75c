"""What scripts declare of their calls, in comments and by functions."""

from __future__ import annotations

import datetime
import inspect
import pickle
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any, Optional

import pytest

from glide_scripts import Json, Key, Script, ScriptSourceError, Secret, TypedScript, typed_script


@dataclass
class Point:
    x: int
    y: float = 0.0


@dataclass
class Handle:
    socket: object


def declared(folder: Path, head: str) -> TypedScript[..., Any]:
    """The script of a file that begins so."""
    (folder / "limit.lua").write_text(head + "\nreturn 1")
    return Script.from_file(folder / "limit.lua")


@pytest.mark.parametrize(
    ("head", "signature"),
    [
        ("--@key user\n--@arg limit: int", "(client, user: Key, limit: int) -> Any"),
        ("--@arg limit: int\n--@key user", "(client, limit: int, user: Key) -> Any"),
        ("--@keys items...", "(client, items: list[Key]) -> Any"),
        ("--@key a\n--@keys more ...\n", "(client, a: Key, more: list[Key]) -> Any"),
        ("--@arg ids: str...", "(client, ids: list[str]) -> Any"),
        ("--@arg ids: list[int]", "(client, ids: list[int]) -> Any"),
        (
            "--@arg a: float\n--@arg b: bool\n--@arg c: bytes\n--@arg d: json",
            "(client, a: float, b: bool, c: bytes, d: Json[Any]) -> Any",
        ),
        ("--@arg prices: dict[str, float]", "(client, prices: dict[str, float]) -> Any"),
        ("--@returns list[int]", "(client) -> list[int]"),
        ("--@returns Optional[str]", "(client) -> str | None"),
        ("--@returns int | None", "(client) -> int | None"),
        ("--@returns tuple[int, ...]", "(client) -> tuple[int, ...]"),
        (
            "--@returns dict[str, list[tuple[int, str]]]",
            "(client) -> dict[str, list[tuple[int, str]]]",
        ),
        ("--@returns None", "(client) -> None"),
        ("  --@key   user  -- whose calls are counted", "(client, user: Key) -> Any"),
        ("--@key \ufb01", "(client, fi: Key) -> Any"),
        ("-- @author me", "(client, keys: list[Key] = (), args: list[str | bytes] = ()) -> Any"),
        ("-- A title.\n\n--[[ More\nwords. ]]\n--@key user", "(client, user: Key) -> Any"),
        ("", "(client, keys: list[Key] = (), args: list[str | bytes] = ()) -> Any"),
        (
            "---@param user string",
            "(client, keys: list[Key] = (), args: list[str | bytes] = ()) -> Any",
        ),
    ],
)
def test_comments_declare_a_signature(tmp_path: Path, head: str, signature: str) -> None:
    assert str(declared(tmp_path, head)._signature) == signature


def test_comments_declare_what_else_a_script_is(tmp_path: Path) -> None:
    script = declared(tmp_path, "--@name rate\n--@readonly\n--@idempotent")
    assert (script.name, script.read_only, script.idempotent) == ("rate", True, True)
    plain = declared(tmp_path, "")
    assert (plain.name, plain.read_only, plain.idempotent) == ("limit", False, False)


BAD = [
    ("--@foo", "limit.lua:1: --@foo is not known; there are --@arg"),
    ("\n--@retruns int", "limit.lua:2: --@retruns is not known; did you mean --@returns?"),
    ("--@arg limit", "--@arg takes a name and a type: --@arg limit: int; not 'limit'"),
    ("--@arg", "not nothing"),
    ("--@arg limit: integer", "'integer' is not a type; did you mean int?"),
    ("--@arg limit: int int", "'int int' is not a type"),
    ("--@arg limit: list[int", "is not a type"),
    ("--@arg limit: list[int, str]", "list takes 1 in its brackets"),
    ("--@arg limit: dict[str]", "dict takes 2 in its brackets"),
    ("--@arg limit: __import__('os')", "is not a type"),
    ("--@arg limit: int | None", "strings, never None"),
    ("--@arg limit: set[int]", "'limit' is set[int], which cannot be sent"),
    ("--@arg limit: dict[int, str]", "keys in JSON are str, not int"),
    ("--@arg limit: list", "write the type of its items, as in list[str]"),
    ("--@arg mode: Literal[[]]", "'mode' is Literal[[]], which cannot be sent"),
    ("--@arg mode: Literal[x]", "is not a type"),
    ("--@arg id: UUDI", "'UUDI' is not a type; did you mean UUID?"),
    ("--@arg 1x: int", "'1x' is not a valid Python name"),
    ("--@arg class: int", "'class' is a Python keyword"),
    ("--@key __x", "begins with"),
    ("--@key", "--@key takes a name: --@key user; not nothing"),
    ("--@key users...", "--@key takes a name: --@key user; not 'users...'"),
    ("--@keys users", "--@keys takes a name: --@keys items...; not 'users'"),
    ("--@key a b", "not 'a b'"),
    ("--@key user\n--@arg user: int", "limit.lua:2: 'user' is declared already in line 1"),
    (
        "--@keys a...\n--@key b",
        "limit.lua:2: 'a' takes all remaining keys, but 'b' comes after",
    ),
    (
        "--@arg a: int...\n--@arg b: int",
        "make 'a' the last argument; or send one of them as JSON",
    ),
    ("--@arg a: int...\n--@arg b: int...", "takes all remaining arguments"),
    ("--@returns", "'' is not a type"),
    ("--@returns int\n--@returns int", "limit.lua:2: --@returns is there twice"),
    ("--@secret token", "limit.lua:1: --@secret names 'token', which is not declared"),
    ("--@arg token: str\n--@secret tokne", "did you mean token?"),
    ("--@secret a, b", "--@secret takes the name of an argument, not 'a, b'"),
    ("--@readonly yes", "--@readonly takes nothing, not 'yes'"),
    ("--@name 9lives", "'9lives' is not a valid script name"),
    ("--@name", "'' is not a valid script name"),
    ("-- @key user", "limit.lua:1: -- @key is only a comment; write --@key, without a space"),
    ("--@key a\n--  @returns int", "limit.lua:2: -- @returns is only a comment"),
    ('-- @include "util.lua"', "limit.lua:1: -- @include is only a comment"),
    ("--@arg \ufb01: int\n--@arg fi: int", "limit.lua:2: 'fi' is declared already in line 1"),
    ("--@arg \uff49\uff46: int", "'if' is a Python keyword"),
    ("local a\n--@key user", "limit.lua:2: --@key comes after code; move it to the top"),
]


@pytest.mark.parametrize(("head", "words"), BAD)
def test_a_declaration_that_cannot_be_says_where_and_why(
    tmp_path: Path, head: str, words: str
) -> None:
    with pytest.raises(ScriptSourceError) as caught:
        declared(tmp_path, head)
    assert words in str(caught.value)
    assert caught.value.file == str(tmp_path / "limit.lua")
    assert caught.value.line is not None


def test_what_an_included_file_declares_is_its_own(tmp_path: Path) -> None:
    (tmp_path / "util.lua").write_text("--@key other\nlocal u = 1\n")
    script = declared(tmp_path, '--@key user\n--@include "util.lua"')
    assert str(script._signature) == "(client, user: Key) -> Any"


def test_a_function_declares_a_signature() -> None:
    @typed_script(Script("return 1"))
    def limit(  # noqa: PLR0917
        user: Key,
        items: list[Key],
        count: int,
        point: Point,
        options: dict[str, int],
        token: Secret[str],
        ids: tuple[str, ...] = (),
    ) -> Optional[Json[list[Point]]]:  # noqa: UP045
        raise NotImplementedError

    assert str(limit._signature) == (
        "(client, user: Key, items: list[Key], count: int, point: Point, "
        "options: dict[str, int], token: str, ids: list[str] = ()) -> Json[list[Point]] | None"
    )
    assert limit.name == "limit"
    assert [each.name for each in limit._signature.parameters if each.secret] == ["token"]
    assert list(inspect.signature(limit).parameters)[:2] == ["client", "user"]


def test_a_sequence_is_several_too() -> None:
    @typed_script(Script("return 1"))
    def limit(users: Sequence[Key], ids: Sequence[str]) -> None:
        pass

    assert str(limit._signature) == "(client, users: list[Key], ids: list[str]) -> None"
    assert limit.pack(["a", "b"], ("c",)) == (["a", "b"], ["c"])
    with pytest.raises(TypeError, match="ids is str; pass a list of str"):
        limit.pack([], "abc")


def in_each_way(user: Key, /, mode: str = "a", *more: Key, count: int, at: float = 0.5) -> None: ...
def by_name(user: Key, *, count: int) -> None: ...
def by_position(user: Key, count: int = 1, /) -> None: ...


def test_a_call_passes_parameters_as_the_function_takes_them() -> None:
    each_way = typed_script(Script("return 1"))(in_each_way)
    assert str(each_way._signature) == (
        "(client, user: Key, /, mode: str = 'a', *more: Key, count: int, at: float = 0.5) -> None"
    )
    assert each_way.pack("u", count=3) == (("u",), ("a", "3", "0.5"))
    assert each_way.pack("u", "b", "v", b"w", at=1.5, count=3) == (
        ("u", "v", b"w"),
        ("b", "3", "1.5"),
    )
    again = pickle.loads(pickle.dumps(each_way))
    assert again._signature == each_way._signature
    for function in (in_each_way, by_name, by_position):
        script = typed_script(Script("return 1"))(function)
        own = inspect.signature(function).parameters.values()
        shown = list(inspect.signature(script).parameters.values())[1:]
        assert [each.kind for each in shown] == [each.kind for each in own]


@pytest.mark.parametrize(
    ("function", "args", "kwargs", "words"),
    [
        (in_each_way, ("u", "a", 5), {"count": 1}, r"more\[0\] is int; pass str or bytes"),
        (in_each_way, ("u", "a", "v", "w"), {}, "missing 'count'"),
        (in_each_way, (), {"user": "u", "count": 1}, "'user' is passed by position"),
        (in_each_way, ("u", "a"), {"mode": "b", "count": 1}, "'mode' is given twice"),
        (by_name, ("u", 3), {}, "it takes 1 argument by position, but 2 were given"),
        (by_name, ("u",), {}, "missing 'count'"),
        (by_name, ("u",), {"count": "3"}, "count is str; pass int"),
        (by_name, ("u",), {"count": 3, "timeout": 50}, r"timeout; .*invoke_script\(by_name, \*"),
        (by_position, ("u",), {"count": 3}, "'count' is passed by position"),
        (by_position, (), {}, "missing 'user'"),
        (by_position, ("u", 1, 2), {}, "it takes 2 arguments, but 3 were given"),
    ],
)
def test_a_call_of_another_form_says_what_is_wrong(
    function: Any, args: Any, kwargs: Any, words: str
) -> None:
    script = typed_script(Script("return 1"))(function)
    with pytest.raises(TypeError, match=words) as wrong:
        script.pack(*args, **kwargs)
    assert str(script._signature) in str(wrong.value)


def test_both_ways_give_the_same_signature(tmp_path: Path) -> None:
    @typed_script(Script("return 1"))
    def limit(user: Key, count: int, ids: list[str]) -> dict[str, int] | None:
        raise NotImplementedError

    head = "--@key user\n--@arg count: int\n--@arg ids: str...\n--@returns dict[str, int] | None"
    assert declared(tmp_path, head)._signature == limit._signature


def test_a_script_of_a_file_may_be_declared_by_a_function(tmp_path: Path) -> None:
    file = declared(tmp_path, "--@idempotent")

    @typed_script(file)
    def other(user: Key) -> None:
        pass

    assert (other.name, other.idempotent, other.hash) == ("limit", True, file.hash)
    assert other.file == file.file


def test_a_file_may_declare_the_standard_types(tmp_path: Path) -> None:
    script = declared(
        tmp_path,
        "--@arg mode: Literal['a', 'b']\n--@arg at: datetime\n--@arg id: UUID | int\n"
        "--@arg price: Decimal\n--@arg rows: list[list[int]]\n--@returns date",
    )
    at, day = datetime.datetime(2026, 1, 2, 3, 4), datetime.date(2026, 1, 2)
    sent = script.pack("a", at, 7, Decimal("1.5"), [[1], [2]])
    assert sent == ((), ("a", "2026-01-02T03:04:00", b"7", "1.5", "[1]", "[2]"))
    assert script.decode(b"2026-01-02") == day
    assert "mode: Literal['a', 'b'], at: datetime, id: UUID | int" in repr(script)


def test_what_a_file_declares_is_not_declared_again(tmp_path: Path) -> None:
    with pytest.raises(TypeError, match=r"limit already declares its parameters, in .*limit\.lua"):
        typed_script(declared(tmp_path, "--@key user"))
    with pytest.raises(TypeError, match="script is str; pass a Script"):
        typed_script("return 1")  # type: ignore[arg-type]


def starred_twice(*users: Key, more: list[Key]) -> None: ...
def keywords(**users: Key) -> None: ...
def bare(user) -> None: ...  # type: ignore[no-untyped-def]
def optional(count: int | None) -> None: ...
def unknown(count: Nope) -> None: ...  # type: ignore[name-defined] # noqa: F821
def an_object(count: object) -> None: ...
def holds_an_object(handle: Handle) -> None: ...
def many_twice(a: list[int], b: list[int]) -> None: ...
def wrong_default(count: int = "3") -> None: ...  # type: ignore[assignment]
def reply_of_an_object() -> Handle: ...  # type: ignore[empty-body]
async def awaited(count: int) -> int: ...  # type: ignore[empty-body]


@pytest.mark.parametrize(
    ("function", "words"),
    [
        (starred_twice, "'users' takes all remaining keys, but 'more' comes after it"),
        (keywords, "'**users' has no place in KEYS or ARGV; name each parameter"),
        (bare, "'user' has no annotation; write Key for a key, and a type for an argument"),
        (optional, "'count' is int | None, which cannot be sent"),
        (unknown, "an annotation cannot be evaluated: name 'Nope' is not defined"),
        (an_object, "'count' is object, which cannot be sent"),
        (holds_an_object, "'handle' is Handle, which cannot be sent"),
        (many_twice, "'a' takes all remaining arguments"),
        (wrong_default, "the default of count is str; pass int"),
        (reply_of_an_object, "no reply can be read as Handle"),
        (awaited, "write 'def' in place of 'async def'"),
        (3, "typed_script decorates int, not a function"),
    ],
)
def test_an_annotation_that_cannot_be_says_where_and_why(function: Any, words: str) -> None:
    with pytest.raises(TypeError) as caught:
        typed_script(Script("return 1"))(function)
    assert words in str(caught.value)
    if inspect.isfunction(function):
        assert f"{function.__name__}() at {__file__}:" in str(caught.value)


@typed_script(Script("return 1", name="pickled"))
def pickled(user: Key, count: int = 1, points: Json[list[Point]] = []) -> Json[Point]:  # noqa: B006
    raise NotImplementedError


def test_a_typed_script_can_be_pickled() -> None:
    again = pickle.loads(pickle.dumps(pickled))
    assert again == pickled
    assert again.pack("u", points=[Point(1)]) == pickled.pack("u", points=[Point(1)])
    assert again.pack("u") == (("u",), ("1", "[]"))


def test_a_typed_script_shows_how_it_is_called() -> None:
    assert repr(pickled).startswith("<TypedScript pickled(client, user: Key, count: int = 1, ")


def test_a_typed_script_keeps_the_name_and_the_docstring_of_its_function(tmp_path: Path) -> None:
    @typed_script(Script("return 1", name="other"))
    def limit(user: Key) -> None:
        """Counts calls."""

    for script in (limit, pickle.loads(pickle.dumps(limit))):
        assert (script.__name__, script.__doc__, script.name) == ("limit", "Counts calls.", "other")
    assert pickled.__doc__ is None
    assert repr(TypedScript).endswith(".TypedScript'>")
    assert (TypedScript.__doc__ or "").startswith("A script that you call with")
    assert inspect.getdoc(TypedScript) is not None
    file = declared(tmp_path, "--@key user")
    assert (file.__name__, file.__doc__) == ("limit", TypedScript.__doc__)


def test_a_secret_is_hidden_however_its_name_is_written(tmp_path: Path) -> None:
    script = declared(tmp_path, "--@arg fi: str\n--@secret \ufb01")
    assert [each.secret for each in script._signature.parameters] == [True]
