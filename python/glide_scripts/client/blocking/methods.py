"""From the methods of the asynchronous clients to those of the synchronous ones."""

from __future__ import annotations

import functools
import inspect
import re
import sys
import warnings
from asyncio import _get_running_loop
from collections.abc import Callable, Coroutine
from typing import Any, Concatenate, ParamSpec, TypeVar

from ..what_runs import is_trio

P = ParamSpec("P")
T = TypeVar("T")

_PACKAGE = __name__.partition(".")[0]


def run(coroutine: Coroutine[Any, Any, T]) -> T:
    """Runs a coroutine that awaits nothing but replies, for which it blocks the thread."""
    try:
        while True:
            # It gives nothing but turns of a loop, which is not there.
            coroutine.send(None)
    except StopIteration as ended:
        result: T = ended.value
        return result


def run_for(client: Any, calling: Coroutine[Any, Any, T], /) -> T:
    """Run a client's coroutine, with a warning if that blocks an event loop.

    Args:
        client: The client, or its class while it is being made.
        calling: The coroutine.
    """
    try:
        warn_in_loop(client)
        return run(calling)
    except BaseException:
        # A coroutine that an interrupt ended before its start would warn that it was never awaited.
        calling.close()
        raise


def blocking(
    method: Callable[Concatenate[Any, P], Coroutine[Any, Any, T]],
) -> Callable[Concatenate[Any, P], T]:
    """The method of a synchronous client that does what an asynchronous client's does."""

    def blocked(self: Any, /, *args: P.args, **kwargs: P.kwargs) -> T:
        calling = None
        try:
            try:
                calling = method(self, *args, **kwargs)
            finally:
                # Tracebacks may show local variables, and some may be secret.
                del args, kwargs
            warn_in_loop(self)
            return run(calling)
        except BaseException:
            # As in run_for, which would be one more call.
            if calling is not None:
                calling.close()
            raise

    made: Callable[Concatenate[Any, P], T] = as_method(blocked, method)
    return made


def as_method(made: Any, method: Any, returns: str | None = None) -> Any:
    """Gives a method the name, the docstring and the signature of an asynchronous one.

    Args:
        made: The method.
        method: The asynchronous one.
        returns: What it returns; None: what the other one is awaited for.
    """
    module = made.__module__
    # Its own attributes stay its own: from Python 3.12 on, one of them says that it is awaited.
    functools.update_wrapper(made, method, updated=())
    made.__module__, made.__doc__ = module, without_await(method.__doc__)
    if returns is None:
        returns = _COROUTINE.sub(r"\1", str(method.__annotations__["return"]))
    made.__annotations__ = {**method.__annotations__, "return": returns}
    made.__signature__ = inspect.signature(method).replace(return_annotation=returns)
    return made


_COROUTINE = re.compile(r"^Coroutine\[Any, Any, (.*)\]$")

_REPLACED = [
    (re.compile(pattern), replacement)
    for pattern, replacement in (
        (r"\bAn object to await for the list of replies, or to iterate", "The replies, to iterate"),
        (r"\ban iterable or async iterable\b", "an iterable"),
        (r"`async for`", "`for`"),
        (r"\basync with await ", "with "),
        (r"\basync (with|for) ", r"\1 "),
        (r"\bawait ", ""),
        (r"\b([Tt])ask(s?)\b", r"\1hread\2"),
    )
]


def without_await(text: str | None) -> str | None:
    """What is said of an asynchronous client, as it is of a synchronous one."""
    # Most texts mention neither, and a search for each pattern takes most of the import's time.
    if text is None or not any(word in text for word in ("await", "async", "ask")):
        return text
    for pattern, replacement in _REPLACED:
        text = pattern.sub(replacement, text)
    return text


def warn_in_loop(client: Any) -> None:
    """Warns of a client that it blocks the tasks that run on this thread, if any do; once.

    Args:
        client: The client, or its class while it is being made.
    """
    if _get_running_loop() is None and ("trio" not in sys.modules or not is_trio()):
        return
    if client._has_warned:
        return
    name = client.__name__ if isinstance(client, type) else type(client).__name__
    if not isinstance(client, type):
        client._has_warned = True
    warnings.warn(
        f"a synchronous {name} blocks the event loop that runs on this thread; use the "
        f"asynchronous {_PACKAGE}.{name} there, and await its methods",
        RuntimeWarning,
        stacklevel=_level_of_caller(),
    )


def _level_of_caller() -> int:
    """The ``stacklevel`` of whoever called this package, for ``warn_in_loop``."""
    level, frame = 1, sys._getframe(1)
    while frame.f_back is not None and _is_of_package(frame.f_globals.get("__name__", "")):
        level, frame = level + 1, frame.f_back
    return level


def _is_of_package(module: str) -> bool:
    return module == _PACKAGE or module.startswith(f"{_PACKAGE}.")
