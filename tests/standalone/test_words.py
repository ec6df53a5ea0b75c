"""A script runs once, whatever error it returns; a script that is refused has not run."""

from __future__ import annotations

import asyncio
import itertools
import re
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, TypeAlias

import pytest
from tests.conftest import Connect
from tests.filter_proxy import filter_proxy
from tests.servers.table import has
from tests.waiting import until

from glide_scripts import (
    Batch,
    ConnectionError,
    ExecAbortError,
    GlideClient,
    GlideClientConfiguration,
    GlideError,
    NodeAddress,
    RequestError,
    Script,
    ScriptError,
    ServerCredentials,
    TimeoutError,
)
from glide_scripts.testing import ValkeyServer
from glide_scripts.testing._slots import key_slot

WORDINGS = Path(__file__).parents[2] / "rust" / "core" / "tests" / "wordings"
_unseen = itertools.count()


def unseen(code: str) -> Script:
    """A script that no server has met."""
    return Script(f"{code} -- {next(_unseen)} of test_words")


Call: TypeAlias = Callable[[GlideClient, Script, list[str], list[str]], Awaitable[object]]


async def alone(client: GlideClient, script: Script, keys: list[str], args: list[str]) -> object:
    return await client.invoke_script(script, keys=keys, args=args)


async def in_pipeline(
    client: GlideClient, script: Script, keys: list[str], args: list[str]
) -> object:
    return await client.exec(Batch(False).invoke_script(script, keys, args), raise_on_error=True)


async def in_transaction(
    client: GlideClient, script: Script, keys: list[str], args: list[str]
) -> object:
    return await client.exec(Batch(True).invoke_script(script, keys, args), raise_on_error=True)


async def after_watch(
    client: GlideClient, script: Script, keys: list[str], args: list[str]
) -> object:
    for _ in range(4):
        await client.watch(["watched"])
        replies = await in_transaction(client, script, keys, args)
        if replies is not None:
            return replies
        # The server refused this form of the script, which ended the watch. Another one is next.
    raise AssertionError("the transaction never comes to its end")


async def one_of_many(
    client: GlideClient, script: Script, keys: list[str], args: list[str]
) -> object:
    return [reply async for reply in client.invoke_script_many(script, [(keys, args)])]


async def as_custom_command(
    client: GlideClient, script: Script, keys: list[str], args: list[str]
) -> object:
    words: list[str | bytes] = ["eval", script.code, str(len(keys)), *keys, *args]
    return await client.custom_command(words)


async def as_custom_command_in_pipeline(
    client: GlideClient, script: Script, keys: list[str], args: list[str]
) -> object:
    batch = Batch(False).custom_command([b"EVAL", script.code, str(len(keys)), *keys, *args])
    return await client.exec(batch, raise_on_error=True)


CALLS = [
    alone,
    in_pipeline,
    in_transaction,
    after_watch,
    one_of_many,
    as_custom_command,
    as_custom_command_in_pipeline,
]


async def failure(call: Awaitable[object]) -> Any:
    """The error that a call ends in."""
    with pytest.raises(GlideError) as caught:
        await call
    return caught.value


@pytest.fixture(params=["all rights", "no right to load"])
async def script_client(
    request: pytest.FixtureRequest, own_server: ValkeyServer, connect: Connect
) -> GlideClient:
    """Of a user who may do all, and of one who may not load a script ahead of its call."""
    rights = ["~*", "&*", "+@all", *(["-script"] if request.param != "all rights" else [])]
    own_server.command("ACL", "SETUSER", "app", "on", ">pw", *rights)
    client = await connect(
        own_server, credentials=ServerCredentials("pw", "app"), request_timeout=1000
    )
    # The client learns what it may not do.
    await client.exec(Batch(False).invoke_script(unseen("return 1")).ping(), raise_on_error=True)
    return client


