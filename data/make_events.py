"""Write data/events: the usage events of a small AI-inference company, made from a real trace.

    python data/make_events.py [--to DIR]

Every request of the Azure LLM inference trace 2023 (28,185 requests of 2023-11-16, 18:15 to 19:15 UTC) becomes one
event with its own timestamp and token counts. Who sent it, to which model and from which region is not in the trace:
that is spread over the customers below by a hash of the transaction id, so the same files come out on every machine.
The other days of November replay the trace, one request in forty, and say so (`replay: true`, ids `replay-...`).
Customers with an agreement of their own get a replay of their own, on four days a month from November to January.

Files are a function of the trace alone: no clock, no random numbers. The text inside is reproduced byte for byte; the
bytes around it (gzip, zstd, Parquet) may differ with the version of the compressor.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import hashlib
import io
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import cache
from itertools import chain
from pathlib import Path
from typing import Any

Event = dict[str, Any]

HERE = Path(__file__).resolve().parent
TRACE_START = datetime(2023, 11, 16, 18, 15, tzinfo=UTC)
TRACE_DAY = 16
REPLAY_ONE_IN = 40
REPLAY_STRETCH = 24  # the hour of the trace becomes a day
AGREEMENT_MONTHS = (
    datetime(2023, 11, 1, tzinfo=UTC),
    datetime(2023, 12, 1, tzinfo=UTC),
    datetime(2024, 1, 1, tzinfo=UTC),
)
AGREEMENT_DAYS = (5, 12, 19, 26)
AGREEMENT_ONE_IN = 64
LATE_CUSTOMER, LATE_FROM, LATE_UNTIL = "lantern", "2023-11-16T18:40", "2023-11-16T18:50"


@dataclass(frozen=True)
class Profile:
    """One sender of requests: its share of each trace, and what its requests look like.

    `code` and `chat` are weights among all profiles. `regions` and `refs` are drawn evenly (repeat one to favour it).
    `large`, `preview`, `batch` are percentages of the requests concerned.
    """

    refs: tuple[str, ...]
    code: int = 0
    chat: int = 0
    regions: tuple[str, ...] = ("us",)
    users: int = 8
    large: int = 30
    preview: int = 0
    batch: int = 0
    app: str | None = None


PROFILES = (
    # The stories of the catalog (data/README.md has the table).
    Profile(("quill",), chat=20, large=100),
    Profile(("hallow",), code=6, chat=6, regions=("eu",)),
    Profile(("borealis",), chat=16, regions=("eu",) * 10 + ("us",) * 9 + ("jp",)),
    Profile(("nightly",), chat=8, preview=12),
    Profile(("lantern",), code=8, chat=8, regions=("eu",)),
    Profile(("kiln",), code=4, chat=4),
    Profile(("marlin",), code=4, chat=4, regions=("eu",)),
    Profile(("sakura",), code=5, chat=12, regions=("jp",)),
    Profile(("seedling",), chat=2, users=3, large=0),
    Profile(("parcel",), chat=10, batch=60, large=0),
    Profile(("bazaar",), chat=6, regions=("eu",)),
    Profile(("volta",), chat=40, regions=("us", "eu"), large=50),
    Profile(("granite",), code=3, regions=("eu",)),
    Profile(("pebble",), chat=12, large=0),
    Profile(("ember",), code=12, chat=12),
    Profile(("cascade",), code=20),
    Profile(("veto",), code=8, chat=8, regions=("eu",)),
    Profile(("polaris", "polaris-prod", "org_8271"), code=5, chat=8, regions=("eu", "us")),
    Profile(("atelier",), chat=12, users=60, large=40, app="assistant"),
    Profile(("foundry",), code=4, chat=4),
    Profile(("courier",), chat=10, regions=("us", "eu")),
    Profile(("farewell",), code=5, chat=5),
    Profile(("prospect",), chat=2, users=2),
    Profile(("org_7731",), chat=1, users=1),  # no customer of the catalog has this reference
    # Ordinary pay-as-you-go customers.
    Profile(("acorn",), code=12, chat=10),
    Profile(("birch",), chat=14, regions=("eu",), large=10),
    Profile(("cinder",), code=16),
    Profile(("dune",), chat=8, regions=("us", "eu")),
    Profile(("elm",), code=2, chat=10),
    Profile(("fathom",), chat=18, users=40, large=60),
    Profile(("glade",), code=10, chat=2, regions=("eu",)),
    Profile(("heron",), chat=9, regions=("us", "us", "jp")),
    Profile(("inlet",), code=6, chat=6),
    Profile(("juniper",), chat=11, regions=("eu",), large=5),
    Profile(("kestrel",), code=14, regions=("us", "eu")),
    Profile(("larch",), chat=7),
    Profile(("meadow",), code=3, chat=8, regions=("jp",)),
    Profile(("nettle",), chat=12, users=25, large=20),
    Profile(("osprey",), code=9, chat=3, regions=("eu",)),
)

AGREEMENTS = (
    # Commits, credits, seats, a reseller and its children: they share a replay of their own, three months long.
    Profile(("aurora",), code=6, chat=6),
    Profile(("basalt",), code=6, chat=2, regions=("eu",)),
    Profile(("clover",), chat=8, users=20, large=50),
    Profile(("delphi",), chat=5, regions=("us", "eu"), users=12, large=50),
    Profile(("evergreen",), chat=1),
    Profile(("fern",), code=4, chat=3, regions=("eu",), large=60),
    Profile(("gorse",), chat=5, large=40),
    Profile(("indigo",), code=2, chat=5, large=40),
)


def draw(key: str, outcomes: int) -> int:
    """A number in 0..outcomes-1, the same for the same key on every machine."""
    return int.from_bytes(hashlib.blake2b(key.encode(), digest_size=8).digest(), "big") % outcomes


def senders(profiles: tuple[Profile, ...]) -> dict[str, tuple[Profile, ...]]:
    """For each trace every profile, repeated by its weight in that trace."""
    return {
        "code": tuple(p for p in profiles for _ in range(p.code)),
        "conv": tuple(p for p in profiles for _ in range(p.chat)),
    }


def text(at: datetime) -> str:
    return f"{at:%Y-%m-%dT%H:%M:%S.%f}Z"


def model_of(trace: str, profile: Profile, key: str) -> str:
    if trace == "code":
        return "code-1"
    percent = draw(f"{key}/model", 100)
    if percent < profile.preview:
        return "chat-preview"
    return "chat-large" if percent < profile.preview + profile.large else "chat-small"


def request(
    trace: str, transaction_id: str, at: datetime, tokens: tuple[int, int], replay: bool, everyone: tuple[Profile, ...]
) -> Event:
    """The event of one request; all that the trace does not say follows from the transaction id."""
    profile = everyone[draw(transaction_id, len(everyone))]
    ref = profile.refs[draw(f"{transaction_id}/ref", len(profile.refs))]
    properties: dict[str, Any] = {
        "model": model_of(trace, profile, transaction_id),
        "region": profile.regions[draw(f"{transaction_id}/region", len(profile.regions))],
        "context_tokens": tokens[0],
        "generated_tokens": tokens[1],
        "user": f"{profile.refs[0]}-u{draw(f'{transaction_id}/user', profile.users) + 1:02}",
    }
    if profile.app:
        properties["app"] = profile.app
    if draw(f"{transaction_id}/batch", 100) < profile.batch:
        properties["batch"] = True
    if replay:
        properties["replay"] = True
    return event(transaction_id, ref, "completion", text(at), properties)


senders_of = senders(PROFILES)
agreed_senders_of = senders(AGREEMENTS)


def event(transaction_id: str, customer: str, event_type: str, timestamp: str, properties: dict[str, Any]) -> Event:
    return {
        "transaction_id": transaction_id,
        "customer_id": customer,
        "event_type": event_type,
        "timestamp": timestamp,
        "properties": properties,
    }


# --- the trace, and its replays -------------------------------------------------------------------------------------


@cache
def trace_rows(trace: str) -> list[tuple[datetime, tuple[int, int]]]:
    """(timestamp, (context tokens, generated tokens)) of each request.

    The trace writes seven decimals of a second; the seventh (always 0 in these files) is cut off, not rounded.
    """
    path = HERE / "trace" / f"azure_llm_inference_2023_{trace}.csv.gz"
    with gzip.open(path, "rt", encoding="ascii", newline="") as lines:
        return [
            (
                datetime.fromisoformat(row["TIMESTAMP"][:26]).replace(tzinfo=UTC),
                (int(row["ContextTokens"]), int(row["GeneratedTokens"])),
            )
            for row in csv.DictReader(lines)
        ]


def trace_events(trace: str) -> Iterator[Event]:
    for number, (at, tokens) in enumerate(trace_rows(trace), start=1):
        yield request(trace, f"azure-{trace}-{number:05}", at, tokens, replay=False, everyone=senders_of[trace])


def replayed(
    midnight: datetime, day: str, one_in: int, first: int, everyone_of: dict[str, tuple[Profile, ...]]
) -> list[Event]:
    """One request in so many of both traces, from the first on, the hour stretched over the whole day."""
    return sorted(
        (
            request(
                trace,
                f"replay-{day}-{trace}-{number:05}",
                midnight + (at - TRACE_START) * REPLAY_STRETCH,
                tokens,
                replay=True,
                everyone=everyone,
            )
            for trace, everyone in everyone_of.items()
            for number, (at, tokens) in enumerate(trace_rows(trace), start=1)
            if number % one_in == first
        ),
        key=lambda e: (e["timestamp"], e["transaction_id"]),
    )


def replayed_events(day: int) -> list[Event]:
    """One request in forty, other ones each day: 7 and 40 have no common divisor, so no two days start alike."""
    midnight = datetime(2023, 11, day, tzinfo=UTC)
    return replayed(midnight, f"{midnight:%m%d}", REPLAY_ONE_IN, 7 * day % REPLAY_ONE_IN, senders_of)


def agreed_events(month: datetime) -> list[Event]:
    """What the customers with agreements did in a month: replays on four days of it, one request in 64, and jobs."""
    days = [month.replace(day=day) for day in AGREEMENT_DAYS]
    replays = [
        replayed(
            day, f"{day:%Y-%m-%d}", AGREEMENT_ONE_IN, (day.day + 3 * day.month) % AGREEMENT_ONE_IN, agreed_senders_of
        )
        for day in days
    ]
    jobs = [e for e in agreed_jobs() if e["timestamp"].startswith(f"{month:%Y-%m}")]
    return sorted([*chain(*replays), *jobs], key=lambda e: (e["timestamp"], e["transaction_id"]))


def is_late(e: Event) -> bool:
    """The requests of one customer's gateway that was cut off for ten minutes: they come in a file of their own."""
    return bool(e["customer_id"] == LATE_CUSTOMER and LATE_FROM <= e["timestamp"] < LATE_UNTIL)


