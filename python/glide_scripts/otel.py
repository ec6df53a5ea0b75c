"""OpenTelemetry: a span for each call, and metrics of calls and clients.

    pip install "glide-scripts[otel]"

    observer = OpenTelemetryObserver()
    client = await GlideClient.from_url("valkey://localhost", observer=observer)

Names and attributes follow the semantic conventions for database clients,
https://opentelemetry.io/docs/specs/semconv/database/. A span is named after the command and the
script or function, such as ``EVALSHA rate_limit``; a script without a name is named by the first
eight digits of its SHA1. Keys, arguments, replies and error messages are never recorded.

==================================  ==============================================================
``db.system.name``                  ``valkey``, or the observer's ``system``
``db.namespace``                    the database's number
``db.operation.name``               ``EVALSHA``, ``GET``; for batches ``MULTI``, ``PIPELINE GET``
``db.operation.batch.size``         the number of commands, for batches of several
``db.stored_procedure.name``        the script's or function's name
``server.address``, ``server.port`` the first address of the client's configuration
``network.peer.address``, ``.port`` the server that received the call
``db.response.status_code``         the first word of the server's error, such as ``WRONGTYPE``
``error.type``                      the same, or the class of the exception
``glide_scripts.script.sha1``       the script's SHA1
``glide_scripts.node``              the server that received the call, as ``host:port``
``glide_scripts.eval_fallback``     whether the server lacked the script and EVAL sent its code
``glide_scripts.retries``           how often the call was repeated for another reason
``glide_scripts.from_record``       True if ``once`` returned the reply of an earlier call
==================================  ==============================================================

The metric ``db.client.operation.duration`` is a histogram in seconds. The others, named
``glide_scripts.client.*``, are the counters of ``client.stats()``, summed over all clients of the
observer.
"""

from __future__ import annotations

import threading
import weakref
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import TypeAlias

from . import checks
from ._core import __version__
from .forks import notify_of_forks
from .observing.call import ObservedCall
from .observing.client import Client
from .observing.observer import Observer
from .observing.stats import Stats

try:
    from opentelemetry.metrics import (
        CallbackOptions,
        Histogram,
        Meter,
        MeterProvider,
        Observation,
        get_meter,
    )
    from opentelemetry.trace import (
        Span,
        SpanKind,
        Status,
        StatusCode,
        TracerProvider,
        get_tracer,
        set_span_in_context,
    )
except ModuleNotFoundError as error:
    if not (error.name or "").startswith("opentelemetry"):
        raise
    raise ModuleNotFoundError(
        'OpenTelemetry is not installed: pip install "glide-scripts[otel]"', name=error.name
    ) from None

__all__ = ["OpenTelemetryObserver"]

Attributes: TypeAlias = dict[str, str | int | bool]
Series: TypeAlias = tuple[tuple[str, str | int], ...]
"""The attributes of one of a metric's series."""

# Those that the conventions advise, in seconds.
_BUCKETS = [0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 10]
_SCHEMA = "https://opentelemetry.io/schemas/1.37.0"


class OpenTelemetryObserver(Observer):
    """An observer that creates spans and metrics. One instance can observe many clients.

    Args:
        system: ``db.system.name``: ``"valkey"``, or ``"redis"`` for servers of Redis.
        tracer_provider: Where spans go; None means the global one.
        meter_provider: Where metrics go; None means the global one.
    """

    def __init__(
        self,
        *,
        system: str = "valkey",
        tracer_provider: TracerProvider | None = None,
        meter_provider: MeterProvider | None = None,
    ) -> None:
        checks.of_type("system", system, str, "a str, such as 'valkey'")
        self._system = system
        self._tracer = get_tracer("glide_scripts", __version__, tracer_provider, schema_url=_SCHEMA)
        meter = get_meter("glide_scripts", __version__, meter_provider, schema_url=_SCHEMA)
        self._durations: Histogram = meter.create_histogram(
            "db.client.operation.duration",
            unit="s",
            description="Duration of database client operations",
            explicit_bucket_boundaries_advisory=_BUCKETS,
        )
        self._clients = _Clients(system)
        self._clients.register(meter)

    def client_opened(self, client: Client) -> None:
        self._clients.add(client)

    def client_closed(self, client: Client) -> None:
        self._clients.remove(client)

    def call_started(self, call: ObservedCall) -> None:
        attributes = self._attributes(call)
        if call.sha1 is not None:
            attributes["glide_scripts.script.sha1"] = call.sha1
        # Its parent is the caller's current span.
        call.state = self._tracer.start_span(
            _span_name(call), kind=SpanKind.CLIENT, attributes=attributes
        )

    def call_ended(self, call: ObservedCall) -> None:
        attributes = self._attributes(call)
        if call.code is not None:
            attributes["db.response.status_code"] = call.code
        if call.error is not None:
            attributes["error.type"] = call.code or _class_name(call.error)
        span: Span = call.state
        self._durations.record(call.duration, attributes, set_span_in_context(span))
        if span.is_recording():
            self._finish(span, call, attributes)
        span.end()

    def _finish(self, span: Span, call: ObservedCall, attributes: Attributes) -> None:
        if call.node is not None:
            host, port = call.node
            attributes["network.peer.address"] = attributes["glide_scripts.node"] = host
            if port is not None:
                attributes["network.peer.port"] = port
                shown = f"[{host}]" if ":" in host else host
                attributes["glide_scripts.node"] = f"{shown}:{port}"
        if call.sha1 is not None:
            attributes["glide_scripts.eval_fallback"] = call.eval_fallback
            if call.from_record:
                attributes["glide_scripts.from_record"] = True
        if call.batch_size is None:
            attributes["glide_scripts.retries"] = call.retries
        span.set_attributes(attributes)
        if call.error is not None:
            span.set_status(Status(StatusCode.ERROR, _class_name(call.error)))

    def _attributes(self, call: ObservedCall) -> Attributes:
        attributes: Attributes = {
            "db.system.name": self._system,
            "db.namespace": str(call.database),
            "db.operation.name": _operation(call),
            "server.address": call.server[0],
        }
        if call.server[1] is not None:
            attributes["server.port"] = call.server[1]
        if call.name is not None:
            attributes["db.stored_procedure.name"] = call.name
        if call.batch_size is not None and call.batch_size > 1:
            attributes["db.operation.batch.size"] = call.batch_size
        return attributes


