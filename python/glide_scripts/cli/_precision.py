"""Where a script loses a number's precision: in literals, and in what it returns."""

from __future__ import annotations

from collections.abc import Iterator

from tree_sitter import Node

from ._expressions import SERVER, integer_of, is_command, leaves, operator_of
from ._lua import Program, arguments, text_of

_FLOATS = (b"sqrt", b"exp", b"log", b"log10", b"pi", b"huge")
_MAX_EXACT = 2**53
_ARITHMETIC = ("+", "-", "*", "%", "and", "or")

# Their replies are numbers with a fraction, as text.
_FLOAT_COMMANDS = (b"ZSCORE", b"ZINCRBY", b"INCRBYFLOAT", b"HINCRBYFLOAT", b"GEODIST")


def lost_precision(program: Program, *, is_library: bool) -> Iterator[tuple[Node, str]]:
    """Yield each place, and what is wrong there."""
    for node in program.numbers:
        text = (node.text or b"").decode("ascii", "replace")
        whole = integer_of(node)
        if whole is not None and whole > _MAX_EXACT and float(whole) != whole:
            yield node, f"{text} is beyond 2**53, so Lua changes it; write it as a string"
    floats = _Floats(program)
    for node, function in program.returns:
        if function is not None and not (is_library and _is_callback(program, function)):
            # For another part of the script, which may round it.
            continue
        for expressions in node.named_children:
            for value in expressions.named_children:
                for inexact in floats.parts(value, set()):
                    yield inexact, "a reply truncates floats to integers; return tostring(…)"


def _is_callback(program: Program, function: Node) -> bool:
    """Whether a library registers the function, so that what it returns is a reply."""
    return any(
        program.is_field(callee, SERVER, (b"register_function",))
        and any(
            value.id == function.id
            for given in leaves(arguments(call))
            for value in program.values(given)
        )
        for call in program.calls
        if (callee := call.child_by_field_name("name")) is not None
    )


class _Floats:
    """Finds floats, as far as the program's text tells."""

    def __init__(self, program: Program) -> None:
        self._program = program
        self._exact: set[int] = set()
        """The ids of expressions that are no floats."""

    def parts(self, reply: Node, seen: set[int]) -> Iterator[Node]:
        """The parts of a reply that are floats, as far as the code shows it."""
        for value in self._program.values(reply):
            if value.id in seen:
                # A table may be made of itself.
                continue
            seen.add(value.id)
            if value.type == "table_constructor":
                for each in value.named_children:
                    # A field with a name is no part of the reply, or is {double = …}.
                    inner = each.child_by_field_name("value")
                    if inner is not None and each.child_by_field_name("name") is None:
                        yield from self.parts(inner, seen)
            elif self._is_float(value):
                yield reply
                return

    def _is_float(self, node: Node) -> bool:
        pending, seen = [node], set[int]()
        while pending:
            for value in self._program.values(pending.pop()):
                if value.id in seen or value.id in self._exact:
                    continue
                seen.add(value.id)
                if self._makes_float(value):
                    return True
                pending += _operands(value)
        self._exact |= seen
        return False

    def _makes_float(self, node: Node) -> bool:
        """Whether an expression is a float, whatever its operands are."""
        match node.type:
            case "number":
                return integer_of(node) is None
            case "dot_index_expression":
                return self._program.is_field(node, (b"math",), (b"pi", b"huge"))
            case "function_call":
                callee = node.child_by_field_name("name")
                if callee is None:
                    return False
                if self._program.is_field(callee, (b"math",), (b"random",)):
                    return not arguments(node)
                if self._program.is_global(callee, b"tonumber"):
                    return any(self._is_float_reply(each) for each in arguments(node)[:1])
                return self._program.is_field(callee, (b"math",), _FLOATS)
            case "binary_expression" if operator_of(node) == "/":
                left = node.child_by_field_name("left")
                right = node.child_by_field_name("right")
                if left is None or right is None:
                    return False
                over, under = integer_of(left), integer_of(right)
                return not (over is not None and under and over % under == 0)
        return False

    def _is_float_reply(self, node: Node) -> bool:
        """Whether it is a command's reply, maybe with a default, that is a float's text."""
        for value in self._program.values(node):
            if value.type == "binary_expression" and operator_of(value) == "or":
                left = value.child_by_field_name("left")
                if left is not None and self._is_float_reply(left):
                    return True
            elif value.type == "function_call":
                callee, given = value.child_by_field_name("name"), arguments(value)
                name = text_of(given[0]) if given else None
                if not callee or not name or name.upper() not in _FLOAT_COMMANDS:
                    continue
                if is_command(self._program, callee):
                    return True
        return False


def _operands(node: Node) -> list[Node]:
    """The parts of an expression of which one must be a float for it to be one."""
    names: tuple[str, ...] = ()
    if node.type == "unary_expression" and operator_of(node) == "-":
        names = ("operand",)
    elif node.type == "binary_expression" and operator_of(node) in _ARITHMETIC:
        names = ("left", "right")
    found = (node.child_by_field_name(name) for name in names)
    return [each for each in found if each is not None]
