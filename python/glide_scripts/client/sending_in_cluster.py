"""How clients of a cluster send commands: each command has its route."""

from __future__ import annotations

from typing import Any

from ..commands.command import Command
from ..commands.directions import directions
from ..config.cluster import GlideClusterClientConfiguration
from .core import AnyPending
from .sending import Sending


class ClusterSending(Sending):
    """What a client of a cluster sends with, whatever waits for the replies."""

    _in_cluster = True
    _configuration = GlideClusterClientConfiguration

    def _send(self, command: Command[Any]) -> AnyPending:
        where = directions(command.words, None)
        return self._core.command(command.words, None, **command.settings(), **where)
