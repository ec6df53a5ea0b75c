"""JSON of typed calls: what is sent, what is read, and what is refused."""

from __future__ import annotations

import math
from collections import OrderedDict
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, NotRequired, Optional, Required, TypedDict

import pytest

from glide_scripts import Json, ReplyTypeError, Script, TypedScript, typed_script


@dataclass
class Count:
    value: int

    def __post_init__(self) -> None:
        if self.value < 0:
            raise ValueError("negative")


@dataclass
class Node:
    value: int
    next: Optional[Node] = None  # noqa: UP045
    others: list[Node] = field(default_factory=list)


@dataclass
class Left:
    right: Right | None = None


@dataclass
class Right:
    lefts: dict[str, Left]


class Sizes(TypedDict):
    size: complex


@dataclass
class Part:
    size: list[complex]


@dataclass
class Whole:
    parts: list[Part]


@dataclass
class Unresolved:
    value: Nope  # type: ignore[name-defined] # noqa: F821


class Base(TypedDict):
    a: int


class Options(Base, total=False):
    b: Required[str]
    c: float


class Order(TypedDict):
    count: Count
    note: NotRequired[str]
    parent: NotRequired[Order]


@dataclass
class More(Count):
    extra: str = "x"


# mypy takes these in annotations only.
JSON: Any = Json
ANY, INT, FLOAT, NONE, NODE = JSON[Any], JSON[int], JSON[float], JSON[None], JSON[Node]
INT_OR_NONE, NODE_OR_NONE = JSON[int | None], JSON[Node | None]
DICT_OR_NONE = JSON[dict[str, int] | None]


def of(annotation: Any) -> TypedScript[..., Any]:
    """A script that takes a value of a type, and returns one."""

    def same(value: Any) -> Any: ...

    same.__annotations__.update({"value": annotation, "return": annotation})
    return typed_script(Script("return ARGV[1]"))(same)


def sent(annotation: Any, value: Any) -> Any:
    return of(annotation).pack(value)[1][0]


def read(annotation: Any, text: str) -> Any:
    return of(annotation).decode(text.encode())


SAME: list[tuple[Any, Any, str | None]] = [
    (Json[list[int]], [1, 2], "[1,2]"),
    (Json[list[float]], [1.0, 2.5], "[1.0,2.5]"),
    (Json[list[int | None]], [1, None], "[1,null]"),
    (Json[list[list[str]]], [["a"], []], '[["a"],[]]'),
    (JSON[tuple[int, str]], (1, "a"), '[1,"a"]'),
    (Json[tuple[int, ...]], (1, 2), "[1,2]"),
    (Json[dict[str, bool]], {"a": True}, '{"a":true}'),
    (Json[dict[str, Count]], {"a": Count(1)}, '{"a":{"value":1}}'),
    (INT_OR_NONE, None, "null"),
    (NONE, None, "null"),
    (ANY, {"a": [1.5, None]}, '{"a":[1.5,null]}'),
    (Node, Node(1, Node(2), [Node(3)]), None),
    (Left, Left(Right({"a": Left()})), '{"right":{"lefts":{"a":{"right":null}}}}'),
    (Options, {"a": 1, "b": "x"}, '{"a":1,"b":"x"}'),
    (Options, {"a": 1, "b": "x", "c": 0.5}, '{"a":1,"b":"x","c":0.5}'),
    (Order, {"count": Count(1)}, '{"count":{"value":1}}'),
    (
        Order,
        {"count": Count(1), "parent": {"count": Count(2), "note": "n"}},
        '{"count":{"value":1},"parent":{"count":{"value":2},"note":"n"}}',
    ),
    (INT, 2**53, "9007199254740992"),
    (Json[list[str]], ["9007199254740993"], '["9007199254740993"]'),
]


@pytest.mark.parametrize(("annotation", "value", "text"), SAME)
def test_what_is_sent_is_read_the_same(annotation: Any, value: Any, text: str | None) -> None:
    written = sent(annotation, value)
    assert text is None or written == text
    again = read(annotation, written)
    assert again == value
    assert type(again) is type(value)


