"""Runs the code blocks of one page of the documentation, in their order, in one process.

As a program, ``python -m tests.docs_page PAGE [TAB]`` prints, as JSON, what is wrong with the page:
``[[line, what], ...]``. It runs in a folder of its own, where files with a title in the page are
written, and ``examples`` is the repository's. With a tab of the guide (``tools/docs_tabs.py``), it
runs the examples as that tab shows them.

============  =====================================================================================
``python``    Runs, and prints what its ``# prints:`` comments say. ``await`` may stand at the top,
              as in ``python -m asyncio``, and blocks of a page share their names. A program shares
              none: it starts a server of its own, or calls ``asyncio.run`` or ``trio.run``.
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
import dataclasses
import inspect
import io
import json
import os
import re
import subprocess
import sys
import textwrap
import threading
import tomllib
import traceback
from collections.abc import Coroutine, Iterator
from concurrent.futures import Future
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from types import CodeType
from typing import Any, Protocol, Self

import trio
from tests.waiting import block_until
from tools.docs_tabs import TABS, has_tabs

from glide_scripts import sync
from glide_scripts.testing import ServerReplyError, ValkeyServer

ROOT = Path(__file__).parents[1]
COMMAND_TIMEOUT_SECS = 120
BLOCK = re.compile(
    r'^(?P<indent>(?: +(?=```\w))?)```(?P<language>\w+)?(?: title="(?P<title>[^"]+)")?\n'
    r"(?P<text>.*?)^(?P=indent)```$",
    re.MULTILINE | re.DOTALL,
)
TAB = re.compile(r'^=== "(.+)"$', re.MULTILINE)
PROGRAM = re.compile(r"\bValkey(?:Server|Cluster)\(.*\) as |\b(?:asyncio|trio)\.run\(")
PRINTS = re.compile(r"# prints: ?(.*)$", re.MULTILINE)
# Blocks that are neither run nor parsed: trees and drawings.
PLAIN = (None, "text")


@dataclass(frozen=True)
class Block:
    """A fenced block of a page."""

    language: str | None
    title: str | None
    text: str
    line: int
    tab: str | None = None

    @property
    def is_program(self) -> bool:
        """Whether it is a program, which shares no names with the other blocks of its page."""
        return PROGRAM.search(self.text) is not None


def blocks(page: Path) -> list[Block]:
    text = page.read_text()
    return [
        Block(
            language=found["language"],
            title=found["title"],
            text=textwrap.dedent(found["text"]),
            tab=[None, *TAB.findall(text, 0, found.start())][-1] if found["indent"] else None,
            line=text.count("\n", 0, found.start("text")) + 1,
        )
        for found in BLOCK.finditer(text)
    ]


def tabs_of(page: Path) -> list[str]:
    """The tabs in which a page shows its examples; none if it shows them in one form."""
    address = str(page.relative_to(ROOT / "docs")) if (ROOT / "docs") in page.parents else ""
    return list(TABS) if has_tabs(address, page.read_text()) else []


class Runner(Protocol):
    """Runs the coroutines of a page, one after another, on one loop."""

    def run(self, coroutine: Coroutine[Any, Any, None], /) -> None: ...


class TrioRunner:
    """A run of trio in a thread of its own."""

    def __enter__(self) -> Self:
        self._started: Future[tuple[trio.lowlevel.TrioToken, trio.Event]] = Future()
        self._thread = threading.Thread(target=trio.run, args=[self._main])
        self._thread.start()
        self._token, self._end = self._started.result()
        return self

    def __exit__(self, *_: object) -> None:
        self._token.run_sync_soon(self._end.set)
        self._thread.join()

    async def _main(self) -> None:
        end = trio.Event()
        self._started.set_result((trio.lowlevel.current_trio_token(), end))
        await end.wait()

    def run(self, coroutine: Coroutine[Any, Any, None], /) -> None:
        async def wait() -> None:
            await coroutine

        trio.from_thread.run(wait, trio_token=self._token)


def failures(page: Path, tab: str | None) -> Iterator[tuple[int, str]]:
    """Return the lines of the page that are wrong, and why."""
    names: dict[str, Any] = {}
    running: AbstractContextManager[Runner] = TrioRunner() if tab == "trio" else asyncio.Runner()
    with ValkeyServer() as server, running as runner:
        for block in blocks(page):
            if tab is not None and block.tab not in (None, tab):
                continue
            # The tab for asyncio covers what is the same in all of them.
            if tab not in (None, "asyncio") and block.title is None and block.language != "python":
                continue
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
                        run_python(in_tab(block, tab), page, names, runner)
                    else:
                        compile(block.text, block.title, "exec")
                elif block.language not in PLAIN:
                    raise AssertionError(f"nothing checks blocks of {block.language}")
            except Exception:
                yield block.line, traceback.format_exc()
        close(names, runner)


def in_tab(block: Block, tab: str | None) -> Block:
    """The block as a tab shows it."""
    if tab is None or block.tab is not None:
        return block
    return dataclasses.replace(block, text=TABS[tab](block.text))


def close(names: dict[str, Any], runner: Runner) -> None:
    """Closes the clients that a page has left open, and ends its servers."""
    for value in names.values():
        if isinstance(value, sync.GlideClient | sync.GlideClusterClient):
            value.close()
        elif hasattr(value, "aclose") and not inspect.isclass(value):
            runner.run(value.aclose())
    for value in names.values():
        if hasattr(value, "restart") and hasattr(value, "stop") and not inspect.isclass(value):
            value.stop()


def run_python(block: Block, page: Path, names: dict[str, Any], runner: Runner) -> None:
    # Tracebacks then name the page's own lines.
    text = "\n" * (block.line - 1) + block.text
    code = compile(text, str(page), "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    namespace: dict[str, Any] = {} if block.is_program else names
    namespace["__name__"] = "__main__"
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        if code.co_flags & inspect.CO_COROUTINE:
            runner.run(awaited(code, namespace))
        else:
            exec(code, namespace)
    if "script_kill()" in block.text:
        # A killed script runs a moment longer.
        block_until(lambda: not any(map(is_busy, namespace.values())))
    if said := PRINTS.findall(block.text):
        compare(said, printed.getvalue())
    elif printed.getvalue():
        raise AssertionError(f"the page does not say that it prints:\n{printed.getvalue()}")


def is_busy(value: object) -> bool:
    """Whether it is a server that runs a script."""
    if not isinstance(value, ValkeyServer) or not value.running:
        return False
    try:
        value.command("PING")
    except ServerReplyError as error:
        return str(error).startswith("BUSY")
    return False


async def awaited(code: CodeType, names: dict[str, Any]) -> None:
    await eval(code, names)


def run_commands(block: Block) -> None:
    exit_code, asked = 0, True
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    # PYTHONPATH leads to this program's own modules.
    environ = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
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
            env={**environ, "PATH": path, "PYTHONUTF8": "1", "COLUMNS": "80"},
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
    shown = list(failures(Path(sys.argv[1]), sys.argv[2] if len(sys.argv) > 2 else None))
    json.dump(shown, sys.__stdout__ or sys.stdout)
