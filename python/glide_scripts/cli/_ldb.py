"""A session of the servers' script debugger (LDB), and the places of a script's lines.

The server forks, and the fork runs the script and answers on the session's connection: nothing that
the script writes stays. What it answers are arrays of lines of text; one that ends the session is
followed by the reply of EVAL. See https://valkey.io/topics/ldb/.
"""

import contextlib
import hashlib
import os
import re
import ssl
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeAlias

from .. import (
    NodeAddress,
    Script,
    ScriptError,
    ScriptSyntaxError,
    ServerCredentials,
    TlsAdvancedConfiguration,
    TypedScript,
    UnixSocketAddress,
)
from ..config.node_address import ServerAddress
from ..declared.lines import Place, split_lines
from ..declared.source import SourceMap
from ..failures.explanation import explained
from ..failures.one_line import on_its_lines
from ..failures.words import is_of_first_line
from ..probes.program import program
from ..testing._wire import Connection, Reply, ServerReplyError, Word
from ._coverage import Covered
from ._frame_probes import with_probes
from ._servers import Servers

_STOPPED = re.compile(r"\* Stopped at (\d+), stop reason = (.*)")
_LINE = re.compile(r"user_script: ?(\d+)")
_COMPILING = "Error compiling script"
_ABORTED = "script aborted for user request"
# What LDB takes as one word of a command, in bytes.
_MAX_WORD = 1024


class NotTakenError(Exception):
    """A command of the debugger that cannot be sent."""


@dataclass(frozen=True)
class Stopped:
    """The script stands before a line, which the server counts in the text that it was sent."""

    log: list[str]
    line: int
    reason: str


@dataclass(frozen=True)
class Ended:
    """The script is over: its reply, or its error; neither if it was aborted."""

    log: list[str]
    reply: Reply = None
    error: ScriptError | None = None
    is_aborted: bool = False


Event: TypeAlias = Stopped | Ended