# --- what is not tokens ---------------------------------------------------------------------------------------------


def seat_counts() -> list[Event]:
    """LATEST: the last count of the month is what the month costs."""
    counts = [("2023-11-01T08:00:00Z", 12), ("2023-11-09T15:30:00Z", 15), ("2023-11-27T09:12:44.5Z", 14)]
    return [
        event(f"seats-atelier-{number}", "atelier", "seat_count", at, {"seats": seats, "plan": "team"})
        for number, (at, seats) in enumerate(counts, start=1)
    ]


def fine_tuning_jobs() -> list[Event]:
    """GPU hours; job 1003 was metered at 31.75 by mistake and is taken back by a negative event."""
    jobs = [
        ("ft-0997", "kiln", "2023-11-06T11:02:10.123456Z", "a100", "12.5"),
        ("ft-0998", "kiln", "2023-11-13T07:45:00Z", "h100", "3.21"),
        ("ft-1002", "marlin", "2023-11-08T20:15:31Z", "a100", "18.04"),
        ("ft-1003", "marlin", "2023-11-14T09:30:00Z", "a100", "31.75"),
        ("ft-1003-correction", "marlin", "2023-11-21T16:05:00Z", "a100", "-25.4"),
        ("ft-1004", "marlin", "2023-11-23T05:00:00.000001Z", "a100", "7.33"),
    ]
    return [
        event(job, customer, "fine_tune", at, {"gpu": gpu, "gpu_hours": hours, "region": "us"})
        for job, customer, at, gpu, hours in jobs
    ]


