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

Only failures come here, and it is imported with the first of them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from types import NoneType
from typing import Any

from ._annotations import shown
from ._core import Script
from ._errors import ReplyTypeError, RequestError, ScriptError
from ._hints import hints
from ._misfit import Misfit
from ._source import Place, SourceMap, split_lines
from ._typed import TypedScript

_AROUND = 2
_MAX_LINE = 160
_MAX_TEXT = 60
_MAX_VALUES = 8
_MAX_REPLY = 300
_SECRET = "<secret>"

# What the servers put around Lua's own words, in their three formats:
#   Valkey 9.1     user_script:3: boom script: on @user_script:3.
#   Redis 7        user_script:3: boom script: 5ca1…, on @user_script:3.
#   before Redis 7 Error running script (call to f_5ca1…): @user_script:3: user_script:3: boom
_PREFIX = re.compile(
    r"(?:Error (?:running script \(call to f_\w+\)|compiling script \(new function\)): )?"
    r"(?:@?user_script: ?\d+: )*"
)
_SUFFIX = re.compile(r" script: (?:\w+, )?on @?user_script:\d+\.?$")
_BATCH = re.compile(r" \(batch\[\d+\]: [^)]*\)$")
_CODE = re.compile(r"-?[A-Z][A-Z0-9_]*(?= |$)")
_INNER_CODE = re.compile(r"^-?[A-Z][A-Z0-9_]+ ")


def explained(error: RequestError, script: Script, keys: object, args: object) -> RequestError:
    """The error to raise for one that the core made: with its text, script and class.

    Args:
        error: The core's error, which is changed: nothing of it may show a secret.
        script: The script, as the caller passed it.
        keys: The call's keys; what is no list or tuple is not shown.
        args: The call's arguments; likewise.
    """
    if isinstance(error, ReplyTypeError) or error.code is None:
        return error
    call = _Call(script, keys, args)
    raw = str(error).split("\n", 1)[0]
    first = call.without_secrets(raw)
    # Of several nodes the text begins with the one that failed.
    own = call.without_secrets(raw[max(raw.find(error.code), 0) :])
    if own.split(" ", 1)[0] != error.code:
        # A script may answer with what it was given.
        error.code = own.split(" ", 1)[0]
    words = message(own)
    sent = None
    if isinstance(error, ScriptError):
        sent = error.line
        error.script = script
        error.message = words
        error.keys = tuple(call.shown_keys())
        _locate(error, script)
    snippet: list[str] = []
    if isinstance(error, ScriptError) and error.line is not None:
        snippet = _snippet(error.line, error.file, script, words)
    notes = [*call.notes(), *(f"{kind}: {text}" for kind, text in hints(own, error, script))]
    if isinstance(error, ScriptError) and sent != error.line:
        notes.insert(0, f"sent as: line {sent}, which the server names")
    head = f"  --> {_place(error, script)}"
    error.args = ("\n".join([first, head, *snippet, *(f"   = {note}" for note in notes)]),)
    return _of_its_class(error, script)


def message(words: str) -> str:
    """A server's words without the code and the place."""
    text = _BATCH.sub("", words).removesuffix(" (unknown command)")
    text = text.removesuffix(" (script_kill() stops a script that has not written)")
    text = _SUFFIX.sub("", text)
    code = _CODE.match(text)
    if code is not None:
        text = text[code.end() :].lstrip()
    prefix = _PREFIX.match(text)
    text = text[prefix.end() :] if prefix is not None else text
    # Before Redis 7 the code of a command's error comes after the place.
    return _INNER_CODE.sub("", text) if prefix is not None and prefix[0] else text


def reply_type_error(
    script: TypedScript[..., Any], misfit: Misfit, reply: object, keys: object, args: object
) -> ReplyTypeError:
    """The error for a reply that is not of its declared type."""
    call = _Call(script, keys, args)
    declared = shown(script._signature.returns)
    # A secret that was cut short would not be found.
    came = _shorten(call.without_secrets(repr(reply)), _MAX_REPLY)
    lines = [
        f"the reply of {script._shown_name} does not fit {declared}: "
        f"reply{misfit.where} {misfit.why}",
        f"  --> {script.file or script._shown_name}"
        + f", in {script._shown_name}" * bool(script.file),
        "   |",
        f"   = declared: {declared}",
        f"   = reply: {came}",
        *(f"   = {note}" for note in call.notes()),
        "   = note: the script has run",
    ]
    text = "\n".join([call.without_secrets(lines[0]), *map(call.without_secrets, lines[1:])])
    error = ReplyTypeError(text, may_have_executed=True, script=script)
    error.file = script.file
    error.message = call.without_secrets(f"reply{misfit.where} {misfit.why}")
    error.keys = tuple(call.shown_keys())
    return error


def _of_its_class(error: RequestError, script: Script) -> RequestError:
    """The error as the class that its script's library has for the code."""
    if type(error) is not ScriptError or not isinstance(script, TypedScript):
        return error
    registered = script._errors.get(error.code or "")
    if registered is None:
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
        lines = split_lines(script.code)
        sent = min(error.line, len(lines))
        place = source_map.place(sent)
        error.file, error.line = place.file, place.line
        error.source_line = lines[sent - 1].decode(errors="replace")


