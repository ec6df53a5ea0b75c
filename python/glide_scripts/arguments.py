"""Errors for arguments that a public class or method does not take."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterable
from typing import Any, TypeVar

from .errors import GlideError

C = TypeVar("C", bound=type)


def misfit(signature: inspect.Signature, args: Any, kwargs: Any) -> str | None:
    """Return why a function does not take the arguments; None if it does."""
    for name in kwargs:
        if name not in signature.parameters:
            return f"got an unexpected keyword argument {name!r}"
    try:
        signature.bind(*args, **kwargs)
    except TypeError as error:
        return str(error)
    return None


def did_you_mean(parameters: Iterable[str], kwargs: Iterable[str]) -> str | None:
    """Return the parameter that was probably meant by an argument that is not known."""
    import difflib  # noqa: PLC0415 - saves time at import

    known = list(parameters)
    for name in kwargs:
        near = [] if name in known else difflib.get_close_matches(name, known, n=1)
        if near:
            return f"did you mean {near[0]!r}?"
    return None


def with_clear_errors(**advice: str) -> Callable[[C], C]:
    """Let a class say which arguments it takes, and show none of them in tracebacks.

    The frames of Python's own ``__init__`` hold the arguments, such as a password. Tools that show
    the local variables of a traceback would show them.

    Args:
        advice: What to pass for a parameter, for an error that it is missing.
    """

    def decorate(of: C) -> C:
        make: Callable[..., None] = vars(of)["__init__"]

        @functools.wraps(make)
        def init(self: Any, *args: Any, **kwargs: Any) -> None:
            try:
                make(self, *args, **kwargs)
                return
            except (TypeError, ValueError, GlideError) as error:
                # A class whose parameters are its fields has no such `__init__`.
                signature = getattr(type(self), "__signature__", None) or _without_self(make)
                reason = _unfit(signature, advice, args, kwargs)
                failure = TypeError(f"{type(self).__name__}(): {reason}") if reason else error
            # The error that it was made from has frames with arguments, too.
            failure.__context__ = None
            try:
                raise failure.with_traceback(None)
            finally:
                del self, args, kwargs, failure

        setattr(of, "__init__", init)  # noqa: B010 - mypy knows of no such assignment
        return of

    return decorate


def _without_self(make: Callable[..., None]) -> inspect.Signature:
    _, *parameters = inspect.signature(make).parameters.values()
    return inspect.Signature(parameters)


def _unfit(
    signature: inspect.Signature, advice: dict[str, str], args: Any, kwargs: Any
) -> str | None:
    """Return why a class does not take the arguments, and what to pass; None if it does."""
    reason = misfit(signature, args, kwargs)
    if reason is None:
        return None
    parameters = signature.parameters.values()
    by_position = [each for each in parameters if each.kind is each.POSITIONAL_OR_KEYWORD]
    if len(args) > len(by_position):
        reason = f"takes at most {len(by_position)} by position, and {len(args)} were given"
    missing = [text for name, text in advice.items() if repr(name) in reason]
    names = ", ".join(signature.parameters)
    near = did_you_mean(signature.parameters, kwargs)
    return f"{reason}; {near or ' '.join(missing) or f'it takes {names}'}"
