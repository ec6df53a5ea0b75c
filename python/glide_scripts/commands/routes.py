"""Routes: the nodes of a cluster that get a request, chosen by the caller."""

from dataclasses import dataclass
from enum import Enum
from typing import TypeAlias

from .. import checks
from ..config.address import MAX_PORT, clean_host, split_host_port
from ..errors import RequestError
from ..public import show_as_public
from ..values import TEncodable

SLOTS = 16384


class SlotType(Enum):
    """The primary or a replica of a slot's shard."""

    PRIMARY = 1
    """The shard's primary."""

    REPLICA = 2
    """A replica of the shard, whatever the configuration's ``read_from`` says."""


class Route:
    """The base of all routes. Use one of its subclasses."""

    __slots__ = ()

    def _target(self) -> tuple[object, ...]:
        raise NotImplementedError(
            f"{type(self).__name__} is not a route by itself; use a subclass such as AllPrimaries()"
        )


@dataclass(frozen=True, slots=True)
class AllNodes(Route):
    """All nodes, including replicas. A command that writes fails on the replicas."""

    def _target(self) -> tuple[object, ...]:
        return ("all_nodes",)


@dataclass(frozen=True, slots=True)
class AllPrimaries(Route):
    """All primaries."""

    def _target(self) -> tuple[object, ...]:
        return ("all_primaries",)


@dataclass(frozen=True, slots=True)
class RandomNode(Route):
    """Any one node. It may be a replica, on which a command that writes fails."""

    def _target(self) -> tuple[object, ...]:
        return ("random",)


@dataclass(frozen=True, slots=True)
class SlotKeyRoute(Route):
    """The shard of a key's slot.

    Args:
        slot_type: The primary or a replica.
        slot_key: The key, which need not exist.

    Raises:
        TypeError: An argument has a wrong type.
    """

    slot_type: SlotType
    slot_key: TEncodable

    def __post_init__(self) -> None:
        checks.member("slot_type", self.slot_type, SlotType)
        checks.encodable("slot_key", self.slot_key)
        if not isinstance(self.slot_key, (str, bytes)):
            object.__setattr__(self, "slot_key", bytes(self.slot_key))

    def _target(self) -> tuple[object, ...]:
        key = self.slot_key.encode() if isinstance(self.slot_key, str) else self.slot_key
        return ("slot_key", key, _role(self.slot_type))


@dataclass(frozen=True, slots=True)
class SlotIdRoute(Route):
    """The shard of a slot.

    Args:
        slot_type: The primary or a replica.
        slot_id: The slot, from 0 to 16383.

    Raises:
        TypeError: An argument has a wrong type.
        RequestError: The slot is out of range.
    """

    slot_type: SlotType
    slot_id: int

    def __post_init__(self) -> None:
        checks.member("slot_type", self.slot_type, SlotType)
        checks.integer("slot_id", self.slot_id)
        if not 0 <= self.slot_id < SLOTS:
            raise RequestError(f"slot_id is {self.slot_id}; pass an int from 0 to {SLOTS - 1}")

    def _target(self) -> tuple[object, ...]:
        return ("slot", self.slot_id, _role(self.slot_type))


@dataclass(frozen=True, slots=True)
class ByAddressRoute(Route):
    """The node with an address, as ``CLUSTER SLOTS`` gives it.

    Args:
        host: The host, or ``host:port`` if ``port`` is None. An IPv6 address is ``::1`` without a
            port, and ``[::1]:6379`` with one.
        port: The port, from 1 to 65535.

    Raises:
        TypeError: An argument has a wrong type.
        RequestError: The port is missing, or the host or port is not valid.
    """

    host: str
    port: int | None = None

    def __post_init__(self) -> None:
        checks.of_type("host", self.host, str, "str")
        checks.optional(checks.integer, "port", self.port)
        try:
            host, port = self._parsed()
        except ValueError as error:
            raise RequestError(f"host is {self.host!r}: {error}") from None
        if not 1 <= port <= MAX_PORT:
            raise RequestError(f"port is {port}; pass an int from 1 to {MAX_PORT}")
        object.__setattr__(self, "host", host)
        object.__setattr__(self, "port", port)

    def _parsed(self) -> tuple[str, int]:
        if self.port is not None:
            return clean_host(self.host), self.port
        host, port = split_host_port(self.host)
        if port is None:
            raise ValueError("no port provided; pass port, or host as 'host:port'")
        return host, port

    def _target(self) -> tuple[object, ...]:
        return ("address", self.host, self.port)


TSingleNodeRoute: TypeAlias = RandomNode | SlotKeyRoute | SlotIdRoute | ByAddressRoute
"""A route to one node."""


def _role(slot_type: SlotType) -> str:
    return "primary" if slot_type is SlotType.PRIMARY else "replica"


show_as_public(globals())
