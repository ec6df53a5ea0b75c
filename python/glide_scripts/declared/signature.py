"""A script's signature: its parameters, and the type of its reply.

Comments in the head of its file declare it, or a function of Python. Both ways give a
``Signature``, whose types are Python's annotations; all that comes after, checks, encoding,
decoding, errors and stub files, is made from it.

KEYS and ARGV are the values in the order of their declarations. At most one parameter is several
keys and at most one is several arguments, each after all others of its kind: so ``#KEYS`` and
``#ARGV`` tell the script how many there are, and no counts are sent.
"""

from __future__ import annotations

import enum
import inspect
import itertools
import keyword
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from ..values import TEncodable
from .annotations import Key, shown
from .decoding import NotDecodable, decoder
from .encoding import Encoder, NotEncodable, encoder, items_of, many_encoder, secretly

NO_DEFAULT = inspect.Parameter.empty


class Passed(enum.Enum):
    """How a call passes a parameter, as in the signature of a function."""

    EITHER_WAY = inspect.Parameter.POSITIONAL_OR_KEYWORD
    BY_POSITION = inspect.Parameter.POSITIONAL_ONLY
    BY_NAME = inspect.Parameter.KEYWORD_ONLY
    AS_REST = inspect.Parameter.VAR_POSITIONAL
    """``*args``: one value by each position that is left."""


class Undeclarable(Exception):
    """A declaration is impossible."""


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
    passed: Passed = Passed.EITHER_WAY

    @cached_property
    def encode(self) -> Callable[[str, Any], Any]:
        """Encode a value, given the parameter's name for errors; several values give a list."""
        one: Encoder = encoder(self.annotation)
        whole = many_encoder(one, self.annotation) if self.many else one
        return secretly(whole, self.shown_type) if self.secret else whole

    @property
    def shown_type(self) -> str:
        """Its type, as the signature shows it."""
        is_list = self.many and self.passed is not Passed.AS_REST
        return f"list[{shown(self.annotation)}]" if is_list else shown(self.annotation)

    @property
    def is_required(self) -> bool:
        """Whether a call without it is an error."""
        return self.default is NO_DEFAULT and self.passed is not Passed.AS_REST

    def __reduce__(self) -> tuple[Any, ...]:
        of = (self.name, self.is_key, self.many, self.annotation, self.secret, self.default)
        return Parameter, (*of, self.passed)

    def __str__(self) -> str:
        default = "" if self.default is NO_DEFAULT else f" = {self._shown_default}"
        star = "*" if self.passed is Passed.AS_REST else ""
        return f"{star}{self.name}: {self.shown_type}{default}"

    @property
    def _shown_default(self) -> str:
        return "..." if self.secret else repr(self.default)


@dataclass(frozen=True)
class Signature:
    """The parameters of a typed call in their order, and the type of its reply."""

    parameters: tuple[Parameter, ...]
    returns: Any = Any
    declared: bool = True
    """False where nothing is: such a script is called with ``keys`` and ``args``."""

    def __reduce__(self) -> tuple[Any, ...]:
        return Signature, (self.parameters, self.returns, self.declared)

    def __str__(self) -> str:
        parameters = ", ".join([self.client, *listed(self.parameters, str)])
        return f"({parameters}) -> {shown(self.returns)}"

    @cached_property
    def client(self) -> str:
        """What the client is called that comes first: a name that no parameter has."""
        return "__client" if any(each.name == "client" for each in self.parameters) else "client"

    @cached_property
    def keys(self) -> tuple[Parameter, ...]:
        """Those that are keys."""
        return tuple(each for each in self.parameters if each.is_key)

    @cached_property
    def args(self) -> tuple[Parameter, ...]:
        """Those that are arguments."""
        return tuple(each for each in self.parameters if not each.is_key)

    def position(self, name: str) -> tuple[str, int]:
        """Where a parameter is sent: ``("keys", 0)`` is the first key, ``("args", 1)`` an argument.

        Raises:
            Undeclarable: There is none of that name, it is several, or is not to be seen.
        """
        for kind, parameters in (("keys", self.keys), ("args", self.args)):
            for index, each in enumerate(parameters):
                if each.name != name:
                    continue
                if each.many:
                    raise Undeclarable(f"{name!r} takes several values, but an id is one value")
                if each.secret:
                    raise Undeclarable(
                        f"{name!r} is secret, but an id is shown in a key's name; use another one"
                    )
                return kind, index
        names = ", ".join(
            each.name for each in self.parameters if not each.many and not each.secret
        )
        raise Undeclarable(f"{name!r} is not declared" + (f"; there are {names}" if names else ""))


UNDECLARED = Signature(
    (
        Parameter("keys", is_key=True, many=True, annotation=Key, default=()),
        Parameter("args", is_key=False, many=True, annotation=TEncodable, default=()),
    ),
    declared=False,
)


def parameter(
    name: str,
    annotation: Any,
    *,
    is_key: bool,
    many: bool = False,
    secret: bool = False,
    default: Any = NO_DEFAULT,
    passed: Passed = Passed.EITHER_WAY,
) -> Parameter:
    """Return a parameter, checked.

    Raises:
        Undeclarable: It cannot; the text says why.
    """
    name = as_identifier(name)
    if keyword.iskeyword(name):
        raise Undeclarable(f"{name!r} is a Python keyword; rename the parameter")
    if not name.isidentifier():
        raise Undeclarable(f"{name!r} is not a valid Python name; rename the parameter")
    if name.startswith("__"):
        raise Undeclarable(f'{name!r} begins with "__"; rename it')
    made = Parameter(name, is_key, many, annotation, secret, default, passed)
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
    """Return a signature, checked.

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
                    f"{each.name!r} takes all remaining {what}s, but {after.name!r} comes "
                    f"after it; make {each.name!r} the last {what}{hint}"
                )
    try:
        decoder(returns)
    except NotDecodable as error:
        raise Undeclarable(f"no reply can be read as {shown(returns)}: {error}") from None
    return made


def listed(parameters: Sequence[Parameter], text: Callable[[Parameter], str]) -> list[str]:
    """Return the text of each parameter, with the marks ``/`` and ``*`` of a signature."""
    texts: list[str] = []
    before = None
    for each in parameters:
        if before is Passed.BY_POSITION and each.passed is not before:
            texts.append("/")
        if each.passed is Passed.BY_NAME and before not in {Passed.BY_NAME, Passed.AS_REST}:
            texts.append("*")
        texts.append(text(each))
        before = each.passed
    return [*texts, "/"] if before is Passed.BY_POSITION else texts


def as_identifier(name: str) -> str:
    """Return a name as Python reads it: Python normalises some letters."""
    return name if name.isascii() else unicodedata.normalize("NFKC", name)


def split_list(annotation: Any) -> tuple[bool, Any]:
    """Return whether an annotation is for several values, and the annotation of one."""
    try:
        item = items_of(annotation)
    except NotEncodable as error:
        raise Undeclarable(str(error)) from None
    return (False, annotation) if item is None else (True, item)
