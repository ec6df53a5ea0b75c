"""Lines of commands, as valkey-cli reads them."""

from collections.abc import Iterator

_ESCAPES = {
    ord("n"): b"\n",
    ord("r"): b"\r",
    ord("t"): b"\t",
    ord("b"): b"\b",
    ord("a"): b"\a",
}
_SPACE = b" \t\n\r\v\f\0"
_HEX = b"0123456789abcdefABCDEF"


def words(line: bytes) -> list[bytes]:
    """Split a line into a command's words.

    A word in double quotes may have the escapes ``\\n``, ``\\r``, ``\\t``, ``\\b``, ``\\a`` and
    ``\\xff``; in single quotes, ``\\'``. A quote inside a word begins a quoted part of it.

    Raises:
        ValueError: A quote does not end, or is not followed by a space.
    """
    return list(_words(line))


def _words(line: bytes) -> Iterator[bytes]:
    at = 0
    while True:
        while at < len(line) and line[at] in _SPACE:
            at += 1
        if at == len(line):
            return
        word = bytearray()
        while at < len(line) and line[at] not in _SPACE:
            if line[at] in b"\"'":
                part, at = _quoted(line, at)
                word += part
                if at < len(line) and line[at] not in _SPACE:
                    raise ValueError("a space must follow the end of a quoted word")
            else:
                word.append(line[at])
                at += 1
        yield bytes(word)


def _quoted(line: bytes, start: int) -> tuple[bytes, int]:
    """Return the text in quotes that begins at a quote, and where the rest of the line begins."""
    quote, at = line[start], start + 1
    text = bytearray()
    while at < len(line):
        if line[at] == quote:
            return bytes(text), at + 1
        if line[at] == ord("\\") and at + 1 < len(line):
            escaped, length = _escaped(line, at, quote)
            text += escaped
            at += length
        else:
            text.append(line[at])
            at += 1
    raise ValueError(f"a quote {chr(quote)} does not end")


def _escaped(line: bytes, at: int, quote: int) -> tuple[bytes, int]:
    """Return what an escape means, and its length."""
    following = line[at + 1]
    if quote == ord("'"):
        return (b"'", 2) if following == quote else (b"\\", 1)
    digits = line[at + 2 : at + 4]
    if following == ord("x") and len(digits) == 2 and all(digit in _HEX for digit in digits):
        return bytes.fromhex(digits.decode()), 4
    return _ESCAPES.get(following, bytes([following])), 2
