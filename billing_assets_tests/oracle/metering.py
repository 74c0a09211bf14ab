"""What an event means to a metric, and the period-to-date value of a metric (docs/semantics.md section 2)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from .exact import canonical, exact, numeric, round12, rounded
from .ingest import Event


@dataclass(frozen=True)
class Reading:
    """One (event, metric) pair: the value the metric takes from the event, or the reason why it takes none."""

    event: Event
    metric_id: str
    value: Fraction | str | None
    exception: str | None


def texts(values: Iterable[Any]) -> list[str | None]:
    """Catalog values in canonical text, as filters compare them; case 31."""
    return [canonical(value) for value in values]


def passes(text: str | None, condition: Mapping[str, Any]) -> bool:
    """One filter on one text (None = absent): in_values fails and not_in_values passes on absence; section 2."""
    if condition.get("exists") is not None and condition["exists"] != (text is not None):
        return False
    if condition.get("in_values") is not None and (text is None or text not in texts(condition["in_values"])):
        return False
    return condition.get("not_in_values") is None or text is None or text not in texts(condition["not_in_values"])


def matches(metric: Mapping[str, Any], event: Event) -> bool:
    """Whether the event feeds the metric: the type filter and all property filters pass; section 2."""
    if not passes(event.event_type, metric.get("event_type_filter") or {}):
        return False
    filters = metric.get("property_filters") or []
    return all(passes(event.properties.get(one["name"]), one) for one in filters)


def reading(metric: Mapping[str, Any], event: Event) -> Reading:
    """The event's value for the metric, or its metric exception; section 2, cases 0.7 and 31."""
    kind, text = metric["aggregation_type"], event.properties.get(metric.get("aggregation_key") or "")
    if kind == "COUNT":
        return Reading(event, metric["id"], None, None)
    if text is None:
        return Reading(event, metric["id"], None, "missing_value")
    if kind == "UNIQUE":
        return Reading(event, metric["id"], text, None)
    number = numeric(text)
    return Reading(event, metric["id"], number, None if number is not None else "not_a_number")


def metric_value(kind: str, readings: Sequence[Reading]) -> Fraction:
    """M over the readings; nothing is 0, AVG is rounded once, LATEST ties go by transaction_id; cases 28 and 75."""
    if not readings:
        return Fraction(0)
    if kind == "COUNT":
        return Fraction(len(readings))
    if kind == "UNIQUE":
        return Fraction(len({one.value for one in readings}))
    if kind == "LATEST":
        last = max(readings, key=lambda one: (one.event.at, one.event.transaction_id))
        return Fraction(last.value or 0)
    numbers = [Fraction(one.value or 0) for one in readings]
    if kind == "AVG":
        return round12(sum(numbers, Fraction(0)) / len(numbers))
    return {"SUM": sum(numbers, Fraction(0)), "MAX": max(numbers), "MIN": min(numbers)}[kind]


def converted(product: Mapping[str, Any], quantity: Fraction) -> Fraction:
    """quantity_conversion, then quantity_rounding, of a cumulative; section 3 of docs/semantics.md, cases 28 and 29."""
    conversion, rounding = product.get("quantity_conversion"), product.get("quantity_rounding")
    if conversion:
        factor = exact(conversion["conversion_factor"])
        quantity = round12(quantity * factor if conversion["operation"] == "MULTIPLY" else quantity / factor)
    if rounding:
        quantity = rounded(quantity, rounding["rounding_method"], int(rounding["decimal_places"]))
    return quantity
