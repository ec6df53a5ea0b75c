"""Clients that a program makes before it forks, as under gunicorn and multiprocessing."""

from __future__ import annotations

import pytest
from tests.programs import run_program
from tests.transport.kinds import LIBRARIES

from glide_scripts.testing import ValkeyServer

FORKS = """
import multiprocessing
fork = multiprocessing.get_context("fork")

def in_children(work, count=3):
    children = [fork.Process(target=work) for _ in range(count)]
    for child in children:
        child.start()
    for child in children:
        child.join()
    assert [child.exitcode for child in children] == [0] * count
"""

SYNC = f"""{FORKS}
from glide_scripts.{{library}}.sync import {{name}}
client = {{name}}.from_url(URL.replace("valkey://", "{{library}}://"))
script = client.register_script("return redis.call('INCRBY', KEYS[1], ARGV[1])")

def work():
    for _ in range(20):
        script(["count"], [1])
    pipe = client.pipeline().incr("count")
    script(["count"], [1], client=pipe)
    pipe.execute()
    client.transaction(lambda pipe: (pipe.multi(), pipe.incr("count")), "count")
"""

ASYNC = f"""{FORKS}
from glide_scripts.{{library}} import {{name}}
client = {{name}}.from_url(URL.replace("valkey://", "{{library}}://"))
script = client.register_script("return redis.call('INCRBY', KEYS[1], ARGV[1])")

async def calls():
    await asyncio.gather(*(script(["count"], [1]) for _ in range(22)))
    await client.incr("count")
    await client.aclose()

def work():
    asyncio.run(calls())
"""


def program(text: str, library: str) -> str:
    return text.replace("{library}", library).replace("{name}", library.capitalize())


@pytest.mark.parametrize("library", LIBRARIES)
@pytest.mark.parametrize("kind", [SYNC, ASYNC])
@pytest.mark.parametrize("is_used", [False, True])
def test_parent_and_children_use_one_client(
    library: str, kind: str, is_used: bool, server: ValkeyServer
) -> None:
    before = "work()" if is_used else ""
    run_program(f"{program(kind, library)}\n{before}\nin_children(work)\nwork()", server.url)
    assert server.command("GET", "count") == (b"115" if is_used else b"92")


@pytest.mark.parametrize("library", LIBRARIES)
def test_a_fork_while_threads_open_and_use_clients(library: str, server: ValkeyServer) -> None:
    text = f"""{SYNC}
stopping = threading.Event()

def calls():
    while not stopping.is_set():
        other = {{name}}.from_url(URL.replace("valkey://", "{{library}}://"))
        other.ping()
        script(["other"], [1])
        other.close()

# A fork while another thread imports a module leaves that module locked in the child.
work()
threads = [threading.Thread(target=calls) for _ in range(3)]
for thread in threads:
    thread.start()
for _ in range(10):
    in_children(work, 1)
stopping.set()
for thread in threads:
    thread.join()
"""
    run_program(program(text, library), server.url)
    assert server.command("GET", "count") == b"253"
