"""A blocking RESP2 connection, to prepare and inspect servers."""

import contextlib
import socket
import ssl
from types import TracebackType
from typing import BinaryIO, Self, TypeAlias

Word: TypeAlias = str | bytes | int
Reply: TypeAlias = "bytes | int | list[Reply] | ServerReplyError | None"


class ServerReplyError(Exception):
    """The server answered with an error. Inside an array, it is an element and is not raised.

    ``code`` is the server's first word: ``"ERR"``, ``"WRONGTYPE"``, ``"MOVED"``.
    """

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.code = text.partition(" ")[0]


class Connection:
    """One connection to a server, for commands that belong together (MULTI, ASKING, SELECT).

    Args:
        host: The server's host, or without a port, the path of a Unix socket.
        port: The server's port; None for a Unix socket.
        user, password: What to authenticate with; without a password, nothing.
        tls: The context for TLS; None means no TLS.
        server_name: The name that the certificate must have; None means ``host``.
        timeout: The time limit in seconds for connecting, and for each reply.

    Raises:
        TimeoutError: There was no connection or reply in time.
        OSError: Another error of the network.
        ServerReplyError: The server refused the password.
    """

    def __init__(
        self,
        host: str,
        port: int | None,
        *,
        user: str | None = None,
        password: str | None = None,
        tls: ssl.SSLContext | None = None,
        server_name: str | None = None,
        timeout: float = 10.0,
    ) -> None:
        self._socket = _connected(host, port, timeout)
        try:
            if tls is not None:
                self._socket = tls.wrap_socket(self._socket, server_hostname=server_name or host)
            self._replies: BinaryIO = self._socket.makefile("rb")
        except BaseException:
            self._socket.close()
            raise
        if password is not None:
            try:
                self.command("AUTH", *([] if user is None else [user]), password)
            except BaseException:
                self.close()
                raise

    def command(self, *words: Word) -> Reply:
        """Send one command and wait for its reply.

        Args:
            words: The command and its arguments; an int is sent as its decimal digits.

        Returns:
            The reply: bytes, int, None or a list of these.

        Raises:
            ServerReplyError: The server answered with an error.
        """
        self.send(*words)
        return self.receive()

    def send(self, *words: Word) -> None:
        """Send one command without waiting; get its replies with `receive`.

        Args:
            words: The command and its arguments.
        """
        self._socket.sendall(_packed(words))

    def receive(self) -> Reply:
        """Return the next reply. Raises `ServerReplyError` if it is an error."""
        reply = _read(self._replies)
        if isinstance(reply, ServerReplyError):
            raise reply
        return reply

    def wait_forever(self) -> None:
        """Remove the time limit for replies."""
        self._socket.settimeout(None)

    def shut_down(self) -> None:
        """End the connection. A thread that waits for a reply gets an error."""
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Close the connection."""
        self._replies.close()
        self._socket.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def _connected(host: str, port: int | None, timeout: float) -> socket.socket:
    if port is not None:
        connected = socket.create_connection((host, port), timeout)
        connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return connected
    connected = socket.socket(socket.AF_UNIX)
    try:
        connected.settimeout(timeout)
        connected.connect(host)
    except BaseException:
        connected.close()
        raise
    return connected


def _packed(words: tuple[Word, ...]) -> bytes:
    packed = bytearray(b"*%d\r\n" % len(words))
    for word in words:
        data = word if isinstance(word, bytes) else str(word).encode()
        packed += b"$%d\r\n%b\r\n" % (len(data), data)
    return bytes(packed)


def _read(replies: BinaryIO) -> Reply:
    line = replies.readline()
    if not line.endswith(b"\r\n"):
        raise ConnectionResetError("the server closed the connection")
    kind, rest = line[:1], line[1:-2]
    match kind:
        case b"+":
            return rest
        case b"-":
            return ServerReplyError(rest.decode(errors="replace"))
        case b":":
            return int(rest)
        case b"$":
            return None if rest == b"-1" else _read_bulk(replies, int(rest))
        case b"*":
            return None if rest == b"-1" else [_read(replies) for _ in range(int(rest))]
        case _:
            raise ConnectionError(f"not a RESP2 reply: {line!r}")


def _read_bulk(replies: BinaryIO, length: int) -> bytes:
    data = replies.read(length + 2)
    if len(data) != length + 2:
        raise ConnectionResetError("the server closed the connection")
    return data[:-2]
