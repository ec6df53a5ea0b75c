"""A plugin for mypy, with which functions under ``typed_script`` may have bodies of ``...``.

In pyproject.toml::

    [tool.mypy]
    plugins = ["glide_scripts.mypy"]

mypy rejects such a body, since the function would return None. But the body never runs.
"""

from mypy.nodes import CallExpr, Decorator, MypyFile, RefExpr
from mypy.plugin import Plugin
from mypy.traverser import TraverserVisitor


class TypedScriptPlugin(Plugin):
    """Tells mypy which functions exist for their signatures alone."""

    def get_additional_deps(self, file: MypyFile) -> list[tuple[int, str, int]]:
        """Called with each file before it is checked; there is no other hook for bodies."""
        file.accept(_Bodies())
        return []


class _Bodies(TraverserVisitor):
    def visit_decorator(self, o: Decorator, /) -> None:
        if any(_is_typed_script(each) for each in o.decorators):
            # As if it stood under `if TYPE_CHECKING`, where mypy accepts any body.
            o.func.is_mypy_only = True
        super().visit_decorator(o)


def _is_typed_script(decorator: object) -> bool:
    if not isinstance(decorator, CallExpr):
        return False
    callee = decorator.callee
    return isinstance(callee, RefExpr) and getattr(callee, "name", None) == "typed_script"


def plugin(version: str) -> type[Plugin]:
    """What mypy asks a plugin's module for."""
    return TypedScriptPlugin
