"""The scripts that ``register_script`` returns: one round trip, any event loop, any thread."""

from __future__ import annotations

from functools import cache
from importlib import import_module
from typing import Any, ClassVar

from ..errors import GlideError, RequestError
from .failures import explained, translated
from .library import Library


class BaseScript:
    """What the scripts of asynchronous and synchronous clients share."""

    registered_client: Any
    script: Any
    sha: str

    def __init__(self, registered_client: Any, script: Any) -> None:
        self.registered_client = registered_client
        self.script = script
        self._script = registered_client._shared.know(script)
        self.sha = self._script.hash

    def _queue(self, client: Any, keys: Any, args: Any) -> Any:
        """Add the script to a pipeline; one that watches sends it, and returns its reply."""
        client._shared.keep(self.sha, self._script)
        if hasattr(client, "scripts"):
            # A pipeline that watches loads its scripts itself.
            client.scripts.add(self)
        return client.evalsha(self.sha, len(keys), *keys, *args)

    def _with_code(self, pipeline: Any, keys: Any, args: Any) -> Any:
        """Send the script with its code in a pipeline that watches, whose server lacks it."""
        return pipeline.execute_command("EVAL", self.script, len(keys), *keys, *args)

    def _failure(self, shared: Any, error: GlideError, keys: Any, args: Any) -> Exception:
        if isinstance(error, RequestError):
            return explained(error, self._script, keys, args, shared.library)
        return translated(error, shared.library)


class RegistersScripts:
    """What the clients share whose scripts these are."""

    _library: ClassVar[Library]
    _execute_shared: Any
    """The method ``execute_command`` of this package. Scripts go by one of the caller's own."""
    response_callbacks: Any

    def __repr__(self) -> str:
        try:
            return super().__repr__()
        except AttributeError:
            # A traceback with local variables shows a client whose constructor failed, too.
            return f"<{type(self).__name__} that could not be made>"

    def _sends_itself(self, options: dict[str, Any]) -> bool:
        """Whether the library's own connections carry commands with such options."""
        raise NotImplementedError

    @property
    def _callbacks(self) -> Any:
        return self.response_callbacks


class AsyncScript(BaseScript):
    """Goes before the library's AsyncScript."""

    @staticmethod
    @cache
    def of(library: Library) -> type[Any]:
        """Return the class of a library's scripts."""
        base = import_module(f"{library.package}.commands.core").AsyncScript
        return type("AsyncScript", (AsyncScript, base), {"__doc__": base.__doc__})

    async def __call__(self, keys: Any = None, args: Any = None, client: Any = None) -> Any:
        client = self.registered_client if client is None else client
        keys, args = keys or (), args or ()
        shared = getattr(client, "_shared", None)
        if shared is None:
            return await super().__call__(keys, args, client)  # type: ignore[misc]
        if hasattr(client, "execute"):
            return await self._in_pipeline(client, tuple(keys), tuple(args))
        if shared.core is None or shared.only_reads or _by_command(client):
            # The first call opens the connection.
            shared.keep(self.sha, self._script)
            return await super().__call__(tuple(keys), tuple(args), client)  # type: ignore[misc]
        keys, args = shared.words.encoded(keys), shared.words.encoded(args)
        try:
            reply = await shared.core.invoke_script(self._script, keys, args, None)
        except GlideError as error:
            raise self._failure(shared, error, keys, args) from error
        return reply if type(reply) is int else shared.words.decoded(reply)

    async def _in_pipeline(self, pipeline: Any, keys: Any, args: Any) -> Any:
        queued = self._queue(pipeline, keys, args)
        if queued is pipeline:
            return queued
        try:
            return await queued
        except pipeline._shared.library.exceptions.NoScriptError:
            return await self._with_code(pipeline, keys, args)


class BlockingScript(BaseScript):
    """Goes before the library's Script."""

    @staticmethod
    @cache
    def of(library: Library) -> type[Any]:
        """Return the class of a library's scripts."""
        base = import_module(f"{library.package}.commands.core").Script
        return type("Script", (BlockingScript, base), {"__doc__": base.__doc__})

    def __call__(self, keys: Any = None, args: Any = None, client: Any = None) -> Any:
        client = self.registered_client if client is None else client
        keys, args = keys or (), args or ()
        shared = getattr(client, "_shared", None)
        if shared is None:
            return super().__call__(keys, args, client)  # type: ignore[misc]
        if hasattr(client, "execute"):
            return self._in_pipeline(client, tuple(keys), tuple(args))
        if shared.core is None or shared.only_reads or _by_command(client):
            # The first call opens the connection.
            shared.keep(self.sha, self._script)
            return super().__call__(tuple(keys), tuple(args), client)  # type: ignore[misc]
        keys, args = shared.words.encoded(keys), shared.words.encoded(args)
        try:
            reply = shared.core.invoke_script(self._script, keys, args, None).result()
        except GlideError as error:
            raise self._failure(shared, error, keys, args) from error
        return reply if type(reply) is int else shared.words.decoded(reply)

    def _in_pipeline(self, pipeline: Any, keys: Any, args: Any) -> Any:
        try:
            return self._queue(pipeline, keys, args)
        except pipeline._shared.library.exceptions.NoScriptError:
            return self._with_code(pipeline, keys, args)


def _by_command(client: Any) -> Any:
    """Whether scripts are commands of the library's client, with what it does to them."""
    kind = type(client)
    return (
        # A function of the caller's for the replies of scripts: the library has none. The library's
        # own lookup, of a name in any case, takes longer than all else here.
        dict.__contains__(client._callbacks, "EVALSHA")
        or kind.execute_command is not kind._execute_shared
        or "execute_command" in client.__dict__
        or client._sends_itself({})
    )
