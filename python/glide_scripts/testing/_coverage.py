"""Lua in the coverage that pytest-cov measures, or ``coverage run -m pytest``."""

from __future__ import annotations

from typing import Any

import pytest

_MISSING = pytest.StashKey[str]()


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
    # pytest-cov reports with one that has combined the data.
    plugin: Any = config.pluginmanager.getplugin("_cov")
    combining = getattr(getattr(plugin, "cov_controller", None), "combining_cov", None)
    if combining is not None:
        register(combining)


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    """Say what is missing."""
    if (missing := config.stash.get(_MISSING, None)) is not None:
        terminalreporter.write_line(f"glide-scripts: {missing}")