OWN_WORDS = [
    "NOPERM not yours",
    "NOPERM User bob has no permissions",
    "NOPERM User bob has no permissions to run the 'set' command",
    "NOPERM User carol has no permissions to run the 'evalsha' command",
    "NOPERM User carol has no permissions to run the 'eval' command",
    "NOPERM this user has no permissions to run the 'set' command or its subcommand",
    "CLUSTERDOWN Hash slot not served yet, says my app",
    "MOVED 3 items to the basket",
    "MOVED 3 127.0.0.1:1",
    "ASK 5 friends",
    "ASK 5 127.0.0.1:1",
    "NOSCRIPT",
    "TRYAGAIN Multiple keys request during rehashing of slots",
    "LOADING Redis is loading the dataset in memory again",
    "BUSY Valkey is busy running a script",
    "READONLY You can't write against a read only replica",
    "READONLY You can't write against a read only replica. script: it is",
    "READONLY Can not run script with write flag",
    "NOREPLICAS Not enough good replicas to write",
    "ERR unknown command 'get', with args beginning with: 'a' ",
    "ERR wrong number of arguments for 'get' command",
    "ERR Error compiling script of mine",
    "EXECABORT Transaction discarded",
    "NOAUTH Authentication required",
]


def servers_lines() -> set[str]:
    """All that the recorded servers have said themselves."""
    lines = set()
    for file in WORDINGS.glob("*.tsv"):
        for row in file.read_text().splitlines()[1:]:
            _, _, _, line, ran, _ = row.split("\t")
            if ran != "yes":
                lines.add(line.encode().decode("unicode_escape"))
    assert lines
    return lines


def almost_servers_lines() -> Iterator[str]:
    """The same, with a word more, or with a letter less."""
    for line in sorted(servers_lines()):
        yield f"{line}, says my app"
        yield line[:-1]


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize(
    "code",
    [
        pytest.param("", id="plain"),
        pytest.param("#!lua\n", id="flagged", marks=pytest.mark.needs("script flags")),
    ],
)
async def test_a_script_of_its_own_words_runs_once_and_says_so(
    script_client: GlideClient, call: Call, code: str
) -> None:
    for count, words in enumerate([*OWN_WORDS, *almost_servers_lines()], 1):
        script = unseen(code + "redis.call('INCR', KEYS[1]) return redis.error_reply(ARGV[1])")
        error = await failure(call(script_client, script, ["n"], [words]))
        assert await script_client.get("n") == b"%d" % count, words
        assert error.may_have_executed is True, words


@pytest.mark.every_server
@pytest.mark.parametrize("call", CALLS)
async def test_what_this_server_has_no_reason_to_say_is_the_script_s_own(
    script_client: GlideClient, call: Call
) -> None:
    for count, words in enumerate(
        [
            "CLUSTERDOWN Hash slot not served",
            "CLUSTERDOWN The cluster is down",
            "CLUSTERDOWN The cluster is down and only accepts read commands",
            "TRYAGAIN Multiple keys request during rehashing of slot",
            "CROSSSLOT Keys in request don't hash to the same slot",
            f"MOVED {key_slot('n')} 127.0.0.1:1",
            f"ASK {key_slot('n')} 127.0.0.1:1",
            "ERR Can not run script on cluster, 'no-cluster' flag is set.",
            "ERR Can not execute a script with write flag using *_ro command.",
            "ERR Number of keys can't be greater than number of args",
            "ERR wrong number of arguments for 'evalsha' command",
            "OOM allow-oom flag is not set on the script, can not run it when used memory > "
            "'maxmemory'",
        ],
        1,
    ):
        script = unseen("redis.call('INCR', KEYS[1]) return redis.error_reply(ARGV[1])")
        error = await failure(call(script_client, script, ["n", "another"], [words]))
        assert await script_client.get("n") == b"%d" % count, words
        assert error.may_have_executed is True, words


def made_up_lines() -> Iterator[str]:
    """What a server says, also of the very call that a script answers with it."""
    yield from sorted(servers_lines())
    slot = key_slot("n")
    yield from (f"{code} {slot} 127.0.0.1:1" for code in ("MOVED", "ASK"))
    for command in ("evalsha", "eval"):
        yield f"NOPERM User app has no permissions to run the '{command}' command"
        yield f"NOPERM this user has no permissions to run the '{command}' command"
        yield f"ERR wrong number of arguments for '{command}' command"
    read_only = "READONLY You can't write against a read only replica."
    yield f"{read_only} script: 1234, on @user_script:1."
    yield f"ERR Error running script (call to f_1): @user_script:1: @user_script: 1: -{read_only}"


