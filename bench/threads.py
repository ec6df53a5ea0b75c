"""Synchronous clients that threads share: `python bench/threads.py`, with the package installed.

Each client calls one script from 1, 8 and 64 threads, in a process of its own, with redis-py over a
pool of connections and one client of the others for all threads. It prints the median time of a
call with one thread, calls per second, and the client's CPU time per call. `--rounds` repeats all,
so that no client alone meets a busy machine.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable

from glide_scripts.testing import ValkeyServer

CODE = "return redis.call('INCRBY', KEYS[1], ARGV[1])"
THREADS = (1, 8, 64)


def glide_scripts_sync(url: str) -> Callable[[], object]:
    from glide_scripts.sync import GlideClient, Script

    client, script = GlideClient.from_url(url), Script(CODE)
    return lambda: client.invoke_script(script, keys=["k"], args=["1"])


def redis_py(url: str) -> Callable[[], object]:
    import redis

    pool = redis.ConnectionPool.from_url(
        url.replace("valkey:", "redis:"), max_connections=max(THREADS)
    )
    script = redis.Redis(connection_pool=pool).register_script(CODE)
    return lambda: script(keys=["k"], args=["1"])


def glide_sync(url: str) -> Callable[[], object]:
    from glide_sync import GlideClient, GlideClientConfiguration, NodeAddress, Script

    host, _, port = url.rpartition("/")[2].partition(":")
    config = GlideClientConfiguration([NodeAddress(host, int(port))], request_timeout=5000)
    client, script = GlideClient.create(config), Script(CODE)
    return lambda: client.invoke_script(script, keys=["k"], args=["1"])


CLIENTS = {"glide_scripts.sync": glide_scripts_sync, "redis-py": redis_py, "glide_sync": glide_sync}


def measure(call: Callable[[], object], threads: int, secs: float) -> dict[str, float]:
    for _ in range(100):
        call()
    times: list[list[float]] = [[] for _ in range(threads)]
    ends = time.perf_counter() + secs

    def work(taken: list[float]) -> None:
        before = time.perf_counter()
        while before < ends:
            call()
            now = time.perf_counter()
            taken.append(now - before)
            before = now

    used = cpu_secs()
    began = time.perf_counter()
    working = [threading.Thread(target=work, args=[taken]) for taken in times]
    for thread in working:
        thread.start()
    for thread in working:
        thread.join()
    calls = sum(map(len, times))
    return {
        "p50_us": statistics.median(each for taken in times for each in taken) * 1e6,
        "calls_per_sec": calls / (time.perf_counter() - began),
        "cpu_us": (cpu_secs() - used) / calls * 1e6,
    }


def cpu_secs() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--secs", type=float, default=1.0)
    parser.add_argument("--only", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.only:
        name, threads = arguments.only.rsplit(":", 1)
        with ValkeyServer() as server:
            result = measure(CLIENTS[name](server.url), int(threads), arguments.secs)
        print(json.dumps(result), flush=True)
        # Clients may keep threads of their own.
        os._exit(0)
    cells: dict[tuple[str, int], list[dict[str, float]]] = {}
    for _ in range(arguments.rounds):
        for threads in THREADS:
            for name in CLIENTS:
                command = [sys.executable, __file__, "--secs", str(arguments.secs), "--only"]
                done = subprocess.run(
                    [*command, f"{name}:{threads}"], check=True, capture_output=True, text=True
                )
                result = json.loads(done.stdout.splitlines()[-1])
                cells.setdefault((name, threads), []).append(result)
    print(f"{'client':20} {'threads':>7} {'p50 µs':>8} {'calls/s':>8} {'CPU µs':>7}")
    for (name, threads), results in cells.items():
        p50, calls, cpu = (
            statistics.median(result[figure] for result in results)
            for figure in ("p50_us", "calls_per_sec", "cpu_us")
        )
        print(f"{name:20} {threads:7} {p50:8.0f} {calls:8.0f} {cpu:7.1f}")


if __name__ == "__main__":
    main()
