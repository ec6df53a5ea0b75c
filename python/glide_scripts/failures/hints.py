"""Causes and fixes of common script failures."""

from __future__ import annotations

import re
from collections.abc import Callable

from .._core import Script
from ..errors import RequestError, ScriptError, ScriptSyntaxError
from .codes import is_in_code
from .place import place_of

_NAME = r"(?:local|global|field|upvalue|method) '(?P<name>[^'?]+)'"
# Lua's text for a value without a name.
_NAMELESS = r"(?:field '\?' \()?"

# The first row that matches the server's words is used. Each row begins with texts of which the
# words must contain one, because trying all regular expressions would take too long on the event
# loop. The note and the help follow, in which \g<name> stands for what the words name.
_HINTS: list[tuple[str, str, str, str]] = [
    (
        "non local key",
        r"ttempted to access .*non local key",
        "in a cluster, a script may only use keys of one slot, on the node that runs it",
        "pass every key in keys, and give them one {hash tag}: '{user:1}:cart', '{user:1}:total'",
    ),
    (
        "same slot",
        r"ttempted to access keys that do not hash to the same slot",
        "the script used keys of several slots",
        "pass every key in keys, and give them one {hash tag}: '{user:1}:cart', '{user:1}:total'",
    ),
    (
        "CROSSSLOT",
        r"CROSSSLOT",
        "all keys of a script must be in one slot",
        "give them one {hash tag}: '{user:1}:cart', '{user:1}:total'",
    ),
    (
        "global variable 'print'",
        r"attempted to access (?:a )?(?:nonexistent|unexisting) global variable 'print'",
        "scripts have no print: they run in the server, which has no terminal",
        "return the value, or write it to the server's log: redis.log(redis.LOG_WARNING, value)",
    ),
    (
        "global variable '",
        r"attempted to access (?:a )?(?:nonexistent|unexisting) global variable '(?P<name>\w+)'",
        "there is no variable '\\g<name>': it is misspelt, not local, or missing from the "
        "server's Lua",
        "declare it with 'local \\g<name> = ...' above its use",
    ),
    (
        "create global variable '",
        r"Script attempted to create global variable '(?P<name>\w+)'",
        "scripts may not set global variables",
        "write 'local \\g<name> = ...'",
    ),
    (
        "readonly table",
        r"Attempt to modify a readonly table",
        "scripts may neither set global variables nor change the server's tables",
        "write 'local' before the variable's first use, and change a copy of a table",
    ),
    (
        "attempt to index",
        rf"attempt to index {_NAME} \(a (?P<type>\w+) value\)",
        "'\\g<name>' is \\g<type>, not a table{missing}",
        "test it before it is used: if \\g<name> then ... end",
    ),
    (
        "attempt to index",
        rf"attempt to index {_NAMELESS}a (?P<type>\w+) value",
        "the value before '.', ':' or '[' is \\g<type>, not a table{missing}",
        "put it into a local variable, and test that",
    ),
    (
        "perform arithmetic on",
        rf"attempt to perform arithmetic on {_NAME} \(a (?P<type>\w+) value\)",
        "'\\g<name>' is \\g<type>, not a number{missing}",
        "convert it and give it a default: tonumber(\\g<name> or 0)",
    ),
    (
        "perform arithmetic on",
        rf"attempt to perform arithmetic on {_NAMELESS}a (?P<type>\w+) value",
        "an operand is \\g<type>, not a number{missing}",
        "convert it and give it a default: tonumber(redis.call('GET', key) or 0)",
    ),
    (
        # Of Redis 6.2 alone.
        "err_handler_def:",
        r"err_handler_def:\d+: attempt to concatenate local 'err' \(a (?P<type>\w+) value\)",
        "the script raised a \\g<type> value, and not a text as error('...') does; this server "
        "passes on neither the value nor its line",
        "return redis.error_reply('...'), or raise a text: error('...')",
    ),
    (
        "attempt to concatenate",
        rf"attempt to concatenate {_NAME} \(a (?P<type>\w+) value\)",
        "'\\g<name>' is \\g<type>, not a string or number{missing}",
        "convert it with tostring(...), or test it before",
    ),
    (
        "attempt to concatenate",
        rf"attempt to concatenate {_NAMELESS}a (?P<type>\w+) value",
        "a value beside '..' is \\g<type>, not a string or number{missing}",
        "convert it with tostring(...), or test it before",
    ),
    (
        "attempt to compare",
        r"attempt to compare (?P<one>\w+) with (?P<other>\w+)",
        "Lua does not compare \\g<one> with \\g<other>; keys, arguments and most replies are "
        "strings{false}",
        "convert both sides: tonumber(ARGV[1]) < tonumber(value or 0)",
    ),
    (
        "attempt to compare two",
        r"attempt to compare two (?P<type>\w+) values",
        "Lua compares numbers and strings, but not two values of type \\g<type>",
        "compare a field or the length of each instead",
    ),
    (
        "attempt to call",
        rf"attempt to call (?:{_NAME} \()?{_NAMELESS}a nil value",
        "the called function does not exist: it is misspelt, or defined further down",
        "define functions above their use; servers have only part of Lua's library",
    ),
    (
        "attempt to call ",
        r"attempt to call ",
        "the called value is not a function",
        "check what was last assigned to it",
    ),
    (
        "too many results to unpack",
        r"too many results to unpack",
        "unpack(...) of about 8,000 values overflows Lua's stack",
        "call the command in chunks: for i = 1, #t, 1000 do "
        "redis.call(..., unpack(t, i, math.min(i + 999, #t))) end",
    ),
    (
        "stack overflow",
        r"stack overflow",
        "functions call each other too deeply",
        "end the recursion, or use a loop",
    ),
    (
        "WRONGTYPE|wrong kind of value",
        r"WRONGTYPE|wrong kind of value",
        "the key holds a value of a type that the command does not accept",
        "check the key with TYPE; other code may have written it",
    ),
    (
        "OOM |used memory",
        r"OOM |command not allowed when used memory",
        "the server has reached its maxmemory, and cannot evict enough for this write",
        "free memory, raise maxmemory or set a maxmemory-policy; a script that only frees memory "
        "may begin with '#!lua flags=allow-oom'",
    ),
    (
        "from read-only scripts",
        r"Write commands are not allowed from read-only scripts",
        "the script is declared read-only but writes",
        "remove the write, or read_only=True, --@readonly or the flag no-writes",
    ),
    (
        "READONLY |read only replica|on readonly replica",
        r"READONLY |against a read only replica|on readonly replica",
        "the server is a replica, which refuses writes",
        "connect the client to the primary; declare a script that only reads as read-only",
    ),
    (
        "NOREPLICAS ",
        r"NOREPLICAS ",
        "fewer replicas are connected than min-replicas-to-write requires",
        "bring the replicas back, or lower min-replicas-to-write",
    ),
    (
        "MISCONF ",
        r"MISCONF ",
        "the server could not save its data to disk, and refuses writes",
        "check the server's log and disk",
    ),
    (
        "killed by user",
        r"Script killed by user",
        "someone sent SCRIPT KILL while the script ran; it had written nothing",
        "do less per call: use fewer keys, or SCAN in steps from the client",
    ),
    (
        "BUSY ",
        r"^BUSY (?:Redis|Valkey|server) is busy",
        "another script has been running for longer than busy-reply-threshold; this one did not "
        "run",
        "wait and try again; client.script_kill() stops a script that has not written",
    ),
    (
        "UNKILLABLE ",
        r"^UNKILLABLE ",
        "the running script has already written; stopping it would leave its work half done",
        "wait until it ends; SHUTDOWN NOSAVE would lose unsaved data",
    ),
    (
        "rong number of arg",
        r"Wrong number of args calling|[Ww]rong number of arguments for",
        "a command got too many or too few arguments",
        "check the command's syntax; Lua drops a last argument that is nil",
    ),
    (
        "arguments must be strings or integers",
        r"arguments must be strings or integers",
        "a command got nil, a boolean or a table",
        "convert arguments with tostring(...), and test for nil before",
    ),
    (
        "command called from",
        r"Unknown .*command called from",
        "the server does not know this command: it is misspelt, renamed, of a newer version or "
        "of a module",
        "check the spelling, and the server's version with INFO server",
    ),
    (
        "not allowed from script",
        r"This .*command is not allowed from script",
        "scripts may not use this command",
        "send it from the client",
    ),
    (
        "NOPERM|ACL failure|can't run this|has no permissions",
        r"NOPERM|ACL failure|can't run this command or subcommand|has no permissions",
        "the client's user may not run this command, or not on this key",
        "check ACL LOG on the server, and ACL GETUSER for the user",
    ),
    (
        "NOSCRIPT ",
        r"^NOSCRIPT ",
        "the server lacks the script, and this Script object no longer has its code",
        "keep the Script object",
    ),
]

