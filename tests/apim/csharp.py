"""The C# of our policy expressions, and no more.

https://learn.microsoft.com/azure/api-management/api-management-policy-expressions#Syntax An
expression is compiled when its policy is loaded; what is not known here is refused then, or at the
latest when it is reached, as ``Unsupported``. What C# itself would throw is a ``Thrown``.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import tree_sitter
import tree_sitter_c_sharp
from tree_sitter import Node

from apim.dotnet import CONSTRUCTORS, TYPES, Thrown, Unsupported, member

Scope = Mapping[str, Any]
Compiled = Callable[[Scope], Any]

_parser = tree_sitter.Parser(tree_sitter.Language(tree_sitter_c_sharp.language()))


def is_expression(text: str) -> bool:
    return text.startswith(("@(", "@{"))


def syntax_errors(text: str) -> list[str]:
    """Return the places where an expression is not C#."""

    def walk(node: Node) -> Iterator[str]:
        # What the parser had to invent has errors, and no child that has.
        if node.has_error and not any(child.has_error for child in node.children):
            yield source[max(0, node.start_byte - 20) : node.end_byte + 20].decode()
        for child in node.children:
            yield from walk(child)

    source = _source(text)
    unterminated = [] if text.endswith(")" if text[1] == "(" else "}") else ["unterminated"]
    return [*walk(_parser.parse(source).root_node), *unterminated]


def compiled(text: str) -> Compiled:
    """A function of the names in scope."""
    if errors := syntax_errors(text):
        raise Unsupported(f"not C#: {errors[0]}")
    if text[1] != "(":
        raise Unsupported("several statements in one expression")
    return _compile(_returned(_parser.parse(_source(text)).root_node))


def _source(text: str) -> bytes:
    body = f"return {text[2:-1]};" if text[1] == "(" else text[2:-1]
    return f"class P {{ object F(dynamic context) {{ {body} }} }}".encode()


def _returned(node: Node) -> Node:
    while node.type != "return_statement":
        node = next(child for child in node.named_children if b"return " in (child.text or b""))
    return node.named_children[0]


def _compile(node: Node) -> Compiled:
    if node.type not in NODES:
        raise Unsupported(f"C#: {node.type} in {_text(node)}")
    return NODES[node.type](node)


def _text(node: Node) -> str:
    return (node.text or b"").decode()


def _field(node: Node, name: str) -> Node:
    field = node.child_by_field_name(name)
    assert field is not None, (node.type, name)
    return field


def _constant(value: Any) -> Compiled:
    return lambda scope: value


def _string(node: Node) -> Compiled:
    return _constant(json.loads(_text(node)))  # the escapes that we use are also JSON's


def _identifier(node: Node) -> Compiled:
    name = _text(node)

    def look_up(scope: Scope) -> Any:
        if name not in scope:
            raise Unsupported(f"C#: {name}")
        return scope[name]

    return look_up


def _binary(node: Node) -> Compiled:
    left, right = _compile(_field(node, "left")), _compile(_field(node, "right"))
    operator = _text(_field(node, "operator"))
    if operator not in OPERATORS:
        raise Unsupported(f"C#: operator {operator}")
    return lambda scope: OPERATORS[operator](lambda: left(scope), lambda: right(scope))


def _not(node: Node) -> Compiled:
    if not _text(node).startswith("!"):
        raise Unsupported(f"C#: {_text(node)}")
    operand = _compile(node.named_children[0])
    return lambda scope: not _boolean(operand(scope))


def _conditional(node: Node) -> Compiled:
    condition, yes, no = (
        _compile(_field(node, name)) for name in ("condition", "consequence", "alternative")
    )
    return lambda scope: yes(scope) if _boolean(condition(scope)) else no(scope)


def _cast(node: Node) -> Compiled:
    name, value = _text(_field(node, "type")), _compile(_field(node, "value"))
    if name not in TYPES:
        raise Unsupported(f"C#: cast to {name}")

    def cast(scope: Scope) -> Any:
        result = value(scope)
        if not (type(result) is TYPES[name] or (result is None and name == "string")):
            raise Thrown(f"InvalidCastException: {result!r} is no {name}")
        return result

    return cast


