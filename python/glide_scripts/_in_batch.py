"""What a typed script's call in a batch becomes in the results."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ._errors import ReplyTypeError, RequestError

if TYPE_CHECKING:
    from ._core import Script
    from ._errors import CrossSlotError
    from ._typed import TypedScript


def hide_keys(error: CrossSlotError, script: Script) -> None:
    """Takes the keys out of the core's words, if some of the script's are secret."""
    # Imported with the first failure.
    from ._explain import hide_keys

    hide_keys(error, script)


class InBatch:
    """One typed script's call in a batch: it makes the reply, or the error, what a call gives."""

    __slots__ = ("_args", "_decodes", "_keys", "_script")

    def __init__(
        self, script: TypedScript[..., Any], keys: Any, args: Any, *, decodes: bool = True
    ) -> None:
        self._script = script
        # As they are now: which of them are secret is known by their places.
        self._keys = tuple(keys) if isinstance(keys, list) else keys
        self._args = tuple(args) if isinstance(args, list) else args
        self._decodes = decodes

    def __call__(self, reply: Any) -> Any:
        """The reply, as the declared type; itself, if it was added by ``invoke_script``.

        Raises:
            ReplyTypeError: It does not fit.
        """
        if not self._decodes:
            return reply
        return self._script._decoded(reply, self._keys, self._args)

    @property
    def has_secret_keys(self) -> bool:
        """Whether no error may show the keys."""
        return any(each.secret for each in self._script._signature.keys)

    def failed(self, error: RequestError) -> RequestError:
        """The error with the text and the class of a call's."""
        from ._explain import explained

        return explained(error, self._script, self._keys, self._args)

    def result(self, reply: Any, index: int) -> Any:
        """What stands at a place of the results: the decoded reply, or an error."""
        if isinstance(reply, Exception):
            return self.failed(reply) if isinstance(reply, RequestError) else reply
        try:
            return self(reply)
        except ReplyTypeError as error:
            first, *rest = str(error).split("\n")
            where = f" (batch[{index}]: EVALSHA {self._script._shown_name})"
            error.args = ("\n".join([first + where, *rest]),)
            # As the core gives it to the errors that it makes.
            error.batch_index = index
            return error
