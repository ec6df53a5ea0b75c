"""The text of a script's error: the place, the call's values, the cause and a fix.

::

    push.lua:2: WRONGTYPE Operation against a key holding the wrong kind of value
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

from .._core import Script
from ..declared.annotations import shown
from ..declared.mismatch import Mismatch, shortened_repr
from ..declared.script import DeclaredScript
from ..errors import ReplyTypeError, RequestError, ScriptError, ScriptSyntaxError
from .call_values import CallValues
from .codes import registered_class
from .hints import hints, not_passed
from .one_line import on_one_line, shorten
from .place import leading_place, locate, sent_line, shown_place, snippet_of, with_places
from .secrets import HIDDEN, SECRET
from .words import MAX_WORDS, Words, is_of_first_line

_MAX_REPLY = 300
# The length of the first line, which logs show.
_MAX_FIRST = 1000


def explained(error: RequestError, script: Script, keys: object, args: object) -> RequestError:
    """Return the error to raise for an error of the core, with its text, script and class.

    Args:
        error: The core's error. It is modified so that it shows no secret.
        script: The script, as the caller passed it.
        keys: The call's keys; what is no list or tuple is not shown.
        args: The call's arguments, in the same form.
    """
    if isinstance(error, ReplyTypeError):
        return error
    if error.code is None:
        # No server answered; the words are the core's own.
        if script.name:
            error.args = (f"{error}\n  --> {shown_place(error, script)}",)
        return error
    call = CallValues(script, keys, args)
    error.code = error.code[:MAX_WORDS]
    said = Words(error, script)
    # The cause is looked up before secrets are hidden.
    registered = registered_class(script, error.code)
    if registered is None and said.head == "ERR " and registered_class(script, said.words):
        # A server sends a code without words in this form.
        error.code = said.words
        said.code, said.head, said.words = said.words, f"ERR {said.words}", ""
        registered = registered_class(script, error.code)
    about = hints(said.head + said.words, error, script, call.secrets.hidden_in)
    if not said.is_public(error.code) and call.secrets.are_in(said.head + said.words):
        # A script may return an argument as its error: the first word is then not a code.
        said.code, said.head, said.words = "", "", said.head + said.words
        error.code = SECRET
    words = said.words if said.is_fixed() else call.secrets.hidden_in(said.words)
    shown_words = on_one_line(words, _MAX_FIRST)
    if isinstance(error, ScriptSyntaxError):
        shown_words = with_places(shown_words, script)
        if is_of_first_line(said.words):
            error.line = 1
    sent = None
    if isinstance(error, ScriptError):
        sent = error.line
        error.script = script
        error.message = words
        error.keys = tuple(call.shown_keys())
        locate(error, script)
    if about and sent is not None:
        line = sent_line(sent, script)
        about = not_passed(said.words, line, call.counts, call.declared) or about
    if isinstance(error, ScriptError) and sent is not None:
        first = said.led(leading_place(error, script, sent), shown_words)
    else:
        # An error that a script returns has no place, and a refused script did not run.
        first = said.unled(shown_words)
    snippet: list[str] = []
    if isinstance(error, ScriptError) and error.line is not None:
        snippet = snippet_of(error.line, error.file, script, said.words)
    notes = [*call.notes(), *(f"{kind}: {text}" for kind, text in about)]
    if isinstance(error, ScriptError) and sent != error.line:
        notes.insert(0, f"sent as: line {sent}, the number in the server's own messages")
    head = f"  --> {shown_place(error, script)}"
    error.args = ("\n".join([first, head, *snippet, *(f"   = {note}" for note in notes)]),)
    return _of_its_class(error, registered)


def reply_type_error(
    script: DeclaredScript, mismatch: Mismatch, reply: object, keys: object, args: object
) -> ReplyTypeError:
    """Return the error for a reply that does not fit its declared type."""
    call = CallValues(script, keys, args)
    declared = shown(script._signature.returns)
    # A secret that was cut short would not be replaced.
    came = shorten(call.secrets.hidden_in(shortened_repr(reply, MAX_WORDS)), _MAX_REPLY)
    why = call.secrets.hidden_in(shorten(f"{mismatch.where} {mismatch.why}", MAX_WORDS))
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
    if isinstance(reply, bytes) and reply[:1] in {b"[", b"{"} and "is bytes, not" in why:
        lines.append(f"   = help: if the reply is JSON text, declare it as Json[{declared}]")
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
