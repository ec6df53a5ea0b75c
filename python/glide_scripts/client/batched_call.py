"""What a typed script's call in a batch becomes in the results."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..declared.script import DeclaredScript
from ..errors import ReplyTypeError, RequestError


class BatchedCall:
    """One typed script's call in a batch: it makes the reply, or the error, what a call gives."""

    __slots__ = ("_args", "_decode", "_keys", "script")

    def __init__(
        self,
        script: DeclaredScript,
        keys: Any,
        args: Any,
        decode: Callable[[Any, Any, Any], Any] | None,
    ) -> None:
        """
        Args:
            script: The script.
            keys: The keys that are sent.
            args: The arguments that are sent.
            decode: Makes the declared type of a reply, given the keys and the arguments for its
                error; None: the reply stays as it came.
        """
        self.script = script
        # As they are now: which of them are secret is known by their places.
        self._keys = tuple(keys) if isinstance(keys, list) else keys
        self._args = tuple(args) if isinstance(args, list) else args
        self._decode = decode

    def __call__(self, reply: Any) -> Any:
        """The reply as the declared type.

        Raises:
            ReplyTypeError: It does not fit.
        """
        return reply if self._decode is None else self._decode(reply, self._keys, self._args)

    def explain(self, error: RequestError) -> RequestError:
        """The error with the text and the class of a call's."""
        from ..failures.explanation import explained  # noqa: PLC0415 - saves time at import

        return explained(error, self.script, self._keys, self._args)

    def result(self, reply: Any, index: int) -> Any:
        """What stands at a place of the results: the decoded reply, or an error."""
        if isinstance(reply, Exception):
            return self.explain(reply) if isinstance(reply, RequestError) else reply
        try:
            return self(reply)
        except ReplyTypeError as error:
            first, *rest = str(error).split("\n")
            where = f" (batch[{index}]: EVALSHA {self.script._shown_name})"
            error.args = ("\n".join([first + where, *rest]),)
            # As the core gives it to the errors that it makes.
            error.batch_index = index
            return error
