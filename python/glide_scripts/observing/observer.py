"""Observers: callbacks for a client's calls, for traces and metrics."""

from __future__ import annotations

import glide_scripts

from ..public import show_as_public
from .client import Client


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

    def call_started(self, call: glide_scripts.ObservedCall) -> None:
        """Called before a call is sent, in the caller's context (``contextvars``).

        A batch is one call. So is each batch that ``invoke_script_many`` sends.

        Args:
            call: What is known of the call. Its ``state`` is for the observer.
        """

    def call_ended(self, call: glide_scripts.ObservedCall) -> None:
        """Called when a call has ended, in a copy of the caller's context.

        Args:
            call: The object that `call_started` got, now with ``duration`` and the fields after
                it.
        """


show_as_public(globals())
