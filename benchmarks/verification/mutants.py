"""Mutants of a module's source: numbers, comparisons, boolean operators and rules."""

import ast
from collections.abc import Iterator
from dataclasses import dataclass

_NEGATED: dict[type[ast.cmpop], tuple[str, str]] = {
    ast.Lt: ("<", ">="),
    ast.LtE: ("<=", ">"),
    ast.Gt: (">", "<="),
    ast.GtE: (">=", "<"),
    ast.Eq: ("==", "!="),
    ast.NotEq: ("!=", "=="),
    ast.In: ("in", "not in"),
    ast.NotIn: ("not in", "in"),
    ast.Is: ("is", "is not"),
    ast.IsNot: ("is not", "is"),
}
# What is kept in memory changes no result.
_WITHOUT_EFFECT = frozenset({"maxsize"})
_NEVER = 'r"(?!)"'


@dataclass(frozen=True)
class Mutant:
    """A change to a module's source.

    Attributes:
        kind: ``number``, ``comparison``, ``boolean`` or ``rule``: a regular expression that matches nothing.
        start: its first byte in the source.
        end: the byte after its last.
        before: what stands there.
        after: what stands there instead.
    """

    kind: str
    start: int
    end: int
    before: str
    after: str

    def applied(self, source: str) -> str:
        """Return the source with the change."""
        content = source.encode()
        return (content[: self.start] + self.after.encode() + content[self.end :]).decode()

    def line(self, source: str) -> int:
        """Return the number of the line that it stands in, from 1."""
        return source.encode()[: self.start].count(b"\n") + 1


def mutants_of(source: str) -> list[Mutant]:
    """Return all mutants of a module, in the order of its text."""
    positions = _Positions(source)
    tree = ast.parse(source)
    skipped = {
        id(part)
        for node in ast.walk(tree)
        if isinstance(node, ast.keyword) and node.arg in _WITHOUT_EFFECT
        for part in ast.walk(node.value)
    }
    found = [mutant for node in ast.walk(tree) if id(node) not in skipped for mutant in _of_node(node, positions)]
    return sorted(found, key=lambda mutant: (mutant.start, mutant.end, mutant.after))


class _Positions:
    """Converts lines and columns of a syntax tree to byte positions."""

    def __init__(self, source: str) -> None:
        self.content = source.encode()
        self._starts = [0]
        for line in self.content.splitlines(keepends=True):
            self._starts.append(self._starts[-1] + len(line))

    def span(self, node: ast.expr) -> tuple[int, int]:
        assert node.end_lineno is not None
        assert node.end_col_offset is not None
        return self._starts[node.lineno - 1] + node.col_offset, self._starts[node.end_lineno - 1] + node.end_col_offset

    def between(self, left: ast.expr, right: ast.expr, word: str) -> tuple[int, int]:
        """Return the position of an operator between two expressions.

        Brackets and comments may stand there too.
        """
        start, end = self.span(left)[1], self.span(right)[0]
        position = self.content[start:end].find(word.encode())
        return start + position, start + position + len(word.encode())

    def mutant(self, kind: str, span: tuple[int, int], after: str) -> Mutant:
        return Mutant(kind, *span, self.content[slice(*span)].decode(), after)


def _of_node(node: ast.AST, positions: _Positions) -> Iterator[Mutant]:
    match node:
        case ast.Constant(value=bool()):
            return
        case ast.Constant(value=int() | float() as value):
            yield positions.mutant("number", positions.span(node), _other_number(value))
        case ast.Compare():
            for left, operator, right in zip([node.left, *node.comparators], node.ops, node.comparators, strict=False):
                word, other = _NEGATED[type(operator)]
                yield positions.mutant("comparison", positions.between(left, right, word), other)
        case ast.BoolOp():
            word, other = ("and", "or") if isinstance(node.op, ast.And) else ("or", "and")
            for left, right in zip(node.values, node.values[1:], strict=False):
                yield positions.mutant("boolean", positions.between(left, right, word), other)
        case ast.UnaryOp(op=ast.Not()):
            start, _ = positions.span(node)
            # A bracket may stand between "not" and what it denies: only the word goes.
            yield positions.mutant("boolean", (start, start + len("not ")), "")
        case ast.Call(func=ast.Attribute(value=ast.Name(id="re"), attr="compile"), args=[pattern, *_]):
            yield positions.mutant("rule", positions.span(pattern), _NEVER)


def _other_number(value: float) -> str:
    """Return another number of the same kind.

    One more, or half as much again.
    """
    if isinstance(value, int):
        return str(value + 1)
    return repr(value * 1.5) if value else "1.0"