def agreed_jobs() -> list[Event]:
    """Fine-tuning of the customers with agreements, most of what draws on their commits; GPU hours as numbers."""
    jobs = [
        ("ft-1101", "aurora", "2023-11-05T09:12:00Z", "a100", 96.4),
        ("ft-1102", "aurora", "2023-11-19T22:40:00Z", "h100", 31.5),
        ("ft-1103", "aurora", "2023-12-05T14:05:00Z", "a100", 120.2),
        ("ft-1104", "aurora", "2023-12-19T03:30:00Z", "h100", 22.4),
        ("ft-1105", "aurora", "2024-01-12T11:00:00Z", "a100", 140.6),
        ("ft-1201", "basalt", "2023-11-12T18:20:00Z", "a100", 104),
        ("ft-1202", "basalt", "2023-12-12T06:45:00Z", "a100", 131.5),
        ("ft-1203", "basalt", "2024-01-05T08:15:00Z", "a100", 62.3),
        ("ft-1204", "basalt", "2024-01-19T19:50:00Z", "a100", 55),
        ("ft-1301", "fern", "2023-11-12T07:00:00Z", "h100", 10),
        ("ft-1302", "fern", "2023-12-12T07:00:00Z", "h100", 12.5),
        ("ft-1303", "fern", "2024-01-12T07:00:00Z", "h100", 15),
        ("ft-1401", "gorse", "2023-11-26T16:30:00Z", "a100", 20),
        ("ft-1402", "gorse", "2023-12-26T16:30:00Z", "a100", 25.5),
        ("ft-1403", "gorse", "2024-01-26T16:30:00Z", "a100", 30),
        ("ft-1501", "indigo", "2023-11-19T12:00:00Z", "a100", 12.5),
        ("ft-1502", "indigo", "2023-12-19T12:00:00Z", "a100", 14),
        ("ft-1503", "indigo", "2024-01-19T12:00:00Z", "a100", 15.5),
        ("ft-1601", "jasper", "2023-11-05T10:20:00Z", "a100", 50),
        ("ft-1602", "jasper", "2023-11-19T15:00:00Z", "a100", 60),
        ("ft-1603", "jasper", "2023-12-12T10:20:00Z", "a100", 100),
        ("ft-1604", "jasper", "2023-12-26T15:00:00Z", "a100", 10),
        ("ft-1605", "jasper", "2024-01-12T10:20:00Z", "a100", 80),
    ]
    return [
        event(job, customer, "fine_tune", at, {"gpu": gpu, "gpu_hours": hours, "region": "us"})
        for job, customer, at, gpu, hours in jobs
    ]


