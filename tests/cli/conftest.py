"""What the tests of the command line share."""

import pytest

from glide_scripts.testing import ValkeyServer


@pytest.fixture
def server(server: ValkeyServer) -> ValkeyServer:
    """The shared server, without functions, too."""
    server.command("FUNCTION", "FLUSH")
    return server
