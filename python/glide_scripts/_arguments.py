"""Keys and arguments of a typed call: from Python's values to what is sent.

Most calls go through a function that is made once for each script: it has the parameters of the
call, and a branch for the common type of each. Every other value goes through the parameter's
encoder here, which takes what is left that fits, and refuses the rest.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias, get_args, get_origin

from . import _check, _json
from ._annotations import Mark, is_encodable, is_json, optional_of, shown, without_marks
from ._reply import TEncodable

if TYPE_CHECKING:
    from ._declarations import Parameter

Encoder: TypeAlias = Callable[[str, Any], TEncodable]
"""Gives what is sent for a value; the name is for its errors."""

Packed: TypeAlias = tuple[Sequence[TEncodable], Sequence[TEncodable]]
"""Keys and arguments."""


class NotEncodable(Exception):
    """An annotation of a parameter that says nothing that could be sent."""


def encoder(annotation: Any) -> Encoder:
    """How one value of a type is sent.

    Raises:
        NotEncodable: There is no way.
    """
    kind, marks = without_marks(annotation)
    if Mark.KEY in marks or is_encodable(kind):
        return _check.encodable
    if is_json(kind, marks):
        return _json_encoder(kind)
    if isinstance(kind, type) and kind in _SCALARS:
        return _SCALARS[kind]
    if optional_of(kind) is not kind:
        raise NotEncodable("a script's arguments are strings, none of which is None")
    raise NotEncodable(
        "an argument is int, float, str, bytes, bool, a list of one of these, a dict or a "
        "dataclass, or Json[...]"
    )


def items_of(annotation: Any) -> Any | None:
    """The annotation of the items, if an annotation is one of several keys or arguments."""
    kind, marks = without_marks(annotation)
    if Mark.JSON in marks:
        return None
    origin, args = get_origin(kind), get_args(kind)
    if origin in (list, Sequence) and len(args) == 1:
        return args[0]
    if origin is tuple and len(args) == 2 and args[1] is Ellipsis:
        return args[0]
    if kind in (list, tuple, Sequence):
        raise NotEncodable(f"say of what: {kind.__name__}[str]")
    return None


def _int(name: str, value: Any) -> TEncodable:
    if isinstance(value, bool) or not isinstance(value, int):
        raise _check.wrong_type(name, value, "int")
    return _check.integer(name, value)


def _float(name: str, value: Any) -> TEncodable:
    if isinstance(value, float):
        if math.isnan(value):
            raise ValueError(f"{name} is nan; pass a number, or declare it str to send 'nan'")
        # Not repr(): a subclass such as numpy.float64 may word its own differently.
        return float.__repr__(value)
    if isinstance(value, bool) or not isinstance(value, int):
        raise _check.wrong_type(name, value, "float")
    return _check.integer(name, value)


def _str(name: str, value: Any) -> TEncodable:
    if not isinstance(value, str):
        raise _check.wrong_type(name, value, "str")
    return _check.encodable(name, value)


def _bytes(name: str, value: Any) -> TEncodable:
    if isinstance(value, (bytes, bytearray, memoryview)):
        return value
    raise _check.wrong_type(name, value, "bytes")


def _bool(name: str, value: Any) -> TEncodable:
    return b"1" if _check.flag(name, value) else b"0"


_SCALARS: dict[type, Encoder] = {int: _int, float: _float, str: _str, bytes: _bytes, bool: _bool}


def _json_encoder(kind: Any) -> Encoder:
    try:
        write = _json.writer(kind)
    except _json.NotJson as error:
        raise NotEncodable(str(error)) from None
    return lambda name, value: _check.encodable(name, write(name, value))


# Parameters whose values are mostly of one type, and the expression for such a value.
# A parameter may be named like a builtin, so those have names here that none can have.
_BUILTINS = {f"__{kind.__name__}": kind for kind in (type, int, float, str, bytes)}
_QUICK = {
    int: (
        "__type({0}) is __int and -9223372036854775808 <= {0} < 9223372036854775808",
        "f'{{{0}}}'",
    ),
    float: ("__type({0}) is __float and {0} == {0}", "{0}.__repr__()"),
    str: ("__type({0}) is __str and {0}.isascii()", "{0}"),
    bytes: ("__type({0}) is __bytes", "{0}"),
    bool: ("{0} is True or {0} is False", "b'1' if {0} else b'0'"),
}
_QUICK_ENCODABLE = ("__type({0}) is __str and {0}.isascii() or __type({0}) is __bytes", "{0}")


def packer(parameters: Sequence[Parameter]) -> Callable[..., Packed]:
    """The function that takes a call's arguments, checks them and gives what is sent.

    It raises TypeError and ValueError for what does not fit, naming the parameter.
    """
    # The names are Python's identifiers, and none of them begins with "__" (see _declarations).
    scope: dict[str, Any] = dict(_BUILTINS)
    heads, body = [], []
    for index, parameter in enumerate(parameters):
        name = parameter.name
        scope[f"__encode{index}"] = parameter.encode
        head = name
        if parameter.default is not inspect.Parameter.empty:
            scope[f"__default{index}"] = parameter.default
            head = f"{name}=__default{index}"
        heads.append(head)
        if parameter.many:
            body.append(f"    {name} = __encode{index}({name!r}, {name})")
            continue
        kind, marks = without_marks(parameter.annotation)
        if parameter.is_key or is_encodable(kind):
            quick = _QUICK_ENCODABLE
        elif Mark.JSON not in marks and isinstance(kind, type) and kind in _QUICK:
            quick = _QUICK[kind]
        else:
            quick = None
        slow = f"__encode{index}({name!r}, {name})"
        if quick is None:
            body.append(f"    {name} = {slow}")
        elif quick[1] == "{0}":
            body.append(f"    if not ({quick[0].format(name)}): {name} = {slow}")
        else:
            test, value = (each.format(name) for each in quick)
            body.append(f"    {name} = ({value}) if {test} else {slow}")
    keys = _tuple([p for p in parameters if p.is_key])
    args = _tuple([p for p in parameters if not p.is_key])
    code = "\n".join([f"def pack({', '.join(heads)}):", *body, f"    return {keys}, {args}"])
    exec(code, scope)
    made: Callable[..., Packed] = scope["pack"]
    return made


def _tuple(parameters: list[Parameter]) -> str:
    if len(parameters) == 1 and parameters[0].many:
        return parameters[0].name
    return "(" + "".join(f"{'*' * p.many}{p.name}, " for p in parameters) + ")"


def many_encoder(one: Encoder, annotation: Any) -> Callable[[str, Any], list[TEncodable]]:
    """The encoder of a list of keys or arguments."""
    what = shown(annotation)

    def encode(name: str, values: Any) -> list[TEncodable]:
        _check.sequence(name, values, what)
        try:
            return [one(name, value) for value in values]
        except (TypeError, ValueError):
            # Once more, for which it is: what fits need not be named.
            return [one(f"{name}[{index}]", value) for index, value in enumerate(values)]

    return encode


def secretly(encode: Callable[[str, Any], Any], what: str) -> Callable[[str, Any], Any]:
    """An encoder whose errors show nothing of a value: neither items nor keys nor characters."""

    def encode_secretly(name: str, value: Any) -> Any:
        try:
            return encode(name, value)
        except Exception as error:
            kind = TypeError if isinstance(error, TypeError) else ValueError
        # Not within the except: its error would come along.
        raise kind(f"{name} is {type(value).__name__} that cannot be sent as {what}")

    return encode_secretly
