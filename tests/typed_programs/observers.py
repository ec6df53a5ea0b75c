"""Observers, statistics and OpenTelemetry."""

from __future__ import annotations

from collections import Counter

from glide_scripts import (
    GlideClient,
    GlideClientConfiguration,
    Latency,
    NodeAddress,
    NodeStats,
    ObservedCall,
    Observer,
    Stats,
)
from glide_scripts.otel import OpenTelemetryObserver


class Counting(Observer):
    def __init__(self) -> None:
        self.errors: Counter[str] = Counter()

    def call_started(self, call: ObservedCall) -> None:
        call.state = call.operation

    def call_ended(self, call: ObservedCall) -> None:
        if call.error is not None:
            self.errors[call.error.__name__] += 1
        if call.node is not None:
            host, port = call.node
            print(host, port, call.duration, call.retries, call.eval_fallback, call.batch_size)


async def main() -> None:
    observer = Counting()
    config = GlideClientConfiguration([NodeAddress()], observer=observer)
    async with await GlideClient.create(config) as client:
        await client.ping()
        stats: Stats = client.stats()
        node: NodeStats = stats.nodes["localhost:6379"]
        latency: Latency = node.latency
        print(stats.calls, stats.errors.get("TimeoutError", 0), latency.p99, node.in_flight)
    async with await GlideClient.from_url("redis://h", observer=OpenTelemetryObserver()) as client:
        await client.get("k")
