"""The values of the catalog: exact numbers, instants on the hour, durations, group values.

Numbers keep their literal text until here, so that `0.0000025`, `2.5e-6` and `"0.0000025"` are one decimal and none
has been a float. Every refusal says what was found and what was expected.
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta
from decimal import Context, Decimal, Inexact
from functools import lru_cache
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, PlainSerializer, StrictBool, StringConstraints, WithJsonSchema
from pydantic_core import PydanticCustomError

INTEGER_DIGITS = 26
DECIMAL_PLACES = 12

_NUMBER = re.compile(r"[+-]?(?:[0-9]+(?:\.[0-9]+)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?", re.ASCII)
_DURATION = re.compile(r"([0-9]{1,6})([hd])", re.ASCII)
_WIDE = Context(prec=400, traps=[Inexact])
_UNIT = Decimal(1)
_ZERO = Decimal(0)


class Number(str):
    """A number as it was written, before anything has read it: its literal text."""

    __slots__ = ()


def refusal(message: str) -> PydanticCustomError:
    """An error whose message is already the whole sentence."""
    return PydanticCustomError("refused", "{message}", {"message": message})


def is_number(text: str) -> bool:
    """Whether `text` is a number by docs/semantics.md (Exact numbers): plain ASCII digits, nothing around them."""
    return _NUMBER.fullmatch(text) is not None


def shown(value: object) -> str:
    """A found value as a message shows it: short, and recognisable as text, number, list or mapping."""
    match value:
        case None:
            return "null"
        case bool():
            return "true" if value else "false"
        case dict():
            return "a mapping"
        case list() | tuple():
            return "a list"
        case Number() | int() | float() | Decimal():
            return _cut(str(value))
        case _:
            return repr(_cut(str(value)))


def _cut(text: str) -> str:
    return text if len(text) <= 60 else text[:57] + "..."


@lru_cache(maxsize=65536)
def _exact_text(text: str) -> Decimal:
    if not is_number(text):
        raise refusal(f"found {text!r}, expected a number such as 0.25 or 2.5e-6")
    return exact_decimal(Decimal(text), text)


def exact_decimal(value: Decimal, written: str | None = None) -> Decimal:
    """`value` in its one canonical form, or a refusal if it does not fit 26 integer digits and 12 decimal places."""
    found = Number(written or value)
    if not value.is_finite():
        raise refusal(f"found {found}, expected a finite number")
    if value and value.adjusted() >= INTEGER_DIGITS:
        raise refusal(f"found {shown(found)}, expected at most {INTEGER_DIGITS} integer digits")
    try:
        reduced = value.normalize(_WIDE)
    except Inexact:
        raise refusal(f"found {shown(found)}, expected at most {DECIMAL_PLACES} decimal places") from None
    if not reduced:
        return _ZERO
    if reduced == reduced.to_integral_value(context=_WIDE):
        return reduced.quantize(_UNIT, context=_WIDE)
    scaled = reduced.scaleb(DECIMAL_PLACES, context=_WIDE)
    if scaled != scaled.to_integral_value(context=_WIDE):
        raise refusal(f"found {shown(found)}, expected at most {DECIMAL_PLACES} decimal places")
    return reduced


@lru_cache(maxsize=4096)
def _exact_integer(value: int) -> Decimal:
    return exact_decimal(Decimal(value))


def number(value: object) -> Decimal:
    """A decimal from literal text, an integer or a decimal column; never from a float."""
    match value:
        case str():
            return _exact_text(value)
        case bool() | None:
            raise refusal(f"found {shown(value)}, expected a number")
        case int():
            return _exact_integer(value)
        case Decimal():
            return exact_decimal(value)
        case float():
            raise refusal(f"found the float {value!r}, expected an exact number: a decimal column or text")
        case _:
            raise refusal(f"found {shown(value)}, expected a number")


MOST = 1_000_000_000
"""No count of days, seats or events in a catalog is larger; what is computed from one then fits every type."""

HUNDRED_YEARS = timedelta(days=36_500)
YEARS = range(1970, 2200)
"""Years in which a catalog's dates may lie: all that is computed from them are dates too."""


def whole(value: object) -> int:
    """An integer; `3.0` and `3e0` are 3."""
    exact = number(value)
    if exact != exact.to_integral_value(context=_WIDE):
        raise refusal(f"found {shown(value)}, expected a whole number")
    if abs(exact) > MOST:
        raise refusal(f"found {shown(value)}, expected a whole number of at most {MOST}")
    return int(exact)


@lru_cache(maxsize=65536)
def _instant_text(text: str) -> datetime:
    try:
        # Python reads more of ISO 8601 than dates with dashes, 20261001 for one.
        found = datetime.fromisoformat(text if text[4:5] == "-" else "")
    except ValueError:
        raise refusal(
            f"found {text!r}, expected a date such as 2026-10-01 or a timestamp such as 2026-10-01T07:00:00Z"
        ) from None
    if len(text) == len("2026-10-01"):
        found = found.replace(tzinfo=UTC)
    return on_the_hour(found, text)


def on_the_hour(found: datetime, text: str) -> datetime:
    """`found` in UTC. Rating has the grain of an hour, so a boundary inside one is refused."""
    if found.tzinfo is None:
        raise refusal(f"found {text!r} without an offset, expected UTC as in {text}Z")
    if found.year not in YEARS:
        raise refusal(f"found {text!r}, expected a year from {YEARS[0]} to {YEARS[-1]}")
    instant = found.astimezone(UTC)
    if instant.minute or instant.second or instant.microsecond:
        before = instant.replace(minute=0, second=0, microsecond=0)
        raise refusal(f"found {text!r}, expected a whole hour, such as {before:%Y-%m-%dT%H:%M:%SZ}")
    return instant


