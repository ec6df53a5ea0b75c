"""``glide-scripts debug --dap``, driven by a client library for the protocol."""

import os
import re
import select
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import pytest
from dap.base import ErrorResponse, EventBody, Response, ResponseBody
from dap.client import Client
from dap.events import ExitedEvent, InitializedEvent, OutputEvent, StoppedEvent, TerminatedEvent
from dap.handler import Handler
from dap.responses import (
    EvaluateResponse,
    ScopesResponse,
    SetBreakpointsResponse,
    StackTraceResponse,
    ThreadsResponse,
    VariablesResponse,
)

from glide_scripts.cli._stepping import Breakpoint
from glide_scripts.testing import ValkeyServer

WITHIN = 30.0  # seconds
T = TypeVar("T")

SCRIPT = """\
--@include "lib/price.lua"
local total = 0
for index, name in ipairs({'pen', 'cup', 'hat'}) do
  redis.call('INCR', 'seen')
  total = total + price(name, index)
end
return total
"""
PRICE = """\
local function price(name, count)
  local about = {name = name, tags = {'a', count}}
  return #about.name * count
end
"""


@pytest.fixture
def script(tmp_path: Path) -> Path:
    (tmp_path / "lib").mkdir()
    (tmp_path / "lib/price.lua").write_text(PRICE)
    (tmp_path / "sum.lua").write_text(SCRIPT)
    return tmp_path / "sum.lua"


class Answers(Handler):  # type: ignore[misc]
    """The library's client, which takes a response without a body for an incomplete one."""

    def handle_response(self, response: Response) -> Any:
        if response.success and not response.body:
            self.client._pending_requests.pop(response.request_seq)
            return response
        return super().handle_response(response)


class Editor:
    """Plays an editor."""

    def __init__(self, reading: int, writing: int) -> None:
        self._reading, self._writing = reading, writing
        self.client = Client("glide-scripts", path_format="path", lines_start_at1=True)
        self.client.handler = Answers(self.client)
        self._came: list[ResponseBody | EventBody] = []
        self.seen: list[ResponseBody | EventBody] = []

    def expect(self, kind: type[T]) -> T:
        """Wait for a response or an event; what else comes is left for later."""
        self._send()
        deadline = time.monotonic() + WITHIN
        while True:
            for each in self._came:
                if isinstance(each, kind):
                    self._came.remove(each)
                    return each
            left = deadline - time.monotonic()
            assert left > 0, f"no {kind.__name__} among {self.seen}"
            if select.select([self._reading], [], [], left)[0]:
                data = os.read(self._reading, 65536)
                assert data, f"it ended without {kind.__name__}, after {self.seen}"
                new = list(self.client.receive(data))
                self._came += new
                self.seen += new

    def _send(self) -> None:
        data = bytes(self.client.send())
        while data:
            data = data[os.write(self._writing, data) :]

    @property
    def output(self) -> str:
        """All output of the script and the adapter."""
        return "".join(each.output for each in self.seen if isinstance(each, OutputEvent))

    def launch(self, **arguments: Any) -> None:
        self.client.send_request("launch", arguments)

    def breaks(self, file: Path, *lines: int | tuple[int, str] | dict[str, Any]) -> list[Any]:
        wanted: Any = [
            {"line": each}
            if isinstance(each, int)
            else {"line": each[0], "condition": each[1]}
            if isinstance(each, tuple)
            else each
            for each in lines
        ]
        source: Any = {"path": str(file)}
        self.client.set_breakpoints(source, wanted)
        return list(self.expect(SetBreakpointsResponse).breakpoints)

    def start(self) -> None:
        self.client.configuration_done()

    def stop(self, reason: str) -> list[tuple[str, str, int]]:
        """Wait until the script stops; return the running functions, with their files and lines."""
        self.stopped = self.expect(StoppedEvent)
        assert self.stopped.reason == reason
        self.client.threads()
        (thread,) = self.expect(ThreadsResponse).threads
        assert thread.id == self.stopped.threadId
        self.client.stack_trace(thread.id)
        frames = self.expect(StackTraceResponse).stackFrames
        self.frames = [each.id for each in frames]
        return [(each.name, os.path.basename(each.source.path), each.line) for each in frames]

    def variables(self, reference: int) -> dict[str, Any]:
        self.client.variables(reference)
        return {each.name: each for each in self.expect(VariablesResponse).variables}

    def locals(self, frame: int) -> dict[str, Any]:
        self.client.scopes(self.frames[frame])
        scopes = self.expect(ScopesResponse).scopes
        assert scopes[0].name == "Locals"
        return self.variables(scopes[0].variablesReference)

    def evaluate(self, code: str, frame: int = 0) -> str:
        self.client.evaluate(code, self.frames[frame], context="watch")
        return str(self.expect(EvaluateResponse).result)

    def end(self, code: int) -> None:
        assert self.expect(ExitedEvent).exitCode == code
        self.expect(TerminatedEvent)
        self.client.disconnect()
        self._send()


