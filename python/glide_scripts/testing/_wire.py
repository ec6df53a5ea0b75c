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

    ``timeout`` is in seconds, for connecting and for each reply; after it, `TimeoutError` is
    raised. Other network errors are `OSError`. Without a port, ``host`` is the path of a Unix
    socket. With ``tls``, the connection uses TLS, to ``server_name`` or ``host``.
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
        """Send one command and return its reply: bytes, int, None or a list of these.

        Raises `ServerReplyError` when the server answers with an error.
        """
        self.send(*words)
        return self.receive()

    def send(self, *words: Word) -> None:
        """Send one command without waiting; get its replies with `receive`."""
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
        """Wake whatever thread waits for a reply; it gets an error."""
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
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
