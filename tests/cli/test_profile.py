"""``glide-scripts profile``: counts and times of lines, commands and stacks."""

from __future__ import annotations

import json
import re
import signal
import subprocess
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from tests.cli.terminal import piped, start
from tests.waiting import block_until

from glide_scripts.cli import _timers
from glide_scripts.cli import profile as command
from glide_scripts.cli._failure import Failure
from glide_scripts.cli._profile import Node, Profile
from glide_scripts.cli._timers import Timed, with_timers
from glide_scripts.testing import ValkeyServer

# Each line of the loops takes clearly longer than the next one.
SCRIPT = """\
local function add(count)
  local sum = 0
  for i = 1, count do sum = sum + i end
  return sum
end
local text = {}
for i = 1, 10 do
  text[i] = string.rep('x', 300000)
  local other = string.rep('y', 120000)
  local third = string.rep('z', 40000)
  add(40)
end
if KEYS[2] then
  return redis.error_reply('NO second key')
end
redis.call('SET', KEYS[1], #text)
return redis.call('GET', KEYS[1])
"""


@pytest.fixture
def script(tmp_path: Path) -> Path:
    file = tmp_path / "hot.lua"
    file.write_text(SCRIPT)
    return file


def profile(script: Path, *words: str) -> dict[str, Any]:
    ended = piped("profile", str(script), *words, "--json")
    assert (ended.code, ended.err) == (0, "")
    figures: dict[str, Any] = json.loads(ended.out)
    return figures


def test_each_line_has_its_count_and_each_command_its_own(script: Path, url: str) -> None:
    figures = profile(script, "--key", "k", "--repeat", "7", "--url", url)
    assert (figures["calls"], figures["failed"]) == (7, 0)
    counts = {each["line"]: each["count"] for each in figures["lines"]}
    # Line 3 is the loop and its body, which are on one line.
    assert counts == {
        1: 7,
        2: 70,
        3: 7 * 10 * 41,
        4: 70,
        6: 7,
        7: 7,
        8: 70,
        9: 70,
        10: 70,
        11: 70,
        13: 7,
        16: 7,
        17: 7,
    }
    assert {each["command"]: each["count"] for each in figures["commands"]} == {"SET": 7, "GET": 7}
    assert figures["lines"][0]["source"] == "local function add(count)"


def test_the_lines_add_up_to_the_whole(script: Path, url: str) -> None:
    figures = profile(script, "--key", "k", "--repeat", "30", "--url", url)
    whole = sum(each["seconds"] for each in figures["lines"])
    assert whole == pytest.approx(figures["seconds"], rel=0.1)
    assert sum(each["share"] for each in figures["lines"]) == pytest.approx(1, rel=0.1)


def test_the_five_hottest_lines_are_in_the_same_order_in_ten_runs(tmp_path: Path, url: str) -> None:
    file = tmp_path / "five.lua"
    # Each takes three times as long as the next one, and longer than an interruption.
    lengths = (36_000, 972_000, 12_000, 324_000, 108_000)
    lines = "".join(f"  text = string.rep('x', {each})\n" for each in lengths)
    file.write_text(f"local text\nfor i = 1, 2 do\n{lines}end\nreturn #text\n")
    rankings = Counter(
        tuple(
            each["line"]
            for each in sorted(
                profile(file, "--repeat", "20", "--url", url)["lines"],
                key=lambda each: -each["seconds"],
            )[:5]
        )
        for _ in range(10)
    )
    assert rankings == {(4, 6, 7, 3, 5): 10}


def test_no_run_contradicts_the_order_of_another(tmp_path: Path, url: str) -> None:
    file = tmp_path / "similar.lua"
    # Lines that take almost the same time, and some that do not.
    lengths = (30_000, 29_000, 31_000, 90_000, 28_000, 10_000, 9_900, 30_500, 200, 210)
    lines = "".join(f"text = string.rep('x', {each})\n" for each in lengths)
    file.write_text(f"local text\n{lines}return #text\n")
    told = []
    for _ in range(10):
        figures = profile(file, "--repeat", "160", "--url", url)
        lines_by_time = sorted(figures["lines"], key=lambda each: -each["seconds"])
        told.append(
            {
                (more["line"], less["line"])
                for more in lines_by_time
                for less in lines_by_time
                if more["seconds"] - less["seconds"] > more["margin"] + less["margin"]
            }
        )
    # The fourth length is three times as long as the others.
    assert all((5, 2) in pairs for pairs in told)
    every = {pair for pairs in told for pair in pairs}
    assert not {(less, more) for more, less in every} & every


