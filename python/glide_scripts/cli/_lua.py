"""A Lua program as a syntax tree, with the variables in it told apart.

Lua 5.1's rules of scope: a local is known from after its statement to the end of its block, and a
name that no local has is a global.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from tree_sitter import Node, Tree

from ..probes.program import parsed


@dataclass(eq=False)
class Local:
    """A local variable, a parameter, or a local function."""

    values: list[Node] = field(default_factory=list)
    """The expressions that are assigned to it; none that a call gives it."""
    fields: dict[bytes, list[Node]] = field(default_factory=dict)
    """Those that are assigned to its fields, as in ``t.k = 1``."""


@dataclass
class Program:
    """A text of Lua."""

    tree: Tree
    locals: dict[int, Local] = field(default_factory=dict)
    """By the ids of the identifiers that mean them."""
    reads: list[Node] = field(default_factory=list)
    """Identifiers of globals that are read."""
    writes: list[Node] = field(default_factory=list)
    """Identifiers of globals that are assigned to."""
    calls: list[Node] = field(default_factory=list)
    returns: list[tuple[Node, Node | None]] = field(default_factory=list)
    """Each return, and the function it is in; None for the program itself."""
    fields: list[Node] = field(default_factory=list)
    """Each ``table.field`` of a variable."""
    numbers: list[Node] = field(default_factory=list)
    comments: list[Node] = field(default_factory=list)

    def values(self, node: Node) -> Iterator[Node]:
        """What an expression may be: those that a local or its field was assigned, or itself."""
        seen: set[int] = set()
        pending = [node]
        while pending:
            each = pending.pop()
            if each.id in seen:
                continue
            seen.add(each.id)
            if each.type == "parenthesized_expression":
                pending.extend(each.named_children)
            elif each.type == "identifier" and each.id in self.locals:
                pending.extend(self.locals[each.id].values)
            elif each.type == "dot_index_expression" and (assigned := self._assigned(each)):
                pending.extend(assigned)
            else:
                yield each

    def _assigned(self, index: Node) -> list[Node]:
        """What a field of a local is assigned, by itself or where its table is made."""
        table, name = index.child_by_field_name("table"), index.child_by_field_name("field")
        local = self.locals.get(table.id) if table is not None else None
        if local is None or name is None or name.text is None:
            return []
        return local.fields.get(name.text, []) + [
            value
            for made in local.values
            if made.type == "table_constructor"
            for each in made.named_children
            if (key := each.child_by_field_name("name")) is not None
            and key.text == name.text
            and each.children[0].type != "["
            and (value := each.child_by_field_name("value")) is not None
        ]

    def is_global(self, node: Node | None, *names: bytes) -> bool:
        """Whether an expression is one of these globals."""
        return (
            node is not None
            and node.type == "identifier"
            and node.text in names
            and node.id not in self.locals
        )

    def is_field(self, node: Node, tables: tuple[bytes, ...], fields: tuple[bytes, ...]) -> bool:
        """Whether an expression is ``table.field`` of global tables."""
        if node.type != "dot_index_expression":
            return False
        name = node.child_by_field_name("field")
        table = node.child_by_field_name("table")
        return name is not None and name.text in fields and self.is_global(table, *tables)


def parse(code: bytes) -> Program:
    """The program of a text, which may have errors: they are left out."""
    program = Program(parsed(code))
    _Resolver(program).visit(program.tree.root_node)
    return program


def arguments(call: Node) -> list[Node]:
    """The arguments of a call."""
    given = call.child_by_field_name("arguments")
    return [] if given is None else [n for n in given.named_children if n.type != "comment"]


def text_of(node: Node) -> bytes | None:
    """The text of a string that stands there; None for others, and for one with escapes."""
    if node.type != "string":
        return None
    content = node.child_by_field_name("content")
    text = b"" if content is None else content.text or b""
    return None if b"\\" in text else text


class _Resolver:
    def __init__(self, program: Program) -> None:
        self._program = program
        self._scopes: list[dict[bytes, Local]] = [{}]
        self._functions: list[Node] = []

    def visit(self, node: Node) -> None:
        special = getattr(self, f"_visit_{node.type}", None)
        if special is None:
            self._children(node)
        else:
            special(node)

    def _children(self, node: Node) -> None:
        for child in node.named_children:
            self.visit(child)

    def _field(self, node: Node, name: str) -> None:
        child = node.child_by_field_name(name)
        if child is not None:
            self.visit(child)

    # Leaves

    def _visit_identifier(self, node: Node) -> None:
        local = self._find(node)
        if local is None:
            self._program.reads.append(node)

    def _visit_number(self, node: Node) -> None:
        self._program.numbers.append(node)

    def _visit_comment(self, node: Node) -> None:
        self._program.comments.append(node)

    def _visit_dot_index_expression(self, node: Node) -> None:
        # The name after the dot is no variable.
        self._field(node, "table")
        self._program.fields.append(node)

    def _visit_method_index_expression(self, node: Node) -> None:
        self._field(node, "table")

    def _visit_field(self, node: Node) -> None:
        if node.children[0].type == "[":
            self._field(node, "name")
        self._field(node, "value")

    def _visit_goto_statement(self, node: Node) -> None:
        pass

    _visit_label_statement = _visit_goto_statement

    # What is to be remembered

    def _visit_function_call(self, node: Node) -> None:
        self._program.calls.append(node)
        self._children(node)

    def _visit_return_statement(self, node: Node) -> None:
        function = self._functions[-1] if self._functions else None
        self._program.returns.append((node, function))
        self._children(node)

    # Variables

    def _visit_variable_declaration(self, node: Node) -> None:
        names, values = _sides(next(n for n in node.named_children if n.type != "comment"))
        for value in values:
            self.visit(value)
        for position, name in enumerate(names):
            self._declare(name, values[position : position + 1])

    def _visit_assignment_statement(self, node: Node) -> None:
        names, values = _sides(node)
        for value in values:
            self.visit(value)
        for position, name in enumerate(names):
            self._assign(name, values[position : position + 1])

    def _assign(self, name: Node, values: list[Node]) -> None:
        if name.type != "identifier":
            self.visit(name)
            self._assign_field(name, values)
        elif (local := self._find(name)) is not None:
            local.values += values
        else:
            self._program.writes.append(name)

    def _assign_field(self, index: Node, values: list[Node]) -> None:
        table, name = index.child_by_field_name("table"), index.child_by_field_name("field")
        if index.type == "dot_index_expression" and table is not None and name is not None:
            local = self._program.locals.get(table.id)
            if local is not None and name.text is not None:
                local.fields.setdefault(name.text, []).extend(values)

    def _declare(self, name: Node, values: list[Node]) -> None:
        # A new one even if the name is known: it hides the other.
        local = Local(list(values))
        self._scopes[-1][name.text or b""] = local
        self._program.locals[name.id] = local

    def _find(self, name: Node) -> Local | None:
        for scope in reversed(self._scopes):
            if (local := scope.get(name.text or b"")) is not None:
                self._program.locals[name.id] = local
                return local
        return None

    # Blocks and functions

    def _visit_block(self, node: Node) -> None:
        self._scopes.append({})
        self._children(node)
        self._scopes.pop()

    def _visit_repeat_statement(self, node: Node) -> None:
        # The condition sees what the block declares.
        self._scopes.append({})
        for child in node.named_children:
            self._children(child) if child.type == "block" else self.visit(child)
        self._scopes.pop()

    def _visit_for_statement(self, node: Node) -> None:
        clause = node.child_by_field_name("clause")
        names: list[Node] = []
        for child in clause.named_children if clause else ():
            if child.type == "variable_list":
                names += child.named_children
            elif clause is not None and child == clause.child_by_field_name("name"):
                names.append(child)
            else:
                self.visit(child)
        self._scopes.append({})
        for name in names:
            self._declare(name, [])
        self._field(node, "body")
        self._scopes.pop()

    def _visit_function_declaration(self, node: Node) -> None:
        name = node.child_by_field_name("name")
        if name is not None:
            if node.children[0].type == "local":
                self._declare(name, [node])
            else:
                self._assign(name, [node])
        self._function(node, has_self=name is not None and name.type == "method_index_expression")

    def _visit_function_definition(self, node: Node) -> None:
        self._function(node, has_self=False)

    def _function(self, node: Node, *, has_self: bool) -> None:
        self._scopes.append({b"self": Local()} if has_self else {})
        self._functions.append(node)
        parameters = node.child_by_field_name("parameters")
        for parameter in parameters.named_children if parameters else ():
            if parameter.type == "identifier":
                self._declare(parameter, [])
        self._field(node, "body")
        self._functions.pop()
        self._scopes.pop()


def _sides(node: Node) -> tuple[list[Node], list[Node]]:
    """The names and the values of an assignment, or of a declaration that has only names."""
    sides: dict[str, list[Node]] = {"variable_list": [], "expression_list": []}
    for child in [node] if node.type in sides else node.named_children:
        sides.get(child.type, []).extend(n for n in child.named_children if n.type != "comment")
    return sides["variable_list"], sides["expression_list"]
