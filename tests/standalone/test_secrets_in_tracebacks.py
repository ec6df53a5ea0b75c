"""Nothing of a secret is among the variables of the package's frames in a traceback.

Tracebacks are shown by Python itself, by rich, and by an event of Sentry.
"""

from __future__ import annotations

import asyncio
import traceback
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any

import pytest
import sentry_sdk
from rich.traceback import Traceback
from sentry_sdk.envelope import Envelope
from sentry_sdk.transport import Transport
from tests.conftest import Connect

from glide_scripts import (
    Batch,
    ClosingError,
    ConfigurationError,
    GlideClient,
    GlideClientConfiguration,
    GlideClusterClient,
    Key,
    NodeAddress,
    Observer,
    Script,
    Secret,
    SentinelConfiguration,
    ServerCredentials,
    TlsAdvancedConfiguration,
    typed_script,
)
from glide_scripts.sync import GlideClient as SyncClient
from glide_scripts.testing import ValkeyServer

SECRET = "hunter2"


@typed_script(Script("return 1", name="fits"))
def fits(user: Secret[Key], token: Secret[str], number: int) -> int: ...


@typed_script(Script("error('it failed')", name="fails"))
def fails(user: Secret[Key], token: Secret[str]) -> int: ...


@typed_script(Script("return {ARGV[1], KEYS[1]}", name="answers"))
def answers(user: Secret[Key], token: Secret[str]) -> int: ...


@typed_script(Script("while true do end", name="hangs"))
def hangs(user: Secret[Key], tokens: Secret[list[str]]) -> int: ...


def shown(error: BaseException) -> str:
    """What tracebacks of it show of the frames that are not the test's."""
    shown_by = [in_python(error), in_rich(error), in_sentry(error)]
    assert all(shown_by)
    return "\n".join(shown_by)


def in_python(error: BaseException) -> str:
    shown = []
    around: list[BaseException | None] = [error]
    while around:
        each = around.pop()
        if each is None:
            continue
        around += [each.__cause__, each.__context__]
        stack = traceback.StackSummary.extract(
            traceback.walk_tb(each.__traceback__), capture_locals=True
        )
        shown += [f"{frame.name} {frame.locals}" for frame in stack if __file__ != frame.filename]
    return "\n".join(shown)


def in_rich(error: BaseException) -> str:
    trace = Traceback.extract(
        type(error),
        error,
        error.__traceback__,
        show_locals=True,
        locals_max_length=1000,
        locals_max_string=10_000,
    )
    return "\n".join(
        f"{frame.name} {stack.exc_value} {[str(value) for value in (frame.locals or {}).values()]}"
        for stack in trace.stacks
        for frame in stack.frames
        if frame.filename != __file__
    )


class Kept(Transport):
    """Keeps what would be sent to Sentry."""

    def __init__(self, options: Any) -> None:
        super().__init__(options)
        self.events: list[Any] = []

    def capture_envelope(self, envelope: Envelope) -> None:
        self.events.append(envelope.get_event())


def in_sentry(error: BaseException) -> str:
    # Of its integrations, those for frameworks would change this process.
    client = sentry_sdk.Client(
        dsn="https://key@sentry.invalid/1", transport=Kept, default_integrations=False
    )
    with sentry_sdk.isolation_scope() as scope:
        scope.set_client(client)
        sentry_sdk.capture_exception(error)
    kept = client.transport
    assert isinstance(kept, Kept)
    (event,) = kept.events
    client.close()
    return "\n".join(
        f"{each['value']} {frame}"
        for each in event["exception"]["values"]
        for frame in each["stacktrace"]["frames"]
        if frame["abs_path"] != __file__
    )


def pairs() -> list[Any]:
    return [([SECRET], [SECRET])] * 3


def broken_pairs() -> Iterator[Any]:
    yield from pairs()
    raise KeyError("no more")


async def broken_async_pairs() -> AsyncIterator[Any]:
    for pair in broken_pairs():
        yield pair


async def echoed(client: GlideClient) -> None:
    batch = Batch(is_atomic=False).invoke_script(Script("return ARGV[1]"), [], [SECRET])
    await client.exec(fails.add_to(batch, SECRET, SECRET), raise_on_error=True)


