"""Lua in colours that are readable on dark and on light: few, and the terminal's own."""

from pygments.token import Comment, Keyword, Name, Number, String, Token
from rich.style import Style
from rich.syntax import ANSISyntaxTheme, Syntax

_THEME = ANSISyntaxTheme(
    {
        Token: Style(),
        Comment: Style(italic=True),
        Keyword: Style(bold=True),
        Name.Builtin: Style(color="cyan"),
        Number: Style(color="magenta"),
        String: Style(color="green"),
    }
)

LUA = Syntax("", "lua", theme=_THEME, background_color="default")
