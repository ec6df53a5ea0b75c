"""Which commands may share a connection with other calls, by their names."""

from __future__ import annotations

from enum import Enum
from typing import Any


class Placement(Enum):
    """Where a command goes."""

    SHARED = "shared"
    """On the connection that all calls share."""

    SCRIPT = "script"
    """There, too; if the script's code is known, a server that lacks it gets it."""

    WAITS = "waits"
    """On a connection of the library's pool, because it would keep others waiting."""

    CHANGES = "changes"
    """On a connection of the pool, because it changes the connection or has several replies."""


SHARED = (Placement.SHARED, Placement.SCRIPT)


class NameRule:
    """How a command of one name is sent."""

    __slots__ = ("by_nodes", "decides", "following", "is_read", "name", "place", "words")

    def __init__(self, name: str) -> None:
        words = name.split()
        first, *following = name.upper().split() or [""]
        self.name = first
        self.words = None if words == [name] else words
        """The words of a name of several: ``CONFIG GET``, or ``GET key`` with its arguments."""
        self.following = following
        """Those after the first, in capitals."""
        self.is_read = first in _READS
        """Whether it only reads, so that a replica may answer it."""
        self.by_nodes = first in _BY_NODES or first.startswith("FT.")
        """Whether the library's cluster client asks several nodes, or one of its choice."""
        self.decides = first in _WAIT_WITH_BLOCK or (first in _CONTAINERS and not following)
        """Whether the arguments decide where it goes."""
        self.place = _place(first, *following[:1])


def name_rule(name: Any) -> NameRule:
    """Return how a command is sent.

    Args:
        name: The first word that the library passes: a str or bytes, of one word or several.
    """
    rule = _rules.get(name)
    if rule is None:
        text = (
            name.decode("ascii", "replace") if isinstance(name, (bytes, bytearray)) else str(name)
        )
        rule = NameRule(text)
        if len(_rules) < _MAX_RULES:
            _rules[name] = rule
    return rule


def place(rule: NameRule, args: tuple[Any, ...]) -> Placement:
    """Return where a command with these arguments goes."""
    if not rule.decides:
        return rule.place
    if rule.name in _WAIT_WITH_BLOCK:
        # A stream with that name is then read there, too. That does no harm.
        is_there = "BLOCK" in rule.following or "BLOCK" in map(_upper, args[1:])
        return Placement.WAITS if is_there else Placement.SHARED
    return _place(rule.name, *map(_upper, args[1:2]))


def _place(first: str, second: str = "") -> Placement:
    name = f"{first} {second}"
    if first in _CHANGING or name in _CHANGING:
        return Placement.CHANGES
    if first in _WAITING or name in _URGENT:
        return Placement.WAITS
    if first in _SCRIPTS:
        return Placement.SCRIPT
    return Placement.SHARED


def _upper(word: Any) -> str:
    if isinstance(word, str):
        return word.upper()
    return bytes(word).decode("ascii", "replace").upper() if isinstance(word, bytes) else ""


_rules: dict[Any, NameRule] = {}
# A program may use any number of names.
_MAX_RULES = 1000

_SCRIPTS = frozenset({"EVALSHA", "EVALSHA_RO"})
_WAITING = frozenset(
    [
        "BLMOVE",
        "BLMPOP",
        "BLPOP",
        "BRPOP",
        "BRPOPLPUSH",
        "BZMPOP",
        "BZPOPMAX",
        "BZPOPMIN",
        "DEBUG",
        "MIGRATE",
        "WAIT",
        "WAITAOF",
    ]
)
_WAIT_WITH_BLOCK = frozenset({"XREAD", "XREADGROUP"})
# On the shared connection, they would wait for the script that they have to stop.
_URGENT = frozenset({"FUNCTION KILL", "FUNCTION STATS", "SCRIPT KILL"})
_CONTAINERS = frozenset({"FUNCTION", "SCRIPT"})
"""The names whose second word decides."""
_CHANGING = frozenset(
    [
        "ASKING",
        "AUTH",
        "CLIENT",
        "DISCARD",
        "EXEC",
        "FAILOVER",
        "HELLO",
        "HIMPORT",
        "MONITOR",
        "MULTI",
        "PSUBSCRIBE",
        "PSYNC",
        "PUNSUBSCRIBE",
        "QUIT",
        "READONLY",
        "READWRITE",
        "RESET",
        "SELECT",
        "SHUTDOWN",
        "SSUBSCRIBE",
        "SUBSCRIBE",
        "SUNSUBSCRIBE",
        "SYNC",
        "UNSUBSCRIBE",
        "UNWATCH",
        "WATCH",
    ]
) | {"SCRIPT DEBUG"}
_BY_NODES = frozenset(
    [
        "ACL",
        "BGREWRITEAOF",
        "BGSAVE",
        "CLUSTER",
        "COMMAND",
        "CONFIG",
        "DBSIZE",
        "ECHO",
        "FLUSHALL",
        "FLUSHDB",
        "FUNCTION",
        "INFO",
        "KEYS",
        "LASTSAVE",
        "LATENCY",
        "LOLWUT",
        "MEMORY",
        "MGET",
        "MODULE",
        "MSET",
        "MSETEX",
        "MSETNX",
        "PING",
        "PUBLISH",
        "PUBSUB",
        "RANDOMKEY",
        "ROLE",
        "SAVE",
        "SCAN",
        "SCRIPT",
        "SENTINEL",
        "SLOWLOG",
        "SPUBLISH",
        "SWAPDB",
        "TIME",
    ]
)
_READS = frozenset(
    [
        "BITCOUNT",
        "BITFIELD_RO",
        "BITPOS",
        "DBSIZE",
        "DUMP",
        "EVALSHA_RO",
        "EVAL_RO",
        "EXISTS",
        "EXPIRETIME",
        "FCALL_RO",
        "GEODIST",
        "GEOHASH",
        "GEOPOS",
        "GEORADIUSBYMEMBER_RO",
        "GEORADIUS_RO",
        "GEOSEARCH",
        "GET",
        "GETBIT",
        "GETRANGE",
        "HEXISTS",
        "HGET",
        "HGETALL",
        "HKEYS",
        "HLEN",
        "HMGET",
        "HRANDFIELD",
        "HSCAN",
        "HSTRLEN",
        "HVALS",
        "KEYS",
        "LCS",
        "LINDEX",
        "LLEN",
        "LPOS",
        "LRANGE",
        "MGET",
        "PEXPIRETIME",
        "PFCOUNT",
        "PTTL",
        "RANDOMKEY",
        "SCAN",
        "SCARD",
        "SDIFF",
        "SINTER",
        "SINTERCARD",
        "SISMEMBER",
        "SMEMBERS",
        "SMISMEMBER",
        "SORT_RO",
        "SRANDMEMBER",
        "SSCAN",
        "STRLEN",
        "SUBSTR",
        "SUNION",
        "TTL",
        "TYPE",
        "XLEN",
        "XPENDING",
        "XRANGE",
        "XREVRANGE",
        "ZCARD",
        "ZCOUNT",
        "ZDIFF",
        "ZINTER",
        "ZINTERCARD",
        "ZLEXCOUNT",
        "ZMSCORE",
        "ZRANDMEMBER",
        "ZRANGE",
        "ZRANGEBYLEX",
        "ZRANGEBYSCORE",
        "ZRANK",
        "ZREVRANGE",
        "ZREVRANGEBYLEX",
        "ZREVRANGEBYSCORE",
        "ZREVRANK",
        "ZSCAN",
        "ZSCORE",
        "ZUNION",
    ]
)
