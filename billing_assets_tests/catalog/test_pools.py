"""Which contracts draw in one order: those that can reach a common balance, in the end."""

from __future__ import annotations

from pathlib import Path

from billing_assets.catalog import load_catalog
from billing_assets.catalog.pools import pools

BOOK = """
settings: {starting_at: 2026-01-01}
products: [{id: fee, name: Fee, type: FIXED}]
rate_cards: [{id: card, currency: USD}]
customers: [{id: u, name: U}]
contracts:
"""
RENEWED = "  - {{id: {0}, customer_id: u, rate_card_id: card, starting_at: 2026-02-01{1}}}\n"
CONTRACT = (
    "  - {{id: {0}, customer_id: u, rate_card_id: card, starting_at: 2026-01-01, ending_before: 2026-02-01{1}}}\n"
)
ROLLING = (
    ", credits: [{id: roll, product_id: fee, rollover_fraction: 0.5, "
    "access_schedule: [{amount: 5, starting_at: 2026-01-01, ending_before: 2026-02-01}]}]"
)


def pools_of(directory: Path, *contracts: str) -> dict[str, str]:
    directory.mkdir(exist_ok=True)
    (directory / "x.yaml").write_text(BOOK + "".join(contracts))
    return dict(pools(load_catalog(directory)))


def test_a_renewal_reaches_what_rolls_over(tmp_path: Path) -> None:
    renewal = RENEWED.format("new", ", transition: {from_contract_id: old, type: RENEWAL}")
    assert pools_of(tmp_path / "a", CONTRACT.format("old", ROLLING), renewal) == {"old": "old", "new": "old"}
    assert pools_of(tmp_path / "b", CONTRACT.format("old", ""), renewal) == {"old": "old", "new": "new"}


def test_a_supersede_takes_nothing_over(tmp_path: Path) -> None:
    after = RENEWED.format("new", ", transition: {from_contract_id: old, type: SUPERSEDE}")
    assert pools_of(tmp_path, CONTRACT.format("old", ROLLING), after) == {"old": "old", "new": "new"}


def test_a_child_is_drawn_with_the_parent_that_pays(tmp_path: Path) -> None:
    child = CONTRACT.format("child", ", hierarchy: {parent_contract_id: parent, payer: PARENT}")
    alone = CONTRACT.format("alone", ", hierarchy: {parent_contract_id: parent}")
    found = pools_of(tmp_path, CONTRACT.format("parent", ""), child, alone)
    assert found == {"parent": "parent", "child": "parent", "alone": "alone"}
