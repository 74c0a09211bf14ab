"""The order of invoices in their pool, and who waits for whom."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from billing_assets.columns import TIMESTAMP
from billing_assets.commitments.pools import crowded, in_pool_order, predecessors, uses
from billing_assets.commitments.rollover import ROLLOVER
from billing_assets_tests.commitments.book import FEBRUARY, JANUARY, Book, Row, balance, collected, day, frame, line

INVOICE = {
    "invoice_id": pl.String(), "pool": pl.String(), "invoice_type": pl.String(), "dated_at": TIMESTAMP,
    "period_start": TIMESTAMP, "contract_position": pl.Int64(), "contract_id": pl.String(),
    "is_held": pl.Boolean(), "is_due": pl.Boolean(),
}  # fmt: skip


def invoice(name: str, dated_at: datetime = FEBRUARY, **terms: Any) -> Row:
    return {"invoice_id": name, "pool": "c", "invoice_type": "USAGE", "dated_at": dated_at, "period_start": JANUARY,
            "contract_position": 0, "contract_id": "c", "is_held": False, "is_due": True, **terms}  # fmt: skip


def placed(*rows: Row) -> pl.LazyFrame:
    return in_pool_order(pl.LazyFrame(rows, schema=INVOICE))


def found(
    rows: list[Row], lines: list[Row], balances: list[Row], rolling: Sequence[Row] = ()
) -> dict[str, tuple[bool, bool]]:
    book = Book(lines, balances)
    used = uses(book.reach(), book.line_frame(), placed(*rows), frame(rolling, ROLLOVER))
    waiting = predecessors(placed(*rows), used, len(rows), collected).collect()
    return {name: (held, waits) for name, held, waits in waiting.rows()}


def test_the_order_of_invoices() -> None:
    rows = [
        invoice("correction", invoice_type="CORRECTION", period_start=None),
        invoice("trueup", invoice_type="TRUEUP", period_start=None),
        invoice("second-contract", contract_position=1),
        invoice("b", contract_position=0), invoice("a", contract_position=0),
        invoice("short", period_start=day(20)),
        invoice("scheduled", invoice_type="SCHEDULED", period_start=None),
        invoice("earlier", day(9), invoice_type="TRUEUP"),
        invoice("other", pool="d"),
    ]  # fmt: skip
    ordered = placed(*rows).collect()
    assert ordered.filter(pool="c")["invoice_id"].to_list() == [
        "earlier", "scheduled", "a", "b", "second-contract", "short", "trueup", "correction",
    ]  # fmt: skip
    assert ordered["invoice_place"].to_list() == [0, 1, 2, 3, 4, 5, 6, 7, 0]


def test_what_stands_behind_a_held_invoice_is_held_and_holds() -> None:
    """a is held; b shares x with it, c shares y with b, d has a balance of its own."""
    rows = [invoice("a", day(2), is_held=True), invoice("b", day(3)), invoice("c", day(4)), invoice("d", day(5))]
    spans = {"a": (1, 2), "b": (1, 5), "c": (4, 5), "d": (8, 9)}
    lines = [line(key, 5, 1, invoice_id=name, incurred_from=day(first), incurred_to=day(first) + (day(2) - day(1)))
             for key, (name, (first, _)) in enumerate(spans.items())]  # fmt: skip
    lines.append(line(9, 5, 1, invoice_id="b", incurred_from=day(4), incurred_to=day(5)))
    held = [balance("x", 1, ending_before=day(3)), balance("y", 1, starting_at=day(4), ending_before=day(6)),
            balance("z", 1, starting_at=day(7))]  # fmt: skip
    assert found(rows, lines, held) == {"b": (True, False), "c": (True, False)}


def test_waiting_is_not_being_held() -> None:
    rows = [invoice("a", day(2), is_due=False), invoice("b", day(3))]
    lines = [line(1, 5, 1, invoice_id="a"), line(2, 5, 1, invoice_id="b")]
    assert found(rows, lines, [balance("x", 1)]) == {"b": (False, True)}


def test_what_the_balance_still_holds_does_not_matter_and_a_negative_line_counts() -> None:
    rows = [invoice("a", day(2), is_held=True), invoice("b", day(3))]
    lines = [line(1, -5, 1, invoice_id="a"), line(2, 5, 1, invoice_id="b")]
    assert found(rows, lines, [balance("x", 0)]) == {"b": (True, False)}
    assert found(rows, lines, [balance("x", 0, selector=7)]) == {}


def test_what_a_renewal_draws_waits_for_the_contract_that_it_rolls_over_from() -> None:
    rows = [invoice("old", day(20), is_held=True), invoice("new", day(40), contract_id="d")]
    rolled = balance("a/1@d", 5, contract_id="d", is_rollover=True, drawn_after=day(20))
    lines = [line(1, 5, 1, invoice_id="new", contract_id="d", dated_at=day(40))]
    rolling = [{**rolled, "from_contract_id": "c", "from_segment_id": "a/1"}]
    assert found(rows, lines, [rolled], rolling) == {"new": (True, False)}
    assert found(rows, lines, [rolled]) == {}


def test_only_pools_with_somebody_behind_somebody_stuck_are_looked_at() -> None:
    rows = [invoice("a", day(2)), invoice("b", day(3), is_due=False), invoice("c", day(2), pool="d", is_held=True),
            invoice("d", day(3), pool="d")]  # fmt: skip
    assert crowded(placed(*rows)).collect()["pool"].to_list() == ["d"]


@settings(max_examples=25)
@given(
    st.lists(st.tuples(st.booleans(), st.booleans(), st.sets(st.integers(0, 3), min_size=1)), min_size=1, max_size=7)
)
def test_as_one_after_the_other_would_find_it(drawn: list[tuple[bool, bool, set[int]]]) -> None:
    rows = [invoice(f"i{number}", day(number + 1), is_held=held, is_due=due)
            for number, (held, due, _) in enumerate(drawn)]  # fmt: skip
    used = [{"invoice_id": f"i{number}", "balance": one} for number, (_, _, own) in enumerate(drawn) for one in own]
    frame = pl.LazyFrame(used, schema={"invoice_id": pl.String(), "balance": pl.UInt32()})
    expected, stuck = {}, {}
    for number, (held, due, own) in enumerate(drawn):
        behind = [any(stuck.get(one, (False, False))[kind] for one in own) for kind in (0, 1)]
        if any(behind):
            expected[f"i{number}"] = tuple(behind)
        for one in own:
            before = stuck.get(one, (False, False))
            stuck[one] = (before[0] or held or behind[0], before[1] or not due or behind[1])
    waiting = predecessors(placed(*rows), frame, len(rows), collected).collect()
    assert {name: (held, waits) for name, held, waits in waiting.rows()} == expected
