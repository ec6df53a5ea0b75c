"""The connection to a server that all clients of one pool share, and the scripts they know."""

from __future__ import annotations

import hashlib
import logging
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from time import monotonic
from typing import Any

from .._core import Batch as Packed
from .._core import Script
from ..commands.command import Command
from ..errors import ConfigurationError, GlideError, RequestError
from ..forks import notify_of_forks
from ..probes.switch import probed
from .failures import explained, translated
from .library import Library
from .placement import SHARED, Placement, name_rule, place
from .words import Words

log = logging.getLogger("glide_scripts")

_MAX_SCRIPTS = 1000
_FOR_REPLICAS = ("WAIT", "WAITAOF")
_WITH_CODE = ("EVAL", "EVAL_RO")


class SharedClient(ABC):
    """One of this package's clients, and what the library's clients that share it need."""

    in_cluster = False
    only_reads = False
    """Whether the library's connections carry everything but reads."""

    def __init__(self, library: Library, encoder: Any, options: Mapping[str, Any]) -> None:
        """
        Args:
            library: The library.
            encoder: The library's encoder.
            options: Its options for connections.
        """
        self.library = library
        self.options = options
        self.words = Words(encoder, library)
        self.core: Any = None
        """The core that sends; None before the first call and after the client was closed."""
        self.client: Any = None
        self.scripts: dict[str, Script] = {}
        """By SHA1."""
        self._read_only: dict[str, Script] = {}
        self.lock = threading.Lock()
        self.opening_lock = threading.Lock()
        self.opening: dict[Any, Any] = {}
        """Attempts to connect, by event loop."""
        notify_of_forks(self)
        self.no_server: type[Exception] = library.exceptions.ConnectionError
        """What the library raises if there is no connection."""
        self.reason = self._reason()
        """Why all commands go to the library's connections; None if they need not."""

    @abstractmethod
    def settings(self) -> dict[str, Any]:
        """Return the core's settings.

        Raises:
            ConfigurationError: This package cannot connect with these options.
        """

    def _reason(self) -> str | None:
        try:
            self.settings()
        except ConfigurationError as error:
            return str(error)
        except (LookupError, TypeError, ValueError) as error:
            return f"{type(error).__name__}: {error}"
        return None

    def say_reason(self) -> None:
        if self.reason is not None:
            log.warning(
                "%s's own connections carry all commands of this client, because %s",
                self.library.title,
                self.reason,
            )

    # Scripts

    def know(self, code: Any) -> Script:
        """Return the script with this code, which servers that lack it get from now on."""
        code = bytes(self.words.encode(code))
        sha = hashlib.sha1(code, usedforsecurity=False).hexdigest()
        script = self.scripts.get(sha)
        if script is None:
            script = Script(code)
            self.keep(sha, script)
        return script

    def keep(self, sha: str, script: Script) -> None:
        """Remember a script. A program may generate scripts, so the oldest are forgotten."""
        if sha not in self.scripts:
            while len(self.scripts) >= _MAX_SCRIPTS:
                oldest = next(iter(self.scripts))
                self.scripts.pop(oldest, None)
                self._read_only.pop(oldest, None)
            self.scripts[sha] = script

    def known(self, args: tuple[Any, ...]) -> tuple[Script, list[Any], list[Any]] | None:
        """Return the script, the keys and the arguments of EVALSHA, if the code is known."""
        if len(args) < 3:
            return None
        sha, count = args[1], _count(args[2])
        text = sha.decode("ascii", "replace") if isinstance(sha, bytes) else sha
        script = self.scripts.get(text) if isinstance(text, str) else None
        if script is None or count is None or count > len(args) - 3:
            # The server says what is wrong with the call.
            return None
        if name_rule(args[0]).is_read:
            # With EVALSHA_RO, the server stops a script that writes.
            script = self._read_only.get(text)
            if script is None:
                script = self._read_only[text] = Script(self.scripts[text].code, read_only=True)
        words = self.words.encoded(args[3:])
        return script, words[:count], words[count:]

    # Calls

    def carries(self, args: tuple[Any, ...]) -> bool:
        """Whether a command goes over the shared connection."""
        rule = name_rule(args[0])
        if self.reason is not None or (self.in_cluster and rule.by_nodes):
            return False
        return place(rule, args) in SHARED

    def waits_for_replicas(self, args: tuple[Any, ...]) -> bool:
        """Whether a command waits for writes that went over the shared connection."""
        return (
            self.reason is None and not self.only_reads and name_rule(args[0]).name in _FOR_REPLICAS
        )

    def issue(self, args: tuple[Any, ...], timeout: float | None = None) -> Any:
        """Send a command over the shared connection, and return what waits for its reply.

        Returns:
            None if the command needs a connection of its own.
        """
        rule = name_rule(args[0])
        if self.in_cluster and rule.by_nodes:
            return None
        if rule.place is not Placement.SHARED or rule.decides:
            where = place(rule, args)
            if where is Placement.SCRIPT:
                called = self.known(args)
                if called is not None:
                    return self.core.invoke_script(*called, timeout)
            elif where is not Placement.SHARED:
                return None
        return self.send(*self._sent(args), rule.is_read, timeout)

    def send(
        self, words: list[Any], code: bytes | None, is_read: bool, timeout: float | None
    ) -> Any:
        """Send a command that is not a known script."""
        return self.core.command(words, timeout, read_only=is_read, code=code)

    def finished(
        self, reply: Any, args: tuple[Any, ...], callbacks: Any, options: dict[str, Any]
    ) -> Any:
        """Return what a command's method returns for its reply; awaitable of an async callback."""
        kind = type(reply)
        if options:
            options.pop(self.library.empty_response, None)
            # These are for the library's cache.
            options.pop("keys", None)
            if options.pop(self.library.never_decode, None) is not None:
                reply = self.words.undecoded(reply)
            else:
                reply = self.words.decoded(reply)
        elif kind is not int and (kind is not bytes or self.words.decodes):
            reply = self.words.decoded(reply)
        name = args[0]
        if name == "SCRIPT LOAD" and len(args) > 1:
            self.know(args[1])
        callback = callbacks.get(name)
        return reply if callback is None else callback(reply, **options)

    def failure(self, error: GlideError, args: tuple[Any, ...]) -> Exception:
        """Return the library's exception for a call's error."""
        if name_rule(args[0]).place is Placement.SCRIPT and isinstance(error, RequestError):
            called = self.known(args)
            if called is not None:
                return explained(error, *called, self.library)
        return translated(error, self.library)

    def not_opened(self, error: GlideError) -> Exception:
        """Return the library's exception for a failed attempt to connect."""
        return translated(error, self.library, unconnected=self.no_server)

    def failed(self, error: GlideError, args: tuple[Any, ...], options: dict[str, Any]) -> Any:
        """Raise the library's exception, or return what an option has in place of an error."""
        raised = self.failure(error, args)
        empty = self.library.empty_response
        if empty in options and isinstance(raised, self.library.exceptions.ResponseError):
            return options[empty]
        raise raised from error

    # Batches

    def batch(self, commands: list[tuple[Any, ...]], is_atomic: bool) -> Packed | None:
        """Return a batch of commands; None if one of them needs a connection of its own."""
        for args in commands:
            if place(name_rule(args[0]), args) in (Placement.WAITS, Placement.CHANGES):
                return None
        try:
            return self._packed(commands, is_atomic)
        except GlideError as error:
            raise translated(error, self.library) from error

    def _packed(self, commands: list[tuple[Any, ...]], is_atomic: bool) -> Packed:
        packed = Packed(atomic=is_atomic, cluster=self.in_cluster)
        for args in commands:
            rule = name_rule(args[0])
            called = self.known(args) if rule.place is Placement.SCRIPT else None
            if called is not None:
                packed.invoke_script(*called)
                continue
            self.add(packed, *self._sent(args), rule.is_read)
        return packed

    def _sent(self, args: tuple[Any, ...]) -> tuple[list[Any], bytes | None]:
        """Return what is sent for a command; and while Lua is measured, the code of EVAL."""
        words = self._words(args)
        if name_rule(args[0]).name not in _WITH_CODE:
            return words, None
        command = probed(Command(words))
        return command.words, command.code

    def _words(self, args: tuple[Any, ...]) -> list[Any]:
        """Return a command's words; a name may be several."""
        words, rule = self.words.encoded(args), name_rule(args[0])
        if rule.words is not None or not self.words.is_utf8:
            words[:1] = rule.words or [rule.name]
        return words

    def add(self, packed: Packed, words: list[Any], code: bytes | None, is_read: bool) -> None:
        """Add a command that is not a known script to a batch."""
        packed.command(words, read_only=is_read, code=code)

    # Opening and closing

    def remaining(self, started: float) -> float | None:
        """Return what is left, in milliseconds, of a call's time limit; None if it has none."""
        limit = self.options.get("socket_timeout")
        if limit is None:
            return None
        return max(1, round((float(limit) - (monotonic() - started)) * 1000))

    def take(self) -> Any:
        """Forget the client, and return it to be closed."""
        with self.lock:
            client, self.client, self.core = self.client, None, None
        return client

    def opened(self, client: Any) -> Any:
        """Take a client that was made; return one that nobody needs, because another was faster."""
        with self.lock:
            if self.core is not None:
                return client
            self.client, self.core = client, client._core
        return None

    def _forked(self) -> None:
        """In a child process: the connections are the parent's."""
        self.lock = threading.Lock()
        self.opening_lock = threading.Lock()
        self.opening = {}
        if self.client is not None:
            # A client that is not closed would warn when it is deleted.
            _of_parent.append(self.client)
        self.core = self.client = None


def shared_client_of(owner: Any, make: Callable[[], SharedClient]) -> tuple[SharedClient, bool]:
    """Return the shared client of a pool or a cluster client, and whether it was made now."""
    shared = make()
    # In one step, because another thread may make one, too. A lock could stay locked in a fork.
    kept: SharedClient = owner.__dict__.setdefault("_glide_shared", shared)
    if kept is shared:
        shared.say_reason()
    return kept, kept is shared


_of_parent: list[Any] = []


def _count(text: Any) -> int | None:
    """How many keys a call has; None if the server or the library would refuse the number."""
    if type(text) is int:
        return text if text >= 0 else None
    if isinstance(text, bytes):
        text = text.decode("ascii", "replace")
    is_number = isinstance(text, str) and text.isdecimal() and str(int(text)) == text
    return int(text) if is_number else None
