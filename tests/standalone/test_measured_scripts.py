"""Measured scripts: the program sees no difference, and the report shows what ran."""

from __future__ import annotations

import textwrap
from pathlib import Path
from typing import Any

import pytest
from coverage import Coverage
from tests.conftest import Connect
from tests.waiting import timed_out

from glide_scripts import (
    Batch,
    FunctionLibrary,
    GlideClient,
    Script,
    ScriptError,
)
from glide_scripts.coverage import measure
from glide_scripts.probes.commands import substitutes
from glide_scripts.testing import ValkeyServer

SCRIPT = """\
--@key counter
--@arg step: int
--@include "lib/positive.lua"
if not positive(ARGV[1]) then
  error('the step is ' .. ARGV[1])
end
return redis.call('INCRBY', KEYS[1], ARGV[1])
"""
POSITIVE = """\
local function positive(text)
  return tonumber(text) > 0
end
"""
LIBRARY = """\
#!lua name=counters
local function bump(keys, args)
  if args[1] then
    return redis.call('INCRBY', keys[1], args[1])
  end
  return redis.error_reply('STEP missing')
end
redis.register_function('bump', bump)
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "lib").mkdir()
    (tmp_path / "add.lua").write_text(SCRIPT)
    (tmp_path / "lib" / "positive.lua").write_text(POSITIVE)
    (tmp_path / "counters.lua").write_text(LIBRARY)
    return tmp_path


def lines(coverage: Coverage, path: Path) -> list[int]:
    """Return the lines of a file that ran."""
    ran = coverage.get_data().lines(str(path.resolve())) or []
    return sorted(line for line in ran if line > 0)


def missing(coverage: Coverage, path: Path) -> str:
    """Return the lines and branches that a report names as missing."""
    return coverage._analyze(str(path.resolve())).missing_formatted(branches=True)


@pytest.mark.every_server
async def test_lines_and_branches_of_a_file_and_of_what_it_includes(
    client: GlideClient, folder: Path
) -> None:
    with measure(source=[folder]) as coverage:
        add = Script.from_file(folder / "add.lua")
        assert await client.invoke_script(add, ["n"], ["2"]) == 2
    assert lines(coverage, folder / "add.lua") == [4, 7]
    assert lines(coverage, folder / "lib" / "positive.lua") == [1, 2]
    assert missing(coverage, folder / "add.lua") == "5"
    with pytest.raises(ScriptError), measure(source=[folder]) as coverage:
        await client.invoke_script(add, ["n"], ["-2"])
    assert missing(coverage, folder / "add.lua") == "7"


@pytest.mark.every_server
async def test_errors_hashes_and_code_stay_the_programs_own(
    client: GlideClient, folder: Path
) -> None:
    add = Script.from_file(folder / "add.lua")

    async def seen() -> list[object]:
        await client.script_flush()
        with pytest.raises(ScriptError) as caught:
            await client.invoke_script(add, ["n"], ["-2"])
        error = caught.value
        assert error.script is add
        sha1 = await client.script_load(add)
        with pytest.raises(ScriptError) as of_hash:
            await client.evalsha(sha1, ["n"], ["-2"])
        with pytest.raises(ScriptError) as of_code:
            await client.eval(add.code, ["n"], ["-2"])
        batch = Batch(is_atomic=False).eval(add.code, ["n"], ["-2"])
        in_batch = await client.exec(batch, raise_on_error=False)
        assert in_batch is not None
        texts = [str(each) for each in (error, of_code.value, *in_batch)]
        exists = await client.script_exists([add.get_hash(), "0" * 40])
        return [*texts, error.file, error.line, error.message, sha1, exists, of_hash.value.line]

    plain = await seen()
    with measure(source=[folder]) as coverage:
        assert await seen() == plain
    assert lines(coverage, folder / "add.lua") == [4, 5]


@pytest.mark.needs("SCRIPT SHOW")
async def test_the_server_shows_the_code_without_probes(client: GlideClient, folder: Path) -> None:
    with measure(source=[folder]):
        add = Script.from_file(folder / "add.lua")
        await client.invoke_script(add, ["n"], ["2"])
        assert await client.script_show(add.get_hash()) == add.code
        assert await client.custom_command(["SCRIPT", "SHOW", add.get_hash()]) == add.code


@pytest.mark.needs("functions")
@pytest.mark.every_server
async def test_functions(client: GlideClient, folder: Path) -> None:
    library = FunctionLibrary(LIBRARY)
    with measure(source=[folder]) as coverage:
        assert await client.fcall(library.function("bump"), ["n"], ["2"]) == 2
        with pytest.raises(ScriptError, match="missing"):
            await client.fcall("bump", ["n"], [])
        (listed,) = await client.function_list(with_code=True)
    assert listed[b"library_code"] == library.code
    assert missing(coverage, folder / "counters.lua") == ""


@pytest.mark.needs("functions")
async def test_a_library_that_is_loaded_by_its_code(client: GlideClient, folder: Path) -> None:
    with measure(source=[folder]) as coverage:
        await client.function_load(LIBRARY)
        await client.fcall("bump", ["n"], ["2"])
    assert missing(coverage, folder / "counters.lua") == "6"


@pytest.mark.every_server
@pytest.mark.parametrize("is_atomic", [True, False], ids=["transaction", "pipeline"])
async def test_batches(client: GlideClient, folder: Path, is_atomic: bool) -> None:
    with measure(source=[folder]) as coverage:
        add = Script.from_file(folder / "add.lua")
        batch = Batch(is_atomic=is_atomic).invoke_script(add, ["n"], ["2"])
        batch.eval(POSITIVE + "return 1").eval("return 7")
        assert await client.exec(batch, raise_on_error=True) == [2, 1, 7]
    assert missing(coverage, folder / "add.lua") == "5"


@pytest.mark.needs("read-only forms", "script flags")
async def test_read_only_scripts(client: GlideClient, folder: Path) -> None:
    (folder / "get.lua").write_text("#!lua flags=no-writes\nreturn redis.call('GET', KEYS[1])\n")
    with measure(source=[folder]) as coverage:
        get = Script.from_file(folder / "get.lua")
        assert get.read_only
        assert await client.invoke_script(get, ["n"], []) is None
    assert missing(coverage, folder / "get.lua") == ""


async def test_calls_that_take_effect_once(client: GlideClient, folder: Path) -> None:
    add = Script.from_file(folder / "add.lua")
    assert await client.invoke_script(add, ["n"], ["2"], once="id") == 2
    with measure(source=[folder]) as coverage:
        # The record is that of the script without probes.
        assert await client.invoke_script(add, ["n"], ["2"], once="id") == 2
        assert await client.invoke_script(add, ["n"], ["2"], once="other") == 4
    assert missing(coverage, folder / "add.lua") == "5"


async def test_a_killed_script_has_its_lines(
    own_server: ValkeyServer, connect: Connect, folder: Path
) -> None:
    (folder / "endless.lua").write_text(
        "--@readonly\nlocal a = 1\nwhile true do\n  a = a + 1\nend\n"
    )
    client = await connect(own_server, request_timeout=30_000)
    await client.config_set({"lua-time-limit": "100"})
    with measure(source=[folder]) as coverage:
        endless = Script.from_file(folder / "endless.lua")
        late = await timed_out(client, endless, timeout=300, on_timeout="kill")
    assert "will try to kill it" in str(late)
    assert lines(coverage, folder / "endless.lua") == [2, 3, 4]


@pytest.mark.every_server
async def test_a_failed_script_has_its_lines_up_to_the_error(
    client: GlideClient, tmp_path: Path
) -> None:
    file = tmp_path / "fails.lua"
    file.write_text(
        "local key, step = KEYS[1], ARGV[1]\n"
        "local seen = {}\n"
        "local function late()\n"
        "  return 1\n"
        "end\n"
        "if redis.call('EXISTS', key) == 0 then\n"
        "  local amount = step + 1\n"
        "  seen[1] = amount\n"
        "end\n"
        "return late()\n"
    )
    fails = Script.from_file(file)
    with measure(source=[tmp_path]) as coverage, pytest.raises(ScriptError):
        await client.invoke_script(fails, ["n"], ["x"])
    assert lines(coverage, file) == [1, 2, 3, 6, 7]
    with measure(source=[tmp_path]) as coverage:
        assert await client.invoke_script(fails, ["n"], ["2"]) == 1
    assert lines(coverage, file) == [1, 2, 3, 4, 6, 7, 8, 10]


async def test_strings_in_python_files_are_shown_at_their_places(
    client: GlideClient, folder: Path
) -> None:
    program = folder / "program.py"
    names = defined(
        program,
        'import glide_scripts\n\nLIMIT = glide_scripts.Script("""\nlocal n = ARGV[1]\n'
        'if n == \'1\' then\n  return 1\nend\nreturn 2\n""")\n'
        'DEDENTED = """\n    local key = KEYS[1]\n    return key\n"""\n',
    )
    with measure(source=[folder]) as coverage:
        assert await client.invoke_script(names["LIMIT"], [], ["2"]) == 2
        dedented = "local key = KEYS[1]\nreturn key"
        assert await client.eval(dedented, ["k"], []) == b"k"
    assert lines(coverage, program) == [4, 5, 8, 11, 12]
    assert missing(coverage, program) == "6"


