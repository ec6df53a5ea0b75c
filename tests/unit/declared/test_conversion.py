"""The types that parameters and replies of typed scripts may have, beside the plain ones."""

from __future__ import annotations

import datetime
import enum
import uuid
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Annotated, Any, Literal, NewType, TypedDict

import pytest

from glide_scripts import Converter, Json, Key, ReplyTypeError, Script, Secret, typed_script


class Status(enum.Enum):
    OPEN = "open"
    CLOSED = "closed"


class Colour(enum.StrEnum):
    RED = "red"


class Level(enum.IntEnum):
    LOW = 1
    HIGH = 2


class Mixed(enum.Enum):
    NUMBER = 1
    TEXT = "text"


class Rights(enum.Flag):
    READ = 1
    WRITE = 2


class Lenient(enum.Enum):
    KNOWN = "known"

    @classmethod
    def _missing_(cls, value: object) -> Lenient:
        return cls.KNOWN


class NotSendable(enum.Enum):
    THING = object()


@dataclass
class Money:
    cents: int

    def in_cents(self) -> int:
        return self.cents


UserId = NewType("UserId", str)
OrderId = NewType("OrderId", uuid.UUID)
Price = Annotated[Money, Converter(sent_as=int, encode=Money.in_cents, decode=Money)]
Span = Annotated[
    range,
    Converter(
        sent_as=Json[list[int]],
        encode=lambda span: [span.start, span.stop],
        decode=lambda ends: range(*ends),
    ),
]


@dataclass
class Item:
    price: Decimal
    status: Status = Status.OPEN


@dataclass
class Order:
    id: OrderId
    items: list[Item]
    at: datetime.datetime | None = None
    by_status: dict[Status, int] = field(default_factory=dict)
    note: int | str | None = None
    cost: Price | None = None


class Row(TypedDict):
    mode: Literal["a", "b"]
    day: datetime.date


def of(annotation: Any) -> Any:
    """A script that takes a value of a type, and returns one."""

    def same(value: Any) -> Any: ...

    same.__annotations__.update({"value": annotation, "return": annotation})
    return typed_script(Script("return ARGV[1]", name="same"))(same)


ID = uuid.UUID("12345678-1234-5678-1234-567812345678")
AT = datetime.datetime(2026, 1, 2, 3, 4, 5, 678, tzinfo=datetime.UTC)
# mypy takes some of these in annotations only.
JSON: Any = Json

SAME: list[tuple[Any, Any, str]] = [
    (Status, Status.CLOSED, "closed"),
    (Colour, Colour.RED, "red"),
    (Level, Level.HIGH, "2"),
    (Mixed, Mixed.NUMBER, "1"),
    (Mixed, Mixed.TEXT, "text"),
    (Rights, Rights.READ | Rights.WRITE, "3"),
    (Literal["a", "b"], "b", "b"),
    (Literal[1, 2], 2, "2"),
    (Literal[True], True, "1"),
    (Literal[Status.OPEN], Status.OPEN, "open"),
    (UserId, UserId("u1"), "u1"),
    (OrderId, ID, str(ID)),
    (uuid.UUID, ID, str(ID)),
    (Decimal, Decimal("1.10"), "1.10"),
    (Decimal, Decimal("1E+2"), "1E+2"),
    (datetime.datetime, AT, "2026-01-02T03:04:05.000678+00:00"),
    (datetime.date, AT.date(), "2026-01-02"),
    (datetime.time, AT.time(), "03:04:05.000678"),
    (uuid.UUID | str, ID, str(ID)),
    (uuid.UUID | str, "x", "x"),
    (bool | str, "x", "x"),
    (Price, Money(250), "250"),
    (Span, range(1, 3), "[1,3]"),
    (JSON[Price], Money(250), "250"),
    (JSON[list[Status]], [Status.OPEN], '["open"]'),
    (JSON[dict[uuid.UUID, Decimal]], {ID: Decimal("0.1")}, f'{{"{ID}":"0.1"}}'),
    (JSON[int | float | None], 1.5, "1.5"),
    (JSON[int | list[int]], [1], "[1]"),
    (JSON[Literal["a", None]], None, "null"),
    (JSON[Item | Row], Item(Decimal(1)), '{"price":"1","status":"open"}'),
    (Row, {"mode": "a", "day": AT.date()}, '{"mode":"a","day":"2026-01-02"}'),
    (
        Order,
        Order(OrderId(ID), [Item(Decimal("2.5"))], AT, {Status.OPEN: 1}, "n", Money(5)),
        f'{{"id":"{ID}","items":[{{"price":"2.5","status":"open"}}],"at":"{AT.isoformat()}",'
        '"by_status":{"open":1},"note":"n","cost":5}',
    ),
]


