"""The replies of a batch, as the library's pipelines return them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from ..errors import GlideError, RequestError
from .shared_client import SharedClient

Queued = tuple[tuple[Any, ...], dict[str, Any]]
"""A command of a pipeline, with its options."""


def batch_of(pipeline: Any, shared: SharedClient, is_transaction: object) -> Any:
    """Return a pipeline's commands as a batch; None if the library is to send them itself."""
    commands: list[Queued] = pipeline.command_stack
    is_own = shared.reason is not None or pipeline.watching or pipeline.connection is not None
    if not commands or is_own or not is_shared(shared, commands):
        return None
    for script in pipeline.scripts:
        # One that a client of the library's own registered is not known here.
        if script.sha not in shared.scripts:
            shared.know(script.script)
    is_atomic = bool(is_transaction or pipeline.explicit_transaction)
    return shared.batch([args for args, _ in commands], is_atomic)


def is_shared(shared: SharedClient, commands: Sequence[Queued]) -> bool:
    """Whether a batch can hold these commands: it cannot where an option replaces a reply."""
    empty = shared.library.empty_response
    return not any(empty in options for _, options in commands)


def results(
    shared: SharedClient, outcome: Any, commands: Sequence[Queued], callbacks: Any
) -> Iterator[Any]:
    """Yield each command's result: an exception for an error, awaitable of an async callback.

    Raises:
        WatchError: The library's, if a watched key had changed.
    """
    if outcome is None:
        raise shared.library.exceptions.WatchError("Watched variable changed.")
    for reply, (args, options) in zip(outcome[0], commands, strict=True):
        if isinstance(reply, GlideError):
            yield shared.failure(reply, args)
            continue
        try:
            result = shared.finished(reply, args, callbacks, dict(options))
        except shared.library.exceptions.ResponseError as error:
            # A callback's, which is one of the command.
            result = error
        yield result


def checked(
    pipeline: Any,
    shared: SharedClient,
    results: list[Any],
    commands: Sequence[Queued],
    raise_on_error: bool,
) -> list[Any]:
    """Return a pipeline's results, unless one of them is an error that the pipeline raises.

    Raises:
        Exception: The first error that is no server's answer, which is the whole pipeline's. With
            ``raise_on_error``, the first of the servers' errors, with the command's name and
            number.
    """
    exceptions = shared.library.exceptions
    for each in results:
        if isinstance(each, (exceptions.ConnectionError, exceptions.TimeoutError)):
            # It names no command, so it is about all of them.
            each.may_have_executed = any(map(_may_have_executed, results))
            raise each
    for index, each in enumerate(results if raise_on_error else ()):
        if isinstance(each, exceptions.ResponseError):
            raise _annotated(pipeline, each, index, commands)
    return results


def failure(
    pipeline: Any, shared: SharedClient, error: GlideError, commands: Sequence[Queued]
) -> Exception:
    """Return the library's exception for a batch that failed as a whole."""
    index = error.batch_index if isinstance(error, RequestError) else None
    if index is None or index >= len(commands):
        return shared.failure(error, ("EXEC",))
    return _annotated(pipeline, shared.failure(error, commands[index][0]), index, commands)


def _annotated(
    pipeline: Any, error: Exception, index: int, commands: Sequence[Queued]
) -> Exception:
    """Say which command an error is of, as the library does."""
    annotate: Any = getattr(pipeline, "annotate_exception", None)
    if annotate is None:
        # An asynchronous cluster pipeline. The library shows its error as a tuple, but not that
        # of a transaction.
        if not pipeline._is_atomic:
            error.args = (error.args,)
        strategy = getattr(pipeline, "_execution_strategy", None)
        annotate = getattr(strategy, "_annotate_exception", _annotate)
    annotate(error, index + 1, [_beginning(word) for word in commands[index][0]])
    return error


def _may_have_executed(result: Any) -> bool:
    return not isinstance(result, Exception) or getattr(result, "may_have_executed", True)


def _beginning(word: Any) -> Any:
    """What may be shown of a word. The library takes seconds to shorten a long one itself."""
    longest = 1000
    return word[:longest] if isinstance(word, (str, bytes)) else word


def _annotate(error: Exception, number: int, command: Sequence[Any]) -> None:
    """For the cluster pipelines of old versions, which have no method for it."""
    name = " ".join(
        word.decode("utf-8", "replace") if isinstance(word, bytes) else str(word)
        for word in command
    )
    said = error.args[0] if error.args else ""
    error.args = (f"Command # {number} ({name}) of pipeline caused error: {said}",)
