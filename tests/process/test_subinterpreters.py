"""The package in a subinterpreter, as mod_wsgi and uWSGI may load programs."""

from __future__ import annotations

import subprocess
import sys

import pytest
from tests.programs import run_program

from glide_scripts.testing import ValkeyServer

REFUSE = """
import sys

try:
    import _interpreters as interpreters
    run, create_shared = interpreters.exec, lambda: interpreters.create("legacy")
except ImportError:
    import _xxsubinterpreters as interpreters
    run, create_shared = interpreters.run_string, lambda: interpreters.create(isolated=False)

code = '''
try:
    import glide_scripts
except ImportError as error:
    print(str(error).partition(";")[0], flush=True)
'''

def refuse(create):
    interpreter = create()
    run(interpreter, code)
    interpreters.destroy(interpreter)

"""

CALL = """
import asyncio
from glide_scripts import GlideClient

async def main():
    async with await GlideClient.from_url(sys.argv[1]) as client:
        print(await client.ping())

asyncio.run(main())
"""

OURS = "glide_scripts runs in a process's main interpreter only, and this is a subinterpreter"


@pytest.mark.parametrize("first", ["main", "other"])
def test_a_subinterpreter_is_refused_and_the_main_one_works(
    server: ValkeyServer, first: str
) -> None:
    refused = "refuse(create_shared)\n"
    program = REFUSE + (CALL + refused if first == "main" else refused + CALL)
    # Not by run_program, whose programs import the package first.
    ran = subprocess.run(
        [sys.executable, "-c", program, server.url],
        check=False,
        capture_output=True,
        text=True,
        timeout=90,
    )
    assert ran.stderr == ""
    assert sorted(ran.stdout.splitlines()) == ["b'PONG'", OURS]


def test_a_subinterpreter_with_a_lock_of_its_own_is_refused(server: ValkeyServer) -> None:
    # Since Python 3.12, by Python itself.
    pythons = "module glide_scripts._core does not support loading in subinterpreters"
    expected = pythons if sys.version_info >= (3, 12) else OURS
    printed = run_program(f"{REFUSE}refuse(interpreters.create)\n{CALL}", server.url)
    assert printed.splitlines() == [expected, "b'PONG'"]