PROGRAM = [sys.executable, "-m", "glide_scripts", "debug", "--dap"]


@contextmanager
def adapter(*words: str) -> Iterator[Editor]:
    """An adapter on pipes."""
    process = subprocess.Popen(
        [*PROGRAM, *words], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert process.stdin is not None
    assert process.stdout is not None
    assert process.stderr is not None
    try:
        yield Editor(process.stdout.fileno(), process.stdin.fileno())
        process.stdin.close()
        assert (process.wait(WITHIN), process.stderr.read()) == (0, b"")
    finally:
        process.kill()
        process.wait()
        for stream in (process.stdin, process.stdout, process.stderr):
            stream.close()


def test_an_editor_steps_through_a_script_and_its_includes(script: Path, url: str) -> None:
    with adapter("--url", url) as editor:
        editor.launch(program=str(script), keys=["k"], args=[1], stopOnEntry=True)
        editor.expect(InitializedEvent)
        assert [each.verified for each in editor.breaks(script.parent / "lib/price.lua", 3)] == [
            True
        ]
        assert [each.line for each in editor.breaks(script, 1, 5)] == [2, 5]
        editor.start()
        assert editor.stop("entry") == [("top level", "price.lua", 4)]
        editor.client.continue_(1)
        assert editor.stop("breakpoint") == [("top level", "sum.lua", 2)]
        editor.client.next(1)
        assert editor.stop("step") == [("top level", "sum.lua", 3)]
        editor.client.next(1)
        assert editor.stop("step") == [("top level", "sum.lua", 4)]
        editor.client.next(1)
        assert editor.stop("breakpoint") == [("top level", "sum.lua", 5)]
        assert "> INCR seen\n" in editor.output
        editor.client.step_in(1)
        assert editor.stop("step") == [("price", "price.lua", 2), ("top level", "sum.lua", 5)]
        editor.client.step_in(1)
        assert editor.stop("breakpoint")[0] == ("price", "price.lua", 3)
        own, outer = editor.locals(0), editor.locals(1)
        assert {name: each.value for name, each in own.items()} == {
            "about": '{name = "pen", tags = {"a", 1}}', "count": "1", "name": '"pen"'
        }  # fmt: skip
        assert (own["name"].type, own["count"].type) == ("string", "number")
        fields = editor.variables(own["about"].variablesReference)
        assert {name: each.value for name, each in fields.items()} == {
            "name": '"pen"', "tags": '{"a", 1}'
        }  # fmt: skip
        tags = editor.variables(fields["tags"].variablesReference)
        assert [(name, each.value) for name, each in tags.items()] == [("[1]", '"a"'), ("[2]", "1")]
        assert (outer["index"].value, outer["total"].value) == ("1", "0")
        assert editor.evaluate("about.name .. count") == '"pen1"'
        assert editor.evaluate("name .. index", 1) == '"pen1"'
        assert editor.evaluate("redis.call('GET', 'seen') .. #KEYS") == '"11"'
        editor.client.evaluate("nosuch", editor.frames[0])
        assert "nosuch" in str(editor.expect(ErrorResponse).message)
        editor.breaks(script.parent / "lib/price.lua")
        editor.client.step_out(1)
        assert editor.stop("step") == [("top level", "sum.lua", 3)]
        editor.breaks(script)
        editor.client.continue_(1)
        editor.end(0)
        assert "the script returned 18\n" in editor.output


def test_breakpoints_may_have_conditions(script: Path, url: str) -> None:
    with adapter(str(script), "--url", url) as editor:
        editor.launch()
        editor.expect(InitializedEvent)
        price = script.parent / "lib/price.lua"
        assert editor.breaks(price, (3, "count > 1 and name ~= 'cup'"))[0].verified
        first, second = editor.breaks(script, (5, "nosuch"), 99)
        assert (first.verified, second.verified) == (True, False)
        assert second.message == f"{script} has no code at line 99 or below"
        (unknown,) = editor.breaks(script.parent / "other.lua", 1)
        assert not unknown.verified
        editor.start()
        editor.stop("breakpoint")
        assert "the condition 'nosuch' fails: Script attempted to access" in editor.output
        editor.breaks(script)
        editor.client.continue_(1)
        assert editor.stop("breakpoint")[0] == ("price", "price.lua", 3)
        assert editor.evaluate("name") == '"hat"'
        editor.client.continue_(1)
        editor.end(0)


def test_breakpoints_may_count_and_say_something_instead(script: Path, url: str) -> None:
    with adapter(str(script), "--url", url) as editor:
        editor.launch()
        editor.expect(InitializedEvent)
        price = script.parent / "lib/price.lua"
        says = {"line": 3, "logMessage": "{name} {count} {nosuch.x}"}
        first = {"line": 1, "condition": "#ARGV > 0"}
        assert [each.verified for each in editor.breaks(price, says, first)] == [True, True]
        hits = {"line": 4, "hitCondition": ">= 2", "condition": "name ~= 'hat'"}
        wrong = {"line": 5, "hitCondition": "often"}
        found, refused = editor.breaks(script, hits, wrong)
        assert (found.verified, refused.verified) == (True, False)
        assert refused.message == "'often' is not a count of hits; write 3, >= 3 or % 3"
        editor.start()
        assert editor.stop("breakpoint") == [("top level", "sum.lua", 4)]
        assert editor.evaluate("name") == '"cup"'
        assert '"pen" 1 <Script attempted to access nonexistent' in editor.output
        assert '"cup"' not in editor.output
        editor.client.continue_(1)
        editor.end(0)
        assert '"hat" 3 <' in editor.output


@pytest.mark.parametrize(
    ("hits", "stops"),
    [("2", [2]), ("== 2", [2]), ("> 2", [3, 4]), ("<= 2", [1, 2]), ("< 2", [1]), ("%2", [2, 4])],
)
def test_hits_are_counted_as_editors_write_it(hits: str, stops: list[int]) -> None:
    assert [count for count in range(1, 5) if Breakpoint(hits=hits).is_hit(count)] == stops


def test_of_a_long_table_the_editor_sees_how_much_is_left_out(tmp_path: Path, url: str) -> None:
    file = tmp_path / "long.lua"
    file.write_text("local t = {}\nfor i = 1, 230 do t[i] = i end\nreturn #t\n")
    with adapter(str(file), "--url", url) as editor:
        editor.launch()
        editor.expect(InitializedEvent)
        editor.breaks(file, 3)
        editor.start()
        editor.stop("breakpoint")
        fields = editor.variables(editor.locals(0)["t"].variablesReference)
        assert len(fields) == 201
        assert (fields["[200]"].value, fields["..."].value) == ("200", "30 more")
        # An editor may ask for one that it was shown before the script went on.
        editor.client.variables(19999)
        refused = str(editor.expect(ErrorResponse).message)
        assert refused == "there is no such table; the script has gone on since"
        editor.client.continue_(1)
        editor.end(0)


def test_an_editor_sees_where_a_script_failed(script: Path, url: str) -> None:
    (script.parent / "lib/price.lua").write_text(PRICE.replace("#about.name", "#about.nam"))
    with adapter("--url", url) as editor:
        editor.launch(program=str(script))
        editor.expect(InitializedEvent)
        editor.client.set_exception_breakpoints(["error"], None, None)
        editor.start()
        assert editor.stop("exception") == [("top level", "price.lua", 3)]
        assert editor.stopped.text is not None
        words = "lib/price.lua:3: attempt to get length of field 'nam' (a nil value)"
        assert editor.stopped.text.endswith(words)
        editor.client.continue_(1)
        editor.end(1)
        assert f"{script.parent}/lib/price.lua:3: attempt to get length" in editor.output


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        ({}, "program is missing"),
        ({"program": "nope.lua"}, "nope.lua: No such file"),
        ({"program": "{script}", "keys": "k"}, "keys is not a list of strings"),
        ({"program": "{script}", "data": "nope.json"}, "nope.json: No such file"),
        ({"program": "{script}", "data": [1]}, "data is not an object of keys and values"),
        ({"program": "{script}", "setup": 1}, "setup is not a file, or a list of files"),
        ({"program": "{script}", "data": {"seen": None}}, "seen: null is not a string"),
        ({"program": "{script}", "data": {"a": 1}, "url": "valkey://127.0.0.1:1"}, "--fill-url"),
        ({"program": "{script}", "url": "nowhere"}, "url: it has no scheme"),
        ({"program": "{script}", "url": "valkey://127.0.0.1:1"}, "Connection refused"),
        ({"program": "{broken}"}, "broken.lua:1: unexpected symbol near '='"),
    ],
)
def test_a_launch_that_fails_says_why(script: Path, arguments: dict[str, Any], why: str) -> None:
    broken = script.with_name("broken.lua")
    broken.write_text("local x = = 1")
    given = {
        name: value.replace("{script}", str(script)).replace("{broken}", str(broken))
        if isinstance(value, str)
        else value
        for name, value in arguments.items()
    }
    with adapter() as editor:
        editor.launch(**given)
        assert why in str(editor.expect(ErrorResponse).message)
        editor.client.disconnect()
        editor._send()


