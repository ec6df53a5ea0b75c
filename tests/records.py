"""What the client has said to Python's logging."""

from __future__ import annotations

import logging
import re

import pytest


class Records:
    """The records of the logger ``glide_scripts``, as they come."""

    def __init__(self, caplog: pytest.LogCaptureFixture) -> None:
        self._caplog = caplog

    def count(self, level: int, words: str) -> int:
        """How many of that level match the words, which are a regular expression."""
        return sum(
            record.levelno == level and re.search(words, record.message) is not None
            for record in self._ours()
        )

    def all(self) -> list[str]:
        return [f"{record.levelname}: {record.message}" for record in self._ours()]

    def _ours(self) -> list[logging.LogRecord]:
        return [record for record in self._caplog.records if record.name == "glide_scripts"]