def defined(program: Path, source: str) -> dict[str, Any]:
    """Write a program, run it, and return its names."""
    program.write_text(source)
    names: dict[str, Any] = {}
    exec(compile(source, program, "exec"), names)
    return names


TYPED = """\
from glide_scripts import Script, typed_script

@typed_script(Script('''
if ARGV[1] == '1' then
  return 1
end
return 0
'''))
def typed(n: int) -> int: ...

@typed_script(Script('''
if ARGV[1] == '1' then
  return 3
end
return 2
'''))
def left_out(n: int) -> int: ...  # pragma: no cover
"""


async def test_a_typed_script_with_a_body_of_three_dots(
    client: GlideClient, tmp_path: Path
) -> None:
    program = tmp_path / "program.py"
    names = defined(program, TYPED)
    with measure(source=[tmp_path]) as coverage:
        assert await names["typed"](client, 2) == 0
        assert await names["left_out"](client, 2) == 2
    assert missing(coverage, program) == "5"
    assert coverage._analyze(str(program.resolve())).statements == {4, 5, 7}


async def test_the_same_text_counts_at_each_place_it_stands_at(
    client: GlideClient, tmp_path: Path
) -> None:
    code = "\nlocal n = ARGV[1]\nif n == '1' then\n  return 1\nend\nreturn 2\n"
    twice, once, file = (tmp_path / name for name in ("twice.py", "once.py", "file.lua"))
    twice.write_text(f'A = """{code}"""\nB = f"""\\\n{code.lstrip()}"""\n')
    once.write_text(f'C = """{code}"""\n')
    file.write_text(code)
    with measure(source=[tmp_path]) as coverage:
        assert await client.eval(code, [], ["2"]) == 2
        assert await client.eval(code.strip(), [], ["2"]) == 2
    assert lines(coverage, twice) == [2, 3, 6, 9, 10, 13]
    assert lines(coverage, once) == lines(coverage, file) == [2, 3, 6]
    assert missing(coverage, twice) == "4, 11"
    assert missing(coverage, once) == missing(coverage, file) == "4"


