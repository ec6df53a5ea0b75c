"""The constant OK."""

import copy
import operator
import pickle
from typing import Any

import pytest

from glide_scripts import OK


def test_ok_is_bytes_and_shows_as_bytes() -> None:
    assert isinstance(OK, bytes)
    assert repr(OK) == "b'OK'"
    assert OK.decode() == "OK"


@pytest.mark.parametrize("same", [OK, b"OK", "OK", bytearray(b"OK"), memoryview(b"OK")])
def test_ok_equals_what_it_says_from_both_sides(same: object) -> None:
    assert operator.eq(OK, same)
    assert operator.eq(same, OK)
    assert not operator.ne(OK, same)
    assert not operator.ne(same, OK)


@pytest.mark.parametrize("other", [b"ok", "ok", b"", "", None, 0, True, b"OK ", ["OK"]])
def test_ok_equals_nothing_else(other: object) -> None:
    assert operator.ne(OK, other)
    assert operator.ne(other, OK)
    assert not operator.eq(OK, other)
    assert not operator.eq(other, OK)


@pytest.mark.parametrize("same", ["OK", b"OK"])
def test_ok_is_found_in_dicts_and_sets(same: Any) -> None:
    assert hash(OK) == hash(same)
    assert {same: 1}[OK] == 1
    assert {OK: 1}[same] == 1
    assert same in {OK}


@pytest.mark.parametrize("version", range(pickle.HIGHEST_PROTOCOL + 1))
def test_unpickled_ok_is_the_same_object(version: int) -> None:
    assert pickle.loads(pickle.dumps([OK], version))[0] is OK


def test_copied_ok_is_the_same_object() -> None:
    assert copy.copy(OK) is OK
    assert copy.deepcopy([OK])[0] is OK
