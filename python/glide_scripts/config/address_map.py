"""Where to connect to servers whose own addresses cannot be reached from here."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import TypeAlias

from ..checks import wrong_type
from .address import split_host_port
from .node_address import NodeAddress

Target: TypeAlias = NodeAddress | str | None
"""Where to connect; None: where the server says that it is."""

# For a mapping's keys, type checkers want the exact type.
AddressMap: TypeAlias = (
    Mapping[NodeAddress, NodeAddress | str]
    | Mapping[str, NodeAddress | str]
    | Mapping[NodeAddress | str, NodeAddress | str]
    | Callable[[NodeAddress], Target | Awaitable[Target]]
)
"""From the address that servers name to the address to connect to."""


def checked_address_map(address_map: AddressMap) -> AddressMap:
    """A mapping as a dict of ``NodeAddress``, or the function as it is.

    Raises:
        TypeError, ValueError: It is neither, or holds something that is no address.
    """
    if not isinstance(address_map, Mapping):
        if callable(address_map):
            return address_map
        raise wrong_type("address_map", address_map, "a dict of addresses, or a function of one")
    table: dict[NodeAddress, NodeAddress | str] = {}
    for position, (inner, outer) in enumerate(address_map.items(), start=1):
        key = _checked(f"key {position} of address_map", inner)
        if key in table:
            raise ValueError(f"address_map has {key.host}:{key.port} twice; pass it once")
        table[key] = _checked(f"value {position} of address_map", outer)
    return table


def mappings(texts: Iterable[str]) -> dict[NodeAddress, NodeAddress]:
    """Reads texts like ``host:port=host:port``, from a server's own address to the other one.

    Raises:
        ValueError: What is wrong.
    """
    table: dict[NodeAddress, NodeAddress] = {}
    for text in texts:
        inner, equals, outer = text.partition("=")
        if not equals:
            raise ValueError("it has no '='")
        address = parse_address(inner)
        if address in table:
            raise ValueError(f"it has {address.host}:{address.port} twice")
        table[address] = parse_address(outer)
    return table


def parse_address(text: str) -> NodeAddress:
    """Reads ``host:port``.

    Raises:
        ValueError: What is wrong.
    """
    host, port = split_host_port(text)
    if port is None:
        raise ValueError("it has no port")
    return NodeAddress(host, port)


def _checked(name: str, address: object) -> NodeAddress:
    if isinstance(address, NodeAddress):
        return address
    if not isinstance(address, str):
        raise wrong_type(name, address, 'a NodeAddress or a str such as "10.0.0.1:6379"')
    try:
        return parse_address(address)
    except ValueError as error:
        raise ValueError(f'{name}: {error}; write an address like "10.0.0.1:6379"') from None
