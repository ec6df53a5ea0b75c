"""The guide's examples in tabs: for asyncio, for programs without an event loop, and for trio.

A page has each example once, for asyncio. The site shows it in all three forms, and the tests run
the page in each. Where the forms differ by more than ``await``, the page has the tabs itself.
"""

import ast
import itertools
import re
import textwrap
from collections.abc import Callable, Iterator

_EXAMPLE = re.compile(r"^```python\n(?P<code>.*?)^```$", re.MULTILINE | re.DOTALL)
_AWAITED = re.compile(r"\bawait |\basync (?=with\b|for\b|def\b)")
_IMPORT = re.compile(r"^( *from glide_scripts)(?= import )", re.MULTILINE)


def _same(code: str) -> str:
    return code


def _synchronous(code: str) -> str:
    return _IMPORT.sub(r"\1.sync", _AWAITED.sub("", code))


TABS: dict[str, Callable[[str], str]] = {
    "asyncio": _same,
    "synchronous": _synchronous,
    "trio": _same,
}
"""The label of each tab, and what makes its code of that for asyncio."""


def has_tabs(address: str, markdown: str) -> bool:
    """Whether a page shows its examples in tabs: those of the guide that await something."""
    return address.startswith("guide/") and any(
        _awaits(found["code"]) for found in _EXAMPLE.finditer(markdown)
    )


def with_tabs(markdown: str) -> str:
    """Return a page with each example in tabs that differs between them."""
    return _EXAMPLE.sub(lambda found: "\n".join(_in_tabs(found["code"])), markdown)


def _in_tabs(code: str) -> Iterator[str]:
    if _synchronous(code) == code:
        yield f"```python\n{code}```"
        return
    # The first mark begins a new set of tabs. Otherwise, two examples in a row would share a set.
    marks = itertools.chain(["===!"], itertools.repeat("==="))
    for mark, (label, change) in zip(marks, TABS.items(), strict=False):
        yield f'{mark} "{label}"\n'
        yield textwrap.indent(f"```python\n{change(code)}```", "    ") + "\n"


def _awaits(code: str) -> bool:
    """Whether code has ``await`` outside of functions, as ``python -m asyncio`` allows."""
    tree = compile(code, "example", "exec", ast.PyCF_ONLY_AST | ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    inside = [tree]
    while inside:
        node = inside.pop()
        if isinstance(node, ast.Await | ast.AsyncWith | ast.AsyncFor):
            return True
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            inside.extend(ast.iter_child_nodes(node))
    return False
