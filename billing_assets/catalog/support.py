"""What the format has and the engine does not compute yet: refused, never ignored.

The one place to delete from when a part is built.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from billing_assets.catalog.sources import FieldPath
from billing_assets.catalog.terms import Term


@dataclass(frozen=True)
class Gap:
    """A field that must not be used (`values` None), or must not have one of `values`; `[]` marks a list."""

    collection: str
    field: str
    what: str
    values: frozenset[str] | None = None


def _gap(collection: str, field: str, what: str, *values: str) -> Gap:
    return Gap(collection, field, what, frozenset(values) or None)


GAPS: tuple[Gap, ...] = (
    _gap("contracts", "spend_threshold", "a spend threshold"),
    _gap("contracts", "prepaid_balance_threshold", "a prepaid balance threshold"),
)


@dataclass
class GapTree:
    """Gaps of one collection by the steps of their fields, so that a term is walked once for all of them."""

    gaps: list[Gap] = field(default_factory=list)
    fields: dict[str, GapTree] = field(default_factory=dict)


def gap_tree(collection: str, gaps: Iterable[Gap]) -> GapTree:
    root = GapTree()
    for gap in gaps:
        if gap.collection == collection:
            node = root
            for step in gap.field.replace("[]", "").split("."):
                node = node.fields.setdefault(step, GapTree())
            node.gaps.append(gap)
    return root


def not_supported(term: Term, tree: GapTree, path: FieldPath = ()) -> Iterator[tuple[FieldPath, str]]:
    """Uses of a gap in one term: fields that were written, with a value that is refused."""
    for name in tree.fields:
        if name not in term.model_fields_set:
            continue
        node, value, where = tree.fields[name], getattr(term, name), (*path, name)
        for gap in node.gaps:
            if value in gap.values if gap.values is not None else value:
                yield where, f"found {gap.what}, which is not supported yet"
        if node.fields and value is not None:
            many = isinstance(value, tuple)
            for position, inner in enumerate(value if many else (value,)):
                yield from not_supported(inner, node, (*where, position) if many else where)
