"""The declarations in the comments at the top of a script's file."""

from __future__ import annotations

import ast
import datetime
import decimal
import difflib
import keyword
import re
import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal

from ..errors import ScriptSourceError
from .annotations import TYPES, Key
from .signature import (
    UNDECLARED,
    Parameter,
    Signature,
    Undeclarable,
    as_identifier,
    parameter,
    signature,
    split_list,
)
from .source import INCLUDE, Directive, Source, rest_of

# The names that a comment may use in a type, beside ``Literal`` and ``Optional``.
_TYPES = TYPES | {
    "Decimal": decimal.Decimal,
    "UUID": uuid.UUID,
    "date": datetime.date,
    "datetime": datetime.datetime,
    "time": datetime.time,
}

_FLAGS = {"readonly", "idempotent"}
_SINGLE = {"name", "returns", "once", "once_ttl", *_FLAGS}
_KNOWN = {"key", "keys", "arg", "secret", INCLUDE, *_SINGLE}


@dataclass(frozen=True, slots=True)
class Declarations:
    """All declarations of a script's file."""

    name: str | None
    signature: Signature
    read_only: bool
    idempotent: bool
    once: bool | str
    """A str is the parameter whose value is the id."""
    once_ttl: float | None


def from_comments(source: Source) -> Declarations:
    """The declarations in the comments at the top of a script's file.

    Raises:
        ScriptSourceError: One cannot be understood, with its file and line.
    """
    name: str | None = None
    returns, parameters = Any, []
    lines: dict[str, int] = {}
    seen: set[str] = set()
    secrets: dict[str, Directive] = {}
    once, once_ttl = _Once(False, 0), None
    for directive in source.directives:
        word, rest = directive.word, directive.rest

        def wrong(why: str, line: int = directive.line) -> ScriptSourceError:
            return ScriptSourceError(why, file=source.file, line=line)

        if word == INCLUDE:
            continue
        if directive.is_spaced:
            if word in _KNOWN:
                raise wrong(directive.why_spaced)
            continue
        if not directive.in_head:
            if word in _KNOWN:
                raise wrong(f"--@{word} comes after code; move it to the top of the file")
            continue
        if word not in _KNOWN:
            raise wrong(f"--@{word} is not known{_nearest(word, _KNOWN, '--@')}")
        if word in seen and word in _SINGLE:
            raise wrong(f"--@{word} is there twice")
        seen.add(word)
        try:
            match word:
                case "name":
                    name = script_name(rest)
                case "key" | "keys" | "arg":
                    made = _parameter(directive)
                    if made.name in lines:
                        first = lines[made.name]
                        raise Undeclarable(f"{made.name!r} is declared already in line {first}")
                    lines[made.name] = directive.line
                    parameters.append(made)
                case "secret":
                    if not rest.isidentifier():
                        raise Undeclarable(
                            f"--@secret takes the name of an argument, not {rest_of(directive)}"
                        )
                    secrets[as_identifier(rest)] = directive
                case "returns":
                    returns = parse_type(rest)
                    signature((), returns)
                case "once":
                    once = _Once(as_identifier(rest) or True, directive.line)
                case "once_ttl":
                    once_ttl = _seconds(rest)
                case _:
                    if rest:
                        raise Undeclarable(f"--@{word} takes nothing, not {rest!r}")
            if parameters:
                signature(parameters, Any)
        except Undeclarable as error:
            raise wrong(str(error)) from None
    for secret, directive in secrets.items():
        if secret not in lines:
            why = f"--@secret names {secret!r}, which is not declared{_nearest(secret, lines)}"
            raise ScriptSourceError(why, file=source.file, line=directive.line)
    if not parameters and "returns" not in seen:
        made_signature = UNDECLARED
    else:
        made_signature = Signature(tuple(_hide(each, secrets) for each in parameters), returns)
    refusal = _why_not_once(once.declared, once_ttl, seen & _FLAGS, made_signature)
    if refusal:
        raise ScriptSourceError(refusal, file=source.file, line=once.line or None)
    flags = {"read_only": "readonly" in seen, "idempotent": "idempotent" in seen}
    return Declarations(name, made_signature, **flags, once=once.declared, once_ttl=once_ttl)


@dataclass(frozen=True, slots=True)
class _Once:
    """What ``--@once`` declares, and its line."""

    declared: bool | str
    line: int


