"""What the documentation's build makes sure of beside mkdocs: pages load nothing from elsewhere."""

import re
from typing import Any

from mkdocs.exceptions import PluginError

# What a browser fetches by itself, as against what a reader may follow.
LOADED = re.compile(
    r"""<(?:script|img|iframe|source|link)\b[^>]*?\b(?:src|srcset|href)=["']?((?:https?:)?//[^"'\s>]+)"""
)


def on_post_page(output: str, page: Any, **_: Any) -> str:
    if found := LOADED.findall(output):
        raise PluginError(f"{page.file.src_uri} loads from another host: {', '.join(found)}")
    return output
