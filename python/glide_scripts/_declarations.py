"""What a script declares of its calls: in its file's head, or by a function of Python.

Both ways give a ``Signature``, whose types are Python's annotations; all that comes after, checks,
encoding, decoding, errors and stub files, is made from it.

KEYS and ARGV are the values in the order of their declarations. At most one parameter is several
keys and at most one is several arguments, each after all others of its kind: so ``#KEYS`` and
``#ARGV`` tell the script how many there are, and no counts are sent.
"""

from __future__ import annotations

import inspect
import itertools
import keyword
import re
import typing
import unicodedata
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from ._annotations import TYPES, Key, Mark, shown, without_marks
from ._arguments import Encoder, NotEncodable, encoder, items_of, many_encoder, secretly
from ._errors import ScriptSourceError
from ._reply import TEncodable
from ._returns import NotDecodable, decoder
from ._source import INCLUDE, Directive, Source, rest_of

_KNOWN = {"name", "key", "keys", "arg", "secret", "returns", "readonly", "idempotent", INCLUDE}

NO_DEFAULT = inspect.Parameter.empty


class Undeclarable(Exception):
    """What is declared cannot be."""


@dataclass(frozen=True)
class Parameter:
    """One parameter of a typed call: a key or an argument, or several."""

    name: str
    is_key: bool
    many: bool
    annotation: Any
    """The type of one key or argument."""
    secret: bool = False
    default: Any = NO_DEFAULT

    @cached_property
    def encode(self) -> Callable[[str, Any], Any]:
        """How a value is sent, given the parameter's name for errors; of several, a list."""
        one: Encoder = encoder(self.annotation)
        whole = many_encoder(one, self.annotation) if self.many else one
        return secretly(whole, self.shown_type) if self.secret else whole

    @property
    def shown_type(self) -> str:
        """Its type, as the signature shows it."""
        return f"list[{shown(self.annotation)}]" if self.many else shown(self.annotation)

    def __reduce__(self) -> tuple[Any, ...]:
        of = (self.name, self.is_key, self.many, self.annotation, self.secret, self.default)
        return Parameter, of

    def __str__(self) -> str:
        default = "" if self.default is NO_DEFAULT else f" = {self._shown_default}"
        return f"{self.name}: {self.shown_type}{default}"

    @property
    def _shown_default(self) -> str:
        return "..." if self.secret else repr(self.default)


@dataclass(frozen=True)
class Signature:
    """The parameters of a script's typed call, in their order, and the type of its reply."""

    parameters: tuple[Parameter, ...]
    returns: Any = Any
    declared: bool = True
    """False where nothing is: such a script is called with ``keys`` and ``args``."""

    def __reduce__(self) -> tuple[Any, ...]:
        return Signature, (self.parameters, self.returns, self.declared)

    def __str__(self) -> str:
        parameters = ", ".join(["client", *map(str, self.parameters)])
        return f"({parameters}) -> {shown(self.returns)}"

    @cached_property
    def keys(self) -> tuple[Parameter, ...]:
        """Those that are keys."""
        return tuple(each for each in self.parameters if each.is_key)

    @cached_property
    def args(self) -> tuple[Parameter, ...]:
        """Those that are arguments."""
        return tuple(each for each in self.parameters if not each.is_key)


UNDECLARED = Signature(
    (
        Parameter("keys", is_key=True, many=True, annotation=Key, default=()),
        Parameter("args", is_key=False, many=True, annotation=TEncodable, default=()),
    ),
    declared=False,
)


@dataclass(frozen=True, slots=True)
class Declarations:
    """All that a script's file declares."""

    name: str | None
    signature: Signature
    read_only: bool
    idempotent: bool


def parameter(
    name: str,
    annotation: Any,
    *,
    is_key: bool,
    many: bool = False,
    secret: bool = False,
    default: Any = NO_DEFAULT,
) -> Parameter:
    """A parameter that can be called and sent.

    Raises:
        Undeclarable: It cannot; the text says why.
    """
    name = as_identifier(name)
    if not name.isidentifier() or keyword.iskeyword(name):
        raise Undeclarable(f"{name!r} is no name for a parameter of Python")
    if name.startswith("__"):
        raise Undeclarable(f'{name!r} begins with "__"; name it otherwise')
    made = Parameter(name, is_key, many, annotation, secret, default)
    try:
        made.encode  # noqa: B018
    except NotEncodable as error:
        raise Undeclarable(
            f"{name!r} is {shown(annotation)}, which cannot be sent: {error}"
        ) from None
    if default is not NO_DEFAULT:
        try:
            made.encode(name, default)
        except (TypeError, ValueError) as error:
            raise Undeclarable(f"the default of {error}") from None
    return made


def signature(parameters: Sequence[Parameter], returns: Any) -> Signature:
    """A signature that can be called.

    Raises:
        Undeclarable: Two parameters have one name, several keys or arguments stand before others,
            or no reply can be of that type.
    """
    names: set[str] = set()
    for each in parameters:
        if each.name in names:
            raise Undeclarable(f"{each.name!r} is declared twice")
        names.add(each.name)
    made = Signature(tuple(parameters), returns)
    for kind, what in ((made.keys, "key"), (made.args, "argument")):
        for each, after in itertools.pairwise(kind):
            if each.many:
                hint = "" if what == "key" else "; or send one of them as JSON"
                raise Undeclarable(
                    f"{each.name!r} takes all {what}s that are left, and {after.name!r} comes "
                    f"after it; let {each.name!r} be the last {what}{hint}"
                )
    try:
        decoder(returns)
    except NotDecodable as error:
        raise Undeclarable(f"no reply can be read as {shown(returns)}: {error}") from None
    return made