def capacity_samples() -> list[Event]:
    """AVG: one sample of reserved GPUs a day; 200 GPU-days in 30 samples, 6.666666666667 on average."""
    gpus = [4] * 9 + [8] * 19 + [6] * 2
    return [
        event(f"capacity-{day:02}", "foundry", "capacity_sample", f"2023-11-{day:02}T06:00:00Z", {"gpus": count})
        for day, count in enumerate(gpus, start=1)
    ]


def plugin_sales() -> list[Event]:
    """PERCENTAGE: two sales a day, the amounts a simple cycle; one refund."""
    sales = []
    for number in range(1, 61):
        at = datetime(2023, 11, 1, 10, tzinfo=UTC) + timedelta(hours=12 * (number - 1), seconds=37 * number)
        amount = Decimal(5) + Decimal(draw(f"plugin-{number}", 4000)) / 100
        properties = {"amount": f"{amount:.2f}", "plugin": f"plugin-{number % 7}"}
        sales.append(event(f"sale-{number:03}", "bazaar", "plugin_sale", text(at), properties))
    refund = {"amount": "-" + sales[20]["properties"]["amount"], "plugin": sales[20]["properties"]["plugin"]}
    return [*sales, event("sale-021-refund", "bazaar", "plugin_sale", "2023-11-25T12:00:00Z", refund)]


def retries(requests: list[Event], jobs: list[Event]) -> list[Event]:
    """Twenty requests sent again, unchanged, and one job sent again with another number of hours.

    The job's first version wins (the smaller payload, at the same timestamp in one batch); the other one is listed.
    """
    again = [e for e in requests if e["customer_id"] == "acorn"][:20]
    job = jobs[0]
    return [*again, {**job, "properties": {**job["properties"], "gpu_hours": "21.5"}}]


def partner_feed() -> list[str]:
    """The lines of a reseller's feed: four good ones, then one of every kind of trouble."""

    def line(number: int, customer: str = "acorn", timestamp: str | None = None, **properties: Any) -> str:
        tokens = {"model": "chat-small", "region": "us", "context_tokens": 1000, "generated_tokens": 250}
        at = timestamp or f"2023-11-20T0{number % 10}:00:00Z"
        return dumps(event(f"partner-{number:03}", customer, "completion", at, {**tokens, **properties}))

    return [
        line(1),
        line(2, timestamp="2023-11-20T09:30:00+07:00"),  # an offset: 02:30 UTC
        line(3, context_tokens="1500"),  # a number sent as text counts like any other
        line(4, customer="org_7731"),  # unattributed: nobody has this reference
        line(5, context_tokens="n/a"),  # accepted, but a metric exception of the input tokens
        dumps(event("partner-006", "acorn", "heartbeat", "2023-11-20T06:00:00Z", {"status": "ok"})),  # no metric
        '{"transaction_id": "partner-007", "customer_id": "acorn", "event_type": "completion", "timestamp": "2023-1',
        line(8, usage={"context_tokens": 1000}),  # nested property
        line(9, timestamp="2099-01-01T00:00:00Z"),  # future timestamp
        line(10, timestamp="yesterday"),  # not a timestamp
        line(11).replace('"generated_tokens":250', '"generated_tokens":250.0.1'),  # not a number, so not JSON
        line(12).replace('"transaction_id":"partner-012",', ""),  # no transaction id
        line(13).replace('"event_type":"completion"', '"event_type":""'),  # no event type
    ]


