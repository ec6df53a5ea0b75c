"""Equality, hash and repr of the package's frozen dataclasses."""

from __future__ import annotations

import copy
import dataclasses

import pytest

from glide_scripts import BackoffStrategy, GlideClientConfiguration, NodeAddress
from glide_scripts.records import Record


@dataclasses.dataclass(frozen=True, slots=True, repr=False, eq=False)
class Point(Record):
    x: int
    label: str = dataclasses.field(default="", compare=False)
    tags: list[str] = dataclasses.field(default_factory=list, hash=False)
    hidden: int = dataclasses.field(default=0, repr=False)


@dataclasses.dataclass(frozen=True, slots=True)
class Generated:
    x: int
    label: str = dataclasses.field(default="", compare=False)
    tags: list[str] = dataclasses.field(default_factory=list, hash=False)
    hidden: int = dataclasses.field(default=0, repr=False)


@pytest.mark.parametrize("kind", [Point, Generated])
def test_a_record_behaves_as_a_dataclass(kind: type[Point] | type[Generated]) -> None:
    assert repr(kind(1, "a")) == f"{kind.__name__}(x=1, label='a', tags=[])"
    assert kind(1, "a") == kind(1, "b")
    assert hash(kind(1, tags=["a"])) == hash(kind(1, tags=["b"]))
    assert kind(1, tags=["a"]) != kind(1, tags=["b"])
    assert kind(1) != kind(1, hidden=1)
    assert kind(1) != (1, "", [], 0)


def test_records_of_different_classes_differ() -> None:
    assert Point(1) != Generated(1)


def test_a_copy_of_a_configuration_is_equal_and_has_its_hash() -> None:
    config = GlideClientConfiguration(
        [NodeAddress()], reconnect_strategy=BackoffStrategy(1, 2, 3), address_map={}
    )
    again = dataclasses.replace(config)
    assert again == config == copy.deepcopy(config)
    assert hash(again) == hash(config)
