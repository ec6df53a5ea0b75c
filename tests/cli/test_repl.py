"""``glide-scripts repl``."""

import os
from pathlib import Path

import pytest
from tests.cli.terminal import CTRL_C, CTRL_D, TAB, UP, at_terminal, piped

from glide_scripts.testing import ValkeyServer
from glide_scripts.testing._wait import wait_until
from glide_scripts.testing._wire import ServerReplyError


def test_lines_of_a_pipe_are_evaluated_and_printed_as_python(url: str) -> None:
    text = "1 + 1\n'text'\nreturn {1, {2, 'x'}, false}\n\nredis.call('SET', 'k', 'v')\nnil\n"
    ended = piped("repl", "--url", url, text=text)
    assert (ended.code, ended.err) == (0, "")
    assert ended.out == "2\nb'text'\n[1, [2, b'x'], None]\nb'OK'\nNone\n"


def test_bytes_that_are_no_text_are_evaluated_too(url: str) -> None:
    ended = piped("repl", "--url", url, text=os.fsdecode(b"'\xff'\nnosuch\xff\n"))
    assert (ended.code, ended.out) == (1, "b'\\xff'\n")
    assert "Traceback" not in ended.err


def test_it_has_a_server_of_its_own() -> None:
    ended = piped("repl", text="redis.call('DBSIZE')\n")
    assert (ended.code, ended.out, ended.err) == (0, "0\n", "")


def test_a_block_goes_on_until_it_is_complete(url: str, live_server: ValkeyServer) -> None:
    text = "for i = 1, 3 do\n  redis.call('INCR', 'n')\nend\n{\n1,\n\n2}\n[[a\nb]]\n"
    ended = piped("repl", "--url", url, text=text)
    assert (ended.code, ended.out) == (0, "None\n[1, 2]\nb'a\\nb'\n")
    assert live_server.command("GET", "n") == b"3"


def test_keys_and_args_hold_for_what_follows(url: str) -> None:
    text = ":keys 'a b' c\nKEYS\n:args 1\n{KEYS[1], ARGV[1]}\n:keys\n#KEYS\n:quit\n1\n"
    ended = piped("repl", "--url", url, "--key", "k", text="KEYS\n" + text)
    assert (ended.code, ended.err) == (0, "")
    assert ended.out == "[b'k']\n[b'a b', b'c']\n[b'a b', b'1']\n0\n"


def test_a_cluster_is_asked_at_the_node_of_the_keys() -> None:
    ended = piped(
        "repl", "--cluster", text=":keys a\nKEYS[1]\n:keys b\nKEYS[1]\n:keys c\nKEYS[1]\n"
    )
    assert (ended.code, ended.out) == (0, "b'a'\nb'b'\nb'c'\n")


def test_what_fails_is_told_and_the_rest_goes_on(url: str) -> None:
    text = "1 + nil\nnosuch\n)\nfunction\n= 1\n:what\n:keys '\nreturn 1\nif true then"
    ended = piped("repl", "--url", url, text=text)
    assert (ended.code, ended.out) == (1, "1\n")
    errors = [line for line in ended.err.splitlines() if line.startswith("error: ")]
    assert errors == [
        "error: attempt to perform arithmetic on a nil value",
        "error: Script attempted to access nonexistent global variable 'nosuch'",
        "error: unexpected symbol near ')'",
        "error: line 2: '<name>' expected near '='",
        "error: there is no :what; :help lists the commands",
        "error: :keys ': No closing quotation",
        "error: 'end' expected near '<eof>'",
    ]
    assert "  help: convert it and give it a default" in ended.err
    assert "Traceback" not in ended.err


