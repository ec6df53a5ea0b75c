"""Commands about the server itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import Enum

from .. import checks
from ..public import show_as_public
from ..values import TOK, TEncodable
from . import replies
from .arguments import K, flattened, one_or_more
from .command import Command
from .flush_mode import FlushMode, flush_words
from .routing import all_nodes, all_primaries, any_node, routed


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
    """The default sections."""

    EVERYTHING = "everything"
    """All sections, with those that modules add."""


@routed("PING", all_primaries("all"))
def ping(message: TEncodable | None = None) -> Command[bytes]:
    """Ping the server.

    See https://valkey.io/commands/ping/.

    Args:
        message: The expected answer; None means ``PONG``.

    Returns:
        The message, or ``b"PONG"``.

    Raises:
        TypeError: ``message`` is not str or bytes.
    """
    return Command(["PING"] if message is None else ["PING", checks.encodable("message", message)])


@routed("ECHO", any_node)
def echo(message: TEncodable) -> Command[bytes]:
    """Return a message as the server sends it back.

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
    """Return information about the server.

    See https://valkey.io/commands/info/.

    Args:
        sections: The sections; None or an empty list means the default ones. More than one needs
            Redis 7.

    Returns:
        Lines of text: ``# Section`` and ``name:value``.

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
    """Return the server's time.

    See https://valkey.io/commands/time/.

    Returns:
        Two numbers as bytes: the seconds since 1970, and the microseconds of the current second.
    """
    return Command(["TIME"])


@routed("DBSIZE", all_primaries("sum"))
def dbsize() -> Command[int]:
    """Count the keys of the database.

    See https://valkey.io/commands/dbsize/.

    Returns:
        The number of keys.
    """
    return Command(["DBSIZE"])


@routed("CONFIG GET", any_node)
def config_get(parameters: Sequence[TEncodable]) -> Command[dict[bytes, bytes]]:
    """Return settings of the server.

    See https://valkey.io/commands/config-get/.

    Args:
        parameters: Names or patterns such as ``"max*"``, at least one. More than one needs Redis 7.

    Returns:
        A dict from the name to the value of each matching setting.

    Raises:
        TypeError: ``parameters`` is not a list of str or bytes.
        ValueError: ``parameters`` is empty.
    """
    return Command(["CONFIG", "GET", *one_or_more("parameters", parameters)], replies.to_dict)


@routed("CONFIG SET", all_nodes("all"))
def config_set(parameters_map: Mapping[K, TEncodable]) -> Command[TOK]:
    """Change settings of the server.

    See https://valkey.io/commands/config-set/.

    Args:
        parameters_map: A dict from name to value, with at least one item. More than one needs Redis
            7.

    Returns:
        ``OK``.

    Raises:
        TypeError: ``parameters_map`` is not a dict of str or bytes.
        ValueError: ``parameters_map`` is empty.
        RequestError: A setting does not exist, or its value is wrong. No setting was changed.
    """
    return Command(["CONFIG", "SET", *flattened("parameters_map", parameters_map)])


@routed("FLUSHALL", all_primaries("all"))
def flushall(flush_mode: FlushMode | None = None) -> Command[TOK]:
    """Delete all keys of all databases.

    See https://valkey.io/commands/flushall/.

    Args:
        flush_mode: Whether the server frees the memory before it answers; None means the server's
            setting.

    Returns:
        ``OK``.

    Raises:
        TypeError: ``flush_mode`` is not a ``FlushMode``.
    """
    return Command(["FLUSHALL", *flush_words("flush_mode", flush_mode)])


@routed("FLUSHDB", all_primaries("all"))
def flushdb(flush_mode: FlushMode | None = None) -> Command[TOK]:
    """Delete all keys of the database.

    See https://valkey.io/commands/flushdb/.

    Args:
        flush_mode: Whether the server frees the memory before it answers; None means the server's
            setting.

    Returns:
        ``OK``.

    Raises:
        TypeError: ``flush_mode`` is not a ``FlushMode``.
    """
    return Command(["FLUSHDB", *flush_words("flush_mode", flush_mode)])


@routed("RANDOMKEY", any_node)
def random_key() -> Command[bytes | None]:
    """Return a random key of the database.

    See https://valkey.io/commands/randomkey/.

    Returns:
        The key, or None if there are no keys.
    """
    return Command(["RANDOMKEY"], read_only=True)


@routed("CLIENT ID", any_node)
def client_id() -> Command[int]:
    """Return the number that the server has given to the connection.

    See https://valkey.io/commands/client-id/.

    Returns:
        The number. It changes when the client connects again.
    """
    return Command(["CLIENT", "ID"])


@routed("CLIENT GETNAME", any_node)
def client_getname() -> Command[bytes | None]:
    """Return the name of the connection, which ``client_name`` sets in the configuration.

    See https://valkey.io/commands/client-getname/.

    Returns:
        The name, or None if it has none.
    """
    return Command(["CLIENT", "GETNAME"])


@routed("CONFIG RESETSTAT", all_nodes("all"))
def config_resetstat() -> Command[TOK]:
    """Set the server's counters in ``info`` to zero.

    See https://valkey.io/commands/config-resetstat/.

    Returns:
        ``OK``.
    """
    return Command(["CONFIG", "RESETSTAT"])


@routed("CONFIG REWRITE", all_nodes("all"))
def config_rewrite() -> Command[TOK]:
    """Write the server's settings to its configuration file.

    See https://valkey.io/commands/config-rewrite/.

    Returns:
        ``OK``.

    Raises:
        RequestError: The server was started without a file, or cannot write it.
    """
    return Command(["CONFIG", "REWRITE"])


@routed("LASTSAVE", any_node)
def lastsave() -> Command[int]:
    """Return when the server last saved its data.

    See https://valkey.io/commands/lastsave/.

    Returns:
        The time in seconds since 1970.
    """
    return Command(["LASTSAVE"])


@routed("LOLWUT", any_node)
def lolwut(version: int | None = None, parameters: Sequence[int] | None = None) -> Command[bytes]:
    """Return the server's version below a drawing.

    See https://valkey.io/commands/lolwut/.

    Args:
        version: The version of the drawing; None means that of the server.
        parameters: What the drawing depends on; None means its defaults.

    Returns:
        The drawing, as text.

    Raises:
        TypeError: ``version`` is not an int, or ``parameters`` is not a list of those.
        ValueError: A number has more than 64 bits.
    """
    words: list[TEncodable] = ["LOLWUT"]
    if version is not None:
        words += ["VERSION", checks.integer("version", version)]
    if parameters is not None:
        checks.sequence("parameters", parameters, "int")
        words += [
            checks.integer(f"parameters[{index}]", each) for index, each in enumerate(parameters)
        ]
    return Command(words)


@routed("PUBLISH", any_node)
def publish(message: TEncodable, channel: TEncodable) -> Command[int]:
    """Publish a message to a channel.

    See https://valkey.io/commands/publish/.

    Args:
        message: The message.
        channel: The channel.

    Returns:
        The number of clients that received it; in a cluster, of those on the same node.

    Raises:
        TypeError: ``message`` or ``channel`` is not str or bytes.
    """
    words = [checks.encodable("channel", channel), checks.encodable("message", message)]
    return Command(["PUBLISH", *words])


def publish_in_cluster(
    message: TEncodable, channel: TEncodable, sharded: bool = False
) -> Command[int]:
    """Publish a message to a channel, of the whole cluster or of a shard."""
    command = publish(message, channel)
    if checks.flag("sharded", sharded):
        command.words[0] = "SPUBLISH"
    return command


show_as_public(globals())