_FALSE = "; redis.call returns false for a missing value"

_SYNTAX: list[tuple[str, str, str, str]] = [
    (
        "(to close '",
        r"'(?P<wanted>[^']+)' expected \(to close '(?P<opened>[^']+)' at line (?P<line>\d+)\)",
        "the '\\g<opened>' of {place} has no '\\g<wanted>'",
        "add '\\g<wanted>', or remove the '\\g<opened>'",
    ),
    (
        "near '<eof>'",
        r"'end' expected near '<eof>'|expected near '<eof>'",
        "the script ends inside an open block or bracket",
        "look for a missing 'end' or ')'",
    ),
    (
        "'<eof>' expected",
        r"'<eof>' expected near '(?P<near>[^']*)'",
        "there is code after the end: 'return' must be the last statement of its block",
        "write 'do return ... end' for an early return, or remove an extra 'end'",
    ),
    (
        "expected near '='",
        r"'(?:then|do|\))' expected near '='",
        "'=' assigns, but this is a condition",
        "compare with '=='",
    ),
    (
        "'=' expected near",
        r"'=' expected near",
        "a statement must be a call or an assignment",
        "look for a misspelt word or a missing '='",
    ),
    (
        "unfinished string",
        r"unfinished string",
        "a string does not end on its line",
        "close it with the quote that opened it; [[...]] may span several lines",
    ),
    (
        "unexpected symbol near '",
        r"unexpected symbol near '(?P<near>!|\+|\?)",
        "Lua has no such operator",
        "use '~=' for unequal, 'not' to negate, 'x = x + 1' to increment, 'a and b or c' to choose",
    ),
    (
        "has more than ",
        r"has more than (?P<count>\d+) (?P<what>[\w ]+)",
        "Lua allows \\g<count> \\g<what> in one function",
        "move parts of it into functions or tables",
    ),
    (
        "Unexpected flag in script",
        r"Unexpected flag in script shebang",
        "the server does not know this flag",
        "flags are no-writes, allow-oom, allow-stale, no-cluster and allow-cross-slot-keys",
    ),
    (
        "engine",
        r"Unexpected engine in script shebang|Could not find scripting engine",
        "the server has no such language",
        "begin the script with #!lua",
    ),
    (
        "shebang",
        r"Unknown lua shebang option|Invalid script shebang",
        "the server does not understand the first line",
        "begin the script with #!lua, or with #!lua flags=no-writes",
    ),
]
# No Lua program looks like this.
_PATH = re.compile(rb"[\w./\\-]{1,200}\.lua")
# A server's own words are shorter.
_MAX_WORDS = 1000
_OTHER_SYNTAX = "the script is not Lua 5.1, and did not run"


