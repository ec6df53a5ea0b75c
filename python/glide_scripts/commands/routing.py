"""Where each command goes in a cluster, and how the replies of several nodes are combined.

The function that defines a command declares it with ``routed``. Commands without a method are
listed at the end of this module. The rules are those of Valkey GLIDE's cluster client. A command
without a rule goes by its first argument, taken as its key. If that is not a key, the node either
redirects the command or answers it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal, ParamSpec, TypeAlias, TypeVar

from ..values import TEncodable

P = ParamSpec("P")
T = TypeVar("T")

Gather = Literal["all", "one", "sum", "and", "in_order", "by_node", "joined", "least"]
Words: TypeAlias = Sequence[TEncodable]


class Plan:
    """Where a command goes.

    Not a dataclass: creating one takes longer than importing the rest of this module.
    """

    __slots__ = ("gather", "keys", "step", "to")

    def __init__(
        self,
        *,
        to: str | None = None,
        gather: Gather = "by_node",
        keys: tuple[int, int] | None = None,
        step: int | None = None,
    ) -> None:
        self.to = to
        """``"all_nodes"`` or ``"all_primaries"``; None: by its keys, or any primary."""
        self.gather: Gather = gather
        """What several replies make together."""
        self.keys = keys
        """Which of its words are keys, as a range."""
        self.step = step
        """Its words come in groups of so many, each with a key; the keys may be in several slots.
        """


Rule: TypeAlias = Callable[[Words], Plan]
"""Tells from a command's words where it goes."""

# By the command's name, with its subcommand where it has one.
_RULES: dict[str, Rule] = {}

_ANY = Plan()


def routed(name: str, rule: Rule) -> Callable[[Callable[P, T]], Callable[P, T]]:
    """Decorate the definition of a command with the rule for where it goes.

    Args:
        name: The command's name, with its subcommand if it has one.
        rule: The rule.
    """
    _RULES[name] = rule
    return lambda definition: definition


# Rules


def any_node(words: Words) -> Plan:
    """To any primary."""
    return _ANY


def all_nodes(gather: Gather) -> Rule:
    """To every node, including replicas."""
    plan = Plan(to="all_nodes", gather=gather)
    return lambda words: plan


def all_primaries(gather: Gather) -> Rule:
    """To every primary."""
    plan = Plan(to="all_primaries", gather=gather)
    return lambda words: plan


def per_key(step: int, gather: Gather) -> Rule:
    """On any number of independent keys: groups of so many words, each with one key."""

    def rule(words: Words) -> Plan:
        # Without a key, or with half a pair, the server's own error is the better one.
        whole = len(words) > 1 and (len(words) - 1) % step == 0
        return Plan(gather=gather, keys=(1, len(words)), step=step) if whole else _ANY

    return rule


def counted_keys(at: int) -> Rule:
    """By keys that follow their number."""

    def rule(words: Words) -> Plan:
        try:
            count = int(_upper(words[at]))
        except (IndexError, ValueError):
            return _ANY
        first = at + 1
        return Plan(keys=(first, min(first + count, len(words)))) if count > 0 else _ANY

    return rule


def keys_from(first: int, to: int | None) -> Rule:
    """By a slice of the words as keys; -1 excludes the last word."""

    def rule(words: Words) -> Plan:
        start, stop, _ = slice(first, to).indices(len(words))
        return Plan(keys=(start, stop)) if start < stop else _ANY

    return rule


def streams(words: Words) -> Plan:
    """By keys that are the first half of the words after STREAMS."""
    for index, word in enumerate(words):
        if _upper(word) == "STREAMS":
            first = index + 1
            last = first + (len(words) - first) // 2
            return Plan(keys=(first, last)) if first < last else _ANY
    return _ANY


def one_key(at: int) -> Rule:
    """By a single word as the key."""
    return lambda words: Plan(keys=(at, at + 1)) if len(words) > at else _ANY


def plan(words: Words) -> Plan:
    """Return where a command without a rule of its own goes.

    Args:
        words: The command's name and its arguments, at least one.
    """
    name = _upper(words[0])
    if name in _CONTAINERS:
        if len(words) == 1:
            return _ANY
        rule = _RULES.get(f"{name} {_upper(words[1])}", any_node)
    else:
        rule = _RULES.get(name, _FIRST_WORD)
    return rule(words)


def _upper(word: TEncodable) -> str:
    text = word if isinstance(word, str) else bytes(word).decode("ascii", "replace")
    return text.upper()


# Commands without a method

_FIRST_WORD = one_key(1)

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

for _rule, _names in (
    (any_node, "ROLE SWAPDB"),
    (all_nodes("all"), "BGREWRITEAOF BGSAVE SAVE"),
    (all_primaries("joined"), "KEYS"),
    (all_primaries("least"), "WAIT WAITAOF"),
    (counted_keys(1), "LMPOP SINTERCARD ZDIFF ZINTER ZINTERCARD ZMPOP ZUNION"),
    (counted_keys(2), "BLMPOP BZMPOP ZDIFFSTORE ZINTERSTORE ZUNIONSTORE"),
    (keys_from(1, 3), "BLMOVE BRPOPLPUSH GEOSEARCHSTORE LCS LMOVE"),
    (keys_from(1, 3), "RPOPLPUSH SMOVE ZRANGESTORE"),
    (keys_from(1, None), "PFCOUNT PFMERGE SDIFF SDIFFSTORE SINTER"),
    (keys_from(1, None), "SINTERSTORE SSUBSCRIBE SUNION SUNIONSTORE"),
    (keys_from(1, -1), "BLPOP BRPOP BZPOPMAX BZPOPMIN"),
    (keys_from(2, None), "BITOP"),
    (streams, "XREAD XREADGROUP"),
    (one_key(2), "MEMORY MSETEX OBJECT XGROUP XINFO"),
):
    _RULES.update(dict.fromkeys(_names.split(), _rule))
