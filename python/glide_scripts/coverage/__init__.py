"""Lua in the reports of coverage.py: which lines and branches of scripts ran on real servers.

With ``pip install "glide-scripts[coverage]"``, ``pytest --cov`` shows ``.lua`` files beside ``.py``
files. For ``coverage run``, and for ``coverage report`` and similar commands, name this package in
the settings of coverage.py::

    [tool.coverage.run]
    plugins = ["glide_scripts.coverage"]

Without either, use ``measure``.

The servers must be started by this process, with ``glide_scripts.testing``: what ran is read from
their logs.
"""

from __future__ import annotations

import glide_scripts  # noqa: F401 - waits until the package is there

from ._plugin import LuaPlugin, begin, coverage_init, measure, register, unplaced

__all__ = ["LuaPlugin", "begin", "coverage_init", "measure", "register", "unplaced"]
