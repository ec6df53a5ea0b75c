"""Routes: what they take, what they refuse, and what the core gets."""

import copy
import pickle
from collections.abc import Callable
from dataclasses import FrozenInstanceError
from typing import Any

import pytest

from glide_scripts import RequestError
from glide_scripts.commands.routes import (
    AllNodes,
    AllPrimaries,
    ByAddressRoute,
    RandomNode,
    Route,
    SlotIdRoute,
    SlotKeyRoute,
    SlotType,
)
from glide_scripts.commands.routing import plan


def making(
    kind: Callable[..., object], *arguments: object, **named: object
) -> Callable[[], object]:
    """A call to make later, with arguments that a type checker would refuse."""
    return lambda: kind(*arguments, **named)


EXAMPLES: list[tuple[Callable[[], Route], tuple[object, ...]]] = [
    (AllNodes, ("all_nodes",)),
    (AllPrimaries, ("all_primaries",)),
    (RandomNode, ("random",)),
    (lambda: SlotIdRoute(SlotType.PRIMARY, 0), ("slot", 0, "primary")),
    (lambda: SlotIdRoute(SlotType.REPLICA, 16383), ("slot", 16383, "replica")),
    (lambda: SlotKeyRoute(SlotType.PRIMARY, "ключ"), ("slot_key", "ключ".encode(), "primary")),
    (lambda: SlotKeyRoute(SlotType.REPLICA, b"\xff"), ("slot_key", b"\xff", "replica")),
    (lambda: SlotKeyRoute(SlotType.PRIMARY, bytearray(b"k")), ("slot_key", b"k", "primary")),
    (lambda: SlotKeyRoute(SlotType.PRIMARY, memoryview(b"k")), ("slot_key", b"k", "primary")),
    (lambda: ByAddressRoute("localhost", 6379), ("address", "localhost", 6379)),
    (lambda: ByAddressRoute("localhost:7000"), ("address", "localhost", 7000)),
    (lambda: ByAddressRoute("::1", 6379), ("address", "::1", 6379)),
    (lambda: ByAddressRoute("[::1]", 6379), ("address", "::1", 6379)),
    (lambda: ByAddressRoute("[fe80::1%eth0]:6379"), ("address", "fe80::1%eth0", 6379)),
]


@pytest.mark.parametrize(("make", "target"), EXAMPLES)
def test_a_route_tells_the_core_its_target(
    make: Callable[[], Route], target: tuple[object, ...]
) -> None:
    assert make()._target() == target


@pytest.mark.parametrize(("make", "_target"), EXAMPLES)
def test_equal_routes_are_equal_and_hash_alike(
    make: Callable[[], Route], _target: tuple[object, ...]
) -> None:
    assert make() == make()
    assert len({make(), make()}) == 1
    assert make() != Route()


@pytest.mark.parametrize(("make", "_target"), EXAMPLES)
def test_a_copied_route_is_equal(make: Callable[[], Route], _target: tuple[object, ...]) -> None:
    assert copy.deepcopy(make()) == make()
    assert pickle.loads(pickle.dumps(make())) == make()


def test_different_routes_are_different() -> None:
    assert len({make() for make, _ in EXAMPLES}) == len(EXAMPLES) - 2  # each is given twice:
    assert SlotKeyRoute(SlotType.PRIMARY, bytearray(b"k")) == SlotKeyRoute(SlotType.PRIMARY, b"k")
    assert ByAddressRoute("[::1]:6379") == ByAddressRoute("::1", 6379)


def test_a_route_shows_what_it_was_made_of() -> None:
    assert repr(AllPrimaries()) == "AllPrimaries()"
    assert repr(ByAddressRoute("[::1]:7000")) == "ByAddressRoute(host='::1', port=7000)"
    assert "slot_id=7" in repr(SlotIdRoute(SlotType.PRIMARY, 7))


