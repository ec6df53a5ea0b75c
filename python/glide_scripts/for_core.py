"""The Python functions that Rust calls. This is the only module that Rust imports by name.

It imports nothing that needs the core, because the core imports it during its own import.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from . import errors
from .checks import milliseconds
from .client.running import running_trio
from .client.what_runs import no_running_loop, not_in_its_run
from .values import OK

if TYPE_CHECKING:
    from .scripts.typed import TypedScript

__all__ = [
    "OK",
    "errors",
    "milliseconds",
    "misfit_of_script",
    "no_running_loop",
    "not_in_its_run",
    "running_trio",
    "script_from_file",
    "script_from_resource",
]


def script_from_file(path: Any, name: Any, root: Any) -> TypedScript[..., Any]:
    """``Script.from_file``."""
    from .scripts import files  # noqa: PLC0415 - saves time at import

    return files.script_from_file(path, name, root)


def script_from_resource(package: Any, resource: Any, name: Any) -> TypedScript[..., Any]:
    """``Script.from_resource``."""
    from .scripts import files  # noqa: PLC0415 - saves time at import

    return files.script_from_resource(package, resource, name)


def misfit_of_script(args: tuple[Any, ...], kwargs: dict[str, Any] | None) -> TypeError:
    """Return the error for arguments that ``Script`` does not take."""
    from .client import advice  # noqa: PLC0415 - only where they do not fit

    return advice.misfit_of_script(args, kwargs or {})
