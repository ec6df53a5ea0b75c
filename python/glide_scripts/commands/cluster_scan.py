"""Where a scan of a whole cluster is.

A scan goes from primary to primary. When one has returned all its keys, those of its slots are done
that it had from the beginning to the end; slots that moved meanwhile are scanned where they went.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from .. import checks
from ..errors import RequestError
from ..public import show_as_public
from .routes import SLOTS

_ALL = (1 << SLOTS) - 1


@dataclass(frozen=True, slots=True)
class Position:
    """Where a scan is. Sets of slots are ints with a bit for each slot."""

    left: int = _ALL
    """The slots that are not done."""
    node: str = ""
    """The id of the node that is being scanned; empty between two nodes."""
    here: int = 0
    """The slots that are done once that node is."""
    cursor: str = "0"
    """The node's own cursor."""

    @property
    def slot(self) -> int:
        """A slot of the node that is being scanned, to find it by."""
        return _lowest(self.here)

    def on_next_node(self, owners: Mapping[str, int], *, skips_uncovered: bool) -> Position:
        """Return the position at the beginning of a node that has slots left.

        Args:
            owners: The slots of each node.
            skips_uncovered: Whether slots that no node has count as done.

        Raises:
            RequestError: No node has the next slot, and ``skips_uncovered`` is False.
        """
        covered = 0
        for slots in owners.values():
            covered |= slots
        left = self.left & covered if skips_uncovered else self.left
        if not left:
            return Position(0)
        slot = _lowest(left)
        for node, slots in owners.items():
            if slots >> slot & 1:
                return Position(left, node, slots & left)
        raise RequestError(
            f"no node of the cluster has slot {slot}; pass allow_non_covered_slots=True to scan "
            "without it"
        )

    def after(self, cursor: bytes, owners: Mapping[str, int] | None) -> Position:
        """Return the position after a reply of the node.

        Args:
            cursor: The cursor in the reply.
            owners: The slots of each node; None unless the node has returned all its keys.
        """
        if owners is None:
            return Position(self.left, self.node, self.here, cursor.decode("ascii"))
        return Position(self.left & ~(self.here & owners.get(self.node, 0)))

    def again(self) -> Position:
        """Return the position if another node answered: the scan of that one counts for nothing."""
        return Position(self.left)


class ClusterScanCursor:
    """Where ``GlideClusterClient.scan`` is.

    Make one without arguments for a new scan, and pass each call the cursor of the call before. A
    cursor never changes.

    Args:
        new_cursor: What ``get_cursor`` returned, to continue that scan; None begins a new one.

    Raises:
        TypeError: ``new_cursor`` is not a str.
        ValueError: ``get_cursor`` does not return such a str.

    Example:
        >>> cursor = ClusterScanCursor()
        >>> while not cursor.is_finished():
        ...     cursor, keys = await client.scan(cursor, match="user:*")
    """

    __slots__ = ("_position",)

    def __init__(self, new_cursor: str | None = None) -> None:
        self._position = Position()
        if new_cursor is not None:
            self._position = _parse(new_cursor)

    def get_cursor(self) -> str:
        """The position as a str, with which any process can continue the scan."""
        at = self._position
        return f"{at.left:x}:{at.node}:{at.here:x}:{at.cursor}"

    def is_finished(self) -> bool:
        """Whether all slots were scanned."""
        return not self._position.left

    def __repr__(self) -> str:
        done = SLOTS - self._position.left.bit_count()
        return f"<ClusterScanCursor {done} of {SLOTS} slots>"

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, ClusterScanCursor):
            return NotImplemented
        return self._position == other._position

    def __hash__(self) -> int:
        return hash(self._position)

    def __reduce__(self) -> tuple[type[ClusterScanCursor], tuple[str]]:
        return ClusterScanCursor, (self.get_cursor(),)

    @classmethod
    def _at(cls, position: Position) -> ClusterScanCursor:
        cursor = cls()
        cursor._position = position
        return cursor


def slots_of_nodes(reply: Iterable[list[Any]]) -> dict[str, int]:
    """Return the slots of each primary from the reply to CLUSTER SLOTS."""
    owners: dict[str, int] = {}
    for first, last, primary, *_ in reply:
        node = primary[2].decode("ascii")
        owners[node] = owners.get(node, 0) | (1 << last + 1) - (1 << first)
    return owners


def _lowest(slots: int) -> int:
    return (slots & -slots).bit_length() - 1


def _parse(text: str) -> Position:
    checks.of_type("new_cursor", text, str, "str, or None")
    try:
        left, node, here, cursor = text.split(":")
        position = Position(int(left, 16), node, int(here, 16), cursor)
        fits = 0 <= position.left <= _ALL and 0 <= position.here <= _ALL
        if not fits or not cursor.isdecimal() or (cursor != "0" and not position.here):
            raise ValueError
    except ValueError:
        raise ValueError(
            f"new_cursor is {text[:40]!r}; pass what get_cursor() of a ClusterScanCursor returned"
        ) from None
    return position


show_as_public(globals())