def test_a_route_cannot_be_changed_past_its_checks() -> None:
    route: Any = SlotIdRoute(SlotType.PRIMARY, 7)
    with pytest.raises(FrozenInstanceError):
        route.slot_id = 99999


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (making(SlotKeyRoute, "primary", "k"), "slot_type is str; pass a member of SlotType"),
        (making(SlotKeyRoute, SlotType.PRIMARY, 1), "slot_key is int; pass str or bytes"),
        (making(SlotIdRoute, 1, 1), "slot_type is int; pass a member of SlotType"),
        (making(SlotIdRoute, SlotType.PRIMARY, "1"), "slot_id is str; pass int"),
        (making(SlotIdRoute, SlotType.PRIMARY, True), "slot_id is bool; pass int"),
        (making(ByAddressRoute, b"localhost:1"), "host is bytes; pass str"),
        (making(ByAddressRoute, "localhost", "1"), "port is str; pass int"),
        (making(ByAddressRoute, "localhost", True), "port is bool; pass int"),
    ],
)
def test_a_wrong_type_is_refused_by_name(make: Callable[[], object], text: str) -> None:
    with pytest.raises(TypeError) as caught:
        make()
    assert str(caught.value) == text


@pytest.mark.parametrize("slot_id", [-1, 16384])
def test_a_slot_that_is_none_is_refused(slot_id: int) -> None:
    with pytest.raises(RequestError, match=f"slot_id is {slot_id}; pass an int from 0 to 16383"):
        SlotIdRoute(SlotType.PRIMARY, slot_id)


@pytest.mark.parametrize(
    ("host", "port", "text"),
    [
        ("localhost", None, "host is 'localhost': no port provided"),
        ("::1", None, "no port provided"),
        ("::1:6379", None, "no port provided"),
        ("[::1]", None, "no port provided"),
        ("[::1]6379", None, "an IPv6 address with a port is written as [::1]:6379"),
        ("[::1", None, "an IPv6 address with a port is written as [::1]:6379"),
        ("[host]:1", None, "the text in brackets is not an IPv6 address"),
        ("localhost:", None, "the port is not a number from 1 to 65535"),
        ("localhost:x", None, "the port is not a number from 1 to 65535"),
        ("localhost:0", None, "the port is not a number from 1 to 65535"),
        ("localhost:65536", None, "the port is not a number from 1 to 65535"),
        ("localhost:+1", None, "the port is not a number from 1 to 65535"),
        ("localhost:٣", None, "the port is not a number from 1 to 65535"),
        (":6379", None, "the host is empty"),
        ("", 6379, "the host is empty"),
        ("a b", 6379, "the host contains a space or a control character"),
        ("localhost:1", 6379, "the host contains ':'"),
        ("a/b", 6379, "the host contains '/'"),
        ("localhost", 0, "port is 0; pass an int from 1 to 65535"),
        ("localhost", 65536, "port is 65536; pass an int from 1 to 65535"),
        ("localhost", -1, "port is -1; pass an int from 1 to 65535"),
    ],
)
def test_a_wrong_address_is_refused(host: str, port: int | None, text: str) -> None:
    with pytest.raises(RequestError) as caught:
        ByAddressRoute(host, port)
    assert text in str(caught.value)


def test_the_base_of_routes_leads_nowhere() -> None:
    with pytest.raises(NotImplementedError, match="Route is not a route"):
        Route()._target()


@pytest.mark.parametrize("name", ["WAIT", "WAITAOF"])
def test_each_primary_is_waited_for(name: str) -> None:
    each = plan([name, "1", "0", "100"])
    assert (each.to, each.gather) == ("all_primaries", "least")


def test_a_command_whose_first_key_is_not_its_first_word_goes_by_its_key() -> None:
    for words in (["MSETEX", "1", "key", "value"], ["OBJECT", "FREQ", "key"]):
        first, _ = plan(words).keys or (0, 0)
        assert words[first] == "key"
