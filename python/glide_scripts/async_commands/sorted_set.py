"""Options of commands on sorted sets, under the name that GLIDE's module has."""

from ..commands.ranges import (
    InfBound,
    LexBoundary,
    RangeByIndex,
    RangeByLex,
    RangeByScore,
    ScoreBoundary,
)

__all__ = [
    "InfBound",
    "LexBoundary",
    "RangeByIndex",
    "RangeByLex",
    "RangeByScore",
    "ScoreBoundary",
]
