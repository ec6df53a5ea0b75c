"""GLIDE's settings that have no counterpart here: they are taken as long as they say nothing."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import Enum, IntEnum
from typing import Any

from ..public import show_as_public


class NodeDiscoveryMode(Enum):
    """How a client learns the roles of servers. Of GLIDE's modes, only ``STANDARD`` is here."""

    STANDARD = 0
    """The client asks the servers in ``addresses`` for their roles."""

    STATIC = 1
    """GLIDE's client takes the first address for the primary; a ``ConfigurationError`` here."""

    DISCOVER_ALL = 2
    """GLIDE's client asks the servers for further ones; a ``ConfigurationError`` here."""


class PubSubChannelModes(IntEnum):
    """How a channel of ``PubSubSubscriptions`` is meant."""

    Exact = 0
    Pattern = 1


class ClusterPubSubChannelModes(IntEnum):
    """The same in a cluster."""

    Exact = 0
    Pattern = 1
    Sharded = 2


class PubSubSubscriptions:
    """What GLIDE's client subscribes to. A configuration refuses it here, and says so."""

    def __init__(
        self,
        channels_and_patterns: Mapping[Any, set[str]],
        callback: Callable[[Any, Any], None] | None,
        context: Any,
    ) -> None:
        self.channels_and_patterns = channels_and_patterns
        self.callback = callback
        self.context = context


INSTEAD = {
    "pubsub_subscriptions": "there is no publish and subscribe here; subscribe with another client",
    "pubsub_reconciliation_interval": "there is no publish and subscribe here",
    "compression": "values are not compressed here; compress them in the program",
    "client_side_cache": "there is no client-side cache here",
    "address_resolver": "pass address_map, a function that gets and returns a NodeAddress",
    "client_circuit_breaker": "there is no circuit breaker here; limit calls with request_timeout "
    "and inflight_requests_limit",
    "lib_name": "servers get this library's own name; pass client_name to tell clients apart",
    "client_info_tag": "servers get this library's own name; pass client_name to tell clients "
    "apart",
    "read_only": "every client may write here; pass read_from=ReadFrom.PREFER_REPLICA to read from "
    "replicas",
    "node_discovery_mode": "the client always asks the servers for their roles",
    "recovery_requests_queue_size": "pass pending_bytes_limit in advanced_config to limit what "
    "waits",
    "iam_config": "pass password_callback, a function that returns a token",
}


def check_unsupported(given: Mapping[str, Any]) -> None:
    """Check that settings which are not here say nothing.

    Raises:
        ValueError: One of them says something.
    """
    for name, value in given.items():
        if value is not None and value is not False and value is not NodeDiscoveryMode.STANDARD:
            raise ValueError(
                f"{name} is set, and glide_scripts does not have it; leave it out: {INSTEAD[name]}"
            )


show_as_public(globals())
