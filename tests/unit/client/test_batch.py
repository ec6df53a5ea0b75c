"""Batches, their options, and what they refuse before there is a server."""

from __future__ import annotations

import copy
import datetime
import gc
import inspect
import sys
from collections.abc import Callable
from types import FrameType
from typing import Any

import pytest

from glide_scripts import (
    AllNodes,
    AllPrimaries,
    Batch,
    BatchOptions,
    BatchRetryStrategy,
    ByAddressRoute,
    ClusterBatch,
    ClusterBatchOptions,
    ClusterTransaction,
    CrossSlotError,
    GlideClient,
    GlideClusterClient,
    RandomNode,
    RequestError,
    Script,
    SlotIdRoute,
    SlotKeyRoute,
    SlotType,
    Transaction,
)
from glide_scripts.client.base_batch import BaseBatch

HELLO = Script("return 'hello'", name="hello.lua")
BOTH = pytest.mark.parametrize("kind", [Batch, ClusterBatch])

# A batch has no methods that concern a connection, or more than one call.
NOT_IN_BATCHES = {
    "aclose", "bind", "close", "create", "exec", "from_url", "invoke_script_many", "stats",
    "unwatch", "update_connection_password", "watch",
}  # fmt: skip


@pytest.mark.parametrize(
    ("batch", "client"), [(Batch, GlideClient), (ClusterBatch, GlideClusterClient)]
)
def test_every_command_of_a_client_is_in_its_batch(batch: type[BaseBatch], client: type) -> None:
    methods = {name for name in dir(client) if not name.startswith("_")}
    assert methods - set(dir(batch)) == NOT_IN_BATCHES
    assert not NOT_IN_BATCHES & set(dir(batch))


@pytest.mark.parametrize(
    "name", [name for name in dir(GlideClient) if hasattr(Batch, name) and name[0] != "_"]
)
def test_a_batch_takes_the_arguments_that_the_client_takes(name: str) -> None:
    def parameters(owner: type) -> list[tuple[str, object]]:
        found = inspect.signature(getattr(owner, name)).parameters.values()
        # Keyword-only parameters are for one call, such as its timeout; a batch has its own.
        return [(each.name, each.default) for each in found if each.kind is not each.KEYWORD_ONLY]

    assert parameters(Batch) == parameters(GlideClient)


@BOTH
@pytest.mark.parametrize("is_atomic", [True, False])
def test_a_batch_grows_by_what_its_methods_add(kind: type[BaseBatch], is_atomic: bool) -> None:
    batch = kind(is_atomic)
    assert batch.is_atomic is is_atomic
    assert len(batch) == 0
    assert batch.set("k", "v").get("k").invoke_script(HELLO).eval("return 1") is batch
    assert len(batch) == 4
    assert batch.clear() is batch
    assert len(batch) == 0
    assert len(batch.get("k")) == 1


@BOTH
def test_to_add_a_script_runs_none_of_the_package_s_python(kind: type[BaseBatch]) -> None:
    batch, called = kind(False), []

    def note(frame: FrameType, event: str, _argument: object) -> None:
        if event == "call" and frame.f_globals["__name__"].startswith("glide_scripts"):
            called.append(frame.f_code.co_name)

    # A collection would run the finalizers of other tests' clients.
    gc.disable()
    sys.setprofile(note)
    try:
        for number in range(3):
            batch.invoke_script(HELLO, [f"k{number}"], ["value"])
    finally:
        sys.setprofile(None)
        gc.enable()
    assert called == []
    assert len(batch) == 3


@BOTH
def test_a_batch_that_was_not_initialized_says_so(kind: type[BaseBatch]) -> None:
    # As a subclass does that forgets the base class in its own `__init__`.
    batch = kind.__new__(kind)
    with pytest.raises(RuntimeError, match=r"super\(\)\.__init__"):
        batch.invoke_script(HELLO)


@BOTH
def test_a_batch_is_true_also_while_it_is_empty(kind: type[BaseBatch]) -> None:
    assert kind(True)
    assert kind(True).get("k")


@BOTH
def test_a_copy_goes_its_own_way(kind: type[BaseBatch]) -> None:
    batch = kind(True).get("k")
    other = copy.copy(batch)
    batch.clear()
    other.hgetall("h")
    assert (len(batch), len(other)) == (0, 2)
    assert type(other) is kind
    assert other.is_atomic is True


