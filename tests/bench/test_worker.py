"""One measurement: what is called, checked, timed and counted."""

from __future__ import annotations

import asyncio
import dataclasses
import os
import threading
import time

import pytest
from bench.cells import OURS, RAW, Cell, Kind, Reply
from bench.lag import measured_lags
from bench.measuring import cpu_of, own_cpu, percentiles
from bench.pacing import Due, at_fixed_rate
from bench.runner import MeasurementFailed, measured_apart
from bench.scripts import WrongAnswer, answer_of, check
from bench.worker import Task, measure

from glide_scripts.testing import ValkeyServer

LOAD = Cell(Kind.LOAD, in_flight=3)


def task(server: ValkeyServer, cell: Cell, client: str = OURS) -> Task:
    return Task(cell, client, secs=0.05, port=server.port, pids=[server.pid], rate=500.0)


@pytest.mark.parametrize(
    ("client", "cell"),
    [
        (OURS, LOAD),
        (OURS, dataclasses.replace(LOAD, batch=10)),
        (OURS, dataclasses.replace(LOAD, size=64 << 10)),
        *[(OURS, dataclasses.replace(LOAD, reply=reply)) for reply in Reply],
        (OURS, Cell(Kind.PACED, in_flight=5)),
        (OURS, Cell(Kind.LAG, in_flight=5)),
        (OURS, Cell(Kind.THREADS, in_flight=3)),
        (RAW, Cell(Kind.LAG, in_flight=5)),
        (OURS, dataclasses.replace(LOAD, uvloop=True)),
        (RAW, LOAD),
        (RAW, dataclasses.replace(LOAD, batch=10)),
        (RAW, dataclasses.replace(LOAD, size=1 << 20)),
    ],
    ids=lambda value: value if isinstance(value, str) else value.id,
)
def test_a_cell_is_measured_and_its_answers_are_right(
    server: ValkeyServer, client: str, cell: Cell
) -> None:
    figures = measure(task(server, cell, client))
    assert figures["rate"] > 0
    assert figures["cpu"] > 0
    assert 0 < figures["p50"] <= figures["p99"] <= figures["p999"]


async def test_the_lag_of_a_loop_counts_each_thing_that_was_due_meanwhile() -> None:
    with measured_lags() as lags:
        await asyncio.sleep(0.01)
        time.sleep(0.05)
        await asyncio.sleep(0.01)
    assert max(lags) >= 0.045
    # Calls that were due later waited less.
    assert len([lag for lag in lags if lag >= 0.02]) >= 25


def test_the_server_counts_as_many_scripts_as_are_reported(server: ValkeyServer) -> None:
    figures = measure(task(server, dataclasses.replace(LOAD, batch=10)))
    said = server.command("INFO", "commandstats")
    assert isinstance(said, bytes)
    (line,) = [line for line in said.decode().split("\r\n") if line.startswith("cmdstat_evalsha:")]
    calls = int(line.partition("calls=")[2].partition(",")[0])
    # The server has counted the warm-up calls, too.
    assert 0 < figures["calls"] < calls


def test_a_cold_script_is_called_after_each_flush(server: ValkeyServer) -> None:
    figures = measure(task(server, Cell(Kind.COLD, in_flight=10)))
    assert figures["first"] > 0
    said = server.command("INFO", "commandstats")
    assert b"cmdstat_script|flush:calls=20," in said  # type: ignore[operator]


def test_memory_is_that_of_calls_in_flight_and_the_server_runs_on(server: ValkeyServer) -> None:
    # In a process of its own: this one may reuse memory of earlier tests.
    figures = measured_apart(task(server, Cell(Kind.MEMORY, in_flight=5_000)))
    # A task alone takes some hundred bytes.
    assert 500 < figures["call_bytes"] < 50_000
    assert server.command("PING") == b"PONG"


def test_a_wrong_answer_is_not_measured() -> None:
    check([b"x" * 16] * 10, dataclasses.replace(LOAD, batch=10))
    check(answer_of(LOAD), LOAD)
    for cell, reply in [
        (LOAD, b"x" * 15),
        (LOAD, 16),
        (dataclasses.replace(LOAD, reply=Reply.INT), b"16"),
        (dataclasses.replace(LOAD, batch=10), [b"x" * 16] * 9),
        (dataclasses.replace(LOAD, reply=Reply.MAP), []),
    ]:
        with pytest.raises(WrongAnswer):
            check(reply, cell)


def test_a_failure_in_the_process_is_named(server: ValkeyServer) -> None:
    with pytest.raises(MeasurementFailed, match="KeyError: 'nobody'"):
        measured_apart(task(server, LOAD, "nobody"))


def test_a_task_comes_whole_to_its_process(server: ValkeyServer) -> None:
    sent = task(server, dataclasses.replace(LOAD, reply=Reply.MAP, uvloop=True))
    assert Task.parse(sent.as_json()) == sent


def test_percentiles_are_microseconds() -> None:
    found = percentiles([number / 1e6 for number in range(1001)])
    assert found == pytest.approx({"p50": 500, "p90": 900, "p99": 990, "p999": 999})
    assert set(percentiles([1e-6]).values()) == {1.0}


def test_the_cpu_of_all_threads_counts() -> None:
    before, before_of = own_cpu(), cpu_of([os.getpid()])
    assert before_of is not None
    ended = threading.Event()

    def work() -> None:
        while time.thread_time() < 0.2:
            pass
        ended.set()

    threading.Thread(target=work).start()
    assert ended.wait(60)
    assert own_cpu() - before >= 0.19
    after_of = cpu_of([os.getpid()])
    assert after_of is not None
    assert after_of - before_of >= 0.15


def test_calls_are_due_at_even_distances() -> None:
    due = Due(rate=100, calls=3)
    assert due.next(0.0) == 0.0
    assert due.next(0.009) is None
    assert [due.next(1.0), due.next(1.0), due.next(1.0)] == [0.01, 0.02, None]
    assert due.is_over


async def test_what_waits_for_its_turn_is_timed_from_when_it_was_due() -> None:
    calls = at_once = 0

    async def slow(key: str, value: str | bytes) -> None:
        nonlocal calls, at_once
        calls += 1
        at_once += 1
        assert at_once == 1
        await asyncio.sleep(0.005)
        at_once -= 1

    times = await at_fixed_rate(slow, "", rate=1000, secs=0.02, in_flight=1)
    assert calls == len(times) == 20
    # The last one was due after 19 ms, and began when 19 others had taken 5 ms each.
    assert max(times) >= 20 * 0.005 - 0.019 - 0.001


async def test_a_call_that_fails_fails_the_measurement() -> None:
    async def failing(key: str, value: str | bytes) -> None:
        raise ValueError("it broke")

    with pytest.raises(ValueError, match="it broke"):
        await at_fixed_rate(failing, "", rate=1000, secs=0.01, in_flight=2)
