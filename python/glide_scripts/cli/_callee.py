"""What a command line calls: a script, or a function of a library."""

from dataclasses import dataclass
from typing import Any

from .. import FunctionLibrary, GlideClient, GlideClusterClient, Script, ScriptError
from ..commands.function_library import names_library
from ..failures.explanation import explained
from ._failure import FAILED, UNUSABLE, Failure, script_error_text
from ._origin import Origin
from ._servers import Servers


@dataclass(frozen=True)
class Callee:
    """A script, or a function of a library, with where it comes from."""

    origin: Origin
    script: Script
    """For a function, its library's text."""
    function: str | None = None
    library: FunctionLibrary | None = None

    async def prepare(self, client: GlideClient | GlideClusterClient, target: Servers) -> None:
        """Load the library on a server of this command's own; elsewhere, it has to be there.

        Raises:
            Failure: The server does not take the library or has another one, or there is no such
                function.
            RequestError: The server has no functions.
        """
        if self.library is None:
            return
        name = self.library.name
        if target.is_own:
            try:
                await client.function_load(self.library.code, replace=True)
            except ScriptError as error:
                raise Failure(script_error_text(error, self.origin), FAILED) from error
        listed: Any = await client.function_list(name, with_code=True)
        if not listed or listed[0][b"library_code"] != self.library.code:
            why = "has another library" if listed else "has no library"
            how = f"glide-scripts load {self.origin} --url …"
            raise Failure(f"{self.origin}: the server {why} {name!r}; load it: {how}", FAILED)
        names = sorted(each[b"name"].decode() for each in listed[0][b"functions"])
        if self.function not in names:
            why = f"the library has no function {self.function!r}; it has {', '.join(names)}"
            raise Failure(f"{self.origin}: {why}", UNUSABLE)

    async def call(
        self,
        client: GlideClient | GlideClusterClient,
        keys: list[bytes],
        args: list[bytes],
        **options: Any,
    ) -> Any:
        """Call it.

        Args:
            client: The client.
            keys: The keys.
            args: The arguments.
            options: Those of ``invoke_script``, for a script.
        """
        if self.function is None:
            return await client.invoke_script(self.script, keys, args, **options)
        try:
            return await client.fcall(self.function, keys, args)
        except ScriptError as error:
            # With the file's lines, as for a script. The client knows only the function's name.
            error.args = (str(error).removeprefix(f"user_function:{error.line}: "),)
            raise explained(error, self.script, keys, args) from None


def callee(origin: Origin, function: str | None = None) -> Callee:
    """Read what is called.

    Args:
        origin: Where it comes from.
        function: What was given as ``--function``.

    Raises:
        Failure: The text is a library and no function is given, or the other way round.
        ScriptSourceError: It cannot be used, or what it includes.
    """
    script = origin.read()
    is_library = names_library(script.code)
    if is_library == (function is not None):
        return Callee(origin, script, function, _library(origin, script) if is_library else None)
    if is_library:
        why = "it is a library of functions; name the one to call with --function"
    else:
        why = "--function is for a library, whose first line is '#!lua name=…'"
    raise Failure(f"{origin}: {why}", UNUSABLE)


def refuse_library(origin: Origin, script: Script) -> None:
    """
    Raises:
        Failure: It is a library, and the servers' debugger takes only scripts.
    """
    if names_library(script.code):
        why = "it is a library of functions, and the servers' debugger takes only scripts"
        raise Failure(f"{origin}: {why}", UNUSABLE)


def _library(origin: Origin, script: Script) -> FunctionLibrary:
    try:
        return FunctionLibrary(script.code)
    except ValueError as error:
        raise Failure(f"{origin}:1: {error}", UNUSABLE) from None
