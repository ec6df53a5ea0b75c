"""Cleaning servers, so that nothing of one test remains for the next."""

from __future__ import annotations

from ._cluster import ValkeyCluster
from ._server import ValkeyServer
from ._wire import Connection, ServerReplyError

_ACKNOWLEDGED_MS = 1000


def clean(of: ValkeyServer | ValkeyCluster) -> None:
    """Remove data, scripts, functions and statistics; restart a paused, busy or stopped server.

    Settings stay as they were changed.
    """
    if isinstance(of, ValkeyServer):
        _clean(of)
    elif sum(_clean(node) for node in of.nodes):
        of.wait_until_ready()


def _clean(server: ValkeyServer) -> bool:
    """Whether the server had to be brought back."""
    if server.paused:
        server.resume()
    if not server.running:
        server.start()
        return True
    try:
        with server.connect() as connection:
            _empty(connection)
    except (OSError, ServerReplyError):
        # Such as one whose script has written and can be killed no more.
        server.restart()
        return True
    return False


def _empty(connection: Connection) -> None:
    connection.command("SCRIPT", "FLUSH")
    connection.command("CONFIG", "RESETSTAT")
    role = connection.command("ROLE")
    assert isinstance(role, list)
    if role[0] != b"master":
        # It has its primary's data and functions.
        return
    connection.command("FLUSHALL")
    try:
        connection.command("FUNCTION", "FLUSH")
    except ServerReplyError as error:
        # Servers before Redis 7 have no functions.
        if error.code != "ERR":
            raise
    replicas = role[2]
    assert isinstance(replicas, list)
    if replicas:
        connection.command("WAIT", len(replicas), _ACKNOWLEDGED_MS)