def instant(value: object) -> datetime:
    match value:
        case str():
            return _instant_text(value)
        case datetime():
            return on_the_hour(value, value.isoformat())
        case date():
            return on_the_hour(datetime(value.year, value.month, value.day, tzinfo=UTC), value.isoformat())
        case _:
            raise refusal(f"found {shown(value)}, expected a date such as 2026-10-01 or an RFC 3339 timestamp")


def duration(value: object) -> timedelta:
    """`24h` or `34d`."""
    if isinstance(value, timedelta):
        return value
    matched = _DURATION.fullmatch(value) if isinstance(value, str) else None
    if matched is None:
        raise refusal(f"found {shown(value)}, expected a duration in hours or days, such as 24h or 34d")
    unit = timedelta(hours=1) if matched[2] == "h" else timedelta(days=1)
    if int(matched[1]) > HUNDRED_YEARS // unit:
        raise refusal(f"found {shown(value)}, expected at most a hundred years, {HUNDRED_YEARS.days}d")
    return int(matched[1]) * unit


def duration_text(value: timedelta | None) -> str:
    if value is None:
        return "none"
    hours = value // timedelta(hours=1)
    return f"{hours}h" if hours % 24 else f"{hours // 24}d"


def none_or_itself(value: object) -> object:
    return None if value == "none" else value


def canonical_text(value: object) -> str:
    """The text by which a property's value is compared: text as it is, numbers plain and shortest (`1.0` is `1`)."""
    match value:
        case bool():
            return "true" if value else "false"
        case Number() | int() | Decimal():
            return _plain_number(Decimal(value))
        case str():
            return value
        case _:
            raise refusal(f"found {shown(value)}, expected text, a number, true or false")


def _plain_number(value: Decimal) -> str:
    try:
        if not value or abs(value.adjusted()) <= _WIDE.prec:
            return format(value.normalize(_WIDE) or _ZERO, "f")
    except Inexact:
        pass
    raise refusal(f"found {shown(Number(value))}, expected a number of at most {_WIDE.prec} digits")


def group_values(value: object) -> object:
    """A mapping of group keys to canonical text; null is the group of events without that key."""
    if not isinstance(value, dict):
        return value
    return {key: None if found is None else canonical_text(found) for key, found in value.items()}


def one_or_many(value: object) -> object:
    return value if isinstance(value, list | tuple) else [value]


_NUMBER_SCHEMA: dict[str, Any] = {
    "anyOf": [{"type": "number"}, {"type": "string", "pattern": r"^[+-]?[0-9.]+([eE][+-]?[0-9]+)?$"}]
}
_INSTANT_SCHEMA: dict[str, Any] = {"type": "string", "anyOf": [{"format": "date"}, {"format": "date-time"}]}
_TEXT_SCHEMA: dict[str, Any] = {"type": ["string", "number", "boolean"]}

Exact = Annotated[Decimal, BeforeValidator(number), WithJsonSchema(_NUMBER_SCHEMA)]
"""An exact number: at most 26 integer digits and 12 decimal places."""

NotNegative = Annotated[Exact, Field(ge=0)]
Positive = Annotated[Exact, Field(gt=0)]
Fraction = Annotated[Exact, Field(ge=0, le=1)]

Whole = Annotated[int, BeforeValidator(whole), WithJsonSchema({"type": "integer"})]
Count = Annotated[Whole, Field(ge=0)]
Days = Annotated[Whole, Field(ge=0, le=HUNDRED_YEARS.days)]
CountFromOne = Annotated[Whole, Field(ge=1)]

Instant = Annotated[datetime, BeforeValidator(instant), WithJsonSchema(_INSTANT_SCHEMA)]
"""An instant on a whole hour, in UTC."""

Duration = Annotated[
    timedelta,
    BeforeValidator(duration),
    PlainSerializer(duration_text, return_type=str),
    WithJsonSchema({"type": "string", "pattern": "^[0-9]{1,6}[hd]$"}),
]
DurationOrNone = Annotated[
    Duration | None,
    BeforeValidator(none_or_itself),
    PlainSerializer(duration_text, return_type=str),
    WithJsonSchema({"type": "string", "pattern": "^([0-9]{1,6}[hd]|none)$"}),
]
LimitOrNone = Annotated[
    Exact | None,
    BeforeValidator(none_or_itself),
    WithJsonSchema({"anyOf": [*_NUMBER_SCHEMA["anyOf"], {"const": "none"}]}),
]

Text = Annotated[str, StringConstraints(min_length=1)]
Id = Annotated[str, StringConstraints(min_length=1, max_length=128, pattern=r"^\S(?:[^\r\n\t]*\S)?$")]
Tag = Id
Key = Text
Flag = StrictBool
PropertyText = Annotated[str, BeforeValidator(canonical_text), WithJsonSchema(_TEXT_SCHEMA)]
GroupValues = Annotated[
    dict[str, str | None],
    BeforeValidator(group_values),
    WithJsonSchema({"type": "object", "additionalProperties": {"type": ["string", "number", "boolean", "null"]}}),
]
