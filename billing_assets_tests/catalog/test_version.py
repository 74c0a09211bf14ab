"""The version is the hash of the content: what is written, not where or in which order, but for contracts."""

from __future__ import annotations

from pathlib import Path

from billing_assets.catalog import Catalog, catalog_from_content
from billing_assets_tests.catalog.books import BASE, book

GOLDEN = "fa67cce59ef6d73a1eb9453438d9ca1aa18e8f4e88a520deb7465ef405369660"


def contract(name: str, customer: str) -> str:
    return f"contracts: [{{id: {name}, customer_id: {customer}, rate_card_id: standard, starting_at: 2026-01-01}}]\n"


def two(directory: Path, first: str, second: str) -> Catalog:
    return book(directory, base=BASE, p=first, q=second)


def test_golden_version(tmp_path: Path) -> None:
    assert book(tmp_path, base=BASE).version == GOLDEN


def test_layout_and_order_do_not_matter(tmp_path: Path) -> None:
    metric = "billable_metrics: [{id: m, aggregation_type: COUNT}]\n"
    customers = "customers: [{id: u, name: U}, {id: t, name: T}]\n"
    turned = "# a comment\ncustomers:\n  - {name: T, id: t}\n  - name: U\n    id: u\n"
    first = two(tmp_path / "a", metric, customers)
    assert first == two(tmp_path / "b", turned, metric)
    assert first.version == book(tmp_path / "c", base=BASE, x=metric + customers).version


def test_a_default_written_out_does_not_matter(tmp_path: Path) -> None:
    text = BASE.replace("price: 0.03", "price: 0.030, entitled: true")
    assert book(tmp_path / "a", base=text).version == book(tmp_path / "b", base=BASE).version


def test_the_order_of_contracts_is_part_of_the_version(tmp_path: Path) -> None:
    more = "customers: [{id: u, name: U}]\n"
    base = BASE + contract("c", "globex").replace("contracts: [", "  - ").replace("]", "")
    first = book(tmp_path / "a", base=base, z=more + contract("d", "u"))
    second = book(tmp_path / "b", base=base, a=more + contract("d", "u"))
    assert [found.id for found in first.contracts] == ["acme-2026", "c", "d"]
    assert [found.id for found in second.contracts] == ["d", "acme-2026", "c"]
    assert first.version != second.version


def test_a_change_changes_the_version(tmp_path: Path) -> None:
    changed = BASE.replace("price: 0.03", "price: 0.030000000001")
    assert book(tmp_path / "a", base=changed).version != book(tmp_path / "b", base=BASE).version


def test_content_gives_the_same_catalog(tmp_path: Path) -> None:
    catalog = book(tmp_path, base=BASE)
    assert catalog_from_content(catalog.content) == catalog
    assert catalog_from_content(catalog.content).content == catalog.content
    assert 'price":"0.03"' in catalog.content
