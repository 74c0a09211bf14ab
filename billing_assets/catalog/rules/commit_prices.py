"""Which commit-side prices may meet which list prices on an atom (docs/semantics.md, Prices that balances pay)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

from billing_assets.catalog.book import group_text
from billing_assets.catalog.contracts import Contract
from billing_assets.catalog.names import Names, overwritten, tags_ever
from billing_assets.catalog.overrides import EntitlementOverride, Override, OverwriteOverride
from billing_assets.catalog.prices import FlatPrice, PackagePrice, Price, TieredPrice, VolumePrice
from billing_assets.catalog.products import Product, UsageProduct
from billing_assets.catalog.rates import Rate
from billing_assets.catalog.rules.findings import Finding, text_of
from billing_assets.catalog.rules.shared_balances import reachable
from billing_assets.catalog.values import GroupValues

_ALWAYS = datetime.min.replace(tzinfo=UTC)


def meet(listed: Price | Rate, side: Price | Rate) -> bool:
    """FLAT and TIERED stand for each other; VOLUME for VOLUME; PACKAGE for the same package; nothing else does."""
    match listed:
        case FlatPrice() | TieredPrice():
            return isinstance(side, FlatPrice | TieredPrice)
        case PackagePrice():
            same = isinstance(side, PackagePrice) and side.package_size == listed.package_size
            return same and (side.free_units or 0) == (listed.free_units or 0)  # type: ignore[union-attr]
        case VolumePrice():
            return isinstance(side, VolumePrice)
        case _:
            return False


def partner(listed: Price | Rate) -> str:
    """What may meet a list price, for messages."""
    match listed:
        case FlatPrice() | TieredPrice():
            return "FLAT or TIERED"
        case PackagePrice():
            return "PACKAGE of the same package_size and free_units"
        case VolumePrice():
            return "VOLUME"
        case _:
            return f"no price of its own beside {listed.rate_type}"


@dataclass(frozen=True, slots=True)
class Reaching:
    """An override that reaches a place of the card; it is `whole` where it does so for all presentation values."""

    override: Override
    position: int
    whole: bool

    @property
    def is_of_commits(self) -> bool:
        return self.override.is_commit_specific

    @property
    def on_commit_rate(self) -> bool:
        return self.override.target == "COMMIT_RATE"

    def in_force(self, at: datetime) -> bool:
        return self.override.starting_at <= at and (
            self.override.ending_before is None or at < self.override.ending_before
        )


def commit_prices_meet(contract: Contract, names: Names) -> Iterator[Finding]:
    """At every instant, each price that a balance may pay must be of a kind that can meet the list price."""
    priced = [found for found in enumerate(contract.overrides) if not isinstance(found[1], EntitlementOverride)]
    of_commits = any(found.is_commit_specific for _, found in priced)
    by_commit_rate = any(balance.rate_type == "COMMIT_RATE" for balance in reachable(contract, names))
    if not priced or not (of_commits or by_commit_rate):
        return
    told: set[int] = set()
    for product, values, rates in _places(contract, names):
        reaching = [each for each in (_reach(product, values, *found) for found in priced) if each is not None]
        for at in _changes(reaching, rates) if reaching else ():
            for place, listed, side in _pairs(reaching, _rate_at(rates, at), at, by_commit_rate=by_commit_rate):
                if not meet(listed, side) and place not in told:
                    told.add(place)
                    yield (
                        ("overrides", place),
                        (
                            f"found {side.rate_type} for balances to pay where {product.id!r} has a list price of "
                            f"{listed.rate_type} from {text_of(at)} on, expected {partner(listed)}"
                        ),
                    )


def _places(contract: Contract, names: Names) -> Iterator[tuple[UsageProduct, GroupValues, list[Rate]]]:
    """USAGE product and pricing values, with their rates: what the card prices, and what an OVERWRITE adds to it."""
    card = names.card_of(contract)
    rates_of = names.rates_of[card.id] if card else {}
    for product_id in dict.fromkeys((*rates_of, *overwritten(contract))):
        product = names.products.get(product_id)
        if isinstance(product, UsageProduct):
            found: dict[str, tuple[GroupValues, list[Rate]]] = {}
            for rate in rates_of.get(product_id, ()):
                values = rate.pricing_group_values
                found.setdefault(group_text(values), (values, []))[1].append(rate)
            for values in _overwritten_values(contract, product_id):
                found.setdefault(group_text(values), (values, []))
            for values, rates in found.values():
                yield product, values, rates


def _overwritten_values(contract: Contract, product_id: str) -> Iterator[GroupValues]:
    for override in contract.overrides:
        for found in override.override_specifiers if isinstance(override, OverwriteOverride) else ():
            if found.product_id == product_id:
                yield found.pricing_group_values


def _reach(product: Product, values: GroupValues, position: int, override: Override) -> Reaching | None:
    if override.applicable_product_tags:
        tagged = bool(tags_ever(product).intersection(override.applicable_product_tags))
        return Reaching(override, position, whole=True) if tagged else None
    if not override.override_specifiers:
        return Reaching(override, position, whole=True)
    matching = [
        found
        for found in override.override_specifiers
        if found.product_id in (None, product.id)
        and tags_ever(product).issuperset(found.product_tags)
        and found.pricing_group_values.items() <= values.items()
    ]
    whole = any(not found.presentation_group_values for found in matching)
    return Reaching(override, position, whole) if matching else None


def _changes(reaching: list[Reaching], rates: list[Rate]) -> list[datetime]:
    instants = {_ALWAYS}
    for dated in (*rates, *(each.override for each in reaching)):
        instants |= {dated.starting_at} | ({dated.ending_before} if dated.ending_before else set())
    return sorted(instants)


def _rate_at(rates: list[Rate], at: datetime) -> Rate | None:
    started = [rate for rate in rates if rate.starting_at <= at]
    last = max(started, key=lambda rate: rate.starting_at, default=None)
    return last if last is not None and (last.ending_before is None or at < last.ending_before) else None


def _pairs(
    reaching: list[Reaching], rate: Rate | None, at: datetime, *, by_commit_rate: bool
) -> Iterator[tuple[int, Price | Rate, Price | Rate]]:
    """(override to blame, list price, commit-side price) of all that may meet at an instant."""
    active = [each for each in reaching if each.in_force(at)]
    general = [each for each in active if not each.is_of_commits]
    shown = list(_winners([each for each in general if not each.on_commit_rate], rate))
    on_list = [each for each in active if each.is_of_commits and not each.on_commit_rate]
    sides = list(_changed(on_list, rate))
    if by_commit_rate and rate is not None and rate.commit_rate is not None:
        on_commit = [each for each in active if each.is_of_commits and each.on_commit_rate]
        sides += _changed(on_commit, rate.commit_rate)
        sides += _winners([each for each in general if each.on_commit_rate], rate.commit_rate)
    for by, side in sides:
        for other, listed in shown:
            blamed = by if by is not None else other
            if blamed is not None:
                yield blamed, listed, side


def _changed(overrides: list[Reaching], base: Price | Rate | None) -> Iterator[tuple[int | None, Price | Rate]]:
    """The price under each override of commits: an OVERWRITE's own, else the kind that it multiplies."""
    for each in overrides:
        price = each.override.overwrite_rate if isinstance(each.override, OverwriteOverride) else base
        if price is not None:
            yield each.position, price


def _winners(overrides: list[Reaching], base: Price | Rate | None) -> Iterator[tuple[int | None, Price | Rate]]:
    """Prices that may hold: the last OVERWRITE for all values, those for some of them after it, else `base`."""
    for each in reversed(overrides):
        if isinstance(each.override, OverwriteOverride):
            yield each.position, each.override.overwrite_rate
            if each.whole:
                return
    if base is not None:
        yield None, base
