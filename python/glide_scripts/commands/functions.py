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
    """What FUNCTION RESTORE does about the libraries that the server has already."""

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
    """Puts a library of functions on the server. Needs Redis 7.

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
        ScriptError: The server has a library of that name, or another one with a function of the
            same name.

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
    """Tells which libraries the server has, and which functions are in them. Needs Redis 7.

    See https://valkey.io/commands/function-list/.

    Args:
        library_name_pattern: Only the libraries whose names match, such as ``"my*"``; None means
            all.
        with_code: Whether to get their code, too.

    Returns:
        A dict for each library: ``b"library_name"``, ``b"engine"``, ``b"functions"`` and, if asked
        for, ``b"library_code"``. The functions are a list of dicts: ``b"name"``,
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
    """Removes a library and its functions from the server. Needs Redis 7.

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
    """Removes all libraries from the server. Needs Redis 7.

    See https://valkey.io/commands/function-flush/.

    Args:
        mode: Whether to free the memory before answering; None means as the server is set.

    Returns:
        ``OK``.

    Raises:
        TypeError: ``mode`` is not a ``FlushMode``.
    """
    return Command(["FUNCTION", "FLUSH", *flush_words("mode", mode)])


@routed("FUNCTION KILL", all_nodes("one"))
def function_kill() -> Command[TOK]:
    """Stops the function that the server is running, whoever called it, if it has not written yet.

    It goes over a connection of its own, as ``script_kill`` does, and waits like that until the
    server takes it. Needs Redis 7.

    See https://valkey.io/commands/function-kill/.

    Returns:
        ``OK``: the function was stopped; its caller gets ``ScriptKilledError``.

    Raises:
        NotBusyError: No function is running.
        UnkillableError: The function has written already.
    """
    return Command(["FUNCTION", "KILL"], admin=True)


@routed("FUNCTION STATS", all_nodes("by_node"))
def function_stats() -> Command[dict[bytes, Any]]:
    """Tells which function or script the server is running, and what engines it has.

    Needs Redis 7.

    See https://valkey.io/commands/function-stats/.

    Returns:
        A dict: ``b"running_script"`` is None, or a dict of ``b"name"``, ``b"command"`` and
        ``b"duration_ms"``; ``b"engines"`` is a dict by engine of dicts of ``b"libraries_count"``
        and ``b"functions_count"``.
    """
    return Command(["FUNCTION", "STATS"], replies.to_function_stats)


@routed("FUNCTION DUMP", any_node)
def function_dump() -> Command[bytes]:
    """Gets all libraries of the server in a form that ``function_restore`` takes. Needs Redis 7.

    See https://valkey.io/commands/function-dump/.

    Returns:
        The libraries.
    """
    return Command(["FUNCTION", "DUMP"])


@routed("FUNCTION RESTORE", all_primaries("all"))
def function_restore(
    payload: TEncodable, policy: FunctionRestorePolicy | None = None
) -> Command[TOK]:
    """Puts libraries on the server that ``function_dump`` gave. Needs Redis 7.

    See https://valkey.io/commands/function-restore/.

    Args:
        payload: What ``function_dump`` gave.
        policy: What happens to the libraries that the server has; None means ``APPEND``.

    Returns:
        ``OK``.

    Raises:
        TypeError: ``payload`` is not str or bytes, or ``policy`` is not a
            ``FunctionRestorePolicy``.
        RequestError: The payload is damaged, or the server has a library or a function of the same
            name; none was restored.
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
    """Calls a function that the server has, or one of a ``FunctionLibrary``, which loads itself.

    Needs Redis 7. See https://valkey.io/commands/fcall/.

    Args:
        function: The function's name, or the ``Function`` of a ``FunctionLibrary``: its library is
            loaded where it is missing. A read-only ``Function`` is called as by ``fcall_ro``.
        keys: The keys it works on: its first parameter.
        arguments: Its other arguments: its second parameter.

    Returns:
        What the function returns.

    Raises:
        TypeError: ``function`` is not a ``Function``, str or bytes, or ``keys`` or ``arguments``
            is not a list of str or bytes.
        ScriptError: There is no such function, or it failed.
    """
    return _call(function, keys, arguments, read_only=False)


@routed("FCALL_RO", counted_keys(2))
def fcall_ro(
    function: TEncodable | glide_scripts.Function,
    keys: Sequence[TEncodable] | None = None,
    arguments: Sequence[TEncodable] | None = None,
) -> Command[TResult]:
    """Calls a function that must not write. A replica may run it. Needs Redis 7.

    See https://valkey.io/commands/fcall_ro/, and ``fcall``.

    Args:
        function: The function's name, or the ``Function`` of a ``FunctionLibrary``. It must be
            registered with the flag ``no-writes``.
        keys: The keys it works on: its first parameter.
        arguments: Its other arguments: its second parameter.

    Returns:
        What the function returns.

    Raises:
        TypeError: ``function`` is not a ``Function``, str or bytes, or ``keys`` or ``arguments``
            is not a list of str or bytes.
        ScriptError: There is no such function, it may write, or it failed.
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
