"""Asking the application where to connect to a server."""

from __future__ import annotations

import inspect
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

from .._core import AddressAnswer
from ..config.address_map import Target, parse_address
from ..config.node_address import NodeAddress
from .callbacks import in_daemon, refuse_async
from .running import running
from .runtime import Background

Function = Callable[[NodeAddress], Target | Awaitable[Target]]


def source(address_map: Function, is_blocking: bool) -> BaseAddressSource:
    """Return the core's callback for where to connect.

    Raises:
        ConfigurationError: The client is synchronous and the function is async.
    """
    if not is_blocking:
        return AddressSource(address_map)
    refuse_async("address_map", address_map, "the address, or a dict")
    return BlockingAddressSource(address_map)


class BaseAddressSource(ABC):
    """The callback of the core for where to connect to a server."""

    def __init__(self, address_map: Function) -> None:
        self._address_map = address_map

    @abstractmethod
    def __call__(self, host: str, port: int, answer: AddressAnswer) -> None:
        """Have the function asked for the answer."""

    @abstractmethod
    def close(self) -> None:
        """Stop asking."""


class AddressSource(BaseAddressSource):
    """Is called where its client's calls are awaited, and calls the function there."""

    def __init__(self, address_map: Function) -> None:
        super().__init__(address_map)
        self._asking: list[Background] = []

    def __call__(self, host: str, port: int, answer: AddressAnswer) -> None:
        # A task even if the function is not async: what it raises must not reach the caller.
        self._asking = [asking for asking in self._asking if not asking.done()]
        self._asking.append(running().start(partial(self._ask, host, port, answer)))

    def close(self) -> None:
        for asking in self._asking:
            asking.cancel()

    async def _ask(self, host: str, port: int, answer: AddressAnswer) -> None:
        try:
            address = NodeAddress(host, port)
            # A user's function may return a value of any type.
            target: Any = self._address_map(address)
            if isinstance(target, Awaitable):
                target = await target
        except BaseException as error:
            _fail(answer, error)
            if not isinstance(error, Exception):
                raise
        else:
            _give(answer, address, target)


class BlockingAddressSource(BaseAddressSource):
    """Is called in any thread, and calls the function in one of its own."""

    def __call__(self, host: str, port: int, answer: AddressAnswer) -> None:
        in_daemon(partial(self._ask, host, port, answer), partial(_fail, answer))

    def close(self) -> None:
        """A function that is running goes on; its answer is dropped."""

    def _ask(self, host: str, port: int, answer: AddressAnswer) -> None:
        try:
            address = NodeAddress(host, port)
            target: object = self._address_map(address)
        except BaseException as error:
            _fail(answer, error)
        else:
            if inspect.iscoroutine(target):
                target.close()
            _give(answer, address, target)


def _fail(answer: AddressAnswer, error: BaseException) -> None:
    text = f": {error}" if str(error) else ""
    answer.fail(f"address_map raised {type(error).__name__}{text}")


def _give(answer: AddressAnswer, address: NodeAddress, target: object) -> None:
    """Give what the function returned, or say what is wrong with it."""
    if target is None:
        target = address
    elif isinstance(target, str):
        try:
            target = parse_address(target)
        except ValueError as error:
            answer.fail(
                f'address_map returned a str that is no address: {error}; return "host:port"'
            )
            return
    if isinstance(target, NodeAddress):
        answer.give(target.host, target.port)
    else:
        answer.fail(
            f"address_map returned {type(target).__name__}; "
            'it must return a NodeAddress, "host:port" or None'
        )
