"""One tiny catalog per mistake: bad/<mistake>.yaml beside bad/base.yaml, with the expected problems in its comments."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from billing_assets.catalog import load_catalog
from billing_assets.errors import CatalogError

BAD = Path(__file__).parent / "bad"
BASE = BAD / "base.yaml"
MISTAKES = sorted(path for path in BAD.glob("*.yaml") if path != BASE)
EXPECTED = "# expected: "


def problems_of(directory: Path) -> list[str]:
    with pytest.raises(CatalogError) as raised:
        load_catalog(directory)
    return [str(problem) for problem in raised.value.problems]


def lay_out(mistake: Path, directory: Path) -> None:
    lines = mistake.read_text().splitlines(keepends=True)
    text = "".join(line for line in lines if not line.startswith(EXPECTED))
    if not text.startswith("# alone"):
        shutil.copy(BASE, directory / "base.yaml")
    (directory / "mistake.yaml").write_text(text)


@pytest.mark.parametrize("mistake", MISTAKES, ids=lambda path: path.stem)
def test_a_mistake_is_told(mistake: Path, tmp_path: Path) -> None:
    lay_out(mistake, tmp_path)
    expected = [line.removeprefix(EXPECTED) for line in mistake.read_text().splitlines() if line.startswith(EXPECTED)]
    assert expected, "the file states no expected problem"
    assert problems_of(tmp_path) == expected


def test_the_base_has_no_mistake(tmp_path: Path) -> None:
    shutil.copy(BASE, tmp_path / "base.yaml")
    assert load_catalog(tmp_path).warnings == ()


def test_there_are_enough_mistakes() -> None:
    assert len(MISTAKES) >= 45


def test_all_problems_of_all_files_at_once(tmp_path: Path) -> None:
    shutil.copy(BASE, tmp_path / "base.yaml")
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "one.yaml").write_text("customers:\n  - {id: x}\n  - {id: y, nam: Y}\n")
    (tmp_path / "two.yaml").write_text("rate_cards:\n  - {id: z, currency: XXX}\n  - {id: standard}\n")
    found = problems_of(tmp_path)
    assert [problem.split(": ")[:2] for problem in found] == [
        ["folder/one.yaml:2", "customers[0].name"],
        ["folder/one.yaml:3", "customers[1].nam"],
        ["folder/one.yaml:3", "customers[1].name"],
        ["two.yaml:2", "rate_cards[0].currency"],
        ["two.yaml:3", "rate_cards[1].id"],
    ]


def test_a_reference_to_a_misshapen_object_is_not_unknown(tmp_path: Path) -> None:
    shutil.copy(BASE, tmp_path / "base.yaml")
    (tmp_path / "x.yaml").write_text(
        "customers: [{id: x}]\ncontracts: [{id: c, customer_id: x, rate_card_id: standard, starting_at: 2026-01-01}]\n"
    )
    assert problems_of(tmp_path) == ["x.yaml:1: customers[0].name: missing, expected name: name on invoices"]


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("x.yaml", b"customers:\n  - {id: x, name: \xff}\n", "x.yaml:2: : found the byte 0xff, expected UTF-8 text"),
        (
            "customer.jsonl",
            b"",
            "customer.jsonl:0: : found a file of 'customer', expected a collection: billable_metrics, products, "
            "pricing_units, rate_cards, customers, contracts; did you mean 'customers'?",
        ),
        ("customers.parquet", b"not parquet", "customers.parquet:0: : unreadable Parquet"),
        ("customers.jsonl", b'{"id": "x", "name": "X"}\n{"id": \n', "customers.jsonl:2: : broken JSON"),
        ("customers.jsonl", b'\n{"id": "x"}\n', "customers.jsonl:2: customers[0].name: missing"),
    ],
)
def test_an_unreadable_file_is_a_problem(name: str, content: bytes, expected: str, tmp_path: Path) -> None:
    shutil.copy(BASE, tmp_path / "base.yaml")
    (tmp_path / name).write_bytes(content)
    (found,) = problems_of(tmp_path)
    assert found.startswith(expected)


def test_deep_nesting_is_a_problem(tmp_path: Path) -> None:
    (tmp_path / "x.yaml").write_text("customers: " + "[" * 5000)
    (found,) = problems_of(tmp_path)
    assert "broken YAML" in found


def test_no_catalog(tmp_path: Path) -> None:
    assert "found no catalog files" in problems_of(tmp_path)[0]
    assert "found no such directory" in problems_of(tmp_path / "nowhere")[0]
    (tmp_path / "empty.yaml").write_text("")
    assert "settings: missing" in problems_of(tmp_path)[0]