def test_the_editor_fills_the_temporary_server(tmp_path: Path) -> None:
    file, setup = tmp_path / "sum.lua", tmp_path / "setup.txt"
    file.write_text("return redis.call('GET', 'a') + redis.call('GET', 'b')\n")
    setup.write_text("SET b 30\n")
    # What the editor says replaces what the command line says.
    with adapter(str(file), "--data", '{"a": 1}') as editor:
        editor.launch(data={"a": 4}, setup=[str(setup)])
        editor.expect(InitializedEvent)
        editor.start()
        editor.end(0)
        assert "the script returned 34\n" in editor.output


def test_a_script_that_loops_is_left_by_a_disconnect(tmp_path: Path) -> None:
    loop = tmp_path / "loop.lua"
    loop.write_text("redis.log(3, 'it loops')\nlocal n = 0\nwhile true do\n  n = n + 1\nend\n")
    with ValkeyServer() as server, adapter("--url", server.url) as editor:
        editor.launch(program=str(loop))
        editor.expect(InitializedEvent)
        editor.start()
        editor.client.pause(1)
        editor.client.evaluate("n")
        assert "the script runs" in str(editor.expect(ErrorResponse).message)
        editor.client.disconnect()
        editor._send()


@pytest.mark.parametrize(
    ("command", "arguments", "why"),
    [
        ("scopes", {}, "frameId is not a number"),
        ("variables", {"variablesReference": "x"}, "variablesReference is not a number"),
        ("evaluate", {"expression": "1", "frameId": "x"}, "frameId is not a number"),
        ("stackTrace", {"startFrame": "x"}, "startFrame is not a number"),
        ("setBreakpoints", {"breakpoints": [3]}, "breakpoints is not a list of objects"),
        ("setBreakpoints", {"source": "x"}, "source is not an object with a path"),
    ],
)
def test_a_request_with_wrong_arguments_is_refused(
    script: Path, url: str, command: str, arguments: Any, why: str
) -> None:
    with adapter(str(script), "--url", url) as editor:
        editor.launch(stopOnEntry=True)
        editor.expect(InitializedEvent)
        editor.start()
        editor.stop("entry")
        editor.client.send_request(command, arguments)
        assert why in str(editor.expect(ErrorResponse).message)
        # The script goes on.
        assert editor.evaluate("#KEYS") == "0"
        editor.client.disconnect()
        editor._send()


