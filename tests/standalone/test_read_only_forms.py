"""Servers without EVAL_RO and EVALSHA_RO: a read-only script is sent in the plain form."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Iterator
from typing import Any

import pytest
from tests.batches import invoked_in_batch
from tests.conftest import Connect
from tests.servers.table import has

from glide_scripts import GlideClient, Script
from glide_scripts.testing import ValkeyServer

pytestmark = pytest.mark.every_server

ECHO = Script("return ARGV[1]", read_only=True)
Call = Callable[[GlideClient, bytes], Coroutine[Any, Any, object]]


@pytest.fixture(
    params=["EVALSHA_RO", "EVAL_RO"] if has("read-only forms") else ["both"], scope="module"
)
def lacking(request: pytest.FixtureRequest) -> Iterator[ValkeyServer]:
    """A server that lacks one of the commands, or both."""
    config = {} if request.param == "both" else {"rename-command": f'{request.param} ""'}
    with ValkeyServer(config=config) as server:
        yield server


async def single(client: GlideClient, value: bytes) -> object:
    return await client.invoke_script(ECHO, ["key"], [value])


async def pipeline(client: GlideClient, value: bytes) -> object:
    return await invoked_in_batch(client, ECHO, value, key="key", is_atomic=False)


async def transaction(client: GlideClient, value: bytes) -> object:
    return await invoked_in_batch(client, ECHO, value, key="key", is_atomic=True)


# The server quotes the arguments of a command that it does not know: up to a zero byte, up to a
# number of bytes, and as they are.
VALUES = [b"", b"plain", b"\xff\xfe", b"a\0b", b"a\r\nb", b"x" * 300, b"a" + "é".encode() * 100]


@pytest.mark.parametrize("call", [single, pipeline, transaction])
@pytest.mark.parametrize("value", VALUES)
async def test_the_first_call_of_a_client_may_have_any_argument(
    lacking: ValkeyServer, connect: Connect, call: Call, value: bytes
) -> None:
    lacking.command("SCRIPT", "FLUSH")
    client = await connect(lacking)
    assert await call(client, value) == value
    assert await call(client, value) == value