async def added(client: GlideClient) -> None:
    fits.add_to(Batch(is_atomic=False), SECRET, SECRET, "x")  # type: ignore[arg-type]


async def added_to_nothing(client: GlideClient) -> None:
    fits.add_to(SECRET, SECRET, 1)  # type: ignore[type-var, call-arg, arg-type]


async def added_by_hand(client: GlideClient) -> None:
    Batch(is_atomic=False).invoke_script(fits, [SECRET], [3])  # type: ignore[list-item]


async def packed(client: GlideClient) -> None:
    fits.pack(SECRET, SECRET, object())  # type: ignore[arg-type]


async def decoded(client: GlideClient) -> None:
    answers.decode([SECRET.encode()])


CALLS: dict[str, Callable[[GlideClient], Awaitable[Any]]] = {
    "a wrong argument": lambda client: fits(client, SECRET, SECRET, "x"),  # type: ignore[arg-type]
    "a wrong key": lambda client: fits(client, 3, SECRET, 1),  # type: ignore[arg-type]
    "too few": lambda client: fits(client, SECRET),  # type: ignore[call-arg]
    "no client": lambda client: fits("x", SECRET, SECRET, 1),  # type: ignore[arg-type]
    "a forgotten client": lambda client: fits(SECRET, SECRET, 1),  # type: ignore[arg-type, call-arg]
    "an error": lambda client: fails(client, SECRET, SECRET),
    "a reply": lambda client: answers(client, SECRET, SECRET),
    "by hand": lambda client: client.invoke_script(fails, [SECRET], [SECRET]),
    "by hand, wrong": lambda client: client.invoke_script(fails, [SECRET], [3]),  # type: ignore[list-item]
    "a batch": lambda client: client.exec(
        answers.add_to(Batch(is_atomic=False), SECRET, SECRET), raise_on_error=True
    ),
    "a batch with replies": echoed,
    "added": added,
    "added to nothing": added_to_nothing,
    "added by hand": added_by_hand,
    "packed": packed,
    "decoded": decoded,
    "many": lambda client: _all(client, fails, pairs()),
    "many, broken": lambda client: _all(client, answers, broken_pairs()),
    "many, broken and async": lambda client: _all(client, answers, broken_async_pairs()),
    "many, no ids": lambda client: _all(client, fits, pairs(), lambda keys, args: 1 / 0),
    "many, wrong": lambda client: _all(client, answers, [*pairs(), ([SECRET], SECRET)]),
}


async def _all(client: GlideClient, script: Any, calls: Any, once: Any = None) -> None:
    await client.invoke_script_many(script, calls, once=once)


@pytest.mark.parametrize("name", CALLS)
@pytest.mark.parametrize("observer", [None, Observer()], ids=["plain", "observed"])
async def test_no_frame_of_an_error_holds_a_secret(
    server: ValkeyServer, connect: Connect, name: str, observer: Observer | None
) -> None:
    client = await connect(server, observer=observer)
    with pytest.raises(Exception) as caught:  # noqa: PT011 - of many kinds
        await CALLS[name](client)
    assert SECRET not in shown(caught.value)


@pytest.mark.parametrize(
    "name",
    [
        "a wrong argument",
        "a forgotten client",
        "too few",
        "an error",
        "a reply",
        "by hand",
        "a batch",
    ],
)
def test_no_frame_of_a_synchronous_client_s_error_holds_a_secret(
    server: ValkeyServer, name: str
) -> None:
    with SyncClient.from_url(server.url) as client:
        made: Any = client
        with pytest.raises(Exception) as caught:  # noqa: PT011 - of many kinds
            CALLS[name](made)
    assert SECRET not in shown(caught.value)


@pytest.mark.parametrize("observer", [None, Observer()], ids=["plain", "observed"])
async def test_no_frame_of_a_timeout_a_cancellation_or_a_closed_client_holds_a_secret(
    own_server: ValkeyServer, connect: Connect, observer: Observer | None
) -> None:
    client = await connect(own_server, observer=observer, request_timeout=100)
    own_server.pause()
    with pytest.raises(TimeoutError) as late:
        await hangs(client, SECRET, [SECRET])
    call = asyncio.ensure_future(hangs(client, SECRET, [SECRET]))
    await asyncio.sleep(0)
    call.cancel()
    with pytest.raises(asyncio.CancelledError) as cancelled:
        await call
    own_server.resume()
    await client.close()
    with pytest.raises(Exception, match="closed") as closed:
        await hangs(client, SECRET, [SECRET])
    for caught in (late, cancelled, closed):
        assert SECRET not in shown(caught.value)


