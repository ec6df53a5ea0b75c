"""A plugin for mypy, with which functions under ``typed_script`` may have bodies of ``...``.

In pyproject.toml::

    [tool.mypy]
    plugins = ["glide_scripts.mypy"]

mypy rejects such a body, since the function would return None. But the body never runs.
"""

import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from mypy.nodes import (
    Block,
    CallExpr,
    ClassDef,
    Decorator,
    FuncDef,
    IfStmt,
    MypyFile,
    RefExpr,
    Statement,
    TryStmt,
    WithStmt,
)
from mypy.plugin import Plugin, ReportConfigContext


class TypedScriptPlugin(Plugin):
    """Tells mypy which functions exist for their signatures alone."""

    def report_config_data(self, ctx: ReportConfigContext) -> Any:
        """Keep files with typed scripts out of mypy's cache.

        If mypy knows a file's imports from its cache, it does not call ``get_additional_deps``.
        """
        try:
            has_some = b"typed_script" in Path(ctx.path).read_bytes()
        except OSError:
            return None
        return time.time_ns() if has_some else None

    def get_additional_deps(self, file: MypyFile) -> list[tuple[int, str, int]]:
        """Called with each new file before it is checked; there is no other hook for bodies."""
        for found in _decorated(file.defs):
            if any(_is_typed_script(each) for each in found.decorators):
                # As if it stood under `if TYPE_CHECKING`, where mypy accepts any body.
                found.func.is_mypy_only = True
        return []


def _decorated(statements: Iterable[Statement]) -> Iterator[Decorator]:
    """The decorated functions among statements, and in those of classes, functions and blocks."""
    for statement in statements:
        if isinstance(statement, Decorator):
            yield statement
        for block in _blocks(statement):
            yield from _decorated(block.body)


def _blocks(statement: Statement) -> Iterator[Block]:
    if isinstance(statement, ClassDef):
        yield statement.defs
    elif isinstance(statement, Decorator):
        yield statement.func.body
    elif isinstance(statement, FuncDef | WithStmt | TryStmt):
        yield statement.body
    elif isinstance(statement, IfStmt):
        yield from statement.body
        if statement.else_body is not None:
            yield statement.else_body


def _is_typed_script(decorator: object) -> bool:
    if not isinstance(decorator, CallExpr):
        return False
    callee = decorator.callee
    return isinstance(callee, RefExpr) and getattr(callee, "name", None) == "typed_script"


def plugin(version: str) -> type[Plugin]:
    """What mypy asks a plugin's module for."""
    return TypedScriptPlugin
