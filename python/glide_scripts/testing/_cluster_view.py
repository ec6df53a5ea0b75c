"""What one node of a cluster says about all of them."""

from dataclasses import dataclass
from typing import Self

from ._server import ValkeyServer

# Seconds. A node that takes longer for a look at itself does not count as answering.
_TIMEOUT = 2.0


@dataclass(frozen=True)
class Member:
    """A line of CLUSTER NODES: https://valkey.io/commands/cluster-nodes/"""

    id: str
    port: int
    flags: frozenset[str]
    primary_id: str | None
    epoch: int
    linked: bool
    slots: tuple[range, ...]

    @classmethod
    def parse(cls, line: str) -> Self:
        identity, address, flags, primary, _, _, epoch, link, *slots = line.split()
        return cls(
            id=identity,
            port=int(address.partition("@")[0].rpartition(":")[2]),
            flags=frozenset(flags.split(",")),
            primary_id=None if primary == "-" else primary,
            epoch=int(epoch),
            linked=link == "connected",
            # In brackets: slots on their way between nodes, which still count for their owner.
            slots=tuple(_slot_range(part) for part in slots if not part.startswith("[")),
        )

    @property
    def is_primary(self) -> bool:
        return "master" in self.flags

    @property
    def is_settled(self) -> bool:
        return self.linked and not self.flags & {"fail", "fail?", "handshake", "noaddr"}

    def owns(self, slot: int) -> bool:
        return any(slot in owned for owned in self.slots)


@dataclass(frozen=True)
class View:
    """CLUSTER NODES as one node answers it."""

    members: tuple[Member, ...]

    @property
    def myself(self) -> Member:
        return next(member for member in self.members if "myself" in member.flags)

    @property
    def picture(self) -> frozenset[tuple[str, bool, str | None, tuple[range, ...]]]:
        """What all nodes must agree on: who is whose replica, and who owns which slots."""
        return frozenset((m.id, m.is_primary, m.primary_id, m.slots) for m in self.members)

    def knows(self, identity: str) -> bool:
        return any(m.id == identity and m.is_settled for m in self.members)


def view_of(node: ValkeyServer) -> View:
    """Raises `OSError` when the node does not answer."""
    lines = text(node, "CLUSTER", "NODES").splitlines()
    return View(tuple(Member.parse(line) for line in lines))


def fields(node: ValkeyServer, *words: str) -> dict[str, str]:
    """An INFO-like reply as a mapping."""
    lines = text(node, *words).splitlines()
    return dict(line.split(":", 1) for line in lines if ":" in line)


def text(node: ValkeyServer, *words: str) -> str:
    reply = node.command(*words, timeout=_TIMEOUT)
    assert isinstance(reply, bytes)
    return reply.decode()


def _slot_range(part: str) -> range:
    first, _, last = part.partition("-")
    return range(int(first), int(last or first) + 1)