@pytest.mark.every_server
@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize(
    "code",
    [
        pytest.param("", id="plain"),
        pytest.param("#!lua\n", id="flagged", marks=pytest.mark.needs("script flags")),
    ],
)
async def test_a_script_that_makes_up_a_server_s_line_runs_once_and_says_so(
    own_server: ValkeyServer, connect: Connect, call: Call, code: str
) -> None:
    """The server is asked whether it says so itself."""
    client = await connect(own_server, request_timeout=5000)
    for count, words in enumerate(made_up_lines(), 1):
        script = unseen(code + "redis.call('INCR', KEYS[1]) return redis.error_reply(ARGV[1])")
        error = await failure(call(client, script, ["n"], [words]))
        assert await client.get("n") == b"%d" % count, words
        assert error.may_have_executed is True, words


@pytest.mark.every_server
@pytest.mark.parametrize("call", CALLS)
async def test_words_that_are_not_in_the_script_are_made_up_all_the_same(
    own_server: ValkeyServer, connect: Connect, call: Call
) -> None:
    client = await connect(own_server, request_timeout=5000)
    lines = [
        "LOADING Redis is loading the dataset in memory",
        "MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.",
        "READONLY Can not run script with write flag on readonly replica",
    ]
    for count, words in enumerate(lines, 1):
        await client.set("words", words)
        script = unseen(
            "redis.call('INCR', KEYS[1]) return redis.error_reply(redis.call('GET', 'words'))"
        )
        error = await failure(call(client, script, ["n"], []))
        assert await client.get("n") == b"%d" % count, words
        assert error.may_have_executed is True, words


@pytest.mark.needs("commands of Redis 7")
async def test_a_command_s_words_that_are_also_eval_s_are_the_script_s_own(
    client: GlideClient,
) -> None:
    script = unseen("redis.call('INCR', KEYS[1]) return redis.pcall('SINTERCARD', 2, KEYS[1])")
    error = await failure(client.invoke_script(script, ["n"]))
    assert "greater than number of args" in str(error)
    assert error.may_have_executed is True


async def test_so_does_each_of_more_scripts_than_a_server_keeps(
    server: ValkeyServer, connect: Connect
) -> None:
    client = await connect(server, request_timeout=2000)
    for words in ("NOPERM not yours", "CLUSTERDOWN Hash slot not served yet, says my app"):
        await client.delete(["n"])
        batch = Batch(is_atomic=False)
        for _ in range(600):
            batch.invoke_script(
                unseen("redis.call('INCR', KEYS[1]) return redis.error_reply(ARGV[1])"),
                ["n"],
                [words],
            )
        results = await client.exec(batch, raise_on_error=False)
        assert results is not None
        assert await client.get("n") == b"600"
        for result in results:
            assert isinstance(result, RequestError)
            assert result.may_have_executed is True


@pytest.mark.parametrize("is_atomic", [None, True, False])
@pytest.mark.needs("functions")
async def test_a_function_of_its_own_words_runs_once_and_says_so(
    client: GlideClient, is_atomic: bool | None
) -> None:
    await client.function_load(
        "#!lua name=words\n"
        "redis.register_function('say', function(keys, args)"
        " redis.call('INCR', keys[1]) return redis.error_reply(args[1]) end)",
        replace=True,
    )
    for count, words in enumerate([*OWN_WORDS, *almost_servers_lines()], 1):
        if is_atomic is None:
            error = await failure(client.fcall("say", ["n"], [words]))
        else:
            error = await failure(client.exec(Batch(is_atomic).fcall("say", ["n"], [words]), True))
        assert await client.get("n") == b"%d" % count, words
        assert error.may_have_executed is True, words


# What a script relays of a command of its own


SAYS = "redis.log(redis.LOG_WARNING, 'begun ' .. ARGV[1]) "


def begun(server: ValkeyServer, name: str) -> int:
    """How many times a script that says so has begun."""
    return len(re.findall(rf"\bbegun {name}\b", server.log))