def test_lines_that_cannot_be_told_apart_are_in_the_order_of_the_text() -> None:
    times = {1: 30.0, 2: 90.0, 3: 31.0, 4: 5.0, 5: 20.0, 6: 4.9, 7: 3.0, 8: 5.1, 9: 0.5}

    def hottest(*noise: float) -> list[tuple[int, bool]]:
        profile = Profile("x", b"", Timed(b"", ()), None)
        profile.micros = 40 * sum(times.values())
        for _ in range(40):
            profile.calls += 1
            for (line, micros), off in zip(times.items(), noise, strict=True):
                node = profile.root.below.setdefault(str(line), Node(str(line), "line", line))
                node.count += 1
                node.micros += micros + off
        return [(each.number, each.is_tied) for each in profile.hottest()]

    # The last group is not cut: no line that is left out takes more than one that is shown.
    found = [(2, False), (1, False), (3, True), (5, False), (4, False), (6, True), (8, True)]
    assert hottest(*[0.0] * 9) == found
    # In another run, lines that take about the same time come in another order.
    assert hottest(0.8, 1, -0.8, -0.1, 1, 0.1, 0.1, -0.1, 0) == found


@pytest.mark.parametrize("noise", [-0.02, -0.01, 0.0, 0.01, 0.02])
def test_lines_are_parted_where_they_differ_most(noise: float) -> None:
    # Each takes 3, 33, 4, 44 and 5 % more than the next one, two of them somewhat more or less.
    times = {1: 75.0, 2: 100 + 100 * noise, 3: 72.0, 4: 103.0, 5: 50 - 50 * noise, 6: 47.6}
    profile = Profile("x", b"", Timed(b"", ()), None)
    profile.calls, profile.micros = 10_000, 10_000 * sum(times.values())
    for line, micros in times.items():
        profile.root.below[str(line)] = Node(str(line), "line", line, 10_000, 10_000 * micros)
    found = [(each.number, each.is_tied) for each in profile.hottest()]
    assert found == [(2, False), (4, True), (1, False), (3, True), (5, False), (6, True)]


def test_a_line_that_takes_less_than_a_hundredth_is_none_of_the_hottest() -> None:
    profile = Profile("x", b"", Timed(b"", ()), None)
    profile.calls, profile.micros = 1, 100.0
    for line, micros in ((1, 95.0), (2, 0.9), (3, 4.1)):
        profile.root.below[str(line)] = Node(str(line), "line", line, micros=micros)
    assert [each.number for each in profile.hottest()] == [1, 3]


def test_lines_that_take_less_than_a_timer_are_in_the_order_of_their_counts() -> None:
    def hottest(*times: float) -> list[tuple[int, bool]]:
        profile = Profile("x", b"", Timed(b"", ()), None)
        profile.calls, profile.micros, profile._of_line = 10, sum(times), [1.0]
        counts = (10, 10, 100, 10, 10)
        for line, (micros, count) in enumerate(zip(times, counts, strict=True), 1):
            profile.root.below[str(line)] = Node(str(line), "line", line, count, micros)
        return [(each.number, each.is_short) for each in profile.hottest()]

    found = [(4, False), (3, True), (1, True), (2, True), (5, True)]
    assert hottest(1, 2, 30, 90, 0) == found
    assert hottest(2, 0, 20, 80, 1) == found
    # A loop of short lines may take more than all others.
    assert [each for each, _ in hottest(1, 2, 45, 15, 0)] == [3, 1, 2, 5, 4]


def test_calls_without_timers_correct_the_times() -> None:
    def settled(*, without: bytes | None) -> Profile:
        profile = Profile("x", b"a\nb\nc\n", Timed(b"", ()), None)
        # Line 3 takes 100 microseconds at once, line 1 ten in ten runs.
        tree = b"0 1 0 0\n1 10 10 1\n1 1 100 3"
        for _ in range(20):
            profile.add([1, b"", 0, b"110", b"0", b"0", tree])
            if without is not None:
                profile.add_without_timers([1, b"", 0, without, b"0", b"0", b""])
        profile.settle()
        return profile

    # Without them, a timer took half a microsecond more than was measured.
    rows = settled(without=b"104.5").lines()
    assert (rows[1].micros / 20, rows[3].micros / 20) == pytest.approx((5, 99.5))
    # It took less.
    rows = settled(without=b"121").lines()
    assert (rows[1].micros / 20, rows[3].micros / 20) == pytest.approx((20, 101))
    rows = settled(without=None).lines()
    assert (rows[1].micros / 20, rows[3].micros / 20) == pytest.approx((10, 100))
    assert settled(without=b"104.5").micros == pytest.approx(20 * 104.5)


