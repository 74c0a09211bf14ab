"""Names in messages: the nearest valid one, and what a collection's object is called."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from difflib import get_close_matches

ONE_OF = {
    "billable_metrics": "billable metric",
    "products": "product",
    "pricing_units": "pricing unit",
    "rate_cards": "rate card",
    "customers": "customer",
    "contracts": "contract",
    "settings": "settings",
}
"""What one object of a collection is called."""

_MANY = 2000


def suggestion(found: object, valid: Iterable[str]) -> str:
    """`; did you mean 'x'?` for the valid name nearest to `found`, or nothing."""
    text = str(found)
    names = list(valid)
    if len(names) > _MANY:
        # Comparing with a hundred thousand names takes a second each; a typo rarely hits the first letter.
        names = [name for name in names if name[:1] == text[:1] and abs(len(name) - len(text)) <= 2][:_MANY]
    but_for_case = [name for name in names if name.lower() == text.lower()]
    best = but_for_case or get_close_matches(text, names, n=1)
    return f"; did you mean {best[0]!r}?" if best else ""


@dataclass
class Suggestions:
    """Suggestions out of one set of names, as many as a person reads: a thousand wrong references have one cause."""

    names: Collection[str]
    left: int = 100

    def nearest(self, found: str) -> str:
        if not self.left:
            return ""
        self.left -= 1
        return suggestion(found, self.names)


def listed(names: Iterable[str], most: int = 8) -> str:
    """`a, b, c`, cut after `most`."""
    shown = list(names)
    return ", ".join(shown[:most]) + (f", ... ({len(shown)} in all)" if len(shown) > most else "")
