"""The text of a script's error: the place, the call's values, the cause and a fix.

::

    WRONGTYPE Operation against a key holding the wrong kind of value script: on @user_script:2.
      --> scripts/push.lua:2, in push
       |
     1 | local key = KEYS[1]
     2 | redis.call('LPUSH', key, ARGV[1])
       | ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
     3 | return 1
       |
       = keys: user = 'u1'
       = args: item = 'apple', token = <secret>
       = note: the key holds a value of a type that the command does not accept
       = help: check the key with TYPE; other code may have written it

This runs only for failures, but on the event loop, so its work is bounded: it looks only at the
beginning of a script's own text, keys, arguments and replies, and shows no lines of a large script.
"""

from __future__ import annotations

import re

from .._core import Script
from ..declared.annotations import shown
from ..declared.mismatch import Mismatch, shortened_repr
from ..declared.script import DeclaredScript
from ..errors import ReplyTypeError, RequestError, ScriptError
from .call_values import CallValues
from .codes import is_public, registered_class
from .hints import hints
from .place import locate, shorten, shown_place, snippet_of
from .secrets import HIDDEN, SECRET

_MAX_REPLY = 300
# A server's own words are a fifth of it at most.
_MAX_WORDS = 2048

# What the servers put around Lua's own words, in their three formats:
#   Valkey 9.1     user_script:3: boom script: on @user_script:3.
#   Redis 7        user_script:3: boom script: 5ca1…, on @user_script:3.
#   before Redis 7 Error running script (call to f_5ca1…): @user_script:3: user_script:3: boom
_PREFIX = re.compile(
    r"(?:Error (?:running script \(call to f_\w+\)|compiling script \(new function\)): )?"
    r"(?:@?user_script: ?\d+: )*"
)
_SUFFIX = re.compile(r" script: (?:(?P<hash>\w+), )?on @?user_script:\d+\.?")
_BATCH = re.compile(r" \(batch\[\d+\]: [^)]*\)")
# A first word of small letters is one of a sentence: "Stock is low". "*+" gives nothing back: it
# would be tried at each length.
_CODE = re.compile(r"-?[A-Z][A-Z0-9_]*+|-?\w[^\WA-Z]*+[A-Z]\w*+")
_INNER_CODE = re.compile(r"-?[A-Z][A-Z0-9_]+ ")

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


def explained(error: RequestError, script: Script, keys: object, args: object) -> RequestError:
    """Return the error to raise for an error of the core, with its text, script and class.

    Args:
        error: The core's error. It is modified so that it shows no secret.
        script: The script, as the caller passed it.
        keys: The call's keys; what is no list or tuple is not shown.
        args: The call's arguments; likewise.
    """
    if isinstance(error, ReplyTypeError):
        return error
    if error.code is None:
        # Nobody answered; the words are the core's own.
        if script.name:
            error.args = (f"{error}\n  --> {shown_place(error, script)}",)
        return error
    call = CallValues(script, keys, args)
    raw = str(error).split("\n", 1)[0]
    # Of several nodes the text begins with the one that failed.
    start = max(raw.find(error.code), 0)
    error.code = error.code[:_MAX_WORDS]
    said = _Said(raw[start:], error, script)
    # What it means is looked up before anything is hidden.
    registered = registered_class(script, error.code)
    if registered is None and said.head == "ERR " and registered_class(script, said.words):
        # So a server sends a code that no words follow.
        error.code = said.words
        said.head, said.words = f"ERR {said.words}", ""
        registered = registered_class(script, error.code)
    about = hints(said.head + said.words, error, script, call.secrets.hidden_in)
    if not said.is_public(error.code) and call.secrets.are_in(said.head + said.words):
        # A script may return an argument as its error: the first word is then not a code.
        said.head, said.words = "", said.head + said.words
        error.code = SECRET
    words = said.words if said.is_fixed() else call.secrets.hidden_in(said.words)
    first = raw[:start] + said.head + words + said.tail
    sent = None
    if isinstance(error, ScriptError):
        sent = error.line
        error.script = script
        error.message = words
        error.keys = tuple(call.shown_keys())
        locate(error, script)
    snippet: list[str] = []
    if isinstance(error, ScriptError) and error.line is not None:
        snippet = snippet_of(error.line, error.file, script, said.words)
    notes = [*call.notes(), *(f"{kind}: {text}" for kind, text in about)]
    if isinstance(error, ScriptError) and sent != error.line:
        notes.insert(0, f"sent as: line {sent}, which the server names")
    head = f"  --> {shown_place(error, script)}"
    error.args = ("\n".join([first, head, *snippet, *(f"   = {note}" for note in notes)]),)
    return _of_its_class(error, registered)


