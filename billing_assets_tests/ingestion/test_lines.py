"""What one line of JSON is: an event with canonical properties, or a reject with its reason."""

from __future__ import annotations

import json
from decimal import Decimal

import polars as pl
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from billing_assets.ingestion.exact import read_line, read_properties
from billing_assets.ingestion.lines import read_lines
from billing_assets.ingestion.property_texts import read_property_texts
from billing_assets.ingestion.readings import FIELDS, LINES
from billing_assets.ingestion.reasons import MEANING, Reason
from billing_assets_tests.ingestion.workbench import event, ingest, line, lines, with_properties

LONG_DIGITS = "123456789012345678901234567890.123456789012345678901234567890123456789012345"

BAD_LINES = [
    (b'{"transaction_id": "t-1"', "invalid_json", "character 25"),
    (b"not json", "invalid_json", "character 1"),
    (line() + b"}", "invalid_json", "Extra data"),
    (line() + line("t-2"), "invalid_json", "Extra data"),
    (line().replace(b"12", b"012"), "invalid_json", "delimiter"),
    (line().replace(b"12", b"12."), "invalid_json", "delimiter"),
    (line().replace(b"12", b"+12"), "invalid_json", "Expecting value"),
    (line().replace(b"12", b"NaN"), "invalid_json", "NaN"),
    (line().replace(b"12", b"-Infinity"), "invalid_json", "-Infinity"),
    (line().replace(b"acme", b"ac\tme"), "invalid_json", "control character"),
    (line().replace(b"acme", b"ac\x01me"), "invalid_json", "control character"),
    (line().replace(b'"acme"', b":\x01"), "invalid_json", "Expecting value"),
    (line().replace(b'"acme"', b'"acme".5'), "invalid_json", "delimiter"),
    (line().replace(b'"acme"', b"'acme'"), "invalid_json", "Expecting value"),
    (line().replace(b"acme", rb"\ud83d"), "invalid_json", "surrogate"),
    (line().replace(b"acme", rb"\x41"), "invalid_json", "escape"),
    (b"[" * 100_000, "invalid_json", "nested too deeply"),
    (b"[1, 2]", "not_an_object", "an array"),
    (b"17", "not_an_object", "a number"),
    (b'"text"', "not_an_object", "a string"),
    (b"null", "not_an_object", "null"),
    (b"true", "not_an_object", "a boolean"),
    (b"\xff" + line(), "invalid_utf8", "byte 0xff at position 1"),
    (line().replace(b"acme", b"\xc3("), "invalid_utf8", "byte 0xc3"),
    (line(customer_id="x" * 1_100_000), "line_too_long", "bytes"),
    (line(transaction_id=None), "missing_field", "transaction_id"),
    (line(customer_id=None), "missing_field", "customer_id"),
    (line(event_type=None), "missing_field", "event_type"),
    (line(timestamp=None), "missing_field", "timestamp"),
    (line().replace(b'"acme"', b"null"), "missing_field", "customer_id"),
    (b"{}", "missing_field", "transaction_id"),
    (line().replace(b'"t-1"', b"17"), "wrong_type", "transaction_id: expected a string, found a number"),
    (line(customer_id=["a"]), "wrong_type", "customer_id: expected a string, found an array"),
    (line(event_type={"a": 1}), "wrong_type", "event_type: expected a string, found an object"),
    (line(timestamp=True), "wrong_type", "timestamp: expected a string, found a boolean"),
    (line(properties=[1]), "wrong_type", "properties: expected an object, found an array"),
    (line(properties="{}"), "wrong_type", "properties: expected an object, found a string"),
    (line(event_type=""), "empty_event_type", None),
    (line(""), "bad_transaction_id", "0 characters"),
    (line("x" * 129), "bad_transaction_id", "129 characters"),
    (line(properties={"a": {"b": 1}}), "nested_property", "a"),
    (line(properties={"a": []}), "nested_property", "a"),
    (with_properties('{"a": 1e400}'), "inexact_number", "a: 1e400"),
    (with_properties('{"a": -1e-500}'), "inexact_number", "a: -1e-500"),
    (with_properties(f'{{"a": {"9" * 401}}}'), "inexact_number", "needs over 400 digits"),
    (with_properties('{"a": 1e99999999999999999999}'), "inexact_number", "a: 1e9999"),
    (line(propertys={}), "unknown_field", "propertys: did you mean properties?"),
    (line(zone="eu"), "unknown_field", "zone"),
    (line()[:-1] + b', "customer_id": "other"}', "duplicate_key", "customer_id"),
    (with_properties('{"a": 1, "a": 1}'), "duplicate_key", "a"),
    (with_properties(r'{"a": 1, "\u0061": 1}'), "duplicate_key", "a"),
]


