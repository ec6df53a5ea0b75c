"""A call of a declared script: what it sends, and what its reply becomes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from ..declared.script import DeclaredScript
from ..errors import ReplyTypeError, RequestError

NO_ONCE: Mapping[str, Any] = MappingProxyType({})


class DeclaredCall:
    """One call of a declared script, sent alone or in a batch.

    It shows neither keys nor arguments: it stands in frames, which tracebacks may show.
    """

    __slots__ = ("_decode", "args", "keys", "once", "script")

    def __init__(
        self,
        script: DeclaredScript,
        keys: Any,
        args: Any,
        decode: Callable[[Any, Any, Any], Any] | None,
        once: Mapping[str, Any] = NO_ONCE,
    ) -> None:
        """
        Args:
            script: The script.
            keys: The keys that are sent.
            args: The arguments that are sent.
            decode: Makes the declared type of a reply, given the keys and the arguments for its
                error; None: the reply stays as it came.
            once: Its ``once`` and ``once_ttl``, if it has any.
        """
        self.script = script
        # A copy, because their positions say which of them are secret.
        self.keys = tuple(keys) if isinstance(keys, list) else keys
        self.args = tuple(args) if isinstance(args, list) else args
        self._decode = decode
        self.once = once

    def __call__(self, reply: Any) -> Any:
        """The reply as the declared type.

        Raises:
            ReplyTypeError: It does not fit.
        """
        try:
            return reply if self._decode is None else self._decode(reply, self.keys, self.args)
        finally:
            del reply

    def explain(self, error: RequestError) -> RequestError:
        """The error with the text and the class of a call's."""
        from ..failures.explanation import explained  # noqa: PLC0415 - saves time at import

        return explained(error, self.script, self.keys, self.args)

    def result(self, reply: Any, index: int) -> Any:
        """What stands at a place of a batch's results: the decoded reply, or an error."""
        if isinstance(reply, Exception):
            return self.explain(reply) if isinstance(reply, RequestError) else reply
        try:
            return self(reply)
        except ReplyTypeError as error:
            first, *rest = str(error).split("\n")
            where = f" (batch[{index}]: EVALSHA {self.script._shown_name})"
            error.args = ("\n".join([first + where, *rest]),)
            # The core gives it to its own errors in the same form.
            error.batch_index = index
            return error
        finally:
            # Tracebacks may show local variables, and some may be secret.
            del reply


class ObservedDeclaredCall(DeclaredCall):
    """A call whose reply is decoded before the observer sees the end of the call."""

    __slots__ = ("_decoded",)

    def __init__(self, call: DeclaredCall) -> None:
        super().__init__(call.script, call.keys, call.args, call._decode, call.once)
        self._decoded: list[Any] = []

    def failure(self, reply: Any) -> ReplyTypeError | None:
        """The error that the caller will get of it."""
        try:
            self._decoded.append(super().__call__(reply))
        except ReplyTypeError as error:
            return error
        return None

    def __call__(self, reply: Any) -> Any:
        try:
            return self._decoded.pop() if self._decoded else super().__call__(reply)
        finally:
            del reply
