"""The function that packs a typed call's arguments, generated once per script.

It has the parameters of the call, and a branch for the common type of each. Every other value goes
through the parameter's encoder.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from ..values import Packed
from .annotations import Mark, is_encodable, without_marks
from .conversion import has_converter
from .signature import NO_DEFAULT, Parameter, Passed, listed

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
    """Return the function that checks a call's arguments and returns what to send.

    It raises TypeError and ValueError for what does not fit, naming the parameter.
    """
    # The names are Python's identifiers, and none of them begins with "__": see ``parameter``.
    scope: dict[str, Any] = dict(_BUILTINS)
    body = []
    for index, parameter in enumerate(parameters):
        name = parameter.name
        scope[f"__encode{index}"] = parameter.encode
        if parameter.default is not NO_DEFAULT:
            scope[f"__default_{name}"] = parameter.default
        if parameter.many:
            body.append(f"    {name} = __encode{index}({name!r}, {name})")
            continue
        kind, marks = without_marks(parameter.annotation)
        if has_converter(parameter.annotation):
            quick = None
        elif parameter.is_key or is_encodable(kind):
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
    heads = ", ".join(listed(parameters, _head))
    code = "\n".join([f"def pack({heads}):", *body, f"    return {keys}, {args}"])
    exec(code, scope)
    made: Callable[..., Packed] = scope["pack"]
    return made


def _head(parameter: Parameter) -> str:
    name = parameter.name
    if parameter.passed is Passed.AS_REST:
        return f"*{name}"
    return name if parameter.default is NO_DEFAULT else f"{name}=__default_{name}"


def _tuple(parameters: list[Parameter]) -> str:
    if len(parameters) == 1 and parameters[0].many:
        return parameters[0].name
    return "(" + "".join(f"{'*' * p.many}{p.name}, " for p in parameters) + ")"
