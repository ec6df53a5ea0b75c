"""glide-scripts check: what it finds, and where."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.cli.complaints import assert_one_line
from tests.cli.terminal import at_terminal

from glide_scripts import Script
from glide_scripts.cli import main
from glide_scripts.cli._globals import GLOBALS, MEMBERS
from glide_scripts.testing import ValkeyCluster, ValkeyServer

Found = list[tuple[int, int, str]]
Check = Callable[..., Found]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "script.lua"


@pytest.fixture
def check(server: ValkeyServer, file: Path, capsys: pytest.CaptureFixture[str]) -> Check:
    def check(code: str, *words: str) -> Found:
        """Line, column and code of each finding in a script; it has a first line of its own."""
        if not code.startswith("#!"):
            code = f"#!lua\n{code}"
        file.write_text(code)
        main(["check", str(file), "--format", "json", "--url", server.url, *words])
        found = json.loads(capsys.readouterr().out)["findings"]
        assert all(each["file"] == str(file) for each in found)
        return [(each["line"], each["column"], each["code"]) for each in found]

    return check


@pytest.mark.parametrize(
    ("code", "found"),
    [
        ("return redis.call('GET', 'x')", [(2, 26, "undeclared-key")]),
        ("return redis.call('GET', KEYS[1] .. ':count')", [(2, 26, "undeclared-key")]),
        ("return redis.pcall('get', ('a' .. ARGV[1]))", [(2, 27, "undeclared-key")]),
        ("return server.call('GET', ARGV[1])", [(2, 27, "undeclared-key")]),
        ("return redis.call 'DBSIZE'", []),
        ("return redis.call('ECHO', 'x')", []),
        ("return redis.call('GET', KEYS[1])", []),
        ("return redis.call('SET', KEYS[1], 'x' .. ARGV[1])", []),
        ("local key = 'a' .. ARGV[1]\nreturn redis.call('GET', key)", [(3, 26, "undeclared-key")]),
        ("local key = KEYS[1]\nreturn redis.call('GET', key)", []),
        (
            "local key\nif KEYS[1] then key = 'é' end\nreturn redis.call('GET', key)",
            [(4, 26, "undeclared-key")],
        ),
        (
            "local key = 'a'\nlocal function f(key) return redis.call('GET', key) end",
            [],
        ),
        ("local do_it = redis.call\nreturn do_it('GET', 'x')", [(3, 21, "undeclared-key")]),
        ("return redis.call('GET', string.format('%s', ARGV[1]))", [(2, 26, "undeclared-key")]),
        ("return redis.call('MSET', KEYS[1], 'x', 'k2', 'y')", [(2, 41, "undeclared-key")]),
        ("return redis.call('ZUNION', 2, KEYS[1], 'k2')", [(2, 41, "undeclared-key")]),
        ("return redis.call('XREAD', 'STREAMS', 's', '0')", [(2, 39, "undeclared-key")]),
        ("return redis.call('DEL', 'x', unpack(KEYS))", [(2, 26, "undeclared-key")]),
        ("return redis.call('HSET', 'x', unpack(ARGV))", [(2, 27, "undeclared-key")]),
        ("return redis.call('OBJECT', 'ENCODING', 'x')", [(2, 41, "undeclared-key")]),
        ("return redis.call('GET', table.concat({KEYS[1], 'x'}))", [(2, 26, "undeclared-key")]),
        ("return redis.call('DEL', unpack(ARGV))", [(2, 26, "undeclared-key")]),
        (
            "local t = {}\nt.k = 'x' .. KEYS[1]\nreturn redis.call('GET', t.k)",
            [(4, 26, "undeclared-key")],
        ),
        (
            "local t = {k = 'x' .. KEYS[1], l = KEYS[1]}\nredis.call('DEL', t.k, t.l)",
            [(3, 19, "undeclared-key")],
        ),
        ("return redis.call(ARGV[1], 'x')", []),
        ("return redis.call('GTE', KEYS[1])", [(2, 19, "unknown-command")]),
        ("return redis.call('NO.SUCH', 'x')", []),
    ],
)
def test_keys_are_of_keys(check: Check, code: str, found: Found) -> None:
    assert check(code) == found


@pytest.mark.parametrize(
    ("code", "why"),
    [
        ("redis.call('GET')", "GET takes 1 argument, not 0"),
        ("redis.call('GET', KEYS[1], 'x')", "GET takes 1 argument, not 2"),
        ("redis.pcall('set', KEYS[1])", "SET takes at least 2 arguments, not 1"),
        ("local do_it = redis.call\ndo_it('LPUSH', KEYS[1])", "LPUSH takes at least 2 arguments"),
        ("redis.call('SET', unpack(ARGV))", None),
        ("redis.call('HSET', KEYS[1], 'a', ...)", None),
        ("redis.call('GET', (KEYS[1]))", None),
        ("redis.call('NO.SUCH')", None),
        ("redis.call('TIME')", None),
        ("redis.call('OBJECT', 'ENCODING', KEYS[1])", None),
    ],
)
def test_a_call_has_as_many_arguments_as_its_command_takes(
    file: Path, server: ValkeyServer, capsys: pytest.CaptureFixture[str], code: str, why: str | None
) -> None:
    file.write_text(f"#!lua\n{code}\n")
    main(["check", str(file), "--format", "json", "--url", server.url])
    found = json.loads(capsys.readouterr().out)["findings"]
    wrong = [each["message"] for each in found if each["code"] == "wrong-arity"]
    assert wrong == [] if why is None else wrong[0].startswith(why)


@pytest.mark.parametrize(
    ("code", "found"),
    [
        ("--@once\nredis.call('SELECT', 1)", [(3, 1, "not-for-once")]),
        ("--@once\nredis.pcall('flushall')", [(3, 1, "not-for-once")]),
        ("#!lua flags=no-writes\n--@once\nreturn 1", [(2, 1, "not-for-once")]),
        ("--@once\nredis.call('SET', KEYS[1], 1)", []),
        ("redis.call('SELECT', 1)", []),
        ("--@once order\n--@key k\n--@arg order: str\nreturn redis.call('INCR', KEYS[1])", []),
        (
            "#!lua name=once_in_vain\n--@once\n"
            "redis.register_function('once_in_vain', function() return 1 end)",
            [(2, 1, "not-for-once")],
        ),
    ],
)
def test_what_keeps_a_record_from_being_kept_is_found(
    check: Check, code: str, found: Found
) -> None:
    assert check(code) == found


@pytest.mark.parametrize(
    ("code", "found"),
    [
        ("x = 1", [(2, 1, "undeclared-global")]),
        ("x = 1\nx = 2\nreturn x", [(2, 1, "undeclared-global")]),
        ("function f() end", [(2, 10, "undeclared-global")]),
        ("return x", [(2, 8, "undeclared-global")]),
        # Any escape is one.
        (r"return '\d' .. '\.'", []),
        ("return x, x", [(2, 8, "undeclared-global")]),
        ("local x = x", [(2, 11, "undeclared-global")]),
        ("print('x')", [(2, 1, "undeclared-global")]),
        ("do local x = 1 end\nreturn x", [(3, 8, "undeclared-global")]),
        ("for i, v in ipairs({}) do local a = i .. v end", []),
        ("for i = 1, 2 do local a = i end\nreturn i", [(3, 8, "undeclared-global")]),
        ("repeat local done = true until done", []),
        ("local function f(a, ...) return f(a, ...) end", []),
        ("local f = function(a) return a end\nlocal t = {a = 1, ['b'] = f}\nreturn t.a.b", []),
        ("local t = {}\nfunction t:method(a) return self, a end\nfunction t.plain() end", []),
        ("return os.time()", [(2, 8, "undeclared-global")]),
        ("return math.foo(1) + math.floor(1)", [(2, 8, "undeclared-global")]),
        ("local os = {}\nos.time = 1\nreturn os.time", []),
        ("local a, b = 1\nreturn cjson.encode(b)", []),
        (
            "#!lua name=lib\nserver.register_function('f', function() return KEYS end)",
            [(2, 49, "undeclared-global")],
        ),
    ],
)
def test_globals_are_those_of_the_server(check: Check, code: str, found: Found) -> None:
    assert check(code) == found


def test_the_globals_of_servers_are_known(server: ValkeyServer) -> None:
    names = server.command(
        "EVAL", "local n = {} for k in pairs(_G) do n[#n + 1] = k end return n", 0
    )
    assert isinstance(names, list)
    own = {name for name in names if isinstance(name, bytes) and not name.startswith(b"__")}
    assert own == GLOBALS


def test_the_members_of_servers_libraries_are_known(server: ValkeyServer) -> None:
    for table, members in MEMBERS.items():
        names = server.command(
            "EVAL",
            f"local n = {{}} for k in pairs({table.decode()}) do n[#n + 1] = k end return n",
            0,
        )
        assert isinstance(names, list)
        assert {*names} == members


@pytest.mark.parametrize(
    ("code", "found"),
    [
        ("--@key a\n--@key b\nreturn redis.call('GET', KEYS[1])", [(3, 1, "unused-key")]),
        ("--@arg a: int\nreturn 1", [(2, 1, "unused-arg")]),
        ("--@keys all...\nreturn #KEYS", []),
        ("--@key a\n--@keys all...\nreturn KEYS[1]", [(3, 1, "unused-key")]),
        ("--@key a\n--@key b\nreturn redis.call('DEL', unpack(KEYS))", []),
        ("--@arg a: int\n--@arg b: int\nfor i = 1, 2 do local a = ARGV[i] end", []),
        ("return KEYS[3]", [(2, 8, "unused-key")] * 2),
        ("return {ARGV[2], KEYS[1]}", [(2, 9, "unused-arg")]),
        ("local keys = KEYS\nreturn {keys[1], KEYS[3]}", []),
        ("local KEYS = {}\nreturn KEYS[3]", []),
    ],
)
def test_keys_and_arguments_are_used(check: Check, code: str, found: Found) -> None:
    assert check(code) == found


def test_a_script_has_a_first_line_that_tells_servers_how_to_run_it(
    file: Path, server: ValkeyServer, capsys: pytest.CaptureFixture[str]
) -> None:
    file.write_text("return 1")
    assert main(["check", str(file), "--url", server.url]) == 0
    assert capsys.readouterr().out.startswith(f"{file}:1:1: warning: there is no #! line")


@pytest.mark.parametrize(
    ("code", "found"),
    [
        ("#!lua flags=no-writes\nredis.call('DEL', KEYS[1])", [(2, 1, "write-in-read-only")]),
        (
            "#!lua flags=no-cluster,no-writes\nredis.call('del', KEYS[1])",
            [(2, 1, "write-in-read-only")],
        ),
        (
            "--@readonly\nlocal f = redis.pcall\nf('SET', KEYS[1], 'x')",
            [(4, 1, "write-in-read-only")],
        ),
        (
            "--@readonly\nredis.call('XGROUP', 'CREATE', KEYS[1], 'g', '$')",
            [(3, 1, "write-in-read-only")],
        ),
        ("--@readonly\nreturn redis.call('GET', KEYS[1])", []),
        ("redis.call('DEL', KEYS[1])", []),
        (
            "#!lua name=lib\n"
            "local function get(keys) return server.call('SET', keys[1], 'x') end\n"
            "server.register_function{\n"
            "  function_name = 'peek', callback = get, flags = {'no-writes'}\n"
            "}\n"
            "server.register_function('poke', function(keys) server.call('DEL', keys[1]) end)\n",
            [(2, 33, "write-in-read-only")],
        ),
    ],
)
def test_a_script_that_only_reads_does_not_write(check: Check, code: str, found: Found) -> None:
    assert check(code) == found


@pytest.mark.parametrize(
    ("code", "found"),
    [
        ("return 1.5", [(2, 8, "lost-precision")]),
        ("return 10 / tonumber(ARGV[1])", [(2, 8, "lost-precision")]),
        ("return -0.5", [(2, 8, "lost-precision")]),
        ("local half = 0.5\nreturn half * 3", [(3, 8, "lost-precision")]),
        ("return {1, {math.sqrt(2)}}", [(2, 13, "lost-precision")]),
        ("return {double = 1.5}", []),
        ("return 4 / 2", []),
        ("return tostring(1.5)", []),
        ("return math.floor(10 / 3)", []),
        ("local function half(n) return n / 2 end\nreturn math.floor(half(3))", []),
        ("local n = 1\nn = n + n\nreturn n", []),
        ("local t = {}\nt = {t, t, 0.5}\nreturn t", [(3, 12, "lost-precision")]),
        ("return tonumber(redis.call('ZSCORE', KEYS[1], 'm'))", [(2, 8, "lost-precision")]),
        (
            "local s = redis.call('zscore', KEYS[1], 'm')\nreturn tonumber(s or 0)",
            [(3, 8, "lost-precision")],
        ),
        ("return tonumber(redis.call('GET', KEYS[1]))", []),
        ("return 9007199254740993", [(2, 8, "lost-precision")]),
        ("return 9007199254740992", []),
        ("local big = 0xFFFFFFFFFFFFFFFF", [(2, 13, "lost-precision")]),
        ("return '9007199254740993'", []),
        (
            "#!lua name=lib\nserver.register_function('half', function() return 0.5 end)",
            [(2, 52, "lost-precision")],
        ),
    ],
)
def test_values_arrive_as_they_are(check: Check, code: str, found: Found) -> None:
    assert check(code) == found


def test_a_comment_allows_what_it_names_on_its_line(check: Check) -> None:
    allow = "-- it is a constant; glide-scripts: allow"
    assert check(f"return redis.call('GET', 'x') {allow} undeclared-key") == []
    assert check(f"x = redis.call('GET', 'x') {allow} undeclared-key, undeclared-global") == []
    assert check(f"{allow} undeclared-key\nreturn redis.call('GET', 'x')") != []
    assert check(f"return redis.call('GET', 'x') {allow} unused-key") != []
    assert check("--@key user -- glide-scripts: allow unused-key\nreturn 1") == []


def test_warnings_may_be_ignored(check: Check) -> None:
    code = "x = redis.call('GET', 'x')"
    assert check(code, "--ignore", "undeclared-key") == [(2, 1, "undeclared-global")]
    assert check(code, "--ignore", "undeclared-key", "--ignore", "undeclared-global") == []


@pytest.mark.parametrize(
    ("code", "found"),
    [
        ("local a = 1\nlocal b = = 2", (3, "syntax")),
        ("#!lua flags=nope\nreturn 1", (1, "syntax")),
        ("#!lua name=lib\n\nlocal b = = 2", (3, "syntax")),
        ("#!lua name=no-name\nreturn 1", (1, "source")),
        ("--@kee user\nreturn 1", (2, "source")),
    ],
)
def test_what_does_not_compile_is_an_error(check: Check, code: str, found: tuple[int, str]) -> None:
    ((line, _, code),) = check(code)
    assert (line, code) == found


def test_findings_are_told_of_the_file_that_they_are_in(
    file: Path, server: ValkeyServer, capsys: pytest.CaptureFixture[str]
) -> None:
    util = file.with_name("util.lua")
    file.write_text('#!lua\n--@include "util.lua"\nreturn redis.call("GET", "x")')
    util.write_text("local a = 1\nlocal b = undeclared")
    assert main(["check", str(file.parent), "--url", server.url]) == 0
    *lines, total = capsys.readouterr().out.splitlines()
    assert [line.split(": ")[0] for line in lines] == [f"{file}:3:26", f"{util}:2:11"]
    assert total == "1 script: 2 warnings"
    util.write_text("local a = 1\nlocal b = = 2")
    assert main(["check", str(file), "--url", server.url]) == 1
    assert capsys.readouterr().out.startswith(f"{util}:2:1: error: unexpected symbol near '='")


def test_a_folder_stands_for_its_scripts(
    tmp_path: Path, server: ValkeyServer, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("a.lua", "in/b-c.lua", ".hidden/d.lua", "notes.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("#!lua\nreturn 1")
    # A file that is named twice is in the lockfile once.
    words = [str(tmp_path), str(tmp_path / "a.lua"), "--format", "json", "--url", server.url]
    assert main(["check", *words]) == 0
    scripts = json.loads(capsys.readouterr().out)["scripts"]
    assert [each["file"] for each in scripts] == [f"{tmp_path}/a.lua", f"{tmp_path}/in/b-c.lua"]


def test_what_a_file_would_include_is_not_said_to_lack_a_first_line(
    tmp_path: Path, server: ValkeyServer, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "a.lua").write_text('#!lua\n--@include "utli.lua"\nreturn 1')
    (tmp_path / "util.lua").write_text("local a = 1")
    assert main(["check", str(tmp_path), "--url", server.url]) == 1
    out = capsys.readouterr().out
    assert "a.lua:2:1: error" in out
    assert "missing-shebang" not in out


def test_a_cluster_checks_too(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file.write_text("#!lua\nreturn redis.call('GET', 'x')")
    with ValkeyCluster(replicas=0) as cluster:
        assert main(["check", str(file), "--cluster", "--url", cluster.url]) == 0
    assert f"{file}:2:26: warning: the key of GET is a string" in capsys.readouterr().out


def test_at_a_terminal_lines_break_between_words(file: Path, server: ValkeyServer) -> None:
    file.write_text("x = 1")
    with at_terminal("check", str(file), "--url", server.url) as terminal:
        assert terminal.end() == 0
    lines = terminal.shown.splitlines()
    # A file's name may be longer than a line.
    assert max(len(line) for line in lines if str(file) not in line) <= 80
    (last,) = (line for line in lines if line.endswith("[undeclared-global]"))
    assert last.startswith("  ")


def test_a_server_of_its_own_loads_libraries(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("one", "two"):
        code = f"#!lua name={name}\nserver.register_function('same', function() return 1 end)"
        (tmp_path / f"{name}.lua").write_text(code)
    assert main(["check", str(tmp_path)]) == 1
    assert "two.lua:1:1: error: Function same already exists" in capsys.readouterr().out


def test_a_server_with_a_url_gets_no_library(file: Path, server: ValkeyServer) -> None:
    file.write_text("#!lua name=lib\nserver.register_function('f', function() return 1 end)")
    assert main(["check", str(file), "--url", server.url]) == 0
    assert server.command("FUNCTION", "LIST") == []


def test_a_script_too_deep_to_be_looked_at_is_an_error(check: Check) -> None:
    deep = "(function() return " * 60
    assert check(f"return {deep}1{' end)()' * 60}") == [(1, 1, "source")]


def test_a_variable_may_be_given_any_number_of_values(check: Check) -> None:
    more = "".join(f"total = total + {number}\n" for number in range(2_000))
    assert check(f"local total = 1\n{more}return total") == []
    assert check(f"local total = 1.5\n{more}return total") == [(2003, 8, "lost-precision")]


def test_warnings_fail_only_if_asked(file: Path, server: ValkeyServer) -> None:
    file.write_text("#!lua\nreturn 1.5")
    assert main(["check", str(file), "--url", server.url]) == 0
    assert main(["check", str(file), "--url", server.url, "--strict"]) == 1
    file.write_text("#!lua\nreturn 1")
    assert main(["check", str(file), "--url", server.url, "--strict"]) == 0


def test_findings_are_shown_as_text(
    file: Path, server: ValkeyServer, capsys: pytest.CaptureFixture[str]
) -> None:
    file.write_text("#!lua\nx = 1")
    assert main(["check", str(file), "--url", server.url]) == 0
    why = "x is a global, which servers refuse to assign; write local x"
    expected = f"{file}:2:1: warning: {why} [undeclared-global]\n"
    assert capsys.readouterr() == (f"{expected}1 script: 1 warning\n", "")
    file.write_text("#!lua\nreturn 1")
    assert main(["check", str(file), "--url", server.url]) == 0
    assert capsys.readouterr() == ("1 script: no problems found\n", "")


def test_findings_are_shown_for_github(
    tmp_path: Path, server: ValkeyServer, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "a,b%.lua"
    file.write_text("#!lua\nreturn = 1")
    assert main(["check", str(file), "--url", server.url, "--format", "github"]) == 1
    place = f"file={tmp_path}/a%2Cb%25.lua,line=2,col=1"
    expected = f"::error {place},title=syntax::unexpected symbol near '='\n"
    assert capsys.readouterr().out == expected


def test_a_lockfile_holds_deployments_to_what_was_checked(
    tmp_path: Path, server: ValkeyServer, capsys: pytest.CaptureFixture[str]
) -> None:
    scripts = tmp_path / "scripts"
    scripts.mkdir()
    lock = tmp_path / "scripts.lock"
    (scripts / "a.lua").write_text("#!lua\nreturn 1")
    (scripts / "b.lua").write_text("#!lua\nreturn 2")
    words = ["check", str(scripts), "--url", server.url]
    assert main([*words, "--lock", str(lock)]) == 0
    assert json.loads(lock.read_text()) == {
        "version": 1,
        "scripts": {
            "scripts/a.lua": Script.from_file(scripts / "a.lua").hash,
            "scripts/b.lua": Script.from_file(scripts / "b.lua").hash,
        },
    }
    assert main([*words, "--locked", str(lock)]) == 0
    (scripts / "a.lua").write_text("#!lua\nreturn 3")
    (scripts / "b.lua").rename(scripts / "c.lua")
    capsys.readouterr()
    assert main([*words, "--locked", str(lock)]) == 1
    *lines, _ = capsys.readouterr().out.splitlines()
    told = [line.split(": ", 2) for line in lines]
    assert [place for place, *_ in told] == [
        f"{lock}:1:1",
        f"{scripts}/a.lua:1:1",
        f"{scripts}/c.lua:1:1",
    ]
    assert all(kind == "error" and "[lock]" in why for _, kind, why in told)


def test_a_lockfile_is_not_written_of_what_is_wrong(
    file: Path, tmp_path: Path, server: ValkeyServer
) -> None:
    lock = tmp_path / "scripts.lock"
    words = ["check", str(file), "--lock", str(lock), "--url", server.url]
    file.write_text("return = 1")
    assert main(words) == 1
    file.write_text("return 1")
    assert main([*words, "--strict"]) == 1
    assert not lock.exists()
    assert main(words) == 0
    assert lock.exists()


@pytest.mark.parametrize("text", ["", "[]", '{"version": 2, "scripts": {}}', '{"version": 1}'])
def test_a_wrong_lockfile_is_one_line(
    file: Path, tmp_path: Path, server: ValkeyServer, capsys: pytest.CaptureFixture[str], text: str
) -> None:
    file.write_text("return 1")
    lock = tmp_path / "scripts.lock"
    lock.write_text(text)
    assert main(["check", str(file), "--locked", str(lock), "--url", server.url]) == 2
    assert_one_line(capsys, str(lock))


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["missing.lua"], "missing.lua: No such file or directory"),
        (["."], ".: it has no .lua files"),
        (["x.lua", "--locked", "missing.lock"], "missing.lock: No such file or directory"),
        (["x.lua", "--lock", "a", "--locked", "b"], "--locked"),
        (["x.lua", "--ignore", "nope"], "nope is no warning"),
        (["x.lua", "--ignore", "syntax"], "syntax is an error"),
        (["x.lua", "--lock", "no/such/folder"], "no/such/folder: No such file or directory"),
        (["x.lua", "--url", "nonsense"], "url: "),
    ],
)
def test_bad_input_is_one_line(
    words: list[str],
    said: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    if words[0] == "x.lua":
        Path("x.lua").write_text("#!lua\nreturn 1")
    assert main(["check", *words]) == 2
    assert_one_line(capsys, said)


def test_a_wrong_password_is_one_line(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file.touch()
    with ValkeyServer(password="right") as server:
        url = f"valkey://:secret@127.0.0.1:{server.port}"
        assert main(["check", str(file), "--url", url]) == 2
    assert_one_line(capsys, "WRONGPASS")
