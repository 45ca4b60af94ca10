"""The C# of our policy expressions, and no more.

Syntax and the types that an expression may use:
https://learn.microsoft.com/azure/api-management/api-management-policy-expressions
An expression is compiled when its policy is loaded; what is not known here is refused then, or at the latest when it is
reached, as ``Unsupported``. What C# itself would throw is a ``Thrown``.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import tree_sitter
import tree_sitter_c_sharp
from tree_sitter import Node

Scope = Mapping[str, Any]
Compiled = Callable[[Scope], Any]

MILLISECONDS = "yyyy-MM-ddTHH:mm:ss.fffZ"
_parser = tree_sitter.Parser(tree_sitter.Language(tree_sitter_c_sharp.language()))


class Unsupported(Exception):
    """Nothing is known of how API Management treats this, or nothing is written here yet."""


class Thrown(Exception):
    """The expression throws at run time."""


class JObject(dict[str, Any]):
    """Newtonsoft's, which writes itself indented."""

    def __str__(self) -> str:
        return json.dumps(self, indent=2, ensure_ascii=False)


def is_expression(text: str) -> bool:
    return text.startswith(("@(", "@{"))


def syntax_errors(text: str) -> list[str]:
    """Where an expression is not C#."""

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
    condition, yes, no = (_compile(_field(node, name)) for name in ("condition", "consequence", "alternative"))
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
    return lambda scope: ([value(scope) for value in positional], {name: v(scope) for name, v in named.items()})


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
    ">": lambda left, right: left() > right(),
    ">=": lambda left, right: left() >= right(),
    "??": lambda left, right: right() if (value := left()) is None else value,
}


def _parse(text: str) -> int:
    if not re.fullmatch(r"\s*[+-]?[0-9]+\s*", text) or not -(2**31) <= int(text) < 2**31:
        raise Thrown(f"int.Parse of {text!r}")
    return int(text)


@dataclass(frozen=True)
class Members:
    """A type with static members, or an object of which no more is known."""

    members: dict[str, Any]


def _is_match(text: str, pattern: str) -> bool:
    """.NET's patterns are Python's as far as we use them: classes, counts, lookahead, anchors on text of one line."""
    return re.search(pattern, text) is not None


def _format(moment: datetime) -> Callable[[str], str]:
    def to_string(form: str) -> str:
        if form != MILLISECONDS:
            raise Unsupported(f"DateTime.ToString({form!r})")
        return f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond // 1000:03d}Z"

    return to_string


def _substring(text: str) -> Callable[[int, int], str]:
    def substring(start: int, length: int) -> str:
        if not 0 <= start <= start + length <= len(text):
            raise Thrown("ArgumentOutOfRangeException")
        return text[start : start + length]

    return substring


TYPES = {"string": str, "int": int}
STATIC = {"Regex": Members({"IsMatch": _is_match}), "int": Members({"Parse": _parse})}
CONSTRUCTORS: dict[str, Callable[..., Any]] = {
    "JObject": lambda *properties: JObject(properties),
    "JProperty": lambda name, value: (name, value),
}
MEMBERS: dict[type, dict[str, Callable[[Any], Any]]] = {
    str: {"Contains": lambda text: lambda part: part in text, "Substring": _substring},
    UUID: {"ToString": lambda guid: lambda form="D": {"D": str(guid), "N": guid.hex}[form]},
    datetime: {"ToString": _format},
    JObject: {"ToString": lambda found: lambda: str(found)},
    list: {
        "Contains": lambda items: lambda item: item in items,
        "FirstOrDefault": lambda items: lambda test: next((item for item in items if test(item)), None),
        "Select": lambda items: lambda function: [function(item) for item in items],
    },
}


def member(holder: Any, name: str) -> Any:
    """Of one of .NET's types above, or of an object that lists its own in ``members``."""
    if holder is None:
        raise Thrown(f"NullReferenceException: {name}")
    if type(holder) in MEMBERS and name in MEMBERS[type(holder)]:
        return MEMBERS[type(holder)][name](holder)
    listed = getattr(holder, "members", {})
    if name not in listed:
        raise Unsupported(f"C#: {type(holder).__name__}.{name}")
    return listed[name]
