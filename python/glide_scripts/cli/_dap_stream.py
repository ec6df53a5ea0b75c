"""Messages of the Debug Adapter Protocol on a stream: a header with the length, and JSON.

See https://microsoft.github.io/debug-adapter-protocol/overview.
"""

import contextlib
import errno
import io
import json
import os
import re
import socket
import sys
import threading
from collections.abc import Iterator
from typing import Any, cast

from ._failure import UNUSABLE, Failure

_LENGTH = re.compile(rb"content-length: *(\d{1,18})", re.IGNORECASE)
_LONGEST = 64 * 1024 * 1024


class ProtocolError(Exception):
    """The client does not speak the protocol."""


class Stream:
    """Reads a client's requests, and writes responses and events, from any thread."""

    def __init__(self, reading: io.BufferedIOBase, writing: io.BufferedIOBase) -> None:
        self._reading, self._writing = reading, writing
        self._lock = threading.Lock()
        self._last = 0

    def read(self) -> dict[str, Any] | None:
        """The next request; None at the end.

        Raises:
            ProtocolError: It is no message of the protocol.
            OSError: The connection was lost.
        """
        length = None
        while True:
            line = self._reading.readline()
            if not line:
                return None
            if not line.strip():
                break
            if found := _LENGTH.match(line):
                length = int(found[1])
        if length is None:
            raise ProtocolError("a message has no Content-Length")
        if length > _LONGEST:
            raise ProtocolError(f"a message has {length} bytes, more than {_LONGEST}")
        body = self._reading.read(length)
        if len(body) < length:
            return None
        try:
            message = json.loads(body)
        except (ValueError, RecursionError):
            raise ProtocolError("a message is not JSON") from None
        if not isinstance(message, dict):
            raise ProtocolError("a message is not a JSON object")
        if not isinstance(message.get("arguments") or {}, dict):
            raise ProtocolError("a message's arguments are not a JSON object")
        return message

    def respond(self, request: dict[str, Any], body: dict[str, Any]) -> None:
        """Answer a request."""
        self._write("response", request, success=True, body=body)

    def refuse(self, request: dict[str, Any], why: str) -> None:
        """Answer a request that failed, in words for the user."""
        error = {"id": 1, "format": "{why}", "variables": {"why": why}, "showUser": True}
        self._write("response", request, success=False, message=why, body={"error": error})

    def event(self, name: str, **body: Any) -> None:
        """Tell the client what happened."""
        self._write("event", None, event=name, body=body)

    def _write(self, kind: str, request: dict[str, Any] | None, **rest: Any) -> None:
        if request is not None:
            rest |= {"request_seq": request.get("seq", 0), "command": request.get("command", "")}
        with self._lock:
            self._last += 1
            data = json.dumps({"seq": self._last, "type": kind, **rest}).encode()
            self._writing.write(b"Content-Length: %d\r\n\r\n%b" % (len(data), data))
            self._writing.flush()


def streams(port: int | None) -> Iterator[Stream]:
    """The clients: the one on standard input, or each that connects to a port, one at a time.

    Raises:
        Failure: The port cannot be used.
    """
    if port is None:
        reading = cast("io.BufferedIOBase", sys.stdin.buffer)
        writing = cast("io.BufferedIOBase", sys.stdout.buffer)
        # What is printed by mistake must not come between messages.
        with contextlib.redirect_stdout(sys.stderr):
            yield Stream(reading, writing)
        return
    try:
        server = socket.create_server(("127.0.0.1", port))
    except OSError as error:
        is_taken = error.errno == errno.EADDRINUSE
        why = "it is taken" if is_taken else os.strerror(error.errno or 0)
        raise Failure(f"port {port}: {why}; choose another --port", UNUSABLE) from error
    with server as listening:
        number = listening.getsockname()[1]
        print(f"glide-scripts: a debug adapter on 127.0.0.1:{number}", file=sys.stderr, flush=True)
        while True:
            connection, _ = listening.accept()
            with connection, connection.makefile("rwb") as file:
                yield Stream(file, file)
