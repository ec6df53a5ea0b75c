"""``glide-scripts bench``, its histogram and its pictures."""

import asyncio
import json
import math
import os
import re
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.cli.terminal import CTRL_C, at_terminal, piped
from tests.waiting import until

from glide_scripts import GlideClient, Script
from glide_scripts.cli._callee import Callee
from glide_scripts.cli._chart import rows, svg, time_text
from glide_scripts.cli._histogram import Histogram
from glide_scripts.cli._origin import Origin
from glide_scripts.cli._workload import Plan, Template, Workload
from glide_scripts.testing import ValkeyServer


@pytest.fixture
def script(tmp_path: Path) -> Path:
    file = tmp_path / "seen.lua"
    file.write_text("redis.call('INCR', 'calls') return redis.call('SADD', KEYS[1], ARGV[1])")
    return file


def test_figures_and_a_histogram_are_printed(script: Path, url: str) -> None:
    ended = piped("bench", str(script), "--key", "k", "--arg", "1", "--calls", "200", "--url", url)
    assert (ended.code, ended.err) == (0, "")
    assert re.search(
        r"^200 calls in \d+\.\d s: [\d,]+ per second, 50 in flight, 1 client$", ended.out, re.M
    )
    assert re.search(r"^ +min +mean +p50 +p90 +p99 +p99\.9 +max$", ended.out, re.M)
    assert re.search(r"^ +[\d.]+ [µm]s  █\S* +\d+ +[\d.]+ %$", ended.out, re.M)
    assert "100.00 %" in ended.out
    # There is no live display. Only the line with the file's path may be wider than a terminal.
    assert "\x1b" not in ended.out
    assert max(map(len, ended.out.splitlines()[1:])) <= 80


def test_it_has_a_server_or_a_cluster_of_its_own(script: Path) -> None:
    words = ("bench", str(script), "--key", "k", "--arg", "{n}", "--calls", "10")
    script.write_text("return redis.call('SADD', KEYS[1], ARGV[1])")
    assert piped(*words).code == 0
    assert piped(*words, "--cluster", "--clients", "2").code == 0


def test_json_has_every_call(script: Path, url: str, live_server: ValkeyServer) -> None:
    words = ("bench", str(script), "--key", "k", "--arg", "1", "--url", url, "--json")
    ended = piped(*words, "--calls", "300", "--concurrency", "7", "--clients", "3")
    figures = json.loads(ended.out)
    assert (ended.code, figures["calls"], figures["errors"]) == (0, 300, {})
    assert (figures["concurrency"], figures["clients"], figures["rate"]) == (7, 3, None)
    assert sum(count for _, count in figures["histogram_us"]) == 300
    latency = figures["latency_us"]
    order = [latency[name] for name in ("min", "p50", "p90", "p99", "p99.9", "max")]
    assert order == sorted(order)
    assert latency["min"] > 0
    # One call is made before the others.
    assert live_server.command("GET", "calls") == b"301"


def test_placeholders_make_calls_differ(script: Path, url: str, live_server: ValkeyServer) -> None:
    words = ("bench", str(script), "--key", "{tag}:{rand:3}", "--arg", "{n}", "--url", url)
    assert piped(*words, "--calls", "200").code == 0
    keys = live_server.command("KEYS", "{tag}*")
    assert isinstance(keys, list)
    assert {*keys} == {b"{tag}:0", b"{tag}:1", b"{tag}:2"}
    members = live_server.command("SUNION", *(key for key in keys if isinstance(key, bytes)))
    assert isinstance(members, list)
    assert {*members} == {b"%d" % number for number in range(201)}


@pytest.mark.parametrize("text", ["{}", "{N}", "{rand}", "{rand 3}", "{a}:b"])
def test_other_braces_stay_as_they_are(text: str) -> None:
    assert Template(text.encode()).fill(7) == text.encode()


@pytest.mark.parametrize("text", ["{rand:0}", "a:{rand:x}", "{n}{rand:}"])
def test_a_random_number_below_nothing_is_refused(text: str, script: Path) -> None:
    ended = piped("bench", str(script), "--key", text)
    assert (ended.code, ended.out, ended.err.count("\n")) == (2, "", 1)
    assert "--key" in ended.err
    assert "is not a random number; write {rand:1000}" in ended.err


def test_braces_around_a_placeholder_make_a_hash_tag() -> None:
    assert Template(b"{{n}}:cart").fill(7) == b"{7}:cart"


def plan(**settings: float) -> Plan:
    return Plan(Callee(Origin("-e", None), Script("return 1")), [], [], concurrency=1, **settings)  # type: ignore[arg-type]


