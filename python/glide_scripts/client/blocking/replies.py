"""The replies to one script's many calls, for a thread that blocks."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Concatenate, ParamSpec, overload

from ...public import show_as_public
from ...values import TResult
from .. import many
from .methods import as_method, run, warn_in_loop

P = ParamSpec("P")


class ScriptReplies(Sequence[TResult]):
    """The replies to the calls of ``invoke_script_many``, to be iterated over or used as a list.

    ``for reply in replies`` takes them one by one, once, and keeps none. To use them as a list,
    such as with ``replies[0]``, ``len(replies)`` or ``==``, waits for all of them. In both cases,
    the calls are sent only when you ask for replies. To stop early, leave the loop: calls in flight
    are then cancelled. ``close`` and ``contextlib.closing`` also wait until they are.
    """

    def __init__(self, client: Any, replies: many.ScriptReplies) -> None:
        """For ``invoke_script_many``."""
        self._client = client
        self._replies = replies
        self._one_by_one = _one_by_one(client, replies)
        self._all: list[TResult] | None = None
        self._is_taken = False

    def __iter__(self) -> Iterator[TResult]:
        if self._all is None and self._replies._is_over:
            raise self._replies._taken()
        return self._each()

    # A generator: list() asks for the length before it asks for the first reply.
    def _each(self) -> Iterator[TResult]:
        if self._all is not None:
            yield from self._all
            return
        self._is_taken = True
        # With "yield from", to leave one loop would close it for the next.
        for reply in self._one_by_one:  # noqa: UP028
            yield reply

    def __next__(self) -> TResult:
        self._is_taken = True
        return next(self._one_by_one)

    def _list(self) -> list[TResult]:
        if self._all is None:
            if self._is_taken:
                # This error has list() and tuple() take the rest.
                raise TypeError(
                    "some replies were already taken one by one; call invoke_script_many() again"
                )
            self._is_taken = True
            warn_in_loop(self._client)
            self._all = run(self._replies._all())
        return self._all

    def __len__(self) -> int:
        return len(self._list())

    @overload
    def __getitem__(self, index: int) -> TResult: ...
    @overload
    def __getitem__(self, index: slice) -> list[TResult]: ...
    def __getitem__(self, index: int | slice) -> TResult | list[TResult]:
        return self._list()[index]

    def __eq__(self, other: object) -> bool:
        if isinstance(other, ScriptReplies):
            return self is other or self._list() == other._list()
        return self._list() == other if isinstance(other, list) else NotImplemented

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"<ScriptReplies {'to come' if self._all is None else self._all}>"

    def close(self) -> None:
        """Stop: calls in flight are cancelled. You may stop twice."""
        self._is_taken = True
        run(self._replies.aclose())

    # When the interpreter ends, this module's names may be gone before the replies.
    def __del__(self, _warn: Any = warnings.warn) -> None:
        if not getattr(self, "_is_taken", True):
            _warn(
                "nobody asked for the replies of invoke_script_many(), so none of its calls was "
                "sent; iterate over them, or use list()",
                RuntimeWarning,
                stacklevel=1,
                source=self,
            )


def _one_by_one(client: Any, replies: many.ScriptReplies) -> Iterator[TResult]:
    while True:
        warn_in_loop(client)
        try:
            some = run(replies._next_batch())
        except StopAsyncIteration:
            return
        yield from some


def blocking_many(
    method: Callable[Concatenate[Any, P], many.ScriptReplies],
) -> Callable[Concatenate[Any, P], ScriptReplies]:
    """The method of a synchronous client whose replies are those of an asynchronous client's."""

    def replies(self: Any, /, *args: P.args, **kwargs: P.kwargs) -> ScriptReplies:
        return ScriptReplies(self, method(self, *args, **kwargs))

    made: Callable[Concatenate[Any, P], ScriptReplies]
    made = as_method(replies, method, "glide_scripts.sync.ScriptReplies")
    return made


show_as_public(globals(), "sync")