TWO_ON_A_LINE = """\
PAIR = (
    '''
local a = ARGV[1]
if a == '1' then return 1 end return 2''', '''if ARGV[1] == '3' then return 3 end
return 4''',
)
"""


async def test_the_branches_of_two_scripts_on_a_line_are_told_apart(
    client: GlideClient, tmp_path: Path
) -> None:
    program = tmp_path / "program.py"
    first, second = defined(program, TWO_ON_A_LINE)["PAIR"]
    with measure(source=[tmp_path]) as coverage:
        for arg in ("1", "2"):
            await client.eval(first, [], [arg])
        analysis = coverage._analyze(str(program.resolve()))
        assert analysis.branch_stats() == {4: (4, 2)}
        for arg in ("3", "4"):
            await client.eval(second, [], [arg])
    assert coverage._analyze(str(program.resolve())).branch_stats() == {4: (4, 4)}
    assert missing(coverage, program) == ""


JOINED = """\
JOINED = (
    "local n = tonumber(ARGV[1])\\n"
    'if n > 3 then\\n'
    "  return 'it\\\\'s ' .. n\\n"
    "end\\n"
    "return n"
)
"""
ADDED = """\
ADDED = "local n = tonumber(ARGV[1])\\n" + (
    "if n > 3 then\\n"
    + "  return 'big'\\n"
    + "end\\n"
    + "return n"
)
"""
FORMATTED = """\
LIMIT, HEAD = 3, "local function id(a)\\n  return a\\nend"
FORMATTED = f\'\'\'
    {HEAD}
    local n = id(tonumber(ARGV[1]))
    local t = {{n = n}}
    if t.n > {LIMIT} then
      return '{LIMIT}'
    end
    return n
\'\'\'
"""
PERCENT = """\
PERCENT = \'\'\'
local n = tonumber(ARGV[1])
if n %% 100 > %d then
  return '%s'
end
return n
\'\'\' % (3, "big")
"""
BY_FORMAT = """\
BY_FORMAT = \'\'\'
local n = tonumber(ARGV[1])
local t = {{n = n}}
if n > {limit} then
  return '{name}'
end
return t.n
\'\'\'.format(limit=3, name="big")
"""


