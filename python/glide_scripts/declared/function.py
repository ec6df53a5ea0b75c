"""Declarations of a script's parameters by the annotations of a function."""

from __future__ import annotations

import inspect
import typing
from collections.abc import Callable, Mapping
from typing import Any

from .annotations import Mark, without_marks
from .signature import Parameter, Passed, Signature, Undeclarable, parameter, signature, split_list


def from_function(function: Callable[..., Any], names: Mapping[str, Any]) -> Signature:
    """Return the declarations in a function's annotations.

    Args:
        function: The function.
        names: What is defined around it, beside its module's names.

    Raises:
        TypeError: It is not a plain function, or cannot be a script's signature; the text names the
            function, its file and line, and the parameter.
    """
    if not inspect.isfunction(function):
        raise TypeError(f"typed_script decorates {type(function).__name__}, not a function")
    code = function.__code__
    where = f"{function.__qualname__}() at {code.co_filename}:{code.co_firstlineno}"
    if inspect.iscoroutinefunction(function) or inspect.isasyncgenfunction(function):
        raise TypeError(
            f"{where}: write 'def' in place of 'async def'; the client decides whether a call is "
            "awaited"
        )
    try:
        hints = typing.get_type_hints(function, localns=dict(names), include_extras=True)
    except (NameError, TypeError, AttributeError, SyntaxError) as error:
        raise TypeError(f"{where}: an annotation cannot be evaluated: {error}") from None
    try:
        parameters = [
            _of_function(each, hints) for each in inspect.signature(function).parameters.values()
        ]
        return signature(parameters, hints.get("return", Any))
    except Undeclarable as error:
        raise TypeError(f"{where}: {error}") from None


def _of_function(given: inspect.Parameter, hints: dict[str, Any]) -> Parameter:
    name = given.name
    if given.kind is inspect.Parameter.VAR_KEYWORD:
        raise Undeclarable(f"'**{name}' has no place in KEYS or ARGV; name each parameter")
    if name not in hints:
        raise Undeclarable(
            f"{name!r} has no annotation; write Key for a key, and a type for an argument"
        )
    _, marks = without_marks(hints[name])
    passed = Passed(given.kind)
    is_rest = passed is Passed.AS_REST
    many, annotation = (True, hints[name]) if is_rest else split_list(hints[name])
    _, item_marks = without_marks(annotation)
    return parameter(
        name,
        annotation,
        is_key=Mark.KEY in item_marks,
        many=many,
        secret=Mark.SECRET in marks | item_marks,
        default=given.default,
        passed=passed,
    )