@pytest.mark.parametrize(
    "url",
    [
        f"valkey://:{SECRET}@127.0.0.1:x",
        f"valkey://:{SECRET}@a@127.0.0.1",
        f"valkey://ann:{SECRET}@127.0.0.1?databse=1",
        f"valkey://127.0.0.1?password={SECRET}&timeout=soon",
        f"valkeys://127.0.0.1?ssl_password={SECRET}",
        f"valkey+sentinel://127.0.0.1/main?sentinel_password={SECRET}&db=one",
        f"valkey://:{SECRET}@127.0.0.1:1",
        f"valkey://:{SECRET}@127.0.0.1:1".encode(),
    ],
)
async def test_no_frame_holds_the_password_of_a_url_that_cannot_be_used(url: Any) -> None:
    with pytest.raises((ConfigurationError, ClosingError)) as caught:
        await GlideClient.from_url(url)
    assert SECRET not in shown(caught.value)


async def test_no_frame_holds_a_password_that_is_passed_in_a_wrong_way(client: GlideClient) -> None:
    connect: Any = GlideClient.from_url
    update: Any = client.update_connection_password
    calls: list[Callable[[], Awaitable[Any]]] = [
        lambda: connect("valkey://127.0.0.1", password=SECRET),
        lambda: update([SECRET]),
        lambda: update(SECRET, immediate_auth="yes"),
    ]
    for call in calls:
        with pytest.raises(TypeError) as caught:
            await call()
        assert SECRET not in shown(caught.value)


@pytest.mark.parametrize("kind", [GlideClient, GlideClusterClient, SyncClient])
def test_no_frame_holds_a_password_that_is_given_to_a_client_itself(kind: Any) -> None:
    url = f"valkey://:{SECRET}@127.0.0.1"

    async def awaited(making: Awaitable[Any]) -> Any:
        return await making

    def create(*args: Any, **kwargs: Any) -> Any:
        made = kind.create(*args, **kwargs)
        return asyncio.run(awaited(made))

    for make in (
        lambda: kind(url),
        lambda: kind(host="127.0.0.1", password=SECRET),
        lambda: create(url),
        lambda: create(host="127.0.0.1", password=SECRET),
    ):
        with pytest.raises((TypeError, ConfigurationError)) as caught:
            make()
        assert SECRET not in shown(caught.value)


def test_no_frame_holds_a_password_that_is_passed_to_a_thread_s_client_under_a_wrong_name(
    server: ValkeyServer,
) -> None:
    with SyncClient.from_url(server.url) as client, pytest.raises(TypeError) as caught:
        client.update_connection_password(pasword=SECRET)  # type: ignore[call-arg]
    assert SECRET not in shown(caught.value)


@pytest.mark.parametrize(
    "make",
    [
        lambda: ServerCredentials(SECRET.encode()),  # type: ignore[arg-type]
        lambda: ServerCredentials(SECRET, username=5),  # type: ignore[arg-type]
        lambda: ServerCredentials(SECRET, password_callback=lambda: SECRET),
        lambda: ServerCredentials(pasword=SECRET),  # type: ignore[call-arg]
        lambda: ServerCredentials(SECRET, None, None, SECRET),  # type: ignore[arg-type, call-arg]
        lambda: GlideClientConfiguration([NodeAddress()], credentials=SECRET),  # type: ignore[arg-type]
        lambda: GlideClientConfiguration([NodeAddress()], pasword=SECRET),  # type: ignore[call-arg]
        lambda: SentinelConfiguration(
            [NodeAddress()],
            service_name="m",
            sentinel_credentials=SECRET,  # type: ignore[arg-type]
        ),
        lambda: TlsAdvancedConfiguration(client_key_pem=SECRET),
    ],
)
def test_wrong_arguments_of_a_configuration_are_not_shown(make: Callable[[], object]) -> None:
    with pytest.raises((TypeError, ConfigurationError)) as caught:
        make()
    assert SECRET not in str(caught.value)
    assert SECRET not in shown(caught.value)
