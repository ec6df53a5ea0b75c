"""The encoding of standard output, which may lack characters: that of a pipe on Windows does."""

import codecs
import io
import sys

_HANDLER = "glide_scripts"


def escape_output() -> None:
    """Escape what the encoding lacks, and bytes of files' names that are not UTF-8."""
    codecs.register_error(_HANDLER, _escaped)
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors=_HANDLER)


def make_output_json() -> None:
    """Write UTF-8, or only ASCII if the encoding is another one."""
    out = sys.stdout
    if isinstance(out, io.TextIOWrapper) and codecs.lookup(out.encoding).name != "utf-8":
        out.reconfigure(encoding="ascii", errors=_HANDLER)


def _escaped(error: UnicodeError) -> tuple[str, int]:
    """Write characters as JSON has them, so that JSON stays JSON."""
    assert isinstance(error, UnicodeEncodeError)
    text = error.object[error.start : error.end].encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{text[at : at + 2].hex()}" for at in range(0, len(text), 2)), error.end
