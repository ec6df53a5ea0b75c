"""Commands that call functions, and that manage their libraries."""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum
from typing import Any

import glide_scripts

from .. import checks
from ..public import show_as_public
from ..values import TOK, TEncodable, TResult
from . import replies
from .arguments import as_bytes, counted
from .command import Command
from .flush_mode import FlushMode, flush_words
from .routing import all_nodes, all_primaries, any_node, counted_keys, routed


class FunctionRestorePolicy(Enum):
    """What FUNCTION RESTORE does with libraries that the server already has."""

    APPEND = "APPEND"
    """Keep them; a library of the same name is an error."""

    FLUSH = "FLUSH"
    """Delete all of them first."""

    REPLACE = "REPLACE"
    """Replace those of the same name, and keep the others."""


@routed("FUNCTION LOAD", all_primaries("all"))
def function_load(
    library_code: glide_scripts.FunctionLibrary | TEncodable, replace: bool = False
) -> Command[bytes]:
    """Load a library of functions on the server. Needs Redis 7.

    See https://valkey.io/commands/function-load/.

    Args:
        library_code: The library, or its code.
        replace: Whether to replace a library of the same name.

    Returns:
        The library's name.

    Raises:
        TypeError: ``library_code`` is not a ``FunctionLibrary``, str or bytes, or ``replace`` is
            not a bool.
        ScriptSyntaxError: It does not compile.
        ScriptError: The server already has a library of that name, or another one with a function
            of the same name.

    Example:
        >>> code = "#!lua name=mylib\\nserver.register_function('one', function() return 1 end)"
        >>> await client.function_load(code)
        b'mylib'
    """
    if not isinstance(library_code, (str, bytes, bytearray, memoryview)):
        from .function_library import FunctionLibrary  # noqa: PLC0415 - saves time at import

        right = "a FunctionLibrary, str or bytes"
        library_code = checks.of_type("library_code", library_code, FunctionLibrary, right).code
    code = checks.encodable("library_code", library_code)
    words = ["FUNCTION", "LOAD", code]
    if checks.flag("replace", replace):
        words.insert(2, "REPLACE")
    return Command(words, code=as_bytes(code))


@routed("FUNCTION LIST", any_node)
def function_list(
    library_name_pattern: TEncodable | None = None, with_code: bool = False
) -> Command[list[dict[bytes, Any]]]:
    """List the server's libraries and their functions. Needs Redis 7.

    See https://valkey.io/commands/function-list/.

    Args:
        library_name_pattern: Only the libraries whose names match, such as ``"my*"``; None means
            all.
        with_code: Whether to return their code, too.

    Returns:
        A dict for each library: ``b"library_name"``, ``b"engine"``, ``b"functions"`` and, with
        ``with_code``, ``b"library_code"``. The functions are a list of dicts: ``b"name"``,
        ``b"description"``, which may be None, and ``b"flags"``, a set.

    Raises:
        TypeError: ``library_name_pattern`` is not str or bytes, or ``with_code`` is not a bool.
    """
    words: list[TEncodable] = ["FUNCTION", "LIST"]
    if library_name_pattern is not None:
        words += ["LIBRARYNAME", checks.encodable("library_name_pattern", library_name_pattern)]
    if checks.flag("with_code", with_code):
        words.append("WITHCODE")
    return Command(words, replies.to_libraries)


@routed("FUNCTION DELETE", all_primaries("all"))
def function_delete(library_name: TEncodable) -> Command[TOK]:
    """Remove a library and its functions from the server. Needs Redis 7.

    See https://valkey.io/commands/function-delete/.

    Args:
        library_name: The library's name.

    Returns:
        ``OK``.

    Raises:
        TypeError: ``library_name`` is not str or bytes.
        RequestError: The server has no such library.
    """
    return Command(["FUNCTION", "DELETE", checks.encodable("library_name", library_name)])


@routed("FUNCTION FLUSH", all_primaries("all"))
def function_flush(mode: FlushMode | None = None) -> Command[TOK]:
    """Remove all libraries from the server. Needs Redis 7.

    See https://valkey.io/commands/function-flush/.

    Args:
        mode: Whether the server frees the memory before it answers; None means the server's
            setting.

    Returns:
        ``OK``.

    Raises:
        TypeError: ``mode`` is not a ``FlushMode``.
    """
    return Command(["FUNCTION", "FLUSH", *flush_words("mode", mode)])


@routed("FUNCTION KILL", all_nodes("one"))
def function_kill() -> Command[TOK]:
    """Stop the function that the server is running, of any client, if it has not written yet.

    Like ``script_kill``, it uses its own connection, and waits until the server allows the kill.
    Needs Redis 7.

    See https://valkey.io/commands/function-kill/.

    Returns:
        ``OK``: the function was stopped; its caller gets ``ScriptKilledError``.

    Raises:
        NotBusyError: No function is running.
        UnkillableError: The function has already written.
    """
    return Command(["FUNCTION", "KILL"])


