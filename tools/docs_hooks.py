"""What the documentation's build does and checks beyond mkdocs.

- The link to the source is the project's own `Source` URL, from pyproject.toml.
- The guide's examples are in tabs, for asyncio, synchronous programs and trio.
- Plots follow the site's light and dark switch.
- Identifiers stay in one piece, on narrow screens too.
- Pages load nothing from other hosts.
- The search finds every public name, and what users of other clients look for. It shows an example
  once, not in each tab.
"""

import json
import re
import tomllib
from html import unescape
from pathlib import Path
from typing import Any

from docs_tabs import has_tabs, with_tabs
from mkdocs.exceptions import PluginError

import glide_scripts
import glide_scripts.testing

PROJECT = Path(__file__).parents[1] / "pyproject.toml"
# What a browser loads by itself, as opposed to the links that a reader may follow.
LOADED = re.compile(
    r"""<(?:script|img|iframe|source|link)\b[^>]*?\b(?:src|srcset|href)=["']?((?:https?:)?//[^"'\s>]+)"""
)
# On a code host, <picture> follows the system's preference. The site has a switch of its own, and
# the theme hides one of two images by the end of their addresses.
PICTURE = re.compile(
    r'<picture>\s*<source\s+media="\(prefers-color-scheme: dark\)"\s+srcset="(?P<dark>[^"]+)">\s*'
    r'<img\s+src="(?P<light>[^"]+)"(?P<rest>[^>]*)>\s*</picture>'
)
# Inline code of one word that fits on a narrow screen. docs/assets/extra.css does not break it.
WORD = re.compile(r"<code>(?=(?:[^<\s]{1,40}|\w{1,44})</code>)")
# Other inline code breaks after these, before a browser would break an identifier.
CODE = re.compile(r"(?<=<code>)(?<!</span><code>)[^<]+(?=</code>)")
BREAK = re.compile(r"(&amp;|[/=,.?:@(]+)(?=\w)")
TAB = re.compile(r'<div class="tabbed-(labels|block)">')
WIDEST = 33  # characters that fit into a table's cell on a screen of 400 pixels
SEARCHED = {
    *glide_scripts.__all__,
    *glide_scripts.testing.__all__,
    *("register_script", "from_directory", "from_file", "invoke_script", "may_have_executed"),
}


def on_config(config: Any, **_: Any) -> Any:
    config.repo_url = tomllib.loads(PROJECT.read_text())["project"]["urls"]["Source"]
    return config


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    return with_tabs(markdown) if has_tabs(page.file.src_uri, markdown) else markdown


def on_page_content(html: str, page: Any, **_: Any) -> str:
    html = WORD.sub('<code class="word">', html)
    # Code hosts need a backslash before | in a table's code, and mkdocs would show it.
    html = CODE.sub(lambda code: BREAK.sub(r"\1<wbr>", code[0].replace(r"\|", "|")), html)
    for code in CODE.findall(html.replace("<wbr>", " ")):
        if too_long := [word for word in unescape(code).split() if len(word) > WIDEST]:
            raise PluginError(f"{page.file.src_uri}: a narrow screen breaks {too_long}")
    html = PICTURE.sub(
        r'<img src="\g<light>#only-light"\g<rest>><img src="\g<dark>#only-dark"\g<rest>>', html
    )
    return _searched_in_one_tab(html)


def _searched_in_one_tab(html: str) -> str:
    """Leave the labels of tabs, and all tabs except the first, out of the search."""
    is_first = True

    def marked(tag: re.Match[str]) -> str:
        nonlocal is_first
        is_block = tag[1] == "block"
        shown, is_first = is_block and is_first, not is_block
        return tag[0] if shown else f"{tag[0][:-1]} data-search-exclude>"

    return TAB.sub(marked, html)


def on_post_page(output: str, page: Any, **_: Any) -> str:
    if found := LOADED.findall(output):
        raise PluginError(f"{page.file.src_uri} loads from another host: {', '.join(found)}")
    if "<picture>" in output:
        raise PluginError(f"{page.file.src_uri} has a <picture> that follows the system's colours")
    return output


def on_post_build(config: Any, **_: Any) -> None:
    index = json.loads(Path(config.site_dir, "search", "search_index.json").read_text())
    separator = index["config"]["separator"]
    words = {
        word
        for page in index["docs"]
        for word in re.split(separator, re.sub("<[^>]*>", " ", f"{page['title']} {page['text']}"))
    }
    missing = sorted(name for name in SEARCHED - words if not name.startswith("_"))
    if missing:
        raise PluginError(f"the search does not find {', '.join(missing)}")