# --- files ----------------------------------------------------------------------------------------------------------


def dumps(value: Event) -> str:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def json_lines(events: Iterable[Event]) -> bytes:
    return "".join(f"{dumps(e)}\n" for e in events).encode()


def gzipped(content: bytes) -> bytes:
    """No file name and no time in the header, so that the same content gives the same file."""
    out = io.BytesIO()
    with gzip.GzipFile(filename="", mode="wb", compresslevel=9, fileobj=out, mtime=0) as file:
        file.write(content)
    return out.getvalue()


def zstandard_compressed(content: bytes) -> bytes:
    import zstandard

    return zstandard.ZstdCompressor(level=19).compress(content)


def csv_table(events: list[Event]) -> bytes:
    """CSV with a column `properties.<name>` for each property."""
    out = io.StringIO()
    names = list(events[0]["properties"])
    fields = [name for name in events[0] if name != "properties"]
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow([*fields, *(f"properties.{name}" for name in names)])
    writer.writerows([*(e[f] for f in fields), *(e["properties"][n] for n in names)] for e in events)
    return out.getvalue().encode()


def parquet_table(events: list[Event]) -> bytes:
    """Parquet with a timestamp column and the properties as a struct; the numeric one a decimal."""
    import polars as pl

    numeric = pl.field("gpu_hours").cast(pl.Decimal(18, 4))
    frame = pl.DataFrame(events).with_columns(
        pl.col("timestamp").str.to_datetime(time_unit="us", time_zone="UTC"),
        pl.col("properties").struct.with_fields(numeric),
    )
    out = io.BytesIO()
    frame.write_parquet(out, compression="zstd", statistics=False)
    return out.getvalue()


def cloud_events(events: list[Event]) -> bytes:
    return json_lines(
        {
            "specversion": "1.0",
            "id": e["transaction_id"],
            "source": "https://plugins.halcyon.example",
            "type": e["event_type"],
            "subject": e["customer_id"],
            "time": e["timestamp"],
            "datacontenttype": "application/json",
            "data": e["properties"],
        }
        for e in events
    )


def files() -> Iterator[tuple[str, bytes]]:
    """Every file of data/events: its path and content."""
    code, chat = list(trace_events("code")), list(trace_events("conv"))
    jobs = fine_tuning_jobs()
    for trace, events in (("code", code), ("conv", chat)):
        yield f"trace/2023-11-16-{trace}.jsonl.gz", gzipped(json_lines(e for e in events if not is_late(e)))
    late = sorted((e for e in [*code, *chat] if is_late(e)), key=lambda e: (e["timestamp"], e["transaction_id"]))
    yield "late/2023-11-16-lantern-gateway.jsonl", json_lines(late)
    for day in range(1, 31):
        if day != TRACE_DAY:
            yield f"replay/2023-11-{day:02}.jsonl.gz", gzipped(json_lines(replayed_events(day)))
    for month in AGREEMENT_MONTHS:
        yield f"agreements/{month:%Y-%m}.jsonl.gz", gzipped(json_lines(agreed_events(month)))
    yield "capacity-samples.jsonl.zst", zstandard_compressed(json_lines(capacity_samples()))
    yield "fine-tuning.parquet", parquet_table(jobs)
    yield "partner-feed.jsonl", "".join(f"{line}\n" for line in partner_feed()).encode()
    yield "plugin-sales.cloudevents.jsonl", cloud_events(plugin_sales())
    yield "retries.jsonl", json_lines(retries(chat, jobs))
    yield "seat-counts.csv", csv_table(seat_counts())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--to", type=Path, default=HERE / "events", metavar="DIR", help="default: data/events")
    target: Path = parser.parse_args().to
    for name, content in files():
        path = target / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        print(f"{len(content):>10,}  {path}")


if __name__ == "__main__":
    main()
