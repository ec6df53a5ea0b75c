"""Where a cluster client sends each command, and what it makes of several nodes' replies.

The defaults are those of Valkey GLIDE's cluster client. A command that is not listed goes by its
first argument, as its key; if that is none, the node that gets it redirects or simply answers.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from . import _check
from ._commands import Command
from ._reply import TEncodable
from ._routes import AllNodes, AllPrimaries, Route

Gather = Literal["all", "one", "sum", "and", "in_order", "by_node", "joined", "least"]


@dataclass(frozen=True, slots=True)
class Plan:
    """Where a command goes."""

    route: Route | None = None
    """Its node or nodes; None: by its keys, or to any primary if it has none."""

    gather: Gather = "by_node"
    """What several replies make together."""

    keys: tuple[int, int] | None = None
    """Which of its words are keys, as a range."""

    step: int | None = None
    """Its words come in groups of so many, each with a key; the keys may be in several slots."""


_ANY = Plan()
_PRIMARIES = Plan(AllPrimaries(), "all")
_NODES = Plan(AllNodes(), "all")

# By the command's name, with its subcommand where it has one.
_PLANS: dict[str, Plan] = {
    "BGREWRITEAOF": _NODES,
    "BGSAVE": _NODES,
    "SAVE": _NODES,
    "KEYS": Plan(AllPrimaries(), "joined"),
    "WAIT": Plan(AllPrimaries(), "least"),
    "LOLWUT": _ANY,
    "PUBLISH": _ANY,
    "ROLE": _ANY,
    "SCAN": _ANY,
    "SWAPDB": _ANY,
    "PING": _PRIMARIES,
    "ECHO": _ANY,
    "TIME": _ANY,
    "LASTSAVE": _ANY,
    "RANDOMKEY": _ANY,
    "INFO": Plan(AllPrimaries(), "by_node"),
    "DBSIZE": Plan(AllPrimaries(), "sum"),
    "FLUSHALL": _PRIMARIES,
    "FLUSHDB": _PRIMARIES,
    "CONFIG GET": _ANY,
    "CONFIG SET": _NODES,
    "CONFIG RESETSTAT": _NODES,
    "CONFIG REWRITE": _NODES,
    "SCRIPT LOAD": _PRIMARIES,
    "SCRIPT EXISTS": Plan(AllPrimaries(), "and"),
    "SCRIPT FLUSH": _NODES,
    "SCRIPT KILL": Plan(AllNodes(), "one"),
    "SCRIPT SHOW": _ANY,
    "FUNCTION LOAD": _PRIMARIES,
    "FUNCTION DELETE": _PRIMARIES,
    "FUNCTION FLUSH": _PRIMARIES,
    "FUNCTION RESTORE": _PRIMARIES,
    "FUNCTION KILL": Plan(AllNodes(), "one"),
    "FUNCTION STATS": Plan(AllNodes(), "by_node"),
    "FUNCTION LIST": _ANY,
    "FUNCTION DUMP": _ANY,
}

# Commands whose second word is a subcommand that decides; without an entry above they go anywhere.
_CONTAINERS = frozenset(
    {
        "ACL",
        "CLIENT",
        "CLUSTER",
        "COMMAND",
        "CONFIG",
        "FUNCTION",
        "LATENCY",
        "MODULE",
        "PUBSUB",
        "SCRIPT",
        "SLOWLOG",
    }
)

# Commands whose key comes after a subcommand.
_KEY_AFTER_SUBCOMMAND = frozenset(["MEMORY", "OBJECT", "XGROUP", "XINFO"])

# Commands one of whose words is the number of the keys after it: which word.
_NUMBERED: dict[str, int] = {
    **dict.fromkeys(["LMPOP", "SINTERCARD", "ZDIFF", "ZINTER", "ZINTERCARD", "ZMPOP", "ZUNION"], 1),
    **dict.fromkeys(["BLMPOP", "BZMPOP", "ZDIFFSTORE", "ZINTERSTORE", "ZUNIONSTORE"], 2),
    **dict.fromkeys(["EVAL", "EVAL_RO", "EVALSHA", "EVALSHA_RO", "FCALL", "FCALL_RO"], 2),
}

# Commands whose keys are other words than the first after the name: from which word to which, as in
# a slice, so that -1 leaves the last one out.
_RANGES: dict[str, tuple[int, int | None]] = {
    **dict.fromkeys(["BLMOVE", "BRPOPLPUSH", "COPY", "GEOSEARCHSTORE", "LCS", "LMOVE"], (1, 3)),
    **dict.fromkeys(["RENAME", "RENAMENX", "RPOPLPUSH", "SMOVE", "ZRANGESTORE"], (1, 3)),
    **dict.fromkeys(["PFCOUNT", "PFMERGE", "SDIFF", "SDIFFSTORE", "SINTER"], (1, None)),
    **dict.fromkeys(["SINTERSTORE", "SSUBSCRIBE", "SUNION", "SUNIONSTORE"], (1, None)),
    **dict.fromkeys(["BLPOP", "BRPOP", "BZPOPMAX", "BZPOPMIN"], (1, -1)),
    "BITOP": (2, None),
}

# Commands whose keys are the first half of what comes after STREAMS.
_STREAMS = frozenset(["XREAD", "XREADGROUP"])

# Commands on any number of keys, each by itself: words in a group, and what the replies make.
_PER_KEY: dict[str, tuple[int, Gather]] = {
    "MGET": (1, "in_order"),
    "MSET": (2, "all"),
    "DEL": (1, "sum"),
    "UNLINK": (1, "sum"),
    "EXISTS": (1, "sum"),
    "TOUCH": (1, "sum"),
}


def directions(words: Sequence[TEncodable], route: Route | None) -> dict[str, Any]:
    """What the core is told of a command's way: by a route, or else by the command's plan."""
    default = plan(words)
    return {
        "keys": default.keys,
        "step": default.step,
        "route": target(route or default.route),
        "gather": default.gather,
    }


def decoder(command: Command[Any], route: Route | None) -> Callable[[Any], Any] | None:
    """What decodes the reply to a command that went by ``directions``."""
    if command.decode is None:
        return None
    default = plan(command.words)
    several = isinstance(route or default.route, (AllNodes, AllPrimaries))
    return Each(command.decode) if several and default.gather == "by_node" else command.decode


@dataclass(frozen=True, slots=True)
class Each:
    """Decodes several nodes' replies one by one."""

    decode: Callable[[Any], Any]
    """What decodes one node's reply."""

    def __call__(self, replies: dict[bytes, Any]) -> dict[bytes, Any]:
        return {node: self.decode(reply) for node, reply in replies.items()}


