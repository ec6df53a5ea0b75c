"""How large a distribution is, packed and installed, alone and with all that it needs."""

from __future__ import annotations

import re
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path

from packaging.requirements import Requirement


def sizes(name: str | None, parser: str | None, wheels: str | None) -> dict[str, float]:
    """Return the sizes in bytes; an empty dict without `name`.

    The wheel's size is included only if `wheels` contains the wheel. `parser` counts as one of the
    dependencies.
    """
    if name is None:
        return {}
    figures = {
        "installed_bytes": float(_installed(distribution(name))),
        "installed_with_needs_bytes": float(
            sum(map(_installed, _with_needs(*filter(None, (name, parser)))))
        ),
    }
    if wheels is not None:
        prefix = re.sub(r"[-_.]+", "_", name).lower() + "-"
        for wheel in Path(wheels).glob("*.whl"):
            if wheel.name.lower().startswith(prefix):
                figures["wheel_bytes"] = float(wheel.stat().st_size)
    return figures


def _installed(dist: Distribution) -> int:
    """Do not count byte code: how much there is depends on what was imported."""
    files = [Path(str(dist.locate_file(file))) for file in dist.files or []]
    return sum(file.stat().st_size for file in files if file.suffix != ".pyc" and file.exists())


def _with_needs(*names: str) -> list[Distribution]:
    found: dict[str, Distribution] = {}
    missing = list(names)
    while missing:
        wanted = missing.pop().lower()
        if wanted in found:
            continue
        try:
            dist = distribution(wanted)
        except PackageNotFoundError:
            # A dependency for other systems or versions of Python.
            continue
        found[wanted] = dist
        for text in dist.requires or []:
            requirement = Requirement(text)
            if requirement.marker is None or requirement.marker.evaluate({"extra": ""}):
                missing.append(requirement.name)
    return list(found.values())
