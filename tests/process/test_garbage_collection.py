"""Collections of garbage that Python begins while a call starts."""

from __future__ import annotations

import gc
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

import pytest

from glide_scripts import GlideClient, Script, sync
from glide_scripts.testing import ValkeyServer

ECHO = Script("return ARGV[1]")
PAUSE = 1.5
TIMEOUT = 1000


@contextmanager
def slow_collection(number: int) -> Iterator[None]:
    """Have a collection take longer than a call's timeout: the one of that number while it starts.

    One begins for each object that the call makes, and there is a second only if the loop polls for
    the reply. From Python 3.12 on, none begins within a function of the core.
    """
    begun = 0

    def pause(phase: str, _: dict[str, int]) -> None:
        nonlocal begun
        if phase == "start":
            begun += 1
            if begun == number:
                time.sleep(PAUSE)

    def profile(_: FrameType, event: str, function: Any) -> None:
        if getattr(function, "__name__", "") == "invoke_script":
            if event == "c_call":
                gc.enable()
            elif event == "c_return":
                gc.disable()

    threshold = gc.get_threshold()
    gc.collect()
    gc.disable()
    gc.set_threshold(1, *threshold[1:])
    gc.callbacks.append(pause)
    sys.setprofile(profile)
    try:
        yield
        assert begun or sys.version_info >= (3, 12)
    finally:
        sys.setprofile(None)
        gc.callbacks.remove(pause)
        gc.set_threshold(*threshold)
        gc.enable()


@pytest.mark.parametrize("number", [1, 2])
async def test_a_collection_before_a_call_is_sent_is_not_its_time(
    server: ValkeyServer, number: int
) -> None:
    async with await GlideClient.from_url(server.url) as client:
        await client.invoke_script(ECHO, args=["a"])
        with slow_collection(number):
            assert await client.invoke_script(ECHO, args=["a"], timeout=TIMEOUT) == b"a"


def test_a_collection_before_a_call_of_a_thread_is_sent_is_not_its_time(
    server: ValkeyServer,
) -> None:
    with sync.GlideClient.from_url(server.url) as client:
        client.invoke_script(ECHO, args=["a"])
        with slow_collection(1):
            assert client.invoke_script(ECHO, args=["a"], timeout=TIMEOUT) == b"a"
