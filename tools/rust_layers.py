"""Keeps the Rust crates in layers: no circle among modules, and no folder that uses one above it.

Reads the paths in each crate's sources that lead to its own modules. Tests are left out: they may
look at anything. Part of `make check-lint`.
"""

import re
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
# Each crate's folders and files, the highest first. Each may use itself and those after it. If a
# crate has no list, only circles are errors.
FOLDERS = {
    "rust/core/src": [
        "client",
        "upkeep",
        "calls",
        "servers",
        "connection",
        "model",
        "tasks",
        "wire",
    ],
    "rust/py/src": [
        "client",
        "batch",
        "blocking",
        "event_loop",
        "call_state",
        "command",
        "probes",
        "config",
        "tls",
        "answers",
        "stats",
        "replies",
        "route",
        "errors",
        "script",
        "once",
        "arguments",
        "library",
        "polling",
        "socket",
        "python",
        "process",
    ],
    "rust/sim/src": [],
}
# The files that declare a crate's modules and its public names.
ROOTS = {"lib", "main"}
PATH = re.compile(r"\b(?:crate|super|self)(?:::\w+)+")
USE = re.compile(r"\buse\s+([^;]*);")

Module = tuple[str, ...]


def without_tests(text: str) -> str:
    """Return the text without comments, strings and inline test modules."""
    text = re.sub(r"//[^\n]*", "", text)
    text = re.sub(r'"(?:\\.|[^"\\])*"', '""', text)
    while found := re.search(r"#\[cfg\(test\)\]\s*(?:pub(?:\([^)]*\))?\s+)?mod\s+\w+\s*\{", text):
        end, depth = found.end(), 1
        while depth:
            depth += {"{": 1, "}": -1}.get(text[end], 0)
            end += 1
        text = text[: found.start()] + text[end:]
    return re.sub(r"#\[cfg\(test\)\]\s*(?:pub(?:\([^)]*\))?\s+)?use[^;]*;", "", text)


def module_of(file: Path, source: Path) -> Module:
    parts = file.relative_to(source).with_suffix("").parts
    return parts[:-1] if parts[-1] == "mod" else parts


def expanded(path: str) -> list[str]:
    """Return the single paths of a `use`: `a::{b, c::d}` is `a::b` and `a::c::d`."""
    head, brace, inner = path.partition("{")
    if not brace:
        return [re.sub(r"\s+as\s+\w+", "", path).strip()]
    parts, depth, begin = [], 0, 0
    inner = inner.rstrip()[:-1]
    for at, char in enumerate(inner):
        depth += {"{": 1, "}": -1}.get(char, 0)
        if char == "," and depth == 0:
            parts.append(inner[begin:at])
            begin = at + 1
    parts.append(inner[begin:])
    return [head.strip() + one for part in parts if part.strip() for one in expanded(part.strip())]


def used_by(
    module: Module, text: str, modules: set[Module], given: dict[str, Module]
) -> set[Module]:
    """Return the modules that a file names, also by the names that the crate's root gives."""
    paths = [path for use in USE.findall(text) for path in expanded(use)]
    paths += PATH.findall(USE.sub("", text))
    found = set()
    for path in paths:
        first, *words = [word.strip() for word in path.split("::")]
        at: Module = () if first == "crate" else module
        if first == "super":
            at = module[:-1]
        elif first not in {"crate", "self"}:
            words.insert(0, first)
        for word in words:
            if word == "super":
                at = at[:-1]
            elif (*at, word) in modules:
                at = (*at, word)
            else:
                at = given.get(word, at) if at == () else at
                break
        found.add(at)
    # A module and those that it declares are one: the inner one may name the outer one's types.
    return {used for used in found if used and module[: len(used)] != used}


def given_by(root: Path, modules: set[Module]) -> dict[str, Module]:
    """Return the public names of a crate's root, with their modules."""
    given = {}
    for use in USE.findall(without_tests(root.read_text())) if root.exists() else ():
        for path in expanded(use):
            words = path.removeprefix("crate::").split("::")
            module = next(
                (tuple(words[:n]) for n in range(len(words), 0, -1) if tuple(words[:n]) in modules),
                (),
            )
            given[words[-1]] = module
    return given


def circle(uses: dict[Module, set[Module]]) -> list[Module]:
    """Return modules that use each other in a ring, or nothing."""
    done: set[Module] = set()

    def visit(module: Module, path: list[Module]) -> list[Module]:
        if module in path:
            return [*path[path.index(module) :], module]
        if module not in done:
            for used in sorted(uses.get(module, ())):
                if ring := visit(used, [*path, module]):
                    return ring
            done.add(module)
        return []

    return next((ring for module in sorted(uses) if (ring := visit(module, []))), [])


def faults_of(crate: str, folders: list[str]) -> list[str]:
    source = ROOT / crate
    files = {
        module_of(file, source): file
        for file in sorted(source.rglob("*.rs"))
        if not file.stem.endswith("_tests")
    }
    modules = {module for module in files if module[0] not in ROOTS}
    given = given_by(source / "lib.rs", modules)
    uses: dict[Module, set[Module]] = {
        module: used_by(module, without_tests(file.read_text()), modules, given)
        for module, file in files.items()
        if module[0] not in ROOTS
    }
    name = {module: f"{file.relative_to(ROOT)}" for module, file in files.items()}
    faults = []
    for module, used in uses.items():
        if folders and module[0] not in folders:
            faults.append(f"{name[module]}: in none of the folders of {Path(__file__).name}")
            continue
        faults += [
            f"{name[module]} uses {name[other]}, which is above it"
            for other in sorted(used)
            if folders and folders.index(other[0]) < folders.index(module[0])
        ]
    if ring := circle(uses):
        faults.append("a circle: " + " uses ".join(name[module] for module in ring))
    return faults


def main() -> None:
    faults = [fault for crate, folders in FOLDERS.items() for fault in faults_of(crate, folders)]
    sys.exit("\n".join(faults) if faults else 0)


if __name__ == "__main__":
    main()
