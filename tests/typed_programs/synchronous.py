"""The synchronous client: commands, typed scripts, batches and many calls, without asyncio."""

from __future__ import annotations

from glide_scripts.sync import (
    AllPrimaries,
    Batch,
    GlideClient,
    GlideClientConfiguration,
    GlideClusterClient,
    Key,
    NodeAddress,
    Script,
    TResult,
    typed_script,
)

ADD = Script("return redis.call('INCRBY', KEYS[1], ARGV[1])", name="add")


@typed_script(ADD)
def add(key: Key, amount: int) -> int: ...


def main() -> None:
    config = GlideClientConfiguration([NodeAddress()], request_timeout=500)
    with GlideClient.create(config) as client:
        assert client.set("k", "v") == "OK"
        old = client.set("k", "v", return_old_value=True)
        print(old.decode() if old is not None else "none")
        value: bytes | None = client.get("k")
        total: int = add(client, "k", amount=3)
        reply: TResult = client.invoke_script(ADD, ["k"], ["1"], timeout=100)
        results = client.exec(add.add_to(Batch(is_atomic=True), "k", 1), raise_on_error=True)
        print(value, total, reply, results, client.stats().calls)
        for each in client.invoke_script_many(ADD, [(["k"], ["1"])] * 3):
            print(each)


def in_cluster(url: str) -> None:
    with GlideClusterClient.from_url(url) as client:
        print(client.invoke_script_route(ADD, route=AllPrimaries()), client.dbsize())
        print(client.script_flush() == "OK", client.ping())
