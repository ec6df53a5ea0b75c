"""Scenarios with names of their own: each runs in a process that has an ``/etc/hosts`` of its own.

``python -m tests.faults.own_names SCENARIO ADAPTER SCALE HOSTS`` prints a report as JSON.
"""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import sys
import tempfile
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from tests.faults import adapters
from tests.faults.adapters import Adapter, Settings
from tests.faults.driver import Driver, Verdict
from tests.faults.report import Report
from tests.tls_proxy import copy

from glide_scripts.testing import ValkeyServer
from glide_scripts.testing._accepting import stop_accepting

NAME = "server.test"
_MOUNT = 'mount --bind "$0" /etc/hosts && exec "$@"'


class NoOwnNamesError(Exception):
    """This system cannot give a process its own ``/etc/hosts``."""


async def with_own_names(name: str, make: Callable[[], Adapter], scale: Any) -> Report:
    """The report of one of the scenarios below.

    Raises:
        NoOwnNamesError: It cannot run here; the text says why.
    """
    if shutil.which("unshare") is None:
        raise NoOwnNamesError("there is no program unshare")
    with tempfile.NamedTemporaryFile("w", suffix=".hosts") as hosts:
        own_files = ("unshare", "--mount", *(() if os.geteuid() == 0 else ("--map-root-user",)))
        adapter = make.__name__
        words = (name, adapter, json.dumps(asdict(scale)), hosts.name)
        process = await asyncio.create_subprocess_exec(
            *(*own_files, "sh", "-c", _MOUNT, hosts.name),
            *(sys.executable, "-m", "tests.faults.own_names", *words),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        out, err = await process.communicate()
    if err.startswith((b"unshare:", b"mount:")):
        raise NoOwnNamesError(err.decode().strip())
    assert process.returncode == 0, err.decode()
    report = json.loads(out)
    return Report(**report | {"verdict": Verdict(**report["verdict"])})


async def several_addresses(adapter: Adapter, scale: Any, hosts: Path) -> Report:
    """A server listens only at the last of a name's addresses."""
    hosts.write_text("".join(f"127.0.0.{number} {NAME}\n" for number in (3, 2, 1)))
    losses = min(scale.rounds, 5)
    with ValkeyServer(config={"appendonly": "yes", "appendfsync": "always"}) as server:
        await adapter.connect([(NAME, server.port)], Settings())
        driver = Driver(adapter, [server], callers=8)
        async with driver.running():
            for _ in range(losses):
                await driver.progress(scale.calls)
                server.kill()
                await asyncio.to_thread(server.start)
            await driver.progress(scale.calls)
        await adapter.close()
        return Report(driver.verdict(), {"connections lost": losses})


async def changed_name(adapter: Adapter, scale: Any, hosts: Path) -> Report:
    """A name resolves to another server, and the old server stops."""
    hosts.write_text(f"127.0.0.1 {NAME}\n")
    with ValkeyServer() as old, ValkeyServer() as new:

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            with suppress(OSError):
                up_reader, up_writer = await asyncio.open_connection(new.host, new.port)
                await asyncio.gather(copy(reader, up_writer), copy(up_reader, writer))

        async with await asyncio.start_server(serve, "127.0.0.2", old.port) as listening:
            await adapter.connect([(NAME, old.port)], Settings())
            before = Driver(adapter, [old], callers=8, name="before")
            async with before.running():
                await before.progress(scale.calls)
            verdict = before.verdict()
            hosts.write_text(f"127.0.0.2 {NAME}\n")
            old.stop()
            after = Driver(adapter, [new], callers=8, name="after")
            async with after.running():
                await after.progress(scale.calls)
            await adapter.close()
            await stop_accepting(listening)
            verdict.add(after.verdict())
    return Report(verdict, {"changes": 1})


def main(name: str, adapter: str, scale: str, hosts: str) -> None:
    scenario = {"several_addresses": several_addresses, "changed_name": changed_name}[name]
    made: Adapter = getattr(adapters, adapter)()
    report = asyncio.run(scenario(made, SimpleNamespace(**json.loads(scale)), Path(hosts)))
    print(json.dumps(asdict(report)))


if __name__ == "__main__":
    main(*sys.argv[1:])
