"""The tables of the page on moving from GLIDE are those of the installed packages."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

TOOL = Path(__file__).parents[2] / "tools/glide_table.py"


def tool() -> Any:
    spec = importlib.util.spec_from_file_location("glide_table", TOOL)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_page_has_the_tables_of_both_packages() -> None:
    glide_table = tool()
    page = glide_table.PAGE.read_text()
    assert glide_table.with_tables(page) == page