@routed("FUNCTION STATS", all_nodes("by_node"))
def function_stats() -> Command[dict[bytes, Any]]:
    """Return the function or script that the server is running, and its engines.

    Needs Redis 7.

    See https://valkey.io/commands/function-stats/.

    Returns:
        A dict: ``b"running_script"`` is None, or a dict of ``b"name"``, ``b"command"`` and
        ``b"duration_ms"``; ``b"engines"`` maps each engine to a dict of ``b"libraries_count"`` and
        ``b"functions_count"``.
    """
    return Command(["FUNCTION", "STATS"], replies.to_function_stats)


@routed("FUNCTION DUMP", any_node)
def function_dump() -> Command[bytes]:
    """Return all libraries of the server in the form for ``function_restore``. Needs Redis 7.

    See https://valkey.io/commands/function-dump/.

    Returns:
        The libraries.
    """
    return Command(["FUNCTION", "DUMP"])


@routed("FUNCTION RESTORE", all_primaries("all"))
def function_restore(
    payload: TEncodable, policy: FunctionRestorePolicy | None = None
) -> Command[TOK]:
    """Restore libraries from ``function_dump`` on the server. Needs Redis 7.

    See https://valkey.io/commands/function-restore/.

    Args:
        payload: The result of ``function_dump``.
        policy: What to do with the libraries that the server has; None means ``APPEND``.

    Returns:
        ``OK``.

    Raises:
        TypeError: ``payload`` is not str or bytes, or ``policy`` is not a
            ``FunctionRestorePolicy``.
        RequestError: The payload is damaged, or the server has a library or function of the same
            name. Nothing was restored.
    """
    words = ["FUNCTION", "RESTORE", checks.encodable("payload", payload)]
    if policy is not None:
        words.append(checks.member("policy", policy, FunctionRestorePolicy).value)
    return Command(words)


@routed("FCALL", counted_keys(2))
def fcall(
    function: TEncodable | glide_scripts.Function,
    keys: Sequence[TEncodable] | None = None,
    arguments: Sequence[TEncodable] | None = None,
) -> Command[TResult]:
    """Call a function on the server, by name or from a ``FunctionLibrary``.

    Needs Redis 7. See https://valkey.io/commands/fcall/.

    Args:
        function: The function's name, or a ``Function`` of a ``FunctionLibrary``. The library of a
            ``Function`` is loaded if the server lacks it. A read-only ``Function`` is called with
            FCALL_RO.
        keys: The keys: the function's first parameter.
        arguments: The arguments: the function's second parameter.

    Returns:
        What the function returns.

    Raises:
        TypeError: ``function`` is not a ``Function``, str or bytes, or ``keys`` or ``arguments``
            is not a list of str or bytes.
        ScriptError: The function does not exist, or it failed.
    """
    return _call(function, keys, arguments, read_only=False)


@routed("FCALL_RO", counted_keys(2))
def fcall_ro(
    function: TEncodable | glide_scripts.Function,
    keys: Sequence[TEncodable] | None = None,
    arguments: Sequence[TEncodable] | None = None,
) -> Command[TResult]:
    """Call a read-only function, which a replica may run. Needs Redis 7.

    See https://valkey.io/commands/fcall_ro/ and ``fcall``.

    Args:
        function: The function's name, or the ``Function`` of a ``FunctionLibrary``. It must be
            registered with the flag ``no-writes``.
        keys: The keys: the function's first parameter.
        arguments: The arguments: the function's second parameter.

    Returns:
        What the function returns.

    Raises:
        TypeError: ``function`` is not a ``Function``, str or bytes, or ``keys`` or ``arguments``
            is not a list of str or bytes.
        ScriptError: The function does not exist, is not registered as ``no-writes``, or failed.
    """
    return _call(function, keys, arguments, read_only=True)


def _call(
    function: TEncodable | glide_scripts.Function,
    keys: Sequence[TEncodable] | None,
    arguments: Sequence[TEncodable] | None,
    *,
    read_only: bool,
) -> Command[TResult]:
    library = None
    if not isinstance(function, (str, bytes, bytearray, memoryview)):
        from .function_library import Function  # noqa: PLC0415 - saves time at import

        checks.of_type("function", function, Function, "a Function, str or bytes")
        read_only, library = read_only or function.read_only, function.library._core
        function = function.name
    name = "FCALL_RO" if read_only else "FCALL"
    numbered = counted(keys, "arguments", arguments)
    words = [name, checks.encodable("function", function), *numbered]
    return Command(words, read_only=read_only, code=b"", library=library)


show_as_public(globals())