def test_an_error_code_and_a_line_are_shown(url: str) -> None:
    text = "redis.error_reply('SOLD_OUT sku 7')\ndo\n  local a = 1\n  error('boom')\nend\n"
    ended = piped("repl", "--url", url, text=text)
    assert ended.code == 1
    assert "error: SOLD_OUT sku 7\n" in ended.err
    assert "error: line 3: boom\n" in ended.err


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ("nowhere", "url: it has no scheme"),
        ("valkey://127.0.0.1:1", "Connection refused"),
        ("{password}", "WRONGPASS"),
    ],
)
def test_no_server_ends_with_2_and_one_line(given: str, words: str) -> None:
    with ValkeyServer(password="right") as server:
        url = given.replace("{password}", server.url.replace("right", "wrong"))
        ended = piped("repl", "--url", url)
    assert (ended.code, ended.out, ended.err.count("\n")) == (2, "", 1)
    assert ended.err.startswith("glide-scripts: ")
    assert words in ended.err


def test_nothing_controls_the_terminal(url: str) -> None:
    text = "error('a\\27[2J')\nredis.error_reply('A \\27[31mb')\n:no\x1b[31m\n"
    assert piped("repl", "--url", url, text=text).err == (
        "error: a\\x1b[2J\nerror: A \\x1b[31mb\n"
        "error: there is no :no\\x1b[31m; :help lists the commands\n"
    )


def test_at_a_terminal_it_completes_and_remembers(url: str, tmp_path: Path) -> None:
    state = {"XDG_STATE_HOME": str(tmp_path)}
    with at_terminal("repl", "--url", url, **state) as terminal:
        terminal.see("lua>")
        terminal.press("redis.call('dbsi" + TAB)
        terminal.see("DBSIZE")
        terminal.type("')")
        terminal.see("0")
        terminal.see("lua>")
        terminal.press("string.form" + TAB)
        terminal.see("format")
        terminal.type("('%d', 7)")
        terminal.see("b'7'")
        terminal.type("for i = 1, 2 do")
        terminal.see("...>")
        terminal.type("end return 'whole'")
        terminal.see("b'whole'")
        terminal.press(CTRL_D)
        assert terminal.end() == 0
    history = tmp_path / "glide-scripts" / "repl_history"
    assert "string.format" in history.read_text()
    assert history.stat().st_mode & 0o077 == 0
    with at_terminal("repl", "--url", url, **state) as terminal:
        terminal.see("lua>")
        terminal.press(UP)
        terminal.see("whole")
        terminal.press("\r")
        terminal.see("b'whole'")
        terminal.type(":quit")
        assert terminal.end() == 0


def wait_until_busy(server: ValkeyServer) -> None:
    def idle() -> str | None:
        try:
            server.command("PING")
        except ServerReplyError as error:
            return None if error.code == "BUSY" else str(error)
        return "no script runs"

    wait_until(idle, timeout=10)


def test_ctrl_c_drops_what_is_typed_and_kills_what_runs(tmp_path: Path) -> None:
    with (
        ValkeyServer(config={"busy-reply-threshold": "20"}) as server,
        at_terminal("repl", "--url", server.url, XDG_STATE_HOME=str(tmp_path)) as terminal,
    ):
        terminal.see("lua>")
        terminal.press("while true do")
        terminal.see("do")
        terminal.press(CTRL_C)
        terminal.see("lua>")
        terminal.type("while true do end")
        wait_until_busy(server)
        terminal.press(CTRL_C)
        terminal.see("killed")
        terminal.see("lua>")
        terminal.type("redis.call('SET', 'k', 'v') while true do end")
        wait_until_busy(server)
        terminal.press(CTRL_C)
        terminal.see("it cannot be killed; Ctrl-C again leaves it")
        terminal.press(CTRL_C)
        terminal.see("glide-scripts: interrupted")
        assert terminal.end() == 130
        assert "Traceback" not in terminal.shown


