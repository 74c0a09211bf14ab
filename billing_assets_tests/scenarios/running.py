"""Scenario files to books: their catalogs side by side in one, all events, one close for each instant."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from decimal import Decimal
from functools import cached_property
from pathlib import Path
from typing import Any

import polars as pl
from ruamel.yaml import YAML

from billing_assets_tests.pipeline.closing import Books

HERE = Path(__file__).parent
COLLECTIONS = ("billable_metrics", "products", "pricing_units", "rate_cards", "customers", "contracts")
DEFAULT_CLOSES = ("2026-02-03",)
Obj = dict[str, Any]


def read(path: Path) -> Obj:
    """A YAML file with every scalar but null and booleans as its text, so that no number passes through a float."""
    loader = YAML(typ="safe", pure=True)
    loader.Constructor = _Texts
    found: Obj = loader.load(path.read_text(encoding="utf-8"))
    return found


class _Texts(YAML().Constructor):  # type: ignore[misc]
    """Numbers and dates as text."""


for _tag in ("int", "float", "timestamp"):
    _Texts.add_constructor(f"tag:yaml.org,2002:{_tag}", lambda loader, node: loader.construct_scalar(node))


def at(text: str) -> datetime:
    """An instant as scenarios write it: a date, or a date with an hour or more."""
    found = datetime.fromisoformat(text)
    return found if found.tzinfo else found.replace(tzinfo=UTC)


@dataclass(frozen=True)
class Scenario:
    """One file. `name` is its place in the tree; `slug` marks everything that is its own in the merged books."""

    name: str
    content: Obj

    @classmethod
    def load(cls, path: Path) -> Scenario:
        return cls(path.relative_to(HERE).with_suffix("").as_posix(), read(path))

    @property
    def slug(self) -> str:
        return self.name.replace("/", "-").replace("_", "-")

    @property
    def closes(self) -> tuple[str, ...]:
        return tuple(self.content.get("closes", DEFAULT_CLOSES))

    def terms(self, now: str) -> Obj:
        """The content in force at a close: later edits replace its keys."""
        found = dict(self.content)
        for since, edited in self.content.get("edits", {}).items():
            if at(since) <= at(now):
                found |= edited
        return found

    def catalog(self, now: str) -> Obj:
        """Its collections, under ids of its own."""
        terms = self.terms(now)
        found: Obj = {name: list(terms.get(name, ())) for name in COLLECTIONS}
        card = "standard"
        if "rates" in terms:
            card = "card"
            found["rate_cards"].append({"id": card, "currency": "USD", "rates": terms["rates"]})
        if "customers" not in terms:
            found["customers"].append({"id": "u", "name": self.name, **terms.get("customer", {})})
        base = {"customer_id": "u", "rate_card_id": card, "starting_at": "2026-01-01"}
        if "contracts" not in terms:
            found["contracts"].append({"id": "c", **base, **terms.get("contract", {})})
        else:
            found["contracts"] = [_over(base, one) for one in terms["contracts"]]
        return self._own(found, _ids(found))

    def _own(self, value: Any, ids: set[str]) -> Any:
        """`value` with every id that the scenario defines marked by its slug."""
        if isinstance(value, dict):
            return {key: self._own(inner, ids) for key, inner in value.items()}
        if isinstance(value, list):
            return [self._own(inner, ids) for inner in value]
        return f"{self.slug}:{value}" if isinstance(value, str) and value in ids else value

    def events(self) -> Iterable[tuple[datetime, Obj]]:
        """(arrival, event) each; one that says nothing of its arrival arrives before the first close."""
        for number, row in enumerate(self.content.get("events", ())):
            when, kind, value, *more = row
            properties = {
                "value": value,
                **{k: v for one in more for k, v in one.items() if k not in ("arrived", "ref")},
            }
            said = {k: v for one in more for k, v in one.items()}
            arrival = at(said["arrived"]) if "arrived" in said else at(self.closes[0])
            yield arrival, {
                "transaction_id": f"{self.slug}:{number}", "customer_id": f"{self.slug}:{said.get('ref', 'u')}",
                "event_type": kind, "timestamp": at(when).isoformat(), "properties": properties,
            }  # fmt: skip


def _over(base: Obj, given: Obj) -> Obj:
    if "rate_card_alias" in given:
        base = {name: value for name, value in base.items() if name != "rate_card_id"}
    return {**base, **given}


def _ids(value: Any) -> set[str]:
    if isinstance(value, dict):
        own = {value["id"]} if isinstance(value.get("id"), str) else set()
        return own.union(*(_ids(inner) for inner in value.values()))
    if isinstance(value, list):
        return set().union(*(_ids(inner) for inner in value))
    return set()


def close_all(root: Path, scenarios: Sequence[Scenario]) -> Ran:
    """All scenarios of one timeline in one lake: a close at each of its instants."""
    (closes,) = {one.closes for one in scenarios}
    books, received = Books.open(root, merged(scenarios, closes[0])), at("2000-01-01")
    for now in closes:
        books = books.with_catalog(merged(scenarios, now))
        arrived = [event for one in scenarios for when, event in one.events() if received < when <= at(now)]
        if arrived:
            books.receive({f"until-{now[:10]}.jsonl": arrived}, at(now))
        books.close(at(now))
        received = at(now)
    return Ran(books)


def merged(scenarios: Sequence[Scenario], now: str) -> Obj:
    found = read(HERE / "shared.yaml")
    for one in scenarios:
        for name, rows in one.catalog(now).items():
            found.setdefault(name, []).extend(rows)
    return {name: value for name, value in found.items() if value}


@dataclass(frozen=True)
class Ran:
    """The books after the last close, as the scenarios' expectations read them."""

    books: Books

    @cached_property
    def tables(self) -> Mapping[str, pl.DataFrame]:
        names = (
            "invoices", "draft_invoices", "line_items", "draft_line_items",
            "ledger_entries", "pending_ledger_entries", "balances", "unbilled_usage",
        )  # fmt: skip
        return self.books.lake.collect_all({name: self.books.lake.scan(name) for name in names})

    def outcome(self, one: Scenario) -> Obj:
        """What the scenario may expect, in its own terms."""
        final, drafts = (self._of(one, name) for name in ("invoices", "draft_invoices"))
        names = {row["invoice_id"]: heading(row) for row in (*final, *drafts)}
        balances = self._of(one, "balances")
        return {
            "invoices": sorted(_invoice(row) for row in final if row["status"] == "FINALIZED"),
            "drafts": sorted(_invoice(row) for row in drafts),
            "held": {heading(row): row["hold_reasons"] for row in drafts if row["hold_reasons"] != "[]"},
            "lines": self._lines(one, names),
            "ledger": [
                [self._plain(one, row["segment_id"]), row["entry_type"], plain(row["amount"])]
                for row in sorted(self._of(one, "ledger_entries"), key=_when)
            ],
            "balances": {self._plain(one, row["segment_id"]): plain(row["remaining"]) for row in balances},
            "unbilled": self._unbilled(one),
        }

    def _of(self, one: Scenario, table: str, by: str = "customer_id") -> list[Obj]:
        return self.tables[table].filter(pl.col(by).str.starts_with(f"{one.slug}:")).to_dicts()

    def _unbilled(self, one: Scenario) -> dict[str, int]:
        """Listed events by `metric disposition`, of its own and the shared metrics."""
        found: dict[str, int] = {}
        for row in self._of(one, "unbilled_usage", "customer_ref"):
            metric = self._plain(one, row["billable_metric_id"])
            if ":" not in metric:
                what = f"{metric} {row['disposition']}".strip()
                found[what] = found.get(what, 0) + row["event_count"]
        return dict(sorted(found.items()))

    def _lines(self, one: Scenario, names: Mapping[str, str]) -> dict[str, list[list[str]]]:
        found: dict[str, list[list[str]]] = {}
        rows = [*self._of(one, "line_items"), *self._of(one, "draft_line_items")]
        for row in sorted(rows, key=lambda row: (row["invoice_id"], row["line_number"])):
            what = row["segment_id"] if row["line_type"] == "applied_commit_or_credit" else row["product_id"]
            figures = (row["quantity"], row["unit_price"], row["amount"])
            line = [row["line_type"], self._plain(one, what), *map(plain, figures)]
            found.setdefault(names[row["invoice_id"]], []).append(line)
        return found

    def _plain(self, one: Scenario, name: str | None) -> str:
        return (name or "").replace(f"{one.slug}:", "")


