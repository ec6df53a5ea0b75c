"""Several branches of one line in coverage.py's HTML report."""

from __future__ import annotations

from typing import TYPE_CHECKING

from coverage.html import HtmlDataGeneration

from ._measuring import set_method

if TYPE_CHECKING:
    from coverage.html import FileData
    from coverage.plugin import FileReporter
    from coverage.results import Analysis

_data_for_file = HtmlDataGeneration.data_for_file


def allow_several_branches() -> None:
    """Let the report say of several branches of a line that they were not taken.

    It says so of one only, and fails if there are more: a line of Python has two branches. A line
    of Lua may have more, such as ``if a then return 1 elseif b then return 2 end``.
    """
    set_method(HtmlDataGeneration, "data_for_file", _joined)


def _joined(self: HtmlDataGeneration, fr: FileReporter, analysis: Analysis) -> FileData:
    data = _data_for_file(self, fr, analysis)
    for line in data.lines:
        # Two conditions on a line may have the same text.
        if said := "; ".join(dict.fromkeys(line.long_annotations)):
            line.long_annotations = [said]
    return data
