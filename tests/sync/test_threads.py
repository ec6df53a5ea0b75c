"""Threads that share a synchronous client."""

from __future__ import annotations

import gc
import os
import resource
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from tests.waiting import block_until

from glide_scripts.sync import Batch, ClosingError, GlideClient, Script
from glide_scripts.testing import ValkeyServer

LINUX = pytest.mark.skipif(sys.platform != "linux", reason="it looks into /proc")
ECHO = Script("return ARGV[1]")


@pytest.fixture
def client(valkey_sync_client: GlideClient) -> GlideClient:
    return valkey_sync_client


@pytest.mark.parametrize("threads", [8, 64])
def test_each_thread_gets_its_own_replies(client: GlideClient, threads: int) -> None:
    def work(thread: int) -> None:
        for call in range(50):
            word = f"{thread}:{call}"
            assert client.invoke_script(ECHO, args=[word]) == word.encode()
            assert client.incr("calls") > 0

    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(work, range(threads)))
    assert client.get("calls") == b"%d" % (threads * 50)


def test_threads_share_the_connections_of_a_client(client: GlideClient) -> None:
    before = int(connected_clients(client))
    with ThreadPoolExecutor(16) as pool:
        list(pool.map(client.get, ["k"] * 200))
    assert int(connected_clients(client)) == before


def connected_clients(client: GlideClient) -> bytes:
    lines = dict(line.split(b":") for line in client.info().split(b"\r\n") if b":" in line)
    return lines[b"connected_clients"]


def test_a_call_that_waits_keeps_no_other_thread(client: GlideClient, server: ValkeyServer) -> None:
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(client.custom_command, ["BLPOP", "list", "0"])
        block_until(lambda: blocked_clients(server) == 1)
        # Other Python code runs meanwhile, and so do other calls.
        assert sum(range(100_000)) == 4_999_950_000
        assert client.ping() == b"PONG"
        assert not waiting.done()
        client.rpush("list", ["word"])
        assert waiting.result(30) == [b"list", b"word"]


@pytest.mark.skipif(
    sys.platform != "linux" or len(os.sched_getaffinity(0)) < 2,
    reason="it counts how often a thread sleeps; with one core, no thread looks for its reply",
)
def test_a_thread_looks_for_its_reply_while_another_one_waits(
    client: GlideClient, server: ValkeyServer
) -> None:
    calls = 20

    def sleeps_rarely() -> bool:
        before = sleeps()
        for _ in range(calls):
            client.get("k")
        return sleeps() - before < calls // 2

    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(client.custom_command, ["BLPOP", "list", "0"])
        block_until(lambda: blocked_clients(server) == 1)
        try:
            # Where other programs need the cores, it looks rarely.
            block_until(sleeps_rarely, within=60)
        finally:
            client.rpush("list", ["word"])
            waiting.result(30)


def sleeps() -> int:
    """How often this thread has given up its core to wait for something."""
    return resource.getrusage(resource.RUSAGE_THREAD).ru_nvcsw


def blocked_clients(server: ValkeyServer) -> int:
    info = str(server.command("INFO", "clients"))
    return int(info.split("blocked_clients:")[1].split("\\r", maxsplit=1)[0].split(maxsplit=1)[0])


def test_closing_ends_the_calls_of_all_threads(client: GlideClient, server: ValkeyServer) -> None:
    ended: list[BaseException] = []

    def work() -> None:
        try:
            client.custom_command(["BLPOP", "list", "0"])
        except ClosingError as error:
            ended.append(error)

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    block_until(lambda: blocked_clients(server) == 8)
    client.close()
    for thread in threads:
        thread.join(30)
    assert len(ended) == 8


def test_closing_under_load_ends_each_call_in_a_value_or_a_closing_error(
    server: ValkeyServer,
) -> None:
    for _ in range(10):
        client = GlideClient.from_url(server.url)
        started = threading.Barrier(9)

        def work(client: GlideClient = client, started: threading.Barrier = started) -> int:
            started.wait(30)
            calls = 0
            while True:
                try:
                    assert client.invoke_script(ECHO, args=["a"]) == b"a"
                except ClosingError:
                    return calls
                calls += 1

        with ThreadPoolExecutor(8) as pool:
            working = [pool.submit(work) for _ in range(8)]
            started.wait(30)
            client.ping()
            client.close()
            for each in working:
                each.result(30)


def test_a_watch_is_its_threads(client: GlideClient) -> None:
    client.set("k", "0")
    client.watch(["k"])
    with ThreadPoolExecutor(1) as pool:
        # The other thread watches nothing, and ends no watch.
        assert pool.submit(client.exec, Batch(True).incr("other"), True).result(30) == [1]
        assert pool.submit(client.set, "k", "1").result(30) == b"OK"
    assert client.exec(Batch(True).incr("k"), True) is None
    assert client.exec(Batch(True).incr("k"), True) == [2]


def test_threads_that_watch_add_up(client: GlideClient) -> None:
    client.set("sum", "0")

    def add(_: int) -> None:
        while True:
            client.watch(["sum"])
            total = int(client.get("sum") or 0)
            if client.exec(Batch(True).set("sum", str(total + 1)), True) is not None:
                return

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(add, range(40)))
    assert client.get("sum") == b"40"


def test_the_watch_of_a_thread_that_ended_is_given_back(
    client: GlideClient, server: ValkeyServer
) -> None:
    def count() -> int:
        return len(str(server.command("CLIENT", "LIST")).split("id=")) - 1

    before = count()
    ended = [threading.Thread(target=client.watch, args=[["k"]]) for _ in range(3)]
    for thread in ended:
        thread.start()
        thread.join(30)
    assert count() > before
    # The next watch finds that the others have ended, although their objects are kept.
    client.watch(["k"])
    client.unwatch()
    block_until(lambda: count() <= before + 3)


@LINUX
def test_threads_that_end_leave_no_descriptors(client: GlideClient) -> None:
    def descriptors() -> int:
        return len(list(Path("/proc/self/fd").iterdir()))

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(client.get, ["k"] * 100))
    gc.collect()
    before = descriptors()
    for _ in range(5):
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(client.get, ["k"] * 100))
    block_until(lambda: descriptors() <= before)


def test_a_client_goes_from_thread_to_thread(server: ValkeyServer) -> None:
    with ThreadPoolExecutor(1) as maker, ThreadPoolExecutor(1) as user:
        client = maker.submit(GlideClient.from_url, server.url).result(30)
        maker.shutdown()
        assert user.submit(client.ping).result(30) == b"PONG"
        user.submit(client.close).result(30)


def test_replies_may_be_taken_by_another_thread(client: GlideClient) -> None:
    replies = client.invoke_script_many(ECHO, (([], [str(n)]) for n in range(3000)))
    first = next(replies)
    with ThreadPoolExecutor(1) as pool:
        rest = pool.submit(list, replies).result(30)
    assert [first, *rest] == [b"%d" % n for n in range(3000)]


def test_a_thread_that_computes_delays_no_deadline(client: GlideClient) -> None:
    """A call's time is counted by the I/O thread, which needs no GIL."""
    ends = time.monotonic() + 0.3

    def compute() -> None:
        while time.monotonic() < ends:
            sum(range(1000))

    with ThreadPoolExecutor(2) as pool:
        computing = [pool.submit(compute) for _ in range(2)]
        while not all(each.done() for each in computing):
            assert client.ping() == b"PONG"
