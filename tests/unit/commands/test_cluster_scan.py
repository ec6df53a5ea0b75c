"""Where a scan of a cluster is: which slots are done, and which are scanned again."""

from __future__ import annotations

import pickle
from typing import Any

import pytest

from glide_scripts import ClusterScanCursor, RequestError
from glide_scripts.commands.cluster_scan import Position, slots_of_nodes

LOW, HIGH = (1 << 8000) - 1, (1 << 16384) - (1 << 8000)
OWNERS = {"a": LOW, "b": HIGH}


def begun(left: int = LOW | HIGH) -> Position:
    return Position(left).on_next_node(OWNERS, skips_uncovered=False)


def test_a_scan_goes_from_node_to_node() -> None:
    at = begun()
    assert (at.node, at.slot, at.cursor) == ("a", 0, "0")
    at = at.after(b"17", None)
    assert (at.node, at.cursor) == ("a", "17")
    at = at.after(b"0", OWNERS)
    assert (at.left, at.node) == (HIGH, "")
    at = at.on_next_node(OWNERS, skips_uncovered=False).after(b"0", OWNERS)
    assert not at.left


def test_a_slot_that_moved_meanwhile_is_scanned_where_it_went() -> None:
    moved = 1 << 77
    after = begun().after(b"0", {"a": LOW & ~moved, "b": HIGH | moved})
    assert after.left == HIGH | moved


def test_a_slot_that_came_meanwhile_is_not_done() -> None:
    came = 1 << 9000
    after = begun().after(b"0", {"a": LOW | came, "b": HIGH & ~came})
    assert after.left == HIGH


def test_a_node_that_is_gone_has_done_nothing() -> None:
    assert begun().after(b"0", {"c": LOW, "b": HIGH}).left == LOW | HIGH
    assert begun().after(b"5", None).again() == Position()


def test_slots_without_a_node_are_an_error_or_left_out() -> None:
    only_high = {"b": HIGH}
    with pytest.raises(RequestError, match="slot 0; pass allow_non_covered_slots=True"):
        Position().on_next_node(only_high, skips_uncovered=False)
    at = Position().on_next_node(only_high, skips_uncovered=True)
    assert (at.left, at.node, at.slot) == (HIGH, "b", 8000)
    assert Position(LOW).on_next_node(only_high, skips_uncovered=True) == Position(0)


def test_a_reply_to_cluster_slots_is_read() -> None:
    reply = [
        [0, 99, [b"127.0.0.1", 1, b"a"], [b"127.0.0.1", 2, b"replica"]],
        [100, 16383, [b"127.0.0.1", 3, b"b", []]],
    ]
    assert slots_of_nodes(reply) == {"a": (1 << 100) - 1, "b": (1 << 16384) - (1 << 100)}


def test_a_cursor_is_kept_as_text() -> None:
    new = ClusterScanCursor()
    assert not new.is_finished()
    cursor = ClusterScanCursor._at(begun().after(b"17", None))
    assert ClusterScanCursor(cursor.get_cursor()) == cursor != new
    assert pickle.loads(pickle.dumps(cursor)) == cursor
    assert hash(cursor) == hash(ClusterScanCursor(cursor.get_cursor()))
    assert repr(ClusterScanCursor._at(Position(HIGH))) == "<ClusterScanCursor 8000 of 16384 slots>"
    assert ClusterScanCursor(ClusterScanCursor._at(Position(0)).get_cursor()).is_finished()


@pytest.mark.parametrize("text", ["", "0", "zz:a:1:0", "1:a:1:x", "1::0:5", f"{1 << 16384:x}::0:0"])
def test_text_that_is_no_cursor_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"new_cursor is .*; pass what get_cursor\(\)"):
        ClusterScanCursor(text)


@pytest.mark.parametrize("wrong", [0, b"0"])
def test_a_cursor_of_another_type_is_refused(wrong: Any) -> None:
    with pytest.raises(TypeError, match=r"new_cursor is \w+; pass str, or None"):
        ClusterScanCursor(wrong)
