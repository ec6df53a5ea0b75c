"""What is sent in place of scripts and libraries while they are measured: code with probes."""

from __future__ import annotations

import hashlib
import weakref
from collections.abc import Callable
from typing import TypeAlias

from .._core import Library, Script, with_probes
from ..declared.script import DeclaredScript
from ..declared.source import SourceMap

Insert: TypeAlias = Callable[[bytes, SourceMap | None], bytes | None]
"""Returns a text with probes; None if it is not measured. The map is that of a script's files."""


class Substitutes:
    """The texts with probes by the texts without, and the other way round."""

    def __init__(self, insert: Insert) -> None:
        self._insert = insert
        self._scripts: dict[int, tuple[weakref.ref[Script], Script]] = {}
        self._libraries: dict[bytes, Library] = {}
        self._codes: dict[bytes, bytes] = {}
        self._sent: dict[str, str] = {}
        self._own: dict[str, str] = {}
        self._own_codes: dict[bytes, bytes] = {}

    def script(self, script: Script) -> Script:
        """Return what is sent for a script."""
        known = self._scripts.get(id(script))
        if known is not None:
            return known[1]
        source_map = script._source_map if isinstance(script, DeclaredScript) else None
        code = self._text(script.code, source_map)
        sent = script if code == script.code else with_probes(script, code)
        key, scripts = id(script), self._scripts
        scripts[key] = (weakref.ref(script, lambda _: scripts.pop(key, None)), sent)
        return sent

    def code(self, code: bytes) -> bytes:
        """Return the text that is sent for one that is no ``Script``."""
        if code not in self._codes:
            self._codes[code] = self._text(code, None)
        return self._codes[code]

    def library(self, library: Library) -> Library:
        """Return what is sent for a library of functions."""
        code = library.code
        if code not in self._libraries:
            sent = self.code(code)
            self._libraries[code] = library if sent == code else Library(sent)
        return self._libraries[code]

    def sent_hash(self, own: str) -> str:
        """Return the SHA1 under which the server has a script."""
        return self._sent.get(own, own)

    def own_hash(self, sent: str) -> str:
        """Return the SHA1 of a script that the server has under another one."""
        return self._own.get(sent, sent)

    def own_code(self, sent: bytes) -> bytes:
        """Return the code without probes."""
        return self._own_codes.get(sent, sent)

    def _text(self, code: bytes, source_map: SourceMap | None) -> bytes:
        text = self._insert(code, source_map)
        if text is None:
            return code
        own, sent = _sha1(code), _sha1(text)
        self._sent[own], self._own[sent] = sent, own
        self._own_codes[text] = code
        return text


def _sha1(code: bytes) -> str:
    return hashlib.sha1(code, usedforsecurity=False).hexdigest()
