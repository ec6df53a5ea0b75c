"""The pytest plugin of a library's suite: which transport it runs on, and where its server is.

``ADOPTION_TRANSPORT`` is ``library`` or ``glide_scripts``. ``ADOPTION_PORTS`` maps the ports that
the suite expects to those of the servers, such as ``6379=40001``.
"""

from __future__ import annotations

import functools
import os
from importlib import import_module
from importlib.util import find_spec
from typing import Any

import pytest

PORTS = {
    int(expected): int(real)
    for expected, _, real in (
        pair.partition("=") for pair in os.environ.get("ADOPTION_PORTS", "").split(",") if pair
    )
}


def map_ports(package: str) -> None:
    """Have a library's pools connect to the servers' ports."""
    for module in (f"{package}.connection", f"{package}.asyncio.connection"):
        pool: Any = import_module(module).ConnectionPool
        pool.__init__ = mapped(pool.__init__)


def mapped(init: Any) -> Any:
    @functools.wraps(init)
    def with_ports(self: Any, *args: Any, **kwargs: Any) -> None:
        port = int(kwargs.get("port") or 6379)
        if "path" not in kwargs and port in PORTS:
            kwargs["port"] = PORTS[port]
        init(self, *args, **kwargs)

    return with_ports


map_ports("redis")
if os.environ["ADOPTION_TRANSPORT"] == "glide_scripts":
    from glide_scripts.redis import install

    install()
exec(os.environ.get("ADOPTION_PRELUDE", ""))


class Container:
    """The suite's server, in place of one that testcontainers starts in Docker."""

    port = 6379

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        pass

    def __enter__(self) -> Container:
        return self

    def __exit__(self, *raised: object) -> None:
        pass

    def get_container_host_ip(self) -> str:
        return "127.0.0.1"

    def get_exposed_port(self, port: int) -> int:
        return PORTS.get(port, port)


if find_spec("testcontainers"):
    import_module("testcontainers.redis").RedisContainer = Container  # type: ignore[attr-defined]


class Services:
    """Replaces the program that starts a suite's servers: they run already."""

    def start(self, *services: str) -> None:
        pass

    def wait_for_service(self, service: str, *args: Any, **kwargs: Any) -> None:
        pass


@pytest.fixture(scope="session")
def docker_services() -> Services:
    return Services()