async def stalled(server: ValkeyServer, workload: Workload, seconds: float) -> None:
    """The workload, on a server that stands still from its start for that many seconds."""
    await workload.first_call(10_000)
    server.pause()
    try:
        running = asyncio.ensure_future(workload.run())

        def is_over() -> bool:
            workload.tick()
            return workload.result.elapsed > seconds

        await until(is_over)
    finally:
        server.resume()
    await running


async def test_a_rate_counts_latency_from_when_calls_should_have_begun(
    own_server: ValkeyServer,
) -> None:
    async with await GlideClient.from_url(f"{own_server.url}?timeout=30000") as client:
        workload = Workload(plan(calls=40, rate=100.0), [client])
        await stalled(own_server, workload, 0.5)
        histogram = workload.result.histogram
        assert histogram.count == 40
        # The last one was due after 0.39 s, and the server answered after 0.5 s.
        assert histogram.min >= 0.1e9
        assert histogram.percentile(50) >= 0.3e9


async def test_without_a_rate_a_stall_shows_in_the_calls_under_way(
    own_server: ValkeyServer,
) -> None:
    async with await GlideClient.from_url(f"{own_server.url}?timeout=30000") as client:
        workload = Workload(plan(calls=40), [client])
        await stalled(own_server, workload, 0.5)
        buckets = workload.result.histogram.buckets()
        assert sum(count for least, count in buckets if least >= 0.49e9) == 1


def test_a_rate_that_is_not_reached_is_told(script: Path, url: str) -> None:
    words = ("bench", str(script), "--key", "k", "--arg", "1", "--url", url, "--duration", "0.2")
    ended = piped(*words, "--rate", "5000000")
    assert ended.code == 0
    assert re.search(
        r"^the rate was not reached: [\d,]+ calls were due and not sent", ended.out, re.M
    )
    assert "latency is measured from when each call was due" in ended.out
    assert max(map(len, ended.out.splitlines()[1:])) <= 80


def test_a_rate_that_is_reached_sends_no_more(script: Path, url: str) -> None:
    words = ("bench", str(script), "--key", "k", "--arg", "1", "--url", url, "--json")
    figures = json.loads(piped(*words, "--duration", "0.5", "--rate", "20").out)
    assert figures["calls"] == 10
    assert figures["unsent"] == 0


def test_a_script_that_fails_at_once_ends_with_1_and_its_error(script: Path, url: str) -> None:
    script.write_text("\nreturn 1 + nil")
    ended = piped("bench", str(script), "--url", url)
    assert (ended.code, ended.out) == (1, "")
    assert ended.err.startswith(f"glide-scripts: {script}:2: attempt ")
    assert "Traceback" not in ended.err
    # A script need not be UTF-8.
    script.write_bytes(b"return 1 + nil -- \xff")
    ended = piped("bench", str(script), "--url", url)
    assert ended.err.startswith(f"glide-scripts: {script}:1: attempt ")


def test_the_first_call_is_waited_for_only_so_long(
    script: Path, url: str, live_server: ValkeyServer
) -> None:
    script.write_text("while true do end")
    try:
        with at_terminal("bench", str(script), "--url", f"{url}?timeout=500") as terminal:
            terminal.see("waiting for the first call")
            terminal.see("the first call got no reply within 0.5 s")
            assert terminal.end() == 1
    finally:
        live_server.command("SCRIPT", "KILL")


def test_a_reader_that_leaves_is_no_error(script: Path, url: str) -> None:
    words = ("bench", str(script), "--key", "k", "--arg", "1", "--calls", "100", "--url", url)
    program = [sys.executable, "-m", "glide_scripts", *words]
    reading, writing = os.pipe()
    os.close(reading)
    try:
        done = subprocess.run(program, stdout=writing, stderr=subprocess.PIPE, check=False)
    finally:
        os.close(writing)
    assert (done.returncode, done.stderr) == (141, b"")


