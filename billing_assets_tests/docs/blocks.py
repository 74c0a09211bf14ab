"""Parts of the documentation that are made from the code: `python -m billing_assets_tests.docs.blocks` writes them.

A part stands between `<!-- begin <name>: ... -->` and `<!-- end <name> -->`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from billing_assets.bookkeeping import ACCOUNTS
from billing_assets.columns import HISTORY_COLUMNS
from billing_assets.commitments import ORDER_OF_BALANCES
from billing_assets.ingestion.reasons import MEANING
from billing_assets.line_order import ORDER_OF_LINES
from billing_assets.rating import ORDER_OF_CHARGES

DOCS = Path(__file__).resolve().parents[2] / "docs"


def order_of_charges() -> str:
    steps = ((str(number), f"`{step.name}`", step.rule) for number, step in enumerate(ORDER_OF_CHARGES, start=1))
    return as_table(("", "step", "rule"), steps)


def order_of_lines() -> str:
    return "By " + "; ".join(rule for _, rule in ORDER_OF_LINES if rule) + "."


def order_of_balances() -> str:
    return "By " + "; ".join(rule for _, rule in ORDER_OF_BALANCES if rule) + "."


def reject_reasons() -> str:
    return as_table(("reason", "meaning"), ((f"`{reason.value}`", text) for reason, text in MEANING.items()))


def history_columns() -> str:
    return ", ".join(f"`{name}`" for name in HISTORY_COLUMNS) + "."


def accounts() -> str:
    rows = ((one.number, one.name, one.kind.lower().replace("_", " "), one.about) for one in ACCOUNTS)
    return as_table(("account", "name", "kind", "what is on it"), rows)


PAGES = ("semantics.md", "bookkeeping.md")

BLOCKS: Mapping[str, Callable[[], str]] = {
    "order of charges": order_of_charges,
    "order of lines": order_of_lines,
    "order of balances": order_of_balances,
    "reject reasons": reject_reasons,
    "history columns": history_columns,
    "accounts": accounts,
}


def as_table(header: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = ["| " + " | ".join(header) + " |", "|" + "---|" * len(header)]
    return "\n".join([*lines, *("| " + " | ".join(row) + " |" for row in rows)])


def renewed(page: str) -> str:
    """`page` with every part as the code makes it now."""

    def block(found: re.Match[str]) -> str:
        return f"{found['begin']}\n{BLOCKS[found['name']]()}\n{found['end']}"

    pattern = r"(?P<begin><!-- begin (?P<name>[a-z ]+):[^>]*-->)\n.*?(?P<end><!-- end (?P=name) -->)"
    return re.sub(pattern, block, page, flags=re.DOTALL)


if __name__ == "__main__":
    for name in PAGES:
        page = DOCS / name
        page.write_text(renewed(page.read_text(encoding="utf-8")), encoding="utf-8")
