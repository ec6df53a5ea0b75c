"""The routes, under the name that GLIDE's module has."""

import glide_scripts  # noqa: F401 - waits until the package is there

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
