"""What a `FaultProxy` does to its connections."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import dataclass, field


@dataclass(frozen=True, eq=False)
class Loss:
    """The reply to one request that holds any of `matching` is lost, and its connection ends."""

    matching: tuple[bytes, ...]
    let_through: int
    """How many bytes of the reply come through before."""

    @property
    def counted_as(self) -> str:
        return "cut" if self.let_through else "dropped"


@dataclass
class Damage:
    """What is done to all connections of a proxy now, and how often what was done."""

    counts: Counter[str] = field(default_factory=Counter)
    losses: list[Loss] = field(default_factory=list)
    """Those that have met no request yet."""
    swallows: bool = False
    """Whether new connections are black holes."""
    flow: asyncio.Event = field(default_factory=asyncio.Event)
    """Cleared while replies are held."""
    delay: float = 0.0
    merge: float = 0.0
    splits: bool = False
    ports: dict[int, int] = field(default_factory=dict)
    pace: float | None = None

    def __post_init__(self) -> None:
        self.flow.set()

    def clear(self) -> None:
        self.losses.clear()
        self.swallows = self.splits = False
        self.flow.set()
        self.delay = self.merge = 0.0
        self.pace = None
