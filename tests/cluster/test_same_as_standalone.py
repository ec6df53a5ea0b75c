"""The bodies of the standalone client's tests, run by the cluster's client.

They are the same functions; only the fixture `client` is another. Left out are those that have a
`GlideClient` made, look into the one server, or give a call keys of several slots.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator

import pytest
from tests.cluster.conftest import Connect
from tests.servers.table import this_server
from tests.standalone import (
    test_commands_on_server,
    test_errors,
    test_invoke_script,
    test_replies,
    test_script_management,
    test_script_object,
)

from glide_scripts import GlideClusterClient, ProtocolVersion
from glide_scripts.testing import ValkeyCluster

MODULES = (
    test_commands_on_server,
    test_errors,
    test_invoke_script,
    test_replies,
    test_script_management,
    test_script_object,
)

OF_ONE_SERVER = {"server", "own_server", "own_client", "watcher", "connect"}
WITH_KEYS_OF_SEVERAL_SLOTS = {
    "test_every_byte_goes_out_and_comes_back",
    "test_keys_and_arguments_arrive_in_order",
    "test_keys_and_arguments_come_from_any_iterable",
    "test_long_keys_arrive_whole",
    "test_many_keys_and_arguments_arrive",
    "test_what_is_no_list_of_bytes_is_refused",
}
# INFO of several nodes is a dict.
WITH_ANOTHER_ANSWER = {"test_the_server_tells_about_itself"}


def fits_a_cluster(name: str, body: object) -> bool:
    if not name.startswith("test_") or not inspect.iscoroutinefunction(body):
        return False
    fixtures = set(inspect.signature(body).parameters)
    left_out = WITH_KEYS_OF_SEVERAL_SLOTS | WITH_ANOTHER_ANSWER
    return "client" in fixtures and not fixtures & OF_ONE_SERVER and name not in left_out


BODIES = {
    f"{name}_{module.__name__.rpartition('.')[2]}": body
    for module in MODULES
    for name, body in vars(module).items()
    if fits_a_cluster(name, body)
}
globals().update(BODIES)


@pytest.fixture(scope="module")
def one_shard() -> Iterator[ValkeyCluster]:
    """A cluster whose one primary holds every slot, so that scripts may name keys of their own."""
    config = this_server().debug_config
    with ValkeyCluster(primaries=1, replicas=1, config=config) as cluster:
        yield cluster


@pytest.fixture
async def client(
    one_shard: ValkeyCluster, protocol: ProtocolVersion, connect_cluster: Connect
) -> GlideClusterClient:
    one_shard.nodes[0].command("FLUSHALL")
    for node in one_shard.nodes:
        node.command("SCRIPT", "FLUSH")
    return await connect_cluster(one_shard, protocol=protocol)


def test_a_good_part_of_the_bodies_is_run_here() -> None:
    assert len(BODIES) > 80
    for name in WITH_KEYS_OF_SEVERAL_SLOTS | WITH_ANOTHER_ANSWER:
        assert any(hasattr(module, name) for module in MODULES), name
