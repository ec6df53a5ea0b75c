"""Observers: callbacks for a client's calls, for traces and metrics."""

from dataclasses import dataclass
from typing import Any

from ..public import show_as_public
from .client import Client


@dataclass(slots=True, eq=False)
class ObservedCall:
    """One call of a client: what is known at its start, and how it ended.

    It contains no keys, arguments, replies or error messages, because these may be secret.
    """

    operation: str
    """The command, such as ``"EVALSHA"`` or ``"SCRIPT FLUSH"``; ``"PIPELINE"`` or ``"MULTI"``.

    That of a batch of one command's calls is followed by the command: ``"PIPELINE EVALSHA"``.
    """

    name: str | None
    """The name of the script or function; for a batch, only if all its commands have the same."""

    sha1: str | None
    """The SHA1 of the script, if the call runs one with ``invoke_script``."""

    batch_size: int | None
    """The number of commands of a batch; None if it is not a batch."""

    server: tuple[str, int | None]
    """Host and port of the first address in the client's configuration.

    Of a Unix socket, here and in ``node``, its path and None.
    """

    database: int
    """The database's number."""

    state: Any = None
    """For the observer's own use, such as a span that it ends later."""

    duration: float = 0.0
    """Seconds from the start to the end."""

    error: type[BaseException] | None = None
    """The class of the error it ended in: of a batch, of the first command that failed.

    ``asyncio.CancelledError``: its task was cancelled.
    """

    code: str | None = None
    """The first word of the server's error, if a server says it or it stands in the script."""

    node: tuple[str, int | None] | None = None
    """Host and port of the server that it was last sent to; None: of none, of several or a batch.
    """

    eval_fallback: bool = False
    """Whether the server lacked the script, so that EVAL sent its code."""

    retries: int = 0
    """How often it was repeated for another reason, such as a redirect or a lost connection."""

    from_record: bool = False
    """Whether a call with ``once`` got the reply, or the error, of an earlier call of its id."""


class Observer:
    """Callbacks for clients and their calls. Derive from it, and pass an instance as ``observer``.

    The methods do nothing by default. They run on the event loop of the call, so keep them fast. If
    one raises an exception, it is logged once per client, and calls continue.

    Example:
        >>> class Slow(Observer):
        ...     def call_ended(self, call: ObservedCall) -> None:
        ...         if call.duration > 0.1:
        ...             print(f"{call.operation} {call.name} took {call.duration:.3f} s")
        >>> config = GlideClientConfiguration([NodeAddress()], observer=Slow())
    """

    def client_opened(self, client: Client) -> None:
        """Called when a client was created.

        Args:
            client: The client. Do not keep a reference: an unreferenced client is closed.
        """

    def client_closed(self, client: Client) -> None:
        """Called before a client is closed, but not if it is garbage collected.

        Args:
            client: The client, whose ``stats()`` are still available.
        """

    def call_started(self, call: ObservedCall) -> None:
        """Called before a call is sent, in the caller's context (``contextvars``).

        A batch is one call. So is each batch that ``invoke_script_many`` sends.

        Args:
            call: What is known of the call. Its ``state`` is for the observer.
        """

    def call_ended(self, call: ObservedCall) -> None:
        """Called when a call has ended, in a copy of the caller's context.

        Args:
            call: The object that `call_started` got, now with ``duration``, ``error`` and what
                follows it.
        """


show_as_public(globals())
