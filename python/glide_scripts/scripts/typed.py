"""Scripts that are called like functions, with the names and types that they declare."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Generic, ParamSpec, Protocol, TypeVar

from .._core import Script
from ..client.declared_call import DeclaredCall
from ..declared.annotations import shown
from ..declared.decoding import Decoder, decoder
from ..declared.mismatch import Mismatch
from ..declared.packing import packer
from ..declared.script import DeclaredScript
from ..declared.signature import NO_DEFAULT, UNDECLARED, Passed, Signature
from ..declared.source import SourceMap
from ..errors import CrossSlotError, ReplyTypeError, ScriptError
from ..observing.client import AnyClient, Client
from ..public import show_as_public
from ..values import Packed, TResult

P = ParamSpec("P")
R_co = TypeVar("R_co", covariant=True)
TCall = TypeVar("TCall")
"""The result of a call: the reply, or with an asynchronous client an awaitable for it."""
TBatch = TypeVar("TBatch", bound="_Batch")
"""A ``Batch`` or a ``ClusterBatch``: what a method takes and returns, for stub files."""

_BY_NAME = {Passed.EITHER_WAY, Passed.BY_NAME}
_OF_INVOKE_SCRIPT = {"timeout", "on_timeout"}
"""Options that only ``invoke_script`` has."""
_UNKNOWN = object()
"""The keys or arguments of a reply given to ``decode``, which may contain their secrets."""


class _Batch(Protocol):
    def _invoke(  # noqa: PLR0917 - as the batches have it
        self,
        script: Script,
        keys: Any,
        args: Any,
        decode: Callable[[Any], Any] | None,
        route: Any = None,
        once: Any = None,
        once_ttl: Any = None,
    ) -> Any: ...


class TypedScript(DeclaredScript, Generic[P, R_co]):
    """A script that you call with its declared parameters.

    Comments at the top of its file declare them, or a Python function (see ``typed_script``). A
    script without declarations takes ``keys`` and ``args``. A typed script is also a ``Script``, so
    every method accepts it.

    Make one with ``Script.from_file``, ``Script.from_resource``, ``ScriptLibrary`` or
    ``typed_script``.
    """

    __slots__ = ("_decode", "_function", "_once_parameter", "_pack")

    if TYPE_CHECKING:
        _pack: Callable[..., Packed]
        _decode: Decoder | None
        _function: tuple[str, str | None] | None
        """The name and the docstring of the function that declares it."""
        _once_parameter: str | None
        """The parameter whose value is the id of ``once``."""

    def __new__(
        cls,
        code: str | bytes,
        *,
        name: str | None = None,
        read_only: bool | None = None,
        idempotent: bool = False,
        once: bool | str | tuple[str, int] = False,
        once_ttl: float | None = None,
        _signature: Signature | None = None,
        _source_map: SourceMap | None = None,
        _errors: Mapping[str, type[ScriptError]] | None = None,
        _function: tuple[str, str | None] | None = None,
    ) -> TypedScript[P, R_co]:
        signature = _signature or UNDECLARED
        self = super().__new__(
            cls,
            code,
            name=name,
            read_only=read_only,
            idempotent=idempotent,
            once=signature.position(once) if isinstance(once, str) else once,
            once_ttl=once_ttl,
        )
        self._once_parameter = once if isinstance(once, str) else None
        self._signature = signature
        self._source_map = _source_map
        self._errors = {} if _errors is None else _errors
        self._function = _function
        self._pack = packer(signature.parameters)
        self._decode = decoder(signature.returns)
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        about: dict[str, Any] = {
            "name": self.name,
            "read_only": self.read_only,
            "idempotent": self.idempotent,
            "once": self._once_parameter or self.once,
            "once_ttl": self.once_ttl,
            "_signature": self._signature,
            "_source_map": self._source_map,
            "_errors": self._errors,
            "_function": self._function,
        }
        return functools.partial(type(self), self.code, **about), ()

    def __call__(
        self, client: AnyClient[R_co, TCall], /, *args: P.args, **kwargs: P.kwargs
    ) -> TCall:
        """Check the arguments and run the script.

        Args:
            client: The client that runs it, asynchronous or synchronous.
            args: The script's parameters, by position.
            kwargs: The script's parameters, by name. Also ``once`` and ``once_ttl`` of
                ``invoke_script``, unless the script has parameters of these names.

        Returns:
            What the script returns, as the declared type. With an asynchronous client, await it.

        Raises:
            TypeError: Arguments are missing, too many, or have a wrong type; or ``client`` is not a
                client. The text shows the signature. Nothing was sent.
            ValueError: An argument cannot be sent as its type. Nothing was sent.
            CrossSlotError: The keys are in several slots of a cluster; nothing was sent.
            ReplyTypeError: The script ran, but its reply does not fit the declared type.
            ScriptError: As for ``invoke_script``.
        """
        try:
            if not isinstance(client, Client):
                why = self._refusal(TypeError, _no_client(client))
                # It may be the first parameter, which is secret, of a call without a client.
                del client
                raise why
            calling = self._call(client, args, kwargs)
        finally:
            # Tracebacks may show local variables, and some may be secret.
            del args, kwargs
        return client._run(calling)

    async def _call(self, client: Client, args: Any, kwargs: Any) -> R_co:
        keys: Any = None
        argv: Any = None
        reply: Any = None
        # Each kind of client has its own invoke_script.
        runner: Any = client
        try:
            once = self._take_once(kwargs) if kwargs else {}
            keys, argv = self._packed(args, kwargs)
            if client._is_observed:
                call = DeclaredCall(self, keys, argv, self._decoded, once)
                observed: R_co = await client._observed_call(call)
                return observed
            reply = runner.invoke_script(self, keys, argv, **once)
            if not client._is_blocking:
                reply = await reply
            return self._decoded(reply, keys, argv)
        except CrossSlotError as error:
            self._add_signature(error)
            raise
        except ReplyTypeError:
            client._reply_type_errors += 1
            raise
        finally:
            # Tracebacks may show local variables, and some may be secret.
            del args, kwargs, keys, argv, reply

    def add_to(self, batch: TBatch, /, *args: P.args, **kwargs: P.kwargs) -> TBatch:
        """Check the arguments and add the call to a batch.

        The batch's results have the reply as the declared type, or a ``ReplyTypeError`` if it does
        not fit.

        Args:
            batch: A ``Batch`` or a ``ClusterBatch``.
            args: As for a call.
            kwargs: As for a call.

        Returns:
            The batch.

        Raises:
            TypeError: As for a call; or ``batch`` is not a batch.
            ValueError: As for a call.
            CrossSlotError: As for a call.
        """
        try:
            if not hasattr(batch, "_invoke"):
                kind = type(batch).__name__
                del batch
                raise self._refusal(TypeError, f"batch is {kind}; pass a Batch or a ClusterBatch")
            once = self._take_once(kwargs)
            call = DeclaredCall(self, *self._packed(args, kwargs), self._decoded)
        finally:
            del args, kwargs
        try:
            batch._invoke(self, call.keys, call.args, call, **once)
        except CrossSlotError as error:
            self._add_signature(error)
            raise
        return batch

    def pack(self, /, *args: P.args, **kwargs: P.kwargs) -> Packed:
        """Check the arguments, and return the keys and arguments that a call would send.

        Use it with options that a typed call does not have, such as a timeout or a route::

            await client.invoke_script(script, *script.pack(user="u1"), timeout=100)

        Raises:
            TypeError: As for a call.
            ValueError: As for a call.
        """
        try:
            return self._packed(args, kwargs)
        finally:
            del args, kwargs

    def decode(self, reply: TResult) -> R_co:
        """Convert a reply to the declared type.

        Raises:
            ReplyTypeError: It does not fit.
        """
        try:
            return self._decoded(reply, _UNKNOWN, _UNKNOWN)
        finally:
            del reply

    @property
    def __name__(self) -> str:
        """The name of the function that declares it, or the script's name."""
        return self._shown_name if self._function is None else self._function[0]

    @property
    def __signature__(self) -> inspect.Signature:
        positional = inspect.Parameter(self._signature.client, inspect.Parameter.POSITIONAL_ONLY)
        parameters = [
            inspect.Parameter(
                each.name,
                each.passed.value,
                default=... if each.secret and each.default is not NO_DEFAULT else each.default,
                annotation=each.shown_type,
            )
            for each in self._signature.parameters
        ]
        return inspect.Signature(
            [positional, *parameters], return_annotation=shown(self._signature.returns)
        )

    def __repr__(self) -> str:
        file = f" of {self.file}" if self.file else ""
        return f"<{type(self).__name__} {self._shown_signature}{file}, hash={self.hash!r}>"

    def _take_once(self, kwargs: dict[str, Any]) -> dict[str, Any]:
        """Take ``once`` and ``once_ttl`` out of a call, unless they are the script's own."""
        if "once" not in kwargs and "once_ttl" not in kwargs:
            return {}
        names = {"once", "once_ttl"}.difference(each.name for each in self._signature.parameters)
        return {name: kwargs.pop(name) for name in names if name in kwargs}

    def _packed(self, args: Any, kwargs: Any) -> Packed:
        try:
            return self._pack(*args, **kwargs)
        except Exception as error:
            why = self._why(error, args, kwargs)
        # Outside the except block: that error contains the arguments, and would be its context.
        del args, kwargs
        try:
            raise why
        finally:
            del why

    def _refusal(self, kind: type[Exception], why: str) -> Exception:
        return kind(f"{self._shown_name}: {why}\n  {self._shown_signature}")

    def _undecoded_call(self, keys: Any, args: Any) -> DeclaredCall:
        """For a batch's ``invoke_script``: errors as for a call, and the reply unconverted."""
        return DeclaredCall(self, keys, args, None)

    def _add_signature(self, error: CrossSlotError) -> None:
        error.args = (f"{error}\n  {self._shown_signature}",)

    def _why(self, error: Exception, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Exception:
        """Return the error for a call that does not fit the signature."""
        kind = TypeError if isinstance(error, TypeError) else ValueError
        why = str(error)
        if not isinstance(error, (TypeError, ValueError)):
            why = f"an argument cannot be sent: {type(error).__name__}: {error}"
        return self._refusal(kind, self._wrong_number(args, kwargs) or why)

    def _wrong_number(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> str | None:
        parameters = self._signature.parameters
        places = [each for each in parameters if each.passed is not Passed.BY_NAME]
        if len(args) > len(places) and not any(each.passed is Passed.AS_REST for each in places):
            plural = "" if len(places) == 1 else "s"
            by_place = "" if len(places) == len(parameters) else " by position"
            return f"it takes {len(places)} argument{plural}{by_place}, but {len(args)} were given"
        for name in kwargs:
            why = self._wrong_name(name)
            if why is not None:
                return why
        given = {each.name for each in places[: len(args)]}
        for name in given:
            if name in kwargs:
                return f"{name!r} is given twice"
        missing = [
            repr(each.name)
            for each in parameters
            if each.is_required and each.name not in given and each.name not in kwargs
        ]
        return f"missing {', '.join(missing)}" if missing else None

    def _wrong_name(self, name: str) -> str | None:
        parameters = self._signature.parameters
        names = [each.name for each in parameters if each.passed in _BY_NAME]
        if name in names:
            return None
        if any(each.name == name for each in parameters):
            return f"{name!r} is passed by position"
        if name in _OF_INVOKE_SCRIPT:
            mine = self.__name__
            return (
                f"a typed call has no {name}; "
                f"call client.invoke_script({mine}, *{mine}.pack(...), {name}=...)"
            )
        import difflib  # noqa: PLC0415 - saves time at import

        near = difflib.get_close_matches(name, names, n=1)
        return f"there is no parameter {name!r}" + (f"; did you mean {near[0]!r}?" if near else "")

    def _decoded(self, reply: Any, keys: Any, args: Any) -> R_co:
        """Return the reply to a call as the declared type."""
        try:
            result: R_co = reply if self._decode is None else self._decode(reply)
            return result
        except Mismatch as error:
            mismatch = error
        except Exception as error:
            mismatch = Mismatch(f"cannot be read: {type(error).__name__}: {error}")
        # Outside the except block: its error may show a secret, and would be the context.
        from ..failures.explanation import reply_type_error  # noqa: PLC0415 - saves time at import

        why = reply_type_error(self, mismatch, reply, keys, args)
        del mismatch, reply, keys, args
        try:
            raise why
        finally:
            del why


def _no_client(given: object) -> str:
    if inspect.iscoroutine(given):
        given.close()
        return "client is a coroutine; await the call that makes the client"
    if isinstance(given, type):
        return f"client is the class {given.__name__}; make a client with create or from_url"
    from ..client.base_batch import BaseBatch  # noqa: PLC0415 - only for an error

    if isinstance(given, BaseBatch):
        return f"client is a {type(given).__name__}; add the call to it with add_to(batch, …)"
    return f"client is {type(given).__name__}; pass a GlideClient or a GlideClusterClient"


class _Doc:
    """The class's docstring, or for a script the docstring of its function."""

    def __init__(self, of_class: str | None) -> None:
        self._of_class = of_class

    def __get__(self, script: TypedScript[..., Any] | None, _: object = None) -> str | None:
        if script is None or script._function is None:
            return self._of_class
        return script._function[1]


_doc: Any = _Doc(TypedScript.__doc__)
TypedScript.__doc__ = _doc


show_as_public(globals())
