"""What an observer sees of a client and its calls."""

from __future__ import annotations

import asyncio
import logging
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from tests.conftest import Connect
from tests.waiting import until

from glide_scripts import (
    Batch,
    ClosingError,
    ConfigurationError,
    FunctionLibrary,
    GlideClient,
    GlideClientConfiguration,
    Key,
    NodeAddress,
    ObservedCall,
    Observer,
    ReplyTypeError,
    RequestError,
    Script,
    ScriptError,
    ScriptLibrary,
    TimeoutError,
    typed_script,
)
from glide_scripts._core import Client as Core
from glide_scripts.testing import ServerFaults, ValkeyServer

ADD = Script("return redis.call('INCRBY', KEYS[1], ARGV[1])", name="add")
WHO: ContextVar[str] = ContextVar("WHO", default="nobody")


class Recorder(Observer):
    """Keeps what it is called with."""

    def __init__(self) -> None:
        self.clients: list[tuple[str, Any]] = []
        self.started: list[ObservedCall] = []
        self.ended: list[ObservedCall] = []
        self.contexts: list[tuple[str, str]] = []

    def client_opened(self, client: object) -> None:
        self.clients.append(("opened", client))

    def client_closed(self, client: object) -> None:
        self.clients.append(("closed", client))

    def call_started(self, call: ObservedCall) -> None:
        self.started.append(call)
        self.contexts.append(("started", WHO.get()))
        call.state = len(self.started)

    def call_ended(self, call: ObservedCall) -> None:
        self.ended.append(call)
        self.contexts.append(("ended", WHO.get()))

    @property
    def last(self) -> ObservedCall:
        return self.ended[-1]


@pytest.fixture
def recorder() -> Recorder:
    return Recorder()


@pytest.fixture
async def observed(server: ValkeyServer, connect: Connect, recorder: Recorder) -> GlideClient:
    return await connect(server, observer=recorder)


async def test_a_script_s_call_is_told_with_its_names_and_its_way(
    server: ValkeyServer, observed: GlideClient, recorder: Recorder
) -> None:
    await observed.invoke_script(ADD, ["n"], ["1"])
    first = recorder.last
    assert (first.operation, first.name, first.sha1) == ("EVALSHA", "add", ADD.hash)
    assert first.server == first.node == (server.host, server.port)
    assert (first.database, first.batch_size) == (0, None)
    assert (first.error, first.code, first.retries) == (None, None, 0)
    assert first.eval_fallback
    assert first.duration > 0
    assert first.state == 1
    await observed.invoke_script(ADD, ["n"], ["1"])
    assert not recorder.last.eval_fallback
    assert recorder.last.node == (server.host, server.port)
    assert recorder.started == recorder.ended


@pytest.mark.needs("functions")
async def test_a_function_is_told(observed: GlideClient, recorder: Recorder) -> None:
    library = FunctionLibrary("#!lua name=shop\nredis.register_function('buy', function() end)")
    await observed.fcall(library.function("buy"))
    assert [(call.operation, call.name) for call in recorder.ended] == [("FCALL", "buy")]


async def test_every_kind_of_call_is_told(observed: GlideClient, recorder: Recorder) -> None:
    @typed_script(Script("return #KEYS", name="count", read_only=True))
    def count(key: Key) -> int:
        raise NotImplementedError

    assert await count(observed, "k") == 1
    await observed.set("k", "v")
    await observed.custom_command(["get", b"k"])
    await observed.watch(["k"])
    await observed.exec(Batch(is_atomic=True).set("k", "1").incr("k"), raise_on_error=True)
    await observed.exec(Batch(is_atomic=False).get("k").get("k"), raise_on_error=True)
    batch = Batch(is_atomic=False)
    batch.invoke_script(ADD, ["k"], ["1"])
    batch.invoke_script(ADD, ["k"], ["1"])
    await observed.exec(batch, raise_on_error=True)
    await observed.invoke_script_many(ADD, [(["n"], ["1"])] * 3)
    told = [(call.operation, call.name, call.batch_size) for call in recorder.ended]
    assert told == [
        ("EVALSHA_RO", "count", None),
        ("SET", None, None),
        ("GET", None, None),
        ("WATCH", None, None),
        ("MULTI", None, 2),
        ("PIPELINE GET", None, 2),
        ("PIPELINE EVALSHA", "add", 2),
        ("PIPELINE EVALSHA", "add", 3),
    ]


