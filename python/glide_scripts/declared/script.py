"""A script with its file and its declarations."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from .._core import Script
from ..errors import ScriptError

if TYPE_CHECKING:
    from .signature import Signature
    from .source import SourceMap


class DeclaredScript(Script):
    """A script from a file, or with parameters declared by a function."""

    __slots__ = ("_errors", "_signature", "_source_map")

    if TYPE_CHECKING:
        _signature: Signature
        _source_map: SourceMap | None
        """None if it is of no file."""
        _errors: Mapping[str, type[ScriptError]]
        """The classes of its errors, by their codes."""

    @property
    def file(self) -> str | None:
        """The file's name, as errors show it."""
        return None if self._source_map is None else self._source_map.files[0]

    @property
    def _shown_name(self) -> str:
        return self.name or "script"

    @property
    def _shown_signature(self) -> str:
        return f"{self._shown_name}{self._signature}"

    @property
    def _has_secret_keys(self) -> bool:
        return any(each.secret for each in self._signature.keys)
