"""Records behave as frozen dataclasses do."""

from __future__ import annotations

import copy
import dataclasses
import inspect
import pickle
from collections.abc import Callable
from typing import Any

import pytest

from glide_scripts import BackoffStrategy, GlideClientConfiguration, NodeAddress
from glide_scripts.records import Record, record


@record(frozen=True, slots=True)
class Point(Record):
    x: int
    label: str = dataclasses.field(default="", compare=False)
    tags: Any = dataclasses.field(default=(), hash=False)
    _: dataclasses.KW_ONLY
    hidden: int = dataclasses.field(default=0, repr=False)


@dataclasses.dataclass(frozen=True, slots=True)
class Generated:
    x: int
    label: str = dataclasses.field(default="", compare=False)
    tags: Any = dataclasses.field(default=(), hash=False)
    _: dataclasses.KW_ONLY
    hidden: int = dataclasses.field(default=0, repr=False)


def pickled(one: Any) -> Any:
    return pickle.loads(pickle.dumps(one))


both = pytest.mark.parametrize("kind", [Point, Generated])


@both
def test_a_record_is_compared_and_shown_by_its_fields(kind: type[Point] | type[Generated]) -> None:
    assert repr(kind(1, "a")) == f"{kind.__name__}(x=1, label='a', tags=())"
    assert kind(1, "a") == kind(1, "b")
    assert hash(kind(1, tags=["a"])) == hash(kind(1, tags=["b"]))
    assert kind(1, tags=["a"]) != kind(1, tags=["b"])
    assert kind(1) != kind(1, hidden=1)
    assert kind(1) != (1, "", (), 0)


@both
def test_a_record_takes_its_fields(kind: type[Point] | type[Generated]) -> None:
    signature = inspect.signature(kind).replace(return_annotation=inspect.Signature.empty)
    assert str(signature) == "(x: 'int', label: 'str' = '', tags: 'Any' = (), *, hidden: 'int' = 0)"
    one = kind(tags=["a"], x=1, hidden=2)
    assert dataclasses.asdict(one) == {"x": 1, "label": "", "tags": ["a"], "hidden": 2}
    match kind(1, "a"):
        case Point(x, label) | Generated(x, label):
            assert (x, label) == (1, "a")


@both
@pytest.mark.parametrize(
    ("args", "kwargs"),
    [((), {}), ((1, "", (), 0), {}), ((1,), {"x": 1}), ((1,), {"y": 1})],
    ids=["missing", "too many", "twice", "unknown"],
)
def test_a_record_refuses_other_arguments(
    kind: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]
) -> None:
    with pytest.raises(TypeError):
        kind(*args, **kwargs)


@both
def test_a_record_cannot_be_changed(kind: type[Any]) -> None:
    one = kind(1)
    for name in ("x", "other"):
        with pytest.raises((dataclasses.FrozenInstanceError, TypeError)):
            setattr(one, name, 2)
    with pytest.raises(dataclasses.FrozenInstanceError):
        del one.x
    assert not hasattr(one, "__dict__")
    assert dataclasses.replace(one, x=2) == kind(2)
    assert one == kind(1)


@both
@pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy, pickled])
def test_a_record_is_copied_and_pickled(kind: type[Any], copied: Callable[[Any], Any]) -> None:
    one = kind(1, "a", ["b"], hidden=2)
    assert copied(one) == one
    assert copied(one).label == "a"


def test_records_of_different_classes_differ() -> None:
    assert Point(1) != Generated(1)


def test_a_copy_of_a_configuration_is_equal_and_has_its_hash() -> None:
    config = GlideClientConfiguration(
        [NodeAddress()], reconnect_strategy=BackoffStrategy(1, 2, 3), address_map={}
    )
    again = dataclasses.replace(config)
    assert again == config == copy.deepcopy(config)
    assert hash(again) == hash(config)
