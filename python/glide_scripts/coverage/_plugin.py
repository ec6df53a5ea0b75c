"""The plugin of coverage.py, and measuring without it."""

from __future__ import annotations

import os
import weakref
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

try:
    import coverage.control
    import tree_sitter_lua  # noqa: F401 - its absence is noticed here
    from coverage import Coverage, CoveragePlugin
    from coverage.plugin_support import Plugins
except ImportError as error:
    raise ImportError(
        f'coverage of Lua needs {error.name}: pip install "glide-scripts[coverage]"',
        name=error.name,
    ) from None

from ..declared.source import SourceMap
from ..probes.commands import substitute, substitutes
from ..probes.substitutes import Substitutes
from ._html import allow_several_branches
from ._measuring import Measuring
from ._reporters import only_lua, reporter

MODULE = "glide_scripts.coverage"

_measuring: Measuring | None = None


class LuaPlugin(CoveragePlugin):
    """Measures Lua as long as coverage.py measures Python."""


def coverage_init(plugins: Plugins, options: object) -> None:
    """Load the plugin. coverage.py calls this."""
    plugins.add_configurer(LuaPlugin())
    _report_on_lua()
    if _measuring is None:
        substitute(Substitutes(_insert_first))


def register(coverage: Coverage) -> None:
    """Load the plugin into a ``Coverage`` whose settings do not name it."""
    names: Any = coverage.get_option("run:plugins") or []
    if MODULE in names:
        return
    coverage.set_option("run:plugins", [*names, MODULE])
    # One that has begun has loaded its plugins.
    if coverage._inited:
        coverage._plugins.load_from_config([MODULE], coverage.config)


def begin(coverage: Coverage) -> None:
    """Measure the scripts of this process for a ``Coverage`` that measures its Python."""
    global _measuring  # noqa: PLW0603 - one for the process, as coverage.py's
    register(coverage)
    if _measuring is None:
        _measuring = Measuring(coverage)
        _measuring.begin()


def unplaced() -> set[str]:
    """Return where this process has sent texts of Lua that no measured file has."""
    return set() if _measuring is None else set(_measuring.unplaced)


@contextmanager
def measure(
    *,
    source: Sequence[str | os.PathLike[str]] | None = None,
    include: Sequence[str | os.PathLike[str]] | None = None,
    branch: bool = True,
    config_file: str | bool = False,
) -> Iterator[Coverage]:
    """Measure which lines and branches of scripts run, without pytest.

    ::

        with measure(source=["scripts"]) as coverage:
            ...  # calls scripts on a `ValkeyServer`
        coverage.report(show_missing=True)

    Args:
        source: The folders whose scripts are measured; None means the current folder.
        include: The files that are measured, or patterns of their names, instead of folders.
        branch: Whether to measure branches, too.
        config_file: The settings of coverage.py: a file's name, or True for the default one.

    Yields:
        The ``coverage.Coverage``, with ``report``, ``html_report``, ``xml_report`` and ``save``.
        It measures no Python.
    """
    with measuring(source=source, include=include, branch=branch, config_file=config_file) as begun:
        yield begun.coverage


@contextmanager
def measuring(
    *,
    source: Sequence[str | os.PathLike[str]] | None = None,
    include: Sequence[str | os.PathLike[str]] | None = None,
    branch: bool = True,
    config_file: str | bool = False,
) -> Iterator[Measuring]:
    """Measure as `measure` does, and yield what also gives the probes for a text."""
    # Before the plugin is loaded, which waits for the first script.
    before = substitutes()
    made = Coverage(
        data_file=None,
        branch=branch,
        source=[os.fspath(each) for each in source or [os.curdir]] if include is None else None,
        include=None if include is None else [os.fspath(each) for each in include],
        config_file=config_file,
    )
    only_lua.add(made)
    register(made)
    # This loads the plugin.
    made.get_data()
    begun = Measuring(made)
    begun.begin()
    try:
        yield begun
    finally:
        begun.end(before)
        # Python 3.13 and later warn of data in memory that nobody closes. Not by the data's own
        # method, which would keep `made`.
        weakref.finalize(made, _close, made.get_data()._dbs)


def _close(databases: dict[int, Any]) -> None:
    for database in databases.values():
        database.close(force=True)


def _report_on_lua() -> None:
    """Have coverage.py report on Lua.

    Not as a file tracer: those are switched off where Python's own monitoring measures. Besides,
    the data would then name this plugin. ``coverage report`` would fail where the settings do not,
    and data of Python files of which only some processes have run the Lua could not be combined.
    """
    vars(coverage.control)["PythonFileReporter"] = reporter
    allow_several_branches()


def _insert_first(code: bytes, source_map: SourceMap | None) -> bytes | None:
    """Begin to measure, now that the first script is sent."""
    current = Coverage.current()
    if current is None:
        return None
    begin(current)
    assert _measuring is not None
    return _measuring.insert(code, source_map)