def test_a_value_is_shown_as_it_is_in_lua(url: str) -> None:
    for expression, shown in (
        ("3.7", "3.7"),
        ("2^53 + 2", "9007199254740994"),
        ("1/0", "inf"),
        ("{a = 1, ['b c'] = {true, 'x\\n'}}", r'{a = 1, ["b c"] = {true, "x\n"}}'),
        ("{1, nil, 3}", "{1, [3] = 3}"),
        ("nil", "nil"),
        ("false", "false"),
        ("'é\\0\"'", r'"é\000\""'),
        ("redis.call", "<function>"),
        ("redis.call('SET', 'k', 'v')", '{ok = "OK"}'),
        ("local t = {} t.t = t return t", "{t = {...}}"),
    ):
        ended = piped("repl", "--url", url, text=f":lua {expression}\n")
        assert (ended.code, ended.out, ended.err) == (0, f"{shown}\n", ""), expression


def test_at_a_terminal_it_is_shown_beside_the_answer(url: str, tmp_path: Path) -> None:
    with at_terminal("repl", "--url", url, XDG_STATE_HOME=str(tmp_path)) as terminal:
        for typed, shown in (
            ("3.7", "3\r\nin Lua: 3.7"),
            ("{a = 1}", "[]\r\nin Lua: {a = 1}"),
            ("{1, {2}}", "[1, [2]]\r\n"),
            ("redis.call('SET', 'n', 1)", "b'OK'\r\n"),
            ("redis.call('INCR', 'n')", "2\r\n"),
            ("redis.error_reply('SOLD_OUT sku 7')", "error: SOLD_OUT sku 7"),
            ("print(1)", "scripts have no print"),
        ):
            terminal.see("lua>")
            terminal.type(typed)
            terminal.see(shown)
        assert terminal.shown.count("in Lua:") == 2
        terminal.see("lua>")
        terminal.type("help")
        terminal.see(":load FILE")
        terminal.type("exit")
        assert terminal.end() == 0


def test_a_file_is_loaded_or_run(url: str, tmp_path: Path) -> None:
    (tmp_path / "lib").mkdir()
    (tmp_path / "lib/twice.lua").write_text("local function twice(n)\n  return n * 2\nend\n")
    util, script = tmp_path / "util.lua", tmp_path / "take.lua"
    util.write_text('--@include "lib/twice.lua"\nlocal three = 3')
    script.write_text('--@include "lib/twice.lua"\nreturn {KEYS[1], twice(ARGV[1])}')
    text = f":load {util}\ntwice(three)\ntwice(nil)\ndo\n  error('x')\nend\n"
    ended = piped("repl", "--url", url, text=text)
    assert (ended.code, ended.out) == (1, "6\n")
    errors = [line for line in ended.err.splitlines() if line.startswith("error: ")]
    assert errors[0].startswith(f"error: {tmp_path}/lib/twice.lua:2: attempt to perform arithmetic")
    assert errors[1] == "error: line 2: x"
    text = f":keys k\n:args 4\n:load {script}\n:args\n:load {script}\n"
    text += ":load nope.lua\n:load\ntwice(1)\n"
    ended = piped("repl", "--url", url, text=text)
    assert (ended.code, ended.out) == (1, "[b'k', 8]\n")
    errors = [line for line in ended.err.splitlines() if line.startswith("error: ")]
    assert errors[0].startswith(f"error: {tmp_path}/lib/twice.lua:2: attempt to perform arithmetic")
    assert errors[1:] == [
        "error: nope.lua: No such file or directory",
        "error: :load takes one file, as in: :load scripts/util.lua",
        "error: Script attempted to access nonexistent global variable 'twice'",
    ]


def test_a_local_variable_of_an_earlier_input_is_explained(url: str) -> None:
    ended = piped("repl", "--url", url, text="local x = 1\nx\nlocal x = 1 return x + 1\n")
    assert ended.out == "None\n2\n"
    assert ended.err.splitlines()[-1].startswith("  help: each input is a script; ")


def test_help_and_exit_need_no_colon(url: str) -> None:
    ended = piped("repl", "--url", url, text="help\nexit\n1\n")
    assert ended.code == 0
    assert ":lua EXPRESSION" in ended.out
    assert not ended.out.endswith("1\n")
