"""Threads that import parts of the package at the same time."""

from __future__ import annotations

import subprocess
import sys

import pytest

# Not tests.programs, whose programs have imported the package already.
TWO_THREADS = """
import importlib, sys, threading, time

def pause(event, arguments):
    if event == "import" and arguments[0] == "glide_scripts._core" and is_first():
        begun.set()
        looks, deadline = 0, time.monotonic() + 20
        while looks < 20 and not ended.wait(0.005) and time.monotonic() < deadline:
            looks = looks + 1 if waits_for_import() else 0

def is_first():
    return threading.current_thread() is first

def waits_for_import():
    code = sys._current_frames()[threading.main_thread().ident].f_code
    return code.co_name == "acquire" and "importlib" in code.co_filename

def load(module):
    try:
        importlib.import_module(module)
    except BaseException as error:
        failed.append(f"{module}: {error!r}")

begun, ended, failed = threading.Event(), threading.Event(), []
sys.addaudithook(pause)
first = threading.Thread(target=load, args=["glide_scripts"])
first.start()
begun.wait(60)
load(f"glide_scripts.{sys.argv[1]}")
ended.set()
first.join()
assert not failed, failed
"""

# The package imports it, too. On Python 3.14, the second thread waits for the package and holds
# the module's lock: https://github.com/python/cpython/issues/83065, mended in 3.15.
CONFIG = [] if sys.version_info[:2] == (3, 14) else ["config"]


@pytest.mark.parametrize(
    "module",
    [
        *("sync", "testing", "coverage", "otel", "redis", "redis.sync", "valkey", "valkey.sync"),
        *("cli", "constants", "exceptions", "glide_client", "logger", "routes"),
        *("async_commands.batch", "async_commands.core", "shared", "shared.commands.batch"),
        *CONFIG,
    ],
)
def test_a_module_is_imported_while_another_thread_imports_the_package(module: str) -> None:
    """Python lets the second thread import from a package whose import has only begun.

    Each of the two would then wait for a module that the other one imports.
    """
    subprocess.run([sys.executable, "-c", TWO_THREADS, module], check=True, timeout=90)