RESTRICTIONS = {
    "NOREPLICAS": ("CONFIG", "SET", "min-replicas-to-write", "1"),
    "OOM": ("CONFIG", "SET", "maxmemory", "1"),
    "READONLY": ("REPLICAOF", "127.0.0.1", "1"),
}


def restricted_calls() -> Iterator[object]:
    """Each kind of call under each restriction, where the server lets its script begin."""
    for call, code in itertools.product(CALLS, RESTRICTIONS):
        queues = code == "OOM" and call in (in_transaction, after_watch)
        marks = [pytest.mark.needs("queueing without memory")] if queues else []
        yield pytest.param(call, code, marks=marks, id=f"{call.__name__}-{code}")


@pytest.mark.parametrize(("call", "code"), [*restricted_calls()])
async def test_a_script_that_relays_a_command_s_refusal_has_begun_once(
    script_client: GlideClient, own_server: ValkeyServer, call: Call, code: str
) -> None:
    own_server.command(*RESTRICTIONS[code])
    for number, line in enumerate(
        [
            "return redis.pcall('SET', KEYS[1], 'v')",
            "redis.call('PUBLISH', 'c', 'm') return redis.call('SET', KEYS[1], 'v')",
        ]
    ):
        error = await failure(until_it_runs(call, script_client, SAYS + line, [f"a{number}"]))
        assert error.may_have_executed is True, line
        assert begun(own_server, f"a{number}") == 1


@pytest.mark.parametrize("call", CALLS)
async def test_what_is_published_by_a_command_of_any_name_is_published_once_on_a_replica(
    script_client: GlideClient, own_server: ValkeyServer, call: Call
) -> None:
    own_server.command("REPLICAOF", "127.0.0.1", "1")
    for line in (
        "redis.call(ARGV[2], 'c', 'm') redis.call('SET', KEYS[1], 'v')",
        "redis.call('pub' .. 'lish', 'c', 'm') redis.call('SET', KEYS[1], 'v')",
        "local call = redis.call call('\\80UBLISH', 'c', 'm') call('SET', KEYS[1], 'v')",
        "loadstring(\"redis.call('pub' .. 'lish', 'c', 'm')\")() redis.call('SET', KEYS[1], 'v')",
    ):
        own_server.command("CONFIG", "RESETSTAT")
        error = await failure(until_it_runs(call, script_client, line, ["a", "PUBLISH"]))
        stats = own_server.command("INFO", "commandstats")
        assert isinstance(stats, bytes)
        assert b"cmdstat_publish:calls=1," in stats, line
        assert error.may_have_executed is True, line


async def until_it_runs(call: Call, client: GlideClient, code: str, args: list[str]) -> object:
    # The client leaves a server that turns out to be a replica. With its connection goes a watch.
    while (reply := await call(client, unseen(code), ["k"], args)) is None:
        pass
    return reply


# What a server refuses before a script begins


@asynccontextmanager
async def once(
    condition: Callable[[], object | Awaitable[object]], then: Callable[[], object]
) -> AsyncIterator[None]:
    """Does `then` while the body runs, as soon as a condition holds."""

    async def wait_and_do() -> None:
        await until(condition)
        await asyncio.to_thread(then)

    task = asyncio.create_task(wait_and_do())
    yield
    await task


COUNTS = SAYS + "return redis.call('INCR', KEYS[1])"
FLAGGED = "#!lua\n" + COUNTS


def refusals(server: ValkeyServer, code: str) -> int:
    stats = server.command("INFO", "errorstats")
    assert isinstance(stats, bytes)
    found = re.search(rb"errorstat_%s:count=(\d+)" % code.encode(), stats)
    return int(found[1]) if found else 0


PASSING = {
    "NOREPLICAS": (RESTRICTIONS["NOREPLICAS"], ("CONFIG", "SET", "min-replicas-to-write", "0")),
    "READONLY": (RESTRICTIONS["READONLY"], ("REPLICAOF", "NO", "ONE")),
}


