"""What the tests' bodies run on: asyncio, uvloop, and with the same interface threads and trio."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import uvloop
from tests.in_threads import InThreads
from tests.in_trio import InTrio, TrioThread
from tests.loops import Kind, factories

from glide_scripts import ProtocolVersion

LOOP, THREADS, TRIO = "loop", "threads", "trio"
"""The event loop of the test's body itself, and what is behind it."""

MODULES = {
    "standalone.test_batches",
    "standalone.test_commands_on_server",
    "standalone.test_errors",
    "standalone.test_functions",
    "standalone.test_invoke_script",
    "standalone.test_transactions",
    "cluster.test_management",
    "cluster.test_routing",
    "cluster.test_scan",
    "cluster.test_typed_in_cluster",
}
"""Their tests run on all of them. The other modules are about connections, servers and failures,
which the core handles without knowing what its callers run on."""

ONLY_AWAITED = {
    "test_a_batch_under_way_may_be_changed",
    "test_a_cancelled_batch_is_not_written_to_its_end",
    "test_an_argument_that_changes_after_the_call_began_goes_out_as_it_was",
    "test_a_cancelled_transaction_leaves_no_watch",
    "test_a_cancelled_watch_does_not_meet_the_next_transaction",
    "test_a_task_that_is_thrown_away_leaves_no_watch",
    "test_the_connection_is_used_again_by_others",
}
"""What they do to a task has no counterpart in threads, nor between two runtimes."""


class Runtime:
    """Where the clients of one test make their calls."""

    def __init__(self, name: str, trio_thread: TrioThread | None = None) -> None:
        self.name = name
        self._trio = trio_thread

    async def made(self, kind: Any, config: Any) -> Any:
        """A client of this kind. For threads, it is synchronous."""
        if self.name == THREADS:
            return await InThreads.create(kind.__name__, config)
        if self._trio is not None:
            return await InTrio.create(self._trio, kind, config)
        return await kind.create(config)


@contextmanager
def runtime_of(name: str) -> Iterator[Runtime]:
    """The runtime of that name."""
    if name != TRIO:
        yield Runtime(name)
        return
    with TrioThread() as trio_thread:
        yield Runtime(name, trio_thread)


def runs_on_all(module: str) -> bool:
    """Whether a module's tests run on everything."""
    return module.removeprefix("tests.") in MODULES


def runtimes(module: str, test: str) -> list[str]:
    """Where the clients of a test make their calls."""
    if not runs_on_all(module) or test in ONLY_AWAITED:
        return [LOOP]
    return [LOOP, THREADS, TRIO]


def loops(module: str, chosen: str) -> dict[str, Kind]:
    """The loops that a test's body runs on: those of the option `--loops`, and maybe uvloop."""
    return factories(f"{chosen},uvloop" if runs_on_all(module) else chosen)


def is_needed(item: pytest.Item) -> bool:
    """Whether a combination shows anything new.

    A body on uvloop does not, if its calls are made elsewhere; and neither does the old protocol on
    anything but asyncio and threads.
    """
    values: dict[str, object] = getattr(getattr(item, "callspec", None), "params", {})
    runtime = values.get("runtime", LOOP)
    on_uvloop = uvloop.new_event_loop in values.values()
    if on_uvloop and runtime != LOOP:
        return False
    return not (on_uvloop or runtime == TRIO) or ProtocolVersion.RESP2 not in values.values()
