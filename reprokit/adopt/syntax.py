"""Python of a stranger as a syntax tree: parsed within limits, never compiled or executed."""

import ast
import warnings

from reprokit.adopt.readers.lines import Unreadable

MAX_CODE = 1 << 19


def parsed(text: str) -> ast.Module:
    """The syntax tree of a module.

    Raises:
        Unreadable: it is no Python of this interpreter, or nested beyond reason.
    """
    if len(text) > MAX_CODE:
        raise Unreadable(f"it holds more than {MAX_CODE:,} characters")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of the stranger's own escapes and literals
            return ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise Unreadable(f"it is no Python that can be read: {str(error)[:80]}") from error


def literal(node: ast.AST | None) -> object:
    """The value that a node spells out; `...` where it is computed."""
    if isinstance(node, ast.Constant):
        return node.value
    if not isinstance(node, ast.List | ast.Tuple | ast.UnaryOp):
        return ...
    try:
        return ast.literal_eval(node)
    except (ValueError, TypeError, SyntaxError, RecursionError, MemoryError):
        return ...


def dotted(node: ast.AST) -> str:
    """`a.b.c` of a name or attribute; what stands before a call or an index is left out."""
    parts: list[str] = []
    while isinstance(node, ast.Attribute):
        parts.append(node.attr)
        node = node.value
    parts.append(node.id if isinstance(node, ast.Name) else "")
    return ".".join(reversed(parts))


def call_name(node: ast.Call) -> str:
    """The dotted name of what is called."""
    return dotted(node.func)


def keyword(node: ast.Call, name: str) -> ast.expr | None:
    """The value of a keyword of a call."""
    return next((word.value for word in node.keywords if word.arg == name), None)