@pytest.mark.parametrize(("text", "reason", "detail"), BAD_LINES, ids=lambda value: str(value)[:40])
def test_a_bad_line_is_rejected_with_its_reason(text: bytes, reason: str, detail: str | None) -> None:
    got = ingest({"e.jsonl": lines(line("before"), text, line("after"))})
    assert got.reasons == [reason]
    row = got.rejected.row(0, named=True)
    assert (row["source_file"], row["source_line"]) == ("e.jsonl", 2)
    assert detail is None or detail in row["detail"]
    assert row["raw"].startswith(text[:60].decode(errors="replace"))
    assert got.events.get_column("transaction_id").to_list() == ["after", "before"]
    assert got.reconciles()


def test_every_reason_has_a_meaning() -> None:
    assert set(MEANING) == set(Reason)


@pytest.mark.parametrize(
    ("sent", "canonical"),
    [
        ("{}", "{}"),
        ('{"b": "x", "a": "y"}', '{"a":"y","b":"x"}'),
        ('{"a": null, "b": 1}', '{"b":"1"}'),
        ('{"a": true, "b": false}', '{"a":"true","b":"false"}'),
        ('{"a": "1.0", "b": 1.0}', '{"a":"1.0","b":"1"}'),
        ('{"a": 1e3, "b": 1E+3, "c": 1.50e-1}', '{"a":"1000","b":"1000","c":"0.15"}'),
        ('{"a": -0, "b": -0.0, "c": 0e5, "d": 0.000}', '{"a":"0","b":"0","c":"0","d":"0"}'),
        ('{"a": 0.1, "b": 100, "c": 1.10}', '{"a":"0.1","b":"100","c":"1.1"}'),
        ('{"a": 9007199254740993}', '{"a":"9007199254740993"}'),
        ('{"a": 12345678901234567.1234567891}', '{"a":"12345678901234567.1234567891"}'),
        ('{"a": 0.1000000000000000055511151231257827}', '{"a":"0.1000000000000000055511151231257827"}'),
        (f'{{"a": {LONG_DIGITS}}}', f'{{"a":"{LONG_DIGITS}"}}'),
        ('{"a": 1e-7, "b": 1e22}', '{"a":"0.0000001","b":"10000000000000000000000"}'),
        ('{"é": "ü", "e": "😀"}', '{"e":"😀","é":"ü"}'),
        (r'{"a": "\u00e9\ud83d\ude00"}', '{"a":"é😀"}'),
        (r'{"a": "say \"hi\"\n", "b": "\\", "c": "\/"}', r'{"a":"say \"hi\"\n","b":"\\","c":"/"}'),
        (r'{"a": "\u0001\u001f\b\f\u007f"}', '{"a":"\\u0001\\u001f\\b\\f\x7f"}'),
        ('{"a": ":1,", "b": "{\'x\': [2]}", ":": "="}', '{":":"=","a":":1,","b":"{\'x\': [2]}"}'),
        ('{"a:1": "x"}', '{"a:1":"x"}'),
        ('{"a,": 1, "a!": 2, "a": 3, "": 4}', '{"":"4","a":"3","a!":"2","a,":"1"}'),
        ('{ "a" :\t1 , "b":2}', '{"a":"1","b":"2"}'),
    ],
)
def test_properties_are_canonical(sent: str, canonical: str) -> None:
    assert ingest({"e.jsonl": with_properties(sent)}).properties == [canonical]
    assert read_properties(sent) == (canonical, None)


