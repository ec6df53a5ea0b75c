"""GLIDE's settings that are not here: taken with their defaults, and refused otherwise."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from glide_scripts import (
    AdvancedGlideClientConfiguration,
    AdvancedGlideClusterClientConfiguration,
    ConfigurationError,
    GlideClientConfiguration,
    GlideClusterClientConfiguration,
    NodeAddress,
    NodeDiscoveryMode,
    ServerCredentials,
)
from glide_scripts.config.settings import DEFAULT_REQUEST_TIMEOUT_MS

OF_BOTH = (
    "pubsub_subscriptions",
    "compression",
    "client_side_cache",
    "address_resolver",
    "client_circuit_breaker",
    "lib_name",
    "client_info_tag",
)


def standalone(**settings: Any) -> GlideClientConfiguration:
    return GlideClientConfiguration([NodeAddress()], **settings)


def cluster(**settings: Any) -> GlideClusterClientConfiguration:
    return GlideClusterClientConfiguration([NodeAddress()], **settings)


def credentials(**settings: Any) -> ServerCredentials:
    return ServerCredentials("password", "user", **settings)


ABSENT: list[tuple[Callable[..., Any], str, Any]] = [
    *((make, name, None) for name in OF_BOTH for make in (standalone, cluster)),
    (standalone, "read_only", False),
    (standalone, "node_discovery_mode", NodeDiscoveryMode.STANDARD),
    (cluster, "recovery_requests_queue_size", None),
    (AdvancedGlideClientConfiguration, "pubsub_reconciliation_interval", None),
    (AdvancedGlideClusterClientConfiguration, "pubsub_reconciliation_interval", None),
    (credentials, "iam_config", None),
]


@pytest.mark.parametrize(("make", "name", "default"), ABSENT)
def test_a_setting_that_is_not_here_may_have_its_default(
    make: Callable[..., Any], name: str, default: Any
) -> None:
    made = make(**{name: default})
    assert made == make()
    assert name not in repr(made)


@pytest.mark.parametrize(("make", "name", "default"), ABSENT)
@pytest.mark.parametrize("value", [True, 5, "x"], ids=repr)
def test_anything_else_is_refused_by_name_with_what_to_do(
    make: Callable[..., Any], name: str, default: Any, value: Any
) -> None:
    with pytest.raises(ConfigurationError) as caught:
        make(**{name: value})
    text = str(caught.value)
    assert text.startswith(f"{name} is set, and glide_scripts does not have it; leave it out: ")


def test_all_of_them_go_together_as_a_program_for_glide_writes_them() -> None:
    config = standalone(
        **dict.fromkeys(OF_BOTH),
        read_only=False,
        node_discovery_mode=NodeDiscoveryMode.STANDARD,
        advanced_config=AdvancedGlideClientConfiguration(pubsub_reconciliation_interval=None),
        credentials=ServerCredentials(password="password", username="user", iam_config=None),
    )
    assert config._settings()["request_timeout_ms"] == DEFAULT_REQUEST_TIMEOUT_MS


@pytest.mark.parametrize("make", [standalone, cluster])
def test_subscriptions_can_be_written_and_are_refused(make: Callable[..., Any]) -> None:
    kind = type(make())
    modes = kind.PubSubChannelModes
    subscriptions = kind.PubSubSubscriptions({modes.Exact: {"news"}}, None, None)
    assert subscriptions.channels_and_patterns[modes.Exact] == {"news"}
    assert ("Sharded" in modes.__members__) is (make is cluster)
    with pytest.raises(ConfigurationError, match=r"pubsub_subscriptions is set.*another client"):
        make(pubsub_subscriptions=subscriptions)
