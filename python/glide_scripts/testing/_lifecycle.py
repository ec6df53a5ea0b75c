"""`with` and `async with` for what can be started and stopped."""

from abc import ABC, abstractmethod
from types import TracebackType
from typing import NoReturn, Self

from ..client.running import running


class Startable(ABC):
    """Started on the way in and stopped on the way out; the async form does both in a thread."""

    @abstractmethod
    def start(self) -> None: ...

    @abstractmethod
    def stop(self) -> None: ...

    def __reduce__(self) -> NoReturn:
        raise TypeError(
            f"{type(self).__name__} belongs to this process and is neither pickled nor copied; "
            "pass its url"
        )

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    async def __aenter__(self) -> Self:
        runtime = running()
        try:
            await runtime.to_end(self.start)
        except runtime.cancelled_error:
            # What it started has no other owner.
            await runtime.to_end(self.stop)
            raise
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await running().to_end(self.stop)
