"""How large a distribution is, packed and installed, alone and with all that it needs."""

from __future__ import annotations

import re
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path

from packaging.requirements import Requirement


def sizes(name: str | None, parser: str | None, wheels: str | None) -> dict[str, float]:
    """In bytes; without `name`, nothing. A wheel's only where `wheels` has it.

    `parser` counts among what is needed.
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
    """Without byte code, which depends on what was imported."""
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
            # Named for other systems or versions.
            continue
        found[wanted] = dist
        for text in dist.requires or []:
            requirement = Requirement(text)
            if requirement.marker is None or requirement.marker.evaluate({"extra": ""}):
                missing.append(requirement.name)
    return list(found.values())