async def test_errors_are_told_by_class_and_code(observed: GlideClient, recorder: Recorder) -> None:
    await observed.set("text", "text")
    with pytest.raises(ScriptError):
        await observed.invoke_script(ADD, ["text"], ["1"])
    assert (recorder.last.error, recorder.last.code) == (ScriptError, "ERR")
    with pytest.raises(ScriptError):
        await observed.invoke_script(Script("return redis.error_reply('SOLD_OUT none left')"))
    assert recorder.last.code == "SOLD_OUT"
    results = await observed.exec(
        Batch(is_atomic=False).get("text").lpush("text", ["1"]), raise_on_error=False
    )
    assert results is not None
    assert isinstance(results[1], RequestError)
    assert (recorder.last.error, recorder.last.code) == (RequestError, "WRONGTYPE")


@typed_script(Script("return 'x'", name="words"))
def words(key: Key) -> int:
    raise NotImplementedError


async def test_a_reply_of_another_type_is_an_error(
    observed: GlideClient, recorder: Recorder
) -> None:
    with pytest.raises(ReplyTypeError):
        await words(observed, "k")
    assert (recorder.last.error, recorder.last.code) == (ReplyTypeError, None)
    batch = words.add_to(Batch(is_atomic=False).get("k"), "k")
    results = await observed.exec(batch, raise_on_error=False)
    assert results is not None
    assert isinstance(results[1], ReplyTypeError)
    assert recorder.last.error is ReplyTypeError
    await observed.exec(batch.lpush("k", ["x"]), raise_on_error=False)
    assert recorder.last.error is ReplyTypeError
    assert observed.stats().errors == {"ReplyTypeError": 3}


async def test_the_first_error_of_a_batch_is_its_error(
    observed: GlideClient, recorder: Recorder
) -> None:
    await observed.set("text", "text")
    batch = words.add_to(Batch(is_atomic=False).lpush("text", ["x"]), "k")
    await observed.exec(batch, raise_on_error=False)
    assert (recorder.last.error, recorder.last.code) == (RequestError, "WRONGTYPE")


async def test_a_reply_is_decoded_once_for_the_observer_and_the_caller(
    observed: GlideClient,
) -> None:
    made: list[int] = []

    @dataclass
    class Count:
        of: int

        def __post_init__(self) -> None:
            made.append(self.of)

    @typed_script(Script("return cjson.encode({of = tonumber(ARGV[1])})"))
    def count(of: int) -> Count:
        raise NotImplementedError

    assert await count(observed, 1) == Count(1)
    made.clear()
    batch = count.add_to(count.add_to(Batch(is_atomic=False), 2), 3)
    results: Any = await observed.exec(batch, raise_on_error=True)
    assert made == [2, 3]
    assert [result.of for result in results] == [2, 3]
    assert await count(observed, 4) == Count(4)
    assert made == [2, 3, 4, 4]


async def test_a_command_of_two_words_is_named_by_both(
    observed: GlideClient, recorder: Recorder
) -> None:
    await observed.script_flush()
    await observed.custom_command(["config", "get", "maxmemory"])
    await observed.custom_command(["object", "refcount", "hunter2"])
    await observed.exec(Batch(is_atomic=False).script_flush(), raise_on_error=True)
    await observed.exec(Batch(is_atomic=True).config_get(["port"]), raise_on_error=True)
    assert [call.operation for call in recorder.ended] == [
        "SCRIPT FLUSH",
        "CONFIG GET",
        "OBJECT",
        "PIPELINE SCRIPT FLUSH",
        "MULTI CONFIG GET",
    ]


async def test_a_class_of_one_s_own_is_told(
    observed: GlideClient, recorder: Recorder, tmp_path: Path
) -> None:
    class SoldOut(ScriptError):
        pass

    (tmp_path / "take.lua").write_text("return redis.error_reply('SOLD_OUT none left')")
    shop = ScriptLibrary.from_directory(tmp_path)
    shop.error("SOLD_OUT")(SoldOut)
    with pytest.raises(SoldOut):
        await observed.invoke_script(shop.take)
    assert (recorder.last.error, recorder.last.code) == (SoldOut, "SOLD_OUT")


