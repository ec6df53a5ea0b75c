"""Which files are measured, by the settings of coverage.py, and which texts they contain."""

from __future__ import annotations

import importlib.util
import os
import sysconfig
from collections import defaultdict
from collections.abc import Iterable, Iterator
from functools import cached_property
from itertools import chain
from typing import Any

from coverage import Coverage
from coverage.files import GlobMatcher, canonical_filename, prep_patterns

from ._texts import Text, forms, texts_of

_LEFT_OUT = {"__pycache__", "build", "dist", "node_modules", "site-packages", "venv"}


class Scope:
    """The files that coverage.py's ``source``, ``include`` and ``omit`` leave in."""

    def __init__(self, coverage: Coverage) -> None:
        def option(name: str) -> list[str]:
            value: Any = coverage.get_option(name)
            return list(value or ())

        sources = [*option("run:source"), *option("run:source_pkgs"), *option("run:source_dirs")]
        self.has_source = bool(sources)
        self._roots = [root for each in sources for root in _folders(each)]
        include = [] if sources else option("run:include")
        self._include = _matcher(include)
        # They may be elsewhere than below the current folder.
        self._named = [canonical_filename(each) for each in include if os.path.isfile(each)]
        self._omit = _matcher(option("run:omit"))

    def contains(self, path: str) -> bool:
        """Whether a file is measured."""
        path = canonical_filename(path)
        if self._omit is not None and self._omit.match(path):
            return False
        if self.has_source:
            return any(path.startswith(root.rstrip(os.sep) + os.sep) for root in self._roots)
        if self._include is not None:
            return bool(self._include.match(path))
        return not any(path.startswith(folder + os.sep) for folder in _installed())

    def lua_files(self) -> Iterator[str]:
        """All ``.lua`` files that are measured."""
        return (path for path in self._files if path.endswith(".lua"))

    def files_with_lua(self) -> set[str]:
        """All ``.lua`` files that are measured, and the Python files with strings of Lua."""
        texts = chain.from_iterable(self._texts.values())
        return {*self.lua_files(), *(path for path, _ in texts)}

    def find(self, code: bytes) -> list[tuple[str, Text, tuple[int, ...]]]:
        """Find a text that a program has sent.

        Returns:
            For each place that it stands at, the file, its text there, and the file's line of each
            line that was sent.
        """
        known = self._texts.get(code)
        if known is not None:
            return [(path, text, text.places) for path, text in known]
        placed = ((path, text, text.literal) for path, text in self._templates)
        return [
            (path, text, places)
            for path, text, literal in placed
            if literal is not None and (places := literal.places_in(code)) is not None
        ]

    @cached_property
    def _templates(self) -> list[tuple[str, Text]]:
        found: dict[int, tuple[str, Text]] = {}
        for path, text in chain.from_iterable(self._texts.values()):
            if text.literal is not None and text.literal.is_template:
                found.setdefault(id(text.literal), (path, text))
        return list(found.values())

    @cached_property
    def _files(self) -> list[str]:
        found = self._named.copy()
        for root in self._roots or [canonical_filename(os.curdir)]:
            for folder, folders, names in os.walk(root):
                folders[:] = [
                    each for each in folders if each not in _LEFT_OUT and not each.startswith(".")
                ]
                paths = (canonical_filename(os.path.join(folder, name)) for name in names)
                found += [path for path in paths if path.endswith((".lua", ".py"))]
        return sorted({path for path in found if self.contains(path)})

    @cached_property
    def _texts(self) -> dict[bytes, list[tuple[str, Text]]]:
        texts: defaultdict[bytes, list[tuple[str, Text]]] = defaultdict(list)
        for path in self._files:
            try:
                found = texts_of(path)
            except OSError:
                continue
            for text in found:
                # Two forms of a text may be the same.
                for code, form in {form.code: form for form in forms(text)}.items():
                    texts[code].append((path, form))
        return dict(texts)


def _folders(source: str) -> Iterable[str]:
    """The folders of a source, which is a folder or a package."""
    if os.path.isdir(source):
        return [canonical_filename(source)]
    try:
        spec = importlib.util.find_spec(source)
    except (ImportError, ValueError):
        return []
    if spec is None:
        return []
    places = spec.submodule_search_locations or []
    return [canonical_filename(place) for place in places]


def _matcher(patterns: list[str]) -> GlobMatcher | None:
    return GlobMatcher(prep_patterns(patterns), "lua") if patterns else None


def _installed() -> set[str]:
    names = ("stdlib", "platstdlib", "purelib", "platlib")
    return {canonical_filename(sysconfig.get_path(name)) for name in names}