@pytest.mark.parametrize("call", [call for call in CALLS if call is not after_watch])
@pytest.mark.parametrize("code", PASSING)
@pytest.mark.needs("script flags")
async def test_what_passes_by_itself_is_waited_for(
    own_server: ValkeyServer, connect: Connect, call: Call, code: str
) -> None:
    client = await connect(own_server, request_timeout=5000)
    begin, end = PASSING[code]
    own_server.command(*begin)
    # The server refused the call, and the client's question about it.
    async with once(lambda: refusals(own_server, code) > 1, lambda: own_server.command(*end)):
        assert await call(client, unseen(FLAGGED), ["n"], ["a"]) in (1, [1])
    assert begun(own_server, "a") == 1


@pytest.mark.needs("script flags")
async def test_what_is_sent_again_asks_in_the_same_write_on_another_connection_too(
    own_server: ValkeyServer,
) -> None:
    """Asked later, a server that has become a primary no longer refuses what it refused before.

    The client leaves the connections of a replica, and gets back what it has not written there.
    """
    nothing = [b"EVAL", b"#!lua\nreturn 1"]
    scripts = [unseen(FLAGGED) for _ in range(100)]
    async with filter_proxy(own_server, lambda _: False, None) as proxy:
        config = GlideClientConfiguration([NodeAddress(port=proxy.port)], request_timeout=500)
        async with await GlideClient.create(config) as client:
            own_server.command(*RESTRICTIONS["READONLY"])
            calls = (client.invoke_script(script, keys=["n"], args=["a"]) for script in scripts)
            errors = await asyncio.gather(*calls, return_exceptions=True)
    assert {type(error) for error in errors} == {TimeoutError}
    unasked = Counter(
        command[1]
        for before, command in itertools.pairwise(proxy.seen)
        if command[:1] == [b"EVAL"] and command[:2] != nothing and before[:2] != nothing
    )
    # Once each: what was refused for the first time was not asked about yet.
    assert max(unasked.values()) == 1


@pytest.mark.parametrize("code", PASSING)
@pytest.mark.parametrize("is_atomic", [None, True, False])
@pytest.mark.needs("functions")
async def test_a_function_waits_for_it_too(
    own_server: ValkeyServer, connect: Connect, code: str, is_atomic: bool | None
) -> None:
    client = await connect(own_server, request_timeout=5000)
    own_server.command(
        "FUNCTION",
        "LOAD",
        "#!lua name=counting\nredis.register_function('bump', function(keys, ARGV) "
        + SAYS
        + "return redis.call('INCR', keys[1]) end)",
    )
    begin, end = PASSING[code]
    own_server.command(*begin)
    # The server refused the call, and the client's question about it.
    async with once(lambda: refusals(own_server, code) > 1, lambda: own_server.command(*end)):
        if is_atomic is None:
            assert await client.fcall("bump", ["n"], ["a"]) == 1
        else:
            batch = Batch(is_atomic).fcall("bump", ["n"], ["a"])
            assert await client.exec(batch, raise_on_error=True) == [1]
    assert begun(own_server, "a") == 1


@pytest.mark.parametrize("call", [call for call in CALLS if call is not after_watch])
@pytest.mark.parametrize("code", PASSING)
@pytest.mark.needs("script flags")
async def test_what_does_not_pass_until_the_deadline_has_not_run(
    own_server: ValkeyServer, connect: Connect, call: Call, code: str
) -> None:
    client = await connect(own_server, request_timeout=1500)
    own_server.command(*PASSING[code][0])
    error = await failure(call(client, unseen(FLAGGED), ["n"], ["a"]))
    assert isinstance(error, TimeoutError)
    if "no reply from the server" in str(error):
        # On a busy machine, the last refusal may be late. Then nobody knows that it was one.
        assert error.may_have_executed is True
    else:
        assert code in str(error)
        assert error.may_have_executed is False
    assert begun(own_server, "a") == 0


