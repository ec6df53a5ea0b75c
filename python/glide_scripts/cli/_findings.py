"""Something wrong with a script: its place, its code and its words."""

from dataclasses import dataclass
from typing import Literal

ERRORS = {
    "source": "the file is missing, or its declarations are wrong",
    "syntax": "it does not compile, or its library does not load",
    "lock": "the script differs from the lockfile",
}
WARNINGS = {
    "undeclared-key": "a key that is not one of KEYS",
    "undeclared-global": "an unknown global, or an assignment to a global",
    "unknown-command": "a command that the server does not have",
    "unused-key": "a declared or skipped key that is not used",
    "unused-arg": "a declared or skipped argument that is not used",
    "name": "a file or folder whose name ScriptLibrary refuses",
    "missing-shebang": "a first line that does not begin with #!",
    "write-in-read-only": "a write in a read-only script",
    "lost-precision": "a float in a reply, or an integer beyond 2**53",
    "not-for-once": "something that prevents the record of --@once",
}


@dataclass(frozen=True, slots=True)
class Finding:
    """Something wrong, and its place."""

    file: str
    line: int
    column: int
    code: str
    message: str

    @property
    def severity(self) -> Literal["error", "warning"]:
        """How bad it is."""
        return "error" if self.code in ERRORS else "warning"
