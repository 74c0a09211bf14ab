"""The oracle against the numeric examples of docs/semantics.md's cases and the public vectors (data/vectors)."""

from __future__ import annotations

import itertools
import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from billing_assets_tests.oracle.exact import canonical, numeric, rounded
from billing_assets_tests.oracle.metering import Reading, metric_value
from billing_assets_tests.oracle.oracle import Batch, Invoice, Line, Result, bill, close_month
from billing_assets_tests.oracle.terms import periods

VECTORS = Path(__file__).parent.parent / "data" / "vectors"
JAN, FEB = datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 2, 1, tzinfo=UTC)
LATER = datetime(2026, 2, 3, tzinfo=UTC)
GROUPS = [["model"], ["region"], ["model", "region"]]


def vectors(name: str, kind: str | None = None) -> list[Any]:
    """The vectors of one file, of one kind, as pytest parameters."""
    content = json.loads((VECTORS / name).read_text(encoding="utf-8"))["vectors"]
    return [pytest.param(one, id=one["id"]) for one in content if kind in (None, one.get("kind"))]


def day(number: int, hour: int = 0) -> str:
    """A timestamp in January 2026."""
    return (JAN + timedelta(days=number - 1, hours=hour)).strftime("%Y-%m-%dT%H:%M:%SZ")


def used(*values: tuple[int, Any], **properties: Any) -> list[dict[str, Any]]:
    """Events of (day of January, value)."""
    return [
        {"transaction_id": f"{json.dumps(properties)}-{position}", "customer_id": "acme", "event_type": "use"}
        | {"timestamp": day(at, 12), "properties": {"v": value} | properties}
        for position, (at, value) in enumerate(values)
    ]


