"""Calls that are issued one after the other reach a shard in that order, of whatever kinds."""

from __future__ import annotations

import pytest
from tests.cluster.conftest import Connect
from tests.kinds import KINDS, Kind, every_primary, overtaken

from glide_scripts import GlideClusterClient
from glide_scripts.testing import ValkeyCluster

IN_CLUSTER: list[Kind] = [*KINDS, every_primary]


@pytest.mark.parametrize("first", IN_CLUSTER)
async def test_nothing_overtakes_a_call_that_was_issued_before(
    client: GlideClusterClient, first: Kind
) -> None:
    counts = {second.__name__: await overtaken(client, first, second, 10) for second in IN_CLUSTER}
    assert not any(counts.values()), counts


@pytest.mark.parametrize("first", IN_CLUSTER)
async def test_nothing_overtakes_the_first_call_of_a_client(
    cluster: ValkeyCluster, connect_cluster: Connect, first: Kind
) -> None:
    counts = {}
    for second in IN_CLUSTER:
        client = await connect_cluster(cluster)
        counts[second.__name__] = await overtaken(client, first, second, 1)
        await client.close()
    assert not any(counts.values()), counts
