"""What a server is asked in every state: requests in all forms, scripts that relay errors."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

# A script first logs its last argument, which shows that it has run.
BEGIN = "redis.log(redis.LOG_WARNING, {args}[#{args}]) "

# How a script passes on the error of one of its commands.
ASIDE = "local r = redis.pcall({command}) if type(r) ~= 'table' or not r.err then return r end "
RELAYS = {
    "pcall": "return redis.pcall({command})",
    "call": "return redis.call({command})",
    "error_reply": ASIDE + "return redis.error_reply(r.err)",
    "table": ASIDE + "return {{err = r.err}}",
    "raised text": ASIDE + "error(r.err, 0)",
    "raised table": ASIDE + "error(r)",
}

# Commands within a script that one state or another refuses.
COMMANDS = {
    "SET": "'SET', {keys}[1], 'v'",
    "GET": "'GET', {keys}[1]",
    "SET of another key": "'SET', 'other', 'v'",
    "PUBLISH": "'PUBLISH', 'channel', 'message'",
    "SPUBLISH": "'SPUBLISH', 'channel', 'message'",
    "LPUSH to a string": "'LPUSH', 'text', 'v'",
    "wrong arity": "'SET', {keys}[1]",
    "unknown command": "'NOSUCH', {keys}[1]",
    "EVALSHA": "'EVALSHA', '" + "f" * 40 + "', 0",
    "HSET of half a pair": "'HSET', 'hash', 'f', 'v', 'g'",
}

# What a script may begin with.
FIRST_LINES = {
    "plain": "",
    "flagged": "#!lua\n",
    "no-writes": "#!lua flags=no-writes\n",
    "allow-oom": "#!lua flags=allow-oom\n",
    "allow-stale": "#!lua flags=allow-stale\n",
    "no-cluster": "#!lua flags=no-cluster\n",
}


def lua(command: str, relay: str) -> str:
    return BEGIN + RELAYS[relay].replace("{command}", COMMANDS[command])


def script(kind: str, command: str, relay: str) -> str:
    return FIRST_LINES[kind] + lua(command, relay).format(keys="KEYS", args="ARGV")


def function(kind: str, command: str, relay: str) -> str:
    """The function's name."""
    return f"{kind}_{command}_{relay}".translate(dict.fromkeys(map(ord, " -"), "_"))


def library() -> str:
    """A function for each script that declares its flags."""
    lines = ["#!lua name=recorded"]
    for kind in FIRST_LINES:
        for command in COMMANDS:
            for relay in RELAYS:
                name, code = function(kind, command, relay), lua(command, relay)
                lines.append(registration(name, kind, code))
    return "\n".join(lines)


def registration(name: str, kind: str, code: str) -> str:
    """The line that registers a function."""
    flags = "" if kind in ("plain", "flagged") else f"'{kind}'"
    body = code.format(keys="keys", args="args")
    return (
        f"redis.register_function{{function_name='{name}', flags={{{flags}}}, "
        f"callback=function(keys, args) {body} end}}"
    )


def late_library(kind: str) -> str:
    """One function, ``late``."""
    return "#!lua name=late\n" + registration("late", kind, lua("SET", "pcall"))


def sha(code: str) -> str:
    return hashlib.sha1(code.encode()).hexdigest()


@dataclass(frozen=True)
class Probe:
    what: str
    """The kind of script and what it does: ``plain: SET by pcall``."""
    words: tuple[str, ...]
    """What is sent; a script's marker follows."""
    runs_script: bool = True

    @property
    def form(self) -> str:
        return (
            " ".join(self.words[:2]) if self.words[0] in ("SCRIPT", "FUNCTION") else self.words[0]
        )


def scripts(
    calls: Iterable[str],
    keys: tuple[str, ...],
    kinds: Iterable[str],
    relays: Iterable[str] = ("pcall", "call"),
) -> Iterator[Probe]:
    """Scripts that make these calls, in all forms."""
    count = str(len(keys))
    for kind in kinds:
        for command in calls:
            for relay in relays:
                what = f"{kind}: {command} by {relay}"
                code = script(kind, command, relay)
                yield Probe(what, ("EVALSHA", sha(code), count, *keys))
                if kind != "plain":
                    name = function(kind, command, relay)
                    yield Probe(what, ("FCALL", name, count, *keys))
                    yield Probe(what, ("FCALL_RO", name, count, *keys))
                if relay == "pcall":
                    yield Probe(what, ("EVAL", code, count, *keys))
                    yield Probe(what, ("EVALSHA_RO", sha(code), count, *keys))
                    yield Probe(what, ("EVAL_RO", code, count, *keys))


LITTLE_LIBRARY = "#!lua name=little\nredis.register_function('little', function() return 1 end)"


def commands(keys: tuple[str, ...], has_flags: bool) -> Iterator[Probe]:
    """Commands, loads, and scripts that the server does not have."""
    count, key = str(len(keys)), keys[0]
    sent: list[tuple[str, ...]] = [
        ("GET", key),
        ("SET", key, "v"),
        ("INCR", key),
        ("DEL", *keys),
        ("PUBLISH", "channel", "message"),
        ("SPUBLISH", "channel", "message"),
        ("PING",),
        ("SCRIPT", "LOAD", "return 1"),
        ("SCRIPT", "EXISTS", sha("return 1")),
        ("WATCH", *keys),
        ("EVALSHA", "f" * 40, count, *keys),
        ("EVALSHA_RO", "f" * 40, count, *keys),
        ("FCALL", "nosuch", count, *keys),
        ("FCALL_RO", "nosuch", count, *keys),
    ]
    if has_flags:
        sent += [("FUNCTION", "LOAD", "REPLACE", LITTLE_LIBRARY), ("FUNCTION", "LIST")]
    for words in sent:
        yield Probe(
            "a command",
            words,
            runs_script=words[0] in ("EVALSHA", "EVALSHA_RO", "FCALL", "FCALL_RO"),
        )
