"""The proxy does to connections what it says, and counts it."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest
from tests.waiting import block_until, until

from glide_scripts.testing import Connection, FaultProxy, ServerReplyError, ValkeyServer

EVAL = ("EVAL", "return redis.call('INCR', 'n')", 0)


@pytest.fixture
def proxy(server: ValkeyServer) -> Iterator[FaultProxy]:
    with FaultProxy(server.host, server.port) as proxy:
        yield proxy


def through(proxy: FaultProxy, timeout: float = 10.0) -> Connection:
    return Connection(proxy.host, proxy.port, timeout=timeout)


def test_it_passes_on_what_is_said(proxy: FaultProxy) -> None:
    with through(proxy) as connection:
        assert connection.command("SET", "k", "v" * 200_000) == b"OK"
        assert connection.command("GET", "k") == b"v" * 200_000
    assert proxy.counts == {"connections": 1}


def test_a_dropped_reply_is_one_of_a_script_that_ran(
    server: ValkeyServer, proxy: FaultProxy
) -> None:
    proxy.drop_replies()
    with through(proxy) as connection:
        assert connection.command("PING") == b"PONG"
        with pytest.raises(ConnectionError):
            connection.command(*EVAL)
    assert server.command("GET", "n") == b"1"
    assert proxy.counts["dropped"] == 1
    with through(proxy) as connection:
        assert connection.command(*EVAL) == 2


def test_a_script_that_is_missing_has_not_run_and_its_refusal_comes_through(
    server: ValkeyServer, proxy: FaultProxy
) -> None:
    proxy.drop_replies()
    with through(proxy) as connection:
        with pytest.raises(ServerReplyError, match="NOSCRIPT"):
            connection.command("EVALSHA", "0" * 40, 0)
        with pytest.raises(ConnectionError):
            connection.command(*EVAL)
    assert server.command("GET", "n") == b"1"


def test_the_reply_to_an_earlier_request_does_not_count(
    server: ValkeyServer, proxy: FaultProxy
) -> None:
    """However replies and requests are put together."""
    server.command("RPUSH", "queue", "item")
    proxy.drop_replies()
    with through(proxy) as connection:
        for words in (("ECHO", "x" * 300_000), ("BLPOP", "queue", 0), EVAL, ("SET", "after", 1)):
            connection.send(*words)
        assert connection.receive() == b"x" * 300_000
        assert connection.receive() == [b"queue", b"item"]
        with pytest.raises(ConnectionError):
            connection.receive()
    assert server.command("MGET", "n", "after") == [b"1", b"1"]
    assert proxy.counts["dropped"] == 1


@pytest.mark.parametrize("sent", [2, 3, 10])
def test_of_requests_in_flight_together_as_many_as_asked_for_get_no_reply(
    server: ValkeyServer, proxy: FaultProxy, sent: int
) -> None:
    proxy.drop_replies(2)
    with through(proxy) as connection:
        for _ in range(sent):
            connection.send(*EVAL)
        for number in range(1, sent - 1):
            assert connection.receive() == number
        with pytest.raises(ConnectionError):
            connection.receive()
    block_until(lambda: server.command("GET", "n") == b"%d" % sent)
    assert proxy.counts["dropped"] == 2
    with through(proxy) as connection:
        assert connection.command(*EVAL) == sent + 1


def test_of_a_transaction_the_reply_to_its_exec_is_lost(
    server: ValkeyServer, proxy: FaultProxy
) -> None:
    proxy.drop_replies()
    with through(proxy) as connection:
        assert connection.command("MULTI") == b"OK"
        assert connection.command(*EVAL) == b"QUEUED"
        with pytest.raises(ConnectionError):
            connection.command("EXEC")
    assert server.command("GET", "n") == b"1"


def test_a_cut_reply_is_begun_and_not_ended(server: ValkeyServer, proxy: FaultProxy) -> None:
    proxy.cut_replies(after=2)
    with socket.create_connection((proxy.host, proxy.port), 10) as client:
        client.sendall(b"EVAL \"return redis.call('INCR', 'n') + 41\" 0\r\n*1\r\n$4\r\nEVAL\r\n")
        received = b""
        while data := client.recv(100):
            received += data
    assert received == b":4"
    assert server.command("GET", "n") == b"1"


def test_bytes_travel_alone_and_arrive(proxy: FaultProxy) -> None:
    with through(proxy) as connection:
        proxy.split_bytes()
        assert connection.command("ECHO", "some words") == b"some words"
    assert proxy.counts["split bytes"] > 40


def test_what_is_held_arrives_once_it_is_let_go(proxy: FaultProxy) -> None:
    with through(proxy, timeout=0.2) as connection:
        proxy.hold_replies()
        with pytest.raises(TimeoutError):
            connection.command("ECHO", "held")
    with through(proxy) as connection:
        proxy.clear()
        assert connection.command("PING") == b"PONG"


def test_a_reset_is_no_common_end(proxy: FaultProxy) -> None:
    with through(proxy) as connection:
        connection.command("PING")
        assert proxy.reset_all() == 1
        with pytest.raises(ConnectionResetError):
            connection.command("PING")


async def test_a_black_hole_stays_one_for_those_who_were_in_it(proxy: FaultProxy) -> None:
    with through(proxy, timeout=0.2) as before, through(proxy, timeout=0.2) as beside:
        before.command("PING")
        beside.command("PING")
        proxy.black_hole()
        with through(proxy, timeout=0.2) as within:
            for connection in (before, within):
                with pytest.raises(TimeoutError):
                    connection.command("PING")
            proxy.clear()
            with pytest.raises(TimeoutError):
                beside.command("PING")
    with through(proxy) as after:
        assert after.command("PING") == b"PONG"
    await until(lambda: proxy.open_connections == 0)


def test_requests_that_are_slowed_arrive_in_whole_and_late(proxy: FaultProxy) -> None:
    with through(proxy, timeout=0.3) as connection:
        connection.command("PING")
        proxy.slow_requests(0)
        with pytest.raises(TimeoutError):
            connection.command("PING")
        assert proxy.counts["slowed bytes"] > 0
        proxy.clear()
    with through(proxy) as connection:
        connection.command("PING")
        proxy.slow_requests(1_000_000)
        assert connection.command("SET", "k", "v" * 100_000) == b"OK"
        assert connection.command("GET", "k") == b"v" * 100_000