def heading(row: Mapping[str, Any]) -> str:
    """`USAGE 2026-01-01`: type and period start, or date where it has no period."""
    return " ".join(_invoice(row)[:2])


def _invoice(row: Mapping[str, Any]) -> list[str]:
    start = row["period_start"] or datetime.combine(row["invoice_date"], time(), UTC)
    return [row["invoice_type"], short(start), plain(row["total"])]


def short(instant: datetime | date) -> str:
    """As scenarios write instants: a date at midnight, else with the hour."""
    return f"{instant:%Y-%m-%d}" if f"{instant:%H%M}" == "0000" else f"{instant:%Y-%m-%dT%H}"


def plain(value: Decimal | None) -> str:
    """The shortest plain decimal text."""
    if value is None:
        return ""
    text = f"{value:f}"
    return (text.rstrip("0").rstrip(".") if "." in text else text) or "0"


def _when(row: Mapping[str, Any]) -> tuple[Any, ...]:
    return row["effective_at"], row["segment_id"], row["entry_type"] != "GRANT", row["entry_type"]


SCENARIOS = sorted((Scenario.load(path) for path in HERE.glob("*/**/*.yaml")), key=lambda one: one.name)
Close = Callable[[tuple[str, ...]], Ran]
"""The books of a timeline."""
