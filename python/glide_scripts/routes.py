"""The routes, under the name that GLIDE's module has."""

from .commands.routes import (
    AllNodes,
    AllPrimaries,
    ByAddressRoute,
    RandomNode,
    Route,
    SlotIdRoute,
    SlotKeyRoute,
    SlotType,
    TSingleNodeRoute,
)

__all__ = [
    "AllNodes",
    "AllPrimaries",
    "ByAddressRoute",
    "RandomNode",
    "Route",
    "SlotIdRoute",
    "SlotKeyRoute",
    "SlotType",
    "TSingleNodeRoute",
]