class Session:
    """A script under the debugger, from its first line to its end.

    Raises:
        OSError: The server cannot be reached, or the connection was lost.
        ServerReplyError: The server refuses to debug.
    """

    def __init__(
        self,
        servers: Servers,
        script: Script,
        keys: Sequence[bytes],
        args: Sequence[bytes],
        covered: Covered | None = None,
    ) -> None:
        self._script, self._keys, self._args = script, keys, args
        self.now: Event = Ended([])
        further = None if covered is None else covered.probes(script)
        self.program = with_probes(script.code, further)
        address = first = _primary(servers)
        while True:
            self._connect = partial(_connect, servers, _mapped(servers, address))
            self._connection = self._connect()
            try:
                self.now = self._started()
                return
            except ServerReplyError as error:
                self.close()
                # Another node of the cluster has the keys.
                if error.code != "MOVED" or not servers.is_cluster:
                    raise
                host, _, port = str(error).rpartition(" ")[2].rpartition(":")
                own_host = first.host if isinstance(first, NodeAddress) else "localhost"
                address = NodeAddress(host or own_host, int(port))
            except BaseException:
                self.close()
                raise

    def resume(self, *words: Word) -> Event:
        """Let the script go on, with LDB's ``step``, ``continue`` or ``abort``."""
        self._send(*words)
        self.now = self._event(self._lines())
        return self.now

    def ask(self, *words: Word) -> list[str]:
        """What LDB answers to any other command.

        Raises:
            NotTakenError: A word is too long for LDB.
        """
        self._send(*words)
        return self._lines()

    def depth(self) -> int:
        """Return the depth of the script's call stack."""
        return sum(line.startswith(("In ", "From ")) for line in self.ask("trace"))

    def wake(self) -> None:
        """Wake the thread that waits for the script, with an error; it then has to close."""
        self._connection.shut_down()

    def close(self) -> None:
        """End the session, and the server's fork with it, unless the script never stops."""
        if isinstance(self.now, Stopped):
            # The script would run to its end.
            with contextlib.suppress(OSError):
                self._connection.send("abort")
        self._connection.close()

    def _started(self) -> Event:
        if self.program is not None:
            event = self._start(self.program.code)
            if not (isinstance(event, Ended) and isinstance(event.error, ScriptSyntaxError)):
                return event
            # It is no Lua, or is so only with probes: it has too many variables.
            self.program = None
            self._connection = self._connect()
        return self._start(self._script.code)

    def _start(self, code: bytes) -> Event:
        connection = self._connection
        connection.command("SCRIPT", "DEBUG", "YES")
        connection.send("EVAL", code, len(self._keys), *self._keys, *self._args)
        connection.wait_forever()
        event = self._event(self._lines())
        if isinstance(event, Stopped):
            self.ask("maxlen", "1000")
        return event

    def _send(self, *words: Word) -> None:
        packed = [word if isinstance(word, bytes) else os.fsencode(str(word)) for word in words]
        for data in packed:
            # LDB ends the script on any word that it does not take.
            if not 0 < len(data) <= _MAX_WORD:
                raise NotTakenError(f"the debugger takes 1 to {_MAX_WORD} bytes, not {len(data)}")
        self._connection.send(*packed)

    def _lines(self) -> list[str]:
        reply = self._connection.receive()
        if not isinstance(reply, list):
            raise ConnectionError(f"not a reply of the script debugger: {reply!r}")
        return [line.decode(errors="replace") for line in reply if isinstance(line, bytes)]

    def _event(self, lines: list[str]) -> Event:
        if lines and lines[-1] == "<endsession>":
            return self._ended(lines[:-1])
        for at, line in enumerate(lines):
            if stop := _STOPPED.fullmatch(line):
                return Stopped(lines[:at], int(stop[1]), stop[2])
        raise ConnectionError(f"not a reply of the script debugger: {lines!r}")

    def _ended(self, log: list[str]) -> Ended:
        try:
            return Ended(log, reply=self._connection.receive())
        except ServerReplyError as error:
            if _ABORTED in str(error):
                return Ended(log, is_aborted=True)
            return Ended(log, error=self._explained(error))
        finally:
            self.close()

    def _explained(self, said: ServerReplyError) -> ScriptError:
        """Return the error as a client's call would raise it."""
        words = str(said)
        if self.program is not None:
            # It names the script by the SHA1 of what was sent.
            sent = hashlib.sha1(self.program.code, usedforsecurity=False).hexdigest()
            words = words.replace(sent, self._script.hash)
        line = _LINE.search(words)
        is_refused = _COMPILING in words or is_of_first_line(words.removeprefix("ERR "))
        kind = ScriptSyntaxError if is_refused else ScriptError
        error = kind(words, code=said.code, line=int(line[1]) if line else None)
        made = explained(error, self._script, self._keys, self._args)
        assert isinstance(made, ScriptError)
        return made


def _primary(servers: Servers) -> ServerAddress:
    """The server to debug on: the URL's first, or the primary that its Sentinels name."""
    settings, sentinels = servers.settings, servers.addresses
    service = settings.get("service_name")
    if service is None:
        return sentinels[0]
    use_tls = settings.get("sentinel_use_tls", settings["use_tls"])
    of_sentinel = {
        "use_tls": use_tls,
        "credentials": settings.get("sentinel_credentials"),
        "advanced_config": settings.get("advanced_config"),
    }
    question = ("SENTINEL", "GET-MASTER-ADDR-BY-NAME", service)
    failure = "they know no such service"
    for sentinel in sentinels:
        try:
            with _connect_by(of_sentinel, sentinel) as connection:
                place = connection.command(*question)
        except (OSError, ServerReplyError) as error:
            failure = str(error)
            continue
        if isinstance(place, list):
            host, port = (word.decode() for word in place if isinstance(word, bytes))
            return NodeAddress(host, int(port))
    raise ServerReplyError(f"no Sentinel names a primary of {service!r}: {failure}")


def _mapped(servers: Servers, address: ServerAddress) -> ServerAddress:
    """Where to connect to a server."""
    table: Mapping[ServerAddress, NodeAddress] = servers.settings.get("address_map") or {}
    return table.get(address, address)


def _connect(servers: Servers, address: ServerAddress) -> Connection:
    return _connect_by(servers.settings, address)