BY_REPLACE = """\
BY_REPLACE = '''
local n = tonumber(ARGV[1])
if n > @LIMIT@ then
  return '@NAME@'
end
return n
'''.replace("@LIMIT@", "3").replace("@NAME@", "big\\\\nword")
"""


@pytest.mark.parametrize("change", ["as it is", "dedented", "stripped"])
@pytest.mark.parametrize(
    ("source", "expected"),
    [
        (JOINED, ([2, 3, 6], "4")),
        (ADDED, ([1, 2, 5], "3")),
        (FORMATTED, ([4, 5, 6, 9], "7")),
        (PERCENT, ([2, 3, 6], "4")),
        (BY_FORMAT, ([2, 3, 4, 7], "5")),
        (BY_REPLACE, ([2, 3, 6], "4")),
    ],
    ids=["joined", "added", "f-string", "percent", "format", "replace"],
)
async def test_strings_that_python_puts_together_are_shown_at_their_places(
    client: GlideClient, folder: Path, source: str, expected: tuple[list[int], str], change: str
) -> None:
    program = folder / "program.py"
    names = defined(program, source)
    code = next(value for name, value in reversed(names.items()) if isinstance(value, str))
    if change != "as it is":
        code = textwrap.dedent(code) if change == "dedented" else code.strip()
    with measure(source=[folder]) as coverage:
        assert await client.eval(code, [], ["2"]) == 2
    assert (lines(coverage, program), missing(coverage, program)) == expected


async def test_what_is_left_out_is_sent_as_it_is(client: GlideClient, folder: Path) -> None:
    with measure(source=[folder / "lib"]) as coverage:
        add = Script.from_file(folder / "add.lua")
        await client.invoke_script(add, ["n"], ["2"])
        assert await client.eval("return 1") == 1
    assert coverage.get_data().measured_files() == {str(folder / "lib" / "positive.lua")}
    assert lines(coverage, folder / "lib" / "positive.lua") == [1, 2]


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("if KEYS[1] then -- pragma: no cover\n  return 1\nend\nreturn 2\n", ([5], 0, "")),
        (
            "local a = KEYS[1]\nif a then\n  return 1 -- pragma: no cover\nend\nreturn 2\n",
            ([2, 3, 6], 0, ""),
        ),
        (
            "local a = KEYS[1]\nif not a then\n  a = 1\nelse -- pragma: no cover\n  a = 2\n"
            "end\nreturn a\n",
            ([2, 3, 4, 8], 0, ""),
        ),
        (
            "local a = KEYS[1]\nif a and\n  #a > 1 then -- pragma: no cover\n  a = 1\n"
            "elseif a then\n  a = 2\nelse\n  a = 3\nend\nreturn a\n",
            ([2, 6, 7, 9, 11], 2, "7"),
        ),
        ("local a = {\n  KEYS[1],\n} -- pragma: no cover\nreturn #a\n", ([5], 0, "")),
        (
            "local a = {\n  f = function() -- pragma: no cover\n    return 1\n  end,\n"
            "  g = function()\n    return 2\n  end,\n}\nreturn #a\n",
            ([2, 7, 10], 0, "7"),
        ),
        ("local a = {\n  ...\n}\nreturn #a\n", ([2, 5], 0, "")),
        (
            "local a = 1\nif KEYS[1] then -- pragma: no branch\n  a = 2\nend\nreturn a\n",
            ([2, 3, 4, 6], 2, "4"),
        ),
        (
            "local a = 1\nif KEYS[1] then a = 2 end -- pragma: no branch\nreturn a\n",
            ([2, 3, 4], 2, ""),
        ),
    ],
    ids=["if", "return", "else", "elseif", "statement", "function", "dots", "no branch", "line"],
)
async def test_comments_leave_lines_out(
    client: GlideClient, tmp_path: Path, code: str, expected: tuple[list[int], int, str]
) -> None:
    # With the same lines in both.
    code = f"\n{code}-- KEYS"
    script, program = tmp_path / "left.lua", tmp_path / "program.py"
    script.write_text(code)
    program.write_text(f'CODE = """{code}"""\n')
    with measure(source=[tmp_path]) as coverage:
        await client.eval(code)
    for path in (script, program):
        analysis = coverage._analyze(str(path))
        statements = sorted(analysis.statements)
        assert (statements, analysis.numbers.n_branches, missing(coverage, path)) == expected


