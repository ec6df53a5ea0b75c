"""What is said of a reply that is not of its declared type."""

from __future__ import annotations


class Misfit(Exception):
    """A reply, or a part of it, is not of its declared type."""

    def __init__(self, why: str, where: str = "") -> None:
        super().__init__(why)
        self.why = why
        self.where = where
        """The part: ``[2]['name']``; empty for the whole reply."""

    def within(self, where: str) -> Misfit:
        """The same, of a larger value."""
        return Misfit(self.why, where + self.where)
