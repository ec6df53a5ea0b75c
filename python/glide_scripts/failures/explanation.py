"""The text of a script's error: where it failed, on what, what that means and what may be done.

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
       = note: the key holds a value of another type than the command works on
       = help: look at the key with TYPE, or use another key

Only failures come here. It runs on the event loop, so all that it looks at is bounded: of a
script's own words, of keys, arguments and replies only the beginning, and no lines of a large one.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import chain, islice
from types import NoneType
from typing import Any

from .._core import Script
from ..declared.annotations import shown
from ..declared.lines import Place, split_lines
from ..declared.mismatch import Mismatch, shortened_repr
from ..declared.script import DeclaredScript
from ..declared.source import SourceMap
from ..errors import ReplyTypeError, RequestError, ScriptError
from .codes import is_public, registered_class
from .hints import hints
from .secrets import HIDDEN, SECRET, Secrets

_AROUND = 2
_MAX_LINE = 160
_MAX_TEXT = 60
_MAX_VALUES = 8
_MAX_REPLY = 300
# A server's own words are a fifth of it at most.
_MAX_WORDS = 2048
# Bytes of a script of which lines are shown: to find one takes a time that grows with its place.
_MAX_CODE = 256 * 1024

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

# Words in which there is nothing of what a script was given, and so no secret.
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
    """The error to raise for one that the core made: with its text, script and class.

    Args:
        error: The core's error, which is changed: nothing of it may show a secret.
        script: The script, as the caller passed it.
        keys: The call's keys; what is no list or tuple is not shown.
        args: The call's arguments; likewise.
    """
    if isinstance(error, ReplyTypeError):
        return error
    if error.code is None:
        # Nobody answered; the words are the core's own.
        if script.name:
            error.args = (f"{error}\n  --> {_place(error, script)}",)
        return error
    call = _Call(script, keys, args)
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
        # A script may answer with what it was given: its first word is no code then.
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
        _locate(error, script)
    snippet: list[str] = []
    if isinstance(error, ScriptError) and error.line is not None:
        snippet = _snippet(error.line, error.file, script, said.words)
    notes = [*call.notes(), *(f"{kind}: {text}" for kind, text in about)]
    if isinstance(error, ScriptError) and sent != error.line:
        notes.insert(0, f"sent as: line {sent}, which the server names")
    head = f"  --> {_place(error, script)}"
    error.args = ("\n".join([first, head, *snippet, *(f"   = {note}" for note in notes)]),)
    return _of_its_class(error, registered)


class _Said:
    """A server's text: the code and the place, the words, and what follows them."""

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
        """Whether the words are ones of a server that hold nothing of what it was given."""
        if _FIXED.fullmatch(self.words):
            return True
        named = _FIXED_WITH_NAME.fullmatch(self.words)
        return named is not None and self.is_public(named["name"] or named["other"])


def reply_type_error(
    script: DeclaredScript, mismatch: Mismatch, reply: object, keys: object, args: object
) -> ReplyTypeError:
    """The error for a reply that is not of its declared type."""
    call = _Call(script, keys, args)
    declared = shown(script._signature.returns)
    # A secret that was cut short would not be replaced.
    came = _shorten(call.secrets.hidden_in(shortened_repr(reply, _MAX_WORDS)), _MAX_REPLY)
    why = call.secrets.hidden_in(_shorten(f"{mismatch.where} {mismatch.why}", _MAX_WORDS))
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
    """The error as the class that its script's library has for the code."""
    if type(error) is not ScriptError or registered is None:
        return error
    made = registered.__new__(registered, *error.args)
    made.__dict__.update(error.__dict__)
    return made


# Where


def _locate(error: ScriptError, script: Script) -> None:
    """From the line of the text that was sent to the line of the file."""
    source_map = _map_of(script)
    if source_map is None:
        return
    error.file = source_map.files[0]
    if error.line is not None:
        lines = _lines(script)
        sent = min(error.line, len(lines)) if lines else error.line
        place = source_map.place(sent)
        error.file, error.line = place.file, place.line
        if lines:
            error.source_line = lines[sent - 1].decode(errors="replace")


