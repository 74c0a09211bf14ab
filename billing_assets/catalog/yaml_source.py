"""YAML files as plain values: numbers keep their literal text, and every value knows its line."""

from __future__ import annotations

from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from billing_assets.catalog.book import COLLECTIONS
from billing_assets.catalog.naming import suggestion
from billing_assets.catalog.sources import Batch, FieldPath, Reading
from billing_assets.catalog.values import Number, is_number, shown
from billing_assets.errors import Problem

_NULLS = frozenset({"", "~", "null", "Null", "NULL"})
_BOOLEANS = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}
_MERGE = "<<"
_STANDARD_TAG = "tag:yaml.org,2002:"


class _Plain:
    """Turns the nodes of one file into plain values, collecting its problems."""

    def __init__(self, file: str, reading: Reading) -> None:
        self.file = file
        self.reading = reading
        self.done: dict[int, object] = {}
        self.open: set[int] = set()

    def value(self, node: Node) -> object:
        """The plain value of a node. One anchor is one value, however often it is used."""
        if id(node) in self.open:
            self.problem(node, "found an alias of the mapping or list that it is in, expected a value without a circle")
            return None
        if id(node) not in self.done:
            self.open.add(id(node))
            self.done[id(node)] = self.fresh(node)
            self.open.discard(id(node))
        return self.done[id(node)]

    def fresh(self, node: Node) -> object:
        tag = str(node.tag)
        if not tag.startswith(_STANDARD_TAG) and tag != "!":
            self.problem(node, f"found the tag {tag}, expected a plain value")
        match node:
            case MappingNode():
                return self.mapping(node)
            case SequenceNode():
                return [self.value(item) for item in node.value]
            case _:
                assert isinstance(node, ScalarNode)
                return scalar(node)

    def mapping(self, node: MappingNode) -> dict[str, object]:
        own: dict[str, object] = {}
        merged: dict[str, object] = {}
        for key, value in node.value:
            if not isinstance(key, ScalarNode):
                self.problem(key, "found a mapping or a list as a key, expected a name")
            elif key.value == _MERGE and key.style is None:
                merged |= self.merged(value)
            elif key.value in own:
                self.problem(key, f"found the key {key.value!r} a second time in one mapping, expected it once")
            else:
                own[key.value] = self.value(value)
        return merged | own

    def merged(self, node: Node) -> dict[str, object]:
        parts = node.value if isinstance(node, SequenceNode) else [node]
        values = [self.value(part) for part in reversed(parts)]
        if not all(isinstance(value, dict) for value in values):
            self.problem(node, "found a merge of something else, expected `<<` to name a mapping")
        return {key: found for value in values if isinstance(value, dict) for key, found in value.items()}

    def problem(self, node: Node, message: str) -> None:
        self.reading.problems.append(Problem(self.file, line_of(node), "", message))


def scalar(node: ScalarNode) -> object:
    """null, true, false, text, or a number as its literal text. Dates stay text; quoted values are text."""
    text: str = node.value
    if node.style is not None:
        return text
    if text in _NULLS:
        return None
    if text in _BOOLEANS:
        return _BOOLEANS[text]
    return Number(text) if is_number(text) else text


def line_of(node: Node) -> int:
    return int(node.start_mark.line) + 1


def line_at(node: Node, path: FieldPath) -> int:
    """The line of the field at `path` under `node`, or of the innermost part of it that exists."""
    line = line_of(node)
    for step in path:
        found = _step(node, step)
        if found is None:
            return line
        line, node = found
    return line


def _step(node: Node, step: str | int) -> tuple[int, Node] | None:
    match node:
        case MappingNode():
            return next(((line_of(key), value) for key, value in node.value if key.value == step), None)
        case SequenceNode() if isinstance(step, int) and step < len(node.value):
            return line_of(node.value[step]), node.value[step]
        case _:
            return None


def read_yaml(file: str, text: str, reading: Reading) -> None:
    """Adds the batches of one YAML file, or its problems."""
    try:
        root: Any = YAML(typ="safe", pure=True).compose(text)
        plain = _Plain(file, reading)
        value = plain.value(root) if root is not None else {}
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        reading.unreadable(file, mark.line + 1 if mark else 0, f"broken YAML: {_said(error)}")
    except (YAMLError, ValueError) as error:
        reading.unreadable(file, 0, f"broken YAML: {' '.join(str(error).split())}")
    except RecursionError:
        reading.unreadable(file, 0, "broken YAML: nested too deeply")
    else:
        _add(file, value, root, reading)


def _said(error: MarkedYAMLError) -> str:
    return ", ".join(part for part in (error.context, error.problem) if part)


def _add(file: str, value: object, root: Node, reading: Reading) -> None:
    if not isinstance(value, dict):
        reading.unreadable(file, 1, f"found {shown(value)}, expected a mapping from collections to lists of objects")
        return
    for name, found in value.items():
        if name == "settings":
            rows: object = [found]
        elif name in COLLECTIONS:
            rows = found
        else:
            expected = ("settings", *COLLECTIONS)
            message = f"unknown collection {name!r}, expected one of {', '.join(expected)}{suggestion(name, expected)}"
            reading.problems.append(Problem(file, line_at(root, (name,)), name, message))
            continue
        if isinstance(rows, list):
            reading.batches.append(Batch(file, name, rows, _locator(root, name)))
        elif rows is not None:
            message = f"found {shown(rows)}, expected a list of objects"
            reading.problems.append(Problem(file, line_at(root, (name,)), name, message))


def _locator(root: Node, collection: str) -> Any:
    def line(row: int, path: FieldPath) -> int:
        prefix: FieldPath = ("settings",) if collection == "settings" else (collection, row)
        return line_at(root, prefix + path)

    return line
