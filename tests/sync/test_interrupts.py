"""Signals that come while a synchronous call waits."""

from __future__ import annotations

import gc
import signal
import subprocess
import sys
from types import FrameType

import pytest
from tests.programs import rest, started
from tests.waiting import block_until

from glide_scripts import sync
from glide_scripts.testing import ValkeyServer

PRELUDE = """
from glide_scripts.sync import *
client = GlideClient.from_url(URL)
"""

WAITING = {
    "a blocking command": ('client.custom_command(["BLPOP", "nothing", "0"])', "blocked_clients:1"),
    "a batch": (
        'client.exec(Batch(is_atomic=False).custom_command(["BLPOP", "nothing", "0"]), True, '
        "BatchOptions(timeout=60_000))",
        "blocked_clients:1",
    ),
}


def interrupted(process: subprocess.Popen[str]) -> str:
    process.send_signal(signal.SIGINT)
    output, complaints = rest(process)
    assert (process.returncode, complaints) == (0, "")
    return output


@pytest.mark.parametrize("function", ["warn_in_loop", "run"])
def test_an_interrupt_before_a_call_begins_sends_nothing_and_warns_of_nothing(
    server: ValkeyServer, function: str
) -> None:
    def interrupt(frame: FrameType, *_: object) -> None:
        if frame.f_code.co_name == function:
            raise KeyboardInterrupt

    with sync.GlideClient.from_url(server.url) as client:
        before = sys.gettrace()
        sys.settrace(interrupt)
        try:
            with pytest.raises(KeyboardInterrupt):
                client.incr("counter")
        finally:
            sys.settrace(before)
        # Warnings are errors here.
        gc.collect()
        assert client.get("counter") is None


@pytest.mark.parametrize("kind", WAITING)
def test_ctrl_c_ends_a_call_that_waits(server: ValkeyServer, kind: str) -> None:
    call, sign = WAITING[kind]
    program = f"""{PRELUDE}
try:
    {call}
except KeyboardInterrupt:
    print("interrupted", client.ping())
"""
    with started(program, server.url) as process:
        block_until(lambda: sign in str(server.command("INFO", "clients")))
        assert interrupted(process) == "interrupted b'PONG'\n"


def test_ctrl_c_ends_the_call_of_a_script_that_runs(own_server: ValkeyServer) -> None:
    own_server.command("CONFIG", "SET", "busy-reply-threshold", "1")
    program = f"""{PRELUDE}
try:
    client.invoke_script(Script("while true do end", read_only=True), timeout=60_000)
except KeyboardInterrupt:
    client.script_kill()
    print("interrupted", client.ping())
"""
    with started(program, own_server.url) as process:
        block_until(lambda: is_busy(own_server))
        assert interrupted(process) == "interrupted b'PONG'\n"


def is_busy(server: ValkeyServer) -> bool:
    try:
        server.command("PING")
    except Exception as error:
        return "BUSY" in str(error)
    return False


def test_ctrl_c_ends_a_client_that_is_being_made(own_server: ValkeyServer) -> None:
    program = """
from glide_scripts.sync import *
address = NodeAddress("127.0.0.1", int(URL.rpartition(":")[2].partition("/")[0]))
advanced = AdvancedGlideClientConfiguration(connection_timeout=60_000)
config = GlideClientConfiguration([address], advanced_config=advanced)
try:
    print("making", flush=True)
    GlideClient.create(config)
except KeyboardInterrupt:
    print("interrupted")
"""
    own_server.pause()
    with started(program, own_server.url) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "making\n"
        assert interrupted(process) == "interrupted\n"
    own_server.resume()


def test_ctrl_c_ends_the_calls_of_invoke_script_many(server: ValkeyServer) -> None:
    program = f"""{PRELUDE}
def calls():
    for number in range(1_000_000_000):
        if number == 5000:
            print("calling", flush=True)
        yield [], [str(number)]

try:
    for reply in client.invoke_script_many(ECHO, calls()):
        pass
except KeyboardInterrupt:
    print("interrupted", client.ping())
"""
    with started(program, server.url) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "calling\n"
        assert interrupted(process) == "interrupted b'PONG'\n"


def test_a_handler_that_returns_lets_the_call_go_on(server: ValkeyServer) -> None:
    program = f"""{PRELUDE}
signal.signal(signal.SIGINT, lambda *_: print("handled", flush=True))
print(client.custom_command(["BLPOP", "list", "0"]))
"""
    with started(program, server.url) as process:
        assert process.stdout is not None
        block_until(lambda: "blocked_clients:1" in str(server.command("INFO", "clients")))
        process.send_signal(signal.SIGINT)
        assert process.stdout.readline() == "handled\n"
        server.command("RPUSH", "list", "word")
        output, complaints = rest(process)
    assert (output, complaints) == ("[b'list', b'word']\n", "")


def test_an_interrupted_call_that_was_not_written_never_is(own_server: ValkeyServer) -> None:
    """It waits behind megabytes that the server does not take."""
    program = """
from glide_scripts.sync import *
client = GlideClient.from_url(URL + "?timeout=60000")
print("made", flush=True)
sys.stdin.readline()
threading.Thread(target=client.set, args=["large", "x" * 50_000_000], daemon=True).start()
while client.stats().bytes_sent < 1_000_000:
    time.sleep(0.01)
try:
    print("full", flush=True)
    client.incr("calls")
except KeyboardInterrupt:
    print("interrupted", flush=True)
    sys.stdin.readline()
    print(client.get("calls"))
"""
    with started(program, own_server.url) as process:
        assert process.stdout is not None
        assert process.stdin is not None
        assert process.stdout.readline() == "made\n"
        own_server.pause()
        process.stdin.write("go\n")
        process.stdin.flush()
        assert process.stdout.readline() == "full\n"
        process.send_signal(signal.SIGINT)
        assert process.stdout.readline() == "interrupted\n"
        own_server.resume()
        output, complaints = rest(process, "go\n")
    assert (output, complaints) == ("None\n", "")