def _operation(call: ObservedCall) -> str:
    # The conventions: a batch of one command is reported as that command.
    return call.operation.split(" ", 1)[-1] if call.batch_size == 1 else call.operation


def _span_name(call: ObservedCall) -> str:
    target = call.name or (call.sha1 or "")[:8]
    return f"{_operation(call)} {target}" if target else _operation(call)


def _class_name(error: type[BaseException]) -> str:
    module = error.__module__.split("._", 1)[0]
    return error.__qualname__ if module == "builtins" else f"{module}.{error.__qualname__}"


@dataclass(frozen=True)
class _Metric:
    """A counter of ``client.stats()`` as a metric."""

    name: str
    unit: str
    description: str
    read: Callable[[Stats], Iterable[tuple[Series, int]]]
    only_grows: bool = True


def _number(name: str) -> Callable[[Stats], Iterable[tuple[Series, int]]]:
    return lambda stats: [((), getattr(stats, name))]


def _by_error(stats: Stats) -> Iterable[tuple[Series, int]]:
    for name, count in stats.errors.items():
        yield (("error.type", f"glide_scripts.{name}"),), count


def _by_node(name: str) -> Callable[[Stats], Iterable[tuple[Series, int]]]:
    def read(stats: Stats) -> Iterable[tuple[Series, int]]:
        for node, counts in stats.nodes.items():
            yield (("glide_scripts.node", node),), getattr(counts, name)

    return read


_METRICS = (
    _Metric("calls", "{call}", "Finished calls; each command of a batch counts as one",
            _number("calls")),
    _Metric("errors", "{call}", "Calls that ended in an error", _by_error),
    _Metric("evalsha.hits", "{call}", "Script calls for cached scripts", _number("evalsha_hits")),
    _Metric("evalsha.misses", "{call}", "Script calls that sent code", _number("evalsha_misses")),
    _Metric("taught", "{script}", "Scripts loaded on servers", _number("taught")),
    _Metric("answered_from_records", "{call}", "Calls answered from records of earlier calls",
            _number("answered_from_records")),
    _Metric("redirects", "{redirect}", "Redirects from nodes", _number("redirects")),
    _Metric("reconnects", "{connection}", "Lost connections", _by_node("reconnects")),
    _Metric("requests", "{request}", "Requests written", _by_node("requests")),
    _Metric("bytes.sent", "By", "Bytes written", _by_node("bytes_sent")),
    _Metric("bytes.received", "By", "Bytes read", _by_node("bytes_received")),
    _Metric("in_flight", "{request}", "Requests in flight", _by_node("in_flight"),
            only_grows=False),
    _Metric("pending_bytes", "By", "Bytes waiting to be written", _number("pending_bytes"),
            only_grows=False),
)  # fmt: skip


class _Clients:
    """The clients of an observer, and the counters of closed ones."""

    def __init__(self, system: str) -> None:
        self._system = system
        self._begin()
        notify_of_forks(self)

    def _begin(self) -> None:
        self._open: weakref.WeakSet[Client] = weakref.WeakSet()
        self._closed: dict[str, Counter[Series]] = {each.name: Counter() for each in _METRICS}
        # Metrics are read on another thread.
        self._lock = threading.Lock()

    def _forked(self) -> None:
        """In a child process: the clients and what they counted are the parent's."""
        # The lock, too: another thread of the parent may have held it.
        self._begin()

    def add(self, client: Client) -> None:
        with self._lock:
            self._open.add(client)

    def remove(self, client: Client) -> None:
        with self._lock:
            if client not in self._open:  # the parent's, in a child process
                return
        stats = client.stats()
        with self._lock:
            self._open.discard(client)
            for metric in _METRICS:
                if metric.only_grows:
                    self._closed[metric.name].update(dict(metric.read(stats)))

    def register(self, meter: Meter) -> None:
        """Register each metric with a meter."""
        for metric in _METRICS:
            create = (
                meter.create_observable_counter
                if metric.only_grows
                else meter.create_observable_up_down_counter
            )
            create(
                f"glide_scripts.client.{metric.name}",
                [self._callback(metric)],
                unit=metric.unit,
                description=metric.description,
            )

    def _callback(self, metric: _Metric) -> Callable[[CallbackOptions], Iterable[Observation]]:
        def observations(options: CallbackOptions) -> Iterator[Observation]:
            with self._lock:
                counts = self._closed[metric.name].copy()
                for client in self._open:
                    for series, count in metric.read(client.stats()):
                        counts[series] += count
            for series, count in counts.items():
                yield Observation(count, {"db.system.name": self._system, **dict(series)})

        return observations
