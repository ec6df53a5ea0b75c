"""Checking a command line's keys and arguments against a script's declarations."""

import os
from collections.abc import Sequence
from typing import Annotated

from .. import Script, TypedScript
from ..declared.annotations import Mark, is_encodable, is_json, shown, without_marks
from ..declared.decoding import decoder
from ..declared.mismatch import Mismatch
from ..declared.signature import NO_DEFAULT, Parameter
from ._failure import UNUSABLE, Failure


def encoded(words: Sequence[str] | None) -> list[bytes]:
    """Words as the shell gave them: the bytes, whether or not they are text."""
    return [os.fsencode(word) for word in words or ()]


def fit(script: Script, file: object, keys: Sequence[bytes], args: Sequence[bytes]) -> None:
    """Check keys and arguments against a script's declarations, if it has any.

    `file` is what errors call the script.
    They are sent unconverted: a shell has only text, and scripts get only text.

    Raises:
        Failure: One is missing, one is too many, or one is not of its type.
    """
    if not isinstance(script, TypedScript):
        return
    signature = script._signature
    # One that declares only its reply may take any.
    if not signature.declared or not signature.parameters:
        return
    values: dict[str, object] = {}
    for what, option, parameters, given in (
        ("key", "--key", signature.keys, keys),
        ("argument", "--arg", signature.args, args),
    ):
        left = list(given)
        for each in parameters:
            if each.many:
                values[each.name] = [_value(file, what, each, data) for data in left]
                left = []
            elif left:
                values[each.name] = _value(file, what, each, left.pop(0))
            elif each.default is NO_DEFAULT:
                why = f"{what} {each.name} is missing: {option} {each.name.upper()}"
                raise Failure(f"{file}: {why}", UNUSABLE)
        if left:
            takes = ", ".join(each.name for each in parameters) or "none"
            plural = "" if len(given) == 1 else "s"
            why = f"{len(given)} {what}{plural} given with {option}, but the script takes {takes}"
            raise Failure(f"{file}: {why}", UNUSABLE)
    try:
        script.pack(**values)
    except (TypeError, ValueError) as error:
        why = str(error).partition("\n")[0].removeprefix(f"{file}: ")
        raise Failure(f"{file}: {why}", UNUSABLE) from None


def _value(file: object, what: str, parameter: Parameter, data: bytes) -> object:
    """A word as a value of its parameter's type: what is text to a server is so to a shell."""
    kind, marks = without_marks(parameter.annotation)
    if parameter.is_key or is_encodable(kind):
        return data
    # A dict that is sent is JSON, and one that is received need not be.
    annotation = Annotated[kind, Mark.JSON] if is_json(kind, marks) else parameter.annotation
    decode = decoder(annotation)
    try:
        return data if decode is None else decode(data)
    except Mismatch:
        # Its words are of replies.
        text = "it" if parameter.secret else repr(os.fsdecode(data))
    right = "1 or 0" if kind is bool else shown(parameter.annotation)
    why = f"{what} {parameter.name} must be {right}, not {text}"
    raise Failure(f"{file}: {why}", UNUSABLE)
