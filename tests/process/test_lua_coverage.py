"""Lua in the coverage of users' tests: with pytest-cov, with xdist, and with coverage.py alone."""

from __future__ import annotations

import os
import re
import sys
import xml.etree.ElementTree as ET
from collections import defaultdict
from pathlib import Path

import pytest
from coverage import CoverageData

pytest_plugins = ["pytester"]

ROOT = Path(__file__).parents[2]
AUTO = ("--asyncio-mode=auto", "-o", "asyncio_default_fixture_loop_scope=function")

SHOP = '''
from pathlib import Path
from glide_scripts import FunctionLibrary, Script, ScriptLibrary

here = Path(__file__).parent
scripts = ScriptLibrary.from_directory(here / "scripts")
library = FunctionLibrary((here / "functions.lua").read_text())
inline = Script("""
local n = tonumber(ARGV[1])
if n > 3 then
  return redis.error_reply('BIG ' .. n)
end
return n
""")
'''
TAKE = """\
--@key stock
--@arg count: int
--@returns int
--@include "lib/left.lua"
local count = tonumber(ARGV[1])
if left() < count then
  return redis.error_reply('OUT of stock')
end
return redis.call('DECRBY', KEYS[1], count)
"""
LEFT = """\
local function left()
  return tonumber(redis.call('GET', KEYS[1]) or 0)
end
"""
FUNCTIONS = """\
#!lua name=shop
local function size(keys)
  return redis.call('STRLEN', keys[1])
end
redis.register_function{function_name = 'size', callback = size, flags = {'no-writes'}}
"""
TESTS = """
import pytest
from shop import inline, library, scripts
from glide_scripts import ScriptError

async def test_taken(valkey_client):
    await valkey_client.set("sku", "5")
    assert await scripts.take(valkey_client, "sku", count=2) == 3

async def test_out_of_stock(valkey_client):
    with pytest.raises(ScriptError) as caught:
        await scripts.take(valkey_client, "sku", count=2)
    assert caught.value.message == "of stock"

async def test_inline(valkey_client):
    assert await valkey_client.invoke_script(inline, [], ["3"]) == 3

async def test_size(valkey_client):
    assert await valkey_client.fcall_ro(library.function("size", read_only=True), ["sku"], []) == 0
"""
IN_CLUSTER = """
from shop import library, scripts

async def test_taken(valkey_cluster_client):
    for key in "abc":
        await valkey_cluster_client.set(key, "5")
        assert await scripts.take(valkey_cluster_client, key, count=2) == 3
    assert await valkey_cluster_client.fcall(library.function("size"), ["a"], []) == 1
"""


@pytest.fixture
def project(pytester: pytest.Pytester) -> Path:
    shop = pytester.mkpydir("shop")
    (shop / "scripts" / "lib").mkdir(parents=True)
    for name, text in {
        "__init__.py": SHOP,
        "functions.lua": FUNCTIONS,
        "scripts/take.lua": TAKE,
        "scripts/lib/left.lua": LEFT,
    }.items():
        (shop / name).write_text(text)
    (pytester.path / "test_shop.py").write_text(TESTS)
    return pytester.path


def run(pytester: pytest.Pytester, *options: str) -> pytest.RunResult:
    return pytester.runpytest_subprocess(
        *("-W", "error", "-p", "no:cacheprovider", "-p", "no:anyio"), *AUTO, *options, timeout=100
    )


def rows(result: pytest.RunResult | str) -> dict[str, str]:
    """Return the rows of a report in text, without their spaces, by file."""
    text = result if isinstance(result, str) else result.stdout.str()
    found = re.findall(r"^(\S+\.(?:lua|py)|TOTAL) +(\d.*?) *$", text, re.MULTILINE)
    return {name: re.sub(r" +", " ", row) for name, row in found}


# Line 11 is the refusal in the string.
EXPECTED = {
    "shop/__init__.py": "10 1 2 1 83% 11",
    "shop/functions.lua": "3 0 0 0 100%",
    "shop/scripts/lib/left.lua": "2 0 0 0 100%",
    "shop/scripts/take.lua": "4 0 2 0 100%",
}


@pytest.mark.parametrize("workers", [(), ("-n", "2")], ids=["alone", "xdist"])
def test_lua_stands_beside_python_in_the_report(
    pytester: pytest.Pytester, project: Path, workers: tuple[str, ...]
) -> None:
    result = run(pytester, *workers, "--cov=shop", "--cov-branch", "--cov-report=term-missing")
    result.assert_outcomes(passed=4)
    assert {name: row for name, row in rows(result).items() if name != "TOTAL"} == EXPECTED
    result.stdout.no_fnmatch_line("*no measured file*")