def test_a_batch_says_what_is_in_it() -> None:
    batch = Batch(is_atomic=True)
    assert repr(batch) == "Batch(is_atomic=True, no commands)"
    assert repr(batch.set("k", "v")) == "Batch(is_atomic=True, 1 command: SET)"
    assert repr(batch.invoke_script(HELLO).get("k")) == (
        "Batch(is_atomic=True, 3 commands: SET, EVALSHA hello.lua, GET)"
    )
    cluster_batch = ClusterBatch(False).mget(["a", "b"])
    assert repr(cluster_batch) == "ClusterBatch(is_atomic=False, 1 command: MGET)"


def test_what_a_batch_says_stays_short() -> None:
    batch = Batch(False)
    for _ in range(10_000):
        batch.incr("n")
    text = repr(batch.custom_command(["x" * 1000]))
    assert text == f"Batch(is_atomic=False, 10001 commands: {'INCR, ' * 8}…)"
    assert len(repr(Batch(False).custom_command(["x" * 1000]))) < 100


def test_nothing_of_the_arguments_is_shown() -> None:
    assert "secret" not in repr(Batch(True).set("secret", "secret").eval("secret", ["secret"]))


@BOTH
@pytest.mark.parametrize("value", [None, 1, "True", [True]])
def test_is_atomic_of_another_type_is_refused(kind: Any, value: object) -> None:
    with pytest.raises(TypeError) as caught:
        kind(value)
    assert str(caught.value) == f"is_atomic is {type(value).__name__}; pass bool"


@pytest.mark.parametrize(("old", "new"), [(Transaction, Batch), (ClusterTransaction, ClusterBatch)])
def test_the_old_names_are_deprecated(old: Any, new: type[BaseBatch]) -> None:
    instead = rf"^{old.__name__}\(\) is deprecated; use {new.__name__}\(is_atomic=True\)$"
    with pytest.warns(DeprecationWarning, match=instead) as warned:
        transaction = old()
    assert warned[0].filename == __file__
    assert isinstance(transaction, new)
    assert transaction.is_atomic is True
    assert repr(transaction) == f"{old.__name__}(is_atomic=True, no commands)"


@BOTH
@pytest.mark.parametrize("is_atomic", [True, False])
def test_a_wrong_argument_is_named_and_adds_nothing(kind: type[BaseBatch], is_atomic: bool) -> None:
    batch: Any = kind(is_atomic).get("k")
    wrong: list[tuple[Callable[[], object], type[Exception], str]] = [
        (lambda: batch.get(1), TypeError, "key is int; pass str or bytes"),
        (lambda: batch.mget([]), ValueError, "keys is empty; pass at least one"),
        (lambda: batch.invoke_script("code"), TypeError, "script is str; pass a Script"),
        (
            lambda: batch.invoke_script(HELLO, "key"),
            TypeError,
            "keys is str; pass a list of str or bytes",
        ),
        (
            lambda: batch.invoke_script(HELLO, ["k"], ["a", 5]),
            TypeError,
            "args[1] is int; pass str or bytes",
        ),
        (lambda: batch.custom_command([]), ValueError, "command_args is empty"),
        (lambda: batch.fcall(5), TypeError, "function is int; pass a Function, str or bytes"),
        (lambda: batch.hset("h", {"f": 1}), TypeError, "field_value_map: value 0 is int"),
    ]
    for call, error, text in wrong:
        with pytest.raises(error) as caught:
            call()
        assert text in str(caught.value)
        assert len(batch) == 1


@BOTH
@pytest.mark.parametrize("words", [["MULTI"], ["exec"], ["SUBSCRIBE", "c"], ["WATCH", "k"]])
def test_what_no_shared_connection_can_carry_is_refused(
    kind: type[BaseBatch], words: list[str]
) -> None:
    batch: Any = kind(False)
    with pytest.raises(RequestError, match=f"{words[0].upper()} is refused"):
        batch.custom_command(words)
    assert len(batch) == 0


