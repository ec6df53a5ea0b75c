"""A command that cannot be carried out: what is said of it, and its exit code."""

import builtins
from dataclasses import dataclass

from .. import ConfigurationError, GlideError, RequestError, ScriptError, ScriptSourceError
from ..testing import ServerNotFound, ServerStartError

FAILED = 1
"""A script or a request failed, or what was asked for does not hold."""
UNUSABLE = 2
"""Wrong usage, a file that cannot be used, or no server to be reached."""
INTERRUPTED = 130
OUTPUT_CLOSED = 141


@dataclass
class Asked:
    """What is to be known of a command line when it has failed."""

    traceback: bool = False


class Failure(Exception):
    """What to tell the person at the terminal, and the exit code that goes with it."""

    def __init__(self, message: str, exit_code: int) -> None:
        super().__init__(message)
        self.message = message
        self.exit_code = exit_code


def failure_of(error: Exception) -> Failure | None:
    """How a command ends that let an error through; None for an error that is a bug."""
    match error:
        case Failure():
            return error
        case RequestError(code="MOVED" | "ASK"):
            return Failure("the server is a node of a cluster; add --cluster", UNUSABLE)
        case ScriptError(file=str() as file):
            place = file if error.line is None else f"{file}:{error.line}"
            return Failure(f"{place}: {error}", FAILED)
        case ScriptSourceError() | ConfigurationError() | ServerNotFound() | ServerStartError():
            return Failure(str(error), UNUSABLE)
        case GlideError():
            is_lost = isinstance(error, builtins.ConnectionError)
            is_answered = isinstance(error, RequestError) and not is_lost
            return Failure(str(error), FAILED if is_answered else UNUSABLE)
        case OSError(filename=str() | bytes() | int() as file):
            return Failure(f"{file!s}: {error.strerror}", UNUSABLE)
        case OSError():
            return Failure(str(error), UNUSABLE)
        case _:
            return None
