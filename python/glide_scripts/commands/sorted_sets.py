"""Commands on sorted sets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import Enum

import glide_scripts

from .. import checks
from ..public import show_as_public
from ..values import TEncodable
from . import replies
from .arguments import K, one_or_more
from .command import Command
from .strings import ConditionalChange


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
    pairs = list(checks.pairs("members_scores", members_scores, "int or float"))
    words = ["ZADD", checks.encodable("key", key)]
    words += _conditions(existing_options, update_condition)
    if checks.flag("changed", changed):
        words.append("CH")
    for index, member, score in pairs:
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


def zadd_incr(
    key: TEncodable,
    member: TEncodable,
    increment: float,
    existing_options: ConditionalChange | None = None,
    update_condition: UpdateOptions | None = None,
) -> Command[float | None]:
    """Add to the score of a member of a sorted set, under a condition.

    See https://valkey.io/commands/zadd/.

    Args:
        key: The key of the sorted set. A missing key counts as an empty sorted set.
        member: The member. A missing member is added, with the score 0 before.
        increment: The number to add; it may be negative.
        existing_options: Whether to only add the member, or only change its score.
        update_condition: Whether to change the score only to a greater, or only to a lesser one.

    Returns:
        The new score, or None if a condition was not met.

    Raises:
        TypeError: An argument has a wrong type.
        ValueError: ``increment`` is nan or an int of more than 64 bits, or ``update_condition``
            comes with ``ConditionalChange.ONLY_IF_DOES_NOT_EXIST``.
        RequestError: The key holds something other than a sorted set (``WRONGTYPE``).
    """
    words = ["ZADD", checks.encodable("key", key)]
    words += _conditions(existing_options, update_condition)
    words += ["INCR", checks.number("increment", increment), checks.encodable("member", member)]
    return Command(words, replies.to_optional_float)


def zincrby(key: TEncodable, increment: float, member: TEncodable) -> Command[float]:
    """Add to the score of a member of a sorted set.

    See https://valkey.io/commands/zincrby/.

    Args:
        key: The key of the sorted set. A missing key counts as an empty sorted set.
        increment: The number to add; it may be negative.
        member: The member. A missing member is added, with the score 0 before.

    Returns:
        The new score.

    Raises:
        TypeError: An argument has a wrong type.
        ValueError: ``increment`` is nan, or an int of more than 64 bits.
        RequestError: The key holds something other than a sorted set (``WRONGTYPE``).
    """
    words = ["ZINCRBY", checks.encodable("key", key), checks.number("increment", increment)]
    return Command([*words, checks.encodable("member", member)], replies.to_float)


def zrem(key: TEncodable, members: Sequence[TEncodable]) -> Command[int]:
    """Remove members from a sorted set.

    See https://valkey.io/commands/zrem/.

    Args:
        key: The key of the sorted set.
        members: The members, at least one.

    Returns:
        The number of members that existed.

    Raises:
        TypeError: ``key`` is not str or bytes, or ``members`` is not a list of those.
        ValueError: ``members`` is empty.
        RequestError: The key holds something other than a sorted set (``WRONGTYPE``).
    """
    return Command(["ZREM", checks.encodable("key", key), *one_or_more("members", members)])


def zcard(key: TEncodable) -> Command[int]:
    """Count the members of a sorted set.

    See https://valkey.io/commands/zcard/.

    Args:
        key: The key of the sorted set.

    Returns:
        The number of members; 0 if the key does not exist.

    Raises:
        TypeError: ``key`` is not str or bytes.
        RequestError: The key holds something other than a sorted set (``WRONGTYPE``).
    """
    return Command(["ZCARD", checks.encodable("key", key)], read_only=True)


def zcount(
    key: TEncodable,
    min_score: glide_scripts.InfBound | glide_scripts.ScoreBoundary,
    max_score: glide_scripts.InfBound | glide_scripts.ScoreBoundary,
) -> Command[int]:
    """Count the members of a sorted set with scores in a range.

    See https://valkey.io/commands/zcount/.

    Args:
        key: The key of the sorted set.
        min_score: Where the range begins.
        max_score: Where it ends.

    Returns:
        The number of members; 0 if the key does not exist.

    Raises:
        TypeError: An argument has a wrong type.
        RequestError: The key holds something other than a sorted set (``WRONGTYPE``).
    """
    from .ranges import score_bound  # noqa: PLC0415 - saves time at import

    words = ["ZCOUNT", checks.encodable("key", key), score_bound("min_score", min_score)]
    return Command([*words, score_bound("max_score", max_score)], read_only=True)


def zrange(
    key: TEncodable,
    range_query: glide_scripts.RangeByIndex | glide_scripts.RangeByLex | glide_scripts.RangeByScore,
    reverse: bool = False,
) -> Command[list[bytes]]:
    """Return a range of a sorted set.

    See https://valkey.io/commands/zrange/.

    Args:
        key: The key of the sorted set.
        range_query: The range, by position, by member or by score.
        reverse: Whether the greatest score comes first; ``start`` is then the greater end.

    Returns:
        The members in order; an empty list if the key does not exist.

    Raises:
        TypeError: An argument has a wrong type.
        RequestError: The key holds something other than a sorted set (``WRONGTYPE``).

    Example:
        >>> await client.zrange("board", RangeByIndex(0, -1))
        [b'bob', b'ann']
    """
    from .ranges import range_words  # noqa: PLC0415 - saves time at import

    words = ["ZRANGE", checks.encodable("key", key), *range_words(range_query, reverse)]
    return Command(words, read_only=True)


def zrange_withscores(
    key: TEncodable,
    range_query: glide_scripts.RangeByIndex | glide_scripts.RangeByScore,
    reverse: bool = False,
) -> Command[dict[bytes, float]]:
    """Return a range of a sorted set with its scores.

    See https://valkey.io/commands/zrange/.

    Args:
        key: The key of the sorted set.
        range_query: The range, by position or by score.
        reverse: Whether the greatest score comes first; ``start`` is then the greater end.

    Returns:
        A dict from member to score, in order; empty if the key does not exist.

    Raises:
        TypeError: An argument has a wrong type.
        RequestError: The key holds something other than a sorted set (``WRONGTYPE``).
    """
    from .ranges import range_words  # noqa: PLC0415 - saves time at import

    words = range_words(range_query, reverse, with_scores=True)
    words = ["ZRANGE", checks.encodable("key", key), *words]
    return Command(words, replies.to_scores, read_only=True)


def zrank(key: TEncodable, member: TEncodable) -> Command[int | None]:
    """Return the position of a member of a sorted set; the least score has position 0.

    See https://valkey.io/commands/zrank/.

    Args:
        key: The key of the sorted set.
        member: The member.

    Returns:
        The position, or None if the member or the key does not exist.

    Raises:
        TypeError: ``key`` or ``member`` is not str or bytes.
        RequestError: The key holds something other than a sorted set (``WRONGTYPE``).
    """
    words = ["ZRANK", checks.encodable("key", key), checks.encodable("member", member)]
    return Command(words, read_only=True)


def zrevrank(key: TEncodable, member: TEncodable) -> Command[int | None]:
    """Return the position of a member of a sorted set; the greatest score has position 0.

    See https://valkey.io/commands/zrevrank/.

    Args:
        key: The key of the sorted set.
        member: The member.

    Returns:
        The position, or None if the member or the key does not exist.

    Raises:
        TypeError: ``key`` or ``member`` is not str or bytes.
        RequestError: The key holds something other than a sorted set (``WRONGTYPE``).
    """
    words = ["ZREVRANK", checks.encodable("key", key), checks.encodable("member", member)]
    return Command(words, read_only=True)


def zmscore(key: TEncodable, members: Sequence[TEncodable]) -> Command[list[float | None]]:
    """Return the scores of several members of a sorted set.

    See https://valkey.io/commands/zmscore/.

    Args:
        key: The key of the sorted set.
        members: The members, at least one.

    Returns:
        The scores in the order of the members; None for a member that does not exist.

    Raises:
        TypeError: ``key`` is not str or bytes, or ``members`` is not a list of those.
        ValueError: ``members`` is empty.
        RequestError: The key holds something other than a sorted set (``WRONGTYPE``).
    """
    words = ["ZMSCORE", checks.encodable("key", key), *one_or_more("members", members)]
    return Command(words, replies.to_optional_floats, read_only=True)


def zpopmin(key: TEncodable, count: int | None = None) -> Command[dict[bytes, float]]:
    """Remove the members with the least scores from a sorted set, and return them.

    See https://valkey.io/commands/zpopmin/.

    Args:
        key: The key of the sorted set.
        count: The maximum number of members; None means one.

    Returns:
        A dict from member to score, the least score first; empty if the key does not exist.

    Raises:
        TypeError: ``key`` is not str or bytes, or ``count`` is not an int.
        ValueError: ``count`` has more than 64 bits.
        RequestError: ``count`` is negative, or the key holds something other than a sorted set
            (``WRONGTYPE``).
    """
    return _pop("ZPOPMIN", key, count)


def zpopmax(key: TEncodable, count: int | None = None) -> Command[dict[bytes, float]]:
    """Remove the members with the greatest scores from a sorted set, and return them.

    See https://valkey.io/commands/zpopmax/.

    Args:
        key: The key of the sorted set.
        count: The maximum number of members; None means one.

    Returns:
        A dict from member to score, the greatest score first; empty if the key does not exist.

    Raises:
        TypeError: ``key`` is not str or bytes, or ``count`` is not an int.
        ValueError: ``count`` has more than 64 bits.
        RequestError: ``count`` is negative, or the key holds something other than a sorted set
            (``WRONGTYPE``).
    """
    return _pop("ZPOPMAX", key, count)


def _pop(name: str, key: TEncodable, count: int | None) -> Command[dict[bytes, float]]:
    words = [name, checks.encodable("key", key)]
    if count is not None:
        words.append(checks.integer("count", count))
    return Command(words, replies.to_scores)


def _conditions(
    existing_options: ConditionalChange | None, update_condition: UpdateOptions | None
) -> list[TEncodable]:
    words: list[TEncodable] = []
    if existing_options is not None:
        words.append(checks.member("existing_options", existing_options, ConditionalChange).value)
    if update_condition is not None:
        words.append(checks.member("update_condition", update_condition, UpdateOptions).value)
        if existing_options is ConditionalChange.ONLY_IF_DOES_NOT_EXIST:
            raise ValueError(
                "update_condition changes scores and existing_options is ONLY_IF_DOES_NOT_EXIST, "
                "which changes none; pass one of them"
            )
    return words


show_as_public(globals())
