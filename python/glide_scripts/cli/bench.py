"""``glide-scripts bench FILE``: load on one script, and how long its calls take."""

import asyncio
import contextlib
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from .. import ScriptError
from .. import TimeoutError as CallTimeoutError
from . import _options
from ._call_arguments import fit
from ._callee import callee
from ._failure import FAILED, Failure, script_error_text
from ._origin import Origin, origin
from ._seed import seed
from ._servers import Servers, servers

if TYPE_CHECKING:
    from ._workload import Plan

DURATION = 10.0  # seconds
# Milliseconds. A server that stands still shows as latency, and not as errors.
_PATIENCE = 60_000
# Nothing else is in flight, and a script that never ends would block the command.
_FIRST_PATIENCE = 5_000


def command(
    file: _options.File = None,
    *,
    code: _options.Code = None,
    root: _options.Root = None,
    function: _options.Function = None,
    keys: _options.Keys = None,
    args: _options.Args = None,
    url: _options.Urls = None,
    cluster: _options.Cluster = False,
    setup: _options.Setup = None,
    data: _options.Data = None,
    fill: _options.Fill = False,
    concurrency: Annotated[
        int,
        typer.Option(metavar="N", min=1, help="The number of calls in flight, over all clients."),
    ] = 50,
    clients: Annotated[
        int,
        typer.Option(
            metavar="N", min=1, help="The number of clients, each with its own connections."
        ),
    ] = 1,
    duration: Annotated[
        float | None,
        typer.Option(
            metavar="S", min=0.1, max=1e6, help=f"The duration in seconds. Default: {DURATION:g}."
        ),
    ] = None,
    calls: Annotated[
        int | None,
        typer.Option(metavar="N", min=1, help="The number of calls, instead of a duration."),
    ] = None,
    rate: Annotated[
        float | None,
        typer.Option(
            metavar="N",
            min=0.1,
            max=1e9,
            help="Calls to start per second. Default: as many as possible.",
        ),
    ] = None,
    svg: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Draw the latencies into an SVG file.")
    ] = None,
    as_json: Annotated[
        bool, _options.json_option("Print one JSON object instead of text.")
    ] = False,
    traceback: _options.Traceback = False,
) -> None:
    """Call a script repeatedly, and show the latencies.

    In --key and --arg, {n} is the call's number, and {rand:1000} is a random number from 0 to 999;
    other braces are kept. The first call, number 0, loads the script and is not counted. It must
    finish within 5 seconds, or within the URL's timeout.

    Without --rate, --concurrency calls are always in flight, and latency is measured from sending
    the call. With --rate, each call is due at a fixed time, and its latency is measured from that
    time, even if it starts late because earlier calls were slow (this accounts for coordinated
    omission). Waiting for these times keeps one core busy. Percentiles are exact to 0.1 %.

    Part of each call's time is Python's; INFO commandstats has the server's part alone. The live
    display takes some milliseconds twice per second: for exact high percentiles, pipe the output,
    or use --json.

    Exit codes: 0 success; 1 the script or a request failed; 2 wrong usage, or no server could be
    reached; 130 interrupted, after printing the figures so far.
    """
    from ._workload import Plan, templates  # noqa: PLC0415 - saves time at import

    if svg is not None and not svg.parent.is_dir():
        raise typer.BadParameter(f"there is no folder {svg.parent}", param_hint="--svg")
    if clients > concurrency:
        why = f"{clients} clients are more than the {concurrency} calls in flight"
        raise typer.BadParameter(why, param_hint="--clients")
    if calls is not None and duration is not None:
        raise typer.BadParameter("it cannot be combined with --calls", param_hint="--duration")
    given = templates(keys, args)
    source = origin(file, code, root)
    called = callee(source, function)
    fit(called.script, source, *([each.fill(0) for each in words] for words in given))
    plan = Plan(
        called,
        *given,
        concurrency,
        DURATION if duration is None else duration,
        calls,
        rate,
    )
    filling = seed(setup, data, root=root, urls=url, cluster=cluster, may_fill=fill)
    target = servers(url, cluster=cluster, seed=filling)
    bench = _bench(plan, origin=source, targets=target, clients=clients, svg=svg, as_json=as_json)
    asyncio.run(bench)


async def _bench(
    plan: "Plan",
    *,
    origin: Origin,
    targets: contextlib.AbstractAsyncContextManager[Servers],
    clients: int,
    svg: Path | None,
    as_json: bool,
) -> None:
    from ._report import Report, waiting, watched  # noqa: PLC0415 - saves time at import
    from ._workload import Workload  # noqa: PLC0415 - saves time at import

    async with contextlib.AsyncExitStack() as stack:
        target = await stack.enter_async_context(targets)
        made = []
        for _ in range(clients):
            client = await target.connect(**_settings(target, plan))
            await stack.enter_async_context(client)
            made.append(client)
        await plan.called.prepare(made[0], target)
        load = Workload(plan, made)
        timeout = target.settings.get("request_timeout", _FIRST_PATIENCE)
        try:
            with contextlib.nullcontext() if as_json else waiting("waiting for the first call"):
                await load.first_call(timeout)
        except CallTimeoutError as error:
            why = f"the first call got no reply within {timeout / 1000:g} s"
            raise Failure(
                f"{origin}: {why}; valkey://host?timeout=MS waits longer", FAILED
            ) from error
        except ScriptError as error:
            raise Failure(script_error_text(error, origin), FAILED) from error
        report = Report(load, str(origin), len(made))
        try:
            await (load.run() if as_json else watched(load))
        finally:
            # What there is by then, also after Ctrl-C.
            report.print(as_json=as_json)
            if svg is not None and load.result.histogram.count:
                report.draw(svg)
    if load.result.errors:
        first = next(iter(load.result.errors))
        failed = f"{load.result.errors.total():,} of {load.result.calls:,} calls failed"
        raise Failure(f"{failed}; the first one: {first}", FAILED)


def _settings(target: Servers, plan: "Plan") -> dict[str, int]:
    settings = {"inflight_requests_limit": max(plan.concurrency, 1000)}
    if "request_timeout" not in target.settings:
        settings["request_timeout"] = _PATIENCE
    return settings
