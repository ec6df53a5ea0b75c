"""Servers that are filled before a script runs: --setup, --data and --fill-url."""

import json
from pathlib import Path

import pytest
from tests.cli.complaints import assert_one_line
from tests.cli.terminal import CTRL_C, Ended, at_terminal, piped

from glide_scripts.cli import main
from glide_scripts.cli._command_lines import words
from glide_scripts.sync import GlideClient
from glide_scripts.testing import ValkeyServer

ALL_KEYS = "local all = redis.call('KEYS', '*') table.sort(all) return all"


def run(*options: str, code: str = ALL_KEYS) -> Ended:
    return piped("run", "--json", *options, "-e", code)


@pytest.mark.parametrize(
    ("line", "split"),
    [
        (b"SET key value", [b"SET", b"key", b"value"]),
        (b"  SET\tkey   value \r", [b"SET", b"key", b"value"]),
        (b'SET "a key" ""', [b"SET", b"a key", b""]),
        (rb'"\n\r\t\b\a\\\"\x00\xfF\q"', [b'\n\r\t\b\a\\"\x00\xffq']),
        (rb"'\n it\'s \x00'", [rb"\n it's \x00"]),
        (b'\'a "b"\' "it\'s"', [b'a "b"', b"it's"]),
        (b'user:"a b"', [b"user:a b"]),
        (rb"a\nb", [rb"a\nb"]),
        (rb'"\x4"', [b"x4"]),
        (b"\xff \xc3\xa9", [b"\xff", b"\xc3\xa9"]),
        (b"", []),
        (b" \t ", []),
    ],
)
def test_lines_are_split_as_valkey_cli_does(line: bytes, split: list[bytes]) -> None:
    assert words(line) == split


@pytest.mark.parametrize("line", [b'"a', b"'a", b'"a"b', b"'a'b", b'"a\\"', b"SET k 'it\\'"])
def test_quotes_that_do_not_end_are_refused(line: bytes) -> None:
    with pytest.raises(ValueError, match="quote"):
        words(line)


def test_commands_of_a_file_run_first(tmp_path: Path) -> None:
    file = tmp_path / "setup.txt"
    file.write_text(
        "# a comment\nSET 'a key' \"x\\ny\"\n\n  # another\n3 INCR count\nRPUSH l 1 2\n"
    )
    code = (
        "return {redis.call('GET', 'a key'), redis.call('GET', 'count'), redis.call('LLEN', 'l')}"
    )
    done = run("--setup", str(file), code=code)
    assert (done.code, json.loads(done.out)) == (0, ["x\ny", "3", 2])


def test_files_may_begin_with_a_byte_order_mark(tmp_path: Path) -> None:
    commands, data = tmp_path / "setup.txt", tmp_path / "data.json"
    commands.write_text("INCR n\n", encoding="utf-8-sig")
    data.write_text('{"n": 6}', encoding="utf-8-sig")
    code = "return redis.call('GET', 'n')"
    ended = piped("run", "-e", code, "--setup", str(commands), "--data", str(data))
    assert (ended.out, ended.err) == ("b'7'\n", "")


def test_a_script_and_a_library_of_functions_run_first(tmp_path: Path) -> None:
    (tmp_path / "names.lua").write_text("local function name(n) return 'key:' .. n end\n")
    (tmp_path / "setup.lua").write_text(
        '#!lua\n--@include "names.lua"\nfor n = 1, 100 do redis.call("SET", name(n), n) end\n'
    )
    (tmp_path / "functions.lua").write_text(
        "#!lua name=lib\nserver.register_function('seven', function() return 7 end)\n"
    )
    (tmp_path / "after.txt").write_text("FCALL seven 0\nRENAME key:1 first\n")
    files = [str(tmp_path / name) for name in ("setup.lua", "functions.lua", "after.txt")]
    options = [word for file in files for word in ("--setup", file)]
    done = run(*options, code="return {redis.call('GET', 'first'), redis.call('DBSIZE')}")
    assert (done.code, json.loads(done.out)) == (0, ["1", 100])


