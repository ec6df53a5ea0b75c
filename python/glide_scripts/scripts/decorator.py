"""The decorator that declares a script's parameters by a Python function."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import ParamSpec, TypeVar

from .. import checks
from .._core import Script
from ..declared.signature import Undeclarable
from ..public import show_as_public
from .typed import TypedScript

P = ParamSpec("P")
R = TypeVar("R")


def typed_script(
    script: Script, *, once: bool | str | None = None, once_ttl: float | None = None
) -> Callable[[Callable[P, R]], TypedScript[P, R]]:
    """Declare a script's parameters by the annotations of a function, whose body never runs.

    ::

        @typed_script(Script.from_file("rate_limit.lua"))
        def rate_limit(user: Key, limit: int, window: int = 60) -> bool: ...

        allowed = await rate_limit(client, "u1", limit=10)

    Parameters annotated with ``Key`` become KEYS, all others ARGV, in their order. ``list[...]``
    and ``Sequence[...]`` stand for several values and must come last. Declare keys as
    ``Sequence[Key]``: type checkers do not accept a caller's ``list[str]`` as a ``list[Key]``.
    dicts, dataclasses, nested lists and ``Json[...]`` are sent as JSON, an enum as its value, and a
    UUID, a ``Decimal`` or a date as text. A ``NewType`` is sent as its base type. A value of a
    union is sent as the first type of the union that it fits. Your own types need a ``Converter``.
    ``Secret[...]`` keeps an argument out of all errors.

    mypy accepts a body of ``...`` with the plugin ``glide_scripts.mypy``; without it, write ``raise
    NotImplementedError``. pyright accepts ``...`` as it is.

    Args:
        script: The script. Its file must not declare parameters.
        once: Whether each call takes effect at most once, as with ``once`` of ``invoke_script``.
            True means that the client makes an id for each call. The name of a parameter means that
            its value is the id. None means as ``script`` says.
        once_ttl: How long the server keeps the record of a call, in seconds.

    Raises:
        TypeError: ``script`` is not a ``Script``, or its file declares parameters; or an annotation
            has no form to send or to read.
    """
    checks.of_type("script", script, Script)
    source_map, errors = None, None
    if isinstance(script, TypedScript):
        if script._signature.declared:
            raise TypeError(
                f"{script._shown_name} already declares its parameters, "
                f"in {script.file or 'Python'}"
            )
        source_map, errors = script._source_map, script._errors

    if once is not None and not isinstance(once, (bool, str)):
        raise TypeError(
            f"once is {type(once).__name__}; pass a bool, or the name of the id's parameter"
        )
    from ..declared.function import from_function  # noqa: PLC0415 - saves time at import

    ids = script.once if once is None else once

    def declare(function: Callable[P, R]) -> TypedScript[P, R]:
        is_local = "<locals>" in getattr(function, "__qualname__", "")
        # Annotations may use names that are local to the enclosing function.
        signature = from_function(function, sys._getframe(1).f_locals if is_local else {})
        if isinstance(ids, str):
            try:
                signature.position(ids)
            except Undeclarable as error:
                why = f"{function.__qualname__}(): once names the parameter that is the id: {error}"
                raise TypeError(why) from None
        made: TypedScript[P, R] = TypedScript(
            script.code,
            name=script.name or function.__name__,
            read_only=script.read_only,
            idempotent=script.idempotent,
            once=ids,
            once_ttl=script.once_ttl if once_ttl is None and ids else once_ttl,
            _signature=signature,
            _source_map=source_map,
            _errors=errors,
            _function=(function.__name__, function.__doc__),
        )
        return made

    return declare


show_as_public(globals())
