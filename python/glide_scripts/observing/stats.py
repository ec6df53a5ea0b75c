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
    """Connections made."""

    reconnects: int
    """Lost connections, which were reconnected."""

    requests: int
    """Requests written, including the client's own; each command of a batch counts."""

    errors: int
    """Error replies, including those that the client handled itself."""

    in_flight: int
    """Requests in flight; a batch counts as one."""

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
    """Finished calls; each command of a batch counts as one."""

    errors: dict[str, int]
    """The number of failed calls by error class, such as ``"TimeoutError"``."""

    evalsha_hits: int
    """Script calls for which the server had the script."""

    evalsha_misses: int
    """Script calls for which the code was sent."""

    taught: int
    """Different scripts loaded on the servers."""

    answered_from_records: int
    """Calls with ``once`` that got the reply, or the error, of an earlier call of their id."""

    redirects: int
    """Redirects from a cluster's nodes."""

    reconnects: int
    """Lost connections, which were reconnected."""

    in_flight: int
    """Requests in flight; a batch counts as one."""

    pending_bytes: int
    """Bytes that wait to be written."""

    bytes_sent: int
    bytes_received: int
    latency: Latency
    """Over all servers."""

    nodes: dict[str, NodeStats]
    """The counters per server, by ``"host:port"``. Removed servers count only in the totals."""

    @classmethod
    def _of(cls, counts: Mapping[str, Any]) -> Self:
        nodes = {name: NodeStats._of(node) for name, node in counts["nodes"].items()}
        return cls(**{**counts, "latency": Latency(**counts["latency"]), "nodes": nodes})


show_as_public(globals())