def test_lines_of_a_loop_share_what_its_timers_took(tmp_path: Path, url: str) -> None:
    file = tmp_path / "loop.lua"
    # Each line takes a fiftieth of its timer.
    file.write_text("local x = 0\nfor i = 1, 200 do\n  x = x + 1\n  x = x * 2\nend\nreturn x\n")
    lines = {each["line"]: each for each in profile(file, "--url", url)["lines"]}
    assert sum(each["share"] for each in lines.values()) == pytest.approx(1, abs=0.001)
    assert lines[3]["share"] + lines[4]["share"] > 0.5


def test_an_interruption_is_left_out_and_slow_data_is_not() -> None:
    def micros(*, slow: bytes) -> float:
        profile = Profile("x", b"a\nb\n", Timed(b"", ()), None)
        for number in range(160):
            tree = b"0 1 0 0\n1 1 10 1\n1 1 %s 2" % (slow if number == 70 else b"10")
            profile.add([1, b"", 0, b"20", b"0", b"0", tree])
        profile.settle()
        return profile.lines()[2].micros / 160

    assert micros(slow=b"200") == pytest.approx(10)
    assert micros(slow=b"20000") == pytest.approx(10 + 19990 / 160)


def test_the_calls_of_a_large_repeat_are_made_one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[Any] = []

    async def make(made: Any, called: Any, calls: Any, target: Any, **rest: int) -> None:
        given.append((calls, rest["count"]))
        raise Failure("not called", 2)

    monkeypatch.setattr(command, "_make", make)
    assert piped("profile", "-e", "return 1", "--repeat", "1000000000000").code == 2
    ((calls, count),) = given
    assert (len(calls), count) == (1, 1_000_000_000_000)


def test_a_single_call_tells_no_lines_apart(tmp_path: Path, url: str) -> None:
    file = tmp_path / "once.lua"
    file.write_text("local text = string.rep('x', 300000)\nreturn #string.rep('y', 290000)\n")
    hottest = profile(file, "--repeat", "1", "--url", url)["hottest"]
    assert [each["tied"] for each in hottest] == [False, True]


def test_the_hottest_lines_of_a_longer_script_are_listed(script: Path, url: str) -> None:
    ended = piped("profile", str(script), "--key", "k", "--repeat", "30", "--url", url)
    listed = ended.out.partition("  hottest lines\n")[2].splitlines()
    assert re.search(rf"%  +[\d.]+ .s +10   {re.escape(str(script))}:8 │ text\[i\] = ", listed[0])
    script.write_text("return 1\n")
    assert "hottest lines" not in piped("profile", str(script), "--repeat", "3", "--url", url).out


def test_the_whole_has_none_of_the_time_of_timers(tmp_path: Path, url: str) -> None:
    file = tmp_path / "long.lua"
    # Each line is timed once per call. Its timer creates a node and leaves garbage.
    file.write_text("local x = 0\n" + "x = x + 1\n" * 300 + "return x\n")
    figures = profile(file, "--repeat", "200", "--url", url)
    # A line takes a fiftieth of what its timer takes; the clock has steps of a microsecond.
    assert figures["seconds"] < 0.3 * figures["timers"]["seconds"]


def test_timers_are_subtracted_where_they_ran(tmp_path: Path, url: str) -> None:
    file = tmp_path / "calls.lua"
    file.write_text(
        "local function one()\n  return 1\nend\nlocal sum = 0\nfor _ = 1, 50 do\n"
        "  sum = sum + one()\n  redis.call('PING')\nend\nreturn sum\n"
    )
    figures = profile(file, "--repeat", "100", "--url", url)
    # A timer that is subtracted from the wrong line makes its time negative, which counts as 0.
    assert sum(each["share"] for each in figures["lines"]) == pytest.approx(1, abs=0.04)