def hints(
    words: str, error: RequestError, script: Script, shown: Callable[[str], str]
) -> list[tuple[str, str]]:
    """Return notes and fixes for a server's error text.

    Args:
        words: The server's words.
        error: The error.
        script: The script.
        shown: What may be shown of a part of the words.
    """
    if isinstance(error, ScriptSyntaxError):
        if _PATH.fullmatch(script.code):
            path = script.code.decode()
            return [
                ("note", "this is the path of a file, not its code"),
                ("help", f"read the file: Script.from_file({path!r})"),
            ]
        if script.code.startswith(b"#!") and "symbol near '#'" in words[:_MAX_WORDS]:
            return [
                ("note", "servers before Redis 7.0 do not know a first line that begins with #!"),
                ("help", "remove the line; instead of no-writes, declare --@readonly"),
            ]
        found = _first(_SYNTAX, words, script, shown)
        return found or [("note", _OTHER_SYNTAX)]
    if error.code != "ERR" and isinstance(error, ScriptError) and not re.match(_SERVERS, words):
        # The script's own code; the script explains it.
        return []
    return _first(_HINTS, words, script, shown)


# Words of servers that a missing key or argument may cause; Lua has no name for it.
_OF_NIL = re.compile(
    rf"^(?!.*{_NAME}).*(?:\bnil\b|rong number of arg|arguments must be strings or integers)"
)
# A key or argument that a line uses, except with a default or in a condition.
_GIVEN = re.compile(r"\b(KEYS|ARGV)\[(\d{1,4})\](?!\s*(?:or|and)\b)")


