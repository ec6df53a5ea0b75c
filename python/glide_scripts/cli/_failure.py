"""A failed command: its message and its exit code."""

import builtins
import errno
import re
from dataclasses import dataclass

from .. import (
    ConfigurationError,
    GlideError,
    RequestError,
    ScriptError,
    ScriptSourceError,
)
from ..testing import ServerNotFound, ServerStartError

FAILED = 1
"""A script or a request failed, or a check did not pass."""
UNUSABLE = 2
"""Wrong usage, an unusable file, or no server could be reached."""
INTERRUPTED = 130
OUTPUT_CLOSED = 141

STANDARD_OUTPUT = "standard output"
NO_CLUSTER = "the server is a node of a cluster; add --cluster"

NO_FUNCTIONS = "the server has no functions; they need Redis 7.0, Valkey 7.2 or later"

_OPTIONS: dict[type[Exception], dict[str, str]] = {
    GlideError: {r"use GlideClient(?=\))": "leave --cluster out"},
    ValueError: {r"\bonce\b": "--once", r"\bonce_ttl\b": "--once-ttl"},
}
"""By the kind of error, what its text calls an option."""
_LACKS_FUNCTIONS = re.compile(r"unknown command .?FUNCTION\b")
_LOGIN = re.compile(r"(\S+:\d+|/.*?): .*?\b(NOAUTH|WRONGPASS)\b")


@dataclass
class Asked:
    """What a failure needs to know about the command line."""

    traceback: bool = False
    as_json: bool = False


class Failure(Exception):
    """The message for the user, and the exit code."""

    def __init__(self, message: str, exit_code: int) -> None:
        super().__init__(message)
        self.message = message
        self.exit_code = exit_code


_LOGINS = {
    "NOAUTH": "the server wants a password; pass --askpass, or set VALKEYCLI_AUTH",
    "WRONGPASS": "the user (valkey://user@host) or the password is wrong (WRONGPASS)",
}


def script_error_text(error: ScriptError, file: object) -> str:
    """Return the whole text of the error, with the path as it was given in its place."""
    if error.line is None:
        return f"{file}: {error}"
    place = f"{error.file or file}:{error.line}"
    lead, _, rest = str(error).partition(": ")
    text = rest if place.endswith(lead) else str(error)
    return f"{place}: {text.removeprefix('Lua syntax error: ')}"


def with_options(error: Exception) -> str:
    """Return an error's text, with the command line's options for the client's names."""
    text = str(error)
    for kind, options in _OPTIONS.items():
        if isinstance(error, kind):
            for name, option in options.items():
                text = re.sub(name, option, text)
    return text


def failure_of(error: Exception) -> Failure | None:
    """Return how an error ends a command; None if the error is a bug."""
    match error:
        case Failure():
            return error
        case RequestError(code="MOVED" | "ASK"):
            return Failure(NO_CLUSTER, UNUSABLE)
        case ScriptError(file=str() as file):
            return Failure(script_error_text(error, file), FAILED)
        case RequestError() if _LACKS_FUNCTIONS.search(str(error)):
            return Failure(NO_FUNCTIONS, FAILED)
        case ScriptSourceError() | ConfigurationError() | ServerNotFound() | ServerStartError():
            return Failure(str(error), UNUSABLE)
        case GlideError() if not isinstance(error, RequestError) and (
            login := _LOGIN.search(str(error))
        ):
            return Failure(f"{login[1]}: {_LOGINS[login[2]]}", UNUSABLE)
        case GlideError():
            is_lost = isinstance(error, builtins.ConnectionError)
            is_answered = isinstance(error, RequestError) and not is_lost
            return Failure(with_options(error), FAILED if is_answered else UNUSABLE)
        case OSError(filename=str() | bytes() | int() as file):
            return Failure(f"{file!s}: {error.strerror}", UNUSABLE)
        case OSError(errno=errno.ENOSPC | errno.EDQUOT | errno.EFBIG | errno.EIO):
            # Other files are named.
            return Failure(f"{STANDARD_OUTPUT}: {error.strerror}", UNUSABLE)
        case OSError():
            return Failure(str(error), UNUSABLE)
        case _:
            return None
