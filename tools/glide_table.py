"""Compare this package with valkey-glide, and write the tables of docs/migrating/glide.md.

    python tools/glide_table.py          # writes them
    python tools/glide_table.py --check  # says whether they are up to date

It needs both packages, as the environment of the tests has them.
"""

from __future__ import annotations

import inspect
import sys
import textwrap
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import glide

import glide_scripts

PAGE = Path(__file__).parents[1] / "docs/migrating/glide.md"
BEGIN, END = "<!-- tables: tools/glide_table.py -->", "<!-- end of the tables -->"

CLASSES = ("GlideClient", "GlideClusterClient", "Batch", "ClusterBatch")
SETTINGS = (
    "GlideClientConfiguration",
    "GlideClusterClientConfiguration",
    "AdvancedGlideClientConfiguration",
    "AdvancedGlideClusterClientConfiguration",
    "TlsAdvancedConfiguration",
    "ServerCredentials",
    "BackoffStrategy",
    "NodeAddress",
)


def main() -> int:
    text = PAGE.read_text()
    wanted = with_tables(text)
    if text == wanted:
        return 0
    if "--check" in sys.argv[1:]:
        print(f"{PAGE.name} is out of date; run python tools/glide_table.py", file=sys.stderr)
        return 1
    PAGE.write_text(wanted)
    return 0


def with_tables(page: str) -> str:
    """Return the page with the tables of the installed packages."""
    before, rest = page.split(BEGIN)
    after = rest.split(END)[1]
    return f"{before}{BEGIN}\n\n{tables()}\n{END}{after}"


def tables() -> str:
    parts = [*methods_table(), "", *names_table(), "", *settings_table(), "", *differences_table()]
    return "\n".join([*parts, ""])


def methods_table() -> Iterator[str]:
    yield "| class | methods in valkey-glide | in both | with the same parameters |"
    yield "|---|---|---|---|"
    for name in CLASSES:
        theirs, ours = methods(getattr(glide, name)), methods(getattr(glide_scripts, name))
        both = theirs.keys() & ours.keys()
        same = [each for each in both if parameters(theirs[each]) == parameters(ours[each])]
        yield f"| `{name}` | {len(theirs)} | {len(both)} | {len(same)} |"
    theirs, ours = methods(glide.GlideClient), methods(glide_scripts.GlideClient)
    of_cluster = (
        methods(glide.GlideClusterClient).keys() & methods(glide_scripts.GlideClusterClient).keys()
    )
    yield ""
    yield "Methods of both that the clients have:"
    yield ""
    yield listed(theirs.keys() & ours.keys() | of_cluster)
    yield ""
    yield "Methods of `GlideClient` that are not here:"
    yield ""
    yield listed(theirs.keys() - ours.keys())


def names_table() -> Iterator[str]:
    theirs, ours = set(glide.__all__), set(glide_scripts.__all__)
    yield f"`glide` exports {len(theirs)} names, of which `glide_scripts` has {len(theirs & ours)}:"
    yield ""
    yield listed(theirs & ours)


def settings_table() -> Iterator[str]:
    yield "| configuration | in both | only with the default value | only in glide_scripts |"
    yield "|---|---|---|---|"
    for name in SETTINGS:
        theirs = parameters(getattr(glide, name))
        ours = inspect.signature(getattr(glide_scripts, name)).parameters
        absent = [each for each in theirs if each in ours and is_absent(ours[each])]
        missing = [each for each in theirs if each not in ours]
        assert not missing, (name, missing)
        here = [each for each in theirs if each not in absent]
        own = [each for each in ours if each not in theirs]
        yield f"| `{name}` | {cell(here)} | {cell(absent)} | {cell(own)} |"


def differences_table() -> Iterator[str]:
    yield "| method | valkey-glide's parameters | glide_scripts' parameters |"
    yield "|---|---|---|"
    for name in CLASSES:
        theirs, ours = methods(getattr(glide, name)), methods(getattr(glide_scripts, name))
        for method in sorted(theirs.keys() & ours.keys()):
            there, here = parameters(theirs[method]), parameters(ours[method])
            if there != here:
                yield f"| `{name}.{method}` | {cell(there)} | {cell(here)} |"


def methods(owner: type) -> dict[str, Any]:
    members = inspect.getmembers(owner, inspect.isroutine)
    return {name: member for name, member in members if not name.startswith("_")}


def parameters(function: Any) -> list[str]:
    names = list(inspect.signature(function).parameters)
    return [name for name in names if name not in {"self", "cls"}]


def is_absent(parameter: inspect.Parameter) -> bool:
    """Whether the parameter takes only its default: see config/unsupported.py."""
    return parameter.name in glide_scripts.config.unsupported.INSTEAD


def cell(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in names) or "none"


def listed(names: Iterable[str]) -> str:
    text = ", ".join(f"`{name}`" for name in sorted(names))
    return textwrap.fill(text, 118, break_long_words=False, break_on_hyphens=False)


if __name__ == "__main__":
    sys.exit(main())