def test_without_repeat_a_quick_script_is_called_up_to_eight_thousand_times(
    tmp_path: Path, url: str
) -> None:
    file = tmp_path / "quick.lua"
    file.write_text("return 1\n")
    assert 100 <= profile(file, "--url", url)["calls"] <= 8000


def test_without_repeat_a_slow_script_is_called_a_hundred_times(tmp_path: Path, url: str) -> None:
    file = tmp_path / "slow.lua"
    # Of the processor's time: a hundred calls take more than three seconds.
    file.write_text("local began = os.clock()\nrepeat until os.clock() - began > 0.031\nreturn 1\n")
    assert profile(file, "--url", url)["calls"] == 100


def test_the_source_is_shown_with_the_figures(script: Path, url: str) -> None:
    ended = piped("profile", str(script), "--key", "k", "--repeat", "3", "--url", url)
    assert ended.code == 0
    assert re.search(
        r"^ +[\d.]+%  +[\d.]+ .s +10    8 │   text\[i\] = string\.rep", ended.out, re.M
    )
    assert re.search(r"^ {28} +5 │ end$", ended.out, re.M)
    assert re.search(r"^ +[\d.]+%  +[\d.]+ .s +1  SET$", ended.out, re.M)
    assert "A timer takes" in ended.out


def test_a_line_that_seldom_runs_is_told_from_one_that_never_does(tmp_path: Path, url: str) -> None:
    file = tmp_path / "seldom.lua"
    file.write_text("if ARGV[1] == '7' then\n  return 1\nend\nreturn 2\n")
    ended = piped("profile", str(file), "--arg", "{n}", "--repeat", "30", "--url", url)
    assert re.search(r" <0\.1    2 │   return 1$", ended.out, re.M)


def test_stacks_and_a_flame_graph(script: Path, url: str, tmp_path: Path) -> None:
    stacks, svg = tmp_path / "stacks.txt", tmp_path / "flames.svg"
    words = ("--key", "k", "--repeat", "3", "--url", url)
    written = ("--stacks", str(stacks), "--svg", str(svg))
    assert piped("profile", str(script), *words, *written).code == 0
    found = dict(line.rsplit(" ", 1) for line in stacks.read_text().splitlines())
    assert f"{script};{script}:16;SET" in found
    assert f"{script};{script}:11;add;{script}:3" in found
    assert all(int(each) > 0 for each in found.values())
    titles = [each.text for each in ElementTree.parse(svg).iter() if each.tag.endswith("title")]
    assert any(title and title.startswith("SET: ") for title in titles)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="Linux has it")
def test_a_file_that_cannot_be_written_is_named(url: str) -> None:
    ended = piped("profile", "-e", "return 1", "--url", url, "--stacks", "/dev/full")
    why = "glide-scripts: /dev/full: No space left on device\n"
    assert (ended.code, ended.err) == (2, why)
    # The figures so far are shown.
    assert ended.out.startswith("-e: ")


def test_a_narrow_frame_of_a_line_has_its_number(script: Path, url: str, tmp_path: Path) -> None:
    svg = tmp_path / "flames.svg"
    words = ("--key", "k", "--repeat", "3", "--url", url, "--svg", str(svg))
    assert piped("profile", str(script), *words).code == 0
    shown = {each.text for each in ElementTree.parse(svg).iter() if each.tag.endswith("text")}
    # A path does not fit into the frame of a line that takes a tenth of the time.
    assert shown & {"10", "hot.lua:10"}
    assert not any(each and each.endswith("…") for each in shown)


def test_included_files_have_their_own_lines(tmp_path: Path, url: str) -> None:
    (tmp_path / "lib.lua").write_text("local function one()\n  return 1\nend\n")
    (tmp_path / "main.lua").write_text('--@include "lib.lua"\nreturn one()\n')
    figures = profile(tmp_path / "main.lua", "--repeat", "2", "--url", url)
    places = [(Path(each["file"]).name, each["line"]) for each in figures["lines"]]
    assert places == [("lib.lua", 1), ("lib.lua", 2), ("main.lua", 2)]