def _connect_by(settings: Mapping[str, Any], address: ServerAddress) -> Connection:
    credentials: ServerCredentials | None = settings.get("credentials")
    place = (
        (str(address.path), None)
        if isinstance(address, UnixSocketAddress)
        else (address.host, address.port)
    )
    advanced = settings.get("advanced_config")
    tls = advanced and advanced.tls_config
    connection = Connection(
        *place,
        user=credentials.username if credentials else None,
        password=credentials._password() if credentials else None,
        tls=_context(tls or TlsAdvancedConfiguration()) if settings["use_tls"] else None,
        server_name=tls and tls.server_name,
        timeout=((advanced and advanced.connection_timeout) or 10_000) / 1000,
    )
    if database := settings.get("database_id"):
        try:
            connection.command("SELECT", database)
        except BaseException:
            connection.close()
            raise
    return connection


def _context(tls: TlsAdvancedConfiguration) -> ssl.SSLContext:
    """The same settings for Python's TLS."""
    context = ssl.create_default_context()
    if isinstance(tls.root_pem_cacerts, bytes):
        context = ssl.create_default_context(cadata=tls.root_pem_cacerts.decode())
    elif tls.root_pem_cacerts is not None:
        context = ssl.create_default_context(cafile=tls.root_pem_cacerts)
    if tls.use_insecure_tls or tls.verify_hostname is False:
        context.check_hostname = False
    if tls.use_insecure_tls:
        context.verify_mode = ssl.CERT_NONE
    # Of a URL or the command line they are paths.
    if isinstance(tls.client_cert_pem, str) and isinstance(tls.client_key_pem, str):
        # Without a password OpenSSL would ask the terminal.
        password = tls.key_password or ""
        context.load_cert_chain(tls.client_cert_pem, tls.client_key_pem, password)
    return context


class Listing:
    """The lines of a script's files, and where each stands in the text that is sent."""

    def __init__(self, script: Script) -> None:
        lines = [line.decode(errors="replace") for line in split_lines(script.code)]
        self._map = script._source_map if isinstance(script, TypedScript) else None
        if self._map is None:
            places = tuple((0, number) for number in range(1, len(lines) + 1))
            self._map = SourceMap((script.name or "script",), places, (None,))
        self.files = self._map.files
        self._lines: list[dict[int, str]] = [{} for _ in self.files]
        for text, (file, number) in zip(lines, self._map.lines, strict=True):
            self._lines[file][number] = on_its_lines(text.expandtabs(4).rstrip())
        parsed = program(script.code)
        self._statements = {self.place(each.line) for each in parsed.statements} if parsed else None
        """Where they begin; None if that is not known."""

    def place(self, sent: int) -> Place:
        """Of a line of the text that is sent."""
        assert self._map is not None
        return self._map.place(sent)

    def sent(self, place: Place) -> int | None:
        """The line in the text that is sent; None if there is no such place."""
        assert self._map is not None
        return self._map.line(place)

    def lines(self, file: str) -> dict[int, str]:
        """The lines of a file by their numbers."""
        return self._lines[self.files.index(file)]

    def find(self, spec: str) -> Place:
        """A place as one writes it: ``12`` in the script's own file, ``lib/util.lua:3``.

        Of a file, the end of its path will do. A line on which no statement begins stands for the
        next one.

        Raises:
            NotTakenError: There is no such file or line.
        """
        name, colon, digits = spec.rpartition(":")
        if not digits.isdecimal() or not int(digits):
            raise NotTakenError(f"{spec!r} is not a line; write 12, or util.lua:12")
        file = self._file(name) if colon else self.files[0]
        for number in range(int(digits), max(self.lines(file)) + 1):
            if self.has_code(place := Place(file, number)):
                return place
        raise NotTakenError(f"{file} has no code at line {digits} or below")

    def has_code(self, place: Place) -> bool:
        """Whether there is such a line, and a statement begins on it."""
        if self._statements is not None:
            return place in self._statements
        return place.file in self.files and place.line in self.lines(place.file)

    def _file(self, name: str) -> str:
        ends = [each for each in self.files if f"/{each}".endswith(f"/{name}")]
        exact = [each for each in ends if each == name]
        if len(found := exact or ends) == 1:
            return found[0]
        if ends:
            raise NotTakenError(f"{name!r} is several files: {' and '.join(ends)}")
        raise NotTakenError(f"the script has no file {name!r}, only {', '.join(self.files)}")
