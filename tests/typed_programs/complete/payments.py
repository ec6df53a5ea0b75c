"""A payment endpoint: each order is charged once, over lost replies."""

from __future__ import annotations

import asyncio
from collections import Counter

from glide_scripts import (
    ConnectionError,
    GlideClient,
    GlideClientConfiguration,
    Key,
    NodeAddress,
    ObservedCall,
    Observer,
    OnceConflictError,
    RequestError,
    Script,
    ScriptError,
    Secret,
    typed_script,
)
from glide_scripts.testing import ValkeyServer

CHARGE = Script(
    """
local balance = tonumber(redis.call('GET', KEYS[1]) or '0')
if balance < tonumber(ARGV[1]) then return redis.error_reply('INSUFFICIENT only ' .. balance) end
return {'balance', redis.call('DECRBY', KEYS[1], ARGV[1]), 'order', ARGV[2]}
""",
    name="charge",
)


@typed_script(CHARGE, once="order")
def charge(account: Key, cents: int, order: str, card: Secret[str]) -> dict[str, int | str]: ...


class Metrics(Observer):
    def __init__(self) -> None:
        self.calls: Counter[tuple[str, str | None]] = Counter()

    def call_ended(self, call: ObservedCall) -> None:
        self.calls[call.operation, call.error.__name__ if call.error else None] += 1


async def pay(client: GlideClient, order: str, cents: int) -> str:
    try:
        reply = await charge(client, "account", cents, order, card="4111-1111")
    except ScriptError as error:
        return f"refused: {error.code} {error.message}"
    except OnceConflictError as error:
        return f"conflict {error.may_have_executed}"
    except ConnectionError as error:
        return f"lost {error.may_have_executed}"
    except RequestError as error:
        return f"failed {error}"
    return f"balance {reply['balance']}"


async def main(server: ValkeyServer) -> None:
    metrics = Metrics()
    config = GlideClientConfiguration(
        [NodeAddress(server.host, server.port)], request_timeout=2000, observer=metrics
    )
    async with await GlideClient.create(config) as client:
        print(await client.set("account", "100") == "OK")
        print(await asyncio.gather(*(pay(client, "o-1", 30) for _ in range(3))))
        print(await pay(client, "o-1", 31), await pay(client, "o-2", 500))
        print(metrics.calls.most_common(1)[0][0])
        stats = client.stats()
        print(stats.answered_from_records, stats.errors)


if __name__ == "__main__":
    with ValkeyServer() as server:
        asyncio.run(main(server))
# prints: True
# prints: ['balance 70', 'balance 70', 'balance 70']
# prints: conflict False refused: INSUFFICIENT only 70
# prints: ('EVALSHA', None)
# prints: 2 {'ScriptError': 1, 'OnceConflictError': 1}
