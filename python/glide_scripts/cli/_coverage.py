"""Which lines and branches of one script run, for ``--coverage``."""

import io
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .. import Script, TypedScript
from ..declared.source import SourceMap
from ..probes.insertion import DEBUGGED, Insertions
from ._failure import UNUSABLE, Failure
from ._origin import Origin

if TYPE_CHECKING:
    from ..coverage._measuring import Measuring

NOT_COVERED = "the script has no room for probes: it is debugged without coverage"


@dataclass(frozen=True)
class Covered:
    """A script that is measured, with what it includes."""

    measuring: "Measuring"

    def report(self) -> str:
        """Return which lines and branches have run up to now; empty if nothing has."""
        coverage = self.measuring.coverage
        if not coverage.get_data().measured_files():
            return ""
        report = io.StringIO()
        coverage.report(show_missing=True, file=report)
        return f"{report.getvalue().rstrip()}\n"

    def probes(self, script: Script) -> Insertions | None:
        """Return the probes for a script that the server's debugger runs."""
        return self.measuring.probes(script.code, _source_map(script), DEBUGGED)


@contextmanager
def covered(source: Origin, url: Sequence[str] | None) -> Iterator[Covered]:
    """Measure the lines of a script and of what it includes.

    Raises:
        Failure: The script is in no file, or not in UTF-8, or not on a server of this command, or
            the extra is missing.
    """
    if url is not None:
        why = "--coverage reads the log of a temporary server; leave --url out"
        raise Failure(why, UNUSABLE)
    source_map = _source_map(source.read())
    if source.file is None:
        raise Failure(f"{source}: --coverage is for a script in a file", UNUSABLE)
    if source_map is None:
        raise Failure(f"{source}: --coverage is for a script in UTF-8", UNUSABLE)
    try:
        from ..coverage._plugin import measuring  # noqa: PLC0415 - an extra
    except ImportError as error:
        raise Failure(str(error), UNUSABLE) from None
    with measuring(include=[path for path in source_map.paths if path is not None]) as begun:
        yield Covered(begun)


@contextmanager
def reported(measured: Covered | None) -> Iterator[None]:
    """Write the report of what is measured to standard error, at the end."""
    try:
        yield
    finally:
        if measured is not None:
            print(measured.report(), end="", file=sys.stderr)


def _source_map(script: Script) -> SourceMap | None:
    return script._source_map if isinstance(script, TypedScript) else None
