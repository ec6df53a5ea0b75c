"""What a program of GLIDE's synchronous client does."""

import sys

from glide_sync import (
    Batch,
    GlideClient,
    GlideClientConfiguration,
    Logger,
    LogLevel,
    NodeAddress,
    RangeByIndex,
    RequestError,
    Script,
    TGlideClient,
)
from glide_sync.glide_client import GlideClient as ClientOfModule
from glide_sync.logger import Logger as LoggerOfModule


def show(name: str, value: object) -> None:
    print(name, "OK" if value == "OK" else value)


def calls(client: TGlideClient) -> None:
    show("set", client.set("k", "v"))
    show("append", [client.append("k", "w"), client.getdel("k"), client.type("k")])
    show("hset", [client.hset("h", {"f": "1"}), client.hmget("h", ["f", "x"])])
    show("zadd", [client.zadd("z", {"m": 1}), client.zrange_withscores("z", RangeByIndex(0, -1))])
    show("script", client.invoke_script(Script("return {KEYS[1], ARGV[1]}"), ["k"], ["a"]))
    batch = Batch(is_atomic=True).hincrby("h", "f", 2).hdel("h", ["f"]).scard("none")
    show("batch", client.exec(batch, raise_on_error=True))
    cursor, keys = client.scan("0", match="z")
    show("scan", [cursor, keys])
    try:
        client.lpop("z")
    except RequestError as error:
        show("error", "WRONGTYPE" in str(error))
    show("flushdb", client.flushdb())


Logger.set_logger_config(LogLevel.OFF)
print(ClientOfModule is GlideClient, LoggerOfModule is Logger)
config = GlideClientConfiguration([NodeAddress(sys.argv[1], int(sys.argv[2]))])
client = GlideClient.create(config)
calls(client)
client.close()