def _why_not_once(
    once: bool | str, once_ttl: float | None, flags: set[str], made: Signature
) -> str | None:
    """What is wrong with ``--@once``."""
    if not once:
        return None if once_ttl is None else "--@once_ttl stands without --@once"
    if flags:
        return f"--@once and --@{min(flags)} exclude each other: such a script may run twice"
    if isinstance(once, str):
        try:
            made.position(once)
        except Undeclarable as error:
            return f"--@once takes the parameter that is the id: {error}"
    return None


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds < float("inf"):
        raise Undeclarable(f"--@once_ttl takes seconds, more than 0; not {text!r}")
    return seconds


def _hide(parameter: Parameter, secrets: Iterable[str]) -> Parameter:
    if parameter.name not in secrets:
        return parameter
    return Parameter(
        parameter.name, parameter.is_key, parameter.many, parameter.annotation, secret=True
    )


def script_name(name: str) -> str:
    """Return a script's name as an attribute name.

    Raises:
        Undeclarable: No attribute can have it.
    """
    name = as_identifier(name)
    if not name.isidentifier() or keyword.iskeyword(name):
        raise Undeclarable(f"{name!r} is not a valid script name: use letters, digits and _")
    return name


def _parameter(directive: Directive) -> Parameter:
    word, rest = directive.word, directive.rest
    if word == "arg":
        name, colon, type_ = (part.strip() for part in rest.partition(":"))
        if not colon or not type_ or not name:
            raise Undeclarable(
                f"--@arg takes a name and a type: --@arg limit: int; not {rest_of(directive)}"
            )
        many = type_.endswith("...")
        annotation = parse_type(type_.removesuffix("...").strip())
        if not many:
            many, annotation = split_list(annotation)
        return parameter(name, annotation, is_key=False, many=many)
    many = rest.endswith("...")
    name = rest.removesuffix("...").strip()
    if many != (word == "keys") or not name or re.search(r"\s", name):
        example = "--@keys items..." if word == "keys" else "--@key user"
        raise Undeclarable(f"--@{word} takes a name: {example}; not {rest_of(directive)}")
    return parameter(name, Key, is_key=True, many=many)


def parse_type(text: str) -> Any:
    """Parse a type as written in a comment: ``int``, ``list[int]``, ``Optional[str]``, ``str |
    None``.

    Raises:
        Undeclarable: It is none.
    """
    try:
        return _type_of(ast.parse(text, mode="eval").body)
    except (SyntaxError, ValueError, RecursionError):
        raise Undeclarable(f"{text!r} is not a type") from None
    except TypeError as error:
        raise Undeclarable(f"{text!r} is not a type: {error}") from None


def _type_of(node: Any) -> Any:
    match node:
        case ast.Constant(value=None):
            return None
        case ast.Constant(value=value) if value is Ellipsis:
            return Ellipsis
        case ast.Name(id=name):
            if name in _TYPES:
                return _TYPES[name]
            raise Undeclarable(f"{name!r} is not a type{_nearest(name, _TYPES)}")
        case ast.BinOp(left=left, op=ast.BitOr(), right=right):
            return _type_of(left) | _type_of(right)
        case ast.Subscript(value=ast.Name(id="Literal"), slice=inner):
            return Literal[ast.literal_eval(inner)]
        case ast.Subscript(value=ast.Name(id="Optional"), slice=inner):
            return _type_of(inner) | None
        case ast.Subscript(
            value=ast.Name(id="list" | "dict" | "tuple" | "set" as name), slice=inner
        ):
            of = inner.elts if isinstance(inner, ast.Tuple) else [inner]
            if len(of) != 2 if name == "dict" else name != "tuple" and len(of) != 1:
                raise Undeclarable(f"{name} takes {2 if name == 'dict' else 1} in its brackets")
            return TYPES[name][tuple(_type_of(each) for each in of)]
        case _:
            raise Undeclarable(f"{ast.unparse(node)!r} is not a type")


def _nearest(word: str, known: Iterable[str], before: str = "") -> str:
    near = difflib.get_close_matches(word, sorted(known), n=1)
    if near:
        return f"; did you mean {before}{near[0]}?"
    names = ", ".join(f"{before}{each}" for each in sorted(known))
    return f"; there are {names}" if names else ""