def book(
    rates: Sequence[Mapping[str, Any]],
    aggregation: str = "SUM",
    product: Mapping[str, Any] | None = None,
    contract: Mapping[str, Any] | None = None,
    currency: str = "USD",
    settings: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """A catalog of one customer with one contract over one product; rates without dates hold from 2026-01-01."""
    return {
        "settings": {"starting_at": "2025-01-01", "backdating_window": "none", **(settings or {})},
        "billable_metrics": [
            {"id": "m", "name": "m", "event_type_filter": {"in_values": ["use"]}, "aggregation_type": aggregation}
            | ({} if aggregation == "COUNT" else {"aggregation_key": "v"})
            | {"group_keys": GROUPS}
        ],
        "products": [{"id": "p", "name": "P", "type": "USAGE", "billable_metric_id": "m", **(product or {})}],
        "rate_cards": [
            {"id": "card", "currency": currency, "aliases": [{"name": "default"}]}
            | {"rates": [{"product_id": "p", "starting_at": "2026-01-01", **rate} for rate in rates]}
        ],
        "customers": [{"id": "acme", "name": "Acme", "ingest_aliases": ["acme-prod"]}],
        "contracts": [
            {"id": "c", "customer_id": "acme", "rate_card_id": "card", "starting_at": "2026-01-01"}
            | dict(contract or {})
        ],
    }


def run(catalog: Mapping[str, Any], *batches: Sequence[Mapping[str, Any]], now: datetime = LATER) -> Result:
    """The whole oracle; every batch arrives at `now`."""
    return bill(catalog, [Batch(now, events) for events in batches], now)


def january(result: Result, contract_id: str = "c") -> Invoice:
    """The invoice of January (or of the stub that ends with it)."""
    return next(
        one for (contract, _), one in result.invoices.items() if contract == contract_id and one.period_end == FEB
    )


def shown(lines: Sequence[Line]) -> list[tuple[Decimal, Decimal, Decimal]]:
    """(quantity, unit_price, amount) of the lines."""
    return [(line.quantity, line.unit_price, line.amount) for line in lines]


def flat(price: str, **more: Any) -> dict[str, Any]:
    """A FLAT rate."""
    return {"rate_type": "FLAT", "price": price, **more}


def tiers(*parts: tuple[str | None, str] | tuple[str | None, str, str]) -> list[dict[str, str]]:
    """Tiers of (size, price[, flat fee])."""
    names = ("size", "price", "flat_fee")
    return [{name: value for name, value in zip(names, part, strict=False) if value is not None} for part in parts]


@pytest.mark.parametrize("vector", vectors("rating.json"))
def test_rating_vectors(vector: dict[str, Any]) -> None:
    """Every charge of rating.json, as the one line item group of a period."""
    invoice = january(run(book([vector["rate"]]), used((3, vector["quantity"]))))
    charge, wanted = sum(line.amount for line in invoice.lines if line.line_type == "usage"), Decimal(vector["amount"])
    assert charge == wanted or (len(vector["amount"].split(".")[-1]) == 2 and round(charge, 2) == wanted)


@pytest.mark.parametrize("vector", vectors("aggregation_and_adjustments.json", "graduated_percentage"))
def test_graduated_percentage_vectors(vector: dict[str, Any]) -> None:
    """Graduated percentages; the peer's rate is in percent."""
    parts, lower = [], Decimal(0)
    for one in vector["params"]["graduated_percentage_ranges"]:
        size = None if one["to_value"] is None else Decimal(str(one["to_value"])) - lower
        lower += size or 0
        parts.append({"price": str(Decimal(one["rate"]) / 100), "flat_fee": one["flat_amount"]})
        parts[-1] |= {} if size is None else {"size": str(size)}
    events = used((3, vector["input"]["units"])) if vector["input"]["events_count"] else []
    invoice = january(run(book([{"rate_type": "TIERED_PERCENTAGE", "tiers": parts}]), events))
    assert sum(line.amount for line in invoice.lines) == Decimal(vector["expected"]["amount"])


@pytest.mark.parametrize("vector", vectors("aggregation_and_adjustments.json", "metric_rounding"))
def test_rounding_vectors(vector: dict[str, Any]) -> None:
    """quantity_rounding (half up, up, down; places absent = 0, negative = tens)."""
    method = {"round": "ROUND_HALF_UP", "ceil": "ROUND_UP", "floor": "ROUND_DOWN", None: None}[
        vector["params"]["function"]
    ]
    if method is None:
        pytest.skip("no rounding")
    units = Fraction(vector["input"]["units"])
    assert rounded(units, method, vector["params"]["precision"] or 0) == Fraction(vector["expected"]["units"])


@pytest.mark.parametrize(
    ("kind", "daily", "wanted"),
    [
        ("COUNT", ["a", None, 3, 4], 4),
        ("SUM", ["12", "12", "12", "12"], 48),
        ("MAX", ["9", "7", "12"], 12),
        ("MAX", ["9", "14.2"], "14.2"),
        ("MAX", ["foo_bar"], 0),
        ("MAX", [None], 0),
        ("LATEST", ["18", "18", "18", "14"], 14),
        ("LATEST", ["18", "14.2"], "14.2"),
        ("UNIQUE", ["b"], 1),
        ("UNIQUE", [1, Decimal("1.0"), "1", "1.0", "b"], 3),  # case 31
        ("AVG", ["1", "2", "2"], "1.666666666667"),  # case 28
        ("MIN", ["-5"], -5),  # case 28
        ("MIN", [], 0),
    ],
)
def test_aggregations(kind: str, daily: list[Any], wanted: Any) -> None:
    """The aggregation vectors (sum-01, max-01..05, latest-01..02, unique-03, count-01) and cases 28 and 31."""
    invoice = january(run(book([flat("1")], kind), used(*enumerate(daily, 1))))
    assert invoice.lines[0].quantity == Decimal(wanted)


@pytest.mark.parametrize(
    "text", ["5.", " 5", "1_000", "NaN", "", "1.2.3", "1e", "0.0000000000001", "1e26", "٣", "true"]
)
def test_case_0_7_exceptions(text: str) -> None:
    """Not numbers."""
    assert numeric(text) is None


@pytest.mark.parametrize(
    ("text", "value"),
    [
        (".5", "0.5"),
        ("+1e3", "1000"),
        ("1.50", "1.5"),
        ("-0", "0"),
        ("1e25", "1e25"),
        ("0.000000000001000", "1e-12"),
        ("00012", "12"),
        ("0e99", "0"),
        ("1E-2", "0.01"),
    ],
)
def test_case_0_7_numbers(text: str, value: str) -> None:
    """Numbers."""
    assert numeric(text) == Fraction(Decimal(value))


def test_canonical_text() -> None:
    """`1.0` -> `1`, `1e3` -> `1000`; strings as they are; section 1."""
    values = [Decimal("1.0"), Decimal("1e3"), "1.0", True, None, Decimal("0.50"), 7]
    assert [canonical(value) for value in values] == ["1", "1000", "1.0", "true", None, "0.5", "7"]


def test_case_0_1_maximum_and_minimum() -> None:
    """200 @ 1, maximum 100: -100. 20 @ 1, minimum 100: +80 (the case's figures without its discounts)."""
    high = january(run(book([flat("1", maximum="100")]), used((3, 200))))
    low = january(run(book([flat("1", minimum="100")]), used((3, 20))))
    assert [(line.line_type, line.amount) for line in high.lines] == [("usage", 200), ("maximum_adjustment", -100)]
    assert [(line.line_type, line.amount) for line in low.lines] == [("usage", 20), ("minimum_adjustment", 80)]


def test_case_0_11_beyond_the_last_tier() -> None:
    """TIERED: the excess is unrated; VOLUME: all of q. Held, also where the tiers end exactly: not."""
    sized = tiers(("10", "1"), ("5", "2"))
    graduated = january(run(book([{"rate_type": "TIERED", "tiers": sized}]), used((3, 20))))
    volume = january(run(book([{"rate_type": "VOLUME", "tiers": sized}]), used((3, 20))))
    exactly = january(run(book([{"rate_type": "VOLUME", "tiers": sized}]), used((3, 15))))
    assert (graduated.subtotal, graduated.hold_reasons) == (20, ("UNRATED_USAGE",))
    assert (volume.lines, volume.status, volume.due) == ((), "DRAFT", True)
    assert (exactly.total, exactly.status) == (30, "FINALIZED")


def test_case_2_one_atom() -> None:
    """LATEST 40 on day 2, 30 on day 20, price 3: one atom, 90."""
    invoice = january(run(book([flat("3")], "LATEST"), used((2, 40), (20, 30))))
    assert shown(invoice.lines) == [(30, 3, 90)]


def test_case_4_tiers() -> None:
    """Tiers 10 @ 1, then @ 2; q = 20: 10 and 20."""
    rate = {"rate_type": "TIERED", "tiers": tiers(("10", "1"), (None, "2"))}
    assert shown(january(run(book([rate]), used((3, 20)))).lines) == [(10, 1, 10), (10, 2, 20)]


def test_case_5_package() -> None:
    """PACKAGE of 10 @ 15, from the 15th @ 20; 5 before, 5 after: one package @ 15, then 0."""
    package = {"rate_type": "PACKAGE", "package_size": "10"}
    rates = [package | {"price": "15"}, package | {"price": "20", "starting_at": "2026-01-15"}]
    assert shown(january(run(book(rates), used((3, 5), (20, 5)))).lines) == [(1, 15, 15), (0, 20, 0)]


def test_case_5_falling_tiers() -> None:
    """TIERED 10 @ 2, then @ 1; R goes 0 -> 12 -> 8: second window -2 @ 1, -2 @ 2."""
    rate = {"rate_type": "TIERED", "tiers": tiers(("10", "2"), (None, "1"))}
    rates = [rate, rate | {"starting_at": "2026-01-15"}]
    lines = january(run(book(rates), used((3, 12), (20, -4)))).lines
    assert shown(lines) == [(10, 2, 20), (2, 1, 2), (-2, 2, -4), (-2, 1, -2)]


def test_case_6_volume_with_a_price_change() -> None:
    """V1 <= 10 @ 5, else @ 4; from the 15th V2 <= 10 @ 3, else @ 2; 8 before, 8 after: 8 x 4 + 8 x 2 = 48."""
    first = {"rate_type": "VOLUME", "tiers": tiers(("10", "5"), (None, "4"))}
    second = {"rate_type": "VOLUME", "tiers": tiers(("10", "3"), (None, "2")), "starting_at": "2026-01-15"}
    invoice = january(run(book([first, second]), used((3, 8), (20, 8))))
    assert (shown(invoice.lines), invoice.total) == ([(8, 4, 32), (8, 2, 16)], 48)


def test_case_7_fees() -> None:
    """A fee per tier entered, given back when R falls to its bound, never for the first; one line each."""
    rate = {"rate_type": "TIERED", "tiers": tiers(("10", "1", "5"), (None, "2", "3"))}
    rates = [rate, rate | {"starting_at": "2026-01-15"}]
    lines = january(run(book(rates), used((3, 12), (20, -2)))).lines
    assert [(line.quantity, line.amount, line.tier_level) for line in lines if line.fee] == [
        (1, 5, 1),
        (1, 3, 2),
        (-1, -3, 2),
    ]


def test_case_7_first_atom_decides() -> None:
    """A first atom that is FLAT: no fee of a first tier, nor of a VOLUME, in the period."""
    volume = {"rate_type": "VOLUME", "tiers": tiers((None, "1", "9")), "starting_at": "2026-01-15"}
    lines = january(run(book([flat("1"), volume]), used((20, 2)))).lines
    assert [line.fee for line in lines] == [False, False]


def test_case_8_negative_charge() -> None:
    """Without any stated minimum a negative charge stays; with one on a part of the period it is lifted to it."""
    assert january(run(book([flat("1")]), used((3, -5)))).total == -5
    rates = [flat("1"), flat("1", starting_at="2026-01-31", minimum="31")]
    assert january(run(book(rates), used((3, -5)))).total == 1


def test_case_8_minimum_of_a_stub() -> None:
    """Minimum 310, contract from Jan 16, usage 20 @ 1: 310 x 16/31 = 160 in all."""
    catalog = book([flat("1", minimum="310")], contract={"starting_at": "2026-01-16"})
    invoice = january(run(catalog, used((20, 20))))
    assert (invoice.total, invoice.lines[1].amount) == (160, 140)
    assert (invoice.lines[1].starting_at, invoice.lines[1].quantity) == (JAN + timedelta(days=15), 1)


def test_case_8_cap_needs_every_segment() -> None:
    """One rated segment without a maximum: no cap. A not entitled one does not count."""
    rates = [flat("1", maximum="10"), flat("1", starting_at="2026-01-15")]
    assert january(run(book(rates), used((3, 20), (20, 20)))).total == 40
    rates[1]["entitled"] = False
    assert january(run(book(rates), used((3, 20), (20, 20)))).total == Decimal("4.52")


def test_case_14_not_entitled() -> None:
    """Tiers 1,000 free, then @ 1; 1,000 used while not entitled, 1,100 after: 100."""
    rate = {"rate_type": "TIERED", "tiers": tiers(("1000", "0"), (None, "1"))}
    rates = [rate | {"entitled": False}, rate | {"starting_at": "2026-01-15"}]
    result = run(book(rates), used((3, 1000), (20, 1100)))
    assert (january(result).total, result.unbilled) == (100, {("m", "not_entitled", (JAN + timedelta(2)).date()): 1})


def bounds(contract: Mapping[str, Any], count: int) -> list[str]:
    """Starts of the first periods, and the end of the last of them."""
    found = periods({"starting_at": "2026-01-01", **contract}, datetime(2028, 1, 1, tzinfo=UTC))[:count]
    return [one.start.strftime("%m-%d %H") for one in found] + [found[-1].end.strftime("%m-%d %H")]


@pytest.mark.parametrize(
    ("contract", "wanted"),
    [
        (
            {"starting_at": "2026-02-15", "usage_statement_schedule": {"frequency": "QUARTERLY"}},
            ["02-15 00", "05-01 00"],
        ),
        (
            {"starting_at": "2024-09-15", "usage_statement_schedule": {"day": "CUSTOM_DATE"}},
            ["09-15 00", "10-10 00", "11-10 00"],
        ),
        (
            {"starting_at": "2026-01-31T07:00:00Z", "usage_statement_schedule": {"day": "CONTRACT_START"}},
            ["01-31 07", "02-28 07", "03-31 07", "04-30 07"],
        ),
        ({"usage_statement_schedule": {"frequency": "WEEKLY"}}, ["01-01 00", "01-08 00", "01-15 00"]),
        ({"starting_at": "2026-01-10", "ending_before": "2026-01-20"}, ["01-10 00", "01-20 00"]),
    ],
)
def test_case_15_anchors(contract: dict[str, Any], wanted: list[str]) -> None:
    """Stub to the next anchor, clamped days counted from the anchor; worked example custom_anchor; case 52."""
    if contract.get("usage_statement_schedule", {}).get("day") == "CUSTOM_DATE":
        contract["usage_statement_schedule"]["billing_anchor_date"] = "2024-09-10"
    assert bounds(contract, len(wanted) - 1) == wanted


def test_case_22_multiplier() -> None:
    """Effective price rounded once, shown; amount = round12(quantity x it); the minimum is not scaled."""
    override = {"starting_at": "2026-01-01", "type": "MULTIPLIER", "multiplier": "0.333333333333"}
    catalog = book([flat("0.5", minimum="10")], contract={"overrides": [override]})
    lines = january(run(catalog, used((3, "3.3")))).lines
    assert shown(lines)[0] == (Decimal("3.3"), Decimal("0.166666666666"), Decimal("0.549999999998"))
    assert lines[1].amount == 10 - Decimal("0.549999999998")


@pytest.mark.parametrize(
    ("prioritization", "overrides", "price"),
    [
        (None, [("0.9", None), ("0.8", None), ("0.8", None)], "0.8"),
        ("EXPLICIT", [("0.8", 2), ("0.9", 1)], "0.9"),
        ("EXPLICIT", [("0.8", 1), ("0.9", 1)], "0.9"),
    ],
)
def test_case_23_multipliers(prioritization: str | None, overrides: list[tuple[str, int | None]], price: str) -> None:
    """The smallest, the first of equals; EXPLICIT: the lowest number, the last of equals."""
    terms = [{"starting_at": "2026-01-01", "type": "MULTIPLIER", "multiplier": m, "priority": p} for m, p in overrides]
    contract = {"overrides": terms, "multiplier_override_prioritization": prioritization}
    line = january(run(book([flat("1")], contract=contract), used((3, 1)))).lines[0]
    assert line.unit_price == Decimal(price)
    assert line.override_index == 1


def test_case_23_overwrite_wins_and_works_without_a_rate() -> None:
    """The last OVERWRITE wins; where the card has no rate a MULTIPLIER leaves the usage unrated."""
    selector = {"override_specifiers": [{"product_id": "p"}], "starting_at": "2026-01-01"}
    overwrites = [selector | {"type": "OVERWRITE", "overwrite_rate": flat(price)} for price in ("7", "8")]
    multiplier = {"starting_at": "2026-01-01", "type": "MULTIPLIER", "multiplier": "0.5"}
    rates = [flat("1", starting_at="2027-01-01")]
    line = january(run(book(rates, contract={"overrides": [*overwrites, multiplier]}), used((3, 1)))).lines[0]
    assert (line.unit_price, line.override_index, line.rate_starting_at) == (8, 1, None)
    held = january(run(book(rates, contract={"overrides": [multiplier]}), used((3, 1))))
    assert (held.lines, held.hold_reasons) == ((), ("UNRATED_USAGE",))


def test_case_24_two_lines_at_the_same_price() -> None:
    """Neighbouring segments with the same price stay two lines; an override that changes nothing cuts nothing."""
    rates = [flat("1"), flat("1", starting_at="2026-01-15")]
    beaten = {"starting_at": "2026-01-10", "type": "MULTIPLIER", "multiplier": "2"}
    winning = {"starting_at": "2026-01-01", "type": "MULTIPLIER", "multiplier": "1"}
    lines = january(run(book(rates, contract={"overrides": [winning, beaten]}), used((3, 1), (20, 1)))).lines
    assert [line.starting_at.day for line in lines] == [1, 15]


def test_case_28_conversion_of_the_cumulative() -> None:
    """DIVIDE by 3, one unit in each of 3 segments: 1 in all, not 0.999999999999."""
    product = {"quantity_conversion": {"conversion_factor": "3", "operation": "DIVIDE", "name": "x"}}
    rates = [flat("1"), flat("1", starting_at="2026-01-10"), flat("1", starting_at="2026-01-20")]
    lines = january(run(book(rates, product=product), used((3, 1), (12, 1), (22, 1)))).lines
    assert sum(line.quantity for line in lines) == 1
    assert lines[1].quantity == Decimal("0.333333333334")


def test_case_29_symmetric_rounding() -> None:
    """ROUND_UP of -1.2: -2; ROUND_DOWN: -1; ROUND_HALF_UP of -2.5: -3."""
    assert rounded(Fraction("-1.2"), "ROUND_UP", 0) == -2
    assert rounded(Fraction("-1.2"), "ROUND_DOWN", 0) == -1
    assert rounded(Fraction("-2.5"), "ROUND_HALF_UP", 0) == -3


def test_case_30_unrated_spans() -> None:
    """Before the first rate: held; a span that nets to 0 is listed, not held; a product of another card: no_product."""
    rates = [flat("1", starting_at="2026-01-15")]
    assert january(run(book(rates), used((3, 1), (20, 1)))).hold_reasons == ("UNRATED_USAGE",)
    netted = run(book(rates), used((3, 1), (4, -1), (20, 1)))
    assert (january(netted).status, january(netted).total, sum(netted.unbilled.values())) == ("FINALIZED", 1, 2)
    other = book([])
    assert [key[1] for key in run(other, used((3, 1))).unbilled] == ["no_product"]


def test_case_31_absent_values() -> None:
    """An absent pricing key needs a rate with null; "" is a value; an absent presentation key: a line with null."""
    product = {"pricing_group_key": ["model"], "presentation_group_key": ["region"]}
    rates = [flat("1", pricing_group_values={"model": None}), flat("2", pricing_group_values={"model": ""})]
    events = used((3, 5)) + used((3, 7), model="") + used((3, 1), model="x", region="eu")
    invoice = january(run(book(rates, product=product), events))
    assert [(line.pricing_group_values, line.presentation_group_values, line.amount) for line in invoice.lines] == [
        ('{"model":""}', '{"region":null}', 14),
        ('{"model":null}', '{"region":null}', 5),
    ]
    assert invoice.hold_reasons == ("UNRATED_USAGE",)


def test_case_32_duplicates() -> None:
    """The first accepted over batches; inside one the smallest (timestamp, payload); conflicts are counted."""
    low, high = used((3, 1))[0], used((3, 2))[0]
    result = run(book([flat("1")]), [high, low, low], [high])
    assert (january(result).total, result.ingested.duplicates, result.ingested.conflicting) == (1, [2, 1], [1, 1])


def test_case_33_zero_lines() -> None:
    """Keyless: one line per atom at zero, TIERED at 0 its tier 1; with a key only where there is an event."""
    rate = {"rate_type": "TIERED", "tiers": tiers(("10", "1"), (None, "2"))}
    rates = [rate, rate | {"starting_at": "2026-01-15"}]
    assert [line.tier_level for line in january(run(book(rates))).lines] == [1, 1]
    keyed = {"presentation_group_key": ["region"]}
    assert shown(january(run(book(rates, product=keyed), used((3, 4), (4, -4)))).lines) == [(0, 1, 0)]


def test_case_38_status() -> None:
    """DRAFT until period end + grace, then issued at that instant; usage counts up to and including now."""
    end = FEB + timedelta(hours=24)
    before = run(book([flat("1")]), used((3, 1)), now=end - timedelta(microseconds=1))
    after = run(book([flat("1")], contract={"net_payment_terms_days": 30}), used((3, 1)), now=end + timedelta(days=9))
    assert (january(before).status, january(after).status) == ("DRAFT", "FINALIZED")
    assert (january(after).issued_at, january(after).due_at) == (end, end + timedelta(days=30))
    part = run(book([flat("1")]), used((3, 1), (9, 1)), now=JAN + timedelta(days=2, hours=12))
    assert january(part).total == 1


def test_case_51_tiered_override() -> None:
    """Worked example override_tiered: 20 % off the first 10, 30 % off the next 10, then the list price."""
    override = {"starting_at": "2026-01-01", "type": "TIERED", "priority": 1}
    override |= {"tiers": [{"size": "10", "multiplier": "0.8"}, {"size": "10", "multiplier": "0.7"}]}
    contract = {"overrides": [override], "multiplier_override_prioritization": "EXPLICIT"}
    lines = january(run(book([flat("1")], contract=contract), used((3, 25)))).lines
    assert shown(lines) == [(10, Decimal("0.8"), 8), (10, Decimal("0.7"), 7), (5, 1, 5)]


@pytest.mark.parametrize(
    ("currency", "price", "total", "rounding"),
    [
        ("USD", "0.125", "0.13", "0.005"),
        ("JPY", "0.5", "1", "0.5"),
        ("KWD", "0.0005", "0.001", "0.0005"),
        ("USD", "-0.125", "-0.13", "-0.005"),
    ],
)
def test_case_55_rounding(currency: str, price: str, total: str, rounding: str) -> None:
    """Half away from zero, at the currency's minor unit; a line carries the difference."""
    invoice = january(run(book([flat("1")], currency=currency), used((3, price))))
    assert (invoice.total, invoice.rounding) == (Decimal(total), Decimal(rounding))
    assert sum(line.amount for line in invoice.lines) == invoice.total
    assert invoice.lines[-1].line_type == "rounding"


def test_case_69_close_month() -> None:
    """(start of M, start of M+1]; the week [Jan 26, Feb 2) belongs to February."""
    assert close_month(FEB) == "2026-01"
    assert close_month(datetime(2026, 2, 2, tzinfo=UTC)) == "2026-02"
    assert close_month(JAN + timedelta(hours=1)) == "2026-01"


def test_case_72_inside_an_hour() -> None:
    """An event exactly at the boundary is priced by the new rate."""
    rates = [flat("1"), flat("2", starting_at="2026-01-03T12:00:00Z")]
    assert shown(january(run(book(rates), used((3, 5)))).lines) == [(0, 1, 0), (5, 2, 10)]


def test_case_75_ties() -> None:
    """LATEST at one timestamp: the greatest transaction_id, whatever the order of lines."""
    events = used((3, 1), (3, 2), (3, 3))
    assert january(run(book([flat("1")], "LATEST"), events[::-1])).total == 3


def test_case_76_zero_invoices() -> None:
    """A zero invoice exists, unless skipped."""
    keyed = {"pricing_group_key": ["model"]}
    assert january(run(book([flat("1", pricing_group_values={"model": "x"})], product=keyed))).total == 0
    assert run(book([flat("1")], contract={"skip_zero_invoices": True})).invoices == {}


def test_holds() -> None:
    """METRIC_EXCEPTIONS over the tolerance (case 0.13), NEGATIVE_TOTAL and TOTAL_OVER_LIMIT by the settings."""
    broken = used((3, "x"), (4, "1"))
    for tolerance, reasons in ((None, ()), (1, ()), (0, ("METRIC_EXCEPTIONS",))):
        catalog = book([flat("1")], contract={"metric_exception_tolerance": tolerance})
        assert january(run(catalog, broken)).hold_reasons == reasons
    limits = {"hold_negative_total": True, "hold_total_over": "100"}
    for value, reasons in ((-1, ("NEGATIVE_TOTAL",)), (101, ("TOTAL_OVER_LIMIT",)), (100, ())):
        assert january(run(book([flat("1")], settings=limits), used((3, value)))).hold_reasons == reasons


def test_dispositions() -> None:
    """Each (event, metric) has exactly one; aliases count for their customer; the filter excludes (case 0.24)."""
    filters = {"group_key": "region", "group_values": ["eu"], "starting_at": "2026-01-01"}
    catalog = book([flat("1")], contract={"usage_filter": filters, "ending_before": "2026-01-31"})
    events = used((3, 1), region="eu") + used((3, 1), region="us") + used((3, 1)) + used((31, 1), region="eu ")
    events += [events[0] | {"transaction_id": "alias", "customer_id": "acme-prod"}]
    events += [events[0] | {"transaction_id": "ghost", "customer_id": "nobody"}]
    events += [events[0] | {"transaction_id": "other", "event_type": "else"}]
    events += [events[0] | {"transaction_id": "text", "properties": {"v": "x", "region": "eu"}}]
    result = run(catalog, events)
    counts = {key[1]: 0 for key in result.dispositions}
    for key, count in result.dispositions.items():
        counts[key[1]] += count
    assert counts == {"billed": 2, "excluded_by_usage_filter": 2, "no_contract": 1, "unattributed": 1} | {
        "no_metric": 1,
        "metric_exception": 1,
    }
    assert result.invoices[("c", JAN)].total == 2


def test_windows() -> None:
    """More than 24 h ahead: rejected; older than the window: rejected; `none` switches only the latter off; case 54."""
    events = used((3, 1), (4, 1), (5, 1))
    for window, wanted in (("none", 2), ("11h", 1)):
        catalog = book([flat("1")], settings={"backdating_window": window})
        result = bill(catalog, [Batch(JAN + timedelta(days=3), events)], LATER)
        assert result.ingested.accepted == [wanted]
    assert result.ingested.rejected[0] == {"future_timestamp": 1, "too_old": 1}


def test_worked_latest_increments() -> None:
    """latest_increments 7, 9, 10, 5 and latest_rate_change_up (29) and _down (80)."""
    readings = [
        Reading(event, "m", Fraction(value), None) for event, value in zip(events_at(4), (7, 9, 10, 5), strict=True)
    ]
    values = [metric_value("LATEST", readings[:count]) for count in range(5)]
    assert [after - before for before, after in itertools.pairwise(values)] == [7, 2, 1, -5]
    rates = [flat("3"), flat("4", starting_at="2026-01-02")]
    assert january(run(book(rates, "LATEST"), used((1, 7), (2, 9)))).total == 29
    assert january(run(book(rates, "LATEST"), used((1, 40), (2, 30)))).total == 80


def events_at(count: int) -> list[Any]:
    """Bare events on successive days."""
    result = run(book([flat("1")]), used(*((at, 1) for at in range(1, count + 1))))
    return sorted(result.ingested.events, key=lambda event: event.at)


def test_worked_sum_increments() -> None:
    """sql_hour_granularity: 5, 10, 15 on three days at 10: 50 + 100 + 150 = 300, the later price unused."""
    rates = [flat("10"), flat("20", starting_at="2026-01-15")]
    assert january(run(book(rates), used((1, 5), (2, 10), (3, 15)))).total == 300


def test_worked_tiers() -> None:
    """tier_bounds and tier_total_12_uses: 5 free, 5 @ 1, then @ 1.5; 12 uses: 0, 5, 3."""
    rate = {"rate_type": "TIERED", "tiers": tiers(("5", "0"), ("5", "1"), (None, "1.5"))}
    lines = january(run(book([rate], "COUNT"), used(*((day, 1) for day in range(1, 13))))).lines
    assert shown(lines) == [(5, 0, 0), (5, 1, 5), (2, Decimal("1.5"), 3)]


def test_worked_grid() -> None:
    """dimensional_presentation_grid: one line per (org, region) that has usage; tiers run per combination."""
    product = {"pricing_group_key": ["model"], "presentation_group_key": ["region"]}
    rates = [flat("1", pricing_group_values={"model": "r1"}), flat("2", pricing_group_values={"model": "r2"})]
    units = {("r1", "o1"): 15, ("r2", "o1"): 10, ("r1", "o2"): 10}
    events = [one for (model, org), q in units.items() for one in used((3, q), model=model, region=org)]
    lines = january(run(book(rates, product=product), events)).lines
    assert sorted(line.amount for line in lines) == [10, 15, 20]


def test_worked_conversion_and_multiplier() -> None:
    """conversion_mb_gb: 2048 / 1024 = 2; commit_specific_vs_contract_multiplier after the commit: 0.95."""
    product = {"quantity_conversion": {"conversion_factor": 1024, "operation": "DIVIDE", "name": "GB"}}
    override = {"starting_at": "2026-01-01", "type": "MULTIPLIER", "multiplier": "0.95"}
    lines = january(run(book([flat("1")], product=product, contract={"overrides": [override]}), used((3, 2048)))).lines
    assert shown(lines) == [(2, Decimal("0.95"), Decimal("1.9"))]


@pytest.mark.parametrize(("tokens", "price", "amount"), [(50000, "0.003", 150), (200000, "0.001", 200)])
def test_worked_openai_like(tokens: int, price: str, amount: int) -> None:
    """The usage lines of openai_like."""
    assert january(run(book([flat(price)]), used((3, tokens)))).total == amount


def test_percentage() -> None:
    """800 with 250 free at 1.3 %, 2 per event above 2 of 4: 7.15 and 4 (percentage-02 of the peer)."""
    rate = {"rate_type": "PERCENTAGE", "price": "0.013", "free_amount": "250", "fixed_fee": "2", "free_events": 2}
    lines = january(run(book([rate]), used((3, 50), (3, 100), (3, 250), (3, 400)))).lines
    assert shown(lines) == [(550, Decimal("0.013"), Decimal("7.15")), (2, 2, 4)]