async def test_settings_leave_lines_out(client: GlideClient, tmp_path: Path) -> None:
    settings, script = tmp_path / "coverage.toml", tmp_path / "left.lua"
    settings.write_text(
        "[tool.coverage.report]\nexclude_also = ['= debugged']\npartial_also = ['only_in']\n"
    )
    script.write_text(
        "local a = 1\nif KEYS[1] then\n  a = debugged(a)\nend\nif a > 1 then only_in() end\n"
        "return a\n"
    )
    with measure(source=[tmp_path], config_file=str(settings)) as coverage:
        await client.invoke_script(Script.from_file(script))
    assert sorted(coverage._analyze(str(script)).statements) == [1, 2, 5, 6]
    assert missing(coverage, script) == ""


async def test_a_file_that_changed_since_it_was_loaded_is_named(
    client: GlideClient, folder: Path
) -> None:
    add = Script.from_file(folder / "add.lua")
    (folder / "lib" / "positive.lua").write_text("\n" + POSITIVE)
    with (
        pytest.warns(match=r"positive\.lua has changed since it was loaded.*load it again"),
        measure(source=[folder]),
    ):
        assert await client.invoke_script(add, ["n"], ["2"]) == 2


async def test_a_script_without_room_for_probes_is_sent_as_it_is_and_named(
    client: GlideClient, folder: Path
) -> None:
    names = ", ".join(f"v{number}" for number in range(199))
    (folder / "full.lua").write_text(f"local {names} = 7\nreturn v0\n")
    script = Script.from_file(folder / "full.lua")
    with (
        pytest.warns(match=r"full\.lua has 199 local variables .* no room for probes"),
        measure(source=[folder]),
    ):
        assert await client.invoke_script(script) == 7


async def test_a_line_may_have_several_branches_that_were_not_taken(
    client: GlideClient, folder: Path
) -> None:
    (folder / "one.lua").write_text(
        "local a = #ARGV if a == 1 then a = 2 elseif a == 3 then a = 4 end return a\n"
    )
    with measure(source=[folder]) as coverage:
        assert await client.invoke_script(Script.from_file(folder / "one.lua")) == 0
    coverage.html_report(directory=str(folder / "html"))
    (page,) = (folder / "html").glob("*one_lua.html")
    assert "the condition on line 1 was never true" in page.read_text()


async def test_statements_may_follow_each_other_at_once(client: GlideClient, folder: Path) -> None:
    (folder / "dense.lua").write_text(
        "local n=0 for i=1,3 do n=n+i end(function()n=n+1 end)()if(n>9)then n=0 end"
        "(function()n=n+1 end)()while(n<9)do n=n+1 end(function()n=n+1 end)()return n"
    )
    script = Script.from_file(folder / "dense.lua")
    plain = await client.invoke_script(script)
    with measure(source=[folder]) as coverage:
        assert await client.invoke_script(script) == plain == 10
    assert lines(coverage, folder / "dense.lua") == [1]


async def test_a_chain_of_operators_may_be_longer_than_python_s_stack(
    client: GlideClient, folder: Path
) -> None:
    chain = " or ".join(f"ARGV[1] == '{number}'" for number in range(1500))
    (folder / "chain.lua").write_text(f"if {chain} then\n  return 1\nend\nreturn 2\n")
    with measure(source=[folder]) as coverage:
        assert await client.invoke_script(Script.from_file(folder / "chain.lua"), [], ["x"]) == 2
    assert missing(coverage, folder / "chain.lua") == "2"
    coverage.html_report(directory=str(folder / "html"))


async def test_a_file_that_changed_since_it_ran_is_named(client: GlideClient, folder: Path) -> None:
    with measure(source=[folder]) as coverage:
        await client.invoke_script(Script.from_file(folder / "add.lua"), ["n"], ["2"])
    (folder / "add.lua").write_text("\n\n" + SCRIPT)
    with pytest.warns(match=r"add\.lua has changed since its coverage was measured; run the tests"):
        coverage.report(include=["*add.lua"])


async def test_a_file_that_does_not_parse_is_named(client: GlideClient, folder: Path) -> None:
    (folder / "wrong.lua").write_text("if then\n")
    with measure(source=[folder]) as coverage, pytest.raises(ScriptError):
        await client.invoke_script(Script.from_file(folder / "wrong.lua"))
    with pytest.raises(Exception, match=r"wrong\.lua does not parse as Lua; correct it"):
        coverage.report()
    # As pytest-cov reports.
    with pytest.warns(match=r"wrong\.lua does not parse as Lua; correct it"):
        coverage.report(ignore_errors=True)


def test_after_a_measurement_scripts_are_sent_as_before_it() -> None:
    before = substitutes()
    with measure():
        assert substitutes() is not before
    assert substitutes() is before