@pytest.mark.parametrize("code", PASSING)
@pytest.mark.needs("script flags")
async def test_a_transaction_with_a_watch_is_not_sent_again_and_has_not_run(
    own_server: ValkeyServer, connect: Connect, code: str
) -> None:
    # The refused transaction has ended the watch; without the watch it would be another
    # transaction.
    client = await connect(own_server)
    await client.watch(["watched"])
    own_server.command(*PASSING[code][0])
    error = await failure(in_transaction(client, unseen(FLAGGED), ["n"], ["a"]))
    assert isinstance(error, ExecAbortError)
    assert code in str(error)
    assert error.may_have_executed is False
    assert begun(own_server, "a") == 0


BAD_CODE = {
    "syntax": "return (",
    "engine": "#!nosuch\nreturn 1",
    "no engine": "#!\nreturn 1",
    "flag": "#!lua flags=nosuch\nreturn 1",
    "option": "#!lua nosuch=1\nreturn 1",
    "first line alone": "#!lua",
}


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("kind", BAD_CODE)
async def test_code_that_no_server_can_run_has_not_run(
    script_client: GlideClient, call: Call, kind: str
) -> None:
    # A comment would change this line, which the script quotes.
    for _ in range(2):
        error = await failure(call(script_client, Script(BAD_CODE[kind]), ["n"], ["a"]))
        assert error.may_have_executed is False
        assert type(error) is not ScriptError


RIGHTS = {
    "a key": ["~mine:*", "&*", "+@all"],
    "scripts": ["~*", "&*", "+@all", "-@scripting"],
    "writing": ["%R~*", "~watched", "&*", "+@all"],
}


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize(
    "right",
    [
        "a key",
        "scripts",
        pytest.param("writing", marks=pytest.mark.needs("finer rights")),
    ],
)
async def test_what_the_user_has_no_right_to_has_not_run(
    own_server: ValkeyServer, connect: Connect, call: Call, right: str
) -> None:
    own_server.command("ACL", "SETUSER", "app", "on", ">pw", *RIGHTS[right])
    client = await connect(
        own_server, credentials=ServerCredentials("pw", "app"), request_timeout=1000
    )
    for code in (*([FLAGGED] if has("script flags") else []), COUNTS):
        script = unseen(code)
        own_server.command("SCRIPT", "LOAD", script.code)
        for _ in range(2):
            error = await failure(call(client, script, ["n"], ["a"]))
            assert error.code in ("NOPERM", "EXECABORT")
            assert error.may_have_executed is False
            assert type(error) is not ScriptError
    assert begun(own_server, "a") == 0


@pytest.mark.parametrize("call", CALLS)
async def test_a_flagged_script_has_not_run_without_memory(
    own_server: ValkeyServer, connect: Connect, call: Call
) -> None:
    client = await connect(own_server, request_timeout=1000)
    own_server.command(*RESTRICTIONS["OOM"])
    error = await failure(call(client, unseen(FLAGGED), ["n"], ["a"]))
    assert error.may_have_executed is False
    assert type(error) is not ScriptError
    assert begun(own_server, "a") == 0


# Commands that load, and run nothing


@pytest.mark.needs("finer rights")
async def test_a_load_that_is_refused_runs_nothing(
    own_server: ValkeyServer, connect: Connect
) -> None:
    own_server.command("ACL", "SETUSER", "app", "on", ">pw", "~*", "+@all", "-script|load")
    forbidden = await connect(own_server, credentials=ServerCredentials("pw", "app"))
    error = await failure(forbidden.script_load(unseen("return 1")))
    assert error.may_have_executed is False
    client = await connect(own_server)
    for code in BAD_CODE.values():
        error = await failure(client.script_load(Script(code)))
        assert error.may_have_executed is False


@pytest.mark.parametrize("ending", ["lost", "deadline"])
async def test_a_load_without_an_answer_runs_nothing(
    own_server: ValkeyServer, connect: Connect, ending: str
) -> None:
    client = await connect(own_server, request_timeout=500 if ending == "deadline" else 2000)
    own_server.pause()
    running = asyncio.ensure_future(client.script_load(unseen("return 1")))
    if ending == "lost":
        # It was sent in the meantime, which makes no difference.
        own_server.kill()
    error = await failure(running)
    assert isinstance(error, (TimeoutError, ConnectionError))
    assert error.may_have_executed is False
    if ending == "deadline":
        own_server.resume()
