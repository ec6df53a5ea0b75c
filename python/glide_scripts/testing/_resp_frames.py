"""Where each request and each reply ends in a stream of RESP2 or RESP3."""

from __future__ import annotations

from collections.abc import Iterator

_BULK = b"$=!"
_AGGREGATE = b"*~>"
# What is one value without anything behind its line.
_LINE = b"+-:_,#("


class NotResp(ValueError):
    """The stream is something else: TLS, or a request in one line."""


class Frames:
    """Finds the ends of values in a stream that comes in pieces of any size."""

    def __init__(self) -> None:
        self._line = b""
        """The beginning of a line that has not ended."""
        self._bulk = 0
        """How many bytes of a bulk string are to come."""
        self._values = 1
        """How many values are to come until the outermost ends."""

    def feed(self, data: bytes) -> Iterator[tuple[bytes, bool]]:
        """Parts of `data`, and whether the value that each belongs to ends with it.

        Raises `NotResp`.
        """
        begin = at = 0
        while at < len(data):
            if self._bulk:
                step = min(self._bulk, len(data) - at)
                at += step
                self._bulk -= step
                self._values -= not self._bulk
            else:
                end = data.find(b"\n", at) + 1
                self._line += data[at : end or len(data)]
                if not self._line[:1] or self._line[0] not in _BULK + _AGGREGATE + _LINE + b"%|":
                    raise NotResp
                if not end:
                    break
                at = end
                self._begin_value(self._line)
                self._line = b""
            if not self._values:
                yield data[begin:at], True
                begin, self._values = at, 1
        if begin < len(data):
            yield data[begin:], False

    def _begin_value(self, line: bytes) -> None:
        kind = line[0]
        if kind in _LINE:
            self._values -= 1
            return
        try:
            length = int(line[1:])
        except ValueError:
            raise NotResp from None
        if kind in _BULK:
            # A length of -1 is null.
            self._bulk = length + 2 if length >= 0 else 0
            self._values -= length < 0
        elif kind in _AGGREGATE:
            self._values += max(length, 0) - 1
        else:
            # The pairs of a map count twice. Those of an attribute, too, and its value follows.
            self._values += 2 * length - (kind == b"%"[0])
