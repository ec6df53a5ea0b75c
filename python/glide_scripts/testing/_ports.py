"""Free loopback ports for servers."""

import random
import socket

HOST = "127.0.0.1"

# A cluster node's bus listens here above its port, unless it is told otherwise.
BUS_OFFSET = 10_000

# With the bus ports this stays under the ports that systems lend to outgoing connections (32768
# and up). In that range a client's own socket could take a stopped server's port, and a client
# that reconnects to a port nobody listens on can even connect to itself.
_PORTS = range(10_240, 20_240)
_ATTEMPTS = 1_000


def free_port() -> int:
    """A port that nothing listens on now, with the bus port that belongs to it free too.

    Raises `OSError` when none is found.
    """
    for _ in range(_ATTEMPTS):
        port = random.choice(_PORTS)
        if _is_free(port) and _is_free(port + BUS_OFFSET):
            return port
    raise OSError(f"no free port on {HOST} between {_PORTS.start} and {_PORTS.stop}")


def _is_free(port: int) -> bool:
    with socket.socket() as candidate:
        # As the server does: connections of an earlier server still closing are no obstacle.
        candidate.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            candidate.bind((HOST, port))
        except OSError:
            return False
        return True