# From comments


def from_comments(source: Source) -> Declarations:
    """What the comments in the head of a script's file declare.

    Raises:
        ScriptSourceError: One cannot be understood, with its file and line.
    """
    name: str | None = None
    returns, parameters = Any, []
    lines: dict[str, int] = {}
    seen: set[str] = set()
    secrets: dict[str, Directive] = {}
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
                raise wrong(f"--@{word} stands after code; declare at the head of the file")
            continue
        if word not in _KNOWN:
            raise wrong(f"--@{word} is not known{_nearest(word, _KNOWN, '--@')}")
        if word in seen and word in ("name", "returns", "readonly", "idempotent"):
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
    return Declarations(name, made_signature, "readonly" in seen, "idempotent" in seen)


def _hide(parameter: Parameter, secrets: Iterable[str]) -> Parameter:
    if parameter.name not in secrets:
        return parameter
    return Parameter(
        parameter.name, parameter.is_key, parameter.many, parameter.annotation, secret=True
    )


def as_identifier(name: str) -> str:
    """A name as Python reads it in a program: to it, some letters are others' variants."""
    return name if name.isascii() else unicodedata.normalize("NFKC", name)


def script_name(name: str) -> str:
    """A script's name, as that of an attribute.

    Raises:
        Undeclarable: No attribute can have it.
    """
    name = as_identifier(name)
    if not name.isidentifier() or keyword.iskeyword(name):
        raise Undeclarable(f"{name!r} is no name for a script: use letters, digits and _")
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
            many, annotation = _spread(annotation)
        return parameter(name, annotation, is_key=False, many=many)
    many = rest.endswith("...")
    name = rest.removesuffix("...").strip()
    if many != (word == "keys") or not name or re.search(r"\s", name):
        example = "--@keys items..." if word == "keys" else "--@key user"
        raise Undeclarable(f"--@{word} takes a name: {example}; not {rest_of(directive)}")
    return parameter(name, Key, is_key=True, many=many)


def parse_type(text: str) -> Any:
    """A type as a comment words it: ``int``, ``list[int]``, ``Optional[str]``, ``str | None``.

    Raises:
        Undeclarable: It is none.
    """
    import ast

    try:
        return _type_of(ast.parse(text, mode="eval").body)
    except (SyntaxError, ValueError, RecursionError):
        raise Undeclarable(f"{text!r} is no type") from None
    except TypeError as error:
        raise Undeclarable(f"{text!r} is no type: {error}") from None


def _type_of(node: Any) -> Any:
    import ast

    match node:
        case ast.Constant(value=None):
            return None
        case ast.Constant(value=value) if value is Ellipsis:
            return Ellipsis
        case ast.Name(id=name):
            if name in TYPES:
                return TYPES[name]
            raise Undeclarable(f"{name!r} is no type{_nearest(name, TYPES)}")
        case ast.BinOp(left=left, op=ast.BitOr(), right=right):
            return _type_of(left) | _type_of(right)
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
            raise Undeclarable(f"{ast.unparse(node)!r} is no type")


def _nearest(word: str, known: Iterable[str], before: str = "") -> str:
    import difflib

    near = difflib.get_close_matches(word, sorted(known), n=1)
    if near:
        return f"; did you mean {before}{near[0]}?"
    names = ", ".join(f"{before}{each}" for each in sorted(known))
    return f"; there are {names}" if names else ""


# From a function


def from_function(function: Callable[..., Any]) -> Signature:
    """What the annotations of a function declare.

    Raises:
        TypeError: It is no function, or cannot be a script's signature; the text names the
            function, its file and line, and the parameter.
    """
    if not inspect.isfunction(function):
        raise TypeError(f"a script is declared by a function; this is {type(function).__name__}")
    code = function.__code__
    where = f"{function.__qualname__}() at {code.co_filename}:{code.co_firstlineno}"
    try:
        hints = typing.get_type_hints(function, include_extras=True)
    except (NameError, TypeError, AttributeError, SyntaxError) as error:
        raise TypeError(f"{where}: an annotation has no meaning here: {error}") from None
    try:
        parameters = [
            _of_function(each, hints) for each in inspect.signature(function).parameters.values()
        ]
        return signature(parameters, hints.get("return", Any))
    except Undeclarable as error:
        raise TypeError(f"{where}: {error}") from None


def _of_function(given: inspect.Parameter, hints: dict[str, Any]) -> Parameter:
    name = given.name
    if given.kind is not inspect.Parameter.POSITIONAL_OR_KEYWORD:
        raise Undeclarable(f"{name!r} has to be a plain parameter; annotate several as list[...]")
    if name not in hints:
        raise Undeclarable(f"{name!r} has no annotation; a key has Key")
    _, marks = without_marks(hints[name])
    many, annotation = _spread(hints[name])
    _, item_marks = without_marks(annotation)
    return parameter(
        name,
        annotation,
        is_key=Mark.KEY in item_marks,
        many=many,
        secret=Mark.SECRET in marks | item_marks,
        default=given.default,
    )


def _spread(annotation: Any) -> tuple[bool, Any]:
    """Whether an annotation is one of several values, and the annotation of one."""
    try:
        item = items_of(annotation)
    except NotEncodable as error:
        raise Undeclarable(str(error)) from None
    return (False, annotation) if item is None else (True, item)
