"""Runs the code blocks of one page of the documentation, in their order, in one process.

As a program it prints, as JSON, what is wrong with the page: ``[[line, what], ...]``. It runs in a
folder of its own, where files with a title in the page are written, and ``examples`` is the
repository's.

============  =====================================================================================
``python``    Runs, and prints what its ``# prints:`` comments say. ``await`` may stand at the top,
              as in ``python -m asyncio``, and blocks of a page share their names. A program, which
              has an ``asyncio.run`` or ``trio.run`` of its own or is in a tab, shares none.
``console``   Each ``$ command`` prints what is shown under it. One that fails is followed by
              ``$ echo $?``.
``lua``       A real server compiles it.
``toml``      Can be parsed, and so can ``json``.
``sh``        ``make`` targets and extras of the package are there.
============  =====================================================================================

A block with a title is a file: it is written, and runs only where a command runs it. ``…`` stands
for anything in a line; alone in a line, for any lines.
"""

import ast
import asyncio
import contextlib
import inspect
import io
import json
import os
import re
import subprocess
import sys
import textwrap
import tomllib
import traceback
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import CodeType
from typing import Any

from glide_scripts.testing import ValkeyServer

ROOT = Path(__file__).parents[1]
COMMAND_TIMEOUT_SECS = 120
BLOCK = re.compile(
    r'^(?P<indent>(?: +(?=```\w))?)```(?P<language>\w+)?(?: title="(?P<title>[^"]+)")?\n'
    r"(?P<text>.*?)^(?P=indent)```$",
    re.MULTILINE | re.DOTALL,
)
PRINTS = re.compile(r"# prints: ?(.*)$", re.MULTILINE)
# What is neither run nor parsed: trees and drawings.
PLAIN = (None, "text")


@dataclass(frozen=True)
class Block:
    """A fenced block of a page."""

    language: str | None
    title: str | None
    text: str
    line: int
    is_in_tab: bool = False


def blocks(page: Path) -> list[Block]:
    text = page.read_text()
    return [
        Block(
            language=found["language"],
            title=found["title"],
            text=textwrap.dedent(found["text"]),
            is_in_tab=bool(found["indent"]),
            line=text.count("\n", 0, found.start("text")) + 1,
        )
        for found in BLOCK.finditer(text)
    ]


def failures(page: Path) -> Iterator[tuple[int, str]]:
    """Where the page is wrong, and how."""
    names: dict[str, Any] = {}
    with ValkeyServer() as server, asyncio.Runner() as runner:
        for block in blocks(page):
            try:
                if block.title is not None:
                    file = Path(block.title)
                    file.parent.mkdir(parents=True, exist_ok=True)
                    file.write_text(block.text)
                if block.language == "lua":
                    compile_lua(block, server)
                elif block.language == "toml":
                    tomllib.loads(block.text)
                elif block.language == "json":
                    json.loads(block.text)
                elif block.language == "sh":
                    check_commands(block)
                elif block.language == "console":
                    run_commands(block)
                elif block.language == "python":
                    if block.title is None:
                        run_python(block, page, names, runner)
                    else:
                        compile(block.text, block.title, "exec")
                elif block.language not in PLAIN:
                    raise AssertionError(f"nothing checks blocks of {block.language}")
            except Exception:
                yield block.line, traceback.format_exc()
        runner.run(close(names))


async def close(names: dict[str, Any]) -> None:
    """Closes the clients that a page has left open, and ends its servers."""
    for value in names.values():
        if hasattr(value, "aclose") and not inspect.isclass(value):
            await value.aclose()
    for value in names.values():
        if hasattr(value, "restart") and hasattr(value, "stop") and not inspect.isclass(value):
            value.stop()


def run_python(block: Block, page: Path, names: dict[str, Any], runner: asyncio.Runner) -> None:
    # Tracebacks then name the page's own lines.
    text = "\n" * (block.line - 1) + block.text
    code = compile(text, str(page), "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    is_program = block.is_in_tab or "asyncio.run(" in block.text or "trio.run(" in block.text
    namespace: dict[str, Any] = {} if is_program else names
    namespace["__name__"] = "__main__"
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        if code.co_flags & inspect.CO_COROUTINE:
            runner.run(awaited(code, namespace))
        else:
            exec(code, namespace)
    if said := PRINTS.findall(block.text):
        compare(said, printed.getvalue())
    elif printed.getvalue():
        raise AssertionError(f"the page does not say that it prints:\n{printed.getvalue()}")


async def awaited(code: CodeType, names: dict[str, Any]) -> None:
    await eval(code, names)


def run_commands(block: Block) -> None:
    exit_code, asked = 0, True
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    for command in block.text.removeprefix("$ ").split("\n$ "):
        line, _, said = command.partition("\n")
        if line == "echo $?":
            compare(said.splitlines(), str(exit_code))
            asked = True
            continue
        assert asked, f"the command before {line!r} ended with {exit_code}"
        done = subprocess.run(
            line,
            shell=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env={**os.environ, "PATH": path, "PYTHONUTF8": "1", "COLUMNS": "80"},
            timeout=COMMAND_TIMEOUT_SECS,
            check=False,
        )
        compare(said.splitlines(), done.stdout)
        exit_code, asked = done.returncode, done.returncode == 0
    assert asked, f"the last command ended with {exit_code}"


def compile_lua(block: Block, server: ValkeyServer) -> None:
    if block.text.startswith("#!lua name="):
        server.command("FUNCTION", "LOAD", "REPLACE", block.text)
    else:
        server.command("SCRIPT", "LOAD", block.text)


def check_commands(block: Block) -> None:
    makefile = (ROOT / "Makefile").read_text()
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    for target in re.findall(r"^make ([a-z-]+)", block.text, re.MULTILINE):
        assert f"\n{target}:" in makefile, f"there is no target {target}"
    for extras in re.findall(r"(?:glide-scripts|\.whl\))\[([\w,-]+)\]", block.text):
        for extra in extras.split(","):
            assert extra in project["optional-dependencies"], f"there is no extra {extra}"


def compare(said: list[str], printed: str) -> None:
    pattern = "".join(
        r"(?:.*\n)*?" if line == "…" else re.escape(line.rstrip()).replace("…", ".*") + r"[ ]*\n"
        for line in said
    )
    printed = "".join(f"{line}\n" for line in printed.splitlines())
    if re.fullmatch(pattern, printed) is None:
        shown = "\n".join(said)
        raise AssertionError(f"the page says:\n{shown}\nit printed:\n{printed}")


if __name__ == "__main__":
    json.dump(list(failures(Path(sys.argv[1]))), sys.__stdout__ or sys.stdout)