def _index(node: Node) -> Compiled:
    holder, keys = _compile(_field(node, "expression")), _arguments(_field(node, "subscript"))

    def look_up(scope: Scope) -> Any:
        values, (key,) = holder(scope), keys(scope)[0]
        if key not in values:
            raise Thrown(f"KeyNotFoundException: {key}")
        return values[key]

    return look_up


def _array(node: Node) -> Compiled:
    items = [_compile(item) for item in node.named_children[0].named_children]
    return lambda scope: [item(scope) for item in items]


def _lambda(node: Node) -> Compiled:
    name, body = _text(_field(node, "parameters")), _compile(_field(node, "body"))
    return lambda scope: lambda value: body({**scope, name: value})


def _creation(node: Node) -> Compiled:
    name, arguments = _text(_field(node, "type")), _arguments(_field(node, "arguments"))
    if name not in CONSTRUCTORS:
        raise Unsupported(f"C#: new {name}")
    return lambda scope: CONSTRUCTORS[name](*arguments(scope)[0])


def _access(node: Node) -> Compiled:
    holder, name = _compile(_field(node, "expression")), _text(_field(node, "name"))
    return lambda scope: member(holder(scope), name)


def _invocation(node: Node) -> Compiled:
    function, arguments = _field(node, "function"), _arguments(_field(node, "arguments"))
    null_conditional = function.type == "conditional_access_expression"
    if null_conditional:
        holder = _compile(_field(function, "condition"))
        name = _text(_field(function.named_children[1], "name"))
    elif function.type == "member_access_expression":
        holder, name = _compile(_field(function, "expression")), _text(_field(function, "name"))
    else:
        raise Unsupported(f"C#: call of {_text(function)}")

    def call(scope: Scope) -> Any:
        on = holder(scope)
        if on is None and null_conditional:
            return None
        positional, named = arguments(scope)
        return member(on, name)(*positional, **named)

    return call


def _arguments(node: Node) -> Callable[[Scope], tuple[list[Any], dict[str, Any]]]:
    positional, named = [], {}
    for argument in node.named_children:
        value = _compile(argument.named_children[-1])
        if name := argument.child_by_field_name("name"):
            named[_text(name)] = value
        else:
            positional.append(value)
    return lambda scope: (
        [value(scope) for value in positional],
        {name: v(scope) for name, v in named.items()},
    )


NODES: dict[str, Callable[[Node], Compiled]] = {
    "argument": lambda node: _compile(node.named_children[0]),
    "binary_expression": _binary,
    "boolean_literal": lambda node: _constant(_text(node) == "true"),
    "cast_expression": _cast,
    "conditional_expression": _conditional,
    "element_access_expression": _index,
    "identifier": _identifier,
    "implicit_array_creation_expression": _array,
    "integer_literal": lambda node: _constant(int(_text(node))),
    "invocation_expression": _invocation,
    "lambda_expression": _lambda,
    "member_access_expression": _access,
    "null_literal": lambda node: _constant(None),
    "object_creation_expression": _creation,
    "parenthesized_expression": lambda node: _compile(node.named_children[0]),
    "predefined_type": _identifier,
    "prefix_unary_expression": _not,
    "string_literal": _string,
}


def _boolean(value: Any) -> bool:
    if not isinstance(value, bool):
        raise Unsupported(f"C#: {value!r} as a condition")
    return value


def _equal(left: Any, right: Any) -> bool:
    if type(left) is not type(right) and None not in (left, right):
        raise Unsupported(f"C#: {left!r} == {right!r}")
    return bool(left == right)


Lazy = Callable[[], Any]
OPERATORS: dict[str, Callable[[Lazy, Lazy], Any]] = {
    "&&": lambda left, right: _boolean(left()) and _boolean(right()),
    "||": lambda left, right: _boolean(left()) or _boolean(right()),
    "==": lambda left, right: _equal(left(), right()),
    "!=": lambda left, right: not _equal(left(), right()),
    ">": lambda left, right: left() > right(),
    ">=": lambda left, right: left() >= right(),
    "??": lambda left, right: right() if (value := left()) is None else value,
}
