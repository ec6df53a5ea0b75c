"""Commands that run and manage scripts."""

from __future__ import annotations

from collections.abc import Sequence

from .. import checks
from .._core import Script
from ..values import TOK, TEncodable, TResult
from . import replies
from .arguments import as_bytes, counted, one_or_more
from .command import Command
from .flush_mode import FlushMode, flush_words
from .routing import all_nodes, all_primaries, any_node, counted_keys, routed


@routed("EVAL", counted_keys(2))
def eval(
    code: TEncodable,
    keys: Sequence[TEncodable] | None = None,
    args: Sequence[TEncodable] | None = None,
) -> Command[TResult]:
    """Run a script from its code, which is sent each time; ``invoke_script`` sends it once.

    See https://valkey.io/commands/eval/.

    Args:
        code: The script's code.
        keys: The keys: ``KEYS`` in the script.
        args: The arguments: ``ARGV`` in the script.

    Returns:
        What the script returns.

    Raises:
        TypeError: ``code`` is not str or bytes, or ``keys`` or ``args`` is not a list of those.
        ScriptError: The script does not compile, or failed.
    """
    return _run("EVAL", checks.encodable("code", code), keys, args, code=as_bytes(code))


@routed("EVAL_RO", counted_keys(2))
def eval_ro(
    code: TEncodable,
    keys: Sequence[TEncodable] | None = None,
    args: Sequence[TEncodable] | None = None,
) -> Command[TResult]:
    """Run a read-only script from its code. A replica may run it. Needs Redis 7.

    See https://valkey.io/commands/eval_ro/.

    Args:
        code: The script's code.
        keys: The keys: ``KEYS`` in the script.
        args: The arguments: ``ARGV`` in the script.

    Returns:
        What the script returns.

    Raises:
        TypeError: ``code`` is not str or bytes, or ``keys`` or ``args`` is not a list of those.
        ScriptError: The script does not compile, failed, or tried to write.
    """
    checks.encodable("code", code)
    return _run("EVAL_RO", code, keys, args, code=as_bytes(code), read_only=True)


@routed("EVALSHA", counted_keys(2))
def evalsha(
    sha1: TEncodable,
    keys: Sequence[TEncodable] | None = None,
    args: Sequence[TEncodable] | None = None,
) -> Command[TResult]:
    """Run a script that the server has; ``invoke_script`` also sends missing code.

    See https://valkey.io/commands/evalsha/.

    Args:
        sha1: The SHA1 of the script's code, 40 hexadecimal digits.
        keys: The keys: ``KEYS`` in the script.
        args: The arguments: ``ARGV`` in the script.

    Returns:
        What the script returns.

    Raises:
        TypeError: ``sha1`` is not str or bytes, or ``keys`` or ``args`` is not a list of those.
        NoScriptError: The server does not have the script; it did not run.
        ScriptError: The script failed.
    """
    return _run("EVALSHA", checks.encodable("sha1", sha1), keys, args)


@routed("EVALSHA_RO", counted_keys(2))
def evalsha_ro(
    sha1: TEncodable,
    keys: Sequence[TEncodable] | None = None,
    args: Sequence[TEncodable] | None = None,
) -> Command[TResult]:
    """Run a read-only script that the server has. A replica may run it.

    Needs Redis 7. See https://valkey.io/commands/evalsha_ro/.

    Args:
        sha1: The SHA1 of the script's code, 40 hexadecimal digits.
        keys: The keys: ``KEYS`` in the script.
        args: The arguments: ``ARGV`` in the script.

    Returns:
        What the script returns.

    Raises:
        TypeError: ``sha1`` is not str or bytes, or ``keys`` or ``args`` is not a list of those.
        NoScriptError: The server does not have the script; it did not run.
        ScriptError: The script failed, or tried to write.
    """
    return _run("EVALSHA_RO", checks.encodable("sha1", sha1), keys, args, read_only=True)


@routed("SCRIPT LOAD", all_primaries("all"))
def script_load(script: Script | TEncodable) -> Command[str]:
    """Load a script on the server without running it.

    See https://valkey.io/commands/script-load/.

    Args:
        script: The script, or its code.

    Returns:
        The SHA1 of its code, 40 hexadecimal digits, for ``evalsha``.

    Raises:
        TypeError: ``script`` is not a ``Script``, str or bytes.
        ScriptSyntaxError: It does not compile.
    """
    code = script.code if isinstance(script, Script) else script
    if not isinstance(code, (str, bytes, bytearray, memoryview)):
        raise checks.wrong_type("script", code, "a Script, str or bytes")
    checks.encodable("script", code)
    return Command(["SCRIPT", "LOAD", code], replies.to_str, code=as_bytes(code))


@routed("SCRIPT EXISTS", all_primaries("and"))
def script_exists(sha1s: Sequence[TEncodable]) -> Command[list[bool]]:
    """Check which scripts the server has.

    See https://valkey.io/commands/script-exists/.

    Args:
        sha1s: The SHA1s of the scripts' code, at least one.

    Returns:
        A list in the order of ``sha1s``: whether the server has each script.

    Raises:
        TypeError: ``sha1s`` is not a list of str or bytes.
        ValueError: ``sha1s`` is empty.
    """
    return Command(["SCRIPT", "EXISTS", *one_or_more("sha1s", sha1s)], replies.to_bools)


@routed("SCRIPT FLUSH", all_nodes("all"))
def script_flush(mode: FlushMode | None = None) -> Command[TOK]:
    """Remove all scripts from the server.

    See https://valkey.io/commands/script-flush/.

    Args:
        mode: Whether the server frees the memory before it answers; None means the server's
            setting.

    Returns:
        ``OK``.

    Raises:
        TypeError: ``mode`` is not a ``FlushMode``.
    """
    return Command(["SCRIPT", "FLUSH", *flush_words("mode", mode)])


@routed("SCRIPT SHOW", any_node)
def script_show(sha1: TEncodable) -> Command[bytes]:
    """Return the code of a script that the server has. Needs Valkey 8.

    See https://valkey.io/commands/script-show/.

    Args:
        sha1: The SHA1 of the script's code, 40 hexadecimal digits.

    Returns:
        The code.

    Raises:
        TypeError: ``sha1`` is not str or bytes.
        NoScriptError: The server does not have the script.
    """
    return Command(["SCRIPT", "SHOW", checks.encodable("sha1", sha1)])


@routed("SCRIPT KILL", all_nodes("one"))
def script_kill() -> Command[TOK]:
    """Stop the script that the server is running, of any client, if it has not written yet.

    It uses its own connection, so it also reaches a server that is running this client's script. A
    server allows the kill only after the script has run for ``busy-reply-threshold`` (default: 5
    seconds); until then the call waits.

    See https://valkey.io/commands/script-kill/.

    Returns:
        ``OK``: the script was stopped; its caller gets ``ScriptKilledError``.

    Raises:
        NotBusyError: No script is running.
        UnkillableError: The script has already written.
    """
    return Command(["SCRIPT", "KILL"])


def _run(
    name: str,
    script: TEncodable,
    keys: Sequence[TEncodable] | None,
    args: Sequence[TEncodable] | None,
    *,
    code: bytes = b"",
    read_only: bool = False,
) -> Command[TResult]:
    words = [name, script, *counted(keys, "args", args)]
    return Command(words, read_only=read_only, code=code)
