"""Values as a person reads them: exact, with thousands separators, never rounded for show."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

NOTHING = ""


def plain(value: Decimal) -> str:
    """The shortest plain decimal text: no exponent, no trailing zeros."""
    text = format(value, "f")
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    return "0" if text in {"-0", ""} else text


def number(value: Decimal | int | None) -> str:
    """A quantity or unit price with thousands separators, every digit of it."""
    if value is None:
        return NOTHING
    whole, _, fraction = plain(Decimal(value)).partition(".")
    grouped = f"{int(whole):,}"
    sign = "-" if whole == "-0" else ""
    return f"{sign}{grouped}.{fraction}" if fraction else grouped


def money_text(value: Decimal, currency: str | None) -> str:
    """An amount as machines read it: at least the currency's minor digits, and every digit beyond."""
    whole, _, fraction = plain(value).partition(".")
    fraction = fraction.ljust(minor_digits(currency), "0")
    return f"{whole}.{fraction}" if fraction else whole


def money(value: Decimal | None, currency: str | None) -> str:
    """An amount as a person reads it: `money_text` with thousands separators."""
    if value is None:
        return NOTHING
    whole, point, fraction = money_text(value, currency).partition(".")
    sign = "-" if whole == "-0" else ""
    return f"{sign}{int(whole):,}{point}{fraction}"


def minor_digits(currency: str | None) -> int:
    """Decimal places of the minor unit (ISO 4217); 0 for a custom pricing unit."""
    from billing_assets.catalog.currencies import MINOR_DIGITS

    return MINOR_DIGITS.get(currency or "", 0)


def aligned(cells: Iterable[str]) -> list[str]:
    """Right-aligned numbers with their decimal points in one column."""
    parts = [cell.partition(".") for cell in cells]
    width = max((len(point + fraction) for _, point, fraction in parts), default=0)
    return [f"{whole}{(point + fraction).ljust(width)}" if whole else "" for whole, point, fraction in parts]


def moment(value: datetime | None) -> str:
    """A timestamp in UTC, to the minute where that is all of it; a date at midnight."""
    if value is None:
        return NOTHING
    at = value.astimezone(UTC)
    if at.time() == time():
        return f"{at:%Y-%m-%d}"
    return f"{at:%Y-%m-%d %H:%M}" if not (at.second or at.microsecond) else f"{at:%Y-%m-%d %H:%M:%S}"


def span(starting_at: datetime | None, ending_before: datetime | None) -> str:
    """An interval as a person says it: `2023-11-01 to 2023-11-30` in whole days, else with hours up to 24:00."""
    if starting_at is None or ending_before is None:
        return moment(starting_at or ending_before)
    start, end = starting_at.astimezone(UTC), ending_before.astimezone(UTC)
    whole_days = start.time() == time() and end.time() == time()
    last = end - timedelta(days=1)
    if whole_days and start < end:
        return f"{start:%Y-%m-%d}" if last == start else f"{start:%Y-%m-%d} to {last:%Y-%m-%d}"
    until = f"{last:%Y-%m-%d} 24:00" if end.time() == time() else f"{end:%Y-%m-%d %H:%M}"
    return f"{start:%Y-%m-%d %H:%M} to {until}"


def group(*texts: str | None) -> str:
    """Group values as `model=large, region=eu`, from canonical JSON; a value that is absent as `(none)`."""
    values: dict[str, str | None] = {}
    for text in texts:
        values |= json.loads(text) if text else {}
    return ", ".join(f"{key}={'(none)' if value is None else value}" for key, value in sorted(values.items()))


def tier(level: int | None, lower: Decimal | None, upper: Decimal | None) -> str:
    """`tier 2 (1,000 to 10,000]`: bounds as the rate has them, the upper one inclusive."""
    if level is None:
        return NOTHING
    if upper is None:
        return f"tier {level}" if lower is None else f"tier {level} (over {number(lower)})"
    return (
        f"tier {level} (to {number(upper)}]" if lower is None else f"tier {level} ({number(lower)} to {number(upper)}]"
    )


def reasons(text: str | None) -> list[str]:
    """Hold reasons from their JSON array."""
    return [str(reason) for reason in json.loads(text)] if text else []


def counted(count: int, one: str, many: str | None = None) -> str:
    """`1 invoice`, `1,204 invoices`."""
    return f"{count:,} {one if count == 1 else many or one + 's'}"


def jsonable(value: Any) -> Any:
    """A value that JSON can carry without loss: decimals as text, instants as RFC 3339."""
    match value:
        case Decimal():
            return plain(value)
        case datetime():
            return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
        case date():
            return value.isoformat()
        case timedelta():
            return value.total_seconds()
        case Mapping():
            return {str(key): jsonable(one) for key, one in value.items()}
        case list() | tuple():
            return [jsonable(one) for one in value]
        case _:
            return value
