"""The kinds of event loops that tests run on."""

import asyncio
import sys
from collections.abc import Callable, Coroutine
from typing import Any, NoReturn, TypeVar

import pytest
import uvloop

T = TypeVar("T")

Kind = Callable[[], asyncio.AbstractEventLoop]


class LoopWithoutReaders(asyncio.SelectorEventLoop):
    def add_reader(self, *_: object) -> NoReturn:
        raise NotImplementedError


def eager_loop() -> asyncio.AbstractEventLoop:
    """A loop whose tasks begin when they are made, from Python 3.12 on."""
    if sys.version_info < (3, 12):
        raise NotImplementedError("eager tasks need Python 3.12")
    loop = asyncio.SelectorEventLoop()
    loop.set_task_factory(asyncio.eager_task_factory)
    return loop


FACTORIES: dict[str, Kind] = {"asyncio": asyncio.SelectorEventLoop, "uvloop": uvloop.new_event_loop}
"""What the option `--loops` may name."""

if sys.version_info >= (3, 12):
    FACTORIES["eager"] = eager_loop

KINDS: list[Kind] = [*FACTORIES.values(), LoopWithoutReaders]


def factories(names: str) -> dict[str, Kind]:
    """The kinds that the option `--loops` names, with commas between them."""
    if unknown := set(names.split(",")) - FACTORIES.keys():
        raise pytest.UsageError(f"--loops: {unknown} is none of {', '.join(FACTORIES)}")
    return {name: FACTORIES[name] for name in names.split(",")}


def run(kind: Kind, main: Coroutine[Any, Any, T]) -> T:
    with asyncio.Runner(loop_factory=kind) as runner:
        return runner.run(main)