def target(route: Route | None) -> tuple[object, ...] | None:
    """A route as the core takes it.

    Raises:
        TypeError: It is not a route.
    """
    if route is None:
        return None
    if not isinstance(route, Route):
        raise _check.wrong_type("route", route, "a Route, such as AllPrimaries()")
    return route._target()


def plan(words: Sequence[TEncodable]) -> Plan:
    """Where a command goes that says nothing of it.

    Args:
        words: The command's name and its arguments, at least one.
    """
    name = _upper(words[0])
    if name in _PER_KEY:
        step, gather = _PER_KEY[name]
        # Without a key, or with half a pair, the server's own error is the better one.
        whole = len(words) > 1 and (len(words) - 1) % step == 0
        return Plan(None, gather, (1, len(words)), step) if whole else _ANY
    if name in _NUMBERED:
        return _numbered(words, _NUMBERED[name])
    if name in _RANGES:
        first, last, _ = slice(*_RANGES[name]).indices(len(words))
        return Plan(keys=(first, last)) if first < last else _ANY
    if name in _STREAMS:
        return _streams(words)
    if name in _CONTAINERS:
        return _PLANS.get(f"{name} {_upper(words[1])}", _ANY) if len(words) > 1 else _ANY
    known = _PLANS.get(name)
    if known is not None:
        return known
    at = 2 if name in _KEY_AFTER_SUBCOMMAND else 1
    return Plan(keys=(at, at + 1)) if len(words) > at else _ANY


def _numbered(words: Sequence[TEncodable], at: int) -> Plan:
    try:
        count = int(_upper(words[at]))
    except (IndexError, ValueError):
        return _ANY
    first = at + 1
    return Plan(keys=(first, min(first + count, len(words)))) if count > 0 else _ANY


def _streams(words: Sequence[TEncodable]) -> Plan:
    for index, word in enumerate(words):
        if _upper(word) == "STREAMS":
            first = index + 1
            last = first + (len(words) - first) // 2
            return Plan(keys=(first, last)) if first < last else _ANY
    return _ANY


def _upper(word: TEncodable) -> str:
    text = word if isinstance(word, str) else bytes(word).decode("ascii", "replace")
    return text.upper()