class _Said:
    """A server's error text in parts: code and place, message, and the rest."""

    def __init__(self, text: str, error: RequestError, script: Script) -> None:
        self._script = script
        words = text
        if error.batch_index is not None:
            last = _BATCH.fullmatch(words, max(words.rfind(" (batch["), 0))
            words = words if last is None else words[: last.start()]
        words = words.removesuffix(" (unknown command)")
        words = words.removesuffix(" (script_kill() stops a script that has not written)")
        last = _SUFFIX.fullmatch(words, max(words.rfind(" script: "), 0))
        # The server's own names the script; one that a script made up may hold a secret.
        if last is not None and last["hash"] in (None, script.hash):
            words = words[: last.start()]
        self.tail = text[len(words) :]
        if len(words) > _MAX_WORDS:
            words = words[:_MAX_WORDS] + "…"
        said = words
        code = error.code or ""
        is_code = registered_class(script, code) is not None or _CODE.fullmatch(code)
        if is_code and words.split(" ", 1)[0] == code:
            words = words[len(code) :].lstrip()
        prefix = _PREFIX.match(words)
        if prefix is not None and prefix[0]:
            words = words[prefix.end() :]
            # Before Redis 7 the code of a command's error comes after the place.
            inner = _INNER_CODE.match(words)
            if inner is not None and self.is_public(inner[0].strip()):
                words = words[inner.end() :]
        self.head, self.words = said[: len(said) - len(words)], words

    def is_public(self, code: str) -> bool:
        """Whether a code is a server's, or one that the script has in its text."""
        return is_public(code, self._script)

    def is_fixed(self) -> bool:
        """Whether the text is a fixed text of a server, without arguments."""
        if _FIXED.fullmatch(self.words):
            return True
        named = _FIXED_WITH_NAME.fullmatch(self.words)
        return named is not None and self.is_public(named["name"] or named["other"])


def reply_type_error(
    script: DeclaredScript, mismatch: Mismatch, reply: object, keys: object, args: object
) -> ReplyTypeError:
    """Return the error for a reply that does not fit its declared type."""
    call = CallValues(script, keys, args)
    declared = shown(script._signature.returns)
    # A secret that was cut short would not be replaced.
    came = shorten(call.secrets.hidden_in(shortened_repr(reply, _MAX_WORDS)), _MAX_REPLY)
    why = call.secrets.hidden_in(shorten(f"{mismatch.where} {mismatch.why}", _MAX_WORDS))
    why = f"reply {why}" if why == HIDDEN else f"reply{why}"
    lines = [
        f"the reply of {script._shown_name} does not fit {declared}: {why}",
        f"  --> {script.file or script._shown_name}"
        + f", in {script._shown_name}" * bool(script.file),
        "   |",
        f"   = declared: {declared}",
        f"   = reply: {came}",
        *(f"   = {note}" for note in call.notes()),
        "   = note: the script has run",
    ]
    error = ReplyTypeError("\n".join(lines), may_have_executed=True, script=script)
    error.file = script.file
    error.message = why
    error.keys = tuple(call.shown_keys())
    return error


def _of_its_class(error: RequestError, registered: type[ScriptError] | None) -> RequestError:
    """Return the error as the class that its script's library registered for the code."""
    if type(error) is not ScriptError or registered is None:
        return error
    made = registered.__new__(registered, *error.args)
    made.__dict__.update(error.__dict__)
    return made