DATA = {
    "string": "x",
    "number": 1.5,
    "list": ["a", 2, {"$base64": "/w=="}],
    "hash": {"name": "Ann", "age": 41},
    "set": {"$set": ["b", "a"]},
    "zset": {"$zset": {"ann": 3, "bob": 1.5}},
    "stream": {"$stream": [{"type": "in"}, {"type": "out"}]},
    "ids": {"$stream": {"7-1": {"a": "b"}}},
    "dollar": {"$hash": {"$x": "1"}},
    "soon": {"$string": "x", "$ttl": 60},
    "bytes": {"$base64": "/w=="},
    "none": [],
}
LOOKS = {
    "GET string": "x",
    "GET number": "1.5",
    "LRANGE list 0 -1": ["a", "2", {"base64": "/w=="}],
    "HMGET hash name age": ["Ann", "41"],
    "SISMEMBER set a": 1,
    "SCARD set": 2,
    "ZRANGE zset 0 -1 WITHSCORES": ["bob", "1.5", "ann", "3"],
    "XRANGE stream - +": [["1-0", ["type", "in"]], ["2-0", ["type", "out"]]],
    "XLEN ids": 1,
    "HGET dollar $x": "1",
    "TTL soon": 60,
    "GET bytes": {"base64": "/w=="},
    "EXISTS none": 0,
}


@pytest.mark.parametrize("is_file", [True, False], ids=["file", "inline"])
def test_data_is_written_as_what_it_says(tmp_path: Path, *, is_file: bool) -> None:
    given = json.dumps(DATA)
    if is_file:
        (tmp_path / "data.json").write_text(given)
        given = str(tmp_path / "data.json")
    calls = [
        "redis.call(" + ", ".join(f"'{word}'" for word in look.split()) + ")" for look in LOOKS
    ]
    done = run("--data", given, code=f"return {{{', '.join(calls)}}}")
    assert (done.code, done.err) == (0, "")
    assert dict(zip(LOOKS, json.loads(done.out), strict=True)) == LOOKS


def test_a_cluster_is_filled_on_all_its_nodes(tmp_path: Path) -> None:
    file = tmp_path / "setup.txt"
    file.write_text("SET {a}1 x\nSET {b}1 y\nSET {c}1 z\nRENAME {c}1 {c}2\n")
    words = ["--cluster", "--setup", str(file), "--data", '{"{a}2": [1], "{b}2": {"f": 1}}']
    for tag in "abc":
        keys = ["--key", f"{{{tag}}}1", "--key", f"{{{tag}}}2"]
        if tag == "a":
            done = run(*words, *keys, code="return redis.call('EXISTS', unpack(KEYS))")
            assert (done.code, done.out) == (0, "2\n")
    (tmp_path / "x.lua").write_text("return 1")
    assert main(["run", "-e", "return 1", "--cluster", "--setup", str(tmp_path / "x.lua")]) == 2


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("SET a 'b", "setup.txt:2: a quote ' does not end"),
        ("NOSUCH a", "setup.txt:2: ERR unknown command"),
        ("HGET first f", "setup.txt:2: WRONGTYPE"),
        ("SUBSCRIBE x", "setup.txt:2: "),
        ("1000001 INCR n", "setup.txt:2: a command is repeated at most 1,000,000 times"),
        ("9" * 5000 + " INCR n", "setup.txt:2: a command is repeated at most 1,000,000 times"),
    ],
)
def test_a_command_that_fails_is_one_line_with_its_place(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str, said: str
) -> None:
    (tmp_path / "setup.txt").write_text(f"SET first 1\n{text}\nSET last 1\n")
    assert main(["run", "-e", "return 1", "--setup", str(tmp_path / "setup.txt")]) in (1, 2)
    assert_one_line(capsys, said)


def test_a_setup_script_that_fails_says_where(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "setup.lua").write_text("#!lua\nreturn nil + 1\n")
    assert main(["run", "-e", "return 1", "--setup", str(tmp_path / "setup.lua")]) == 1
    assert f"{tmp_path}/setup.lua:2: " in capsys.readouterr().err.splitlines()[0]


@pytest.mark.parametrize("text", ["[]", "3", "null", '"a"'])
def test_json_that_is_no_object_is_not_taken_for_a_file(
    capsys: pytest.CaptureFixture[str], text: str
) -> None:
    assert main(["run", "-e", "return 1", "--data", text]) == 2
    assert_one_line(capsys, "--data: it must be an object of keys and values")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[1]", "it must be an object"),
        ('{"a": tru}', "it is not JSON: Expecting value"),
        ("{" + '"a":[' + "[" * 100_000, "its JSON is nested too deep"),
        ('{"a": true}', "a: true is not a string or a number"),
        ('{"a": null}', "a: null is not a string or a number"),
        ('{"a": [[1]]}', 'a: ["1"] is not a string or a number'),
        ('{"a": {"$lst": [1]}}', "a: it must have one of $string"),
        ('{"a": {"$list": [1], "$set": [1]}}', "a: it must have one of"),
        ('{"a": {"$zset": ["m"]}}', "a: $zset takes members and their scores"),
        ('{"a": {"$base64": "?"}}', "a: $base64: "),
        ('{"a": {"$string": "x", "$ttl": -1}}', "a: $ttl takes seconds"),
        ('{"a": {"$set": {"b": 1}}}', "a: it takes a list"),
        ('{"a": NaN}', "NaN is not JSON"),
    ],
)
def test_wrong_data_is_one_line_that_names_the_key(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str, said: str
) -> None:
    (tmp_path / "data.json").write_text(text)
    assert main(["run", "-e", "return 1", "--data", str(tmp_path / "data.json")]) == 2
    assert_one_line(capsys, f"data.json: {said}")


