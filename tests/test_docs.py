"""What the README and the documentation show runs as it stands, and prints what they say."""

import ast
import importlib.metadata
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from tests.docs_page import ROOT, Block, blocks, tabs_of

import glide_scripts
import glide_scripts.otel
import glide_scripts.testing

DOCS = ROOT / "docs"
PAGES = [ROOT / "README.md", *sorted(DOCS.rglob("*.md"))]
# A page may start pytest a dozen times: half a minute, and many times that on a busy machine.
TIMEOUT_SECS = 400
LINK = re.compile(r"\]\((?!https?://|#)([^)#\s]+)")


def name(page: Path) -> str:
    return str(page.relative_to(ROOT))


ONE_FORM: list[str | None] = [None]
# Each page as it stands, or as each of its tabs shows it.
SHOWN = [(page, tab) for page in PAGES if blocks(page) for tab in tabs_of(page) or ONE_FORM]


@pytest.mark.timeout(TIMEOUT_SECS + 20)
@pytest.mark.parametrize(
    ("page", "tab"),
    SHOWN,
    ids=[f"{name(page)}-{tab}" if tab else name(page) for page, tab in SHOWN],
)
def test_what_a_page_shows_is_what_happens(page: Path, tab: str | None, tmp_path: Path) -> None:
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    done = subprocess.run(
        [
            sys.executable,
            "-W",
            "error",
            "-m",
            "tests.docs_page",
            str(page),
            *([tab] if tab else []),
        ],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env={**os.environ, "PYTHONUTF8": "1", "PYTHONPATH": str(ROOT)},
        timeout=TIMEOUT_SECS,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    wrong = [f"{name(page)}:{line}\n{what}" for line, what in json.loads(done.stdout)]
    assert not wrong, "\n".join(wrong)
    assert done.stderr == ""


@pytest.mark.parametrize("page", [page for page in PAGES if blocks(page)], ids=name)
def test_what_a_page_imports_it_uses(page: Path) -> None:
    shared: list[Block] = []
    programs: list[list[Block]] = [shared]
    for block in blocks(page):
        if block.language == "python":
            # Files and programs share no names.
            alone = block.title is not None or block.tab is not None or block.is_program
            programs.append([block]) if alone else shared.append(block)
    unused = [f"{name(page)}: {each}" for program in programs for each in unused_imports(program)]
    assert unused == []


def unused_imports(program: list[Block]) -> set[str]:
    nodes = [node for block in program for node in ast.walk(ast.parse(block.text))]
    imported = {
        (alias.asname or alias.name).partition(".")[0]
        for node in nodes
        if isinstance(node, ast.Import | ast.ImportFrom)
        for alias in node.names
    }
    used = {node.id for node in nodes if isinstance(node, ast.Name)}
    # A type may be named in quotes.
    quoted = {node.value for node in nodes if isinstance(node, ast.Constant)}
    return imported - used - quoted


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_what_a_page_links_to_is_there(page: Path) -> None:
    missing = [link for link in LINK.findall(page.read_text()) if not (page.parent / link).exists()]
    assert missing == []


@pytest.mark.parametrize("page", [page for page in PAGES if DOCS in page.parents], ids=name)
def test_a_page_links_to_nothing_outside_the_documentation(page: Path) -> None:
    """Else the link would work on the code host, but not on the site."""
    links = [(page.parent / link).resolve() for link in LINK.findall(page.read_text())]
    assert [link for link in links if not link.is_relative_to(DOCS)] == []


def test_the_readme_works_on_pypi() -> None:
    """It has no relative links, which lead nowhere there; it names files instead."""
    text = (ROOT / "README.md").read_text()
    assert LINK.findall(text) == []
    named = re.findall(r"`([\w/-]+(?:\.(?:md|json|py)|/))`", text)
    assert len(named) > 20
    folders = [ROOT, DOCS, ROOT / "tests"]
    assert [file for file in named if not any((at / file).exists() for at in folders)] == []


def test_the_metadata_says_where_the_source_is() -> None:
    urls = importlib.metadata.metadata("glide-scripts").get_all("Project-URL") or []
    assert {url.partition(", ")[0] for url in urls} >= {"Homepage", "Source"}


def test_the_examples_page_shows_the_code_of_each_example() -> None:
    page = (DOCS / "examples.md").read_text()
    shown = re.findall(r'^ +--8<-- "(examples/.+)"$', page, re.MULTILINE)
    assert [file for file in shown if not (ROOT / file).exists()] == []
    programs = {f"examples/{path.name}" for path in (ROOT / "examples").glob("*.py")}
    assert programs <= set(shown)


def test_what_the_architecture_page_names_is_there() -> None:
    """A file, a folder, or a file and what it defines: `calls/single.rs::attempts`."""
    text = (DOCS / "architecture.md").read_text()
    named = re.findall(r"`([\w./]+(?:/|\.(?:rs|py|toml)))(?:::(\w+))?`", text)
    assert len(named) > 50
    roots = [ROOT / root for root in ("rust/core/src", "rust/py/src", "python/glide_scripts", "")]

    def is_there(path: str, defined: str) -> bool:
        definition = re.compile(rf"\b(?:fn|struct|enum|trait|const|def|class) {defined}\b")
        return any(
            (root / path).exists() and (not defined or definition.search((root / path).read_text()))
            for root in roots
        )

    assert [found for found in named if not is_there(*found)] == []


def test_the_reference_has_every_public_name() -> None:
    pages = "".join(page.read_text() for page in (DOCS / "reference").glob("*.md"))
    shown = set(re.findall(r"^::: ([\w.]+)$", pages, re.MULTILINE))
    public = {
        f"{module.__name__}.{name}"
        for module in (glide_scripts, glide_scripts.otel, glide_scripts.testing)
        for name in module.__all__
        if not name.startswith("_")
    }
    # The other names of the package are called by coverage.py and pytest.
    assert shown == public | {"glide_scripts.coverage.measure"}


def test_the_reference_has_every_method_of_a_client() -> None:
    """The client's page leaves the commands out, and the pages of the commands have them."""
    reference = DOCS / "reference"
    (left_out,) = re.findall(r'- "!\^\(([\w|]+)\)\$"', (reference / "clients.md").read_text())
    pages = "".join(page.read_text() for page in (reference / "commands").glob("*.md"))
    shown = re.findall(r"^::: glide_scripts\.GlideClient\.(\w+)$", pages, re.MULTILINE)
    assert sorted(shown) == sorted(left_out.split("|"))
    assert [name for name in shown if not hasattr(glide_scripts.GlideClient, name)] == []
