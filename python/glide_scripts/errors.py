"""The exceptions of this package.

::

    GlideError
    ├── ConfigurationError        a setting is wrong; raised before anything connects
    ├── ClosingError              the client is closed, could not connect, or belongs to a parent
    │   └── AuthenticationError   the client could not be made: its login was refused
    ├── LoggerError               logging could not be set up
    ├── ScriptSourceError         a script's files or declarations are wrong: .file .line
    └── RequestError              a request failed: .code .may_have_executed
        ├── NoPermissionError     the user may not run the command, or not with these keys
        ├── TimeoutError          also a builtins.TimeoutError
        ├── ConnectionError       also a builtins.ConnectionError
        ├── ExecAbortError        a transaction was discarded
        ├── CrossSlotError        the keys are in different slots
        ├── OnceConflictError     the id of once belongs to another call; nothing ran
        ├── OnceUnknownError      the script began before, and its reply is not known
        └── ScriptError           a script failed: .script .line .source_line .file .keys
            ├── ScriptSyntaxError the script does not compile; it did not run
            ├── NoScriptError     the server does not have the script; it did not run
            ├── ScriptKilledError SCRIPT KILL stopped the script
            ├── ScriptBusyError   another script keeps the server busy; this one did not run
            ├── UnkillableError   SCRIPT KILL was refused: the running script has already written
            ├── NotBusyError      SCRIPT KILL was refused: no script is running
            └── ReplyTypeError    the script ran, but its reply does not fit the declared type

A wrong argument of a method is a ``TypeError`` or a ``ValueError``, raised before anything is sent.
"""

from __future__ import annotations

import builtins
from typing import TYPE_CHECKING

import glide_scripts

from .public import show_as_public

__all__ = [
    "AuthenticationError",
    "ClosingError",
    "ConfigurationError",
    "ConnectionError",
    "CrossSlotError",
    "ExecAbortError",
    "GlideError",
    "LoggerError",
    "NoPermissionError",
    "NoScriptError",
    "NotBusyError",
    "OnceConflictError",
    "OnceUnknownError",
    "ReplyTypeError",
    "RequestError",
    "ScriptBusyError",
    "ScriptError",
    "ScriptKilledError",
    "ScriptSourceError",
    "ScriptSyntaxError",
    "TimeoutError",
    "UnkillableError",
]

if TYPE_CHECKING:
    from ._core import Script


class GlideError(Exception):
    """The base of all errors of this package, except for wrong arguments.

    Args:
        message: The text of the error.
    """

    def __init__(self, message: str | None = None) -> None:
        super().__init__(message or "No error message provided")

    def name(self) -> str:
        """The name of the error's class, such as ``"RequestError"``."""
        return type(self).__name__


class ConfigurationError(GlideError):
    """A setting is wrong. The text names it. Nothing was connected."""


class ClosingError(GlideError):
    """The client is closed, could not connect, or belongs to a parent process.

    Args:
        message: What happened.
        may_have_executed: See ``RequestError.may_have_executed``.
    """

    may_have_executed: bool
    """Whether the server may have executed the request that was in flight."""

    def __init__(self, message: str | None = None, *, may_have_executed: bool = False) -> None:
        super().__init__(message)
        self.may_have_executed = may_have_executed


class AuthenticationError(ClosingError):
    """The client could not be made, because the server refused the user or the password."""


class LoggerError(GlideError):
    """Logging could not be set up."""


class ScriptSourceError(GlideError):
    """A script's file or a declaration in it is wrong. Nothing was sent.

    Args:
        message: What is wrong.
        file: The file with the mistake.
        line: The line in that file, counted from 1.
    """

    file: str | None
    """The file; None if no file is wrong, but for example a package is missing."""

    line: int | None
    """The line of that file, counted from 1; None if the whole file is wrong."""

    def __init__(
        self, message: str | None = None, *, file: str | None = None, line: int | None = None
    ) -> None:
        place = "" if file is None else f"{file}: " if line is None else f"{file}:{line}: "
        super().__init__(f"{place}{message}" if message else message)
        self.file = file
        self.line = line


