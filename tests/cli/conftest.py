"""What the tests of the command line share."""

from collections.abc import Iterator

import pytest

from glide_scripts.testing import ValkeyServer
from glide_scripts.testing._clean import clean


@pytest.fixture
def server(server: ValkeyServer) -> ValkeyServer:
    """The shared server, without functions, too."""
    server.command("FUNCTION", "FLUSH")
    return server


@pytest.fixture(scope="session")
def live_server() -> Iterator[ValkeyServer]:
    """A server on which any script can be killed at once."""
    with ValkeyServer(config={"busy-reply-threshold": "20"}) as server:
        yield server


@pytest.fixture
def url(live_server: ValkeyServer) -> str:
    """Its URL. The server is empty, and no script runs: a killed script may run a little longer."""
    clean(live_server)
    return live_server.url
