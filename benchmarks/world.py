"""The benchmark's company: 1,000 customers of an AI inference service in June 2024, their contracts and their events.

Everything is a function of row numbers: the same arguments give the same events on every machine.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import polars as pl

from billing_assets.columns import DECIMAL, TIMESTAMP

MODELS = ("atlas-large", "atlas-medium", "atlas-small", "borea-code", "borea-embed", "borea-vision")
REGIONS = ("ap", "eu", "us-east", "us-west")
CUSTOMERS = 1_000
DAYS = 30
START = datetime(2024, 6, 1, tzinfo=UTC)
MONTH = "2024-06"
NOW = datetime(2024, 7, 2, 12, tzinfo=UTC)
"""More than the grace period after the end of the month: everything is due."""


@dataclass(frozen=True, slots=True)
class Groups:
    """How far the events of a customer are spread over hours, models and regions: how many states they become.

    hours: of a day in which it works. models: the higher, the more of its events are of one model (of all: 1).
    regions: the share of its events, in eighths, that is of its second region.
    """

    hours: int
    models: int
    regions: int


GROUPS = {"typical": Groups(hours=10, models=12, regions=0), "dense": Groups(hours=24, models=3, regions=1)}
"""typical: a company's working day, mostly one model, one region. dense: all day and all models; more states than
events, which is as bad as it gets."""

TEXTS = ("model", "region", "user_id")
NUMBERS = ("context_tokens", "generated_tokens", "latency_seconds")
UNKNOWN, WITHOUT_CONTRACT = "customer_unknown", "customer_prospect"
"""One event in 4,096 is of each: references that nobody can bill, so that the list of unbilled usage has rows."""


def write_catalog(directory: Path) -> None:
    """The catalog as files: JSON text is YAML too."""
    directory.mkdir(parents=True, exist_ok=True)
    terms = {
        "settings": {"starting_at": "2024-06-01", "currency": "USD", "grace_period": "24h"},
        "billable_metrics": _metrics(),
        "products": _products(),
        "rate_cards": [{"id": "standard", "currency": "USD", "rates": list(_rates())}],
    }
    for name, content in terms.items():
        (directory / f"{name}.yaml").write_text(json.dumps({name: content}, indent=1), encoding="utf-8")
    references = [_reference(number) for number in range(CUSTOMERS)]
    _write_lines(
        directory / "customers.jsonl", ({"id": name, "name": name} for name in (*references, WITHOUT_CONTRACT))
    )
    _write_lines(directory / "contracts.jsonl", map(_contract, range(CUSTOMERS)))


def _metrics() -> list[dict[str, object]]:
    def metric(name: str, kind: str, key: str | None, group_keys: list[list[str]]) -> dict[str, object]:
        of_key = {"aggregation_key": key} if key else {}
        filtered = {"event_type_filter": {"in_values": ["completion"]}}
        return {"id": name, "name": name, **filtered, "aggregation_type": kind, **of_key, "group_keys": group_keys}

    return [
        metric("requests", "COUNT", None, [["model"], ["model", "region"]]),
        metric("input_tokens", "SUM", "context_tokens", [["model", "region"]]),
        metric("output_tokens", "SUM", "generated_tokens", [["model", "region"]]),
        metric("longest_context", "MAX", "context_tokens", [["model"]]),
        metric("mean_latency", "AVG", "latency_seconds", [["model"]]),
        metric("users", "UNIQUE", "user_id", []),
    ]


def _products() -> list[dict[str, object]]:
    thousands = {"quantity_conversion": {"conversion_factor": 1000, "operation": "DIVIDE", "name": "1K tokens"}}

    def product(name: str, metric: str, pricing: list[str], shown: list[str], **more: object) -> dict[str, object]:
        keys = {"pricing_group_key": pricing, "presentation_group_key": shown}
        return {"id": name, "name": name, "type": "USAGE", "billable_metric_id": metric, **keys, **more}

    return [
        product("requests", "requests", ["model"], ["region"]),
        product("input-tokens", "input_tokens", ["model", "region"], [], **thousands),
        product("output-tokens", "output_tokens", ["model"], ["region"], **thousands),
        product("long-context", "longest_context", ["model"], [], **thousands),
        product("latency", "mean_latency", ["model"], []),
        product("users", "users", [], []),
    ]


def _rates() -> Iterator[dict[str, object]]:
    """Tiers, packages and flat prices; output tokens change their price in the middle of the month."""

    def rate(product: str, values: dict[str, str], day: int = 1, **price: object) -> dict[str, object]:
        keys = {"pricing_group_values": values} if values else {}
        return {"product_id": product, **keys, "starting_at": f"2024-06-{day:02}", **price}

    tiers = [{"size": 100, "price": 0.003}, {"size": 900, "price": 0.0025}, {"price": 0.002}]
    for model in MODELS:
        of_model = {"model": model}
        yield rate("requests", of_model, rate_type="PACKAGE", price=0.05, package_size=100, free_units=1000)
        for region in REGIONS:
            yield rate("input-tokens", {**of_model, "region": region}, rate_type="TIERED", tiers=tiers)
        yield rate("output-tokens", of_model, rate_type="FLAT", price=0.006)
        yield rate("output-tokens", of_model, day=16, rate_type="TIERED", tiers=[{"size": 50, "price": 0.006}, *tiers])
        yield rate("long-context", of_model, rate_type="FLAT", price=0.01)
        yield rate("latency", of_model, rate_type="FLAT", price=0)
    yield rate("users", {}, rate_type="VOLUME", tiers=[{"size": 10, "price": 1}, {"price": 0.8}])


def _contract(number: int) -> dict[str, object]:
    """Every tenth contract has a discount on its tokens."""
    terms: dict[str, object] = {
        "id": f"contract_{number:04}",
        "customer_id": _reference(number),
        "rate_card_id": "standard",
        "starting_at": "2024-06-01",
    }
    if number % 10 == 0:
        target = [{"product_id": "input-tokens"}, {"product_id": "output-tokens"}]
        multiplier = {"type": "MULTIPLIER", "multiplier": 0.9, "override_specifiers": target}
        terms["overrides"] = [{"starting_at": "2024-06-01", **multiplier}]
    return terms


def _reference(number: int) -> str:
    return f"customer_{number:04}"


def _write_lines(path: Path, rows: Iterator[dict[str, object]]) -> None:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")


def events_of_day(day: int, count: int, rows: int, groups: Groups) -> pl.DataFrame:
    """The `rows` events of a day, as ingest batch 1 stores them; `count` is the number of all events."""
    first = day * count // DAYS
    drawn = _drawn(pl.int_range(first, first + rows, dtype=pl.UInt64, eager=True), groups).collect()
    values = {name: drawn[name].cast(pl.String) for name in (*TEXTS, *NUMBERS)}
    pairs = [text for name in sorted(values) for text in (pl.lit(f'"{name}":"'), values[name], pl.lit('",'))]
    return drawn.select(
        event_date=pl.lit(START.date() + timedelta(days=day), dtype=pl.Date),
        transaction_id=pl.concat_str(pl.lit("request_"), pl.col("id")),
        customer_ref="customer_ref",
        event_type=pl.lit("completion"),
        timestamp=pl.lit(START + timedelta(days=day), dtype=TIMESTAMP) + pl.duration(microseconds="microsecond"),
        properties=pl.concat_str(pl.lit("{"), *pairs[:-1], pl.lit('"}')),
        ingest_batch=pl.lit(1, dtype=pl.Int64),
        source_file=pl.lit(source_file(day)),
        source_line=pl.int_range(1, rows + 1, dtype=pl.Int64),
        arrived_at=pl.lit(arrived_at(day), dtype=TIMESTAMP),
        **{f"property_{name}": pl.col(name).cast(pl.String) for name in TEXTS},
        **{f"number_{name}": pl.col(name).cast(DECIMAL) for name in NUMBERS},
    ).sort("event_date", "customer_ref", "timestamp", "transaction_id")


def source_file(day: int) -> str:
    return f"{START.date() + timedelta(days=day)}.parquet"


def arrived_at(day: int) -> datetime:
    return START + timedelta(days=day + 1, hours=1)


def day_of(day: int) -> date:
    return START.date() + timedelta(days=day)


def _drawn(numbers: pl.Series, groups: Groups) -> pl.LazyFrame:
    """Random values of each event. The first of 1,000 customers has 3 % of the events, the first hundred have 32 %.

    A customer works in two regions at most and mostly with two of the six models (dense) or one (typical), around noon.
    It has 3 to 12 users.
    """
    customer = _uniform("customer", CUSTOMERS, power=2)
    number = pl.col("number")
    user = pl.col("customer") * 16 + _uniform("user", 12) % (3 + pl.col("customer") % 10)
    model = (pl.col("customer") + _uniform("model", len(MODELS), power=groups.models)) % len(MODELS)
    region = (pl.col("customer") + _uniform("region", 8) // (8 - groups.regions)) % len(REGIONS)
    half = groups.hours * 1_800_000_000
    opening = 43_200_000_000 - half
    stray = _uniform("stray", 4096)
    reference = pl.concat_str(pl.lit("customer_"), pl.col("customer").cast(pl.String).str.zfill(4))
    return (
        pl.LazyFrame({"number": numbers})
        .with_columns(customer=customer)
        .select(
            id=number * 0x9E3779B97F4A7C15,
            customer_ref=pl.when(stray == 0)
            .then(pl.lit(UNKNOWN))
            .when(stray == 1)
            .then(pl.lit(WITHOUT_CONTRACT))
            .otherwise(reference),
            microsecond=(opening + _uniform("morning", half) + _uniform("evening", half)).cast(pl.Int64),
            model=pl.lit(pl.Series(MODELS)).gather(model),
            region=pl.lit(pl.Series(REGIONS)).gather(region),
            user_id=pl.concat_str(pl.lit("user_"), user.cast(pl.String)),
            context_tokens=1 + _uniform("context", 8_000, power=2),
            generated_tokens=1 + _uniform("generated", 1_200, power=2),
            latency_seconds=pl.concat_str(
                _uniform("seconds", 9, power=2), pl.lit("."), _uniform("millis", 1000).cast(pl.String).str.zfill(3)
            ),
        )
    )


def _uniform(seed: str, below: int, power: int = 1) -> pl.Expr:
    """A whole number in [0, below) of each `number`, dense towards 0 where `power` > 1; another one for each seed."""
    mixed = pl.col("number") + int.from_bytes(seed.encode()[:6].ljust(6, b"\0"), "little") * 0x10001
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB), (31, 0x9E3779B97F4A7C15)):
        mixed = (mixed ^ (mixed // 2**shift)) * pl.lit(factor, dtype=pl.UInt64)
    unit = (mixed // 2**32).cast(pl.Float64) / 2**32
    return (unit**power * below).floor().cast(pl.UInt64)
