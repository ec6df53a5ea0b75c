"""Lua in the coverage that pytest-cov measures, or ``coverage run -m pytest``."""

from __future__ import annotations

from typing import Any

import pytest

_MISSING = pytest.StashKey[str]()
_MEASURES = pytest.StashKey[set[str]]()
"""Where texts were sent that are in no file."""
_UNPLACED = "glide_scripts_unplaced"
_SHOWN = 5


@pytest.hookimpl(trylast=True)
def pytest_sessionstart(session: pytest.Session) -> None:
    """Measure the scripts of the tests, if the tests are measured.

    By now pytest-cov measures, also in a worker of pytest-xdist.
    """
    from coverage import Coverage  # noqa: PLC0415 - an extra

    config = session.config
    current = Coverage.current()
    if current is None:
        return
    try:
        from ..coverage import begin, register  # noqa: PLC0415 - an extra
    except ImportError as error:
        config.stash[_MISSING] = str(error)
        return
    begin(current)
    config.stash.setdefault(_MEASURES, set())
    # pytest-cov reports with one that has combined the data.
    plugin: Any = config.pluginmanager.getplugin("_cov")
    combining = getattr(getattr(plugin, "cov_controller", None), "combining_cov", None)
    if combining is not None:
        register(combining)


@pytest.hookimpl
def pytest_sessionfinish(session: pytest.Session) -> None:
    """Keep where texts were sent that are in no file; a worker of pytest-xdist passes it on."""
    config = session.config
    if _MISSING in config.stash or _MEASURES not in config.stash:
        return
    from ..coverage import unplaced  # noqa: PLC0415 - an extra

    output: dict[str, Any] | None = getattr(config, "workeroutput", None)
    if output is None:
        config.stash[_MEASURES] |= unplaced()
    else:
        output[_UNPLACED] = sorted(unplaced())


class OfWorkers:
    """Hooks of pytest-xdist."""

    def pytest_testnodedown(self, node: Any) -> None:
        """Take what a worker passes on."""
        output = getattr(node, "workeroutput", None) or {}
        node.config.stash.setdefault(_MEASURES, set()).update(output.get(_UNPLACED, ()))


def pytest_configure(config: pytest.Config) -> None:
    """Listen to the workers, if there are any."""
    if config.pluginmanager.hasplugin("xdist"):
        config.pluginmanager.register(OfWorkers())


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    """Say what is missing, and what is not shown."""
    if (missing := config.stash.get(_MISSING, None)) is not None:
        terminalreporter.write_line(f"glide-scripts: {missing}")
    if places := sorted(config.stash.get(_MEASURES, ())):
        more = f" and {len(places) - _SHOWN} more" if len(places) > _SHOWN else ""
        terminalreporter.write_line(
            "glide-scripts: scripts are not in the report whose text is in no measured file, or on "
            f"one line of a Python file; they are sent at {', '.join(places[:_SHOWN])}{more}"
        )
