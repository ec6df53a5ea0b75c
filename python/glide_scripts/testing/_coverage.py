"""Lua in the coverage that pytest-cov measures, or ``coverage run -m pytest``."""

from __future__ import annotations

from typing import Any

import pytest

_MISSING = pytest.StashKey[str]()


def begin(config: pytest.Config) -> None:
    """Measure the scripts of the tests, if the tests are measured."""
    from coverage import Coverage  # noqa: PLC0415 - an extra

    current = Coverage.current()
    if current is None:
        return
    try:
        from ..coverage import register  # noqa: PLC0415 - an extra
    except ImportError as error:
        config.stash[_MISSING] = str(error)
        return
    register(current)
    # pytest-cov reports with one that has combined the data.
    plugin: Any = config.pluginmanager.getplugin("_cov")
    combining = getattr(getattr(plugin, "cov_controller", None), "combining_cov", None)
    if combining is not None:
        register(combining)


def pytest_report_header(config: pytest.Config) -> str | None:
    """Say what is missing."""
    return config.stash.get(_MISSING, None)
