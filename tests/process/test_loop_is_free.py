"""Nothing is imported on the event loop."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from glide_scripts.testing import ValkeyServer

# Not tests.programs: their imports would hide those of a client.
PROGRAM = """
import asyncio, json, sys, threading

import glide_scripts

on_loop = []
loop_thread = threading.get_ident()


def hook(event, arguments):
    if event == "import" and threading.get_ident() == loop_thread:
        on_loop.append(arguments[0])


async def main(url):
    # Before the hook, for what asyncio itself imports.
    await asyncio.sleep(0)
    sys.addaudithook(hook)
    client = await MAKE
    created = list(on_loop)
    try:
        await client.invoke_script(glide_scripts.Script("error('boom')"), ["key"], ["argument"])
    except glide_scripts.ScriptError as error:
        assert "boom" in str(error) and "args: 'argument'" in str(error)
    print(json.dumps([created, on_loop]))
    await client.close()


asyncio.run(main(sys.argv[1]))
"""


@pytest.mark.parametrize(
    "make",
    [
        "glide_scripts.GlideClient.from_url(url)",
        "glide_scripts.GlideClient.create(glide_scripts.GlideClientConfiguration("
        "[glide_scripts.NodeAddress('127.0.0.1', int(url.rpartition(':')[2]))]))",
    ],
    ids=["from_url", "create"],
)
def test_neither_the_first_client_nor_the_first_error_imports_on_the_loop(
    server: ValkeyServer, make: str
) -> None:
    program = PROGRAM.replace("MAKE", make)
    ran = subprocess.run(
        [sys.executable, "-c", program, server.url],
        check=False,
        capture_output=True,
        text=True,
        timeout=90,
    )
    assert ran.stderr == ""
    assert json.loads(ran.stdout) == [[], []]
