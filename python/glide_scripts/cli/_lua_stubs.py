"""Definitions of what scripts may use, for the Lua language server (LuaLS).

https://luals.github.io/wiki/annotations/
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..probes.program import parsed

_FIXED = Path(__file__).with_name("definitions.lua")
_HEAD = "-- Written by `glide-scripts stubs --lua`, for {server}."
_KEYWORDS = (
    *("and", "break", "do", "else", "elseif", "end", "false", "for", "function", "if", "in"),
    *("local", "nil", "not", "or", "repeat", "return", "then", "true", "until", "while"),
)
_ANY = "redis.Arg"


@dataclass(frozen=True)
class Command:
    """A command that scripts may call, or one of its subcommands."""

    words: tuple[str, ...]
    """In capitals."""
    summary: str
    arguments: list[Mapping[str, Any]]


def definitions(server: str, commands: Iterable[Command]) -> str:
    """The text of the file: the fixed part, and the commands of a server.

    Args:
        server: Its name and version.
        commands: Its commands, by their words.
    """
    known = sorted(commands, key=lambda each: each.words)
    fixed = _FIXED.read_text(encoding="utf-8").removeprefix("---@meta\n")
    return "\n".join(["---@meta", _HEAD.format(server=server), fixed, *_of_commands(known), ""])


def of_include(name: str, code: bytes) -> str:
    """What a file defines for the scripts that include it: its text, with globals for its locals.

    Args:
        name: The file's name.
        code: Its text.
    """
    pieces, done = [], 0
    for node in parsed(code).root_node.named_children:
        if node.children and node.children[0].type == "local":
            pieces.append(code[done : node.start_byte])
            done = node.children[1].start_byte
            if node.children[1].type == "variable_list":
                # Names alone are no statement.
                pieces.append(code[done : node.children[1].end_byte] + b" = nil")
                done = node.children[1].end_byte
    text = b"".join([*pieces, code[done:]]).decode(errors="replace").strip()
    return f"-- For the scripts that include {name}:\n{text}\n"


def _of_commands(commands: list[Command]) -> Iterator[str]:
    yield "---A command, in capitals or small letters."
    yield "---@alias redis.Command"
    names = dict.fromkeys(each.words[0] for each in commands)
    by_name = {each.words: each for each in commands}
    for name in names:
        about = by_name.get((name,))
        if about is None:
            others = [each.words[1] for each in commands if each.words[0] == name]
            yield f'---| "{name}" # {name} {" | ".join(others)}'
        else:
            yield f'---| "{name}" # `{_usage(about)}` {about.summary}'
    yield "---| string"
    yield ""
    for function, effect in (
        ("call", "Call a command. An error of the server ends the script."),
        ("pcall", "Call a command. An error of the server is returned, as a table with `err`."),
    ):
        yield f"---{effect}"
        yield "---@param command redis.Command"
        yield f"---@param ... {_ANY}"
        yield "---@return any"
        yield from (f"---@overload fun({_parameters(each)}): any" for each in commands)
        yield f"function redis.{function}(command, ...) end"
        yield ""


def _parameters(command: Command) -> str:
    """The parameters of a call: by name up to the first one that may be left out."""
    names = ("command", "subcommand")
    parameters = _Parameters()
    for name, word in zip(names, command.words, strict=False):
        parameters.add(name, f'"{word}"|"{word.lower()}"')
    parameters.of(command.arguments)
    return ", ".join(parameters.texts)


class _Parameters:
    def __init__(self) -> None:
        self.texts: list[str] = []
        self._names: set[str] = set()

    def add(self, wanted: str, kind: str) -> None:
        name = re.sub(r"\W", "_", wanted)
        if name in _KEYWORDS or name[:1].isdigit():
            name = f"{name}_"
        number = 2
        while name in self._names:
            name = f"{wanted}{number}"
            number += 1
        self._names.add(name)
        self.texts.append(f"{name}: {kind}")

    def of(self, arguments: list[Mapping[str, Any]]) -> bool:
        """Add arguments; return whether all have been, and no others may follow in between."""
        return all(self._one(each) for each in arguments)

    def _one(self, argument: Mapping[str, Any]) -> bool:
        flags = argument.get("flags", ())
        inner: list[Mapping[str, Any]] = argument.get("arguments", [])
        name, kind, token = argument["name"], argument["type"], argument.get("token")
        if "optional" in flags:
            return self._rest()
        if kind == "oneof" and any(each["type"] != "pure-token" for each in inner):
            self.add(name, _ANY)
            return self._rest()
        if kind == "oneof":
            self.add(name, "|".join(f'"{each["token"]}"' for each in inner))
        elif kind == "pure-token":
            self.add(name, f'"{token}"')
        else:
            if token:
                self.add(f"{name}_token", f'"{token}"')
            if kind == "block":
                if not self.of(inner):
                    return False
            else:
                self.add(name, "string" if kind == "key" else _ANY)
        return self._rest() if "multiple" in flags else True

    def _rest(self) -> bool:
        self.texts.append(f"...: {_ANY}")
        return False


def _usage(command: Command) -> str:
    return " ".join([*command.words, *map(_shown, command.arguments)])


def _shown(argument: Mapping[str, Any]) -> str:
    """An argument as the servers' documentation shows it: ``[NX | XX]``."""
    flags = argument.get("flags", ())
    inner = [_shown(each) for each in argument.get("arguments", [])]
    token = argument.get("token")
    match argument["type"]:
        case "oneof":
            text = " | ".join(inner)
            if "optional" not in flags:
                text = f"<{text}>"
        case "block":
            text = " ".join(inner)
        case "pure-token":
            text = ""
        case _:
            text = str(argument.get("display_text", argument["name"]))
    words = [token, text] if token else [text]
    text = " ".join(filter(None, words))
    if "multiple" in flags:
        text = f"{text} [{text} ...]"
    return f"[{text}]" if "optional" in flags else text


def of_server(docs: Any, known: Any) -> list[Command]:
    """The commands that scripts may call.

    Args:
        docs: The reply of COMMAND DOCS.
        known: The reply of COMMAND.
    """
    may_be_called = {_text(each[0]): "noscript" not in map(_text, each[2]) for each in known}
    for each in known:
        # Subcommands, which Redis 7 and later list.
        for inner in each[9] if len(each) > 9 else []:
            may_be_called[_text(inner[0])] = "noscript" not in map(_text, inner[2])
    commands = []
    for name, about in _plain(docs).items():
        for whole, of_one in (about.get("subcommands") or {name: about}).items():
            if may_be_called.get(whole, True) and may_be_called.get(name, True):
                words = tuple(whole.upper().split("|"))
                summary = " ".join(of_one.get("summary", "").split())
                commands.append(Command(words, summary, of_one.get("arguments", [])))
    return commands


def _plain(value: Any) -> dict[str, Any]:
    """A map in a reply of COMMAND DOCS; RESP2 has a flat list."""
    pairs = value.items() if isinstance(value, dict) else zip(value[::2], value[1::2], strict=True)
    plain: dict[str, Any] = {}
    for raw, inner in pairs:
        match name := _text(raw):
            case "arguments":
                plain[name] = [_plain(each) for each in inner]
            case "flags" | "doc_flags":
                plain[name] = [_text(each) for each in inner]
            case "history":
                pass
            case _:
                # Commands, subcommands and what is said of them are maps; the rest is text.
                is_map = isinstance(inner, (dict, list))
                plain[name] = _plain(inner) if is_map else _text(inner)
    return plain


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)