@pytest.mark.parametrize("is_atomic", [True, False])
def test_a_script_with_keys_of_several_slots_is_refused(is_atomic: bool) -> None:
    batch = ClusterBatch(is_atomic)
    with pytest.raises(CrossSlotError):
        batch.invoke_script(HELLO, ["a", "b"])
    assert len(batch.invoke_script(HELLO, ["{a}1", "{a}2"])) == 1


def test_a_command_of_an_atomic_batch_has_no_route() -> None:
    batch = ClusterBatch(is_atomic=True)
    calls: list[Callable[[], object]] = [
        lambda: batch.custom_command(["PING"], AllNodes()),
        lambda: batch.fcall_route("f", [], RandomNode()),
        lambda: batch.fcall_ro_route("f", route=RandomNode()),
    ]
    for call in calls:
        with pytest.raises(RequestError, match="pass ClusterBatchOptions"):
            call()
    assert len(batch.custom_command(["PING"])) == 1


def test_a_route_of_another_type_is_refused() -> None:
    batch: Any = ClusterBatch(is_atomic=False)
    with pytest.raises(TypeError, match="route is str; pass a Route"):
        batch.custom_command(["PING"], "everywhere")
    assert len(batch) == 0


class TestOptions:
    def test_left_out_they_say_nothing(self) -> None:
        assert BatchOptions() == BatchOptions(None) == BatchOptions(timeout=None)
        options = ClusterBatchOptions()
        assert (options.timeout, options.route, options.retry_strategy) == (None, None, None)
        strategy = BatchRetryStrategy()
        assert (strategy.retry_server_error, strategy.retry_connection_error) == (False, False)

    def test_they_are_taken_by_position(self) -> None:
        strategy = BatchRetryStrategy(True, False)
        assert strategy.retry_server_error
        options = ClusterBatchOptions(100, RandomNode(), strategy)
        assert options == ClusterBatchOptions(
            timeout=100, route=RandomNode(), retry_strategy=strategy
        )

    @pytest.mark.parametrize("kind", [BatchOptions, ClusterBatchOptions])
    @pytest.mark.parametrize(
        ("timeout", "error", "text"),
        [
            (0, ValueError, "timeout is 0; pass milliseconds, more than 0 and at most 1e12"),
            (-1, ValueError, "timeout is -1; pass milliseconds, more than 0 and at most 1e12"),
            ("1", TypeError, "timeout is str; pass milliseconds as an int"),
            (1.5, TypeError, "timeout is float; pass milliseconds as an int: 1500 for 1.5 seconds"),
            (
                datetime.timedelta(seconds=1.5),
                TypeError,
                "timeout is timedelta; pass milliseconds as an int: 1500 for 1.5 seconds",
            ),
            (True, TypeError, "timeout is bool; pass milliseconds as an int"),
        ],
    )
    def test_a_wrong_timeout_is_named(
        self, kind: Any, timeout: object, error: type[Exception], text: str
    ) -> None:
        with pytest.raises(error) as caught:
            kind(timeout)
        assert str(caught.value) == text

    @pytest.mark.parametrize("route", [AllNodes(), AllPrimaries()])
    def test_a_route_to_several_nodes_is_refused(self, route: Any) -> None:
        with pytest.raises(RequestError, match=f"route is {type(route).__name__}, which is sev"):
            ClusterBatchOptions(route=route)

    @pytest.mark.parametrize(
        "route",
        [
            RandomNode(),
            SlotKeyRoute(SlotType.PRIMARY, "k"),
            SlotIdRoute(SlotType.REPLICA, 5),
            ByAddressRoute("localhost", 6379),
        ],
    )
    def test_a_route_to_one_node_is_taken(self, route: Any) -> None:
        assert ClusterBatchOptions(route=route).route == route

    def test_other_types_are_named(self) -> None:
        wrong: Any = "x"
        with pytest.raises(TypeError, match=r"^route is str; pass a Route to one node"):
            ClusterBatchOptions(route=wrong)
        with pytest.raises(TypeError, match=r"^retry_strategy is str; pass a BatchRetryStrategy$"):
            ClusterBatchOptions(retry_strategy=wrong)
        with pytest.raises(TypeError, match=r"^retry_server_error is str; pass bool$"):
            BatchRetryStrategy(wrong)
        with pytest.raises(TypeError, match=r"^retry_connection_error is str; pass bool$"):
            BatchRetryStrategy(retry_connection_error=wrong)
