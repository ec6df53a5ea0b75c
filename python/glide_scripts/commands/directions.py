"""Where a command goes in a cluster, in the core's terms: by a route, or by the command's rule."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from .. import checks
from ..values import TEncodable
from .command import Command
from .routes import AllNodes, AllPrimaries, Route
from .routing import plan


def directions(words: Sequence[TEncodable], route: Route | None) -> dict[str, Any]:
    """Return where a command goes: by a route, or else by the command's plan."""
    default = plan(words)
    return {
        "keys": default.keys,
        "step": default.step,
        "route": (default.to,) if not route and default.to else target(route),
        "gather": default.gather,
    }


def decoder(command: Command[Any], route: Route | None) -> Callable[[Any], Any] | None:
    """Return the decoder for a command that was sent with ``directions``."""
    if command.decode is None:
        return None
    default = plan(command.words)
    several = isinstance(route, (AllNodes, AllPrimaries)) if route else default.to is not None
    return EachNode(command.decode) if several and default.gather == "by_node" else command.decode


@dataclass(frozen=True, slots=True)
class EachNode:
    """Decode several nodes' replies one by one."""

    decode: Callable[[Any], Any]
    """What decodes one node's reply."""

    def __call__(self, replies: dict[bytes, Any]) -> dict[bytes, Any]:
        return {node: self.decode(reply) for node, reply in replies.items()}


def target(route: Route | None) -> tuple[object, ...] | None:
    """Return a route in the core's form.

    Raises:
        TypeError: It is not a route.
    """
    if route is None:
        return None
    return checks.of_type("route", route, Route, "a Route, such as AllPrimaries()")._target()
