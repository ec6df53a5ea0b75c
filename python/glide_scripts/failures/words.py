"""A server's text of a script's error in parts: the code, the script's own words, and the rest."""

from __future__ import annotations

import re

from .._core import Script
from ..errors import RequestError
from .codes import is_public, registered_class

MAX_WORDS = 2048
"""Characters that are looked at. A server's own words are a fifth of it at most."""

# What the servers put around Lua's own words, in their three formats:
#   Valkey 9.1     user_script:3: boom script: on @user_script:3.
#   Redis 7        user_script:3: boom script: 5ca1…, on @user_script:3.
#   before Redis 7 Error running script (call to f_5ca1…): @user_script:3: user_script:3: boom
_PREFIX = re.compile(
    r"(?:Error (?:running script \(call to f_\w+\)|compiling script \(new function\)|"
    r"compiling function|registering functions): (?:ERR )?)?"
    r"(?:@?user_(?:script|function): ?\d+: )*"
)
_SUFFIX = re.compile(r" script: (?:(?P<hash>\w+), )?on @?user_(?:script|function):\d+\.?")
_BATCH = re.compile(r" \(batch\[\d+\]: [^)]*\)")
# What the core adds: what users look for, and what helps.
_ADDED = (
    " (unknown command)",
    " (script_kill() stops a script that has not written)",
)
_SYNTAX = "Lua syntax error: "
_BEFORE = re.compile(rf"(?:(?P<node>\S+): )?(?P<kind>{_SYNTAX})?")
# A first word with small letters begins a sentence: "Stock is low". "*+" does not backtrack, which
# would try each length.
_CODE = re.compile(r"-?[A-Z][A-Z0-9_]*+|-?\w[^\WA-Z]*+[A-Z]\w*+")
_INNER_CODE = re.compile(r"-?(?P<code>[A-Z][A-Z0-9_]+) ")

# Texts that contain no arguments of a script, and so no secret.
_TYPE = r"(?:nil|boolean|number|string|table|function|thread|userdata)"
_FIXED = re.compile(
    r"Operation against a key holding the wrong kind of value|"
    r"command not allowed when used memory > 'maxmemory'\.?|"
    r"You can't write against a read only (?:replica|slave)\.?|"
    r"Write commands are not allowed from read-only scripts\.?|"
    r"Script killed by user with SCRIPT KILL\.*|"
    r"(?:Redis|Valkey|server) is busy running a script\. You can only call SCRIPT KILL or "
    r"SHUTDOWN NOSAVE\.|"
    r"No matching script\.(?: Please use EVAL\.)?|"
    r"Keys in request don't hash to the same slot|"
    r"(?:CrossSlot: )?CROSSSLOT Keys in request don't hash to the same slot|"
    r"Wrong number of args calling (?:Redis|Valkey|server)? ?command from script|"
    r"Unknown (?:Redis|Valkey|server)? ?command called from script|"
    r"Script attempted to access (?:a )?non local key in a cluster node|"
    r"too many results to unpack|stack overflow|"
    rf"attempt to (?:index|call|perform arithmetic on|concatenate) (?:field '\?' \()?a {_TYPE} "
    r"value\)?|"
    rf"attempt to compare (?:two {_TYPE} values|{_TYPE} with {_TYPE})"
)
_FIXED_WITH_NAME = re.compile(
    r"attempt to (?:index|call|perform arithmetic on|concatenate) "
    rf"(?:local|global|field|upvalue|method) '(?P<name>\w+)' \(a {_TYPE} value\)|"
    r"Script attempted to access (?:a )?(?:nonexistent|unexisting) global variable '(?P<other>\w+)'"
)
_FIRST_LINE = re.compile(
    r"(?:Unexpected (?:flag|engine) in|Invalid) script shebang|Unknown lua shebang option|"
    r"Could not find scripting engine"
)


def is_of_first_line(words: str) -> bool:
    """Whether a server refuses a script for its first line, which it does not name."""
    return _FIRST_LINE.match(words) is not None


class Words:
    """A server's error text in parts, which in their order are the text."""

    def __init__(self, error: RequestError, script: Script) -> None:
        self._script = script
        raw = str(error).split("\n", 1)[0]
        code = error.code or ""
        # For a call to several nodes, the text begins with the node that failed.
        start = max(raw.find(code), 0)
        self.before, text = raw[:start], raw[start:]
        words = text
        batch = added = ""
        if error.batch_index is not None:
            last = _BATCH.fullmatch(words, max(words.rfind(" (batch["), 0))
            if last is not None:
                words, batch = words[: last.start()], last[0]
        for each in _ADDED:
            if words.endswith(each):
                words, added = words.removesuffix(each), each
        last = _SUFFIX.fullmatch(words, max(words.rfind(" script: "), 0))
        # The server's own names the script; one that a script made up may hold a secret.
        if last is not None and last["hash"] in (None, script.hash):
            words = words[: last.start()]
        self.after = text[len(words) :]
        """The text that the server and the core have added after the words."""
        self.added = added + batch
        """The part of it that the core has added."""
        if len(words) > MAX_WORDS:
            words = words[:MAX_WORDS] + "…"
        said = words
        self.code = ""
        """The code that the words begin with, unless it is ``ERR``."""
        is_code = registered_class(script, code) is not None or _CODE.fullmatch(code)
        if is_code and words.split(" ", 1)[0] == code:
            words = words[len(code) :].lstrip()
            self.code = code if code != "ERR" else ""
        prefix = _PREFIX.match(words)
        if prefix is not None and prefix[0]:
            # Of code that is no caller's script, the core has put the place in front already.
            words = words[prefix.end() :].removeprefix(_SYNTAX)
            # Before Redis 7 the code of a command's error comes after the place.
            inner = _INNER_CODE.match(words)
            if inner is not None and self.is_public(inner["code"]):
                words = words[inner.end() :]
                self.code = inner["code"]
        self.head, self.words = said[: len(said) - len(words)], words

    def led(self, place: str, words: str) -> str:
        """Return the text with its place in front, and with other words in place of its own."""
        before = _BEFORE.fullmatch(self.before)
        kind = (before and before["kind"]) or ""
        node = (before and before["node"]) or ""
        code = f"{self.code} " if self.code and words else self.code
        return f"{place}: {kind}{code}{words}{self.added}" + (f" (on {node})" if node else "")

    def unled(self, words: str) -> str:
        """Return the text as the server has it, with other words in place of its own."""
        return self.before + self.head + words + self.after

    def is_public(self, code: str) -> bool:
        """Whether a code is a server's, or one that the script has in its text."""
        return is_public(code, self._script)

    def is_fixed(self) -> bool:
        """Whether the words are a fixed text of a server, without arguments."""
        if _FIXED.fullmatch(self.words):
            return True
        named = _FIXED_WITH_NAME.fullmatch(self.words)
        return named is not None and self.is_public(named["name"] or named["other"])