def _lines(script: Script) -> list[bytes]:
    """The lines of a script; none of a large one."""
    code = script.code
    return split_lines(code) if len(code) <= _MAX_CODE else []


def _map_of(script: Script) -> SourceMap | None:
    return script._source_map if isinstance(script, DeclaredScript) else None


def _place(error: RequestError, script: Script) -> str:
    name = script.name or f"script {script.hash[:8]}"
    line = error.line if isinstance(error, ScriptError) else None
    source_map = _map_of(script)
    file = error.file if isinstance(error, ScriptError) else None
    if file is None and source_map is not None:
        file = source_map.files[0]
    if file is None:
        return name if line is None else f"{name}, line {line}"
    place = file if line is None else f"{file}:{line}"
    chain = source_map.chain(file) if source_map is not None and line is not None else []
    included = "".join(f", included at {at}" for at in chain)
    return f"{place}, in {name}{included}"


def _snippet(line: int, file: str | None, script: Script, words: str) -> list[str]:
    """The line and those around it, as far as they are of the same file."""
    source_map = _map_of(script)
    lines = _lines(script)
    shown_lines: list[tuple[int, str]] = []
    for number in range(line - _AROUND, line + _AROUND + 1):
        sent: int | None = number
        if source_map is not None and file is not None:
            sent = source_map.line(Place(file, number)) if number > 0 else None
        if sent is None or not 1 <= sent <= len(lines):
            continue
        # No character has more than 4 bytes.
        start = lines[sent - 1][: 4 * (_MAX_LINE + 1)]
        text = start.decode(errors="replace").expandtabs(4).rstrip()
        shown_lines.append((number, _shorten(text, _MAX_LINE)))
    while shown_lines and shown_lines[-1][0] > line and not shown_lines[-1][1]:
        shown_lines.pop()
    while shown_lines and shown_lines[0][0] < line and not shown_lines[0][1]:
        shown_lines.pop(0)
    if not any(number == line for number, _ in shown_lines):
        return []
    width = len(str(shown_lines[-1][0]))
    gutter = " " * (width + 2) + "|"
    snippet = [gutter]
    for number, text in shown_lines:
        snippet.append(f" {number:>{width}} | {text}".rstrip())
        if number == line and (mark := _mark(text, words)):
            snippet.append(f"{gutter} {mark}")
    return [*snippet, gutter]


_NAMED = re.compile(
    r"(?:local|global|field|upvalue|method|variable|near|by '\w+'\))"
    r" '(?P<name>[^']*|')'"
)


# The server's words about a command that the script called, and such a call in one line.
_COMMAND = re.compile(
    r"^(?:Operation against|command not allowed|You can't write)|-?(?<![A-Z])[A-Z]{3,}+ |"
    r"ommand called from|Redis command|calling command|non local key"
)
_CALL = re.compile(r"redis\.p?call\((?:[^()'\"]|'[^']*'|\"[^\"]*\"|\([^()]*\))*\)")


def _mark(text: str, words: str) -> str:
    """Carets under what the words are about, or under the whole line."""
    whole = text.strip()
    if not whole:
        return ""
    start, length = text.index(whole[0]), len(whole)
    named = _NAMED.search(words)
    if named is not None and named["name"] not in ("", "?") and len(named["name"]) <= len(text):
        name = re.escape(named["name"])
        bounded = rf"(?<!\w){name}(?!\w)" if named["name"].isidentifier() else name
        found = list(re.finditer(bounded, text))
        if len(found) == 1:
            start, length = found[0].start(), len(found[0][0])
    elif _COMMAND.search(words) and len(calls := list(_CALL.finditer(text))) == 1:
        start, length = calls[0].start(), len(calls[0][0])
    return " " * start + "^" * length


# On what


