"""What a debug adapter debugs: what the command line says, and the editor's ``launch`` request."""

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ._origin import Origin


class Refused(Exception):
    """A request that cannot be carried out."""


@dataclass(frozen=True)
class Launch:
    """What the command line gave."""

    origin: Origin | None
    """The script; None: the editor names its file."""
    keys: list[bytes]
    args: list[bytes]
    urls: Sequence[str] | None
    """None: a temporary server."""
    coverage: bool = False
    """Whether to report which lines and branches ran."""


@dataclass(frozen=True)
class Data:
    """What the editor wants in the server, as ``--setup`` and ``--data`` have it."""

    setup: list[Path]
    data: list[str]


def words(given: dict[str, Any], name: str, default: list[bytes]) -> list[bytes]:
    """Return the request's keys or arguments.

    Raises:
        Refused: It has others than strings and whole numbers.
    """
    found = given.get(name)
    if found is None:
        return default
    if not isinstance(found, list) or not all(isinstance(each, (str, int)) for each in found):
        raise Refused(f"{name} is not a list of strings")
    return [os.fsencode(str(each)) for each in found]


def data(given: dict[str, Any]) -> Data | None:
    """Return what the request fills the server with; None if it says nothing of that.

    Raises:
        Refused: It is of a wrong type.
    """
    setup, keys = given.get("setup"), given.get("data")
    if setup is None and keys is None:
        return None
    files = [setup] if isinstance(setup, str) else setup or []
    if not isinstance(files, list) or not all(isinstance(each, str) for each in files):
        raise Refused("setup is not a file, or a list of files")
    if not isinstance(keys, (str, dict, type(None))):
        raise Refused("data is not an object of keys and values, or a file")
    shown = [] if keys is None else [keys if isinstance(keys, str) else json.dumps(keys)]
    return Data([Path(each) for each in files], shown)