def test_a_file_that_is_not_there_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    for option in ("--setup", "--data"):
        assert main(["run", "-e", "return 1", option, "nowhere.txt"]) == 2
        assert_one_line(capsys, "nowhere.txt: No such file or directory")


@pytest.mark.parametrize("command", ["run", "bench", "debug"])
def test_a_server_of_the_users_is_filled_on_request_only(
    server: ValkeyServer, capsys: pytest.CaptureFixture[str], command: str
) -> None:
    words = [command, "-e", "return 1", "--url", server.url, "--data", '{"filled": "yes"}']
    assert main(words) == 2
    assert_one_line(capsys, "add --fill-url to write to that of --url")
    assert server.command("EXISTS", "filled") == 0
    more = ["--calls", "1"] if command == "bench" else []
    assert piped(*words, "--fill-url", *more, text="quit\n").code == 0
    assert server.command("GET", "filled") == b"yes"


def test_the_repl_and_bench_have_it_too() -> None:
    data = ["--data", '{"filled": "yes"}']
    assert piped("repl", *data, text="redis.call('GET', 'filled')\n").out == "b'yes'\n"
    code = "return redis.call('GET', 'filled') == 'yes' or redis.error_reply('EMPTY')"
    assert piped("bench", "-e", code, "--calls", "3", *data).code == 0


def test_a_restart_of_the_debugger_has_the_same_data() -> None:
    code = "local n = redis.call('GET', 'n')\nreturn n"
    with at_terminal("debug", "-v", "-e", code, "--data", '{"n": 7}') as terminal:
        terminal.see(", a temporary server")
        url = terminal.shown.partition("glide-scripts: ")[2].partition(",")[0]
        terminal.see("debug>")
        with GlideClient.from_url(url) as client:
            client.mset({"n": "8", "m": "1"})
            terminal.type("restart")
            terminal.see("-> 1 |")
            terminal.type("step")
            terminal.see("-> 2 |")
            terminal.type("print n")
            terminal.see('n = "7"')
            assert client.mget(["n", "m"]) == [b"7", None]
        terminal.type("quit")
        assert terminal.end() == 0


def test_each_run_of_a_watch_has_the_same_data(tmp_path: Path) -> None:
    file = tmp_path / "count.lua"
    file.write_text("return {'first', redis.call('INCR', 'n')}")
    with at_terminal("run", "--watch", str(file), "--data", '{"n": 7}') as terminal:
        terminal.see("[b'first', 8]")
        terminal.see("waiting")
        file.write_text("return {'second', redis.call('INCR', 'n')}")
        terminal.see("[b'second', 8]")
        terminal.press(CTRL_C)
        assert terminal.end() == 130


def test_with_v_the_address_is_told(server: ValkeyServer) -> None:
    url = ["--url", f"valkey://{server.host}:{server.port}"]
    told = f"glide-scripts: valkey://{server.host}:{server.port}\n"
    for command, *more in (
        ["run", "-e", "return 1"],
        ["check", "-e", "#!lua\nreturn 1"],
        ["load", "-e", "return 1"],
        ["bench", "-e", "return 1", "--calls", "1"],
        ["debug", "-e", "return 1"],
        ["repl"],
    ):
        assert piped(command, *more, *url, "-v").err == told
        assert piped(command, *more, *url).err == ""
    err = run("-v").err
    assert err.startswith("glide-scripts: valkey://127.0.0.1:")
    assert err.endswith(", a temporary server\n")


def test_with_v_no_password_is_shown() -> None:
    with ValkeyServer(password="secret") as server:
        done = run("-v", "--url", server.url)
    assert (done.code, done.err) == (0, f"glide-scripts: valkey://127.0.0.1:{server.port}\n")
