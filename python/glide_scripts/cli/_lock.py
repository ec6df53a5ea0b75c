"""Lockfiles: the SHA1 of every script that is deployed, to be sure that it is what was reviewed.

::

    {
      "version": 1,
      "scripts": {
        "rate_limit.lua": "2a6ab2d20a6d8a9e5e1d1b1f8e4e0b1a7f2a9c3d"
      }
    }

The names are the files' paths from the lockfile's folder, so that it is the same on each machine.
"""

import json
import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from ._failure import UNUSABLE, Failure
from ._findings import Finding
from ._origin import write_file
from ._scripts import Unit

_VERSION = 1


def write(lockfile: Path, units: Iterable[Unit]) -> None:
    """
    Raises:
        Failure: It cannot be written.
    """
    scripts = dict(sorted((_name(lockfile, unit), unit.sha1) for unit in units))
    text = json.dumps({"version": _VERSION, "scripts": scripts}, indent=2, ensure_ascii=False)
    write_file(lockfile, f"{text}\n")


def differences(lockfile: Path, units: Iterable[Unit]) -> Iterator[Finding]:
    """What is not as a lockfile says.

    Raises:
        Failure: It cannot be read, or is no lockfile.
    """
    locked = _read(lockfile)
    for unit in units:
        name = _name(lockfile, unit)
        sha1 = locked.pop(name, None)
        if sha1 is None:
            yield Finding(unit.file, 1, 1, "lock", f"it is not in {lockfile}")
        elif sha1 != unit.sha1:
            why = f"its SHA1 is {unit.sha1}, but {sha1} in {lockfile}"
            yield Finding(unit.file, 1, 1, "lock", why)
    for name in locked:
        yield Finding(str(lockfile), 1, 1, "lock", f"{name} is listed but was not found")


def _name(lockfile: Path, unit: Unit) -> str:
    return Path(os.path.relpath(unit.path, lockfile.parent)).as_posix()


def _read(lockfile: Path) -> dict[str, str]:
    try:
        read = json.loads(lockfile.read_bytes())
        scripts = read["scripts"]
        if read["version"] == _VERSION and all(isinstance(s, str) for s in scripts.values()):
            return dict(scripts)
    except OSError as error:
        raise Failure(f"{lockfile}: {error.strerror}", UNUSABLE) from error
    except (ValueError, LookupError, TypeError, AttributeError):
        pass
    raise Failure(
        f"{lockfile}: it is not a lockfile of version {_VERSION}; write it with check --lock",
        UNUSABLE,
    )
