"""docs/catalog.md, made from the models: `python -m billing_assets.catalog.reference > docs/catalog.md`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from billing_assets.catalog.schema import json_schema

Schema = Mapping[str, Any]

INTRODUCTION = """\
# The catalog

Made from the models by `python -m billing_assets.catalog.reference > docs/catalog.md`; do not edit it.

A catalog is a directory. Every `*.yaml` file in any of its folders is a mapping from a collection's name to a list of
objects; a collection may also come as `<collection>.jsonl` or `<collection>.parquet`, one object a line or row (in
Parquet, nested fields are structs and lists or JSON text, and numbers are decimals or text, never floats). All files
are merged; their order matters only for contracts and what they hold (file path, then position).

- **Numbers** are exact: `0.0000025`, `2.5e-6` and `"0.0000025"` are the same. At most 26 integer digits and 12 decimal
  places.
- **Instants** are dates (`2026-10-01`, midnight UTC) or RFC 3339 timestamps, on a whole hour.
- **Intervals** are half-open: `starting_at` is inside, `ending_before` is not.
- **Group values** are compared as text: `8`, `8.0` (as numbers) and `"8"` are equal; null is the group of events
  without that property.
- **Ids** have 1 to 128 characters, without spaces around them.
- An unknown field, an unknown name or an id defined twice is a problem. `billing validate` reports all of them at
  once; `billing schema` prints a JSON Schema for editors.
"""


def reference() -> str:
    """The whole page."""
    schema = json_schema()
    return "\n".join((INTRODUCTION, *_collections(schema), *_shapes(schema)))


def _collections(schema: Schema) -> Iterator[str]:
    yield "## Collections\n"
    yield "| collection | what it holds | shapes |\n|---|---|---|"
    for name, found in schema["properties"].items():
        yield f"| `{name}` | {found['description']} | {_type(found, schema)} |"
    yield ""


def _shapes(schema: Schema) -> Iterator[str]:
    yield "## Shapes\n"
    for name in dict.fromkeys(_named(schema["properties"], schema)):
        found = schema["$defs"][name]
        yield f"### {name}\n"
        yield f"{' '.join(str(found.get('description', '')).split())}\n"
        yield "| field | type | default | meaning |\n|---|---|---|---|"
        required = found.get("required", ())
        for field, inner in found.get("properties", {}).items():
            default = "required" if field in required else _default(inner)
            yield f"| `{field}` | {_type(inner, schema)} | {default} | {inner.get('description', '')} |"
        yield ""


def _named(part: Any, schema: Schema) -> Iterator[str]:
    """Shapes in the order in which a reader meets them: each followed by those that it is made of."""
    match part:
        case {"$ref": str() as found}:
            name = found.rsplit("/", 1)[-1]
            yield name
            yield from _named(schema["$defs"][name].get("properties", {}), schema)
        case dict():
            for inner in part.values():
                yield from _named(inner, schema)
        case list():
            for inner in part:
                yield from _named(inner, schema)
        case _:
            pass


def _default(field: Schema) -> str:
    value = field.get("default")
    if value is None or value in ([], {}):
        return ""
    if isinstance(value, dict):
        return "(its own defaults)"
    return f"`{str(value).lower() if isinstance(value, bool) else value}`"


def _type(field: Schema, schema: Schema) -> str:
    if "$ref" in field:
        return _link(field["$ref"])
    if "const" in field:
        return f"`{field['const']}`"
    if "enum" in field:
        return ", ".join(f"`{value}`" for value in field["enum"])
    if _is_number(field):
        return "number"
    for union in ("anyOf", "oneOf"):
        if union in field and field.get("type") != "string":
            kinds = (_type(inner, schema) for inner in field[union] if inner.get("type") != "null")
            return " or ".join(dict.fromkeys(kinds))
    return _simple(field, schema)


def _is_number(field: Schema) -> bool:
    return any(inner.get("type") == "number" for inner in field.get("anyOf", ()))


def _simple(field: Schema, schema: Schema) -> str:
    match field.get("type"):
        case "array":
            return f"list of {_type(field.get('items', {}), schema)}"
        case "object":
            return "mapping"
        case "string" if "anyOf" in field:
            return "instant"
        case "string":
            return "duration" if "[hd]" in str(field.get("pattern")) else "text"
        case list() as types:
            return " or ".join("text" if name == "string" else name for name in types)
        case "boolean":
            return "true or false"
        case found:
            return str(found)


def _link(reference_to: str) -> str:
    name = reference_to.rsplit("/", 1)[-1]
    return f"[{name}](#{name.lower()})"


if __name__ == "__main__":
    print(reference())
