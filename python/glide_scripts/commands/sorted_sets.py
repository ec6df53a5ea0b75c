"""Commands on sorted sets."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from typing import TypeVar

from .. import checks
from ..public import show_as_public
from ..values import TEncodable
from . import replies
from .command import Command
from .strings import ConditionalChange

# A mapping's key type is invariant: Mapping[TEncodable, …] would not take a dict[str, str].
K = TypeVar("K", bound=TEncodable)


class UpdateOptions(Enum):
    """A condition of ``zadd`` for existing members."""

    LESS_THAN = "LT"
    """Only if the new score is less than the current one."""

    GREATER_THAN = "GT"
    """Only if the new score is greater than the current one."""


def zadd(
    key: TEncodable,
    members_scores: Mapping[K, float],
    existing_options: ConditionalChange | None = None,
    update_condition: UpdateOptions | None = None,
    changed: bool = False,
) -> Command[int]:
    """Add members to a sorted set, or change their scores.

    See https://valkey.io/commands/zadd/.

    Args:
        key: The key of the sorted set. A missing key counts as an empty set.
        members_scores: A dict from member to score, with at least one item. A score may be inf, but
            not nan.
        existing_options: Whether to only add members, or only change scores.
        update_condition: Whether to change scores only to greater, or only to lesser ones.
        changed: Whether to also count members whose score changed.

    Returns:
        The number of members added; with ``changed``, added or changed.

    Raises:
        TypeError: An argument has a wrong type.
        ValueError: ``members_scores`` is empty, a score is nan or an int of more than 64 bits, or
            ``update_condition`` comes with ``ConditionalChange.ONLY_IF_DOES_NOT_EXIST``.
        RequestError: The key holds something other than a sorted set (``WRONGTYPE``).

    Example:
        >>> await client.zadd("board", {"ann": 12.5, "bob": 7})
        2
    """
    words = ["ZADD", checks.encodable("key", key)]
    if existing_options is not None:
        words.append(checks.member("existing_options", existing_options, ConditionalChange).value)
    if update_condition is not None:
        words.append(checks.member("update_condition", update_condition, UpdateOptions).value)
        if existing_options is ConditionalChange.ONLY_IF_DOES_NOT_EXIST:
            raise ValueError(
                "update_condition changes scores and existing_options is ONLY_IF_DOES_NOT_EXIST, "
                "which changes none; pass one of them"
            )
    if checks.flag("changed", changed):
        words.append("CH")
    for index, member, score in checks.pairs("members_scores", members_scores, "int or float"):
        words.append(checks.number(f"members_scores: score {index}", score))
        words.append(checks.encodable(f"members_scores: member {index}", member))
    return Command(words)


def zscore(key: TEncodable, member: TEncodable) -> Command[float | None]:
    """Return the score of a member of a sorted set.

    See https://valkey.io/commands/zscore/.

    Args:
        key: The key of the sorted set.
        member: The member.

    Returns:
        The score, or None if the member or the key does not exist.

    Raises:
        TypeError: ``key`` or ``member`` is not str or bytes.
        RequestError: The key holds something other than a sorted set (``WRONGTYPE``).
    """
    return Command(
        ["ZSCORE", checks.encodable("key", key), checks.encodable("member", member)],
        replies.to_optional_float,
        read_only=True,
    )


show_as_public(globals())
