"""The package in a subinterpreter, as mod_wsgi and uWSGI may load programs."""

from __future__ import annotations

from tests.programs import run_program

from glide_scripts.testing import ValkeyServer


def test_a_subinterpreter_is_refused_and_told_what_to_do(server: ValkeyServer) -> None:
    program = """
try:
    import _interpreters as interpreters
    run = interpreters.exec
except ImportError:
    import _xxsubinterpreters as interpreters
    run = interpreters.run_string

code = '''
try:
    import glide_scripts
except ImportError as error:
    print(str(error).partition(";")[0], flush=True)
'''
interpreter = interpreters.create()
run(interpreter, code)
interpreters.destroy(interpreter)

async def main():
    async with await GlideClient.from_url(URL) as client:
        print(await client.ping())

asyncio.run(main())
"""
    assert run_program(program, server.url).splitlines() == [
        "glide_scripts runs in a process's main interpreter only, and this is a subinterpreter",
        "b'PONG'",
    ]