def test_a_workload_is_a_file_of_calls(tmp_path: Path, url: str, live_server: ValkeyServer) -> None:
    file, calls = tmp_path / "push.lua", tmp_path / "calls.jsonl"
    file.write_text("return redis.call('RPUSH', KEYS[1], unpack(ARGV))\n")
    calls.write_text(
        '{"keys": ["list"], "args": ["a"]}\n\n{"keys": ["list"], "args": [1, "{n}"]}\n'
    )
    figures = profile(file, "--workload", str(calls), "--repeat", "2", "--url", url)
    assert figures["calls"] == 4
    # The first call is not counted.
    assert live_server.command("LRANGE", "list", "0", "-1") == [
        *(b"a", b"a", b"1", b"2", b"a", b"1", b"4"),
    ]


def test_a_workload_has_numbers_as_they_are_written_and_any_bytes(
    tmp_path: Path, url: str, live_server: ValkeyServer
) -> None:
    file, calls = tmp_path / "push.lua", tmp_path / "calls.jsonl"
    file.write_text("return redis.call('RPUSH', KEYS[1], unpack(ARGV))\n")
    # 0xFF {n}
    calls.write_text(
        '{"keys": [{"$base64": "/w=="}], "args": [1e3, 1.50, {"$base64": "/3tufQ=="}]}'
    )
    assert profile(file, "--workload", str(calls), "--url", url)["calls"] == 1
    assert live_server.command("LRANGE", b"\xff", "3", "-1") == [b"1e3", b"1.50", b"\xff1"]


def test_on_data_of_its_own(script: Path, tmp_path: Path) -> None:
    script.write_text("return redis.call('LPOP', KEYS[1]) and 1 or error('empty')")
    words = ("--key", "list", "--repeat", "2", "--data")
    assert piped("profile", str(script), *words, '{"list": ["a", "b", "c"]}').code == 0


def test_a_script_that_fails_says_where(script: Path, url: str) -> None:
    script.write_text("local a\nreturn a.b")
    ended = piped("profile", str(script), "--url", url)
    assert (ended.code, ended.out) == (1, "")
    assert ended.err.startswith(f"glide-scripts: {script}:2: ")


@pytest.mark.parametrize(
    ("fails", "said"),
    [
        ("error('third\\n of ' .. ARGV[1])", "{script}:6: third  of <secret>"),
        ("redis.call('LPUSH', KEYS[1], 'x')", "{script}:6: WRONGTYPE Operation against a key "),
        ("return redis.error_reply('THIRD of all')", "{script}: THIRD of all"),
    ],
    ids=["raised", "of a command", "returned"],
)
@pytest.mark.needs("error codes")
def test_calls_that_fail_are_counted_and_the_first_one_s_error_is_shown(
    script: Path, fails: str, said: str, url: str
) -> None:
    script.write_text(
        "--@key k\n--@arg token: str\n--@secret token\n"
        "local function fail()\n  pcall(error, 'inner')\n"
        f"  {fails}\nend\n"
        "if redis.call('INCR', KEYS[1]) == 3 then return fail() end\nreturn 1\n"
    )
    words = ("--key", "k", "--arg", "hunter2", "--repeat", "4", "--url", url)
    ended = piped("profile", str(script), *words)
    assert ended.code == 1
    said = said.replace("{script}", str(script))
    assert ended.err.startswith(f"glide-scripts: 1 of 4 calls failed; the first one: {said}")
    assert ended.err.count("\n") == 1
    assert f"{script}: 4 calls" in ended.out


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (("--workload", "none.jsonl"), "none.jsonl: No such file"),
        (("--svg", "none/flames.svg"), "glide-scripts: --svg: there is no folder none"),
        (("--key", "{rand:0}"), r"\{rand:0\} is not a random number"),
        (("--workload", "calls.jsonl", "--key", "k"), "it cannot be combined with --key and --arg"),
    ],
)
def test_wrong_usage_is_refused(script: Path, words: tuple[str, ...], why: str) -> None:
    ended = piped("profile", str(script), *words)
    assert ended.code == 2
    assert re.search(why, ended.err)


@pytest.mark.parametrize(
    "line",
    [
        "[1]",
        "{",
        '{"key": "k"}',
        '{"keys": [null]}',
        '{"keys": [true]}',
        '{"args": [{"$base64": "="}]}',
    ],
)
def test_a_line_of_a_workload_that_is_no_call_is_named(
    script: Path, tmp_path: Path, line: str
) -> None:
    calls = tmp_path / "calls.jsonl"
    calls.write_text(f'{{"keys": ["k"]}}\n{line}\n')
    ended = piped("profile", str(script), "--workload", str(calls))
    assert ended.code == 2
    assert ended.err.startswith(f"glide-scripts: {calls}:2: ")


