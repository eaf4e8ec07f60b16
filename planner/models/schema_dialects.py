"""What of a JSON schema is sent to whom: providers refuse schemas with words that they do not know.

Servers of one's own (llama.cpp, vLLM, Ollama) take bounds of lengths, and a small model may never stop without them.
OpenAI has refused those of texts, Anthropic refuses most, and both hold models to their word without them; what a reply
has to keep is checked here in any case.
"""

from collections.abc import Iterator, Mapping
from typing import Any

_BOUNDS = frozenset({"minLength", "maxLength", "minItems", "maxItems"})
_NAMES = frozenset({"properties", "patternProperties", "$defs", "definitions", "dependentSchemas"})
_DATA = frozenset({"enum", "const", "default", "examples", "required"})
_NEVER_STRICT = frozenset({
    "allOf", "oneOf", "not", "if", "then", "else", "dependentRequired", "dependentSchemas", "patternProperties",
    "prefixItems", "uniqueItems", "contains", "propertyNames", "unevaluatedProperties", "unevaluatedItems",
})  # fmt: skip


def without_bounds(schema: Mapping[str, Any]) -> dict[str, Any]:
    """Return a schema without bounds of lengths.

    >>> without_bounds({"type": "object", "properties": {"maxItems": {"type": "string", "maxLength": 9}}})
    {'type': 'object', 'properties': {'maxItems': {'type': 'string'}}}
    """
    return {name: _inside(name, value) for name, value in schema.items() if name not in _BOUNDS}


def is_strict(schema: Mapping[str, Any]) -> bool:
    """Return whether OpenAI takes a schema as strict: objects name all of their properties, and require each.

    Source: https://platform.openai.com/docs/guides/structured-outputs#supported-schemas

    >>> is_strict({"type": "object", "properties": {}, "required": [], "additionalProperties": False})
    True
    >>> is_strict({"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]})
    False
    """
    return schema.get("type") == "object" and all(map(_may_be_strict, _nodes(schema)))


def _may_be_strict(node: Mapping[str, Any]) -> bool:
    if not _NEVER_STRICT.isdisjoint(node):
        return False
    if node.get("type") != "object" and "properties" not in node:
        return True
    if "properties" not in node or node.get("additionalProperties") is not False:
        return False
    return set(node.get("required", ())) == set(node["properties"])


def _nodes(schema: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Yield every schema in `schema`, itself first."""
    stack = [schema]
    while stack:
        node = stack.pop()
        yield node
        for name, value in node.items():
            if name not in _DATA:
                inner = value.values() if name in _NAMES and isinstance(value, dict) else [value]
                lists = [each if isinstance(each, list) else [each] for each in inner]
                stack += [each for some in lists for each in some if isinstance(each, dict)]


def _inside(name: str, value: Any) -> Any:
    if name in _DATA:
        return value
    if isinstance(value, list):
        return [_inside("", each) for each in value]
    if not isinstance(value, dict):
        return value
    if name in _NAMES:
        return {key: _inside("", each) for key, each in value.items()}
    return without_bounds(value)