@pytest.mark.parametrize(("annotation", "value", "text"), SAME)
def test_what_is_sent_is_read_the_same(annotation: Any, value: Any, text: str) -> None:
    script = of(annotation)
    ((), (sent,)) = script.pack(value)
    assert (sent.decode() if isinstance(sent, bytes) else sent) == text
    again = script.decode(text.encode())
    assert again == value
    assert type(again) is type(value)


def test_a_union_sends_what_each_of_its_types_sends() -> None:
    assert of(int | str).pack(3) == ((), (b"3",))
    assert of(int | bool).pack(True) == ((), (b"1",))
    assert of(Status | int | Item).pack(Item(Decimal(1))) == (
        (),
        ('{"price":"1","status":"open"}',),
    )


def test_a_union_is_read_as_the_reply_comes() -> None:
    assert of(int | str).decode(b"12") == "12"
    assert of(str | int).decode(12) == 12
    assert of(int | float).decode(b"1.5") == 1.5
    assert of(list[int] | str).decode([1, b"2"]) == [1, 2]
    assert of(Decimal).decode(3) == Decimal(3)
    assert of(Decimal).decode(0.1) == Decimal("0.1")
    assert of(Level).decode(1) is Level.LOW
    assert of(Lenient).decode(b"other") is Lenient.KNOWN


def test_several_are_sent_one_by_one_and_a_list_of_lists_as_json() -> None:
    assert of(list[Status]).pack([Status.OPEN, Status.CLOSED]) == ((), ["open", "closed"])
    assert of(list[UserId]).pack([UserId("a")]) == ((), ["a"])
    assert of(list[list[int]]).pack([[1], [2, 3]]) == ((), ["[1]", "[2,3]"])
    assert of(list[tuple[str, int]]).pack([("a", 1)]) == ((), ['["a",1]'])
    assert of(list[Price]).pack([Money(1)]) == ((), [b"1"])
    assert of(tuple[str, int]).pack(("a", 1)) == ((), ('["a",1]',))


UNSENT: list[tuple[Any, Any, type[Exception], str]] = [
    (Status, "open", TypeError, "value is str; pass a member of Status"),
    (Status, Colour.RED, TypeError, "value is Colour; pass a member of Status"),
    (Literal["a", "b"], "c", ValueError, "value is not one of 'a', 'b'"),
    (Literal["a"], 1, TypeError, "value is int; pass one of 'a'"),
    (Literal[1], True, TypeError, "value is bool; pass one of 1"),
    (uuid.UUID, "x", TypeError, "value is str; pass UUID"),
    (datetime.date, AT, TypeError, "value is datetime; pass date"),
    (datetime.datetime, AT.date(), TypeError, "value is date; pass datetime"),
    (Decimal, 1.5, TypeError, "value is float; pass Decimal"),
    (Decimal, Decimal("nan"), ValueError, "value is nan; pass a number"),
    (UserId, 1, TypeError, "value is int; pass str"),
    (int | str, 2.5, TypeError, "value is float; pass int | str"),
    (int | str, 2**70, ValueError, "value does not fit in 64 bits"),
    (Price, 5, TypeError, "value is int; pass Money"),
    (Price, Money("x"), TypeError, "value is str; pass int"),  # type: ignore[arg-type]
    (Span, range(2**60, 2**61), ValueError, "value[0] is an integer beyond 2**53"),
    (list[list[int]], [[1], [2, "x"]], TypeError, "value[1][1] is str; pass int"),
    (
        Order,
        Order(OrderId(ID), [Item(Decimal(1)), Item("x")]),  # type: ignore[arg-type]
        TypeError,
        "value.items[1].price is str; pass Decimal",
    ),
    (
        Order,
        Order(OrderId(ID), [Item(Decimal(1), "open")]),  # type: ignore[arg-type]
        TypeError,
        "value.items[0].status is str; pass a member of Status",
    ),
    (
        Order,
        Order(OrderId(ID), [], note=1.5),  # type: ignore[arg-type]
        TypeError,
        "value.note is float; pass int | str",
    ),
    (Order, Order(OrderId(ID), [], cost=5), TypeError, "value.cost is int; pass Money"),  # type: ignore[arg-type]
    (Item | Status, Item("x"), TypeError, "value.price is str; pass Decimal"),  # type: ignore[arg-type]
    (Row, {"mode": "x", "day": AT.date()}, ValueError, "value['mode'] is not one of 'a', 'b'"),
    (JSON[Any], {"a": [object()]}, TypeError, "object at value['a'][0]"),
    (JSON[Any], Item("\ud800"), ValueError, "value.price is text that cannot be"),  # type: ignore[arg-type]
]


