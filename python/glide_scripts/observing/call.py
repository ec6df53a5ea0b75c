"""What an observer sees of a call."""

from dataclasses import dataclass
from typing import Any

from ..public import show_as_public


@dataclass(slots=True, eq=False)
class ObservedCall:
    """One call of a client: what is known at its start, and how it ended.

    It contains no keys, arguments, replies or error messages, because these may be secret.
    """

    operation: str
    """The command, such as ``"EVALSHA"`` or ``"SCRIPT FLUSH"``.

    For a batch, ``"PIPELINE"`` or ``"MULTI"``. If all its commands are the same one, that follows:
    ``"PIPELINE EVALSHA"``.
    """

    name: str | None
    """The name of the script or function; for a batch, only if all its commands have the same."""

    sha1: str | None
    """The SHA1 of the script, if the call runs one with ``invoke_script``."""

    batch_size: int | None
    """The number of commands of a batch; None if it is not a batch."""

    server: tuple[str, int | None]
    """Host and port of the first address in the client's configuration.

    For a Unix socket, its path and None. The same holds for ``node``.
    """

    database: int
    """The database's number."""

    state: Any = None
    """For the observer's own use, such as a span that it ends later."""

    duration: float = 0.0
    """Seconds from the start to the end."""

    error: type[BaseException] | None = None
    """The class of the error that ended the call; for a batch, of the first command that failed.

    If the task was cancelled, ``asyncio.CancelledError``.
    """

    code: str | None = None
    """The first word of the server's error, unless it may be secret.

    It is given if servers have that code, or the script's text contains it.
    """

    node: tuple[str, int | None] | None = None
    """Host and port of the server that last received the call.

    None if it was not sent, went to several servers, or is a batch.
    """

    eval_fallback: bool = False
    """Whether the server lacked the script, so that EVAL sent its code."""

    retries: int = 0
    """How often it was repeated for other reasons, such as a redirect or a lost connection."""

    from_record: bool = False
    """Whether a call with ``once`` got the reply, or the error, of an earlier call of its id."""


show_as_public(globals())
