"""Synchronous clients that threads share: each thread calls again when it has its reply.

All threads share one client; redis-py has a connection for each of them.
"""

from __future__ import annotations

import importlib
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

from bench.cells import GLIDE, OURS, Cell
from bench.scripts import CODE

HOST = "127.0.0.1"
TIMEOUT_SECS = 30

Call = Callable[[str, str | bytes], object]
"""Calls the script with a key and an argument."""


def glide_like(module_name: str) -> Callable[[int, Cell], AbstractContextManager[Call]]:
    """valkey-glide's synchronous client, and this project's with the same names."""

    @contextmanager
    def connect(port: int, cell: Cell) -> Iterator[Call]:
        module: Any = importlib.import_module(module_name)
        configuration = module.GlideClientConfiguration(
            [module.NodeAddress(HOST, port)], request_timeout=TIMEOUT_SECS * 1000
        )
        client, script = module.GlideClient.create(configuration), module.Script(CODE[cell.reply])
        try:
            yield lambda key, value: client.invoke_script(script, keys=[key], args=[value])
        finally:
            client.close()

    return connect


@contextmanager
def redis_py(port: int, cell: Cell) -> Iterator[Call]:
    module: Any = importlib.import_module("redis")
    with module.Redis(HOST, port, protocol=3, max_connections=cell.in_flight + 1) as client:
        script = client.register_script(CODE[cell.reply])
        yield lambda key, value: script(keys=[key], args=[value])


CONNECT: dict[str, Callable[[int, Cell], AbstractContextManager[Call]]] = {
    OURS: glide_like("glide_scripts.sync"),
    GLIDE: glide_like("glide_sync"),
    "redispy": redis_py,
}


def times_in_threads(call: Call, value: str | bytes, number: int, secs: float) -> list[float]:
    """Call from `number` threads for `secs` seconds, at least once each; return the times."""
    times: list[list[float]] = [[] for _ in range(number)]
    clock = time.perf_counter
    ends = clock() + secs

    def caller(key: str, taken: list[float]) -> None:
        ended = 0.0
        started = clock()
        while ended < ends:
            call(key, value)
            ended = clock()
            taken.append(ended - started)
            started = ended

    threads = [
        threading.Thread(target=caller, args=(f"k{index}", taken))
        for index, taken in enumerate(times)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return [each for taken in times for each in taken]
