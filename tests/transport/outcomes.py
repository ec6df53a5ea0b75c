"""What a call returns or raises, in a form that compares two clients."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tests.transport.kinds import done


async def outcome(call: Callable[[Any], Any], client: Any) -> Any:
    """What a call returns or raises, in a form to compare."""
    try:
        return plain(await done(call(client)))
    except Exception as error:
        return type(error).__name__, [base.__name__ for base in type(error).__mro__[1:]], str(error)


def plain(value: Any) -> Any:
    """A reply with the types of its parts, since 1 == 1.0 == True."""
    if isinstance(value, dict):
        return dict, sorted(((plain(k), plain(v)) for k, v in value.items()), key=repr)
    if isinstance(value, Exception):
        return type(value), str(value)
    if isinstance(value, set):
        return set, sorted((plain(each) for each in value), key=repr)
    if isinstance(value, (list, tuple)):
        return type(value), [plain(each) for each in value]
    return type(value), value