def not_passed(
    words: str, line: str, counts: dict[str, int | None], declared: bool
) -> list[tuple[str, str]]:
    """Return a note and a fix if a line uses a key or argument that the call does not have.

    Args:
        words: The server's words.
        line: The line that failed.
        counts: How many KEYS and ARGV the call has; None if that is unknown.
        declared: Whether the script declares its parameters.
    """
    if not _OF_NIL.search(words[:_MAX_WORDS]):
        return []
    for table, index in _GIVEN.findall(line.partition("--")[0]):
        count = counts[table]
        if count is None or 0 < int(index) <= count:
            continue
        if int(index) == 0:
            return [
                ("note", f"{table}[0] is nil: Lua counts from 1"),
                ("help", f"the first one is {table}[1]"),
            ]
        what = "key" if table == "KEYS" else "argument"
        return [
            ("note", f"{table}[{index}] is nil: the call has {count} {what}{'s' * (count != 1)}"),
            ("help", f"{'declare' if declared else 'pass'} this {what}, or correct the index"),
        ]
    return []


_SERVERS = (
    r"WRONGTYPE Operation against a key|OOM command not allowed|READONLY (?:You can't|Can not)|"
    r"BUSY (?:Redis|Valkey|server) is busy|NOSCRIPT No matching|UNKILLABLE |NOTBUSY |CROSSSLOT |"
    r"MISCONF |NOREPLICAS |NOPERM "
)


# Words that a table's note may show because they hold no secret: Lua's types and keywords.
_LUA = re.compile(
    r"nil|boolean|number|string|table|function|thread|userdata|end|then|do|if|for|while|repeat|"
    r"until|else|elseif|[^\w\s]{1,2}|<eof>|local variables|upvalues|constants"
)


def _first(
    table: list[tuple[str, str, str, str]], words: str, script: Script, shown: Callable[[str], str]
) -> list[tuple[str, str]]:
    words = words[:_MAX_WORDS]
    for needed, pattern, note, help_ in table:
        if not any(each in words for each in needed.split("|")):
            continue
        found = re.search(pattern, words)
        if found is None:
            continue
        given = found.groupdict()
        kinds = (given.get("type"), given.get("one"), given.get("other"))
        missing = _FALSE if "boolean" in kinds else ""
        if "nil" in kinds:
            missing = "; it was never assigned, or a function or table returned nothing"
        details = {"missing": missing, "false": _FALSE if "boolean" in kinds else ""}
        if "line" in given:
            details["place"] = place_of(int(given["line"]), script)
        return [
            (kind, _filled(found, text, details, shown, script))
            for kind, text in (("note", note), ("help", help_))
        ]
    return []


def _filled(
    found: re.Match[str],
    text: str,
    details: dict[str, str],
    shown: Callable[[str], str],
    script: Script,
) -> str:
    def value(group: re.Match[str]) -> str:
        given = found[group[1]] or ""
        if _LUA.fullmatch(given) or is_in_code(given, script):
            return given
        return given if shown(given) == given else "<secret>"

    for name, detail in details.items():
        text = text.replace("{" + name + "}", detail)
    return re.sub(r"\\g<(\w+)>", value, text)