def test_the_empty_map_may_be_left_out() -> None:
    got = ingest(
        {"e.jsonl": lines(line("1", properties=None), line("2").replace(b'{"model": "large", "tokens": 12}', b"null"))}
    )
    assert got.properties == ["{}", "{}"]


def test_a_property_may_be_a_number_in_one_row_and_text_in_the_next() -> None:
    values = ['"a"', "1", "1.0", "true", "null", '"1.0"', '""']
    sent = lines(*(with_properties(f'{{"v": {value}}}', f"t-{step}") for step, value in enumerate(values)))
    expected = ['{"v":"a"}', '{"v":"1"}', '{"v":"1"}', '{"v":"true"}', "{}", '{"v":"1.0"}', '{"v":""}']
    assert ingest({"e.jsonl": sent}).properties == expected


CLOUD_EVENT = {
    "specversion": "1.0",
    "id": "ce-1",
    "source": "/gateway",
    "type": "completion",
    "subject": "acme",
    "time": "2026-10-10T10:00:00+02:00",
    "datacontenttype": "application/json",
    "traceparent": "00-abc",
    "data": {"tokens": 12.50, "model": "large"},
}


def cloud_event(**changes: object) -> bytes:
    return json.dumps({key: value for key, value in (CLOUD_EVENT | changes).items() if value is not None}).encode()


def test_a_cloud_event_is_an_event() -> None:
    got = ingest({"e.jsonl": cloud_event()}).events.row(0, named=True)
    assert (got["transaction_id"], got["customer_ref"], got["event_type"]) == ("ce-1", "acme", "completion")
    assert got["timestamp"].isoformat() == "2026-10-10T08:00:00+00:00"
    assert got["properties"] == '{"model":"large","tokens":"12.5"}'


@pytest.mark.parametrize(
    ("changes", "reason", "detail"),
    [
        ({"specversion": "0.3"}, "unsupported_version", "specversion: expected 1.0, found 0.3"),
        ({"specversion": 1.0}, "unsupported_version", "specversion: expected 1.0, found a number"),
        ({"subject": None}, "missing_field", "subject"),
        ({"time": None}, "missing_field", "time"),
        ({"data": "text"}, "wrong_type", "data: expected an object, found a string"),
        ({"data": None, "data_base64": "aGk="}, "wrong_type", "data: expected an object, found data_base64"),
    ],
)
def test_a_bad_cloud_event_is_rejected(changes: dict[str, object], reason: str, detail: str) -> None:
    got = ingest({"e.jsonl": cloud_event(**changes)}).rejected.row(0, named=True)
    assert (got["reason"], got["detail"]) == (reason, detail)


@pytest.mark.parametrize("changes", [{"data": None}, {"specversion": None}, {"extension": {"a": [1]}}])
def test_a_cloud_event_may_be_lean_or_extended(changes: dict[str, object]) -> None:
    assert ingest({"e.jsonl": cloud_event(**changes)}).events.height == 1


# A line by shape and the same line read exactly must be the same reading, whatever the line.

SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.decimals(allow_nan=False, allow_infinity=False, places=3).map(str).map(lambda text: Literal(text)),
    st.from_regex(r"-?(0|[1-9][0-9]{0,50})(\.[0-9]{1,50})?([eE][+-]?[0-9]{1,4})?", fullmatch=True).map(
        lambda t: Literal(t)
    ),
    st.text(max_size=8),
    st.sampled_from([":1,", '"', "\\", "a\nb", ":\x01", "é", "{}", "null"]),
)