def _map_of(script: Script) -> SourceMap | None:
    return script._source_map if isinstance(script, TypedScript) else None


def _place(error: RequestError, script: Script) -> str:
    name = script.name or f"script {script.hash[:8]}"
    line = error.line if isinstance(error, ScriptError) else None
    file = error.file if isinstance(error, ScriptError) else None
    if file is None:
        return name if line is None else f"{name}, line {line}"
    place = file if line is None else f"{file}:{line}"
    source_map = _map_of(script)
    chain = source_map.chain(file) if source_map is not None and line is not None else []
    included = "".join(f", included at {at}" for at in chain)
    return f"{place}, in {name}{included}"


def _snippet(line: int, file: str | None, script: Script, words: str) -> list[str]:
    """The line and those around it, as far as they are of the same file."""
    source_map = _map_of(script)
    lines = split_lines(script.code)
    shown_lines: list[tuple[int, str]] = []
    for number in range(line - _AROUND, line + _AROUND + 1):
        sent: int | None = number
        if source_map is not None and file is not None:
            sent = source_map.line(Place(file, number)) if number > 0 else None
        if sent is None or not 1 <= sent <= len(lines):
            continue
        text = lines[sent - 1].decode(errors="replace").expandtabs(4).rstrip()
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
    r"^(?:Operation against|command not allowed|You can't write)|-?[A-Z]{3,} |"
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
    if named is not None and named["name"] not in ("", "?"):
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
        signature = script._signature if isinstance(script, TypedScript) else None
        declared = signature is not None and signature.declared
        self.key_names = _names(signature.keys, self.keys) if signature and declared else None
        self.arg_names = _names(signature.args, self.args) if signature and declared else None
        # Of what was read once nobody knows any more what was secret.
        self.is_unknown = signature is not None and any(
            parameter.secret and not isinstance(values, (list, tuple, NoneType))
            for values, parameters in ((keys, signature.keys), (args, signature.args))
            for parameter in parameters
        )
        self.secrets = [
            value
            for values, names in ((self.keys, self.key_names), (self.args, self.arg_names))
            for value, (_, secret) in zip(values, names or (), strict=False)
            if secret
        ]

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
            _SECRET if index < len(secrets) and secrets[index] else _shorten(_text(key), _MAX_TEXT)
            for index, key in enumerate(self.keys[:_MAX_VALUES])
        ]

    def without_secrets(self, words: str) -> str:
        """Words of a server or of a reply, which may hold what the script was given."""
        if self.is_unknown:
            return _SECRET
        forms = {form for secret in self.secrets for form in _forms(secret) if form.strip()}
        # The longest first: one may be a part of another.
        for form in sorted(forms, key=len, reverse=True):
            words = words.replace(form, _SECRET)
        return words


def _forms(secret: object) -> Iterator[str]:
    """How a value may stand in a server's words, or in the repr of a reply."""
    data = secret.encode() if isinstance(secret, str) else bytes(secret)  # type: ignore[call-overload]
    text = data.decode(errors="replace")
    yield text
    # Servers put spaces for the ends of lines.
    yield re.sub(r"[\r\n]", " ", text)
    yield repr(text)[1:-1]
    yield repr(data)[2:-1]


def _names(parameters: Sequence[Any], values: Sequence[Any]) -> list[tuple[str, bool]]:
    """The name of each value, and whether it is secret."""
    names = [(each.name, each.secret) for each in parameters if not each.many]
    names += [
        (f"{each.name}[{index}]", each.secret)
        for each in parameters
        if each.many
        for index in range(len(values) - len(names))
    ]
    if len(names) == len(values):
        return names
    # Other values than were declared: which of them are secret cannot be known.
    hide = any(secret for _, secret in ((each.name, each.secret) for each in parameters))
    return [("", hide)] * len(values)


def _listed(values: Sequence[Any], names: list[tuple[str, bool]] | None) -> str:
    items = []
    for index, value in enumerate(values[:_MAX_VALUES]):
        name, secret = names[index] if names is not None else ("", False)
        text = _SECRET if secret else _quoted(value)
        items.append(f"{name} = {text}" if name else text)
    more = len(values) - _MAX_VALUES
    return ", ".join(items) + (f", and {more} more" if more > 0 else "")


def _text(value: object) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, (bytes, bytearray, memoryview)):
        return bytes(value).decode(errors="backslashreplace")
    return f"<{type(value).__name__}>"


def _quoted(value: object) -> str:
    """A value that a reader can tell from its neighbours, shortened."""
    size = len(value.encode()) if isinstance(value, str) else memoryview(value).nbytes  # type: ignore[arg-type]
    if isinstance(value, str):
        start: object = value[:_MAX_TEXT]
    else:
        data = bytes(memoryview(value)[:_MAX_TEXT])  # type: ignore[arg-type]
        try:
            start = data.decode()
        except UnicodeDecodeError:
            start = data
    if size <= _MAX_TEXT or (isinstance(value, str) and len(value) <= _MAX_TEXT):
        return repr(start)
    return f"{start!r}… ({size:,} bytes)"


def _shorten(text: str, size: int) -> str:
    return text if len(text) <= size else text[:size] + "…"
