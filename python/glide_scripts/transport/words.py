"""From the library's arguments to the core's, and from the core's replies to the library's."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ..errors import RequestError
from .failures import translated
from .library import Library


class Words:
    """Encodes arguments and decodes replies as the library's connections do."""

    def __init__(self, encoder: Any, library: Library) -> None:
        """
        Args:
            encoder: The library's encoder.
            library: The library.
        """
        self.encode = encoder.encode
        self.decodes: bool = bool(encoder.decode_responses)
        self._encoding: str = encoder.encoding
        self._errors: str = encoder.encoding_errors
        self._library = library
        # The core sends a str as UTF-8.
        self.is_utf8 = self._encoding.lower().replace("_", "-") in ("utf-8", "utf8")
        self.as_they_are = (str, bytes) if self.is_utf8 else (bytes, bytes)

    def encoded(self, values: Iterable[Any]) -> list[Any]:
        """Return arguments as the core takes them.

        Raises:
            DataError: The library's, for an argument of another type.
        """
        one, other = self.as_they_are
        encode = self.encode
        return [
            value if (kind := type(value)) is one or kind is other else encode(value)
            for value in values
        ]

    def decoded(self, reply: Any) -> Any:
        """Return a reply as the library's parser would return it, before any callback."""
        kind = type(reply)
        if kind is bytes:
            return reply.decode(self._encoding, self._errors) if self.decodes else reply
        if kind is list:
            return [self.decoded(item) for item in reply]
        if kind is dict:
            decoded = self.decoded
            return {decoded(key): decoded(value) for key, value in reply.items()}
        if kind is set:
            if self._library.sets_are_lists:
                return [self.decoded(item) for item in reply]
            return {self.decoded(item) for item in reply}
        if isinstance(reply, bytes):
            # The constant OK, which also equals a str.
            return "OK" if self.decodes else b"OK"
        if isinstance(reply, RequestError):
            return translated(reply, self._library)
        return reply

    def undecoded(self, reply: Any) -> Any:
        """Return a reply that must not be decoded, such as that of DUMP."""
        return bytes(reply) if isinstance(reply, bytes) else reply
