"""Values as people and machines read them: exact, never rounded for show."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal

import pytest

from billing_assets.cli import figures


@pytest.mark.parametrize(
    ("value", "plain", "number"),
    [
        ("0", "0", "0"),
        ("0.000000000000", "0", "0"),
        ("-0.000000000000", "0", "0"),
        ("1234567.500000000000", "1234567.5", "1,234,567.5"),
        ("-1234.000000000001", "-1234.000000000001", "-1,234.000000000001"),
        ("-0.25", "-0.25", "-0.25"),
        ("2.5e-6", "0.0000025", "0.0000025"),
        ("1e3", "1000", "1,000"),
        ("100", "100", "100"),
        ("12345678901234567890123456.123456789012", "12345678901234567890123456.123456789012",
         "12,345,678,901,234,567,890,123,456.123456789012"),
    ],
)  # fmt: skip
def test_numbers_are_the_shortest_plain_decimals(value: str, plain: str, number: str) -> None:
    assert figures.plain(Decimal(value)) == plain
    assert figures.number(Decimal(value)) == number


@pytest.mark.parametrize(
    ("value", "currency", "shown"),
    [
        ("4158.01", "USD", "4,158.01"),
        ("12.5", "USD", "12.50"),
        ("0", "USD", "0.00"),
        ("89.078845", "USD", "89.078845"),
        ("3390", "JPY", "3,390"),
        ("3390.25", "JPY", "3,390.25"),
        ("1.5", "KWD", "1.500"),
        ("-0.004", "USD", "-0.004"),
        ("-1500", "USD", "-1,500.00"),
        ("7", "ai-credits", "7"),
    ],
)
def test_money_has_its_minor_digits_and_every_digit_beyond(value: str, currency: str, shown: str) -> None:
    assert figures.money(Decimal(value), currency) == shown
    assert figures.money_text(Decimal(value), currency) == shown.replace(",", "")


def test_columns_of_numbers_stand_with_their_points_in_one_line() -> None:
    assert figures.aligned(["12.50", "1,000", "", "0.000125"]) == ["12.50    ", "1,000       ", "", "0.000125"]


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("starting_at", "ending_before", "shown"),
    [
        ("2023-11-01", "2023-12-01", "2023-11-01 to 2023-11-30"),
        ("2023-11-01", "2023-11-02", "2023-11-01"),
        ("2023-11-01", "2023-11-16T19:00", "2023-11-01 00:00 to 2023-11-16 19:00"),
        ("2023-11-16T19:00", "2023-12-01", "2023-11-16 19:00 to 2023-11-30 24:00"),
    ],
)
def test_an_interval_reads_in_whole_days_or_in_hours_up_to_24(starting_at: str, ending_before: str, shown: str) -> None:
    assert figures.span(at(starting_at), at(ending_before)) == shown


def test_a_moment_is_as_long_as_it_must_be() -> None:
    assert figures.moment(at("2023-12-02")) == "2023-12-02"
    assert figures.moment(at("2023-12-02T06:30")) == "2023-12-02 06:30"
    assert figures.moment(at("2023-12-02T06:30:05.000001")) == "2023-12-02 06:30:05"
    assert figures.moment(None) == ""


def test_group_values_read_as_pairs_and_an_absent_key_as_none() -> None:
    assert figures.group('{"region":"eu","model":"large"}') == "model=large, region=eu"
    assert figures.group('{"model":null}', '{"app":""}') == "app=, model=(none)"
    assert figures.group("{}", None) == ""


@pytest.mark.parametrize(
    ("level", "lower", "upper", "shown"),
    [
        (2, "1000", "10000", "tier 2 (1,000 to 10,000]"),
        (1, None, "200", "tier 1 (to 200]"),
        (3, "10000", None, "tier 3 (over 10,000)"),
        (1, None, None, "tier 1"),
        (None, None, None, ""),
    ],
)
def test_tiers_show_which_bound_is_inside(level: int | None, lower: str | None, upper: str | None, shown: str) -> None:
    bounds = [None if bound is None else Decimal(bound) for bound in (lower, upper)]
    assert figures.tier(level, *bounds) == shown


def test_json_carries_decimals_as_text_and_instants_as_rfc_3339() -> None:
    content = {"total": Decimal("12.500000000000"), "at": at("2023-12-02T06:30"), "days": [date(2023, 11, 1)], "n": 3}
    assert figures.jsonable(content) == {
        "total": "12.5",
        "at": "2023-12-02T06:30:00Z",
        "days": ["2023-11-01"],
        "n": 3,
    }
