"""The spans and the metrics of OpenTelemetry."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Mapping
from typing import Any

import pytest
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import HistogramDataPoint, InMemoryMetricReader
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode, get_current_span
from tests.conftest import Connect
from tests.programs import run_program
from tests.waiting import until

from glide_scripts import Batch, GlideClient, Script, ScriptError, TimeoutError
from glide_scripts.otel import OpenTelemetryObserver
from glide_scripts.testing import ServerFaults, ValkeyServer

ADD = Script("return redis.call('INCRBY', KEYS[1], ARGV[1])", name="add")


class Telemetry:
    """An observer whose spans and metrics are kept in memory."""

    def __init__(self) -> None:
        self._exporter, self._reader = InMemorySpanExporter(), InMemoryMetricReader()
        self.tracers = TracerProvider()
        self.tracers.add_span_processor(SimpleSpanProcessor(self._exporter))
        meters = MeterProvider([self._reader])
        self.observer = OpenTelemetryObserver(tracer_provider=self.tracers, meter_provider=meters)

    @property
    def spans(self) -> tuple[ReadableSpan, ...]:
        return self._exporter.get_finished_spans()

    def points(self, name: str) -> list[Any]:
        data = self._reader.get_metrics_data()
        assert data is not None
        return [
            point
            for resource in data.resource_metrics
            for scope in resource.scope_metrics
            for metric in scope.metrics
            if metric.name == name
            for point in metric.data.data_points
        ]

    def count(self, name: str, **attributes: str) -> int:
        wanted = {key.replace("_", "."): value for key, value in attributes.items()}
        return sum(
            point.value for point in self.points(name) if wanted.items() <= point.attributes.items()
        )


@pytest.fixture
def telemetry() -> Telemetry:
    return Telemetry()


@pytest.fixture
async def traced(server: ValkeyServer, connect: Connect, telemetry: Telemetry) -> GlideClient:
    return await connect(server, observer=telemetry.observer)


def attributes(span: ReadableSpan) -> Mapping[str, Any]:
    return dict(span.attributes or {})


async def test_a_span_is_named_after_the_script_and_tells_of_its_way(
    server: ValkeyServer, traced: GlideClient, telemetry: Telemetry
) -> None:
    await traced.invoke_script(ADD, ["n"], ["1"])
    await traced.invoke_script(ADD, ["n"], ["1"])
    await traced.invoke_script(Script("return 1", read_only=True))
    first, second, nameless = telemetry.spans
    assert (first.name, second.name) == ("EVALSHA add", "EVALSHA add")
    assert nameless.name == "EVALSHA_RO e0e1f9fa"
    assert first.kind is SpanKind.CLIENT
    assert first.status.status_code is StatusCode.UNSET
    assert attributes(first) == {
        "db.system.name": "valkey",
        "db.namespace": "0",
        "db.operation.name": "EVALSHA",
        "db.stored_procedure.name": "add",
        "server.address": server.host,
        "server.port": server.port,
        "network.peer.address": server.host,
        "network.peer.port": server.port,
        "glide_scripts.script.sha1": ADD.hash,
        "glide_scripts.node": f"{server.host}:{server.port}",
        "glide_scripts.eval_fallback": True,
        "glide_scripts.retries": 0,
    }
    assert attributes(second)["glide_scripts.eval_fallback"] is False


async def test_a_span_tells_that_a_reply_is_of_an_earlier_call(
    traced: GlideClient, telemetry: Telemetry
) -> None:
    for _ in range(2):
        await traced.invoke_script(ADD, ["n"], ["1"], once="order")
    told = [attributes(span).get("glide_scripts.from_record") for span in telemetry.spans]
    assert told == [None, True]


async def test_a_span_s_parent_is_the_caller_s_over_await_and_in_tasks(
    traced: GlideClient, telemetry: Telemetry
) -> None:
    tracer = telemetry.tracers.get_tracer("test")

    async def work(name: str) -> None:
        with tracer.start_as_current_span(name) as span:
            await traced.invoke_script(ADD, ["n"], ["1"])
            assert get_current_span() is span
            await asyncio.create_task(traced.get("n"))
            assert get_current_span() is span

    await asyncio.gather(work("one"), work("other"))
    await traced.get("n")
    ids = {span.name: span.context.span_id for span in telemetry.spans if span.context}
    parents = sorted(
        (span.name, span.parent.span_id) for span in telemetry.spans if span.parent is not None
    )
    assert parents == sorted(
        (call, ids[name]) for call in ("EVALSHA add", "GET") for name in ("one", "other")
    )
    assert telemetry.spans[-1].parent is None


async def test_a_batch_is_one_span(traced: GlideClient, telemetry: Telemetry) -> None:
    pipeline = Batch(is_atomic=False)
    pipeline.invoke_script(ADD, ["n"], ["1"])
    pipeline.invoke_script(ADD, ["n"], ["1"])
    await traced.exec(pipeline, raise_on_error=True)
    await traced.exec(Batch(is_atomic=True).get("n").set("n", "1"), raise_on_error=True)
    await traced.exec(Batch(is_atomic=False).get("n"), raise_on_error=True)
    scripts, transaction, single = telemetry.spans
    assert scripts.name == "PIPELINE EVALSHA add"
    assert attributes(scripts)["db.operation.batch.size"] == 2
    assert attributes(scripts)["db.stored_procedure.name"] == "add"
    assert transaction.name == attributes(transaction)["db.operation.name"] == "MULTI"
    assert attributes(transaction)["db.operation.batch.size"] == 2
    assert single.name == "GET"
    assert "db.operation.batch.size" not in attributes(single)


async def test_errors_are_told_without_their_words(
    server: ValkeyServer, telemetry: Telemetry
) -> None:
    with ServerFaults(server) as faults:
        async with await GlideClient.from_url(faults.url, observer=telemetry.observer) as client:
            with pytest.raises(ScriptError, match="none left"):
                await client.invoke_script(Script("return {err = 'SOLD_OUT none left'}"))
            server.pause()
            with pytest.raises(TimeoutError):
                await client.invoke_script(ADD, ["n"], ["1"], timeout=50)
            server.resume()
    refused, late = telemetry.spans
    assert attributes(refused)["db.response.status_code"] == "SOLD_OUT"
    assert attributes(refused)["error.type"] == "SOLD_OUT"
    assert refused.status.status_code is StatusCode.ERROR
    assert refused.status.description == "glide_scripts.ScriptError"
    assert "none left" not in refused.to_json()
    assert attributes(late)["error.type"] == "glide_scripts.TimeoutError"
    assert "db.response.status_code" not in attributes(late)


async def test_retries_are_told(server: ValkeyServer, telemetry: Telemetry) -> None:
    again = Script("return redis.call('INCR', KEYS[1])", idempotent=True)
    with ServerFaults(server) as faults:
        async with await GlideClient.from_url(faults.url, observer=telemetry.observer) as client:
            faults.lose_replies()
            assert await client.invoke_script(again, ["n"]) == 2
    (span,) = telemetry.spans
    assert attributes(span)["glide_scripts.eval_fallback"] is True
    assert attributes(span)["glide_scripts.retries"] == 1


async def test_durations_are_a_histogram_in_seconds(
    traced: GlideClient, telemetry: Telemetry
) -> None:
    for _ in range(5):
        await traced.invoke_script(ADD, ["n"], ["1"])
    with pytest.raises(ScriptError):
        await traced.invoke_script(ADD, ["n"], ["x"])
    points: list[HistogramDataPoint] = telemetry.points("db.client.operation.duration")
    well, badly = sorted(points, key=lambda point: -point.count)
    assert (well.count, badly.count) == (5, 1)
    assert tuple(well.explicit_bounds) == (0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 10)
    assert 0 < well.sum < 60
    assert badly.attributes is not None
    assert badly.attributes["error.type"] == "ERR"
    assert badly.attributes["db.stored_procedure.name"] == "add"


async def test_what_clients_count_is_told_also_of_those_that_are_closed(
    server: ValkeyServer, telemetry: Telemetry
) -> None:
    node = f"{server.host}:{server.port}"

    async def call(client: GlideClient) -> None:
        await client.invoke_script(ADD, ["n"], ["1"])
        await client.invoke_script(ADD, ["n"], ["1"])
        with pytest.raises(ScriptError):
            await client.invoke_script(ADD, ["n"], ["x"])

    def told() -> list[int]:
        metrics = ("calls", "errors", "evalsha.hits", "evalsha.misses", "requests", "reconnects")
        return [telemetry.count(f"glide_scripts.client.{name}") for name in metrics]

    async with await GlideClient.from_url(server.url, observer=telemetry.observer) as one:
        await call(one)
        # The I/O thread counts a burst after it has handed over the replies.
        await until(lambda: one.stats().in_flight == 0)
        stats = one.stats()
        assert told() == [
            *(stats.calls, sum(stats.errors.values()), stats.evalsha_hits, stats.evalsha_misses),
            *(stats.nodes[node].requests, stats.reconnects),
        ]
        assert told()[:4] == [3, 1, 1, 1]
        async with await GlideClient.from_url(server.url, observer=telemetry.observer) as other:
            await call(other)
            await until(lambda: other.stats().in_flight == 0)
            both = told()
            assert both[:2] == [6, 2]
    assert told() == both
    assert (
        telemetry.count("glide_scripts.client.errors", error_type="glide_scripts.ScriptError") == 2
    )
    assert [point.value for point in telemetry.points("glide_scripts.client.in_flight")] == []


def test_what_is_no_name_of_a_system_is_refused() -> None:
    with pytest.raises(TypeError, match="system is int; pass a str, such as 'valkey'"):
        OpenTelemetryObserver(system=7)  # type: ignore[arg-type]


def run(program: str) -> str:
    command = [sys.executable, "-W", "error", "-c", program]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def test_without_an_observer_opentelemetry_is_not_imported() -> None:
    program = """