def test_what_is_like_a_type_is_sent_as_it() -> None:
    assert sent(Json[dict[str, int]], MappingProxyType({"a": 1})) == '{"a":1}'
    assert sent(Json[dict[str, int]], OrderedDict(a=1)) == '{"a":1}'
    assert sent(Json[list[float]], (1, 2.5)) == "[1,2.5]"
    assert sent(ANY, [Count(1)]) == '[{"value":1}]'
    assert sent(Count, More(1)) == '{"value":1,"extra":"x"}'


CJSON: list[tuple[Any, str, Any]] = [
    (Json[list[int]], "{}", []),
    (Json[tuple[int, ...]], "{}", ()),
    (Json[dict[str, list[str]]], '{"a":{}}', {"a": []}),
    (INT, "1e+14", 10**14),
    (Json[list[int]], "[1,1e+15,2.0]", [1, 10**15, 2]),
    (FLOAT, "3", 3.0),
    (Json[list[float]], "[1,2.5]", [1.0, 2.5]),
    (NODE_OR_NONE, "null", None),
    (Json[list[int]] | None, "[1]", [1]),
    (DICT_OR_NONE, "{}", {}),
    (Node, '{"value":1e+2}', Node(100)),
]


@pytest.mark.parametrize(("annotation", "text", "value"), CJSON)
def test_what_cjson_writes_is_read(annotation: Any, text: str, value: Any) -> None:
    def script() -> Any: ...

    script.__annotations__["return"] = annotation
    again = typed_script(Script("return 1"))(script).decode(text.encode())
    assert again == value
    assert type(again) is type(value)


def test_no_reply_is_none_where_json_may_be() -> None:
    assert of(NODE_OR_NONE).decode(None) is None
    with pytest.raises(ReplyTypeError, match="reply is None, not the JSON of Node"):
        of(NODE).decode(None)


UNREAD: list[tuple[Any, str, str]] = [
    (Count, '{"value":-1}', "reply is not a valid Count: ValueError: negative"),
    (Json[list[Count]], '[{"value":1},{"value":-1}]', "reply[1] is not a valid Count"),
    (FLOAT, "1" * 400, "reply is an integer that is too large for float"),
    (INT, "1" * 5000, "is not JSON"),
    (INT, "1e+300", "reply is float, not int"),
    (INT, "1.5", "reply is float, not int"),
    (INT, "true", "reply is bool, not int"),
    (FLOAT, "NaN", "is not JSON: NaN is not a JSON number"),
    (ANY, "[-Infinity]", "is not JSON: -Infinity is not a JSON number"),
    (ANY, "[" * 5_000, "is not JSON"),
    (Json[list[int]], '{"a":1}', "reply is dict, not list[int]"),
    (JSON[tuple[int, int]], "{}", "reply has 0 items, not 2"),
    (Node, '{"value":1,"next":{"value":"2"}}', "reply.next.value is str, not int"),
    (Options, '{"a":1}', "reply has no 'b'"),
    (Options, '{"b":"x"}', "reply has no 'a'"),
    (Options, '{"a":1,"b":"x","d":1}', "reply has 'd', which Options does not have"),
    (Order, '{"count":{"value":-1}}', "reply['count'] is not a valid Count"),
    (Order, "[]", "reply is list, not Order"),
]


@pytest.mark.parametrize(("annotation", "text", "words"), UNREAD)
def test_a_reply_that_does_not_fit_is_a_misfit(annotation: Any, text: str, words: str) -> None:
    with pytest.raises(ReplyTypeError) as caught:
        read(annotation, text)
    assert words in str(caught.value)


def test_any_error_while_decoding_is_a_misfit() -> None:
    class Unhashable:
        def __hash__(self) -> int:
            raise OverflowError("no hash")

    @typed_script(Script("return 1"))
    def script() -> set[Any]:
        raise NotImplementedError

    reply: Any = [Unhashable()]
    with pytest.raises(ReplyTypeError, match="reply cannot be read: OverflowError: no hash"):
        script.decode(reply)