class _Call:
    """A call's keys and arguments, as an error may show them."""

    def __init__(self, script: Script, keys: object, args: object) -> None:
        self.keys = keys if isinstance(keys, (list, tuple)) else ()
        self.args = args if isinstance(args, (list, tuple)) else ()
        signature = script._signature if isinstance(script, DeclaredScript) else None
        if signature is None or not signature.declared:
            signature = None
        self.key_names = _names(signature.keys, self.keys) if signature else None
        self.arg_names = _names(signature.args, self.args) if signature else None
        self.secrets = Secrets(())
        if signature is not None and any(each.secret for each in signature.parameters):
            # Of what was read once nobody knows any more what was secret.
            are_unknown = any(
                parameter.secret and not isinstance(values, (list, tuple, NoneType))
                for values, parameters in ((keys, signature.keys), (args, signature.args))
                for parameter in parameters
            )
            given = chain(_secrets(signature.keys, self.keys), _secrets(signature.args, self.args))
            self.secrets = Secrets(given, are_unknown=are_unknown)

    def notes(self) -> list[str]:
        notes = []
        if self.keys:
            notes.append(f"keys: {_listed(self.keys, self.key_names)}")
        if self.args:
            notes.append(f"args: {_listed(self.args, self.arg_names)}")
        return notes

    def shown_keys(self) -> list[str]:
        secrets = [secret for _, secret in self.key_names or ()]
        return [
            SECRET if index < len(secrets) and secrets[index] else _shorten(_text(key), _MAX_TEXT)
            for index, key in enumerate(self.keys[:_MAX_VALUES])
        ]


def _fits(parameters: Sequence[Any], values: Sequence[Any]) -> bool:
    """Whether there are as many values as were declared."""
    single = sum(not each.many for each in parameters)
    return len(values) == single or (single < len(values) and single < len(parameters))


def _names(parameters: Sequence[Any], values: Sequence[Any]) -> list[tuple[str, bool]]:
    """The name of each value that is shown, and whether it is secret."""
    if not _fits(parameters, values):
        # Which of them are secret cannot be known.
        return [("", any(each.secret for each in parameters))] * _MAX_VALUES
    names = [(each.name, each.secret) for each in parameters if not each.many]
    names += [
        (f"{each.name}[{index}]", each.secret)
        for each in parameters
        if each.many
        for index in range(_MAX_VALUES)
    ]
    return names[:_MAX_VALUES]


def _secrets(parameters: Sequence[Any], values: Sequence[Any]) -> Iterator[Any]:
    """The values that are secret, or may be."""
    if not any(each.secret for each in parameters):
        return
    if not _fits(parameters, values):
        yield from values
        return
    single = [each for each in parameters if not each.many]
    yield from (value for value, each in zip(values, single, strict=False) if each.secret)
    if any(each.secret for each in parameters if each.many):
        yield from islice(values, len(single), None)


def _listed(values: Sequence[Any], names: list[tuple[str, bool]] | None) -> str:
    items = []
    for index, value in enumerate(values[:_MAX_VALUES]):
        name, secret = names[index] if names is not None else ("", False)
        text = SECRET if secret else _quoted(value)
        items.append(f"{name} = {text}" if name else text)
    more = len(values) - _MAX_VALUES
    return ", ".join(items) + (f", and {more} more" if more > 0 else "")


def _text(value: object) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, (bytes, bytearray, memoryview)):
        # No character has more than 4 bytes.
        start = bytes(memoryview(value)[: 4 * (_MAX_TEXT + 1)])
        return start.decode(errors="backslashreplace")
    return f"<{type(value).__name__}>"


def _quoted(value: object) -> str:
    """A value that a reader can tell from its neighbours, shortened."""
    if isinstance(value, str):
        if len(value) <= _MAX_TEXT:
            return repr(value)
        # Of text beyond ASCII the size in bytes is not at hand.
        size = f"{len(value):,} {'bytes' if value.isascii() else 'characters'}"
        return f"{value[:_MAX_TEXT]!r}… ({size})"
    data = memoryview(value)  # type: ignore[arg-type]
    start: object = bytes(data[:_MAX_TEXT])
    try:
        start = start.decode()  # type: ignore[attr-defined]
    except UnicodeDecodeError:
        pass
    return repr(start) if data.nbytes <= _MAX_TEXT else f"{start!r}… ({data.nbytes:,} bytes)"


def _shorten(text: str, size: int) -> str:
    return text if len(text) <= size else text[:size] + "…"