import asyncio, sys
from glide_scripts import GlideClient, Script
from glide_scripts.testing import ValkeyServer

async def main():
    with ValkeyServer() as server:
        async with await GlideClient.from_url(server.url) as client:
            print(await client.invoke_script(Script("return 1")))

asyncio.run(main())
print([name for name in sys.modules if name.startswith("opentelemetry")])
"""
    assert run(program).split("\n") == ["1", "[]"]


def test_where_it_is_not_installed_the_text_says_what_to_install() -> None:
    program = """
import sys
sys.modules["opentelemetry"] = None
try:
    import glide_scripts.otel
except ModuleNotFoundError as error:
    print(error)
"""
    assert run(program) == 'OpenTelemetry is not installed: pip install "glide-scripts[otel]"'


@pytest.mark.skipif(sys.platform == "win32", reason="it forks")
def test_a_child_process_counts_its_own_clients_only(server: ValkeyServer) -> None:
    program = """
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from glide_scripts.otel import OpenTelemetryObserver
from glide_scripts.sync import GlideClient

reader = InMemoryMetricReader()
observer = OpenTelemetryObserver(meter_provider=MeterProvider([reader]))

def calls():
    metrics = reader.get_metrics_data().resource_metrics[0].scope_metrics[0].metrics
    counted = [metric for metric in metrics if metric.name == "glide_scripts.client.calls"]
    return [point.value for metric in counted for point in metric.data.data_points]

client = GlideClient.from_url(URL, observer=observer)
client.ping()
client.ping()
# As a thread that reads the metrics may hold it.
observer._clients._lock.acquire()
if (child := os.fork()) == 0:
    signal.alarm(20)
    with GlideClient.from_url(URL, observer=observer) as own:
        own.ping()
        print(calls(), flush=True)
    client.close()
    print(calls(), flush=True)
    os._exit(0)
observer._clients._lock.release()
assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
print(calls())
client.close()
"""
    assert run_program(program, server.url) == "[1]\n[1]\n[2]\n"
