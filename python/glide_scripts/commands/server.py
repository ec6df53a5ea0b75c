"""Commands about the server itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import Enum
from typing import TypeVar

from .. import checks
from ..public import show_as_public
from ..values import TOK, TEncodable
from . import replies
from .arguments import flattened, one_or_more
from .command import Command
from .flush_mode import FlushMode, flush_words
from .routing import all_nodes, all_primaries, any_node, routed

# A mapping's key type is invariant: Mapping[TEncodable, …] would not take a dict[str, str].
K = TypeVar("K", bound=TEncodable)


class InfoSection(Enum):
    """A section of ``info``."""

    SERVER = "server"
    """General information about the server."""

    CLIENTS = "clients"
    """The connections of clients."""

    MEMORY = "memory"
    """What memory is used for."""

    PERSISTENCE = "persistence"
    """RDB and AOF."""

    STATS = "stats"
    """General counters."""

    REPLICATION = "replication"
    """The server's role, its primary and its replicas."""

    CPU = "cpu"
    """CPU time used."""

    COMMAND_STATS = "commandstats"
    """Counters of each command."""

    LATENCY_STATS = "latencystats"
    """Percentiles of each command's latency."""

    SENTINEL = "sentinel"
    """Sentinel; only of a Sentinel."""

    CLUSTER = "cluster"
    """The cluster."""

    MODULES = "modules"
    """The modules loaded."""

    KEYSPACE = "keyspace"
    """The keys of each database."""

    ERROR_STATS = "errorstats"
    """Counters of each kind of error."""

    ALL = "all"
    """All sections but those that modules add."""

    DEFAULT = "default"
    """The sections that come if none is named."""

    EVERYTHING = "everything"
    """All sections, with those that modules add."""


@routed("PING", all_primaries("all"))
def ping(message: TEncodable | None = None) -> Command[bytes]:
    """Asks the server for a sign of life.

    See https://valkey.io/commands/ping/.

    Args:
        message: What to answer; None means ``PONG``.

    Returns:
        The message, or ``b"PONG"``.

    Raises:
        TypeError: ``message`` is not str or bytes.
    """
    return Command(["PING"] if message is None else ["PING", checks.encodable("message", message)])


@routed("ECHO", any_node)
def echo(message: TEncodable) -> Command[bytes]:
    """Asks the server to answer with a message.

    See https://valkey.io/commands/echo/.

    Args:
        message: The message.

    Returns:
        The message.

    Raises:
        TypeError: ``message`` is not str or bytes.
    """
    return Command(["ECHO", checks.encodable("message", message)])


@routed("INFO", all_primaries("by_node"))
def info(sections: Sequence[InfoSection] | None = None) -> Command[bytes]:
    """Gets facts and figures about the server.

    See https://valkey.io/commands/info/.

    Args:
        sections: The sections to get; None or an empty list means the default ones. More than one
            needs Redis 7.

    Returns:
        Text in lines: ``# Section`` and ``name:value``.

    Raises:
        TypeError: ``sections`` is not a list of ``InfoSection``.
    """
    words: list[TEncodable] = ["INFO"]
    if sections is not None:
        checks.sequence("sections", sections, "InfoSection")
        for index, section in enumerate(sections):
            words.append(checks.member(f"sections[{index}]", section, InfoSection).value)
    return Command(words)


@routed("TIME", any_node)
def time() -> Command[list[bytes]]:
    """Gets the server's time.

    See https://valkey.io/commands/time/.

    Returns:
        Two numbers as text: the seconds since 1970, and the microseconds of the current second.
    """
    return Command(["TIME"])


@routed("DBSIZE", all_primaries("sum"))
def dbsize() -> Command[int]:
    """Counts the keys of the database.

    See https://valkey.io/commands/dbsize/.

    Returns:
        The number of keys.
    """
    return Command(["DBSIZE"])


@routed("CONFIG GET", any_node)
def config_get(parameters: Sequence[TEncodable]) -> Command[dict[bytes, bytes]]:
    """Gets parameters of the server.

    See https://valkey.io/commands/config-get/.

    Args:
        parameters: Names or patterns such as ``"max*"``, at least one. More than one needs Redis 7.

    Returns:
        The values by name, of all parameters that match.

    Raises:
        TypeError: ``parameters`` is not a list of str or bytes.
        ValueError: ``parameters`` is empty.
    """
    return Command(["CONFIG", "GET", *one_or_more("parameters", parameters)], replies.to_dict)


@routed("CONFIG SET", all_nodes("all"))
def config_set(parameters_map: Mapping[K, TEncodable]) -> Command[TOK]:
    """Sets parameters of the server.

    See https://valkey.io/commands/config-set/.

    Args:
        parameters_map: The values by name, at least one. More than one needs Redis 7.

    Returns:
        ``OK``.

    Raises:
        TypeError: ``parameters_map`` is not a dict of str or bytes.
        ValueError: ``parameters_map`` is empty.
        RequestError: There is no such parameter, or it does not take the value; none was set.
    """
    return Command(["CONFIG", "SET", *flattened("parameters_map", parameters_map)])


@routed("FLUSHALL", all_primaries("all"))
def flushall(flush_mode: FlushMode | None = None) -> Command[TOK]:
    """Deletes all keys of all databases.

    See https://valkey.io/commands/flushall/.

    Args:
        flush_mode: Whether to free the memory before answering; None means as the server is set.

    Returns:
        ``OK``.

    Raises:
        TypeError: ``flush_mode`` is not a ``FlushMode``.
    """
    return Command(["FLUSHALL", *flush_words("flush_mode", flush_mode)])


show_as_public(globals())
