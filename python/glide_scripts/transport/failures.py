"""From this package's errors to the library's."""

from __future__ import annotations

import re
from typing import Any

from .._core import Script
from ..errors import (
    AuthenticationError,
    ClosingError,
    ConfigurationError,
    ConnectionError,
    CrossSlotError,
    ExecAbortError,
    GlideError,
    RequestError,
    TimeoutError,
)
from .library import Library


def translated(
    error: GlideError,
    library: Library,
    words: str | None = None,
    *,
    unconnected: type[Exception] | None = None,
) -> Exception:
    """Return the library's exception for an error, which becomes its cause.

    It has ``may_have_executed``, and what explains the error as a note.

    Args:
        words: What the exception says; None: what the error says.
        unconnected: The exception in place of the library's ConnectionError.
    """
    kind = _kind(error, library)
    words = words or str(error).split("\n", 1)[0]
    if kind is None:
        raised = _answer(error, words, library)
    elif kind is library.exceptions.ConnectionError and unconnected is not None:
        raised = unconnected(words)
    else:
        raised = kind(words)
    _, _, explanation = str(error).partition("\n")
    if explanation:
        raised.add_note(explanation)
    raised.may_have_executed = getattr(error, "may_have_executed", False)  # type: ignore[attr-defined]
    raised.__cause__ = error
    return raised


def explained(
    error: RequestError, script: Script, keys: object, args: object, library: Library
) -> Exception:
    """Return the library's exception for the error of a script's call."""
    from ..failures.explanation import explained as explain  # noqa: PLC0415 - saves time at import

    # Users of the library compare the server's words.
    words = str(error).split("\n", 1)[0]
    return translated(explain(error, script, keys, args), library, words)


def _kind(error: GlideError, library: Library) -> type[Exception] | None:
    """The library's exception; None: the one that it makes of the server's answer."""
    exceptions: Any = library.exceptions
    kind: type[Exception] | None
    if isinstance(error, TimeoutError):
        kind = exceptions.ConnectionError if error.is_unconnected else exceptions.TimeoutError
    elif isinstance(error, AuthenticationError):
        kind = exceptions.AuthenticationError
    elif isinstance(error, (ConnectionError, ClosingError, ConfigurationError)):
        # The configuration was checked before, except for the files that connecting needs.
        kind = exceptions.ConnectionError
    elif isinstance(error, CrossSlotError):
        kind = library.cross_slot_error
    else:
        kind = library.base_error if getattr(error, "code", None) is None else None
    return kind


def _answer(error: GlideError, words: str, library: Library) -> Exception:
    """The exception that the library makes of a server's answer."""
    index = getattr(error, "batch_index", None)
    if index is not None:
        words = _COMMAND.sub("", words)
        if isinstance(error, ExecAbortError):
            # The library raises what the server answered to the command.
            _, _, after = words.partition(f": batch[{index}] (")
            words = after.partition("): ")[2] or words
    # Without what the core adds for those who look for it.
    parsed: Exception = library.parse_error(words.replace("Lua syntax error: ", "", 1))
    return parsed


# Where a batch's error names the command.
_COMMAND = re.compile(r" \(batch\[\d+\]: [^)]*\)$")
