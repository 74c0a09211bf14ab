"""What a commit or credit pays for: its applicability, resolved to products and numbered, and what it counts as."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from billing_assets.catalog.book import group_text
from billing_assets.catalog.charge_frames import is_charged_by_use
from billing_assets.catalog.contracts import Contract
from billing_assets.catalog.names import Names
from billing_assets.catalog.versions import versions
from billing_assets.columns import NO_GROUP

Row = tuple[str, str, str, bool]
"""Product, pricing values, presentation values, whether it is excluded."""


@dataclass(frozen=True, slots=True)
class Reach:
    """`selector` stands for the rows. The counts order balances (docs/semantics.md, Drawdown); None is infinite."""

    selector: int
    product_count: int | None
    value_specifier_count: int


def quantity_product(balance: Any) -> str | None:
    """The product whose units a balance with QUANTITY access holds: the one that it names; None: not one."""
    included = [one for one in balance.specifiers if not one.exclude]
    named: set[str | None] = {*balance.applicable_product_ids, *(one.product_id for one in included)}
    return next(iter(named)) if len(named) == 1 and not balance.applicable_product_tags else None


@dataclass(slots=True)
class Reaches:
    """Numbers for the distinct selections of a book, of which it has few."""

    names: Names
    numbers: dict[tuple[Row, ...], int] = field(default_factory=dict)
    tags: dict[datetime, dict[str, frozenset[str]]] = field(default_factory=dict)
    known: dict[Any, int] = field(default_factory=dict)

    def of(self, balance: Any, at: datetime, drawing: Sequence[Contract]) -> Reach:
        """The reach of a balance whose access starts at `at`, for the contracts that may draw it."""
        ids, tags = balance.applicable_product_ids, balance.applicable_product_tags
        specifiers = balance.specifiers
        tagged = bool(tags) or any(one.product_tags for one in specifiers)
        values = tuple((one.product_id, one.product_tags, group_text(one.pricing_group_values),
                        group_text(one.presentation_group_values), one.exclude) for one in specifiers)  # fmt: skip
        key = (ids, tags, values, at if tagged else None)
        if key not in self.known:
            rows = tuple(sorted(set(self._rows(balance, at))))
            self.known[key] = self.numbers.setdefault(rows, len(self.numbers))
        named = self._named(balance, at, drawing)
        return Reach(
            selector=self.known[key],
            product_count=len(named) if named else None,
            value_specifier_count=sum(
                not one.exclude and one.product_id is None and not one.product_tags for one in specifiers
            ),
        )

    def rows(self) -> Iterator[tuple[Any, ...]]:
        """Rows of SELECTORS."""
        for rows, number in self.numbers.items():
            for row in rows:
                yield number, *row

    def _rows(self, balance: Any, at: datetime) -> Iterator[Row]:
        included = [one for one in balance.specifiers if not one.exclude]
        chosen = set(balance.applicable_product_ids) | set(self._with_any(balance.applicable_product_tags, at))
        if not chosen and not balance.applicable_product_tags and not included:
            chosen = set(self._all())
        for product in chosen:
            yield product, NO_GROUP, NO_GROUP, False
        for one in balance.specifiers:
            pricing, presentation = group_text(one.pricing_group_values), group_text(one.presentation_group_values)
            for product in self._specified(one, at):
                yield product, pricing, presentation, one.exclude

    def _specified(self, specifier: Any, at: datetime) -> Iterable[str]:
        """A product, products that have all of the tags, or any product."""
        if specifier.product_id is not None:
            candidates: Iterable[str] = (specifier.product_id,)
        else:
            candidates = self._all()
        wanted = frozenset(specifier.product_tags)
        return [product for product in candidates if wanted <= self._tags_at(at)[product]]

    def _with_any(self, tags: Sequence[str], at: datetime) -> Iterable[str]:
        wanted = frozenset(tags)
        return [product for product, own in self._tags_at(at).items() if wanted & own]

    def _all(self) -> Iterable[str]:
        return [product.id for product in self.names.products.values() if is_charged_by_use(product)]

    def _tags_at(self, at: datetime) -> dict[str, frozenset[str]]:
        """The tags of every product at an instant."""
        if at not in self.tags:
            found = {}
            for product in self.names.products.values():
                in_force = [one for one in versions(product) if one.starting_at is None or one.starting_at <= at]
                found[product.id] = frozenset(in_force[-1].product.tags)
            self.tags[at] = found
        return self.tags[at]

    def _named(self, balance: Any, at: datetime, drawing: Sequence[Contract]) -> set[str]:
        """Products that are named by id, or by tags on a card of a drawing contract (case 44)."""
        included = [one for one in balance.specifiers if not one.exclude]
        named = set(balance.applicable_product_ids) | {one.product_id for one in included if one.product_id}
        by_tags = set(self._with_any(balance.applicable_product_tags, at))
        for one in included:
            if one.product_id is None and one.product_tags:
                by_tags |= set(self._specified(one, at))
        if by_tags:
            cards = [card.id for contract in drawing if (card := self.names.card_of(contract)) is not None]
            named |= by_tags & {product for card in cards for product in self.names.rates_of.get(card, ())}
        return named
