"""The code of an error: its origin, and its exception class."""

from __future__ import annotations

import re

from .._core import Script
from ..declared.script import DeclaredScript
from ..errors import ScriptError

_MAX_CODE = 64 * 1024

# What servers answer of their own; a script may use them, too.
SERVER_CODES = frozenset(
    [
        "ASK",
        "ASKING",
        "BUSY",
        "BUSYGROUP",
        "BUSYKEY",
        "CLUSTERDOWN",
        "CROSSSLOT",
        "DENIED",
        "ERR",
        "EXECABORT",
        "LOADING",
        "MASTERDOWN",
        "MISCONF",
        "MOVED",
        "NOAUTH",
        "NOGROUP",
        "NOPERM",
        "NOPROTO",
        "NOREPLICAS",
        "NOSCRIPT",
        "NOTBUSY",
        "OOM",
        "READONLY",
        "TRYAGAIN",
        "UNBLOCKED",
        "UNKILLABLE",
        "WRONGPASS",
        "WRONGTYPE",
    ]
)


def is_public(code: str, script: Script | None) -> bool:
    """Whether a code is a server's or occurs in the script's text; None if unknown."""
    if code in SERVER_CODES:
        return True
    if script is None:
        return False
    return registered_class(script, code) is not None or is_in_code(code, script)


def registered_class(script: Script, code: str) -> type[ScriptError] | None:
    """Return the class that a script's library registered for a code, if any."""
    return script._errors.get(code) if isinstance(script, DeclaredScript) else None


def is_in_code(word: str, script: Script) -> bool:
    """Whether a word occurs in a script's text; for a large script, in its beginning."""
    data, code = word.encode(), script.code[:_MAX_CODE]
    if not data or data not in code:
        return False
    return re.search(rb"(?<!\w)%b(?!\w)" % re.escape(data), code) is not None
