"""What GLIDE's own tests of batches do with the names of ``glide_shared``."""

import asyncio
import sys

from glide import GlideClient, Logger, LogLevel, Script
from glide_shared import RequestError, TimeoutError
from glide_shared.commands.batch import Batch
from glide_shared.commands.batch_options import BatchOptions
from glide_shared.commands.command_args import Limit
from glide_shared.commands.core_options import ExpirySet, ExpiryType, FlushMode
from glide_shared.commands.sorted_set import RangeByScore, ScoreBoundary
from glide_shared.config import (
    AdvancedGlideClientConfiguration,
    GlideClientConfiguration,
    NodeAddress,
    NodeDiscoveryMode,
    ProtocolVersion,
    ReadFrom,
)
from glide_shared.constants import OK
from glide_shared.exceptions import ClosingError, ExecAbortError, GlideError
from glide_shared.routes import AllNodes, SlotKeyRoute, SlotType


def configuration(host: str, port: int) -> GlideClientConfiguration:
    """By position, as far as there are parameters."""
    both = [NodeAddress(host, port)], False, None, ReadFrom.PRIMARY, 5000, None, 0, "me"
    advanced = AdvancedGlideClientConfiguration(2000, None, True, None)
    rest = None, 100, None, advanced, False, None, False, None, NodeDiscoveryMode.STANDARD
    return GlideClientConfiguration(*both, ProtocolVersion.RESP3, *rest, None, None, None, None)


async def calls(client: GlideClient) -> None:
    print("set", await client.set("k", "v", expiry=ExpirySet(ExpiryType.SEC, 90)) == OK)
    await client.zadd("z", {"a": 1, "b": 2, "c": 3})
    scores = RangeByScore(ScoreBoundary(1, is_inclusive=False), ScoreBoundary(3), Limit(0, 1))
    print("range", await client.zrange("z", scores))
    batch = Batch(is_atomic=False).get("k").lpop("k")
    results = await client.exec(batch, raise_on_error=False, options=BatchOptions(timeout=3000))
    assert results is not None
    print("batch", results[0], isinstance(results[1], RequestError))
    for command in (["WATCH", "k"], ["MULTI"]):
        try:
            await client.exec(Batch(is_atomic=True).custom_command(command), raise_on_error=True)
        except RequestError as error:
            print(command[0], "not allowed" in str(error))
    print("name", await client.client_getname())
    print(
        "script", await client.invoke_script(Script(b"return {KEYS[1], ARGV[1]}"), [b"\xff"], ["a"])
    )
    print("flush", await client.script_flush(FlushMode.SYNC) == OK)


async def main(host: str, port: int) -> None:
    Logger.set_logger_config(LogLevel.OFF)
    client = await GlideClient.create(configuration(host, port))
    await calls(client)
    await client.close()
    try:
        await client.get("k")
    except ClosingError as error:
        print("closed", isinstance(error, GlideError), error.name())
    print("errors", [issubclass(each, RequestError) for each in (TimeoutError, ExecAbortError)])
    print("errors", str(RequestError()), RequestError("text").name())
    print("routes", SlotKeyRoute(SlotType.REPLICA, "k").slot_key, AllNodes().__class__.__name__)
    print("modes", [each.name for each in NodeDiscoveryMode])


asyncio.run(main(sys.argv[1], int(sys.argv[2])))