WRONG = {
    b"hello\r\n\r\n": "a message has no Content-Length",
    b"Content-Length: 3\r\n\r\nabc": "a message is not JSON",
    b"Content-Length: 2\r\n\r\n[]": "a message is not a JSON object",
    b'Content-Length: 17\r\n\r\n{"arguments":[1]}': "a message's arguments are not a JSON object",
    b"Content-Length: 99999999999\r\n\r\n": "a message has 99999999999 bytes, more than ",
}


@pytest.mark.parametrize("said", WRONG)
def test_what_is_no_message_is_one_line(said: bytes) -> None:
    ended = subprocess.run(PROGRAM, input=said, capture_output=True, check=False)
    assert (ended.returncode, ended.stdout, ended.stderr.count(b"\n")) == (2, b"", 1)
    assert ended.stderr.decode().startswith(f"glide-scripts: standard input: {WRONG[said]}")


def test_a_port_that_is_taken_is_told() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        words = [*PROGRAM, "--port", str(port)]
        ended = subprocess.run(words, capture_output=True, text=True, check=False)
    why = f"glide-scripts: port {port}: it is taken; choose another --port\n"
    assert (ended.returncode, ended.stderr) == (2, why)


def test_breakpoints_are_the_editors(script: Path) -> None:
    words = [*PROGRAM, str(script), "--break", "3"]
    ended = subprocess.run(words, input="", capture_output=True, text=True, check=False)
    why = "glide-scripts: --break: it cannot be combined with --dap; the editor sets breakpoints"
    assert (ended.returncode, ended.stderr.startswith(why)) == (2, True)