class RequestError(GlideError):
    """A request failed.

    Args:
        message: What happened.
        code: The first word of the server's error.
        may_have_executed: Whether the server may have executed the request.
    """

    code: str | None
    """The first word of the server's error, such as ``"WRONGTYPE"``; None if it sent none."""

    may_have_executed: bool
    """Whether the server may have executed the request, wholly or in part.

    Where it is False, sending the request again cannot execute it twice.
    """

    batch_index: int | None = None
    """The index of its command in the batch, or of its call in ``invoke_script_many``; or None."""

    def __init__(
        self,
        message: str | None = None,
        *,
        code: str | None = None,
        may_have_executed: bool = False,
    ) -> None:
        super().__init__(message)
        self.code = code
        self.may_have_executed = may_have_executed


class NoPermissionError(RequestError):
    """The user has no right to the command, or to one of its keys or channels; it did not run."""


class TimeoutError(RequestError, builtins.TimeoutError):
    """The deadline passed before the reply arrived."""

    is_unconnected: bool = False
    """Whether the request was not sent because there was no connection to the server."""


class ConnectionError(RequestError, builtins.ConnectionError):
    """There was no connection to the server, or it was lost before the reply arrived."""


class ExecAbortError(RequestError):
    """The server discarded a transaction and executed none of its commands."""


class CrossSlotError(RequestError):
    """The keys of a request are in different slots of the cluster. Nothing was sent."""


class OnceConflictError(RequestError):
    """The id of ``once`` belongs to another script, other keys or other arguments. Nothing ran."""


class OnceUnknownError(RequestError):
    """The script began before with this id of ``once``, and its reply is not known.

    It did not run again. Look at the data to see whether it took effect.
    """


class ScriptError(RequestError):
    """A script failed.

    Args:
        message: What happened.
        code: The first word of the server's error.
        may_have_executed: Whether the server may have executed the script, fully or in part.
        script: The script that failed.
        line: The line of the script where it failed.
        source_line: The text of that line.
    """

    script: Script | None
    """The script that failed; None if it was not invoked as a ``Script``."""

    line: int | None
    """The line of ``file`` where it failed, counted from 1; None if the server did not say."""

    source_line: str | None
    """The text of that line; None if the line or the script's code is not known."""

    file: str | None = None
    """The file of that line, or of the script; None if it was not read from a file."""

    message: str | None = None
    """The server's words without the code and the place, such as ``"sku 7"``.

    They are unescaped, and cut after 2,048 characters. None if the script was not invoked as a
    ``Script``.
    """

    keys: tuple[str, ...] = ()
    """The call's keys as the text shows them: shortened, and the first ones of many.

    Empty for a script in a ``Batch`` that is not typed: a batch does not keep them.
    """

    def __init__(
        self,
        message: str | None = None,
        *,
        code: str | None = None,
        may_have_executed: bool = False,
        script: glide_scripts.Script | None = None,
        line: int | None = None,
        source_line: str | None = None,
    ) -> None:
        super().__init__(message, code=code, may_have_executed=may_have_executed)
        self.script = script
        self.line = line
        self.source_line = source_line


class ScriptSyntaxError(ScriptError):
    """The script does not compile."""


class NoScriptError(ScriptError):
    """The server lacks the script, and the client does not have its code."""


class ScriptKilledError(ScriptError):
    """SCRIPT KILL stopped the script before it wrote anything."""


class ScriptBusyError(ScriptError):
    """The server is busy with another script; ``script_kill()`` may stop that one."""


class ReplyTypeError(ScriptError):
    """The script ran, but its reply does not fit the declared type."""


class UnkillableError(ScriptError):
    """SCRIPT KILL was refused because the running script has already written."""


class NotBusyError(ScriptError):
    """SCRIPT KILL was refused because no script is running."""


show_as_public(globals())