class Literal(str):
    """JSON text to be written as it is."""


KEYS = st.one_of(
    st.sampled_from(["a", "b", "a:1", '"', "specversion", "id", "data", "properties"]), st.text(max_size=4)
)
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=2) | st.lists(st.tuples(KEYS, inner), max_size=3), max_leaves=3
)
MEMBERS = st.lists(st.tuples(KEYS, VALUES), max_size=5)


def written(value: object, space: str = "", escaped: bool = False) -> str:
    match value:
        case Literal():
            return str(value)
        case list() if value and all(isinstance(item, tuple) for item in value):
            members = f",{space}".join(
                f"{json.dumps(key)}{space}:{space}{written(item, space, escaped)}" for key, item in value
            )
            return f"{{{space}{members}{space}}}"
        case list() | tuple():
            return "[" + ",".join(written(item, space, escaped) for item in value) + "]"
        case _:
            return json.dumps(value, ensure_ascii=escaped)


@st.composite
def json_lines(draw: st.DrawFn) -> str:
    fields: list[tuple[str, object]] = list(event().items())
    fields[-1] = ("properties", draw(MEMBERS))
    for _ in range(draw(st.integers(0, 2))):
        place = draw(st.integers(0, len(fields) - 1))
        match draw(st.sampled_from(["drop", "value", "copy", "add"])):
            case "drop":
                fields.pop(place)
            case "value":
                fields[place] = (fields[place][0], draw(VALUES))
            case "copy":
                fields.append(fields[place])
            case _:
                fields.insert(place, (draw(KEYS), draw(VALUES)))
        fields = fields or [("x", 1)]
    text = written(fields, draw(st.sampled_from(["", " ", "\t"])), draw(st.booleans()))
    match draw(st.sampled_from(["whole", "whole", "cut", "changed"])):
        case "cut":
            return text[: draw(st.integers(0, len(text)))]
        case "changed":
            place = draw(st.integers(0, len(text)))
            return (
                text[:place]
                + draw(st.sampled_from(['"', ":", ",", "{", "}", "1", ".5", "\\", "\x01", "e", "-"]))
                + text[place:]
            )
        case _:
            return text


@settings(max_examples=150)
@given(st.lists(json_lines(), min_size=1, max_size=12))
@example(['{"a":"b".5}', '{"a":1"b":2}', '{"a":1,}', '{"a":[1]}', '{"a:1":2}'])
def test_reading_by_shape_is_reading_exactly(texts: list[str]) -> None:
    frame = pl.DataFrame(
        {"source_line": range(len(texts)), "line": texts, "reason": [None] * len(texts), "detail": [None] * len(texts)},
        schema=LINES,
    )
    fast = read_lines(frame).sort("source_line")
    assert fast.select(FIELDS).rows() == [tuple(read_line(text)) for text in texts]


@settings(max_examples=100)
@given(st.lists(MEMBERS.map(written) | json_lines(), min_size=1, max_size=12))
@example(['{"a":\n1,\n"b":\r2}', "", "null", "[]", '"x"', "{", '{"a":{"b":1}}'])
def test_properties_by_shape_are_properties_read_exactly(texts: list[str]) -> None:
    exact = [read_properties(text) for text in texts]
    expected = [(text, *((finding[0].value, finding[1]) if finding else (None, None))) for text, finding in exact]
    assert read_property_texts(pl.Series(texts, dtype=pl.String)).rows() == expected


@settings(max_examples=100)
@given(st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**40), max_value=10**40))
def test_a_number_keeps_its_value(value: Decimal) -> None:
    (text,) = ingest({"e.jsonl": with_properties(f'{{"v": {value:E}}}')}).properties or [None]
    if text is not None:
        shown = json.loads(text)["v"]
        assert Decimal(shown) == value
        assert "E" not in shown
        assert not shown.startswith("+")