async def test_a_call_that_is_refused_before_it_is_sent_is_told(
    observed: GlideClient, recorder: Recorder
) -> None:
    with pytest.raises(TypeError):
        await observed.invoke_script("return 1")  # type: ignore[arg-type]
    assert (recorder.last.error, recorder.last.node) == (TypeError, None)


async def test_a_code_that_a_script_made_of_what_it_was_given_is_not_told(
    observed: GlideClient, recorder: Recorder
) -> None:
    with pytest.raises(ScriptError):
        await observed.invoke_script(Script("return {err = ARGV[1]}"), args=["HUNTER2 is it"])
    assert (recorder.last.error, recorder.last.code) == (ScriptError, None)


async def test_a_call_that_had_no_reply_is_told_with_its_node(
    own_server: ValkeyServer, connect: Connect, recorder: Recorder
) -> None:
    client = await connect(own_server, observer=recorder)
    own_server.pause()
    with pytest.raises(TimeoutError):
        await client.invoke_script(ADD, ["n"], ["1"], timeout=50)
    own_server.resume()
    assert recorder.last.error is TimeoutError
    assert recorder.last.node == (own_server.host, own_server.port)


async def test_a_cancelled_call_is_told(
    own_server: ValkeyServer, connect: Connect, recorder: Recorder
) -> None:
    client = await connect(own_server, observer=recorder)
    own_server.pause()
    call = asyncio.create_task(client.invoke_script(ADD, ["n"], ["1"]))
    await until(lambda: recorder.started)
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    own_server.resume()
    assert recorder.last.error is asyncio.CancelledError


async def test_what_was_sent_again_is_told(server: ValkeyServer, recorder: Recorder) -> None:
    again = Script("return redis.call('INCR', KEYS[1])", idempotent=True)
    with ServerFaults(server) as faults:
        async with await GlideClient.from_url(faults.url, observer=recorder) as client:
            await client.script_load(again)
            faults.lose_replies(2)
            assert await client.invoke_script(again, ["n"]) == 3
    assert (recorder.last.retries, recorder.last.eval_fallback) == (2, False)


async def test_observers_run_in_the_context_of_the_caller(
    observed: GlideClient, recorder: Recorder
) -> None:
    async def call(who: str) -> str:
        WHO.set(who)
        await observed.invoke_script(ADD, ["n"], ["1"])
        return WHO.get()

    assert [*await asyncio.gather(call("one"), call("other"))] == ["one", "other"]
    assert sorted(recorder.contexts) == [
        ("ended", "one"), ("ended", "other"), ("started", "one"), ("started", "other"),
    ]  # fmt: skip


async def test_clients_are_told_once(server: ValkeyServer, recorder: Recorder) -> None:
    client = await GlideClient.from_url(server.url, observer=recorder)
    await client.close()
    await client.close()
    assert recorder.clients == [("opened", client), ("closed", client)]
    with pytest.raises(ClosingError):
        await client.get("k")
    assert recorder.last.error is ClosingError


async def test_what_an_observer_raises_harms_no_call_and_is_logged_once(
    server: ValkeyServer, connect: Connect, caplog: pytest.LogCaptureFixture
) -> None:
    class Broken(Observer):
        def call_started(self, call: ObservedCall) -> None:
            raise ZeroDivisionError

        call_ended = call_started

    client = await connect(server, observer=Broken())
    with caplog.at_level(logging.ERROR, "glide_scripts"):
        assert await client.invoke_script(ADD, ["n"], ["1"]) == 1
        assert await client.invoke_script(ADD, ["n"], ["1"]) == 2
    (record,) = caplog.records
    assert "the observer of a client raised an exception" in record.getMessage()
    assert record.exc_info is not None
    assert record.exc_info[0] is ZeroDivisionError


async def test_a_client_without_an_observer_has_nothing_in_its_way(client: GlideClient) -> None:
    assert type(client._core) is Core


def test_an_observer_of_another_kind_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="observer is type; pass an Observer"):
        GlideClientConfiguration([NodeAddress()], observer=Observer)  # type: ignore[arg-type]
