"""Methods that are made from commands, with their names, docstrings and signatures."""

from __future__ import annotations

import functools
import inspect
import sys
from collections.abc import Callable, Coroutine
from types import CodeType, CoroutineType, MappingProxyType
from typing import Any, Concatenate, ParamSpec, TypeVar

from ..commands.command import Command

P = ParamSpec("P")
T = TypeVar("T")
C = TypeVar("C", bound=Callable[..., Coroutine[Any, Any, Any]])


def method_of(
    build: Callable[P, Command[T]],
) -> Callable[Concatenate[Any, P], CoroutineType[Any, Any, T]]:
    """Return a method that sends the command which ``build`` makes of its arguments.

    To pyright, ``async def`` in a user's protocol returns a ``CoroutineType``, too.
    """

    async def method(self: Any, /, *args: P.args, **kwargs: P.kwargs) -> T:
        try:
            command = build(*args, **kwargs)
        except TypeError as error:
            from .advice import raise_advised  # noqa: PLC0415 - only where they do not fit

            raise_advised(error, build, args, kwargs)
        reply: T = await self._execute(command)
        return reply

    # At run time it looks like a client's method that returns the decoded reply.
    returns = str(build.__annotations__["return"]).removeprefix("Command[").removesuffix("]")
    describe(method, build, "BaseClient", returns)
    # To mypy, it returns a Coroutine.
    returned: Any = method
    made: Callable[Concatenate[Any, P], CoroutineType[Any, Any, T]] = returned
    return made


def coroutine_function(method: C) -> C:
    """Let ``inspect.iscoroutinefunction`` know a function that returns a coroutine.

    Some methods are no coroutine functions: the task counts that calls them, not the one that runs
    the coroutine, which on Python 3.11 is another one under ``wait_for``.
    """
    if sys.version_info >= (3, 12):
        return inspect.markcoroutinefunction(method)
    # The flag alone: without the instruction that makes a coroutine, the code runs as before.
    code: CodeType = method.__code__
    flags = code.co_flags | inspect.CO_COROUTINE
    method.__code__ = code.replace(co_flags=flags)
    return method


def describe(method: Any, build: Callable[..., Any], owner: str, returns: object) -> None:
    """Give a method the name, docstring and signature of its command.

    Args:
        method: The method.
        build: What makes the command.
        owner: The name of the class whose method it is.
        returns: The annotation of what the method returns.
    """
    module = method.__module__
    functools.update_wrapper(method, build)
    method.__module__, method.__qualname__ = module, f"{owner}.{build.__name__}"
    method.__annotations__ = build.__annotations__ | {"return": returns}
    method.__signature__ = _MethodSignature(build, returns)


class _MethodSignature(inspect.Signature):
    """The signature of a command's method, made when it is asked for: at import, few are."""

    __slots__ = ("_build",)

    def __init__(self, build: Callable[..., Any], returns: object) -> None:
        super().__init__(return_annotation=returns)
        self._build = build

    @property
    def parameters(self) -> MappingProxyType[str, inspect.Parameter]:
        itself = inspect.Parameter("self", inspect.Parameter.POSITIONAL_ONLY)
        return MappingProxyType({"self": itself, **inspect.signature(self._build).parameters})

    # The base's would make one of this class, from parameters.
    def replace(self, **changes: Any) -> Any:
        parameters = list(self.parameters.values())
        made = inspect.Signature(parameters, return_annotation=self.return_annotation)
        return made.replace(**changes)

    __replace__ = replace

    def __reduce__(self) -> Any:
        return self.replace().__reduce__()