def cyclic() -> Node:
    node = Node(1)
    node.next = node
    return node


UNSENT: list[tuple[Any, Any, type[Exception], str]] = [
    (FLOAT, 10**400, ValueError, "value is an integer beyond 2**53, which Lua would change"),
    (INT, 2**53 + 1, ValueError, "value is an integer beyond 2**53"),
    (INT, -(10**4000), ValueError, "value is an integer beyond 2**53"),
    (ANY, {"a": [-(2**60)]}, ValueError, "value['a'][0] is an integer beyond 2**53"),
    (Node, Node(1, Node(2**53 + 1)), ValueError, "value.next.value is an integer beyond"),
    (Json[list[float]], [1.0, math.nan], ValueError, "value[1] is nan, which JSON does not have"),
    (ANY, {"a": math.inf}, ValueError, "value['a'] is inf, which JSON does not have"),
    (Node, cyclic(), ValueError, "value cannot be written as JSON: it contains itself"),
    (ANY, [object()], TypeError, "value cannot be written as JSON: it contains object"),
    (Node, Node(1, "x"), TypeError, "value.next is str; pass Node"),  # type: ignore[arg-type]
    (Json[list[int]], [1, True], TypeError, "value[1] is bool; pass int"),
    (Json[list[int]], {}, TypeError, "value is dict; pass list[int]"),
    (Options, {"a": 1}, TypeError, "value has no 'b'"),
    (Options, {"b": "x"}, TypeError, "value has no 'a'"),
    (Options, {"a": 1, "b": "x", "d": 1}, TypeError, "value has 'd', which Options does not have"),
    (Options, {"a": 1, "b": 1}, TypeError, "value['b'] is int; pass str"),
    (Order, {"count": {"value": 1}}, TypeError, "value['count'] is dict; pass Count"),
]


@pytest.mark.parametrize(("annotation", "value", "kind", "words"), UNSENT)
def test_a_value_that_cannot_be_sent_says_which(
    annotation: Any, value: Any, kind: type[Exception], words: str
) -> None:
    script = of(annotation)
    with pytest.raises(kind) as caught:
        script.pack(value)
    assert words in str(caught.value)
    assert str(caught.value).endswith(script._shown_signature)


def test_any_error_while_encoding_is_clear() -> None:
    class Items(list[str]):
        def __iter__(self) -> Any:
            raise KeyError("gone")

    @typed_script(Script("return 1", name="script"))
    def script(ids: list[str]) -> None:
        raise NotImplementedError

    with pytest.raises(ValueError, match="script: an argument cannot be sent: KeyError: 'gone'"):
        script.pack(Items("a"))
    broken = Count(1)
    del broken.value
    with pytest.raises(ValueError, match=r"value cannot be written as JSON: .* has no attribute"):
        of(Count).pack(broken)


@pytest.mark.parametrize(
    ("annotation", "words"),
    [
        (Unresolved, "an annotation of Unresolved cannot be evaluated: name 'Nope' is not"),
        (Json[list[Unresolved]], "an annotation of Unresolved cannot be evaluated"),
        (Json[set[int]], "set[int] is not a type that JSON has"),
        (Json[dict[int, str]], "keys in JSON are str, not int"),
        (Whole, "Whole.parts: Part.size: complex is not a type that JSON has"),
        (Json[list[Sizes]], "Sizes.size: complex is not a type that JSON has"),
    ],
)
def test_a_type_that_cannot_be_is_an_error_of_the_declaration(annotation: Any, words: str) -> None:
    with pytest.raises(TypeError) as caught:
        of(annotation)
    assert words in str(caught.value)
    assert f"same() at {__file__}:" in str(caught.value)


def test_a_class_inside_of_a_function_may_hold_itself() -> None:
    @dataclass
    class Local:
        next: Local | None = None

    assert read(Local, '{"next":{"next":null}}') == Local(Local())
