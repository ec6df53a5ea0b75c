"""What a client does on the event loop's thread: it imports nothing there, and opens no socket."""

from __future__ import annotations

import subprocess
import sys

import pytest
from tests.programs import run_program
from tests.transport.kinds import LIBRARIES

from glide_scripts.testing import ValkeyCluster, ValkeyServer

PROGRAM = """
from glide_scripts.{library} import {name}

BLOCKING = ("import", "compile", "exec", "open", "os.", "socket.", "subprocess.", "time.")
events = []

def hook(name, args):
    if watching and threading.current_thread() is threading.main_thread():
        if name.startswith(BLOCKING):
            events.append((name, args))

watching = False
sys.addaudithook(hook)

async def main():
    global watching
    client = {name}.from_url(URL.replace("valkey://", "{library}://"))
    script = client.register_script("return redis.call('INCR', KEYS[1])")
    watching = True
    print(await script(["n"]), await client.set("key", 1), await client.hgetall("none"))
    pipe = client.pipeline()
    pipe.get("key")
    await script(["n"], client=pipe)
    print(await pipe.execute())
    async with client.pipeline() as pipe:
        print(await pipe.get("key").execute())
    watching = False
    await client.aclose()

asyncio.run(main())
print(events)
"""


@pytest.mark.parametrize("library", LIBRARIES)
def test_first_calls_import_nothing_and_open_no_socket_on_the_loop(
    library: str, server: ValkeyServer
) -> None:
    program = PROGRAM.replace("{library}", library).replace("{name}", library.capitalize())
    assert run_program(program, server.url).splitlines() == [
        "1 True {}", "[b'1', 2]", "[b'1']", "[]"
    ]  # fmt: skip


@pytest.mark.parametrize("library", LIBRARIES)
def test_nor_do_those_of_a_cluster_client(library: str, valkey_cluster: ValkeyCluster) -> None:
    name = f"{library.capitalize()}Cluster"
    program = PROGRAM.replace("{library}", library).replace("{name}", name)
    host, port = valkey_cluster.addresses[0]
    assert run_program(program, f"valkey://{host}:{port}").splitlines() == [
        "1 True {}", "[b'1', 2]", "[b'1']", "[]"
    ]  # fmt: skip


# Not run_program, which imports all of the package first.
FIRST_IMPORTS = """
import asyncio, sys, threading, time
from glide_scripts.{library} import {name}

on_loop, in_thread = [], []

def hook(event, arguments):
    if event != "import" or not arguments[0].startswith("glide_scripts"):
        return
    if threading.current_thread() is threading.main_thread():
        on_loop.append(arguments[0])
    elif not in_thread:
        in_thread.append(arguments[0])
        # Longer than the call may take.
        time.sleep(2.5)

async def main():
    url = sys.argv[1].replace("valkey://", "{library}://")
    client = {name}.from_url(url, socket_timeout=2)
    sys.addaudithook(hook)
    print(await client.set("key", 1), on_loop, len(in_thread))
    await client.aclose()

asyncio.run(main())
"""


@pytest.mark.parametrize("library", LIBRARIES)
@pytest.mark.parametrize("suffix", ["", "Cluster"])
def test_what_the_first_call_imports_takes_neither_the_loop_nor_the_call_s_time(
    library: str, suffix: str, valkey_cluster: ValkeyCluster, server: ValkeyServer
) -> None:
    host, port = valkey_cluster.addresses[0]
    url = f"valkey://{host}:{port}" if suffix else server.url
    name = library.capitalize() + suffix
    program = FIRST_IMPORTS.replace("{library}", library).replace("{name}", name)
    ran = subprocess.run(
        [sys.executable, "-c", program, url],
        check=False,
        capture_output=True,
        text=True,
        timeout=100,
    )
    assert (ran.stdout, ran.stderr) == ("True [] 1\n", "")
