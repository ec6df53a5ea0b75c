"""Ranges of a sorted set, as options of ``zrange`` and ``zcount``."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TypeAlias

from .. import checks
from ..public import show_as_public
from ..values import TEncodable


class InfBound(Enum):
    """An end of a range without a limit."""

    POS_INF = "+"
    """The greatest score, or the last member."""

    NEG_INF = "-"
    """The least score, or the first member."""


@dataclass(frozen=True, slots=True)
class ScoreBoundary:
    """An end of a range of scores.

    Args:
        value: The score.
        is_inclusive: Whether members of that score belong to the range.

    Raises:
        TypeError: An argument has a wrong type.
        ValueError: ``value`` is nan, or an int of more than 64 bits.
    """

    value: float
    is_inclusive: bool = True

    def __post_init__(self) -> None:
        checks.number("value", self.value)
        checks.flag("is_inclusive", self.is_inclusive)

    def _word(self) -> bytes:
        return (b"" if self.is_inclusive else b"(") + checks.number("value", self.value)


@dataclass(frozen=True, slots=True)
class LexBoundary:
    """An end of a range of members in alphabetical order.

    Args:
        value: The member.
        is_inclusive: Whether that member belongs to the range.

    Raises:
        TypeError: An argument has a wrong type.
    """

    value: TEncodable
    is_inclusive: bool = True

    def __post_init__(self) -> None:
        checks.encodable("value", self.value)
        checks.flag("is_inclusive", self.is_inclusive)

    def _word(self) -> bytes:
        value = self.value.encode() if isinstance(self.value, str) else bytes(self.value)
        return (b"[" if self.is_inclusive else b"(") + value


@dataclass(frozen=True, slots=True)
class Limit:
    """A part of what a range contains.

    Args:
        offset: How many members to leave out at the beginning.
        count: The maximum number of members; a negative number means all.

    Raises:
        TypeError: An argument has a wrong type.
        ValueError: A number has more than 64 bits.
    """

    offset: int
    count: int

    def __post_init__(self) -> None:
        checks.integer("offset", self.offset)
        checks.integer("count", self.count)

    def _words(self) -> list[TEncodable]:
        return [
            "LIMIT",
            checks.integer("offset", self.offset),
            checks.integer("count", self.count),
        ]


@dataclass(frozen=True, slots=True)
class RangeByIndex:
    """A range of a sorted set by position.

    Args:
        start: The first position, from 0; -1 is the last member.
        end: The last position, inclusive.

    Raises:
        TypeError: An argument is not an int.
        ValueError: A number has more than 64 bits.
    """

    start: int
    end: int

    def __post_init__(self) -> None:
        checks.integer("start", self.start)
        checks.integer("end", self.end)

    def _words(self) -> tuple[list[TEncodable], list[TEncodable]]:
        return [checks.integer("start", self.start), checks.integer("end", self.end)], []


@dataclass(frozen=True, slots=True)
class RangeByScore:
    """A range of a sorted set by score.

    Args:
        start: Where it begins; the greater end if ``zrange`` is called with ``reverse``.
        end: Where it ends.
        limit: The part of it to return; None means all.

    Raises:
        TypeError: An argument has a wrong type.
    """

    start: InfBound | ScoreBoundary
    end: InfBound | ScoreBoundary
    limit: Limit | None = None

    def __post_init__(self) -> None:
        score_bound("start", self.start)
        score_bound("end", self.end)
        checks.optional(checks.of_type, "limit", self.limit, Limit)

    def _words(self) -> tuple[list[TEncodable], list[TEncodable]]:
        bounds: list[TEncodable] = [score_bound("start", self.start), score_bound("end", self.end)]
        return bounds, ["BYSCORE"] + ([] if self.limit is None else self.limit._words())


@dataclass(frozen=True, slots=True)
class RangeByLex:
    """A range of a sorted set by member, in alphabetical order. All scores should be equal.

    Args:
        start: Where it begins; the last end if ``zrange`` is called with ``reverse``.
        end: Where it ends.
        limit: The part of it to return; None means all.

    Raises:
        TypeError: An argument has a wrong type.
    """

    start: InfBound | LexBoundary
    end: InfBound | LexBoundary
    limit: Limit | None = None

    def __post_init__(self) -> None:
        _lex_bound("start", self.start)
        _lex_bound("end", self.end)
        checks.optional(checks.of_type, "limit", self.limit, Limit)

    def _words(self) -> tuple[list[TEncodable], list[TEncodable]]:
        bounds: list[TEncodable] = [_lex_bound("start", self.start), _lex_bound("end", self.end)]
        return bounds, ["BYLEX"] + ([] if self.limit is None else self.limit._words())


Range: TypeAlias = RangeByIndex | RangeByLex | RangeByScore


def range_words(
    range_query: Range, reverse: bool, *, with_scores: bool = False
) -> list[TEncodable]:
    """Return the words of ZRANGE after the key.

    Raises:
        TypeError: An argument has a wrong type.
    """
    kinds = (
        (RangeByIndex, RangeByScore) if with_scores else (RangeByIndex, RangeByScore, RangeByLex)
    )
    if not isinstance(range_query, kinds):
        names = [kind.__name__ for kind in kinds]
        right = f"a {', a '.join(names[:-1])} or a {names[-1]}"
        raise checks.wrong_type("range_query", range_query, right)
    bounds, options = range_query._words()
    words = [*bounds, *options]
    if checks.flag("reverse", reverse):
        words.append("REV")
    return [*words, "WITHSCORES"] if with_scores else words


def score_bound(name: str, bound: InfBound | ScoreBoundary) -> bytes:
    """Return an end of a range of scores as it is sent.

    Raises:
        TypeError: It is not one.
    """
    if isinstance(bound, InfBound):
        return b"+inf" if bound is InfBound.POS_INF else b"-inf"
    return checks.of_type(name, bound, ScoreBoundary, "an InfBound or a ScoreBoundary")._word()


def _lex_bound(name: str, bound: InfBound | LexBoundary) -> bytes:
    if isinstance(bound, InfBound):
        return b"+" if bound is InfBound.POS_INF else b"-"
    return checks.of_type(name, bound, LexBoundary, "an InfBound or a LexBoundary")._word()


show_as_public(globals())
