"""Synchronous clients in programs that gevent has patched."""

from __future__ import annotations

from tests.programs import run_program, started
from tests.waiting import block_until

from glide_scripts.testing import ValkeyServer

# gevent must patch before anything else is imported.
PATCHED = """
from gevent import monkey
monkey.patch_all()
import gevent
from glide_scripts.sync import *
"""


def test_ctrl_c_ends_a_call_that_waits(server: ValkeyServer) -> None:
    program = f"""{PATCHED}
client = GlideClient.from_url(URL)
try:
    client.custom_command(["BLPOP", "nothing", "0"])
except KeyboardInterrupt:
    print("interrupted", client.ping())
client.close()
"""
    with started(program, server.url) as process:
        block_until(lambda: "blocked_clients:1" in str(server.command("INFO", "clients")))
        process.send_signal(2)
        output, complaints = process.communicate(timeout=300)
    assert (output, complaints) == ("interrupted b'PONG'\n", "")


def test_each_greenlet_has_its_own_watch(server: ValkeyServer) -> None:
    program = f"""{PATCHED}
client = GlideClient.from_url(URL)

def change(key):
    client.watch([key])
    gevent.sleep(0.01)
    return client.exec(Batch(is_atomic=True).set(key, "v"), True) == [OK]

changes = [gevent.spawn(change, f"key {{number}}") for number in range(5)]
print([each.value for each in gevent.joinall(changes)])
client.close()
"""
    assert run_program(program, server.url) == f"{[True] * 5}\n"


def test_a_callback_may_wait_for_greenlets(own_server: ValkeyServer) -> None:
    own_server.command("CONFIG", "SET", "requirepass", "secret")
    program = f"""{PATCHED}
def password():
    gevent.sleep(0.1)
    return "secret"

host, port = URL.removeprefix("valkey://").rstrip("/").split(":")
credentials = ServerCredentials(password_callback=password)
config = GlideClientConfiguration([NodeAddress(host, int(port))], credentials=credentials)
with GlideClient.create(config) as client:
    print(client.ping())
"""
    assert run_program(program, own_server.url) == "b'PONG'\n"


def test_the_hub_s_threads_keep_a_call_from_blocking_the_greenlets(server: ValkeyServer) -> None:
    program = f"""{PATCHED}
client = GlideClient.from_url(URL)
pool = gevent.get_hub().threadpool
waiting = pool.spawn(client.custom_command, ["BLPOP", "list", "30"])
gevent.sleep(0.1)
client.custom_command(["RPUSH", "list", "word"])
print(waiting.get(timeout=20))
client.close()
"""
    assert run_program(program, server.url) == "[b'list', b'word']\n"
