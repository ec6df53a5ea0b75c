"""A client's counters."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from ..public import show_as_public


@dataclass(frozen=True, slots=True)
class Latency:
    """The time from writing a request to its reply, in microseconds.

    Percentiles are exact to 1 %.
    """

    count: int
    mean: float
    p50: int
    p90: int
    p99: int
    p999: int
    max: int


@dataclass(frozen=True, slots=True)
class NodeStats:
    """The counters of one server, over all its connections."""

    connects: int
    """Connections that were made."""

    reconnects: int
    """Connections that were lost, and are made anew."""

    requests: int
    """Requests that were written; of a batch one a command, and the client's own."""

    errors: int
    """Error replies, also those that the client dealt with itself."""

    in_flight: int
    """Requests that were written and have no reply yet; a batch counts as one."""

    bytes_sent: int
    bytes_received: int
    latency: Latency

    @classmethod
    def _of(cls, counts: Mapping[str, Any]) -> Self:
        return cls(**{**counts, "latency": Latency(**counts["latency"])})


@dataclass(frozen=True, slots=True)
class Stats:
    """A client's counters since it was created: a copy that does not change."""

    calls: int
    """Calls that ended, in a value or an error; each command of a batch is one."""

    errors: dict[str, int]
    """How many of them ended in an error, by the name of its class, such as ``"TimeoutError"``."""

    evalsha_hits: int
    """Scripts that a server had."""

    evalsha_misses: int
    """Scripts that a server did not have, so that their code was sent."""

    taught: int
    """Different scripts that were put on the servers for good."""

    redirects: int
    """Redirects that a cluster's nodes gave."""

    reconnects: int
    """Connections that were lost, and are made anew."""

    in_flight: int
    """Requests that were written and have no reply yet; a batch counts as one."""

    pending_bytes: int
    """Bytes that wait to be written because a server does not take them, or not yet."""

    bytes_sent: int
    bytes_received: int
    latency: Latency
    """Over all servers."""

    nodes: dict[str, NodeStats]
    """By server, ``"host:port"``; of those that are gone, only the totals above tell."""

    @classmethod
    def _of(cls, counts: Mapping[str, Any]) -> Self:
        nodes = {name: NodeStats._of(node) for name, node in counts["nodes"].items()}
        return cls(**{**counts, "latency": Latency(**counts["latency"]), "nodes": nodes})


show_as_public(globals())