def test_it_serves_one_client_after_another_on_a_port(script: Path, url: str) -> None:
    process = subprocess.Popen(
        [*PROGRAM, str(script), "--port", "0", "--url", url], stderr=subprocess.PIPE, text=True
    )
    try:
        assert process.stderr is not None
        told = process.stderr.readline()
        place = re.fullmatch(r"glide-scripts: a debug adapter on 127\.0\.0\.1:(\d+)\n", told)
        assert place is not None, told
        for _ in range(2):
            # A client that does not speak the protocol does not block the next one.
            with socket.create_connection(("127.0.0.1", int(place[1]))) as connection:
                connection.sendall(b"hello\r\n\r\n")
                assert connection.recv(1) == b""
            with socket.create_connection(("127.0.0.1", int(place[1]))) as connection:
                editor = Editor(connection.fileno(), connection.fileno())
                editor.launch()
                editor.expect(InitializedEvent)
                editor.start()
                editor.end(0)
                assert "the script returned 18\n" in editor.output
    finally:
        process.kill()
        process.communicate()


@pytest.mark.parametrize("way", ["launch", "option"])
def test_it_reports_the_lines_that_ran(script: Path, way: str) -> None:
    words, arguments = (("--coverage",), {}) if way == "option" else ((), {"coverage": True})
    with adapter(*words) as editor:
        editor.launch(program=str(script), **arguments)
        editor.expect(InitializedEvent)
        editor.breaks(script, 5)
        editor.start()
        editor.stop("breakpoint")
        editor.breaks(script)
        editor.client.continue_(1)
        editor.end(0)
    found = dict(re.findall(r"(\w+\.lua) +(\d.*?) *\n", editor.output))
    assert [re.sub(" +", " ", each) for each in found.values()] == [
        "3 0 0 0 100%", "5 0 2 0 100%"
    ]  # fmt: skip


def test_coverage_needs_a_server_of_the_adapters_own(script: Path, url: str) -> None:
    with adapter() as editor:
        editor.launch(program=str(script), url=url, coverage=True)
        assert "leave --url out" in str(editor.expect(ErrorResponse).message)
        editor.client.disconnect()
