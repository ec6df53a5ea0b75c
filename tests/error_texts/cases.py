"""Scripts that fail, how they are called, and the servers' words for it."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.waiting import block_until

from glide_scripts import ScriptLibrary, TypedScript
from glide_scripts.testing import ValkeyCluster, ValkeyServer
from glide_scripts.testing._wire import ServerReplyError

HERE = Path(__file__).parent
ENDLESS = "while true do end"
# It differs from the keys of all cases.
SLOT_OF_OTHER = ValkeyCluster.key_slot("other")


@dataclass(frozen=True)
class Case:
    """One script of the folder, and a call of it that fails."""

    name: str
    arguments: dict[str, Any]
    before: tuple[tuple[str, ...], ...] = ()
    """Commands that a server gets before the call."""
    around: Callable[[ValkeyServer], contextlib.AbstractContextManager[None]] | None = None
    """What happens on the server while it is called; None: nothing."""
    config: tuple[tuple[str, str], ...] = ()
    """Further settings of the server."""
    script_is_retried: bool = False
    """Whether a client of a real server tries again until its deadline."""

    def script(self) -> TypedScript[..., Any]:
        """The script; the current folder has to be this one."""
        script: TypedScript[..., Any] = getattr(ScriptLibrary.from_directory("scripts"), self.name)
        return script


def is_busy(server: ValkeyServer) -> bool:
    try:
        server.command("PING")
    except ServerReplyError as error:
        return error.code == "BUSY"
    return False


@contextlib.contextmanager
def killing(server: ValkeyServer) -> Iterator[None]:
    """Stops the script that is called, once it can be stopped."""

    def kill() -> None:
        block_until(lambda: is_busy(server))
        server.command("SCRIPT", "KILL")

    thread = threading.Thread(target=kill)
    thread.start()
    yield
    thread.join()


@contextlib.contextmanager
def occupied(server: ValkeyServer) -> Iterator[None]:
    """Another script keeps the server busy."""

    def run() -> None:
        with contextlib.suppress(ServerReplyError):
            server.command("EVAL", ENDLESS, "0", timeout=60.0)

    thread = threading.Thread(target=run)
    thread.start()
    block_until(lambda: is_busy(server))
    yield
    server.command("SCRIPT", "KILL")
    thread.join()


BUSY_SOON = (("lua-time-limit", "10"),)

CASES = [
    Case("index_nil", {"user": "u1", "field": "city"}, (("SET", "u1", "{}"),)),
    Case("missing_key", {"stock": "apples", "count": 1}),
    Case("arithmetic_on_nil", {"stock": "apples", "count": 1}),
    Case("concatenate_nil", {"user": "u1"}),
    Case("compare", {"user": "u1", "limit": 10}),
    Case(
        "wrong_type",
        {"queue": "jobs", "item": "x" * 100, "token": "hunter2"},
        (("SET", "jobs", "text"),),
    ),
    Case("unknown_command", {"user": "u1"}),
    Case("wrong_arity", {"user": "u1"}),
    Case("unpack", {"items": [f"{{items}}:{index}" for index in range(12)]}),
    Case("included", {"user": "u1", "amounts": [1, 2]}),
    Case("syntax", {"user": "u1"}),
    Case("syntax_unclosed", {"user": "u1"}),
    Case("raised", {"user": "u1", "pin": "0472"}),
    Case("own_code", {"sku": "7", "note": "line one\nline two"}),
    Case("out_of_memory", {"user": "u1", "value": "v"}, (("CONFIG", "SET", "maxmemory", "1"),)),
    Case(
        "read_only_replica",
        {"user": "u1"},
        (("REPLICAOF", "127.0.0.1", "1"),),
        script_is_retried=True,
    ),
    Case(
        "non_local_key",
        {"user": "u1"},
        tuple(
            ("CLUSTER", "ADDSLOTS", *map(str, slots))
            for slots in (range(SLOT_OF_OTHER), range(SLOT_OF_OTHER + 1, 16384))
        ),
        config=(("cluster-enabled", "yes"), ("cluster-require-full-coverage", "no")),
    ),
    Case("killed", {"user": "u1"}, around=killing, config=BUSY_SOON),
    Case("busy", {"user": "u1"}, around=occupied, config=BUSY_SOON),
]