def test_timers_keep_the_lines() -> None:
    timed = with_timers(SCRIPT.encode())
    assert timed is not None
    assert len(timed.code.splitlines()) == len(SCRIPT.splitlines()) + 2
    assert [name for name, _ in timed.functions] == ["add"]


def test_deep_calls_have_a_flame_graph_too(tmp_path: Path, url: str) -> None:
    file, svg = tmp_path / "deep.lua", tmp_path / "deep.svg"
    file.write_text(
        "local function deep(n)\n  if n > 0 then\n    return 1 + deep(n - 1)\n  end\n"
        "  return 0\nend\nreturn deep(1500)\n"
    )
    figures = profile(file, "--repeat", "1", "--url", url, "--svg", str(svg))
    assert {each["line"]: each["count"] for each in figures["lines"]}[3] == 1500
    assert ElementTree.parse(svg).getroot().tag.endswith("svg")


def test_a_script_without_room_for_timers_says_so(tmp_path: Path, url: str) -> None:
    file = tmp_path / "full.lua"
    file.write_text(f"local {', '.join(f'v{number}' for number in range(200))}\nreturn 1\n")
    ended = piped("profile", str(file), "--url", url)
    assert (ended.code, ended.out) == (1, "")
    assert "full.lua: it cannot be profiled, because with timers added " in ended.err
    assert "200 local variables" in ended.err


def test_a_server_without_a_clock_is_named(
    script: Path, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # As Redis 6.2 refuses it.
    refused = "error(\"Script attempted to access nonexistent global variable 'os'\")"
    monkeypatch.setattr(_timers, "_SCRIPT", _timers._SCRIPT.replace("os.clock", refused))
    ended = piped("profile", str(script), "--key", "k", "--url", url)
    why = "scripts of this server have no clock, so they cannot be profiled; Redis 7.2"
    assert (ended.code, ended.err.count("\n")) == (1, 1)
    assert ended.err.startswith(f"glide-scripts: {script}: {why}")


def interrupt(profiling: subprocess.Popen[bytes], _: ValkeyServer) -> None:
    profiling.send_signal(signal.SIGINT)


def kill(_: subprocess.Popen[bytes], server: ValkeyServer) -> None:
    server.kill()


@pytest.mark.parametrize(
    ("end", "codes", "said"),
    # The last call's outcome is unknown, or it found no server.
    [(interrupt, {130}, "interrupted\n"), (kill, {1, 2}, "")],
    ids=["Ctrl-C", "a server that is gone"],
)
def test_what_ends_it_early_shows_the_figures_so_far(
    tmp_path: Path,
    end: Callable[[subprocess.Popen[bytes], ValkeyServer], None],
    codes: set[int],
    said: str,
) -> None:
    file, stacks = tmp_path / "count.lua", tmp_path / "stacks.txt"
    file.write_text("return redis.call('INCR', KEYS[1])\n")
    words = ("--key", "n", "--repeat", "1000000000", "--stacks", str(stacks))
    with ValkeyServer() as server:
        profiling = start("profile", str(file), *words, "--url", server.url)
        # Ten calls or more.
        block_until(lambda: server.command("STRLEN", "n") not in (0, 1))
        end(profiling, server)
        out, err = profiling.communicate(timeout=300)
    assert profiling.returncode in codes
    assert re.match(rf"{re.escape(str(file))}: [\d,]+ calls?, ".encode(), out)
    assert err.decode().startswith(f"glide-scripts: {said}")
    assert ";INCR " in stacks.read_text()


def test_a_string_may_have_any_escape(tmp_path: Path, url: str) -> None:
    file = tmp_path / "escape.lua"
    file.write_text("local text = '1\\.5'\nreturn text:match('^\\d')\n")
    assert [each["line"] for each in profile(file, "--repeat", "1", "--url", url)["lines"]] == [
        1,
        2,
    ]


def test_what_a_script_is_given_outside_of_functions_is_there(tmp_path: Path, url: str) -> None:
    file = tmp_path / "dots.lua"
    file.write_text("local count = select('#', ...)\nreturn count\n")
    assert profile(file, "--repeat", "1", "--url", url)["failed"] == 0
