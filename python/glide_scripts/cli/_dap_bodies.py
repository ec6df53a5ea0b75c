"""What the messages of the Debug Adapter Protocol contain: frames, scopes, variables, errors."""

import os
from typing import Any

from .. import ScriptError
from ..declared.lines import Place
from ..failures.one_line import on_its_lines
from ._inspection import Value
from ._launch import Refused

THREAD = 1
LOCALS, _GLOBALS, FIELDS = 1_000, 900, 10_000
"""Where references to variables begin: of a frame, of KEYS and ARGV, of tables."""
CAPABILITIES = {
    "supportsConfigurationDoneRequest": True,
    "supportsConditionalBreakpoints": True,
    "supportsHitConditionalBreakpoints": True,
    "supportsLogPoints": True,
    "supportsEvaluateForHovers": True,
    "supportsExceptionInfoRequest": True,
    "supportsTerminateRequest": True,
    "supportTerminateDebuggee": True,
    "exceptionBreakpointFilters": [
        {"filter": "error", "label": "Errors of the script", "default": True}
    ],
}


def number(given: dict[str, Any], name: str, default: int | None = None) -> int:
    """Return a number of a request.

    Raises:
        Refused: It has none of that name.
    """
    value = given.get(name, default)
    if not isinstance(value, int):
        raise Refused(f"{name} is not a number")
    return value


def objects(given: dict[str, Any], name: str) -> list[dict[str, Any]]:
    """Return a list of objects of a request, which may be missing.

    Raises:
        Refused: It is something else.
    """
    value = given.get(name) or []
    if not isinstance(value, list) or not all(isinstance(each, dict) for each in value):
        raise Refused(f"{name} is not a list of objects")
    return value


def path(given: dict[str, Any]) -> str:
    """Return the path of a request's source; empty if it has none.

    Raises:
        Refused: The source is something else.
    """
    value = given.get("source") or {}
    found = value.get("path") or "" if isinstance(value, dict) else None
    if not isinstance(found, str):
        raise Refused("source is not an object with a path")
    return found


def source(file: str) -> dict[str, str]:
    """Return a file of the script."""
    return {"name": os.path.basename(file), "path": os.path.abspath(file)}


def frame(number: int, name: str, place: Place) -> dict[str, Any]:
    """Return a stack frame and the line that it is on."""
    return {
        "id": number,
        "name": name,
        "source": source(place.file),
        "line": place.line,
        "column": 1,
    }


def scopes(number: int) -> list[dict[str, Any]]:
    """Return where the variables of the frame of that number are."""
    return [
        {
            "name": "Locals",
            "presentationHint": "locals",
            "variablesReference": LOCALS + number,
            "expensive": False,
        },
        {"name": "KEYS and ARGV", "variablesReference": _GLOBALS, "expensive": False},
    ]


def variable(value: Value, name: str) -> dict[str, Any]:
    """Return a value under a name, with a reference to its fields if it is a table."""
    shown: dict[str, Any] = {
        "name": name,
        "value": value.text,
        "variablesReference": FIELDS + value.ref if value.ref else 0,
    }
    if value.kind:
        shown["type"] = value.kind
    return shown


def exception(error: ScriptError) -> dict[str, Any]:
    """Return the error that a script ended in."""
    first, *more = str(error).split("\n", 1)
    return {
        "exceptionId": error.code or "ERR",
        "description": first,
        "breakMode": "always",
        "details": {"message": first, "stackTrace": "".join(more)},
    }


def log_line(line: str) -> str:
    """Return a line of the server's debugger as the editor's console shows it."""
    line = on_its_lines(line)
    kind, _, rest = line.partition(" ")
    marks = {"<command>": "> ", "<redis>": "> ", "<reply>": "< ", "<debug>": "debug: "}
    return f"{marks[kind]}{rest}" if kind in marks else line