def test_calls_that_fail_are_counted(script: Path, url: str) -> None:
    script.write_text("if ARGV[1] % 2 == 1 then error('odd') end return 1")
    ended = piped("bench", str(script), "--arg", "{n}", "--calls", "100", "--url", url)
    assert ended.code == 1
    assert re.search(r"^50 failed: .*odd", ended.out, re.M)
    assert ended.err.startswith("glide-scripts: 50 of 100 calls failed; the first one: ")
    assert ended.err.count("\n") == 1


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("nope.lua",), "nope.lua: No such file"),
        (("{script}", "--url", "nowhere"), "url: it has no scheme"),
        (("{script}", "--url", "valkey://127.0.0.1:1"), "Connection refused"),
        (("{script}", "--url", "{wrong}"), "WRONGPASS"),
        (("{script}", "--svg", "/no/such/x.svg"), "--svg: there is no folder /no/such"),
        (("{script}", "--concurrency", "2", "--clients", "3"), "--clients: 3 clients are more"),
        (("{script}", "--calls", "0"), "--calls"),
        (("{script}", "--duration", "inf"), "--duration: it is "),
        (("{script}", "--rate", "inf"), "--rate: it is "),
        (
            ("{script}", "--calls", "1", "--duration", "1"),
            "--duration: it cannot be combined with --calls",
        ),
    ],
)
def test_what_cannot_be_done_ends_with_2_and_one_line(
    script: Path, words: tuple[str, ...], told: str
) -> None:
    with ValkeyServer(password="right") as server:
        wrong = server.url.replace("right", "wrong")
        given = {"{script}": str(script), "{wrong}": wrong}
        ended = piped("bench", *(given.get(word, word) for word in words))
    assert (ended.code, ended.out, ended.err.count("\n")) == (2, "", 1)
    assert ended.err.startswith("glide-scripts: ")
    assert told in ended.err


def test_at_a_terminal_it_shows_how_it_goes_and_ctrl_c_shows_the_figures(
    script: Path, url: str, tmp_path: Path
) -> None:
    picture = tmp_path / "seen.svg"
    words = ("bench", str(script), "--key", "k", "--arg", "1", "--url", url, "--duration", "60")
    with at_terminal(*words, "--svg", str(picture)) as terminal:
        terminal.see("calls/s")
        terminal.see("p99.9 ")
        terminal.see("━")
        terminal.press(CTRL_C)
        terminal.see("in flight, 1 client")
        terminal.see("█")
        terminal.see("100.00 %")
        terminal.see("glide-scripts: interrupted")
        assert terminal.end() == 130
        assert "Traceback" not in terminal.shown
    assert ElementTree.parse(picture).getroot().tag.endswith("svg")


# The histogram and its pictures


@given(st.lists(st.integers(1, 10**11), min_size=1), st.floats(0, 100))
def test_percentiles_are_exact_to_a_thousandth(values: list[int], percent: float) -> None:
    histogram = Histogram()
    for value in values:
        histogram.record(value)
    exact = sorted(values)[max(math.ceil(len(values) * percent / 100 - 1e-9), 1) - 1]
    assert exact <= histogram.percentile(percent) <= exact * 1.001
    assert (histogram.count, histogram.min, histogram.max) == (
        len(values), min(values), max(values)
    )  # fmt: skip
    assert histogram.mean == pytest.approx(sum(values) / len(values))


@given(st.lists(st.integers(1, 10**11), min_size=1), st.integers(40, 200))
def test_every_call_is_in_a_row_and_rows_are_as_wide_as_asked(
    values: list[int], width: int
) -> None:
    histogram = Histogram()
    for value in values:
        histogram.record(value)
    lines = list(rows(histogram, width))
    assert 1 <= len(lines) <= 16
    assert max(map(len, lines)) <= max(width, 40)
    assert sum(int(line.split()[-3]) for line in lines) == len(values)
    assert lines[-1].endswith("100.00 %")


@given(st.lists(st.integers(1, 10**11), min_size=1))
def test_a_picture_is_xml_within_its_frame(values: list[int]) -> None:
    histogram = Histogram()
    for value in values:
        histogram.record(value)
    root = ElementTree.fromstring(svg(histogram, "a<b>.lua", "1 & 2"))
    space = "{http://www.w3.org/2000/svg}"
    texts = [text.text for text in root.iter(f"{space}text")]
    assert texts[:2] == ["a<b>.lua", "1 & 2"]
    for percent in ("p50 ", "p90 ", "p99 ", "p99.9 "):
        assert any(text and text.startswith(percent) for text in texts)
    height, width = float(root.attrib["height"]), float(root.attrib["width"])
    bars = list(root.iter(f"{space}rect"))[1:]
    assert bars
    for bar in bars:
        assert 0 <= float(bar.attrib["x"]) < width
        assert 0 <= float(bar.attrib["y"]) < height
        assert float(bar.attrib["width"]) > 0
    for line in root.iter(f"{space}polyline"):
        numbers = [float(each) for each in re.findall(r"-?[\d.]+", line.attrib["points"])]
        assert max(numbers) <= width
        assert min(numbers) >= 0


@pytest.mark.parametrize(
    ("nanoseconds", "text"),
    [
        (0, "0 ns"),
        (999, "999 ns"),
        (83_249, "83.2 µs"),
        (999_900, "1.00 ms"),
        (1_521_000, "1.52 ms"),
        (99_960_000, "100 ms"),
        (12e9, "12.0 s"),
    ],
)
def test_times_have_three_digits(nanoseconds: float, text: str) -> None:
    assert time_text(nanoseconds) == text