@pytest.mark.parametrize(("annotation", "value", "kind", "words"), UNSENT)
def test_a_value_that_cannot_be_sent_names_the_field(
    annotation: Any, value: Any, kind: type[Exception], words: str
) -> None:
    with pytest.raises(kind) as caught:
        of(annotation).pack(value)
    first = str(caught.value).split("\n", 1)[0]
    assert words in first
    assert type(caught.value) is kind


UNREAD: list[tuple[Any, Any, str]] = [
    (Status, b"x", "reply is 'x', not a member of Status"),
    (Status, 1, "reply is 1, not str"),
    (Literal["a"], b"x", "reply is 'x', not one of 'a'"),
    (Level, b"3", "reply is 3, not a member of Level"),
    (uuid.UUID, b"x", "reply is not a valid UUID: ValueError: badly formed"),
    (datetime.date, b"x", "reply is not a valid date: ValueError"),
    (Decimal, b"x", "reply is not a valid Decimal: ValueError: not a number: 'x'"),
    (int | float, b"x", "reply is bytes, not int | float"),
    (list[Status], [b"open", b"x"], "reply[1] is 'x', not a member of Status"),
    (Price, b"x", "reply is bytes that are not a whole number"),
    (Span, b'["x"]', "reply[0] is str, not int"),
    (Item, b'{"price":"1","status":"x"}', "reply.status is 'x', not a member of Status"),
    (
        Order,
        b'{"id":"%s","items":[{"price":"1"},{"price":"1"},{"price":"one"}]}' % str(ID).encode(),
        "reply.items[2].price is not a valid Decimal",
    ),
    (list[Item], [b'{"price":"1"}', b'{"price":[]}'], "reply[1].price is list, not str | int"),
]


@pytest.mark.parametrize(("annotation", "reply", "words"), UNREAD)
def test_a_reply_that_does_not_fit_says_why(annotation: Any, reply: Any, words: str) -> None:
    with pytest.raises(ReplyTypeError) as caught:
        of(annotation).decode(reply)
    assert words in str(caught.value)


def test_a_converter_that_fails_names_what_failed() -> None:
    def broken(_: object) -> int:
        raise KeyError("gone")

    kind: Any = Annotated[Money, Converter(sent_as=int, encode=broken, decode=broken)]
    with pytest.raises(ValueError, match="value cannot be encoded: KeyError: 'gone'"):
        of(kind).pack(Money(1))
    with pytest.raises(ReplyTypeError, match="reply is not a valid Money: KeyError: 'gone'"):
        of(kind).decode(b"1")


@pytest.mark.parametrize(
    ("annotation", "words"),
    [
        (NotSendable, "is object"),
        (Literal[Status.OPEN, "x"], "members of an enum and other values"),
        (int | None, "strings, never None"),
        (Literal["a", None], "strings, never None"),
        (int | object, "'value' is int | object, which cannot be sent"),
        (set[int], "'value' is set[int], which cannot be sent"),
        (
            Annotated[Money, Converter(sent_as=object, encode=str, decode=str)],
            "'value' is Money, which cannot be sent",
        ),
    ],
)
def test_a_type_that_cannot_be_sent_is_an_error_of_the_declaration(
    annotation: Any, words: str
) -> None:
    with pytest.raises(TypeError) as caught:
        of(annotation)
    assert words in str(caught.value)


def test_a_parameter_may_be_named_client_or_self() -> None:
    @typed_script(Script("return 1", name="of"))
    def script(client: Key, self: int, args: str = "x") -> int:
        raise NotImplementedError

    assert script.pack(client="c", self=1) == (("c",), ("1", "x"))
    assert script.pack("c", 1, args="y") == (("c",), ("1", "y"))
    assert "__client" in repr(script)


def test_a_secret_shows_nothing_of_a_value_of_any_type() -> None:
    def script(token: Any) -> None: ...

    secret: Any = Secret
    script.__annotations__["token"] = secret[Status | uuid.UUID]
    with pytest.raises(TypeError) as caught:
        typed_script(Script("return 1"))(script).pack("hunter2")
    assert "hunter2" not in str(caught.value)
    assert "token is str and cannot be sent as Status | UUID" in str(caught.value)


def test_annotations_may_name_what_is_local() -> None:
    @dataclass
    class Local:
        x: int

    @typed_script(Script("return 1"))
    def script(value: Local) -> Local:
        raise NotImplementedError

    assert script.pack(Local(1)) == ((), ('{"x":1}',))