def test_what_no_test_reaches_is_missing(pytester: pytest.Pytester, project: Path) -> None:
    options = ("--cov=shop", "--cov-branch", "--cov-report=term-missing")
    result = run(pytester, *options, "-k", "test_inline")
    found = rows(result)
    assert found["shop/functions.lua"] == "3 3 0 0 0% 2-5"
    assert found["shop/scripts/take.lua"] == "4 4 2 0 0% 5-9"


def test_too_little_fails(pytester: pytest.Pytester, project: Path) -> None:
    options = ("--cov=shop", "--cov-branch", "--cov-report=term-missing", "--cov-fail-under=90")
    assert run(pytester, *options).ret == 0
    assert run(pytester, *options, "-k", "test_size").ret != 0


@pytest.fixture
def with_contexts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have coverage.py measure in the way that records contexts, on each Python."""
    monkeypatch.setenv("COVERAGE_CORE", "ctrace")


@pytest.mark.usefixtures("with_contexts")
def test_xml_html_and_contexts(pytester: pytest.Pytester, project: Path) -> None:
    run(
        pytester,
        *("--cov=shop", "--cov-branch", "--cov-context=test"),
        *("--cov-report=xml", "--cov-report=html", "-k", "taken or stock"),
    )
    tree = ET.parse(project / "coverage.xml")
    (take,) = tree.findall(".//class[@filename='scripts/take.lua']")
    assert {line.get("number"): line.get("hits") for line in take.iter("line")} == {
        "5": "1",
        "6": "1",
        "7": "1",
        "9": "1",
    }
    assert take.get("branch-rate") == "1"
    (page,) = (project / "htmlcov").glob("*take_lua.html")
    assert "DECRBY" in page.read_text()
    data = CoverageData(str(project / ".coverage"))
    data.read()
    contexts = data.contexts_by_lineno(str(project.resolve() / "shop" / "scripts" / "take.lua"))
    assert contexts[7] == ["test_shop.py::test_out_of_stock|run"]
    assert contexts[9] == ["test_shop.py::test_taken|run"]
    assert len(contexts[5]) == 2


def test_contexts_by_the_setting_dynamic_context(pytester: pytest.Pytester, project: Path) -> None:
    pytester.makepyprojecttoml(
        "[tool.coverage.run]\nsource = ['shop']\ndynamic_context = 'test_function'\n"
        "core = 'ctrace'\nplugins = ['glide_scripts.coverage']\n"
    )
    words = ["run", "-m", "pytest", "-p", "no:cacheprovider", *AUTO]
    ended = pytester.runpython_c(f"import coverage.cmdline as c; c.main({words})")
    assert ended.ret == 0
    data = CoverageData(str(project / ".coverage"))
    data.read()
    contexts = data.contexts_by_lineno(str(project.resolve() / "shop" / "scripts" / "take.lua"))
    assert contexts[7] == ["test_shop.test_out_of_stock"]
    assert contexts[9] == ["test_shop.test_taken"]


def test_in_a_cluster(pytester: pytest.Pytester, project: Path) -> None:
    (project / "test_shop.py").write_text(IN_CLUSTER)
    result = run(pytester, "--cov=shop", "--cov-report=term-missing")
    result.assert_outcomes(passed=1)
    found = rows(result)
    assert found["shop/scripts/take.lua"] == "4 1 75% 7"
    assert found["shop/functions.lua"] == "3 0 100%"


def test_coverage_alone_reports_on_lua_if_its_settings_name_the_plugin(
    pytester: pytest.Pytester, project: Path
) -> None:
    pytester.makepyprojecttoml(
        "[tool.coverage.run]\nbranch = true\nsource = ['shop']\n"
        "plugins = ['glide_scripts.coverage']\n"
    )
    (project / "program.py").write_text(
        "import asyncio\nfrom shop import inline\nfrom glide_scripts import GlideClient\n"
        "from glide_scripts.testing import ValkeyServer\n"
        "async def main(url):\n"
        "    async with await GlideClient.from_url(url) as client:\n"
        "        await client.invoke_script(inline, [], ['1'])\n"
        "with ValkeyServer() as server:\n    asyncio.run(main(server.url))\n"
    )
    assert (
        pytester.runpython_c("import coverage.cmdline as c; c.main(['run', 'program.py'])").ret == 0
    )
    report = pytester.runpython_c("import coverage.cmdline as c; c.main(['report', '-m'])")
    assert rows(report)["shop/__init__.py"] == EXPECTED["shop/__init__.py"]
    assert rows(report)["shop/scripts/take.lua"] == "4 4 2 0 0% 5-9"


def test_coverage_runs_pytest_without_warnings(pytester: pytest.Pytester, project: Path) -> None:
    pytester.makepyprojecttoml(
        "[tool.coverage.run]\nsource = ['shop']\nplugins = ['glide_scripts.coverage']\n"
    )
    options = ("-W", "error", "-p", "no:cacheprovider", "-p", "no:anyio", *AUTO)
    result = pytester.run(*(sys.executable, "-m", "coverage", "run", "-m", "pytest"), *options)
    result.assert_outcomes(passed=4)
    report = pytester.run(sys.executable, "-m", "coverage", "report")
    assert rows(report)["shop/scripts/take.lua"] == "4 0 100%"


def test_a_report_without_the_plugin_leaves_lua_out(
    pytester: pytest.Pytester, project: Path
) -> None:
    run(pytester, "--cov=shop", "--cov-report=")
    report = pytester.runpython_c("import coverage.cmdline as c; c.main(['report'])")
    assert set(rows(report)) == {"shop/__init__.py", "TOTAL"}


def test_without_the_extra_it_says_what_to_install(
    pytester: pytest.Pytester, project: Path
) -> None:
    pytester.makeconftest("import sys\nsys.modules['tree_sitter_lua'] = None\n")
    result = run(pytester, "--cov=shop")
    result.assert_outcomes(passed=4)
    result.stdout.fnmatch_lines(['*coverage of Lua needs*pip install "glide-scripts?coverage?"'])


@pytest.mark.parametrize("workers", [(), ("-n", "2")], ids=["alone", "xdist"])
def test_a_text_that_is_not_in_the_report_is_named(
    pytester: pytest.Pytester, project: Path, workers: tuple[str, ...]
) -> None:
    (project / "shop/built.py").write_text(
        "async def built(client):\n"
        "    lines = ['local n = 1', 'return n']\n"
        "    await client.eval('return 1')\n"
        "    await client.eval('redis.log(1, \"\")\\nreturn 1')\n"
        "    return await client.eval('\\n'.join(lines))\n"
    )
    (project / "test_built.py").write_text(
        "from shop.built import built\n\n\n"
        "async def test_built(valkey_client):\n    assert await built(valkey_client) == 1\n"
    )
    result = run(pytester, *workers, "--cov=shop", "test_built.py")
    result.assert_outcomes(passed=1)
    (line,) = [line for line in result.outlines if "no measured file" in line]
    assert line.endswith(
        "one line of a Python file; they are sent at shop/built.py:4, shop/built.py:5"
    )


def test_it_can_be_turned_off(pytester: pytest.Pytester, project: Path) -> None:
    result = run(pytester, "--cov=shop", "-p", "no:glide_scripts_coverage")
    result.assert_outcomes(passed=4)
    assert "take.lua" not in result.stdout.str()


@pytest.mark.usefixtures("with_contexts")
def test_each_test_of_the_examples_reaches_what_no_other_does(pytester: pytest.Pytester) -> None:
    """So without any one of them, the report names a line."""
    (pytester.path / "examples").symlink_to(ROOT / "examples")
    result = run(
        pytester,
        *("examples/tests", "--cov=examples", "--cov-branch", "--cov-context=test"),
        "--cov-report=term-missing",
    )
    tests = result.parseoutcomes()["passed"]
    found = {name: row for name, row in rows(result).items() if name.endswith(".lua")}
    scripts = {os.fspath(path.relative_to(ROOT)) for path in (ROOT / "examples").rglob("*.lua")}
    assert {ROOT.joinpath(name).resolve() for name in scripts} == {
        (pytester.path / name).resolve() for name in found
    }
    assert {row.split()[4] for row in found.values()} == {"100%"}
    data = CoverageData(str(pytester.path / ".coverage"))
    data.read()
    reached: defaultdict[tuple[str, tuple[int, int]], set[str]] = defaultdict(set)
    contexts = {each for each in data.measured_contexts() if each.endswith("|run")}
    for context in contexts:
        data.set_query_context(context)
        for path in data.measured_files():
            if path.endswith(".lua"):
                for arc in data.arcs(path) or []:
                    reached[path, arc].add(context)
    alone = {next(iter(tests)) for tests in reached.values() if len(tests) == 1}
    assert len(contexts) == tests
    assert contexts - alone == set()
