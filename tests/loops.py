"""The kinds of event loops that tests run on."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, NoReturn, TypeVar

import uvloop

T = TypeVar("T")

Kind = Callable[[], asyncio.AbstractEventLoop]


class LoopWithoutReaders(asyncio.SelectorEventLoop):
    def add_reader(self, *_: object) -> NoReturn:
        raise NotImplementedError


KINDS: list[Kind] = [asyncio.SelectorEventLoop, uvloop.new_event_loop, LoopWithoutReaders]


def run(kind: Kind, main: Coroutine[Any, Any, T]) -> T:
    with asyncio.Runner(loop_factory=kind) as runner:
        return runner.run(main)
