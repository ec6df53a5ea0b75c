"""What an observer sees of calls in a cluster."""

from __future__ import annotations

from tests.cluster.conftest import Connect
from tests.cluster.support import key_on

from glide_scripts import AllPrimaries, ObservedCall, Observer, Script
from glide_scripts.testing import ValkeyCluster

INCR = Script("return redis.call('INCR', KEYS[1])")


class Last(Observer):
    """Keeps the last call."""

    def call_ended(self, call: ObservedCall) -> None:
        self.call = call


async def test_the_node_that_served_a_call_is_told_and_that_it_was_redirected(
    own_cluster: ValkeyCluster, connect_cluster: Connect
) -> None:
    last = Last()
    client = await connect_cluster(own_cluster, observer=last)
    source, target = own_cluster.primaries()[:2]
    key = key_on(own_cluster, source)
    await client.script_load(INCR)
    await client.invoke_script(INCR, [key])
    assert last.call.node == (source.host, source.port)
    assert last.call.retries == 0
    own_cluster.move_slot(own_cluster.key_slot(key), target)
    await client.invoke_script(INCR, [key])
    assert last.call.node == (target.host, target.port)
    assert (last.call.retries, last.call.eval_fallback) == (1, False)


async def test_a_call_of_several_nodes_names_none(
    cluster: ValkeyCluster, connect_cluster: Connect
) -> None:
    last = Last()
    client = await connect_cluster(cluster, observer=last)
    await client.invoke_script_route(Script("return 1"), route=AllPrimaries())
    assert last.call.operation == "EVALSHA"
    assert last.call.node is None
