"""docs/semantics.md has every section that the code cites, and its parts that are made from the code are current."""

from __future__ import annotations

import re

import pytest

from billing_assets.invoicing.drafts import hold_reasons
from billing_assets.metering.grain import EXCEPTION, NOT_OURS, PRECEDENCE
from billing_assets_tests.cli.process import ROOT
from billing_assets_tests.docs.blocks import BLOCKS, DOCS, PAGES, renewed

CITED = re.compile(r"docs/(semantics|architecture|operations)\.md(?:, | \()([A-Z][A-Za-z ,]*)")
SEMANTICS = (DOCS / "semantics.md").read_text(encoding="utf-8")


def headings(page: str) -> set[str]:
    return set(re.findall(r"^#+ (.+)$", (DOCS / f"{page}.md").read_text(encoding="utf-8"), flags=re.MULTILINE))


def citations() -> set[tuple[str, str]]:
    texts = (" ".join(path.read_text(encoding="utf-8").split()) for path in (ROOT / "billing_assets").rglob("*.py"))
    found = (match for text in texts for match in CITED.findall(text))
    return {(page, title.strip()) for page, titles in found for title in titles.split(", ")}


def test_every_cited_section_exists() -> None:
    assert len(citations()) > 20
    assert sorted((page, title) for page, title in citations() if title not in headings(page)) == []


def test_parts_made_from_the_code_are_current() -> None:
    pages = [(DOCS / name).read_text(encoding="utf-8") for name in PAGES]
    assert [renewed(page) for page in pages] == pages, "python -m billing_assets_tests.docs.blocks"
    assert all(f"<!-- begin {name}:" in "".join(pages) for name in BLOCKS)


def test_every_disposition_is_explained() -> None:
    listed = [name for name in (*PRECEDENCE, EXCEPTION) if name not in (*NOT_OURS, "billed")]
    assert [name for name in listed if f"| `{name}` |" not in SEMANTICS] == []


def test_every_hold_is_explained() -> None:
    reasons = re.findall(r'"([A-Z]+_[A-Z_]+)"', str(hold_reasons.__code__.co_consts).replace("'", '"'))
    assert len(reasons) >= 5
    assert [reason for reason in reasons if f"| {reason} |" not in SEMANTICS] == []


@pytest.mark.parametrize("word", ["spec/", "../shared", "decisions.md"])
def test_the_pages_stand_on_their_own(word: str) -> None:
    pages = [ROOT / "README.md", *DOCS.glob("*.md")]
    assert [page.name for page in pages if word in page.read_text(encoding="utf-8")] == []
